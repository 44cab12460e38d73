"""The figures of the paper's experiments, in our reproduction: margins of digits, linear, flows."""

from __future__ import annotations

import numpy as np
import pytest

import theory as th
from theory.numeric.margins.margin_run import MarginRun

O = th.optimizers
TASK, TEST = th.read_samples("digits:2,7", train=50)
NET = th.HomogeneousNetwork.two_layer(64, 50)
START = NET.start(scale=0.1, seed=1)
# margins at the end of 6000 steps with log(loss) falling by .1 a step
MEASURED = {
    "l2": {"l1": 0.001097, "l2": 0.3753, "linf": 3.95, "spectral": 0.751},
    "linf": {"l1": 9.6e-5, "l2": 0.0872, "linf": 57.6, "spectral": 0.098},
    "l1": {"l1": 0.01616, "l2": 0.185, "linf": 0.346, "spectral": 0.223},
    "spectral": {"l1": 9.4e-5, "l2": 0.085, "linf": 5.94, "spectral": 0.869},
}


@pytest.fixture(scope="module")
def runs() -> dict[str, MarginRun]:
    return {
        norm: NET.descend(
            TASK, START, O.Steepest(norm, loss_step=0.1), steps=6000, every_step=norm != "spectral"
        )
        for norm in MEASURED
    }


@pytest.mark.parametrize("norm", MEASURED)
def test_margins_of_digits(runs: dict[str, MarginRun], norm: str) -> None:
    found = {k: float(v[-1]) for k, v in runs[norm].margins.items()}
    # gradient descent follows its flow; the others chatter around theirs
    assert found == pytest.approx(MEASURED[norm], rel=2e-3 if norm == "l2" else 0.05)


def test_each_algorithm_wins_its_own_norm(runs: dict[str, MarginRun]) -> None:
    at_equal_loss = th.compare_margins(runs)
    for norm in MEASURED:
        values = {k: v[norm] for k, v in at_equal_loss.items()}
        assert max(values, key=values.__getitem__) == norm
    ratio = {k: at_equal_loss[k][k] / at_equal_loss["l2"][k] for k in MEASURED}
    assert ratio["l1"] >= 10 and ratio["linf"] >= 10 and ratio["spectral"] >= 1.1
    others = [at_equal_loss[k]["l2"] for k in ("l1", "linf", "spectral")]
    assert at_equal_loss["l2"]["l2"] >= 2 * max(others)


def test_soft_margin_of_gradient_descent_never_falls(runs: dict[str, MarginRun]) -> None:
    assert runs["l2"].drops == 0 and runs["l2"].bounds.hold()
    # inclusions chatter: a share of the step
    assert 0 < runs["linf"].largest_drop < 1e-4
    assert 0 < runs["l1"].largest_drop < 5e-3
    assert runs["spectral"].drops == -1


def test_margin_of_gradient_descent_along_the_way(runs: dict[str, MarginRun]) -> None:
    expected = {10.7: 0.3385, 33.7: 0.3623, 91: 0.3704, 235: 0.3739}
    for log_loss, margin in expected.items():
        assert runs["l2"].at(log_loss)["l2"] == pytest.approx(margin, rel=2e-3)


def test_test_accuracy(runs: dict[str, MarginRun]) -> None:
    accuracy = {
        k: float((np.sign(NET.output(r.theta, TEST.X)) == TEST.y).mean()) for k, r in runs.items()
    }
    assert accuracy["l2"] == 1 and accuracy["spectral"] == 1
    assert accuracy["linf"] == pytest.approx(0.984, abs=0.01) and accuracy["l1"] >= 0.99


@pytest.mark.parametrize(
    ("epsilon", "rate", "steps", "linf", "l2"),
    [(1e-8, 1e-3, 1500, 39.2, 0.0733), (1e-2, 1e-3, 20_000, 51.6, 0.142),
     (10.0, 0.1, 20_000, 7.5, 0.307), (100.0, 0.1, 20_000, 4.91, 0.321)],
)  # fmt: skip
def test_adam_lies_between_sign_and_gradient_descent(
    epsilon: float, rate: float, steps: int, linf: float, l2: float
) -> None:
    run = NET.descend(TASK, START, O.Adam(rate, epsilon=epsilon), steps=steps)
    assert run.margins["linf"][-1] == pytest.approx(linf, rel=0.01)
    assert run.margins["l2"][-1] == pytest.approx(l2, rel=0.01)


def test_adam_at_early_time_is_as_sign_descent_and_unlike_gradient_descent() -> None:
    adam = NET.descend(TASK, START, O.Adam(1e-3), steps=1500).at(2.76)
    sign = NET.descend(TASK, START, O.Steepest("linf", loss_step=0.02), steps=600).at(2.76)
    gradient = NET.descend(TASK, START, O.Steepest("l2", loss_step=0.1), steps=200).at(2.76)
    assert adam["linf"] > 0.5 * sign["linf"] and adam["linf"] > 8 * gradient["linf"]
    assert adam["l2"] < 1.3 * sign["l2"] and adam["l2"] < 0.4 * gradient["l2"]


def test_adam_without_memory_and_epsilon_is_sign_descent() -> None:
    adam = NET.descend(TASK, START, O.Adam(1e-3, 0.0, 0.0, 1e-30), steps=300)
    sign = NET.descend(TASK, START, O.Steepest("linf", rate=1e-3), steps=300)
    assert np.abs(adam.theta - sign.theta).max() < 1e-12


