r"""Newton's method in the dual where the inverse mirror map has a closed form.

With $x = k(\xi; \theta_0)$ and $M = dk/d\xi$ as one compiled function, a step costs one product
$A\,\mathrm{diag}(M)A^T$ and its Cholesky factor. Small starts are reached from large ones: along
$\theta_0 e^{\tau}$ the solution follows $\lambda'(\tau) = -(A\,\mathrm{diag}(M)A^T)^{-1}A\,
\partial_\tau k$, so that the scale falls by decades at a time. What does not go smoothly is left to
`theory.numeric.newton`, which needs no closed form and loses no digits near a pole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.normal_equations import cholesky_solver, normal_equations

__all__ = ["DirectMap", "DirectSolution", "solve_direct", "solve_scales"]

_INNER = 0.01
_OVERSHOOT = 1.0
_MOST_STEPS = 120
"""Of factorizations between two solutions."""


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
    return next(iter(solve_scales(mapping, A, target, [1.0], rtol=rtol)), None)


def solve_scales(
    mapping: DirectMap, A: Array, target: Array, scales: Sequence[float], *, rtol: float = 1e-12
) -> Iterator[DirectSolution]:
    r"""Solve from the starts $s\,\theta_0$ for falling scales s; ends where it does not go on.

    Parameters
    ----------
    scales : sequence of float
        Positive, in decreasing order.

    Examples
    --------
    >>> mapping = DirectMap(lambda xi, u: (u * np.exp(xi),) * 3, np.full((1, 2), 1.0))
    >>> A, z = np.array([[1.0, 2.0]]), np.array([1.0])
    >>> [s.x.round(3).tolist() for s in solve_scales(mapping, A, z, [1.0, 1e-3])]
    [[0.5, 0.25], [0.022, 0.489]]
    """
    largest = float(np.max(np.abs(mapping.theta0)))
    scale = max(scales[0], 1.0 / largest) if largest > 1e-300 else scales[0]
    size = max(float(np.linalg.norm(target)), float(np.finfo(float).tiny))
    fall = 10.0
    try:
        xi = np.zeros(A.shape[1])
        point = _Point(np.zeros(A.shape[0]), xi, *_evaluated(mapping, xi, scale), 0)
        for end in scales:
            while scale > end:
                point, scale, fall = _descended(mapping, A, target, size, point, scale, end, fall)
            _refine(mapping, A, target, size, rtol, scale, point)
            yield DirectSolution(point.x, point.multipliers, point.nit)
            point.nit = 0
    except _Failed:
        return


def _descended(
    mapping: DirectMap,
    A: Array,
    target: Array,
    size: float,
    point: _Point,
    scale: float,
    end: float,
    fall: float,
) -> tuple[_Point, float, float]:
    """The prediction at a smaller scale, as far as it is one."""
    before = point.nit
    _correct(mapping, A, target, _INNER * size, scale, point)
    steps = point.nit - before
    slope = -_solver(A, point.metric)(A @ point.change)
    point.nit += 1
    fall = min(fall**1.5, 1e4) if steps <= 1 else max(3.0, fall**0.6) if steps >= 4 else fall
    while True:
        following = max(end, scale / fall)
        predicted = _predicted(mapping, A, slope, point, scale, following)
        # Newton climbs down from an overshoot one power of e a step
        if predicted is not None and (
            fall < 1.5 or float(np.linalg.norm(A @ predicted.x - target)) <= _OVERSHOOT * size
        ):
            return predicted, following, fall
        if fall < 1.1:
            raise _Failed
        fall = fall**0.5


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
    mapping: DirectMap,
    A: Array,
    target: Array,
    size: float,
    rtol: float,
    scale: float,
    point: _Point,
) -> None:
    """Newton steps at the wanted start until the residual stops falling."""
    _correct(mapping, A, target, 1e-3 * size, scale, point)
    absolute = np.abs(A)
    best, careful = np.inf, False
    for _ in range(30):
        # from the multipliers, so that x = k(A^T lambda) holds without the errors of the steps
        point.xi = A.T @ point.multipliers
        point.x, point.metric, point.change = _evaluated(mapping, point.xi, scale)
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
        _step(mapping, A, target, residual, scale, point, careful=careful)
    raise _Failed
