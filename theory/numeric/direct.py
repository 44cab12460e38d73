r"""Newton's method in the dual where the inverse mirror map has a closed form.

With $x = k(\xi; \theta_0)$ and $M = dk/d\xi$ as one compiled function, a step costs one product
$A\,\mathrm{diag}(M)A^T$ and its Cholesky factor. Small starts are reached from large ones: along
$\theta_0 e^{\tau}$ the solution follows $\lambda'(\tau) = -(A\,\mathrm{diag}(M)A^T)^{-1}A\,
\partial_\tau k$, so that the scale falls by decades at a time. What does not go smoothly is left to
`theory.numeric.newton`, which needs no closed form and loses no digits near a pole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.normal_equations import (
    Matrix,
    cholesky_solver,
    magnitude,
    normal_equations,
)

__all__ = [
    "BEND",
    "CLOSE",
    "FIRST_FALL",
    "LARGEST_FALL",
    "MOST_STEPS",
    "OVERSHOOT",
    "RAY_STEPS",
    "STALE",
    "DirectMap",
    "DirectSolution",
    "solve_direct",
    "solve_scales",
]

FIRST_FALL = 30.0
"""Of the scale; later ones follow from how well the last one went."""
OVERSHOOT = 2.0
"""The relative residual up to which a prediction is one."""
BEND = 0.7
"""Change of log M below which a Newton step counts as one in the region of fast convergence: a
residual relative to z does not see the coordinates that are small."""
STALE = 0.1
"""Change of log M below which the Cholesky factor still serves for the slope."""
CLOSE = 1e-3
"""The relative residual below which a prediction needs no Newton steps of its own."""
LARGEST_FALL = 1e4
RAY_STEPS = 6
MOST_STEPS = 120
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
        return self.from_scale(scale)(xi)

    def from_scale(self, scale: float) -> Callable[[Array], tuple[Array, Array, Array]]:
        """`at` for one scale; for arrays of shape (d,), with NumPy's warnings."""
        function: Callable[..., Any] = getattr(self.function, "bare", self.function)
        theta0 = tuple(scale * self.theta0)
        return lambda xi: function(xi, *theta0)

    def reach(self, xi: Array, step: Array, scale: float) -> float:
        """The multiple of a step that stays inside of the domain, with a margin."""
        if self.domain is None:
            return math.inf
        low, high = self.domain(*(scale * self.theta0))
        with np.errstate(all="ignore"):
            room = np.where(step > 0, (high - xi) / step, (low - xi) / step)
        room = room[step != 0]
        return 0.9 * float(np.min(room)) if room.size else math.inf


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


@dataclass
class _System:
    r"""$A\,k(A^T\lambda; s\,\theta_0) = z^*$ and the count of its factorizations."""

    mapping: DirectMap
    A: Matrix
    target: Array
    size: float
    nit: int = 0
    # scale and slope at the last solution, for the curvature of a path of close ones
    last: tuple[float, Array] | None = None
    # the last factor of the solution, and where it was made
    factor: tuple[Callable[[Array], Array], _Point] | None = None
    _scale: float = math.nan
    _map: Callable[[Array], tuple[Array, Array, Array]] = field(default=lambda xi: (xi, xi, xi))

    def __post_init__(self) -> None:
        dense = isinstance(self.A, np.ndarray)
        self.product: Callable[[Array], Array] = self.A.dot if dense else self.A.__matmul__
        transposed = self.A.T
        self.pull_back: Callable[[Array], Array] = (
            transposed.dot if dense else transposed.__matmul__
        )

    def value(self, xi: Array, scale: float) -> tuple[Array, Array, Array]:
        if scale != self._scale:
            self._scale, self._map = scale, self.mapping.from_scale(scale)
        return self._map(xi)

    def at(self, multipliers: Array, xi: Array, scale: float) -> _Point | None:
        """The point with these multipliers; None where a value is not finite."""
        x, metric, change = self.value(xi, scale)
        # beyond a pole the metric may be negative
        if not (np.minimum.reduce(metric) >= 0 and np.maximum.reduce(metric) < math.inf):
            return None
        residual = self.product(x) - self.target
        norm = math.sqrt(residual.dot(residual))
        if not norm < math.inf and not np.isfinite(x).all():
            return None
        return _Point(multipliers, xi, x, metric, change, residual, norm)

    def solver(self, metric: Array) -> Callable[[Array], Array]:
        if self.nit >= MOST_STEPS:
            raise _Failed
        self.nit += 1
        solve = cholesky_solver(self.A, metric)
        if solve is None:
            raise _Failed
        return solve

    def careful_solver(self, metric: Array) -> Callable[[Array], Array]:
        """By an orthogonal factor where squaring has cost the weak directions their digits."""
        self.nit += 1
        solve, gamma = normal_equations(self.A, np.sqrt(metric))
        return lambda r: solve(r) / gamma / gamma


