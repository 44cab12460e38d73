"""Laws of models with powers, numbers and functions that are related, or only look so."""

from __future__ import annotations

import pytest
import sympy as sp

import theory as th

u, v, w, z = sp.symbols("u v w z", positive=True)
a, b, L = sp.symbols("a b L", positive=True)


def laws(components, parameters, **options):
    model = th.GradientFlow(th.Coupled(components, parameters))
    return model.conservation_laws(**options)


# One component, up to functions of it: two parameters have one law, and no bound may be below it.
DEPENDENT = [
    [sp.sqrt(u) * sp.sqrt(v), sp.sqrt(u * v)],
    [sp.log(u * v), sp.log(u) + sp.log(v)],
    [sp.exp(2 * u) * v**2, sp.exp(u) * v],
    [u**a * v, u ** (2 * a) * v**2],
    [u**a * v**b, a * sp.log(u) + b * sp.log(v)],
    [sp.sin(u + v), sp.cos(u + v)],
    [sp.sin(u) * sp.cos(v) + sp.cos(u) * sp.sin(v), sp.sin(u + v)],
    [sp.atan(u * v), sp.atan(1 / (u * v))],
    [sp.asin(u * v / (1 + u * v)), sp.acos(u * v / (1 + u * v))],
    [sp.tanh(u + v), sp.exp(2 * u) * sp.exp(2 * v)],
    [4**u * v**2, 2**u * v],
    [2**u * v, 3**u * v ** (sp.log(3) / sp.log(2))],
    [sp.exp(u) * v, u + sp.log(v)],
    [sp.sqrt(u + v) * sp.sqrt(u - v), sp.sqrt(u**2 - v**2)],
    [sp.sqrt(2) * sp.sqrt(u) + sp.sqrt(v), (sp.sqrt(2 * u) + sp.sqrt(v)) ** 3],
    [sp.sinh(u) + v, sp.exp(u) - sp.exp(-u) + 2 * v],
    [sp.asinh(u) + v, sp.log(u + sp.sqrt(1 + u**2)) + v],
    [sp.sqrt(5 + 2 * sp.sqrt(6)) * u + v, sp.sqrt(2) * u + sp.sqrt(3) * u + v],
    [sp.gamma(u * v), sp.gamma(u * v + 1)],
    [sp.exp(sp.exp(u) + v), sp.exp(u) + v],
    [sp.cos(2 * u) + 2 * v, sp.cos(u) ** 2 + v, sp.sin(u) ** 2 - v],
]


@pytest.mark.parametrize("components", DEPENDENT, ids=str)
def test_functions_of_one_component_leave_a_law(components: list[sp.Expr]) -> None:
    for ansatz in ("polynomial", "laurent-log"):
        assert laws(components, (u, v), ansatz=ansatz).upper_bound >= 1


# The factor of u*w is zero: w is conserved, and a bound that takes the number for a variable is
# below the two laws that there are.
ZERO = [
    sp.GoldenRatio**2 - sp.GoldenRatio - 1,
    sp.log(8) - 3 * sp.log(2),
    sp.sqrt(3 + 2 * sp.sqrt(2)) - 1 - sp.sqrt(2),
    sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1,
    sp.cos(sp.pi / 7) - sp.cos(2 * sp.pi / 7) + sp.cos(3 * sp.pi / 7) - sp.Rational(1, 2),
    sp.asin(sp.Rational(3, 5)) - sp.atan(sp.Rational(3, 4)),
    sp.atan(sp.Rational(1, 2)) + sp.atan(sp.Rational(1, 3)) - sp.pi / 4,
    2 ** sp.sqrt(2) * 2 ** (1 - sp.sqrt(2)) - 2,
    sp.TribonacciConstant**3 - sp.TribonacciConstant**2 - sp.TribonacciConstant - 1,
]


@pytest.mark.parametrize("number", ZERO, ids=str)
def test_a_number_that_is_zero_is_no_variable(number: sp.Expr) -> None:
    assert laws([number * u * w + u * v, u * v], (u, v, w)).upper_bound >= 2


@pytest.mark.parametrize("number", [sp.pi, sp.E, sp.log(2), sp.log(sp.Rational(5, 7)), sp.sqrt(2)])
def test_a_number_that_is_not_zero_makes_a_component(number: sp.Expr) -> None:
    found = laws([number * u * w + u * v, u * v], (u, v, w))
    assert found.found == (u**2 - v**2 - w**2,)
    assert found.complete


def test_numbers_of_open_nature_give_no_bound_modulo_a_prime() -> None:
    components = [sp.EulerGamma * u * w + u * v, u * v]
    assert (
        "EulerGamma is not known to be transcendental" in laws(components, (u, v, w)).conditions[0]
    )


@pytest.mark.parametrize(
    ("components", "law"),
    [
        ([u**a * v], u**2 - a * v**2),
        ([u**a * v**b], b * u**2 - a * v**2),
        ([u**a * v, u ** (2 * a) * v**2], u**2 - a * v**2),
        ([sp.exp(a * u) * v], 2 * u - a * v**2),
        ([sp.sqrt(3) * u * v], u**2 - v**2),
        ([u ** sp.Rational(1, 5) * v ** sp.Rational(1, 3)], 5 * u**2 - 3 * v**2),
        ([u ** sp.Rational(1, 3) * v ** sp.Rational(1, 3), u * v], u**2 - v**2),
    ],
    ids=str,
)
def test_laws_of_powers(components: list[sp.Expr], law: sp.Expr) -> None:
    found = laws(components, (u, v))
    assert found.complete
    assert [sp.expand(f) for f in found.found] in ([law], [sp.expand(-law)])


@pytest.mark.parametrize("sign", [1, -1])
def test_powers_with_a_symbolic_exponent_separate(sign: int) -> None:
    found = laws([u**L + sign * v**L], (u, v), ansatz="laurent-log")
    assert found.complete
    assert found.found == (u ** (2 - L) - sign * v ** (2 - L),)
