"""Certificates: the steps that prove a statement, in the language of `theory.claims.replay`.

A verdict whose argument the checker cannot follow has no certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory.claims.calculus_search import calculus_proof
from theory.claims.claim import claim_of, term_of
from theory.claims.limit_point_search import limit_point_proof
from theory.claims.limit_search import finite_at, infinite_at
from theory.claims.proof_search import Prover, sample_point
from theory.claims.prove import prove
from theory.claims.relation_search import part_of, proof_of, somewhere_in
from theory.claims.replay import Rejected, digest, replay
from theory.claims.replay.answers import Answer
from theory.claims.replay.calculus import CALCULUS
from theory.claims.replay.facts import Context, undefined
from theory.claims.replay.questions import relations_of
from theory.claims.replay.relations import demand_refuted, limit_at, read
from theory.claims.replay.terms import add, mul, substitute
from theory.claims.replay.trajectories import TRAJECTORIES
from theory.claims.trajectory_search import path_proof
from theory.errors import FormulaError, TheoryError
from theory.exact.budget import time_budget
from theory.exact.parsing import parse
from theory.exact.verdict import Verdict

__all__ = ["NoCertificate", "certificate"]


class NoCertificate(TheoryError):
    """A verdict that is UNDECIDED, or whose argument the checker cannot follow."""


def certificate(
    statement: Any,
    assume: Mapping[Any, str] | None = None,
    domain: Any = None,
    *,
    seconds: float = 20.0,
) -> dict[str, Any]:
    """The verdict on a statement, with steps that `theory.claims.replay` checks on its own.

    Parameters
    ----------
    statement : str, relation of SymPy, sympy.Expr, or Verdict
        As for `theory.prove`; or the verdict of any question (`conserved`, `limit_is`, `passes`,
        ...), whose record says what was claimed.
    assume, domain
        As for `theory.prove`.
    seconds : float
        Time for the search of the steps.

    Returns
    -------
    dict
        ``claim``, ``sha256`` (the hash of the claim), ``verdict``, ``proof``, and ``seal``, the
        hash of all of these; JSON can hold it.

    Raises
    ------
    NoCertificate
        For UNDECIDED, when no steps are found, and for the verdicts of other questions.

    Examples
    --------
    >>> record = certificate("cosh(x)**2 - sinh(x)**2 == 1")
    >>> record["verdict"], replay(record)
    ('PROVED', 'PROVED')
    >>> import theory as th
    >>> record = certificate(th.conserved("u*v", th.Elementwise("u**2 - v**2", "u, v")))
    >>> record["claim"]["ask"], replay(record)
    ('conserved', 'PROVED')
    >>> record = certificate(th.integral_is("exp(-a*x)", "x", 0, "oo", "1/a", {"a": "positive"}))
    >>> record["proof"]["chain"]["antiderivative"], replay(record)
    (['*', -1, ['^', 'a', -1], ['exp', ['*', -1, 'a', 'x']]], 'PROVED')
    """
    if isinstance(statement, Verdict):
        verdict = statement
        claim = verdict.record.get("claim")
    else:
        claim = claim_of(statement, assume, domain)
        verdict = prove(statement, assume, domain)
    if verdict.undecided:
        raise NoCertificate(f"The statement is UNDECIDED, so nothing can be certified: {verdict}")
    if claim is None:
        raise NoCertificate(f"The checker knows no such question: {verdict}")
    with time_budget(seconds):
        try:
            if claim.get("ask") in CALCULUS:
                proof = calculus_proof(claim, verdict)
            elif claim.get("ask") == "limit_point":
                proof = limit_point_proof(claim, verdict)
            elif claim.get("ask") in TRAJECTORIES:
                proof = path_proof(claim, verdict)
            elif "ask" in claim:
                proof = _answer(claim, verdict)
            else:
                proof = _certified(claim, verdict)
        except (Rejected, ArithmeticError, FormulaError) as error:
            raise NoCertificate(f"No steps were found for: {verdict} ({error})") from error
    record = {
        "claim": claim,
        "sha256": digest(claim),
        "verdict": str(verdict.status),
        "proof": proof,
    }
    record["seal"] = digest(record)
    try:
        replay(record)
    except Rejected as error:
        raise NoCertificate(f"No steps were found for: {verdict} ({error})") from error
    return record


def _certified(relation: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    basic = read(relation)
    if verdict.refuted:
        return _refutation(basic, verdict.witness or {})
    return proof_of(basic, everywhere=not verdict.conditions) | {"somewhere": somewhere_in(basic)}


def _answer(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The proof of a question: of its premises, and of or against its relations."""
    hints = verdict.record.get("hints", {})
    answer = relations_of(claim, hints)
    proof: dict[str, Any] = {"hints": hints, "given": [part_of(r) for r in answer.given]}
    if verdict.refuted and answer.finite:
        proved = {"alternative": 0, "parts": [part_of(r) for r in answer.alternatives[0]]}
        return proof | proved | {"limits": _finite_end(answer)}
    if verdict.refuted:
        witnesses = _witnesses(verdict.witness or {}, len(answer.alternatives))
        parts = [
            _counterexample(relations, witness)
            for relations, witness in zip(answer.alternatives, witnesses, strict=True)
        ]
        return proof | {"parts": parts}
    failed = ""
    for i, relations in enumerate(answer.alternatives):
        try:
            found = proof | {"alternative": i, "parts": [part_of(r) for r in relations]}
            return found | ({"limits": list(map(infinite_at, answer.ends))} if answer.ends else {})
        except Rejected as error:
            failed = str(error)
    raise Rejected(failed)


