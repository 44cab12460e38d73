"""Questions about laws and functions, written out as the relations that answer them.

A question is answered yes by the proof of all relations of one alternative, and no by a
counterexample to one relation of each. What is `given` must be proved in either case.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from theory.claims.replay.answers import (
    Answer,
    names_of,
    positive_on,
    rate_of,
    relation_on,
    smooth_on,
    terms_of,
)
from theory.claims.replay.flow_questions import (
    decreasing,
    falling_loss,
    legendre,
    mirror_potential,
)
from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    fixed_signs,
    mul,
    substitute,
    variables,
    written_out,
)

__all__ = ["Answer", "relations_of"]


def _conserved(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    names = names_of(claim, "parameters")
    rates = terms_of(claim["rates"], len(names))
    law = written_out(claim["law"])
    components = [written_out(t) for t in claim["components"]]
    restriction = [written_out(t) for t in claim["restriction"]]
    demand(components, "no components")
    names_used = set().union(*map(variables, (law, *components, *restriction, *rates)))
    demand(names_used <= set(claim["ranges"]), "a name without a domain")
    if not restriction:
        # a sign has rate zero wherever it is continuous, and a law with one is about no other place
        steps, table = fixed_signs(law, set(claim["ranges"]))
        relations = [
            relation_on(claim, substitute(rate_of(steps, g, names, rates), table), "==")
            | {"defined": [law, g]}
            for g in components
        ]
        return Answer([relations], positive_on(claim, rates), refutable=not table)
    if "matrices" in hints:
        return _on_restriction(claim, hints, restriction, lambda t, g: rate_of(t, g, names, rates))
    # C' = sum of q_i r_i and r_i' = f_i r_i: what is zero at the start stays zero, and so does C'
    demand(len(components) == 1, "several components on a restriction")
    quotients = terms_of(hints["quotients"], len(restriction))
    factors = terms_of(hints["factors"], len(restriction))
    used = [i for i, q in enumerate(quotients) if q != 0]
    whole = add(*(mul(quotients[i], restriction[i]) for i in used))
    relations = [relation_on(claim, rate_of(law, components[0], names, rates), "==", whole)]
    for i in used:
        rate = rate_of(restriction[i], components[0], names, rates)
        relations.append(relation_on(claim, rate, "==", mul(factors[i], restriction[i])))
        relations += [smooth_on(claim, t) for t in (quotients[i], factors[i])]
    return Answer([relations], positive_on(claim, rates), refutable=False)


def _on_restriction(
    claim: Mapping[str, Any],
    hints: Mapping[str, Any],
    restriction: list[Term],
    rate: Callable[[Term, Term], Term],
) -> Answer:
    """Along each component C' = q r and r' = F r, a linear equation: r = 0 stays, and so does C.

    The controls multiply q and F, and along any flow r solves a linear equation with coefficients
    that are continuous in time.
    """
    law = written_out(claim["law"])
    components = [written_out(t) for t in claim["components"]]
    count = len(restriction)
    demand(set(hints) == {"quotients", "matrices"}, "unknown hints")
    demand(len(hints["quotients"]) == len(components), "a wrong number of quotients")
    demand(len(hints["matrices"]) == len(components), "a wrong number of matrices")
    relations = []
    for g, row, matrix in zip(components, hints["quotients"], hints["matrices"], strict=True):
        demand(len(matrix) == count, "a wrong number of rows")
        for left, entries in ((law, row), *zip(restriction, matrix, strict=True)):
            factors = terms_of(entries, count)
            whole = add(*(mul(f, r) for f, r in zip(factors, restriction, strict=True)))
            relations.append(relation_on(claim, rate(left, g), "==", whole))
            relations += [smooth_on(claim, f) for f in factors if f != 0]
    rates = terms_of(claim["rates"], len(claim["parameters"]))
    return Answer([relations], positive_on(claim, rates), refutable=False)


def _monotone(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    (x,) = names_of(claim, "variables")
    f, word = written_out(claim["function"]), claim["direction"]
    demand(word in ("any", "increasing", "decreasing") and not claim["relations"], "no direction")
    alternatives = [
        [
            relation_on(claim, mul(sign, derivative(f, x)), ">=") | {"defined": [f]},
            smooth_on(claim, f),
        ]
        for name, sign in (("increasing", 1), ("decreasing", -1))
        if word in ("any", name)
    ]
    return Answer(alternatives)


def _convex(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    names = names_of(claim, "variables")
    f = written_out(claim["function"])
    for operator, t in claim["relations"]:
        linear = all(
            derivative(derivative(written_out(t), x), y) == 0
            for x, y in itertools.product(names, repeat=2)
        )
        demand(linear and operator not in ("==", "!="), "the domain may not be convex")
    if len(names) == 1:
        second = derivative(derivative(f, names[0]), names[0])
        bent = relation_on(claim, second, ">=") | {"defined": [f]}
        return Answer([[bent, smooth_on(claim, f)]])
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
    bent = relation_on(wide, form, ">=") | {"defined": [f]}
    return Answer([[bent, smooth_on(claim, f)]])


_QUESTIONS: dict[str, tuple[Callable[..., Answer], set[str]]] = {
    "conserved": (_conserved, {"law", "components", "parameters", "rates", "restriction"}),
    "monotone": (_monotone, {"function", "variables", "direction"}),
    "convex": (_convex, {"function", "variables"}),
    "mirror_potential": (
        mirror_potential,
        {"potential", "variables", "component", "parameters", "rates", "start"},
    ),
    "legendre": (legendre, {"component", "parameters", "rates", "start"}),
    "decreases": (
        decreasing,
        {"law", "component", "parameters", "rates", "matrix", "slopes", "variables"},
    ),
    "loss_decreases": (falling_loss, {"loss", "slope", "variables", "rates"}),
}


def relations_of(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    """What answers a claim with an entry ``ask``."""
    demand(claim["ask"] in _QUESTIONS, f"no question {claim['ask']}")
    write, entries = _QUESTIONS[claim["ask"]]
    demand(set(claim) == entries | {"ask", "ranges", "relations"}, "unknown entries of the claim")
    lists = entries & {
        "components", "matrix", "parameters", "rates", "restriction", "slopes", "start",
        "variables",
    }  # fmt: skip
    demand(all(isinstance(claim[e], list) for e in lists | {"relations"}), "not a list")
    return write(claim, hints)
