r"""Stiff dual runs, compiled: the numerical differentiation formulas of order one to five.

With the backward differences $\nabla^j y$ at equal steps h the step to $y_{n+1}$ solves

$$ \sum_{j=1}^{q} \frac1j \nabla^j y_{n+1} - h f(y_{n+1})
   - \kappa_q \gamma_q\,(y_{n+1} - y^{(0)}_{n+1}) = 0, \qquad \gamma_q = \sum_{j \le q} \frac1j , $$

$y^{(0)}$ the value of the old polynomial there (Shampine and Reichelt, The MATLAB ODE suite, 1997,
equations 6 to 9 and table 1). The Jacobian $-\mathrm{diag}(q'')\,A\,\mathrm{diag}(M)\,A^T$ comes
from the same tapes as the rate, of which it is the first order.
"""

from __future__ import annotations

import numpy as np

from theory.numeric.compile import Array
from theory.numeric.series import FINISHED, FULL, NONFINITE, STALLED, Chunk, Spec
from theory.numeric.series_numba import as_code
from theory.numeric.tape_numba import REORDER, fill, jit, lower_products, predict, pull_back

__all__ = ["StiffEngine"]

_ORDER = 5
_KAPPA = np.array([0.0, -0.1850, -1 / 9, -0.0823, -0.0415, 0.0])
_GAMMA = np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, _ORDER + 1))])
_ALPHA = (1 - _KAPPA) * _GAMMA
_ERROR = np.concatenate([_KAPPA * _GAMMA + 1 / np.arange(1.0, _ORDER + 2), [1 / (_ORDER + 2)]])
# Newton's error, as a share of what a step may be off
_NEWTON = 0.02
_ITERATIONS = 5
# growth of a step that is worth a new factor
_WORTH = 1.2
_MOST_GROWTH = 10.0
# growth of |xi| over the distance to a pole after which the center is looked at
_NEARER = 100.0


def _newton_basis() -> Array:
    r"""The backward-difference basis $\binom{s+j-1}{j}$, s = sigma - 1, in powers of sigma."""
    table = np.zeros((_ORDER + 1, _ORDER + 1))
    polynomial = np.ones(1)
    for j in range(_ORDER + 1):
        table[j, : polynomial.size] = polynomial
        # times (sigma - 1 + j) / (j + 1)
        longer = np.zeros(polynomial.size + 1)
        longer[:-1] += (j - 1) * polynomial
        longer[1:] += polynomial
        polynomial = longer / (j + 1)
    return table


_BASIS = _newton_basis()


@jit()
def _rate(
    A: Array, y: Array, rate: Array, X: Array, Z: Array,
    x_code: Array, x_first: int, x_out: int, z_code: Array, z_first: int, z_out: int,
    lower: Array, upper: Array,
) -> bool:  # fmt: skip
    """The rate at y, and whether it is one: finite, and within the domain of the curves."""
    for i in range(y.size):
        Z[0, 0, i] = y[i]
    pull_back(A, Z, 0, 0, -1.0, X[0], 0)
    for i in range(lower.size):
        if not lower[i] <= X[0, 0, i] <= upper[i]:
            return False
    fill(x_code, x_first, X, 0)
    predict(A, X, x_out, 0, Z)
    fill(z_code, z_first, Z, 0)
    finite = True
    for i in range(y.size):
        rate[i] = Z[z_out, 0, i]
        # a loss that is linear has a slope where x is not finite, too
        finite = finite and np.isfinite(rate[i]) and np.isfinite(Z[0, 0, i])
    return finite


@jit(fastmath=REORDER)
def _jacobian(
    A: Array, X: Array, Z: Array, B: Array, J: Array,
    x_code: Array, x_first: int, x_out: int, z_code: Array, z_first: int, z_out: int,
) -> None:  # fmt: skip
    """The Jacobian at the last point of `_rate`."""
    n, d = A.shape
    for i in range(d):
        X[0, 1, i] = 1.0
    fill(x_code, x_first, X, 1)
    for i in range(n):
        Z[0, 1, i] = 1.0
    fill(z_code, z_first, Z, 1)
    for i in range(n):
        for k in range(d):
            B[i, k] = A[i, k] * X[x_out, 1, k]
    lower_products(B, A, J)
    for i in range(n):
        for j in range(i):
            J[j, i] = J[i, j]
    for i in range(n):
        curvature = -Z[z_out, 1, i]
        for j in range(n):
            J[i, j] *= curvature


