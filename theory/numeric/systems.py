"""The two right-hand sides of the flow: of the parameters, and of the dual variables."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from theory.numeric.block import Block
from theory.numeric.compile import Array
from theory.numeric.dual_curve import NumericCurve
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

    @property
    def has_jacobian(self) -> bool: ...
    def rhs(self, y: Array) -> Array: ...
    def jacobian(self, y: Array) -> Array: ...
    def theta(self, y: Array) -> Array: ...
    def x(self, y: Array) -> Array: ...
    def pulled_back(self, theta: Array) -> Array: ...
    def recentered(self, y: Array, theta: Array, limit: float) -> System | None: ...


class PrimalSystem:
    r"""$\theta_{ij}' = -p_j\,\partial_j\rho(\theta_i)\,(A^T r)_i$, y is theta flattened."""

    def __init__(
        self, block: Block, problem: Regression, objective: Objective, theta0: Array
    ) -> None:
        self.block, self.problem, self.objective = block, problem, objective
        self.shape = theta0.shape
        self.y0 = theta0.ravel()
        self.curve = NumericCurve(block, theta0)

    @property
    def has_jacobian(self) -> bool:
        return self.y0.size <= _LARGEST_JACOBIAN

    def theta(self, y: Array) -> Array:
        return y.reshape(self.shape)

    def x(self, y: Array) -> Array:
        return self.block.rho(self.theta(y))

    def pulled_back(self, theta: Array) -> Array:
        r"""$g = A^T r$, shape (d,)."""
        z = self.problem.predict(self.block.rho(theta))
        return self.problem.pull_back(self.objective.slope(z))

    def rhs(self, y: Array) -> Array:
        theta = self.theta(y)
        with np.errstate(all="ignore"):
            return np.asarray(-self.block.field(theta) * self.pulled_back(theta)).ravel()

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

    def recentered(self, y: Array, theta: Array, limit: float) -> System | None:
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
        # a closed form without its domain may be continued beyond a pole, which `advance` sees
        self.known = curve.closed if curve.domain is not None else None
        nonzero = np.abs(center[center != 0])
        # k is a formula in products of start values, which underflow before x does
        tiny = nonzero.size > 0 and float(nonzero.min()) < 1e-75
        self.map = None if self.known is None or tiny else curve.inverse_map
        self.ends: tuple[Array, Array] | None = None
        if curve.domain is not None:
            low, high = curve.domain(*center)
            self.ends = None if np.isinf(low).all() and np.isinf(high).all() else (low, high)
        self.far = 0.0

    @property
    def has_jacobian(self) -> bool:
        return self.y0.size <= _LARGEST_JACOBIAN

    def theta(self, y: Array) -> Array:
        xi = -self.problem.pull_back(y)
        if self.known is None:
            return self.curve.advance(self.center, xi)[0]
        return self._inside(xi, np.stack(self.known(xi, *self.center)))

    def thetas(self, states: Array) -> Array:
        """The parameters of several states of shape (m, n), shape (k, m, d), by the closed form."""
        xi = -self.problem.pull_back(states.T).T
        if self.known is None:
            return np.stack([self.theta(y) for y in states], axis=1)
        return self._inside(xi, np.stack(self.known(xi, *self.center)))

    def x(self, y: Array) -> Array:
        if self.map is None:
            return self.block.rho(self.theta(y))
        xi = -self.problem.pull_back(y)
        return self._inside(xi, self.map(xi, *self.center)[0])

    def _inside(self, xi: Array, value: Array) -> Array:
        """NaN where the curve has ended before xi."""
        if self.ends is None:
            return value
        return np.where((xi > self.ends[0]) & (xi < self.ends[1]), value, np.nan)

    def pulled_back(self, theta: Array) -> Array:
        z = self.problem.predict(self.block.rho(theta))
        return self.problem.pull_back(self.objective.slope(z))

    def rhs(self, y: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.objective.slope(self.problem.predict(self.x(y)))

    def jacobian(self, y: Array) -> Array:
        A = self.problem.dense
        if self.map is None:
            theta = self.theta(y)
            x, speed = self.block.rho(theta), self.curve.geometry(theta).speed
        else:
            xi = -self.problem.pull_back(y)
            x, metric, _ = self.map(xi, *self.center)
            x, speed = self._inside(xi, x), np.sqrt(metric)
        B = A * speed
        curvature = self.objective.curvature(self.problem.predict(x))
        return np.asarray(-curvature[:, None] * (B @ B.T))

    def recentered(self, y: Array, theta: Array, limit: float) -> System | None:
        xi = -self.problem.pull_back(y)
        if self.known is not None and self.ends is None:
            # no pole, so that digits are lost to the size of xi alone
            if float(np.max(np.abs(xi))) < 2 * self.far:
                return None
            self.far = float(np.max(np.abs(xi)))
        slope = np.abs(self.curve.geometry(theta).slope)
        with np.errstate(all="ignore"):
            lost = float(np.nanmax(np.abs(xi) * slope))
        if not lost > limit:
            return None
        return DualSystem(self.curve, self.problem, self.objective, theta)
