"""How many verdicts of the test suite have a certificate that replays, question by question.

``python -m tests.claims.suite_certificates tests/claims/test_limit.py ...`` runs these tests, or
all of ``tests/claims``, records each PROVED and REFUTED of the public questions, and asks for a
certificate of each. One claim with one verdict counts once.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import theory as th
from theory.claims.certificate import NoCertificate, certificate
from theory.claims.replay import digest, replay

QUESTIONS = {
    "prove": "theory.claims.prove",
    "conserved": "theory.claims.properties",
    "convex": "theory.claims.convexity",
    "decreases": "theory.claims.lyapunov",
    "drift_at_most": "theory.claims.trajectory",
    "integral_is": "theory.claims.integral",
    "is_legendre": "theory.claims.properties",
    "is_mirror_potential": "theory.claims.properties",
    "limit_is": "theory.claims.limit",
    "limit_point_is": "theory.claims.limit_claims",
    "monotone": "theory.claims.properties",
    "passes": "theory.claims.trajectory",
}


@dataclass
class Recorder:
    """A plugin of pytest that keeps the verdicts on the public questions."""

    verdicts: dict[str, tuple[str, str, th.Verdict]] = field(default_factory=dict)
    file: str = ""

    def pytest_runtest_setup(self, item: Any) -> None:
        self.file = Path(str(item.fspath)).name

    def keep(self, question: str, verdict: Any) -> None:
        if not isinstance(verdict, th.Verdict) or verdict.undecided:
            return
        claim = verdict.record.get("claim")
        mark = str(verdict) if claim is None else digest(claim)
        self.verdicts.setdefault(
            f"{question} {verdict.status} {mark}", (question, self.file, verdict)
        )

    def listen(self) -> dict[tuple[Any, str], Any]:
        """Put a listener in front of each question; what was there before."""
        before = {}
        for name, module in QUESTIONS.items():
            for place in (importlib.import_module(module), th):
                asked = getattr(place, name)
                before[place, name] = asked
                setattr(place, name, self._listener(name, asked))
        return before

    def _listener(self, name: str, asked: Any) -> Any:
        # th.name may be the listener in the module already; one of another run is asked in turn
        if getattr(asked, "listens", None) is self:
            return asked

        @functools.wraps(asked)
        def ask(*arguments: Any, **options: Any) -> Any:
            verdict = asked(*arguments, **options)
            self.keep(name, verdict)
            return verdict

        ask.listens = self  # type: ignore[attr-defined]
        return ask


def gathered(arguments: Sequence[str]) -> list[tuple[str, str, th.Verdict]]:
    """The verdicts of a run of the tests: question, file and verdict."""
    recorder = Recorder()
    before = recorder.listen()
    try:
        options = ["-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", "-x"]
        code = pytest.main([*options, *arguments], plugins=[recorder])
    finally:
        for (place, name), asked in before.items():
            setattr(place, name, asked)
    if code != 0:
        raise SystemExit(f"the tests fail: {code}")
    return list(recorder.verdicts.values())


def count(verdicts: Sequence[tuple[str, str, th.Verdict]], seconds: float = 60.0) -> Counter[Any]:
    """How many have a certificate that replays, by question, file and status."""
    counts: Counter[Any] = Counter()
    for question, file, verdict in verdicts:
        status = str(verdict.status)
        try:
            record = json.loads(json.dumps(certificate(verdict, seconds=seconds)))
            found = replay(record) == status
        except NoCertificate as error:
            found = False
            print(f"none: {question} in {file}: {str(error)[:160]}")
        counts[question, file, status, found] += 1
    return counts


def table(counts: Counter[Any], column: int) -> str:
    """A line for each question (column 0) or file (column 1)."""
    lines = []
    for name in sorted({key[column] for key in counts}):
        cells = []
        for status in ("PROVED", "REFUTED"):
            here = {k: v for k, v in counts.items() if k[column] == name and k[2] == status}
            with_one = sum(v for k, v in here.items() if k[3])
            cells.append(f"{status} {with_one} of {sum(here.values())}")
        lines.append(f"{name:34} {cells[0]:20} {cells[1]}")
    return "\n".join(lines)


if __name__ == "__main__":
    found = count(gathered(sys.argv[1:] or ["tests/claims"]))
    print(table(found, 0), table(found, 1), sep="\n\n")
