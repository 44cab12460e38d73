"""Power series of a flow in Numba: an interpreter of tapes, compiled once for all problems."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series import FINISHED, FULL, NONFINITE, STALLED, Chunk, Spec
from theory.numeric.series_numpy import SAFETY
from theory.numeric.tape import FUNCTIONS, Op, Tape

__all__ = ["NumbaEngine"]

# sums may be reordered, but NaN and infinity keep their meaning
_REORDER = {"reassoc", "contract", "nsz"}


def _jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        settings = {"error_model": "numpy", "nogil": True, **options}
        try:
            return numba.njit(cache=True, **settings)(function)
        except RuntimeError:
            # no folder to cache in: compiled in each process
            return numba.njit(**settings)(function)

    return decorate


_ADD, _SUBTRACT, _SCALE, _DERIVE = map(int, (Op.ADD, Op.SUBTRACT, Op.SCALE, Op.DERIVE))
_MULTIPLY, _SQUARE, _DIVIDE = map(int, (Op.MULTIPLY, Op.SQUARE, Op.DIVIDE))
_POWER = int(Op.POWER)
(
    _EXP, _EXPM1, _LOG, _LOG1P, _SIN, _COS, _TAN, _SINH, _COSH, _TANH, _SECH, _ASIN, _ACOS, _ATAN,
    _ASINH, _ACOSH, _ATANH, _ERF, _ERFC, _EXPIT, _SOFTPLUS,
) = (
    FUNCTIONS.index(name)
    for name in (
        "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sech",
        "asin", "acos", "atan", "asinh", "acosh", "atanh", "erf", "erfc", "expit", "softplus",
    )
)  # fmt: skip


@_jit()
def _value(name: int, a: float) -> float:
    """A function of the table."""
    if name == _EXP:
        return np.exp(a)
    if name == _EXPM1:
        return np.expm1(a)
    if name == _LOG:
        return np.log(a)
    if name == _LOG1P:
        return np.log1p(a)
    if name == _SIN:
        return np.sin(a)
    if name == _COS:
        return np.cos(a)
    if name == _TAN:
        return np.tan(a)
    if name == _SINH:
        return np.sinh(a)
    if name == _COSH:
        return np.cosh(a)
    if name == _TANH:
        return np.tanh(a)
    if name == _SECH:
        e = np.exp(-abs(a))
        return 2 * e / (1 + e * e)
    if name == _ASIN:
        return np.arcsin(a)
    if name == _ACOS:
        return np.arccos(a)
    if name == _ATAN:
        return np.arctan(a)
    if name == _ASINH:
        return np.arcsinh(a)
    if name == _ACOSH:
        return np.arccosh(a)
    if name == _ATANH:
        return np.arctanh(a)
    if name == _ERF:
        return math.erf(a)
    if name == _ERFC:
        return math.erfc(a)
    if name == _EXPIT:
        if a >= 0:
            return 1 / (1 + np.exp(-a))
        e = np.exp(a)
        return e / (1 + e)
    if name == _SOFTPLUS:
        return max(a, 0.0) + np.log1p(np.exp(-abs(a)))
    return np.nan


@_jit(fastmath=_REORDER)
def _convolve(out: Array, a: Array, b: Array, low: int, k: int, shift: int) -> None:
    """Out = sum of a[j] b[k - shift - j + low] over j = low..k: products of total degree fixed."""
    width = out.size
    top = k - shift + low
    for i in range(width):
        out[i] = 0.0
    j = low
    # four terms at once keep the sum in registers
    while j + 3 <= k:
        a0, a1, a2, a3 = a[j], a[j + 1], a[j + 2], a[j + 3]
        b0, b1, b2, b3 = b[top - j], b[top - j - 1], b[top - j - 2], b[top - j - 3]
        for i in range(width):
            out[i] += a0[i] * b0[i] + a1[i] * b1[i] + a2[i] * b2[i] + a3[i] * b3[i]
        j += 4
    while j <= k:
        a0, b0 = a[j], b[top - j]
        for i in range(width):
            out[i] += a0[i] * b0[i]
        j += 1


@_jit(fastmath=_REORDER)
def _square(out: Array, a: Array, k: int) -> None:
    """Every mixed product once."""
    width = out.size
    for i in range(width):
        out[i] = 0.0
    half = (k + 1) // 2
    j = 0
    while j + 1 < half:
        a0, a1, b0, b1 = a[j], a[j + 1], a[k - j], a[k - j - 1]
        for i in range(width):
            out[i] += a0[i] * b0[i] + a1[i] * b1[i]
        j += 2
    if j < half:
        a0, b0 = a[j], a[k - j]
        for i in range(width):
            out[i] += a0[i] * b0[i]
    if k % 2 == 0:
        middle = a[k // 2]
        for i in range(width):
            out[i] = 2 * out[i] + middle[i] * middle[i]
    else:
        for i in range(width):
            out[i] *= 2


@_jit()
def _fill(code: Array, first: int, rows: Array, k: int) -> None:
    """Order k of every operation."""
    width = rows.shape[2]
    for step in range(code.shape[0]):
        op, ia, ib = code[step, 0], code[step, 1], code[step, 2]
        a, b, p = rows[ia], rows[ib], rows[first + step]
        ak, bk, out = a[k], b[k], p[k]
        if op == _ADD:
            for i in range(width):
                out[i] = ak[i] + bk[i]
        elif op == _SUBTRACT:
            for i in range(width):
                out[i] = ak[i] - bk[i]
        elif op == _SCALE:
            a0 = a[0]
            for i in range(width):
                out[i] = a0[i] * bk[i]
        elif op == _DERIVE:
            for i in range(width):
                out[i] = k * ak[i]
        elif op == _MULTIPLY:
            _convolve(out, a, b, 0, k, 0)
        elif op == _SQUARE:
            _square(out, a, k)
        elif op == _DIVIDE:
            b0 = b[0]
            if k == 0:
                for i in range(width):
                    out[i] = ak[i] / b0[i]
            else:
                _convolve(out, b, p, 1, k, 1)
                for i in range(width):
                    out[i] = (ak[i] - out[i]) / b0[i]
        elif op == _POWER:
            a0, b0 = a[0], b[0]
            if k == 0:
                for i in range(width):
                    out[i] = a0[i] ** b0[i]
            else:
                for i in range(width):
                    out[i] = 0.0
                for j in range(1, k + 1):
                    aj, pj = a[j], p[k - j]
                    for i in range(width):
                        out[i] += (j * b0[i] - (k - j)) * aj[i] * pj[i]
                for i in range(width):
                    out[i] /= k * a0[i]
        elif k == 0:
            c0 = rows[code[step, 3], 0]
            name = code[step, 4]
            for i in range(width):
                out[i] = _value(name, c0[i])
        else:
            _convolve(out, a, b, 1, k, 1)
            scale = 1.0 / k
            for i in range(width):
                out[i] *= scale


@_jit(fastmath=_REORDER)
def _predict(A: Array, x: Array, out: Array) -> None:
    for i in range(A.shape[0]):
        row = A[i]
        total = 0.0
        for j in range(x.size):
            total += row[j] * x[j]
        out[i] = total


@_jit(fastmath=_REORDER)
def _pull_back(A: Array, r: Array, factor: float, out: Array) -> None:
    """factor * A^T r; four samples at once, since the sum is in memory."""
    n, d = A.shape
    for j in range(d):
        out[j] = 0.0
    i = 0
    while i + 3 < n:
        a0, a1, a2, a3 = A[i], A[i + 1], A[i + 2], A[i + 3]
        r0, r1, r2, r3 = factor * r[i], factor * r[i + 1], factor * r[i + 2], factor * r[i + 3]
        for j in range(d):
            out[j] += r0 * a0[j] + r1 * a1[j] + r2 * a2[j] + r3 * a3[j]
        i += 4
    while i < n:
        a0, r0 = A[i], factor * r[i]
        for j in range(d):
            out[j] += r0 * a0[j]
        i += 1


@_jit()
def _begin(
    dual: bool, A: Array, y: Array, rate: Array, X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """Order 0 at a state, and the state's rate."""
    d = A.shape[1]
    if dual:
        _pull_back(A, y, -1.0, X[0, 0])
    else:
        for j in range(x_out.size - 1):
            X[j, 0] = y[j * d : (j + 1) * d]
    _fill(x_code, x_first, X, 0)
    _predict(A, X[x_out[0], 0], Z[0, 0])
    _fill(z_code, z_first, Z, 0)
    _pull_back(A, Z[z_out, 0], -1.0, V[0])
    if dual:
        rate[:] = Z[z_out, 0]
    else:
        for j in range(x_out.size - 1):
            velocity = X[x_out[j + 1], 0]
            for i in range(d):
                rate[j * d + i] = velocity[i] * V[0, i]


