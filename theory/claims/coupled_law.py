"""Verdicts on laws of coupled models: the rate along every component, or on a restriction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.statement import Domain
from theory.errors import UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.signs import is_analytic
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel
from theory.flow.fields import gradient_fields, laurent_terms, monomials_of
from theory.flow.law import Law, lie_derivatives, terms_by_component
from theory.flow.systems import exact_rows

__all__ = ["coupled_conserved"]

_MOST_COMPONENTS = 200
"""Of a claim that is written down."""


@dataclass(frozen=True)
class _Setting:
    """The components that the loss sees."""

    components: tuple[sp.Expr, ...]
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    def rate(self, law: sp.Expr, i: int) -> sp.Expr:
        """The rate of a law along component i."""
        return sp.Add(
            *(
                sp.diff(law, s) * p * sp.diff(self.components[i], s)
                for s, p in zip(self.parameters, self.rates, strict=True)
            )
        )


def coupled_conserved(
    law: sp.Expr, model: CoupledModel, *, restriction: Sequence[sp.Expr] = (), data: Any = None
) -> Verdict:
    """Whether a formula is constant along a coupled flow; see `theory.conserved`.

    Parameters
    ----------
    law : sympy.Expr
    model : CoupledModel
    restriction : sequence of sympy.Expr
        Polynomials that vanish at the start.
    data : array of shape (n, d), optional
        Ask for these data only, that is for the combinations A x of the components.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u*v", "u*w"], "u, v, w")
    >>> u, v, w = model.parameters
    >>> print(coupled_conserved(u**2 - v**2 - w**2, model).status)
    PROVED
    >>> print(coupled_conserved(u**2 - v**2, model).method)
    its rate along component 2, u*w, is not zero
    """
    components = tuple(model.components)
    if data is not None:
        components = tuple(
            sp.Add(*(a * c for a, c in zip(row, components, strict=True)))
            for row in exact_rows(data, len(components))
        )
    setting = _Setting(components, model.parameters, model.rates, model.ranges)
    verdict = _for_all_starts(law, setting)
    constants = tuple(model.constants)
    if verdict.proved or not restriction:
        return recorded(verdict, lambda: _claim(law, setting, constants))
    return _on_restriction(law, list(restriction), setting, constants)


def _claim(
    law: sp.Expr,
    setting: _Setting,
    constants: tuple[sp.Symbol, ...],
    restriction: Sequence[sp.Expr] = (),
) -> dict[str, Any]:
    if len(setting.components) > _MOST_COMPONENTS:
        raise UnsupportedFormula("A claim lists at most 200 components.")
    return question_on(
        "conserved",
        (*setting.parameters, *constants),
        Domain(dict(setting.ranges)),
        law=law,
        components=setting.components,
        parameters=setting.parameters,
        rates=setting.rates,
        restriction=tuple(restriction),
    )


def _for_all_starts(law: sp.Expr, setting: _Setting) -> Verdict:
    moving = _moving_components(law, setting)
    conditions: tuple[str, ...] = ()
    if not is_analytic(law, ranges=setting.ranges, meromorphic=False):
        # a step function has rate zero wherever it has a rate
        conditions = (f"the flow stays where {law} is defined and continuous",)
    if moving == []:
        reason = "its rates along all components are zero, as polynomials with integer coefficients"
        return Verdict(Status.PROVED, reason, conditions)
    open_one: Verdict | None = None
    methods: dict[str, None] = {}
    for i in range(len(setting.components)) if moving is None else moving:
        try:
            verdict = is_zero(setting.rate(law, i), setting.ranges)
        except UnsupportedFormula as error:
            verdict = Verdict(Status.UNDECIDED, str(error))
        if verdict.refuted:
            return _refuted(verdict, i, setting)
        if verdict.undecided and open_one is None:
            reason = f"the rate along component {i + 1}, {setting.components[i]}: {verdict.method}"
            open_one = replace(verdict, method=reason)
        conditions += tuple(c for c in verdict.conditions if c not in conditions)
        methods[verdict.method] = None
    if open_one is not None:
        return open_one
    reason = f"its rates along all components are zero: {', '.join(methods)}"
    return Verdict(Status.PROVED, reason, conditions)


def _refuted(verdict: Verdict, i: int, setting: _Setting) -> Verdict:
    witness = dict(verdict.witness or {})
    # the claim's own names come first
    if all(s.name != "component" for s in setting.parameters):
        witness["component"] = str(i + 1)
    return replace(
        verdict,
        method=f"its rate along component {i + 1}, {setting.components[i]}, is not zero",
        witness=witness,
    )


def _moving_components(law: sp.Expr, setting: _Setting) -> list[int] | None:
    """The components along which a Laurent polynomial moves; None for other formulas."""
    free = set().union(law.free_symbols, *(r.free_symbols for r in setting.rates))
    free = free.union(*(c.free_symbols for c in setting.components))
    constants = sorted(free - set(setting.parameters), key=str)
    variables = [*setting.parameters, *constants]
    if any(not r.is_Rational for r in setting.rates):
        return None
    scale = sp.ilcm(1, *(r.q for r in setting.rates))
    try:
        fields = gradient_fields(
            monomials_of(setting.components, variables),
            [int(scale * r) for r in setting.rates],
            frozen=len(constants),
        )
        terms = laurent_terms(law, {s: j for j, s in enumerate(variables)})
    except UnsupportedFormula:
        return None
    read = Law(tuple((tuple(sorted(x.items())), c) for c, x in terms))
    return sorted({field for field, _ in lie_derivatives(read, terms_by_component(fields))})


def _on_restriction(
    law: sp.Expr,
    restriction: list[sp.Expr],
    setting: _Setting,
    constants: tuple[sp.Symbol, ...],
) -> Verdict:
    """The rates of the law as combinations of polynomials whose rates are such combinations."""
    stay = [r for r in restriction if r.is_polynomial(*setting.parameters)]
    factors: Mapping[sp.Expr, list[list[sp.Expr]]] = {}
    while stay:
        found = {r: _combinations(r, stay, setting) for r in stay}
        kept = [r for r in stay if found[r] is not None]
        if kept == stay:
            factors = {r: f for r, f in found.items() if f is not None}
            break
        stay = kept
    quotients = _combinations(law, stay, setting) if stay else None
    if quotients is None:
        return Verdict(Status.UNDECIDED, "its rates were not reduced to zero by the restriction")
    verdict = Verdict(
        Status.PROVED,
        f"its rates are combinations of {', '.join(map(str, stay))}, which stay zero together",
        conditions=tuple(f"{r} = 0 at the start" for r in stay),
    )
    return recorded(
        verdict,
        lambda: _claim(law, setting, constants, stay),
        lambda: {
            "quotients": [[term_of(q) for q in row] for row in quotients],
            "matrices": [
                [[term_of(f) for f in factors[r][i]] for r in stay]
                for i in range(len(setting.components))
            ],
        },
    )


def _combinations(
    e: sp.Expr, stay: Sequence[sp.Expr], setting: _Setting
) -> list[list[sp.Expr]] | None:
    """For each component the quotients of the rate of e by the polynomials; None without."""
    out = []
    for i in range(len(setting.components)):
        rate = setting.rate(e, i)
        if not rate.is_polynomial(*setting.parameters):
            return None
        if sp.expand(rate) == 0:
            out.append([sp.S.Zero] * len(stay))
            continue
        quotients, remainder = sp.reduced(rate, list(stay), *setting.parameters)
        whole = sp.Add(*(q * r for q, r in zip(quotients, stay, strict=True)))
        if remainder != 0 or sp.expand(rate - whole) != 0:
            return None
        out.append(list(quotients))
    return out
