r"""Minimizers of a convex loss over a box: where the flow goes when the target is out of reach.

The predictor $x_i$ stays within the range J of its curve. When no x in $J^d$ interpolates, the flow
of a convex $\mathcal{Q}$ goes to the minimizers of $\mathcal{Q}(Ax)$ over the closure of $J^d$.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from theory.errors import InfeasibleTarget
from theory.numeric.compile import Array
from theory.numeric.objective import Objective

__all__ = ["BoxMinimum", "minimize_over_box"]


@dataclass(frozen=True)
class BoxMinimum:
    """The best predictions over the box.

    Parameters
    ----------
    z : ndarray, shape (n,)
        The minimizing predictor A x; unique when the loss is strictly convex.
    x : ndarray, shape (d,)
        One minimizer.
    lower, upper : ndarray of bool, shape (d,)
        Coordinates that every minimizer has at this end of the box.
    loss : float
    """

    z: Array
    x: Array
    lower: np.ndarray
    upper: np.ndarray
    loss: float


def minimize_over_box(A: Array, objective: Objective, low: Array, high: Array) -> BoxMinimum:
    r"""Minimize $\mathcal{Q}(Ax)$ over $l \le x \le u$ by bounded Newton steps.

    Raises
    ------
    InfeasibleTarget
        When the loss is not convex on the predictions that the box allows, or the iteration does
        not end at a point that satisfies the optimality conditions.

    Examples
    --------
    >>> from theory.flow.gradient_flow import FlowModel
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.numeric.objective import compile_objective
    >>> A, y = np.array([[1, 0.5, 0], [0, 1, 1]]), np.array([3, 0.5])
    >>> objective = compile_objective(FlowModel(Elementwise("sin(u)", "u")), y)
    >>> best = minimize_over_box(A, objective, np.full(3, -1.0), np.full(3, 1.0))
    >>> best.z.round(10).tolist(), round(best.loss, 10)
    ([1.5, 0.5], 1.125)
    """
    _require_convex(A, objective, low, high)
    x = np.clip(np.zeros(A.shape[1]), low, high)
    size = np.abs(A).T @ np.abs(objective.slope(A @ x)) + 1e-300
    free = ~(np.isfinite(low) | np.isfinite(high))
    for _ in range(200):
        z = A @ x
        slope = objective.slope(z)
        gradient = A.T @ slope
        size = np.maximum(size, np.abs(A).T @ np.abs(slope))
        violation = np.abs(x - np.clip(x - gradient, low, high))
        if np.max(np.where(free, np.abs(gradient), violation) / size) < 1e-14:
            break
        curvature = objective.curvature(z)
        root = np.sqrt(np.maximum(curvature, 1e-8 * max(float(np.max(curvature)), 1e-300)))
        step = lsq_linear(
            root[:, None] * A, root * z - slope / root, (low, high), method="bvls", tol=1e-15
        )
        direction = step.x - x
        t, before = 1.0, float(objective.value(z))
        descent = float(gradient @ direction)
        if descent >= 0:
            break
        while t > 1e-12:
            after = float(objective.value(A @ (x + t * direction)))
            if np.isfinite(after) and after <= before + 1e-4 * t * descent:
                break
            t /= 2
        else:
            break
        moved = t * np.max(np.abs(direction))
        x = np.clip(x + t * direction, low, high)
        if moved <= 1e-15 * (1 + np.max(np.abs(x))):
            break
    z = A @ x
    gradient = A.T @ objective.slope(z)
    forced_low, forced_high = gradient > 1e-9 * size, gradient < -1e-9 * size
    wrong = (forced_low & (x > low)) | (forced_high & (x < high))
    near = 1e-9 * (1 + np.abs(x))
    wrong &= ~((forced_low & (x - low <= near)) | (forced_high & (high - x <= near)))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise InfeasibleTarget(
            "No x within reach interpolates, and the nearest predictions could not be certified: "
            f"at coordinate {i}, x = {x[i]:.6g} in [{low[i]:.6g}, {high[i]:.6g}], the derivative "
            f"of the loss is {gradient[i]:.3e}."
        )
    return BoxMinimum(z, x, forced_low, forced_high, float(objective.value(z)))


def _require_convex(A: Array, objective: Objective, low: Array, high: Array) -> None:
    # z ranges over an interval per sample; an unbounded one is sampled around the targets
    with np.errstate(invalid="ignore"):
        ends = np.stack([np.where(A != 0, A * low, 0.0), np.where(A != 0, A * high, 0.0)])
    bottom, top = ends.min(axis=0).sum(axis=1), ends.max(axis=0).sum(axis=1)
    wide = 50.0 * (1.0 + np.abs(objective.y))
    bottom, top = np.maximum(bottom, -wide), np.minimum(top, wide)
    grid = np.linspace(0.0, 1.0, 257)
    z = bottom[:, None] + (top - bottom)[:, None] * grid
    curvature = objective.curvature(z)
    scale = np.nanmax(np.abs(curvature), initial=1e-300)
    if np.nanmin(curvature) < -1e-10 * scale:
        i, j = np.unravel_index(int(np.nanargmin(curvature)), curvature.shape)
        raise InfeasibleTarget(
            "No x within reach interpolates, and the loss is not convex in the predictor (second "
            f"derivative {curvature[i, j]:.3g} at z[{i}] = {z[i, j]:.6g}), so the limit is not "
            "determined by the start alone; integrate the flow instead."
        )
