"""Law: F''(x) M = 1, with M from the parameters' own gradient along an integrated curve."""

from __future__ import annotations

import numpy as np
import sympy as sp
from hypothesis import given, settings
from scipy.integrate import solve_ivp

from tests.laws.strategies import Case, cases


@settings(max_examples=6)
@given(cases())
def test_hessian_is_the_inverse_of_the_metric(case: Case) -> None:
    names = list(case.theta)
    e = sp.sympify(case.formula)
    gradient = sp.lambdify(names, [sp.diff(e, n) for n in names], "numpy")
    value = sp.lambdify(names, e, "numpy")
    theta0 = np.array(list(case.floats.values()))
    metric0 = float(np.sum(np.square(gradient(*theta0))))
    end = 0.1 * (abs(value(*theta0)) + 0.2) / metric0
    run = solve_ivp(
        lambda _, th: np.array(gradient(*th), float),
        (0, end),
        theta0,
        "DOP853",
        rtol=1e-12,
        atol=1e-13,
    )
    theta = run.y[:, -1]
    metric = float(np.sum(np.square(gradient(*theta))))
    mirror = case.mirror()
    hessian = float(mirror.value("hessian", sp.Rational(float(value(*theta)))))
    assert abs(hessian * metric - 1) < 1e-8
