r"""What is kept of the gradient flow of a linear network, and the plateaus in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import BarycentricInterpolator
from scipy.optimize import brentq, minimize_scalar

from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import SmoothLoss

if TYPE_CHECKING:
    from theory.numeric.matrices.linear_network import LinearNetwork

__all__ = ["Field", "NetworkRun", "Plateau", "Recorder"]

_SPACING = 1e-3
"""Relative change of the loss, or 20 times that of time, that is worth a record."""
_COARSE = 0.004
"""Relative change of the loss over which a step has records within."""
_MOST_WITHIN = 128


@dataclass(frozen=True)
class Plateau:
    r"""A saddle that the flow passes by, where it is slowest between two drops of the loss.

    Parameters
    ----------
    t, loss : float
    speed : float
        $\|\nabla\mathcal{L}\|$ there.
    rank : int
        Singular values of A above a tenth of the largest one at the end of the run.
    measured : float
        As in the run; NaN without a measure.
    """

    t: float
    loss: float
    speed: float
    rank: int
    measured: float = np.nan


@dataclass(frozen=True, eq=False)
class NetworkRun:
    r"""A trajectory of a linear network.

    Parameters
    ----------
    t : ndarray, shape (nt,)
    loss : ndarray, shape (nt,)
        With the weight decay.
    speed : ndarray, shape (nt,)
        $\|\nabla\mathcal{L}\|$, whose square is the rate at which the loss falls.
    sigma : ndarray, shape (r, nt)
        Singular values of A, in decreasing order.
    measured : ndarray, shape (nt,)
        What `measure` gave; empty without it.
    theta : ndarray, shape (size,)
        The parameters at the end.
    product : ndarray, shape (n_L, n_0)
        A at the end.
    crossings : mapping from k to float
        The time at which $\sigma_k(A)$ first exceeds the level that was asked for; NaN for never.
    top_share : mapping from k to ndarray, shape (L,)
        $\|W_l\|_2/\|W_l\|_F$ at these times, 1 for rank-one layers.
    drift : float
        Of the balancedness.
    success : bool
    status : int
        0: the end of the time span; 1: the gradient or the loss is as small as was asked for; -1:
        failure.
    message : str
    nfev : int
    method : str
    """

    t: Array
    loss: Array
    speed: Array
    sigma: Array
    measured: Array
    theta: Array
    product: Array
    crossings: Mapping[int, float]
    top_share: Mapping[int, Array]
    drift: float
    success: bool
    status: int
    message: str
    nfev: int
    method: str

    def plateaus(self, *, between: bool = False, depth: float = 0.9) -> tuple[Plateau, ...]:
        r"""Where the flow is slow between drops of the loss.

        Parameters
        ----------
        between : bool
            The slowest point before the first crossing and between crossings, whether or not it is
            a minimum of the speed; else minima of the speed.
        depth : float
            Of a minimum: its speed over the smaller of the largest speeds before and after it.

        Examples
        --------
        >>> from theory.numeric.matrices.linear_network import LinearNetwork
        >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
        >>> network = LinearNetwork([2, 2, 2])
        >>> run = network.integrate(MatrixLoss([[3.0, 0], [0, 1.0]]), network.start(scale=1e-4))
        >>> [(round(p.loss, 2), p.rank) for p in run.plateaus()]
        [(5.0, 0), (0.5, 1)]
        """
        if between:
            times = sorted(c for c in self.crossings.values() if np.isfinite(c))
            edges = [self.t[0], *times, self.t[-1]]
            pieces = [np.flatnonzero((self.t >= a) & (self.t <= b)) for a, b in pairwise(edges)]
            places = [int(p[np.argmin(self.speed[p])]) for p in pieces[: len(times)] if p.size]
        else:
            # at the end of a fall nothing is left to be delayed
            falling = self.loss > self.loss[-1] + 1e-6 * self.loss[0]
            places = _minima(self.speed[: int(np.sum(falling))], depth)
        high = 0.1 * float(self.sigma[0, -1])
        return tuple(
            Plateau(
                *self._slowest(i), float(self.speed[i]), int(np.sum(self.sigma[:, i] > high)),
                float(self.measured[i]) if self.measured.size else np.nan,
            )
            for i in places
        )  # fmt: skip

    def _slowest(self, i: int) -> tuple[float, float]:
        """Time and loss where the logarithm of the speed is least, by a polynomial around a record.

        The speed at a saddle is a sum of exponentials, so that its logarithm is the smoother one.
        """
        t, loss = self.t, self.loss
        if not 0 < i < len(t) - 1 or not (self.speed[i - 1] > self.speed[i] < self.speed[i + 1]):
            return float(t[i]), float(loss[i])
        near = slice(max(i - 2, 0), i + 3)
        log = BarycentricInterpolator(t[near] - t[i], np.log(self.speed[near]))
        found = minimize_scalar(
            lambda s: float(log(s)), bounds=(t[i - 1] - t[i], t[i + 1] - t[i]), method="bounded",
            options={"xatol": 1e-6 * (t[i + 1] - t[i - 1])},
        )  # fmt: skip
        fall = BarycentricInterpolator(t[near] - t[i], loss[near])
        return float(t[i] + found.x), float(fall(found.x))


def _minima(speed: Array, depth: float) -> list[int]:
    """Minima below a share of the maxima on both sides, the start among them, not the end."""
    places: list[int] = []
    lowest, highest = 0, 0
    for i in range(1, len(speed)):
        if speed[i] < speed[lowest]:
            lowest, highest = i, i
        elif speed[i] > speed[highest]:
            highest = i
        # a minimum counts once the speed has left it, and is left for good once it falls again
        left = speed[lowest] <= depth * speed[highest]
        if left and (speed[i] <= depth * speed[highest] or i == len(speed) - 1):
            places.append(lowest)
            lowest, highest = i, i
    return places


class Field:
    r"""$\nabla(C(A_\theta) + \lambda\|\theta\|^2)$, with A and its gradient of the last call."""

    def __init__(self, network: LinearNetwork, loss: SmoothLoss, weight_decay: float) -> None:
        self.network, self.loss, self.weight_decay = network, loss, weight_decay
        self.count = 0
        # called with the count; raises to end a step that does not end by itself
        self.check: Callable[[int], None] | None = None

    def __call__(self, theta: Array) -> Array:
        self.count += 1
        if self.check is not None:
            self.check(self.count)
        self.A, out = self.network.value_and_pull_back(theta, self._slope)
        if self.weight_decay:
            out += 2 * self.weight_decay * theta
        return out

    def _slope(self, A: Array) -> Array:
        self.G = self.loss.gradient(A)
        return self.G

    def value(self, theta: Array, A: Array) -> float:
        total = float(self.loss.value(A))
        return total + self.weight_decay * float(theta @ theta) if self.weight_decay else total


class Recorder:
    """What is kept of a run."""

    def __init__(
        self, network: LinearNetwork, field: Field, theta: Array, levels: dict[int, float],
        measure: Callable[[Array], float] | None,
    ) -> None:  # fmt: skip
        self.network, self.field, self.measure = network, field, measure
        self.measured: list[float] = []
        self.open = levels
        self.crossings = dict.fromkeys(levels, np.nan)
        self.shares: dict[int, Array] = {}
        self.delta0 = network.balancedness(theta)
        self.drift = 0.0
        self.times: list[float] = []
        self.losses: list[float] = []
        self.speeds: list[float] = []
        self.sigmas: list[Array] = []
        self.keep(0.0, theta)
        self.at: tuple[float, Array] = (0.0, theta)
        self.highest = self.speeds[0]
        self.slope = float(np.linalg.norm(field.G))

    def keep(self, t: float, theta: Array, speed: float | None = None) -> None:
        if speed is None:
            speed = float(np.linalg.norm(self.field(theta)))
        A = self.network.product(theta)
        self.times.append(t)
        self.losses.append(self.field.value(theta, A))
        self.speeds.append(speed)
        self.sigmas.append(np.asarray(np.linalg.svd(A, compute_uv=False), dtype=np.float64))
        if self.measure is not None:
            self.measured.append(float(self.measure(A)))
        decay = np.exp(-4 * self.field.weight_decay * t)
        weights = self.network.weights(theta)
        for i, (now, begin) in enumerate(
            zip(self.network.balancedness(theta), self.delta0, strict=True)
        ):
            size = float(np.linalg.norm(weights[i]) ** 2 + np.linalg.norm(weights[i + 1]) ** 2)
            gap = float(np.linalg.norm(now - decay * begin))
            self.drift = max(self.drift, gap / size if size > 0 else 0.0)

    def after_step(self, solver: Any) -> tuple[float, float]:
        """Loss and speed after a step, which is kept when something has changed."""
        t, theta = float(solver.t), solver.y
        speed = float(np.linalg.norm(self.field(theta)))
        A = self.field.A
        loss = self.field.value(theta, A)
        self.highest = max(self.highest, speed)
        if self.open:
            self._cross(solver, A)
        change = abs(loss - self.losses[-1]) > _SPACING * abs(self.losses[-1])
        change = change or abs(speed - self.speeds[-1]) > 0.1 * self.speeds[-1]
        if change or t - self.times[-1] > 20 * _SPACING * t:
            self._within(solver, loss)
            self.keep(t, theta, speed)
        self.at = t, theta
        return loss, speed

    def _within(self, solver: Any, loss: float) -> None:
        """Records within a step over which the loss falls by much."""
        before, t = self.losses[-1], float(solver.t)
        if not (0 < loss < before and self.times[-1] == self.at[0]):
            return
        count = min(int(np.log(before / loss) / _COARSE), _MOST_WITHIN)
        if count > 1 and loss > 1e-9 * self.losses[0]:
            path = solver.dense_output()
            for at in np.linspace(self.at[0], t, count + 1)[1:-1]:
                self.keep(float(at), path(at))

    def _cross(self, solver: Any, A: Array) -> None:
        sigma = np.linalg.svd(A, compute_uv=False)
        for k in [k for k, level in self.open.items() if sigma[k - 1] > level]:
            level, path = self.open.pop(k), solver.dense_output()

            def above(at: float, k: int = k, level: float = level, path: Any = path) -> float:
                values = np.linalg.svd(self.network.product(path(at)), compute_uv=False)
                return float(values[k - 1] - level)

            begin, end = self.at[0], float(solver.t)
            if above(begin) >= 0:
                at = begin
            else:
                # the dense output may miss the end by its error
                at = end if above(end) <= 0 else float(brentq(above, begin, end, rtol=1e-14))
            self.crossings[k] = at
            weights = self.network.weights(path(at))
            self.shares[k] = np.array([np.linalg.norm(W, 2) / np.linalg.norm(W) for W in weights])

    def result(self, solver: Any, status: int, message: str, nfev: int, method: str) -> NetworkRun:
        t, theta = self.at
        if t > self.times[-1]:
            self.keep(t, theta)
        return NetworkRun(
            t=np.array(self.times),
            loss=np.array(self.losses),
            speed=np.array(self.speeds),
            sigma=np.array(self.sigmas).T,
            measured=np.array(self.measured),
            theta=theta,
            product=self.network.product(theta),
            crossings=self.crossings,
            top_share=self.shares,
            drift=self.drift,
            success=status >= 0,
            status=status,
            message=message,
            nfev=nfev,
            method=method,
        )