@jit(fastmath=REORDER)
def _factorize(J: Array, c: float, LU: Array, exchanges: Array) -> bool:
    """LU factors of 1 - c J with exchanges of rows."""
    n = J.shape[0]
    for i in range(n):
        for j in range(n):
            LU[i, j] = -c * J[i, j]
        LU[i, i] += 1.0
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(LU[i, k]) > abs(LU[best, k]):
                best = i
        exchanges[k] = best
        if best != k:
            for j in range(n):
                LU[k, j], LU[best, j] = LU[best, j], LU[k, j]
        pivot = LU[k, k]
        if not 0.0 < abs(pivot) < np.inf:
            return False
        for i in range(k + 1, n):
            LU[i, k] /= pivot
            factor = LU[i, k]
            for j in range(k + 1, n):
                LU[i, j] -= factor * LU[k, j]
    return True


@jit(fastmath=REORDER)
def _solve(LU: Array, exchanges: Array, b: Array) -> None:
    n = b.size
    for k in range(n):
        other = exchanges[k]
        if other != k:
            b[k], b[other] = b[other], b[k]
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= LU[i, k] * b[k]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= LU[i, k] * b[k]
        b[i] = total / LU[i, i]


@jit()
def _size(values: Array, factor: float, scale: Array) -> float:
    """Root mean square of factor * values / scale."""
    total = 0.0
    for i in range(values.size):
        share = factor * values[i] / scale[i]
        total += share * share
    return np.sqrt(total / values.size)


@jit()
def _rescale(D: Array, order: int, factor: float, work: Array) -> None:
    """Backward differences at steps that are `factor` times as long, of the same polynomial."""
    n = D.shape[1]
    for j in range(order + 1):
        # the polynomial at s = -j factor
        for i in range(n):
            work[j, i] = 0.0
        weight = 1.0
        for m in range(order + 1):
            for i in range(n):
                work[j, i] += weight * D[m, i]
            weight *= (m - j * factor) / (m + 1)
    for m in range(order + 1):
        for i in range(n):
            D[m, i] = work[0, i]
        for j in range(order - m):
            for i in range(n):
                work[j, i] -= work[j + 1, i]


