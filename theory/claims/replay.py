r"""A small checker of certificates: exact fractions and Arb balls, and nothing of the prover.

A certificate holds a claim, a verdict and a list of steps. Each step states a fact about a term,
$> 0$, $\ge 0$, $= 0$, $\le 0$ or $< 0$ *at every point of the domain where the term has a value*,
and is checked here by one rule. A term is a number (``3`` or ``"1/2"``), a name, or a list of an
operation and its terms, ``["^", "x", 2]``; every other function is written out by those below.

The rules for fractions need the following only. A pair $(b, \ell)$ has $e^\ell = b$; hence
$e^{\sum n\ell} = \prod b^n$, $\log \prod b^m = \sum m\ell$ for positive b, and $A^r = e^{r\log A}$.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import flint
from flint import Ordering, arb, fmpq, fmpz_mpoly, fmpz_mpoly_ctx, fmpz_poly

__all__ = ["Rejected", "digest", "replay"]

Term = Any
POSITIVE, NONNEGATIVE, ZERO, NONPOSITIVE, NEGATIVE = 2, 1, 0, -1, -2
_BITS = (128, 640, 4096)


class Rejected(ValueError):
    """A certificate that does not prove its claim."""


def demand(condition: object, message: str) -> None:
    if not condition:
        raise Rejected(message)


# -- terms ---------------------------------------------------------------------------------------


def key(t: Term) -> str:
    return json.dumps(t, separators=(",", ":"))


def number(t: Term) -> Fraction | None:
    if type(t) is int:
        return Fraction(t)
    return Fraction(t) if type(t) is str and re.fullmatch(r"-?\d+/\d+", t) else None


def literal(q: Fraction) -> Term:
    return q.numerator if q.denominator == 1 else f"{q.numerator}/{q.denominator}"


def add(*terms: Term) -> Term:
    total, rest = Fraction(0), []
    for t in terms:
        for a in t[1:] if isinstance(t, list) and t[0] == "+" else [t]:
            q = number(a)
            total, rest = (total, [*rest, a]) if q is None else (total + q, rest)
    rest += [literal(total)] if total or not rest else []
    return rest[0] if len(rest) == 1 else ["+", *rest]


def mul(*terms: Term) -> Term:
    total, rest = Fraction(1), []
    for t in terms:
        for a in t[1:] if isinstance(t, list) and t[0] == "*" else [t]:
            q = number(a)
            total, rest = (total, [*rest, a]) if q is None else (total * q, rest)
    rest = [literal(total), *rest] if total != 1 or not rest else rest
    return rest[0] if len(rest) == 1 else ["*", *rest]


def power(a: Term, b: Term) -> Term:
    p, q = number(a), number(b)
    if q == 1:
        return a
    if p is not None and q is not None and q.denominator == 1 and abs(q) <= 64 and (p or q > 0):
        return literal(p ** int(q))
    return ["^", a, b]


def build(op: str, *args: Term) -> Term:
    made = {"+": add, "*": mul, "^": power}.get(op)
    return made(*args) if made else [op, *args]


def substitute(t: Term, table: Mapping[str, Term]) -> Term:
    if isinstance(t, list):
        return build(t[0], *(substitute(a, table) for a in t[1:]))
    return table.get(t, t) if isinstance(t, str) else t


def subterms(t: Term) -> Iterator[Term]:
    yield t
    if isinstance(t, list):
        for a in t[1:]:
            yield from subterms(a)


def variables(t: Term) -> set[str]:
    return {a for a in subterms(t) if isinstance(a, str) and number(a) is None and a != "pi"}


def _exp(u: Term, n: int = 1) -> Term:
    return ["exp", mul(n, u)]


def _log(u: Term) -> Term:
    return ["log", u]


def _root(u: Term) -> Term:
    return power(u, "1/2")


_WRITTEN_OUT: dict[str, Any] = {
    "sqrt": _root,
    "ln": _log,
    "sinh": lambda u: mul("1/2", add(_exp(u, 2), -1), _exp(u, -1)),
    "cosh": lambda u: mul("1/2", add(_exp(u), _exp(u, -1))),
    "tanh": lambda u: mul(add(_exp(u, 2), -1), power(add(_exp(u, 2), 1), -1)),
    "coth": lambda u: mul(add(_exp(u, 2), 1), power(add(_exp(u, 2), -1), -1)),
    "sech": lambda u: mul(2, power(add(_exp(u), _exp(u, -1)), -1)),
    "csch": lambda u: mul(2, _exp(u), power(add(_exp(u, 2), -1), -1)),
    "asinh": lambda u: _log(add(u, _root(add(power(u, 2), 1)))),
    "acosh": lambda u: _log(add(u, mul(_root(add(u, -1)), _root(add(u, 1))))),
    "atanh": lambda u: mul("1/2", add(_log(add(1, u)), mul(-1, _log(add(1, mul(-1, u)))))),
    "acoth": lambda u: mul("1/2", _log(mul(add(u, 1), power(add(u, -1), -1)))),
    "tan": lambda u: mul(["sin", u], power(["cos", u], -1)),
    "cot": lambda u: mul(["cos", u], power(["sin", u], -1)),
    "sec": lambda u: power(["cos", u], -1),
    "csc": lambda u: power(["sin", u], -1),
    "acos": lambda u: add(mul("1/2", "pi"), mul(-1, ["asin", u])),
    "erfc": lambda u: add(1, mul(-1, ["erf", u])),
    "loggamma": lambda u: _log(["gamma", u]),
    "sigmoid": lambda u: power(add(1, _exp(u, -1)), -1),
    "softplus": lambda u: _log(add(1, _exp(u))),
    "cbrt": lambda u: mul(["sign", u], power(["Abs", u], "1/3")),
}
_BALLS: dict[str, Any] = {
    "exp": arb.exp, "log": arb.log, "sin": arb.sin, "cos": arb.cos, "asin": arb.asin,
    "atan": arb.atan, "erf": arb.erf, "erfi": arb.erfi, "erfinv": arb.erfinv, "gamma": arb.gamma,
    "LambertW": arb.lambertw, "Ei": arb.ei, "Si": arb.si, "Ci": arb.ci, "Shi": arb.shi,
    "Chi": arb.chi, "Abs": abs, "sign": arb.sgn, "Min": arb.min, "Max": arb.max,
}  # fmt: skip
_ODD = ("atan", "asin", "erf", "erfi", "erfinv", "Si", "Shi", "sign", "LambertW")


def written_out(t: Term) -> Term:
    """The term in the basic functions."""
    if t == "E":
        return ["exp", 1]
    if not isinstance(t, list):
        return t
    args = [written_out(a) for a in t[1:]]
    if t[0] == "log" and len(args) == 2:
        return mul(_log(args[0]), power(_log(args[1]), -1))
    if t[0] in _WRITTEN_OUT:
        return _WRITTEN_OUT[t[0]](*args)
    known = t[0] in ("+", "*", "^") or (t[0] in _BALLS and (len(args) == 1 or t[0] in "MinMax"))
    demand(known, f"no function {t[0]} of {len(args)} arguments")
    return build(t[0], *args)


def ball(t: Term, env: Mapping[str, arb]) -> arb:
    """A ball around the value; not finite where there may be none."""
    q = number(t)
    if q is not None:
        return arb(fmpq(q.numerator, q.denominator))
    if isinstance(t, str):
        return arb.pi() if t == "pi" else env[t]
    args = [ball(a, env) for a in t[1:]]
    if t[0] in ("+", "*"):
        total = args[0]
        for a in args[1:]:
            total = total + a if t[0] == "+" else total * a
        return total
    if t[0] != "^":
        total = _BALLS[t[0]](*args[:2])
        for a in args[2:]:
            total = _BALLS[t[0]](total, a)
        return total
    base, q = args[0], number(t[2])
    if q is None:
        return (args[1] * base.log()).exp()
    if q.denominator == 1:
        whole = base ** abs(int(q)) if not base.contains(0) else math.prod([base] * abs(int(q)))
        return arb(whole) if q >= 0 else 1 / arb(whole)
    return base.root(q.denominator) ** int(q.numerator) if not base < 0 else arb("nan")


def derivative(t: Term, x: str) -> Term:
    if not isinstance(t, list):
        return int(t == x)
    op, args = t[0], t[1:]
    inner = [derivative(a, x) for a in args]
    if all(d == 0 for d in inner):
        return 0
    if op == "+":
        return add(*inner)
    if op == "*":
        parts = (mul(*args[:i], d, *args[i + 1 :]) for i, d in enumerate(inner) if d != 0)
        return add(*parts)
    u = args[0]
    if op == "^":
        parts = []
        if inner[0] != 0:
            parts.append(mul(args[1], power(u, add(args[1], -1)), inner[0]))
        if inner[1] != 0:
            parts.append(mul(t, _log(u), inner[1]))
        return add(*parts)
    gauss = mul(2, power("pi", "-1/2"))
    outer: dict[str, Any] = {
        "exp": lambda: t, "log": lambda: power(u, -1), "sin": lambda: ["cos", u],
        "cos": lambda: mul(-1, ["sin", u]), "atan": lambda: power(add(1, power(u, 2)), -1),
        "asin": lambda: power(add(1, mul(-1, power(u, 2))), "-1/2"),
        "erf": lambda: mul(gauss, ["exp", mul(-1, power(u, 2))]),
        "erfi": lambda: mul(gauss, ["exp", power(u, 2)]), "Abs": lambda: ["sign", u],
        "erfinv": lambda: mul("1/2", power("pi", "1/2"), ["exp", power(t, 2)]),
        "Ei": lambda: mul(["exp", u], power(u, -1)), "Si": lambda: mul(["sin", u], power(u, -1)),
        "Ci": lambda: mul(["cos", u], power(u, -1)),
        "Shi": lambda: mul("1/2", add(_exp(u), mul(-1, _exp(u, -1))), power(u, -1)),
        "Chi": lambda: mul("1/2", add(_exp(u), _exp(u, -1)), power(u, -1)),
        "LambertW": lambda: mul(t, power(u, -1), power(add(1, t), -1)),
    }  # fmt: skip
    demand(op in outer, f"no derivative of {op}")
    return mul(outer[op](), inner[0])


# -- facts about terms on a domain -----------------------------------------------------------------


class Context:
    """Open intervals of the names, and the facts that are established there."""

    def __init__(self, ranges: Mapping[str, Any], facts: Mapping[str, int] | None = None) -> None:
        self.ranges, self.facts = dict(ranges), dict(facts or {})

    def sign(self, t: Term) -> int | None:
        """What is known of the sign of a term, by the facts and by its structure."""
        if (known := self.facts.get(key(t))) is not None:
            return known
        if isinstance(t, str) and t in self.ranges:
            lower, upper = self.ranges[t][:2]
            if lower is not None and self.sign(lower) in (ZERO, NONNEGATIVE, POSITIVE):
                return POSITIVE
            return NEGATIVE if upper is not None and self.sign(upper) in (-2, -1, 0) else None
        if not variables(t):
            for bits in (*_BITS,):
                value = at_precision(bits, t, {})
                if not value.contains(0):
                    return POSITIVE if value > 0 else NEGATIVE if value < 0 else None
            return ZERO if number(t) == 0 else None
        return self._structure(t[0], t[1:])

    def _structure(self, op: str, args: list[Term]) -> int | None:
        s = self.sign(args[0])
        q = number(args[-1])
        if op == "+":
            first = args[0]
            if q == -1 and len(args) == 2 and isinstance(first, list):
                # e^u - 1 and b^r - 1 with r > 0 have the signs of u and b - 1
                r = number(first[2]) if first[0] == "^" else None
                if first[0] == "exp":
                    return self.sign(first[1])
                if r is not None and r > 0 and self.sign(first[1]) == POSITIVE:
                    return self.sign(add(first[1], -1))
            signs = [self.sign(a) for a in args]
            known = [k for k in signs if k is not None]
            one_side = len(known) == len(signs) and (min(known) >= 0 or max(known) <= 0)
            return max(known, key=abs) if one_side else None
        if op == "*":
            total = POSITIVE
            for a in args:
                if (s := self.sign(a)) is None:
                    return None
                size = min(abs(s), abs(total))
                total = size if s * total > 0 else -size
            return total
        if op == "^":
            if q is None:
                return POSITIVE if s == POSITIVE else None
            if q.denominator > 1:
                # a value exists for a base >= 0 only, and for one > 0 when q < 0
                return POSITIVE if s == POSITIVE or q < 0 else NONNEGATIVE
            if q % 2 == 0:
                return POSITIVE if s in (2, -2) or q < 0 else NONNEGATIVE if q > 0 else None
            return s if q > 0 or not s else POSITIVE if s > 0 else NEGATIVE
        if op == "exp":
            return POSITIVE
        if op == "Abs":
            return NONNEGATIVE if s is None else abs(s)
        if op == "log":
            return self.sign(add(args[0], -1))
        return s if op in _ODD else POSITIVE if op == "gamma" and s == POSITIVE else None

    def regular(self, t: Term, given: frozenset[str] = frozenset(), poles: bool = False) -> bool:
        """Whether t is analytic everywhere on the domain, where the given terms have values.

        With `poles`, integer powers of analytic functions may have them: zero near one point,
        the numerator then is zero everywhere.
        """
        if not isinstance(t, list) or key(t) in given:
            return True
        op, args, q = t[0], t[1:], number(t[-1])
        whole = op == "^" and q is not None and q.denominator == 1
        # a root of a square of a pole, (x^-2)^(1/2), is not analytic: poles stay outside
        poles = poles and (whole or op in ("+", "*"))
        if not all(self.regular(a, given, poles) for a in args):
            return False
        if op in ("+", "*", "exp", "sin", "cos", "atan", "erf", "erfi", "Si", "Shi"):
            return True
        s = self.sign(args[0])
        if whole:
            return (q or 0) >= 0 or poles or s in (POSITIVE, NEGATIVE)
        if op in ("Abs", "sign", "Ei"):
            return s in (POSITIVE, NEGATIVE)
        if op in ("asin", "erfinv"):
            return self.sign(add(1, mul(-1, power(args[0], 2)))) == POSITIVE
        return op in ("^", "log", "Ci", "Chi", "gamma", "LambertW") and s == POSITIVE


def at_precision(bits: int, t: Term, env: Mapping[str, Term], radius: int | None = None) -> arb:
    """The ball of a term at a point of constant terms, or on a box of radius 2^-radius around it."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        blur = arb(0, 0 if radius is None else arb(2) ** -radius)
        return ball(t, {name: ball(value, {}) + blur for name, value in env.items()})
    finally:
        flint.ctx.prec = before


