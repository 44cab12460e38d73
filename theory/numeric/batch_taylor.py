"""The flows of a batch by Taylor steps in Numba, in portions that threads may share."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import UnsupportedFormula
from theory.numeric.batch_march import March, Task, crossings
from theory.numeric.batch_numba import EXHAUSTED, HUGE, INTERPOLATES, UNFINISHED, march_lanes
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm, NumericCurve, numeric_curve
from theory.numeric.march import RECENTER
from theory.numeric.series import (
    FINISHED,
    constant_rows,
    dual_tape,
    order_for,
    primal_tape,
    samples_tape,
)
from theory.numeric.series_lanes import LANES
from theory.numeric.series_numba import as_code
from theory.numeric.series_numpy import SAFETY, tolerance
from theory.numeric.tape import Tape

__all__ = ["march_by_series"]

# members of a portion; no more than a few lanes are idle at its end
_PORTION = 128
# operations between two looks at the clock
_WORK = 3e7


def march_by_series(task: Task, threads: int = 1) -> March:
    """All members; the portions do not depend on the number of threads, nor does the result.

    Raises
    ------
    UnsupportedFormula
        For a formula without Taylor recurrences.
    """
    deadline = time.monotonic() + task.max_seconds
    closed = _closed_curve(task)
    form: _Form | None = None
    if closed is not None:
        with suppress(UnsupportedFormula):
            form = _Dual(task, *closed)
    if form is None:
        return _run(_Primal(task), np.arange(task.m), deadline, threads).result
    march = _run(form, np.arange(task.m), deadline, threads)
    # where the dual loses digits or stops, the parameters tell how the flow goes on
    again = np.flatnonzero(march.doubtful)
    if again.size:
        march = march.replaced(again, _run(_Primal(task), again, deadline, threads))
    return march.result


class _Marched:
    """A march with the members whose result is not to be trusted."""

    def __init__(self, result: March, doubtful: NDArray[np.bool_]) -> None:
        self.result, self.doubtful = result, doubtful

    def replaced(self, which: NDArray[np.intp], other: _Marched) -> _Marched:
        old, new = self.result, other.result
        old.end[:, which] = new.end
        for name in ("reached", "inside", "expired", "event_at", "outputs", "steps"):
            getattr(old, name)[which] = getattr(new, name)
        return _Marched(old, np.zeros(0, dtype=bool))


def _run(form: _Form, members: NDArray[np.intp], deadline: float, threads: int) -> _Marched:
    portions = [members[i : i + _PORTION] for i in range(0, len(members), _PORTION)]
    if threads == 1 or len(portions) == 1:
        parts = [form.run(portion, deadline) for portion in portions]
    else:
        with ThreadPoolExecutor(min(threads, len(portions))) as pool:
            parts = list(pool.map(lambda portion: form.run(portion, deadline), portions))
    if len(parts) == 1:
        return parts[0]
    results = [part.result for part in parts]
    joined = March(
        end=np.concatenate([p.end for p in results], axis=1),
        reached=np.concatenate([p.reached for p in results]),
        inside=np.concatenate([p.inside for p in results]),
        expired=np.concatenate([p.expired for p in results]),
        event_at=np.concatenate([p.event_at for p in results]),
        outputs=np.concatenate([p.outputs for p in results]),
        steps=np.concatenate([p.steps for p in results]),
    )
    return _Marched(joined, np.concatenate([part.doubtful for part in parts]))


def _closed_curve(task: Task) -> tuple[NumericCurve, ClosedForm] | None:
    """The curves of all coordinates of all members, where they are closed and have no ends."""
    rho, form = task.model.elementwise, task.closed_form
    if form is None:
        return None
    k, m, d = task.theta0.shape
    names = [s.name for s in rho.parameters]
    flat: dict[Any, Any] = dict(zip(names, task.theta0.reshape(k, m * d), strict=True))
    curve = numeric_curve(rho, {**flat, **task.constants}, m * d, closed_form=form)
    if curve.closed is None or curve.domain is None:
        return None
    if not np.isinf(np.stack([np.asarray(end) for end in curve.domain(*curve.theta0)])).all():
        return None
    if not isinstance(form, ClosedForm):
        form = ClosedForm.from_mapping(form, rho)
    return curve, form


class _Form(ABC):
    """What is expanded: tapes, the constants of every member, states and tolerances."""

    dual: bool
    x: Tape
    values: Array
    y0: Array
    floor: Array
    cap: Array
    bounds: tuple[Array, Array]

    def __init__(self, task: Task) -> None:
        self.task, self.order = task, order_for(task.rtol)
        self.z = samples_tape(task.model)
        n, m = task.batch.n, task.m
        rows = constant_rows(self.z, [task.targets.ravel()], m * n)
        self.targets = np.ascontiguousarray(np.moveaxis(rows.reshape(-1, m, n), 1, 0))

    @abstractmethod
    def theta(self, states: Array, members: NDArray[np.intp]) -> Array:
        """Parameters of shape (k * d, m', ...) from states of shape (m', ..., unknowns)."""

    def begin(self, change: Array, sizes: Array) -> None:
        """A guess of the first steps, the time in which the state changes by its size."""
        with np.errstate(all="ignore"):
            unit = np.min(np.where(change > 0, sizes / change, np.inf), axis=1)
        self.unit = np.where((unit > 0) & (unit < np.inf), unit, 1.0)
        n, d = self.task.batch.n, self.task.batch.d
        operations = (len(self.x.operations) + self.y0.shape[1] / d) * d
        operations += len(self.z.operations) * n
        self.work = LANES * self.order * (self.order * operations / 2 + 2 * n * d)

    def code(self) -> tuple[Any, ...]:
        x, z = self.x, self.z
        outputs = np.array(x.outputs, dtype=np.int64)
        return as_code(x), x.first, outputs, as_code(z), z.first, z.outputs[0]

    def memory(self) -> tuple[Array, ...]:
        """What the steps of one portion work in."""
        batch, order, size = self.task.batch, self.order, self.y0.shape[1]
        shared = batch.A.ndim == 2
        A = _aligned(batch.n, batch.d, 1 if shared else LANES)
        if shared:
            A[:, :, 0] = batch.A
        X = _aligned(self.x.size, order + 1, batch.d, LANES)
        Z = _aligned(self.z.size, order + 1, batch.n, LANES)
        V = _aligned(order + 1, batch.d, LANES)
        C = _aligned(order + 1, size, LANES)
        X2, Z2, V2 = (part.reshape(*part.shape[:-2], -1) for part in (X, Z, V))
        new, rate = _aligned(size, LANES), _aligned(size, LANES)
        return A, X, X2, Z, Z2, V, V2, C, new, rate, np.full(LANES, -1.0)

    def run(self, members: NDArray[np.intp], deadline: float) -> _Marched:
        """A portion of the members."""
        task, m, size, times = self.task, len(members), self.y0.shape[1], self.task.times
        status = np.full(m, UNFINISHED)
        reached, y_end = np.zeros(m), self.y0[members]
        steps, trials = np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.int64)
        seen, event_time = np.zeros(m, dtype=bool), np.zeros((m, 3))
        event_C = np.empty((m, self.order + 1, size))
        states = np.full((m, len(times), size), np.nan)
        goals, limits = np.zeros((m, task.batch.n)), np.full(m, -1.0)
        if task.goal is not None:
            goals, limits = task.goal[members], task.tol * task.goal_size[members]
        A = task.batch.A
        # the last entry is the next member
        lanes = (
            np.zeros(LANES + 1, dtype=np.int64),
            np.zeros(LANES, dtype=np.int64),
            *(np.zeros(LANES) for _ in range(5)),
        )
        arguments = (
            self.code(),
            self.memory(),
            lanes,
            (np.zeros((1, 1, 1)) if A.ndim == 2 else A[members], self.y0[members],
             self.values[members], self.targets[members], goals, limits, self.unit[members],
             self.floor[members], self.cap[members]),
            (status, reached, y_end, steps, trials),
            (seen, event_time, event_C),
            (times, states),
            self.bounds,
            (min(task.span, 1e200), task.rtol, SAFETY, tolerance(task.rtol), task.max_steps,
             task.until_then, self.dual),
            int(np.clip(_WORK / self.work, 1, 10_000)),
        )  # fmt: skip
        while not time.monotonic() > deadline and not march_lanes(*arguments):
            pass
        event_at = np.full(m, np.nan)
        which = np.flatnonzero(seen)
        if which.size:
            at, state = self._crossed(members[which], event_time[which], event_C[which])
            event_at[which] = at
            if task.until_then:
                reached[which], y_end[which] = at, state
                states[times[None, :] > np.where(seen, event_at, np.inf)[:, None]] = np.nan
        with np.errstate(all="ignore"):
            end = self.theta(y_end, members)
            outputs = self.theta(states, members)
            inside = status == (INTERPOLATES if task.until_then else FINISHED)
            lost = self.lost(y_end, end, members)
        result = March(
            end=end,
            reached=reached,
            inside=inside & ~lost,
            expired=status == UNFINISHED,
            event_at=event_at,
            outputs=np.moveaxis(outputs, 0, 1),
            steps=steps.astype(np.intp),
        )
        budget = (status == UNFINISHED) | (status == EXHAUSTED)
        return _Marched(result, lost | ~(inside | budget))

    def lost(self, states: Array, theta: Array, members: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Members whose end has lost its digits."""
        return np.zeros(len(members), dtype=bool)

    def _crossed(self, members: NDArray[np.intp], when: Array, C: Array) -> tuple[Array, Array]:
        """Times and states at which the residual passes the tolerance, within one step each."""
        begin, length, unit = when.T
        degrees = np.arange(self.order + 1)

        def state(share: Array) -> Array:
            powers = (share * length / unit)[:, None] ** degrees
            return np.asarray((powers[:, None, :] @ C)[:, 0])

        def residual(share: Array) -> Array:
            return self.task.residual(self.theta(state(share), members), members)

        with np.errstate(all="ignore"):
            share = crossings(residual, self.task.tol, len(members))
        return begin + share * length, state(share)


