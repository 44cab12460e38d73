"""Mirror, time-warped or none: coupled formulas whose answer is known by construction.

What the constructions rest on. A rotation of the parameters, and a scaling of one with the rate
that belongs to it, are isometries; an invertible linear map of x is a linear change of the dual
variable: none of them changes the answer. A conformal map has $M = |f'|^2I$, so $|f'|^2$ is its
warp. The warp of a flow is unique up to a factor, and a block of its own sees only its own x:
beside a warped flow, any other flow excludes a common warp.
"""

import random

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from tests.nightly import NIGHTLY
from theory.errors import DomainError, FormulaError, ShapeError, StartError
from theory.mirror.brackets import all_zero

T = a, b, c, d, e, f = sp.symbols("t1:7", real=True)
PYTHAGOREAN = ((3, 4, 5), (5, 12, 13), (8, 15, 17))


def _squares(rng):
    # quadratic forms of commuting matrices, after the rotation
    size, count = rng.choice(((2, 2), (3, 2), (3, 3)))
    while True:
        L = sp.Matrix(count, size, lambda i, j: rng.randint(-2, 2))
        if L.rank() == count and all(any(L[:, j]) for j in range(size)):
            return list(L * sp.Matrix([t**2 for t in T[:size]])), size


def _power_of_a_complex_number(rng):
    z = sp.expand((a + sp.I * b) ** rng.choice((2, 3, 4)))
    return [sp.re(z), sp.im(z)], 2


def _inversion(rng):
    size = rng.choice((2, 3))
    s = sum(t**2 for t in T[:size])
    return [t / s for t in T[:size]], size


CONSTRUCTIONS = {
    "mirror": [
        _squares,
        lambda rng: ([a**2 - b**2, c * d], 4),
        lambda rng: ([sp.exp(a), b**3], 2),
        lambda rng: ([a * b, sp.exp(c)], 3),
        lambda rng: ([a / (1 + a**2), b**2, sp.exp(2 * c)], 3),
        lambda rng: ([sp.sinh(a), b**4], 2),
    ],
    "warped": [
        lambda rng: ([a * b, a * c], 3),
        lambda rng: ([a * b, a * c, a * d], 4),
        _power_of_a_complex_number,
        lambda rng: ([sp.exp(a) * sp.cos(b), sp.exp(a) * sp.sin(b)], 2),
        _inversion,
        lambda rng: ([t * (1 + a**2 + b**2) for t in (a, b)], 2),
        lambda rng: ([t * sp.exp(a**2 + b**2) for t in (a, b)], 2),
    ],
    "none": [
        lambda rng: ([a * b, a * c, d**2], 4),
        lambda rng: ([a * b, a * c, d * e, d * f], 6),
        lambda rng: ([a**2 - b**2, 2 * a * b, sp.exp(c)], 3),
        lambda rng: ([a**2 - b**2, 2 * a * b, c**3], 3),
        # the product of two polynomials of degree one
        lambda rng: ([a * c, a * d + b * c, b * d], 4),
        # a mirror flow and a perturbation that does not commute
        lambda rng: ([a**2 + b * c, b**2 + a * c / 2, c**2], 3),
        lambda rng: ([sp.exp(a), b**2 + a * b], 2),
    ],
}
CASES = [(kind, k) for kind, made in CONSTRUCTIONS.items() for k in range(len(made))]
assert len(CASES) == 20


def _number(rng):
    return sp.Rational(rng.randint(1, 7), rng.randint(1, 4)) * rng.choice((1, -1))


def _rotation(rng, size):
    Q = sp.eye(size)
    for _ in range(rng.randint(1, 2)):
        i, j = rng.sample(range(size), 2)
        x, y, z = rng.choice(PYTHAGOREAN)
        turn = sp.eye(size)
        turn[i, i] = turn[j, j] = sp.Rational(x, z)
        turn[i, j], turn[j, i] = sp.Rational(-y, z), sp.Rational(y, z)
        Q = turn * Q
    return Q


def _shear(rng, size):
    B = sp.eye(size)
    for _ in range(size):
        i, j = rng.sample(range(size), 2)
        step = sp.eye(size)
        step[i, j] = rng.choice((-2, -1, 1, 2))
        B = step * B
    return B


