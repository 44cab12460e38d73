"""Formulas that are zero or related in disguise: no law may be denied because of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp

import theory as th
from theory.flow.coupled_laws import coupled_laws, replay_laws
from theory.flow.independence import obstacle
from theory.flow.law_record import NOT_EXHAUSTIVE
from theory.flow.tower import Tower

u, v, w = sp.symbols("u v w", real=True)
a, b = sp.symbols("a b", positive=True)
L = sp.Symbol("L", positive=True)
k = sp.Symbol("k", integer=True, positive=True)
big = sp.Symbol("big", real=True)
phi = sp.GoldenRatio

# Each of them is zero, or constant on an open set, in the moving parameters.
ZEROS = {
    "circle": sp.sin(u) ** 2 + sp.cos(u) ** 2 - 1,
    "double angle": sp.sin(2 * u) - 2 * sp.sin(u) * sp.cos(u),
    "hyperbola": sp.cosh(u) ** 2 - sp.sinh(u) ** 2 - 1,
    "sum of exponents": sp.exp(u + v) - sp.exp(u) * sp.exp(v),
    "exponents with a common sum": (
        sp.exp(u**2 / (u + 1)) * sp.exp(u / (u + 1)) - sp.exp(u, evaluate=False)
    ),
    "logarithm of a product": sp.log(a * b) - sp.log(a) - sp.log(b),
    "logarithm of a square": sp.log((1 + u**2) ** 2) - 2 * sp.log(1 + u**2),
    "logarithm of factors": sp.log(1 - u**4) - sp.log(1 - u**2) - sp.log(1 + u**2),
    "inverse hyperbolic": sp.asinh(u) - sp.log(u + sp.sqrt(u**2 + 1)),
    "double arc": 2 * sp.atan(u) - sp.atan(2 * u / (1 - u**2)),
    "reciprocal arc": sp.atan(a) + sp.atan(1 / a) - sp.pi / 2,
    "quarter turn": sp.atan(u) - sp.atan((1 + u) / (1 - u)) + sp.pi / 4,
    "arc of numbers": 4 * sp.atan(sp.Rational(1, 5)) - sp.atan(sp.Rational(1, 239)) - sp.pi / 4,
    "nested root": sp.sqrt(4 + 2 * sp.sqrt(3)) - 1 - sp.sqrt(3),
    "golden ratio": phi**2 - phi - 1,
    "logarithm of the golden ratio": sp.log(phi**2) - 2 * sp.log(phi),
    "logarithms of numbers": sp.log(6) - sp.log(2) - sp.log(3),
    "logarithm of a root": sp.log(3 + 2 * sp.sqrt(2)) - 2 * sp.log(1 + sp.sqrt(2)),
    "root of a fraction": sp.sqrt(1 + 1 / a) - sp.sqrt(a + 1) / sp.sqrt(a),
    "root of a rational multiple": sp.sqrt(8 + 8 * u**2) - 2 * sp.sqrt(2) * sp.sqrt(1 + u**2),
    "symbolic power": a**L * a ** (1 - L) - a,
    "power and exponential": a**L - sp.exp(L * sp.log(a)),
    "irrational powers": a ** sp.sqrt(2) * a ** (2 - sp.sqrt(2)) - a**2,
    "power of pi": a**sp.pi * a ** (1 - sp.pi) - a,
    "tangent": sp.tan(u) - sp.sin(u) / sp.cos(u),
    "half tangent": sp.tan(u / 2) - sp.sin(u) / (1 + sp.cos(u)),
    "tanh": sp.tanh(u) - (sp.exp(2 * u) - 1) / (sp.exp(2 * u) + 1),
    "atanh": sp.atanh(u) - sp.log((1 + u) / (1 - u)) / 2,
    "nested exponential": sp.exp(sp.exp(u) + 1) - sp.E * sp.exp(sp.exp(u)),
    "trigonometric polynomial": sp.cos(3 * u) - 4 * sp.cos(u) ** 3 + 3 * sp.cos(u),
    "fraction": 1 / (1 + u**2) + u**2 / (1 + u**2) - 1,
    "two denominators": 1 / (u**2 + 1) - 1 / (u**2 + 2) - 1 / ((u**2 + 1) * (u**2 + 2)),
}


def moving(e: sp.Expr) -> list[sp.Symbol]:
    return sorted(e.free_symbols - {L, k, w}, key=str)


@pytest.mark.parametrize("name", ZEROS)
def test_a_zero_in_disguise_moves_nothing(name: str) -> None:
    zero = ZEROS[name]
    others = moving(zero) or [u]
    # w stays where it is, because its only term is zero
    model = th.Coupled([*others, others[0] + zero * w], [*others, w])
    laws = coupled_laws(model, degree=1)
    assert laws.upper_bound >= 1
    again = replay_laws(model, laws.certificate)
    assert again.upper_bound == laws.upper_bound


@pytest.mark.parametrize("name", ZEROS)
def test_a_zero_in_disguise_bends_nothing(name: str) -> None:
    zero = ZEROS[name]
    others = moving(zero) or [u]
    # the bracket of the two fields of w and big is zero as well
    model = th.Coupled([*others, w + zero * big * w**2, w], [*others, w, big])
    assert coupled_laws(model, degree=1).upper_bound >= 1


def test_branch_of_another_range_proves_nothing() -> None:
    model = th.Coupled(["s", "(Abs(s - 5) - s + 5)*t + erf(s)"], "s t", assume={"s": "(5, oo)"})
    laws = coupled_laws(model, degree=1)
    assert laws.upper_bound == 1
    assert [str(law) for law in laws.found] == ["t"]


def test_metric_that_vanishes_freezes_its_parameter() -> None:
    zero = sp.sin(u) ** 2 + sp.cos(u) ** 2 - 1
    for formula in (u * v + w, sp.erf(u) * v + w):
        model = th.Coupled([formula, u, v], [u, v, w])
        laws = coupled_laws(model, degree=1, metric=[1, 1, zero])
        assert laws.upper_bound >= 1


def test_steps_are_no_laws() -> None:
    for text in ("sign(u)", "Abs(u)", "Max(u, v)"):
        with pytest.raises(th.errors.UnsupportedFormula, match="not differentiable"):
            coupled_laws(th.Coupled(["u*v"], "u v"), ansatz=[text, "u**2", "v**2"])


def test_law_that_jumps_says_so() -> None:
    laws = coupled_laws(
        th.Coupled(["u**2 + v**2 + w"], "u v w"), ansatz=["atan(u/v)", "log(abs(u))"]
    )
    assert any("continuous" in c for c in laws.conditions) or not laws.found
    flat = coupled_laws(th.Coupled(["u**2 + v**2"], "u v"), ansatz=["atan(u/v)"])
    assert flat.complete
    assert flat.conditions == (f"the flow stays where {flat.found[0]} is defined and continuous",)


# Counts that are known: rational, exponential, roots, symbolic exponents.
COUNTED: dict[str, tuple[Callable[[], th.Coupled], list[str], int]] = {
    "rational": (lambda: th.Coupled(["u/(1 + v**2)"], "u v"), ["u**2", "v**2", "log(abs(v))"], 1),
    "ratios": (lambda: th.Coupled(["u/(u + v)", "w/(u + v)"], "u v w"),
               ["u**2", "v**2", "w**2"], 1),
    "softmax": (lambda: th.networks.softmax(3), ["u1", "u2", "u3"], 1),
    "tanh": (lambda: th.networks.tanh(2, 4), ["a1**2", "a2**2", "sinh(w1)**2", "sinh(w2)**2"], 0),
    "tanh at one input": (lambda: th.networks.tanh(1, [1]), ["a1**2", "sinh(w1)**2"], 1),
    "exponentials": (lambda: th.Coupled(["exp(u)*v", "exp(u)*w"], "u v w"),
                     ["u", "v**2", "w**2"], 1),
    "weight normalization": (lambda: th.networks.weight_normalization(2),
                             ["r", "u1**2", "u2**2"], 1),
    "symbolic exponent": (
        lambda: th.Coupled(["u**L*v**(2*L)"], "u v",
                           assume={"u": "positive", "v": "positive", "L": "(2, oo)"}),
        ["u**2", "v**2"], 1),
    "sine": (lambda: th.Coupled(["u*sin(v)"], "u v"), ["u**2", "log(cos(v))"], 1),
    "root": (lambda: th.Coupled(["sqrt(u)*v"], "u v", assume={"u": "positive"}),
             ["u**2", "v**2"], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_formulas_that_are_no_polynomials(name: str) -> None:
    build, functions, count = COUNTED[name]
    laws = coupled_laws(build(), ansatz=functions)
    assert laws.upper_bound == count
    for law in laws.found:
        for g in build().components:
            rate = sum(
                sp.diff(law, s) * p * sp.diff(g, s)
                for s, p in zip(build().parameters, build().rates, strict=True)
            )
            assert th.prove(sp.Eq(rate, 0, evaluate=False)).proved


INDEPENDENT = {
    "exponentials": ([sp.exp(u), sp.exp(v), sp.exp(u * v)], True),
    "multiples": ([sp.exp(u), sp.exp(2 * u)], True),
    "roots": ([sp.sqrt(u + 1), sp.sqrt(u + 2)], True),
    "related roots": ([sp.sqrt(u + 1), sp.sqrt(v + 1), sp.sqrt((u + 1) * (v + 1))], False),
    "roots of opposite numbers": ([sp.root(u + 1, 3), sp.root(-u - 1, 3)], False),
    "mixed degrees": ([sp.sqrt(u + 1), sp.root(u + 1, 3)], False),
    "golden ratio": ([phi * u], False),
    "pi": ([sp.pi * u], True),
    "two numbers": ([sp.pi * u, sp.E * u], False),
    "Euler's constant": ([sp.EulerGamma * u], False),
    "related logarithms": ([sp.log(1 - u**2), sp.log(1 - u), sp.log(1 + u)], False),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independence_is_claimed_only_where_it_is_proved(name: str) -> None:
    functions, independent = INDEPENDENT[name]
    tower = Tower((u, v))
    tower.read(functions)
    assert (obstacle(tower) is None) == independent


s = u + v
TANGLED = {
    "angle of many terms": [w - sp.sin(2 * (s**2 + 1) ** 2 / 3), s + w],
    "cosine of a cosine": [
        (sp.root(u**2 * v**2 + 2, 3) + sp.sin(u * v / 2)) ** 2,
        sp.cos(sp.cos(3 * u * v) / 3 - sp.Rational(1, 2)),
    ],
    "cosine of a product with cosines": [w**2 + sp.cos(3 * s**2 * sp.cos(2 * u / 3 + 2 * v / 3))],
    "roots of degree nine and six": [sp.root(s**2 + 1, 9) + w, sp.root(s**2 + 2, 6) + w],
    "root under a large power": [w - sp.sin(2 * sp.root(s**2 + 2, 3) / 3) + sp.exp(s) ** 40],
    "power with very many terms": [w + (sp.exp(u) + sp.exp(v) + sp.exp(u * v) + u + v) ** 30],
    "large multiple in an exponent": [sp.exp(10**6 * s) + sp.exp(s) * w],
    "large multiple of an angle": [sp.sin(1000 * s) * sp.sin(s) + w],
}


@pytest.mark.parametrize("name", TANGLED)
def test_tangled_formulas_are_answered(name: str) -> None:
    components = TANGLED[name]
    symbols = [x for x in (u, v, w) if any(c.has(x) for c in components)]
    model = th.Coupled(components, symbols)
    laws = coupled_laws(model, degree=1)
    if name not in ("cosine of a cosine", "power with very many terms"):
        # all of u + v and w: the difference is conserved
        assert laws.upper_bound >= 1
        assert laws.found == (u - v,) or NOT_EXHAUSTIVE in laws.conditions
    assert replay_laws(model, laws.certificate).upper_bound == laws.upper_bound
