"""Verdicts on statements: identities and inequalities in symbols.

PROVED and REFUTED are exact: a normal form, a strict sign on the whole domain, or an exact point
whose values are enclosed by balls. Everything else is UNDECIDED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from theory.claims.claim import claim_on, recorded
from theory.claims.inequality import (
    constant_value,
    definite,
    nonnegative,
    not_equal,
    positive,
    refute_sign,
)
from theory.claims.jumps import refuted_at_a_jump
from theory.claims.statement import (
    Statement,
    first_undefined,
    names_of,
    partial_functions,
    read_statement,
    undefined_at,
    value_at,
)
from theory.errors import DomainError, UnsupportedFormula
from theory.exact.balls import functions_without_balls
from theory.exact.budget import time_budget
from theory.exact.parsing import parse
from theory.exact.signs import is_analytic, unbounded
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["prove"]

_DEFINED = "both sides are defined"
_POINTS = 60


def prove(
    statement: Any,
    assume: Mapping[Any, str] | None = None,
    domain: Any = None,
    *,
    seconds: float = 10.0,
) -> Verdict:
    """Whether a statement holds for all values of its symbols.

    Parameters
    ----------
    statement : str, relation of SymPy, or sympy.Expr
        ``"A == B"``, ``"A != B"``, ``"A >= B"``, ...; a formula alone is compared with zero.
    assume : mapping from name to str, optional
        ``real`` (the default), ``positive``, ..., or an interval such as ``(0, 1)``.
    domain : str or relation, optional
        A relation or a conjunction that restricts the symbols, ``"(x > -1) & (x < 1)"``.
    seconds : float
        Time for the search of a proof.

    Examples
    --------
    >>> print(prove("sinh(t)**2 + 1 == cosh(t)**2").status)
    PROVED
    >>> print(prove("exp(t) >= 1 + t").status)
    PROVED
    >>> prove("log(x**2) == 2*log(x)").witness
    {'x': '-1'}
    """
    question = read_statement(statement, assume, domain)
    with time_budget(seconds):
        verdict = _with_ends(question, _inside(question))
        if verdict.undecided and question.operator == "==" and question.difference.has(sp.sign):
            at_a_jump = refuted_at_a_jump(question, claim_on(statement, question))
            verdict = verdict if at_a_jump is None else at_a_jump
    return recorded(verdict, lambda: claim_on(statement, question))


def _inside(question: Statement) -> Verdict:
    """The verdict on the open domain."""
    strange = functions_without_balls(sp.Tuple(question.left, question.right))
    if strange:
        return Verdict(
            Status.UNDECIDED, f"{strange[0]} has no enclosures, and may have no real values"
        )
    if question.operator == "==":
        return _equality(question)
    if question.operator == "!=":
        return _with_domain(question, not_equal(question))
    return _inequality(question)


def _with_ends(question: Statement, verdict: Verdict) -> Verdict:
    """What is proved on the open domain must hold at its closed ends too."""
    for s, end in question.domain.closed:
        if verdict.refuted or s not in question.symbols:
            continue
        there = question.at_end(s, end)
        values = (there.left, there.right, *there.partial[0], *there.partial[1])
        if any(e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) for e in values):
            verdict = _provided(verdict, _DEFINED)
            continue
        try:
            at = _with_ends(there, _inside(there))
        except DomainError:
            # neither side has a value there
            verdict = _provided(verdict, _DEFINED)
            continue
        if at.refuted:
            witness = (at.witness or {}) | {s.name: str(end)}
            return Verdict(Status.REFUTED, at.method, witness=_completed(question, witness))
        if not at.proved:
            return Verdict(Status.UNDECIDED, f"at {s} = {end}: {at.method}", digits=at.digits)
        # y**2/(x + y**2) has a value for all x > 0, and none at x = y = 0
        verdict = _provided(verdict, *at.conditions)
    return verdict


def _completed(question: Statement, witness: dict[str, str]) -> dict[str, str]:
    """The witness with a value for the symbols that have cancelled at the end, as y in 0*y."""
    lost = [s for s in question.symbols if s.name not in witness]
    there = question
    for s in question.symbols:
        if s.name in witness:
            there = there.at_end(s, parse(witness[s.name], {}))
    sides = (there.left, there.right, *there.partial[0], *there.partial[1])
    for point in there.domain.points(lost, _POINTS):
        if not any(undefined_at(e, point) for e in sides):
            return dict(sorted((witness | names_of(point)).items()))
    return witness


def _provided(verdict: Verdict, *conditions: str) -> Verdict:
    """The verdict under further conditions, each of them named once."""
    return replace(verdict, conditions=tuple(dict.fromkeys((*verdict.conditions, *conditions))))


def _equality(question: Statement) -> Verdict:
    elsewhere = _defined_on_one_side(question)
    if elsewhere is not None:
        return elsewhere
    try:
        verdict = is_zero(question.difference, question.domain.ranges)
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if verdict.refuted and question.domain.relations:
        return _refuted_inside(question)
    return _with_domain(question, verdict)


def _refuted_inside(question: Statement) -> Verdict:
    """A counterexample in a domain that no interval describes."""
    for point in question.domain.points(question.symbols, _POINTS):
        value = value_at(question.difference, point)
        if value is not None and not value.contains(0):
            return Verdict(
                Status.REFUTED,
                f"the difference is {value.str(10, radius=False)} there, enclosed away from zero",
                witness=names_of(point),
            )
    return Verdict(
        Status.UNDECIDED, "false beyond the domain; no counterexample was found inside of it"
    )


def _defined_on_one_side(question: Statement) -> Verdict | None:
    """REFUTED when one side has a real value at an exact point and the other has none."""
    sides = zip((question.left, question.right), question.partial, strict=True)
    found = [
        dict.fromkeys(f for e in (side, *typed) for f in partial_functions(e))
        for side, typed in sides
    ]
    if found[0].keys() == found[1].keys():
        # what has no value on one side has none on the other
        return None
    # where a function of both sides has no value, neither has one
    alone = [[f for f in side if f not in found[1 - i]] for i, side in enumerate(found)]
    for point in question.domain.points(question.symbols, _POINTS):
        for i, there in enumerate((question.left, question.right)):
            reason = first_undefined(alone[1 - i], point)
            if reason is None or first_undefined(found[i], point) is not None:
                continue
            value = value_at(there, point)
            if value is not None:
                return Verdict(
                    Status.REFUTED,
                    f"the {('left', 'right')[i]} side is {value.str(6, radius=False)} there and "
                    f"the {('right', 'left')[i]} side has no real value ({reason})",
                    witness=names_of(point),
                )
    return None


def _with_domain(question: Statement, verdict: Verdict) -> Verdict:
    """A proof is about points where both sides are defined; add that, unless it is everywhere."""
    if not verdict.proved:
        return verdict
    typed = (*question.partial[0], *question.partial[1])
    both, _ = unbounded(sp.Tuple(question.left, question.right, *typed), question.domain.ranges)
    if all(is_analytic(side, meromorphic=False) for side in both):
        return verdict
    return _provided(verdict, _DEFINED)


def _inequality(question: Statement) -> Verdict:
    strict = question.operator == ">"
    found = refute_sign(question.difference, question.domain, strict=strict)
    if found is not None:
        return found
    traded, _ = unbounded(question.difference, question.domain.ranges)
    reason = None
    try:
        if definite(question.difference, question.domain) == 1:
            reason = f"{question.difference} has a strict sign on the whole domain"
        else:
            reason = _by_constant(question)
        if reason is None:
            reason = positive(traded) if strict else nonnegative(traded) or positive(traded)
        if reason is None:
            reason = _from_domain(question)
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if reason is not None:
        return _with_domain(question, Verdict(Status.PROVED, reason))
    return Verdict(
        Status.UNDECIDED,
        "no strict sign was proved, and no exact point of the domain contradicts the statement",
    )


def _by_constant(question: Statement) -> str | None:
    """Sides that differ by a constant, or not at all."""
    constant = constant_value(question.difference, question.domain)
    if constant is None or constant < 0 or (constant == 0 and question.operator == ">"):
        return None
    return f"left - right is {constant} everywhere"


def _from_domain(question: Statement) -> str | None:
    """The difference is h + rest with h > 0 (or h >= 0) a relation of the domain and rest >= 0."""
    for operator, e in question.domain.relations:
        if operator in ("==", "!="):
            continue
        h = e if operator in (">", ">=") else -e
        difference = sp.expand(question.difference - h)
        if question.operator == ">" and "=" in operator:
            enough = definite(difference, question.domain) == 1
        else:
            enough = nonnegative(unbounded(difference, question.domain.ranges)[0]) is not None
        if enough:
            return f"the domain says {e} {operator} 0, and {question.difference} is not smaller"
    return None