class _Primal(_Form):
    """The parameters."""

    dual = False

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        _, m, d = task.theta0.shape
        self.x = primal_tape(task.model, task.constants)
        rows = constant_rows(self.x, [], d)
        self.values = np.ascontiguousarray(np.broadcast_to(rows, (m, *rows.shape)))
        self.y0 = np.ascontiguousarray(task.y0.T)
        self.floor, self.cap = np.full(m, task.atol / task.rtol), np.full(m, np.inf)
        self.bounds = np.repeat(task.block.lower[:, 0], d), np.repeat(task.block.upper[:, 0], d)
        with np.errstate(all="ignore"):
            change = np.abs(task.rate(task.y0, np.arange(m))).T
        self.begin(change, np.abs(self.y0) + self.floor[:, None])

    def theta(self, states: Array, members: NDArray[np.intp]) -> Array:
        return np.ascontiguousarray(np.moveaxis(states, -1, 0))


class _Dual(_Form):
    """The dual variables, from a closed form of curves without ends."""

    dual = True

    def __init__(self, task: Task, curve: NumericCurve, closed_form: ClosedForm) -> None:
        super().__init__(task)
        k, m, d = task.theta0.shape
        n, A = task.batch.n, task.batch.A
        assert curve.closed is not None
        self.closed, self.curve = curve.closed, curve
        self.x = dual_tape(task.model, task.constants, task.theta0, closed_form)
        rows = constant_rows(self.x, list(task.theta0.reshape(k, m * d)), m * d)
        self.values = np.ascontiguousarray(np.moveaxis(rows.reshape(-1, m, d), 1, 0))
        self.y0 = np.zeros((m, n))
        with np.errstate(all="ignore"):
            radius = np.min(curve.geometry(curve.theta0).radius.reshape(m, d), axis=1)
            # a length of the dual variables within which the curves are nearly straight
            self.cap = radius / np.max(np.abs(A), axis=(-2, -1))
            z = task.predictor(task.y0, np.arange(m))
            change = np.abs(task.objective.slope_at(z, task.targets.T)).T
        self.floor = 1e-2 * np.minimum(self.cap, 1.0)
        self.bounds = np.full(n, -np.inf), np.full(n, np.inf)
        self.begin(change, (np.minimum(self.cap, 1.0) + self.floor)[:, None])

    def xi(self, states: Array, members: NDArray[np.intp]) -> Array:
        r"""$-A^T\nu$, shape (m', ..., d)."""
        A = self.task.batch.A
        if A.ndim == 2:
            return np.asarray(-states @ A)
        return np.asarray(-np.einsum("m...n,mnd->m...d", states, A[members]))

    def theta(self, states: Array, members: NDArray[np.intp]) -> Array:
        xi, start = self.xi(states, members), self.task.theta0[:, members]
        if xi.ndim == 3:
            start = start[:, :, None, :]
        theta = np.stack([np.asarray(v) for v in self.closed(xi, *start)])
        k, d = len(theta), xi.shape[-1]
        return np.ascontiguousarray(np.moveaxis(theta, -1, 1).reshape(k * d, *xi.shape[:-1]))

    def lost(self, states: Array, theta: Array, members: NDArray[np.intp]) -> NDArray[np.bool_]:
        k, _, d = self.task.theta0.shape
        slope = self.curve.geometry(theta.reshape(k, -1)).slope.reshape(d, -1)
        far = np.max(np.abs(self.xi(states, members).T * slope), axis=0)
        return ~(far <= RECENTER) | ~(np.abs(theta) < HUGE).all(axis=0)


def _aligned(*shape: int) -> Array:
    """Zeros that begin at a cache line: a vector of eight floats then lies in one."""
    size = int(np.prod(shape))
    room = np.zeros(size + LANES)
    begin = (-room.ctypes.data % 64) // 8
    return room[begin : begin + size].reshape(shape)