def undefined(context: Context, t: Term) -> bool:
    """Whether some part of the term has no real value: 1/0, the log or root of what is below 0."""
    for a in subterms(t):
        if isinstance(a, list) and a[0] in ("log", "^"):
            s, q = context.sign(a[1]), number(a[-1])
            whole = a[0] == "^" and (q is None or q.denominator == 1)
            if (s == NEGATIVE and not whole) or (s == ZERO and (a[0] == "log" or (q or 0) < 0)):
                return True
        if isinstance(a, list) and a[0] in ("asin", "erfinv"):
            if context.sign(add(1, mul(-1, power(a[1], 2)))) == NEGATIVE:
                return True
    return False


# -- fractions of polynomials in generators --------------------------------------------------------


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
                if p.degrees()[i] >= degree:
                    p, again = divmod(p, relation)[1], True
        return p

    def fraction(self, n: fmpz_mpoly, d: fmpz_mpoly) -> Any:
        n, d = self.reduce(n), self.reduce(d)
        demand(d != 0 and max(len(n), len(d)) < 20_000, "a denominator is zero, or too large")
        if n == 0:
            return n, self.one
        g = n.gcd(d) if d != 1 else self.one
        return divmod(n, g)[0], divmod(d, g)[0]

    def plus(self, a: Any, b: Any, n: Fraction | int = 1) -> Any:
        """The fraction a + n b."""
        q = Fraction(n)
        left, right = a[0] * b[1] * q.denominator, b[0] * a[1] * q.numerator
        return self.fraction(left + right, a[1] * b[1] * q.denominator)

    def times(self, a: Any, b: Any, n: int = 1) -> Any:
        """The fraction a b^n."""
        demand(abs(n) <= 300 and (n >= 0 or b[0] != 0), "division by zero, or a large power")
        b = b if n >= 0 else (b[1], b[0])
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
        return self.point is not None and at_precision(_BITS[1], t, self.point, 200) > 0

    def combined(self, hint: list[int], total: Any, *, products: bool) -> Any:
        """The product of b^n, or the sum of n l, over all pairs."""
        demand(len(hint) <= len(self.pairs), "more exponents than pairs")
        for n, (b, l, _, _) in zip(hint, self.pairs, strict=False):
            if n:
                total = self.times(total, b, n) if products else self.plus(total, l, n)
        return total

    def logarithm(self, a: Any, hint: list[int]) -> Any:
        """Log a = sum of n l, as a = product of b^n with positive b, where a itself is positive."""
        unit, zero = self.constant(Fraction(1)), self.constant(Fraction(0))
        demand(self.same(a, self.combined(hint, unit, products=True)), "a wrong product")
        unknown = [n for n, pair in zip(hint, self.pairs, strict=False) if n and not pair[3]]
        demand(not unknown or (len(unknown) == 1 and unknown[0] % 2), "a factor of unknown sign")
        return self.combined(hint, zero, products=False)

    def entry(self, kind: str, *rest: Any) -> None:
        """A generator, or the value of one function at one term."""
        getattr(self, f"_{kind}")(*rest)

    def _define(self, t: Term) -> Any:
        """The fraction of a term in a definition, which must have values wherever the claim has."""
        if self.point is None:
            demand(self.context.regular(t, self.given), f"{key(t)[:200]} may have no value")
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
        self.pairs.append((b, g, len(self.pairs), self.is_positive(t)))
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
        demand(op in _BALLS and op not in ("exp", "log", "Abs", "sign", "Min", "Max"), op)
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
        unit = self.constant(Fraction(1))
        c, s = (root, self.value(u)) if op == "asin" else (self.times(unit, root, -1), None)
        self.angles.append((self.value(t), c, s or self.times(self.value(u), c)))

    def _exponential(self, t: Term, hint: list[int]) -> None:
        exponent = self.combined(hint, self.constant(Fraction(0)), products=False)
        demand(t[0] == "exp" and self.same(self.value(t[1]), exponent), "a wrong exponent")
        self.values[key(t)] = self.combined(hint, self.constant(Fraction(1)), products=True)

    def _logarithm(self, t: Term, hint: list[int]) -> None:
        demand(t[0] == "log", "not a logarithm")
        self.values[key(t)] = self.logarithm(self.value(t[1]), hint)

    def _power(self, t: Term, factors: list[int], hint: list[int]) -> None:
        r = number(t[2])
        demand(t[0] == "^" and (r is None or r.denominator > 1), "not a real power")
        exponent = self.times(self.logarithm(self.value(t[1]), factors), self.value(t[2]))
        target = self.combined(hint, self.constant(Fraction(0)), products=False)
        demand(self.same(exponent, target), "a wrong exponent")
        used = [pair for n, pair in zip(factors, self.pairs, strict=False) if n]
        if not all(pair[3] for pair in used):
            # the base may be zero, or negative under an integer exponent
            bases = {pair[2] for pair in used}
            made = [pair[2] for n, pair in zip(hint, self.pairs, strict=False) if n]
            whole = any(self.context.ranges[x][2:] for x in variables(t[2]))
            demand(bases.issuperset(made) if r is not None else not whole, "an open sign")
        self.values[key(t)] = self.combined(hint, self.constant(Fraction(1)), products=True)

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
        weak = t[0] == "Abs" and fact is not None and fact * s >= 0
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
        demand(
            op == t[0] and (s == 1 or (s == -1 and op in _ODD and op != "LambertW")), "not equal"
        )
        factor = self.constant(Fraction(s))
        for a, b in zip(args, t[1:], strict=True):
            demand(self.same(self.times(a, factor), self.value(b)), "different arguments")
        self.values[key(t)] = self.times(g, factor)

    # -- zero, and signs by coefficients

    def vanishes_by_norm(self, n: fmpz_mpoly, free: list[int]) -> bool:
        """The product over the signs of square roots is zero, and all other factors are not."""
        degrees = {i: degree for i, degree, _ in self.relations}
        demand(self.point is not None and len(free) <= 6, "no norm")
        for i in free:
            inner = [r for j, _, r in self.relations if j != i and r.degrees()[i]]
            demand(degrees.get(i) == 2 and not inner, "not a free square root")
        total = n
        for flips in product((0, 1), repeat=len(free)):
            if not any(flips):
                continue
            terms = n.to_dict()
            for exponents in terms:
                if sum(int(exponents[i]) for i, flip in zip(free, flips, strict=True) if flip) % 2:
                    terms[exponents] = -terms[exponents]
            conjugate = self.ring.from_dict(terms)
            parts = [
                mul(int(c), *(power(self.meaning[i], int(k)) for i, k in enumerate(e) if k))
                for e, c in conjugate.terms()
            ]
            demand(
                not at_precision(_BITS[1], add(*parts), self.point or {}).contains(0),
                "a conjugate is zero",
            )
            total = self.reduce(total * conjugate)
        return bool(total == 0)

    def polynomial_sign(self, p: fmpz_mpoly) -> int | None:
        """The sign of a polynomial for all values that the generators may take."""
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
                sizes = [self._monomial(e) if c * s > 0 else None for e, c in q.terms()]
                if None not in sizes:
                    return s * max(sizes)  # type: ignore[type-var]
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
        if not above or len(p) > 200 or max(p.degrees()) > 12:
            return p
        return p.compose(
            *(g + 1 if i in above else g for i, g in enumerate(self.gens)), ctx=self.ring
        )


