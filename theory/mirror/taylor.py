r"""The dual curve to any precision: Taylor steps in ball arithmetic.

$d\theta/d\xi = P\nabla\rho(\theta)$ is expanded as a power series at every step (one more correct
coefficient per Picard sweep), and a step is as long as the last coefficients allow. A given x is
met by Newton's method on the series of $x(\xi)$, which is increasing. Rounding is tracked by Arb;
the truncation error is controlled by the step length, and every result is computed twice, with
different orders and precisions, which must agree.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy as sp
from flint import arb, arb_series

from theory.errors import DomainError, StartError
from theory.exact.balls import Program, precision, series_length
from theory.flow.parametrization import Elementwise

__all__ = ["CurvePoint", "curve_at_dual", "curve_at_x"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the dual curve: parameters, x, xi, F* and the metric M, as balls."""

    theta: tuple[arb, ...]
    x: arb
    dual: arb
    conjugate: arb
    metric: arb


class _Curve:
    """The right-hand side of the curve, compiled for balls and series."""

    def __init__(self, rho: Elementwise, constants: Mapping[sp.Symbol, arb]) -> None:
        self.size = len(rho.parameters)
        self.values = list(constants.values())
        symbols = [*rho.parameters, *constants]
        gradient = rho.gradient()
        velocity = [p * g for p, g in zip(rho.rates, gradient, strict=True)]
        metric = sp.Add(*(v * g for v, g in zip(velocity, gradient, strict=True)))
        self._velocity = Program(velocity, symbols)
        self._observables = Program([rho.formula, metric], symbols)

    def velocity(self, theta: Sequence[Any]) -> list[Any]:
        """p_j d_j rho."""
        return self._velocity([*theta, *self.values])

    def observables(self, theta: Sequence[Any]) -> tuple[Any, Any]:
        """X and M."""
        x, metric = self._observables([*theta, *self.values])
        return x, metric

    def expand(self, theta: Sequence[arb], order: int) -> list[arb_series]:
        """The Taylor series of theta in xi."""
        state = [arb_series([t]) for t in theta]
        for n in range(1, order + 1):
            with series_length(n):
                rates = [_series(v) for v in self.velocity(state)]
            with series_length(n + 1):
                state = [r.integral() + t for r, t in zip(rates, theta, strict=True)]
        return state


def _series(value: object) -> arb_series:
    return value if isinstance(value, arb_series) else arb_series([value])


def _value(series: arb_series, h: arb) -> arb:
    coefficients = series.coeffs()
    total = arb(0)
    for c in reversed(coefficients):
        total = total * h + c
    return total


def _step_length(series: Sequence[arb_series], order: int, bits: int) -> arb | None:
    """A dyadic step for which the last terms are below 2^-bits relative to the leading ones."""
    best: int | None = None
    for s in series:
        coefficients = s.coeffs()
        scale = arb(0)
        for c in coefficients[:2]:
            size = abs(c).upper()
            scale = size if size > scale else scale
        lead = 0 if scale == 0 else _log2(scale)
        # a series in every fourth power has gaps: look at more than the last coefficient
        for n in range(order - 7, order + 1):
            if n < len(coefficients):
                size = abs(coefficients[n]).upper()
                if size == 0:
                    continue
                if not size.is_finite():
                    return None
                exponent = (lead - bits - 2 - _log2(size)) // n
                best = exponent if best is None else min(best, exponent)
    if best is None:
        best = 64
    return arb(2) ** best


def _log2(value: arb) -> int:
    mantissa, exponent = value.man_exp()
    return int(exponent) + int(mantissa).bit_length()


