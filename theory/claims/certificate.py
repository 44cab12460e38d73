r"""Certificates: the steps that prove a statement, in the language of `theory.claims.replay`.

The search here may use anything, SymPy too, for a step counts only after the checker's own rule
has accepted it. A verdict without such steps has no certificate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb, fmpq, fmpq_mat, fmpz_mpoly

from theory.claims.claim import claim_of, term_of
from theory.claims.inequality import rational_near
from theory.claims.prove import prove
from theory.claims.replay import (
    Rejected,
    at_end,
    digest,
    domain_of,
    has_value,
    is_about_nothing,
    read,
    replay,
)
from theory.claims.replay.algebra import Algebra
from theory.claims.replay.facts import NEGATIVE, POSITIVE, ZERO, Context, at_precision, undefined
from theory.claims.replay.steps import RULES, trade
from theory.claims.replay.terms import (
    Term,
    add,
    derivative,
    key,
    literal,
    mul,
    number,
    power,
    substitute,
    subterms,
    variables,
    written_out,
)
from theory.errors import FormulaError, TheoryError
from theory.exact.budget import spent, time_budget
from theory.exact.guard import proposal
from theory.exact.parsing import parse
from theory.exact.verdict import Verdict

__all__ = ["NoCertificate", "certificate"]

_GENERATORS = 40


class NoCertificate(TheoryError):
    """A verdict that is UNDECIDED, or whose argument the checker cannot follow."""


class _Finer(Exception):
    """A pair is needed with a finer unit; the search starts again with it."""


# -- generators ----------------------------------------------------------------------------------


class _Search(Algebra):
    """An algebra that introduces the generators that it misses, and remembers how."""

    def __init__(
        self, prover: _Prover, t: Term, point: Mapping[str, Term] | None, units: dict[str, int]
    ) -> None:
        given = frozenset(map(key, subterms(t)))
        super().__init__(prover.context, given, _GENERATORS, point)
        self.prover, self.units = prover, units
        self.entries: list[Any] = []
        self.finest: dict[int, int] = {}
        self.unit_of: dict[int, str] = {}
        self.angle_units: dict[int, str] = {}

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
            self.emit("case", t, self._sign_of(t[1]))
        elif t[0] in ("Min", "Max"):
            self._find_extreme(t)
        else:
            self._find_function(t)
        return self.values[key(t)]

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
                raise _Finer
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
                if j not in self.angle_units:
                    raise Rejected("a part of an arc")
                unit = self.angle_units[j]
                self.units[unit] = self.units.get(unit, 1) * q.denominator
                raise _Finer
        if found[-1].denominator > 1:
            raise Rejected("a part of a right angle")
        self.emit("circle", a, [int(q) for q in found[:-1]], int(found[-1]))


# -- facts -----------------------------------------------------------------------------------------


class _Prover:
    """The search for steps that establish the sign of a term on a domain."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.steps: list[Any] = []
        self.sample = _sample(context.ranges)
        self.failed: set[str] = set()
        self.points: list[dict[str, Term]] = []

    def apply(self, rule: str, t: Term, *rest: Any) -> bool:
        """Try one rule; its step counts when it proves something."""
        try:
            fact = RULES[rule](self.context, t, *rest)
        except (Rejected, ArithmeticError, KeyError, ValueError, OverflowError):
            return False
        if fact is None:
            return False
        self.context.facts[key(t)] = fact
        self.steps.append([rule, t, *rest])
        return True

    def sign(self, t: Term, depth: int = 3) -> int | None:
        """The sign of a term, after whatever steps it needs."""
        s = self.context.sign(t)
        if s is not None and s in (POSITIVE, NEGATIVE, ZERO):
            return s
        mark = key(t)
        if mark in self.failed or depth <= 0 or spent() or not isinstance(t, list):
            return s
        if self.looks(t) is None:
            return s
        self.failed.add(mark)
        for attempt in (
            self._by_parts, self._by_normal_form, self._by_constant, self._by_groups,
            self._by_trade, self._by_square, self._by_exponential,
            self._by_factors, self._by_rising, self._by_cases,
        ):  # fmt: skip
            attempt(t, depth)
            s = self.context.sign(t)
            if s is not None:
                break
        if s is not None:
            self.failed.discard(mark)
        return s

    def looks(self, t: Term) -> int | None:
        """The sign of a term at a few points: 0 when it looks like zero, None when it changes."""
        found: set[int] = set()
        if not self.points:
            self.points = [*_points(self.context, self.sample), *_spread(self.context.ranges)]
        for point in self.points:
            value = at_precision(256, t, {x: point[x] for x in variables(t)})
            if value.is_finite():
                found.add(1 if value > 0 else -1 if value < 0 else 0)
        return None if {1, -1} <= found else sum(found)

    def search(self, t: Term, point: Mapping[str, Term] | None) -> _Search | None:
        """The generators of a term, when all of them can be introduced."""
        units: dict[str, int] = {}
        for _ in range(8):
            algebra = _Search(self, t, point, units)
            try:
                algebra.value(t)
            except _Finer:
                continue
            except (Rejected, ArithmeticError, OverflowError, TheoryError):
                return None
            return algebra
        return None

    def _by_parts(self, t: Term, depth: int) -> None:
        op, args = t[0], t[1:]
        if op == "log":
            self.sign(add(args[0], -1), depth)
        elif op == "+" and number(args[-1]) == -1 and len(args) == 2 and isinstance(args[0], list):
            if args[0][0] == "exp":
                self.sign(args[0][1], depth)
            elif args[0][0] == "^":
                self.sign(args[0][1], depth - 1)
                self.sign(add(args[0][1], -1), depth - 1)
        elif op not in ("+", "exp", "sin", "cos"):
            for a in args:
                self.sign(a, depth - (op != "*"))
        elif op == "+":
            for a in args:
                if self.sign(a, depth - 1) is None:
                    return

    def _by_normal_form(self, t: Term, depth: int) -> None:
        algebra = self.search(t, None)
        if algebra is not None:
            self.apply("normal", t, _GENERATORS, algebra.entries)

    def _by_constant(self, t: Term, depth: int) -> None:
        """A number near the value at the sample point may be the value everywhere."""
        if not variables(t):
            return
        other = _spread(self.context.ranges)[0]
        value = at_precision(4096, t, self.sample)
        if not value.overlaps(at_precision(4096, t, other)):
            return
        if not value.is_finite() or not value.rad() < arb(2) ** -2000:
            return
        q = rational_near(value)
        if self.zero(add(t, literal(-q)), 2):
            self.apply("rewrite", t, literal(q))

    def _by_groups(self, t: Term, depth: int) -> None:
        """A constant a little above one for which the rest is not negative."""
        c = number(t[-1]) if t[0] == "+" else None
        if c is None or depth < 2:
            return
        for lower in dict.fromkeys([c.limit_denominator(60), Fraction(0)]):
            if lower == c:
                continue
            rest = add(*t[1:-1], literal(lower))
            s = self.sign(rest, depth - 1)
            if s is None and self.zero(rest, 1):
                s = ZERO
            if s is not None and s * (c - lower) >= 0:
                self.apply("grouped", t, [rest, literal(c - lower)])
                return

    def _by_trade(self, t: Term, depth: int) -> None:
        for x in sorted(variables(t)):
            lower, upper = self.context.ranges[x][:2]
            if (lower, upper) in ((None, None), (0, None)):
                continue
            new = next(n for i in itertools.count() if (n := f"t{i}") not in self.context.ranges)
            for backward in (False, True)[: 1 + (None not in (lower, upper))]:
                domain, image = trade(self.context, x, new, backward)
                inner = _Prover(domain)
                if inner.sign(substitute(t, image), depth) is not None:
                    self.apply("traded", t, x, new, inner.steps, backward)
                    break
            return

    def _by_square(self, t: Term, depth: int) -> None:
        if t[0] != "+":
            return
        for b in t[1:]:
            rooted = any(isinstance(a, list) and a[0] == "^" and a[2] == "1/2" for a in subterms(b))
            if not rooted:
                continue
            a = add(*(c for c in t[1:] if c is not b))
            if self.sign(b, depth - 1) in (POSITIVE, NEGATIVE):
                self.sign(add(power(b, 2), mul(-1, power(a, 2))), depth - 1)
                if self.apply("square", t, a, b):
                    return

    def _by_exponential(self, t: Term, depth: int) -> None:
        logs = any(isinstance(a, list) and a[0] == "log" for a in subterms(t))
        if t[0] == "+" and logs and self.sign(add(["exp", t], -1), depth - 1) is not None:
            self.apply("exponential", t)

    def _by_factors(self, t: Term, depth: int) -> None:
        """SymPy's factors or squares, when the checker sees that they are equal."""
        other = _sum_of_squares(t)
        if other is None or other == t:
            return
        self.sign(other, depth - 1)
        if self.context.sign(other) is not None and self.zero(add(t, mul(-1, other))):
            self.apply("rewrite", t, other)

    def _by_rising(self, t: Term, depth: int) -> None:
        free = variables(t)
        if len(free) != 1:
            return
        (x,) = free
        lower = self.context.ranges[x][0]
        if lower is None:
            return
        _regularize(self, t, depth)
        slope = derivative(t, x)
        start = substitute(t, {x: lower})
        if self._constant(start) in (0, 1, 2):
            _regularize(self, slope, depth)
            self.sign(slope, depth - 1)
            self.apply("rising", t, x)

    def _constant(self, t: Term) -> int | None:
        s = self.context.sign(t)
        if s is None and not undefined(self.context, t):
            self.zero(t)
            s = self.context.sign(t)
        return s

    def _by_cases(self, t: Term, depth: int) -> None:
        free = variables(t)
        if not free or depth < 2:
            return
        for x in sorted(free)[:2]:
            centers = [0, 1, -1, "1/2", 2] if len(free) == 1 else [0]
            for c in centers:
                if not self._is_inside(x, c) or spent():
                    continue
                slope = at_precision(256, substitute(derivative(t, x), {x: c}), self.sample)
                if c != 0 and not slope.contains(0):
                    # only a minimum is worth a try
                    continue
                if self._split(t, x, c, depth - 1):
                    return

    def _is_inside(self, x: str, c: Term) -> bool:
        lower, upper = self.context.ranges[x][:2]
        below = lower is None or self.context.sign(add(c, mul(-1, lower))) == POSITIVE
        return below and (upper is None or self.context.sign(add(upper, mul(-1, c))) == POSITIVE)

    def _split(self, t: Term, x: str, c: Term, depth: int) -> bool:
        middle = substitute(t, {x: c})
        lower, upper, *whole = self.context.ranges[x]
        rest = {y: r for y, r in self.context.ranges.items() if y != x}
        at = _Prover(Context(rest))
        signs = []
        if not undefined(at.context, middle):
            at.sign(middle, depth)
            if at.context.sign(middle) is None:
                at.zero(middle)
            signs.append(at.context.sign(middle))
            if None in signs:
                return False
        parts = []
        for r in ([c, upper, *whole], [lower, c, *whole]):
            half = _Prover(Context(rest | {x: r}, self.context.facts, cut=self.context.cut))
            if signs == [ZERO]:
                half.zero(t)
            signs.append(half.sign(t, depth))
            if signs[-1] is None:
                return False
            parts.append(half.steps)
        return self.apply("cases", t, x, c, [parts[1], at.steps, parts[0]])

    # -- zero

    def zero(self, t: Term, depth: int = 3) -> bool:
        """Whether steps show that a term is zero wherever it has a value."""
        if self.context.sign(t) == ZERO:
            return True
        if self.context.sign(t) in (POSITIVE, NEGATIVE) or spent():
            return False
        if self.looks(t) != 0:
            return False
        algebra = self.search(t, None)
        if algebra is not None and algebra.value(t)[0] == 0:
            return self.apply("normal", t, _GENERATORS, algebra.entries)
        return (
            self._zero_near(t)
            or (depth > 0 and self._zero_gradient(t, depth))
            or (depth > 0 and self._zero_cases(t, depth))
        )

    def _zero_near(self, t: Term) -> bool:
        algebra = self.search(t, self.sample)
        if algebra is None:
            return False
        _regularize(self, t, 2)
        n, _ = algebra.value(t)
        if n == 0:
            return self.apply("near", t, _GENERATORS, algebra.entries, self.sample, [])
        inner = [r.degrees() for _, _, r in algebra.relations]
        roots = [
            i
            for i, degree, _ in algebra.relations
            if degree == 2 and n.degrees()[i] and sum(bool(r[i]) for r in inner) == 1
        ]
        # with all signs flipped another factor may vanish too: sqrt(2) sqrt(2 + sqrt(3))
        choices = (c for k in range(1, 5) for c in itertools.combinations(roots, k))
        return any(
            self.apply("near", t, _GENERATORS, algebra.entries, self.sample, list(free))
            for free in itertools.islice(choices, 24)
        )

    def _zero_gradient(self, t: Term, depth: int) -> bool:
        free = sorted(variables(t))
        if not free:
            return False
        _regularize(self, t, 2)
        if not self.context.regular(t):
            return False
        for x in free:
            slope = derivative(t, x)
            if not self.zero(slope, depth - 1):
                return False
            _regularize(self, slope, 2)
        for point in _points(self.context, self.sample):
            value = substitute(t, point)
            if not undefined(self.context, value) and self.zero(value, depth - 1):
                return self.apply("gradient", t, point)
        return False

    def _zero_cases(self, t: Term, depth: int) -> bool:
        for x in sorted(variables(t)):
            if self._is_inside(x, 0) and not self.context.ranges[x][2:]:
                rest = {y: r for y, r in self.context.ranges.items() if y != x}
                lower, upper, *whole = self.context.ranges[x]
                middle = substitute(t, {x: 0})
                at = _Prover(Context(rest))
                if not undefined(at.context, middle) and not at.zero(middle, depth - 1):
                    return False
                parts = []
                for r in ([lower, 0, *whole], [0, upper, *whole]):
                    half = _Prover(Context(rest | {x: r}, self.context.facts, cut=self.context.cut))
                    if not half.zero(t, depth - 1):
                        return False
                    parts.append(half.steps)
                return self.apply("cases", t, x, 0, [parts[0], at.steps, parts[1]])
        return False


