r"""Balancedness of products of matrices: $W_{l+1}^TW_{l+1} - W_lW_l^T$ along gradient flow."""

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

__all__ = ["Balancedness", "balancedness"]


@dataclass(frozen=True)
class Balancedness:
    r"""The law of $\Delta_l = W_{l+1}^TW_{l+1} - W_lW_l^T$, for every layer and all sizes.

    Parameters
    ----------
    depth : int or sympy.Symbol
    lam : sympy.Expr
    t : sympy.Symbol
    """

    depth: Depth
    lam: sp.Expr
    t: sp.Symbol

    @property
    def factor(self) -> sp.Expr:
        r"""$\Delta_l(t)/\Delta_l(0) = e^{-4\lambda t}$."""
        return sp.exp(-4 * self.lam * self.t)

    @property
    def law(self) -> sp.Expr:
        r"""$\Delta_l$ in matrix symbols of symbolic sizes."""
        below, size, above = sp.symbols("n_{l-1} n_l n_{l+1}", integer=True, positive=True)
        W = sp.MatrixSymbol("W_l", size, below)
        V = sp.MatrixSymbol("W_{l+1}", above, size)
        return V.T * V - W * W.T

    @cached_property
    def derivation(self) -> Derivation:
        """For a generic layer in free letters, then a check in the entries of small matrices."""
        return numbered(f"Balancedness at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        if self.lam == 0:
            return f"{self.law} is constant"
        return f"{self.law} decays like {self.factor}"

    def _repr_latex_(self) -> str:
        return rf"$\Delta_l = {latex_of(self.law)},\quad \Delta_l(t) = {latex_of(self.factor)}\,\Delta_l(0)$"  # noqa: E501


def balancedness(depth: Any = "L", lam: Any = 0) -> Balancedness:
    r"""$\Delta_l(t) = e^{-4\lambda t}\Delta_l(0)$ along the flow of $C(W_L\cdots W_1) + \lambda\|\theta\|^2$.

    It holds for every differentiable C, for all depths and sizes; without decay $\Delta_l$ is
    conserved.

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        L >= 2.
    lam : number, sympy.Expr or str

    Examples
    --------
    >>> print(balancedness())
    -W_l*W_l.T + W_{l+1}.T*W_{l+1} is constant
    >>> law = balancedness(3, "lam")
    >>> law.factor, law.derivation.identities_proved
    (exp(-4*lam*t), True)

    References
    ----------
    S. Arora, N. Cohen, E. Hazan, arXiv:1802.06509. The law with decay is derived here.
    """  # noqa: E501
    L = read_depth(depth)
    decay = read_decay(lam)
    return Balancedness(L, decay, fresh_symbol("t", L, decay, positive=True))


def _steps(law: Balancedness) -> Iterator[RawStep]:
    lam = sp.Symbol("lam")
    # W = W_l, V = W_{l+1}, S = W_L ... W_{l+2}, P = W_{l-1} ... W_1, G = grad C(A)
    letters = Letters("S V W P G")
    S, V, W, P, G = (letters[n] for n in "SVWPG")
    T = letters.transpose
    motion = {
        W: -T(S * V) * G * T(P) - 2 * lam * W,
        V: -T(S) * G * T(W * P) - 2 * lam * V,
    }
    delta = T(V) * V - W * T(W)
    yield (
        "Two neighboring layers",
        [
            "W' = -V^T S^T G P^T - 2*lam*W, V' = -S^T G P^T W^T - 2*lam*V",
            "A = S V W P, G = grad C(A)",
        ],
        "<G, S V dW P> = <V^T S^T G P^T, dW>, and in the same way for V; S or P is the identity "
        "for the last or the first pair",
        None,
    )
    yield (
        "Law",
        ["(V^T V - W W^T)' = -4*lam*(V^T V - W W^T)"],
        "product rule; the terms with G cancel in pairs",
        letters.certify(
            "Delta' + 4 lam Delta = 0", letters.derivative(delta, motion) + 4 * lam * delta
        ),
    )
    yield (
        "Solution",
        [f"Delta_l(t) = {law.factor} Delta_l(0)" if law.lam != 0 else "Delta_l is constant"],
        "a linear equation",
        certify_zero(
            "equation and start",
            sp.diff(law.factor, law.t) + 4 * law.lam * law.factor,
            law.factor.xreplace({law.t: sp.S.Zero}) - 1,
        ),
    )
    yield (
        "Check in entries",
        ["three layers of shapes 2 x 2, 2 x 2, 1 x 2: every entry of both differences"],
        "gradients by differentiation of <G, W_3 W_2 W_1> + lam*||theta||**2 with free G; "
        "polynomials in all entries",
        _in_entries(),
    )


def _in_entries() -> Certificate:
    lam = sp.Symbol("lam")
    shapes = [(2, 2), (2, 2), (1, 2)]
    layers = [sp.Matrix(r, c, sp.symbols(f"w{k}_0:{r * c}")) for k, (r, c) in enumerate(shapes)]
    G = sp.Matrix(1, 2, sp.symbols("g0:2"))
    loss = (G.T * (layers[2] * layers[1] * layers[0])).trace()
    loss += lam * sum(w**2 for layer in layers for w in layer)
    moved = [layer.applyfunc(lambda w: -sp.diff(loss, w)) for layer in layers]
    gaps = []
    for k in (0, 1):
        W, V, dW, dV = layers[k], layers[k + 1], moved[k], moved[k + 1]
        change = dV.T * V + V.T * dV - dW * W.T - W * dW.T
        gaps += list((change + 4 * lam * (V.T * V - W * W.T)).applyfunc(sp.expand))
    return certify_zero("Delta' + 4 lam Delta = 0 in the entries", *gaps)
