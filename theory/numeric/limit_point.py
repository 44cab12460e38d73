r"""The limit of the gradient flow without integrating it.

Along the flow $\xi = -A^T\nu$, and in the limit $A x = z^* = h^{-1}(y)$: the limit is
$x_\infty = k(A^T\lambda)$ where $\lambda \in \mathbb{R}^n$ minimizes
$\Phi(\lambda) = \sum_i F^*_i((A^T\lambda)_i) - \langle\lambda, z^*\rangle$. It depends on loss and
link through $z^*$ only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import DataError, DomainError, InfeasibleTarget, ShapeError
from theory.flow.gradient_flow import FlowModel
from theory.numeric.block import compile_block
from theory.numeric.compile import Array
from theory.numeric.constrained import BoxMinimum, minimize_over_box
from theory.numeric.direct import DirectSolution, solve_direct
from theory.numeric.dual_curve import ClosedForm, NumericCurve, numeric_curve
from theory.numeric.limit_compiled import CompiledSolution, solve_point
from theory.numeric.newton import SOLVED, DualSolution, relative_residual, solve_dual
from theory.numeric.normal_equations import Matrix, rows_of
from theory.numeric.objective import Objective, compile_objective, target_predictor
from theory.numeric.problem import Regression, independent_rows
from theory.numeric.series import compiled
from theory.numeric.start import Start
from theory.numeric.uncertainty import SMALL, TOLERATED, uncertainty_of

__all__ = ["LimitPoint", "checked", "limit_point"]


@dataclass(frozen=True, eq=False)
class LimitPoint:
    r"""Where the flow goes.

    Parameters
    ----------
    x : ndarray, shape (d,)
        The limit of the predictor.
    theta : ndarray, shape (k, d)
        The limit of the parameters; infinite or NaN where x is at an end of its range that no
        finite parameter reaches.
    multipliers : ndarray, shape (n,)
        $\lambda$ with $x = k(A^T\lambda)$; zero for samples that depend on others. Coordinates at
        an end of their range do not follow it.
    target : ndarray, shape (n,)
        $z^* = h^{-1}(y)$.
    prediction : ndarray, shape (n,)
        The limit of $Ax$: the target when it is reachable, else the nearest prediction in the
        sense of the loss.
    kkt_residual : float
        Relative residual of $Ax$ = prediction; stationarity holds by construction.
    uncertainty : float
        Estimate of the relative error of x from rounding in $\xi$.
    loss : float
        The summed loss at the limit.
    reachable : bool
        Whether some x in the open range of the curves has $Ax = z^*$.
    success : bool
    message : str
    nit : int
        Newton steps.
    """

    x: Array
    theta: Array
    multipliers: Array
    target: Array
    prediction: Array
    kkt_residual: float
    uncertainty: float
    loss: float
    reachable: bool
    success: bool
    message: str
    nit: int


def limit_point(
    model: FlowModel,
    problem: Regression,
    start: Start,
    *,
    rtol: float = 1e-12,
    max_iterations: int = 1000,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    reach: tuple[ArrayLike, ArrayLike] | None = None,
    backend: str = "auto",
) -> LimitPoint:
    r"""The limit point of the flow of `model` on `problem` from `start`.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
        Also the values of the formula's constants.
    rtol : float
        Relative residual that counts as solved.
    max_iterations : int
        Budget of Newton steps.
    closed_form : ClosedForm or mapping, optional
        The dual curve in closed form; integrated numerically otherwise.
    reach : pair of numbers or arrays of shape (d,), optional
        Infimum and supremum of x along the curves; found numerically when needed.
    backend : {"auto", "numba", "numpy"}
        Compiled code for small dense problems whose curve was derived in closed form, taken where
        Numba is installed; everything else, and what it gives up on, is for NumPy.

    Raises
    ------
    StartError
        For a start outside of the domain, or where the flow is stuck.
    InfeasibleTarget
        For hard labels, targets outside of the range of the link, and unreachable targets of a loss
        that is not convex.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2 - v**2", "u, v"))
    >>> problem = Regression([[1.0, 2.0, 3.0]], [1.0])
    >>> limit = limit_point(model, problem, {"u": 1e-8, "v": 1e-8})
    >>> limit.x.round(4).tolist(), limit.success
    ([0.0, 0.0, 0.3333], True)

    Notes
    -----
    When the target is not reachable and $\mathcal{Q}$ is convex, the flow minimizes the loss over
    the closure of the reachable x. Coordinates with a nonzero derivative of the loss there go to an
    end of their range; the others minimize the Bregman divergence among the minimizers.
    """
    _check_options(rtol, max_iterations)
    if compiled(backend) and reach is None:
        quick = solve_point(model, problem, start, closed_form, rtol)
        if quick is not None:
            return _quick_result(model, problem, start, quick)
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    objective = compile_objective(model, problem.y)
    target = target_predictor(model, problem.y)
    bounds = None if reach is None else _read_reach(reach, curve)
    solution = None
    if problem.is_consistent(target) and (bounds is None or not _excluded(problem, target, bounds)):
        rows = problem.independent_rows
        solution = _solve(curve, problem.matrix, target, rows, rtol, max_iterations)
        if solution.success:
            return _result(curve, problem, target, target, solution, objective, True)
    A = problem.array("the minimum of the loss over the reachable x")
    bounds = curve.reach() if bounds is None else bounds
    best = minimize_over_box(A, objective, *bounds)
    gradient = A.T @ objective.slope(best.z)
    scale = np.abs(A).T @ np.abs(objective.slope(A @ curve.block.rho(curve.theta0)))
    if solution is not None and np.all(np.abs(gradient) <= 1e-9 * scale):
        # within reach after all, or in its closure
        return _result(curve, problem, target, target, solution, objective, True)
    return _unreachable(curve, problem, target, best, bounds, objective, rtol, max_iterations)


def _check_options(rtol: float, max_iterations: int) -> None:
    if not 0 < rtol <= 1e-3:
        raise DomainError(f"Expected 0 < rtol <= 1e-3 but got rtol = {rtol!r}.")
    if max_iterations < 1:
        raise DomainError(f"Expected max_iterations >= 1 but got {max_iterations!r}.")


def _read_reach(reach: tuple[ArrayLike, ArrayLike], curve: NumericCurve) -> tuple[Array, Array]:
    try:
        low, high = (np.broadcast_to(np.asarray(r, dtype=np.float64), (curve.d,)) for r in reach)
    except ValueError as error:
        raise ShapeError(f"Expected reach = (low, high) of shape ({curve.d},): {error}.") from error
    x0 = curve.block.rho(curve.theta0)
    if not (np.all(low <= x0) and np.all(x0 <= high)):
        raise DataError(f"Expected reach to contain the start x = {x0} but got ({low}, {high}).")
    return low, high


def _excluded(problem: Regression, target: Array, bounds: tuple[Array, Array]) -> bool:
    """Whether some sample alone is out of reach."""
    A = problem.array("the bounds of A x")
    with np.errstate(invalid="ignore"):
        a, b = (np.where(A != 0, A * end, 0.0) for end in bounds)
    low, high = np.minimum(a, b).sum(axis=1), np.maximum(a, b).sum(axis=1)
    return bool(np.any((target <= low) | (target >= high)))


def _solve(
    curve: NumericCurve,
    A: Matrix,
    target: Array,
    rows: NDArray[np.intp],
    rtol: float,
    max_iterations: int,
) -> DualSolution:
    whole = len(rows) == A.shape[0]
    B, z = (A, target) if whole else (rows_of(A, rows), target[rows])
    reduced = _directly(curve, B, z, rtol)
    if reduced is None:
        reduced = solve_dual(curve, B, z, rtol=rtol, max_iterations=max_iterations)
    if reduced.success and curve.closed is not None and curve.domain is None:
        # a closed form without its domain may have been continued beyond a pole
        slow = curve.without_closed_form()
        theta, inside = slow.advance(curve.theta0, B.T @ reduced.multipliers)
        x = curve.block.rho(theta)
        if not inside.all() or np.max(np.abs(x - reduced.x)) > 1e-6 * np.max(np.abs(reduced.x)):
            reduced = solve_dual(slow, B, z, rtol=rtol, max_iterations=max_iterations)
    if whole:
        return reduced
    multipliers = np.zeros(A.shape[0])
    multipliers[rows] = reduced.multipliers
    return DualSolution(
        reduced.theta,
        reduced.x,
        multipliers,
        relative_residual(A, reduced.x, target),
        reduced.success,
        reduced.message,
        reduced.nit,
        reduced.share,
    )


def _directly(curve: NumericCurve, A: Matrix, target: Array, rtol: float) -> DualSolution | None:
    """The solution by the closed form of the inverse mirror map, checked on the curve itself."""
    if curve.direct is None:
        return None
    found = solve_direct(curve.direct, A, target, rtol=rtol)
    return None if found is None else checked(curve, A, target, found, rtol)


def checked(
    curve: NumericCurve, A: Matrix, target: Array, found: DirectSolution, rtol: float
) -> DualSolution | None:
    """The solution on the curve itself; None where the curve has ended, or A x is not z."""
    theta, inside = curve.advance(curve.theta0, A.T @ found.multipliers)
    x = curve.block.rho(theta)
    if not inside.all():
        return None
    residual = relative_residual(A, x, target)
    if not residual <= rtol:
        return None
    return DualSolution(theta, x, found.multipliers, residual, True, SOLVED, found.nit, 1.0)


def _quick_result(
    model: FlowModel, problem: Regression, start: Start, quick: CompiledSolution
) -> LimitPoint:
    solution, uncertainty = quick.solution, quick.bound
    if not uncertainty <= SMALL:
        block = compile_block(model.elementwise, start)
        uncertainty = uncertainty_of(
            problem.matrix, block, solution, problem.independent_rows, quick=False
        )
    return _limit(
        solution, uncertainty, quick.target, quick.target, quick.prediction, quick.objective, True
    )


def _result(
    curve: NumericCurve,
    problem: Regression,
    target: Array,
    prediction: Array,
    solution: DualSolution,
    objective: Objective,
    reachable: bool,
) -> LimitPoint:
    uncertainty = uncertainty_of(problem.matrix, curve.block, solution, problem.independent_rows)
    z = problem.predict(solution.x)
    return _limit(solution, uncertainty, target, prediction, z, objective, reachable)


def _limit(
    solution: DualSolution,
    uncertainty: float,
    target: Array,
    prediction: Array,
    z: Array,
    objective: Objective,
    reachable: bool,
) -> LimitPoint:
    success, message = solution.success, solution.message
    if success and uncertainty > TOLERATED:
        success = False
        message = (
            "A x = z is solved, but more coordinates compete than there are samples, and from so "
            f"small a start double precision cannot tell their shares: relative error up to "
            f"{uncertainty:.1e}. Start from larger values."
        )
    return LimitPoint(
        x=solution.x,
        theta=solution.theta,
        multipliers=solution.multipliers,
        target=target,
        prediction=prediction,
        kkt_residual=solution.residual,
        uncertainty=uncertainty,
        loss=float(objective.value(z)),
        reachable=reachable,
        success=success,
        message=message,
        nit=solution.nit,
    )


def _unreachable(
    curve: NumericCurve,
    problem: Regression,
    target: Array,
    best: BoxMinimum,
    bounds: tuple[Array, Array],
    objective: Objective,
    rtol: float,
    max_iterations: int,
) -> LimitPoint:
    low, high = bounds
    A = problem.array("the limit outside of the reach")
    forced = best.lower | best.upper
    x = np.where(best.lower, low, np.where(best.upper, high, np.nan))
    if not np.isfinite(x[forced]).all():
        i = int(np.flatnonzero(forced & ~np.isfinite(x))[0])
        raise InfeasibleTarget(
            f"No x interpolates the target, and the loss falls for ever as x[{i}] grows without "
            "bound; the flow has no finite limit point."
        )
    theta = np.full(curve.theta0.shape, np.nan)
    multipliers = np.zeros(problem.n)
    free = ~forced
    success, nit, uncertainty = True, 0, 0.0
    note = ""
    if free.any():
        rest = best.z - A[:, forced] @ x[forced]
        part = curve.restrict(free)
        rows = independent_rows(A[:, free])
        solution = _solve(part, A[:, free], rest, rows, max(rtol, 1e-10), max_iterations)
        x[free], theta[:, free] = solution.x, solution.theta
        multipliers, nit, success = solution.multipliers, solution.nit, solution.success
        uncertainty = uncertainty_of(A[:, free], part.block, solution, rows)
        note = "" if success else f" {solution.message}"
    return LimitPoint(
        x=x,
        theta=theta,
        multipliers=multipliers,
        target=target,
        prediction=best.z,
        kkt_residual=relative_residual(A, x, best.z),
        uncertainty=uncertainty,
        loss=best.loss,
        reachable=False,
        success=success and uncertainty <= TOLERATED,
        message=(
            f"No x within reach interpolates; the limit minimizes the loss ({best.loss:.6g}), with "
            f"{int(forced.sum())} coordinates at an end of their range.{note}"
        ),
        nit=nit,
    )
