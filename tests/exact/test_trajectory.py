"""Containment of exact solutions, evaluated with more digits, in the enclosures of the flow."""

from __future__ import annotations

import random
from fractions import Fraction

import flint
import pytest
import sympy as sp
from flint import arb, fmpq

from theory.errors import (
    AssumptionError,
    DataError,
    DomainError,
    FormulaError,
    ShapeError,
    UnknownName,
    UnsupportedFormula,
)
from theory.exact.balls import Program, precision, series_length
from theory.exact.trajectory import enclose_field

u, v, y, t = sp.symbols("u v y t", real=True)
Q = sp.Rational


def q(value: sp.Rational) -> arb:
    return arb(fmpq(int(value.p), int(value.q)))


def draw(rng: random.Random, low: int, high: int) -> sp.Rational:
    """A rational in [low, high] whose denominator is no power of two."""
    return low + (high - low) * Q(rng.randint(1, 996), 997)


# each family draws (field, symbols, start, end) and gives the exact solution at the time s as balls


def logistic(rng):
    y0, rate, end = draw(rng, 0, 1), draw(rng, 0, 3), draw(rng, 1, 5)

    def exact(s):
        growth = (q(rate) * q(s)).exp()
        return [q(y0) * growth / (1 + q(y0) * (growth - 1))]

    return [rate * y * (1 - y)], [y], [y0], end, exact


def linear(rng):
    # a Jordan-free triangular system with real rates
    a, b, c = draw(rng, -3, 0), draw(rng, -2, 2), draw(rng, 0, 2)
    u0, v0, end = draw(rng, -2, 2), draw(rng, -2, 2), draw(rng, 1, 5)

    def exact(s):
        grow, decay = (q(c) * q(s)).exp(), (q(a) * q(s)).exp()
        mixed = q(u0) * decay + q(b) * q(v0) * (grow - decay) / q(c - a)
        return [mixed, q(v0) * grow]

    return [a * u + b * v, c * v], [u, v], [u0, v0], end, exact


def oscillator(rng):
    w, u0, v0 = draw(rng, 1, 3), draw(rng, -2, 2), draw(rng, -2, 2)
    end = draw(rng, 1, 8)

    def exact(s):
        cos, sin = (q(w) * q(s)).cos(), (q(w) * q(s)).sin()
        return [q(u0) * cos - q(v0) * sin, q(u0) * sin + q(v0) * cos]

    return [-w * v, w * u], [u, v], [u0, v0], end, exact


def riccati(rng):
    y0 = draw(rng, 0, 3) + Q(1, 10)
    end = Q(rng.randint(1, 95), 101) / y0

    def exact(s):
        return [q(y0 / (1 - s * y0))]

    return [y**2], [y], [y0], end, exact


def saddle(rng):
    r"""u' = v (m - uv), v' = u (m - uv): u = g cosh f, v = g sinh f, w = e^{2f} a Riccati equation.

    (w - w+)/(w - w-) decays at the rate sqrt(4 m^2 + g^4), w+- = (2m +- sqrt(4 m^2 + g^4))/g^2.
    """
    g, e, m = draw(rng, 0, 2) + Q(1, 5), draw(rng, 1, 3), draw(rng, -2, 2)
    end = draw(rng, 0, 2)

    def exact(s):
        root = (4 * q(m) ** 2 + q(g) ** 4).sqrt()
        high, low = (2 * q(m) + root) / q(g) ** 2, (2 * q(m) - root) / q(g) ** 2
        ratio = (q(e) ** 2 - high) / (q(e) ** 2 - low) * (-root * q(s)).exp()
        f = ((high - low * ratio) / (1 - ratio)).log() / 2
        return [q(g) * f.cosh(), q(g) * f.sinh()]

    start = [g * (e + 1 / e) / 2, g * (e - 1 / e) / 2]
    return [v * (m - u * v), u * (m - u * v)], [u, v], start, end, exact


