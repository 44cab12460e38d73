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


def test_identities_are_proved_when_every_certificate_is():
    assert numbered("T", [("a", [], "r", YES)]).identities_proved
    assert not numbered("T", [("a", [], "r", YES), ("b", [], "r", PERHAPS)]).identities_proved


def test_a_derivation_without_certificates_has_none_proved():
    assert not numbered("T", [("a", [], "r", None)]).identities_proved


def test_steps_in_words_are_named():
    derivation = numbered("T", [("a", [], "r", YES), ("recalled", [], "r", None)])
    assert derivation.identities_proved
    assert derivation.in_words == ("recalled",)
