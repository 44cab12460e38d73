"""Modes of linear networks: times and solutions against mpmath, and derivations that can fail."""

from __future__ import annotations

import dataclasses

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.errors import AssumptionError, DomainError, FormulaError, NotClosedForm
from theory.exact.zero import is_zero
from theory.networks import mode_equation, mode_solution, mode_time, plateaus

L = sp.Symbol("L", positive=True)


# -- equation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 7, "L"], ids=str)
@pytest.mark.parametrize("lam", [0, "lam", sp.Rational(1, 3)], ids=str)
def test_equations_are_proved(depth, lam):
    mode = mode_equation(depth, lam=lam)
    assert mode.derivation.identities_proved
    assert len(mode.derivation.certificates) == 2


def test_a_wrong_rate_is_not_proved():
    class Wrong(type(mode_equation(3))):
        @property
        def rate(self):
            return super().rate + self.a * sp.Rational(1, 10**12)

    mode = mode_equation(3)
    wrong = Wrong(**{f.name: getattr(mode, f.name) for f in dataclasses.fields(mode)})
    assert not wrong.derivation.identities_proved


def test_symbols_of_the_user_are_not_captured():
    a, x = sp.symbols("a x", positive=True)
    mode = mode_equation(3, s=a, lam=x)
    assert mode.a != a
    assert mode.x != x
    assert mode.derivation.identities_proved


# -- time ------------------------------------------------------------------------------------------


def quadrature(depth, s, a0, a1):
    with mp.workdps(25):
        x0, x1 = mp.mpf(a0) ** (mp.mpf(1) / depth), mp.mpf(a1) ** (mp.mpf(1) / depth)
        return mp.quad(lambda x: 1 / (x ** (depth - 1) * (s - x**depth)), mp.linspace(x0, x1, 9))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 7, 8, 11])
@pytest.mark.parametrize(
    ("s", "a0", "a1", "above"), [(2, 0.05, 1.75, False), (2, 5, 2.25, True), (0, 3, 0.5, True)]
)
def test_times_agree_with_quadrature(depth, s, a0, a1, above):
    time = mode_time(depth, s, above=above)
    assert time.proved
    value = sp.N(time.between(sp.Rational(repr(a0)), sp.Rational(repr(a1))), 20)
    assert abs(value - quadrature(depth, s, a0, a1)) < 1e-15 * (1 + abs(value))


@pytest.mark.parametrize("depth", [3, 4, 6, 8])
@pytest.mark.parametrize("above", [False, True])
def test_elementary_and_hypergeometric_times_are_equal(depth, above):
    ends = (sp.Rational(5), sp.Rational(7, 2)) if above else (sp.Rational(1, 9), sp.Rational(5, 2))
    first = mode_time(depth, 3, above=above)
    second = mode_time(depth, 3, above=above, elementary=False)
    assert (first.elementary, second.elementary) == (True, False)
    assert abs(sp.N(first.between(*ends) - second.between(*ends), 30)) < 1e-25


def test_the_symbolic_depth_is_that_of_integers():
    general = mode_time("L")
    assert general.proved
    assert general.conditions == ("L > 2",)
    time = general.expression
    for depth in (3, 5):
        special = mode_time(depth, elementary=False)
        values = {special.x: sp.Rational(1, 3), sp.Symbol("s", positive=True): sp.Integer(2)}
        gap = time.xreplace({L: sp.Integer(depth)}).xreplace(values)
        assert abs(sp.N(gap - special.expression.xreplace(values), 25)) < 1e-20


@pytest.mark.parametrize("depth", [3, 5, 9])
def test_escape_is_the_leading_term(depth):
    time = mode_time(depth, 2)
    ratios = []
    for small in (sp.Rational(1, 100), sp.Rational(1, 10000)):
        x0 = small ** sp.Rational(1, depth)
        total = sp.N(time.between(small, 1), 20)
        ratios.append(abs(total / time.escape.xreplace({time.x: x0}) - 1))
    assert ratios[1] < ratios[0] / 2


def test_times_of_depth_five_agree_with_an_integrated_mode():
    with mp.workdps(20):
        solution = mp.odefun(lambda t, x: x**4 * (2 - x**5), 0, mp.mpf("0.6"))
        t = mp.mpf(2)
        a0, a1 = sp.Rational(6, 10) ** 5, sp.Float(str(solution(t) ** 5), 18)
    found = mode_time(5, 2).between(a0, sp.Rational(str(a1)))
    assert abs(sp.N(found, 15) - 2) < 1e-9


# -- explicit solutions ----------------------------------------------------------------------------


def integrated(rate, a0, t):
    with mp.workdps(20):
        return mp.odefun(lambda _, a: rate(a), 0, mp.mpf(a0))(mp.mpf(t))


