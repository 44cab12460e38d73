r"""Interpolators that the limit of a flow is compared with: smallest $\ell_2$ and $\ell_1$ norm."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from theory.errors import DataError
from theory.numeric.compile import Array
from theory.numeric.problem import Regression

__all__ = ["minimum_l1", "minimum_l2"]


def minimum_l2(problem: Regression, target: ArrayLike | None = None) -> Array:
    r"""The x of least Euclidean norm among the minimizers of $\|Ax - z\|$; z is y unless given.

    Examples
    --------
    >>> minimum_l2(Regression([[1.0, 2.0, 2.0]], [9.0])).round(10).tolist()
    [1.0, 2.0, 2.0]
    """
    z = problem.y if target is None else np.asarray(target, dtype=np.float64)
    return np.asarray(np.linalg.lstsq(problem.dense, z, rcond=None)[0])


def minimum_l1(problem: Regression, target: ArrayLike | None = None) -> Array:
    r"""The x of least $\ell_1$ norm with $Ax = z$, by linear programming; z is y unless given.

    Raises
    ------
    DataError
        When no x interpolates.

    Examples
    --------
    >>> minimum_l1(Regression([[1.0, 2.0, 3.0]], [9.0])).round(10).tolist()
    [0.0, 0.0, 3.0]
    """
    z = problem.y if target is None else np.asarray(target, dtype=np.float64)
    A, d = problem.dense, problem.d
    # x = p - q with p, q >= 0; the rows are scaled, which the solver's tolerances assume
    scale = np.maximum(np.abs(A).max(axis=1), np.finfo(float).tiny)
    A, z = A / scale[:, None], z / scale
    found = linprog(
        np.ones(2 * d), A_eq=np.hstack([A, -A]), b_eq=z, bounds=(0, None), method="highs"
    )
    if found.x is None:
        raise DataError(f"No x interpolates the target ({found.message}).")
    return np.asarray(found.x[:d] - found.x[d:])
