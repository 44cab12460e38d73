"""What is known of the signs of terms at every point of a domain where they have values."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
from flint import arb

from theory.claims.replay.terms import (
    ODD,
    Term,
    add,
    ball,
    demand,
    key,
    mul,
    number,
    power,
    subterms,
    variables,
)

POSITIVE, NONNEGATIVE, ZERO, NONPOSITIVE, NEGATIVE = 2, 1, 0, -1, -2
BITS = (128, 640, 4096)


class Context:
    """Open intervals of the names, and the facts that are established there.

    On a domain that relations cut out of the intervals, the facts may hold in that part only.
    """

    def __init__(
        self,
        ranges: Mapping[str, Any],
        facts: Mapping[str, int] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.ranges, self.facts, self.cut = dict(ranges), dict(facts or {}), cut

    def box(self) -> Context:
        """The whole of the intervals, which is connected, with what holds there."""
        return Context(self.ranges) if self.cut else self

    def sign(self, t: Term) -> int | None:
        """What is known of the sign of a term, by the facts and by its structure."""
        if (known := self.facts.get(key(t))) is not None:
            return known
        if isinstance(t, str) and t in self.ranges:
            lower, upper = self.ranges[t][:2]
            if lower is not None and self.sign(lower) in (ZERO, NONNEGATIVE, POSITIVE):
                return POSITIVE
            return NEGATIVE if upper is not None and self.sign(upper) in (-2, -1, 0) else None
        demand(isinstance(t, list) or not variables(t), f"no symbol {t}")
        if not variables(t):
            for bits in BITS:
                value = at_precision(bits, t, {})
                if not value.contains(0):
                    return POSITIVE if value > 0 else NEGATIVE if value < 0 else None
            if not isinstance(t, list):
                return ZERO if number(t) == 0 else None
        return self._structure(t[0], t[1:])

    def _structure(self, op: str, args: list[Term]) -> int | None:
        q = number(args[-1])
        if op == "+":
            first = args[0]
            if q == -1 and len(args) == 2 and isinstance(first, list):
                # e^u - 1 and b^r - 1 with r > 0 have the signs of u and b - 1
                r = number(first[2]) if first[0] == "^" else None
                if first[0] == "exp":
                    return self.sign(first[1])
                if r is not None and r > 0 and self.sign(first[1]) == POSITIVE:
                    return self.sign(add(first[1], -1))
            signs = [self.sign(a) for a in args]
            return common_sign(signs) if None not in signs else outweighed(args)
        if op == "*":
            total = POSITIVE
            for a in args:
                if (s := self.sign(a)) is None:
                    return None
                size = min(abs(s), abs(total))
                total = size if s * total > 0 else -size
            return total
        if op == "exp":
            return POSITIVE
        if op == "log":
            return self.sign(add(args[0], -1))
        # not before the sums: asked for twice on each level, it would take 2^depth steps
        s = self.sign(args[0])
        if op == "^":
            if q is None:
                return POSITIVE if s == POSITIVE else None
            if q.denominator > 1:
                # a value exists for a base >= 0 only, and for one > 0 when q < 0
                return POSITIVE if s == POSITIVE or q < 0 else ZERO if s == ZERO else NONNEGATIVE
            if q % 2 == 0:
                return POSITIVE if s in (2, -2) or q < 0 else NONNEGATIVE if q > 0 else None
            return s if q > 0 or not s else POSITIVE if s > 0 else NEGATIVE
        if op == "Abs":
            return NONNEGATIVE if s is None else abs(s)
        return s if op in ODD else POSITIVE if op == "gamma" and s == POSITIVE else None

    def regular(self, t: Term, given: frozenset[str] = frozenset(), poles: bool = False) -> bool:
        """Whether t is analytic everywhere on the domain, where the given terms have values.

        With `poles`, integer powers of analytic functions may have them: zero near one point,
        the numerator then is zero everywhere.
        """
        if not isinstance(t, list) or key(t) in given:
            return True
        op, args, q = t[0], t[1:], number(t[-1])
        whole = op == "^" and q is not None and q.denominator == 1
        # a root of a square of a pole, (x^-2)^(1/2), is not analytic: poles stay outside
        poles = poles and (whole or op in ("+", "*"))
        if not all(self.regular(a, given, poles) for a in args):
            return False
        if op in ("+", "*", "exp", "sin", "cos", "atan", "erf", "erfi", "Si", "Shi"):
            return True
        s = self.sign(args[0])
        if whole:
            return (q or 0) >= 0 or poles or s in (POSITIVE, NEGATIVE)
        if op in ("Abs", "sign", "Ei"):
            return s in (POSITIVE, NEGATIVE)
        if op in ("asin", "erfinv"):
            return self.sign(add(1, mul(-1, power(args[0], 2)))) == POSITIVE
        return op in ("^", "log", "Ci", "Chi", "gamma", "LambertW") and s == POSITIVE


def common_sign(signs: list[int | None]) -> int | None:
    """The sign of a sum of terms with these signs."""
    known = [s for s in signs if s is not None]
    one_side = len(known) == len(signs) and (min(known) >= 0 or max(known) <= 0)
    return max(known, key=abs) if one_side else None


def outweighed(args: list[Term]) -> int | None:
    """The sign of a number that is at least as large as the amplitudes of sines and cosines."""
    total, amplitude = number(args[-1]), Fraction(0)
    for a in args[:-1]:
        q, f = (number(a[1]), a[2:]) if a[0] == "*" else (Fraction(1), [a])
        if total is None or q is None or len(f) != 1 or f[0][0] not in ("sin", "cos"):
            return None
        amplitude += abs(q)
    if total is None or abs(total) < amplitude:
        return None
    return (1 if total > 0 else -1) * (1 + (abs(total) > amplitude))


def sum_of(t: Term, parts: list[Term]) -> bool:
    """Whether a sum has the terms of these parts, in any order."""
    return sorted(map(key, add(t, "pi")[1:])) == sorted(map(key, add(*parts, "pi")[1:]))


def at_precision(bits: int, t: Term, env: Mapping[str, Term], radius: int | None = None) -> arb:
    """The ball of a term at a point of constant terms, or on a box around it."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        blur = arb(0, 0 if radius is None else arb(2) ** -radius)
        return ball(t, {name: ball(value, {}) + blur for name, value in env.items()})
    finally:
        flint.ctx.prec = before


def undefined(context: Context, t: Term, poles: bool = True) -> bool:
    """Whether some part has no real value: the log or root of what is below 0, asin beyond 1.

    With `poles` also 1/0 and log 0. Without, t is a number, and a part of a pole does not count.
    """
    for a in subterms(t):
        # whatever is true of the sign of 1/0, for it has no value
        if not isinstance(a, list) or not (poles or at_precision(BITS[1], a[1], {}).is_finite()):
            continue
        s, q = context.sign(a[1]), number(a[-1])
        if a[0] in ("log", "^"):
            whole = a[0] == "^" and (q is None or q.denominator == 1)
            below = s == NEGATIVE and not whole
            pole = a[0] == "log" or (q or 0) < 0 or (q is None and context.sign(a[2]) == NEGATIVE)
            if below or (poles and s == ZERO and pole):
                return True
        arc = a[0] in ("asin", "erfinv")
        if arc and context.sign(add(1, mul(-1, power(a[1], 2)))) == NEGATIVE:
            return True
    return False
