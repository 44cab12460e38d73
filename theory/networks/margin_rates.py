r"""How fast the loss of a homogeneous network vanishes along the unnormalized steepest flow.

With the speed s = G of $\dot\theta\in\operatorname{argmin}_{\|v\|\le G}\langle v, g\rangle$ the
growth of the margin gives a differential inequality for the loss alone. Notation as in
`theory.networks.margin_growth`; $\gamma_0$ is the soft margin at a time when the loss is below 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.networks.certify import certify_zero
from theory.networks.margin_growth import LOSS, gap_step, read_degree, u

__all__ = ["MarginRates", "margin_rates"]

GAMMA = sp.Symbol("gamma_0", positive=True)
t = sp.Symbol("t", positive=True)


@dataclass(frozen=True)
class MarginRates:
    r"""Rates by the degree of the network.

    Parameters
    ----------
    degree : sympy.Expr
    """

    degree: sp.Expr

    @property
    def constant(self) -> sp.Expr:
        r"""$K = L^2\gamma_0^{2/L}$."""
        return self.degree**2 * GAMMA ** (2 / self.degree)

    @property
    def power(self) -> sp.Expr:
        r"""$a = 2 - 2/L$, the power of the logarithm."""
        return 2 - 2 / self.degree

    @property
    def loss_speed(self) -> sp.Expr:
        r"""The lower bound $K\ell^2u^a$ of $-\dot\ell$."""
        return self.constant * LOSS**2 * u**self.power

    @property
    def loss_bound(self) -> sp.Expr:
        r"""$\ell\le2/(K\,t\,u^a)$, t after the time at which u = 2 a (or the start if u is above).

        u grows without bound, at least like log t.
        """
        return 2 / (self.constant * t * u**self.power)

    @cached_property
    def derivation(self) -> Derivation:
        """The differential inequality, and its solution."""
        return numbered(f"Rates at degree {self.degree}", _steps(self))

    def __str__(self) -> str:
        return f"-d ell/dt >= {self.loss_speed}"


def margin_rates(degree: Any = "L") -> MarginRates:
    r"""$-\dot\ell\ge L^2\gamma_0^{2/L}\ell^2\log(1/\ell)^{2-2/L}$, in time and in the loss.

    Hence $\ell = O(1/(t\log(t)^{2-2/L}))$.

    Parameters
    ----------
    degree : positive number, positive symbol or its name

    Examples
    --------
    >>> print(margin_rates(1))
    -d ell/dt >= ell**2*gamma_0**2
    >>> margin_rates(2).loss_bound
    1/(2*gamma_0*t*u)

    References
    ----------
    N. Tsilivis, G. Vardi, J. Kempe, "Flavors of Margin", arXiv:2410.22069.
    """
    return MarginRates(read_degree(degree))


def _steps(rates: MarginRates) -> Iterator[RawStep]:
    L, a, K = rates.degree, rates.power, rates.constant
    yield gap_step()
    norm = (u / GAMMA) ** (1 / L)
    yield (
        "Norm by the loss",
        ["R <= (u/gamma_0)**(1/L)"],
        "the soft margin u/R**L does not fall below gamma_0",
        certify_zero("the norm at the margin gamma_0", u / norm**L - GAMMA),
    )
    yield (
        "Speed of the loss",
        ["-d ell/dt = G**2 >= (L*ell*u/R)**2 >= " + str(rates.loss_speed)],
        "the dual norm: G R >= L*ell*u",
        certify_zero(
            "the bound at the largest norm", (L * LOSS * u / norm) ** 2 - rates.loss_speed
        ),
    )
    phi = sp.exp(u) * u ** (-a)
    yield (
        "In u",
        ["du/dt >= K*exp(-u)*u**a, K = L**2*gamma_0**(2/L), a = 2 - 2/L"],
        "ell = exp(-u)",
        certify_zero(
            "the speed of u", (rates.loss_speed / LOSS).xreplace({LOSS: sp.exp(-u)}) - K / phi
        ),
    )
    yield (
        "Time",
        ["K*(t - t1) <= 2*exp(u)*u**(-a) for u >= u(t1) >= 2*a"],
        "the derivative of exp(u)*u**(-a) is exp(u)*u**(-a)*(1 - a/u), at least half of "
        "exp(u)*u**(-a) there, and K dt <= exp(u)*u**(-a) du",
        certify_zero("the derivative", sp.diff(phi, u) - phi * (1 - a / u)),
    )
    yield (
        "Loss",
        ["ell <= 2/(K*(t - t1)*u**a), and u >= log(t) + O(log log t)"],
        "exp(-u) = ell",
        certify_zero("solved for the loss", 2 * u ** (-a) / (K * t) - rates.loss_bound),
    )
    yield (
        "Norm",
        ["R = Theta(log(t)**(1/L))"],
        "from above by R <= (u/gamma_0)**(1/L), from below since the soft margin is bounded by the "
        "largest one of unit parameters; that u = O(log t) needs the gradient bounded by the loss, "
        "G <= B*L*ell*R**(L - 1) with the largest slope B on the unit sphere",
        None,
    )
