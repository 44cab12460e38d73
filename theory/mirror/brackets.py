r"""Do the gradient fields of a coupled parametrization commute?

$V_i = P\nabla G_i$ and $[V_i, V_j] = DV_j\,V_i - DV_i\,V_j$. When all brackets vanish, the flow of
x is a mirror flow for every loss and every start at which x can move in all directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel

__all__ = ["all_zero", "bracket", "commuting", "gradient_fields", "straightened"]

_ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh)


def gradient_fields(model: CoupledModel) -> list[sp.Matrix]:
    r"""The fields $V_i = P\nabla G_i$ as columns.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> gradient_fields(Coupled(["u*v", "u*w"], "u, v, w"))[0].T
    Matrix([[v, u, 0]])
    """
    return [
        sp.Matrix([p * sp.diff(g, s) for s, p in zip(model.parameters, model.rates, strict=True)])
        for g in model.components
    ]


def bracket(first: sp.Matrix, second: sp.Matrix, symbols: tuple[sp.Symbol, ...]) -> sp.Matrix:
    r"""$[V, W] = DW\,V - DV\,W$."""
    return second.jacobian(symbols) * first - first.jacobian(symbols) * second


def all_zero(
    claims: list[tuple[str, sp.Expr]], ranges: Ranges | None = None, *, seconds: float = 5.0
) -> Verdict:
    """Whether every expression vanishes identically; the first that does not is the witness.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> print(all_zero([("first", u - u), ("second", u**2)]).status)
    REFUTED
    """
    undecided = None
    reasons = set()
    claims, change = straightened(claims, ranges)
    for name, e in claims:
        if e == 0:
            continue
        try:
            verdict = is_zero(e, ranges, seconds=seconds)
        except (DomainError, UnsupportedFormula) as error:
            verdict = Verdict(Status.UNDECIDED, str(error))
        if verdict.refuted:
            witness = _back(verdict.witness, change)
            return replace(verdict, method=f"{name} is not zero: {verdict.method}", witness=witness)
        if verdict.undecided and sp.expand_mul(e) == 0:
            # exponentials of large multiples are atoms here, and powers in the normal form
            verdict = Verdict(Status.PROVED, "products multiplied out")
        if verdict.undecided and undecided is None:
            undecided = replace(verdict, method=f"{name}: {verdict.method}")
        reasons.add(verdict.method)
    if undecided is not None:
        return undecided
    return Verdict(Status.PROVED, "; ".join(sorted(reasons)) or "all entries cancel")


def straightened(
    claims: list[tuple[str, sp.Expr]], ranges: Ranges | None = None
) -> tuple[list[tuple[str, sp.Expr]], dict[sp.Symbol, sp.Expr]]:
    r"""The claims in variables in which the arguments of exponentials and sines are symbols.

    An invertible linear change of the variables does not touch whether an identity holds, and
    $e^{(84p + 13q)/85}$ has the degree 84 in the roots that a normal form would take.

    Examples
    --------
    >>> p, q = sp.symbols("p q", real=True)
    >>> ((_, e),), change = straightened([("", sp.exp(84 * p + 13 * q) - p)])
    >>> e.atoms(sp.exp).pop().args[0].is_Symbol, sorted(s.name for s in change)
    (True, ['p', 'q'])
    """
    free = set().union(*(e.free_symbols for _, e in claims)) if claims else set()
    lines = {a.args[0] for _, e in claims for a in e.atoms(*_ENTIRE)}
    # a sign or an interval belongs to one variable
    moved = sorted(
        (s for s in free if s.is_extended_nonnegative is None and s.is_extended_nonpositive is None
         and s.is_integer is None and s.is_real and s not in (ranges or {})),
        key=lambda s: s.name,
    )  # fmt: skip
    rows: list[list[sp.Expr]] = []
    for line in sorted(lines, key=sp.default_sort_key):
        slopes = [sp.diff(line, s) for s in moved]
        linear = all(v.is_Rational for v in slopes) and sum(v != 0 for v in slopes) > 1
        if linear and sp.Matrix([*rows, slopes]).rank() > len(rows):
            rows.append(slopes)
    if not rows:
        return claims, {}
    for k in range(len(moved)):
        unit = [sp.Integer(int(i == k)) for i in range(len(moved))]
        if sp.Matrix([*rows, unit]).rank() > len(rows):
            rows.append(unit)
    fresh = [sp.Dummy(s.name, real=True) for s in moved]
    values = sp.Matrix(rows).inv() * sp.Matrix(fresh)
    change = dict(zip(moved, values, strict=True))
    # the arguments first: written out, they collapse to symbols
    return [(name, _changed(e, change)) for name, e in claims], change


def _back(
    witness: Mapping[str, str] | None, change: Mapping[sp.Symbol, sp.Expr]
) -> dict[str, str] | None:
    """A point in the variables of the question."""
    if witness is None or not change:
        return None if witness is None else dict(witness)
    fresh = {s for e in change.values() for s in e.free_symbols}
    # a variable that the failing claim does not contain may have any value
    values = {s: sp.Rational(witness.get(s.name, "0")) for s in fresh}
    moved = {s.name: str(e.xreplace(values)) for s, e in change.items()}
    return {**witness, **moved}


def _changed(e: sp.Expr, change: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    parts = {a: a.func(sp.expand(a.args[0].xreplace(change))) for a in e.atoms(*_ENTIRE)}
    return e.xreplace(parts).xreplace(change)


def commuting(model: CoupledModel) -> Verdict:
    r"""Whether $[V_i, V_j] = 0$ for all pairs; REFUTED with an exact point where one is not zero.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> commuting(Coupled(["u**2 - v**2", "w*s"], "u, v, w, s")).status
    <Status.PROVED: 'PROVED'>
    >>> commuting(Coupled(["u*v", "u*w"], "u, v, w")).status
    <Status.REFUTED: 'REFUTED'>
    """
    fields = gradient_fields(model)
    used = [set(g.free_symbols) & set(model.parameters) for g in model.components]
    claims = []
    for j in range(len(fields)):
        for i in range(j):
            # components without a common parameter commute
            if used[i] & used[j]:
                entries = bracket(fields[i], fields[j], model.parameters)
                claims += [
                    (f"the entry {s} of [V{i + 1}, V{j + 1}]", e)
                    for s, e in zip(model.parameters, entries, strict=True)
                ]
    verdict = all_zero(claims, model.ranges)
    if verdict.proved:
        text = "all brackets of the gradient fields vanish"
        return replace(verdict, method=f"{text} ({verdict.method})")
    return verdict
