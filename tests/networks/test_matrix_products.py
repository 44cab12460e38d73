"""Laws of products of matrices: balance, singular values, norms of factors, two layers, escape."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from theory.errors import AssumptionError, DataError, DomainError, ShapeError, TooLarge
from theory.exact.zero import is_zero
from theory.networks import (
    balanced_factors,
    balancedness,
    escape_direction,
    origin_escape,
    schatten,
    singular_value_flow,
    two_layer_solution,
)
from theory.networks.free_algebra import Letters


def product(layers):
    out = layers[0]
    for W in layers[1:]:
        out = W @ out
    return out


def gradients(layers, G, lam=0.0):
    out = []
    for k, W in enumerate(layers):
        above = product([np.eye(W.shape[0]), *layers[k + 1 :]])
        below = product([np.eye(layers[0].shape[1]), *layers[:k]])
        out.append(above.T @ G @ below.T + 2 * lam * W)
    return out


def flow(layers, C_gradient, t, lam=0.0):
    shapes = [W.shape for W in layers]
    cuts = np.cumsum([W.size for W in layers])[:-1]

    def unpack(v):
        return [p.reshape(s) for p, s in zip(np.split(v, cuts), shapes, strict=True)]

    def rate(_, v):
        parts = unpack(v)
        moved = gradients(parts, C_gradient(product(parts)), lam)
        return -np.concatenate([g.ravel() for g in moved])

    start = np.concatenate([W.ravel() for W in layers])
    return unpack(solve_ivp(rate, (0, t), start, rtol=1e-10, atol=1e-12).y[:, -1])


# -- free algebra --------------------------------------------------------------------------------


def test_free_letters_do_not_commute_and_transposes_reverse():
    letters = Letters("A B", symmetric="S")
    A, B, S = letters["A"], letters["B"], letters["S"]
    T = letters.transpose
    assert T(A * S * B * B) == T(B) ** 2 * S * T(A)
    assert not letters.certify("", A * B - B * A).proved
    assert not letters.certify("", A - T(A)).proved
    assert letters.certify("", S - T(S), T(T(A)) - A).proved
    assert letters.derivative(A**2 * T(A), {A: B}) == sp.expand(
        B * A * T(A) + A * B * T(A) + A**2 * T(B)
    )


# -- balancedness --------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3, 5, "L"], ids=str)
@pytest.mark.parametrize("lam", [0, "lam", sp.Rational(1, 5)], ids=str)
def test_balancedness_is_proved(depth, lam):
    law = balancedness(depth, lam)
    assert law.derivation.identities_proved
    assert len(law.derivation.certificates) == 3


def test_a_wrong_rate_of_decay_is_not_proved():
    class Wrong(type(balancedness(2, 1))):
        @property
        def factor(self):
            return sp.exp(-2 * self.lam * self.t)

    law = balancedness(2, 1)
    wrong = Wrong(**{f.name: getattr(law, f.name) for f in dataclasses.fields(law)})
    assert not wrong.derivation.identities_proved


@pytest.mark.parametrize("lam", [0.0, 0.15])
def test_balance_of_a_completion_flow_decays_as_stated(lam):
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=s) / 2 for s in ((3, 4), (5, 3), (2, 5))]
    target, mask = rng.normal(size=(2, 4)), rng.random((2, 4)) < 0.6
    end = flow(layers, lambda A: mask * (A - target), 1.5, lam)
    factor = float(
        balancedness(3, sp.Rational(repr(lam))).factor.subs(sp.Symbol("t", positive=True), 1.5)
    )
    for k in (0, 1):
        first = layers[k + 1].T @ layers[k + 1] - layers[k] @ layers[k].T
        last = end[k + 1].T @ end[k + 1] - end[k] @ end[k].T
        assert np.abs(last - factor * first).max() < 1e-7


# -- singular values -------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4, "L"], ids=str)
@pytest.mark.parametrize(("lam", "ratio"), [(0, 0), ("lam", 0), ("lam", "mu")])
def test_flows_of_singular_values_are_proved(depth, lam, ratio):
    assert singular_value_flow(depth, lam, ratio).derivation.identities_proved


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_flow_of_singular_values_agrees_with_differences(depth):
    rng = np.random.default_rng(depth)
    lam, mu = 0.1, 0.3
    A = rng.normal(size=(3, 4))
    layers = list(balanced_factors(A, depth))
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    G = rng.normal(size=A.shape)
    f, nu = np.linalg.norm(s), s.sum()
    ratio = (U @ Vt - nu / f**2 * A) / f
    moved = gradients(layers, G + mu * ratio, lam)
    h = 1e-6
    ahead, behind = (
        np.linalg.svd(product([W - e * g for W, g in zip(layers, moved, strict=True)]))[1]
        for e in (h, -h)
    )
    law = singular_value_flow(depth, lam, mu)
    for i in range(3):
        at = {
            law.sigma: s[i], law.slope: U[:, i] @ G @ Vt[i], law.nuclear: nu, law.frobenius: f,
        }  # fmt: skip
        assert abs((ahead[i] - behind[i]) / (2 * h) - float(law.rate.subs(at))) < 1e-6


def test_unbalanced_layers_have_another_flow():
    G = np.array([[1.0]])
    layers = [np.array([[2.0]]), np.array([[0.5]])]
    moved = gradients(layers, G)
    rate = -(moved[1] @ layers[0] + layers[1] @ moved[0])[0, 0]
    # a' = -(w1^2 + w2^2) G, not -2 a G
    assert rate == -4.25
    law = singular_value_flow(2)
    assert law.rate.subs({law.sigma: 1, law.slope: 1}) == -2


# -- Schatten --------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_norm_of_random_factors_is_above_the_bound_and_balanced_ones_attain_it(depth, seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 5, size=depth + 1)
    layers = [rng.normal(size=(n[k + 1], n[k])) for k in range(depth)]
    A = product(layers)
    singular = np.linalg.svd(A, compute_uv=False)
    singular = np.where(singular > 1e-12 * singular[0], singular, 0.0)
    least = float(schatten(singular.tolist(), depth).value)
    assert sum((W**2).sum() for W in layers) >= least * (1 - 1e-12)
    balanced = balanced_factors(A, depth, widths=int((singular > 0).sum()))
    assert np.abs(product(balanced) - A).max() < 1e-12 * (1 + np.abs(A).max())
    assert abs(sum((W**2).sum() for W in balanced) - least) < 1e-9 * (1 + least)
    for first, second in pairwise(balanced):
        assert np.abs(second.T @ second - first @ first.T).max() < 1e-12 * (1 + least)


def test_balanced_factors_attain_the_bound_to_rounding():
    rng = np.random.default_rng(4)
    A = rng.normal(size=(4, 6))
    for depth in (2, 3, 5):
        layers = balanced_factors(A, depth, widths=7)
        least = float(schatten(np.linalg.svd(A)[1].tolist(), depth).value)
        assert abs(sum((W**2).sum() for W in layers) / least - 1) < 1e-14
        assert [W.shape for W in layers][1:-1] == [(7, 7)] * (depth - 2)


@pytest.mark.parametrize("depth", [1, 2, 3, "L"], ids=str)
def test_least_norms_are_derived(depth):
    a = sp.Symbol("a", positive=True)
    assert schatten([a, 2 * a], depth).derivation.identities_proved


def test_exact_factors_are_balanced_and_have_the_product():
    a, b = sp.symbols("a b", positive=True)
    c, s = sp.Rational(3, 5), sp.Rational(4, 5)
    U = sp.Matrix([[c, -s], [s, c], [0, 0]])
    V = sp.Matrix([[0, 1], [1, 0]])
    for depth in (1, 2, 4):
        found = schatten([a, b], depth)
        layers = found.factors(U, V)
        out = layers[0]
        for W in layers[1:]:
            out = W * out
        assert (out - U * sp.diag(a, b) * V.T).applyfunc(sp.simplify) == sp.zeros(3, 2)
        size = sum(e**2 for W in layers for e in W)
        assert depth == 1 or is_zero(size - found.value).proved
    with pytest.raises(DataError, match="orthonormal"):
        schatten([a, b], 2).factors(2 * U, V)
    with pytest.raises(ShapeError, match="2 columns in V"):
        schatten([a, b], 2).factors(U, V[:, :1])
    with pytest.raises(ShapeError, match="matrix U"):
        schatten([a, b], 2).factors(3, V)


def test_decay_of_two_layers_is_the_nuclear_norm():
    assert schatten([3, 2, 0], 2).penalty(sp.Rational(1, 2)) == 5
    assert schatten([3, 2, 0], 2).rank == 2


# -- two layers ------------------------------------------------------------------------------------


def start_of(m, n, h, c, seed, rank=None):
    """A target, and layers with W2^T W2 - W1 W1^T = c I."""
    rng = np.random.default_rng(seed)
    M = rng.normal(size=(m, n))
    if rank is not None:
        M = M[:, :rank] @ rng.normal(size=(rank, n))
    U, V, R = (np.linalg.qr(rng.normal(size=(k, k)))[0] for k in (m, n, h))
    x = rng.uniform(0.1, 0.6, size=h)
    first = np.diag(np.sqrt(x**2 + max(-c, 0))) @ V[:, :h].T if h <= n else None
    second = U[:, :h] @ np.diag(np.sqrt(x**2 + max(c, 0)))
    return M, R @ first, second @ R.T


@pytest.mark.parametrize(
    ("m", "n", "h", "c", "rank"),
    [
        (3, 3, 2, 0, None), (2, 4, 2, 0, None), (3, 3, 3, 0, 1), (4, 3, 2, 0.7, 1),
        (3, 4, 3, -0.4, None),
    ],
)  # fmt: skip
def test_two_layers_agree_with_the_integrated_flow(m, n, h, c, rank):
    M, W1, W2 = start_of(m, n, h, c, seed=m + n, rank=rank)
    solution = two_layer_solution(M, W1, W2)
    assert abs(solution.imbalance - c) < 1e-12
    for t in (0.5, 3.0):
        end = flow([W1, W2], lambda A: A - M, t)
        gram = np.concatenate([end[0].T, end[1]])
        assert np.abs(solution.product(t) - end[1] @ end[0]).max() < 1e-7
        assert np.abs(solution.gram(t) - gram @ gram.T).max() < 1e-7
    assert np.abs(solution.factor(0.0) - solution.start).max() < 1e-12


def test_two_layers_reach_the_target_after_a_long_time():
    M, W1, W2 = start_of(3, 3, 3, 0, seed=2)
    assert np.abs(two_layer_solution(M, W1, W2).product(3000.0) - M).max() < 1e-8
    with pytest.raises(TooLarge, match="steps"):
        two_layer_solution(M, W1, W2).product(1e9)


def test_taylor_coefficients_of_the_formula_are_those_of_the_layers():
    # exact rational arithmetic; F is singular because M has rank one and three columns
    F_ = Fraction
    M = sp.Matrix([[1, 2, 0], [2, 4, 0]]) / 3
    W1 = sp.Matrix([[F_(1, 2), 0, F_(0)], [0, F_(1, 3), 0]])
    W2 = sp.Matrix([[F_(1, 2), 0], [0, F_(1, 3)]])
    order = 6
    first, second = [W1], [W2]
    for k in range(order):
        # coefficients of E = M - W2 W1 up to k, then one Taylor step of both equations
        errors = []
        for j in range(k + 1):
            conv = sum((second[i] * first[j - i] for i in range(j + 1)), sp.zeros(2, 3))
            errors.append((M if j == 0 else sp.zeros(2, 3)) - conv)
        first.append(
            sum((second[i].T * errors[k - i] for i in range(k + 1)), sp.zeros(2, 3)) / (k + 1)
        )
        second.append(
            sum((errors[k - i] * first[i].T for i in range(k + 1)), sp.zeros(2, 2)) / (k + 1)
        )
    by_layers = [
        sum((second[i] * first[k - i] for i in range(k + 1)), sp.zeros(2, 3))
        for k in range(order + 1)
    ]
    F = sp.Matrix(sp.BlockMatrix([[sp.zeros(3, 3), M.T], [M, sp.zeros(2, 2)]]))
    assert F.det() == 0
    Q = W1.T.col_join(W2)
    E = [F**k / sp.factorial(k) for k in range(order + 1)]
    integral = [sp.zeros(5, 5)] + [(2 * F) ** k / sp.factorial(k) / (k + 1) for k in range(order)]
    B = [sp.eye(2)]
    inside = [Q.T * g * Q for g in integral]
    for k in range(1, order + 1):
        B.append(-sum((inside[i] * B[k - i] for i in range(1, k + 1)), sp.zeros(2, 2)))
    for k in range(order + 1):
        P = sp.zeros(5, 5)
        for i in range(k + 1):
            for j in range(k + 1 - i):
                P += E[i] * Q * B[j] * Q.T * E[k - i - j]
        assert P[3:, :3] == by_layers[k]


def test_scalar_layers_are_logistic():
    solution = two_layer_solution([[2.0]], [[0.1]], [[0.1]])
    with mp.workdps(15):
        typed = 2 * mp.e**4 / (mp.e**4 - 1 + 2 / mp.mpf("0.01"))
    assert abs(solution.product(1.0)[0, 0] - float(typed)) < 1e-14
    assert solution.derivation.identities_proved


# -- escape ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3, 4, 9, "L"], ids=str)
def test_escapes_are_proved(depth):
    assert origin_escape(depth).derivation.identities_proved


def test_a_wrong_speed_is_not_proved():
    class Wrong(type(origin_escape(3))):
        @property
        def inside(self):
            return super().inside + self.t * sp.Rational(1, 10**9)

    right = origin_escape(3, 2, 1)
    wrong = Wrong(**{f.name: getattr(right, f.name) for f in dataclasses.fields(right)})
    assert not wrong.derivation.identities_proved


@settings(max_examples=20)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_no_direction_falls_faster(depth, seed):
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(3, 4))
    widths = rng.integers(1, 4, size=depth - 1).tolist()
    layers = escape_direction(G, depth, widths=widths)
    top = np.linalg.svd(G)[1][0]
    speed = float(origin_escape(depth, sp.Rational(repr(float(top)))).speed)
    assert abs(sum((W**2).sum() for W in layers) - 1) < 1e-12
    assert abs((G * product(layers)).sum() + speed) < 1e-12
    other = [rng.normal(size=W.shape) for W in layers]
    size = np.sqrt(sum((W**2).sum() for W in other))
    assert -(G * product([W / size for W in other])).sum() <= speed + 1e-12


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_norm_along_the_ray_agrees_with_the_flow(depth):
    G = np.diag([3.0, 1.0])
    escape = origin_escape(depth, 3, sp.Rational(1, 5))
    layers = [W / 5 for W in escape_direction(G, depth, widths=2)]
    t = 0.2 if depth == 2 else 0.6 * float(escape.time)
    end = flow(layers, lambda A: G, t)
    norm = np.sqrt(sum((W**2).sum() for W in end))
    assert abs(norm - float(escape.radius.subs(escape.t, sp.Rational(repr(t))))) < 1e-7


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: balancedness(1), AssumptionError, "depth >= 2"),
        (lambda: balancedness(2, -1), AssumptionError, "lam >= 0"),
        (lambda: singular_value_flow(0), AssumptionError, "depth >= 1"),
        (lambda: singular_value_flow(2, ratio=-1), AssumptionError, "ratio >= 0"),
        (lambda: schatten([1, 2], 2), DataError, "decreasing"),
        (lambda: schatten([1], 0), AssumptionError, "depth >= 1"),
        (lambda: balanced_factors([1.0], 2), ShapeError, "matrix A"),
        (lambda: balanced_factors(np.eye(3), 2, widths=2), DomainError, "rank above 2"),
        (lambda: balanced_factors(np.eye(3), 3, widths=[3]), ShapeError, "2 hidden widths"),
        (lambda: balanced_factors([[np.inf]], 2), DataError, "finite"),
        (lambda: balanced_factors([[1], [2, 3]], 2), ShapeError, "matrix A of numbers"),
        (lambda: balanced_factors([["a"]], 2), ShapeError, "matrix A of numbers"),
        (lambda: balanced_factors(np.eye(2), 2, widths="2"), ShapeError, "widths as an integer"),
        (lambda: balanced_factors(np.eye(2), 2, widths=0), ShapeError, "width >= 1"),
        (lambda: origin_escape(1), AssumptionError, "depth >= 2"),
        (lambda: origin_escape(3, 0), AssumptionError, "s1 > 0"),
        (lambda: origin_escape(2).time, DomainError, "no escape time"),
        (lambda: escape_direction(np.zeros((2, 2)), 2), DomainError, "zero"),
        (lambda: escape_direction([1.0], 2), ShapeError, "matrix"),
        (lambda: escape_direction(np.eye(2), 3, widths=[2]), ShapeError, "2 hidden widths"),
        (lambda: two_layer_solution(np.eye(2), np.eye(2), 2 * np.diag([1, 2])), AssumptionError,
         "balanced"),
        (lambda: two_layer_solution(np.eye(2), np.eye(3), np.eye(2)), ShapeError, "W1 of shape"),
        (lambda: two_layer_solution([[np.nan]], [[1.0]], [[1.0]]), DataError, "target"),
        (lambda: two_layer_solution([[1]], [[1]], [[1]]).product(-1.0), DomainError, "t >= 0"),
    ],
)  # fmt: skip
def test_bad_calls_name_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()
