"""Formulas and sentences as plain text and as LaTeX."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

__all__ = ["complete_file", "escape", "latex_of", "text_of"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def escape(text: str) -> str:
    r"""Plain text with the special characters of LaTeX escaped; other characters in ASCII.

    Examples
    --------
    >>> print(escape("F'' > 0 & x_0"))
    F'' \textgreater{} 0 \& x\_0
    """
    ascii_only = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(_SPECIAL.get(c, c) for c in ascii_only)


class _Text(StrPrinter):
    def _print_Derivative(self, e: sp.Derivative) -> str:
        name, variables = e.expr, e.variables
        if len(variables) == 1 and name.is_Function:
            return f"d{name.func.__name__}/d{variables[0]}"
        return str(super()._print_Derivative(e))

    def _print_Function(self, e: Any) -> str:
        # a function of time in the equations of a flow reads as its name
        if e.func.__name__ in ("F", "F'", "F''", "F^*", "k", "D_F", "C"):
            name = e.func.__name__.replace("^", "")
            return f"{name}({', '.join(map(self.doprint, e.args))})"
        return str(super()._print_Function(e))

    def _print_Limit(self, e: sp.Limit) -> str:
        what, s, point, _ = e.args
        return f"lim [{s} -> {point}] {self.doprint(what)}"

    def _print_Symbol(self, e: sp.Symbol) -> str:
        return str(e.name).replace("F^*", "F*")

    _print_Dummy = _print_Symbol


class _Latex(LatexPrinter):
    def _print_Function(self, e: Any, exp: Any = None) -> str:
        name = e.func.__name__
        if name in ("F", "F'", "F''", "F^*", "k", "D_F", "C") and exp is None:
            return f"{name}\\left({', '.join(map(self.doprint, e.args))}\\right)"
        return str(super()._print_Function(e, exp))

    def _print_Dummy(self, e: sp.Dummy) -> str:
        return str(self._print_Symbol(sp.Symbol(e.name)))


def text_of(item: Any) -> str:
    """An equation or expression as plain text, ``left = right``; a string as it is.

    Examples
    --------
    >>> text_of(sp.Eq(sp.Symbol("x"), sp.Symbol("t") ** 2))
    'x = t**2'
    """
    if isinstance(item, str):
        return item
    printer = _Text()
    if isinstance(item, sp.Equality):
        return f"{printer.doprint(item.lhs)} = {printer.doprint(item.rhs)}"
    return str(printer.doprint(item))


def latex_of(item: Any) -> str:
    """A formula as LaTeX, without dollars."""
    return str(_Latex({"fold_short_frac": False}).doprint(item))


def complete_file(title: str, body: str) -> str:
    """A complete LaTeX file around a body."""
    return "\n".join(
        [
            r"\documentclass[a4paper]{article}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage{amsmath,amssymb}",
            r"\usepackage[margin=2.5cm]{geometry}",
            rf"\title{{{escape(title)}}}",
            r"\date{}",
            r"\begin{document}",
            r"\maketitle",
            body,
            r"\end{document}",
            "",
        ]
    )
