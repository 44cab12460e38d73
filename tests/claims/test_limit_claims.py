"""The claimed end of a flow, against closed forms of the limit."""

from __future__ import annotations

import pytest
import sympy as sp

import theory as th
from theory.errors import DataError, DomainError, FormulaError, ShapeError, StartError

Q = sp.Rational
FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
SMALL = {"u": 0.1, "v": 0.1}
SUM = th.Regression([[1, 1]], [1])
LINEAR = th.GradientFlow(th.Elementwise("u", "u"))


def answer(*arguments):
    return str(th.limit_point_is(*arguments).status)


def test_a_linear_model_tends_to_the_nearest_interpolator():
    """x0 + A^+ (y - A x0), by hand: from (1, 0) on x + 2 y = 3 to (1, 0) + (2/5) (1, 2)."""
    data, start = th.Regression([[1, 2]], [3]), {"u": [1, 0]}
    assert answer([Q(7, 5), Q(4, 5)], LINEAR, data, start) == "PROVED"
    assert answer([Q(7, 5), Q(8, 10) + Q(1, 10**20)], LINEAR, data, start) == "REFUTED"
    assert answer([3, 0], LINEAR, data, start) == "REFUTED"


def test_difference_of_squares_with_an_irrational_limit():
    """A = (1, 2), F' = asinh(x / 2a^2)/4: x1 = 2a^2 sinh c, x2 = 2a^2 sinh 2c."""
    c, a = sp.log(2), Q(1, 2)
    x = [2 * a**2 * (sp.exp(k * c) - sp.exp(-k * c)) / 2 for k in (1, 2)]
    y = x[0] + 2 * x[1]
    assert sp.nsimplify(y) == Q(9, 4)
    data = th.Regression([[1, 2]], [2.25])
    assert answer(x, FLOW, data, {"u": a, "v": a}) == "PROVED"
    # another start has another limit
    assert answer(x, FLOW, data, {"u": Q(1, 3), "v": Q(1, 3)}) == "REFUTED"


def test_the_witness_is_in_the_kernel_and_not_orthogonal():
    found = th.limit_point_is([1, 0], FLOW, SUM, SMALL)
    assert found.refuted and found.witness["k"] == "[-1, 1]"
    # asinh(50 x)/4 at 1 and at 0, by hand
    assert found.witness["<k, F'(x)>"].startswith("[" + str(sp.N(-sp.asinh(50) / 4, 9)))


@pytest.mark.parametrize(
    ("loss", "link", "y"),
    [("squared", "tanh", 0.5), ("cross_entropy", "logistic", 0.25), ("poisson", "exp", 2)],
)
def test_loss_and_link_move_only_the_target(loss, link, y):
    flow = th.GradientFlow(
        th.Elementwise("u", "u"), loss=getattr(th.losses, loss)(), link=getattr(th.links, link)()
    )
    z = {"tanh": sp.atanh(Q(1, 2)), "logistic": -sp.log(3), "exp": sp.log(2)}[link]
    data = th.Regression([[1, 1]], [y])
    assert answer([z / 2, z / 2], flow, data, {"u": 0}) == "PROVED"
    assert answer([z, 0], flow, data, {"u": 0}) == "REFUTED"


def test_products_of_three_are_confined_by_an_infinite_conjugate():
    flow = th.GradientFlow(th.Elementwise("u*v*w", "u, v, w"))
    start = {"u": 1, "v": 1, "w": 1}
    assert answer([2, 2], flow, th.Regression([[1, 1]], [4]), start) == "PROVED"
    # 1 - x^(-1/3) has the values 1/2 and 2/3 at 8 and 27
    data = th.Regression([[3, 4]], [132])
    assert answer([8, 27], flow, data, start) == "PROVED"
    assert answer([8, 27], flow, th.Regression([[4, 3]], [113]), start) == "REFUTED"


def test_a_value_out_of_reach_is_refuted():
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    assert answer([2, -1], flow, SUM, {"u": 1}) == "REFUTED"


def test_the_edge_of_the_reach_is_not_decided():
    """The target 0 of u^2 is only reached in infinite time; F' is infinite there."""
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    assert answer([0], flow, th.Regression([[1]], [0]), {"u": 1}) == "UNDECIDED"


