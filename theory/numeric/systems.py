"""The two right-hand sides of the flow: of the parameters, and of the dual variables."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from theory.numeric.block import Block
from theory.numeric.compile import Array
from theory.numeric.curve_table import CurveTable
from theory.numeric.dual_curve import NumericCurve
from theory.numeric.normal_equations import gram
from theory.numeric.objective import Objective
from theory.numeric.problem import Regression

__all__ = ["DualSystem", "PrimalSystem", "Stop", "System"]

# a dense Jacobian of more unknowns costs more than it saves
_LARGEST_JACOBIAN = 1500


class Stop(Exception):
    """Ends a run from inside of a right-hand side."""


class System(Protocol):
    """What the march through time needs."""

    y0: Array
    block: Block
    curve: NumericCurve
    objective: Objective
    z: Array
    """A x at the last evaluation of the right-hand side."""

    @property
    def has_jacobian(self) -> bool: ...
    @property
    def boundless(self) -> bool:
        """Whether a look for lost digits now and then will do: no end of the curve is near."""
        ...

    def rhs(self, y: Array) -> Array:
        """The rate of y; NumPy's warnings are the caller's."""
        ...

    def jacobian(self, y: Array) -> Array: ...
    def theta(self, y: Array) -> Array:
        """Shape (k, d) for y of shape (m,), and (k, d, p) for p states of shape (m, p)."""
        ...

    def x(self, y: Array) -> Array: ...
    def pulled_back(self, theta: Array) -> Array: ...
    def recentered(self, y: Array, limit: float) -> System | None:
        """A system that measures the curves from here, where digits are lost otherwise."""
        ...


class PrimalSystem:
    r"""$\theta_{ij}' = -p_j\,\partial_j\rho(\theta_i)\,(A^T r)_i$, y is theta flattened."""

    def __init__(
        self, block: Block, problem: Regression, objective: Objective, theta0: Array
    ) -> None:
        self.block, self.problem, self.objective = block, problem, objective
        self.shape = theta0.shape
        self.y0 = theta0.ravel()
        self.curve = NumericCurve(block, theta0)
        self.z = problem.predict(block.rho(theta0))

    @property
    def has_jacobian(self) -> bool:
        return self.y0.size <= _LARGEST_JACOBIAN

    @property
    def boundless(self) -> bool:
        return True

    def theta(self, y: Array) -> Array:
        return y.reshape(*self.shape, *y.shape[1:])

    def x(self, y: Array) -> Array:
        return self.block.rho(self.theta(y))

    def pulled_back(self, theta: Array) -> Array:
        r"""$g = A^T r$, shape (d,)."""
        z = self.problem.predict(self.block.rho(theta))
        return self.problem.pull_back(self.objective.slope(z))

    def rhs(self, y: Array) -> Array:
        theta = self.theta(y)
        self.z = self.problem.predict(self.block.rho(theta))
        g = self.problem.pull_back(self.objective.quick_slope(self.z))
        return np.asarray(-self.block.field(theta) * g).ravel()

    def jacobian(self, y: Array) -> Array:
        theta = self.theta(y)
        k, d = self.shape
        A = self.problem.dense
        gradient = self.block.gradient(theta)
        z = self.problem.predict(self.block.rho(theta))
        g = self.problem.pull_back(self.objective.slope(z))
        inner = A.T @ (self.objective.curvature(z)[:, None] * A)
        rates = self.block.rates[:, 0]
        # -p_j (d_j d_l rho g on the diagonal + d_j rho A^T D A d_l rho)
        full = -np.einsum("j,ja,ab,lb->jalb", rates, gradient, inner, gradient)
        diagonal = -rates[:, None, None] * self.block.hessian(theta) * g
        index = np.arange(d)
        full[:, index, :, index] += np.moveaxis(diagonal, 2, 0)
        return np.asarray(full.reshape(k * d, k * d))

    def recentered(self, y: Array, limit: float) -> System | None:
        return None


