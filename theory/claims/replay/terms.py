"""Terms of the checker: numbers, names, and lists of an operation and its terms.

A number is ``3`` or ``"1/2"``, a power ``["^", "x", 2]``. The functions beyond the basic ones are
written out by those.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import count, islice
from typing import Any

from flint import arb, fmpq

Term = Any
MAX_SIZE = 10_000


class Rejected(ValueError):
    """A certificate that does not prove its claim."""


def demand(condition: object, message: str) -> None:
    if not condition:
        raise Rejected(message)


def key(t: Term) -> str:
    return json.dumps(t, separators=(",", ":"))


def number(t: Term) -> Fraction | None:
    if type(t) is int:
        return Fraction(t)
    return Fraction(t) if type(t) is str and re.fullmatch(r"-?[0-9]+/[0-9]+", t) else None


def literal(q: Fraction) -> Term:
    return q.numerator if q.denominator == 1 else f"{q.numerator}/{q.denominator}"


def add(*terms: Term) -> Term:
    total, rest = Fraction(0), list[Term]()
    for t in terms:
        for a in t[1:] if isinstance(t, list) and t[0] == "+" else [t]:
            q = number(a)
            total, rest = (total, [*rest, a]) if q is None else (total + q, rest)
    rest += [literal(total)] if total or not rest else []
    return rest[0] if len(rest) == 1 else ["+", *rest]


def mul(*terms: Term) -> Term:
    total, rest = Fraction(1), list[Term]()
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
        size = max(abs(p.numerator), p.denominator).bit_length()
        if size <= 4096:
            return literal(p ** int(q))
    return ["^", a, b]


def build(op: str, *args: Term) -> Term:
    made = {"+": add, "*": mul, "^": power}.get(op)
    if made is None and len(args) == 1 and number(args[0]) == (op == "log"):
        # the functions of 0, and log 1
        if op in ("exp", "cos"):
            return 1
        if op in (*ODD, "sin", "log", "Abs"):
            return 0
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


def fixed_signs(t: Term, taken: set[str]) -> tuple[Term, dict[str, Term]]:
    """The term with a new name for each sign in it, and what the names stand for.

    Examples
    --------
    >>> fixed_signs(["*", "u", ["sign", "u"]], {"u"})
    (['*', 'u', 's0'], {'s0': ['sign', 'u']})
    """
    table: dict[str, Term] = {}

    def named(a: Term) -> Term:
        if not isinstance(a, list):
            return a
        if a[0] != "sign":
            return [a[0], *map(named, a[1:])]
        for name, known in table.items():
            if known == a:
                return name
        name = next(n for i in count() if (n := f"s{i}") not in taken | set(table))
        table[name] = a
        return name

    return named(t), table


def of_known_arity(data: Any) -> bool:
    """Whether no operation in a certificate has a wrong number of terms.

    Rules could read such a term differently, x^3 and x^2 in ``["^", "x", 3, 2]``.
    """
    if isinstance(data, Mapping):
        return all(map(of_known_arity, data.values()))
    if not isinstance(data, list):
        return True
    op, size = (data[0] if data and type(data[0]) is str else ""), len(data) - 1
    several = op in ("+", "*", "Min", "Max") and size > 0
    wrong = (op == "^" and size != 2) or (op in BALLS and size != 1)
    return (several or (op not in ("+", "*") and not wrong)) and all(map(of_known_arity, data))


KINDS = ("integer", "even", "odd")


def is_of_kind(value: Term, kind: list[str]) -> bool:
    """Whether a number belongs to a range that may be one of integers."""
    if kind in ([], ["integer"]):
        return not kind or type(value) is int
    return type(value) is int and value % 2 == (kind == ["odd"])


def is_name(t: Term) -> bool:
    """Whether t can be the name of a variable."""
    return type(t) is str and bool(re.fullmatch(r"[A-Za-z]\w*", t)) and t not in ("pi", "E")


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
    # the logarithm of a negative number is no real value, even where gamma is positive
    "loggamma": lambda u: add(_log(["gamma", u]), mul(0, _log(u))),
    "sigmoid": lambda u: power(add(1, _exp(u, -1)), -1),
    "softplus": lambda u: _log(add(1, _exp(u))),
    "cbrt": lambda u: mul(["sign", u], power(["Abs", u], "1/3")),
}
BALLS: dict[str, Any] = {
    "exp": arb.exp, "log": arb.log, "sin": arb.sin, "cos": arb.cos, "asin": arb.asin,
    "atan": arb.atan, "erf": arb.erf, "erfi": arb.erfi, "erfinv": arb.erfinv, "gamma": arb.gamma,
    "LambertW": arb.lambertw, "Ei": arb.ei, "Si": arb.si, "Ci": arb.ci, "Shi": arb.shi,
    "Chi": arb.chi, "Abs": abs, "sign": arb.sgn, "Min": arb.min, "Max": arb.max,
}  # fmt: skip
ODD = ("atan", "asin", "erf", "erfi", "erfinv", "Si", "Shi", "sign", "LambertW")


def written_out(t: Term) -> Term:
    """The term in the basic functions."""
    if t == "E":
        return ["exp", 1]
    if not isinstance(t, list):
        q = number(t)
        demand(is_name(t) or t == "pi" if q is None else literal(q) == t, f"{t!r} is no term")
        return t
    demand(len(t) > 1 and type(t[0]) is str, "an operation without arguments")
    args = [written_out(a) for a in t[1:]]
    if t[0] == "log" and len(args) == 2:
        return mul(_log(args[0]), power(_log(args[1]), -1))
    if t[0] in _WRITTEN_OUT:
        # twice the argument in each of many nested functions
        size = sum(1 for a in args for _ in islice(subterms(a), MAX_SIZE))
        demand(size < MAX_SIZE, "a term too large to be written out")
        return _WRITTEN_OUT[t[0]](*args)
    known = t[0] in ("+", "*", "^") or (t[0] in BALLS and (len(args) == 1 or t[0] in "MinMax"))
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
    # exp(-oo) = 0 is finite, and no value
    value = _applied(t, args) if all(a.is_finite() for a in args) else arb("nan")
    return value if value.is_finite() else arb("nan")


def _applied(t: Term, args: list[arb]) -> arb:
    if t[0] in ("+", "*"):
        total = args[0]
        for a in args[1:]:
            total = total + a if t[0] == "+" else total * a
        return total
    if t[0] != "^":
        total = BALLS[t[0]](*args[:2])
        for a in args[2:]:
            total = BALLS[t[0]](total, a)
        return total
    base, q = args[0], number(t[2])
    if q is None:
        return (args[1] * base.log()).exp()
    if q.denominator == 1:
        demand(abs(q) <= 10_000 or not base.contains(0), "a large power of a ball around zero")
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
        return add(*(mul(*args[:i], d, *args[i + 1 :]) for i, d in enumerate(inner) if d != 0))
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
