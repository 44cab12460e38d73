r"""Strict signs of expressions on the whole domain of their symbols, and analyticity there.

The domain is the product of the ranges of the symbols (a positive symbol ranges over
$(0, \infty)$, a real one over $\mathbb{R}$), possibly cut down by intervals. It is connected,
which is why an identity that holds near one point holds on all of it when both sides are analytic.
"""

from __future__ import annotations

import itertools
import math

import sympy as sp
from flint import arb, fmpq, fmpq_poly

from theory.errors import UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import Program, precision, sign_of_number
from theory.exact.field import Field, NormalFormError, factor

__all__ = ["is_analytic", "positive_like", "sign_on", "unbounded"]


def positive_like(s: sp.Symbol, *bounds: sp.Expr) -> sp.Dummy:
    """A positive symbol that counts from one bound: for an integer and an integer bound, whole."""
    whole = s.is_integer and len(bounds) < 2 and all(b.is_integer for b in bounds)
    return sp.Dummy(s.name, positive=True, **({"integer": True} if whole else {}))


def unbounded(e: sp.Expr, ranges: Ranges | None = None) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    r"""Trade interval-bounded and negative symbols for positive ones.

    $x \in (a, \infty)$ becomes $a + t$, $x \in (a, b)$ becomes $(a + b t)/(1 + t)$, $t > 0$: a
    bijection, so a statement for all t is the statement for all x in the open interval.

    Returns
    -------
    expression : sympy.Expr
    back : mapping from each traded symbol to its expression in the new ones
    """
    ranges = dict(ranges or {})
    back: dict[sp.Symbol, sp.Expr] = {}
    for s in sorted(e.free_symbols, key=lambda s: s.name):
        lower, upper = ranges.get(s, (-sp.oo, sp.oo))
        if s.is_positive:
            lower = sp.Max(lower, 0) if lower.is_number else lower
        if s.is_negative:
            upper = sp.Min(upper, 0) if upper.is_number else upper
        if (lower, upper) == (-sp.oo, sp.oo) or (
            s.is_positive and (lower, upper) == (sp.S.Zero, sp.oo)
        ):
            # a nonnegative symbol keeps its zero
            continue
        t = positive_like(s, *(e for e in (lower, upper) if e.is_finite))
        if lower == -sp.oo:
            back[s] = upper - t
        elif upper == sp.oo:
            back[s] = lower + t
        else:
            back[s] = (lower + upper * t) / (1 + t)
    out = e.xreplace(back) if back else e
    # the bounds may contain other bounded symbols
    if back and any(b.free_symbols & set(back) for b in back.values()):
        for _ in back:
            out = out.xreplace(back)
            back = {s: b.xreplace(back) for s, b in back.items()}
    return out, back


def sign_on(e: sp.Expr, ranges: Ranges | None = None, *, depth: int = 6) -> int | None:
    """+1 or -1: strictly positive or negative wherever the expression is defined; else None.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> sign_on(u + sp.sqrt(u**2 + 1))
    1
    >>> sign_on(u**2 - 2 * u + 2)
    1
    >>> sign_on(u**2 - 1) is None
    True
    """
    e = sp.sympify(e, strict=True)
    if ranges:
        circular = _circular_sign(e, ranges)
        if circular is not None:
            return circular
        e, _ = unbounded(e, ranges)
    return _sign(e, depth)


def _circular_sign(e: sp.Expr, ranges: Ranges) -> int | None:
    """Functions of sin, cos, tan of one angle on an interval, by the tangent of half of it."""
    atoms = e.atoms(*_CIRCULAR)
    free = list(e.free_symbols)
    if not atoms or len(free) != 1 or free[0] not in ranges:
        return None
    u = free[0]
    angles = {a.args[0] for a in atoms}
    if len(angles) != 1:
        return None
    angle = angles.pop()
    lower, upper = (angle.subs(u, b) for b in ranges[u])
    if not (lower.is_number and upper.is_number) or not angle.is_polynomial(u):
        return None
    if sp.degree(angle, u) != 1 or not (lower.is_finite and upper.is_finite):
        return None
    if sign_of_number(upper - lower) == -1:
        lower, upper = upper, lower
    shift = sp.S.Zero
    if sign_of_number(upper - sp.pi) == 1 or sign_of_number(lower + sp.pi) == -1:
        # half a turn changes the sign of sine and cosine, and moves the interval to (-pi, pi)
        shift = sp.pi if sign_of_number(upper - sp.pi) == 1 else -sp.pi
        lower, upper = lower - shift, upper - shift
        if sign_of_number(upper - sp.pi) == 1 or sign_of_number(lower + sp.pi) == -1:
            return None
    t = sp.Dummy("t", real=True)
    half_turn = sp.pi / 2
    tangents = all(isinstance(a, (sp.tan, sp.cot)) for a in atoms)
    if (
        tangents
        and shift == 0
        and sign_of_number(half_turn - upper) != -1
        and sign_of_number(lower + half_turn) != -1
    ):
        inside = sp.together(e.xreplace({a: t if isinstance(a, sp.tan) else 1 / t for a in atoms}))
        if inside.has(u):
            return None
        low = -sp.oo if lower == -half_turn else sp.tan(lower)
        high = sp.oo if upper == half_turn else sp.tan(upper)
        return sign_on(inside, {t: (low, high)})
    flip = -1 if shift != 0 else 1
    sine, cosine = flip * 2 * t / (1 + t**2), flip * (1 - t**2) / (1 + t**2)
    table = {
        sp.sin: sine, sp.cos: cosine, sp.tan: sine / cosine, sp.cot: cosine / sine,
        sp.sec: 1 / cosine, sp.csc: 1 / sine,
    }  # fmt: skip
    inside = sp.together(e.xreplace({a: table[a.func] for a in atoms}))
    if inside.has(u):
        return None
    ends = [
        -sp.oo if lower == -sp.pi else sp.tan(lower / 2),
        sp.oo if upper == sp.pi else sp.tan(upper / 2),
    ]
    return sign_on(inside, {t: (ends[0], ends[1])})


