"""Questions about laws and functions, written out as the relations that answer them.

A question is answered yes by the proof of all relations of one alternative, and no by a
counterexample to one relation of each. What is `given` must be proved in either case.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    mul,
    power,
    substitute,
    written_out,
)

__all__ = ["Answer", "relations_of"]

Relation = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The relations that answer a question; in a `smooth` one the left side is analytic."""

    alternatives: list[list[Relation]]
    given: list[Relation] = field(default_factory=list)
    refutable: bool = True


def _relation(claim: Mapping[str, Any], left: Term, operator: str, right: Term = 0) -> Relation:
    return {
        "operator": operator,
        "left": left,
        "right": right,
        "ranges": claim["ranges"],
        "closed": [],
        "relations": claim["relations"],
    }


def _smooth(claim: Mapping[str, Any], t: Term) -> Relation:
    return _relation(claim, t, "==", t) | {"smooth": True}


def _names(claim: Mapping[str, Any], entry: str) -> list[str]:
    names = claim[entry]
    demand(names and len(set(names)) == len(names), f"no {entry}, or one of them twice")
    demand(all(is_name(x) and x in claim["ranges"] for x in names), f"no domain of the {entry}")
    # a derivative says nothing of the values at integers
    demand(all(len(claim["ranges"][x]) == 2 for x in names), f"integers as {entry}")
    return list(names)


def _terms(entries: Sequence[Any], count: int) -> list[Term]:
    demand(len(entries) == count, "a wrong number of terms")
    return [written_out(t) for t in entries]


def _positive(claim: Mapping[str, Any], rates: list[Term]) -> list[Relation]:
    return [_relation(claim, p, ">") for p in rates if p != 1]


def _rate(law: Term, component: Term, names: list[str], rates: list[Term]) -> Term:
    """The rate of a law along one component, the sum of p_j d_j C d_j G."""
    return add(
        *(
            mul(p, derivative(law, x), derivative(component, x))
            for x, p in zip(names, rates, strict=True)
        )
    )


