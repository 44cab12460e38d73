"""Forged certificates about a part of a curve, about no time at all, and about jumps of a law."""

from __future__ import annotations

import json
from typing import Any

import pytest

import theory as th
from tests.claims.forged import forged, rejected, replayed, sealed
from theory.claims.limit_point_search import _along
from theory.claims.limit_search import limit_proof
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected, conditions_of
from theory.claims.replay.limit_points import LimitPoint
from theory.claims.replay.questions import relations_of

SQUARE = th.Elementwise("u**2", "u")
_POTENTIAL = "(x*log(x) - x)/4"
# zero below x = 100, as |x - 100| = 100 - x there
_HINGE = ["+", "x", -100, ["^", ["^", ["+", "x", -100], 2], "1/2"]]


def built(claim: dict[str, Any], hints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A certificate with proofs of all relations, but for the ends of the curve."""
    answer = relations_of(claim, hints)
    proof = {
        "hints": hints, "given": [part_of(r) for r in answer.given], "alternative": 0,
        "parts": [part_of(r) for r in answer.alternatives[0]], **more,
    }  # fmt: skip
    return sealed({"claim": claim, "verdict": "PROVED", "proof": json.loads(json.dumps(proof))})


@pytest.mark.parametrize("on", [["1/4", 2], ["1/2", "3/2"], ["1/4", 9]])
def test_potential_of_a_part_of_the_curve_is_none(on: list[Any]) -> None:
    record = replayed(th.is_mirror_potential(_POTENTIAL, SQUARE, {"u": 1}), "PROVED")
    hints = record["proof"]["hints"] | {"range": on}
    claim = record["claim"] | {"potential": ["+", record["claim"]["potential"], ["^", _HINGE, 3]]}
    limits = record["proof"]["limits"]
    for given in ([], limits, limits[:1], [limits[0], limits[0]], None):
        rejected(built(claim, hints, limits=given))
    rejected(built(claim, hints))
    # nor may the true potential have a proof on a part
    rejected(built(record["claim"], hints, limits=limits))


def test_slow_clock_does_not_make_a_part_the_whole() -> None:
    """With s on the whole line, u = 1 + s/(2 sqrt(1 + s^2)) stays between 1/2 and 3/2."""
    record = replayed(th.is_mirror_potential(_POTENTIAL, SQUARE, {"u": 1}), "PROVED")
    root = ["^", ["+", 1, ["^", "s", 2]], "-1/2"]
    u = ["+", 1, ["*", "1/2", "s", root]]
    slope = ["*", "1/2", ["^", ["+", 1, ["^", "s", 2]], "-3/2"]]
    hints = {
        "name": "s", "range": [None, None], "begin": 0, "theta": [u],
        "rate": ["*", slope, "1/2", ["^", u, -1]], "dual": ["*", "1/2", ["log", u]],
    }  # fmt: skip
    record["proof"]["hints"] = hints
    for i in range(4):
        record["proof"]["limits"] = [
            {"of": i, "proof": {"name": "t", "near": 1, "steps": [], "limits": []}}
        ] * 2
        rejected(sealed(record))


def test_point_beyond_the_end_of_a_part_may_be_reached() -> None:
    flow, data = th.GradientFlow(th.Elementwise("u", "u")), th.Regression([[1, 2]], [3])
    verdict = th.limit_point_is(["3/5", "6/5"], flow, data, {"u": [0, 0]})
    record = replayed(verdict, "PROVED")
    claim = record["claim"]
    hints = verdict.record["hints"]["coordinates"][1]["hints"] | {"range": [-1, 1]}
    part, curve = _along(LimitPoint(claim), 1, hints, conjugate=False)
    approach, end = next(limit_proof({}, curve.rho, curve.s, 1, "-"))
    assert end == 1
    proof = {"because": "beyond", "index": 1, "side": 1, "limit": approach.part(),
             "coordinates": {"1": part}}  # fmt: skip
    for last in (None, {}, {"of": 0, "proof": approach.part()}, {"of": 1, "proof": proof}):
        more = {} if last is None else {"last": last}
        made = {"claim": claim, "verdict": "REFUTED", "proof": proof | more}
        rejected(sealed(json.loads(json.dumps(made))))


def test_point_beyond_the_true_end_is_none() -> None:
    flow = th.GradientFlow(SQUARE)
    verdict = th.limit_point_is([3, -1], flow, th.Regression([[1, 1]], [2]), {"u": 0.5})
    record = replayed(verdict, "REFUTED")
    assert record["proof"]["because"] == "beyond"
    for last in (record["proof"]["limit"], {"of": 5, "proof": record["proof"]["limit"]}, None):
        rejected(forged(record, last=last))
    for side in (1, True, 2, -1, 0.0):
        rejected(forged(record, side=side))


@pytest.mark.parametrize("text", ["u", "sqrt(u)"])
def test_finite_derivative_at_an_end_is_no_legendre_type(text: str) -> None:
    rho = th.Elementwise(text, "u", assume={"u": "positive"})
    record = replayed(th.is_legendre(rho, {"u": 1}), "REFUTED")
    side, last, *parts = record["proof"]["limits"]
    for other in (
        [1 - side, last, *parts],
        [bool(side), last, *parts],
        [2, last, *parts],
        [side, last, parts[0]],
        [side, last, parts[0], parts[0]],
        [side, last],
        [side, parts[0], *parts],
        [side],
        [],
        None,
    ):
        rejected(forged(record, limits=other))
    rejected(sealed(record | {"verdict": "PROVED"}))
    # the end of a part of the curve is no end
    hints = record["proof"]["hints"] | {"range": ["1/2", None]}
    rejected(forged(record, hints=hints))


def test_legendre_type_is_not_refuted_at_an_end_with_an_infinite_derivative() -> None:
    record = replayed(th.is_legendre(SQUARE, {"u": 1}), "PROVED")
    limits = record["proof"]["limits"]
    for side in (0, 1):
        for other in ([side, *limits], [side, limits[side], *limits], [side, limits[side]]):
            rejected(sealed(forged(record, limits=other) | {"verdict": "REFUTED"}))


def test_no_time_is_no_excuse_for_a_bound() -> None:
    flow, data = th.GradientFlow(SQUARE), th.Regression([[1]], [1])
    record = replayed(th.drift_at_most("u", flow, data, {"u": 0.5}, 0.25, 0.5), "PROVED")
    still = forged(record, {"end": 0}, lengths=[])
    assert th.replay(still) == "PROVED"
    rejected(forged(still, {"bound": -1}), "negative bound")
    rejected(forged(still, {"bound": "-1/1000000000000000000000"}), "negative bound")
    rejected(forged(still, {"law": ["log", ["*", -1, "u"]]}), "no value at the start")
    rejected(forged(still, {"law": ["^", ["+", "u", "-1/2"], -1]}), "no value at the start")


def test_law_with_jumps_is_conserved_where_it_is_continuous() -> None:
    difference = th.Elementwise("u**2 - v**2", "u, v")
    record = replayed(th.conserved("sign(u)", difference), "PROVED")
    assert conditions_of(record) == ("the flow stays where the law is continuous",)
    assert conditions_of(replayed(th.conserved("u*v", difference), "PROVED")) == (
        "the flow stays where the law has a value",
    )
    claim = record["claim"]
    for law in (["*", "u", ["sign", "u"]], ["+", "v", ["sign", "u"]], ["Abs", "u"], "s0"):
        rejected(forged(record, {"law": law}))
    # a formal rate that is not zero is no counterexample at a jump
    point = {"point": {"u": 1, "v": 1}, "steps": []}
    wrong = forged(record, {"law": ["*", "u", ["sign", "u"]]}, parts=[[0, point]])
    rejected(sealed(wrong | {"verdict": "REFUTED"}))
    assert claim["law"] == ["sign", "u"]


def test_whole_curve_needs_both_ends() -> None:
    record = replayed(th.is_mirror_potential(_POTENTIAL, SQUARE, {"u": 1}), "PROVED")
    limits = record["proof"]["limits"]
    assert len(limits) == 2
    for given in ([], limits[:1], [*limits, limits[0]]):
        rejected(forged(record, limits=given))
    with pytest.raises(Rejected):
        relations_of(record["claim"], record["proof"]["hints"] | {"range": [0]})
