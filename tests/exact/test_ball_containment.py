"""Containment: the ball of an expression holds what mpmath finds at twice the precision.

The only slack is mpmath's own rounding, a few units in the last of its 140 bits.
"""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp
from flint import arb, arb_series

from tests.exact.containment import BITS, CASES, exact, parameters, samples, x, y
from tests.nightly import NIGHTLY
from theory.exact.balls import _FUNCTIONS, Program, precision, series_length

# 10,000 points for each function had no miss; every run repeats a quarter of them
POINTS = 10_000 if NIGHTLY else 1_500


def padded(value: mp.mpf, bits: int) -> arb:
    v = exact(value)
    return v + arb(0, 1) * (abs(v) * arb((1, -bits)) + arb((1, -6 * bits)))


def test_every_function_has_a_case() -> None:
    tested = {f.func for c in CASES.values() for f in c.e.atoms(sp.Function, sp.Max, sp.Min)}
    missing = set(_FUNCTIONS) - tested - {sp.exp}
    assert {f.__name__ for f in missing} == set()
    assert CASES["exp"].e.func is sp.exp


@pytest.mark.parametrize("name", parameters())
def test_ball_contains_the_value_of_mpmath(name: str) -> None:
    case = CASES[name]
    program = Program([case.e], [x])
    finite = 0
    misses = []
    with mp.workprec(140), precision(BITS):
        for point, argument in samples(case, POINTS, seed=11):
            ball = program([argument])[0]
            if not ball.is_finite():
                continue
            finite += 1
            value = mp.re(case.reference(point))
            with precision(200):
                # an exact rational argument is a ball, the point inside of it rounds at 140 bits
                if not ball.overlaps(padded(value, 100)):
                    misses.append((point, argument, ball, value))
    assert not misses, (len(misses), misses[:3])
    # wide balls may leave the domain, single points may not
    assert finite > 0.6 * POINTS, finite


SERIES = [
    name
    for name, c in CASES.items()
    if not c.e.has(sp.hyper, sp.polylog, sp.sign, sp.Heaviside, sp.DiracDelta)
    and name not in ("Piecewise", "Max", "Min")
]
ORDER = 6


@pytest.mark.parametrize("radius", [0, sp.Rational(1, 500)], ids=["exact", "wide"])
@pytest.mark.parametrize("name", SERIES)
def test_power_series_contains_the_taylor_coefficients(name: str, radius: sp.Rational) -> None:
    case = CASES[name]
    program = Program([case.e], [x])
    finite = 0
    with mp.workprec(300), precision(90), series_length(ORDER):
        for share in (0.07, 0.23, 0.41, 0.52, 0.77, 0.93):
            at = mp.mpf(int((case.low + share * (case.high - case.low)) * 2**20)) / 2**20
            wide = arb(0, 1) * (case.high - case.low) * float(radius)
            series = program([arb_series([exact(at) + wide, arb(2), arb(-1) / 4])])[0]
            if not isinstance(series, arb_series):
                continue
            coefficients = series.coeffs()
            if not all(c.is_finite() for c in coefficients):
                continue
            finite += 1
            # a point off the middle of the wide ball
            inside = at + mp.mpf(float(radius)) * (case.high - case.low) / 3
            taylor = mp.taylor(
                lambda t, p=inside: mp.re(case.reference(p + 2 * t - t * t / 4)), 0, ORDER - 1
            )
            coefficients += [arb(0)] * (ORDER - len(coefficients))
            for k, (c, value) in enumerate(zip(coefficients, taylor, strict=True)):
                slack = arb(0, 1) * arb("1e-18") * (1 + abs(exact(value)))
                assert c.overlaps(exact(value) + slack), (name, at, k, c, value)
    assert finite >= 3, (name, finite)


