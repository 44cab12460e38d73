r"""Losses of a matrix: a sum of convex losses over its observed entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import DataError, DomainError, ShapeError
from theory.flow import links, losses
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import Link
from theory.flow.losses import Loss
from theory.flow.parametrization import Elementwise
from theory.numeric.compile import Array
from theory.numeric.objective import Objective, compile_objective

__all__ = ["MatrixLoss", "SmoothLoss", "masked", "read_loss", "read_matrix"]


class SmoothLoss(Protocol):
    """A smooth function of a matrix, of which a network needs this much."""

    @property
    def shape(self) -> tuple[int, int]: ...
    def value(self, A: Array) -> float: ...
    def gradient(self, A: Array) -> Array: ...


@dataclass(frozen=True, eq=False)
class MatrixLoss:
    r"""$C(A) = c\sum_{(i,j)\in\Omega} \ell(h(A_{ij}), M_{ij})$.

    Parameters
    ----------
    target : array-like, shape (m, n)
        M, with NaN where an entry is not observed.
    loss : Loss
        $\tfrac12(\mu - y)^2$ unless given.
    link : Link
    mask : array-like of bool, shape (m, n), optional
        Entries that count as observed, of those that are not NaN.
    mean : bool
        c = 1 unless set, then $1/|\Omega|$; and $2/|\Omega|$ for the squared loss, so that C is the
        mean squared error. The strength of a penalty is relative to it: $\lambda$ for the sum is
        $\lambda|\Omega|/2$ for a mean squared error.

    Raises
    ------
    DataError
        For infinite entries, no observed entry, or a target that the loss is not made for.
    ShapeError
        For what is not a matrix.

    Examples
    --------
    >>> C = MatrixLoss([[1.0, np.nan], [0.0, 2.0]])
    >>> C.value(np.zeros((2, 2))), C.gradient(np.ones((2, 2))).tolist()
    (2.5, [[0.0, 0.0], [1.0, -1.0]])
    """

    target: Array
    loss: Loss = field(default_factory=losses.squared)
    link: Link = field(default_factory=links.identity)
    mean: bool = False

    def __init__(
        self,
        target: ArrayLike,
        loss: Loss | None = None,
        link: Link | None = None,
        *,
        mask: ArrayLike | None = None,
        mean: bool = False,
    ) -> None:
        matrix = masked(read_matrix(target, "target"), mask)
        loss = losses.squared() if loss is None else loss
        link = links.identity() if link is None else link
        if not isinstance(loss, Loss) or not isinstance(link, Link):
            raise DomainError(
                "Expected a loss of theory.losses and a link of theory.links but got "
                f"{loss!r} and {link!r}."
            )
        if np.isnan(matrix).all():
            raise DataError("Expected a matrix with observed entries but all of them are NaN.")
        for name, value in (("target", matrix), ("loss", loss), ("link", link), ("mean", mean)):
            object.__setattr__(self, name, value)
        observed = np.flatnonzero(~np.isnan(matrix.ravel()))
        model = FlowModel(Elementwise("x", "x"), loss=loss, link=link)
        object.__setattr__(self, "_observed", observed)
        y = matrix.ravel()[observed]
        object.__setattr__(self, "_objective", compile_objective(model, y))
        squared = loss == losses.squared() and link == links.identity()
        object.__setattr__(self, "_squared", squared)
        weight = (2.0 if squared else 1.0) / observed.size if mean else 1.0
        object.__setattr__(self, "weight", weight)

    _observed: NDArray[np.intp] = field(init=False, repr=False)
    _objective: Objective = field(init=False, repr=False)
    _squared: bool = field(init=False, repr=False)
    weight: float = field(init=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n)."""
        return self.target.shape[0], self.target.shape[1]

    @property
    def observed(self) -> NDArray[np.bool_]:
        r"""$\Omega$ as a mask, shape (m, n)."""
        return np.asarray(~np.isnan(self.target))

    @property
    def count(self) -> int:
        r"""$|\Omega|$."""
        return int(self._observed.size)

    def value(self, A: Array) -> float:
        """C(A)."""
        z = A.ravel()[self._observed]
        if self._squared:
            r = z - self._objective.y
            return 0.5 * self.weight * float(r @ r)
        return self.weight * float(self._objective.value(z))

    def gradient(self, A: Array) -> Array:
        r"""$\nabla C(A)$, shape (m, n)."""
        out = np.zeros(A.size)
        z = A.ravel()[self._observed]
        slope = z - self._objective.y if self._squared else self._objective.slope(z)
        out[self._observed] = slope if self.weight == 1 else self.weight * slope
        return out.reshape(self.shape)


def read_loss(loss: Any) -> SmoothLoss:
    """Something with a shape, a value and a gradient.

    Raises
    ------
    DomainError
    """
    if not all(hasattr(loss, name) for name in ("shape", "value", "gradient")):
        raise DomainError(
            "Expected a loss with shape, value(A) and gradient(A), such as "
            f"th.MatrixLoss(target), but got a {type(loss).__name__}."
        )
    found: SmoothLoss = loss
    return found


def read_matrix(given: ArrayLike, name: str) -> Array:
    """A real matrix with NaN for what is missing.

    Raises
    ------
    ShapeError, DataError
    """
    try:
        matrix = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Expected {name} as a matrix of numbers: {error}.") from error
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ShapeError(f"Expected {name} of shape (m, n) but got {matrix.shape}.")
    if np.isinf(matrix).any():
        i, j = np.argwhere(np.isinf(matrix))[0]
        raise DataError(
            f"Expected finite entries, or NaN for missing ones, but {name}[{i}, {j}] = "
            f"{matrix[i, j]}."
        )
    return matrix


def masked(matrix: Array, mask: ArrayLike | None) -> Array:
    """The matrix with NaN where the mask is False.

    Raises
    ------
    ShapeError, DataError
        For a mask of another shape, or that is not one of truth values.
    """
    if mask is None:
        return matrix
    seen = np.asarray(mask)
    if seen.shape != matrix.shape:
        raise ShapeError(f"Expected a mask of shape {matrix.shape} but got {seen.shape}.")
    if seen.dtype != bool:
        raise DataError(f"Expected a mask of True and False but its dtype is {seen.dtype}.")
    return np.where(seen, matrix, np.nan)
