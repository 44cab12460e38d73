"""What the functions of matrix products accept: depths, rates of decay, singular values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import AssumptionError, DataError, FormulaError, ShapeError
from theory.exact.assumptions import Ranges
from theory.exact.balls import sign_of_number
from theory.exact.initial_data import read_exact, read_number
from theory.exact.zero import is_zero

__all__ = [
    "above_two",
    "at_most_two",
    "exact_sign",
    "fresh_symbol",
    "read_count",
    "read_decay",
    "read_depth",
    "read_entries",
    "read_hidden",
    "read_matrix",
    "read_positive",
    "read_spectrum",
    "read_vector",
]

Depth = Any
"""A whole number of layers, or a symbol above 2."""


def read_depth(depth: Any, *, least: int = 2) -> Depth:
    """A depth: an integer, or a positive symbol, which stands for every depth above 2.

    Examples
    --------
    >>> read_depth(3), read_depth("L")
    (3, L)
    """
    if isinstance(depth, str):
        if not depth.isidentifier():
            raise FormulaError(f"Expected an integer or a name as depth but got {depth!r}.")
        depth = sp.Symbol(depth, positive=True)
    if isinstance(depth, sp.Symbol):
        if depth.is_positive is not True:
            raise AssumptionError(
                f"Cannot decide whether the depth {depth} is positive; declare it with "
                f"sp.Symbol('{depth}', positive=True)."
            )
        return depth
    whole = isinstance(depth, int | np.integer | sp.Integer) and not isinstance(depth, bool)
    if not whole:
        raise FormulaError(f"Expected an integer or a symbol as depth but got {depth!r}.")
    if depth < least:
        raise AssumptionError(f"Expected depth >= {least} but got depth = {depth}.")
    return int(depth)


def above_two(depth: Depth) -> Ranges:
    """The range of a symbolic depth, for the zero test."""
    return {depth: (sp.Integer(2), sp.oo)} if isinstance(depth, sp.Symbol) else {}


def at_most_two(depth: Depth) -> bool:
    """Whether the depth is the number 1 or 2."""
    return isinstance(depth, int) and depth <= 2


def exact_sign(e: sp.Expr, what: str) -> int:
    """The sign of a number: by a ball that excludes zero, or by a proof that it is zero.

    Raises
    ------
    DataError
        When neither is found.

    Examples
    --------
    >>> exact_sign(sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6)), "difference")
    0
    """
    sign = sign_of_number(e)
    if sign is not None:
        return sign
    if is_zero(e).proved:
        return 0
    raise DataError(f"Cannot decide the sign of the {what}, {e}; give rational numbers.")


def read_decay(lam: Any, name: str = "lam") -> sp.Expr:
    """A coefficient that is zero or positive: an exact number or a formula in signed symbols.

    Examples
    --------
    >>> read_decay(0.1), read_decay("lam").is_positive
    (1/10, True)
    """
    value = _finite(read_exact(lam, name), name, lam)
    if value.is_nonnegative is True or (value.is_number and sign_of_number(value) in (0, 1)):
        return value
    raise AssumptionError(
        f"Expected {name} >= 0 but got {name} = {lam!r}; declare a symbol with "
        f"sp.Symbol('{name}', positive=True)."
    )


def read_positive(value: Any, name: str) -> sp.Expr:
    """A positive number, or a formula that is positive by the declarations of its symbols."""
    e = _finite(read_exact(value, name), name, value)
    if e.is_positive is True or (e.is_number and sign_of_number(e) == 1):
        return e
    raise AssumptionError(
        f"Expected {name} > 0 but got {name} = {value!r}; declare a symbol with "
        f"sp.Symbol('{name}', positive=True)."
    )


def _finite(e: sp.Expr, name: str, given: Any) -> sp.Expr:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise AssumptionError(f"Expected a finite real {name} but got {name} = {given!r}.")
    return e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})


def read_count(value: Any, name: str, *, least: int = 1) -> int:
    """A whole number with a lower bound."""
    whole = isinstance(value, int | np.integer | sp.Integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ShapeError(f"Expected an integer {name} >= {least} but got {value!r}.")
    return int(value)


def read_spectrum(
    values: Any, *, name: str = "singular values", symbols: bool = False
) -> tuple[sp.Expr, ...]:
    """Singular values: exact numbers, none negative, the largest first.

    With `symbols`, positive symbols and formulas in them may stand for values; then nothing is said
    about their order.

    Examples
    --------
    >>> read_spectrum([3, 0.5, 0])
    (3, 1/2, 0)
    """
    out = list(read_vector(values, name, symbols=symbols))
    for i, v in enumerate(out):
        if not v.is_number:
            if not v.is_positive:
                raise AssumptionError(
                    f"Cannot decide whether {v} is positive; declare its symbols as positive."
                )
            continue
        sign = exact_sign(v, f"value {values[i]!r}")
        if sign < 0:
            raise DataError(f"Expected nonnegative {name} but got {values[i]!r}.")
        if sign == 0:
            out[i] = sp.S.Zero
    if any(not v.is_number for v in out):
        return tuple(out)
    for i in range(len(out) - 1):
        if sign_of_number(out[i] - out[i + 1]) == -1:
            raise DataError(
                f"Expected the {name} in decreasing order but {values[i]!r} stands before "
                f"{values[i + 1]!r}; sort them with sorted(values, reverse=True)."
            )
    return tuple(out)


def read_vector(values: Any, name: str, *, symbols: bool = False) -> tuple[sp.Expr, ...]:
    """A flat sequence of exact numbers, or with `symbols` of real formulas.

    Examples
    --------
    >>> read_vector([1, -0.5], "beta")
    (1, -1/2)
    """
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise ShapeError(f"Expected a sequence of {name} but got {values!r}.")
    if np.ndim(np.asarray(values, dtype=object)) != 1:
        raise ShapeError(f"Expected the {name} as a flat sequence, not as a matrix.")
    if not len(values):
        raise ShapeError(f"Expected at least one of the {name} but got none.")
    if not symbols:
        return tuple(read_number(v, name) for v in values)
    out = tuple(_finite(read_exact(v, name), name, v) for v in values)
    for v in out:
        if v.is_real is not True:
            raise AssumptionError(
                f"Cannot decide whether {v} is real; declare its symbols with their signs."
            )
    return out


def read_entries(entries: Any, size: int) -> tuple[sp.Expr, ...]:
    """As many real numbers or formulas as there are parameters.

    Raises
    ------
    ShapeError
        For another number of them.
    """
    found = read_vector(entries, "entries", symbols=True)
    if len(found) != size:
        raise ShapeError(f"Expected {size} entries but got {len(found)}.")
    return found


def read_matrix(value: Any, name: str) -> NDArray[np.float64]:
    """A finite matrix in double precision, a copy.

    Raises
    ------
    ShapeError, DataError
        For what is no matrix of numbers, or not finite.

    Examples
    --------
    >>> read_matrix([[1, 2]], "W")
    array([[1., 2.]])
    """
    try:
        A = np.array(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"Expected a matrix {name} of numbers but got {value!r}.") from error
    if A.ndim != 2 or not A.size:
        raise ShapeError(f"Expected a matrix {name} but got an array of shape {A.shape}.")
    if not np.isfinite(A).all():
        raise DataError(f"Expected a matrix {name} with finite entries.")
    return A


def read_hidden(widths: Any, depth: int) -> list[int]:
    """The hidden widths of a chain: one for each of the L - 1 hidden layers, or one for all.

    Examples
    --------
    >>> read_hidden(4, 3), read_hidden([4, 2], 3)
    ([4, 4], [4, 2])
    """
    one = isinstance(widths, int | np.integer) and not isinstance(widths, bool)
    if not one and (isinstance(widths, str) or not hasattr(widths, "__len__")):
        raise ShapeError(f"Expected widths as an integer or a list of them but got {widths!r}.")
    hidden = [widths] * (depth - 1) if one else list(widths)
    if len(hidden) != depth - 1:
        raise ShapeError(f"Expected {depth - 1} hidden widths but got {len(hidden)}.")
    return [read_count(w, "width") for w in hidden]


def fresh_symbol(name: str, *expressions: Any, **assumptions: bool) -> sp.Symbol:
    """A symbol of this name, or a dummy when one of the expressions uses the name.

    Examples
    --------
    >>> fresh_symbol("t", sp.Symbol("s"), positive=True)
    t
    >>> fresh_symbol("t", sp.Symbol("t")) == sp.Symbol("t")
    False
    """
    taken = {f.name for e in expressions for f in sp.sympify(e, strict=True).free_symbols}
    return sp.Dummy(name, **assumptions) if name in taken else sp.Symbol(name, **assumptions)
