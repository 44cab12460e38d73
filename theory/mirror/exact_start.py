"""Exact starts of coupled models, and whether x can move in all directions from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import FormulaError, StartError
from theory.exact.assumptions import Ranges
from theory.exact.initial_data import read_number
from theory.flow.coupled import CoupledModel
from theory.mirror.brackets import all_zero
from theory.mirror.frame import exactly_zero

__all__ = ["WithNumbers", "coordinate_value", "read_start", "require_full_rank"]


@dataclass(frozen=True, eq=False)
class WithNumbers(CoupledModel):
    """A model whose constants have values."""

    formulas: tuple[sp.Expr, ...]
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    @property
    def components(self) -> tuple[sp.Expr, ...]:
        return self.formulas


def read_start(
    model: CoupledModel, start: Mapping[Any, Any]
) -> tuple[dict[sp.Symbol, sp.Expr], CoupledModel]:
    """The start as exact numbers, and the model with numbers for its constants.

    Raises
    ------
    StartError
        For names that are missing or unknown, and for values that are no exact number or that
        contradict the assumptions.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> read_start(Coupled(["u*v"], "u, v"), {"u": 0.1, "v": 2})[0]
    {u: 1/10, v: 2}
    """
    if not isinstance(start, Mapping):
        raise StartError(f"Expected the start as a mapping from parameters but got {start!r}.")
    by_name = {str(getattr(k, "name", k)): v for k, v in start.items()}
    wanted = (*model.parameters, *model.constants)
    names = {s.name for s in wanted}
    missing = [s.name for s in model.parameters if s.name not in by_name]
    unknown = sorted(set(by_name) - names)
    if missing or unknown:
        raise StartError(
            f"The start misses {', '.join(missing) or 'nothing'} and has the unknown names "
            f"{', '.join(unknown) or 'none'}."
        )
    if len(by_name) < len(names):
        raise StartError(
            f"Expected numbers for the constants too: {', '.join(s.name for s in model.constants)}."
        )
    point = {}
    for s in wanted:
        value = by_name[s.name]
        if isinstance(value, sp.Expr) and value.free_symbols:
            raise StartError(f"Expected an exact number for {s} but got {value}.")
        number = read_number(value, s.name)
        if (s.is_positive and not number.is_positive) or (s.is_negative and not number.is_negative):
            raise StartError(f"The start {s} = {number} contradicts the assumptions on {s}.")
        point[s] = number
    if not model.constants:
        return point, model
    values = {s: point.pop(s) for s in model.constants}
    ranges = {s: r for s, r in model.ranges.items() if s in point}
    formulas = tuple(e.xreplace(values) for e in model.components)
    rates = tuple(e.xreplace(values) for e in model.rates)
    return point, WithNumbers(formulas, model.parameters, rates, ranges)


def coordinate_value(s: sp.Symbol, start: Mapping[Any, Any]) -> sp.Expr:
    """The exact value of a coordinate of a leaf."""
    by_name = {str(getattr(k, "name", k)): v for k, v in start.items()}
    if s.name not in by_name:
        raise StartError(f"The start misses the coordinate {s.name} of the leaf.")
    return read_number(by_name[s.name], s.name)


def require_full_rank(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> None:
    """Refuse a start from which x cannot move in all directions.

    Raises
    ------
    StartError
        Where the Jacobian does not have full rank, or does not exist.
    FormulaError
        When it has full rank nowhere: a constant component, or components that depend on each
        other.
    """
    metric = model.metric()
    det = metric.xreplace(point).det()
    if det.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise StartError(
            "The components are not differentiable at the start: "
            f"{', '.join(f'{s} = {v}' for s, v in point.items())}."
        )
    if exactly_zero(det) is not False:
        for i, g in enumerate(model.components, start=1):
            if not g.free_symbols & set(model.parameters):
                raise FormulaError(f"Component {i} is the constant {g}; leave it out.")
        if all_zero([("the determinant of the metric", metric.det(method="berkowitz"))]).proved:
            raise FormulaError(
                f"The components {', '.join(map(str, model.components))} are functions of each "
                "other, so x cannot move in all directions from any start; leave some of them out."
            )
        raise StartError(
            "Expected a start at which x can move in all directions, but the Jacobian of the "
            "components does not have full rank at "
            f"{', '.join(f'{s} = {v}' for s, v in point.items())}; move the start a little."
        )
