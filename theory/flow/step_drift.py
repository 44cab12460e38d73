r"""How finite steps break the conservation laws, to first order in the step.

A step $\theta_{k+1} = \theta_k - \eta\,P\nabla\rho\,g$ changes a law C of the flow by
$\tfrac12\eta^2 g^2 (P\nabla\rho)^T\nabla^2 C\,(P\nabla\rho) + O(\eta^3)$, since the first order,
$-\eta g\,\nabla C\cdot P\nabla\rho$, vanishes. With momentum $\beta$ the modified equation is
$\theta' = -F - \tfrac\kappa2 F'F$ in the time $t_k = k\eta/(1-\beta)$, with
$\kappa = \eta(1+\beta)/(1-\beta)^2$; and $\nabla C\cdot F = 0$ gives $\nabla C\cdot F'F =
-F^T\nabla^2C\,F$. So in both cases $dC/dt = \kappa\,g^2\,D(\theta)$ with
$D = \tfrac12(P\nabla\rho)^T\nabla^2C\,(P\nabla\rho)$. Where g is noise, independent from step
to step, $\kappa$ is $\eta/(1-\beta)$ instead.
"""

from __future__ import annotations

import sympy as sp

from theory.errors import FormulaError
from theory.exact.initial_data import read_exact
from theory.exact.verdict import Status
from theory.flow.conservation import conserved
from theory.flow.parametrization import Elementwise

__all__ = ["step_drift"]


def step_drift(law: sp.Expr | str, rho: Elementwise) -> sp.Expr:
    r"""$D(\theta)$ with $dC/dt = \kappa\,g^2 D(\theta) + O(\eta^2)$ along finite steps.

    Parameters
    ----------
    law : sympy.Expr or str
        A conservation law of the flow, in the parameters.
    rho : Elementwise

    Returns
    -------
    sympy.Expr
        In the parameters of one coordinate; g is the derivative of the loss in its x, and $\kappa$
        is $\eta$ for gradient descent and $\eta(1+\beta)/(1-\beta)^2$ with momentum.

    Raises
    ------
    FormulaError
        For a formula that is not conserved along the flow.

    Examples
    --------
    >>> rho = Elementwise("u**2 - v**2", "u, v")
    >>> step_drift("u*v", rho)
    -4*u*v
    """
    law = read_exact(law, "law", {s.name: s for s in (*rho.parameters, *rho.constants)})
    verdict = conserved(law, rho)
    if verdict.status is not Status.PROVED:
        raise FormulaError(
            f"Expected a conservation law of {rho} but {law} is not known to be one: "
            f"{verdict.status.name}."
        )
    velocity = [p * d for p, d in zip(rho.rates, rho.gradient(), strict=True)]
    total = sp.S.Zero
    for s, a in zip(rho.parameters, velocity, strict=True):
        for t, b in zip(rho.parameters, velocity, strict=True):
            total += sp.diff(law, s, t) * a * b
    return sp.factor(total / 2)
