"""Laws of matrices for all sizes, against the entries at given sizes."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.flow.coupled_laws import coupled_laws

N = th.networks


def entries(law: th.networks.MatrixLaw, network: th.networks.Network) -> list[sp.Expr]:
    """The law written out for a network of integer sizes."""
    W = {b.name: sp.Matrix(int(b.rows), int(b.columns), b.symbols()) for b in network.blocks}
    total = None
    for coefficient, word in law.words:
        term = None
        for name, transposed in word:
            letter = W[name].T if transposed else W[name]
            term = letter if term is None else term * letter
        total = coefficient * term if total is None else total + coefficient * term
    return [sp.expand(e) for e in total]


CASES = {
    "two layers": (N.linear("n", "r", "m"), N.linear(3, 2, 2), 1),
    "four layers": (N.linear("n", "r", "s", "q", "m"), N.linear(2, 2, 3, 1, 2), 3),
    "factorization": (N.factorization("n", "m", "r"), N.factorization(2, 3, 2), 1),
    "attention": (N.attention("d", "k"), N.attention(2, 2), 2),
    "two heads": (N.attention("d", "k", "v", heads=2), N.attention(2, 1, 2, heads=2), 4),
    "rates": (N.linear("n", "r", "m").with_rates({"W1": 2}),
              N.linear(2, 2, 2).with_rates({"W1": 2}), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_matrix_laws_hold_entry_by_entry(name: str) -> None:
    symbolic, concrete, count = CASES[name]
    laws = N.matrix_laws(symbolic)
    assert len(laws) == count
    for law in laws:
        for e in entries(law, concrete):
            for g in concrete.components:
                rate = sum(
                    sp.diff(e, s) * p * sp.diff(g, s)
                    for s, p in zip(concrete.parameters, concrete.rates, strict=True)
                )
                assert sp.expand(rate) == 0


@pytest.mark.parametrize("widths", [(3, 2, 2), (2, 2, 2, 2), (2, 3, 1)])
def test_entries_of_matrix_laws_are_the_complete_list(widths: tuple[int, ...]) -> None:
    network = N.linear(*widths)
    laws = coupled_laws(network)
    assert laws.complete
    distinct = {e for law in N.matrix_laws(network) for e in entries(law, network)}
    # the matrices are symmetric: r (r + 1)/2 entries of each
    assert len(distinct) == sum(r * (r + 1) // 2 for r in widths[1:-1])


def test_balanced_matrices_are_printed_for_all_sizes() -> None:
    (law,) = N.matrix_laws(N.linear("n", "r", "m"))
    r = sp.Symbol("r", integer=True, positive=True)
    assert str(law) == "W1*W1.T - W2.T*W2"
    assert law.shape == (r, r)


def test_symmetric_factorization_has_no_matrix_law() -> None:
    assert N.matrix_laws(N.symmetric("n", "r")) == ()


def test_a_law_of_other_rates_is_not_found() -> None:
    (law,) = N.matrix_laws(N.linear("n", "r", "m").with_rates({"W1": 2}))
    coefficients = {word: c for c, word in law.words}
    ratio = (
        coefficients[(("W2", True), ("W2", False))] / coefficients[(("W1", False), ("W1", True))]
    )
    assert ratio == -2


@pytest.mark.parametrize("network", [N.hadamard(2), N.relu(2, 2, 1), N.nmf(2, 2, 1), "linear"])
def test_models_without_words_are_refused(network: Any) -> None:
    with pytest.raises(th.errors.FormulaError, match="matrix products"):
        N.matrix_laws(network)
