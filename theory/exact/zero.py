"""The zero test: is an expression zero for all values of its symbols?

PROVED comes from a normal form near one exact point, and then from there to the whole domain: by
relations that need no sign, or by the identity theorem for analytic functions, or sign region by
sign region. REFUTED comes from a ball that excludes zero at an exact rational point. Everything
else is UNDECIDED. Sampling never proves.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import sympy as sp
from flint import arb

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges, agrees
from theory.exact.balls import Program, accurate_digits, enclose, precision, rational_ball
from theory.exact.budget import time_budget
from theory.exact.field import Field, NormalFormError
from theory.exact.signs import is_analytic, positive_like, unbounded
from theory.exact.verdict import Status, Verdict

__all__ = ["is_identity", "is_zero"]

Point = dict[sp.Symbol, sp.Rational]
_MISSES = 400


def sample_points(symbols: list[sp.Symbol], *, seed: int = 0) -> Iterator[Point]:
    """Exact points: every sign pattern of the real symbols, moderate, small and large values."""
    rng = random.Random(seed)
    signed = [s for s in symbols if not (s.is_positive or s.is_negative)]
    scales = (sp.S.One, sp.Integer(9), sp.Rational(1, 13), sp.S.One)
    misses = 0
    for round_ in itertools.count():
        scale = scales[round_ % len(scales)]
        for pattern in itertools.islice(itertools.product((1, -1), repeat=len(signed)), 16):
            point: Point = {}
            signs = dict(zip(signed, pattern, strict=True))
            for s in symbols:
                if s.is_integer:
                    value = sp.Integer(rng.randint(1, 6))
                else:
                    value = scale * sp.Rational(rng.randint(12, 290), 101)
                if s.is_negative or signs.get(s) == -1:
                    value = -value
                point[s] = value
            # a symbol may be even, or prime, or have no rational value at all
            misses += 1
            if all(agrees(s, v) for s, v in point.items()):
                misses = 0
                yield point
            if misses > _MISSES:
                return


def is_identity(left: sp.Expr, right: sp.Expr, ranges: Ranges | None = None) -> Verdict:
    """Whether two expressions are equal for all values of their symbols.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> is_identity(sp.sqrt(x**2), x).witness
    {'x': '-227/101'}
    """
    return is_zero(left - right, ranges)


def is_zero(
    e: sp.Expr, ranges: Ranges | None = None, *, bits: int = 2048, seconds: float = 3.0
) -> Verdict:
    """Whether an expression vanishes wherever it is defined.

    Parameters
    ----------
    e : sympy.Expr
        An expression in symbols that carry their assumptions.
    ranges : mapping from symbol to (lower, upper), optional
        Open intervals that cut the domain down further.
    bits : int
        The highest precision at which a counterexample is looked for.
    seconds : float
        Time for the search of a proof.

    Raises
    ------
    DomainError
        When the expression has no value at any tested point.

    Examples
    --------
    >>> t = sp.Symbol("t", real=True)
    >>> is_zero(sp.asinh(t) - sp.log(t + sp.sqrt(t**2 + 1))).status
    <Status.PROVED: 'PROVED'>
    >>> print(is_zero(sp.sqrt(t**2 + 2 * t + 1) - t - 1))
    REFUTED: the difference is 2.495049505 there, enclosed away from zero at t = -227/101
    """
    e = sp.sympify(e, strict=True)
    original = e
    e, back = unbounded(e, ranges)
    if e == 0:
        return Verdict(Status.PROVED, "both sides are the same expression")
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise DomainError(f"The expression {original} is not finite.")
    with time_budget(seconds):
        return _closed_ends(e, back, original, bits)


def _closed_ends(
    e: sp.Expr, back: dict[sp.Symbol, sp.Expr], original: sp.Expr, bits: int
) -> Verdict:
    """Nonnegative and nonpositive symbols: the open half line, and zero on its own."""
    closed = [
        s for s in e.free_symbols if not s.is_nonzero and (s.is_nonnegative or s.is_nonpositive)
    ]
    if not closed:
        return _Question(e, back, original, bits).answer()
    s = min(closed, key=lambda s: s.name)
    t = positive_like(s)
    sign = 1 if s.is_nonnegative else -1
    inside = _closed_ends(e.xreplace({s: sign * t}), {**back, s: sign * t}, original, bits)
    at_zero = e.xreplace({s: sp.S.Zero})
    if inside.refuted or at_zero.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or at_zero == 0:
        return inside
    try:
        end = _closed_ends(at_zero, {**back, s: sp.S.Zero}, original, bits)
    except DomainError:
        return inside
    return end if not end.proved else inside


class _Question:
    """One zero test: the expression, and how its symbols map back to the user's."""

    def __init__(
        self, e: sp.Expr, back: dict[sp.Symbol, sp.Expr], original: sp.Expr, bits: int
    ) -> None:
        self.e = e
        self.back = back
        self.original = original
        self.bits = bits
        self.symbols = sorted(e.free_symbols, key=lambda s: s.name)
        self.tried: list[str] = []
        # it has other values, at points that a symbol cannot have: between integers, say
        self.outside = next(sample_points(self.symbols), None) is None

    def answer(self) -> Verdict:
        try:
            refuted, points = self._refute()
        except UnsupportedFormula as error:
            self.tried.append(str(error))
            refuted, points = None, None
        if refuted is not None:
            return refuted
        if points is not None and not points and not self.outside:
            raise DomainError(f"The expression {self.original} has no real value at tested points.")
        method = _prove(self.e, points or [], depth=0)
        if method is not None:
            return Verdict(Status.PROVED, method)
        self.tried.append("normal form, norm over conjugates, derivative")
        return self._support(points)

    def _witness(self, point: Point) -> dict[str, str] | None:
        """The point in the user's symbols; None when the original has no value there.

        A symbol that SymPy has cancelled on the way may have any value where the original has one.
        """
        symbols = sorted(self.original.free_symbols, key=lambda s: s.name)
        values = {
            s: self.back[s].xreplace(point) if s in self.back else point.get(s, s) for s in symbols
        }
        lost = sorted(set().union(*(v.free_symbols for v in values.values())), key=str)
        if not lost:
            # (1 + 2 t)/(1 + t) is no integer for most t, and the symbol may be one
            inside = all(agrees(s, v) for s, v in values.items())
            return {s.name: str(v) for s, v in values.items()} if inside else None
        for choice in itertools.islice(sample_points(lost), 24):
            chosen = {s: v.xreplace(choice) for s, v in values.items()}
            if all(agrees(s, v) for s, v in chosen.items()) and self._differs_at(chosen):
                return {s.name: str(v) for s, v in chosen.items()}
        return None

    def _differs_at(self, values: dict[sp.Symbol, sp.Expr]) -> bool:
        """Whether the original is proved to be a real number other than zero there."""
        with precision(320):
            value = enclose(self.original, {s: enclose(v, {}) for s, v in values.items()})
        return isinstance(value, arb) and value.is_finite() and not value.contains(0)

    def _refute(self) -> tuple[Verdict | None, list[Point]]:
        program = Program([self.e], self.symbols)
        good: list[Point] = []
        if self.symbols:
            signed = sum(1 for s in self.symbols if not (s.is_positive or s.is_negative))
            patterns = min(2**signed, 16)
            budget, enough = max(24, 6 * patterns), max(4, 3 * patterns)
        else:
            budget, enough = 1, 1
        for point in itertools.islice(sample_points(self.symbols), budget):
            for bits in (96, 320):
                with precision(bits):
                    value = program([rational_ball(point[s]) for s in self.symbols])[0]
                    if isinstance(value, arb) and value.is_finite():
                        break
            else:
                continue
            if not value.contains(0):
                refuted = self._refutation(point, value)
                if refuted is not None:
                    return refuted, good
                self.outside = True
                continue
            good.append(point)
            if len(good) >= enough:
                break
        return None, good

    def _refutation(self, point: Point, value: arb) -> Verdict | None:
        witness = self._witness(point)
        if witness is None:
            return None
        return Verdict(
            Status.REFUTED,
            f"the difference is {value.str(10, radius=False)} there, enclosed away from zero",
            witness=witness,
        )

    def _support(self, points: list[Point] | None) -> Verdict:
        """Look once more with many bits: either the ball excludes zero, or count its digits."""
        tried = "; ".join(self.tried)
        if not points:
            return Verdict(Status.UNDECIDED, f"tried {tried}", digits=0)
        program = Program([self.e], self.symbols)
        digits = None
        for point in points[:4]:
            bits = min(512, self.bits)
            while bits <= self.bits:
                with precision(bits):
                    value = program([rational_ball(point[s]) for s in self.symbols])[0]
                    if value.is_finite() and not value.contains(0):
                        refuted = self._refutation(point, value)
                        if refuted is not None:
                            return refuted
                bits *= 2
            with precision(64):
                size = abs(value).upper()
                here = (
                    int(-float(size.log() / arb(10).log())) if size > 0 else accurate_digits(value)
                )
            digits = here if digits is None else min(digits, here)
        return Verdict(Status.UNDECIDED, f"tried {tried}", digits=max(digits or 0, 0))


