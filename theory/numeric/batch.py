r"""Many problems of one shape at once: members of a batch differ in data, targets or start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import DataError, ShapeError
from theory.flow.parametrization import Elementwise
from theory.numeric.block import Block, prepare
from theory.numeric.compile import Array
from theory.numeric.problem import Regression, finite_array
from theory.numeric.start import Start

__all__ = ["Batch", "read_members"]


@dataclass(frozen=True, init=False, eq=False)
class Batch:
    r"""Regression problems of one shape.

    Parameters
    ----------
    A : array_like, shape (n, d) or (m, n, d)
        One matrix for all members, or one for each.
    y : array_like, shape (n,) or (m, n)
        Targets of all members, or of each.

    Raises
    ------
    ShapeError
        For shapes that do not fit each other.
    DataError
        For entries that are not finite real numbers.

    Examples
    --------
    >>> batch = Batch([[1.0, 2.0]], [[1.0], [2.0], [3.0]])
    >>> batch.m, batch.n, batch.d
    (3, 1, 2)
    """

    A: Array
    y: Array

    def __init__(self, A: ArrayLike, y: ArrayLike) -> None:
        matrix, targets = finite_array(A, "A"), finite_array(y, "y")
        if matrix.ndim not in (2, 3):
            raise ShapeError(
                f"Expected A of shape (n, d), or (m, n, d) for m members, but got {matrix.shape}."
            )
        if targets.ndim not in (1, 2) or targets.shape[-1] != matrix.shape[-2]:
            raise ShapeError(
                f"Expected y of shape (n,), or (m, n) for m members, with n = {matrix.shape[-2]} "
                f"rows of A, but got {targets.shape}."
            )
        if matrix.ndim == 3 and targets.ndim == 2 and len(matrix) != len(targets):
            raise ShapeError(
                f"Expected as many targets as matrices but got {len(targets)} and {len(matrix)}."
            )
        if matrix.size == 0:
            raise DataError(f"Expected at least one sample and one column but got {matrix.shape}.")
        matrix.setflags(write=False)
        targets.setflags(write=False)
        object.__setattr__(self, "A", matrix)
        object.__setattr__(self, "y", targets)

    @property
    def m(self) -> int:
        """Number of members as far as the data tell; 1 when neither A nor y differ."""
        return len(self.A) if self.A.ndim == 3 else len(self.y) if self.y.ndim == 2 else 1

    @property
    def n(self) -> int:
        """Number of samples of a member."""
        return int(self.A.shape[-2])

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.A.shape[-1])

    def member(self, i: int) -> Regression:
        """The problem of one member."""
        A = self.A[i] if self.A.ndim == 3 else self.A
        return Regression(A, self.y[i] if self.y.ndim == 2 else self.y)

    def targets(self, m: int) -> Array:
        """Targets of m members, shape (m, n)."""
        return np.array(np.broadcast_to(self.y, (m, self.n)))

    def predict(self, x: Array, members: NDArray[np.intp]) -> Array:
        """A x of some members, x of shape (d, m') and the result of shape (n, m')."""
        if self.A.ndim == 2:
            return np.asarray(self.A @ x)
        return np.asarray(np.matmul(self.A[members], x.T[:, :, None])[:, :, 0].T)

    def pull_back(self, r: Array, members: NDArray[np.intp]) -> Array:
        """A^T r of some members, r of shape (n, m') and the result of shape (d, m')."""
        if self.A.ndim == 2:
            return np.asarray(self.A.T @ r)
        return np.asarray(np.matmul(r.T[:, None, :], self.A[members])[:, 0, :].T)


def read_members(
    parametrization: Elementwise, start: Start, batch: Batch
) -> tuple[Block, Array, dict[Any, Any]]:
    """The compiled block, the starts of all members, and the constants among the start.

    Parameters
    ----------
    start : mapping from parameter to value
        A number, an array of shape (d,), or of shape (m, d) or (m, 1) with a row per member.

    Returns
    -------
    block : Block
    theta0 : ndarray, shape (k, m, d)
    constants : dict

    Raises
    ------
    ShapeError
        When starts and data have different numbers of members.

    Examples
    --------
    >>> rho = Elementwise("u**2 - v**2", "u, v")
    >>> batch = Batch([[1.0, 2.0]], [1.0])
    >>> _, theta0, _ = read_members(rho, {"u": [[0.1], [0.2], [0.3]], "v": 0.5}, batch)
    >>> theta0.shape
    (2, 3, 2)
    """
    if not isinstance(batch, Batch):
        raise DataError(f"Expected a th.Batch of problems but got {type(batch).__name__}.")
    names = {s.name for s in parametrization.parameters}
    parts, constants = {}, {}
    sizes = {batch.m} - {1}
    for key, value in start.items():
        if str(getattr(key, "name", key)) not in names:
            constants[key] = value
            continue
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ShapeError(f"Expected rows of equal length for {key}: {error}.") from error
        if array.ndim == 2 and array.shape[0] != 1:
            sizes.add(array.shape[0])
        parts[key] = array
    if len(sizes) > 1:
        raise ShapeError(f"Expected one number of members but got {sorted(sizes)}.")
    m = sizes.pop() if sizes else 1
    full: dict[Any, Any] = {}
    for key, array in parts.items():
        try:
            full[key] = np.broadcast_to(array, (m, batch.d)).ravel()
        except ValueError as error:
            raise ShapeError(
                f"Expected a number, an array of shape ({batch.d},), or one of shape "
                f"({m}, {batch.d}) for {key} but got {array.shape}."
            ) from error
    block, theta0 = prepare(parametrization, {**full, **constants}, m * batch.d)
    return block, theta0.reshape(-1, m, batch.d), constants
