"""Every statement of `proofs_checks`, and one that is wrong on purpose."""

from __future__ import annotations

import importlib

import pytest

import theory as th
from proofs_checks.derived import holds
from proofs_checks.statement import Outcome, Statement, identities, numbers

PAPERS = [
    "chou2024_reparametrizing",
    "woodworth2020_kernel_rich",
    "amid_warmuth2020_reparametrization",
    "li2022_commuting",
    "marcotte2023_conservation_laws",
    "marcotte2024_keep_momentum",
    "chou2024_weight_normalization",
    "azulay2021_warped_mirror",
    "saxe2013_linear_dynamics",
    "arora2018_acceleration",
    "arora2019_matrix_factorization",
    "jacot2021_deep_linear_networks",
    "zhao2022_ratio_penalty",
    "jacot2021_saddle_to_saddle",
    "zhao2022_completion",
    "gunasekar2018_optimization_geometry",
    "lyu2020_gradient_descent_homogeneous",
    "tsilivis2025_flavors_of_margin",
]
STATEMENTS = [
    pytest.param(s, id=f"{paper}: {s.name}", marks=pytest.mark.slow if s.slow else ())
    for paper in PAPERS
    for s in importlib.import_module(f"proofs_checks.{paper}").statements()
    # long tables, each with a reason; `theory check` runs them all
    if not s.left_out
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statement_holds(statement: Statement) -> None:
    outcome = statement.check()
    assert outcome.ok, str(outcome)


def test_names_of_statements_are_distinct() -> None:
    assert len({p.id for p in STATEMENTS}) == len(STATEMENTS)


@pytest.mark.parametrize(
    "outcome",
    [
        identities([("F''", "1/(4*x)", "1/(2*x)")], {"x": "positive"}),
        identities([("F'", "log(x)/4 + x/10**12", "log(x)/4")], {"x": "positive"}),
        numbers([0.2323157], [0.2323158], atol=0.51e-8),
    ],
    ids=["factor", "tiny term", "eighth digit"],
)
def test_wrong_statement_is_caught(outcome: Outcome) -> None:
    assert not outcome.ok
    assert outcome.verdict == "FAILED"


def test_a_derivation_with_steps_in_words_is_no_proof() -> None:
    outcome = holds(th.networks.schatten([2, 1], 3))
    assert outcome.ok
    assert not outcome.proved
    assert "Horn" in outcome.measured


def test_agreement_of_numbers_is_no_proof() -> None:
    outcome = numbers([0.5], [0.5], atol=1e-12)
    assert outcome.ok
    assert not outcome.proved
