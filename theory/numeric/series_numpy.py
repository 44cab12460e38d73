"""Power series of a flow in NumPy: one call for each operation of the tape and each order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from theory.numeric.compile import Array, sech
from theory.numeric.series import FINISHED, FULL, NONFINITE, STALLED, Chunk, Spec
from theory.numeric.tape import FUNCTIONS, Op, Operation, Tape

__all__ = ["NumpyEngine"]

_VALUES: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "sech": sech,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": special.erf, "erfc": special.erfc, "expit": special.expit,
    "softplus": lambda a: np.logaddexp(0.0, a),
}  # fmt: skip

_Fill = Callable[[int], None]

SAFETY = 0.85
"""Of the steps: the last term is below the tolerance by this to the power of the order."""
REST = 0.01
"""Of the motion within a step: the share of it that the last term may be."""
BRANCH = 0.9
"""Of a base of a power: the share of it that one step may change."""


def tolerance(rtol: float) -> float:
    """How far the polynomial may miss the flow at the end of a step, times its length."""
    # truncation alone misses by less than rtol; rounding of a long dual variable by 1e-13
    return 3 * rtol + 2e-12


class _Memory:
    """The coefficients of all nodes of a tape, shape (nodes, order + 1, width).

    The operations are numbered anew, so that those of one kind that do not wait for one another are
    side by side: for small arrays a call costs more than its arithmetic.
    """

    def __init__(self, tape: Tape, constants: Array, order: int, width: int) -> None:
        groups = _groups(tape)
        self.number = {i: i for i in range(tape.first)}
        for i in (i for group in groups for i in group):
            self.number[tape.first + i] = len(self.number)
        for i in range(tape.first, tape.size):
            self.number.setdefault(i, len(self.number))
        self.rows = np.zeros((tape.size, order + 1, width))
        self.rows[len(tape.variables) : tape.first, 0] = constants
        number, steps = self.number, tape.operations
        fills = [
            _filler(step, number[tape.first + i], self.rows, number) for i, step in enumerate(steps)
        ]
        self.fills = fills
        self.later: list[_Fill] = []
        for group in groups:
            many = _group_filler(tape, group, self.rows, number) if len(group) > 1 else None
            self.later += [fills[i] for i in group] if many is None else [many]
        self.bases = [self.rows[number[s.a]] for s in steps if s.op == Op.POWER]

    def output(self, node: int) -> Array:
        """The coefficients of a node of the tape, shape (order + 1, width)."""
        return self.rows[self.number[node]]

    def before_branch_points(self, length: float) -> float:
        """A step within which no base of a power reaches zero, where another branch begins."""
        for base in self.bases:
            sizes = np.abs(base[:-1])
            while length > 0:
                powers = length ** np.arange(1.0, len(sizes))
                if np.all(powers @ sizes[1:] <= BRANCH * sizes[0]):
                    break
                length *= 0.7
        return length

    def fill(self, k: int) -> None:
        """Order k of every operation, from order k of the variables."""
        for fill in self.later if k else self.fills:
            fill(k)


def _groups(tape: Tape) -> list[list[int]]:
    """The operations whose later orders are read, in an order in which they can be computed.

    Those of a group are of one kind, and none waits for the same order of another.
    """
    levels: dict[int, int] = {}
    found: dict[tuple[int, int], list[int]] = {}
    for i, (s, needed) in enumerate(zip(tape.operations, tape.later, strict=True)):
        if not needed:
            continue
        level = 1 + max(levels.get(r, 0) for r in _waits_for(s))
        levels[tape.first + i] = level
        found.setdefault((level, int(s.op)), []).append(i)
    return [found[key] for key in sorted(found)]


def _waits_for(s: Operation) -> tuple[int, ...]:
    """The nodes whose order k the order k of an operation needs, for k > 0."""
    if s.op in (Op.ADD, Op.SUBTRACT, Op.MULTIPLY, Op.DIVIDE):
        return s.a, s.b
    return (s.b,) if s.op is Op.SCALE else (s.a,)


def _group_filler(
    tape: Tape, group: list[int], rows: Array, number: dict[int, int]
) -> _Fill | None:
    """All operations of a group in one call; None where their operands are not side by side."""
    steps = [tape.operations[i] for i in group]
    op, begin = steps[0].op, number[tape.first + group[0]]
    orders = range(rows.shape[1])
    first, second = [number[s.a] for s in steps], [number[s.b] for s in steps]
    # views of every order, which cost as much as the arithmetic
    out = [rows[begin : begin + len(group), k] for k in orders]
    if op in (Op.SCALE, Op.DERIVE):
        # constants are set already
        factors = rows[first if op is Op.SCALE else second, 0]
        source = _side_by_side(rows, second if op is Op.SCALE else first)
        if source is None:
            return None
        multiples = [factors * (1.0 if op is Op.SCALE else k) for k in orders]
        parts = [source[:, k] for k in orders]

        def multiple(k: int) -> None:
            np.multiply(parts[k], multiples[k], out=out[k])

        return multiple
    a, b = _side_by_side(rows, first), _side_by_side(rows, second)
    if a is None or b is None:
        return None
    if op is Op.FUNCTION:
        left = [a[:, 1 : k + 1] for k in orders]
        right = [b[:, k - 1 :: -1] for k in orders]

        def function(k: int) -> None:
            row = out[k]
            _dots(left[k], right[k], row)
            np.multiply(row, 1.0 / k, out=row)

        return function
    if op in (Op.MULTIPLY, Op.SQUARE):
        left = [a[:, : k + 1] for k in orders]
        right = [(a if op is Op.SQUARE else b)[:, k::-1] for k in orders]

        def multiply(k: int) -> None:
            _dots(left[k], right[k], out[k])

        return multiply
    return None


def _dots(a: Array, b: Array, out: Array) -> None:
    """Sums of products over the second axis."""
    if _VECDOT is None:
        np.einsum("gkd,gkd->gd", a, b, out=out)
    else:
        _VECDOT(a, b, axis=1, out=out)


# quicker for few numbers; of NumPy 2
_VECDOT: Any = getattr(np, "vecdot", None)


def _side_by_side(rows: Array, nodes: list[int]) -> Array | None:
    """The coefficients of some nodes without a copy, or of the one that they all are."""
    if len(set(nodes)) == 1:
        return np.broadcast_to(rows[nodes[0]], (len(nodes), *rows.shape[1:]))
    if nodes == list(range(nodes[0], nodes[0] + len(nodes))):
        return rows[nodes[0] : nodes[0] + len(nodes)]
    return None


def _filler(step: Operation, node: int, rows: Array, number: dict[int, int]) -> _Fill:
    out = rows[node]
    a, b, c = rows[number[step.a]], rows[number[step.b]], rows[number[step.c]]
    einsum = np.einsum
    # of constants, which are set already
    multiples = np.arange(len(b))[:, None] * b[0] if step.op is Op.DERIVE else b

    def add(k: int) -> None:
        np.add(a[k], b[k], out=out[k])

    def subtract(k: int) -> None:
        np.subtract(a[k], b[k], out=out[k])

    def scale(k: int) -> None:
        np.multiply(a[0], b[k], out=out[k])

    def derive(k: int) -> None:
        np.multiply(a[k], multiples[k], out=out[k])

    def multiply(k: int) -> None:
        einsum("kd,kd->d", a[: k + 1], b[k::-1], out=out[k])

    def square(k: int) -> None:
        einsum("kd,kd->d", a[: k + 1], a[k::-1], out=out[k])

    def divide(k: int) -> None:
        row = out[k]
        if k == 0:
            np.divide(a[0], b[0], out=row)
            return
        einsum("kd,kd->d", b[1 : k + 1], out[k - 1 :: -1], out=row)
        np.subtract(a[k], row, out=row)
        np.divide(row, b[0], out=row)

    def power(k: int) -> None:
        row = out[k]
        if k == 0:
            np.power(a[0], b[0], out=row)
            return
        # a p' = c p a'
        j = np.arange(1.0, k + 1)[:, None]
        einsum("kd,kd->d", (j * b[0] - (k - j)) * a[1 : k + 1], out[k - 1 :: -1], out=row)
        np.divide(row, k * a[0], out=row)

    value = _VALUES[FUNCTIONS[step.name]]

    def function(k: int) -> None:
        row = out[k]
        if k == 0:
            row[:] = value(c[0])
            return
        einsum("kd,kd->d", a[1 : k + 1], b[k - 1 :: -1], out=row)
        np.divide(row, float(k), out=row)

    fills: dict[Op, _Fill] = {
        Op.ADD: add, Op.SUBTRACT: subtract, Op.SCALE: scale, Op.DERIVE: derive,
        Op.MULTIPLY: multiply, Op.SQUARE: square, Op.DIVIDE: divide, Op.POWER: power,
        Op.FUNCTION: function,
    }  # fmt: skip
    return fills[step.op]


class NumpyEngine:
    """Steps in NumPy."""

    name = "numpy"

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        problem, order = spec.problem, spec.order
        self.x = _Memory(spec.coordinates, spec.values, order, problem.d)
        self.z = _Memory(spec.samples, spec.targets, order, problem.n)
        self.pull = np.zeros((order + 1, problem.d))
        x, *velocity = (self.x.output(i) for i in spec.coordinates.outputs)
        self.x_rows, self.velocity = x, velocity
        self.slope = self.z.output(spec.samples.outputs[0])
        # z less the target has the later orders of z
        self.shifted = spec.samples.shifts
        self.slope_later = self.z.rows[0] if self.shifted else self.slope
        self.exponents = np.arange(order + 1.0)
        self.dense = problem.A if isinstance(problem.A, np.ndarray) else None

    def march(self, t: float, y: Array, bound: float, count: int, unit: float, cap: float) -> Chunk:
        """See `Engine`."""
        with np.errstate(all="ignore"):
            return self._march(t, y, bound, count, unit, cap)

    def states_at(self, chunk: Chunk, times: Array) -> Array:
        """See `Engine`."""
        index = np.searchsorted(chunk.times[1:], times)
        powers = np.empty((len(times), self.spec.order + 1))
        powers[:, 0] = 1.0
        powers[:, 1:] = ((times - chunk.times[index]) / chunk.units[index])[:, None]
        np.multiply.accumulate(powers, axis=1, out=powers)
        out = np.empty((len(times), chunk.states.shape[1]))
        # the outputs of a step are one product
        ends = np.searchsorted(index, np.arange(len(chunk.units) + 1))
        for i in np.unique(index):
            some = slice(ends[i], ends[i + 1])
            np.matmul(powers[some], chunk.coefficients[i], out=out[some])
        return out

    def _march(
        self, t: float, y: Array, bound: float, count: int, unit: float, cap: float
    ) -> Chunk:
        spec, order = self.spec, self.spec.order
        times, states, units = [t], [y], []
        coefficients = np.empty((count, order + 1, spec.size))
        status = FULL
        rate = self._begin(y)
        for m in range(count):
            C = coefficients[m]
            if not np.isfinite(rate).all():
                status = NONFINITE
                break
            self._expand(C, y, rate, unit)
            sizes = _sizes(spec, C, cap)
            reach = min(_reach(C, sizes, spec.rtol), (bound - t) / unit)
            for memory in (self.x, self.z):
                reach = memory.before_branch_points(reach)
            length = unit * reach
            if not length > 0:
                status = NONFINITE
                break
            # a product with the unit may miss the rest of the time by rounding
            last = length >= (bound - t) * (1 - 1e-15)
            length = bound - t if last else length
            shortest = 1e-18 * length
            limit = tolerance(spec.rtol) * (sizes + np.abs(C[1]))
            while True:
                if length <= shortest or (t + length <= t):
                    status = STALLED
                    break
                powers = (length / unit) ** self.exponents
                new = powers @ C
                slope = (self.exponents[1:] * powers[:-1]) @ C[1:] / unit
                rate = self._begin(new)
                if self._accepted(new, rate) and np.all(np.abs(slope - rate) * length <= limit):
                    break
                length, last = length / 2, False
            if status == STALLED:
                break
            t, y = bound if last else t + length, new
            times.append(t)
            states.append(y)
            units.append(unit)
            unit = length
            if last:
                status = FINISHED
                break
        done = len(units)
        return Chunk(
            np.array(times), np.array(states), coefficients[:done], np.array(units), status
        )

    def _begin(self, y: Array) -> Array:
        """Order 0 at a state, and the state's rate."""
        spec = self.spec
        if spec.dual:
            self.x.rows[0, 0] = -spec.problem.pull_back(y)
        else:
            self.x.rows[: len(self.velocity), 0] = y.reshape(len(self.velocity), -1)
        self._order(0, -1.0)
        if spec.dual:
            self.x.rows[0, 1] = self.pull[0]
            return self.slope[0].copy()
        for j, velocity in enumerate(self.velocity):
            np.multiply(velocity[0], self.pull[0], out=self.x.rows[j, 1])
        return self.x.rows[: len(self.velocity), 1].reshape(-1).copy()

    def _order(self, k: int, factor: float) -> None:
        problem = self.spec.problem
        self.x.fill(k)
        if self.dense is not None:
            np.dot(self.dense, self.x_rows[k], out=self.z.rows[0, k])
            self.z.fill(k)
            np.dot(self.slope[k] * factor, self.dense, out=self.pull[k])
            return
        self.z.rows[0, k] = problem.predict(self.x_rows[k])
        self.z.fill(k)
        np.multiply(problem.pull_back(self.slope[k]), factor, out=self.pull[k])

    def _expand(self, C: Array, y: Array, rate: Array, unit: float) -> None:
        """All coefficients, in the unit of time, after `_begin`."""
        spec = self.spec
        x, k_parameters = self.x.rows, len(self.velocity)
        C[0], C[1] = y, rate * unit
        self.pull[0] *= unit
        x[: max(k_parameters, 1), 1] *= unit
        if spec.dual and self.dense is not None:
            self._expand_dual(C, unit, self.dense)
            return
        for k in range(1, spec.order):
            self._order(k, -unit)
            if spec.dual:
                np.multiply(self.slope[k], unit / (k + 1), out=C[k + 1])
                np.multiply(self.pull[k], 1.0 / (k + 1), out=x[0, k + 1])
                continue
            for j, velocity in enumerate(self.velocity):
                row = x[j, k + 1]
                np.einsum("kd,kd->d", velocity[: k + 1], self.pull[k::-1], out=row)
                row *= 1.0 / (k + 1)
            C[k + 1] = x[:k_parameters, k + 1].reshape(-1)

    def _expand_dual(self, C: Array, unit: float, A: Array) -> None:
        """The orders from two on with as few calls as there can be."""
        order, xi, z, x, slope = (
            C.shape[0] - 1,
            self.x.rows[0],
            self.z.rows[0],
            self.x_rows,
            self.slope_later,
        )
        dot, fill, shifted = np.dot, self.x.fill, self.shifted
        for k in range(1, order):
            fill(k)
            dot(A, x[k], out=z[k])
            if not shifted:
                self.z.fill(k)
            dot(slope[k] * (-unit / (k + 1)), A, out=xi[k + 1])
        np.multiply(slope[1:order], unit / np.arange(2.0, order + 1)[:, None], out=C[2:])

    def _accepted(self, y: Array, rate: Array) -> bool:
        """Whether a new state is finite and inside of the ranges."""
        at = self.x.rows[0, 0] if self.spec.dual else y
        inside = np.all((at >= self.spec.lower) & (at <= self.spec.upper))
        return bool(inside and np.isfinite(rate).all() and np.isfinite(y).all())


