"""The complex continuation agrees with the real function, and stops at every cut."""

from __future__ import annotations

import pytest
import sympy as sp
from flint import acb, arb

from tests.exact.containment import CASES, samples, x
from theory.exact.balls import _FUNCTIONS, Program, precision
from theory.exact.complex_balls import _FUNCTIONS as COMPLEX
from theory.exact.complex_balls import ComplexProgram


def test_both_tables_have_the_same_functions() -> None:
    assert set(COMPLEX) == set(_FUNCTIONS)


@pytest.mark.parametrize("name", [n for n in CASES if "erf" not in n or "inv" not in n])
def test_continuation_contains_the_real_values(name: str) -> None:
    case = CASES[name]
    real, complex_ = Program([case.e], [x]), ComplexProgram(case.e, x)
    finite = 0
    with precision(64):
        for _, argument in samples(case, 300, seed=3):
            value = real([argument])[0]
            box = complex_(acb(argument))
            if value.is_finite() and box.is_finite():
                finite += 1
                assert box.real.overlaps(value), (argument, box, value)
                assert box.imag.contains(0), (argument, box)
            # a box around the point, as the quadrature uses it
            fat = complex_(acb(argument + arb(0, "0.01"), arb(0, "0.01")))
            if fat.is_finite() and value.is_finite():
                assert fat.real.overlaps(value)
    assert finite > 120, finite


@pytest.mark.parametrize("name", [n for n in CASES if "erf" not in n or "inv" not in n])
def test_continuation_is_holomorphic_where_it_is_finite(name: str) -> None:
    """The values at the ends of two paths to one complex point agree: no jump on the box."""
    case = CASES[name]
    f = ComplexProgram(case.e, x)
    with precision(64):
        for _, argument in samples(case, 60, seed=4):
            middle = arb(argument.mid())
            for size in ("0.001", "0.1", "2"):
                if not f(acb(middle + arb(0, size), arb(0, size))).is_finite():
                    continue
                # the reflection principle: conjugate points have conjugate values
                up = f(acb(middle, arb(size) / 2))
                down = f(acb(middle, -arb(size) / 2))
                assert up.overlaps(down.conjugate()), (middle, size, up, down)


CUT = [
    (sp.log(x), -1), (sp.sqrt(x), -1), (x**sp.pi, -2), (sp.asin(x), 2), (sp.acos(x), -2),
    (sp.acosh(x), 0), (sp.atanh(x), 3), (sp.Abs(x), 0), (sp.sign(x), 0), (sp.Max(x, 1), 1),
    (sp.Piecewise((x, x > 0), (0, True)), 0), (sp.loggamma(x), -1.5), (sp.Ei(x), 0),
    (sp.Ci(x), -1), (sp.LambertW(x), -1), (sp.LambertW(x, -1), 1), (sp.polylog(2, x), 2),
    (1 / x, 0), (sp.tan(x) + 0 * x, 1.5707963), (sp.acoth(x), 0.5), (sp.li(x), 1),
    (sp.hyper((1, 1), (3,), x), 2),
]  # fmt: skip


@pytest.mark.parametrize(("e", "at"), CUT, ids=str)
def test_box_on_a_cut_is_not_finite(e: sp.Expr, at: float) -> None:
    with precision(64):
        value = ComplexProgram(e, x)(acb(arb(at, "0.001"), arb(0, "0.001")))
    assert not value.is_finite()
