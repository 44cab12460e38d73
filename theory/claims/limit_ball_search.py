"""The search for a box that Krawczyk's operator maps into its inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import flint
from flint import arb, fmpq

from theory.claims.replay import Rejected
from theory.claims.replay.limit_balls import System, image
from theory.claims.replay.terms import literal

__all__ = ["solution_box"]

_BITS = 320
_RADII = (-140, -90, -60, -35, -22)


def solution_box(system: System, start: Sequence[Fraction]) -> dict[str, Any]:
    """The precision, the center and the radii of a box that holds a solution.

    Raises
    ------
    Rejected
        When Newton's method finds none.
    """
    before = flint.ctx.prec
    flint.ctx.prec = _BITS
    try:
        center = _newton(system, [arb(fmpq(q.numerator, q.denominator)) for q in start])
        for exponent in _RADII:
            # small next to large unknowns, and not below their rounding
            radii = [arb(2) ** exponent * max(1, math.ceil(float(abs(c).upper()))) for c in center]
            try:
                image(system, center, radii)
            except (Rejected, ArithmeticError):
                continue
            return {
                "bits": _BITS,
                "center": [literal(_fraction(c)) for c in center],
                "radii": [literal(_fraction(r)) for r in radii],
            }
    except ZeroDivisionError as error:
        raise Rejected("a singular matrix") from error
    finally:
        flint.ctx.prec = before
    raise Rejected("no box around the limit")


def _newton(system: System, point: list[arb]) -> list[arb]:
    for _ in range(14):
        step = system.jacobian(point).solve(system.values(point))
        following = [arb((p - step[j, 0]).mid()) for j, p in enumerate(point)]
        if not all(v.is_finite() for v in following):
            return point
        point = following
    return point


def _fraction(v: arb) -> Fraction:
    mantissa, exponent = arb(v.mid()).man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
