r"""Limits at one side of a point: of terms in a name t that tends to $0^+$ or to $+\infty$.

Every fact holds *for each value of the other names, for all t close enough to the end*; how close
may depend on those values, and finitely many such facts hold together. That a term has a limit
includes that it has real values there. Infinities are ``["oo", 1]`` and ``["oo", -1]``, which are
no terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory.claims.replay.expansions import Series
from theory.claims.replay.facts import (
    NEGATIVE,
    NONNEGATIVE,
    POSITIVE,
    ZERO,
    Context,
)
from theory.claims.replay.steps import established
from theory.claims.replay.terms import (
    Term,
    add,
    build,
    demand,
    derivative,
    is_name,
    key,
    mul,
    number,
    power,
    substitute,
    variables,
)

__all__ = ["MINUS_OO", "OO", "RULES", "Germ", "approached", "equal", "is_infinite", "moved"]

OO: Term = ["oo", 1]
MINUS_OO: Term = ["oo", -1]
MAX_RULES = 200

# at oo and at -oo; None where there is no limit, or no value
_AT_INFINITY: dict[str, tuple[Term, Term]] = {
    "exp": (OO, 0), "log": (OO, None), "atan": (["*", "1/2", "pi"], ["*", "-1/2", "pi"]),
    "erf": (1, -1), "erfi": (OO, MINUS_OO), "Si": (["*", "1/2", "pi"], ["*", "-1/2", "pi"]),
    "Shi": (OO, MINUS_OO), "Chi": (OO, None), "Ci": (0, None), "Ei": (OO, 0),
    "LambertW": (OO, None), "gamma": (OO, None), "Abs": (OO, OO), "sign": (1, -1),
}  # fmt: skip
_ENTIRE = ("exp", "sin", "cos", "atan", "erf", "erfi", "Si", "Shi")


def is_infinite(value: Term) -> bool:
    return isinstance(value, list) and value[0] == "oo"


def _infinity(sign: int) -> Term:
    return OO if sign > 0 else MINUS_OO


class Germ(Context):
    """The domain of t next to its end, and of the other names.

    Signs are those of a `Context`, or that of a limit which is not zero: a term with a positive or
    infinite limit is positive close to the end.

    Examples
    --------
    >>> germ = Germ(Context({"t": [0, 1]}), "t", False)
    >>> germ.limit(["exp", ["*", -1, ["^", "t", -1]]]), germ.limit(["log", "t"])
    (0, ['oo', -1])
    >>> germ.limit(["*", "t", ["log", "t"]]) is None
    True
    """

    def __init__(self, context: Context, t: str, at_infinity: bool) -> None:
        super().__init__(context.ranges, context.facts)
        self.t, self.at_infinity = t, at_infinity
        self.limits: dict[str, Term] = {}

    def sign(self, t: Term) -> int | None:
        s = super().sign(t)
        # a sign of a limit is found without limits, so that neither asks for the other forever
        if s in (POSITIVE, NEGATIVE, ZERO) or not isinstance(t, list):
            return s
        v = self.limits.get(key(t))
        if v is None:
            return s
        strict = (POSITIVE if v == OO else NEGATIVE) if is_infinite(v) else super().sign(v)
        return strict if strict in (POSITIVE, NEGATIVE) else s

    def limit(self, a: Term) -> Term | None:
        """The limit of a term as the facts and the limits of its parts give it."""
        if self.t not in variables(a):
            return a if self.regular(a) else None
        if a == self.t:
            return OO if self.at_infinity else 0
        if key(a) not in self.limits:
            value = self._of_parts(a[0], a[1:])
            if value is None:
                return None
            self.limits[key(a)] = value
        return self.limits[key(a)]

    def _of_parts(self, op: str, args: list[Term]) -> Term | None:
        r"""Arithmetic of limits, and $f(a) \to f(v)$ for f continuous at $v = \lim a$."""
        if op == "^" and self.t in variables(args[1]):
            # b^e = exp(e log b) for b > 0
            return self.limit(["exp", mul(args[1], ["log", args[0]])])
        values = [self.limit(a) for a in args]
        if any(v is None for v in values):
            return None
        if op == "+":
            return self._sum(values)
        if op == "*":
            return self._product(values)
        if op == "^":
            return self._power(args[0], values[0], args[1])
        if op in ("Min", "Max"):
            return None if any(map(is_infinite, values)) else [op, *values]
        return self._function(op, args[0], values[0])

    def _sum(self, values: list[Term]) -> Term | None:
        ends = [v for v in values if is_infinite(v)]
        if not ends:
            return add(*values)
        return ends[0] if all(v == ends[0] for v in ends) else None

    def _product(self, values: list[Term]) -> Term | None:
        if not any(map(is_infinite, values)):
            return mul(*values)
        total = 1
        for v in values:
            s = v[1] if is_infinite(v) else self.sign(v)
            # zero times infinity, and parameters that may vanish, are open
            if s is None or s == 0 or (abs(s) == 1 and not is_infinite(v)):
                return None
            total *= 1 if s > 0 else -1
        return _infinity(total)

    def _power(self, base: Term, v: Term, exponent: Term) -> Term | None:
        q = number(exponent)
        if q is not None and q.denominator == 1:
            return self._whole_power(base, v, int(q))
        rate = self.sign(exponent)
        if v == OO:
            return {POSITIVE: OO, NEGATIVE: 0}.get(rate or 0)
        if is_infinite(v):
            return None
        if self.sign(v) == POSITIVE:
            return ["^", v, exponent]
        if self.sign(v) == ZERO and self.sign(base) == POSITIVE:
            return {POSITIVE: 0, NEGATIVE: OO}.get(rate or 0)
        return None

    def _whole_power(self, base: Term, v: Term, n: int) -> Term | None:
        if n == 0:
            return 1
        if is_infinite(v):
            return 0 if n < 0 else _infinity(v[1] ** n)
        if n > 0 or self.sign(v) in (POSITIVE, NEGATIVE):
            return power(v, n)
        side = self.sign(base)
        if self.sign(v) == ZERO and side in (POSITIVE, NEGATIVE):
            return OO if n % 2 == 0 or side == POSITIVE else MINUS_OO
        return None

    def _function(self, op: str, a: Term, v: Term) -> Term | None:
        if is_infinite(v):
            pair = _AT_INFINITY.get(op)
            return None if pair is None else pair[0 if v == OO else 1]
        made = build(op, v)
        if op in _ENTIRE or op == "Abs":
            return made
        zero, side = self.sign(v) == ZERO, self.sign(a)
        if op == "sign":
            s = self.sign(v) if not zero else side
            return {POSITIVE: 1, NEGATIVE: -1}.get(s or 0)
        if op in ("log", "gamma", "Ei", "LambertW") and zero:
            near = side == POSITIVE or (op == "Ei" and side == NEGATIVE)
            return (
                {"log": MINUS_OO, "gamma": OO, "Ei": MINUS_OO, "LambertW": 0}[op] if near else None
            )
        if op in ("asin", "erfinv"):
            return self._arc(op, a, v)
        return made if self.regular([op, v]) else None

    def _arc(self, op: str, a: Term, v: Term) -> Term | None:
        """Asin is continuous on [-1, 1]; erfinv is infinite at its ends."""
        if self.sign(add(1, mul(-1, power(v, 2)))) == POSITIVE:
            return build(op, v)
        if self.sign(add(1, mul(-1, power(a, 2)))) not in (POSITIVE, NONNEGATIVE):
            return None
        for end in (1, -1):
            if self.sign(add(v, -end)) == ZERO:
                if op == "asin":
                    return ["asin", v]
                inside = self.sign(add(1, mul(-1, power(a, 2)))) == POSITIVE
                return _infinity(end) if inside else None
        return None

    def bounded(self, a: Term) -> bool:
        """Whether a term is defined and stays bounded near the end, for each value of the names."""
        v = self.limit(a)
        if v is not None:
            return not is_infinite(v)
        if not isinstance(a, list):
            return False
        whole = a[0] == "^" and type(a[2]) is int and a[2] >= 0
        if a[0] in ("+", "*") or whole:
            return all(map(self.bounded, a[1:]))
        return a[0] in ("sin", "cos", "atan", "erf", "sign") and self.regular(a)

    def vanishes(self, a: Term) -> bool:
        """Whether a term tends to zero."""
        v = self.limit(a)
        return v is not None and not is_infinite(v) and self.sign(v) == ZERO


def equal(germ: Germ, a: Term, b: Term) -> bool:
    """Whether two terms agree near the end wherever both have values."""
    return key(a) == key(b) or germ.sign(add(a, mul(-1, b))) == ZERO


def same(germ: Germ, a: Term, other: Term) -> Term | None:
    """Two terms that agree near the end have one limit; both have values there."""
    demand(equal(germ, a, other), "the terms are not equal")
    demand(germ.regular(a), "the term may have no value near the end")
    return germ.limit(other)


def quotient(germ: Germ, a: Term, f: Term, g: Term) -> Term | None:
    r"""The rule of de l'Hospital: $f'/g' \to v$ implies $f/g \to v$, finite or not.

    For f and g differentiable with $g' \ne 0$ near the end, and either both tend to zero or g to an
    infinity (Rudin, Principles of Mathematical Analysis, theorem 5.13). Then $g \ne 0$ as well.
    """
    demand(equal(germ, a, mul(f, power(g, -1))), "not the quotient")
    slopes = derivative(f, germ.t), derivative(g, germ.t)
    demand(all(map(germ.regular, (f, g, *slopes))), "not differentiable near the end")
    demand(germ.sign(slopes[1]) in (POSITIVE, NEGATIVE), "the slope of the denominator may vanish")
    below = germ.limit(g)
    demand(below is not None, "the denominator has no known limit")
    demand(is_infinite(below) or (germ.vanishes(f) and germ.vanishes(g)), "no indeterminate form")
    demand(germ.regular(a), "the term may have no value near the end")
    return germ.limit(mul(slopes[0], power(slopes[1], -1)))


def product(germ: Germ, a: Term, bounded: Term, small: Term) -> Term | None:
    """What is bounded times what tends to zero tends to zero."""
    demand(equal(germ, a, mul(bounded, small)), "not the product")
    demand(germ.bounded(bounded) and germ.vanishes(small), "not bounded, or not small")
    demand(germ.regular(a), "the term may have no value near the end")
    return 0


def squeezed(germ: Germ, a: Term, lower: Term, upper: Term) -> Term | None:
    """A term between two terms of one limit has this limit."""
    gaps = add(a, mul(-1, lower)), add(upper, mul(-1, a))
    for gap in gaps:
        s = germ.sign(gap)
        demand(s is not None and s >= 0, "not between")
    demand(germ.regular(a), "the term may have no value near the end")
    v, w = germ.limit(lower), germ.limit(upper)
    demand(v is not None and w is not None and v == w, "different limits")
    return v


def value(germ: Germ, a: Term, other: Term) -> Term | None:
    """The limit under another name: both are equal and have values for all other names."""
    v = germ.limit(a)
    demand(v is not None and not is_infinite(v) and germ.t not in variables(other), "no such limit")
    demand(equal(germ, v, other) and germ.regular(other), "not the limit")
    return other


def expansion(germ: Germ, a: Term, depth: int) -> Term | None:
    """The limit that an expansion in powers and logarithms shows."""
    return Series(germ, germ.t, germ.at_infinity, depth).limit(a)


RULES: dict[str, Any] = {
    f.__name__: f for f in (same, quotient, product, squeezed, value, expansion)
}


def moved(e: Term, x: str, to: Term, direction: str, t: str) -> Term:
    """The term in t, where x = to + t, to - t, t or -t."""
    if is_infinite(to):
        return substitute(e, {x: mul(to[1], t)})
    return substitute(e, {x: add(to, t if direction == "+" else mul(-1, t))})


def approached(ranges: Mapping[str, Any], at_infinity: bool, proof: Mapping[str, Any]) -> Germ:
    """The germ with all that the steps of a proof establish next to the end."""
    t, near = proof["name"], proof["near"]
    demand(is_name(t) and t not in ranges, f"{t} is no new name")
    q = number(near)
    demand(q is not None and q > 0, "expected a positive number")
    around = [near, None] if at_infinity else [0, near]
    context = established(Context({**ranges, t: around}), proof["steps"])
    germ = Germ(context, t, at_infinity)
    demand(len(proof["limits"]) <= MAX_RULES, "too many limits")
    for rule, a, *rest in proof["limits"]:
        demand(rule in RULES, f"no rule {rule}")
        demand(set().union(*map(variables, (a, *rest))) <= set(ranges) | {t}, "an unknown name")
        found = RULES[rule](germ, a, *rest)
        demand(found is not None, f"{rule} gives no limit of {key(a)[:200]}")
        germ.limits[key(a)] = found
    return germ
