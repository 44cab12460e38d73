"""Convexity in several variables: forms, sums, minors, directions, and domains."""

from __future__ import annotations

import itertools
import random

import pytest
import sympy as sp

import theory as th
from theory.errors import DomainError, FormulaError, TheoryError, UnknownName

LINE, POSITIVE = "(-oo, oo)", "(0, oo)"

CONVEX = [
    ("x*log(x/y)", "x > 0 & y > 0", {}),
    ("x*log(x/y) - x + y", POSITIVE, {}),
    ("x**2/y", "y > 0", {}),
    ("(x**2 + y**2)/z", "z > 0", {}),
    ("-log(x*y)", POSITIVE, {}),
    ("-sqrt(x*y)", POSITIVE, {}),
    ("1/(x*y)", POSITIVE, {}),
    ("log(exp(x) + exp(y))", LINE, {}),
    ("log(1 + exp(x) + exp(y))", LINE, {}),
    ("log(exp(x) + exp(y) + exp(z))", LINE, {}),
    ("x*asinh(x/a) - sqrt(x**2 + a**2) + y*asinh(y/a) - sqrt(y**2 + a**2)", LINE, {"a": POSITIVE}),
    ("x*log(x) + y*log(y) - (x + y)*log(x + y)", POSITIVE, {}),
    ("sqrt(1 + x**2 + y**2)", LINE, {}),
    ("exp(x + 2*y) + cosh(x - y)", LINE, {}),
    ("(x**2 + y**2)**2", LINE, {}),
    ("(x - y)**4", LINE, {}),
    ("x**3 + y**2", {"x": POSITIVE}, {}),
    ("-x**a*y**(1 - a)", POSITIVE, {"a": "(0, 1)"}),
    ("a*x**2 + b*y**2 + 2*c*x*y", LINE, {"a": "(1, oo)", "b": "(1, oo)", "c": "(-1, 1)"}),
    ("x*log(x/y)/3 + 3*log(exp(x) + exp(y)) - 3*sqrt(x*y)", POSITIVE, {}),
    ("-log(1 - x - y)", "x > 0 & y > 0 & x + y < 1", {}),
]
NOT_CONVEX = [
    ("x*y", LINE, {}),
    ("x**4 + y**4 - x*y", LINE, {}),
    ("sqrt(x*y)", POSITIVE, {}),
    ("exp(x*y)", LINE, {}),
    ("x**2*y**2", LINE, {}),
    ("exp(x)/(exp(x) + exp(y))", LINE, {}),
    ("x**2/y", "y < 0", {}),
    ("x**3 + y**2", LINE, {}),
    ("x**2/y**2", "x > 0 & y > 0", {}),
    ("log(exp(x) + exp(y)) - x**2/100", LINE, {}),
    ("x**2 + y**2 - 2*(1 + 1/10**30)*x*y", LINE, {}),
    ("a*x**2 + y**2", LINE, {"a": "real"}),
    ("x*log(y/x)", POSITIVE, {}),
]


@pytest.mark.parametrize(("F", "on", "assume"), CONVEX, ids=[c[0] for c in CONVEX])
def test_convex(F, on, assume):
    found = th.convex(F, on, assume=assume)
    # -log(1 - x - y) is smooth on the part of the box that the relation leaves only
    assert found.proved or (F == "-log(1 - x - y)" and found.undecided), str(found)


@pytest.mark.parametrize(("F", "on", "assume"), NOT_CONVEX, ids=[c[0] for c in NOT_CONVEX])
def test_not_convex_with_a_direction(F, on, assume):
    found = th.convex(F, on, assume=assume)
    assert found.refuted, str(found)
    names = [n[2:] for n in found.witness if n.startswith("d_")]
    symbols = {s: sp.Symbol(s, real=True) for s in found.witness}
    f = sp.sympify(F, locals=symbols)
    d = [sp.Rational(found.witness[f"d_{n}"]) for n in names]
    at = {symbols[n]: sp.Rational(v) for n, v in found.witness.items() if not n.startswith("d_")}
    # the second derivative along the line, by SymPy
    t = sp.Symbol("t", real=True)
    line = f.subs({symbols[n]: symbols[n] + t * a for n, a in zip(names, d, strict=True)})
    assert sp.diff(line, t, 2).subs(t, 0).subs(at).evalf(60) < 0


