r"""The dual curves of many coordinates from fixed starts, tabulated as far as they were asked for.

Knots are the accepted steps of an integration. A point between two knots is one more step of the
same method from the knot before it, which is no longer than the accepted one, and so at least as
accurate: nothing is interpolated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.numeric.compile import Array
from theory.numeric.dual_curve import NumericCurve
from theory.numeric.lanes import LaneStep, integrate_lanes, one_step

__all__ = ["CurveTable"]


class CurveTable:
    r"""$\theta(\xi)$ with $\theta(0)$ = `center`, for curves without a closed form.

    Parameters
    ----------
    curve : NumericCurve
    center : ndarray, shape (k, d)

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.numeric.dual_curve import numeric_curve
    >>> curve = numeric_curve(Elementwise("u**2", "u"), {"u": 1.0}, 2)
    >>> table = CurveTable(curve, curve.theta0)
    >>> table.theta(np.array([0.5, -0.5])).round(10).tolist()
    [[2.7182818285, 0.3678794412]]
    """

    def __init__(self, curve: NumericCurve, center: Array) -> None:
        self.curve = curve
        self.sides = {sign: _Side(curve, center, sign) for sign in (1.0, -1.0)}

    def theta(self, xi: Array) -> Array:
        """The curves at xi of shape (d,), shape (k, d); NaN beyond their ends."""
        xi = np.asarray(xi, dtype=np.float64)
        forward = self.sides[1.0].theta(np.where(xi > 0, xi, 0.0))
        if not (xi < 0).any():
            return np.where(np.isnan(xi), np.nan, forward)
        backward = self.sides[-1.0].theta(np.where(xi < 0, -xi, 0.0))
        return np.where(np.isnan(xi), np.nan, np.where(xi < 0, backward, forward))


class _Side:
    """The curves in one direction; lengths are positive."""

    def __init__(self, curve: NumericCurve, center: Array, sign: float) -> None:
        self.curve, self.sign = curve, sign
        d = center.shape[1]
        # row 0 of the knots is the center; a lane that has fewer knots repeats its last one
        self.begin = np.zeros((1, d))
        self.knots = center[None].copy()
        self.reach = np.zeros(d)
        self.ended = np.zeros(d, dtype=bool)
        with np.errstate(all="ignore"):
            radius = np.asarray(curve.geometry(center).radius)
        self.step = np.where(np.isfinite(radius) & (radius > 0), 0.1 * radius, 1e-3)

    def theta(self, length: Array) -> Array:
        """The curves at lengths >= 0, shape (k, d)."""
        wanting = (length > self.reach) & ~self.ended & np.isfinite(length)
        if wanting.any():
            self._extend(np.where(wanting, length, self.reach))
        index = np.sum(self.begin <= length, axis=0) - 1
        lanes = np.arange(len(length))
        y = self.knots[index, :, lanes].T
        rest = length - self.begin[index, lanes]
        with np.errstate(all="ignore"):
            out = one_step(self.curve.block.field, y, self.sign * rest)
        out = np.where(rest == 0, y, out)
        return np.where(length <= self.reach, out, np.nan)

    def _extend(self, wanted: Array) -> None:
        """Integrate further, with some room to go on in."""
        lanes = np.flatnonzero(wanted > self.reach)
        room = 0.25 * (wanted[lanes] + self.step[lanes])
        begin, last = self.reach[lanes], self.knots[-1][:, lanes]
        found: list[tuple[NDArray[np.intp], Array, Array]] = []

        def observe(step: LaneStep) -> np.ndarray:
            end = np.abs(step.begin + step.length)
            found.append((lanes[step.lanes], begin[step.lanes] + end, step.y_new))
            self.step[lanes[step.lanes]] = np.abs(step.length)
            return np.zeros(len(step.lanes), dtype=bool)

        run = integrate_lanes(
            lambda y, _: self.curve.block.field(y),
            last,
            self.sign * (wanted[lanes] - begin + room),
            self.step[lanes],
            rtol=self.curve.rtol,
            observe=observe,
        )
        self.reach[lanes] = begin + np.abs(run.reached)
        self.ended[lanes] |= ~run.inside
        rows_begin = [self.begin]
        rows = [self.knots]
        for some, at, y in found:
            next_begin, next_knots = rows_begin[-1][-1:].copy(), rows[-1][-1:].copy()
            next_begin[0, some], next_knots[0][:, some] = at, y
            rows_begin.append(next_begin)
            rows.append(next_knots)
        self.begin, self.knots = np.concatenate(rows_begin), np.concatenate(rows)
