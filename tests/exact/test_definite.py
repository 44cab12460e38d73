"""Enclosures of definite integrals: the true value is inside, or the ball is not finite."""

from __future__ import annotations

import random

import mpmath as mp
import pytest
import sympy as sp
from flint import arb

from tests.exact.containment import exact
from theory.errors import FormulaError, UnsupportedFormula
from theory.exact.balls import precision
from theory.exact.definite import definite_integral

x = sp.Symbol("x", real=True)
R, oo, pi, sqrt, log, exp = sp.Rational, sp.oo, sp.pi, sp.sqrt, sp.log, sp.exp
mp_pi = mp.pi

# integrand, ends, value at 40 digits, typed from tables
KNOWN = {
    "Beta function": (x ** R(1, 3) * sqrt(1 - x), 0, 1, lambda: mp.beta(mp.mpf(4) / 3, 1.5)),
    "both ends infinite": (x ** R(-3, 4) / sqrt(1 - x), 0, 1, lambda: mp.beta(0.25, 0.5)),
    "steep root": (x ** R(-9, 10), 0, 1, lambda: mp.mpf(10)),
    "logarithm": (log(x), 0, 1, lambda: mp.mpf(-1)),
    "logarithm over root": (log(x) ** 2 / sqrt(x), 0, 1, lambda: mp.mpf(16)),
    "removable": (sp.sin(x) / x, 0, 1, lambda: mp.si(1)),
    "removable of second order": (
        (1 - sp.cos(x)) / x**2, 0, 1, lambda: mp.si(1) + mp.cos(1) - 1,
    ),
    "Gauss": (exp(-(x**2)), -oo, oo, lambda: mp.sqrt(mp.pi)),
    "Gamma function": (exp(-x) / sqrt(x), 0, oo, lambda: mp.sqrt(mp.pi)),
    "tenth moment": (x**10 * exp(-x), 0, oo, lambda: mp.factorial(10)),
    "Cauchy": (1 / (1 + x**2), -oo, oo, lambda: +mp.pi),
    "hyperbolic secant": (sp.sech(x), -oo, oo, lambda: +mp.pi),
    "softplus": (log(1 + exp(-x)), 0, oo, lambda: mp.pi**2 / 12),
    "Bose": (x / (exp(x) - 1), 0, oo, lambda: mp.pi**2 / 6),
    "one minus tanh": (1 - sp.tanh(x), 0, oo, lambda: mp.log(2)),
    "whole period": (1 / (sqrt(2) + sp.cos(x)), 0, 2 * pi, lambda: 2 * mp.pi),
    "kinks inside": (sp.Abs(sp.sin(2 * x)), 0, 2 * pi, lambda: mp.mpf(4)),
    "product of roots": (sqrt(2 - x) * sqrt(1 / (2 - x)), 0, 1, lambda: mp.mpf(1)),
    "arcsine": (1 / sqrt(1 - x**2), -1, 1, lambda: +mp.pi),
    "irrational end": (1 / sqrt(3 - x**2), 0, sqrt(3), lambda: mp.pi / 2),
    "logarithm of sine": (log(sp.sin(x)), 0, pi, lambda: -mp.pi * mp.log(2)),
    "large constants": (
        400 * pi**2 * x**2 / (1600 * pi**4 * x**4 - 796 * pi**2 * x**2 + 100), 0, oo,
        lambda: mp.mpf(5) / 2,
    ),
    "self power": (x**x, 0, 1, lambda: mp.nsum(lambda n: (-1) ** (int(n) + 1) / n**n, [1, mp.inf])),
    "half lines": (log(x) / (1 + x**2), 0, oo, lambda: mp.mpf(0)),
    "Euler": (exp(-x) * log(x), 0, oo, lambda: -mp.euler),
    "essential singularity": (exp(-1 / x) / x**2, 0, 1, lambda: mp.exp(-1)),
    "power of two": (2**-x, 0, oo, lambda: 1 / mp.log(2)),
    "jump": (sp.sign(x - R(1, 3)), 0, 1, lambda: mp.mpf(1) / 3),
    "pieces": (sp.Piecewise((x, x < R(1, 3)), (x + 1, True)), 0, 1, lambda: mp.mpf(7) / 6),
    "root of tangent": (sqrt(sp.tan(x)), 0, pi / 2, lambda: mp.pi / mp.sqrt(2)),
    "backwards": (x**2, 3, 0, lambda: mp.mpf(-9)),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_ball_contains_the_known_value(name: str) -> None:
    f, a, b, value = KNOWN[name]
    ball = definite_integral(f, x, sp.sympify(a), sp.sympify(b))
    with mp.workdps(45), precision(200):
        v = exact(value()) + arb(0, 1) * arb("1e-36")
        assert ball.is_finite()
        assert ball.overlaps(v), (ball, v)
        assert ball.rad() < arb("1e-8") * (1 + abs(v))


NOT_FINITE = {
    "pole inside": (1 / x, -1, 2),
    "double pole inside": (1 / (x - R(1, 3)) ** 2, 0, 1),
    "pole at an irrational point": (1 / (x**2 - 2), 0, 2),
    "pole of the tangent": (sp.tan(x), 0, 3),
    "pole at an end": (1 / x, 0, 1),
    "pole at the upper end": (1 / (1 - x) ** R(3, 2), 0, 1),
    "tail of the harmonic kind": (1 / x, 1, oo),
    "tail of a slow root": (1 / sqrt(1 + x**2), 0, oo),
    "constant tail": (sp.tanh(x), 0, oo),
    "growing tail": (exp(x), 0, oo),
    "conditionally convergent": (sp.sin(x) / x, 1, oo),
    "root of a negative number": (sqrt(x - 1), 0, 2),
    "logarithm of a negative number": (log(x), -1, 1),
    "product of imaginary roots": (sqrt(x - 1) * sqrt(x - 2), 0, R(1, 2)),
    "imaginary at the end only": (sqrt(x) / x, -R(1, 10**9), 1),
    "empty for lack of order": (sp.S.One, oo, oo),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_FINITE)
def test_no_finite_ball_without_an_integral(name: str) -> None:
    f, a, b = NOT_FINITE[name]
    assert not definite_integral(f, x, sp.sympify(a), sp.sympify(b)).is_finite()


def test_random_integrals_contain_the_value_of_mpmath() -> None:
    rng = random.Random(5)
    finite = 0
    for _ in range(60):
        p, q = R(rng.randint(-3, 6), 4), R(rng.randint(-3, 6), 3)
        if q <= -1 or p <= -1:
            continue
        c = R(rng.randint(1, 9), rng.randint(1, 4))
        f = rng.choice([
            x**p * (c - x) ** q,
            x**p * log(c * x) * sp.cos(x) if p > -1 else x,
            sp.tanh(c * x) ** 3 * sp.Abs(x - c / 3),
            sp.asinh(x / c) / (x + c),
            1 / (c + sp.cosh(x)),
        ])  # fmt: skip
        ball = definite_integral(f, x, sp.S.Zero, c)
        with mp.workdps(40):
            g = sp.lambdify(x, f, "mpmath")
            end = mp.mpf(c.p) / c.q
            ends = [mp.mpf(0), end / 3, end]
            value, error = mp.quad(g, ends, error=True)
            if error > 1e-15:
                continue
            with precision(200):
                slack = arb(0, 1) * (arb("1e-13") + exact(error) * 100)
                assert ball.overlaps(exact(mp.re(value)) + slack), (f, c, ball, value)
        finite += bool(ball.is_finite())
    assert finite > 30


def test_a_second_symbol_is_refused() -> None:
    with pytest.raises(FormulaError, match="no other symbol"):
        definite_integral(x * sp.Symbol("a"), x, sp.S.Zero, sp.S.One)


def test_a_function_without_balls_is_refused() -> None:
    with pytest.raises(UnsupportedFormula):
        definite_integral(sp.zeta(x), x, sp.Integer(2), sp.Integer(3))
