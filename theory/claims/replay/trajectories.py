"""Questions about one trajectory: whether it is in a box at a time, and how far a formula drifts.

The flow of the data is enclosed again, by steps of the recorded lengths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from flint import arb

from theory.claims.replay.answers import rate_of, terms_of
from theory.claims.replay.enclosure import Field, Stretch, advance, taylor_setting
from theory.claims.replay.relations import has_value, read, relation_proved
from theory.claims.replay.terms import (
    Term,
    add,
    ball,
    demand,
    derivative,
    is_name,
    mul,
    number,
    substitute,
    variables,
    written_out,
)

__all__ = ["TRAJECTORIES", "Flow", "demand_path", "start_box"]

MAX_STEPS = 5_000
_FLOW = {"component", "parameters", "rates", "matrix", "slopes", "variables", "start", "end"}
TRAJECTORIES: dict[str, set[str]] = {"passes": _FLOW | {"box"}, "drift": _FLOW | {"law", "bound"}}


class Flow:
    r"""The gradient flow of data: $\theta_i' = -P\nabla\rho(\theta_i) \sum_j a_{ji} q_j'(z_j)$.

    Coordinate i has the parameters ``u_i``, and $z_j = \sum_i a_{ji} \rho(\theta_i)$. The statement
    is about every start in the boxes of `start`, as long as the flow is in its domain.
    """

    def __init__(self, claim: Mapping[str, Any]) -> None:
        entries = TRAJECTORIES[claim["ask"]] | {"ask", "ranges", "relations"}
        demand(set(claim) == entries, "unknown entries of the claim")
        names, (z,) = list(claim["parameters"]), claim["variables"]
        demand(names and len(set(names)) == len(names), "no parameters, or one of them twice")
        demand(all(map(is_name, [*names, z])) and z not in names, "no names")
        self.parameters = names
        self.rates = terms_of(claim["rates"], len(names))
        self.component = written_out(claim["component"])
        rows = [[written_out(a) for a in row] for row in claim["matrix"]]
        slopes = terms_of(claim["slopes"], len(rows))
        count = len(claim["start"])
        numbers = all(number(a) is not None for row in rows for a in row)
        demand(rows and all(len(row) == count for row in rows) and numbers, "no matrix")
        self.copies = [{x: f"{x}_{i}" for x in names} for i in range(count)]
        numbered = [y for copy in self.copies for y in copy.values()]
        demand(len(set(numbered)) == len(numbered) and z not in numbered, "a name is taken")
        plain = {"operator": "==", "left": 0, "right": 0, "closed": []}
        domain = read(plain | {"ranges": claim["ranges"], "relations": claim["relations"]})
        demand(set(domain["ranges"]) == set(numbered), "a domain of other names")
        used = set().union(*map(variables, (self.component, *self.rates)))
        demand(used <= set(names), "a constant without a number")
        demand(set().union(*map(variables, slopes)) <= {z}, "an open name in the loss")
        self.start = [_pairs(row, len(names)) for row in claim["start"]]
        self.end = written_out(claim["end"])
        q = number(self.end)
        demand(q is not None and q >= 0, "no end time")
        self.field = Field(tuple(numbered), tuple(self._rates(rows, slopes, z)), _positive(domain))

    def _rates(self, rows: list[list[Term]], slopes: list[Term], z: str) -> Iterator[Term]:
        copies = self.copies
        at = [
            add(*(mul(a, substitute(self.component, c)) for a, c in zip(r, copies, strict=True)))
            for r in rows
        ]
        residuals = [substitute(s, {z: p}) for s, p in zip(slopes, at, strict=True)]
        for i, copy in enumerate(copies):
            terms = [
                mul(row[i], r)
                for row, r in zip(rows, residuals, strict=True)
                if number(row[i]) != 0
            ]
            gradient = add(*terms) if terms else 0
            for x, p in zip(self.parameters, self.rates, strict=True):
                slope = substitute(derivative(self.component, x), copy)
                yield ["*", -1, p, slope, gradient]


def _pairs(entries: Any, count: int) -> list[list[Term]]:
    """Pairs of constant terms, the ends of closed intervals."""
    demand(len(entries) == count and all(len(e) == 2 for e in entries), "no intervals")
    pairs = [[written_out(t) for t in e] for e in entries]
    demand(all(has_value(t) for e in pairs for t in e), "an end of an interval is no number")
    return pairs


def _positive(domain: Mapping[str, Any]) -> tuple[Term, ...]:
    """The bounds of the names and the relations, as what is positive."""
    out = []
    for x, (lower, upper, *whole) in domain["ranges"].items():
        demand(not whole, "integers along a flow")
        out += [] if lower is None else [add(x, mul(-1, lower))]
        out += [] if upper is None else [add(upper, mul(-1, x))]
    for operator, t in domain["relations"]:
        demand(operator in (">", "<"), "a domain that is not open")
        out.append(t if operator == ">" else mul(-1, t))
    return tuple(out)


def start_box(flow: Flow) -> list[arb]:
    """The boxes of the start, at the precision that is set."""
    out = []
    for row in flow.start:
        for low, high in row:
            a, b = ball(low, {}), ball(high, {})
            demand(low == high or not b < a, "an empty interval")
            out.append(a if low == high else a.union(b))
    return out


def run(flow: Flow, proof: Mapping[str, Any]) -> tuple[list[arb], list[Stretch]]:
    """The boxes at the end, and those of all steps. To be called with the precision set."""
    lengths = [written_out(h) for h in proof["lengths"]]
    demand(len(lengths) <= MAX_STEPS, "too many steps")
    demand(all(number(h) is not None for h in lengths), "no length of a step")
    box = start_box(flow)
    env = flow.field.env(box)
    demand(all(ball(p, env) > 0 for p in flow.field.positive), "the start is not in the domain")
    stretches = []
    for h in lengths:
        stretch = advance(flow.field, box, ball(h, {}), proof["order"])
        stretches.append(stretch)
        box = stretch.after
    return box, stretches


def _reaches(flow: Flow, proof: Mapping[str, Any], *, exactly: bool) -> None:
    total = Fraction(0)
    for h in proof["lengths"]:
        total += number(written_out(h)) or 0
    end = number(flow.end)
    demand(end is not None and (total == end if exactly else total <= end), "a wrong end time")


def demand_path(claim: Mapping[str, Any], verdict: str, proof: Mapping[str, Any]) -> None:
    """The proof of a statement about a trajectory."""
    flow = Flow(claim)
    with taylor_setting(proof["bits"], proof["order"]):
        if claim["ask"] == "passes":
            _reaches(flow, proof, exactly=True)
            _in_box(flow, claim, verdict, proof)
        else:
            _reaches(flow, proof, exactly=verdict == "PROVED")
            _drift(flow, claim, verdict, proof)


def _in_box(flow: Flow, claim: Mapping[str, Any], verdict: str, proof: Mapping[str, Any]) -> None:
    """Every condition of the box holds for all of the boxes, or one of them for none of it."""
    box, _ = run(flow, proof)
    env = flow.field.env(box)
    demand(claim["box"], "no conditions")
    signs = []
    for operator, t in claim["box"]:
        e = written_out(t)
        demand(operator in (">", ">=") and variables(e) <= set(env), "no condition")
        value = ball(e, env)
        demand(value.is_finite(), "a condition without a value")
        holds = value > 0 if operator == ">" else value >= 0
        fails = value <= 0 if operator == ">" else value < 0
        signs.append(1 if holds else -1 if fails else 0)
    demand(min(signs) == 1 if verdict == "PROVED" else -1 in signs, "the box is not decided")


def _drift(flow: Flow, claim: Mapping[str, Any], verdict: str, proof: Mapping[str, Any]) -> None:
    r"""$|C(\theta_i(s)) - C(\theta_i(0))|$ on all steps, or at the end of some of them.

    Zero where the rate of C along the flow vanishes identically, and C is analytic on the way.
    """
    law, bound = written_out(claim["law"]), written_out(claim["bound"])
    demand(variables(law) <= set(flow.parameters) and has_value(bound), "no law, or no bound")
    most = ball(bound, {})
    first = flow.field.env(start_box(flow))
    _, stretches = run(flow, proof)
    laws = [substitute(law, copy) for copy in flow.copies]
    if verdict == "REFUTED":
        after = flow.field.env(stretches[-1].after)
        gaps = [abs(ball(c, after) - ball(c, first)) for c in laws]
        demand(any(g.is_finite() and g > most for g in gaps), "no drift beyond the bound")
        return
    boxes = [flow.field.env(s.during) for s in stretches]
    # there may be no step at all
    demand(most >= 0, "a negative bound")
    demand(all(ball(c, first).is_finite() for c in laws), "the law has no value at the start")
    if "conserved" in proof:
        plain = {"ranges": {x: [None, None] for x in flow.parameters}, "relations": []}
        rate = rate_of(law, flow.component, flow.parameters, flow.rates)
        relation = plain | {"operator": "==", "left": rate, "right": 0, "closed": []}
        relation_proved(relation, proof["conserved"])
        for box in [first, *boxes]:
            for c in laws:
                _analytic(c, box)
        return
    for box in boxes:
        gaps = [abs(ball(c, box) - ball(c, first)) for c in laws]
        demand(all(g.is_finite() and g <= most for g in gaps), "the drift may be too large")


def _analytic(t: Term, env: Mapping[str, arb]) -> None:
    """Whether a term is analytic on a box: finite, and no kink in it."""
    demand(ball(t, env).is_finite(), "the law may have no value on the way")
    stack = [t]
    while stack:
        a = stack.pop()
        if not isinstance(a, list):
            continue
        demand(a[0] not in ("Min", "Max"), "a law with kinks")
        if a[0] in ("Abs", "sign"):
            inner = ball(a[1], env)
            demand(inner > 0 or inner < 0, "a law with kinks")
        if a[0] == "^" and (q := number(a[2])) is not None and q.denominator > 1:
            demand(ball(a[1], env) > 0, "a root at zero")
        stack += a[1:]
