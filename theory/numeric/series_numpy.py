"""Power series of a flow in NumPy: one call for each operation of the tape and each order."""

from __future__ import annotations

from collections.abc import Callable

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
    """The coefficients of all nodes of a tape, shape (nodes, order + 1, width)."""

    def __init__(self, tape: Tape, constants: Array, order: int, width: int) -> None:
        self.rows = np.zeros((tape.size, order + 1, width))
        self.rows[len(tape.variables) : tape.first, 0] = constants
        self.fills = [
            _filler(step, self.rows[tape.first + i], self.rows)
            for i, step in enumerate(tape.operations)
        ]
        self.bases = [self.rows[s.a] for s in tape.operations if s.op == Op.POWER]

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
        for fill in self.fills:
            fill(k)


def _filler(step: Operation, out: Array, rows: Array) -> _Fill:
    a, b, c = rows[step.a], rows[step.b], rows[step.c]
    einsum = np.einsum

    def add(k: int) -> None:
        np.add(a[k], b[k], out=out[k])

    def subtract(k: int) -> None:
        np.subtract(a[k], b[k], out=out[k])

    def scale(k: int) -> None:
        np.multiply(a[0], b[k], out=out[k])

    def derive(k: int) -> None:
        np.multiply(a[k], float(k), out=out[k])

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
        x, *velocity = (self.x.rows[i] for i in spec.coordinates.outputs)
        self.x_rows, self.velocity = x, velocity
        self.slope = self.z.rows[spec.samples.outputs[0]]
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
    if not np.isfinite(last).all():
        return float("nan")
    degrees = np.arange(order - 3.0, order + 1)[:, None]
    moving = last > 0
    if not moving.any():
        return float("inf")
    logs = np.log(sizes) - np.log(np.where(moving, last, 1.0))
    radius = float(np.min(np.where(moving, logs / degrees, np.inf)))
    reach = float(SAFETY * np.exp(radius) * rtol ** (1 / order))
    # at rest the tolerance is no measure: the last term stays below the motion itself
    first, final = float(np.max(np.abs(C[1]))), float(np.max(last[-1]))
    if first > 0 and final > 0:
        reach = min(reach, (REST * first / final) ** (1 / (order - 1)))
    return reach
