r"""Conservation laws of coupled models: found, counted from above, and certified.

A law is a function C of the parameters with $\langle\nabla C, P\nabla G_i\rangle = 0$ for all
components: constant along the flow for every loss and every data set. What is found is verified
exactly; how many there can be is D minus the rank of the Lie algebra of the fields. When the two
meet, the list is complete.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import FormulaError, UnsupportedFormula
from theory.exact.modular import PRIME, Stream, rank
from theory.flow.coupled import CoupledModel
from theory.flow.drift import drifting_laws, replay_drift
from theory.flow.fields import Fields
from theory.flow.general_laws import general_laws, replay_general
from theory.flow.law_record import (
    CoupledLaws,
    fingerprint,
    law_entry,
    rank_record,
    read_law,
    scope_of,
)
from theory.flow.lie_rank import lie_rank, ranks_up_to
from theory.flow.polynomial_laws import (
    Law,
    independent,
    is_law,
    laurent_monomials,
    law_gradients,
    monomials_up_to,
    polynomial_laws,
    terms_by_component,
)
from theory.flow.systems import System, system_of

__all__ = ["CoupledLaws", "coupled_laws", "replay_laws"]

Array = NDArray[np.int64]


def coupled_laws(
    model: CoupledModel,
    *,
    degree: int = 2,
    ansatz: str | Sequence[Any] = "polynomial",
    data: Any = None,
    metric: Any = None,
    momentum: Any = None,
    weight_decay: Any = None,
    seed: int = 1,
) -> CoupledLaws:
    """Laws of an ansatz, an upper bound on how many laws exist, and the certificate of both.

    Parameters
    ----------
    model : CoupledModel
    degree : int
        The highest degree; for "laurent-log" the bound on the sum of the absolute exponents.
    ansatz : "polynomial", "laurent-log" or sequence of functions
        What is combined linearly: monomials; monomials with positive and negative exponents, and
        logarithms; or the functions that are given.
    data : array of shape (n, d), optional
        Laws of the combinations A x only, which is all that a loss on these data sees.
    metric : sequence or mapping, optional
        The diagonal of a metric, such as the parameters themselves for multiplicative updates.
    momentum, weight_decay : optional
        The flow with friction or with decay; see `theory.flow.drift.drifting_laws`.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> laws = coupled_laws(Coupled(["u*v", "u*w"], "u, v, w"))
    >>> laws.found, laws.complete
    ((u**2 - v**2 - w**2,), True)
    """
    if not isinstance(degree, int) or isinstance(degree, bool) or degree < 1:
        raise FormulaError(f"Expected a degree of at least 1 but got {degree!r}.")
    if isinstance(ansatz, str) and ansatz not in ("polynomial", "laurent-log"):
        raise FormulaError(
            f"Unknown ansatz {ansatz!r}; use 'polynomial', 'laurent-log' or a list of functions."
        )
    if momentum is not None or weight_decay is not None:
        if ansatz != "polynomial":
            raise UnsupportedFormula("Laws with a drift are searched among polynomials only.")
        return drifting_laws(
            model,
            momentum=momentum,
            weight_decay=weight_decay,
            degree=degree,
            data=data,
            metric=metric,
            seed=seed,
        )
    try:
        system = system_of(model, metric, data)
    except UnsupportedFormula:
        system = None
    if system is None or not isinstance(ansatz, str):
        return general_laws(
            model, degree=degree, ansatz=ansatz, data=data, metric=metric, seed=seed
        )
    fields = system.fields
    laws = _search(fields, degree, ansatz)
    return assembled(system, laws, seed, scope_of(data))


def _search(fields: Fields, degree: int, ansatz: str) -> list[Law]:
    constants = range(fields.moving, fields.size)
    if ansatz == "polynomial":
        monomials, logs = monomials_up_to(fields.size, degree, fields.frozen), None
    else:
        monomials = laurent_monomials(fields.size, degree, fields.frozen)
        logs = np.arange(fields.moving, dtype=np.int64)
    if fields.frozen:
        # coefficients may be polynomials in the constants
        top = 2 if fields.frozen <= 4 else 1
        factors = [
            f for k in range(top + 1) for f in itertools.combinations_with_replacement(constants, k)
        ]
        rows = np.array([[*f, *[fields.size] * (top - len(f))] for f in factors], np.int64)
        monomials = np.concatenate(
            [np.concatenate([monomials, np.tile(row, (len(monomials), 1))], 1) for row in rows]
        )
    return polynomial_laws(fields, monomials, logs)


def assembled(
    system: System, laws: Sequence[Law], seed: int, scope: str, known: int = 0
) -> CoupledLaws:
    """Laws and rank put together as a result with its certificate."""
    fields = system.fields
    kept = [laws[i] for i in independent(laws, fields, seed)]
    bound = lie_rank(fields, target=fields.moving - len(kept) - known, seed=seed)
    found = tuple(expression(law, system.variables) for law in kept)
    names = [s.name for s in system.variables]
    record = {
        "kind": "conservation laws",
        "variables": names[: fields.moving],
        "constants": names[fields.moving :],
        "model": fingerprint(fields),
        "scope": scope,
        "laws": [
            {"text": str(text), **law_entry(law)} for law, text in zip(kept, found, strict=True)
        ],
        **rank_record(bound, fields.moving),
    }
    conditions: tuple[str, ...] = ()
    if fields.frozen:
        constants = ", ".join(names[fields.moving :])
        conditions = (f"the bound holds for generic values of {constants}",)
    return CoupledLaws(found, fields.moving - bound.rank, record, conditions, scope)


def expression(law: Law, variables: Sequence[sp.Symbol]) -> sp.Expr:
    """A law as an expression."""
    terms = [c * sp.Mul(*(variables[j] ** e for j, e in x)) for x, c in law.terms]
    for j, c in law.logs:
        s = variables[j]
        # constant on either side of zero
        terms.append(c * sp.log(s if s.is_positive else sp.Abs(s)))
    return sp.Add(*terms)


def replay_fields(fields: Fields, record: dict[str, Any]) -> None:
    """Check a record against vector fields, without any search.

    Raises
    ------
    FormulaError
        Naming the first step that does not hold.
    """
    if record.get("prime") != PRIME:
        raise FormulaError(f"The certificate is for the prime {record.get('prime')!r}.")
    if record.get("model") != fingerprint(fields):
        raise FormulaError("The certificate belongs to another model.")
    laws = []
    terms = terms_by_component(fields)
    for entry in record["laws"]:
        law = read_law(entry)
        if not is_law(law, terms):
            raise FormulaError(f"{entry['text']} is not conserved.")
        laws.append(law)
    seed = int(record["seed"])
    at = Stream(seed).integers("point", fields.size)
    if laws and rank(law_gradients(laws, at, fields.moving)) != len(laws):
        raise FormulaError("The laws are not independent at the recorded point.")
    ranks = [int(r) for r in record["ranks"]]
    computed = ranks_up_to(fields, seed, len(ranks) - 1, int(record["width"]))
    if computed != ranks or record["upper_bound"] != fields.moving - ranks[-1]:
        raise FormulaError(f"The ranks are {computed}, not {ranks}.")


def replay_laws(
    flow: Any, certificate: dict[str, Any], *, data: Any = None, metric: Any = None, **drift: Any
) -> CoupledLaws:
    """Check the certificate of conservation laws again, from the record alone and without search.

    Every law's Lie derivatives, the independence of the laws, and the rank behind the upper bound
    are computed again.

    Parameters
    ----------
    flow : GradientFlow or coupled parametrization
    certificate : dict
        `laws.certificate`, perhaps read back from JSON.
    data, metric, momentum, weight_decay
        As they were given for the laws.

    Returns
    -------
    CoupledLaws
        What the certificate proves.

    Raises
    ------
    FormulaError
        Naming what does not hold.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u*v", "u*w"], "u, v, w")
    >>> laws = coupled_laws(model)
    >>> replay_laws(model, laws.certificate).complete
    True
    """
    model = getattr(flow, "parametrization", flow)
    if not isinstance(model, CoupledModel):
        raise FormulaError(f"Expected a coupled model but got {model!r}.")
    if not isinstance(certificate, dict) or certificate.get("kind") != "conservation laws":
        raise FormulaError("Expected the certificate of conservation laws, a dict.")
    try:
        if "drift" in certificate:
            return replay_drift(model, certificate, data=data, metric=metric, **drift)
        if drift:
            raise FormulaError("The certificate is about a flow without momentum or decay.")
        if "functions" in certificate:
            return replay_general(model, certificate, data=data, metric=metric)
        system = system_of(model, metric, data)
        replay_fields(system.fields, certificate)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaError(f"The certificate is malformed: {error!r}.") from error
    found = tuple(expression(read_law(entry), system.variables) for entry in certificate["laws"])
    return CoupledLaws(found, certificate["upper_bound"], certificate, scope=scope_of(data))
