r"""Coupled parametrizations $x = G(\theta)$: every component may use every parameter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, FormulaError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.signs import is_analytic
from theory.flow.fields import Monomials
from theory.flow.parametrization import read_expression, read_parameters, read_rates

__all__ = ["Coupled", "CoupledModel", "differentiable", "split_formulas"]

_KINKED = (
    sp.Abs, sp.sign, sp.Max, sp.Min, sp.Piecewise, sp.Heaviside, sp.floor, sp.ceiling, sp.frac,
    sp.Mod, sp.DiracDelta, sp.re, sp.im, sp.arg, sp.conjugate,
)  # fmt: skip


class CoupledModel(ABC):
    r"""Anything with components $G_i(\theta)$ in common parameters: formulas, or a network."""

    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    @property
    @abstractmethod
    def components(self) -> tuple[sp.Expr, ...]:
        r"""The formulas $G_1, \dots, G_d$."""

    @property
    def polynomials(self) -> Monomials | None:
        """The components as terms, where the model is known to be polynomial."""
        return None

    @property
    def scaling(self) -> tuple[sp.Expr, ...] | None:
        """The diagonal of a metric that belongs to the model."""
        return None

    @cached_property
    def constants(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the components and rates that are not parameters, by name."""
        free = set().union(*(e.free_symbols for e in (*self.components, *self.rates)))
        return tuple(sorted(free - set(self.parameters), key=lambda s: s.name))

    def jacobian(self) -> sp.Matrix:
        r"""$J_{ij} = \partial G_i/\partial\theta_j$, a d × D matrix."""
        return sp.Matrix([[sp.diff(c, s) for s in self.parameters] for c in self.components])

    def metric(self) -> sp.Matrix:
        r"""$M = J P J^T$ in the parameters: $x' = -M\,\nabla_x$ loss."""
        J = self.jacobian()
        return J * sp.diag(*self.rates) * J.T


