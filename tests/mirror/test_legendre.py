"""Ends of the dual curve: reach, domain of the dual variable, Legendre type."""

from __future__ import annotations

import pytest
import sympy as sp

from theory.flow.parametrization import Elementwise
from theory.mirror.mirror_flow import mirror_flow

oo, pi = sp.oo, sp.pi
# formula, start, reach of x, interval of xi, Legendre type
CASES = {
    "u": ({"u": 0}, (-oo, oo), (-oo, oo), True),
    "u**2": ({"u": 1}, (0, oo), (-oo, oo), True),
    "u**3": ({"u": 1}, (0, oo), (-oo, sp.Rational(1, 3)), True),
    "u**(3/2)": ({"u": 1}, (0, oo), (-sp.Rational(4, 3), oo), False),
    "exp(u)": ({"u": 0}, (0, oo), (-oo, 1), True),
    "sinh(u)": ({"u": 0}, (-oo, oo), (-pi / 2, pi / 2), True),
    "sin(u)": ({"u": 0}, (-1, 1), (-oo, oo), True),
    "tanh(u)": ({"u": 0}, (-1, 1), (-oo, oo), True),
    "atan(u)": ({"u": 0}, (-pi / 2, pi / 2), (-oo, oo), True),
    "asin(u)": ({"u": 0}, (-pi / 2, pi / 2), (-pi / 4, pi / 4), False),
    "log(u)": ({"u": 1}, (-oo, oo), (-sp.Rational(1, 2), oo), True),
    "asinh(tan(u))": ({"u": 0}, (-oo, oo), (-1, 1), True),
    "u**2 - v**2": ({"u": 1, "v": 1}, (-oo, oo), (-oo, oo), True),
    "u**3 - v**3": ({"u": 1, "v": 1}, (-oo, oo), (-sp.Rational(1, 3), sp.Rational(1, 3)), True),
    "u**4 - v**4": ({"u": 1, "v": 1}, (-oo, oo), (-sp.Rational(1, 8), sp.Rational(1, 8)), True),
    "exp(u) - exp(v)": ({"u": 1, "v": -1}, (-oo, oo), (-sp.E, sp.exp(-1)), True),
    "u*v": ({"u": 1, "v": 1}, (0, oo), (-oo, oo), True),
    "u + v": ({"u": 1, "v": 1}, (-oo, oo), (-oo, oo), True),
    "u*v/(1 + u*v)": ({"u": 1, "v": 2}, (-oo, 1), None, True),
}


@pytest.mark.parametrize("formula", CASES)
def test_reach_is_never_wrong(formula: str) -> None:
    start, reach, _, _ = CASES[formula]
    for end, expected in zip(
        mirror_flow(Elementwise(formula, ", ".join(start)), start).reach, reach
    ):
        assert end is None or end == expected or sp.simplify(end - expected) == 0


@pytest.mark.parametrize("formula", [f for f in CASES if CASES[f][2] is not None])
def test_interval_of_the_dual_variable_is_never_wrong(formula: str) -> None:
    start, _, dual, _ = CASES[formula]
    mirror = mirror_flow(Elementwise(formula, ", ".join(start)), start)
    for end, expected in zip(mirror.domain, dual, strict=True):
        assert end is None or end == expected or sp.simplify(end - expected) == 0


@pytest.mark.parametrize("formula", CASES)
def test_legendre_verdict_is_never_wrong(formula: str) -> None:
    start, _, _, legendre = CASES[formula]
    verdict = mirror_flow(Elementwise(formula, ", ".join(start)), start).is_legendre
    assert not (verdict.refuted if legendre else verdict.proved)


@pytest.mark.parametrize("formula", ["u**2", "sin(u)", "u**2 - v**2", "sinh(u)", "exp(u)"])
def test_legendre_type_of_the_table_is_proved(formula: str) -> None:
    start = CASES[formula][0]
    assert mirror_flow(Elementwise(formula, ", ".join(start)), start).is_legendre.proved
