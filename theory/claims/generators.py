"""Generators for the normal forms of `theory.claims.replay`, introduced as a term needs them.

The search may use anything, SymPy too, for each entry counts only after the checker's own rule has
accepted it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp
from flint import fmpq, fmpq_mat, fmpz_mpoly

from theory.claims.replay.algebra import MAX_POLYGON, Algebra
from theory.claims.replay.facts import ZERO, at_precision
from theory.claims.replay.terms import (
    Rejected,
    Term,
    add,
    key,
    literal,
    mul,
    power,
    subterms,
    variables,
)
from theory.exact.budget import spent

if TYPE_CHECKING:
    from theory.claims.proof_search import Prover

__all__ = ["GENERATORS", "Finer", "Search"]

GENERATORS = 40


class Finer(Exception):
    """A pair is needed with a finer unit; the search starts again with it."""


class Search(Algebra):
    """An algebra that introduces the generators that it misses, and remembers how."""

    def __init__(
        self, prover: Prover, t: Term, point: Mapping[str, Term] | None, units: dict[str, int]
    ) -> None:
        given = frozenset(map(key, subterms(t)))
        super().__init__(prover.context, given, GENERATORS, point)
        self.prover, self.units = prover, units
        self.entries: list[Any] = []
        self.finest: dict[int, int] = {}
        self.unit_of: dict[int, str] = {}
        self.angle_units: dict[int, str] = {}
        self.polygon: int | None = None

    def emit(self, kind: str, *rest: Any) -> None:
        getattr(self, f"_{kind}")(*rest)
        self.entries.append([kind, *rest])

    def missing(self, t: Term) -> Any:
        if spent():
            raise Rejected("out of time")
        if isinstance(t, str):
            self.emit("name", t)
        elif t[0] == "exp":
            self._find_exponential(t)
        elif t[0] == "log":
            if type(t[1]) is int and sp.isprime(t[1]):
                self._new_logarithm(t[1])
            else:
                self.emit("logarithm", t, self._factors(self.value(t[1])))
        elif t[0] == "^":
            self._find_power(t)
        elif t[0] in ("sin", "cos"):
            self._find_angle(t[1])
        elif t[0] in ("Abs", "sign"):
            self._find_case(t)
        elif t[0] in ("Min", "Max"):
            self._find_extreme(t)
        else:
            self._find_function(t)
        return self.values[key(t)]

    def _find_case(self, t: Term) -> None:
        try:
            self.emit("case", t, self._sign_of(t[1]))
        except Rejected:
            if self.point is not None:
                raise
            self._find_function(t)

    def _sign_of(self, t: Term) -> int:
        self.prover.sign(t)
        s = self.context.sign(t)
        if s is not None and s != ZERO:
            return 1 if s > 0 else -1
        if s == ZERO:
            return 0
        value = at_precision(640, t, self.prover.sample)
        if value.contains(0) or not value.is_finite():
            raise Rejected("an open sign")
        return 1 if value > 0 else -1

    def _find_extreme(self, t: Term) -> None:
        values = [at_precision(640, a, self.prover.sample) for a in t[1:]]
        best = 0
        for i, value in enumerate(values):
            if (value > values[best]) if t[0] == "Max" else (value < values[best]):
                best = i
        for other in t[1:]:
            gap = add(t[best + 1], mul(-1, other))
            self.prover.sign(gap if t[0] == "Max" else mul(-1, gap))
        self.emit("extreme", t, best + 1)

    def _find_function(self, t: Term) -> None:
        args = [self.value(a) for a in t[1:]]
        for j, (op, known, _) in enumerate(self.opaque):
            if op != t[0]:
                continue
            for s in (1, -1):
                factor = self.constant(Fraction(s))
                if all(
                    self.same(self.times(a, factor), b) for a, b in zip(known, args, strict=True)
                ):
                    try:
                        self.emit("equal", t, j, s)
                    except Rejected:
                        continue
                    return
        if t[0] in ("asin", "atan") and not variables(t) and self._find_turn(t):
            return
        if t[0] == "LambertW":
            self.prover.sign(t[1])
        before = len(self.pairs)
        self.emit("function", *t)
        if len(self.pairs) > before:
            self.finest[before] = before

    def _find_turn(self, t: Term) -> bool:
        part = float(at_precision(128, mul(t, power("pi", -1)), {}).mid())
        q = Fraction(part).limit_denominator(12)
        if abs(part - q) > 1e-12:
            return False
        self.value("pi")
        try:
            if t[0] == "asin":
                self.value(power(add(1, mul(-1, power(t[1], 2))), "1/2"))
            self.value(t[1])
            self.emit("turn", t, q.numerator, q.denominator)
        except Rejected:
            return False
        return True

    # -- exponents

    def _express(self, target: Any, basis: list[Any]) -> list[Fraction] | None:
        """Rational coefficients with target = sum of c basis, if there are any."""
        if target[0] == 0:
            return [Fraction(0)] * len(basis)
        common = self.one
        for _, d in (target, *basis):
            common = divmod(common * d, common.gcd(d))[0]
        columns = [self.reduce(n * divmod(common, d)[0]).to_dict() for n, d in (*basis, target)]
        monomials = sorted(set().union(*columns), key=str)
        rows = [[fmpq(int(c.get(m, 0))) for c in columns] for m in monomials]
        reduced, rank = fmpq_mat(rows).rref()
        solution = [Fraction(0)] * len(basis)
        for i in range(rank):
            lead = next(j for j in range(len(columns)) if reduced[i, j] != 0)
            if lead == len(basis):
                return None
            value = reduced[i, len(basis)]
            solution[lead] = Fraction(int(value.p), int(value.q))
        return solution

    def _hint(self, target: Any) -> list[int] | None:
        """Exponents n with target = sum of n l over the finest pairs."""
        chosen = sorted(set(self.finest.values()))
        found = self._express(target, [self.pairs[k][1] for k in chosen])
        if found is None:
            return None
        hint = [0] * len(self.pairs)
        for k, q in zip(chosen, found, strict=True):
            if q.denominator > 1:
                base = self.pairs[k][2]
                if base not in self.unit_of:
                    return None
                unit = self.unit_of[base]
                self.units[unit] = self.units.get(unit, 1) * q.denominator
                raise Finer
            hint[k] = int(q)
        return hint

    def _find_exponential(self, t: Term) -> None:
        target = self.value(t[1])
        if self._hint(target) is None:
            self._new_exponential(t[1])
        hint = self._hint(target)
        if hint is None:
            raise Rejected("an exponent out of reach")
        if key(t) not in self.values:
            self.emit("exponential", t, hint)

    def _new_exponential(self, exponent: Term) -> None:
        unit = "exp" + key(exponent)
        part = mul(literal(Fraction(1, self.units.get(unit, 1))), exponent)
        self.emit("exp", part)
        self._remember(unit)

    def _remember(self, unit: str) -> None:
        last = len(self.pairs) - 1
        base = self.pairs[last][2]
        self.finest[base] = last
        self.unit_of.setdefault(base, unit)

    def _new_logarithm(self, t: Term) -> None:
        self.prover.sign(t)
        self.emit("log", t)
        unit = "log" + key(t)
        self._remember(unit)
        q = self.units.get(unit, 1)
        if q > 1:
            self.emit("root", len(self.pairs) - 1, q, t)
            self._remember(unit)

    def _find_power(self, t: Term) -> None:
        a, exponent = self.value(t[1]), self.value(t[2])
        if a[0] == 0:
            raise Rejected("a power of zero")
        factors = self._factors(a)
        logarithm = self.combined(factors, self.constant(Fraction(0)), products=False)
        target = self.times(logarithm, exponent)
        if self._hint(target) is None:
            self._new_exponential(mul(t[2], ["log", t[1]]))
        hint = self._hint(target)
        if hint is None:
            raise Rejected("a power out of reach")
        self.emit("power", t, factors, hint)

    # -- factors

    def term(self, p: fmpz_mpoly) -> Term:
        """A polynomial as a term."""
        parts = []
        for exponents, c in p.terms():
            powers = (power(self.meaning[i], int(k)) for i, k in enumerate(exponents) if k)
            parts.append(mul(int(c), *powers))
        return add(*parts)

    def _factors(self, a: Any) -> list[int]:
        """Exponents m with a = product of b^m, every b positive at the sample point."""
        if a[0] == 0:
            raise Rejected("a logarithm of zero")
        wanted: list[tuple[Any, int]] = []
        sign = 1
        for p, direction in ((a[0], 1), (a[1], -1)):
            content, factors = p.factor()
            sign *= 1 if content > 0 else -1
            # what is left after small primes stays one factor
            for q, k in sp.factorint(abs(int(content)), limit=10_000).items():
                wanted.append((self.ring.constant(int(q)), direction * k))
            for f, k in factors:
                value = at_precision(640, self.term(f), self.prover.sample)
                if value.contains(0) or not value.is_finite():
                    raise Rejected("the sign of a factor is open")
                s = 1 if value > 0 else -1
                sign *= s ** int(k)
                wanted.append((f if s > 0 else -f, direction * int(k)))
        if sign < 0:
            raise Rejected("a logarithm of a negative number")
        exponents: dict[int, int] = {}
        for f, k in wanted:
            exponents[self._pair(f)] = k
        return [exponents.get(i, 0) for i in range(len(self.pairs))]

    def _pair(self, f: fmpz_mpoly) -> int:
        for attempt in range(2):
            for i, (b, _, _, _) in enumerate(self.pairs):
                if self.same(b, (f, self.one)):
                    return i
            if not attempt:
                self._new_logarithm(self.term(f))
        raise Rejected("a factor out of reach")

    # -- angles

    def _find_angle(self, a: Term) -> None:
        for b in subterms(a):
            if isinstance(b, list) and b[0] in ("asin", "atan") and key(b) not in self.values:
                sign = -1 if b[0] == "asin" else 1
                inside = add(1, mul(sign, power(b[1], 2)))
                self.prover.sign(inside)
                self.value(b)
                self.value(power(inside, "1/2"))
                self.value(b[1])
                self.emit("arc", b)
        target = self.value(a)
        self.value("pi")
        n = self.units.get("polygon", 1)
        if n > 1 and self.polygon is None:
            self.polygon = len(self.angles)
            self.emit("polygon", n)
        for attempt in range(2):
            turns = self.times(self.value("pi"), self.constant(Fraction(1, 2)))
            found = self._express(target, [*(angle for angle, _, _ in self.angles), turns])
            if found is not None:
                break
            if attempt:
                raise Rejected("an angle out of reach")
            unit = "angle" + key(a)
            self.angle_units[len(self.angles)] = unit
            self.emit("angle", mul(literal(Fraction(1, self.units.get(unit, 1))), a))
        assert found is not None
        for j, q in enumerate(found[:-1]):
            if q.denominator > 1:
                if j == self.polygon:
                    self._finer_polygon(n * q.denominator)
                if j not in self.angle_units:
                    raise Rejected("a part of an arc")
                unit = self.angle_units[j]
                self.units[unit] = self.units.get(unit, 1) * q.denominator
                raise Finer
        if found[-1].denominator > 1:
            self._finer_polygon(2 * found[-1].denominator)
        self.emit("circle", a, [int(q) for q in found[:-1]], int(found[-1]))

    def _finer_polygon(self, n: int) -> None:
        """Start again with an angle of which pi/n and the one before are multiples."""
        n = math.lcm(2, n, self.units.get("polygon", 1))
        if n > MAX_POLYGON:
            raise Rejected("a small part of a turn")
        self.units["polygon"] = n
        raise Finer
