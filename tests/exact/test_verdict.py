"""Verdicts: three values, never a truth value, and a text that says what the argument rests on."""

from __future__ import annotations

import re

import pytest

from theory.exact.verdict import Certificate, Status, Verdict


@pytest.mark.parametrize("status", Status)
def test_a_verdict_has_exactly_one_of_three_values(status: Status) -> None:
    verdict = Verdict(status, "argument")
    flags = {
        Status.PROVED: verdict.proved,
        Status.REFUTED: verdict.refuted,
        Status.UNDECIDED: verdict.undecided,
    }
    assert [s for s, holds in flags.items() if holds] == [status]
    assert Certificate("claim", verdict).proved is verdict.proved


def test_a_verdict_has_no_truth_value() -> None:
    message = "A verdict has three values; ask for verdict.proved, .refuted or .undecided."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        bool(Verdict(Status.PROVED, "argument"))


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Verdict(Status.PROVED, "normal form"), "PROVED: normal form"),
        (
            Verdict(Status.PROVED, "normal form", conditions=("x > 0", "y > 0")),
            "PROVED: normal form; provided that x > 0, y > 0",
        ),
        (
            Verdict(Status.REFUTED, "they differ", witness={"x": "1/2", "y": "-3"}),
            "REFUTED: they differ at x = 1/2, y = -3",
        ),
        (Verdict(Status.REFUTED, "1 is not 2", witness={}), "REFUTED: 1 is not 2"),
        (
            Verdict(Status.UNDECIDED, "tried", digits=40),
            "UNDECIDED: tried (40 digits of numeric support)",
        ),
        # no digits at all is a finding too
        (
            Verdict(Status.UNDECIDED, "tried", digits=0),
            "UNDECIDED: tried (0 digits of numeric support)",
        ),
        (
            Verdict(Status.UNDECIDED, "tried", ("x > 0",), digits=7),
            "UNDECIDED: tried (7 digits of numeric support); provided that x > 0",
        ),
    ],
)
def test_text_of_a_verdict(verdict: Verdict, text: str) -> None:
    assert str(verdict) == text


def test_text_of_a_certificate_names_the_claim_and_the_argument() -> None:
    certificate = Certificate("f' = g", Verdict(Status.PROVED, "normal form"), "table")
    assert str(certificate) == "f' = g: PROVED (normal form)"


def test_the_record_of_the_work_is_no_part_of_the_answer() -> None:
    assert Verdict(Status.PROVED, "a", record={"k": 1}) == Verdict(Status.PROVED, "a")
