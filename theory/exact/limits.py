r"""Limits: by the rules of arithmetic and continuity, or proposed by SymPy and checked.

Where no indeterminate form occurs the limit follows from the limits of the parts, and is proved.
Otherwise SymPy proposes, and ball arithmetic at extreme arguments checks: Arb's exponents are
unbounded, so an expression can be evaluated at $s = 2^{-2^{40}}$. A proposed
limit is accepted only if the expression comes closer and closer to it along such arguments, at
exact sample values of all other symbols. That is a check and not a proof, and the certificate says
so.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy as sp
from flint import arb

from theory.errors import UnsupportedFormula
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.guard import proposal
from theory.exact.signs import sign_on
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
    value = limit_by_rules(e, s, point, direction)
    if value is not None:
        return _accepted(value, "rules of limits and continuity, no indeterminate form")
    if _depends_on_a_sign(e, s):
        return None
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


def _depends_on_a_sign(e: sp.Expr, s: sp.Symbol) -> bool:
    """Whether a power of s has an exponent whose sign is open: its limits are not one formula."""
    return any(
        p.base == s and p.exp.free_symbols and sign_on(p.exp) is None
        for p in e.atoms(sp.Pow)
        if not p.exp.has(s)
    )


def _accepted(value: sp.Expr, method: str) -> CertifiedLimit:
    return CertifiedLimit(value, Certificate("limit", Verdict(Status.PROVED, method), "limit"))


def limit_by_rules(e: sp.Expr, s: sp.Symbol, point: sp.Expr, direction: str) -> sp.Expr | None:
    """The limit by arithmetic of limits and continuity; None at an indeterminate form.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> limit_by_rules(sp.log((1 + u) / (1 - u)), u, sp.S.One, "-")
    oo
    >>> limit_by_rules(u * sp.exp(-u), u, sp.oo, "-") is None
    True
    """
    if s not in e.free_symbols:
        return e if not e.has(sp.oo, -sp.oo, sp.zoo, sp.nan) else None
    if e == s:
        return point

    def inner(a: sp.Expr) -> sp.Expr | None:
        return limit_by_rules(a, s, point, direction)

    def near_sign(a: sp.Expr) -> int | None:
        everywhere = sign_on(a)
        return everywhere or sign_on(a, {s: _neighborhood(point, direction)})

    if e.is_Add:
        return _sum_limit([inner(a) for a in e.args])
    if e.is_Mul:
        return _product_limit([inner(a) for a in e.args])
    if e.is_Pow and not isinstance(e, sp.exp):
        base, exponent = e.args
        if exponent.has(s):
            return None if base.has(s) else inner(sp.exp(exponent * sp.log(base)))
        return _power_limit(base, exponent, inner(base), near_sign)
    if isinstance(e, (sp.tan, sp.cot, sp.sec, sp.csc)):
        return inner(_as_quotient(e))
    rule = _CONTINUOUS.get(e.func)
    if rule is None or len(e.args) != 1:
        return None
    a = inner(e.args[0])
    if a is None:
        return None
    if a in (sp.oo, -sp.oo):
        return rule[0 if a is sp.oo else 1]
    return _at_finite(e.func, a)


def _as_quotient(e: sp.Expr) -> sp.Expr:
    a = e.args[0]
    table = {
        sp.tan: (sp.sin(a), sp.cos(a)),
        sp.cot: (sp.cos(a), sp.sin(a)),
        sp.sec: (sp.S.One, sp.cos(a)),
        sp.csc: (sp.S.One, sp.sin(a)),
    }
    n, d = table[e.func]
    return n * sp.Pow(d, -1, evaluate=False)


# the limits at oo and at -oo; None where there is none, or the function is not defined there
_CONTINUOUS: dict[type, tuple[sp.Expr | None, sp.Expr | None]] = {
    sp.exp: (sp.oo, sp.S.Zero),
    sp.log: (sp.oo, None),
    sp.sin: (None, None),
    sp.cos: (None, None),
    sp.atan: (sp.pi / 2, -sp.pi / 2),
    sp.tanh: (sp.S.One, sp.S.NegativeOne),
    sp.sinh: (sp.oo, -sp.oo),
    sp.cosh: (sp.oo, sp.oo),
    sp.asinh: (sp.oo, -sp.oo),
    sp.acosh: (sp.oo, None),
    sp.atanh: (None, None),
    sp.asin: (None, None),
    sp.acos: (None, None),
    sp.erf: (sp.S.One, sp.S.NegativeOne),
    sp.erfi: (sp.oo, -sp.oo),
    sp.erfinv: (None, None),
    sp.Abs: (sp.oo, sp.oo),
    sp.LambertW: (sp.oo, None),
    sp.Ei: (sp.oo, sp.S.Zero),
}


def _at_finite(f: type, a: sp.Expr) -> sp.Expr | None:
    """The limit of a function whose argument tends to a finite value."""
    if f is sp.log:
        if a == 0:
            # real near the point, so the argument comes from above
            return -sp.oo
        return sp.log(a) if sign_on(a) == 1 else None
    if f in (sp.atanh, sp.erfinv):
        if a == 1 or a == -1:
            return sp.oo * a
        return f(a) if sign_on(1 - a**2) == 1 else None
    if f in (sp.asin, sp.acos):
        return f(a) if a in (1, -1) or sign_on(1 - a**2) == 1 else None
    if f is sp.acosh:
        return f(a) if a == 1 or sign_on(a - 1) == 1 else None
    if f is sp.Ei:
        return -sp.oo if a == 0 else f(a) if sign_on(a) is not None else None
    if f is sp.LambertW:
        return f(a) if a == 0 or sign_on(a) == 1 else None
    value = f(a)
    return None if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo) else value


def _sum_limit(parts: list[sp.Expr | None]) -> sp.Expr | None:
    if any(p is None for p in parts) or (sp.oo in parts and -sp.oo in parts):
        return None
    if sp.oo in parts or -sp.oo in parts:
        return sp.oo if sp.oo in parts else -sp.oo
    return sp.Add(*parts)


def _product_limit(parts: list[sp.Expr | None]) -> sp.Expr | None:
    if any(p is None for p in parts):
        return None
    infinite = [p for p in parts if p in (sp.oo, -sp.oo)]
    if not infinite:
        return sp.Mul(*parts)
    sign = 1
    for p in parts:
        s = sign_on(p) if p not in (sp.oo, -sp.oo) else (1 if p is sp.oo else -1)
        if s is None:
            return None
        sign *= s
    return sp.oo * sign


def _power_limit(
    base: sp.Expr,
    exponent: sp.Expr,
    value: sp.Expr | None,
    near_sign: Callable[[sp.Expr], int | None],
) -> sp.Expr | None:
    sign = sign_on(exponent)
    if value is None or sign is None:
        return None
    odd = bool(exponent.is_Integer and int(exponent) % 2)
    if value in (sp.oo, -sp.oo):
        if value == -sp.oo and not exponent.is_Integer:
            return None
        if sign < 0:
            return sp.S.Zero
        return -sp.oo if value == -sp.oo and odd else sp.oo
    if value == 0:
        if sign > 0:
            return sp.S.Zero
        if exponent.is_Integer and not odd:
            return sp.oo
        side = 1 if not exponent.is_Integer else near_sign(base)
        return None if side is None else sp.oo * side
    side = sign_on(value)
    if side is None or (side < 0 and not exponent.is_Integer):
        return None
    return value**exponent


def _neighborhood(point: sp.Expr, direction: str) -> tuple[sp.Expr, sp.Expr]:
    if point is sp.oo:
        return sp.Integer(1000), sp.oo
    if point == -sp.oo:
        return -sp.oo, sp.Integer(-1000)
    step = sp.Rational(1, 1000)
    return (point, point + step) if direction == "+" else (point - step, point)


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
    # parameters small and large, of both signs where the sign is open, in different orders: a limit
    # that holds for some values of a parameter only must not pass
    spread = (
        sp.Rational(7, 9), sp.Rational(5, 2), sp.Rational(11, 3), sp.Rational(3, 11),
        sp.Integer(1009), sp.Rational(1, 997),
    )  # fmt: skip
    open_sign = any(not (o.is_positive or o.is_negative or o.is_nonnegative) for o in others)
    rounds = 1 if not others else 10 if open_sign else 5
    for k in range(rounds):
        sample = {}
        for i, o in enumerate(others):
            q = spread[(k + i * (1 + k)) % len(spread)] + sp.Rational(i, 17)
            free = not (o.is_positive or o.is_negative or o.is_nonnegative)
            negative = o.is_negative or o.is_nonpositive or (free and (k + i) % 2)
            sample[o] = -q if negative else q
        # arguments off the powers of two, so that a periodic function is not met at its period
        for factor in (sp.S.One, sp.Rational(8, 7), sp.Rational(19, 13)):
            digits = _approach(
                program, target_program, point_program, sample, others, point, direction, value,
                factor,
            )  # fmt: skip
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
    factor: sp.Rational,
) -> int | None:
    distances: list[arb] = []
    sizes: list[arb] = []
    for power in (8, 32, 256, 2048):
        # cancellation of eight orders in s leaves 512 bits
        with precision(8 * power + 512):
            small = arb(2) ** (-power) * rational_ball(factor)
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
