r"""Elementwise parametrizations $x_i = \rho(\theta_i)$, $\theta_i \in \mathbb{R}^k$."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, FormulaError, ShapeError
from theory.exact.assumptions import Ranges, declare
from theory.exact.parsing import parse

__all__ = ["Elementwise", "read_expression", "read_parameters", "read_rates"]


@dataclass(frozen=True, init=False)
class Elementwise:
    r"""The parametrization $x_i = \rho(\theta_i)$, $\theta_i \in \mathbb{R}^k$ a block per entry.

    Parameters
    ----------
    formula : sympy.Expr or str
        $\rho$ as a formula in the parameters; other symbols are constants.
    parameters : sequence of sympy.Symbol or of str, or one string such as ``"u, v"``
        The block of one coordinate, in order.
    rates : sequence or mapping, optional
        A constant positive learning rate for each parameter (1 unless given).
    assume : mapping from name to str, optional
        For string formulas: assumptions on names, as words (``positive``) or intervals
        (``(2, oo)``). A parameter is real unless told otherwise; a constant must be declared.

    Raises
    ------
    FormulaError
        For a formula that is not one, that contains no parameter, or is not real.
    AssumptionError
        For a rate that is not positive.

    Examples
    --------
    >>> Elementwise("u**2 - v**2", "u, v").gradient()
    (2*u, -2*v)
    >>> Elementwise("u**L", "u", assume={"L": "(2, oo)", "u": "positive"}).metric()
    L**2*u**(2*L - 2)
    """

    formula: sp.Expr
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    def __init__(
        self,
        formula: sp.Expr | str,
        parameters: Sequence[sp.Symbol | str] | sp.Symbol | str,
        *,
        rates: Sequence[Any] | Mapping[Any, Any] | None = None,
        assume: Mapping[str, str] | None = None,
    ) -> None:
        assume = dict(assume or {})
        ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = {}
        symbols, names = read_parameters(parameters, assume, ranges)
        expression = read_expression(formula, names)
        if not expression.free_symbols & set(symbols):
            raise FormulaError(
                f"The formula {expression} contains none of the parameters "
                f"{', '.join(s.name for s in symbols)}; the flow would not move."
            )
        missing = [s.name for s in symbols if s not in expression.free_symbols]
        if missing:
            raise FormulaError(
                f"The formula {expression} does not contain the parameter {', '.join(missing)}; "
                "leave it out, or check that the symbols carry the same assumptions."
            )
        for symbol in expression.free_symbols:
            if symbol.is_extended_real is False or (
                symbol.is_real is None and symbol not in symbols
            ):
                raise AssumptionError(
                    f"Cannot decide whether the constant {symbol} is real; declare it, for example "
                    f"with sp.Symbol('{symbol}', positive=True)."
                )
        object.__setattr__(self, "formula", expression)
        object.__setattr__(self, "parameters", tuple(symbols))
        object.__setattr__(self, "rates", read_rates(rates, symbols, names))
        object.__setattr__(self, "ranges", ranges)

    def __hash__(self) -> int:
        return hash((self.formula, self.parameters, self.rates))

    @cached_property
    def constants(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the formula and rates that are not parameters, by name."""
        free = set(self.formula.free_symbols).union(*(r.free_symbols for r in self.rates))
        return tuple(sorted(free - set(self.parameters), key=lambda s: s.name))

    def has_range(self, parameter: sp.Symbol) -> bool:
        """Whether a sign or an interval was declared for a parameter."""
        return self.range_of(parameter) != (-sp.oo, sp.oo)

    def range_of(self, parameter: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
        """The ends of the declared range of a parameter.

        Examples
        --------
        >>> rho = Elementwise("u*v", "u, v", assume={"u": "positive", "v": "(-1, 2)"})
        >>> [rho.range_of(s) for s in rho.parameters]
        [(0, oo), (-1, 2)]
        """
        lower, upper = self.ranges.get(parameter, (-sp.oo, sp.oo))
        if parameter.is_nonnegative:
            lower = sp.Max(lower, 0)
        if parameter.is_nonpositive:
            upper = sp.Min(upper, 0)
        return lower, upper

    def gradient(self) -> tuple[sp.Expr, ...]:
        r"""The partial derivatives $\partial\rho/\partial\theta_j$, in the parameters' order."""
        return tuple(sp.diff(self.formula, symbol) for symbol in self.parameters)

    def metric(self) -> sp.Expr:
        r"""$M = \nabla\rho^T P\,\nabla\rho$ in the parameters: $x' = -M\,\partial_x$ loss."""
        terms = (p * d**2 for p, d in zip(self.rates, self.gradient(), strict=True))
        return sp.powsimp(sp.Add(*terms))

    def __str__(self) -> str:
        return f"x = {self.formula}"

    def _repr_latex_(self) -> str:
        return f"$x = {sp.latex(self.formula)}$"


def read_parameters(
    parameters: Any,
    assume: dict[str, str],
    ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]],
) -> tuple[list[sp.Symbol], dict[str, sp.Symbol]]:
    """The parameters as symbols, and all names that formulas may use."""
    if isinstance(parameters, str):
        parameters = [name for name in re.split(r"[,\s]+", parameters.strip()) if name]
    elif isinstance(parameters, sp.Symbol):
        parameters = [parameters]
    elif not hasattr(parameters, "__iter__"):
        raise FormulaError(f"Expected symbols or names as parameters but got {parameters!r}.")
    symbols: list[sp.Symbol] = []
    names: dict[str, sp.Symbol] = {}
    for item in parameters:
        if isinstance(item, sp.Symbol):
            symbol = item
            if symbol.is_extended_real is False:
                raise AssumptionError(f"Expected a real parameter but got {symbol}.")
            if symbol.is_rational is not None or symbol.is_algebraic is not None:
                raise AssumptionError(
                    f"Expected a parameter that moves continuously but {symbol} is declared to be "
                    "an integer, a rational number or the like."
                )
            if symbol.name in assume:
                raise AssumptionError(
                    f"{symbol} carries its own assumptions; assume= is for names in text."
                )
        elif isinstance(item, str):
            symbol, interval = declare(item, assume.pop(item, "real"))
            if symbol.is_integer:
                raise AssumptionError(
                    f"Expected a parameter that moves continuously but {item} is declared to be an "
                    "integer."
                )
            if interval is not None:
                ranges[symbol] = interval
        else:
            raise FormulaError(f"Expected symbols or names as parameters but got {item!r}.")
        if symbol.name in names:
            raise FormulaError(f"The parameter {symbol.name} is listed twice.")
        names[symbol.name] = symbol
        symbols.append(symbol)
    if not symbols:
        raise FormulaError("Expected at least one parameter but got none.")
    for name, words in assume.items():
        symbol, interval = declare(name, words)
        names[name] = symbol
        if interval is not None:
            ranges[symbol] = interval
    return symbols, names


