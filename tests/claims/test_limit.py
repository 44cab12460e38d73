"""Limits: PROVED by rules and bounds, REFUTED by another proved limit, or UNDECIDED."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.errors import FormulaError, UnknownName

PROVED = [
    ("a*tanh(x)", "oo", "a", {"a": "positive"}, "+-"),
    ("(x**2 + 1)/(2*x**2 - x)", "oo", "1/2", {}, "+-"),
    ("(x**2 - 1)/(x - 1)", 1, 2, {}, "+-"),
    ("x*exp(-a*x)", "oo", 0, {"a": "positive"}, "+-"),
    ("x*log(x)", 0, 0, {}, "+"),
    ("sin(x)/x", 0, 1, {}, "+-"),
    ("(1 - cos(x))/x**2", 0, "1/2", {}, "+-"),
    ("x*sin(1/x)", 0, 0, {}, "+-"),
    ("1/x", 0, "oo", {}, "+"),
    ("1/x", 0, "-oo", {}, "-"),
    ("1/x**2", 0, "oo", {}, "+-"),
    ("exp(-1/x)", 0, 0, {}, "+"),
    ("abs(x)/x", 0, 1, {}, "+"),
    ("atan(x)", "-oo", "-pi/2", {}, "+-"),
    ("x**2 + a", "b", "b**2 + a", {}, "+-"),
]


@pytest.mark.parametrize(("e", "point", "value", "assume", "direction"), PROVED, ids=str)
def test_true_limit_is_proved(e: Any, point: Any, value: Any, assume: Any, direction: str) -> None:
    verdict = th.limit_is(e, "x", point, value, assume, dir=direction)
    assert verdict.proved, verdict


REFUTED = [
    ("1/x", 0, "oo", {}, "+-"),
    ("1/x", 0, 7, {}, "+"),
    ("abs(x)/x", 0, 1, {}, "+-"),
    ("exp(-1/x)", 0, 0, {}, "+-"),
    ("atan(x/a)", "oo", "-pi/2", {"a": "positive"}, "+-"),
    ("tanh(x)", "oo", "1 + 1/10**12", {}, "+-"),
    ("x*exp(-a*x)", "oo", 0, {"a": "nonnegative"}, "+-"),
    ("a*exp(-x) + a", "oo", 1, {"a": "real"}, "+-"),
]


@pytest.mark.parametrize(("e", "point", "value", "assume", "direction"), REFUTED, ids=str)
def test_wrong_limit_is_refuted(
    e: Any, point: Any, value: Any, assume: Any, direction: str
) -> None:
    verdict = th.limit_is(e, "x", point, value, assume, dir=direction)
    assert verdict.refuted, verdict
    assert verdict.witness is not None


NOT_PROVED = [
    # nothing real on one side
    ("sqrt(x)", 0, 0, {}, "+-"),
    ("x*log(x)", 0, 0, {}, "-"),
    ("log(x)", -1, 0, {}, "+-"),
    # no limit
    ("sin(x)", "oo", 0, {}, "+-"),
    ("sin(1/x)", 0, 0, {}, "+-"),
    # the sign of a parameter decides
    ("exp(-a*x)", "oo", 0, {"a": "real"}, "+-"),
    ("x**a", "oo", 0, {"a": "real"}, "+-"),
    ("(a*exp(-a*x) + b*exp(-b*x))*exp(b*x)", "oo", "oo", {"a": "positive", "b": "positive"}, "+-"),
]


@pytest.mark.parametrize(("e", "point", "value", "assume", "direction"), NOT_PROVED, ids=str)
def test_doubtful_limit_is_not_proved(
    e: Any, point: Any, value: Any, assume: Any, direction: str
) -> None:
    assert not th.limit_is(e, "x", point, value, assume, dir=direction).proved


def test_undecided_reports_the_digits_of_agreement() -> None:
    verdict = th.limit_is("acosh(1 + 1/x)*sqrt(x)", "x", "oo", "sqrt(2)")
    assert verdict.undecided
    assert (verdict.digits or 0) > 20
    other = th.limit_is("acosh(1 + 1/x)*sqrt(x)", "x", "oo", "3/2")
    assert not other.proved
    assert other.digits in (0, None)


def test_symbols_of_the_caller_are_understood() -> None:
    x, a = sp.Symbol("x"), sp.Symbol("a", positive=True)
    assert th.limit_is(a * sp.atan(x), x, sp.oo, sp.pi * a / 2).proved


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (("x", "x", 0, 0), {"dir": "left"}, FormulaError),
        (("x", "x", 0, "x"), {}, FormulaError),
        (("x", "x", "x", 0), {}, FormulaError),
        (("x", "", 0, 0), {}, FormulaError),
        (("x*", "x", 0, 0), {}, FormulaError),
        (("x", "x", 0, 0), {"assume": {"q": "real"}}, UnknownName),
    ],
    ids=str,
)
def test_bad_call_is_refused(arguments: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        th.limit_is(*arguments, **options)
