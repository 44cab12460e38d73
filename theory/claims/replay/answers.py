"""What answers a question about laws, functions and flows: relations, and limits at ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    mul,
    written_out,
)

__all__ = [
    "Answer", "End", "Relation", "names_of", "positive_on", "rate_of", "relation_on", "smooth_on",
    "terms_of",
]  # fmt: skip

Relation = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The relations that answer a question; in a `smooth` one the left side is analytic.

    For each of the `ends`, one of its functions has an infinite limit there. Where there are
    `finite` ones, a no is an end where all functions of `ends` are finite, and one of these is not
    or the `component` has no values beyond the limit of the first.
    """

    alternatives: list[list[Relation]]
    given: list[Relation] = field(default_factory=list)
    refutable: bool = True
    ends: list[End] = field(default_factory=list)
    finite: list[End] = field(default_factory=list)
    component: Relation | None = None

    def beyond(self, side: int, v: Term) -> Relation:
        """That the component has no values beyond v: below it at the lower end."""
        demand(self.component is not None, "no component")
        component = self.component or {}
        gap = add(component["left"], mul(-1, v))
        return component | {"left": mul(-1, gap) if side else gap}


@dataclass(frozen=True)
class End:
    """Functions of a name at one side of a place, which may be infinite."""

    functions: list[Term]
    name: str
    place: Term
    direction: str
    ranges: dict[str, Any]


def relation_on(claim: Mapping[str, Any], left: Term, operator: str, right: Term = 0) -> Relation:
    """A relation on the domain of a claim."""
    return {
        "operator": operator,
        "left": left,
        "right": right,
        "ranges": claim["ranges"],
        "closed": [],
        "relations": claim["relations"],
    }


def smooth_on(claim: Mapping[str, Any], t: Term) -> Relation:
    """That a term is analytic on the domain of a claim."""
    return relation_on(claim, t, "==", t) | {"smooth": True}


def names_of(claim: Mapping[str, Any], entry: str) -> list[str]:
    """The names of an entry, each with a domain of real numbers."""
    names = claim[entry]
    demand(names and len(set(names)) == len(names), f"no {entry}, or one of them twice")
    demand(all(is_name(x) and x in claim["ranges"] for x in names), f"no domain of the {entry}")
    # a derivative says nothing of the values at integers
    demand(all(len(claim["ranges"][x]) == 2 for x in names), f"integers as {entry}")
    return list(names)


def terms_of(entries: Sequence[Any], count: int) -> list[Term]:
    """Terms in the basic functions."""
    demand(len(entries) == count, "a wrong number of terms")
    return [written_out(t) for t in entries]


def positive_on(claim: Mapping[str, Any], rates: list[Term]) -> list[Relation]:
    """That the rates are positive."""
    return [relation_on(claim, p, ">") for p in rates if p != 1]


def rate_of(law: Term, component: Term, names: list[str], rates: list[Term]) -> Term:
    """The rate of a law along one component, the sum of p_j d_j C d_j G."""
    return add(
        *(
            mul(p, derivative(law, x), derivative(component, x))
            for x, p in zip(names, rates, strict=True)
        )
    )