@jit()
def _march(
    A: Array, numbers: Array, counts: Array, D: Array, J: Array, LU: Array, exchanges: Array,
    bound: float, times: Array, states: Array, coefficients: Array, units: Array,
    X: Array, Z: Array,
    x_code: Array, x_first: int, x_out: int, z_code: Array, z_first: int, z_out: int,
    lower: Array, upper: Array, bounded: bool, rtol: float, atol: float,
    goal: Array, close: float, basis: Array,
) -> tuple[int, int]:  # fmt: skip
    """The steps of a chunk, into its arrays; how many, and how it ends.

    `numbers` holds time, step, the c of the factor and how fast Newton converges with it; `counts`
    the order, the steps with the same, the age of the Jacobian, and evaluations of rate and
    Jacobian.
    """
    n, d = A.shape
    t, h, factored, speed = numbers[0], numbers[1], numbers[2], numbers[3]
    order, equal, age = counts[0], counts[1], counts[2]
    B, work = np.empty((n, d)), np.empty((_ORDER + 1, n))
    y, guess, psi, scale = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    shift, change, rate = np.empty(n), np.empty(n), np.empty(n)
    times[0] = t
    for i in range(n):
        states[0, i] = D[0, i]
    near = -1.0
    done, status = 0, FULL
    while done < units.size and status == FULL:
        # one step
        while True:
            if not (h > 0 and t + h > t):
                status = STALLED
                break
            last = h >= (bound - t) * (1 - 1e-15)
            if last and h != bound - t:
                _rescale(D, order, (bound - t) / h, work)
                h, equal, factored = bound - t, 0, 0.0
            c = h / _ALPHA[order]
            for i in range(n):
                guess[i] = D[0, i]
                psi[i] = 0.0
                shift[i] = 0.0
            for j in range(1, order + 1):
                for i in range(n):
                    guess[i] += D[j, i]
                    psi[i] += D[j, i] * (_GAMMA[j] / _ALPHA[order])
            for i in range(n):
                scale[i] = atol + rtol * abs(guess[i])
                y[i] = guess[i]
            converged, iterations, before = False, 0, 0.0
            usable = _rate(
                A, y, rate, X, Z, x_code, x_first, x_out, z_code, z_first, z_out, lower, upper
            )
            counts[3] += 1
            fresh = age == 0 and factored == c
            if usable and factored != c:
                if age < 0 or age > 5:
                    _jacobian(A, X, Z, B, J, x_code, x_first, x_out, z_code, z_first, z_out)
                    counts[4] += 1
                    age, fresh = 0, True
                usable = _factorize(J, c, LU, exchanges)
                factored, speed = (c if usable else 0.0), 1.0
            while usable and iterations < _ITERATIONS:
                for i in range(n):
                    change[i] = c * rate[i] - psi[i] - shift[i]
                _solve(LU, exchanges, change)
                moved = _size(change, 1.0, scale)
                iterations += 1
                if not moved < np.inf:
                    break
                if iterations > 1:
                    if moved > 2 * before:
                        break
                    speed = max(0.3 * speed, moved / before)
                for i in range(n):
                    shift[i] += change[i]
                    y[i] = guess[i] + shift[i]
                # the speed of the last steps, with the same factor, holds for the first iteration
                if moved * min(1.0, speed) <= _NEWTON:
                    converged = True
                    break
                before = moved
                usable = _rate(
                    A, y, rate, X, Z, x_code, x_first, x_out, z_code, z_first, z_out, lower, upper
                )
                counts[3] += 1
            if not converged:
                if usable and not fresh:
                    # with a Jacobian from here
                    age, factored = -1, 0.0
                    continue
                _rescale(D, order, 0.5, work)
                h, equal, factored = 0.5 * h, 0, 0.0
                age = -1
                continue
            safety = 0.9 * (2 * _ITERATIONS + 1) / (2 * _ITERATIONS + iterations)
            for i in range(n):
                scale[i] = atol + rtol * abs(y[i])
            error = _size(shift, _ERROR[order], scale)
            if error > 1:
                factor = max(0.2, safety * error ** (-1 / (order + 1)))
                _rescale(D, order, factor, work)
                h, equal, factored = factor * h, 0, 0.0
                continue
            break
        if status == STALLED:
            break
        # the differences at the new point
        equal += 1
        age += 1
        for i in range(n):
            D[order + 2, i] = shift[i] - D[order + 1, i]
            D[order + 1, i] = shift[i]
        for j in range(order, -1, -1):
            for i in range(n):
                D[j, i] += D[j + 1, i]
        t = bound if last else t + h
        times[done + 1] = t
        units[done] = h
        for k in range(_ORDER + 1):
            for i in range(n):
                coefficients[done, k, i] = 0.0
        for j in range(order + 1):
            for k in range(j + 1):
                weight = basis[j, k]
                for i in range(n):
                    coefficients[done, k, i] += weight * D[j, i]
        for i in range(n):
            states[done + 1, i] = D[0, i]
        done += 1
        if last:
            status = FINISHED
        # the last evaluation was next to the new point
        if close > 0:
            gap = 0.0
            for i in range(n):
                gap += (Z[0, 0, i] - goal[i]) ** 2
            if np.sqrt(gap) <= close:
                break
        if bounded:
            share = 0.0
            for i in range(d):
                room = min(upper[i] - X[0, 0, i], X[0, 0, i] - lower[i])
                share = max(share, abs(X[0, 0, i]) / room)
            if near < 0:
                near = share
            elif share > _NEARER * near and share > 1.0:
                break
        if equal < order + 1:
            continue
        # the order and the step that get farthest
        here = safety * max(error, 1e-10) ** (-1 / (order + 1))
        best, delta = here, 0
        if order > 1:
            less = max(_size(D[order], _ERROR[order - 1], scale), 1e-10)
            factor = safety * less ** (-1 / order)
            if factor > best:
                best, delta = factor, -1
        if order < _ORDER:
            more = max(_size(D[order + 2], _ERROR[order + 1], scale), 1e-10)
            factor = safety * more ** (-1 / (order + 2))
            if factor > best:
                best, delta = factor, 1
        if best < _WORTH and not best < 0.9:
            continue
        order += delta
        factor = min(_MOST_GROWTH, best)
        _rescale(D, order, factor, work)
        h, equal, factored = factor * h, 0, 0.0
    numbers[0], numbers[1], numbers[2], numbers[3] = t, h, factored, speed
    counts[0], counts[1], counts[2] = order, equal, age
    return done, status


