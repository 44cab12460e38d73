"""The flows of a batch by Taylor steps in Numba, in portions that threads may share."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from theory.numeric.batch_march import March, Task, crossings
from theory.numeric.compile import Array
from theory.numeric.series import (
    FINISHED,
    constant_rows,
    order_for,
    primal_tape,
    samples_tape,
)
from theory.numeric.series_lanes import INTERPOLATES, LANES, UNFINISHED, march_lanes
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
    program = _Program(task)
    deadline = time.monotonic() + task.max_seconds
    portions = [
        np.arange(begin, min(begin + _PORTION, task.m)) for begin in range(0, task.m, _PORTION)
    ]
    if threads == 1 or len(portions) == 1:
        parts = [program.run(members, deadline) for members in portions]
    else:
        with ThreadPoolExecutor(min(threads, len(portions))) as pool:
            parts = list(pool.map(lambda members: program.run(members, deadline), portions))
    if len(parts) == 1:
        return parts[0]
    return March(
        end=np.concatenate([p.end for p in parts], axis=1),
        reached=np.concatenate([p.reached for p in parts]),
        inside=np.concatenate([p.inside for p in parts]),
        expired=np.concatenate([p.expired for p in parts]),
        event_at=np.concatenate([p.event_at for p in parts]),
        outputs=np.concatenate([p.outputs for p in parts]),
        steps=np.concatenate([p.steps for p in parts]),
    )


class _Program:
    """The tapes of a batch with the constants of every member."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.order = order_for(task.rtol)
        k, m, d = task.theta0.shape
        n = task.batch.n
        self.x, self.z = primal_tape(task.model, task.constants), samples_tape(task.model)
        self.values = constant_rows(self.x, [], d)
        rows = constant_rows(self.z, [task.targets.ravel()], m * n)
        self.targets = np.ascontiguousarray(np.moveaxis(rows.reshape(-1, m, n), 1, 0))
        self.code = (
            as_code(self.x),
            self.x.first,
            np.array(self.x.outputs, dtype=np.int64),
            as_code(self.z),
            self.z.first,
            self.z.outputs[0],
        )
        self.y0 = np.ascontiguousarray(task.y0.T)
        with np.errstate(all="ignore"):
            change = np.abs(task.rate(task.y0, np.arange(m)))
            # the time in which a state changes by its size
            sizes = np.abs(task.y0) + task.atol / task.rtol
            unit = np.min(np.where(change > 0, sizes / change, np.inf), axis=0)
        self.unit = np.where((unit > 0) & (unit < np.inf), unit, 1.0)
        self.bounds = (
            np.repeat(task.block.lower[:, 0], d),
            np.repeat(task.block.upper[:, 0], d),
        )
        operations = (len(self.x.operations) + k) * d + len(self.z.operations) * n
        self.work = LANES * self.order * (self.order * operations / 2 + 2 * n * d)

    def memory(self) -> tuple[Array, ...]:
        """What the steps of one portion work in."""
        order, n, d = self.order, self.task.batch.n, self.task.batch.d
        size = self.task.size
        A = np.zeros((n, d, 1 if self.task.batch.A.ndim == 2 else LANES))
        if self.task.batch.A.ndim == 2:
            A[:, :, 0] = self.task.batch.A
        X, Z = _rows(self.x, order, d), _rows(self.z, order, n)
        X[len(self.x.variables) : self.x.first, 0] = self.values[:, :, None]
        V = np.zeros((order + 1, d, LANES))
        flat = [part.reshape(*part.shape[:-2], -1) for part in (X, Z, V)]
        C, new, rate = (
            np.zeros(s) for s in ((order + 1, size, LANES), (size, LANES), (size, LANES))
        )
        return A, X, flat[0], Z, flat[1], V, flat[2], C, new, rate, np.full(LANES, -1.0)

    def run(self, members: np.ndarray, deadline: float) -> March:
        """A portion of the members."""
        task, m, size = self.task, len(members), self.task.size
        times = task.times
        status = np.full(m, UNFINISHED)
        reached, y_end = np.zeros(m), self.y0[members]
        steps, trials = np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.int64)
        seen, event_time = np.zeros(m, dtype=bool), np.zeros((m, 3))
        event_C = np.empty((m, self.order + 1, size))
        states = np.full((m, len(times), size), np.nan)
        if task.goal is None:
            goals, limits = np.zeros((m, task.batch.n)), np.full(m, -1.0)
        else:
            goals, limits = task.goal[members], task.tol * task.goal_size[members]
        shared = task.batch.A.ndim == 2
        matrices = np.zeros((1, 1, 1)) if shared else task.batch.A[members]
        # the last entry is the next member
        lane = np.zeros(LANES + 1, dtype=np.int64)
        lanes = (lane, np.zeros(LANES, dtype=np.int64), *(np.zeros(LANES) for _ in range(3)))
        memory = self.memory()
        rounds = int(np.clip(_WORK / self.work, 1, 10_000))
        late = time.monotonic() > deadline
        while not late:
            ended = march_lanes(
                self.code,
                memory,
                lanes,
                (matrices, self.y0[members], self.targets[members], goals, limits,
                 self.unit[members]),
                (status, reached, y_end, steps, trials),
                (seen, event_time, event_C),
                (times, states),
                self.bounds,
                (min(task.span, 1e200), task.rtol, task.atol / task.rtol, SAFETY,
                 tolerance(task.rtol), task.max_steps, task.until_then),
                rounds,
            )  # fmt: skip
            if ended:
                break
            late = time.monotonic() > deadline
        event_at = np.full(m, np.nan)
        which = np.flatnonzero(seen)
        if which.size:
            at, state = self._crossed(members[which], event_time[which], event_C[which])
            event_at[which] = at
            if task.until_then:
                reached[which], y_end[which] = at, state
                states[times[None, :] > np.where(seen, event_at, np.inf)[:, None]] = np.nan
        return March(
            end=y_end.T,
            reached=reached,
            inside=status == (INTERPOLATES if task.until_then else FINISHED),
            expired=status == UNFINISHED,
            event_at=event_at,
            outputs=np.moveaxis(states, 1, 2),
            steps=steps.astype(np.intp),
        )

    def _crossed(self, members: np.ndarray, when: Array, C: Array) -> tuple[Array, Array]:
        """Times and states at which the residual passes the tolerance, within one step each."""
        begin, length, unit = when.T
        degrees = np.arange(self.order + 1)

        def state(share: Array) -> Array:
            powers = (share * length / unit)[:, None] ** degrees
            return np.asarray((powers[:, None, :] @ C)[:, 0])

        with np.errstate(all="ignore"):
            share = crossings(
                lambda s: self.task.residual(np.ascontiguousarray(state(s).T), members),
                self.task.tol,
                len(members),
            )
        return begin + share * length, state(share)


def _rows(tape: Tape, order: int, width: int) -> Any:
    return np.zeros((tape.size, order + 1, width, LANES))
