"""Growth, rates, alignment and stationarity: formulas, proofs, and numbers put into them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th

networks = th.networks
DEGREES: list[Any] = ["L", 1, 2, 3, sp.Rational(5, 2)]
WORDS = {
    networks.margin_growth: {"Speed of the norm"},
    networks.margin_rates: {"Norm"},
    networks.alignment: set(),
    networks.stationarity: {"Sign"},
}


@pytest.mark.parametrize("degree", DEGREES, ids=str)
@pytest.mark.parametrize("theorem", WORDS, ids=lambda f: f.__name__)
def test_identities_are_proved(theorem: Any, degree: Any) -> None:
    derivation = theorem(degree).derivation
    assert derivation.identities_proved and set(derivation.in_words) == WORDS[theorem]


@given(
    q=st.lists(st.floats(0.1, 20), min_size=1, max_size=5),
    R=st.floats(0.1, 10),
    L=st.sampled_from([1, 2, 3]),
    beta=st.floats(0.01, 1),
)
@settings(max_examples=60)
def test_bounds_hold_for_numbers(q: Any, R: float, L: int, beta: float) -> None:
    """Any margins with a loss below 1, and any gradient that Euler's identity allows."""
    margins = np.array(q)
    ell = float(np.exp(-margins).sum())
    if not ell < 0.99:
        return
    u = -np.log(ell)
    euler = L * float((np.exp(-margins) * margins).sum())
    G = euler / (beta * R)
    values = {"u": u, "R": R, "G": G, "s": G, "ell": ell, "q_min": margins.min(), "beta": beta,
              "m": len(q), "gamma_0": u / R**L}  # fmt: skip

    def at(e: sp.Expr) -> float:
        return float(e.subs({sp.Symbol(k, positive=True): v for k, v in values.items()}))

    assert at(networks.margin_growth(L).rate) >= -1e-9 * G**2
    assert at(networks.margin_rates(L).loss_speed) * (1 - 1e-9) <= G**2
    found = networks.stationarity(L)
    multipliers = [
        float(found.multiplier.subs({sp.Symbol("q", positive=True): v}).subs(
            {sp.Symbol(k, positive=True): x for k, x in values.items()}))
        for v in margins
    ]  # fmt: skip
    slack = sum(a * (v / margins.min() - 1) for a, v in zip(multipliers, margins, strict=True))
    assert slack <= at(found.slack_bound) * (1 + 1e-9)
    assert at(found.gap) >= 0


def test_degree_is_positive() -> None:
    for bad in (0, -1, "x y", None, [2]):
        with pytest.raises(th.TheoryError):
            networks.margin_growth(bad)


def test_rate_of_the_loss_along_an_unnormalized_flow() -> None:
    """L = 1, one sample at distance a: ell' = -a^2 ell^2, gamma_0 = a for theta = w >= 0."""
    speed = networks.margin_rates(1).loss_speed
    gamma, ell = sp.symbols("gamma_0 ell", positive=True)
    assert speed == gamma**2 * ell**2
