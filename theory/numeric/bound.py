r"""Functions with some arguments bound to arrays: what depends on these alone is computed once.

For right-hand sides, which are called thousands of times from one start. A bound function checks
nothing and leaves NumPy's warnings to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from theory.numeric.compile import BLIND_TO_NAN, TABLE, Array, compile_expression, stable

__all__ = ["bindable"]


@lru_cache(maxsize=128)
def bindable(
    expression: sp.Expr, free: sp.Symbol, fixed: tuple[sp.Symbol, ...]
) -> Callable[..., Callable[[Array], Array]]:
    """Compile a formula to ``bind(*fixed)``, which is a function of the free argument alone.

    Parameters
    ----------
    expression : sympy.Expr
    free : sympy.Symbol
    fixed : tuple of sympy.Symbol

    Returns
    -------
    bind : callable
        Takes arrays of one shape, and returns a function of arrays of this shape.

    Examples
    --------
    >>> x, a = sp.symbols("x a")
    >>> bindable(a**2 * sp.exp(2 * x) + a**3, x, (a,))(np.array([2.0]))(np.array([0.0])).tolist()
    [12.0]
    """
    if expression.has(*BLIND_TO_NAN) or free not in expression.free_symbols:
        whole = compile_expression(expression, [free, *fixed])
        return lambda *values: lambda x: whole(x, *values)
    names = {free: sp.Symbol("x", **free.assumptions0)}
    names |= {s: sp.Symbol(f"s{i}", **s.assumptions0) for i, s in enumerate(fixed)}
    parts: dict[sp.Expr, sp.Symbol] = {}
    rest = _without(stable(expression.xreplace(names)), names[free], parts)
    inner = sp.lambdify([names[free], *parts.values()], rest, modules=[TABLE, "numpy"], cse=True)
    outer = sp.lambdify([names[s] for s in fixed], list(parts), modules=[TABLE, "numpy"], cse=True)

    def bind(*values: Array) -> Callable[[Array], Array]:
        with np.errstate(all="ignore"):
            bound = [np.asarray(v, dtype=np.float64) for v in outer(*values)]

        def function(x: Array) -> Array:
            result: Array = inner(x, *bound)
            return result

        return function

    return bind


def _without(e: Any, free: sp.Symbol, parts: dict[sp.Expr, sp.Symbol]) -> Any:
    """The expression with every largest part that has no free symbol replaced by a symbol."""
    if free not in e.free_symbols:
        if e.is_number:
            return e
        return parts.setdefault(e, sp.Symbol(f"p{len(parts)}", real=True))
    if isinstance(e, sp.Add | sp.Mul):
        apart = [a for a in e.args if free not in a.free_symbols and not a.is_number]
        others: Sequence[Any] = [a for a in e.args if a not in apart]
        if apart:
            whole = _without(e.func(*apart), free, parts)
            return e.func(whole, *(_without(a, free, parts) for a in others))
    return e.func(*(_without(a, free, parts) for a in e.args)) if e.args else e
