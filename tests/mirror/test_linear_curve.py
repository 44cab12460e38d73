"""Quadratic formulas in any number of parameters: the curve, its map, and what it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

import theory as th
from theory.mirror.dual_curve import dual_curve
from theory.mirror.linear_curve import linear_curve

xi, x = sp.symbols("xi x", real=True)

CASES = [
    ("u*v", {"u": 2.0, "v": 0.5}),
    ("u*v", {"u": 1.0, "v": -1.0}),
    ("u*v + w**2", {"u": 1.0, "v": 0.25, "w": 0.5}),
    ("u*v - w*z", {"u": 1.0, "v": 0.5, "w": -1.0, "z": 2.0}),
    ("u**2 + 3*u*v - v**2", {"u": 1.0, "v": 2.0}),
    ("u*v + u - 3*v + 5", {"u": 0.5, "v": 0.25}),
    ("u*v + v*w + w*u", {"u": 1.0, "v": 2.0, "w": 3.0}),
    ("2*u*v - v*w/3", {"u": 1.0, "v": 0.0, "w": 0.5}),
]


@pytest.mark.parametrize("rates", [False, True])
@pytest.mark.parametrize(("formula", "start"), CASES, ids=lambda v: str(v)[:30])
def test_the_curve_is_the_matrix_exponential(
    formula: str, start: dict[str, float], rates: bool
) -> None:
    names = list(start)
    steps = dict(zip(names, (2, 1, sp.Rational(1, 2), 3), strict=False)) if rates else None
    rho = th.Elementwise(formula, names, rates=steps)
    exact = {s: sp.Rational(start[s.name]) for s in rho.parameters}
    found = linear_curve(rho, exact, xi)
    if rates and formula == "u*v + v*w + w*u":
        # three different rates make an irreducible cubic of the eigenvalues
        assert found is None
        return
    assert found is not None
    theta, certificate = found
    assert certificate.proved
    gradient = sp.Matrix([sp.diff(rho.formula, s) for s in rho.parameters])
    N = sp.diag(*rho.rates) * gradient.jacobian(rho.parameters)
    b = sp.diag(*rho.rates) * gradient.xreplace(dict.fromkeys(rho.parameters, sp.S.Zero))
    k = len(names)
    # an affine ODE is linear in one dimension more
    lifted = np.zeros((k + 1, k + 1))
    lifted[:k, :k], lifted[:k, k] = np.array(N, dtype=float), np.array(b, dtype=float).ravel()
    for at in (-0.7, 0.3, 1.1):
        reference = expm(at * lifted) @ np.array([*start.values(), 1.0])
        values = [float(e.subs(xi, at)) for e in theta]
        assert np.allclose(values, reference[:k], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("formula", "parameters", "assume"),
    [
        ("u**2*v", "u, v", {}),
        ("u*v", "u, v", {"u": "positive"}),
        ("exp(u)*v", "u, v", {}),
        ("u + v", "u, v", {}),
        ("u*v + u", "u, v, w", None),
        # the characteristic polynomial is an irreducible cubic
        ("u**2 + u*v + 2*v*w + w**2 + 3*u*w", "u, v, w", {}),
    ],
)
def test_what_is_not_solved_is_left_open(
    formula: str, parameters: str, assume: dict[str, str] | None
) -> None:
    if assume is None:
        with pytest.raises(th.TheoryError):
            th.Elementwise(formula, parameters)
        return
    rho = th.Elementwise(formula, parameters, assume=assume)
    start = {s: sp.Rational(i + 1, 2) for i, s in enumerate(rho.parameters)}
    assert linear_curve(rho, start, xi) is None


def test_a_product_from_any_start_has_a_closed_map() -> None:
    a, b = sp.symbols("a b", positive=True)
    curve = dual_curve(th.Elementwise("u*v", "u, v"), {"u": a, "v": b})
    assert curve.kind == "linear"
    expected = (a + b) ** 2 * sp.exp(2 * xi) / 4 - (a - b) ** 2 * sp.exp(-2 * xi) / 4
    assert sp.expand(curve.x - expected) == 0


def test_a_difference_of_products_is_a_hyperbolic_entropy() -> None:
    a, b = sp.symbols("a b", positive=True)
    flow = th.GradientFlow(th.Elementwise("u*v - w*z", "u, v, w, z"))
    mirror = flow.mirror({"u": a, "v": b, "w": a, "z": b})
    assert mirror.gradient(x) == sp.asinh(x / (a**2 + b**2)) / 2


def test_the_limit_of_a_product_is_found_through_its_map() -> None:
    rng = np.random.default_rng(5)
    A = rng.standard_normal((4, 10))
    problem = th.Regression(A, A @ np.eye(10)[0])
    flow = th.GradientFlow(th.Elementwise("u*v", "u, v"))
    start = {"u": 0.3, "v": 0.1}
    limit = flow.limit_point(problem, start)
    run = flow.integrate(problem, start, method="LSODA", mode="primal", tol=1e-10)
    assert limit.success
    assert np.allclose(run.end, limit.x, atol=1e-7)
