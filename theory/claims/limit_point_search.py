"""The search for the proofs that a flow tends to a point, or that it does not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.claims.claim import term_of
from theory.claims.limit_ball_search import solution_box
from theory.claims.limit_search import infinite_at, limit_proof
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected
from theory.claims.replay.answers import relation_on, smooth_on
from theory.claims.replay.facts import at_precision
from theory.claims.replay.flow_questions import Curve
from theory.claims.replay.germs import is_infinite
from theory.claims.replay.limit_balls import System
from theory.claims.replay.limit_points import (
    LimitPoint,
    consistency,
    curve_relations,
    demand_limit_point,
    orthogonal,
    sample_relations,
    twin_relations,
)
from theory.claims.replay.terms import Term, add, literal, mul, substitute, written_out
from theory.claims.symbolic import symbolic
from theory.errors import TheoryError
from theory.exact.antiderivative import antiderivative
from theory.exact.verdict import Verdict

__all__ = ["limit_point_proof"]

_BITS = 256
_NOTHING: dict[str, Any] = {"ranges": {}, "relations": []}


def limit_point_proof(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The proof of a claim on the limit of a flow.

    Raises
    ------
    Rejected
        Where no curve in closed form is known, or none of the arguments is found.
    """
    q = LimitPoint(claim)
    hints = verdict.record.get("hints") or {}
    word, failed = str(verdict.status), "no argument"
    if not hints and (verdict.proved or "tolerance" in claim):
        raise Rejected("the curves have no closed form")
    if "tolerance" in claim:
        return _within(q, hints)
    for proof in [_proved(q, hints)] if verdict.proved else _refutations(q, hints):
        try:
            demand_limit_point(claim, word, proof)
            return proof
        except Rejected as error:
            failed = str(error)
    raise Rejected(failed)


