r"""Whether the weight-normalized flow runs into x = 0, where it would stay for ever.

The dual variable of x = 0 is the boundary of a convex hole in the range of the mirror map. Three
arguments, in order: the loss falls along the flow; so does the divergence to any x that
interpolates, and near x = 0 it has a positive lower bound; else the path of the n multipliers is
followed until it meets the hole, or the first argument applies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import LSODA, quad
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from theory.numeric.compile import Array
from theory.numeric.newton import relative_residual
from theory.numeric.normalized import NormalizedProblem
from theory.numeric.normalized_map import NormalizedMap

__all__ = ["avoids_origin"]

_NARROW = 1e-9
"""How close to the boundary, in terms of the start and eta, the path is not decided any more."""


def avoids_origin(
    p: NormalizedProblem, mirror: NormalizedMap, candidate: Array | None
) -> tuple[bool | None, str]:
    """Whether the flow stays away from x = 0: True, False, or None when it stays open."""
    state = mirror.state(np.zeros(p.A.shape[0]))
    assert state is not None
    origin = p.loss_at_origin
    first = p.loss(state.x)
    # the loss falls along the flow
    if first < origin * (1 - 1e-12) - 1e-300:
        return True, "The loss of the start is below that of x = 0"
    if candidate is not None and p.depth > 1 and p.target is not None:
        margin = _divergence_margin(p, mirror, candidate)
        if margin > 1e-8:
            return True, "The divergence from the start is below that from any point near x = 0"
    return _follow(p, mirror, origin)


def _divergence_margin(p: NormalizedProblem, mirror: NormalizedMap, z: Array) -> float:
    r"""Least $D_F(z, \cdot)$ on the boundary at 0, less $D_F(z, x_0)$, over the former.

    Both are divided by $e^{-ps_0/(2\eta)}$. At r -> 0 the dual variable is $-u^{-p}/p$, or
    $\log u$, and the best direction is $u^2 = z^{2/L}/s_z$.
    """
    L, q, eta, s0 = p.depth, p.depth - 2.0, p.eta, mirror.s0
    if p.target is None or relative_residual(p.A, z, p.target) > 1e-9:
        # the divergence decreases only towards points that interpolate
        return -np.inf
    if np.any(z < 0):
        return -np.inf
    if q == 0:
        s = float(z.sum())
        share = z / s
        here = s / 2 * float(np.sum(xlogy(share, share) - xlogy(share, mirror.u0**2)))
        here += (s - s0) ** 2 / (4 * eta)
        boundary = s**2 / (4 * eta)
    else:
        s = float(np.sum(z ** (2 / L)))
        line = float(np.sum(z * mirror.u0 ** (-q))) / q

        def density(v: float) -> float:
            return float(v ** (q / 2) * np.exp(-q * (v - s0) / (2 * eta)))

        # F(z) - F(x0) and F(z) - F(0), plus the line; x0 itself contributes s0^(L/2)/q
        here = -L / (2 * q) * _integral(density, s0, s) + line - s0 ** (L / 2) / q
        with np.errstate(over="ignore"):
            rest = float(np.exp(q * s0 / (2 * eta)))
        if not np.isfinite(rest):
            return -np.inf
        boundary = -L / (2 * q) * _integral(density, 0.0, s) + rest * s ** (L / 2) / q
    return float((boundary - here) / abs(boundary)) if boundary != 0 else -np.inf


def _integral(f: Callable[[float], float], low: float, high: float) -> float:
    # no absolute tolerance: for small starts the whole integral is smaller than the default
    return float(quad(f, low, high, epsabs=0.0, epsrel=1e-11, limit=400)[0])


_SAMPLES = np.linspace(0.0, 1.0, 9)
_STEPS = 20_000


def _follow(p: NormalizedProblem, mirror: NormalizedMap, origin: float) -> tuple[bool | None, str]:
    r"""Follow $d\lambda/d\tau = -\nabla_z\ell$ until the loss falls below that of x = 0.

    The hole can be thinner than a step: the least gap inside of each step is looked for.
    """

    def field(_: float, lam: Array) -> Array:
        state = mirror.state(lam)
        x = np.zeros(p.A.shape[1]) if state is None else state.x
        return np.asarray(-p.objective.slope(p.A @ x))

    state = mirror.state(np.zeros(p.A.shape[0]))
    assert state is not None
    speed = float(np.max(np.abs(p.A.T @ p.objective.slope(p.A @ state.x)))) or 1.0
    make: Any = LSODA
    solver = make(
        field, 0.0, np.zeros(p.A.shape[0]), 1e6 / speed, rtol=1e-11, atol=1e-14,
        first_step=1e-6 / speed,
    )  # fmt: skip
    scale = max(mirror.s0, p.eta)
    least = np.inf
    for _ in range(_STEPS):
        if solver.status != "running" or solver.step() is not None:
            break
        dense = solver.dense_output()
        low, high = float(solver.t_old), float(solver.t)

        def gap(tau: float) -> float:
            return mirror.gap(dense(tau))  # noqa: B023 - used in this round only

        times = low + (high - low) * _SAMPLES
        values = [gap(t) for t in times]
        k = int(np.argmin(values))
        depth, at = values[k], float(times[k])
        if 0 < depth < scale and 0 < k < len(values) - 1:
            inner = minimize_scalar(
                gap, bounds=(times[k - 1], times[k + 1]), method="bounded",
                options={"xatol": 1e-12 * (high - low)},
            )  # fmt: skip
            if inner.fun < depth:
                depth, at = float(inner.fun), float(inner.x)
        least = min(least, depth)
        if least < -_NARROW * scale:
            return False, (
                "The flow runs into x = 0: its dual variable meets the boundary of the range of "
                f"the mirror map before the clock's time {at:.6g}"
            )
        if least <= _NARROW * scale:
            return None, (
                "the dual variable passes the boundary of the range of the mirror map within the "
                "accuracy of the integration"
            )
        here = mirror.state(solver.y)
        if here is not None and p.loss(here.x) < origin * (1 - 1e-9):
            return True, "Followed: the loss falls below that of x = 0 before r does"
    return None, "the path of the dual variable was not decided within its time"
