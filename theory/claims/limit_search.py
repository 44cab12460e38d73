"""The search for the rules of `theory.claims.replay.germs` that give a limit.

A rule counts only after the checker's own has accepted it.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import sympy as sp

from theory.claims.claim import term_of
from theory.claims.expansion_search import depth_of_expansion, without_large_exponentials
from theory.claims.proof_search import Prover, regularize
from theory.claims.replay.answers import End
from theory.claims.replay.facts import ZERO, Context
from theory.claims.replay.germs import RULES, Germ, is_infinite
from theory.claims.replay.terms import (
    Rejected,
    Term,
    add,
    derivative,
    key,
    mul,
    number,
    power,
    substitute,
    variables,
    written_out,
)
from theory.claims.symbolic import symbolic
from theory.errors import TheoryError
from theory.exact.budget import spent
from theory.exact.guard import proposal

__all__ = ["Approach", "finite_at", "fresh", "infinite_at", "limit_proof", "named"]

_NEAR: tuple[Term, ...] = (1, "1/100")
_FAR: tuple[Term, ...] = (1, 100)
_DEPTH = 6


class Approach:
    """The search for the limits of terms in t, next to one end."""

    def __init__(self, ranges: Mapping[str, Any], at_infinity: bool, near: Term, t: str) -> None:
        around = [near, None] if at_infinity else [0, near]
        self.prover = Prover(Context({**ranges, t: around}))
        self.germ = Germ(self.prover.context, t, at_infinity)
        # what the prover establishes is known next to the end at once
        self.germ.facts = self.prover.context.facts
        self.t, self.near = t, near
        self.rules: list[Any] = []
        self.failed: dict[str, int] = {}

    def apply(self, rule: str, a: Term, *rest: Any) -> bool:
        """Try one rule; it counts when it gives a limit."""
        try:
            found = RULES[rule](self.germ, a, *rest)
        except (Rejected, ArithmeticError, KeyError, ValueError):
            return False
        if found is None:
            return False
        self.germ.limits[key(a)] = found
        self.rules.append([rule, a, *rest])
        return True

    def known(self, a: Term) -> Term | None:
        """The limit by the rules so far."""
        try:
            return self.germ.limit(a)
        except (Rejected, ArithmeticError, ValueError):
            return None

    def expand(self, a: Term) -> bool:
        """Whether an expansion shows the limit, perhaps of another form of the term."""
        if not isinstance(a, list):
            return False
        other = without_large_exponentials(self.germ, self.prover, a)
        for b in (a, other):
            depth = depth_of_expansion(self.germ, self.prover, b)
            if depth is None or not self.apply("expansion", b, depth):
                continue
            if key(b) == key(a):
                return True
            regularize(self.prover, a, 3)
            if self._zero(a, b) and self.apply("same", a, b):
                return True
        return False

    def find(self, a: Term, depth: int = _DEPTH) -> Term | None:
        """The limit of a term, after whatever rules it needs."""
        v = self.known(a)
        if v is not None or not isinstance(a, list) or spent():
            return v
        if self.failed.get(key(a), -1) >= depth or depth < 0:
            return None
        self.failed[key(a)] = depth
        if a[0] == "^" and self.t in variables(a[2]):
            return self.find(["exp", mul(a[2], ["log", a[1]])], depth)
        for part in a[1:]:
            if self.t in variables(part):
                self.find(part, depth)
            else:
                regularize(self.prover, part, 3)
        for attempt in (
            self._by_signs, self._by_product, self._by_exponents, self._by_quotients,
            self._by_largest, self._by_forms,
        ):  # fmt: skip
            attempt(a, depth)
            v = self.known(a)
            if v is not None:
                self.failed.pop(key(a), None)
                return v
        return None

    def _by_signs(self, a: Term, depth: int) -> None:
        """The signs of the parts, on which infinities and branches depend."""
        regularize(self.prover, a, 3)
        for part in a[1:]:
            v = self.known(part)
            if v is not None and not is_infinite(v) and isinstance(v, list):
                self.prover.sign(v, 3)
                if self.germ.sign(v) is None:
                    self.prover.zero(v, 2)
            if isinstance(part, list):
                self.prover.sign(part, 3)
        if a[0] in ("asin", "erfinv"):
            self.prover.sign(add(1, mul(-1, power(a[1], 2))), 3)
        v = self.known(a[1])
        if a[0] in ("asin", "erfinv") and v is not None and not is_infinite(v):
            self.prover.sign(add(1, mul(-1, power(v, 2))), 3)

    def _by_product(self, a: Term, depth: int) -> None:
        """Factors without a limit that are bounded, times one that vanishes."""
        if a[0] != "*":
            return
        loose = [b for b in a[1:] if self.known(b) is None]
        rest = mul(*(b for b in a[1:] if b not in loose))
        if loose and self.find(rest, depth - 1) is not None:
            for b in loose:
                regularize(self.prover, b, 3)
            if self._zero(a, mul(*loose, rest)):
                self.apply("product", a, mul(*loose), rest)

    def _by_exponents(self, a: Term, depth: int) -> None:
        """Powers with an open exponent and exponentials as one exponential."""
        if a[0] != "*" or not any(_is_open_power(b) for b in a[1:]):
            return
        exponents, rest = [], []
        for b in a[1:]:
            if isinstance(b, list) and b[0] == "exp":
                exponents.append(b[1])
            elif isinstance(b, list) and b[0] == "^":
                exponents.append(mul(b[2], ["log", b[1]]))
            elif b == self.t:
                exponents.append(["log", b])
            else:
                rest.append(b)
        whole = ["exp", add(*exponents)]
        nested = ["*", mul(*rest), whole] if rest else whole
        if self.find(nested, depth - 1) is not None and self._zero(a, nested):
            regularize(self.prover, a, 3)
            self.apply("same", a, nested)

    def _by_quotients(self, a: Term, depth: int) -> None:
        factors = a[1:] if a[0] == "*" else [a]
        limits = [self.known(b) for b in factors]
        if a[0] != "*" or any(v is None for v in limits):
            return
        kinds = [
            "oo" if is_infinite(v) else "zero" if self.germ.sign(v) == ZERO else "" for v in limits
        ]
        core = [b for b, k in zip(factors, kinds, strict=True) if k]
        plain = [b for b, k in zip(factors, kinds, strict=True) if not k]
        if plain and core:
            # the factors with another limit than zero and infinity stay outside
            nested = ["*", mul(*plain), mul(*core)]
            if self.find(mul(*core), depth) is not None and self._zero(a, nested):
                self.apply("same", a, nested)
            return
        for f, g in self._splits(factors, kinds):
            if self._hospital(a, f, g, depth):
                return

    def _splits(self, factors: list[Term], kinds: list[str]) -> Iterator[tuple[Term, Term]]:
        """Numerators and denominators of an indeterminate product."""
        below = [b for b in factors if _is_below(b)]
        above = [b for b in factors if not _is_below(b)]
        splits = []
        if below and above:
            splits.append((mul(*above), mul(*map(_inverse, below))))
        zeros = [b for b, k in zip(factors, kinds, strict=True) if k == "zero"]
        ends = [b for b, k in zip(factors, kinds, strict=True) if k == "oo"]
        if zeros and ends:
            splits.append((mul(*ends), mul(*map(_inverse, zeros))))
            splits.append((mul(*zeros), mul(*map(_inverse, ends))))
        seen = set()
        for f, g in splits:
            if key([f, g]) not in seen:
                seen.add(key([f, g]))
                yield f, g

    def _hospital(self, a: Term, f: Term, g: Term, depth: int) -> bool:
        try:
            slopes = derivative(f, self.t), derivative(g, self.t)
        except Rejected:
            return False
        for e in (f, g, *slopes, a):
            regularize(self.prover, e, 3)
        self.prover.sign(slopes[1], 4)
        if self.find(g, depth - 1) is None or self.find(f, depth - 1) is None:
            return False
        ratio = mul(slopes[0], power(slopes[1], -1))
        if self.germ.sign(slopes[1]) is None or self._simpler(ratio, depth - 1) is None:
            return False
        return self._zero(a, mul(f, power(g, -1))) and self.apply("quotient", a, f, g)

    def _simpler(self, a: Term, depth: int) -> Term | None:
        """The limit of a ratio of derivatives, of its lowest terms first."""
        v = self.known(a)
        if v is None and isinstance(a, list):
            self._by_forms(a, depth, first=True)
            v = self.known(a)
        return self.find(a, depth) if v is None else v

    def _by_largest(self, a: Term, depth: int) -> None:
        """A sum with one of its infinite terms taken out as a factor."""
        if a[0] != "+":
            return
        ends = [b for b in a[1:] if (v := self.known(b)) is not None and is_infinite(v)]
        for big in ends[:3]:
            inner = add(*(1 if b == big else self._lowest(mul(b, _inverse(big))) for b in a[1:]))
            nested = ["*", big, inner]
            regularize(self.prover, nested, 3)
            self.find(inner, depth - 2)
            if self.find(nested, depth - 2) is not None and self._zero(a, nested):
                regularize(self.prover, a, 3)
                if self.apply("same", a, nested):
                    return

    def _lowest(self, a: Term) -> Term:
        e = symbolic(a, self.germ.ranges)
        form = None if e is None else proposal(_cancelled, e, seconds=1.0)
        try:
            return a if form is None else written_out(term_of(form))
        except (TheoryError, Rejected):
            return a

    def _by_forms(self, a: Term, depth: int, first: bool = False) -> None:
        """SymPy's other forms of the term, where the checker sees that they are equal."""
        for other in itertools.islice(_forms(a, self.germ.ranges), 2 if first else 8):
            if spent() or key(other) == key(a):
                continue
            if self.find(other, depth - 1) is None or not self._zero(a, other):
                continue
            regularize(self.prover, a, 3)
            if self.apply("same", a, other):
                return

    def _zero(self, a: Term, other: Term) -> bool:
        return key(a) == key(other) or self.prover.zero(add(a, mul(-1, other)))

    def part(self) -> dict[str, Any]:
        """The proof as the checker reads it."""
        return {
            "name": self.t,
            "near": self.near,
            "steps": self.prover.steps,
            "limits": self.rules,
        }


