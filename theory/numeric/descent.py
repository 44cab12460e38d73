r"""Finite steps instead of the flow: full gradients, mini-batches, noisy labels, momentum.

Every gradient is $\nabla\rho(\theta)\,A^T r$ with some $r \in \mathbb{R}^n$. So a run that ends at
interpolation ends where the *flow* goes from the point that lies back along the dual curves by
$\xi = A^T\lambda$, with $\lambda = -h\sum_k r_k$: there $x_\infty = k(A^T\lambda)$ and $Ax_\infty =
z^*$, which is what a limit point is. That point is the effective start. As the steps vanish it
tends to the start; to first order, the conservation laws tell the difference
(`theory.flow.step_drift`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import DataError, DomainError, InfeasibleTarget
from theory.flow.gradient_flow import FlowModel
from theory.flow.step_drift import step_drift
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.objective import compile_objective, target_predictor
from theory.numeric.optimizer import rate_text
from theory.numeric.optimizers import Optimizer, State, read_optimizer
from theory.numeric.problem import Regression
from theory.numeric.start import Start, read_constants

__all__ = ["DescentResult", "descend"]


@dataclass(frozen=True, eq=False)
class DescentResult:
    r"""A run with finite steps.

    Parameters
    ----------
    step : ndarray of int, shape (nt,)
        The recorded steps, 0 and the last among them.
    t : ndarray, shape (nt,)
        The time of the flow that they stand for; NaN for optimizers that follow no flow.
    theta : ndarray, shape (k, d, nt)
    x : ndarray, shape (d, nt)
    loss : ndarray, shape (nt,)
        Summed over samples, without the noise of labels.
    end : ndarray, shape (d,)
    multipliers : ndarray, shape (n,)
        $\lambda = -h\sum_k r_k$, NaN for optimizers that follow no flow.
    law_change : ndarray, shape (laws, d)
        Of every conservation law in every coordinate, from the start to the end.
    law_prediction : ndarray, shape (laws, d)
        The same to first order in the step, a sum of $D(\theta_k)$ of `theory.flow.step_drift`
        times squares and products of the gradients; NaN for optimizers that follow no flow.
    effective_start : ndarray, shape (k, d)
        The start from which the flow goes where the run has gone; NaN where the curve back from
        the end does not exist that far, or the optimizer follows no flow.
    success : bool
    message : str
    nit : int
        Steps.
    """

    step: np.ndarray
    t: Array
    theta: Array
    x: Array
    loss: Array
    end: Array
    multipliers: Array
    law_change: Array
    law_prediction: Array
    effective_start: Array
    success: bool
    message: str
    nit: int


def descend(
    model: FlowModel,
    problem: Regression,
    start: Start,
    optimizer: Optimizer | float,
    *,
    steps: int = 100_000,
    tol: float | None = 1e-8,
    batch_size: int | None = None,
    label_noise: float = 0.0,
    seed: int | np.random.SeedSequence = 0,
    records: int = 200,
    laws: Sequence[sp.Expr] = (),
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
) -> DescentResult:
    r"""Run an optimizer on `problem` from `start`.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
    optimizer : Optimizer or float
        A number is the rate of gradient descent.
    steps : int
        At most.
    tol : float or None
        Relative residual of A x = z* that ends the run; None: all steps.
    batch_size : int, optional
        Samples of a gradient, drawn without replacement in each step; its expectation is the full
        gradient. All samples unless given.
    label_noise : float
        Standard deviation of normal noise on the targets, drawn anew in each step.
    seed : int or SeedSequence
        Of samples and noise.
    records : int
        About how many steps are kept, evenly in the logarithm.
    laws : sequence of sympy.Expr
        Conservation laws whose change is measured and predicted.
    closed_form
        As for `limit_point`, for the effective start.

    Returns
    -------
    DescentResult
        With ``success`` False when the run diverges, or does not come to `tol`.

    Raises
    ------
    DomainError
        For options out of range.
    DataError
        For noise on labels of a loss that is not defined for all real targets.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2 - v**2", "u, v"))
    >>> run = descend(model, Regression([[1.0, 2.0]], [1.0]), {"u": 0.1, "v": 0.1}, 0.05)
    >>> run.success, run.end.round(3).tolist()
    (True, [0.072, 0.464])
    """
    optimizer = read_optimizer(optimizer)
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected a seed >= 0 but got {seed!r}: {error}.") from error
    _check_options(model, problem, steps, tol, batch_size, label_noise, records)
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    objective = compile_objective(model, problem.y)
    try:
        target = target_predictor(model, problem.y)
    except InfeasibleTarget:
        target = None
    if tol is not None and target is None:
        raise DomainError(
            "Expected tol=None: the loss has no finite minimizer, so there is no residual to end "
            "at."
        )
    block, theta = curve.block, curve.theta0.copy()
    drawn = _Samples(problem, batch_size, label_noise, rng)
    constants = read_constants(model.elementwise, start)
    values, drifts = _compiled_laws(model, laws, constants)
    state = optimizer.begin(theta)
    h = optimizer.time_step
    memory: State = ()
    size = 0.0 if target is None else float(np.linalg.norm(target))
    kept = set(np.unique(np.geomspace(1, max(steps, 1), max(records, 2)).round()).tolist())
    recorded, states = [0], [theta.copy()]
    total, predicted = np.zeros(problem.n), np.zeros((len(laws), problem.d))
    huge = 1e12 * max(1.0, float(np.max(np.abs(theta))))
    success, message = tol is None, f"All {steps} steps are made."
    done = 0
    with np.errstate(all="ignore"):
        for done in range(steps + 1):
            z = problem.predict(block.rho(theta))
            if tol is not None and target is not None:
                gap = float(np.linalg.norm(z - target))
                if gap <= tol * (size if size > 0 else 1.0):
                    success, message = True, f"Interpolation is reached after {done} steps."
                    break
            if not np.max(np.abs(theta)) <= huge or not np.isfinite(z).all():
                success = False
                message = (
                    f"The run diverges within {done} steps of {optimizer.name}: "
                    f"rate = {rate_text(optimizer)} is too large for these data."
                )
                break
            if done == steps:
                if tol is not None:
                    message = f"The residual is above tol = {tol:g} after all {steps} steps."
                break
            r = drawn.residual(objective.slope_at, z)
            g = problem.pull_back(r)
            if len(laws):
                spread, memory = optimizer.spread(g, memory)
                predicted += spread * np.stack(drifts(*theta))
            update, state = optimizer.update(block.field(theta) * g, state)
            theta = theta + update
            total += r
            if done + 1 in kept:
                recorded.append(done + 1)
                states.append(theta.copy())
    if recorded[-1] != done:
        recorded.append(done)
        states.append(theta.copy())
    many = np.stack(states, axis=-1)
    x = block.rho(many.reshape(block.k, -1)).reshape(problem.d, -1)
    multipliers = -h * total
    back = np.full_like(theta, np.nan)
    if np.isfinite(multipliers).all() and np.isfinite(theta).all():
        back, _ = curve.advance(theta, -problem.pull_back(multipliers))
    with np.errstate(all="ignore"):
        change = np.stack(values(*theta)) - np.stack(values(*curve.theta0)) if laws else predicted
        loss = objective.value(problem.predict(x))
    return DescentResult(
        step=np.array(recorded),
        t=h * np.array(recorded),
        theta=many,
        x=x,
        loss=loss,
        end=x[:, -1],
        multipliers=multipliers,
        law_change=change,
        law_prediction=predicted,
        effective_start=back,
        success=success,
        message=message,
        nit=done,
    )


def _check_options(
    model: FlowModel,
    problem: Regression,
    steps: int,
    tol: float | None,
    batch_size: int | None,
    label_noise: float,
    records: int,
) -> None:
    for name, value, least in (("steps", steps, 0), ("records", records, 2)):
        if not isinstance(value, int | np.integer) or value < least:
            raise DomainError(f"Expected an integer {name} >= {least} but got {value!r}.")
    if tol is not None and not 0 < tol < 1:
        raise DomainError(f"Expected 0 < tol < 1, or None, but got tol = {tol!r}.")
    if batch_size is not None and (
        not isinstance(batch_size, int | np.integer) or not 1 <= batch_size <= problem.n
    ):
        raise DomainError(f"Expected 1 <= batch_size <= {problem.n} but got {batch_size!r}.")
    if not (np.isfinite(label_noise) and label_noise >= 0):
        raise DomainError(f"Expected label_noise >= 0 but got {label_noise!r}.")
    targets = model.loss.targets
    everywhere = (
        targets.values is None and np.isinf([float(targets.lower), float(targets.upper)]).all()
    )
    if label_noise > 0 and not everywhere:
        raise DataError(
            f"Expected a loss that is defined for all real targets for label_noise > 0 but "
            f"{model.loss.name} has targets in {targets}."
        )


_Laws = Callable[..., tuple[Array, ...]]


def _compiled_laws(
    model: FlowModel, laws: Sequence[sp.Expr], constants: Mapping[sp.Symbol, Any]
) -> tuple[_Laws, _Laws]:
    parameters = model.elementwise.parameters
    drifts = [step_drift(law, model.elementwise).subs(constants) for law in laws]
    return (
        compile_expressions([law.subs(constants) for law in laws], parameters),
        compile_expressions(drifts, parameters),
    )


class _Samples:
    """The samples and the noise of every step."""

    def __init__(
        self,
        problem: Regression,
        batch_size: int | None,
        label_noise: float,
        rng: np.random.Generator,
    ) -> None:
        self.y, self.n, self.rng = problem.y, problem.n, rng
        self.batch_size = None if batch_size == problem.n else batch_size
        self.label_noise = label_noise

    def residual(self, slope: Callable[[Array, Array], Array], z: Array) -> Array:
        """The r with $A^T r$ the gradient in x that the step sees, shape (n,)."""
        y = self.y
        if self.label_noise > 0:
            y = y + self.label_noise * self.rng.standard_normal(self.n)
        r = slope(z, y)
        if self.batch_size is None:
            return r
        chosen = self.rng.choice(self.n, self.batch_size, replace=False)
        out = np.zeros(self.n)
        out[chosen] = (self.n / self.batch_size) * r[chosen]
        return out
