"""Integrals next to singular points: forms that hold on a whole corner, and forged enclosures."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import Any

import pytest
from flint import arb

import theory as th
from tests.claims.forged import rejected, replayed
from tests.claims.test_forged_calculus import INVERSE, MINUS_OO, OO, integral
from tests.nightly import NIGHTLY
from theory.claims.quadrature_search import corner_next_to, cuts_between
from theory.claims.replay import Rejected, replay
from theory.claims.replay.coefficients import constant, polynomial, term, times, whole_power
from theory.claims.replay.corners import Corner, corner_integral
from theory.claims.replay.facts import at_precision
from theory.claims.replay.quadrature import enclosed_integral
from theory.claims.replay.terms import ball, literal, written_out

ROOT = ["^", "x", "1/2"]


@pytest.mark.parametrize(
    ("f", "a", "b", "value"),
    [
        ("abs(sin(3*x))", 0, "3*pi", 2),
        ("atan(tan(x))", 0, "pi", "pi**2/2"),
        ("x**(-3/4)/sqrt(1 - x)", 0, 1, -5),
        ("x**(-3/4)/sqrt(1 - x)", 1, 0, 5),
        ("sqrt(1 + cos(x))", 0, "2*pi", 0),
        ("exp(-x)*log(x)", 0, "oo", 1),
        ("exp(x)*log(-x)", "-oo", 0, 1),
    ],
)  # fmt: skip
def test_singular_integral_is_refuted_by_corners(f: str, a: Any, b: Any, value: Any) -> None:
    record = replayed(th.integral_is(f, "x", a, b, value), "REFUTED")
    pieces = record["proof"]["pieces"]
    parts = pieces.get("segments", [pieces])
    assert all("corner" in tail for part in parts for tail in part["tails"])


def corners(a: Any, b: Any, depth: int, between: Any = ()) -> dict[str, Any]:
    """Corners at both ends of all segments, with the integral between them cut at zero."""
    points, segments = [a, *between, b], []
    for low, high in itertools.pairwise(points):
        (first, lower), (last, upper) = (
            corner_next_to(low, 1, depth),
            corner_next_to(high, -1, depth),
        )
        cuts = [first, *cuts_between(first, last), last]
        segments.append({"cuts": cuts, "bits": 64 + 2 * depth, "tails": [lower, upper]})
    whole = {"between": list(between), "segments": segments} if between else segments[0]
    return {"pieces": whole, "point": {}}


@pytest.mark.parametrize(
    ("f", "a", "b", "between", "value"),
    [
        (["^", "x", "-1/2"], 0, 1, [], 2),
        (["log", "x"], 0, 1, [], -1),
        (["^", "x", "-9/10"], 0, 1, [], 10),
        (["*", ["^", "x", "-1/2"], ["log", "x"]], 0, 1, [], -4),
        (["exp", ["*", -1, "x"]], 0, OO, [], 1),
        (["exp", "x"], MINUS_OO, 0, [], 1),
        (["^", ["+", 1, ["^", "x", 2]], -1], MINUS_OO, OO, [], "pi"),
        (["^", "x", "-3/2"], 1, OO, [], 2),
        (["^", ["+", 1, ["*", -1, ["^", "x", 2]]], "-1/2"], -1, 1, [], "pi"),
        (["Abs", "x"], -1, 1, [0], 1),
        (["^", ["Abs", "x"], "-1/2"], -1, 1, [0], 4),
        (["log", ["Abs", "x"]], -1, 1, [0], -2),
        (["^", ["*", 3, ["^", ["+", ["^", 3, "1/2"], "x"], "-1/2"]], 1], ["*", -1, ["^", 3, "1/2"]],
         0, [], ["*", 6, ["^", 3, "1/4"]]),
        (["log", ["cos", "x"]], ["*", "-1/2", "pi"], 0, [], ["*", "-1/2", "pi", ["log", 2]]),
    ],
)  # fmt: skip
def test_true_value_is_never_refuted(f: Any, a: Any, b: Any, between: Any, value: Any) -> None:
    for depth in (2, 5, 8, 30):
        proof = corners(a, b, depth, between)
        rejected(integral(f, a, b, value, "REFUTED", proof), "no counterexample")
    # and a value far away is
    proof = corners(a, b, 30, between)
    assert replay(integral(f, a, b, ["+", value, 1], "REFUTED", proof)) == "REFUTED"


@pytest.mark.parametrize(
    ("f", "a", "b", "between"),
    [
        # divergent
        (INVERSE, 0, 1, []),
        (INVERSE, 1, OO, []),
        (INVERSE, -1, 1, [0]),
        (["^", "x", "-2"], -1, 1, [0]),
        (["*", INVERSE, ["^", ["log", "x"], -2]], 0, "1/2", []),
        (["^", ["+", 2, ["sin", "x"]], -1], 0, OO, []),
        (["*", INVERSE, ["sin", "x"]], 1, OO, []),
        (["exp", "x"], 0, OO, []),
        (["exp", INVERSE], 0, 1, []),
        (["exp", ["*", -1, INVERSE]], -1, 0, []),
        # no real values next to the end, or not known to have them
        (ROOT, -1, 0, []),
        (["log", "x"], -1, 0, []),
        (["*", 0, ["log", "x"]], -1, 0, []),
        (["+", ["log", "x"], ["*", -1, ["log", "x"]]], -1, 0, []),
        (["^", ["sin", INVERSE], -1], 0, 1, []),
        (["^", ["sin", INVERSE], "1/2"], 0, 1, []),
        (["^", ["+", "x", ["*", -1, "x"]], -1], 0, 1, []),
        (["log", ["+", ["cos", "x"], -1]], 0, 1, []),
        (["^", ["+", ["cos", "x"], -1], "1/2"], 0, 1, []),
        (["gamma", "x"], 0, 1, []),
        (["asin", ["+", "x", 1]], 0, 1, []),
        (["Min", "x"], 0, 1, []),
        (["^", "x", "x"], 0, 1, []),
        (["^", "x", ["*", -1, "pi"]], 0, 1, []),
    ],
)
def test_integral_that_may_not_exist_has_no_enclosure(f: Any, a: Any, b: Any, between: Any) -> None:
    for depth in (3, 8):
        rejected(integral(f, a, b, 12345, "REFUTED", corners(a, b, depth, between)))


GOOD = corners(0, 1, 8)["pieces"]


@pytest.mark.parametrize(
    "pieces",
    [
        # a cut beyond the corner, or beyond the end; a corner that is none
        GOOD | {"cuts": ["5/1024", "1021/1024"]},
        GOOD | {"cuts": ["4/1024", "1021/1024"]},
        GOOD | {"cuts": ["-3/1024", "1021/1024"]},
        GOOD | {"cuts": [0, "1021/1024"]},
        GOOD | {"cuts": ["3/1024", "1027/1024"]},
        GOOD | {"cuts": ["3/1024", "1/2"]},
        GOOD | {"tails": [{"corner": "1/256"}, None]},
        GOOD | {"tails": [{"corner": "1/256"}]},
        *(
            GOOD | {"tails": [{"corner": c}, {"corner": "1/256"}]}
            for c in ("1/400", "-1/256", 0, 1, 2, "pi", None, True, 0.5, "1/0", [])
        ),
        # segments that do not fill the interval once
        {"between": [], "segments": [GOOD]},
        {"between": ["1/2"], "segments": [GOOD]},
        {"between": ["1/2"], "segments": [GOOD, GOOD]},
        {"between": [OO], "segments": [GOOD, GOOD]},
        {"between": [2], "segments": [corners(0, 2, 8)["pieces"], corners(1, 2, 8)["pieces"]]},
        {"between": [0], "segments": [GOOD, GOOD]},
        {"between": ["x"], "segments": [GOOD, GOOD]},
        {"between": [["log", -1]], "segments": [GOOD, GOOD]},
        {"between": ["1/4"], "segments": [
            corners(0, "1/4", 8)["pieces"],
            {"between": ["1/2"], "segments": [
                corners("1/4", "1/2", 8)["pieces"], corners("1/2", 1, 8)["pieces"]]},
        ]},
    ],
)  # fmt: skip
def test_forged_corner_is_rejected(pieces: Any) -> None:
    record = integral(["^", "x", "-1/2"], 0, 1, 7, "REFUTED", {"pieces": pieces, "point": {}})
    rejected(record)


def test_corner_of_the_forged_ones_is_accepted() -> None:
    record = integral(["^", "x", "-1/2"], 0, 1, 7, "REFUTED", {"pieces": GOOD, "point": {}})
    assert replay(record) == "REFUTED"
    half = [corners(0, "1/2", 8)["pieces"], corners("1/2", 1, 8)["pieces"]]
    pieces = {"between": ["1/2"], "segments": half}
    proof = {"pieces": pieces, "point": {}}
    assert replay(integral(["^", "x", "-1/2"], 0, 1, 7, "REFUTED", proof)) == "REFUTED"


def test_bound_of_a_corner_is_no_smaller_than_the_integral() -> None:
    for f, size in (
        (["^", "x", "-1/2"], lambda d: 2 * d**0.5),
        (["^", ["sin", "x"], "-1/2"], lambda d: 2 * d**0.5),
        (["*", -1, ["log", "x"]], lambda d: d * (1 + abs(arb(d).log()))),
    ):
        for d in (Fraction(1, 4), Fraction(1, 100)):
            bound = corner_integral(f, "x", 0, "+", d)
            assert bound > size(float(d)) * arb(0.999)


def _tree(draw: random.Random, depth: int) -> Any:
    if depth == 0:
        return draw.choice(["s", "s", ["^", "s", -1], ["^", "s", "-1/3"], 1, -2, "1/3", "pi",
                            ["^", 3, "1/2"], ["log", "s"]])  # fmt: skip
    a, kind = _tree(draw, depth - 1), draw.random()
    if kind < 0.55:
        return [draw.choice(["+", "*", "*"]), a, _tree(draw, depth - 1)]
    if kind < 0.75:
        return ["^", a, draw.choice([-1, 2, -2, "1/2", "-1/2", "2/3"])]
    return [draw.choice(["exp", "log", "sin", "cos", "atan", "erf", "Abs"]), a]


def test_form_holds_on_the_whole_corner() -> None:
    draw, found = random.Random(7), 0
    for _ in range(6_000 if NIGHTLY else 700):
        t = written_out(_tree(draw, 3))
        delta = draw.choice([Fraction(1, 2), Fraction(1, 10), Fraction(1, 1000)])
        try:
            form = Corner(delta).form(t)
        except Rejected:
            continue
        if not form.h.is_finite():
            continue
        found += 1
        for part in (1, Fraction(99, 100), Fraction(1, 3), Fraction(1, 7**9), Fraction(1, 10**60)):
            s = literal(delta * part)
            there = at_precision(640, t, {"s": s})
            power = at_precision(640, ["^", "s", literal(form.p)], {"s": s})
            assert (there / power).overlaps(form.h), (t, delta, s)
            # a value is proved to exist, and is found with enough digits
            wide = at_precision(4096, t, {"s": s})
            assert wide.is_finite() or there.is_finite() or abs(form.h) > 1e9, (t, s)
    assert found > 150


def test_coefficients_have_the_values_of_their_terms() -> None:
    draw = random.Random(3)
    roots = [["^", 3, "1/2"], ["^", 3, "3/2"], ["^", 3, "-1/3"], ["^", "2/3", "1/2"], "a", "b", 2,
             "-1/2", ["exp", "a"], ["log", 2]]  # fmt: skip
    env = {"a": arb(2) / 7, "b": arb(5) / 3}

    def tree(depth: int) -> Any:
        if depth == 0:
            return draw.choice(roots)
        if draw.random() < 0.25:
            return ["^", tree(depth - 1), draw.choice([2, 3, -1, -2])]
        return [draw.choice("+*"), tree(depth - 1), tree(depth - 1)]

    for _ in range(400):
        t = written_out(tree(3))
        value = ball(t, env)
        if not value.is_finite() or abs(value) > 1e12:
            continue
        c = polynomial(t)
        assert ball(term(c), env).overlaps(value), t
        assert ball(term(times(c, c)), env).overlaps(value**2), t
        assert term(polynomial(term(c))) == term(c)
        if not value.contains(0):
            assert ball(term(whole_power(c, -1)), env).overlaps(1 / value), t
    assert whole_power(polynomial(["^", 3, "1/2"]), 2) == constant(3)


def test_enclosure_in_segments_is_that_of_the_whole() -> None:
    between = ["1/3", ["^", 2, "-1/2"]]
    whole = enclosed_integral(["exp", "x"], "x", (0, 1), corners(0, 1, 30, between)["pieces"])
    assert whole.overlaps(arb(1).exp() - 1) and whole.rad() < 1e-6


@pytest.mark.parametrize("power", ["-1/1", "-3/2", "-2/1", "-5/2", "-7/1"])
@pytest.mark.parametrize("end", [0, OO])
def test_divergent_power_has_no_bound_in_a_corner(power: str, end: Any) -> None:
    # 1/x^p diverges at 0 for p >= 1, and x^p at infinity, for p >= -1
    given = Fraction(power) if end == 0 else -2 - Fraction(power)
    with pytest.raises(Rejected, match="the integral may diverge"):
        corner_integral(
            ["^", "x", literal(given)], "x", end, "-" if end == OO else "+", Fraction(1, 8)
        )
