"""Start and data of a flow as exact numbers, for arithmetic of any precision."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from theory.errors import DataError, ShapeError, StartError, TheoryError
from theory.exact.initial_data import read_exact
from theory.flow.parametrization import Elementwise
from theory.numeric.problem import Regression
from theory.numeric.start import Start, named_values, parameter_range

__all__ = ["as_floats", "exact_data", "exact_start", "exact_value"]


def exact_value(value: Any, name: str) -> sp.Expr:
    """A real number without rounding: a float is the binary fraction that it is.

    Parameters
    ----------
    value : number or str
        Text is read as a decimal, or a formula without symbols.
    name : str
        For the message.

    Raises
    ------
    DataError
        For anything that is not a finite real number.

    Examples
    --------
    >>> exact_value("0.1", "u"), exact_value(0.5, "u")
    (1/10, 1/2)
    >>> exact_value(0.1, "u") == sp.Rational(1, 10)
    False
    """
    if isinstance(value, bool | np.bool_):
        raise DataError(f"Expected a number for {name} but got {value!r}.")
    number: Any = None
    if isinstance(value, mpmath.mpf):
        mantissa, power = value.man_exp if mpmath.isfinite(value) else (sp.nan, 0)
        number = sp.Integer(int(mantissa)) * sp.Integer(2) ** int(power) if power else mantissa
        number = sp.sympify(number, strict=True)
    elif isinstance(value, numbers.Rational):
        number = sp.Rational(int(value.numerator), int(value.denominator))
    elif isinstance(value, numbers.Real | np.floating) and not isinstance(value, sp.Expr):
        number = sp.Rational(float(value)) if math.isfinite(float(value)) else sp.nan
    elif isinstance(value, str | sp.Expr):
        try:
            number = read_exact(value, name, {})
        except TheoryError as error:
            raise DataError(f"Expected a number for {name} but got {value!r}: {error}") from error
        number = number.xreplace({f: sp.Rational(f) for f in number.atoms(sp.Float)})
    if number is None or number.free_symbols or number.is_real is not True:
        raise DataError(f"Expected a finite real number for {name} but got {value!r}.")
    return number


def exact_start(parametrization: Elementwise, start: Start, d: int) -> list[list[sp.Expr]]:
    """The start, a row of d exact numbers for each parameter.

    Raises
    ------
    StartError
        For a missing parameter, and a value that is not a number or not in the declared range.
    ShapeError
        For a list that does not have one value for each coordinate.
    """
    known = named_values(parametrization, start)
    rows = []
    for symbol in parametrization.parameters:
        if symbol.name not in known:
            raise StartError(f"The start has no value for the parameter {symbol}.")
        given = known[symbol.name]
        single = np.ndim(given) == 0 or isinstance(given, str)
        values: Sequence[Any] = [given] * d if single else list(given)
        if len(values) != d:
            raise ShapeError(
                f"Expected one value, or {d} values, for {symbol} but got {len(values)}."
            )
        try:
            if single:
                row = [exact_value(given, symbol.name)] * d
            else:
                row = [exact_value(v, symbol.name) for v in values]
        except DataError as error:
            raise StartError(str(error)) from error
        low, high = parameter_range(parametrization, symbol)
        for i, value in enumerate(row):
            inside = low < value < high or (symbol.is_nonnegative and value == 0)
            if not inside:
                raise StartError(
                    f"Expected {low} < {symbol} < {high} but the start has {symbol} = {value} at "
                    f"coordinate {i}."
                )
        rows.append(row)
    return rows


def as_floats(start: Any) -> dict[Any, Any]:
    """Exact start values, also text, as floats; what is no number stays as it is."""
    if not isinstance(start, Mapping):
        return {}
    out: dict[Any, Any] = {}
    for key, value in start.items():
        try:
            single = isinstance(value, str) or np.ndim(value) == 0
            values = [float(exact_value(v, str(key))) for v in ([value] if single else value)]
        except (TheoryError, TypeError):
            out[key] = value
        else:
            out[key] = values[0] if single else np.array(values)
    return out


def exact_data(problem: Regression) -> tuple[list[list[sp.Expr]], list[sp.Expr]]:
    """A and y, entry by entry."""
    A, y = problem.given
    return (
        [[exact_value(v, "A") for v in row] for row in A.tolist()],
        [exact_value(v, "y") for v in y.tolist()],
    )