# -- steps ---------------------------------------------------------------------------------------


def algebra_of(context: Context, t: Term, count: int, entries: list[Any], point: Any) -> Algebra:
    algebra = Algebra(context, frozenset(map(key, subterms(t))), count, point)
    for kind, *rest in entries:
        demand(kind in _ENTRIES, f"no entry {kind}")
        getattr(algebra, f"_{kind}")(*rest)
    return algebra


def normal(context: Context, t: Term, count: int, entries: list[Any]) -> int | None:
    """The fraction of t is zero, or its coefficients show its sign."""
    algebra = algebra_of(context, t, count, entries, None)
    n, d = algebra.value(t)
    if n == 0:
        return ZERO
    a, b = algebra.polynomial_sign(n), algebra.polynomial_sign(d)
    # where t has a value its denominator is not zero
    return None if a is None or b is None else a if b > 0 else -a


def near(
    context: Context, t: Term, count: int, entries: list[Any], point: Any, free: list[int]
) -> int:
    """Zero near a point, and analytic on the connected domain but for poles: zero everywhere."""
    inside(context, point)
    algebra = algebra_of(context, t, count, entries, point)
    for a in (t, *algebra.meaning.values()):
        demand(at_precision(_BITS[1], a, point, 200).is_finite(), "no value near the point")
    n, _ = algebra.value(t)
    demand(n == 0 or (free and algebra.vanishes_by_norm(n, free)), "not zero near the point")
    demand(context.regular(t, poles=True), "not analytic on the domain")
    return ZERO


