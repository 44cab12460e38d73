r"""Questions about limits and integrals.

A limit is proved from each of its sides. An integral over an interval with the ends a and b is
proved by a function F that is analytic on the open interval with $F' = f$ there: by the fundamental
theorem $\int_c^d f = F(d) - F(c)$ for all c, d inside, so the improper integral exists exactly when
F has finite limits at both ends, and is their difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from theory.claims.replay.facts import (
    BITS,
    NEGATIVE,
    POSITIVE,
    Context,
    at_precision,
    undefined,
)
from theory.claims.replay.germs import Germ, approached, equal, is_infinite, moved
from theory.claims.replay.quadrature import enclosed_integral
from theory.claims.replay.relations import has_value, point_of, read, relation_proved
from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    mul,
    power,
    substitute,
    variables,
    written_out,
)

__all__ = ["CALCULUS", "Question", "chain_relations", "demand_answered", "question_of"]

Relation = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A function of x, the places where it is asked about, and the claimed value.

    One place for a limit, two for an integral.
    """

    function: Term
    x: str
    places: tuple[Term, ...]
    value: Term
    direction: str
    ranges: dict[str, Any]
    closed: tuple[tuple[str, Term], ...]

    def at(self, table: Mapping[str, Term]) -> Question:
        """The question at values of some of the parameters."""
        return replace(
            self,
            function=substitute(self.function, table),
            places=tuple(_at(p, table) for p in self.places),
            value=_at(self.value, table),
            ranges={y: r for y, r in self.ranges.items() if y not in table},
            closed=tuple(c for c in self.closed if c[0] not in table),
        )

    def at_end(self, i: int) -> Question:
        """The question at its i-th closed end, where the ends after it are still to come."""
        x, end = self.closed[i]
        return replace(self, closed=self.closed[i + 1 :]).at({x: end})

    @property
    def directions(self) -> tuple[str, ...]:
        """The sides of the point of a limit; an infinity has one."""
        if is_infinite(self.places[0]):
            return ("",)
        return ("+", "-") if self.direction == "+-" else (self.direction,)

    def relation(self, ranges: Mapping[str, Any], left: Term, operator: str, right: Term) -> Any:
        """A relation on intervals of the names."""
        return {
            "operator": operator, "left": left, "right": right, "ranges": dict(ranges),
            "closed": [], "relations": [],
        }  # fmt: skip


def _at(value: Term, table: Mapping[str, Term]) -> Term:
    return value if is_infinite(value) else substitute(value, table)


def _end(value: Term) -> Term:
    if is_infinite(value):
        one = len(value) == 2 and type(value[1]) is int and abs(value[1]) == 1
        demand(one, "no infinity")
        return value
    return written_out(value)


CALCULUS: dict[str, set[str]] = {
    "limit": {"function", "variables", "to", "direction", "value", "closed"},
    "integral": {"function", "variables", "lower", "upper", "value", "closed"},
}


def question_of(claim: Mapping[str, Any]) -> Question:
    """The question in the basic functions."""
    entries = CALCULUS[claim["ask"]] | {"ask", "ranges", "relations"}
    demand(set(claim) == entries and claim["relations"] == [], "unknown entries of the claim")
    plain = {"operator": "==", "left": 0, "right": 0, "relations": []}
    domain = read(plain | {"ranges": claim["ranges"], "closed": claim["closed"]})
    (x,) = claim["variables"]
    demand(is_name(x) and x not in domain["ranges"], f"{x} is no variable")
    limit = claim["ask"] == "limit"
    places = [_end(claim[e]) for e in (("to",) if limit else ("lower", "upper"))]
    value = _end(claim["value"])
    demand(limit or not is_infinite(value), "an integral is finite")
    direction = claim["direction"] if limit else "+-"
    demand(direction in ("+", "-", "+-"), "no direction")
    f = written_out(claim["function"])
    used = [p for p in (*places, value) if not is_infinite(p)]
    names = (variables(f) - {x}).union(*map(variables, used))
    demand(names <= set(domain["ranges"]), f"no domain for {sorted(names)}")
    closed = tuple((y, e) for y, e in domain["closed"])
    return Question(f, x, tuple(places), value, direction, domain["ranges"], closed)


