"""Power series of eight flows side by side in Numba, each in its own unit of time.

For few unknowns the interpreter of a tape costs more than the arithmetic, so that one instruction
serves eight members. What a lane computes does not depend on the others.
"""

from __future__ import annotations

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series_numpy import BRANCH, REST
from theory.numeric.tape import Op
from theory.numeric.tape_numba import REORDER, convolve, fill, jit

__all__ = [
    "LANES",
    "advance_all",
    "advance_one",
    "before_branch_points",
    "expand",
    "find_reach",
    "order_zero",
]

# known to the compiler, which makes two vectors of it
LANES = 8
_POWER = int(Op.POWER)
_TINY = 1e-300


@jit(fastmath=REORDER)
def _predict(A: Array, X: Array, node: int, k: int, Z: Array) -> None:
    """Order k of z = A x of all lanes; the last axis of A has the length 1 where they share it."""
    n, d = A.shape[0], A.shape[1]
    for i in range(n):
        for w in range(LANES):
            Z[0, k, i, w] = 0.0
        j = 0
        if A.shape[2] == 1:
            while j + 3 < d:
                a0, a1, a2, a3 = A[i, j, 0], A[i, j + 1, 0], A[i, j + 2, 0], A[i, j + 3, 0]
                for w in range(LANES):
                    Z[0, k, i, w] += (
                        a0 * X[node, k, j, w]
                        + a1 * X[node, k, j + 1, w]
                        + a2 * X[node, k, j + 2, w]
                        + a3 * X[node, k, j + 3, w]
                    )
                j += 4
            while j < d:
                for w in range(LANES):
                    Z[0, k, i, w] += A[i, j, 0] * X[node, k, j, w]
                j += 1
        else:
            while j < d:
                for w in range(LANES):
                    Z[0, k, i, w] += A[i, j, w] * X[node, k, j, w]
                j += 1


@jit(fastmath=REORDER)
def _pull_back(A: Array, Z: Array, node: int, k: int, factor: Array, V: Array, o: int) -> None:
    """Order k of A^T r of all lanes times a factor of each, r a node, into V[o]."""
    n, d = A.shape[0], A.shape[1]
    for j in range(d):
        for w in range(LANES):
            V[o, k, j, w] = 0.0
        i = 0
        if A.shape[2] == 1:
            while i + 3 < n:
                a0, a1, a2, a3 = A[i, j, 0], A[i + 1, j, 0], A[i + 2, j, 0], A[i + 3, j, 0]
                for w in range(LANES):
                    V[o, k, j, w] += (
                        a0 * Z[node, k, i, w]
                        + a1 * Z[node, k, i + 1, w]
                        + a2 * Z[node, k, i + 2, w]
                        + a3 * Z[node, k, i + 3, w]
                    )
                i += 4
            while i < n:
                for w in range(LANES):
                    V[o, k, j, w] += A[i, j, 0] * Z[node, k, i, w]
                i += 1
        else:
            while i < n:
                for w in range(LANES):
                    V[o, k, j, w] += A[i, j, w] * Z[node, k, i, w]
                i += 1
        for w in range(LANES):
            V[o, k, j, w] *= factor[w]


@jit()
def order_zero(
    dual: bool, A: Array, y: Array, rate: Array, minus: Array, X: Array, Xr: Array, Z: Array,
    Zr: Array, V: Array, x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int,
    z_out: int,
) -> None:  # fmt: skip
    """Order 0 at the states y of shape (unknowns, lanes), and their rates.

    Xr and Zr are X and Z with coordinates and lanes in one axis.
    """
    d = A.shape[1]
    V4 = V.reshape((1, V.shape[0], d, LANES))
    if dual:
        Z[0, 0] = y
        _pull_back(A, Z, 0, 0, minus, X, 0)
    else:
        for j in range(x_out.size - 1):
            X[j, 0] = y[j * d : (j + 1) * d]
    fill(x_code, x_first, Xr, 0)
    _predict(A, X, x_out[0], 0, Z)
    fill(z_code, z_first, Zr, 0)
    _pull_back(A, Z, z_out, 0, minus, V4, 0)
    if dual:
        rate[:] = Z[z_out, 0]
        return
    for j in range(x_out.size - 1):
        for i in range(d):
            for w in range(LANES):
                rate[j * d + i, w] = X[x_out[j + 1], 0, i, w] * V[0, i, w]


