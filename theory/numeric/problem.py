"""Data of a regression problem: the matrix A, the targets y, and tables read from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import eigh, lapack, qr, svd
from scipy.sparse.linalg import LinearOperator

from theory.errors import DataError, ShapeError
from theory.numeric.compile import Array
from theory.numeric.normal_equations import Matrix, gram

__all__ = ["Regression", "finite_array", "independent_rows"]

_LARGEST_ARRAY = 4_000_000
"""Entries up to which a sparse matrix or an operator is made an array."""
_LARGEST_DENSE = 250_000_000
"""Entries of two gigabytes."""


@dataclass(frozen=True, init=False, eq=False)
class Regression:
    r"""Samples $(a_i, y_i)$ of a linear predictor $z = A x$.

    Parameters
    ----------
    A : array_like, scipy sparse array or LinearOperator, shape (n, d)
        One row per sample.
    y : array_like, shape (n,)
        Targets.
    names : sequence of str, optional
        Names of the d columns.

    Raises
    ------
    ShapeError
        When A is not a matrix, or y does not have one entry per row of A.
    DataError
        For empty data, and for entries that are NaN, infinite, complex or not numbers.

    Examples
    --------
    >>> problem = Regression([[1, 2, 3]], [1])
    >>> problem.n, problem.d, problem.rank
    (1, 3, 1)
    """

    A: Any
    y: Array
    names: tuple[str, ...]
    _given: tuple[Any, Any]

    def __init__(self, A: Any, y: ArrayLike, *, names: Sequence[str] | None = None) -> None:
        matrix: Any
        if isinstance(A, LinearOperator):
            if np.issubdtype(A.dtype, np.complexfloating):
                raise DataError(f"Expected a real matrix A but got dtype {A.dtype}.")
            matrix = A
        elif sparse.issparse(A):
            source: Any = A
            entries: Any = sparse.coo_array(source)
            _require_real(entries.data, "A")
            bad = ~np.isfinite(entries.data)
            if bad.any():
                first = int(np.argmax(bad))
                raise DataError(
                    f"Expected finite entries but got A[{entries.row[first]}, "
                    f"{entries.col[first]}] = {entries.data[first]}."
                )
            matrix = sparse.csr_array(entries.astype(np.float64))
        else:
            matrix = finite_array(A, "A")
            if matrix.ndim != 2:
                raise ShapeError(
                    f"Expected a matrix A of shape (n, d) but got shape {matrix.shape}; "
                    "a single sample is a matrix with one row, [[...]]."
                )
        if 0 in matrix.shape:
            raise DataError(f"Expected at least one sample and one column but got {matrix.shape}.")
        targets = finite_array(y, "y")
        if targets.shape != (matrix.shape[0],):
            raise ShapeError(
                f"Expected y of shape ({matrix.shape[0]},), one target per row of A with shape "
                f"{matrix.shape}, but got shape {targets.shape}."
            )
        if isinstance(matrix, np.ndarray):
            matrix.setflags(write=False)
        targets.setflags(write=False)
        labels = tuple(names) if names is not None else ()
        if labels and len(labels) != matrix.shape[1]:
            raise ShapeError(f"Expected {matrix.shape[1]} names but got {len(labels)}.")
        object.__setattr__(self, "_given", (_exact_part(A), _exact_part(y)))
        object.__setattr__(self, "A", matrix)
        object.__setattr__(self, "y", targets)
        object.__setattr__(self, "names", labels)

    @property
    def given(self) -> tuple[Any, Any]:
        """A and y as they were given where they hold exact rationals, else as arrays of floats."""
        A, y = self._given
        return self.dense if A is None else A, self.y if y is None else y

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.A.shape[0])

    @property
    def d(self) -> int:
        """Number of columns, the length of x."""
        return int(self.A.shape[1])

    @cached_property
    def dense(self) -> Array:
        """A as an array, shape (n, d)."""
        if isinstance(self.A, np.ndarray):
            return self.A
        if isinstance(self.A, LinearOperator):
            # as many products as the shorter side has vectors
            if self.n <= self.d:
                return np.asarray(self.A.rmatmat(np.eye(self.n)), dtype=np.float64).T
            return np.asarray(self.A.matmat(np.eye(self.d)), dtype=np.float64)
        return np.asarray(self.A.toarray(), dtype=np.float64)

    @cached_property
    def matrix(self) -> Matrix:
        """A as an array where that takes little memory, else as it is: sparse, or an operator."""
        if isinstance(self.A, np.ndarray) or self.n * self.d <= _LARGEST_ARRAY:
            return self.dense
        return self.A

    def array(self, purpose: str) -> Array:
        """A as an array, for what cannot do with less.

        Raises
        ------
        DataError
            When the array would not fit into memory.
        """
        if self.n * self.d > _LARGEST_DENSE:
            raise DataError(
                f"Expected a matrix A with at most {_LARGEST_DENSE:,} entries for {purpose}, which "
                f"needs it as an array, but got shape ({self.n}, {self.d})."
            )
        return self.dense

    @cached_property
    def largest(self) -> float:
        """The largest |a_ij|; for an operator the length of the longest row."""
        if isinstance(self.matrix, LinearOperator):
            return float(np.sqrt(np.max(gram(self.matrix, np.ones(self.d)).diagonal())))
        return float(abs(self.matrix).max())

    @cached_property
    def _is_full(self) -> bool:
        """Whether the rows are independent by far; False where a closer look is needed."""
        return _independent_by_far(self.matrix)

    @cached_property
    def _directions(self) -> tuple[Array, Array]:
        """Left singular vectors and singular values, in decreasing order."""
        if isinstance(self.matrix, np.ndarray):
            u, s, _ = svd(self.matrix, full_matrices=False, check_finite=False)
            return u, s
        values, u = eigh(gram(self.matrix, np.ones(self.d)), check_finite=False)
        # what squaring leaves of a zero
        values = np.where(values > self.n * np.finfo(float).eps * values[-1], values, 0.0)
        return u[:, ::-1], np.sqrt(values[::-1])

    @property
    def rank(self) -> int:
        """Numerical rank of A: singular values above `max(n, d) * eps * s_max`."""
        if self._is_full:
            return self.n
        s = self._directions[1]
        return int(np.sum(s > max(self.n, self.d) * np.finfo(float).eps * s[0]))

    @cached_property
    def independent_rows(self) -> NDArray[np.intp]:
        """Samples whose rows of A are a basis of all rows, up to rounding."""
        return np.arange(self.n) if self._is_full else independent_rows(self.matrix)

    def predict(self, x: Array) -> Array:
        r"""$z = A x$, shapes (d,) or (d, m) to (n,) or (n, m)."""
        return np.asarray(self.A @ x, dtype=np.float64)

    def pull_back(self, r: Array) -> Array:
        r"""$A^T r$, shapes (n,) or (n, m) to (d,) or (d, m)."""
        if isinstance(self.A, LinearOperator):
            return np.asarray(self.A.rmatvec(r) if r.ndim == 1 else self.A.rmatmat(r))
        return np.asarray(self.A.T @ r, dtype=np.float64)

    def distance_to_range(self, z: ArrayLike) -> float:
        r"""Relative distance of z from the range of A, $\|z - A A^+ z\| / \|z\|$.

        Examples
        --------
        >>> Regression([[1.0], [1.0]], [0, 0]).distance_to_range([1.0, -1.0])
        1.0
        """
        z = np.asarray(z, dtype=np.float64)
        size = float(np.linalg.norm(z))
        if size == 0.0:
            return 0.0
        if self._is_full:
            return 0.0
        u = self._directions[0][:, : self.rank]
        rest = z - u @ (u.T @ z)
        return float(np.linalg.norm(rest - u @ (u.T @ rest)) / size)

    def is_consistent(self, z: ArrayLike, rtol: float = 1e-10) -> bool:
        """Whether A x = z has a solution, up to a relative distance `rtol`."""
        return self.distance_to_range(z) <= rtol


def independent_rows(A: Matrix) -> NDArray[np.intp]:
    """Rows that are a basis of all rows of a matrix, in increasing order.

    Examples
    --------
    >>> independent_rows(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])).tolist()
    [1, 2]
    """
    if isinstance(A, np.ndarray):
        triangle, pivots = qr(A.T, mode="r", pivoting=True, check_finite=False)
        size = np.abs(np.diagonal(triangle))
        rank = int(np.sum(size > max(A.shape) * np.finfo(float).eps * size[0]))
        return np.sort(pivots[:rank])
    product = gram(A, np.ones(A.shape[1]))
    scale = np.sqrt(np.where(product.diagonal() > 0, product.diagonal(), 1.0))
    tolerance = A.shape[0] * np.finfo(float).eps
    _, order, rank, _ = lapack.dpstrf(product / scale[:, None] / scale, tol=tolerance)
    return np.sort(order[:rank] - 1)


def _independent_by_far(A: Matrix) -> bool:
    r"""Whether Cholesky's factor of $AA^T$, rows scaled to length one, has no small pivot."""
    n, d = A.shape
    if n > d:
        return False
    product = gram(A, np.ones(d))
    if not np.all(product.diagonal() > 0):
        return False
    scale = 1.0 / np.sqrt(product.diagonal())
    factor, info = lapack.dpotrf(scale[:, None] * product * scale, lower=1)
    # the rounding errors of the product do not reach the square of this
    return bool(info == 0 and np.min(factor.diagonal()) > 1e-4)


