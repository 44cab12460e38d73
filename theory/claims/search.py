"""The search for a counterexample: drawn by hypothesis, made simple, verified exactly.

Drawing and a descent in floats only propose points. A point refutes when the statement fails there
by exact arithmetic or by a ball that excludes zero; that none was found proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from hypothesis import target
from scipy.optimize import minimize

from theory.claims.conjecture import Conjecture
from theory.claims.pointwise import Pointwise, pointwise
from theory.claims.statement import Point, names_of
from theory.claims.strategies import points_of, simplest
from theory.errors import DataError
from theory.exact.budget import spent, time_budget
from theory.exact.verdict import Status, Verdict

__all__ = ["search"]

_FAR = 1e9
"""Beyond this no descent goes."""
_HIGH = 1e300
"""The height of what is outside; differences of infinities would be warnings."""


def search(
    conjecture: Conjecture | str, *, examples: int = 1000, seed: int = 0, seconds: float = 20.0
) -> Verdict:
    """Look for a counterexample among exact points of the domain.

    Parameters
    ----------
    conjecture : Conjecture or str
        A text is a relation without hypotheses.
    examples : int
        Points to draw. They are simple, of all sizes, and near the numbers of the statement;
        equations and inequalities of the domain hold for them, and closed ends are among them.
    seed : int
        The same seed draws the same points.
    seconds : float
        CPU time. A search that it ends may stop at another point on another machine.

    Returns
    -------
    Verdict
        REFUTED with a witness that is as simple as was found, or UNDECIDED; never PROVED. The
        record has the number of points that were looked at.

    Raises
    ------
    DataError
        For a question that is not about points ("legendre").
    TheoryError
        As for `Conjecture.decide`.

    Examples
    --------
    >>> search("sqrt(x**2) == x").witness
    {'x': '-1'}
    >>> law = Conjecture("law", "u + v", question="conserved", flow="u**2 - v**2",
    ...                  parameters="u, v")
    >>> search(law).witness
    {'u': '0', 'v': '1'}
    >>> print(search("exp(t) >= 1 + t", examples=50))
    UNDECIDED: no counterexample among ... exact points of the domain
    """
    if isinstance(conjecture, str):
        conjecture = Conjecture("statement", conjecture)
    if not isinstance(conjecture, Conjecture):
        raise DataError(f"Expected a Conjecture or a relation as text but got {conjecture!r}.")
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 1:
        raise DataError(f"Expected a positive number of examples but got {examples!r}.")
    if not isinstance(seed, int):
        raise DataError(f"Expected an integer as seed but got {seed!r}.")
    if not seconds > 0:
        raise DataError(f"Expected positive seconds but got {seconds!r}.")
    with time_budget(seconds):
        claims = pointwise(conjecture)
        hunts = [_Hunt(claim) for claim in claims]
        found: list[tuple[Point, str]] = []
        for hunt in hunts:
            # some time is left for making the point simple
            with time_budget(0.7 * seconds / len(hunts)):
                point = hunt.run(examples, seed)
            if point is None:
                break
            point = hunt.simplified(point)
            found.append((point, hunt.seen[_key(point)] or ""))
    tried = sum(hunt.tried for hunt in hunts)
    record: dict[str, Any] = {"examples": tried, "seed": seed}
    if not claims:
        reason = "the mirror potential of this start has no parametric form to look at"
        return Verdict(Status.UNDECIDED, reason, record=record)
    if len(found) < len(claims):
        reason = f"no counterexample among {tried} exact points of the domain"
        return Verdict(Status.UNDECIDED, reason, record=record)
    if len(found) == 1:
        point, method = found[0]
        return Verdict(Status.REFUTED, method, witness=names_of(point), record=record)
    # a function that falls at one point and rises at another one
    witness = {
        f"{name} ({word})": value
        for (point, _), word in zip(found, ("falls", "rises"), strict=True)
        for name, value in names_of(point).items()
    }
    return Verdict(Status.REFUTED, "f' has both signs", witness=witness, record=record)


def _key(point: Point) -> tuple[sp.Rational, ...]:
    return tuple(point.values())


class _Hunt:
    """The search for a point at which one claim fails, with the points that it has seen."""

    def __init__(self, claim: Pointwise) -> None:
        self.claim = claim
        # hypothesis replays points: the answer at each must not depend on the time that is left
        self.seen: dict[tuple[sp.Rational, ...], str | None] = {}
        self.closest: list[tuple[float, int, Point]] = []

    @property
    def tried(self) -> int:
        """Different points of the domain so far."""
        return len(self.seen)

    def fails(self, point: Point) -> bool:
        """Whether the claim certainly fails at a point of the domain."""
        key = _key(point)
        if key not in self.seen:
            if spent():
                return False
            self.seen[key] = self.claim.failure(point)
        return self.seen[key] is not None

    def run(self, examples: int, seed: int) -> Point | None:
        """A point of failure."""
        point = simplest(points_of(self.claim), self._drawn, examples=examples, seed=seed)
        return self._descend() if point is None else point

    def _drawn(self, point: Point) -> bool:
        if self.fails(point):
            return True
        excess = self._excess(point)
        if excess is not None:
            self.closest.append((excess, self.tried, point))
            # draw more where the sides come close
            target(-excess)
        return False

    def _excess(self, point: Point) -> float | None:
        """How far the left side is above the right one, in floats."""
        if self.claim.statement.operator not in (">", ">=") or spent():
            return None
        ball = self.claim.excess(point)
        value = math.inf if ball is None else float(ball.mid())
        return value if math.isfinite(value) else None

    def _descend(self) -> Point | None:
        """Downhill from the points where the sides are closest, and to a rational point there."""
        names = [s for s in self.claim.symbols if not s.is_integer]
        if not names:
            return None
        for _, _, start in sorted(self.closest, key=lambda item: item[:2])[:3]:
            if spent():
                return None
            end = self._downhill(start, names)
            for q in (*range(1, 13), *(10**k for k in range(2, 15))):
                near = {s: _rounded(v, q) for s, v in zip(names, end, strict=True)}
                point = {s: near.get(s, v) for s, v in start.items()}
                if self.claim.contains(point) and self.fails(point):
                    return point
        return None

    def _downhill(self, start: Point, names: list[sp.Symbol]) -> list[float]:
        def height(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
            # where the claim falls without end, far away is not better
            if not np.isfinite(values).all() or np.abs(values).max() > _FAR:
                return _HIGH
            moved = {s: _rounded(v, 10**15) for s, v in zip(names, values, strict=True)}
            point = {s: moved.get(s, v) for s, v in start.items()}
            if not self.claim.contains(point):
                return _HIGH
            excess = self._excess(point)
            return _HIGH if excess is None else excess

        first = np.array([float(start[s]) for s in names])
        found = minimize(
            height,
            first,
            method="Nelder-Mead",
            options={"maxfev": 150 * len(names), "xatol": 1e-13, "fatol": 0.0},
        )
        return [float(v) for v in found.x]

    def simplified(self, point: Point) -> Point:
        """The same failure with simpler numbers, one coordinate after the other."""
        most = max((abs(v) for v in point.values()), default=sp.S.Zero)
        for size in (1, 2, 3, 5, 10, 100, 1000):
            # all coordinates together, where they only count by their ratios
            other = {s: sp.Integer(round(v * size / most)) for s, v in point.items() if size < most}
            if other and self.claim.contains(other) and self.fails(other):
                point = other
                break
        changed = True
        while changed and not spent():
            changed = False
            for s in point:
                for value in _simpler(point[s]):
                    if self._fails_with(point, s, value):
                        point, changed = {**point, s: value}, True
                        break
                smaller = self._smaller(point, s)
                if smaller != point[s]:
                    point, changed = {**point, s: smaller}, True
        return point

    def _fails_with(self, point: Point, s: sp.Symbol, value: sp.Rational) -> bool:
        other = {**point, s: value}
        return self.claim.contains(other) and self.fails(other)

    def _smaller(self, point: Point, s: sp.Symbol) -> sp.Rational:
        """Halfway to zero, and again, by whole numbers: the end of an interval of failures."""
        value = point[s]
        if not value.is_Integer:
            return value
        good, sign = abs(int(value)), 1 if value > 0 else -1
        bad = 0
        while good - bad > 1:
            middle = (good + bad) // 2
            if self._fails_with(point, s, sp.Integer(sign * middle)):
                good = middle
            else:
                bad = middle
        return sp.Integer(sign * good)


def _rounded(value: float, denominator: int) -> sp.Rational:
    q = Fraction(float(value)).limit_denominator(denominator)
    return sp.Rational(q.numerator, q.denominator)


def _height(q: sp.Rational) -> tuple[int, int, bool]:
    return max(abs(int(q.p)), int(q.q)), int(q.q), bool(q < 0)


_HEIGHTS = sorted(
    {sp.Rational(sign * p, q) for p in range(11) for q in range(1, 11) for sign in (1, -1)},
    key=_height,
)


def _simpler(value: sp.Rational) -> Iterator[sp.Rational]:
    """Numbers that are simpler than one: those of small height, and those near it."""
    exact = Fraction(int(value.p), int(value.q))
    near = {exact.limit_denominator(q) for q in (*range(1, 21), 100, 1000, 10**6)}
    numbers = sorted((sp.Rational(q.numerator, q.denominator) for q in near), key=_height)
    for q in (*_HEIGHTS, *numbers):
        if _height(q) < _height(value):
            yield q
