"""A small checker of certificates: exact fractions and Arb balls, and nothing of the prover.

A certificate holds a claim, a verdict and a list of steps. Each step states a fact about a term,
> 0, >= 0, = 0, <= 0 or < 0 *at every point of the domain where the term has a value*, and is
checked here by one rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flint.utils.flint_exceptions import FlintError

from theory.claims.replay.answers import Answer
from theory.claims.replay.calculus import CALCULUS, demand_answered
from theory.claims.replay.germs import is_infinite
from theory.claims.replay.limit_points import demand_limit_point
from theory.claims.replay.questions import relations_of
from theory.claims.replay.relations import (
    demand_proved,
    demand_refuted,
    holds_everywhere,
    limit_at,
    read,
    relation_proved,
    somewhere,
)
from theory.claims.replay.terms import (
    Rejected,
    demand,
    fixed_signs,
    of_known_arity,
)
from theory.claims.replay.trajectories import TRAJECTORIES, demand_path

__all__ = ["Rejected", "conditions_of", "digest", "parsed", "replay"]


def parsed(text: str) -> Any:
    """What a file says, where it can be read in one way only.

    Of an entry that occurs twice, readers of JSON keep the first or the last; NaN and Infinity are
    no JSON.

    Raises
    ------
    Rejected
        When the text is no JSON, is nested too deeply, or has an entry twice.

    Examples
    --------
    >>> parsed('{"verdict": "PROVED", "verdict": "REFUTED"}')
    Traceback (most recent call last):
    theory.claims.replay.terms.Rejected: an entry occurs twice
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except Rejected:
        raise
    except (ValueError, RecursionError) as error:
        raise Rejected(f"no JSON that can be read: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    demand(len(table) == len(pairs), "an entry occurs twice")
    return table


def _no_number(name: str) -> Any:
    raise Rejected(f"{name} is no number")


def digest(claim: Mapping[str, Any]) -> str:
    """The hash of a claim: of its operator, its sides and its domain."""
    text = json.dumps(claim, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def replay(record: Mapping[str, Any]) -> str:
    """Check a certificate.

    Parameters
    ----------
    record : mapping
        What ``json.load`` reads.

    Returns
    -------
    str
        ``"PROVED"`` or ``"REFUTED"``.

    Raises
    ------
    Rejected
        When the steps do not prove what the certificate says.
    """
    try:
        claim, verdict, proof = record["claim"], record["verdict"], record["proof"]
        demand(record["sha256"] == digest(claim), "the hash is not that of the claim")
        demand(set(record) == {"claim", "verdict", "proof", "sha256", "seal"}, "unknown entries")
        sealed = {k: v for k, v in record.items() if k != "seal"}
        demand(record["seal"] == digest(sealed), "the seal is broken")
        demand(of_known_arity(proof), "an operation of a wrong number of terms")
        demand(verdict in ("PROVED", "REFUTED"), "no verdict")
        if claim.get("ask") in CALCULUS:
            demand_answered(claim, verdict, proof)
        elif claim.get("ask") == "limit_point":
            demand_limit_point(claim, verdict, proof)
        elif claim.get("ask") in TRAJECTORIES:
            demand_path(claim, verdict, proof)
        elif "ask" in claim:
            _answered(relations_of(claim, proof["hints"]), verdict, proof)
        elif verdict == "PROVED":
            demand_proved(read(claim), proof)
            somewhere(read(claim), proof["somewhere"])
        else:
            demand_refuted(read(claim), proof)
    except Rejected:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        MemoryError,
        FlintError,
    ) as error:
        raise Rejected(f"a malformed certificate: {error!r}") from error
    return str(verdict)


def _answered(answer: Answer, verdict: str, proof: Mapping[str, Any]) -> None:
    demand(len(proof["given"]) == len(answer.given), "a premise is left out")
    for relation, part in zip(answer.given, proof["given"], strict=True):
        relation_proved(relation, part)
    if verdict == "PROVED" or answer.finite:
        chosen = answer.alternatives[proof["alternative"]]
        demand(len(proof["parts"]) == len(chosen), "a relation is left out")
        for relation, part in zip(chosen, proof["parts"], strict=True):
            relation_proved(relation, part)
        check = _all_infinite if verdict == "PROVED" else _one_finite
        check(answer, proof.get("limits", []))
        return
    demand(answer.refutable, "off the restriction there are no counterexamples")
    demand(len(proof["parts"]) == len(answer.alternatives), "an alternative is left out")
    for relations, (i, part) in zip(answer.alternatives, proof["parts"], strict=True):
        demand(not relations[i].get("smooth"), "a counterexample to smoothness")
        demand_refuted(read(relations[i]), part)


def _all_infinite(answer: Answer, limits: Sequence[Mapping[str, Any]]) -> None:
    """At each end of a question one of the functions has an infinite limit."""
    demand(len(limits) == len(answer.ends), "an end is left out")
    for end, part in zip(answer.ends, limits, strict=True):
        demand(is_infinite(limit_at(end, part)), "no infinite limit at an end")


def _one_finite(answer: Answer, limits: Sequence[Any]) -> None:
    """At one end all functions have finite limits, and what shows that it is one has not."""
    side, last, *parts = limits
    demand(type(side) is int and side in (0, 1), "no end")
    end = answer.ends[side]
    demand([part["of"] for part in parts] == list(range(len(end.functions))), "one is left out")
    values = [limit_at(end, part) for part in parts]
    demand(not any(map(is_infinite, values)), "an infinite limit")
    if "of" in last:
        demand(is_infinite(limit_at(answer.finite[side], last)), "the curve may go on")
    else:
        relation_proved(answer.beyond(side, values[0]), last)


def conditions_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """What an accepted certificate leaves open."""
    if record["verdict"] == "REFUTED":
        return ()
    match record["claim"].get("ask"):
        case None:
            return () if holds_everywhere(record["proof"]) else ("both sides are defined",)
        case "conserved":
            _, signs = fixed_signs(record["claim"]["law"], set())
            where = "is continuous" if signs else "has a value"
            return (f"the flow stays where the law {where}",)
        case "decreases":
            return ("the flow stays where the formula and the loss have values",)
        case "mirror_potential":
            return ("the second derivative has a value",)
    return ()