def _exact_part(values: Any) -> Any:
    """Exact numbers of Python or SymPy as an array of objects; None for anything else."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return None
    if isinstance(values, LinearOperator) or sparse.issparse(values):
        return None
    array = np.array(values)
    return array if array.dtype.kind == "O" else None


def _require_real(array: Any, name: str) -> None:
    """Refuse text, objects and complex numbers."""
    kind = np.asarray(array).dtype.kind
    if kind not in "biuf":
        raise DataError(
            f"Expected real numbers in {name} but got dtype {np.asarray(array).dtype}; "
            "convert them to floats first."
        )


def finite_array(values: Any, name: str) -> Array:
    """Values as an array of finite floats.

    Raises
    ------
    ShapeError
        For rows of different lengths.
    DataError
        For entries that are not finite real numbers.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"Expected {name} with rows of equal length: {error}.") from error
    if array.dtype.kind == "O":
        for index, value in np.ndenumerate(array):
            if isinstance(value, bool | complex | str) or value is None:
                raise DataError(f"Expected numbers but got {name}{list(index)} = {value!r}.")
        try:
            # exact rationals of Python and SymPy
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"Expected real numbers in {name}: {error}.") from error
    _require_real(array, name)
    array = np.array(array, dtype=np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), array.shape))
        raise DataError(f"Expected finite entries but got {name}{list(index)} = {array[index]}.")
    return array
