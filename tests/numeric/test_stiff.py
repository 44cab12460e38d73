"""Compiled stiff runs of the dual variables."""

import itertools
import time

import numpy as np
import pytest

import theory as th
from theory.numeric.prepared import PreparedFlow

pytest.importorskip("numba")
from theory.numeric import stiff_numba
from theory.numeric.closed_curve import closed_curve

SCALAR = th.GradientFlow(th.Elementwise("u**2", "u"))


def logistic_curve(t: np.ndarray, x0: float) -> np.ndarray:
    # u' = -2u (u^2 - 1): x = u^2 has x' = 4 x (1 - x)
    return 1 / (1 + (1 / x0 - 1) * np.exp(-4 * t))


@pytest.mark.parametrize("start", [0.5, 1e-3, 1e-20, 1e-100])
def test_closed_form_from_starts_of_all_sizes(start: float) -> None:
    half = np.log(1 / start**2 - 1) / 4 if start > 1e-150 else 0.0
    times = np.linspace(0, max(half, 0) + 3, 40)
    run = SCALAR.integrate(
        th.Regression([[1.0]], [1.0]), {"u": start}, (0, times[-1]), mode="dual", method="BDF",
        backend="numba", t_eval=times,
    )  # fmt: skip
    assert run.success and run.method == "BDF"
    np.testing.assert_allclose(run.x[0], logistic_curve(times, start**2), rtol=2e-6, atol=1e-9)


def test_tolerances_are_a_ladder() -> None:
    times = np.linspace(0, 3, 50)
    errors = []
    for rtol in (1e-6, 1e-8, 1e-10, 1e-12):
        run = SCALAR.integrate(
            th.Regression([[1.0]], [1.0]), {"u": 0.1}, (0, 3), mode="dual", method="BDF",
            rtol=rtol, t_eval=times,
        )  # fmt: skip
        errors.append(np.max(np.abs(run.x[0] - logistic_curve(times, 0.01))))
    assert all(b < 0.1 * a for a, b in itertools.pairwise(errors)), errors
    assert errors[-1] < 1e-9


CASES = [
    ("u**2 - v**2", 1e-3, th.losses.squared(), th.links.identity(), [0.5, -1.0, 0.7]),
    ("u**3 - v**3", 0.05, th.losses.squared(), th.links.identity(), [0.5, -1.0, 0.7]),
    ("u**2 - v**2", 1e-3, th.losses.cross_entropy(), th.links.logistic(), [0.5, 0.2, 0.7]),
    ("u**2 - v**2", 1e-2, th.losses.poisson(), th.links.exp(), [0.5, 2.0, 0.7]),
    ("u**2 - v**2", 1e-3, th.losses.custom("cosh(mu - y)"), th.links.identity(), [0.5, -1.0, 0.7]),
    ("exp(u) - exp(-v)", 0.1, th.losses.squared(), th.links.identity(), [0.5, -1.0, 0.7]),
]


@pytest.mark.parametrize(("formula", "scale", "loss", "link", "y"), CASES)
def test_the_same_as_the_primal_run(
    formula: str, scale: float, loss: th.losses.Loss, link: th.links.Link, y: list[float]
) -> None:
    flow = th.GradientFlow(th.Elementwise(formula, "u, v"), loss, link)
    rng = np.random.default_rng(1)
    problem = th.Regression(rng.standard_normal((3, 6)), y)
    start = {"u": scale * rng.uniform(0.5, 2, 6), "v": scale}
    times = np.linspace(0, 20, 30)
    options = {"t_eval": times, "rtol": 1e-9}
    run = flow.integrate(problem, start, (0, 20), mode="dual", method="BDF", **options)
    slow = flow.integrate(problem, start, (0, 20), mode="primal", method="DOP853", **options)
    assert run.success and slow.success
    np.testing.assert_allclose(run.x, slow.x, rtol=1e-5, atol=2e-7)
    assert run.nfev < 5000 and run.njev > 0


def test_interpolation_ends_the_run_where_it_is_reached() -> None:
    problem = th.Regression([[1.0]], [1.0])
    run = SCALAR.integrate(problem, {"u": 1e-3}, method="BDF", mode="dual", tol=1e-6)
    assert run.success and "Interpolation" in run.message
    # 1 - x = 1e-6
    exact = 2 * np.log(1e6 - 1) / 4
    assert run.t[-1] == pytest.approx(exact, rel=1e-4)
    assert run.t_events["interpolation"] == pytest.approx([exact], rel=1e-4)
    on = SCALAR.integrate(problem, {"u": 1e-3}, (0, 50), method="BDF", mode="dual", tol=1e-6)
    assert on.t[-1] == 50 and on.t_events["interpolation"] == pytest.approx([exact], rel=1e-4)


