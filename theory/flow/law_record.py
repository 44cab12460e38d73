"""The result of a search for laws, and the parts of its certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import FormulaError
from theory.exact.modular import PRIME
from theory.flow.fields import Fields
from theory.flow.law import Law
from theory.flow.lie_rank import LieRank

__all__ = [
    "NOT_EXHAUSTIVE",
    "CoupledLaws",
    "fingerprint",
    "law_entry",
    "law_text",
    "rank_record",
    "read_law",
    "read_rank_record",
    "scope_of",
]

NOT_EXHAUSTIVE = "the ansatz may hold further laws: the search was not exhaustive"
MOST_ORDERS, MOST_WIDTH = 65, 1_000_000
"""What a replay computes at most."""


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
        function of time, is one of the laws; so C shrinks like one over the factor.
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


def law_text(law: Law, names: Sequence[str]) -> str:
    """A law for people who read the record.

    Examples
    --------
    >>> law_text(Law(((((0, 2),), 1), (((0, 1), (1, -1)), -3)), ((1, 2),)), ["u", "v"])
    'u**2 - 3*u*v**-1 + 2*log(v)'
    """
    terms = [
        (c, "*".join(names[j] if e == 1 else f"{names[j]}**{e}" for j, e in x))
        for x, c in law.terms
    ]
    terms += [(c, f"log({names[j]})") for j, c in law.logs]
    out = ""
    for c, text in terms:
        sign = ("-" if c < 0 else "") if not out else (" - " if c < 0 else " + ")
        size = "" if abs(c) == 1 and text else str(abs(c))
        out += sign + "*".join(p for p in (size, text) if p)
    return out


def read_law(entry: dict[str, Any], size: int, moving: int) -> Law:
    """A law from JSON data, in variables below `size`, with logarithms of those that move.

    Raises
    ------
    FormulaError
        For anything else than integers, a variable that does not exist or comes twice, an
        exponent zero, and a law without terms.
    """
    terms = []
    for coefficient, pairs in entry["terms"]:
        for j, e in pairs:
            _integers(j, e)
            if not 0 <= j < size or e == 0:
                raise FormulaError(f"A law has no factor number {j} with exponent {e}.")
        variables = [j for j, _ in pairs]
        if len(set(variables)) != len(variables):
            raise FormulaError(f"A term of a law has a variable twice: {pairs}.")
        _integers(coefficient)
        terms.append((tuple(sorted((j, e) for j, e in pairs)), coefficient))
    logs = []
    for j, coefficient in entry["logs"]:
        _integers(j, coefficient)
        if not 0 <= j < moving:
            raise FormulaError(f"A law has no logarithm of the variable number {j}.")
        logs.append((j, coefficient))
    if not terms and not logs:
        raise FormulaError("A law of the certificate has no terms.")
    return Law(tuple(terms), tuple(logs))


def read_rank_record(record: dict[str, Any]) -> tuple[int, list[int], int]:
    """Seed, ranks and width of a bound, for this prime.

    Raises
    ------
    FormulaError
        For another prime, and for numbers that no search writes.
    """
    if record.get("prime") != PRIME:
        raise FormulaError(f"The certificate is for the prime {record.get('prime')!r}.")
    seed, ranks, width = record["seed"], record["ranks"], record["width"]
    _integers(seed, width, *ranks)
    if not 0 < len(ranks) <= MOST_ORDERS or not 0 <= width <= MOST_WIDTH:
        raise FormulaError(f"The certificate has {len(ranks)} ranks and the width {width}.")
    return seed, list(ranks), width


def _integers(*values: Any) -> None:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise FormulaError(f"Expected an integer in the certificate but got {value!r}.")