_CIRCULAR = (sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc)


_ODD_MONOTONE = (sp.sinh, sp.tanh, sp.asinh, sp.atan, sp.erf, sp.erfi, sp.asin, sp.atanh, sp.erfinv)


def _sign(e: sp.Expr, depth: int) -> int | None:
    if e.is_number:
        return sign_of_number(e) or None
    structural = _structural_sign(e, depth)
    if structural is not None or depth <= 0:
        return structural
    if e.is_Symbol:
        return None
    for attempt in (_normal_form_sign, _surd_sign, _logarithm_sign, _univariate_sign):
        s = attempt(e, depth - 1)
        if s is not None:
            return s
    return None


def _structural_sign(e: sp.Expr, depth: int) -> int | None:
    if e.is_Symbol:
        return 1 if e.is_positive else -1 if e.is_negative else None
    if isinstance(e, (sp.exp, sp.cosh, sp.sech, sp.erfc)):
        return 1
    if isinstance(e, _ODD_MONOTONE):
        return _sign(e.args[0], depth - 1)
    if isinstance(e, sp.log):
        return _sign(e.args[0] - 1, depth - 1) if depth > 0 else None
    if isinstance(e, sp.LambertW) and len(e.args) == 1:
        return _sign(e.args[0], depth - 1)
    if isinstance(e, sp.LambertW):
        return -1
    if isinstance(e, sp.gamma) and _sign(e.args[0], depth - 1) == 1:
        return 1
    if e.is_Pow:
        base, exponent = e.args
        if exponent.is_Integer:
            s = _sign(base, depth - 1)
            if s is None:
                return None
            return 1 if int(exponent) % 2 == 0 else s
        # a real power with a non-integer exponent is defined for a nonnegative base only, and
        # nonzero where the base is
        s = _sign(base, depth - 1)
        return 1 if s == 1 else None
    if e.is_Mul:
        total = 1
        for a in e.args:
            s = _sign(a, depth - 1)
            if s is None:
                return None
            total *= s
        return total
    if e.is_Add:
        strict, weak = set(), set()
        for a in e.args:
            s = _structural_sign(a, depth - 1) if not a.is_number else sign_of_number(a)
            if s is None:
                w = _weak_structural(a)
                if w is None:
                    return None
                weak.add(w)
            else:
                strict.add(s)
        if len(strict) == 1 and weak <= strict:
            return strict.pop()
        return None
    return None


def _weak_structural(e: sp.Expr) -> int | None:
    if e.is_Symbol:
        return 1 if e.is_nonnegative else -1 if e.is_nonpositive else None
    if isinstance(e, sp.Abs):
        return 1
    if e.is_Pow and e.exp.is_Rational and (not e.exp.is_Integer or int(e.exp) % 2 == 0):
        return 1
    if e.is_Mul:
        total = 1
        for a in e.args:
            w = sign_of_number(a) if a.is_number else _weak_structural(a)
            if w is None:
                w = _structural_sign(a, 2)
            if w is None:
                return None
            total *= w
        return total
    return None


def _reference(e: sp.Expr, *, odd: int = 1) -> dict[sp.Symbol, sp.Rational]:
    primes = (3, 5, 7, 11, 13, 17, 19, 23)
    point = {}
    for i, s in enumerate(sorted(e.free_symbols, key=lambda s: s.name)):
        value = sp.Rational(primes[i % 8] * odd + 2, primes[(i + 2) % 8])
        point[s] = -value if s.is_negative else value
    return point