def gradient(context: Context, t: Term, point: Any) -> int:
    """A zero gradient on a connected domain, and zero at one point."""
    demand(context.regular(t), "not analytic on the domain")
    inside(context, point)
    for x in variables(t):
        slope = derivative(t, x)
        demand(context.regular(slope), f"the derivative in {x} may have no value")
        demand(context.sign(slope) == ZERO, f"the derivative in {x} is open")
    demand(context.sign(substitute(t, point)) == ZERO, "not zero at the point")
    return ZERO


def rewrite(context: Context, t: Term, other: Term) -> int | None:
    """The sign of an equal term that has values wherever t has."""
    given = frozenset(map(key, subterms(t)))
    demand(context.sign(add(t, mul(-1, other))) == ZERO, "the terms are not equal")
    demand(context.regular(other, given), "the other term may have no value")
    return context.sign(other)


def square(context: Context, t: Term, a: Term, b: Term) -> int | None:
    """The sign of a + b is that of b when b^2 > a^2."""
    demand(add(a, b) == t, "not the sum")
    gap = context.sign(add(power(b, 2), mul(-1, power(a, 2))))
    s = context.sign(b)
    demand(gap in (POSITIVE, NONNEGATIVE) and s in (POSITIVE, NEGATIVE), "b is not larger")
    return s if gap == POSITIVE else s // 2  # type: ignore[operator]


