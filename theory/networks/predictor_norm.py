r"""What a norm of the parameters of a diagonal network is on its predictor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.networks.arguments import Depth, read_depth, read_positive, read_vector
from theory.networks.certify import certify_zero, means_step

__all__ = ["PredictorNorm", "predictor_norm"]


@dataclass(frozen=True)
class PredictorNorm:
    r"""The least norm of the layers of a diagonal network with the predictor beta.

    Parameters
    ----------
    beta : tuple of sympy.Expr
    depth : int or sympy.Symbol
    p : sympy.Expr
    value : sympy.Expr
    """

    beta: tuple[sp.Expr, ...]
    depth: Depth
    p: sp.Expr
    value: sp.Expr

    @property
    def entry(self) -> tuple[sp.Expr, ...]:
        r"""$|\beta_i|^{1/L}$: the size of each layer's entries at a minimum, signs apart."""
        return tuple(_root(b, self.depth) for b in self.beta)

    @cached_property
    def derivation(self) -> Derivation:
        """The inequality of the means, coordinate by coordinate, and the case of equality."""
        return numbered(f"Norm of the predictor at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return str(self.value)

    def _repr_latex_(self) -> str:
        return f"${latex_of(self.value)}$"


def predictor_norm(beta: Any, depth: Any = "L", p: Any = 2) -> PredictorNorm:
    r"""The norm of $\beta = u_1\odot\cdots\odot u_L$ that a norm of the parameters becomes.

    $$\min_{u_1\odot\cdots\odot u_L = \beta}\sum_l\|u_l\|_p^p = L\sum_i|\beta_i|^{p/L},$$

    and for $p = \infty$ the least $\max_l\|u_l\|_\infty$ is $\|\beta\|_\infty^{1/L}$.

    Parameters
    ----------
    beta : sequence of real numbers or symbols
    depth : int or sympy.Symbol or str
        L >= 1.
    p : positive number, positive symbol or sympy.oo

    Examples
    --------
    >>> a, b = sp.symbols("a b", real=True)
    >>> print(predictor_norm([a, b], 2))
    2*Abs(a) + 2*Abs(b)
    >>> print(predictor_norm([a, b], 2, 1))
    2*sqrt(Abs(a)) + 2*sqrt(Abs(b))
    >>> print(predictor_norm([8, -1], 3, sp.oo))
    2
    """
    L = read_depth(depth, least=1)
    entries = read_vector(beta, "entries of beta", symbols=True)
    if p is sp.oo or p == float("inf"):
        largest = sp.Max(*(abs(b) for b in entries))
        return PredictorNorm(entries, L, sp.oo, _root(largest, L))
    power = read_positive(p, "p")
    value = L * sp.Add(*(sp.S.Zero if b == 0 else abs(b) ** (power / L) for b in entries))
    return PredictorNorm(entries, L, power, sp.expand(value))


def _root(b: sp.Expr, L: Depth) -> sp.Expr:
    return sp.S.Zero if b == 0 else abs(b) ** (sp.S.One / L)


def _steps(norm: PredictorNorm) -> Iterator[RawStep]:
    L = norm.depth
    b, n = sp.symbols("b n", positive=True)
    if norm.p is sp.oo:
        yield (
            "Product of maxima",
            ["|beta_i| = prod_l |u_li| <= max_l ||u_l||_oo**L"],
            "each factor is at most the largest entry of all layers",
            None,
        )
        bound, claim = norm.value**L, "the equal entries attain ||beta||_oo**(1/L)"
        reached = sp.Max(*(abs(v) for v in norm.beta)) - bound
        yield (
            "Equality",
            ["u_li = |beta_i|**(1/L), with the sign of beta_i on one layer"],
            "then all layers have the same entries",
            certify_zero(claim, reached),
        )
        return
    yield means_step()
    yield (
        "One coordinate",
        ["sum_l |u_li|**p >= L*|beta_i|**(p/L)"],
        "the means of b_l = |u_li|**p, whose product is |beta_i|**p",
        None,
    )
    p = sp.Dummy("p", positive=True)
    each = b ** (1 / n)
    yield (
        "Equality",
        [sp.Eq(sp.Symbol("N"), norm.value, evaluate=False)],
        "at |u_li| = |beta_i|**(1/L), with the sign of beta_i on one layer; the coordinates are "
        "independent, and their minima add up",
        certify_zero(
            "L equal factors have the product b and the sum L*b**(p/L)",
            each**n - b,
            n * each**p - n * b ** (p / n),
        ),
    )
