"""Limits by expansions, against limits known from elsewhere and against many digits near zero."""

from __future__ import annotations

import random

import mpmath
import pytest
import sympy as sp

import theory as th
from tests.nightly import NIGHTLY
from theory.exact.expansions import limit_by_expansion

t, x, y = sp.symbols("t x y", positive=True)
z = sp.Symbol("z", real=True)
log, exp, sqrt, asinh = sp.log, sp.exp, sp.sqrt, sp.asinh

KNOWN = [
    (log(1 + z * t) / t, z),
    ((1 + t) ** (z / t), exp(z)),
    ((exp(z * t) - 1) / sp.sin(t), z),
    ((1 - sp.cos(x * t)) / t**2, x**2 / 2),
    (asinh(x / t) / log(1 / t), 1),
    (asinh(-x / t) + log(2 * x / t), 0),
    (sqrt(1 / t**2 + x / t) - 1 / t, x / 2),
    (t * log(t), 0),
    (t**t, 1),
    (log(t) * log(1 + t), 0),
    (sp.tanh(x / t), 1),
    (exp(-1 / t) / t**5, 0),
    (sp.atan(z**2 / t + 1 / t), sp.pi / 2),
    ((sp.erf(1 / t) - 1) / t**3, 0),
    (sp.sinh(log(t)) * t, -sp.S.Half),
    (sp.acosh(1 / t) + log(t), log(2)),
    (sp.Abs(t - x) + sp.Abs(t - t**2) / t, x + 1),
    ((asinh(x + t) - asinh(x)) / t, 1 / sqrt(1 + x**2)),
    ((x**t - y**t) / t, log(x) - log(y)),
    (1 / t - 1 / sp.sin(t), 0),
    (1 / log(1 / t) ** 2, 0),
    (x / t**2 - z / t, sp.oo),
    (log(t) * (2 + z**2), -sp.oo),
    # the potential of u^2 - v^2 from small and from large starts
    (2 * (x * asinh(x / (2 * t**2)) / 4 - sqrt(4 * t**4 + x**2) / 4 + t**2 / 2) / log(1 / t), x),
    ((z * asinh(z * t) / t - (sqrt(1 + z**2 * t**2) - 1) / t**2), z**2 / 2),
]  # fmt: skip

UNKNOWN = [
    sp.sin(1 / t), sp.cos(log(t)), exp(1 / t), log(z + t), 1 / (z + t), sqrt(z + t), t**z,
    sp.Abs(z + t), log(log(1 / t)), exp(sqrt(log(1 / t))), sp.LambertW(t), sp.gamma(t),
    sp.floor(t), sp.Max(t, x), sp.Piecewise((t, x > 1), (1, True)), log(-t - x), sp.tanh(z / t),
]  # fmt: skip


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: str(case[0]))
def test_known_limits(case: tuple[sp.Expr, sp.Expr]) -> None:
    found = limit_by_expansion(case[0], t)
    assert found is not None and (found == case[1] or sp.simplify(found - case[1]) == 0)


@pytest.mark.parametrize("e", UNKNOWN, ids=str)
def test_what_has_no_expansion_is_left_open(e: sp.Expr) -> None:
    assert limit_by_expansion(e, t) is None


def _leaf(draw: random.Random) -> sp.Expr:
    return draw.choice(
        [t, t, 1 / t, log(t), x, y, sp.Integer(2), -sp.S.Half, x * t, t / x, y / t, t**2, sqrt(t)]
    )


def _tree(draw: random.Random, depth: int) -> sp.Expr:
    if depth == 0:
        return _leaf(draw)
    a = _tree(draw, depth - 1)
    kind = draw.random()
    if kind < 0.6:
        b = _tree(draw, depth - 1)
        return a + b if kind < 0.25 else a * b if kind < 0.45 else a / b
    functions = [exp, log, sqrt, sp.sin, sp.tanh, asinh, sp.atan, sp.cosh, sp.erf, sp.Abs]
    return draw.choice([*functions, lambda e: e**2, lambda e: 1 / e, lambda e: e**x])(a)


def _difference(draw: random.Random) -> sp.Expr:
    """Something that cancels."""
    f = draw.choice([sp.sin, sp.tanh, asinh, sp.atan, sp.sinh, log, exp, sqrt, sp.erf])
    u = draw.choice([t, x * t, t**2, y / t, t * log(t)])
    over = draw.choice([t, t**2, log(t), u, u**2])
    return (f(1 + u) - f(sp.S.One)) / over if draw.random() < 0.6 else f(u) / over


@pytest.mark.parametrize("seed", range(12 if NIGHTLY else 2))
def test_many_digits_approach_what_was_proved(seed: int) -> None:
    draw = random.Random(seed)
    values = {x: sp.Rational(7, 5), y: sp.Rational(3, 10)}
    decided = 0
    for _ in range(150):
        e = _difference(draw) if draw.random() < 0.4 else _tree(draw, 3)
        if not e.has(t) or e.has(sp.zoo, sp.nan, sp.I, sp.oo):
            continue
        limit = limit_by_expansion(e, t)
        if limit is None:
            continue
        f = sp.lambdify(t, e.subs(values), "mpmath")
        claimed, near = limit.subs(values), []
        for exponent, digits in ((40, 700), (160, 2500)):
            with mpmath.workdps(digits):
                try:
                    value = f(mpmath.mpf(10) ** -exponent)
                except (OverflowError, ValueError, MemoryError, mpmath.libmp.NoConvergence):
                    break
                # an expansion is of real numbers
                assert mpmath.im(value) == 0, e
                if claimed in (sp.oo, -sp.oo):
                    near.append(mpmath.re(value) * int(sp.sign(claimed)))
                else:
                    near.append(abs(value - mpmath.mpf(sp.N(claimed, 100))))
        if len(near) < 2:
            continue
        decided += 1
        if claimed in (sp.oo, -sp.oo):
            assert near[1] > near[0] and near[1] > 5, e
        else:
            # a power of t, or of the logarithm: 40/160 at most
            assert near[1] < mpmath.mpf(10) ** -30 or near[1] < 0.6 * near[0], (e, limit)
    assert decided > 40


def test_claims_of_limits_with_parameters() -> None:
    positive = {"x": "positive", "k": "positive"}
    proved = [
        ("asinh(2*x/k)*k/2", "k", "oo", "x"),
        ("log(1 + x/k)*k", "k", "oo", "x"),
        ("(1 + x/k)**k", "k", "oo", "exp(x)"),
        ("x*log(k)/sqrt(k)", "k", "oo", "0"),
    ]
    for e, variable, point, value in proved:
        assert th.limit_is(e, variable, point, value, assume=positive).proved
        wrong = th.limit_is(e, variable, point, f"{value} + 10**(-40)", assume=positive)
        assert wrong.refuted
    # for a real x the logarithm has no sign to begin with
    assert not th.limit_is("log(x + 1/k)", "k", "oo", "log(x)", assume={"x": "real"}).refuted


def test_the_regularizer_of_the_square_difference_tends_to_both_norms() -> None:
    u, v = sp.symbols("u v", real=True)
    alpha = sp.Symbol("alpha", positive=True)
    flow = th.GradientFlow(th.Elementwise(u**2 - v**2, (u, v)))
    regularizer = flow.mirror(start={u: alpha, v: alpha}).regularizer
    for point in (0, sp.oo):
        assert all(c.proved for c in regularizer.limit(alpha, point).certificates)
