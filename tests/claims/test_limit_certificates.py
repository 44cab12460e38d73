"""Certificates of limits: they replay, and forged ones are not accepted."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import theory as th
from tests.claims import test_limit
from tests.claims.forged import forged, rejected, replayed, sealed
from theory.claims.replay import replay
from theory.claims.replay.facts import Context
from theory.claims.replay.germs import MINUS_OO, OO, Germ


def _ask(e: Any, point: Any, value: Any, assume: Any, direction: str) -> th.Verdict:
    return th.limit_is(e, "x", point, value, assume, dir=direction)


@pytest.mark.parametrize("case", test_limit.PROVED, ids=str)
def test_proved_limit_replays(case: Any) -> None:
    replayed(_ask(*case), "PROVED")


@pytest.mark.parametrize("case", test_limit.REFUTED, ids=str)
def test_refuted_limit_replays(case: Any) -> None:
    replayed(_ask(*case), "REFUTED")


@pytest.mark.parametrize(
    ("e", "point", "value", "assume", "direction"),
    [
        ("x**3*exp(-x)", "oo", 0, {}, "+-"),
        ("log(x)/x**(1/2)", "oo", 0, {}, "+-"),
        ("log(x)**2*x", 0, 0, {}, "+"),
        ("(exp(x) - 1 - x)/x**2", 0, "1/2", {}, "+-"),
        ("tanh(x)/x", 0, 1, {}, "+-"),
        ("atan(x)*x**2/(1 + x**2)", "oo", "pi/2", {}, "+-"),
        ("x*sin(x)/(1 + x**2)", "oo", 0, {}, "+-"),
        ("x**a*exp(-x)", "oo", 0, {"a": "positive"}, "+-"),
        ("tan(x)", "pi/2", "oo", {}, "-"),
        ("erf(x)", "-oo", -1, {}, "+-"),
        ("a/(1 + exp(-x))", "oo", "a", {}, "+-"),
        ("asin(x)", 1, "pi/2", {}, "-"),
        ("LambertW(x)", 0, 0, {}, "+"),
        ("(3*exp(-3*x) + 2*exp(-2*x))*exp(2*x)", "oo", 2, {}, "+-"),
    ],
    ids=str,
)
def test_indeterminate_form_that_is_proved_replays(
    e: str, point: Any, value: Any, assume: Any, direction: str
) -> None:
    replayed(_ask(e, point, value, assume, direction), "PROVED")


def _claim(e: Any, to: Any, value: Any, direction: str = "+", **ranges: Any) -> dict[str, Any]:
    return {
        "ask": "limit", "function": e, "variables": ["x"], "to": to, "direction": direction,
        "value": value, "ranges": ranges, "relations": [], "closed": [],
    }  # fmt: skip


def _part(*limits: Any, steps: Any = (), near: Any = 1) -> dict[str, Any]:
    return {"name": "t", "near": near, "steps": list(steps), "limits": list(limits)}


def _record(claim: dict[str, Any], *sides: Any, verdict: str = "PROVED", **proof: Any) -> Any:
    proof = proof or {"sides": list(sides), "ends": []}
    return sealed({"claim": claim, "verdict": verdict, "proof": proof})


_INVERSE = ["^", "x", -1]
_OVER = ["*", ["sin", ["^", "t", -1]], ["^", "t", -1]]


def test_rules_prove_what_they_should() -> None:
    assert replay(_record(_claim(_INVERSE, 0, ["oo", 1]), _part())) == "PROVED"
    squeezed = ["squeezed", ["*", "t", ["sin", ["^", "t", -1]]], ["*", -1, "t"], "t"]
    rejected(_record(_claim(["*", "x", ["sin", _INVERSE]], 0, 0), _part(squeezed)), "not between")


@pytest.mark.parametrize(
    ("claim", "part"),
    [
        # one side of two, the wrong side, and the wrong infinity
        (_claim(_INVERSE, 0, ["oo", 1], "+-"), _part()),
        (_claim(_INVERSE, 0, ["oo", 1], "-"), _part()),
        (_claim(_INVERSE, 0, ["oo", -1]), _part()),
        (_claim(_INVERSE, 0, 5), _part()),
        # no value on the side that is asked about
        (_claim(["^", "x", "1/2"], 0, 0, "-"), _part()),
        (_claim(["log", "x"], 0, ["oo", -1], "-"), _part()),
        # oscillation is no limit, and not bounded after a division
        (_claim(["sin", _INVERSE], 0, 0), _part()),
        (_claim(["sin", "x"], ["oo", 1], 0), _part()),
        (
            _claim(["*", ["sin", _INVERSE], _INVERSE], 0, 0),
            _part(["product", _OVER, ["sin", ["^", "t", -1]], ["^", "t", -1]]),
        ),
        # zero times infinity, infinity minus infinity, 0/0
        (_claim(["*", "x", _INVERSE], 0, 0), _part()),
        (_claim(["+", ["log", "x"], _INVERSE], 0, ["oo", 1]), _part()),
        (_claim(["*", ["sin", "x"], _INVERSE], 0, 0), _part()),
        # the sign of a parameter decides
        (_claim(["exp", ["*", -1, "a", "x"]], ["oo", 1], 0, a=[None, None]), _part()),
        (_claim(["*", "a", "x"], ["oo", 1], ["oo", 1], a=[None, None]), _part()),
        (_claim(["^", "x", "a"], ["oo", 1], ["oo", 1], a=[None, None]), _part()),
        (_claim(["atan", ["*", "x", ["^", "a", -1]]], ["oo", 1],
                ["*", "1/2", "pi"], a=[None, None]), _part()),
        # continuity at a point where the term has no value for some parameters
        (_claim(["*", ["log", "a"], "x"], 0, 0, a=[None, None]), _part()),
        (_claim(["log", ["+", "x", "a"]], 0, ["log", "a"], a=[None, None]), _part()),
        # de l'Hospital needs an indeterminate form: (x + 1)/(x + 2) -> 1/2, and not 1
        (
            _claim(["*", ["+", "x", 1], ["^", ["+", "x", 2], -1]], 0, 1),
            _part(["quotient", ["*", ["+", "t", 1], ["^", ["+", "t", 2], -1]],
                   ["+", "t", 1], ["+", "t", 2]]),
        ),
        # and a slope of the denominator that does not vanish near the end
        (
            _claim(["*", "x", ["^", ["+", "x", ["sin", "x"]], -1]], ["oo", 1], 1),
            _part(["quotient", ["*", "t", ["^", ["+", "t", ["sin", "t"]], -1]],
                   "t", ["+", "t", ["sin", "t"]]]),
        ),
        # another quotient than the term
        (
            _claim(["*", ["sin", "x"], _INVERSE], 0, 2),
            _part(["quotient", ["*", ["sin", "t"], ["^", "t", -1]],
                   ["sin", ["*", 2, "t"]], "t"]),
        ),
        # equality that no step has shown, names of nothing, rules that do not exist
        (_claim(["exp", "x"], 0, 2), _part(["same", ["exp", "t"], 2])),
        (_claim("x", 0, 1), _part(["value", "t", 1])),
        (_claim("x", 0, 0), _part(["same", "t", "z"])),
        (_claim("x", 0, 1), _part(["believed", "t", 1])),
        # a name that the domain knows already
        (_claim(["*", "t", "x"], 0, 0, t=[None, None]), _part()),
        # a fact beyond the interval next to the end: x < 1/2 fails for x near 1
        (_claim(["Abs", ["+", "x", "-1/2"]], 0, "1/2"), _part(near=-1)),
        (_claim(["Abs", ["+", "x", "-1/2"]], 0, "1/2"), _part(near="t")),
        # at infinity nothing is known of the value that is claimed
        (_claim("x", ["oo", 1], ["oo", 2]), _part()),
        (_claim("x", ["oo", 2], ["oo", 1]), _part()),
    ],
    ids=str,
)  # fmt: skip
def test_forged_limit_is_rejected(claim: dict[str, Any], part: dict[str, Any]) -> None:
    sides = [part] * (2 if claim["direction"] == "+-" and claim["to"] == 0 else 1)
    rejected(_record(claim, *sides))


@pytest.mark.parametrize(
    ("claim", "proof"),
    [
        # the true limit refutes nothing
        (_claim(_INVERSE, 0, ["oo", 1]), {"point": {}, "side": 0, "part": _part()}),
        (_claim("x", 0, 0), {"point": {}, "side": 0, "part": _part()}),
        # a point that is not in the domain, or leaves a parameter open
        (
            _claim(["*", "a", ["+", "x", 1]], 0, "a", a=[0, None]),
            {"point": {"a": -1}, "side": 0, "part": _part()},
        ),
        (_claim(["*", "a", "x"], 0, 1, a=[0, None]), {"point": {}, "side": 0, "part": _part()}),
        # the limit 0 at a = 0, which is no point of the domain
        (
            _claim(["*", "a", ["+", "x", 1]], 0, 1, a=[0, None]),
            {"point": {"a": 0}, "side": 0, "part": _part()},
        ),
        # a value without a value
        (_claim("x", 0, ["log", -1]), {"point": {}, "side": 0, "part": _part()}),
        # a side that is not asked about
        (_claim(_INVERSE, 0, ["oo", 1]), {"point": {}, "side": 1, "part": _part()}),
    ],
    ids=str,
)
def test_forged_counterexample_to_a_limit_is_rejected(
    claim: dict[str, Any], proof: dict[str, Any]
) -> None:
    rejected(_record(claim, verdict="REFUTED", **proof))


def test_closed_end_of_a_parameter_is_asked_about() -> None:
    verdict = th.limit_is("x**2*a + 1", "x", 0, 1, {"a": "nonnegative"})
    record = replayed(verdict, "PROVED")
    assert record["claim"]["closed"] == [["a", 0]]
    rejected(forged(record, ends=[]), "left out")
    decay = replayed(th.limit_is("x*exp(-a*x)", "x", "oo", 0, {"a": "positive"}), "PROVED")
    at_zero = copy.deepcopy(decay["proof"])
    rejected(forged(decay, {"closed": [["a", 0]]}, ends=[at_zero]))


def test_limit_of_another_function_or_value_is_rejected() -> None:
    record = replayed(th.limit_is("sin(x)/x", "x", 0, 1), "PROVED")
    for changes in (
        {"function": ["*", ["cos", "x"], ["^", "x", -1]]},
        {"value": 2}, {"to": 1}, {"to": ["oo", 1]}, {"variables": ["y"]}, {"direction": "up"},
        {"relations": [[">", 1]]}, {"further": 1}, {"ask": "integral"}, {"ask": "monotone"},
        {"ranges": {"x": [0, None]}},
    ):  # fmt: skip
        rejected(forged(record, changes))
    rejected(forged(record, sides=record["proof"]["sides"][:1]), "left out")


def test_signs_of_limits_are_those_close_to_the_end() -> None:
    germ = Germ(Context({"t": [0, 1], "a": [0, None]}), "t", False)
    falling = ["+", "a", ["*", -1, "t"]]
    assert germ.sign(falling) is None
    assert germ.limit(falling) == "a"
    assert germ.sign(falling) == 2
    assert germ.limit(["log", falling]) == ["log", "a"]
    assert germ.limit(["^", "t", -1]) == OO
    assert germ.limit(["*", -1, ["^", "t", -1]]) == MINUS_OO
    assert germ.limit(["*", "t", ["^", "t", -1]]) is None
    assert germ.limit(["^", ["+", "t", ["*", -1, "a"]], "1/2"]) is None
