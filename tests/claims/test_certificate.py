"""Certificates: they replay, they are bound to their claim, and nothing false is accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from click.testing import CliRunner

import theory as th
from tests.claims import mutated_certificates
from tests.claims.adversarial import cases
from tests.claims.forged import replayed
from theory.claims.certificate import NoCertificate
from theory.claims.claim import claim_of, claim_text
from theory.claims.replay import Rejected, digest, replay
from theory.claims.replay.terms import add, ball, derivative, mul
from theory.cli import main
from theory.errors import AssumptionError, UnsupportedFormula

PROVED: list[tuple[str, dict[str, str]]] = [
    *((s, a) for s, a in mutated_certificates.STATEMENTS if s != "x**3 >= 0"),
    ("sech(x)**2 + tanh(x)**2 == 1", {}),
    ("acosh(x) == log(x + sqrt(x**2 - 1))", {"x": "(1, oo)"}),
    ("log(exp(x) + exp(y)) == x + log(1 + exp(y - x))", {}),
    ("u**(2 - L)*u**L == u**2", {"u": "positive"}),
    ("sqrt(x**2*y) == x*sqrt(y)", {"x": "positive", "y": "positive"}),
    ("cos(2*atan(x)) == (1 - x**2)/(1 + x**2)", {}),
    ("LambertW(x)*exp(LambertW(x)) == x", {"x": "positive"}),
    ("erfc(x) + erf(x) == 1", {}),
    ("max(x, -x) == abs(x)", {"x": "positive"}),
    ("x/x == 1", {}),
    ("cosh(x) >= 1 + x**2/2", {}),
    ("x >= tanh(x)", {"x": "positive"}),
    ("x + 1/x >= 2", {"x": "positive"}),
    ("sqrt(1 + x**2) > x", {}),
    ("log(1 + exp(x)) > 0", {}),
    ("x**2 + x*y + y**2 + 1 > 0", {}),
    ("exp(x) != 0", {}),
    ("x**4 - x**2 + 1 > 0", {}),
    ("x*exp(-x) >= 0", {"x": "nonnegative"}),
]
REFUTED: list[tuple[str, dict[str, str]]] = [
    ("log(x**2) == 2*log(x)", {}),
    ("x**2 >= x", {"x": "positive"}),
    ("x**2 > 0", {}),
    ("exp(x) != 1", {}),
    ("sinh(x) == x", {"x": "positive"}),
    ("x - log(1 + x) > 0", {"x": "(-1/2, 2)"}),
    ("sqrt(10**40 + 1) == 10**20", {}),
    ("(x - 1)*(x - 2) > 0", {"x": "[1, 3]"}),
    ("x == abs(x)", {"x": "integer"}),
]


def _replays(text: str, assume: dict[str, str], verdict: str) -> dict[str, Any]:
    record = json.loads(json.dumps(th.certificate(text, assume)))
    assert record["verdict"] == verdict == replay(record)
    return dict(record)


@pytest.mark.parametrize(("text", "assume"), PROVED)
def test_proved_statement_replays(text: str, assume: dict[str, str]) -> None:
    _replays(text, assume, str(th.prove(text, assume).status))


@pytest.mark.parametrize(("text", "assume"), REFUTED)
def test_refuted_statement_replays(text: str, assume: dict[str, str]) -> None:
    _replays(text, assume, "REFUTED")


def test_printed_claim_reads_as_the_same_claim() -> None:
    seen = 0
    for case in cases()[::9]:
        try:
            claim = claim_of(case.text, dict(case.assume))
        except th.errors.FormulaError:
            continue
        seen += 1
        statement, assume, domain = claim_text(claim)
        assert digest(claim_of(statement, assume, domain or None)) == digest(claim), case.text
    assert seen > 250


def test_verdict_carries_its_claim() -> None:
    verdict = th.prove("sqrt(x**2) == x")
    claim = claim_of("sqrt(x**2) == x")
    assert verdict.record["claim"] == claim
    assert verdict.record["sha256"] == digest(claim)
    assert verdict.record["witness"] == verdict.witness


@pytest.mark.parametrize(
    ("one", "other"),
    [("x/x == 1", "1 == 1"), ("x >= 0", "x > 0"), ("exp(x) == 1 + x", "exp(x) == 1 - x")],
)
def test_different_statements_have_different_hashes(one: str, other: str) -> None:
    assert digest(claim_of(one)) != digest(claim_of(other))


def test_order_of_a_relation_does_not_matter() -> None:
    assert digest(claim_of("x <= y")) == digest(claim_of("y >= x"))


def test_undecided_statement_has_no_certificate() -> None:
    with pytest.raises(NoCertificate, match="UNDECIDED"):
        th.certificate("x > sin(x)", {"x": "positive"})


def test_mutated_certificates_are_not_accepted() -> None:
    report = mutated_certificates.run(1500, seed=3)
    assert report.sealed > 600 and report.resealed > 600
    assert report.accepted_sealed == 0
    assert report.wrong == []


def _sealed(claim: dict[str, Any], verdict: str, proof: dict[str, Any]) -> dict[str, Any]:
    record = {"claim": claim, "sha256": digest(claim), "verdict": verdict, "proof": proof}
    return record | {"seal": digest(record)}


_X = ["name", "x"]
_POSITIVE = {"x": "positive"}


def _minus(left: Any, right: Any) -> Any:
    """The difference of two terms, as the checker writes it."""
    return add(left, mul(-1, right))


def _monomial(c: int, powers: dict[int, int]) -> list[Any]:
    return [[c, [powers.get(i, 0) for i in range(40)]]]


def _normal(term: Any, *entries: Any) -> list[Any]:
    return ["normal", term, 40, list(entries)]


_ROOT = ["^", ["^", "x", 2], "1/2"]
_POLE = ["^", ["^", ["+", "x", -1], -2], "1/2"]
_ABS = ["+", ["Abs", "x"], ["*", -1, "x"]]
_ARCS = ["+", ["atan", "x"], ["atan", ["^", "x", -1]], ["*", "-1/3", "pi"]]
_LOG = ["log", "x"]
_SQUARE = [_X, _LOG, ["power", _ROOT, [2], [1]]]
_SHIFTED = [_X, ["log", ["+", "x", -1]], ["power", _POLE, [-2], [-1]]]
_ABS_IS_X = _normal(_ABS, _X, ["case", ["Abs", "x"], 1])
_SINES = _minus(["sin", ["*", 2, "x"]], ["sin", "x"])
_NESTED = _minus(add(["^", 2, "1/2"], ["^", 3, "1/2"]), ["^", 5, "1/2"])
_SIXES = add(["*", ["^", 2, "1/2"], ["^", 3, "1/2"]], ["^", 6, "1/2"])
_MACHIN = _minus(["atan", "1/2"], mul("1/4", "pi"))

# arguments that look right, each with the one gap that the checker must see
FORGERIES: list[tuple[str, dict[str, str], list[Any]]] = [
    # a root of a square with a pole: zero for x > 1, not for x < 1
    (
        "((x - 1)**(-2))**(1/2)*(x - 1) == 1",
        {},
        [["near", ["+", ["*", _POLE, ["+", "x", -1]], -1], 40, _SHIFTED, {"x": 3}, []]],
    ),
    # the sign of x is open, everywhere and near a point
    ("sqrt(x**2) == x", {}, [_normal(_minus(_ROOT, "x"), *_SQUARE)]),
    ("sqrt(x**2) == x", {}, [["near", _minus(_ROOT, "x"), 40, _SQUARE, {"x": 3}, []]]),
    ("abs(x) == x", {}, [["near", _ABS, 40, [_X, ["case", ["Abs", "x"], 1]], {"x": 3}, []]]),
    # sign(x)^2 = 1 fails at 0 only
    ("sign(x)**2 == 1", {}, [_normal(["+", ["^", ["sign", "x"], 2], -1], _X,
                                     ["case", ["sign", "x"], 1])]),
    # one half line of two, or both with the sign of one
    ("abs(x) == x", {}, [["cases", _ABS, "x", 0, [[], [], [_ABS_IS_X]]]]),
    ("abs(x) == x", {}, [["cases", _ABS, "x", 0, [[_ABS_IS_X], [], [_ABS_IS_X]]]]),
    # the middle of the cases is a point of its own
    ("x**2 > 0", {}, [["cases", ["^", "x", 2], "x", 0, [[], [], []]]]),
    ("x > 0", {"x": "(-1, 1)"}, [["cases", "x", "x", -1, [[], [], []]]]),
    # zero gradient, but not zero at the point
    (
        "atan(x) + atan(1/x) == pi/3",
        _POSITIVE,
        [_normal(derivative(_ARCS, "x"), _X), ["gradient", _ARCS, {"x": 1}]],
    ),
    # a gradient that is not zero, on a domain that a pole cuts
    ("x - 1 == 0", {}, [["gradient", ["+", "x", -1], {"x": 1}]]),
    (
        "atan(x) + atan(1/x) == pi/2",
        {},
        [
            _normal(derivative(add(*_ARCS[1:3], mul("-1/2", "pi")), "x"), _X),
            ["gradient", add(*_ARCS[1:3], mul("-1/2", "pi")), {"x": 1}],
        ],
    ),
    # rising, from a start below zero, and falling
    ("exp(x) >= 2", _POSITIVE, [["rising", ["+", ["exp", "x"], -2], "x"]]),
    ("1 - x >= 0", _POSITIVE, [["rising", _minus(1, "x"), "x"]]),
    # rising on both sides of a pole
    (
        "-1/(x - 1) >= 0",
        _POSITIVE,
        [["rising", ["*", -1, ["^", ["+", "x", -1], -1]], "x"]],
    ),
    # |x| as 0 times x, for the sign 0 that x does not have
    ("abs(x) == 0", _POSITIVE, [_normal(["Abs", "x"], _X, ["case", ["Abs", "x"], 0])]),
    # x = 0 + pi is one point, not all x > 0
    ("x >= 2", _POSITIVE, [["traded", ["+", "x", -2], "x", "pi", []]]),
    ("x >= 2", _POSITIVE, [["traded", ["+", "x", -2], "x", "E", []]]),
    ("x >= 2", _POSITIVE, [["traded", ["+", "x", -2], "x", "x", []]]),
    ("x >= 2", {}, [["traded", ["+", "x", -2], "x", "t", []]]),
    # a smaller term for a larger one
    ("x >= 1", _POSITIVE, [["grouped", ["+", "x", -1], ["x"]]]),
    ("x >= 1", _POSITIVE, [["rewrite", ["+", "x", -1], "x"]]),
    (
        "x**2 - 2*x >= 0",
        _POSITIVE,
        [["square", ["+", ["^", "x", 2], ["*", -2, "x"]], ["*", -2, "x"], ["^", "x", 2]]],
    ),
    # an equal term without a value at 0, where the claim has one
    (
        "x**2 > 0",
        {},
        [
            _normal(_minus(["^", "x", 2], ["^", ["^", "x", -1], -2]), _X),
            ["rewrite", ["^", "x", 2], ["^", ["^", "x", -1], -2]],
        ],
    ),
    # wrong multiples of exponents, logarithms and angles
    ("exp(2*x) == exp(x)", {}, [_normal(
        _minus(["exp", ["*", 2, "x"]], ["exp", "x"]), _X, ["exp", "x"],
        ["exponential", ["exp", ["*", 2, "x"]], [1]])]),
    ("log(x**2) == 3*log(x)", _POSITIVE, [_normal(
        _minus(["log", ["^", "x", 2]], ["*", 3, _LOG]), _X, _LOG,
        ["logarithm", ["log", ["^", "x", 2]], [3]])]),
    ("sqrt(x) == x", _POSITIVE, [_normal(_minus(["^", "x", "1/2"], "x"), _X, _LOG,
                                         ["power", ["^", "x", "1/2"], [1], [1]])]),
    ("sin(2*x) == sin(x)", {}, [_normal(_SINES, _X, ["name", "pi"], ["angle", "x"],
                                        ["circle", ["*", 2, "x"], [1], 0],
                                        ["circle", "x", [1], 0])]),
    ("sin(2*x) == sin(x)", {}, [_normal(_SINES, _X, ["name", "pi"], ["angle", "x"],
                                        ["circle", ["*", 2, "x"], [2], 4],
                                        ["circle", "x", [1], 0])]),
    # a root of another number, and a part of a turn that it is not
    ("sqrt(2) + sqrt(3) == sqrt(5)", {}, [["near", _NESTED, 40, [
        ["log", 2], ["log", 3], ["log", 5], ["root", 0, 2, 3], ["root", 1, 2, 2]], {}, []]]),
    ("atan(1/2) == pi/4", {}, [_normal(_MACHIN, ["name", "pi"], ["turn", ["atan", "1/2"], 1, 4])]),
    ("atan(1) == 5*pi/4", {}, [_normal(_minus(["atan", 1], mul("5/4", "pi")), ["name", "pi"],
                                       ["turn", ["atan", 1], 5, 4])]),
    # a norm that vanishes because of another factor
    ("sqrt(2) + 2 - sqrt(2) == 0", {}, [["near", add(["^", 2, "1/2"], ["^", 2, "1/2"]), 40, [
        ["log", 2], ["root", 0, 2, 2], ["power", ["^", 2, "1/2"], [1], [0, 1]]], {},
        _monomial(1, {37: 1})]]),
    ("sqrt(x) == -sqrt(x)", _POSITIVE, [["near", ["*", 2, ["^", "x", "1/2"]], 40, [
        _X, _LOG, ["root", 0, 2, "x"], ["power", ["^", "x", "1/2"], [1], [0, 1]]],
        {"x": 4}, _monomial(1, {37: 1})]]),
    # functions of different arguments, and an even function for an odd one
    ("erf(x) == erf(2*x)", {}, [_normal(_minus(["erf", "x"], ["erf", ["*", 2, "x"]]), _X,
                                        ["function", "erf", "x"],
                                        ["equal", ["erf", ["*", 2, "x"]], 0, 1])]),
    ("gamma(x) == -gamma(-x)", {}, [_normal(add(["gamma", "x"], ["gamma", ["*", -1, "x"]]), _X,
                                            ["function", "gamma", "x"],
                                            ["equal", ["gamma", ["*", -1, "x"]], 0, -1])]),
    # the smaller of two
    ("max(x, 1) == x", _POSITIVE, [_normal(_minus(["Max", "x", 1], "x"), _X,
                                           ["extreme", ["Max", "x", 1], 1])]),
    # a polynomial with roots, and one whose coefficients have both signs
    ("2 - x**2 > 0", {}, [_normal(["+", ["*", -1, ["^", "x", 2]], 2], _X)]),
    ("x**2 - 3*x + 1 > 0", _POSITIVE, [_normal(["+", ["^", "x", 2], ["*", -3, "x"], 1], _X)]),
    ("x*y + 1 > 0", {}, [_normal(["+", ["*", "x", "y"], 1], _X, ["name", "y"])]),
    ("x**2 > 0", {}, [_normal(["^", "x", 2], _X)]),
    # zero at the point alone; a sum of other terms; two signs
    ("x - 3 == 0", {}, [["near", ["+", "x", -3], 40, [_X], {"x": 3}, []]]),
    ("x - 2 > 0", _POSITIVE, [["square", ["+", "x", -2], 0, "x"]]),
    ("x >= 0", {}, [["cases", "x", "x", 0, [[], [], []]]]),
    ("-x >= 0", {}, [["cases", ["*", -1, "x"], "x", 0, [[], [], []]]]),
    # rising from a pole, at which 0**(-1) is no start
    ("-1/x >= 0", _POSITIVE, [["rising", ["*", -1, ["^", "x", -1]], "x"]]),
    # a norm that vanishes because of the other factor, sqrt(2) sqrt(3) - sqrt(6)
    ("sqrt(2)*sqrt(3) + sqrt(6) == 0", {}, [["near", _SIXES, 40, [
        ["log", 2], ["log", 3], ["log", 6], ["root", 0, 2, 2], ["root", 1, 2, 3],
        ["root", 2, 2, 6], ["power", ["^", 2, "1/2"], [1], [0, 0, 0, 1]],
        ["power", ["^", 3, "1/2"], [0, 1], [0, 0, 0, 0, 1]],
        ["power", ["^", 6, "1/2"], [0, 0, 1], [0, 0, 0, 0, 0, 1]]], {},
        [*_monomial(1, {36: 1, 35: 1}), *_monomial(-1, {34: 1})]]]),
    # a generator that has no value at 0, where the claim has one
    ("sign(x)**2*exp(0*x) == 1", {}, [_normal(
        _minus(["*", ["^", ["sign", "x"], 2], ["exp", ["*", 0, "x"]]], 1), _X,
        ["function", "Ei", ["^", "x", -1]], ["case", ["sign", "x"], 1],
        ["exponential", ["exp", ["*", 0, "x"]], []])]),
    ("x >= 2", {}, [["rising", ["+", "x", -2], "x"]]),
    # rising to the right of a jump
    ("sign(x) - 1/2 >= 0", {"x": "(-1, 1)"}, [["rising", ["+", ["sign", "x"], "-1/2"], "x"]]),
    # rules and entries that there are not
    ("x >= 1", _POSITIVE, [["believe", ["+", "x", -1]]]),
    ("x >= 1", _POSITIVE, [["normal", ["+", "x", -1], 40, [["generator", "x"]]]]),
    ("x >= 1", _POSITIVE, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "assume", "steps"), FORGERIES)
def test_forged_proof_is_rejected(text: str, assume: dict[str, str], steps: list[Any]) -> None:
    claim = claim_of(text, assume)
    somewhere = {x: 3 if r[1] is None else "1/2" for x, r in claim["ranges"].items()}
    proof = {"steps": steps, "everywhere": False, "ends": [], "somewhere": somewhere}
    with pytest.raises(Rejected):
        replay(_sealed(claim, "PROVED", proof))


def _proved(claim: dict[str, Any], **changes: Any) -> dict[str, Any]:
    somewhere = dict.fromkeys(claim["ranges"], 1)
    proof = {"steps": [], "everywhere": False, "ends": [], "somewhere": somewhere}
    return _sealed(claim, "PROVED", proof | changes)


def test_hash_must_be_that_of_the_claim() -> None:
    record = th.certificate("exp(x) > 0")
    other = record | {"sha256": digest(claim_of("exp(x) > 1"))}
    other["seal"] = digest({k: v for k, v in other.items() if k != "seal"})
    with pytest.raises(Rejected, match="hash"):
        replay(other)
    with pytest.raises(Rejected, match="seal"):
        replay(record | {"seal": record["sha256"]})


@pytest.mark.parametrize(
    "changes",
    [
        {"ranges": {}},
        {"ranges": {"x": [None, None], "pi": [0, None]}},
        {"ranges": {"x": [None, None], "x y": [0, None]}},
        {"ranges": {"x": [None, None, "prime"]}},
        {"ranges": {"x": [None, None, "integer", "integer"]}},
        {"ranges": {"x": [0, "y"], "y": [0, None]}},
        {"ranges": {"x": [["log", -1], None]}},
        {"ranges": {"x": [1, 1]}},
        {"ranges": {"x": [2, 1]}},
        {"ranges": {"x": [0.5, None]}},
        {"ranges": {"x": [True, None]}},
        {"ranges": {"x": ["2/4", None]}},
        {"operator": "<>"},
        {"left": ["exp"]},
        {"left": ["exp", "x", "x"]},
        {"left": ["zeta", "x"]},
        {"left": ["^", "x", 2, 3]},
        {"left": ["exp", "not a name"]},
        {"left": 0.5},
        {"left": None},
        {"relations": [["~", "x"]]},
        {"closed": [["y", 0]]},
    ],
)
def test_malformed_claim_is_rejected(changes: dict[str, Any]) -> None:
    claim = claim_of("exp(x) > 0")
    assert replay(_proved(claim)) == "PROVED"
    with pytest.raises(Rejected):
        replay(_proved(claim | changes, somewhere=dict.fromkeys(changes.get("ranges", "x"), 3)))


def test_other_entries_and_other_verdicts_are_rejected() -> None:
    record = _proved(claim_of("exp(x) > 0"))
    for other in (record | {"comment": 1}, record | {"verdict": "UNDECIDED"}):
        other["seal"] = digest({k: v for k, v in other.items() if k != "seal"})
        with pytest.raises(Rejected):
            replay(other)


def test_closed_end_of_an_integer_is_an_integer() -> None:
    claim = claim_of("n >= 1", {"n": "integer"}, "n > 1/2")
    forged = claim | {"closed": [["n", "1/2"]]}
    with pytest.raises(Rejected, match="integer"):
        replay(_sealed(forged, "REFUTED", {"point": {"n": "1/2"}, "steps": []}))


def test_closed_end_is_not_left_out() -> None:
    claim = claim_of("x > 0", {"x": "nonnegative"})
    for ends in ([], [None], [{"steps": [], "everywhere": True, "ends": []}]):
        with pytest.raises(Rejected):
            replay(_proved(claim, ends=ends))


def test_both_sides_do_not_have_values_everywhere() -> None:
    claim = claim_of("exp(1/x) > 0")
    assert replay(_proved(claim)) == "PROVED"
    with pytest.raises(Rejected, match="no value somewhere"):
        replay(_proved(claim, everywhere=True))


@pytest.mark.parametrize("somewhere", [{}, {"x": -1}, {"x": 0}, {"x": 1, "y": 1}, {"x": "y"}])
def test_point_of_a_proved_claim_lies_in_its_domain(somewhere: dict[str, Any]) -> None:
    claim = claim_of("exp(x) > 0", _POSITIVE)
    with pytest.raises(Rejected):
        replay(_proved(claim, somewhere=somewhere))


@pytest.mark.parametrize(
    ("text", "assume", "domain", "point"),
    [
        ("x > 1/2", {"x": "(1, 2)"}, None, {"x": "1/4"}),
        ("x < 3", {"x": "(1, 2)"}, None, {"x": 4}),
        ("x > 0", {"x": "positive"}, None, {"x": 0}),
        ("2*n != 3", {"n": "integer"}, None, {"n": "3/2"}),
        ("n*(n - 1) >= 0", {"n": "nonnegative integer"}, None, {"n": "1/2"}),
        ("x > y", {}, "x > y + 1", {"x": 0, "y": 1}),
        ("x == y", {}, "x == y", {"x": 0, "y": 1}),
        ("exp(x) > 0", {}, None, {"x": 1}),
        ("exp(x) > 0", {}, None, {}),
        ("x/x == 1", {}, None, {"x": 0}),
        ("log(x) == sqrt(x)", {}, None, {"x": -1}),
        ("x > 0", {"x": "(-1, oo)"}, None, {"x": ["log", -1]}),
        ("exp(x) == 1", {}, None, {"x": ["log", 0]}),
    ],
)
def test_point_outside_or_without_failure_refutes_nothing(
    text: str, assume: dict[str, str], domain: str | None, point: dict[str, Any]
) -> None:
    claim = claim_of(text, assume, domain)
    for more in ({}, {"undefined": 0}, {"undefined": 1}):
        with pytest.raises(Rejected):
            replay(_sealed(claim, "REFUTED", {"point": point, "steps": []} | more))


_REAL = [None, None]
_POSITIVES = [0, None]
_NEITHER = ["^", "x", 3, 2]
_CUBE = ["+", ["^", "x", 3], ["*", -1, _NEITHER]]
_MET = ["+", "x", ["*", -1, "y"], "y", ["*", -1, "z"]]
_APART = ["+", "x", ["*", -1, "z"], ["*", -1, _MET]]
_UNIT = ["*", "x", ["^", _ROOT, -1]]
_FALLING = ["+", ["^", "x", 2], ["*", -10, "x"]]
_SIX = ["name", "x"], ["log", "x"], ["root", 0, 2, "x"], ["root", 0, 6, "x"]
_ONE = ["+", "y", ["*", -1, "y"], 1]
_HIDDEN = ["^", "x", _ONE]
# zero for x > 0, and a divisor of zero: (|x| - x)(|x| + x) = 0
_LESS = ["+", _ROOT, ["*", -1, "x"]]
_MODULUS = [
    ["name", "x"],
    ["log", ["^", "x", 2]],
    ["root", 0, 2, ["^", "x", 2]],
    ["power", _ROOT, [1], [0, 1]],
    ["log", _LESS],
]
_SIXTH = ["^", _LESS, "1/6"]
_THIRD = ["^", _SIXTH, 2]
_CANCELED = ["+", _THIRD, _SIXTH, _ROOT, "x", ["*", -1, _THIRD], ["*", -1, _SIXTH]]
_QUOTIENT = (
    ["root", 2, 2, _LESS],
    ["root", 2, 3, _LESS],
    ["power", _SIXTH, [0, 0, 1], [0, 0, 0, 1, -1]],
)
_EXP_0 = ["exp", ["+", "x", ["*", -1, "x"]]]
_TIMES_1 = ["*", ["+", _ROOT, "x"], _EXP_0, _EXP_0]
_UNITY = ["root", 2, 2, _LESS], ["root", 2, 6, _LESS], ["exponential", _EXP_0, [0, 0, 0, 1, -3]]


# sqrt(x) as two roots h and k: (x - h k)/(h - k) is h and -k in the ring, and 0/0 at all points
_H, _K = ["^", "x", "1/2"], ["^", "x", "2/4"]
_NOWHERE = ["*", ["+", "x", ["*", -1, _H, _K]], ["^", ["+", _H, ["*", -1, _K]], -1]]
_NORM = ["^", ["+", "x", 1], "1/2"]
_OPPOSITE = ["+", ["sin", ["atan", _H]], ["*", _H, ["^", _NORM, -1]]]
_ARC_OF_NOWHERE = [
    ["name", "x"],
    ["log", "x"],
    ["root", 0, 2, "x"],
    ["root", 0, 2, "x"],
    ["power", _H, [1], [0, 1]],
    ["power", _K, [1], [0, 0, 1]],
    ["function", "atan", _H],
    ["equal", ["atan", _NOWHERE], 0, 1],
    ["log", ["+", "x", 1]],
    ["root", 3, 2, ["+", "x", 1]],
    ["power", _NORM, [0, 0, 0, 1], [0, 0, 0, 0, 1]],
    ["power", ["^", ["+", ["^", _NOWHERE, 2], 1], "1/2"], [0, 0, 0, 1], [0, 0, 0, 0, 1]],
    ["arc", ["atan", _NOWHERE]],
    ["circle", ["atan", _H], [1], 0],
    ["power", _H, [1], [0, 0, 1]],
]


def _met(x: str, t: list[Any], *names: str) -> list[Any]:
    """T is zero for x = 0 + y."""
    there = json.loads(json.dumps(t).replace(f'"{x}"', '"y"'))
    return ["traded", t, x, "y", [["normal", there, 9, [["name", n] for n in ("y", *names)]]]]


# false claims of one or two names: operator, left, ranges, relations, steps, and the gap
FALSE: dict[str, tuple[str, Any, dict[str, Any], list[Any], list[Any], str]] = {
    "x^3 and x^2 in one term": (
        ">=",
        ["^", "x", 3],
        {"x": _REAL},
        [],
        [["normal", _CUBE, 9, [["name", "x"]]], ["rewrite", ["^", "x", 3], _NEITHER]],
        "number of terms",
    ),
    "x = y and z = y for a y of no domain": (
        "==",
        ["+", "x", ["*", -1, "z"]],
        {"x": _POSITIVES, "z": _POSITIVES},
        [],
        [
            _met("x", ["+", "x", ["*", -1, "y"]]),
            _met("z", ["+", "y", ["*", -1, "z"]]),
            ["grouped", _MET, [["+", "x", ["*", -1, "y"]], ["+", "y", ["*", -1, "z"]]]],
            _met("x", _APART, "z"),
            ["rewrite", ["+", "x", ["*", -1, "z"]], _MET],
        ],
        "no domain for a name",
    ),
    "two parts of a domain, and a point in one": (
        "==",
        ["+", _UNIT, -1],
        {"x": _REAL},
        [[">", ["^", "x", 2]]],
        [["near", ["+", _UNIT, -1], 9, _SQUARE, {"x": 3}, []]],
        "not analytic",
    ),
    "a slope that is positive in a part, from a start outside of it": (
        ">",
        _FALLING,
        {"x": _POSITIVES},
        [[">", ["+", ["*", 2, "x"], -10]]],
        [["rising", _FALLING, "x"]],
        "not rising",
    ),
    "a power of a negative number as roots": (
        ">=",
        _HIDDEN,
        {"x": _REAL, "y": _REAL},
        [],
        [["normal", _HIDDEN, 9, [["name", "y"], *_SIX, ["power", _HIDDEN, [1], [0, 1, 3]]]]],
        "unknown sign",
    ),
    "a root of zero as a quotient of roots": (
        "==",
        _CANCELED,
        {"x": _REAL},
        [],
        [["normal", _CANCELED, 9, [*_MODULUS, *_QUOTIENT]]],
        "an open sign",
    ),
    "one as a quotient of roots of zero": (
        "==",
        _TIMES_1,
        {"x": _REAL},
        [],
        [["normal", _TIMES_1, 9, [*_MODULUS, *_UNITY]]],
        "unknown sign",
    ),
    "the angle of 0/0": (
        "==",
        _OPPOSITE,
        {"x": _POSITIVES},
        [],
        [["normal", _OPPOSITE, 20, _ARC_OF_NOWHERE]],
        "no value",
    ),
    "the angle of 0/0 near a point": (
        "==",
        _OPPOSITE,
        {"x": _POSITIVES},
        [],
        [["near", _OPPOSITE, 20, _ARC_OF_NOWHERE, {"x": 3}, []]],
        "no value",
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_claim_is_not_proved(name: str) -> None:
    operator, left, ranges, relations, steps, gap = FALSE[name]
    claim = {"operator": operator, "left": left, "right": 0, "ranges": ranges, "closed": []}
    point = {x: i + 6 for i, x in enumerate(ranges)}
    proof = {"steps": steps, "everywhere": False, "ends": [], "somewhere": point}
    with pytest.raises(Rejected, match=gap):
        replay(_sealed(claim | {"relations": relations}, "PROVED", proof))


def test_corner_of_two_ends_is_not_left_out() -> None:
    # at x = 0 the root has no value for y > 0, but one for y = 0, where the sum is not positive
    claim = claim_of("x + 0*sqrt(x - y) > 0", {"x": "nonnegative", "y": "nonnegative"})
    ends = [None, {"steps": [], "everywhere": False, "ends": []}]
    with pytest.raises(Rejected, match="have values at"):
        replay(_proved(claim, ends=ends))


def test_logarithm_of_a_pole_refutes_nothing() -> None:
    claim = claim_of("exp(-log(1/x - 1)) == x/(1 - x)", {"x": "[0, 1)"})
    with pytest.raises(Rejected, match="a pole"):
        replay(_sealed(claim, "REFUTED", {"point": {"x": 0}, "steps": [], "undefined": 0}))


def _nested_power(t: Any, n: int, depth: int) -> Any:
    for _ in range(depth):
        t = ["^", t, n]
    return t


@pytest.mark.parametrize(
    "left",
    [
        ["+", _nested_power("x", 300, 2), "x", 1],
        ["+", _nested_power("x", 300, 4), "x", 1],
        ["^", ["+", _nested_power("x", 300, 3), "x", 1], -1],
        ["+", _nested_power(3, 60, 6), "x"],
    ],
)
def test_large_degrees_and_numbers_are_not_expanded(left: Any) -> None:
    claim = {"operator": ">=", "left": left, "right": 0, "ranges": {"x": _REAL}, "closed": []}
    proof = {"steps": [["normal", left, 1, [_X]]], "everywhere": False, "ends": []}
    with pytest.raises(Rejected, match="large"):
        replay(_sealed(claim | {"relations": []}, "PROVED", proof | {"somewhere": {"x": 1}}))


@pytest.mark.parametrize(
    ("assume", "domain"),
    [
        ({"x": "integer"}, "x > 1/2"),
        ({"x": "integer"}, "x >= 1 & x < 10/3"),
        ({"x": "nonnegative integer"}, None),
        ({"x": "negative integer"}, None),
    ],
)
def test_printed_range_of_an_integer_is_that_of_the_claim(
    assume: dict[str, str], domain: str | None
) -> None:
    claim = claim_of("x >= 1", assume, domain)
    assert digest(claim_of(*claim_text(claim))) == digest(claim)


@pytest.mark.parametrize("domain", ["x > -1", "x >= -1", "x < 1"])
def test_domain_does_not_widen_a_nonnegative_symbol(domain: str) -> None:
    claim = claim_of("x > 0", {"x": "nonnegative"}, domain)
    assert claim["ranges"]["x"][0] == 0 and claim["closed"] == [["x", 0]]
    assert th.prove("x > 0", {"x": "nonnegative"}, domain).refuted
    assert digest(claim) != digest(claim_of("x > 0", None, domain))


@pytest.mark.parametrize(
    "statement",
    [
        sp.Ne(sp.Symbol("n", prime=True), 4, evaluate=False),
        sp.Gt(sp.Symbol("x", real=True, nonzero=True) ** 2, 0, evaluate=False),
        sp.Eq(sp.Function("exp")(sp.Symbol("x", real=True)), 1, evaluate=False),
    ],
)
def test_statement_that_a_claim_cannot_make_has_no_hash(statement: Any) -> None:
    with pytest.raises(UnsupportedFormula):
        claim_of(statement)
    assert "sha256" not in th.prove(statement).record


N, ODD = sp.Symbol("n", even=True), sp.Symbol("n", odd=True, positive=True)


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        (sp.Gt(sp.Symbol("x", nonnegative=True), 0, evaluate=False), "REFUTED"),
        (sp.Ge(sp.Symbol("x", nonpositive=True), 0, evaluate=False), "REFUTED"),
        (sp.Eq(N**2, 4, evaluate=False), "REFUTED"),
        (sp.Gt(N**2, -1, evaluate=False), "PROVED"),
        (sp.Eq(ODD**2, 9, evaluate=False), "REFUTED"),
        (sp.Ge(ODD, 0, evaluate=False), "PROVED"),
    ],
    ids=str,
)
def test_assumptions_of_sympy_are_part_of_the_claim(statement: Any, status: str) -> None:
    record = replayed(th.prove(statement), status)
    assert digest(claim_of(*claim_text(record["claim"]))) == record["sha256"]


@pytest.mark.parametrize(("kind", "n"), [("even", 3), ("odd", 4), ("even", "1/2"), ("odd", 0)])
def test_counterexample_of_another_kind_is_rejected(kind: str, n: Any) -> None:
    claim = claim_of("n == 100", {"n": kind})
    with pytest.raises(Rejected, match=f"n is not {kind}"):
        replay(_sealed(claim, "REFUTED", {"point": {"n": n}, "steps": []}))


def test_two_symbols_of_one_name_are_an_error() -> None:
    statement = sp.Eq(sp.Symbol("x", real=True), sp.Symbol("x", positive=True))
    with pytest.raises(AssumptionError, match="called x"):
        th.prove(statement)


def test_loggamma_has_no_value_at_negative_numbers() -> None:
    claim = claim_of("loggamma(x) >= -1")
    with pytest.raises(Rejected, match="no value"):
        replay(_sealed(claim, "REFUTED", {"point": {"x": "-18/5"}, "steps": []}))


@pytest.mark.parametrize("op", ["+", "sinh"])
def test_deep_terms_take_no_exponential_time(op: str) -> None:
    t: Any = "x"
    for _ in range(60):
        t = ["*", ["+", t, 1], "x"] if op == "+" else [op, t]
    claim = {"operator": ">=", "left": t, "right": 0, "ranges": {"x": _REAL}, "closed": []}
    proof = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": 1}}
    with pytest.raises(Rejected, match=r"do not prove|too large"):
        replay(_sealed(claim | {"relations": []}, "PROVED", proof))


def test_large_power_of_a_sum_is_not_expanded() -> None:
    names = [f"x{i}" for i in range(9)]
    left = ["^", ["+", *names, 1], 300]
    claim = {"operator": ">=", "left": left, "right": 0, "closed": [], "relations": []}
    steps = [["normal", left, 9, [["name", x] for x in names]]]
    point = dict.fromkeys(names, 1)
    proof = {"steps": steps, "everywhere": False, "ends": [], "somewhere": point}
    with pytest.raises(Rejected, match="a large power"):
        replay(_sealed(claim | {"ranges": dict.fromkeys(names, _REAL)}, "PROVED", proof))


def test_point_without_values_refutes_nothing() -> None:
    # exp is positive wherever it has a value, and exp(log(-1)) has none
    claim = claim_of("exp(log(x))*x > 0")
    with pytest.raises(Rejected, match="no value"):
        replay(_sealed(claim, "REFUTED", {"point": {"x": -1}, "steps": []}))


def test_claim_about_nothing_is_not_proved() -> None:
    claim = claim_of("exp(log(x)) > 0", {"x": "negative"})
    proof = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": -1}}
    with pytest.raises(Rejected, match="no value"):
        replay(_sealed(claim, "PROVED", proof))


@pytest.mark.parametrize(
    "t",
    [
        ["Ei", 0],
        ["exp", ["Ei", 0]],
        ["^", 0, -1],
        ["log", 0],
        ["^", ["gamma", 0], -1],
        ["erfinv", 1],
    ],
)
def test_what_has_no_value_has_no_finite_ball(t: Any) -> None:
    assert not ball(t, {}).is_finite()


@pytest.mark.parametrize(
    "record", [{}, [], None, {"claim": {}, "verdict": "PROVED"}, {"claim": 1, "proof": 2}]
)
def test_malformed_certificate_is_rejected(record: Any) -> None:
    with pytest.raises(Rejected):
        replay(record)


def test_checker_needs_neither_sympy_nor_the_prover() -> None:
    code = (
        "import sys; import theory.claims.replay; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('sympy', 'mpmath', 'numpy', 'scipy') "
        "or m.startswith(('theory.exact', 'theory.claims.prove'))]; assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_command_line_writes_and_replays(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    written = CliRunner().invoke(
        main, ["prove", "log(x**2) == 2*log(x)", "--assume", "x > 0", "--certificate", str(file)]
    )
    assert written.exit_code == 0, written.output
    accepted = CliRunner().invoke(main, ["replay", str(file)])
    assert accepted.exit_code == 0
    assert accepted.output.startswith("PROVED, replayed: log(x**2) == 2*log(x)")
    file.write_text(file.read_text().replace('"PROVED"', '"REFUTED"'))
    rejected = CliRunner().invoke(main, ["replay", str(file)])
    assert rejected.exit_code == 1
    assert "REJECTED" in rejected.output


def test_command_line_says_where_a_replayed_claim_holds(tmp_path: Path) -> None:
    file = str(tmp_path / "c.json")
    CliRunner().invoke(main, ["prove", "x/x == 1", "--certificate", file])
    assert (
        "provided that both sides are defined" in CliRunner().invoke(main, ["replay", file]).output
    )
    answer = CliRunner().invoke(main, ["replay", file, "--json"]).output
    assert json.loads(answer)["conditions"] == ["both sides are defined"]
    CliRunner().invoke(main, ["prove", "cosh(x) > 0", "--certificate", file])
    assert "provided" not in CliRunner().invoke(main, ["replay", file]).output


def test_command_line_shows_a_claim_that_no_statement_makes(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    claim = claim_of("exp(x) > 0", {"x": "(0, 1)"}) | {"closed": [["x", 5]]}
    end = {"steps": [], "everywhere": False, "ends": []}
    file.write_text(json.dumps(_proved(claim, somewhere={"x": "1/2"}, ends=[end])))
    answer = CliRunner().invoke(main, ["replay", str(file)])
    assert answer.exit_code == 0 and '"closed": [["x", 5]]' in answer.output


def test_number_of_many_digits_is_not_factored() -> None:
    # the product of two primes of 40 digits
    n = (10**39 + 3) * (10**39 + 267)
    th.certificate(f"log({n}*x) == log({n}) + log(x)", {"x": "positive"})


@pytest.mark.parametrize(
    ("statement", "assume", "names"),
    [
        ("abs(x - (x + gap)) == x + gap - x", {"gap": "positive"}, {"x", "gap"}),
        ("abs(y + gap - y) == y - (y + gap)", {"gap": "positive"}, {"y", "gap"}),
        ("sign(x)**2 == 1", {"x": "positive"}, {"x"}),
        ("0*a == 0", None, {"a"}),
    ],
)
def test_names_that_cancel_have_a_domain(
    statement: str, assume: dict[str, str] | None, names: set[str]
) -> None:
    record = th.certificate(statement, assume)
    assert set(record["claim"]["ranges"]) == names
    assert replay(record) == record["verdict"]
