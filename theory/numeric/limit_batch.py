r"""The limit points of all members of a batch in one solve.

The method of `theory.numeric.direct` with arrays of members: each has its own scale on the way from
a large start to its own, and its own damping; a round is one factorization of every matrix that is
still at work. What does not go through is left to `limit_point`, one member at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import TheoryError
from theory.flow.gradient_flow import FlowModel
from theory.numeric.batch import Batch, read_members
from theory.numeric.compile import Array
from theory.numeric.direct import DirectMap
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.limit_compiled import solve_batch
from theory.numeric.limit_path import certain_points
from theory.numeric.limit_point import limit_point
from theory.numeric.newton import SOLVED
from theory.numeric.objective import target_predictor
from theory.numeric.series import compiled
from theory.numeric.start import Start
from theory.numeric.uncertainty import TOLERATED

__all__ = ["LimitBatch", "limit_batch"]

_ROUNDS = 120
_TINY = float(np.finfo(float).tiny)
_BEND, _OVERSHOOT, _FIRST_FALL = 0.7, 2.0, 30.0


@dataclass(frozen=True, eq=False)
class LimitBatch:
    r"""Where the flows of m members go.

    Parameters
    ----------
    x : ndarray, shape (m, d)
    multipliers : ndarray, shape (m, n)
        $\lambda$ with $x = k(A^T\lambda)$.
    kkt_residual : ndarray, shape (m,)
        Relative residual of $Ax = z^*$.
    success : ndarray of bool, shape (m,)
    message : tuple of str
        One for each member.
    """

    x: Array
    multipliers: Array
    kkt_residual: Array
    success: np.ndarray
    message: tuple[str, ...]


def limit_batch(
    model: FlowModel,
    batch: Batch,
    start: Start,
    *,
    rtol: float = 1e-12,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    backend: str = "auto",
) -> LimitBatch:
    r"""The limit point of every member.

    Parameters
    ----------
    model : FlowModel
    batch : Batch
    start : mapping from parameter to value
        A number, an array of shape (d,), or of shape (m, d) or (m, 1).
    rtol, closed_form, backend
        As for `limit_point`. A member without a limit has ``success`` False and says why.

    Examples
    --------
    >>> from theory.gradient_flow import GradientFlow
    >>> from theory.flow.parametrization import Elementwise
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> batch = Batch([[1.0, 2.0]], [[1.0], [-3.0]])
    >>> flow.limit_batch(batch, {"u": 1e-8, "v": 1e-8}).x[:, 1].round(6).tolist()
    [0.5, -1.5]
    """
    _, theta0, constants = read_members(model.elementwise, start, batch)
    _, m, d = theta0.shape
    goal = target_predictor(model, batch.targets(m).ravel()).reshape(m, batch.n)
    names = [s.name for s in model.elementwise.parameters]
    x, multipliers = np.full((m, d), np.nan), np.zeros((m, batch.n))
    residual, success = np.full(m, np.inf), np.zeros(m, dtype=bool)
    message = [SOLVED] * m
    quick = compiled(backend) and solve_batch(
        model, batch, goal, theta0, start, closed_form, rtol, TOLERATED
    )
    if quick:
        multipliers, x, residual, success = quick
    left = np.flatnonzero(~success)
    if left.size:
        flat: dict[object, object] = dict(
            zip(names, theta0[:, left].reshape(len(names), -1), strict=True)
        )
        curve = numeric_curve(
            model.elementwise, {**flat, **constants}, left.size * d, closed_form=closed_form
        )
        if curve.direct is not None and curve.domain is not None:
            A = np.broadcast_to(batch.A, (m, batch.n, d))[left]
            solver = _Members(curve.direct, A, goal[left], theta0[:, left], rtol)
            some = solver.run()
            if some.size:
                solved = left[some]
                multipliers[solved] = solver.multipliers[some]
                x[solved], certain = certain_points(
                    curve, theta0[:, solved], A[some], multipliers[solved]
                )
                residual[solved] = _residuals(A[some], x[solved], goal[solved])
                success[solved] = certain & (residual[solved] <= rtol)
    for i in map(int, np.flatnonzero(~success)):
        one = {name: theta0[j, i] for j, name in enumerate(names)}
        try:
            limit = limit_point(
                model,
                batch.member(i),
                {**one, **constants},
                rtol=rtol,
                closed_form=closed_form,
                backend=backend,
            )
        except TheoryError as error:
            message[i] = str(error)
            continue
        x[i], multipliers[i] = limit.x, limit.multipliers
        residual[i], success[i], message[i] = limit.kkt_residual, limit.success, limit.message
    return LimitBatch(x, multipliers, residual, success, tuple(message))


def _residuals(A: Array, x: Array, goal: Array) -> Array:
    """The relative residuals of A x = z, shape (m,), of all members."""
    gap = np.matmul(A, x[:, :, None])[:, :, 0] - goal
    size = np.matmul(np.abs(A), np.abs(x)[:, :, None])[:, :, 0]
    with np.errstate(invalid="ignore"):
        scale = np.max(size + np.abs(goal), axis=1)
        return np.asarray(np.max(np.abs(gap), axis=1) / np.where(scale > 0, scale, 1.0))


class _Members:
    """The state of every member: its scale, its multipliers, and what is known there."""

    def __init__(
        self, mapping: DirectMap, A: Array, target: Array, theta0: Array, rtol: float
    ) -> None:
        self.mapping, self.A, self.target, self.theta0 = mapping, A, target, theta0
        self.rtol = rtol
        m, n, d = A.shape
        begin, _, _ = mapping.function(np.zeros((m, d)), *theta0)
        there = np.linalg.norm(np.matmul(np.abs(A), np.abs(begin)[:, :, None])[:, :, 0], axis=1)
        wanted = np.linalg.norm(target, axis=1)
        near = wanted <= there
        self.size = np.maximum(np.where(near, np.maximum(wanted, 1e-3 * there), wanted), _TINY)
        largest = np.max(np.abs(theta0), axis=(0, 2))
        far = ~near & (largest > 1e-300)
        self.scale = np.maximum(1.0, np.where(far, 1 / np.maximum(largest, 1e-300), 1.0))
        self.fall = np.full(m, _FIRST_FALL)
        self.multipliers, self.xi = np.zeros((m, n)), np.zeros((m, d))
        self.x, self.metric, self.change = (np.zeros((m, d)) for _ in range(3))
        self.residual, self.norm = np.zeros((m, n)), np.full(m, np.inf)
        self.best = np.full(m, np.inf)

    def run(self) -> NDArray[np.intp]:
        """The members that were solved."""
        m = len(self.A)
        steps = np.zeros(m, dtype=int)
        solved = np.zeros(m, dtype=bool)
        active = np.flatnonzero(self._move(np.arange(m), self.multipliers, self.scale))
        for _ in range(_ROUNDS):
            if not active.size:
                break
            active = self._prune(active, solved)
            w, usable = self._solve(active, self.residual[active])
            active, w = active[usable], w[usable]
            old = self.metric[active]
            stepped = self._newton(active, -w)
            active, old = active[stepped], old[stepped]
            steps[active] += 1
            with np.errstate(all="ignore"):
                bend = np.max(np.abs(np.log(self.metric[active] / old)), axis=1)
            near = (bend <= _BEND) & (self.norm[active] <= self.size[active])
            ready = active[near & (self.scale[active] > 1.0)]
            if ready.size:
                few, many = steps[ready] <= 1, steps[ready] >= 4
                fall = self.fall[ready]
                fall = np.where(few, np.minimum(fall**2, 1e4), fall)
                self.fall[ready] = np.where(many, np.maximum(3.0, fall**0.6), fall)
                steps[ready] = 0
                lost = ready[~self._descend(ready)]
                active = np.setdiff1d(active, lost)
        return np.flatnonzero(solved)

    def _prune(self, active: NDArray[np.intp], solved: np.ndarray) -> NDArray[np.intp]:
        """Take out what is solved, or does not get better any more."""
        here = active[self.scale[active] == 1.0]
        if here.size:
            size = np.matmul(np.abs(self.A[here]), np.abs(self.x[here])[:, :, None])[:, :, 0]
            size = np.max(size + np.abs(self.target[here]), axis=1)
            value = np.max(np.abs(self.residual[here]), axis=1) / np.where(size > 0, size, 1.0)
            done = value <= 16 * np.finfo(float).eps
            done |= (value <= self.rtol) & (value > 0.25 * self.best[here])
            solved[here[done]] = True
            self.best[here] = np.minimum(self.best[here], value)
        return active[~solved[active]]

    def _point(
        self, who: NDArray[np.intp], multipliers: Array, scale: Array
    ) -> tuple[Array, Array, Array, Array, Array, Array, np.ndarray]:
        xi = np.matmul(multipliers[:, None, :], self.A[who])[:, 0, :]
        theta = scale[:, None] * self.theta0[:, who]
        x, metric, change = self.mapping.function(xi, *theta)
        good = np.isfinite(x).all(axis=1) & np.isfinite(metric).all(axis=1)
        good &= (metric >= 0).all(axis=1)
        if self.mapping.domain is not None:
            low, high = self.mapping.domain(*theta)
            good &= ((xi > low) & (xi < high)).all(axis=1)
        with np.errstate(all="ignore"):
            residual = np.matmul(self.A[who], x[:, :, None])[:, :, 0] - self.target[who]
            norm = np.linalg.norm(residual, axis=1)
        return xi, x, metric, change, residual, norm, good & np.isfinite(norm)

    def _move(self, who: NDArray[np.intp], multipliers: Array, scale: Array) -> np.ndarray:
        """Go there, where the point is one."""
        xi, x, metric, change, residual, norm, good = self._point(who, multipliers, scale)
        at = who[good]
        self.multipliers[at], self.xi[at], self.x[at] = multipliers[good], xi[good], x[good]
        self.metric[at], self.change[at] = metric[good], change[good]
        self.residual[at], self.norm[at], self.scale[at] = residual[good], norm[good], scale[good]
        return good

    def _solve(self, who: NDArray[np.intp], r: Array) -> tuple[Array, np.ndarray]:
        r"""$(A\,\mathrm{diag}(M)A^T)^{-1} r$ of every member, and where it is a number."""
        A, metric = self.A[who], self.metric[who]
        top = np.max(metric, axis=1)
        top = np.where(top > 0, top, 1.0)
        with np.errstate(all="ignore"):
            B = A * np.sqrt(metric / top[:, None])[:, None, :]
            product = np.matmul(B, np.swapaxes(B, 1, 2))
            scale = 1.0 / np.sqrt(np.einsum("mii->mi", product))
            product *= scale[:, :, None] * scale[:, None, :]
            usable = np.isfinite(product).all(axis=(1, 2))
            product[~usable] = np.eye(A.shape[1])
            # Cholesky of rounding may fail for one member, and would for all
            product += 4e-16 * np.eye(A.shape[1])
            try:
                w = np.linalg.solve(product, (scale * r)[:, :, None])[:, :, 0]
            except np.linalg.LinAlgError:
                return np.zeros_like(r), np.zeros(len(who), dtype=bool)
            w = scale * w / top[:, None]
        return w, usable & np.isfinite(w).all(axis=1)

    def _newton(self, who: NDArray[np.intp], w: Array) -> np.ndarray:
        """A step of every member, shortened where the slope overshoots; where it is one."""
        slope = np.einsum("mi,mi->m", w, self.residual[who])
        start, t = self.multipliers[who].copy(), np.ones(len(who))
        tiny = self.norm[who] <= 1e-10 * self.size[who]
        left = np.flatnonzero((slope < 0) & ~tiny)
        moved = tiny.copy()
        if tiny.any():
            # solved to rounding: the whole step, or none
            at = np.flatnonzero(tiny)
            self._move(who[at], start[at] + w[at], self.scale[who[at]])
        for _ in range(30):
            if not left.size:
                break
            trial = start[left] + t[left, None] * w[left]
            *_, residual, _, good = self._point(who[left], trial, self.scale[who[left]])
            with np.errstate(all="ignore"):
                ratio = np.einsum("mi,mi->m", w[left], residual) / slope[left]
                shorter = np.clip(1.0 / (1.0 - ratio), 0.1, 0.5)
            accepted = good & (ratio >= -0.5)
            done = left[accepted]
            self._move(who[done], trial[accepted], self.scale[who[done]])
            moved[done] = True
            t[left] *= np.where(good, shorter, 0.25)
            left = left[~accepted]
        return moved

    def _descend(self, who: NDArray[np.intp]) -> np.ndarray:
        """Predictions at smaller scales, as far as they are ones; where there is one."""
        rate, usable = self._solve(
            who, np.matmul(self.A[who], self.change[who][:, :, None])[:, :, 0]
        )
        found = np.zeros(len(who), dtype=bool)
        left = np.flatnonzero(usable)
        while left.size:
            at = who[left]
            smaller = np.maximum(1.0, self.scale[at] / self.fall[at])
            step = np.log(smaller / self.scale[at])
            multipliers = self.multipliers[at] - step[:, None] * rate[left]
            multipliers = self._scaled(at, multipliers, smaller)
            *_, norm, good = self._point(at, multipliers, smaller)
            fine = good & (norm <= _OVERSHOOT * self.size[at])
            self._move(at[fine], multipliers[fine], smaller[fine])
            found[left[fine]] = True
            left = left[~fine]
            left = left[self.fall[who[left]] >= 1.1]
            self.fall[who[left]] **= 0.5
        return found

    def _scaled(self, who: NDArray[np.intp], multipliers: Array, scale: Array) -> Array:
        r"""The multiples of predictions that minimize $\Phi$ along their rays, where it is one."""
        xi = np.matmul(multipliers[:, None, :], self.A[who])[:, 0, :]
        wanted = np.einsum("mi,mi->m", multipliers, self.target[who])
        theta = scale[:, None] * self.theta0[:, who]
        t, best, least = np.ones(len(who)), np.ones(len(who)), np.full(len(who), np.inf)
        if self.mapping.domain is not None:
            return multipliers
        with np.errstate(all="ignore"):
            for _ in range(4):
                x, metric, _ = self.mapping.function(t[:, None] * xi, *theta)
                total = np.einsum("md,md->m", xi, x)
                curvature = np.einsum("md,md->m", xi * xi, metric)
                gap = np.abs(total - wanted)
                better = np.isfinite(gap) & (gap < least)
                best, least = np.where(better, t, best), np.where(better, gap, least)
                # the map grows exponentially: Newton for the logarithm
                change = -np.log(total / wanted) * total / curvature
                t = np.where(
                    np.isfinite(change) & (total > 0), np.clip(t + change, t / 4, 4 * t), t / 2
                )
        return np.where(wanted > 0, best, 1.0)[:, None] * multipliers