class DualSystem:
    r"""$\nu' = \nabla_z\ell(h(A\,k(-A^T\nu)), y)$ from a point theta of the curves."""

    def __init__(
        self, curve: NumericCurve, problem: Regression, objective: Objective, center: Array
    ) -> None:
        self.curve, self.problem, self.objective = curve, problem, objective
        self.block = curve.block
        self.center = center
        self.y0 = np.zeros(problem.n)
        self.z = problem.predict(curve.block.rho(center))
        # a closed form without its domain may be continued beyond a pole, which `advance` sees
        self.known = curve.closed if curve.domain is not None else None
        self.table = CurveTable(curve, center) if curve.closed is None else None
        nonzero = np.abs(center[center != 0])
        # k is a formula in products of start values, which underflow before x does
        tiny = nonzero.size > 0 and float(nonzero.min()) < 1e-75
        formula = self.known is not None and not tiny
        self.map = curve.inverse_map if formula else None
        bind = curve.inverse_value if formula else None
        self.value = bind(*center) if bind is not None else None
        self.array = problem.A if isinstance(problem.A, np.ndarray) else None
        self.ends: tuple[Array, Array] | None = None
        if curve.domain is not None:
            low, high = curve.domain(*center)
            self.ends = None if np.isinf(low).all() and np.isinf(high).all() else (low, high)
        self.far = 0.0

    @property
    def has_jacobian(self) -> bool:
        return self.y0.size <= _LARGEST_JACOBIAN

    @property
    def boundless(self) -> bool:
        # where the ends are not known, every look costs a point of the table
        return self.table is not None or (self.known is not None and self.ends is None)

    def theta(self, y: Array) -> Array:
        xi = -self.problem.pull_back(y)
        center = self.center
        if y.ndim == 2 and self.table is not None:
            return np.stack([self.table.theta(row) for row in xi.T], axis=-1)
        if y.ndim == 2:
            # all states at once: one coordinate of the curve for each
            many = np.repeat(center[..., None], y.shape[1], axis=-1)
            flat = self._theta(xi.ravel(), many.reshape(len(center), -1))
            return flat.reshape(many.shape)
        return self._theta(xi, center)

    def _theta(self, xi: Array, center: Array) -> Array:
        if self.table is not None and center is self.center:
            return self.table.theta(xi)
        if self.known is None:
            return self.curve.advance(center, xi)[0]
        theta = np.stack(self.known(xi, *center))
        if self.ends is None:
            return theta
        low, high = self.curve.domain(*center) if self.curve.domain is not None else self.ends
        return np.where((xi > low) & (xi < high), theta, np.nan)

    def x(self, y: Array) -> Array:
        if self.value is None:
            return self.block.rho(self.theta(y))
        s = self.problem.pull_back(y)
        value = self.value(s)
        return value if self.ends is None else self._inside(-s, value)

    def _inside(self, xi: Array, value: Array) -> Array:
        """NaN where the curve has ended before xi."""
        if self.ends is None:
            return value
        return np.where((xi > self.ends[0]) & (xi < self.ends[1]), value, np.nan)

    def pulled_back(self, theta: Array) -> Array:
        z = self.problem.predict(self.block.rho(theta))
        return self.problem.pull_back(self.objective.slope(z))

    def rhs(self, y: Array) -> Array:
        if self.array is not None and self.value is not None and self.ends is None:
            # the same as below without what costs more than a product of small arrays
            self.z = self.array @ self.value(y @ self.array)
        else:
            self.z = self.problem.predict(self.x(y))
        return self.objective.quick_slope(self.z)

    def jacobian(self, y: Array) -> Array:
        if self.map is None:
            theta = self.theta(y)
            x, metric = self.block.rho(theta), self.curve.geometry(theta).speed ** 2
        else:
            xi = -self.problem.pull_back(y)
            x, metric, _ = self.map(xi, *self.center)
            x = self._inside(xi, x)
        curvature = self.objective.curvature(self.problem.predict(x))
        return np.asarray(-curvature[:, None] * gram(self.problem.matrix, metric))

    def recentered(self, y: Array, limit: float) -> System | None:
        xi = -self.problem.pull_back(y)
        if self.known is not None:
            far = float(np.max(np.abs(xi)))
            if self.ends is None:
                # no pole, so that digits are lost to the size of xi alone
                if far < 2 * self.far:
                    return None
                self.far = far
            else:
                with np.errstate(invalid="ignore"):
                    room = np.minimum(self.ends[1] - xi, xi - self.ends[0])
                    # near a pole M is a power of the distance to it
                    if np.all(100 * np.abs(xi) < limit * room):
                        return None
        theta = self.theta(y)
        with np.errstate(all="ignore"):
            lost = np.abs(xi * self.curve.geometry(theta).slope)
        # where the curve has ended there is nothing to start from
        if not np.isfinite(theta).all() or not np.any(lost > limit):
            return None
        return DualSystem(self.curve, self.problem, self.objective, theta)
