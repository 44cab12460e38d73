"""Verdicts on laws, mirror potentials, Legendre type and monotonicity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.coupled_law import coupled_conserved
from theory.claims.inequality import nonnegative, refute_sign
from theory.claims.statement import Domain, names_of, read_expression, undefined_at
from theory.errors import (
    AssumptionError,
    DomainError,
    FormulaError,
    UnknownName,
    UnsupportedFormula,
)
from theory.exact.assumptions import Ranges, between, parse_interval
from theory.exact.parsing import parse
from theory.exact.signs import is_analytic, sign_on, unbounded
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.conservation import conserved as _conserved
from theory.flow.conservation import lie_derivative
from theory.flow.coupled import CoupledModel
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.mirror.legendre import curve_interval
from theory.mirror.mirror_flow import MirrorFlow, mirror_flow

__all__ = [
    "conserved",
    "curve_hints",
    "function_on",
    "is_legendre",
    "is_mirror_potential",
    "legendre_hints",
    "monotone",
    "not_smooth",
    "potential_defect",
    "read_interval",
    "read_law",
    "weak_sign",
]


def _parametrization(flow: Any) -> Elementwise:
    if isinstance(flow, FlowModel):
        return flow.elementwise
    if isinstance(flow, Elementwise):
        return flow
    raise FormulaError(f"Expected a GradientFlow or an Elementwise but got {flow!r}.")


def conserved(
    law: Any,
    flow: FlowModel | Elementwise | CoupledModel,
    *,
    restriction: Sequence[Any] = (),
    data: Any = None,
) -> Verdict:
    """Whether a formula in the parameters is constant along the flow, for all data and losses.

    Parameters
    ----------
    law : sympy.Expr or str
    flow : GradientFlow, Elementwise, Coupled or Network
    restriction : sequence of sympy.Expr or str
        Polynomials that vanish at the start and, as is checked, along the flow.
    data : array of shape (n, d), optional
        For coupled flows: ask for these data only, and for all losses on them.

    Returns
    -------
    Verdict
        REFUTED with exact parameters at which the law moves, and the number of a component of the
        model along which it does.

    Raises
    ------
    FormulaError, UnknownName
        For a law that is no formula in the parameters.
    UnsupportedFormula
        For data of an elementwise flow.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> print(conserved("u**2 - v**2 - w**2", Coupled(["u*v", "u*w"], "u, v, w")).status)
    PROVED
    >>> conserved("u + v", Coupled(["u*v", "u*w"], "u, v, w")).witness["component"]
    '1'
    >>> flow = Elementwise("u**2 - v**2", "u, v")
    >>> print(conserved("u*v", flow).status)
    PROVED
    >>> print(conserved("u", Elementwise("u*v", "u, v"), restriction=["u - v"]).status)
    UNDECIDED
    """
    coupled = flow.parametrization if isinstance(flow, FlowModel) else flow
    if isinstance(coupled, CoupledModel):
        return coupled_conserved(
            read_law(law, coupled),
            coupled,
            restriction=[read_law(r, coupled) for r in restriction],
            data=data,
        )
    if data is not None:
        raise UnsupportedFormula(
            "data= is for coupled flows; the blocks of an elementwise one move apart."
        )
    rho = _parametrization(flow)
    expression = read_law(law, rho)
    verdict = _conserved(expression, rho)
    if verdict.proved or not restriction:
        return recorded(verdict, lambda: _law_claim(expression, rho))
    return _on_restriction(expression, [read_law(r, rho) for r in restriction], rho)


def _law_claim(
    law: sp.Expr, rho: Elementwise, restriction: Sequence[sp.Expr] = ()
) -> dict[str, Any]:
    return question_on(
        "conserved",
        (*rho.parameters, *rho.constants),
        Domain(rho.ranges),
        law=law,
        components=(rho.formula,),
        parameters=rho.parameters,
        rates=rho.rates,
        restriction=tuple(restriction),
    )


def read_law(law: Any, rho: Elementwise | CoupledModel) -> sp.Expr:
    """A formula in the parameters and the constants of a parametrization."""
    known = {s.name: s for s in (*rho.parameters, *rho.constants)}
    e, _ = read_expression(law, None, known)
    e = e.xreplace({s: known.get(s.name, s) for s in e.free_symbols})
    strange = sorted(s.name for s in e.free_symbols - set(known.values()))
    if strange:
        raise UnknownName(f"{e} contains {', '.join(strange)}, which {rho} does not.")
    return e


def _on_restriction(law: sp.Expr, restriction: list[sp.Expr], rho: Elementwise) -> Verdict:
    """The rate of the law as a combination of polynomials that stay zero."""
    rate = lie_derivative(law, rho)
    polynomials = [r for r in restriction if r.is_polynomial(*rho.parameters)]
    factors = {r: f for r in polynomials if (f := _factor_of_rate(r, rho)) is not None}
    stay = list(factors)
    if stay and rate.is_polynomial(*rho.parameters):
        quotients, remainder = sp.reduced(rate, stay, *rho.parameters)
        combination = sum((q * r for q, r in zip(quotients, stay, strict=True)), sp.S.Zero)
        if remainder == 0 and sp.expand(rate - combination) == 0:
            verdict = Verdict(
                Status.PROVED,
                f"its rate is a combination of {', '.join(map(str, stay))}, which stay zero",
                conditions=tuple(f"{r} = 0 at the start" for r in stay),
            )
            return recorded(
                verdict,
                lambda: _law_claim(law, rho, stay),
                lambda: {
                    "quotients": [term_of(q) for q in quotients],
                    "factors": [term_of(f) for f in factors.values()],
                },
            )
    return Verdict(Status.UNDECIDED, f"its rate {rate} was not reduced to zero by the restriction")


def _factor_of_rate(r: sp.Expr, rho: Elementwise) -> sp.Expr | None:
    """The polynomial q with r' = q r along the curve: what is zero at the start then stays zero."""
    rate = lie_derivative(r, rho)
    if not rate.is_polynomial(*rho.parameters):
        return None
    quotients, remainder = sp.reduced(rate, [r], *rho.parameters)
    exact = remainder == 0 and sp.expand(rate - quotients[0] * r) == 0
    return quotients[0] if exact else None