def _integrate(
    curve: _Curve, theta: Sequence[arb], target: arb, *, bits: int, order: int, to_x: bool
) -> CurvePoint:
    theta = [arb(t.mid()) for t in theta]
    dual, conjugate = arb(0), arb(0)
    x, metric = curve.observables(theta)
    tiny = arb(2) ** (-bits - 8)
    # x = 0 is met relative to where the curve comes from
    size = abs(target) + (abs(x) if to_x else 0)
    deadline = time.monotonic() + TIME_LIMIT
    idle, origin = 0, x
    while True:
        left = target - (x if to_x else dual)
        if left.contains(0) or abs(left) <= size * tiny:
            return CurvePoint(tuple(theta), x, dual, conjugate, metric)
        if time.monotonic() > deadline:
            raise DomainError(
                f"The dual curve did not reach the asked value in {TIME_LIMIT:g} s: it is out of "
                "reach, or extremely far from the start."
            )
        forward = left > 0
        series = curve.expand(theta, order)
        with series_length(order + 1):
            x_series = _series(curve.observables(series)[0])
        if not all(c.is_finite() for s in (*series, x_series) for c in s.coeffs()):
            raise DomainError(
                "The dual curve leaves the domain of the formula before the asked value is reached."
            )
        h = _step_length([*series, x_series], order, bits)
        if h is None or h < (abs(dual) + tiny) * tiny * tiny:
            raise DomainError("The dual curve ends before the asked value is reached.")
        h = h if forward else -h
        if to_x:
            there = _value(x_series, h)
            if (there > target) if forward else (there < target):
                h = _solve(x_series, target, h)
        elif abs(left) < abs(h):
            h = arb(left.mid())
        # the values go on as exact midpoints: the error is controlled by the second run
        theta = [arb(_value(s, h).mid()) for s in series]
        with series_length(order + 2):
            conjugate = arb((conjugate + _value(x_series.integral(), h)).mid())
        dual = arb((dual + h).mid())
        before = x
        x, metric = curve.observables(theta)
        # x settles while xi goes on: the asked value lies beyond the end of the reachable interval
        settled = abs(x - before) < abs(left) * arb("1e-6") and abs(x - before) < abs(
            x - origin
        ) * arb("1e-3")
        idle = idle + 1 if to_x and settled else 0
        if idle > 200:
            raise DomainError(
                f"x = {target.str(8, radius=False)} is out of reach of the curve: x settles at "
                f"{x.str(8, radius=False)} as xi grows."
            )


def _solve(series: arb_series, target: arb, far: arb) -> arb:
    """The step at which an increasing series takes a value between its start and `far`."""
    slope = series.derivative()
    low, high = (arb(0), far) if far > 0 else (far, arb(0))
    h = (low + high) / 2
    for _ in range(200):
        value = _value(series, h) - target
        if value.contains(0):
            break
        if value > 0:
            high = h
        else:
            low = h
        step = arb((h - value / _value(slope, h)).mid())
        following = step if low < step < high else arb(((low + high) / 2).mid())
        if following == h:
            break
        h = following
    return h


TIME_LIMIT = 20.0
"""Seconds that one integration of the dual curve may take."""


def _run(
    rho: Elementwise,
    start: Sequence[sp.Expr],
    constants: Mapping[sp.Symbol, sp.Expr],
    target: sp.Expr,
    digits: int,
    to_x: bool,
) -> CurvePoint:
    def once(bits: int, order: int) -> CurvePoint:
        with precision(bits + bits // 4 + 64):
            values = {c: Program([v], [])([])[0] for c, v in constants.items()}
            symbols = list(values)
            balls = [values[c] for c in symbols]
            theta = Program(list(start), symbols)(balls)
            goal = Program([target], symbols)(balls)[0]
            curve = _Curve(rho, values)
            x0, metric = curve.observables(theta)
            if not x0.is_finite() or not metric.is_finite():
                raise StartError("The start is outside of the domain of the formula.")
            if metric.contains(0):
                raise StartError("The flow is stuck at the start: the gradient is zero there.")
            return _integrate(curve, theta, goal, bits=bits, order=order, to_x=to_x)

    bits = int((digits + 5) * 3.3219281) + 4
    order = max(20, int(digits * 0.9) + 10)
    first = once(bits, order)
    second = once(bits + 16, order + 5)
    with precision(bits + 64):
        tolerance = arb(10) ** (-digits) * 8
        pairs = [(first.dual, second.dual), (first.conjugate, second.conjugate)]
        # the target itself is met in both runs
        pairs += [(first.metric, second.metric)] + ([] if to_x else [(first.x, second.x)])
        for a, b in pairs:
            if not abs(a - b) <= abs(b) * tolerance:
                raise DomainError("Two Taylor integrations of the dual curve do not agree.")
    return second


def curve_at_x(
    rho: Elementwise,
    start: Sequence[sp.Expr],
    x: sp.Expr,
    *,
    digits: int,
    constants: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> CurvePoint:
    """The point of the dual curve with the given x, to so many digits.

    Raises
    ------
    DomainError
        When x is out of reach of the curve.
    """
    return _run(rho, start, constants or {}, x, digits, True)


def curve_at_dual(
    rho: Elementwise,
    start: Sequence[sp.Expr],
    xi: sp.Expr,
    *,
    digits: int,
    constants: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> CurvePoint:
    """The point of the dual curve with the given dual variable."""
    return _run(rho, start, constants or {}, xi, digits, False)


def to_mpf(value: arb, digits: int) -> mpmath.mpf:
    """A ball's midpoint as an mpmath number."""
    with mpmath.workdps(digits + 10):
        mantissa, exponent = value.mid().man_exp()
        out = mpmath.mpf(int(mantissa)) * mpmath.power(2, int(exponent))
    with mpmath.workdps(digits):
        return +out
