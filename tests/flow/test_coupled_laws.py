"""Laws of coupled models: the known ones, how many there are, and what the search may not do."""

from __future__ import annotations

import itertools

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import theory as th
from theory.flow.coupled_laws import coupled_laws
from theory.flow.fields import gradient_fields, monomials_of
from theory.flow.law import Law, is_conserved, is_law, terms_by_component
from theory.flow.lie_rank import lie_rank

u, v, w, z = SYMBOLS = sp.symbols("u v w z", real=True)
P = 2**31 - 1

# components, parameters, functions that are laws (typed by hand), how many there are
KNOWN = {
    "product of three": (["u*v*w"], "u v w", ["u**2 - v**2", "v**2 - w**2"], 2),
    "shared factor": (["u*v", "u*w"], "u v w", ["u**2 - v**2 - w**2"], 1),
    "rotation": (["u**2 + v**2"], "u v", [], 1),
    "linear": (["u - v"], "u v", ["u + v"], 1),
    "everything": (["u", "v"], "u v", [], 0),
    "brackets": (["u*v", "u + w**2"], "u v w", [], 0),
    "duplicated": (["u*v", "u*v", "2*u*v"], "u v", ["u**2 - v**2"], 1),
    "constant component": (["3", "u*v", "7"], "u v", ["u**2 - v**2"], 1),
    "powers": (["u**2*v**3"], "u v", ["3*u**2 - 2*v**2"], 1),
    "symmetric matrix": (["u**2 + v**2", "u*w + v*z", "w**2 + z**2"], "u v w z", [], 0),
}


def model(name: str) -> th.Coupled:
    components, parameters, _, _ = KNOWN[name]
    return th.Coupled(components, parameters)


def lies_in_span(law: sp.Expr, laws: tuple[sp.Expr, ...]) -> bool:
    """Whether a polynomial is a combination of others with constant coefficients."""
    c = sp.symbols(f"c0:{len(laws)}")
    rest = sp.expand(law - sp.Add(*(a * f for a, f in zip(c, laws, strict=True))))
    equations = sp.Poly(rest, *SYMBOLS).coeffs() if rest != 0 else []
    return bool(sp.linsolve(equations, *c)) if laws else rest == 0


@pytest.mark.parametrize("name", KNOWN)
def test_known_laws_are_found_and_counted(name: str) -> None:
    _, _, laws, count = KNOWN[name]
    found = coupled_laws(model(name))
    for text in laws:
        assert lies_in_span(sp.sympify(text, locals={s.name: s for s in SYMBOLS}), found.found)
    assert found.upper_bound == count
    assert len(found.found) <= count


@pytest.mark.parametrize("name", KNOWN)
def test_lie_derivatives_of_what_is_found_expand_to_zero(name: str) -> None:
    m = model(name)
    for law in coupled_laws(m, degree=3).found:
        for g in m.components:
            assert sp.expand(sum(sp.diff(law, s) * sp.diff(g, s) for s in m.parameters)) == 0


def test_ratio_law_needs_negative_exponents() -> None:
    m = model("rotation")
    assert coupled_laws(m).found == ()
    laws = coupled_laws(m, ansatz="laurent-log")
    assert laws.complete
    ratio = laws.found[0]
    assert sp.simplify(sum(sp.diff(ratio, s) * s for s in m.parameters)) == 0


def test_logarithms_in_the_ansatz() -> None:
    laws = coupled_laws(th.Coupled(["u**2 + 3*v**2"], "u v"), degree=1, ansatz="laurent-log")
    assert laws.complete
    (law,) = laws.found
    a, b = sp.symbols("u v", real=True)
    assert sp.simplify(law - (3 * sp.log(sp.Abs(a)) - sp.log(sp.Abs(b)))) == 0
    assert any("sign" in c for c in laws.conditions)


COMPONENTS = st.lists(
    st.lists(
        st.tuples(st.integers(-3, 3), st.tuples(*[st.integers(0, 2)] * 3)),
        min_size=1,
        max_size=3,
    ),
    min_size=1,
    max_size=2,
)


def polynomial_model(components: list) -> th.Coupled | None:
    """A model in u, v, w; what no component contains is left out."""
    formulas = [sp.Add(*(c * u**a * v**b * w**e for c, (a, b, e) in terms)) for terms in components]
    used = [s for s in (u, v, w) if any(f.has(s) for f in formulas)]
    return th.Coupled(formulas, used) if used else None


@given(COMPONENTS)
def test_the_bound_is_never_below_what_is_found(components: list) -> None:
    m = polynomial_model(components)
    if m is None:
        return
    laws = coupled_laws(m, degree=3)
    assert len(laws.found) <= laws.upper_bound <= len(m.parameters)
    for law in laws.found:
        for g in m.components:
            assert sp.expand(sum(sp.diff(law, s) * sp.diff(g, s) for s in m.parameters)) == 0


