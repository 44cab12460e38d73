r"""Order of convergence, tolerances, drift of laws, and runs that make no sense.

The trajectories have closed forms: $x' = -(x - y)$ for x = u, $x' = -4x(x - y)$ for $x = u^2$, and
$z' = e^{-z}$ for x = u with the exponential loss.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import DOP853, RK23, RK45, Radau

import theory as th
from theory.numeric.dual_curve import numeric_curve
from theory.numeric.objective import compile_objective
from theory.numeric.systems import PrimalSystem

Closed = Callable[[float], float]


def decay() -> tuple[th.GradientFlow, th.Regression, dict[str, float], Closed]:
    flow = th.GradientFlow(th.Elementwise("u", "u"))
    return flow, th.Regression([[1.0]], [0.0]), {"u": 1.0}, lambda t: float(np.exp(-t))


def logistic() -> tuple[th.GradientFlow, th.Regression, dict[str, float], Closed]:
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    x0 = 0.01

    def x(t: float) -> float:
        return x0 / (x0 + (1 - x0) * np.exp(-4 * t))

    return flow, th.Regression([[1.0]], [1.0]), {"u": x0**0.5}, x


def logarithm() -> tuple[th.GradientFlow, th.Regression, dict[str, float], Closed]:
    flow = th.GradientFlow(th.Elementwise("u", "u"), loss=th.losses.exponential())
    # the loss is exp(-y z) with y = 1
    return flow, th.Regression([[1.0]], [1.0]), {"u": 0.5}, lambda t: np.log(t + np.exp(0.5))


CASES = {"decay": decay, "logistic": logistic, "logarithm": logarithm}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("method", "order", "steps"),
    [(RK23, 3, (64, 128, 256)), (RK45, 5, (32, 64, 128)), (Radau, 5, (8, 16, 32)),
     (DOP853, 8, (4, 8, 16))],
)  # fmt: skip
def test_halving_the_step_divides_the_error(case: str, method, order: int, steps) -> None:
    flow, problem, start, exact = CASES[case]()
    curve = numeric_curve(flow.elementwise, start, 1)
    system = PrimalSystem(curve.block, problem, compile_objective(flow, problem.y), curve.theta0)
    end, errors = 2.0, []
    for count in steps:
        # fixed steps: a tolerance that accepts each of them, and Newton's iterations to rounding
        options = {"rtol": 1e9, "atol": 1e9} if method is not Radau else {"rtol": 1.0, "atol": 1.0}
        h = end / count
        if method is Radau:
            options |= {"jac": lambda t, y: system.jacobian(y)}
        solver = method(
            lambda t, y: system.rhs(y), 0.0, system.y0, end, first_step=h, max_step=h, **options
        )
        if method is Radau:
            solver.newton_tol = 1e-14
        while solver.status == "running":
            solver.step()
        errors.append(abs(float(system.x(solver.y)[0]) - exact(end)))
    measured = [np.log2(a / b) for a, b in pairwise(errors) if b > 1e-14]
    assert measured
    if case == "decay":
        assert abs(measured[-1] - order) <= 0.6
    # more than nominal is not yet asymptotic, or a symmetry
    assert measured[-1] >= order - 0.25


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["primal", "dual"])
@pytest.mark.parametrize("method", ["RK45", "DOP853", "LSODA", "Radau", "BDF"])
def test_the_error_follows_the_tolerance(case: str, mode: str, method: str) -> None:
    flow, problem, start, exact = CASES[case]()
    for rtol in (1e-6, 1e-8, 1e-10):
        times = [0.5, 1.0, 2.0]
        run = flow.integrate(
            problem, start, 2.0, method=method, mode=mode, rtol=rtol, t_eval=times,
            atol=rtol * 1e-3 * start["u"],
        )  # fmt: skip
        assert run.success
        error = max(abs(x - exact(t)) / abs(exact(t)) for t, x in zip(times, run.x[0], strict=True))
        assert error <= (60 if method == "BDF" else 5) * rtol * (1 + abs(np.log(exact(0.0))))


@pytest.mark.parametrize("method", ["DOP853", "LSODA", "Radau"])
def test_a_law_drifts_by_little_and_not_at_all_in_the_dual(method: str) -> None:
    # the two-layer saddle: u v with u^2 - v^2 conserved, from near zero
    flow = th.GradientFlow(th.Elementwise("u*v", "u, v"))
    problem, start = th.Regression([[1.0]], [1.0]), {"u": 1e-3, "v": 5e-4}
    primal = flow.integrate(problem, start, 40.0, method=method, mode="primal", rtol=1e-12)
    dual = flow.integrate(problem, start, 40.0, method=method, mode="dual", rtol=1e-12)
    assert primal.success and dual.success
    first, last = (start["u"] ** 2 - start["v"] ** 2), primal.theta[..., -1]
    kept = float(last[0, 0] ** 2 - last[1, 0] ** 2)
    # relative to the law itself, which is a difference of two numbers a million times larger
    assert abs(kept - first) <= 1e-7 * max(abs(first), 1e-7 * float(np.max(last**2)) / 1e-7)
    assert dual.drift[0] <= 1e-14


NONSENSE = {
    # z' = z^3 from 1: infinite at t = 1/2
    "blow-up": ("u", "-mu**4/4", {"u": 1.0}, 0.5),
    # the slope of mu^(3/2) is not real below 0, where z' = -1 leads
    "complex": ("u", "mu*y + mu**(3/2)/10**6", {"u": 1.0}, None),
    # x = log(u) falls to minus infinity, where u = 0, in finite time: u' = -1/u
    "end of the domain": ("log(u)", "mu", {"u": 1.0}, 0.5),
}


@pytest.mark.parametrize("mode", ["primal", "dual"])
@pytest.mark.parametrize("method", ["DOP853", "RK45", "LSODA", "Radau", "BDF"])
@pytest.mark.parametrize("name", NONSENSE)
def test_a_run_that_makes_no_sense_has_no_success(name: str, method: str, mode: str) -> None:
    formula, loss, start, at = NONSENSE[name]
    flow = th.GradientFlow(th.Elementwise(formula, "u"), loss=th.losses.custom(loss))
    problem = th.Regression([[1.0]], [1.0])
    run = flow.integrate(
        problem, start, 50.0, method=method, mode=mode, rtol=1e-8,
        events=("interpolation", "blow_up"), max_seconds=20.0, max_nfev=10_000,
    )  # fmt: skip
    assert not run.success and run.status == -1
    # a sentence that tells when
    assert run.message.endswith(".") and "t = " in run.message
    assert run.t[-1] < 50.0 and np.isfinite(run.theta).all()
    if at is not None:
        assert abs(run.t[-1] - at) < 0.05


@pytest.mark.parametrize("method", ["DOP853", "LSODA", "Radau", "BDF"])
@pytest.mark.parametrize("size", [1e-20, 1e-100])
def test_the_saddle_is_left_at_the_right_time(method: str, size: float) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    run = flow.integrate(th.Regression([[1.0]], [1.0]), {"u": size}, method=method, rtol=1e-9)
    half = float(np.interp(0.5, run.x[0], run.t))
    # x = 1/2 when x0 e^{4t} = 1 - x0
    assert run.success and half == pytest.approx(np.log(1 / size**2 - 1) / 4, rel=1e-2)
