"""Trajectories against closed forms, quadrature, and the limit points."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

from theory.errors import DomainError
from theory.flow import links, losses
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.numeric.block import prepare
from theory.numeric.integrate import integrate
from theory.numeric.limit_point import limit_point
from theory.numeric.objective import compile_objective
from theory.numeric.problem import Regression
from theory.numeric.systems import PrimalSystem

A = np.array([[1, 2, -1, 0.5], [0, 1, 1, -2]])
SIGNED = Regression(A, [-0.9, -0.3])
POSITIVE = Regression(A, [1.3, 0.1])
u, v, xi, u0, v0 = sp.symbols("u v xi u0 v0", real=True)
DIFFERENCE = FlowModel(Elementwise(u**2 - v**2, (u, v)))
CLOSED = {u: u0 * sp.exp(2 * xi), v: v0 * sp.exp(-2 * xi)}
SQUARE = FlowModel(Elementwise(u**2, (u,)))
ONE = Regression([[1.0]], [1.0])


def logistic_growth(start: float, t: np.ndarray) -> np.ndarray:
    # x = u^2 has x' = 4 x (1 - x)
    return 1 / (1 + (1 / start**2 - 1) * np.exp(-4 * t))


@pytest.mark.parametrize("method", ["DOP853", "RK45", "LSODA", "Radau", "BDF"])
@pytest.mark.parametrize("start", [1e-8, 1e-12])
def test_every_method_leaves_the_saddle_at_the_right_time(method: str, start: float) -> None:
    half = float(np.log(1 / start**2) / 4)
    times = half + np.array([-0.5, 0.0, 0.5])
    rtol = 1e-8 if method in ("BDF", "Radau", "RK45") else 1e-10
    run = integrate(SQUARE, ONE, {u: start}, half + 1, method=method, t_eval=times, rtol=rtol)
    assert run.success
    # an error of rtol a step shifts the time of growth; implicit methods take many steps
    np.testing.assert_allclose(run.x[0], logistic_growth(start, times), rtol=1e5 * rtol)


@pytest.mark.parametrize("formula", ["u**2", "u**3", "exp(u)", "sinh(u)", "sin(u)", "atan(u)"])
def test_long_run_ends_at_the_limit_point(formula: str) -> None:
    start = {"u": {"exp(u)": -1.0, "u**2": 0.3, "u**3": 0.5}.get(formula, 0.0)}
    problem = SIGNED if start["u"] == 0 else POSITIVE
    model = FlowModel(Elementwise(formula, "u"))
    run = integrate(model, problem, start, 2000, method="LSODA", rtol=1e-11)
    limit = limit_point(model, problem, start)
    assert run.success
    np.testing.assert_allclose(run.end, limit.x, atol=1e-9)


def test_primal_and_dual_run_along_the_same_trajectory() -> None:
    options = {"rtol": 1e-12, "t_eval": [0.1, 1.0, 3.0], "closed_form": CLOSED}
    start = {u: [0.4, 0.3, 0.2, 0.5], v: 0.1}
    a = integrate(DIFFERENCE, SIGNED, start, 3, mode="primal", **options)
    b = integrate(DIFFERENCE, SIGNED, start, 3, mode="dual", **options)
    np.testing.assert_allclose(a.x, b.x, rtol=0, atol=1e-10)
    assert (a.mode, b.mode) == ("primal", "dual")


def test_dual_without_a_closed_form_agrees_with_the_primal() -> None:
    model = FlowModel(Elementwise("tanh(u)*v", "u, v"))
    start = {"u": 0.3, "v": 0.5}
    a = integrate(model, POSITIVE, start, 1, mode="dual", rtol=1e-9, t_eval=[1.0])
    b = integrate(model, POSITIVE, start, 1, mode="primal", rtol=1e-12, t_eval=[1.0])
    np.testing.assert_allclose(a.x, b.x, atol=1e-7)


def test_conservation_laws_hold_and_are_exact_in_the_dual() -> None:
    laws = [u * v]
    primal = integrate(DIFFERENCE, SIGNED, {u: 0.4, v: 0.3}, 20, laws=laws)
    dual = integrate(
        DIFFERENCE, SIGNED, {u: 0.4, v: 0.3}, 20, laws=laws, mode="dual", closed_form=CLOSED
    )
    assert primal.drift[0] < 1e-8
    assert dual.drift[0] < 1e-14


def test_run_from_1e_minus_100_reaches_its_limit() -> None:
    start = {u: 1e-100, v: 1e-100}
    run = integrate(
        DIFFERENCE, SIGNED, start, method="LSODA", closed_form=CLOSED, tol=1e-9, laws=[u * v]
    )
    assert run.mode == "dual"
    assert run.status == 1, run.message
    assert run.drift[0] < 1e-14
    limit = limit_point(DIFFERENCE, SIGNED, start, closed_form=CLOSED)
    np.testing.assert_allclose(run.end, limit.x, atol=1e-8)


def test_interpolation_is_timed() -> None:
    # x(0) = 1/4, x' = 4 x (1 - x): 1 - x = 1e-6 at t = log(3 (1e6 - 1)) / 4
    # an error of rtol in x moves this time by rtol / (4 tol)
    run = integrate(SQUARE, ONE, {u: 0.5}, tol=1e-6, rtol=1e-13)
    assert run.t_events["interpolation"][0] == pytest.approx(np.log(3 * (1e6 - 1)) / 4, rel=1e-7)
    assert run.t[-1] == run.t_events["interpolation"][0]


@pytest.mark.parametrize(
    ("formula", "y", "start", "expected"),
    [("u**(3/2)", -1.0, 1.0, 1.114198464353), ("asin(u)", 2.0, 0.0, 0.542431989573)],
)
@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_exit_from_the_domain_is_timed(
    formula: str, y: float, start: float, expected: float, method: str
) -> None:
    model = FlowModel(Elementwise(formula, "u"))
    run = integrate(model, Regression([[1.0]], [y]), {"u": start}, 5, rtol=1e-12, method=method)
    assert "leaves the domain" in run.message
    assert run.t_events["boundary"][0] == pytest.approx(expected, rel=1e-10)
    with mpmath.workdps(30):
        if formula == "asin(u)":
            # dt = dx cos(x)^2 / (2 - x)
            exact = mpmath.quad(lambda x: mpmath.cos(x) ** 2 / (2 - x), [0, mpmath.pi / 2])
        else:
            # dt = -du / (3/2 sqrt(u) (u^(3/2) + 1)), u = s^2
            exact = mpmath.quad(lambda s: mpmath.mpf(4) / 3 / (s**3 + 1), [0, 1])
    assert expected == pytest.approx(float(exact), rel=1e-12)


def test_blow_up_is_a_failure_with_a_reason() -> None:
    # mu' = 3 mu^2 leaves every bound at t = 1/3
    model = FlowModel(Elementwise("u", "u"), losses.custom("-mu**3"))
    run = integrate(model, ONE, {"u": 1}, 1, method="DOP853")
    assert not run.success
    assert run.t[-1] == pytest.approx(1 / 3, rel=1e-8)
    run = integrate(model, ONE, {"u": 1}, 1, method="LSODA", max_seconds=20)
    assert not run.success


def test_budgets_end_a_run_with_a_reason() -> None:
    run = integrate(SQUARE, ONE, {u: 1e-3}, 50, max_nfev=100)
    assert not run.success
    assert "100 evaluations" in run.message
    assert np.isfinite(run.x).all()
    run = integrate(SQUARE, ONE, {u: 1e-3}, 50, max_seconds=0.0)
    assert "time budget" in run.message


def test_jacobian_is_the_derivative_of_the_right_hand_side() -> None:
    model = FlowModel(Elementwise("u*v + sin(u)", "u, v"), losses.squared(), links.logistic())
    problem = Regression(A, [0.3, 0.6])
    block, theta = prepare(model.parametrization, {"u": [0.1, 0.5, 1, 2], "v": 0.7}, 4)
    system = PrimalSystem(block, problem, compile_objective(model, problem.y), theta)
    y, h = system.y0, 1e-6
    differences = [(system.rhs(y + h * e) - system.rhs(y - h * e)) / (2 * h) for e in np.eye(8)]
    np.testing.assert_allclose(system.jacobian(y), np.array(differences).T, atol=1e-9)


def test_dense_output_and_progress() -> None:
    seen: list[float] = []
    run = integrate(SQUARE, ONE, {u: 0.5}, (0, 2), progress=seen.append)
    assert seen == run.t[1:].tolist()
    x = run.sol(0.77)[0, 0] ** 2
    assert x == pytest.approx(logistic_growth(0.5, np.array(0.77)), rel=1e-8)
    assert run.theta.shape == (1, 1, run.t.size)
    assert run.loss[0] == pytest.approx(0.5 * 0.75**2)
    with pytest.raises(DomainError, match="t ="):
        run.sol(3.0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rtol": 1e-3}, "rtol"),
        ({"method": "Euler"}, "method"),
        ({"mode": "fast"}, "mode"),
        ({"events": ("foo",)}, "events"),
        ({"atol": -1.0}, "atol"),
        ({"t": (1.0, 0.0)}, "t0 < t1"),
        ({"t_eval": [9.0]}, "t_eval"),
    ],
    ids=str,
)
def test_call_is_refused(options: dict[str, object], text: str) -> None:
    arguments = {"t": 1.0, **options}
    with pytest.raises(DomainError, match=text):
        integrate(SQUARE, ONE, {u: 0.5}, **arguments)  # type: ignore[arg-type]


def test_hard_labels_need_an_end_of_time() -> None:
    model = FlowModel(Elementwise("u", "u"), losses.logistic())
    with pytest.raises(DomainError, match="finite end"):
        integrate(model, Regression(A, [1, -1]), {"u": 0})
    assert integrate(model, Regression(A, [1, -1]), {"u": 0}, 10).success
