"""Conservation laws: the known ones, how many there are, and what is none."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp

from theory.flow.conservation import conserved, elementwise_laws
from theory.flow.parametrization import Elementwise

# formula, parameters, functions that are laws (typed by hand), rates
KNOWN = {
    "u**2 - v**2": ("u, v", ["u*v"], None),
    "u*v": ("u, v", ["u**2 - v**2"], None),
    "u*v with rates": ("u, v", ["u**2 - v**2/4"], {"v": 4}),
    "u*v*w": ("u, v, w", ["u**2 - v**2", "v**2 - w**2"], None),
    "u**3 - v**3": ("u, v", ["1/u + 1/v"], None),
    "u**4 - v**4": ("u, v", ["1/u**2 + 1/v**2"], None),
    "exp(u) - exp(v)": ("u, v", ["exp(-u) + exp(-v)"], None),
    "sinh(u) - sinh(v)": ("u, v", ["atan(sinh(u)) + atan(sinh(v))"], None),
    "u**2*v**3": ("u, v", ["3*u**2 - 2*v**2"], None),
    "u*exp(v)": ("u, v", ["u**2/2 - v"], None),
    "u**2 + v**2": ("u, v", ["u/v"], None),
    "tanh(u) - tanh(v)": ("u, v", ["u/2 + sinh(2*u)/4 + v/2 + sinh(2*v)/4"], None),
}


def parametrization(name: str) -> Elementwise:
    parameters, _, rates = KNOWN[name]
    return Elementwise(name.removesuffix(" with rates"), parameters, rates=rates)


def law(text: str, rho: Elementwise) -> sp.Expr:
    return sp.sympify(text, locals={s.name: s for s in rho.parameters})


@pytest.mark.parametrize("name", KNOWN)
def test_known_law_is_proved(name: str) -> None:
    rho = parametrization(name)
    for text in KNOWN[name][1]:
        verdict = conserved(law(text, rho), rho)
        assert verdict.proved, str(verdict)


@pytest.mark.parametrize("name", KNOWN)
def test_known_law_with_a_small_error_is_refuted(name: str) -> None:
    rho = parametrization(name)
    text = KNOWN[name][1][0]
    wrong = law(text, rho) + rho.parameters[0] / 10**30
    assert conserved(wrong, rho).refuted


@pytest.mark.parametrize("name", KNOWN)
def test_all_laws_of_a_block_are_found(name: str) -> None:
    rho = parametrization(name)
    laws = elementwise_laws(rho)
    assert len(laws.found) == laws.count == len(rho.parameters) - 1


@pytest.mark.parametrize("name", KNOWN)
def test_found_law_is_a_function_of_the_known_ones(name: str) -> None:
    rho = parametrization(name)
    known = [law(t, rho) for t in KNOWN[name][1]]
    at = {s: sp.Rational(3 + 2 * i, 5 + i) for i, s in enumerate(rho.parameters)}
    for found in elementwise_laws(rho).found:
        rows = sp.Matrix([[sp.diff(f, s) for s in rho.parameters] for f in (*known, found)])
        with mp.workdps(40):
            J = mp.matrix(
                [[mp.mpf(str(sp.N(e, 40))) for e in row] for row in rows.subs(at).tolist()]
            )
            assert abs(mp.det(J * J.T)) < mp.mpf(10) ** -30


@pytest.mark.parametrize(
    "text", ["atan(u) + atan(1/u)", "Abs(u)/u", "sign(u)"], ids=["atan", "|u|/u", "sign"]
)
def test_function_that_jumps_is_no_unconditional_law(text: str) -> None:
    rho = Elementwise("u + v", "u, v")
    verdict = conserved(law(text, rho), rho)
    assert not verdict.proved or verdict.conditions


@pytest.mark.parametrize("text", ["u", "u + v", "u**2 + v**2", "exp(u)*v"])
def test_function_that_moves_is_refuted(text: str) -> None:
    rho = Elementwise("u**2 - v**2", "u, v")
    assert conserved(law(text, rho), rho).refuted
