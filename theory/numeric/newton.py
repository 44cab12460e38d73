r"""Newton's method in the dual, $A\,k(A^T\lambda) = z^*$, along a path of targets.

The function $\Phi(\lambda) = \sum_i F^*_i((A^T\lambda)_i) - \langle\lambda, z^*\rangle$ is convex
with gradient $A\,k(A^T\lambda) - z^*$ and Hessian $A\,\mathrm{diag}(M)A^T$. Plain Newton overflows
from a tiny start, where M is 1e-200 at the start and 1 at the end. So the target moves from
$z_0 = A x_0$ to $z^*$ on a logarithmic scale, and the state is the point on every curve: near a
pole the distance in $\xi$ from the start has no digits left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.numeric.block import Geometry
from theory.numeric.compile import Array
from theory.numeric.dual_curve import NumericCurve
from theory.numeric.normal_equations import Matrix, magnitude, normal_equations

__all__ = ["SOLVED", "DualSolution", "relative_residual", "solve_dual"]

SOLVED = "Solved: A x = z up to rounding, and x minimizes the Bregman divergence to the start."


# times that digits lost on the way are looked for, and the Newton steps of each
_REPAIRS, _MOST_REPAIRING = 3, 100
# what the rounding errors of xi may be, in units of its last digit
_NOISE = 1e4
# a step that ends closer to a pole than this share of its length is too long anyway
_FINEST = 1e-6


@dataclass(frozen=True)
class DualSolution:
    """End of the iteration.

    Parameters
    ----------
    theta : ndarray, shape (k, d)
    x : ndarray, shape (d,)
    multipliers : ndarray, shape (n,)
    residual : float
        Relative residual of A x = z.
    success : bool
    message : str
    nit : int
        Newton steps.
    share : float
        How far the path of targets came, 1 at the end.
    """

    theta: Array
    x: Array
    multipliers: Array
    residual: float
    success: bool
    message: str
    nit: int
    share: float


def relative_residual(A: Matrix, x: Array, z: Array) -> float:
    r"""$\|Ax - z\|_\infty / \| |A||x| + |z| \|_\infty$, the backward error of A x = z."""
    scale = float(np.max(magnitude(A, x) + np.abs(z)))
    gap = float(np.max(np.abs(A @ x - z)))
    return gap / scale if scale > 0 else 0.0


@dataclass
class _State:
    theta: Array
    geometry: Geometry
    multipliers: Array
    nit: int
    # of the step on the path: in the sum it may be below rounding
    increment: Array

    def advance(self, theta: Array, geometry: Geometry, increment: Array) -> None:
        self.theta, self.geometry = theta, geometry
        self.multipliers = self.multipliers + increment
        self.increment = self.increment + increment

    def copy(self) -> _State:
        zero = np.zeros_like(self.increment)
        return _State(self.theta, self.geometry, self.multipliers, self.nit, zero)


def solve_dual(
    curve: NumericCurve,
    A: Matrix,
    target: Array,
    *,
    rtol: float = 1e-12,
    max_iterations: int = 1000,
) -> DualSolution:
    r"""Solve $A\,k(A^T\lambda) = z^*$ for a matrix with linearly independent rows.

    Parameters
    ----------
    curve : NumericCurve
        The curves of the d coordinates.
    A : matrix, shape (n, d)
        An array, a sparse array or an operator.
    target : ndarray, shape (n,)
    rtol : float
        Relative residual that counts as solved.
    max_iterations : int
        Budget of Newton steps.
    """
    zero = np.zeros(A.shape[0])
    state = _State(curve.theta0, curve.geometry(curve.theta0), zero, 0, zero)
    z0 = A @ state.geometry.x
    delta = target - z0
    if relative_residual(A, state.geometry.x, target) <= rtol:
        return _finish(curve, A, target, state, rtol, 1.0)
    share, unit, reach, growth, order = 0.0, 0.0, 1.0, 3.0, 0.0
    attempts, mark = 0, 0.0
    while share < 1.0:
        solve, gamma = normal_equations(A, state.geometry.speed)
        w = solve(delta) / gamma
        direction = A.T @ w
        with np.errstate(over="ignore"):
            pace = float(np.max(np.abs(direction) / state.geometry.radius)) / gamma
        if not np.isfinite(pace) or pace == 0.0:
            return _give_up(A, target, state, share, "the metric underflows: start less close to 0")
        if unit == 0.0:
            unit = 1.0 / pace
        moved = False
        while not moved:
            attempts += 1
            stalled = False
            if attempts % 15 == 0:
                stalled, mark = share + unit < 1.02 * mark, share + unit
            if stalled or reach < 1e-3 or state.nit >= max_iterations:
                return _give_up(
                    A,
                    target,
                    state,
                    share,
                    f"the path of targets stops at the share {share:.6g} after {state.nit} steps",
                )
            span = min(reach / (pace * (share + unit)), 600.0)
            following = (share + unit) * np.exp(span) - unit
            if following >= 1.0:
                following = 1.0
                span = float(np.log((1.0 + unit) / (share + unit)))
            length = (share + unit) * _growth(span, order) / gamma
            theta, inside = curve.advance(state.theta, direction * length, finest=_FINEST)
            if inside.all():
                trial = state.copy()
                trial.advance(theta, curve.geometry(theta), w * length)
                z = target if following == 1.0 else z0 + following * delta
                tolerance = 1e-4 * (following + unit) * float(np.max(np.abs(delta)))
                steps = _correct(curve, A, z, tolerance, trial)
                state.nit = trial.nit
                moved = steps is not None
            if moved and steps is not None:
                unit_w = w / np.max(np.abs(w))
                change = trial.increment * gamma / np.max(np.abs(w))
                covered = float(unit_w @ change) / float(unit_w @ unit_w)
                order = _growth_order(span, covered / (share + unit))
                state, share = trial, float(following)
                reach *= growth if steps <= 4 else (1.0 if steps <= 7 else 0.5)
            else:
                reach, growth = reach / 3.0, 1.25
    _polish(curve, A, target, state, rtol)
    return _finish(curve, A, target, state, rtol, share)


def _growth(span: float, order: float) -> float:
    r"""Length in $\xi$, in units of $x/x'$, in which x grows by $e^{span}$.

    When $x \propto (p - \xi)^{-1/b}$ with the order b this is $(1 - e^{-b\,span})/b$; b = 0 is
    exponential growth, b = -1 linear growth, b > 0 a pole.
    """
    return span if abs(order * span) < 1e-8 else -float(np.expm1(-order * span)) / order


def _growth_order(span: float, covered: float) -> float:
    """The order with which `_growth` would have met the step just made."""
    low, high = -1.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _growth(span, middle) > covered else (low, middle)
    return (low + high) / 2


def _correct(
    curve: NumericCurve, A: Matrix, z: Array, tolerance: float, state: _State
) -> int | None:
    """Damped Newton steps until the residual is below `tolerance`; None when it stays above."""
    for step in range(12):
        residual = A @ state.geometry.x - z
        if not np.isfinite(residual).all():
            return None
        if float(np.max(np.abs(residual))) <= tolerance:
            return step
        if not _newton_step(curve, A, z, residual, state):
            return None
    return None


def _newton_step(curve: NumericCurve, A: Matrix, z: Array, residual: Array, state: _State) -> bool:
    solve, gamma = normal_equations(A, state.geometry.speed)
    # the metric underflows where x goes to an end of its range
    with np.errstate(over="ignore", invalid="ignore"):
        w = -solve(residual) / gamma
        direction = (A.T @ w) / gamma
    if not (np.isfinite(w).all() and np.isfinite(direction).all()):
        return False
    size, big = float(np.max(np.abs(residual))), float(np.max(np.abs(w)))
    if big == 0.0:
        return False
    unit = w / big
    slope = float(unit @ (residual / size))
    t = 1.0
    state.nit += 1
    for _ in range(30):
        theta, inside = curve.advance(state.theta, t * direction, finest=_FINEST)
        if not inside.all():
            t *= 0.25
            continue
        geometry = curve.geometry(theta)
        with np.errstate(over="ignore", invalid="ignore"):
            gap = A @ geometry.x - z
        # the derivative of the convex Phi along the step, over its value at the beginning;
        # no value of F* is needed
        ratio = float(unit @ (gap / size)) / slope if slope != 0.0 else 0.0
        if np.isfinite(ratio) and ratio >= -0.5 and np.isfinite(geometry.slope).all():
            state.advance(theta, geometry, (t / gamma) * w)
            return True
        t *= max(0.1, min(0.5, 1.0 / (1.0 - ratio))) if ratio < -0.5 else 0.25
    return False


def _polish(curve: NumericCurve, A: Matrix, z: Array, state: _State, rtol: float) -> None:
    """Newton steps until the residual stops falling."""
    best = relative_residual(A, state.geometry.x, z)
    for _ in range(40):
        if best <= 4 * np.finfo(float).eps:
            return
        trial = state.copy()
        moved = _newton_step(curve, A, z, A @ trial.geometry.x - z, trial)
        state.nit = trial.nit
        if not moved:
            return
        value = relative_residual(A, trial.geometry.x, z)
        if value >= best:
            if best <= rtol or value >= 2 * best:
                return
        else:
            state.advance(trial.theta, trial.geometry, trial.increment)
        if best <= rtol and value > 0.25 * best:
            return
        best = min(best, value)


def _finish(
    curve: NumericCurve, A: Matrix, z: Array, state: _State, rtol: float, share: float
) -> DualSolution:
    """Recompute from the start where that loses nothing, so that errors of steps do not pile up."""
    found = _recomputed(curve, A, z, state, rtol)
    for _ in range(_REPAIRS):
        if found or _on_curve(curve, A, state):
            break
        _repair(curve, A, z, state, rtol)
        found = _recomputed(curve, A, z, state, rtol)
    residual = relative_residual(A, state.geometry.x, z)
    lost = not found and not _on_curve(curve, A, state)
    success = residual <= rtol and not lost
    message = (
        SOLVED
        if success
        else f"The relative residual {residual:.2e} of A x = z stays above rtol = {rtol:.1e}."
        if not lost
        else "A x = z is solved, but rounding on the way has moved x off the curves of the start: "
        "they lose digits where large parameters become small again."
    )
    return DualSolution(
        state.theta,
        state.geometry.x,
        state.multipliers,
        residual,
        success,
        message,
        state.nit,
        share,
    )


def _recomputed(curve: NumericCurve, A: Matrix, z: Array, state: _State, rtol: float) -> bool:
    """Whether the point of the multipliers, or of better ones, solves A x = z; the state is it."""
    multipliers = state.multipliers
    for _ in range(3):
        xi = A.T @ multipliers
        theta, inside = curve.advance(curve.theta0, xi)
        if not inside.all():
            return False
        geometry = curve.geometry(theta)
        if relative_residual(A, geometry.x, z) <= rtol:
            state.theta, state.geometry, state.multipliers = theta, geometry, multipliers
            return True
        solve, gamma = normal_equations(A, geometry.speed)
        multipliers = multipliers - solve(A @ geometry.x - z) / gamma / gamma
        if not np.isfinite(multipliers).all():
            return False
    return False


def _on_curve(curve: NumericCurve, A: Matrix, state: _State) -> bool:
    r"""Whether x differs from $k(A^T\lambda)$ by what rounding of $\xi$ explains.

    Next to a pole that is much, and the state, which came there in steps, knows x better.
    """
    xi = A.T @ state.multipliers
    theta, inside = curve.advance(curve.theta0, xi)
    here = state.geometry
    with np.errstate(all="ignore"):
        noise = _NOISE * np.finfo(float).eps * np.abs(xi)
        there = curve.geometry(theta)
        speed = np.where(inside, np.maximum(there.speed, here.speed), here.speed)
        room = 1e-9 * np.max(np.abs(here.x)) + speed * (speed * noise)
        near = np.abs(there.x - here.x) <= room
        return bool(np.all((inside & near) | (here.radius <= noise)))


def _repair(curve: NumericCurve, A: Matrix, z: Array, state: _State, rtol: float) -> None:
    """Newton steps from the point of the multipliers, which is on the curves."""
    theta, inside = curve.advance(curve.theta0, A.T @ state.multipliers)
    if not inside.all():
        return
    state.theta, state.geometry = theta, curve.geometry(theta)
    for _ in range(_MOST_REPAIRING):
        if relative_residual(A, state.geometry.x, z) <= 1e-6:
            break
        if not _newton_step(curve, A, z, A @ state.geometry.x - z, state):
            return
    _polish(curve, A, z, state, rtol)


def _give_up(A: Matrix, z: Array, state: _State, share: float, reason: str) -> DualSolution:
    return DualSolution(
        state.theta,
        state.geometry.x,
        state.multipliers,
        relative_residual(A, state.geometry.x, z),
        False,
        f"No solution of A x = z was reached: {reason}.",
        state.nit,
        share,
    )
