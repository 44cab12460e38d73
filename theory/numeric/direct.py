r"""Newton's method in the dual where the inverse mirror map has a closed form.

With $x = k(\xi; \theta_0)$ and $M = dk/d\xi$ as one compiled function, a step costs one product
$A\,\mathrm{diag}(M)A^T$ and its Cholesky factor. Small starts are reached from large ones: along
$\theta_0 e^{\tau}$ the solution follows $\lambda'(\tau) = -(A\,\mathrm{diag}(M)A^T)^{-1}A\,
\partial_\tau k$, so that the scale falls by decades at a time. What does not go smoothly is left to
`theory.numeric.newton`, which needs no closed form and loses no digits near a pole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.normal_equations import cholesky_solver, normal_equations

__all__ = ["DirectMap", "DirectSolution", "solve_direct"]

_INNER = 0.01
_OVERSHOOT = 1.0
_MOST_STEPS = 120


@dataclass(frozen=True, eq=False)
class DirectMap:
    r"""The inverse mirror map of d coordinates and how it changes.

    Parameters
    ----------
    function : callable
        ``function(xi, *theta0)`` is $(k, \partial k/\partial\xi, \sum_j \theta_{0j}\,\partial
        k/\partial\theta_{0j})$, each of shape (d,).
    theta0 : ndarray, shape (k, d)
    domain : callable, optional
        ``domain(*theta0)`` is the open interval of xi.
    """

    function: Callable[..., tuple[Array, ...]]
    theta0: Array
    domain: Callable[..., tuple[Array, ...]] | None = None

    def at(self, xi: Array, scale: float) -> tuple[Array, Array, Array]:
        """Value, metric, and change with the logarithm of the scale of the start."""
        x, metric, change = self.function(xi, *(scale * self.theta0))
        return x, metric, change

    def reach(self, xi: Array, step: Array, scale: float) -> float:
        """How much of a step stays inside of the domain, at most 1."""
        if self.domain is None:
            return 1.0
        low, high = self.domain(*(scale * self.theta0))
        with np.errstate(all="ignore"):
            room = np.where(step > 0, (high - xi) / step, (low - xi) / step)
        room = room[step != 0]
        return min(1.0, 0.9 * float(np.min(room))) if room.size else 1.0


@dataclass(frozen=True)
class DirectSolution:
    """Where the iteration ended.

    Parameters
    ----------
    x : ndarray, shape (d,)
    multipliers : ndarray, shape (n,)
    nit : int
        Factorizations.
    """

    x: Array
    multipliers: Array
    nit: int


class _Failed(Exception):
    """The method of this module does not go through."""


def _solver(A: Array, metric: Array) -> Callable[[Array], Array]:
    solve = cholesky_solver(A, metric)
    if solve is None:
        raise _Failed
    return solve


@dataclass
class _Point:
    multipliers: Array
    xi: Array
    x: Array
    metric: Array
    change: Array
    nit: int


def solve_direct(
    mapping: DirectMap, A: Array, target: Array, *, rtol: float = 1e-12
) -> DirectSolution | None:
    r"""Solve $A\,k(A^T\lambda) = z^*$ for linearly independent rows, or give up.

    Parameters
    ----------
    mapping : DirectMap
    A : ndarray, shape (n, d)
    target : ndarray, shape (n,)
    rtol : float
        Residual relative to $\max_i(|A||x| + |z|)_i$.

    Examples
    --------
    >>> mapping = DirectMap(lambda xi, u: (u * np.exp(xi),) * 3, np.full((1, 2), 1e-3))
    >>> solution = solve_direct(mapping, np.array([[1.0, 2.0]]), np.array([1.0]))
    >>> bool(abs(solution.x @ [1.0, 2.0] - 1.0) < 1e-14)
    True
    """
    try:
        return _solved(mapping, A, target, rtol)
    except _Failed:
        return None


def _solved(mapping: DirectMap, A: Array, target: Array, rtol: float) -> DirectSolution:
    n, d = A.shape
    largest = float(np.max(np.abs(mapping.theta0)))
    scale = max(1.0, 1.0 / largest) if largest > 1e-300 else 1.0
    xi = np.zeros(d)
    point = _Point(np.zeros(n), xi, *_evaluated(mapping, xi, scale), 0)
    size = max(float(np.linalg.norm(target)), float(np.finfo(float).tiny))
    fall = 10.0
    while True:
        before = point.nit
        if scale == 1.0:
            _refine(mapping, A, target, size, rtol, point)
            return DirectSolution(point.x, point.multipliers, point.nit)
        _correct(mapping, A, target, _INNER * size, scale, point)
        steps = point.nit - before
        slope = -_solver(A, point.metric)(A @ point.change)
        point.nit += 1
        fall = fall**1.5 if steps <= 1 else max(3.0, fall**0.6) if steps >= 4 else fall
        while True:
            following = max(1.0, scale / fall)
            predicted = _predicted(mapping, A, slope, point, scale, following)
            # Newton climbs down from an overshoot one power of e a step
            if predicted is not None and (
                fall < 1.5 or float(np.linalg.norm(A @ predicted.x - target)) <= _OVERSHOOT * size
            ):
                break
            if fall < 1.1:
                raise _Failed
            fall = fall**0.5
        point, scale = predicted, following


def _evaluated(mapping: DirectMap, xi: Array, scale: float) -> tuple[Array, Array, Array]:
    x, metric, change = mapping.at(xi, scale)
    if not np.isfinite(metric).all() or not np.isfinite(x).all():
        raise _Failed
    return x, metric, change


def _predicted(
    mapping: DirectMap, A: Array, slope: Array, point: _Point, scale: float, following: float
) -> _Point | None:
    multipliers = point.multipliers + np.log(following / scale) * slope
    xi = A.T @ multipliers
    if mapping.reach(np.zeros_like(xi), xi, following) < 1.0:
        return None
    x, metric, change = mapping.at(xi, following)
    if not np.isfinite(metric).all() or not np.isfinite(x).all():
        return None
    return _Point(multipliers, xi, x, metric, change, point.nit)


def _correct(
    mapping: DirectMap, A: Array, target: Array, tolerance: float, scale: float, point: _Point
) -> None:
    """Newton steps until the residual is below the tolerance."""
    while True:
        residual = A @ point.x - target
        if float(np.linalg.norm(residual)) <= tolerance:
            return
        _step(mapping, A, target, residual, scale, point)


def _step(
    mapping: DirectMap,
    A: Array,
    target: Array,
    residual: Array,
    scale: float,
    point: _Point,
    *,
    careful: bool = False,
) -> None:
    r"""One step, shortened until the slope of the convex $\Phi$ does not overshoot."""
    if point.nit >= _MOST_STEPS:
        raise _Failed
    if careful:
        solve, gamma = normal_equations(A, np.sqrt(point.metric))
        w = -solve(residual) / gamma / gamma
    else:
        w = -_solver(A, point.metric)(residual)
    point.nit += 1
    direction = A.T @ w
    slope = float(w @ residual)
    if not slope < 0:
        raise _Failed
    t = mapping.reach(point.xi, direction, scale)
    for _ in range(40):
        multipliers = point.multipliers + t * w
        xi = point.xi + t * direction
        x, metric, change = mapping.at(xi, scale)
        if not np.isfinite(x).all():
            t *= 0.25
            continue
        ratio = float(w @ (A @ x - target)) / slope
        if ratio >= -0.5 and np.isfinite(metric).all():
            point.multipliers, point.xi = multipliers, xi
            point.x, point.metric, point.change = x, metric, change
            return
        t *= max(0.1, min(0.5, 1.0 / (1.0 - ratio)))
    raise _Failed


def _refine(
    mapping: DirectMap, A: Array, target: Array, size: float, rtol: float, point: _Point
) -> None:
    """Newton steps at the wanted start until the residual stops falling."""
    _correct(mapping, A, target, 1e-3 * size, 1.0, point)
    absolute = np.abs(A)
    best, careful = np.inf, False
    for _ in range(30):
        # from the multipliers, so that x = k(A^T lambda) holds without the errors of the steps
        point.xi = A.T @ point.multipliers
        point.x, point.metric, point.change = _evaluated(mapping, point.xi, 1.0)
        residual = A @ point.x - target
        value = float(np.max(np.abs(residual)))
        value /= float(np.max(absolute @ np.abs(point.x) + np.abs(target)))
        if value <= 4 * np.finfo(float).eps or (value <= rtol and value > 0.25 * best):
            return
        if value > 0.8 * best:
            if careful:
                raise _Failed
            # squaring has cost the weak directions their digits
            careful = True
        best = min(best, value)
        _step(mapping, A, target, residual, 1.0, point, careful=careful)
    raise _Failed
