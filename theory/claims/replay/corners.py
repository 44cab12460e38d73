r"""Functions next to a singular end: $f = s^p h$ on $(0, \delta]$ with $|h|$ in a ball.

Each step holds on the whole of $(0, \delta]$, $\delta < 1$, and needs real values there: a
logarithm or a root of what may be negative, and a power of what may vanish, are refused. So f has
values on $(0, \delta]$, and $|\int_0^\delta f\,ds| \le H\,\delta^{p+1}/(p+1)$ for $p > -1$: the
integral exists, for f is measurable and dominated.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import NamedTuple

from flint import arb, fmpq

from theory.claims.replay.coefficients import polynomial, term
from theory.claims.replay.facts import NONNEGATIVE, POSITIVE, ZERO, Context
from theory.claims.replay.germs import is_infinite, moved
from theory.claims.replay.terms import Term, ball, demand, key, mul, number, power, variables

__all__ = ["corner_integral"]

_NAME = "s"
# |log s| <= s^-e/(e e), and exp(-c/s) is O of each power
_LOG_RATE = Fraction(1, 16)
_BEYOND = Fraction(8)
_PI = (('"pi"', 1),)
_ENTIRE = ("sin", "cos", "atan", "erf")
MAX_POWER = 200


class Form(NamedTuple):
    """$s^p h$ with h in the ball."""

    p: Fraction
    h: arb


def _ball(q: Fraction) -> arb:
    return arb(fmpq(q.numerator, q.denominator))


class Corner:
    r"""The half-open interval $(0, \delta]$, where $\delta < 1$ is a rational number."""

    def __init__(self, delta: Fraction) -> None:
        demand(0 < delta < 1, "no corner")
        self.delta = delta
        self.context = Context({_NAME: [0, f"{delta.numerator}/{delta.denominator}"]})

    def _whole(self, f: Form) -> arb:
        """A ball around all values of a bounded form."""
        demand(f.p >= 0, "not bounded")
        return f.h * self._shrinking(f.p)

    def _shrinking(self, p: Fraction) -> arb:
        """A ball around s^p for p >= 0: it is 1, or between 0 and delta^p."""
        if p == 0:
            return arb(1)
        return arb(0).union(_ball(self.delta) ** _ball(p))

    def form(self, t: Term) -> Form:
        """A term as s^p h."""
        found = self._form(t)
        # sin of what has no value is no number between -1 and 1
        demand(found.h.is_finite(), "no bound")
        return found

    def _form(self, t: Term) -> Form:
        if _NAME not in variables(t):
            value = ball(t, {})
            demand(value.is_finite(), "no value")
            return Form(Fraction(0), value)
        if t == _NAME:
            return Form(Fraction(1), arb(1))
        op, args = t[0], t[1:]
        if op == "+":
            return self._sum(t)
        if op == "^":
            return self._power(args[0], args[1])
        parts = [self.form(a) for a in args]
        if op == "*":
            return Form(
                sum((f.p for f in parts), Fraction(0)), prod((f.h for f in parts), start=arb(1))
            )
        demand(len(parts) == 1, f"no form of {op}")
        if op in ("sin", "cos"):
            return self._circular(op, args[0], parts[0])
        return self._function(op, parts[0])

    def _circular(self, op: str, angle: Term, f: Form) -> Form:
        """Without quarter turns, which make sines of cosines."""
        c = polynomial(angle)
        quarters = 2 * c.pop(_PI, Fraction(0))
        if quarters == 0 or quarters.denominator > 1:
            return self._function(op, f)
        k = (int(quarters) + (op == "cos")) % 4
        # cos u = sin(u + pi/2), and sin(u + k pi/2) is sin u, cos u, -sin u, -cos u
        found = self._function("cos" if k % 2 else "sin", self.form(term(c)))
        return Form(found.p, found.h if k < 2 else -found.h)

    def _sum(self, t: Term) -> Form:
        """The terms must have values on their own, but what cancels need not be bounded."""
        parts = [self.form(a) for a in t[1:]]
        other = term(polynomial(t))
        if key(other) != key(t):
            plain = isinstance(other, list) and other[0] == "+"
            parts = [self.form(a) for a in (other[1:] if plain else [other])]
        p = min(f.p for f in parts)
        return Form(p, sum((f.h * self._shrinking(f.p - p) for f in parts), arb(0)))

    def _power(self, base: Term, exponent: Term) -> Form:
        f, q = self.form(base), number(exponent)
        demand(q is not None and abs(q) <= MAX_POWER, "an open or a large power")
        assert q is not None
        if q.denominator == 1:
            demand(q >= 0 or f.h > 0 or f.h < 0, "a power of what may vanish")
            whole = prod([f.h] * abs(int(q)), start=arb(1))
            return Form(f.p * q, whole if q >= 0 else 1 / whole)
        if f.h > 0:
            return Form(f.p * q, f.h ** _ball(q))
        signs = (POSITIVE, NONNEGATIVE, ZERO)
        demand(q > 0 and self.context.sign(base) in signs, "a root of what may be negative")
        largest = arb(abs(f.h).upper())
        return Form(f.p * q, arb(0).union(largest ** _ball(q)) if largest > 0 else arb(0))

    def _function(self, op: str, f: Form) -> Form:
        if op == "exp":
            return self._exponential(f)
        if op == "log":
            return self._logarithm(f)
        if op == "Abs":
            return Form(f.p, abs(f.h))
        demand(op in _ENTIRE, f"no form of {op}")
        if f.p < 0:
            return Form(Fraction(0), arb(0, 2))
        u = self._whole(f)
        if op == "cos" or f.p == 0:
            return Form(Fraction(0), ball([op, "u"], {"u": u}))
        # f(u)/u lies between 0 and its value at zero, 1 or 2/sqrt(pi), or for sin above 1 - u^2/6
        low = 1 - u**2 / 6 if op == "sin" else arb(0)
        high = 2 / arb.pi().sqrt() if op == "erf" else arb(1)
        if op == "atan":
            low = 1 / (1 + u**2)
        return Form(f.p, f.h * arb(low.lower()).union(high))

    def _exponential(self, f: Form) -> Form:
        if f.p >= 0:
            return Form(Fraction(0), self._whole(f).exp())
        # exp(-c s^-r) <= (K/(r c e))^(K/r) s^K
        c, r = arb((-f.h).lower()), -f.p
        demand(c > 0, "a large exponential")
        size = (_ball(_BEYOND / r) / (c * arb(1).exp())) ** _ball(_BEYOND / r)
        return Form(_BEYOND, arb(0).union(size))

    def _logarithm(self, f: Form) -> Form:
        demand(f.h > 0, "the logarithm of what may be negative")
        if f.p == 0:
            return Form(Fraction(0), f.h.log())
        # log(s^p h) = log h + p log s, where 0 <= -s^e log s <= 1/(e e)
        turned = arb(0).union(-_ball(f.p / _LOG_RATE) / arb(1).exp())
        return Form(-_LOG_RATE, f.h.log() * self._shrinking(_LOG_RATE) + turned)


def corner_integral(f: Term, x: str, end: Term, direction: str, delta: Fraction) -> arb:
    """A bound of the integral of |f| between an end and delta, or 1/delta next to an infinity.

    Examples
    --------
    >>> corner_integral(["^", "x", "-1/2"], "x", 0, "+", Fraction(1, 4)) < 1.001
    True
    """
    corner = Corner(delta)
    if is_infinite(end):
        # x = 1/s, or -1/s, where dx = ds/s^2
        there = moved(f, x, end, direction, "t")
        e = mul(_inverted(there), power(_NAME, -2))
    else:
        e = moved(f, x, end, direction, _NAME)
    found = corner.form(e)
    demand(found.p > -1, "the integral may diverge")
    rate = _ball(found.p + 1)
    total = arb(abs(found.h).upper()) * _ball(delta) ** rate / rate
    demand(total.is_finite(), "no bound")
    return arb(total.upper())


def _inverted(t: Term) -> Term:
    if t == "t":
        return power(_NAME, -1)
    return [t[0], *map(_inverted, t[1:])] if isinstance(t, list) else t
