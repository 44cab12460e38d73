r"""Where the weight-normalized flow goes, by a convex problem in n variables.

The limit is $x = (\nabla F)^{-1}(\theta_0 + A^T\lambda)$ with $Ax = z^*$, the stationary point of
the convex $\Phi(\lambda) = F^*(\theta_0 + A^T\lambda) - \langle\lambda, z^*\rangle$. The range of
$\nabla F$ has a hole, the convex set where $F^*$ continued by 0 vanishes; its boundary is x = 0.
The flow moves $\lambda$ along $-\nabla_z\ell$, and where it meets the hole it stays at x = 0 for
ever: then the solution of the convex problem is a point that the flow never sees. So no limit is
returned before one of these says that the hole is avoided: the loss of the start is below that of
x = 0; the divergence to the limit is below the least one on the boundary; or the path of $\lambda$
itself, followed until one of the two is true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.optimize import nnls

from theory.errors import DomainError, InfeasibleTarget, UnsupportedFormula
from theory.numeric.compile import Array
from theory.numeric.constrained import minimize_over_box
from theory.numeric.newton import relative_residual
from theory.numeric.normalized import NormalizedProblem, integrate_normalized
from theory.numeric.normalized_map import MapState, NormalizedMap
from theory.numeric.normalized_trap import avoids_origin

__all__ = ["NormalizedLimit", "normalized_limit"]


@dataclass(frozen=True, eq=False)
class NormalizedLimit:
    r"""Where the weight-normalized flow goes.

    Parameters
    ----------
    x : ndarray, shape (d,)
    w : ndarray, shape (m,)
        Absolute values of the weights at the limit; m = 2 d for signed models.
    multipliers : ndarray, shape (n,)
        $\lambda$ with $\nabla F(x) - \nabla F(x_0) = A^T\lambda$ times $e^{-p s_0/(2\eta)}$,
        $p = L - 2$; NaN for a trapped flow and for blockwise normalization.
    prediction : ndarray, shape (n,)
        Limit of A x.
    kkt_residual : float
        Relative residual of A x = prediction.
    uncertainty : float
        Estimate of the relative error of x from rounding.
    magnification : float
        $\rho = (r_0/r_\infty)e^{(r_\infty^2 - r_0^2)/(2\eta)}$.
    trapped : bool
        Whether the flow runs into x = 0 although other x have a lower loss.
    reason : str
        Why the hole is avoided, or not.
    loss : float
    reachable : bool
        Whether some x > 0 interpolates.
    success : bool
    message : str
    nit : int
        Newton steps.
    """

    x: Array
    w: Array
    multipliers: Array
    prediction: Array
    kkt_residual: float
    uncertainty: float
    magnification: float
    trapped: bool
    reason: str
    loss: float
    reachable: bool
    success: bool
    message: str
    nit: int


def normalized_limit(
    p: NormalizedProblem, *, rtol: float = 1e-12, max_iterations: int = 400
) -> NormalizedLimit:
    """The limit point of the weight-normalized flow.

    Raises
    ------
    UnsupportedFormula
        For depths between 1 and 2, whose entries reach zero in finite time, and below 1.
    InfeasibleTarget
        When the loss has no finite minimizer.
    """
    if not 0 < rtol <= 1e-3:
        raise DomainError(f"Expected 0 < rtol <= 1e-3 but got rtol = {rtol!r}.")
    if p.depth != 1 and p.depth < 2:
        raise UnsupportedFormula(
            f"Expected L = 1 or L >= 2 but got L = {p.depth}: entries of x reach zero in finite "
            "time. Integrate instead."
        )
    if p.target is None:
        raise InfeasibleTarget(
            "The loss has no minimizer at a finite predictor, so the flow has no finite limit."
        )
    if len(p.blocks) > 1:
        return _by_integration(p)
    # far from the solution powers and exponentials overflow; what is not finite is not accepted
    with np.errstate(over="ignore", invalid="ignore"):
        return _of_one_block(p, p.target, rtol, max_iterations)


def _of_one_block(
    p: NormalizedProblem, target: Array, rtol: float, max_iterations: int
) -> NormalizedLimit:
    r0 = float(np.linalg.norm(p.w0))
    u0 = p.w0 / r0
    mirror = NormalizedMap(p.A, u0, r0**2, p.depth, p.eta)
    prediction, keep = target, np.ones(p.A.shape[1], dtype=bool)
    solved = _solve(mirror, target, rtol, max_iterations) if _in_range(p.A, target) else None
    reachable = solved is not None
    if solved is None:
        low = np.zeros(p.A.shape[1]) if p.depth != 1 else np.full(p.A.shape[1], -np.inf)
        best = minimize_over_box(p.A, p.objective, low, np.full(p.A.shape[1], np.inf))
        prediction, keep = best.z, ~best.lower
        reachable = bool(np.max(np.abs(prediction - target)) <= 1e-9 * np.max(np.abs(target)))
        still = np.max(np.abs(prediction)) <= 1e-12 * np.max(np.abs(target))
        if not keep.any() or (still and not _has_kernel_in_orthant(p.A[:, keep], p.depth)):
            return _at_origin(p, "x = 0 minimizes the loss over x >= 0", trapped=False)
        part = NormalizedMap(p.A[:, keep], u0[keep], mirror.s0, p.depth, p.eta)
        solved = _solve(part, prediction, max(rtol, 1e-10), max_iterations)
    x = np.zeros(p.A.shape[1])
    if solved is not None:
        x[keep] = solved.state.x
    avoided, reason = avoids_origin(p, mirror, x if solved is not None else None)
    if avoided is False:
        return _at_origin(p, reason, trapped=True)
    if solved is None:
        return _failed(p, prediction, reason)
    uncertainty = _uncertainty(p.A[:, keep], mirror.eta, p.depth, u0[keep], solved)
    residual = relative_residual(p.A, x, prediction)
    s = solved.state.s
    with np.errstate(over="ignore"):
        rho = float(np.sqrt(mirror.s0 / s) * np.exp((s - mirror.s0) / (2 * p.eta)))
    success = avoided is True and residual <= max(rtol, 1e-10) and uncertainty <= 1e-6
    if avoided is None:
        message = f"A x = z is solved, but whether the flow runs into x = 0 is open: {reason}."
    elif uncertainty > 1e-6:
        message = (
            "A x = z is solved, but the dual variables of several entries are below rounding: "
            f"relative error up to {uncertainty:.1e}. The limit is the l1 one to high accuracy; "
            "take a larger eta to tell the entries apart."
        )
    elif not reachable:
        message = f"No x >= 0 interpolates; the limit minimizes the loss. {reason}."
    else:
        message = f"Solved: A x = z, and x minimizes the divergence to the start. {reason}."
    return NormalizedLimit(
        x=p.predictor(x),
        w=np.abs(x) ** (1 / p.depth),
        multipliers=solved.multipliers,
        prediction=prediction,
        kkt_residual=residual,
        uncertainty=uncertainty,
        magnification=rho,
        trapped=False,
        reason=reason,
        loss=p.loss(x),
        reachable=reachable,
        success=success,
        message=message,
        nit=solved.nit,
    )


@dataclass(frozen=True, eq=False)
class _Solved:
    state: MapState
    multipliers: Array
    nit: int


def _in_range(A: Array, z: Array) -> bool:
    fit = A @ np.linalg.lstsq(A, z, rcond=None)[0]
    return bool(np.max(np.abs(fit - z)) <= 1e-10 * (1 + np.max(np.abs(z))))


def _solve(
    mirror: NormalizedMap, target: Array, rtol: float, max_iterations: int
) -> _Solved | None:
    """Newton's method with Levenberg damping; steps are cut by the slope of the convex Phi."""
    _, triangle, pivots = qr(mirror.A.T, mode="economic", pivoting=True, check_finite=False)
    size = np.abs(np.diagonal(triangle))
    rank = int(np.sum(size > max(mirror.A.shape) * np.finfo(float).eps * size[0]))
    rows = np.sort(pivots[:rank])
    part = NormalizedMap(mirror.A[rows], mirror.u0, mirror.s0, mirror.depth, mirror.eta)
    A, z = part.A, target[rows]
    n = len(rows)
    inside = _inside(part, z)
    if inside is None:
        return None
    lam, state = inside
    damping = 1e-3 if mirror.depth == 2 else 1e-6
    best, least, since = np.inf, np.inf, 0
    for iteration in range(max_iterations):
        residual = A @ state.x - z
        error = relative_residual(A, state.x, z)
        since = 0 if error < 0.9 * least else since + 1
        least = min(least, error)
        if since > 60:
            return None
        if error <= rtol:
            # polish: quadratic convergence gives the last digits
            if error <= 4 * np.finfo(float).eps or error >= 0.5 * best:
                return _finish(rows, len(target), lam, state, iteration)
            best = error
        H = state.hessian(A)
        scale = float(np.trace(H)) / n
        if not np.isfinite(scale) or scale <= 0:
            return None
        shifted = H + (damping * min(1.0, error) + 1e-15) * scale * np.eye(n)
        try:
            step = -np.linalg.solve(shifted, residual)
        except np.linalg.LinAlgError:
            damping *= 10
            continue
        slope = float(residual @ step)
        t, moved = 1.0, False
        while t > 1e-13:
            trial = part.state(lam + t * step)
            if trial is not None:
                # the derivative of Phi along the step, over its value at the beginning
                ratio = float((A @ trial.x - z) @ step) / slope if slope else 0.0
                if np.isfinite(ratio) and ratio >= -0.5:
                    moved = True
                    break
            t *= 0.5
        if not moved:
            if error <= rtol:
                return _finish(rows, len(target), lam, state, iteration)
            damping = max(10 * damping, 1e-12)
            if damping > 1e12:
                return None
            continue
        damping = max(damping / 5, 1e-18) if t == 1.0 else damping * (4 if t < 0.1 else 1)
        lam = lam + t * step
        assert trial is not None
        state = trial
    return None