@dataclass(frozen=True, init=False)
class Coupled(CoupledModel):
    r"""The parametrization $x = G(\theta)$, $G: \mathbb{R}^D \to \mathbb{R}^d$.

    Parameters
    ----------
    components : sequence of sympy.Expr or of str, or one string such as ``"u*v, u*w"``
        $G_1, \dots, G_d$ as formulas in the parameters; other symbols are constants.
    parameters : sequence of sympy.Symbol or of str, or one string such as ``"u, v, w"``
        $\theta$, in order.
    rates : sequence or mapping, optional
        A constant positive learning rate for each parameter (1 unless given).
    assume : mapping from name to str, optional
        For string formulas: assumptions on names, as words (``positive``) or intervals
        (``(2, oo)``). A parameter is real unless told otherwise; a constant must be declared.

    Raises
    ------
    FormulaError
        For a component that is not a real formula, for parameters that are missing, listed twice
        or used by no component, and for names that two different symbols share.
    UnsupportedFormula
        For a formula that is not differentiable, such as ``abs(u)`` or ``floor(u)``.
    AssumptionError
        For a rate that is not positive, or a constant that is not known to be real.

    Examples
    --------
    >>> model = Coupled(["u*v", "u*w"], "u, v, w")
    >>> model.jacobian()
    Matrix([
    [v, u, 0],
    [w, 0, u]])
    >>> model.metric()
    Matrix([
    [u**2 + v**2,         v*w],
    [        v*w, u**2 + w**2]])
    """

    formulas: tuple[sp.Expr, ...]
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    def __init__(
        self,
        components: Sequence[sp.Expr | str] | sp.Expr | str,
        parameters: Sequence[sp.Symbol | str] | sp.Symbol | str,
        *,
        rates: Sequence[Any] | Mapping[Any, Any] | None = None,
        assume: Mapping[str, str] | None = None,
    ) -> None:
        ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = {}
        symbols, names = read_parameters(parameters, dict(assume or {}), ranges)
        if isinstance(components, str):
            components = split_formulas(components)
        elif isinstance(components, sp.Expr):
            components = [components]
        elif isinstance(components, sp.MatrixBase):
            components = list(components)
        elif isinstance(components, Mapping) or not hasattr(components, "__iter__"):
            raise FormulaError(f"Expected a list of formulas as components but got {components!r}.")
        formulas = tuple(read_expression(c, names) for c in components)
        if not formulas:
            raise FormulaError("Expected at least one component but got none.")
        _same_names(formulas, symbols)
        for i, formula in enumerate(formulas, start=1):
            differentiable(formula, f"Component {i}", set(symbols), ranges)
        used = set().union(*(f.free_symbols for f in formulas))
        unused = [s.name for s in symbols if s not in used]
        if unused:
            raise FormulaError(
                f"No component contains the parameter {', '.join(unused)}; leave it out, or check "
                "that the symbols carry the same assumptions."
            )
        for symbol in sorted(used, key=lambda s: s.name):
            if symbol.is_zero:
                raise AssumptionError(f"The symbol {symbol} is zero; leave it out of the formulas.")
            if symbol.is_extended_real is False or (
                symbol.is_real is None and symbol not in symbols
            ):
                raise AssumptionError(
                    f"Cannot decide whether the constant {symbol} is real; declare it, for example "
                    f"with sp.Symbol('{symbol}', positive=True)."
                )
        steps = read_rates(rates, symbols, names)
        _same_names(steps, (*symbols, *used))
        for symbol, step in zip(symbols, steps, strict=True):
            if step.free_symbols & set(symbols):
                raise AssumptionError(
                    f"Expected a constant learning rate for {symbol} but got {step}; a rate that "
                    "depends on the parameters is a metric: .conservation_laws(metric=...)."
                )
        object.__setattr__(self, "formulas", formulas)
        object.__setattr__(self, "parameters", tuple(symbols))
        exact = (e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)}) for e in steps)
        object.__setattr__(self, "rates", tuple(exact))
        object.__setattr__(self, "ranges", ranges)

    @property
    def components(self) -> tuple[sp.Expr, ...]:
        return self.formulas

    def __hash__(self) -> int:
        return hash((self.formulas, self.parameters, self.rates))

    def __str__(self) -> str:
        return f"x = ({', '.join(map(str, self.components))})"

    def _repr_latex_(self) -> str:
        return f"$x = {sp.latex(sp.Matrix(self.components))}$"


def split_formulas(text: str) -> list[str]:
    """The formulas of a list in one string, split at the commas outside of parentheses.

    Examples
    --------
    >>> split_formulas("u*v, log(u, 2)")
    ['u*v', 'log(u, 2)']
    """
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def _same_names(formulas: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> None:
    """Two symbols of one name are two variables for SymPy, and one for a reader."""
    by_name: dict[str, sp.Symbol] = {s.name: s for s in symbols}
    for formula in formulas:
        for s in formula.free_symbols:
            known = by_name.setdefault(s.name, s)
            if known != s:
                raise FormulaError(
                    f"Two different symbols are called {s.name}; use one symbol, with one set of "
                    "assumptions, everywhere."
                )


def differentiable(formula: sp.Expr, what: str, symbols: set[sp.Symbol], ranges: Ranges) -> None:
    """Refuse a formula with a kink, a jump or an unknown derivative.

    Raises
    ------
    UnsupportedFormula
        Naming the part.
    """
    for part in formula.atoms(*_KINKED):
        if part.free_symbols & symbols and not is_analytic(part, ranges=ranges):
            raise UnsupportedFormula(
                f"{what} is not differentiable: {part} has a kink or a jump. Declare "
                "the sign that decides it (a positive parameter, or assume=), or write the formula "
                "of one side."
            )
    for part in formula.atoms(sp.Function):
        for s in part.free_symbols & symbols:
            if sp.diff(part, s).has(sp.Derivative, sp.Subs):
                raise UnsupportedFormula(
                    f"{what} uses {part}, whose derivative in {s} is not known."
                )
