"""Forged limits and integrals: poles, branch cuts, one side for two, ends turned around."""

from __future__ import annotations

from typing import Any

import pytest

from tests.claims.forged import rejected, sealed
from theory.claims.replay import Rejected, digest, parsed, replay

OO: list[Any] = ["oo", 1]
MINUS_OO: list[Any] = ["oo", -1]
INVERSE = ["^", "x", -1]
REAL = {"a": [None, None]}
POSITIVE = {"a": [0, None]}
HALF_PI = ["*", "1/2", "pi"]


def side(near: Any = 1, limits: Any = (), name: str = "t") -> dict[str, Any]:
    return {"name": name, "near": near, "steps": [], "limits": list(limits)}


def limit(
    f: Any, to: Any, direction: Any, value: Any, ranges: Any, proofs: list[Any]
) -> dict[str, Any]:
    claim = {
        "ask": "limit", "function": f, "variables": ["x"], "to": to, "direction": direction,
        "value": value, "ranges": ranges, "relations": [], "closed": [],
    }  # fmt: skip
    proof = {"sides": proofs, "ends": []}
    return sealed({"claim": claim, "verdict": "PROVED", "proof": proof})


def test_true_limits_are_accepted() -> None:
    assert replay(limit(INVERSE, 0, "+", OO, {}, [side()])) == "PROVED"
    assert replay(limit(INVERSE, 0, "-", MINUS_OO, {}, [side()])) == "PROVED"
    assert replay(limit(["*", "a", INVERSE], 0, "+", OO, POSITIVE, [side()])) == "PROVED"


FALSE: list[tuple[Any, ...]] = [
    # two sides, or one for two
    (INVERSE, 0, "+-", OO, {}, 2),
    (INVERSE, 0, "+-", OO, {}, 1),
    (["atan", INVERSE], 0, "+-", HALF_PI, {}, 2),
    (["sign", "x"], 0, "+-", 1, {}, 2),
    (["sign", "x"], 0, "+-", 0, {}, 2),
    (["^", ["cos", "x"], -1], HALF_PI, "+-", OO, {}, 2),
    # the wrong side of a pole or of a cut
    (INVERSE, 0, "+", MINUS_OO, {}, 1),
    (INVERSE, 0, "-", OO, {}, 1),
    (["^", ["cos", "x"], -1], HALF_PI, "+", OO, {}, 1),
    (["log", "x"], 0, "-", MINUS_OO, {}, 1),
    (["^", "x", "1/2"], 0, "-", 0, {}, 1),
    (["^", "x", "1/3"], MINUS_OO, "+", MINUS_OO, {}, 1),
    (["asin", "x"], 1, "+", HALF_PI, {}, 1),
    (["erfinv", "x"], 1, "+", OO, {}, 1),
    (["gamma", "x"], 0, "-", OO, {}, 1),
    (["gamma", "x"], -1, "+", MINUS_OO, {}, 1),
    (["gamma", "x"], MINUS_OO, "+", 0, {}, 1),
    (["Ei", "x"], 0, "-", OO, {}, 1),
    (["LambertW", "x"], MINUS_OO, "+", MINUS_OO, {}, 1),
    # parameters of open sign
    (["*", "a", INVERSE], 0, "+", OO, REAL, 1),
    (["exp", ["*", "a", "x"]], OO, "+", 0, REAL, 1),
    (["exp", ["*", -1, "a", "x"]], OO, "+", 1, POSITIVE, 1),
    (["^", "x", "a"], 0, "+", 0, REAL, 1),
    (["^", "x", "a"], 0, "-", 0, POSITIVE, 1),
    # indeterminate, or none
    (["*", "x", INVERSE], 0, "+", 0, {}, 1),
    (["+", "x", ["*", -1, "x"]], OO, "+", OO, {}, 1),
    (["sin", "x"], OO, "+", 0, {}, 1),
    (["sin", INVERSE], 0, "+", 0, {}, 1),
    # places that are none
    ("x", ["log", -1], "+", ["log", -1], {}, 1),
    ("x", float("nan"), "+", 0, {}, 1),
    ("x", ["oo", 2], "+", OO, {}, 1),
    (INVERSE, 0, "+", ["oo", 2], {}, 1),
    (INVERSE, 0, "+", ["oo", True], {}, 1),
    (INVERSE, 0, "+", ["oo", 1.0], {}, 1),
    (INVERSE, 0, "+", ["oo"], {}, 1),
    (INVERSE, 0, None, OO, {}, 1),
    (INVERSE, 0, "", OO, {}, 1),
]


