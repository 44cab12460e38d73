"""Certificates of laws, functions and potentials: they replay, and nothing false is accepted."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from click.testing import CliRunner

import theory as th
from tests.claims.forged import forged, rejected, replayed
from tests.claims.mutated_certificates import questions
from theory.claims.certificate import NoCertificate, certificate
from theory.claims.claim import question_text
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected, conditions_of, digest, replay
from theory.claims.replay.questions import relations_of
from theory.cli import main

DIFFERENCE = th.Elementwise("u**2 - v**2", "u, v")
ALPHA = sp.Symbol("alpha", positive=True)
EQUAL = {"u": ALPHA, "v": ALPHA}


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (th.conserved("atan(u/v)", th.Elementwise("u**2 + v**2", "u, v")), "PROVED"),
        (th.conserved("u**2 - w**2", th.Elementwise("u*v*w", "u, v, w")), "PROVED"),
        (th.conserved("u**2 - 2*v**2", th.Elementwise("u*v", "u, v", rates=[2, 1])), "PROVED"),
        (th.conserved("u**2 - v**2", th.Elementwise("u*v", "u, v", rates=[2, 1])), "REFUTED"),
        (th.decreases("u*v", th.GradientFlow(DIFFERENCE)), "PROVED"),
        (th.decreases("u**2 + v**2", th.GradientFlow(DIFFERENCE)), "REFUTED"),
        (th.monotone("tanh(x)"), "PROVED"),
        (th.monotone("x - sin(x)"), "PROVED"),
        (th.monotone("-log(x)", "(0, oo)"), "PROVED"),
        (th.monotone("x**3", direction="decreasing"), "REFUTED"),
        (th.convex("log(1 + exp(x))"), "PROVED"),
        (th.convex("x*asinh(x/2) - sqrt(x**2 + 4)"), "PROVED"),
        (th.convex("log(exp(x) + exp(y))"), "PROVED"),
        (th.convex("x*log(x/y) - x + y", "(0, oo)"), "PROVED"),
        (th.convex("x**2 + 2*y**2 + 3*z**2 + x*y + y*z"), "PROVED"),
        (th.convex("-sqrt(x*y)", "(0, oo)"), "PROVED"),
        (th.convex("a*x**2", x="x", assume={"a": "positive"}), "PROVED"),
        (th.convex("exp(x)*y"), "REFUTED"),
        (
            th.is_mirror_potential(
                "(x*asinh(x/(2*alpha**2)) - sqrt(x**2 + 4*alpha**4))/4", DIFFERENCE, EQUAL
            ),
            "PROVED",
        ),
        (th.is_mirror_potential("x*asinh(x/(2*alpha**2))", DIFFERENCE, EQUAL), "REFUTED"),
        (
            th.is_mirror_potential(
                "x*asinh(x) - sqrt(x**2 + 1)", th.Elementwise("u*v", "u, v"), {"u": 1, "v": 0}
            ),
            "REFUTED",
        ),
    ],
)
def test_verdict_of_a_question_replays(verdict: th.Verdict, status: str) -> None:
    record = json.loads(json.dumps(certificate(verdict)))
    assert replay(record) == status == str(verdict.status)
    assert record["sha256"] == verdict.record["sha256"] == digest(record["claim"])


def test_undecided_question_has_no_certificate() -> None:
    with pytest.raises(NoCertificate, match="UNDECIDED"):
        certificate(th.conserved("u/v", th.Elementwise("u*v", "u, v"), restriction=["u - v"]))


def test_claim_of_a_question_says_everything() -> None:
    rho = th.Elementwise("u*v", "u, v", rates=[2, 1], assume={"u": "positive"})
    law = th.conserved("u**3", rho, restriction=["v"])
    assert law.record == {}
    claim = th.conserved("u**2 - 2*v**2", rho).record["claim"]
    sentence, assume, domain = question_text(claim)
    assert sentence == (
        "(u**2) + ((-2)*(v**2)) is conserved along x = v*u in u, v with the rates 2, 1"
    )
    assert (assume, domain) == ({"u": "positive", "v": "real"}, "")
    claim = th.convex("x**2/y", "y > 0 & x + y < 1").record["claim"]
    assert question_text(claim)[2] == "x + y + (-1) < 0"


def _changed(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A certificate of another claim, with its hash and its seal made again."""
    out = copy.deepcopy(record)
    out["claim"] |= changes
    return _sealed(out)