def _regularize(prover: _Prover, t: Term, depth: int) -> None:
    """Establish the signs on which the analyticity of a term depends."""
    for a in subterms(t):
        if not isinstance(a, list) or prover.context.regular(a):
            continue
        if a[0] in ("asin", "erfinv"):
            prover.sign(add(1, mul(-1, power(a[1], 2))), depth)
        elif a[0] not in ("+", "*"):
            prover.sign(a[1], depth)


def _sample(ranges: Mapping[str, Any]) -> dict[str, Term]:
    """An exact point inside of all intervals."""
    out: dict[str, Term] = {}
    primes = (3, 5, 7, 11, 13, 17, 19, 23)
    for i, (x, (lower, upper, *whole)) in enumerate(sorted(ranges.items())):
        step = Fraction(primes[i % 8] + 2, primes[(i + 2) % 8])
        if whole:
            base = 0 if lower is None else math.floor(_float(lower))
            out[x] = base + 2 + i
        elif lower is None and upper is None:
            out[x] = literal(step)
        elif upper is None:
            out[x] = literal(_above(lower) + step)
        elif lower is None:
            out[x] = literal(-_above(mul(-1, upper)) - step)
        else:
            a, b = _float(lower), _float(upper)
            place = Fraction(primes[i % 8], primes[i % 8] + primes[(i + 2) % 8])
            q = Fraction(a) + Fraction(b - a) * place
            out[x] = literal(q.limit_denominator(10**6 if b - a > 1e-3 else 10**30))
    return out


