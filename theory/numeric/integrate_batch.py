r"""The flows of all members of a batch in one integration, each with its own steps.

Every member is a lane of `integrate_lanes`: products with A are matrix products, so that a
right-hand side costs Python's overhead once and not once a member.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import DomainError, InfeasibleTarget
from theory.flow.gradient_flow import FlowModel
from theory.numeric.batch import Batch, read_members
from theory.numeric.block import Block
from theory.numeric.compile import Array
from theory.numeric.lanes import LaneStep, integrate_lanes
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.prepared import read_time_span
from theory.numeric.start import Start

__all__ = ["BatchResult", "integrate_batch"]

_BISECTIONS = 50


@dataclass(frozen=True, eq=False)
class BatchResult:
    r"""The trajectories of m members.

    Parameters
    ----------
    t : ndarray, shape (nt,)
        The times of `t_eval`; the two ends of the time span without it.
    theta : ndarray, shape (m, k, d, nt)
        NaN after the end of a member.
    x : ndarray, shape (m, d, nt)
    end : ndarray, shape (m, d)
        x at the last time of every member.
    t_end : ndarray, shape (m,)
    loss : ndarray, shape (m,)
        Summed over samples, at the end.
    t_interpolation : ndarray, shape (m,)
        When the relative residual passed `tol`; NaN where it did not.
    success : ndarray of bool, shape (m,)
    message : tuple of str
        One for each member.
    steps : ndarray of int, shape (m,)
        Accepted steps.
    """

    t: Array
    theta: Array
    x: Array
    end: Array
    t_end: Array
    loss: Array
    t_interpolation: Array
    success: np.ndarray
    message: tuple[str, ...]
    steps: NDArray[np.intp]


def integrate_batch(
    model: FlowModel,
    batch: Batch,
    start: Start,
    t: float | tuple[float, float] | None = None,
    *,
    rtol: float = 1e-8,
    atol: float | None = None,
    tol: float = 1e-8,
    t_eval: ArrayLike | None = None,
    max_steps: int = 100_000,
    max_seconds: float = 60.0,
) -> BatchResult:
    r"""Integrate the flow of every member from its start.

    Parameters
    ----------
    model : FlowModel
    batch : Batch
    start : mapping from parameter to value
        A number, an array of shape (d,), or of shape (m, d) or (m, 1).
    t : float, pair of floats or None
        As for `integrate`; None runs every member until it interpolates.
    rtol : float
        Relative tolerance of a step, of the pair DOP853; at most 1e-6.
    atol : float, optional
        ``1e-3 * rtol * min |theta0|`` over the nonzero start values unless given.
    tol : float
        Relative residual that counts as interpolation.
    t_eval : array_like, optional
        Increasing times of the output, within the time span.
    max_steps, max_seconds
        Budgets of a member, and of all; a member that exceeds one has ``success`` False.

    Raises
    ------
    DomainError
        For an empty time span, tolerances out of range, and times outside of the span.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2 - v**2", "u, v"))
    >>> batch = Batch([[1.0, 2.0]], [[1.0], [-1.0]])
    >>> runs = integrate_batch(model, batch, {"u": 0.1, "v": 0.1})
    >>> runs.end.round(4).tolist(), runs.success.tolist()
    ([[0.0669, 0.4666], [-0.0669, -0.4666]], [True, True])
    """
    t0, t1 = read_time_span(t)
    if not 3e-14 <= rtol <= 1e-6:
        raise DomainError(f"Expected 3e-14 <= rtol <= 1e-6 but got rtol = {rtol!r}.")
    if atol is not None and not atol >= 0:
        raise DomainError(f"Expected atol >= 0 but got atol = {atol!r}.")
    block, theta0, _ = read_members(model.elementwise, start, batch)
    k, m, d = theta0.shape
    targets = batch.targets(m)
    objective = compile_objective(model, targets)
    try:
        goal = target_predictor(model, targets.ravel()).reshape(m, batch.n)
    except InfeasibleTarget:
        if not np.isfinite(t1):
            raise
        goal = None
    times = _read_times_of_output(t_eval, t0, t1)
    nonzero = np.abs(theta0[theta0 != 0])
    if atol is None:
        atol = 1e-3 * rtol * float(nonzero.min()) if nonzero.size else 0.0
    watch = _Watch(batch, block, goal, tol, times - t0, (k, m, d), not np.isfinite(t1), max_seconds)

    def field(y: Array, lanes: np.ndarray) -> Array:
        theta = y.reshape(k, -1)
        z = batch.predict(block.rho(theta).reshape(d, -1), lanes)
        g = batch.pull_back(objective.slope_at(z, targets[lanes].T), lanes)
        rate = np.asarray(-block.field(theta) * g.ravel()).reshape(k * d, -1)
        # a loss that is linear has a slope where x has left the formula's domain, too
        return np.where(np.isfinite(z).all(axis=0), rate, np.nan)

    y0 = np.moveaxis(theta0, 1, 2).reshape(k * d, m)
    with np.errstate(all="ignore"):
        speed = np.max(np.abs(field(y0, np.arange(m))), axis=0)
        size = np.max(np.abs(y0), axis=0)
        first = np.where(speed > 0, 1e-2 * size / speed, 1.0)
    first = np.where(np.isfinite(first) & (first > 0), first, 1e-6)
    span = min(t1 - t0, 1e200)
    done = integrate_lanes(
        field,
        y0,
        np.full(m, span),
        np.minimum(first, span),
        rtol=rtol,
        atol=float(atol),
        mean=True,
        max_steps=max_steps,
        observe=watch,
    )
    y = np.where(np.isnan(watch.event_state), done.y, watch.event_state)
    stopped = ~np.isnan(watch.event_at) if watch.until_then else np.zeros(m, dtype=bool)
    t_end = t0 + np.where(stopped, watch.event_at, done.reached)
    end = block.rho(y.reshape(k, -1)).reshape(d, m)
    z = batch.predict(end, np.arange(m))
    success = done.inside & ~watch.expired
    if watch.until_then:
        success &= stopped
    watch.outputs[..., 0] = np.where(times[0] == t0, y0.T, watch.outputs[..., 0])
    theta = watch.outputs.reshape(m, k, d, len(times))
    flat = np.moveaxis(theta, 1, 0).reshape(k, -1)
    return BatchResult(
        t=times,
        theta=theta,
        x=block.rho(flat).reshape(m, d, len(times)),
        end=end.T.copy(),
        t_end=t_end,
        loss=objective.losses_at(z, targets.T),
        t_interpolation=t0 + watch.event_at,
        success=success,
        message=tuple(
            _message(bool(success[i]), bool(watch.expired[i]), bool(watch.until_then), t_end[i])
            for i in range(m)
        ),
        steps=watch.steps,
    )


def _message(success: bool, expired: bool, until_then: bool, t: float) -> str:
    if success:
        at = f"Interpolation is reached at t = {t:.10g}." if until_then else ""
        return at or "The end of the time span is reached."
    reason = (
        "the time budget is used up"
        if expired
        else "the budget of steps is used up, or the flow blows up or leaves the formula's domain"
    )
    return f"Stopped at t = {t:.10g}: {reason}."


def _read_times_of_output(t_eval: ArrayLike | None, t0: float, t1: float) -> Array:
    if t_eval is None:
        return np.array([t0, t1]) if np.isfinite(t1) else np.array([t0])
    times = np.asarray(t_eval, dtype=np.float64)
    inside = times.ndim == 1 and times.size > 0 and bool(np.all((times >= t0) & (times <= t1)))
    if not inside or np.any(np.diff(times) <= 0):
        raise DomainError(f"Expected increasing t_eval within [{t0}, {t1}] but got {t_eval!r}.")
    return times


class _Watch:
    """What happens along the steps: output times, interpolation, the clock."""

    def __init__(
        self,
        batch: Batch,
        block: Block,
        goal: Array | None,
        tol: float,
        times: Array,
        shape: Sequence[int],
        until_then: bool,
        max_seconds: float,
    ) -> None:
        k, m, d = shape
        self.batch, self.block, self.goal, self.tol, self.times = batch, block, goal, tol, times
        self.k, self.d, self.until_then = k, d, until_then
        self.outputs = np.full((m, k * d, len(times)), np.nan)
        self.event_at = np.full(m, np.nan)
        self.event_state = np.full((k * d, m), np.nan)
        self.steps = np.zeros(m, dtype=np.intp)
        self.expired = np.zeros(m, dtype=bool)
        self.deadline = time.monotonic() + max_seconds
        if goal is not None:
            size = np.linalg.norm(goal, axis=1)
            self.size = np.where(size > 0, size, 1.0)

    def residual(self, y: Array, lanes: NDArray[np.intp]) -> Array:
        if self.goal is None:
            return np.full(len(lanes), np.inf)
        x = self.block.rho(y.reshape(self.k, -1)).reshape(self.d, -1)
        gap = self.batch.predict(x, lanes) - self.goal[lanes].T
        return np.asarray(np.linalg.norm(gap, axis=0) / self.size[lanes])

    def __call__(self, step: LaneStep) -> np.ndarray:
        lanes = step.lanes
        self.steps[lanes] += 1
        stop = np.zeros(len(lanes), dtype=bool)
        if self.goal is not None:
            with np.errstate(all="ignore"):
                reached = np.isnan(self.event_at[lanes])
                reached &= self.residual(step.y_new, lanes) <= self.tol
            which = np.flatnonzero(reached)
            if which.size:
                share = self._crossing(step, which)
                self.event_at[lanes[which]] = step.begin[which] + share * step.length[which]
                if self.until_then:
                    self.event_state[:, lanes[which]] = step.at(which, share)
                    stop[which] = True
        end = step.begin + step.length
        for j in np.flatnonzero((self.times > step.begin.min()) & (self.times <= end.max())):
            at = self.times[j]
            which = np.flatnonzero((step.begin < at) & (at <= end))
            if stop.any():
                which = which[~(stop[which] & (at > self.event_at[lanes[which]]))]
            share = (at - step.begin[which]) / step.length[which]
            if which.size:
                self.outputs[lanes[which], :, j] = step.at(which, share).T
        if time.monotonic() > self.deadline:
            self.expired[lanes[~stop]] = True
            stop[:] = True
        return stop

    def _crossing(self, step: LaneStep, which: NDArray[np.intp]) -> Array:
        """Shares of the step at which the residual passes the tolerance, by bisection."""
        low, high = np.zeros(len(which)), np.ones(len(which))
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            below = self.residual(step.at(which, middle), step.lanes[which]) <= self.tol
            high, low = np.where(below, middle, high), np.where(below, low, middle)
        return high
