"""Penalties on singular values against difference quotients and their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DataError, DomainError, ShapeError

PENALTIES = {
    "ratio": th.spectral.RatioPenalty(0.7), "nuclear": th.spectral.NuclearPenalty(0.7),
    "Frobenius": th.spectral.FrobeniusPenalty(0.7),
}  # fmt: skip


def value(penalty: Any, W: np.ndarray) -> float:
    return float(penalty.value(np.linalg.svd(W, compute_uv=False)))


def slope(penalty: Any, W: np.ndarray) -> np.ndarray:
    return np.asarray(penalty.gradient(*np.linalg.svd(W, full_matrices=False)))


@pytest.mark.parametrize("name", PENALTIES)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10**6), st.booleans())
@settings(max_examples=25)
def test_gradient_is_the_difference_quotient(
    name: str, m: int, n: int, seed: int, repeated: bool
) -> None:
    rng, penalty = np.random.default_rng(seed), PENALTIES[name]
    W = rng.standard_normal((m, n))
    if repeated:
        # all singular values are equal: the gradient exists all the same
        U, _, Vt = np.linalg.svd(W, full_matrices=False)
        W = 1.3 * U @ Vt
    elif np.linalg.svd(W, compute_uv=False)[-1] < 0.05:
        return
    D, h = rng.standard_normal((m, n)), 1e-6
    quotient = (value(penalty, W + h * D) - value(penalty, W - h * D)) / (2 * h)
    assert np.sum(slope(penalty, W) * D) == pytest.approx(quotient, rel=1e-5, abs=1e-6)


@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=25)
def test_where_singular_values_vanish_the_gradient_is_a_subgradient(
    n: int, rank: int, seed: int
) -> None:
    # the directional derivative of |W|_* exceeds <U V^T, D> by the nuclear norm of the null block
    rng, r = np.random.default_rng(seed), min(rank, n - 1)
    W = rng.standard_normal((n, r)) @ rng.standard_normal((r, n))
    D, h = rng.standard_normal((n, n)), 1e-7
    for name in ("ratio", "nuclear"):
        penalty = PENALTIES[name]
        ahead = (value(penalty, W + h * D) - value(penalty, W)) / h
        assert np.sum(slope(penalty, W) * D) <= ahead + 1e-5


@given(st.integers(2, 6), st.integers(0, 10**6))
@settings(max_examples=25)
def test_ratio_is_orthogonal_to_the_matrix_and_has_the_norm_of_the_paper(n: int, seed: int) -> None:
    W = np.random.default_rng(seed).standard_normal((n, n))
    sigma = np.linalg.svd(W, compute_uv=False)
    f, ratio = np.linalg.norm(W), sigma.sum() / np.linalg.norm(W)
    G = slope(th.spectral.RatioPenalty(1.0), W)
    assert abs(np.sum(G * W)) <= 1e-12
    assert np.linalg.norm(G) == pytest.approx(np.sqrt(max(n - ratio**2, 0)) / f, rel=1e-8)
    # a value grows along -G exactly when it exceeds f^2/nu
    rates = -np.diag(np.linalg.svd(W)[0].T @ G @ np.linalg.svd(W)[2].T)
    assert np.array_equal(rates > 0, sigma > f**2 / sigma.sum())


def test_ratio_flow_has_its_closed_form() -> None:
    # nu(t) = f sqrt(k) tanh(c - kappa t), c = artanh(nu_0/(f sqrt k)), kappa = lambda sqrt(k)/f^2
    W, k, lam, t = np.diag([3.0, 2.0, 1.5]), 3, 1.0, 0.8

    class Zero:
        shape = (3, 3)

        def value(self, A: np.ndarray) -> float:
            return 1.0

        def gradient(self, A: np.ndarray) -> np.ndarray:
            return slope(th.spectral.RatioPenalty(lam), A)

    network = th.LinearNetwork([3, 3])
    run = network.integrate(Zero(), W.ravel(), t, rtol=1e-11)
    f, nu0 = np.linalg.norm(W), np.trace(W)
    c, kappa = np.arctanh(nu0 / (f * np.sqrt(k))), lam * np.sqrt(k) / f**2
    nu = f * np.sqrt(k) * np.tanh(c - kappa * t)
    sigma = nu / k + (np.diag(W) - nu0 / k) * np.cosh(c) / np.cosh(c - kappa * t)
    assert np.diag(run.product) == pytest.approx(sigma, abs=1e-9)
    assert np.linalg.norm(run.product) == pytest.approx(f, rel=1e-9)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
@settings(max_examples=25)
def test_effective_rank_lies_between_one_and_the_rank(m: int, n: int, seed: int) -> None:
    W = np.random.default_rng(seed).standard_normal((m, n))
    assert 1 - 1e-12 <= th.spectral.effective_rank(W) <= min(m, n) + 1e-12
    assert th.spectral.effective_rank(np.outer(W[0], W[0])) == pytest.approx(1.0, abs=1e-6)


def test_schatten_norms_include_the_known_ones() -> None:
    W = np.random.default_rng(0).standard_normal((4, 3))
    for p, kind in ((1, "nuc"), (2, "fro"), (np.inf, 2)):
        assert th.spectral.schatten_norm(W, p) == pytest.approx(np.linalg.norm(W, kind))
    assert th.spectral.schatten_norm(np.diag([1.0, 1.0]), 0.5) == pytest.approx(4.0)


@given(st.integers(0, 10**6), st.floats(0.1, 3))
@settings(max_examples=25)
def test_soft_threshold_is_the_proximal_map(seed: int, tau: float) -> None:
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((3, 4))
    X = th.spectral.soft_threshold(W, tau)

    def objective(Y: np.ndarray) -> float:
        return float(0.5 * np.sum((Y - W) ** 2) + tau * np.linalg.norm(Y, "nuc"))

    best = objective(X)
    for _ in range(10):
        assert objective(X + 0.1 * rng.standard_normal(X.shape)) >= best - 1e-12


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: th.spectral.RatioPenalty(0.0), DomainError, "strength > 0"),
        (lambda: th.spectral.NuclearPenalty(-1.0), DomainError, "strength = -1.0"),
        (lambda: slope(th.spectral.RatioPenalty(1.0), np.zeros((2, 2))), DomainError, "W != 0"),
        (lambda: th.spectral.effective_rank(np.zeros((2, 2))), DataError, "not zero"),
        (lambda: th.spectral.effective_rank([[np.nan]]), DataError, "without missing"),
        (lambda: th.spectral.schatten_norm(np.eye(2), 0), DomainError, "p > 0"),
        (lambda: th.spectral.schatten_norm([1.0], 2), ShapeError, r"\(m, n\)"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()
