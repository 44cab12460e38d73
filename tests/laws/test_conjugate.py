"""Law: the gradient of the conjugate inverts the gradient, and F* = x xi - F."""

from __future__ import annotations

import mpmath as mp
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.strategies import Case, cases


def point(mirror, shift: mp.mpf):  # type: ignore[no-untyped-def]
    """A point in reach: a step along the curve by its own metric."""
    metric = 1 / mirror.value("hessian", mirror.x0, dps=25)
    return (
        shift * min(mp.mpf(1), (abs(mp.mpf(str(mirror.x0.evalf(25)))) + mp.mpf(1) / 5) / metric) / 4
    )


@settings(max_examples=4)
@given(cases(), st.integers(-9, 9).filter(bool))
def test_conjugate_gradient_inverts_the_gradient(case: Case, tenths: int) -> None:
    mirror = case.mirror()
    with mp.workdps(25):
        xi = point(mirror, mp.mpf(tenths) / 10)
        x = mirror.value("inverse_gradient", xi, dps=25)
        back = mirror.value("gradient", x, dps=25)
        # 22 of 25 digits: x is rounded, and the condition of the pair is moderate here
        assert abs(back - xi) <= mp.mpf(10) ** -22 * (abs(xi) + 1)


@settings(max_examples=4)
@given(cases(), st.integers(-9, 9).filter(bool))
def test_young_equality_holds_on_the_curve(case: Case, tenths: int) -> None:
    mirror = case.mirror()
    with mp.workdps(25):
        xi = point(mirror, mp.mpf(tenths) / 10)
        x = mirror.value("inverse_gradient", xi, dps=25)
        F, conjugate = mirror.value("potential", x, dps=25), mirror.value("conjugate", xi, dps=25)
        assert abs(F + conjugate - x * xi) <= mp.mpf(10) ** -21 * (1 + abs(x * xi))