def _float(t: Term) -> float:
    return float(at_precision(128, t, {}).mid())


def _spread(ranges: Mapping[str, Any]) -> list[dict[str, Term]]:
    """Small, moderate and large points inside of all intervals."""
    out = []
    for size in (Fraction(2, 3), Fraction(1, 97), Fraction(1, 10**6), Fraction(7), Fraction(60)):
        for sign in (1, -1):
            point: dict[str, Term] = {}
            for i, (x, (lower, upper, *whole)) in enumerate(sorted(ranges.items())):
                t = size * (1 + Fraction(i, 7))
                if whole:
                    t = Fraction(math.ceil(t))
                if lower is None and upper is None:
                    q = sign * t
                elif upper is None:
                    q = _above(lower) + t
                elif lower is None:
                    q = -_above(mul(-1, upper)) - t
                else:
                    t = t if sign > 0 else 1 / t
                    a, b = Fraction(_float(lower)), Fraction(_float(upper))
                    q = (a + b * t) / (1 + t)
                point[x] = literal(q)
            out.append(point)
    return out


def _above(t: Term) -> Fraction:
    q = number(t)
    return q if q is not None else Fraction(math.ceil(_float(t)))


def _points(context: Context, sample: Mapping[str, Term]) -> list[dict[str, Term]]:
    """Simple points inside of all intervals."""
    out = []
    names = sorted(context.ranges)
    choices = []
    for x in names:
        lower, upper = context.ranges[x][:2]
        inside = [
            c
            for c in (0, 1, 2, "1/2", -1, -2)
            if (lower is None or context.sign(add(c, mul(-1, lower))) == POSITIVE)
            and (upper is None or context.sign(add(upper, mul(-1, c))) == POSITIVE)
        ]
        choices.append([*inside, sample[x]])
    for values in itertools.islice(itertools.product(*choices), 12):
        out.append(dict(zip(names, values, strict=True)))
    return out


