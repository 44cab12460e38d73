"""A flow that is compiled once and integrated over one or many time spans."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DomainError, InfeasibleTarget, IntegrationFailed, UnsupportedFormula
from theory.flow.gradient_flow import FlowModel
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.march import EVENTS, METHODS, Run
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.problem import Regression
from theory.numeric.series import (
    BACKENDS,
    FINISHED,
    Engine,
    Spec,
    compiled,
    dual_spec,
    make_engine,
    primal_spec,
)
from theory.numeric.start import Start, read_constants
from theory.numeric.stiff import MOST_WORK, StiffRun
from theory.numeric.systems import DualSystem, PrimalSystem, System
from theory.numeric.taylor import TaylorRun, first_unit
from theory.numeric.uncertainty import TOLERATED

__all__ = ["FlowResult", "PreparedFlow", "read_time_span"]

_FAST_STEPS = 200


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


class PreparedFlow:
    r"""A flow with everything compiled that does not depend on the time span.

    Parameters
    ----------
    model, problem, start, method, mode, rtol, atol, laws, closed_form, backend
        As of `integrate`, with the same errors.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2", "u"))
    >>> flow = PreparedFlow(model, Regression([[1.0]], [1.0]), {"u": 0.5}, method="Taylor")
    >>> [round(float(flow.run(t).end[0]), 6) for t in (1, 2)]
    [0.947915, 0.998995]
    """

    def __init__(
        self,
        model: FlowModel,
        problem: Regression,
        start: Start,
        *,
        method: str = "auto",
        mode: str = "auto",
        rtol: float = 1e-10,
        atol: float | None = None,
        laws: Sequence[sp.Expr] = (),
        closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
        backend: str = "auto",
    ) -> None:
        _check_options(method, mode, rtol, atol, backend)
        self.model, self.problem, self.start = model, problem, start
        self.method, self.mode, self.backend = method, mode, backend
        self.rtol, self.atol = rtol, atol
        self.curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
        if closed_form is not None and not isinstance(closed_form, ClosedForm):
            closed_form = ClosedForm.from_mapping(closed_form, model.elementwise)
        self.closed_form = None if self.curve.closed is None else closed_form
        self.objective = compile_objective(model, problem.y)
        nonzero = np.abs(self.curve.theta0[self.curve.theta0 != 0])
        self.smallest = float(nonzero.min()) if nonzero.size else 1.0
        self.target: Array | None = None
        with suppress(InfeasibleTarget):
            self.target = target_predictor(model, problem.y)
        constants = read_constants(model.elementwise, start)
        parameters = model.elementwise.parameters
        self.laws = tuple(_compile_law(law.subs(constants), parameters) for law in laws)
        self._specs: dict[bool, Spec] = {}
        self._units: dict[bool, float] = {}
        self._engines: list[Engine] = []

    def run(
        self,
        t: float | tuple[float, float] | None = None,
        *,
        events: Sequence[str] = EVENTS,
        terminal: bool | None = None,
        tol: float = 1e-8,
        t_eval: ArrayLike | None = None,
        max_nfev: int = 1_000_000,
        max_seconds: float = 60.0,
        progress: Callable[[float], None] | None = None,
    ) -> FlowResult:
        """The trajectory over a time span; options and errors as of `integrate`."""
        t0, t1 = read_time_span(t)
        _check_events(events)
        stop_at_target = not np.isfinite(t1) if terminal is None else terminal
        if not np.isfinite(t1) and self.target is None:
            raise DomainError(
                "Expected a finite end of the time span: the loss has no finite minimizer, so "
                "there is no interpolation to run to."
            )
        outputs = None if t_eval is None else _read_times(t_eval, t0, t1)
        mode, method, choice = _chosen(
            self.mode, self.method, self.closed_form is not None, self.smallest, t1 - t0
        )
        options = (self.problem, self.target, tol, stop_at_target, tuple(events), t0)
        budgets = (max_nfev, max_seconds, time.monotonic() + max_seconds)
        run, mode, method, choice, status, message = self._march(
            mode, method, choice, options, budgets, t0, t1, progress
        )
        lost = run.cancelled() if mode == "dual" else 0.0
        if not lost <= TOLERATED and self.mode == "auto" and time.monotonic() < budgets[2]:
            method = "LSODA" if self.method == "auto" else self.method
            choice = f"primal by {method}: the dual variables grow until they cancel in A^T nu"
            run, mode, method, choice, status, message = self._march(
                "primal", method, choice, options, budgets, t0, t1, progress
            )
        elif not lost <= TOLERATED:
            status = -1
            message = (
                f"Stopped at t = {run.times[-1]:.10g}: the dual variables have grown until they "
                f"cancel in A^T nu, and rounding moves x by {lost:.1e} of its size; some target is "
                "out of reach. Take mode='primal', or a shorter time."
            )
        times, states = np.array(run.times), run.states
        if outputs is not None:
            times = outputs[outputs <= run.times[-1]]
            states = run.states_at(times)
        theta0 = self.curve.theta0
        theta = np.stack(states, axis=-1) if states else np.empty((*theta0.shape, 0))
        x = self.curve.block.rho(theta.reshape(theta0.shape[0], -1)).reshape(self.problem.d, -1)
        return FlowResult(
            t=times,
            y=theta.reshape(theta0.size, theta.shape[-1]),
            theta=theta,
            x=x,
            loss=self.objective.value(self.problem.predict(x)) if x.shape[1] else np.empty(0),
            end=self.curve.block.rho(run.states[-1]),
            drift=tuple(_drift(law(*theta)) for law in self.laws),
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

    def _march(
        self,
        mode: str,
        method: str,
        choice: str,
        options: tuple[Any, ...],
        budgets: tuple[int, float, float],
        t0: float,
        t1: float,
        progress: Callable[[float], None] | None,
    ) -> tuple[Run, str, str, str, int, str]:
        """The run, its mode, method and choice, and how it ended."""
        atol = self._tolerance(mode) if self.atol is None else self.atol
        limits = (self.rtol, float(atol), progress)
        stiff = self._stiff(mode, method, atol)
        run: Run
        if stiff is not None:
            run = StiffRun(stiff, self.backend, self._cap(stiff), self._system(mode), *options)
            run.budget(*budgets)
            ended = run.march(t0, t1, "BDF", *limits)
            # what was lost is tried again by LSODA from shorter steps
            if self.method != "auto" or not run.lost or ended[0] >= 0:
                return run, mode, "BDF", choice.replace("by LSODA", "by BDF, compiled"), *ended
        if method == "Taylor":
            mode, choice, spec = self._series(mode, choice, atol)
            run = TaylorRun(spec, self.backend, self._cap(spec), self._system(mode), *options)
        else:
            run = Run(self._system(mode), *options)
        run.budget(*budgets)
        return run, mode, method, choice, *run.march(t0, t1, method, *limits)

    def _stiff(self, mode: str, method: str, atol: float) -> Spec | None:
        """What compiled stiff steps need; None where they are not wanted, or cannot be made."""
        wanted = method == "BDF" or (method == "LSODA" and self.method == "auto")
        n, d = self.problem.n, self.problem.d
        small = isinstance(self.problem.A, np.ndarray) and n * n * d <= MOST_WORK
        known = mode == "dual" and self.closed_form is not None and self.curve.domain is not None
        if not (wanted and small and known and compiled(self.backend)):
            return None
        with suppress(UnsupportedFormula):
            return self._series(mode, "", atol)[2]
        return None

    def predictors(self, times: ArrayLike) -> Array:
        """The predictor x alone at increasing times from 0 on, shape (d, nt).

        A Taylor run over at most a few hundred steps goes without the records and events of `run`,
        which for small data take more time than the steps.

        Raises
        ------
        DomainError
            For times that do not increase from a time >= 0.
        IntegrationFailed
            When the last time is not reached.

        Examples
        --------
        >>> from theory.flow.parametrization import Elementwise
        >>> model = FlowModel(Elementwise("u**2", "u"))
        >>> flow = PreparedFlow(model, Regression([[1.0]], [1.0]), {"u": 0.5}, method="Taylor")
        >>> flow.predictors([0, 1, 2]).round(6).tolist()
        [[0.25, 0.947915, 0.998995]]
        """
        try:
            wanted = np.asarray(times, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise DomainError(f"Expected a list of finite times but got {times!r}.") from error
        if wanted.ndim != 1 or wanted.size == 0 or not np.isfinite(wanted).all():
            raise DomainError(f"Expected a list of finite times but got {times!r}.")
        if wanted[0] < 0 or np.any(np.diff(wanted) < 0) or wanted[-1] == 0:
            raise DomainError(f"Expected increasing times from 0 on but got {times!r}.")
        x = self._fast(wanted) if self.method == "Taylor" else None
        if x is not None:
            return x
        run = self.run(float(wanted[-1]), t_eval=wanted)
        if not run.success or run.t.size < wanted.size:
            raise IntegrationFailed(run.message)
        return run.x

    def _fast(self, times: Array) -> Array | None:
        """One chunk of Taylor steps; None where it does not reach the end or a curve may end."""
        mode, _, _ = _chosen(self.mode, "Taylor", self.closed_form is not None, 1.0, 1.0)
        tolerance = self._tolerance(mode) if self.atol is None else self.atol
        mode, _, spec = self._series(mode, "", tolerance)
        closed = self.curve.closed
        if spec.dual and (closed is None or self.curve.domain is None or not spec.unbounded):
            return None
        engine = self._engines.pop() if self._engines else make_engine(spec, self.backend)
        theta0, end = self.curve.theta0, float(times[-1])
        y = np.zeros(spec.size) if spec.dual else theta0.ravel()
        chunk = engine.march(0.0, y, end, _FAST_STEPS, self._unit(spec, mode), self._cap(spec))
        # no two threads have the same engine
        self._engines.append(engine)
        if chunk.status != FINISHED:
            return None
        states = engine.states_at(chunk, times)
        if spec.dual and closed is not None:
            dense = isinstance(self.problem.A, np.ndarray)
            s = states @ self.problem.A if dense else self.problem.pull_back(states.T).T
            if self._value is not None:
                with np.errstate(all="ignore"):
                    x = self._value(s).T
                return x if np.isfinite(x).all() else None
            theta = np.array(closed(-s, *theta0))
        else:
            theta = np.moveaxis(states.reshape(len(times), *theta0.shape), 1, 0)
        x = self.curve.block.rho(theta.reshape(len(theta0), -1)).reshape(len(times), -1).T
        return x if np.isfinite(x).all() else None

    @cached_property
    def _value(self) -> Callable[[Array], Array] | None:
        """k(-s) of the dual form, for s of shape (..., d)."""
        system = self._system("dual")
        return system.value if isinstance(system, DualSystem) else None

    def _unit(self, spec: Spec, mode: str) -> float:
        """A guess of the first step."""
        if spec.dual not in self._units:
            system = self._system(mode)
            self._units[spec.dual] = first_unit(spec, self._cap(spec), system.y0, system.rhs)
        return self._units[spec.dual]

    def _cap(self, spec: Spec) -> float:
        return self._scale if spec.dual else np.inf

    def _system(self, mode: str) -> System:
        if mode == "dual":
            return DualSystem(self.curve, self.problem, self.objective, self.curve.theta0)
        return PrimalSystem(self.curve.block, self.problem, self.objective, self.curve.theta0)

    def _tolerance(self, mode: str) -> float:
        if mode == "primal":
            return 1e-3 * self.rtol * self.smallest
        return 1e-2 * self.rtol * min(self._scale, 1.0)

    @cached_property
    def _scale(self) -> float:
        """A length of the dual variables within which the curves are nearly straight."""
        radius = float(np.min(self.curve.geometry(self.curve.theta0).radius))
        return radius / self.problem.largest

    def _series(self, mode: str, choice: str, atol: float) -> tuple[str, str, Spec]:
        """What is expanded; the primal form where the closed form has no series."""
        common = (self.model, self.problem, self.start, self.curve)
        if mode == "dual" and self.closed_form is None:
            raise UnsupportedFormula(
                "The dual form by Taylor series needs a closed form of the curve, and there is "
                "none. Take mode='primal', whose series follow the curve as well."
            )
        if mode == "dual":
            try:
                if True not in self._specs:
                    closed = self.closed_form
                    assert closed is not None
                    self._specs[True] = dual_spec(*common, closed, self.rtol, atol)
                return mode, choice, self._specs[True]
            except UnsupportedFormula:
                if self.mode == "dual":
                    raise
                mode, choice = "primal", "primal by Taylor: the closed curve has no Taylor series"
                atol = self._tolerance(mode) if self.atol is None else atol
        if False not in self._specs:
            self._specs[False] = primal_spec(*common, self.rtol, atol)
        return mode, choice, self._specs[False]


def _chosen(
    mode: str, method: str, closed: bool, smallest: float, length: float
) -> tuple[str, str, str]:
    """Mode, method and the reason: stiffness comes from small starts and from long times."""
    if method == "Taylor":
        why = "the curve has a closed form" if closed else "no closed form of the curve"
        given = mode != "auto"
        mode = mode if given else "dual" if closed else "primal"
        return mode, method, "as asked for" if given else f"{mode} by Taylor: {why}"
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


def read_time_span(t: float | tuple[float, float] | None) -> tuple[float, float]:
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


def _read_times(t_eval: ArrayLike, t0: float, t1: float) -> Array:
    try:
        times = np.asarray(t_eval, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected t_eval as an array of times but got {t_eval!r}.") from error
    if times.ndim != 1 or not np.all((times >= t0) & (times <= t1)):
        raise DomainError(f"Expected t_eval within [{t0}, {t1}] but got {t_eval!r}.")
    return times


def _check_options(method: str, mode: str, rtol: float, atol: float | None, backend: str) -> None:
    if method not in ("auto", "Taylor") and method not in METHODS:
        raise DomainError(f"Expected method in {('auto', 'Taylor', *METHODS)} but got {method!r}.")
    if mode not in ("auto", "primal", "dual"):
        raise DomainError(f"Expected mode 'auto', 'primal' or 'dual' but got {mode!r}.")
    if not 3e-14 <= rtol <= 1e-6:
        raise DomainError(
            f"Expected 3e-14 <= rtol <= 1e-6 but got rtol = {rtol!r}; looser runs are not reliable "
            "near the saddle at zero."
        )
    if atol is not None and not atol >= 0:
        raise DomainError(f"Expected atol >= 0 but got atol = {atol!r}.")
    if backend not in BACKENDS:
        raise DomainError(f"Expected backend in {BACKENDS} but got {backend!r}.")


def _check_events(events: Sequence[str]) -> None:
    unknown = [e for e in events if e not in EVENTS]
    if unknown or isinstance(events, str):
        raise DomainError(f"Expected events among {EVENTS} but got {events!r}.")


def _compile_law(law: sp.Expr, parameters: Sequence[sp.Symbol]) -> Callable[..., tuple[Array, ...]]:
    return compile_expressions(sp.Add.make_args(law), parameters)


def _drift(terms: tuple[Array, ...]) -> float:
    values = np.array(terms)
    if values.shape[-1] == 0:
        return 0.0
    total = values.sum(axis=0)
    size = np.maximum(np.abs(values).sum(axis=0), np.abs(values[..., :1]).sum(axis=0))
    with np.errstate(invalid="ignore"):
        change = np.where(size > 0, np.abs(total - total[..., :1]) / size, 0.0)
    return float(np.max(change))
