"""A flow in ball arithmetic: its state, its power series, and the march from time to time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sympy as sp
from flint import arb, arb_poly, fmpq

from theory.errors import StartError, UnsupportedFormula
from theory.exact.balls import Program
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.numeric.arb_step import Step, dyadic
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.exact_input import exact_data, exact_start
from theory.numeric.problem import Regression
from theory.numeric.series_arb import TapeSeries, dot
from theory.numeric.start import Start, parameter_range, read_constants
from theory.numeric.tape import make_tape

__all__ = ["ArbFlow", "Ended", "StepLog"]


class Ended(ArithmeticError):
    """The flow does not go on, or its series does not."""


@dataclass
class StepLog:
    """What a march did: steps, the last time, and the sum of what the steps missed."""

    steps: int = 0
    time: fmpq = field(default_factory=lambda: fmpq(0))
    missed: arb = field(default_factory=lambda: arb(0))


class ArbFlow:
    r"""The flow of a model on exact data from an exact start.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping
    closed_form : ClosedForm or None
    mode : {"auto", "primal", "dual"}

    Raises
    ------
    UnsupportedFormula
        When the dual form is asked for and there is no closed form, or none with a series.
    """

    def __init__(
        self,
        model: FlowModel,
        problem: Regression,
        start: Start,
        closed_form: ClosedForm | None,
        mode: str,
    ) -> None:
        rho = model.elementwise
        self.n, self.d = problem.n, problem.d
        values = read_constants(rho, start)
        self.start = exact_start(rho, start, self.d)
        A, y = exact_data(problem)
        # each number is rounded again at the precision of every run
        self._exact = (A, y)
        formula = rho.formula.subs(values)
        rates = [p.subs(values) for p in rho.rates]
        self.parameters = rho.parameters
        self.ranges = [parameter_range(rho, s) for s in rho.parameters]
        self._rho = Program([formula], rho.parameters)
        gradient = [sp.diff(formula, s) for s in rho.parameters]
        self._gradient = Program(gradient, rho.parameters)
        self._check_start()
        loss, link = model.loss, model.link
        self._loss = Program([loss.at_predictor(link)], [PREDICTOR, loss.target])
        slope = loss.gradient_in_predictor(link)
        self.samples = make_tape((slope,), (PREDICTOR,), (loss.target,), for_floats=False)
        self.dual = False
        self._curve: Program | None = None
        if mode == "dual" and closed_form is None:
            raise UnsupportedFormula(
                "The dual form needs a closed form of the curve, and there is none; take "
                "mode='primal'."
            )
        if mode != "primal" and closed_form is not None:
            try:
                self._read_closed_form(closed_form, formula, values)
                self.dual = True
            except UnsupportedFormula:
                if mode == "dual":
                    raise
        if not self.dual:
            velocity = [p * g for p, g in zip(rates, gradient, strict=True)]
            self.coordinates = make_tape((formula, *velocity), rho.parameters, for_floats=False)
        # nu' = -grad G(nu) with a convex G
        self.contracts = self.dual and sp.expand(sp.diff(slope, PREDICTOR)) == 1

    def _read_closed_form(
        self, closed_form: ClosedForm, formula: sp.Expr, values: dict[sp.Symbol, sp.Expr]
    ) -> None:
        theta = {s: closed_form.theta[s].subs(values) for s in self.parameters}
        given = tuple(closed_form.start[s] for s in self.parameters)
        x = formula.xreplace(theta)
        self.coordinates = make_tape((x,), (closed_form.xi,), given, for_floats=False)
        symbols = (closed_form.xi, *given)
        slope = sp.diff(x, closed_form.xi)
        self._curve = Program([x, slope, *theta.values()], symbols)
        ends = closed_form.domain or (-sp.oo, sp.oo)
        finite = [e.subs(values) if e.is_finite is not False else None for e in ends]
        self._ends = [None if e is None else Program([e], given) for e in finite]

    def _check_start(self) -> None:
        balls = self._start_balls()
        for i in range(self.d):
            theta = [row[i] for row in balls]
            gradient = self._gradient(theta)
            if not all(g.is_finite() for g in (*self._rho(theta), *gradient)):
                raise StartError(f"The formula is not finite and real at coordinate {i}.")
            if all(g.contains(0) for g in gradient):
                raise StartError(f"The gradient vanishes at coordinate {i}: it never moves.")

    def _start_balls(self) -> list[list[arb]]:
        return [Program(row, [])([]) for row in self.start]

    # ---------------------------------------------------------------------------------------------
    # values at a state
    # ---------------------------------------------------------------------------------------------

    def xi(self, state: Sequence[arb]) -> list[arb]:
        """The dual variables of the coordinates, from those of the samples."""
        A, _ = self._data()
        return [-dot(column, state) for column in zip(*A, strict=True)]

    def x(self, state: Sequence[arb]) -> list[arb]:
        """The predictor."""
        if self._curve is None:
            return [self._rho([row[i] for row in self.theta(state)])[0] for i in range(self.d)]
        return [row[0] for row in self._on_curve(state)]

    def theta(self, state: Sequence[arb]) -> list[list[arb]]:
        """The parameters, a row for each."""
        k = len(self.parameters)
        if self._curve is None:
            return [list(state[j * self.d : (j + 1) * self.d]) for j in range(k)]
        return [list(row) for row in zip(*(c[2:] for c in self._on_curve(state)), strict=True)]

    def loss(self, x: Sequence[arb]) -> arb:
        """The summed loss."""
        A, y = self._data()
        return sum((self._loss([dot(row, x), t])[0] for row, t in zip(A, y, strict=True)), arb(0))

    def sensitivity(self, states: Sequence[Sequence[arb]]) -> arb:
        """How much x changes with the state, at most: the metric times the length of a column."""
        A, _ = self._data()
        out = arb(0)
        for state in states:
            for row, column in zip(self._on_curve(state), zip(*A, strict=True), strict=True):
                size = abs(row[1]) * dot(column, column).sqrt()
                out = out.max(arb(size.abs_upper()))
        return out

    def _on_curve(self, state: Sequence[arb]) -> list[list[arb]]:
        assert self._curve is not None
        balls = self._start_balls()
        return [
            self._curve([xi, *(row[i] for row in balls)]) for i, xi in enumerate(self.xi(state))
        ]

    def _data(self) -> tuple[list[list[arb]], list[arb]]:
        A, y = self._exact
        return [Program(row, [])([]) for row in A], Program(y, [])([])

    # ---------------------------------------------------------------------------------------------
    # the march
    # ---------------------------------------------------------------------------------------------

    def march(
        self,
        begin: fmpq,
        times: Sequence[fmpq],
        bits: float,
        order: int,
        log: StepLog,
        deadline: float,
    ) -> Iterator[list[arb]]:
        """The states at increasing times from `begin` on.

        Raises
        ------
        Ended
            When the flow leaves the domain, or no step is short enough.
        TimeoutError
        """
        expansion = _Expansion(self, self._data(), order)
        log.time = begin
        if self.dual:
            state = [arb(0)] * self.n
        else:
            state = [c.mid() for row in self._start_balls() for c in row]
        rate = expansion.begin(state)
        ready = False
        last = times[-1]
        index = 0
        span = last - begin
        while index < len(times):
            if times[index] == log.time:
                yield state
                index += 1
                continue
            if time.monotonic() > deadline:
                raise TimeoutError
            if not ready:
                assert rate is not None
                polynomials = expansion.polynomials(state, rate)
                ready = True
            step = Step(polynomials, order, bits, self.dual, expansion.branch_point)
            length = step.length(last - log.time)
            shortest = span * fmpq(2) ** round(-bits / 2)
            while True:
                if length < shortest:
                    raise Ended("the steps become too short; the flow may end there")
                here = arb(length)
                new = [p(here) for p in polynomials]
                slope = [p.derivative()(here) for p in polynomials]
                following = expansion.begin([c.mid() for c in new], inside=True)
                missed = None if following is None else step.missed(new, slope, following, here)
                if missed is not None:
                    break
                length = dyadic(length / 2)
            while index < len(times) and times[index] < log.time + length:
                since = arb(times[index] - log.time)
                yield [p(since) for p in polynomials]
                index += 1
            assert following is not None and missed is not None
            log.steps += 1
            log.time += length
            log.missed = (log.missed + missed).mid()
            state, rate, ready = [c.mid() for c in new], following, False
        return


class _Expansion:
    """The power series through a state."""

    def __init__(self, flow: ArbFlow, data: tuple[list[list[arb]], list[arb]], order: int) -> None:
        self.flow, self.order = flow, order
        A, y = data
        self.A, self.columns = A, [list(c) for c in zip(*A, strict=True)]
        start = flow._start_balls()
        self.coordinates = TapeSeries(flow.coordinates, start if flow.dual else [], flow.d, order)
        self.samples = TapeSeries(flow.samples, [y], flow.n, order)
        self.pull: list[list[arb]] = [[] for _ in range(flow.d)]
        k = len(flow.parameters)
        if flow.dual:
            inside = [
                [None if e is None else e([row[i] for row in start])[0] for i in range(flow.d)]
                for e in flow._ends
            ]
            self.lower, self.upper = inside
        else:
            bounds = [[None if math.isinf(e) else arb(e) for e in r] for r in flow.ranges]
            self.lower = [bounds[j][0] for j in range(k) for _ in range(flow.d)]
            self.upper = [bounds[j][1] for j in range(k) for _ in range(flow.d)]

    def begin(self, state: Sequence[arb], *, inside: bool = False) -> list[arb] | None:
        """Order 0 and the rate at a state; None (with `inside`) where there is none."""
        flow = self.flow
        self.coordinates.clear()
        self.samples.clear()
        for row in self.pull:
            row.clear()
        variables = self.coordinates.rows
        if flow.dual:
            at = [-dot(column, state) for column in self.columns]
            for i, xi in enumerate(at):
                variables[0][i].append(xi)
        else:
            at = list(state)
            for j in range(len(flow.parameters)):
                for i in range(flow.d):
                    variables[j][i].append(state[j * flow.d + i])
        slope = self._order(0)
        rate = slope if flow.dual else self._velocities(0)
        low = all(e is None or a > e for e, a in zip(self.lower, at, strict=True))
        high = all(e is None or a < e for e, a in zip(self.upper, at, strict=True))
        if low and high and all(r.is_finite() for r in rate):
            return rate
        if inside:
            return None
        raise Ended("the start is not certainly inside of the domain")

    def polynomials(self, state: Sequence[arb], rate: Sequence[arb]) -> list[arb_poly]:
        """The components of the state as polynomials, after `begin`."""
        flow, order = self.flow, self.order
        rows = [[c, r] for c, r in zip(state, rate, strict=True)]
        variables = self.coordinates.rows
        if flow.dual:
            for i in range(flow.d):
                variables[0][i].append(self.pull[i][0])
        else:
            self._extend(rate)
        for k in range(1, order):
            slope = self._order(k)
            if flow.dual:
                following = [c / (k + 1) for c in slope]
                for i in range(flow.d):
                    variables[0][i].append(self.pull[i][k] / (k + 1))
            else:
                following = [c / (k + 1) for c in self._velocities(k)]
                self._extend(following)
            for row, c in zip(rows, following, strict=True):
                row.append(c)
        if not all(c.is_finite() for row in rows for c in row):
            raise Ended("the power series is not finite")
        return [arb_poly(row) for row in rows]

    def branch_point(self, length: arb) -> bool:
        return self.coordinates.branch_point(length) or self.samples.branch_point(length)

    def _order(self, k: int) -> list[arb]:
        flow = self.flow
        self.coordinates.fill(k)
        x = self.coordinates.rows[flow.coordinates.outputs[0]]
        at_k = [row[k] for row in x]
        z = self.samples.rows[0]
        for row, weights in zip(z, self.A, strict=True):
            row.append(dot(weights, at_k))
        self.samples.fill(k)
        slope = [row[k] for row in self.samples.rows[flow.samples.outputs[0]]]
        for row, column in zip(self.pull, self.columns, strict=True):
            row.append(-dot(column, slope))
        return slope

    def _velocities(self, k: int) -> list[arb]:
        """Order k of the rate of every parameter."""
        outputs = self.flow.coordinates.outputs[1:]
        return [
            dot(self.coordinates.rows[node][i][: k + 1], self.pull[i][k::-1])
            for node in outputs
            for i in range(self.flow.d)
        ]

    def _extend(self, coefficients: Sequence[arb]) -> None:
        d = self.flow.d
        for j in range(len(self.flow.parameters)):
            for i in range(d):
                self.coordinates.rows[j][i].append(coefficients[j * d + i])