@pytest.mark.parametrize(("f", "to", "direction", "value", "ranges", "sides"), FALSE)
def test_false_limit_is_rejected(
    f: Any, to: Any, direction: Any, value: Any, ranges: Any, sides: int
) -> None:
    rejected(limit(f, to, direction, value, ranges, [side()] * sides))


_T_SIN = ["*", "t", ["sin", "t"]]
_NOWHERE = ["log", ["*", -1, ["exp", "t"]]]


@pytest.mark.parametrize(
    ("f", "to", "value", "rule"),
    [
        # no indeterminate form; a slope without a limit; not between; not small; no value
        (["*", ["cos", "x"], INVERSE], 0, 0,
         ["quotient", ["*", ["cos", "t"], ["^", "t", -1]], ["cos", "t"], "t"]),
        (["*", ["+", "x", ["sin", "x"]], INVERSE], OO, 0,
         ["quotient", ["*", ["+", "t", ["sin", "t"]], ["^", "t", -1]],
          ["+", "t", ["sin", "t"]], "t"]),
        (["sin", "x"], OO, 0, ["squeezed", ["sin", "t"], 0, 0]),
        (["*", "x", ["sin", "x"]], OO, 0, ["product", _T_SIN, ["sin", "t"], "t"]),
        (["*", "x", ["log", ["*", -1, ["exp", "x"]]]], 0, 0,
         ["product", ["*", "t", _NOWHERE], _NOWHERE, "t"]),
        (["exp", "x"], 0, 2, ["value", ["exp", "t"], 2]),
        (["exp", "x"], 0, 2, ["same", ["exp", "t"], ["+", ["exp", "t"], 1]]),
    ],
)  # fmt: skip
def test_false_rule_of_a_limit_is_rejected(f: Any, to: Any, value: Any, rule: Any) -> None:
    rejected(limit(f, to, "+", value, {}, [side(limits=[rule])]))


@pytest.mark.parametrize("near", [-1, 0, float("nan"), float("inf"), "x", "1/0", None, True, []])
def test_neighborhood_is_a_positive_number(near: Any) -> None:
    rejected(limit(INVERSE, 0, "+", MINUS_OO, {}, [side(near)]))
    rejected(limit(INVERSE, 0, "+", OO, {}, [side(near)]))


def integral(f: Any, a: Any, b: Any, value: Any, verdict: str, proof: Any) -> dict[str, Any]:
    claim = {
        "ask": "integral", "function": f, "variables": ["x"], "lower": a, "upper": b,
        "value": value, "ranges": {}, "relations": [], "closed": [],
    }  # fmt: skip
    return sealed({"claim": claim, "verdict": verdict, "proof": proof})


@pytest.mark.parametrize("on", [[-1, 1], [1, -1], [None, None], "between", None, [-1, 1, 2]])
@pytest.mark.parametrize("order", [1, 0, -1, True, 2, 1.0])
def test_antiderivative_with_a_jump_is_none(on: Any, order: Any) -> None:
    """F = -atan(1/x) has the slope 1/(1 + x^2) but at zero, where it falls by pi."""
    f = ["^", ["+", 1, ["^", "x", 2]], -1]
    part = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": "1/2"}}
    for count in range(4, 9):
        chain = {
            "antiderivative": ["*", -1, ["atan", INVERSE]], "order": order, "on": on, "name": "u",
            "parts": [part] * count, "limits": [side(), side()],
        }  # fmt: skip
        proof = {"chain": chain, "value": [part, {"steps": []}], "ends": []}
        rejected(integral(f, -1, 1, ["*", "-1/2", "pi"], "PROVED", proof))


