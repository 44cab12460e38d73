r"""The critical points of one mode, $\tfrac12(x^L - s)^2 + \lambda L x^2$, as balls with proofs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import arb

from theory.errors import DataError
from theory.exact.balls import enclose, precision
from theory.networks.arguments import exact_sign

__all__ = ["ModeRoot", "mode_roots"]

BITS = 192
_MOST_BITS = 6144


@dataclass(frozen=True)
class ModeRoot:
    r"""One critical point of a mode.

    Parameters
    ----------
    kind : str
        "0" for zero, "B" for the big root of g, "S" for the small one, "D" for the double root.
    x : arb
        The entry of each layer, as a ball.
    a : arb
        The singular value $x^L$ of the product.
    value : arb
        The loss of the mode.
    curvature : arb
        Its second derivative along the mode, $xg'(x)$, or that at zero.
    sign : int
        The sign of the curvature, proved.
    """

    kind: str
    x: Any
    a: Any
    value: Any
    curvature: Any
    sign: int


def mode_roots(s: sp.Expr, lam: sp.Expr, depth: int) -> tuple[ModeRoot, ...]:
    """All critical points with x >= 0 of the mode of a singular value s of the target.

    Parameters
    ----------
    s, lam : sympy.Expr
        Exact numbers, none negative.
    depth : int
        At least 2.

    Examples
    --------
    >>> [r.kind for r in mode_roots(sp.Integer(3), sp.Rational(1, 10), 3)]
    ['0', 'B', 'S']
    >>> [r.kind for r in mode_roots(sp.Rational(1, 2), sp.Rational(1, 10), 3)]
    ['0']
    """
    L = depth
    bits = BITS
    while True:
        with precision(bits):
            try:
                return tuple(_roots(s, lam, L))
            except _Narrow:
                bits *= 2
        if bits > _MOST_BITS:
            raise DataError(f"The roots of the mode s = {s} are too close to be separated.")


class _Narrow(Exception):
    """The balls are too wide to separate the two roots."""


def _roots(s: sp.Expr, lam: sp.Expr, L: int) -> list[ModeRoot]:
    S, decay = enclose(s, {}), enclose(lam, {})

    def g(x: Any) -> Any:
        return x ** (2 * L - 2) - S * x ** (L - 2) + 2 * decay

    def root(kind: str, x: Any, sign: int) -> ModeRoot:
        a = x**L
        curvature = L * x ** (2 * L - 2) - 2 * decay * (L - 2) if sign else arb(0)
        value = (a - S) ** 2 / 2 + decay * L * x**2
        return ModeRoot(kind, x, a, value, curvature, sign)

    at_zero = 2 * decay - (S if L == 2 else 0)
    sign = exact_sign(2 * lam - (s if L == 2 else 0), "curvature at zero")
    out = [ModeRoot("0", arb(0), arb(0), S**2 / 2, at_zero, sign)]
    if L == 2:
        if sign < 0:
            x, a = (S - 2 * decay).sqrt(), S - 2 * decay
            value = 2 * decay * (S - decay)
            out.append(ModeRoot("B", x, a, value, 2 * a, 1))
        return out
    if lam == 0:
        if s != 0:
            x = S ** (arb(1) / L)
            out.append(ModeRoot("B", x, S, arb(0), L * x ** (2 * L - 2), 1))
        return out
    # s against s_c, by a power of both that is rational for rational numbers
    critical = (2 * L - 2) ** (2 * L - 2) * (2 * lam) ** L / sp.Integer((L - 2) ** (L - 2) * L**L)
    side = exact_sign(s ** (2 * L - 2) - critical, "distance to the threshold")
    if side < 0:
        return out
    lowest = (S * (L - 2) / (2 * L - 2)) ** (arb(1) / L)
    if side == 0:
        return [*out, root("D", lowest, 0)]
    # g falls from 2 lam to its one minimum, and rises to 2 lam at s^(1/L)
    middle = arb(lowest.mid())
    top = arb((S ** (arb(1) / L)).upper())
    big = _between(g, middle, top)
    small = _between(lambda x: -g(x), arb(0), middle)
    return [*out, root("B", big, 1), root("S", small, -1)]


def _between(g: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The ball of the one root of a function that is negative at low and positive at high."""
    if not (g(low) < 0 and g(high) > 0):
        raise _Narrow
    for _ in range(2 * BITS):
        middle = arb(((low + high) / 2).mid())
        value = g(middle)
        if value > 0:
            high = middle
        elif value < 0:
            low = middle
        else:
            break
    return low.union(high)
