"""Shorter forms of an expression, each proved equal before it replaces the original."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.guard import evaluated, proposals
from theory.exact.zero import is_zero

__all__ = ["shorten"]

_LARGE = 20
"""Operation count above which an argument is not taken apart: this runs without a time limit."""

_LONG = 32
"""Length from which on the slow simplifiers are asked as well."""


def shorten(e: sp.Expr, ranges: Ranges | None = None, *, seconds: float = 0.8) -> sp.Expr:
    """The shortest form that is proposed and proved equal on the whole domain.

    Proposals come from algebra (common denominators, factors, powers) after compositions such as
    exp(2 atanh x) were written out, and for a long expression from SymPy's simplifiers as well.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> shorten(sp.log(x + sp.sqrt(x**2 + 1)))
    asinh(x)
    >>> shorten(sp.exp(2 * sp.atanh(x)) / 4 + sp.Rational(1, 2) + sp.exp(-2 * sp.atanh(x)) / 4)
    -1/(x**2 - 1)
    """
    if e.is_Atom or e.count_ops() <= 4:
        return e
    plain = [f for f in dict.fromkeys((written_out(e), inverse_hyperbolic(e))) if f != e]
    candidates = list(plain)
    for form in (e, *plain):
        found = [f for f in proposals(_ALGEBRAIC, form, seconds=seconds / 2) if evaluated(f)]
        candidates += found
        candidates += [inverse_hyperbolic(f) for f in found]
    best = _best(e, e, candidates, ranges)
    if _length(best)[0] > _LONG:
        best = _best(e, best, proposals(_SLOW, best, seconds=seconds), ranges)
    return best


def _best(
    e: sp.Expr, best: sp.Expr, candidates: Sequence[sp.Expr], ranges: Ranges | None
) -> sp.Expr:
    for candidate in sorted(dict.fromkeys(candidates), key=_length):
        if _length(candidate) >= _length(best) or not evaluated(candidate):
            continue
        try:
            if is_zero(candidate - e, ranges).proved:
                return candidate
        except (DomainError, UnsupportedFormula):
            continue
    return best


def _length(e: sp.Expr) -> tuple[int, int]:
    # exp(c log g) and sqrt chains read worse than their operation count says
    size = sum(1 for _ in sp.preorder_traversal(e))
    return int(e.count_ops()) + 2 * len(e.atoms(sp.log, sp.exp)), size


# -- forms by algebra --------------------------------------------------------------------------


def _fraction(e: sp.Expr) -> sp.Expr:
    return sp.cancel(sp.together(e))


def _factors(e: sp.Expr) -> sp.Expr:
    return sp.factor(sp.together(e))


def _powers(e: sp.Expr) -> sp.Expr:
    return sp.powsimp(sp.expand_log(e))


def _powers_forced(e: sp.Expr) -> sp.Expr:
    # without regard to signs: what is wrong is not proved equal, and dropped
    return sp.powsimp(sp.expand_log(e, force=True))


def _one_root(e: sp.Expr) -> sp.Expr:
    r"""$a + b\sqrt{g}$ with the root out of every denominator."""
    roots = [p for p in e.atoms(sp.Pow) if p.exp.is_Rational and p.exp.q == 2]
    bases = {p.base for p in roots}
    if len(bases) != 1:
        raise ValueError("not one root")
    (g,) = bases
    r = sp.Dummy("r")
    inside = e.xreplace({p: r ** int(2 * p.exp) for p in roots})

    def reduced(p: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        even, odd = sp.S.Zero, sp.S.Zero
        for (k,), c in sp.Poly(p, r).terms():
            half = c * g ** (k // 2)
            even, odd = (even, odd + half) if k % 2 else (even + half, odd)
        return even, odd

    n, d = map(reduced, sp.fraction(sp.together(inside)))
    norm = d[0] ** 2 - d[1] ** 2 * g
    a = sp.cancel((n[0] * d[0] - n[1] * d[1] * g) / norm)
    b = sp.factor(sp.cancel((n[1] * d[0] - n[0] * d[1]) / norm))
    return _numbers(sp.expand(a)) + b * sp.sqrt(g)


def _numbers(e: sp.Expr) -> sp.Expr:
    """Logarithms of numbers with the same coefficient, up to sign, as one."""
    if not e.args:
        return e
    e = e.func(*map(_numbers, e.args))
    if not e.is_Add:
        return e
    gathered: dict[sp.Expr, sp.Rational] = {}
    rest = []
    for t in e.args:
        c, g = t.as_coeff_Mul()
        if isinstance(g, sp.log) and g.args[0].is_Rational:
            gathered[abs(c)] = gathered.get(abs(c), sp.S.One) * g.args[0] ** (1 if c > 0 else -1)
        else:
            rest.append(t)
    logs = (c * sp.log(q) if q >= 1 else -c * sp.log(1 / q) for c, q in gathered.items())
    return sp.Add(*rest, *logs)


_ALGEBRAIC = (
    sp.factor_terms, _numbers, _one_root, _fraction, _factors, sp.expand, _powers, _powers_forced,
)  # fmt: skip


# -- forms by SymPy's simplifiers --------------------------------------------------------------


def _radicals(e: sp.Expr) -> sp.Expr:
    return sp.radsimp(sp.simplify(e))


def _elementary(e: sp.Expr) -> sp.Expr:
    elementary = e.replace(
        lambda t: isinstance(t, (sp.asinh, sp.acosh, sp.atanh)), lambda t: t.rewrite(sp.log)
    )
    return sp.cancel(sp.together(sp.powsimp(sp.expand_log(elementary.rewrite(sp.exp)))))


_SLOW = (sp.simplify, _radicals, _elementary)


# -- compositions ------------------------------------------------------------------------------


def written_out(e: sp.Expr) -> sp.Expr:
    r"""Functions of multiples of their inverse functions as algebraic ones.

    $e^{c\,\mathrm{atanh}\,g} = ((1 + g)/(1 - g))^{c/2}$, $e^{c\,\mathrm{asinh}\,g} =
    (g + \sqrt{g^2 + 1})^c$, and multiples of an angle or of an area by the addition theorems.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> written_out(sp.sinh(2 * sp.asinh(x)))
    2*x*sqrt(x**2 + 1)
    """
    if e.count_ops() > 20 * _LARGE:
        return e
    e = e.replace(lambda t: isinstance(t, sp.exp) and t.has(*_AREAS), _exponential)
    return e.replace(lambda t: isinstance(t, _OUTER) and _multiple(t) is not None, _expanded)


_AREAS = (sp.asinh, sp.acosh, sp.atanh, sp.log)
_OUTER = (sp.sinh, sp.cosh, sp.tanh, sp.sin, sp.cos, sp.tan)
_INNER = (sp.asinh, sp.acosh, sp.atanh, sp.asin, sp.acos, sp.atan)


def _exponential(t: sp.Expr) -> sp.Expr:
    out = sp.S.One
    for term in sp.Add.make_args(sp.expand(t.args[0])):
        c, g = term.as_coeff_Mul()
        if isinstance(g, sp.atanh):
            a = g.args[0]
            out *= ((1 + a) / (1 - a)) ** (c / 2)
        elif isinstance(g, (sp.asinh, sp.acosh)):
            a = g.args[0]
            root = sp.sqrt(a**2 + 1) if isinstance(g, sp.asinh) else sp.sqrt(a**2 - 1)
            # for a negative multiple the conjugate surd, which is the reciprocal
            surd = a + root if c > 0 or isinstance(g, sp.acosh) else root - a
            out *= surd ** (c if surd != root - a else -c)
        else:
            out *= sp.exp(term)
    return out


def _multiple(t: sp.Expr) -> tuple[int, sp.Expr] | None:
    c, g = t.args[0].as_coeff_Mul()
    if isinstance(g, _INNER) and c.is_Integer and 1 < abs(c) <= 6:
        return int(c), g
    return None


def _expanded(t: sp.Expr) -> sp.Expr:
    found = _multiple(t)
    assert found is not None
    n, g = found
    s = sp.Dummy("s", real=True)
    return t.func(n * s).expand(trig=True).xreplace({s: g})


def inverse_hyperbolic(e: sp.Expr) -> sp.Expr:
    r"""Logarithms as area functions, wherever that applies.

    $\log(a + \sqrt{a^2 + c^2}) = \mathrm{asinh}(a/c) + \log c$, and
    $c\log p - c\log q = 2c\,\mathrm{atanh}((p - q)/(p + q))$.
    """
    table = {}
    for atom in e.atoms(sp.log):
        if atom.count_ops() > _LARGE:
            continue
        inside, denominator = sp.fraction(sp.together(atom.args[0]))
        for root in inside.atoms(sp.Pow):
            if root.exp != sp.Rational(1, 2):
                continue
            g = sp.Dummy("g")
            linear = inside.xreplace({root: g})
            if not linear.is_polynomial(g) or sp.degree(linear, g) != 1:
                continue
            b, a = linear.coeff(g, 1), linear.coeff(g, 0)
            square = sp.factor(sp.expand(b**2 * root.base - a**2))
            c = sp.sqrt(square)
            if square.is_positive and not c.has(sp.Abs) and b.is_positive:
                table[atom] = sp.asinh(a / c) + sp.log(sp.cancel(c / denominator))
                break
    e = e.xreplace(table)
    return _paired(e) if e.has(sp.log) else e


def _paired(e: sp.Expr) -> sp.Expr:
    """Pairs of logarithms with opposite coefficients in a sum as one atanh."""
    if not e.is_Add:
        return e.func(*(_paired(a) for a in e.args)) if e.args and e.has(sp.log) else e
    terms = [t.as_independent(sp.log, as_Add=False) for t in e.args]
    logs = [(i, c, g) for i, (c, g) in enumerate(terms) if isinstance(g, sp.log)]
    for (i, c, g), (j, d, h) in itertools.combinations(logs, 2):
        p, q = g.args[0], h.args[0]
        if c + d != 0 or not (p.free_symbols and q.free_symbols):
            continue
        if p.count_ops() + q.count_ops() > _LARGE:
            continue
        ratio = sp.cancel((p - q) / (p + q))
        if ratio.count_ops() <= 2:
            rest = [t for k, t in enumerate(e.args) if k not in (i, j)]
            return _paired(sp.Add(*rest, 2 * c * sp.atanh(ratio)))
    return e