def forced(rng):
    """With time as a state: y' = -a y + cos t."""
    a, y0, end = draw(rng, 1, 4), draw(rng, -2, 2), draw(rng, 1, 4)

    def exact(s):
        at = q(s)
        special = (q(a) * at.cos() + at.sin()) / (1 + q(a) ** 2)
        return [at, special + (q(y0) - q(a) / (1 + q(a) ** 2)) * (-q(a) * at).exp()]

    return [sp.S.One, -a * y + sp.cos(t)], [t, y], [0, y0], end, exact


FAMILIES = {
    logistic: 50, linear: 30, oscillator: 30, riccati: 40, saddle: 30, forced: 20,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_exact_solution_lies_in_the_enclosure(family):
    rng = random.Random(family.__name__)
    for _ in range(FAMILIES[family]):
        field, symbols, start, end, exact = family(rng)
        run = enclose_field(field, symbols, start, end)
        assert run.success, run.message
        assert run.times[-1] == end
        within = end * Q(rng.randint(1, 99), 100)
        with precision(500):
            for box, at in zip(run.states, run.times, strict=True):
                assert all(b.contains(x) for b, x in zip(box, exact(at), strict=True))
            assert all(b.contains(x) for b, x in zip(run.at(within), exact(within), strict=True))
            for box, a, b in zip(run.tube, run.times, run.times[1:], strict=False):
                for at in (a, (a + 2 * b) / 3, b):
                    assert all(c.contains(x) for c, x in zip(box, exact(at), strict=True))
            # the enclosure says something: 17 digits at least
            assert all(b.rad() < 1e-17 * (1 + abs(b).upper()) for b in run.states[-1])


def test_interval_start_encloses_the_solutions_of_its_points_and_no_more():
    low, high, end = Q(1, 100), Q(1001, 100000), Q(20, 3)
    run = enclose_field([y * (1 - y)], [y], [sp.Interval(low, high)], end)
    with precision(300):
        growth = q(end).exp()
        ends = [q(a) * growth / (1 + q(a) * (growth - 1)) for a in (low, (low + high) / 2, high)]
        (box,) = run.states[-1]
        assert all(box.contains(x) for x in ends)
        assert 2 * box.rad() < 1.01 * (ends[2] - ends[0])


def test_box_of_a_rotation_does_not_wrap():
    half = Q(1, 1000)
    start = [sp.Interval(1 - half, 1 + half), sp.Interval(-half, half)]
    run = enclose_field([-v, u], [u, v], start, 50)
    with precision(200):
        for a in (1 - half, 1 + half):
            for b in (-half, half):
                c, s = arb(50).cos(), arb(50).sin()
                image = [q(a) * c - q(b) * s, q(a) * s + q(b) * c]
                assert all(x.contains(p) for x, p in zip(run.states[-1], image, strict=True))
        # a square turned by any angle fits into a box wider by sqrt(2)
        assert all(x.rad() < 1.5 * q(half) for x in run.states[-1])


def test_blow_up_ends_the_run_before_it():
    run = enclose_field([y**2], [y], [Q(3, 2)], 1)
    assert not run.success
    assert run.times[-1] < Q(2, 3)
    assert "may end" in run.message
    with pytest.raises(DomainError, match="Expected a time in"):
        run.at(1)


def test_step_that_looks_harmless_at_its_beginning_is_checked_on_its_whole_length():
    # y = 1/(1 - t^31/31): the coefficients that choose the step vanish at t = 0
    field = [sp.S.One, t**30 * y**2]
    run = enclose_field(field, [t, y], [0, 1], 3)
    assert not run.success and run.times[-1] ** 31 < 31
    run = enclose_field(field, [t, y], [0, 1], Q(11, 10))
    with precision(300):
        for box, at in zip(run.states, run.times, strict=True):
            assert box[1].contains(q(1 / (1 - at**31 / 31)))
    assert run.success


@pytest.mark.parametrize(
    ("field", "start"),
    [
        (sp.Abs(y), 0),
        (sp.Max(y, 0) - 1, Q(1, 2)),
        (1 + sp.sqrt(y), 0),
        (-sp.sqrt(y), 1),
        (sp.Piecewise((1, y >= 0), (-1, True)), 0),
        (-sp.sign(y), 1),
        (sp.log(y) - 1, 1),
        (-1 / y, 1),
        (sp.LambertW(y) - 1, Q(-1, 4)),
        (y ** Q(1, 3) * 0 + y ** Q(2, 3), 0),
    ],
    ids=str,
)
def test_kink_or_end_of_the_domain_ends_the_run(field, start):
    run = enclose_field([field], [y], [start], 3, max_steps=300)
    assert not run.success
    assert run.times[-1] < 3


def test_kink_that_is_not_touched_does_no_harm():
    run = enclose_field([sp.Abs(y) + sp.Max(y, -1)], [y], [1], Q(1, 2))
    with precision(200):
        assert run.success and run.states[-1][0].contains(arb(1).exp())


def test_declared_sign_is_a_condition():
    p = sp.Symbol("p", positive=True)
    run = enclose_field([-(sp.sqrt(p**2) ** 0)], [p], [1], 2)
    assert not run.success and run.times[-1] < 1
    assert enclose_field([-p], [p], [1], 2).success


def test_values_and_drifts():
    run = enclose_field([v * (1 - u * v), u * (1 - u * v)], [u, v], [Q(1, 10), Q(1, 20)], 5)
    assert run.drift(u**2 - v**2) == 0
    with precision(200):
        first, last = run.states[0][0], run.states[-1][0]
        # u increases
        assert run.drift(u).overlaps(last - first)
        assert run.drift(u).rad() < 1e-3
        assert run.value(u**2 - v**2, 3).contains(q(Q(3, 400)))


def test_drift_is_small_where_the_rate_cancels_in_numbers_only():
    run = enclose_field([v * (1 - u * v), u * (1 - u * v)], [u, v], [2, Q(1, 20)], Q(1, 2))
    drift = run.drift(sp.log(u + v) + sp.log(u - v))
    assert 0 <= drift.abs_upper() < 1e-18


def test_drift_of_a_law_that_is_not_defined_on_the_way_is_not_finite():
    run = enclose_field([sp.S.One], [y], [-1], 2)
    assert not run.drift(1 / y).is_finite()
    assert not run.drift(sp.log(sp.sqrt(y**2))).is_finite()
    assert not run.drift(sp.sign(y)).is_finite()
    # from 1 to 0 and back to 1
    assert run.drift(y**2).is_finite() and run.drift(y**2).upper() >= 1


def test_drift_bounds_the_way_and_not_only_its_end():
    run = enclose_field([-v, u], [u, v], [1, 0], 6)
    drift = run.drift(u)
    # u = cos t comes back, after a change of 2
    assert drift.lower() > 1.9 and drift.contains(2)


def test_context_of_flint_is_restored_also_after_a_failure():
    before = flint.ctx.prec, flint.ctx.cap
    enclose_field([y**2], [y], [1], 2)
    with pytest.raises(DataError):
        enclose_field([y], [y], [sp.nan], 1)
    assert (flint.ctx.prec, flint.ctx.cap) == before


def test_time_zero_gives_the_start():
    run = enclose_field([y], [y], [Q(1, 3)], 0)
    assert run.success and run.times == (0,)
    with precision(300):
        assert run.at(0)[0].contains(q(Q(1, 3)))


def test_numbers_are_exact():
    run = enclose_field(["0.1*y"], [y], [0.1], 0.3)
    assert run.times[-1] == Q(3, 10)
    with precision(300):
        assert run.states[-1][0].contains((arb(3) / 100).exp() / 10)
    run = enclose_field([y], [y], [sp.sqrt(2)], Fraction(1, 7))
    with precision(300):
        assert run.states[-1][0].contains((arb(1) / 7).exp() * arb(2).sqrt())


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (DomainError, ([y], [y], [1], -1)),
        (DataError, ([y], [y], [1], float("nan"))),
        (DataError, ([y], [y], [1], sp.pi)),
        (DataError, ([y], [y], [float("inf")], 1)),
        (DataError, ([y], [y], [True], 1)),
        (DataError, ([y], [y], [u], 1)),
        (DataError, ([y], [y], [sp.log(-1)], 1)),
        (DataError, ([y], [y], [arb("nan")], 1)),
        (ShapeError, ([y, y], [y], [1], 1)),
        (ShapeError, ([y], [y], [1, 2], 1)),
        (ShapeError, ([], [], [], 1)),
        (UnknownName, ([y * u], [y], [1], 1)),
        (UnknownName, (["y*z"], [y], [1], 1)),
        (FormulaError, (["y*"], [y], [1], 1)),
        (FormulaError, ([sp.I * y], [y], [1], 1)),
        (FormulaError, ([None], [y], [1], 1)),
        (FormulaError, ([y], ["y"], [1], 1)),
        (FormulaError, ([y, y], [y, sp.Symbol("y")], [1, 1], 1)),
        (AssumptionError, ([1], [sp.Symbol("n", integer=True)], [1], 1)),
        (UnsupportedFormula, ([sp.floor(y)], [y], [1], 1)),
        (UnsupportedFormula, ([sp.polylog(2, y)], [y], [Q(1, 2)], 1)),
    ],
    ids=lambda a: a.__name__ if isinstance(a, type) else str(a),
)
def test_bad_input(error, arguments):
    with pytest.raises(error):
        enclose_field(*arguments)