def _prove(e: sp.Expr, points: list[Point], *, depth: int) -> str | None:
    """The argument that e vanishes wherever it is defined on its domain, or None."""
    if e == 0:
        return "both sides are the same expression"
    symbols = sorted(e.free_symbols, key=lambda s: s.name)
    if not points:
        points = _finite_points(e, symbols, 2)
        if not points:
            return None
    local, unconditional = None, False
    for point in points[:2]:
        local, unconditional = _locally_zero(e, point)
        if local is not None:
            break
    if local is not None and unconditional:
        return local
    if local is not None and is_analytic(e):
        return f"{local} near a point, and both sides are analytic on the connected domain"
    if local is None and depth < 3 and symbols:
        constant = _constant_zero(e, symbols, points, depth)
        if constant is not None:
            return constant
    signed = [s for s in symbols if not (s.is_positive or s.is_negative)]
    if signed and len(signed) <= 3 and depth < 4 and not any(s.is_integer for s in symbols):
        return _prove_by_regions(e, signed[0], depth)
    return None


def _finite_points(e: sp.Expr, symbols: list[sp.Symbol], count: int) -> list[Point]:
    try:
        program = Program([e], symbols)
    except UnsupportedFormula:
        return list(itertools.islice(sample_points(symbols), count))
    good = []
    for point in itertools.islice(sample_points(symbols, seed=1), 24 if symbols else 1):
        with precision(128):
            value = program([rational_ball(point[s]) for s in symbols])[0]
            if isinstance(value, arb) and value.is_finite():
                good.append(point)
        if len(good) >= count:
            break
    return good


