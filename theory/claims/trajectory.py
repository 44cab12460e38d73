r"""Certified statements about one trajectory: where it is at a time, and how far a law drifts.

The flow of exact data is enclosed by a validated Taylor method in ball arithmetic
(`theory.exact.trajectory`). What the balls do not decide, and what lies beyond a run that had to
stop, is UNDECIDED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.enclosed_flow import (
    check_question,
    enclose,
    numbered,
    vector_field,
    with_numbers,
)
from theory.claims.statement import Domain
from theory.errors import DataError, DomainError, UnsupportedFormula
from theory.exact.balls import enclose as ball_of
from theory.exact.balls import precision, sign_of_number
from theory.exact.initial_data import read_ball, read_formulas, read_number, read_rational
from theory.exact.verdict import Status, Verdict
from theory.flow.conservation import conserved
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.flow.parametrization import Elementwise
from theory.numeric.problem import Regression
from theory.numeric.start import read_constants

__all__ = ["drift_at_most", "enclose", "passes"]


def passes(
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    t: Any,
    box: Mapping[Any, Any],
    **options: Any,
) -> Verdict:
    """Whether the flow is in a box at a time.

    Parameters
    ----------
    flow, problem, start, t, **options
        As for `enclose`. For a start with intervals the statement is about every start in them.
    box : mapping
        From the index of a coordinate of x, from a parameter (all its coordinates), or from a pair
        of a parameter and a coordinate, to a closed interval ``(lower, upper)`` of exact numbers,
        which may be infinite, or to a ``sympy.Interval``.

    Raises
    ------
    DataError
        For a box that names what is not there, or with an empty interval.

    Examples
    --------
    >>> from theory import Elementwise, GradientFlow
    >>> flow, problem = GradientFlow(Elementwise("u**2", "u")), Regression([[1]], [1])
    >>> print(passes(flow, problem, {"u": 0.1}, 2, {0: (0.9, 1)}).status)
    PROVED
    >>> print(passes(flow, problem, {"u": 0.1}, 1, {"u": (0.6, sp.oo)}))
    REFUTED: an enclosure of the flow is outside of the box at u[0] = [0.59..., t = 1
    """
    check_question(flow, problem)
    wanted = _read_box(flow, problem, box)
    run = enclose(flow, problem, start, t, **options)
    record = {"steps": len(run.trajectory.steps), "bits": run.trajectory.bits}
    if not run.success:
        return Verdict(Status.UNDECIDED, run.message, record=record)

    def answered(verdict: Verdict) -> Verdict:
        return _recorded(verdict, lambda: _box_claim(flow, problem, start, t, wanted))

    state, open_questions = run.at(t), []
    with precision(run.trajectory.bits):
        for name, (key, i), interval in wanted:
            value = state.x[i] if key is None else state.theta[key][i]
            inside = _inside(value, interval)
            if inside is False:
                outside = Verdict(
                    Status.REFUTED,
                    "an enclosure of the flow is outside of the box",
                    witness={name: value.str(20), "t": str(state.t)},
                    record=record,
                )
                return answered(outside)
            if inside is None:
                open_questions.append(f"{name} = {value.str(20)}")
    if open_questions:
        reason = "the enclosure overlaps the boundary of the box: " + ", ".join(open_questions)
        return Verdict(Status.UNDECIDED, reason, record=record)
    reason = f"an enclosure of the flow at t = {state.t} lies in the box"
    return answered(Verdict(Status.PROVED, reason, record=record))


def drift_at_most(
    law: Any,
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    t: Any,
    bound: Any,
    **options: Any,
) -> Verdict:
    r"""Whether $|C(\theta_i(s)) - C(\theta_i(0))|$ is at most a bound for all $s \le t$ and i.

    Parameters
    ----------
    law : sympy.Expr or str
        C, in the parameters of one coordinate; it need not be conserved.
    flow, problem, start, t, **options
        As for `enclose`. For a start with intervals the statement is about every start in them.
    bound : exact number
        At least 0.

    Raises
    ------
    UnknownName
        For a law with symbols that the parametrization does not have.
    DomainError
        For a negative bound.

    Examples
    --------
    >>> from theory import Elementwise, GradientFlow
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> problem = Regression([[1, 2]], [1])
    >>> print(drift_at_most("u*v", flow, problem, {"u": 0.1, "v": 0.1}, 2, 0).status)
    PROVED
    >>> print(drift_at_most("u + v", flow, problem, {"u": 0.1, "v": 0.1}, 2, 0.1).status)
    REFUTED
    """
    check_question(flow, problem)
    most = read_number(bound, "bound")
    if sign_of_number(most) == -1:
        raise DomainError(f"Expected a bound >= 0 but got bound = {bound!r}.")
    expression = _read_law(law, flow)
    verdict = _drift(expression, flow, problem, start, t, most, options)
    return _recorded(
        verdict,
        lambda: _flow_claim(
            "drift", flow, problem, start, t, bound=most,
            law=expression.xreplace(read_constants(flow.elementwise, start)),
        ),
    )  # fmt: skip


def _drift(
    expression: sp.Expr,
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    t: Any,
    most: sp.Expr,
    options: Mapping[str, Any],
) -> Verdict:
    run = enclose(flow, problem, start, t, **options)
    expression = expression.xreplace(read_constants(flow.elementwise, start))
    record = {"steps": len(run.trajectory.steps), "bits": run.trajectory.bits}
    try:
        drifts = run.law(expression).drift
    except UnsupportedFormula as error:
        return Verdict(Status.UNDECIDED, str(error), record=record)
    with precision(run.trajectory.bits):
        limit = ball_of(most, {})
        for i, drift in enumerate(drifts):
            if drift.is_finite() and drift.lower() > limit:
                return Verdict(
                    Status.REFUTED,
                    f"an enclosure of the drift up to t = {run.t} exceeds the bound",
                    witness={f"drift of {expression} at coordinate {i}": drift.str(20)},
                    record=record,
                )
        if not run.success:
            return Verdict(Status.UNDECIDED, run.message, record=record)
        if all(drift.is_finite() and drift.upper() <= limit for drift in drifts):
            largest = max((drift.upper() for drift in drifts), key=float)
            return Verdict(
                Status.PROVED, f"the drift is at most {largest.str(6, radius=False)}", record=record
            )
    symbolic = conserved(expression, run.parametrization)
    if symbolic.proved and not symbolic.conditions:
        return Verdict(Status.PROVED, f"the law is conserved: {symbolic.method}", record=record)
    found = ", ".join(drift.str(10) for drift in drifts)
    return Verdict(Status.UNDECIDED, f"the enclosures of the drift are {found}", record=record)


# -------------------------------------------------------------------------------------------------
# the claim
# -------------------------------------------------------------------------------------------------


def _recorded(verdict: Verdict, claim: Callable[[], dict[str, Any]]) -> Verdict:
    """The verdict with its claim, next to what its record says already."""
    made = recorded(verdict, claim)
    return replace(made, record={**verdict.record, **made.record})


def _flow_claim(
    ask: str,
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    t: Any,
    **entries: Any,
) -> dict[str, Any]:
    rho = with_numbers(flow.elementwise, read_constants(flow.elementwise, start))
    blocks = numbered(rho, problem.d)
    slope = flow.loss.gradient_in_predictor(flow.link)
    claim = question_on(
        ask,
        [s for block in blocks for s in block],
        Domain({}, tuple((">", e) for e in vector_field(flow, rho, problem, blocks)[1])),
        component=rho.formula,
        parameters=[s.name for s in rho.parameters],
        rates=rho.rates,
        slopes=[slope.xreplace({flow.loss.target: read_number(y, "y")}) for y in problem.y],
        variables=(PREDICTOR,),
        end=read_rational(t, "t"),
        **entries,
    )
    matrix = [[term_of(read_number(a, "A")) for a in row] for row in problem.dense]
    return claim | {"matrix": matrix, "start": _start_terms(rho, start, problem.d)}


def _start_terms(rho: Elementwise, start: Mapping[Any, Any], d: int) -> list[list[list[Any]]]:
    """A closed interval for each parameter of each coordinate."""
    by_name = {str(getattr(key, "name", key)): value for key, value in start.items()}
    columns = []
    for s in rho.parameters:
        given = by_name[s.name]
        many = isinstance(given, list | tuple | np.ndarray) and np.ndim(given) > 0
        columns.append([_ends(v, s.name) for v in (list(given) if many else [given] * d)])
    return [[column[i] for column in columns] for i in range(d)]


def _ends(value: Any, name: str) -> list[Any]:
    if isinstance(value, arb):
        raise UnsupportedFormula("A claim says exact starts, and intervals between them.")
    pair = (value.start, value.end) if isinstance(value, sp.Interval) else (value, value)
    return [term_of(read_number(v, name)) for v in pair]


def _box_claim(
    flow: FlowModel, problem: Regression, start: Mapping[Any, Any], t: Any, wanted: list[Target]
) -> dict[str, Any]:
    rho = with_numbers(flow.elementwise, read_constants(flow.elementwise, start))
    blocks = numbered(rho, problem.d)
    conditions = []
    for _, (key, i), interval in wanted:
        copy = dict(zip(rho.parameters, blocks[i], strict=True))
        value = (rho.formula if key is None else rho.parameters[_index(flow, key)]).xreplace(copy)
        for (end, is_open), side in zip(interval, (1, -1), strict=True):
            if end.is_finite:
                conditions.append(
                    [">" if is_open else ">=", term_of(side * (value - read_number(end, "box")))]
                )
    return _flow_claim("passes", flow, problem, start, t) | {"box": conditions}


def _index(flow: FlowModel, key: sp.Symbol) -> int:
    return [s.name for s in flow.elementwise.parameters].index(key.name)


# -------------------------------------------------------------------------------------------------
# what the caller writes
# -------------------------------------------------------------------------------------------------


def _read_law(law: Any, flow: FlowModel) -> sp.Expr:
    rho = flow.elementwise
    known = {s.name: s for s in (*rho.parameters, *rho.constants)}
    if isinstance(law, sp.Expr):
        law = law.xreplace({s: known.get(s.name, s) for s in law.free_symbols})
    return read_formulas([law], known)[0]


Ends = tuple[tuple[sp.Expr, bool], tuple[sp.Expr, bool]]
"""The lower and the upper end of an interval, each with whether it is left out."""
Target = tuple[str, tuple[sp.Symbol | None, int], Ends]


def _read_box(flow: FlowModel, problem: Regression, box: Mapping[Any, Any]) -> list[Target]:
    """Each condition as (name, parameter or None for x with the coordinate, interval)."""
    if not isinstance(box, Mapping) or not box:
        raise DataError(f"Expected a mapping from coordinates to intervals but got {box!r}.")
    parameters = {s.name: s for s in flow.elementwise.parameters}
    out: list[Target] = []
    for key, given in box.items():
        name, index = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        interval = _read_interval(given, key)
        if isinstance(name, int) and not isinstance(name, bool) and index is None:
            symbol, index = None, name
        else:
            symbol = parameters.get(str(getattr(name, "name", name)))
            if symbol is None:
                raise DataError(
                    f"The box names {key!r}; expected an index of x, a parameter of "
                    f"{', '.join(parameters)}, or a pair of both."
                )
        if index is not None and not (isinstance(index, int) and 0 <= index < problem.d):
            raise DataError(f"Expected a coordinate from 0 to {problem.d - 1} but got {key!r}.")
        for i in range(problem.d) if index is None else (index,):
            out.append((f"{'x' if symbol is None else symbol}[{i}]", (symbol, i), interval))
    return out


def _read_interval(given: Any, key: Any) -> Ends:
    if isinstance(given, sp.Interval):
        return (given.start, bool(given.left_open)), (given.end, bool(given.right_open))
    try:
        lower, upper = given
    except (TypeError, ValueError):
        raise DataError(f"Expected a pair (lower, upper) for {key!r} but got {given!r}.") from None
    ends = [
        v
        if v in (sp.oo, -sp.oo)
        else sp.oo * v
        if v in (np.inf, -np.inf)
        else read_number(v, "box")
        for v in (lower, upper)
    ]
    gap = ends[1] - ends[0]
    if ends[0] is sp.oo or ends[1] is -sp.oo or (gap.is_finite and sign_of_number(gap) == -1):
        raise DataError(f"Expected lower <= upper for {key!r} but got {given!r}.")
    return (ends[0], False), (ends[1], False)


def _inside(value: arb, interval: Ends) -> bool | None:
    """Whether all of a ball is in an interval, or none of it; None for neither."""
    if not value.is_finite():
        return None
    inside: bool | None = True
    for (end, is_open), side in zip(interval, (1, -1), strict=True):
        if not end.is_finite:
            continue
        bound = read_ball(end, "box")
        gap = side * (value - bound)
        if gap < 0 or (is_open and gap <= 0):
            return False
        if not (gap > 0 or (not is_open and gap >= 0)):
            inside = None
    return inside
