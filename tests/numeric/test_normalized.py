"""The weight-normalized flow in numbers: two algorithms for everything, and the trap at x = 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import nnls

import theory as th
from theory.errors import (
    DataError,
    DomainError,
    InfeasibleTarget,
    ShapeError,
    StartError,
    UnknownName,
    UnsupportedFormula,
)

I1 = np.array([[1, 2, -1, 0.5], [0, 1, 1, -2]])
Y1, W1 = np.array([1.3, 0.1]), np.array([0.3, 0.4, 0.5, 0.2])
PROBLEM = th.Regression(I1, Y1)


def random_problem(seed: int, rows: int = 3, columns: int = 6) -> tuple[th.Regression, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, columns))
    return th.Regression(A, A @ rng.uniform(0.3, 1.5, columns)), rng.uniform(0.4, 0.9, columns)


def in_w(depth: float, eta: float, problem: th.Regression, w0: np.ndarray, end: float):
    """Another form of the flow: w' = -(s I + (eta - s)/s w w^T) g, s = |w|^2, without r and u."""
    A, y = problem.dense, problem.y

    def field(_, w):
        g = depth * w ** (depth - 1) * (A.T @ (A @ w**depth - y))
        s = w @ w
        return -(s * g + (eta - s) / s * w * (w @ g))

    return solve_ivp(field, (0, end), w0, method="Radau", rtol=1e-11, atol=1e-14).y[:, -1]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 2.5])
def test_trajectory_is_that_of_the_flow_in_w(depth):
    run = th.WeightNormalization(depth, eta=0.4).integrate(PROBLEM, W1, 3.0, rtol=1e-11)
    w = in_w(depth, 0.4, PROBLEM, W1, 3.0)
    np.testing.assert_allclose(run.x[:, -1], w**depth, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_limit_of_the_dual_problem_is_that_of_the_trajectory(depth, seed):
    problem, w0 = random_problem(seed)
    flow = th.WeightNormalization(depth, eta=0.8)
    limit = flow.limit_point(problem, w0)
    assert limit.success, limit.message
    run = flow.integrate(problem, w0, 1e4, terminal=True, rtol=1e-12, tol=1e-10)
    np.testing.assert_allclose(limit.x, run.end, atol=2e-7)
    np.testing.assert_allclose(problem.dense @ limit.x, problem.y, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_limit_of_one_layer_is_that_of_the_trajectory_for_all_signs(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((2, 4))
    problem = th.Regression(A, rng.standard_normal(2))
    w0 = rng.standard_normal(4)
    flow = th.WeightNormalization(1, eta=0.7)
    limit = flow.limit_point(problem, w0)
    run = flow.integrate(problem, w0, 2e3, terminal=True, rtol=1e-12, tol=1e-10)
    assert limit.trapped == (len(run.t_events["origin"]) > 0)
    np.testing.assert_allclose(limit.x, run.end, atol=1e-6)


@settings(max_examples=30)
@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 3, 4]),
    st.floats(0.3, 3.0),
)
def test_limit_is_that_of_the_plain_flow_from_the_magnified_start(seed, depth, eta):
    problem, w0 = random_problem(seed)
    flow = th.WeightNormalization(depth, eta=eta)
    limit = flow.limit_point(problem, w0)
    if not limit.success or limit.trapped:
        # nothing to compare; the trap has its own tests
        assert limit.message
        return
    # the plain dual variable of the start w0/rho moves in the range of A^T only
    start, end = w0 / limit.magnification, limit.w
    if depth == 2:
        moved = np.log(end) - np.log(start)
    else:
        moved = start ** (2.0 - depth) - end ** (2.0 - depth)
    kernel = np.linalg.svd(problem.dense)[2][3:]
    assert np.max(np.abs(kernel @ moved)) <= 1e-7 * (1 + np.max(np.abs(moved)))