ZERO = arb_series([])
LINE = arb_series([0, 1])
NO_SERIES = {
    "logarithm of zero": (sp.log(x), ZERO, LINE),
    "zero times a logarithm without value": (y * sp.log(x), arb_series([-1, 1]), ZERO),
    "zero times an inverse cosine without value": (y * sp.acos(x), arb_series([2, 1]), ZERO),
    "zero as exponent of a negative number": (x**y, arb_series([-1, 1]), ZERO),
    "Max of two that cross": (sp.Max(x, y), arb_series([arb(0, 1), 1]), ZERO),
    "Max of two that meet": (sp.Max(x, y), LINE, ZERO),
    "absolute value at zero": (sp.Abs(x), LINE, ZERO),
    "root of a square": (sp.sqrt(y + x), arb_series([0, 0, 1]), ZERO),
    "root of an interval around zero": (sp.sqrt(x), arb_series([arb(0, 1), 1]), ZERO),
    "third root at zero": (x ** sp.Rational(1, 3), LINE, ZERO),
    "sign at zero": (sp.sign(x), LINE, ZERO),
    "border of pieces": (sp.Piecewise((x, x >= 0), (-x, True)), LINE, ZERO),
    "strict border of pieces": (sp.Piecewise((x, x > 0), (-x, True)), LINE, ZERO),
    "branch of LambertW that is not real": (sp.LambertW(x, 2), LINE, ZERO),
    "pole": (sp.gamma(x), LINE, ZERO),
    "division by zero": (1 / x, LINE, ZERO),
}


@pytest.mark.parametrize("name", NO_SERIES)
def test_no_taylor_series_gives_no_finite_series(name: str) -> None:
    e, first, second = NO_SERIES[name]
    with precision(64), series_length(4):
        value = Program([e], [x, y])([first, second])[0]
    coefficients = value.coeffs() if isinstance(value, arb_series) else [value]
    assert any(not c.is_finite() for c in coefficients), value


OUTSIDE = [
    (sp.log(x), -1, 0), (sp.sqrt(x), -3, -1), (x ** sp.Rational(1, 3), -8, -2),
    (sp.asin(x), 1.001, 9), (sp.acos(x), -9, -1.001), (sp.acosh(x), -9, 0.999),
    (sp.atanh(x), 1, 9), (sp.asec(x), -0.999, 0.999), (sp.acsc(x), -0.999, 0.999),
    (sp.acoth(x), -0.999, 0.999), (sp.asech(x), 1.001, 9), (sp.asech(x), -9, 0),
    (sp.LambertW(x), -9, -0.368), (sp.LambertW(x, -1), 0, 9), (sp.LambertW(x, -1), -9, -0.368),
    (sp.erfinv(x), 1, 9), (sp.erfcinv(x), 2, 9), (sp.loggamma(x), -9, 0), (sp.Ci(x), -9, 0),
    (sp.Chi(x), -9, 0), (sp.li(x), -9, 0), (sp.polylog(2, x), 1.001, 9), (x**sp.pi, -9, 0),
    (sp.hyper((1, sp.S.Half), (sp.Rational(3, 2),), x), 1.001, 9),
]  # fmt: skip


@pytest.mark.parametrize(("e", "low", "high"), OUTSIDE, ids=str)
def test_outside_of_the_domain_no_ball_is_finite(e: sp.Expr, low: float, high: float) -> None:
    program = Program([e], [x])
    with precision(BITS):
        for k in range(1, 300):
            at = arb(low) + (arb(high) - arb(low)) * k / 300
            assert not program([at])[0].is_finite(), at


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7])
def test_power_of_a_ball_around_zero_is_finite_and_holds_the_powers_inside(n: int) -> None:
    with precision(BITS):
        for middle in (0, arb("0.25"), arb("-0.5")):
            value = Program([x**n], [x])([middle + arb(0, 1)])[0]
            assert value.is_finite()
            for k in range(-8, 9):
                inside = arb(k) / 16 + middle
                assert value.contains(inside**n if k or middle != 0 else arb(0))
