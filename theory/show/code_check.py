"""Generated code against the mirror flow's own values, before the code is handed out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy as sp

from theory.errors import DomainError, TheoryError
from theory.exact.balls import sign_of_number
from theory.mirror.mirror_flow import MirrorFlow

if TYPE_CHECKING:
    from theory.show.code import Source

__all__ = ["check"]

RTOL = 1e-10
_EXPONENTS = (-9, -4, -1, 0, 1, 4, 9)


def check(mirror: MirrorFlow, source: Source) -> None:
    """Compare regularizer and gradient on a signed logarithmic grid around the start.

    Raises
    ------
    TheoryError
        When a relative error is above 1e-10.
    """
    tested = 0
    for constants in _constants(mirror, source):
        floats = {s: float(v) for s, v in constants.items()}
        for x in _grid(mirror, constants):
            for kind in ("potential", "gradient"):
                try:
                    true = float(mirror.value(kind, x, dps=20, at=constants))
                except DomainError:
                    continue
                got = float(source.evaluate(kind, float(x), floats))
                if abs(true) < 1e-290 or abs(true) > 1e290:
                    continue
                tested += 1
                if not abs(got - true) <= (RTOL + _conditioning(x, mirror, constants)) * abs(true):
                    where = ", ".join(f"{s.name} = {v}" for s, v in constants.items())
                    raise TheoryError(
                        f"The closed {kind} loses its digits in double precision: {got!r} instead "
                        f"of {true!r} at x = {float(x)!r} {where}. Use mirror.value({kind!r}, x)."
                    )
    if not tested:
        raise TheoryError("No point was found at which the generated code can be checked.")


def _conditioning(
    x: sp.Rational, mirror: MirrorFlow, constants: dict[sp.Symbol, sp.Rational]
) -> float:
    """Relative error of (x - x_0)**2 from the rounding of x_0 alone, with a margin of 16."""
    x0 = mirror.x0.subs(constants)
    return float(16 * abs(x0) / abs(x - x0)) * 2.3e-16


def _constants(mirror: MirrorFlow, source: Source) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    free = set(source.constants).union(*(e.free_symbols for e in mirror.start))
    free |= set(mirror.rho.constants)
    symbols = sorted(free, key=lambda s: s.name)
    for i in range(4 if symbols else 1):
        out: dict[sp.Symbol, sp.Rational] = {}
        for j, s in enumerate(symbols):
            lower, upper = mirror.rho.ranges.get(s, (-sp.oo, sp.oo))
            if lower.is_Rational and upper.is_Rational:
                value = lower + (upper - lower) * sp.Rational(i + 1, 7)
            elif lower.is_Rational:
                value = lower + sp.Rational(1 + i, 2)
            elif s.is_integer:
                value = sp.Integer(i + 1)
            else:
                value = sp.Rational(5 + j, 4) * sp.Rational(10) ** (0, -3, -8, 4)[i]
            # floats and exact values must be the same numbers
            out[s] = -sp.Rational(float(value)) if s.is_negative else sp.Rational(float(value))
        yield out


def _grid(mirror: MirrorFlow, constants: dict[sp.Symbol, sp.Rational]) -> Iterator[sp.Rational]:
    x0 = mirror.x0.subs(constants)
    scale = sp.Rational(float(abs(x0))) if x0 != 0 else sp.S.One
    ends = [None if e is None else e.subs(constants) for e in mirror.reach]
    for exponent in _EXPONENTS:
        for side in (1, -1):
            x = sp.Rational(float(x0 + side * scale * sp.Rational(10) ** exponent))
            inside = x != x0
            for sign, end in ((1, ends[0]), (-1, ends[1])):
                if end is not None and end not in (sp.oo, -sp.oo):
                    inside = inside and sign_of_number(sign * (x - end)) == 1
            if inside:
                yield x
