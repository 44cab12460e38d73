"""Exact initial data of a vector field: what the caller writes, checked at the door."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.errors import AssumptionError, DataError, FormulaError, ShapeError, UnknownName
from theory.exact.balls import enclose
from theory.exact.parsing import names_in, parse

__all__ = [
    "read_ball",
    "read_exact",
    "read_formulas",
    "read_number",
    "read_rational",
    "read_symbols",
    "sign_conditions",
]


def read_symbols(symbols: Sequence[sp.Symbol]) -> tuple[sp.Symbol, ...]:
    """The symbols of a state: real, and of different names."""
    names = tuple(symbols)
    if not names:
        raise ShapeError("Expected at least one symbol but got none.")
    for s in names:
        if not isinstance(s, sp.Symbol):
            raise FormulaError(f"Expected SymPy symbols but got {s!r}.")
        if s.is_extended_real is False or any(
            getattr(s, f"is_{kind}") is not None for kind in ("integer", "rational")
        ):
            raise AssumptionError(f"Expected a real variable but {s} is declared otherwise.")
    if len({s.name for s in names}) < len(names):
        raise FormulaError(f"Two symbols have the same name in {names}.")
    return names


def sign_conditions(s: sp.Symbol) -> list[sp.Expr]:
    """What a declared sign demands; at zero the flow may leave, so that is excluded too."""
    if s.is_nonnegative:
        return [s]
    if s.is_nonpositive:
        return [-s]
    return [s**2] if s.is_nonzero else []


def read_formulas(expressions: Sequence[Any], known: Mapping[str, sp.Symbol]) -> list[sp.Expr]:
    """Formulas in known symbols, text or SymPy, with exact coefficients."""
    out = []
    for given in expressions:
        e = parse(given, known) if isinstance(given, str) else given
        if isinstance(e, numbers.Real):
            e = read_number(e, "a formula")
        if not isinstance(e, sp.Expr):
            raise FormulaError(f"Expected a SymPy expression or a string but got {given!r}.")
        if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
            raise FormulaError(f"The formula {e} is not a finite real expression.")
        strange = sorted(str(s) for s in e.free_symbols if known.get(s.name) != s)
        if strange:
            raise UnknownName(
                f"{e} contains {', '.join(strange)}, which is not part of the state "
                f"{', '.join(known)}; put a number for it, or check its assumptions."
            )
        out.append(e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)}))
    return out


def read_exact(value: Any, name: str, known: Mapping[str, sp.Symbol] | None = None) -> sp.Expr:
    """Text, a number or an expression as an expression; text is parsed, never given to SymPy.

    Parameters
    ----------
    value : number, str or sympy.Expr
        A float stands for the decimal that it prints as; an expression stays as it is.
    name : str
        For the message.
    known : mapping from name to symbol, optional
        What text may use; each of its names is a positive symbol unless given.

    Raises
    ------
    FormulaError
        For anything else, and for a number that is not finite.

    Examples
    --------
    >>> read_exact(0.1, "eta"), read_exact("2*k", "eta")
    (1/10, 2*k)
    """
    if isinstance(value, sp.Expr):
        return value
    if isinstance(value, str):
        if known is None:
            known = {n: sp.Symbol(n, positive=True) for n in names_in(value)}
        return parse(value, known)
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise FormulaError(f"Expected {name} as a number or a formula but got {value!r}.")
    if not math.isfinite(value):
        raise FormulaError(f"Expected a finite {name} but got {value!r}.")
    return read_number(value, name)


def read_number(value: Any, name: str) -> sp.Expr:
    """An exact real number; a float stands for the decimal that it prints as."""
    number: Any = value
    if isinstance(value, bool):
        raise DataError(f"Expected a number for {name} but got {value!r}.")
    if isinstance(value, str):
        number = parse(value, {})
    elif isinstance(value, numbers.Rational):
        number = sp.Rational(int(value.numerator), int(value.denominator))
    elif isinstance(value, numbers.Real):
        # the repr of a double is its shortest decimal
        number = sp.Rational(repr(float(value))) if math.isfinite(value) else sp.nan
    if not isinstance(number, sp.Expr) or number.free_symbols:
        raise DataError(f"Expected a number for {name} but got {value!r}.")
    if number.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise DataError(f"Expected a finite real number for {name} but got {value!r}.")
    return number.xreplace({f: sp.Rational(str(f)) for f in number.atoms(sp.Float)})


def read_rational(value: Any, name: str) -> sp.Rational:
    """A rational number, exactly; a float stands for the decimal that it prints as.

    Examples
    --------
    >>> read_rational(0.1, "t"), read_rational("7/3", "t")
    (1/10, 7/3)
    """
    number = read_number(value, name)
    if not number.is_Rational:
        raise DataError(f"Expected a rational number {name} but got {value!r}.")
    return number


def read_ball(value: Any, name: str) -> arb:
    """The ball of an exact number, of an interval, or a finite ball as it is."""
    if isinstance(value, arb):
        ball = value
    elif isinstance(value, sp.Interval):
        ball = read_ball(value.start, name).union(read_ball(value.end, name))
    else:
        ball = enclose(read_number(value, name), {})
    if not ball.is_finite():
        raise DataError(f"Expected a finite real number for {name} but got {value!r}.")
    return ball
