r"""Conservation laws of coupled models: found, counted from above, and certified.

A law is a function C of the parameters with $\langle\nabla C, P\nabla G_i\rangle = 0$ for all
components: constant along the flow for every loss and every data set. What is found is verified
exactly; how many there can be is D minus the rank of the Lie algebra of the fields. When the two
meet, the list is complete.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import FormulaError, UnsupportedFormula
from theory.exact.modular import PRIME, rank
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Fields
from theory.flow.lie_rank import LieRank, lie_rank, ranks_up_to
from theory.flow.polynomial_laws import (
    Law,
    independent,
    is_law,
    law_gradients,
    monomials_up_to,
    polynomial_laws,
    terms_by_component,
)
from theory.flow.systems import System, system_of

__all__ = ["CoupledLaws", "coupled_laws", "replay_laws"]

Array = NDArray[np.int64]


@dataclass(frozen=True)
class CoupledLaws:
    """Laws of a coupled model.

    Parameters
    ----------
    found : tuple of sympy.Expr
        Functionally independent laws, each with an exact proof.
    upper_bound : int
        No more independent laws exist.
    certificate : dict
        The record of the laws and of the rank, as JSON data; `replay_laws` checks it.
    conditions : tuple of str
        What the bound or the laws assume.
    scope : str
        For which flows they hold: "every loss and data set", or the data that were given.
    """

    found: tuple[sp.Expr, ...]
    upper_bound: int
    certificate: dict[str, Any] = field(repr=False)
    conditions: tuple[str, ...] = ()
    scope: str = "every loss and data set"

    @property
    def complete(self) -> bool:
        """Whether there are no further independent laws."""
        return len(self.found) == self.upper_bound

    @property
    def count(self) -> int | None:
        """How many independent laws there are, where that is certain."""
        return self.upper_bound if self.complete else None

    def __str__(self) -> str:
        laws = ", ".join(map(str, self.found)) or "none found"
        kind = "complete" if self.complete else f"at most {self.upper_bound}"
        return f"{laws} ({len(self.found)} found, {kind})"

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(sp.latex(law) for law in self.found)
        return rf"$\begin{{array}}{{l}}{rows}\end{{array}}$"


def coupled_laws(
    model: CoupledModel,
    *,
    degree: int = 2,
    ansatz: str | Sequence[Any] = "polynomial",
    data: Any = None,
    metric: Any = None,
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
    try:
        system = system_of(model, metric, data)
    except UnsupportedFormula:
        system = None
    if system is None or not isinstance(ansatz, str):
        from theory.flow.general_laws import general_laws

        return general_laws(
            model, system, degree=degree, ansatz=ansatz, data=data, metric=metric, seed=seed
        )
    fields = system.fields
    laws = _search(fields, degree, ansatz)
    return assembled(system, laws, seed, _scope(data))


def _scope(data: Any) -> str:
    return "every loss and data set" if data is None else "every loss on the given data"


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


def laurent_monomials(size: int, degree: int, frozen: int = 0) -> Array:
    """Monomials with positive and negative exponents whose absolute values add up to `degree`.

    Examples
    --------
    >>> len(laurent_monomials(2, 2))
    12
    """
    plain = monomials_up_to(size, degree, frozen)
    # every choice of signs of the distinct factors
    out = []
    for row in plain.tolist():
        distinct = sorted({f for f in row if f != size})
        for signs in itertools.product((False, True), repeat=len(distinct)):
            below = {f for f, s in zip(distinct, signs, strict=True) if s}
            out.append([size + 1 + f if f in below else f for f in row])
    return np.array(out, np.int64)


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
            {
                "text": str(text),
                "terms": [[c, [list(pair) for pair in x]] for x, c in law.terms],
                "logs": [list(pair) for pair in law.logs],
            }
            for law, text in zip(kept, found, strict=True)
        ],
        **rank_record(bound, fields.moving),
    }
    conditions: tuple[str, ...] = ()
    if fields.frozen:
        constants = ", ".join(names[fields.moving :])
        conditions = (f"the bound holds for generic values of {constants}",)
    return CoupledLaws(found, fields.moving - bound.rank, record, conditions, scope)


def rank_record(bound: LieRank, moving: int) -> dict[str, Any]:
    """The part of a certificate that belongs to the upper bound."""
    return {
        "prime": PRIME,
        "seed": bound.seed,
        "width": bound.width,
        "ranks": list(bound.ranks),
        "stopped": bound.stopped,
        "upper_bound": moving - bound.rank,
    }


def expression(law: Law, variables: Sequence[sp.Symbol]) -> sp.Expr:
    """A law as an expression."""
    terms = [c * sp.Mul(*(variables[j] ** e for j, e in x)) for x, c in law.terms]
    for j, c in law.logs:
        s = variables[j]
        # constant on either side of zero
        terms.append(c * sp.log(s if s.is_positive else sp.Abs(s)))
    return sp.Add(*terms)


def fingerprint(fields: Fields) -> str:
    """A hash of the vector fields that a certificate belongs to."""
    order = np.lexsort((*fields.index.T, fields.component, fields.field))
    digest = hashlib.sha256(f"{fields.size} {fields.count} {fields.frozen}".encode())
    digest.update(np.ascontiguousarray(fields.index[order]).tobytes())
    digest.update(fields.component[order].tobytes() + fields.field[order].tobytes())
    digest.update(repr([fields.coefficient[i] for i in order.tolist()]).encode())
    return digest.hexdigest()


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
        law = Law(
            tuple((tuple((int(j), int(e)) for j, e in x), int(c)) for c, x in entry["terms"]),
            tuple((int(j), int(c)) for j, c in entry["logs"]),
        )
        if not is_law(law, terms):
            raise FormulaError(f"{entry['text']} is not conserved.")
        laws.append(law)
    from theory.exact.modular import Stream

    seed = int(record["seed"])
    at = Stream(seed).integers("point", fields.size)
    if laws and rank(law_gradients(laws, at, fields.moving)) != len(laws):
        raise FormulaError("The laws are not independent at the recorded point.")
    ranks = [int(r) for r in record["ranks"]]
    computed = ranks_up_to(fields, seed, len(ranks) - 1, int(record["width"]))
    if computed != ranks or record["upper_bound"] != fields.moving - ranks[-1]:
        raise FormulaError(f"The ranks are {computed}, not {ranks}.")


def replay_laws(
    flow: Any, certificate: dict[str, Any], *, data: Any = None, metric: Any = None
) -> CoupledLaws:
    """Check the certificate of conservation laws again, from the record alone and without search.

    Every law's Lie derivatives, the independence of the laws, and the rank behind the upper bound
    are computed again.

    Parameters
    ----------
    flow : GradientFlow or coupled parametrization
    certificate : dict
        `laws.certificate`, perhaps read back from JSON.
    data, metric
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
        if "functions" in certificate:
            from theory.flow.general_laws import replay_general

            return replay_general(model, certificate, data=data, metric=metric)
        system = system_of(model, metric, data)
        replay_fields(system.fields, certificate)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaError(f"The certificate is malformed: {error!r}.") from error
    found = tuple(
        expression(
            Law(
                tuple((tuple((j, e) for j, e in x), c) for c, x in entry["terms"]),
                tuple((j, c) for j, c in entry["logs"]),
            ),
            system.variables,
        )
        for entry in certificate["laws"]
    )
    return CoupledLaws(found, certificate["upper_bound"], certificate, scope=_scope(data))
