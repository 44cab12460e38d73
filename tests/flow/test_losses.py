import mpmath
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.errors import AssumptionError, DomainError, FormulaError
from theory.flow import links, losses

z, mu, y = links.PREDICTOR, links.MEAN, losses.TARGET
MEAN_LOSSES = [n for n, b in losses.BUILDERS.items() if b().on == "mean"]
MARGIN_LOSSES = ["logistic", "exponential"]

# typed by hand
DEFINITION = {
    "squared": lambda m, t: (m - t) ** 2 / 2,
    "cross_entropy": lambda m, t: -t * mpmath.log(m) - (1 - t) * mpmath.log(1 - m),
    "logistic": lambda m, t: mpmath.log(1 + mpmath.exp(-t * m)),
    "exponential": lambda m, t: mpmath.exp(-t * m),
    "poisson": lambda m, t: m - t * mpmath.log(m),
    "log_cosh": lambda m, t: mpmath.log(mpmath.cosh(m - t)),
    "huber": lambda m, t: (m - t) ** 2 / 2 if abs(m - t) <= 1 else abs(m - t) - mpmath.mpf(1) / 2,
    "quartic": lambda m, t: (m - t) ** 4 / 4,
}
UNIT = st.fractions(min_value="1/20", max_value="19/20", max_denominator=40)
WIDE = st.fractions(min_value=-6, max_value=6, max_denominator=40)
POSITIVE = st.fractions(min_value="1/10", max_value=6, max_denominator=40)
DRAWN = {"cross_entropy": (UNIT, UNIT), "poisson": (POSITIVE, POSITIVE)}
DRAWN |= dict.fromkeys(MARGIN_LOSSES, (WIDE, st.sampled_from([-1, 1])))


def number(e):
    return mpmath.mpf(sp.N(e, 30))


@pytest.mark.parametrize("name", losses.BUILDERS)
@given(st.data())
def test_loss_and_derivative_agree_with_the_definition(name, data):
    predictions, targets = DRAWN.get(name, (WIDE, WIDE))
    m = sp.Rational(str(data.draw(predictions)))
    t = sp.Rational(str(data.draw(targets)))
    loss = losses.BUILDERS[name]()
    at = {loss.prediction: m, loss.target: t}
    with mpmath.workdps(40):
        exact = DEFINITION[name](mpmath.mpf(m.p) / m.q, mpmath.mpf(t.p) / t.q)
        assert abs(number(loss.formula.subs(at)) - exact) < mpmath.mpf(10) ** -25
        step = mpmath.mpf(10) ** -12
        slope = mpmath.diff(
            lambda s: DEFINITION[name](s, mpmath.mpf(t.p) / t.q),
            mpmath.mpf(m.p) / m.q,
            h=step,
        )
        assert abs(number(loss.derivative().subs(at)) - slope) < mpmath.mpf(10) ** -10


@pytest.mark.parametrize("name", [n for n in MEAN_LOSSES if losses.BUILDERS[n]().weight])
def test_weight_times_residual_is_the_derivative(name):
    loss = losses.BUILDERS[name]()
    difference = sp.diff(loss.formula, mu) - (mu - y) * loss.weight
    assert sp.cancel(sp.together(difference)) == 0


def _defined_together():
    """Pairs of a loss and a link whose means the loss accepts."""
    return [
        (name, link)
        for name in losses.BUILDERS
        for link in links.BUILDERS
        if not (name in ("cross_entropy", "poisson") and links.BUILDERS[link]().lower == -sp.oo)
    ]


@pytest.mark.parametrize(("name", "link"), _defined_together())
def test_gradient_in_the_predictor_is_the_derivative_of_the_composition(name, link):
    loss, h = losses.BUILDERS[name](), links.BUILDERS[link]()
    at = {z: sp.Rational(2, 7), y: 1 if name in MARGIN_LOSSES else sp.Rational(3, 5)}
    with mpmath.workdps(40):
        composed = sp.lambdify((z, y), loss.at_predictor(h), "mpmath")
        slope = mpmath.diff(
            lambda s: composed(s, mpmath.mpf(at[y].p) / at[y].q if at[y] != 1 else 1),
            mpmath.mpf(2) / 7,
        )
        value = number(loss.gradient_in_predictor(h).subs(at)) if name != "cross_entropy" else None
        if value is None:
            if h.range != (0, 1):
                return
            value = number(loss.gradient_in_predictor(h).subs(at))
        assert abs(value - slope) < mpmath.mpf(10) ** -15


