"""One coordinate of a gradient flow and one of its values: whether it is reached, and F' there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import mpmath
import sympy as sp
from flint import arb

from theory.errors import TheoryError
from theory.exact.balls import enclose as ball_of
from theory.exact.balls import precision, sign_of_number
from theory.exact.limits import certified_limit
from theory.exact.signs import is_analytic
from theory.exact.trajectory import enclose_field
from theory.exact.zero import is_zero
from theory.flow.parametrization import Elementwise
from theory.mirror.mirror_flow import MirrorFlow, mirror_flow

__all__ = ["Coordinate"]

_DIGITS = 40
_WIDTH = sp.Rational(1, 10**28)
"""Relative width of the enclosure of F'(x)."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A value x of the coordinate that starts at given parameters.

    Parameters
    ----------
    rho : Elementwise
        Without constants.
    start : mapping from parameter to its exact start
    x : sympy.Expr
        An exact number.
    """

    rho: Elementwise
    start: Mapping[sp.Symbol, sp.Expr]
    x: sp.Expr

    @property
    def key(self) -> tuple[sp.Expr, ...]:
        """What F'(x) depends on."""
        return (*(self.start[s] for s in self.rho.parameters), self.x)

    @cached_property
    def mirror(self) -> MirrorFlow:
        """The mirror flow from the start."""
        return mirror_flow(self.rho, self.start)

    @cached_property
    def rests(self) -> bool:
        """Whether x is exactly the start, where F' = 0."""
        gap = self.x - self.mirror.x0
        if gap == 0:
            return True
        return sign_of_number(gap, max_bits=256) is None and is_zero(gap).proved

    @cached_property
    def beyond(self) -> bool:
        """Whether x is proved to lie outside of the closure of what the flow reaches."""
        ends = self.mirror.ends
        for side, end, proved in zip((-1, 1), ends.x, ends.proved, strict=True):
            if end is None or not proved or end.is_finite is not True:
                continue
            if sign_of_number(side * (self.x - end)) == 1:
                return True
        return False

    @cached_property
    def dual(self) -> arb | None:
        r"""A ball around F'(x); None when x was not proved to be reached.

        x increases strictly along $d\theta/d\xi = P\nabla\rho(\theta)$: values of $\xi$ with x
        below and above, in an enclosure of this curve, enclose F'(x) and prove that x is reached.
        """
        if self.rests:
            return arb(0)
        try:
            middle = self.mirror.value("gradient", self.x, dps=_DIGITS)
        except TheoryError:
            return None
        guess = sp.Rational(mpmath.nstr(middle, _DIGITS, min_fixed=0, max_fixed=0))
        if guess == 0:
            return None
        sign = 1 if guess > 0 else -1
        low, high = (abs(guess) * (1 + side * _WIDTH) for side in (-1, 1))
        rho = self.rho
        field = [sign * p * d for p, d in zip(rho.rates, rho.gradient(), strict=True)]
        positive = [
            side * (s - end)
            for s, ends in rho.ranges.items()
            if s in rho.parameters
            for end, side in zip(ends, (1, -1), strict=True)
            if end.is_finite
        ]
        try:
            run = enclose_field(
                field, rho.parameters, [self.start[s] for s in rho.parameters], high,
                positive=positive, bits=256, order=32,
            )  # fmt: skip
            if not run.success:
                return None
            before, after = (run.value(rho.formula, t) for t in (low, high))
        except TheoryError:
            return None
        with precision(256):
            x = ball_of(self.x, {})
            if not (sign * (x - before) > 0 and sign * (after - x) > 0):
                return None
            return (sign * ball_of(low, {})).union(sign * ball_of(high, {}))

    def exact_dual(self) -> sp.Expr | None:
        """F'(x) in closed form, when it is proved."""
        closed = self.mirror.closed_in_x
        if closed.gradient is None or self.dual is None:
            return None
        if not all(c.proved for c in (*self.mirror.curve.proofs, *closed.certificates)):
            return None
        value = closed.gradient.subs(closed.x, self.x)
        with precision(256):
            found = ball_of(value, {})
            return value if found.is_finite() and found.overlaps(self.dual) else None

    @cached_property
    def confined(self) -> bool:
        r"""Whether $F^*(\xi) - x\,\xi$ is proved to tend to infinity at both ends of the curve.

        It is convex with its minimum at F'(x), hence does so where $\xi$ is infinite. Where $\xi$
        ends at a finite value, x must be infinite there, and $F^*$ too.
        """
        mirror = self.mirror
        ends = mirror.ends
        if not (mirror.is_legendre.proved and all(ends.proved)):
            return False
        if not all(c.proved for c in mirror.curve.proofs):
            return False
        if all(end is not None and end.is_finite for end in ends.x):
            # Legendre type says that xi is infinite at both
            return True
        closed = mirror.closed_in_xi
        k, lower, upper = closed.inverse_gradient, *ends.dual
        if k is None or lower is None or upper is None:
            return False
        if not all(c.proved for c in closed.certificates):
            return False
        # where x = k(xi) is analytic the curve cannot have ended at an infinite x
        if not is_analytic(k, ranges={closed.xi: (lower, upper)}, meromorphic=False):
            return False
        for x, dual, direction in zip(ends.x, (lower, upper), ("+", "-"), strict=True):
            if x is None or x.is_finite or not dual.is_finite:
                continue
            if closed.conjugate is None:
                return False
            found = certified_limit(closed.conjugate, closed.xi, dual, direction)
            if found is None or not found.certificate.proved or found.value is not sp.oo:
                return False
        return True
