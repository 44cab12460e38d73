"""Whatever is returned as an antiderivative is one: numeric derivative at signed points."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp

from theory.exact.antiderivative import antiderivative

u = sp.Symbol("u", real=True)
p = sp.Symbol("p", positive=True)
a, b = sp.symbols("a b", positive=True)
L = sp.Symbol("L", positive=True)
sin, cos, exp, log, sqrt, tanh, cosh = sp.sin, sp.cos, sp.exp, sp.log, sp.sqrt, sp.tanh, sp.cosh

INTEGRANDS = [
    # where SymPy's definite integrals are known to be wrong
    1 / (u**2 + 2 * a * u + b),
    log(1 + a * u**2),
    1 / (a + 2 + cos(u)),
    1 / (2 + cos(u)),
    sqrt(2 - p) * sqrt(1 / (2 - p)),
    sp.Abs(sin(2 * u)),
    sp.atan(u),
    u * sp.atan(u),
    p ** sp.Rational(1, 3) * sqrt(1 - p),
    sp.sinh(a * (u + 1)),
    # dual times of one-parameter formulas
    1 / (2 * p),
    p ** (1 - L),
    1 / cosh(u),
    cosh(u) ** 2,
    1 / cos(u),
    1 / (1 + cos(u)),
    1 / (1 + cos(u) / 2),
    exp(u**2),
    exp(-(u**2)),
    1 / (exp(u) * (1 + u)),
    (1 + exp(u)) ** 2 / exp(u),
    1 / (3 * u**2 + 1),
    1 / (5 * u**4 + 1),
    1 / (1 + log(p)),
    log(p) ** 3,
    log(p) / p,
    p * log(p),
    sqrt(1 + u**2),
    1 / sqrt(1 + u**2),
    u**2 / sqrt(1 + u**2),
    sqrt(u**2 + 4 * a**4),
    sp.asinh(u / a),
    1 / (sqrt(p) * (1 + p)),
    (1 + sqrt(p)) / (1 - sqrt(p)),
    1 / (1 + exp(u)),
    exp(u) / (1 + exp(u)) ** 2,
    tanh(u),
    1 / (1 + tanh(u)),
    sin(u) ** 4 * cos(u) ** 2,
    sp.tan(u) ** 2,
    sp.Abs(u),
    1 / u,
    1 / (u**2 - 1),
    (u**3 + 1) / (u**4 + u**2 + 1),
    exp(u) * sin(u),
    u * exp(-u),
    exp(u) / u,
    sp.erf(u),
    sp.LambertW(p),
    1 / cosh(u) ** 4,
    cosh(u) / (1 + sp.sinh(u) ** 2),
]
POINTS = [-2.7, -1.3, -0.6, -0.21, 0.17, 0.55, 0.83, 1.9, 3.3]
CONSTANTS = {a: sp.Rational(7, 5), b: sp.Rational(3, 5), L: sp.Rational(13, 4)}


@pytest.mark.parametrize("f", INTEGRANDS, ids=str)
def test_returned_antiderivative_has_the_integrand_as_derivative(f: sp.Expr) -> None:
    s = p if f.has(p) else u
    found = antiderivative(f, s, seconds=0.6)
    if found is None:
        return
    assert found.certificate.proved
    with mp.workdps(30):
        F = sp.lambdify(s, found.expression.subs(CONSTANTS), "mpmath")
        g = sp.lambdify(s, f.subs(CONSTANTS), "mpmath")
        for point in POINTS:
            if s is p and point < 0:
                continue
            h = mp.mpf(10) ** -6
            values = [F(mp.mpf(point) + k * h) for k in (-2, -1, 1, 2)]
            expected = g(mp.mpf(point))
            if any(mp.im(v) != 0 for v in values) or mp.im(expected) != 0:
                continue
            slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
            # the stencil's error is h^4 F^(5)/30
            assert abs(slope - expected) < 1e-15 * (1 + abs(expected)), (found.expression, point)


CLOSED = [
    1 / (2 * p), p ** (1 - L), 1 / cosh(u), cosh(u) ** 2, sqrt(u**2 + 4 * a**4), log(p) ** 3,
    1 / (3 * u**2 + 1), sp.atan(u), exp(-u**2), p * log(p), u * exp(-u), 1 / (1 + exp(u)),
]  # fmt: skip


@pytest.mark.parametrize("f", CLOSED, ids=str)
def test_common_integrand_has_an_antiderivative(f: sp.Expr) -> None:
    assert antiderivative(f, p if f.has(p) else u) is not None


def test_integral_that_is_not_elementary_is_left_alone() -> None:
    assert antiderivative(sp.sqrt(1 + u**3 * exp(u)), u, seconds=0.3) is None
