r"""Enclosures of the solution of $y' = f(y)$ by Taylor's formula in Arb, step by step.

One step of length h from a box [y], with a box B around it: if

$$ \sum_{k<p} c_k([y])\,[0, h^k] + c_p(B)\,[0, h^p] \subset \operatorname{int} B , $$

$c_k(y)$ the Taylor coefficients of the solution through y, then every solution from [y] exists up
to h and stays in B. For f is analytic on B, where its coefficients are finite; up to the first exit
from B Taylor's formula holds in each component, with the remainder $c_p(\eta)\,s^p$ for some
$\eta$ in B, and so the solution lies in the interior of B at its exit. At h it is in
$\sum_{k<p} c_k([y])\,h^k + c_p(B)\,h^p$.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import flint
from flint import arb, arb_series, fmpq

from theory.claims.replay.terms import Rejected, Term, ball, demand, number

__all__ = ["Field", "Stretch", "advance", "taylor_setting"]

MAX_ORDER, MAX_BITS = 80, 2_000
_SERIES = ("exp", "sin", "cos", "atan", "asin", "erf", "erfi")
_WIDENINGS = 6


@contextmanager
def taylor_setting(bits: int, order: int) -> Iterator[None]:
    """The precision of balls and the length of series."""
    demand(type(bits) is int and 32 <= bits <= MAX_BITS, "no precision")
    demand(type(order) is int and 2 <= order <= MAX_ORDER, "no order")
    before = flint.ctx.prec, flint.ctx.cap
    flint.ctx.prec, flint.ctx.cap = bits, order + 1
    try:
        yield
    finally:
        flint.ctx.prec, flint.ctx.cap = before


def _constant(s: arb_series) -> arb:
    return s[0]


def _series(t: Term, env: Mapping[str, arb_series], known: dict[int, arb_series]) -> arb_series:
    """The Taylor series of a term along a curve; refused where it may not be analytic.

    Terms that are one object are one series; the terms of a field outlive `known`.
    """
    if not isinstance(t, list):
        q = number(t)
        if q is not None:
            return arb_series([arb(fmpq(q.numerator, q.denominator))])
        return arb_series([arb.pi()]) if t == "pi" else env[t]
    if id(t) not in known:
        known[id(t)] = _applied(t, [_series(a, env, known) for a in t[1:]])
    return known[id(t)]


def _applied(t: Term, args: list[arb_series]) -> arb_series:
    if t[0] == "+":
        return sum(args, arb_series([0]))
    if t[0] == "*":
        return math.prod(args, start=arb_series([1]))
    u = args[0]
    if t[0] == "^":
        return _power(u, number(t[2]), args[1])
    if t[0] in _SERIES:
        if t[0] == "asin":
            demand(abs(_constant(u)) < 1, "an arc sine near its end")
        return getattr(u, t[0])()
    if t[0] == "log":
        return _logarithm(u)
    demand(t[0] in ("Abs", "sign"), f"no series of {t[0]}")
    demand(_constant(u) > 0 or _constant(u) < 0, "a sign that may change")
    one = arb_series([1 if _constant(u) > 0 else -1])
    return one if t[0] == "sign" else one * u


def _power(u: arb_series, q: Any, exponent: arb_series) -> arb_series:
    if q is None or q.denominator > 1:
        return (exponent * _logarithm(u)).exp()
    n = int(q)
    demand(abs(n) <= 300, "a large power")
    if n < 0:
        demand(not _constant(u).contains(0), "a pole")
        u = u.inv()
    total = arb_series([1])
    for _ in range(abs(n)):
        total = total * u
    return total


def _logarithm(u: arb_series) -> arb_series:
    demand(_constant(u) > 0, "a logarithm or root of what may not be positive")
    return u.log()


@dataclass(frozen=True)
class Field:
    """A vector field, and what must be positive where it is meant."""

    names: tuple[str, ...]
    rates: tuple[Term, ...]
    positive: tuple[Term, ...]

    def taylor(self, box: Sequence[arb], order: int) -> list[list[arb]]:
        """The coefficients 0, ..., order of the solutions through a box."""
        rows = [[b] for b in box]
        for k in range(order):
            env = {x: arb_series(row) for x, row in zip(self.names, rows, strict=True)}
            known: dict[int, arb_series] = {}
            for row, rate in zip(rows, self.rates, strict=True):
                row.append(_series(rate, env, known)[k] / (k + 1))
        demand(all(c.is_finite() for row in rows for c in row), "no finite coefficients")
        return rows

    def env(self, box: Sequence[arb]) -> dict[str, arb]:
        return dict(zip(self.names, box, strict=True))


@dataclass(frozen=True)
class Stretch:
    """The boxes of one step: where all solutions stay, and where they are at its end."""

    during: list[arb]
    after: list[arb]


def _sum(rows: list[list[arb]], powers: Sequence[arb]) -> list[arb]:
    return [sum((c * p for c, p in zip(row, powers, strict=True)), arb(0)) for row in rows]


def advance(field: Field, box: Sequence[arb], length: arb, order: int) -> Stretch:
    """One step; refused when no box B of a few is proved to hold the solutions.

    Examples
    --------
    >>> growth = Field(("y",), ("y",), ())
    >>> with taylor_setting(64, 12):
    ...     advance(growth, [arb(1)], arb(1) / 4, 12).after[0].overlaps((arb(1) / 4).exp())
    True
    """
    demand(length > 0, "no length of a step")
    rows = [row[:order] for row in field.taylor(box, order - 1)]
    powers = [length**k for k in range(order + 1)]
    spans = [arb(1), *(arb(0).union(p) for p in powers[1:])]
    over = _sum(rows, spans[:order])
    # the first guess of the remainder is that of the box itself
    tail = [row[order] for row in field.taylor(over, order)]
    for widening in range(_WIDENINGS):
        factor = arb(2) ** (widening + 1)
        around = [
            s + arb(0, 1) * (abs(c * powers[order]).upper() * factor + _speck(s))
            for s, c in zip(over, tail, strict=True)
        ]
        try:
            rest = [row[order] for row in field.taylor(around, order)]
        except Rejected:
            break
        inside = [s + c * spans[order] for s, c in zip(over, rest, strict=True)]
        if all(b.contains_interior(i) for b, i in zip(around, inside, strict=True)):
            env = field.env(around)
            demand(all(ball(p, env) > 0 for p in field.positive), "the domain may be left")
            end = _sum(rows, powers[:order])
            after = [e + c * powers[order] for e, c in zip(end, rest, strict=True)]
            return Stretch(around, after)
    raise Rejected("no box holds the solutions of a step")


def _speck(s: arb) -> arb:
    """A width that is small next to that of s, but not lost when radii are rounded; never zero."""
    return arb(2) ** -(flint.ctx.prec // 2) * (1 + abs(s).upper()) + arb(s.rad()) * arb(2) ** -16
