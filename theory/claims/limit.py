"""Verdicts on limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.reader import Reader
from theory.claims.statement import Domain, names_of, undefined_at, value_at
from theory.errors import DomainError, FormulaError, UnsupportedFormula
from theory.exact.budget import time_budget
from theory.exact.limit_proofs import proved_limit, tends_to
from theory.exact.limits import certified_limit
from theory.exact.signs import is_analytic
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["limit_is"]

_DEFINED = "the expression is defined near the point"


def limit_is(
    expr: Any,
    x: sp.Symbol | str,
    point: Any,
    value: Any,
    assume: Mapping[Any, str] | None = None,
    *,
    dir: str = "+-",
    seconds: float = 10.0,
) -> Verdict:
    """Whether an expression tends to a value, for all values of its other symbols.

    Parameters
    ----------
    expr : sympy.Expr or str
    x : sympy.Symbol or str
        The variable.
    point : sympy.Expr, number or str
        Where the variable tends to; ``"oo"`` and ``"-oo"`` are infinities.
    value : sympy.Expr, number or str
        The claimed limit; it may be an infinity.
    assume : mapping from name to str, optional
        Assumptions on the other symbols, which are real otherwise.
    dir : {"+-", "+", "-"}
        SymPy's directions: from both sides, from above, from below. Infinities have one side.
    seconds : float
        Time for the search of a proof.

    Examples
    --------
    >>> print(limit_is("a*tanh(t)", "t", "oo", "a", assume={"a": "positive"}).status)
    PROVED
    >>> print(limit_is("sin(t)/t", "t", 0, 1).status)
    PROVED
    >>> print(limit_is("1/t", "t", 0, "oo").status)
    REFUTED
    """
    if dir not in ("+-", "+", "-"):
        raise FormulaError(f"Expected dir '+-', '+' or '-' but got {dir!r}.")
    reader = Reader(assume, x)
    e, p = reader.expression(expr), reader.end(point, "a point")
    target = reader.end(value, "a value")
    domain = reader.domain()
    s = sp.Dummy(reader.name, real=True)
    e = reader.bind(e, s)
    if p.is_infinite:
        directions: tuple[str, ...] = ("-" if p is sp.oo else "+",)
    else:
        directions = tuple(dir)[::-1] if dir == "+-" else (dir,)
    with time_budget(seconds):
        verdicts = [_one_side(e, s, p, d, target, domain) for d in directions]
        for symbol, end in domain.closed:
            verdicts += _at_end(e, s, p, directions, target, domain, symbol, end)
    return recorded(
        _together(verdicts),
        lambda: question_on(
            "limit", (e.free_symbols | p.free_symbols | target.free_symbols) - {s}, domain,
            function=e, variables=(reader.name,), to=p, direction=dir, value=target,
        ) | {"closed": [[symbol.name, term_of(end)] for symbol, end in domain.closed]},
    )  # fmt: skip


def _together(verdicts: list[Verdict]) -> Verdict:
    for status in (Status.REFUTED, Status.UNDECIDED):
        for v in verdicts:
            if v.status is status:
                return v
    conditions = tuple(dict.fromkeys(c for v in verdicts for c in v.conditions))
    return Verdict(Status.PROVED, verdicts[0].method, conditions)


def _at_end(
    e: sp.Expr,
    s: sp.Symbol,
    p: sp.Expr,
    directions: tuple[str, ...],
    target: sp.Expr,
    domain: Domain,
    symbol: sp.Symbol,
    end: sp.Expr,
) -> list[Verdict]:
    """The same question at an end that belongs to the domain of a parameter."""
    parts = [part.xreplace({symbol: end}) for part in (e, p, target)]
    if any(part.has(sp.nan, sp.zoo) for part in parts):
        return [Verdict(Status.UNDECIDED, f"no finite formula at {symbol} = {end}", digits=0)]
    there = Domain({k: v for k, v in domain.ranges.items() if k != symbol})
    out = []
    for d in directions:
        v = _one_side(parts[0], s, parts[1], d, parts[2], there)
        witness = (v.witness or {}) | {symbol.name: str(end)} if v.refuted else None
        out.append(Verdict(v.status, v.method, v.conditions, witness, v.digits))
    return out


def _one_side(
    e: sp.Expr, s: sp.Symbol, p: sp.Expr, direction: str, target: sp.Expr, domain: Domain
) -> Verdict:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return Verdict(Status.UNDECIDED, f"{e} is not finite", digits=0)
    try:
        defined = is_analytic(e, ranges=_nearby(s, p, direction, domain), meromorphic=False)
    except UnsupportedFormula:
        defined = False
    if not defined:
        outside = _undefined_near(e, s, p, direction, domain)
        if outside is not None:
            return Verdict(Status.UNDECIDED, f"no real values on that side: {outside}", digits=0)
    conditions = () if defined else (_DEFINED,)
    if target.is_finite is not False:
        reason = tends_to(e, s, p, direction, target)
        if reason is not None:
            return Verdict(Status.PROVED, reason)
    found = proved_limit(e, s, p, direction, domain.ranges)
    if found is not None:
        return _compared(found, target, domain, conditions)
    return _supported(e, s, p, direction, target)


def _undefined_near(
    e: sp.Expr, s: sp.Symbol, p: sp.Expr, direction: str, domain: Domain
) -> str | None:
    """Why the expression has no real value at an exact point close by."""
    step = sp.Rational(1, 1009)
    near = sp.S.One / step if p is sp.oo else -1 / step
    if not p.is_infinite:
        near = p + step if direction == "+" else p - step
    there = e.xreplace({s: near})
    if there.has(sp.nan, sp.zoo, sp.I):
        return f"{e} at {near}"
    symbols = sorted(there.free_symbols, key=lambda q: q.name)
    for point in domain.points(symbols, 4):
        reason = undefined_at(there, point)
        if reason is not None:
            return reason
    return None


def _nearby(s: sp.Symbol, p: sp.Expr, direction: str, domain: Domain) -> dict[Any, Any]:
    step = sp.Rational(1, 1000)
    if p is sp.oo:
        interval = (sp.Integer(1000), sp.oo)
    elif p == -sp.oo:
        interval = (-sp.oo, sp.Integer(-1000))
    else:
        interval = (p, p + step) if direction == "+" else (p - step, p)
    return {**domain.ranges, s: interval}


def _compared(
    found: sp.Expr, target: sp.Expr, domain: Domain, conditions: tuple[str, ...]
) -> Verdict:
    """The verdict when the limit is known."""
    method = f"the limit is {found}, by the rules of limits"
    if found == target:
        return Verdict(Status.PROVED, method, conditions)
    if found.is_infinite or target.is_infinite:
        where = _some_point(found, target, domain)
        if where is None or conditions:
            return Verdict(Status.UNDECIDED, method + ", at points where it is defined", digits=0)
        return Verdict(Status.REFUTED, method, witness=where)
    try:
        same = is_zero(found - target, domain.ranges)
    except (DomainError, UnsupportedFormula) as error:
        return Verdict(Status.UNDECIDED, f"{method}; {error}", digits=0)
    if same.proved:
        return Verdict(Status.PROVED, f"{method}; {same.method}", (*same.conditions, *conditions))
    if same.refuted and not conditions:
        return Verdict(Status.REFUTED, f"{method}; {same.method}", witness=same.witness)
    return Verdict(Status.UNDECIDED, method, digits=same.digits or 0)


def _some_point(found: sp.Expr, target: sp.Expr, domain: Domain) -> dict[str, str] | None:
    """A point of the parameters at which a finite side has a value."""
    finite = [v for v in (found, target) if not v.is_infinite]
    symbols = sorted({s for v in finite for s in v.free_symbols}, key=lambda s: s.name)
    for point in domain.points(symbols, 12):
        if all(value_at(v, point) is not None for v in finite):
            return names_of(point)
    return None


def _supported(e: sp.Expr, s: sp.Symbol, p: sp.Expr, direction: str, target: sp.Expr) -> Verdict:
    """No proof: how far the proposal of SymPy, checked in balls, agrees with the claim."""
    checked = certified_limit(e, s, p, direction)
    if checked is None:
        return Verdict(Status.UNDECIDED, "no limit was proved, and none could be checked", digits=0)
    method = f"no limit was proved; ball arithmetic supports {checked.value}"
    agree = checked.value == target
    if not agree and checked.value.is_finite and target.is_finite is not False:
        try:
            agree = is_zero(checked.value - target).proved
        except (DomainError, UnsupportedFormula):
            agree = False
    digits = checked.certificate.verdict.digits if agree else 0
    return Verdict(Status.UNDECIDED, method, digits=digits or 0)
