"""Norms, duals and steepest directions: pairing, biduality, and what is no norm."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import DataError, FormulaError, NotClosedForm, ShapeError, TooLarge
from theory.networks.unit_ball import polar

N = th.norms
p = sp.Symbol("p", positive=True)
rationals = st.fractions(min_value=-4, max_value=4, max_denominator=6)
FORMULAS = [
    "sqrt(2*x**2 + 3*y**2 + 2*x*y)", "sqrt((x + y)**2 + (x - 2*y)**2)", "2*sqrt(x**2 + y**2)",
    "(abs(x)**3 + 8*abs(y)**3)**(1/3)", "(x**4 + y**4)**(1/4)", "2*abs(x) + abs(y)",
    "abs(x) + abs(x + y)", "max(abs(x), abs(y), abs(x - y))", "max(abs(x) + abs(y), 3*abs(x)/2)",
    "max(x, -x) + abs(y)",
]  # fmt: skip


def exact(values: Any) -> list[sp.Rational]:
    return [sp.Rational(v.numerator, v.denominator) for v in values]


@pytest.mark.parametrize("norm", [N.l1(), N.l2(), N.linf(), N.lp(3), N.lp("3/2")], ids=str)
@given(values=st.lists(rationals, min_size=3, max_size=3))
@settings(max_examples=15)
def test_direction_of_lp_attains_the_dual(norm: Any, values: Any) -> None:
    g = exact(values)
    u = norm.direction(g)
    product = sum(a * b for a, b in zip(g, u, strict=True))
    assert abs(float(product - norm.dual.value(g))) < 1e-12
    assert any(g) == (abs(float(norm.value(u)) - 1) < 1e-12)


@pytest.mark.parametrize("text", FORMULAS)
@given(values=st.lists(rationals, min_size=2, max_size=2))
@settings(max_examples=15)
def test_direction_by_a_formula_attains_the_dual(text: str, values: Any) -> None:
    norm, g = N.formula(text, "x, y"), exact(values)
    if not any(g):
        return
    u = norm.direction(g)
    product = sum(a * b for a, b in zip(g, u, strict=True))
    assert abs(float(product - norm.dual.value(g))) < 1e-12
    assert abs(float(norm.value(u)) - 1) < 1e-12


@pytest.mark.parametrize("text", FORMULAS)
def test_dual_is_the_largest_product_on_the_unit_sphere(text: str) -> None:
    """By many directions, without the derivation."""
    norm = N.formula(text, "x, y")
    x, y = norm.variables
    value = sp.lambdify((x, y), norm.expression, "numpy")
    angle = np.linspace(0, 2 * np.pi, 40_001)
    sphere = np.stack([np.cos(angle), np.sin(angle)])
    sphere = sphere / value(*sphere)
    for g in ([1, 0], [0, 1], [3, -2], [-1, 5]):
        expected = float(norm.dual.value(g))
        assert (g @ sphere).max() == pytest.approx(expected, rel=1e-3)
        assert (g @ sphere).max() <= expected * (1 + 1e-12)


@pytest.mark.parametrize("text", FORMULAS)
def test_dual_of_the_dual_is_the_norm(text: str) -> None:
    norm = N.formula(text, "x, y")
    for x in ([1, 0], [0, 1], [3, -2], [-1, 5], [2, 7]):
        gap = norm.dual.dual.value(x) - norm.value(x)
        assert abs(float(gap)) < 1e-12
    assert norm.derivation.identities_proved


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("(sqrt(abs(x)) + sqrt(abs(y)))**2", "x \\+ y"),
        ("abs(x)*abs(y)", "> 0"),
        ("abs(x + y)", "> 0"),
        ("sqrt(x**2 + 3*x*y + y**2)", "real"),
        ("max(x, y)", "N\\(-x\\)"),
        ("abs(x) + y", "N\\(-x\\)"),
        ("abs(x) + abs(y) + 1", "N\\(2 x\\)"),
        ("x**2 + y**2", "N\\(2 x\\)"),
        ("abs(x) + abs(y) - abs(x - y)/10", "x \\+ y"),
        ("-abs(x) - abs(y)", "> 0"),
        ("log(x) + y", "real"),
    ],
)
def test_what_is_no_norm_is_refused_with_the_law(text: str, law: str) -> None:
    with pytest.raises(FormulaError, match=law):
        N.formula(text, "x, y")


def test_norm_without_a_derived_dual_is_no_answer() -> None:
    for text in ("sqrt(x**2 + y**2) + abs(x)", "(abs(x)**pi + abs(y)**pi)**(1/pi)"):
        with pytest.raises(NotClosedForm):
            N.formula(text, "x, y")
    with pytest.raises(FormulaError, match="does not contain y"):
        N.formula("abs(x)", "x, y")
    with pytest.raises(FormulaError):
        N.formula("abs(x) + abs(z)", "x")


def test_polar_of_a_cube_is_a_cross() -> None:
    cube = tuple(itertools.product((sp.S.One, -sp.S.One), repeat=3))
    assert set(polar(cube)) == {
        tuple(map(sp.Integer, v)) for v in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    }
    ball = N.unit_ball([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert len(ball.dual.points) == 4 and ball.derivation.identities_proved
    assert ball.value([1, -2, 3]) == 6 and ball.dual.value([1, -2, 3]) == 3


PLANE = st.lists(st.integers(-3, 3), min_size=2, max_size=2)


@given(
    points=st.lists(PLANE, min_size=2, max_size=5),
    values=st.lists(rationals, min_size=2, max_size=2),
)
@settings(max_examples=40)
def test_balls_of_points(points: Any, values: Any) -> None:
    if sp.Matrix(points).rank() < 2:
        with pytest.raises(DataError, match="span"):
            N.unit_ball(points)
        return
    ball, x = N.unit_ball(points), exact(values)
    # the least sum of |c| with sum c p = x, by pairs of points: a vertex of the linear program
    best = None
    for a, b in itertools.combinations(points, 2):
        M = sp.Matrix([a, b]).T
        if M.det() != 0:
            size = sum(abs(v) for v in M.solve(sp.Matrix(x)))
            best = size if best is None else min(best, size)
    assert ball.value(x) == best
    u = ball.direction(x)
    product = sum(a * b for a, b in zip(x, u, strict=True))
    assert product == max(abs(a[0] * x[0] + a[1] * x[1]) for a in points)


def test_large_balls_are_refused() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(-9, 10, (60, 8)).tolist()
    with pytest.raises(TooLarge, match="systems of equations"):
        _ = N.unit_ball(points).dual
    with pytest.raises(ShapeError, match="entries"):
        N.unit_ball([[1, 0], [0, 1]]).value([1])


def test_names() -> None:
    for name, norm in (
        ("l1", N.l1()), ("l2", N.l2()), ("linf", N.linf()), ("l3", N.lp(3)), ("lp:3", N.lp(3)),
        ("l3/2", N.lp("3/2")), ("spectral", N.spectral()), ("loo", N.linf()),
    ):  # fmt: skip
        assert N.read_norm(name) == norm
    for bad in ("l0", "l1/2", "lx", "l-3", "l1/0", "", 3, None, "spectral norm"):
        with pytest.raises(th.TheoryError):
            N.read_norm(bad)


@pytest.mark.parametrize(
    "norm", [N.lp(p), N.lp(3), N.l1(), N.linf(), N.spectral(), N.schatten(3), N.blocks("l2", 1)],
    ids=str,
)  # fmt: skip
def test_derivations_of_norms(norm: Any) -> None:
    assert norm.derivation.identities_proved
    assert norm.dual.dual == norm
    # von Neumann's inequality is recalled, and said to be
    assert ("Trace" in norm.derivation.in_words) == ("s" in norm.name)


def test_coordinate_descent_needs_to_know_the_largest_entry() -> None:
    a, b = sp.symbols("a b", positive=True)
    with pytest.raises(NotClosedForm, match="larger"):
        N.l1().direction([a, b])
    assert N.l1().direction([a, a + b]) == (0, 1)
    assert N.l1().direction([2, -2]) == (1, 0)
    assert N.blocks("linf", 1).direction([[1, 2], [4]]) == ((0, 0), (1,))
