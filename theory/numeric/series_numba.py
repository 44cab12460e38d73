"""Power series of a flow in Numba: an interpreter of tapes, compiled once for all problems."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series import FINISHED, FULL, NONFINITE, STALLED, Chunk, Spec
from theory.numeric.series_numpy import BRANCH, REST, SAFETY, tolerance
from theory.numeric.tape import Op, Tape
from theory.numeric.tape_numba import convolve, fill, jit, predict, pull_back

__all__ = ["NumbaEngine", "as_code"]

POWER = int(Op.POWER)


@jit()
def _begin(
    dual: bool, A: Array, y: Array, rate: Array, X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """Order 0 at a state, and the state's rate."""
    d = A.shape[1]
    if dual:
        for i in range(y.size):
            Z[0, 0, i] = y[i]
        pull_back(A, Z, 0, 0, -1.0, X[0], 0)
    else:
        for j in range(x_out.size - 1):
            X[j, 0] = y[j * d : (j + 1) * d]
    fill(x_code, x_first, X, 0)
    predict(A, X, x_out[0], 0, Z)
    fill(z_code, z_first, Z, 0)
    pull_back(A, Z, z_out, 0, -1.0, V, 0)
    if dual:
        rate[:] = Z[z_out, 0]
    else:
        for j in range(x_out.size - 1):
            velocity = X[x_out[j + 1], 0]
            for i in range(d):
                rate[j * d + i] = velocity[i] * V[0, i]


@jit()
def _expand(
    dual: bool, A: Array, C: Array, y: Array, rate: Array, unit: float,
    X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
    shifts: bool,
) -> None:  # fmt: skip
    """All coefficients, in the unit of time, after `_begin`."""
    d = A.shape[1]
    order = C.shape[0] - 1
    pulled = V.reshape((1, V.shape[0], d))
    for i in range(C.shape[1]):
        C[0, i] = y[i]
        C[1, i] = rate[i] * unit
    for i in range(d):
        V[0, i] *= unit
    if dual:
        X[0, 1] = V[0]
    else:
        for j in range(x_out.size - 1):
            X[j, 1] = C[1, j * d : (j + 1) * d]
    for k in range(1, order):
        fill(x_code, x_first, X, k)
        predict(A, X, x_out[0], k, Z)
        # a sample that is shifted has the series of z, but for one coefficient
        slope = 0 if shifts else z_out
        if not shifts:
            fill(z_code, z_first, Z, k)
        scale = 1.0 / (k + 1)
        if dual:
            pull_back(A, Z, slope, k, -unit * scale, X[0], k + 1)
            for i in range(C.shape[1]):
                C[k + 1, i] = unit * scale * Z[slope, k, i]
        else:
            pull_back(A, Z, slope, k, -unit, V, k)
            for j in range(x_out.size - 1):
                convolve(X, j, k + 1, X, x_out[j + 1], pulled, 0, 0, k, 0, scale)
                for i in range(d):
                    C[k + 1, j * d + i] = X[j, k + 1, i]


@jit()
def _reach(
    dual: bool, C: Array, sizes: Array, floor: float, cap: float, rtol: float, safety: float
) -> float:
    """The step, in units, and the size of every component; NaN for nonfinite coefficients."""
    order, size = C.shape[0] - 1, C.shape[1]
    top = 0.0
    for i in range(size):
        sizes[i] = abs(C[0, i]) + floor
        top = max(top, sizes[i])
    for i in range(size):
        if dual:
            sizes[i] = min(top, cap)
        elif not sizes[i] > 0:
            for k in range(order + 1):
                sizes[i] = max(sizes[i], abs(C[k, i]))
    best = np.inf
    for k in range(order - 3, order + 1):
        ratio = np.inf
        for i in range(size):
            last = abs(C[k, i])
            if not np.isfinite(last):
                return np.nan
            if last > 0:
                ratio = min(ratio, sizes[i] / last)
        if ratio < np.inf:
            best = min(best, ratio ** (1.0 / k))
    # at rest the tolerance is no measure: the last term stays below the motion itself
    first, last = 0.0, 0.0
    for i in range(size):
        first, last = max(first, abs(C[1, i])), max(last, abs(C[order, i]))
    reach = safety * best * rtol ** (1.0 / order)
    if first > 0 and last > 0:
        reach = min(reach, (REST * first / last) ** (1.0 / (order - 1)))
    return reach


@jit()
def _before_branch_points(code: Array, rows: Array, order: int, length: float) -> float:
    """A step within which no base of a power reaches zero, where another branch begins."""
    for step in range(code.shape[0]):
        if code[step, 0] != POWER:
            continue
        base = rows[code[step, 1]]
        for i in range(rows.shape[2]):
            while length > 0:
                change = 0.0
                for k in range(order - 1, 0, -1):
                    change = (change + abs(base[k, i])) * length
                if change <= BRANCH * abs(base[0, i]):
                    break
                length *= 0.7
    return length


@jit()
def _advance(C: Array, s: float, unit: float, new: Array, slope: Array) -> None:
    """The polynomial and its derivative at s units."""
    order = C.shape[0] - 1
    for i in range(new.size):
        new[i] = C[order, i]
        slope[i] = 0.0
    for k in range(order - 1, -1, -1):
        row = C[k]
        for i in range(new.size):
            slope[i] = slope[i] * s + new[i]
            new[i] = new[i] * s + row[i]
    for i in range(new.size):
        slope[i] /= unit


