"""The operations of a tape and the products with the data, compiled by Numba."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from theory.numeric.compile import Array
from theory.numeric.tape import FUNCTIONS, Op

__all__ = ["REORDER", "convolve", "fill", "jit", "predict", "pull_back"]

# sums may be reordered, but NaN and infinity keep their meaning
REORDER = {"reassoc", "contract", "nsz"}


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
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


@jit()
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


@jit(fastmath=REORDER)
def convolve(out: Array, a: Array, b: Array, low: int, k: int, shift: int) -> None:
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


@jit(fastmath=REORDER)
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


@jit()
def fill(code: Array, first: int, rows: Array, k: int) -> None:
    """Order k of every operation."""
    width = rows.shape[2]
    for step in range(code.shape[0]):
        op, ia, ib, io = code[step, 0], code[step, 1], code[step, 2], first + step
        # no views of rows where none are needed: each costs as much as a short loop
        if op == _ADD:
            for i in range(width):
                rows[io, k, i] = rows[ia, k, i] + rows[ib, k, i]
            continue
        if op == _SUBTRACT:
            for i in range(width):
                rows[io, k, i] = rows[ia, k, i] - rows[ib, k, i]
            continue
        if op == _SCALE:
            for i in range(width):
                rows[io, k, i] = rows[ia, 0, i] * rows[ib, k, i]
            continue
        if op == _DERIVE:
            for i in range(width):
                rows[io, k, i] = k * rows[ia, k, i]
            continue
        a, b, p = rows[ia], rows[ib], rows[io]
        ak, out = a[k], p[k]
        if op == _MULTIPLY:
            convolve(out, a, b, 0, k, 0)
        elif op == _SQUARE:
            _square(out, a, k)
        elif op == _DIVIDE:
            b0 = b[0]
            if k == 0:
                for i in range(width):
                    out[i] = ak[i] / b0[i]
            else:
                convolve(out, b, p, 1, k, 1)
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
            convolve(out, a, b, 1, k, 1)
            scale = 1.0 / k
            for i in range(width):
                out[i] *= scale


@jit(fastmath=REORDER)
def predict(A: Array, X: Array, node: int, k: int, Z: Array) -> None:
    """Order k of z = A x, x a node."""
    n, d = A.shape
    i = 0
    # four samples at once: x is read once for them
    while i + 3 < n:
        s0 = s1 = s2 = s3 = 0.0
        for j in range(d):
            x = X[node, k, j]
            s0 += A[i, j] * x
            s1 += A[i + 1, j] * x
            s2 += A[i + 2, j] * x
            s3 += A[i + 3, j] * x
        Z[0, k, i], Z[0, k, i + 1], Z[0, k, i + 2], Z[0, k, i + 3] = s0, s1, s2, s3
        i += 4
    while i < n:
        s0 = 0.0
        for j in range(d):
            s0 += A[i, j] * X[node, k, j]
        Z[0, k, i] = s0
        i += 1


@jit(fastmath=REORDER)
def pull_back(A: Array, Z: Array, node: int, k: int, factor: float, V: Array) -> None:
    """Order k of factor * A^T r, r a node; four samples at once, since the sum is in memory."""
    n, d = A.shape
    for j in range(d):
        V[k, j] = 0.0
    i = 0
    while i + 3 < n:
        r0, r1 = factor * Z[node, k, i], factor * Z[node, k, i + 1]
        r2, r3 = factor * Z[node, k, i + 2], factor * Z[node, k, i + 3]
        for j in range(d):
            V[k, j] += r0 * A[i, j] + r1 * A[i + 1, j] + r2 * A[i + 2, j] + r3 * A[i + 3, j]
        i += 4
    while i < n:
        r0 = factor * Z[node, k, i]
        for j in range(d):
            V[k, j] += r0 * A[i, j]
        i += 1
