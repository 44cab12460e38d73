"""Limits by expansions in certificates: true ones replay, forged ones do not."""

from __future__ import annotations

import random
from typing import Any

import mpmath
import pytest
import sympy as sp

import theory as th
from tests.claims.forged import rejected, replayed
from tests.claims.test_forged_calculus import FALSE, OO, POSITIVE, REAL, limit, side
from tests.exact.test_expansions import KNOWN, t, x, y, z
from tests.nightly import NIGHTLY
from theory.claims.claim import term_of
from theory.claims.limit_search import limit_proof
from theory.claims.replay import Rejected, replay
from theory.claims.replay.expansions import Series
from theory.claims.replay.facts import Context
from theory.claims.replay.germs import is_infinite, moved
from theory.claims.replay.terms import written_out
from theory.errors import TheoryError
from theory.exact.budget import time_budget

WORDS = {x: "positive", y: "positive", z: "real"}
INVERSE = ["^", "t", -1]
LOG = ["log", "t"]


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: str(case[0]))
def test_known_limit_has_a_certificate(case: tuple[sp.Expr, Any]) -> None:
    e, value = case
    assume = {s.name: WORDS[s] for s in e.free_symbols - {t}}
    verdict = th.limit_is(str(e), "t", 0, str(value), assume, dir="+")
    record = replayed(verdict, "PROVED")
    value = record["claim"]["value"]
    record["claim"]["value"] = 0 if is_infinite(value) else ["+", value, 1]
    rejected(limit_again(record))


def limit_again(record: dict[str, Any]) -> dict[str, Any]:
    claim = record["claim"]
    return limit(
        claim["function"], claim["to"], "+", claim["value"], claim["ranges"],
        record["proof"]["sides"],
    )  # fmt: skip


@pytest.mark.parametrize(("f", "to", "direction", "value", "ranges", "sides"), FALSE)
def test_expansion_proves_no_false_limit(
    f: Any, to: Any, direction: Any, value: Any, ranges: Any, sides: int
) -> None:
    for depth in (1, 2, 3, 5, 8):
        parts = []
        for d in ("+", "-")[:sides] if direction == "+-" else (direction,) * sides:
            try:
                f_t = moved(written_out(f), "x", to, d, "t")
            except (Rejected, TypeError):
                f_t = f
            parts.append(side(limits=[["expansion", f_t, depth]]))
        rejected(limit(f, to, direction, value, ranges, parts))


def with_depth(f: Any, to: Any, value: Any, ranges: Any, depth: Any, *rest: Any) -> Any:
    f_t = moved(f, "x", to, "+", "t")
    return limit(f, to, "+", value, ranges, [side(limits=[["expansion", f_t, depth, *rest]])])


SINC = ["*", ["sin", "x"], ["^", "x", -1]]


def test_expansion_of_a_quotient_is_accepted() -> None:
    assert replay(with_depth(SINC, 0, 1, {}, 2)) == "PROVED"


@pytest.mark.parametrize("depth", [0, -1, 9, 10**9, True, "2", 2.0, None, [2], "t"])
def test_depth_is_a_small_number(depth: Any) -> None:
    rejected(with_depth(SINC, 0, 1, {}, depth))


def test_remainder_is_not_left_out() -> None:
    """(e^t - 1 - t - t^2/2)/t^3 tends to 1/6, which one term of each series does not show."""
    rest = ["+", ["exp", "x"], -1, ["*", -1, "x"], ["*", "-1/2", ["^", "x", 2]]]
    f = ["*", rest, ["^", "x", -3]]
    for depth in range(1, 9):
        rejected(with_depth(f, 0, 0, {}, depth))
    rejected(with_depth(f, 0, "1/6", {}, 2))
    assert replay(with_depth(f, 0, "1/6", {}, 3)) == "PROVED"


@pytest.mark.parametrize(
    ("f", "to", "value", "ranges"),
    [
        # coefficients of open sign, or zero for some values
        (["*", "a", ["^", "x", -1]], 0, OO, REAL),
        (["log", ["+", "a", "x"]], 0, ["log", "a"], REAL),
        (["^", ["+", "a", "x"], -1], 0, ["^", "a", -1], REAL),
        (["^", ["+", ["^", "a", 2], "x"], "1/2"], 0, "a", REAL),
        (["^", ["+", ["^", "a", 2], "x"], "-1/2"], 0, ["^", "a", -1], REAL),
        (["Abs", ["+", "a", "x"]], 0, "a", REAL),
        (["sign", ["+", "a", "x"]], 0, 1, REAL),
        (["exp", ["*", "a", ["^", "x", -1]]], 0, 0, REAL),
        (["exp", ["*", "a", ["log", "x"]]], 0, 0, POSITIVE),
        (["atan", ["*", "a", ["^", "x", -1]]], 0, ["*", "1/2", "pi"], REAL),
        (["^", "x", "a"], 0, 0, REAL),
        # beyond the powers, and of the wrong sign
        (["exp", ["^", "x", -1]], 0, 0, {}),
        (["exp", ["^", ["log", "x"], 2]], 0, 0, {}),
        (["*", ["exp", ["*", -1, ["^", "x", -1]]], ["^", "x", -70]], 0, OO, {}),
        (["exp", ["^", ["*", -1, ["log", "x"]], "1/2"]], 0, 0, {}),
        # no real value on this side
        (["log", ["+", ["cos", "x"], -1]], 0, ["oo", -1], {}),
        (["^", ["*", -1, "x"], "1/2"], 0, 0, {}),
        (["*", 0, ["log", ["*", -1, "x"]]], 0, 0, {}),
        (["asin", ["+", 1, "x"]], 0, ["*", "1/2", "pi"], {}),
        (["^", ["log", "x"], "1/2"], 0, OO, {}),
        # oscillations, and functions with a singular point there
        (["sin", ["^", "x", -1]], 0, 0, {}),
        (["cos", ["log", "x"]], 0, 1, {}),
        (["Si", "x"], 0, 1, {}),
        (["gamma", "x"], 0, 0, {}),
        (["sign", ["+", "x", ["*", -1, "x"]]], 0, 1, {}),
        (["erf", ["log", "x"]], 0, 1, {}),
        (["atan", ["log", "x"]], 0, ["*", "1/2", "pi"], {}),
        # Min of one term, and a name of no domain
        (["Min", "x"], 0, 1, {}),
        ("b", 0, "b", {}),
    ],
)
def test_false_expansion_is_rejected(f: Any, to: Any, value: Any, ranges: Any) -> None:
    for depth in (1, 2, 4, 8):
        rejected(with_depth(f, to, value, ranges, depth))


