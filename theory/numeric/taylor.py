"""The march through time by chunks of steps, with the events and guards of every other method."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.march import RECENTER, Run
from theory.numeric.problem import Regression
from theory.numeric.series import (
    FINISHED,
    NONFINITE,
    STALLED,
    Chunk,
    Marcher,
    Spec,
    centered,
    make_engine,
)
from theory.numeric.systems import System

__all__ = ["TaylorRun"]

# polynomials beyond this many floats are computed again when they are asked for
_KEPT = 2**23
_LONGEST_CHUNK = 64
# polynomials that are evaluated at once
_TOGETHER = 256
# near a pole digits are lost with every step, so the center is looked at more often
_CHUNK_NEAR_POLES = 8
_WORK_OF_CHUNK = 1e8
_REASONS = {
    NONFINITE: "its rate is not finite there",
    STALLED: "the step size falls below rounding error",
}


class _Piece:
    """The solution during one step."""

    __slots__ = ("begin", "coefficients", "engine", "state", "unit")

    def __init__(
        self, begin: float, state: Array, unit: float, coefficients: Array | None, engine: Marcher
    ) -> None:
        self.begin, self.state, self.unit = begin, state, unit
        self.coefficients, self.engine = coefficients, engine

    def __call__(self, t: float) -> Array:
        return _evaluate([self], np.array([t]))[0]

    def polynomial(self) -> Array:
        """The coefficients, in units."""
        if self.coefficients is not None:
            return self.coefficients
        again = self.engine.march(self.begin, self.state, 1e200, 1, self.unit, np.inf)
        return again.coefficients[0]


def _evaluate(pieces: Sequence[_Piece], times: Array) -> Array:
    """The states at times of one piece each, shape (m, N)."""
    known = {id(p): p.polynomial() for p in pieces}
    C = np.stack([known[id(p)] for p in pieces])
    begin = np.array([p.begin for p in pieces])
    s = (times - begin) / np.array([p.unit for p in pieces])
    powers = s[:, None] ** np.arange(C.shape[1])
    return np.asarray((powers[:, None, :] @ C)[:, 0])


def first_unit(spec: Spec, cap: float, y: Array, rate: Callable[[Array], Array]) -> float:
    """A guess of the first step: the time in which the state changes by its size."""
    change = np.abs(rate(y))
    # the dual starts at zero, and moves by the length of its curves
    sizes = (np.full(y.shape, min(cap, 1.0)) if spec.dual else np.abs(y)) + spec.floor
    moving = change > 0
    with np.errstate(all="ignore"):
        unit = float(np.min(sizes[moving] / change[moving])) if moving.any() else 1.0
    return unit if 0 < unit < np.inf else 1.0


class TaylorRun(Run):
    """One march through time by Taylor steps."""

    def __init__(
        self,
        spec: Spec,
        backend: str,
        cap: float,
        system: System,
        problem: Regression,
        target: Array | None,
        tol: float,
        stop_at_target: bool,
        events: tuple[str, ...],
        t0: float,
    ) -> None:
        super().__init__(system, problem, target, tol, stop_at_target, events, t0)
        self.spec, self.backend = spec, backend
        self.engine: Marcher = self._make_engine()
        self.kept, self.floor = 0, spec.floor
        self.cap, self.scale = cap, cap

    def _make_engine(self) -> Marcher:
        return make_engine(self.spec, self.backend)

    def states_at(self, times: Array) -> list[Array]:
        """The parameters at times within the run, each of shape (k, d)."""
        ends = np.array(self.times)
        index = np.searchsorted(ends, times, side="left")
        out: list[Array] = [self.states[0]] * len(times)
        # all times of one center at once, as far as the polynomials are in memory
        groups: dict[int, list[int]] = {}
        for j, i in enumerate(index.tolist()):
            if i > 0 and times[j] == ends[i]:
                out[j] = self.states[i]
            elif i > 0:
                groups.setdefault(id(self.pieces[i - 1][1]), []).append(j)
        for members in groups.values():
            for some in np.array_split(members, 1 + len(members) // _TOGETHER):
                pieces = [self.pieces[index[j] - 1] for j in some]
                states = _evaluate([piece for piece, _ in pieces], times[some])
                theta = self._parameters(pieces[0][1], states)
                for j, row in zip(some, theta, strict=True):
                    out[j] = row
        return out

    def march(
        self,
        t0: float,
        t1: float,
        method: str,
        rtol: float,
        atol: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[int, str]:
        # what overflows ends the run with a message
        with np.errstate(all="ignore"):
            return self._march(t0, t1, progress)

    def _march(
        self, t0: float, t1: float, progress: Callable[[float], None] | None
    ) -> tuple[int, str]:
        if self.starts_at_target(t0) and self.stop_at_target:
            return 1, "The start interpolates."
        bound = min(t1, 1e200)
        y = self.system.y0
        unit = first_unit(self.spec, self.cap, y, self.system.rhs)
        self.nfev += 1
        # a run that may stop on the way does not go far beyond
        count = 4 if self.stop_at_target else _LONGEST_CHUNK
        while True:
            now = self.times[-1]
            room = (self.max_nfev - self.nfev) // self._cost
            if room < 1:
                reason = f"the budget of {self.max_nfev} evaluations is used up"
                return -1, f"Stopped at t = {now:.10g}: {reason}."
            if time.monotonic() > self.deadline:
                reason = f"the time budget of {self.max_seconds:g} s is used up"
                return -1, f"Stopped at t = {now:.10g}: {reason}."
            steps = min(count, room, self._longest())
            chunk = self.engine.march(now, y, bound, steps, unit, self.cap)
            count *= 2
            ended = self._take(chunk, progress)
            if ended is not None:
                return ended
            if chunk.status == FINISHED:
                return 0, "The end of the time span is reached."
            y = chunk.states[-1]
            if len(chunk.units):
                unit = float(chunk.times[-1] - chunk.times[-2])
            self.cap = self._cap()
            if self._recentered(y):
                y = self.system.y0
            elif chunk.status in (NONFINITE, STALLED):
                self.lost = True
                return self._exit(_REASONS[chunk.status])

    def last(self) -> tuple[Array, System] | None:
        if not self.pieces:
            return None
        piece, system = self.pieces[-1]
        return piece(self.times[-1]), system

    # a step can be made again from its beginning
    _keeps_all = False
    # whether the steps came to nothing, which an end of the domain may explain
    lost = False

    @property
    def _cost(self) -> int:
        """Evaluations of a step, about."""
        return self.spec.order

    def _count(self, steps: int) -> None:
        self.nfev += self.spec.order * steps

    @property
    def poles(self) -> bool:
        """Whether the curves may end."""
        system, spec = self.system, self.spec
        return system.curve.domain is None or not spec.unbounded

    def _cap(self) -> float:
        """The length within which the curves are nearly straight, which shrinks near a pole."""
        if not (self.spec.dual and self.poles):
            return self.cap
        curve = self.system.curve
        with np.errstate(all="ignore"):
            now = float(np.nanmin(curve.geometry(self.states[-1]).radius))
            start = float(np.nanmin(curve.geometry(self.states[0]).radius))
            cap = self.scale * now / start
        return cap if 0 < cap < np.inf else self.scale

    def _longest(self) -> int:
        problem, spec = self.problem, self.spec
        most = _CHUNK_NEAR_POLES if spec.dual and self.poles else _LONGEST_CHUNK
        return int(np.clip(_WORK_OF_CHUNK / (2 * spec.order * problem.n * problem.d), 1, most))

    def _take(
        self, chunk: Chunk, progress: Callable[[float], None] | None
    ) -> tuple[int, str] | None:
        """Record the steps of a chunk, up to an event that ends the run."""
        states = chunk.states[1:]
        self._count(max(len(states), 1))
        if not len(states):
            return None
        theta = self._parameters(self.system, states)
        flat = np.moveaxis(theta, 1, 0).reshape(theta.shape[1], -1)
        x = self.system.block.rho(flat).reshape(len(states), -1)
        meets = (self._residuals(x) <= self.tol).tolist()
        lost = np.logical_not(np.isfinite(x).all(axis=1)).tolist()
        sizes = np.abs(theta).reshape(len(theta), -1).max(axis=1).tolist()
        keep = self._keeps_all or self.kept + chunk.coefficients.size <= _KEPT
        self.kept += chunk.coefficients.size if keep else 0
        times, units = chunk.times.tolist(), chunk.units.tolist()
        for i, unit in enumerate(units):
            if lost[i]:
                return self._exit("the state leaves the domain")
            C = chunk.coefficients[i] if keep else None
            piece = _Piece(times[i], chunk.states[i], unit, C, self.engine)
            self.pieces.append((piece, self.system))
            self.times.append(times[i + 1])
            self.states.append(theta[i])
            if progress is not None:
                progress(times[i + 1])
            if meets[i] and "interpolation" in self.events and not self.t_events["interpolation"]:
                at = self._crossing()
                if self.stop_at_target:
                    self.times[-1], self.states[-1] = at, self.system.theta(piece(at))
                    return 1, f"Interpolation is reached at t = {at:.10g}."
            if sizes[i] > self.huge:
                self.t_events["blow_up"].append(times[i + 1])
                return -1, f"The parameters blow up near t = {times[i + 1]:.10g}."
        return None

    def _residuals(self, x: Array) -> Array:
        if self.target is None:
            return np.full(len(x), np.inf)
        gap = self.problem.predict(x.T) - self.target[:, None]
        size = float(np.linalg.norm(self.target))
        with np.errstate(all="ignore"):
            return np.asarray(np.linalg.norm(gap, axis=0) / (size if size > 0 else 1.0))

    def _parameters(self, system: System, states: Array) -> Array:
        """Theta of shape (m, k, d) from states of shape (m, N)."""
        return np.moveaxis(system.theta(states.T), -1, 0)

    def _recentered(self, y: Array) -> bool:
        """Start the curves afresh where digits are lost; whether that was needed."""
        moved = self.system.recentered(y, RECENTER)
        if moved is None:
            return False
        self.system = moved
        spec = centered(self.spec, self.system.curve, self.states[-1])
        self.spec = replace(spec, floor=self.floor * self._shrunk(self.states[-1]))
        self.engine = self._make_engine()
        return True
