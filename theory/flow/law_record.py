"""The result of a search for laws, and the parts of its certificate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from theory.exact.modular import PRIME
from theory.flow.fields import Fields
from theory.flow.lie_rank import LieRank
from theory.flow.polynomial_laws import Law

__all__ = ["CoupledLaws", "fingerprint", "law_entry", "rank_record", "read_law", "scope_of"]


@dataclass(frozen=True)
class CoupledLaws:
    """Laws of a coupled model.

    Parameters
    ----------
    found : tuple of sympy.Expr
        Functionally independent laws, each with an exact proof.
    upper_bound : int
        No more independent laws exist.
    certificate : dict
        The record of the laws and of the rank, as JSON data; `replay_laws` checks it.
    conditions : tuple of str
        What the bound or the laws assume.
    scope : str
        For which flows they hold: "every loss and data set", or the data that were given.
    decaying : tuple of (function, factor)
        With friction or weight decay: functions C of the state whose product with the factor, a
        function of time, is one of the laws; so C(t) is C(0) over the factor.
    """

    found: tuple[sp.Expr, ...]
    upper_bound: int
    certificate: dict[str, Any] = field(repr=False)
    conditions: tuple[str, ...] = ()
    scope: str = "every loss and data set"
    decaying: tuple[tuple[sp.Expr, sp.Expr], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there are no further independent laws."""
        return len(self.found) == self.upper_bound

    @property
    def count(self) -> int | None:
        """How many independent laws there are, where that is certain."""
        return self.upper_bound if self.complete else None

    def __str__(self) -> str:
        laws = ", ".join(map(str, self.found)) or "none found"
        kind = "complete" if self.complete else f"at most {self.upper_bound}"
        return f"{laws} ({len(self.found)} found, {kind})"

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(sp.latex(law) for law in self.found)
        return rf"$\begin{{array}}{{l}}{rows}\end{{array}}$"


def scope_of(data: Any) -> str:
    return "every loss and data set" if data is None else "every loss on the given data"


def rank_record(bound: LieRank, moving: int) -> dict[str, Any]:
    """The part of a certificate that belongs to the upper bound."""
    return {
        "prime": PRIME,
        "seed": bound.seed,
        "width": bound.width,
        "ranks": list(bound.ranks),
        "stopped": bound.stopped,
        "upper_bound": moving - bound.rank,
    }


def fingerprint(fields: Fields) -> str:
    """A hash of the vector fields that a certificate belongs to."""
    order = np.lexsort((*fields.index.T, fields.component, fields.field))
    digest = hashlib.sha256(f"{fields.size} {fields.count} {fields.frozen}".encode())
    digest.update(np.ascontiguousarray(fields.index[order]).tobytes())
    digest.update(fields.component[order].tobytes() + fields.field[order].tobytes())
    digest.update(repr([fields.coefficient[i] for i in order.tolist()]).encode())
    return digest.hexdigest()


def law_entry(law: Law) -> dict[str, Any]:
    """A law as JSON data."""
    return {
        "terms": [[c, [list(pair) for pair in x]] for x, c in law.terms],
        "logs": [list(pair) for pair in law.logs],
    }


def read_law(entry: dict[str, Any]) -> Law:
    """A law from JSON data."""
    return Law(
        tuple((tuple((int(j), int(e)) for j, e in x), int(c)) for c, x in entry["terms"]),
        tuple((int(j), int(c)) for j, c in entry["logs"]),
    )