def is_legendre(flow: FlowModel | Elementwise, start: Mapping[Any, Any]) -> Verdict:
    """Whether the mirror potential of a start is of Legendre type on the reachable interval.

    Examples
    --------
    >>> print(is_legendre(Elementwise("u**2 - v**2", "u, v"), {"u": 1, "v": 1}).status)
    PROVED
    """
    mirror = mirror_flow(_parametrization(flow), start)
    if not mirror.curve.stays_in_ranges():
        return Verdict(Status.UNDECIDED, _leaves(mirror))
    return recorded(
        mirror.is_legendre, lambda: _legendre_claim(mirror), lambda: _hints_without_roots(mirror)
    )


def _legendre_claim(mirror: MirrorFlow) -> dict[str, Any]:
    rho = mirror.rho
    given = (rho.formula, *rho.rates, *mirror.start)
    return question_on(
        "legendre",
        set(rho.parameters).union(*(e.free_symbols for e in given)),
        Domain(rho.ranges),
        component=rho.formula,
        parameters=rho.parameters,
        rates=rho.rates,
        start=mirror.start,
    )


def legendre_hints(mirror: MirrorFlow) -> dict[str, Any]:
    """The curve and its dual variable, for a certificate.

    Raises
    ------
    UnsupportedFormula
        Where one of them has no closed form.
    """
    curve = mirror.curve
    if curve.dual is None or curve.dual.has(sp.Integral):
        raise UnsupportedFormula("The dual variable has no closed form.")
    return curve_hints(mirror) | {"dual": term_of(curve.dual)}


def _hints_without_roots(mirror: MirrorFlow) -> dict[str, Any]:
    """The hints in r with s = r^m, where the curve has fractional powers of s > 0.

    Limits at s = 0 then are values of functions that are smooth there.
    """
    hints, curve = legendre_hints(mirror), mirror.curve
    assert curve.s is not None and curve.theta is not None and curve.dual is not None
    assert curve.rate is not None and curve.s_start is not None
    powers = sp.Tuple(*curve.theta, curve.rate, curve.dual).atoms(sp.Pow)
    m = sp.ilcm(1, 1, *(e.exp.q for e in powers if e.base == curve.s and e.exp.is_Rational))
    lower, upper = curve_interval(curve)
    if m == 1 or lower != 0 or upper is None:
        return hints
    r, named = sp.Dummy(positive=True), sp.Symbol(curve.s.name, positive=True)

    def moved(e: sp.Expr, factor: sp.Expr = sp.S.One) -> Any:
        return term_of((factor * e.xreplace({curve.s: r**m})).xreplace({r: named}))

    root = sp.Rational(1, m)
    return hints | {
        "range": [0, None if upper.is_infinite else term_of(upper**root)],
        "begin": term_of(curve.s_start**root),
        "theta": [moved(e) for e in curve.theta],
        "rate": moved(curve.rate, m * r ** (m - 1)),
        "dual": moved(curve.dual),
    }


