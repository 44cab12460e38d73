r"""Where limit points go as the start vanishes or grows.

For a homogeneous $\rho$ of degree $L \ge 2$ the limit from $s\,\theta_0$ tends, as $s \to 0$, to a
solution of the linear program

$$\min \sum_i w_i^+ x_i^+ + w_i^- x_i^- \quad\text{subject to}\quad Ax = z^*:$$

the price of a coordinate is how far $\xi$ has to go before x leaves 0. For L > 2 these are the ends
of the curve, $w^\pm = |\xi^\pm|$, all of which scale like $s^{2-L}$. For L = 2 there are no ends, x
grows like $s^2 e^{\kappa^\pm|\xi|}$, and $w^\pm = 1/\kappa^\pm$ up to the common factor
$2\log(1/s)$.

A vertex x of the program is *the* solution when some $\lambda$ has $a_i^T\lambda = \pm w_i^\pm$ on
the support of x, strictly less elsewhere, and the columns of the support are independent.

As $s \to \infty$ the curves are straight on the way to x, if they begin at x = 0: the limit is the
solution of $Ax = z^*$ with the smallest $\sum_i x_i^2 / M_i(\theta_0)$.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.linalg import lapack, svdvals
from scipy.optimize import linprog

from theory.errors import DataError, InfeasibleTarget, UnsupportedFormula
from theory.exact.verdict import Status
from theory.exact.zero import is_zero
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.numeric.compile import Array
from theory.numeric.direct import solve_scales
from theory.numeric.dual_curve import ClosedForm, NumericCurve, numeric_curve
from theory.numeric.normal_equations import normal_equations, rows_of
from theory.numeric.objective import target_predictor
from theory.numeric.problem import Regression
from theory.numeric.start import Start, read_constants

__all__ = ["VanishingStart", "homogeneity", "large_start", "vanishing_start"]

_SCALES = (1e-6, 1e-9, 1e-13, 1e-20, 1e-36)
"""Scales of the start, relative to one of size 1, at which the support is read off."""
_MARGIN = 1e-7
"""The least relative distance from its price of a coordinate off the support."""


@dataclass(frozen=True, eq=False)
class VanishingStart:
    r"""The limit of limit points for vanishing starts.

    Parameters
    ----------
    x : ndarray, shape (d,)
    multipliers : ndarray, shape (n,)
        $\lambda$ of the certificate.
    prices : ndarray, shape (2, d)
        $w^+$ and $w^-$; infinite where x cannot have that sign.
    support : ndarray of int
        Indices of the nonzero entries.
    margin : float
        $1 - \max_{i \notin S} a_i^T\lambda / w_i^\pm$: positive for a unique solution.
    kkt_residual : float
        Relative residual of $Ax = z^*$.
    unique : bool
        Whether the certificate shows that the program has no other solution.
    success : bool
        Whether x is certified to be the limit.
    message : str
    """

    x: Array
    multipliers: Array
    prices: Array
    support: NDArray[np.intp]
    margin: float
    kkt_residual: float
    unique: bool
    success: bool
    message: str


@lru_cache(maxsize=64)
def homogeneity(rho: Elementwise) -> sp.Rational | None:
    r"""The rational degree L with $\rho(s\theta) = s^L\rho(\theta)$ for s > 0; None without one.

    It is proved, not sampled.

    Examples
    --------
    >>> homogeneity(Elementwise("u**3 - v**3", "u, v")), homogeneity(Elementwise("sinh(u)", "u"))
    (3, None)
    """
    s = sp.Dummy("s", positive=True)
    # by Euler's identity the degree is the ratio of theta . grad rho and rho
    euler = sp.Add(*(t * g for t, g in zip(rho.parameters, rho.gradient(), strict=True)))
    degree = sp.simplify(euler / rho.formula)
    if not degree.is_Rational:
        return None
    scaled = rho.formula.xreplace({t: s * t for t in rho.parameters})
    proved = is_zero(scaled - s**degree * rho.formula)
    return degree if proved.status is Status.PROVED else None


def vanishing_start(
    model: FlowModel,
    problem: Regression,
    start: Start,
    *,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
) -> VanishingStart:
    r"""The limit, as s goes to 0, of the limit points from $s\,\theta_0$.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
        $\theta_0$, of any size: its shape decides for L > 2.
    closed_form : ClosedForm or mapping, optional

    Raises
    ------
    UnsupportedFormula
        For a parametrization that is not homogeneous of a degree of at least 2, or whose curve has
        no closed form.
    DataError
        When A x = z has no solution.
    InfeasibleTarget
        When none of its solutions has signs that x can have.

    Examples
    --------
    >>> from theory.gradient_flow import GradientFlow
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> problem = Regression([[1.0, 2.0, -3.0]], [1.0])
    >>> limit = flow.vanishing_start(problem, {"u": 1.0, "v": 1.0})
    >>> limit.x.round(12).tolist(), limit.success, round(limit.margin, 12)
    ([0.0, 0.0, -0.333333333333], True, 0.333333333333)
    """
    degree = _require_degree(model, start)
    target = target_predictor(model, problem.y)
    if not problem.is_consistent(target):
        raise DataError("A x = z has no solution, so that the limits are no interpolators.")
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    if curve.direct is None or curve.domain is None:
        raise UnsupportedFormula(
            f"The curve of {model.elementwise.formula} has no closed form from this start, so that "
            "its prices are not known. Follow limit_path to small scales instead."
        )
    prices = _prices(curve, degree)
    rows = problem.independent_rows
    A, z = np.asarray(rows_of(problem.array("a vertex"), rows)), target[rows]
    found = None
    if not np.any(z):
        found = _certified(A, z, prices, np.zeros(problem.d), np.zeros(len(rows)))
    if found is None or not found[3]:
        found = _along_the_path(curve, A, z, prices) or found
    if found is None or not found[3]:
        found = _by_program(A, z, prices)
    x, lam, margin, unique = found
    multipliers = np.zeros(problem.n)
    multipliers[rows] = lam
    gap = problem.predict(x) - target
    size = float(np.max(np.abs(A) @ np.abs(x) + np.abs(z), initial=0.0))
    residual = float(np.max(np.abs(gap))) / size if size > 0 else 0.0
    success = unique and residual <= 1e-12
    if success:
        message = (
            f"The only solution of the linear program: every coordinate off the support stays "
            f"{margin:.3g} below its price."
        )
    elif not unique:
        message = (
            "The linear program may have more than one solution, and its prices do not tell which "
            "of them is the limit; limit_path does."
        )
    else:
        message = f"The relative residual {residual:.1e} of A x = z is above 1e-12."
    return VanishingStart(
        x, multipliers, prices, np.flatnonzero(x), margin, residual, unique, success, message
    )


def large_start(model: FlowModel, problem: Regression, start: Start) -> Array:
    r"""The limit, as s goes to infinity, of the limit points from $s\,\theta_0$; shape (d,).

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
        $\theta_0$ with $\rho(\theta_0) = 0$ in every coordinate.

    Raises
    ------
    UnsupportedFormula
        For a parametrization that is not homogeneous of a degree of at least 2, and for a start
        with x other than 0, which goes to infinity itself.
    DataError
        When A x = z has no solution.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2 - v**2", "u, v"))
    >>> large_start(model, Regression([[1.0, 2.0]], [5.0]), {"u": 3.0, "v": 3.0}).round(12).tolist()
    [1.0, 2.0]
    """
    _require_degree(model, start)
    target = target_predictor(model, problem.y)
    if not problem.is_consistent(target):
        raise DataError("A x = z has no solution, so that the limits are no interpolators.")
    curve = numeric_curve(model.elementwise, start, problem.d)
    geometry = curve.geometry(curve.theta0)
    if np.any(np.abs(geometry.x) > 1e-14 * geometry.speed**2):
        i = int(np.argmax(np.abs(geometry.x)))
        raise UnsupportedFormula(
            f"Expected a start at x = 0 but coordinate {i} starts at x = {geometry.x[i]:g}, which "
            "grows with the scale, and the limit with it."
        )
    rows = problem.independent_rows
    A = rows_of(problem.matrix, rows)
    solve, gamma = normal_equations(A, geometry.speed)
    metric = (geometry.speed / gamma) ** 2
    x = np.zeros(problem.d)
    for _ in range(3):
        x = x + metric * (A.T @ solve(target[rows] - A @ x))
    return x


def _require_degree(model: FlowModel, start: Start) -> sp.Rational:
    rho = model.elementwise
    formula = rho.formula.subs(read_constants(rho, start))
    degree = homogeneity(Elementwise(formula, rho.parameters))
    if degree is None or degree < 2:
        raise UnsupportedFormula(
            f"Expected a homogeneous parametrization of a degree of at least 2 but "
            f"{formula} is "
            + ("not homogeneous." if degree is None else f"of degree {degree}.")
            + " Follow limit_path instead."
        )
    return degree


def _prices(curve: NumericCurve, degree: sp.Rational) -> Array:
    """How far xi has to go for a positive and for a negative x, shape (2, d)."""
    assert curve.domain is not None and curve.inverse_map is not None
    low, high = curve.domain(*curve.theta0)
    if degree > 2:
        return np.stack([high, -low])
    prices = []
    radius = curve.geometry(curve.theta0).radius
    for sign in (1.0, -1.0):
        rate = np.full(curve.d, np.nan)
        # M / |x| tends to kappa exponentially fast
        for reach in (20.0, 40.0, 80.0, 160.0):
            x, metric, _ = curve.inverse_map(sign * reach * radius, *curve.theta0)
            with np.errstate(all="ignore"):
                here = np.where(sign * x > 0, metric / np.abs(x), np.nan)
                settled = np.abs(here - rate) <= 1e-13 * np.abs(here)
            rate = np.where(settled | np.isnan(here) & ~np.isnan(rate), rate, here)
        x, metric, _ = curve.inverse_map(sign * 80.0 * radius, *curve.theta0)
        with np.errstate(all="ignore"):
            prices.append(np.where(np.isfinite(rate) & (sign * x > 0), 1.0 / rate, np.inf))
    return np.array(prices)


_Found = tuple[Array, Array, float, bool]


def _along_the_path(curve: NumericCurve, A: Array, z: Array, prices: Array) -> _Found | None:
    """Support and multipliers from a limit point of a tiny start."""
    assert curve.direct is not None
    size = float(np.max(np.abs(curve.theta0)))
    scales = [s / size for s in _SCALES]
    best = None
    for solution in solve_scales(curve.direct, A, z, scales, rtol=1e-9):
        xi = A.T @ solution.multipliers
        with np.errstate(all="ignore"):
            used = np.where(xi > 0, xi / prices[0], -xi / prices[1])
        top = float(np.max(used))
        best = _certified(A, z, prices, solution.x, solution.multipliers / top)
        if best is not None and best[3]:
            return best
    return best


def _by_program(A: Array, z: Array, prices: Array) -> _Found:
    """By the simplex method, where the path does not tell the support."""
    finite = np.isfinite(prices)
    if not finite.any():
        raise InfeasibleTarget(
            "No x has a finite price: neither sign of any coordinate is reached."
        )
    cost = np.concatenate([prices[0][finite[0]], prices[1][finite[1]]])
    columns = np.concatenate([A[:, finite[0]], -A[:, finite[1]]], axis=1)
    program = linprog(cost / np.max(cost), A_eq=columns, b_eq=z, method="highs-ds")
    if program.status == 2:
        raise InfeasibleTarget(
            "No x with signs that the parametrization reaches interpolates the targets."
        )
    if program.x is None:
        raise DataError(f"The linear program was not solved: {program.message}")
    x = np.zeros(A.shape[1])
    count = int(finite[0].sum())
    x[finite[0]] += program.x[:count]
    x[finite[1]] -= program.x[count:]
    lam = np.asarray(program.eqlin.marginals) * np.max(cost)
    found = _certified(A, z, prices, x, lam)
    return found if found is not None else (x, lam, 0.0, False)


def _certified(A: Array, z: Array, prices: Array, x: Array, lam: Array) -> _Found | None:
    """The vertex with the support of x, and multipliers near `lam` that certify it."""
    n, d = A.shape
    size = float(np.max(np.abs(x), initial=0.0))
    order = np.argsort(-np.abs(x), kind="stable")[: n + 1]
    with np.errstate(all="ignore"):
        shrink = np.abs(x[order[1:]]) / np.abs(x[order[:-1]])
    large = np.abs(x[order]) > 1e-7 * size if size > 0 else np.zeros(len(order), dtype=bool)
    if large.all() and len(order) > n:
        return None
    # the support ends at the first large gap
    cut = np.flatnonzero(~(shrink > 1e-3))
    count = int(cut[0]) + 1 if size > 0 and cut.size else int(large.sum())
    support = np.sort(order[:count]) if size > 0 else np.zeros(0, dtype=np.intp)
    columns = A[:, support]
    vertex = np.zeros(d)
    sign = np.sign(x[support])
    paid = np.where(sign > 0, prices[0][support], prices[1][support])
    if not np.isfinite(paid).all():
        return None
    lost = 0.0
    if count:
        least = float(svdvals(columns)[-1])
        if least <= 1e-10 * float(np.max(np.abs(columns))):
            return None
        entries = np.linalg.lstsq(columns, z, rcond=None)[0]
        if np.any(np.sign(entries) != sign):
            return None
        vertex[support] = entries
        # the nearest multipliers that pay the price on the support
        q, r = np.linalg.qr(columns)
        for _ in range(2):
            gap = sign * paid - columns.T @ lam
            lam = lam + q @ lapack.dtrtrs(r, gap, trans=1)[0]
        gap = sign * paid - columns.T @ lam
        # an exact solution is this close to the multipliers
        lost = float(np.linalg.norm(gap)) / least
    other = np.setdiff1d(np.arange(d), support)
    if not other.size:
        return vertex, lam, 1.0, True
    B = A[:, other]
    xi = B.T @ lam
    rounding = n * np.finfo(float).eps * (np.abs(B).T @ np.abs(lam))
    with np.errstate(all="ignore"):
        error = rounding + lost * np.linalg.norm(B, axis=0)
        price = np.where(xi > 0, prices[0][other], prices[1][other])
        margin = float(np.min(1.0 - (np.abs(xi) + error) / price))
    return vertex, lam, margin, margin > _MARGIN
