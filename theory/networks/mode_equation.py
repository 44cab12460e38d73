r"""One singular value of a balanced product under the square loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.networks.arguments import Depth, fresh_symbol, read_decay, read_depth
from theory.networks.certify import certify_zero

__all__ = ["ModeEquation", "mode_equation"]


@dataclass(frozen=True)
class ModeEquation:
    r"""The equation of a mode in its singular value a, and in the entry $x = a^{1/L}$ of a layer.

    Parameters
    ----------
    depth : int or sympy.Symbol
    s, lam : sympy.Expr
    a, x : sympy.Symbol
    """

    depth: Depth
    s: sp.Expr
    lam: sp.Expr
    a: sp.Symbol
    x: sp.Symbol

    @property
    def rate(self) -> sp.Expr:
        r"""$\dot a = L a^{2-2/L}(s - a) - 2\lambda L a$."""
        L, a = sp.sympify(self.depth, strict=True), self.a
        return L * a ** (2 - 2 / L) * (self.s - a) - 2 * self.lam * L * a

    @property
    def layer_rate(self) -> sp.Expr:
        r"""$\dot x = x^{L-1}(s - x^L) - 2\lambda x$."""
        L, x = sp.sympify(self.depth, strict=True), self.x
        return x ** (L - 1) * (self.s - x**L) - 2 * self.lam * x

    @cached_property
    def derivation(self) -> Derivation:
        """From the gradient flow of aligned balanced layers."""
        return numbered(f"A mode at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return f"d{self.a}/dt = {self.rate}"

    def _repr_latex_(self) -> str:
        return rf"$\dot {{{latex_of(self.a)}}} = {latex_of(self.rate)}$"


def mode_equation(depth: Any = "L", s: Any = "s", lam: Any = 0) -> ModeEquation:
    r"""Gradient flow of $\tfrac12\|W_L\cdots W_1 - M\|_F^2 + \lambda\|\theta\|^2$ along one mode.

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        L >= 1.
    s : number, sympy.Expr or str
        The singular value of M.
    lam : number, sympy.Expr or str

    Examples
    --------
    >>> print(mode_equation(2))
    da/dt = 2*a*(-a + s)
    >>> mode_equation(3, lam="lam").layer_rate
    -2*lam*x + x**2*(s - x**3)

    References
    ----------
    A. Saxe, J. McClelland, S. Ganguli, arXiv:1312.6120, for two layers.
    """
    L = read_depth(depth, least=1)
    target, decay = read_decay(s, "s"), read_decay(lam)
    a, x = (fresh_symbol(name, L, target, decay, positive=True) for name in "ax")
    return ModeEquation(L, target, decay, a, x)


def _steps(mode: ModeEquation) -> Iterator[RawStep]:
    x, s = mode.x, mode.s
    L = sp.sympify(mode.depth, strict=True)
    # the layers of an aligned chain are diagonal; n of the L factors are singled out
    w, rest = sp.symbols("w rest", positive=True)
    loss = (w * rest - s) ** 2 / 2 + mode.lam * w**2
    layer = -sp.diff(loss, w)
    yield (
        "Aligned layers",
        ["W_l = U_l diag(x_i) U_{l-1}^T with U_0, U_L the singular vectors of M stay so"],
        "the gradients are diagonal in the same bases, so that each singular value of M has its "
        "own equation",
        None,
    )
    yield (
        "One layer",
        [sp.Eq(sp.Symbol("x'"), mode.layer_rate, evaluate=False)],
        "-d/dw of (w*rest - s)**2/2 + lam*w**2 at equal entries w = x, rest = x**(L-1)",
        certify_zero(
            "gradient of one layer", layer.xreplace({rest: x ** (L - 1), w: x}) - mode.layer_rate
        ),
    )
    yield (
        "Singular value",
        [sp.Eq(sp.Symbol("a'"), mode.rate, evaluate=False)],
        "chain rule for a = x**L",
        certify_zero(
            "a' = L x**(L-1) x'",
            L * x ** (L - 1) * mode.layer_rate - mode.rate.xreplace({mode.a: x**L}),
        ),
    )
