"""The dual curve against the closed forms of the table of potentials."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

from theory.errors import FormulaError, ShapeError, StartError
from theory.flow.parametrization import Elementwise
from theory.numeric.dual_curve import ClosedForm, numeric_curve

u, v = sp.symbols("u v", real=True)
xi, u0, v0 = sp.symbols("xi u0 v0", real=True)


@pytest.mark.parametrize(
    ("formula", "start", "k", "points"),
    [
        ("u**2", {"u": 0.3}, lambda s: 0.09 * np.exp(4 * s), [-2, -0.1, 0.4, 3]),
        ("u**3", {"u": 0.5}, lambda s: (2 - 3 * s) ** -3, [-2, 0.1, 0.4, 0.66]),
        ("exp(u)", {"u": -1}, lambda s: 1 / (np.e - s), [-2, 0.1, 2, 2.7]),
        ("sinh(u)", {"u": 0}, np.tan, [-1.5, -0.3, 0.4, 1.57]),
        ("sin(u)", {"u": 0}, np.tanh, [-9, -0.3, 0.4, 5]),
        ("asinh(tan(u))", {"u": 0}, np.arctanh, [-0.9, -0.3, 0.4, 0.999]),
        ("log(u)", {"u": 1}, lambda s: 0.5 * np.log(1 + 2 * s), [-0.49, -0.3, 0.4, 100]),
        ("u**2 - v**2", {"u": 0.4, "v": 0.4}, lambda s: 0.32 * np.sinh(4 * s), [-2, -0.3, 0.4, 3]),
    ],
)
def test_curve_is_the_inverse_mirror_map(
    formula: str, start: dict[str, float], k: Callable[..., np.ndarray], points: list[float]
) -> None:
    names = ", ".join(start)
    curve = numeric_curve(Elementwise(formula, names), start, 4)
    np.testing.assert_allclose(curve.x(points), k(np.array(points, float)), rtol=2e-11)


def test_curve_from_a_tiny_start_keeps_relative_accuracy() -> None:
    curve = numeric_curve(Elementwise("u**2 - v**2", "u, v"), {"u": 1e-100, "v": 1e-100}, 5)
    s = np.array([-115.0, -50.0, 1.0, 60.0, 115.0])
    np.testing.assert_allclose(curve.x(s), 2e-200 * np.sinh(4 * s), rtol=1e-11)
    np.testing.assert_allclose(curve.conjugate(s), 0.5e-200 * (np.cosh(4 * s) - 1), rtol=1e-11)


def test_end_of_the_domain_is_told_for_each_coordinate() -> None:
    curve = numeric_curve(Elementwise("u**3", "u"), {"u": 1e-3}, 3)
    _, inside = curve.advance(curve.theta0, np.array([333.0, 334.0, -1e9]))
    assert inside.tolist() == [True, False, True]
    _, reached, _ = curve.travel(curve.theta0, np.array([500.0, 500.0, 500.0]))
    np.testing.assert_allclose(reached, 1000 / 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("formula", "start", "low", "high"),
    [
        ("u**2", {"u": 0.3}, 0, np.inf),
        ("sin(u)", {"u": 0.2}, -1, 1),
        ("tanh(u)", {"u": 0}, -1, 1),
        ("atan(u)", {"u": 0}, -np.pi / 2, np.pi / 2),
        ("asin(u)", {"u": 0}, -np.pi / 2, np.pi / 2),
        ("u**(3/2)", {"u": 0.3}, 0, np.inf),
        ("log(u)", {"u": 1}, -np.inf, np.inf),
        ("u**3 - v**3", {"u": 0.4, "v": 0.4}, -np.inf, np.inf),
    ],
)
def test_reach_is_the_range_of_the_curve(
    formula: str, start: dict[str, float], low: float, high: float
) -> None:
    curve = numeric_curve(Elementwise(formula, ", ".join(start)), start, 1)
    bottom, top = curve.reach()
    np.testing.assert_allclose([bottom[0], top[0]], [low, high], rtol=1e-12, atol=1e-12)


def test_closed_form_is_used_and_agrees_with_the_ode() -> None:
    rho = Elementwise(u**2 - v**2, (u, v))
    start = {u: [0.1, 0.7], v: [0.2, 0.3]}
    closed = {u: u0 * sp.exp(2 * xi), v: v0 * sp.exp(-2 * xi)}
    fast = numeric_curve(rho, start, 2, closed_form=closed)
    slow = numeric_curve(rho, start, 2)
    assert fast.closed is not None
    np.testing.assert_allclose(fast.x([0.7, -1.1]), slow.x([0.7, -1.1]), rtol=1e-11)


def test_wrong_closed_form_is_refused() -> None:
    with pytest.raises(FormulaError, match="does not solve"):
        numeric_curve(Elementwise(u**2, (u,)), {u: 1}, 1, closed_form={u: u0 * sp.exp(xi)})


def test_closed_form_does_not_jump_over_its_pole() -> None:
    form = ClosedForm(xi, {u: u0}, {u: u0 / (1 - 3 * u0 * xi)}, (-sp.oo, 1 / (3 * u0)))
    curve = numeric_curve(Elementwise(u**3, (u,)), {u: sp.Rational(1, 2)}, 2, closed_form=form)
    x = curve.x([0.5, 0.7])
    assert x[0] == pytest.approx(8.0, rel=1e-13)
    assert np.isnan(x[1])


@pytest.mark.parametrize(
    ("formula", "start", "error", "text"),
    [
        ("u**2 - v**2", {"u": 1}, StartError, "no value for the parameter v"),
        ("u**2", {"u": 1, "w": 2}, StartError, "'w'"),
        ("u**2", {"u": [1, 2, 3]}, ShapeError, r"shape \(3,\)"),
        ("u**2", {"u": float("nan")}, StartError, "finite"),
        ("u**2", {"u": "1"}, StartError, "string"),
        ("u**2", {"u": sp.Symbol("alpha")}, StartError, "alpha"),
        ("log(u)", {"u": -1}, StartError, "finite real number"),
        ("u*v", {"u": 0, "v": 0}, StartError, "unbalanced"),
        ("u**2", {"u": [1, 0]}, StartError, "coordinate 1"),
    ],
)
def test_start_is_refused(
    formula: str, start: dict[str, object], error: type[Exception], text: str
) -> None:
    names = "u, v" if "v" in formula else "u"
    with pytest.raises(error, match=text):
        numeric_curve(Elementwise(formula, names), start, 2)


def test_declared_range_of_a_parameter_is_respected() -> None:
    w = sp.Symbol("w", positive=True)
    with pytest.raises(StartError, match="0"):
        numeric_curve(Elementwise(w**2, (w,)), {w: -1}, 1)


def test_constants_of_the_formula_take_their_values_from_the_start() -> None:
    rho = Elementwise("u**L", "u", assume={"L": "(2, oo)", "u": "positive"})
    curve = numeric_curve(rho, {"u": 0.5, "L": 3}, 1)
    np.testing.assert_allclose(curve.x([0.4]), (2 - 1.2) ** -3.0, rtol=1e-11)
    with pytest.raises(StartError, match="constant L"):
        numeric_curve(rho, {"u": 0.5}, 1)