def _sealed(out: dict[str, Any]) -> dict[str, Any]:
    out["sha256"] = digest(out["claim"])
    out["seal"] = digest({k: v for k, v in out.items() if k != "seal"})
    return out


def _rejected(record: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        replay(record)


LAW = certificate(th.conserved("u*v", DIFFERENCE))
RESTRICTED = certificate(
    th.conserved("u**3 - v**3", th.Elementwise("u*v", "u, v"), restriction=["u - v"])
)
RISING = certificate(th.monotone("x**3 + x"))
CONVEX = certificate(th.convex("x**2 + y**2"))
POTENTIAL = certificate(
    th.is_mirror_potential("(x*log(x) - x)/4", th.Elementwise("u**2", "u"), {"u": 1})
)
WRONG = certificate(th.conserved("u + v", DIFFERENCE))


@pytest.mark.parametrize(
    "changes",
    [
        {"law": ["+", "u", "v"]},
        {"components": [["*", "u", "v"]]},
        {"components": []},
        # the second component has another law
        {"components": [*LAW["claim"]["components"], "u"]},
        {"rates": [2, 1]},
        {"rates": [0, 0]},
        {"rates": [1]},
        {"parameters": ["u"]},
        {"parameters": ["u", "u"]},
        {"parameters": ["u", "w"]},
        # a step function has rate zero wherever it has a rate
        {"law": ["sign", "u"]},
        {"law": ["Max", "u", 0]},
        {"ask": "unknown"},
        {"further": 1},
        {"relations": None},
        {"restriction": ["u"]},
        {"ranges": {"u": [None, None, "integer"], "v": [None, None]}},
    ],
)
def test_proof_of_one_law_is_none_of_another(changes: dict[str, Any]) -> None:
    _rejected(_changed(LAW, **changes))


def test_law_on_a_restriction_needs_quotients_with_values() -> None:
    forged = copy.deepcopy(RESTRICTED)
    claim = forged["claim"]
    # u' = v = (v/u) u: but u does not stay zero, and v/u has no value where it is
    claim["restriction"] = ["u"]
    claim["law"] = "u"
    forged["proof"]["hints"] = {
        "quotients": [["*", "v", ["^", "u", -1]]],
        "factors": [["*", "v", ["^", "u", -1]]],
    }
    rates = relations_of(claim, forged["proof"]["hints"]).alternatives[0][:2]
    forged["proof"]["parts"] = [*(part_of(r) for r in rates), {"steps": []}, {"steps": []}]
    with pytest.raises(Rejected, match="no value somewhere"):
        replay(_sealed(forged))


def test_counterexample_off_a_restriction_refutes_nothing() -> None:
    forged = copy.deepcopy(WRONG)
    forged["claim"]["restriction"] = [["+", "u", "v"]]
    forged["proof"]["hints"] = {"quotients": [0], "factors": [0]}
    with pytest.raises(Rejected, match="off the restriction"):
        replay(_sealed(forged))


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": "decreasing"},
        {"direction": "sideways"},
        # -1/x has the derivative 1/x^2 and falls from its pole
        {"function": ["*", -1, ["^", "x", -1]]},
        {"function": ["+", ["^", "x", 3], ["*", -1, "x"]]},
        {"variables": []},
        {"variables": ["x", "y"]},
    ],
)
def test_proof_of_one_function_is_none_of_another(changes: dict[str, Any]) -> None:
    _rejected(_changed(RISING, **changes))


def test_pole_is_not_monotone() -> None:
    forged = _changed(RISING, function=["*", -1, ["^", "x", -1]])
    slope = {"steps": [], "everywhere": False, "ends": [], "somewhere": {"x": 1}}
    forged["proof"]["parts"] = [slope, {"steps": []}]
    with pytest.raises(Rejected, match="no value somewhere"):
        replay(_sealed(forged))


