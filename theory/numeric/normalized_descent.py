r"""Gradient descent with finite steps, weight-normalized or plain, for many runs at once.

Normalized: $r \leftarrow r - \mu\eta\langle g, u\rangle$ and
$u \leftarrow u - \mu r(g - u\langle u, g\rangle)$, then u is normalized again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory.errors import DomainError
from theory.numeric.compile import Array
from theory.numeric.normalized import NormalizedProblem

__all__ = ["DescentRun", "descend"]


@dataclass(frozen=True, eq=False)
class DescentRun:
    """What finite steps reached, one entry for each start.

    Parameters
    ----------
    x : ndarray, shape (runs, d)
        At the last iteration.
    loss : ndarray, shape (runs,)
    first : dict from a level to an int array of shape (runs,)
        The first iteration with a relative error below the level, or -1.
    first_residual : ndarray of int, shape (runs,)
        The first iteration with a relative residual below 1e-2, or -1.
    norm : ndarray, shape (runs,)
        Of u at the end, 1 when it is normalized again in each step.
    iterations : int
    success : bool
    message : str
    """

    x: Array
    loss: Array
    first: dict[float, np.ndarray]
    first_residual: np.ndarray
    norm: Array
    iterations: int
    success: bool
    message: str


def descend(
    runs: Sequence[NormalizedProblem],
    *,
    step: float,
    iterations: int,
    truth: Array | None = None,
    levels: Sequence[float] = (0.1, 0.03, 0.01),
    normalized: bool = True,
    renormalize: bool = True,
) -> DescentRun:
    r"""Run gradient descent from several starts on the same data.

    Parameters
    ----------
    runs : sequence of NormalizedProblem
        Of one matrix, one depth and one set of targets; start and rate may differ.
    step : float
        $\mu$, applied with the pace of each model.
    iterations : int
        The runs end earlier when all levels are reached.
    truth : ndarray, shape (d,), optional
        The x whose relative error is measured.
    levels : sequence of float
    normalized : bool
        False: plain gradient descent on w.
    renormalize : bool
        False: u is not normalized again, so that its norm drifts.

    Raises
    ------
    DomainError
        For runs that do not share their data, and for a step or a count that is not positive.
    """
    if not runs:
        raise DomainError("Expected at least one run but got none.")
    p = runs[0]
    if any(
        q.depth != p.depth or q.A.shape != p.A.shape or np.any(q.A != p.A)
        or np.any(q.objective.y != p.objective.y) or len(q.blocks) > 1
        for q in runs
    ):  # fmt: skip
        raise DomainError("Expected runs of one depth on the same data, each with one radius.")
    if not step > 0 or iterations < 1:
        raise DomainError(f"Expected step > 0, iterations >= 1 but got {step!r}, {iterations!r}.")
    A, L = p.A, p.depth
    rate = step * np.array([[q.pace] for q in runs])
    eta = np.array([[q.eta] for q in runs])
    w = np.array([q.w0 for q in runs])
    r = np.linalg.norm(w, axis=1, keepdims=True)
    u = w / r
    size = np.linalg.norm(truth) if truth is not None else 1.0
    goal = p.target if p.target is not None else p.objective.y
    scale = float(np.linalg.norm(goal)) or 1.0
    first = {level: np.full(len(runs), -1) for level in levels}
    first_residual = np.full(len(runs), -1)
    done = 0
    for k in range(iterations + 1):
        x = p.power(w, L)
        z = A @ x.T
        gap = np.linalg.norm(z - goal[:, None], axis=0) / scale
        first_residual[(first_residual < 0) & (gap < 1e-2)] = k
        if truth is not None:
            error = np.linalg.norm(p.predictor(x.T) - truth[:, None], axis=0) / size
            for level, at in first.items():
                at[(at < 0) & (error < level)] = k
            if all((at >= 0).all() for at in first.values()):
                done = k
                break
        if k == iterations or not np.isfinite(gap).all():
            done = k
            break
        g = L * p.power(w, L - 1) * (A.T @ p.objective.slope(z)).T
        if not normalized:
            w = w - rate * g
            continue
        length = np.linalg.norm(u, axis=1, keepdims=True)
        unit = u / length
        along = np.sum(unit * g, axis=1, keepdims=True)
        new_r = r - rate * eta * along
        u = u - rate * r / length * (g - unit * along)
        r = new_r
        length = np.linalg.norm(u, axis=1, keepdims=True)
        if renormalize:
            u = u / length
            w = r * u
        else:
            w = r * u / length
    x = p.power(w, L)
    finite = bool(np.isfinite(x).all())
    return DescentRun(
        x=p.predictor(x.T).T,
        loss=np.asarray(p.objective.value(A @ x.T)),
        first=first,
        first_residual=first_residual,
        norm=np.linalg.norm(u, axis=1),
        iterations=done,
        success=finite,
        message="Finished." if finite else "The iteration diverged; take a smaller step.",
    )