def brackets_at(fields: list[sp.Matrix], symbols: list[sp.Symbol], depth: int, at: dict) -> int:
    """The rank of the Lie algebra at a rational point, from brackets that are formed."""
    layers = [list(fields)]
    for _ in range(depth):
        new = []
        for f, g in itertools.product(fields, layers[-1]):
            new.append((g.jacobian(symbols) * f - f.jacobian(symbols) * g).applyfunc(sp.expand))
        layers.append(new)
    columns = [f.subs(at) for layer in layers for f in layer]
    return sp.Matrix.hstack(*columns).rank()


@given(COMPONENTS)
def test_the_rank_is_the_one_of_symbolic_brackets(components: list) -> None:
    m = polynomial_model(components)
    if m is None:
        return
    symbols = list(m.parameters)
    fields = [sp.Matrix([sp.diff(g, s) for s in symbols]) for g in m.components]
    at = dict(zip(symbols, (sp.Rational(3, 7), sp.Rational(-5, 3), sp.Rational(11, 5))))
    computed = lie_rank(gradient_fields(monomials_of(m.components, symbols)), stable=3)
    # the bound modulo p is a lower bound; brackets of three orders are one too
    assert computed.rank >= brackets_at(fields, symbols, 2, at)
    assert len(coupled_laws(m, degree=3).found) <= len(symbols) - computed.rank


@given(COMPONENTS, st.integers(1, 2))
def test_a_larger_ansatz_loses_no_law(components: list, degree: int) -> None:
    m = polynomial_model(components)
    if m is None:
        return
    small, large = coupled_laws(m, degree=degree), coupled_laws(m, degree=degree + 1)
    assert len(large.found) >= len(small.found)
    assert large.upper_bound == small.upper_bound or large.complete or small.complete


@given(st.lists(st.sampled_from(["u", "v**2", "u*v", "w**3", "1/u", "u*w", "w"]), max_size=4))
def test_more_functions_lose_no_law(extra: list[str]) -> None:
    m = th.Coupled(["u*v", "u*w"], "u v w")
    base = ["u**2", "v**2", "w**2"]
    laws = coupled_laws(m, ansatz=[*extra, *base])
    assert laws.complete and len(laws.found) == 1


MONOMIALS = [
    tuple((j, e) for j, e in enumerate(x) if e)
    for x in itertools.product(range(4), repeat=3)
    if 0 < sum(x) <= 3
]


@given(st.dictionaries(st.sampled_from(MONOMIALS), st.integers(-9, 9), min_size=1, max_size=5))
def test_is_law_agrees_with_sympy(terms: dict) -> None:
    law = Law(tuple((x, c) for x, c in terms.items() if c))
    components = [u * v, u * w]
    e = sp.Add(*(c * sp.Mul(*((u, v, w)[j] ** k for j, k in x)) for x, c in law.terms))
    zero = all(
        sp.expand(sum(sp.diff(e, s) * sp.diff(g, s) for s in (u, v, w))) == 0 for g in components
    )
    fields = gradient_fields(monomials_of(components, [u, v, w]))
    assert is_law(law, terms_by_component(fields)) == zero
    # the same in arrays
    assert is_conserved(law, fields) == zero


@pytest.mark.parametrize("seed", [1, 2, 3, 99])
def test_the_seed_changes_no_answer(seed: int) -> None:
    laws = coupled_laws(th.networks.linear(3, 2, 2), seed=seed)
    assert laws.complete and laws.upper_bound == 3


# Coefficients at which arithmetic modulo one prime breaks down.
LARGE = {
    "multiple of the prime": ([P * u * v], ["u**2 - v**2"], 1),
    "prime in the denominator": ([u * v / P], ["u**2 - v**2"], 1),
    "one term vanishes modulo the prime": ([u**2 * v + P * v], [], 1),
    "ratio that one prime cannot tell": ([10**6 * u * w, 10**6 * v * w], [], 1),
    "coefficients that add up to the prime": (
        [(2**30) * u * v + (2**30 - 1) * v * u],
        ["u**2 - v**2"],
        1,
    ),
    "square of the prime": ([P**2 * u * v + w], [], 2),
}


@pytest.mark.parametrize("name", LARGE)
def test_coefficients_of_the_size_of_the_prime(name: str) -> None:
    components, laws, count = LARGE[name]
    symbols = sorted(set().union(*(c.free_symbols for c in components)), key=str)
    m = th.Coupled(components, symbols)
    found = coupled_laws(m)
    assert found.upper_bound >= count
    for text in laws:
        assert lies_in_span(sp.sympify(text, locals={s.name: s for s in SYMBOLS}), found.found)
    for law in found.found:
        for g in components:
            assert sp.expand(sum(sp.diff(law, s) * sp.diff(g, s) for s in symbols)) == 0


