r"""The inverse mirror map of the weight-normalized flow, in terms that do not underflow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from theory.numeric.compile import Array

__all__ = ["MapState", "NormalizedMap"]


@dataclass(frozen=True, eq=False)
class NormalizedMap:
    r"""The inverse mirror map at $\theta_0 + A^T\lambda$, scaled by $e^{p s_0/(2\eta)}$.

    The scaled dual variable of L != 2 is $-v/p$ with $v = u^{-p}e^{-p(s-s_0)/(2\eta)}$, so that no
    value underflows at the start.
    """

    A: Array
    u0: Array
    s0: float
    depth: float
    eta: float

    def state(self, lam: Array) -> MapState | None:
        """Find x and the Hessian of F*, or None in the hole or outside of the domain."""
        L, p = self.depth, self.depth - 2.0
        shift = self.A.T @ lam
        if p == 0:
            v = np.ones_like(shift)
            logs = 2 * np.log(self.u0) + 2 * shift
        else:
            v = self.u0 ** (-p) - p * shift
            if p > 0 and np.any(v <= 0):
                return None
            with np.errstate(divide="ignore"):
                logs = -(2 / p) * np.log(np.abs(v))
        if not np.isfinite(logs).any():
            return None
        lse = float(logsumexp(logs))
        s = self.s0 + self.eta * lse
        if not s > 0 or not np.isfinite(s):
            return None
        share = np.exp(logs - lse)
        # L = 1 is the only depth below 2 here, and its entries pass through zero
        x = (s * share) ** (L / 2) * (np.sign(v) if L == 1 else 1.0)
        with np.errstate(over="ignore"):
            factor = L / (s ** (p / 2) * np.exp(-p * (s - self.s0) / (2 * self.eta)))
        diagonal = factor * np.abs(x) ** (2 - 2 / L)
        return MapState(x, s, diagonal, factor * (self.eta - s) / s**2, v)

    def gap(self, lam: Array) -> float:
        """The squared norm s before the cut at 0: negative in the hole."""
        p = self.depth - 2.0
        shift = self.A.T @ lam
        if p == 0:
            logs = 2 * np.log(self.u0) + 2 * shift
        else:
            v = self.u0 ** (-p) - p * shift
            if p > 0 and np.any(v <= 0):
                return np.inf
            logs = -(2 / p) * np.log(np.abs(v))
        return self.s0 + self.eta * float(logsumexp(logs))


@dataclass(frozen=True, eq=False)
class MapState:
    x: Array
    s: float
    diagonal: Array
    radial: float
    v: Array

    def hessian(self, A: Array) -> Array:
        """A (grad^2 F)^{-1} A^T."""
        Ax = A @ self.x
        H: Array = (A * self.diagonal) @ A.T + self.radial * np.outer(Ax, Ax)
        return H
