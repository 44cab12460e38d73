"""The rank of the Lie algebra: a lower bound whatever happens, and the traps of peers."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import theory as th
from theory.exact import modular
from theory.exact.modular import PRIME
from theory.flow.coupled_laws import coupled_laws
from theory.flow.fields import gradient_fields, monomials_of
from theory.flow.lie_rank import lie_rank, ranks_up_to

N = th.networks


def test_drift_and_controls_are_bracketed_together() -> None:
    """Sampled separately, the rank of 2,3,1 stops at 10."""
    laws = coupled_laws(N.linear(2, 3, 1), momentum=1)
    assert 2 * 9 + 1 - laws.upper_bound == 16
    assert laws.complete and laws.count == 3


def test_orders_without_a_new_direction_do_not_end_the_search_too_early() -> None:
    """Capped at order 6, 1,2,3,1 would have five laws."""
    for friction in (0, 1, "3/t"):
        laws = coupled_laws(N.linear(1, 2, 3, 1), momentum=friction)
        assert laws.complete and laws.count == 4
        assert laws.certificate["ranks"][-1] == 19


def test_a_target_ends_the_search() -> None:
    u, v, w = sp.symbols("u v w")
    fields = gradient_fields(monomials_of([u * v, u * w], [u, v, w]))
    assert lie_rank(fields, target=2).stopped == "the laws that are known"
    assert lie_rank(fields).stopped == "2 orders without a new direction"


def test_generic_field_has_a_rank_of_one() -> None:
    x = sp.symbols("x1:6", real=True)
    rng = np.random.default_rng(3)
    field = sum(
        int(rng.integers(1, 50)) * sp.Mul(*(s ** int(rng.integers(0, 3)) for s in x))
        for _ in range(6)
    )
    laws = coupled_laws(th.Coupled([field], x), degree=4)
    assert laws.upper_bound == 4 and laws.found == ()


@pytest.mark.parametrize("seed", [1, 5, 11])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_ranks_are_reproducible_and_never_fall(seed: int, width: int) -> None:
    fields = gradient_fields(N.linear(2, 2, 2).polynomials)
    ranks = ranks_up_to(fields, seed, 3, width)
    assert ranks == ranks_up_to(fields, seed, 3, width)
    assert ranks == sorted(ranks)
    assert ranks[-1] <= 5


def test_too_many_variables_are_refused_with_an_estimate() -> None:
    fields = gradient_fields(N.hadamard(20_000).polynomials)
    with pytest.raises(th.errors.TooLarge, match=r"40,000 variables takes about .* GiB"):
        lie_rank(fields)


RESIDUES = st.integers(0, PRIME - 1)


@given(st.lists(st.lists(RESIDUES, min_size=3, max_size=3), min_size=1, max_size=4))
def test_matmul_is_exact(rows: list[list[int]]) -> None:
    a = np.array(rows, np.int64)
    exact = [[sum(x * y for x, y in zip(p, q, strict=True)) % PRIME for q in rows] for p in rows]
    assert modular.matmul(a, a.T.copy()).tolist() == exact


@given(RESIDUES, RESIDUES)
def test_reduce_inverse_and_scatter_are_exact(a: int, b: int) -> None:
    x = np.array([a * b], np.int64)
    assert modular.reduce(x).tolist() == [a * b % PRIME]
    inverse = int(modular.inverse(np.array([a], np.int64))[0])
    assert a * inverse % PRIME == (1 if a else 0)
    index = np.zeros(2, np.int64)
    assert modular.scatter(index, np.array([a, b], np.int64), 1).tolist() == [(a + b) % PRIME]


@given(st.lists(RESIDUES, min_size=4, max_size=4), st.lists(RESIDUES, min_size=4, max_size=4))
def test_convolve_multiplies_power_series(a: list[int], b: list[int]) -> None:
    exact = [sum(a[i] * b[k - i] for i in range(k + 1)) % PRIME for k in range(4)]
    assert modular.convolve(np.array(a, np.int64), np.array(b, np.int64)).tolist() == exact


@given(st.integers(-32767, 32767), st.integers(1, 32767))
def test_small_fractions_are_recognized(numerator: int, denominator: int) -> None:
    fraction = sp.Rational(numerator, denominator)
    residue = numerator * pow(denominator, -1, PRIME) % PRIME
    assert modular.rational(residue) == (fraction.p, fraction.q)