# -- linear classifiers


def linear_task() -> th.Classification:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(20, 6)), None
    w = rng.normal(size=6)
    y = np.sign(X @ w)
    return th.Classification(X + 0.3 * y[:, None] * w / np.linalg.norm(w), y)


@pytest.mark.parametrize(
    ("norm", "optimum", "at_1000", "at_end"),
    [("l1", 0.312462, 0.29079, 0.31037), ("l2", 0.598919, 0.58123, 0.59724),
     ("linf", 0.817901, 0.80434, 0.81637)],
)  # fmt: skip
def test_linear_margins_tend_to_the_optimum(
    norm: str, optimum: float, at_1000: float, at_end: float
) -> None:
    task = linear_task()
    best = th.max_margin(task, norm=norm)
    assert best.success and best.margin == pytest.approx(optimum, abs=1e-6)
    net = th.HomogeneousNetwork.linear(6)
    for steps, expected in ((1000, at_1000), (100_000, at_end)):
        run = net.descend(task, np.zeros(6), O.Steepest(norm, rate=(0.5, 0.5)), steps=steps)
        assert run.margins[norm][-1] == pytest.approx(expected, abs=3e-4)
        assert run.margins[norm][-1] < best.margin


# -- the smooth flow


def flow_task() -> tuple[th.Classification, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(10, 3))
    y = np.sign(X[:, 0] + 0.5 * X[:, 1] ** 2 - 0.4)
    return th.Classification(X / np.linalg.norm(X, axis=1)[:, None], y), 0.7 * rng.normal(size=48)


@pytest.mark.parametrize(
    ("norm", "length", "log_loss", "margin", "one_minus_beta"),
    [("l2", 12, 114.8, 0.035576, 0.0537), ("l2", 60, 10861, 0.046278, 0.0111),
     ("l3", 8, 121.8, 0.12597, 0.0173), ("l5/4", 20, 103.2, 0.003712, 0.222)],
)  # fmt: skip
def test_bounds_hold_along_smooth_flows(
    norm: str, length: float, log_loss: float, margin: float, one_minus_beta: float
) -> None:
    task, start = flow_task()
    net = th.HomogeneousNetwork.two_layer(3, 12, "max(z, 0)**2")
    assert net.degree == 3
    run = net.flow(task, start, norm, length=length, records=6000, norms=["l1", "l2", "linf"])
    assert run.log_loss[-1] == pytest.approx(log_loss, rel=1e-3)
    assert run.margins[norm][-1] == pytest.approx(margin, rel=1e-4)
    assert 1 - run.beta[-1] == pytest.approx(one_minus_beta, rel=5e-3)
    assert run.drops == 0 and run.bounds.growth > 0 and run.bounds.hold()


def test_gap_is_zero_only_at_stationarity_and_falls_along_the_flow() -> None:
    task, start = flow_task()
    net = th.HomogeneousNetwork.two_layer(3, 12, "max(z, 0)**2")
    run = net.flow(task, start, "l2", length=60, records=2000)
    seen = run.least > 0
    relative = run.gap[seen] * (run.least[seen] ** (1 / 3) / run.norms["l2"][seen]) ** 2
    assert (run.gap[seen] > 0).all()
    # window by window: least values over halves of the logarithm of the norm
    parts = np.array_split(relative, 4)
    least = [float(p.min()) for p in parts]
    assert least == sorted(least, reverse=True) and least[-1] < 0.02
    assert len(run.active(0.006)) == 7


# -- diagonal networks


def test_diagonal_networks_have_the_margins_of_their_predictor_norms() -> None:
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(12, 8)), np.array([1, -0.7, 0, 0, 0, 0, 0, 0])
    task = th.Classification(X, np.sign(X @ w))
    net = th.HomogeneousNetwork.diagonal(8, 2)
    start = net.start(scale=0.05, seed=1)
    ends = {}
    for norm in ("l2", "linf", "l1"):
        run = net.descend(task, start, O.Steepest(norm, loss_step=0.02), steps=40_000, records=20)
        beta = net.predictor(run.theta)
        q = float((task.signed @ beta).min())
        ends[norm] = beta, q
    beta, q = ends["l2"]
    best = th.predictor_margin(task, 2, "l2")
    assert best.norm == "l1" and best.margin == pytest.approx(0.19291, abs=1e-5)
    assert q / np.abs(beta).sum() == pytest.approx(0.19280, abs=1e-4)
    beta, q = ends["linf"]
    assert th.predictor_margin(task, 2, "linf").margin == pytest.approx(0.77474, abs=1e-5)
    assert q / np.abs(beta).max() == pytest.approx(0.76897, rel=2e-3)
    # l_{1/2} is not convex: coordinate descent ends at a worse stationary point
    halves = {k: v[1] / np.sqrt(np.abs(v[0])).sum() ** 2 for k, v in ends.items()}
    assert halves["l1"] == pytest.approx(0.0291, rel=0.02)
    assert halves["l2"] == pytest.approx(0.0368, rel=0.01) and halves["l2"] > 1.2 * halves["l1"]
    assert (np.abs(ends["l1"][0]) > 1e-3 * np.abs(ends["l1"][0]).max()).sum() == 3
    with pytest.raises(th.errors.DomainError, match="not convex"):
        th.predictor_margin(task, 2, "l1")
