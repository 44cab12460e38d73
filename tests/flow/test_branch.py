"""Branches: the interval ends where the derivative vanishes or the formula ends."""

from __future__ import annotations

import pytest
import sympy as sp

from theory.errors import StartError
from theory.flow.branch import branch_through

u = sp.Symbol("u", real=True)
oo, pi = sp.oo, sp.pi

CASES = {
    "u**2 right": (u**2, 1, (0, oo), 1),
    "u**2 left": (u**2, -1, (-oo, 0), -1),
    "u**3": (u**3, 1, (0, oo), 1),
    "sin": (sp.sin(u), 0, (-pi / 2, pi / 2), 1),
    "sin falling": (sp.sin(u), 3, (pi / 2, 3 * pi / 2), -1),
    "cos": (sp.cos(u), 1, (0, pi), -1),
    "tan": (sp.tan(u), 0, (-pi / 2, pi / 2), 1),
    "log": (sp.log(u), 2, (0, oo), 1),
    "cosh": (sp.cosh(u), 1, (0, oo), 1),
    "u e^u": (u * sp.exp(u), 0, (-1, oo), 1),
    "u log u": (u * sp.log(u), 1, (sp.exp(-1), oo), 1),
    "u log u left": (u * sp.log(u), sp.Rational(1, 5), (0, sp.exp(-1)), -1),
    "u/(1 + u^2)": (u / (1 + u**2), 0, (-1, 1), 1),
    "1/u": (1 / u, 1, (0, oo), -1),
    "atanh": (sp.atanh(u), 0, (-1, 1), 1),
    "sqrt(u)": (sp.sqrt(u), 1, (0, oo), 1),
    "exp": (sp.exp(u), 0, (-oo, oo), 1),
    "u^3 - u": (u**3 - 3 * u, 0, (-1, 1), -1),
}


@pytest.mark.parametrize("name", CASES)
def test_branch_ends_at_the_critical_points(name: str) -> None:
    f, start, (lower, upper), _ = CASES[name]
    branch = branch_through(f, u, sp.sympify(start))
    for end, expected in zip(branch.range, (lower, upper), strict=True):
        assert end == expected or abs(sp.N(end - expected, 20)) < 1e-15


@pytest.mark.parametrize("name", CASES)
def test_direction_is_the_sign_of_the_derivative(name: str) -> None:
    f, start, _, direction = CASES[name]
    assert branch_through(f, u, sp.sympify(start)).direction == direction


@pytest.mark.parametrize(
    ("f", "start"),
    [(u**2, 0), (sp.cos(u), 0), (sp.sin(u), sp.pi / 2), (u**3 - 3 * u, 1)],
    ids=str,
)
def test_stationary_start_is_refused(f: sp.Expr, start: sp.Expr) -> None:
    with pytest.raises(StartError, match="stuck"):
        branch_through(f, u, sp.sympify(start))


@pytest.mark.parametrize(("f", "start"), [(sp.log(u), -1), (sp.atanh(u), 2), (1 / u, 0)], ids=str)
def test_start_outside_of_the_domain_is_refused(f: sp.Expr, start: int) -> None:
    with pytest.raises(StartError):
        branch_through(f, u, sp.sympify(start))
