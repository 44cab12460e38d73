"""Natural hypotheses under which a refuted conjecture may hold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from theory.claims.conjecture import Conjecture, split_assignments
from theory.claims.statement import read_expression, read_statement
from theory.errors import TheoryError
from theory.exact.assumptions import parse_interval
from theory.exact.balls import sign_of_number
from theory.exact.budget import spent, time_budget
from theory.exact.parsing import names_in
from theory.exact.verdict import Verdict

__all__ = ["rescues"]

_MOST = 6
"""Symbols up to which hypotheses are tried one by one."""
_SECONDS, _TOTAL = 6.0, 60.0

_WORDS = {
    "real": (-sp.oo, sp.oo),
    "positive": (sp.S.Zero, sp.oo),
    "nonnegative": (sp.S.Zero, sp.oo),
    "negative": (-sp.oo, sp.S.Zero),
}
_TRIED = (("{} > 0", (sp.S.Zero, sp.oo)), ("{} > 1", (sp.S.One, sp.oo)),
          ("0 < {} < 1", (sp.S.Zero, sp.S.One)))  # fmt: skip


def rescues(conjecture: Conjecture) -> tuple[tuple[str, Verdict], ...]:
    """Each hypothesis under which the conjecture is PROVED, and is not about nothing."""
    out: list[tuple[str, Verdict]] = []
    with time_budget(_TOTAL):
        for hypothesis, variant in _variants(conjecture):
            if spent():
                break
            try:
                with time_budget(_SECONDS):
                    if not _is_about_something(variant):
                        continue
                    verdict = variant.decide()
            except TheoryError:
                # the question makes no sense with this hypothesis
                continue
            if verdict.proved:
                out.append((hypothesis, verdict))
    return tuple(out)


def _variants(c: Conjecture) -> Iterator[tuple[str, Conjecture]]:
    if c.question in ("convex", "monotone"):
        yield from _intervals_of_variable(c)
    names = _names(c)
    for name in names[:_MOST]:
        for label, interval in _TRIED:
            variant = _restricted(c, name, interval)
            if variant is not None:
                yield label.format(name), variant
    if len(names) > 1:
        every: Conjecture | None = c
        for name in names:
            if every is not None and not _is_positive(every, name):
                every = _restricted(every, name, _TRIED[0][1])
        if every is not None and every != c:
            yield "all symbols positive", every
    if c.question == "prove":
        for a, b in itertools.permutations(names[:_MOST], 2):
            yield f"{a} < {b}", _ordered(c, a, b)
    if c.start:
        balanced = _balanced(c)
        if balanced is not None:
            yield "a balanced start", balanced
    for name in _exponents(c):
        variant = _depth_two(c, name)
        if variant is not None:
            yield f"{name} = 2", variant


def _is_about_something(c: Conjecture) -> bool:
    """Whether an exact point satisfies all hypotheses: what holds nowhere is no rescue."""
    if c.question != "prove":
        return True
    question = read_statement(c.statement, c.assume or None, c.domain or None)
    symbols = set(question.symbols).union(*(e.free_symbols for _, e in question.domain.relations))
    return next(question.domain.points(sorted(symbols, key=str), 1), None) is not None


# -------------------------------------------------------------------------------------------------
# symbols
# -------------------------------------------------------------------------------------------------


def _texts(c: Conjecture) -> list[str]:
    sides = re.split(r"[<>=!]=?", c.statement) if c.question == "prove" else [c.statement]
    return [t for t in (*sides, c.flow, *split_assignments(c.start).values()) if t.strip()]


def _names(c: Conjecture) -> list[str]:
    """The symbols that carry assumptions, in the order of their first appearance."""
    found = dict.fromkeys(n for text in _texts(c) for n in names_in(text))
    if c.question in ("convex", "monotone"):
        # the variable has its interval, and the constants are those that are declared
        return [n for n in found if n in c.assume and n != "x"]
    if c.question == "mirror_potential":
        known = {n for t in (c.flow, *split_assignments(c.start).values()) for n in names_in(t)}
        return [n for n in found if n in known]
    return list(found)


def _restricted(c: Conjecture, name: str, interval: tuple[sp.Expr, sp.Expr]) -> Conjecture | None:
    """The conjecture with a symbol confined to an interval too; None when that says nothing new."""
    words = c.assume.get(name, "real").strip()
    if "[" in words or "]" in words:
        # a closed end that the hypothesis keeps must stay in the question
        if c.question != "prove":
            return None
        relation = " & ".join(
            f"{name} {side} {end}"
            for side, end in zip("><", interval, strict=True)
            if end.is_finite
        )
        return replace(c, domain=f"{c.domain} & {relation}" if c.domain else relation)
    if words in ("integer", "positive integer"):
        if words == "integer" and interval == (sp.S.Zero, sp.oo):
            return replace(c, assume={**c.assume, name: "positive integer"})
        return None
    try:
        known = _WORDS.get(words) or parse_interval(words)
    except TheoryError:
        return None
    both = _intersection(known, interval)
    if both is None or (both == known and words != "nonnegative"):
        return None
    return replace(c, assume={**c.assume, name: _text(both)})


def _is_positive(c: Conjecture, name: str) -> bool:
    """Whether the assumption on a symbol says that it is positive."""
    words = c.assume.get(name, "real").strip()
    if words in _WORDS or "integer" in words:
        return "positive" in words.split()
    return "[" not in words and bool(parse_interval(words)[0].is_nonnegative)


def _ordered(c: Conjecture, a: str, b: str) -> Conjecture:
    """The conjecture for a < b."""
    words = [c.assume.get(n, "real").strip() for n in (a, b)]
    if words in (["real", "real"], ["positive", "positive"]):
        # b = a + gap with gap > 0 are all such pairs, and proofs use it more than a relation
        gap = "gap"
        while gap in _names(c):
            gap += "_"
        assume = {k: v for k, v in c.assume.items() if k != b} | {gap: "positive"}
        texts = {k: _put(getattr(c, k), b, f"({a} + {gap})") for k in ("statement", "domain")}
        return replace(c, assume=assume, **texts)
    relation = f"{a} < {b}"
    return replace(c, domain=f"{c.domain} & {relation}" if c.domain else relation)


def _intersection(
    a: tuple[sp.Expr, sp.Expr], b: tuple[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, sp.Expr] | None:
    lower, upper = sp.Max(a[0], b[0]), sp.Min(a[1], b[1])
    gap = upper - lower
    return (lower, upper) if gap is sp.oo or sign_of_number(gap) == 1 else None


def _text(interval: tuple[sp.Expr, sp.Expr]) -> str:
    return "positive" if interval == (sp.S.Zero, sp.oo) else f"({interval[0]}, {interval[1]})"


def _intervals_of_variable(c: Conjecture) -> Iterator[tuple[str, Conjecture]]:
    if set("[]<>=") & set(c.on):
        return
    known = parse_interval(c.on or "(-oo, oo)")
    free = [n for n in names_in(c.statement) if n not in c.assume]
    # convexity is about all variables together, each on the interval
    variable = ", ".join(free) if len(free) == 1 or c.question == "convex" else "x"
    for label, interval in _TRIED:
        both = _intersection(known, interval)
        if both is not None and both != known:
            yield label.format(variable), replace(c, on=f"({both[0]}, {both[1]})")


# -------------------------------------------------------------------------------------------------
# starts and depths
# -------------------------------------------------------------------------------------------------


def _put(text: str, name: str, value: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda _: value, text)


def _balanced(c: Conjecture) -> Conjecture | None:
    """All parameters start at the value of the first, which replaces the others' symbols."""
    values = split_assignments(c.start)
    first = next(iter(values.values()), "")
    others = [v for v in values.values() if v != first]
    if not others:
        return None
    statement, assume = c.statement, dict(c.assume)
    for value in others:
        if re.fullmatch(r"[^\W\d]\w*", value) and value not in names_in(first):
            statement = _put(statement, value, f"({first})")
            assume.pop(value, None)
    start = ", ".join(f"{name}={first}" for name in values)
    return replace(c, start=start, statement=statement, assume=assume)


def _exponents(c: Conjecture) -> list[str]:
    """Symbols that stand in an exponent over a base with symbols."""
    out: dict[str, None] = {}
    for text in _texts(c):
        e, _ = read_expression(text, None)
        for power in e.atoms(sp.Pow):
            if power.base.free_symbols:
                out |= dict.fromkeys(sorted(s.name for s in power.exp.free_symbols))
    return list(out)


def _depth_two(c: Conjecture, name: str) -> Conjecture | None:
    """The conjecture at the value 2 of a symbol that may have it."""
    if name in re.split(r"[,\s]+", c.parameters):
        return None
    words = c.assume.get(name, "real").strip()
    if words in ("negative",):
        return None
    if words not in ("integer", "positive integer") and words not in _WORDS:
        lower, upper = parse_interval(words)
        if not (sign_of_number(2 - lower) == 1 and sign_of_number(upper - 2) == 1):
            return None
    assume = {k: v for k, v in c.assume.items() if k != name}
    texts = {
        key: _put(getattr(c, key), name, "2")
        for key in ("statement", "domain", "flow", "rates", "on")
    }
    start = ", ".join(f"{n}={_put(v, name, '2')}" for n, v in split_assignments(c.start).items())
    return replace(c, assume=assume, start=start, **texts)