@pytest.mark.parametrize(
    ("s", "start", "options", "rate"),
    [
        (3, 0.25, {}, lambda a: 2 * a * (3 - a)),
        (1, 4, {}, lambda a: 2 * a * (1 - a)),
        (0, 2, {}, lambda a: -2 * a * a),
        (1, 0.5, {"lam": 0.25}, lambda a: 2 * a * (1 - a) - a),
        (1, 0.5, {"lam": 0.5}, lambda a: 2 * a * (1 - a) - 2 * a),
        (1, 0.5, {"lam": 2}, lambda a: 2 * a * (1 - a) - 8 * a),
        (2, 0, {"imbalance": 1.5}, lambda a: mp.sqrt(2.25 + 4 * a * a) * (2 - a)),
        (2, -3, {"imbalance": -0.5}, lambda a: mp.sqrt(0.25 + 4 * a * a) * (2 - a)),
        (2, 6, {"imbalance": 4}, lambda a: mp.sqrt(16 + 4 * a * a) * (2 - a)),
        (0, 1, {"imbalance": 4}, lambda a: mp.sqrt(16 + 4 * a * a) * (0 - a)),
        (2, -1, {"depth": 1, "lam": 0.5}, lambda a: 2 - a - a),
    ],
)
def test_solutions_agree_with_mpmath(s, start, options, rate):
    mode = mode_solution(s, start, **options)
    for t in (0.3, 1.0):
        exact = integrated(rate, start, t)
        assert abs(sp.N(mode.at(t), 20) - exact) < 1e-12 * (1 + abs(exact))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lam": "lam"},
        {"imbalance": sp.Symbol("c", real=True)},
        {"imbalance": -3},
        {"depth": 1, "lam": "lam"},
        {"s": 1, "lam": sp.Rational(1, 2)},
        {"s": 0},
    ],
    ids=str,
)
def test_solutions_are_proved_and_forged_ones_are_not(options):
    mode = mode_solution(**options)
    assert mode.derivation.identities_proved
    wrong = dataclasses.replace(mode, expression=mode.expression * (1 + sp.Rational(1, 10**9)))
    assert not wrong.derivation.identities_proved


@settings(max_examples=15)
@given(
    st.fractions("1/10", 5, max_denominator=30),
    st.fractions("1/10", 5, max_denominator=30),
    st.fractions("-3", 3, max_denominator=30).filter(bool),
    st.fractions("-3", 3, max_denominator=30),
)
def test_unbalanced_solution_is_that_of_both_layers(s, t, w1, w2):
    c, a0 = w2**2 - w1**2, w1 * w2
    if c == 0:
        return
    value = sp.N(mode_solution(s, a0, imbalance=c).at(t / 5), 20)
    with mp.workdps(20):
        start = [mp.mpf(w.numerator) / w.denominator for w in (w1, w2)]
        target = mp.mpf(s.numerator) / s.denominator
        flow = mp.odefun(
            lambda _, w: [(target - w[0] * w[1]) * w[1], (target - w[0] * w[1]) * w[0]], 0, start
        )
        end = flow(mp.mpf(t.numerator) / t.denominator / 5)
        assert abs(value - end[0] * end[1]) < 1e-9


def test_half_time_is_that_of_half_the_limit():
    mode = mode_solution(3, sp.Rational(1, 50), lam=sp.Rational(1, 4))
    assert is_zero(mode.at(mode.half_time) - sp.Rational(5, 4)).proved
    with pytest.raises(DomainError, match="beyond half"):
        _ = mode_solution(1, sp.Rational(3, 4)).half_time
    with pytest.raises(NotClosedForm):
        _ = mode_solution(1, 1, imbalance=1).half_time


def test_plateaus_of_two_and_three_layers():
    two, three = plateaus([4, 3, 2, 1, 0]), plateaus([4, 3, 2, 1, 0], depth=3)
    assert [float(p.loss) for p in two] == [15, 7, 2.5, 0.5, 0]
    assert [p.curvature for p in two] == [-4, -3, -2, -1, 0]
    assert [p.strict for p in two] == [True] * 4 + [False]
    assert [p.order for p in three] == [3, 3, 3, 3, 0]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: mode_equation(0), AssumptionError, "depth >= 1"),
        (lambda: mode_equation(2, s=-1), AssumptionError, "s >= 0"),
        (lambda: mode_equation(2, lam=-1), AssumptionError, "lam >= 0"),
        (lambda: mode_equation(True), FormulaError, "depth"),
        (lambda: mode_time(3, -1), AssumptionError, "s >= 0"),
        (lambda: mode_time(3, sp.Symbol("s", nonnegative=True)), AssumptionError, "s > 0"),
        (lambda: mode_time(3, 2).between(1, 3), DomainError, "below s = 2"),
        (lambda: mode_time(3, 2, above=True).between(3, 1), DomainError, "above s = 2"),
        (lambda: mode_time(3, 2).between(0, 1), AssumptionError, "start > 0"),
        (lambda: mode_time(2).escape, DomainError, "above 2"),
        (lambda: mode_solution(depth=3), NotClosedForm, "mode_time"),
        (lambda: mode_solution(depth="L"), NotClosedForm, "mode_time"),
        (lambda: mode_solution(1, 0), AssumptionError, "start > 0"),
        (lambda: mode_solution(1, 1, lam=1, imbalance=1), NotClosedForm, "without decay"),
        (lambda: mode_solution(1, 1, imbalance=sp.I), AssumptionError, "real imbalance"),
        (lambda: mode_solution(1, 1).at(-1), AssumptionError, "t >= 0"),
        (lambda: plateaus([1, 2]), Exception, "decreasing"),
        (lambda: plateaus([1], depth="L"), FormulaError, "integer depth"),
    ],
)
def test_bad_calls_name_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()