def hidden(kind, which, seed):
    """A model of known structure in random coordinates, and a random start of full rank."""
    rng = random.Random(f"{kind} {which} {seed}")
    x, size = CONSTRUCTIONS[kind][which](rng)
    theta = T[:size]
    while True:
        start = [_number(rng) for _ in theta]
        at = sp.Matrix(x).jacobian(theta).xreplace(dict(zip(theta, start, strict=True)))
        if not at.has(sp.zoo, sp.nan) and sp.N(at).rank() == len(x):
            break
    Q = _rotation(rng, size)
    D = sp.diag(*(sp.Rational(rng.choice((1, 1, 2, 3)), rng.choice((1, 2))) for _ in theta))
    phi = sp.symbols(f"p1:{size + 1}", real=True)
    formulas = _shear(rng, len(x)) * sp.Matrix(x).xreplace(
        dict(zip(theta, Q * D * sp.Matrix(phi), strict=True))
    )
    formulas = [sp.expand(g) if g.is_polynomial() else g for g in formulas]
    values = D.inv() * Q.T * sp.Matrix(start)
    rates = [1 / D[i, i] ** 2 for i in range(size)]
    return th.Coupled(formulas, phi, rates=rates), dict(zip(phi, values, strict=True))


@pytest.mark.parametrize(("kind", "which"), CASES, ids=[f"{k} {n}" for k, n in CASES])
def test_structure_in_random_coordinates_is_that_of_the_construction(kind, which):
    model, start = hidden(kind, which, 0)
    found = th.GradientFlow(model).structure(start, seconds=0.5)
    assert found.kind == kind, str(found)
    assert found.verdict.refuted if kind == "none" else found.verdict.proved


@pytest.mark.slow
@settings(max_examples=20 if NIGHTLY else 5)
@given(st.sampled_from(CASES), st.integers(1, 10**6))
def test_structure_of_drawn_coordinates_is_never_wrong(case, seed):
    model, start = hidden(*case, seed)
    found = th.GradientFlow(model).structure(start, seconds=0.5)
    assert found.kind in (case[0], "undecided"), str(found)


def _bracket(model, i, j):
    V = [
        sp.Matrix([p * sp.diff(g, s) for s, p in zip(model.parameters, model.rates, strict=True)])
        for g in model.components
    ]
    S = model.parameters
    return V, V[j].jacobian(S) * V[i] - V[i].jacobian(S) * V[j]


@pytest.mark.parametrize("which", range(3))
def test_slopes_of_the_warp_are_its_derivatives_along_the_fields(which):
    model, start = hidden("warped", which, 0)
    found = th.GradientFlow(model).structure(start, seconds=0.5)
    V, B = _bracket(model, 0, 1)
    gap = B - found.slopes[0] * V[1] + found.slopes[1] * V[0]
    for shift in (0, sp.Rational(1, 7), sp.Rational(-3, 11)):
        at = {s: v + shift * (k + 1) for k, (s, v) in enumerate(start.items())}
        assert sp.simplify(gap.xreplace(at)).is_zero_matrix


# -- starts where the fields depend on each other, and components that are no predictor ------------


def flow(formulas, names, **kind):
    return th.GradientFlow(th.Coupled(formulas, names, **kind))


@pytest.mark.parametrize(
    ("formulas", "start"),
    [
        ("u*v, u*w", {"u": 0, "v": 1, "w": 2}),
        ("u**2, v**2", {"u": 0, "v": 1}),
        ("u*v, u*w", {"u": 0, "v": 0, "w": 0}),
        ("u**2 - v**2, 2*u*v", {"u": 0, "v": 0}),
    ],
)
def test_a_start_where_x_cannot_move_in_all_directions_is_refused(formulas, start):
    with pytest.raises(StartError, match="full rank at"):
        flow(formulas, list(start)).structure(start)


@pytest.mark.parametrize(
    ("formulas", "match"),
    [
        ("u*v, 3", "Component 2 is the constant 3"),
        ("u*v, 2*u*v", "functions of each other"),
        ("u*v, (u*v)**2 + exp(u*v)", "functions of each other"),
    ],
)
def test_components_that_never_span_are_refused_whatever_the_start(formulas, match):
    with pytest.raises(FormulaError, match=match):
        flow(formulas, "u, v").structure({"u": 1, "v": 2})


def test_more_components_than_parameters_are_refused():
    with pytest.raises(ShapeError, match="3 components and only 2 parameters"):
        flow("u, v, u*v", "u, v").structure({"u": 1, "v": 2})


@pytest.mark.parametrize(
    ("start", "match"),
    [
        ({"u": 1, "v": 2}, "misses w"),
        ({"u": 1, "v": 2, "w": 1, "q": 1}, "unknown names q"),
        ({"u": float("nan"), "v": 2, "w": 1}, "u"),
        ({"u": float("inf"), "v": 2, "w": 1}, "u"),
        ({"u": sp.Symbol("k"), "v": 2, "w": 1}, "exact number for u"),
        (None, "Expected a start"),
    ],
)
def test_bad_starts_are_refused(start, match):
    with pytest.raises(th.TheoryError, match=match):
        flow("u*v, u*w", "u, v, w").structure(start)


