"""Rewrites of a formula that keep its value and lose fewer digits in floating point."""

from __future__ import annotations

import sympy as sp

__all__ = ["expm1", "hypot", "log1p", "rewrite", "terms_of"]


class log1p(sp.Function):  # noqa: N801
    """log(1 + y), never evaluated."""


class expm1(sp.Function):  # noqa: N801
    """exp(y) - 1, never evaluated."""


class hypot(sp.Function):  # noqa: N801
    """sqrt(a**2 + b**2), never evaluated."""


def terms_of(e: sp.Expr) -> tuple[sp.Expr, ...]:
    """The terms of a sum whose products are multiplied out.

    Examples
    --------
    >>> x, a = sp.symbols("x a", positive=True)
    >>> terms_of((x * sp.log(x) - a) / a)
    (-1, x*log(x)/a)
    """
    expanded = sp.expand(e, log=False, power_base=False, power_exp=False)
    return tuple(sp.Add.make_args(expanded))


def rewrite(e: sp.Expr) -> sp.Expr:
    """Use log1p, expm1 and hypot where they apply, from the inside out.

    Examples
    --------
    >>> x, a = sp.symbols("x a", positive=True)
    >>> rewrite(sp.sqrt(x**2 + 4 * a**4)), rewrite(sp.log(1 + x)), rewrite(sp.exp(x) - 1)
    (hypot(x, 2*a**2), log1p(x), expm1(x))
    """
    if not e.args:
        return e
    if e.is_Pow and e.exp.is_Rational and abs(e.exp) == sp.Rational(1, 2) and e.base.is_Add:
        legs = [r for r in map(_root, e.base.args) if r is not None]
        if len(legs) == len(e.base.args) == 2:
            a, b = sorted(legs, key=lambda leg: (not leg.is_Symbol, str(leg)))
            side = hypot(rewrite(a), rewrite(b))
            return side if e.exp > 0 else 1 / side
    if isinstance(e, sp.log) and e.args[0].is_Add and sp.S.One in e.args[0].args:
        return log1p(rewrite(e.args[0] - 1))
    if e.is_Add:
        return _sum(e)
    return e.func(*map(rewrite, e.args))


def _root(e: sp.Expr) -> sp.Expr | None:
    """A real r with e = r**2, when it is visible."""
    r = sp.sqrt(e)
    r = r.replace(sp.Abs, lambda a: a)
    return r if not r.has(sp.Pow) or all(p.exp.is_Integer for p in r.atoms(sp.Pow)) else None


def _sum(e: sp.Expr) -> sp.Expr:
    """c*exp(y) - c as c*expm1(y)."""
    rest = list(e.args)
    out = []
    for a in e.args:
        c, g = a.as_independent(sp.exp, as_Add=False) if a.has(sp.exp) else (a, sp.S.One)
        if isinstance(g, sp.exp) and -c in rest and a in rest:
            rest.remove(a)
            rest.remove(-c)
            out.append(rewrite(c) * expm1(rewrite(g.args[0])))
    return sp.Add(*out, *map(rewrite, rest))
