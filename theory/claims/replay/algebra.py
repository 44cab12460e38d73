r"""Fractions of polynomials in generators: functions whose algebraic relations are checked.

A pair $(b, \ell)$ has $e^\ell = b$; hence $e^{\sum n\ell} = \prod b^n$, $\log \prod b^m =
\sum m\ell$ for positive b, and $A^r = e^{r\log A}$.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import flint
from flint import Ordering, arb, fmpz_mpoly, fmpz_mpoly_ctx, fmpz_poly

from theory.claims.replay.facts import (
    BITS,
    NEGATIVE,
    NONNEGATIVE,
    POSITIVE,
    ZERO,
    Context,
    at_precision,
)
from theory.claims.replay.terms import (
    BALLS,
    ODD,
    Rejected,
    Term,
    add,
    demand,
    key,
    literal,
    mul,
    number,
    power,
    variables,
)

MAX_TERMS = 10_000_000
MAX_DEGREE = 10_000
MAX_BITS = 100_000
# of a polynomial that is factored, and has its roots enclosed
MAX_FACTORED = 300
MAX_POLYGON = 128


def bounded(p: fmpz_mpoly, n: int = 1) -> None:
    """FLINT may run for hours on p^n, and aborts when it runs out of memory."""
    demand(n * max(map(int, p.degrees()), default=0) <= MAX_DEGREE, "a large power")
    bits = max((int(c).bit_length() for c in p.coeffs()), default=0)
    demand(n * bits <= MAX_BITS, "a large number")


def terms_of_power(p: fmpz_mpoly, n: int) -> int:
    """At most so many terms has the power p^n."""
    bounded(p, n)
    degrees = math.prod(n * int(k) + 1 for k in p.degrees())
    return min(degrees, math.comb(len(p) + n - 1, n)) if len(p) > 1 else 1


class Algebra:
    """The fraction of each term that the entries of a certificate introduce."""

    def __init__(
        self, context: Context, given: frozenset[str], count: int, point: Mapping[str, Term] | None
    ) -> None:
        demand(0 < count <= 64, "too many generators")
        self.context, self.given, self.point = context, given, point
        self.ring = fmpz_mpoly_ctx.get([f"g{i}" for i in range(count)], Ordering.lex)
        self.one, self.gens = self.ring.constant(1), list(self.ring.gens())
        # later generators come first in the order, so that their relations lead with them
        self.free = count
        self.meaning: dict[int, Term] = {}
        self.values: dict[str, Any] = {}
        self.relations: list[tuple[int, int, fmpz_mpoly]] = []
        self.pairs: list[tuple[Any, Any, int, bool]] = []
        self.angles: list[tuple[Any, Any, Any]] = []
        self.opaque: list[tuple[str, list[Any], Any]] = []
        self.signs: dict[int, int] = {}

    def generator(self, meaning: Term, sign: int | None = None) -> Any:
        demand(self.free > 0, "more generators than announced")
        self.free -= 1
        self.meaning[self.free] = meaning
        s = self.context.sign(meaning) if sign is None else sign
        if s in (POSITIVE, NONNEGATIVE):
            self.signs[self.free] = s
        return self.gens[self.free], self.one

    def reduce(self, p: fmpz_mpoly) -> fmpz_mpoly:
        again = True
        while again:
            again = False
            for i, degree, relation in self.relations:
                if (k := int(p.degrees()[i])) >= degree:
                    most = len(p) * terms_of_power(relation - self.gens[i] ** degree, k // degree)
                    demand(most < MAX_TERMS, "a large power")
                    p, again = divmod(p, relation)[1], True
        return p

    def fraction(self, n: fmpz_mpoly, d: fmpz_mpoly) -> Any:
        n, d = self.reduce(n), self.reduce(d)
        demand(d != 0 and max(len(n), len(d)) < 20_000, "a denominator is zero, or too large")
        if n == 0:
            return n, self.one
        bounded(n)
        bounded(d)
        g = n.gcd(d) if d != 1 else self.one
        return divmod(n, g)[0], divmod(d, g)[0]

    def plus(self, a: Any, b: Any, n: Fraction | int = 1) -> Any:
        """The fraction a + n b."""
        q = Fraction(n)
        most = max(len(a[0]) * len(b[1]), len(b[0]) * len(a[1]), len(a[1]) * len(b[1]))
        demand(most < MAX_TERMS, "a large sum")
        left, right = a[0] * b[1] * q.denominator, b[0] * a[1] * q.numerator
        return self.fraction(left + right, a[1] * b[1] * q.denominator)

    def times(self, a: Any, b: Any, n: int = 1) -> Any:
        """The fraction a b^n."""
        demand(abs(n) <= 300 and (n >= 0 or b[0] != 0), "division by zero, or a large power")
        b = b if n >= 0 else (b[1], b[0])
        for p, factor in zip(b, a, strict=True):
            demand(len(factor) * terms_of_power(p, abs(n)) < MAX_TERMS, "a large power")
        return self.fraction(a[0] * b[0] ** abs(n), a[1] * b[1] ** abs(n))

    def same(self, a: Any, b: Any) -> bool:
        return self.reduce(a[0] * b[1] - b[0] * a[1]) == 0

    def constant(self, q: Fraction) -> Any:
        return self.ring.constant(q.numerator), self.ring.constant(q.denominator)

    def value(self, t: Term) -> Any:
        """The fraction of a term."""
        if (q := number(t)) is not None:
            return self.constant(q)
        if (known := self.values.get(key(t))) is not None:
            return known
        if self.context.sign(t) == ZERO:
            return self.constant(Fraction(0))
        q = number(t[2]) if isinstance(t, list) and t[0] == "^" else None
        total = self.constant(Fraction(int(isinstance(t, list) and t[0] != "+")))
        if isinstance(t, list) and t[0] in ("+", "*"):
            for a in t[1:]:
                total = (self.plus if t[0] == "+" else self.times)(total, self.value(a))
        elif q is not None and q.denominator == 1:
            total = self.times(total, self.value(t[1]), int(q))
        else:
            total = self.missing(t)
        self.values[key(t)] = total
        return total

    def missing(self, t: Term) -> Any:
        raise Rejected(f"the certificate has no entry for {key(t)[:200]}")

    def is_positive(self, t: Term) -> bool:
        """Whether t > 0: everywhere, or near the point if there is one."""
        if self.context.sign(t) == POSITIVE:
            return True
        return self.point is not None and at_precision(BITS[1], t, self.point, 200) > 0

    def combined(self, hint: list[int], total: Any, *, products: bool) -> Any:
        """The product of b^n, or the sum of n l, over all pairs."""
        demand(len(hint) <= len(self.pairs), "more exponents than pairs")
        for n, (b, l, _, _) in zip(hint, self.pairs, strict=False):
            if n:
                total = self.times(total, b, n) if products else self.plus(total, l, n)
        return total

    def logarithm(self, t: Term, hint: list[int]) -> Any:
        """Log a = sum of n l for a = product of b^n, where t, a logarithm or power of a, exists."""
        a = self.value(t[1])
        unit, zero = self.constant(Fraction(1)), self.constant(Fraction(0))
        demand(self.same(a, self.combined(hint, unit, products=True)), "a wrong product")
        unknown = [(n, p[2]) for n, p in zip(hint, self.pairs, strict=False) if n and not p[3]]
        if unknown:
            # all factors but one are positive, and a >= 0, for the claim itself has this part
            (n, base), *others = unknown
            r = None if t[0] == "log" else number(t[2])
            real = t[0] == "log" or (r is not None and r.denominator > 1)
            implied = not others and n % 2 and real and key(t) in self.given
            demand(implied, "a factor of unknown sign")
            if r is None or r < 0 or n < 0:
                # and neither a nor the factor is zero
                self.pairs = [(b, l, i, p or i == base) for b, l, i, p in self.pairs]
        return self.combined(hint, zero, products=False)

    def _define(self, t: Term) -> Any:
        """The fraction of a term in a definition, which must have values wherever the claim has."""
        if self.point is None:
            exists = self.context.regular(t, self.given)
        else:
            exists = at_precision(BITS[1], t, self.point, 200).is_finite()
        demand(exists, f"{key(t)[:200]} may have no value")
        return self.value(t)

    def _name(self, t: Term) -> None:
        demand(t == "pi" or t in self.context.ranges, f"no symbol {t}")
        self.values[key(t)] = self.generator(t, POSITIVE if t == "pi" else None)

    def _exp(self, t: Term) -> None:
        exponent = self._define(t)
        g = self.values[key(["exp", t])] = self.generator(["exp", t])
        self.pairs.append((g, exponent, len(self.pairs), True))

    def _log(self, t: Term) -> None:
        b = self._define(t)
        g = self.generator(["log", t])
        positive = self.is_positive(t) or key(["log", t]) in self.given
        self.pairs.append((b, g, len(self.pairs), positive))
        if self.pairs[-1][3]:
            self.values[key(["log", t])] = g

    def _root(self, k: int, q: int, t: Term) -> None:
        (n, d), logarithm, base, positive = self.pairs[k]
        demand(d == 1 and q > 1 and self.same((n, d), self._define(t)), "a wrong root")
        sign = self.context.sign(t)
        h = self.generator(power(t, literal(Fraction(1, q))), 2 if sign == 2 else 1)
        self.relations.append((self.free, q, h[0] ** q - n))
        self.pairs.append((h, self.times(logarithm, self.constant(Fraction(1, q))), base, positive))

    def _angle(self, t: Term) -> None:
        angle = self._define(t)
        c, s = self.generator(["cos", t]), self.generator(["sin", t])
        self.relations.append((self.free, 2, s[0] ** 2 + c[0] ** 2 - 1))
        self.angles.append((angle, c, s))

    def _function(self, op: str, *terms: Term) -> None:
        # at each point the value is a number, but near one it may have a jump or a kink
        open_signs = op in ("Abs", "sign") and self.point is None
        demand(op in BALLS and op not in ("exp", "log", "Min", "Max"), op)
        demand(open_signs or op not in ("Abs", "sign"), op)
        demand(len(terms) == 1, f"{op} of {len(terms)} terms")
        args = [self._define(t) for t in terms]
        t = [op, *terms]
        if self.point is None:
            demand(key(t) in self.given or self.context.regular(t), f"{op} may have no value")
        g = self.values[key(t)] = self.generator(t)
        self.opaque.append((op, args, g))
        if op == "LambertW" and self.is_positive(terms[0]):
            self.pairs.append((self.times(args[0], g, -1), g, len(self.pairs), True))

    def _arc(self, t: Term) -> None:
        """The angle asin u or atan u: its cosine is nonnegative."""
        op, u = t
        demand(op in ("asin", "atan"), f"no arc {op}")
        root = self.value(power(add(1, mul(-1 if op == "asin" else 1, power(u, 2))), "1/2"))
        # the value of an angle may be known although u is 0/0
        angle, sine, unit = self._define(t), self._define(u), self.constant(Fraction(1))
        c, s = (root, sine) if op == "asin" else (self.times(unit, root, -1), None)
        self.angles.append((angle, c, s or self.times(sine, c)))

    def _turn(self, t: Term, p: int, q: int) -> None:
        """The number asin u or atan u is pi p/q: its unit vector to the power q is real."""
        op, u = t
        demand(op in ("asin", "atan") and not variables(t) and 0 < q <= 64, "not a turn")
        c = power(add(1, mul(-1, power(u, 2))), "1/2") if op == "asin" else 1
        x, y = self.value(c), self.value(u)
        real, imaginary = self.constant(Fraction(1)), self.constant(Fraction(0))
        for _ in range(q):
            real, imaginary = (
                self.plus(self.times(real, x), self.times(imaginary, y), -1),
                self.plus(self.times(real, y), self.times(imaginary, x)),
            )
        close = at_precision(BITS[0], add(mul(q, t, power("pi", -1)), -p), {})
        demand(imaginary[0] == 0 and abs(close) < arb(0.5), "not this part of a turn")
        self.values[key(t)] = self.times(self.value("pi"), self.constant(Fraction(p, q)))

    def _exponential(self, t: Term, hint: list[int]) -> None:
        exponent = self.combined(hint, self.constant(Fraction(0)), products=False)
        demand(t[0] == "exp" and self.same(self.value(t[1]), exponent), "a wrong exponent")
        used = [pair for n, pair in zip(hint, self.pairs, strict=False) if n]
        demand(all(pair[3] for pair in used), "a factor of unknown sign")
        self.values[key(t)] = self.combined(hint, self.constant(Fraction(1)), products=True)

    def _logarithm(self, t: Term, hint: list[int]) -> None:
        demand(t[0] == "log", "not a logarithm")
        self.values[key(t)] = self.logarithm(t, hint)

    def _power(self, t: Term, factors: list[int], hint: list[int]) -> None:
        r = number(t[2])
        demand(t[0] == "^" and (r is None or r.denominator > 1), "not a real power")
        exponent = self.times(self.logarithm(t, factors), self.value(t[2]))
        target = self.combined(hint, self.constant(Fraction(0)), products=False)
        demand(self.same(exponent, target), "a wrong exponent")
        # a base that may be zero has no other powers than positive ones, as 0/0 is not 0
        bases = {p[2] for n, p in zip(factors, self.pairs, strict=False) if n and not p[3]}
        for n, pair in zip(hint, self.pairs, strict=False):
            demand(not n or pair[3] or (n > 0 and pair[2] in bases), "an open sign")
        self.values[key(t)] = self.combined(hint, self.constant(Fraction(1)), products=True)

    def _polygon(self, n: int) -> None:
        r"""The angle $\pi/n$ for an even n: $g = 2\cos(\pi/n)$ is of degree $\varphi(2n)/2$.

        Its sine is $\cos(\pi/2 - \pi/n)$, and $2\cos k\alpha$ a polynomial in $2\cos\alpha$. With
        the minimal polynomial of g, normal forms in sines and cosines of multiples are unique (W.
        Watkins, J. Zeitlin, The minimal polynomial of cos(2 pi/n), Amer. Math. Monthly 100, 1993).
        """
        demand(type(n) is int and n % 2 == 0 and 2 <= n <= MAX_POLYGON, "no polygon")
        angle = self.times(self.value("pi"), self.constant(Fraction(1, n)))
        g, _ = self.generator(mul(2, ["cos", mul(literal(Fraction(1, n)), "pi")]))
        relation = self.ring.constant(0)
        for k, c in enumerate(fmpz_poly.cos_minpoly(2 * n).coeffs()):
            relation += int(c) * g**k
        self.relations.append((self.free, int(relation.degrees()[self.free]), relation))
        two, half = self.ring.constant(2), self.constant(Fraction(1, 2))
        before, now = (g, self.one), (two, self.one)
        for _ in range(n // 2 - 1):
            before, now = now, self.plus(self.times((g, self.one), now), before, -1)
        self.angles.append((angle, self.times((g, self.one), half), self.times(now, half)))

    def _circle(self, a: Term, hint: list[int], quarters: int) -> None:
        unit, zero = self.constant(Fraction(1)), self.constant(Fraction(0))
        total, c, s = zero, unit, zero
        turns = [(n, angle) for n, angle in zip(hint, self.angles, strict=False) if n]
        if quarters:
            turns.append(
                (
                    quarters,
                    (self.times(self.value("pi"), self.constant(Fraction(1, 2))), zero, unit),
                )
            )
        for n, (angle, cosine, sine) in turns:
            demand(abs(n) <= 64, "a large multiple of an angle")
            total = self.plus(total, angle, n)
            sine = sine if n > 0 else (-sine[0], sine[1])
            for _ in range(abs(n)):
                c, s = (
                    self.plus(self.times(c, cosine), self.times(s, sine), -1),
                    self.plus(self.times(s, cosine), self.times(c, sine)),
                )
        demand(self.same(self.value(a), total), "a wrong angle")
        self.values[key(["cos", a])], self.values[key(["sin", a])] = c, s

    def _case(self, t: Term, s: int) -> None:
        demand(t[0] in ("Abs", "sign") and s in (-1, 0, 1), "not a case of a sign")
        fact = self.context.sign(t[1])
        known = fact == ZERO if s == 0 else self.is_positive(mul(s, t[1]))
        weak = s != 0 and t[0] == "Abs" and fact is not None and fact * s >= 0
        demand(known or weak, f"the sign of {key(t[1])[:200]} is open")
        constant = self.constant(Fraction(s))
        self.values[key(t)] = constant if t[0] == "sign" else self.times(self.value(t[1]), constant)

    def _extreme(self, t: Term, i: int) -> None:
        demand(t[0] in ("Min", "Max") and 0 < i < len(t), "not an extreme value")
        for other in t[1:]:
            gap = add(t[i], mul(-1, other)) if t[0] == "Max" else add(other, mul(-1, t[i]))
            demand(
                other == t[i] or (self.context.sign(gap) or -1) >= 0 or self.is_positive(gap),
                "an open order",
            )
        self.values[key(t)] = self.value(t[i])

    def _equal(self, t: Term, j: int, s: int) -> None:
        op, args, g = self.opaque[j]
        demand(op == t[0] and (s == 1 or (s == -1 and op in ODD and op != "LambertW")), "not equal")
        factor = self.constant(Fraction(s))
        for a, b in zip(args, t[1:], strict=True):
            demand(self.same(self.times(a, factor), self.value(b)), "different arguments")
        self.values[key(t)] = self.times(g, factor)

    # -- zero, and signs by coefficients

    def ball_of(self, p: fmpz_mpoly, bits: int) -> arb:
        """The values of a polynomial on a small box around the point."""
        used = [i for i, k in enumerate(p.degrees()) if k]
        balls = {i: at_precision(bits, self.meaning[i], self.point or {}, 200) for i in used}
        before = flint.ctx.prec
        flint.ctx.prec = bits
        try:
            return sum(
                (
                    math.prod((balls[i] ** int(e[i]) for i in used if e[i]), start=arb(c))
                    for e, c in p.terms()
                ),
                arb(0),
            )
        finally:
            flint.ctx.prec = before

    def vanishes_by_cofactor(self, n: fmpz_mpoly, cofactor: list[Any]) -> bool:
        r"""Whether n = 0 near the point because n m = 0 there, with a factor m that is not zero.

        The relations hold for the values of the generators, whether they are the only ones or not:
        a multiple n m that reduces to zero is zero there. For conjugates under $\pm\sqrt{\cdot}$,
        m is the product of all but one. In general, $\mu(n) = 0$ for the minimal polynomial
        $\mu = T^k g$, $g(0) \ne 0$, of the multiplication by n, a matrix (Cayley-Hamilton), and
        $m = n^{k-1} g(n)$, which is $g(0)$ when n = 0 and k = 1.
        """
        demand(self.point is not None, "no point")
        count = len(self.gens)
        table: dict[tuple[int, ...], int] = {}
        for c, exponents in cofactor:
            small = all(type(k) is int and 0 <= k <= MAX_DEGREE for k in exponents)
            demand(type(c) is int and len(exponents) == count and small, "no polynomial")
            table[tuple(exponents)] = c
        m = self.ring.from_dict(table)
        demand(m != 0 and all(i in self.meaning for i, k in enumerate(m.degrees()) if k), "unknown")
        demand(len(n) * len(m) < MAX_TERMS, "a large product")
        bounded(m)
        known = any(not self.ball_of(m, bits).contains(0) for bits in BITS[1:])
        demand(known, "the other factor may be zero")
        return bool(self.reduce(n * m) == 0)

    def polynomial_sign(self, p: fmpz_mpoly) -> int | None:
        """The sign of a polynomial for all values that the generators may take."""
        demand(max(map(int, p.degrees())) <= MAX_FACTORED, "a polynomial of a large degree")
        content, factors = p.factor()
        total = POSITIVE if content > 0 else NEGATIVE
        for f, k in factors:
            s = self._definite(f)
            if s is None and k % 2 == 0:
                s = NONNEGATIVE
            if s is None:
                return None
            s = s if k % 2 else abs(s)
            size = min(abs(s), abs(total))
            total = size if s * total > 0 else -size
        return total

    def _definite(self, p: fmpz_mpoly) -> int | None:
        for q in (p, self._above_one(p)):
            for s in (1, -1):
                sizes = [(self._monomial(e) or 0) if c * s > 0 else 0 for e, c in q.terms()]
                if 0 not in sizes:
                    return s * max(sizes)
        used = [i for i, k in enumerate(p.degrees()) if k]
        if len(used) != 1:
            return None
        coefficients = [0] * (int(p.degrees()[used[0]]) + 1)
        for e, c in p.terms():
            coefficients[int(e[used[0]])] = int(c)
        half = self.signs.get(used[0]) == POSITIVE
        for root, _ in fmpz_poly(coefficients).complex_roots():
            if root.imag.contains(0) and not (half and root.real <= 0):
                return None
        return POSITIVE if sum(coefficients) > 0 else NEGATIVE

    def _monomial(self, exponents: Any) -> int | None:
        """A strict or weak sign >= 0 of a monomial."""
        signs = [
            self.signs.get(i, 0) if k % 2 else 1 + (self.signs.get(i) == POSITIVE)
            for i, k in enumerate(exponents)
            if k
        ]
        return None if 0 in signs else min([POSITIVE, *signs])

    def _above_one(self, p: fmpz_mpoly) -> fmpz_mpoly:
        """The polynomial in g - 1 for the exponentials g > 1."""
        above = {
            i
            for i, m in self.meaning.items()
            if isinstance(m, list) and m[0] == "exp" and self.context.sign(m[1]) == POSITIVE
        }
        size = len(p) * math.prod(int(k) + 1 for i, k in enumerate(p.degrees()) if i in above)
        if not above or size > 100_000:
            return p
        return p.compose(
            *(g + 1 if i in above else g for i, g in enumerate(self.gens)), ctx=self.ring
        )