def _normal_form_sign(e: sp.Expr, depth: int) -> int | None:
    field = Field(_reference(e))
    try:
        n, d = field.convert(e)
        if n == 0 or not field.unconditional():
            return None
        sign = 1
        for p in (n, d):
            if field._is_algebraic(p):
                s = field.definite_sign(p)
                if s is None:
                    return None
                sign *= s
                continue
            content, factors = factor(p)
            sign *= 1 if content > 0 else -1
            for f, k in factors:
                s = field.definite_sign(f)
                if s is None:
                    s = _univariate_polynomial_sign(field, f)
                if s is None and int(k) % 2 == 0:
                    return None
                if s is None:
                    return None
                sign *= s ** int(k)
        return sign
    except (NormalFormError, UnsupportedFormula):
        return None


def _univariate_polynomial_sign(field: Field, f: object) -> int | None:
    """The sign of a polynomial in one generator on (0, oo) or on R, by Sturm's theorem."""
    degrees = f.degrees()  # type: ignore[attr-defined]
    used = [i for i, k in enumerate(degrees) if k]
    if len(used) != 1:
        return None
    i = used[0]
    positive = i in field.positive
    coefficients = [0] * (int(degrees[i]) + 1)
    for exponents, c in f.terms():  # type: ignore[attr-defined]
        coefficients[int(exponents[i])] = int(c)
    p = fmpq_poly(coefficients)
    if positive and coefficients[0] == 0:
        return None
    if roots_on_axis(p, half_line=positive) != 0:
        return None
    return 1 if sum(coefficients) > 0 else -1


def roots_on_axis(p: fmpq_poly, *, half_line: bool) -> int:
    """The number of distinct real roots on (0, oo), or on R, by Sturm's theorem."""
    square_free = p // p.gcd(p.derivative())
    chain = [square_free, square_free.derivative()]
    while chain[-1] != 0:
        chain.append(-(chain[-2] % chain[-1]))
    chain.pop()

    def variations(values: list[fmpq]) -> int:
        signs = [1 if v > 0 else -1 for v in values if v != 0]
        return sum(1 for a, b in itertools.pairwise(signs) if a != b)

    leading = [q.leading_coefficient() for q in chain]
    at_infinity = variations(leading)
    if half_line:
        # roots in (0, oo]: Sturm counts (a, b], and zero itself is excluded this way
        low = variations([q[0] for q in chain])
    else:
        low = variations(
            [c if q.degree() % 2 == 0 else -c for c, q in zip(leading, chain, strict=True)]
        )
    return low - at_infinity


def _surd_sign(e: sp.Expr, depth: int) -> int | None:
    r"""$a + b\sqrt{r}$: positive when b > 0 and $b^2 r - a^2 > 0$, whatever the sign of a."""
    n, d = sp.fraction(sp.together(e))
    roots = [r for r in n.atoms(sp.Pow) if r.exp == sp.Rational(1, 2)]
    for r in roots:
        g = sp.Dummy("g", positive=True)
        m = n.xreplace({r: g})
        if not m.is_polynomial(g) or sp.degree(m, g) != 1:
            continue
        b, a = m.coeff(g, 1), m.coeff(g, 0)
        if sp.expand(m - b * g - a) != 0 or b.has(r) or a.has(r):
            continue
        sb, sd = _sign(b, depth - 1), _sign(d, depth - 1)
        if sb is None or sd is None:
            continue
        gap = sp.expand(b**2 * r.base - a**2)
        if gap != 0 and _sign(gap, depth - 1) == 1:
            return sb * sd
        sa = _sign(a, depth - 1)
        if sa is not None and gap != 0 and _sign(-gap, depth - 1) == 1:
            return sa * sd
    return None


def _logarithm_sign(e: sp.Expr, depth: int) -> int | None:
    r"""$\sum c_i\log g_i + r$ with integers c: the sign of $\prod g_i^{c_i} e^r - 1$."""
    if not e.is_Add:
        return None
    product, rest, scale = sp.S.One, sp.S.Zero, 1
    terms = [t.as_coeff_Mul() for t in e.args]
    if not any(isinstance(g, sp.log) for _, g in terms):
        return None
    for c, g in terms:
        if isinstance(g, sp.log):
            scale = math.lcm(scale, int(c.q)) if c.is_Rational else 0
    if not 0 < scale <= 12:
        return None
    for c, g in terms:
        if isinstance(g, sp.log) and abs(c * scale) <= 12:
            product *= g.args[0] ** (c * scale)
        else:
            rest += scale * c * g
    if rest.has(sp.log):
        return None
    return _sign(sp.expand(sp.powsimp(sp.expand(product * sp.exp(rest)))) - 1, depth - 1)


