r"""Enclosures of $\int_a^b f\,dx$ in Arb, where nothing but x is open.

Between rational cuts the quadrature of Arb is used, which needs f on complex boxes. What is left at
an end is bounded: by the length times a bound of |f| there, or by a function M with
$|f| \le M'$ and a finite limit at the end, so that $|\int_a^c f| \le |M(c) - M(a^+)|$, or by a
power of the distance to the end. Between the ends there may be other singular points.

References
----------
F. Johansson, Numerical integration in arbitrary-precision ball arithmetic, ICMS 2018.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint
from flint import acb, arb, fmpq

from theory.claims.replay.corners import corner_integral
from theory.claims.replay.germs import approached, is_infinite, moved
from theory.claims.replay.relations import relation_proved
from theory.claims.replay.terms import (
    Term,
    add,
    ball,
    demand,
    derivative,
    mul,
    number,
    variables,
    written_out,
)

__all__ = ["enclosed_integral", "tail_relations"]

MAX_BITS = 2_000
MAX_CUTS = 200
MAX_EVALUATIONS = 5_000
MAX_SEGMENTS = 20
_ENTIRE = ("exp", "sin", "cos", "erf", "erfi", "si", "shi")
_NAN = acb("nan")


def _complex(t: Term, x: str, z: acb) -> acb:
    """A ball around the values on a box, not finite where a part may not be analytic."""
    q = number(t)
    if q is not None:
        return acb(arb(fmpq(q.numerator, q.denominator)))
    if isinstance(t, str):
        return acb(arb.pi()) if t == "pi" else z
    args = [_complex(a, x, z) for a in t[1:]]
    if not all(a.is_finite() for a in args):
        return _NAN
    if t[0] == "+":
        return sum(args, acb(0))
    if t[0] == "*":
        return math.prod(args, start=acb(1))
    if t[0] == "^":
        exponent = number(t[2])
        if exponent is not None and exponent.denominator == 1:
            demand(abs(exponent) <= 1_000, "a large power")
            return args[0] ** int(exponent)
        return (args[1] * _logarithm(args[0])).exp()
    u = args[0]
    if t[0].lower() in _ENTIRE:
        return getattr(u, t[0].lower())()
    if t[0] == "log":
        return _logarithm(u)
    # off the cuts: i(-oo, -1] and i[1, oo), or the same on the real axis
    if t[0] == "atan" and (u.imag < 1 and u.imag > -1):
        return u.atan()
    if t[0] == "asin" and (u.real < 1 and u.real > -1):
        return u.asin()
    if t[0] in ("Abs", "sign") and (u.real > 0 or u.real < 0):
        one = acb(1 if u.real > 0 else -1)
        return one if t[0] == "sign" else one * u
    return _NAN


def _logarithm(u: acb) -> acb:
    """The logarithm in the right half plane, where it is analytic and no branch is in doubt."""
    return u.log() if u.real > 0 else _NAN


def _between(f: Term, x: str, low: arb, high: arb) -> arb:
    def value(z: acb, analytic: bool) -> acb:
        if not analytic and z.imag == 0:
            # no real value, no integral
            return acb(ball(f, {x: z.real}))
        return _complex(f, x, z)

    found = acb.integral(value, low, high, eval_limit=MAX_EVALUATIONS)
    demand(found.is_finite(), "the quadrature gives no finite ball")
    return arb(found.real)


def tail_relations(
    f: Term, x: str, on: Sequence[Term], majorant: Term | None
) -> list[dict[str, Any]]:
    """What must hold next to an end: f has values there, and a majorant is one."""

    def relation(left: Term, operator: str, right: Term) -> dict[str, Any]:
        return {
            "operator": operator, "left": left, "right": right, "ranges": {x: list(on)},
            "closed": [], "relations": [],
        }  # fmt: skip

    relations = [relation(f, "==", f) | {"smooth": True}]
    if majorant is None:
        return relations
    slope = derivative(majorant, x)
    demand(variables(majorant) <= {x}, "an unknown name")
    return [
        *relations,
        *(relation(t, "==", t) | {"smooth": True} for t in (majorant, slope)),
        *(relation(add(slope, mul(s, f)), ">=", 0) for s in (1, -1)),
    ]


def _tail(f: Term, x: str, end: Term, cut: Term, side: int, proof: Mapping[str, Any]) -> arb:
    """A bound of the integral between an end and a cut; side is 1 at the lower end."""
    if "corner" in proof:
        delta = number(proof["corner"])
        demand(delta is not None, "no corner")
        assert delta is not None
        size = -side * ball(cut, {}) if is_infinite(end) else side * (ball(cut, {}) - ball(end, {}))
        small = size * _exact(delta) > 1 if is_infinite(end) else size < _exact(delta)
        demand(small, "the cut is not in the corner")
        return corner_integral(f, x, end, "+" if side > 0 else "-", delta)
    there = None if is_infinite(end) else end
    on = [there, cut] if side > 0 else [cut, there]
    given = proof["majorant"]
    majorant = None if given is None else written_out(given)
    relations = tail_relations(f, x, on, majorant)
    demand(len(proof["parts"]) == len(relations), "a relation is left out")
    for relation, part in zip(relations, proof["parts"], strict=True):
        relation_proved(relation, part)
    if majorant is None:
        demand(not is_infinite(end), "a bounded function on an unbounded interval")
        a, b = ball(end, {}), ball(cut, {})
        size = _bound(f, {x: a.union(b)})
        demand(size.is_finite(), "no bound next to an end")
        return arb(abs(size).upper() * abs(b - a).upper())
    germ = approached({}, is_infinite(end), proof["limit"])
    direction = "+" if side > 0 else "-"
    v = germ.limit(moved(majorant, x, end, direction, proof["limit"]["name"]))
    demand(v is not None and not is_infinite(v), "the majorant has no finite limit")
    return arb(abs(ball(majorant, {x: ball(cut, {})}) - ball(v, {})).upper())


def _exact(q: Fraction) -> arb:
    return arb(fmpq(q.numerator, q.denominator))


def _bound(t: Term, env: Mapping[str, arb]) -> arb:
    """The values on an interval where t has values in its inside: roots are of what is positive."""
    if not isinstance(t, list) or not variables(t):
        return ball(t, env)
    args = [_bound(a, env) for a in t[1:]]
    q = number(t[2]) if t[0] == "^" else None
    if q is not None and q > 0 and q.denominator > 1 and args[0].is_finite():
        largest = arb(args[0].upper())
        if largest > 0 and not args[0] > 0:
            return arb(0).union(ball(["^", "r", t[2]], {"r": largest}))
    names = [f"a{i}" for i in range(len(args))]
    plain = [t[0], *(a if number(a) is not None else n for a, n in zip(t[1:], names, strict=True))]
    return ball(plain, dict(zip(names, args, strict=True)))


def enclosed_integral(f: Term, x: str, places: tuple[Term, ...], proof: Mapping[str, Any]) -> arb:
    """A ball around the integral, which exists; refused when it is not finite.

    Examples
    --------
    >>> pieces = {"cuts": [0, 1], "bits": 64, "tails": [None, None]}
    >>> enclosed_integral(["exp", "x"], "x", (0, 1), pieces).overlaps(arb(1).exp() - 1)
    True
    """
    if "between" in proof:
        return _in_segments(f, x, places, proof["between"], proof["segments"])
    cuts, bits = proof["cuts"], proof["bits"]
    demand(variables(f) <= {x}, "an open name in the integrand")
    demand(type(bits) is int and 16 <= bits <= MAX_BITS, "no precision")
    demand(2 <= len(cuts) <= MAX_CUTS, "no cuts, or too many")
    demand(len(proof["tails"]) == 2, "expected two tails")
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        sign, low, high = _oriented(places)
        at = [ball(c, {}) for c in cuts]
        demand(all(a < b for a, b in itertools.pairwise(at)), "no increasing cuts")
        total = sum((_between(f, x, a, b) for a, b in itertools.pairwise(at)), arb(0))
        for side, end, cut, tail in zip(
            (1, -1), (low, high), (cuts[0], cuts[-1]), proof["tails"], strict=True
        ):
            if tail is None:
                demand(cut == end, "the quadrature does not reach the end")
                continue
            if not is_infinite(end):
                gap = side * (ball(cut, {}) - ball(end, {}))
                demand(gap > 0, "a cut beyond the end")
            total += arb(0, 1) * _tail(f, x, end, cut, side, tail)
        demand(total.is_finite(), "no finite ball")
        return sign * total
    finally:
        flint.ctx.prec = before


def _in_segments(
    f: Term, x: str, places: tuple[Term, ...], between: Sequence[Term], segments: Sequence[Any]
) -> arb:
    """The sum over segments, in each of which the integral exists."""
    demand(0 < len(between) <= MAX_SEGMENTS, "no points between the ends, or too many")
    demand(len(segments) == len(between) + 1, "a segment is left out")
    points = [places[0], *map(written_out, between), places[1]]
    demand(not any(map(is_infinite, points[1:-1])), "a segment of infinities")
    ends = list(itertools.pairwise(points))
    signs = {_oriented(pair)[0] for pair in ends}
    demand(signs == {_oriented(places)[0]}, "the segments go back and forth")
    demand(not any("between" in part for part in segments), "segments in segments")
    parts = (enclosed_integral(f, x, e, part) for e, part in zip(ends, segments, strict=True))
    return sum(parts, arb(0))


def _oriented(places: tuple[Term, ...]) -> tuple[int, Term, Term]:
    a, b = places
    if a == ["oo", -1] or b == ["oo", 1]:
        demand(a != b, "no interval")
        return 1, a, b
    if a == ["oo", 1] or b == ["oo", -1]:
        demand(a != b, "no interval")
        return -1, b, a
    first, second = ball(a, {}), ball(b, {})
    demand(first < second or first > second, "no order of the ends")
    return (1, a, b) if first < second else (-1, b, a)
