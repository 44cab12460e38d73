"""Trajectories and limit points to many digits, against closed forms and against one another."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

import theory as th
from theory.errors import (
    DataError,
    DomainError,
    InfeasibleTarget,
    ShapeError,
    StartError,
    UnsupportedFormula,
)
from theory.flow import links, losses
from theory.flow.gradient_flow import FlowModel
from theory.numeric.exact_input import exact_value
from theory.numeric.high_precision import integrate_digits
from theory.numeric.integrate import integrate
from theory.numeric.problem import Regression

ONE = Regression([[1]], [1])
SQUARE = th.GradientFlow(th.Elementwise("u**2", "u"))
DIFFERENCE = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
A = [[sp.Rational(2, 5), -sp.Rational(7, 10), 1], [sp.Rational(1, 3), sp.Rational(1, 2), -1]]
DATA = Regression(A, [sp.Rational(7, 10), sp.Rational(-1, 7)])


def distance(x: Any, exact: Any, digits: int = 1100) -> mpmath.mpf:
    with mpmath.workdps(digits):
        return max(abs(a - b) for a, b in zip(np.ravel(x), np.ravel(exact), strict=True))


@pytest.mark.parametrize("mode", ["primal", "dual"])
@pytest.mark.parametrize("digits", [15, 30, 50, 100])
def test_logistic_growth_to_all_digits(mode: str, digits: int) -> None:
    times = [Fraction(1, 3), "0.7", 1]
    run = SQUARE.integrate(ONE, {"u": "0.1"}, 1, dps=digits, mode=mode, t_eval=times)
    with mpmath.workdps(digits + 30):
        seconds = [mpmath.mpf(1) / 3, mpmath.mpf(7) / 10, mpmath.mpf(1)]
        # x' = 4 x (1 - x), x(0) = 1/100
        exact = [1 / (1 + 99 * mpmath.exp(-4 * s)) for s in seconds]
        loss = [(1 - x) ** 2 / 2 for x in exact]
    assert run.success
    assert run.mode == mode
    assert run.t == (sp.Rational(1, 3), sp.Rational(7, 10), sp.Integer(1))
    assert distance(run.x, exact) <= run.error <= mpmath.mpf(10) ** -digits
    assert distance(run.loss, loss) <= 2 * mpmath.mpf(10) ** -digits
    with mpmath.workdps(digits + 30):
        assert distance(run.theta[0, 0] ** 2, run.x[0]) < 10 * mpmath.mpf(10) ** -digits


def test_a_float_is_the_binary_number_that_it_is() -> None:
    text, binary = (SQUARE.integrate(ONE, {"u": s}, 1, dps=40).x[0, -1] for s in ("0.1", 0.1))
    with mpmath.workdps(60):
        exact = 1 / (1 + (1 / mpmath.mpf(0.1) ** 2 - 1) * mpmath.exp(-4))
    assert distance([binary], [exact]) < mpmath.mpf(10) ** -40
    assert distance([text], [binary]) > mpmath.mpf(10) ** -20


FLOWS: dict[str, dict[str, Any]] = {
    "u**2 - v**2": {"u": "0.5", "v": ["0.4", "0.3", "0.2"]},
    "u*exp(v)": {"u": 1, "v": "0.2"},
    "sinh(u) + tanh(u)/2": {"u": "0.2"},
    "u**(3/2) - log(v)": {"u": "0.9", "v": "0.8"},
    "erf(u) + atan(u)": {"u": "0.1"},
    "u**3/3 + asinh(u)": {"u": "0.2"},
    "u/(1 + v**2)": {"u": "0.5", "v": "0.4"},
    "cos(u)*v": {"u": "0.5", "v": "0.4"},
    "asin(u)*acosh(2 + v)": {"u": "0.5", "v": "0.4"},
    "log(1 + exp(u)) + 1/(3 + v)": {"u": "0.5", "v": "0.4"},
}


def rows_of(start: dict[str, Any]) -> dict[str, list[Any]]:
    return {n: v if isinstance(v, list) else [v] * 3 for n, v in start.items()}


@pytest.mark.parametrize("formula", FLOWS)
def test_digits_agree_with_doubles(formula: str) -> None:
    start = FLOWS[formula]
    model = FlowModel(th.Elementwise(formula, ", ".join(start)))
    run = integrate_digits(model, DATA, start, "1/2", 25)
    assert run.success
    assert run.estimate == "comparison"
    floats = {n: np.array([float(c) for c in v]) for n, v in rows_of(start).items()}
    for method, rtol in (("Taylor", 1e-13), ("DOP853", 1e-13)):
        double = integrate(model, DATA, floats, 0.5, method=method, rtol=rtol, mode="primal")
        np.testing.assert_allclose(double.end, run.x[:, -1].astype(float), rtol=1e-11)


@pytest.mark.parametrize("formula", ["u**2 - v**2", "u*exp(v)"])
def test_digits_agree_with_mpmath(formula: str) -> None:
    start = FLOWS[formula]
    rho = th.Elementwise(formula, ", ".join(start))
    run = integrate_digits(FlowModel(rho), DATA, start, "1/20", 18)
    gradient = sp.lambdify(rho.parameters, rho.gradient(), "mpmath")
    value = sp.lambdify(rho.parameters, rho.formula, "mpmath")
    with mpmath.workdps(20):
        matrix = [[mpmath.mpf(int(a.p)) / int(a.q) for a in map(sp.Rational, r)] for r in A]
        y = [mpmath.mpf(7) / 10, -mpmath.mpf(1) / 7]

        def rate(_: Any, state: list[Any]) -> list[Any]:
            x = [value(*state[i::3]) for i in range(3)]
            r = [mpmath.fdot(row, x) - t for row, t in zip(matrix, y, strict=True)]
            g = [mpmath.fdot([row[i] for row in matrix], r) for i in range(3)]
            slopes = [gradient(*state[i::3]) for i in range(3)]
            return [-slopes[i][j] * g[i] for j in range(2) for i in range(3)]

        rows = rows_of(start)
        first = [mpmath.mpf(str(v)) for s in rho.parameters for v in rows[s.name]]
        end = mpmath.odefun(rate, 0, first)(mpmath.mpf("0.05"))
        exact = [value(*end[i::3]) for i in range(3)]
    assert distance(run.x[:, -1], exact) < mpmath.mpf(10) ** -17


def test_loss_link_and_rates_are_those_of_the_model() -> None:
    model = th.GradientFlow(
        th.Elementwise("u**2 - v**2", "u, v", rates=[2, "1/3"]),
        losses.cross_entropy(),
        links.logistic(),
    )
    data = Regression(A, [sp.Rational(1, 4), sp.Rational(2, 3)])
    start = {"u": sp.Rational(1, 2), "v": sp.sqrt(2) / 4}
    runs = [model.integrate(data, start, 2, dps=40, mode=mode) for mode in ("primal", "dual")]
    assert [r.success for r in runs] == [True, True]
    # no contraction outside of the squared loss, so both are compared runs
    assert {r.estimate for r in runs} == {"comparison"}
    assert distance(runs[0].x, runs[1].x) < mpmath.mpf(10) ** -39
    floats = {"u": 0.5, "v": float(sp.sqrt(2) / 4)}
    double = model.integrate(data, floats, 2, method="DOP853", rtol=1e-13)
    np.testing.assert_allclose(double.end, runs[0].x[:, -1].astype(float), rtol=1e-11)


def test_error_is_an_error_and_not_a_guess() -> None:
    # the estimate of every run covers the distance to a run of many more digits
    exact = DIFFERENCE.integrate(DATA, {"u": "0.5", "v": "0.4"}, 3, dps=90)
    for mode in ("primal", "dual"):
        for digits in (16, 30, 45):
            run = DIFFERENCE.integrate(DATA, {"u": "0.5", "v": "0.4"}, 3, dps=digits, mode=mode)
            assert run.success
            assert distance(run.x, exact.x) <= run.error


def test_tiny_start_to_fifty_digits() -> None:
    run = SQUARE.integrate(ONE, {"u": "1e-100"}, 231, dps=50)
    with mpmath.workdps(300):
        exact = 1 / (1 + (mpmath.mpf(10) ** 200 - 1) * mpmath.exp(-924))
    assert run.success
    assert abs(run.x[0, -1] - exact) < mpmath.mpf(10) ** -50


def test_runs_that_do_not_arrive_say_so() -> None:
    model = th.GradientFlow(th.Elementwise("u", "u"), losses.custom("-mu**3"))
    run = model.integrate(ONE, {"u": 1}, 1, dps=20, t_eval=["0.1", "0.3", 1])
    assert not run.success
    assert run.status == -1
    assert run.x.shape == (1, 2)
    with mpmath.workdps(30):
        # mu' = 3 mu^2
        exact = [1 / (1 - 3 * mpmath.mpf(s)) for s in ("0.1", "0.3")]
    assert distance(run.x, exact) < mpmath.mpf(10) ** -20
    root = th.GradientFlow(th.Elementwise("u**(3/2)", "u"))
    run = root.integrate(Regression([[1]], [-1]), {"u": 1}, 5, dps=20)
    assert not run.success
    assert "Stopped near t = 1.11" in run.message
    run = DIFFERENCE.integrate(DATA, {"u": "0.5", "v": "0.4"}, 3, dps=100, max_seconds=1e-6)
    assert not run.success
    assert "time budget" in run.message


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"dps": 5}, DataError, "dps"),
        ({"dps": 30.0}, DataError, "dps"),
        ({"mode": "fast"}, DomainError, "mode"),
        ({"method": "Radau"}, DomainError, "method"),
        ({"t": None}, DomainError, "t as a number"),
        ({"t": (2, 1)}, DomainError, "t0 < t1"),
        ({"t": "x"}, DataError, "t"),
        ({"t": sp.pi}, DataError, "rational"),
        ({"t": float("inf")}, DataError, "finite"),
        ({"t_eval": [2]}, DomainError, "t_eval"),
        ({"t_eval": ["1/2", "1/4"]}, DomainError, "increasing"),
        ({"max_seconds": -1}, DataError, "max_seconds"),
        ({"start": {"u": "x"}}, StartError, "number"),
        ({"start": {"u": "__import__('os')"}}, StartError, "number"),
        ({"start": {"u": float("nan")}}, StartError, "finite"),
        ({"start": {"u": 0}}, StartError, "vanishes"),
        ({"start": {"u": [1, 2]}}, ShapeError, "one value"),
        ({"start": {}}, StartError, "u"),
        ({"start": {"w": 1}}, StartError, "w"),
    ],
    ids=str,
)
def test_call_is_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    arguments: dict[str, Any] = {"start": {"u": "0.5"}, "t": 1, "dps": 30, **options}
    with pytest.raises(error, match=text):
        SQUARE.integrate(ONE, **arguments)


def test_formula_is_refused() -> None:
    flow = th.GradientFlow(th.Elementwise("abs(u) + u", "u"))
    with pytest.raises(UnsupportedFormula, match="recurrence"):
        flow.integrate(ONE, {"u": 1}, 1, dps=30)
    with pytest.raises(UnsupportedFormula, match="closed form"):
        flow = th.GradientFlow(th.Elementwise("u*exp(v)", "u, v"))
        flow.integrate(ONE, {"u": 1, "v": 0}, 1, dps=30, mode="dual")


def test_exact_values() -> None:
    assert exact_value(mpmath.mpf("0.5"), "a") == sp.Rational(1, 2)
    assert exact_value(mpmath.mpf(3), "a") == 3
    assert exact_value(np.float64(0.1), "a") == sp.Rational(0.1)
    assert exact_value(Fraction(1, 3), "a") == sp.Rational(1, 3)
    assert exact_value("sqrt(2)/2", "a") == sp.sqrt(2) / 2
    for wrong in (True, "u", None, complex(1, 1), mpmath.inf, float("nan"), sp.I, [1]):
        with pytest.raises(DataError, match="a"):
            exact_value(wrong, "a")


# -------------------------------------------------------------------------------------------------
# limit points
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "start", "certified"),
    [
        ("u**2 - v**2", {"u": "0.3", "v": "0.2"}, True),
        ("u**2 - v**2", {"u": "1e-100", "v": "1e-100"}, True),
        ("u**4 - v**4", {"u": "0.5", "v": ["0.5", "0.4", "0.3"]}, True),
        ("sinh(u)", {"u": 0}, True),
        ("u + sin(u)/2", {"u": 0}, False),
        ("u*exp(v)", {"u": 1, "v": 0}, False),
    ],
)
def test_limit_solves_the_equations(formula: str, start: dict[str, Any], certified: bool) -> None:
    flow = th.GradientFlow(th.Elementwise(formula, ", ".join(start)))
    limit = flow.limit_point(DATA, start, dps=40)
    more = flow.limit_point(DATA, start, dps=60)
    assert limit.success
    assert limit.certified is certified
    assert distance(limit.x, more.x) <= limit.error <= mpmath.mpf(10) ** -40 * max(abs(limit.x))
    floats = {n: np.array(v, dtype=float) for n, v in start.items()}
    rough = flow.limit_point(DATA, floats)
    np.testing.assert_allclose(limit.x.astype(float), rough.x, rtol=1e-9, atol=1e-12)
    with mpmath.workdps(60):
        for row, y in zip(A, ("7/10", "-1/7"), strict=True):
            p, q = (int(c) for c in y.split("/"))
            z = mpmath.fdot(
                [mpmath.mpf(int(a.p)) / int(a.q) for a in map(sp.Rational, row)], limit.x
            )
            assert abs(z - mpmath.mpf(p) / q) < mpmath.mpf(10) ** -39


def test_limit_of_a_closed_example() -> None:
    # x = 2 a^2 sinh(4 s A^T): one sample (1, 1) shares the target equally
    limit = DIFFERENCE.limit_point(
        Regression([[1, 1]], [sp.Rational(1, 3)]), {"u": 1, "v": 1}, dps=80
    )
    with mpmath.workdps(100):
        multiplier = mpmath.asinh(mpmath.mpf(1) / 12) / 4
        assert abs(limit.x[0] - mpmath.mpf(1) / 6) < mpmath.mpf(10) ** -80
        assert abs(limit.multipliers[0] - multiplier) < mpmath.mpf(10) ** -80
    assert limit.certified


def test_limit_passes_the_link() -> None:
    flow = th.GradientFlow(
        th.Elementwise("u**2 - v**2", "u, v"), losses.cross_entropy(), links.logistic()
    )
    limit = flow.limit_point(Regression([[1]], [sp.Rational(1, 4)]), {"u": 1, "v": 1}, dps=50)
    with mpmath.workdps(60):
        assert abs(limit.x[0] + mpmath.log(3)) < mpmath.mpf(10) ** -50


def test_dependent_samples_are_seen_but_not_proved() -> None:
    start = {"u": 1, "v": 1}
    limit = DIFFERENCE.limit_point(Regression([[1, 1], [2, 2]], [1, 2]), start, dps=30)
    assert limit.success
    assert not limit.certified
    assert "depend" in limit.message
    # consistent in doubles, but not to thirty digits
    third = Regression([[1, 1], [3, 3]], [1 / 3, 1.0])
    with pytest.raises(InfeasibleTarget, match="contradict"):
        DIFFERENCE.limit_point(third, start, dps=30)


def test_limit_is_refused() -> None:
    with pytest.raises(InfeasibleTarget, match="reach"):
        contradiction = Regression([[1, 1], [1, 1], [1, -1]], [1, 2, 0])
        DIFFERENCE.limit_point(contradiction, {"u": 1, "v": 1}, dps=30)
    with pytest.raises(DataError, match="dps"):
        SQUARE.limit_point(ONE, {"u": 1}, dps=3)
    with pytest.raises(DomainError, match="rtol"):
        SQUARE.limit_point(ONE, {"u": 1}, dps=30, rtol=1e-3)
    hard = th.GradientFlow(th.Elementwise("u", "u"), losses.logistic())
    with pytest.raises(InfeasibleTarget):
        hard.limit_point(ONE, {"u": 0}, dps=30)
    unknown = th.GradientFlow(th.Elementwise("u", "u"), losses.custom("(mu - y)**2 + mu**4"))
    with pytest.raises(UnsupportedFormula, match="minimizer"):
        unknown.limit_point(ONE, {"u": 0}, dps=30)
