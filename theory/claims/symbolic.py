"""Terms of certificates as expressions of SymPy, which propose and prove nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from theory.claims.replay.terms import Term, number, variables

__all__ = ["expression_of", "symbolic"]


def symbolic(t: Term, ranges: Mapping[str, Any]) -> sp.Expr | None:
    """The term as an expression of SymPy with the signs of its names: a hint only."""
    names = {}
    for x in variables(t):
        lower, upper = ranges.get(x, (None, None))[:2]
        p, q = (None if e is None else number(e) for e in (lower, upper))
        if p is not None and p >= 0:
            names[x] = sp.Symbol(x, positive=True)
        elif q is not None and q <= 0:
            names[x] = sp.Symbol(x, negative=True)
        else:
            names[x] = sp.Symbol(x, real=True)
    try:
        return expression_of(t, names)
    except (AttributeError, ValueError, TypeError, KeyError, ZeroDivisionError):
        return None


def expression_of(t: Term, names: Mapping[str, sp.Symbol]) -> sp.Expr:
    """The term as an expression of SymPy, in symbols by their names: a hint only."""
    q = number(t)
    if q is not None:
        return sp.Rational(q.numerator, q.denominator)
    if isinstance(t, str):
        return sp.pi if t == "pi" else names[t]
    args = [expression_of(a, names) for a in t[1:]]
    made = {"+": sp.Add, "*": sp.Mul, "^": sp.Pow}.get(t[0]) or getattr(sp, t[0])
    return made(*args)
