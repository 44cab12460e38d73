"""Taylor steps against closed forms, against DOP853, and their two backends against each other."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DomainError, UnsupportedFormula
from theory.exact.parsing import names_in
from theory.flow import links, losses
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.numeric.dual_curve import numeric_curve
from theory.numeric.integrate import integrate
from theory.numeric.prepared import PreparedFlow
from theory.numeric.problem import Regression
from theory.numeric.series import constant_rows, make_engine, primal_spec
from theory.numeric.tape import FUNCTIONS, make_tape

u, v, xi, u0, v0 = sp.symbols("u v xi u0 v0", real=True)
BACKENDS = ["numpy", *(["numba"] if find_spec("numba") else [])]
SQUARE = FlowModel(Elementwise(u**2, (u,)))
DIFFERENCE = FlowModel(Elementwise(u**2 - v**2, (u, v)))
CLOSED = {u: u0 * sp.exp(2 * xi), v: v0 * sp.exp(-2 * xi)}
ONE = Regression([[1.0]], [1.0])
A = np.array([[0.4, -0.7, 0.2, 0.9, -0.1], [0.3, 0.5, -0.6, 0.1, 0.8], [-0.9, 0.2, 0.4, 0.3, 0.5]])


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


# -------------------------------------------------------------------------------------------------
# closed forms
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["primal", "dual"])
@pytest.mark.parametrize("rtol", [1e-6, 1e-8, 1e-10, 1e-12])
def test_logistic_growth_is_met_to_the_tolerance(backend: str, mode: str, rtol: float) -> None:
    times = np.linspace(0, 3, 31)
    run = integrate(
        SQUARE, ONE, {u: 0.1}, 3, method="Taylor", mode=mode, rtol=rtol, backend=backend,
        t_eval=times, closed_form={u: u0 * sp.exp(2 * xi)},
    )  # fmt: skip
    # x' = 4 x (1 - x)
    exact = 1 / (1 + 99 * np.exp(-4 * times))
    assert run.success
    assert run.mode == mode
    np.testing.assert_allclose(run.x[0], exact, rtol=20 * rtol)


@pytest.mark.parametrize(
    ("formula", "rate", "start", "expected"),
    [
        # x = u: exponential decay; the others by the integral of du / rho'^2
        ("u", 1.0, 0.2, lambda t: 1 - 0.8 * np.exp(-t)),
        ("log(u)", -1.0, 1.0, lambda t: np.log(np.sqrt(1 + 2 * t))),
        ("exp(u)", -1.0, 0.0, lambda t: 1 / (1 - t)),
        ("1/u", -1.0, 1.0, lambda t: 1 / (1 - 3 * t) ** (1 / 3)),
    ],
)
def test_other_closed_forms(formula: str, rate: float, start: float, expected: Any) -> None:
    # the loss -mu drives with a constant slope; the squared loss relaxes to the target
    loss = losses.squared() if formula == "u" else losses.custom("-mu")
    times = np.linspace(0, 0.3, 7)
    run = integrate(
        FlowModel(Elementwise(formula, "u"), loss), ONE, {"u": start}, 0.3, method="Taylor",
        t_eval=times,
    )  # fmt: skip
    assert run.success
    np.testing.assert_allclose(run.x[0], expected(times), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("start", [1e-8, 1e-100, 1e-200, 1e-300])
@pytest.mark.parametrize("mode", ["primal", "dual"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_tiny_starts_grow_at_the_right_time(start: float, mode: str, backend: str) -> None:
    half = float(np.log(1 / start) / 2)
    times = half + np.array([-0.5, 0.0, 0.5])
    run = integrate(
        SQUARE, ONE, {u: start}, half + 1, method="Taylor", mode=mode, t_eval=times,
        closed_form={u: u0 * sp.exp(2 * xi)}, backend=backend,
    )  # fmt: skip
    with mpmath.workdps(40):
        square = mpmath.mpf(start) ** 2
        exact = [float(1 / (1 + (1 / square - 1) * mpmath.exp(-4 * mpmath.mpf(s)))) for s in times]
    assert run.success
    np.testing.assert_allclose(run.x[0], exact, rtol=1e-9)


# -------------------------------------------------------------------------------------------------
# against another method
# -------------------------------------------------------------------------------------------------

FORMULAS = [
    "u**2 - v**2", "u**3", "u*v", "u**4 - v**4", "sinh(u)", "u*exp(v)", "exp(u) - exp(-v)",
    "tanh(u)", "log(u)", "sqrt(u)", "1/u", "sin(u)", "cos(u)*v", "tan(u)", "u*v*w", "atan(u)",
    "asinh(u)", "erf(u)", "u**(3/2) - v**(3/2)", "log(1 + exp(u))", "u/(1 + v**2)", "acosh(2 + u)",
    "atanh(u)", "asin(u)", "acos(u)", "u**v", "2**u", "cosh(u) - v", "1/(1 + exp(-u))",
    "u**5 + u", "u", "sech(u)", "coth(u)", "erfc(u)", "acoth(2 + u)", "csc(u)", "u**pi",
]  # fmt: skip


def compared(model: FlowModel, y: Any, start: dict[str, Any], end: float, **options: Any) -> None:
    """Taylor in both backends and at two tolerances against DOP853."""
    problem = Regression(A, y)
    times = np.array([0.3, 0.5, 1.0]) * end
    common: dict[str, Any] = {"t_eval": times, "mode": "primal"}
    reference = integrate(model, problem, start, end, method="DOP853", rtol=1e-13, **common)
    assert reference.success
    runs = {}
    for backend in BACKENDS:
        for rtol in (1e-8, 1e-12):
            run = integrate(
                model, problem, start, end, method="Taylor", rtol=rtol, backend=backend, **common
            )
            assert run.success
            assert relative(run.theta, reference.theta) < 10 * rtol + 3e-11
            runs[backend, rtol] = run
    if len(BACKENDS) == 2:
        a, b = (runs[backend, 1e-12] for backend in BACKENDS)
        assert relative(a.theta, b.theta) < 1e-12


@pytest.mark.parametrize("formula", FORMULAS)
def test_parametrization_follows_the_flow(formula: str) -> None:
    names = sorted(names_in(formula))
    rho = Elementwise(formula, names)
    start = {n: 0.4 + 0.1 * i + 0.03 * np.arange(5) for i, n in enumerate(names)}
    x0 = numeric_curve(rho, start, 5)
    y = A @ (x0.block.rho(x0.theta0) + np.array([0.3, -0.2, 0.1, -0.3, 0.2]))
    compared(FlowModel(rho), y, start, 2.0)


@pytest.mark.parametrize(
    ("loss", "link", "y"),
    [
        ("squared", "identity", [0.7, -0.2, 0.4]),
        ("squared", "logistic", [0.7, 0.2, 0.4]),
        ("squared", "exp", [0.7, 0.2, 0.4]),
        ("squared", "softplus", [0.7, 0.2, 0.4]),
        ("squared", "tanh", [0.7, -0.2, 0.4]),
        ("squared", "probit", [0.7, 0.2, 0.4]),
        ("cross_entropy", "logistic", [0.7, 0.0, 1.0]),
        ("cross_entropy", "probit", [0.7, 0.2, 0.4]),
        ("logistic", "identity", [1, -1, 1]),
        ("exponential", "identity", [1, -1, 1]),
        ("poisson", "exp", [0.7, 2.0, 0.0]),
        ("poisson", "softplus", [0.7, 2.0, 0.4]),
        ("log_cosh", "identity", [0.7, -0.2, 0.4]),
        ("log_cosh", "tanh", [0.7, -0.2, 0.4]),
        ("quartic", "identity", [0.7, -0.2, 1.4]),
        ("sqrt(1 + (mu - y)**2) - 1", "identity", [0.7, -0.2, 1.4]),
        ("(mu - y)**6 + (mu - y)**2", "logistic", [0.7, 0.2, 0.4]),
    ],
)
def test_loss_and_link_drive_the_flow(loss: str, link: str, y: list[float]) -> None:
    chosen = getattr(losses, loss)() if loss.isidentifier() else losses.custom(loss)
    model = FlowModel(
        Elementwise("u**2 - v**2", "u, v", rates=[2, "1/3"]), chosen, getattr(links, link)()
    )
    compared(model, y, {"u": 0.5, "v": [0.4, 0.3, 0.5, 0.2, 0.6]}, 4.0)


TERMS = ["u", "v", "u*v", "exp(u)", "sin(v)", "tanh(u + v)", "u**2", "log(2 + v**2)", "cosh(u)"]
PAIRS = [
    "({} + {})/3", "({})*({})", "({})/(2 + ({})**2)", "sinh(({}) - ({}))", "atan(({})*({}))",
    "sqrt(3 + ({})*({})**2)", "erf(({}) + ({})/2)", "({})**2 - ({})**3/5",
]  # fmt: skip


@settings(deadline=None, max_examples=15)
@given(
    first=st.sampled_from(TERMS),
    second=st.sampled_from(TERMS),
    third=st.sampled_from(TERMS),
    inner=st.sampled_from(PAIRS),
    outer=st.sampled_from(PAIRS),
    place=st.integers(-6, 6).map(lambda i: i / 10 + 0.05),
)
def test_drawn_formula_follows_the_flow(
    first: str, second: str, third: str, inner: str, outer: str, place: float
) -> None:
    formula = outer.format(inner.format(first, second), third) + " + u/7 - v/9"
    rho = Elementwise(formula, "u, v")
    start = {"u": place + 0.02 * np.arange(5), "v": 0.3 - place / 2}
    curve = numeric_curve(rho, start, 5)
    y = A @ (curve.block.rho(curve.theta0) + np.array([0.2, -0.1, 0.1, -0.2, 0.15]))
    compared(FlowModel(rho), y, start, 0.5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("formula", ["u**2 - v**2", "u**4 - v**4", "u*v", "exp(u) - exp(-v)"])
def test_dual_form_follows_the_primal_and_keeps_the_laws(formula: str, backend: str) -> None:
    flow = th.GradientFlow(th.Elementwise(formula, "u, v"))
    problem, start = Regression(A, [0.7, -0.2, 0.4]), {"u": 0.5, "v": 0.4}
    runs = [
        flow.integrate(
            problem, start, 5, method="Taylor", mode=mode, t_eval=[0.5, 2, 5], backend=backend
        )
        for mode in ("dual", "primal")
    ]
    assert relative(runs[0].theta, runs[1].theta) < 1e-9
    assert runs[0].drift[0] < 1e-14
    assert runs[1].drift[0] < 1e-9
    assert runs[0].choice == "as asked for"


# -------------------------------------------------------------------------------------------------
# the steps themselves
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [4, 6, 8])
def test_half_the_step_has_the_error_of_its_order(backend: str, order: int) -> None:
    from dataclasses import replace

    model = FlowModel(Elementwise("sinh(u)*exp(v)/3", "u, v"))
    start = {"u": 0.4, "v": 0.3}
    problem = Regression(A, [0.7, -0.2, 0.4])
    curve = numeric_curve(model.elementwise, start, 5)
    spec = replace(primal_spec(model, problem, start, curve, 1e-8, 1e-12), order=order)
    chunk = make_engine(spec, backend).march(0.0, curve.theta0.ravel(), 9.0, 1, 0.2, np.inf)
    C, unit = chunk.coefficients[0], chunk.units[0]
    errors = []
    for h in (0.4, 0.2):
        exact = integrate(model, problem, start, h, method="DOP853", rtol=1e-13).y[:, -1]
        value = (h / unit) ** np.arange(order + 1) @ C
        errors.append(float(np.max(np.abs(value - exact))))
    # the first term that is left out has degree order + 1
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order + 1, abs=0.6)


def test_coefficients_are_those_of_sympy() -> None:
    # every function of the table along the series of sin(t) / 3 + 2/5, by differentiation
    t = sp.Symbol("t", real=True)
    inner = sp.sin(t) / 3 + sp.Rational(2, 5)
    from theory.numeric.compile import call
    from theory.numeric.series_numpy import _Memory

    forms = {
        "expit": lambda a: 1 / (1 + sp.exp(-a)),
        "softplus": lambda a: sp.log(1 + sp.exp(a)),
        "sech": lambda a: 1 / sp.cosh(a),
        "expm1": lambda a: sp.exp(a) - 1,
        "log1p": lambda a: sp.log(1 + a),
        # at home above 1
        "acosh": sp.acosh,
    }
    for name in FUNCTIONS:
        form = forms.get(name, getattr(sp, name, None))
        assert form is not None
        shift = 2 if name == "acosh" else 0
        tape = make_tape((call(name, u + shift),), (u,))
        memory = _Memory(tape, np.array([[float(c)] for c in tape.constants]).reshape(-1, 1), 5, 1)
        with mpmath.workdps(40):
            expected = mpmath.taylor(sp.lambdify(t, form(inner + shift), "mpmath"), 0, 5)
        for k in range(6):
            memory.rows[0, k, 0] = float(inner.diff(t, k).subs(t, 0) / sp.factorial(k))
            memory.fill(k)
        got = memory.output(tape.outputs[0])[:, 0]
        np.testing.assert_allclose(got, [float(c) for c in expected], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "formulas",
    [
        # operations side by side, with own and with common operands
        (sp.exp(3 * u) * v**2 - sp.exp(-2 * v) / 5, sp.sin(u) * sp.cos(v), u * v + u**2 * v**2),
        (sp.tanh(u + v) + sp.tanh(u - v), sp.exp(u) * sp.exp(2 * u) + sp.exp(v), (u + v) ** 3),
        (1 / (2 + u) + 1 / (3 + v), sp.sqrt(2 + u) * sp.sqrt(3 + v), sp.log(2 + u * v)),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_coefficients_of_operations_in_groups(formulas: tuple[sp.Expr, ...], backend: str) -> None:
    from theory.numeric.series_numpy import _Memory

    t = sp.Symbol("t", real=True)
    along = {u: sp.sin(t) / 3 + sp.Rational(2, 5), v: sp.cos(2 * t) / 4 + t / 7}
    tape = make_tape(formulas, (u, v))
    constants = constant_rows(tape, [], 1)
    inner = [[float(a.diff(t, k).subs(t, 0) / sp.factorial(k)) for k in range(7)]
             for a in along.values()]  # fmt: skip
    if backend == "numpy":
        memory = _Memory(tape, constants, 6, 1)
        for k in range(7):
            memory.rows[0, k, 0], memory.rows[1, k, 0] = inner[0][k], inner[1][k]
            memory.fill(k)
        got = [memory.output(i)[:, 0] for i in tape.outputs]
    else:
        from theory.numeric.series_numba import as_code
        from theory.numeric.tape_numba import fill

        rows = np.zeros((tape.size, 7, 1))
        rows[2 : tape.first, 0] = constants
        for k in range(7):
            rows[0, k, 0], rows[1, k, 0] = inner[0][k], inner[1][k]
            fill(as_code(tape), tape.first, rows, k)
        got = [rows[i, :, 0] for i in tape.outputs]
    for f, coefficients in zip(formulas, got, strict=True):
        with mpmath.workdps(40):
            expected = mpmath.taylor(sp.lambdify(t, f.xreplace(along), "mpmath"), 0, 6)
        np.testing.assert_allclose(
            coefficients, [float(c) for c in expected], rtol=1e-11, atol=1e-13
        )


@pytest.mark.parametrize("mode", ["primal", "dual"])
def test_dense_output_is_as_good_as_the_steps(mode: str) -> None:
    run = integrate(
        SQUARE, ONE, {u: 0.1}, 3, method="Taylor", mode=mode, closed_form={u: u0 * sp.exp(2 * xi)}
    )
    for t in np.linspace(0, 3, 97):
        exact = 1 / (1 + 99 * np.exp(-4 * t))
        assert run.sol(t)[0, 0] ** 2 == pytest.approx(exact, rel=1e-9)
    many = integrate(
        SQUARE, ONE, {u: 0.1}, 3, method="Taylor", mode=mode, t_eval=run.t,
        closed_form={u: u0 * sp.exp(2 * xi)},
    )  # fmt: skip
    assert np.array_equal(many.theta, run.theta)


def test_polynomials_that_were_not_kept_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, start = Regression(A, [0.7, -0.2, 0.4]), {"u": 0.5, "v": 0.4}
    options: dict[str, Any] = {"method": "Taylor", "t_eval": np.linspace(0, 5, 40)}
    for backend in BACKENDS:
        kept = integrate(DIFFERENCE, problem, start, 5, backend=backend, **options)
        monkeypatch.setattr("theory.numeric.taylor._KEPT", 0)
        again = integrate(DIFFERENCE, problem, start, 5, backend=backend, **options)
        monkeypatch.undo()
        assert np.array_equal(kept.theta, again.theta)


# -------------------------------------------------------------------------------------------------
# events, ends and refusals
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_interpolation_is_timed(backend: str) -> None:
    run = integrate(SQUARE, ONE, {u: 0.5}, tol=1e-6, rtol=1e-13, method="Taylor", backend=backend)
    assert run.t_events["interpolation"][0] == pytest.approx(np.log(3 * (1e6 - 1)) / 4, rel=1e-9)
    assert run.status == 1
    run = integrate(SQUARE, ONE, {u: 0.5}, 20, tol=1e-6, rtol=1e-13, method="Taylor")
    assert run.t[-1] == 20
    assert run.t_events["interpolation"].size == 1


@pytest.mark.parametrize(
    ("formula", "y", "start", "expected"),
    [
        ("u**(3/2)", -1.0, 1.0, 1.114198464353),
        ("asin(u)", 2.0, 0.0, 0.542431989573),
        # x' = -(x + 1) from 1 until 0
        ("u", -1.0, 1.0, np.log(2)),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_exit_from_the_domain_is_timed(
    formula: str, y: float, start: float, expected: float, backend: str
) -> None:
    rho = Elementwise(formula, "u", assume={"u": "positive"} if formula == "u" else None)
    run = integrate(
        FlowModel(rho), Regression([[1.0]], [y]), {"u": start}, 5, rtol=1e-12, method="Taylor",
        backend=backend,
    )  # fmt: skip
    assert "leaves the domain" in run.message
    assert run.t_events["boundary"][0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_blow_up_is_a_failure_with_a_reason(backend: str) -> None:
    model = FlowModel(Elementwise("u", "u"), losses.custom("-mu**3"))
    run = integrate(model, ONE, {"u": 1}, 1, method="Taylor", backend=backend)
    assert not run.success
    assert "blow up" in run.message
    assert run.t[-1] == pytest.approx(1 / 3, rel=1e-10)


def test_budgets_end_a_run_with_a_reason() -> None:
    run = integrate(SQUARE, ONE, {u: 1e-3}, 50, method="Taylor", max_nfev=100)
    assert not run.success
    assert "100 evaluations" in run.message
    assert run.nfev <= 101
    run = integrate(SQUARE, ONE, {u: 1e-3}, 50, method="Taylor", max_seconds=0.0)
    assert "time budget" in run.message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["primal", "dual"])
def test_a_flow_at_rest_comes_nearer_than_its_tolerance(mode: str, backend: str) -> None:
    problem = Regression([[1.0, 2.0], [2.0, -1.0]], [1.0, 0.5])
    run = integrate(
        DIFFERENCE, problem, {"u": 0.1, "v": 0.1}, tol=1e-12, rtol=1e-8, method="Taylor",
        mode=mode, closed_form=CLOSED, backend=backend, max_nfev=20_000,
    )  # fmt: skip
    assert run.status == 1
    np.testing.assert_allclose(problem.predict(run.end), problem.y, atol=1e-11)


def test_curves_are_recentered_near_a_pole() -> None:
    # u grows from 1e-4 to 1: xi comes within 1e-8 of the pole at 1/(8 u0^2)
    flow = th.GradientFlow(th.Elementwise("u**4 - v**4", "u, v"))
    start = {"u": 1e-2, "v": 1e-2}
    runs = [
        flow.integrate(ONE, start, 800, method=m, mode=mode, rtol=1e-12, t_eval=[600, 625, 800])
        for m, mode in (("Taylor", "dual"), ("Taylor", "primal"), ("DOP853", "primal"))
    ]
    assert all(r.success for r in runs)
    # the time of growth is where the pole is, so that errors are relative to t
    for run in runs[1:]:
        np.testing.assert_allclose(run.x, runs[0].x, rtol=1e-8)
    assert runs[0].drift[0] < 1e-12


@pytest.mark.parametrize("formula", ["abs(u) + u", "Max(u, 2*u)", "LambertW(u + 2)", "gamma(u)"])
def test_formula_without_a_recurrence_is_refused(formula: str) -> None:
    model = FlowModel(Elementwise(formula, "u"))
    with pytest.raises(UnsupportedFormula, match="recurrence"):
        integrate(model, ONE, {"u": 1.3}, 1, method="Taylor")
    assert integrate(model, ONE, {"u": 1.3}, 0.1, method="DOP853").success


def test_loss_with_kinks_is_refused() -> None:
    model = FlowModel(Elementwise("u", "u"), losses.huber())
    with pytest.raises(UnsupportedFormula, match="slope"):
        integrate(model, ONE, {"u": 0.3}, 1, method="Taylor")


def test_closed_curve_without_a_series_leaves_the_primal_form() -> None:
    # the curve of u + log(u) contains LambertW
    flow = th.GradientFlow(th.Elementwise("u*exp(u)", "u", assume={"u": "positive"}))
    run = flow.integrate(ONE, {"u": 0.2}, 1, method="Taylor")
    reference = flow.integrate(ONE, {"u": 0.2}, 1, method="DOP853", mode="primal", rtol=1e-12)
    assert run.mode == "primal"
    np.testing.assert_allclose(run.end, reference.end, rtol=1e-9)


def test_call_is_refused() -> None:
    with pytest.raises(UnsupportedFormula, match="closed form"):
        integrate(SQUARE, ONE, {u: 0.5}, 1, method="Taylor", mode="dual")
    with pytest.raises(DomainError, match="backend"):
        integrate(SQUARE, ONE, {u: 0.5}, 1, method="Taylor", backend="fortran")


def test_numba_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theory.numeric.series._has_numba", lambda: False)
    with pytest.raises(DomainError, match="fast"):
        integrate(SQUARE, ONE, {u: 0.5}, 1, method="Taylor", backend="numba")
    assert integrate(SQUARE, ONE, {u: 0.5}, 1, method="Taylor").success


@pytest.mark.parametrize("backend", BACKENDS)
def test_prepared_flow_runs_again(backend: str) -> None:
    problem, start = Regression(A, [0.7, -0.2, 0.4]), {"u": 0.5, "v": 0.4}
    flow = PreparedFlow(
        DIFFERENCE, problem, start, method="Taylor", closed_form=CLOSED, backend=backend
    )
    first, second = flow.run(2), flow.run((0, 4), t_eval=[2])
    assert first.mode == "dual"
    np.testing.assert_allclose(second.theta[..., 0], first.theta[..., -1], rtol=1e-9)
    whole = integrate(DIFFERENCE, problem, start, 2, method="DOP853", rtol=1e-12)
    np.testing.assert_allclose(first.end, whole.end, rtol=1e-9)


def test_sparse_data_and_single_samples() -> None:
    from scipy import sparse
    from scipy.sparse.linalg import aslinearoperator

    dense = integrate(DIFFERENCE, Regression(A, [1, 0, -1]), {"u": 0.5, "v": 0.4}, 2).end
    for matrix in (sparse.csr_array(A), aslinearoperator(A)):
        run = integrate(
            DIFFERENCE, Regression(matrix, [1, 0, -1]), {"u": 0.5, "v": 0.4}, 2, method="Taylor"
        )
        np.testing.assert_allclose(run.end, dense, rtol=1e-9, atol=1e-12)


def test_progress_sees_every_step() -> None:
    seen: list[float] = []
    run = integrate(SQUARE, ONE, {u: 0.5}, (1, 3), method="Taylor", progress=seen.append)
    assert seen == run.t[1:].tolist()
    assert run.t[0] == 1