@pytest.mark.parametrize(
    "changes",
    [
        {"function": ["+", ["^", "x", 2], ["*", -1, ["^", "y", 2]]]},
        {"function": ["+", ["^", "x", 2], ["*", 3, "x", "y"], ["^", "y", 2]]},
        {"variables": ["x", "x"]},
        # a ring is not convex
        {"relations": [[">", ["+", ["^", "x", 2], ["^", "y", 2], -1]]]},
        {"relations": [["!=", "x"]]},
        {"ranges": {**CONVEX["claim"]["ranges"], "d_x": [0, None]}},
    ],
)
def test_proof_of_one_convex_function_is_none_of_another(changes: dict[str, Any]) -> None:
    _rejected(_changed(CONVEX, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"potential": ["*", "1/2", POTENTIAL["claim"]["potential"]]},
        {"component": ["^", "u", 3]},
        {"start": [2]},
        {"rates": [2]},
        {"rates": [-1]},
        {"variables": ["u"]},
    ],
)
def test_potential_of_one_flow_is_none_of_another(changes: dict[str, Any]) -> None:
    _rejected(_changed(POTENTIAL, **changes))


@pytest.mark.parametrize(
    "hints",
    [
        # not the curve through the start, none of the flow, and one that stands still
        {"begin": 2},
        {"theta": [["^", "u", 2]]},
        {"theta": [1], "rate": 0},
        {"rate": 0},
        {"range": [2, 3]},
        {"range": [None, 0]},
        {"name": "x"},
        {"range": [0, None, "integer"]},
    ],
)
def test_curve_of_a_potential_is_the_one_through_the_start(hints: dict[str, Any]) -> None:
    forged = copy.deepcopy(POTENTIAL)
    forged["proof"]["hints"] |= hints
    _rejected(_sealed(forged))


@pytest.mark.parametrize("verdict", questions(), ids=lambda v: v.method[:30])
def test_every_part_of_an_answer_is_needed(verdict: th.Verdict) -> None:
    record = certificate(verdict)
    for entry in ("given", "parts"):
        for i in range(len(record["proof"][entry])):
            shorter = copy.deepcopy(record)
            del shorter["proof"][entry][i]
            _rejected(_sealed(shorter))


def test_smooth_is_no_word_of_a_relation() -> None:
    record = th.certificate("x == x")
    forged = _changed(record, right=5, smooth=True)
    _rejected(forged)


def test_conditions_of_a_question() -> None:
    assert conditions_of(LAW) == ("the flow stays where the law has a value",)
    assert conditions_of(WRONG) == conditions_of(RISING) == ()
    assert conditions_of(POTENTIAL) == ("the second derivative has a value",)


def test_command_line_certifies_a_question(tmp_path: Path) -> None:
    path = str(tmp_path / "law.json")
    asked = ["prove", "u*v", "--ask", "conserved", "--flow", "u**2 - v**2"]
    assert CliRunner().invoke(main, [*asked, "--certificate", path]).exit_code == 0
    answer = CliRunner().invoke(main, ["replay", path])
    assert answer.exit_code == 0
    assert answer.output.startswith("PROVED, replayed: u*v is conserved along x = (u**2) + ")
    assert "provided that the flow stays where the law has a value" in answer.output


def test_counterexample_lies_in_the_declared_range() -> None:
    """The curve of u^2 leaves (0, 4), and F is wrong for x > 1 only."""
    F = "(x*log(x) - x)/4 + ((x**2 - 2*x + 1)**(1/2) + x - 1)**3"
    rho = th.Elementwise("u**2", "u", assume={"u": "(0, 4)"})
    record = replayed(th.is_mirror_potential(F, rho, {"u": sp.Rational(1, 2)}), "REFUTED")
    hints = record["proof"]["hints"]
    assert hints["leaves"]
    rejected(forged(record, {"ranges": {"u": [0, 1]}}))
    rejected(forged(record, {"ranges": {"u": [1, 4]}}))
    rejected(forged(record, hints={**hints, "leaves": False}))
    rejected(forged(record, {"start": [5]}))


def test_curve_of_several_parameters_may_leave_a_range_and_return() -> None:
    product = {"u": sp.Rational(5, 4), "v": sp.Rational(3, 4)}
    F = "x*asinh(2*x)/2 - sqrt(4*x**2 + 1)/4 + ((x**2 + 2*x + 1)**(1/2) - x - 1)**3"
    verdict = th.is_mirror_potential(F, th.Elementwise("u*v", "u, v"), product)
    record = replayed(verdict, "REFUTED")
    hints = record["proof"]["hints"]
    bounded = {"u": ["11/10", None], "v": [None, None]}
    rejected(forged(record, {"ranges": bounded}, hints=hints | {"leaves": True}), "come back")
