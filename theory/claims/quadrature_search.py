"""The search for cuts and tails of a rigorous quadrature."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy as sp

from theory.claims.claim import term_of
from theory.claims.limit_search import limit_proof
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected
from theory.claims.replay.calculus import Question
from theory.claims.replay.facts import BITS, Context, at_precision, undefined
from theory.claims.replay.germs import is_infinite
from theory.claims.replay.quadrature import enclosed_integral, tail_relations
from theory.claims.replay.relations import has_value
from theory.claims.replay.terms import Term, add, ball, literal, mul, power, written_out
from theory.claims.symbolic import symbolic
from theory.errors import TheoryError
from theory.exact.budget import spent
from theory.exact.definite import singular_candidates
from theory.exact.guard import proposal

__all__ = ["corner_next_to", "cuts_between", "quadrature_in_corners", "quadrature_proof"]

_DEPTHS = (8, 30, 100)
"""Binary logarithms of the lengths next to the ends that are not integrated."""
_RATES = ("-1/2", "-2/3", "-3/4", "-9/10")


def quadrature_proof(q: Question) -> dict[str, Any]:
    """Cuts and tails whose enclosure excludes the value."""
    low, high, _ = _in_order(q)
    for majorants, depth in ((False, 0), *itertools.product((False, True), _DEPTHS)):
        choices = itertools.product(
            _ends(q, low, 1, depth, majorants), _ends(q, high, -1, depth, majorants)
        )
        for (first, lower), (last, upper) in choices:
            if spent():
                raise Rejected("out of time")
            cuts = [first, *cuts_between(first, last), last]
            pieces = {"cuts": cuts, "bits": 64 + 2 * depth, "tails": [lower, upper]}
            if _excludes(q, pieces):
                return pieces
    raise Rejected("no enclosure by the quadrature of the checker excludes the value")


def _in_order(q: Question) -> tuple[Term, Term, bool]:
    """The lower and the upper end, and whether they are turned around."""
    a, b = q.places
    flipped = a == ["oo", 1] or b == ["oo", -1]
    if not flipped and not is_infinite(a) and not is_infinite(b):
        flipped = bool(at_precision(128, add(a, mul(-1, b)), {}) > 0)
    return (b, a, True) if flipped else (a, b, False)


def quadrature_in_corners(q: Question) -> dict[str, Any] | None:
    """Corners at both ends and at all points inside where the integrand may be singular."""
    low, high, flipped = _in_order(q)
    points = [low, *_singular_points(q, low, high), high]
    for depth, marks in itertools.product(_DEPTHS, ((0,), _MARKS)):
        segments = []
        for a, b in itertools.pairwise(points):
            (first, lower), (last, upper) = (
                corner_next_to(a, 1, depth),
                corner_next_to(b, -1, depth),
            )
            cuts, bits = [first, *cuts_between(first, last, marks), last], 64 + 2 * depth
            segments.append({"cuts": cuts, "bits": bits, "tails": [lower, upper]})
        if flipped:
            points, segments = points[::-1], segments[::-1]
        pieces = (
            segments[0] if len(segments) == 1 else {"between": points[1:-1], "segments": segments}
        )
        if _excludes(q, pieces):
            return pieces
        points = points[::-1] if flipped else points
    return None


def _singular_points(q: Question, low: Term, high: Term) -> list[Term]:
    f = symbolic(q.function, {q.x: [None, None]})
    ends = [symbolic(e, {}) for e in (low, high) if not is_infinite(e)]
    if f is None or len(ends) < 2 or None in ends:
        return []
    (x,) = f.free_symbols or {sp.Symbol(q.x, real=True)}
    found = proposal(singular_candidates, f, x, *ends, seconds=2.0)
    try:
        return [written_out(term_of(c)) for c in found or ()]
    except (TheoryError, Rejected):
        return []


def corner_next_to(end: Term, side: int, depth: int) -> tuple[Term, dict[str, Any]]:
    """A cut next to an end, and its corner."""
    if is_infinite(end):
        return -side * 2**depth, {"corner": literal(Fraction(2, 2**depth))}
    return add(end, literal(Fraction(3 * side, 4 * 2**depth))), {
        "corner": literal(Fraction(1, 2**depth))
    }


def _excludes(q: Question, pieces: dict[str, Any]) -> bool:
    try:
        integral = enclosed_integral(q.function, q.x, q.places, pieces)
    except (Rejected, ArithmeticError, ValueError):
        return False
    if not has_value(q.value):
        return undefined(Context({}), q.value, poles=False)
    return not integral.overlaps(at_precision(BITS[1], q.value, {}))


_HALF: tuple[Term, ...] = ("1/8", "1/4", "1/2", 1, 8, 64)
_MARKS = (*(mul(-1, m) for m in reversed(_HALF)), 0, *_HALF)


def cuts_between(first: Term, last: Term, marks: tuple[Term, ...] = (0,)) -> list[Term]:
    """Zero is a cut of its own, for signs change there; next to poles short pieces help."""
    low, high = (at_precision(128, t, {}) for t in (first, last))
    return [m for m in marks if low < ball(m, {}) and ball(m, {}) < high]


def _ends(
    q: Question, end: Term, side: int, depth: int, majorants: bool
) -> Iterator[tuple[Term, dict[str, Any] | None]]:
    """Where the quadrature stops at an end, and the bound of what is left."""
    if depth == 0:
        if not is_infinite(end):
            yield end, None
        return
    yield from _tails(q, end, side, depth, majorants)
    if not is_infinite(end):
        yield end, None


def _tails(
    q: Question, end: Term, side: int, depth: int, majorants: bool
) -> Iterator[tuple[Term, dict[str, Any]]]:
    infinite = is_infinite(end)
    cut = mul(-side, 2 * depth) if infinite else add(end, literal(Fraction(side, 2**depth)))
    on = [None if infinite else end, cut]
    on = on if side > 0 else on[::-1]
    for majorant in (None, *(_majorants(q.x, end, side) if majorants else ())):
        if infinite and majorant is None:
            continue
        try:
            relations = tail_relations(q.function, q.x, on, majorant)
            proof: dict[str, Any] = {"majorant": majorant, "parts": [part_of(r) for r in relations]}
        except Rejected:
            if majorant is None and not infinite:
                # not known to have values next to the end: no majorant helps
                return
            continue
        if majorant is not None:
            direction = "+" if side > 0 else "-"
            found = next(limit_proof({}, majorant, q.x, end, direction), None)
            if found is None or is_infinite(found[1]):
                continue
            proof["limit"] = found[0].part()
        yield cut, proof


def _majorants(x: str, end: Term, side: int) -> Iterator[Term]:
    """Functions that increase: powers of the distance, exponentials and powers at infinity."""
    if is_infinite(end):
        y = mul(-side, x)
        yield mul(side, ["exp", mul(-1, y)])
        yield mul(2 * side, ["exp", mul("-1/2", y)])
        yield mul(side, power(y, -1))
        yield mul(10 * side, power(y, "-1/2"))
        return
    distance = mul(side, add(x, mul(-1, end)))
    for size in (1, 10):
        for rate in _RATES:
            yield mul(side * size, power(distance, literal(1 + Fraction(rate))))
