"""The search for the steps of `theory.claims.replay` that establish the sign of a term.

A step counts only after the checker's own rule has accepted it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from theory.claims.claim import term_of
from theory.claims.cofactors import cofactors
from theory.claims.generators import GENERATORS, Finer, Search
from theory.claims.inequality import rational_near
from theory.claims.replay import Rejected
from theory.claims.replay.facts import NEGATIVE, POSITIVE, ZERO, Context, at_precision, undefined
from theory.claims.replay.steps import RULES, arch_gaps, trade
from theory.claims.replay.terms import (
    Term,
    add,
    derivative,
    is_of_kind,
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
from theory.claims.symbolic import expression_of
from theory.errors import TheoryError
from theory.exact.budget import spent
from theory.exact.guard import proposal

__all__ = ["Prover", "points_inside", "regularize", "sample_point", "spread_points"]


class Prover:
    """The search for steps that establish the sign of a term on a domain."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.steps: list[Any] = []
        self.sample = sample_point(context.ranges)
        self.failed: set[str] = set()
        self.points: list[dict[str, Term]] = []
        # what a domain says that relations cut out
        self.relations: list[Term] = list(map(json.loads, context.facts)) if context.cut else []

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
        # the points are those of the intervals: with relations the sign may look open
        if self.relations and self._by_relations(t):
            return self.context.sign(t)
        if self.looks(t) is None:
            return s
        self.failed.add(mark)
        if s is not None:
            # a square of what is not zero is more than not negative
            self._by_parts(t, depth)
            self._by_square(t, depth)
            s = self.context.sign(t)
            if s in (POSITIVE, NEGATIVE, ZERO):
                self.failed.discard(mark)
                return s
        for attempt in (
            self._distributed, self._by_parts, self._by_arch, self._by_normal_form,
            self._by_constant, self._by_groups,
            self._by_trade, self._by_square, self._by_exponential,
            self._by_factors, self._by_pivots, self._by_rising, self._by_cases,
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
            self.points = [
                *points_inside(self.context, self.sample),
                *spread_points(self.context.ranges),
            ]
        for point in self.points:
            value = at_precision(256, t, {x: point[x] for x in variables(t)})
            if value.is_finite():
                found.add(1 if value > 0 else -1 if value < 0 else 0)
        return None if {1, -1} <= found else sum(found)

    def search(self, t: Term, point: Mapping[str, Term] | None) -> Search | None:
        """The generators of a term, when all of them can be introduced."""
        units: dict[str, int] = {}
        for _ in range(8):
            algebra = Search(self, t, point, units)
            try:
                algebra.value(t)
            except Finer:
                continue
            except (Rejected, ArithmeticError, OverflowError, TheoryError):
                return None
            return algebra
        return None

    def _by_relations(self, t: Term) -> bool:
        """A multiple of what a relation compares with zero, and a number."""
        for r in self.relations:
            for q in (1, -1):
                gap = add(t, mul(-q, r))
                value = at_precision(256, gap, self.sample)
                if t == r or not value.is_finite():
                    continue
                c = literal(rational_near(value).limit_denominator(10**6))
                other = mul(q, r) if c == 0 else ["+", mul(q, r), c]
                if self.context.sign(other) is not None and self.zero(add(gap, mul(-1, c)), 1):
                    self.zero(add(t, mul(-1, other)), 1)
                    if self.apply("rewrite", t, other):
                        return True
        return False

    def _distributed(self, t: Term, depth: int) -> None:
        """A sum in which sums occur with a number as factor, as a sum of all terms."""
        other = _one_sum(t)
        if other == t:
            return
        self.sign(other, depth)
        if self.context.sign(other) is not None and self.zero(add(t, mul(-1, other)), 1):
            self.apply("rewrite", t, other)

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

    def _by_arch(self, t: Term, depth: int) -> None:
        """A sine or a cosine whose angle stays between two of its zeros."""
        if t[0] not in ("sin", "cos"):
            return
        turns = at_precision(128, mul(t[1], power("pi", -1)), self.sample)
        if not turns.is_finite():
            return
        k = math.floor(float(turns.mid()) + (0.5 if t[0] == "cos" else 0))
        for gap in arch_gaps(t, k):
            if self.sign(gap, depth - 1) != POSITIVE:
                return
        self.apply("arch", t, k)

    def _by_normal_form(self, t: Term, depth: int) -> None:
        algebra = self.search(t, None)
        if algebra is not None:
            self.apply("normal", t, GENERATORS, algebra.entries)

    def _by_constant(self, t: Term, depth: int) -> None:
        """A number near the value at the sample point may be the value everywhere."""
        if not variables(t):
            return
        other = spread_points(self.context.ranges)[0]
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
                inner = Prover(domain)
                if inner.sign(substitute(t, image), depth) is not None:
                    self.apply("traded", t, x, new, inner.steps, backward)
                    break
            return

    def _by_square(self, t: Term, depth: int) -> None:
        if t[0] != "+":
            return
        for b in t[1:]:
            rooted = any(isinstance(a, list) and a[0] == "^" and a[2] == "1/2" for a in subterms(b))
            a = add(*(c for c in t[1:] if c is not b))
            circular = number(b) is not None and self._cofunction(a, depth)
            if not rooted and not circular:
                continue
            if self.sign(b, depth - 1) in (POSITIVE, NEGATIVE):
                self.sign(add(power(b, 2), mul(-1, power(a, 2))), depth - 1)
                if self.apply("square", t, a, b):
                    return

    def _cofunction(self, a: Term, depth: int) -> bool:
        """Whether a is a sine or a cosine, times a number, whose cofunction has a strict sign."""
        f = a[2] if isinstance(a, list) and len(a) == 3 and number(a[1]) is not None else a
        if not isinstance(f, list) or f[0] not in ("sin", "cos"):
            return False
        return self.sign(["cos" if f[0] == "sin" else "sin", f[1]], depth - 1) is not None

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

    def _by_pivots(self, t: Term, depth: int) -> None:
        """A quadratic form in some of the names as a sum of squares with pivots."""
        free = [x for x in sorted(variables(t)) if self.context.ranges[x] == [None, None]]
        form = [x for x in free if _is_square_in(t, x)]
        if len(form) < 2:
            return
        # a pivot that is not positive may still be one in another order
        for order in (form, form[::-1]):
            other = _pivoted(t, order)
            if other is None:
                continue
            for a in subterms(other):
                if isinstance(a, list) and a[0] == "^" and not self._sums_of(a, form):
                    self.sign(a[1], depth - 1)
            self.sign(other, depth - 1)
            if self.context.sign(other) is not None and self.zero(add(t, mul(-1, other))):
                self.apply("rewrite", t, other)
                return

    def _sums_of(self, a: Term, form: list[str]) -> bool:
        return bool(variables(a) & set(form))

    def _by_rising(self, t: Term, depth: int) -> None:
        free = variables(t)
        if len(free) != 1:
            return
        (x,) = free
        lower = self.context.ranges[x][0]
        if lower is None:
            return
        regularize(self, t, depth)
        slope = derivative(t, x)
        start = substitute(t, {x: lower})
        if self._constant(start) in (0, 1, 2):
            regularize(self, slope, depth)
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
        at = Prover(Context(rest))
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
            half = Prover(Context(rest | {x: r}, self.context.facts, cut=self.context.cut))
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
            return self.apply("normal", t, GENERATORS, algebra.entries)
        return (
            self._zero_near(t)
            or (depth > 0 and self._zero_gradient(t, depth))
            or (depth > 0 and self._zero_cases(t, depth))
        )

    def _zero_near(self, t: Term) -> bool:
        algebra = self.search(t, self.sample)
        if algebra is None:
            return False
        regularize(self, t, 2)
        n, _ = algebra.value(t)
        if n == 0:
            return self.apply("near", t, GENERATORS, algebra.entries, self.sample, [])
        return any(
            self.apply("near", t, GENERATORS, algebra.entries, self.sample, m)
            for m in cofactors(algebra, n)
        )

    def _zero_gradient(self, t: Term, depth: int) -> bool:
        free = sorted(variables(t))
        if not free:
            return False
        regularize(self, t, 2)
        if not self.context.regular(t):
            return False
        for x in free:
            slope = derivative(t, x)
            if not self.zero(slope, depth - 1):
                return False
            regularize(self, slope, 2)
        for point in points_inside(self.context, self.sample):
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
                at = Prover(Context(rest))
                if not undefined(at.context, middle) and not at.zero(middle, depth - 1):
                    return False
                parts = []
                for r in ([lower, 0, *whole], [0, upper, *whole]):
                    half = Prover(Context(rest | {x: r}, self.context.facts, cut=self.context.cut))
                    if not half.zero(t, depth - 1):
                        return False
                    parts.append(half.steps)
                return self.apply("cases", t, x, 0, [parts[0], at.steps, parts[1]])
        return False


def regularize(prover: Prover, t: Term, depth: int) -> None:
    """Establish the signs on which the analyticity of a term depends."""
    for a in subterms(t):
        if not isinstance(a, list) or prover.context.regular(a):
            continue
        if a[0] in ("asin", "erfinv"):
            prover.sign(add(1, mul(-1, power(a[1], 2))), depth)
        elif a[0] not in ("+", "*"):
            prover.sign(a[1], depth)


def sample_point(ranges: Mapping[str, Any]) -> dict[str, Term]:
    """An exact point inside of all intervals."""
    out: dict[str, Term] = {}
    primes = (3, 5, 7, 11, 13, 17, 19, 23)
    for i, (x, (lower, upper, *whole)) in enumerate(sorted(ranges.items())):
        step = Fraction(primes[i % 8] + 2, primes[(i + 2) % 8])
        if whole:
            base = 2 + i + (0 if lower is None else math.floor(_float(lower)))
            out[x] = base + (not is_of_kind(base, whole))
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


def spread_points(ranges: Mapping[str, Any]) -> list[dict[str, Term]]:
    """Small, moderate and large points inside of all intervals."""
    out = []
    for size in (Fraction(2, 3), Fraction(1, 97), Fraction(1, 10**6), Fraction(7), Fraction(60)):
        for sign in (1, -1):
            point: dict[str, Term] = {}
            for i, (x, (lower, upper, *whole)) in enumerate(sorted(ranges.items())):
                t = size * (1 + Fraction(i, 7))
                if whole:
                    t = Fraction(2 * math.ceil(t) + (whole == ["odd"]))
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


def points_inside(context: Context, sample: Mapping[str, Term]) -> list[dict[str, Term]]:
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
        e = expression_of(t, names)
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


def _one_sum(t: Term) -> Term:
    """The sum with its inner sums, and numbers times sums, written out."""
    if not isinstance(t, list):
        return t
    if t[0] == "+":
        return add(*map(_one_sum, t[1:]))
    sums = [a for a in t[1:] if isinstance(a, list) and a[0] == "+"]
    rest = [a for a in t[1:] if not (isinstance(a, list) and a[0] == "+")]
    if t[0] == "*" and len(sums) == 1 and number(mul(*rest)) is not None:
        return _one_sum(["+", *(mul(*rest, a) for a in sums[0][1:])])
    return t


def _is_square_in(t: Term, x: str) -> bool:
    """Whether a name occurs, and only as a factor of terms of a sum."""
    return t[0] == "+" and all(
        x not in variables(a) or (a[0] == "*" and any(b in (x, ["^", x, 2]) for b in a))
        for a in t[1:]
        if isinstance(a, list)
    )


def _pivoted(t: Term, form: list[str]) -> Term | None:
    """A form of degree two in some names, by completing one square after the other."""
    names = {x: sp.Symbol(x, real=True) for x in variables(t)}
    try:
        e = expression_of(t, names)
    except (KeyError, ValueError, AttributeError):
        return None
    d = [names[x] for x in form]
    if not e.is_polynomial(*d) or sp.Poly(e, *d).total_degree() != 2:
        return None
    return proposal(_squares, e, d, seconds=3.0)


def _squares(e: sp.Expr, d: list[sp.Symbol]) -> Term | None:
    matrix = sp.hessian(e, d) / 2
    matrix = matrix.applyfunc(lambda a: sp.factor(sp.together(a)))
    parts = []
    for i, x in enumerate(d):
        pivot = matrix[i, i]
        if pivot == 0:
            if any(matrix[i, j] != 0 for j in range(i, len(d))):
                return None
            continue
        row = [sp.factor(sp.together(matrix[i, j] / pivot)) for j in range(len(d))]
        linear = x + sp.Add(*(row[j] * d[j] for j in range(i + 1, len(d))))
        parts.append(mul(term_of(pivot), power(term_of(linear), 2)))
        matrix = matrix - pivot * sp.Matrix(row) * sp.Matrix(row).T
        matrix = matrix.applyfunc(lambda a: sp.factor(sp.together(sp.expand(a))))
    return written_out(add(*parts)) if parts else 0
