"""The ratio of nuclear and Frobenius norm: differences, kinks, its flow against Euler steps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from theory.errors import AssumptionError, DataError, DomainError, ShapeError
from theory.exact.zero import is_zero
from theory.networks import (
    effective_rank,
    predictor_norm,
    ratio_flow,
    ratio_penalty,
    ratio_penalty_gradient,
    schatten_norm,
)


def ratio(W):
    s = np.linalg.svd(W, compute_uv=False)
    return s.sum() / np.linalg.norm(s)


def rotated(values, m, n, seed):
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.normal(size=(m, m)))[0]
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    W = np.zeros((m, n))
    W[range(len(values)), range(len(values))] = values
    return U @ W @ V.T, U, V


# -- gradient --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "shape"),
    [((3, 2, 1), (3, 3)), ((2, 2, 2), (3, 5)), ((3, 3, 1), (4, 3)), ((5,), (1, 4))],
    ids=["distinct", "all equal", "two equal", "one row"],
)
def test_gradient_is_that_of_finite_differences(values, shape):
    W, _, _ = rotated(values, *shape, seed=1)
    found = ratio_penalty_gradient(W)
    h = 1e-6
    for i, j in np.ndindex(*shape):
        E = np.zeros(shape)
        E[i, j] = h
        # of full rank R is smooth, whether or not values are equal
        assert abs((ratio(W + E) - ratio(W - E)) / (2 * h) - found[i, j]) < 1e-8


@settings(max_examples=25)
@given(
    hnp.arrays(
        float,
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.integers(-4, 4).map(float),
    ).filter(lambda W: np.abs(W).max() > 0)
)
def test_gradient_is_orthogonal_to_the_matrix_and_has_its_norm(W):
    g = ratio_penalty_gradient(W)
    r, f = np.linalg.matrix_rank(W), np.linalg.norm(W)
    assert abs((g * W).sum()) < 1e-12
    assert abs(np.linalg.norm(g) ** 2 - (r - ratio(W) ** 2) / f**2) < 1e-12


def test_directional_derivatives_at_a_kink_are_the_largest_products_with_subgradients():
    W, U, V = rotated((2, 1, 0, 0), 4, 5, seed=3)
    rng = np.random.default_rng(0)
    f = np.linalg.norm(W)
    h = 1e-7
    for _ in range(5):
        D = rng.normal(size=W.shape)
        block = U[:, 2:].T @ D @ V[:, 2:]
        # max over ||Z|| <= 1 of <Z, block> is the nuclear norm of the block
        stated = (ratio_penalty_gradient(W) * D).sum() + np.linalg.norm(block, "nuc") / f
        assert abs((ratio(W + h * D) - ratio(W)) / h - stated) < 1e-5
    shortest = ratio_penalty_gradient(W)
    assert np.abs(U[:, 2:].T @ shortest @ V[:, 2:]).max() < 1e-14


def test_exact_gradient_is_that_of_the_matrix():
    W, U, V = rotated((3, 1.5, 0.5), 3, 4, seed=5)
    exact = ratio_penalty([3, sp.Rational(3, 2), sp.Rational(1, 2)])
    diagonal = U.T @ ratio_penalty_gradient(W) @ V
    assert np.abs(np.diag(diagonal) - [float(g) for g in exact.gradient]).max() < 1e-14
    assert abs(float(exact.gradient_norm) - np.linalg.norm(diagonal)) < 1e-14
    assert exact.growth == (1, -1, -1)
    assert float(exact.threshold) == pytest.approx(11.5 / 5)


def test_penalty_in_symbols_is_differentiated_by_sympy():
    a, b, c = sp.symbols("a b c", positive=True)
    penalty = ratio_penalty([a, b, c])
    for s, g in zip((a, b, c), penalty.gradient, strict=True):
        assert is_zero(sp.diff(penalty.value, s) - g).proved
    with pytest.raises(DataError, match="numbers"):
        _ = penalty.growth


def test_gradient_of_tiny_and_huge_matrices_scales():
    W = np.array([[3.0, 1.0], [0.0, 2.0]])
    g = ratio_penalty_gradient(W)
    for scale in (1e-200, 1e200):
        assert np.allclose(ratio_penalty_gradient(W * scale) * scale, g, rtol=1e-12)


def test_derivations_are_proved():
    assert ratio_penalty([1]).derivation.identities_proved
    assert ratio_flow([2, 1], 1).derivation.identities_proved


# -- flow ------------------------------------------------------------------------------------------


def euler(values, lam, times, steps=100_000):
    s = np.array(values, dtype=float)
    out, t = [], 0.0
    h = times[-1] / steps
    for time in times:
        while t < time - h / 2:
            nu, q = s.sum(), (s**2).sum()
            middle = np.where(s > 0, s - h / 2 * lam * (1 - nu * s / q) / np.sqrt(q), 0)
            nu, q = middle.sum(), (middle**2).sum()
            s = np.maximum(np.where(s > 0, s - h * lam * (1 - nu * middle / q) / np.sqrt(q), 0), 0)
            t += h
        out.append(s.copy())
    return out


@pytest.mark.parametrize(
    ("values", "lam"),
    [((3, 2, 1), 1), ((2, 1.5, 1.5, 0), 0.3), ((1, 0.5, 0.25), 7), ((2, 2, 1), 1)],
    ids=str,
)
def test_flow_agrees_with_midpoint_steps_through_all_phases(values, lam):
    flow = ratio_flow(values, lam)
    end = float(flow.end_time)
    times = [0.3 * end, 0.7 * end, 1.05 * end]
    for t, stepped in zip(times, euler(values, lam, times, 20_000), strict=True):
        exact = [float(v) for v in flow.at(sp.Rational(repr(t)))]
        assert np.abs(np.array(exact) - stepped).max() < 2e-3 * values[0]
        assert abs(np.linalg.norm(exact) - np.linalg.norm(values)) < 1e-12


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=5, unique=True),
    st.fractions("1/10", "9/10", max_denominator=10),
)
def test_path_is_that_of_soft_thresholds(values, where):
    values = sorted(values, reverse=True)
    flow = ratio_flow(values, 1)
    t = sp.Rational(repr(float(flow.end_time) * float(where)))
    now = np.array([float(v) for v in flow.at(t)])
    tau = (values[1] - now[1] / now[0] * values[0]) / (1 - now[1] / now[0])
    thresholded = np.maximum(np.array(values) - tau, 0)
    stated = thresholded * np.linalg.norm(values) / np.linalg.norm(thresholded)
    assert np.abs(now - stated).max() < 1e-9 * values[0]


def test_phases_meet_and_solve_the_equation():
    flow = ratio_flow([5, 3, 2, 2], sp.Rational(1, 3))
    t = sp.Symbol("t", positive=True)
    f = np.sqrt(42)
    for first, second in zip(flow.phases, flow.phases[1:], strict=False):
        gaps = [sp.N(a - b, 30) for a, b in zip(first.at(first.end), second.at(first.end))]
        assert max(abs(g) for g in gaps) < 1e-25
    phase = flow.phases[0]
    middle = phase.end / 3
    values = phase.at(t)
    nu = sum(values)
    for v in values:
        residual = sp.diff(v, t) + sp.Rational(1, 3) / f * (1 - nu * v / 42)
        assert abs(sp.N(residual.subs(t, middle))) < 1e-12
    assert [p.rank for p in flow.phases] == [4, 2, 1]


def test_repeated_largest_value_does_not_end_at_rank_one():
    assert [float(v) for v in ratio_flow([2, 2, 1], 1).limit] == pytest.approx(
        [3 / np.sqrt(2), 3 / np.sqrt(2), 0]
    )
    resting = ratio_flow([1, 1], 1)
    assert (resting.end_time, resting.limit, resting.at(9)) == (0, (1, 1), (1, 1))


def test_a_forged_phase_is_not_the_flow():
    flow = ratio_flow([3, 1], 1)
    wrong = dataclasses.replace(flow.phases[0], lam=sp.Rational(101, 100))
    assert abs(float(wrong.at(1)[0] - flow.at(1)[0])) > 1e-4


# -- ranks and norms ----------------------------------------------------------------------------


def test_effective_rank_is_the_exponential_of_the_entropy():
    values = [4, 3, 0.5, 0]
    p = np.array(values[:3]) / sum(values)
    assert float(effective_rank(values)) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert effective_rank([7, 0]) == 1
    a = sp.Symbol("a", positive=True)
    assert is_zero(effective_rank([a, a]) - 2).proved


def test_effective_rank_of_many_decimals_is_found_at_once():
    values = sorted(np.random.default_rng(0).random(60), reverse=True)
    p = np.array(values) / sum(values)
    assert float(effective_rank(values)) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


@pytest.mark.parametrize("p", [sp.Rational(2, 3), 1, 2, 5, sp.oo], ids=str)
def test_schatten_norms_of_numbers(p):
    values = np.array([4, 2.5, 0.25])
    order = float(p)
    typed = values.max() if p is sp.oo else (values**order).sum() ** (1 / order)
    assert float(schatten_norm(values, p)) == pytest.approx(typed)


@settings(max_examples=30)
@given(
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([0.5, 1, 2, 3]),
    st.integers(0, 10_000),
)
def test_predictor_norm_is_a_lower_bound_that_equal_layers_attain(depth, p, seed):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(depth, 3))
    beta = u.prod(axis=0)
    norm = predictor_norm(beta, depth, p)
    assert (np.abs(u) ** p).sum() >= float(norm.value) * (1 - 1e-12)
    equal = np.array([float(e) for e in norm.entry])
    assert depth * (equal**p).sum() == pytest.approx(float(norm.value))
    largest = predictor_norm(beta, depth, sp.oo)
    assert np.abs(u).max() >= float(largest.value) * (1 - 1e-12)
    assert equal.max() == pytest.approx(float(largest.value))


@pytest.mark.parametrize(("depth", "p"), [("L", "p"), (3, 2), (2, sp.oo), (1, 1)], ids=str)
def test_predictor_norms_are_derived(depth, p):
    b = sp.Symbol("b", real=True)
    assert predictor_norm([b, 0], depth, p).derivation.identities_proved


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: ratio_penalty([0, 0]), DomainError, "zero matrix"),
        (lambda: ratio_penalty([1, 2]), DataError, "decreasing"),
        (lambda: ratio_penalty([1, -2]), DataError, "nonnegative"),
        (lambda: ratio_penalty([sp.Symbol("a")]), AssumptionError, "real"),
        (lambda: ratio_penalty([sp.Symbol("a", real=True)]), AssumptionError, "positive"),
        (lambda: ratio_penalty(3), ShapeError, "sequence"),
        (lambda: ratio_penalty_gradient(np.zeros((2, 2))), DomainError, "zero matrix"),
        (lambda: ratio_penalty_gradient([1.0, 2.0]), ShapeError, "matrix W"),
        (lambda: ratio_penalty_gradient([[np.nan]]), DataError, "finite"),
        (lambda: ratio_penalty_gradient([[1.0]], tolerance=1), DataError, "tolerance"),
        (lambda: ratio_flow([0], 1), DomainError, "zero matrix"),
        (lambda: ratio_flow([1], 0), AssumptionError, "lam > 0"),
        (lambda: ratio_flow([2, 1], 1).at(-1), AssumptionError, "t > 0"),
        (lambda: ratio_flow([2, 1], 1).at("t"), DomainError, "phases"),
        (lambda: ratio_flow([2, 1], "lam").at(1), DomainError, "phases"),
        (lambda: effective_rank([0, 0]), DomainError, "zero matrix"),
        (lambda: schatten_norm([1], 0), AssumptionError, "p > 0"),
        (lambda: schatten_norm([1], -2), AssumptionError, "p > 0"),
        (lambda: predictor_norm([1], 0), AssumptionError, "depth >= 1"),
        (lambda: predictor_norm([], 2), ShapeError, "at least one"),
        (lambda: predictor_norm([1], 2, 0), AssumptionError, "p > 0"),
    ],
)
def test_bad_calls_name_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()
