"""Convexity, monotonicity, conservation, potentials, Legendre type."""

import pytest
import sympy as sp

import theory as th
from theory.errors import AssumptionError, StartError

u, v = sp.symbols("u v", real=True)
alpha = sp.Symbol("alpha", positive=True)
x = sp.Symbol("x", real=True)
RHO = th.Elementwise(u**2 - v**2, (u, v))
ENTROPY = (x * sp.asinh(x / (2 * alpha**2)) - sp.sqrt(x**2 + 4 * alpha**4)) / 4


@pytest.mark.parametrize(
    ("function", "on", "status"),
    [
        ("x*log(x) - x", "(0, oo)", "PROVED"),
        ("x**4", "(-oo, oo)", "PROVED"),
        ("cosh(x) - x**2/2", "(-oo, oo)", "PROVED"),
        ("log(x)", "(0, oo)", "REFUTED"),
        ("x**4 - x**2", "(-1, 1)", "REFUTED"),
        ("abs(x)", "(-oo, oo)", "UNDECIDED"),
        ("1/x", "(-oo, oo)", "UNDECIDED"),
    ],
)
def test_convexity(function, on, status):
    assert str(th.convex(function, on=on).status) == status


@pytest.mark.parametrize(
    ("function", "on", "direction", "status"),
    [
        ("tanh(x)", "(-oo, oo)", "any", "PROVED"),
        ("1/x", "(0, oo)", "any", "PROVED"),
        ("1/x", "(0, oo)", "increasing", "REFUTED"),
        ("x**2", "(-oo, oo)", "any", "REFUTED"),
        ("x**2", "(0, oo)", "increasing", "PROVED"),
    ],
)
def test_monotonicity(function, on, direction, status):
    assert str(th.monotone(function, on=on, direction=direction).status) == status


def test_constants_carry_their_assumptions():
    assert th.convex("-c*log(x)", on="(0, 1)", assume={"c": "positive"}).proved


def test_product_is_conserved_and_sum_is_not():
    assert th.conserved(u * v, RHO).proved
    assert th.conserved("u*v", th.GradientFlow(RHO)).proved
    assert th.conserved("u + v", RHO).refuted


def test_hyperbolic_entropy_is_the_potential_of_the_balanced_start():
    assert th.is_mirror_potential(ENTROPY, RHO, start={u: alpha, v: alpha}).proved
    assert th.is_mirror_potential(2 * ENTROPY, RHO, start={u: alpha, v: alpha}).refuted


def test_legendre_type():
    assert th.is_legendre(RHO, start={u: 1, v: 1}).proved


def test_restriction_makes_a_law():
    rho = th.Elementwise("u*v", "u, v")
    # on u = v: u' = v and v' = u agree, hence (u - v)*u stays zero
    assert th.conserved("(u - v)*u", rho).refuted
    assert th.conserved("(u - v)*u", rho, restriction=["u - v"]).proved
    assert not th.conserved("u", rho, restriction=["u - v"]).proved
    # u - 1 vanishes at a start but does not stay zero
    assert not th.conserved("(u - 1)**2", rho, restriction=["u - 1"]).proved


@pytest.mark.parametrize(
    ("words", "start", "error"),
    [
        ("(0, 1)", 2, StartError),
        ("(0, 1)", 1, StartError),
        ("(3, oo)", 2, StartError),
        ("positive", -1, StartError),
        ("(0, 1)", sp.Symbol("a", positive=True), AssumptionError),
        ("positive", sp.Symbol("a", real=True), AssumptionError),
    ],
    ids=str,
)
def test_start_belongs_to_the_declared_range(words, start, error):
    rho = th.Elementwise("u**2", "u", assume={"u": words})
    with pytest.raises(error, match="range"):
        th.is_mirror_potential("(x*log(x) - x)/4", rho, {"u": start})


def test_no_counterexample_beyond_the_declared_range():
    """F differs from the entropy for x > 1 only, which u in (0, 1) does not reach."""
    F = "(x*log(x) - x)/4 + ((x**2 - 2*x + 1)**(1/2) + x - 1)**3"
    half = {"u": sp.Rational(1, 2)}
    rho = {w: th.Elementwise("u**2", "u", assume={"u": w}) for w in ("(0, 1)", "(0, 4)", "real")}
    assert th.is_mirror_potential(F, rho["(0, 1)"], half).undecided
    assert th.is_mirror_potential(F, rho["(0, 4)"], half).refuted
    assert th.is_mirror_potential(F, rho["real"], half).refuted
    assert th.is_mirror_potential("(x*log(x) - x)/4", rho["(0, 1)"], half).proved
    assert th.is_legendre(rho["(0, 1)"], half).undecided
    assert th.is_legendre(rho["real"], half).proved


def test_curve_that_may_return_has_no_counterexample_beyond_the_range():
    """Along u' = v, v' = u from (5/4, 3/4) u turns back at 1, below its range u > 11/10."""
    product = {"u": sp.Rational(5, 4), "v": sp.Rational(3, 4)}
    bounded = th.Elementwise("u*v", "u, v", assume={"u": "(11/10, oo)"})
    free = th.Elementwise("u*v", "u, v")
    right = "x*asinh(2*x)/2 - sqrt(4*x**2 + 1)/4"
    wrong = f"{right} + ((x**2 + 2*x + 1)**(1/2) - x - 1)**3"
    assert th.is_mirror_potential(right, free, product).proved
    assert th.is_mirror_potential(wrong, free, product).refuted
    assert th.is_mirror_potential(wrong, bounded, product).undecided
    # a factor is wrong at the start already
    assert th.is_mirror_potential(f"3*({right})", free, product).refuted
