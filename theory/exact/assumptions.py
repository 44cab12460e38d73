"""What is known of a symbol: a word (``positive``), or an open interval (``(2, oo)``).

SymPy symbols carry signs but no intervals, so an interval is kept beside the symbol, as a pair of
exact bounds; the symbol itself carries the sign that follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import sympy as sp

from theory.errors import AssumptionError
from theory.exact.parsing import parse

__all__ = ["Ranges", "agrees", "between", "declare", "parse_interval"]

Ranges = Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]]
"""Open intervals of symbols: symbol -> (lower, upper), bounds exact or infinite."""

_WORDS = {
    "real": {"real": True},
    "positive": {"positive": True},
    "negative": {"negative": True},
    "nonnegative": {"nonnegative": True},
    "integer": {"integer": True},
    "even": {"even": True},
    "odd": {"odd": True},
}
_INTERVAL = re.compile(r"^[(\[]?([^,()\[\]]+(?:\([^()]*\))?[^,()\[\]]*),([^,\[\]]+?)[)\]]?$")


def _bound(text: str) -> sp.Expr:
    text = text.strip()
    if text in ("oo", "+oo", "inf", "+inf"):
        return sp.oo
    if text in ("-oo", "-inf"):
        return -sp.oo
    value = parse(text, {})
    if not isinstance(value, sp.Expr):
        raise AssumptionError(f"Expected a number as a bound of an interval but got {text!r}.")
    return value


def parse_interval(text: str) -> tuple[sp.Expr, sp.Expr]:
    """Read ``"(0, oo)"``, ``"0, oo"`` or ``"(-1, 1)"`` as a pair of exact bounds.

    Examples
    --------
    >>> parse_interval("(0, oo)")
    (0, oo)
    >>> parse_interval("-1, 1/2")
    (-1, 1/2)

    Raises
    ------
    AssumptionError
        When the text is not an interval, or is empty.
    """
    match = _INTERVAL.match(text.strip())
    balanced = sum(map(text.count, "([")) == sum(map(text.count, ")]"))
    if match is None or not balanced:
        raise AssumptionError(f"Expected an interval such as '(0, oo)' but got {text!r}.")
    lower, upper = _bound(match.group(1)), _bound(match.group(2))
    if (upper - lower).is_positive is not True and upper - lower is not sp.oo:
        raise AssumptionError(f"Expected lower < upper but got the interval {text!r}.")
    return lower, upper


def declare(
    name: str, assumption: str = "positive"
) -> tuple[sp.Symbol, tuple[sp.Expr, sp.Expr] | None]:
    """Make the symbol `name` with an assumption given as words or as an interval.

    Returns
    -------
    symbol : sympy.Symbol
    interval : pair of bounds, or None when the words say all

    Examples
    --------
    >>> declare("L", "(2, oo)")
    (L, (2, oo))
    >>> declare("t", "real")[0].is_real
    True

    Raises
    ------
    AssumptionError
        For an unknown word.
    """
    text = assumption.strip()
    if re.fullmatch(r"[a-z ,]+", text) and not text.startswith("oo"):
        words = text.replace(",", " ").split()
        properties: dict[str, bool] = {}
        for word in words:
            if word not in _WORDS:
                raise AssumptionError(
                    f"Unknown assumption {word!r} on {name}; use one of {', '.join(_WORDS)} "
                    "or an interval such as '(0, oo)'."
                )
            properties |= _WORDS[word]
        if properties.get("positive") and properties.get("negative"):
            raise AssumptionError(f"{name} cannot be both positive and negative.")
        return sp.Symbol(name, **({"real": True} | properties)), None
    return between(name, *parse_interval(text))


def between(
    name: str, lower: sp.Expr, upper: sp.Expr
) -> tuple[sp.Symbol, tuple[sp.Expr, sp.Expr] | None]:
    """Make the symbol `name` for an open interval, as `declare` does.

    Examples
    --------
    >>> between("x", sp.S.Zero, sp.oo)
    (x, None)
    """
    if lower.is_nonnegative:
        symbol = sp.Symbol(name, positive=True)
    elif upper.is_nonpositive:
        symbol = sp.Symbol(name, negative=True)
    else:
        symbol = sp.Symbol(name, real=True)
    if (lower, upper) in ((sp.S.Zero, sp.oo), (-sp.oo, sp.S.Zero), (-sp.oo, sp.oo)):
        return symbol, None
    return symbol, (lower, upper)


def agrees(s: sp.Symbol, value: sp.Expr) -> bool:
    """Whether a real number may have the properties that a symbol is assumed to have.

    Examples
    --------
    >>> n = sp.Symbol("n", even=True)
    >>> agrees(n, sp.Integer(2)), agrees(n, sp.Integer(1))
    (True, False)
    """
    return all(getattr(value, f"is_{name}") is not (not holds) for name, holds in _properties(s))


@lru_cache(maxsize=1024)
def _properties(s: sp.Symbol) -> tuple[tuple[str, bool], ...]:
    """What is assumed of a symbol, without what finite real numbers have in any case.

    A strict sign stands for all that follows from it: these are the properties that are asked for
    at every point of every search.
    """
    known = {"commutative", "complex", "hermitian", "finite", "real"}
    if s.is_real:
        known |= {"imaginary", "infinite"}
    if s.is_real and (s.is_positive or s.is_negative):
        known |= {"zero", "nonzero", "nonnegative", "nonpositive"}
        known.add("negative" if s.is_positive else "positive")
    return tuple(
        (name, holds)
        for name, holds in s.assumptions0.items()
        if name not in known and not name.startswith("extended_")
    )