def _dual_hints(mirror: MirrorFlow) -> dict[str, Any]:
    """The curve, and its dual variable if that has a closed form."""
    try:
        return legendre_hints(mirror)
    except UnsupportedFormula:
        return curve_hints(mirror)


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
    found = potential_defect(F, mirror)
    if found is None:
        return _on_all_leaves(F, mirror)
    try:
        verdict = is_zero(*found)
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if verdict.refuted and not _counts(verdict, mirror):
        return Verdict(Status.UNDECIDED, f"F''(x) M is not 1 somewhere, but {_leaves(mirror)}")
    alone = len(mirror.start) == 1 and not mirror.curve.stays_in_ranges()
    leaves = {"leaves": True} if alone else {}
    return recorded(
        verdict, lambda: _potential_claim(F, mirror), lambda: _dual_hints(mirror) | leaves
    )


def _counts(verdict: Verdict, mirror: MirrorFlow) -> bool:
    """Whether the parameters are in their declared ranges at the witness, and on the way to it.

    A single parameter never turns back; of several, the flow may leave the ranges and return, so
    that only what fails at the start counts.
    """
    curve = mirror.curve
    witness = dict(verdict.witness or {})
    symbols = {s.name: s for s in curve.ranges} | {
        s.name: s for e in curve.theta or () for s in e.free_symbols
    }
    at = {symbols[name]: parse(value, {}) for name, value in witness.items() if name in symbols}
    if curve.s is not None and curve.s_start is not None and curve.s not in at:
        # a difference that is the same along the whole curve
        at[curve.s] = curve.s_start.subs(at)
    if curve.stays_in_ranges():
        return True
    near = len(mirror.start) == 1 or (curve.s is not None and curve.s.name not in witness)
    return near and curve.stays_in_ranges(at)


def _leaves(mirror: MirrorFlow) -> str:
    """Where the curve was not proved to stay."""
    rho = mirror.rho
    ranges = [(s, *rho.range_of(s)) for s in rho.parameters if rho.has_range(s)]
    kept = " and ".join(f"{s} in ({lower}, {upper})" for s, lower, upper in ranges)
    return f"the flow was not proved to keep {kept}; declare parameters that leave a range as real"


def _potential_claim(F: Any, mirror: MirrorFlow) -> dict[str, Any]:
    potential, x = _potential(F, mirror)
    rho = mirror.rho
    given = (potential, rho.formula, *rho.rates, *mirror.start)
    symbols = set(rho.parameters).union(*(e.free_symbols for e in given)) - {x}
    return question_on(
        "mirror_potential",
        symbols,
        Domain(rho.ranges),
        potential=potential,
        variables=(x,),
        component=rho.formula,
        parameters=rho.parameters,
        rates=rho.rates,
        start=mirror.start,
    )


def curve_hints(mirror: MirrorFlow) -> dict[str, Any]:
    """The parametric form of the curve of a coordinate, for a certificate."""
    curve = mirror.curve
    if curve.s is None or curve.theta is None or curve.rate is None or curve.s_start is None:
        raise UnsupportedFormula("The curve has no parametric form.")
    lower, upper = curve_interval(curve)
    ends = curve.s_range if lower is None or upper is None else (lower, upper)
    return {
        "name": curve.s.name,
        "range": [None if e.is_infinite else term_of(e) for e in ends],
        "begin": term_of(curve.s_start),
        "theta": [term_of(e) for e in curve.theta],
        "rate": term_of(curve.rate),
    }


def potential_defect(F: Any, mirror: MirrorFlow) -> tuple[sp.Expr, Ranges] | None:
    """F''(x) M - 1 along the dual curve, with the ranges of its symbols.

    None where the curve has no parametric form.
    """
    hessian, x = _hessian(F, mirror)
    curve = mirror.curve
    if curve.s is None or curve.x is None or curve.dual is None:
        return None
    speed = sp.diff(curve.x, curve.s)
    clock = sp.diff(curve.dual, curve.s).doit(integrals=False)
    return hessian.xreplace({x: curve.x}) * speed / clock - 1, curve.ranges


def _hessian(F: Any, mirror: MirrorFlow) -> tuple[sp.Expr, sp.Symbol]:
    """F'' and the variable of F."""
    expression, x = _potential(F, mirror)
    return sp.diff(expression, x, 2), x


