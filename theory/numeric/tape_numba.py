"""The operations of a tape and the products with the data, compiled by Numba."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from theory.numeric.compile import Array
from theory.numeric.tape import FUNCTIONS, Op

__all__ = ["REORDER", "convolve", "fill", "jit", "lower_products", "predict", "pull_back"]

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
def convolve(
    out: Array, o: int, row: int, a: Array, p: int, b: Array, q: int, low: int, k: int, shift: int,
    factor: float,
) -> None:  # fmt: skip
    """Row of node o = factor * sum of a_j b_(k - shift - j + low) over j = low..k, nodes p and q.

    Nodes by their number and no views of them: a view costs as much as a short loop.
    """
    width = out.shape[2]
    top = k - shift + low
    # four terms at once keep the sum in registers; what is left of them comes first
    rest = (k - low + 1) % 4
    j = low + rest
    if rest == 0 and j <= k:
        m = top - j
        for i in range(width):
            out[o, row, i] = factor * (
                a[p, j, i] * b[q, m, i]
                + a[p, j + 1, i] * b[q, m - 1, i]
                + a[p, j + 2, i] * b[q, m - 2, i]
                + a[p, j + 3, i] * b[q, m - 3, i]
            )
        j += 4
    elif rest == 0:
        for i in range(width):
            out[o, row, i] = 0.0
    elif rest == 1:
        for i in range(width):
            out[o, row, i] = factor * a[p, low, i] * b[q, top - low, i]
    elif rest == 2:
        m = top - low
        for i in range(width):
            out[o, row, i] = factor * (
                a[p, low, i] * b[q, m, i] + a[p, low + 1, i] * b[q, m - 1, i]
            )
    else:
        m = top - low
        for i in range(width):
            out[o, row, i] = factor * (
                a[p, low, i] * b[q, m, i]
                + a[p, low + 1, i] * b[q, m - 1, i]
                + a[p, low + 2, i] * b[q, m - 2, i]
            )
    while j <= k:
        m = top - j
        for i in range(width):
            out[o, row, i] += factor * (
                a[p, j, i] * b[q, m, i]
                + a[p, j + 1, i] * b[q, m - 1, i]
                + a[p, j + 2, i] * b[q, m - 2, i]
                + a[p, j + 3, i] * b[q, m - 3, i]
            )
        j += 4


@jit(fastmath=REORDER)
def _square(rows: Array, o: int, p: int, k: int) -> None:
    """Every mixed product once."""
    width = rows.shape[2]
    for i in range(width):
        rows[o, k, i] = 0.0
    half = (k + 1) // 2
    j = 0
    while j + 1 < half:
        for i in range(width):
            rows[o, k, i] += (
                rows[p, j, i] * rows[p, k - j, i] + rows[p, j + 1, i] * rows[p, k - j - 1, i]
            )
        j += 2
    if j < half:
        for i in range(width):
            rows[o, k, i] += rows[p, j, i] * rows[p, k - j, i]
    if k % 2 == 0:
        for i in range(width):
            middle = rows[p, k // 2, i]
            rows[o, k, i] = 2 * rows[o, k, i] + middle * middle
    else:
        for i in range(width):
            rows[o, k, i] *= 2


@jit()
def fill(code: Array, first: int, rows: Array, k: int) -> None:
    """Order k of every operation."""
    width = rows.shape[2]
    for step in range(code.shape[0]):
        if k > 0 and code[step, 5] == 0:
            continue
        op, ia, ib, io = code[step, 0], code[step, 1], code[step, 2], first + step
        if op == _ADD:
            for i in range(width):
                rows[io, k, i] = rows[ia, k, i] + rows[ib, k, i]
        elif op == _SUBTRACT:
            for i in range(width):
                rows[io, k, i] = rows[ia, k, i] - rows[ib, k, i]
        elif op == _SCALE:
            for i in range(width):
                rows[io, k, i] = rows[ia, 0, i] * rows[ib, k, i]
        elif op == _DERIVE:
            for i in range(width):
                rows[io, k, i] = k * rows[ib, 0, i] * rows[ia, k, i]
        elif op == _MULTIPLY:
            convolve(rows, io, k, rows, ia, rows, ib, 0, k, 0, 1.0)
        elif op == _SQUARE:
            _square(rows, io, ia, k)
        elif op == _DIVIDE:
            if k == 0:
                for i in range(width):
                    rows[io, 0, i] = rows[ia, 0, i] / rows[ib, 0, i]
            else:
                convolve(rows, io, k, rows, ib, rows, io, 1, k, 1, 1.0)
                for i in range(width):
                    rows[io, k, i] = (rows[ia, k, i] - rows[io, k, i]) / rows[ib, 0, i]
        elif op == _POWER:
            if k == 0:
                for i in range(width):
                    rows[io, 0, i] = rows[ia, 0, i] ** rows[ib, 0, i]
            else:
                for i in range(width):
                    rows[io, k, i] = 0.0
                for j in range(1, k + 1):
                    for i in range(width):
                        share = j * rows[ib, 0, i] - (k - j)
                        rows[io, k, i] += share * rows[ia, j, i] * rows[io, k - j, i]
                for i in range(width):
                    rows[io, k, i] /= k * rows[ia, 0, i]
        elif k == 0:
            name, ic = code[step, 4], code[step, 3]
            for i in range(width):
                rows[io, 0, i] = _value(name, rows[ic, 0, i])
        else:
            convolve(rows, io, k, rows, ia, rows, ib, 1, k, 1, 1.0 / k)


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
def pull_back(A: Array, Z: Array, node: int, k: int, factor: float, V: Array, row: int) -> None:
    """Row of V = order k of factor * A^T r, r a node.

    Four samples at once, since the sum is in memory.
    """
    n, d = A.shape
    for j in range(d):
        V[row, j] = 0.0
    i = 0
    while i + 3 < n:
        r0, r1 = factor * Z[node, k, i], factor * Z[node, k, i + 1]
        r2, r3 = factor * Z[node, k, i + 2], factor * Z[node, k, i + 3]
        for j in range(d):
            V[row, j] += r0 * A[i, j] + r1 * A[i + 1, j] + r2 * A[i + 2, j] + r3 * A[i + 3, j]
        i += 4
    while i < n:
        r0 = factor * Z[node, k, i]
        for j in range(d):
            V[row, j] += r0 * A[i, j]
        i += 1


@jit(fastmath=REORDER)
def lower_products(B: Array, A: Array, G: Array) -> None:
    """The lower triangle of B A^T; four rows of A at once, so that one of B is read for all."""
    n, d = G.shape[0], A.shape[1]
    for i in range(n):
        j = 0
        while j + 3 <= i:
            s0 = s1 = s2 = s3 = 0.0
            for k in range(d):
                b = B[i, k]
                s0 += b * A[j, k]
                s1 += b * A[j + 1, k]
                s2 += b * A[j + 2, k]
                s3 += b * A[j + 3, k]
            G[i, j], G[i, j + 1], G[i, j + 2], G[i, j + 3] = s0, s1, s2, s3
            j += 4
        while j <= i:
            s0 = 0.0
            for k in range(d):
                s0 += B[i, k] * A[j, k]
            G[i, j] = s0
            j += 1
