"""Completion: what each method finds, against measured figures, optimality and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from proofs_checks.zhao2022_completion import planted
from theory.errors import DataError, DomainError, ShapeError
from theory.numeric.matrices.completion import CompletionWarning
from theory.numeric.matrices.completion_methods import _duality_gap

# measured with another program for n = 30, rank 2, 300 entries, seed 0
FIGURES = {
    "ratio": ({"steps": 10_000}, 2e-6, 2.03), "nuclear": ({}, 1.6e-3, 2.08),
    "deep": ({}, 4e-5, 1.99), "depth 2": ({"depth": 2}, 1.6e-2, 2.72),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_errors_are_the_measured_ones(name: str) -> None:
    M, W = planted(30, 2, 300, 0)
    options, error, rank = FIGURES[name]
    method = "deep" if name == "depth 2" else name
    more = {} if method == "nuclear" else {"seed": 1}
    held = np.where(np.isnan(M), W, np.nan)
    found = th.complete(M, method, test=held, **options, **more)
    assert found.success
    assert error / 2 <= found.test_error**2 <= 2 * error
    assert found.effective_rank == pytest.approx(rank, abs=0.1)
    assert found.test_history[-1] == pytest.approx(found.test_error, rel=1e-9)
    assert found.test_error == pytest.approx(
        float(np.sqrt(np.nanmean((found.matrix - held) ** 2))), rel=1e-12
    )


def test_without_a_penalty_one_layer_learns_nothing_about_the_rest() -> None:
    M, W = planted(30, 2, 300, 0)
    network, C = th.LinearNetwork([30, 30]), th.MatrixLoss(M, mean=True)
    run = network.descend(
        C, network.start(std=1e-3, seed=1), th.optimizers.Adam(1e-2), steps=2000, loss_tol=1e-12
    )
    hidden = np.isnan(M)
    assert run.success and run.loss[-1] <= 1e-12
    assert np.mean((run.product - W)[hidden] ** 2) > 0.9


@pytest.mark.parametrize("optimizer", ["RMSprop", "Adagrad", "GroupRMSprop"])
def test_other_adaptive_optimizers_fit_the_observed_entries(optimizer: str) -> None:
    M, _ = planted(10, 1, 60, 0)
    network, C = th.LinearNetwork([10, 10]), th.MatrixLoss(M, mean=True)
    rate = {"RMSprop": 1e-3, "Adagrad": 0.5, "GroupRMSprop": 1e-2}[optimizer]
    run = network.descend(
        C, network.start(std=1e-3), getattr(th.optimizers, optimizer)(rate), steps=5000
    )
    assert run.loss[-1] < 1e-4 * run.loss[0]


def test_gradient_descent_with_the_penalty_is_thrown_away_from_a_tiny_start() -> None:
    # the first step has the size eta lambda sqrt(n - R^2)/|W_0|_F; switched on later, it is gentle
    M, W = planted(30, 2, 300, 0)
    network, C = th.LinearNetwork([30, 30]), th.MatrixLoss(M, mean=True)
    theta, ratio = network.start(std=1e-3, seed=1), th.spectral.RatioPenalty(1e-2)
    options: dict[str, Any] = {"penalty": ratio, "steps": 2000, "loss_tol": 0.0}
    cold = network.descend(C, theta, 150.0, **options)
    warm = network.descend(C, theta, 150.0, penalty_from=100, **options)
    hidden = np.isnan(M)
    errors = [np.mean((run.product - W)[hidden] ** 2) for run in (cold, warm)]
    assert errors[0] > 10 and errors[1] < 0.01


@given(st.integers(0, 10**6))
@settings(max_examples=8)
def test_no_interpolating_matrix_has_a_smaller_nuclear_norm(seed: int) -> None:
    M, W = planted(8, 2, 40, seed)
    rows, columns = (~np.isnan(M)).any(axis=1), (~np.isnan(M)).any(axis=0)
    M, W = M[np.ix_(rows, columns)], W[np.ix_(rows, columns)]
    found = th.complete(M, "nuclear", tol=1e-6) if _is_determined(M, 2) else None
    if found is None:
        return
    least = np.linalg.norm(found.matrix, "nuc")
    assert least <= np.linalg.norm(W, "nuc") * (1 + 1e-4)
    assert found.train_error <= 1e-3
    rng = np.random.default_rng(seed)
    for _ in range(5):
        other = found.matrix + 0.1 * np.where(np.isnan(M), rng.standard_normal(M.shape), 0.0)
        assert np.linalg.norm(other, "nuc") >= least * (1 - 1e-4)


def _is_determined(M: np.ndarray, rank: int) -> bool:
    m, n = M.shape
    return bool(np.sum(~np.isnan(M)) >= 3 * (m + n - 3) and min(m, n) > rank)


def test_soft_impute_solves_its_convex_problem() -> None:
    M, _ = planted(20, 2, 200, 3)
    seen, tau = ~np.isnan(M), 1.0
    found = th.complete(M, "soft-impute", strength=tau, tol=1e-10)
    assert found.success
    # stationarity: P(M - W)/tau is a subgradient of the nuclear norm
    G = np.where(seen, M - found.matrix, 0.0) / tau
    assert np.linalg.norm(G, 2) <= 1 + 1e-6
    assert np.sum(G * found.matrix) == pytest.approx(np.linalg.norm(found.matrix, "nuc"), rel=1e-6)


def test_bias_reproduces_effects_and_nothing_else() -> None:
    rows, columns = np.array([1.0, -1.0, 0.0]), np.array([2.0, 0.0, -2.0, 0.0])
    W = 3 + rows[:, None] + columns
    M = W.copy()
    M[0, 0] = M[2, 3] = np.nan
    found = th.complete(M, "bias", strength=1e-9)
    assert np.allclose(found.matrix, W, atol=1e-6)


def test_centering_and_clipping() -> None:
    M, W = planted(20, 1, 250, 1)
    shifted = th.complete(M + 100, "nuclear", center="mean")
    assert np.max(np.abs(shifted.matrix - 100 - W)) < 1.0
    assert np.max(th.complete(M, "nuclear", clip=(-0.5, 0.5)).matrix) <= 0.5
    # a power of two changes no rounding
    unit = 2.0**20
    scaled, plain = (th.complete(c * M, steps=300, seed=3).matrix for c in (unit, 1.0))
    assert np.array_equal(scaled, unit * plain)


@pytest.mark.parametrize(
    ("method", "options"),
    [("soft-impute", {}), ("ratio", {"strength": 0.1, "steps": 1200}), ("deep", {"steps": 12_000})],
)
def test_real_digits_are_completed_better_than_by_effects_alone(
    method: str, options: dict[str, Any]
) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits().data[:200]
    rng = np.random.default_rng(0)
    M = np.where(rng.random(digits.shape) < 0.5, digits, np.nan)
    M = M[:, (~np.isnan(M)).any(axis=0)]
    train, test = th.hold_out(M)
    effects = th.complete(train, "bias", clip=(0, 16), test=test)
    found = th.complete(train, method, center="effects", clip=(0, 16), test=test, **options)
    assert found.test_error < 0.95 * effects.test_error


def test_mask_hides_entries() -> None:
    W = np.arange(1.0, 13).reshape(3, 4)
    mask = np.ones((3, 4), dtype=bool)
    mask[0, 0] = mask[2, 1] = False
    hidden = th.complete(W, "nuclear", mask=mask)
    assert np.array_equal(hidden.matrix, th.complete(np.where(mask, W, np.nan), "nuclear").matrix)
    assert th.MatrixLoss(W, mask=mask).count == 10


def test_constant_matrix_is_its_mean() -> None:
    found = th.complete([[2.0, np.nan], [2.0, 2.0]], center="mean")
    assert found.matrix.tolist() == [[2.0, 2.0], [2.0, 2.0]]


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0.05, 0.9), st.integers(0, 1000))
@settings(max_examples=30)
def test_held_out_entries_leave_no_row_or_column_empty(
    m: int, n: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    M = np.where(rng.random((m, n)) < 0.7, rng.standard_normal((m, n)), np.nan)
    train, test = th.hold_out(M, share, seed)
    assert np.array_equal(np.isnan(train) & np.isnan(test), np.isnan(M))
    assert not (~np.isnan(train) & ~np.isnan(test)).any()
    for axis in (0, 1):
        assert np.array_equal((~np.isnan(train)).any(axis=axis), (~np.isnan(M)).any(axis=axis))


def test_too_few_entries_are_told() -> None:
    rng = np.random.default_rng(0)
    M = np.where(
        np.eye(12) + (rng.random((12, 12)) < 0.05) > 0, rng.standard_normal((12, 12)), np.nan
    )
    with pytest.warns(CompletionWarning, match="do not determine a matrix of effective rank"):
        found = th.complete(M, "nuclear")
    assert "degrees of freedom" in found.message


GOOD = np.array([[1.0, np.nan], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: th.complete([[np.nan, np.nan], [1, 2]]), DataError, "every row but row 0"),
        (lambda: th.complete([[np.nan, 1], [np.nan, 2]]), DataError, "every column but column 0"),
        (lambda: th.complete([[np.nan]]), DataError, "all of them are NaN"),
        (lambda: th.complete([[np.inf]]), DataError, "finite entries"),
        (lambda: th.complete([["a"]]), DataError, "matrix of numbers"),
        (lambda: th.complete([1.0, 2.0]), ShapeError, r"\(2,\)"),
        (lambda: th.complete(GOOD, "magic"), DomainError, "'ratio', 'deep'.*'magic'"),
        (lambda: th.complete(GOOD, depth=3), DomainError, "'ratio' but got depth"),
        (lambda: th.complete(GOOD, strength=0), DomainError, "strength > 0"),
        (lambda: th.complete(GOOD, steps=0), DomainError, "steps >= 1"),
        (lambda: th.complete(GOOD, "deep", depth=1), DomainError, "depth >= 2"),
        (lambda: th.complete(GOOD, "deep", start=0), DomainError, "start > 0"),
        (lambda: th.complete(GOOD, center="median"), DomainError, "'median'"),
        (lambda: th.complete(GOOD, clip=(1, 0)), DomainError, "low < high"),
        (lambda: th.complete(GOOD, test=np.eye(3)), ShapeError, r"\(2, 2\).*\(3, 3\)"),
        (lambda: th.complete(GOOD, test=GOOD), DataError, r"\[0, 0\] is in both"),
        (lambda: th.complete(GOOD, test=np.full((2, 2), np.nan)), DataError, "test entries"),
        (
            lambda: th.complete(GOOD, mask=np.ones((3, 2), bool)),
            ShapeError,
            r"mask of shape \(2, 2\)",
        ),
        (lambda: th.complete(GOOD, mask=np.ones((2, 2))), DataError, "True and False"),
        (lambda: th.complete(GOOD, mask=np.eye(2) < 0), DataError, "all of them are NaN"),
        (lambda: th.complete(GOOD, records=0), DomainError, "records >= 1"),
        (lambda: th.complete(GOOD, optimizer="Adam"), DomainError, "optimizer of th.optimizers"),
        (lambda: th.hold_out(GOOD, 1.0), DomainError, "share = 1.0"),
        (lambda: th.hold_out(GOOD, 0.5, seed=-1), DomainError, "seed >= 0"),
        (lambda: th.greedy_low_rank(th.MatrixLoss(np.eye(2)), most=3), DomainError, "most = 3"),
        (lambda: th.optimizers.RMSprop(0), DomainError, "rate > 0"),
        (lambda: th.optimizers.Adagrad(1.0, epsilon=0), DomainError, "epsilon > 0"),
        (lambda: th.optimizers.GroupRMSprop(1.0, beta=1.0), DomainError, "beta < 1"),
    ],
)
def test_wrong_calls_are_refused(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@given(st.integers(0, 10**6), st.floats(-3, 3))
@settings(max_examples=20)
def test_dual_bound_is_never_above_the_least_nuclear_norm(seed: int, size: float) -> None:
    M, W = planted(6, 1, 24, seed)
    seen, rng = ~np.isnan(M), np.random.default_rng(seed)
    Y = 10.0**size * rng.standard_normal(M.shape)
    known = np.where(seen, M, 0.0)
    gap = _duality_gap(W, Y, known, seen)
    # the direction of the planted matrix comes close to the least norm
    u, _, vt = np.linalg.svd(W)
    close = _duality_gap(W, -(10.0**size) * np.outer(u[:, 0], vt[0]), known, seen)
    assert gap >= -1e-12 and close >= -1e-12
    full = np.ones(M.shape, dtype=bool)
    assert abs(_duality_gap(W, -np.outer(u[:, 0], vt[0]), W, full)) <= 1e-12


@pytest.mark.filterwarnings("ignore::theory.numeric.matrices.completion.CompletionWarning")
def test_nuclear_norm_without_enough_steps_is_no_success() -> None:
    M, _ = planted(30, 2, 300, 0)
    assert not th.complete(M, "nuclear", steps=3).success
    found = th.complete(M, "nuclear", tol=1e-3)
    assert found.success and found.train_error <= 2e-3
