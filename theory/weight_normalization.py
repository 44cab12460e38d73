r"""Weight normalization: every question about it, from the derivation to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from scipy.integrate import quad

from theory.errors import DataError, DomainError, StartError
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import Link, identity
from theory.flow.losses import Loss, squared
from theory.flow.parametrization import Elementwise
from theory.gradient_flow import GradientFlow
from theory.networks.normalized import NormalizedModel
from theory.numeric.normalized import NormalizedRun, integrate_normalized, normalized_problem
from theory.numeric.normalized_descent import DescentRun, descend
from theory.numeric.normalized_limit import NormalizedLimit, normalized_limit
from theory.numeric.problem import Regression

__all__ = ["ExcessBounds", "WeightNormalization"]


@dataclass(frozen=True)
class ExcessBounds:
    r"""How far $\|x_\infty\|_1$ can be above the least norm Q of a solution.

    Parameters
    ----------
    least : float
        $Q = \|z\|_1$.
    normalized : float or None
        Bound of $\|x_\infty\|_1 - Q$, known before the run; None outside of the window
        $s_0 < s_z$.
    plain : float or None
        The same for the flow without normalization.
    """

    least: float
    normalized: float | None
    plain: float | None


@dataclass(frozen=True, init=False)
class WeightNormalization(NormalizedModel):
    r"""The weight-normalized flow of $x = w^L$, $w = r\,u/\|u\|$, on regression data.

    Parameters
    ----------
    depth : int, sympy.Expr or str
        The number of layers, all initialized alike; a symbol stands for a depth above 2.
    eta : number or sympy.Expr, optional
        Learning rate of the radius, over that of the direction.
    signed : None, "joint" or "blockwise", optional
        $x = w_+^L - w_-^L$ with one radius, or with two.
    norm, rate : number or sympy.Expr
        $\|u\|$, and the learning rate of the direction.
    loss : Loss, optional
    link : Link, optional

    Examples
    --------
    >>> flow = WeightNormalization(2, eta=0.1)
    >>> limit = flow.limit_point(Regression([[1.0, 2.0, 3.0]], [1.0]), 0.3)
    >>> limit.x.round(4).tolist(), limit.success
    ([0.0625, 0.1205, 0.2322], True)

    The radius can run into zero, where the flow stays; the limit says so:

    >>> flow = WeightNormalization(2, eta=1)
    >>> flow.limit_point(Regression([[1.0, -2.0]], [1.0]), 0.16).trapped
    True

    References
    ----------
    H.-H. Chou, H. Rauhut, R. Ward, "Robust implicit regularization via weight normalization",
    Information and Inference 13(3), 2024, arXiv 2305.05448.
    """

    loss: Loss
    link: Link

    def __init__(
        self,
        depth: Any = 2,
        *,
        eta: Any = None,
        signed: str | None = None,
        norm: Any = 1,
        rate: Any = 1,
        loss: Loss | None = None,
        link: Link | None = None,
    ) -> None:
        NormalizedModel.__init__(self, depth, eta=eta, signed=signed, norm=norm, rate=rate)
        object.__setattr__(self, "loss", squared() if loss is None else loss)
        object.__setattr__(self, "link", identity() if link is None else link)

    @cached_property
    def _flow(self) -> FlowModel:
        return FlowModel(Elementwise("u", "u"), self.loss, self.link)

    @property
    def plain(self) -> GradientFlow:
        """The flow of the same model without normalization."""
        if self.signed is None:
            u = sp.Symbol("u", positive=True)
            return GradientFlow(Elementwise(u**self.depth, (u,)), self.loss, self.link)
        u, v = sp.symbols("u v", positive=True)
        rho = Elementwise(u**self.depth - v**self.depth, (u, v))
        return GradientFlow(rho, self.loss, self.link)

    def integrate(
        self, problem: Regression, start: Any, t: Any = None, **options: Any
    ) -> NormalizedRun:
        r"""The trajectory in polar coordinates.

        Parameters
        ----------
        problem : Regression
        start : number or array_like
            $w_0$, shape (d,); for signed models also (2, d).
        t : float, pair or None
            The end of the time span; None: until interpolation.
        **options
            See `theory.numeric.normalized.integrate_normalized`.

        Examples
        --------
        >>> flow = WeightNormalization(2, eta=0.5)
        >>> run = flow.integrate(Regression([[1.0, 2.0]], [1.0]), 0.3, (0, 10))
        >>> run.success, run.drift < 1e-8
        (True, True)
        """
        return integrate_normalized(self._numbers(problem, start), t, **options)

    def limit_point(self, problem: Regression, start: Any, **options: Any) -> NormalizedLimit:
        r"""Where the flow goes, without integrating it; also that it runs into x = 0.

        Examples
        --------
        >>> flow = WeightNormalization(3, eta=0.1)
        >>> limit = flow.limit_point(Regression([[1.0, 2.0, 3.0]], [1.0]), 0.3)
        >>> round(float(limit.x.sum()), 10)
        0.3401488026
        """
        return normalized_limit(self._numbers(problem, start), **options)

    def descend(
        self,
        problem: Regression,
        starts: Sequence[Any],
        *,
        step: float,
        iterations: int = 10_000,
        truth: ArrayLike | None = None,
        etas: Sequence[float] | None = None,
        **options: Any,
    ) -> DescentRun:
        """Gradient descent with finite steps from several starts at once.

        Parameters
        ----------
        problem : Regression
        starts : sequence
            One w_0 for each run.
        step : float
        iterations : int
        truth : array_like, shape (d,), optional
            The x whose relative error is measured.
        etas : sequence of float, optional
            A radial rate for each run, in place of the model's.
        **options
            See `theory.numeric.normalized_descent.descend`.

        Examples
        --------
        >>> flow = WeightNormalization(2, eta=0.5)
        >>> run = flow.descend(Regression([[1.0, 2.0]], [1.0]), [0.3], step=0.05, iterations=500)
        >>> run.success, bool(run.loss[0] < 1e-12)
        (True, True)
        """
        rates = [self.eta] * len(starts) if etas is None else list(etas)
        if len(rates) != len(starts):
            raise DomainError(f"Expected one eta for each of {len(starts)} starts.")
        runs = []
        for start, eta in zip(starts, rates):
            model = NormalizedModel(
                self.depth, eta=eta, signed=self.signed, norm=self.norm, rate=self.rate
            )
            runs.append(normalized_problem(model, self._flow, problem, start))
        x = None if truth is None else np.asarray(truth, dtype=np.float64)
        return descend(runs, step=step, iterations=iterations, truth=x, **options)

    def decay_rate(self, problem: Regression, x: ArrayLike) -> float:
        r"""The rate at which the residual decays near x: $\lambda_{\min}(AM(x)A^T)$.

        For the squared loss with the identity link; the loss decays twice as fast.
        """
        A, M = self._metric_at(problem, x)
        return float(np.linalg.eigvalsh(A @ M @ A.T)[0])

    def rate_bound(self, problem: Regression, x: ArrayLike) -> float:
        r"""$L^2\min(s, \eta)\,\lambda_{\min}(A\,\mathrm{diag}(x^{2-2/L})A^T)$.

        It is at most `decay_rate`, since the eigenvalues of the metric in w are s across w, and
        $\eta$ along it.
        """
        A, _ = self._metric_at(problem, x)
        x = np.asarray(x, dtype=np.float64)
        L, eta = float(self.depth), float(self.effective_eta)
        pace = float(self.rate / self.norm**2)
        s = float(np.sum(x ** (2 / L)))
        gram = (A * x ** (2 - 2 / L)) @ A.T
        return pace * L**2 * min(s, eta) * float(np.linalg.eigvalsh(gram)[0])

    def _metric_at(self, problem: Regression, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        if self.signed is not None:
            raise DomainError("Expected an unsigned model; a joint one is that of [A, -A].")
        x = np.asarray(x, dtype=np.float64)
        if x.shape != (problem.d,) or not np.all(x >= 0):
            raise DataError(f"Expected x >= 0 of shape ({problem.d},) but got {x!r}.")
        L, eta = float(self.depth), float(self.effective_eta)
        s = float(np.sum(x ** (2 / L)))
        if s == 0:
            raise DataError("Expected x != 0; the metric is not defined at 0.")
        M = L**2 * (s * np.diag(x ** (2 - 2 / L)) + (eta - s) / s * np.outer(x, x))
        return problem.dense, M * float(self.rate / self.norm**2)

    def excess_bounds(self, z: ArrayLike, start: ArrayLike) -> ExcessBounds:
        r"""Bounds of $\|x_\infty\|_1 - \|z\|_1$ for a least-norm solution z >= 0 and $w_0 > 0$.

        They follow from $D_F(x_\infty, x_0) \le D_F(z, x_0)$. With $u_0 = w_0/r_0$ and
        $Q = \|z\|_1$, for L = 2:
        normalized, $\eta Q\,\mathrm{KL}(z/Q\|u_0^2)/(Q - S_0)$;
        plain, $Q\,\mathrm{KL}(z/Q\|u_0^2)/\log(Q/S_0)$. For L > 2 and a uniform start $\alpha$:
        normalized, $\frac L2\alpha^{L-2}\int_{s_z}^\infty(\sigma/s_0)^{(L-2)/2}
        e^{-(L-2)(\sigma-s_0)/(2\eta)}d\sigma$. Both need a start inside the window: $S_0 < Q$, or
        $s_0 < s_z$. The normalized ones do not need a small start.
        """
        z = np.asarray(z, dtype=np.float64)
        w0 = np.asarray(start, dtype=np.float64)
        w0 = np.broadcast_to(w0, z.shape)
        if z.ndim != 1 or np.any(z < 0) or not np.any(z > 0):
            raise DataError(f"Expected z >= 0, z != 0 but got {z!r}.")
        if np.any(w0 <= 0):
            raise StartError("Expected a positive start.")
        L, eta = float(self.depth), float(self.effective_eta)
        Q, s0 = float(z.sum()), float(w0 @ w0)
        if L == 2:
            if s0 >= Q:
                return ExcessBounds(Q, None, None)
            share = z[z > 0] / Q
            kl = float(np.sum(share * np.log(share * s0 / w0[z > 0] ** 2)))
            # KL >= 0 also by rounding
            kl = max(kl, 0.0)
            return ExcessBounds(Q, eta * Q * kl / (Q - s0), Q * kl / float(np.log(Q / s0)))
        if L < 2 or np.ptp(w0) > 1e-12 * np.max(w0):
            raise DomainError(
                "Expected L = 2, or L > 2 with a uniform start: otherwise the leading order is a "
                "weighted norm, and the l1 norm has no such bound."
            )
        s = float(np.sum(z ** (2 / L)))
        if s0 >= s:
            return ExcessBounds(Q, None, None)
        p, alpha = L - 2, float(w0[0])
        tail = quad(lambda v: (v / s0) ** (p / 2) * np.exp(-p * (v - s0) / (2 * eta)), s, np.inf)[0]
        return ExcessBounds(Q, L / 2 * alpha**p * tail, None)

    def _numbers(self, problem: Regression, start: Any) -> Any:
        return normalized_problem(self, self._flow, problem, start)