def exponential(context: Context, t: Term) -> int | None:
    """T and e^t - 1 have the same sign."""
    return context.sign(add(["exp", t], -1))


def rising(context: Context, t: Term, x: str) -> int | None:
    """T at the lower end of x is not negative, and t does not decrease."""
    end = context.ranges[x][0]
    demand(end is not None and variables(t) == {x} and context.regular(t), "not a smooth function")
    demand(at_precision(_BITS[0], t, {x: end}, 40).is_finite(), "not continuous at the end")
    slope = derivative(t, x)
    demand(context.regular(slope), "the derivative may have no value")
    signs = context.sign(substitute(t, {x: end})), context.sign(slope)
    demand(all(s is not None and s >= 0 for s in signs), "not rising")
    return max(signs)  # type: ignore[type-var]


def traded(context: Context, t: Term, x: str, new: str, steps: list[Any]) -> int | None:
    """The same question for x = a + t, b - t or (a + b t)/(1 + t) with t > 0."""
    lower, upper = context.ranges[x][:2]
    fresh = new not in context.ranges and re.fullmatch(r"[A-Za-z]\w*", new)
    demand(fresh and (lower is not None or upper is not None), "no bound to trade")
    if lower is None:
        image = add(upper, mul(-1, new))
    elif upper is None:
        image = add(lower, new)
    else:
        image = mul(add(lower, mul(upper, new)), power(add(1, new), -1))
    ranges = {y: r for y, r in context.ranges.items() if y != x} | {new: [0, None]}
    demand(all(x not in variables(e) for r in ranges.values() for e in r[:2]), "a bound uses x")
    return established(Context(ranges), steps).sign(substitute(t, {x: image}))