def _sum_of_squares(t: Term) -> Term | None:
    """The term in factors, or a quadratic polynomial as a sum of squares."""
    names = {x: sp.Symbol(x, real=True) for x in variables(t)}
    try:
        e = _expression(t, names)
    except (KeyError, ValueError):
        return None
    symbols = sorted(e.free_symbols, key=str)
    if symbols and e.is_polynomial(*symbols):
        p = sp.Poly(e, *symbols)
        if p.total_degree() == 2 and all(c.is_Rational for c in p.coeffs()):
            return _completed_squares(p, symbols)
    factored = proposal(sp.factor, e, seconds=1.0)
    return None if factored is None or factored == e else written_out(term_of(factored))


def _completed_squares(p: sp.Poly, symbols: list[sp.Symbol]) -> Term | None:
    rest, parts = p.as_expr(), []
    for x in symbols:
        a = sp.Poly(rest, x).coeff_monomial(x**2)
        b = sp.Poly(rest, x).coeff_monomial(x)
        if a == 0:
            if b != 0:
                return None
            continue
        center = sp.expand(x + b / (2 * a))
        parts.append(mul(term_of(a), power(term_of(center), 2)))
        rest = sp.expand(rest - a * center**2)
    return add(*parts, term_of(rest)) if not rest.free_symbols else None


