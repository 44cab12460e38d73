r"""What is watched along a run: margins in several norms, alignment, stationarity, and bounds.

Notation as in `theory.networks.margin_growth` and `theory.networks.stationarity`: $u = -\log\ell$,
$R = \|\theta\|$ and $\beta$ in the run's own norm, $\tilde\theta = \theta/q_{\min}^{1/L}$.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from theory.errors import DomainError, ShapeError
from theory.networks.norms import read_norm
from theory.numeric.compile import Array
from theory.numeric.margins.geometry import Geometry, geometry_of
from theory.numeric.margins.model import soft_minimum

__all__ = ["Bounds", "MarginRun", "MarginWatch", "compare_margins"]

NORMS = ("l1", "l2", "linf", "spectral")


@dataclass(frozen=True, eq=False)
class Bounds:
    r"""The inequalities of the theory at the records, once the loss is below 1.

    Parameters
    ----------
    growth : float
        The least relative change of the soft margin between records; not negative along a flow.
    alignment, alignment_bound : float
        The least $1/\beta - 1$ and $\log(\tilde\gamma_2/\tilde\gamma_1)/(L\log(R_2/R_1))$ over the
        whole window; the bound is NaN when the norm does not grow.
    rate : float
        The least $\Delta\log\tilde\gamma - L\min(1/\beta - 1)\Delta\log R$ between records with
        growing norm; not negative along a flow.
    speed : float
        The least $\|\nabla\log\ell\|_*^2/(L^2\tilde\gamma_0^{2/L}u^{2-2/L})$, at least 1: the
        rate at which the loss vanishes along the unnormalized flow, over its bound.
    slack, slack_bound : ndarray, shape (records,)
        $\sum\lambda_i(q_i/q_{\min} - 1)$ and $m/(eL\tilde\gamma_0^{2/L}u)$.
    """

    growth: float
    alignment: float
    alignment_bound: float
    rate: float
    speed: float
    slack: Array
    slack_bound: Array

    def hold(self, tolerance: float = 0.0) -> bool:
        """Whether all of them hold up to a relative tolerance of the soft margin."""
        return bool(
            self.growth >= -tolerance
            and self.rate >= -tolerance
            and self.speed >= 1 - tolerance - 1e-12
            and not self.alignment > self.alignment_bound * (1 + 1e-12)
            and (self.slack <= self.slack_bound * (1 + 1e-12)).all()
        )


@dataclass(frozen=True, eq=False)
class MarginRun:
    r"""A run of an optimizer or of a flow, at its records.

    Parameters
    ----------
    norm : str
        The run's own norm, in which `beta` and the stationarity are.
    degree : float
        L.
    step : ndarray of int, shape (records,)
        Steps, or the numbers of the points of a flow.
    t : ndarray, shape (records,)
        The length of the path of a flow in its own norm; NaN for steps.
    log_loss : ndarray, shape (records,)
        $u = -\log\ell$, the negative logarithm of the loss.
    accuracy : ndarray, shape (records,)
    q : ndarray, shape (records, m)
        The margin of every sample.
    norms : mapping from name to ndarray, shape (records,)
    beta : ndarray, shape (records,)
        $\langle-g, \theta\rangle/(\|g\|_*\|\theta\|)$.
    multipliers : ndarray, shape (records, m)
        $\lambda_i$ of the stationarity; NaN where a sample is misclassified.
    theta : ndarray, shape (size,)
        At the end.
    drops : int
        Steps, with a loss below 1 before, in which the soft margin fell in the run's own norm; -1
        when only records were watched.
    largest_drop : float
        The largest of these, relative.
    success : bool
    message : str
    nit : int
    """

    norm: str
    degree: float
    step: np.ndarray
    t: Array
    log_loss: Array
    accuracy: Array
    q: Array
    norms: Mapping[str, Array]
    beta: Array
    multipliers: Array
    theta: Array
    drops: int
    largest_drop: float
    success: bool
    message: str
    nit: int

    @cached_property
    def least(self) -> Array:
        """The least margin of a sample at each record."""
        return np.asarray(self.q.min(axis=1))

    @cached_property
    def margins(self) -> dict[str, Array]:
        r"""$q_{\min}/\|\theta\|^L$ by the name of the norm."""
        return self._over_norms(self.least)

    @cached_property
    def soft_margins(self) -> dict[str, Array]:
        r"""$u/\|\theta\|^L$ by the name of the norm."""
        return self._over_norms(self.log_loss)

    def _over_norms(self, value: Array) -> dict[str, Array]:
        """The value over each norm to the power L; NaN at zero parameters."""
        out = {}
        for name, size in self.norms.items():
            whole = np.where(size > 0, size, np.nan) ** self.degree
            out[name] = np.asarray(value / whole)
        return out

    @cached_property
    def gap(self) -> Array:
        r"""The Fenchel-Young gap $D = \|\tilde\theta\|^2(1-\beta)$; NaN before all are correct."""
        q = np.where(self.least > 0, self.least, np.nan)
        return np.asarray((self.norms[self.norm] / q ** (1 / self.degree)) ** 2 * (1 - self.beta))

    @cached_property
    def slack(self) -> Array:
        r"""$\sum_i\lambda_i(q_i(\tilde\theta) - 1)$."""
        return np.asarray((self.multipliers * (self.q / self.least[:, None] - 1)).sum(axis=1))

    def active(self, tolerance: float = 0.01) -> np.ndarray:
        """Samples whose margin at the end is within a share of the least one."""
        return np.flatnonzero(self.q[-1] <= (1 + tolerance) * self.least[-1])

    @cached_property
    def bounds(self) -> Bounds:
        """The inequalities of growth, alignment and slack.

        Raises
        ------
        DomainError
            When the loss is below 1 at fewer than two records.
        """
        on = np.flatnonzero(self.log_loss > 0)
        if len(on) < 2:
            raise DomainError(
                "Expected at least two records with a loss below 1, where the theory begins, but "
                f"there are {len(on)}; make more steps."
            )
        u, R, beta = self.log_loss[on], self.norms[self.norm][on], self.beta[on]
        L = self.degree
        soft = np.log(u) - L * np.log(R)
        grown, stretch = np.diff(soft), np.diff(np.log(R))
        excess = 1 / beta - 1
        up = stretch > 0
        between = np.minimum(excess[1:], excess[:-1])
        rates = (grown - L * between * stretch)[up]
        length = float(np.log(R[-1] / R[0]))
        first = float(np.exp(soft[0]))
        # <-g, theta> = L sum p_i q_i = beta |g|_* R
        euler = L * np.array([soft_minimum(q)[1] @ q for q in self.q[on]])
        slopes = euler / (beta * R)
        return Bounds(
            growth=float(np.expm1(grown).min()),
            alignment=float(excess.min()),
            alignment_bound=float(soft[-1] - soft[0]) / (L * length) if length > 0 else np.nan,
            rate=float(rates.min()) if rates.size else np.nan,
            speed=float((slopes**2 / (L**2 * first ** (2 / L) * u ** (2 - 2 / L))).min()),
            slack=self.slack[on],
            slack_bound=self.q.shape[1] / (np.e * L * first ** (2 / L) * u),
        )

    def at(self, log_loss: float) -> dict[str, float]:
        """Margins and beta where $-\\log\\ell$ first reaches a value, between records linearly.

        Raises
        ------
        DomainError
            When the run does not come there.
        """
        reached = np.flatnonzero(self.log_loss >= log_loss)
        if not reached.size:
            raise DomainError(
                f"The run comes to -log(loss) = {self.log_loss.max():.4g} and not to "
                f"{log_loss:.4g}; make more steps."
            )
        k = int(reached[0])
        if k == 0:
            w = 1.0
        else:
            w = (log_loss - self.log_loss[k - 1]) / (self.log_loss[k] - self.log_loss[k - 1])
        rows = {**self.margins, "beta": self.beta, "accuracy": self.accuracy}
        return {
            name: float(v[k]) if k == 0 else float((1 - w) * v[k - 1] + w * v[k])
            for name, v in rows.items()
        }


def compare_margins(
    runs: Mapping[str, MarginRun], at: float | None = None
) -> dict[str, dict[str, float]]:
    r"""The margins of several runs at one value of $-\log\ell$.

    Runs at one number of steps, or at one rate, are at different losses, and say nothing.

    Parameters
    ----------
    runs : mapping from name to MarginRun
    at : float, optional
        The largest value that all of them reach unless given.
    """
    if not runs:
        raise ShapeError("Expected at least one run.")
    level = min(float(r.log_loss.max()) for r in runs.values()) if at is None else at
    return {name: run.at(level) for name, run in runs.items()}


class MarginWatch:
    """Records of any training loop, also of one that is not ours.

    Parameters
    ----------
    degree : float
        L, the degree of the network in all of its parameters.
    shapes : tuple of shapes
        Of the layers of the flat parameters.
    norm : Norm or str
        The one of the optimizer.
    norms : sequence of Norm or str
        All whose margins are wanted.

    Examples
    --------
    >>> watch = MarginWatch(1, ((2,),), norms=["l1"])
    >>> watch.record(1, np.array([2.0, 0.0]), np.array([2.0, 2.0]), np.array([-1.0, 0.0]))
    >>> watch.run(np.array([2.0, 0.0])).margins["l1"].tolist()
    [1.0]
    """

    def __init__(
        self,
        degree: float,
        shapes: tuple[tuple[int, ...], ...],
        *,
        norm: Any = "l2",
        norms: Sequence[Any] = NORMS,
    ) -> None:
        self.degree, self.shapes = float(degree), shapes
        own = read_norm(norm)
        self.own, self.name = geometry_of(own, shapes), own.name
        self.geometries: dict[str, Geometry] = {own.name: self.own}
        for given in norms:
            found = read_norm(given)
            self.geometries.setdefault(found.name, geometry_of(found, shapes))
        self.rows: list[tuple[Any, ...]] = []

    def record(self, step: int, theta: Array, q: Array, g: Array, t: float = np.nan) -> None:
        """Keep one point.

        Parameters
        ----------
        step : int
        theta : ndarray, shape (size,)
        q : ndarray, shape (m,)
            Margins $y_if(x_i)$.
        g : ndarray, shape (size,)
            Gradient of the loss or of its logarithm: only its direction counts.
        t : float, optional
        """
        sizes = {k: n.value(theta) for k, n in self.geometries.items()}
        u, p = soft_minimum(q)
        dual, R = self.own.dual(g), sizes[self.name]
        product = -float(g @ theta)
        beta = product / (dual * R) if dual > 0 and R > 0 else np.nan
        least = float(q.min())
        multipliers = np.full_like(q, np.nan)
        if least > 0 and dual > 0:
            # <-g, theta> = L sum w_i q_i fixes the scale of g, whatever loss it is the gradient of
            scale = product / (self.degree * float(p @ q))
            multipliers = least ** (1 - 2 / self.degree) * R * p * scale / dual
        self.rows.append((step, t, u, float((q > 0).mean()), q.copy(), sizes, beta, multipliers))

    def run(
        self,
        theta: Array,
        *,
        drops: int = -1,
        largest_drop: float = np.nan,
        success: bool = True,
        message: str = "",
        nit: int | None = None,
    ) -> MarginRun:
        """All that was recorded.

        Raises
        ------
        DomainError
            When nothing was.
        """
        if not self.rows:
            raise DomainError("Expected at least one record.")
        step, t, u, accuracy, q, sizes, beta, multipliers = zip(*self.rows, strict=True)
        return MarginRun(
            norm=self.name,
            degree=self.degree,
            step=np.array(step),
            t=np.array(t),
            log_loss=np.array(u),
            accuracy=np.array(accuracy),
            q=np.stack(q),
            norms={k: np.array([s[k] for s in sizes]) for k in self.geometries},
            beta=np.array(beta),
            multipliers=np.stack(multipliers),
            theta=np.array(theta),
            drops=drops,
            largest_drop=largest_drop,
            success=success,
            message=message,
            nit=int(step[-1]) if nit is None else nit,
        )
