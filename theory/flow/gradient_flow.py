r"""The gradient flow $\theta' = -P\,\nabla_\theta\,\ell(h(Ax), y)$ of a parametrization."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from theory.errors import FormulaError, UnsupportedFormula
from theory.flow.coupled import CoupledModel
from theory.flow.links import Link, identity
from theory.flow.losses import Loss, squared
from theory.flow.parametrization import Elementwise

__all__ = ["FlowModel"]


@dataclass(frozen=True)
class FlowModel:
    r"""A parametrization with the loss and the inverse link that drive it.

    Only the parametrization and the start decide where the flow goes among the interpolating
    solutions; loss and link decide how fast.

    Parameters
    ----------
    parametrization : Elementwise or Coupled
    loss : Loss, optional
        $\ell(\mu, y)$; `theory.losses.squared()` unless given.
    link : Link, optional
        The inverse link $\mu = h(z)$; `theory.links.identity()` unless given.
    """

    parametrization: Elementwise | CoupledModel
    loss: Loss = field(default_factory=squared)
    link: Link = field(default_factory=identity)

    def __post_init__(self) -> None:
        if not isinstance(self.parametrization, Elementwise | CoupledModel):
            raise FormulaError(
                "Expected a parametrization such as th.Elementwise('u**2 - v**2', 'u, v') or "
                f"th.Coupled(['u*v', 'u*w'], 'u, v, w') but got {self.parametrization!r}."
            )

    @property
    def elementwise(self) -> Elementwise:
        """The parametrization of one coordinate.

        Raises
        ------
        UnsupportedFormula
            When the parametrization is coupled.
        """
        if isinstance(self.parametrization, Elementwise):
            return self.parametrization
        raise UnsupportedFormula(
            f"This needs an elementwise parametrization, th.Elementwise, but the flow has "
            f"{type(self.parametrization).__name__} with {len(self.parametrization.parameters)} "
            "parameters. For coupled ones use .conservation_laws()."
        )

    def equations(self) -> tuple[sp.Eq, ...]:
        r"""The flow of one block, $\theta_j' = -p_j\,\partial_j\rho\,(A^T\nabla_z\ell(h(z), y))_i$.

        The last factor is written as the symbol `g`, the coordinate's entry of $\nabla_x$ loss.
        """
        g = sp.Symbol("g", real=True)
        t = sp.Symbol("t", real=True)
        rho = self.elementwise
        return tuple(
            sp.Eq(sp.Derivative(sp.Function(s.name)(t), t), -p * d * g)
            for s, p, d in zip(rho.parameters, rho.rates, rho.gradient(), strict=True)
        )
