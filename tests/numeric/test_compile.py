"""Formulas in floats against mpmath, and what is refused."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

from theory.errors import ShapeError, UnknownName, UnsupportedFormula
from theory.numeric.compile import compile_expression, compile_expressions

z, y = sp.symbols("z y", real=True)
p = sp.Symbol("p", positive=True)
SIGMOID = 1 / (1 + sp.exp(-z))


@pytest.mark.parametrize(
    ("formula", "point"),
    [
        (sp.log(1 + sp.exp(z)), 1000.0),
        (sp.log(1 + sp.exp(z)), -50.0),
        (SIGMOID, 800.0),
        (SIGMOID, -700.0),
        (sp.diff(SIGMOID, z), -700.0),
        (sp.diff(SIGMOID, z, 2), 1e-9),
        (sp.exp(z) / (1 + sp.exp(z)), 800.0),
        (sp.log(z + sp.sqrt(z**2 + 1)), -1e9),
        (sp.log(2 * z + sp.sqrt(4 * z**2 + 3)), -1e6),
        (sp.sinh(z) / sp.cosh(z), 800.0),
        (sp.diff(sp.tanh(z), z), 300.0),
        (sp.exp(z) - 1, 1e-12),
        (3 * sp.exp(2 * z) - 3, -1e-12),
        (sp.cosh(z) - 1, 1e-7),
        (sp.log(1 + z), 1e-13),
        (sp.log(sp.exp(z) - 1), 1000.0),
        (sp.log(sp.exp(z) + sp.exp(-z)), 1e5),
        (sp.LambertW(sp.exp(z)), 1000.0),
        (sp.sech(z), 710.0),
    ],
    ids=str,
)
def test_value_keeps_its_digits_where_the_plain_formula_does_not(
    formula: sp.Expr, point: float
) -> None:
    with mpmath.workdps(1500 if abs(point) > 1e3 else 800):
        if abs(point) >= 1e5:
            exact = {
                -1e9: -mpmath.asinh(mpmath.mpf(1e9)),
                -1e6: mpmath.log(3) / 2 - mpmath.asinh(2e6 / mpmath.sqrt(3)),
                1e5: mpmath.mpf(1e5),
            }[point]
        else:
            exact = sp.lambdify(z, formula, "mpmath")(mpmath.mpf(point))
        value = float(compile_expression(formula, [z])(point))
        assert abs(mpmath.mpf(value) / exact - 1) < 1e-14


def test_names_of_symbols_never_reach_the_interpreter() -> None:
    evil = sp.Symbol("__import__('os').getpid()", real=True)
    pi = sp.Symbol("pi")
    assert compile_expression(evil + 1, [evil])(1.0) == 2.0
    assert compile_expression(pi + sp.pi, [pi])(1.0) == 1.0 + np.pi


def test_integers_are_computed_as_floats() -> None:
    value = compile_expression(z**20, [z])(10)
    assert value.dtype == np.float64
    assert value == 1e20


def test_constants_broadcast_to_the_shape_of_the_arguments() -> None:
    two, product = compile_expressions([sp.Integer(2), z * y], [z, y])(np.ones((3, 1)), np.ones(4))
    assert two.shape == product.shape == (3, 4)


def test_fractional_powers_of_negative_numbers_are_not_a_number() -> None:
    assert np.isnan(compile_expression(p ** sp.Rational(1, 3), [p])(-8.0))


def test_piecewise_passes_on_what_is_not_a_number() -> None:
    f = compile_expression(sp.Piecewise((z, z > 0), (z**2, True)), [z])
    assert np.isnan(f(np.nan))
    assert f([3.0, -3.0]).tolist() == [3.0, 9.0]


@pytest.mark.parametrize(
    ("formula", "error", "text"),
    [
        (z + y, UnknownName, "contains y"),
        (sp.Function("foo")(z), UnsupportedFormula, "foo"),
        (sp.Integral(sp.exp(z**2), z), UnsupportedFormula, "Integral"),
        (z + sp.I, UnsupportedFormula, "real"),
    ],
    ids=["unbound-symbol", "unknown-function", "integral", "complex"],
)
def test_formula_is_refused(formula: sp.Expr, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        compile_expression(formula, [z])


def test_wrong_number_of_arguments_is_refused() -> None:
    with pytest.raises(ShapeError, match="Expected 1"):
        compile_expression(z, [z])(1.0, 2.0)


def test_check_finds_a_cancellation() -> None:
    with pytest.raises(UnsupportedFormula, match="loses its digits"):
        compile_expression(sp.sin(z) - z, [z], check=[[1e-9]])
    compile_expression(sp.sin(z) / z, [z], check=True)
