"""Definite integrals: PROVED, REFUTED with a point, or UNDECIDED."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.errors import AssumptionError, FormulaError, UnknownName

PROVED = [
    ("1/(1 + x**2)", 0, "oo", "pi/2", {}),
    ("1/(1 + x**2)", "oo", 0, "-pi/2", {}),
    ("exp(-a*x)", 0, "oo", "1/a", {"a": "positive"}),
    ("x*exp(-a*x)", 0, "oo", "1/a**2", {"a": "positive"}),
    ("exp(-x**2)", "-oo", "oo", "sqrt(pi)", {}),
    ("log(x)", 0, 1, -1, {}),
    ("x*log(x)", 0, 1, "-1/4", {}),
    ("1/sqrt(x)", 0, "b", "2*sqrt(b)", {"b": "positive"}),
    ("x", "a", "b", "(b**2 - a**2)/2", {}),
    ("1/x", 1, "b", "log(b)", {"b": "positive"}),
    ("1/x**2", 1, "oo", 1, {}),
    ("1/cosh(x)", "-oo", "oo", "pi", {}),
    ("tanh(x)", 0, "a", "log(cosh(a))", {}),
    ("1/(1 + exp(-x))", -1, 1, 1, {}),
    ("1/(x**2 + a**2)", 0, 1, "atan(1/a)/a", {"a": "positive"}),
    ("1/sqrt(x**2 + a**2)", 0, 1, "asinh(1/a)", {"a": "positive"}),
    ("asinh(x/b)", 0, "w", "w*asinh(w/b) - sqrt(w**2 + b**2) + b",
     {"b": "positive", "w": "positive"}),
    ("c", 0, 2, "2*c", {}),
    ("sin(x)", "a", "a", 0, {"a": "real"}),
]  # fmt: skip


@pytest.mark.parametrize(("f", "a", "b", "value", "assume"), PROVED, ids=str)
def test_true_integral_is_proved(f: Any, a: Any, b: Any, value: Any, assume: Any) -> None:
    verdict = th.integral_is(f, "x", a, b, value, assume)
    assert verdict.proved, verdict
    assert verdict.conditions == ()


REFUTED = [
    ("1/(x**2 + 2*a*x + b)", 1, 2, 0, {"a": "positive", "b": "positive"}),
    ("1/sqrt(x**2 + a**2)", 0, 1, "asinh(1/a)", {"a": "real"}),
    ("exp(-a*x)", 0, "oo", "1/a**2", {"a": "positive"}),
    ("x**2", 0, 1, "1/3 + 1/10**15", {}),
    ("x**2", 1, 0, "1/3", {}),
    ("x", 0, 1, "log(-1 - a**2)", {}),
    # divergent
    ("1/x", 0, 1, 5, {}),
    ("1/x", 1, "oo", 0, {}),
    ("exp(x)", 0, "oo", -1, {}),
    # true for positive a, false at the end that belongs to the domain
    ("a*exp(-a*x)", 0, "oo", 1, {"a": "nonnegative"}),
]


@pytest.mark.parametrize(("f", "a", "b", "value", "assume"), REFUTED, ids=str)
def test_wrong_value_is_refuted_with_an_exact_point(
    f: Any, a: Any, b: Any, value: Any, assume: Any
) -> None:
    verdict = th.integral_is(f, "x", a, b, value, assume)
    assert verdict.refuted, verdict
    assert verdict.witness is not None
    assert all(sp.Rational(v).is_Rational for v in verdict.witness.values())


NOT_PROVED = [
    ("1/x", -1, 1, 0, {}),
    ("1/x", -1, 2, "log(2)", {}),
    ("1/x**2", -1, 1, -2, {}),
    ("tan(x)", 0, 3, "-log(-cos(3))", {}),
    ("1/(x - a)", 0, 1, "log((1 - a)/a)", {"a": "(0, 1)"}),
    ("sign(x)*x", -1, 1, 0, {}),
    ("sqrt(x - 1)*sqrt(x - 2)", 0, 3, 1, {}),
    # the antiderivative jumps on the period
    ("1/(2 + cos(x))", 0, "2*pi", 0, {}),
    ("sqrt(1 + cos(x))", 0, "2*pi", 0, {}),
    # proved on a > 0, wrong or without meaning elsewhere
    ("exp(-a*x)", 0, "oo", "1/a", {"a": "real"}),
    ("1/(x**2 + a**2)", 0, 1, "atan(1/a)/abs(a)", {"a": "real"}),
    ("1/x", 1, "b", "log(b)", {"b": "real"}),
    ("x**a", 0, 1, "1/(a + 1)", {"a": "real"}),
    ("x**a", 0, 1, "1/(a + 1)", {"a": "[-1, 2]"}),
    ("sin(x)/x", 0, "oo", 0, {}),
]


@pytest.mark.parametrize(("f", "a", "b", "value", "assume"), NOT_PROVED, ids=str)
def test_doubtful_integral_is_not_proved(f: Any, a: Any, b: Any, value: Any, assume: Any) -> None:
    assert not th.integral_is(f, "x", a, b, value, assume).proved


def test_undecided_reports_the_digits_of_agreement() -> None:
    verdict = th.integral_is("x**(1/3)*sqrt(1 - x)", "x", 0, 1, "gamma(4/3)*gamma(3/2)/gamma(17/6)")
    assert verdict.undecided
    assert (verdict.digits or 0) >= 15


def test_symbols_of_the_caller_are_understood() -> None:
    x, a = sp.Symbol("x"), sp.Symbol("a", positive=True)
    assert th.integral_is(sp.exp(-a * x), x, 0, sp.oo, 1 / a).proved
    assert th.integral_is(x**2, x, 0, 1.5, sp.Rational(9, 8)).proved


@pytest.mark.parametrize(
    ("arguments", "assume", "error"),
    [
        (("x", "x", 0, "x", "x**2/2"), None, FormulaError),
        (("x", "x", 0, 1, "x"), None, FormulaError),
        (("x", "x", "oo", "oo", 0), None, FormulaError),
        (("x", "x", 0, 1, sp.oo), None, FormulaError),
        (("x", 3, 0, 1, 1), None, FormulaError),
        (("x", "x + 1", 0, 1, 1), None, FormulaError),
        (("x +", "x", 0, 1, 1), None, FormulaError),
        ((sp.I * sp.Symbol("x"), "x", 0, 1, 1), None, FormulaError),
        ((None, "x", 0, 1, 1), None, FormulaError),
        (("x", "x", 0, 1, "1/2"), {"c": "positive"}, UnknownName),
        (("x", "x", 0, 1, "1/2"), {"x": "purple"}, AssumptionError),
    ],
    ids=str,
)
def test_bad_call_is_refused(arguments: Any, assume: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        th.integral_is(*arguments, assume)
