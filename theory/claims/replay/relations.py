"""Relations between terms on a domain: read from a claim, proved, and refuted at a point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory.claims.replay.answers import End, relation_on
from theory.claims.replay.facts import (
    BITS,
    POSITIVE,
    Context,
    at_precision,
    undefined,
)
from theory.claims.replay.germs import approached, is_infinite, moved
from theory.claims.replay.steps import (
    established,
    inside,
)
from theory.claims.replay.terms import (
    KINDS,
    Term,
    add,
    demand,
    is_name,
    is_of_kind,
    key,
    mul,
    substitute,
    variables,
    written_out,
)

_HOLDS = {"==": (0,), "!=": (2, -2), ">=": (0, 1, 2), ">": (2,)}
_FAILS = {"==": (2, -2), "!=": (0,), ">=": (-2,), ">": (0, -1, -2)}
_SIGNS = {**_HOLDS, "<=": (0, -1, -2), "<": (-2,)}


def relation_proved(relation: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    claim = read(relation)
    if relation.get("smooth"):
        context = established(domain_of(claim), proof["steps"])
        demand(context.regular(claim["left"]), "a function may have no value somewhere")
        return
    demand_proved(claim, proof)
    somewhere(claim, proof["somewhere"])


def read(claim: Mapping[str, Any]) -> dict[str, Any]:
    """The relation in the basic functions."""
    demand(claim["operator"] in _HOLDS, "no relation")
    ranges = {
        x: [None if e is None else written_out(e) for e in r[:2]] + r[2:]
        for x, r in claim["ranges"].items()
    }
    relations = [(o, written_out(t)) for o, t in claim["relations"]]
    demand(all(o in _SIGNS for o, _ in relations), "an unknown relation")
    closed = [(x, written_out(e)) for x, e in claim["closed"]]
    demand(all(has_value(e) for _, e in closed), "an end is not a number")
    left, right = written_out(claim["left"]), written_out(claim["right"])
    bounds = [e for r in ranges.values() for e in r[:2] if e is not None]
    terms = [left, right, *bounds, *(t for _, t in relations), *(e for _, e in closed)]
    used = set().union(*map(variables, terms)) | {x for x, _ in closed}
    demand(used <= set(ranges), f"no domain for {sorted(used - set(ranges))}")
    for x, (_, _, *whole) in ranges.items():
        demand(is_name(x), f"{x} is no name")
        demand(whole in ([], *([kind] for kind in KINDS)), f"{x} is of no known kind")
    for r in ranges.values():
        demand(all(has_value(e) for e in r[:2] if e is not None), "a bound is not a number")
        gap = POSITIVE if None in r[:2] else Context({}).sign(add(r[1], mul(-1, r[0])))
        demand(gap == POSITIVE, "an empty interval")
    return {
        "operator": claim["operator"],
        "left": left,
        "right": right,
        "ranges": ranges,
        "relations": relations,
        "closed": closed,
        "defined": [written_out(t) for t in claim.get("defined", ())],
    }


def domain_of(claim: Mapping[str, Any]) -> Context:
    """The open domain of a claim, with the facts that its relations are."""
    signs = {">": 2, ">=": 1, "==": 0, "<=": -1, "<": -2}
    facts = {key(t): signs[o] for o, t in claim["relations"] if o in signs}
    return Context(claim["ranges"], facts, cut=bool(facts))


def at_end(claim: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The claim at its i-th closed end, where the ends after it are still to come."""
    x, end = claim["closed"][i]
    table = {x: end}
    return {
        "operator": claim["operator"],
        "left": substitute(claim["left"], table),
        "right": substitute(claim["right"], table),
        "ranges": {y: r for y, r in claim["ranges"].items() if y != x},
        "relations": [(o, substitute(t, table)) for o, t in claim["relations"]],
        "closed": [c for c in claim["closed"][i + 1 :] if c[0] != x],
    }


def holds_everywhere(proof: Mapping[str, Any]) -> bool:
    """Whether a proof shows that the sides have values on the whole domain, with its ends."""
    ends = proof["ends"]
    return bool(proof["everywhere"]) and all(e is not None and holds_everywhere(e) for e in ends)