def test_dense_output_between_the_steps() -> None:
    run = SCALAR.integrate(
        th.Regression([[1.0]], [1.0]), {"u": 0.1}, (0, 3), mode="dual", method="BDF", rtol=1e-10
    )
    middles = 0.5 * (run.t[1:] + run.t[:-1])
    values = np.array([run.sol(float(t))[0, 0] ** 2 for t in middles])
    np.testing.assert_allclose(values, logistic_curve(middles, 0.01), rtol=1e-6)


def test_the_end_of_the_domain_and_the_blow_up_are_told() -> None:
    # x = log(u) can be pulled below every bound; x = sqrt(u) - 2 ends at u = 0
    flow = th.GradientFlow(th.Elementwise("sqrt(u)", "u", assume={"u": "nonnegative"}))
    problem = th.Regression([[1.0]], [-1.0])
    ours = flow.integrate(problem, {"u": 1.0}, (0, 20), mode="dual", method="BDF", backend="numba")
    scipys = flow.integrate(problem, {"u": 1.0}, (0, 20), mode="dual", method="LSODA")
    assert (ours.success, ours.status) == (scipys.success, scipys.status)
    assert ours.t[-1] == pytest.approx(scipys.t[-1], rel=1e-4)
    flow = th.GradientFlow(th.Elementwise("u**2", "u"), th.losses.custom("-mu*y"))
    grows = flow.integrate(
        th.Regression([[1.0]], [1.0]), {"u": 1.0}, (0, 100), mode="dual", method="BDF"
    )
    assert not grows.success and grows.message


def test_budgets_end_a_run() -> None:
    problem = th.Regression([[1.0]], [1.0])
    run = SCALAR.integrate(problem, {"u": 1e-3}, (0, 50), method="BDF", mode="dual", max_nfev=30)
    assert not run.success and "budget" in run.message
    assert run.nfev < 200


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("factor", [0.2, 0.5, 1.7, 10.0])
def test_differences_at_another_step_are_of_the_same_polynomial(order: int, factor: float) -> None:
    rng = np.random.default_rng(order)
    coefficients = rng.standard_normal((order + 1, 3))

    def value(t: float) -> np.ndarray:
        return np.polynomial.polynomial.polyval(t, coefficients)

    def differences(h: float) -> np.ndarray:
        rows = [np.array([value(-j * h) for j in range(order + 1)])]
        for _ in range(order):
            rows.append(rows[-1][:-1] - rows[-1][1:])
        return np.array([r[0] for r in rows])

    D = np.zeros((8, 3))
    D[: order + 1] = differences(1.0)
    stiff_numba._rescale(D, order, factor, np.zeros((6, 3)))
    np.testing.assert_allclose(D[: order + 1], differences(factor), rtol=1e-9, atol=1e-9)


