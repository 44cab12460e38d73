"""Questions about flows: potentials, Legendre type, and what falls along a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from theory.claims.replay.answers import (
    Answer,
    End,
    Relation,
    names_of,
    positive_on,
    rate_of,
    relation_on,
    smooth_on,
    terms_of,
)
from theory.claims.replay.facts import POSITIVE, Context
from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    mul,
    number,
    power,
    substitute,
    variables,
    written_out,
)

__all__ = ["Curve", "curve_of", "decreasing", "falling_loss", "legendre", "mirror_potential"]


@dataclass(frozen=True)
class Curve:
    r"""The curve of a coordinate in s: theta(s_0) = theta_0, theta' = c P grad rho, c = dxi/ds.

    It cannot be continued beyond an end of s where one of `leaving` is infinite: a parameter, the
    inverse of its distance from a bound of its open domain, or its speed in $\xi$, for at a point
    of the domain a differentiable solution has a finite speed, the limit of the speeds before if
    these have one. The same holds where $\xi$ itself is infinite.
    """

    s: str
    clock: Term
    rho: Term
    metric: Term
    domain: dict[str, Any]
    given: list[Relation]
    leaving: list[Term]

    def ends(self, hints: Mapping[str, Any], functions: list[Term]) -> list[End]:
        """Both ends, where one of the functions has to be infinite."""
        others = {y: r for y, r in self.domain["ranges"].items() if y != self.s}
        return [
            End(functions, self.s, ["oo", -side] if e is None else written_out(e), word, others)
            for e, side, word in zip(hints["range"], (1, -1), "+-", strict=True)
        ]


def curve_of(claim: Mapping[str, Any], hints: Mapping[str, Any], taken: set[str]) -> Curve:
    """The curve of the hints, with the proofs that it is the one through the start."""
    names = names_of(claim, "parameters")
    rates = terms_of(claim["rates"], len(names))
    start = terms_of(claim["start"], len(names))
    rho = written_out(claim["component"])
    demand(not claim["relations"], "a curve on a part of the domain")
    s, clock = hints["name"], written_out(hints["rate"])
    theta = dict(zip(names, terms_of(hints["theta"], len(names)), strict=True))
    begin = written_out(hints["begin"])
    demand(len(hints["range"]) == 2, "no interval of the curve")
    others = {y: r for y, r in claim["ranges"].items() if y not in names}
    demand(is_name(s) and s not in others and s not in taken, f"{s} is no new name")
    whole = {"ranges": others, "relations": []}
    curve = whole | {"ranges": others | {s: list(hints["range"])}}
    given = [*positive_on(whole, rates), relation_on(curve, clock, "!="), smooth_on(curve, clock)]
    for bound, side in zip(hints["range"], (1, -1), strict=True):
        if bound is not None:
            gap = mul(side, add(begin, mul(-1, written_out(bound))))
            given.append(relation_on(whole, gap, ">"))
    leaving = list(theta.values())
    for j, y in enumerate(names):
        slope = substitute(derivative(rho, y), theta)
        leaving.append(mul(rates[j], slope))
        along = mul(clock, rates[j], slope)
        given += [
            relation_on(whole, substitute(theta[y], {s: begin}), "==", start[j]),
            relation_on(curve, derivative(theta[y], s), "==", along),
            smooth_on(curve, theta[y]),
            smooth_on(curve, along),
        ]
        for bound, side in zip(claim["ranges"][y][:2], (1, -1), strict=True):
            if bound is not None:
                gap = mul(side, add(theta[y], mul(-1, written_out(bound))))
                given.append(relation_on(curve, gap, ">"))
                leaving.append(power(gap, -1))
    metric = add(
        *(
            mul(p, power(substitute(derivative(rho, y), theta), 2))
            for y, p in zip(names, rates, strict=True)
        )
    )
    return Curve(s, clock, substitute(rho, theta), metric, curve, given, leaving)


def dual_relations(curve: Curve, dual: Term) -> list[Relation]:
    r"""That a function of s is $\xi$ but for a constant."""
    slope = derivative(dual, curve.s)
    return [
        relation_on(curve.domain, slope, "==", curve.clock),
        *(smooth_on(curve.domain, t) for t in (dual, slope)),
    ]


def mirror_potential(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    """F'' M = 1 along the whole of a curve that is proved to be the one through the start.

    Where the hints say that it leaves the declared range of its parameter, the question is about
    the part of it inside. That is one piece, for a single parameter never turns back: its
    speed p rho' has one sign along the curve.
    """
    (x,) = claim["variables"]
    demand(is_name(x) and x not in claim["ranges"], "no variable")
    if hints.get("leaves"):
        demand(len(claim["parameters"]) == 1, "a curve that may come back")
        free = {y: [None, None] for y in claim["parameters"]}
        curve = curve_of({**claim, "ranges": claim["ranges"] | free}, hints, {x})
        domain = curve.domain | {"relations": _inside(claim, hints)}
    else:
        curve = curve_of(claim, hints, {x})
        domain = curve.domain
    potential = written_out(claim["potential"])
    second = derivative(derivative(potential, x), x)
    hessian = substitute(second, {x: curve.rho})
    relations = [relation_on(domain, mul(hessian, curve.metric), "==", 1)]
    functions = list(curve.leaving)
    if (given := hints.get("dual")) is not None:
        dual = written_out(given)
        functions.insert(0, dual)
        relations += dual_relations(curve, dual)
    return Answer([relations], curve.given, ends=curve.ends(hints, functions))


def _inside(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> list[Any]:
    """That the parameters are in their declared ranges, which hold the start."""
    whole = {y: r for y, r in claim["ranges"].items() if y not in claim["parameters"]}
    out = []
    places = zip(claim["parameters"], hints["theta"], claim["start"], strict=True)
    for y, theta, start in places:
        for bound, side in zip(claim["ranges"][y][:2], (1, -1), strict=True):
            if bound is not None:
                end = mul(-1, written_out(bound))
                at_start = mul(side, add(written_out(start), end))
                demand(Context(whole).sign(at_start) == POSITIVE, "a start out of its range")
                out.append([">", mul(side, add(written_out(theta), end))])
    return out


def legendre(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    r"""Legendre type: strictly convex inside, and $|F'| \to \infty$ at every finite end.

    Along the curve $dx/d\xi = M$, hence F'' = 1/M, which is positive and finite for 0 < M < oo. At
    an end where x or $\xi = F'$ is infinite the curve cannot be continued, so x has no further
    values, and the end of its interval is infinite or F' is infinite there (R. T. Rockafellar,
    Convex Analysis, section 26). It is not of Legendre type when the same holds but for an end
    where both x and $\xi$ are finite, and the curve cannot be continued, or can have no further
    values of x since $\rho$ has none.
    """
    curve = curve_of(claim, hints, set())
    domain = curve.domain
    dual = written_out(hints["dual"])
    relations = [
        relation_on(domain, curve.metric, ">"),
        *(smooth_on(domain, t) for t in (curve.metric, curve.rho)),
        *dual_relations(curve, dual),
    ]
    functions = [curve.rho, dual]
    ends = curve.ends(hints, functions)
    return Answer(
        [relations],
        curve.given,
        ends=ends,
        finite=curve.ends(hints, curve.leaving),
        component=relation_on(claim, written_out(claim["component"]), ">="),
    )


def decreasing(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    r"""The sum of V over the coordinates never increases along the flow of these data.

    Coordinate i has the parameters $\theta_i$, called ``u_i``, and moves by $\theta_i' = -P
    \nabla\rho(\theta_i) \sum_j a_{ji} q_j'(z_j)$ with $z_j = \sum_i a_{ji} \rho(\theta_i)$, hence
    $-dV/dt = \sum_j q_j'(z_j) \sum_i a_{ji} (\nabla V^T P \nabla\rho)(\theta_i)$.
    """
    names, (z,) = claim["parameters"], claim["variables"]
    demand(names and len(set(names)) == len(names) and all(map(is_name, names)), "no parameters")
    demand(is_name(z) and z not in names and z not in claim["ranges"], "no predictor")
    demand(not set(names) & set(claim["ranges"]), "a parameter without a number")
    rates = terms_of(claim["rates"], len(names))
    law, rho = written_out(claim["law"]), written_out(claim["component"])
    rows = [[written_out(a) for a in row] for row in claim["matrix"]]
    slopes = terms_of(claim["slopes"], len(rows))
    count = len(rows[0])
    demand(all(len(row) == count and None not in map(number, row) for row in rows), "no matrix")
    copies = [{x: f"{x}_{i}" for x in names} for i in range(count)]
    numbered = [y for copy in copies for y in copy.values()]
    demand(len(set(numbered)) == len(numbered), "a number of a parameter is taken")
    demand(set(numbered) <= set(claim["ranges"]), "no domain of a parameter")
    demand(all(len(claim["ranges"][y]) == 2 for y in numbered), "integers as parameters")
    # a constant must not be called as a parameter of a coordinate is
    constants = set().union(*map(variables, (law, rho, *rates, *slopes))) - set(names) - {z}
    demand(not constants & set(numbered), "a constant with the name of a parameter")
    rate = rate_of(law, rho, names, rates)
    parts = []
    for row, slope in zip(rows, slopes, strict=True):
        pairs = [(a, copy) for a, copy in zip(row, copies, strict=True) if a != 0]
        at = add(*(mul(a, substitute(rho, copy)) for a, copy in pairs))
        inner = add(*(mul(a, substitute(rate, copy)) for a, copy in pairs))
        parts.append(["*", substitute(slope, {z: at}), inner])
    defined = [substitute(t, copy) for t in (law, rho) for copy in copies]
    return Answer([[relation_on(claim, add(*parts), ">=") | {"defined": defined}]])


def falling_loss(claim: Mapping[str, Any], hints: Mapping[str, Any]) -> Answer:
    r"""The loss falls at the rate $-|P^{1/2} J^T A^T r|^2$ when r is its derivative and P > 0.

    With $\theta' = -P J^T A^T r$ it changes at the rate $r^T A J \theta'$.
    """
    (z,) = names_of(claim, "variables")
    loss, slope = written_out(claim["loss"]), written_out(claim["slope"])
    rates = [written_out(p) for p in claim["rates"]]
    demand(rates, "no rates")
    relations = [
        relation_on(claim, derivative(loss, z), "==", slope),
        smooth_on(claim, loss),
        smooth_on(claim, slope),
    ]
    return Answer([relations], positive_on(claim, rates), refutable=False)
