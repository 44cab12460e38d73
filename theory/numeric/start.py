"""Start values of a flow: from what the user writes to an array, checked at the door."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import ShapeError, StartError
from theory.flow.parametrization import Elementwise
from theory.numeric.compile import Array

__all__ = ["named_values", "parameter_range", "read_constants", "read_start"]

Start = Mapping[Any, Any]


def read_constants(parametrization: Elementwise, start: Start) -> dict[sp.Symbol, sp.Expr]:
    """The numeric value of every constant of the formula, taken from the same mapping.

    Raises
    ------
    StartError
        When a constant has no value, or one that is not a single real number.
    """
    by_name = named_values(parametrization, start)
    constants: dict[sp.Symbol, sp.Expr] = {}
    for symbol in parametrization.constants:
        if symbol.name not in by_name:
            raise StartError(
                f"The constant {symbol} of {parametrization} has no value; "
                f"add it to the start, for example {{{symbol}: 3}}."
            )
        given = by_name[symbol.name]
        value = (
            sp.Rational(str(given)) if isinstance(given, float) and math.isfinite(given) else None
        )
        if value is None and _is_number(given):
            value = sp.sympify(given, strict=True)
        if value is None or value.is_real is not True or value.is_finite is not True:
            raise StartError(
                f"Expected one real number for the constant {symbol} "
                f"but got {by_name[symbol.name]!r}."
            )
        if (symbol.is_positive and not value > 0) or (symbol.is_integer and not value.is_integer):
            raise StartError(f"The value {value} contradicts the assumptions on {symbol}.")
        constants[symbol] = value
    return constants


def read_start(parametrization: Elementwise, start: Start, d: int) -> Array:
    """The start as an array of shape (k, d).

    Parameters
    ----------
    start : mapping from parameter (symbol or name) to value
        A number, an exact number, or an array with one value per coordinate.
    d : int
        Number of coordinates.

    Raises
    ------
    StartError
        For a missing or unknown parameter, or a value that is not a finite real number within the
        parameter's declared range.
    ShapeError
        For an array that does not have one value per coordinate.

    Examples
    --------
    >>> rho = Elementwise("u**2 - v**2", "u, v")
    >>> read_start(rho, {"u": 0.5, "v": [1, 2, 3]}, 3).tolist()
    [[0.5, 0.5, 0.5], [1.0, 2.0, 3.0]]
    """
    by_name = named_values(parametrization, start)
    rows = []
    for symbol in parametrization.parameters:
        if symbol.name not in by_name:
            raise StartError(
                f"The start has no value for the parameter {symbol}; expected values for "
                f"{', '.join(s.name for s in parametrization.parameters)}."
            )
        row = _row(symbol, by_name[symbol.name], d)
        low, high = parameter_range(parametrization, symbol)
        strict = symbol.is_nonnegative is not True or symbol.is_positive is True
        outside = (row <= low) | (row >= high) if strict else (row < low) | (row > high)
        if outside.any():
            i = int(np.argmax(outside))
            raise StartError(
                f"Expected {low} < {symbol} < {high} but the start has {symbol} = {row[i]!r} "
                f"at coordinate {i}."
            )
        rows.append(row)
    return np.array(rows)


def parameter_range(parametrization: Elementwise, symbol: sp.Symbol) -> tuple[float, float]:
    """The open interval that is declared for a parameter, by its range or its sign."""
    if symbol in parametrization.ranges:
        low, high = parametrization.ranges[symbol]
        return float(low), float(high)
    if symbol.is_nonnegative:
        return 0.0, np.inf
    if symbol.is_nonpositive:
        return -np.inf, 0.0
    return -np.inf, np.inf


def named_values(parametrization: Elementwise, start: Start) -> dict[str, Any]:
    """The values of a start by the names of parameters and constants."""
    if not isinstance(start, Mapping):
        raise StartError(f"Expected a mapping from parameters to values but got {start!r}.")
    known = {s.name: s for s in (*parametrization.parameters, *parametrization.constants)}
    by_name: dict[str, Any] = {}
    for key, value in start.items():
        name = str(getattr(key, "name", key))
        if name not in known:
            raise StartError(
                f"The start names {name!r}, which is not in {parametrization}; "
                f"its symbols are {', '.join(known)}."
            )
        by_name[name] = value
    return by_name


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, numbers.Number | np.number) or (
        isinstance(value, sp.Expr) and value.is_number
    )


def _row(symbol: sp.Symbol, value: Any, d: int) -> Array:
    if isinstance(value, sp.Expr) and value.free_symbols:
        raise StartError(
            f"Expected a number for {symbol} but got {value}; "
            f"give {', '.join(sorted(str(s) for s in value.free_symbols))} a numeric value."
        )
    try:
        if isinstance(value, str):
            raise TypeError(f"{value!r} is a string")
        array = np.asarray(value)
        if array.dtype.kind in "cSUb":
            raise TypeError(f"dtype {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(
            f"Expected real numbers for {symbol} but got {value!r}: {error}."
        ) from error
    if array.ndim == 0:
        row = np.full(d, float(array))
    elif array.shape == (d,):
        row = array
    else:
        raise ShapeError(
            f"Expected one number, or an array of shape ({d},) with one value per coordinate, for "
            f"{symbol} but got shape {array.shape}."
        )
    if not np.isfinite(row).all():
        i = int(np.argmin(np.isfinite(row)))
        raise StartError(f"Expected finite start values but got {symbol} = {row[i]} at {i}.")
    return row
