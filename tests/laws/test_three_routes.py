"""Law: closed form, parametric form and Taylor series give the same values."""

from __future__ import annotations

import mpmath as mp
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.strategies import Case, cases


@settings(max_examples=6)
@given(
    cases(("u**2", "u**3", "exp(u)", "sinh(u)", "u**2 - v**2", "u*v", "u**4 - v**4")),
    st.integers(-9, 9).filter(bool),
)
def test_closed_and_parametric_forms_agree_with_the_series(case: Case, tenths: int) -> None:
    mirror = case.mirror()
    curve = mirror.parametric
    s0 = curve.s_start
    # a small step of the curve's own parameter
    s = s0 + sp.Rational(tenths, 200) * (sp.Abs(s0) if s0 != 0 else 1)
    with mp.workdps(30):
        x = sp.N(curve.x.subs(curve.s, s), 40)
        dual = sp.N(curve.dual.subs(curve.s, s), 40)
        # dps above what a closed form is asked for: the series is used where none exists
        value = mirror.value("gradient", sp.Rational(str(x)), dps=25)
        assert abs(value - mp.mpf(str(dual))) < mp.mpf(10) ** -21 * (1 + abs(value))
    closed = mirror.closed
    if closed.gradient is not None:
        exact = sp.N(closed.gradient.subs(closed.x, sp.Rational(str(x))), 30)
        assert abs(exact - dual) < 1e-21 * (1 + abs(dual))
    if closed.inverse_gradient is not None:
        exact = sp.N(closed.inverse_gradient.subs(closed.xi, sp.Rational(str(dual))), 30)
        assert abs(exact - x) < 1e-21 * (1 + abs(x))
