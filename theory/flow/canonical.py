"""Hyperbolic and trigonometric functions by exponentials, logarithms, sines and cosines."""

from __future__ import annotations

import sympy as sp

__all__ = ["canonical"]

_HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)
_LOGARITHMIC = (sp.asinh, sp.acosh, sp.atanh, sp.acoth)
_QUOTIENTS = {
    sp.tan: lambda x: sp.sin(x) / sp.cos(x),
    sp.cot: lambda x: sp.cos(x) / sp.sin(x),
    sp.sec: lambda x: 1 / sp.cos(x),
    sp.csc: lambda x: 1 / sp.sin(x),
}


def canonical(e: sp.Expr) -> sp.Expr:
    """A formula in fewer functions, its logarithms taken apart.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> canonical(sp.sinh(u) + sp.tan(u))
    exp(u)/2 + sin(u)/cos(u) - exp(-u)/2
    """
    algebraic = e.atoms(sp.GoldenRatio.__class__, sp.TribonacciConstant.__class__)
    e = e.xreplace({n: n.expand(func=True) for n in algebraic})
    e = sp.expand_log(e).replace(lambda x: isinstance(x, _HYPERBOLIC), lambda x: x.rewrite(sp.exp))
    e = e.replace(lambda x: isinstance(x, _LOGARITHMIC), lambda x: x.rewrite(sp.log))
    return e.replace(lambda x: type(x) in _QUOTIENTS, lambda x: _QUOTIENTS[type(x)](x.args[0]))
