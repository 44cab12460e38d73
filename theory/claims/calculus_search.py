"""The search for the proofs of limits and integrals that `theory.claims.replay` checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp

from theory.claims.claim import term_of
from theory.claims.limit_search import fresh, limit_proof, named
from theory.claims.proof_search import Prover, sample_point
from theory.claims.quadrature_search import quadrature_in_corners, quadrature_proof
from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected
from theory.claims.replay.calculus import Question, chain_relations, question_of
from theory.claims.replay.facts import Context, undefined
from theory.claims.replay.germs import is_infinite
from theory.claims.replay.relations import has_value
from theory.claims.replay.terms import Term, add, mul, substitute, variables, written_out
from theory.claims.symbolic import symbolic
from theory.errors import TheoryError
from theory.exact.antiderivative import antiderivative
from theory.exact.budget import spent
from theory.exact.parsing import parse
from theory.exact.verdict import Verdict

__all__ = ["calculus_proof"]


def calculus_proof(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The proof of a limit or of an integral, or of a counterexample."""
    q = question_of(claim)
    if verdict.proved:
        return _everywhere(claim["ask"], q)
    refute = _limit_refuted if claim["ask"] == "limit" else _integral_refuted
    point = _point(q, verdict.witness or {})
    return {"point": point, **refute(q.at(point))}


def _point(q: Question, witness: Mapping[str, str]) -> dict[str, Term]:
    given = {x: term_of(parse(v, {})) for x, v in witness.items() if x in q.ranges}
    sample = sample_point(q.ranges)
    return {x: given.get(x, sample[x]) for x in q.ranges}


def _everywhere(ask: str, q: Question) -> dict[str, Any]:
    proof = _limit_proved(q) if ask == "limit" else _integral_proved(q)
    ends = [_everywhere(ask, q.at_end(i)) for i in range(len(q.closed))]
    return {**proof, "ends": ends}


# -- limits


def _limit_proved(q: Question) -> dict[str, Any]:
    sides = []
    for direction in q.directions:
        for approach, v in limit_proof(q.ranges, q.function, q.x, q.places[0], direction):
            if named(approach, v, q.value):
                sides.append(approach.part())
                break
        else:
            raise Rejected("the limit is not proved by the rules of the checker")
    return {"sides": sides}


def _limit_refuted(q: Question) -> dict[str, Any]:
    for side, direction in enumerate(q.directions):
        for approach, v in limit_proof(q.ranges, q.function, q.x, q.places[0], direction):
            infinite = is_infinite(v) or is_infinite(q.value)
            if v != q.value if infinite else _apart(v, q.value):
                return {"side": side, "part": approach.part()}
    raise Rejected("no other limit is proved by the rules of the checker")


def _apart(a: Term, b: Term) -> bool:
    return Context({}).sign(add(a, mul(-1, b))) in (2, -2)


# -- integrals


def _integral_proved(q: Question) -> dict[str, Any]:
    for chain, low, high in _chains(q):
        if is_infinite(low) or is_infinite(high):
            continue
        difference = add(high, mul(-1, low))
        smooth = q.relation(q.ranges, q.value, "==", q.value) | {"smooth": True}
        try:
            equal = part_of(q.relation(q.ranges, difference, "==", q.value))
            return {"chain": chain, "value": [equal, part_of(smooth)]}
        except Rejected:
            continue
    raise Rejected("no antiderivative with limits at both ends is proved")


def _integral_refuted(q: Question) -> dict[str, Any]:
    if (pieces := quadrature_in_corners(q)) is not None:
        return {"pieces": pieces}
    for chain, low, high in _chains(q):
        ends = is_infinite(low) or is_infinite(high)
        if ends or _wrong(add(high, mul(-1, low)), q.value):
            return {"chain": chain}
    return {"pieces": quadrature_proof(q)}


def _wrong(number: Term, value: Term) -> bool:
    if has_value(value):
        return _apart(number, value)
    return undefined(Context({}), value, poles=False)


def _chains(q: Question) -> Iterator[tuple[dict[str, Any], Term, Term]]:
    """Antiderivatives with the proofs of all that they need but the value."""
    for on, order in _intervals(q):
        for F in _antiderivatives(q, on, order):
            if spent():
                return
            chain = {"antiderivative": F, "order": order, "on": on}
            chain["name"] = fresh("u", {*q.ranges, q.x})
            try:
                chain["parts"] = [part_of(r) for r in chain_relations(q, chain)]
                ends = _ends(q, F, order, chain)
            except Rejected:
                continue
            if ends is not None:
                yield chain, *ends


def _ends(q: Question, F: Term, order: int, chain: dict[str, Any]) -> tuple[Term, Term] | None:
    if order == 0:
        low, high = (substitute(F, {q.x: place}) for place in q.places)
        return low, high
    chain["limits"], found = [], []
    for place, side in zip(q.places, ("+", "-") if order > 0 else ("-", "+"), strict=True):
        proof = next(limit_proof(q.ranges, F, q.x, place, side), None)
        if proof is None:
            return None
        chain["limits"].append(proof[0].part())
        found.append(proof[1])
    return found[0], found[1]


def _intervals(q: Question) -> Iterator[tuple[Any, int]]:
    """Intervals that contain that of the question, and its order."""
    a, b = q.places
    order = _order(q, a, b)
    low, high = (a, b) if order >= 0 else (b, a)
    numeric = all(is_infinite(p) or not variables(p) for p in (a, b))
    if order and numeric:
        yield [None if is_infinite(p) else p for p in (low, high)], order
    elif order:
        # between names: a half line or the whole line often does as well, and is simpler
        if not is_infinite(low) and _weak(q, low):
            yield [0, None], order
        yield "between", order
    if not (is_infinite(a) or is_infinite(b)):
        if all(_strict(q, p) for p in (a, b)):
            yield [0, None], 0
        yield [None, None], 0


def _order(q: Question, a: Term, b: Term) -> int:
    if a == ["oo", -1] or b == ["oo", 1]:
        return 1
    if a == ["oo", 1] or b == ["oo", -1]:
        return -1
    s = Prover(Context(q.ranges)).sign(add(b, mul(-1, a)))
    return 1 if s == 2 else -1 if s == -2 else 0


def _weak(q: Question, t: Term) -> bool:
    s = Prover(Context(q.ranges)).sign(t)
    return s is not None and s >= 0


def _strict(q: Question, t: Term) -> bool:
    return Prover(Context(q.ranges)).sign(t) == 2


def _antiderivatives(q: Question, on: Any, order: int) -> Iterator[Term]:
    ranges = dict(q.ranges)
    if on == "between":
        low = q.places[0] if order > 0 else q.places[1]
        positive = not is_infinite(low) and _weak(q, low)
        ranges[q.x] = [0, None] if positive else [None, None]
    else:
        ranges[q.x] = list(on)
    f = symbolic(add(q.function, mul(0, q.x)), ranges)
    if f is None:
        return
    found = [s for s in f.free_symbols if s.name == q.x]
    if not found:
        yield mul(q.function, q.x)
        return
    (x,) = found
    bounds = {}
    ends = [symbolic(e, {}) if e is not None else None for e in ranges[q.x][:2]]
    low_, high_ = (-sp.oo if ends[0] is None else ends[0]), (sp.oo if ends[1] is None else ends[1])
    if (low_, high_) not in ((-sp.oo, sp.oo), (0, sp.oo), (-sp.oo, 0)):
        bounds[x] = (low_, high_)
    big = antiderivative(f, x, ranges=bounds)
    if big is None:
        return
    try:
        yield written_out(term_of(big.expression))
    except (TheoryError, Rejected):
        return
