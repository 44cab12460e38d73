import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.errors import DomainError, InfeasibleTarget, NotClosedForm
from theory.flow import links, losses
from theory.flow.conditions import target_predictor, theory_conditions

z, y = links.PREDICTOR, losses.TARGET
STAR = "q'(z) (z - z*) > 0 for z != z*"
CONVEX = "q is convex (not required)"
CURVED = "q''(z*) > 0"
POLYAK = "q'(z)**2 >= 2 m (q(z) - q(z*)) for some m > 0"
FINITE = "the loss is finite at every mean h(z)"

COVERED = [
    ("squared", "identity"),
    ("squared", "logistic"),
    ("squared", "tanh"),
    ("squared", "softplus"),
    ("squared", "probit"),
    ("cross_entropy", "logistic"),
    ("cross_entropy", "probit"),
    ("poisson", "exp"),
    ("poisson", "softplus"),
    ("log_cosh", "identity"),
    ("huber", "identity"),
    ("quartic", "identity"),
]


def verdicts(loss, link):
    return {c.claim: c.verdict for c in theory_conditions(loss, link)}


@pytest.mark.parametrize(("loss", "link"), COVERED)
def test_star_convexity_is_proved_for_the_pairs_of_the_theory(loss, link):
    found = verdicts(losses.BUILDERS[loss](), links.BUILDERS[link]())
    assert found[STAR].proved
    assert found[FINITE].proved


@pytest.mark.parametrize(("loss", "link"), COVERED)
@given(
    st.fractions(min_value="1/10", max_value="9/10", max_denominator=20),
    st.fractions(min_value=-3, max_value=3, max_denominator=20),
)
def test_proved_star_convexity_holds_at_drawn_points(loss, link, target, point):
    pair = losses.BUILDERS[loss](), links.BUILDERS[link]()
    star = sp.N(target_predictor(*pair, sp.Rational(str(target))), 30)
    here = sp.Rational(str(point))
    slope = pair[0].gradient_in_predictor(pair[1]).subs({y: sp.Rational(str(target)), z: here})
    if abs(star - here) > 1e-6:
        assert sp.N(slope, 30) * (here - star) > 0


@pytest.mark.parametrize(
    ("loss", "link", "status"),
    [
        ("squared", "identity", "PROVED"),
        ("cross_entropy", "logistic", "PROVED"),
        ("poisson", "exp", "PROVED"),
        ("log_cosh", "identity", "PROVED"),
        ("huber", "identity", "PROVED"),
        ("quartic", "identity", "PROVED"),
        ("squared", "logistic", "REFUTED"),
        ("squared", "tanh", "REFUTED"),
        ("squared", "exp", "REFUTED"),
    ],
)
def test_convexity_is_told_apart_from_star_convexity(loss, link, status):
    found = verdicts(losses.BUILDERS[loss](), links.BUILDERS[link]())
    assert found[CONVEX].status == status


def test_witness_against_convexity_has_negative_curvature():
    pair = losses.squared(), links.logistic()
    witness = verdicts(*pair)[CONVEX].witness
    point = {z: sp.Rational(witness["z"]), y: sp.Rational(witness["y"])}
    curvature = sp.diff(pair[0].at_predictor(pair[1]), z, 2)
    assert sp.N(curvature.subs(point), 40) < 0


def test_quartic_loss_converges_more_slowly_than_exponentially():
    assert verdicts(losses.quartic(), links.identity())[CURVED].refuted


def test_squared_loss_satisfies_the_polyak_lojasiewicz_inequality():
    assert verdicts(losses.squared(), links.identity())[POLYAK].proved


@pytest.mark.parametrize("link", ["identity", "exp", "tanh"])
def test_mean_outside_of_the_domain_of_the_loss_is_a_witness(link):
    found = verdicts(losses.cross_entropy(), links.BUILDERS[link]())[FINITE]
    assert found.refuted
    mean = sp.Rational(found.witness["mu"])
    assert links.BUILDERS[link]().contains(mean) and not 0 < mean < 1


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_margin_loss_has_no_minimizer_and_says_what_happens_instead(loss):
    loss = losses.BUILDERS[loss]()
    found = verdicts(loss, links.identity())
    assert found["the minimizer z* exists and is unique"].refuted
    assert found[CONVEX].proved
    with pytest.raises(DomainError, match="maximal margin"):
        target_predictor(loss, links.identity(), 1)


def test_link_with_a_stationary_point_is_not_star_convex():
    found = verdicts(losses.squared(), links.custom("z**3"))
    assert found[STAR].refuted and found[STAR].witness == {"z": "0"}


def test_custom_loss_that_is_not_finite_everywhere_is_not_proved_finite():
    loss = losses.custom("mu - y*log(mu)")
    assert not verdicts(loss, links.identity())[FINITE].proved


def test_custom_loss_named_like_a_built_one_gets_no_credit_for_it():
    loss = losses.custom("-(mu - y)**4", name="quartic")
    found = verdicts(loss, links.identity())
    assert not found[CONVEX].proved and not found[STAR].proved


def test_decreasing_link_is_star_convex_too():
    assert verdicts(losses.squared(), links.custom("exp(-z)"))[STAR].proved


@pytest.mark.parametrize(
    ("loss", "link", "target", "expected"),
    [
        ("squared", "identity", "3/2", sp.Rational(3, 2)),
        ("squared", "tanh", 0.5, sp.atanh(sp.Rational(1, 2))),
        ("cross_entropy", "logistic", "1/4", -sp.log(3)),
        ("poisson", "exp", 5, sp.log(5)),
        ("poisson", "softplus", 1, sp.log(sp.E - 1)),
    ],
)
def test_target_predictor_is_exact(loss, link, target, expected):
    pair = losses.BUILDERS[loss](), links.BUILDERS[link]()
    assert target_predictor(*pair, target) == expected


@pytest.mark.parametrize(
    ("loss", "link", "target", "error"),
    [
        ("cross_entropy", "logistic", 1, InfeasibleTarget),
        ("cross_entropy", "logistic", 2, DomainError),
        ("poisson", "exp", 0, InfeasibleTarget),
        ("poisson", "exp", -1, DomainError),
        ("squared", "tanh", 1, InfeasibleTarget),
        ("logistic", "identity", 0, DomainError),
    ],
)
def test_target_without_a_predictor_is_refused(loss, link, target, error):
    with pytest.raises(error):
        target_predictor(losses.BUILDERS[loss](), links.BUILDERS[link](), target)


def test_unknown_minimizer_is_said_to_be_unknown():
    with pytest.raises(NotClosedForm, match="numerically"):
        target_predictor(losses.custom("(mu - 2*y)**2"), links.identity(), 1)
