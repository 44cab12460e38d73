r"""Do the gradient fields of a coupled parametrization commute?

$V_i = P\nabla G_i$ and $[V_i, V_j] = DV_j\,V_i - DV_i\,V_j$. When all brackets vanish, the flow of
x is a mirror flow for every loss and every start at which x can move in all directions.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel

__all__ = ["all_zero", "bracket", "commuting", "gradient_fields"]


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
    for name, e in claims:
        if e == 0:
            continue
        try:
            verdict = is_zero(e, ranges, seconds=seconds)
        except (DomainError, UnsupportedFormula) as error:
            verdict = Verdict(Status.UNDECIDED, str(error))
        if verdict.refuted:
            return replace(verdict, method=f"{name} is not zero: {verdict.method}")
        if verdict.undecided and sp.expand_mul(e) == 0:
            # exponentials of large multiples are atoms here, and powers in the normal form
            verdict = Verdict(Status.PROVED, "products multiplied out")
        if verdict.undecided:
            if undecided is None:
                undecided = replace(verdict, method=f"{name}: {verdict.method}")
        reasons.add(verdict.method)
    if undecided is not None:
        return undecided
    return Verdict(Status.PROVED, "; ".join(sorted(reasons)) or "all entries cancel")


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
