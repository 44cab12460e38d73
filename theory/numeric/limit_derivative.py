r"""How the limit point moves with targets, data and start.

The limit solves $x = k(A^T\lambda; \theta_0)$ and $Ax = z^*$. Differentiated, with $M = \partial
k/\partial\xi$ and $H = A\,\mathrm{diag}(M)A^T$:

$$\dot x = MA^TH^{-1}(\dot z - \dot A x) + (1 - MA^TH^{-1}A)(M\dot A^T\lambda + k_{\theta_0}
\dot\theta_0).$$
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DomainError, InfeasibleTarget, ShapeError
from theory.flow.gradient_flow import FlowModel
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm, numeric_curve
from theory.numeric.limit_point import LimitPoint, limit_point
from theory.numeric.normal_equations import Matrix, normal_equations, rows_of
from theory.numeric.objective import target_slopes
from theory.numeric.problem import Regression
from theory.numeric.start import Start

__all__ = ["LimitDerivative", "limit_derivative"]


@dataclass(frozen=True, eq=False)
class LimitDerivative:
    r"""The derivative of a limit point.

    Parameters
    ----------
    limit : LimitPoint
        Where it is taken.
    names : tuple of str
        The parameters.
    metric : ndarray, shape (d,)
        M at the limit.
    start_slopes : ndarray, shape (k, d)
        $\partial k/\partial\theta_{0j}$ of every coordinate.
    target_slopes : ndarray, shape (n,)
        $dz^*/dy$.
    """

    limit: LimitPoint
    names: tuple[str, ...]
    metric: Array
    start_slopes: Array
    target_slopes: Array
    _A: Matrix
    _solve: Callable[[Array], Array]
    _start: Array

    def along(
        self,
        *,
        y: ArrayLike | None = None,
        A: ArrayLike | None = None,
        start: Mapping[Any, Any] | None = None,
    ) -> Array:
        r"""The derivative of x in a direction, shape (d,).

        Parameters
        ----------
        y : array_like, shape (n,), optional
            Change of the targets.
        A : array_like, shape (n, d), optional
            Change of the data.
        start : mapping from parameter to number or array of shape (d,), optional
            Change of the start values; parameters that are not named stay.

        Raises
        ------
        ShapeError
            For a change that has not the shape of what it changes.
        DomainError
            For an unknown parameter.
        """
        n, d = self._A.shape
        dz, own = np.zeros(n), np.zeros(d)
        if y is not None:
            dz = dz + self.target_slopes * _shaped(y, (n,), "y")
        if A is not None:
            change = _shaped(A, (n, d), "A")
            dz = dz - change @ self.limit.x
            own = own + self.metric * (change.T @ self.limit.multipliers)
        for key, value in (start or {}).items():
            name = str(getattr(key, "name", key))
            if name not in self.names:
                raise DomainError(
                    f"Expected a parameter among {', '.join(self.names)} but got {name!r}."
                )
            own = own + self.start_slopes[self.names.index(name)] * _shaped(value, (d,), name)
        return self._response(dz, own)

    def in_targets(self) -> Array:
        """The matrix of derivatives in the targets y, shape (d, n)."""
        return np.stack([self.along(y=e) for e in np.eye(self._A.shape[0])], axis=1)

    def in_start(self, parameter: Any) -> Array:
        """The matrix of derivatives in the start values of a parameter, shape (d, d)."""
        return np.stack(
            [self.along(start={parameter: e}) for e in np.eye(self._A.shape[1])], axis=1
        )

    def in_scale(self) -> Array:
        r"""$dx/d\log s$ for the start $s\,\theta_0$ at s = 1, shape (d,)."""
        return self.along(start=dict(zip(self.names, self._start, strict=True)))

    def _response(self, dz: Array, own: Array) -> Array:
        return np.asarray(own + self.metric * (self._A.T @ self._solve(dz - self._A @ own)))


def limit_derivative(
    model: FlowModel,
    problem: Regression,
    start: Start,
    *,
    rtol: float = 1e-12,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
) -> LimitDerivative:
    r"""The limit point and its derivative in targets, data and start.

    Parameters
    ----------
    model, problem, start, rtol, closed_form
        As for `limit_point`.

    Raises
    ------
    InfeasibleTarget
        Where no reachable x interpolates, or the limit point was not found: there is no derivative
        to give.
    ShapeError
        For samples that depend on each other: a change of one target alone leaves no solution.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2 - v**2", "u, v"))
    >>> slope = limit_derivative(model, Regression([[1.0, 1.0]], [1.0]), {"u": 0.1, "v": 0.1})
    >>> slope.along(y=[1.0]).round(6).tolist()
    [0.5, 0.5]
    >>> bool(np.max(np.abs(slope.in_scale())) < 1e-12)
    True
    """
    limit = limit_point(model, problem, start, rtol=rtol, closed_form=closed_form)
    if not (limit.success and limit.reachable):
        raise InfeasibleTarget(f"The limit point has no derivative here: {limit.message}")
    if len(problem.independent_rows) < problem.n:
        raise ShapeError(
            f"Expected independent samples but only {len(problem.independent_rows)} of the "
            f"{problem.n} rows of A are; leave out the others."
        )
    curve = numeric_curve(model.elementwise, start, problem.d, closed_form=closed_form)
    A = rows_of(problem.matrix, problem.independent_rows)
    speed = curve.geometry(limit.theta).speed
    solve, gamma = normal_equations(A, speed)
    return LimitDerivative(
        limit=limit,
        names=tuple(s.name for s in model.elementwise.parameters),
        metric=speed**2,
        start_slopes=curve.slopes_in_start(problem.pull_back(limit.multipliers)),
        target_slopes=target_slopes(model, problem.y),
        _A=A,
        _solve=lambda r: solve(r) / gamma / gamma,
        _start=curve.theta0,
    )


def _shaped(values: Any, shape: tuple[int, ...], name: str) -> Array:
    try:
        array = np.asarray(values, dtype=np.float64)
        if array.ndim == 0 and len(shape) == 1:
            array = np.broadcast_to(array, shape)
        if array.shape != shape:
            raise ValueError(f"shape {array.shape}")
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"Expected a change of {name} of shape {shape} but got {error}."
        ) from error
    if not np.isfinite(array).all():
        raise DomainError(f"Expected a finite change of {name} but got {array}.")
    return array
