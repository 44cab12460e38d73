"""Bad input: each case gets its own kind of error, with the offending value, and quickly."""

import re

import numpy as np
import pytest
import sympy as sp

import theory as th
from theory import errors

u, v, x = sp.symbols("u v x", real=True)
A = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]])
Y = np.array([1.0, 0.5])


def _flow(formula="u**2 - v**2", parameters="u, v", **options):
    return th.GradientFlow(th.Elementwise(formula, parameters), **options)


def _limit(start, *, formula="u**2 - v**2", parameters="u, v", A=A, y=Y, **options):
    return _flow(formula, parameters, **options).limit_point(th.Regression(A, y), start)


CASES = {
    # formulas
    "empty formula": (lambda: th.Elementwise("", "u"), errors.FormulaError, ""),
    "syntax": (lambda: th.Elementwise("u**", "u"), errors.FormulaError, ""),
    "unbalanced": (lambda: th.Elementwise("(u + 1", "u"), errors.FormulaError, ""),
    "code": (
        lambda: th.Elementwise("__import__('os').system('true')", "u"),
        errors.FormulaError,
        "",
    ),
    "attribute": (lambda: th.Elementwise("u.__class__", "u"), errors.FormulaError, ""),
    "lambda": (lambda: th.Elementwise("(lambda: u)()", "u"), errors.FormulaError, ""),
    "list": (lambda: th.Elementwise("[u for u in (1,)]", "u"), errors.FormulaError, ""),
    "string": (lambda: th.Elementwise("'u'", "u"), errors.FormulaError, ""),
    "unknown name": (lambda: th.Elementwise("u + w", "u"), errors.UnknownName, "w"),
    "unknown function": (lambda: th.Elementwise("foo(u)", "u"), errors.FormulaError, "foo"),
    "too long": (lambda: th.Elementwise("u+" * 50_000 + "u", "u"), errors.FormulaError, ""),
    "huge exponent": (lambda: th.Elementwise("u**99999999999", "u"), errors.FormulaError, ""),
    "tower": (lambda: th.Elementwise("9**9**9*u", "u"), errors.FormulaError, ""),
    "deep": (lambda: th.Elementwise("(" * 500 + "u" + ")" * 500, "u"), errors.FormulaError, ""),
    "infinite constant": (lambda: th.Elementwise("u/0", "u"), errors.FormulaError, ""),
    "complex": (lambda: th.Elementwise("sqrt(-1)*u", "u"), errors.FormulaError, ""),
    "not a formula": (lambda: th.Elementwise(3, (u,)), errors.FormulaError, "3"),
    "no parameter": (lambda: th.Elementwise(x**2, (u,)), errors.FormulaError, "none of the"),
    "idle parameter": (lambda: th.Elementwise(u**2, (u, v)), errors.FormulaError, "v"),
    "no parameters": (lambda: th.Elementwise(u**2, ()), errors.FormulaError, "at least one"),
    "parameter twice": (lambda: th.Elementwise(u**2, (u, u)), errors.FormulaError, "twice"),
    "imaginary unit": (lambda: th.Elementwise(sp.I * u, (u,)), errors.FormulaError, ""),
    "NaN formula": (lambda: th.Elementwise(sp.nan * u, (u,)), errors.FormulaError, ""),
    "undeclared constant": (
        lambda: th.Elementwise(sp.Symbol("c") * u, (u,)),
        errors.AssumptionError,
        "c",
    ),
    "bad assumption": (
        lambda: th.Elementwise("u**L", "u", assume={"L": "huge"}),
        errors.AssumptionError,
        "huge",
    ),
    "empty interval": (
        lambda: th.Elementwise("u**L", "u", assume={"L": "(3, 2)"}),
        errors.AssumptionError,
        "3, 2",
    ),
    "negative rate": (
        lambda: th.Elementwise("u**2", "u", rates=[-1]),
        errors.AssumptionError,
        "-1",
    ),
    "NaN rate": (
        lambda: th.Elementwise("u**2", "u", rates=[float("nan")]),
        errors.AssumptionError,
        "nan",
    ),
    "rate count": (lambda: th.Elementwise("u**2", "u", rates=[1, 2]), errors.ShapeError, "2"),
    # starts
    "stuck": (lambda: _flow().mirror({"u": 0, "v": 0}), errors.StartError, "stuck"),
    "stuck in one": (lambda: _flow("u**3", "u").mirror({"u": 0}), errors.StartError, "stuck"),
    "outside": (lambda: _flow("log(u)", "u").mirror({"u": -1}), errors.StartError, "-1"),
    "missing start": (lambda: _flow().mirror({"u": 1}), errors.StartError, "v"),
    "unknown start": (lambda: _flow().mirror({"u": 1, "v": 1, "w": 1}), errors.UnknownName, "w"),
    "NaN start": (lambda: _flow().mirror({"u": float("nan"), "v": 1}), errors.StartError, "nan"),
    "infinite start": (
        lambda: _flow().mirror({"u": float("inf"), "v": 1}),
        errors.StartError,
        "inf",
    ),
    "start is a list": (lambda: _flow().mirror([1, 1]), errors.StartError, ""),
    "start is complex": (lambda: _flow().mirror({"u": sp.I, "v": 1}), errors.StartError, ""),
    "start of the wrong length": (
        lambda: _limit({"u": np.ones(5), "v": 1.0}),
        errors.ShapeError,
        "5",
    ),
    "one stuck coordinate": (
        lambda: _limit({"u": np.array([0.1, 0.0, 0.1]), "v": np.array([0.1, 0.0, 0.1])}),
        errors.StartError,
        "",
    ),
    # data
    "shapes": (lambda: th.Regression(A, np.ones(3)), errors.ShapeError, "3"),
    "empty": (lambda: th.Regression(np.empty((0, 3)), np.empty(0)), errors.DataError, ""),
    "NaN in A": (
        lambda: th.Regression(np.array([[1.0, np.nan]]), [1.0]),
        errors.DataError,
        "nan",
    ),
    "infinite y": (lambda: th.Regression(A, [1.0, np.inf]), errors.DataError, "inf"),
    "text data": (lambda: th.Regression([["a", "b"]], [1.0]), errors.DataError, ""),
    "complex data": (lambda: th.Regression(A * 1j, Y), errors.DataError, ""),
    "three axes": (lambda: th.Regression(np.ones((2, 2, 2)), Y), errors.ShapeError, ""),
    "missing file": (lambda: th.read_table("no_such_file.csv"), errors.DataError, "no_such_file"),
    "target outside of the link": (
        lambda: _limit({"u": 0.1, "v": 0.1}, y=[0.5, 1.2], link=th.links.logistic()),
        errors.DataError,
        "1.2",
    ),
    "hard labels": (
        lambda: _limit({"u": 0.1, "v": 0.1}, y=[1.0, -1.0], loss=th.losses.logistic()),
        (errors.DomainError, errors.DataError),
        "",
    ),
    "values outside": (
        lambda: _flow("sin(u)", "u").mirror({"u": 0}).value("hessian", 2),
        errors.DomainError,
        "2",
    ),
    "unknown kind": (
        lambda: _flow("sin(u)", "u").mirror({"u": 0}).value("slope", 0),
        errors.FormulaError,
        "slope",
    ),
    "missing constants": (
        lambda: _flow(u**2, (u,)).mirror({u: sp.Symbol("a", positive=True)}).value("hessian", 1),
        errors.StartError,
        "a",
    ),
    "unknown limit symbol": (
        lambda: _flow("u**2", "u").mirror({"u": 1}).regularizer.limit("beta", 0),
        errors.DomainError,
        "beta",
    ),
    "link without monotonicity": (lambda: th.links.custom("z**2"), errors.DomainError, ""),
    "not convex": (lambda: th.design("sin(x)", "x", on="0, 6"), errors.DomainError, ""),
    "ill-defined claim": (
        lambda: th.prove("log(-1 - t**2) == log(-2 - t**2)"),
        errors.TheoryError,
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_call_raises_its_own_kind_and_names_the_value(case):
    call, kind, fragment = CASES[case]
    with pytest.raises(kind, match=re.escape(fragment) or ".") as caught:
        call()
    assert isinstance(caught.value, errors.TheoryError)
    assert len(str(caught.value)) > 15


def test_the_table_has_at_least_forty_cases():
    assert len(CASES) >= 40


def test_text_in_a_formula_is_never_executed(tmp_path):
    marker = tmp_path / "executed"
    for text in (
        f"open('{marker}', 'w')",
        f"exec('open({str(marker)!r}, \"w\")')",
        "().__class__.__bases__[0].__subclasses__()",
    ):
        with pytest.raises(errors.FormulaError):
            th.Elementwise(text, "u")
    assert not marker.exists()