@pytest.mark.parametrize("name", ["order", "bits", "max_steps"])
def test_bad_options(name):
    with pytest.raises(DataError, match=name):
        enclose_field([y], [y], [1], 1, **{name: 0})


WIDE = arb(0, 1)


@pytest.mark.parametrize(
    ("e", "constant"),
    [
        (sp.Abs(y), WIDE), (sp.Abs(y), 0), (sp.sign(y), WIDE), (sp.Max(y, 0), WIDE),
        (sp.Max(-y, 0), 0), (sp.Min(y, -y), 0), (sp.Max(y, y**2), 0), (sp.Heaviside(y), WIDE),
        (sp.DiracDelta(y), WIDE), (sp.log(y), WIDE), (sp.log(y), -2), (sp.sqrt(y), WIDE),
        (y ** Q(1, 3), WIDE), (y ** Q(1, 3), -2), (sp.acosh(y), WIDE), (sp.acosh(y), -2),
        (sp.atanh(y), arb(1, 0.5)), (sp.atanh(y), 2), (sp.asin(y), 2), (1 / y, WIDE),
        (sp.LambertW(y), -1), (sp.Ci(y), -1), (sp.Chi(y), -1), (sp.Ei(y), WIDE),
        (sp.Piecewise((y, y >= 0), (0, True)), 0), (sp.Piecewise((y, y > 0), (0, True)), WIDE),
        (sp.tan(y), arb(1.5, 0.5)), (sp.loggamma(y), -1.5), (sp.erfinv(y), 2),
    ],
    ids=str,
)  # fmt: skip
def test_series_around_an_undecided_point_is_not_finite(e, constant):
    with precision(64), series_length(4):
        for tail in ([1], [0, 1], []):
            (value,) = Program([e], [y])([flint.arb_series([arb(constant), *tail], 4)])
            known = value.coeffs() if isinstance(value, flint.arb_series) else [value]
            assert not all(c.is_finite() for c in known)


@pytest.mark.parametrize(
    "e", [sp.tanh(y), sp.asinh(y), sp.sinh(y), sp.cosh(y), sp.atan(y), sp.erf(y)], ids=str
)
def test_series_around_a_wide_ball_holds_the_series_of_its_points(e):
    with precision(64), series_length(4):
        (wide,) = Program([e], [y])([flint.arb_series([arb(0, 1), 1], 4)])
    for point in (-1, Q(-1, 3), 0, Q(2, 7), 1):
        for k in range(4):
            exact = sp.diff(e, y, k).subs(y, point) / sp.factorial(k)
            with precision(200):
                true = Program([sp.sympify(exact)], [])([])[0]
            # an overflow to no finite ball is allowed, a wrong ball is not
            assert not wide[k].is_finite() or wide[k].overlaps(true)


def test_zero_times_undefined_is_undefined_in_series():
    with precision(64), series_length(3):
        zero, bad = flint.arb_series([0], 3), flint.arb_series([-1, 1], 3)
        (value,) = Program([u * sp.log(v)], [u, v])([zero, bad])
        assert not (isinstance(value, flint.arb_series) and not value.coeffs())
