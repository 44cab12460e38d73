"""Certificates of limit points: they replay, and forged ones are not accepted."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import sympy as sp

import theory as th
from tests.claims.forged import forged, rejected, replayed, sealed

Q = sp.Rational
FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
SMALL = {"u": 0.1, "v": 0.1}
SUM = th.Regression([[1, 1]], [1])
LINEAR = th.GradientFlow(th.Elementwise("u", "u"))
SQUARE = th.GradientFlow(th.Elementwise("u**2", "u"))
CUBE = th.GradientFlow(th.Elementwise("u*v*w", "u, v, w"))
ONES = {"u": 1, "v": 1, "w": 1}


@pytest.mark.parametrize(
    ("x", "flow", "data", "start", "status"),
    [
        ([Q(7, 5), Q(4, 5)], LINEAR, th.Regression([[1, 2]], [3]), {"u": [1, 0]}, "PROVED"),
        ([3, 0], LINEAR, th.Regression([[1, 2]], [3]), {"u": [1, 0]}, "REFUTED"),
        ([Q(3, 8), Q(15, 16)], FLOW, th.Regression([[1, 2]], [2.25]), {"u": 0.5, "v": 0.5},
         "PROVED"),
        ([Q(1, 2), Q(1, 2)], FLOW, SUM, SMALL, "PROVED"),
        ([1, 0], FLOW, SUM, SMALL, "REFUTED"),
        ([0.25, 0.5], FLOW, SUM, SMALL, "REFUTED"),
        ([2, -1], SQUARE, SUM, {"u": 1}, "REFUTED"),
        ([8, 27], CUBE, th.Regression([[3, 4]], [132]), ONES, "PROVED"),
    ],
    ids=str,
)  # fmt: skip
def test_limit_point_replays(x: Any, flow: Any, data: Any, start: Any, status: str) -> None:
    replayed(th.limit_point_is(x, flow, data, start), status)


TWINS = th.GradientFlow(th.Elementwise("u**4 + u + v**3", "u, v"))


@pytest.fixture(scope="module")
def twins() -> dict[str, Any]:
    """Two coordinates that change places; their curve has no closed form."""
    data, start = th.Regression([[1, 1]], [6.5]), {"u": 1, "v": 1}
    record = replayed(th.limit_point_is([3, Q(7, 2)], TWINS, data, start), "REFUTED")
    assert record["proof"]["because"] == "twins"
    return record


@pytest.mark.parametrize(
    "claim",
    [
        {"start": [[1, 1], [1, 2]]}, {"matrix": [[1, 2]]}, {"point": [3, 3]},
        # the flow has more than one solution from u = 0
        {"component": ["+", ["^", "u", "4/3"], "v"]},
        {"component": ["+", ["Abs", "u"], "v"]}, {"slopes": [["sign", "z"]]},
        # from a start beyond the range, or a flow that leaves it, nothing is known there
        {"ranges": {"u": [2, 3], "v": [None, None]}},
        {"ranges": {"u": [None, None], "v": [0, None]}},
    ],
    ids=str,
)  # fmt: skip
def test_coordinates_that_differ_are_no_twins(twins: dict[str, Any], claim: dict[str, Any]) -> None:
    if "point" in claim or "start" in claim or "matrix" in claim:
        rejected(forged(twins, claim))
        return
    if "slopes" in claim:
        claim = {"slopes": [["sign", twins["claim"]["variables"][0]]]}
    rejected(forged(twins, claim))


@pytest.mark.parametrize("pair", [[0, 0], [1, -1], [0, 2], [True, 0], ["0", "1"], [0]], ids=str)
def test_forged_twins_are_rejected(twins: dict[str, Any], pair: Any) -> None:
    rejected(forged(twins, pair=pair))


@pytest.mark.parametrize(
    ("loss", "link", "y", "z"),
    [
        ("cross_entropy", "logistic", 0.25, -sp.log(3)),
        ("poisson", "exp", 2, sp.log(2)),
    ],
)
def test_limit_point_of_losses_and_links_replays(loss: str, link: str, y: Any, z: Any) -> None:
    flow = th.GradientFlow(
        th.Elementwise("u", "u"), loss=getattr(th.losses, loss)(), link=getattr(th.links, link)()
    )
    data = th.Regression([[1, 1]], [y])
    replayed(th.limit_point_is([z / 2, z / 2], flow, data, {"u": 0}), "PROVED")
    replayed(th.limit_point_is([z, 0], flow, data, {"u": 0}), "REFUTED")


@pytest.fixture(scope="module")
def proved() -> dict[str, Any]:
    data = th.Regression([[1, 2]], [3])
    verdict = th.limit_point_is([Q(7, 5), Q(4, 5)], LINEAR, data, {"u": [1, 0]})
    return replayed(verdict, "PROVED")


@pytest.fixture(scope="module")
def refuted() -> dict[str, Any]:
    return replayed(th.limit_point_is([1, 0], FLOW, SUM, SMALL), "REFUTED")


@pytest.mark.parametrize(
    "claim",
    [
        {"point": [3, 0]}, {"point": [1, 1]}, {"point": ["7/5"]}, {"point": ["7/5", "a"]},
        {"start": [[0], [0]]}, {"start": [[1]]}, {"start": [[1, 0], [0, 1]]},
        {"matrix": [[1, 1]]}, {"matrix": []}, {"matrix": [[1, 2], [1, 0]]},
        {"matrix": [["pi", 2]]}, {"slopes": ["z"]}, {"slopes": [["+", 3, ["*", -1, "z"]]]},
        {"slopes": [["*", ["+", "z", -3], ["+", "z", -4]]]}, {"slopes": ["w"]},
        {"slopes": [["^", ["+", "z", -3], "1/3"]]}, {"slopes": [0]},
        {"component": ["^", "u", 2]}, {"component": ["*", 2, "u"]}, {"component": ["sign", "u"]},
        {"rates": [-1]}, {"rates": [0]}, {"ranges": {"u": [0, None]}}, {"ranges": {"u": [0, 1]}},
        {"parameters": ["v"]}, {"variables": ["u"]}, {"further": 1}, {"relations": [[">", 1]]},
    ],
    ids=str,
)  # fmt: skip
def test_limit_of_another_flow_is_rejected(proved: dict[str, Any], claim: dict[str, Any]) -> None:
    rejected(forged(proved, claim))


def test_forged_limit_point_is_rejected(proved: dict[str, Any]) -> None:
    proof = proved["proof"]
    for changes in (
        # the kernel of A is spanned by one vector, and not by none or by another one
        {"kernel": [], "products": []}, {"kernel": [[0, 0]]}, {"kernel": [[1, 2]]},
        {"kernel": proof["kernel"] * 2, "products": proof["products"] * 2},
        {"products": []}, {"targets": [4]}, {"targets": []}, {"samples": []},
        {"samples": [proof["samples"][0][:2]]}, {"coordinates": {}},
        {"coordinates": {"0": proof["coordinates"]["0"]}},
    ):  # fmt: skip
        rejected(forged(proved, **changes))
    for entry, value in (
        ("ends", []), ("at", [0]), ("at", ["1/5", "2/5"]), ("parts", []),
    ):  # fmt: skip
        coordinates = copy.deepcopy(proof["coordinates"])
        coordinates["0"][entry] = value
        rejected(forged(proved, coordinates=coordinates))
    for name, value in (("dual", ["*", 2, "u"]), ("range", [0, None]), ("range", [-5, 5])):
        coordinates = copy.deepcopy(proof["coordinates"])
        coordinates["0"]["hints"][name] = value
        rejected(forged(proved, coordinates=coordinates))
    out = copy.deepcopy(proved)
    out["verdict"] = "REFUTED"
    rejected(sealed(out))


@pytest.mark.parametrize(
    "changes",
    [
        # the true limit
        {"point": ["1/2", "1/2"]},
        # every point of another kernel, and of another flow
        {"matrix": [[1, 2]]}, {"component": "u"}, {"rates": [1, 2]},
        {"start": [["1/10", "1/10"], [1, 1]]}, {"start": [["1/10", "1/10"], ["1/10"]]},
    ],
    ids=str,
)  # fmt: skip
def test_refutation_of_another_limit_is_rejected(
    refuted: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert refuted["proof"]["because"] == "kernel"
    rejected(forged(refuted, changes))


def test_forged_refutation_of_a_limit_point_is_rejected(refuted: dict[str, Any]) -> None:
    proof = refuted["proof"]
    for changes in (
        {"k": [1, 1]}, {"k": [0, 0]}, {"k": [1]}, {"k": []}, {"coordinates": {}},
        {"because": "gradient", "index": 0}, {"because": "nothing"},
        {"because": "beyond", "index": 0, "side": 0,
         "limit": {"name": "t", "near": 1, "steps": [], "limits": []}},
    ):  # fmt: skip
        rejected(forged(refuted, **changes))
    coordinates = copy.deepcopy(proof["coordinates"])
    coordinates["0"]["at"] = ["1/100", "1/50"]
    rejected(forged(refuted, coordinates=coordinates), "not between")
    coordinates["0"]["at"] = [100, 200]
    rejected(forged(refuted, coordinates=coordinates), "not between")


def test_gradient_that_vanishes_refutes_nothing() -> None:
    record = replayed(th.limit_point_is([0.25, 0.5], FLOW, SUM, SMALL), "REFUTED")
    assert record["proof"]["because"] == "gradient"
    rejected(forged(record, {"slopes": [["+", "z", "-3/4"]]}), "may be zero")
    jump = ["+", 1, ["sign", ["+", "z", "-3/4"]]]
    rejected(forged(record, {"slopes": [jump]}), "no value somewhere")
    far = {"0": [[2, 3], record["proof"]["smooth"]["0"][1]]}
    rejected(forged(record, smooth=far), "too small")
    rejected(forged(record, {"matrix": [[0, 1]]}), "may be zero")
