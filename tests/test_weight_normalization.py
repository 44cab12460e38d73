"""Weight normalization as a whole: magnification, bounds, divergence, signed models, rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import theory as th
from theory.errors import DataError, DomainError, StartError

I1 = np.array([[1, 2, -1, 0.5], [0, 1, 1, -2]])
Y1, W1 = np.array([1.3, 0.1]), np.array([0.3, 0.4, 0.5, 0.2])
PROBLEM = th.Regression(I1, Y1)


def least_norm(problem: th.Regression) -> np.ndarray:
    found = linprog(np.ones(problem.d), A_eq=problem.dense, b_eq=problem.y, method="highs")
    return np.maximum(found.x, 0.0)


def drawn(seed: int, columns: int = 8) -> th.Regression:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((4, columns))
    x = np.zeros(columns)
    x[rng.choice(columns, 2, replace=False)] = rng.uniform(0.5, 1.5, 2)
    return th.Regression(A, A @ x)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_limit_is_the_plain_limit_from_the_start_over_rho_to_twelve_digits(depth, eta):
    flow = th.WeightNormalization(depth, eta=eta)
    for start in (np.full(4, 0.3), W1, np.random.default_rng(depth).uniform(0.1, 0.6, 4)):
        limit = flow.limit_point(PROBLEM, start)
        # another solver: the elementwise flow, whose curve is integrated
        plain = flow.plain.limit_point(PROBLEM, {"u": start / limit.magnification})
        assert limit.success
        assert plain.success
        assert np.max(np.abs(limit.x - plain.x)) <= 1e-12 * np.max(np.abs(plain.x))
        r0, r1 = start @ start, limit.w @ limit.w
        typed = np.sqrt(r0 / r1) * np.exp((r1 - r0) / (2 * eta))
        assert abs(limit.magnification / typed - 1) < 1e-12


def test_magnification_can_be_below_one():
    # tiny starts do not help: the effective start tends to a positive one
    found = [th.WeightNormalization(2, eta=1).limit_point(PROBLEM, a) for a in (1e-3, 1e-5)]
    assert found[0].magnification < 1
    np.testing.assert_allclose(found[0].x, found[1].x, atol=1e-5)
    assert np.max(np.abs(1e-5 / found[1].magnification - 1e-3 / found[0].magnification)) < 1e-4


@pytest.mark.parametrize("depth", [2, 3])
def test_divergence_to_a_solution_decreases_along_the_trajectory(depth):
    flow = th.WeightNormalization(depth, eta=0.5)
    z = [0.18, 0.49, 0.02]
    A = np.array([[1.0, 2.0, -1.0]])
    problem = th.Regression(A, A @ z)
    run = flow.integrate(problem, [0.4, 0.3, 0.5], 5.0, rtol=1e-11, t_eval=np.linspace(0, 5, 9))
    values = [float(flow.bregman(z, list(x)).evalf(30)) for x in run.x.T]
    # it ends at a constant, where rounding decides
    assert np.all(np.diff(values) < 1e-14)
    assert np.all(np.diff(values)[:4] < 0)
    # the clock of the mirror flow: tau' = c
    c = [float(flow.warp(list(x)).evalf()) for x in run.x.T]
    tau = np.sum((np.array(c[1:]) + c[:-1]) / 2 * np.diff(run.t))
    assert run.loss[-1] * tau <= values[0] * 1.05


@settings(max_examples=40)
@given(
    st.integers(0, 10**6), st.sampled_from([2, 3, 4]), st.floats(0.02, 0.4), st.floats(0.05, 2.0)
)
def test_excess_of_the_norm_is_below_its_bound(seed, depth, start, eta):
    problem = drawn(seed)
    flow = th.WeightNormalization(depth, eta=eta)
    z = least_norm(problem)
    bounds = flow.excess_bounds(z, start)
    assume(bounds.normalized is not None)
    limit = flow.limit_point(problem, start)
    assume(limit.success and not limit.trapped)
    excess = np.sum(limit.x) - bounds.least
    assert -1e-8 <= excess <= bounds.normalized * (1 + 1e-9) + 1e-9


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.02, 0.4))
def test_excess_of_the_plain_flow_is_below_its_bound(seed, start):
    problem = drawn(seed)
    flow = th.WeightNormalization(2, eta=1)
    bounds = flow.excess_bounds(least_norm(problem), start)
    assume(bounds.plain is not None)
    limit = flow.plain.limit_point(problem, {"u": start})
    assume(limit.success)
    assert np.sum(limit.x) - bounds.least <= bounds.plain * (1 + 1e-9) + 1e-9


def test_outside_of_the_window_there_is_no_bound_and_a_smaller_rate_is_worse():
    problem = th.Regression([[1.0, 2.0, 3.0]], [1.0])
    assert th.WeightNormalization(2, eta=0.1).excess_bounds([0, 0, 1 / 3], 0.5).normalized is None
    norms = [
        th.WeightNormalization(2, eta=e).limit_point(problem, 0.5).x.sum() for e in (1, 0.1, 0.01)
    ]
    np.testing.assert_allclose(norms, [0.5202701562, 0.6308433229, 0.7311010307], atol=0.51e-10)


def test_joint_model_is_the_unsigned_one_of_the_doubled_matrix():
    problem = th.Regression(I1, [-0.9, -0.3])
    doubled = th.Regression(np.hstack([I1, -I1]), problem.y)
    for depth in (2, 3):
        joint = th.WeightNormalization(depth, eta=0.5, signed="joint").limit_point(problem, 0.4)
        both = th.WeightNormalization(depth, eta=0.5).limit_point(doubled, 0.4)
        np.testing.assert_allclose(joint.x, both.x[:4] - both.x[4:], atol=1e-12)
        np.testing.assert_allclose(I1 @ joint.x, problem.y, atol=1e-10)


def test_blockwise_model_interpolates_elsewhere_and_has_no_multipliers():
    problem = th.Regression(I1, [-0.9, -0.3])
    start = [[0.3, 0.4, 0.5, 0.2], [0.1, 0.4, 0.2, 0.3]]
    one, two = (
        th.WeightNormalization(2, eta=0.5, signed=s).limit_point(problem, start)
        for s in ("joint", "blockwise")
    )
    np.testing.assert_allclose(I1 @ two.x, problem.y, atol=1e-8)
    assert np.max(np.abs(one.x - two.x)) > 1e-3
    assert np.isnan(two.multipliers).all()


def test_rate_and_norm_only_change_the_clock():
    slow = th.WeightNormalization(2, eta=0.25, norm=2, rate=2)
    fast = th.WeightNormalization(2, eta=0.5)
    np.testing.assert_allclose(
        slow.limit_point(PROBLEM, W1).x, fast.limit_point(PROBLEM, W1).x, atol=1e-13
    )
    run, same = slow.integrate(PROBLEM, W1, 2.0), fast.integrate(PROBLEM, W1, 1.0)
    np.testing.assert_allclose(run.end, same.end, atol=1e-8)


@pytest.mark.parametrize("link", ["exp", "tanh"])
def test_limit_does_not_depend_on_loss_and_link_with_the_same_target(link):
    h = np.exp if link == "exp" else np.tanh
    flow = th.WeightNormalization(2, eta=0.5, link=getattr(th.links, link)())
    limit = flow.limit_point(th.Regression(I1, h(Y1)), W1)
    same = th.WeightNormalization(2, eta=0.5).limit_point(PROBLEM, W1)
    np.testing.assert_allclose(limit.x, same.x, atol=1e-11)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda f: f.excess_bounds([0.0, 0.0], 0.1), DataError, "z != 0"),
        (lambda f: f.excess_bounds([1.0, -1.0], 0.1), DataError, "z >= 0"),
        (lambda f: f.excess_bounds([1.0, 1.0], [0.1, -0.1]), StartError, "positive"),
        (lambda f: f.decay_rate(PROBLEM, [1.0]), DataError, "shape"),
        (lambda f: f.decay_rate(PROBLEM, np.zeros(4)), DataError, "x != 0"),
        (lambda f: f.descend(PROBLEM, [W1], step=0.1, etas=[1, 2]), DomainError, "one eta"),
    ],
)
def test_bad_input_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(th.WeightNormalization(2, eta=1))


def test_bounds_of_deep_models_need_a_uniform_start():
    with pytest.raises(DomainError, match="uniform"):
        th.WeightNormalization(3, eta=1).excess_bounds([1.0, 1.0], [0.1, 0.2])
