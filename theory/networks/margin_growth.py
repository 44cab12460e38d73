r"""The soft margin of a homogeneous network grows along steepest descent.

Setting: margins $q_i = y_if(x_i;\theta)$ of degree L in $\theta$, the loss $\ell = \sum_ie^{-q_i}$,
$u = \log(1/\ell)$, a norm with $R = \|\theta\|$, and the steepest flow
$\dot\theta\in\operatorname{argmin}_{\|v\|\le s}\langle v, g\rangle$, $g\in\partial\ell$, of any
speed s; $G = \|g\|_*$. The soft margin is $\tilde\gamma = u/R^L$.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate, Status, Verdict
from theory.networks.arguments import read_positive
from theory.networks.certify import certify_zero

__all__ = ["MarginGrowth", "gap_step", "margin_growth", "read_degree"]

u, R, G, s, LOSS = sp.symbols("u R G s ell", positive=True)
"""log(1/loss), norm of the parameters, dual norm of the gradient, speed, loss."""


@dataclass(frozen=True)
class MarginGrowth:
    r"""The growth of the soft margin, by the degree of the network.

    Parameters
    ----------
    degree : sympy.Expr
    """

    degree: sp.Expr

    @property
    def soft_margin(self) -> sp.Expr:
        r"""$\tilde\gamma = u/R^L$."""
        return u / R**self.degree

    @property
    def rate(self) -> sp.Expr:
        r"""The lower bound $s\,(G/(\ell u) - L/R)\ge0$ of $\frac{d}{dt}\log\tilde\gamma$."""
        return s * (G / (LOSS * u) - self.degree / R)

    @cached_property
    def derivation(self) -> Derivation:
        """The rate, and why it is not negative."""
        return numbered(f"Growth of the margin at degree {self.degree}", _steps(self))

    def __str__(self) -> str:
        return f"d/dt log(u/R**{self.degree}) >= {self.rate} >= 0"

    def _repr_latex_(self) -> str:
        return rf"$\frac{{d}}{{dt}}\log\tilde\gamma \ge {latex_of(self.rate)} \ge 0$"


def margin_growth(degree: Any = "L") -> MarginGrowth:
    r"""$\frac{d}{dt}\log\tilde\gamma\ge s\,(G/(\ell u) - L/R)\ge0$ once $\ell<1$, in any norm.

    Parameters
    ----------
    degree : positive number, positive symbol or its name
        L, the degree of the network in all of its parameters.

    Examples
    --------
    >>> print(margin_growth(2))
    d/dt log(u/R**2) >= s*(G/(ell*u) - 2/R) >= 0

    References
    ----------
    N. Tsilivis, G. Vardi, J. Kempe, "Flavors of Margin", arXiv:2410.22069; for the Euclidean norm
    K. Lyu, J. Li, "Gradient descent maximizes the margin of homogeneous neural networks", ICLR
    2020.
    """
    return MarginGrowth(read_degree(degree))


def read_degree(degree: Any) -> sp.Expr:
    """A positive degree, or a name for one."""
    if isinstance(degree, str) and degree.isidentifier():
        return sp.Symbol(degree, positive=True)
    return read_positive(degree, "degree")


def gap_step() -> RawStep:
    """Euler's identity against the loss: <-g, theta> >= L ell u."""
    x = sp.Symbol("x", positive=True)
    # e^(-q_i) <= ell for each i, so that q_i = u + x_i with x_i >= 0
    term = sp.exp(-(u + x)) * (u + x) - u * sp.exp(-(u + x))
    positive = sign_on(term) == 1
    return (
        "Euler's identity",
        ["<-g, theta> = L*sum_i exp(-q_i) q_i >= L*ell*u"],
        "f has the degree L; exp(-q_i) <= ell, hence q_i >= u, and the weights exp(-q_i) add up to "
        "ell",
        Certificate(
            "exp(-q) q - u exp(-q) > 0 for q > u",
            Verdict(Status.PROVED, "its sign") if positive else Verdict(Status.UNDECIDED, "sign"),
        ),
    )


def _steps(growth: MarginGrowth) -> Iterator[RawStep]:
    L = growth.degree
    du, dR = sp.symbols("du dR", real=True)
    yield (
        "Speed of the loss",
        ["-d ell/dt = G s, hence du/dt = G s/ell"],
        "the direction has the product G with the gradient; u = -log(ell)",
        certify_zero(
            "the derivative of -log", sp.diff(-sp.log(LOSS), LOSS) * (-G * s) - G * s / LOSS
        ),
    )
    yield (
        "Speed of the norm",
        ["dR/dt <= s"],
        "the triangle inequality",
        None,
    )
    logarithm = sp.log(u) - L * sp.log(R)
    rate = sp.diff(logarithm, u) * du + sp.diff(logarithm, R) * dR
    slack = rate.xreplace({du: G * s / LOSS}) - growth.rate - L / R * (s - dR)
    yield (
        "Rate",
        ["d/dt log(soft margin) = (du/dt)/u - L (dR/dt)/R >= s*(G/(ell*u) - L/R)"],
        "the difference is (L/R)*(s - dR/dt) >= 0",
        certify_zero("the rate and what was left out", slack),
    )
    yield gap_step()
    yield (
        "Sign",
        ["G R >= <-g, theta> >= L ell u, hence G/(ell*u) >= L/R"],
        "the dual norm; u > 0 as ell < 1",
        certify_zero(
            "the rate is a positive multiple of G R - L ell u",
            growth.rate - s * (G * R - L * LOSS * u) / (LOSS * u * R),
        ),
    )
