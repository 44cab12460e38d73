r"""The plateaus of the square loss on the way through the saddles of rank 0, 1, 2, ..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import FormulaError
from theory.exact.markup import latex_of
from theory.networks.arguments import read_depth, read_spectrum

__all__ = ["Plateau", "plateaus"]


@dataclass(frozen=True)
class Plateau:
    r"""The critical point at which the k largest singular values are learned.

    Parameters
    ----------
    rank : int
        k.
    loss : sympy.Expr
        $\tfrac12\sum_{i>k}s_i^2$.
    curvature : sympy.Expr
        The lowest eigenvalue of the Hessian: $-s_{k+1}$ for two layers, 0 for more.
    order : int
        The degree of the term in which the loss falls; 0 at a minimum.
    """

    rank: int
    loss: sp.Expr
    curvature: sp.Expr
    order: int

    @property
    def strict(self) -> bool:
        """Whether the Hessian has a negative eigenvalue."""
        return self.order == 2

    def __str__(self) -> str:
        kind = "minimum" if self.order == 0 else f"saddle of order {self.order}"
        return f"rank {self.rank}: loss {self.loss}, {kind}"

    def _repr_latex_(self) -> str:
        return rf"$\mathcal{{L}}_{{{self.rank}}} = {latex_of(self.loss)}$"


def plateaus(singular_values: Any, *, depth: Any = 2) -> tuple[Plateau, ...]:
    r"""The losses $\tfrac12\sum_{i>k}s_i^2$ at which gradient flow from a small start rests.

    Parameters
    ----------
    singular_values : sequence of numbers
        Those of the target M of $\tfrac12\|W_L\cdots W_1 - M\|_F^2$, the largest first.
    depth : int
        L >= 2. For two layers the saddles on the way are strict; for more the Hessian is positive
        semidefinite there, and the loss falls in the term of degree L, $-s_{k+1}x^L$.

    Examples
    --------
    >>> for plateau in plateaus([3, 2, 1], depth=3):
    ...     print(plateau)
    rank 0: loss 7, saddle of order 3
    rank 1: loss 5/2, saddle of order 3
    rank 2: loss 1/2, saddle of order 3
    rank 3: loss 0, minimum
    >>> [p.curvature for p in plateaus([3, 2, 1])]
    [-3, -2, -1, 0]

    References
    ----------
    A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel, arXiv:2106.15933, conjecture the passage
    from saddle to saddle. Losses and Hessians are derived in `critical_points`.
    """
    L = read_depth(depth)
    if not isinstance(L, int):
        raise FormulaError("Expected an integer depth for the plateaus.")
    s = [v for v in read_spectrum(singular_values) if v != 0]
    out = []
    for k in range(len(s) + 1):
        loss = sp.Add(*(v**2 for v in s[k:])) / 2
        last = k == len(s)
        curvature = sp.S.Zero if last or L > 2 else -s[k]
        out.append(Plateau(k, loss, curvature, 0 if last else L))
    return tuple(out)
