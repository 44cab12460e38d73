"""Certificates of Legendre type, of what falls, and of trajectories, and forged ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import sympy as sp
from flint import arb

import theory as th
from tests.claims.forged import forged, rejected, replayed, sealed
from theory.claims.replay import Rejected, conditions_of
from theory.claims.replay.enclosure import Field, advance, taylor_setting

DIFFERENCE = th.Elementwise("u**2 - v**2", "u, v")
FLOW = th.GradientFlow(DIFFERENCE)
WIDE = th.Regression([[1, 2]], [1])
ZERO = th.Regression([[1]], [0])
START = {"u": 0.1, "v": 0.1}
ONE = {"u": 1, "v": 1}


# -- Legendre type


@pytest.mark.parametrize(
    ("formula", "start"),
    [
        ("u", {"u": 0}),
        ("u**2", {"u": 1}),
        ("u**3", {"u": 1}),
        ("exp(u)", {"u": 0}),
        ("sinh(u)", {"u": 0}),
        ("sin(u)", {"u": 0}),
        ("tanh(u)", {"u": 0}),
        ("atan(u)", {"u": 0}),
        ("log(u)", {"u": 1}),
        ("u**2 - v**2", ONE),
        ("u**3 - v**3", ONE),
        ("u**4 - v**4", ONE),
        ("exp(u) - exp(v)", {"u": 1, "v": -1}),
        ("u*v", ONE),
    ],
)
def test_legendre_type_replays(formula: str, start: dict[str, Any]) -> None:
    rho = th.Elementwise(formula, ", ".join(start))
    replayed(th.is_legendre(rho, start), "PROVED")


@pytest.mark.parametrize(
    ("formula", "start", "status"),
    [
        ("u**(3/2)", 1, "REFUTED"),
        ("u**(4/3)", sp.Rational(1, 3), "REFUTED"),
        ("sqrt(u)", 3, "REFUTED"),
        ("u**(5/2)", 2, "PROVED"),
    ],
)
def test_fractional_powers_replay(formula: str, start: Any, status: str) -> None:
    replayed(th.is_legendre(th.Elementwise(formula, "u"), {"u": start}), status)


def test_end_of_a_part_of_a_curve_refutes_nothing() -> None:
    """The curve of u^2 ends nowhere; a part of it ends at u = 2, where u^2 has larger values."""
    record = replayed(th.is_legendre(th.Elementwise("u**(3/2)", "u"), {"u": 1}), "REFUTED")
    side, last, *parts = record["proof"]["limits"]
    assert side == 0 and "steps" in last
    for claim in ({"component": ["^", "u", 2]}, {"component": ["^", "u", "1/2"]}):
        rejected(forged(record, claim))
    hints = record["proof"]["hints"]
    rejected(forged(record, hints=hints | {"range": ["1/2", None]}))
    rejected(forged(record, limits=[1, last, *parts]))
    rejected(forged(record, limits=[0, parts[0], *parts]))
    rejected(forged(record, limits=[0, {}, *parts]))


@pytest.fixture(scope="module")
def legendre() -> dict[str, Any]:
    return replayed(th.is_legendre(th.Elementwise("u**2", "u"), {"u": 1}), "PROVED")


@pytest.mark.parametrize(
    "claim",
    [
        {"component": ["^", "u", "3/2"]}, {"component": ["^", "u", 4]}, {"start": [0]},
        {"start": [-1]}, {"rates": [2]}, {"rates": [-1]}, {"parameters": ["v"]}, {"further": 1},
        {"ask": "mirror_potential"}, {"relations": [[">", "u"]]}, {"ranges": {"u": [0, 2]}},
        {"ranges": {"u": [None, None, "integer"]}},
    ],
    ids=str,
)  # fmt: skip
def test_legendre_type_of_another_flow_is_rejected(
    legendre: dict[str, Any], claim: dict[str, Any]
) -> None:
    rejected(forged(legendre, claim))


@pytest.mark.parametrize(
    "hints",
    [
        # a part of the curve, at whose ends x and xi are finite
        {"range": [0, 2]}, {"range": ["1/2", None]}, {"range": [2, None]}, {"range": [None, None]},
        # another clock, another curve, and a dual variable that is none
        {"rate": 0}, {"rate": ["^", "u", -2]}, {"dual": ["^", "u", -1]},
        {"dual": ["log", ["^", "u", 2]]}, {"theta": [1]}, {"theta": [["^", "u", 2]]}, {"begin": 2},
        {"name": "pi"},
    ],
    ids=str,
)  # fmt: skip
def test_forged_curve_of_legendre_type_is_rejected(
    legendre: dict[str, Any], hints: dict[str, Any]
) -> None:
    rejected(forged(legendre, hints=legendre["proof"]["hints"] | hints))


def test_every_part_of_legendre_type_is_needed(legendre: dict[str, Any]) -> None:
    for entry in ("given", "parts", "limits"):
        for i in range(len(legendre["proof"][entry])):
            shorter = copy.deepcopy(legendre)
            del shorter["proof"][entry][i]
            rejected(sealed(shorter), "left out")
    limits = legendre["proof"]["limits"]
    rejected(forged(legendre, limits=[limit | {"of": 2} for limit in limits]))
    out = copy.deepcopy(legendre)
    out["verdict"] = "REFUTED"
    rejected(sealed(out))


def test_finite_end_with_a_finite_slope_is_not_of_legendre_type(legendre: dict[str, Any]) -> None:
    """u^(3/2) has x = 0 and xi = -4/3 at its end: no function of its curve is infinite there."""
    finite = legendre["proof"]["limits"][0]["proof"] | {"limits": []}
    hints = legendre["proof"]["hints"] | {"dual": "u", "rate": 1}
    rejected(forged(legendre, hints=hints, limits=[{"of": 0, "proof": finite}] * 2))


# -- what falls


@pytest.mark.parametrize(
    ("V", "flow", "problem", "status"),
    [
        ("u**2 + v**2", FLOW, ZERO, "PROVED"),
        ("u**2 + v**2", FLOW, WIDE, "REFUTED"),
        ("u", th.GradientFlow(th.Elementwise("u**2", "u", assume={"u": "(1, oo)"})),
         th.Regression([[1]], [1]), "PROVED"),
        ("u", th.GradientFlow(th.Elementwise("u**2", "u", assume={"u": "(0, 1)"})),
         th.Regression([[1]], [1]), "REFUTED"),
        ("loss", FLOW, None, "PROVED"),
        ("loss", th.GradientFlow(DIFFERENCE, loss=th.losses.log_cosh()), WIDE, "PROVED"),
        ("loss", th.GradientFlow(DIFFERENCE, loss=th.losses.cross_entropy(),
                                 link=th.links.logistic()), None, "PROVED"),
    ],
    ids=str,
)  # fmt: skip
def test_falling_formula_replays(V: str, flow: Any, problem: Any, status: str) -> None:
    replayed(th.decreases(V, flow, problem), status)


@pytest.fixture(scope="module")
def falling() -> dict[str, Any]:
    record = replayed(th.decreases("u**2 + v**2", FLOW, ZERO), "PROVED")
    assert conditions_of(record) == ("the flow stays where the formula and the loss have values",)
    return record


@pytest.mark.parametrize(
    "claim",
    [
        # another target, data, link or law may lift it
        {"slopes": [["+", "z", -1]]}, {"slopes": [1]}, {"slopes": ["z", "z"]}, {"slopes": ["u_0"]},
        {"matrix": [[1], [-2]]}, {"matrix": []}, {"matrix": [[1, 1]]}, {"matrix": [["z"]]},
        {"law": "u"}, {"law": ["sign", "u"]}, {"law": ["*", -1, ["^", "u", 2]]},
        {"component": ["^", "u", 3]}, {"component": "u"}, {"rates": [-1, -1]},
        {"parameters": ["u"]}, {"parameters": ["u", "u"]}, {"variables": ["u"]},
        {"variables": ["u_0"]}, {"ranges": {"u_0": [None, None]}}, {"further": 1},
        {"slopes": [["*", -1, "z"]]}, {"slopes": [["+", "z", "1/100"]]},
    ],
    ids=str,
)  # fmt: skip
def test_fall_of_another_formula_is_rejected(
    falling: dict[str, Any], claim: dict[str, Any]
) -> None:
    rejected(forged(falling, claim))


def test_constant_named_as_a_numbered_parameter_is_rejected(falling: dict[str, Any]) -> None:
    rejected(forged(falling, {"law": ["*", "u_0", "u"]}), "a constant with the name")


def test_forged_rise_is_rejected() -> None:
    risen = replayed(th.decreases("u**2 + v**2", FLOW, WIDE), "REFUTED")
    rejected(forged(risen, {"slopes": ["z"]}))
    rejected(forged(risen, {"law": ["*", "u", "v"]}))
    rejected(forged(risen, parts=[]))
    rejected(forged(risen, {"relations": [[">", ["*", -1, ["^", "u_0", 2]]]]}))


@pytest.mark.parametrize(
    "claim",
    [
        {"slope": ["+", ["*", -1, "z"], "y"]}, {"slope": "z"}, {"loss": ["^", "z", 2]},
        {"rates": [-1]}, {"rates": []}, {"rates": [0, 1]}, {"variables": ["y"]},
        {"variables": ["w"]}, {"loss": ["Abs", "z"], "slope": ["sign", "z"]},
        {"loss": ["log", "z"], "slope": ["^", "z", -1]},
        {"loss": ["sign", "z"], "slope": 0}, {"further": 1},
    ],
    ids=str,
)  # fmt: skip
def test_loss_with_another_slope_is_rejected(claim: dict[str, Any]) -> None:
    rejected(forged(replayed(th.decreases("loss", FLOW), "PROVED"), claim))


# -- trajectories


@pytest.mark.parametrize(
    ("box", "status"),
    [
        ({0: (0, 0.5), 1: (0.01, sp.oo)}, "PROVED"),
        ({0: (0, 1), 1: (0.5, 0.5)}, "REFUTED"),
        ({"u": (0, 1), ("v", 0): (0, 1)}, "PROVED"),
    ],
    ids=str,
)
def test_passage_replays(box: Any, status: str) -> None:
    replayed(th.passes(FLOW, WIDE, START, 0.5, box), status)


def test_closed_and_open_ends_replay() -> None:
    problem, start = th.Regression([[1, 0]], [1]), {"u": 0.5, "v": 0}
    replayed(th.passes(FLOW, problem, start, 1, {("u", 1): (0.5, 1)}), "PROVED")
    replayed(th.passes(FLOW, problem, start, 1, {("u", 1): sp.Interval.open(0.5, 1)}), "REFUTED")


@pytest.mark.parametrize(
    ("law", "bound", "status"),
    [("u*v", 0, "PROVED"), ("u + v", 0.1, "REFUTED"), ("v", 0.1, "PROVED")],
)
def test_drift_replays(law: str, bound: Any, status: str) -> None:
    replayed(th.drift_at_most(law, FLOW, WIDE, START, 0.5, bound), status)


@pytest.mark.parametrize(
    ("loss", "link"),
    [("cross_entropy", "logistic"), ("poisson", "exp"), ("logistic", None)],
)
def test_passage_replays_for_losses_and_links(loss: str, link: str | None) -> None:
    chosen = getattr(th.losses, loss)()
    flow = th.GradientFlow(DIFFERENCE, loss=chosen, link=getattr(th.links, link or "identity")())
    problem = th.Regression([[0.5, -1.25]], [1.0])
    verdict = th.passes(flow, problem, {"u": [0.5, 0.75], "v": 0.25}, 0.0625, {0: (-5, 5)})
    replayed(verdict, "PROVED")


@pytest.fixture(scope="module")
def passage() -> dict[str, Any]:
    flow, problem = th.GradientFlow(th.Elementwise("u**2", "u")), th.Regression([[1]], [1])
    return replayed(th.passes(flow, problem, {"u": 0.1}, 2, {0: (0.9, 1)}), "PROVED")


@pytest.mark.parametrize(
    "claim",
    [
        {"box": []}, {"box": [[">=", ["+", ["^", "u_0", 2], -1]]]}, {"box": [[">", "u"]]},
        {"box": [["==", "u_0"]]}, {"box": [[">=", ["log", ["*", -1, "u_0"]]]]},
        {"end": 1}, {"end": 3}, {"end": -2}, {"end": "pi"},
        {"start": [[["1/20", "1/20"]]]}, {"start": [[["1/10", "2/10"]]]}, {"start": [[["1/10"]]]},
        {"start": [[["1/5", "1/10"]]]}, {"start": [[["-1/10", "1/10"]]]}, {"start": []},
        {"matrix": [["1/2"]]}, {"matrix": [[1], [1]]}, {"slopes": ["z"]}, {"slopes": ["y"]},
        {"rates": ["1/2"]}, {"rates": ["a"]}, {"component": "u"}, {"component": ["^", "u", 4]},
        {"relations": [[">", ["+", "1/2", ["*", -1, "u_0"]]]]}, {"relations": [["==", "u_0"]]},
        {"ranges": {"u_0": [None, "1/2"]}}, {"ranges": {"u_0": [None, None, "integer"]}},
        {"ranges": {"u_0": [None, None], "a": [None, None]}}, {"variables": ["u_0"]},
        {"further": 1}, {"ask": "drift"},
    ],
    ids=str,
)  # fmt: skip
def test_passage_of_another_flow_is_rejected(
    passage: dict[str, Any], claim: dict[str, Any]
) -> None:
    rejected(forged(passage, claim))


def test_forged_steps_are_rejected(passage: dict[str, Any]) -> None:
    lengths = passage["proof"]["lengths"]
    for changes in (
        {"lengths": []}, {"lengths": lengths[:-1]}, {"lengths": [*lengths, "1/8"]},
        {"lengths": [2]}, {"lengths": [3, -1]}, {"lengths": ["pi"]}, {"lengths": [0, *lengths[1:]]},
        {"order": 1}, {"order": 10**6}, {"bits": 1}, {"bits": 10**9},
    ):  # fmt: skip
        rejected(forged(passage, **changes))
    out = copy.deepcopy(passage)
    out["verdict"] = "REFUTED"
    rejected(sealed(out))


@pytest.fixture(scope="module")
def drift() -> dict[str, Any]:
    record = replayed(th.drift_at_most("u*v", FLOW, WIDE, START, 0.25, 0), "PROVED")
    assert "conserved" in record["proof"]
    return record


@pytest.mark.parametrize(
    ("claim", "proof"),
    [
        ({"law": "v"}, {}), ({"law": ["+", "u", "v"]}, {}), ({"bound": -1}, {}),
        ({"law": ["log", ["*", -1, "u"]]}, {}), ({"law": "u_0"}, {}),
        # a step function has rate zero, and jumps: u - v changes its sign on the way
        ({"law": ["sign", ["+", "u", "v", "-41/200"]]}, {}),
        ({"component": ["^", "u", 2]}, {}), ({"rates": [1, 2]}, {}), ({"end": 3}, {}),
        ({}, {"conserved": {"steps": []}}), ({}, {"lengths": []}),
    ],
    ids=str,
)  # fmt: skip
def test_forged_drift_is_rejected(
    drift: dict[str, Any], claim: dict[str, Any], proof: dict[str, Any]
) -> None:
    rejected(forged(drift, claim, **proof))


def test_step_encloses_the_solution_and_refuses_a_blow_up() -> None:
    # y' = y^2 from 1 is 1/(1 - t)
    field = Field(("y",), (["^", "y", 2],), ())
    with taylor_setting(128, 20):
        stretch = advance(field, [arb(1)], arb(1) / 8, 20)
        assert stretch.after[0].contains(arb(8) / 7) and stretch.after[0].rad() < 1e-12
        assert stretch.during[0].contains(arb(1)) and stretch.during[0].contains(arb(16) / 15)
        with pytest.raises(Rejected):
            advance(field, [arb(1)], arb(1), 20)
        with pytest.raises(Rejected, match="length"):
            advance(field, [arb(1)], arb(-1) / 8, 20)
        root = Field(("y",), (["^", "y", "1/2"],), ())
        with pytest.raises(Rejected):
            # solutions through zero are not unique
            advance(root, [arb(0)], arb(1) / 8, 20)
        guarded = Field(("y",), (["^", "y", 2],), (["+", "11/10", ["*", -1, "y"]],))
        with pytest.raises(Rejected, match="may be left"):
            advance(guarded, [arb(1)], arb(1) / 8, 20)