def _one_side(
    q: Question, place: Term, f: Term, direction: str, proof: Mapping[str, Any]
) -> tuple[Germ, Term]:
    """The limit of a function of x from one side of a place."""
    germ = approached(q.ranges, is_infinite(place), proof)
    demand(is_infinite(place) or germ.regular(place), "the point may have no value")
    v = germ.limit(moved(f, q.x, place, direction, proof["name"]))
    demand(v is not None, "the steps prove no limit")
    return germ, v


def _limit_proved(q: Question, proof: Mapping[str, Any]) -> None:
    demand(len(proof["sides"]) == len(q.directions), "a side is left out")
    for direction, part in zip(q.directions, proof["sides"], strict=True):
        germ, v = _one_side(q, q.places[0], q.function, direction, part)
        if is_infinite(v) or is_infinite(q.value):
            demand(v == q.value, "another limit")
            continue
        demand(germ.regular(q.value) and equal(germ, v, q.value), "another limit")


def _limit_refuted(q: Question, proof: Mapping[str, Any]) -> None:
    direction = q.directions[proof["side"]]
    _, v = _one_side(q, q.places[0], q.function, direction, proof["part"])
    demand(is_infinite(q.value) or has_value(q.value), "the value has none")
    if is_infinite(v) or is_infinite(q.value):
        demand(v != q.value, "this is the limit")
        return
    _differ(v, q.value)


def _differ(a: Term, b: Term) -> None:
    gap = Context({}).sign(add(a, mul(-1, b)))
    demand(gap in (POSITIVE, NEGATIVE), "no counterexample")


# -- integrals


def chain_relations(q: Question, proof: Mapping[str, Any]) -> list[Relation]:
    """What must hold for an antiderivative F on an interval that contains the one of the question.

    The interval is ``[low, high]`` with numbers or None, or ``"between"`` for the image of
    $(0, \\infty)$ under $u \\mapsto (a + b u)/(1 + u)$, $a + u$ or $b - u$, a bijection onto the
    open interval. With the order 0, both ends lie inside, in any order.
    """
    F, order, on = written_out(proof["antiderivative"]), proof["order"], proof["on"]
    demand(type(order) is int and order in (1, -1, 0), "no order")
    demand(variables(F) <= set(q.ranges) | {q.x}, "an unknown name")
    low, high = q.places if order >= 0 else q.places[::-1]
    relations = _order(q, low, high) if order else []
    if on == "between":
        demand(order != 0, "no interval")
        u = proof["name"]
        demand(is_name(u) and u not in q.ranges and u != q.x, f"{u} is no new name")
        ranges, table = q.ranges | {u: [0, None]}, {q.x: _image(low, high, u)}
    else:
        demand(isinstance(on, list) and len(on) == 2, "no interval")
        ranges, table = q.ranges | {q.x: list(on)}, {}
        for place in (low, high):
            relations += _inside(q, place, on, ">=" if order else ">")
    slope = derivative(F, q.x)
    f, big, slope = (substitute(t, table) for t in (q.function, F, slope))
    return [
        *relations,
        q.relation(ranges, slope, "==", f),
        *(q.relation(ranges, t, "==", t) | {"smooth": True} for t in (f, big, slope)),
    ]


def _order(q: Question, low: Term, high: Term) -> list[Relation]:
    demand(low != ["oo", 1] and high != ["oo", -1], "the ends are in the wrong order")
    if is_infinite(low) or is_infinite(high):
        return []
    return [q.relation(q.ranges, add(high, mul(-1, low)), ">", 0)]


