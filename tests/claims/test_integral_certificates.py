"""Certificates of integrals: they replay, and forged ones are not accepted."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flint import arb

import theory as th
from tests.claims import test_integral
from tests.claims.forged import forged, rejected, replayed, sealed
from theory.claims.limit_search import limit_proof
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected, replay
from theory.claims.replay.calculus import chain_relations, question_of
from theory.claims.replay.quadrature import enclosed_integral, tail_relations
from theory.exact.budget import time_budget


def _ask(f: Any, a: Any, b: Any, value: Any, assume: Any = None) -> th.Verdict:
    return th.integral_is(f, "x", a, b, value, assume)


@pytest.mark.parametrize("case", test_integral.PROVED, ids=str)
def test_proved_integral_replays(case: Any) -> None:
    replayed(_ask(*case), "PROVED")


@pytest.mark.parametrize("case", test_integral.REFUTED, ids=str)
def test_refuted_integral_replays(case: Any) -> None:
    replayed(_ask(*case), "REFUTED")


@pytest.mark.parametrize(
    ("f", "a", "b"),
    [
        ("x**(5/6)*sqrt(1 - x)", 0, 1),
        ("sign(x)*x", -1, 1),
        ("exp(x**4)", 1, 0),
        ("1/(2 + cos(x))", 0, "2*pi"),
    ],
)
def test_integral_without_an_antiderivative_is_refuted_by_quadrature(
    f: str, a: Any, b: Any
) -> None:
    record = replayed(_ask(f, a, b, 7), "REFUTED")
    assert "pieces" in record["proof"]


def _claim(f: Any, low: Any, high: Any, value: Any, **ranges: Any) -> dict[str, Any]:
    return {
        "ask": "integral", "function": f, "variables": ["x"], "lower": low, "upper": high,
        "value": value, "ranges": ranges, "relations": [], "closed": [],
    }  # fmt: skip


def _forgery(claim: dict[str, Any], F: Any, on: Any, order: int = 1) -> dict[str, Any]:
    """A certificate with every part that can be proved, and empty ones for the rest."""
    q = question_of(claim)
    chain: dict[str, Any] = {"antiderivative": F, "order": order, "on": on, "name": "u"}
    empty = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": "1/2"}}

    def part(relation: Any) -> Any:
        try:
            return part_of(relation)
        except Rejected:
            return empty

    chain["parts"] = [part(r) for r in chain_relations(q, chain)]
    sides = ("+", "-") if order > 0 else ("-", "+")
    chain["limits"] = []
    for place, side in zip(q.places, sides, strict=True):
        found = next(limit_proof(q.ranges, F, "x", place, side), None) if order else None
        nothing = {"name": "t", "near": 1, "steps": [], "limits": []}
        chain["limits"].append(nothing if found is None else found[0].part())
    smooth = q.relation(q.ranges, q.value, "==", q.value) | {"smooth": True}
    value = [{**empty, "somewhere": dict.fromkeys(q.ranges, 1)}, part(smooth)]
    return sealed(
        {"claim": claim, "verdict": "PROVED", "proof": {"chain": chain, "value": value, "ends": []}}
    )


_EMPTY = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": 20}}
_INVERSE = ["^", "x", -1]
_PARAMETER = ["^", ["+", "x", ["*", -1, "a"]], -1]


def test_a_forgery_without_a_gap_is_a_proof() -> None:
    assert (
        replay(_forgery(_claim("x", 0, 1, "1/2"), ["*", "1/2", ["^", "x", 2]], [0, 1])) == "PROVED"
    )


@pytest.mark.parametrize(
    ("claim", "F", "on", "order"),
    [
        # a pole inside: principal values and Hadamard's parts are no integrals
        (_claim(_INVERSE, -1, 1, 0), ["log", ["Abs", "x"]], [-1, 1], 1),
        (_claim(["^", "x", -2], -1, 1, -2), ["*", -1, _INVERSE], [-1, 1], 1),
        (_claim(_PARAMETER, 0, 1, ["log", ["+", ["^", "a", -1], -1]], a=[0, 1]),
         ["log", ["Abs", ["+", "x", ["*", -1, "a"]]]], [0, 1], 1),
        # an antiderivative with a jump inside: atan(1/x) for 1/(1 + x^2)
        (_claim(["*", -1, ["^", ["+", 1, ["^", "x", 2]], -1]], -1, 1, ["*", "1/2", "pi"]),
         ["atan", _INVERSE], [-1, 1], 1),
        # no antiderivative, or one of another function, or with a jump by a sign
        (_claim("x", 0, 1, 1), "x", [0, 1], 1),
        (_claim(0, -1, 1, 2), ["sign", "x"], [-1, 1], 1),
        # an interval that does not hold both ends, or one with the wrong order
        (_claim(_INVERSE, -1, 1, 0), ["log", "x"], [0, 1], 1),
        (_claim("x", 0, 2, 2), ["*", "1/2", ["^", "x", 2]], [0, 1], 1),
        (_claim("x", 1, 0, "1/2"), ["*", "1/2", ["^", "x", 2]], [0, 1], 1),
        (_claim("x", 0, 1, "-1/2"), ["*", "1/2", ["^", "x", 2]], [0, 1], -1),
        (_claim("x", "a", "b", ["*", "1/2", ["^", "b", 2]], a=[None, None], b=[None, None]),
         ["*", "1/2", ["^", "x", 2]], "between", 1),
        # at an end of the order 0 the function may be singular
        (_claim(["^", "x", -2], 0, 1, -1), ["*", -1, _INVERSE], [0, None], 0),
        # divergent at an end
        (_claim(_INVERSE, 0, 1, 5), ["log", "x"], [0, 1], 1),
        (_claim(_INVERSE, 1, ["oo", 1], 0), ["log", "x"], [1, None], 1),
        (_claim(["cos", "x"], 0, ["oo", 1], 0), ["sin", "x"], [0, None], 1),
        # the sign of a parameter decides whether it converges
        (_claim(["exp", ["*", -1, "a", "x"]], 0, ["oo", 1], ["^", "a", -1], a=[None, None]),
         ["*", -1, ["^", "a", -1], ["exp", ["*", -1, "a", "x"]]], [0, None], 1),
        (_claim(["^", "x", "a"], 0, 1, ["^", ["+", "a", 1], -1], a=[None, None]),
         ["*", ["^", ["+", "a", 1], -1], ["^", "x", ["+", "a", 1]]], [0, 1], 1),
        # the wrong value, a value that is not defined for all parameters
        (_claim("x", 0, 1, "1/3"), ["*", "1/2", ["^", "x", 2]], [0, 1], 1),
        (_claim("a", 0, 1, ["^", ["^", "a", "1/2"], 2], a=[None, None]),
         ["*", "a", "x"], [0, 1], 1),
        # an integrand that is not real on a part of the interval
        (_claim(["*", 0, ["log", "x"]], -1, 1, 0), 0, [-1, 1], 1),
        # a whole line that is no image, an infinite end in the middle
        (_claim(["exp", ["*", -1, ["^", "x", 2]]], ["oo", -1], ["oo", 1], 0), ["erf", "x"],
         [0, None], 1),
    ],
    ids=str,
)  # fmt: skip
def test_forged_integral_is_rejected(claim: dict[str, Any], F: Any, on: Any, order: int) -> None:
    try:
        with time_budget(2.0):
            record = _forgery(claim, F, on, order)
    except Rejected:
        # not even the relations can be written down
        return
    rejected(record)


def test_every_part_of_an_integral_is_needed() -> None:
    record = replayed(_ask("x*exp(-a*x)", 0, "oo", "1/a**2", {"a": "positive"}), "PROVED")
    for i in range(len(record["proof"]["chain"]["parts"])):
        shorter = copy.deepcopy(record)
        del shorter["proof"]["chain"]["parts"][i]
        rejected(sealed(shorter), "left out")
    for changes in (
        {"value": ["^", "a", -1]}, {"value": ["oo", 1]}, {"upper": 1}, {"lower": ["oo", 1]},
        {"function": ["exp", ["*", -1, "a", "x"]]}, {"ranges": {"a": [None, None]}},
        {"closed": [["a", 0]]}, {"variables": ["a"]}, {"further": 1},
    ):  # fmt: skip
        rejected(forged(record, changes))
    for name in ("value", "chain"):
        rejected(forged(record, **{name: []}))
    rejected(forged(record, ends=[record["proof"]]))


@pytest.mark.parametrize(
    ("claim", "proof"),
    [
        (_claim("x", 0, 1, "1/2"), {"cuts": [0, 1]}),
        (_claim("x", 0, 1, 5), {"cuts": [0, "1/2"]}),
        (_claim("x", 0, 1, 5), {"cuts": [1, 0]}),
        (_claim("x", 0, 1, 5), {"cuts": [0, 2]}),
        (_claim("x", 0, 1, 5), {"cuts": [0, 0, 1]}),
        (_claim("x", 0, 1, 5), {"cuts": [0, 1], "bits": 2}),
        # divergent, or not real inside
        (_claim(_INVERSE, -1, 1, 5), {"cuts": [-1, 1]}),
        (_claim(_INVERSE, 0, 1, 5), {"cuts": [0, 1]}),
        (_claim(["log", "x"], -1, 1, 5), {"cuts": [-1, 1]}),
        (_claim(["*", 0, ["^", "x", "1/2"]], -1, 1, 5), {"cuts": [-1, 1]}),
        # a branch cut on the way: asin beyond 1, the root of a square that touches zero
        (_claim(["asin", "x"], 0, 2, 50), {"cuts": [0, 2]}),
        # tails that are not bounded
        (_claim(_INVERSE, 0, 1, 500), {"cuts": ["1/256", 1], "tails": [
            {"majorant": None, "parts": [{"steps": []}]}, None]}),
        (_claim(_INVERSE, 1, ["oo", 1], 500), {"cuts": [1, 16], "tails": [
            None, {"majorant": None, "parts": [{"steps": []}]}]}),
        (_claim(["exp", "x"], 0, ["oo", 1], -1), {"cuts": [0, 16], "tails": [None, {
            "majorant": ["*", -1, _INVERSE], "parts": [_EMPTY] * 5,
            "limit": {"name": "t", "near": 1, "steps": [], "limits": []}}]}),
        # an open parameter
        (_claim("a", 0, 1, 5, a=[0, None]), {"cuts": [0, 1]}),
    ],
    ids=str,
)  # fmt: skip
def test_forged_quadrature_is_rejected(claim: dict[str, Any], proof: dict[str, Any]) -> None:
    pieces = {"bits": 64, "tails": [None, None], **proof}
    rejected(
        sealed({"claim": claim, "verdict": "REFUTED", "proof": {"point": {}, "pieces": pieces}})
    )


def test_enclosures_hold_the_integral() -> None:
    def plain(*cuts: Any) -> dict[str, Any]:
        return {"cuts": list(cuts), "bits": 64, "tails": [None, None]}

    found = enclosed_integral(["exp", "x"], "x", (0, 1), plain(0, 1))
    assert found.overlaps(arb(1).exp() - 1) and found.rad() < 1e-12
    assert enclosed_integral(["exp", "x"], "x", (1, 0), plain(0, 1)).overlaps(1 - arb(1).exp())
    root = ["^", "x", "1/2"]
    tail = {
        "majorant": None,
        "parts": [part_of(r) for r in tail_relations(root, "x", [0, "1/4"], None)],
    }
    proof = plain("1/4", 1) | {"tails": [tail, None]}
    wide = enclosed_integral(root, "x", (0, 1), proof)
    # the integral from 0 to 1/4 is 1/12, its bound 1/8
    assert wide.contains(arb(2) / 3) and 0.12 < wide.rad() < 0.13


def test_tail_with_a_majorant() -> None:
    record = replayed(_ask("exp(-x)*cos(x)**2", 0, "oo", 7), "REFUTED")
    assert record["claim"]["upper"] == ["oo", 1]
    f = ["*", ["exp", ["*", -1, "x"]], ["^", ["+", 1, ["^", "x", 4]], -1]]
    majorant = ["*", -1, ["exp", ["*", -1, "x"]]]
    parts = [part_of(r) for r in tail_relations(f, "x", [16, None], majorant)]
    (approach, v), *_ = limit_proof({}, majorant, "x", ["oo", 1], "-")
    assert v == 0
    tail = {"majorant": majorant, "parts": parts, "limit": approach.part()}
    proof = {"cuts": [0, 16], "bits": 64, "tails": [None, tail]}
    found = enclosed_integral(f, "x", (0, ["oo", 1]), proof)
    assert found.contains(arb("0.6304778344918498")) and found.rad() < 1e-6
