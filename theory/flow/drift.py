r"""Laws with a drift: weight decay $\theta' = -P(\nabla\ell + \lambda\theta)$ and momentum.

Momentum is $\theta'' + \tau\theta' = -P\nabla\ell$ on the phase space $(\theta, v, t)$. The drift
is a field beside those that loss and data control, with a coefficient that varies like theirs, so
that brackets of all of them are sampled. What friction or decay leaves of a law is a function that
shrinks by a known factor: times the inverse factor it is a law on the phase space with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import FormulaError
from theory.exact.modular import Stream, pivots, rank
from theory.flow.coupled import CoupledModel
from theory.flow.law import Law, is_conserved, law_gradients
from theory.flow.law_record import (
    NOT_EXHAUSTIVE,
    CoupledLaws,
    fingerprint,
    law_entry,
    rank_record,
    read_law,
    read_rank_record,
)
from theory.flow.lie_rank import lie_rank, ranks_up_to
from theory.flow.monomials import monomials_up_to
from theory.flow.phase_space import Phase, phase_space
from theory.flow.polynomial_laws import polynomial_laws

__all__ = ["drifting_laws", "replay_drift"]

Array = NDArray[np.int64]


def _decays(phase: Phase, degree: int) -> list[int]:
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
    r"""Laws of the flow with momentum or with weight decay, and how many there can be.

    Momentum with a metric M is $\theta'' + \tau\theta' = -M P\nabla\ell$. Where a network has the
    metric diag(θ) of multiplicative updates, M is $\tau\theta + \theta'$ on these blocks, the
    mirror flow with momentum.

    Parameters
    ----------
    model : CoupledModel
    momentum : number or str, optional
        The friction: a rational number, 0 among them, or a multiple of 1/t such as ``"3/t"``.
    weight_decay : number, sympy.Symbol or str, optional
        The strength, positive.
    degree : int
        Of the polynomials in the state.
    data : array of shape (n, d), optional
        As for plain gradient flow.
    metric : sequence or mapping, optional
        The diagonal of M, in the parameters, their velocities (``du`` for ``u``) and ``t``.

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
    phase = phase_space(model, momentum, weight_decay, data, metric)
    state = phase.controls.size - 1
    monomials = monomials_up_to(state, degree)
    monomials = np.where(monomials == state, phase.controls.size + 1, monomials)
    laws: list[tuple[int, Law]] = []
    exhaustive = True
    for decay in _decays(phase, degree):
        fields = phase.growing(decay)
        column = np.full((len(monomials), 1), fields.size - 1, np.int64)
        found = polynomial_laws(fields, np.concatenate([monomials, column], 1))
        laws += [(decay, law) for law in found.laws]
        exhaustive = exhaustive and found.exhaustive
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
    result = _result(phase, kept, full.size - bound.rank, record)
    if exhaustive or result.complete:
        return result
    return replace(result, conditions=(NOT_EXHAUSTIVE,))


def _result(
    phase: Phase, kept: Sequence[tuple[int, Law]], upper: int, record: dict[str, Any]
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
    phase = phase_space(model, momentum, weight_decay, data, metric)
    full = phase.fields
    if record.get("model") != fingerprint(full):
        raise FormulaError("The certificate belongs to another model.")
    size = full.size + 1
    kept = [(entry["decay"], read_law(entry, size, 0)) for entry in record["laws"]]
    for decay, law in kept:
        if not isinstance(decay, int) or isinstance(decay, bool):
            raise FormulaError(f"Expected an integer as decay but got {decay!r}.")
        # each term has s once: the law is s times a function of the state
        last = full.size
        if any(dict(x).get(last) != 1 or full.size - 1 in dict(x) for x, _ in law.terms):
            raise FormulaError("A law of the certificate is malformed.")
        if not is_conserved(law, phase.growing(decay)):
            raise FormulaError("A law of the certificate is not conserved.")
    seed, ranks, width = read_rank_record(record)
    at = Stream(seed).integers("point", full.size + 1)
    gradients = law_gradients([law for _, law in kept], at, full.size - 1)
    if kept and rank(gradients) != len(kept):
        raise FormulaError("The laws are not independent at the recorded point.")
    computed = ranks_up_to(full, seed, len(ranks) - 1, width)
    if computed != ranks or record["upper_bound"] != full.size - ranks[-1]:
        raise FormulaError(f"The ranks are {computed}, not {ranks}.")
    return _result(phase, kept, full.size - ranks[-1], record)
