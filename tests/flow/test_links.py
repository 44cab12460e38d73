import mpmath
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.errors import (
    AssumptionError,
    DomainError,
    FormulaError,
    InfeasibleTarget,
    NotClosedForm,
)
from theory.flow import links

z, mu = links.PREDICTOR, links.MEAN
BUILT = list(links.BUILDERS)

# typed by hand: value at 1/2 and the range
REFERENCE = {
    "identity": (lambda t: t, "-oo", "oo"),
    "logistic": (lambda t: 1 / (1 + mpmath.exp(-t)), "0", "1"),
    "exp": (mpmath.exp, "0", "oo"),
    "softplus": (lambda t: mpmath.log1p(mpmath.exp(t)), "0", "oo"),
    "tanh": (mpmath.tanh, "-1", "1"),
    "probit": (mpmath.ncdf, "0", "1"),
}
SAME_AS_BUILT = {
    "identity": "z",
    "logistic": "1/(1 + exp(-z))",
    "exp": "exp(z)",
    "softplus": "log(1 + exp(z))",
    "tanh": "tanh(z)",
    "probit": "(1 + erf(z/sqrt(2)))/2",
}


@pytest.mark.parametrize("name", BUILT)
@pytest.mark.parametrize("point", ["-3", "-0.5", "0", "0.25", "4"])
def test_built_link_has_the_value_of_its_definition(name, point):
    value = links.BUILDERS[name]().mean(point)
    with mpmath.workdps(30):
        expected = REFERENCE[name][0](mpmath.mpf(point))
        assert abs(mpmath.mpf(sp.N(value, 30)) - expected) < mpmath.mpf(10) ** -25


@pytest.mark.parametrize("name", BUILT)
def test_built_link_maps_onto_its_stated_range(name):
    lower, upper = links.BUILDERS[name]().range
    assert (str(lower), str(upper)) == REFERENCE[name][1:]


@pytest.mark.parametrize("name", BUILT)
def test_range_and_verdicts_derived_from_the_formula_agree_with_the_built_link(name):
    derived, built = links.custom(SAME_AS_BUILT[name]), links.BUILDERS[name]()
    assert derived.range == built.range
    assert derived.monotone.proved and derived.regular.proved
    assert derived.formula == built.formula


@pytest.mark.parametrize("name", BUILT)
@given(st.fractions(min_value=-4, max_value=4, max_denominator=50))
def test_inverse_takes_the_mean_back_to_the_predictor(name, point):
    link = links.BUILDERS[name]()
    with mpmath.workdps(40):
        # the mean is rounded, so that no simplification can cancel function and inverse
        mean = sp.Rational(str(sp.N(link.mean(sp.Rational(str(point))), 40)))
        back = mpmath.mpf(sp.N(link.predictor(mean), 30))
        expected = mpmath.mpf(point.numerator) / point.denominator
        assert abs(back - expected) < mpmath.mpf(10) ** -25


@pytest.mark.parametrize("name", [n for n in BUILT if n != "probit"])
def test_slope_in_the_mean_is_the_derivative(name):
    link = links.BUILDERS[name]()
    difference = link.slope.xreplace({mu: link.formula}) - link.derivative()
    for point in ("-2", "1/3", "5/2"):
        assert abs(sp.N(difference.subs(z, sp.Rational(point)), 30)) < 1e-25


CUSTOM = {
    "z + sqrt(1 + z**2)": (0, sp.oo),
    "exp(-exp(-z))": (0, 1),
    "1 - exp(-exp(z))": (0, 1),
    "atan(z)": (-sp.pi / 2, sp.pi / 2),
    "2 - 3*z": (-sp.oo, sp.oo),
    "z**3 + z": (-sp.oo, sp.oo),
    "z + sin(z)/2": (-sp.oo, sp.oo),
    "z + sin(z)": (-sp.oo, sp.oo),
    "max(z, z/10)": (-sp.oo, sp.oo),
    "exp(-z)": (0, sp.oo),
    "z + tanh(z)": (-sp.oo, sp.oo),
}


@pytest.mark.parametrize("formula", CUSTOM)
def test_custom_link_is_proved_monotone_with_its_range(formula):
    link = links.custom(formula)
    assert link.monotone.proved
    assert link.range == CUSTOM[formula]


def test_cubic_link_is_monotone_but_not_regular_and_its_half_inverse_is_not_believed():
    link = links.custom("z**3")
    assert link.monotone.proved
    assert link.regular.refuted and link.regular.witness == {"z": "0"}
    assert link.inverse is None or abs(sp.N(link.predictor(-8)) + 2) < 1e-12


@pytest.mark.parametrize("formula", ["z*abs(z)", "z/(1 + abs(z))", "cbrt(z)"])
def test_what_cannot_be_decided_is_undecided(formula):
    assert links.custom(formula).monotone.undecided


@pytest.mark.parametrize(
    ("formula", "fragment"),
    [
        ("z**2", "strictly monotone"),
        ("max(z, 0)", "values there are equal"),
        ("sin(z)", "the other way"),
        ("tan(z)", "the other way"),
        ("z**3 - z/1000", "the other way"),
        ("z - sin(10*z)/5", "the other way"),
        ("log(z)", "defined on all of R"),
        ("sqrt(z)", "defined on all of R"),
        ("1/z", "defined on all of R"),
    ],
)
def test_formula_that_is_no_link_is_refused_with_a_witness(formula, fragment):
    with pytest.raises(DomainError, match=fragment):
        links.custom(formula)


@pytest.mark.parametrize("formula", ["1", "b", 3, None, "z +"])
def test_formula_without_the_variable_is_refused(formula):
    with pytest.raises(FormulaError):
        links.custom(formula)


def test_constants_of_a_link_are_declared():
    b = sp.Symbol("b", positive=True)
    assert links.custom("exp(b*z)", assume={"b": "positive"}).inverse == sp.log(mu) / b
    with pytest.raises(AssumptionError, match="declare it"):
        links.custom(sp.Symbol("c") * z)


def test_users_own_symbol_is_the_variable():
    s = sp.Symbol("s", real=True)
    assert links.custom(sp.tanh(s), symbol=s).formula == sp.tanh(z)


@pytest.mark.parametrize(
    ("name", "mean"), [("logistic", 1), ("logistic", "-1/2"), ("tanh", 2), ("exp", 0)]
)
def test_mean_outside_of_the_range_is_infeasible(name, mean):
    with pytest.raises(InfeasibleTarget, match="range"):
        links.BUILDERS[name]().predictor(mean)


def test_missing_inverse_is_said_to_be_missing():
    with pytest.raises(NotClosedForm, match="numerically"):
        links.custom("z + sin(z)/2").predictor(1)


def test_float_is_read_as_the_decimal_that_it_prints_as():
    assert links.exact_number(0.1) == sp.Rational(1, 10)
    with pytest.raises(DomainError):
        links.exact_number(float("nan"))
    with pytest.raises(FormulaError):
        links.exact_number([1])