def test_open_coefficient_needs_its_steps() -> None:
    """1/(a^2 - a + 1 + t) needs a proof that the denominator is not zero."""
    record = replayed(
        th.limit_is("1/(a**2 - a + 1 + t)", "t", 0, "1/(a**2 - a + 1)", {"a": "real"}, dir="+"),
        "PROVED",
    )
    record["proof"]["sides"][0]["steps"] = []
    rejected(limit_again(record))


def _tree(draw: random.Random, depth: int) -> sp.Expr:
    if depth == 0:
        return draw.choice([t, t, 1 / t, sp.log(t), x, y, sp.Integer(2), -sp.S.Half, x * t, y / t])
    a, kind = _tree(draw, depth - 1), draw.random()
    if kind < 0.6:
        b = _tree(draw, depth - 1)
        return a + b if kind < 0.25 else a * b if kind < 0.45 else a / b
    functions = [sp.exp, sp.log, sp.sqrt, sp.sin, sp.cos, sp.atan, sp.erf, sp.Abs, sp.sinh]
    return draw.choice([*functions, lambda e: e**2, lambda e: 1 / e, lambda e: e**x])(a)


def _cancelling(draw: random.Random) -> sp.Expr:
    f = draw.choice([sp.sin, sp.cos, sp.tanh, sp.atan, sp.asinh, sp.log, sp.exp, sp.erf, sp.asin])
    u = draw.choice([t, x * t, t**2, t * sp.log(t), sp.sqrt(t)])
    at = draw.choice([sp.S.Half, x / (1 + x)])
    return (f(at + u) - f(at)) / draw.choice([t, u, u**2, t * sp.log(t)])


@pytest.mark.parametrize("at_infinity", [False, True])
@pytest.mark.parametrize("seed", range(12 if NIGHTLY else 1))
def test_many_digits_approach_each_expansion(seed: int, at_infinity: bool) -> None:
    draw = random.Random(seed)
    values = {x: sp.Rational(7, 5), y: sp.Rational(3, 10)}
    ranges: dict[str, Any] = {"x": [0, None], "y": [0, None]}
    decided = 0
    for i in range(160):
        e = _cancelling(draw) if draw.random() < 0.4 else _tree(draw, 3)
        if not e.has(t) or e.has(sp.zoo, sp.nan, sp.I, sp.oo):
            continue
        e = e.xreplace({t: 1 / t}) if at_infinity else e
        try:
            f = written_out(term_of(e))
            if i % 4:
                near = [1, None] if at_infinity else [0, 1]
                v = Series(Context(ranges | {"t": near}), "t", at_infinity, 4).limit(f)
            else:
                place = OO if at_infinity else 0
                with time_budget(0.5):
                    v = next(iter(limit_proof(ranges, f, "t", place, "+")))[1]
        except (Rejected, TheoryError, StopIteration, KeyError):
            continue
        decided += 1
        claimed = v if is_infinite(v) else sp.N(_value(v, values), 100)
        numeric = sp.lambdify(t, e.subs(values), "mpmath")
        near_ = []
        for exponent, digits in ((40, 700), (160, 2500)):
            with mpmath.workdps(digits):
                try:
                    there = numeric(mpmath.mpf(10) ** (exponent if at_infinity else -exponent))
                except (OverflowError, ValueError, MemoryError, mpmath.libmp.NoConvergence):
                    break
                assert mpmath.im(there) == 0, e
                infinite = is_infinite(v)
                near_.append(there * v[1] if infinite else abs(there - mpmath.mpf(claimed)))
        if len(near_) < 2:
            continue
        if is_infinite(v):
            assert near_[1] > near_[0] and near_[1] > 5, e
        else:
            assert near_[1] < mpmath.mpf(10) ** -30 or near_[1] < 0.6 * near_[0], (e, v)
    assert decided > 25


def _value(v: Any, values: dict[sp.Symbol, sp.Rational]) -> sp.Expr:
    if isinstance(v, list):
        args = [_value(a, values) for a in v[1:]]
        made = {"+": sp.Add, "*": sp.Mul, "^": sp.Pow}.get(v[0]) or getattr(sp, v[0])
        return made(*args)
    names: dict[Any, sp.Expr] = {"pi": sp.pi, "x": values[x], "y": values[y]}
    return names[v] if v in names else sp.Rational(v)
