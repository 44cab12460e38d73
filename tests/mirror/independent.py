r"""The potential of one coordinate by a second algorithm: mpmath and Gragg-Bulirsch-Stoer.

The curve is integrated in x itself, $d\theta/dx = P\nabla\rho/M$, $d\xi/dx = 1/M$, $dF/dx = \xi$,
so that neither a law nor an inverse function is used, nor power series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp
import sympy as sp

DIGITS = 46
TOLERANCE = mp.mpf(10) ** -36


class Potential:
    """F, F' and F'' of a formula from a start, with F(x0) = F'(x0) = 0."""

    def __init__(
        self,
        formula: str,
        start: Mapping[str, str | int],
        rates: Mapping[str, int] | None = None,
    ) -> None:
        symbols = sp.symbols(list(start), real=True)
        table = {s.name: s for s in symbols}
        e = sp.sympify(formula, locals=table)
        self._gradient = sp.lambdify(symbols, [sp.diff(e, s) for s in symbols], "mpmath")
        self._rates = [(rates or {}).get(s.name, 1) for s in symbols]
        with mp.workdps(DIGITS):
            self._theta = [mp.mpf(sp.Rational(v).p) / sp.Rational(v).q for v in start.values()]
            self.x0 = sp.lambdify(symbols, e, "mpmath")(*self._theta)

    def slope(self, y: list[Any]) -> list[Any]:
        """d/dx of (theta, xi, F)."""
        g = self._gradient(*y[:-2])
        metric = mp.fsum(p * d * d for p, d in zip(self._rates, g, strict=True))
        return [p * d / metric for p, d in zip(self._rates, g, strict=True)] + [1 / metric, y[-2]]

    def at(self, x: Any) -> tuple[Any, Any, Any]:
        """(F, F', F'') at x, to about 34 digits."""
        with mp.workdps(DIGITS):
            y = integrate(self.slope, self.x0, [*self._theta, mp.mpf(0), mp.mpf(0)], x)
            return y[-1], y[-2], self.slope(y)[-2]

    def bregman(self, x: Any, other: Any) -> Any:
        """F(x) - F(other) - F'(other) (x - other)."""
        with mp.workdps(DIGITS):
            (f1, _, _), (f0, g0, _) = self.at(x), self.at(other)
            return f1 - f0 - g0 * (x - other)


def integrate(f: Callable[[list[Any]], list[Any]], a: Any, y: list[Any], b: Any) -> list[Any]:
    """Extrapolated midpoint steps from a to b."""
    h, position = b - a, a
    while position != b:
        h = b - position if abs(h) >= abs(b - position) else h
        new, good = _step(f, y, h)
        if good:
            position, y = (b if h == b - position else position + h), new
            h = h * 2
        else:
            h = h / 3
            if abs(h) < mp.mpf(10) ** -40 * (1 + abs(b)):
                raise ArithmeticError("The step became too small.")
    return y


def _step(f: Callable[[list[Any]], list[Any]], y: list[Any], h: Any) -> tuple[list[Any], bool]:
    table: list[list[list[Any]]] = []
    for k in range(1, 21):
        try:
            row = [_midpoint(f, y, h, 2 * k)]
        except (ZeroDivisionError, ValueError, TypeError):
            return y, False
        for j in range(1, k):
            ratio = (mp.mpf(k) / (k - j)) ** 2 - 1
            row.append(
                [p + (p - q) / ratio for p, q in zip(row[j - 1], table[-1][j - 1], strict=True)]
            )
        table.append(row)
        if k > 6:
            gap = [abs(p - q) for p, q in zip(row[-1], table[-2][-1], strict=True)]
            size = [abs(p) + abs(p - q) for p, q in zip(row[-1], y, strict=True)]
            if not all(mp.isfinite(g) for g in gap):
                return y, False
            if all(g <= TOLERANCE * s for g, s in zip(gap, size, strict=True)):
                return row[-1], True
    return y, False


def _midpoint(f: Callable[[list[Any]], list[Any]], y: list[Any], h: Any, n: int) -> list[Any]:
    d = h / n
    before, here = y, [a + d * b for a, b in zip(y, f(y), strict=True)]
    for _ in range(n - 1):
        slope = f(here)
        before, here = here, [a + 2 * d * b for a, b in zip(before, slope, strict=True)]
    slope = f(here)
    return [(a + b + d * c) / 2 for a, b, c in zip(before, here, slope, strict=True)]
