"""Limits of limit points for vanishing and for growing starts, and the certificate of the first."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import theory as th
from theory.errors import DataError, InfeasibleTarget, UnsupportedFormula
from theory.numeric.extreme_starts import homogeneity

MODELS = {
    "u**2 - v**2": ("u", "v"),
    "3*u**2 - v**2": ("u", "v"),
    "u*v": ("u", "v"),
    "u**2": ("u",),
    "u**3 - v**3": ("u", "v"),
    "u**4 - 2*v**4": ("u", "v"),
}


def flow_of(model: str) -> th.GradientFlow:
    return th.GradientFlow(th.Elementwise(model, ",".join(MODELS[model])))


def starts(model: str, d: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {s: rng.uniform(0.5, 1.5, d) * (0.1 if s == "v" else 1) for s in MODELS[model]}


def program(A: np.ndarray, y: np.ndarray, prices: np.ndarray) -> float:
    """The optimal value by the simplex method."""
    finite = np.isfinite(prices)
    cost = np.concatenate([prices[0][finite[0]], prices[1][finite[1]]])
    columns = np.hstack([A[:, finite[0]], -A[:, finite[1]]])
    return float(linprog(cost, A_eq=columns, b_eq=y, method="highs").fun)


@given(st.integers(0, 10**6), st.sampled_from(sorted(MODELS)))
@settings(max_examples=60)
def test_a_certified_limit_solves_the_program(seed: int, model: str) -> None:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 6)), int(rng.integers(6, 15))
    A = rng.standard_normal((n, d)) if seed % 3 else rng.integers(-2, 3, (n, d)).astype(float)
    x = np.zeros(d)
    k = int(rng.integers(1, n + 1))
    x[rng.choice(d, k, replace=False)] = rng.uniform(0.5, 1.5, k)
    if len(MODELS[model]) > 1:
        x *= rng.choice([-1.0, 1.0], d)
    y = A @ x
    limit = flow_of(model).vanishing_start(th.Regression(A, y), starts(model, d, rng))
    assert np.max(np.abs(A @ limit.x - y), initial=0.0) <= 1e-11 * (1 + np.max(np.abs(y)))
    if not limit.success:
        assert "more than one solution" in limit.message
        return
    plus, minus = np.maximum(limit.x, 0), np.maximum(-limit.x, 0)
    prices = np.where(np.isfinite(limit.prices), limit.prices, 0.0)
    value = float(plus @ prices[0] + minus @ prices[1])
    assert abs(value - program(A, y, limit.prices)) <= 1e-8 * (1 + value)
    # the multipliers of the whole problem, dependent rows or not
    xi = A.T @ limit.multipliers
    assert np.all(xi <= limit.prices[0] * (1 + 1e-9)) and np.all(
        -xi <= limit.prices[1] * (1 + 1e-9)
    )
    assert value == pytest.approx(limit.multipliers @ y, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_limit_points_tend_to_it(model: str) -> None:
    rng = np.random.default_rng(17)
    flow = flow_of(model)
    A = rng.standard_normal((3, 8))
    y = A @ np.abs(rng.standard_normal(8)) if model == "u**2" else rng.standard_normal(3)
    problem, start = th.Regression(A, y), starts(model, 8, rng)
    limit = flow.vanishing_start(problem, start)
    assert limit.success
    exponents = (20, 60, 120) if "2" in model or model == "u*v" else (2, 3, 4)
    if "4" in model or "3 " in model:
        exponents = (1, 2, 3)
    gaps = []
    for e in exponents:
        point = flow.limit_point(problem, {s: 10.0**-e * v for s, v in start.items()})
        assert point.success
        gaps.append(np.max(np.abs(point.x - limit.x)) / np.max(np.abs(limit.x)))
    assert gaps[-1] < 1e-3 and gaps[-1] <= max(gaps[0], 1e-12)


def test_the_shape_of_the_start_decides_for_depth_three_and_not_for_depth_two() -> None:
    problem = th.Regression([[1.0, 1.2]], [1.0])
    shape = {"u": [1.5, 1.0], "v": [1.5, 1.0]}
    two = flow_of("u**2 - v**2").vanishing_start(problem, shape)
    three = flow_of("u**3 - v**3").vanishing_start(problem, shape)
    # prices 1/kappa, the same for both; and 1/(3 (3 - 2) u0), smaller where the start is larger
    assert np.allclose(two.prices, 0.25) and two.x.round(12).tolist() == [0.0, round(1 / 1.2, 12)]
    assert np.allclose(three.prices, [[1 / 4.5, 1 / 3], [1 / 4.5, 1 / 3]])
    assert three.x.round(12).tolist() == [1.0, 0.0]


def test_ties_are_not_certified() -> None:
    limit = flow_of("u**2 - v**2").vanishing_start(
        th.Regression([[1.0, 1.0]], [1.0]), {"u": 1.0, "v": 1.0}
    )
    assert not limit.success and not limit.unique and "more than one" in limit.message


def test_a_target_of_zero() -> None:
    limit = flow_of("u**2 - v**2").vanishing_start(
        th.Regression([[1.0, 2.0]], [0.0]), {"u": 1.0, "v": 2.0}
    )
    assert limit.success and limit.x.tolist() == [0.0, 0.0] and limit.margin == pytest.approx(1.0)


def test_signs_that_cannot_be_reached() -> None:
    flow = flow_of("u**2")
    with pytest.raises(InfeasibleTarget):
        flow.vanishing_start(th.Regression([[1.0, 1.0]], [-1.0]), {"u": 1.0})
    with pytest.raises(DataError, match="no solution"):
        flow.vanishing_start(th.Regression([[1.0], [1.0]], [1.0, 2.0]), {"u": 1.0})


def test_a_depth_that_is_a_constant() -> None:
    assume = {"L": "(2, oo)", "u": "positive", "v": "positive"}
    flow = th.GradientFlow(th.Elementwise("u**L - v**L", "u, v", assume=assume))
    problem = th.Regression([[1.0, 1.2, -0.4]], [1.0])
    start = {"u": [1.5, 1.0, 0.7], "v": 1.0}
    here = flow.vanishing_start(problem, start | {"L": 3})
    there = flow_of("u**3 - v**3").vanishing_start(problem, start)
    assert here.success and np.allclose(here.x, there.x, rtol=1e-12)
    half = flow.vanishing_start(problem, start | {"L": sp.Rational(5, 2)})
    # 1/(L (L - 2)) u0^(2 - L)
    assert np.allclose(half.prices[0], np.array(start["u"]) ** -0.5 / 1.25)


def test_degrees() -> None:
    degrees = {
        "u**2 - v**2": 2, "u*v*w": 3, "u**3/v": 2, "u": 1, "sqrt(u**4 + v**4)": 2,
        "u**2 + v": None, "sinh(u)": None, "u**2*log(u)": None, "exp(u) - exp(v)": None,
    }  # fmt: skip
    for formula, degree in degrees.items():
        names = [s for s in "uvw" if s in formula.replace("sinh", "").replace("exp", "")]
        assert homogeneity(th.Elementwise(formula, ",".join(names))) == degree


@pytest.mark.parametrize("formula", ["sinh(u)", "u", "u**2 + u"])
def test_formulas_without_a_degree(formula: str) -> None:
    flow = th.GradientFlow(th.Elementwise(formula, "u"))
    for ask in (flow.vanishing_start, flow.large_start):
        with pytest.raises(UnsupportedFormula, match="degree of at least 2"):
            ask(th.Regression([[1.0]], [1.0]), {"u": 1.0})


@pytest.mark.parametrize("model", ["u**2 - v**2", "u**3 - v**3"])
def test_large_starts(model: str) -> None:
    rng = np.random.default_rng(3)
    A, y = rng.standard_normal((3, 7)), rng.standard_normal(3)
    flow, u = flow_of(model), rng.uniform(0.5, 1.5, 7)
    problem = th.Regression(A, y)
    limit = flow.large_start(problem, {"u": u, "v": u})
    gaps = [
        np.max(np.abs(flow.limit_point(problem, {"u": s * u, "v": s * u}).x - limit))
        for s in (2.0, 6.0, 18.0)
    ]
    assert gaps[2] < 1e-3 and gaps[0] > 5 * gaps[1] > 25 * gaps[2]
    # the smallest sum x^2 / M: x = M A^T lambda
    degree = int(model[3])
    metric = 2 * (degree * u ** (degree - 1)) ** 2
    lam = np.linalg.lstsq(A.T, limit / metric, rcond=None)[0]
    assert np.allclose(metric * (A.T @ lam), limit) and np.allclose(A @ limit, y)
    with pytest.raises(UnsupportedFormula, match="coordinate 0 starts at x = 3"):
        flow_of("u**2 - v**2").large_start(th.Regression([[1.0]], [1.0]), {"u": 2.0, "v": 1.0})
    with pytest.raises(DataError, match="no solution"):
        flow_of(model).large_start(th.Regression([[1.0], [1.0]], [1.0, 2.0]), {"u": 1.0, "v": 1.0})