def _univariate_sign(e: sp.Expr, depth: int) -> int | None:
    """A function of one variable without critical behavior at its ends, by ball bisection.

    The axis is compactified, x = t/(1 - t) or x = t/(1 - t^2); only functions whose enclosure
    stays away from zero up to both ends are decided.
    """
    free = list(e.free_symbols)
    if len(free) != 1 or depth < 2:
        return None
    x = free[0]
    t = sp.Dummy("t", real=True)
    positive = bool(x.is_positive)
    substituted = e.xreplace({x: t / (1 - t) if positive else t / (1 - t**2)})
    try:
        program = Program([substituted], [t])
    except UnsupportedFormula:
        return None
    lower, upper = (0, 1) if positive else (-1, 1)
    target = 0
    with precision(96):
        # a function that tends to zero at an end never leaves zero there, however small the box
        tiny = arb(2) ** -100
        for a, b in ((arb(lower), lower + tiny), (upper - tiny, arb(upper))):
            if program([a.union(b)])[0].contains(0):
                return None
        stack = [(arb(lower), arb(upper))]
        for _ in range(300):
            if not stack:
                return target or None
            a, b = stack.pop()
            value = program([a.union(b)])[0]
            s = 1 if value > 0 else -1 if value < 0 else 0
            if s:
                if target and s != target:
                    return None
                target = s
                continue
            middle = (a + b) / 2
            stack += [(a, arb(middle.mid())), (arb(middle.mid()), b)]
    return None


# -- analyticity ---------------------------------------------------------------------------------

_ENTIRE = (
    sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.atan, sp.asinh, sp.erf,
    sp.erfc, sp.erfi, sp.Si, sp.Shi,
)  # fmt: skip
_MEROMORPHIC = {
    sp.tan: sp.cos, sp.sec: sp.cos, sp.cot: sp.sin, sp.csc: sp.sin, sp.coth: sp.sinh,
    sp.csch: sp.sinh,
}  # fmt: skip


def is_analytic(
    e: sp.Expr,
    *,
    ranges: Ranges | None = None,
    meromorphic: bool = True,
    variable: sp.Symbol | None = None,
) -> bool:
    """Whether an expression is real-analytic on the whole domain of its symbols.

    With `meromorphic`, poles from outer division are allowed: the identity theorem is applied to
    the numerator, which is a polynomial in functions that are analytic everywhere.
    With `variable`, analyticity in that symbol alone, the others being constants at which the
    expression is defined. Only a sufficient test: False says nothing.
    """
    if e.is_number or e.is_Symbol or (variable is not None and not e.has(variable)):
        return True
    if e.is_Add or e.is_Mul:
        return all(
            is_analytic(a, ranges=ranges, meromorphic=meromorphic, variable=variable)
            for a in e.args
        )
    if e.is_Pow:
        base, exponent = e.args
        if exponent.is_Integer:
            if not is_analytic(base, ranges=ranges, meromorphic=meromorphic, variable=variable):
                return False
            return bool(exponent > 0) or meromorphic or sign_on(base, ranges) is not None
        if base.is_number:
            return sign_on(base, ranges) == 1 and is_analytic(
                exponent, ranges=ranges, meromorphic=False
            )
        return (
            sign_on(base, ranges) == 1
            and is_analytic(base, ranges=ranges, meromorphic=False, variable=variable)
            and is_analytic(exponent, ranges=ranges, meromorphic=False, variable=variable)
        )
    if not e.args or not all(
        is_analytic(a, ranges=ranges, meromorphic=False, variable=variable) for a in e.args
    ):
        return False
    a = e.args[0]
    if isinstance(e, _ENTIRE):
        return True
    pole = _MEROMORPHIC.get(e.func)
    if pole is not None:
        return meromorphic or sign_on(pole(a), ranges) is not None
    if isinstance(e, sp.Ei):
        return sign_on(a, ranges) is not None
    if isinstance(e, (sp.log, sp.Ci, sp.Chi, sp.gamma, sp.loggamma)):
        return sign_on(a, ranges) == 1
    if isinstance(e, (sp.asin, sp.acos, sp.atanh, sp.erfinv)):
        return sign_on(1 - a**2, ranges) == 1
    if isinstance(e, sp.acosh):
        return sign_on(a - 1, ranges) == 1
    if isinstance(e, (sp.Abs, sp.sign)):
        return sign_on(a, ranges) is not None
    if isinstance(e, sp.LambertW):
        inside = sign_on(a, ranges) == 1 or sign_on(a + sp.exp(-1), ranges) == 1
        return inside if len(e.args) == 1 else inside and sign_on(a, ranges) == -1
    if isinstance(e, sp.polylog):
        return e.args[0].is_number and sign_on(1 - e.args[1], ranges) == 1
    return False