@pytest.mark.parametrize(
    ("name", "link", "expected"),
    [
        ("squared", "identity", z - y),
        ("cross_entropy", "logistic", 1 / (1 + sp.exp(-z)) - y),
        ("poisson", "exp", sp.exp(z) - y),
    ],
)
def test_canonical_pair_has_the_residual_as_its_gradient(name, link, expected):
    loss, h = losses.BUILDERS[name](), links.BUILDERS[link]()
    assert loss.gradient_in_predictor(h) == expected


@pytest.mark.parametrize("name", MEAN_LOSSES)
def test_mean_loss_is_smallest_at_the_target(name):
    loss = losses.BUILDERS[name]()
    assert loss.best == y and loss.minimizer == "mu = y"
    assert losses.residual_sign(loss).proved


@pytest.mark.parametrize("name", MARGIN_LOSSES)
def test_margin_loss_has_no_finite_minimizer(name):
    loss = losses.BUILDERS[name]()
    assert loss.best is None and "infinity" in loss.minimizer
    assert loss.on == "predictor"


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("cross_entropy", [0, "1/2", 1], [-0.1, 2]),
        ("poisson", [0, 7], [-1]),
        ("logistic", [-1, 1], [0, 2]),
        ("squared", [-1e9, 0], []),
    ],
)
def test_targets_are_those_that_the_loss_is_made_for(name, inside, outside):
    targets = losses.BUILDERS[name]().targets
    assert all(targets.contains(t) is True for t in inside)
    assert all(targets.contains(t) is False for t in outside)


def test_huber_derivative_is_continuous_at_its_width():
    loss = losses.huber("3/2")
    slope = loss.derivative()
    assert slope.subs({mu: sp.Rational(3, 2), y: 0}) == sp.Rational(3, 2)
    assert slope.subs({mu: 10, y: 0}) == sp.Rational(3, 2)
    assert slope.subs({mu: -10, y: 0}) == sp.Rational(-3, 2)


@pytest.mark.parametrize("delta", [0, -1, "-1/2"])
def test_huber_refuses_a_width_that_is_not_positive(delta):
    with pytest.raises(AssumptionError, match="delta > 0"):
        losses.huber(delta)


@pytest.mark.parametrize(
    ("formula", "best"),
    [
        ("sqrt(1 + (mu - y)**2) - 1", y),
        ("cosh(mu - y)", y),
        ("(mu - y)**2", y),
        ("(mu - y)**6", y),
        ("-(mu - y)**2", None),
        ("(mu - 2*y)**2", None),
        ("(mu - y)**2*(mu - y - 1)**2", None),
    ],
)
def test_minimizer_of_a_custom_loss_is_named_only_when_it_is_proved(formula, best):
    assert losses.custom(formula).best == best


def test_custom_poisson_loss_is_the_built_one_on_its_domain():
    loss = losses.custom("m - t*log(m)", prediction="m", target="t", domain=(0, sp.oo))
    assert loss.formula == losses.poisson().formula
    assert loss.best == y


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("abs(mu - y)", {}),
        ("max(0, 1 - y*mu)", {}),
        ("y**2", {}),
        ("mu +", {}),
        (7, {}),
        ("mu", {"on": "both"}),
        ("mu", {"target": "mu"}),
        ("a*mu", {}),
    ],
)
def test_bad_custom_loss_is_refused(formula, options):
    with pytest.raises(FormulaError):
        losses.custom(formula, **options)


def test_kink_is_told_apart_from_a_differentiable_power_of_the_modulus():
    assert losses.custom("abs(mu - y)**3").derivative().subs({mu: 3, y: 1}) == 12


def test_empty_interval_is_refused():
    with pytest.raises(DomainError, match="lower < upper"):
        losses.custom("(mu - y)**2", targets=(1, 0))