def test_least_squares_limit_without_interpolation_is_not_refuted():
    """y = (0, 1) for one unknown: the flow tends to 1/2, where A x differs from y."""
    data = th.Regression([[1], [1]], [0, 1])
    assert answer([Q(1, 2)], LINEAR, data, {"u": 0}) == "UNDECIDED"
    assert answer([Q(1, 3)], LINEAR, data, {"u": 0}) == "REFUTED"


@pytest.mark.slow
def test_without_a_closed_form_equal_coordinates_still_agree():
    """u^4 + u + v^3 has no closed mirror map; the curve is enclosed as an ODE."""
    flow = th.GradientFlow(th.Elementwise("u**4 + u + v**3", "u, v"))
    found = th.limit_point_is([3, Q(7, 2)], flow, th.Regression([[1, 1]], [6.5]), {"u": 1, "v": 1})
    assert found.refuted
    found = th.limit_point_is([3, 3], flow, th.Regression([[1, 1]], [6]), {"u": 1, "v": 1})
    assert not found.refuted


def test_the_numeric_limit_point_is_not_refuted_by_its_own_digits():
    """A float is a decimal: it misses the target exactly, which is a refutation without slack."""
    data = th.Regression([[1, 2, 3]], [1])
    x = FLOW.limit_point(data, SMALL).x
    assert answer(list(x), FLOW, data, SMALL) == "REFUTED"
    assert answer(list(x), FLOW, data, SMALL, 1e-9) == "PROVED"
    assert answer([*x[:2], x[2] + 2e-9], FLOW, data, SMALL, 1e-9) == "REFUTED"


def test_a_tolerance_is_measured_from_the_closed_form_of_the_limit():
    """x = (3/4, 15/8) / 2 is the limit for y = 9/4 from 1/2, as above."""
    data, start = th.Regression([[1, 2]], [2.25]), {"u": Q(1, 2), "v": Q(1, 2)}
    limit = [Q(3, 8), Q(15, 16)]
    off = [limit[0] + Q(1, 1000), limit[1]]
    assert answer(off, FLOW, data, start, Q(1001, 10**6)) == "PROVED"
    assert answer(off, FLOW, data, start, Q(999, 10**6)) == "REFUTED"
    # exactly at the tolerance no ball decides
    assert answer(off, FLOW, data, start, Q(1, 1000)) == "UNDECIDED"


def test_dependent_samples_and_a_nonlinear_link_have_an_enclosed_limit():
    """tanh z = 1/2 on (1, 1), twice: x = atanh(1/2) / 2 by symmetry."""
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"), link=th.links.tanh())
    data = th.Regression([[1, 1], [1, 1]], [0.5, 0.5])
    near = sp.Rational(str(sp.N(sp.atanh(Q(1, 2)) / 2, 15)))
    assert answer([near, near], flow, data, SMALL, 1e-14) == "PROVED"
    assert answer([near, near], flow, data, SMALL, 1e-18) == "REFUTED"
    apart = th.Regression([[1, 1], [1, 1]], [0.5, 0.25])
    assert answer([near, near], flow, apart, SMALL, 1e-14) == "UNDECIDED"


@pytest.mark.parametrize(
    ("candidate", "flow", "problem", "start", "tolerance", "error"),
    [
        ([1], FLOW, SUM, SMALL, 0, ShapeError),
        ("12", FLOW, SUM, SMALL, 0, DataError),
        ([1, float("nan")], FLOW, SUM, SMALL, 0, DataError),
        ([1, 0], FLOW, SUM, SMALL, -1, DomainError),
        ([1, 0], FLOW, SUM, {"u": 1}, 0, StartError),
        ([1, 0], FLOW, SUM, {"u": 0, "v": 0}, 0, StartError),
        ([1, 0], "flow", SUM, SMALL, 0, FormulaError),
        ([1, 0], FLOW, [[1, 1]], SMALL, 0, DataError),
    ],
    ids=["short", "text", "nan", "tolerance", "missing", "stuck", "no flow", "no problem"],
)
def test_bad_input(candidate, flow, problem, start, tolerance, error):
    with pytest.raises(error):
        th.limit_point_is(candidate, flow, problem, start, tolerance)
