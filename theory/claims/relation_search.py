"""The proofs of single relations, as parts of larger certificates."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from theory.claims.proof_search import (
    Prover,
    points_inside,
    regularize,
    sample_point,
    spread_points,
)
from theory.claims.replay import Rejected
from theory.claims.replay.facts import Context
from theory.claims.replay.relations import (
    at_end,
    demand_proved,
    domain_of,
    has_value,
    is_about_nothing,
    read,
)
from theory.claims.replay.terms import Term, add, key, mul, substitute

__all__ = ["part_of", "proof_of", "somewhere_in"]


def part_of(relation: Mapping[str, Any]) -> dict[str, Any]:
    """The proof of one relation of an answer, checked.

    Raises
    ------
    Rejected
        When no steps are found.
    """
    basic = read(relation)
    if relation.get("smooth"):
        prover = Prover(domain_of(basic))
        regularize(prover, basic["left"], 3)
        if not prover.context.regular(basic["left"]):
            raise Rejected(f"{key(basic['left'])[:200]} may have no value somewhere")
        return {"steps": prover.steps}
    proof = proof_of(basic, everywhere=False)
    demand_proved(basic, proof)
    return proof | {"somewhere": somewhere_in(basic)}


def proof_of(claim: Mapping[str, Any], *, everywhere: bool) -> dict[str, Any]:
    """The steps for a relation on its domain and at its closed ends, as far as they are found."""
    prover = Prover(domain_of(claim))
    left, right = claim["left"], claim["right"]
    t = add(left, mul(-1, right))
    prover.sample = _where_it_exists(prover, t)
    if claim["operator"] in ("==", ">="):
        prover.zero(t)
    if claim["operator"] != "==":
        prover.sign(t, 5)
    if everywhere:
        for side in (left, right):
            regularize(prover, side, 3)
        everywhere = prover.context.regular(left) and prover.context.regular(right)
    ends: list[dict[str, Any] | None] = []
    for i in range(len(claim["closed"])):
        there = at_end(claim, i)
        if is_about_nothing(there):
            everywhere = False
            ends.append(None)
        else:
            ends.append(proof_of(there, everywhere=everywhere))
    return {"steps": prover.steps, "everywhere": everywhere, "ends": ends}


def _where_it_exists(prover: Prover, t: Term) -> dict[str, Term]:
    """A point where a term has a value, if one is found."""
    sample, ranges = prover.sample, prover.context.ranges
    points = itertools.chain([sample], points_inside(prover.context, sample), spread_points(ranges))
    return next((p for p in points if has_value(substitute(t, p))), sample)


def somewhere_in(claim: Mapping[str, Any]) -> dict[str, Term]:
    """A point of the domain where both sides have values."""
    context = Context(claim["ranges"])
    sample = sample_point(claim["ranges"])
    for point in (sample, *points_inside(context, sample), *spread_points(claim["ranges"])):
        if all(has_value(substitute(claim[side], point)) for side in ("left", "right")):
            return point
    raise Rejected("no point where both sides have values")
