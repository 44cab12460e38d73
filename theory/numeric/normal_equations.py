r"""Solvers of $(A\,\mathrm{diag}(M)\,A^T)\,w = r$: a quick one, and one for weak directions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import (
    LinAlgError,
    blas,
    cho_solve,
    cholesky,
    lapack,
    qr,
    solve_triangular,
)

from theory.numeric.compile import Array

__all__ = ["cholesky_solver", "normal_equations"]


def cholesky_solver(A: Array, metric: Array) -> Callable[[Array], Array] | None:
    r"""Solver by one symmetric product and one Cholesky factor; None when they break down.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    metric : ndarray, shape (d,)
        $M \ge 0$.

    Examples
    --------
    >>> solve = cholesky_solver(np.array([[1.0, 2.0]]), np.array([1.0, 0.25]))
    >>> solve(np.array([4.0])).round(12).tolist()
    [2.0]
    """
    top = float(metric.max())
    if not (math.isfinite(top) and top > 0):
        return None
    with np.errstate(under="ignore"):
        B = A * np.sqrt(metric / top)
    # B.T is a view in Fortran's order, so nothing is copied
    gram = blas.dsyrk(1.0, B.T, trans=1, lower=0)
    diagonal = gram.diagonal()
    if not diagonal.min() > 1e-250:
        return None
    scale = 1.0 / np.sqrt(diagonal)
    gram *= scale[:, None]
    gram *= scale
    ridge = 0.0
    while True:
        factor, info = lapack.dpotrf(gram, lower=0)
        if info == 0:
            break
        # rounding has made it indefinite; the direction matters, not its last digits
        ridge = max(1e-16, 100 * ridge)
        if ridge > 1e-8:
            return None
        gram[np.diag_indices(len(gram))] += ridge

    def solve(r: Array) -> Array:
        w, _ = lapack.dpotrs(factor, scale * r, lower=0)
        return np.asarray(scale * w / top)

    return solve


def normal_equations(A: Array, speed: Array) -> tuple[Callable[[Array], Array], float]:
    r"""Solver w of $(B B^T) w = r$ with $B = A\,\mathrm{diag}(g/\gamma)$, and $\gamma = \max g$.

    The Hessian is $\gamma^2 B B^T$; the two factors $\gamma$ stay apart because $\gamma^2$ may
    underflow.
    """
    gamma = float(np.max(speed))
    B = A * (speed / gamma)
    rows = np.max(np.abs(B), axis=1)
    rows = np.where(rows > 0, rows, 1.0)
    B = B / rows[:, None]
    gram = B @ B.T
    diagonal = np.sqrt(gram.diagonal())
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    gram = gram / diagonal[:, None] / diagonal
    try:
        factor = cholesky(gram, lower=True, check_finite=False)
        if np.min(factor.diagonal()) < 1e-6:
            raise LinAlgError("nearly singular")
        scale = rows * diagonal

        def by_cholesky(r: Array) -> Array:
            return np.asarray(cho_solve((factor, True), r / scale, check_finite=False)) / scale

        return by_cholesky, gamma
    except LinAlgError:
        # QR of B^T works with the root of the condition number
        order = np.argsort(-np.max(np.abs(B), axis=0), kind="stable")
        (triangle, pivots) = qr(B.T[order], mode="r", pivoting=True, check_finite=False)
        n = A.shape[0]
        triangle = np.array(triangle[:n])
        # a residual is known to eps only, so weaker directions hold nothing but rounding
        floor = 1e-8 * abs(triangle[0, 0])
        small = np.abs(triangle.diagonal()) < floor
        triangle[np.diag_indices(n)] = np.where(small, floor, triangle.diagonal())

        def by_qr(r: Array) -> Array:
            w = np.empty(n)
            half = solve_triangular(triangle, (r / rows)[pivots], trans="T", check_finite=False)
            w[pivots] = solve_triangular(triangle, half, check_finite=False)
            return w / rows

        return by_qr, gamma
