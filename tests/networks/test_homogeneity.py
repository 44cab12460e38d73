"""Degrees of formulas: found, certified, and refuted where there is none."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import FormulaError, NotClosedForm

homogeneity = th.networks.homogeneity


@pytest.mark.parametrize(
    ("formula", "parameters", "degree"),
    [
        ("v*max(w*x, 0)", "v, w", 2),
        ("v*max(w*x + b, 0)", "v, w, b", 2),
        ("v*max(w*x, w*x/100)**3", "v, w", 4),
        ("a*max(b*max(c*x, 0)**2, 0)**2", "a, b, c", 7),
        ("u**2/v", "u, v", 1),
        ("sqrt(u**2 + v**2)", "u, v", 1),
        ("(u + v)**3 - u**3 - v**3", "u, v", 3),
        ("(u + 1)**2 - 2*u - 1", "u", 2),
        ("(u**2 - v**2)/(u - v)", "u, v", 1),
        ("u*log(u/v)", "u, v", 1),
        ("u*sin(v/u)", "u, v", 1),
        ("abs(u*v)**(1/3)", "u, v", sp.Rational(2, 3)),
        ("sign(u - v)*u**2", "u, v", 2),
        ("x*u + u*v", "u", 1),
        ("1/(u + v)", "u, v", -1),
        ("(u/v)**(v/u)", "u, v", 0),
    ],
)
def test_degree(formula: str, parameters: str, degree: object) -> None:
    found = homogeneity(formula, parameters)
    assert found.degree == degree and found.verdict.proved
    assert found.derivation.identities_proved


@pytest.mark.parametrize(
    ("formula", "parameters"),
    [
        ("v*max(w*x, 0) + b", "v, w, b"), ("v*max(w*x + b, 0)", "v, w"), ("v*tanh(w*x)", "v, w"),
        ("u + 1", "u"), ("u**2 + u", "u"), ("log(u)", "u"), ("exp(u)", "u"), ("u**v", "u, v"),
        ("max(u, v, u*v)", "u, v"), ("max(u, 1)", "u"), ("u**2 + x*u", "u"),
        ("u + 10**(-9)*u**2", "u"), ("sqrt(u**2 + 1)", "u"),
    ],
)  # fmt: skip
def test_no_degree(formula: str, parameters: str) -> None:
    with pytest.raises(FormulaError, match="not homogeneous"):
        homogeneity(formula, parameters)


def test_undecided_is_no_answer() -> None:
    with pytest.raises((NotClosedForm, FormulaError)):
        homogeneity("u*sign(v - 1)", "u, v")


def test_groups_have_degrees_of_their_own() -> None:
    found = homogeneity("a*max(b*x, 0)**2", {"first": "b", "last": "a", "all": "a b"})
    assert {k: v.degree for k, v in found.items()} == {"first": 2, "last": 1, "all": 3}


def test_symbolic_exponents() -> None:
    found = homogeneity("abs(u)**L*v + abs(v)**(L + 1)", "u, v", assume={"L": "positive"})
    assert sp.expand(found.degree - sp.Symbol("L", positive=True)) == 1


@given(
    exponents=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=3),
    scale=st.integers(2, 5),
)
@settings(max_examples=40)
def test_polynomials_have_the_degree_of_all_their_terms(exponents, scale) -> None:
    u, v = sp.symbols("u v", real=True)
    e = sp.Add(*((i + 1) * u**a * v**b for i, (a, b) in enumerate(exponents))) + u * v * 0
    if not {u, v} <= e.free_symbols:
        return
    degrees = {a + b for (a, b) in sp.Poly(e, u, v).monoms()}
    if len(degrees) == 1:
        degree = homogeneity(e, [u, v]).degree
        assert degree == degrees.pop()
        at = {u: sp.Rational(2, 3), v: sp.Rational(-5, 7)}
        scaled = e.xreplace({k: scale * x for k, x in at.items()})
        assert scaled == scale**degree * e.xreplace(at)
    else:
        with pytest.raises(FormulaError):
            homogeneity(e, [u, v])
