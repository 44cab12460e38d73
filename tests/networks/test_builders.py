"""Networks: their components are what the formulas of the layers give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import theory as th
from theory.flow.coupled_laws import coupled_laws

N = th.networks
WIDTHS = st.lists(st.integers(1, 3), min_size=2, max_size=4)


def matrices(network: th.networks.Network) -> dict[str, sp.Matrix]:
    return {b.name: sp.Matrix(int(b.rows), int(b.columns), b.symbols()) for b in network.blocks}


def same(components: Sequence[sp.Expr], expected: Sequence[sp.Expr]) -> bool:
    pairs = zip(components, expected, strict=True)
    return all(sp.expand(a - b) == 0 for a, b in pairs)


@given(WIDTHS)
def test_linear_network_is_the_product_of_its_matrices(widths: list[int]) -> None:
    network = N.linear(widths)
    product = sp.eye(widths[0])
    for W in matrices(network).values():
        product = W * product
    assert same(network.components, list(product))
    assert network.size == len(network.parameters)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_factorization_is_u_v_transposed(n: int, m: int, r: int) -> None:
    network = N.factorization(n, m, r)
    W = matrices(network)
    assert same(network.components, list(W["U"] * W["V"].T))


@given(st.integers(1, 3), st.integers(1, 3))
def test_symmetric_factorization_is_the_upper_triangle(n: int, r: int) -> None:
    network = N.symmetric(n, r)
    X = matrices(network)["U"] * matrices(network)["U"].T
    assert same(network.components, [X[i, j] for i in range(n) for j in range(i, n)])


@given(st.integers(1, 3), st.integers(1, 4))
def test_hadamard_network_multiplies_entries(d: int, depth: int) -> None:
    network = N.hadamard(d, depth)
    blocks = list(matrices(network).values())
    assert same(network.components, [sp.Mul(*(b[i] for b in blocks)) for i in range(d)])


@given(st.lists(st.integers(1, 3), min_size=2, max_size=3))
def test_linear_convolution_multiplies_polynomials(lengths: list[int]) -> None:
    network = N.linear_convolution(*lengths)
    s = sp.Symbol("s")
    product = sp.Mul(*(sum(c * s**i for i, c in enumerate(b)) for b in matrices(network).values()))
    coefficients = sp.Poly(sp.expand(product), s).all_coeffs()[::-1]
    assert same(network.components, coefficients)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_circular_convolution_has_the_discrete_fourier_transform(d: int) -> None:
    network = N.circular_convolution(d)
    rng = np.random.default_rng(d)
    a, b = rng.normal(size=(2, d))
    x = sp.lambdify([network.parameters], network.components)(np.concatenate([a, b]))
    assert np.allclose(np.fft.fft(x), np.fft.fft(a) * np.fft.fft(b))


def forward(
    network: th.networks.Network, z: sp.Matrix, pattern: Sequence[Sequence[int]]
) -> sp.Matrix:
    """The outputs on the region of one activation pattern."""
    W = matrices(network)
    layers = len([name for name in W if name.startswith("W")])
    for layer in range(1, layers + 1):
        z = W[f"W{layer}"] * z
        if layer < layers:
            if f"b{layer}" in W:
                z += W[f"b{layer}"]
            z = sp.diag(*pattern[layer - 1]) * z
    return z


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("widths", "pattern"),
    [((2, 3, 2), [[1, 0, 1]]), ((1, 2, 2, 1), [[1, 1], [0, 1]]), ((2, 2, 1), [[1, 1]])],
)
def test_relu_network_on_a_pattern_is_its_forward_pass(
    widths: tuple[int, ...], pattern: list[list[int]], bias: bool
) -> None:
    network = N.relu(*widths, bias=bias, pattern=pattern)
    z = sp.Matrix(sp.symbols(f"z1:{widths[0] + 1}"))
    out = forward(network, z, pattern)
    polys = [sp.Poly(sp.expand(o), *z) for o in out]
    wanted = [p.coeff_monomial(s) for p in polys for s in z]
    if bias:
        wanted += [p.coeff_monomial(1) for p in polys]
    assert same(network.components, wanted)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(2, 3, 2), (1, 2, 2, 2)])
def test_outputs_of_all_patterns_are_sums_of_paths(widths: tuple[int, ...], bias: bool) -> None:
    network = N.relu(*widths, bias=bias)
    paths = set(network.components)
    assert len(paths) == len(network.components)
    pattern = [[1] * n for n in widths[1:-1]]
    z = sp.Matrix(sp.symbols(f"z1:{widths[0] + 1}"))
    seen = set()
    for out in forward(network, z, pattern):
        for coefficient in sp.Poly(sp.expand(out), *z).coeffs():
            seen |= set(sp.Add.make_args(coefficient))
    assert seen == paths


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_is_seen_through_two_products_a_head(heads: int) -> None:
    network = N.attention(2, 1, 2, heads=heads)
    W = matrices(network)
    expected = []
    for s in [""] if heads == 1 else ["1", "2"]:
        expected += list(W[f"Q{s}"] * W[f"K{s}"].T) + list(W[f"V{s}"] * W[f"O{s}"])
    assert same(network.components, expected)


@pytest.mark.parametrize(("d", "k"), [(2, 1), (3, 2), (2, 3)])
def test_attention_has_the_laws_of_two_linear_networks(d: int, k: int) -> None:
    one = coupled_laws(N.linear(d, k, d))
    both = coupled_laws(N.attention(d, k))
    assert one.complete and both.complete
    assert both.upper_bound == 2 * one.upper_bound


def test_softmax_sums_to_one_and_tanh_is_odd() -> None:
    assert sp.simplify(sum(N.softmax(3).components)) == 1
    left, right = N.tanh(2, [-1, 1]).components
    assert sp.simplify(left + right) == 0


def test_weight_normalization_has_the_radius_as_its_length() -> None:
    model = N.weight_normalization(3)
    length = sum(c**2 for c in model.components)
    assert sp.simplify(length - model.parameters[0] ** 2) == 0


def test_rates_of_blocks_reach_every_entry() -> None:
    network = N.linear(2, 2, 1).with_rates({"W1": "2/3", "W2": 0.5})
    assert network.rates == (sp.Rational(2, 3),) * 4 + (sp.Rational(1, 2),) * 2


def test_names_of_networks_and_their_latex() -> None:
    assert str(N.linear(5, 3, 2)) == "linear 5,3,2"
    assert str(N.relu(2, 3, 1, bias=True)) == "relu with bias 2,3,1"