def is_about_nothing(claim: Mapping[str, Any]) -> bool:
    """Whether a side has no value anywhere, and neither at the closed ends."""
    where = Context(claim["ranges"])
    gone = undefined(where, claim["left"]) or undefined(where, claim["right"])
    return gone and all(is_about_nothing(at_end(claim, i)) for i in range(len(claim["closed"])))


def demand_proved(claim: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    left, right = claim["left"], claim["right"]
    context = established(domain_of(claim), proof["steps"])
    fact = context.sign(add(left, mul(-1, right)))
    demand(fact in _HOLDS[claim["operator"]], "the steps do not prove the claim")
    if proof["everywhere"]:
        both = context.regular(left) and context.regular(right)
        demand(both, "the sides may have no value somewhere")
    demand(len(proof["ends"]) == len(claim["closed"]), "a closed end is left out")
    for i, end in enumerate(proof["ends"]):
        there = at_end(claim, i)
        if end is not None:
            demand_proved(there, end)
            continue
        gone = is_about_nothing(there) and not proof["everywhere"]
        demand(gone, f"the sides have values at {claim['closed'][i]}")


def somewhere(claim: Mapping[str, Any], point: Mapping[str, Term]) -> None:
    """A claim is about something: both sides have values at a point of the open domain."""
    inside(Context(claim["ranges"]), point)
    for side in (claim["left"], claim["right"]):
        demand(has_value(substitute(side, point)), "the sides have no value at the point")


def has_value(t: Term) -> bool:
    """Whether a constant term has a finite real value."""
    return not variables(t) and bool(at_precision(BITS[1], t, {}).is_finite())


def point_of(
    claim: Mapping[str, Any], given: Mapping[str, Term], context: Context
) -> dict[str, Term]:
    """A point of the domain, which may lie at closed ends."""
    ranges = claim["ranges"]
    point = {x: written_out(value) for x, value in given.items()}
    at_end = {x for x, end in claim["closed"] if point.get(x) == end}
    for x in at_end:
        demand(is_of_kind(point[x], ranges[x][2:]), f"{x} is not {' '.join(ranges[x][2:])}")
    open_ranges = Context({x: r for x, r in ranges.items() if x not in at_end}, context.facts)
    inside(open_ranges, {x: value for x, value in point.items() if x not in at_end})
    for operator, t in claim["relations"]:
        there = substitute(t, point)
        holds = context.sign(there) in _SIGNS[operator] and has_value(there)
        demand(holds, "the point is not in the domain")
    return point


def demand_refuted(claim: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    left, right = claim["left"], claim["right"]
    context = established(Context({}), proof["steps"])
    point = point_of(claim, proof["point"], context)
    # the derivative of log x has a value at -1
    defined = all(has_value(substitute(t, point)) for t in claim.get("defined", ()))
    demand(defined, "what the question is about has no value there")
    sides = [substitute(e, point) for e in (left, right)]
    side = proof.get("undefined")
    if side is None:
        demand(all(map(has_value, sides)), "the sides have no value at the point")
        s = context.sign(add(sides[0], mul(-1, sides[1])))
        demand(s in _FAILS[claim["operator"]], "no counterexample")
        return
    # an identity is about all points that are not poles
    gone = claim["operator"] == "==" and undefined(context, sides[side], poles=False)
    demand(gone, "both sides have values, or a pole")
    demand(has_value(sides[1 - side]), "neither side has a value")


def limit_at(end: End, part: Mapping[str, Any]) -> Term:
    """The proved limit of one of the functions at an end, finite or not."""
    ranges = read(relation_on({"ranges": end.ranges, "relations": []}, 0, "=="))["ranges"]
    proof = part["proof"]
    germ = approached(ranges, is_infinite(end.place), proof)
    demand(is_infinite(end.place) or germ.regular(end.place), "the end may have no value")
    f = moved(end.functions[part["of"]], end.name, end.place, end.direction, proof["name"])
    v = germ.limit(f)
    demand(v is not None, "the steps prove no limit")
    return v
