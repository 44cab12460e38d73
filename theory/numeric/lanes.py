r"""Many small autonomous ODEs at once, each with its own step size and its own end.

The curves of the coordinates are independent; one common step size would make the steepest of them
pay for all. Every lane runs the pair DOP853 with an error measured relative to each component.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

from theory.numeric.compile import Array

__all__ = ["LaneResult", "LaneStep", "integrate_lanes", "one_step"]

_STAGES = int(DOP853.n_stages)
_A = np.asarray(DOP853.A)[:_STAGES, :_STAGES]
_B = np.asarray(DOP853.B)
_E3 = np.asarray(DOP853.E3)
_E5 = np.asarray(DOP853.E5)
_A_EXTRA = np.asarray(DOP853.A_EXTRA)
_D = np.asarray(DOP853.D)
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


class LaneStep:
    r"""One accepted step of some of the lanes, with its interpolant.

    Parameters
    ----------
    lanes : ndarray of int, shape (m',)
    begin, length : ndarray, shape (m',)
        Where the step begins, and its signed length.
    y_old, y_new : ndarray, shape (k, m')
    """

    def __init__(
        self,
        lanes: NDArray[np.intp],
        begin: Array,
        length: Array,
        y_old: Array,
        y_new: Array,
        stages: Array,
        field: Callable[[Array, np.ndarray], Array],
    ) -> None:
        self.lanes, self.begin, self.length = lanes, begin, length
        self.y_old, self.y_new = y_old, y_new
        self._stages, self._field = stages, field

    @cached_property
    def _coefficients(self) -> Array:
        shape, h = self.y_old.shape, self.length
        k = np.empty((len(_D[0]), *shape))
        k[: _STAGES + 1] = self._stages
        with np.errstate(all="ignore"):
            for s, row in enumerate(_A_EXTRA, start=_STAGES + 1):
                inner = np.tensordot(row[:s], k[:s], axes=1)
                k[s] = self._field(self.y_old + h * inner, self.lanes)
            change = self.y_new - self.y_old
            out = np.empty((3 + len(_D), *shape))
            out[0] = change
            out[1] = h * k[0] - change
            out[2] = 2 * change - h * (k[_STAGES] + k[0])
            out[3:] = h * np.tensordot(_D, k, axes=1)
        return out

    def at(self, which: NDArray[np.intp], share: Array) -> Array:
        """States of the lanes ``lanes[which]`` at shares of the step, shape (k, len(which))."""
        y = np.zeros((self.y_old.shape[0], len(which)))
        for i, row in enumerate(reversed(self._coefficients[:, :, which])):
            y = (y + row) * (share if i % 2 == 0 else 1 - share)
        return y + self.y_old[:, which]


def one_step(field: Callable[[Array], Array], y: Array, length: Array) -> Array:
    """One step of every lane without error control, shape (k, m) as y; length of shape (m,).

    Examples
    --------
    >>> end = one_step(lambda y: y, np.ones((1, 2)), np.array([0.1, -0.1]))
    >>> np.allclose(end, np.exp([[0.1, -0.1]]), rtol=1e-13)
    True
    """
    k = np.empty((_STAGES, y.size))
    k[0] = field(y).ravel()
    for s in range(1, _STAGES):
        k[s] = field(y + length * (_A[s, :s] @ k[:s]).reshape(y.shape)).ravel()
    return np.asarray(y + length * (_B @ k).reshape(y.shape))


def integrate_lanes(
    field: Callable[[Array, np.ndarray], Array],
    y0: Array,
    length: Array,
    first: Array,
    *,
    rtol: float = 1e-12,
    atol: float = 0.0,
    mean: bool = False,
    max_steps: int = 20_000,
    finest: float = 0.0,
    observe: Callable[[LaneStep], np.ndarray] | None = None,
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
        Error of a step relative to each component.
    atol : float
        Absolute tolerance; none unless given, because a component may start at 1e-100.
    mean : bool
        Whether the tolerance is for the root mean square over the components, as in SciPy, and not
        for the worst of them.
    max_steps : int
        Budget of a lane; a lane that exceeds it counts as outside.
    finest : float
        When positive: stop all lanes as soon as one needs steps below this share of its length,
        for callers who have no use for an end that close to a pole.
    observe : callable, optional
        Called with the accepted steps of each round; lanes where it returns True end there.

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
    rejected = np.zeros(live.size, dtype=bool)
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
            scale = rtol * np.maximum(np.maximum(np.abs(y_old), np.abs(y_new)), _TINY) + atol
            e5 = np.abs(h * (_E5 @ k).reshape(shape)) / scale
            e3 = np.abs(h * (_E3 @ k).reshape(shape)) / scale
            if mean:
                e5, e3 = (np.sqrt(np.mean(e * e, axis=0, keepdims=True)) for e in (e5, e3))
            ratio = np.where(e5 > 0, e5 / np.hypot(e5, 0.1 * e3), 0.0)
            error = np.max(e5 * ratio, axis=0)
            fine = np.all(np.isfinite(f_new), axis=0) & np.all(np.abs(y_new) < _HUGE, axis=0)
            accepted = fine & (error < 1)
            factor = np.where(
                np.isfinite(error), np.clip(0.9 * np.maximum(error, 1e-16) ** -0.125, 0.2, 6), 0.2
            )
        # no growth right after a rejection: the step is at the limit of stability, or close to it
        factor = np.where(accepted, np.where(rejected, np.minimum(factor, 1.0), factor), factor)
        factor = np.where(accepted, factor, np.minimum(factor, 0.5))
        rejected = ~accepted
        f = np.where(accepted, f_new, f)
        y[:, live] = np.where(accepted, y_new, y_old)
        stopped = np.zeros(live.size, dtype=bool)
        if observe is not None and accepted.any():
            some = np.flatnonzero(accepted)
            stages = k.reshape(_STAGES + 1, *shape)
            if len(some) < live.size:
                stages = stages[:, :, some]
            stopped[some] = observe(
                LaneStep(
                    live[some],
                    done[live[some]] * sign[live[some]],
                    h[some],
                    y_old[:, some],
                    y_new[:, some],
                    stages,
                    field,
                )
            )
        done[live] += np.where(accepted, step[live], 0.0)
        left = total[live] - done[live]
        finished = (accepted & (left <= 0)) | stopped
        total[live[stopped]] = done[live[stopped]]
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
        live, f, rejected = live[keep], f[:, keep], rejected[keep]
    inside[live] = False
    done = np.where(inside, total, done)
    return LaneResult(y, done * sign, inside)
