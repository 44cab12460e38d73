r"""How far rounding in $\xi$ moves a limit point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator

from theory.numeric.block import Block
from theory.numeric.compile import Array
from theory.numeric.newton import DualSolution
from theory.numeric.normal_equations import Matrix, columns_of, rows_of

__all__ = ["SMALL", "TOLERATED", "quick_bound", "uncertainty_of"]

TOLERATED = 1e-6
"""The relative error of x by rounding that a success may have."""
SMALL = 1e-9
"""A bound of this error below which no sharper one is worth its time."""
_COLUMNS = 20_000
"""Columns that are eliminated at once."""


def quick_bound(speed: Array, radius: Array, noise: Array, x: Array) -> Array:
    r"""A bound of the relative error of x that needs no factorization; infinite where it is none.

    Errors $\delta$ of $\xi$ change x by $M^{1/2}(I - \Pi)M^{1/2}\delta$ with an orthogonal
    projection $\Pi$, to first order: $|\delta x_i| \le \sqrt{M_i}\,\|M^{1/2}\delta\|$.

    Parameters
    ----------
    speed, radius : ndarray, shape (..., d)
        As of `theory.numeric.block.Geometry`.
    noise : ndarray, shape (..., d)
    x : ndarray, shape (..., d)

    Returns
    -------
    bound : ndarray, shape (...)
    """
    with np.errstate(all="ignore"):
        total = np.sqrt(np.add.reduce((speed * noise) ** 2, axis=-1))
        straight = np.all(total[..., None] <= 1e-3 * speed * radius, axis=-1)
        bound = np.maximum.reduce(speed, axis=-1) * total / np.max(np.abs(x), axis=-1)
    return np.where(straight & np.isfinite(bound), bound, np.inf)


def uncertainty_of(
    A: Matrix,
    block: Block,
    solution: DualSolution,
    rows: NDArray[np.intp],
    *,
    quick: bool = True,
) -> float:
    r"""Relative error of x when each $\xi_i$ is off $\mathrm{range}(A^T)$ by rounding.

    The n coordinates that carry the samples adjust, $\delta x_B = -A_B^{-1}A_N\,\delta x_N$; the
    others move by $M\,\delta\xi$. It matters when more coordinates than samples are near a pole.
    Without `quick` the bound of `quick_bound` is not tried first.
    """
    lam = solution.multipliers
    if len(rows) < A.shape[0]:
        A, lam = rows_of(A, rows), lam[rows]
    n = len(rows)
    if A.shape[1] == n:
        return 0.0
    geometry = block.geometry(solution.theta)
    speed = geometry.speed
    noise = np.finfo(float).eps * np.abs(A.T @ lam)
    if not np.isfinite(speed).all():
        return np.inf
    if quick:
        bound = float(quick_bound(speed, geometry.radius, noise, solution.x))
        if bound <= SMALL:
            return bound
    basic, factor, exchanges = _basis(A, speed)
    if factor is None:
        return np.inf
    # an operator shows no other columns than those that were asked for
    if isinstance(A, LinearOperator):
        other = _important(A, speed)
    else:
        rest = np.ones(A.shape[1], dtype=bool)
        rest[basic] = False
        other = np.flatnonzero(rest)
    moved_basic = np.zeros(n)
    largest = 0.0
    for begin in range(0, len(other), _COLUMNS):
        some = other[begin : begin + _COLUMNS]
        C = np.abs(lapack.dgetrs(factor, exchanges, columns_of(A, some))[0])
        shift = noise[some] + C.T @ noise[basic]
        if np.any(shift > 1e-3 * geometry.radius[some]):
            # rounding alone carries this coordinate into or out of the competition
            return np.inf
        with np.errstate(over="ignore"):
            moved = speed[some] * (speed[some] * shift)
            moved_basic += C @ moved
        largest = max(largest, float(np.max(moved)))
    size = float(np.max(np.abs(solution.x)))
    worst = max(largest, float(np.max(moved_basic)))
    return worst / size if size > 0 else 0.0


def _basis(A: Matrix, speed: Array) -> tuple[NDArray[np.intp], Array | None, Array]:
    """Columns that move fast and are independent, with their LU factors; None if singular."""
    n = A.shape[0]
    candidates = np.arange(A.shape[1]) if isinstance(A, np.ndarray) else _important(A, speed)
    some = columns_of(A, candidates)
    # elimination with row exchanges picks them
    _, exchanges, _ = lapack.dgetrf((some * (speed[candidates] / np.max(speed))).T)
    order = list(range(len(candidates)))
    for i, j in enumerate(exchanges.tolist()):
        order[i], order[j] = order[j], order[i]
    factor, exchanges, singular = lapack.dgetrf(some[:, order[:n]])
    return candidates[order[:n]], None if singular else factor, exchanges


def _important(A: Matrix, speed: Array) -> NDArray[np.intp]:
    """The fastest columns, many more than there are rows."""
    count = min(A.shape[1], 5 * A.shape[0] + 100)
    return np.sort(np.argpartition(-speed, count - 1)[:count])
