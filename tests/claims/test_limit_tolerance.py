"""Certificates of limit points up to a tolerance, and forgeries of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from flint import arb

import theory as th
from tests.claims.forged import forged, rejected, replayed
from theory.claims.replay import Rejected
from theory.claims.replay.limit_balls import System, image

SQUARE = th.GradientFlow(th.Elementwise("u**2", "u"))
DIFFERENCE = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
LINEAR = th.GradientFlow(th.Elementwise("u", "u"))
ONES = th.Regression([[1, 1]], [2])
WIDE = th.Regression([[1, 2]], [1])
TWICE = th.Regression([[1, 2], [2, 4]], [1, 2])
SMALL = {"u": 0.1, "v": 0.1}

# the limits: (1, 1) by symmetry, (1/2, 1/4) as x_2 = x_1^2, and the projection of zero
CASES: list[tuple[Any, ...]] = [
    (SQUARE, ONES, {"u": 0.5}, [0.9, 1.1], 0.2, "PROVED"),
    (SQUARE, ONES, {"u": 0.5}, [0.9, 1.1], 0.05, "REFUTED"),
    (SQUARE, WIDE, {"u": 1}, [0.4142, 0.2929], 0.2, "PROVED"),
    (DIFFERENCE, WIDE, SMALL, [0.3, 0.35], 0.25, "PROVED"),
    (DIFFERENCE, WIDE, SMALL, [0.3, 0.35], 0.125, "REFUTED"),
    (LINEAR, TWICE, {"u": 0}, [0.2, 0.4], 1e-9, "PROVED"),
    (LINEAR, TWICE, {"u": 0}, [0.2, 0.5], 0.01, "REFUTED"),
]


@pytest.mark.parametrize(("flow", "data", "start", "point", "tolerance", "status"), CASES)
def test_limit_within_a_tolerance_has_a_certificate(
    flow: Any, data: Any, start: Any, point: Any, tolerance: float, status: str
) -> None:
    record = replayed(th.limit_point_is(point, flow, data, start, tolerance), status)
    wrong = {"PROVED": "REFUTED", "REFUTED": "PROVED"}[status]
    rejected(forged(record) | {"verdict": wrong})
    other = forged(record)
    other["verdict"] = wrong
    rejected(forged(other))


def proved() -> dict[str, Any]:
    verdict = th.limit_point_is([0.9, 1.1], SQUARE, ONES, {"u": 0.5}, 0.2)
    return replayed(verdict, "PROVED")


def test_another_tolerance_is_another_claim() -> None:
    record = proved()
    for tolerance in ("1/20", 0, -1, "-1/5", "99/1000", 0.2, None, "x", ["log", -1], "1/0", True):
        rejected(forged(record, {"tolerance": tolerance}))
    for tolerance in ("101/1000", 1, ["^", 2, "1/2"]):
        assert th.replay(forged(record, {"tolerance": tolerance})) == "PROVED"
    for point in ([2, 1], [1, "13/10"], [1], [1, 1, 1], [1, ["log", -1]]):
        rejected(forged(record, {"point": point}))
    # without a tolerance the point is claimed exactly
    claim = {k: v for k, v in record["claim"].items() if k != "tolerance"}
    exact = forged(record)
    exact["claim"] = claim
    rejected(forged(exact))


def test_other_boxes_are_rejected() -> None:
    record = proved()
    center, radii = record["proof"]["center"], record["proof"]["radii"]
    count = len(center)
    moved = [[*center[:i], "1/3", *center[i + 1 :]] for i in range(count)]
    for c in (*moved, center[:-1], [*center, 0], ["pi"] * count, [0] * count, None, [1.0] * count):
        rejected(forged(record, center=c))
    for r in (
        [0] * count, [-1] * count, ["1/1" + "0" * 200] * count, [10**6] * count, radii[:-1],
        ["-1/10", *radii[1:]], [0, *radii[1:]], None, [float("nan")] * count,
    ):  # fmt: skip
        rejected(forged(record, radii=r))
    for bits in (0, 31, 10**6, -320, 320.0, "320", None, True):
        rejected(forged(record, bits=bits))


def test_rows_targets_and_curves_are_not_left_out() -> None:
    record = replayed(th.limit_point_is([0.2, 0.4], LINEAR, TWICE, {"u": 0}, 1e-9), "PROVED")
    proof = record["proof"]
    for rows in ([], [0, 1], [2], [-1], [0, 0], [True], ["0"], None):
        rejected(forged(record, rows=rows))
    (vector, part), *_ = proof["left"]
    for left in (
        [],
        [[[0, 0], part]],
        [[[1, 1], part]],
        [[vector, part]] * 2,
        [[vector[:1], part]],
    ):
        rejected(forged(record, left=left))
    rejected(forged(record, targets=[1, 3]))
    rejected(forged(record, targets=[2, 4]))
    rejected(forged(record, samples=proof["samples"][:1]))
    rejected(forged(record, samples=[p[1:] for p in proof["samples"]]))
    rejected(forged(record, coordinates={}))
    # the target of the second sample is no longer on the line of the first
    slopes = [record["claim"]["slopes"][0], ["+", "z", -3]]
    rejected(forged(record, {"slopes": slopes}))
    (i, c), *_ = proof["coordinates"].items()
    hints = c["hints"] | {"range": [-1, 1]}
    rejected(forged(record, coordinates={i: c | {"hints": hints}}))
    rejected(forged(record, coordinates={i: c | {"ends": c["ends"][:1]}}))


def test_image_is_that_of_a_contraction_only() -> None:
    """X^2 = z near 0 and at 0, where the derivative vanishes."""
    curve = ("s", ["^", "s", 2], "s", 0, [None, None])

    def system(z: Any) -> System:
        return System([curve], [[Fraction(1)]], [z])

    x = image(system(4), [arb(2), arb(2)], [arb("0.1"), arb("0.1")])
    assert all(v.contains(2) and not v.contains(arb("1.9")) for v in x)
    for z, c, r in ((4, 2, 3), (4, 3, 0.1), (-1, 1, 1), (0, 0, 1), (4, 2, 0), (4, 2, -0.1)):
        with pytest.raises((Rejected, ArithmeticError)):
            image(system(z), [arb(c), arb(c)], [arb(r), arb(r)])
    with pytest.raises(Rejected, match="off its curve"):
        half = ("s", ["^", "s", 2], "s", 3, [2, None])
        image(System([half], [[Fraction(1)]], [4]), [arb(2), arb(-1)], [arb("0.1"), arb("0.1")])