def _conserved(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    names = _names(claim, "parameters")
    rates = _terms(claim["rates"], len(names))
    law = written_out(claim["law"])
    components = [written_out(t) for t in claim["components"]]
    restriction = [written_out(t) for t in claim["restriction"]]
    demand(components, "no components")
    if not restriction:
        relations = [_relation(claim, _rate(law, g, names, rates), "==") for g in components]
        # a step function has rate zero wherever it has a rate; `derivative` knows none of them
        return Answer([relations], _positive(claim, rates))
    # C' = sum of q_i r_i and r_i' = f_i r_i: what is zero at the start stays zero, and so does C'
    demand(len(components) == 1, "several components on a restriction")
    quotients = _terms(hints["quotients"], len(restriction))
    factors = _terms(hints["factors"], len(restriction))
    used = [i for i, q in enumerate(quotients) if q != 0]
    whole = add(*(mul(quotients[i], restriction[i]) for i in used))
    relations = [_relation(claim, _rate(law, components[0], names, rates), "==", whole)]
    for i in used:
        rate = _rate(restriction[i], components[0], names, rates)
        relations.append(_relation(claim, rate, "==", mul(factors[i], restriction[i])))
        relations += [_smooth(claim, t) for t in (quotients[i], factors[i])]
    return Answer([relations], _positive(claim, rates), refutable=False)


def _monotone(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    (x,) = _names(claim, "variables")
    f, word = written_out(claim["function"]), claim["direction"]
    demand(word in ("any", "increasing", "decreasing") and not claim["relations"], "no direction")
    alternatives = [
        [_relation(claim, mul(sign, derivative(f, x)), ">="), _smooth(claim, f)]
        for name, sign in (("increasing", 1), ("decreasing", -1))
        if word in ("any", name)
    ]
    return Answer(alternatives)


def _convex(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    names = _names(claim, "variables")
    f = written_out(claim["function"])
    for operator, t in claim["relations"]:
        linear = all(
            derivative(derivative(written_out(t), x), y) == 0
            for x, y in itertools.product(names, repeat=2)
        )
        demand(linear and operator not in ("==", "!="), "the domain may not be convex")
    if len(names) == 1:
        second = derivative(derivative(f, names[0]), names[0])
        return Answer([[_relation(claim, second, ">="), _smooth(claim, f)]])
    directions = {x: f"d_{x}" for x in names}
    demand(not set(directions.values()) & set(claim["ranges"]), "a name of a direction is taken")
    wide = dict(claim)
    wide["ranges"] = claim["ranges"] | {d: [None, None] for d in directions.values()}
    form = add(
        *(
            mul(2 if x != y else 1, directions[x], directions[y], derivative(derivative(f, x), y))
            for x, y in itertools.combinations_with_replacement(names, 2)
        )
    )
    return Answer([[_relation(wide, form, ">="), _smooth(claim, f)]])


def _mirror_potential(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    """F'' M = 1 along a curve that is proved to be the one through the start.

    The curve theta(s) has theta(s_0) = theta_0 and theta' = c P grad rho, with c = dxi/ds.
    """
    names, (x,) = _names(claim, "parameters"), claim["variables"]
    rates = _terms(claim["rates"], len(names))
    start = _terms(claim["start"], len(names))
    rho, potential = written_out(claim["component"]), written_out(claim["potential"])
    demand(is_name(x) and x not in claim["ranges"] and not claim["relations"], "no variable")
    s, clock = hints["name"], written_out(hints["rate"])
    theta = dict(zip(names, _terms(hints["theta"], len(names)), strict=True))
    begin = written_out(hints["begin"])
    demand(len(hints["range"]) == 2, "no interval of the curve")
    others = {y: r for y, r in claim["ranges"].items() if y not in names}
    demand(is_name(s) and s not in others and s != x, f"{s} is no new name")
    whole = {"ranges": others, "relations": []}
    curve = whole | {"ranges": others | {s: list(hints["range"])}}
    given = [*_positive(whole, rates), _relation(curve, clock, "!="), _smooth(curve, clock)]
    for bound, side in zip(hints["range"], (1, -1), strict=True):
        if bound is not None:
            gap = mul(side, add(begin, mul(-1, written_out(bound))))
            given.append(_relation(whole, gap, ">"))
    for j, y in enumerate(names):
        slope = substitute(derivative(rho, y), theta)
        along = mul(clock, rates[j], slope)
        given += [
            _relation(whole, substitute(theta[y], {s: begin}), "==", start[j]),
            _relation(curve, derivative(theta[y], s), "==", along),
            _smooth(curve, theta[y]),
            _smooth(curve, along),
        ]
        for bound, side in zip(claim["ranges"][y][:2], (1, -1), strict=True):
            if bound is not None:
                gap = mul(side, add(theta[y], mul(-1, written_out(bound))))
                given.append(_relation(curve, gap, ">"))
    metric = add(
        *(
            mul(p, power(substitute(derivative(rho, y), theta), 2))
            for y, p in zip(names, rates, strict=True)
        )
    )
    second = derivative(derivative(potential, x), x)
    hessian = substitute(second, {x: substitute(rho, theta)})
    return Answer([[_relation(curve, mul(hessian, metric), "==", 1)]], given)


_QUESTIONS: dict[str, tuple[Callable[..., Answer], set[str]]] = {
    "conserved": (_conserved, {"law", "components", "parameters", "rates", "restriction"}),
    "monotone": (_monotone, {"function", "variables", "direction"}),
    "convex": (_convex, {"function", "variables"}),
    "mirror_potential": (
        _mirror_potential,
        {"potential", "variables", "component", "parameters", "rates", "start"},
    ),
}


def relations_of(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    """What answers a claim with an entry ``ask``."""
    demand(claim["ask"] in _QUESTIONS, f"no question {claim['ask']}")
    write, entries = _QUESTIONS[claim["ask"]]
    demand(set(claim) == entries | {"ask", "ranges", "relations"}, "unknown entries of the claim")
    lists = entries & {"components", "parameters", "rates", "restriction", "start", "variables"}
    demand(all(isinstance(claim[e], list) for e in lists | {"relations"}), "not a list")
    return write(claim, hints)