def _finite_end(answer: Answer) -> list[Any]:
    """The proofs that a curve ends at one side, and that all functions are finite there."""
    failed = ""
    for side, (last, end) in enumerate(zip(answer.finite, answer.ends, strict=True)):
        try:
            parts = finite_at(end)
            try:
                return [side, infinite_at(last), *parts]
            except Rejected:
                x = limit_at(end, parts[0])
                return [side, part_of(answer.beyond(side, x)), *parts]
        except Rejected as error:
            failed = str(error)
    raise Rejected(failed)


def _witnesses(witness: Mapping[str, str], count: int) -> list[dict[str, str]]:
    """The points against the alternatives, ``x (falls)`` and ``x (rises)`` when there are two."""
    if count == 1:
        return [dict(witness)]
    return [
        {x.removesuffix(f" {word}"): v for x, v in witness.items() if x.endswith(word)}
        for word in ("(falls)", "(rises)")
    ]


def _counterexample(relations: list[Any], witness: Mapping[str, str]) -> list[Any]:
    failed = ""
    for i, relation in enumerate(relations):
        if relation.get("smooth"):
            continue
        basic = read(relation)
        proof = _refutation(basic, witness)
        try:
            demand_refuted(basic, proof)
        except Rejected as error:
            failed = str(error)
            continue
        return [i, proof]
    raise Rejected(failed)


def _refutation(claim: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    witness = {x: term_of(parse(v, {})) for x, v in given.items()}
    sample = sample_point(claim["ranges"])
    point = {x: witness.get(x, sample[x]) for x in claim["ranges"]}
    prover = Prover(Context({}))
    for _, t in claim["relations"]:
        prover.zero(substitute(t, point))
    there = [substitute(e, point) for e in (claim["left"], claim["right"])]
    difference = add(there[0], mul(-1, there[1]))
    proof: dict[str, Any] = {"point": point}
    gone = [undefined(prover.context, e, poles=False) for e in there]
    if claim["operator"] == "==" and any(gone):
        proof["undefined"] = gone.index(True)
    elif prover.context.sign(difference) is None:
        prover.zero(difference)
    return proof | {"steps": prover.steps}
