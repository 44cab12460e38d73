r"""The gradient flow in time, with the guards that a bare ODE solver lacks.

Two forms: the parameters $\theta' = -P\,\nabla\rho\,(A^T r)$, or the n dual variables
$\nu' = \nabla_z\ell(h(A\,k(-A^T\nu)), y)$, whose conservation laws are exact and which starts from
1e-100 as well as from 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from scipy.integrate import BDF, DOP853, LSODA, RK23, RK45, Radau
from scipy.optimize import brentq

from theory.errors import DomainError, InfeasibleTarget
from theory.flow.gradient_flow import FlowModel
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.problem import Regression
from theory.numeric.start import Start, read_constants
from theory.numeric.systems import DualSystem, PrimalSystem, Stop, System

__all__ = ["FlowResult", "integrate", "read_times"]

_METHODS = {
    "RK23": RK23, "RK45": RK45, "DOP853": DOP853, "Radau": Radau, "BDF": BDF, "LSODA": LSODA
}  # fmt: skip
_IMPLICIT = ("Radau", "BDF", "LSODA")
_EVENTS = ("interpolation", "boundary", "blow_up")
# from here on |xi| has lost so many digits next to a pole that the curve is started afresh
_RECENTER = 1e4
# steps between two looks at the parameters
_TOGETHER = 32
# steps between two looks at the size of xi where the curve has no ends
_LOOK = 8


@dataclass(frozen=True, eq=False)
class FlowResult:
    """A trajectory, with SciPy's names and those of the theory.

    Parameters
    ----------
    t : ndarray, shape (nt,)
    y : ndarray, shape (k * d, nt)
        Flattened `theta`.
    theta : ndarray, shape (k, d, nt)
    x : ndarray, shape (d, nt)
    loss : ndarray, shape (nt,)
        Summed over samples.
    end : ndarray, shape (d,)
        x at the last time.
    drift : tuple of float
        Of each conservation law: the largest change, relative to the sum of its terms' sizes.
    sol : callable
        ``sol(t)`` is theta of shape (k, d) at a time within the run.
    t_events : mapping from the name of an event to an array of times
    success : bool
    status : int
        0: the end of the time span; 1: an event; -1: failure.
    message : str
    nfev, njev : int
    mode, method : str
        Which form was integrated ("primal" or "dual"), and how.
    choice : str
        Why.
    """

    t: Array
    y: Array
    theta: Array
    x: Array
    loss: Array
    end: Array
    drift: tuple[float, ...]
    sol: Callable[[float], Array]
    t_events: Mapping[str, Array]
    success: bool
    status: int
    message: str
    nfev: int
    njev: int
    mode: str
    method: str
    choice: str = ""


def integrate(
    model: FlowModel,
    problem: Regression,
    start: Start,
    t: float | tuple[float, float] | None = None,
    *,
    method: str = "auto",
    mode: str = "auto",
    rtol: float = 1e-10,
    atol: float | None = None,
    events: Sequence[str] = _EVENTS,
    terminal: bool | None = None,
    tol: float = 1e-8,
    t_eval: ArrayLike | None = None,
    laws: Sequence[sp.Expr] = (),
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    max_nfev: int = 1_000_000,
    max_seconds: float = 60.0,
    progress: Callable[[float], None] | None = None,
) -> FlowResult:
    r"""Integrate the flow of `model` on `problem` from `start`.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
    t : float, pair of floats or None
        The end, or both ends, of the time span; None or infinity: until interpolation.
    method : {"auto", "DOP853", "RK45", "RK23", "LSODA", "BDF", "Radau"}
    mode : {"auto", "primal", "dual"}
        The dual has n unknowns instead of k*d, exact laws, and an attractor for a limit; without a
        closed form it integrates the curve inside, which is slow. What "auto" takes, and why, is in
        the result's `choice`.
    rtol : float
        At most 1e-6: a looser run may stay at the saddle that it starts from.
    atol : float, optional
        ``1e-3 * rtol * min |theta0|`` over the nonzero start values unless given.
    events : sequence of {"interpolation", "boundary", "blow_up"}
    terminal : bool, optional
        Whether interpolation ends the run; only when t is infinite unless given.
    tol : float
        Relative residual that counts as interpolation.
    t_eval : array_like, optional
        Times of the output; the solver's steps unless given.
    laws : sequence of sympy.Expr
        Conservation laws in the parameters, whose drift is measured.
    closed_form : ClosedForm or mapping, optional
        The dual curve in closed form.
    max_nfev, max_seconds
        Budgets; a run that exceeds one ends with ``success=False``.
    progress : callable, optional
        Called with the time after every step.

    Raises
    ------
    DomainError
        For an empty time span, an unknown method, mode or event, and for a tolerance above 1e-6.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2", "u"))
    >>> run = integrate(model, Regression([[1.0]], [1.0]), {"u": 1e-8}, (0, 30))
    >>> run.success, round(float(run.end[0]), 8)
    (True, 1.0)
    """
    t0, t1 = read_times(t)
    _check_options(method, mode, rtol, atol, events)
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    objective = compile_objective(model, problem.y)
    theta0 = curve.theta0
    nonzero = np.abs(theta0[theta0 != 0])
    smallest = float(nonzero.min()) if nonzero.size else 1.0
    mode, method, choice = _chosen(mode, method, curve.closed is not None, smallest, t1 - t0)
    try:
        target = target_predictor(model, problem.y)
    except InfeasibleTarget:
        target = None
    stop_at_target = not np.isfinite(t1) if terminal is None else terminal
    if not np.isfinite(t1) and target is None:
        raise DomainError(
            "Expected a finite end of the time span: the loss has no finite minimizer, so there is "
            "no interpolation to run to."
        )
    system: System
    if mode == "dual":
        system = DualSystem(curve, problem, objective, theta0)
        scale = float(np.min(curve.geometry(theta0).radius)) / problem.largest
        atol = 1e-2 * rtol * min(scale, 1.0) if atol is None else atol
    else:
        system = PrimalSystem(curve.block, problem, objective, theta0)
        atol = 1e-3 * rtol * smallest if atol is None else atol
    run = _Run(system, problem, target, tol, stop_at_target, tuple(events), t0)
    run.budget(max_nfev, max_seconds)
    status, message = run.march(t0, t1, method, rtol, float(atol), progress)
    times = np.array(run.times)
    if t_eval is not None:
        times = np.asarray(t_eval, dtype=np.float64)
        if times.ndim != 1 or np.any((times < t0) | (times > t1)):
            raise DomainError(f"Expected t_eval within [{t0}, {t1}] but got {t_eval!r}.")
        times = times[times <= run.times[-1]]
        states = [run.at(s) for s in times]
    else:
        states = run.states
    theta = np.stack(states, axis=-1) if states else np.empty((*theta0.shape, 0))
    flat = theta.reshape(theta0.shape[0], -1)
    x = curve.block.rho(flat).reshape(problem.d, -1)
    loss = objective.value(problem.predict(x)) if x.shape[1] else np.empty(0)
    constants = read_constants(model.elementwise, start)
    drift = tuple(_drift(law.subs(constants), model.elementwise.parameters, theta) for law in laws)
    return FlowResult(
        t=times,
        y=theta.reshape(-1, theta.shape[-1]),
        theta=theta,
        x=x,
        loss=loss,
        end=curve.block.rho(run.states[-1]),
        drift=drift,
        sol=run.at,
        t_events={name: np.array(run.t_events[name]) for name in events},
        success=status >= 0,
        status=status,
        message=message,
        nfev=run.nfev,
        njev=run.njev,
        mode=mode,
        method=method,
        choice=choice,
    )


def _chosen(
    mode: str, method: str, closed: bool, smallest: float, length: float
) -> tuple[str, str, str]:
    """Mode, method and the reason: stiffness comes from small starts and from long times."""
    small, long = smallest < 1e-2, length > 100
    why = "a small start" if small else "a long time" if long else "a short time"
    given = mode != "auto" and method != "auto"
    if mode == "auto":
        mode = "dual" if closed and (small or long) else "primal"
        if not closed:
            why += ", and no closed form of the curve"
    if method == "auto":
        method = "LSODA" if small or long else "DOP853"
    return mode, method, "as asked for" if given else f"{mode} by {method}: {why}"


def read_times(t: float | tuple[float, float] | None) -> tuple[float, float]:
    """Both ends of the time span; the second is infinite for None."""
    if t is None:
        return 0.0, np.inf
    try:
        t0, t1 = (0.0, t) if np.ndim(t) == 0 else t  # type: ignore[misc]
        t0, t1 = float(t0), float(t1)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected t as a number or a pair (t0, t1) but got {t!r}.") from error
    if not (np.isfinite(t0) and t1 > t0):
        raise DomainError(f"Expected t0 < t1 with a finite t0 but got t = {t!r}.")
    return t0, t1


def _check_options(
    method: str, mode: str, rtol: float, atol: float | None, events: Sequence[str]
) -> None:
    if method != "auto" and method not in _METHODS:
        raise DomainError(f"Expected method in {('auto', *_METHODS)} but got {method!r}.")
    if mode not in ("auto", "primal", "dual"):
        raise DomainError(f"Expected mode 'auto', 'primal' or 'dual' but got {mode!r}.")
    if not 3e-14 <= rtol <= 1e-6:
        raise DomainError(
            f"Expected 3e-14 <= rtol <= 1e-6 but got rtol = {rtol!r}; looser runs are not reliable "
            "near the saddle at zero."
        )
    if atol is not None and not atol >= 0:
        raise DomainError(f"Expected atol >= 0 but got atol = {atol!r}.")
    unknown = [e for e in events if e not in _EVENTS]
    if unknown or isinstance(events, str):
        raise DomainError(f"Expected events among {_EVENTS} but got {events!r}.")


def _drift(law: sp.Expr, parameters: Sequence[sp.Symbol], theta: Array) -> float:
    terms = sp.Add.make_args(law)
    values = np.array(compile_expressions(terms, parameters)(*theta))
    if values.shape[-1] == 0:
        return 0.0
    total = values.sum(axis=0)
    size = np.maximum(np.abs(values).sum(axis=0), np.abs(values[..., :1]).sum(axis=0))
    with np.errstate(invalid="ignore"):
        change = np.where(size > 0, np.abs(total - total[..., :1]) / size, 0.0)
    return float(np.max(change))


class _Run:
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
        self.t_events: dict[str, list[float]] = {name: [] for name in _EVENTS}
        self.nfev = self.njev = 0
        self.huge = 1e12 * max(1.0, float(np.max(np.abs(self.states[0]))))
        self.size = float(np.linalg.norm(target)) if target is not None else 0.0

    def budget(self, max_nfev: int, max_seconds: float) -> None:
        self.max_nfev, self.deadline = max_nfev, time.monotonic() + max_seconds
        self.max_seconds = max_seconds

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

    def march(
        self,
        t0: float,
        t1: float,
        method: str,
        rtol: float,
        atol: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[int, str]:
        if self.residual(self.problem.predict(self.x0)) <= self.tol:
            self.t_events["interpolation"].append(t0)
            if self.stop_at_target:
                return 1, "The start interpolates."
        strict = method in _IMPLICIT
        # LSODA and the step control work with a finite end
        bound = min(t1, 1e200)

        def rhs(t: float, y: Array) -> Array:
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
            return value

        def jac(t: float, y: Array) -> Array:
            self.njev += 1
            value = self.system.jacobian(y)
            if not np.isfinite(value).all():
                raise Stop("nonfinite")
            return value

        def solver_at(t: float, y: Array, first: float | None) -> Any:
            options: dict[str, Any] = {"rtol": rtol, "atol": atol}
            if strict and self.system.has_jacobian:
                options["jac"] = jac
            if first is not None and first > 0:
                options["first_step"] = min(first, bound - t)
            return _METHODS[method](rhs, t, y, bound, **options)

        retries = 0
        first: float | None = None
        y = self.system.y0
        solver: Any = None
        while True:
            now = self.times[-1]
            try:
                # trial steps of the solver may overflow; what it accepts is looked at
                with np.errstate(all="ignore"):
                    if solver is None:
                        solver = solver_at(now, y, first)
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
            retries, first = 0, None
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
                # without a closed form a distant center costs time as well
                limit = _RECENTER if self.system.curve.closed is not None else 20.0
                moved = self.system.recentered(y, limit)
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
        piece, system = self.pieces[-1]
        a, b = self.times[-2:]

        def gap(t: float) -> float:
            residual = self.residual(self.problem.predict(system.x(piece(t))))
            return float(np.log(max(residual, 1e-300) / self.tol))

        at = float(brentq(gap, a, b, xtol=1e-15 * b)) if gap(a) > 0 > gap(b) else b
        self.t_events["interpolation"].append(at)
        if self.stop_at_target:
            self.times[-1], self.ys[-1] = at, np.asarray(piece(at))
        return True

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
        solver = DOP853(
            lambda t, y: system.rhs(y), self.times[i], system.y0, np.inf, rtol=1e-13, atol=1e-250
        )
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

    @property
    def x0(self) -> Array:
        return self.system.block.rho(self.states[0])
