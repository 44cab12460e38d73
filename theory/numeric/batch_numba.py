"""The march of the members of a batch through eight lanes, compiled.

A member that has come to its end makes room for the next, so that no lane waits for the others.
"""

from __future__ import annotations

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series import FINISHED, NONFINITE, STALLED
from theory.numeric.series_lanes import (
    LANES,
    advance_all,
    advance_one,
    before_branch_points,
    expand,
    find_reach,
    order_zero,
)
from theory.numeric.tape_numba import jit

__all__ = ["EXHAUSTED", "HUGE", "INTERPOLATES", "UNFINISHED", "march_lanes"]

# how a member ends, besides those of `series`
UNFINISHED, INTERPOLATES, EXHAUSTED = -1, 10, 11
# what a lane is about to do: take a member, look at its start, look at the end of a step, step
_EMPTY, _FRESH, _TRIAL, _READY, _IDLE = 0, 1, 2, 3, 4
# beyond this size a component counts as blown up
HUGE = 1e150


@jit()
def _accepted(
    C: Array, new: Array, slope: Array, rate: Array, z: Array, sizes: Array, w: int,
    lower: Array, upper: Array, length: float, tolerance: float,
) -> bool:  # fmt: skip
    for i in range(new.shape[0]):
        miss = abs(slope[i, w] - rate[i, w]) * length
        if not (abs(new[i, w]) < HUGE and lower[i] <= new[i, w] <= upper[i]):
            return False
        if not miss <= tolerance * (sizes[i, w] + abs(C[1, i, w])):
            return False
    # a loss that is linear has a slope where x has left the formula's domain, too
    finite = True
    for i in range(z.shape[0]):
        finite = finite and np.isfinite(z[i, w])
    return finite


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
        order_zero(
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
                if _accepted(C, new, slope, rate, z, sizes, w, lower, upper, length[w], tolerance):
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
                        advance_one(C, length, unit, w, new, slope)
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
        expand(
            dual, A, C, Cr, new, rate, unit, minus, X, Xr, Z, Zr, V, Vr,
            x_code, x_first, x_out, z_code, z_first, z_out,
        )  # fmt: skip
        find_reach(dual, Cr, sizes.reshape(width), work, floor, cap, rtol, safety, reach)
        for w in range(LANES):
            if state[w] != _READY:
                reach[w] = 0.0
            elif reach[w] > (bound - t[w]) / unit[w]:
                reach[w] = (bound - t[w]) / unit[w]
        before_branch_points(x_code, X, C.shape[0] - 1, reach)
        before_branch_points(z_code, Z, C.shape[0] - 1, reach)
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
        advance_all(Cr, s, inverse, new.reshape(width), slope.reshape(width))