def test_basis_of_the_dense_output() -> None:
    # at sigma = 1, 0, -1, ... the differences give the values at the step's end and before it
    rng = np.random.default_rng(0)
    values = rng.standard_normal(6)
    rows = [values]
    for _ in range(5):
        rows.append(rows[-1][:-1] - rows[-1][1:])
    D = np.array([r[0] for r in rows])
    polynomial = D @ stiff_numba._BASIS
    found = np.polynomial.polynomial.polyval(1.0 - np.arange(6), polynomial)
    np.testing.assert_allclose(found, values, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_factors_solve(n: int) -> None:
    rng = np.random.default_rng(n)
    J, b = rng.standard_normal((n, n)), rng.standard_normal(n)
    LU, exchanges, w = np.empty((n, n)), np.zeros(n, dtype=np.int64), b.copy()
    assert stiff_numba._factorize(J, 0.7, LU, exchanges)
    stiff_numba._solve(LU, exchanges, w)
    np.testing.assert_allclose((np.eye(n) - 0.7 * J) @ w, b, atol=1e-9)
    assert not stiff_numba._factorize(np.eye(n), 1.0, LU, exchanges)


def test_jacobian_against_differences() -> None:
    flow = th.GradientFlow(
        th.Elementwise("u**3 - v**3", "u, v"), th.losses.cross_entropy(), th.links.logistic()
    )
    rng = np.random.default_rng(2)
    problem = th.Regression(rng.standard_normal((6, 9)), rng.uniform(0.2, 0.8, 6))
    start = {"u": 0.5, "v": 0.4}
    prepared = PreparedFlow(
        flow, problem, start, mode="dual", method="BDF",
        closed_form=closed_curve(flow.elementwise, start),
    )  # fmt: skip
    spec = prepared._stiff("dual", "BDF", 1e-12)
    assert spec is not None
    engine = stiff_numba.StiffEngine(spec, None, 0.0)

    def rate(y: np.ndarray) -> np.ndarray:
        out = np.empty(6)
        assert stiff_numba._rate(
            engine.A, y, out, engine.X, engine.Z, *engine.programs, engine.lower, engine.upper
        )
        return out

    y, J = 0.02 * rng.standard_normal(6), np.empty((6, 6))
    np.testing.assert_allclose(rate(y), prepared._system("dual").rhs(y), rtol=1e-12)
    stiff_numba._jacobian(engine.A, engine.X, engine.Z, np.empty((6, 9)), J, *engine.programs)
    h = 1e-6
    numeric = np.array([(rate(y + h * e) - rate(y - h * e)) / (2 * h) for e in np.eye(6)]).T
    np.testing.assert_allclose(J, numeric, rtol=1e-6, atol=1e-8)


# four samples of three numbers that no x fits: the residual stays, and nu grows with the time
INCONSISTENT = th.Regression(
    [[1.0, 0.5, -0.3], [0.2, -1.0, 0.7], [0.4, 0.3, 1.0], [-0.6, 0.8, 0.1]], [0.5, 1.0, 2.0, 3.0]
)


@pytest.mark.parametrize(("method", "backend"), [("LSODA", "numpy"), ("BDF", "numba")])
def test_dual_variables_that_cancel_are_told(method: str, backend: str) -> None:
    flow = th.GradientFlow(
        th.Elementwise("log(u) - log(v)", "u, v", assume={"u": "positive", "v": "positive"})
    )
    start = {"u": 1e-6, "v": 2e-6}
    run = flow.integrate(
        INCONSISTENT, start, (0, 1000), mode="dual", method=method, backend=backend, rtol=1e-9,
        max_seconds=2,
    )  # fmt: skip
    assert not run.success and "cancel" in run.message
    chosen = flow.integrate(INCONSISTENT, start, (0, 1000), rtol=1e-9)
    assert chosen.success and chosen.mode == "primal" and "cancel" in chosen.choice
    best = np.linalg.lstsq(INCONSISTENT.A, INCONSISTENT.y, rcond=None)[0]
    np.testing.assert_allclose(chosen.end, best, rtol=1e-6)


@pytest.mark.parametrize(("method", "backend"), [("LSODA", "numpy"), ("BDF", "numba")])
def test_dual_variables_that_grow_without_harm_are_fine(method: str, backend: str) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    start = {"u": 0.1, "v": 0.1}
    run = flow.integrate(INCONSISTENT, start, (0, 100), mode="dual", method=method, backend=backend)
    assert run.success
    best = np.linalg.lstsq(INCONSISTENT.A, INCONSISTENT.y, rcond=None)[0]
    np.testing.assert_allclose(run.end, best, rtol=1e-6)


@pytest.mark.parametrize(("method", "backend"), [("LSODA", "numpy"), ("BDF", "numba")])
def test_dual_variables_may_grow_where_x_stays_at_zero(method: str, backend: str) -> None:
    # the target is orthogonal to all predictions
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    problem = th.Regression([[1.0], [1.0]], [1.0, -1.0])
    run = flow.integrate(
        problem, {"u": 0.1, "v": 0.1}, (0, 1000), mode="dual", method=method, backend=backend
    )
    assert run.success, run.message
    assert abs(run.end[0]) < 1e-12


def test_a_second_run_keeps_the_method_and_the_time_that_were_given() -> None:
    flow = th.GradientFlow(
        th.Elementwise("log(u) - log(v)", "u, v", assume={"u": "positive", "v": "positive"})
    )
    run = flow.integrate(
        INCONSISTENT, {"u": 1e-6, "v": 2e-6}, (0, 1000), method="BDF", rtol=1e-9, max_seconds=20
    )
    assert run.mode == "primal" and run.method == "BDF" and "by BDF" in run.choice
    begin = time.monotonic()
    flow.integrate(INCONSISTENT, {"u": 1e-6, "v": 2e-6}, (0, 1000), rtol=1e-13, max_seconds=1)
    assert time.monotonic() - begin < 4