def cases(context: Context, t: Term, x: str, c: Term, parts: list[list[Any]]) -> int | None:
    """Below c, at c and above c."""
    lower, upper, *whole = context.ranges[x]
    demand(number(c) is not None, "expected a rational number")
    for low, high in ((lower, c), (c, upper)):
        gap = POSITIVE if None in (low, high) else context.sign(add(high, mul(-1, low)))
        demand(gap == POSITIVE, "the number is not inside")
    rest = {y: r for y, r in context.ranges.items() if y != x}
    below = established(Context(rest | {x: [lower, c, *whole]}, context.facts), parts[0])
    at = established(Context(rest), parts[1])
    above = established(Context(rest | {x: [c, upper, *whole]}, context.facts), parts[2])
    middle = substitute(t, {x: c})
    signs = [below.sign(t), above.sign(t)]
    if not undefined(at, middle):
        signs.append(at.sign(middle))
    known = [s for s in signs if s is not None]
    demand(len(known) == len(signs) and (min(known) >= 0 or max(known) <= 0), "different signs")
    largest = max(known, key=abs)
    weak = 0 < abs(largest) > min(map(abs, known))
    return (1 if largest > 0 else -1) if weak else largest


def boxes(context: Context, t: Term, x: str) -> int:
    """Balls on boxes that cover a bounded interval."""
    lower, upper = context.ranges[x][:2]
    demand(variables(t) == {x} and None not in (lower, upper), "not bounded")
    ends = [ball(e, {}) for e in (lower, upper)]
    stack, target = [(ends[0], ends[1])], 0
    for _ in range(4000):
        if not stack:
            return target * 2
        a, b = stack.pop()
        value = ball(t, {x: a.union(b)})
        s = 1 if value > 0 else -1 if value < 0 else 0
        if s:
            demand(target in (0, s), "the sign changes")
            target = s
        else:
            middle = arb(((a + b) / 2).mid())
            stack += [(a, middle), (middle, b)]
    raise Rejected("the boxes do not decide")


