"""Integrals that SymPy 1.14 gets wrong: no verdict and no antiderivative repeats them.

Each entry of the data file has the integrand, the ends, SymPy's wrong value where it can be
written in real functions, a point of the parameters, and there the wrong and the true number. The
true numbers are quadratures of mpmath and closed forms from tables, checked against each other.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from flint import arb

import theory as th
from tests.nightly import NIGHTLY
from theory.errors import FormulaError
from theory.exact.antiderivative import antiderivative
from theory.exact.balls import enclose, precision, rational_ball
from theory.exact.definite import definite_integral
from theory.exact.parsing import parse

CORPUS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "sympy_wrong_integrals.json").read_text()
)


def having(*keys: str) -> Any:
    entries = [e for e in CORPUS if all(e[k] is not None for k in keys)]
    if not NIGHTLY:
        # all that have a name, and a sixth of those that were found by drawing
        drawn = [e for e in entries if e["id"].startswith(("numeric ", "parametric "))]
        entries = [e for e in entries if e not in drawn or e in drawn[::6]]
    return pytest.mark.parametrize("entry", entries, ids=[e["id"] for e in entries])


def number(text: str) -> sp.Rational:
    q = Fraction(text)
    return sp.Rational(q.numerator, q.denominator)


def at_point(entry: dict[str, Any]) -> tuple[sp.Expr, sp.Symbol, sp.Expr, sp.Expr]:
    """The integrand and the ends at the point of the parameters."""
    x = sp.Symbol(entry["variable"], real=True)
    names = {x.name: x} | {n: sp.Symbol(n, real=True) for n in entry["point"]}
    values = {names[n]: number(q) for n, q in entry["point"].items()}
    ends = [
        {"oo": sp.oo, "-oo": -sp.oo}.get(entry[k]) or parse(entry[k], names)
        for k in ("lower", "upper")
    ]
    f, a, b = (e.xreplace(values) for e in (parse(entry["integrand"], names), *ends))
    return f, x, a, b


def ask(entry: dict[str, Any], value: str) -> Any:
    used = entry["integrand"] + entry["lower"] + entry["upper"]
    assume = {k: v for k, v in entry["assume"].items() if k in used or k in value}
    return th.integral_is(
        entry["integrand"], entry["variable"], entry["lower"], entry["upper"], value, assume
    )


@having("wrong")
def test_wrong_value_is_not_proved(entry: dict[str, Any]) -> None:
    try:
        verdict = ask(entry, entry["wrong"])
    except FormulaError:
        # a value without real numbers, such as the root of -1
        assert "-1" in entry["wrong"]
        return
    assert not verdict.proved, verdict


@having("wrong_value")
def test_wrong_number_is_refuted(entry: dict[str, Any]) -> None:
    f, x, a, b = at_point(entry)
    verdict = th.integral_is(f, x, a, b, number(entry["wrong_value"]))
    assert verdict.refuted, verdict


@having("true")
def test_true_value_is_never_refuted(entry: dict[str, Any]) -> None:
    f, x, a, b = at_point(entry)
    verdict = th.integral_is(f, x, a, b, entry["true"])
    assert not verdict.refuted, verdict


@having("true_value")
def test_enclosure_contains_the_true_number(entry: dict[str, Any]) -> None:
    f, x, a, b = at_point(entry)
    value = definite_integral(f, x, a, b)
    true = rational_ball(number(entry["true_value"]))
    # the numbers of the corpus are doubles
    assert value.is_finite()
    assert value.overlaps(true + arb(0, 1) * abs(true) * arb("4e-15"))


@having("id")
def test_antiderivative_is_right_between_the_ends(entry: dict[str, Any]) -> None:
    f, x, a, b = at_point(entry)
    if f.has(sp.I, sp.nan, sp.zoo):
        return
    low, high = (a, b) if (b - a).is_positive else (b, a)
    u = sp.Dummy("x", positive=True) if low.is_nonnegative else sp.Dummy("x", real=True)
    found = antiderivative(f.xreplace({x: u}), u, ranges={u: (low, high)})
    if found is None or not found.continuous:
        return
    assert found.certificate.proved
    # off the ends, where the antiderivative may only have limits
    inner = [low + (high - low) * sp.Rational(k, 8) for k in (1, 5, 7)]
    if any(q.is_infinite for q in inner):
        inner = [sp.Rational(1, 3), sp.Rational(2), sp.Rational(9)]
    for p, q in ((inner[0], inner[1]), (inner[0], inner[2])):
        integral = definite_integral(f, x, p, q)
        with precision(128):
            F = found.expression
            difference = enclose(F.xreplace({u: q}), {}) - enclose(F.xreplace({u: p}), {})
        assert difference.overlaps(integral), (F, difference, integral)


# -- limits, signs, zero tests --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "true"),
    [
        ("log(1 + exp(-50)) > 0", True),
        ("log(1 + exp(-50)) == 0", False),
        ("acosh(1 + 1/10**30) > 0", True),
        ("acos(1 - 1/10**30) > 0", True),
        ("acos(7823207/7823209) > 0", True),
        ("acos(7823207/7823209) == 0", False),
        ("sin(acos(7823207/7823209)) == 0", False),
        ("sinh(log(x + sqrt(x**2 + 1))) == x", True),
        ("sinh(log(x - sqrt(x**2 + 1))) == x", False),
        ("cosh(acosh(1 + x**2)) == 1 + x**2", True),
        ("acosh(cosh(x)) == x", False),
        ("(x + 1)**2 - x**2 - 2*x - 1 == 0", True),
        ("exp(x*(5 + sqrt(33))/2) == exp(x*5/2)*exp(x*sqrt(33)/2)", True),
        ("sqrt(x**2) == x", False),
        ("x**3/x == x**2", True),
    ],
)
def test_zero_tests_and_signs_are_never_wrong(statement: str, true: bool) -> None:
    try:
        verdict = th.prove(statement)
    except th.errors.FormulaError as error:
        # a number that SymPy evaluates wrongly, depending on what ran before, is refused
        assert "SymPy" in str(error)
        return
    assert not (verdict.refuted if true else verdict.proved), verdict


def test_difference_of_surds_that_no_precision_separates_is_zero() -> None:
    e = sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6))
    assert not th.prove(e).refuted
    assert not th.prove(e > 0).proved if isinstance(e > 0, sp.StrictGreaterThan) else True


def test_unevaluated_zero_is_zero() -> None:
    x = sp.Symbol("x", real=True)
    assert not th.prove(sp.Mul(0, x, evaluate=False)).refuted


@pytest.mark.parametrize(
    ("e", "point", "wrong", "assume"),
    [
        ("(a*exp(-a*x) + b*exp(-b*x))*exp(b*x)", "oo", "oo", {"a": "positive", "b": "positive"}),
        ("(3*exp(-3*x) + 2*exp(-2*x))*exp(2*x)", "oo", "oo", {}),
        ("(2*exp(-2*x) + 3*exp(-3*x))*exp(3*x)", "oo", 3, {}),
        ("abs((-x/(x + 1))**2)", "oo", "exp(1)", {}),
        ("acosh(1 + 1/x)*sqrt(x)", "oo", 0, {}),
        ("((x + 1)**(1/x) - exp(1))/x", 0, 0, {}),
        ("(1 + 1/x)**(x**2)/exp(x)", "oo", 1, {}),
        ("log(1 + exp(-x))", "oo", 1, {}),
        ("x**a", "oo", 0, {"a": "real"}),
        ("exp(a*x)", "oo", 0, {"a": "real"}),
        ("atan(x/a)", "oo", "pi/2", {"a": "real"}),
    ],
)
def test_wrong_limit_is_not_proved(e: str, point: Any, wrong: Any, assume: dict[str, str]) -> None:
    direction = "+" if point == 0 else "+-"
    assert not th.limit_is(e, "x", point, wrong, assume, dir=direction).proved


@pytest.mark.parametrize(
    ("e", "point", "right"),
    [
        ("(3*exp(-3*x) + 2*exp(-2*x))*exp(2*x)", "oo", 2),
        ("acosh(1 + 1/x)*sqrt(x)", "oo", "sqrt(2)"),
        ("((x + 1)**(1/x) - exp(1))/x", 0, "-exp(1)/2"),
        ("(1 + 1/x)**(x**2)/exp(x)", "oo", "exp(-1/2)"),
        ("log(exp(1) + 1/x)", "oo", 1),
        ("LambertW(x)", 2, "LambertW(2)"),
    ],
)
def test_right_limit_is_not_refuted(e: str, point: Any, right: Any) -> None:
    direction = "+" if point == 0 else "+-"
    assert not th.limit_is(e, "x", point, right, dir=direction).refuted


def test_shapes_near_rounding_are_never_wrong() -> None:
    assert not th.monotone("log(1 + exp(x))", direction="increasing").refuted
    assert not th.monotone("log(1 + exp(x))", direction="decreasing").proved
    assert not th.convex("log(1 + exp(x))").refuted
    assert not th.convex("-log(1 + exp(x))").proved
    assert not th.convex("x*log(x) - x", on="(0, oo)").refuted
    # two branches of x log x - x = y: not monotone on (0, oo)
    assert not th.monotone("x*log(x) - x", on="(0, oo)").proved
    assert not th.convex("acosh(1 + x)", on="(0, oo)").proved


@pytest.mark.parametrize(
    "statement",
    [
        "tanh(acosh(1 + 1/10**30)) == 0",
        "cos(acosh(1 + 1/10**30)) == 1",
        "sin(x*acosh(1 + 1/10**30)) == 0",
        "exp(x*acosh(1 + 1/10**30)) == 1",
    ],
)
def test_a_number_that_sympy_takes_for_zero_is_refused_inside_of_functions(statement: str) -> None:
    with pytest.raises(th.errors.FormulaError):
        th.prove(statement)
    assert th.prove("acosh(1 + 1/10**30) > 0").proved
