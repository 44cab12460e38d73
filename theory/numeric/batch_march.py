r"""What the backends of a batch have in common, and the one in NumPy.

There every member is a lane of `integrate_lanes`: products with A are matrix products, so that a
right-hand side costs Python's overhead once and not once a member.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.flow.gradient_flow import FlowModel
from theory.numeric.batch import Batch
from theory.numeric.block import Block
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.lanes import LaneStep, integrate_lanes
from theory.numeric.objective import Objective
from theory.numeric.start import Start

__all__ = ["March", "Task", "crossings", "march_by_pairs"]

# steps of the search for a crossing, which superlinear convergence leaves unused
_MOST = 60


@dataclass(frozen=True, eq=False)
class Task:
    """The flows of a batch; times count from the beginning.

    Parameters
    ----------
    model : FlowModel
    constants : mapping
        The entries of the start that are no parameters.
    closed_form : ClosedForm or mapping, optional
        Of the dual curve.
    batch : Batch
    block : Block
    objective : Objective
    theta0 : ndarray, shape (k, m, d)
    targets : ndarray, shape (m, n)
    goal : ndarray, shape (m, n), optional
        The predictor that interpolates.
    tol : float
        Relative residual that counts as interpolation.
    times : ndarray, shape (nt,)
    span : float
        The length of time, infinite to run until interpolation.
    rtol, atol : float
    max_steps : int
    max_seconds : float
    """

    model: FlowModel
    constants: Start
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None
    batch: Batch
    block: Block
    objective: Objective
    theta0: Array
    targets: Array
    goal: Array | None
    tol: float
    times: Array
    span: float
    rtol: float
    atol: float
    max_steps: int
    max_seconds: float

    @property
    def m(self) -> int:
        return int(self.theta0.shape[1])

    @property
    def size(self) -> int:
        """Unknowns of a member."""
        return int(self.theta0.shape[0] * self.theta0.shape[2])

    @property
    def until_then(self) -> bool:
        """Whether a member ends where it interpolates."""
        return not np.isfinite(self.span)

    @cached_property
    def y0(self) -> Array:
        """The starts, shape (k * d, m)."""
        return np.moveaxis(self.theta0, 1, 2).reshape(self.size, self.m)

    @cached_property
    def goal_size(self) -> Array:
        """What the residuals are relative to, shape (m,)."""
        assert self.goal is not None
        size = np.linalg.norm(self.goal, axis=1)
        return np.where(size > 0, size, 1.0)

    def rate(self, y: Array, members: NDArray[np.intp]) -> Array:
        """The flow of some members at y of shape (k * d, m'); NumPy's warnings are the caller's."""
        theta = y.reshape(self.theta0.shape[0], -1)
        z = self.predictor(y, members)
        g = self.batch.pull_back(self.objective.slope_at(z, self.targets[members].T), members)
        rate = np.asarray(-self.block.field(theta) * g.ravel()).reshape(y.shape)
        # a loss that is linear has a slope where x has left the formula's domain, too
        return np.where(np.isfinite(z).all(axis=0), rate, np.nan)

    def predictor(self, y: Array, members: NDArray[np.intp]) -> Array:
        """The products A x, shape (n, m')."""
        k, _, d = self.theta0.shape
        return self.batch.predict(self.block.rho(y.reshape(k, -1)).reshape(d, -1), members)

    def residual(self, y: Array, members: NDArray[np.intp]) -> Array:
        """Relative residuals, shape (m',)."""
        if self.goal is None:
            return np.full(len(members), np.inf)
        gap = self.predictor(y, members) - self.goal[members].T
        return np.asarray(np.linalg.norm(gap, axis=0) / self.goal_size[members])


@dataclass(frozen=True, eq=False)
class March:
    """How far the members came.

    Parameters
    ----------
    end : ndarray, shape (k * d, m)
    reached : ndarray, shape (m,)
    inside : ndarray of bool, shape (m,)
        Whether the asked length of time was reached, or interpolation where that ends a member.
    expired : ndarray of bool, shape (m,)
        Whether the time budget was used up.
    event_at : ndarray, shape (m,)
        When the residual passed the tolerance, or NaN.
    outputs : ndarray, shape (m, k * d, nt)
        NaN after the end.
    steps : ndarray of int, shape (m,)
    """

    end: Array
    reached: Array
    inside: NDArray[np.bool_]
    expired: NDArray[np.bool_]
    event_at: Array
    outputs: Array
    steps: NDArray[np.intp]


def crossings(residual: Callable[[Array], Array], tol: float, count: int) -> Array:
    """Shares of `count` steps at which the residual passes the tolerance, which it ends below.

    By false positions of the logarithm, which along a flow is nearly a line; the weight of an end
    that stays is halved, as in the Illinois method, so that both ends move.

    Examples
    --------
    >>> crossings(lambda s: np.exp(-10 * s), 0.1, 1).round(9).tolist()
    [0.230258509]
    """

    def gap(share: Array) -> Array:
        return np.asarray(np.log(np.maximum(residual(share), 1e-300) / tol))

    low, high = np.zeros(count), np.ones(count)
    weight_low, weight_high = gap(low), np.minimum(gap(high), -1e-300)
    # the residual may be below the tolerance from the beginning
    high = np.where(weight_low > 0, high, low)
    share, before = high, np.zeros(count)
    # rounding of the predictor, relative to it, is seen in the residual
    fine = 1e-9 + 1e-15 / tol
    for step in range(_MOST):
        with np.errstate(all="ignore"):
            trial = (low * weight_high - high * weight_low) / (weight_high - weight_low)
        inside = (trial > low) & (trial < high)
        # a bisection now and then bounds the number of steps whatever the residual does
        share = np.where(inside & (step % 8 != 7), trial, 0.5 * (low + high))
        value = gap(share)
        if np.all((np.abs(value) <= fine) | (high - low <= 1e-12)):
            break
        below = value <= 0
        side = np.where(below, -1.0, 1.0)
        again = side == before
        weight_low = np.where(below, np.where(again, 0.5, 1.0) * weight_low, value)
        weight_high = np.where(below, value, np.where(again, 0.5, 1.0) * weight_high)
        low, high = np.where(below, low, share), np.where(below, share, high)
        before = side
    return share


def march_by_pairs(task: Task) -> March:
    """All members by the pair DOP853 in NumPy."""
    m, members = task.m, np.arange(task.m)
    with np.errstate(all="ignore"):
        speed = np.max(np.abs(task.rate(task.y0, members)), axis=0)
        size = np.max(np.abs(task.y0), axis=0)
        first = np.where(speed > 0, 1e-2 * size / speed, 1.0)
    first = np.where(np.isfinite(first) & (first > 0), first, 1e-6)
    span = min(task.span, 1e200)
    watch = _Watch(task)
    done = integrate_lanes(
        task.rate,
        task.y0,
        np.full(m, span),
        np.minimum(first, span),
        rtol=task.rtol,
        atol=task.atol,
        mean=True,
        max_steps=task.max_steps,
        observe=watch,
    )
    stopped = np.isfinite(watch.event_at) & task.until_then
    return March(
        end=np.where(stopped, watch.event_state, done.y),
        reached=np.where(stopped, watch.event_at, done.reached),
        inside=done.inside & ~watch.expired & (stopped | (not task.until_then)),
        expired=watch.expired,
        event_at=watch.event_at,
        outputs=watch.outputs,
        steps=watch.steps,
    )


class _Watch:
    """What happens along the steps: output times, interpolation, the clock."""

    def __init__(self, task: Task) -> None:
        m, size = task.m, task.size
        self.task = task
        self.outputs = np.full((m, size, len(task.times)), np.nan)
        self.event_at = np.full(m, np.nan)
        self.event_state = np.full((size, m), np.nan)
        self.steps = np.zeros(m, dtype=np.intp)
        self.expired = np.zeros(m, dtype=bool)
        self.deadline = time.monotonic() + task.max_seconds

    def __call__(self, step: LaneStep) -> NDArray[np.bool_]:
        task, lanes = self.task, step.lanes
        self.steps[lanes] += 1
        stop = np.zeros(len(lanes), dtype=bool)
        if task.goal is not None:
            with np.errstate(all="ignore"):
                reached = np.isnan(self.event_at[lanes])
                reached &= task.residual(step.y_new, lanes) <= task.tol
                which = np.flatnonzero(reached)
                if which.size:
                    share = crossings(
                        lambda s: task.residual(step.at(which, s), lanes[which]),
                        task.tol,
                        which.size,
                    )
            if which.size:
                self.event_at[lanes[which]] = step.begin[which] + share * step.length[which]
                if task.until_then:
                    self.event_state[:, lanes[which]] = step.at(which, share)
                    stop[which] = True
        end = step.begin + step.length
        for j in np.flatnonzero((task.times > step.begin.min()) & (task.times <= end.max())):
            at = task.times[j]
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
