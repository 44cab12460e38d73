"""Limit points against the reference table, convex programming, and each other."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import linprog, lsq_linear, minimize

from theory.errors import DataError, DomainError, InfeasibleTarget
from theory.flow import links, losses
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.numeric.compile import compile_expression
from theory.numeric.limit_point import limit_point
from theory.numeric.problem import Regression

A = np.array([[1, 2, -1, 0.5], [0, 1, 1, -2]])
POSITIVE, SIGNED = np.array([1.3, 0.1]), np.array([-0.9, -0.3])
POSITIVE_PROBLEM = Regression(A, POSITIVE)

# x at T = 2000 by LSODA with rtol 1e-11, printed to 8 digits
REFERENCE = {
    "u**2": (0.3, [0.2323157, 0.4952355, 0.02879411, 0.21201481]),
    "u**3": (0.5, [0.249476, 0.49947702, 0.06439904, 0.23193803]),
    "u**(3/2)": (0.3, [0.2971319, 0.48253429, 0.07711208, 0.22982319]),
    "exp(u)": (-1.0, [0.42208461, 0.51245689, 0.33348347, 0.37297018]),
    "u": (0.0, [-0.144, -0.338, 0.094, 0.028]),
    "sinh(u)": (0.0, [-0.14080658, -0.34003618, 0.09214936, 0.02605659]),
    "sin(u)": (0.0, [-0.1474722, -0.33577449, 0.09604692, 0.03013621]),
    "tan(u)": (0.0, [-0.13762997, -0.34204575, 0.09035612, 0.02415518]),
    "tanh(u)": (0.0, [-0.15093604, -0.33353245, 0.0981546, 0.03231108]),
    "asinh(u)": (0.0, [-0.14728248, -0.33589116, 0.09594987, 0.03002935]),
    "atan(u)": (0.0, [-0.15073907, -0.33365439, 0.09805141, 0.03219851]),
    "2*atan(tanh(u/2))": (0.0, [-0.14737377, -0.335835, 0.09599663, 0.03008081]),
    "asinh(tan(u))": (0.0, [-0.14072286, -0.34008711, 0.0921082, 0.02601055]),
    "u**2 - v**2": (0.4, [-0.1321083, -0.34557681, 0.08712516, 0.02077417]),
    "u**3 - v**3": (0.4, [-0.08990198, -0.37159754, 0.06533807, -0.00312974]),
    "u**4 - v**4": (0.4, [-0.05174068, -0.3930679, 0.05180873, -0.02062959]),
}


def model(
    formula: str, loss: losses.Loss | None = None, link: links.Link | None = None
) -> FlowModel:
    names = [name for name in "uvw" if name in sp.sympify(formula).free_symbols.__str__()]
    return FlowModel(
        Elementwise(formula, names), loss or losses.squared(), link or links.identity()
    )


def balanced(formula: str, value: float) -> dict[str, float]:
    return {s.name: value for s in model(formula).parametrization.parameters}


@pytest.mark.parametrize("formula", REFERENCE)
def test_limit_agrees_with_the_reference_table(formula: str) -> None:
    start, x = REFERENCE[formula]
    y = POSITIVE if x[0] > 0 else SIGNED
    limit = limit_point(model(formula), Regression(A, y), balanced(formula, start))
    assert limit.success, limit.message
    assert limit.reachable
    assert limit.kkt_residual < 1e-13
    np.testing.assert_allclose(limit.x, x, rtol=0, atol=0.51e-8)


PAIRS = [
    (losses.squared(), links.identity()),
    (losses.squared(), links.logistic()),
    (losses.cross_entropy(), links.logistic()),
    (losses.poisson(), links.exp()),
    (losses.log_cosh(), links.identity()),
    (losses.huber(), links.softplus()),
    (losses.quartic(), links.custom("z + z**3")),
]


@pytest.mark.parametrize("formula", ["u**2", "u**3", "sinh(u)", "sin(u)", "tan(u)"])
@pytest.mark.parametrize(("loss", "link"), PAIRS, ids=[f"{a.name}-{b.name}" for a, b in PAIRS])
def test_loss_and_link_do_not_move_the_limit(
    formula: str, loss: losses.Loss, link: links.Link
) -> None:
    start, x = REFERENCE[formula]
    z = POSITIVE if x[0] > 0 else SIGNED
    y = compile_expression(link.formula, [links.PREDICTOR])(z)
    limit = limit_point(model(formula, loss, link), Regression(A, y), balanced(formula, start))
    plain = limit_point(model(formula), Regression(A, z), balanced(formula, start))
    np.testing.assert_allclose(limit.target, z, rtol=1e-13)
    np.testing.assert_allclose(limit.x, plain.x, rtol=1e-11)


@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.05])
def test_limit_minimizes_the_hyperbolic_entropy(alpha: float) -> None:
    rng = np.random.default_rng(0)
    B = rng.standard_normal((3, 7))
    y = B @ np.array([1.0, 0, -0.5, 0, 0, 0, 0.2])

    def entropy(x: np.ndarray) -> float:
        root = np.sqrt(x**2 + 4 * alpha**4)
        return float(np.sum(x * np.arcsinh(x / (2 * alpha**2)) - root)) / 4

    def gradient(x: np.ndarray) -> np.ndarray:
        return np.arcsinh(x / (2 * alpha**2)) / 4

    constraint = {"type": "eq", "fun": lambda x: B @ x - y, "jac": lambda x: B}
    best = minimize(
        entropy,
        np.linalg.lstsq(B, y, rcond=None)[0],
        jac=gradient,
        constraints=[constraint],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    limit = limit_point(model("u**2 - v**2"), Regression(B, y), {"u": alpha, "v": alpha})
    assert entropy(limit.x) <= entropy(best.x) + 1e-13
    np.testing.assert_allclose(limit.x, best.x, atol=2e-6)


@pytest.mark.parametrize("alpha", [1e-8, 1e-20, 1e-100])
@pytest.mark.parametrize("formula", ["u**2", "u**3", "u*v*w", "tanh(u)*v"])
def test_limit_from_a_tiny_start_is_the_sparsest_solution(formula: str, alpha: float) -> None:
    # the minimizer of the l1 norm is unique here, and known exactly: (0, 53/90, 0, 11/45)
    limit = limit_point(model(formula), Regression(A, POSITIVE), balanced(formula, alpha))
    assert limit.success, limit.message
    np.testing.assert_allclose(
        limit.x, [0, 53 / 90, 0, 11 / 45], atol=2e-5 if alpha > 1e-9 else 1e-12
    )


@pytest.mark.parametrize("alpha", [1e-20, 1e-100])
def test_limit_from_a_tiny_start_has_the_smallest_l1_norm_among_ties(alpha: float) -> None:
    # with signs the minimizers of the l1 norm, 5/6, are a segment
    limit = limit_point(model("u**2 - v**2"), POSITIVE_PROBLEM, {"u": alpha, "v": alpha})
    assert limit.success, limit.message
    assert np.abs(limit.x).sum() == pytest.approx(5 / 6, rel=1e-12)


def test_limit_from_a_tiny_start_with_signs_solves_the_linear_program() -> None:
    rng = np.random.default_rng(3)
    B = rng.standard_normal((5, 12))
    y = rng.standard_normal(5)
    program = linprog(np.ones(24), A_eq=np.hstack([B, -B]), b_eq=y)
    best = program.x[:12] - program.x[12:]
    for formula in ("u**2 - v**2", "u**3 - v**3"):
        limit = limit_point(model(formula), Regression(B, y), {"u": 1e-100, "v": 1e-100})
        assert limit.success, limit.message
        np.testing.assert_allclose(limit.x, best, atol=1e-9)


@pytest.mark.parametrize("alpha", [1e-3, 1e-8, 1e-100])
@pytest.mark.parametrize("formula", ["sinh(u)", "exp(u) - exp(v)"])
def test_start_close_to_zero_is_harmless_where_zero_is_regular(formula: str, alpha: float) -> None:
    near = limit_point(model(formula), Regression(A, SIGNED), balanced(formula, alpha))
    at = limit_point(model(formula), Regression(A, SIGNED), balanced(formula, 0.0))
    np.testing.assert_allclose(near.x, at.x, atol=2 * alpha + 1e-13)


def test_competition_below_double_precision_is_not_called_a_success() -> None:
    # three columns tie in the l1 problem with two samples
    limit = limit_point(model("u**3 - v**3"), Regression(A, SIGNED), {"u": 1e-20, "v": 1e-20})
    assert not limit.success
    assert "double precision" in limit.message


def test_stationarity_holds_in_the_dual_variable() -> None:
    limit = limit_point(model("u**2"), Regression(A, POSITIVE), {"u": [0.3, 0.4, 0.5, 0.2]})
    dual = np.log(limit.x / np.array([0.3, 0.4, 0.5, 0.2]) ** 2) / 4
    np.testing.assert_allclose(dual, A.T @ limit.multipliers, atol=1e-12)
    # from the start (.3, .4, .5, .2)
    np.testing.assert_allclose(
        limit.x, [0.221918743880, 0.507903493719, 0.052935472998, 0.230419483359], atol=1e-12
    )


def test_dependent_samples_do_not_matter() -> None:
    more = np.vstack([A, A[0] + A[1]])
    a = limit_point(model("sinh(u)"), Regression(A, SIGNED), {"u": 0})
    b = limit_point(model("sinh(u)"), Regression(more, [*SIGNED, SIGNED.sum()]), {"u": 0})
    np.testing.assert_allclose(a.x, b.x, rtol=1e-12)


def test_closed_form_gives_the_same_limit() -> None:
    u, v, xi, u0, v0 = sp.symbols("u v xi u0 v0", real=True)
    rho = FlowModel(Elementwise(u**3 - v**3, (u, v)))
    closed = {u: u0 / (1 - 3 * u0 * xi), v: v0 / (1 + 3 * v0 * xi)}
    problem, start = Regression(A, SIGNED), {u: 0.01, v: 0.01}
    a = limit_point(rho, problem, start, closed_form=closed)
    b = limit_point(rho, problem, start)
    assert a.success
    np.testing.assert_allclose(a.x, b.x, rtol=1e-9)


def test_unreachable_target_gives_the_best_point_of_the_box() -> None:
    problem = Regression([[1, 0.5, 0], [0, 1, 1]], [3, 0.5])
    limit = limit_point(model("sin(u)"), problem, {"u": 0})
    assert limit.success
    assert not limit.reachable
    assert limit.loss == pytest.approx(1.125, rel=1e-12)
    np.testing.assert_allclose(limit.x, [1, 1, -0.5], atol=1e-10)


def test_unreachable_target_agrees_with_bounded_least_squares() -> None:
    rng = np.random.default_rng(5)
    B, y = rng.standard_normal((4, 6)), 5 * rng.standard_normal(4)
    best = lsq_linear(B, y, (-1, 1), method="bvls")
    limit = limit_point(model("sin(u)"), Regression(B, y), {"u": 0}, reach=(-1, 1))
    assert limit.loss == pytest.approx(best.cost, rel=1e-10)
    np.testing.assert_allclose(B @ limit.x, B @ best.x, atol=1e-8)


def test_inconsistent_data_give_least_squares() -> None:
    problem = Regression([[1.0, 1], [1, 1], [1, -1]], [1, 2, 0])
    limit = limit_point(model("u**2 - v**2"), problem, {"u": 1, "v": 1})
    np.testing.assert_allclose(limit.x, [0.75, 0.75], rtol=1e-12)
    assert not limit.reachable


def test_target_on_the_edge_of_reach_is_reached_in_the_limit() -> None:
    limit = limit_point(model("u**2"), Regression(np.eye(2), [1, 0]), {"u": 1})
    assert limit.success
    np.testing.assert_allclose(limit.x, [1, 0], atol=1e-11)


@pytest.mark.parametrize(
    ("loss", "link", "y", "error", "text"),
    [
        (losses.logistic(), links.identity(), [1, -1], InfeasibleTarget, "hard labels"),
        (losses.logistic(), links.identity(), [1, 0], DataError, r"y\[1\] = 0"),
        (losses.cross_entropy(), links.logistic(), [0.5, 1], InfeasibleTarget, r"y\[1\] = 1"),
        (losses.squared(), links.logistic(), [1.2, 0.5], InfeasibleTarget, r"y\[0\] = 1.2"),
        (losses.poisson(), links.exp(), [-1, 1], DataError, r"y\[0\] = -1"),
    ],
    ids=["labels", "not-a-label", "hard-target", "outside-of-the-link", "negative-count"],
)
def test_target_without_a_finite_limit_is_named(
    loss: losses.Loss, link: links.Link, y: list[float], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        limit_point(model("u", loss, link), Regression(A, y), {"u": 0})


def test_unreachable_target_of_a_loss_that_is_not_convex_is_refused() -> None:
    problem = Regression([[1, 0.5, 0], [0, 1, 1]], [0.99999, 0.999999])
    with pytest.raises(InfeasibleTarget, match="not convex"):
        limit_point(
            model("sin(u)", losses.squared(), links.tanh()), problem, {"u": 0}, reach=(-1, 1)
        )


def test_options_are_checked() -> None:
    with pytest.raises(DomainError, match="rtol"):
        limit_point(model("u"), Regression(A, SIGNED), {"u": 0}, rtol=0.1)