def _expression(t: Term, names: Mapping[str, sp.Symbol]) -> sp.Expr:
    """The term as an expression of SymPy: a hint only."""
    q = number(t)
    if q is not None:
        return sp.Rational(q.numerator, q.denominator)
    if isinstance(t, str):
        return sp.pi if t == "pi" else names[t]
    args = [_expression(a, names) for a in t[1:]]
    made = {"+": sp.Add, "*": sp.Mul, "^": sp.Pow}.get(t[0]) or getattr(sp, t[0])
    return made(*args)


# -- certificates ----------------------------------------------------------------------------------


def certificate(
    statement: Any,
    assume: Mapping[Any, str] | None = None,
    domain: Any = None,
    *,
    seconds: float = 20.0,
) -> dict[str, Any]:
    """The verdict on a statement, with steps that `theory.claims.replay` checks on its own.

    Parameters
    ----------
    statement, assume, domain
        As for `theory.prove`.
    seconds : float
        Time for the search of the steps.

    Returns
    -------
    dict
        ``claim``, ``sha256`` (the hash of the claim), ``verdict``, ``proof``, and ``seal``, the
        hash of all of these; JSON can hold it.

    Raises
    ------
    NoCertificate
        For UNDECIDED, and when no steps are found.

    Examples
    --------
    >>> record = certificate("cosh(x)**2 - sinh(x)**2 == 1")
    >>> record["verdict"], replay(record)
    ('PROVED', 'PROVED')
    """
    claim = claim_of(statement, assume, domain)
    verdict = prove(statement, assume, domain)
    if verdict.undecided:
        raise NoCertificate(f"The statement is UNDECIDED, so nothing can be certified: {verdict}")
    with time_budget(seconds):
        try:
            basic = read(claim)
            if verdict.proved:
                proof = _proof(basic, verdict) | {"somewhere": _somewhere(basic)}
            else:
                proof = _refutation(basic, verdict)
        except (Rejected, ArithmeticError, FormulaError) as error:
            raise NoCertificate(f"No steps were found for: {verdict} ({error})") from error
    record = {
        "claim": claim,
        "sha256": digest(claim),
        "verdict": str(verdict.status),
        "proof": proof,
    }
    record["seal"] = digest(record)
    try:
        replay(record)
    except Rejected as error:
        raise NoCertificate(f"No steps were found for: {verdict} ({error})") from error
    return record


