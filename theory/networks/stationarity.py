r"""Generalized stationarity for $\min\tfrac12\|\theta\|^2$ subject to $q_i(\theta)\ge1$.

With $\tilde\theta = \theta/q_{\min}^{1/L}$, multipliers
$\lambda_i = q_{\min}^{1-2/L}\|\theta\|e^{-q_i}/\|g\|_*$ and $z = \sum_i\lambda_i\nabla
q_i(\tilde\theta)$ the Fenchel-Young gap of $\psi = \tfrac12\|\cdot\|^2$,
$$D = \psi(\tilde\theta) + \psi^*(z) - \langle z, \tilde\theta\rangle
= \|\tilde\theta\|^2(1-\beta),$$
is the Bregman divergence of $\psi^*$ from z to a subgradient of $\psi$ at $\tilde\theta$. It is
zero exactly when $z\in\partial\psi(\tilde\theta)$, which with feasibility and complementary
slackness is a KKT point. Notation as in `theory.networks.margin_growth`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.networks.alignment import BETA
from theory.networks.certify import certify_zero, young_step
from theory.networks.margin_growth import LOSS, G, R, gap_step, read_degree, u

__all__ = ["Stationarity", "stationarity"]

q_min, q = sp.symbols("q_min q", positive=True)
m = sp.Symbol("m", positive=True)


@dataclass(frozen=True)
class Stationarity:
    r"""Multipliers, gap and slack, by the degree of the network.

    Parameters
    ----------
    degree : sympy.Expr
    """

    degree: sp.Expr

    @property
    def multiplier(self) -> sp.Expr:
        r"""$\lambda = q_{\min}^{1-2/L}Re^{-q}/G$ of a sample with the margin q."""
        return q_min ** (1 - 2 / self.degree) * R * sp.exp(-q) / G

    @property
    def gap(self) -> sp.Expr:
        r"""$D = R^2q_{\min}^{-2/L}(1-\beta)$."""
        return R**2 * q_min ** (-2 / self.degree) * (1 - BETA)

    @property
    def slack_bound(self) -> sp.Expr:
        r"""$\sum_i\lambda_i(q_i(\tilde\theta) - 1)\le m/(eL\gamma_0^{2/L}u)$ for m samples."""
        gamma = sp.Symbol("gamma_0", positive=True)
        return m / (sp.E * self.degree * gamma ** (2 / self.degree) * u)

    @cached_property
    def derivation(self) -> Derivation:
        """Gap and slack."""
        return numbered(f"Stationarity at degree {self.degree}", _steps(self))

    def __str__(self) -> str:
        return f"D = {self.gap}, slack <= {self.slack_bound}"


def stationarity(degree: Any = "L") -> Stationarity:
    r"""$(\epsilon, \delta)$-stationarity: $D\le\epsilon$, slack at most $\delta\to0$.

    Examples
    --------
    >>> print(stationarity(2))
    D = R**2*(1 - beta)/q_min, slack <= m*exp(-1)/(2*gamma_0*u)

    References
    ----------
    N. Tsilivis, G. Vardi, J. Kempe, "Flavors of Margin", arXiv:2410.22069; for the Euclidean norm
    K. Lyu, J. Li, ICLR 2020. The arrangement of the divergence is ours.
    """
    return Stationarity(read_degree(degree))


def _steps(found: Stationarity) -> Iterator[RawStep]:
    L = found.degree
    slope = sp.Symbol("h", real=True)
    # grad q has the degree L - 1
    scaled = q_min ** (-(L - 1) / L) * slope
    yield (
        "Direction of z",
        ["z = sum_i lambda_i grad q_i(theta/q_min**(1/L)) = -q_min**(-1/L) R g/G"],
        "grad q_i has the degree L - 1, and -g = sum_i exp(-q_i) grad q_i",
        certify_zero(
            "the factor of exp(-q_i) grad q_i",
            found.multiplier * scaled - q_min ** (-1 / L) * R / G * sp.exp(-q) * slope,
        ),
    )
    size = q_min ** (-1 / L) * R
    yield (
        "Norms",
        ["||z||_* = ||theta~|| = q_min**(-1/L) R"],
        "||g||_* = G",
        certify_zero("the norm of z", q_min ** (-1 / L) * R / G * G - size),
    )
    product = q_min ** (-1 / L) * R / G * (BETA * G * R) * q_min ** (-1 / L)
    yield (
        "Gap",
        [sp.Eq(sp.Symbol("D"), found.gap, evaluate=False)],
        "<z, theta~> = q_min**(-2/L) (R/G) <-g, theta> with <-g, theta> = beta G R",
        certify_zero(
            "psi(theta~) + psi*(z) - <z, theta~>",
            size**2 / 2 + size**2 / 2 - product - found.gap,
        ),
    )
    yield young_step(sp.Integer(2))
    yield (
        "Sign",
        ["D >= 0, and D = 0 exactly when z is a subgradient of ||theta~||**2/2"],
        "<z, theta~> <= ||z||_* ||theta~|| and Young's inequality; equality is the definition of a "
        "subgradient",
        None,
    )
    a, b = sp.symbols("a b", real=True)
    yield (
        "Euclidean norm",
        ["D = ||z - theta~||**2/2 for l2"],
        "entry by entry",
        certify_zero("the square", a**2 / 2 + b**2 / 2 - a * b - (a - b) ** 2 / 2),
    )
    yield gap_step()
    x = sp.Symbol("x", positive=True)
    f = sp.exp(-1) - x * sp.exp(-x)
    yield (
        "Slack of a sample",
        ["exp(-q_i)*(q_i - q_min) <= exp(-q_min)/e"],
        "x*exp(-x) is largest at x = 1, and q_i = q_min + x",
        certify_zero(
            "value and slope at x = 1, where x - 1 is the sign of the slope",
            f.xreplace({x: sp.S.One}),
            sp.diff(f, x) - (x - 1) * sp.exp(-x),
            sp.exp(-(q_min + x)) * x - sp.exp(-q_min) * (x * sp.exp(-x)),
        ),
    )
    gamma = sp.Symbol("gamma_0", positive=True)
    bound = q_min ** (-2 / L) * (R / G) * m * LOSS / sp.E
    worst = bound.xreplace({G: L * LOSS * u / R}).xreplace({R: (u / gamma) ** (1 / L), q_min: u})
    yield (
        "Slack",
        [f"sum_i lambda_i (q_i/q_min - 1) <= {found.slack_bound}"],
        "exp(-q_min) <= ell, G >= L*ell*u/R, R <= (u/gamma_0)**(1/L) and q_min >= u, each at its "
        "worst",
        certify_zero("the bound at the worst values", worst - found.slack_bound),
    )
