"""Products, gradients and starts of linear networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DataError, DomainError, ShapeError, StartError

widths = st.lists(st.integers(1, 5), min_size=2, max_size=5)


@given(widths, st.integers(0, 10**6))
@settings(max_examples=30)
def test_gradient_in_the_weights_is_the_difference_quotient(shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = th.LinearNetwork(shape)
    theta, step = rng.standard_normal(network.size), rng.standard_normal(network.size)
    G = rng.standard_normal(network.shape)
    h = 1e-6
    ahead, behind = network.product(theta + h * step), network.product(theta - h * step)
    quotient = np.sum(G * (ahead - behind)) / (2 * h)
    size = 1 + np.prod([np.linalg.norm(W) + 1 for W in network.weights(theta)])
    assert abs(network.pull_back(theta, G) @ step - quotient) <= 1e-8 * size * np.linalg.norm(G)


@given(widths, st.integers(0, 10**6))
@settings(max_examples=30)
def test_product_multiplies_the_last_matrix_from_the_left(shape: list[int], seed: int) -> None:
    network = th.LinearNetwork(shape)
    weights = [np.random.default_rng(seed).standard_normal(s) for s in network.shapes]
    A = np.eye(shape[0])
    for W in weights:
        A = W @ A
    assert np.allclose(network.product(network.vector(weights)), A, rtol=1e-12, atol=1e-12)


@given(widths, st.integers(0, 10**6))
@settings(max_examples=30)
def test_balanced_start_is_balanced_and_of_least_norm(shape: list[int], seed: int) -> None:
    network = th.LinearNetwork(shape)
    rng, r = np.random.default_rng(seed), min(shape)
    A = rng.standard_normal((shape[-1], r)) @ rng.standard_normal((r, shape[0]))
    theta = network.start(balanced=A)
    size = np.linalg.norm(A, 2)
    assert np.max(np.abs(network.product(theta) - A)) <= 1e-12 * size
    for delta in network.balancedness(theta):
        assert np.max(np.abs(delta)) <= 1e-12 * size ** (2 / network.depth)
    # the Schatten identity: the least sum of squares is L times the sum of sigma^(2/L)
    sigma = np.linalg.svd(A, compute_uv=False)
    least = network.depth * np.sum(np.where(sigma > 1e-14 * size, sigma, 0) ** (2 / network.depth))
    assert theta @ theta == pytest.approx(least, rel=1e-10)


@given(st.lists(st.integers(2, 4), min_size=3, max_size=5), st.integers(0, 10**6))
@settings(max_examples=30)
def test_no_factors_have_less_than_the_schatten_norm(shape: list[int], seed: int) -> None:
    network = th.LinearNetwork(shape)
    theta = np.random.default_rng(seed).standard_normal(network.size)
    p = 2 / network.depth
    bound = network.depth * th.spectral.schatten_norm(network.product(theta), p) ** p
    assert theta @ theta >= bound * (1 - 1e-9)


def test_starts_have_the_variance_that_they_say() -> None:
    network = th.LinearNetwork([4, 400, 400, 4])
    assert np.std(network.start(scale=3.0)) == pytest.approx(3 / 20, rel=0.01)
    assert np.std(network.start(exponent=1.5)) == pytest.approx(400**-0.75, rel=0.01)
    assert np.std(network.start(std=0.2)) == pytest.approx(0.2, rel=0.01)
    theta = network.start(identity=0.5)
    assert network.product(theta).tolist() == (0.125 * np.eye(4)).tolist()
    assert not np.array_equal(network.start(std=1.0), network.start(std=1.0, seed=1))


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda: th.LinearNetwork([3]), ShapeError, r"at least two positive integers.*\[3\]"),
        (lambda: th.LinearNetwork([3, 0, 2]), ShapeError, "positive integers"),
        (lambda: th.LinearNetwork([3, 2.5]), ShapeError, "2.5"),
        (lambda: th.LinearNetwork("ab"), ShapeError, "list of widths"),
        (lambda: th.LinearNetwork([2, 2, 2]).start(), StartError, "exactly one of.*none"),
        (lambda: th.LinearNetwork([2, 2]).start(scale=1.0, std=1.0), StartError, "scale, std"),
        (lambda: th.LinearNetwork([2, 2, 2]).start(scale=0.0), StartError, "never starts"),
        (lambda: th.LinearNetwork([2, 2, 2]).start(std=np.nan), StartError, "finite number"),
        (lambda: th.LinearNetwork([2, 2, 2]).start(std=1.0, seed=-1), DomainError, "seed >= 0"),
        (lambda: th.LinearNetwork([3, 1, 3]).start(balanced=np.eye(3)), StartError, "at most 1,"),
        (lambda: th.LinearNetwork([3, 3]).start(balanced=np.eye(2)), ShapeError, r"\(3, 3\)"),
        (lambda: th.LinearNetwork([2, 2]).vector([np.eye(3)]), ShapeError, r"W_1 of shape"),
        (lambda: th.LinearNetwork([2, 2]).vector([]), ShapeError, "1 matrices but got 0"),
        (lambda: th.MatrixLoss([[np.nan]]), DataError, "all of them are NaN"),
        (lambda: th.MatrixLoss([[np.inf]]), DataError, "finite entries"),
        (lambda: th.MatrixLoss([1.0, 2.0]), ShapeError, r"\(m, n\)"),
        (lambda: th.MatrixLoss([[2.0]], th.losses.logistic()), DataError, "targets"),
        (lambda: th.MatrixLoss([[2.0]], "squared"), DomainError, "loss of theory.losses"),
    ],
)  # fmt: skip
def test_wrong_networks_are_refused(build: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        build()


@pytest.mark.parametrize("name", ["squared", "logistic", "huber"])
def test_loss_of_a_matrix_has_the_gradient_of_its_observed_entries(name: str) -> None:
    rng = np.random.default_rng(0)
    M = np.sign(rng.standard_normal((3, 4)))
    M[0, 1] = M[2, 3] = np.nan
    C = th.MatrixLoss(M, getattr(th.losses, name)())
    A, D = rng.standard_normal((2, 3, 4))
    h = 1e-6
    quotient = (C.value(A + h * D) - C.value(A - h * D)) / (2 * h)
    assert np.sum(C.gradient(A) * D) == pytest.approx(quotient, rel=1e-7)
    assert C.gradient(A)[0, 1] == C.gradient(A)[2, 3] == 0.0


def test_mean_of_squares_has_no_half() -> None:
    M = np.array([[1.0, np.nan], [3.0, 0.0]])
    assert th.MatrixLoss(M, mean=True).value(np.zeros((2, 2))) == pytest.approx(10 / 3)
    assert th.MatrixLoss(M).value(np.zeros((2, 2))) == pytest.approx(5.0)
