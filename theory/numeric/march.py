"""One march through time: steps, events, budgets, and how a run ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import BDF, DOP853, LSODA, RK23, RK45, Radau
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator

from theory.errors import DomainError
from theory.numeric.compile import Array
from theory.numeric.problem import Regression
from theory.numeric.systems import PrimalSystem, Stop, System

__all__ = ["EVENTS", "METHODS", "RECENTER", "Run"]

METHODS = {
    "RK23": RK23, "RK45": RK45, "DOP853": DOP853, "Radau": Radau, "BDF": BDF, "LSODA": LSODA
}  # fmt: skip
_IMPLICIT = ("Radau", "BDF", "LSODA")
EVENTS = ("interpolation", "boundary", "blow_up")
# from here on |xi| has lost so many digits next to a pole that the curve is started afresh
RECENTER = 1e4
# a rate grows by less within one step that means anything
_WILD = 1e8
# of the sum of sizes over the sum, beyond which rounding is that of cancellation
_CANCELS = 1e4
# steps between two looks at the parameters
_TOGETHER = 32
# steps between two looks at the size of xi where the curve has no ends
_LOOK = 8


class Run:
    """One march through time: steps, events, budgets."""

    def __init__(
        self,
        system: System,
        problem: Regression,
        target: Array | None,
        tol: float,
        stop_at_target: bool,
        events: tuple[str, ...],
        t0: float,
    ) -> None:
        self.system, self.problem, self.target = system, problem, target
        self.tol, self.stop_at_target, self.events = tol, stop_at_target, events
        self.times: list[float] = [t0]
        # the parameters are worked out from the unknowns for many steps at once
        self.ys: list[Array] = [system.y0]
        self.states: list[Array] = [system.theta(system.y0)]
        self.pieces: list[tuple[Any, System]] = []
        self.t_events: dict[str, list[float]] = {name: [] for name in EVENTS}
        self.nfev = self.njev = 0
        self.huge = 1e12 * max(1.0, float(np.max(np.abs(self.states[0]))))
        self.size = float(np.linalg.norm(target)) if target is not None else 0.0

    def budget(self, max_nfev: int, max_seconds: float, deadline: float) -> None:
        """The seconds are of all runs together that share the deadline."""
        self.max_nfev, self.max_seconds, self.deadline = max_nfev, max_seconds, deadline

    def at(self, t: float) -> Array:
        """The parameters at a time, shape (k, d)."""
        t = float(t)
        if not self.times[0] <= t <= self.times[-1]:
            raise DomainError(f"Expected {self.times[0]} <= t <= {self.times[-1]} but got t = {t}.")
        i = int(np.searchsorted(self.times, t, side="left"))
        if i == 0 or self.times[i] == t:
            return self.states[i]
        piece, system = self.pieces[i - 1]
        return system.theta(piece(t))

    def residual(self, z: Array) -> float:
        if self.target is None:
            return np.inf
        with np.errstate(over="ignore", invalid="ignore"):
            gap = float(np.linalg.norm(z - self.target))
        return gap / (self.size if self.size > 0 else 1.0)

    def starts_at_target(self, t0: float) -> bool:
        """Whether the start interpolates, which is an event at the first time."""
        if not self.residual(self.problem.predict(self.x0)) <= self.tol:
            return False
        self.t_events["interpolation"].append(t0)
        return True

    def march(
        self,
        t0: float,
        t1: float,
        method: str,
        rtol: float,
        atol: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[int, str]:
        if self.starts_at_target(t0) and self.stop_at_target:
            return 1, "The start interpolates."
        strict = method in _IMPLICIT
        # LSODA and the step control work with a finite end
        bound = min(t1, 1e200)

        # sizes of the rate: at the first time, at the last accepted step, and the latest of all
        begin = level = latest = np.inf

        def rhs(t: float, y: Array) -> Array:
            nonlocal latest
            self.nfev += 1
            if self.nfev > self.max_nfev:
                raise Stop(f"the budget of {self.max_nfev} evaluations is used up")
            if time.monotonic() > self.deadline:
                raise Stop(f"the time budget of {self.max_seconds:g} s is used up")
            value = self.system.rhs(y)
            # a loss that is linear has a slope where x has left the formula's domain, too
            if not (np.isfinite(value).all() and np.isfinite(self.system.z).all()):
                if strict:
                    raise Stop("nonfinite")
                return np.full_like(value, np.nan)
            latest = float(np.max(np.abs(value)))
            if strict and latest > max(_WILD * level, begin):
                # a Newton iteration from there cancels, and its error estimate sees nothing
                raise Stop("a trial step went far beyond the solution")
            return value

        def jac(t: float, y: Array) -> Array:
            self.njev += 1
            value = self.system.jacobian(y)
            if not np.isfinite(value).all():
                raise Stop("nonfinite")
            return value

        def solver_at(t: float, y: Array, first: float | None) -> Any:
            options: dict[str, Any] = {"rtol": rtol, "atol": atol * shrunk}
            if strict and self.system.has_jacobian:
                options["jac"] = jac
            if first is not None and first > 0:
                options["first_step"] = min(first, bound - t)
            return METHODS[method](rhs, t, y, bound, **options)

        retries, shrunk = 0, 1.0
        first: float | None = None
        y = self.system.y0
        solver: Any = None
        while True:
            now = self.times[-1]
            try:
                # trial steps of the solver may overflow; what it accepts is looked at
                with np.errstate(all="ignore"):
                    if solver is None:
                        level = np.inf
                        solver = solver_at(now, y, first)
                        level = latest
                        begin = min(begin, level)
                    solver.step()
                failed = solver.status == "failed" or not np.isfinite(solver.y).all()
                reason = "the step size falls below rounding error"
            except Stop as stop:
                reason, failed = str(stop), True
            except (ValueError, np.linalg.LinAlgError, RuntimeError) as error:
                reason, failed = f"the solver broke off ({error})", True
            if failed:
                budget = "budget" in reason
                last = now - self.times[-2] if len(self.times) > 1 else 1e-3
                if strict and not budget and retries < 6:
                    # a stiff solver that looked too far ahead gets a shorter first step
                    retries += 1
                    first, solver = max(last * 10.0 ** (-2 * retries), 1e-15 * now), None
                    continue
                ended = self._settle()
                if ended is not None:
                    return ended
                if budget:
                    return -1, f"Stopped at t = {now:.10g}: {reason}."
                return self._exit(reason)
            retries, first, level = 0, None, latest
            y = np.array(solver.y)
            try:
                with np.errstate(all="ignore"):
                    piece = solver.dense_output()
            except Stop as stop:
                # DOP853 evaluates the right-hand side again for its dense output
                return -1, f"Stopped at t = {now:.10g}: {stop}."
            self.pieces.append((piece, self.system))
            self.times.append(float(solver.t))
            self.ys.append(y)
            if progress is not None:
                progress(float(solver.t))
            reached = self._interpolates(y) and self.stop_at_target
            finished = solver.status == "finished"
            moved = None
            if (
                not reached
                and not finished
                and (len(self.ys) % _LOOK == 0 or not self.system.boundless)
            ):
                moved = self.system.recentered(y, RECENTER)
            if reached or finished or moved is not None or len(self.ys) % _TOGETHER == 0:
                ended = self._settle()
                if ended is not None:
                    return ended
            if reached:
                return 1, f"Interpolation is reached at t = {self.times[-1]:.10g}."
            if finished:
                return 0, "The end of the time span is reached."
            if moved is not None:
                self.system, y, solver = moved, moved.y0, None
                shrunk = self._shrunk(moved.theta(y))

    def last(self) -> tuple[Array, System] | None:
        """The unknowns at the last time, and their system; None before the first step."""
        return (self.ys[len(self.states) - 1], self.pieces[-1][1]) if self.pieces else None

    def cancelled(self) -> float:
        r"""How far x is off at the last time, relative to its size, by cancellation in $A^T\nu$.

        Where no x fits, $\nu$ grows for ever, and $A^T\nu$ stays.
        """
        last = self.last()
        A = self.problem.A
        if last is None or isinstance(A, LinearOperator):
            return 0.0
        y, system = last
        size = np.asarray(abs(A).T @ np.abs(y))
        with np.errstate(all="ignore"):
            far = size > _CANCELS * np.abs(self.problem.pull_back(y))
            here = system.curve.geometry(self.states[-1])
            moved = np.where(far, here.speed**2 * size * np.finfo(float).eps, 0.0)
            # an x of zero is as large as one that the targets ask for
            least = 0.0 if self.target is None else float(np.max(np.abs(self.target)))
            whole = max(float(np.max(np.abs(here.x))), least / self.problem.largest)
            return float(np.max(moved) / whole) if far.any() else 0.0

    def _shrunk(self, theta: Array) -> float:
        """How much shorter the curves are nearly straight than at the start: at most 1.

        What counts as small in the dual variables next to a pole is small in this length.
        """
        curve = self.system.curve
        with np.errstate(all="ignore"):
            now = float(np.nanmin(curve.geometry(theta).radius))
            start = float(np.nanmin(curve.geometry(self.states[0]).radius))
            share = now / start
        return share if 0 < share < 1 else 1.0

    def _settle(self) -> tuple[int, str] | None:
        """The parameters of the steps that wait for it; the end of the run if they blow up."""
        waiting = self.ys[len(self.states) :]
        if not waiting:
            return None
        with np.errstate(all="ignore"):
            theta = self.system.theta(np.stack(waiting, axis=-1))
            size = np.max(np.abs(theta), axis=(0, 1))
        begin = len(self.states)
        self.states.extend(np.moveaxis(theta, -1, 0))
        wrong = np.flatnonzero(~(size <= self.huge))
        if not wrong.size:
            return None
        last = begin + int(wrong[0])
        blown = bool(size[wrong[0]] > self.huge) and np.isfinite(size[wrong[0]])
        keep = last + 1 if blown else last
        del self.times[keep:], self.ys[keep:], self.states[keep:], self.pieces[keep - 1 :]
        self.t_events["interpolation"] = [
            t for t in self.t_events["interpolation"] if t <= self.times[-1]
        ]
        if not blown:
            return self._exit("the parameters leave the range of finite numbers")
        self.t_events["blow_up"].append(self.times[-1])
        return -1, f"The parameters blow up near t = {self.times[-1]:.10g}."

    def _interpolates(self, y: Array) -> bool:
        """Record the time at which the relative residual passes `tol` during the last step."""
        if "interpolation" not in self.events or self.t_events["interpolation"]:
            return False
        # what the last evaluation saw tells whether a look at the step itself can pay
        if self.residual(self.system.z) > 1e3 * self.tol:
            return False
        if self.residual(self.problem.predict(self.system.x(y))) > self.tol:
            return False
        at = self._crossing()
        if self.stop_at_target:
            self.times[-1], self.ys[-1] = at, np.asarray(self.pieces[-1][0](at))
        return True

    def _crossing(self) -> float:
        """The time within the last step at which the relative residual passes `tol`; recorded."""
        piece, system = self.pieces[-1]
        a, b = self.times[-2:]

        def gap(t: float) -> float:
            residual = self.residual(self.problem.predict(system.x(piece(t))))
            return float(np.log(max(residual, 1e-300) / self.tol))

        at = float(brentq(gap, a, b, xtol=1e-15 * b)) if gap(a) > 0 > gap(b) else b
        self.t_events["interpolation"].append(at)
        return at

    def _exit(self, reason: str) -> tuple[int, str]:
        """Tell the exit from the formula's domain, at a finite xi, from other failures."""
        found = self._boundary(self.times[-1], self.states[-1])
        if found is None:
            return -1, f"Stopped at t = {self.times[-1]:.10g}: {reason}."
        # next to the boundary the absolute tolerance hides the exit; approach it relatively
        early = self.times[0] + 0.95 * (found[0] - self.times[0])
        i = max(int(np.searchsorted(self.times, early)) - 1, 0)
        system = PrimalSystem(
            self.system.block, self.problem, self.system.objective, self.states[i]
        )
        with np.errstate(all="ignore"):
            solver = DOP853(
                lambda t, y: system.rhs(y), self.times[i], system.y0, np.inf, rtol=1e-13,
                atol=1e-250,
            )  # fmt: skip
        state, now = self.states[i], self.times[i]
        for _ in range(2000):
            with np.errstate(all="ignore"):
                solver.step()
            theta = system.theta(solver.y)
            if solver.status == "failed" or not np.isfinite(system.block.rho(theta)).all():
                break
            state, now = theta, float(solver.t)
        found = self._boundary(now, state) or found
        at, coordinate, x = found
        self.t_events["boundary"].append(at)
        text = (
            f"Coordinate {coordinate} leaves the domain of the parametrization at t = {at:.12g}, "
            f"where x = {x:.6g}; the flow does not exist beyond."
        )
        return (1 if "boundary" in self.events else -1), text

    def _boundary(self, now: float, theta: Array) -> tuple[float, int, float] | None:
        """Time, coordinate and x of an exit shortly after `now`."""
        curve = self.system.curve
        g = self.system.pulled_back(theta)
        if not np.isfinite(g).all():
            return None
        horizon = 1e-3 * max(now - self.times[0], 1e-3)
        end, reached, inside = curve.travel(theta, -g * horizon, finest=1e-15)
        outside = ~inside & (g != 0)
        if not outside.any():
            return None
        with np.errstate(all="ignore"):
            wait = np.where(outside, np.abs(reached / g), np.inf)
        i = int(np.argmin(wait))
        x = float(curve.block.rho(end)[i])
        if not np.isfinite(x) or abs(x) > 1e6 * (1 + float(np.max(np.abs(self.x0)))):
            return None
        return now + float(wait[i]), i, x

    def states_at(self, times: Array) -> list[Array]:
        """The parameters at times within the run, each of shape (k, d)."""
        return [self.at(s) for s in times]

    @property
    def x0(self) -> Array:
        return self.system.block.rho(self.states[0])
