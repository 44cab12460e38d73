r"""A certified enclosure of the limit $x = k(A^T\lambda)$, $A\,k(A^T\lambda) = z^*$.

The midpoint comes from floats and Newton steps; Krawczyk's test in ball arithmetic then proves that
a box holds exactly one solution. The limit depends on loss and link through $z^*$ only.

References
----------
R. Krawczyk, Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken, Computing 1969.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from flint import arb, arb_mat

from theory.claims.reached import Coordinate
from theory.errors import UnsupportedFormula
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.balls import enclose as ball_of
from theory.exact.budget import spent

__all__ = ["compare", "consistent", "enclose_limit"]

_BITS = 256
_RADII = (-140, -90, -60, -35)
"""Binary logarithms of the radii of the boxes that are tried."""


def enclose_limit(
    A: sp.Matrix, z: Sequence[sp.Expr], coordinates: Sequence[Coordinate], guess: np.ndarray
) -> list[arb] | None:
    """Balls around the one x with A x = z and F'(x) in the range of A^T; None when not proved.

    Parameters
    ----------
    A : sympy.Matrix, shape (n, d)
        Rational.
    z : sequence of n exact numbers
        In the range of A, which is not checked here.
    coordinates : sequence of d Coordinate
        Their starts; the mirror maps must close.
    guess : ndarray, shape (d,)
        The dual variable of the limit, in floats.
    """
    maps = [_map(c) for c in coordinates]
    if any(m is None for m in maps) or not np.isfinite(guess).all():
        return None
    found = [m for m in maps if m is not None]
    rows = list(A.T.rref()[1])
    reduced = A.extract(rows, list(range(A.cols)))
    start = np.linalg.lstsq(np.array(reduced.T, dtype=float), guess, rcond=None)[0]
    with precision(_BITS):
        B = arb_mat([[rational_ball(a) for a in reduced.row(j)] for j in range(reduced.rows)])
        target = [ball_of(z[j], {}) for j in rows]
        try:
            center = _newton(found, B, target, [arb(float(v)) for v in start])
            for exponent in _RADII:
                if spent():
                    return None
                box = _krawczyk(found, B, target, center, arb(2) ** exponent)
                if box is not None:
                    return _inside(found, _pull(B, box))
        except ZeroDivisionError:
            # a singular matrix of balls
            return None
    return None


class _Map:
    """k and its derivative on the interval of xi."""

    def __init__(self, k: sp.Expr, xi: sp.Symbol, ends: tuple[sp.Expr, sp.Expr]) -> None:
        self.program = Program([k, sp.diff(k, xi)], [xi])
        self.ends = [(side, ball_of(e, {})) for side, e in zip((1, -1), ends, strict=True)
                     if e.is_finite]  # fmt: skip

    def __call__(self, xi: arb) -> tuple[arb, arb]:
        nan = arb("nan")
        if not all(side * (xi - end) > 0 for side, end in self.ends):
            return nan, nan
        value, slope = self.program([xi])
        return arb(value), arb(slope)


def _map(c: Coordinate) -> _Map | None:
    """The inverse mirror map of a coordinate, when it is proved on a known interval."""
    closed = c.mirror.closed_in_xi
    lower, upper = c.mirror.ends.dual
    # confined: the interval is proved, and k is analytic on it
    if closed.inverse_gradient is None or lower is None or upper is None or not c.confined:
        return None
    if not all(p.proved for p in (*c.mirror.curve.proofs, *closed.certificates)):
        return None
    try:
        with precision(_BITS):
            return _Map(closed.inverse_gradient, closed.xi, (lower, upper))
    except UnsupportedFormula:
        return None


def _pull(B: arb_mat, point: Sequence[arb]) -> list[arb]:
    """A^T lambda."""
    return [sum((B[j, i] * v for j, v in enumerate(point)), arb(0)) for i in range(B.ncols())]


def _inside(maps: Sequence[_Map], xi: Sequence[arb]) -> list[arb] | None:
    x = [m(v)[0] for m, v in zip(maps, xi, strict=True)]
    return x if all(v.is_finite() for v in x) else None


def _residual(
    maps: Sequence[_Map], B: arb_mat, target: Sequence[arb], point: Sequence[arb]
) -> tuple[list[arb], arb_mat]:
    """A k(A^T lambda) - z and its Jacobian A diag(k') A^T."""
    pairs = [m(v) for m, v in zip(maps, _pull(B, point), strict=True)]
    n, d = B.nrows(), B.ncols()
    value = [sum((B[j, i] * pairs[i][0] for i in range(d)), -target[j]) for j in range(n)]
    rows = [
        [sum((B[j, i] * pairs[i][1] * B[m, i] for i in range(d)), arb(0)) for m in range(n)]
        for j in range(n)
    ]
    return value, arb_mat(rows)


def _newton(maps: Sequence[_Map], B: arb_mat, target: Sequence[arb], point: list[arb]) -> list[arb]:
    for _ in range(12):
        value, jacobian = _residual(maps, B, target, point)
        step = jacobian.solve(arb_mat([[v] for v in value]))
        following = [arb((p - step[j, 0]).mid()) for j, p in enumerate(point)]
        if not all(v.is_finite() for v in following):
            return point
        point = following
    return point


def _krawczyk(
    maps: Sequence[_Map], B: arb_mat, target: Sequence[arb], center: Sequence[arb], radius: arb
) -> list[arb] | None:
    """The box of Krawczyk's operator when it lies inside of the box it was made from."""
    n = len(center)
    value, at_center = _residual(maps, B, target, center)
    inverse = at_center.inv()
    Y = arb_mat([[arb(inverse[i, j].mid()) for j in range(n)] for i in range(n)])
    box = [c + radius * arb(0, 1) for c in center]
    _, jacobian = _residual(maps, B, target, box)
    identity = arb_mat([[arb(int(i == j)) for j in range(n)] for i in range(n)])
    contraction = identity - Y * jacobian
    shift = Y * arb_mat([[v] for v in value])
    out = []
    for i in range(n):
        spread = sum((contraction[i, j] * radius * arb(0, 1) for j in range(n)), arb(0))
        image = center[i] - shift[i, 0] + spread
        if not (image.is_finite() and box[i].contains_interior(image)):
            return None
        out.append(image)
    return out


def consistent(A: sp.Matrix, z: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Numbers that must vanish for z to lie in the range of A."""
    return [(k.T * sp.Matrix(z))[0] for k in A.T.nullspace()]


def compare(x: Sequence[arb], candidate: Sequence[sp.Expr], tolerance: sp.Expr) -> tuple[int, arb]:
    """1 when all of x is within the tolerance, -1 when a coordinate is not, 0 when open."""
    with precision(_BITS):
        slack = ball_of(tolerance, {})
        gaps = [abs(v - ball_of(c, {})) for v, c in zip(x, candidate, strict=True)]
        worst = max(gaps, key=lambda g: float(g.mid()))
        if any(g > slack for g in gaps):
            return -1, worst
        return (1 if all(g <= slack for g in gaps) else 0), worst