def pieces(cuts: Any, tails: Any = (None, None), bits: Any = 64) -> dict[str, Any]:
    return {"pieces": {"cuts": cuts, "bits": bits, "tails": list(tails)}, "point": {}}


_BARE = {"majorant": None, "parts": [{"steps": []}]}
_FALL = ["exp", ["*", -1, "x"]]


@pytest.mark.parametrize(
    ("f", "a", "b", "value", "proof"),
    [
        ("x", 0, 1, "1/2", pieces([0, 1])),
        ("x", 0, 1, "1/2", pieces([0, "1/2"])),
        ("x", 0, 1, "1/2", pieces([1, 0])),
        ("x", 0, 1, "1/2", pieces([0, 1, 2])),
        ("x", 0, 1, "1/2", pieces([0])),
        ("x", 0, 1, "1/2", pieces([0, ["log", -1], 1])),
        ("x", 0, 1, "1/2", pieces([2, 3], [_BARE, _BARE])),
        ("x", 0, 1, "1/2", pieces([0, 1], bits=True)),
        ("x", 0, 1, "1/2", pieces([0, 1], bits=float("nan"))),
        ("x", 1, 0, "-1/2", pieces([0, 1])),
        ("x", 1, 1, 0, pieces([1, 1])),
        (INVERSE, -1, 1, 0, pieces([-1, 1])),
        (["^", "x", "1/2"], -1, 1, 0, pieces([-1, 1])),
        (["sign", "x"], -1, 2, 1, pieces([-1, 2])),
        (_FALL, 0, OO, 1, pieces([0, 50])),
        (_FALL, 0, OO, 1, pieces([0, 1], [None, _BARE])),
    ],
)
def test_false_enclosure_of_an_integral_is_rejected(
    f: Any, a: Any, b: Any, value: Any, proof: Any
) -> None:
    rejected(integral(f, a, b, value, "REFUTED", proof))


def test_file_can_be_read_in_one_way_only() -> None:
    assert parsed('{"a": [1, "1/2", null]}') == {"a": [1, "1/2", None]}
    for text in (
        '{"a": 1, "a": 2}', '{"b": [{"a": 1, "a": 1}]}', "[NaN]", "[Infinity]", '{"a": -Infinity}',
        "[" * 200_000, '{"a":' * 200_000, "", "{", "[1" + "0" * 10_000 + "]",
    ):  # fmt: skip
        with pytest.raises(Rejected):
            parsed(text)


def test_whatever_is_no_record_is_rejected() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = ["exp", deep]
    empty = {"claim": {}, "verdict": "PROVED", "proof": {}, "sha256": digest({}), "seal": None}
    for record in (
        None, 1, "x", [], {}, b"x", float("nan"), {1: 2}, [["claim", 1]], empty,
        {"claim": 1}, empty | {"claim": {1: 2, "a": 3}}, empty | {"claim": {"a": {1, 2}}},
        empty | {"claim": {"left": deep}}, empty | {"claim": deep}, empty | {"proof": deep},
        empty | {"claim": {"a": 10**5_000}},
    ):  # fmt: skip
        with pytest.raises(Rejected):
            replay(record)  # type: ignore[arg-type]


def test_digits_of_numbers_are_plain() -> None:
    claim = {
        "operator": ">", "left": "x", "right": 0, "ranges": {"x": [0, None]}, "relations": [],
        "closed": [],
    }  # fmt: skip
    proof = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": "3/2"}}
    record = {"claim": claim, "verdict": "PROVED", "proof": proof}
    assert replay(sealed(record)) == "PROVED"
    rejected(sealed(record | {"proof": proof | {"somewhere": {"x": "\u0663/\u0662"}}}))
    rejected(sealed(record | {"claim": claim | {"closed": [["x", ["log", -1]]]}}))
