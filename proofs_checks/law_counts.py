"""How many conservation laws a flow has, against a number that a paper states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import theory as th
from proofs_checks.statement import Outcome

__all__ = ["count_is", "counts_are", "each", "widths"]


def each(text: str) -> list[str]:
    """The names of a list, as they are written with spaces between them."""
    return text.split()


def widths(text: str) -> tuple[list[int], bool]:
    """``"3,2,1b"`` as widths and whether the hidden units have biases."""
    return [int(n) for n in text.removesuffix("b").split(",")], text.endswith("b")


def count_is(network: Any, laws: int, rank: int | None = None, **options: Any) -> Outcome:
    """The network has so many independent laws, all of them found, and a Lie algebra of a rank.

    Proved when explicit laws reach the bound: fewer laws than the bound or another number fail.
    """
    found = th.GradientFlow(network).conservation_laws(**options)
    measured = f"{len(found.found)} laws of at most {found.upper_bound}"
    expected = f"{laws} laws of at most {laws}"
    ok = found.complete and found.upper_bound == laws
    if rank is not None:
        measured += f", rank {found.certificate['ranks'][-1]}"
        expected += f", rank {rank}"
        ok = ok and found.certificate["ranks"][-1] == rank
    return Outcome("PROVED" if ok else "FAILED", measured, expected, ok)


def counts_are(rows: Sequence[tuple[str, Any, int]], **options: Any) -> Outcome:
    """All networks of a list, each with its name and its number of laws."""
    wrong, done = [], []
    for name, network, laws in rows:
        outcome = count_is(network, laws, **options)
        done.append(str(laws))
        if not outcome.ok:
            wrong.append(f"{name}: {outcome.measured}")
    expected = f"{len(rows)} of {len(rows)}: {', '.join(done)}"
    if wrong:
        return Outcome("FAILED", "; ".join(wrong), expected, False)
    return Outcome("PROVED", expected, expected, True)
