"""Finite steps: the flow they follow, the laws they break, and the start they amount to."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DataError, DomainError, FormulaError
from theory.numeric.descent import _Samples

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
MODELS = {
    "u**2 - v**2": ("u", "v"),
    "u**3 - v**3": ("u", "v"),
    "u*v": ("u", "v"),
    "sinh(u)": ("u",),
    "u*v*w": ("u", "v", "w"),
    "exp(u) - exp(-v)": ("u", "v"),
}
OPT = th.optimizers


def setting(model: str, seed: int) -> tuple[th.GradientFlow, th.Regression, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((3, 6)) / 2
    start = {s: rng.uniform(0.4, 0.8, 6) for s in MODELS[model]}
    flow = th.GradientFlow(th.Elementwise(model, ",".join(MODELS[model])))
    return flow, th.Regression(A, rng.uniform(-0.5, 0.5, 3)), start


OPTIMIZERS = {
    "gradient descent": (OPT.GradientDescent(0.05), {}),
    "heavy ball": (OPT.Momentum(0.01, 0.7), {}),
    "Nesterov": (OPT.Momentum(0.01, 0.7, nesterov=True), {}),
    "batches": (OPT.GradientDescent(0.02), {"batch_size": 1, "seed": 3}),
    "batches with momentum": (OPT.Momentum(0.004, 0.8), {"batch_size": 2, "seed": 4}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_run_ends_where_the_flow_goes_from_the_effective_start(model: str, name: str) -> None:
    flow, problem, start = setting(model, 2)
    optimizer, options = OPTIMIZERS[name]
    run = flow.descend(problem, start, optimizer, tol=1e-9, **options)
    assert run.success, run.message
    effective = dict(zip(MODELS[model], run.effective_start, strict=True))
    limit = flow.limit_point(problem, effective)
    assert limit.success
    assert np.max(np.abs(limit.x - run.end)) <= 1e-7 * np.max(np.abs(run.end))
    # a finite step ends elsewhere than the flow from the start itself
    plain = flow.limit_point(problem, start).x
    assert np.max(np.abs(plain - run.end)) > 1e3 * np.max(np.abs(limit.x - run.end))


@pytest.mark.parametrize("optimizer", [OPT.GradientDescent, OPT.Momentum])
def test_the_effective_start_tends_to_the_start(optimizer) -> None:
    flow, problem, start = setting("u**2 - v**2", 5)
    gaps = []
    for rate in (0.01, 0.005, 0.0025):
        run = flow.descend(problem, start, optimizer(rate), tol=1e-11)
        begin = np.stack([start["u"], start["v"]])
        gaps.append(np.max(np.abs(run.effective_start - begin)))
    # first order in the step
    assert 1.7 < gaps[0] / gaps[1] < 2.3 and 1.8 < gaps[1] / gaps[2] < 2.2


def test_the_law_of_the_difference_of_squares_is_an_exact_product() -> None:
    flow, problem, start = setting("u**2 - v**2", 7)
    eta, steps = 0.05, 400
    run = flow.descend(problem, start, eta, steps=steps, tol=None)
    u, v = start["u"].copy(), start["v"].copy()
    kept = u * v
    for _ in range(steps):
        g = problem.A.T @ (problem.A @ (u**2 - v**2) - problem.y)
        u, v = u * (1 - 2 * eta * g), v * (1 + 2 * eta * g)
        kept = kept * (1 - 4 * eta**2 * g**2)
    assert np.allclose(run.end, u**2 - v**2, rtol=1e-12, atol=1e-15)
    # (1 - 2 eta g)(1 + 2 eta g): finite steps shrink u v, whatever the sign of g
    assert np.allclose(run.law_change[0], kept - start["u"] * start["v"], rtol=1e-9)
    assert np.all(run.law_change[0] < 0)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("model", [m for m in MODELS if m != "sinh(u)"])
def test_the_change_of_a_law_is_predicted_to_first_order(model: str, name: str) -> None:
    flow, problem, start = setting(model, 11)
    given, options = OPTIMIZERS[name]
    wrong = []
    for part in (1.0, 0.25):
        rate = 0.2 * given.rate * part
        optimizer = (
            OPT.Momentum(rate, given.beta, given.nesterov)
            if isinstance(given, OPT.Momentum)
            else OPT.GradientDescent(rate)
        )
        # the same time of the flow, most of the way to the limit
        run = flow.descend(problem, start, optimizer, tol=None, steps=int(600 / part), **options)
        error = np.max(np.abs(run.law_prediction - run.law_change))
        wrong.append(error / np.max(np.abs(run.law_change)))
    # relative to the change, the error is of the order of the step
    assert wrong[0] < 0.1 and wrong[1] < 0.4 * wrong[0] + 1e-4


def test_noise_on_labels_shrinks_the_laws_at_the_predicted_pace() -> None:
    flow, problem, start = setting("u**2 - v**2", 13)
    for optimizer in (OPT.GradientDescent(0.004), OPT.Momentum(0.001, 0.75)):
        run = flow.descend(
            problem, start, optimizer, steps=8_000, tol=None, label_noise=0.5, seed=1
        )
        quiet = flow.descend(problem, start, optimizer, steps=8_000, tol=None)
        assert np.all(run.law_change[0] < 1.5 * quiet.law_change[0])
        size = np.max(np.abs(run.law_change))
        assert np.max(np.abs(run.law_prediction - run.law_change)) < 0.05 * size


def test_small_steps_follow_the_flow() -> None:
    flow, problem, start = setting("u**3 - v**3", 17)
    exact = flow.integrate(problem, start, 2.0, rtol=1e-11, mode="primal", method="DOP853").end
    for make in (OPT.GradientDescent, lambda rate: OPT.Momentum(rate / 4, 0.75)):
        gaps = []
        for steps in (500, 1000, 2000):
            run = flow.descend(problem, start, make(2.0 / steps), steps=steps, tol=None)
            assert run.t[-1] == pytest.approx(2.0)
            gaps.append(np.max(np.abs(run.end - exact)))
        assert 1.8 < gaps[0] / gaps[1] < 2.2 and 1.9 < gaps[1] / gaps[2] < 2.1


@given(st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=20)
def test_a_batch_is_the_full_gradient_on_average(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = th.Regression(rng.standard_normal((5, 2)), rng.standard_normal(5))
    z = rng.standard_normal(5)
    drawn = _Samples(problem, size, 0.0, np.random.default_rng(seed))
    many = np.array([drawn.residual(lambda z, y: z - y, z) for _ in range(4000)])
    full = z - problem.y
    assert np.allclose(np.sum(many != 0, axis=1), size)
    spread = np.abs(full) * np.sqrt(5 / size - 1) / np.sqrt(4000)
    assert np.all(np.abs(many.mean(axis=0) - full) <= 5 * spread + 1e-12)


def test_the_seed_decides_and_nothing_else() -> None:
    flow, problem, start = setting("u*v", 3)
    options = {"batch_size": 1, "label_noise": 0.1, "steps": 50, "tol": None}
    one = flow.descend(problem, start, 0.01, seed=1, **options)
    again = flow.descend(problem, start, 0.01, seed=1, records=7, **options)
    other = flow.descend(problem, start, 0.01, seed=2, **options)
    assert np.array_equal(one.end, again.end) and not np.array_equal(one.end, other.end)


def test_adam_against_its_definition() -> None:
    flow, problem, start = setting("u**2 - v**2", 21)
    run = flow.descend(problem, start, OPT.Adam(0.01), steps=30, tol=None)
    theta = np.stack([start["u"], start["v"]])
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for k in range(1, 31):
        g = problem.A.T @ (problem.A @ (theta[0] ** 2 - theta[1] ** 2) - problem.y)
        full = np.stack([2 * theta[0] * g, -2 * theta[1] * g])
        m, v = 0.9 * m + 0.1 * full, 0.999 * v + 0.001 * full**2
        theta = theta - 0.01 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    assert np.allclose(run.theta[..., -1], theta, rtol=1e-12)
    # Adam follows no flow: what would describe one is not given
    assert np.isnan(run.effective_start).all() and np.isnan(run.multipliers).all()
    assert np.isnan(run.law_prediction).all() and np.isfinite(run.law_change).all()


def test_records_hold_the_first_and_the_last_step() -> None:
    flow, problem, start = setting("u**2 - v**2", 23)
    run = flow.descend(problem, start, 0.01, steps=1000, tol=None, records=20)
    assert run.step[0] == 0 and run.step[-1] == run.nit == 1000 and len(run.step) <= 22
    assert np.allclose(run.x[:, 0], start["u"] ** 2 - start["v"] ** 2)
    assert np.allclose(run.x[:, -1], run.end)
    assert run.loss[0] == pytest.approx(0.5 * np.sum((problem.A @ run.x[:, 0] - problem.y) ** 2))
    assert flow.descend(problem, start, 0.01, steps=0, tol=None).nit == 0


def test_runs_that_do_not_arrive_say_so() -> None:
    flow, problem, start = setting("u**2 - v**2", 25)
    wild = flow.descend(problem, start, 100.0)
    assert not wild.success and "rate = 100 is too large" in wild.message
    short = flow.descend(problem, start, 1e-4, steps=10)
    assert not short.success and "after all 10 steps" in short.message


def test_the_drift_of_laws_in_closed_form() -> None:
    u, v = sp.symbols("u v", real=True)
    assert FLOW.step_drift("u*v") == -4 * u * v
    product = th.GradientFlow(th.Elementwise("u*v", "u, v"))
    # (v, u) for the law u^2 - v^2: v^2 - u^2
    assert sp.expand(product.step_drift("u**2 - v**2") - (v**2 - u**2)) == 0
    rated = th.GradientFlow(th.Elementwise("u*v", "u, v", rates=[2, 1]))
    # u^2/2 - v^2 with velocity (2 v, u)
    assert sp.expand(rated.step_drift("u**2/2 - v**2") - (2 * v**2 - u**2)) == 0
    with pytest.raises(FormulaError, match="u \\+ v is not known to be one: REFUTED"):
        FLOW.step_drift("u + v")
    with pytest.raises(Exception, match="__import__"):
        FLOW.step_drift("__import__('os').system('true')")


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: OPT.GradientDescent(0.0), "rate > 0"),
        (lambda: OPT.GradientDescent(np.nan), "rate > 0"),
        (lambda: OPT.Momentum(0.1, 1.0), "0 <= beta < 1"),
        (lambda: OPT.Momentum(0.1, -0.1), "0 <= beta < 1"),
        (lambda: OPT.Adam(0.1, epsilon=0.0), "epsilon > 0"),
        (lambda: OPT.Adam(0.1, beta2=1.0), "0 <= beta2 < 1"),
    ],
)
def test_optimizers_that_cannot_be(make, part: str) -> None:
    with pytest.raises(DomainError, match=part):
        make()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"steps": -1}, "integer steps >= 0"),
        ({"steps": 1.5}, "integer steps >= 0"),
        ({"records": 1}, "integer records >= 2"),
        ({"tol": 0.0}, "0 < tol < 1"),
        ({"batch_size": 0}, "1 <= batch_size <= 3"),
        ({"batch_size": 4}, "1 <= batch_size <= 3"),
        ({"label_noise": -1.0}, "label_noise >= 0"),
        ({"seed": -1}, "seed >= 0"),
    ],
)
def test_options_that_cannot_be(options: dict, part: str) -> None:
    flow, problem, start = setting("u**2 - v**2", 1)
    with pytest.raises(DomainError, match=part):
        flow.descend(problem, start, 0.01, **options)


@pytest.mark.parametrize("optimizer", ["0.1", None, True, [0.1]])
def test_what_is_no_optimizer(optimizer) -> None:
    flow, problem, start = setting("u**2 - v**2", 1)
    with pytest.raises(DomainError, match="Expected an optimizer"):
        flow.descend(problem, start, optimizer)


def test_labels_that_cannot_have_noise() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"), loss=th.losses.logistic())
    problem = th.Regression([[1.0, 2.0]], [1.0])
    start = {"u": 0.1, "v": 0.1}
    with pytest.raises(DataError, match="label_noise > 0"):
        flow.descend(problem, start, 0.1, tol=None, label_noise=0.1)
    with pytest.raises(DomainError, match="tol=None"):
        flow.descend(problem, start, 0.1)
    run = flow.descend(problem, start, 0.1, tol=None, steps=200)
    assert run.success and np.all(np.diff(run.loss) < 0)
