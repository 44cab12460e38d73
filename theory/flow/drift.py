r"""Laws with a drift: weight decay $\theta' = -P(\nabla\ell + \lambda\theta)$ and momentum.

Momentum is $\theta'' + \tau\theta' = -P\nabla\ell$ on the phase space $(\theta, v, t)$. The drift
is a field beside those that loss and data control, with a coefficient that varies like theirs, so
that brackets of all of them are sampled. What friction or decay leaves of a law is a function that
shrinks by a known factor: times the inverse factor it is a law on the phase space with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import AssumptionError, FormulaError, UnsupportedFormula
from theory.exact.modular import Stream, pivots, rank
from theory.exact.parsing import parse
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Fields
from theory.flow.law_record import CoupledLaws, fingerprint, law_entry, rank_record, read_law
from theory.flow.lie_rank import lie_rank, ranks_up_to
from theory.flow.polynomial_laws import (
    Law,
    is_law,
    law_gradients,
    monomials_up_to,
    polynomial_laws,
    terms_by_component,
)
from theory.flow.systems import system_of

__all__ = ["drifting_laws", "replay_drift"]

Array = NDArray[np.int64]


@dataclass(frozen=True)
class _Phase:
    """A phase space with time as the last variable.

    Parameters
    ----------
    controls, drift : Fields
    variables : tuple of sympy.Symbol
        The state, then time.
    unit : int
        The drift is so many times the derivative in time (or in log t).
    weights : tuple of int
        By how much, in these units, each variable of the state decays on its own; for momentum
        only multiples of the friction are tried.
    logarithmic : bool
        Whether factors are powers of t, for a friction over t.
    scale : sympy.Expr
        What one unit of decay is worth.
    """

    controls: Fields
    drift: Fields
    variables: tuple[sp.Symbol, ...]
    unit: int
    weights: tuple[int, ...]
    logarithmic: bool
    scale: sp.Expr

    @property
    def fields(self) -> Fields:
        return _joined([self.controls, self.drift], self.controls.size)

    def growing(self, decay: int) -> Fields:
        """The fields with one variable more, s' = decay * s along the drift."""
        size = self.controls.size + 1
        controls, drift = _widened(self.controls, size), _widened(self.drift, size)
        extra = _single(size, [(size - 1, decay, [size - 1])])
        drift = replace(
            _joined([drift, extra], size),
            count=1,
            field=np.zeros(len(drift.field) + 1, np.int64),
        )
        return _joined([controls, drift], size)

    def factor(self, decay: int) -> sp.Expr:
        """What s is as a function of time."""
        rate = sp.Rational(decay, self.unit) * self.scale
        time = self.variables[-1]
        return time**rate if self.logarithmic else sp.exp(rate * time)


def _joined(parts: Sequence[Fields], size: int) -> Fields:
    """Fields on the same variables, one list after the other."""
    width = max(p.index.shape[1] for p in parts)
    field, at = [], 0
    for p in parts:
        field.append(p.field + at)
        at += p.count
    padded = [
        np.pad(p.index, ((0, 0), (0, width - p.index.shape[1])), constant_values=size)
        for p in parts
    ]
    return Fields(
        size,
        at,
        np.concatenate(field),
        np.concatenate([p.component for p in parts]),
        tuple(c for p in parts for c in p.coefficient),
        np.concatenate(padded),
    )


def _single(size: int, rows: Sequence[tuple[int, int, list[int]]]) -> Fields:
    """One field from (component, coefficient, factors)."""
    width = max(1, *(len(r) for _, _, r in rows))
    return Fields(
        size,
        1,
        np.zeros(len(rows), np.int64),
        np.array([j for j, _, _ in rows], np.int64),
        tuple(c for _, c, _ in rows),
        np.array([r + [size] * (width - len(r)) for _, _, r in rows], np.int64),
    )


def _widened(fields: Fields, size: int, shift: int = 0) -> Fields:
    """The same fields among more variables; they move the variables `shift` further on."""
    D = fields.size
    index = np.where(fields.index == D, size, fields.index)
    index = np.where(fields.index > D, fields.index - D + size, index)
    return replace(fields, size=size, component=fields.component + shift, index=index)