def _sizes(spec: Spec, C: Array, cap: float) -> Array:
    """The size of each component that its error is relative to."""
    if spec.dual:
        return np.full(spec.size, min(float(np.max(np.abs(C[0]))) + spec.floor, cap))
    sizes = np.abs(C[0]) + spec.floor
    return np.where(sizes > 0, sizes, np.max(np.abs(C), axis=0))


def _reach(C: Array, sizes: Array, rtol: float) -> float:
    """The step, in units: a share of the radius of convergence that the last terms show."""
    order = len(C) - 1
    last = np.abs(C[order - 3 :])
    largest = np.max(last / sizes, axis=1).tolist()
    if math.isfinite(sum(largest)):
        logs = [-math.log(v) / k for k, v in enumerate(largest, order - 3) if v > 0]
        if not logs:
            return float("inf")
        radius = min(logs)
    else:
        if not np.isfinite(last).all():
            return float("nan")
        # a quotient that overflows has a logarithm
        degrees = np.arange(order - 3.0, order + 1)[:, None]
        moving = last > 0
        ratios = np.log(sizes) - np.log(np.where(moving, last, 1.0))
        radius = float(np.min(np.where(moving, ratios / degrees, np.inf)))
    reach = SAFETY * math.exp(radius) * rtol ** (1 / order)
    # at rest the tolerance is no measure: the last term stays below the motion itself
    first, final = float(np.max(np.abs(C[1]))), float(np.max(last[-1]))
    if first > 0 and final > 0:
        reach = min(reach, (REST * first / final) ** (1 / (order - 1)))
    return reach
