"""Limits: right ones are found, wrong candidates are rejected."""

from __future__ import annotations

import pytest
import sympy as sp

from theory.exact.limits import certified_limit

p, a = sp.symbols("p a", positive=True)
c = sp.Symbol("c", real=True)
exp, log, sqrt, R = sp.exp, sp.log, sp.sqrt, sp.Rational

RIGHT = {
    "atan(1/p)": (sp.atan(1 / p), 0, sp.pi / 2),
    "p log p": (p * log(p), 0, sp.S.Zero),
    "p^p": (p**p, 0, sp.S.One),
    "(e^p - 1)/p": ((exp(p) - 1) / p, 0, sp.S.One),
    "(1 + 1/p)^p": ((1 + 1 / p) ** p, sp.oo, sp.E),
    "log p / p": (log(p) / p, sp.oo, sp.S.Zero),
    "tanh": (sp.tanh(p), sp.oo, sp.S.One),
    "sqrt(p^2 + p) - p": (sqrt(p**2 + p) - p, sp.oo, R(1, 2)),
    "asinh over log": (sp.asinh(1 / p) / log(1 / p), 0, sp.S.One),
    "exp(-a/p)": (exp(-a / p), 0, sp.S.Zero),
    "p^(-a)": (p ** (-a), 0, sp.oo),
    "a atan(p/a)": (a * sp.atan(p / a), sp.oo, sp.pi * a / 2),
    "log p": (log(p), 0, -sp.oo),
}


@pytest.mark.parametrize("name", RIGHT)
def test_limit_is_found(name: str) -> None:
    e, point, value = RIGHT[name]
    found = certified_limit(e, p, sp.sympify(point))
    assert found is not None
    assert sp.simplify(found.value - value) == 0 or found.value == value


WRONG = {
    # no limit at all
    "sin(1/p)": (sp.sin(1 / p), 0),
    "cos(pi/p)": (sp.cos(sp.pi / p), 0),
    "cos(pi/p)/p": (sp.cos(sp.pi / p) / p, 0),
    "cos(2 pi/(3p))": (sp.cos(2 * sp.pi / (3 * p)), 0),
    "sin(pi p) p": (p * sp.sin(sp.pi * p), sp.oo),
    "cos(pi p) p": (p * sp.cos(sp.pi * p), sp.oo),
    "cos(2 pi p)": (sp.cos(2 * sp.pi * p), sp.oo),
    # depends on the sign of c
    "p^c": (p**c, 0),
    "p^(c-100)": (p ** (c - 100), 0),
    "exp(-c/p)": (exp(-c / p), 0),
    "atan(c/p)": (sp.atan(c / p), 0),
}


@pytest.mark.parametrize("name", WRONG)
def test_no_limit_is_claimed_where_there_is_none(name: str) -> None:
    e, point = WRONG[name]
    assert certified_limit(e, p, sp.sympify(point)) is None


SCALES = {
    "1/(p + 1e-1000)": (1 / (p + R(1, 10**1000)), sp.Integer(10) ** 1000),
    "p/(p + 1e-1000)": (p / (p + R(1, 10**1000)), sp.S.Zero),
    "p^(1e-6)": (p ** R(1, 10**6), sp.S.Zero),
    "1/log(log(1/p))": (1 / log(log(1 / p)), sp.S.Zero),
    "exp(-1e-9/p)": (exp(-R(1, 10**9) / p), sp.S.Zero),
}


@pytest.mark.parametrize("name", SCALES)
def test_limit_behind_another_scale_is_right_or_absent(name: str) -> None:
    e, value = SCALES[name]
    found = certified_limit(e, p, sp.S.Zero)
    assert found is None or found.value == value


def test_sides_differ() -> None:
    s = sp.Symbol("s", real=True)
    assert certified_limit(sp.atan(1 / s), s, sp.S.Zero, "-").value == -sp.pi / 2
