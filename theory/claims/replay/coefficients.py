r"""Numbers that depend on names, as polynomials in terms: $\sum q \prod a_i^{n_i}$ with integers n.

A factor with a negative power is a term that is nowhere zero. So equal powers cancel, and what is
left is equal to the number wherever all of its factors have values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from theory.claims.replay.terms import Term, add, demand, key, literal, mul, number, power

__all__ = ["Coefficient", "constant", "log_of", "plus", "polynomial", "power_of", "term", "times"]

Monomial = tuple[tuple[str, int], ...]
Coefficient = dict[Monomial, Fraction]
"""From the powers of terms, by their keys, to a rational number."""

MAX_MONOMIALS = 400
MAX_BITS = 20_000
MAX_POWER = 64
Positive = Callable[[Term], bool]
"""Whether a term is known to be positive."""


def constant(q: Fraction | int) -> Coefficient:
    return {(): Fraction(q)} if q else {}


def _tidy(pairs: Iterable[tuple[Monomial, Fraction]]) -> Coefficient:
    out: Coefficient = {}
    for given, factor in pairs:
        m, q = _without_whole_roots(given, factor)
        out[m] = out.get(m, Fraction(0)) + q
    found = {m: q for m, q in out.items() if q}
    demand(len(found) <= MAX_MONOMIALS, "a large coefficient")
    size = max((max(q.numerator, q.denominator, key=abs) for q in found.values()), default=0)
    demand(int(size).bit_length() <= MAX_BITS, "a large number")
    return found


@lru_cache(maxsize=10_000)
def _root_of_number(a: str) -> tuple[Fraction, Fraction] | None:
    """Base and exponent of a power of a positive number."""
    t = json.loads(a) if a.startswith('["^"') else None
    if t is None:
        return None
    base, r = number(t[1]), number(t[2])
    return None if base is None or r is None or base <= 0 else (base, r)


def _without_whole_roots(m: Monomial, q: Fraction) -> tuple[Monomial, Fraction]:
    """The square of the root of 3 is 3; one power for each base."""
    powers: dict[str, int] = {}
    exponents: dict[Fraction, Fraction] = {}
    for a, k in m:
        if root := _root_of_number(a):
            base, r = root
            exponents[base] = exponents.get(base, Fraction(0)) + k * r
        else:
            powers[a] = powers.get(a, 0) + k
    for base, e in exponents.items():
        whole = e.__floor__()
        demand(abs(whole) <= MAX_POWER, "a large power")
        q *= base**whole
        if e != whole:
            powers[key(["^", literal(base), literal(e - whole)])] = 1
    return tuple(sorted((a, k) for a, k in powers.items() if k)), q


def plus(a: Coefficient, b: Coefficient) -> Coefficient:
    return _tidy([*a.items(), *b.items()])


def times(a: Coefficient, b: Coefficient) -> Coefficient:
    return _tidy((_joined(m, n), p * q) for m, p in a.items() for n, q in b.items())


def _joined(m: Monomial, n: Monomial) -> Monomial:
    powers = dict(m)
    for a, k in n:
        powers[a] = powers.get(a, 0) + k
    return tuple(sorted((a, k) for a, k in powers.items() if k))


def _atom(t: Term, n: int = 1) -> Coefficient:
    return {((key(t), n),): Fraction(1)}


def polynomial(t: Term) -> Coefficient:
    """A term that has a value everywhere, with its sums and products written out."""
    q = number(t)
    if q is not None:
        return constant(q)
    if not isinstance(t, list):
        return _atom(t)
    if t[0] in ("+", "*"):
        total = constant(int(t[0] == "*"))
        for a in t[1:]:
            total = (plus if t[0] == "+" else times)(total, polynomial(a))
        return total
    n = number(t[2]) if t[0] == "^" else None
    if n is not None and n.denominator == 1:
        return whole_power(polynomial(t[1]), int(n))
    return _atom(t)


def whole_power(c: Coefficient, n: int) -> Coefficient:
    """C^n, where c is nowhere zero if n is negative."""
    demand(abs(n) <= MAX_POWER, "a large power")
    if len(c) == 1:
        ((m, q),) = c.items()
        return _tidy([(tuple((a, k * n) for a, k in m if n), q**n)])
    if n < 0:
        return _atom(term(c), n)
    total = constant(1)
    for _ in range(n):
        total = times(total, c)
    return total


def term(c: Coefficient) -> Term:
    """The coefficient as a term."""
    return add(
        *(
            mul(literal(q), *(power(json.loads(a), n) for a, n in m))
            for m, q in sorted(c.items())
        )
    ) if c else 0  # fmt: skip


def _positive_monomial(c: Coefficient, positive: Positive) -> tuple[Monomial, Fraction] | None:
    if len(c) != 1:
        return None
    ((m, q),) = c.items()
    return (m, q) if q > 0 and all(positive(json.loads(a)) for a, _ in m) else None


def power_of(c: Coefficient, r: Term, positive: Positive) -> Coefficient:
    """C^r: for integers r where c is nowhere zero, for others where c is positive."""
    q = number(r)
    if q is not None and q.denominator == 1:
        return whole_power(c, int(q))
    whole = _positive_monomial(c, positive)
    if q is not None and whole is not None and all((k * q).denominator == 1 for _, k in whole[0]):
        factor = _root(whole[1], q)
        return times({tuple((a, int(k * q)) for a, k in whole[0]): Fraction(1)}, factor)
    return _atom(power(term(c), r))


def _root(p: Fraction, q: Fraction) -> Coefficient:
    """P^q for p > 0, as a number where q is a half and p a square."""
    roots = Fraction(isqrt(p.numerator), isqrt(p.denominator))
    if p == 1 or (q.denominator == 2 and roots**2 == p):
        return whole_power(constant(roots), int(2 * q) if p != 1 else 0)
    return _atom(power(literal(p), literal(q)))


def log_of(c: Coefficient, positive: Positive) -> Coefficient:
    """Log c for a positive c, as a sum where c is a product of what is positive."""
    whole = _positive_monomial(c, positive)
    if whole is None:
        return _atom(["log", term(c)])
    m, q = whole
    total = constant(0) if q == 1 else _atom(["log", literal(q)])
    for a, n in m:
        t = json.loads(a)
        one = polynomial(t[1]) if isinstance(t, list) and t[0] == "exp" else _atom(["log", t])
        total = plus(total, times(constant(n), one))
    return total


def exp_of(c: Coefficient) -> Coefficient:
    """e^c, where e^(n log b) is b^n."""
    total, rest = constant(1), constant(0)
    for m, q in c.items():
        t = json.loads(m[0][0]) if len(m) == 1 and m[0][1] == 1 else None
        if q.denominator == 1 and isinstance(t, list) and t[0] == "log" and abs(q) <= MAX_POWER:
            total = times(total, whole_power(polynomial(t[1]), int(q)))
        else:
            rest = plus(rest, {m: q})
    return times(total, _atom(["exp", term(rest)])) if rest else total
