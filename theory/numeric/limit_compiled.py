r"""Limit points of small dense problems by compiled code, where that goes through.

What depends on the formula alone is on tapes, which `theory.numeric.limit_numba` interprets; what
depends on the data alone is kept with them. Everything that does not go through, and every input
with an error in it, is left to `theory.numeric.limit_point`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import UnsupportedFormula
from theory.flow.gradient_flow import FlowModel
from theory.numeric.batch import Batch
from theory.numeric.block import block_formulas
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm, CurveKey, curve_formulas, curve_key
from theory.numeric.newton import SOLVED, DualSolution
from theory.numeric.objective import Objective, compile_objective, target_predictor
from theory.numeric.problem import Regression
from theory.numeric.series import constant_rows
from theory.numeric.start import Start, parameter_range, read_start
from theory.numeric.tape import Op, Tape, make_tape

__all__ = ["MOST_WORK", "CompiledSolution", "solve_batch", "solve_point", "solve_scales"]

MOST_WORK = 2_000_000
"""n n d; beyond it the products of a BLAS gain more than compiling does."""
_TWO = {Op.ADD, Op.SUBTRACT, Op.SCALE, Op.MULTIPLY, Op.DIVIDE, Op.POWER}

_Closed = ClosedForm | Mapping[sp.Symbol, sp.Expr] | None
_Program = tuple[NDArray[np.int64], int, NDArray[np.int64], Array]


class _Programs(NamedTuple):
    """All formulas of a closed form, and the numbers that go with them."""

    inverse: _Program
    curve: _Program
    block: _Program
    ends: _Program
    infinite: Array
    rates: Array
    lower: Array
    upper: Array


class CompiledSolution(NamedTuple):
    """A solution with a bound of its relative error by rounding, and the prediction A x."""

    solution: DualSolution
    bound: float
    prediction: Array
    target: Array
    objective: Objective


class _Data:
    """What is known of a problem: its matrix as compiled code wants it, and its targets."""

    def __init__(self, problem: Regression) -> None:
        # a copy that may be written to has one type for all callers
        self.A = np.array(problem.dense, order="C")
        self.last: tuple[FlowModel, Array, Objective] | None = None

    def read(self, model: FlowModel, y: Array) -> tuple[Array, Objective]:
        """Target and objective; those of the last model are kept, at once for other threads."""
        last = self.last
        if last is not None and last[0] is model:
            return last[1:]
        objective = compile_objective(model, y)
        target = np.array(target_predictor(model, y), dtype=np.float64, order="C")
        self.last = model, target, objective
        return target, objective


_KNOWN: WeakKeyDictionary[Regression, _Data] = WeakKeyDictionary()


def _data_of(problem: Regression) -> _Data | None:
    """None for what is not small, not dense, or has samples that depend on each other."""
    known = _KNOWN.get(problem)
    if known is None:
        small = isinstance(problem.A, np.ndarray) and problem.n**2 * problem.d <= MOST_WORK
        if not small or problem.rank < problem.n or len(problem.independent_rows) < problem.n:
            return None
        known = _KNOWN[problem] = _Data(problem)
    return known


def solve_point(
    model: FlowModel, problem: Regression, start: Start, closed_form: _Closed, rtol: float
) -> CompiledSolution | None:
    """The limit point from one start; None where another way has to be taken."""
    programs, data = _programs_of(model, start, closed_form), _data_of(problem)
    if programs is None or data is None:
        return None
    from theory.numeric.limit_numba import examine, solve_scales_compiled

    target, objective = data.read(model, problem.y)
    theta0 = read_start(model.elementwise, start, problem.d)
    p, A, out = programs, data.A, np.empty((1, problem.n))
    counts = np.zeros(1, dtype=np.int64)
    solved = solve_scales_compiled(
        p.inverse, p.ends, p.infinite, A, target, theta0, np.ones(1), rtol, out, counts
    )
    if solved == 0:
        return None
    theta, x, prediction = np.empty(theta0.shape), np.empty(problem.d), np.empty(problem.n)
    fine, residual, bound = examine(
        p.curve, p.block, p.ends, p.infinite, p.rates, p.lower, p.upper,
        A, target, theta0, out[0], rtol, theta, x, prediction,
    )  # fmt: skip
    if not fine:
        return None
    found = DualSolution(theta, x, out[0], residual, True, SOLVED, int(counts[0]), 1.0)
    # the target is kept for the next start, and what a user gets may be written to
    return CompiledSolution(found, bound, prediction, target.copy(), objective)


def solve_scales(
    model: FlowModel,
    problem: Regression,
    start: Start,
    scales: Array,
    closed_form: _Closed,
    rtol: float,
    tolerated: float,
) -> tuple[Array, Array, Array, NDArray[np.bool_]] | None:
    """Multipliers, x, residuals and success from falling scales of a start; None as above.

    The arrays have a row for each of the first scales, as far as the path was followed.
    """
    programs, data = _programs_of(model, start, closed_form), _data_of(problem)
    if programs is None or data is None:
        return None
    from theory.numeric.limit_numba import examine_scales, solve_scales_compiled

    target, _ = data.read(model, problem.y)
    theta0 = read_start(model.elementwise, start, problem.d)
    p, m = programs, scales.size
    out, counts = np.empty((m, problem.n)), np.zeros(m, dtype=np.int64)
    solved = solve_scales_compiled(
        p.inverse, p.ends, p.infinite, data.A, target, theta0, scales, rtol, out, counts
    )
    multipliers, x, residuals = out[:solved], np.empty((solved, problem.d)), np.empty(solved)
    good = examine_scales(
        p.curve, p.block, p.ends, p.infinite, p.rates, p.lower, p.upper, data.A, target, theta0,
        scales, multipliers, rtol, tolerated, x, residuals,
    )  # fmt: skip
    return multipliers, x, residuals, good[:solved]


def solve_batch(
    model: FlowModel,
    batch: Batch,
    targets: Array,
    theta0: Array,
    start: Start,
    closed_form: _Closed,
    rtol: float,
    tolerated: float,
) -> tuple[Array, Array, Array, NDArray[np.bool_]] | None:
    """Multipliers, x, residuals and success of the members of a batch; None as above.

    Parameters
    ----------
    targets : ndarray, shape (m, n)
        Predictors.
    theta0 : ndarray, shape (k, m, d)
    start : mapping
        With the values of the formula's constants.
    """
    programs = _programs_of(model, start, closed_form)
    if programs is None or batch.n > batch.d or batch.n**2 * batch.d > MOST_WORK:
        return None
    from theory.numeric.limit_numba import solve_members

    _, m, d = theta0.shape
    matrices = np.array(batch.A, order="C").reshape(-1, batch.n, d)
    starts = np.ascontiguousarray(np.moveaxis(theta0, 0, 1))
    p = programs
    multipliers, x = np.zeros((m, batch.n)), np.full((m, d), np.nan)
    residuals = np.full(m, np.inf)
    good = solve_members(
        p.inverse, p.curve, p.block, p.ends, p.infinite, p.rates, p.lower, p.upper,
        matrices, np.array(targets, order="C"), starts, np.ones(1), rtol, tolerated,
        multipliers, x, residuals,
    )  # fmt: skip
    return multipliers, x, residuals, good


def _programs_of(model: FlowModel, start: Start, closed_form: _Closed) -> _Programs | None:
    # one that the user gives is compared with the ODE at its start, in another way
    if not isinstance(closed_form, ClosedForm) or not closed_form.derived:
        return None
    if closed_form.domain is None:
        return None
    return _programs(curve_key(model.elementwise, start, closed_form))


@lru_cache(maxsize=64)
def _programs(closed: CurveKey) -> _Programs | None:
    f, rho, values = curve_formulas(closed), closed.parametrization, dict(closed.constants)
    if f.domain is None:
        return None
    value, gradient, hessian = block_formulas(rho, closed.constants)
    variables = (closed.xi, *closed.start)
    infinite = [float(e) if e.is_finite is False else 0.0 for e in f.domain]
    ends = tuple(sp.S.Zero if e.is_finite is False else e for e in f.domain)
    ranges = np.array([parameter_range(rho, s) for s in rho.parameters])
    try:
        return _Programs(
            _program((f.x, f.metric, f.change), variables),
            _program((*f.theta, *f.velocity), variables),
            _program((value, *gradient, *hessian), rho.parameters),
            _program(ends, closed.start),
            np.array(infinite),
            np.array([float(p.subs(values)) for p in rho.rates]),
            np.ascontiguousarray(ranges[:, 0]),
            np.ascontiguousarray(ranges[:, 1]),
        )
    except UnsupportedFormula:
        return None


def _program(formulas: tuple[sp.Expr, ...], variables: tuple[sp.Symbol, ...]) -> _Program:
    """A tape without what only higher orders of a series need."""
    tape = make_tape(formulas, variables)
    needed, first = set(tape.outputs), tape.first
    for i in reversed(range(first, tape.size)):
        if i in needed:
            needed |= set(_operands(tape, i - first))
    kept = [i for i in sorted(needed) if i >= first]
    number = {**{i: i for i in range(first)}, **{old: first + new for new, old in enumerate(kept)}}
    code = np.zeros((len(kept), 6), dtype=np.int64)
    for row, i in zip(code, kept, strict=True):
        step = tape.operations[i - first]
        refs = [number[r] for r in _operands(tape, i - first)]
        row[0], row[4] = int(step.op), step.name
        if step.op is Op.FUNCTION:
            row[3] = refs[0]
        else:
            row[1 : 1 + len(refs)] = refs
    constants = constant_rows(tape, [], 1).ravel()
    outputs = np.array([number[i] for i in tape.outputs], dtype=np.int64)
    return code, first, outputs, constants


def _operands(tape: Tape, step: int) -> tuple[int, ...]:
    """The nodes that the value of an operation depends on."""
    operation = tape.operations[step]
    if operation.op in _TWO:
        return operation.a, operation.b
    if operation.op is Op.FUNCTION:
        return (operation.c,)
    return (operation.a,) if operation.op is Op.SQUARE else ()
