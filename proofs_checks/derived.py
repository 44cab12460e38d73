"""Outcomes of derivations, and of exact values."""

from __future__ import annotations

from typing import Any

import theory as th
from proofs_checks.statement import Outcome

__all__ = ["exactly", "fails", "holds", "refused"]


def holds(*objects: Any) -> Outcome:
    """Every certified step of the derivation of each object is proved.

    It is a proof only where every step is certified; what stands in words is named.
    """
    claims, in_words = [], []
    for thing in objects:
        derivation = thing if isinstance(thing, th.Derivation) else thing.derivation
        bad = [str(c) for c in derivation.certificates if not c.proved]
        if bad or not derivation.identities_proved:
            return Outcome("FAILED", "; ".join(bad) or "no certificate", derivation.title, False)
        claims.append(derivation.title)
        in_words += [t for t in derivation.in_words if t not in in_words]
    text = "; ".join(claims)
    if not in_words:
        return Outcome("PROVED", text, text, True)
    shown = f"identities of {text} proved; in words: {', '.join(in_words)}"
    return Outcome("CHECKED", shown, shown, True)


def exactly(measured: Any, expected: Any, what: str = "") -> Outcome:
    """Exact values that print alike."""
    ok = str(measured) == str(expected)
    name = f"{what}: " if what else ""
    return Outcome("PROVED" if ok else "FAILED", f"{name}{measured}", f"{name}{expected}", ok)


def fails(verdict: th.Verdict, what: str) -> Outcome:
    """A statement is refuted: the hypothesis that was dropped is needed."""
    ok = verdict.refuted
    return Outcome("REFUTED" if ok else "FAILED", f"{what}: {verdict}", f"{what}: REFUTED", ok)


def refused(error: type[Exception], call: Any, what: str) -> Outcome:
    """The library refuses to answer, and says why."""
    try:
        call()
    except error as e:
        return Outcome("REFUTED", f"{what}: {e}", what, True)
    return Outcome("FAILED", f"{what}: answered", f"{what}: {error.__name__}", False)
