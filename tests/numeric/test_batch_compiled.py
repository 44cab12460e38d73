"""Batches by compiled Taylor steps against SciPy, closed forms, and the pair in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import theory as th
from theory.errors import UnsupportedFormula
from theory.numeric.batch_march import crossings

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))


def data(m: int, n: int, d: int, seed: int, *, shared: bool = True) -> th.Batch:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d) if shared else (m, n, d)) / np.sqrt(n)
    return th.Batch(A, rng.uniform(0.2, 0.8, (m, n)))


def by_scipy(formula: str, names: str, batch: th.Batch, i: int, theta0: np.ndarray, t: float):
    """The parameters at the end by DOP853 at its finest, for the squared loss."""
    rho = th.Elementwise(formula, names)
    value = sp.lambdify(rho.parameters, rho.formula)
    slopes = [sp.lambdify(rho.parameters, sp.diff(rho.formula, s)) for s in rho.parameters]
    problem, shape = batch.member(i), theta0.shape

    def field(_: float, q: np.ndarray) -> np.ndarray:
        theta = q.reshape(shape)
        g = problem.A.T @ (problem.A @ value(*theta) - problem.y)
        return np.concatenate([-f(*theta) * g for f in slopes])

    atol = 1e-16 * np.min(np.abs(theta0))
    run = solve_ivp(field, (0, t), theta0.ravel(), method="DOP853", rtol=1e-13, atol=atol)
    assert run.success
    return run.y[:, -1].reshape(shape)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-8])
@pytest.mark.parametrize(
    ("formula", "names", "power"),
    [
        ("u**2 - v**2", "u, v", 0),
        # curves with ends, which go by the parameters
        ("u**3 - v**3", "u, v", 1),
        ("sinh(u) - sinh(v)", "u, v", 0),
        ("u*v", "u, v", 0),
        ("u**(5/2)", "u", 0.5),
    ],
)
def test_every_member_is_as_accurate_as_asked(
    formula: str, names: str, power: float, alpha: float, shared: bool
) -> None:
    m, d = 11, 4
    batch = data(m, 2, d, 3, shared=shared)
    k = len(names.split(","))
    starts = alpha * np.random.default_rng(5).uniform(0.5, 1.0, (k, m, d))
    # a higher power leaves its saddle after a power of the start, and is stiff from there on
    t = 0.1 * alpha**-power if power and alpha == 1e-8 else 12.0 * alpha**-power
    flow = th.GradientFlow(th.Elementwise(formula, names))
    start = dict(zip(names.split(", "), starts, strict=True))
    runs = flow.integrate_batch(batch, start, t, rtol=1e-10, backend="numba")
    assert runs.success.all()
    for i in (0, 7, 10):
        exact = by_scipy(formula, names, batch, i, starts[:, i], t)
        size = np.max(np.abs(exact))
        assert np.max(np.abs(runs.theta[i, ..., -1] - exact)) <= 2e-8 * size


def test_a_closed_form() -> None:
    # x' = 2 x (1 - x) 2 for u**2 with one sample: logistic growth
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    alphas = np.array([1e-8, 1e-3, 0.5])
    times = np.array([0.0, 1.0, 5.0, 10.0])
    runs = flow.integrate_batch(
        th.Batch([[1.0]], [1.0]), {"u": alphas[:, None]}, 10.0, t_eval=times, rtol=1e-12,
        backend="numba",
    )  # fmt: skip
    grown = alphas[:, None] ** 2 * np.exp(4 * times)
    exact = grown / (1 - alphas[:, None] ** 2 + grown)
    assert np.max(np.abs(runs.x[:, 0] / exact - 1)) < 1e-10


@pytest.mark.parametrize("atol", [None, 1e-14])
def test_threads_and_the_number_of_lanes_do_not_matter(atol: float | None) -> None:
    m = 300
    batch = data(m, 3, 5, 1)
    starts = np.random.default_rng(2).uniform(0.01, 1.0, (m, 5))
    runs = [
        FLOW.integrate_batch(
            batch, {"u": starts, "v": 0.3}, t, threads=threads, atol=atol, backend="numba"
        )
        for t in (None, 9.0)
        for threads in (1, 2, 3)
    ]
    for group in (runs[:3], runs[3:]):
        assert group[0].success.all()
        for other in group[1:]:
            for name in ("theta", "x", "end", "t_end", "loss", "t_interpolation", "steps"):
                a, b = getattr(group[0], name), getattr(other, name)
                assert np.array_equal(a, b, equal_nan=True), name
    # a member alone shares its lanes with nobody
    one = FLOW.integrate_batch(
        th.Batch(batch.A, batch.y[7]), {"u": starts[7:8], "v": 0.3}, 9.0, rtol=1e-8, backend="numba"
    )
    assert np.allclose(one.end[0], runs[3].end[7], rtol=1e-7)


def test_both_backends_have_the_same_semantics() -> None:
    batch = data(9, 2, 5, 8, shared=False)
    starts = np.geomspace(1e-6, 1.0, 9)[:, None]
    times = np.array([0.0, 1.0, 4.0, 16.0, 64.0])
    for t in (None, (0.0, 64.0), (-0.1, 70.3)):
        a, b = (
            FLOW.integrate_batch(
                batch, {"u": starts, "v": starts}, t, rtol=1e-11, tol=1e-5, t_eval=times,
                backend=backend,
            )
            for backend in ("numba", "numpy")
        )  # fmt: skip
        assert np.array_equal(a.success, b.success) and a.success.all()
        assert np.array_equal(a.t, times) and np.array_equal(b.t, times)
        inside = a.t_interpolation >= (0.0 if t is None else t[0])
        assert inside[np.isfinite(a.t_interpolation)].all()
        assert np.array_equal(np.isnan(a.theta), np.isnan(b.theta))
        assert np.isnan(a.theta).any() == (t is None)
        for name in ("t_end", "t_interpolation", "end", "loss"):
            # the residual of the tolerance leaves its own share of digits to the loss
            assert np.allclose(
                getattr(a, name), getattr(b, name), rtol=1e-5, atol=1e-9, equal_nan=True
            ), name
        assert np.nanmax(np.abs(a.theta - b.theta)) < 1e-7
        assert [s.split(" t =")[0] for s in a.message] == [s.split(" t =")[0] for s in b.message]


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_start_that_interpolates_ends_at_once(backend: str) -> None:
    batch = th.Batch([[1.0, 0.0]], [[0.0], [0.75]])
    start = {"u": [[0.5, 0.5], [1.0, 1.0]], "v": [[0.5, 0.5], [0.5, 0.5]]}
    runs = FLOW.integrate_batch(batch, start, backend=backend)
    assert runs.success.all() and np.all(np.abs(runs.t_end) < 1e-10)
    assert np.all(np.abs(runs.t_interpolation) < 1e-10)
    assert np.allclose(runs.end[:, 0], [0.0, 0.75], atol=1e-12)


def test_where_the_dual_overflows_the_parameters_go_on() -> None:
    # u = exp(2 y t), whose square leaves the floats at half of the time that u does
    flow = th.GradientFlow(th.Elementwise("u**2", "u"), loss=th.losses.custom("-mu*y"))
    batch = th.Batch([[1.0]], [[1.0], [-0.1], [0.5]])
    for backend in ("numba", "numpy"):
        runs = flow.integrate_batch(batch, {"u": 1.0}, 352.0, rtol=1e-10, backend=backend)
        assert runs.success.tolist() == [False, True, False]
        # components beyond 1e150 count as blown up
        assert np.allclose(runs.t_end[[0, 2]], np.log(1e150) / np.array([2.0, 1.0]), rtol=0.02)
        # the pair has an absolute tolerance, the dual variables know x relatively
        digits = 1e-6 if backend == "numba" else np.inf
        assert abs(np.log(runs.end[1, 0]) + 140.8) < digits and runs.end[1, 0] < 1e-24


def test_a_flow_that_blows_up_has_no_success() -> None:
    # the slope of a linear loss does not vanish
    flow = th.GradientFlow(th.Elementwise("u**3", "u"), loss=th.losses.custom("-mu*y"))
    batch = th.Batch([[1.0]], [[1.0], [-1.0]])
    for backend in ("numba", "numpy"):
        # u' = 3 u^2 from 1: u = 1 / (1 - 3 t)
        runs = flow.integrate_batch(batch, {"u": 1.0}, 1.0, backend=backend)
        assert runs.success.tolist() == [False, True]
        assert abs(runs.t_end[0] - 1 / 3) < 1e-6 and "blows up" in runs.message[0]
        assert abs(runs.end[1, 0] - 1 / 64) < 1e-8


def test_formulas_without_recurrences_go_by_the_pair() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"), loss=th.losses.huber())
    batch, start = data(3, 2, 4, 0), {"u": 0.5, "v": 0.4}
    runs = flow.integrate_batch(batch, start, 2.0)
    same = flow.integrate_batch(batch, start, 2.0, backend="numpy")
    assert np.array_equal(runs.theta, same.theta) and runs.success.all()
    with pytest.raises(UnsupportedFormula, match="slope"):
        flow.integrate_batch(batch, start, 2.0, backend="numba")


def test_crossings_whatever_the_residual_does() -> None:
    def residual(s: np.ndarray) -> np.ndarray:
        # a line in logarithms, a jump, and one that has crossed before
        return np.array([np.exp(-10 * s[0]), 1.0 if s[1] < 0.3 else 1e-9, 1e-9])

    assert np.allclose(crossings(residual, np.exp(-2.0), 3), [0.2, 0.3, 0.0], atol=1e-9)