class _Point(NamedTuple):
    multipliers: Array
    xi: Array
    x: Array
    metric: Array
    change: Array
    residual: Array
    norm: float


def solve_direct(
    mapping: DirectMap, A: Matrix, target: Array, *, rtol: float = 1e-12
) -> DirectSolution | None:
    r"""Solve $A\,k(A^T\lambda) = z^*$ for linearly independent rows, or give up.

    Parameters
    ----------
    mapping : DirectMap
    A : matrix, shape (n, d)
        An array, a sparse array or an operator.
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
    mapping: DirectMap, A: Matrix, target: Array, scales: Sequence[float], *, rtol: float = 1e-12
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
    scale = scales[0]
    wanted = float(np.linalg.norm(target))
    with np.errstate(all="ignore"):
        begin, _, _ = mapping.at(np.zeros(A.shape[1]), scale)
    there = float(np.linalg.norm(magnitude(A, begin)))
    # a start that is not small next to the target needs no larger one on the way
    largest = float(np.max(np.abs(mapping.theta0)))
    if not wanted <= there and largest > 1e-300:
        scale = max(scale, 1.0 / largest)
    size = max(wanted, 1e-3 * there if wanted <= there else 0.0, float(np.finfo(float).tiny))
    system = _System(mapping, A, target, size)
    fall, settled = FIRST_FALL, False
    point: _Point | None = None
    for end in scales:
        try:
            # not around the yield, where it would last beyond this function
            with np.errstate(all="ignore"):
                if point is None:
                    point = system.at(np.zeros(A.shape[0]), np.zeros(A.shape[1]), scale)
                    if point is None:
                        return
                while scale > end:
                    point, scale, fall = _descended(system, point, scale, end, fall, settled)
                    settled = False
                point, settled = _refined(system, point, scale, rtol), True
        except _Failed:
            return
        yield DirectSolution(point.x, point.multipliers, system.nit)
        system.nit = 0


def _descended(
    system: _System, point: _Point, scale: float, end: float, fall: float, settled: bool
) -> tuple[_Point, float, float]:
    """The prediction at a smaller scale, as far as it is one."""
    before = system.nit
    multipliers = point.multipliers
    if settled and system.factor is not None and _bend(system.factor[1], point) <= STALE:
        solve, _ = system.factor
    elif settled or point.norm <= CLOSE * system.size:
        # one factor for the correction and the slope
        solve = system.solver(point.metric)
        multipliers = multipliers - solve(point.residual)
    else:
        point, bend = _corrected(system, point, scale, 1.0), math.inf
        while bend > BEND:
            solve = system.solver(point.metric)
            following = _stepped(system, point, solve, scale)
            bend, point = _bend(point, following), following
        if bend > STALE:
            solve = system.solver(point.metric)
        multipliers = point.multipliers
    steps = system.nit - before
    slope = -solve(system.product(point.change))
    bent, spacing = slope, 0.0
    if settled:
        if system.last is not None:
            spacing = math.log(scale / system.last[0])
            bent = (slope - system.last[1]) / spacing
        system.last = scale, slope
    fall = min(fall**2, LARGEST_FALL) if steps <= 1 else max(3.0, fall**0.6) if steps >= 4 else fall
    while True:
        smaller = max(end, scale / fall)
        step = math.log(smaller / scale)
        # a secant over a long way says nothing about the curvature here
        curved = -1.0 < spacing < 0.0 and step > 2.0 * spacing
        change = slope + 0.5 * step * bent if curved else slope
        predicted = _predicted(system, multipliers + step * change, smaller)
        if predicted is not None and predicted.norm <= OVERSHOOT * system.size:
            return predicted, smaller, fall
        if fall < 1.1:
            raise _Failed
        fall = fall**0.5


def _predicted(system: _System, multipliers: Array, scale: float) -> _Point | None:
    r"""A prediction, or the multiple of it that minimizes $\Phi$ along the ray, if that is better.

    Exponential maps turn a small error of the whole prediction into a large one of x. The
    coordinates of $\xi$ scale with the multipliers, so that the ray costs no matrix products.
    """
    xi = system.pull_back(multipliers)
    low, high = 0.0, system.mapping.reach(np.zeros_like(xi), xi, scale)
    if high < 1.0:
        return None
    plain = system.at(multipliers, xi, scale)
    wanted = float(multipliers @ system.target)
    if not wanted > 0 or (plain is not None and plain.norm <= 0.1 * system.size):
        return plain
    t = 1.0
    for _ in range(RAY_STEPS):
        x, metric, _ = system.value(t * xi, scale)
        gap, curvature = float(xi.dot(x)) - wanted, float(xi.dot(metric * xi))
        if not math.isfinite(gap + curvature):
            high, t = t, 0.5 * (low + t)
            continue
        if abs(gap) <= 0.1 * wanted:
            break
        low, high = (low, t) if gap > 0 else (t, high)
        # the map grows exponentially, so that Newton for the logarithm is nearly exact
        total = gap + wanted
        t += -math.log(total / wanted) * total / curvature if total > 0 else -gap / curvature
        if not low < t < high:
            t = 0.5 * (low + high) if math.isfinite(high) else 2 * low
    scaled = system.at(t * multipliers, t * xi, scale)
    if plain is None or (scaled is not None and scaled.norm < plain.norm):
        return scaled
    return plain


def _corrected(system: _System, point: _Point, scale: float, share: float) -> _Point:
    """Newton steps until the residual is below a share of the target."""
    while point.norm > share * system.size:
        point = _stepped(system, point, system.solver(point.metric), scale)
    return point


def _bend(point: _Point, following: _Point) -> float:
    """The largest change of log M."""
    return float(np.maximum.reduce(np.abs(np.log(following.metric / point.metric))))


def _stepped(
    system: _System, point: _Point, solve: Callable[[Array], Array], scale: float
) -> _Point:
    r"""One step, shortened until the slope of the convex $\Phi$ does not overshoot."""
    w = -solve(point.residual)
    slope = float(w.dot(point.residual))
    if not slope < 0:
        if point.norm <= 1e-10 * system.size:
            # solved to rounding already
            return point
        raise _Failed
    t = 1.0
    if system.mapping.domain is not None:
        t = min(t, system.mapping.reach(point.xi, system.pull_back(w), scale))
    for _ in range(40):
        # xi from the multipliers, so that x = k(A^T lambda) holds without the errors of the steps
        multipliers = point.multipliers + t * w
        following = system.at(multipliers, system.pull_back(multipliers), scale)
        if following is None:
            t *= 0.25
            continue
        ratio = float(w.dot(following.residual)) / slope
        if ratio >= -0.5:
            return following
        t *= max(0.1, min(0.5, 1.0 / (1.0 - ratio)))
    raise _Failed


def _refined(system: _System, point: _Point, scale: float, rtol: float) -> _Point:
    """Newton steps at the wanted start until the residual stops falling."""
    point = _corrected(system, point, scale, 1e-3)
    size = float(np.max(magnitude(system.A, point.x) + np.abs(system.target)))
    best, careful = math.inf, False
    solve, factored, value = None, point, math.inf
    for _ in range(30):
        before, value = value, float(np.maximum.reduce(np.abs(point.residual))) / size
        if value <= 16 * np.finfo(float).eps or (value <= rtol and value > 0.25 * best):
            system.factor = None if careful or solve is None else (solve, factored)
            return point
        if value > 0.8 * best:
            if careful:
                raise _Failed
            careful, solve = True, None
        best = min(best, value)
        # a factor serves while steps with it gain what is missing
        if solve is None or value * max(value / before, _bend(factored, point)) > rtol:
            factored = point
            solve = (system.careful_solver if careful else system.solver)(point.metric)
        point = _stepped(system, point, solve, scale)
    raise _Failed
