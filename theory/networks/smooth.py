"""Models with functions that are no polynomials: softmax, tanh layers, weight normalization."""

from __future__ import annotations

from typing import Any

import sympy as sp

from theory.errors import FormulaError, ShapeError
from theory.exact.initial_data import read_exact
from theory.flow.coupled import Coupled
from theory.networks.network import sizes

__all__ = ["softmax", "tanh", "weight_normalization"]


def _integers(values: tuple[Any, ...], least: int, what: str) -> list[int]:
    out = sizes(values, least=least, what=what)
    if any(not isinstance(v, int) for v in out):
        raise ShapeError(f"Expected integer {what}.")
    return [int(v) for v in out]


def softmax(d: Any) -> Coupled:
    r"""Probabilities $x_i = e^{u_i}/\sum_j e^{u_j}$.

    Examples
    --------
    >>> softmax(2).components
    (exp(u1)/(exp(u1) + exp(u2)), exp(u2)/(exp(u1) + exp(u2)))
    """
    (n,) = _integers((d,), 1, "sizes")
    u = sp.symbols(f"u1:{n + 1}", real=True)
    total = sp.Add(*(sp.exp(s) for s in u))
    return Coupled([sp.exp(s) / total for s in u], u)


def tanh(width: Any, inputs: Any) -> Coupled:
    r"""A layer of tanh units with outputs $x_q = \sum_k a_k \tanh(w_k z_q)$ at scalar inputs.

    Parameters
    ----------
    width : int
        Number of units.
    inputs : int or sequence of exact numbers
        The inputs $z_q$; an integer n stands for 1, ..., n.

    Examples
    --------
    >>> tanh(1, [2]).components
    (a1*tanh(2*w1),)
    """
    (n,) = _integers((width,), 1, "widths")
    points = range(1, inputs + 1) if isinstance(inputs, int) else list(inputs)
    exact = [read_exact(z, "input") for z in points]
    if not exact or any(not (z.is_Rational and z != 0) for z in exact):
        raise FormulaError(f"Expected rational inputs that are not zero but got {inputs!r}.")
    a = sp.symbols(f"a1:{n + 1}", real=True)
    w = sp.symbols(f"w1:{n + 1}", real=True)
    return Coupled(
        [sp.Add(*(b * sp.tanh(c * z) for b, c in zip(a, w, strict=True))) for z in exact], a + w
    )


def weight_normalization(d: Any, *, depth: int = 1) -> Coupled:
    r"""Weight normalization $x = (r\,u/|u|)^L$ entrywise, with radius r and direction u.

    Examples
    --------
    >>> weight_normalization(2).components[0]
    r*u1/sqrt(u1**2 + u2**2)
    """
    n, power = _integers((d, depth), 2, "sizes")
    u = sp.symbols(f"u1:{n + 1}", real=True)
    r = sp.Symbol("r", real=True)
    length = sp.sqrt(sp.Add(*(s**2 for s in u)))
    return Coupled([(r * s / length) ** power for s in u], (r, *u))