_ENTRIES = (
    "name", "exp", "log", "root", "angle", "arc", "function", "exponential", "logarithm", "power",
    "circle", "case", "extreme", "equal",
)  # fmt: skip
RULES: dict[str, Any] = {
    f.__name__: f
    for f in (normal, near, gradient, rewrite, square, exponential, rising, traded, cases, boxes)
}


def established(context: Context, steps: list[Any]) -> Context:
    """The context with the facts that the steps prove."""
    for rule, t, *rest in steps:
        demand(rule in RULES, f"no rule {rule}")
        fact = RULES[rule](context, t, *rest)
        demand(fact is not None, f"{rule} proves nothing about {key(t)[:200]}")
        context.facts[key(t)] = fact
    return context


def inside(context: Context, point: Mapping[str, Term]) -> None:
    """Whether a point lies in the open intervals."""
    demand(set(point) == set(context.ranges), "a point of other names")
    for x, value in point.items():
        lower, upper, *whole = context.ranges[x]
        demand(not variables(value), "not a point")
        if lower is not None:
            demand(context.sign(add(value, mul(-1, lower))) == POSITIVE, f"{x} is too small")
        if upper is not None:
            demand(context.sign(add(upper, mul(-1, value))) == POSITIVE, f"{x} is too large")
        demand(not whole or type(value) is int, f"{x} is not an integer")


# -- claims ----------------------------------------------------------------------------------------

_HOLDS = {"==": (0,), "!=": (2, -2), ">=": (0, 1, 2), ">": (2,)}
_FAILS = {"==": (2, -2), "!=": (0,), ">=": (-2,), ">": (0, -1, -2)}
_SIGNS = {**_HOLDS, "<=": (0, -1, -2), "<": (-2,)}


