"""The flows of all members of a batch in one integration, each with its own steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import DomainError, InfeasibleTarget, UnsupportedFormula
from theory.flow.gradient_flow import FlowModel
from theory.numeric.batch import Batch, read_members
from theory.numeric.batch_march import March, Task, march_by_pairs
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.prepared import read_time_span
from theory.numeric.series import compiled
from theory.numeric.start import Start

__all__ = ["BatchResult", "integrate_batch"]


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
    backend: str = "auto",
    threads: int = 1,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
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
        Relative tolerance of a step; at most 1e-6.
    atol : float, optional
        ``1e-3 * rtol * min |theta0|`` over the nonzero start values unless given.
    tol : float
        Relative residual that counts as interpolation.
    t_eval : array_like, optional
        Increasing times of the output, within the time span.
    max_steps, max_seconds
        Budgets of a member, and of all; a member that exceeds one has ``success`` False.
    backend : {"auto", "numba", "numpy"}
        Taylor steps in Numba, the extra ``fast``, or the pair DOP853 in NumPy. "auto" takes Numba
        where it is installed and the formulas have Taylor series.
    threads : int
        Of Numba's; the result does not depend on it.
    closed_form : ClosedForm or mapping, optional
        The dual curve in closed form. Numba integrates the n dual variables where the curve has no
        ends, and then takes the tolerances of `integrate` for them; with an `atol`, which is for
        theta, it integrates theta.

    Raises
    ------
    DomainError
        For an empty time span, tolerances out of range, times outside of the span, and a backend
        that is unknown or not installed.
    UnsupportedFormula
        With ``backend="numba"`` for a formula with kinks or without a recurrence.

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
    if not (isinstance(threads, int) and threads >= 1):
        raise DomainError(f"Expected threads as a positive integer but got {threads!r}.")
    block, theta0, constants = read_members(model.elementwise, start, batch)
    _, m, _ = theta0.shape
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
    smallest = float(nonzero.min()) if nonzero.size else 0.0
    task = Task(
        model=model,
        constants=constants,
        # a tolerance for theta is none for the dual variables
        closed_form=closed_form if atol is None else None,
        batch=batch,
        block=block,
        objective=objective,
        theta0=theta0,
        targets=targets,
        goal=goal,
        tol=tol,
        times=times - t0,
        span=t1 - t0,
        rtol=rtol,
        atol=1e-3 * rtol * smallest if atol is None else float(atol),
        max_steps=max_steps,
        max_seconds=max_seconds,
    )
    return _result(task, _march(task, backend, threads), t0, times)


def _march(task: Task, backend: str, threads: int) -> March:
    if not compiled(backend):
        return march_by_pairs(task)
    from theory.numeric.batch_taylor import march_by_series

    try:
        return march_by_series(task, threads)
    except UnsupportedFormula:
        if backend == "numba":
            raise
        return march_by_pairs(task)


def _result(task: Task, march: March, t0: float, times: Array) -> BatchResult:
    k, m, d = task.theta0.shape
    outputs = march.outputs
    if times[0] == t0:
        outputs[..., 0] = task.y0.T
    theta = outputs.reshape(m, k, d, len(times))
    x = task.block.rho(np.moveaxis(theta, 1, 0).reshape(k, -1)).reshape(m, d, len(times))
    end = task.block.rho(march.end.reshape(k, -1)).reshape(d, m)
    z = task.batch.predict(end, np.arange(m))
    t_end = t0 + march.reached
    return BatchResult(
        t=times,
        theta=theta,
        x=x,
        end=end.T.copy(),
        t_end=t_end,
        loss=task.objective.losses_at(z, task.targets.T),
        t_interpolation=t0 + march.event_at,
        success=march.inside,
        message=tuple(
            _message(success, expired, task.until_then, at)
            for success, expired, at in zip(
                march.inside.tolist(), march.expired.tolist(), t_end.tolist(), strict=True
            )
        ),
        steps=march.steps,
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
