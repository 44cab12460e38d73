"""Inverse functions: they invert on the whole branch, or none is returned."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp

from theory.exact.inverse import inverse

u, x = sp.symbols("u x", real=True)
p, q = sp.symbols("p q", positive=True)
exp, log, sqrt = sp.exp, sp.log, sp.sqrt

CASES = {
    "square": (p**2, p, q),
    "cube plus u": (u**3 + u, u, x),
    "exp difference": (exp(u) - exp(-u), u, x),
    "sinh": (sp.sinh(u), u, x),
    "tanh": (sp.tanh(u), u, x),
    "logistic": (1 / (1 + exp(-u)), u, x),
    "gd": (2 * sp.atan(sp.tanh(u / 2)), u, x),
    "u + sqrt(1 + u^2)": (u + sqrt(1 + u**2), u, q),
    "log(1 + e^u)": (log(1 + exp(u)), u, q),
    "p + log p": (p + log(p), p, x),
    "p e^p": (p * exp(p), p, q),
    "p + sqrt p": (p + sqrt(p), p, q),
    "p/(1+p)": (p / (1 + p), p, q),
    "p - 1/p": (p - 1 / p, p, x),
    "u/sqrt(1+u^2)": (u / sqrt(1 + u**2), u, x),
    "asinh": (sp.asinh(u), u, x),
    "atan": (sp.atan(u), u, x),
    "p^5 + p": (p**5 + p, p, q),
    "p^4 + p^2": (p**4 + p**2, p, q),
    "u + sin u / 2": (u + sp.sin(u) / 2, u, x),
    "erf": (sp.erf(u), u, x),
}
POINTS = [-3.1, -1.2, -0.3, -0.01, 0.02, 0.4, 1.1, 2.9]


@pytest.mark.parametrize("name", CASES)
def test_inverse_returns_to_the_point_it_came_from(name: str) -> None:
    f, s, image = CASES[name]
    found = inverse(f, s, image)
    if found is None:
        return
    with mp.workdps(30):
        forward = sp.lambdify(s, f, "mpmath")
        back = sp.lambdify(image, found.expression, "mpmath")
        for point in POINTS:
            if s is p and point < 0:
                continue
            again = back(forward(mp.mpf(point)))
            assert abs(again - point) < 1e-20, (found.expression, point, again)


@pytest.mark.parametrize("name", ["square", "exp difference", "logistic", "p + log p", "p - 1/p"])
def test_common_inverse_is_found(name: str) -> None:
    assert inverse(*CASES[name]) is not None


def test_other_branch_of_the_square_is_negative() -> None:
    m = sp.Symbol("m", negative=True)
    found = inverse(m**2, m, q)
    assert found is not None
    assert found.expression.subs(q, 4) == -2


def test_lower_branch_of_p_exp_minus_p() -> None:
    found = inverse(p * exp(-p), p, q, reference=sp.Integer(3), ranges={p: (sp.S.One, sp.oo)})
    if found is not None:
        value = sp.N(found.expression.subs(q, 3 * sp.exp(-3)), 25)
        assert abs(value - 3) < 1e-20


@pytest.mark.parametrize("size", [1, sp.Rational(1, 10**4)], ids=str)
def test_radicals_that_hold_on_part_of_the_branch_only_are_not_returned(size: sp.Expr) -> None:
    size = sp.sympify(size)
    # real radicals give the root for x > 2 size^3 only; the branch begins at -2 size^3
    f = p**3 - 3 * size**2 * p
    found = inverse(f, p, x, reference=3 * size, ranges={p: (size, sp.oo)})
    if found is not None:
        inside = sp.Rational(3, 2) * size
        value = sp.N(found.expression.subs(x, f.subs(p, inside)), 30)
        assert abs(value - inside) < 1e-20


def test_coefficients_keep_their_signs_as_letters() -> None:
    xi, y = sp.symbols("xi y", real=True)
    a, b = sp.symbols("a b", positive=True)
    f = (a + b) ** 2 * sp.exp(2 * xi) / 4 - (a - b) ** 2 * sp.exp(-2 * xi) / 4
    found = inverse(f, xi, y, reference=sp.S.Zero)
    assert found is not None and found.certificate.proved
    # also where a coefficient vanishes
    for values in ({a: 3, b: 1}, {a: 2, b: 2}, {a: 1, b: 5}):
        for at in (sp.Rational(-3, 2), sp.S.Zero, sp.Rational(7, 3)):
            image = f.xreplace(values).subs(xi, at)
            value = found.expression.xreplace(values).subs(y, image)
            if image == 0:
                continue
            assert abs(sp.N(value - at, 30)) < 1e-25