def _has_kernel_in_orthant(A: Array, depth: float) -> bool:
    """Whether some nonzero x >= 0, or any x for one layer, has A x = 0: then 0 is not alone."""
    if depth == 1:
        return bool(np.linalg.matrix_rank(A) < A.shape[1])
    scale = float(np.max(np.abs(A)))
    if scale == 0:
        return True
    extended = np.vstack([A / scale, np.ones(A.shape[1])])
    _, residual = nnls(extended, np.append(np.zeros(len(A)), 1.0))
    return bool(residual < 1e-9)


def _inside(part: NormalizedMap, z: Array) -> tuple[Array, MapState] | None:
    r"""Multipliers in the domain: zero, or a multiple of a vector along which some entry grows.

    With $z = Ax$, $x \ge 0$, it is z itself: $z^TAx > 0$; without, any column.
    """
    lam = np.zeros(len(z))
    state = part.state(lam)
    if state is not None:
        return lam, state
    p = part.depth - 2
    for v in (z, *part.A.T):
        slope = part.A.T @ v
        top = float(np.max(slope))
        if not top > 0:
            continue
        if p > 0:
            end = float(np.min(part.u0[slope > 0] ** -p / (p * slope[slope > 0])))
            steps = [end * (1 - 0.5**k) for k in range(1, 50)]
        else:
            steps = [2.0**k / top for k in range(-10, 10)]
        for t in steps:
            with np.errstate(over="ignore"):
                state = part.state(t * v)
            if state is not None and np.isfinite(state.x).all():
                return t * v, state
    return None


