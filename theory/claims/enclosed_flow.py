r"""A gradient flow of exact data in balls: $\theta' = -P J^T A^T\,\nabla_z\ell(h(Ax), y)$."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.errors import DataError, FormulaError
from theory.exact.balls import precision, sign_of_number
from theory.exact.initial_data import read_ball, read_number, read_rational
from theory.exact.trajectory import Trajectory, enclose_field
from theory.flow.conservation import elementwise_laws
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.flow.parametrization import Elementwise
from theory.numeric.objective import compile_objective
from theory.numeric.problem import Regression
from theory.numeric.start import read_constants, read_start

__all__ = [
    "EnclosedFlow",
    "EnclosedLaw",
    "EnclosedState",
    "check_question",
    "enclose",
    "numbered",
    "residuals",
    "vector_field",
    "with_numbers",
]

_MOST = 64
"""Parameters up to which the cost, cubic in their number, is bearable."""


@dataclass(frozen=True, slots=True, eq=False)
class EnclosedState:
    """Balls around the parameters and the predictor at one time.

    Parameters
    ----------
    t : sympy.Rational
    theta : mapping from parameter to tuple of flint.arb
        One ball per coordinate.
    x : tuple of flint.arb
    """

    t: sp.Rational
    theta: Mapping[sp.Symbol, tuple[arb, ...]]
    x: tuple[arb, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EnclosedLaw:
    """Balls around a conservation law along the flow; every tuple has one per coordinate.

    Parameters
    ----------
    law : sympy.Expr
    start, end : tuple of flint.arb
        Its value at time 0 and at the last time reached.
    drift : tuple of flint.arb
        Its largest change up to then. Exactly 0 where the rate vanishes as a formula and the law
        is defined on the whole way; not finite where that is not certain.
    """

    law: sp.Expr
    start: tuple[arb, ...]
    end: tuple[arb, ...]
    drift: tuple[arb, ...]


@dataclass(frozen=True, eq=False)
class EnclosedFlow:
    """The enclosure of a gradient flow from a start, or from every start of a box.

    Parameters
    ----------
    parametrization : Elementwise
        With numbers for its constants.
    blocks : tuple of tuple of sympy.Symbol
        The parameters of each coordinate, as they are called in `trajectory`.
    trajectory : Trajectory
        The enclosure of the vector field, with its grid.
    """

    parametrization: Elementwise
    blocks: tuple[tuple[sp.Symbol, ...], ...]
    trajectory: Trajectory

    @property
    def success(self) -> bool:
        """Whether the enclosure reaches the time that was asked for."""
        return self.trajectory.success

    @property
    def message(self) -> str:
        """How the run ended."""
        return self.trajectory.message

    @property
    def t(self) -> sp.Rational:
        """The last time reached: the end, when `success` is True."""
        return self.trajectory.times[-1]

    @property
    def theta(self) -> Mapping[sp.Symbol, tuple[arb, ...]]:
        """Balls around the parameters at `t`, one per coordinate."""
        return self._last.theta

    @property
    def x(self) -> tuple[arb, ...]:
        """Balls around the predictor at `t`."""
        return self._last.x

    @cached_property
    def _last(self) -> EnclosedState:
        return self.at(self.t)

    def at(self, t: Any) -> EnclosedState:
        """The state at any exact time from 0 to the last time reached.

        Raises
        ------
        DomainError
            For a time that the enclosure does not cover.
        """
        values = dict(zip(self.trajectory.symbols, self.trajectory.at(t), strict=True))
        theta = {
            s: tuple(values[block[k]] for block in self.blocks)
            for k, s in enumerate(self.parametrization.parameters)
        }
        x = tuple(self.trajectory.value(e, t) for e in self.in_blocks(self.parametrization.formula))
        return EnclosedState(read_rational(t, "t"), theta, x)

    @cached_property
    def laws(self) -> tuple[EnclosedLaw, ...]:
        """The conservation laws that are known in closed form."""
        return tuple(self.law(law) for law in elementwise_laws(self.parametrization).found)

    def law(self, law: sp.Expr) -> EnclosedLaw:
        """A formula in the parameters along the flow, conserved or not."""
        run = self.trajectory
        copies = self.in_blocks(law)
        start = tuple(run.value(c, 0) for c in copies)
        drift = tuple(run.drift(c) for c in copies)
        end = []
        with precision(run.bits):
            for copy, first, change in zip(copies, start, drift, strict=True):
                value = run.value(copy, self.t)
                if value.is_finite() and first.is_finite() and change.is_finite():
                    # a second enclosure of the same value
                    value = value.intersection(first + change.abs_upper() * arb(0, 1))
                end.append(value)
        return EnclosedLaw(law, start, tuple(end), drift)

    def in_blocks(self, expression: sp.Expr) -> tuple[sp.Expr, ...]:
        """A formula in the parameters, written for each coordinate."""
        names = self.parametrization.parameters
        return tuple(
            expression.xreplace(dict(zip(names, block, strict=True))) for block in self.blocks
        )


def enclose(
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    t: Any,
    **options: Any,
) -> EnclosedFlow:
    r"""Enclose the gradient flow of a small data set from an exact start up to a time.

    Every ball of the result contains the true value. The vector field is
    $-P J^T A^T\,\nabla_z\ell(h(Ax), y)$, summed over samples.

    Parameters
    ----------
    flow : GradientFlow
        Of an elementwise parametrization.
    problem : Regression
        Its entries are doubles; each stands for the decimal that it prints as (0.1 is 1/10), as
        everywhere in the symbolic part of the package. The float solvers take the binary value.
    start : mapping from parameter (symbol or name) to value
        An exact number, a float (its decimal again), a ``sympy.Interval`` or a ``flint.arb``, or a
        list of them with one per coordinate. With intervals the statement holds for every start in
        their product. Constants of the formula get their numbers here too.
    t : rational number
        The end time.
    **options
        ``order``, ``bits`` and ``max_steps`` of `theory.exact.trajectory.enclose_field`.

    Returns
    -------
    EnclosedFlow
        With ``success=False`` and a message where the enclosure had to stop: near a blow-up, at a
        kink, where a declared sign or range, or the domain of the loss, may be left.

    Raises
    ------
    FormulaError
        For a flow that is not elementwise.
    DataError
        For more than 64 parameters, targets that the loss is not made for, numbers that are not
        finite.
    DomainError
        For a negative time.
    StartError, ShapeError
        For a start that does not fit.

    Examples
    --------
    >>> from theory import Elementwise, GradientFlow
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> run = enclose(flow, Regression([[1, 2]], [1]), {"u": 0.1, "v": 0.1}, 2)
    >>> run.success, [x.str(12, radius=False) for x in run.x]
    (True, ['0.0668577505892', '0.466567415526'])
    >>> [(law.law, law.drift) for law in run.laws]
    [(u*v, (0, 0))]
    """
    check_question(flow, problem)
    rho, d = flow.elementwise, problem.d
    size = d * len(rho.parameters)
    if size > _MOST:
        raise DataError(
            f"Expected at most {_MOST} parameters but got {size}; use flow.integrate for larger "
            "problems."
        )
    compile_objective(flow, problem.y)  # refuses targets and constants that do not fit
    numbers = read_constants(rho, start)
    rho = with_numbers(rho, numbers)
    values = _read_start(flow.elementwise, start, d, options.get("bits", 128))
    blocks = numbered(rho, d)
    field, positive = vector_field(flow, rho, problem, blocks)
    run = enclose_field(
        field,
        [s for block in blocks for s in block],
        [row[i] for i in range(d) for row in values],
        t,
        positive=positive,
        **options,
    )
    return EnclosedFlow(rho, blocks, run)


# -------------------------------------------------------------------------------------------------
# the vector field
# -------------------------------------------------------------------------------------------------


def with_numbers(rho: Elementwise, numbers: Mapping[sp.Symbol, sp.Expr]) -> Elementwise:
    """The parametrization with numbers for its constants."""
    if not numbers:
        return rho
    out = Elementwise(
        rho.formula.xreplace(dict(numbers)),
        rho.parameters,
        rates=[r.xreplace(dict(numbers)) for r in rho.rates],
    )
    ranges = {
        s: (lower.xreplace(dict(numbers)), upper.xreplace(dict(numbers)))
        for s, (lower, upper) in rho.ranges.items()
        if s in rho.parameters
    }
    object.__setattr__(out, "ranges", ranges)
    return out


Blocks = tuple[tuple[sp.Symbol, ...], ...]


def numbered(rho: Elementwise, d: int) -> Blocks:
    """The parameters of each of d coordinates, ``u_0``, ``u_1``, ..."""
    return tuple(
        tuple(sp.Symbol(f"{s.name}_{i}", **s.assumptions0) for s in rho.parameters)
        for i in range(d)
    )


def residuals(
    flow: FlowModel, rho: Elementwise, problem: Regression, blocks: Blocks
) -> tuple[list[list[sp.Expr]], list[sp.Expr], list[sp.Expr]]:
    """A, the predictors z and the derivatives q'(z) of the loss, one per sample."""
    loss = flow.loss
    matrix = [[read_number(a, "A") for a in row] for row in problem.dense]
    x = [rho.formula.xreplace(dict(zip(rho.parameters, b, strict=True))) for b in blocks]
    z = [sp.Add(*(a * e for a, e in zip(row, x, strict=True))) for row in matrix]
    slope = loss.gradient_in_predictor(flow.link)
    targets = [read_number(y, "y") for y in problem.y]
    found = [
        slope.xreplace({PREDICTOR: at, loss.target: y}) for at, y in zip(z, targets, strict=True)
    ]
    return matrix, z, found


