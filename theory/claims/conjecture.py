"""Conjectures: statements with their hypotheses, decided, and rescued by further hypotheses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from theory.claims.convexity import convex
from theory.claims.properties import (
    conserved,
    is_legendre,
    is_mirror_potential,
    monotone,
)
from theory.claims.prove import prove
from theory.errors import DataError
from theory.exact.assumptions import declare
from theory.exact.parsing import names_in, parse_assignments
from theory.exact.verdict import Verdict
from theory.flow.parametrization import Elementwise

__all__ = [
    "Conjecture",
    "parametrization_of",
    "read_conjectures",
    "split_assignments",
    "start_of",
]

_NEEDED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "prove": (("statement",), ("domain",)),
    "conserved": (("statement", "flow", "parameters"), ("rates",)),
    "mirror_potential": (("statement", "flow", "parameters", "start"), ("rates",)),
    "legendre": (("flow", "parameters", "start"), ("rates",)),
    "convex": (("statement",), ("on",)),
    "monotone": (("statement",), ("on",)),
}
"""The arguments that a question needs, and those that it may have besides."""

_ALWAYS = ("name", "source", "question", "assume")


@dataclass(frozen=True, slots=True)
class Conjecture:
    """A statement that someone expects to hold.

    Parameters
    ----------
    name : str
    statement : str
        A relation for "prove"; a formula for "conserved", "mirror_potential", "convex" and
        "monotone"; empty for "legendre".
    assume : mapping from name to str
        ``positive``, ``(0, 1)``, ...; everything else is real. For "convex" and "monotone" the
        constants, while `on` says where the variable lives.
    domain : str
        For "prove": a relation or a conjunction.
    source : str
        Where it comes from.
    question : {"prove", "conserved", "mirror_potential", "legendre", "convex", "monotone"}
    flow, parameters, rates, start : str
        The formula of x, its parameters ``"u, v"``, their learning rates ``"u=1, v=2"``, and their
        start ``"u=alpha, v=alpha"``.
    on : str
        An open interval; for "convex" in several variables also linear relations,
        ``"x > 0 & y > 0"``.

    Raises
    ------
    DataError
        For an unknown question, and for arguments that the question needs or does not take.

    Examples
    --------
    >>> square = Conjecture("root", "sqrt(x**2) == x", source="folklore")
    >>> print(square.decide().status)
    REFUTED
    >>> [hypothesis for hypothesis, _ in square.rescue()]
    ['x > 0', 'x > 1', '0 < x < 1']
    """

    name: str
    statement: str = ""
    assume: Mapping[str, str] = field(default_factory=dict, hash=False)
    domain: str = ""
    source: str = ""
    question: str = "prove"
    flow: str = field(default="", kw_only=True)
    parameters: str = field(default="", kw_only=True)
    rates: str = field(default="", kw_only=True)
    start: str = field(default="", kw_only=True)
    on: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "assume":
                if not isinstance(value, Mapping) or not all(
                    isinstance(w, str) for item in value.items() for w in item
                ):
                    raise DataError(
                        f"{_label(self.name)}: expected assume as a table from names to words such "
                        f"as 'positive' but got {value!r}."
                    )
            elif not isinstance(value, str):
                raise DataError(
                    f"{_label(self.name)}: expected text for {f.name} but got {value!r}."
                )
        if not self.name.strip():
            raise DataError("A conjecture needs a name.")
        if self.question not in _NEEDED:
            raise DataError(
                f"{_label(self.name)}: unknown question {self.question!r}; use one of "
                f"{', '.join(_NEEDED)}."
            )
        needed, optional = _NEEDED[self.question]
        for name in needed:
            if not getattr(self, name).strip():
                raise DataError(
                    f"{_label(self.name)}: the question {self.question!r} needs {name}."
                )
        allowed = {*needed, *optional, *_ALWAYS}
        for f in fields(self):
            if f.name not in allowed and getattr(self, f.name):
                raise DataError(
                    f"{_label(self.name)}: the question {self.question!r} does not take {f.name}."
                )
        object.__setattr__(self, "assume", dict(self.assume))

    def decide(self) -> Verdict:
        """The verdict on the conjecture.

        Raises
        ------
        TheoryError
            For text that is no formula, unknown names, and the like.
        """
        return _DECIDE[self.question](self)

    def rescue(self) -> tuple[tuple[str, Verdict], ...]:
        """The natural hypotheses that make a refuted conjecture PROVED, each with its verdict.

        Empty for a conjecture that is not refuted. Tried are signs and intervals of the symbols,
        an order of two symbols, a balanced start, and depth 2.
        """
        if not self.decide().refuted:
            return ()
        # the hypotheses are about conjectures, which this module defines
        from theory.claims.hypotheses import rescues

        return rescues(self)

    def to_toml(self) -> str:
        """The conjecture as a table ``[[conjecture]]`` that `read_conjectures` reads back.

        Examples
        --------
        >>> print(Conjecture("root", "sqrt(x**2) == x", {"x": "positive"}).to_toml(), end="")
        [[conjecture]]
        name = "root"
        question = "prove"
        statement = "sqrt(x**2) == x"
        [conjecture.assume]
        "x" = "positive"
        """
        lines = ["[[conjecture]]"]
        for name in ("name", "question", "statement", "domain", "source", *_EXTRA):
            if getattr(self, name):
                lines.append(f"{name} = {_quoted(getattr(self, name))}")
        if self.assume:
            lines.append("[conjecture.assume]")
            lines += [f"{_quoted(k)} = {_quoted(v)}" for k, v in self.assume.items()]
        return "\n".join(lines) + "\n"


_EXTRA = ("flow", "parameters", "rates", "start", "on")


def _label(name: Any) -> str:
    return f"Conjecture {name!r}"


def _quoted(text: str) -> str:
    # TOML has the escapes of JSON, but no surrogates, and it escapes DEL
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# -------------------------------------------------------------------------------------------------
# the questions
# -------------------------------------------------------------------------------------------------


def parametrization_of(c: Conjecture) -> Elementwise:
    """The parametrization that a conjecture names."""
    names = [n for n in re.split(r"[,\s]+", c.parameters.strip()) if n]
    rates = None
    words = dict(c.assume)
    if c.rates:
        rates = _assignments(c, c.rates, "rates")
        for value in rates.values():
            for s in value.free_symbols:
                words.setdefault(s.name, "real")
    for name in names_in(c.flow):
        words.setdefault(name, "real")
    return Elementwise(c.flow, names, rates=rates, assume=words)


def _assignments(c: Conjecture, text: str, what: str) -> dict[str, Any]:
    known = {
        name: declare(name, c.assume.get(name, "real"))[0]
        for value in split_assignments(text).values()
        if value
        for name in names_in(value)
    }
    values = parse_assignments(text, known)
    if not values:
        raise DataError(f"{_label(c.name)}: expected {what} such as 'u=1' but got {text!r}.")
    return values


def split_assignments(text: str) -> dict[str, str]:
    """``"u=f(a, b), v=1"`` as texts by name; commas inside of parentheses do not count.

    Examples
    --------
    >>> split_assignments("u=max(a, b), v=1")
    {'u': 'max(a, b)', 'v': '1'}
    """
    parts, depth = [""], 0
    for ch in text:
        depth += (ch == "(") - (ch == ")")
        if ch == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += ch
    pairs = (part.partition("=") for part in parts if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def start_of(c: Conjecture) -> dict[str, Any]:
    """The start that a conjecture names."""
    return _assignments(c, c.start, "start")


_DECIDE: Mapping[str, Callable[[Conjecture], Verdict]] = {
    "prove": lambda c: prove(c.statement, c.assume or None, c.domain or None),
    "conserved": lambda c: conserved(c.statement, parametrization_of(c)),
    "mirror_potential": lambda c: is_mirror_potential(
        c.statement, parametrization_of(c), start_of(c)
    ),
    "legendre": lambda c: is_legendre(parametrization_of(c), start_of(c)),
    "convex": lambda c: convex(c.statement, c.on or "(-oo, oo)", assume=c.assume or None),
    "monotone": lambda c: monotone(c.statement, c.on or "(-oo, oo)", assume=c.assume or None),
}


# -------------------------------------------------------------------------------------------------
# files
# -------------------------------------------------------------------------------------------------


def read_conjectures(path: str | Path) -> tuple[Conjecture, ...]:
    """Read the tables ``[[conjecture]]`` of a TOML file.

    The keys are the parameters of `Conjecture`; the values are text, and `assume` is a table of
    texts. Nothing in the file is run.

    Raises
    ------
    DataError
        For a file that cannot be read or is not TOML, and for a table with unknown or missing
        keys, or values of another type; the message names the table and the key.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path} is not UTF-8 text: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"The file {path} is not TOML: {error}.") from error
    except RecursionError:
        raise DataError(f"The file {path} is too deeply nested.") from None
    strange = sorted(set(data) - {"conjecture"})
    if strange:
        raise DataError(
            f"The file {path} has the key {strange[0]!r}; expected tables [[conjecture]] only."
        )
    tables = data.get("conjecture", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise DataError(f"The file {path}: write conjecture as tables [[conjecture]].")
    if not tables:
        raise DataError(f"The file {path} has no table [[conjecture]].")
    out: list[Conjecture] = []
    for number, table in enumerate(tables, start=1):
        found = _read_table(table, f"{path}, table {number}")
        if any(c.name == found.name for c in out):
            raise DataError(f"{path}, table {number}: two conjectures are named {found.name!r}.")
        out.append(found)
    return tuple(out)


def _read_table(table: Mapping[str, Any], where: str) -> Conjecture:
    known = [f.name for f in fields(Conjecture)]
    if isinstance(table.get("name"), str):
        where += f" ({table['name']!r})"
    for key, value in table.items():
        if key not in known:
            raise DataError(f"{where}: unknown key {key!r}; the keys are {', '.join(known)}.")
        if key == "assume":
            if not isinstance(value, dict):
                raise DataError(f"{where}: expected a table for the key 'assume', got {value!r}.")
            for name, words in value.items():
                if not isinstance(words, str):
                    raise DataError(
                        f"{where}: expected text for the key 'assume.{name}' but got {words!r}."
                    )
        elif not isinstance(value, str):
            raise DataError(f"{where}: expected text for the key {key!r} but got {value!r}.")
    if "name" not in table:
        raise DataError(f"{where}: the key 'name' is missing.")
    question = table.get("question", "prove")
    for key in _NEEDED.get(question, ((), ()))[0]:
        if key not in table:
            raise DataError(f"{where}: the key {key!r} is missing, which {question!r} needs.")
    try:
        return Conjecture(**table)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
