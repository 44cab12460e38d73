r"""What moves: the vector fields of $\theta' = -P(\theta)\,\nabla_\theta$ loss, P diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import AssumptionError, DataError, FormulaError, ShapeError, UnsupportedFormula
from theory.exact.parsing import parse
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Fields, Monomials, gradient_fields, laurent_terms, monomials_of

__all__ = [
    "System", "combined", "exact_rows", "factors_of", "metric_entries", "scaled", "system_of",
]  # fmt: skip

Array = NDArray[np.int64]


@dataclass(frozen=True)
class System:
    """Vector fields together with the symbols of their variables.

    Parameters
    ----------
    fields : Fields
    variables : tuple of sympy.Symbol
        The ones that move, then the constants.
    """

    fields: Fields
    variables: tuple[sp.Symbol, ...]


def system_of(model: CoupledModel, metric: Any = None, data: Any = None) -> System:
    """The fields P grad G_i of a model.

    Raises
    ------
    UnsupportedFormula
        When a component, a rate or the metric is no Laurent polynomial.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> system_of(Coupled(["u*v"], "u, v", rates=[1, "1/2"])).fields.coefficient
    (2, 1)
    """
    factors = factors_of(model, metric)
    symbols = set(model.constants).union(*(f.free_symbols for f in factors))
    constants = sorted(symbols - set(model.parameters), key=str)
    variables = (*model.parameters, *constants)
    known = model.polynomials
    polynomials = (
        known
        if known is not None and not constants
        else monomials_of(model.components, list(variables))
    )
    if data is not None:
        polynomials = combined(polynomials, data)
    fields = gradient_fields(polynomials, frozen=len(constants))
    return System(scaled(fields, factors, variables).primitive(), variables)


def factors_of(model: CoupledModel, metric: Any) -> list[sp.Expr]:
    """The diagonal of P: rates times metric."""
    entries = metric_entries(model, model.scaling if metric is None else metric)
    return [rate * entry for rate, entry in zip(model.rates, entries, strict=True)]


def metric_entries(
    model: CoupledModel, metric: Any, extra: Sequence[sp.Symbol] = ()
) -> list[sp.Expr]:
    """The diagonal of a metric, which may use extra symbols such as velocities.

    Raises
    ------
    ShapeError, FormulaError, AssumptionError
        For a diagonal of another length, unknown names, entries that are zero or not exact.
    """
    entries: list[Any] = [1] * len(model.parameters)
    names = {s.name: s for s in (*model.parameters, *model.constants, *extra)}
    if isinstance(metric, Mapping):
        by_name: dict[Any, Any] = {getattr(k, "name", k): v for k, v in metric.items()}
        strange = set(by_name) - {s.name for s in model.parameters}
        if strange:
            raise FormulaError(f"metric names {sorted(strange)}, which are not parameters.")
        entries = [by_name.get(s.name, 1) for s in model.parameters]
    elif metric is not None:
        entries = list(metric)
        if len(entries) != len(model.parameters):
            raise ShapeError(
                f"Expected {len(model.parameters)} entries of the diagonal metric but got "
                f"{len(entries)}."
            )
    out = []
    for entry in entries:
        try:
            value = (
                parse(entry, names) if isinstance(entry, str) else sp.sympify(entry, strict=True)
            )
        except sp.SympifyError as error:
            raise FormulaError(f"Expected entries of the metric but got {entry!r}.") from error
        if not isinstance(value, sp.Expr) or value.has(sp.Float) or sp.expand(value) == 0:
            raise AssumptionError(
                f"Expected an exact, nonzero entry of the metric but got {entry}."
            )
        _known_names(value, names)
        out.append(value)
    return out


def _known_names(value: sp.Expr, names: dict[str, sp.Symbol]) -> None:
    """A symbol of the metric is one of the model, or a real constant of another name."""
    for s in value.free_symbols:
        if names.get(s.name, s) != s:
            raise FormulaError(
                f"The metric uses another symbol that is called {s.name}; use the one of the "
                "model, with its assumptions."
            )
        if s.name not in names and not s.is_real:
            raise AssumptionError(
                f"Cannot decide whether the constant {s} of the metric is real; declare it, for "
                f"example with sp.Symbol('{s}', positive=True)."
            )


def scaled(fields: Fields, factors: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> Fields:
    """Component j of every field times factor j, up to one common number."""
    if all(f == 1 for f in factors):
        return fields
    place = {s: j for j, s in enumerate(variables)}
    scale = sp.ilcm(1, *(sp.fraction(sp.together(f))[1].as_coeff_Mul()[0] for f in factors))
    terms = [laurent_terms_exact(scale * f, place) for f in factors]
    width = max(sum(abs(e) for e in x.values()) for t in terms for _, x in t)
    D = fields.size
    parts: list[tuple[Array, int, list[int]]] = []
    for j, polynomial in enumerate(terms):
        chosen = np.flatnonzero(fields.component == j)
        for c, exponents in polynomial:
            row: list[int] = []
            for k, e in exponents.items():
                row += [k if e > 0 else D + 1 + k] * abs(e)
            parts.append((chosen, c, row + [D] * (width - len(row))))
    which = np.concatenate([chosen for chosen, _, _ in parts])
    extra = np.concatenate([np.tile(np.array(r, np.int64), (len(s), 1)) for s, _, r in parts])
    coefficient = [fields.coefficient[i] * c for chosen, c, _ in parts for i in chosen.tolist()]
    index = np.concatenate([fields.index[which], extra.reshape(len(which), width)], 1)
    return replace(
        fields,
        field=fields.field[which],
        component=fields.component[which],
        coefficient=tuple(coefficient),
        index=_cancelled(index, D),
    )


def _cancelled(index: Array, D: int) -> Array:
    """Pairs of a factor and its inverse in one term become the constant one."""
    if not (index > D).any():
        return index
    out = index.copy()
    for row in out:
        for a in np.flatnonzero(row > D):
            match = np.flatnonzero(row == row[a] - D - 1)
            if match.size:
                row[a] = row[match[0]] = D
    return out


def laurent_terms_exact(
    e: sp.Expr, place: Mapping[sp.Symbol, int]
) -> list[tuple[int, dict[int, int]]]:
    """As `laurent_terms`, for a polynomial whose coefficients are integers already."""
    terms = laurent_terms(e, place)
    first = sp.expand(e)
    lead = sp.Add.make_args(first)[0].as_coeff_Mul()[0]
    if not lead.is_Integer or terms[0][0] != lead:
        raise UnsupportedFormula(f"The rate or metric {e} has coefficients that are not rational.")
    return terms


def combined(polynomials: Monomials, data: Any) -> Monomials:
    """The combinations A x of components: what the loss sees of them.

    Raises
    ------
    ShapeError
        When A does not have one column for each component.
    """
    rows = exact_rows(data, polynomials.count)
    owner, coefficient, which = [], [], []
    for i, exact in enumerate(rows):
        scale = sp.ilcm(1, *(v.q for v in exact))
        for t, o in enumerate(polynomials.owner.tolist()):
            if exact[o] != 0:
                owner.append(i)
                coefficient.append(int(exact[o] * scale) * polynomials.coefficient[t])
                which.append(t)
    return Monomials(
        polynomials.size,
        np.array(owner, np.int64),
        tuple(coefficient),
        polynomials.index[np.array(which, np.int64)],
    )


def exact_rows(data: Any, count: int) -> list[list[sp.Rational]]:
    """The rows of a data matrix as exact rationals; binary floats as the decimals they print as.

    Raises
    ------
    ShapeError
        When a row does not have `count` entries.
    DataError
        For an entry that is not a finite number.
    """
    try:
        rows = [list(r) for r in (data.tolist() if hasattr(data, "tolist") else data)]
    except TypeError as error:
        raise ShapeError(f"Expected a matrix as data but got {data!r}.") from error
    if not rows or any(len(r) != count for r in rows):
        raise ShapeError(
            f"Expected data with {count} columns, one for each component, but got rows of lengths "
            f"{sorted({len(r) for r in rows})}."
        )
    flat = [v for row in rows for v in row]
    odd = [v for v in flat if isinstance(v, bool | complex | list | tuple)]
    if odd:
        raise DataError(f"Expected rational numbers as data but got {odd[0]!r}.")
    try:
        exact = [
            [sp.Rational(str(v)) if isinstance(v, float) else sp.Rational(v) for v in row]
            for row in rows
        ]
    except (TypeError, ValueError) as error:
        raise DataError(f"Expected rational numbers as data: {error}.") from error
    if any(not v.is_finite for row in exact for v in row):
        raise DataError("The data contain entries that are not finite.")
    return exact
