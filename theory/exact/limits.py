r"""Limits: SymPy proposes, ball arithmetic at extreme arguments checks.

Arb's exponents are unbounded, so an expression can be evaluated at $s = 2^{-2^{40}}$. A proposed
limit is accepted only if the expression comes closer and closer to it along such arguments, at
exact sample values of all other symbols. That is a check and not a proof, and the certificate says
so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from flint import arb

from theory.errors import UnsupportedFormula
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.guard import proposal
from theory.exact.verdict import Certificate, Status, Verdict

__all__ = ["CertifiedLimit", "certified_limit"]


@dataclass(frozen=True, slots=True)
class CertifiedLimit:
    """A limit and how it was checked."""

    value: sp.Expr
    certificate: Certificate


def certified_limit(
    e: sp.Expr,
    s: sp.Symbol,
    point: sp.Expr,
    direction: str = "+",
    *,
    seconds: float = 3.0,
) -> CertifiedLimit | None:
    """The limit of e as s tends to a point from one side, or None when none could be checked.

    Parameters
    ----------
    e : sympy.Expr
    s : sympy.Symbol
    point : sympy.Expr
        A number, an expression in other symbols, or an infinity.
    direction : {"+", "-"}
        From above or from below, as in SymPy.

    Examples
    --------
    >>> a = sp.Symbol("a", positive=True)
    >>> certified_limit(sp.atan(1 / a), a, sp.S.Zero).value
    pi/2
    """
    e = sp.sympify(e, strict=True)
    if s not in e.free_symbols:
        return _accepted(e, "does not depend on the variable")
    for candidate in _candidates(e, s, point, direction, seconds):
        digits = _check(e, s, point, direction, candidate)
        if digits is not None:
            verdict = Verdict(
                Status.UNDECIDED,
                "ball arithmetic at extreme arguments approaches the limit",
                digits=digits,
            )
            return CertifiedLimit(candidate, Certificate(f"limit {s} -> {point}", verdict, "limit"))
    return None


def _accepted(value: sp.Expr, method: str) -> CertifiedLimit:
    return CertifiedLimit(value, Certificate("limit", Verdict(Status.PROVED, method), "limit"))


def _candidates(
    e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str, seconds: float
) -> Iterator[sp.Expr]:
    if point not in (sp.oo, -sp.oo):
        value = e.subs(s, point)
        if not value.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
            yield value
    forms = [e, e.rewrite(sp.log), e.rewrite(sp.exp)]
    for form in dict.fromkeys(forms):
        value = proposal(_limit, form, s, point, direction, seconds=seconds)
        if isinstance(value, sp.Expr) and not value.has(
            sp.Limit, sp.nan, sp.zoo, sp.I, sp.AccumBounds
        ):
            yield value
    yield from (sp.oo, -sp.oo, sp.S.Zero)


def _limit(e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str) -> sp.Expr:
    return sp.limit(e, s, point, direction)


def _check(e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str, value: sp.Expr) -> int | None:
    """The digits to which e agrees with a proposed limit near the point, or None."""
    others = sorted((e.free_symbols | point.free_symbols | value.free_symbols) - {s}, key=str)
    worst: int | None = None
    try:
        target_program = Program([sp.S.Zero if value in (sp.oo, -sp.oo) else value], others)
        program = Program([e], [s, *others])
        point_program = Program([sp.S.Zero if point in (sp.oo, -sp.oo) else point], others)
    except UnsupportedFormula:
        return None
    # parameters small and large, in different orders: a limit that holds for some values of a
    # parameter only must not pass
    spread = (sp.Rational(7, 9), sp.Rational(5, 2), sp.Rational(11, 3), sp.Rational(3, 11))
    for k in range(4 if others else 1):
        sample = {
            o: (-1 if o.is_negative else 1) * (spread[(k + i * (1 + k)) % 4] + sp.Rational(i, 17))
            for i, o in enumerate(others)
        }
        digits = _approach(
            program, target_program, point_program, sample, others, point, direction, value
        )
        if digits is None:
            return None
        worst = digits if worst is None else min(worst, digits)
    return worst


def _approach(
    program: Program,
    target_program: Program,
    point_program: Program,
    sample: dict[sp.Symbol, sp.Rational],
    others: list[sp.Symbol],
    point: sp.Expr,
    direction: str,
    value: sp.Expr,
) -> int | None:
    distances: list[arb] = []
    sizes: list[arb] = []
    for power in (8, 32, 256, 2048):
        with precision(4 * power + 256):
            small = arb(2) ** (-power)
            balls = [rational_ball(sample[o]) for o in others]
            if point is sp.oo:
                at = 1 / small
            elif point == -sp.oo:
                at = -1 / small
            else:
                at = point_program(balls)[0] + (small if direction == "+" else -small)
            here = program([at, *balls])[0]
            if not isinstance(here, arb) or not here.is_finite():
                continue
            sizes.append(here)
            distances.append(abs(here - target_program(balls)[0]))
    if len(sizes) < 2:
        # an overflow of the exponent range is a growth that the smaller arguments show as well
        return None
    if value in (sp.oo, -sp.oo):
        signed = sizes if value is sp.oo else [-v for v in sizes]
        growing = all(b > a for a, b in itertools.pairwise(signed))
        return 1 if growing and signed[-1] > 3 * abs(signed[0]) + 3 else None
    with precision(64):
        last = distances[-1]
        scale = abs(sizes[-1]) + abs(distances[0]) + abs(sizes[-1] - distances[-1])
        negligible = scale * arb("1e-40")
        # a wrong value leaves a distance that settles; a right one is approached at least like
        # 1/log, which from one argument to the next means a factor of 8
        for before, after in zip(distances[-3:], distances[-2:], strict=False):
            if not (after <= before * arb("0.25") + negligible):
                return None
        upper = last.upper()
        if upper == 0:
            return 300
        # the exponent of a ball may exceed the range of floats: cap before converting
        digits = -((upper / scale).log() / arb(10).log())
        return 300 if digits > 300 else int(float(digits))
