"""Taylor steps of many flows at once in Numba: eight members side by side, each with its own step.

For few unknowns the interpreter of a tape costs more than the arithmetic, so that one instruction
serves eight members. A member that has come to its end makes room for the next, and no lane waits.
What a lane computes does not depend on the others.
"""

from __future__ import annotations

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series import FINISHED, NONFINITE, STALLED
from theory.numeric.series_numpy import BRANCH, REST
from theory.numeric.tape import Op
from theory.numeric.tape_numba import REORDER, convolve, fill, jit

__all__ = ["EXHAUSTED", "INTERPOLATES", "LANES", "UNFINISHED", "march_lanes"]

# known to the compiler, which makes two vectors of it
LANES = 8
# how a member ends, besides those of `series`
UNFINISHED, INTERPOLATES, EXHAUSTED = -1, 10, 11
_POWER = int(Op.POWER)
# what a lane is about to do: take a member, look at its start, look at the end of a step, step
_EMPTY, _FRESH, _TRIAL, _READY, _IDLE = 0, 1, 2, 3, 4
# beyond this size a component counts as blown up
_HUGE = 1e150
_TINY = 1e-300


@jit(fastmath=REORDER)
def _predict(A: Array, x: Array, z: Array) -> None:
    """Products A x of all lanes; the last axis of A has the length 1 where they share it."""
    n, d = A.shape[0], A.shape[1]
    for i in range(n):
        for w in range(LANES):
            z[i, w] = 0.0
        j = 0
        if A.shape[2] == 1:
            while j + 3 < d:
                a0, a1, a2, a3 = A[i, j, 0], A[i, j + 1, 0], A[i, j + 2, 0], A[i, j + 3, 0]
                for w in range(LANES):
                    z[i, w] += a0 * x[j, w] + a1 * x[j + 1, w] + a2 * x[j + 2, w] + a3 * x[j + 3, w]
                j += 4
            while j < d:
                for w in range(LANES):
                    z[i, w] += A[i, j, 0] * x[j, w]
                j += 1
        else:
            while j < d:
                for w in range(LANES):
                    z[i, w] += A[i, j, w] * x[j, w]
                j += 1


@jit(fastmath=REORDER)
def _pull_back(A: Array, r: Array, factor: Array, v: Array) -> None:
    """Products A^T r of all lanes, times a factor of each."""
    n, d = A.shape[0], A.shape[1]
    for j in range(d):
        for w in range(LANES):
            v[j, w] = 0.0
        i = 0
        if A.shape[2] == 1:
            while i + 3 < n:
                a0, a1, a2, a3 = A[i, j, 0], A[i + 1, j, 0], A[i + 2, j, 0], A[i + 3, j, 0]
                for w in range(LANES):
                    v[j, w] += a0 * r[i, w] + a1 * r[i + 1, w] + a2 * r[i + 2, w] + a3 * r[i + 3, w]
                i += 4
            while i < n:
                for w in range(LANES):
                    v[j, w] += A[i, j, 0] * r[i, w]
                i += 1
        else:
            while i < n:
                for w in range(LANES):
                    v[j, w] += A[i, j, w] * r[i, w]
                i += 1
        for w in range(LANES):
            v[j, w] *= factor[w]


@jit()
def _begin(
    dual: bool, A: Array, y: Array, rate: Array, minus: Array, X: Array, Xr: Array, Z: Array,
    Zr: Array, V: Array, x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int,
    z_out: int,
) -> None:  # fmt: skip
    """Order 0 at the states y of shape (unknowns, lanes), and their rates.

    Xr and Zr are X and Z with coordinates and lanes in one axis.
    """
    d = A.shape[1]
    if dual:
        Z[0, 0] = y
        _pull_back(A, Z[0, 0], minus, X[0, 0])
    else:
        for j in range(x_out.size - 1):
            X[j, 0] = y[j * d : (j + 1) * d]
    fill(x_code, x_first, Xr, 0)
    _predict(A, X[x_out[0], 0], Z[0, 0])
    fill(z_code, z_first, Zr, 0)
    _pull_back(A, Z[z_out, 0], minus, V[0])
    if dual:
        rate[:] = Z[z_out, 0]
        return
    for j in range(x_out.size - 1):
        velocity = X[x_out[j + 1], 0]
        for i in range(d):
            for w in range(LANES):
                rate[j * d + i, w] = velocity[i, w] * V[0, i, w]


