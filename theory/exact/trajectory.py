r"""Rigorous trajectories: enclosures of the solution of $y' = f(y)$, $y(0) = y_0$, by Arb balls.

Every ball that comes out contains the value of every solution that starts in the given set. A run
that cannot keep this promise (the solution may end, the field may stop being analytic) stops and
says why; what it enclosed until then stays true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import arb, fmpq

from theory.errors import DataError, DomainError, ShapeError
from theory.exact.balls import Program, precision
from theory.exact.initial_data import (
    read_ball,
    read_formulas,
    read_rational,
    read_symbols,
    sign_conditions,
)
from theory.exact.taylor_step import (
    EnclosureLost,
    Field,
    Step,
    advance,
    coefficients,
    initial_state,
    polynomial,
)

__all__ = ["Trajectory", "enclose_field"]


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The enclosure of all solutions that start in a box.

    Parameters
    ----------
    symbols : tuple of sympy.Symbol
        The components of the state.
    field : tuple of sympy.Expr
        Their rates.
    initial : tuple of flint.arb
        The box of the start.
    steps : tuple of Step
        What was proved for each step.
    end : sympy.Rational
        The time that was asked for.
    bits : int
        Working precision.
    success : bool
        Whether the enclosure reaches `end`.
    message : str
        How the run ended.
    """

    symbols: tuple[sp.Symbol, ...]
    field: tuple[sp.Expr, ...]
    initial: tuple[arb, ...]
    steps: tuple[Step, ...]
    end: sp.Rational
    bits: int
    success: bool
    message: str

    @property
    def times(self) -> tuple[sp.Rational, ...]:
        """The exact times of the grid, from 0 to the last time reached."""
        grid = [s.state.time for s in self.steps]
        last = grid[-1] + self.steps[-1].length if self.steps else fmpq(0)
        return tuple(sp.Rational(int(t.p), int(t.q)) for t in [*grid, last])

    @property
    def states(self) -> tuple[tuple[arb, ...], ...]:
        """A box of the states at each of `times`."""
        with precision(self.bits):
            return (self.initial, *(self._at(s, arb(s.length)) for s in self.steps))

    @property
    def tube(self) -> tuple[tuple[arb, ...], ...]:
        """A box of the states over the whole of each step."""
        with precision(self.bits):
            return tuple(self._at(s, s.duration()) for s in self.steps)

    def at(self, t: Any) -> tuple[arb, ...]:
        """A box of the states at an exact time.

        Raises
        ------
        DomainError
            For a time that the enclosure does not cover.
        """
        found = self._locate(t)
        return self.initial if found is None else self._at(*found)

    def value(self, expression: sp.Expr, t: Any) -> arb:
        """The ball of an expression in the symbols at an exact time; narrow for a narrow start.

        Examples
        --------
        >>> u, v = sp.symbols("u v", real=True)
        >>> run = enclose_field([u, -v], [u, v], [1, 2], 1)
        >>> run.value(u * v, 1).str(20)
        '[2.0000000000000000000 +/- ...]'
        """
        (g,) = self._read([expression])
        found = self._locate(t)
        with precision(self.bits):
            observable = _Observable(g, self.symbols)
            return observable.on(self.initial) if found is None else observable.along(*found)

    def drift(self, expression: sp.Expr) -> arb:
        r"""A ball around $\max_s |g(y(s)) - g(y(0))|$, s from 0 to the last time reached.

        It holds for each start of the box. The ball is not finite where the expression may be
        undefined on the way.
        """
        (g,) = self._read([expression])
        observable = _Observable(g, self.symbols)
        rate = _rate(observable.gradient, self.field)
        with precision(self.bits):
            first = observable.on(self.initial)
            if not first.is_finite():
                return arb("nan")
            if rate == 0:
                values = [observable.on(box) for box in self.tube]
                slopes = [slope for box in self.tube for slope in observable.slopes(box)]
                smooth = all(x.is_finite() for x in [*values, *slopes])
                return arb(0) if smooth else arb("nan")
            rates = Program([rate], self.symbols)
            total, low, high = arb(0), arb(0), arb(0)
            for step in self.steps:
                try:
                    series = _increment(rates, step)
                except EnclosureLost:
                    return arb("nan")
                # two enclosures of the same change: the integral of the rate, which is sharp where
                # the rate is nearly zero, and the difference of the values
                changes = []
                for since in (step.duration(), arb(step.length)):
                    change = observable.along(step, since) - first
                    if not change.is_finite():
                        return arb("nan")
                    changes.append(change.intersection(total + polynomial(series, since)))
                on_the_way, total = changes
                high = high.max(on_the_way.abs_upper())
                low = low.max(total.abs_lower())
            return low.union(high)

    def _read(self, expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
        return read_formulas(expressions, {s.name: s for s in self.symbols})

    def _locate(self, t: Any) -> tuple[Step, arb] | None:
        """The step that covers a time, and the time since its beginning; None for the start."""
        at = _fmpq(read_rational(t, "t"))
        if at == 0:
            return None
        for step in self.steps:
            since = at - step.state.time
            if 0 < since <= step.length:
                with precision(self.bits):
                    return step, arb(since)
        raise DomainError(f"Expected a time in [0, {self.times[-1]}] but got t = {t!r}.")

    def _at(self, step: Step, s: arb) -> tuple[arb, ...]:
        with precision(self.bits):
            return tuple(step.at(s))


class _Observable:
    """A compiled function of the state with its gradient."""

    __slots__ = ("gradient", "program", "slopes", "symbols")

    def __init__(self, g: sp.Expr, symbols: Sequence[sp.Symbol]) -> None:
        self.symbols = symbols
        self.gradient = _gradient(g, symbols)
        self.program = Program([g], symbols)
        self.slopes = Program(self.gradient, symbols)

    def on(self, box: Sequence[arb]) -> arb:
        """The values on a box."""
        return self.program(box)[0]

    def along(self, step: Step, s: arb) -> arb:
        """The values on the states, also by the mean value theorem around their center."""
        box = step.at(s)
        plain = self.on(box)
        center, matrix = step.parts(s)
        slopes = self.slopes([b.union(c) for b, c in zip(box, center, strict=True)])
        columns = range(len(slopes))
        spread = arb(0)
        for j in columns:
            # the slopes meet the matrix before the box: what cancels in a law cancels here
            weight = sum((slopes[i] * matrix[i, j] for i in columns), arb(0))
            spread = spread + weight * step.state.box[j]
        narrow = self.on(center) + spread
        if not (plain.is_finite() and narrow.is_finite()):
            return plain
        return plain.intersection(narrow)


def enclose_field(
    field: Sequence[sp.Expr | str],
    symbols: Sequence[sp.Symbol],
    start: Sequence[Any],
    t: Any,
    *,
    positive: Sequence[sp.Expr] = (),
    order: int = 20,
    bits: int = 128,
    max_steps: int = 2000,
) -> Trajectory:
    r"""Enclose the solutions of $y' = f(y)$ from a start, or a box of starts, up to a time.

    Parameters
    ----------
    field : sequence of sympy.Expr or str
        f, one formula for each symbol. It must be analytic where the solution goes; a kink or jump
        that the solution may touch ends the run.
    symbols : sequence of sympy.Symbol
        The state. A declared sign is a condition, checked on the whole way.
    start : sequence
        For each symbol an exact number, a ``sympy.Interval`` or a ``flint.arb``. A float stands for
        the decimal that it prints as.
    t : rational number
        The end time, at least 0.
    positive : sequence of sympy.Expr, optional
        Expressions without which the formulas do not hold; the run ends where one of them is not
        certainly positive.
    order, bits, max_steps : int, optional
        Of the Taylor expansion, of the arithmetic, and of the run.

    Raises
    ------
    UnsupportedFormula
        For a function without ball arithmetic.
    UnknownName
        For a symbol in the field that is not part of the state.
    ShapeError, FormulaError, AssumptionError, DomainError, DataError
        For lists of different lengths, text that is no formula, symbols that are not real, a
        negative time, and numbers that are not finite.

    Examples
    --------
    >>> y = sp.Symbol("y", real=True)
    >>> run = enclose_field([y * (1 - y)], [y], [sp.Rational(1, 2)], 1)
    >>> run.success, run.at(1)[0].str(20)
    (True, '[0.73105857863000487925 +/- ...]')
    >>> run = enclose_field([y**2], [y], [1], 2)
    >>> run.success, run.times[-1] < 1
    (False, True)
    """
    names = read_symbols(symbols)
    if len(field) != len(names) or len(start) != len(names):
        raise ShapeError(
            f"Expected {len(names)} rates and start values, one for each symbol, but got "
            f"{len(field)} and {len(start)}."
        )
    for name, value, least in (
        ("order", order, 2),
        ("bits", bits, 32),
        ("max_steps", max_steps, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DataError(f"Expected an integer {name} >= {least} but got {name} = {value!r}.")
    end = read_rational(t, "t")
    if end < 0:
        raise DomainError(f"Expected a time t >= 0 but got t = {t!r}.")
    known = {s.name: s for s in names}
    rates = read_formulas(field, known)
    conditions = [*read_formulas(positive, known), *(c for s in names for c in sign_conditions(s))]
    jacobian = [d for f in rates for d in _gradient(f, names)]
    compiled = Field(Program(rates, names), Program(jacobian, names), Program(conditions, names))
    steps: list[Step] = []
    with precision(bits):
        initial = tuple(read_ball(v, s.name) for v, s in zip(start, names, strict=True))
        message = _run(compiled, initial, _fmpq(end), steps, order, bits, max_steps)
    success = message is None
    return Trajectory(
        names,
        tuple(rates),
        initial,
        tuple(steps),
        end,
        bits,
        success,
        f"Enclosed up to t = {end} in {len(steps)} steps." if message is None else message,
    )


def _run(
    field: Field,
    initial: Sequence[arb],
    end: fmpq,
    steps: list[Step],
    order: int,
    bits: int,
    max_steps: int,
) -> str | None:
    """Fill `steps`; the reason when the end is not reached."""
    state = initial_state(initial)
    if not field.stays_admissible(initial):
        return "The start is not certainly inside of the domain of the field."
    longest: fmpq | None = None
    while state.time < end:
        where = float(arb(state.time).mid())
        if len(steps) == max_steps:
            return f"Stopped near t = {where:.6g} after max_steps = {max_steps} steps."
        try:
            step = advance(
                field, state, order=order, bits=5 * bits // 8, limit=end, longest=longest
            )
            state = step.after()
        except EnclosureLost as error:
            return (
                f"Stopped near t = {where:.6g}: {error}. The solution may end there or leave the "
                "domain, or more bits or a narrower start are needed."
            )
        steps.append(step)
        longest = 2 * step.length
    return None


def _increment(rates: Program, step: Step) -> list[arb]:
    """The Taylor coefficients of the change of an observable of the given rate in a step."""
    order = len(step.center[0]) - 1
    known = coefficients(rates, step.start, order - 1)[0]
    remainder = coefficients(rates, step.inside, order)[0][-1]
    return [arb(0), *(c / k for k, c in enumerate([*known, remainder], start=1))]


def _gradient(g: sp.Expr, symbols: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """The partial derivatives, with all symbols real: else that of Abs is no formula of ours."""
    real = {s: sp.Dummy(s.name, real=True) for s in symbols}
    back = {d: s for s, d in real.items()}
    return [sp.diff(g.xreplace(real), d).xreplace(back) for d in back]


def _rate(gradient: Sequence[sp.Expr], field: Sequence[sp.Expr]) -> sp.Expr:
    """The rate of an observable; 0 when it vanishes identically."""
    rate = sp.Add(*(d * f for d, f in zip(gradient, field, strict=True)))
    # expansion is an identity of the formulas; a large one is left alone
    return sp.S.Zero if rate.count_ops() < 2000 and sp.expand_mul(rate) == 0 else rate


def _fmpq(value: sp.Rational) -> fmpq:
    return fmpq(int(value.p), int(value.q))
