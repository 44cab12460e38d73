r"""Singular values of balanced products: $\dot\sigma = -L\sigma^{2-2/L}\,u^T\nabla C\,v$."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.exact.verdict import Certificate
from theory.networks.arguments import Depth, fresh_symbol, read_decay, read_depth
from theory.networks.certify import certify_zero
from theory.networks.free_algebra import Letters

__all__ = ["SingularValueFlow", "singular_value_flow"]


@dataclass(frozen=True)
class SingularValueFlow:
    r"""The equation of a singular value of $A = W_L\cdots W_1$ from a balanced start.

    Parameters
    ----------
    depth : int or sympy.Symbol
    lam : sympy.Expr
        The coefficient of the squared norm of all parameters.
    ratio : sympy.Expr
        The coefficient of $\|A\|_*/\|A\|_F$.
    sigma, slope, nuclear, frobenius : sympy.Symbol
        The singular value, $u^T\nabla C(A)v$, $\|A\|_*$ and $\|A\|_F$.
    """

    depth: Depth
    lam: sp.Expr
    ratio: sp.Expr
    sigma: sp.Symbol
    slope: sp.Symbol
    nuclear: sp.Symbol
    frobenius: sp.Symbol

    @property
    def rate(self) -> sp.Expr:
        r"""The right-hand side of $\dot\sigma$."""
        L, v, f = sp.sympify(self.depth, strict=True), self.sigma, self.frobenius
        pull = self.slope + self.ratio / f * (1 - self.nuclear * v / f**2)
        return -L * v ** (2 - 2 / L) * pull - 2 * self.lam * L * v

    @property
    def end_to_end(self) -> str:
        r"""The equation of the product itself."""
        text = (
            f"A' = -sum_{{j=1..{self.depth}}} (A A^T)^(({self.depth}-j)/{self.depth}) G "
            f"(A^T A)^((j-1)/{self.depth})"
        )
        decay = 2 * self.lam * sp.sympify(self.depth, strict=True)
        text = text if decay == 0 else f"{text} - {decay}*A"
        return text if self.ratio == 0 else f"{text}, G = grad C + {self.ratio}*grad R"

    @cached_property
    def derivation(self) -> Derivation:
        """From the layers to the product, and from the product to its singular values."""
        return numbered(f"Singular values at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return f"d{self.sigma}/dt = {self.rate}"

    def _repr_latex_(self) -> str:
        return rf"$\dot\sigma = {latex_of(self.rate)}$"


def singular_value_flow(depth: Any = "L", lam: Any = 0, ratio: Any = 0) -> SingularValueFlow:
    r"""The flow of singular values under $C(A) + \lambda\|\theta\|^2 + \mu\|A\|_*/\|A\|_F$.

    $$\dot\sigma = -L\sigma^{2-2/L}\Big(u^T\nabla C(A)v + \frac\mu f\Big(1 - \frac{\nu\sigma}{f^2}
      \Big)\Big) - 2\lambda L\sigma,\qquad f = \|A\|_F,\ \nu = \|A\|_*,$$

    for a simple positive singular value with the vectors u, v, from balanced layers.

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        L >= 1.
    lam, ratio : number, sympy.Expr or str
        $\lambda\ge0$ and $\mu\ge0$.

    Examples
    --------
    >>> print(singular_value_flow(2))
    dsigma/dt = -2*g*sigma
    >>> singular_value_flow("L").rate
    -L*g*sigma**(2 - 2/L)
    >>> singular_value_flow("L", lam="lam", ratio="mu").derivation.identities_proved
    True

    References
    ----------
    S. Arora, N. Cohen, W. Hu, Y. Luo, arXiv:1905.13655, without penalties; with the ratio: D. Zhao,
    arXiv:2306.00342.
    """
    L = read_depth(depth, least=1)
    decay, weight = read_decay(lam), read_decay(ratio, "ratio")
    used = (L, decay, weight)
    return SingularValueFlow(
        L,
        decay,
        weight,
        fresh_symbol("sigma", *used, positive=True),
        fresh_symbol("g", *used, real=True),
        fresh_symbol("nu", *used, positive=True),
        fresh_symbol("f", *used, positive=True),
    )


def _steps(flow: SingularValueFlow) -> Iterator[RawStep]:
    L, j = sp.sympify(flow.depth, strict=True), sp.Symbol("j", positive=True)
    v = flow.sigma
    letters = Letters("V X")
    V, X, T = letters["V"], letters["X"], letters.transpose
    # V (V^T V)^k V^T = (V V^T)^(k + 1) by induction on k: X is (V^T V)^(k - 1) V^T
    regrouped = letters.certify(
        "V (V^T V) X = (V V^T) (V X), the induction step of V (V^T V)^k V^T = (V V^T)^(k+1)",
        V * (T(V) * V) * X - (V * T(V)) * (V * X),
    )
    yield (
        "Powers of the layers",
        [
            "W_L ... W_{j+1} (W_L ... W_{j+1})^T = (W_L W_L^T)^(L-j) = (A A^T)^((L-j)/L)",
            "(W_{j-1} ... W_1)^T W_{j-1} ... W_1 = (A^T A)^((j-1)/L)",
        ],
        "balancedness W_{l+1}^T W_{l+1} = W_l W_l^T, used from the inside outwards",
        regrouped,
    )
    yield (
        "Product",
        [flow.end_to_end],
        "A' = sum_j W_L ... W_{j+1} W_j' W_{j-1} ... W_1; each of the L layers adds -2*lam*A",
        None,
    )
    exponent = 2 * (L - j) / L + 2 * (j - 1) / L
    yield (
        "Singular value",
        ["sigma' = u^T A' v = -sum_j sigma**(2*(L-j)/L)*sigma**(2*(j-1)/L)*u^T G v - ..."],
        "u^T u' = v^T v' = 0, u^T (A A^T)^p = sigma**(2p) u^T; each of the L terms is the same",
        certify_zero("the exponents add to 2 - 2/L", exponent - (2 - 2 / L)),
    )
    if flow.ratio != 0:
        nu, f = flow.nuclear, flow.frobenius
        total, squares = sp.symbols("m q", positive=True)
        slope = sp.diff((total + v) / sp.sqrt(squares + v**2), v)
        stated = (1 - nu * v / f**2) / f
        yield (
            "Ratio penalty",
            ["u^T grad R v = (1 - nu*sigma/f**2)/f"],
            "R = nu/f with nu = m + sigma and f**2 = q + sigma**2; the gradient of R is diagonal "
            "in the singular bases",
            certify_zero(
                "dR/dsigma",
                slope - stated.xreplace({nu: total + v, f: sp.sqrt(squares + v**2)}),
            ),
        )
    yield (
        "Equation",
        [sp.Eq(sp.Symbol("sigma'"), flow.rate, evaluate=False)],
        "the terms collected",
        None,
    )
    if isinstance(flow.depth, int) and flow.depth > 6:
        return
    depth = flow.depth if isinstance(flow.depth, int) else 3
    yield (
        "Check on matrices",
        [f"{depth} balanced layers of shape 2 x 2 with rational entries"],
        "the derivatives of trace(A^T A) and det(A), computed from the layers without singular "
        "vectors, are those of sigma_1**2 + sigma_2**2 and sigma_1*sigma_2",
        _on_rationals(depth),
    )


def _turn(p: int, q: int) -> sp.Matrix:
    """A rotation with rational entries."""
    n = p**2 + q**2
    c, s = sp.Rational(p**2 - q**2, n), sp.Rational(2 * p * q, n)
    return sp.Matrix([[c, -s], [s, c]])


def _on_rationals(depth: int) -> Certificate:
    lam = sp.Rational(2, 7)
    turns = [_turn(k + 2, 1) for k in range(depth + 1)]
    x = (sp.Rational(3, 2), sp.Rational(2, 3))
    layers = [turns[k + 1] * sp.diag(*x) * turns[k].T for k in range(depth)]
    G = sp.Matrix([[1, -2], [sp.Rational(1, 3), 5]])

    def product(matrices: list[sp.Matrix]) -> sp.Matrix:
        out = sp.eye(2)
        for m in matrices:
            out = m * out
        return out

    change = sp.zeros(2, 2)
    for k in range(depth):
        above, below = product(layers[k + 1 :]), product(layers[:k])
        change += above * (-above.T * G * below.T - 2 * lam * layers[k]) * below
    A = product(layers)
    sigma = [v**depth for v in x]
    slopes = [(turns[depth][:, i].T * G * turns[0][:, i])[0] for i in (0, 1)]
    rates = []
    flow = singular_value_flow(depth, lam)
    for v, g in zip(sigma, slopes, strict=True):
        rates.append(flow.rate.subs({flow.sigma: v, flow.slope: g}))
    trace = 2 * (A.T * change).trace() - 2 * sum(v * r for v, r in zip(sigma, rates, strict=True))
    det = (A.adjugate() * change).trace() - (sigma[0] * rates[1] + sigma[1] * rates[0])
    return certify_zero("trace and determinant move as stated", trace, det)
