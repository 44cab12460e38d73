"""The phase space of momentum and of weight decay, as polynomial vector fields with a drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import AssumptionError, FormulaError, UnsupportedFormula
from theory.exact.initial_data import read_exact
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Fields
from theory.flow.systems import metric_entries, scaled, system_of

__all__ = ["Phase", "phase_space"]


@dataclass(frozen=True)
class Phase:
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


def phase_space(
    model: CoupledModel, momentum: Any, weight_decay: Any, data: Any, metric: Any
) -> Phase:
    """The phase space of a model with momentum or with weight decay.

    Raises
    ------
    AssumptionError
        For a friction below zero, and a decay that is not positive.
    UnsupportedFormula
        For symbolic constants, irrational rates, other frictions than numbers and multiples of 1/t.
    """
    # the metric of momentum may contain the velocities, and is applied on the phase space
    plain = metric if weight_decay is not None else [1] * len(model.parameters)
    system = system_of(model, plain, data)
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
        names = {s.name for s in rate.free_symbols}
        if names & taken:
            raise FormulaError(
                f"The weight decay {rate} has the name of a parameter; rename one of them."
            )
        taken |= names
        if metric is not None or model.scaling is not None:
            raise UnsupportedFormula("Weight decay is combined with rates, not with a metric.")
        return _decay_phase(fields, system.variables, model.rates, rate, taken)
    return _momentum_phase(fields, model, momentum, metric, taken)


def _exact(value: Any, what: str, names: dict[str, sp.Symbol]) -> sp.Expr:
    return read_exact(value, what, names)


def _decay_phase(
    fields: Fields,
    variables: tuple[sp.Symbol, ...],
    rates: Sequence[sp.Expr],
    rate: sp.Expr,
    taken: set[str],
) -> Phase:
    D = fields.size
    if any(not r.is_Rational for r in rates):
        raise UnsupportedFormula("Weight decay needs rational rates.")
    unit = int(sp.ilcm(1, *(r.q for r in rates)))
    weights = tuple(int(r * unit) for r in rates)
    # time in units of 1/lambda
    rows = [(j, -w, [j]) for j, w in enumerate(weights)] + [(D, unit, [])]
    return Phase(
        _widened(fields, D + 1),
        _single(D + 1, rows),
        (*variables, _fresh("t", taken)),
        unit,
        weights,
        False,
        rate,
    )


def _momentum_phase(
    fields: Fields, model: CoupledModel, momentum: Any, metric: Any, taken: set[str]
) -> Phase:
    variables = model.parameters
    time = _fresh("t", taken)
    friction = _exact(momentum, "friction", {"t": time})
    over_time = sp.expand(friction * time)
    logarithmic = bool(friction != 0 and over_time.is_Rational)
    tau = over_time if logarithmic else friction
    if tau.is_Rational and tau < 0:
        raise AssumptionError(f"Expected a friction that is not negative but got {friction}.")
    if not tau.is_Rational:
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
    phase = (*variables, *velocities, time)
    return Phase(
        _with_metric(_widened(fields, size, D), model, friction, metric, phase),
        _single(size, rows),
        phase,
        q,
        (0,) * D + (p,) * D,
        logarithmic,
        sp.S.One,
    )


def _with_metric(
    controls: Fields,
    model: CoupledModel,
    friction: sp.Expr,
    metric: Any,
    phase: tuple[sp.Symbol, ...],
) -> Fields:
    """The controls of the velocities times a metric in state, velocity and time."""
    D = len(model.parameters)
    if metric is None and model.scaling is not None:
        # the mirror flow with momentum, (d/dt) log(theta + theta'/tau) = -grad
        metric = [
            friction * s + v if e == s else e
            for e, s, v in zip(model.scaling, phase, phase[D:], strict=False)
        ]
    if metric is None:
        return controls
    factors = metric_entries(model, metric, phase[D:])
    strange = set().union(*(f.free_symbols for f in factors)) - set(phase)
    if strange:
        raise UnsupportedFormula(
            "Momentum needs a metric without symbolic constants but got "
            f"{', '.join(sorted(map(str, strange)))}."
        )
    return scaled(controls, [*[sp.S.One] * D, *factors, sp.S.One], phase).primitive()
