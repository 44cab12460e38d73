r"""The gradient aligns with the parameters: $\beta = \langle-g, \theta\rangle/(\|g\|_*\|\theta\|)$.

$\beta\in(0, 1]$, and $\beta = 1$ exactly where the parameters attain the dual norm of the gradient.
Notation as in `theory.networks.margin_growth`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.networks.certify import certify_zero
from theory.networks.margin_growth import LOSS, R, gap_step, read_degree, s, u

__all__ = ["Alignment", "alignment"]

BETA = sp.Symbol("beta", positive=True)


@dataclass(frozen=True)
class Alignment:
    r"""The bound on the alignment, by the degree of the network.

    Parameters
    ----------
    degree : sympy.Expr
    """

    degree: sp.Expr

    @property
    def rate(self) -> sp.Expr:
        r"""$L(1/\beta - 1)$, the least $d\log\tilde\gamma/d\log R$."""
        return self.degree * (1 / BETA - 1)

    @property
    def window(self) -> sp.Expr:
        r"""The bound of the least $1/\beta - 1$ between two times.

        $\log(\tilde\gamma_2/\tilde\gamma_1)/(L\log(R_2/R_1))$, for $R_2 > R_1$.
        """
        first, second = sp.symbols("gamma_1 gamma_2", positive=True)
        before, after = sp.symbols("R_1 R_2", positive=True)
        return sp.log(second / first) / (self.degree * sp.log(after / before))

    @cached_property
    def derivation(self) -> Derivation:
        """From the growth of the margin to the window."""
        return numbered(f"Alignment at degree {self.degree}", _steps(self))

    def __str__(self) -> str:
        return f"min(1/beta - 1) <= {self.window}"


def alignment(degree: Any = "L") -> Alignment:
    r"""$d\log\tilde\gamma\ge L(1/\beta - 1)\,d\log R$, so that $\beta\to1$ along windows.

    The soft margin is bounded and the norm is not.

    Examples
    --------
    >>> print(alignment(2))
    min(1/beta - 1) <= log(gamma_2/gamma_1)/(2*log(R_2/R_1))

    References
    ----------
    N. Tsilivis, G. Vardi, J. Kempe, "Flavors of Margin", arXiv:2410.22069.
    """
    return Alignment(read_degree(degree))


def _steps(found: Alignment) -> Iterator[RawStep]:
    L = found.degree
    dR, e = sp.Symbol("dR", real=True), sp.Symbol("e", positive=True)
    yield gap_step()
    # <-g, theta> = beta G R = L ell u + e with e >= 0
    by_beta = (L * LOSS * u + e) / (BETA * R)
    yield (
        "Gradient by beta",
        ["G/(ell*u) = <-g, theta>/(beta*R*ell*u) >= L/(beta*R)"],
        "the definition of beta and Euler's identity",
        certify_zero(
            "what is left out is e/(beta R ell u) >= 0",
            by_beta / (LOSS * u) - L / (BETA * R) - e / (BETA * R * LOSS * u),
        ),
    )
    rate = s * by_beta / (LOSS * u) - L * dR / R
    left_out = s * e / (BETA * R * LOSS * u) + L / (BETA * R) * (s - dR)
    yield (
        "Rate",
        ["d/dt log(soft margin) = G s/(ell*u) - L (dR/dt)/R >= L*(1/beta - 1) (dR/dt)/R"],
        "s >= dR/dt",
        certify_zero("the rate and what was left out", rate - found.rate * dR / R - left_out),
    )
    least = sp.Symbol("m", positive=True)
    yield (
        "Window",
        [f"min(1/beta - 1) <= {found.window}"],
        "integrated over the times at which R reaches a new largest value, on which dR > 0; at all "
        "others the soft margin does not fall",
        certify_zero(
            "a constant rate m over the window",
            found.window.xreplace(
                {
                    sp.Symbol("gamma_2", positive=True): sp.Symbol("gamma_1", positive=True)
                    * (sp.Symbol("R_2", positive=True) / sp.Symbol("R_1", positive=True))
                    ** (L * least)
                }
            )
            - least,
        ),
    )