@pytest.mark.parametrize("depth", [2, 3])
def test_invariants_stay_along_the_trajectory(depth):
    run = th.WeightNormalization(depth, eta=0.5).integrate(
        PROBLEM, W1, (0, 20), method="DOP853", rtol=1e-12
    )
    assert run.drift < 1e-11
    w = run.r * run.u
    # typed: theta of A2 with phi = r^2/(2 eta)
    grown = run.u * np.exp(run.r**2)
    theta = np.log(grown) if depth == 2 else -1 / grown
    kernel = np.linalg.svd(I1)[2][2:]
    change = np.abs(kernel @ (theta - theta[:, :1]))
    assert np.max(change) <= 1e-10 * np.max(np.abs(theta))
    assert np.all(np.diff(run.loss) <= 1e-14)
    np.testing.assert_allclose(run.x, w**depth)


# -- the trap --------------------------------------------------------------------------------------

TRAP = th.Regression([[1.0, -2.0]], [1.0])
KAPPA = float(np.log(2) + 2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))


@pytest.mark.parametrize("eta", [0.1, 0.5, 1.0, 7.0])
@pytest.mark.parametrize("share", [1e-3, 0.5, 0.99, 0.9999, 1.0001, 1.01, 2.0])
def test_trap_is_seen_on_both_sides_of_its_threshold(eta, share):
    limit = th.WeightNormalization(2, eta=eta).limit_point(TRAP, np.sqrt(share * KAPPA * eta / 2))
    assert limit.trapped == (share < 1)
    if share < 1:
        assert limit.loss == 0.5
        assert not limit.reachable
    else:
        assert limit.loss < 1e-20


def test_figures_of_the_trap():
    flow = th.WeightNormalization(2, eta=1)
    below, above = (flow.limit_point(TRAP, np.sqrt(s / 2)) for s in (0.056, 0.0575))
    assert below.trapped
    np.testing.assert_allclose(above.x, [1.01436, 0.00718], atol=0.51e-5)


def opposed(depth: int, seed: int) -> tuple[th.Regression, np.ndarray]:
    """Targets opposite to where the start points, so that r decreases first."""
    rng = np.random.default_rng([depth, seed])
    while True:
        A = rng.standard_normal((2, 4))
        w0, x = rng.uniform(0.2, 0.5, 4), rng.uniform(0.2, 1.0, 4)
        if (A @ w0**depth) @ (A @ x) < -0.01:
            return th.Regression(A, A @ x), w0


def test_drawn_problems_contain_both_kinds():
    found = [
        th.WeightNormalization(depth, eta=8.0).limit_point(*opposed(depth, seed)).trapped
        for depth in (2, 3, 4)
        for seed in range(6)
    ]
    assert 3 <= sum(found) <= 15


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_trap_of_the_dual_problem_is_that_of_the_trajectory(depth, seed):
    problem, w0 = opposed(depth, seed)
    A = problem.dense
    flow = th.WeightNormalization(depth, eta=8.0)
    limit = flow.limit_point(problem, w0)
    # the radius itself, without the potential
    run = flow.integrate(problem, w0, 1e6, terminal=True, tol=1e-7, method="LSODA")
    if len(run.t_events["interpolation"]):
        assert not limit.trapped
        np.testing.assert_allclose(limit.x, run.end, atol=1e-5)
    else:
        assert np.max(np.abs(run.end)) < 1e-2 * np.max(np.abs(np.linalg.pinv(A) @ problem.y))
        assert limit.trapped


def test_zero_is_the_right_limit_where_it_minimizes_the_loss():
    limit = th.WeightNormalization(2, eta=1).limit_point(th.Regression([[1.0, 2.0]], [-1.0]), 0.5)
    assert limit.success
    assert not limit.trapped
    assert np.all(limit.x == 0)


@pytest.mark.parametrize("depth", [2, 3])
def test_zero_is_not_the_limit_only_because_it_minimizes_the_loss(depth):
    # every (v, v, 0) minimizes it too, and the flow ends at one of them
    problem = th.Regression([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]], [0.0, -1.0])
    flow = th.WeightNormalization(depth, eta=1)
    limit = flow.limit_point(problem, [0.6, 0.8, 0.1])
    run = flow.integrate(problem, [0.6, 0.8, 0.1], 1e3, rtol=1e-11)
    assert run.x[0, -1] > 0.05
    np.testing.assert_allclose(limit.x, run.x[:, -1], atol=1e-2)
    assert limit.x[0] == pytest.approx(limit.x[1], rel=1e-8)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_targets_of_zero_end_in_the_kernel(depth):
    problem, w0 = th.Regression([[1.0, -1.0]], [0.0]), [0.3, 0.5]
    flow = th.WeightNormalization(depth, eta=1)
    end = flow.integrate(problem, w0, 1e4, rtol=1e-12).x[:, -1]
    np.testing.assert_allclose(flow.limit_point(problem, w0).x, end, atol=1e-9)


