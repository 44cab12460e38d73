r"""The gradient flow in time, with the guards that a bare ODE solver lacks.

Two forms: the parameters $\theta' = -P\,\nabla\rho\,(A^T r)$, or the n dual variables
$\nu' = \nabla_z\ell(h(A\,k(-A^T\nu)), y)$, whose conservation laws are exact and which starts from
1e-100 as well as from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DomainError, InfeasibleTarget
from theory.flow.gradient_flow import FlowModel
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.march import EVENTS, METHODS, Run
from theory.numeric.problem import Regression
from theory.numeric.start import Start, read_constants
from theory.numeric.systems import DualSystem, PrimalSystem, System

__all__ = ["FlowResult", "integrate"]


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
    events: Sequence[str] = EVENTS,
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
    t0, t1 = _time_span(t)
    _check_options(method, mode, rtol, atol, events)
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    objective = compile_objective(model, problem.y)
    theta0 = curve.theta0
    nonzero = np.abs(theta0[theta0 != 0])
    smallest = float(nonzero.min()) if nonzero.size else 1.0
    mode, method, choice = _chosen(mode, method, closed_form is not None, smallest, t1 - t0)
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
        scale = float(np.min(curve.geometry(theta0).radius)) / float(np.max(np.abs(problem.dense)))
        atol = 1e-2 * rtol * min(scale, 1.0) if atol is None else atol
    else:
        system = PrimalSystem(curve.block, problem, objective, theta0)
        atol = 1e-3 * rtol * smallest if atol is None else atol
    run = Run(system, problem, target, tol, stop_at_target, tuple(events), t0)
    run.budget(max_nfev, max_seconds)
    status, message = run.march(t0, t1, method, rtol, float(atol), progress)
    times = np.array(run.times)
    if t_eval is not None:
        times = np.asarray(t_eval, dtype=np.float64)
        if times.ndim != 1 or np.any((times < t0) | (times > t1)):
            raise DomainError(f"Expected t_eval within [{t0}, {t1}] but got {t_eval!r}.")
        times = times[times <= run.times[-1]]
        states = run.states_at(times)
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


def _time_span(t: float | tuple[float, float] | None) -> tuple[float, float]:
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
    if method != "auto" and method not in METHODS:
        raise DomainError(f"Expected method in {('auto', *METHODS)} but got {method!r}.")
    if mode not in ("auto", "primal", "dual"):
        raise DomainError(f"Expected mode 'auto', 'primal' or 'dual' but got {mode!r}.")
    if not 3e-14 <= rtol <= 1e-6:
        raise DomainError(
            f"Expected 3e-14 <= rtol <= 1e-6 but got rtol = {rtol!r}; looser runs are not reliable "
            "near the saddle at zero."
        )
    if atol is not None and not atol >= 0:
        raise DomainError(f"Expected atol >= 0 but got atol = {atol!r}.")
    unknown = [e for e in events if e not in EVENTS]
    if unknown or isinstance(events, str):
        raise DomainError(f"Expected events among {EVENTS} but got {events!r}.")


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
