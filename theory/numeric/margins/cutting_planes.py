r"""The largest margin in any norm, by cuts $\langle s, w\rangle \le 1$ with $\|s\|_* \le 1$."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

from theory.numeric.compile import Array

if TYPE_CHECKING:
    from theory.numeric.margins.geometry import Geometry

__all__ = ["cutting_planes"]

_ROUNDS = 500


def cutting_planes(
    Z: Array, start: Array, shape: Geometry, polar: Geometry, tol: float
) -> tuple[Array, Array]:
    r"""A direction w, and multipliers of the rows.

    The unit ball is cut out of a box by half-spaces that touch it, where the last w was outside:
    $\langle s, w\rangle \le 1$ with s a subgradient of the norm. Each linear program bounds the
    margin from above, and each w from below. `polar` is the dual norm, whose steepest directions
    are subgradients of the norm.

    Examples
    --------
    >>> from theory.numeric.margins.geometry import power_geometry
    >>> ball, polar = power_geometry(3.0), power_geometry(1.5)
    >>> w, _ = cutting_planes(np.eye(2), np.array([1.0, 0.5]), ball, polar, 1e-9)
    >>> (w / w[0]).round(3).tolist()
    [1.0, 1.0]
    """
    n, d = Z.shape
    # of the unit ball, the box that it fits in: |w_j| <= ||e_j||_*
    box = np.array([shape.dual(e) for e in np.eye(d)])
    cuts = [polar.steepest(start)[0]]
    objective = np.zeros(d + 1)
    objective[-1] = -1.0
    rows = np.hstack([-Z, np.ones((n, 1))])
    bounds = [(-b, b) for b in box] + [(None, None)]
    best, low, multipliers = start, -np.inf, np.ones(n)
    for _ in range(_ROUNDS):
        planes = np.hstack([np.array(cuts), np.zeros((len(cuts), 1))])
        found = linprog(
            objective, A_ub=np.vstack([rows, planes]),
            b_ub=np.concatenate([np.zeros(n), np.ones(len(cuts))]), bounds=bounds, method="highs",
        )  # fmt: skip
        if found.x is None:
            break
        w = found.x[:d]
        size = shape.value(w)
        margin = float((Z @ w).min()) / size
        if margin > low:
            low, best = margin, w / size
            multipliers = np.maximum(-found.ineqlin.marginals[:n], 0.0)
        if float(found.x[-1]) - low <= 0.1 * tol * abs(low):
            multipliers = np.maximum(-found.ineqlin.marginals[:n], 0.0)
            break
        cuts.append(polar.steepest(w)[0])
    return best, multipliers
