r"""Lyapunov functions: formulas that do not increase along a gradient flow.

One coordinate moves by $\theta' = -g\,P\nabla\rho(\theta)$, where g is its entry of the gradient of
the loss in x. A formula V in its parameters changes at the rate $-g\,\mathcal{L}V$ with the Lie
derivative $\mathcal{L}V = \nabla V^T P\,\nabla\rho$. Without data both signs of g occur.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sympy as sp

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.enclosed_flow import (
    Blocks,
    check_question,
    numbered,
    residuals,
    vector_field,
)
from theory.claims.inequality import nonnegative
from theory.claims.properties import conserved
from theory.claims.statement import Domain, Point, names_of, read_expression, value_at
from theory.errors import DataError, DomainError, FormulaError, UnknownName, UnsupportedFormula
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.budget import spent, time_budget
from theory.exact.initial_data import read_number
from theory.exact.signs import is_analytic, unbounded
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.conservation import lie_derivative
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.flow.parametrization import Elementwise
from theory.numeric.objective import compile_objective
from theory.numeric.problem import Regression

__all__ = ["decreases"]

_MOST = 64
"""Parameters up to which the rate is written down as a formula."""
_SIMPLE, _POINTS = 60, 600
"""Exact points at which an increase is looked for."""


def decreases(
    V: Any, flow: FlowModel, problem: Regression | None = None, *, seconds: float = 10.0
) -> Verdict:
    r"""Whether a formula never increases along the flow, from any start.

    Parameters
    ----------
    V : sympy.Expr or str
        A formula in the parameters of one coordinate, or the word ``"loss"`` for the summed loss.
    flow : GradientFlow
        Of an elementwise parametrization.
    problem : Regression, optional
        The data; V is then summed over the coordinates. Without data the statement is about every
        loss, link and data set, and only a conserved V has no data that lift it. The entries of
        the data stand for the decimals that they print as.
    seconds : float
        Time for the search of a proof.

    Returns
    -------
    Verdict
        REFUTED with exact parameters at which V increases (without data: at which its rate is not
        zero, so that data with the other sign of g lift it).

    Raises
    ------
    FormulaError, UnknownName
        For a V that is no formula in the parameters, and for a flow that is not elementwise.
    DataError
        For more than 64 parameters, and for targets that the loss is not made for.

    Examples
    --------
    >>> from theory import Elementwise, GradientFlow
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> print(decreases("u*v", flow).status, decreases("u**2 + v**2", flow).status)
    PROVED REFUTED
    >>> print(decreases("u**2 + v**2", flow, Regression([[1, 2]], [0])).status)
    PROVED
    >>> print(decreases("u**2 + v**2", flow, Regression([[1, 2]], [1])).status)
    REFUTED
    """
    if problem is not None:
        check_question(flow, problem)
    elif not isinstance(flow, FlowModel):
        raise FormulaError(f"Expected a GradientFlow but got {flow!r}.")
    names = {s.name for s in (*flow.elementwise.parameters, *flow.elementwise.constants)}
    with time_budget(seconds):
        if isinstance(V, str) and V.strip() == "loss" and "loss" not in names:
            if problem is not None:
                # refuses targets that do not fit
                compile_objective(flow, problem.y)
            return recorded(_loss(flow), lambda: _loss_claim(flow))
        law = _read_formula(V, flow)
        return _for_all_data(law, flow) if problem is None else _on_data(law, flow, problem)


def _loss_claim(flow: FlowModel) -> dict[str, Any]:
    value = flow.loss.at_predictor(flow.link)
    slope = flow.loss.gradient_in_predictor(flow.link)
    rates = flow.elementwise.rates
    symbols = {PREDICTOR}.union(*(e.free_symbols for e in (value, slope, *rates)))
    return question_on(
        "loss_decreases",
        symbols,
        Domain({**_loss_ranges(flow), **flow.elementwise.ranges}),
        loss=value,
        slope=slope,
        variables=(PREDICTOR,),
        rates=rates,
    )


def _data_claim(
    law: sp.Expr, flow: FlowModel, problem: Regression, blocks: Blocks, domain: Domain
) -> dict[str, Any]:
    rho, loss = flow.elementwise, flow.loss
    slope = loss.gradient_in_predictor(flow.link)
    numbered = {s for block in blocks for s in block}
    return question_on(
        "decreases",
        numbered | set(rho.constants),
        domain,
        law=law,
        component=rho.formula,
        parameters=[s.name for s in rho.parameters],
        rates=rho.rates,
        slopes=[slope.xreplace({loss.target: read_number(y, "y")}) for y in problem.y],
        variables=(PREDICTOR,),
    ) | {"matrix": [[term_of(read_number(a, "A")) for a in row] for row in problem.dense]}


def _read_formula(V: Any, flow: FlowModel) -> sp.Expr:
    rho = flow.elementwise
    known = {s.name: s for s in (*rho.parameters, *rho.constants)}
    expression, _ = read_expression(V, None, known)
    expression = expression.xreplace({s: known.get(s.name, s) for s in expression.free_symbols})
    strange = sorted(s.name for s in expression.free_symbols - set(known.values()))
    if strange:
        raise UnknownName(f"{expression} contains {', '.join(strange)}, which {rho} does not.")
    return expression


def _for_all_data(law: sp.Expr, flow: FlowModel) -> Verdict:
    try:
        verdict = conserved(law, flow)
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error))
    if verdict.refuted:
        return Verdict(
            Status.REFUTED,
            f"its rate along P grad rho is not zero ({verdict.method}); data with the other sign "
            "of the gradient reverse it",
            witness=verdict.witness,
            record=verdict.record,
        )
    if verdict.proved:
        return replace(verdict, method=f"it is conserved: {verdict.method}")
    return verdict


def _loss(flow: FlowModel) -> Verdict:
    r"""The summed loss, from the derivative of one sample.

    With $r = q'(z)$ the flow is $\theta' = -P J^T A^T r$ and the loss changes at the rate
    $r^T A J \theta' = -\|P^{1/2} J^T A^T r\|^2$. This needs that r, as the flow has it, is the
    derivative of the loss.
    """
    loss, link = flow.loss, flow.link
    value = loss.at_predictor(link)
    slope = loss.gradient_in_predictor(link)
    try:
        verdict = is_zero(sp.diff(value, PREDICTOR) - slope, _loss_ranges(flow))
    except (DomainError, UnsupportedFormula) as error:
        return Verdict(Status.UNDECIDED, str(error))
    if not verdict.proved:
        return Verdict(
            Status.UNDECIDED,
            f"{slope} was not proved to be the derivative of the loss {value}",
            digits=verdict.digits,
        )
    return Verdict(
        Status.PROVED,
        f"its rate is -|P^(1/2) J^T A^T r|^2 with r = {slope}, the derivative of the loss of one "
        f"sample ({verdict.method})",
        conditions=_where_finite(flow),
    )


def _loss_ranges(flow: FlowModel) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
    """Where the loss of one sample is asked about, in the predictor and the target."""
    loss, link = flow.loss, flow.link
    ranges = {}
    t = loss.targets
    if (t.lower, t.upper) != (-sp.oo, sp.oo) and t.values is None:
        ranges[loss.target] = (t.lower, t.upper)
    if (loss.on == "predictor" or link.formula == PREDICTOR) and loss.domain != (-sp.oo, sp.oo):
        ranges[PREDICTOR] = loss.domain
    return ranges


def _where_finite(flow: FlowModel) -> tuple[str, ...]:
    loss, link = flow.loss, flow.link
    ends = (-sp.oo, sp.oo) if loss.on == "predictor" else link.range
    inside = loss.domain == (-sp.oo, sp.oo) or (link.monotone.proved and ends == loss.domain)
    return () if inside else ("the flow stays where the loss is finite",)


def _on_data(law: sp.Expr, flow: FlowModel, problem: Regression) -> Verdict:
    """The sign of the rate of the sum of V over the coordinates, as a formula."""
    rho, d = flow.elementwise, problem.d
    if d * len(rho.parameters) > _MOST:
        raise DataError(
            f"Expected at most {_MOST} parameters but got {d * len(rho.parameters)}; ask on fewer "
            "columns."
        )
    compile_objective(flow, problem.y)
    always = _for_all_data(law, flow)
    if always.proved:
        return always
    blocks = numbered(rho, d)
    taken = {s.name for s in rho.constants}
    if any(s.name in taken for block in blocks for s in block):
        raise FormulaError(f"The constants {', '.join(sorted(taken))} clash with numbered names.")
    matrix, _, slopes = residuals(flow, rho, problem, blocks)
    rate = lie_derivative(law, rho)
    rates = [rate.xreplace(dict(zip(rho.parameters, block, strict=True))) for block in blocks]
    # -dV/dt, sample by sample
    terms = [
        r * sp.Add(*(a * e for a, e in zip(row, rates, strict=True)))
        for row, r in zip(matrix, slopes, strict=True)
    ]
    fall = sp.Add(*terms)
    positive = vector_field(flow, rho, problem, blocks)[1]
    domain = _domain(rho, blocks, positive)
    point = _rises(fall, domain, positive)
    if point is not None:
        value = value_at(fall, point)
        assert value is not None
        risen = Verdict(
            Status.REFUTED,
            f"V increases there: dV/dt = {(-value).str(6, radius=False)}",
            witness=names_of(point),
        )
        return recorded(risen, lambda: _data_claim(law, flow, problem, blocks, domain))
    reason = _reason(fall, terms, domain)
    if reason is None:
        return Verdict(
            Status.UNDECIDED,
            "no exact point with dV/dt > 0 was found, and -dV/dt >= 0 was not proved",
        )
    conditions = list(_where_finite(flow))
    if not is_analytic(law, ranges=rho.ranges, meromorphic=False):
        conditions.append(f"the flow stays where {law} is defined and differentiable")
    fallen = Verdict(Status.PROVED, f"-dV/dt >= 0: {reason}", conditions=tuple(conditions))
    return recorded(fallen, lambda: _data_claim(law, flow, problem, blocks, domain))


def _domain(rho: Elementwise, blocks: Blocks, positive: list[sp.Expr]) -> Domain:
    """Every parameter in its range, and the means where the loss is finite."""
    ranges = {s: ends for s, ends in rho.ranges.items() if s not in rho.parameters}
    for block in blocks:
        copy = dict(zip(rho.parameters, block, strict=True))
        ranges |= {copy[s]: ends for s, ends in rho.ranges.items() if s in copy}
    return Domain(ranges, tuple((">", e) for e in positive))


def _rises(fall: sp.Expr, domain: Domain, positive: list[sp.Expr]) -> Point | None:
    """An exact point of the domain where a ball proves that dV/dt > 0."""
    symbols = sorted(fall.free_symbols.union(*(e.free_symbols for e in positive)), key=str)
    try:
        program = Program([fall, *positive], symbols)
    except UnsupportedFormula:
        return None
    candidates = itertools.chain(
        domain.points(symbols, _SIMPLE), itertools.islice(_scattered(symbols, domain), _POINTS)
    )
    for point in candidates:
        if spent():
            return None
        with precision(256):
            value, *watched = program([rational_ball(point[s]) for s in symbols])
            if value < 0 and value.is_finite() and all(w > 0 for w in watched):
                return point
    return None


def _scattered(symbols: list[sp.Symbol], domain: Domain) -> Iterator[Point]:
    """Rational points of the ranges at many scales: the region may be a thin shell."""
    rng = random.Random(11)
    traded, back = unbounded(sp.Tuple(*symbols), domain.ranges)
    free = sorted(traded.free_symbols, key=str)
    while True:
        scale = sp.Rational(2) ** rng.randint(-7, 4)
        at: Point = {}
        for s in free:
            value = sp.Integer(rng.randint(-16, 16)) / 8
            if s.is_positive or s.is_nonnegative:
                value = abs(value) or sp.Rational(1, 16)
            elif s.is_negative or s.is_nonpositive:
                value = -abs(value) or -sp.Rational(1, 16)
            at[s] = sp.Integer(rng.randint(1, 6)) if s.is_integer else value * scale
        point = {s: back[s].xreplace(at) if s in back else at[s] for s in symbols}
        if domain.contains(point):
            yield point


def _reason(fall: sp.Expr, terms: list[sp.Expr], domain: Domain) -> str | None:
    """Why -dV/dt >= 0 on the whole domain: as one formula, or sample by sample."""
    if fall == 0 or sp.expand(fall) == 0:
        return "it is zero"
    try:
        reasons = [nonnegative(unbounded(e, domain.ranges)[0]) for e in terms]
        if None not in reasons:
            return f"for each sample: {reasons[0]}"
        return nonnegative(unbounded(fall, domain.ranges)[0])
    except UnsupportedFormula:
        return None