def _finish(rows: np.ndarray, n: int, lam: Array, state: MapState, nit: int) -> _Solved:
    multipliers = np.zeros(n)
    multipliers[rows] = lam
    return _Solved(state, multipliers, nit)


def _uncertainty(A: Array, eta: float, depth: float, u0: Array, solved: _Solved) -> float:
    """Relative error of x from rounding of the dual variables, as for elementwise flows."""
    state = solved.state
    reach = np.abs(A).T @ np.abs(solved.multipliers)
    if depth == 2:
        noise = np.finfo(float).eps * reach
    else:
        noise = np.finfo(float).eps * (u0 ** (2 - depth) / abs(depth - 2) + reach)
    moved = state.diagonal * noise
    if not np.isfinite(moved).all():
        return np.inf
    n = np.linalg.matrix_rank(A)
    if n == A.shape[1]:
        return 0.0
    pivots = qr(A * (state.diagonal / np.max(state.diagonal)) ** 0.5, mode="r", pivoting=True)[1]
    basic, other = pivots[:n], pivots[n:]
    # the entries that carry the samples adjust to what the others do
    C = np.abs(np.linalg.lstsq(A[:, basic], A[:, other], rcond=None)[0])
    if depth == 2:
        moved[other] = state.diagonal[other] * (noise[other] + C.T @ noise[basic])
    shift = moved[other]
    worst = max(float(np.max(shift)), float(np.max(C @ shift)))
    size = float(np.max(np.abs(state.x)))
    return worst / size if size > 0 else 0.0


def _at_origin(p: NormalizedProblem, reason: str, *, trapped: bool) -> NormalizedLimit:
    n, m = p.A.shape
    zero = np.zeros(m)
    return NormalizedLimit(
        x=p.predictor(zero), w=zero, multipliers=np.full(n, np.nan), prediction=np.zeros(n),
        kkt_residual=0.0, uncertainty=0.0, magnification=np.nan, trapped=trapped, reason=reason,
        loss=p.loss(zero), reachable=False, success=True,
        message=f"The limit is x = 0. {reason}.", nit=0,
    )  # fmt: skip


def _failed(p: NormalizedProblem, prediction: Array, reason: str) -> NormalizedLimit:
    n, m = p.A.shape
    nothing = np.full(m, np.nan)
    return NormalizedLimit(
        x=p.predictor(nothing), w=nothing, multipliers=np.full(n, np.nan), prediction=prediction,
        kkt_residual=np.inf, uncertainty=np.inf, magnification=np.nan, trapped=False,
        reason=reason, loss=np.nan, reachable=False, success=False,
        message="Newton's method did not reach A x = z; integrate the flow instead.", nit=0,
    )  # fmt: skip


def _by_integration(p: NormalizedProblem) -> NormalizedLimit:
    """Two radii: no potential, so the flow itself is followed."""
    run = integrate_normalized(p, None, tol=1e-10)
    count = len(p.blocks)
    w = run.y[count:, -1].copy()
    for r, block in zip(run.y[:, -1], p.blocks):
        w[block] *= r
    reached = len(run.t_events.get("interpolation", ())) > 0
    n = p.A.shape[0]
    x = p.power(w, p.depth)
    assert p.target is not None
    return NormalizedLimit(
        x=run.end, w=np.abs(w), multipliers=np.full(n, np.nan), prediction=p.A @ x,
        kkt_residual=relative_residual(p.A, x, p.target), uncertainty=1e-8, magnification=np.nan,
        trapped=len(run.t_events["origin"]) > 0, reason="integrated in time",
        loss=p.loss(x), reachable=reached, success=reached, message=run.message, nit=run.nfev,
    )  # fmt: skip