# -- no solution, and a solution on the boundary ---------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_without_a_solution_the_limit_is_nonnegative_least_squares(depth, seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((5, 4)), rng.standard_normal(5)
    best, residual = nnls(A, y)
    limit = th.WeightNormalization(depth, eta=1).limit_point(th.Regression(A, y), 0.8)
    if limit.trapped or not best.any():
        assert np.all(limit.x == 0)
    else:
        np.testing.assert_allclose(limit.x, best, atol=1e-6)
        assert abs(limit.loss - residual**2 / 2) < 1e-9


@pytest.mark.parametrize(("depth", "stated"), [(2, 2.4998e-5), (3, 1.551e-4)])
def test_a_solution_on_the_boundary_is_approached_like_a_power_of_the_time(depth, stated):
    flow = th.WeightNormalization(depth, eta=1)
    problem = th.Regression(np.eye(2), [1.0, 0.0])
    run = flow.integrate(problem, 0.5, (0, 1e4), rtol=1e-11, atol=1e-16)
    np.testing.assert_allclose(run.x[1, -1], stated, rtol=5e-3)
    limit = flow.limit_point(problem, 0.5)
    np.testing.assert_allclose(limit.x, [1, 0], atol=1e-6)


def test_rate_of_the_residual_is_the_least_eigenvalue():
    flow = th.WeightNormalization(2, eta=0.5)
    x = flow.limit_point(PROBLEM, W1).x
    M = 4 * (x.sum() * np.diag(x) - np.outer(x, x) + 0.5 / x.sum() * np.outer(x, x))
    rate = float(np.linalg.eigvalsh(I1 @ M @ I1.T)[0])
    run = flow.integrate(PROBLEM, W1, 6.0, method="Radau", rtol=1e-12, atol=1e-15, t_eval=[4, 5])
    assert abs(np.log(run.loss[0] / run.loss[1]) / 2 - rate) < 1e-4
    assert abs(flow.decay_rate(PROBLEM, x) - rate) < 1e-12
    assert flow.rate_bound(PROBLEM, x) <= rate


@pytest.mark.parametrize("start", [1e-8, 1e3])
@pytest.mark.parametrize("depth", [2, 3])
def test_extreme_starts_end_in_an_answer_or_a_reason(depth, start):
    limit = th.WeightNormalization(depth, eta=1).limit_point(PROBLEM, start)
    if limit.success:
        # relative to the terms of A x: from 1e3 the limit is of the size of the start
        size = np.max(np.abs(I1) @ np.abs(limit.x) + np.abs(Y1))
        assert limit.trapped or np.max(np.abs(I1 @ limit.x - Y1)) < 1e-12 * size
    else:
        assert limit.message


# -- finite steps ----------------------------------------------------------------------------------


def test_descent_follows_the_flow_for_small_steps():
    flow = th.WeightNormalization(2, eta=0.5)
    exact = flow.integrate(PROBLEM, W1, 1.0, method="DOP853", rtol=1e-12).x[:, -1]
    gaps = []
    for steps in (500, 1000):
        run = flow.descend(PROBLEM, [W1], step=1 / steps, iterations=steps)
        gaps.append(np.max(np.abs(run.x[0] - exact)))
    # first order
    assert 1.8 < gaps[0] / gaps[1] < 2.2


def test_descent_without_normalizing_again_lets_the_norm_grow():
    flow = th.WeightNormalization(2, eta=0.5)
    run = flow.descend(PROBLEM, [W1], step=0.05, iterations=200, renormalize=False)
    assert run.norm[0] > 1 + 1e-4
    assert flow.descend(PROBLEM, [W1], step=0.05, iterations=200).norm[0] == pytest.approx(1, 1e-14)


