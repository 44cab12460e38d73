"""Several formulas of one question, read with the same assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from theory.claims.statement import Domain, read_assumptions, read_expression
from theory.errors import FormulaError, UnknownName
from theory.exact.parsing import names_in

__all__ = ["Reader"]

_INFINITE = {"oo": sp.oo, "+oo": sp.oo, "inf": sp.oo, "-oo": -sp.oo, "-inf": -sp.oo}


class Reader:
    """Reads formulas, ends of intervals and a bound variable.

    Parameters
    ----------
    assume : mapping from name to str, optional
    variable : sympy.Symbol or str
        The variable that a limit or an integral binds.

    Examples
    --------
    >>> reader = Reader({"a": "positive"}, "x")
    >>> reader.expression("a*x"), reader.end("-oo")
    (a*x, -oo)
    """

    def __init__(self, assume: Mapping[Any, str] | None, variable: Any) -> None:
        self.names, self.ranges, self.closed = read_assumptions(assume)
        name = getattr(variable, "name", variable)
        if not isinstance(name, str) or names_in(name) != (name,):
            raise FormulaError(f"Expected the variable as a symbol or a name but got {variable!r}.")
        self.name = name
        self._declared = set(self.names) - {name}
        # where the bound variable lives follows from the question, not from its declaration
        bound = self.names.pop(name, None)
        self.ranges = {s: r for s, r in self.ranges.items() if s != bound}
        self.closed = [(s, e) for s, e in self.closed if s != bound]
        self._used: set[str] = set()

    def expression(self, given: Any) -> sp.Expr:
        """A formula that may contain the bound variable."""
        if isinstance(given, int | float) and not isinstance(given, bool):
            given = sp.sympify(given)
        if isinstance(given, sp.Expr) and given.has(sp.oo, -sp.oo):
            raise FormulaError(f"Expected a finite expression but got {given}.")
        e, _ = read_expression(given, None, self.names)
        self._used |= {s.name for s in e.free_symbols}
        if isinstance(given, str):
            # a symbol that SymPy cancels was used all the same
            self._used |= set(names_in(given))
        return e

    def constant(self, given: Any, role: str) -> sp.Expr:
        """A formula without the bound variable."""
        e = self.expression(given)
        if any(s.name == self.name for s in e.free_symbols):
            raise FormulaError(
                f"Expected {role} without the variable {self.name} but got {given}; "
                "give the variable another name."
            )
        return e

    def end(self, given: Any, role: str = "an end") -> sp.Expr:
        """A constant or an infinity."""
        if isinstance(given, str) and given.strip() in _INFINITE:
            return _INFINITE[given.strip()]
        if given in (sp.oo, -sp.oo):
            return sp.sympify(given)
        return self.constant(given, role)

    def bind(self, e: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
        """The formula in the given symbol instead of the bound name."""
        return e.xreplace({s: symbol for s in e.free_symbols if s.name == self.name})

    def domain(self) -> Domain:
        """The domain of the parameters, once everything has been read."""
        unused = sorted(self._declared - self._used)
        if unused:
            raise UnknownName(
                f"assume declares {', '.join(unused)}, which the question does not use."
            )
        return Domain(self.ranges, (), tuple(self.closed))
