r"""Normal forms: an expression as a fraction of polynomials in algebraically related generators.

Every elementary function in an expression becomes a generator of a polynomial ring over
$\mathbb{Z}$ (FLINT's ``fmpz_mpoly``), together with the relations that hold among them:

* exponentials split additively, $e^{a+b} = e^a e^b$, with the common denominator of the rational
  coefficients in one direction as unit, so that $e^{2t}$ is $(e^t)^2$;
* sine and cosine of a direction are a pair with $s^2 = 1 - c^2$;
* a root is a generator per irreducible factor of the radicand, $g^q = f$;
* logarithms and powers with symbolic exponents are split over irreducible factors;
* hyperbolic and inverse hyperbolic functions are rewritten by exponentials and logarithms;
* $e^{W(z)} = z / W(z)$ for Lambert's function.

All relations are true, so a numerator that reduces to zero proves that the expression vanishes
near the reference point. Relations such as $\sqrt{f^2} = f$ hold for one sign of $f$ only: that
sign is read off at the reference point, in ball arithmetic, and recorded as a condition.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import Ordering, arb, fmpz_mpoly, fmpz_mpoly_ctx

from theory.errors import UnsupportedFormula
from theory.exact.balls import enclose, precision, rational_ball
from theory.exact.budget import spent

__all__ = ["Field", "Fraction", "NormalFormError"]

Fraction = tuple[fmpz_mpoly, fmpz_mpoly]

MAX_GENERATORS = 48
MAX_TERMS = 4_000
_BITS = 192


class NormalFormError(UnsupportedFormula):
    """An expression has no normal form at this reference point."""


class _FinerUnit(Exception):
    """A direction needs a larger common denominator; the conversion starts again with it."""


class Field:
    """The generators of a set of expressions, and the fractions over them.

    Parameters
    ----------
    reference : mapping from sympy.Symbol to sympy.Rational
        An exact point at which signs are read off; all expressions must be finite there.

    Examples
    --------
    >>> t = sp.Symbol("t", real=True)
    >>> Field({t: sp.Rational(3, 7)}).is_zero(sp.cosh(t) ** 2 - sp.sinh(t) ** 2 - 1)
    True
    """

    def __init__(self, reference: Mapping[sp.Symbol, sp.Rational]) -> None:
        self.reference = dict(reference)
        with precision(_BITS):
            self._env = {s: rational_ball(q) for s, q in self.reference.items()}
        self._units: dict[Any, int] = {}
        self._reset()

    # -- generators -------------------------------------------------------------------------

    def _reset(self) -> None:
        self.context = fmpz_mpoly_ctx.get([f"g{i}" for i in range(MAX_GENERATORS)], Ordering.lex)
        self._gens = list(self.context.gens())
        self._free = MAX_GENERATORS - 1
        self._index: dict[Any, int] = {}
        self.keys: dict[int, Any] = {}
        self._values: dict[int, arb | None] = {}
        # a monic relation of a generator: index -> (degree, polynomial)
        self._relations: dict[int, tuple[int, fmpz_mpoly]] = {}
        # what an exponential, root or power generator stands for
        self.meaning: dict[int, tuple[str, Any, Any]] = {}
        # generators that are > 0 for all values of the symbols, and those that are >= 0
        self.positive: set[int] = set()
        self.nonnegative: set[int] = set()
        self.above_one: set[int] = set()
        self.conditions: list[fmpz_mpoly | sp.Expr] = []
        self._memo: dict[Any, Fraction] = {}
        self.one = self.context.constant(1)
        self.zero = self.context.constant(0)

    def _new(self, key: Any, value: arb | None, *, positive: bool = False) -> int:
        # later generators come first in the lexicographic order, so that a relation reduces to
        # what it was built from
        if self._free < 0:
            raise NormalFormError("The expression has too many independent functions.")
        i = self._free
        self._free -= 1
        self._index[key] = i
        self.keys[i] = key
        self._values[i] = value if value is not None and value.is_finite() else None
        if positive:
            self.positive.add(i)
        return i

    def _unit(self, direction: Any, denominator: int) -> int:
        known = self._units.get(direction, 1)
        if known % denominator:
            self._units[direction] = math.lcm(known, denominator)
            raise _FinerUnit
        return known

    def value(self, p: fmpz_mpoly) -> arb | None:
        """The ball of a polynomial at the reference point, or None when a generator has none."""
        with precision(_BITS):
            total = arb(0)
            for exponents, coefficient in p.terms():
                term = arb(int(coefficient))
                for i, n in enumerate(exponents):
                    if n:
                        v = self._values[i]
                        if v is None:
                            return None
                        term = term * v ** int(n)
                total = total + term
            return total

    def sign(self, p: fmpz_mpoly) -> int:
        """The sign of a polynomial at the reference point."""
        v = self.value(p)
        if v is not None:
            if v > 0:
                return 1
            if v < 0:
                return -1
        raise NormalFormError("A sign at the reference point could not be read off.")

    # -- fractions --------------------------------------------------------------------------

    def reduce(self, p: fmpz_mpoly) -> fmpz_mpoly:
        """The remainder of a polynomial modulo all relations."""
        if len(p) > MAX_TERMS:
            raise NormalFormError("The normal form is too large.")
        again = True
        while again:
            again = False
            degrees = p.degrees()
            if spent():
                raise NormalFormError("The normal form took too long.")
            for i in sorted(self._relations):
                degree, relation = self._relations[i]
                if degrees[i] >= degree:
                    p = divmod(p, relation)[1]
                    again = True
                    degrees = p.degrees()
                    if len(p) > MAX_TERMS:
                        raise NormalFormError("The normal form is too large.")
        return p

    def fraction(self, n: fmpz_mpoly, d: fmpz_mpoly) -> Fraction:
        """The fraction n / d in lowest terms, reduced modulo the relations."""
        if spent():
            raise NormalFormError("The normal form took too long.")
        if len(n) > MAX_TERMS or len(d) > MAX_TERMS:
            raise NormalFormError("The normal form is too large.")
        if self._relations:
            n, d = self.reduce(n), self.reduce(d)
        if d == 0:
            raise NormalFormError("A denominator is zero.")
        if n == 0:
            return self.zero, self.one
        if d != 1:
            g = n.gcd(d)
            if g != 1:
                n, d = divmod(n, g)[0], divmod(d, g)[0]
            if d.leading_coefficient() < 0:
                n, d = -n, -d
        return n, d

    def constant(self, p: int, q: int = 1) -> Fraction:
        """A rational constant."""
        return self.context.constant(int(p)), self.context.constant(int(q))

    def add(self, a: Fraction, b: Fraction) -> Fraction:
        """The sum of two fractions."""
        if a[1] == b[1]:
            return self.fraction(a[0] + b[0], a[1])
        if max(len(a[0]) * len(b[1]), len(a[1]) * len(b[0])) > 50 * MAX_TERMS:
            raise NormalFormError("The normal form is too large.")
        return self.fraction(a[0] * b[1] + b[0] * a[1], a[1] * b[1])

    def mul(self, a: Fraction, b: Fraction) -> Fraction:
        """The product of two fractions."""
        if max(len(a[0]) * len(b[0]), len(a[1]) * len(b[1])) > 50 * MAX_TERMS:
            raise NormalFormError("The normal form is too large.")
        return self.fraction(a[0] * b[0], a[1] * b[1])

    def power(self, a: Fraction, n: int) -> Fraction:
        """An integer power of a fraction."""
        if n < 0:
            if a[0] == 0:
                raise NormalFormError("A denominator is zero.")
            a, n = (a[1], a[0]), -n
        size = max(len(a[0]), len(a[1]))
        if n > 200 or (size > 1 and size * n > 3000):
            raise NormalFormError("A power is too large to expand.")
        return self.fraction(a[0] ** n, a[1] ** n)

    def _generator(self, i: int) -> Fraction:
        return self._gens[i], self.one

    # -- conversion -------------------------------------------------------------------------

    def convert(self, e: sp.Expr) -> Fraction:
        """The normal form of an expression.

        Raises
        ------
        NormalFormError
            When a sign or a function is out of reach.
        """
        for _ in range(12):
            try:
                return self._convert(sp.sympify(e, strict=True))
            except _FinerUnit:
                self._reset()
        raise NormalFormError("The common denominators did not settle.")

    def is_zero(self, e: sp.Expr) -> bool:
        """Whether the normal form is zero (False says nothing)."""
        return bool(self.convert(e)[0] == 0)

    def _convert(self, e: Any) -> Fraction:
        known = self._memo.get(e)
        if known is None:
            known = self._memo[e] = self._build(e)
        return known

    def _build(self, e: Any) -> Fraction:
        if e.is_Rational:
            return self.constant(e.p, e.q)
        if e.is_Symbol:
            if e not in self._index:
                self._new(e, self._env.get(e), positive=bool(e.is_positive))
            return self._generator(self._index[e])
        if e is sp.E:
            return self._exponential(sp.S.One)
        if e.is_NumberSymbol:
            if e not in self._index:
                with precision(_BITS):
                    self._new(e, enclose(e, {}), positive=True)
            return self._generator(self._index[e])
        if e.is_Add:
            total = self._convert(e.args[0])
            for a in e.args[1:]:
                total = self.add(total, self._convert(a))
            return total
        if e.is_Mul:
            total = self._convert(e.args[0])
            for a in e.args[1:]:
                total = self.mul(total, self._convert(a))
            return total
        if isinstance(e, sp.exp):
            return self._exponential(e.args[0])
        if e.is_Pow:
            base, exponent = e.args
            if exponent.is_Integer:
                return self.power(self._convert(base), int(exponent))
            if base is sp.E:
                return self._exponential(exponent)
            return self._general_power(self._convert(base), exponent)
        return self._function(e)

    def _function(self, e: Any) -> Fraction:
        f = e.func
        if f is sp.polylog and e.args[0] == 1:
            return self._convert(-sp.log(1 - e.args[1]))
        rewrite = _REWRITE.get(f)
        if rewrite is not None:
            return self._convert(rewrite(*e.args))
        if f is sp.log:
            return self._logarithm(self._convert(e.args[0]))
        if f in (sp.sin, sp.cos):
            c, s = self._circle(e.args[0])
            return s if f is sp.sin else c
        if f in (sp.Abs, sp.sign):
            n, d = a = self._convert(e.args[0])
            if n == 0:
                return self.constant(0)
            sign = self._condition(n) * self._condition(d)
            if f is sp.sign:
                return self.constant(sign)
            return a if sign > 0 else (-a[0], a[1])
        if f in (sp.Max, sp.Min):
            best = e.args[0]
            for other in e.args[1:]:
                n, d = self._convert(best - other)
                if n == 0:
                    continue
                larger = self._condition(n) * self._condition(d) > 0
                if larger is (f is sp.Min):
                    best = other
            return self._convert(best)
        return self._opaque(e)

    def _opaque(self, e: Any) -> Fraction:
        """A function without relations, of canonical arguments; odd ones by a positive lead."""
        arguments = [self._convert(a) for a in e.args]
        sign = 1
        if e.func in _ODD and arguments[0][0] != 0:
            n, d = arguments[0]
            if n.leading_coefficient() < 0:
                sign, arguments[0] = -1, (-n, d)
        elif e.func in _ODD:
            return self.constant(0)
        key = (e.func, tuple((str(n), str(d)) for n, d in arguments))
        if key not in self._index:
            value = None
            try:
                with precision(_BITS):
                    value = sign * enclose(e, self._env)
            except UnsupportedFormula:
                value = None
            i = self._new(key, value)
            if e.func is sp.LambertW:
                self.meaning[i] = ("lambertw", arguments[0], None)
        n, d = self._generator(self._index[key])
        return (n, d) if sign > 0 else (-n, d)

    def _condition(self, p: fmpz_mpoly) -> int:
        """The sign of a polynomial at the reference point, recorded as a condition."""
        if p.is_constant():
            return 1 if p.leading_coefficient() > 0 else -1
        s = self.sign(p)
        self.conditions.append(p if s > 0 else -p)
        return s

    # -- exponentials and the circle ---------------------------------------------------------

    def _exponential(self, a: sp.Expr) -> Fraction:
        out = self.constant(1)
        for c, r in _terms(a):
            if isinstance(r, sp.log):
                out = self.mul(out, self._general_power(self._convert(r.args[0]), c))
                continue
            hidden = [y for y in sp.Mul.make_args(r) if isinstance(y, _LOGARITHMIC)]
            if hidden:
                logarithm = _REWRITE[hidden[0].func](*hidden[0].args)
                out = self.mul(out, self._exponential(c * r / hidden[0] * logarithm))
                continue
            logs = [y for y in sp.Mul.make_args(r) if isinstance(y, sp.log)]
            if logs:
                base = self._convert(logs[0].args[0])
                out = self.mul(out, self._general_power(base, c * r / logs[0]))
                continue
            if isinstance(r, sp.LambertW) and c.is_Integer:
                quotient = self.mul(self._convert(r.args[0]), self.power(self._convert(r), -1))
                out = self.mul(out, self.power(quotient, int(c)))
                continue
            out = self.mul(out, self._exponential_direction(c, r))
        return out

    def _exponential_direction(self, c: sp.Rational, r: sp.Expr) -> Fraction:
        unit = self._unit(("exp", r), int(c.q))
        key = ("exp", r, unit)
        if key not in self._index:
            self._convert(r)
            value = None
            try:
                with precision(_BITS):
                    value = (enclose(r, self._env) / unit).exp()
            except UnsupportedFormula:
                value = None
            i = self._new(key, value, positive=True)
            if self._visibly_positive(r):
                self.above_one.add(i)
            self.meaning[i] = ("exp", r / unit, None)
        return self.power(self._generator(self._index[key]), int(c * unit))

    @staticmethod
    def _visibly_positive(r: sp.Expr) -> bool:
        return all(
            a.is_positive is True if a.is_Symbol else bool(a.is_Rational and a > 0)
            for a in (x.base if x.is_Pow else x for x in sp.Mul.make_args(r))
        )

    def _circle(self, a: sp.Expr) -> tuple[Fraction, Fraction]:
        """(cos a, sin a) by the addition theorems."""
        c, s = self.constant(1), self.constant(0)
        for q, r in _terms(a):
            b = self._circle_direction(q, r)
            minus = (-s[0], s[1])
            c, s = (
                self.add(self.mul(c, b[0]), self.mul(minus, b[1])),
                self.add(self.mul(s, b[0]), self.mul(c, b[1])),
            )
        return c, s

    def _circle_direction(self, q: sp.Rational, r: sp.Expr) -> tuple[Fraction, Fraction]:
        n: int
        if isinstance(r, (sp.atan, sp.asin, sp.acos)) and q.is_Integer:
            g = r.args[0]
            if isinstance(r, sp.atan):
                unit = (self._convert(1 / sp.sqrt(1 + g**2)), self._convert(g / sp.sqrt(1 + g**2)))
            elif isinstance(r, sp.asin):
                unit = (self._convert(sp.sqrt(1 - g**2)), self._convert(g))
            else:
                unit = (self._convert(g), self._convert(sp.sqrt(1 - g**2)))
            n = int(q)
        else:
            den = self._unit(("circle", r), int(q.q))
            key_c, key_s = ("cos", r, den), ("sin", r, den)
            if key_c not in self._index:
                self._convert(r)
                cosine = sine = None
                try:
                    with precision(_BITS):
                        angle = enclose(r, self._env) / den
                        cosine, sine = angle.cos(), angle.sin()
                except UnsupportedFormula:
                    cosine = sine = None
                i = self._new(key_c, cosine)
                j = self._new(key_s, sine)
                self._relations[j] = (2, self._gens[j] ** 2 + self._gens[i] ** 2 - 1)
            unit = (
                self._generator(self._index[key_c]),
                self._generator(self._index[key_s]),
            )
            n = int(q * den)
        c, s = self.constant(1), self.constant(0)
        if abs(n) > 64:
            raise NormalFormError("A multiple angle is too large to expand.")
        for _ in range(abs(n)):
            c, s = (
                self.add(self.mul(c, unit[0]), self.mul((-s[0], s[1]), unit[1])),
                self.add(self.mul(s, unit[0]), self.mul(c, unit[1])),
            )
        return (c, s) if n >= 0 else (c, (-s[0], s[1]))

    # -- roots, powers, logarithms ------------------------------------------------------------

    def _is_algebraic(self, p: fmpz_mpoly) -> bool:
        degrees = p.degrees()
        return any(degrees[i] > 0 for i in self._relations)

    def _factors(self, a: Fraction, *, implied: bool = True) -> list[tuple[fmpz_mpoly, int]]:
        """Positive irreducible factors (at the reference point) of a positive fraction.

        `implied` says that the expression has a real value only where the fraction is positive.

        Numbers come as primes. A polynomial in generators with relations is not factored: the
        ring is then no unique factorization domain.
        """
        n, d = a
        if n == 0:
            raise NormalFormError("A root or logarithm of zero.")
        out: list[tuple[fmpz_mpoly, int]] = []
        open_signs: list[tuple[fmpz_mpoly, int]] = []
        sign = 1
        for p, direction in ((n, 1), (d, -1)):
            if self._is_algebraic(p):
                monomial, rest = self._split_monomial(p)
                for i, k in monomial:
                    s = self.sign(self._gens[i])
                    sign *= s ** (k % 2)
                    if i not in self.positive:
                        open_signs.append((self._gens[i] if s > 0 else -self._gens[i], k))
                    out.append((self._gens[i] if s > 0 else -self._gens[i], k * direction))
                if rest.is_constant():
                    content = int(rest.leading_coefficient())
                    sign *= 1 if content > 0 else -1
                    out += [
                        (self.context.constant(q), k * direction)
                        for q, k in sp.factorint(abs(content)).items()
                    ]
                    continue
                s = self.sign(rest)
                sign *= s
                rest = rest if s > 0 else -rest
                if self.definite_sign(rest) != 1:
                    open_signs.append((rest, 1))
                out.append((rest, direction))
                continue
            content, factors = factor(p)
            sign *= 1 if content > 0 else -1
            out += [
                (self.context.constant(q), k * direction)
                for q, k in sp.factorint(abs(content)).items()
            ]
            for f, k in factors:
                s = self.sign(f)
                sign *= s ** (int(k) % 2)
                f = f if s > 0 else -f
                if self.definite_sign(f) != 1:
                    open_signs.append((f, int(k)))
                out.append((f, int(k) * direction))
        if sign < 0:
            raise NormalFormError("A root or logarithm of a negative number.")
        if implied and len(open_signs) == 1 and open_signs[0][1] % 2:
            # the only factor of unknown sign, to an odd power: where the root or logarithm has a
            # real value the product is positive, hence so is this factor
            return out
        self.conditions += [f for f, _ in open_signs]
        return out

    def _split_monomial(self, p: fmpz_mpoly) -> tuple[list[tuple[int, int]], fmpz_mpoly]:
        monomials = p.monoms()
        low = [min(int(m[i]) for m in monomials) for i in range(MAX_GENERATORS)]
        divisor = self.one
        for i, k in enumerate(low):
            if k:
                divisor = divisor * self._gens[i] ** k
        return [(i, k) for i, k in enumerate(low) if k], divmod(p, divisor)[0]

    def _single(self, f: fmpz_mpoly) -> int | None:
        """The index of the generator that a factor is, if it is one."""
        if len(f) == 1 and f.leading_coefficient() == 1:
            exponents = f.monoms()[0]
            used = [i for i, k in enumerate(exponents) if k]
            if len(used) == 1 and int(exponents[used[0]]) == 1:
                return used[0]
        return None

    def _general_power(self, base: Fraction, exponent: sp.Expr) -> Fraction:
        """base**exponent for a positive base, split over factors and over terms of the exponent."""
        out = self.constant(1)
        if exponent.is_Integer:
            return self.power(base, int(exponent))
        if exponent.free_symbols:
            exponent = _partial_fractions(exponent)
        # z^r has values for z < 0 if r is, or may be, an integer: r = 1/n for n = 1/2
        factors = self._factors(base, implied=exponent.is_integer is False)
        for c, r in _terms(exponent):
            for f, k in factors:
                out = self.mul(out, self._factor_power(f, k * c, r))
        return out

    def _factor_power(self, f: fmpz_mpoly, c: sp.Rational, r: sp.Expr) -> Fraction:
        """f**(c r) for one positive factor."""
        i = self._single(f)
        meaning = self.meaning.get(i) if i is not None else None
        if meaning is not None and meaning[0] == "exp":
            return self._exponential(c * r * meaning[1])
        if meaning is not None and meaning[0] == "root":
            return self._factor_power(meaning[1], sp.Rational(c) / meaning[2], r)
        if meaning is not None and meaning[0] == "power":
            return self._split_power(meaning[1], c * r * meaning[2])
        if r is sp.S.One:
            return self._root(f, sp.Rational(c))
        unit = self._unit(("power", r), int(sp.Rational(c).q))
        key = ("power", str(f), r, unit)
        if key not in self._index:
            self._convert(r)
            value = None
            base = self.value(f)
            if base is not None:
                try:
                    with precision(_BITS):
                        value = (base.log() * enclose(r, self._env) / unit).exp()
                except UnsupportedFormula:
                    value = None
            j = self._new(key, value)
            self._mark_sign(j, f)
            self.meaning[j] = ("power", f, r / unit)
        return self.power(self._generator(self._index[key]), int(c * unit))

    def _mark_sign(self, i: int, f: fmpz_mpoly) -> None:
        """A root or power is positive where its base is, and zero where the base is zero."""
        (self.positive if self.definite_sign(f) == 1 else self.nonnegative).add(i)

    def _split_power(self, f: fmpz_mpoly, exponent: sp.Expr) -> Fraction:
        out = self.constant(1)
        for c, r in _terms(_partial_fractions(exponent)):
            out = self.mul(out, self._factor_power(f, c, r))
        return out

    def _root(self, f: fmpz_mpoly, c: sp.Rational) -> Fraction:
        """f**c for one positive factor and a rational exponent."""
        whole = int(c.p // c.q)
        rest = c - whole
        out = self.power((f, self.one), whole)
        if rest == 0:
            return out
        # one root per factor: all fractional exponents share the unit 1/q
        q = self._unit(("root",), int(rest.q))
        key = ("root", str(f), q)
        if key not in self._index:
            value = self.value(f)
            with precision(_BITS):
                i = self._new(key, value.root(q) if value is not None else None)
            self._mark_sign(i, f)
            self._relations[i] = (q, self._gens[i] ** q - f)
            self.meaning[i] = ("root", f, q)
        return self.mul(out, self.power(self._generator(self._index[key]), int(rest * q)))

    def _logarithm(self, a: Fraction) -> Fraction:
        out = self.constant(0)
        for f, k in self._factors(a):
            out = self.add(out, self.mul(self.constant(k), self._factor_logarithm(f)))
        return out

    def _factor_logarithm(self, f: fmpz_mpoly) -> Fraction:
        i = self._single(f)
        meaning = self.meaning.get(i) if i is not None else None
        if meaning is not None:
            kind, what, more = meaning
            if kind == "exp":
                return self._convert(what)
            if kind == "root":
                return self.mul(self.constant(1, more), self._factor_logarithm(what))
            if kind == "power":
                return self.mul(self._convert(more), self._factor_logarithm(what))
            if kind == "lambertw" and i is not None and self.sign(what[0]) == self.sign(what[1]):
                # W(z) > 0 for z > 0, and log W = log z - W
                n, d = self._generator(i)
                return self.add(self._logarithm(what), (-n, d))
        key = ("log", str(f))
        if key not in self._index:
            value = self.value(f)
            with precision(_BITS):
                self._new(
                    key,
                    value.log() if value is not None else None,
                    positive=self.definite_sign(f - 1) == 1,
                )
        return self._generator(self._index[key])

    # -- signs everywhere -----------------------------------------------------------------------

    def _definite(self, p: fmpz_mpoly) -> bool:
        """Whether p >= 0 with p > 0 off a null set: nonnegative coefficients, even exponents."""
        for exponents, coefficient in p.terms():
            if coefficient < 0:
                return False
            if any(
                int(n) % 2 and i not in self.positive and i not in self.nonnegative
                for i, n in enumerate(exponents)
                if n
            ):
                return False
        return True

    def definite_sign(self, p: fmpz_mpoly) -> int | None:
        """A strict sign of p for all values of the generators, by its coefficients.

        Strict: some term has even exponents and only in generators that cannot vanish.
        """
        for candidate in (p, self._shifted(p)):
            if candidate is None:
                continue
            for s, q in ((1, candidate), (-1, -candidate)):
                if self._definite(q) and any(
                    all(not n or i in self.positive for i, n in enumerate(exponents))
                    for exponents, _ in q.terms()
                ):
                    return s
        return None

    def _shifted(self, p: fmpz_mpoly) -> fmpz_mpoly | None:
        """P with 1 + g for every exponential g of a positive exponent, as there g > 1."""
        degrees = p.degrees()
        above = [i for i in self.above_one if degrees[i]]
        if not above or len(p) > 200 or any(degrees[i] > 12 for i in above):
            return None
        return p.compose(
            *(g + 1 if i in above else g for i, g in enumerate(self._gens)), ctx=self.context
        )

    def unconditional(self) -> bool:
        """Whether every recorded condition holds for all values that the symbols may take."""
        return all(
            self.definite_sign(c) == 1 if isinstance(c, fmpz_mpoly) else False
            for c in self.conditions
        )

    # -- conjugates --------------------------------------------------------------------------

    def vanishes_by_norm(self, n: fmpz_mpoly, *, limit: int = 5) -> bool:
        """Whether n = 0 at the reference point follows from the norm over square-root signs.

        The product over all sign choices of the square roots is zero, so one factor is zero; all
        others are nonzero at the reference point, hence nearby, so it is n itself.
        """
        roots = [
            i for i, (k, _) in self._relations.items() if k == 2 and self.meaning.get(i) is not None
        ]
        inner = {
            j for i in roots for j in roots if j != i and self._relations[i][1].degrees()[j] > 0
        }
        free = [i for i in roots if i not in inner]
        if not free or len(free) > limit or any(k != 2 for k, _ in self._relations.values()):
            return False
        product, others = n, []
        for mask in range(1, 2 ** len(free)):
            flipped = [i for b, i in enumerate(free) if mask >> b & 1]
            terms = n.to_dict()
            for exponents in terms:
                if sum(int(exponents[i]) for i in flipped) % 2:
                    terms[exponents] = -terms[exponents]
            conjugate = self.context.from_dict(terms)
            others.append(conjugate)
            product = self.reduce(product * conjugate)
        if product != 0:
            return False
        for conjugate in others:
            v = self.value(conjugate)
            if v is None or v.contains(0):
                return False
        return True


_REWRITE: dict[Any, Any] = {
    sp.sinh: lambda u: (sp.exp(u) - sp.exp(-u)) / 2,
    sp.cosh: lambda u: (sp.exp(u) + sp.exp(-u)) / 2,
    sp.tanh: lambda u: (sp.exp(2 * u) - 1) / (sp.exp(2 * u) + 1),
    sp.coth: lambda u: (sp.exp(2 * u) + 1) / (sp.exp(2 * u) - 1),
    sp.sech: lambda u: 2 * sp.exp(u) / (sp.exp(2 * u) + 1),
    sp.csch: lambda u: 2 * sp.exp(u) / (sp.exp(2 * u) - 1),
    sp.asinh: lambda u: sp.log(u + sp.sqrt(u**2 + 1)),
    sp.acosh: lambda u: sp.log(u + sp.sqrt(u - 1) * sp.sqrt(u + 1)),
    sp.atanh: lambda u: (sp.log(1 + u) - sp.log(1 - u)) / 2,
    sp.acoth: lambda u: sp.log((u + 1) / (u - 1)) / 2,
    sp.asech: lambda u: sp.log(1 / u + sp.sqrt(1 / u - 1) * sp.sqrt(1 / u + 1)),
    sp.acsch: lambda u: sp.log(1 / u + sp.sqrt(1 / u**2 + 1)),
    sp.tan: lambda u: sp.sin(u) / sp.cos(u),
    sp.cot: lambda u: sp.cos(u) / sp.sin(u),
    sp.sec: lambda u: 1 / sp.cos(u),
    sp.csc: lambda u: 1 / sp.sin(u),
    sp.acot: lambda u: sp.atan(1 / u),
    sp.acos: lambda u: sp.pi / 2 - sp.asin(u),
    sp.erfc: lambda u: 1 - sp.erf(u),
    sp.li: lambda u: sp.Ei(sp.log(u)),
    sp.loggamma: lambda u: sp.log(sp.gamma(u)),
}
_LOGARITHMIC = (sp.asinh, sp.acosh, sp.atanh, sp.acoth, sp.asech, sp.acsch)
_ODD = {sp.atan, sp.asin, sp.erf, sp.erfi, sp.erfinv, sp.Si, sp.Shi}


@lru_cache(maxsize=2048)
def _partial_fractions(a: sp.Expr) -> sp.Expr:
    """A rational function of one symbol as partial fractions, other sums expanded."""
    a = sp.together(a)
    free = list(a.free_symbols)
    if len(free) == 1 and a.is_rational_function():
        return sp.apart(a, free[0])
    return sp.expand(a)


@lru_cache(maxsize=2048)
def _terms(a: sp.Expr) -> tuple[tuple[sp.Rational, sp.Expr], ...]:
    """A sum as rational multiples of directions."""
    a = sp.expand(a)
    divided = any(x.exp.is_negative and x.base.is_Add for x in a.atoms(sp.Pow))
    if divided and len(a.free_symbols) == 1 and a.is_rational_function():
        a = sp.expand(_partial_fractions(a))
    out: dict[sp.Expr, sp.Rational] = {}
    for t in sp.Add.make_args(a):
        c, r = t.as_coeff_Mul()
        if not c.is_Rational:
            c, r = sp.S.One, t
        out[r] = out.get(r, sp.S.Zero) + c
    return tuple((c, r) for r, c in out.items() if c != 0)


def factor(p: fmpz_mpoly) -> tuple[int, list[tuple[fmpz_mpoly, int]]]:
    """Content and irreducible factors.

    FLINT's Python binding sorts the factors by their coefficients and fails on large ones; then
    the primitive part counts as one factor, which is sound and only less complete.
    """
    try:
        content, factors = p.factor()
        return int(content), [(f, int(k)) for f, k in factors]
    except OverflowError:
        content = p.content()
        return int(content), [(divmod(p, p.context().constant(int(content)))[0], 1)]
