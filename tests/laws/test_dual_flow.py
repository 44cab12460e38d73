"""Law: F'(x(t)) - F'(x0) = -A^T nu(t), with nu' the derivative of the loss in the predictor."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from tests.laws.strategies import POSITIVE, Case, cases, problems


@settings(max_examples=6)
@given(st.data())
def test_dual_variable_moves_by_minus_the_gradient_of_the_loss(data: st.DataObject) -> None:
    case: Case = data.draw(cases((*POSITIVE, "sinh(u)", "u**2 - v**2", "u*v", "u**2 + u*v")))
    A, z = data.draw(problems(case))
    times = np.linspace(0, 0.5, 65)
    run = case.flow().integrate(
        th.Regression(A, z), case.floats, (0, 0.5), t_eval=times, mode="primal",
        terminal=False, rtol=1e-11, laws=(),
    )  # fmt: skip
    assert run.success, run.message
    x = run.x if run.x.shape == (4, 65) else run.x.T
    gradient = A.T @ (A @ x - z[:, None])
    # Boole's rule on 16 panels of five nodes
    weights = np.zeros(65)
    for k in range(0, 64, 4):
        weights[k : k + 5] += np.array([7, 32, 12, 32, 7]) * 4 / 90 * (times[1] - times[0])
    moved = -gradient @ weights
    mirror = case.mirror()
    xi = np.array([float(mirror.value("gradient", float(v))) for v in x[:, -1]])
    # the quadrature error is bounded by the change of the rule on every second node
    coarse = np.zeros(65)
    for k in range(0, 64, 8):
        coarse[k : k + 9 : 2] += np.array([7, 32, 12, 32, 7]) * 4 / 90 * 2 * (times[1] - times[0])
    error = np.max(np.abs(gradient @ (weights - coarse)))
    assert np.max(np.abs(xi - moved)) <= error + 1e-8 * (1 + np.max(np.abs(xi)))
