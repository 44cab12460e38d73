r"""Expansions next to an end, in powers of s and of $\ell = \log(1/s)$, where s is t or 1/t.

An expansion of a term is a finite sum of $c\,s^p\ell^m$ with rational p and m and coefficients c
that are free of t and have values everywhere, plus $O(s^P\ell^M)$ where each term of the sum is of
larger order. It says that *for each value of the other names* the term has a real value for all s
small enough, with a constant of O that may depend on those values. By Taylor's formula sums,
products, powers and analytic functions of expansions have expansions. Which coefficients are zero,
or of one sign, must be known for all values of the names at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from theory.claims.replay.coefficients import (
    Coefficient,
    constant,
    exp_of,
    log_of,
    plus,
    polynomial,
    power_of,
    term,
    times,
)
from theory.claims.replay.facts import NEGATIVE, POSITIVE, ZERO, Context
from theory.claims.replay.terms import (
    Rejected,
    Term,
    demand,
    derivative,
    key,
    number,
    substitute,
    variables,
)

__all__ = ["Series"]

Key = tuple[Fraction, Fraction]
"""The powers (p, m) of s and of l."""

_ONE: Key = (Fraction(0), Fraction(0))
_LOG: Key = (Fraction(0), Fraction(1))
# an exponential of -1/s is O of each power of s
_BEYOND: Key = (Fraction(60), Fraction(0))
MAX_TERMS = 40
MAX_DEPTH = 8
MAX_WHOLE_POWER = 6


def _rank(a: Key) -> tuple[Fraction, Fraction]:
    """Larger orders come first: s^p l^m grows with -p, then with m."""
    return a[0], -a[1]


def _larger(a: Key, b: Key) -> bool:
    return _rank(a) < _rank(b)


def _product(a: Key, b: Key) -> Key:
    return a[0] + b[0], a[1] + b[1]


def _larger_of(a: Key | None, b: Key | None) -> Key | None:
    known = [k for k in (a, b) if k is not None]
    return min(known, key=_rank) if known else None


@dataclass(frozen=True)
class Expansion:
    """`terms` from key to coefficient; `order` of the remainder, None when there is none."""

    terms: Mapping[Key, Coefficient]
    order: Key | None = None

    def bound(self) -> Key | None:
        """An order that the whole is O of; None for zero."""
        return _larger_of(self.order, min(self.terms, key=_rank, default=None))

    def __add__(self, other: Expansion) -> Expansion:
        terms = dict(self.terms)
        for k, c in other.terms.items():
            terms[k] = plus(terms.get(k, {}), c)
        return _tidy(terms, _larger_of(self.order, other.order))

    def __mul__(self, other: Expansion) -> Expansion:
        terms: dict[Key, Coefficient] = {}
        for a, c in self.terms.items():
            for b, d in other.terms.items():
                k = _product(a, b)
                terms[k] = plus(terms.get(k, {}), times(c, d))
        order = None
        for one, two in ((self, other), (other, self)):
            size = two.bound()
            if one.order is not None and size is not None:
                order = _larger_of(order, _product(one.order, size))
        return _tidy(terms, order)

    def scaled(self, c: Coefficient, k: Key = _ONE) -> Expansion:
        return self * Expansion({k: c} if c else {})


def _tidy(terms: Mapping[Key, Coefficient], order: Key | None) -> Expansion:
    """Terms that the remainder does not cover, and not too many of them."""
    kept = {k: c for k, c in terms.items() if c and (order is None or _larger(k, order))}
    if len(kept) > MAX_TERMS:
        ranked = sorted(kept, key=_rank)
        order = ranked[MAX_TERMS]
        kept = {k: kept[k] for k in ranked[:MAX_TERMS]}
    return Expansion(kept, order)


def _fixed(c: Coefficient) -> Expansion:
    return Expansion({_ONE: c} if c else {})


class Series:
    """Expansions to one depth of all series, in the context of a germ.

    Examples
    --------
    >>> series = Series(Context({"t": [0, 1]}), "t", False, 3)
    >>> series.limit(["*", ["+", ["exp", "t"], -1], ["^", "t", -1]])
    1
    """

    def __init__(self, context: Context, t: str, at_infinity: bool, depth: int) -> None:
        demand(type(depth) is int and 1 <= depth <= MAX_DEPTH, "no depth of a series")
        self.context, self.t, self.depth = context, t, depth
        self.s_power = Fraction(-1 if at_infinity else 1)
        self.seen: dict[str, Expansion] = {}

    def sign_of(self, t: Term) -> int | None:
        """What is known of the sign of a term that is free of t."""
        return self.context.sign(t)

    def exists(self, t: Term) -> bool:
        """Whether a term that is free of t has a value for all values of the names."""
        return self.context.regular(t)

    def limit(self, a: Term) -> Term | None:
        """The limit of a term, finite or not."""
        found = self.expanded(a)
        for k in sorted(found.terms, key=_rank):
            if not _larger(k, _ONE):
                break
            if not self._vanishes(found.terms[k]):
                return ["oo", self._strict(found.terms[k])]
        demand(found.order is None or _larger(_ONE, found.order), "the limit is not reached")
        return term(found.terms.get(_ONE, {}))

    def _positive(self, t: Term) -> bool:
        return self.sign_of(t) == POSITIVE

    def _vanishes(self, c: Coefficient) -> bool:
        return not c or self.sign_of(term(c)) == ZERO

    def _strict(self, c: Coefficient) -> int:
        s = self.sign_of(term(c))
        if s not in (POSITIVE, NEGATIVE):
            raise Rejected(f"the sign of the coefficient {key(term(c))[:200]} is open")
        return 1 if s == POSITIVE else -1

    def _known(self, t: Term) -> Coefficient:
        """A term that is free of t, as a coefficient."""
        demand(self.exists(t), f"{key(t)[:200]} may have no value")
        return polynomial(t)

    def _lead(self, a: Expansion) -> tuple[Key, int, Expansion]:
        """The order of the largest term, its sign, and the expansion from there on."""
        terms = dict(a.terms)
        for k in sorted(a.terms, key=_rank):
            if not self._vanishes(terms[k]):
                return k, self._strict(terms[k]), Expansion(terms, a.order)
            del terms[k]
        raise Rejected("the leading term is unknown")

    def expanded(self, a: Term) -> Expansion:
        """The expansion of a term."""
        mark = key(a)
        if mark not in self.seen:
            self.seen[mark] = self._expanded(a)
        return self.seen[mark]

    def _expanded(self, a: Term) -> Expansion:
        if self.t not in variables(a):
            return _fixed(self._known(a))
        if a == self.t:
            return Expansion({(self.s_power, Fraction(0)): constant(1)})
        op, args = a[0], a[1:]
        if op in ("+", "*"):
            total = _fixed(constant(int(op == "*")))
            for b in args:
                inner = self.expanded(b)
                total = total + inner if op == "+" else total * inner
            return total
        if op == "^" and self.t in variables(args[1]):
            # b^e = exp(e log b) for b > 0
            return self._exponential(self.expanded(args[1]) * self._logarithm(args[0]))
        if op == "^":
            return self._power(self.expanded(args[0]), args[1])
        demand(len(args) == 1, f"no expansion of {op}")
        if op == "exp":
            return self._exponential(self.expanded(args[0]))
        if op == "log":
            return self._logarithm(args[0])
        inner = self.expanded(args[0])
        if op in ("Abs", "sign"):
            _, s, rest = self._lead(inner)
            return rest.scaled(constant(s)) if op == "Abs" else _fixed(constant(s))
        return self._function(op, inner)

    def _small(self, a: Expansion) -> tuple[Coefficient, Expansion]:
        """The limit of a bounded expansion, and what tends to zero beside it."""
        for k, c in a.terms.items():
            demand(not _larger(k, _ONE) or self._vanishes(c), "not bounded")
        demand(a.order is None or _larger(_ONE, a.order), "the limit is not reached")
        rest = {k: c for k, c in a.terms.items() if _larger(_ONE, k)}
        return a.terms.get(_ONE, {}), Expansion(rest, a.order)

    def _series(self, coefficient: Callable[[int], Coefficient], u: Expansion) -> Expansion:
        """The sum of c_k u^k with u -> 0 for a function that is analytic at 0."""
        total, power = _fixed(coefficient(0)), _fixed(constant(1))
        size = u.bound()
        if size is None:
            return total
        demand(_larger(_ONE, size), "not small")
        for k in range(1, self.depth + 1):
            power = power * u
            total = total + power.scaled(coefficient(k))
        rest = size[0] * (self.depth + 1), size[1] * (self.depth + 1)
        return total + Expansion({}, rest)

    def _one_plus(self, a: Expansion) -> tuple[Key, Coefficient, int, Expansion]:
        """A key, a coefficient c, its sign, and u with a = c s^p l^m (1 + u)."""
        k, s, a = self._lead(a)
        c = a.terms[k]
        rest = Expansion({j: d for j, d in a.terms.items() if j != k}, a.order)
        return k, c, s, rest.scaled(power_of(c, -1, self._positive), (-k[0], -k[1]))

    def _power(self, a: Expansion, r: Term) -> Expansion:
        q, one = number(r), _fixed(constant(1))
        if q is not None and q.denominator == 1 and 0 <= q <= MAX_WHOLE_POWER:
            product = one
            for _ in range(int(q)):
                product = product * a
            return product
        k, c, s, u = self._one_plus(a)
        demand(s > 0 or (q is not None and q.denominator == 1), "a power of what is negative")
        demand(q is not None or k == _ONE, "an open power of what has another limit")
        exponent = self._known(r)

        def binomial(n: int) -> Coefficient:
            total = constant(Fraction(1, factorial(n)))
            for i in range(n):
                total = times(total, plus(exponent, constant(-i)))
            return total

        new = _ONE if q is None else (k[0] * q, k[1] * q)
        return self._series(binomial, u).scaled(power_of(c, r, self._positive), new)

    def _logarithm(self, t: Term) -> Expansion:
        return self._log(self.expanded(t))

    def _log(self, a: Expansion) -> Expansion:
        k, c, s, u = self._one_plus(a)
        demand(k[1] == 0 and s > 0, "the logarithm of a logarithm, or of what is negative")
        # log(c s^p) = log c - p l
        lead = Expansion({_ONE: log_of(c, self._positive), _LOG: constant(-k[0])})
        return _tidy(lead.terms, None) + self._series(
            lambda n: constant(Fraction((-1) ** (n + 1), n) if n else 0), u
        )

    def _exponential(self, a: Expansion) -> Expansion:
        rate, terms = Fraction(0), dict(a.terms)
        for k in sorted(a.terms, key=_rank):
            if not _larger(k, _ONE):
                break
            c = terms.pop(k)
            if self._vanishes(c):
                continue
            if k == _LOG:
                # e^(q l) = s^-q
                demand(set(c) == {()}, "an open power of s")
                rate = c[()]
                continue
            # it tends to -oo faster than any multiple of l; what came before it was zero
            demand(k[0] < 0 or k[1] > 1, "neither a power of s nor beyond all of them")
            demand(self._strict(c) < 0, "larger than all powers")
            return Expansion({}, _BEYOND)
        at, u = self._small(Expansion(terms, a.order))
        small = self._series(lambda n: constant(Fraction(1, factorial(n))), u)
        return small.scaled(exp_of(at), (-rate, Fraction(0)))

    def _function(self, op: str, a: Expansion) -> Expansion:
        largest = next(
            (k for k in sorted(a.terms, key=_rank) if not self._vanishes(a.terms[k])), _ONE
        )
        if _larger(largest, _ONE):
            return self._at_infinity(op, a)
        c, u = self._small(a)
        at, names = term(c), {"y": term(c)}
        demand(self.exists([op, at]), f"{op} may not be analytic there")
        slopes: list[Term] = [[op, "y"]]

        def coefficient(n: int) -> Coefficient:
            while len(slopes) <= n:
                slopes.append(derivative(slopes[-1], "y"))
            return times(
                constant(Fraction(1, factorial(n))), self._known(substitute(slopes[n], names))
            )

        return self._series(coefficient, u)

    def _at_infinity(self, op: str, a: Expansion) -> Expansion:
        """What tends to an infinity: atan u = pi/2 - atan 1/u, and 0 < 1 - erf u < exp(-u^2)."""
        demand(op in ("atan", "erf"), f"no expansion of {op} at infinity")
        _, s, a = self._lead(a)
        size, minus = a.scaled(constant(s)), constant(-1)
        if op == "atan":
            turn = self._function("atan", self._power(size, -1)).scaled(minus)
            return (_fixed(polynomial(["*", "1/2", "pi"])) + turn).scaled(constant(s))
        order = self._exponential((size * size).scaled(minus)).bound()
        demand(order is not None, "no bound")
        return (_fixed(constant(1)) + Expansion({}, order)).scaled(constant(s))
