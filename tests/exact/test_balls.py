"""Containment: the ball of an expression holds the value that mpmath finds with more digits."""

from __future__ import annotations

import random

import mpmath as mp
import pytest
import sympy as sp
from flint import arb

from theory.exact.balls import Program, precision, rational_ball

x = sp.Symbol("x", real=True)

# expression, mpmath's function, interval
FUNCTIONS = {
    "exp": (sp.exp(x), mp.exp, -30, 30),
    "log": (sp.log(x), mp.log, 0, 50),
    "sin": (sp.sin(x), mp.sin, -50, 50),
    "cos": (sp.cos(x), mp.cos, -50, 50),
    "tan": (sp.tan(x), mp.tan, -20, 20),
    "cot": (sp.cot(x), mp.cot, -20, 20),
    "sec": (sp.sec(x), mp.sec, -20, 20),
    "csc": (sp.csc(x), mp.csc, -20, 20),
    "sinh": (sp.sinh(x), mp.sinh, -30, 30),
    "cosh": (sp.cosh(x), mp.cosh, -30, 30),
    "tanh": (sp.tanh(x), mp.tanh, -30, 30),
    "coth": (sp.coth(x), mp.coth, -30, 30),
    "sech": (sp.sech(x), mp.sech, -30, 30),
    "csch": (sp.csch(x), mp.csch, -30, 30),
    "asin": (sp.asin(x), mp.asin, -1, 1),
    "acos": (sp.acos(x), mp.acos, -1, 1),
    "atan": (sp.atan(x), mp.atan, -50, 50),
    "acot": (sp.acot(x), mp.acot, -50, 50),
    "asec": (sp.asec(x), mp.asec, 1, 50),
    "acsc": (sp.acsc(x), mp.acsc, 1, 50),
    "asinh": (sp.asinh(x), mp.asinh, -50, 50),
    "acosh": (sp.acosh(x), mp.acosh, 1, 50),
    "atanh": (sp.atanh(x), mp.atanh, -1, 1),
    "acoth": (sp.acoth(x), mp.acoth, 1, 50),
    "asech": (sp.asech(x), mp.asech, 0, 1),
    "acsch": (sp.acsch(x), mp.acsch, -20, 20),
    "erf": (sp.erf(x), mp.erf, -5, 5),
    "erfc": (sp.erfc(x), mp.erfc, -5, 5),
    "erfi": (sp.erfi(x), mp.erfi, -5, 5),
    "erfinv": (sp.erfinv(x), mp.erfinv, -1, 1),
    "gamma": (sp.gamma(x), mp.gamma, -8, 8),
    "loggamma": (sp.loggamma(x), mp.loggamma, 0, 30),
    "Ei": (sp.Ei(x), mp.ei, -20, 20),
    "li": (sp.li(x), mp.li, 0, 1),
    "Si": (sp.Si(x), mp.si, -20, 20),
    "Ci": (sp.Ci(x), mp.ci, 0, 20),
    "Shi": (sp.Shi(x), mp.shi, -10, 10),
    "Chi": (sp.Chi(x), mp.chi, 0, 10),
    "LambertW": (sp.LambertW(x), mp.lambertw, 0, 50),
    "LambertW, lower": (sp.LambertW(x, -1), lambda t: mp.lambertw(t, -1), -0.367, 0),
    "polylog": (sp.polylog(2, x), lambda t: mp.polylog(2, t), -5, 1),
    "Abs": (sp.Abs(x), abs, -5, 5),
    "sign": (sp.sign(x), mp.sign, -5, 5),
    "root": (x ** sp.Rational(2, 3), lambda t: mp.cbrt(t) ** 2, 0, 50),
    "power": (x**sp.pi, lambda t: t**mp.pi, 0, 50),
    "negative power": (x**-3, lambda t: t**-3, -5, 5),
    "Max": (sp.Max(x, sp.Rational(1, 3)), lambda t: max(t, mp.mpf(1) / 3), -5, 5),
    "Min": (sp.Min(x, sp.Rational(1, 3)), lambda t: min(t, mp.mpf(1) / 3), -5, 5),
    "cancellation": (sp.log(1 + x**2) - x**2, lambda t: mp.log(1 + t**2) - t**2, -1e-4, 1e-4),
}


def points(low: float, high: float) -> list[sp.Rational]:
    rng = random.Random(7)
    low_q, high_q = sp.Rational(str(low)), sp.Rational(str(high))
    return [
        low_q + (high_q - low_q) * sp.Rational(rng.randint(1, 10**6), 10**6 + 1) for _ in range(200)
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ball_contains_the_true_value(name: str) -> None:
    e, reference, low, high = FUNCTIONS[name]
    program = Program([e], [x])
    for q in points(low, high):
        with precision(53):
            ball = program([rational_ball(q)])[0]
        with mp.workdps(40):
            value = reference(mp.mpf(q.p) / q.q)
            text = mp.nstr(mp.re(value), 36)
        with precision(160):
            # mpmath's last digits are not guaranteed
            value_ball = (
                arb(text) + arb(0, 1) * abs(arb(text)) * arb("1e-30") + arb(0, 1) * arb("1e-60")
            )
            assert ball.overlaps(value_ball), (q, ball, text)


@pytest.mark.parametrize(
    ("e", "at"),
    [
        (sp.log(x), -2), (sp.sqrt(x), -2), (sp.asin(x), 2), (sp.acosh(x), 0), (sp.atanh(x), 2),
        (1 / x, 0), (x ** sp.Rational(1, 3), -8), (sp.LambertW(x), -1), (sp.log(x), 0),
        (sp.loggamma(x), sp.Rational(-3, 2)), (sp.erfinv(x), 2), (sp.polylog(2, x), 2),
    ],
    ids=str,
)  # fmt: skip
def test_no_real_value_gives_no_finite_ball(e: sp.Expr, at: int) -> None:
    with precision(64):
        value = Program([e], [x])([rational_ball(sp.sympify(at))])[0]
        assert not (isinstance(value, arb) and value.is_finite())


@pytest.mark.parametrize("name", ["exp", "sin", "tanh", "atan", "erf", "asinh"])
def test_ball_of_an_interval_contains_the_values_inside(name: str) -> None:
    e, reference, _, _ = FUNCTIONS[name]
    with precision(53):
        image = Program([e], [x])([rational_ball(sp.S.Zero).union(rational_ball(sp.S.One))])[0]
    for k in range(11):
        with precision(120):
            assert image.overlaps(arb(mp.nstr(reference(mp.mpf(k) / 10), 15)))


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_power_of_a_ball_around_zero_is_its_range(n: int) -> None:
    with precision(64):
        value = Program([x**n], [x])([arb(0, 2)])[0]
        assert value.contains(2**n) and value.contains(0) and value.abs_upper() < 2**n + 1e-4
        assert value.contains(-(2**n)) == (n % 2 == 1)
        assert Program([x**n], [x])([arb(0)])[0] == 0
        assert not Program([x**-n], [x])([arb(0, 2)])[0].is_finite()