def vector_field(
    flow: FlowModel, rho: Elementwise, problem: Regression, blocks: Blocks
) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The rates of all parameters, and what must stay positive for them to be meant."""
    loss, link = flow.loss, flow.link
    matrix, z, slopes = residuals(flow, rho, problem, blocks)
    copies = [dict(zip(rho.parameters, block, strict=True)) for block in blocks]
    gradient = [
        sp.Add(*(row[i] * r for row, r in zip(matrix, slopes, strict=True)))
        for i in range(problem.d)
    ]
    field = [
        -p * slope_of.xreplace(copy) * g
        for copy, g in zip(copies, gradient, strict=True)
        for p, slope_of in zip(rho.rates, rho.gradient(), strict=True)
    ]
    positive = []
    for s, (lower, upper) in rho.ranges.items():
        for copy in copies if s in rho.parameters else ():
            positive += [copy[s] - lower] if lower.is_finite else []
            positive += [upper - copy[s]] if upper.is_finite else []
    prediction = PREDICTOR if loss.on == "predictor" else link.formula
    ends = (-sp.oo, sp.oo) if loss.on == "predictor" else link.range
    for bound, end, side in zip(loss.domain, ends, (1, -1), strict=True):
        # a link that maps into the domain needs no watch
        safe = link.monotone.proved and _at_least(side * end, side * bound)
        if bound.is_finite and not safe:
            positive += [side * (prediction.xreplace({PREDICTOR: at}) - bound) for at in z]
    return field, positive


def _at_least(a: sp.Expr, b: sp.Expr) -> bool:
    return bool(a == b or (a.is_finite and sign_of_number(a - b) == 1))


# -------------------------------------------------------------------------------------------------
# what the caller writes
# -------------------------------------------------------------------------------------------------


def check_question(flow: Any, problem: Any) -> None:
    """Refuse what is no elementwise flow, or no regression problem."""
    if not isinstance(flow, FlowModel):
        raise FormulaError(f"Expected a GradientFlow but got {flow!r}.")
    if not isinstance(flow.parametrization, Elementwise):
        raise FormulaError(
            f"Expected a flow of an elementwise parametrization but got {flow.parametrization!r}."
        )
    if not isinstance(problem, Regression):
        raise DataError(f"Expected a Regression but got {problem!r}.")


def _read_start(rho: Elementwise, start: Mapping[Any, Any], d: int, bits: int) -> list[list[arb]]:
    """A row of balls for each parameter."""
    # the float reader knows all about names, shapes and ranges
    read_start(rho, {key: _middle(value) for key, value in start.items()}, d)
    by_name = {str(getattr(key, "name", key)): value for key, value in start.items()}
    rows = []
    with precision(bits):
        for s in rho.parameters:
            given = by_name[s.name]
            many = isinstance(given, list | tuple | np.ndarray) and np.ndim(given) > 0
            entries = list(given) if many else [given] * d
            rows.append([read_ball(v, s.name) for v in entries])
    return rows


def _middle(value: Any) -> Any:
    """A float inside, for the checks of names, shapes and ranges."""
    if isinstance(value, list | tuple):
        return [_middle(v) for v in value]
    if isinstance(value, arb):
        return float(value.mid())
    if isinstance(value, sp.Interval):
        return float((value.start + value.end) / 2)
    return float(read_number(value, "the start")) if isinstance(value, str) else value
