"""What descent, flow and watch need of a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import ShapeError, StartError
from theory.numeric.compile import Array
from theory.numeric.margins.classification import Classification

__all__ = ["Model", "Pass", "read_parameters", "soft_minimum"]


class Pass(Protocol):
    """A network on given samples."""

    def margins(self, theta: Array) -> Array:
        """The margins q, shape (m,); what the gradient needs is kept."""
        ...

    def gradient(self, weights: Array) -> Array:
        """$-\\sum_i w_i\\nabla q_i$ at the parameters of the last call of `margins`, a buffer."""
        ...


class Model(Protocol):
    """What descent and flow need of a network."""

    @property
    def degree(self) -> sp.Rational: ...
    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the layers, in the order of the flat parameters."""
        ...

    @property
    def size(self) -> int: ...
    def bind(self, task: Classification) -> Pass: ...


def soft_minimum(q: Array) -> tuple[float, Array]:
    """-log(sum(exp(-q))) and the softmax of -q.

    Examples
    --------
    >>> u, p = soft_minimum(np.array([2000.0, 2000.0]))
    >>> round(u, 6), p.tolist()
    (1999.306853, [0.5, 0.5])
    """
    least = q.min()
    p = np.exp(least - q)
    total = p.sum()
    p /= total
    return float(least - np.log(total)), p


def read_parameters(net: Model, theta: ArrayLike) -> Array:
    """Flat parameters, a copy.

    Raises
    ------
    ShapeError, StartError
        For another number of them, and for values that are not finite.
    """
    try:
        found = np.array(theta, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(f"Expected the parameters as a vector of numbers: {error}.") from error
    if found.shape != (net.size,):
        raise ShapeError(f"Expected {net.size} parameters but got the shape {found.shape}.")
    if not np.isfinite(found).all():
        i = int(np.flatnonzero(~np.isfinite(found))[0])
        raise StartError(f"Expected finite parameters but number {i} is {found[i]}.")
    return found