@jit()
def expand(
    dual: bool, A: Array, C: Array, Cr: Array, y: Array, rate: Array, unit: Array, minus: Array,
    X: Array, Xr: Array, Z: Array, Zr: Array, V: Array, Vr: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """All coefficients, each lane in its unit of time, after `order_zero`."""
    d = A.shape[1]
    order, width = C.shape[0] - 1, Vr.shape[1]
    pulled, V4 = Vr.reshape((1, order + 1, width)), V.reshape((1, order + 1, d, LANES))
    for i in range(C.shape[1]):
        for w in range(LANES):
            C[0, i, w] = y[i, w]
            C[1, i, w] = rate[i, w] * unit[w]
    for i in range(d):
        for w in range(LANES):
            V[0, i, w] *= unit[w]
    for w in range(LANES):
        minus[w] = -unit[w]
    if dual:
        X[0, 1] = V[0]
    else:
        for j in range(x_out.size - 1):
            X[j, 1] = C[1, j * d : (j + 1) * d]
    for k in range(1, order):
        fill(x_code, x_first, Xr, k)
        _predict(A, X, x_out[0], k, Z)
        fill(z_code, z_first, Zr, k)
        _pull_back(A, Z, z_out, k, minus, V4, 0)
        scale = 1.0 / (k + 1)
        if dual:
            for i in range(C.shape[1]):
                for w in range(LANES):
                    C[k + 1, i, w] = unit[w] * scale * Z[z_out, k, i, w]
            for i in range(width):
                Xr[0, k + 1, i] = scale * Vr[k, i]
            continue
        for j in range(x_out.size - 1):
            convolve(Xr, j, k + 1, Xr, x_out[j + 1], pulled, 0, 0, k, 0, scale)
            for i in range(width):
                Cr[k + 1, j * width + i] = Xr[j, k + 1, i]
    for w in range(LANES):
        minus[w] = -1.0


@jit()
def find_reach(
    dual: bool, Cr: Array, sizes: Array, work: Array, floor: Array, cap: Array, rtol: float,
    safety: float, reach: Array,
) -> None:  # fmt: skip
    """The steps, in units, and the size of every component; NaN for nonfinite coefficients.

    Coordinates and lanes are in one axis, along which long loops are vectors.
    """
    order, width = Cr.shape[0] - 1, Cr.shape[1]
    for i in range(width):
        sizes[i] = abs(Cr[0, i]) + floor[i % LANES]
    if dual:
        # all dual variables move the same curves, which are nearly straight within the cap
        work[:] = sizes
        _fold(work)
        for i in range(width):
            sizes[i] = min(work[i % LANES], cap[i % LANES])
    for i in range(width):
        if not sizes[i] > 0:
            for k in range(1, order + 1):
                sizes[i] = max(sizes[i], abs(Cr[k, i]))
            sizes[i] = max(sizes[i], _TINY)
    for w in range(LANES):
        reach[w] = np.inf
    for k in range(order - 3, order + 1):
        for i in range(width):
            work[i] = abs(Cr[k, i]) / sizes[i]
        _fold(work)
        for w in range(LANES):
            if not work[w] < np.inf:
                reach[w] = np.nan
            elif work[w] > 0:
                reach[w] = min(reach[w], -np.log(work[w]) / k)
    share = np.log(safety) + np.log(rtol) / order
    for w in range(LANES):
        reach[w] = np.exp(reach[w] + share)
    # at rest the tolerance is no measure: the last term stays below the motion itself
    for i in range(width):
        work[i] = abs(Cr[1, i])
    _fold(work)
    first = work[:LANES].copy()
    for i in range(width):
        work[i] = abs(Cr[order, i])
    _fold(work)
    for w in range(LANES):
        if first[w] > 0 and work[w] > 0:
            rest = np.exp(np.log(REST * first[w] / work[w]) / (order - 1))
            reach[w] = min(reach[w], rest) if reach[w] == reach[w] else np.nan


@jit()
def _fold(work: Array) -> None:
    """The largest of every lane, or NaN, into the first entries."""
    rows = work.size // LANES
    while rows > 1:
        half = (rows + 1) // 2
        shift = half * LANES
        for i in range(rows * LANES - shift):
            a, b = work[i], work[i + shift]
            work[i] = a if a >= b or a != a else b
        rows = half


@jit()
def before_branch_points(code: Array, rows: Array, order: int, length: Array) -> None:
    """Steps within which no base of a power reaches zero, where another branch begins."""
    for step in range(code.shape[0]):
        if code[step, 0] != _POWER:
            continue
        base = rows[code[step, 1]]
        for i in range(rows.shape[2]):
            for w in range(LANES):
                while length[w] > 0:
                    change = 0.0
                    for k in range(order - 1, 0, -1):
                        change = (change + abs(base[k, i, w])) * length[w]
                    if change <= BRANCH * abs(base[0, i, w]):
                        break
                    length[w] *= 0.7


@jit()
def advance_one(C: Array, length: Array, unit: Array, w: int, new: Array, slope: Array) -> None:
    """The polynomial of a lane and its derivative at the end of a step."""
    order = C.shape[0] - 1
    s = length[w] / unit[w]
    for i in range(new.shape[0]):
        value, change = C[order, i, w], 0.0
        for k in range(order - 1, -1, -1):
            change = change * s + value
            value = value * s + C[k, i, w]
        new[i, w], slope[i, w] = value, change / unit[w]


@jit()
def advance_all(Cr: Array, s: Array, inverse: Array, new: Array, slope: Array) -> None:
    """The same for all lanes, with coordinates and lanes in one axis, where s is repeated."""
    order, width = Cr.shape[0] - 1, Cr.shape[1]
    for i in range(width):
        new[i], slope[i] = Cr[order, i], 0.0
    for k in range(order - 1, -1, -1):
        for i in range(width):
            slope[i] = slope[i] * s[i] + new[i]
            new[i] = new[i] * s[i] + Cr[k, i]
    for i in range(width):
        slope[i] *= inverse[i]