def test_time_must_be_positive():
    with pytest.raises(DomainError, match="seconds = 0"):
        flow("u*v, u*w", "u, v, w").structure({"u": 1, "v": 2, "w": 1}, seconds=0)


# -- what depends on the leaf ----------------------------------------------------------------------


def test_one_component_is_a_mirror_flow_from_every_start():
    cases = {"u*v*w + u**3": "u, v, w", "exp(u*v)": "u, v", "u/(1 + v**2)": "u, v"}
    for formula, names in cases.items():
        start = {n: k + 1 for k, n in enumerate(names.split(", "))}
        assert flow([formula], names).structure(start, seconds=0.5).kind == "mirror"


def test_fields_that_commute_on_one_leaf_only():
    # z stays zero, and without it the fields commute; beside that leaf they do not
    model = flow("u**2 + z**2*v, v**2 + z**2*u**2", "u, v, z")
    assert model.structure({"u": 1, "v": 2, "z": 0}).kind == "mirror"
    assert model.structure({"u": 1, "v": 2, "z": 1}).kind == "none"


def test_a_parameter_that_leaves_zero_is_not_dropped():
    model = flow("u*z + u**2, v**2 + z*v", "u, v, z")
    assert model.structure({"u": 1, "v": 2, "z": 0}, seconds=0.5).kind != "mirror"


def test_reachable_sets_larger_than_x_with_a_warp_of_the_parameters():
    # complex numbers: |p|^2 - |q|^2 is the only law of four parameters
    start = {"a": 1, "b": 2, "p": 3, "q": 1}
    found = flow("a*p - b*q, a*q + b*p", "a, b, p, q").structure(start)
    assert (found.kind, found.verdict.proved) == ("warped", True)
    assert found.warp.xreplace({s: sp.Integer(start[s.name]) for s in found.warp.free_symbols}) == 1


def test_a_constant_metric_is_a_mirror_flow_although_the_fields_may_turn():
    found = flow("u + 2*v, v - w", "u, v, w").structure({"u": 1, "v": 2, "w": 5})
    assert found.kind == "mirror"


def test_balanced_and_unbalanced_neurons_have_their_closed_forms():
    model = flow("u*v, u*w", "u, v, w")
    v, w = model.parametrization.parameters[1:]
    unbalanced = model.structure({"u": 2, "v": 1, "w": 1})
    balanced = model.structure({"u": 5, "v": 3, "w": 4})
    assert sp.simplify(unbalanced.warp**2 - (v**2 + w**2 + 2)) == 0
    assert sp.simplify(balanced.warp**2 - (v**2 + w**2)) == 0
    assert unbalanced.dual == balanced.dual == (v, w)
    assert all(c.proved for c in unbalanced.certificates)


def test_constants_of_the_model_have_values_in_the_start():
    model = flow("k*u*v, u*w", "u, v, w", assume={"k": "positive"})
    assert model.structure({"u": 2, "v": 1, "w": 1, "k": 1}, seconds=0.5).kind == "warped"
    with pytest.raises(StartError, match="constants"):
        model.structure({"u": 2, "v": 1, "w": 1})


def test_a_leaf_that_the_flow_leaves_is_refused():
    v, w = sp.symbols("v w", real=True)
    with pytest.raises(DomainError, match="leaves the given leaf"):
        flow("u*v, u*w", "u, v, w").structure(leaf={"u": v**2 + w**2 + 1, "v": v, "w": w})


def test_a_witness_in_other_variables_is_translated_back():
    # the exponent mixes the parameters; at the witness the identity must fail in the user's symbols
    p, q = sp.symbols("p q", real=True)
    claim = sp.exp(84 * p / 85 + 13 * q / 85) - p - 1
    verdict = all_zero([("claim", claim)])
    assert verdict.refuted
    value = claim.xreplace(
        {p: sp.Rational(verdict.witness["p"]), q: sp.Rational(verdict.witness["q"])}
    )
    assert abs(sp.N(value, 30)) > sp.Float("1e-20")


def test_two_undecided_identities_are_undecided():
    x = sp.Symbol("x", real=True)
    claims = [("first", sp.besselj(0, x)), ("second", sp.besselj(1, x))]
    assert all_zero(claims).undecided