def _proof(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    prover = _Prover(domain_of(claim))
    left, right = claim["left"], claim["right"]
    t = add(left, mul(-1, right))
    if claim["operator"] in ("==", ">="):
        prover.zero(t)
    if claim["operator"] != "==":
        prover.sign(t, 5)
    everywhere = not verdict.conditions
    if everywhere:
        for side in (left, right):
            _regularize(prover, side, 3)
        everywhere = prover.context.regular(left) and prover.context.regular(right)
    ends: list[dict[str, Any] | None] = []
    for i in range(len(claim["closed"])):
        there = at_end(claim, i)
        if is_about_nothing(there):
            everywhere = False
            ends.append(None)
        else:
            ends.append(_proof(there, verdict))
    return {"steps": prover.steps, "everywhere": everywhere, "ends": ends}


def _somewhere(claim: Mapping[str, Any]) -> dict[str, Term]:
    """A point of the domain where both sides have values."""
    context = Context(claim["ranges"])
    sample = _sample(claim["ranges"])
    for point in (sample, *_points(context, sample), *_spread(claim["ranges"])):
        if all(has_value(substitute(claim[side], point)) for side in ("left", "right")):
            return point
    raise Rejected("no point where both sides have values")


def _refutation(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    witness = {x: term_of(parse(v, {})) for x, v in (verdict.witness or {}).items()}
    sample = _sample(claim["ranges"])
    point = {x: witness.get(x, sample[x]) for x in claim["ranges"]}
    prover = _Prover(Context({}))
    for _, t in claim["relations"]:
        prover.zero(substitute(t, point))
    there = [substitute(e, point) for e in (claim["left"], claim["right"])]
    difference = add(there[0], mul(-1, there[1]))
    proof: dict[str, Any] = {"point": point}
    gone = [undefined(prover.context, e, poles=False) for e in there]
    if claim["operator"] == "==" and any(gone):
        proof["undefined"] = gone.index(True)
    elif prover.context.sign(difference) is None:
        prover.zero(difference)
    return proof | {"steps": prover.steps}