def _refutations(q: LimitPoint, hints: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if hints:
        yield from _by_curves(q, hints)
    yield from _twins(q)


def _by_curves(q: LimitPoint, hints: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = _coordinates(q, hints)
    everything = {str(i): part for i, part in found.items()}
    for i in range(len(q.x)):
        if i in found:
            one = {str(i): found[i]}
            smooth = _smooth(q, i)
            if smooth is not None:
                yield {"because": "gradient", "index": i, "coordinates": one, "smooth": smooth}
        yield from _beyond(q, hints, i)
    for k in _kernel(q):
        yield {"because": "kernel", "k": k, "coordinates": everything}


def _twins(q: LimitPoint) -> Iterator[dict[str, Any]]:
    try:
        parts = [part_of(relation) for relation in twin_relations(q)]
    except Rejected:
        return
    starts, columns = q.claim["start"], list(zip(*q.matrix, strict=True))
    for i, j in itertools.combinations(range(len(q.x)), 2):
        if starts[i] == starts[j] and columns[i] == columns[j] and q.x[i] != q.x[j]:
            yield {"because": "twins", "pair": [i, j], "parts": parts}


def _smooth(q: LimitPoint, i: int) -> dict[str, Any] | None:
    """An interval around each predictor on which the slope of the loss is analytic."""
    out: dict[str, Any] = {}
    for j, slope in enumerate(q.slopes):
        if not q.matrix[j][i]:
            continue
        z = Fraction(_float(q.predictor(j))).limit_denominator(10**6)
        narrow = [[literal(z - w), literal(z + w)] for w in (Fraction(1), Fraction(1, 1000))]
        for around in ([None, None], *narrow):
            try:
                part = part_of(smooth_on({"ranges": {q.z: around}, "relations": []}, slope))
            except Rejected:
                continue
            out[str(j)] = [around, part]
            break
        else:
            return None
    return out


def _beyond(q: LimitPoint, hints: Mapping[str, Any], i: int) -> Iterator[dict[str, Any]]:
    try:
        part, curve = _along(q, i, hints["coordinates"][i]["hints"], conjugate=False)
    except Rejected:
        return
    for side, direction in enumerate("+-"):
        end = part["hints"]["range"][side]
        place = ["oo", 2 * side - 1] if end is None else written_out(end)
        functions = [written_out(part["hints"]["dual"]), *curve.leaving]
        try:
            last = infinite_at(curve.ends(part["hints"], functions)[side])
        except Rejected:
            continue
        for approach, v in limit_proof({}, curve.rho, curve.s, place, direction):
            if not is_infinite(v):
                yield {
                    "because": "beyond", "index": i, "side": side, "limit": approach.part(),
                    "coordinates": {str(i): part}, "last": last,
                }  # fmt: skip
                break


def _kernel(q: LimitPoint) -> list[list[Term]]:
    A = sp.Matrix([[sp.Rational(a.numerator, a.denominator) for a in row] for row in q.matrix])
    return [[literal(Fraction(int(a.p), int(a.q))) for a in k] for k in A.nullspace()]


def _along(
    q: LimitPoint, i: int, hints: Mapping[str, Any], *, conjugate: bool
) -> tuple[dict[str, Any], Curve]:
    """The curve of a coordinate with its proofs."""
    curve = q.curve(i, hints)
    dual = written_out(hints["dual"])
    made = dict(hints)
    if conjugate:
        made["conjugate"] = _conjugate(curve)
    relations = curve_relations(curve, dual, made.get("conjugate"))
    return {"hints": made, "parts": [part_of(r) for r in relations]}, curve


def _conjugate(curve: Curve) -> Term:
    ranges = curve.domain["ranges"]
    f = symbolic(mul(curve.rho, curve.clock), ranges)
    found = [] if f is None else [s for s in f.free_symbols if s.name == curve.s]
    if not found:
        return mul(curve.rho, curve.clock, curve.s)
    ends = [symbolic(written_out(e), {}) if e is not None else None for e in ranges[curve.s]]
    low, high = -sp.oo if ends[0] is None else ends[0], sp.oo if ends[1] is None else ends[1]
    big = antiderivative(f, found[0], ranges={found[0]: (low, high)})
    try:
        if big is not None:
            return written_out(term_of(big.expression))
    except TheoryError as error:
        raise Rejected(str(error)) from error
    raise Rejected("the conjugate has no closed form")


def _coordinates(q: LimitPoint, hints: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """The coordinates that are proved to lie on their curves, one of each kind."""
    out: dict[int, dict[str, Any]] = {}
    for i in range(len(q.x)):
        try:
            part, curve = _along(q, i, hints["coordinates"][i]["hints"], conjugate=False)
            out[i] = part | _place(curve, q.x[i], hints["coordinates"][i]["at"])
        except Rejected:
            continue
    return out


def _place(curve: Curve, x: Term, exact: Term | None) -> dict[str, Any]:
    """The place of x on the curve: exactly, or between two numbers."""
    if exact is not None:
        s = written_out(exact)
        try:
            equal = part_of(relation_on(_NOTHING, substitute(curve.rho, {curve.s: s}), "==", x))
            return {"at": [exact], "equal": equal}
        except Rejected:
            pass
    low, high = _bracket(curve, x)
    return {"at": [literal(low), literal(high)]}


def _bracket(curve: Curve, x: Term) -> tuple[Fraction, Fraction]:
    place = _places(curve.domain["ranges"][curve.s])

    def above(s: Fraction) -> int:
        gap = add(substitute(curve.rho, {curve.s: literal(s)}), mul(-1, x))
        value = at_precision(_BITS, gap, {})
        return 1 if value > 0 else -1 if value < 0 else 0

    first, last = -40.0, 40.0
    ends = [above(place(w)) for w in (first, last)]
    if ends[0] * ends[1] != -1:
        raise Rejected("the point was not found on the curve")
    for _ in range(45):
        middle = (first + last) / 2
        s = above(place(middle))
        first, last = (middle, last) if s == ends[0] else (first, middle)
    low, high = sorted((place(first), place(last)))
    sign = above(low)
    for _ in range(60):
        middle_s = (low + high) / 2
        s = above(middle_s)
        if s == 0:
            break
        low, high = (middle_s, high) if s == sign else (low, middle_s)
    if above(low) * above(high) != -1:
        # the middle of the last interval was x to all digits
        width = high - low
        low, high = low - width, high + width
    return low, high


def _places(ends: list[Term]) -> Callable[[float], Fraction]:
    """A function from the line onto the range of s, increasing."""
    low, high = (None if e is None else _float(written_out(e)) for e in ends[:2])
    if low is not None and high is not None:
        return lambda w: Fraction(low + (high - low) / (1 + math.exp(-w)))
    if low is not None:
        return lambda w: Fraction(low + math.exp(w))
    if high is not None:
        return lambda w: Fraction(high - math.exp(-w))
    return lambda w: Fraction(math.sinh(w))


def _float(t: Term) -> float:
    return float(arb(at_precision(128, t, {}).mid()))


# -- the proof


def _confining(
    q: LimitPoint, hints: Mapping[str, Any], same: list[str], skip: int
) -> tuple[dict[int, dict[str, Any]], list[int], list[Any]]:
    """Confined curves, which of them each coordinate has, and the proofs for the samples."""
    samples = [
        [part_of(r) for r in sample_relations(q, j, written_out(z))[skip:]]
        for j, z in enumerate(hints["targets"])
    ]
    first: dict[str, int] = {}
    owner = [first.setdefault(mark, i) for i, mark in enumerate(same)]
    made = {i: _confined(q, i, hints["coordinates"][i], place=not skip) for i in set(owner)}
    return made, owner, samples


def _within(q: LimitPoint, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The box that holds the limit."""
    made, owner, samples = _confining(q, hints, list(map(str, q.claim["start"])), 1)
    A = sp.Matrix([[sp.Rational(a.numerator, a.denominator) for a in row] for row in q.matrix])
    rows = [int(j) for j in A.T.rref()[1]]
    targets = [written_out(z) for z in hints["targets"]]
    left = []
    for k in A.T.nullspace():
        vector = [literal(Fraction(int(a.p), int(a.q))) for a in k]
        relation = consistency([Fraction(a) for a in vector], targets)
        left.append([vector, part_of(relation)])
    curves = []
    for i in owner:
        h = made[i]["hints"]
        curve = q.curve(i, h)
        ends = [None if e is None else written_out(e) for e in h["range"]]
        dual, begin = written_out(h["dual"]), written_out(h["begin"])
        curves.append((curve.s, curve.rho, dual, begin, ends))
    matrix = [q.matrix[j] for j in rows]
    system = System(curves, matrix, [targets[j] for j in rows])
    start = _first_guess(curves, matrix, [float(Fraction(v)) for v in hints["dual"]])
    return {
        "targets": hints["targets"], "samples": samples, "rows": rows, "left": left,
        "coordinates": {str(i): part for i, part in made.items()}, **solution_box(system, start),
    }  # fmt: skip


def _first_guess(
    curves: list[Any], matrix: list[list[Fraction]], dual: list[float]
) -> list[Fraction]:
    """Places where the dual variables are as given, and multipliers for them."""
    places = []
    for (s, _, xi, begin, ends), value in zip(curves, dual, strict=True):
        start = at_precision(_BITS, substitute(xi, {s: begin}), {})
        place = _places(ends)

        def height(
            w: float, xi: Term = xi, s: str = s, start: arb = start, place: Any = place
        ) -> float:
            return _real(at_precision(_BITS, xi, {s: literal(place(w))}) - start)

        low, high = -40.0, 40.0
        rises = height(low) < height(high)
        for _ in range(70):
            middle = (low + high) / 2
            low, high = (low, middle) if (height(middle) > value) == rises else (middle, high)
        places.append(place((low + high) / 2))
    A = np.array([[float(a) for a in row] for row in matrix])
    return [*places, *map(Fraction, np.linalg.lstsq(A.T, np.array(dual), rcond=None)[0].tolist())]


def _real(v: arb) -> float:
    return float(arb(v.mid()))


def _proved(q: LimitPoint, hints: Mapping[str, Any]) -> dict[str, Any]:
    marks = [str([x, start]) for x, start in zip(q.x, q.claim["start"], strict=True)]
    made, owner, samples = _confining(q, hints, marks, 0)
    kernel = _kernel(q)
    duals = [(i, _exact(made[i])) for i in owner]
    products = [
        part_of(relation_on(_NOTHING, orthogonal([Fraction(a) for a in k], duals), "=="))
        for k in kernel
    ]
    return {
        "targets": hints["targets"], "samples": samples, "kernel": kernel, "products": products,
        "coordinates": {str(i): part for i, part in made.items()},
    }  # fmt: skip


def _exact(part: Mapping[str, Any]) -> Term | None:
    if len(part["at"]) > 1:
        return None
    hints = part["hints"]
    dual, s = written_out(hints["dual"]), hints["name"]
    begin = substitute(dual, {s: written_out(hints["begin"])})
    return add(substitute(dual, {s: written_out(part["at"][0])}), mul(-1, begin))


def _confined(q: LimitPoint, i: int, hints: Mapping[str, Any], *, place: bool) -> dict[str, Any]:
    failed = ""
    for conjugate in (False, True):
        part, curve = _along(q, i, hints["hints"], conjugate=conjugate)
        try:
            part["ends"] = _ends(part["hints"], curve.s)
            return part | (_place(curve, q.x[i], hints["at"]) if place else {})
        except Rejected as error:
            failed = str(error)
    raise Rejected(failed)


def _ends(hints: Mapping[str, Any], s: str) -> list[dict[str, Any]]:
    out = []
    functions = [written_out(hints[e]) for e in ("dual", "conjugate") if e in hints]
    for end, far, direction in zip(hints["range"], (["oo", -1], ["oo", 1]), "+-", strict=True):
        place = far if end is None else written_out(end)
        found = next(
            (
                {"of": of, "proof": approach.part()}
                for of, f in enumerate(functions)
                for approach, v in limit_proof({}, f, s, place, direction)
                if is_infinite(v)
            ),
            None,
        )
        if found is None:
            raise Rejected("neither the dual variable nor the conjugate is infinite at an end")
        out.append(found)
    return out
