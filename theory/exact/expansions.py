r"""Limits by expansions in powers of t and of $\ell = \log(1/t)$, as $t \to 0^+$.

An expansion is a finite sum of $c\,t^p\ell^m$ with rational p, m and coefficients free of t, plus
$O(t^P\ell^M)$ where every term of the sum is of larger order. Sums, products, powers and analytic
functions of such are again such, by Taylor's formula, for every fixed value of the other symbols;
signs and zeros of coefficients are proved, never guessed. So a limit that is read off is proved,
and the expression is real near the point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import TheoryError
from theory.exact.assumptions import Ranges
from theory.exact.signs import sign_on
from theory.exact.verdict import Status
from theory.exact.zero import is_zero

__all__ = ["limit_by_expansion"]

Key = tuple[sp.Rational, sp.Rational]
"""The powers (p, m) of $t^p\\ell^m$."""

_ONE: Key = (sp.S.Zero, sp.S.Zero)
# beyond all orders: an exponential of a power of 1/t, written as a power of t
_BEYOND = sp.Integer(60)
_MOST_TERMS = 40
_DEPTHS = (2, 4, 7)
# analytic at every real number
_ENTIRE_ON_THE_LINE = (
    sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.atan, sp.asinh, sp.erf,
)  # fmt: skip


class _Unknown(Exception):
    """No expansion, or not far enough."""


def _larger(a: Key, b: Key) -> bool:
    """Whether a is of larger order than b near 0."""
    return bool(a[0] < b[0] or (a[0] == b[0] and a[1] > b[1]))


def _times(a: Key, b: Key) -> Key:
    return a[0] + b[0], a[1] + b[1]


def _sorted(keys: Any) -> list[Key]:
    return sorted(keys, key=lambda k: (k[0], -k[1]))


@dataclass(frozen=True)
class _Expansion:
    """`terms` from key to coefficient; `order` of the remainder, None when there is none."""

    terms: Mapping[Key, sp.Expr]
    order: Key | None = None

    @property
    def bound(self) -> Key | None:
        """An order that the whole is O of; None for zero."""
        keys = list(self.terms) + ([] if self.order is None else [self.order])
        return _sorted(keys)[0] if keys else None

    def __add__(self, other: _Expansion) -> _Expansion:
        terms = dict(self.terms)
        for key, c in other.terms.items():
            terms[key] = terms.get(key, sp.S.Zero) + c
        return _tidy(terms, _larger_of(self.order, other.order))

    def __mul__(self, other: _Expansion) -> _Expansion:
        terms: dict[Key, sp.Expr] = {}
        for a, c in self.terms.items():
            for b, d in other.terms.items():
                key = _times(a, b)
                terms[key] = terms.get(key, sp.S.Zero) + c * d
        order = None
        for one, two in ((self, other), (other, self)):
            if one.order is not None and two.bound is not None:
                order = _larger_of(order, _times(one.order, two.bound))
        return _tidy(terms, order)


def _larger_of(a: Key | None, b: Key | None) -> Key | None:
    if a is None or b is None:
        return a if b is None else b
    return a if _larger(a, b) else b


def _tidy(terms: Mapping[Key, sp.Expr], order: Key | None) -> _Expansion:
    """Terms that the remainder does not cover, and not too many of them."""
    kept = {}
    for key, c in terms.items():
        expanded = sp.expand(c)
        if expanded != 0 and (order is None or _larger(key, order)):
            kept[key] = expanded
    if len(kept) > _MOST_TERMS:
        keys = _sorted(kept)
        order = keys[_MOST_TERMS]
        kept = {k: kept[k] for k in keys[:_MOST_TERMS]}
    return _Expansion(kept, order)


def _constant(c: sp.Expr) -> _Expansion:
    return _Expansion({_ONE: c} if c != 0 else {})


def _scaled(a: _Expansion, c: sp.Expr, key: Key = _ONE) -> _Expansion:
    return a * _Expansion({key: c})


def limit_by_expansion(e: sp.Expr, t: sp.Symbol, ranges: Ranges | None = None) -> sp.Expr | None:
    r"""The limit of e as $t \to 0^+$, for all values of its other symbols; None if not found.

    Parameters
    ----------
    e : sympy.Expr
    t : sympy.Symbol
        Positive.
    ranges : mapping from symbol to (lower, upper), optional
        Open intervals of the other symbols.

    Examples
    --------
    >>> t, x = sp.symbols("t x", positive=True)
    >>> limit_by_expansion(sp.log(1 + x * t) / t, t)
    x
    >>> limit_by_expansion(sp.asinh(x / t) / sp.log(1 / t), t)
    1
    >>> limit_by_expansion((1 + t) ** (x / t), t)
    exp(x)
    """
    for depth in _DEPTHS:
        work = _Work(t, ranges, depth)
        try:
            return work.limit(work.expand(e))
        except (_Unknown, TheoryError, RecursionError):
            # a coefficient without a real value has no sign and no zero
            continue
    return None


class _Work:
    """Expansions to one depth of all series."""

    def __init__(self, t: sp.Symbol, ranges: Ranges | None, depth: int) -> None:
        self.t, self.ranges, self.depth = t, ranges, depth
        self.seen: dict[sp.Expr, _Expansion] = {}

    def limit(self, a: _Expansion) -> sp.Expr:
        for key in _sorted(a.terms):
            if not _larger(key, _ONE):
                break
            if not self.vanishes(a.terms[key]):
                return self.sign(a.terms[key]) * sp.oo
        if a.order is not None and not _larger(_ONE, a.order):
            raise _Unknown
        return sp.sympify(a.terms.get(_ONE, sp.S.Zero), strict=True)

    def vanishes(self, c: sp.Expr) -> bool:
        return c == 0 or is_zero(c, self.ranges, seconds=1.0).status is Status.PROVED

    def sign(self, c: sp.Expr) -> int:
        found = sign_on(c, self.ranges)
        if found is None:
            raise _Unknown
        return found

    def lead(self, a: _Expansion) -> tuple[Key, sp.Expr, _Expansion]:
        """The largest term, whose coefficient has one sign, and the expansion without zeros."""
        terms = dict(a.terms)
        for key in _sorted(a.terms):
            if self.vanishes(terms[key]):
                del terms[key]
                continue
            self.sign(terms[key])
            return key, terms[key], _Expansion(terms, a.order)
        raise _Unknown

    def expand(self, e: sp.Expr) -> _Expansion:
        if e not in self.seen:
            self.seen[e] = self._expand(e)
        return self.seen[e]

    def _expand(self, e: sp.Expr) -> _Expansion:
        if not e.has(self.t):
            if e.has(sp.oo, -sp.oo, sp.zoo, sp.nan, sp.I):
                raise _Unknown
            return _constant(e)
        if e == self.t:
            return _Expansion({(sp.S.One, sp.S.Zero): sp.S.One})
        if isinstance(e, sp.Add):
            total = _constant(sp.S.Zero)
            for a in e.args:
                total = total + self.expand(a)
            return total
        if isinstance(e, sp.Mul):
            product = _constant(sp.S.One)
            for a in e.args:
                product = product * self.expand(a)
            return product
        if isinstance(e, sp.exp):
            return self.exponential(self.expand(e.args[0]))
        if isinstance(e, sp.Pow):
            base, exponent = e.args
            if not exponent.has(self.t):
                return self.power(self.expand(base), exponent)
            return self.exponential(self.expand(exponent) * self.logarithm(self.expand(base)))
        if isinstance(e, sp.log) and len(e.args) == 1:
            return self.logarithm(self.expand(e.args[0]))
        if len(e.args) != 1:
            raise _Unknown
        a = self.expand(e.args[0])
        if isinstance(e, sp.Abs):
            _, c, a = self.lead(a)
            return _scaled(a, sp.Integer(self.sign(c)))
        if self.is_bounded(a):
            return self.analytic(e.func, a)
        return self.at_infinity(e.func, a)

    def is_bounded(self, a: _Expansion) -> bool:
        """Whether it tends to a number."""
        for key in _sorted(a.terms):
            if _larger(key, _ONE) and not self.vanishes(a.terms[key]):
                return False
        return a.order is None or _larger(_ONE, a.order)

    def around(self, a: _Expansion) -> tuple[sp.Expr, _Expansion]:
        """The limit of a bounded expansion, and what tends to zero beside it."""
        rest = {k: c for k, c in a.terms.items() if _larger(_ONE, k)}
        return sp.sympify(a.terms.get(_ONE, sp.S.Zero), strict=True), _Expansion(rest, a.order)

    def series(self, coefficients: Callable[[int], sp.Expr], u: _Expansion) -> _Expansion:
        """The sum of c_k u^k with u -> 0, by Taylor's formula."""
        total, power = _constant(coefficients(0)), _constant(sp.S.One)
        if u.bound is None:
            return total
        for k in range(1, self.depth + 1):
            power = power * u
            total = total + _scaled(power, coefficients(k))
        p, m = u.bound
        return total + _Expansion({}, (p * (self.depth + 1), m * (self.depth + 1)))

    def analytic(self, f: Any, a: _Expansion) -> _Expansion:
        if f not in _ENTIRE_ON_THE_LINE:
            raise _Unknown
        at, u = self.around(a)
        y = sp.Dummy("y", real=True)

        def coefficient(k: int) -> sp.Expr:
            return sp.diff(f(y), y, k).subs(y, at) / sp.factorial(k)

        return self.series(coefficient, u)

    def one_plus(self, a: _Expansion) -> tuple[Key, sp.Expr, _Expansion]:
        """Leading key and coefficient, and u with a = c t^p l^m (1 + u)."""
        key, c, a = self.lead(a)
        inverse = (-key[0], -key[1])
        u = _scaled(
            _Expansion({k: v for k, v in a.terms.items() if k != key}, a.order), 1 / c, inverse
        )
        return key, c, u

    def power(self, a: _Expansion, r: sp.Expr) -> _Expansion:
        if r.is_Integer and 0 <= r <= 6:
            product = _constant(sp.S.One)
            for _ in range(int(r)):
                product = product * a
            return product
        key, c, u = self.one_plus(a)
        if not r.is_Integer and self.sign(c) < 0:
            raise _Unknown
        if not r.is_Rational and key != _ONE:
            raise _Unknown
        new = (sp.S.Zero, sp.S.Zero) if key == _ONE else (key[0] * r, key[1] * r)
        return _scaled(self.series(lambda k: sp.ff(r, k) / sp.factorial(k), u), c**r, new)

    def logarithm(self, a: _Expansion) -> _Expansion:
        key, c, u = self.one_plus(a)
        if key[1] != 0 or self.sign(c) < 0:
            raise _Unknown
        lead = _tidy({_ONE: sp.log(c), (sp.S.Zero, sp.S.One): -key[0]}, None)
        return lead + self.series(
            lambda k: sp.S.Zero if k == 0 else sp.Rational((-1) ** (k + 1), k), u
        )

    def exponential(self, a: _Expansion) -> _Expansion:
        terms = dict(a.terms)
        rate = sp.S.Zero
        for key in _sorted(a.terms):
            if not _larger(key, _ONE):
                break
            c = terms.pop(key)
            if self.vanishes(c):
                continue
            if key == (sp.S.Zero, sp.S.One):
                if not c.is_Rational:
                    raise _Unknown
                rate = c
                continue
            # it tends to an infinity faster than any multiple of the logarithm
            if self.sign(c) > 0 or not (key[0] < 0 or key[1] > 1):
                raise _Unknown
            return _Expansion({}, (_BEYOND, sp.S.Zero))
        if a.order is not None and not _larger(_ONE, a.order):
            raise _Unknown
        at, u = self.around(_Expansion(terms, a.order))
        small = self.series(lambda k: 1 / sp.factorial(k), u)
        return _scaled(small, sp.exp(at), (-rate, sp.S.Zero))

    def at_infinity(self, f: Any, a: _Expansion) -> _Expansion:
        """Functions of what tends to an infinity, by others that are known there."""
        _, c, a = self.lead(a)
        sign = sp.Integer(self.sign(c))
        size = _scaled(a, sign)
        one = _constant(sp.S.One)
        if f in (sp.sinh, sp.cosh):
            other = self.exponential(_scaled(a, -sp.S.One))
            turned = _scaled(other, -sp.S.One if f is sp.sinh else sp.S.One)
            return _scaled(self.exponential(a) + turned, sp.S.Half)
        if f is sp.asinh:
            root = self.power(size * size + one, sp.S.Half)
            return _scaled(self.logarithm(size + root), sign)
        if f is sp.acosh and sign > 0:
            root = self.power(size * size + _constant(-sp.S.One), sp.S.Half)
            return self.logarithm(size + root)
        if f is sp.tanh:
            small = self.exponential(_scaled(size, sp.Integer(-2)))
            part = small * self.power(one + small, -sp.S.One)
            return _scaled(one + _scaled(part, sp.Integer(-2)), sign)
        if f is sp.atan:
            inner = self.analytic(sp.atan, self.power(size, -sp.S.One))
            return _scaled(_constant(sp.pi / 2) + _scaled(inner, -sp.S.One), sign)
        if f is sp.erf:
            # 0 < 1 - erf(y) < exp(-y^2) for y > 0
            small = self.exponential(_scaled(size * size, -sp.S.One))
            if small.bound is None:
                raise _Unknown
            return _scaled(one + _Expansion({}, small.bound), sign)
        raise _Unknown
