"""Signs that may touch zero: nonnegativity by structure, by regions and by derivatives."""

from __future__ import annotations

import sympy as sp
from flint import arb

from theory.claims.statement import Domain, Statement, value_at
from theory.errors import DomainError, UnsupportedFormula
from theory.exact.balls import Program, precision, sign_of_number
from theory.exact.budget import spent
from theory.exact.signs import is_analytic, sign_on
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["definite", "nonnegative", "not_equal", "refute_sign"]

_POINTS = 120


def refute_sign(e: sp.Expr, domain: Domain, *, strict: bool) -> Verdict | None:
    """An exact point of the domain where e < 0, or e = 0 when e > 0 was claimed."""
    for point in domain.points(sorted(e.free_symbols, key=lambda s: s.name), _POINTS):
        value = value_at(e, point)
        if value is None:
            continue
        names = {s.name: str(v) for s, v in point.items()}
        if value < 0:
            return Verdict(
                Status.REFUTED,
                f"left - right is {value.str(6, radius=False)} < 0 there",
                witness=names,
            )
        if strict and value.contains(0) and _vanishes_at(e, point):
            return Verdict(Status.REFUTED, "both sides are equal there", witness=names)
    return None


def _vanishes_at(e: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> bool:
    value = e.xreplace(point)
    if value.free_symbols or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return False
    return value == 0 or sign_of_number(value) == 0 or _is_zero(value)


def _is_zero(e: sp.Expr) -> bool:
    try:
        return is_zero(e, seconds=1.0).proved
    except (DomainError, UnsupportedFormula):
        return False


def definite(e: sp.Expr, domain: Domain) -> int | None:
    """The strict sign of e on the domain; roots must not touch zero either."""
    for power in e.atoms(sp.Pow):
        if not power.exp.is_integer and sign_on(power.base, domain.ranges) != 1:
            return None
    return sign_on(e, domain.ranges)


def not_equal(question: Statement) -> Verdict:
    """Whether two sides differ at every point."""
    e = question.difference
    for point in question.domain.points(question.symbols, _POINTS):
        value = value_at(e, point)
        if value is not None and value.contains(0) and _vanishes_at(e, point):
            return Verdict(
                Status.REFUTED,
                "both sides are equal there",
                witness={s.name: str(v) for s, v in point.items()},
            )
    if definite(e, question.domain) is not None:
        return Verdict(Status.PROVED, f"{e} has a strict sign on the whole domain")
    return Verdict(Status.UNDECIDED, "no strict sign, and no exact point where both sides agree")


def nonnegative(e: sp.Expr, depth: int = 4) -> str | None:
    """Why e >= 0 wherever it is defined, or None; the symbols carry their whole domain.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> nonnegative(sp.cosh(x) - 1) is None, nonnegative(sp.cosh(x) - 2) is None
    (False, True)
    """
    if e == 0:
        return "zero"
    if _structural(e):
        return "a sum of products of squares and positive functions"
    try:
        if sign_on(e) == 1:
            return "positive on the whole domain"
    except UnsupportedFormula:
        return None
    factored = sp.factor(e)
    if factored != e and _structural(factored):
        return "factors that are squares or positive functions"
    if not depth or spent():
        return None
    free = list(e.free_symbols)
    if len(free) != 1:
        return None
    (s,) = free
    if s.is_positive:
        return _from_zero(e, s, depth)
    if s.is_nonnegative or s.is_negative or s.is_nonpositive or s.is_integer:
        return None
    t = sp.Dummy(s.name, positive=True)
    middle = e.xreplace({s: sp.S.Zero})
    if not _nonnegative_number(middle):
        return None
    reasons = [nonnegative(e.xreplace({s: side * t}), depth - 1) for side in (1, -1)]
    if None in reasons:
        return None
    return f"for {s.name} > 0, {s.name} = 0 and {s.name} < 0 separately: {reasons[0]}"


def _nonnegative_number(e: sp.Expr) -> bool:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or e.free_symbols:
        return False
    sign = 0 if e == 0 else sign_of_number(e)
    return sign in (0, 1) or (sign is None and _is_zero(e))


def _from_zero(e: sp.Expr, t: sp.Symbol, depth: int) -> str | None:
    """e(0) >= 0 and e' >= 0 on (0, oo), with e smooth there and continuous at 0."""
    if not is_analytic(e, meromorphic=False) or e.has(sp.sign, sp.Piecewise, sp.floor):
        return None
    start = e.xreplace({t: sp.S.Zero})
    if not _nonnegative_number(start) or not _finite_near_zero(e, t):
        return None
    slope = sp.diff(e, t)
    reason = nonnegative(slope, depth - 1)
    return None if reason is None else f"nonnegative at 0, and its derivative is >= 0 ({reason})"


def _finite_near_zero(e: sp.Expr, t: sp.Symbol) -> bool:
    """Whether e has finite values on a closed interval around 0, hence is continuous there."""
    try:
        program = Program([e], [t])
    except UnsupportedFormula:
        return False
    with precision(128):
        value = program([arb(0, arb(2) ** -40)])[0]
    return isinstance(value, arb) and bool(value.is_finite())


def _structural(e: sp.Expr) -> bool:
    """Sums, products and even powers that cannot be negative where they are defined."""
    if e.is_Add:
        return all(_structural(a) for a in e.args)
    if e.is_number:
        return _nonnegative_number(e)
    if isinstance(e, sp.Abs) or (e.is_Symbol and e.is_nonnegative):
        return True
    if e.is_Pow and e.exp.is_Rational and (not e.exp.is_Integer or int(e.exp) % 2 == 0):
        # a power that is not an integer is defined for a nonnegative base only
        return True
    if e.is_Pow and e.base is not sp.E:
        return _structural(e.base)
    if e.is_Mul:
        return all(_structural(a) for a in e.args)
    try:
        return sign_on(e, depth=2) == 1
    except UnsupportedFormula:
        return False
