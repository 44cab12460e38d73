r"""Proofs of limits beyond the rules: cancelled quotients, dominance, majorants.

Each step is an identity or an inequality near the point, so a limit that is returned is proved.
"""

from __future__ import annotations

import sympy as sp

from theory.errors import UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import precision
from theory.exact.expansions import limit_by_expansion
from theory.exact.limits import limit_by_rules
from theory.exact.signs import sign_on
from theory.exact.tails import Corner

__all__ = ["proved_limit", "tends_to"]


def proved_limit(
    e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str, ranges: Ranges | None = None
) -> sp.Expr | None:
    """The one-sided limit of an expression that is defined near the point, or None.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> proved_limit((u**2 + 1) / (2 * u**2 - u), u, sp.oo, "-")
    1/2
    >>> proved_limit(-(u + 1) * sp.exp(-u), u, sp.oo, "-")
    0
    """
    value = limit_by_rules(e, s, point, direction)
    if value is not None:
        return value
    t = sp.Dummy("t", positive=True)
    near = _near(point, direction, t)
    moved = _cancelled(e.xreplace({s: near}), t)
    value = limit_by_rules(moved, t, sp.S.Zero, "+")
    if value is not None:
        return value
    for form in dict.fromkeys((sp.expand(moved), sp.expand(e).xreplace({s: near}))):
        value = _by_terms(form, t, ranges)
        if value is not None:
            return value
    if moved.has(sp.nan, sp.zoo):
        return None
    return limit_by_expansion(moved, t, ranges)


def tends_to(
    e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str, value: sp.Expr
) -> str | None:
    r"""Why e tends to a finite value: a bound $|e - value| \le C t^p |\log t|^m$ with p > 0.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> tends_to(sp.sin(u) / u, u, sp.S.Zero, "+", sp.S.One) is not None
    True
    """
    if (e.free_symbols - {s}) | value.free_symbols or point.free_symbols:
        return None
    t = sp.Dummy("t", positive=True)
    moved = (e - value).xreplace({s: _near(point, direction, t)})
    if moved.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        return None
    for w in (16, 64, 256):
        with precision(192):
            try:
                for form in (moved, sp.expand(moved), sp.together(moved)):
                    bound = Corner(t, w).majorant(form)
                    if bound is not None and bound.p > 0:
                        return f"the difference is at most C t^{bound.p} |log t|^{bound.m}"
            except UnsupportedFormula:
                return None
    return None


def _near(point: sp.Expr, direction: str, t: sp.Symbol) -> sp.Expr:
    if point is sp.oo:
        return 1 / t
    if point == -sp.oo:
        return -1 / t
    return point + t if direction == "+" else point - t


def _cancelled(e: sp.Expr, t: sp.Symbol) -> sp.Expr:
    """Every rational function of t inside of e in lowest terms."""
    if not e.has(t) or e.is_Symbol or e.has(sp.Piecewise):
        return e
    if e.is_rational_function(t):
        return sp.cancel(sp.together(e))
    return e.func(*(_cancelled(a, t) for a in e.args))


def _by_terms(e: sp.Expr, t: sp.Symbol, ranges: Ranges | None) -> sp.Expr | None:
    """A sum of terms that have proved limits; at most their finite ones are added."""
    total = sp.S.Zero
    for term in sp.Add.make_args(e):
        value = limit_by_rules(term, t, sp.S.Zero, "+")
        if value is None and (_dominated(term, t, ranges) or tends_to(term, t, *_ZERO)):
            value = sp.S.Zero
        if value is None or value in (sp.oo, -sp.oo):
            return None
        total += value
    return total


_ZERO = (sp.S.Zero, "+", sp.S.Zero)


def _dominated(term: sp.Expr, t: sp.Symbol, ranges: Ranges | None) -> bool:
    r"""$t^p \log^m(t)\, e^{g(1/t)}$: $g \to -\infty$ polynomial, or $p > 0$ and no exponential."""
    p, exponent = sp.S.Zero, sp.S.Zero
    for factor in sp.Mul.make_args(sp.powsimp(term)):
        if not factor.has(t):
            continue
        base, power = factor.as_base_exp()
        if isinstance(factor, sp.exp):
            exponent += factor.args[0]
        elif base == t and not power.has(t):
            p += power
        elif base in (sp.log(t), sp.log(1 / t)) and not power.has(t):
            continue
        else:
            return False
    x = sp.Dummy("x", positive=True)
    g = sp.expand(exponent.xreplace({t: 1 / x}))
    if g == 0 or not g.has(x):
        return sign_on(p, ranges) == 1
    if not g.is_polynomial(x):
        return False
    return sign_on(sp.LC(g, x), ranges) == -1
