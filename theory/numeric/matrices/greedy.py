r"""The greedy low-rank algorithm: minimize over rank one, two, and so on, each from the last.

$A_k$ is the local minimum of C over matrices of rank at most k that descent reaches from $A_{k-1} +
\epsilon\,u v^T$, with the top singular pair of $-\nabla C(A_{k-1})$. It is what a deep linear
network does from a tiny start, with $A_k$ at its plateaus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from theory.errors import DomainError
from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import SmoothLoss, read_loss
from theory.numeric.matrices.options import positive, whole

__all__ = ["GreedyStage", "greedy_low_rank"]


@dataclass(frozen=True, eq=False)
class GreedyStage:
    r"""The minimum over matrices of one rank.

    Parameters
    ----------
    rank : int
    loss : float
    product : ndarray, shape (m, n)
    slope : float
        $\|\nabla C(A_k)\|_2$; zero at a minimum over all matrices of a convex C.
    """

    rank: int
    loss: float
    product: Array
    slope: float


def greedy_low_rank(
    loss: SmoothLoss,
    *,
    most: int | None = None,
    epsilon: float = 1e-3,
    tol: float = 1e-8,
) -> tuple[GreedyStage, ...]:
    r"""All stages, from $A_0 = 0$ until $\nabla C(A_k)$ vanishes.

    Parameters
    ----------
    loss : SmoothLoss
    most : int, optional
        The largest rank.
    epsilon : float
        The size of the new rank-one part at the beginning of a stage.
    tol : float
        $\|\nabla C(A_k)\|_2$ that counts as zero, relative to the one at zero.

    Raises
    ------
    DomainError
        For options that are not positive.

    Examples
    --------
    >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
    >>> stages = greedy_low_rank(MatrixLoss([[3.0, 0.0], [0.0, 1.0]]))
    >>> [(stage.rank, round(stage.loss, 6)) for stage in stages]
    [(0, 5.0), (1, 0.5), (2, 0.0)]

    References
    ----------
    Li, Luo and Lyu, "Towards resolving the implicit bias of gradient descent for matrix
    factorization", ICLR 2021; conjectured for deep networks by Jacot et al., arXiv:2106.15933.
    """
    shape = read_loss(loss).shape
    most = min(shape) if most is None else whole("most", most)
    if most > min(shape):
        raise DomainError(f"Expected 1 <= most <= {min(shape)} but got most = {most!r}.")
    epsilon, tol = positive("epsilon", epsilon), positive("tol", tol)
    A = np.zeros(shape)
    G = loss.gradient(A)
    first = float(np.linalg.norm(G, 2))
    stages = [GreedyStage(0, float(loss.value(A)), A, first)]
    while stages[-1].rank < most and stages[-1].slope > tol * first:
        k = stages[-1].rank + 1
        A = _descended(loss, stages[-1].product, G, k, epsilon)
        G = loss.gradient(A)
        stages.append(GreedyStage(k, float(loss.value(A)), A, float(np.linalg.norm(G, 2))))
    return tuple(stages)


def _descended(loss: SmoothLoss, A: Array, G: Array, k: int, epsilon: float) -> Array:
    """The minimum over rank k that L-BFGS reaches, balanced anew after each of its runs."""
    m, n = A.shape
    u, _, vt = np.linalg.svd(-G)
    A = A + epsilon * np.outer(u[:, 0], vt[0])

    def objective(flat: Array) -> tuple[float, Array]:
        U, V = flat[: m * k].reshape(m, k), flat[m * k :].reshape(n, k)
        product = U @ V.T
        slope = loss.gradient(product)
        return loss.value(product), np.concatenate([(slope @ V).ravel(), (slope.T @ U).ravel()])

    before = np.inf
    for _ in range(20):
        U, sigma, Vt = np.linalg.svd(A)
        root = np.sqrt(sigma[:k])
        begin = np.concatenate([(U[:, :k] * root).ravel(), (Vt[:k].T * root).ravel()])
        found = minimize(
            objective, begin, jac=True, method="L-BFGS-B",
            options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-12},
        )  # fmt: skip
        A = found.x[: m * k].reshape(m, k) @ found.x[m * k :].reshape(n, k).T
        if not found.fun < before * (1 - 1e-9):
            break
        before = float(found.fun)
    return np.asarray(A)