def _inside(q: Question, place: Term, on: list[Term], operator: str) -> list[Relation]:
    if is_infinite(place):
        demand(operator == ">=" and on[place[1] > 0] is None, "an infinite end is not inside")
        return []
    smooth = q.relation(q.ranges, place, "==", place) | {"smooth": True}
    return [
        smooth,
        *(
            q.relation(q.ranges, mul(side, add(place, mul(-1, written_out(bound)))), operator, 0)
            for bound, side in zip(on, (1, -1), strict=True)
            if bound is not None
        ),
    ]


def _image(low: Term, high: Term, u: str) -> Term:
    if is_infinite(low):
        demand(not is_infinite(high), "the whole line is no image")
        return add(high, mul(-1, u))
    if is_infinite(high):
        return add(low, u)
    return mul(add(low, mul(high, u)), power(add(1, u), -1))


def _ends_of_chain(q: Question, proof: Mapping[str, Any]) -> tuple[Term, Term]:
    """The limits of the antiderivative at the lower and at the upper end."""
    relations = chain_relations(q, proof)
    demand(len(proof["parts"]) == len(relations), "a relation is left out")
    for relation, part in zip(relations, proof["parts"], strict=True):
        relation_proved(relation, part)
    F, order = written_out(proof["antiderivative"]), proof["order"]
    if order == 0:
        low, high = (substitute(F, {q.x: place}) for place in q.places)
        return low, high
    sides = ("+", "-") if order > 0 else ("-", "+")
    demand(len(proof["limits"]) == 2, "expected two limits")
    low, high = (
        _one_side(q, place, F, side, part)[1]
        for place, side, part in zip(q.places, sides, proof["limits"], strict=True)
    )
    return low, high


def _integral_proved(q: Question, proof: Mapping[str, Any]) -> None:
    low, high = _ends_of_chain(q, proof["chain"])
    demand(not is_infinite(low) and not is_infinite(high), "the integral diverges")
    demand(len(proof["value"]) == 2, "expected the proof of the value")
    difference = add(high, mul(-1, low))
    relation_proved(q.relation(q.ranges, difference, "==", q.value), proof["value"][0])
    smooth = q.relation(q.ranges, q.value, "==", q.value) | {"smooth": True}
    relation_proved(smooth, proof["value"][1])


def _integral_refuted(q: Question, proof: Mapping[str, Any]) -> None:
    """Divergent, or another number than the value, or a number where the value is none."""
    if "pieces" in proof:
        integral = enclosed_integral(q.function, q.x, q.places, proof["pieces"])
        if not has_value(q.value):
            demand(undefined(Context({}), q.value, poles=False), "the value may exist")
            return
        demand(not integral.overlaps(at_precision(BITS[1], q.value, {})), "no counterexample")
        return
    low, high = _ends_of_chain(q, proof["chain"])
    if is_infinite(low) or is_infinite(high):
        return
    if not has_value(q.value):
        demand(undefined(Context({}), q.value, poles=False), "the value may exist")
        return
    _differ(add(high, mul(-1, low)), q.value)


_PROVED: dict[str, Callable[[Question, Mapping[str, Any]], None]] = {
    "limit": _limit_proved,
    "integral": _integral_proved,
}
_REFUTED: dict[str, Callable[[Question, Mapping[str, Any]], None]] = {
    "limit": _limit_refuted,
    "integral": _integral_refuted,
}


def demand_answered(claim: Mapping[str, Any], verdict: str, proof: Mapping[str, Any]) -> None:
    """The proof of a limit or of an integral, or the counterexample at a point."""
    q = question_of(claim)
    if verdict == "REFUTED":
        domain = {"ranges": q.ranges, "closed": q.closed, "relations": []}
        point = point_of(domain, proof["point"], Context({}))
        _REFUTED[claim["ask"]](q.at(point), proof)
        return
    _everywhere(claim["ask"], q, proof)


def _everywhere(ask: str, q: Question, proof: Mapping[str, Any]) -> None:
    _PROVED[ask](q, proof)
    demand(len(proof["ends"]) == len(q.closed), "a closed end is left out")
    for i, end in enumerate(proof["ends"]):
        _everywhere(ask, q.at_end(i), end)