def test_descent_that_diverges_reports_it():
    with np.errstate(all="ignore"):
        run = th.WeightNormalization(3, eta=1).descend(PROBLEM, [W1 * 9], step=5.0, iterations=50)
    assert not run.success
    assert "smaller step" in run.message


# -- bad input -------------------------------------------------------------------------------------

FLOW = th.WeightNormalization(2, eta=1)


@pytest.mark.parametrize(
    ("start", "error", "match"),
    [
        ([0.3, 0.0, 0.5, 0.2], StartError, r"w\[1\] = 0"),
        ([0.3, np.nan, 0.5, 0.2], StartError, "NaN"),
        ([0.3, np.inf, 0.5, 0.2], StartError, "infinity"),
        ([0.3, 0.4], ShapeError, r"\(2,\)"),
        (np.ones((2, 4)), ShapeError, r"\(2, 4\)"),
        ("abc", StartError, "abc"),
        ({"u": 1.0}, StartError, "names"),
        (0, StartError, r"w\[0\] = 0"),
    ],
)
def test_bad_starts_are_refused(start, error, match):
    for call in (FLOW.limit_point, FLOW.integrate):
        with pytest.raises(error, match=match):
            call(PROBLEM, start)


def test_signs_of_the_start_need_a_whole_power():
    with pytest.raises(StartError, match="not whole"):
        th.WeightNormalization(2.5, eta=1).limit_point(PROBLEM, -W1)
    # an even power forgets them, an odd one keeps them
    even = th.WeightNormalization(2, eta=1).limit_point(PROBLEM, -W1)
    np.testing.assert_allclose(even.x, FLOW.limit_point(PROBLEM, W1).x)
    signs = np.array([1, 1, -1, 1])
    odd = th.WeightNormalization(3, eta=1).limit_point(th.Regression(I1 * signs, Y1), W1 * signs)
    same = th.WeightNormalization(3, eta=1).limit_point(PROBLEM, W1)
    np.testing.assert_allclose(odd.x, same.x * signs)


def test_models_with_symbols_have_no_numbers():
    with pytest.raises(UnknownName, match="eta"):
        th.WeightNormalization(2).limit_point(PROBLEM, W1)


@pytest.mark.parametrize("depth", [0.5, 1.5])
def test_depths_whose_entries_reach_zero_have_no_dual_limit(depth):
    with pytest.raises(UnsupportedFormula, match="finite"):
        th.WeightNormalization(depth, eta=1).limit_point(PROBLEM, W1)


def test_losses_without_a_finite_minimizer_have_no_limit():
    flow = th.WeightNormalization(2, eta=1, loss=th.losses.logistic())
    with pytest.raises(InfeasibleTarget):
        flow.limit_point(th.Regression(I1, [1.0, -1.0]), W1)


@pytest.mark.parametrize(
    "options",
    [{"method": "Euler"}, {"rtol": 0}, {"rtol": 1.0}, {"atol": 0}, {"t": (1, 0)}, {"t": np.inf}],
    ids=str,
)
def test_bad_options_of_the_integration_are_refused(options):
    with pytest.raises(DomainError, match="Expected"):
        FLOW.integrate(PROBLEM, W1, **({"t": 1.0} | options))


@pytest.mark.parametrize("options", [{"step": 0}, {"step": 0.1, "iterations": 0}], ids=str)
def test_bad_options_of_the_descent_are_refused(options):
    with pytest.raises(DomainError, match="Expected step > 0"):
        FLOW.descend(PROBLEM, [W1], **options)
    with pytest.raises(DomainError, match="at least one run"):
        FLOW.descend(PROBLEM, [], step=0.1)


def test_tolerance_of_the_limit_is_in_its_range():
    with pytest.raises(DomainError, match="rtol = 0"):
        FLOW.limit_point(PROBLEM, W1, rtol=0)


def test_data_with_nan_are_refused():
    with pytest.raises(DataError):
        th.Regression([[1.0, np.nan]], [1.0])
