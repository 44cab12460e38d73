r"""Newton's method of `theory.numeric.direct` for small dense problems, compiled.

The same continuation in the scale of the start, without the parts that are for hard cases: where a
step needs an orthogonal factor the function gives up, and its caller takes the other. `examine`
asks of a solution what `theory.numeric.limit_point` asks of one: that the closed form starts where
it should and solves the ODE of the block in floats, that the curve has not ended, that
$Ax = z^*$, and how far rounding moves x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.numeric.compile import Array
from theory.numeric.direct import (
    BEND,
    CLOSE,
    FIRST_FALL,
    LARGEST_FALL,
    MOST_STEPS,
    OVERSHOOT,
    RAY_STEPS,
    STALE,
)
from theory.numeric.tape_numba import REORDER, fill, jit, lower_products

__all__ = ["examine", "examine_scales", "solve_members", "solve_scales_compiled"]

_EPS = float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)

_Program = tuple[Array, int, Array, Array]
"""Operations, the number of the first, the outputs, and the constants before it."""


@jit()
def _memory(program: _Program, width: int) -> Array:
    code, first, _, constants = program
    rows = np.zeros((first + code.shape[0], 1, width))
    begin = first - constants.size
    for j in range(constants.size):
        for i in range(width):
            rows[begin + j, 0, i] = constants[j]
    return rows


@jit()
def _pull_back(A: Array, multipliers: Array, xi: Array) -> None:
    n, d = A.shape
    for j in range(d):
        xi[j] = 0.0
    for i in range(n):
        weight = multipliers[i]
        for j in range(d):
            xi[j] += weight * A[i, j]


@jit(fastmath=REORDER)
def _product(A: Array, x: Array, z: Array) -> None:
    n, d = A.shape
    for i in range(n):
        total = 0.0
        for j in range(d):
            total += A[i, j] * x[j]
        z[i] = total


@jit()
def _copy_row(source: Array, out: Array) -> None:
    # a loop compiles many times faster than an assignment to a slice
    for i in range(source.size):
        out[i] = source[i]


@jit()
def _copy(source: Array, out: Array) -> None:
    for i in range(source.shape[0]):
        _copy_row(source[i], out[i])


@jit(fastmath=REORDER)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@jit()
def _move(
    program: _Program, rows: Array, A: Array, target: Array, samples: Array, coordinates: Array
) -> float:
    """The point with these multipliers and xi: the norm of its residual, NaN where it is none.

    `samples` holds multipliers and residual, `coordinates` xi, x, its metric and its change.
    """
    code, first, outputs, _ = program
    d = coordinates.shape[1]
    for i in range(d):
        rows[0, 0, i] = coordinates[0, i]
    fill(code, first, rows, 0)
    for m in range(3):
        for i in range(d):
            coordinates[1 + m, i] = rows[outputs[m], 0, i]
    for i in range(d):
        # beyond a pole the metric may be negative
        if not (0.0 <= coordinates[2, i] < np.inf and np.isfinite(coordinates[1, i])):
            return np.nan
    _product(A, coordinates[1], samples[1])
    total = 0.0
    for i in range(target.size):
        samples[1, i] -= target[i]
        total += samples[1, i] * samples[1, i]
    return np.sqrt(total) if total < np.inf else np.nan


@jit(fastmath=REORDER)
def _cholesky(G: Array, L: Array, ridge: float) -> bool:
    n = G.shape[0]
    for i in range(n):
        for j in range(i + 1):
            total = G[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if i == j:
                total += ridge
                if not total > 0:
                    return False
                L[i, i] = np.sqrt(total)
            else:
                L[i, j] = total / L[j, j]
    return True


@jit()
def _factorize(A: Array, metric: Array, B: Array, G: Array, L: Array, scale: Array) -> float:
    r"""Factor of $A\,\mathrm{diag}(M)A^T$ over its largest M, which is returned; 0 for none."""
    n, d = A.shape
    top = 0.0
    for j in range(d):
        top = max(top, metric[j])
    if not 0.0 < top < np.inf:
        return 0.0
    # the last row of B is room for the roots
    for j in range(d):
        B[n, j] = np.sqrt(metric[j] / top)
    for i in range(n):
        for j in range(d):
            B[i, j] = A[i, j] * B[n, j]
    lower_products(B, B, G)
    for i in range(n):
        if not G[i, i] > 1e-250:
            return 0.0
        scale[i] = 1.0 / np.sqrt(G[i, i])
    for i in range(n):
        for j in range(i + 1):
            G[i, j] *= scale[i] * scale[j]
    ridge, added = 0.0, 0.0
    while not _cholesky(G, L, added):
        # rounding has made it indefinite; the direction matters, not its last digits
        ridge = max(1e-16, 100 * ridge)
        if ridge > 1e-8:
            return 0.0
        added += ridge
    return top


@jit(fastmath=REORDER)
def _solve(L: Array, scale: Array, top: float, r: Array, w: Array) -> None:
    n = r.size
    for i in range(n):
        total = scale[i] * r[i]
        for k in range(i):
            total -= L[i, k] * w[k]
        w[i] = total / L[i, i]
    for i in range(n - 1, -1, -1):
        w[i] /= L[i, i]
        for k in range(i):
            w[k] -= L[i, k] * w[i]
    for i in range(n):
        w[i] *= scale[i] / top


@jit()
def _bend(before: Array, after: Array) -> float:
    """The largest change of log M."""
    low, high = np.inf, 0.0
    for i in range(before.size):
        ratio = after[i] / before[i]
        if not ratio > 0.0:
            return np.inf
        low, high = min(low, ratio), max(high, ratio)
    return max(np.log(high), -np.log(low))


@jit()
def _rescale(
    rows: Array, theta0: Array, scale: float, ends: _Program, end_rows: Array, infinite: Array,
    domain: Array,
) -> None:  # fmt: skip
    """The start of the map, and the ends of its domain."""
    k, d = theta0.shape
    for j in range(k):
        for i in range(d):
            rows[1 + j, 0, i] = scale * theta0[j, i]
            end_rows[j, 0, i] = scale * theta0[j, i]
    fill(ends[0], ends[1], end_rows, 0)
    for m in range(2):
        for i in range(d):
            domain[m, i] = infinite[m] if infinite[m] != 0.0 else end_rows[ends[2][m], 0, i]


@jit()
def _reach(domain: Array, xi: Array, step: Array, from_zero: bool) -> float:
    """The multiple of a step that stays inside of the domain, with a margin."""
    room = np.inf
    for i in range(step.size):
        at = 0.0 if from_zero else xi[i]
        if step[i] > 0:
            room = min(room, (domain[1, i] - at) / step[i])
        elif step[i] < 0:
            room = min(room, (domain[0, i] - at) / step[i])
    return 0.9 * room


@jit()
def _step(
    program: _Program, rows: Array, A: Array, target: Array, size: float, norm: float,
    domain: Array, L: Array, scale: Array, top: float,
    S: Array, C: Array, S2: Array, C2: Array, w: Array, pulled: Array,
) -> tuple[float, float]:  # fmt: skip
    r"""One step, shortened until the slope of the convex $\Phi$ does not overshoot.

    The norm of the residual, NaN where there is no step, and the change of log M.
    """
    _solve(L, scale, top, S[1], w)
    for i in range(w.size):
        w[i] = -w[i]
    slope = _dot(w, S[1])
    if not slope < 0:
        # solved to rounding already, or lost
        return (norm, 0.0) if norm <= 1e-10 * size else (np.nan, 0.0)
    _pull_back(A, w, pulled)
    t = min(1.0, _reach(domain, C[0], pulled, False))
    for _ in range(40):
        # xi from the multipliers, so that x = k(A^T lambda) holds without the errors of the steps
        for i in range(w.size):
            S2[0, i] = S[0, i] + t * w[i]
        _pull_back(A, S2[0], C2[0])
        following = _move(program, rows, A, target, S2, C2)
        if not following < np.inf:
            t *= 0.25
            continue
        ratio = _dot(w, S2[1]) / slope
        if ratio >= -0.5:
            bend = _bend(C[2], C2[2])
            _copy(S2, S)
            _copy(C2, C)
            return following, bend
        t *= max(0.1, min(0.5, 1.0 / (1.0 - ratio)))
    return np.nan, 0.0


@jit()
def _converge(
    program: _Program, rows: Array, A: Array, target: Array, size: float, norm: float,
    goal: float, straight: float, domain: Array, B: Array, G: Array, L: Array, scale: Array,
    S: Array, C: Array, S2: Array, C2: Array, w: Array, pulled: Array,
) -> tuple[float, float, float, int]:  # fmt: skip
    """Newton steps until the residual is below a goal and the last step changed M by little.

    The norm, NaN where it does not come so far, the change of log M, the largest M of the last
    factor, and the number of factors.
    """
    bend, top, steps = np.inf, 0.0, 0
    while norm > goal or bend > straight:
        top = _factorize(A, C[2], B, G, L, scale)
        steps += 1
        if top == 0.0 or steps > MOST_STEPS:
            return np.nan, bend, top, steps
        norm, bend = _step(
            program, rows, A, target, size, norm, domain, L, scale, top, S, C, S2, C2, w, pulled
        )
        if not norm < np.inf:
            return np.nan, bend, top, steps
    return norm, bend, top, steps


@jit()
def _predict(
    program: _Program, rows: Array, A: Array, target: Array, size: float, domain: Array,
    S: Array, C: Array, S2: Array, C2: Array,
) -> float:  # fmt: skip
    r"""The prediction with the multipliers S[0], or the better multiple of it along its ray."""
    code, first, outputs, _ = program
    d = C.shape[1]
    _pull_back(A, S[0], C[0])
    low, high = 0.0, _reach(domain, C[0], C[0], True)
    if high < 1.0:
        return np.nan
    plain = _move(program, rows, A, target, S, C)
    wanted = _dot(S[0], target)
    if not wanted > 0 or plain <= 0.1 * size:
        return plain
    t = 1.0
    for _ in range(RAY_STEPS):
        for i in range(d):
            rows[0, 0, i] = t * C[0, i]
        fill(code, first, rows, 0)
        gap, curvature = -wanted, 0.0
        for i in range(d):
            xi = C[0, i]
            gap += xi * rows[outputs[0], 0, i]
            curvature += xi * xi * rows[outputs[1], 0, i]
        if not np.isfinite(gap + curvature):
            high, t = t, 0.5 * (low + t)
            continue
        if abs(gap) <= 0.1 * wanted:
            break
        if gap > 0:
            high = t
        else:
            low = t
        # the map grows exponentially, so that Newton for the logarithm is nearly exact
        total = gap + wanted
        if total > 0:
            t -= np.log(total / wanted) * total / curvature
        else:
            t -= gap / curvature
        if not low < t < high:
            t = 0.5 * (low + high) if high < np.inf else 2 * low
    for i in range(target.size):
        S2[0, i] = t * S[0, i]
    for i in range(d):
        C2[0, i] = t * C[0, i]
    scaled = _move(program, rows, A, target, S2, C2)
    if scaled < plain or (scaled < np.inf and not plain < np.inf):
        _copy(S2, S)
        _copy(C2, C)
        return scaled
    return plain


@jit()
def solve_scales_compiled(
    program: _Program, ends: _Program, infinite: Array, A: Array, target: Array, theta0: Array,
    scales: Array, rtol: float, out: Array, counts: Array,
) -> int:  # fmt: skip
    r"""Solve $A\,k(A^T\lambda; s\,\theta_0) = z^*$ for falling scales s; how many were solved.

    Parameters
    ----------
    program : tuple
        Value, metric and change with the scale, of xi and the start.
    ends : tuple
        Both ends of the domain, of the start.
    infinite : ndarray, shape (2,)
        An end that is infinite, else 0.
    A : ndarray, shape (n, d)
        With independent rows, in C's order.
    target : ndarray, shape (n,)
    theta0 : ndarray, shape (k, d)
    scales : ndarray, shape (m,)
        Positive, in decreasing order.
    rtol : float
    out : ndarray, shape (m, n)
        The multipliers are put there.
    counts : ndarray of int, shape (m,)
        Factorizations of each are put there.
    """
    n, d = A.shape
    rows, end_rows = _memory(program, d), _memory(ends, d)
    domain = np.empty((2, d))
    S, C, S2, C2 = np.zeros((2, n)), np.zeros((4, d)), np.zeros((2, n)), np.zeros((4, d))
    B, G, L = np.empty((n + 1, d)), np.empty((n, n)), np.empty((n, n))
    unit, w, slope, last_slope = np.empty(n), np.empty(n), np.empty(n), np.zeros(n)
    begin, pulled, factored = np.empty(n), np.empty(d), np.empty(d)
    scale = scales[0]
    _rescale(rows, theta0, scale, ends, end_rows, infinite, domain)
    _move(program, rows, A, target, S, C)
    wanted, there, largest = 0.0, 0.0, 0.0
    for i in range(n):
        total = 0.0
        for j in range(d):
            total += abs(A[i, j] * C[1, j])
        wanted += target[i] * target[i]
        there += total * total
    wanted, there = np.sqrt(wanted), np.sqrt(there)
    for j in range(theta0.shape[0]):
        for i in range(d):
            largest = max(largest, abs(theta0[j, i]))
    # a start that is not small next to the target needs no larger one on the way
    if not wanted <= there and largest > 1e-300:
        scale = max(scale, 1.0 / largest)
    size = max(wanted, 1e-3 * there if wanted <= there else 0.0, _TINY)
    _rescale(rows, theta0, scale, ends, end_rows, infinite, domain)
    norm = _move(program, rows, A, target, S, C)
    if not norm < np.inf:
        return 0
    fall, settled, has_factor, top, last_scale = FIRST_FALL, False, False, 0.0, np.nan
    for number in range(scales.size):
        end = scales[number]
        steps = 0
        while scale > end:
            # the multipliers and the slope at this scale
            before = steps
            _copy_row(S[0], begin)
            if settled and has_factor and _bend(factored, C[2]) <= STALE:
                pass
            elif settled or norm <= CLOSE * size:
                # one factor for the correction and the slope
                top = _factorize(A, C[2], B, G, L, unit)
                steps += 1
                if top == 0.0:
                    return number
                _solve(L, unit, top, S[1], w)
                for i in range(n):
                    begin[i] -= w[i]
            else:
                # one step at least: the residual does not see the coordinates that are small
                norm, bend, top, taken = _converge(
                    program, rows, A, target, size, np.inf, size, BEND, domain, B, G, L, unit,
                    S, C, S2, C2, w, pulled,
                )  # fmt: skip
                steps += taken
                if not norm < np.inf:
                    return number
                if bend > STALE:
                    top = _factorize(A, C[2], B, G, L, unit)
                    steps += 1
                    if top == 0.0:
                        return number
                _copy_row(S[0], begin)
            _product(A, C[3], S2[1])
            _solve(L, unit, top, S2[1], slope)
            spacing = 0.0
            for i in range(n):
                slope[i] = -slope[i]
            if settled:
                if last_scale > 0:
                    spacing = np.log(scale / last_scale)
                    for i in range(n):
                        w[i] = (slope[i] - last_slope[i]) / spacing
                last_scale = scale
                _copy_row(slope, last_slope)
            taken = steps - before
            if steps > MOST_STEPS:
                return number
            if taken <= 1:
                fall = min(fall**2, LARGEST_FALL)
            elif taken >= 4:
                fall = max(3.0, fall**0.6)
            while True:
                smaller = max(end, scale / fall)
                step = np.log(smaller / scale)
                # a secant over a long way says nothing about the curvature here
                curved = -1.0 < spacing < 0.0 and step > 2.0 * spacing
                for i in range(n):
                    change = slope[i] + 0.5 * step * w[i] if curved else slope[i]
                    S[0, i] = begin[i] + step * change
                _rescale(rows, theta0, smaller, ends, end_rows, infinite, domain)
                norm = _predict(program, rows, A, target, size, domain, S, C, S2, C2)
                if norm <= OVERSHOOT * size:
                    break
                if fall < 1.1:
                    return number
                fall = np.sqrt(fall)
            scale, settled, has_factor = smaller, False, False
        # at the wanted start, until the residual stops falling
        if norm > 1e-3 * size:
            norm, _, top, taken = _converge(
                program, rows, A, target, size, norm, 1e-3 * size, np.inf, domain, B, G, L, unit,
                S, C, S2, C2, w, pulled,
            )  # fmt: skip
            steps += taken
            if not norm < np.inf:
                return number
        whole = 0.0
        for i in range(n):
            total = abs(target[i])
            for j in range(d):
                total += abs(A[i, j] * C[1, j])
            whole = max(whole, total)
        best, value, solved, has_factor = np.inf, np.inf, False, False
        for _ in range(30):
            previous = value
            value = 0.0
            for i in range(n):
                value = max(value, abs(S[1, i]))
            value /= whole
            if value <= 16 * _EPS or (value <= rtol and value > 0.25 * best):
                solved = True
                break
            if not value <= 0.8 * best:
                break
            best = min(best, value)
            # a factor serves while steps with it gain what is missing
            gain = (
                value / previous if not has_factor else max(value / previous, _bend(factored, C[2]))
            )
            if not has_factor or value * gain > rtol:
                _copy_row(C[2], factored)
                has_factor = True
                top = _factorize(A, C[2], B, G, L, unit)
                steps += 1
                if top == 0.0 or steps > MOST_STEPS:
                    break
            norm, _ = _step(
                program, rows, A, target, size, norm, domain, L, unit, top,
                S, C, S2, C2, w, pulled,
            )  # fmt: skip
            if not norm < np.inf:
                break
        if not solved:
            return number
        settled = True
        _copy_row(S[0], out[number])
        counts[number] = steps
    return scales.size


@jit()
def _length(values: Array, rates: Array, i: int) -> float:
    r"""$\|\sqrt P\,v\|$ of coordinate i without underflow: squares of 1e-200 are zero in floats."""
    top = 0.0
    for j in range(values.shape[0]):
        top = max(top, np.sqrt(rates[j]) * abs(values[j, i]))
    if not 0.0 < top < np.inf:
        return top
    total = 0.0
    for j in range(values.shape[0]):
        share = np.sqrt(rates[j]) * abs(values[j, i]) / top
        total += share * share
    return top * np.sqrt(total)


@jit()
def _block_at(
    program: _Program, rows: Array, theta: Array, lower: Array, upper: Array, rates: Array,
    weights: Array, x: Array, gradient: Array, hessian: Array, speed: Array, radius: Array,
) -> None:  # fmt: skip
    """The block at theta: x is NaN outside of its range; see `theory.numeric.block.Geometry`."""
    code, first, outputs, _ = program
    k, d = theta.shape
    for j in range(k):
        for i in range(d):
            rows[j, 0, i] = theta[j, i]
    fill(code, first, rows, 0)
    for i in range(d):
        x[i] = rows[outputs[0], 0, i]
        largest = 1.0
        for j in range(k):
            largest = max(largest, abs(theta[j, i]))
            if not lower[j] <= theta[j, i] <= upper[j]:
                x[i] = np.nan
            gradient[j, i] = rows[outputs[1 + j], 0, i]
        for j in range(k * k):
            hessian[j, i] = rows[outputs[1 + k + j], 0, i]
        speed[i] = _length(gradient, rates, i)
        curvature = _length(hessian, weights, i)
        # where the Hessian vanishes, functions vary on the scale of theta, or of 1
        radius[i] = largest / speed[i]
        if curvature > 0:
            radius[i] = min(radius[i], 1.0 / curvature)


@jit()
def _along(curve: _Program, rows: Array, xi: Array, theta: Array) -> None:
    """The parameters at xi; their velocities stay in the rows."""
    code, first, outputs, _ = curve
    _copy_row(xi, rows[0, 0])
    fill(code, first, rows, 0)
    for j in range(theta.shape[0]):
        _copy_row(rows[outputs[j], 0], theta[j])


@jit()
def examine(
    curve: _Program, block: _Program, ends: _Program, infinite: Array,
    rates: Array, lower: Array, upper: Array,
    A: Array, target: Array, theta0: Array, multipliers: Array, rtol: float,
    theta: Array, x: Array, prediction: Array,
) -> tuple[bool, float, float]:  # fmt: skip
    """Whether a solution is one, its relative residual, and how far rounding moves it at most.

    Parameters
    ----------
    curve : tuple
        The parameters and their velocities, of xi and the start.
    block : tuple
        The value, its gradient and its Hessian, of the parameters.
    ends, infinite, A, target, theta0, rtol
        As for `solve_scales_compiled`.
    rates, lower, upper : ndarray, shape (k,)
    multipliers : ndarray, shape (n,)
    theta : ndarray, shape (k, d)
    x : ndarray, shape (d,)
    prediction : ndarray, shape (n,)
        The point is put there.
    """
    n, d = A.shape
    k = theta0.shape[0]
    weights = np.empty(k * k)
    for j in range(k):
        for m in range(k):
            weights[j * k + m] = rates[j] * rates[m]
    rows, block_rows, end_rows = _memory(curve, d), _memory(block, d), _memory(ends, d)
    domain = np.empty((2, d))
    _rescale(rows, theta0, 1.0, ends, end_rows, infinite, domain)
    x0, speed, radius = np.empty(d), np.empty(d), np.empty(d)
    gradient, hessian = np.empty((k, d)), np.empty((k * k, d))
    _block_at(
        block, block_rows, theta0, lower, upper, rates, weights,
        x0, gradient, hessian, speed, radius,
    )  # fmt: skip
    length, xi = radius.copy(), np.empty(d)
    for i in range(d):
        # the flow never moves a coordinate without a gradient
        if not (np.isfinite(x0[i]) and 0.0 < speed[i] < np.inf and np.isfinite(length[i])):
            return False, np.inf, np.inf
    # the start and a point on each side of it
    for point in range(3):
        for i in range(d):
            xi[i] = 0.25 * (0.0, 1.0, -1.0)[point] * length[i]
        _along(curve, rows, xi, theta)
        _block_at(
            block, block_rows, theta, lower, upper, rates, weights,
            x, gradient, hessian, speed, radius,
        )  # fmt: skip
        for i in range(d):
            at = rows[0, 0, i]
            if not domain[0, i] < at < domain[1, i]:
                continue
            if not np.isfinite(x[i]):
                return False, np.inf, np.inf
            size, miss, begin, off = 0.0, 0.0, 0.0, 0.0
            for j in range(k):
                field = rates[j] * gradient[j, i]
                size = max(size, abs(field))
                miss = max(miss, abs(rows[curve[2][k + j], 0, i] - field))
                begin = max(begin, abs(theta0[j, i]))
                off = max(off, abs(theta[j, i] - theta0[j, i]))
                if not np.isfinite(rows[curve[2][k + j], 0, i] - field):
                    return False, np.inf, np.inf
            if not miss <= 1e-8 * size:
                return False, np.inf, np.inf
            # relative to the start, or to the way that the curve goes from it
            if point == 0 and not off <= 1e-8 * max(begin, size * length[i]):
                return False, np.inf, np.inf
    _pull_back(A, multipliers, xi)
    _along(curve, rows, xi, theta)
    _block_at(
        block, block_rows, theta, lower, upper, rates, weights,
        x, gradient, hessian, speed, radius,
    )  # fmt: skip
    total, fastest, largest = 0.0, 0.0, 0.0
    for i in range(d):
        inside = np.isfinite(x[i]) and domain[0, i] < xi[i] < domain[1, i]
        for j in range(k):
            inside = inside and np.isfinite(theta[j, i])
        # k increases; a closed form continued beyond a pole does not
        rise = (x[i] - x0[i]) * np.sign(xi[i])
        if not (inside and rise >= -1e-9 * (abs(x[i]) + abs(x0[i]))):
            return False, np.inf, np.inf
        moved = speed[i] * _EPS * abs(xi[i])
        total += moved * moved
        fastest, largest = max(fastest, speed[i]), max(largest, abs(x[i]))
    _product(A, x, prediction)
    gap, whole = 0.0, 0.0
    for i in range(n):
        size = abs(target[i])
        for j in range(d):
            size += abs(A[i, j] * x[j])
        miss = abs(prediction[i] - target[i])
        if not np.isfinite(miss):
            return False, np.inf, np.inf
        whole, gap = max(whole, size), max(gap, miss)
    residual = gap / whole if whole > 0 else 0.0
    if n == d:
        return residual <= rtol, residual, 0.0
    # the bound of `theory.numeric.uncertainty.quick_bound`
    total = np.sqrt(total)
    straight = np.isfinite(total) and largest > 0.0
    for i in range(d):
        straight = straight and total <= 1e-3 * speed[i] * radius[i]
    bound = fastest * total / largest if straight else np.inf
    return residual <= rtol, residual, bound


@jit()
def solve_members(
    program: _Program, curve: _Program, block: _Program, ends: _Program, infinite: Array,
    rates: Array, lower: Array, upper: Array,
    matrices: Array, targets: Array, starts: Array, one: Array, rtol: float, tolerated: float,
    multipliers: Array, x: Array, residuals: Array,
) -> NDArray[np.bool_]:  # fmt: skip
    """Solve and examine every member of a batch; which of them are solved, and surely so.

    Parameters
    ----------
    matrices : ndarray, shape (m, n, d) or (1, n, d)
    targets : ndarray, shape (m, n)
    starts : ndarray, shape (m, k, d)
    one : ndarray, shape (1,)
        The scale 1.
    tolerated : float
        The largest bound of the error of x by rounding.
    multipliers, x, residuals : ndarray, shapes (m, n), (m, d) and (m,)
        The solutions are put there.
    """
    m, k, d = starts.shape
    good = np.zeros(m, dtype=np.bool_)
    theta, prediction, counts = np.empty((k, d)), np.empty(targets.shape[1]), np.zeros(1, np.int64)
    for i in range(m):
        A = matrices[i if matrices.shape[0] > 1 else 0]
        solved = solve_scales_compiled(
            program, ends, infinite, A, targets[i], starts[i], one, rtol,
            multipliers[i : i + 1], counts,
        )  # fmt: skip
        if solved == 0:
            continue
        fine, residuals[i], bound = examine(
            curve, block, ends, infinite, rates, lower, upper, A, targets[i], starts[i],
            multipliers[i], rtol, theta, x[i], prediction,
        )  # fmt: skip
        good[i] = fine and bound <= tolerated
    return good


@jit()
def examine_scales(
    curve: _Program, block: _Program, ends: _Program, infinite: Array,
    rates: Array, lower: Array, upper: Array,
    A: Array, target: Array, theta0: Array, scales: Array, multipliers: Array, rtol: float,
    tolerated: float, x: Array, residuals: Array,
) -> NDArray[np.bool_]:  # fmt: skip
    """`examine` from every scale of the start; the shapes are those of `solve_members`."""
    good = np.zeros(scales.size, dtype=np.bool_)
    theta, prediction = np.empty(theta0.shape), np.empty(target.size)
    for i in range(multipliers.shape[0]):
        fine, residuals[i], bound = examine(
            curve, block, ends, infinite, rates, lower, upper, A, target, scales[i] * theta0,
            multipliers[i], rtol, theta, x[i], prediction,
        )  # fmt: skip
        good[i] = fine and bound <= tolerated
    return good
