r"""Separation of the dual curve: blocks of a sum, and the common clock within a block.

Along the dual curve $d\theta_j/d\xi = p_j\,\partial_j\rho$. When the derivatives have the form
$\partial_j\rho = c(\theta)\,A_j(\theta_j)$, the clock $d\tau = c\,d\xi$ separates the curve,
$d\theta_j/d\tau = p_j A_j(\theta_j)$, and one quadrature per parameter,
$Q_j = \int d\theta_j/(p_j A_j)$, solves it: $Q_j(\theta_j) = \tau + \mathrm{const}$. Sums have
$c = 1$, products have $c = \rho$, and any function of a sum separates too.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.guard import proposal
from theory.exact.zero import is_zero
from theory.flow.parametrization import Elementwise

__all__ = ["Block", "blocks"]


@dataclass(frozen=True, slots=True)
class Block:
    """One summand of the formula with its own parameters.

    Parameters
    ----------
    formula : sympy.Expr
        The summand.
    parameters, rates : tuple
        Its parameters and their learning rates.
    clock : sympy.Expr or None
        c(theta), or None when the block does not separate.
    fields : tuple of sympy.Expr
        A_j, each in its own parameter only; empty when the block does not separate.
    """

    formula: sp.Expr
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    clock: sp.Expr | None
    fields: tuple[sp.Expr, ...]


def blocks(rho: Elementwise) -> tuple[sp.Expr, tuple[Block, ...]]:
    """The constant term and the blocks of a parametrization.

    Examples
    --------
    >>> _, parts = blocks(Elementwise("u*v + w**2", "u, v, w"))
    >>> [str(b.formula) for b in parts]
    ['u*v', 'w**2']
    >>> parts[0].clock, parts[0].fields
    (u*v, (1/u, 1/v))
    """
    parameters = set(rho.parameters)
    constant = sp.S.Zero
    groups: list[tuple[set[sp.Symbol], list[sp.Expr]]] = []
    expanded = rho.formula if rho.formula.is_Add else sp.expand(rho.formula)
    if len(rho.parameters) == 1 or not _separates_additively(rho):
        expanded = rho.formula if not rho.formula.is_Add else expanded
    for term in sp.Add.make_args(expanded):
        used = term.free_symbols & parameters
        if not used:
            constant += term
            continue
        touching = [g for g in groups if g[0] & used]
        merged = (set().union(used, *(g[0] for g in touching)), [term])
        for g in touching:
            merged[1].extend(g[1])
            groups.remove(g)
        groups.append(merged)
    order = {s: i for i, s in enumerate(rho.parameters)}
    groups.sort(key=lambda g: min(order[s] for s in g[0]))
    rates = dict(zip(rho.parameters, rho.rates, strict=True))
    out = []
    for used, terms in groups:
        names = tuple(sorted(used, key=order.__getitem__))
        out.append(_block(sp.Add(*terms), names, tuple(rates[s] for s in names)))
    return constant, tuple(out)


def _separates_additively(rho: Elementwise) -> bool:
    p = rho.parameters
    return all(
        sp.expand(sp.diff(rho.formula, a, b)) == 0 for i, a in enumerate(p) for b in p[i + 1 :]
    )


def _block(
    formula: sp.Expr, parameters: tuple[sp.Symbol, ...], rates: tuple[sp.Expr, ...]
) -> Block:
    gradient = [sp.diff(formula, s) for s in parameters]
    if len(parameters) == 1:
        return Block(formula, parameters, rates, sp.S.One, tuple(gradient))
    separated = _product(formula, parameters) or _function_of_sum(parameters, gradient)
    if separated is not None:
        clock, fields = separated
        return Block(formula, parameters, rates, clock, fields)
    return Block(formula, parameters, rates, None, ())


def _only(e: sp.Expr, s: sp.Symbol, parameters: tuple[sp.Symbol, ...]) -> bool:
    return not (e.free_symbols & (set(parameters) - {s}))


def _tidy(e: sp.Expr) -> sp.Expr:
    return sp.powsimp(sp.cancel(sp.together(sp.powsimp(e)))) if e.is_rational_function() else e


def _product(
    formula: sp.Expr, parameters: tuple[sp.Symbol, ...]
) -> tuple[sp.Expr, tuple[sp.Expr, ...]] | None:
    """A product of univariate factors: c = rho and A_j = d log(rho) / d theta_j."""
    factored = sp.factor(formula) if formula.is_Add else formula
    pieces = sp.Mul.make_args(sp.powsimp(factored))
    parts: dict[sp.Symbol, sp.Expr] = dict.fromkeys(parameters, sp.S.One)
    for piece in pieces:
        used = piece.free_symbols & set(parameters)
        if not used:
            continue
        if len(used) > 1:
            return None
        parts[used.pop()] *= piece
    fields = tuple(
        sp.cancel(sp.diff(parts[s], s) / parts[s])
        if parts[s].is_rational_function(s)
        else sp.powsimp(sp.expand_power_base(sp.diff(parts[s], s) / parts[s]))
        for s in parameters
    )
    return formula, tuple(_short(f) for f in fields)


def _function_of_sum(
    parameters: tuple[sp.Symbol, ...], gradient: list[sp.Expr]
) -> tuple[sp.Expr, tuple[sp.Expr, ...]] | None:
    """Any phi(sum of univariate terms): ratios of derivatives separate."""
    first = parameters[0]
    ratios = [_tidy(gradient[j] / gradient[0]) for j in range(1, len(parameters))]
    values = {s: sp.Rational(3 + 2 * i, 5 + i) for i, s in enumerate(parameters)}
    lead: sp.Expr | None = None
    fields: list[sp.Expr] = []
    for s, ratio in zip(parameters[1:], ratios, strict=True):
        if not (ratio.free_symbols & set(parameters) <= {first, s}):
            return None
        if lead is None:
            lead = _short(1 / ratio.subs(s, values[s]))
        field = _short(ratio.subs(first, values[first]) * lead.subs(first, values[first]))
        try:
            if not is_zero(ratio * lead - field).proved:
                return None
        except (DomainError, UnsupportedFormula):
            return None
        fields.append(field)
    if lead is None or lead == 0 or lead.has(sp.nan, sp.zoo):
        return None
    return _short(gradient[0] / lead), (lead, *fields)


def _short(e: sp.Expr) -> sp.Expr:
    """A shorter form when SymPy finds one and it is proved equal."""
    if e.count_ops() < 4:
        return e
    shorter = proposal(sp.simplify, e, seconds=0.5)
    if isinstance(shorter, sp.Expr) and shorter.count_ops() < e.count_ops():
        try:
            if is_zero(shorter - e).proved:
                return shorter
        except (DomainError, UnsupportedFormula):
            return e
    return e
