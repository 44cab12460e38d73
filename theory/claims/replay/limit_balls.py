r"""A limit point up to a tolerance, from a box that is proved to hold it.

The unknowns are the places $s_i$ on the curves and the multipliers $\lambda$, of

$$ \xi_i(s_i) = (A^T\lambda)_i, \qquad \sum_i a_{ji}\, x_i(s_i) = z_j^*. $$

Krawczyk's operator of a box X around c, with any matrix Y and the derivatives J of F on X,

$$ K = c - Y F(c) + (I - Y J)(X - c) \subset \operatorname{int} X, $$

proves that X holds a solution, and every solution in X lies in K. Its x satisfies A x = z*, and
F'(x) lies in the range of $A^T$: the flow tends to it, as `theory.claims.replay.limit_points` says.

References
----------
R. Krawczyk, Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken, Computing 1969.
A. Neumaier, Interval Methods for Systems of Equations, theorem 5.1.8, 1990.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import flint
from flint import arb, arb_mat, fmpq

from theory.claims.replay.facts import POSITIVE, Context
from theory.claims.replay.terms import (
    Term,
    ball,
    demand,
    derivative,
    number,
    substitute,
    written_out,
)

__all__ = ["System", "compared", "image"]

MAX_UNKNOWNS = 60
MAX_BITS = 2_000


class System:
    """The equations of a limit, with balls for places and multipliers.

    Parameters
    ----------
    curves : sequence of (s, x(s), xi(s), begin, range)
    matrix : sequence of rows of fractions
        Of full rank.
    targets : sequence of terms
        The predictor at the limit.
    """

    def __init__(
        self,
        curves: Sequence[tuple[str, Term, Term, Term, list[Term]]],
        matrix: Sequence[Sequence[Fraction]],
        targets: Sequence[Term],
    ) -> None:
        demand(len(curves) + len(targets) <= MAX_UNKNOWNS, "too many unknowns")
        self.curves, self.targets = curves, targets
        self.matrix = [[_ball(a) for a in row] for row in matrix]
        self.slopes = [(derivative(x, s), derivative(xi, s)) for s, x, xi, _, _ in curves]

    def predictor(self, places: Sequence[arb]) -> list[arb]:
        """The coordinates x at balls around their places."""
        return [ball(x, {s: v}) for (s, x, *_), v in zip(self.curves, places, strict=True)]

    def values(self, point: Sequence[arb]) -> arb_mat:
        """The left sides minus the right sides."""
        d = len(self.curves)
        places, multipliers = point[:d], point[d:]
        x = self.predictor(places)
        out = []
        for i, (s, _, xi, begin, _) in enumerate(self.curves):
            start = ball(substitute(xi, {s: begin}), {})
            pulled = sum((r[i] * v for r, v in zip(self.matrix, multipliers, strict=True)), arb(0))
            out.append([ball(xi, {s: places[i]}) - start - pulled])
        for row, z in zip(self.matrix, self.targets, strict=True):
            total = sum((a * v for a, v in zip(row, x, strict=True)), arb(0))
            out.append([total - ball(z, {})])
        return arb_mat(out)

    def jacobian(self, point: Sequence[arb]) -> arb_mat:
        """The derivatives at all points of a box."""
        d, n = len(self.curves), len(self.targets)
        rows = [[arb(0)] * (d + n) for _ in range(d + n)]
        for i, ((s, *_), (dx, dxi)) in enumerate(zip(self.curves, self.slopes, strict=True)):
            rows[i][i] = ball(dxi, {s: point[i]})
            slope = ball(dx, {s: point[i]})
            for j in range(n):
                rows[i][d + j] = -self.matrix[j][i]
                rows[d + j][i] = self.matrix[j][i] * slope
        return arb_mat(rows)

    def demand_inside(self, places: Sequence[arb]) -> None:
        """The places lie in the ranges of the curves."""
        for (*_, ends), v in zip(self.curves, places, strict=True):
            for end, side in zip(ends[:2], (1, -1), strict=True):
                held = end is None or side * (v - ball(end, {})) > 0
                demand(held, "a place off its curve")


def _ball(q: Fraction) -> arb:
    return arb(fmpq(q.numerator, q.denominator))


def image(system: System, center: Sequence[arb], radii: Sequence[arb]) -> list[arb]:
    """The box of Krawczyk's operator; refused unless it lies inside of the box it was made from.

    Examples
    --------
    >>> line = ("s", "s", "s", 0, [None, None])
    >>> system = System([line], [[Fraction(2)]], [1])
    >>> [b.contains(arb("0.5")) for b in image(system, [arb(0.4), arb(0.3)], [arb(1), arb(1)])[:1]]
    [True]
    """
    size = len(system.curves) + len(system.targets)
    demand(len(center) == len(radii) == size, "a box of another size")
    demand(all(c.is_finite() for c in center) and all(r > 0 for r in radii), "no box")
    # exact points, and the box as it is after rounding
    center = [arb(c.mid()) for c in center]
    box = [c + r * arb(0, 1) for c, r in zip(center, radii, strict=True)]
    around = [b - c for b, c in zip(box, center, strict=True)]
    system.demand_inside(box[: len(system.curves)])
    try:
        inverse = system.jacobian(center).inv()
    except ZeroDivisionError as error:
        raise ArithmeticError("a singular matrix") from error
    Y = arb_mat([[arb(inverse[i, j].mid()) for j in range(size)] for i in range(size)])
    identity = arb_mat([[arb(int(i == j)) for j in range(size)] for i in range(size)])
    contraction = identity - Y * system.jacobian(box)
    shift = Y * system.values(center)
    out = []
    for i in range(size):
        spread = sum((contraction[i, j] * around[j] for j in range(size)), arb(0))
        v = center[i] - shift[i, 0] + spread
        demand(v.is_finite() and box[i].contains_interior(v), "no solution in the box is proved")
        out.append(v)
    return out


def compared(
    system: System, point: Sequence[Term], tolerance: Term, verdict: str, proof: Mapping[str, Any]
) -> None:
    """All coordinates of the limit are within the tolerance of a point, or one is not."""
    bits = proof["bits"]
    demand(type(bits) is int and 32 <= bits <= MAX_BITS, "no precision")
    demand(Context({}).sign(tolerance) == POSITIVE, "no positive tolerance")
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        center, radii = ([_given(t) for t in proof[e]] for e in ("center", "radii"))
        places = image(system, center, radii)[: len(system.curves)]
        system.demand_inside(places)
        most = ball(tolerance, {})
        found = zip(system.predictor(places), point, strict=True)
        gaps = [abs(v - ball(x, {})) for v, x in found]
        demand(all(g.is_finite() for g in gaps), "no enclosure")
        if verdict == "PROVED":
            demand(all(g <= most for g in gaps), "the limit may be further off")
        else:
            demand(any(g > most for g in gaps), "the limit may be as near")
    finally:
        flint.ctx.prec = before


def _given(t: Term) -> arb:
    q = number(written_out(t))
    demand(q is not None, "not a rational number")
    return _ball(q or Fraction(0))
