r"""A norm by its unit ball, the convex hull of points and of their opposites.

The dual norm is $\|g\|_* = \max_k|\langle g, p_k\rangle|$, and the steepest direction a point that
attains it. The norm itself is $\max_k|\langle x, f_k\rangle|$ over the vertices $f_k$ of the polar
$\{f : |\langle f, p_k\rangle| \le 1\}$ (the bipolar theorem: a closed symmetric convex set is the
polar of its polar), which are found exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import Any

import sympy as sp
from flint import fmpq, fmpq_mat

from theory.errors import DataError, NotClosedForm, ShapeError, TooLarge
from theory.exact.balls import sign_of_number
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_rational
from theory.exact.verdict import Certificate, Status, Verdict
from theory.networks.arguments import read_entries

__all__ = ["Point", "UnitBall", "polar", "unit_ball"]

Point = tuple[sp.Rational, ...]
_MOST = 200_000
"""Systems of equations that are solved at most."""


@dataclass(frozen=True)
class UnitBall:
    """The norm whose unit ball is the hull of points and their opposites.

    Parameters
    ----------
    points : tuple of tuple of sympy.Rational
        They span the space.
    """

    points: tuple[Point, ...]

    @property
    def name(self) -> str:
        """A short name."""
        return f"hull of {2 * len(self.points)} points"

    @property
    def size(self) -> int:
        """The number of parameters."""
        return len(self.points[0])

    @cached_property
    def dual(self) -> UnitBall:
        """The norm whose unit ball is the polar."""
        return UnitBall(polar(self.points))

    def value(self, entries: Sequence[Any]) -> sp.Expr:
        """The norm of real numbers or formulas.

        Examples
        --------
        >>> unit_ball([[1, 0], [0, 1]]).value([3, -4])
        7
        """
        return largest_product(read_entries(entries, self.size), self.dual.points)

    def direction(self, gradient: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """A point of the ball with the largest product with the gradient, the first of several.

        Raises
        ------
        NotClosedForm
            When the products are not numbers.

        Examples
        --------
        >>> unit_ball([[1, 1], [1, -1]]).direction([3, -4])
        (1, -1)
        """
        g = read_entries(gradient, self.size)
        best, most = (sp.S.Zero,) * self.size, sp.S.Zero
        for p in self.points:
            product = sp.Add(*(a * b for a, b in zip(g, p, strict=True)))
            if not product.is_number:
                raise NotClosedForm("The direction is a corner that depends on the numbers.")
            if sign_of_number(abs(product) - most) == 1:
                sign = sp.sign(product)
                best, most = tuple(sign * v for v in p), abs(product)
        return best

    @cached_property
    def derivation(self) -> Derivation:
        """Both norms as maxima over points."""
        return numbered(f"Norm of the {self.name}", _steps(self))

    def __str__(self) -> str:
        return self.name


def unit_ball(points: Any) -> UnitBall:
    """The norm whose unit ball is the convex hull of points and of their opposites.

    Parameters
    ----------
    points : sequence of sequences of rational numbers
        Enough to span the space.

    Raises
    ------
    DataError
        When the points do not span the space: then there is no norm.
    TooLarge
        When the polar would take too many systems of equations.

    Examples
    --------
    >>> unit_ball([[1, 0], [0, 1]]).dual.points
    ((1, 1), (1, -1))
    """
    try:
        rows = [list(row) for row in points]
    except TypeError as error:
        raise ShapeError(f"Expected a sequence of points but got {points!r}.") from error
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise ShapeError("Expected at least one point, and all points of one length.")
    found = tuple(
        tuple(read_rational(v, f"entry {j} of point {i}") for j, v in enumerate(row))
        for i, row in enumerate(rows)
    )
    return UnitBall(_spanning(found))


def _spanning(points: Sequence[Point]) -> tuple[Point, ...]:
    rank = int(_matrix(points).rank())
    if rank < len(points[0]):
        raise DataError(
            f"The points span {rank} of {len(points[0])} dimensions, so that their hull is no ball "
            "of a norm; give points in more directions."
        )
    return tuple(points)


def polar(points: Sequence[Point]) -> tuple[Point, ...]:
    r"""The vertices of $\{f : |\langle f, p_k\rangle| \le 1\}$, one of each pair of opposites.

    A vertex solves d independent equations $\langle f, p_k\rangle = \pm1$.

    Raises
    ------
    TooLarge
        For too many points in too many dimensions.
    """
    d = len(points[0])
    distinct = list(dict.fromkeys(map(_upper, points)))
    count = comb(len(distinct), d) * 2 ** (d - 1)
    if count > _MOST:
        raise TooLarge(
            f"The vertices of the polar of {len(distinct)} points in {d} dimensions need {count} "
            f"systems of equations, above {_MOST}; give fewer points, or the dual norm."
        )
    everything = _matrix(distinct)
    found: dict[Point, None] = {}
    for chosen in itertools.combinations(distinct, d):
        rows = _matrix(chosen)
        if rows.det() == 0:
            continue
        inverse = rows.inv()
        for signs in itertools.product((1, -1), repeat=d - 1):
            f = inverse * fmpq_mat(d, 1, [1, *signs])
            if all(abs(v) <= 1 for v in (everything * f).entries()):
                found[_upper(tuple(sp.Rational(int(v.p), int(v.q)) for v in f.entries()))] = None
    return tuple(found)


def _upper(point: Point) -> Point:
    """The one of a point and its opposite whose first nonzero entry is positive."""
    first = next((v for v in point if v != 0), sp.S.One)
    return point if first > 0 else tuple(-v for v in point)


def _matrix(points: Sequence[Point]) -> fmpq_mat:
    entries = [fmpq(int(v.p), int(v.q)) for p in points for v in p]
    return fmpq_mat(len(points), len(points[0]), entries)


def largest_product(g: Sequence[sp.Expr], points: Sequence[Point]) -> sp.Expr:
    """The largest |<g, p>|."""
    return sp.Max(*(abs(sp.Add(*(a * b for a, b in zip(g, p, strict=True)))) for p in points))


def _steps(norm: UnitBall) -> Iterator[RawStep]:
    facets = norm.dual.points
    yield (
        "Dual norm",
        ["||g||_* = max_k |<g, p_k>| over the points"],
        "a linear function on a hull is largest at one of its points",
        None,
    )
    inside = all(
        abs(sum(a * b for a, b in zip(f, p, strict=True))) <= 1 for f in facets for p in norm.points
    )
    back = set(polar(facets)) <= set(map(_upper, norm.points))
    verdict = Verdict(
        Status.PROVED if inside and back else Status.REFUTED, "exact rational arithmetic"
    )
    yield (
        "Norm",
        [f"||x|| = max_k |<x, f_k>| over the {2 * len(facets)} vertices of the polar"],
        "the polar of the polar is the ball; the vertices of the polar of the vertices are among "
        "the points again",
        Certificate("the polar of the polar", verdict),
    )