@pytest.mark.parametrize("seed", range(12))
def test_quadratic_forms_are_always_decided(seed):
    """The truth by the exact eigenvalue signs: all coefficients of det(H + t) nonnegative."""
    rng = random.Random(seed)
    symbols = sp.symbols("x y z", real=True)
    if seed % 3 == 0:
        # a form of squares, often singular
        rows = [[rng.randint(-2, 2) for _ in range(3)] for _ in range(rng.randint(1, 3))]
        H = sp.zeros(3)
        for row in rows:
            H += sp.Matrix(row) * sp.Matrix(row).T
    else:
        H = sp.zeros(3)
        for i, j in itertools.combinations_with_replacement(range(3), 2):
            H[i, j] = H[j, i] = rng.randint(-2, 2) + (6 if i == j and seed % 3 == 1 else 0)
    t = sp.Symbol("t")
    truth = all(c >= 0 for c in sp.Poly((H + t * sp.eye(3)).det(), t).all_coeffs())
    v = sp.Matrix(symbols)
    F = sp.expand((v.T * H * v)[0, 0] + 3 * symbols[0] - 1)
    assert str(th.convex(F, x=symbols).status) == ("PROVED" if truth else "REFUTED")


def test_a_separable_sum_of_many_terms_is_decided():
    names = [f"x{i}" for i in range(8)]
    assert th.convex(" + ".join(f"cosh({n}) - {n}**2/2" for n in names), x=names).proved
    assert th.convex(" + ".join(f"cosh({n}) - {n}**2" for n in names), x=names).refuted


def test_declared_symbols_are_constants_and_the_others_variables():
    assert th.convex("c*x**2", assume={"c": "positive"}).proved
    assert th.convex("c*x**2").refuted
    assert th.convex("c*x**2", x="x", assume={"c": "positive"}).proved
    assert th.convex("x*y", x="x").proved


def test_relations_bound_the_witness():
    found = th.convex("(x - y)**3", on="x < y")
    assert sp.Rational(found.witness["x"]) < sp.Rational(found.witness["y"])
    assert th.convex("(x - y)**3", on="x > 0 & x > y").undecided


def test_a_closed_domain_leaves_the_continuity():
    assert th.convex("x**2 + y**2", on="x >= 0 & y > 0").conditions
    assert not th.convex("x**2 + y**2", on="x > 0 & y > 0").conditions


def test_conjectures_take_relations():
    c = th.Conjecture(
        "relative entropy", "x*log(x/y)", question="convex", on="x > 0 & y > 0"
    )  # fmt: skip
    assert c.decide().proved
    half = th.Conjecture("cubic", "x**3 + y**3", question="convex")
    assert half.decide().refuted
    assert next(h for h, _ in half.rescue()) == "x, y > 0"
    assert th.Conjecture("plane", "x*y", question="convex", on="x > y").rescue() == ()


@pytest.mark.parametrize(
    ("F", "on", "x", "error"),
    [
        ("x*y", "x*y > 1", None, FormulaError),
        ("x*y", "x == y", None, FormulaError),
        ("x*y", "x > 0 & w > 0", None, UnknownName),
        ("x*y", {"w": "(0, 1)"}, None, UnknownName),
        ("x*y", LINE, "x, w", UnknownName),
        ("x*y", {"x": "nowhere"}, None, TheoryError),
        ("x*y", {"x": 3}, None, TheoryError),
        ("log(x) + y", LINE, None, DomainError),
        ("x*", LINE, None, FormulaError),
    ],
)
def test_bad_input(F, on, x, error):
    with pytest.raises(error):
        th.convex(F, on, x=x)
