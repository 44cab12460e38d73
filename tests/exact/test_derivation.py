"""Derivations as records: numbers, certificates, and when one counts as proved."""

from __future__ import annotations

from theory.exact.derivation import numbered
from theory.exact.verdict import Certificate, Status, Verdict

YES = Certificate("yes", Verdict(Status.PROVED, "an argument"))
PERHAPS = Certificate("perhaps", Verdict(Status.UNDECIDED, "tried"))


def test_steps_are_numbered_in_order():
    derivation = numbered("T", [("a", [], "r", None), ("b", ["s"], "r", YES)])
    assert [(s.number, s.title) for s in derivation.steps] == [(1, "a"), (2, "b")]
    assert derivation.certificates == (YES,)


def test_a_derivation_is_proved_when_every_certificate_is():
    assert numbered("T", [("a", [], "r", YES)]).proved
    assert not numbered("T", [("a", [], "r", YES), ("b", [], "r", PERHAPS)]).proved


def test_a_derivation_without_certificates_is_not_proved():
    assert not numbered("T", [("a", [], "r", None)]).proved
