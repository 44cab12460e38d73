r"""The limit points of a whole family of starts, $s\,\theta_0$ for many scales s.

From a large start to a tiny one the limit goes from the smallest $\ell_2$ to the smallest
$\ell_1$ norm, for example. Each solution is where Newton's method for the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DataError, DomainError
from theory.flow.gradient_flow import FlowModel
from theory.numeric.compile import Array
from theory.numeric.direct import solve_scales
from theory.numeric.dual_curve import ClosedForm, NumericCurve, numeric_curve
from theory.numeric.limit_compiled import solve_scales as solve_scales_compiled
from theory.numeric.limit_point import limit_point
from theory.numeric.newton import SOLVED, DualSolution, relative_residual
from theory.numeric.normal_equations import Matrix, rows_of
from theory.numeric.objective import target_predictor
from theory.numeric.problem import Regression
from theory.numeric.series import compiled
from theory.numeric.start import Start
from theory.numeric.uncertainty import TOLERATED, quick_bound, uncertainty_of

__all__ = ["LimitPath", "certain_points", "limit_path"]


@dataclass(frozen=True, eq=False)
class LimitPath:
    r"""Limit points along scales of the start, in the order of the scales.

    Parameters
    ----------
    scales : ndarray, shape (m,)
    x : ndarray, shape (m, d)
    multipliers : ndarray, shape (m, n)
        $\lambda$ with $x = k(A^T\lambda)$, the dual variable from that start.
    kkt_residual : ndarray, shape (m,)
        Relative residual of $Ax = z^*$.
    success : ndarray of bool, shape (m,)
        As for a `LimitPoint`: solved, and rounding does not decide.
    """

    scales: Array
    x: Array
    multipliers: Array
    kkt_residual: Array
    success: np.ndarray


def limit_path(
    model: FlowModel,
    problem: Regression,
    start: Start,
    scales: ArrayLike,
    *,
    rtol: float = 1e-12,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    backend: str = "auto",
) -> LimitPath:
    r"""The limit points from $s\,\theta_0$ for every scale s.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
        $\theta_0$, and the values of the formula's constants, which are not scaled.
    scales : array_like, shape (m,)
        Positive.
    rtol, closed_form, backend
        As for `limit_point`, which solves what the path does not reach.

    Raises
    ------
    DomainError
        For a scale that is not positive and finite.
    DataError
        For targets that no x reaches: A x = z has no solution.

    Examples
    --------
    >>> from theory.gradient_flow import GradientFlow
    >>> from theory.flow.parametrization import Elementwise
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> problem = Regression([[1.0, 2.0]], [1.0])
    >>> path = flow.limit_path(problem, {"u": 1.0, "v": 1.0}, [10.0, 1e-9])
    >>> path.x.round(3).tolist()
    [[0.2, 0.4], [0.0, 0.5]]
    """
    try:
        values = np.asarray(scales, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected a list of positive scales but got {scales!r}.") from error
    if values.ndim != 1 or values.size == 0 or not (np.isfinite(values) & (values > 0)).all():
        raise DomainError(f"Expected a list of positive scales but got {scales!r}.")
    target = target_predictor(model, problem.y)
    if not problem.is_consistent(target):
        raise DataError("A x = z has no solution, so that the limits are no interpolators.")
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    m, A, rows = values.size, problem.matrix, problem.independent_rows
    x, multipliers = np.full((m, problem.d), np.nan), np.zeros((m, problem.n))
    residual, success = np.full(m, np.inf), np.zeros(m, dtype=bool)
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    quick = compiled(backend) and solve_scales_compiled(
        model, problem, start, falling, closed_form, rtol, TOLERATED
    )
    if quick:
        at = order[: len(quick[3])]
        multipliers[at], x[at], residual[at], success[at] = quick
    rest = order[~success[order]]
    direct = curve.direct
    # a closed form without its domain may be continued beyond a pole
    if direct is not None and curve.domain is not None and rest.size:
        B, z = rows_of(A, rows), target[rows]
        found = list(solve_scales(direct, B, z, values[rest].tolist(), rtol=rtol))
        at = rest[: len(found)]
        if found:
            lam = np.array([f.multipliers for f in found])
            multipliers[np.ix_(at, rows)] = lam
            theta0 = np.multiply.outer(values[at], curve.theta0).transpose(1, 0, 2)
            x[at], certain = certain_points(curve, theta0, B, lam)
            residual[at] = [relative_residual(A, x[i], target) for i in at]
            success[at] = certain & (residual[at] <= rtol)
    names = {s.name for s in model.elementwise.parameters}
    for i in np.flatnonzero(~success):
        scaled = {
            key: values[i] * np.asarray(v, dtype=np.float64)
            if str(getattr(key, "name", key)) in names
            else v
            for key, v in start.items()
        }
        limit = limit_point(
            model, problem, scaled, rtol=rtol, closed_form=closed_form, backend=backend
        )
        x[i], multipliers[i] = limit.x, limit.multipliers
        residual[i], success[i] = limit.kkt_residual, limit.success
    return LimitPath(values, x, multipliers, residual, success)


def certain_points(
    curve: NumericCurve, theta0: Array, A: Matrix, multipliers: Array
) -> tuple[Array, np.ndarray]:
    r"""The points $k(A^T\lambda)$ of many starts, and which of them rounding does not decide.

    Parameters
    ----------
    curve : NumericCurve
    theta0 : ndarray, shape (k, m, d)
    A : matrix, shape (n, d), or ndarray, shape (m, n, d)
    multipliers : ndarray, shape (m, n)

    Returns
    -------
    x : ndarray, shape (m, d)
    certain : ndarray of bool, shape (m,)
        Within the domain of the curve, with an uncertainty of at most `TOLERATED`.
    """
    _, m, d = theta0.shape
    many = isinstance(A, np.ndarray) and A.ndim == 3
    if many:
        xi = np.matmul(multipliers[:, None, :], A)[:, 0, :]
    else:
        xi = np.ascontiguousarray((A.T @ multipliers.T).T)
    # all starts are coordinates of one call
    theta, inside = curve.advance(theta0.reshape(-1, m * d), xi.ravel())
    x = curve.block.rho(theta).reshape(m, d)
    certain = np.array(inside.reshape(m, d).all(axis=1))
    geometry = curve.geometry(theta)
    speed, radius = geometry.speed.reshape(m, d), geometry.radius.reshape(m, d)
    with np.errstate(invalid="ignore"):
        bound = quick_bound(speed, radius, np.finfo(float).eps * np.abs(xi), x)
    for i in np.flatnonzero(certain & ~(bound <= TOLERATED)):
        point = theta.reshape(-1, m, d)[:, i]
        solution = DualSolution(point, x[i], multipliers[i], 0.0, True, SOLVED, 0, 1.0)
        data = A[i] if many else A
        certain[i] = (
            uncertainty_of(data, curve.block, solution, np.arange(data.shape[0])) <= TOLERATED
        )
    return x, certain
