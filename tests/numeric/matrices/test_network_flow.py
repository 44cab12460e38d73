"""The flow of linear networks against closed forms, laws and the greedy algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DomainError, ShapeError, StartError


def orthogonal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.asarray(np.linalg.qr(rng.standard_normal((n, n)))[0])


def spectrum(seed: int, sigma: list[float]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    U, V = orthogonal(rng, len(sigma)), orthogonal(rng, len(sigma))
    return np.asarray(U @ np.diag(sigma) @ V.T)


@pytest.mark.parametrize("a0", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("s", [0.5, 2.0])
def test_two_layers_follow_the_logistic_curve(a0: float, s: float) -> None:
    # Saxe et al. 2013: a(t) = s e^{2st}/(e^{2st} - 1 + s/a_0)
    network = th.LinearNetwork([1, 1, 1])
    theta = network.vector([[[np.sqrt(a0)]], [[np.sqrt(a0)]]])
    for t in (0.5, 3.0, 8.0):
        run = network.integrate(th.MatrixLoss([[s]]), theta, t, rtol=1e-11)
        a = s / (1 + (s / a0 - 1) * np.exp(-2 * s * t))
        assert abs(run.product[0, 0] - a) <= 1e-9 * s
    run = network.integrate(th.MatrixLoss([[s]]), theta, rtol=1e-11, levels={1: s / 2})
    assert run.crossings[1] == pytest.approx(np.log(s / a0 - 1) / (2 * s), rel=1e-8)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_deep_mode_has_the_time_of_its_integral(depth: int) -> None:
    # x' = x^{L-1}(s - x^L) for balanced weights x
    from scipy.integrate import quad

    s, x0 = 1.5, 0.2
    network = th.LinearNetwork([1] * (depth + 1))
    run = network.integrate(
        th.MatrixLoss([[s]]), np.full(depth, x0), rtol=1e-11, levels={1: 0.9 * s}
    )
    x1 = (0.9 * s) ** (1 / depth)
    time = quad(lambda x: 1 / (x ** (depth - 1) * (s - x**depth)), x0, x1, epsrel=1e-12)[0]
    assert run.crossings[1] == pytest.approx(time, rel=1e-8)


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 10**6),
    st.sampled_from([0.0, 0.1, 1.0]),
)  # fmt: skip
@settings(max_examples=15)
def test_loss_falls_and_balancedness_decays_as_the_law_says(
    shape: list[int], seed: int, decay: float
) -> None:
    rng = np.random.default_rng(seed)
    network = th.LinearNetwork(shape)
    M = rng.standard_normal(network.shape)
    C = th.MatrixLoss(np.where(rng.random(M.shape) < 0.8, M, np.nan) if M.size > 3 else M)
    run = network.integrate(C, rng.standard_normal(network.size), 1.0, weight_decay=decay)
    assert run.success
    assert run.drift <= 1e-7
    assert np.all(np.diff(run.loss) <= 1e-9 * run.loss[0])


def test_drift_sees_a_broken_law() -> None:
    # Adam does not conserve the balancedness, gradient descent does up to its steps
    network, M = th.LinearNetwork([3, 3, 3]), spectrum(0, [3.0, 2.0, 1.0])
    theta = network.start(scale=0.3, seed=1)
    adam = network.descend(th.MatrixLoss(M), theta, th.optimizers.Adam(1e-2), steps=2000)
    group = network.descend(th.MatrixLoss(M), theta, th.optimizers.GroupRMSprop(1e-3), steps=20_000)
    plain = network.descend(th.MatrixLoss(M), theta, 1e-3, steps=20_000)
    assert plain.success and plain.drift < 0.03
    assert group.drift < 0.05 < 0.3 < adam.drift


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_full_observation_passes_the_saddles_of_every_rank(depth: int) -> None:
    # plateaus (sum of the squares that are left)/2, for a small start
    network = th.LinearNetwork([3, *[5] * (depth - 1), 3])
    alpha = {2: 1e-6, 3: 1e-2, 4: 3e-2}[depth]
    M = spectrum(1, [3.0, 2.0, 1.0])
    run = network.integrate(th.MatrixLoss(M), network.start(scale=alpha, seed=2))
    assert run.success
    found = run.plateaus()
    assert [p.rank for p in found] == [0, 1, 2]
    assert [p.loss for p in found] == pytest.approx([7.0, 2.5, 0.5], rel=0.01)
    assert np.allclose(run.product, M, atol=1e-4)


def test_half_times_scale_with_the_start_as_the_depth_says() -> None:
    M = spectrum(1, [3.0, 2.0, 1.0])
    levels = {1: 1.5, 2: 1.0}

    def times(depth: int, alpha: float) -> np.ndarray:
        network = th.LinearNetwork([3, *[4] * (depth - 1), 3])
        run = network.integrate(th.MatrixLoss(M), network.start(scale=alpha, seed=2), levels=levels)
        return np.array([run.crossings[1], run.crossings[2]])

    # L = 2: a hundred times smaller costs ln(100)/s_k more
    assert times(2, 1e-5) - times(2, 1e-3) == pytest.approx(
        np.log(100) / np.array([3, 2]), rel=0.02
    )
    # L = 3: alpha t is constant
    assert 10 * times(3, 1e-2) / times(3, 1e-3) == pytest.approx(
        [10, 10] / np.array([10, 10]), rel=0.02
    )


def test_width_below_the_rank_ends_where_the_gradient_of_the_loss_does_not_vanish() -> None:
    network = th.LinearNetwork([3, 1, 3])
    run = network.integrate(th.MatrixLoss(np.diag([3.0, 2.0, 1.0])), network.start(scale=0.1))
    assert run.success and "no minimum of C over all matrices" in run.message
    assert run.loss[-1] == pytest.approx(2.5, rel=1e-8)


def test_greedy_algorithm_gives_the_plateaus_of_a_deep_network_on_observed_entries() -> None:
    rng = np.random.default_rng(2)
    W = rng.standard_normal((10, 3)) @ rng.standard_normal((10, 3)).T
    W *= 10 / np.linalg.norm(W)
    M = np.full(100, np.nan)
    seen = rng.permutation(100)[:75]
    M[seen] = W.ravel()[seen]
    C = th.MatrixLoss(M.reshape(10, 10))
    stages = th.greedy_low_rank(C)
    # figures that were measured with another program
    assert [s.loss for s in stages] == pytest.approx([38.0992, 9.95837, 1.81540, 0], abs=1e-4)
    network = th.LinearNetwork([10, 50, 50, 10])
    run = network.integrate(C, network.start(exponent=3.0, seed=1), rtol=1e-8)
    found = run.plateaus()
    assert [p.loss for p in found] == pytest.approx([s.loss for s in stages[:3]], rel=1e-3)
    hidden = np.isnan(C.target)
    assert np.mean((run.product - W)[hidden] ** 2) < 1e-6
    assert np.mean((stages[-1].product - W)[hidden] ** 2) < 1e-10


def test_weight_decay_thresholds_the_singular_values_of_two_layers() -> None:
    # critical points of the squared loss with lambda |theta|^2: a = (s - 2 lambda)_+
    network = th.LinearNetwork([3, 3, 3])
    run = network.integrate(
        th.MatrixLoss(spectrum(3, [3.0, 1.0, 0.1])), network.start(scale=0.5, seed=1),
        weight_decay=0.1,
    )  # fmt: skip
    assert run.success
    assert run.sigma[:, -1] == pytest.approx([2.8, 0.8, 0.0], abs=1e-6)


def test_methods_agree() -> None:
    network, C = th.LinearNetwork([3, 4, 3]), th.MatrixLoss(spectrum(1, [3.0, 2.0, 1.0]))
    theta = network.start(scale=0.1, seed=5)
    ends = {
        method: network.integrate(C, theta, 3.0, method=method).product
        for method in ("DOP853", "RK45", "LSODA", "BDF", "Radau")
    }
    for product in ends.values():
        assert np.allclose(product, ends["DOP853"], atol=1e-5)
    descent = network.integrate(C, theta, 3.0, method="descent").product
    assert np.allclose(descent, ends["DOP853"], atol=0.1)


NETWORK, TARGET = th.LinearNetwork([2, 2, 2]), th.MatrixLoss(np.eye(2))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"start": np.zeros(8)}, StartError, "the flow never moves"),
        ({"start": np.ones(3)}, ShapeError, r"shape \(8,\) but got \(3,\).*network.vector"),
        ({"start": np.full(8, np.nan)}, StartError, "finite parameters"),
        ({"start": [np.eye(2), np.eye(3)]}, StartError, "network.vector"),
        ({"loss": th.MatrixLoss(np.eye(3))}, ShapeError, r"\(2, 2\).*\(3, 3\)"),
        ({"t": -1.0}, DomainError, "t > 0"),
        ({"t": (0, -1.0)}, DomainError, "t > 0"),
        ({"t": (1, 2)}, DomainError, r"span \(0, end\)"),
        ({"method": "Euler"}, DomainError, "'Euler'"),
        ({"rtol": 0.5}, DomainError, "rtol = 0.5"),
        ({"weight_decay": -1.0}, DomainError, "weight_decay >= 0"),
        ({"levels": {3: 1.0}}, DomainError, r"sigma_1, ..., sigma_2.*\{3: 1.0\}"),
        ({"levels": {1: 0.0}}, DomainError, "above zero"),
        ({"max_nfev": 0}, DomainError, "max_nfev >= 1"),
        ({"loss_tol": -1.0}, DomainError, "loss_tol = -1.0"),
        ({"gradient_tol": 2.0}, DomainError, "gradient_tol = 2.0"),
    ],
)
def test_wrong_runs_are_refused(options: dict[str, Any], error: type[Exception], says: str) -> None:
    given = {"loss": TARGET, "start": np.full(8, 0.1)} | options
    with pytest.raises(error, match=says):
        NETWORK.integrate(given.pop("loss"), given.pop("start"), given.pop("t", None), **given)


def test_budgets_end_a_run_without_success() -> None:
    run = NETWORK.integrate(TARGET, np.full(8, 1e-3), max_nfev=50)
    assert not run.success and "budget of 50 gradients" in run.message
    run = NETWORK.integrate(TARGET, np.full(8, 1e-3), max_seconds=0.0)
    assert not run.success and "budget of 0 s" in run.message


def test_blow_up_is_flagged() -> None:
    class Concave:
        shape = (1, 1)

        def value(self, A: np.ndarray) -> float:
            return -(float(A[0, 0]) ** 2)

        def gradient(self, A: np.ndarray) -> np.ndarray:
            return -2 * A

    # a' grows like a^{3}: infinite in finite time
    run = th.LinearNetwork([1, 1, 1]).integrate(Concave(), np.ones(2))
    assert not run.success
    assert "stopped" in run.message or "not finite" in run.message


def test_end_is_given_as_a_number_or_as_a_span() -> None:
    network, loss = th.LinearNetwork([2, 2, 2]), th.MatrixLoss(np.diag([2.0, 1.0]))
    start = network.start(scale=0.1)
    runs = [network.integrate(loss, start, t) for t in (2.0, (0, 2.0))]
    assert np.array_equal(runs[0].theta, runs[1].theta) and runs[1].t[-1] == 2.0
