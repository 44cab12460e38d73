r"""Local minima of a loss with weight decay, by L-BFGS in the weights.

In the weights, not in A: for L > 2 the regularizer $\lambda L\sum_i\sigma_i^{2/L}$ of A has an
infinite derivative at zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import SmoothLoss
from theory.numeric.matrices.network_flow import read_theta
from theory.numeric.matrices.network_run import Field
from theory.numeric.matrices.options import number, positive, whole

if TYPE_CHECKING:
    from theory.numeric.matrices.linear_network import LinearNetwork

__all__ = ["NetworkMinimum", "minimize_network"]


@dataclass(frozen=True, eq=False)
class NetworkMinimum:
    r"""Where a descent from one start ends.

    Parameters
    ----------
    theta : ndarray, shape (size,)
    product : ndarray, shape (n_L, n_0)
    sigma : ndarray, shape (r,)
        Singular values of the product.
    loss : float
        With the weight decay.
    slope : float
        $\|\nabla\mathcal{L}\|$.
    success : bool
        Whether the slope is below `tol`. A saddle that the start cannot leave counts as well: the
        second derivatives are not looked at.
    message : str
    nit : int
    """

    theta: Array
    product: Array
    sigma: Array
    loss: float
    slope: float
    success: bool
    message: str
    nit: int


def minimize_network(
    network: LinearNetwork,
    loss: SmoothLoss,
    start: Array,
    *,
    weight_decay: float = 0.0,
    tol: float = 1e-7,
    max_iterations: int = 20_000,
) -> NetworkMinimum:
    r"""A local minimum of $C(A_\theta) + \lambda\|\theta\|^2$.

    Parameters
    ----------
    network : LinearNetwork
    loss : SmoothLoss
    start : ndarray, shape (size,)
    weight_decay : float
        $\lambda \ge 0$.
    tol : float
        Of the gradient, relative to $1 + \|\nabla\mathcal{L}(\theta_0)\|$.
    max_iterations : int

    Raises
    ------
    ShapeError, StartError, DomainError

    Examples
    --------
    >>> from theory.numeric.matrices.linear_network import LinearNetwork
    >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
    >>> network = LinearNetwork([2, 2, 2])
    >>> start = network.start(std=1.0)
    >>> C = MatrixLoss([[3.0, 0.0], [0.0, 1.0]])
    >>> found = minimize_network(network, C, start, weight_decay=0.1)
    >>> found.success, found.sigma.round(4).tolist()
    (True, [2.8, 0.8])
    """
    theta = read_theta(network, loss, start)
    weight_decay = number("weight_decay", weight_decay, least=0)
    tol, max_iterations = positive("tol", tol), whole("max_iterations", max_iterations)
    field = Field(network, loss, weight_decay)

    def objective(theta: Array) -> tuple[float, Array]:
        slope = field(theta)
        return field.value(theta, field.A), slope

    goal = tol * (1.0 + float(np.linalg.norm(field(theta))))
    nit = 0
    # L-BFGS stops where the loss has no digits left; a new start of it forgets stale curvature
    for _ in range(5):
        found = minimize(
            objective, theta, jac=True, method="L-BFGS-B",
            options={"maxiter": max_iterations, "maxfun": 2 * max_iterations, "ftol": 0.0,
                     "gtol": 0.1 * goal / np.sqrt(len(theta)), "maxcor": 30},
        )  # fmt: skip
        theta, nit = np.asarray(found.x), nit + int(found.nit)
        slope = float(np.linalg.norm(field(theta)))
        if slope <= goal or nit >= max_iterations:
            break
    A = network.product(theta)
    success = slope <= goal
    return NetworkMinimum(
        theta=theta,
        product=A,
        sigma=np.asarray(np.linalg.svd(A, compute_uv=False), dtype=np.float64),
        loss=field.value(theta, A),
        slope=slope,
        success=success,
        message=(
            f"A critical point after {nit} steps, where the descent ends."
            if success
            else f"The gradient is still {slope:.1e} after {nit} steps."
        ),
        nit=nit,
    )
