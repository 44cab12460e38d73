"""Weight normalization in formulas: derivatives in mpmath, inverse maps, structure, bad input."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import AssumptionError, DomainError, FormulaError, ShapeError
from theory.networks.normalized import NormalizedModel

DEPTHS = [1, 2, 3, 4, sp.Rational(5, 2), 6]
POINT = [sp.Rational(3, 7), sp.Rational(5, 4), sp.Rational(1, 9)]


def value(e: sp.Expr, symbols: list[sp.Symbol], at: list) -> mp.mpf:
    return sp.lambdify(symbols, e, "mpmath")(*at)


def callable_potential(model: NormalizedModel, d: int = 3):
    x = sp.symbols(f"x1:{d + 1}", positive=True)
    return sp.lambdify([x], model.potential(x), "mpmath"), x


@pytest.mark.parametrize("depth", DEPTHS, ids=str)
def test_gradient_and_hessian_are_the_derivatives_of_the_potential(depth):
    model = NormalizedModel(depth, eta=sp.Rational(2, 5))
    with mp.workdps(60):
        F, _ = callable_potential(model)
        at = [mp.mpf(v.p) / v.q for v in POINT]
        h = mp.mpf(10) ** -15
        gradient = [sp.N(g, 50) for g in model.gradient(POINT)]
        hessian = model.hessian(POINT).evalf(50)

        def shifted(*moves):
            out = list(at)
            for i, step in moves:
                out[i] += step * h
            return F(out)

        for i in range(3):
            slope = (shifted((i, 1)) - shifted((i, -1))) / (2 * h)
            assert abs(slope - gradient[i]) < mp.mpf(10) ** -24 * (1 + abs(gradient[i]))
            for j in range(3):
                second = (
                    shifted((i, 1), (j, 1)) - shifted((i, 1), (j, -1))
                    - shifted((i, -1), (j, 1)) + shifted((i, -1), (j, -1))
                ) / (4 * h**2)  # fmt: skip
                assert abs(second - hessian[i, j]) < mp.mpf(10) ** -24 * (1 + abs(hessian[i, j]))


@pytest.mark.parametrize("depth", DEPTHS, ids=str)
def test_hessian_times_metric_is_the_warp(depth):
    model = NormalizedModel(depth, eta=sp.Rational(2, 5), norm=3, rate=sp.Rational(1, 2))
    product = (model.hessian(POINT) * model.metric(POINT)).evalf(40)
    warp = sp.N(model.warp(POINT), 40)
    assert max(abs(e) for e in product - warp * sp.eye(3)) < 1e-30


@pytest.mark.parametrize("depth", DEPTHS, ids=str)
def test_inverse_mirror_map_inverts(depth):
    model = NormalizedModel(depth, eta=sp.Rational(7, 3))
    theta = [sp.N(g, 50) for g in model.gradient(POINT)]
    back = [sp.N(e, 50) for e in model.inverse_gradient(theta)]
    assert max(abs(sp.N(a - b, 50)) for a, b in zip(back, POINT, strict=True)) < sp.Float("1e-40")


@pytest.mark.parametrize("depth", [2, 3, 4], ids=str)
def test_conjugate_is_the_product_less_the_potential(depth):
    model = NormalizedModel(depth, eta=sp.Rational(7, 3))
    theta = [sp.N(g, 50) for g in model.gradient(POINT)]
    product = sum(t * x for t, x in zip(theta, POINT, strict=True))
    gap = sp.N(model.conjugate(theta) + model.potential(POINT) - product, 45)
    # for L > 2 the potential is a gamma function, with a constant of its own
    moved = [sp.Rational(1, 2), sp.Rational(2, 3), sp.Rational(3, 4)]
    theta2 = [sp.N(g, 50) for g in model.gradient(moved)]
    product2 = sum(t * x for t, x in zip(theta2, moved, strict=True))
    gap2 = sp.N(model.conjugate(theta2) + model.potential(moved) - product2, 45)
    assert abs(gap - gap2) < sp.Float("1e-38")


@pytest.mark.parametrize("depth", [2, 3, "L"], ids=str)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_certificates_and_the_chain_rule_are_proved(depth, d):
    model = NormalizedModel(depth, norm="k", rate="p")
    assert all(c.proved for c in model.certificates)
    assert all(c.proved for c in NormalizedModel(depth, rate="p").verify(d))


def test_warp_of_an_integer_depth_is_that_of_the_symbolic_one():
    x = sp.symbols("x y", positive=True)
    L = sp.Symbol("L", positive=True)
    general = NormalizedModel(L)
    for depth in (3, 4, sp.Rational(7, 2)):
        special = NormalizedModel(depth)
        at = {x[0]: sp.Rational(2, 3), x[1]: sp.Rational(9, 4), sp.Symbol("eta", positive=True): 2}
        for name in ("warp", "gradient"):
            a, b = getattr(general, name)(x), getattr(special, name)(x)
            a, b = (e if isinstance(e, tuple) else (e,) for e in (a, b))
            for one, two in zip(a, b, strict=True):
                assert (
                    abs(sp.N(one.xreplace({L: sp.sympify(depth)} | at) - two.xreplace(at))) < 1e-12
                )
    assert general.conditions == ("L > 2",)


def test_one_layer_takes_all_signs_and_is_linear_regression():
    model = NormalizedModel(1, eta=1)
    at = [sp.Rational(-2, 3), sp.Rational(1, 2)]
    radius = sp.sqrt(sum(v**2 for v in at))
    expected = [v / radius * sp.exp(radius**2 / 2) for v in at]
    for found, typed in zip(model.gradient(at), expected, strict=True):
        assert abs(sp.N(found - typed, 30)) < 1e-25


positive = st.fractions(min_value="1/20", max_value=4, max_denominator=40)


@settings(max_examples=20)
@given(st.lists(positive, min_size=2, max_size=4), st.data())
def test_divergence_of_two_layers_is_kl_and_a_square(z, data):
    x = data.draw(st.lists(positive, min_size=len(z), max_size=len(z)))
    z, x = ([sp.Rational(v.numerator, v.denominator) for v in side] for side in (z, x))
    eta = sp.Rational(3, 4)
    S, R = sum(z), sum(x)
    kl = sum(a / S * sp.log(a / S * R / b) for a, b in zip(z, x, strict=True))
    typed = S / 2 * kl + (S - R) ** 2 / (4 * eta)
    assert abs(sp.N(NormalizedModel(2, eta=eta).bregman(z, x) - typed, 30)) < 1e-25


@settings(max_examples=20)
@given(st.sampled_from([2, 3, 4]), st.lists(positive, min_size=4, max_size=4))
def test_divergence_is_positive_off_the_diagonal(depth, numbers):
    numbers = [sp.Rational(v.numerator, v.denominator) for v in numbers]
    z, x = numbers[:2], numbers[2:]
    value = sp.N(NormalizedModel(depth, eta=1).bregman(z, x), 30)
    assert value > 0 if z != x else abs(value) < 1e-25


def test_invariants_of_two_layers_are_products_of_powers():
    x = sp.symbols("x y z", positive=True)
    found = NormalizedModel(2, eta=1).invariants([[1, 2, 3]], x)
    assert len(found) == 2
    with pytest.raises(ShapeError, match="3 columns, and x has 2"):
        NormalizedModel(2, eta=1).invariants([[1, 2, 3]], x[:2])


# -- signed models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3])
def test_blockwise_normalization_is_no_mirror_flow_and_says_so(depth):
    model = NormalizedModel(depth, eta=sp.Rational(1, 2), signed="blockwise")
    with pytest.raises(DomainError, match="not even a time-warped one"):
        model.potential([1, 2])
    components, parameters, rates = model.coordinates(2)
    flow = th.GradientFlow(th.Coupled(components, parameters, rates=rates))
    found = flow.structure({s: k + 1 for k, s in enumerate(parameters)})
    assert (found.kind, found.verdict.refuted) == ("none", True)


def test_unsigned_normalization_is_found_to_be_warped_from_its_coordinates():
    components, parameters, rates = NormalizedModel(2, eta=sp.Rational(1, 3)).coordinates(3)
    flow = th.GradientFlow(th.Coupled(components, parameters, rates=rates))
    found = flow.structure({s: k + 1 for k, s in enumerate(parameters)}, seconds=0.2)
    assert (found.kind, found.verdict.proved) == ("warped", True)


def test_joint_normalization_of_one_coordinate_has_one_radius_more():
    components, parameters, _ = NormalizedModel(2, signed="joint").coordinates(2)
    assert len(components) == 2
    assert len(parameters) == 5
    assert len(NormalizedModel(2, signed="blockwise").coordinates(2)[1]) == 6


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["eta", "norm", "rate"])
@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), sp.Symbol("t"), sp.I])
def test_rates_and_norms_are_positive(name, bad):
    with pytest.raises(AssumptionError, match=name):
        NormalizedModel(2, **{name: bad})


@pytest.mark.parametrize("bad", [0, -2, float("nan"), sp.Symbol("n")])
def test_depths_are_positive(bad):
    with pytest.raises(AssumptionError, match="depth"):
        NormalizedModel(bad)


@pytest.mark.parametrize("bad", ["two +", [2], None, "__import__('os')"])
def test_depths_are_numbers_or_formulas(bad):
    with pytest.raises(th.TheoryError):
        NormalizedModel(bad)


def test_names_of_the_model_are_not_constants():
    with pytest.raises(FormulaError, match="u1"):
        NormalizedModel(2, eta=sp.Symbol("u1", positive=True))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.gradient([]), ShapeError),
        (lambda m: m.gradient("x"), ShapeError),
        (lambda m: m.gradient(3), ShapeError),
        (lambda m: m.bregman([1, 2], [1]), ShapeError),
        (lambda m: m.coordinates(0), ShapeError),
        (lambda m: NormalizedModel(2, signed="yes"), FormulaError),
        (lambda m: NormalizedModel(2, signed="joint").verify(2), DomainError),
    ],
)
def test_wrong_shapes_are_refused(call, error):
    with pytest.raises(error, match=r"Expected"):
        call(NormalizedModel(2))
