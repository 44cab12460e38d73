"""Verdicts on statements: what is true is never refuted, what is false never proved."""

import pytest
import sympy as sp

import theory as th
from theory.claims.prove import _by_constant
from theory.claims.statement import read_statement
from theory.errors import AssumptionError, DomainError, FormulaError, UnknownName

TRUE = [
    ("sin(x)**2 + cos(x)**2 == 1", {}),
    ("log(x**2) == 2*log(x)", {"x": "positive"}),
    ("asinh(t) - log(t + sqrt(t**2 + 1))", {"t": "real"}),
    ("cosh(x) >= 1", {}),
    ("exp(x) >= 1 + x", {}),
    ("x**2 + y**2 >= 2*x*y", {}),
    ("log(1 + x) <= x", {"x": "positive"}),
    ("tanh(x) < 1", {}),
    ("x**2 + 1 != 0", {}),
    ("x > 1", {"x": "(2, oo)"}),
    ("x/(1 + x**2) <= 1/2", {}),
    ("sqrt(2) + sqrt(3) == sqrt(5 + 2*sqrt(6))", {}),
]
FALSE = [
    ("log(x**2) == 2*log(x)", {}, "-1"),
    ("sqrt(x**2) == x", {}, None),
    ("cosh(x) > 1", {}, "0"),
    ("x**2 > 0", {}, "0"),
    ("x != 0", {}, "0"),
    ("1/x > 0", {}, None),
    ("exp(x) < 10**40", {}, None),
    ("x < 100000", {}, None),
    ("sqrt(x) > 0", {}, "0"),
    ("x**3 >= 0", {}, None),
]
# false, or touching zero at a point that is not a simple number: PROVED would be wrong
NOT_PROVED = [
    "sqrt(x - 7/5) > 0",
    "abs(x - 7/5) > 0",
    "(x**2 - 2)**2 > 0",
    "(x - 7/5)**(2/3) > 0",
    "asinh(x - 7/5) != 0",
    "tanh(x - 1000) < 1/2",
    "log(1 + (x - 7/5)**2) > 0",
    "sqrt(x**2 + y**2 - 7/5) > 0",
    "cosh(x - 7/5) > 1",
]


@pytest.mark.parametrize(("statement", "assume"), TRUE, ids=[s for s, _ in TRUE])
def test_true_statement_is_proved(statement, assume):
    assert th.prove(statement, assume=assume).status is th.Status.PROVED


@pytest.mark.parametrize(("statement", "assume", "witness"), FALSE, ids=[s for s, *_ in FALSE])
def test_false_statement_is_refuted_by_an_exact_point(statement, assume, witness):
    verdict = th.prove(statement, assume=assume)
    assert verdict.status is th.Status.REFUTED
    assert all(sp.Rational(value).is_Rational for value in verdict.witness.values())
    if witness is not None:
        assert verdict.witness == {"x": witness}


@pytest.mark.parametrize("statement", NOT_PROVED)
def test_false_statement_is_never_proved(statement):
    assert not th.prove(statement).proved


def test_domain_restricts_the_witness():
    assert th.prove("1 - x**2 > 0").refuted
    assert th.prove("1 - x**2 > 0", domain="(x > -1) & (x < 1)").proved
    assert th.prove("1 - x*y > 0", domain="x*y < 1").proved
    verdict = th.prove("abs(x) == x", domain="x**2 - x > 2")
    assert verdict.refuted and sp.Rational(verdict.witness["x"]) < -1


def test_relation_of_sympy_is_accepted():
    x = sp.Symbol("x", real=True)
    assert th.prove(sp.Ge(sp.cosh(x), 1, evaluate=False)).proved
    assert th.prove(sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1).proved


def test_a_pole_becomes_a_condition():
    assert th.prove("(x**2 - 1)/(x - 1) == x + 1").conditions == ("both sides are defined",)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: th.prove(True), FormulaError),
        (lambda: th.prove("x == x", assume={"y": "real"}), UnknownName),
        (lambda: th.prove("x == x", assume={"x": "green"}), AssumptionError),
        (lambda: th.prove("x == x", assume="x real"), AssumptionError),
        (lambda: th.prove("x == x", domain="(x > 1) & (x < 0)"), AssumptionError),
        (lambda: th.prove("x == x", domain="x**2"), FormulaError),
        (lambda: th.prove(sp.I), FormulaError),
        (lambda: th.prove(3), FormulaError),
        (lambda: th.convex("log(x)"), DomainError),
        (lambda: th.convex("3"), FormulaError),
        (lambda: th.monotone("x", direction="up"), FormulaError),
        (lambda: th.conserved("u", "flow"), FormulaError),
    ],
)
def test_bad_question_is_an_error(call, error):
    with pytest.raises(error):
        call()


def test_closed_ends_belong_to_the_domain():
    assert th.prove("x > 0", assume={"x": "[0, 1]"}).witness == {"x": "0"}
    assert th.prove("x < 1", assume={"x": "[0, 1]"}).witness == {"x": "1"}
    assert th.prove("x >= 0", assume={"x": "[0, 1)"}).proved
    assert th.prove("x < 1", assume={"x": "[0, 1)"}).proved
    assert th.prove("sign(x) == 1", assume={"x": "nonnegative"}).witness == {"x": "0"}
    assert th.prove("x > 1/2", domain="x >= 1").proved
    assert th.prove("x > 1", domain="x >= 1").witness == {"x": "1"}
    assert th.prove("x > 1", domain="(x >= 1) & (x > 1)").proved
    assert th.prove("x*y > 0", domain="(x >= 1) & (y >= 1)").proved
    assert th.prove("x*y > 1", domain="(x >= 1) & (y >= 1)").witness == {"x": "1", "y": "1"}
    assert th.prove("x + y > 0", domain="x + y >= 1").proved


