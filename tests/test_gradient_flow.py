"""The gradient flow as users meet it."""

import numpy as np
import pytest
import sympy as sp

import theory as th
from theory.errors import StartError

u, v = sp.symbols("u v", real=True)
alpha = sp.Symbol("alpha", positive=True)
x = sp.Symbol("x", real=True)


@pytest.fixture(scope="module")
def flow():
    return th.GradientFlow(th.Elementwise(u**2 - v**2, (u, v)))


@pytest.fixture(scope="module")
def mirror(flow):
    return flow.mirror(start={u: alpha, v: alpha})


def test_potential_is_hyperbolic_entropy(mirror):
    # typed by hand: F'' = 1/(4 sqrt(x^2 + 4 alpha^4)), F(0) = F'(0) = 0
    stated = x * sp.asinh(x / (2 * alpha**2)) / 4 - sp.sqrt(x**2 + 4 * alpha**4) / 4 + alpha**2 / 2
    assert th.prove(mirror.potential(x) - stated).proved


def test_mirror_offers_regularizer_derivation_and_code(mirror):
    assert mirror.regularizer.limit(alpha, 0).function == sp.Abs(x)
    assert mirror.derivation.steps[0].title == "Gradient flow"
    assert "def regularizer(x, alpha)" in mirror.to_code("numpy")
    assert mirror.domain == mirror.reach == (-sp.oo, sp.oo)
    assert mirror.is_legendre.proved


def test_trajectory_ends_at_the_limit_point(flow):
    problem = th.Regression([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]], [1.0, 0.5])
    start = {u: [0.1, 0.2, 0.3], v: 0.1}
    run = flow.integrate(problem, start, method="LSODA")
    limit = flow.limit_point(problem, start)
    assert run.success and limit.success
    assert np.abs(run.end - limit.x).max() < 1e-6
    assert max(run.drift) < 1e-7


def test_closed_curve_and_numeric_curve_lead_to_the_same_limit(flow):
    problem = th.Regression([[1.0, 2.0, 3.0]], [1.0])
    start = {u: 0.01, v: 0.02}
    closed = flow.limit_point(problem, start)
    numeric = flow.limit_point(problem, start, closed_form=None)
    assert np.allclose(closed.x, numeric.x, rtol=1e-9)


def test_mirror_refuses_an_array_of_starts(flow):
    with pytest.raises(StartError, match="belongs to one coordinate"):
        flow.mirror(start={u: np.array([1.0, 2.0]), v: 1})


def test_conditions_name_their_claims(flow):
    conditions = flow.conditions()
    assert all(c.verdict.proved for c in conditions)
