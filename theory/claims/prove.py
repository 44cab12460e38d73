"""Verdicts on identities, inequalities, and on the properties that the theory is about.

PROVED and REFUTED are exact: a normal form, a strict sign on the whole domain, or an exact point
whose values are enclosed by balls. Everything else is UNDECIDED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from theory.claims.inequality import definite, nonnegative, not_equal, refute_sign
from theory.claims.statement import (
    Domain,
    Point,
    Statement,
    read_expression,
    read_statement,
    value_at,
)
from theory.errors import DomainError, FormulaError, UnsupportedFormula
from theory.exact.assumptions import parse_interval
from theory.exact.balls import precision
from theory.exact.budget import time_budget
from theory.exact.signs import is_analytic, sign_on, unbounded
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.conservation import conserved as _conserved
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.mirror.mirror_flow import MirrorFlow, mirror_flow

__all__ = ["conserved", "convex", "is_legendre", "is_mirror_potential", "monotone", "prove"]

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
        if question.operator == "==":
            return _equality(question)
        if question.operator == "!=":
            return _with_domain(question, not_equal(question))
        return _inequality(question)


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
                witness=_names(point),
            )
    return Verdict(
        Status.UNDECIDED, "false beyond the domain; no counterexample was found inside of it"
    )


def _defined_on_one_side(question: Statement) -> Verdict | None:
    """REFUTED when one side has a real value at an exact point and the other has none."""
    for point in question.domain.points(question.symbols, _POINTS):
        for there, gone in (
            (question.left, question.right),
            (question.right, question.left),
        ):
            reason = _undefined(gone, point)
            if reason is None or _undefined(there, point) is not None:
                continue
            value = value_at(there, point)
            if value is not None:
                return Verdict(
                    Status.REFUTED,
                    f"{there} is {value.str(6, radius=False)} there and {gone} has no real value "
                    f"({reason})",
                    witness=_names(point),
                )
    return None


def _undefined(e: sp.Expr, point: Point) -> str | None:
    """Why an expression certainly has no real value at an exact point; None when it may have one.

    Division by zero does not count: an identity is about all points that are not poles.
    """
    if e.has(sp.Piecewise):
        return None
    for node in sp.preorder_traversal(e):
        if isinstance(node, sp.log):
            argument, low, high = node.args[0], 0, None
        elif node.is_Pow and not node.exp.is_integer and not node.base.is_positive:
            exponent = node.exp.xreplace(point)
            if not exponent.is_Rational or exponent.is_Integer:
                continue
            argument, low, high = node.base, 0, None
        elif isinstance(node, sp.asin | sp.acos | sp.atanh):
            argument, low, high = node.args[0], -1, 1
        elif isinstance(node, sp.acosh):
            argument, low, high = node.args[0], 1, None
        else:
            continue
        value = value_at(argument, point)
        if value is not None and (value < low or (high is not None and value > high)):
            return f"{node} of {value.str(6, radius=False)}"
    return None


def _with_domain(question: Statement, verdict: Verdict) -> Verdict:
    """A proof is about points where both sides are defined; add that, unless it is everywhere."""
    if not verdict.proved:
        return verdict
    both, _ = unbounded(sp.Tuple(question.left, question.right), question.domain.ranges)
    if all(is_analytic(side, meromorphic=False) for side in both):
        return verdict
    return Verdict(verdict.status, verdict.method, (*verdict.conditions, _DEFINED))


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
        elif not strict:
            reason = nonnegative(traded)
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


def _from_domain(question: Statement) -> str | None:
    """left - right = h + rest with h > 0 (or h >= 0) a relation of the domain and rest >= 0."""
    for operator, e in question.domain.relations:
        if operator in ("==", "!=") or (question.operator == ">" and "=" in operator):
            continue
        h = e if operator in (">", ">=") else -e
        rest, _ = unbounded(sp.expand(question.difference - h), question.domain.ranges)
        if nonnegative(rest) is not None:
            return f"the domain says {e} {operator} 0, and {question.difference} is not smaller"
    return None


def _names(point: Point) -> dict[str, str]:
    return {s.name: str(v) for s, v in point.items()}


# -- properties of flows ---------------------------------------------------------------------------


def _parametrization(flow: Any) -> Elementwise:
    if isinstance(flow, FlowModel):
        return flow.parametrization
    if isinstance(flow, Elementwise):
        return flow
    raise FormulaError(f"Expected a GradientFlow or an Elementwise but got {flow!r}.")


def conserved(law: Any, flow: FlowModel | Elementwise) -> Verdict:
    """Whether a formula in the parameters is constant along the flow, for all data and losses.

    Examples
    --------
    >>> flow = Elementwise("u**2 - v**2", "u, v")
    >>> print(conserved("u*v", flow).status)
    PROVED
    """
    rho = _parametrization(flow)
    known = {s.name: s for s in (*rho.parameters, *rho.constants)}
    expression, _ = read_expression(law, None, known)
    expression = expression.xreplace({s: known.get(s.name, s) for s in expression.free_symbols})
    return _conserved(expression, rho)


def is_legendre(flow: FlowModel | Elementwise, start: Mapping[Any, Any]) -> Verdict:
    """Whether the mirror potential of a start is of Legendre type on the reachable interval.

    Examples
    --------
    >>> print(is_legendre(Elementwise("u**2 - v**2", "u, v"), {"u": 1, "v": 1}).status)
    PROVED
    """
    return mirror_flow(_parametrization(flow), start).is_legendre


def is_mirror_potential(F: Any, flow: FlowModel | Elementwise, start: Mapping[Any, Any]) -> Verdict:
    """Whether F''(x) M = 1 along the dual curve of a start.

    Parameters
    ----------
    F : sympy.Expr or str
        In one variable besides the constants of the formula and the start.
    flow : GradientFlow or Elementwise
    start : mapping from parameter to its start

    Examples
    --------
    >>> flow = Elementwise("u**2", "u")
    >>> print(is_mirror_potential("(x*log(x) - x)/4", flow, start={"u": 1}).status)
    PROVED
    >>> print(is_mirror_potential("x*log(x) - x", flow, start={"u": 1}).status)
    REFUTED
    """
    mirror = mirror_flow(_parametrization(flow), start)
    known = {s.name: s for e in (*mirror.start, *mirror.rho.rates) for s in e.free_symbols}
    known |= {s.name: s for s in mirror.rho.constants}
    if isinstance(F, str) and "x" not in known:
        known["x"] = (
            sp.Symbol("x", positive=True) if _positive(mirror) else sp.Symbol("x", real=True)
        )
    expression, _ = read_expression(F, None, known)
    expression = expression.xreplace({s: known.get(s.name, s) for s in expression.free_symbols})
    constants = set(known.values()) - {known.get("x")}
    variables = [s for s in expression.free_symbols if s not in constants]
    if len(variables) != 1:
        raise FormulaError(
            f"Expected a potential in one variable but got {expression} with "
            f"{', '.join(sorted(s.name for s in variables)) or 'none'}."
        )
    (x,) = variables
    hessian = sp.diff(expression, x, 2)
    curve = mirror.curve
    if curve.s is None or curve.x is None or curve.dual is None:
        return _on_all_leaves(hessian, x, mirror)
    speed = sp.diff(curve.x, curve.s)
    clock = sp.diff(curve.dual, curve.s).doit(integrals=False)
    try:
        return is_zero(hessian.xreplace({x: curve.x}) * speed / clock - 1, curve.ranges)
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))


def _positive(mirror: MirrorFlow) -> bool:
    lower = mirror.reach[0]
    return lower is not None and bool(lower.is_nonnegative)


def _on_all_leaves(hessian: sp.Expr, x: sp.Symbol, mirror: MirrorFlow) -> Verdict:
    """Without a parametric form: F''(rho(theta)) M(theta) = 1 for all theta would suffice."""
    rho = mirror.rho
    verdict = is_zero(hessian.xreplace({x: rho.formula}) * rho.metric() - 1, rho.ranges)
    if verdict.proved:
        return verdict
    return Verdict(
        Status.UNDECIDED, "the dual curve is known as an ODE only, and not all leaves agree"
    )


# -- convexity and monotonicity --------------------------------------------------------------------


def convex(
    F: Any,
    on: tuple[Any, Any] | str = "(-oo, oo)",
    *,
    x: sp.Symbol | str | None = None,
    assume: Mapping[Any, str] | None = None,
) -> Verdict:
    """Whether a function of one variable is convex on an open interval.

    Examples
    --------
    >>> print(convex("x*log(x) - x", on="(0, oo)").status)
    PROVED
    >>> print(convex("x**4 - x**2", on="(-1, 1)").status)
    REFUTED
    """
    f, variable, domain = _function(F, on, x, assume)
    return _weak_sign(f, sp.diff(f, variable, 2), domain, "F''")


def monotone(
    f: Any,
    on: tuple[Any, Any] | str = "(-oo, oo)",
    *,
    x: sp.Symbol | str | None = None,
    direction: str = "any",
    assume: Mapping[Any, str] | None = None,
) -> Verdict:
    """Whether a function of one variable increases (or decreases) on an open interval.

    Parameters
    ----------
    direction : {"any", "increasing", "decreasing"}

    Examples
    --------
    >>> print(monotone("x**3 + x").status)
    PROVED
    >>> print(monotone("x**2").status)
    REFUTED
    """
    if direction not in ("any", "increasing", "decreasing"):
        raise FormulaError(
            f"Expected direction 'any', 'increasing' or 'decreasing' but got {direction!r}."
        )
    expression, variable, domain = _function(f, on, x, assume)
    slope = sp.diff(expression, variable)
    answers = []
    for word, sign in (("increasing", 1), ("decreasing", -1)):
        if direction in ("any", word):
            verdict = _weak_sign(expression, sign * slope, domain, "f'" if sign == 1 else "-f'")
            if verdict.proved:
                return Verdict(verdict.status, f"{word}: {verdict.method}", verdict.conditions)
            answers.append(verdict)
    if all(v.refuted for v in answers):
        witness = dict(answers[0].witness or {})
        if len(answers) == 2:
            witness = {f"{k} (falls)": v for k, v in witness.items()}
            witness |= {f"{k} (rises)": v for k, v in (answers[1].witness or {}).items()}
        return Verdict(Status.REFUTED, "f' has the wrong sign there", witness=witness)
    return next(v for v in answers if not v.refuted)


def _function(
    f: Any, on: tuple[Any, Any] | str, x: sp.Symbol | str | None, assume: Mapping[Any, str] | None
) -> tuple[sp.Expr, sp.Symbol, Domain]:
    expression, ranges = read_expression(f, assume)
    constants = {getattr(k, "name", k) for k in assume or {}}
    free = sorted(expression.free_symbols, key=lambda s: s.name)
    if x is not None:
        name = getattr(x, "name", x)
        chosen = [s for s in free if s.name == name]
    else:
        chosen = [s for s in free if s.name not in constants] or free
        chosen = chosen if len(chosen) == 1 else [s for s in free if s.name == "x"]
    if len(chosen) != 1:
        raise FormulaError(
            f"Cannot tell the variable of {expression}; give it by x=, and constants by assume=."
        )
    (variable,) = chosen
    if isinstance(on, str):
        lower, upper = parse_interval(on)
    else:
        lower, upper = (sp.sympify(e) for e in on)
    # the interval alone says where the variable lives
    if lower.is_nonnegative:
        symbol = sp.Symbol(variable.name, positive=True)
    elif upper.is_nonpositive:
        symbol = sp.Symbol(variable.name, negative=True)
    else:
        symbol = sp.Symbol(variable.name, real=True)
    ranges = {k: v for k, v in ranges.items() if k != variable}
    if (lower, upper) not in ((sp.S.Zero, sp.oo), (-sp.oo, sp.S.Zero), (-sp.oo, sp.oo)):
        ranges[symbol] = (lower, upper)
    return expression.xreplace({variable: symbol}), symbol, Domain(ranges)


def _weak_sign(f: sp.Expr, derivative: sp.Expr, domain: Domain, name: str) -> Verdict:
    """Whether a derivative of f is nonnegative, and f smooth, on the domain."""
    smooth, _ = unbounded(f, domain.ranges)
    undefined = next(
        (p for p in domain.points(sorted(f.free_symbols, key=str), 24) if _undefined(f, p)), None
    )
    if undefined is not None:
        raise DomainError(
            f"{f} has no real value at "
            f"{', '.join(f'{k} = {v}' for k, v in _names(undefined).items())}; choose the interval "
            "within its domain."
        )
    if not is_analytic(smooth, meromorphic=False):
        return Verdict(Status.UNDECIDED, f"{f} was not proved to be smooth on the whole interval")
    if derivative == 0:
        return Verdict(Status.PROVED, f"{name} = 0")
    refuted = refute_sign(derivative, domain, strict=False)
    if refuted is not None:
        return refuted
    try:
        if sign_on(derivative, domain.ranges) == 1:
            return Verdict(Status.PROVED, f"{name} = {derivative} > 0")
        with precision(128):
            reason = nonnegative(unbounded(derivative, domain.ranges)[0])
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if reason is not None:
        return Verdict(Status.PROVED, f"{name} = {derivative} >= 0: {reason}")
    return Verdict(Status.UNDECIDED, f"the sign of {name} = {derivative}")
