r"""The gradient flow of a parametrization: every question about it, from derivation to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
import sympy as sp

from theory.errors import DomainError, StartError, UnsupportedFormula
from theory.exact.verdict import Certificate
from theory.flow.conditions import theory_conditions
from theory.flow.conservation import elementwise_laws
from theory.flow.coupled import Coupled, CoupledModel
from theory.flow.coupled_laws import coupled_laws
from theory.flow.gradient_flow import FlowModel
from theory.flow.parametrization import Elementwise
from theory.flow.step_drift import step_drift
from theory.mirror.mirror_flow import MirrorFlow, mirror_flow
from theory.mirror.regularizer import Regularizer
from theory.mirror.structure import Structure, structure
from theory.numeric.batch import Batch
from theory.numeric.closed_curve import closed_curve
from theory.numeric.descent import DescentResult, descend
from theory.numeric.exact_input import as_floats
from theory.numeric.extreme_starts import VanishingStart, large_start, vanishing_start
from theory.numeric.high_precision import HighPrecisionFlow, integrate_digits
from theory.numeric.integrate import FlowResult, integrate
from theory.numeric.integrate_batch import BatchResult, integrate_batch
from theory.numeric.limit_batch import LimitBatch, limit_batch
from theory.numeric.limit_derivative import LimitDerivative, limit_derivative
from theory.numeric.limit_digits import HighPrecisionLimit, limit_point_digits
from theory.numeric.limit_path import LimitPath, limit_path
from theory.numeric.limit_point import LimitPoint, limit_point
from theory.numeric.optimizers import Optimizer
from theory.numeric.prepared import PreparedFlow
from theory.numeric.problem import Regression
from theory.show.code import to_code
from theory.show.derivation import Derivation, derive

__all__ = ["GradientFlow", "Mirror"]

"""Time for the closed form of the curve; the numeric curve does not depend on it."""


@dataclass(frozen=True)
class Mirror(MirrorFlow):
    """A mirror flow with its regularizer, its derivation and its source code.

    Parameters
    ----------
    rho : Elementwise
    start : tuple of sympy.Expr
    model : FlowModel or None
        The flow it was derived from.
    """

    model: FlowModel | None = None

    @cached_property
    def regularizer(self) -> Regularizer:
        """The implicit regularizer of the start, with its limits for small and large starts."""
        return Regularizer(self)

    @cached_property
    def derivation(self) -> Derivation:
        """The numbered steps from the flow to its regularizer, each with its reason."""
        return derive(self, self.model)

    def to_code(self, target: str = "numpy") -> str:
        """Source text of the regularizer and its gradient for NumPy, PyTorch or JAX."""
        return to_code(self, target=target)

    def _repr_markdown_(self) -> str:
        return self.derivation.to_markdown()


@dataclass(frozen=True)
class GradientFlow(FlowModel):
    r"""The flow $\theta' = -P\,\nabla_\theta\,\ell(h(Ax), y)$ of a parametrization $x = G(\theta)$.

    Parameters
    ----------
    parametrization : Elementwise or Coupled
    loss : Loss, optional
        `theory.losses.squared()` unless given.
    link : Link, optional
        The inverse link; `theory.links.identity()` unless given.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> alpha = sp.Symbol("alpha", positive=True)
    >>> x = sp.Symbol("x", real=True)
    >>> flow = GradientFlow(Elementwise(u**2 - v**2, (u, v)))
    >>> flow.conservation_laws().found
    (u*v,)
    >>> flow.mirror(start={u: alpha, v: alpha}).hessian(x)
    1/(4*sqrt(4*alpha**4 + x**2))
    """

    def metric(self) -> sp.Expr:
        """M in the parameters: x' = -M times the gradient of the loss in x; a matrix if coupled."""
        return self.parametrization.metric()

    def conservation_laws(self, **options: Any) -> Any:
        """What is constant along the flow, for every loss, link and data set.

        Parameters
        ----------
        **options
            For coupled parametrizations: `degree`, `ansatz`, `data`, `metric`, `momentum`,
            `weight_decay`, as in `theory.flow.coupled_laws.coupled_laws`. The laws of elementwise
            ones come from quadratures, without options.

        Raises
        ------
        UnsupportedFormula
            For options of an elementwise parametrization.

        Examples
        --------
        >>> from theory.flow.coupled import Coupled
        >>> laws = GradientFlow(Coupled(["u*v", "u*w"], "u, v, w")).conservation_laws()
        >>> print(laws)
        u**2 - v**2 - w**2 (1 found, complete)
        """
        if isinstance(self.parametrization, CoupledModel):
            return coupled_laws(self.parametrization, **options)
        if options:
            rho = self.elementwise
            raise UnsupportedFormula(
                f"Elementwise flows have no option {', '.join(sorted(options))}; ask "
                f"th.Coupled(['{rho.formula}'], '{', '.join(s.name for s in rho.parameters)}')."
            )
        return elementwise_laws(self.elementwise)

    def structure(self, start: Mapping[Any, Any] | None = None, **options: Any) -> Structure:
        r"""Whether a coupled flow is a mirror flow from a start, a time-warped one, or none.

        Parameters
        ----------
        start : mapping from parameter to an exact number
        **options
            `leaf`, `laws`; see `theory.mirror.structure.structure`.

        Examples
        --------
        >>> from theory.flow.coupled import Coupled
        >>> flow = GradientFlow(Coupled(["u*v", "u*w"], "u, v, w"))
        >>> found = flow.structure(start={"u": 2, "v": 1, "w": 1})
        >>> found.kind, found.warp
        ('warped', sqrt(v**2 + w**2 + 2))
        >>> flow = GradientFlow(Coupled(["u*p", "u*q + v*p", "v*q"], "u, v, p, q"))
        >>> flow.structure(start={"u": 1, "v": 2, "p": 1, "q": 3}).kind
        'none'
        """
        model = self.parametrization
        if isinstance(model, Elementwise):
            # one coordinate: a mirror flow from every start
            model = Coupled([model.formula], model.parameters, rates=model.rates)
        return structure(model, start, **options)

    def conditions(self) -> tuple[Certificate, ...]:
        """What the convergence theory needs of the loss and the link, each with its verdict."""
        return tuple(theory_conditions(self.loss, self.link))

    def mirror(self, start: Mapping[Any, Any]) -> Mirror:
        """The mirror flow of one coordinate from a start.

        Raises
        ------
        StartError
            When the start is outside of the domain, or the flow is stuck there.
        """
        for key, value in start.items() if isinstance(start, Mapping) else ():
            if isinstance(value, list | tuple | np.ndarray) and np.ndim(value) > 0:
                raise StartError(
                    f"Expected one start value for {key} but got {value!r}: the mirror flow "
                    "belongs to one coordinate. Use a symbol for a family of starts."
                )
        flow = mirror_flow(self.elementwise, start)
        mirror = Mirror(flow.rho, flow.start, self)
        mirror.__dict__["curve"] = flow.curve
        return mirror

    @overload
    def integrate(
        self,
        problem: Regression,
        start: Mapping[Any, Any],
        t: Any = None,
        *,
        dps: None = None,
        **options: Any,
    ) -> FlowResult: ...

    @overload
    def integrate(
        self,
        problem: Regression,
        start: Mapping[Any, Any],
        t: Any = None,
        *,
        dps: int,
        **options: Any,
    ) -> HighPrecisionFlow: ...

    def integrate(
        self,
        problem: Regression,
        start: Mapping[Any, Any],
        t: Any = None,
        *,
        dps: int | None = None,
        **options: Any,
    ) -> FlowResult | HighPrecisionFlow:
        """The trajectory on a data set.

        Parameters
        ----------
        problem : Regression
        start : mapping from parameter to a number or to an array of shape (d,)
        t : float, pair of floats or None
        dps : int, optional
            Digits: the trajectory in ball arithmetic, a
            `theory.numeric.high_precision.HighPrecisionFlow`, from exact values.
        **options
            As of `theory.numeric.integrate.integrate`, or with `dps` as of
            `theory.numeric.high_precision.integrate_digits`.

        Returns
        -------
        FlowResult or HighPrecisionFlow

        Raises
        ------
        DomainError
            For an option that does not exist with `dps`.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> run = flow.integrate(Regression([[1.0, 2.0]], [1.0]), {"u": 0.1, "v": 0.1}, (0, 50))
        >>> run.success, run.drift[0] < 1e-8
        (True, True)
        >>> run = flow.integrate(Regression([[1, 2]], [1]), {"u": "0.1", "v": "0.1"}, 1, dps=30)
        >>> run.success, run.error < 1e-30
        (True, True)
        """
        if dps is not None:
            known = {"t_eval", "mode", "closed_form", "max_seconds"}
            if unknown := sorted(set(options) - known):
                raise DomainError(
                    f"Expected options among {sorted(known)} together with dps but got "
                    f"{', '.join(unknown)}."
                )
            options.setdefault("closed_form", closed_curve(self.elementwise, as_floats(start)))
            return integrate_digits(self, problem, start, t, dps, **options)
        options.setdefault("laws", self.conservation_laws().found)
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return integrate(self, problem, start, t, **options)

    def prepare(
        self, problem: Regression, start: Mapping[Any, Any], **options: Any
    ) -> PreparedFlow:
        """The flow compiled for a data set and a start, to be run over many time spans.

        Parameters
        ----------
        problem : Regression
        start : mapping from parameter to a number or to an array of shape (d,)
        **options
            `method`, `mode`, `rtol`, `atol`, `laws`, `closed_form`, `backend`, as of `integrate`;
            no conservation law is measured unless `laws` names it.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> problem = Regression([[1.0, 2.0]], [1.0])
        >>> prepared = flow.prepare(problem, {"u": 0.1, "v": 0.1}, method="Taylor")
        >>> prepared.run((0, 50)).mode, bool(prepared.run((0, 50)).loss[-1] < 1e-20)
        ('dual', True)
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return PreparedFlow(self, problem, start, **options)

    @overload
    def limit_point(
        self, problem: Regression, start: Mapping[Any, Any], *, dps: None = None, **options: Any
    ) -> LimitPoint: ...

    @overload
    def limit_point(
        self, problem: Regression, start: Mapping[Any, Any], *, dps: int, **options: Any
    ) -> HighPrecisionLimit: ...

    def limit_point(
        self,
        problem: Regression,
        start: Mapping[Any, Any],
        *,
        dps: int | None = None,
        **options: Any,
    ) -> LimitPoint | HighPrecisionLimit:
        """Where the flow goes, without integrating it.

        Parameters
        ----------
        problem : Regression
        start : mapping from parameter to a number or to an array of shape (d,)
        dps : int, optional
            Digits: the limit in ball arithmetic, a
            `theory.numeric.limit_digits.HighPrecisionLimit`, from exact values.
        **options
            As of `theory.numeric.limit_point.limit_point`; with `dps`, `closed_form` alone.

        Returns
        -------
        LimitPoint or HighPrecisionLimit

        Raises
        ------
        DomainError
            For an option that does not exist with `dps`.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> limit = flow.limit_point(Regression([[1.0, 2.0, 3.0]], [1.0]), {"u": 1e-8, "v": 1e-8})
        >>> limit.x.round(4).tolist(), limit.success
        ([0.0, 0.0, 0.3333], True)
        >>> limit = flow.limit_point(Regression([[1, 2]], [1]), {"u": "0.1", "v": "0.1"}, dps=50)
        >>> limit.certified, limit.error < 1e-50
        (True, True)
        """
        if dps is not None:
            if unknown := sorted(set(options) - {"closed_form"}):
                raise DomainError(
                    f"Expected no option but closed_form together with dps but got "
                    f"{', '.join(unknown)}."
                )
            options.setdefault("closed_form", closed_curve(self.elementwise, as_floats(start)))
            return limit_point_digits(self, problem, start, dps, **options)
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return limit_point(self, problem, start, **options)

    def limit_path(
        self, problem: Regression, start: Mapping[Any, Any], scales: Any, **options: Any
    ) -> LimitPath:
        """The limit points of the starts s * start for many scales s.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> problem = Regression([[1.0, 2.0, 3.0]], [1.0])
        >>> path = flow.limit_path(problem, {"u": 1.0, "v": 1.0}, [1.0, 1e-2, 1e-8])
        >>> path.x[-1].round(4).tolist(), bool(path.success.all())
        ([0.0, 0.0, 0.3333], True)
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return limit_path(self, problem, start, scales, **options)

    def vanishing_start(
        self, problem: Regression, start: Mapping[Any, Any], **options: Any
    ) -> VanishingStart:
        """The limit of the limit points from s * start as s goes to 0, with a certificate.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> limit = flow.vanishing_start(Regression([[1.0, 2.0]], [1.0]), {"u": 1.0, "v": 1.0})
        >>> limit.x.tolist(), limit.success
        ([0.0, 0.5], True)
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return vanishing_start(self, problem, start, **options)

    def large_start(self, problem: Regression, start: Mapping[Any, Any]) -> np.ndarray:
        """The limit of the limit points from s * start as s grows, for a start at x = 0.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> x = flow.large_start(Regression([[1.0, 2.0]], [5.0]), {"u": 3.0, "v": 3.0})
        >>> x.round(12).tolist()
        [1.0, 2.0]
        """
        return large_start(self, problem, start)

    def descend(
        self,
        problem: Regression,
        start: Mapping[Any, Any],
        optimizer: Optimizer | float,
        **options: Any,
    ) -> DescentResult:
        """A run with finite steps: gradient descent, mini-batches, noisy labels, momentum.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> problem, start = Regression([[1.0, 2.0]], [1.0]), {"u": 0.1, "v": 0.1}
        >>> run = flow.descend(problem, start, 0.05, tol=1e-10)
        >>> u, v = run.effective_start
        >>> limit = flow.limit_point(problem, {"u": u, "v": v})
        >>> run.success, bool(abs(limit.x - run.end).max() < 1e-9)
        (True, True)
        """
        options.setdefault("laws", self.conservation_laws().found)
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return descend(self, problem, start, optimizer, **options)

    def step_drift(self, law: sp.Expr | str) -> sp.Expr:
        r"""How finite steps change a law of one coordinate: $dC/dt = \kappa\,g^2$ times this.

        See `theory.flow.step_drift` for $\kappa$ of gradient descent and momentum.

        Examples
        --------
        >>> GradientFlow(Elementwise("u**2 - v**2", "u, v")).step_drift("u*v")
        -4*u*v
        """
        return step_drift(law, self.elementwise)

    def limit_derivative(
        self, problem: Regression, start: Mapping[Any, Any], **options: Any
    ) -> LimitDerivative:
        """How the limit point moves with targets, data and start.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> slope = flow.limit_derivative(Regression([[2.0]], [3.0]), {"u": 0.3, "v": 0.2})
        >>> slope.along(y=[1.0]).round(12).tolist()
        [0.5]
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return limit_derivative(self, problem, start, **options)

    def integrate_batch(
        self, batch: Batch, start: Mapping[Any, Any], t: Any = None, **options: Any
    ) -> BatchResult:
        """The trajectories of many data sets or starts in one integration.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> runs = flow.integrate_batch(
        ...     Batch([[1.0, 2.0]], [1.0]), {"u": [[0.1], [0.2]], "v": 0.1}, (0, 50)
        ... )
        >>> runs.x.shape, runs.success.tolist()
        ((2, 2, 2), [True, True])
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return integrate_batch(self, batch, start, t, **options)

    def limit_batch(self, batch: Batch, start: Mapping[Any, Any], **options: Any) -> LimitBatch:
        """Where the flows of many data sets or starts go, in one solve.

        Examples
        --------
        >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
        >>> limits = flow.limit_batch(Batch([[1.0, 2.0]], [1.0]), {"u": [[1e-8], [1.0]], "v": 1e-8})
        >>> limits.success.tolist()
        [True, True]
        """
        options.setdefault("closed_form", closed_curve(self.elementwise, start))
        return limit_batch(self, batch, start, **options)