def _potential(F: Any, mirror: MirrorFlow) -> tuple[sp.Expr, sp.Symbol]:
    """F and its variable."""
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
    return expression, variables[0]


def _positive(mirror: MirrorFlow) -> bool:
    lower = mirror.reach[0]
    return lower is not None and bool(lower.is_nonnegative)


def _on_all_leaves(F: Any, mirror: MirrorFlow) -> Verdict:
    """Without a parametric form: F''(rho(theta)) M(theta) = 1 for all theta would suffice."""
    rho, (hessian, x) = mirror.rho, _hessian(F, mirror)
    verdict = is_zero(hessian.xreplace({x: rho.formula}) * rho.metric() - 1, rho.ranges)
    if verdict.proved:
        return verdict
    return Verdict(
        Status.UNDECIDED, "the dual curve is known as an ODE only, and not all leaves agree"
    )


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
    expression, variable, domain = function_on(f, on, x, assume)
    verdict = _monotone(expression, variable, domain, direction)
    return recorded(
        verdict,
        lambda: question_on(
            "monotone",
            expression.free_symbols | {variable},
            domain,
            function=expression,
            variables=(variable,),
            direction=direction,
        ),
    )


def _monotone(expression: sp.Expr, variable: sp.Symbol, domain: Domain, direction: str) -> Verdict:
    slope = sp.diff(expression, variable)
    answers = []
    for word, sign in (("increasing", 1), ("decreasing", -1)):
        if direction in ("any", word):
            verdict = weak_sign(expression, sign * slope, domain, "f'" if sign == 1 else "-f'")
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


def function_on(
    f: Any, on: tuple[Any, Any] | str, x: sp.Symbol | str | None, assume: Mapping[Any, str] | None
) -> tuple[sp.Expr, sp.Symbol, Domain]:
    """A function of one variable, and the domain of the variable and of the constants."""
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
    symbol, interval = between(variable.name, *read_interval(on))
    ranges = {k: v for k, v in ranges.items() if k != variable}
    if interval is not None:
        ranges[symbol] = interval
    return expression.xreplace({variable: symbol}), symbol, Domain(ranges)


def read_interval(on: Any) -> tuple[sp.Expr, sp.Expr]:
    """The ends of an open interval that is given as text or as a pair."""
    if isinstance(on, str):
        return parse_interval(on)
    try:
        lower, upper = (sp.sympify(e, strict=True) for e in on)
    except (TypeError, ValueError):
        raise AssumptionError(
            f"Expected an interval such as '(0, oo)' or a pair of numbers but got {on!r}."
        ) from None
    return lower, upper


def weak_sign(f: sp.Expr, derivative: sp.Expr, domain: Domain, name: str) -> Verdict:
    """Whether a derivative of f is nonnegative, and f smooth, on the domain."""
    rough = not_smooth(f, domain)
    if rough is not None:
        return rough
    if derivative == 0:
        return Verdict(Status.PROVED, f"{name} = 0")
    refuted = refute_sign(derivative, domain, strict=False)
    if refuted is not None:
        return refuted
    try:
        if sign_on(derivative, domain.ranges) == 1:
            return Verdict(Status.PROVED, f"{name} = {derivative} > 0")
        reason = nonnegative(unbounded(derivative, domain.ranges)[0])
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if reason is not None:
        return Verdict(Status.PROVED, f"{name} = {derivative} >= 0: {reason}")
    return Verdict(Status.UNDECIDED, f"the sign of {name} = {derivative}")


def not_smooth(f: sp.Expr, domain: Domain) -> Verdict | None:
    """UNDECIDED where f was not proved to be smooth on the whole domain.

    Raises
    ------
    DomainError
        For a point of the domain where f has no real value.
    """
    symbols = sorted(f.free_symbols, key=str)
    # in several variables the simple points do not show all signs of the first ones
    points = domain.points(symbols, 24 if len(symbols) < 2 else 400)
    undefined = next((p for p in points if undefined_at(f, p)), None)
    if undefined is not None:
        where = ", ".join(f"{k} = {v}" for k, v in names_of(undefined).items())
        raise DomainError(
            f"{f} has no real value at {where}; choose the interval within its domain."
        )
    if not is_analytic(unbounded(f, domain.ranges)[0], meromorphic=False):
        return Verdict(Status.UNDECIDED, f"{f} was not proved to be smooth on the whole domain")
    return None
