"""Law: the limit point minimizes the divergence, ends the trajectory, and ignores loss and link."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import theory as th
from tests.laws.strategies import LINKED, Case, cases, problems

# F and F' up to affine terms, typed by hand
POTENTIALS = {
    "u**2": (lambda x: (x * np.log(x) - x) / 4, lambda x: np.log(x) / 4, 1e-10),
    "u**3": (lambda x: -(x ** (2 / 3)) / 2, lambda x: -(x ** (-1 / 3)) / 3, 1e-10),
    "exp(u)": (lambda x: -np.log(x), lambda x: -1 / x, 1e-10),
    "sinh(u)": (lambda x: x * np.arctan(x) - np.log1p(x**2) / 2, np.arctan, None),
    "u": (lambda x: x**2 / 2, lambda x: x, None),
}


@settings(max_examples=4)
@given(st.data())
def test_limit_point_minimizes_the_divergence(data: st.DataObject) -> None:
    case: Case = data.draw(cases(tuple(POTENTIALS)))
    A, target = data.draw(problems(case))
    F, slope, lower = POTENTIALS[case.formula]
    limit = case.flow().limit_point(th.Regression(A, target), case.floats)
    assert limit.success, limit.message
    mirror = case.mirror()
    x0 = np.full(4, float(mirror.x0))
    best = minimize(
        lambda x: np.sum(F(x) - slope(x0) * x),
        limit.x + 0.0 * x0,
        jac=lambda x: slope(x) - slope(x0),
        bounds=None if lower is None else [(lower, None)] * 4,
        constraints={"type": "eq", "fun": lambda x: A @ x - target, "jac": lambda x: A},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 300},
    )
    # a minimum of a smooth function is found to the square root of its accuracy
    np.testing.assert_allclose(limit.x, best.x, atol=1e-5 * (1 + np.max(np.abs(best.x))))
    residual = slope(limit.x) - slope(x0)
    multipliers = np.linalg.lstsq(A.T, residual, rcond=None)[0]
    assert np.max(np.abs(A.T @ multipliers - residual)) < 1e-9 * (1 + np.max(np.abs(residual)))


@settings(max_examples=4)
@given(st.data())
def test_trajectory_ends_at_the_limit_point(data: st.DataObject) -> None:
    case: Case = data.draw(cases(("sinh(u)", "u", "u**2 - v**2")))
    A, target = data.draw(problems(case))
    problem = th.Regression(A, target)
    limit = case.flow().limit_point(problem, case.floats)
    run = case.flow().integrate(problem, case.floats, rtol=1e-9, tol=1e-10, laws=())
    assert run.success, run.message
    end = run.end if run.end.shape == (4,) else run.x[..., -1]
    np.testing.assert_allclose(end, limit.x, atol=1e-6 * (1 + np.max(np.abs(limit.x))))


@settings(max_examples=4)
@given(st.data(), st.sampled_from(LINKED[1:]))
def test_loss_and_link_do_not_move_the_limit(data: st.DataObject, linked: tuple) -> None:
    case: Case = data.draw(cases(("u**2", "u**3", "sinh(u)", "u**2 - v**2", "u*v*w")))
    A, target = data.draw(problems(case))
    loss, link, h = linked
    plain = case.flow().limit_point(th.Regression(A, target), case.floats)
    other = case.flow(loss, link).limit_point(th.Regression(A, h(target)), case.floats)
    # the target is recovered by the inverse of the link, whose condition is moderate here
    np.testing.assert_allclose(other.x, plain.x, rtol=1e-8, atol=1e-10)
