"""What the containment tests share: exact points, and mpmath's value as a ball."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import mpmath as mp
import sympy as sp
from flint import arb, fmpq

x, y = sp.symbols("x y", real=True)
BITS = 53


class Case(NamedTuple):
    """An expression in x, mpmath's function, an interval, and whether it is slow."""

    e: sp.Expr
    reference: Callable[[Any], Any]
    low: float
    high: float
    slow: bool = False


third = sp.Rational(1, 3)
CASES = {
    "exp": Case(sp.exp(x), mp.exp, -60, 60),
    "log": Case(sp.log(x), mp.log, 0, 50),
    "sin": Case(sp.sin(x), mp.sin, -90, 90),
    "cos": Case(sp.cos(x), mp.cos, -90, 90),
    "tan": Case(sp.tan(x), mp.tan, -20, 20),
    "cot": Case(sp.cot(x), mp.cot, -20, 20),
    "sec": Case(sp.sec(x), mp.sec, -20, 20),
    "csc": Case(sp.csc(x), mp.csc, -20, 20),
    "sinh": Case(sp.sinh(x), mp.sinh, -60, 60),
    "cosh": Case(sp.cosh(x), mp.cosh, -60, 60),
    "tanh": Case(sp.tanh(x), mp.tanh, -60, 60),
    "coth": Case(sp.coth(x), mp.coth, -60, 60),
    "sech": Case(sp.sech(x), mp.sech, -60, 60),
    "csch": Case(sp.csch(x), mp.csch, -60, 60),
    "asin": Case(sp.asin(x), mp.asin, -1, 1),
    "acos": Case(sp.acos(x), mp.acos, -1, 1),
    "atan": Case(sp.atan(x), mp.atan, -90, 90),
    "acot": Case(sp.acot(x), mp.acot, -90, 90),
    "asec": Case(sp.asec(x), mp.asec, 1, 90),
    "asec, left": Case(sp.asec(x), mp.asec, -90, -1),
    "acsc": Case(sp.acsc(x), mp.acsc, 1, 90),
    "acsc, left": Case(sp.acsc(x), mp.acsc, -90, -1),
    "asinh": Case(sp.asinh(x), mp.asinh, -90, 90),
    "acosh": Case(sp.acosh(x), mp.acosh, 1, 90),
    "atanh": Case(sp.atanh(x), mp.atanh, -1, 1),
    "acoth": Case(sp.acoth(x), mp.acoth, 1, 90),
    "acoth, left": Case(sp.acoth(x), mp.acoth, -90, -1),
    "asech": Case(sp.asech(x), mp.asech, 0, 1),
    "acsch": Case(sp.acsch(x), mp.acsch, -20, 20),
    "Abs": Case(sp.Abs(x), abs, -5, 5),
    "sign": Case(sp.sign(x), mp.sign, -5, 5),
    "Heaviside": Case(sp.Heaviside(x), lambda t: mp.mpf(t > 0), -5, 5),
    "DiracDelta": Case(sp.DiracDelta(x), lambda t: mp.mpf(0), -5, 5),
    "Max": Case(sp.Max(x, third), lambda t: max(t, mp.mpf(1) / 3), -5, 5),
    "Min": Case(sp.Min(x, third), lambda t: min(t, mp.mpf(1) / 3), -5, 5),
    "LambertW": Case(sp.LambertW(x), mp.lambertw, 0, 90),
    "LambertW, negative": Case(sp.LambertW(x), mp.lambertw, -0.3678, 0),
    "LambertW, lower": Case(sp.LambertW(x, -1), lambda t: mp.lambertw(t, -1), -0.3678, 0),
    "erf": Case(sp.erf(x), mp.erf, -6, 6),
    "erfc": Case(sp.erfc(x), mp.erfc, -6, 9),
    "erfi": Case(sp.erfi(x), mp.erfi, -6, 6),
    "erfinv": Case(sp.erfinv(x), mp.erfinv, -1, 1, slow=True),
    "erfcinv": Case(sp.erfcinv(x), lambda t: mp.erfinv(1 - t), 0, 2, slow=True),
    "gamma": Case(sp.gamma(x), mp.gamma, -9, 9),
    "loggamma": Case(sp.loggamma(x), mp.loggamma, 0, 30),
    "Ei": Case(sp.Ei(x), mp.ei, -30, 30),
    "li": Case(sp.li(x), mp.li, 0, 30),
    "Si": Case(sp.Si(x), mp.si, -30, 30, slow=True),
    "Ci": Case(sp.Ci(x), mp.ci, 0, 30, slow=True),
    "Shi": Case(sp.Shi(x), mp.shi, -20, 20, slow=True),
    "Chi": Case(sp.Chi(x), mp.chi, 0, 20, slow=True),
    "polylog": Case(sp.polylog(2, x), lambda t: mp.polylog(2, t), -5, 1, slow=True),
    "polylog of order 3": Case(sp.polylog(3, x), lambda t: mp.polylog(3, t), -9, 1, slow=True),
    "hyper 2F1": Case(
        sp.hyper((third, sp.S.Half), (sp.Rational(3, 2),), x),
        lambda t: mp.hyp2f1(mp.mpf(1) / 3, 0.5, 1.5, t), -5, 1, slow=True,
    ),
    "hyper 1F1": Case(
        sp.hyper((third,), (sp.Rational(5, 2),), x),
        lambda t: mp.hyp1f1(mp.mpf(1) / 3, 2.5, t), -20, 20, slow=True,
    ),
    "hyper 0F1": Case(
        sp.hyper((), (sp.Rational(5, 2),), x), lambda t: mp.hyp0f1(2.5, t), -20, 20, slow=True
    ),
    "hyper 2F2": Case(
        sp.hyper((third, third), (2, sp.Rational(5, 2)), x),
        lambda t: mp.hyper([mp.mpf(1) / 3] * 2, [2, 2.5], t), -9, 9, slow=True,
    ),
    "square root": Case(sp.sqrt(x), mp.sqrt, 0, 90),
    "inverse square root": Case(1 / sp.sqrt(x), lambda t: 1 / mp.sqrt(t), 0, 90),
    "root": Case(x ** sp.Rational(2, 3), lambda t: mp.cbrt(t) ** 2, 0, 90),
    "inverse root": Case(x ** sp.Rational(-5, 4), lambda t: t ** mp.mpf(-1.25), 0, 90),
    "integer power": Case(x**7, lambda t: t**7, -5, 5),
    "inverse power": Case(x**-3, lambda t: t**-3, -5, 5),
    "irrational power": Case(x**sp.pi, lambda t: t**mp.pi, 0, 50),
    "number to a power": Case(third**x, lambda t: (mp.mpf(1) / 3) ** t, -30, 30),
    "self power": Case(x**x, lambda t: t**t, 0, 20),
    "Piecewise": Case(
        sp.Piecewise((x**2, x < -1), (x, x <= third), (sp.exp(x), True)),
        lambda t: t**2 if t < -1 else t if 3 * t <= 1 else mp.exp(t), -5, 5,
    ),
    "Piecewise, other relations": Case(
        sp.Piecewise((x - 1, x > 2), (sp.cos(x), x >= -third), (-x, True)),
        lambda t: t - 1 if t > 2 else mp.cos(t) if 3 * t >= -1 else -t, -5, 5,
    ),
}  # fmt: skip