@jit()
def _expand(
    dual: bool, A: Array, C: Array, Cr: Array, y: Array, rate: Array, unit: Array, minus: Array,
    X: Array, Xr: Array, Z: Array, Zr: Array, V: Array, Vr: Array,
    x_code: Array, x_first: int, x_out: Array, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """All coefficients, each lane in its unit of time, after `_begin`."""
    d = A.shape[1]
    order, width = C.shape[0] - 1, Vr.shape[1]
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
        _predict(A, X[x_out[0], k], Z[0, k])
        fill(z_code, z_first, Zr, k)
        _pull_back(A, Z[z_out, k], minus, V[k])
        scale = 1.0 / (k + 1)
        if dual:
            for i in range(C.shape[1]):
                for w in range(LANES):
                    C[k + 1, i, w] = unit[w] * scale * Z[z_out, k, i, w]
            for i in range(width):
                Xr[0, k + 1, i] = scale * Vr[k, i]
            continue
        for j in range(x_out.size - 1):
            row, first = Xr[j, k + 1], j * width
            convolve(row, Xr[x_out[j + 1]], Vr, 0, k, 0)
            for i in range(width):
                row[i] *= scale
                Cr[k + 1, first + i] = row[i]
    for w in range(LANES):
        minus[w] = -1.0


@jit()
def _reach(
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
def _before_branch_points(code: Array, rows: Array, order: int, length: Array) -> None:
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
def _advance(C: Array, length: Array, unit: Array, w: int, new: Array, slope: Array) -> None:
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
def _advance_all(Cr: Array, s: Array, inverse: Array, new: Array, slope: Array) -> None:
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


@jit()
def _accepted(
    C: Array, new: Array, slope: Array, rate: Array, z: Array, sizes: Array, w: int,
    lower: Array, upper: Array, length: float, tolerance: float,
) -> bool:  # fmt: skip
    for i in range(new.shape[0]):
        miss = abs(slope[i, w] - rate[i, w]) * length
        if not (abs(new[i, w]) < _HUGE and lower[i] <= new[i, w] <= upper[i]):
            return False
        if not miss <= tolerance * (sizes[i, w] + abs(C[1, i, w])):
            return False
    # a loss that is linear has a slope where x has left the formula's domain, too
    for i in range(z.shape[0]):
        if not np.isfinite(z[i, w]):
            return False
    return True


@jit()
def _interpolates(z: Array, w: int, goal: Array, limit: float) -> bool:
    gap = 0.0
    for i in range(goal.size):
        gap += (z[i, w] - goal[i]) ** 2
    return np.sqrt(gap) <= limit


@jit()
def march_lanes(
    program: tuple[Array, int, Array, Array, int, int],
    memory: tuple[Array, Array, Array, Array, Array, Array, Array, Array, Array, Array, Array],
    lanes: tuple[Array, Array, Array, Array, Array, Array, Array],
    members: tuple[Array, Array, Array, Array, Array, Array, Array, Array, Array],
    ends: tuple[Array, Array, Array, Array, Array],
    events: tuple[Array, Array, Array],
    outputs: tuple[Array, Array],
    bounds: tuple[Array, Array],
    numbers: tuple[float, float, float, float, int, bool, bool],
    rounds: int,
) -> bool:
    """Steps of all members; False when they take more rounds, and the call is to be repeated.

    See `theory.numeric.batch_taylor` for what the tuples hold.
    """
    x_code, x_first, x_out, z_code, z_first, z_out = program
    A, X, Xr, Z, Zr, V, Vr, C, new, rate, minus = memory
    lane, state, t, unit, length, floor, cap = lanes
    matrices, y0, values, targets, goals, limits, first, floors, caps = members
    status, reached, y_end, steps, trials = ends
    seen, event_time, event_C = events
    times, states = outputs
    lower, upper = bounds
    bound, rtol, safety, tolerance, budget, until_then, dual = numbers
    m, size = y0.shape
    d, n = A.shape[1], A.shape[0]
    x_constants = x_first - values.shape[1]
    width = size * LANES
    slope, sizes, reach = np.empty((size, LANES)), np.empty((size, LANES)), np.empty(LANES)
    work, s, inverse = np.empty(width), np.empty(width), np.empty(width)
    Cr = C.reshape(C.shape[0], width)
    while True:
        # a lane without a member takes the next one
        for w in range(LANES):
            if state[w] != _EMPTY:
                continue
            mb = lane[LANES]
            if mb >= m:
                lane[w] = -1
                state[w] = _IDLE
                unit[w] = 0.0
                continue
            lane[LANES] += 1
            lane[w] = mb
            state[w] = _FRESH
            t[w] = 0.0
            unit[w] = first[mb]
            for i in range(size):
                new[i, w] = y0[mb, i]
            floor[w], cap[w] = floors[mb], caps[mb]
            for c in range(values.shape[1]):
                for i in range(d):
                    X[x_constants + c, 0, i, w] = values[mb, c, i]
            for c in range(targets.shape[1]):
                for i in range(n):
                    Z[1 + c, 0, i, w] = targets[mb, c, i]
            if A.shape[2] > 1:
                for i in range(n):
                    for j in range(d):
                        A[i, j, w] = matrices[mb, i, j]
        live = False
        for w in range(LANES):
            live = live or state[w] != _IDLE
        if not live:
            return True
        _begin(
            dual, A, new, rate, minus, X, Xr, Z, Zr, V,
            x_code, x_first, x_out, z_code, z_first, z_out,
        )  # fmt: skip
        z = Z[0, 0]
        waiting = False
        for w in range(LANES):
            if state[w] == _IDLE or state[w] == _READY:
                continue
            mb = lane[w]
            ended = UNFINISHED
            if state[w] == _FRESH:
                state[w] = _READY
                for i in range(size):
                    y_end[mb, i] = new[i, w]
            else:
                trials[mb] += 1
                if _accepted(
                    C, new, slope, rate, z, sizes, w, lower, upper, length[w], tolerance
                ):
                    state[w] = _READY
                    begin = t[w]
                    last = length[w] == bound - begin
                    t[w] = bound if last else begin + length[w]
                    steps[mb] += 1
                    reached[mb] = t[w]
                    for i in range(size):
                        y_end[mb, i] = new[i, w]
                    for j in range(times.size):
                        if begin < times[j] <= t[w]:
                            share = (times[j] - begin) / unit[w]
                            for i in range(size):
                                value = C[C.shape[0] - 1, i, w]
                                for k in range(C.shape[0] - 2, -1, -1):
                                    value = value * share + C[k, i, w]
                                states[mb, j, i] = value
                    if not seen[mb] and _interpolates(z, w, goals[mb], limits[mb]):
                        seen[mb] = True
                        event_time[mb, 0], event_time[mb, 1] = begin, length[w]
                        event_time[mb, 2] = unit[w]
                        event_C[mb] = C[:, :, w]
                        if until_then:
                            ended = INTERPOLATES
                    if last and ended == UNFINISHED:
                        ended = FINISHED
                    unit[w] = length[w]
                else:
                    length[w] /= 2
                    if t[w] + length[w] <= t[w] or length[w] <= 1e-18 * unit[w] * reach[w]:
                        ended = STALLED
                    else:
                        _advance(C, length, unit, w, new, slope)
                if ended == UNFINISHED and trials[mb] >= budget:
                    ended = EXHAUSTED
            if ended == UNFINISHED and state[w] == _READY:
                for i in range(size):
                    if not np.isfinite(rate[i, w]):
                        ended = NONFINITE
            if ended != UNFINISHED:
                status[mb] = ended
                state[w] = _EMPTY
            if state[w] != _READY:
                waiting = True
        if waiting:
            continue
        if rounds <= 0:
            return False
        rounds -= 1
        _expand(
            dual, A, C, Cr, new, rate, unit, minus, X, Xr, Z, Zr, V, Vr,
            x_code, x_first, x_out, z_code, z_first, z_out,
        )  # fmt: skip
        _reach(dual, Cr, sizes.reshape(width), work, floor, cap, rtol, safety, reach)
        for w in range(LANES):
            if state[w] != _READY:
                reach[w] = 0.0
            elif reach[w] > (bound - t[w]) / unit[w]:
                reach[w] = (bound - t[w]) / unit[w]
        _before_branch_points(x_code, X, C.shape[0] - 1, reach)
        _before_branch_points(z_code, Z, C.shape[0] - 1, reach)
        for w in range(LANES):
            length[w] = unit[w] * reach[w]
            if state[w] != _READY:
                length[w] = 0.0
                continue
            # a product with the unit may miss the rest of the time by rounding
            if length[w] >= (bound - t[w]) * (1 - 1e-15):
                length[w] = bound - t[w]
            state[w] = _TRIAL
            if not length[w] > 0 or t[w] + length[w] <= t[w]:
                status[lane[w]] = STALLED if length[w] > 0 else NONFINITE
                state[w] = _EMPTY
        for i in range(width):
            s[i] = length[i % LANES] / unit[i % LANES]
            inverse[i] = 1.0 / unit[i % LANES]
        _advance_all(Cr, s, inverse, new.reshape(width), slope.reshape(width))