def digest(claim: Mapping[str, Any]) -> str:
    """The hash of a claim: of its operator, its sides and its domain."""
    text = json.dumps(claim, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def replay(record: Mapping[str, Any]) -> str:
    """Check a certificate.

    Parameters
    ----------
    record : mapping
        What ``json.load`` reads.

    Returns
    -------
    str
        ``"PROVED"`` or ``"REFUTED"``.

    Raises
    ------
    Rejected
        When the steps do not prove what the certificate says.
    """
    try:
        claim, verdict, proof = record["claim"], record["verdict"], record["proof"]
        demand(record["sha256"] == digest(claim), "the hash is not that of the claim")
        demand(set(record) == {"claim", "verdict", "proof", "sha256", "seal"}, "unknown entries")
        sealed = {k: v for k, v in record.items() if k != "seal"}
        demand(record["seal"] == digest(sealed), "the seal is broken")
        demand(verdict in ("PROVED", "REFUTED") and claim["operator"] in _HOLDS, "no verdict")
        (_proved if verdict == "PROVED" else _refuted)(read(claim), proof)
    except Rejected:
        raise
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        OverflowError,
    ) as error:
        raise Rejected(f"a malformed certificate: {error!r}") from error
    return str(verdict)


def read(claim: Mapping[str, Any]) -> dict[str, Any]:
    """The claim in the basic functions."""
    ranges = {
        x: [None if e is None else written_out(e) for e in r[:2]] + r[2:]
        for x, r in claim["ranges"].items()
    }
    relations = [(o, written_out(t)) for o, t in claim["relations"]]
    closed = [(x, written_out(e)) for x, e in claim["closed"]]
    left, right = written_out(claim["left"]), written_out(claim["right"])
    return dict(
        operator=claim["operator"],
        left=left,
        right=right,
        ranges=ranges,
        relations=relations,
        closed=closed,
    )


def _proved(claim: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    facts = {
        key(t): {">": 2, ">=": 1, "==": 0, "<=": -1, "<": -2}[o]
        for o, t in claim["relations"]
        if o != "!="
    }
    left, right, ranges = claim["left"], claim["right"], claim["ranges"]
    context = established(Context(ranges, facts), proof["steps"])
    fact = context.sign(add(left, mul(-1, right)))
    demand(fact in _HOLDS[claim["operator"]], "the steps do not prove the claim")
    if proof["everywhere"]:
        both = context.regular(left) and context.regular(right)
        demand(both, "the sides may have no value somewhere")
    demand(len(proof["ends"]) == len(claim["closed"]), "a closed end is left out")
    for i, (x, end) in enumerate(claim["closed"]):
        rest = {y: r for y, r in ranges.items() if y != x}
        sides = [substitute(e, {x: end}) for e in (left, right)]
        if proof["ends"][i] is None:
            gone = any(undefined(Context(rest), e) for e in sides)
            demand(gone and not proof["everywhere"], f"the sides have values at {x} = {end}")
            continue
        there = {
            "operator": claim["operator"],
            "left": sides[0],
            "right": sides[1],
            "ranges": rest,
            "relations": [(o, substitute(t, {x: end})) for o, t in claim["relations"]],
            "closed": [c for c in claim["closed"][i + 1 :] if c[0] != x],
        }
        _proved(there, proof["ends"][i])


def _refuted(claim: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    left, right, ranges = claim["left"], claim["right"], claim["ranges"]
    point = {x: written_out(value) for x, value in proof["point"].items()}
    context = established(Context({}), proof["steps"])
    at_end = {x for x, end in claim["closed"] if point.get(x) == end}
    for x in at_end:
        demand(not ranges[x][2:] or type(point[x]) is int, f"{x} is not an integer")
    open_ranges = Context({x: r for x, r in ranges.items() if x not in at_end}, context.facts)
    inside(open_ranges, {x: value for x, value in point.items() if x not in at_end})
    for operator, t in claim["relations"]:
        s = context.sign(substitute(t, point))
        demand(s in _SIGNS[operator], "the point is not in the domain")
    there = [substitute(e, point) for e in (left, right)]
    side = proof.get("undefined")
    if side is None:
        s = context.sign(add(there[0], mul(-1, there[1])))
        demand(s in _FAILS[claim["operator"]], "no counterexample")
        return
    demand(claim["operator"] == "==" and undefined(context, there[side]), "both sides have values")
    demand(at_precision(_BITS[1], there[1 - side], {}).is_finite(), "neither side has a value")
