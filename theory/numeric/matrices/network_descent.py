r"""Finite steps for linear networks, with a penalty on the singular values of the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import SmoothLoss
from theory.numeric.matrices.network_flow import read_theta
from theory.numeric.matrices.options import number, whole
from theory.numeric.matrices.spectral import Penalty
from theory.numeric.optimizer import rate_text
from theory.numeric.optimizers import Optimizer, bound_to, read_optimizer

if TYPE_CHECKING:
    from theory.numeric.matrices.linear_network import LinearNetwork

__all__ = ["NetworkDescent", "descend"]


@dataclass(frozen=True, eq=False)
class NetworkDescent:
    r"""A run of an optimizer on a linear network.

    Parameters
    ----------
    step : ndarray of int, shape (nt,)
        The recorded steps, 0 and the last among them.
    loss : ndarray, shape (nt,)
        C(A) without penalty and weight decay.
    sigma : ndarray, shape (r, nt)
        Singular values of A, in decreasing order.
    measured : ndarray, shape (nt,)
        What `measure` gave; empty without it.
    theta : ndarray, shape (size,)
    product : ndarray, shape (n_L, n_0)
        A at the end.
    drift : float
        The largest change of the balancedness, $\max_l\|\Delta_l - \Delta_l(0)\|_F$, at the end:
        zero along the gradient flow without weight decay, whatever the penalty.
    success : bool
    message : str
    nit : int
    """

    step: np.ndarray
    loss: Array
    sigma: Array
    measured: Array
    theta: Array
    product: Array
    drift: float
    success: bool
    message: str
    nit: int


def descend(
    network: LinearNetwork,
    loss: SmoothLoss,
    start: Array,
    optimizer: Optimizer | float,
    *,
    penalty: Penalty | None = None,
    penalty_from: int = 0,
    weight_decay: float = 0.0,
    steps: int = 10_000,
    loss_tol: float = 1e-12,
    records: int = 200,
    measure: Callable[[Array], float] | None = None,
    progress: Callable[[int], None] | None = None,
) -> NetworkDescent:
    r"""Minimize $C(A_\theta) + P(A_\theta) + \lambda\|\theta\|^2$ by an optimizer.

    Parameters
    ----------
    network : LinearNetwork
    loss : SmoothLoss
    start : ndarray, shape (size,)
    optimizer : Optimizer or float
        Of `theory.optimizers`; a number is the rate of gradient descent.
    penalty : Penalty, optional
        Of the product, as `theory.numeric.matrices.spectral.RatioPenalty`; one thin singular value
        decomposition a step.
    penalty_from : int
        The first step with the penalty. The gradient of the ratio is $1/\|W\|_F$ large: from a tiny
        start a first step with it throws plain gradient descent far away.
    weight_decay : float
        $\lambda \ge 0$, of the sum of squares of all weights.
    steps : int
        At most.
    loss_tol : float
        C at which the run ends; 0 for all steps.
    records : int
        About how many steps are kept, evenly in their number.
    measure : callable, optional
        A number of A that is kept with them, such as an error on held-out entries.
    progress : callable, optional
        Called with the number of steps that are made, at every record.

    Returns
    -------
    NetworkDescent
        ``success`` is False when the run diverges; without a loss_tol, or with a penalty, the end
        of the steps is a success.

    Raises
    ------
    ShapeError, StartError, DomainError
        For a start, options or an optimizer that do not fit.
    """
    theta = read_theta(network, loss, start)
    optimizer = bound_to(read_optimizer(optimizer), network.shapes)
    steps, records = whole("steps", steps), whole("records", records)
    for name, value in (("loss_tol", loss_tol), ("weight_decay", weight_decay)):
        number(name, value, least=0)
    penalty_from = whole("penalty_from", penalty_from, least=0)
    before = network.balancedness(theta)
    kept = set(np.unique(np.linspace(0, steps, max(records, 2)).round().astype(int)).tolist())
    state, done = optimizer.begin(theta), 0
    run = _Records([], [], [], [])
    success, message = True, f"All {steps} steps are made."
    with np.errstate(all="ignore"):
        for done in range(steps + 1):
            penalized = penalty if done >= penalty_from else None
            A, g = network.value_and_pull_back(
                theta,
                lambda A, p=penalized: _slope(loss, p, A),  # type: ignore[misc]
            )
            if weight_decay:
                g += 2 * weight_decay * theta
            value = float(loss.value(A))
            # with a penalty there is more to minimize where the loss is zero already
            fits = value <= loss_tol and loss_tol > 0
            last = done == steps or fits or not np.isfinite(value)
            if last or done in kept:
                run.keep(done, value, A, measure)
                if progress is not None:
                    progress(done)
            if not (np.isfinite(value) and np.isfinite(g).all()):
                success = False
                message = (
                    f"The run diverges within {done} steps of {optimizer.name}: "
                    f"rate = {rate_text(optimizer)} is too large."
                )
                break
            if fits:
                message = f"The loss is below {loss_tol:g} after {done} steps."
                break
            if done == steps:
                if loss_tol > 0 and penalty is None and not weight_decay:
                    success = value <= 1e-6 * run.losses[0]
                    message = f"The loss is {value:.3g} after all {steps} steps."
                break
            update, state = optimizer.update(g, state)
            theta += update
    after = network.balancedness(theta)
    return NetworkDescent(
        step=np.array(run.steps),
        loss=np.array(run.losses),
        sigma=np.array(run.sigmas).T,
        measured=np.array(run.measured),
        theta=theta,
        product=network.product(theta),
        drift=max(
            (float(np.linalg.norm(a - b)) for a, b in zip(after, before, strict=True)), default=0.0
        ),
        success=success,
        message=message,
        nit=done,
    )


def _slope(loss: SmoothLoss, penalty: Penalty | None, A: Array) -> Array:
    G = loss.gradient(A)
    if penalty is None:
        return G
    if not np.isfinite(A).all():
        return np.full(A.shape, np.nan)
    return G + penalty.gradient(*np.linalg.svd(A, full_matrices=False))


@dataclass
class _Records:
    steps: list[int]
    losses: list[float]
    sigmas: list[Array]
    measured: list[float]

    def keep(
        self, step: int, value: float, A: Array, measure: Callable[[Array], float] | None
    ) -> None:
        finite = np.isfinite(A).all()
        self.steps.append(step)
        self.losses.append(value)
        self.sigmas.append(
            np.asarray(np.linalg.svd(A, compute_uv=False), dtype=np.float64)
            if finite
            else np.full(min(A.shape), np.nan)
        )
        if measure is not None:
            self.measured.append(float(measure(A)))
