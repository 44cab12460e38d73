r"""Inverse functions on a branch, with the proof that they are one.

Candidates come from peeling the formula from the outside, and, where the variable occurs more
than once, from a uniformizer in which the equation is a polynomial (degree one or two, also in a
power, or a cubic) or one of Lambert's forms. The branch is chosen by the value at a reference
point; a candidate g is returned only when $g(f(u)) = u$ on the branch, or when $f(g(x)) = x$ and g
is analytic on the image of the branch, is proved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from flint import arb

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.guard import proposal
from theory.exact.signs import is_analytic, unbounded
from theory.exact.uniformize import uniformize
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero, sample_points

__all__ = ["Inverse", "inverse"]


@dataclass(frozen=True, slots=True)
class Inverse:
    """An inverse function: `expression` in the symbol of the image, with its proof."""

    expression: sp.Expr
    certificate: Certificate


def inverse(
    f: sp.Expr,
    u: sp.Symbol,
    x: sp.Symbol,
    *,
    reference: sp.Expr | None = None,
    ranges: Ranges | None = None,
) -> Inverse | None:
    """The inverse of a strictly monotone f on the branch through the reference point.

    Parameters
    ----------
    f : sympy.Expr
        A function of `u`, strictly monotone on the interval of u.
    u, x : sympy.Symbol
        The variable and the symbol for its image; both carry their signs, and `ranges` may give
        their intervals.
    reference : sympy.Expr, optional
        A point of the branch (may contain other symbols); 3/7, or -3/7 for a negative variable.

    Examples
    --------
    >>> u, x = sp.symbols("u x", real=True)
    >>> inverse(sp.exp(u) - sp.exp(-u), u, x).expression
    log(x/2 + sqrt(x**2 + 4)/2)
    """
    if reference is None:
        reference = sp.Rational(-3, 7) if u.is_negative else sp.Rational(3, 7)
    found = _searched(f, u, x, reference, ranges)
    if found is None and not reference.free_symbols:
        general, back = _generalized(f, u)
        found = _searched(general, u, x, reference, ranges) if back else None
        if found is not None:
            # true for all values of the coefficients, so also for those of f
            found = Inverse(found.expression.xreplace(back), found.certificate)
    return found


def _generalized(f: sp.Expr, u: sp.Symbol) -> tuple[sp.Expr, dict[sp.Expr, sp.Expr]]:
    """Coefficients such as (a - b)**2 as letters that keep what is known of their sign."""
    letters: dict[sp.Expr, sp.Expr] = {}
    terms = []
    for term in sp.Add.make_args(f):
        coefficient, rest = term.as_independent(u, as_Add=False)
        for factor in sp.Mul.make_args(coefficient):
            base, exponent = factor.as_base_exp()
            if not base.is_Add:
                continue
            if factor.is_positive:
                letters.setdefault(factor, sp.Dummy("c", positive=True))
            elif base.is_real and exponent.is_Integer and exponent > 0:
                letters.setdefault(factor, sp.Dummy("c", real=True) ** exponent)
        factors = [letters.get(g, g) for g in sp.Mul.make_args(coefficient)]
        terms.append(sp.Mul(*factors) * rest)
    back = {
        letter.as_base_exp()[0]: g if letter.is_Symbol else g.as_base_exp()[0]
        for g, letter in letters.items()
    }
    return sp.Add(*terms), back


def _searched(
    f: sp.Expr, u: sp.Symbol, x: sp.Symbol, reference: sp.Expr, ranges: Ranges | None
) -> Inverse | None:
    free = f.free_symbols | reference.free_symbols
    constants = sorted(free - {u}, key=lambda s: s.name)
    samples = [
        {
            s: (-1 if s.is_negative else 1) * sp.Rational(4 + 3 * k + 2 * i, 5 + k)
            for i, s in enumerate(constants)
        }
        for k in range(3)
    ]
    seen: set[sp.Expr] = set()
    for candidate in _solutions(f, u, x, 0):
        if candidate in seen or candidate.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
            continue
        seen.add(candidate)
        if not _on_branch(f, u, x, candidate, reference, samples):
            continue
        if not _defined_on_image(f, u, x, candidate, samples, ranges):
            continue
        found = _certify(f, u, x, candidate, ranges)
        if found is not None:
            return found
    return None


def _on_branch(
    f: sp.Expr,
    u: sp.Symbol,
    x: sp.Symbol,
    candidate: sp.Expr,
    reference: sp.Expr,
    samples: list[dict[sp.Symbol, sp.Rational]],
) -> bool:
    for sample in samples:
        symbols = list(sample)
        try:
            with precision(160):
                values = [rational_ball(sample[s]) for s in symbols]
                start = Program([reference], symbols)(values)[0]
                image = Program([f], [*symbols, u])([*values, start])[0]
                back = Program([candidate], [*symbols, x])([*values, image])[0]
                if not image.is_finite():
                    continue
                if not isinstance(back, arb) or not back.is_finite() or not back.overlaps(start):
                    return False
        except UnsupportedFormula:
            return False
    return True


def _defined_on_image(
    f: sp.Expr,
    u: sp.Symbol,
    x: sp.Symbol,
    candidate: sp.Expr,
    samples: list[dict[sp.Symbol, sp.Rational]],
    ranges: Ranges | None,
) -> bool:
    """Whether g(f(u)) is real and u at points all over the branch.

    The zero test speaks of points where an expression has a real value; an inverse must have one
    on the whole image, and x**(1/3) has none for x < 0.
    """
    probe, back = unbounded(u + 0, ranges)
    points = list(itertools.islice(sample_points(sorted(probe.free_symbols, key=str)), 12))
    symbols = list(samples[0])
    try:
        image = Program([f], [*symbols, u])
        inverse_image = Program([candidate], [*symbols, x])
        for point in points:
            for bits in (192, 1024, 6000):
                # near an end of the image, 1 - erf(22) say, only many bits tell inside from outside
                with precision(bits):
                    values = [rational_ball(samples[0][s]) for s in symbols]
                    here = Program([back[u].xreplace(point) if u in back else point[u]], [])([])[0]
                    there = image([*values, here])[0]
                    again = inverse_image([*values, there])[0] if there.is_finite() else None
                if again is None or (isinstance(again, arb) and again.is_finite()):
                    break
            if again is None:
                continue
            if not isinstance(again, arb) or not again.is_finite() or not again.overlaps(here):
                return False
    except (UnsupportedFormula, KeyError):
        return True
    return True


def _certify(
    f: sp.Expr, u: sp.Symbol, x: sp.Symbol, g: sp.Expr, ranges: Ranges | None
) -> Inverse | None:
    for candidate in dict.fromkeys((_tidy(g), g)):
        try:
            left = is_zero(candidate.xreplace({x: f}) - u, ranges)
            if left.proved:
                claim = f"g(f({u.name})) = {u.name} on the branch"
                return Inverse(candidate, Certificate(claim, left, "inverse"))
            right = is_zero(f.xreplace({u: candidate}) - x, ranges)
            if right.proved and is_analytic(candidate, ranges=ranges, meromorphic=False):
                claim = f"f(g({x.name})) = {x.name}, and g is analytic on the image of the branch"
                return Inverse(candidate, Certificate(claim, right, "inverse"))
        except (DomainError, UnsupportedFormula):
            continue
    return None


def _tidy(e: sp.Expr) -> sp.Expr:
    """A shorter form, for show; it is certified like any other candidate."""
    if e.count_ops() <= 6:
        return e
    out = proposal(_shorter, e, seconds=0.4)
    return out if isinstance(out, sp.Expr) else e


def _shorter(e: sp.Expr) -> sp.Expr:
    options = [e, sp.powdenest(sp.expand_log(e)), sp.factor_terms(sp.radsimp(e))]
    if e.count_ops() > 14:
        options.append(sp.simplify(e))
    return min(options, key=lambda o: (sp.count_ops(o), len(str(o))))


# -- candidates --------------------------------------------------------------------------------


def _solutions(f: sp.Expr, u: sp.Symbol, y: sp.Expr, depth: int) -> Iterator[sp.Expr]:
    """Expressions for u with f(u) = y; not all are on the branch."""
    if f == u:
        yield y
        return
    if depth > 12:
        return
    inner = [a for a in f.args if a.has(u)]
    if len(inner) == 1:
        for arg, value in _peel(f, inner[0], y):
            yield from _solutions(arg, u, value, depth + 1)
        return
    if f.is_Mul or f.is_Add:
        factored = sp.factor_terms(f) if f.is_Add else sp.powsimp(f)
        if factored != f and sum(a.has(u) for a in factored.args) == 1:
            yield from _solutions(factored, u, y, depth + 1)
    product = _logarithms_as_product(f, u) if f.is_Add else None
    if product is not None:
        inside, unit, rest = product
        yield from _solutions(inside, u, sp.exp((y - rest) / unit), depth + 1)
    if depth < 4:
        yield from _by_squaring(f, u, y, depth)
        yield from _by_uniformizer(f, u, y, depth)


def _logarithms_as_product(f: sp.Expr, u: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """c_1 log g_1 + c_2 log g_2 + ... as c log(g_1^k_1 g_2^k_2 ...) with integers k."""
    pairs, rest = [], sp.S.Zero
    for t in sp.Add.make_args(f):
        if not t.has(u):
            rest += t
            continue
        c, g = t.as_independent(u, as_Add=False)
        if not isinstance(g, sp.log):
            return None
        pairs.append((c, g.args[0]))
    if len(pairs) < 2:
        return None
    unit = pairs[0][0]
    ratios = [sp.cancel(c / unit) for c, _ in pairs]
    if not all(r.is_Integer for r in ratios):
        return None
    return sp.cancel(sp.Mul(*(g**r for r, (_, g) in zip(ratios, pairs, strict=True)))), unit, rest


_SIMPLE: dict[type, type] = {
    sp.log: sp.exp, sp.asin: sp.sin, sp.acos: sp.cos, sp.atan: sp.tan,
    sp.asinh: sp.sinh, sp.acosh: sp.cosh, sp.atanh: sp.tanh, sp.acoth: sp.coth,
    sp.sinh: sp.asinh, sp.tanh: sp.atanh, sp.coth: sp.acoth, sp.tan: sp.atan, sp.cot: sp.acot,
    sp.erf: sp.erfinv, sp.erfinv: sp.erf, sp.csch: sp.acsch, sp.erfc: sp.erfcinv,
}  # fmt: skip


def _peel(f: sp.Expr, a: sp.Expr, y: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """Undo the outermost operation: pairs (inner expression, the value that it must have)."""
    if f.is_Add:
        yield a, y - sp.Add(*(g for g in f.args if g is not a))
    elif f.is_Mul:
        yield a, y / sp.Mul(*(g for g in f.args if g is not a))
    elif isinstance(f, sp.exp):
        yield a, sp.log(y)
    elif f.is_Pow:
        base, exponent = f.args
        if base.has(a) and a == base:
            root = y ** (1 / exponent)
            yield a, root
            if (exponent.is_Integer and exponent % 2 == 0) or (
                exponent.is_Rational and exponent.p % 2 == 0
            ):
                yield a, -root
            elif exponent.is_Integer:
                yield a, -((-y) ** (1 / exponent))
                yield a, sp.sign(y) * sp.Abs(y) ** (1 / exponent)
        else:
            yield a, sp.log(y) / sp.log(base)
    elif isinstance(f, sp.cosh):
        yield a, sp.acosh(y)
        yield a, -sp.acosh(y)
    elif isinstance(f, sp.sech):
        yield a, sp.acosh(1 / y)
        yield a, -sp.acosh(1 / y)
    elif isinstance(f, sp.sin):
        yield a, sp.asin(y)
        yield a, sp.pi - sp.asin(y)
        yield a, -sp.pi - sp.asin(y)
        yield a, 2 * sp.pi + sp.asin(y)
        yield a, -2 * sp.pi + sp.asin(y)
    elif isinstance(f, sp.cos):
        yield a, sp.acos(y)
        yield a, -sp.acos(y)
        yield a, 2 * sp.pi - sp.acos(y)
    elif isinstance(f, sp.LambertW) and len(f.args) == 1:
        yield a, y * sp.exp(y)
    elif isinstance(f, sp.Abs):
        yield a, y
        yield a, -y
    elif type(f) in _SIMPLE:
        value = _SIMPLE[type(f)](y)
        yield a, value
        if isinstance(f, sp.tan):
            yield a, value + sp.pi
            yield a, value - sp.pi


def _by_squaring(f: sp.Expr, u: sp.Symbol, y: sp.Expr, depth: int) -> Iterator[sp.Expr]:
    r"""$A + B\sqrt{g} = 0$ with polynomials A, B in u: the roots of $A^2 - B^2 g$."""
    roots = {a.base for a in f.atoms(sp.Pow) if a.exp.is_Rational and a.exp.q == 2 and a.has(u)}
    if len(roots) != 1:
        return
    (g,) = roots
    r = sp.Dummy("r", positive=True)
    inside = f.xreplace(
        {a: r ** (2 * a.exp) for a in f.atoms(sp.Pow) if a.base == g and a.exp.is_Rational}
    )
    if not g.is_polynomial(u) or not inside.is_rational_function(u, r):
        return
    n, d = sp.fraction(sp.together(inside))
    a, b = sp.S.Zero, sp.S.Zero
    for (k,), c in sp.Poly(sp.expand(n - y * d), r).terms():
        half = c * g ** (k // 2)
        a, b = (a, b + half) if k % 2 else (a + half, b)
    equation = sp.Poly(sp.expand(a**2 - b**2 * g), u)
    if equation.degree() > 0:
        yield from _polynomial_solutions(equation, u, y, depth)


def _by_uniformizer(f: sp.Expr, u: sp.Symbol, y: sp.Expr, depth: int) -> Iterator[sp.Expr]:
    change = uniformize(f, u)
    if change is None:
        return
    w, r = change.w, change.integrand
    if r.is_rational_function(w):
        values: Iterator[sp.Expr] = _rational_solutions(r, w, y, depth)
    else:
        values = _lambert_solutions(r, w, y)
    for value in values:
        yield change.inverse.xreplace({w: value})


def _rational_solutions(r: sp.Expr, w: sp.Symbol, y: sp.Expr, depth: int) -> Iterator[sp.Expr]:
    n, d = sp.fraction(sp.cancel(sp.together(r)))
    yield from _polynomial_solutions(sp.Poly(sp.expand(n - y * d), w), w, y, depth)


def _polynomial_solutions(
    equation: sp.Poly, w: sp.Symbol, y: sp.Expr, depth: int
) -> Iterator[sp.Expr]:
    """Roots of degree one to three, also in a power of w, and of palindromic polynomials."""
    exponents = [m for (m,), _ in equation.terms()]
    low = min(exponents)
    step = sp.gcd([m - low for m in exponents]) if len(exponents) > 1 else 1
    step = int(step) or 1
    coefficients: dict[int, sp.Expr] = {
        (m - low) // step: sp.factor(c) for (m,), c in equation.terms()
    }
    degree = max(coefficients)
    c = [coefficients.get(k, sp.S.Zero) for k in range(degree + 1)]
    roots: list[sp.Expr] = []
    if degree == 1:
        root = -c[0] / c[1]
        roots = [min(sp.cancel(root), root, key=sp.count_ops)]
    elif degree == 2:
        gap = sp.factor(sp.expand(c[1] ** 2 - 4 * c[0] * c[2]))
        surd = sp.sqrt(gap)
        roots = [(-c[1] + surd) / (2 * c[2]), (-c[1] - surd) / (2 * c[2])]
        # the other form of the same roots, regular where the leading coefficient vanishes
        roots += [2 * c[0] / (-c[1] - surd), 2 * c[0] / (-c[1] + surd)]
    elif degree == 3:
        roots = _cubic_roots(c)
    elif degree % 2 == 0 and degree <= 8 and _palindromic(c) is not None:
        roots = list(_palindromic_roots(c, y, depth))
    for root in roots:
        if step == 1:
            yield root
        else:
            yield root ** sp.Rational(1, step)
            if not w.is_positive:
                yield -(root ** sp.Rational(1, step))
                if step % 2:
                    yield -((-root) ** sp.Rational(1, step))


def _cubic_roots(c: list[sp.Expr]) -> list[sp.Expr]:
    """Real roots by hyperbolic and circular functions (Viète), each regular on its own range."""
    shift = -c[2] / (3 * c[3])
    p = sp.factor((3 * c[3] * c[1] - c[2] ** 2) / (3 * c[3] ** 2))
    q = sp.factor(
        (2 * c[2] ** 3 - 9 * c[3] * c[2] * c[1] + 27 * c[3] ** 2 * c[0]) / (27 * c[3] ** 3)
    )
    if p == 0:
        return [shift + (-q) ** sp.Rational(1, 3), shift - q ** sp.Rational(1, 3)]
    a, b = sp.sqrt(p / 3), sp.sqrt(-p / 3)
    up = shift - 2 * a * sp.sinh(sp.asinh(3 * q / (2 * p) / a) / 3)
    z = 3 * q / (2 * p) / b
    outer = [
        shift - 2 * sign * b * sp.cosh(sp.acosh(sign * q / (2 * b**3)) / 3) for sign in (1, -1)
    ]
    inner = [shift + 2 * b * sp.cos(sp.acos(z) / 3 - 2 * sp.pi * k / 3) for k in range(3)]
    return [up, *outer, *inner]


def _palindromic(c: list[sp.Expr]) -> int | None:
    for sign in (1, -1):
        if all(sp.expand(a - sign * b) == 0 for a, b in zip(c, reversed(c), strict=True)):
            return sign
    return None


def _palindromic_roots(c: list[sp.Expr], y: sp.Expr, depth: int) -> Iterator[sp.Expr]:
    """w**m p(w + 1/w): solve for s = w + 1/w first."""
    if _palindromic(c) != 1:
        return
    m = (len(c) - 1) // 2
    s = sp.Dummy("s")
    chebyshev = [sp.Integer(2), s]
    for _ in range(m):
        chebyshev.append(sp.expand(s * chebyshev[-1] - chebyshev[-2]))
    poly = c[m] + sp.Add(*(c[m + k] * chebyshev[k] for k in range(1, m + 1)))
    terms = sp.Poly(sp.expand(poly), s)
    if terms.degree() > 2:
        return
    k = [sp.factor(terms.coeff_monomial(s**j)) for j in range(3)]
    if terms.degree() == 1:
        values = [-k[0] / k[1]]
    else:
        surd = sp.sqrt(sp.factor(sp.expand(k[1] ** 2 - 4 * k[0] * k[2])))
        values = [(-k[1] + surd) / (2 * k[2]), (-k[1] - surd) / (2 * k[2])]
    for value in values:
        root = sp.sqrt(sp.factor(sp.expand(value**2 - 4)))
        yield (value + root) / 2
        yield (value - root) / 2


def _lambert_solutions(r: sp.Expr, w: sp.Symbol, y: sp.Expr) -> Iterator[sp.Expr]:
    """A + b w + c log w = y, and a + w (b log w + c) = y, also in a power of w."""
    lw = sp.Dummy("l")
    e = sp.expand(sp.expand_log(r, force=True).xreplace({sp.log(w): lw}))
    if e.has(sp.log) or not e.is_polynomial(lw) or sp.degree(e, lw) != 1:
        return
    linear, rest = sp.cancel(e.coeff(lw, 1)), sp.cancel(e.coeff(lw, 0))
    if not linear.has(w):
        # c log w + b w^n + a
        constant, power = rest.as_independent(w, as_Add=True)
        b, monomial = power.as_independent(w, as_Add=False)
        base, n = monomial.as_base_exp()
        if base != w or n.has(w) or n == 0:
            return
        # with s = w^n: (c/n) log s + b s = y - a
        scale = linear / n
        argument = b / scale * sp.exp((y - constant) / scale)
        for branch in (sp.LambertW(argument), sp.LambertW(argument, -1)):
            yield (scale / b * branch) ** (1 / n)
        return
    b, monomial = linear.as_independent(w, as_Add=False)
    base, n = monomial.as_base_exp()
    if base != w or n.has(w):
        return
    constant, power = rest.as_independent(w, as_Add=True)
    c = sp.cancel(power / monomial)
    if c.has(w):
        return
    # with s = log w: exp(n s) (b s + c) = y - a
    argument = n / b * (y - constant) * sp.exp(n * c / b)
    for branch in (sp.LambertW(argument), sp.LambertW(argument, -1)):
        yield sp.exp(branch / n - c / b)
