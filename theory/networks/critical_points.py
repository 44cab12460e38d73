r"""Critical points of $\tfrac12\|W_L\cdots W_1 - M\|_F^2 + \lambda\|\theta\|^2$, each classified.

For $\lambda > 0$ every critical point is balanced, and its modes are independent: a singular value
s of M is missing, or enters with a root x of $x^{2L-2} - s x^{L-2} + 2\lambda$. The Hessian splits
into the blocks of modes and of pairs of modes, whose signs have closed forms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from theory.errors import FormulaError, TooLarge
from theory.exact.balls import precision
from theory.exact.derivation import Derivation, numbered
from theory.networks.arguments import exact_sign, read_count, read_decay, read_depth, read_spectrum
from theory.networks.critical_steps import critical_steps
from theory.networks.mode_roots import BITS, ModeRoot, mode_roots
from theory.networks.thresholds import Thresholds, thresholds

__all__ = ["CriticalPoint", "CriticalPoints", "critical_points"]

_MOST_POINTS = 20_000


@dataclass(frozen=True)
class CriticalPoint:
    r"""A critical point, up to rotations of the hidden layers.

    Parameters
    ----------
    roots : tuple of ModeRoot
        The choice for each mode, in the order of the singular values of the target.
    loss : arb
        The value of the regularized loss, as a ball.
    kind : str
        "global minimum", "local minimum", "strict saddle" (the Hessian has a negative eigenvalue),
        or "degenerate saddle" (the loss falls, but in third or higher order only).
    reason : str
        What decides it.
    """

    roots: tuple[ModeRoot, ...]
    loss: Any
    kind: str
    reason: str

    @property
    def pattern(self) -> str:
        """One letter a mode: B big root, S small root, D double root, 0 missing."""
        return "".join(r.kind for r in self.roots)

    @property
    def rank(self) -> int:
        """The rank of the product."""
        return sum(r.kind != "0" for r in self.roots)

    @property
    def is_minimum(self) -> bool:
        """Whether it is a local minimum, global ones included."""
        return self.kind.endswith("minimum")

    @property
    def singular_values(self) -> tuple[float, ...]:
        """Those of the product, in double precision."""
        return tuple(float(r.a.mid()) for r in self.roots)

    def __str__(self) -> str:
        values = ", ".join(f"{a:.6g}" for a in self.singular_values)
        return f"{self.pattern}  a = ({values})  loss {float(self.loss.mid()):.9g}  {self.kind}"


@dataclass(frozen=True)
class CriticalPoints:
    r"""All critical points for one target.

    Parameters
    ----------
    singular_values : tuple of sympy.Expr
        Those of the target, the largest first.
    lam : sympy.Expr
    depth : int
    width : int
        The smallest hidden width.
    """

    singular_values: tuple[sp.Expr, ...]
    lam: sp.Expr
    depth: int
    width: int

    @cached_property
    def thresholds(self) -> Thresholds:
        r"""$s_c$ and $s_g$ for this depth and decay."""
        return thresholds(self.depth, self.lam)

    @cached_property
    def derivation(self) -> Derivation:
        """Why these are all critical points, and the signs of their Hessians, for every depth."""
        return numbered(
            "Critical points of ||A - M||**2/2 + lam*||theta||**2", critical_steps(self.depth)
        )

    @cached_property
    def modes(self) -> tuple[tuple[ModeRoot, ...], ...]:
        """The critical points of each mode alone."""
        return tuple(mode_roots(s, self.lam, self.depth) for s in self.singular_values)

    @cached_property
    def points(self) -> tuple[CriticalPoint, ...]:
        """All of them, those of low loss first.

        Raises
        ------
        TooLarge
            For too many to be listed; the local minima are still at hand.
        """
        count = float(np.prod([float(len(m)) for m in self.modes]))
        if count > _MOST_POINTS:
            raise TooLarge(
                f"There are {count:.3g} critical points, too many to list; use local_minima."
            )
        chosen = (c for c in itertools.product(*self.modes) if self._fits(c))
        return tuple(sorted(map(self._point, chosen), key=lambda p: float(p.loss.mid())))

    @cached_property
    def local_minima(self) -> tuple[CriticalPoint, ...]:
        """The local minima, by rank: big roots for the k largest singular values, no others.

        With equal singular values there is one representative of each rotated family.
        """
        out = []
        for k in range(min(self.width, len(self.modes)) + 1):
            if any("B" not in [r.kind for r in m] for m in self.modes[:k]):
                break
            chosen = [next(r for r in m if r.kind == "B") for m in self.modes[:k]]
            point = self._point((*chosen, *(m[0] for m in self.modes[k:])))
            if point.is_minimum:
                out.append(point)
        return tuple(out)

    @cached_property
    def global_minimum(self) -> CriticalPoint:
        """The one of the lowest loss; of several the one of the highest rank."""
        return [p for p in self.local_minima if p.kind == "global minimum"][-1]

    def __getitem__(self, pattern: str) -> CriticalPoint:
        """The critical point with a pattern such as "B0S"."""
        letters = pattern if isinstance(pattern, str) else ""
        chosen = []
        for letter, mode in zip(letters, self.modes, strict=False):
            chosen += [r for r in mode if r.kind == letter]
        if len(letters) != len(self.modes) or len(chosen) != len(letters) or not self._fits(chosen):
            raise FormulaError(
                f"There is no critical point {pattern!r}; each mode has one letter: "
                + ", ".join("|".join(r.kind for r in m) for m in self.modes)
                + f", and at most {self.width} of them are nonzero."
            )
        return self._point(chosen)

    def hessian_minimum(self, point: CriticalPoint) -> float:
        """The lowest eigenvalue of the Hessian in double precision, zeros of symmetry included."""
        return min(self._eigenvalues(point.roots))

    def _fits(self, chosen: Sequence[ModeRoot]) -> bool:
        return sum(r.kind != "0" for r in chosen) <= self.width

    def _point(self, chosen: Sequence[ModeRoot]) -> CriticalPoint:
        with precision(BITS):
            loss = sum((r.value for r in chosen), arb(0))
        kind, reason = self._kind(chosen)
        return CriticalPoint(tuple(chosen), loss, kind, reason)

    def _kind(self, chosen: Sequence[ModeRoot]) -> tuple[str, str]:
        falling = next(self._negative(chosen), None)
        if falling is not None:
            return "strict saddle", falling
        s, L = self.singular_values, self.depth
        for i, r in enumerate(chosen):
            if r.kind == "D":
                return "degenerate saddle", f"mode {i + 1} has a double root: its third derivative"
            if self._free(chosen) and r.kind == "0" and self.lam == 0 and L > 2 and s[i] != 0:
                return "degenerate saddle", f"mode {i + 1} grows: the term of degree {L}"
        if self._is_global(chosen):
            return "global minimum", "big roots for the largest s above s_g, and no others"
        return "local minimum", "big roots for the largest s, and no others"

    def _free(self, chosen: Sequence[ModeRoot]) -> bool:
        """Whether a hidden unit is left for a missing mode."""
        return sum(r.kind != "0" for r in chosen) < self.width

    def _negative(self, chosen: Sequence[ModeRoot]) -> Iterator[str]:
        """The directions of negative curvature."""
        s = self.singular_values
        free = self._free(chosen)
        for i, r in enumerate(chosen):
            if r.sign < 0 and (r.kind != "0" or free):
                yield f"curvature {_shown(r.curvature)} along mode {i + 1}"
        present = [i for i, r in enumerate(chosen) if r.kind != "0"]
        missing = [i for i, r in enumerate(chosen) if r.kind == "0"]
        for i, k in itertools.product(present, missing):
            if k < i and self._order(k, i):
                size = (float(s[i]) - float(s[k])) * float(chosen[i].x.mid()) ** (self.depth - 2)
                yield f"curvature {size:.6g} of the rotation of mode {i + 1} to mode {k + 1}"
        for i, k in itertools.combinations(present, 2):
            # (s_i - s_k)/(a_i - a_k), where the a are different because the s are
            if self._order(i, k) and chosen[i].a < chosen[k].a:
                yield f"the singular values of modes {i + 1} and {k + 1} are in the wrong order"

    def _order(self, i: int, k: int) -> bool:
        return self._strict[i][k]

    @cached_property
    def _strict(self) -> list[list[bool]]:
        s = self.singular_values
        return [[exact_sign(a - b, "difference of singular values") > 0 for b in s] for a in s]

    @cached_property
    def _useful(self) -> tuple[int, ...]:
        """The sign of s - s_g for each singular value."""
        L, lam = self.depth, self.lam
        if L == 2 or lam == 0:
            return tuple(exact_sign(v - 2 * lam, "threshold") for v in self.singular_values)
        power = sp.Integer((L - 1) ** (2 * L - 2)) * (2 * lam) ** L / (L - 2) ** (L - 2)
        return tuple(
            exact_sign(v ** (2 * L - 2) - power, "distance to the threshold")
            for v in self.singular_values
        )

    def _is_global(self, chosen: Sequence[ModeRoot]) -> bool:
        # the gain of a mode grows with s: the largest above s_g enter, as many as there is room for
        signs = self._useful
        room = min(self.width, sum(v > 0 for v in signs))
        entered = [i for i, r in enumerate(chosen) if r.kind != "0"]
        gaining = [i for i in entered if signs[i] > 0]
        if any(signs[i] < 0 or chosen[i].kind != "B" for i in entered) or len(gaining) != room:
            return False
        left = [i for i in range(len(chosen)) if signs[i] > 0 and i not in gaining]
        return not any(self._order(k, i) for i in gaining for k in left)

    def _eigenvalues(self, roots: Sequence[ModeRoot]) -> Iterator[float]:
        L, lam = self.depth, float(self.lam)
        s = [float(v) for v in self.singular_values]
        x = [float(r.x.mid()) for r in roots]
        free = self._free(roots)
        for i, r in enumerate(roots):
            if r.kind != "0":
                yield from (float(r.curvature.mid()), 4 * lam)
            elif free:
                yield 2 * lam - (s[i] if L == 2 else 0.0)
        for i, k in itertools.combinations(range(len(roots)), 2):
            if x[i] and x[k]:
                yield float(np.linalg.eigvalsh(_pair_block(x[i], x[k], s[i], s[k], lam, L))[0])
            elif x[i] or x[k]:
                there, gone = (i, k) if x[i] else (k, i)
                yield (s[there] - s[gone]) * x[there] ** (L - 2)
                if free:
                    # rotations of the hidden layers
                    yield 0.0

    def __str__(self) -> str:
        values = ", ".join(map(str, self.singular_values))
        head = f"depth {self.depth}, lam = {self.lam}, s = ({values})"
        return "\n".join([head, *map(str, self.points)])


def _pair_block(x: float, y: float, s: float, t: float, lam: float, L: int) -> NDArray[np.float64]:
    """The Hessian in the entries (i, k) and (k, i) of all layers, both modes present."""
    e, f = x**L - s, y**L - t
    layers = np.arange(1, L + 1)
    p = np.concatenate([x ** (L - layers) * y ** (layers - 1), np.zeros(L)])
    q = np.concatenate([np.zeros(L), y ** (L - layers) * x ** (layers - 1)])
    block = np.outer(p, p) + np.outer(q, q) + 2 * lam * np.eye(2 * L)
    for low in range(L):
        for high in range(low + 1, L):
            gap = high - low
            cross = e * x ** (L - 1 - gap) * y ** (gap - 1)
            block[high, L + low] += cross
            block[L + low, high] += cross
            cross = f * y ** (L - 1 - gap) * x ** (gap - 1)
            block[L + high, low] += cross
            block[low, L + high] += cross
    return block


def _shown(value: Any) -> str:
    return f"{float(value.mid()):.6g}"


def critical_points(
    singular_values: Any, lam: Any, *, depth: Any = 2, width: Any = None
) -> CriticalPoints:
    r"""Critical points of $\tfrac12\|A - M\|_F^2 + \lambda\|\theta\|^2$ with $A = W_L\cdots W_1$.

    Parameters
    ----------
    singular_values : sequence of numbers
        Those of M, the largest first; decimals are exact.
    lam : number
        $\lambda\ge0$. Without decay, the balanced critical points are meant.
    depth : int
        The number L >= 2 of matrices.
    width : int, optional
        The smallest hidden width, that of M unless given.

    Returns
    -------
    CriticalPoints
        `points` lists and classifies all, `local_minima` and `global_minimum` name what gradient
        descent can end at.

    Raises
    ------
    AssumptionError
        For a depth below 2 or a negative decay.
    DataError
        For singular values that are negative or not in decreasing order.

    Examples
    --------
    >>> found = critical_points([3, 0.56], 0.1, depth=3)
    >>> for point in found.local_minima:
    ...     print(point)
    00  a = (0, 0)  loss 4.6568  local minimum
    B0  a = (2.85909, 0)  loss 0.771056402  global minimum
    BB  a = (2.85909, 0.236666)  loss 0.781312086  local minimum
    >>> critical_points([3, 2], 0.1, depth=3)["0B"].reason
    'curvature -1.22465 of the rotation of mode 2 to mode 1'

    References
    ----------
    A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel, arXiv:2106.15933, state the contrast of two
    layers and more. The signs of the blocks and their derivation are ours.
    """
    L = read_depth(depth)
    if isinstance(L, sp.Symbol):
        raise FormulaError(
            "Critical points are listed for an integer depth; th.networks.thresholds has the "
            "formulas for every depth."
        )
    s = read_spectrum(singular_values)
    decay = read_decay(lam)
    if decay.free_symbols:
        raise FormulaError(f"Expected a number for lam but got {lam!r}.")
    w = len(s) if width is None else read_count(width, "width")
    return CriticalPoints(s, decay, L, w)
