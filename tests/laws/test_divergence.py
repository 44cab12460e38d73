"""Law: along the flow D_F(z, x(t)) falls at the rate <grad Q(a), a - a*>, for every solution z."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from tests.laws.strategies import Case, cases, problems

TYPED = {
    "u**2": lambda z, x: np.sum(z * np.log(z / x) - z + x) / 4,
    "exp(u)": lambda z, x: np.sum(z / x - np.log(z / x) - 1),
    "sinh(u)": lambda z, x: np.sum(
        z * (np.arctan(z) - np.arctan(x)) - np.log((1 + z**2) / (1 + x**2)) / 2
    ),
    "u": lambda z, x: np.sum((z - x) ** 2) / 2,
}


@settings(max_examples=6)
@given(st.data())
def test_divergence_falls_at_the_stated_rate(data: st.DataObject) -> None:
    case: Case = data.draw(cases(tuple(TYPED)))
    A, target = data.draw(problems(case))
    problem = th.Regression(A, target)
    z = case.flow().limit_point(problem, case.floats).x
    times = np.linspace(0, 0.4, 65)
    run = case.flow().integrate(
        problem, case.floats, (0, 0.4), t_eval=times, terminal=False, rtol=1e-11, laws=()
    )
    assert run.success, run.message
    x = run.x if run.x.shape == (4, 65) else run.x.T
    D = np.array([TYPED[case.formula](z, x[:, k]) for k in range(65)])
    rate = np.sum((A @ x - target[:, None]) ** 2, axis=0)
    h = times[1] - times[0]
    fine = h / 3 * (rate[0] + 4 * rate[1:-1:2].sum() + 2 * rate[2:-1:2].sum() + rate[-1])
    even = rate[::2]
    coarse = 2 * h / 3 * (even[0] + 4 * even[1:-1:2].sum() + 2 * even[2:-1:2].sum() + even[-1])
    # Simpson's error is at most the difference to the rule on every second node
    assert np.all(np.diff(D) <= 1e-12)
    assert abs(D[0] - D[-1] - fine) <= abs(fine - coarse) + 1e-9 * (1 + D[0])
