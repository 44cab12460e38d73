"""Independent gradients in ball arithmetic, for functions without a rank modulo p."""

from __future__ import annotations

import random
from collections.abc import Sequence

import sympy as sp
from flint import arb, arb_mat

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import enclose, precision, rational_ball

__all__ = ["ball_pivots"]


def ball_pivots(
    rows: Sequence[Sequence[sp.Expr]],
    parameters: Sequence[sp.Symbol],
    constants: Sequence[sp.Symbol],
    ranges: Ranges,
    seed: int,
) -> list[int]:
    """Rows that are linearly independent at an exact point: a minor's ball excludes zero.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> ball_pivots([[sp.erf(u), v], [2 * sp.erf(u), 2 * v], [v, u]], [u, v], [], {}, 1)
    [0, 2]
    """
    generator = random.Random(seed)
    with precision(400):
        for _ in range(30):
            at: dict[sp.Symbol, arb] = {}
            for s in (*parameters, *constants):
                at[s] = rational_ball(_inside(s, ranges, generator.randint(20, 160)))
            try:
                values = [[enclose(e, at) for e in row] for row in rows]
            except (UnsupportedFormula, DomainError, ValueError, ZeroDivisionError):
                continue
            if all(v.is_finite() for row in values for v in row):
                return _eliminated(values)
    return []


def _inside(s: sp.Symbol, ranges: Ranges, draw: int) -> sp.Rational:
    """A rational number where the symbol lives: another branch of a formula proves nothing."""
    value = sp.Rational(draw, 101)
    if s not in ranges:
        return -value if s.is_negative or s.is_nonpositive else value
    lower, upper = ranges[s]
    if lower.is_Rational and upper.is_Rational:
        return lower + (upper - lower) * value / 2
    if lower.is_Rational or upper.is_Rational:
        return lower + value if lower.is_Rational else upper - value
    if lower.is_infinite and upper.is_infinite:
        return value
    raise UnsupportedFormula(f"No rational number of the interval ({lower}, {upper}) is chosen.")


def _eliminated(values: list[list[arb]]) -> list[int]:
    """Gaussian elimination in balls: a pivot is an entry that excludes zero."""
    kept: list[int] = []
    basis: list[tuple[int, list[arb]]] = []
    for i, row in enumerate(values):
        current = list(row)
        for column, other in basis:
            factor = current[column] / other[column]
            current = [a - factor * b for a, b in zip(current, other, strict=True)]
            current[column] = arb(0)
        sizes = [abs(float(v.mid())) if not v.contains(0) else 0.0 for v in current]
        best = max(range(len(sizes)), key=sizes.__getitem__)
        if sizes[best] > 0:
            basis.append((best, current))
            kept.append(i)
    if kept:
        columns = [c for c, _ in basis]
        minor = arb_mat([[values[i][c] for c in columns] for i in kept]).det()
        if minor.contains(0):
            return []
    return kept