@_jit()
def _expand(
    dual: bool, A: Array, C: Array, y: Array, rate: Array, unit: float, X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """All coefficients, in the unit of time, after `_begin`."""
    d = A.shape[1]
    order = C.shape[0] - 1
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
        _fill(x_code, x_first, X, k)
        _predict(A, X[x_out[0], k], Z[0, k])
        _fill(z_code, z_first, Z, k)
        slope = Z[z_out, k]
        _pull_back(A, slope, -unit, V[k])
        scale = 1.0 / (k + 1)
        if dual:
            for i in range(slope.size):
                C[k + 1, i] = unit * scale * slope[i]
            for i in range(d):
                X[0, k + 1, i] = scale * V[k, i]
        else:
            for j in range(x_out.size - 1):
                row = X[j, k + 1]
                _convolve(row, X[x_out[j + 1]], V, 0, k, 0)
                for i in range(d):
                    row[i] *= scale
                C[k + 1, j * d : (j + 1) * d] = row


@_jit()
def _reach(dual: bool, C: Array, sizes: Array, floor: float, rtol: float, safety: float) -> float:
    """The step, in units, and the size of every component; NaN for nonfinite coefficients."""
    order, size = C.shape[0] - 1, C.shape[1]
    top = 0.0
    for i in range(size):
        sizes[i] = abs(C[0, i]) + floor
        top = max(top, sizes[i])
    for i in range(size):
        if dual:
            sizes[i] = top
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
    return safety * best * rtol ** (1.0 / order)


@_jit()
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


@_jit()
def _accepted(
    dual: bool, new: Array, slope: Array, rate: Array, at: Array, lower: Array, upper: Array,
    sizes: Array, C1: Array, length: float, tolerance: float,
) -> bool:  # fmt: skip
    for i in range(new.size):
        miss = abs(slope[i] - rate[i]) * length
        if not (np.isfinite(new[i]) and miss <= tolerance * (sizes[i] + abs(C1[i]))):
            return False
    where = at if dual else new
    for i in range(where.size):
        if not (lower[i] <= where[i] <= upper[i]):
            return False
    return True


@_jit()
def _march(
    dual: bool, A: Array, t: float, y: Array, bound: float, unit: float,
    times: Array, states: Array, coefficients: Array, units: Array,
    X: Array, Z: Array, V: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
    lower: Array, upper: Array, rtol: float, floor: float, safety: float, tolerance: float,
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
            x_code, x_first, x_out, z_code, z_first, z_out,
        )  # fmt: skip
        length = unit * _reach(dual, C, sizes, floor, rtol, safety)
        if not length > 0:
            return m, NONFINITE
        last = length >= bound - t
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
            _code(spec.coordinates),
            spec.coordinates.first,
            np.array(spec.coordinates.outputs, dtype=np.int64),
            _code(spec.samples),
            spec.samples.first,
            spec.samples.outputs[0],
        )

    def march(self, t: float, y: Array, bound: float, count: int, unit: float) -> Chunk:
        """See `Engine`."""
        spec = self.spec
        times, states = np.empty(count + 1), np.empty((count + 1, spec.size))
        coefficients = np.empty((count, spec.order + 1, spec.size))
        units = np.empty(count)
        done, status = _march(
            spec.dual, self.A, t, y, bound, unit, times, states, coefficients, units,
            self.X, self.Z, self.V, *self.programs, spec.lower, spec.upper,
            spec.rtol, spec.floor, SAFETY, 100 * spec.rtol + 1e-11,
        )  # fmt: skip
        return Chunk(
            times[: done + 1], states[: done + 1], coefficients[:done], units[:done], status
        )


def _memory(tape: Tape, constants: Array, order: int, width: int) -> Array:
    rows = np.zeros((tape.size, order + 1, width))
    rows[len(tape.variables) : tape.first, 0] = constants
    return rows


def _code(tape: Tape) -> Any:
    steps = [(int(s.op), s.a, s.b, s.c, s.name) for s in tape.operations]
    return np.array(steps, dtype=np.int64).reshape(-1, 5)
