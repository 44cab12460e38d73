"""Wrong questions about laws: a specific error that names the value, and never a hang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp

import theory as th
from theory.errors import (
    AssumptionError,
    DataError,
    FormulaError,
    ShapeError,
    TooLarge,
    UnknownName,
    UnsupportedFormula,
)
from theory.flow.coupled_laws import coupled_laws

N = th.networks
u, v = sp.symbols("u v", real=True)
n = sp.Symbol("n", integer=True)
x = sp.Symbol("x")


MODELS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("kink", lambda: th.Coupled(["abs(u)*v"], "u v"), UnsupportedFormula, r"Abs\(u\) has a kink"),
    ("max", lambda: th.Coupled([sp.Max(u, 0) * v], [u, v]), UnsupportedFormula, r"Max\(0, u\)"),
    ("sign", lambda: th.Coupled([sp.sign(u) * v], [u, v]), UnsupportedFormula, r"sign\(u\)"),
    ("floor", lambda: th.Coupled([sp.floor(u) * v], [u, v]), UnsupportedFormula, r"floor\(u\)"),
    ("heaviside", lambda: th.Coupled([sp.Heaviside(u) * v], [u, v]), UnsupportedFormula,
     r"Heaviside\(u\)"),
    ("unknown function", lambda: th.Coupled([sp.Function("f")(u)], [u]), UnsupportedFormula,
     "not known"),
    ("no parameters", lambda: th.Coupled(["3"], ""), FormulaError, "at least one parameter"),
    ("no components", lambda: th.Coupled([], "u"), FormulaError, "at least one component"),
    ("unused", lambda: th.Coupled(["u"], "u v"), FormulaError, "No component contains .* v"),
    ("twice", lambda: th.Coupled(["u"], "u u"), FormulaError, "u is listed twice"),
    ("clash", lambda: th.Coupled([u * sp.Symbol("u", positive=True)], [u]), FormulaError,
     "Two different symbols are called u"),
    ("clash in a rate",
     lambda: th.Coupled([u * v], [u, v], rates=[sp.Symbol("u", positive=True), 1]),
     FormulaError, "Two different symbols are called u"),
    ("moving rate", lambda: th.Coupled(["u*v"], "u v", rates=["u", 1],
                                       assume={"u": "positive"}),
     AssumptionError, "constant learning rate for u but got u"),
    ("rate zero", lambda: th.Coupled(["u*v"], "u v", rates=[0, 1]), AssumptionError, "got 0"),
    ("rate negative", lambda: th.Coupled(["u*v"], "u v", rates=[1, -2]), AssumptionError,
     "for v but got -2"),
    ("rate nan", lambda: th.Coupled(["u*v"], "u v", rates=[1, float("nan")]), AssumptionError,
     "nan"),
    ("rates short", lambda: th.Coupled(["u*v"], "u v", rates=[1]), ShapeError, "2 rates but got 1"),
    ("rates strange", lambda: th.Coupled(["u*v"], "u v", rates={"q": 1}), FormulaError, "'q'"),
    ("complex", lambda: th.Coupled([sp.I * u], [u]), FormulaError, r"I\*u"),
    ("infinite", lambda: th.Coupled([sp.oo * u], [u]), FormulaError, r"oo\*u"),
    ("integer parameter", lambda: th.Coupled([n * u], [n, u]), AssumptionError,
     "continuously but n"),
    ("integer in words", lambda: th.Coupled(["m*u"], "m u", assume={"m": "integer"}),
     AssumptionError, "continuously but m"),
    ("constant of unknown kind", lambda: th.Coupled([x * u], [u]), AssumptionError, "constant x"),
    ("code", lambda: th.Coupled(["__import__('os').system('true')"], "u"), FormulaError,
     "__import__"),
    ("attribute", lambda: th.Coupled(["u.__class__"], "u"), FormulaError, "u.__class__"),
    ("lambda", lambda: th.Coupled(["(lambda: u)()"], "u"), FormulaError, "lambda"),
    ("degree", lambda: coupled_laws(th.Coupled([u**10**6 * v], [u, v])), TooLarge, "1,000,001"),
    ("power of a sum", lambda: coupled_laws(th.Coupled([(u + v) ** 900], [u, v])), TooLarge,
     "too large to be written out"),
    ("one width", lambda: N.linear(3), ShapeError, "at least 2 widths but got 1"),
    ("width zero", lambda: N.linear(3, 0, 2), ShapeError, "positive widths but got 0"),
    ("width negative", lambda: N.relu(3, -1, 2), ShapeError, "positive widths but got -1"),
    ("width float", lambda: N.linear(3, 2.5, 2), ShapeError, "but got 2.5"),
    ("width whole float", lambda: N.linear(3, 2.0, 2), ShapeError, "but got 2.0"),
    ("width bool", lambda: N.linear(3, True), ShapeError, "but got True"),
    ("width text", lambda: N.linear(3, "2 + 1"), ShapeError, r"but got '2 \+ 1'"),
    ("two widths of relu", lambda: N.relu(2, 3), ShapeError, "at least 3 widths but got 2"),
    ("symbolic relu", lambda: N.relu(2, "r", 2), ShapeError, "integer widths"),
    ("pattern", lambda: N.relu(2, 3, 2, pattern=[[1, 1]]), ShapeError, r"of lengths \[3\]"),
    ("dead pattern", lambda: N.relu(2, 3, 2, pattern=[[0, 0, 0]]), ShapeError, "an active unit"),
    ("heads", lambda: N.attention(2, 1, heads=0), ShapeError, "positive heads but got 0"),
    ("depth", lambda: N.hadamard(2, 0), ShapeError, "positive depths but got 0"),
    ("input zero", lambda: N.tanh(2, [1, 0]), FormulaError, r"not zero but got \[1, 0\]"),
    ("unknown block", lambda: N.linear(2, 2).with_rates({"W9": 1}), FormulaError, "'W9'"),
    ("rate of a block", lambda: N.linear(2, 2).with_rates({"W1": -1}), AssumptionError,
     "for W1 but got -1"),
    ("symbols", lambda: N.linear("n", "r", "m").parameters, ShapeError, "integer sizes"),
    ("huge network", lambda: coupled_laws(N.linear(2, 10**6, 10**6)), TooLarge,
     "1,000,002,000,000 parameters"),
    ("many parameters", lambda: coupled_laws(N.hadamard(3000)), TooLarge, "6000 parameters"),
    ("many paths", lambda: coupled_laws(N.relu(*[60] * 6)), TooLarge, "paths"),
    ("words of a formula", lambda: N.matrix_laws(N.relu(2, 2, 2)), FormulaError, "matrix products"),
    ("length of words", lambda: N.matrix_laws(N.linear(2, 2, 2), length=0), FormulaError, "got 0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [pytest.param(*rest, id=name) for name, *rest in MODELS],
)
def test_bad_model(build: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


CALLS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"data": [[1, 2, 3]]}, ShapeError, r"2 columns.*lengths \[3\]"),
    ({"data": [1, 2]}, ShapeError, r"a matrix as data but got \[1, 2\]"),
    ({"data": []}, ShapeError, "2 columns"),
    ({"data": np.zeros((0, 2))}, ShapeError, "2 columns"),
    ({"data": np.zeros((1, 3))}, ShapeError, r"lengths \[3\]"),
    ({"data": [[float("nan"), 1]]}, DataError, "nan"),
    ({"data": np.array([[np.inf, 1.0]])}, DataError, "inf"),
    ({"data": [[1j, 1]]}, DataError, "1j"),
    ({"data": [[True, 1]]}, DataError, "True"),
    ({"data": [["u", 1]]}, DataError, "u"),
    ({"degree": 0}, FormulaError, "but got 0"),
    ({"degree": 1.5}, FormulaError, "but got 1.5"),
    ({"degree": True}, FormulaError, "but got True"),
    ({"degree": 10**4}, TooLarge, "166,766,685,000 coefficients.*about .* GiB"),
    ({"degree": 10**9, "ansatz": "laurent-log"}, TooLarge, "GiB"),
    ({"degree": 10**6, "momentum": 1}, TooLarge, "GiB"),
    ({"ansatz": "cubes"}, FormulaError, "Unknown ansatz 'cubes'"),
    ({"ansatz": 3}, FormulaError, "but got 3"),
    ({"ansatz": []}, FormulaError, "at least one function"),
    ({"ansatz": ["1"]}, FormulaError, "at least one function"),
    ({"ansatz": ["q*u"]}, UnknownName, "Unknown name q"),
    ({"ansatz": [sp.Symbol("u", positive=True)]}, FormulaError, "not of the model"),
    ({"ansatz": ["abs(u)"]}, UnsupportedFormula, "kink"),
    ({"ansatz": ["__import__('os')"]}, FormulaError, "__import__"),
    ({"ansatz": ["u**2"], "momentum": 1}, UnsupportedFormula, "polynomials only"),
    ({"metric": [1]}, ShapeError, "3 entries .* but got 1"),
    ({"metric": ["u", 0, 1]}, AssumptionError, "but got 0"),
    ({"metric": [(u + 1) ** 2 - u**2 - 2 * u - 1, 1, 1]}, AssumptionError, "nonzero entry"),
    ({"metric": {"q": 1}}, FormulaError, "'q'"),
    ({"metric": [sp.Symbol("u", positive=True), 1, 1]}, FormulaError, "called u"),
    ({"metric": [sp.Symbol("c"), 1, 1]}, AssumptionError, "constant c"),
    ({"momentum": -1}, AssumptionError, "but got -1"),
    ({"momentum": "-3/t"}, AssumptionError, "but got -3/t"),
    ({"momentum": "t"}, UnsupportedFormula, "but got t"),
    ({"momentum": True}, FormulaError, "but got True"),
    ({"momentum": float("nan")}, FormulaError, "nan"),
    ({"momentum": "x"}, UnknownName, "Unknown name x"),
    ({"momentum": 1, "weight_decay": 1}, FormulaError, "either momentum or weight_decay"),
    ({"weight_decay": 0}, AssumptionError, "but got 0"),
    ({"weight_decay": -1}, AssumptionError, "but got -1"),
    ({"weight_decay": "u"}, UnknownName, "u"),
    ({"weight_decay": sp.Symbol("u", positive=True)}, FormulaError, "decay u has the name"),
    ({"weight_decay": sp.oo}, AssumptionError, "but got oo"),
    (
        {"momentum": 1, "metric": [sp.Symbol("c", positive=True), 1, 1]},
        UnsupportedFormula,
        "constants but got c",
    ),
    ({"weight_decay": 1, "metric": ["u", 1, 1]}, UnsupportedFormula, "not with a metric"),
    ({"seed": "x"}, FormulaError, "but got 'x'"),
    ({"colour": 1}, TypeError, "colour"),
]


@pytest.mark.parametrize(
    ("options", "error", "message"), [pytest.param(*c, id=str(c[0])) for c in CALLS]
)
def test_bad_call(options: dict[str, Any], error: type[Exception], message: str) -> None:
    flow = th.GradientFlow(th.Coupled(["u*v", "u*w"], "u v w"))
    with pytest.raises(error, match=message):
        flow.conservation_laws(**options)


def test_positive_parameter_decides_the_kink() -> None:
    assert coupled_laws(th.Coupled(["abs(u)*v"], "u v", assume={"u": "positive"})).complete


def test_coupled_flow_has_no_elementwise_mirror() -> None:
    with pytest.raises(UnsupportedFormula, match="elementwise"):
        th.GradientFlow(th.Coupled(["u*v", "u*w"], "u v w")).mirror(start={"u": 1})


@pytest.mark.parametrize("options", [{"data": [[1]]}, {"degree": 3, "momentum": 1}])
def test_elementwise_flow_has_no_options(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFormula, match=r"th.Coupled\(\['u\*v'\], 'u, v'\)"):
        th.GradientFlow(th.Elementwise("u*v", "u, v")).conservation_laws(**options)