def read_expression(formula: sp.Expr | str, names: Mapping[str, sp.Symbol]) -> sp.Expr:
    if isinstance(formula, str):
        formula = parse(formula, names)
    if not isinstance(formula, sp.Expr):
        raise FormulaError(f"Expected a SymPy expression or a string but got {formula!r}.")
    if formula.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or formula.has(sp.I):
        raise FormulaError(f"The formula {formula} is not a finite real expression.")
    # binary floats of the caller become the exact rationals that they print as
    return formula.xreplace({f: sp.Rational(str(f)) for f in formula.atoms(sp.Float)})


def read_rates(
    rates: Sequence[Any] | Mapping[Any, Any] | None,
    symbols: Sequence[sp.Symbol],
    names: Mapping[str, sp.Symbol],
) -> tuple[sp.Expr, ...]:
    if rates is None:
        return (sp.S.One,) * len(symbols)
    if isinstance(rates, Mapping):
        by_name = {getattr(key, "name", key): value for key, value in rates.items()}
        unknown = set(by_name) - {s.name for s in symbols}
        if unknown:
            raise FormulaError(f"rates names {sorted(unknown)}, which are not parameters.")
        values = [by_name.get(s.name, 1) for s in symbols]
    else:
        values = list(rates)
        if len(values) != len(symbols):
            raise ShapeError(f"Expected {len(symbols)} rates but got {len(values)}.")
    out = []
    for symbol, value in zip(symbols, values, strict=True):
        if isinstance(value, float):
            rate = (
                sp.Rational(str(value)) if value == value and abs(value) != float("inf") else sp.nan
            )
        elif isinstance(value, str):
            rate = parse(value, names)
        else:
            rate = sp.Integer(value) if isinstance(value, int) else value
        if not isinstance(rate, sp.Expr) or rate.is_positive is not True:
            raise AssumptionError(
                f"Expected a positive learning rate for {symbol} but got {value!r}."
            )
        out.append(rate)
    return tuple(out)
