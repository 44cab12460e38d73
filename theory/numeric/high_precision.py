r"""The gradient flow to any number of digits: Taylor steps in ball arithmetic.

Every step starts from exact numbers, the midpoints of the balls before; Arb tracks the rounding
within the step, and what the polynomial misses at its end measures the truncation. In the dual form
with the squared loss, $\nu' = -\nabla G(\nu)$ with a convex G, errors do not grow, and the sum over
all steps is the estimate of the error. Other flows are computed twice, the second time with more
digits and another order, and the difference is the estimate. The lengths of the steps are dyadic,
so that time itself is exact.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from flint import arb, fmpq
from numpy.typing import NDArray

from theory.errors import DataError, DomainError
from theory.exact.balls import precision
from theory.flow.gradient_flow import FlowModel
from theory.mirror.taylor import to_mpf
from theory.numeric.arb_flow import ArbFlow, Ended, StepLog
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.exact_input import exact_value
from theory.numeric.objective import compile_objective
from theory.numeric.problem import Regression
from theory.numeric.start import Start

__all__ = ["HighPrecisionFlow", "Objects", "integrate_digits", "largest", "state_at_one"]

Objects = NDArray[np.object_]
_BITS_PER_DIGIT = 3.3219280948873626


@dataclass(frozen=True, eq=False)
class HighPrecisionFlow:
    """A trajectory to many digits, with the names of `theory.numeric.integrate.FlowResult`.

    Parameters
    ----------
    t : tuple of sympy.Rational
        The times of the output, exactly.
    theta : ndarray of mpmath.mpf, shape (k, d, nt)
    x : ndarray of mpmath.mpf, shape (d, nt)
    loss : ndarray of mpmath.mpf, shape (nt,)
    radius : mpmath.mpf
        The largest rounding radius of x that ball arithmetic tracked.
    error : mpmath.mpf
        Estimate of the largest error of x, rounding and truncation together; it is no proof.
    digits : int
        What was asked for.
    success : bool
        Whether the end is reached and `error` is below ``10**-digits`` of the largest x.
    status : int
        0: the end of the time span; -1: failure.
    message : str
    steps, order : int
    mode : {"dual", "primal"}
    estimate : {"contraction", "comparison"}
        Where `error` comes from: the steps of a contracting flow, or two runs.
    """

    t: tuple[sp.Rational, ...]
    theta: Objects
    x: Objects
    loss: Objects
    radius: mpmath.mpf
    error: mpmath.mpf
    digits: int
    success: bool
    status: int
    message: str
    steps: int
    order: int
    mode: str
    estimate: str


def integrate_digits(
    model: FlowModel,
    problem: Regression,
    start: Start,
    t: Any,
    dps: int,
    *,
    t_eval: Sequence[Any] | None = None,
    mode: str = "auto",
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    max_seconds: float = 60.0,
) -> HighPrecisionFlow:
    """Integrate the flow of `model` on `problem` from `start` to `dps` digits.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
        Exact rationals keep their value; floats are the binary fractions that they are.
    start : mapping from parameter to a number, text, or d of them
        Read without rounding; ``"0.1"`` is a tenth, ``0.1`` the float next to it.
    t : number or pair of numbers
        The end, or both ends, of the time span.
    dps : int
        Digits of x relative to its largest entry, from 15 to 1000.
    t_eval : sequence of numbers, optional
        Times of the output, increasing; the ends of the time span unless given.
    mode : {"auto", "primal", "dual"}
        The dual form needs a closed form of the curve, and is taken where there is one.
    closed_form : ClosedForm or mapping, optional
    max_seconds : float
        Budget of one run; a run that exceeds it ends with ``success=False``.

    Raises
    ------
    DomainError
        For an empty or infinite time span, times outside of it, and an unknown mode.
    DataError
        For digits, times or data that are not numbers of the kind expected.
    StartError
        For a start outside of the domain, or one that is no number.
    UnsupportedFormula
        For a formula without a Taylor recurrence.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2", "u"))
    >>> run = integrate_digits(model, Regression([[1]], [1]), {"u": "0.5"}, 1, 40)
    >>> with mpmath.workdps(50):
    ...     exact = 1 / (1 + 3 * mpmath.exp(-4))
    ...     run.success, bool(abs(run.x[0, -1] - exact) <= run.error), bool(run.error < 1e-40)
    (True, True, True)
    """
    if isinstance(dps, bool) or not isinstance(dps, int) or not 15 <= dps <= 1000:
        raise DataError(f"Expected an integer dps from 15 to 1000 but got dps = {dps!r}.")
    if mode not in ("auto", "primal", "dual"):
        raise DomainError(f"Expected mode 'auto', 'primal' or 'dual' but got {mode!r}.")
    if not max_seconds > 0:
        raise DataError(f"Expected max_seconds > 0 but got max_seconds = {max_seconds!r}.")
    begin, end = _time_span(t)
    times = _times(t_eval, begin, end)
    # refuses targets that the loss is not made for, and constants without values
    compile_objective(model, problem.y)
    if closed_form is not None and not isinstance(closed_form, ClosedForm):
        closed_form = ClosedForm.from_mapping(closed_form, model.elementwise)
    deadline = time.monotonic() + max_seconds
    with precision(round((dps + 40) * _BITS_PER_DIGIT)):
        flow = ArbFlow(model, problem, start, closed_form, mode)
        if flow.contracts:
            return _contracting(flow, begin, times, dps, deadline, max_seconds)
        return _compared(flow, begin, times, dps, deadline, max_seconds)


def _contracting(
    flow: ArbFlow, begin: fmpq, times: list[fmpq], dps: int, deadline: float, seconds: float
) -> HighPrecisionFlow:
    """One run: what the steps miss adds up."""
    guard = 8
    # the misses are measured against one another, and a short run cannot miss a target by much
    for attempt in range(3):
        run = _march(flow, begin, times, dps + guard, deadline, seconds)
        error = run.log.missed * flow.sensitivity(run.states) + run.radius
        if run.message or error <= run.scale * arb(10) ** (-dps) or attempt == 2:
            break
        guard += 8 + _digits(error / run.scale) + dps
    return _result(flow, run, dps, error, "contraction")


def _compared(
    flow: ArbFlow, begin: fmpq, times: list[fmpq], dps: int, deadline: float, seconds: float
) -> HighPrecisionFlow:
    """Two runs of different digits and order, which must agree."""
    guard = 8
    for attempt in range(3):
        first = _march(flow, begin, times, dps + guard, deadline, seconds)
        second = _march(flow, begin, times, dps + guard + 6, deadline, seconds)
        error = second.radius
        for a, b in zip(first.states, second.states, strict=False):
            error = error.max(largest([x - y for x, y in zip(flow.x(a), flow.x(b), strict=True)]))
        failed = first.message or second.message
        if failed or error <= second.scale * arb(10) ** (-dps) or attempt == 2:
            break
        # the flow amplified what a step misses
        guard += 8 + _digits(error / second.scale) + dps
    return _result(flow, second, dps, error, "comparison")


@dataclass(frozen=True)
class _Run:
    times: list[fmpq]
    states: list[list[arb]]
    log: StepLog
    order: int
    message: str
    radius: arb
    scale: arb


def _march(
    flow: ArbFlow, begin: fmpq, times: list[fmpq], digits: int, deadline: float, seconds: float
) -> _Run:
    order = max(20, round(1.15 * digits))
    log = StepLog()
    message = ""
    states: list[list[arb]] = []
    with precision(round((digits + 12) * _BITS_PER_DIGIT)):
        try:
            for state in flow.march(begin, times, digits * _BITS_PER_DIGIT, order, log, deadline):
                states.append(state)
        except Ended as end:
            message = str(end)
        except TimeoutError:
            message = f"the time budget of {seconds:g} s is used up"
        values = [flow.x(s) for s in states]
        radius = largest([arb(x.rad()) for row in values for x in row])
        scale = largest([x for row in values for x in row])
    if scale == 0:
        scale = arb(1)
    return _Run(times[: len(states)], states, log, order, message, radius, scale)


def _result(flow: ArbFlow, run: _Run, dps: int, error: arb, estimate: str) -> HighPrecisionFlow:
    good = bool(error <= run.scale * arb(10) ** (-dps))
    if run.message:
        reached = float(arb(run.log.time).mid())
        message = f"Stopped near t = {reached:.10g}: {run.message}."
    elif good:
        message = "The end of the time span is reached."
    else:
        message = "The end of the time span is reached, but not to the digits asked for."
    # what is written down is rounded once more
    written = dps + 5
    error = error + run.scale * arb(10) ** (-written)
    k, d = len(flow.start), flow.d
    theta = np.empty((k, d, len(run.states)), dtype=object)
    x = np.empty((d, len(run.states)), dtype=object)
    loss = np.empty(len(run.states), dtype=object)
    for m, state in enumerate(run.states):
        values = flow.x(state)
        for i in range(d):
            x[i, m] = to_mpf(values[i], written)
        for j, row in enumerate(flow.theta(state)):
            for i in range(d):
                theta[j, i, m] = to_mpf(row[i], written)
        loss[m] = to_mpf(flow.loss(values), written)
    return HighPrecisionFlow(
        t=tuple(sp.Rational(int(s.p), int(s.q)) for s in run.times),
        theta=theta,
        x=x,
        loss=loss,
        radius=to_mpf(run.radius, 15),
        error=to_mpf(error.abs_upper(), 15),
        digits=dps,
        success=good and not run.message,
        status=0 if good and not run.message else -1,
        message=message,
        steps=run.log.steps,
        order=run.order,
        mode="dual" if flow.dual else "primal",
        estimate=estimate,
    )


def state_at_one(flow: ArbFlow, digits: int) -> list[list[arb]] | None:
    """The parameters at time 1 as midpoints, or None where the flow has ended before."""
    run = _march(flow, fmpq(0), [fmpq(1)], digits, time.monotonic() + 60.0, 60.0)
    return flow.theta(run.states[0]) if run.states else None


def largest(values: Sequence[arb]) -> arb:
    """An upper bound of the sizes of some balls."""
    out = arb(0)
    for v in values:
        out = out.max(arb(v.abs_upper()))
    return out


def _digits(ratio: arb) -> int:
    """Decimal digits of a positive ratio, negative for a small one."""
    return round(float(ratio.abs_upper().log().mid()) / 2.302585) if ratio > 0 else 0


def _time_span(t: Any) -> tuple[fmpq, fmpq]:
    pair = tuple(t) if isinstance(t, tuple | list) else (0, t)
    if t is None or len(pair) != 2:
        raise DomainError(f"Expected t as a number or a pair (t0, t1) but got {t!r}.")
    begin, end = (_rational(s, "t") for s in pair)
    if not begin < end:
        raise DomainError(f"Expected t0 < t1 but got t = {t!r}.")
    return begin, end


def _times(t_eval: Sequence[Any] | None, begin: fmpq, end: fmpq) -> list[fmpq]:
    if t_eval is None:
        return [begin, end]
    if isinstance(t_eval, str) or np.ndim(t_eval) != 1 or len(t_eval) == 0:
        raise DomainError(f"Expected t_eval as a list of times but got {t_eval!r}.")
    times = [_rational(s, "t_eval") for s in t_eval]
    if any(not begin <= s <= end for s in times) or any(b < a for a, b in pairwise(times)):
        raise DomainError(f"Expected increasing t_eval within the time span but got {t_eval!r}.")
    return times


def _rational(value: Any, name: str) -> fmpq:
    number = exact_value(value, name)
    if not number.is_Rational:
        raise DataError(f"Expected a rational number {name} but got {value!r}.")
    return fmpq(int(number.p), int(number.q))