def _locally_zero(e: sp.Expr, point: Point) -> tuple[str | None, bool]:
    """Whether e = 0 near a point, and whether no sign had to be fixed for it."""
    field = Field(point)
    try:
        n, _ = field.convert(e)
        if n == 0:
            return "normal form", field.unconditional()
        if field.vanishes_by_norm(n):
            return "norm over the conjugates of the square roots", not e.free_symbols
    except (NormalFormError, UnsupportedFormula, RecursionError):
        return None, False
    return None, False


def _constant_zero(
    e: sp.Expr, symbols: list[sp.Symbol], points: list[Point], depth: int
) -> str | None:
    """Zero gradient on a connected domain of analyticity, and an exact zero at one point."""
    if not is_analytic(e, meromorphic=False):
        return None
    for s in symbols:
        derivative = sp.diff(e, s)
        if derivative != 0 and _prove(derivative, [], depth=depth + 1) is None:
            return None
    special = [sp.S.One, sp.Integer(2), sp.Rational(1, 2)]
    candidates: list[Point] = [
        {
            s: sp.S.One if s.is_positive else sp.S.NegativeOne if s.is_negative else sp.S.Zero
            for s in symbols
        }
    ]
    for values in itertools.islice(itertools.product(special, repeat=len(symbols)), 9):
        candidates.append(
            {s: -v if s.is_negative else v for s, v in zip(symbols, values, strict=True)}
        )
    for point in candidates:
        value = e.xreplace(point)
        if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or value.free_symbols:
            continue
        if value == 0 or (_prove(value, [{}], depth=depth + 1) is not None and depth < 3):
            where = ", ".join(f"{s.name} = {v}" for s, v in point.items())
            return f"zero gradient on a connected domain, and an exact zero at {where}"
    return None


def _prove_by_regions(e: sp.Expr, s: sp.Symbol, depth: int) -> str | None:
    """Prove for s > 0, for s < 0, and for s = 0, where the expression is defined."""
    t = sp.Dummy(s.name, positive=True)
    for sign in (1, -1):
        half = e.xreplace({s: sign * t})
        if half == 0:
            continue
        symbols = sorted(half.free_symbols, key=lambda s: s.name)
        if not _finite_points(half, symbols, 1):
            # nothing defined was found there: neither proved nor harmless
            return None
        if _prove(half, [], depth=depth + 1) is None:
            return None
    if not s.is_nonzero:
        middle = e.xreplace({s: sp.S.Zero})
        if middle.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            # undefined at the boundary, so nothing is claimed there
            middle = sp.S.Zero
        if middle != 0 and _prove(middle, [], depth=depth + 1) is None:
            return None
    return "region by region in the sign of " + s.name