def _fresh(name: str, taken: set[str]) -> sp.Symbol:
    while name in taken:
        name += "_"
    taken.add(name)
    return sp.Symbol(name, real=True)


def _phase(model: CoupledModel, momentum: Any, weight_decay: Any, data: Any, metric: Any) -> _Phase:
    system = system_of(model, metric, data)
    fields = system.fields
    if fields.frozen:
        raise UnsupportedFormula(
            "Momentum and weight decay need rates and components without symbolic constants."
        )
    taken = {s.name for s in system.variables}
    if weight_decay is not None:
        rate = _exact(weight_decay, "weight decay", {s.name: s for s in model.constants})
        if rate.is_positive is not True:
            raise AssumptionError(f"Expected a positive weight decay but got {weight_decay!r}.")
        if metric is not None or model.scaling is not None:
            raise UnsupportedFormula("Weight decay is combined with rates, not with a metric.")
        return _decay_phase(fields, system.variables, model.rates, rate, taken)
    return _momentum_phase(fields, system.variables, momentum, taken)


def _exact(value: Any, what: str, names: dict[str, sp.Symbol]) -> sp.Expr:
    if isinstance(value, str):
        return parse(value, names)
    if isinstance(value, float):
        value = str(value)
    try:
        return sp.sympify(value, rational=True)
    except sp.SympifyError as error:
        raise FormulaError(f"Expected a number as {what} but got {value!r}.") from error


def _decay_phase(
    fields: Fields,
    variables: tuple[sp.Symbol, ...],
    rates: Sequence[sp.Expr],
    rate: sp.Expr,
    taken: set[str],
) -> _Phase:
    D = fields.size
    if any(not r.is_Rational for r in rates):
        raise UnsupportedFormula("Weight decay needs rational rates.")
    unit = int(sp.ilcm(1, *(r.q for r in rates)))
    weights = tuple(int(r * unit) for r in rates)
    # time in units of 1/lambda
    rows = [(j, -w, [j]) for j, w in enumerate(weights)] + [(D, unit, [])]
    return _Phase(
        _widened(fields, D + 1),
        _single(D + 1, rows),
        (*variables, _fresh("t", taken)),
        unit,
        weights,
        False,
        rate,
    )


def _momentum_phase(
    fields: Fields, variables: tuple[sp.Symbol, ...], momentum: Any, taken: set[str]
) -> _Phase:
    time = _fresh("t", taken)
    friction = _exact(momentum, "friction", {"t": time})
    over_time = sp.expand(friction * time)
    logarithmic = bool(friction != 0 and over_time.is_Rational)
    tau = over_time if logarithmic else friction
    if not tau.is_Rational or tau < 0:
        raise UnsupportedFormula(
            f"Expected a rational friction >= 0, or one over t such as '3/t', but got {friction}."
        )
    D, size = fields.size, 2 * fields.size + 1
    p, q = int(tau.p), int(tau.q)
    # q times the drift, and t times it for a friction over t: the same curves, polynomial fields
    lift = [2 * D] if logarithmic else []
    rows = [(j, q, [D + j, *lift]) for j in range(D)]
    if p:
        rows += [(D + j, -p, [D + j]) for j in range(D)]
    rows.append((2 * D, q, lift))
    velocities = tuple(_fresh(f"d{s.name}", taken) for s in variables)
    return _Phase(
        _widened(fields, size, D),
        _single(size, rows),
        (*variables, *velocities, time),
        q,
        (0,) * D + (p,) * D,
        logarithmic,
        sp.S.One,
    )


def _decays(phase: _Phase, degree: int) -> list[int]:
    """By how much a polynomial of the state may decay: the sums of up to `degree` weights."""
    sums = {0}
    reached = {0}
    for _ in range(degree):
        reached = {a + w for a in reached for w in set(phase.weights)}
        sums |= reached
    return sorted(sums)