def test_large_rates_give_large_coefficients() -> None:
    laws = coupled_laws(th.Coupled([u * v], [u, v], rates=[1, 10**6 + 3]))
    assert laws.complete
    assert laws.found == ((10**6 + 3) * u**2 - v**2,)


def test_symbolic_rates_are_part_of_the_law() -> None:
    a, b = sp.symbols("a b", positive=True)
    laws = coupled_laws(th.Coupled([u * v], [u, v], rates=[a, b]))
    assert laws.complete
    assert sp.expand(laws.found[0] - (b * u**2 - a * v**2)) in (
        0,
        sp.expand(-2 * (b * u**2 - a * v**2)),
    )
    assert laws.conditions == ("the bound holds for generic values of a, b",)


def test_symbolic_coefficients() -> None:
    a = sp.Symbol("a", positive=True)
    laws = coupled_laws(th.Coupled([u * v + a * w], [u, v, w]))
    assert lies_in_span(u**2 - v**2, laws.found)
    assert laws.upper_bound == 2


def test_data_see_combinations_only() -> None:
    m = th.Coupled(["u*v", "u*w"], "u v w")
    one = coupled_laws(m, data=[[1, 2]])
    assert one.scope == "every loss on the given data"
    assert one.upper_bound == 2 and one.complete
    assert lies_in_span(2 * v - w, one.found)
    assert coupled_laws(m, data=[[1, 0], [0, 1]]).found == coupled_laws(m).found


def test_decimals_in_data_are_the_numbers_they_print_as() -> None:
    m = th.Coupled(["u*v", "u*w"], "u v w")
    assert coupled_laws(m, data=[[0.1, 0.2]]).found == coupled_laws(m, data=[["1/10", "1/5"]]).found


def test_metric_of_multiplicative_updates() -> None:
    laws = coupled_laws(th.Coupled(["u*v"], "u v"), metric=["u", "v"])
    assert laws.complete and laws.found == (u - v,)


def test_zero_data_leave_everything_in_place() -> None:
    laws = coupled_laws(th.Coupled(["u*v", "u*w"], "u v w"), data=[[0, 0]])
    assert laws.complete and len(laws.found) == 3


def test_conservation_laws_of_a_flow_and_of_a_network() -> None:
    flow = th.GradientFlow(th.networks.linear(2, 2, 1))
    laws = flow.conservation_laws()
    assert laws.complete and laws.count == 3
    assert "3 found, complete" in str(laws)


@pytest.mark.parametrize("size", [1, 2**30, 2**61, 2**62, 2**200])
def test_large_coefficients_are_added_exactly(size: int) -> None:
    fields = gradient_fields(monomials_of([size * u * v, u * v], [u, v]))
    square = Law(((((0, 2),), size), (((1, 2),), -size)))
    assert is_conserved(square, fields)
    assert not is_conserved(Law((*square.terms, (((0, 1),), 1))), fields)
    # wraps around to zero in 64 bits
    assert not is_conserved(Law(((((0, 2),), size), (((1, 2),), 2**64 - size))), fields)


def test_weight_decay_keeps_time_apart_from_its_symbol() -> None:
    decay = sp.Symbol("t", positive=True)
    (law,) = coupled_laws(th.Coupled(["u*v"], "u v"), weight_decay=decay).found
    assert len({s.name for s in law.free_symbols}) == len(law.free_symbols) == 4


def test_component_that_expands_to_zero_moves_nothing() -> None:
    zero = (u + v) ** 2 - u**2 - 2 * u * v - v**2
    laws = coupled_laws(th.Coupled([zero], [u, v]))
    assert laws.complete and laws.found == (u, v)
    laws = coupled_laws(th.Coupled([zero, u], [u, v]))
    assert laws.complete and laws.found == (v,)


@pytest.mark.parametrize("friction", [0, 1, "3/t"])
def test_momentum_of_multiplicative_updates_is_the_mirror_flow(friction: object) -> None:
    network = th.networks.nmf(1, 1, 1)
    own = coupled_laws(network, momentum=friction)
    names = [s.name for s in network.parameters]
    text = {0: "d{0}", 1: "{0} + d{0}", "3/t": "3*{0}/t + d{0}"}[friction]
    given = coupled_laws(network, momentum=friction, metric=[text.format(n) for n in names])
    assert own.certificate == given.certificate
    assert own.complete and own.count == 0