def exact(value: Any) -> arb:
    """A number of mpmath as a ball of radius zero."""
    sign, mantissa, exponent, _ = mp.mpf(value)._mpf_
    return arb((-int(mantissa) if sign else int(mantissa), int(exponent)))


def parameters() -> Any:
    import pytest

    return [
        pytest.param(name, marks=[pytest.mark.slow] if c.slow else [], id=name)
        for name, c in CASES.items()
    ]


def samples(case: Case, count: int, seed: int) -> Iterator[tuple[Any, arb]]:
    """Points as mpmath numbers, with a ball that holds each.

    In turn: a dyadic number itself, a fraction, a wide ball with a dyadic number somewhere in it.
    """
    rng = random.Random(seed)
    scale = 1 << 40
    low, high = (int(v * scale) for v in (case.low, case.high))
    for k in range(count):
        if k % 4 == 3:
            # close to an end, where functions are steep
            depth = rng.randint(4, 39)
            offset = rng.randint(1, max(2, (high - low) >> depth))
            n = low + offset if rng.random() < 0.5 else high - offset
        else:
            n = rng.randint(low + 1, high - 1)
        if k % 3 == 1:
            d = rng.randint(1, 10**6) * scale // 10**6 + 1
            m = n * d // scale
            if low * d < m * scale < high * d:
                yield mp.mpf(m) / d, arb(fmpq(m, d))
                continue
        point = mp.ldexp(mp.mpf(n), -40)
        if k % 3 == 2:
            radius = (high - low) >> rng.randint(1, 30)
            shift = rng.randint(-radius, radius)
            middle = arb((n + shift, -40))
            yield point, middle + arb(0, 1) * arb((radius, -40))
        else:
            yield point, arb((n, -40))
