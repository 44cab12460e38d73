"""Tabulated curves against the integration of each point, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.numeric.curve_table import CurveTable
from theory.numeric.dual_curve import numeric_curve

CLOSED = {
    # theta(xi) from theta0
    "u**2": lambda xi, u: (u * np.exp(2 * xi),),
    "u*v": lambda xi, u, v: (
        u * np.cosh(xi) + v * np.sinh(xi),
        v * np.cosh(xi) + u * np.sinh(xi),
    ),
    "u**3 - v**3": lambda xi, u, v: (1 / (1 / u - 3 * xi), 1 / (1 / v + 3 * xi)),
    "log(u)": lambda xi, u: (np.sqrt(u**2 + 2 * xi),),
}
NAMES = {"u**2": "u", "u*v": "u, v", "u**3 - v**3": "u, v", "log(u)": "u"}


def table_of(formula: str, seed: int, d: int) -> tuple[CurveTable, np.ndarray]:
    rho = th.Elementwise(formula, NAMES[formula])
    theta0 = np.random.default_rng(seed).uniform(0.3, 1.0, (len(rho.parameters), d))
    start = dict(zip((s.name for s in rho.parameters), theta0, strict=True))
    curve = numeric_curve(rho, start, d)
    return CurveTable(curve, curve.theta0), theta0


@given(st.integers(0, 10**6), st.sampled_from(sorted(CLOSED)))
@settings(max_examples=25)
def test_points_in_any_order(seed: int, formula: str) -> None:
    table, theta0 = table_of(formula, seed, 4)
    rng = np.random.default_rng(seed)
    for _ in range(8):
        xi = rng.uniform(-1.0, 1.0, 4) * rng.choice([1e-3, 0.1, 0.6])
        with np.errstate(all="ignore"):
            exact = np.array(CLOSED[formula](xi, *theta0))
        # beyond a pole the closed form goes on, and beyond the domain it is no number
        outside = ~np.isfinite(exact).all(axis=0)
        if formula == "u**3 - v**3":
            outside = (3 * xi >= 1 / theta0[0]) | (-3 * xi >= 1 / theta0[1])
        found = table.theta(xi)
        assert np.isnan(found[:, outside]).all()
        inside = ~outside & (np.abs(exact) < 1e3).all(axis=0)
        if formula == "log(u)":
            inside &= exact[0] > 1e-2
        assert np.allclose(found[:, inside], exact[:, inside], rtol=1e-11, atol=0)


def test_zero_and_nan() -> None:
    table, theta0 = table_of("u*v", 1, 3)
    assert np.array_equal(table.theta(np.zeros(3)), theta0)
    found = table.theta(np.array([0.1, np.nan, -0.2]))
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, [0, 2]]).all()


def test_what_is_known_is_not_integrated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = table_of("u*v", 2, 3)
    table.theta(np.array([0.5, -0.7, 0.9]))
    monkeypatch.setattr(
        "theory.numeric.curve_table.integrate_lanes", lambda *a, **k: pytest.fail("integrated")
    )
    table.theta(np.array([0.4, -0.1, 0.0]))
    table.theta(np.array([0.0, -0.69, 0.89]))


@pytest.mark.parametrize("method", ["LSODA", "DOP853"])
@pytest.mark.parametrize("formula", ["u*v*w", "u*v + sin(u)*v**3", "u**2*v"])
def test_the_dual_flow_without_a_closed_form(formula: str, method: str) -> None:
    names = [s for s in "uvw" if s in formula.replace("sin", "")]
    flow = th.GradientFlow(th.Elementwise(formula, names))
    A = np.random.default_rng(3).standard_normal((3, 6))
    problem, start = (
        th.Regression(A, [0.3, 0.1, 0.2]),
        dict(zip(names, (0.5, 0.3, 0.2), strict=False)),
    )
    dual = flow.integrate(problem, start, 5.0, mode="dual", method=method, rtol=1e-10)
    primal = flow.integrate(problem, start, 5.0, mode="primal", method="DOP853", rtol=1e-12)
    assert dual.success and np.max(np.abs(dual.end - primal.end)) <= 1e-7
    # laws hold as exactly as the curve is known
    assert all(drift <= 1e-12 for drift in dual.drift)
