"""A batch is its members: each trajectory and each limit point against the one-at-a-time result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import theory as th
from theory.errors import DataError, DomainError, InfeasibleTarget, ShapeError, StartError

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
MODELS = {
    "u**2 - v**2": "u, v",
    "u**3 - v**3": "u, v",
    "u*v": "u, v",
    "exp(u) - exp(-v)": "u, v",
    "sinh(u)": "u",
    "u*v*w": "u, v, w",
}
LOSSES = {
    "squared": (th.losses.squared(), th.links.identity()),
    "cross entropy": (th.losses.cross_entropy(), th.links.logistic()),
    "poisson": (th.losses.poisson(), th.links.exp()),
    "custom": (th.losses.custom("log(cosh(mu - y))"), th.links.softplus()),
}
BACKENDS = pytest.mark.parametrize("backend", ["numba", "numpy"])


def drawn(seed: int, m: int, n: int, d: int, *, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d) if shared else (m, n, d)) / np.sqrt(n)
    return A, rng.uniform(0.2, 0.8, (m, n))


@BACKENDS
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_trajectories_are_those_of_the_members(loss: str, shared: bool, backend: str) -> None:
    flow = th.GradientFlow(
        th.Elementwise("u**2 - v**2", "u, v"), loss=LOSSES[loss][0], link=LOSSES[loss][1]
    )
    A, y = drawn(1, 5, 3, 6, shared=shared)
    batch = th.Batch(A, y)
    starts = np.random.default_rng(2).uniform(0.2, 1.0, (2, 5, 6))
    times = [0.0, 0.1, 0.7, 2.0, 3.0]
    runs = flow.integrate_batch(
        batch, {"u": starts[0], "v": starts[1]}, (0, 3), rtol=1e-11, t_eval=times,
        backend=backend,
    )  # fmt: skip
    assert runs.success.all() and runs.x.shape == (5, 6, 5)
    for i in range(5):
        one = flow.integrate(
            batch.member(i), {"u": starts[0, i], "v": starts[1, i]}, (0, 3),
            mode="primal", method="DOP853", rtol=1e-12, t_eval=times,
        )  # fmt: skip
        assert np.max(np.abs(runs.theta[i] - one.theta)) <= 1e-8
        assert abs(runs.loss[i] - one.loss[-1]) <= 1e-9
        assert np.allclose(runs.end[i], one.end, atol=1e-9)


@BACKENDS
@pytest.mark.parametrize("model", MODELS)
def test_trajectories_against_scipy(model: str, backend: str) -> None:
    rho = th.Elementwise(model, MODELS[model])
    flow = th.GradientFlow(rho)
    A, y = drawn(4, 4, 2, 3, shared=True)
    k = len(rho.parameters)
    starts = np.random.default_rng(3).uniform(0.3, 1.0, (k, 4, 3))
    start = {s: starts[j] for j, s in enumerate(rho.parameters)}
    runs = flow.integrate_batch(th.Batch(A, y), start, 1.5, rtol=1e-10, backend=backend)
    import sympy as sp

    value = sp.lambdify(rho.parameters, rho.formula)
    slopes = [sp.lambdify(rho.parameters, sp.diff(rho.formula, s)) for s in rho.parameters]
    for i in range(4):

        def field(t: float, q: np.ndarray, i: int = i) -> np.ndarray:
            theta = q.reshape(k, 3)
            g = A.T @ (A @ value(*theta) - y[i])
            return np.concatenate([-f(*theta) * g for f in slopes])

        exact = solve_ivp(
            field, (0, 1.5), starts[:, i].ravel(), method="DOP853", rtol=1e-12, atol=1e-13
        )
        assert np.allclose(runs.theta[i, ..., -1].ravel(), exact.y[:, -1], atol=1e-8)


@BACKENDS
def test_each_member_has_its_own_time_of_interpolation(backend: str) -> None:
    A, y = drawn(7, 6, 2, 5, shared=True)
    starts = np.geomspace(0.01, 1.0, 6)[:, None]
    batch = th.Batch(A, y)
    runs = FLOW.integrate_batch(
        batch, {"u": starts, "v": starts}, rtol=1e-10, tol=1e-6, backend=backend
    )
    assert runs.success.all() and np.all(runs.t_end == runs.t_interpolation)
    assert len(set(runs.t_end)) == 6
    for i in range(6):
        one = FLOW.integrate(
            batch.member(i), {"u": starts[i, 0], "v": starts[i, 0]},
            mode="primal", method="DOP853", rtol=1e-11, tol=1e-6,
        )  # fmt: skip
        assert abs(runs.t_interpolation[i] - one.t_events["interpolation"][0]) <= 1e-5 * one.t[-1]
        z = batch.A @ runs.end[i]
        residual = np.linalg.norm(z - y[i]) / np.linalg.norm(y[i])
        assert abs(residual - 1e-6) <= 1e-8


@BACKENDS
def test_the_end_of_a_member_leaves_the_others_alone(backend: str) -> None:
    # 1/u leaves its domain in finite time for a negative target, and not for a positive one
    flow = th.GradientFlow(th.Elementwise("log(u)", "u"))
    batch = th.Batch([[1.0]], [[0.5], [-40.0], [1.0]])
    runs = flow.integrate_batch(batch, {"u": 1.0}, 50.0, rtol=1e-9, backend=backend)
    exact = flow.integrate(batch.member(0), {"u": 1.0}, 50.0, mode="primal", rtol=1e-11)
    assert runs.success[0] and runs.success[2]
    assert abs(runs.end[0, 0] - exact.end[0]) < 1e-7
    # u u' = -(log(u) + 40) reaches u = 0 at the integral of u / (log(u) + 40), which ends at e^-40
    assert not runs.success[1] and "Stopped at" in runs.message[1]
    assert 0.0125 < runs.t_end[1] < 0.0129 and np.isnan(runs.x[1, 0, -1])


@BACKENDS
def test_budgets_end_members_without_success(backend: str) -> None:
    A, y = drawn(7, 3, 2, 5, shared=True)
    batch, start = th.Batch(A, y), {"u": 1e-3, "v": 1e-3}
    few = FLOW.integrate_batch(batch, start, 1e4, max_steps=5, backend=backend)
    assert not few.success.any() and "budget of steps" in few.message[0]
    assert np.all(few.steps <= 5) and np.all(few.t_end < 1e4)
    none = FLOW.integrate_batch(batch, start, 1e4, max_seconds=0.0, backend=backend)
    assert not none.success.any() and "time budget" in none.message[0]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-6])
def test_limits_are_those_of_the_members(model: str, alpha: float, shared: bool) -> None:
    rho = th.Elementwise(model, MODELS[model])
    flow = th.GradientFlow(rho)
    A, y = drawn(5, 7, 3, 8, shared=shared)
    # the last target is zero, where a relative residual has nothing to be relative to
    y[-1] = 0.0
    batch = th.Batch(A, y)
    if model == "u*v*w" and (shared or alpha < 1e-3):
        # without a closed form each member is an integration of its own
        batch = th.Batch(A if shared else A[:2], y[:2])
    m = batch.m
    starts = alpha * np.random.default_rng(6).uniform(0.5, 1.0, (len(rho.parameters), m, 8))
    start = {s: starts[j] for j, s in enumerate(rho.parameters)}
    limits = flow.limit_batch(batch, start)
    for i in range(m):
        one = flow.limit_point(batch.member(i), {s: v[i] for s, v in start.items()})
        assert limits.success[i] == one.success
        if one.success:
            size = np.max(np.abs(one.x))
            assert np.max(np.abs(limits.x[i] - one.x)) <= 1e-9 * size
            assert limits.kkt_residual[i] <= 1e-12


@given(st.integers(0, 10_000), st.sampled_from([1.0, 1e-3, 1e-9]))
def test_a_limit_of_a_batch_interpolates_and_is_on_the_curve(seed: int, alpha: float) -> None:
    A, y = drawn(seed, 6, 3, 9, shared=seed % 2 == 0)
    y = y * np.random.default_rng(seed).choice([-1.0, 0.0, 1.0, 10.0], y.shape)
    batch = th.Batch(A, y)
    limits = FLOW.limit_batch(batch, {"u": alpha, "v": alpha})
    assert limits.success.all()
    for i in range(6):
        M = batch.member(i)
        # x = 2 alpha^2 sinh(4 xi)
        exact = 2 * alpha**2 * np.sinh(4 * (M.A.T @ limits.multipliers[i]))
        assert np.allclose(limits.x[i], exact, rtol=1e-9, atol=1e-300)
        size = np.max(np.abs(M.A) @ np.abs(exact) + np.abs(y[i]))
        assert np.max(np.abs(M.A @ limits.x[i] - y[i])) <= 2e-12 * size


def test_a_member_without_a_limit_says_why_and_the_others_have_theirs() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    limits = flow.limit_batch(th.Batch([[1.0, 1.0]], [[1.0], [-1.0]]), {"u": 0.1})
    assert limits.success[0] and limits.kkt_residual[0] < 1e-12
    one = flow.limit_point(th.Regression([[1.0, 1.0]], [-1.0]), {"u": 0.1})
    assert limits.message[1] == one.message and np.allclose(limits.x[1], one.x)


@pytest.mark.parametrize(
    ("A", "y", "error", "part"),
    [
        ([1.0, 2.0], [1.0], ShapeError, "shape (n, d), or (m, n, d)"),
        ([[1.0, 2.0]], [[1.0, 2.0]], ShapeError, "n = 1"),
        (np.ones((2, 1, 2)), np.ones((3, 1)), ShapeError, "3 and 2"),
        ([[1.0, np.nan]], [1.0], DataError, "A[0, 1] = nan"),
        ([[1.0, 2.0]], [[1.0], [np.inf]], DataError, "y[1, 0] = inf"),
        ([["1", "2"]], [1.0], DataError, "real numbers in A"),
        ([[1.0], [2.0, 3.0]], [1.0, 2.0], ShapeError, "A with rows of equal length"),
        (np.ones((0, 2)), np.ones(0), DataError, "at least one sample"),
    ],
)
def test_data_that_are_no_batch(A, y, error, part: str) -> None:
    with pytest.raises(error) as caught:
        th.Batch(A, y)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("start", "error", "part"),
    [
        ({"u": np.ones((2, 2)), "v": 1.0}, ShapeError, "one number of members but got [2, 3]"),
        ({"u": np.ones(5), "v": 1.0}, ShapeError, "(3, 2) for u but got (5,)"),
        ({"u": [[1.0], [1.0, 2.0]], "v": 1.0}, ShapeError, "rows of equal length for u"),
        ({"u": 1.0}, StartError, "no value for the parameter v"),
        ({"u": np.nan, "v": 1.0}, StartError, "finite start values"),
        ({"u": 0.0, "v": 0.0}, StartError, "never moves"),
        ({"u": 1.0, "v": 1.0, "w": 1.0}, StartError, "'w'"),
    ],
)
def test_starts_that_do_not_fit(start, error, part: str) -> None:
    batch = th.Batch([[1.0, 2.0]], [[1.0], [2.0], [3.0]])
    for ask in (FLOW.limit_batch, FLOW.integrate_batch):
        with pytest.raises(error) as caught:
            ask(batch, start)
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"t": (1.0, 1.0)}, "t0 < t1"),
        ({"t": 1.0, "rtol": 1e-2}, "rtol"),
        ({"t": 1.0, "atol": -1.0}, "atol"),
        ({"t": 1.0, "t_eval": [0.5, 0.5]}, "increasing t_eval"),
        ({"t": 1.0, "t_eval": [2.0]}, "within [0.0, 1.0]"),
        ({"t": 1.0, "t_eval": []}, "increasing t_eval"),
        ({"t": 1.0, "backend": "fortran"}, "'fortran'"),
        ({"t": 1.0, "threads": 0}, "threads"),
    ],
)
def test_options_that_cannot_be(options: dict, part: str) -> None:
    batch = th.Batch([[1.0, 2.0]], [[1.0], [2.0]])
    with pytest.raises(DomainError) as caught:
        FLOW.integrate_batch(batch, {"u": 1.0, "v": 1.0}, **options)
    assert part in str(caught.value)


@BACKENDS
def test_hard_labels_have_trajectories_and_no_limit(backend: str) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"), loss=th.losses.logistic())
    batch = th.Batch([[1.0, 2.0]], [[1.0], [-1.0]])
    runs = flow.integrate_batch(batch, {"u": 0.1, "v": 0.1}, 5.0, backend=backend)
    assert runs.success.all() and np.isnan(runs.t_interpolation).all()
    with pytest.raises(InfeasibleTarget):
        flow.integrate_batch(batch, {"u": 0.1, "v": 0.1}, backend=backend)
    with pytest.raises(InfeasibleTarget):
        flow.limit_batch(batch, {"u": 0.1, "v": 0.1})
    wrong = th.Batch([[1.0, 2.0]], [[1.0], [0.3]])
    with pytest.raises(DataError, match=r"y\[1, 0\] = 0.3"):
        flow.integrate_batch(wrong, {"u": 0.1, "v": 0.1}, 5.0, backend=backend)


def test_a_single_problem_is_no_batch() -> None:
    problem = th.Regression([[1.0, 2.0]], [1.0])
    for ask in (FLOW.limit_batch, FLOW.integrate_batch):
        with pytest.raises(DataError, match=r"th\.Batch of problems but got Regression"):
            ask(problem, {"u": 1.0, "v": 1.0})
