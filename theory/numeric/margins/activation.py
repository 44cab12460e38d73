r"""Activations that are positively homogeneous: $\sigma(z) = a\,z_+^k + b\,z_-^k$.

Every function of one number with $\sigma(cz) = c^k\sigma(z)$ for c > 0 has this form, with
$a = \sigma(1)$, $b = \sigma(-1)$ and $z_- = \max(-z, 0)$.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import FormulaError
from theory.exact.parsing import names_in, parse
from theory.networks.homogeneity import homogeneity
from theory.numeric.compile import Array

__all__ = ["Activation", "read_activation"]

WORDS = {
    "relu": "max(z, 0)", "leaky relu": "max(z, z/100)", "linear": "z", "abs": "abs(z)"
}  # fmt: skip
Pair = Callable[[Array], tuple[Array, Any]]


@dataclass(frozen=True)
class Activation:
    """One activation, exactly.

    Parameters
    ----------
    degree : sympy.Rational
        k >= 1.
    above, below : sympy.Expr
        a and b.
    """

    degree: sp.Rational
    above: sp.Expr
    below: sp.Expr

    @cached_property
    def pair(self) -> Pair:
        """Value and slope of an array; the slope at zero is zero unless the function is linear."""
        k, a, b = float(self.degree), float(self.above), float(self.below)
        if k == 1 and a == -b:
            return lambda z: (a * z, np.full_like(z, a))
        if k == 1 and b == 0:
            return lambda z: _rectified(z, a)
        if k == 1:
            return lambda z: _bent(z, a, b)
        if k == 2 and b == 0:
            return lambda z: _squared(z, a)
        return lambda z: _power(z, k, a, b)

    def __str__(self) -> str:
        z = sp.Symbol("z", real=True)
        sides = ((self.above, z), (self.below, -z))
        return str(sp.Add(*(a * sp.Max(side, 0) ** self.degree for a, side in sides)))


def read_activation(given: Any) -> Activation:
    """An activation by a word or a formula in one variable.

    Parameters
    ----------
    given : Activation, str or sympy.Expr
        "relu", "leaky relu" (slope 1/100 below zero), "linear", "abs", or a formula such as
        "max(z, 0)**2".

    Raises
    ------
    FormulaError
        For a formula that is not homogeneous, such as tanh(z), with points that show it; for one
        of a degree below 1, whose slope is not bounded at zero.

    Examples
    --------
    >>> read_activation("max(z, 0)**2")
    Activation(degree=2, above=1, below=0)
    >>> read_activation("tanh(z)")
    Traceback (most recent call last):
    theory.errors.FormulaError: tanh(z) is not homogeneous in z: ...
    """
    if isinstance(given, Activation):
        return given
    formula = WORDS.get(given, given) if isinstance(given, str) else given
    if isinstance(formula, str):
        names = names_in(formula)
        formula = parse(formula, {n: sp.Symbol(n, real=True) for n in names})
    if not isinstance(formula, sp.Expr):
        raise FormulaError(
            f"Expected an activation as a formula in z or one of {', '.join(WORDS)}, but got "
            f"{given!r}."
        )
    free = list(formula.free_symbols)
    if len(free) != 1:
        raise FormulaError(f"Expected an activation in one variable but got {formula}.")
    z = sp.Symbol("z", real=True)
    formula = formula.xreplace({free[0]: z})
    degree = homogeneity(formula, [z]).degree
    if not degree.is_Rational or degree < 1:
        raise FormulaError(
            f"Expected an activation of a rational degree of at least 1, but {formula} has the "
            f"degree {degree}: below 1 its slope is not bounded at zero."
        )
    above, below = (formula.xreplace({z: sp.Integer(side)}) for side in (1, -1))
    if above == 0 and below == 0:
        raise FormulaError("The activation is zero everywhere: the network is dead.")
    return Activation(degree, above, below)


def _rectified(z: Array, a: float) -> tuple[Array, Any]:
    on = z > 0
    value = np.maximum(z, 0.0)
    # a slope of 0 and 1 may stay a truth value: it multiplies as such, without a copy
    return (value, on) if a == 1 else (a * value, a * on)


def _bent(z: Array, a: float, b: float) -> tuple[Array, Array]:
    slope = np.where(z > 0, a, np.where(z < 0, -b, 0.0))
    return slope * z, slope


def _squared(z: Array, a: float) -> tuple[Array, Array]:
    up = np.maximum(z, 0.0)
    slope = (2 * a) * up
    up *= up
    return (up if a == 1 else a * up), slope


def _power(z: Array, k: float, a: float, b: float) -> tuple[Array, Array]:
    up, down = np.maximum(z, 0.0), np.maximum(-z, 0.0)
    return a * up**k + b * down**k, k * (a * up ** (k - 1) - b * down ** (k - 1))
