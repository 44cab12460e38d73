r"""Many small autonomous ODEs at once, each with its own step size and its own end.

The curves of the coordinates are independent; one common step size would make the steepest of them
pay for all. Every lane runs the pair DOP853 with an error measured relative to each component.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import DOP853

from theory.numeric.compile import Array

__all__ = ["LaneResult", "integrate_lanes"]

_STAGES = int(DOP853.n_stages)
_A = np.asarray(DOP853.A)[:_STAGES, :_STAGES]
_B = np.asarray(DOP853.B)
_E3 = np.asarray(DOP853.E3)
_E5 = np.asarray(DOP853.E5)
# beyond this size a component counts as blown up
_HUGE = 1e150
# below this size a component has no relative accuracy left to keep
_TINY = 1e-280


@dataclass(frozen=True)
class LaneResult:
    """End of every lane.

    Parameters
    ----------
    y : ndarray, shape (k, m)
        State at the end, or at the last point that was reached.
    reached : ndarray, shape (m,)
        How far the lane came; equal to the asked length where it is inside of the domain.
    inside : ndarray of bool, shape (m,)
        False where the solution does not exist up to the asked length.
    """

    y: Array
    reached: Array
    inside: np.ndarray


def integrate_lanes(
    field: Callable[[Array, np.ndarray], Array],
    y0: Array,
    length: Array,
    first: Array,
    *,
    rtol: float = 1e-12,
    max_steps: int = 20_000,
    finest: float = 0.0,
) -> LaneResult:
    r"""Integrate $y' = f(y)$ from $y_0$ over a signed length of its own in every lane.

    Parameters
    ----------
    field : callable
        ``field(y, lanes)`` with y of shape (k, m') and the indices of these lanes, returns (k, m');
        NaN marks a point outside of the domain.
    y0 : ndarray, shape (k, m)
    length : ndarray, shape (m,)
    first : ndarray, shape (m,)
        Positive guess of the first step of every lane.
    rtol : float
        Error of a step relative to each component; there is no absolute tolerance, because a
        component may start at 1e-100.
    max_steps : int
        Budget of a lane; a lane that exceeds it counts as outside.
    finest : float
        When positive: stop all lanes as soon as one needs steps below this share of its length,
        for callers who have no use for an end that close to a pole.

    Examples
    --------
    >>> import numpy as np
    >>> end = integrate_lanes(
    ...     lambda y, lanes: y**2, np.ones((1, 2)), np.array([0.5, 2.0]), np.full(2, 0.1)
    ... )
    >>> end.inside.tolist(), end.reached.round(9).tolist()
    ([True, False], [0.5, 1.0])
    """
    y = np.array(y0, dtype=np.float64)
    m = y.shape[1]
    done = np.zeros(m)
    inside = np.ones(m, dtype=bool)
    sign = np.sign(length)
    total = np.abs(length)
    step = np.minimum(first, total)
    live = np.flatnonzero(total > 0)
    f = field(y[:, live], live) if live.size else np.empty((y.shape[0], 0))
    for _ in range(max_steps):
        if live.size == 0:
            break
        h = step[live] * sign[live]
        y_old = y[:, live]
        # stages are rows: a product of a row of coefficients with them is one call of BLAS
        shape = y_old.shape
        k = np.empty((_STAGES + 1, y_old.size))
        k[0] = f.ravel()
        with np.errstate(all="ignore"):
            for s in range(1, _STAGES):
                k[s] = field(y_old + h * (_A[s, :s] @ k[:s]).reshape(shape), live).ravel()
            y_new = y_old + h * (_B @ k[:_STAGES]).reshape(shape)
            f_new = field(y_new, live)
            k[_STAGES] = f_new.ravel()
            scale = rtol * np.maximum(np.maximum(np.abs(y_old), np.abs(y_new)), _TINY)
            e5 = np.abs(h * (_E5 @ k).reshape(shape)) / scale
            e3 = np.abs(h * (_E3 @ k).reshape(shape)) / scale
            ratio = np.where(e5 > 0, e5 / np.hypot(e5, 0.1 * e3), 0.0)
            error = np.max(e5 * ratio, axis=0)
            fine = np.all(np.isfinite(f_new), axis=0) & np.all(np.abs(y_new) < _HUGE, axis=0)
            accepted = fine & (error < 1)
            factor = np.where(
                np.isfinite(error), np.clip(0.9 * np.maximum(error, 1e-16) ** -0.125, 0.2, 6), 0.2
            )
        factor = np.where(accepted, factor, np.minimum(factor, 0.5))
        f = np.where(accepted, f_new, f)
        y[:, live] = np.where(accepted, y_new, y_old)
        done[live] += np.where(accepted, step[live], 0.0)
        left = total[live] - done[live]
        finished = accepted & (left <= 0)
        step[live] *= factor
        # a last step that is a rounding error long would never end
        close = step[live] >= left * (1 - 1e-12)
        step[live] = np.where(close, left, step[live])
        stuck = ~finished & ((done[live] + step[live] == done[live]) | (step[live] < 1e-300))
        if finest > 0:
            stuck |= ~finished & (factor < 1) & (step[live] < finest * total[live])
        inside[live[stuck]] = False
        if finest > 0 and stuck.any():
            break
        keep = ~(finished | stuck)
        live, f = live[keep], f[:, keep]
    inside[live] = False
    done = np.where(inside, total, done)
    return LaneResult(y, done * sign, inside)
