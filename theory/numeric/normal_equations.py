r"""Solvers of $(A\,\mathrm{diag}(M)\,A^T)\,w = r$: a quick one, and one for weak directions.

A is an array, a sparse CSR array or a LinearOperator. Of the latter two nothing of the size n d is
ever held: only the n x n matrix, put together from products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import (
    LinAlgError,
    blas,
    cho_solve,
    cholesky,
    eigh,
    lapack,
    qr,
    solve_triangular,
)
from scipy.sparse.linalg import LinearOperator

from theory.numeric.compile import Array

__all__ = [
    "Matrix",
    "cholesky_solver",
    "columns_of",
    "gram",
    "magnitude",
    "normal_equations",
    "rows_of",
]

Matrix: TypeAlias = Any
"""ndarray, sparse.csr_array or LinearOperator, of shape (n, d)."""
# columns of the identity that go through an operator at once
_BLOCK = 16


def gram(A: Matrix, metric: Array) -> Array:
    r"""$A\,\mathrm{diag}(M)\,A^T$, shape (n, n), for $M \ge 0$ of shape (d,).

    Examples
    --------
    >>> gram(np.array([[1.0, 2.0]]), np.array([1.0, 0.25])).tolist()
    [[2.0]]
    """
    if isinstance(A, np.ndarray):
        with np.errstate(under="ignore"):
            B = A * np.sqrt(metric)
        # B.T is a view in Fortran's order, so nothing is copied
        upper = blas.dsyrk(1.0, B.T, trans=1, lower=0)
        return np.asarray(np.triu(upper) + np.triu(upper, 1).T)
    if isinstance(A, LinearOperator):
        n = A.shape[0]
        out = np.empty((n, n))
        for begin in range(0, n, _BLOCK):
            unit = np.eye(n)[:, begin : begin + _BLOCK]
            out[:, begin : begin + _BLOCK] = A.matmat(metric[:, None] * A.rmatmat(unit))
        return 0.5 * (out + out.T)
    B = A.copy()
    B.data *= np.sqrt(metric)[B.indices]
    return np.asarray((B @ B.T).toarray())


def magnitude(A: Matrix, x: Array) -> Array:
    r"""$|A||x|$, shape (n,): what the rounding errors of $Ax$ are relative to.

    The entries of an operator are not known; zero stands for them, a stricter measure.
    """
    if isinstance(A, LinearOperator):
        return np.zeros(A.shape[0])
    return np.asarray(abs(A) @ np.abs(x))


def rows_of(A: Matrix, rows: NDArray[np.intp]) -> Matrix:
    """The matrix of some of the rows, of the same kind."""
    if not isinstance(A, LinearOperator):
        return A[rows]

    def spread(r: Array) -> Array:
        out = np.zeros((A.shape[0], *r.shape[1:]))
        out[rows] = r
        return out

    return LinearOperator(
        (len(rows), A.shape[1]),
        matvec=lambda x: A.matvec(x)[rows],
        rmatvec=lambda r: A.rmatvec(spread(r)),
        matmat=lambda X: A.matmat(X)[rows],
        rmatmat=lambda R: A.rmatmat(spread(R)),
        dtype=np.float64,
    )


def columns_of(A: Matrix, columns: NDArray[np.intp]) -> Array:
    """Some of the columns as an array, shape (n, len(columns))."""
    if isinstance(A, np.ndarray):
        return A[:, columns]
    if not isinstance(A, LinearOperator):
        return np.asarray(A[:, columns].toarray())
    blocks = []
    for begin in range(0, len(columns), _BLOCK):
        some = columns[begin : begin + _BLOCK]
        unit = np.zeros((A.shape[1], len(some)))
        unit[some, np.arange(len(some))] = 1.0
        blocks.append(A.matmat(unit))
    return np.concatenate(blocks, axis=1) if blocks else np.empty((A.shape[0], 0))


def cholesky_solver(A: Matrix, metric: Array) -> Callable[[Array], Array] | None:
    r"""Solver by one symmetric product and one Cholesky factor; None when they break down.

    Parameters
    ----------
    A : matrix, shape (n, d)
    metric : ndarray, shape (d,)
        $M \ge 0$.

    Examples
    --------
    >>> solve = cholesky_solver(np.array([[1.0, 2.0]]), np.array([1.0, 0.25]))
    >>> solve(np.array([4.0])).round(12).tolist()
    [2.0]
    """
    top = float(np.maximum.reduce(metric))
    if not 0 < top < math.inf:
        return None
    if isinstance(A, np.ndarray):
        with np.errstate(under="ignore"):
            B = A * np.sqrt(metric / top)
        # the upper triangle is all that is read
        product = blas.dsyrk(1.0, B.T, trans=1, lower=0)
    else:
        product = gram(A, metric / top)
    diagonal = product.diagonal()
    if not np.minimum.reduce(diagonal) > 1e-250:
        return None
    scale = 1.0 / np.sqrt(diagonal)
    product *= scale[:, None]
    product *= scale
    ridge = 0.0
    while True:
        factor, info = lapack.dpotrf(product, lower=0)
        if info == 0:
            break
        # rounding has made it indefinite; the direction matters, not its last digits
        ridge = max(1e-16, 100 * ridge)
        if ridge > 1e-8:
            return None
        product[np.diag_indices(len(product))] += ridge

    def solve(r: Array) -> Array:
        w, _ = lapack.dpotrs(factor, scale * r, lower=0)
        return np.asarray(scale * w / top)

    return solve


def normal_equations(A: Matrix, speed: Array) -> tuple[Callable[[Array], Array], float]:
    r"""Solver w of $(B B^T) w = r$ with $B = A\,\mathrm{diag}(g/\gamma)$, and $\gamma = \max g$.

    The Hessian is $\gamma^2 B B^T$; the two factors $\gamma$ stay apart because $\gamma^2$ may
    underflow.
    """
    gamma = float(np.max(speed))
    if not isinstance(A, np.ndarray):
        return _from_gram(A, speed / gamma), gamma
    B = A * (speed / gamma)
    rows = np.max(np.abs(B), axis=1)
    rows = np.where(rows > 0, rows, 1.0)
    B = B / rows[:, None]
    by_cholesky = _factored(B @ B.T, rows, least=1e-6)
    if by_cholesky is not None:
        return by_cholesky, gamma
    return _by_qr(B, rows), gamma


def _factored(product: Array, rows: Array, least: float) -> Callable[[Array], Array] | None:
    """By Cholesky, unless a pivot is smaller than `least` of the largest."""
    diagonal = np.sqrt(product.diagonal())
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    try:
        factor = cholesky(product / diagonal[:, None] / diagonal, lower=True, check_finite=False)
    except LinAlgError:
        return None
    if np.min(factor.diagonal()) < least:
        return None
    scale = rows * diagonal

    def solve(r: Array) -> Array:
        return np.asarray(cho_solve((factor, True), r / scale, check_finite=False)) / scale

    return solve


def _by_qr(B: Array, rows: Array) -> Callable[[Array], Array]:
    """QR of B^T works with the root of the condition number."""
    n = B.shape[0]
    order = np.argsort(-np.max(np.abs(B), axis=0), kind="stable")
    (triangle, pivots) = qr(B.T[order], mode="r", pivoting=True, check_finite=False)
    triangle = np.array(triangle[:n])
    # a residual is known to eps only, so weaker directions hold nothing but rounding
    floor = 1e-8 * abs(triangle[0, 0])
    small = np.abs(triangle.diagonal()) < floor
    triangle[np.diag_indices(n)] = np.where(small, floor, triangle.diagonal())

    def solve(r: Array) -> Array:
        w = np.empty(n)
        half = solve_triangular(triangle, (r / rows)[pivots], trans="T", check_finite=False)
        w[pivots] = solve_triangular(triangle, half, check_finite=False)
        return w / rows

    return solve


def _from_gram(A: Matrix, speed: Array) -> Callable[[Array], Array]:
    """Where the columns are too many for an orthogonal factor: eigenvalues, cut at rounding."""
    product = gram(A, speed * speed)
    scale = np.sqrt(product.diagonal())
    scale = np.where(scale > 0, scale, 1.0)
    by_cholesky = _factored(product / scale[:, None] / scale, scale, least=1e-6)
    if by_cholesky is not None:
        return by_cholesky
    values, vectors = eigh(product / scale[:, None] / scale, check_finite=False)
    values = np.maximum(values, len(values) * np.finfo(float).eps * values[-1])

    def solve(r: Array) -> Array:
        return np.asarray(vectors @ ((vectors.T @ (r / scale)) / values)) / scale

    return solve