@pytest.mark.parametrize(
    ("typed", "witness"),
    [
        ("exp(log(x)) == x", {"x": "-1"}),
        ("sqrt(x)**2 == x", {"x": "-1"}),
        ("log(x) - log(x) == 0", {"x": "-1"}),
        ("sin(asin(x)) == x", {"x": "2"}),
        ("log(x, x) == 1", {"x": "-1"}),
        ("log(1, x) == 0", {"x": "-1"}),
    ],
)
def test_what_sympy_cancels_still_limits_the_domain_of_the_typed_side(typed, witness):
    verdict = th.prove(typed)
    assert verdict.refuted
    assert verdict.witness == witness


def test_a_logarithm_whose_base_may_be_one_keeps_its_condition():
    # log(1)/log(1) is 0/0
    assert th.prove("log(x, x) > 0", {"x": "positive"}).conditions == ("both sides are defined",)
    assert th.prove("log(x, x) > 0", {"x": "(1, oo)"}).conditions == ()


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        # 0/0 at x = y = 0 alone, a point of the closed end
        ("(x + y**2)/(x + y**2) == 1", "x >= 0"),
        ("y**2/(x + y**2) <= 1", "x >= 0"),
        # the end x = 0 has no value at all, for one side or for both
        ("log(x) == 2*log(sqrt(x))", "x >= 0"),
        ("x**(-y**2 - 1)*x == x**(-y**2)", "x >= 0"),
        ("log(x)/log(x) + y/y == 2", "(x >= 0) & (y >= 0)"),
    ],
)
def test_a_closed_end_without_a_value_becomes_a_condition_named_once(typed, domain):
    verdict = th.prove(typed, domain=domain)
    assert verdict.proved
    assert verdict.conditions == ("both sides are defined",)


@pytest.mark.parametrize("typed", ["x/x == 1", "x**2/x == x", "x/x > 0", "1/x*x*y == y"])
def test_a_cancelled_denominator_remains_a_condition(typed):
    verdict = th.prove(typed)
    assert verdict.proved
    assert verdict.conditions == ("both sides are defined",)
    assert th.prove(typed, {"x": "positive"}).conditions == ()


@pytest.mark.parametrize("interval", ["(0, 1", "0, 1)", "((0, 1)", "[0, 1"])
def test_an_interval_with_one_bracket_missing_is_refused(interval):
    with pytest.raises(th.errors.AssumptionError):
        th.prove("x == x", {"x": interval})


@pytest.mark.parametrize(
    ("typed", "assume"),
    [
        ("x - 1 - log(x) >= 0", {"x": "positive"}),
        ("x > log(1 + x)", {"x": "positive"}),
        ("x > tanh(x)", {"x": "positive"}),
        ("x >= sin(x)", {"x": "positive"}),
        ("log(1 + exp(x)) > x", {}),
        ("x + 1/x >= 2", {"x": "positive"}),
        ("x**2 + x*y + y**2 >= 0", {}),
        ("x**2 + y**2 + z**2 >= x*y + y*z + z*x", {}),
        ("exp(x) > 1 + x - 1e-7", {}),
        ("sinh(x)**2 + 1 >= cosh(x)**2", {}),
        ("sinh(x)**2 + 1 > cosh(x)**2 - 1e-250", {}),
    ],
)
def test_inequalities_that_touch_zero_or_nearly_do(typed, assume):
    assert th.prove(typed, assume=assume).proved


@pytest.mark.parametrize(
    ("typed", "assume"),
    [
        ("x - 1 - log(x) > 0", {"x": "positive"}),
        ("x**2 + 3*x*y + y**2 >= 0", {}),
        ("x + 1/x > 2", {"x": "positive"}),
        ("exp(x) > 1 + x + 1e-250", {}),
        ("1 - cos(x) > 0", {}),
        ("2 - 3*sin(x) >= 0", {}),
        ("log(1 + exp(x)) > x + 1e-3", {}),
    ],
)
def test_inequalities_that_fail_at_one_point_or_by_little_are_not_proved(typed, assume):
    assert not th.prove(typed, assume=assume).proved


@pytest.mark.parametrize(
    ("typed", "holds"),
    [
        ("sinh(x)**2 + 1 >= cosh(x)**2", True),
        ("sinh(x)**2 + 1 > cosh(x)**2 - 1/7", True),
        ("sinh(x)**2 + 1 > cosh(x)**2", False),
        ("sinh(x)**2 + 1 >= cosh(x)**2 + 1/7", False),
        ("sinh(x)**2 + 1 >= cosh(x)", False),
    ],
)
def test_a_constant_difference_proves_only_what_its_sign_says(typed, holds):
    # asked alone: in `prove` the search for a counterexample comes first
    assert (_by_constant(read_statement(typed)) is not None) is holds