@jit()
def _accepted(
    dual: bool, new: Array, slope: Array, rate: Array, at: Array, lower: Array, upper: Array,
    sizes: Array, C1: Array, length: float, tolerance: float,
) -> bool:  # fmt: skip
    for i in range(new.size):
        miss = abs(slope[i] - rate[i]) * length
        if not (np.isfinite(new[i]) and miss <= tolerance * (sizes[i] + abs(C1[i]))):
            return False
    where = at if dual else new
    inside = True
    for i in range(where.size):
        inside = inside and lower[i] <= where[i] <= upper[i]
    return inside


@jit()
def _march(
    dual: bool, A: Array, t: float, y: Array, bound: float, unit: float,
    times: Array, states: Array, coefficients: Array, units: Array,
    X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
    shifts: bool, lower: Array, upper: Array, rtol: float, floor: float, cap: float, safety: float,
    tolerance: float,
) -> tuple[int, int]:  # fmt: skip
    """The steps of a chunk, into its arrays; how many, and how it ends."""
    size = y.size
    rate, new, slope, sizes = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    times[0] = t
    states[0] = y
    _begin(dual, A, y, rate, X, Z, V, x_code, x_first, x_out, z_code, z_first, z_out)
    for m in range(units.size):
        C = coefficients[m]
        if not np.all(np.isfinite(rate)):
            return m, NONFINITE
        _expand(
            dual, A, C, states[m], rate, unit, X, Z, V,
            x_code, x_first, x_out, z_code, z_first, z_out, shifts,
        )  # fmt: skip
        reach = _reach(dual, C, sizes, floor, cap, rtol, safety)
        reach = min(reach, (bound - t) / unit)
        reach = _before_branch_points(x_code, X, C.shape[0] - 1, reach)
        length = unit * _before_branch_points(z_code, Z, C.shape[0] - 1, reach)
        if not length > 0:
            return m, NONFINITE
        # a product with the unit may miss the rest of the time by rounding
        last = length >= (bound - t) * (1 - 1e-15)
        if last:
            length = bound - t
        shortest = 1e-18 * length
        while True:
            if length <= shortest or t + length <= t:
                return m, STALLED
            _advance(C, length / unit, unit, new, slope)
            _begin(dual, A, new, rate, X, Z, V, x_code, x_first, x_out, z_code, z_first, z_out)
            if _accepted(
                dual, new, slope, rate, X[0, 0], lower, upper, sizes, C[1], length, tolerance
            ):
                break
            length /= 2
            last = False
        t = bound if last else t + length
        times[m + 1] = t
        states[m + 1] = new
        units[m] = unit
        unit = length
        if last:
            return m + 1, FINISHED
    return units.size, FULL


@jit()
def _outputs(times: Array, units: Array, coefficients: Array, wanted: Array, out: Array) -> None:
    """Horner's rule for increasing times."""
    order, size = coefficients.shape[1] - 1, coefficients.shape[2]
    m = 0
    for i in range(wanted.size):
        while m < units.size - 1 and wanted[i] > times[m + 1]:
            m += 1
        s = (wanted[i] - times[m]) / units[m]
        C, row = coefficients[m], out[i]
        for j in range(size):
            row[j] = C[order, j]
        for k in range(order - 1, -1, -1):
            for j in range(size):
                row[j] = row[j] * s + C[k, j]


class NumbaEngine:
    """Steps in Numba."""

    name = "numba"

    def __init__(self, spec: Spec) -> None:
        problem, order = spec.problem, spec.order
        self.spec = spec
        self.A = np.ascontiguousarray(problem.dense)
        self.X = _memory(spec.coordinates, spec.values, order, problem.d)
        self.Z = _memory(spec.samples, spec.targets, order, problem.n)
        self.V = np.zeros((order + 1, problem.d))
        self.programs = (
            as_code(spec.coordinates),
            spec.coordinates.first,
            np.array(spec.coordinates.outputs, dtype=np.int64),
            as_code(spec.samples),
            spec.samples.first,
            spec.samples.outputs[0],
            spec.samples.shifts,
        )

    def march(self, t: float, y: Array, bound: float, count: int, unit: float, cap: float) -> Chunk:
        """See `Engine`."""
        spec = self.spec
        times, states = np.empty(count + 1), np.empty((count + 1, spec.size))
        coefficients = np.empty((count, spec.order + 1, spec.size))
        units = np.empty(count)
        done, status = _march(
            spec.dual, self.A, t, y, bound, unit, times, states, coefficients, units,
            self.X, self.Z, self.V, *self.programs, spec.lower, spec.upper,
            spec.rtol, spec.floor, cap, SAFETY, tolerance(spec.rtol),
        )  # fmt: skip
        return Chunk(
            times[: done + 1], states[: done + 1], coefficients[:done], units[:done], status
        )

    def states_at(self, chunk: Chunk, times: Array) -> Array:
        """See `Engine`."""
        out = np.empty((len(times), chunk.states.shape[1]))
        _outputs(chunk.times, chunk.units, chunk.coefficients, times, out)
        return out


def _memory(tape: Tape, constants: Array, order: int, width: int) -> Array:
    rows = np.zeros((tape.size, order + 1, width))
    rows[len(tape.variables) : tape.first, 0] = constants
    return rows


def as_code(tape: Tape) -> Any:
    """The operations as integers, shape (number, 6); the last, whether later orders are read."""
    steps = [
        (int(s.op), s.a, s.b, s.c, s.name, later)
        for s, later in zip(tape.operations, tape.later, strict=True)
    ]
    return np.array(steps, dtype=np.int64).reshape(-1, 6)