def _is_open_power(b: Term) -> bool:
    return isinstance(b, list) and b[0] == "^" and number(b[2]) is None


def _is_below(b: Term) -> bool:
    q = number(b[2]) if isinstance(b, list) and b[0] == "^" else None
    if isinstance(b, list) and b[0] == "exp":
        q = number(b[1][1]) if isinstance(b[1], list) and b[1][0] == "*" else None
    return q is not None and q < 0


def _inverse(b: Term) -> Term:
    if isinstance(b, list) and b[0] == "^" and number(b[2]) is not None:
        return power(b[1], mul(-1, b[2]))
    if isinstance(b, list) and b[0] == "exp":
        return ["exp", mul(-1, b[1])]
    return power(b, -1)


def _cancelled(e: sp.Expr) -> sp.Expr:
    return sp.cancel(sp.powsimp(sp.together(e)))


def _spread(e: sp.Expr) -> sp.Expr:
    return sp.expand(e)


def _joined(e: sp.Expr) -> sp.Expr:
    return sp.powsimp(sp.expand(e))


def _logs(e: sp.Expr) -> sp.Expr:
    return sp.expand_log(sp.expand(e))


def _forms(a: Term, ranges: Mapping[str, Any]) -> Iterator[Term]:
    e = symbolic(a, ranges)
    if e is None:
        return
    seen = {key(a)}
    for make in (_cancelled, sp.factor, _joined, _spread, sp.simplify, _logs, sp.radsimp):
        form = proposal(make, e, seconds=1.0)
        if form is None or form.has(sp.nan, sp.zoo, sp.oo, sp.I):
            continue
        try:
            t = written_out(term_of(form))
        except (TheoryError, Rejected):
            continue
        if key(t) not in seen and set(variables(t)) <= set(ranges):
            seen.add(key(t))
            yield t


