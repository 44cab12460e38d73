"""Details of verdicts: what is recorded, closed ends, conditions, wording."""

from __future__ import annotations

import pytest
import sympy as sp

import theory as th
from theory.claims.claim import claim_of
from theory.claims.replay import digest


@pytest.mark.parametrize("text", ["x/x == 1", "x**2 >= x", "exp(x) > 1 + x"])
def test_claim_of_a_verdict_is_what_was_typed(text: str) -> None:
    record = th.prove(text, {"x": "positive"}).record
    assert record["claim"] == claim_of(text, {"x": "positive"})
    assert record["sha256"] == digest(record["claim"])


@pytest.mark.parametrize("text", ["(x - 1)**2/x > 0", "0 < (x - 1)**2/x"])
def test_an_end_without_values_does_not_hide_the_other(text: str) -> None:
    verdict = th.prove(text, {"x": "[0, 1]"})
    assert verdict.refuted and verdict.witness == {"x": "1"}
    assert verdict.method == "both sides are equal there"


@pytest.mark.parametrize("text", ["x/x == 1", "1 == x/x", "log(x)/log(x) == 1", "x/x >= 1"])
def test_value_that_is_missing_at_an_end_is_a_condition(text: str) -> None:
    verdict = th.prove(text, {"x": "[0, 1]"})
    assert verdict.proved and verdict.conditions == ("both sides are defined",)


def test_differences_are_shown_without_radius() -> None:
    verdict = th.prove("x**2 == 1/3", None, "x > 0 & x < 10")
    assert verdict.refuted and "+/-" not in verdict.method
    assert "+/-" not in th.prove("log(x) == 1").method


def test_what_the_program_does_not_know_is_left_open() -> None:
    x = sp.Symbol("x", positive=True)
    for relation in (sp.Eq(sp.zeta(x), 5), sp.Gt(sp.zeta(x), 5)):
        verdict = th.prove(relation)
        assert verdict.undecided and verdict.method not in ("", "None")


def test_equality_on_a_curve_is_not_refuted_off_it() -> None:
    assert not th.prove("x**2 == y**2", None, "x == y").refuted
    assert th.prove("x + 1 >= y", {"x": "(0, 1)", "y": "(0, 1)"}, "x > y").proved