@jit()
def _first_step(
    A: Array, y: Array, D: Array, J: Array, X: Array, Z: Array,
    x_code: Array, x_first: int, x_out: int, z_code: Array, z_first: int, z_out: int,
    lower: Array, upper: Array, rtol: float, atol: float,
) -> float:  # fmt: skip
    r"""The step whose error by order one is half of the tolerance, from $y'' = J y'$; 0 if none."""
    n, d = A.shape
    rate, bent, scale = np.empty(n), np.empty(n), np.empty(n)
    if not _rate(A, y, rate, X, Z, x_code, x_first, x_out, z_code, z_first, z_out, lower, upper):
        return 0.0
    _jacobian(A, X, Z, np.empty((n, d)), J, x_code, x_first, x_out, z_code, z_first, z_out)
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += J[i, j] * rate[j]
        bent[i] = total
        scale[i] = atol + rtol * abs(y[i])
        D[0, i], D[1, i] = y[i], rate[i]
    size = _size(bent, _ERROR[1], scale)
    return np.sqrt(0.5 / size) if size > 0 else np.inf


class StiffEngine:
    """Steps of a dual problem; they go on from the last one.

    Parameters
    ----------
    spec : Spec
        Dual.
    goal : ndarray, shape (n,), optional
        The prediction at which a chunk ends early.
    close : float
        How near to it.
    """

    name = "numba"

    def __init__(self, spec: Spec, goal: Array | None, close: float) -> None:
        problem = spec.problem
        n, d = problem.n, problem.d
        self.spec = spec
        # a copy that may be written to has one type for all callers
        self.A = np.array(problem.dense, order="C")
        self.goal = np.zeros(n) if goal is None else np.array(goal)
        self.close = 0.0 if goal is None else close
        self.X, self.Z = (
            np.zeros((spec.coordinates.size, 2, d)),
            np.zeros((spec.samples.size, 2, n)),
        )
        for rows, tape, values in (
            (self.X, spec.coordinates, spec.values),
            (self.Z, spec.samples, spec.targets),
        ):
            rows[len(tape.variables) : tape.first, 0] = values
        self.programs = (
            as_code(spec.coordinates), spec.coordinates.first, spec.coordinates.outputs[0],
            as_code(spec.samples), spec.samples.first, spec.samples.outputs[0],
        )  # fmt: skip
        self.numbers, self.counts = np.zeros(4), np.zeros(5, dtype=np.int64)
        self.D = np.zeros((_ORDER + 3, n))
        self.J, self.LU = np.zeros((n, n)), np.zeros((n, n))
        self.exchanges = np.zeros(n, dtype=np.int64)
        self.lower = np.broadcast_to(spec.lower, (d,)).copy()
        self.upper = np.broadcast_to(spec.upper, (d,)).copy()
        self.begun = False

    @property
    def evaluations(self) -> tuple[int, int]:
        """Of the rate, and of the Jacobian."""
        return int(self.counts[3]), int(self.counts[4])

    def march(self, t: float, y: Array, bound: float, count: int, unit: float, cap: float) -> Chunk:
        """See `Engine`; from another point than the last one the order begins at one."""
        spec, n = self.spec, self.spec.size
        atol = spec.rtol * spec.floor
        times, states = np.empty(count + 1), np.empty((count + 1, n))
        coefficients, units = np.empty((count, _ORDER + 1, n)), np.empty(count)
        if not (self.begun and self.numbers[0] == t and np.array_equal(self.D[0], y)):
            step = _first_step(
                self.A, y, self.D, self.J, self.X, self.Z, *self.programs,
                self.lower, self.upper, spec.rtol, atol,
            )  # fmt: skip
            self.counts[3:] += 1
            if not step > 0:
                return Chunk(np.array([t]), y[None], coefficients[:0], units[:0], NONFINITE)
            step = min(step, unit, bound - t)
            self.D[1] *= step
            self.D[2:] = 0.0
            self.numbers[:] = t, step, 0.0, 1.0
            self.counts[:3] = 1, 0, 0
            self.begun = True
        done, status = _march(
            self.A, self.numbers, self.counts, self.D, self.J, self.LU, self.exchanges, bound,
            times, states, coefficients, units, self.X, self.Z, *self.programs,
            self.lower, self.upper, not spec.unbounded, spec.rtol, atol,
            self.goal, self.close, _BASIS,
        )  # fmt: skip
        return Chunk(
            times[: done + 1], states[: done + 1], coefficients[:done], units[:done], status
        )
