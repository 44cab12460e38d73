"""Limit points by compiled code: the same as by NumPy, or none."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest

import theory as th
from theory.errors import StartError
from theory.numeric import limit_compiled
from theory.numeric.block import block_formulas
from theory.numeric.closed_curve import closed_curve
from theory.numeric.limit_point import LimitPoint

pytest.importorskip("numba")
from theory.numeric.limit_numba import examine

FORMULAS = [
    ("u**2 - v**2", {}),
    ("u**3 - v**3", {}),
    ("u**4 - v**4", {}),
    ("u**(5/2) - v**(5/2)", {"u": "positive", "v": "positive"}),
    ("exp(u) - exp(-v)", {}),
    ("2*u**2 - v**2/3", {}),
    # a constant that is no number of Python
    ("exp(u*log(3)) - v", {}),
    ("u*v", {}),
    ("u**2 - v**2", {"u": "positive", "v": "positive"}),
]


def model(formula: str, assume: dict[str, str] | None = None) -> th.GradientFlow:
    return th.GradientFlow(th.Elementwise(formula, "u, v", assume=assume or {}))


def data(n: int, d: int, seed: int) -> th.Regression:
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    x = np.zeros(d)
    x[: max(1, n // 2)] = rng.uniform(0.5, 1.5, max(1, n // 2))
    return th.Regression(A, A @ x)


def positive(n: int, d: int) -> th.Regression:
    rng = np.random.default_rng(8)
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    return th.Regression(A, A @ rng.uniform(0.2, 1.5, d))


def was_compiled(flow: th.GradientFlow, problem: th.Regression, start: dict[str, object]) -> bool:
    closed = closed_curve(flow.elementwise, start)
    return limit_compiled.solve_point(flow, problem, start, closed, 1e-12) is not None


@pytest.mark.parametrize(("formula", "assume"), FORMULAS)
@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-7])
@pytest.mark.parametrize("balanced", [True, False])
def test_both_ways_agree(
    formula: str, assume: dict[str, str], scale: float, balanced: bool
) -> None:
    flow, rng = model(formula, assume), np.random.default_rng(4)
    # a product of two positive parameters reaches positive x alone
    problem = positive(5, 12) if formula == "u*v" else data(5, 12, 3)
    u = scale if balanced else scale * rng.uniform(0.5, 2, 12)
    start = {"u": u, "v": scale}
    fast = flow.limit_point(problem, start, backend="numba")
    slow = flow.limit_point(problem, start, backend="numpy")
    assert fast.success and slow.success
    off = 1e-10 + 10 * (fast.uncertainty + slow.uncertainty)
    assert np.max(np.abs(fast.x - slow.x)) <= off * np.max(np.abs(slow.x))
    assert fast.kkt_residual <= 1e-12
    np.testing.assert_allclose(fast.theta, slow.theta, rtol=1e-6, atol=1e-9 * scale)
    np.testing.assert_allclose(fast.prediction, problem.A @ fast.x, atol=1e-14)
    assert fast.loss == pytest.approx(0.0, abs=1e-20)


def test_most_formulas_go_the_compiled_way() -> None:
    went = {}
    for formula, assume in FORMULAS:
        problem = positive(5, 12) if formula == "u*v" else data(5, 12, 3)
        for scale in (1.0, 1e-2):
            start = {"u": scale, "v": scale}
            went[formula, len(assume), scale] = was_compiled(model(formula, assume), problem, start)
    # absolute values have no tape; next to a pole a step may need an orthogonal factor
    smooth = {key: v for key, v in went.items() if "5/2" not in key[0]}
    assert all(v for (*_, scale), v in smooth.items() if scale == 1.0), smooth
    assert sum(smooth.values()) >= len(smooth) - 2, smooth


def test_limit_of_one_sample_against_mpmath() -> None:
    # x_i = 2 a^2 sinh(4 a_i lambda) from u = v = a
    flow, alpha, row = model("u**2 - v**2"), 0.01, [1.0, 2.0, -0.5]
    found = flow.limit_point(th.Regression([row], [1.0]), {"u": alpha, "v": alpha}, backend="numba")
    with mpmath.workdps(40):
        a = mpmath.mpf(alpha)

        def x(lam: mpmath.mpf) -> list[mpmath.mpf]:
            return [2 * a**2 * mpmath.sinh(4 * r * lam) for r in row]

        lam = mpmath.findroot(lambda t: mpmath.fdot(row, x(t)) - 1, found.multipliers[0])
        exact = [float(v) for v in x(lam)]
    np.testing.assert_allclose(found.x, exact, rtol=1e-13)
    assert found.uncertainty < 1e-12


@pytest.mark.parametrize(
    ("loss", "link", "y"),
    [
        (th.losses.cross_entropy(), th.links.logistic(), [0.5, 0.25, 0.75]),
        (th.losses.poisson(), th.links.exp(), [0.5, 2.0, 1.5]),
        (th.losses.custom("cosh(mu - y)"), th.links.tanh(), [0.5, -0.2, 0.3]),
        (th.losses.log_cosh(), th.links.identity(), [0.5, -2.0, 1.5]),
    ],
)
def test_other_losses(loss: th.losses.Loss, link: th.links.Link, y: list[float]) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"), loss, link)
    problem, start = th.Regression(data(3, 8, 5).A, y), {"u": 1e-3, "v": 2e-3}
    assert was_compiled(flow, problem, start)
    fast = flow.limit_point(problem, start, backend="numba")
    slow = flow.limit_point(problem, start, backend="numpy")
    np.testing.assert_allclose(fast.x, slow.x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fast.loss, slow.loss, rtol=1e-9, atol=1e-20)


def test_the_same_problem_with_another_loss() -> None:
    problem, start = data(3, 8, 5), {"u": 1e-3, "v": 2e-3}
    square = model("u**2 - v**2")
    other = th.GradientFlow(square.parametrization, th.losses.squared(), th.links.identity())
    first = square.limit_point(problem, start, backend="numba")
    second = other.limit_point(problem, start, backend="numba")
    np.testing.assert_array_equal(first.x, second.x)


@pytest.mark.parametrize(
    "start", [{"u": 0.0, "v": 0.0}, {"u": [1.0] * 7 + [0.0], "v": [1.0] * 7 + [0.0]}]
)
def test_a_stuck_start_is_refused(start: dict[str, object]) -> None:
    with pytest.raises(StartError, match="vanishes"):
        model("u**2 - v**2").limit_point(data(3, 8, 1), start, backend="numba")


def test_dependent_rows_and_wide_sizes_go_the_other_way() -> None:
    flow, start = model("u**2 - v**2"), {"u": 0.1, "v": 0.1}
    twice = th.Regression([[1.0, 2.0], [2.0, 4.0]], [1.0, 2.0])
    assert not was_compiled(flow, twice, start)
    assert flow.limit_point(twice, start).success
    assert not was_compiled(flow, data(150, 400, 1), start)


def test_a_closed_form_of_the_user_is_compared_in_another_way() -> None:
    flow, problem, start = model("u**2 - v**2"), data(3, 8, 1), {"u": 0.1, "v": 0.1}
    given = closed_curve(flow.elementwise, start)
    assert given is not None
    own = dataclasses.replace(given, derived=False)
    assert limit_compiled.solve_point(flow, problem, start, own, 1e-12) is None
    bare = dataclasses.replace(given, domain=None)
    assert limit_compiled.solve_point(flow, problem, start, bare, 1e-12) is None


def examined(
    start: np.ndarray,
    problem: th.Regression,
    multipliers: np.ndarray,
    block: str = "u**2 - v**2",
    **other: np.ndarray,
) -> tuple[bool, float, float]:
    """`examine` with the closed curve of u^2 - v^2, the block of a formula and other numbers."""
    flow, given = model("u**2 - v**2"), {"u": 1.0, "v": 1.0}
    p = limit_compiled._programs_of(flow, given, closed_curve(flow.elementwise, given))
    assert p is not None
    rho = th.Elementwise(block, "u, v")
    value, gradient, hessian = block_formulas(rho, ())
    p = p._replace(
        block=limit_compiled._program((value, *gradient, *hessian), rho.parameters), **other
    )
    theta, x = np.empty(start.shape), np.empty(problem.d)
    return examine(
        p.curve, p.block, p.ends, p.infinite, p.rates, p.lower, p.upper,
        np.array(problem.A), np.array(problem.y), start, multipliers, 1e-12,
        theta, x, np.empty(problem.n),
    )  # fmt: skip


def test_only_a_solution_passes() -> None:
    flow, problem = model("u**2 - v**2"), data(3, 8, 5)
    found = flow.limit_point(problem, {"u": 0.1, "v": 0.1}, backend="numpy")
    start, lam = np.full((2, 8), 0.1), found.multipliers.copy()
    fine, residual, bound = examined(start, problem, lam)
    assert fine and residual <= 1e-12 and bound < 1e-12
    assert not examined(start, problem, lam * (1 + 1e-6))[0]
    # not the curve of this block: its velocity is another
    assert not examined(start, problem, lam, "u**2 - v**2*(1 + v/1000)")[0]
    # it starts right and solves A x = z, but is twice too slow for these rates
    assert not examined(start, problem, lam, rates=np.full(2, 2.0))[0]
    # the curve has ended before
    assert not examined(start, problem, lam, infinite=np.array([-1e-3, 1e-3]))[0]
    assert not examined(start, problem, lam, upper=np.full(2, 0.11))[0]
    # stuck, not finite
    assert not examined(np.zeros((2, 8)), problem, lam)[0]
    assert not examined(start, problem, lam * np.nan)[0]
    assert not examined(start, problem, lam * 1e3)[0]


def test_beyond_the_end_of_a_curve_is_no_solution() -> None:
    # from u = 1 the curve of u^3 ends at xi = 1/3; beyond, the formula gives negative x
    flow = th.GradientFlow(th.Elementwise("u**3", "u"))
    closed = closed_curve(flow.elementwise, {"u": 1.0})
    p = limit_compiled._programs_of(flow, {"u": 1.0}, closed)
    assert p is not None
    problem = th.Regression([[1.0]], [(1 - 3 * 0.5) ** -3.0])
    found = examine(
        p.curve, p.block, p.ends, p.infinite, p.rates, p.lower, p.upper,
        np.array(problem.A), np.array(problem.y), np.ones((1, 1)), np.array([0.5]), 1e-12,
        np.empty((1, 1)), np.empty(1), np.empty(1),
    )  # fmt: skip
    assert not found[0]


def test_paths_agree_and_keep_the_order_of_the_scales() -> None:
    flow, problem = model("u**2 - v**2"), data(4, 12, 7)
    scales = np.array([1e-3, 1.0, 1e-9, 1e-6])
    fast = flow.limit_path(problem, {"u": 1.0, "v": 1.0}, scales, backend="numba")
    slow = flow.limit_path(problem, {"u": 1.0, "v": 1.0}, scales, backend="numpy")
    assert fast.success.all() and slow.success.all()
    np.testing.assert_allclose(fast.x, slow.x, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fast.multipliers, slow.multipliers, rtol=1e-8)
    one = flow.limit_point(problem, {"u": 1e-9, "v": 1e-9})
    np.testing.assert_allclose(fast.x[2], one.x, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("many", [True, False])
def test_batches_agree(many: bool) -> None:
    flow, rng = model("u**3 - v**3"), np.random.default_rng(0)
    A = rng.standard_normal((6, 3, 7)) if many else rng.standard_normal((3, 7))
    batch = th.Batch(A, rng.standard_normal((6, 3)))
    start = {"u": 0.1, "v": rng.uniform(0.05, 0.2, (6, 7))}
    fast = flow.limit_batch(batch, start, backend="numba")
    slow = flow.limit_batch(batch, start, backend="numpy")
    assert fast.success.all() and slow.success.all()
    np.testing.assert_allclose(fast.x, slow.x, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(fast.multipliers, slow.multipliers, rtol=1e-7, atol=1e-9)


def test_unknown_backends_are_refused() -> None:
    flow, problem, start = model("u**2 - v**2"), data(3, 8, 1), {"u": 0.1, "v": 0.1}
    with pytest.raises(th.errors.DomainError, match="backend"):
        flow.limit_point(problem, start, backend="fortran")


def test_rounding_is_looked_at_more_closely_where_the_bound_says_nothing() -> None:
    # two equal columns next to the others: from a tiny start their shares are known exactly
    flow = model("u**2 - v**2")
    problem = th.Regression([[1.0, 1.0, 0.5], [0.0, 0.0, 1.0]], [1.0, 0.25])
    limits: list[LimitPoint] = [
        flow.limit_point(problem, {"u": 1e-12, "v": 1e-12}, backend=b) for b in ("numba", "numpy")
    ]
    assert limits[0].success == limits[1].success
    np.testing.assert_allclose(limits[0].x, limits[1].x, rtol=1e-9, atol=1e-12)


def test_threads_do_not_mix_their_losses() -> None:
    problem = th.Regression(data(3, 8, 5).A, [0.5, 0.2, 0.7])
    start = {"u": 1e-3, "v": 2e-3}
    flows = [
        model("u**2 - v**2"),
        th.GradientFlow(
            th.Elementwise("u**2 - v**2", "u, v"), th.losses.cross_entropy(), th.links.logistic()
        ),
    ]
    alone = [flow.limit_point(problem, start, backend="numpy").x for flow in flows]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: flows[i % 2].limit_point(problem, start).x, range(200)))
    for i, x in enumerate(together):
        np.testing.assert_allclose(x, alone[i % 2], rtol=1e-9, atol=1e-12)


def test_what_is_returned_is_not_kept() -> None:
    flow, problem, start = model("u**2 - v**2"), data(3, 8, 5), {"u": 1e-3, "v": 2e-3}
    first = flow.limit_point(problem, start, backend="numba")
    x = first.x.copy()
    for array in (first.target, first.prediction, first.x, first.multipliers, first.theta):
        array[...] = 7.0
    np.testing.assert_array_equal(flow.limit_point(problem, start, backend="numba").x, x)