def drifting_laws(
    model: CoupledModel,
    *,
    momentum: Any = None,
    weight_decay: Any = None,
    degree: int = 2,
    data: Any = None,
    metric: Any = None,
    seed: int = 1,
) -> CoupledLaws:
    """Laws of the flow with momentum or with weight decay, and how many there can be.

    Parameters
    ----------
    model : CoupledModel
    momentum : number or str, optional
        The friction: a rational number, 0 among them, or a multiple of 1/t such as ``"3/t"``.
    weight_decay : number, sympy.Symbol or str, optional
        The strength, positive.
    degree : int
        Of the polynomials in the state.
    data, metric
        As for plain gradient flow.

    Returns
    -------
    CoupledLaws
        `found` are laws in the state and in time `t`; `upper_bound` counts the same.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u*v"], "u, v")
    >>> lam = sp.Symbol("lambda", positive=True)
    >>> drifting_laws(model, weight_decay=lam).decaying
    ((u**2 - v**2, exp(2*lambda*t)),)
    >>> drifting_laws(model, momentum=1).upper_bound
    0
    """
    if (momentum is None) == (weight_decay is None):
        raise FormulaError("Expected either momentum or weight_decay.")
    phase = _phase(model, momentum, weight_decay, data, metric)
    state = phase.controls.size - 1
    monomials = monomials_up_to(state, degree)
    monomials = np.where(monomials == state, phase.controls.size + 1, monomials)
    laws: list[tuple[int, Law]] = []
    for decay in _decays(phase, degree):
        fields = phase.growing(decay)
        column = np.full((len(monomials), 1), fields.size - 1, np.int64)
        laws += [
            (decay, law) for law in polynomial_laws(fields, np.concatenate([monomials, column], 1))
        ]
    at = Stream(seed).integers("point", phase.controls.size + 1)
    kept = [laws[i] for i in pivots(law_gradients([law for _, law in laws], at, state))]
    full = phase.fields
    bound = lie_rank(full, target=full.size - len(kept), seed=seed)
    record = {
        "kind": "conservation laws",
        "drift": True,
        "variables": [s.name for s in phase.variables],
        "model": fingerprint(full),
        "laws": [{"decay": decay, **law_entry(law)} for decay, law in kept],
        **rank_record(bound, full.size),
    }
    return _result(phase, kept, full.size - bound.rank, record)


def _result(
    phase: _Phase, kept: Sequence[tuple[int, Law]], upper: int, record: dict[str, Any]
) -> CoupledLaws:
    found, decaying = [], []
    for decay, law in kept:
        state = sp.Add(
            *(
                c * sp.Mul(*(phase.variables[j] ** e for j, e in x if j < phase.controls.size))
                for x, c in law.terms
            )
        )
        factor = phase.factor(decay)
        found.append(factor * state)
        if factor != 1:
            decaying.append((state, factor))
    return CoupledLaws(tuple(found), upper, record, decaying=tuple(decaying))


def replay_drift(
    model: CoupledModel,
    record: dict[str, Any],
    *,
    momentum: Any = None,
    weight_decay: Any = None,
    data: Any = None,
    metric: Any = None,
) -> CoupledLaws:
    """Check the certificate of laws with a drift again, without search.

    Raises
    ------
    FormulaError
        Naming what does not hold.
    """
    phase = _phase(model, momentum, weight_decay, data, metric)
    full = phase.fields
    if record.get("model") != fingerprint(full):
        raise FormulaError("The certificate belongs to another model.")
    kept = [(int(entry["decay"]), read_law(entry)) for entry in record["laws"]]
    for decay, law in kept:
        # each term has s once: the law is s times a function of the state
        last = full.size
        if (
            any(dict(x).get(last) != 1 or full.size - 1 in dict(x) for x, _ in law.terms)
            or law.logs
        ):
            raise FormulaError("A law of the certificate is malformed.")
        if not is_law(law, terms_by_component(phase.growing(decay))):
            raise FormulaError("A law of the certificate is not conserved.")
    seed = int(record["seed"])
    at = Stream(seed).integers("point", full.size + 1)
    gradients = law_gradients([law for _, law in kept], at, full.size - 1)
    if kept and rank(gradients) != len(kept):
        raise FormulaError("The laws are not independent at the recorded point.")
    ranks = [int(r) for r in record["ranks"]]
    computed = ranks_up_to(full, seed, len(ranks) - 1, int(record["width"]))
    if computed != ranks or record["upper_bound"] != full.size - ranks[-1]:
        raise FormulaError(f"The ranks are {computed}, not {ranks}.")
    return _result(phase, kept, full.size - ranks[-1], record)