def fresh(name: str, taken: Collection[str]) -> str:
    """A name that is not taken."""
    names = itertools.chain((name,), (f"{name}_{i}" for i in itertools.count()))
    return next(n for n in names if n not in taken)


def limit_proof(
    ranges: Mapping[str, Any], f: Term, x: str, place: Term, direction: str
) -> Iterator[tuple[Approach, Term]]:
    """Limits of a function of x from one side of a place, with the rules that prove them.

    Examples
    --------
    >>> f = ["*", "x", ["log", "x"]]
    >>> approach, v = next(limit_proof({}, f, "x", 0, "+"))
    >>> v, approach.rules[-1][0]
    (0, 'expansion')
    """
    t = fresh("t", {*ranges, x})
    for near in _FAR if is_infinite(place) else _NEAR:
        approach = Approach(ranges, is_infinite(place), near, t)
        if is_infinite(place):
            e = substitute(f, {x: mul(place[1], t)})
        else:
            regularize(approach.prover, place, 3)
            e = substitute(f, {x: add(place, t if direction == "+" else mul(-1, t))})
        v = approach.known(e)
        if v is None and not approach.expand(e):
            v = approach.find(e)
        v = approach.known(e) if v is None else v
        if v is not None:
            yield approach, v


def named(approach: Approach, v: Term, value: Term) -> bool:
    """Whether a limit is this value, as the prover of the germ can show."""
    if is_infinite(v) or is_infinite(value):
        return bool(v == value)
    regularize(approach.prover, value, 3)
    same = key(v) == key(value) or approach.prover.zero(add(v, mul(-1, value)))
    return bool(same and approach.germ.regular(value))


def infinite_at(end: End) -> dict[str, Any]:
    """The proof that one of the functions is infinite at an end."""
    for i, f in enumerate(end.functions):
        for approach, v in limit_proof(end.ranges, f, end.name, end.place, end.direction):
            if is_infinite(v):
                return {"of": i, "proof": approach.part()}
    raise Rejected("no function is proved to be infinite at an end")


def finite_at(end: End) -> list[dict[str, Any]]:
    """The proofs that all functions are finite at an end."""
    out = []
    for i, f in enumerate(end.functions):
        for approach, v in limit_proof(end.ranges, f, end.name, end.place, end.direction):
            if not is_infinite(v):
                out.append({"of": i, "proof": approach.part()})
                break
        else:
            raise Rejected("a function is not proved to be finite at an end")
    return out
