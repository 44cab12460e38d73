"""The common clock: blocks are found, and the fields separate the curve."""

from __future__ import annotations

import pytest
import sympy as sp

from theory.flow.clock import blocks
from theory.flow.parametrization import Elementwise

SEPARABLE = [
    "u**2 - v**2", "u*v", "u*v*w", "u**2*v**3", "u*v - w**2", "exp(u)*cos(v)", "exp(u + v**2)",
    "(u**2 + v**2)**3", "log(u**2 + v**4)", "u*v - w*z", "sqrt(u**2 + v**2)", "u*exp(v)",
    "tanh(u + 2*v)",
]  # fmt: skip
NOT_SEPARABLE = ["u**2 + u*v", "exp(u)*sin(v) + u", "sqrt(1 + u**2)*v + u", "sin(u*v) + v"]


def parametrization(formula: str) -> Elementwise:
    names = [n for n in "uvwz" if n in {s.name for s in sp.sympify(formula).free_symbols}]
    return Elementwise(formula, names)


@pytest.mark.parametrize("formula", SEPARABLE)
def test_gradient_is_clock_times_own_field(formula: str) -> None:
    rho = parametrization(formula)
    _, parts = blocks(rho)
    at = {s: sp.Rational(3 + 2 * i, 7 + i) for i, s in enumerate(rho.parameters)}
    for block in parts:
        assert block.clock is not None
        for s, field in zip(block.parameters, block.fields, strict=True):
            slope = sp.diff(rho.formula, s)
            assert abs(sp.N((slope - block.clock * field).subs(at), 30)) < 1e-25


@pytest.mark.parametrize("formula", SEPARABLE)
def test_field_depends_on_its_own_parameter_only(formula: str) -> None:
    for block in blocks(parametrization(formula))[1]:
        for s, field in zip(block.parameters, block.fields, strict=True):
            assert field.free_symbols <= {s}


@pytest.mark.parametrize("formula", NOT_SEPARABLE)
def test_formula_without_a_clock_has_none(formula: str) -> None:
    _, parts = blocks(parametrization(formula))
    assert any(block.clock is None for block in parts)


@pytest.mark.parametrize("formula", [*SEPARABLE, *NOT_SEPARABLE])
def test_blocks_and_constant_add_up_to_the_formula(formula: str) -> None:
    rho = parametrization(formula)
    constant, parts = blocks(rho)
    assert sp.expand(constant + sum(b.formula for b in parts) - rho.formula) == 0
