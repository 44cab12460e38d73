"""The quick solver of the limit against the careful one, and when it gives up."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

import theory as th
from theory.errors import DataError, DomainError
from theory.numeric.closed_curve import closed_curve
from theory.numeric.direct import DirectMap, solve_direct
from theory.numeric.dual_curve import NumericCurve, numeric_curve
from theory.numeric.newton import relative_residual, solve_dual
from theory.numeric.normal_equations import cholesky_solver
from theory.numeric.uncertainty import quick_bound

MODELS = {
    "u**2 - v**2": {"u": 1.0, "v": 1.0},
    "u**2 - v**2, unbalanced": {"u": 1.0, "v": 0.3},
    "u**3 - v**3": {"u": 1.0, "v": 1.0},
    "u*v": {"u": 1.0, "v": 0.5},
    "sinh(u)": {"u": 0.4},
    "u": {"u": 0.0},
}


def curve_of(name: str, scale: float, d: int) -> NumericCurve:
    formula = name.partition(",")[0]
    start = {k: scale * v for k, v in MODELS[name].items()}
    flow = th.GradientFlow(th.Elementwise(formula, list(start)))
    return numeric_curve(
        flow.parametrization, start, d, closed_form=closed_curve(flow.elementwise, start)
    )


def data(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    x = np.zeros(d)
    x[rng.choice(d, max(2, n // 10), replace=False)] = rng.uniform(0.5, 1.5)
    return A, A @ x


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("name", MODELS)
def test_the_quick_solver_agrees_with_the_careful_one(name: str, scale: float) -> None:
    solved = 0
    for seed in range(3):
        A, target = data(seed, 6, 15)
        curve = curve_of(name, scale, 15)
        assert curve.direct is not None
        quick = solve_direct(curve.direct, A, target)
        careful = solve_dual(curve, A, target)
        if quick is None:
            continue
        solved += 1
        # x = k(A^T lambda) and A x = z: what a limit is
        x = curve.x(A.T @ quick.multipliers)
        assert np.allclose(x, quick.x, rtol=1e-8, atol=1e-300)
        assert relative_residual(A, quick.x, target) <= 1e-12
        if careful.success:
            assert np.max(np.abs(quick.x - careful.x)) <= 1e-6 * np.max(np.abs(careful.x))
    # the poles of a power come too close from a tiny start
    assert solved == 3 or (name == "u**3 - v**3" and scale < 1e-2)


@pytest.mark.parametrize("sizes", [(20, 50), (50, 200)])
@pytest.mark.parametrize("alpha", [1.0, 1e-4, 1e-8, 1e-12])
def test_the_quick_solver_goes_down_to_tiny_starts(sizes: tuple[int, int], alpha: float) -> None:
    n, d = sizes
    for seed in range(3):
        A, target = data(seed, n, d)
        curve = curve_of("u**2 - v**2", alpha, d)
        assert curve.direct is not None
        found = solve_direct(curve.direct, A, target)
        assert found is not None and found.nit <= 60
        assert relative_residual(A, found.x, target) <= 1e-12
        # the closed form x = 2 alpha^2 sinh(4 xi)
        exact = 2 * alpha**2 * np.sinh(4 * (A.T @ found.multipliers))
        assert np.allclose(found.x, exact, rtol=1e-12)


def test_what_cannot_be_reached_is_given_up() -> None:
    start = {"u": 0.5}
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    problem = th.Regression([[1.0, 1.0]], [-1.0])
    curve = numeric_curve(
        flow.parametrization, start, 2, closed_form=closed_curve(flow.elementwise, start)
    )
    assert curve.direct is not None
    assert solve_direct(curve.direct, problem.dense, problem.y) is None


def test_a_map_that_overflows_is_given_up() -> None:
    mapping = DirectMap(lambda xi, u: (np.exp(xi * 1e300),) * 3, np.ones((1, 2)))
    with np.errstate(all="ignore"):
        assert solve_direct(mapping, np.array([[1.0, 2.0]]), np.array([5.0])) is None


def test_a_curve_without_closed_form_has_no_direct_map() -> None:
    rho = th.Elementwise("u + sin(u)*exp(u)", "u")
    assert numeric_curve(rho, {"u": 0.1}, 3).direct is None


def test_the_cholesky_solver_against_a_dense_solution() -> None:
    rng = np.random.default_rng(0)
    A, metric = rng.standard_normal((5, 9)), rng.uniform(0.1, 2.0, 9)
    solve = cholesky_solver(A, metric)
    assert solve is not None
    r = rng.standard_normal(5)
    assert np.allclose(A @ np.diag(metric) @ A.T @ solve(r), r, rtol=1e-12)
    assert cholesky_solver(A, np.zeros(9)) is None
    assert cholesky_solver(A, np.full(9, np.nan)) is None


@pytest.mark.parametrize("name", ["u**2 - v**2", "u*v", "u**3 - v**3", "sinh(u)"])
def test_a_path_of_limits_is_the_limit_of_each_start(name: str) -> None:
    A, target = data(2, 5, 12)
    problem = th.Regression(A, target)
    flow = th.GradientFlow(th.Elementwise(name, list(MODELS[name])))
    scales = [1e-4, 2.0, 1e-1]
    path = flow.limit_path(problem, MODELS[name], scales)
    assert path.success.all()
    assert (path.kkt_residual <= 1e-12).all()
    for scale, x, multipliers in zip(scales, path.x, path.multipliers, strict=True):
        start = {k: scale * v for k, v in MODELS[name].items()}
        limit = flow.limit_point(problem, start)
        assert np.allclose(limit.x, x, atol=1e-8)
        assert np.allclose(limit.multipliers, multipliers, rtol=1e-5, atol=1e-8)


def test_a_path_claims_no_more_than_each_limit_point() -> None:
    # equal columns compete, and close to a pole rounding decides between them
    problem = th.Regression([[1.0, 1.0, 0.3]], [1.0])
    flow = th.GradientFlow(th.Elementwise("u**3 - v**3", "u, v"))
    scales = [1.0, 1e-3, 1e-6, 1e-9, 1e-11, 1e-12]
    path = flow.limit_path(problem, {"u": 1.0, "v": 1.0}, scales)
    limits = [flow.limit_point(problem, {"u": a, "v": a}) for a in scales]
    assert path.success.tolist() == [limit.success for limit in limits]
    assert path.success[0] and not path.success[-1]


def test_a_path_asks_whether_rounding_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = th.Regression([[1.0, 1.0, 0.3]], [1.0])
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    start, scales = {"u": 1.0, "v": 1.0}, [1e-3, 1e-6]
    assert flow.limit_path(problem, start, scales).success.all()
    for module in ("limit_path", "limit_point", "uncertainty"):
        monkeypatch.setattr(f"theory.numeric.{module}.TOLERATED", 1e-19)
    assert not flow.limit_path(problem, start, scales).success.any()


def test_a_path_without_closed_form_is_solved_start_by_start() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2*v", "u, v"))
    problem = th.Regression([[1.0, 2.0]], [1.0])
    path = flow.limit_path(problem, {"u": 1.0, "v": 0.4}, [0.5, 1.0])
    limit = flow.limit_point(problem, {"u": 0.5, "v": 0.2})
    assert path.success.all() and np.allclose(path.x[0], limit.x)


@pytest.mark.parametrize("scales", [[], 3.0, [1.0, 0.0], [1.0, -1.0], [float("nan")], [[1.0]]])
def test_scales_that_are_none_are_an_error(scales: object) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    with pytest.raises(DomainError, match="Expected a list of positive scales"):
        flow.limit_path(th.Regression([[1.0, 2.0]], [1.0]), {"u": 1.0, "v": 1.0}, scales)


def test_a_path_needs_a_target_within_reach() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    with pytest.raises(DataError, match="A x = z has no solution"):
        flow.limit_path(th.Regression([[1.0], [1.0]], [1.0, 2.0]), {"u": 1.0, "v": 1.0}, [1.0])


@pytest.mark.parametrize(
    ("formula", "start", "t", "mode", "method", "why"),
    [
        ("u**2 - v**2", 1e-3, (0, 10), "dual", "LSODA", "a small start"),
        ("u**2 - v**2", 0.5, (0, 10), "primal", "DOP853", "a short time"),
        ("u**2 - v**2", 0.5, (0, 1000), "dual", "LSODA", "a long time"),
        ("u*v + sin(u)*v**3", 1e-3, (0, 1), "primal", "LSODA", "no closed form"),
    ],
)
def test_the_choice_of_mode_and_method_is_told(
    formula: str, start: float, t: tuple[float, float], mode: str, method: str, why: str
) -> None:
    flow = th.GradientFlow(th.Elementwise(formula, "u, v"))
    problem, given = th.Regression([[1.0, 2.0]], [1.0]), {"u": start, "v": start}
    run = flow.integrate(problem, given, t, backend="numpy")
    assert (run.mode, run.method) == (mode, method)
    assert why in run.choice
    if find_spec("numba") and mode == "dual":
        quick = flow.integrate(problem, given, t)
        assert (quick.mode, quick.method) == ("dual", "BDF")
        assert why in quick.choice and "compiled" in quick.choice
        assert np.allclose(run.end, quick.end, rtol=1e-6, atol=1e-9)
    other = flow.integrate(
        th.Regression([[1.0, 2.0]], [1.0]), {"u": start, "v": start}, t, mode="primal",
        method="DOP853",
    )  # fmt: skip
    assert other.choice == "as asked for"
    assert np.allclose(run.end, other.end, rtol=1e-6, atol=1e-9)


def test_quick_bound_of_rounding_is_none_where_a_curve_bends_within_it() -> None:
    speed, x = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    noise = np.full(2, 1e-12)
    assert quick_bound(speed, np.array([1.0, 1.0]), noise, x) < 1e-11
    assert quick_bound(speed, np.array([1.0, 1e-10]), noise, x) == np.inf


@pytest.mark.parametrize("seed", [6, 42])
def test_a_solution_is_on_the_curves_of_its_start(seed: int) -> None:
    # on the way u grows to 1e12 and comes back, where its small part is lost to rounding
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((5, 10)), 10 * rng.standard_normal(5)
    start = {"u": 3e-5 * rng.uniform(0.5, 2, 10), "v": 3e-5}
    flow = th.GradientFlow(th.Elementwise("3*u**2 - u*v", "u, v"))
    closed = closed_curve(flow.elementwise, start)
    curve = numeric_curve(flow.elementwise, start, 10, closed_form=closed)
    found = solve_dual(curve, A, y)
    assert found.success
    size = np.max(np.abs(found.x))
    x = curve.x(A.T @ found.multipliers)
    assert np.max(np.abs(x - found.x)) <= 1e-9 * size
    # the one that a convex problem has
    other = flow.limit_point(th.Regression(A, y), start)
    assert np.max(np.abs(other.x - found.x)) <= 1e-8 * size


def test_points_off_the_curves_are_no_solutions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    A, y = rng.standard_normal((5, 10)), 10 * rng.standard_normal(5)
    start = {"u": 3e-5 * rng.uniform(0.5, 2, 10), "v": 3e-5}
    flow = th.GradientFlow(th.Elementwise("3*u**2 - u*v", "u, v"))
    curve = numeric_curve(
        flow.elementwise, start, 10, closed_form=closed_curve(flow.elementwise, start)
    )
    monkeypatch.setattr("theory.numeric.newton._repair", lambda *_: None)
    lost = solve_dual(curve, A, y)
    assert lost.residual <= 1e-12
    assert not lost.success and "off the curves" in lost.message
