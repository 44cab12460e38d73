"""Certified trajectories of gradient flows, against closed forms and the float solvers."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq

import theory as th
from theory.errors import (
    DataError,
    DomainError,
    FormulaError,
    ShapeError,
    StartError,
    UnknownName,
)
from theory.exact.balls import enclose as ball_of
from theory.exact.balls import precision

u, v = sp.symbols("u v", real=True)
Q = sp.Rational
RHO = th.Elementwise(u**2 - v**2, (u, v))
FLOW = th.GradientFlow(RHO)
ONE = th.Regression([[1]], [1])
WIDE = th.Regression([[1, 2]], [1])


def q(value):
    return arb(fmpq(int(value.p), int(value.q)))


@pytest.mark.slow
def test_difference_of_squares_on_one_sample_has_a_closed_form():
    r"""xi' = y - k(xi), k = 2 alpha^2 sinh 4 xi: a Riccati equation for w = e^{4 xi}."""
    rng = random.Random(3)
    xi = sp.Symbol("xi", real=True)
    alpha = sp.Symbol("alpha", positive=True)
    mirror = FLOW.mirror(start={u: alpha, v: alpha})
    k = mirror.inverse_gradient(xi)
    (name,) = k.free_symbols - {alpha}
    for _ in range(6):
        a, y = Q(rng.randint(1, 20), 20), Q(rng.randint(-16, 16), 8)
        end = Q(rng.randint(1, 100), 97)
        run = th.enclose(FLOW, th.Regression([[1]], [float(y)]), {u: a, v: a}, end)
        assert run.success and run.t == end
        with precision(400):
            root = (q(y) ** 2 + 4 * q(a) ** 4).sqrt()
            high, low = (q(y) + root) / (2 * q(a) ** 2), (q(y) - root) / (2 * q(a) ** 2)
            ratio = (1 - high) / (1 - low) * (-4 * root * q(end)).exp()
            w = (high - low * ratio) / (1 - ratio)
            assert run.theta[u][0].contains(q(a) * w.sqrt())
            assert run.theta[v][0].contains(q(a) / w.sqrt())
            x = ball_of(k, {name: w.log() / 4, alpha: q(a)})
            assert run.x[0].contains(x)
            (law,) = run.laws
            assert law.end[0].contains(q(a) ** 2) and law.drift[0] == 0


@pytest.mark.parametrize(
    ("formula", "loss", "link", "targets"),
    [
        ("u**2 - v**2", th.losses.cross_entropy(), th.links.logistic(), [0.25]),
        ("u*v", th.losses.squared(), th.links.tanh(), [0.5]),
        ("u**3 + v", th.losses.poisson(), th.links.exp(), [2.0]),
        ("u**2 - v**2", th.losses.logistic(), th.links.identity(), [1.0]),
        ("u*v", th.losses.exponential(), th.links.identity(), [-1.0]),
        ("u*v", th.losses.log_cosh(), th.links.softplus(), [1.5]),
        ("u*v", th.losses.quartic(), th.links.identity(), [0.5]),
        ("u*v", th.losses.huber(4), th.links.probit(), [0.5]),
    ],
    ids=str,
)
def test_float_solver_agrees_for_every_kind_of_loss_and_link(formula, loss, link, targets):
    rho = th.Elementwise(formula, "u, v", rates={"u": 1, "v": "1/2"})
    flow = th.GradientFlow(rho, loss=loss, link=link)
    problem = th.Regression([[0.5, -1.25]], targets)
    start = {"u": [0.5, 0.75], "v": [0.25, 0.5]}
    run = th.enclose(flow, problem, start, 0.5)
    other = flow.integrate(problem, start, (0, 0.5), rtol=1e-11, atol=1e-13)
    assert run.success, run.message
    assert np.allclose([float(x) for x in run.x], other.end, rtol=1e-8, atol=1e-10)
    assert all(law.drift[i].is_finite() for law in run.laws for i in range(2))


def test_constants_and_ranges():
    rho = th.Elementwise("u**L - v**L", "u, v", assume={"L": "positive", "u": "positive",
                                                        "v": "positive"})  # fmt: skip
    run = th.enclose(th.GradientFlow(rho), ONE, {"u": 0.5, "v": 0.5, "L": 3}, 1)
    assert run.success
    (law,) = run.laws
    assert law.drift[0] == 0
    with precision(200):
        # 1/u + 1/v
        assert law.end[0].overlaps(arb(4)) or law.end[0].contains(0)
    bounded = th.GradientFlow(th.Elementwise("u", "u", assume={"u": "(0, 1/2)"}))
    left = th.enclose(bounded, ONE, {"u": 0.25}, 1)
    assert not left.success and left.t < Q(1, 2)


def test_leaving_the_domain_of_the_loss_ends_the_run():
    # mean x = u falls to 0 in finite time: target 0 has no barrier
    flow = th.GradientFlow(th.Elementwise("u", "u"), loss=th.losses.poisson())
    run = th.enclose(flow, th.Regression([[1]], [0]), {"u": 1}, 2)
    assert not run.success and run.t < 1
    assert th.passes(flow, th.Regression([[1]], [0]), {"u": 1}, 2, {0: (-5, 5)}).undecided


@pytest.mark.slow
def test_states_in_between_and_interval_starts():
    start = {u: [sp.Interval(Q(9, 100), Q(11, 100)), Q(1, 10)], v: Q(1, 10)}
    wide = th.enclose(FLOW, WIDE, start, 2)
    assert wide.success
    for a in (Q(9, 100), Q(11, 100)):
        thin = th.enclose(FLOW, WIDE, {u: [a, Q(1, 10)], v: Q(1, 10)}, 2)
        with precision(128):
            for t in (0, Q(1, 3), 1, 2):
                outer, inner = wide.at(t), thin.at(t)
                assert all(b.contains(c) for b, c in zip(outer.x, inner.x, strict=True))
                for s in (u, v):
                    pairs = zip(outer.theta[s], inner.theta[s], strict=True)
                    assert all(b.contains(c) for b, c in pairs)
            (law,) = wide.laws
            assert law.drift == (0, 0)
            # the start times 1/10
            assert law.end[0].contains(q(a / 10)) and law.end[0].rad() < 0.0011


@pytest.mark.slow
def test_passes_in_three_ways():
    start = {u: 0.1, v: 0.1}
    x0 = th.enclose(FLOW, WIDE, start, 2).x[0]
    inside = (Q(6, 100), Q(7, 100))
    assert th.passes(FLOW, WIDE, start, 2, {0: inside, 1: (0.46, sp.oo)}).proved
    refuted = th.passes(FLOW, WIDE, start, 2, {0: inside, 1: (Q(1, 2), Q(1, 2))})
    assert refuted.refuted and set(refuted.witness) == {"x[1]", "t"}
    # the float midpoint is inside of the ball, so the end of the interval is not decided
    edge = sp.Rational(*float(x0.mid()).as_integer_ratio())
    start_wide = {u: sp.Interval(0.099, 0.101), v: 0.1}
    assert th.passes(FLOW, WIDE, start_wide, 2, {0: (edge, 1)}).undecided
    assert th.passes(FLOW, WIDE, start, 2, {"u": (0, 1), (v, 0): (0, 1), ("v", 1): (0, 1)}).proved


def test_closed_and_open_ends_differ():
    # the coordinate without data stays exactly where it is
    problem = th.Regression([[1, 0]], [1])
    start = {u: 0.5, v: 0}
    assert th.passes(FLOW, problem, start, 1, {(u, 1): (0.5, 1)}).proved
    assert th.passes(FLOW, problem, start, 1, {(u, 1): sp.Interval.open(0.5, 1)}).refuted
    assert th.passes(FLOW, problem, start, 1, {1: (0.25, 0.25)}).proved


def test_flow_that_blows_up_is_undecided_after_it():
    # u' = -3 u^2 falls to minus infinity at t = 1/3
    flow = th.GradientFlow(th.Elementwise("u**3", "u"), loss=th.losses.custom("mu"))
    verdict = th.passes(flow, ONE, {"u": -1}, 1, {0: (-sp.oo, sp.oo)})
    assert verdict.undecided and "may end" in verdict.method


@pytest.mark.slow
def test_drift_in_three_ways():
    start = {u: 0.1, v: 0.1}
    assert th.drift_at_most(u * v, FLOW, WIDE, start, 2, 0).proved
    assert th.drift_at_most("u*v", FLOW, WIDE, start, 2, 0).proved
    assert th.drift_at_most("u + v", FLOW, WIDE, start, 2, 0.1).refuted
    # x = 0.4665.. has u - v = 0.65..; v falls by less than its size
    assert th.drift_at_most("v", FLOW, WIDE, start, 2, 0.1).proved
    free = th.enclose(FLOW, WIDE, start, 2).law(v).drift[1]
    assert free.lower() > 0.07 and free.upper() < 0.1
    middle = sp.Rational(*float(free.mid()).as_integer_ratio())
    assert th.drift_at_most("v", FLOW, WIDE, start, 2, middle).undecided


def test_law_beyond_the_end_of_the_flow_is_undecided_and_refuted_before_it():
    flow = th.GradientFlow(th.Elementwise("u**3", "u"), loss=th.losses.custom("mu"))
    assert th.drift_at_most("1/u", flow, ONE, {"u": -1}, 1, 100).undecided
    assert th.drift_at_most("u", flow, ONE, {"u": -1}, 1, 0.01).refuted


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (FormulaError, lambda: th.enclose(RHO, WIDE, {u: 1, v: 1}, 1)),
        (DataError, lambda: th.enclose(FLOW, [[1, 2]], {u: 1, v: 1}, 1)),
        (StartError, lambda: th.enclose(FLOW, WIDE, {u: 1}, 1)),
        (StartError, lambda: th.enclose(FLOW, WIDE, {u: 1, "w": 1}, 1)),
        (StartError, lambda: th.enclose(FLOW, WIDE, {u: float("nan"), v: 1}, 1)),
        (StartError, lambda: th.enclose(FLOW, WIDE, [1, 1], 1)),
        (ShapeError, lambda: th.enclose(FLOW, WIDE, {u: [1, 2, 3], v: 1}, 1)),
        (DomainError, lambda: th.enclose(FLOW, WIDE, {u: 1, v: 1}, -1)),
        (DataError, lambda: th.enclose(FLOW, WIDE, {u: 1, v: 1}, "pi")),
        (DataError, lambda: th.enclose(FLOW, th.Regression(np.eye(40), np.ones(40)),
                                       {u: 1, v: 1}, 1)),
        (DataError, lambda: th.enclose(
            th.GradientFlow(RHO, loss=th.losses.logistic()), ONE.__class__([[1]], [0.5]),
            {u: 1, v: 1}, 1)),
        (UnknownName, lambda: th.drift_at_most("u*w", FLOW, WIDE, {u: 1, v: 1}, 1, 1)),
        (FormulaError, lambda: th.drift_at_most("u*", FLOW, WIDE, {u: 1, v: 1}, 1, 1)),
        (DomainError, lambda: th.drift_at_most("u", FLOW, WIDE, {u: 1, v: 1}, 1, -1)),
        (DataError, lambda: th.drift_at_most("u", FLOW, WIDE, {u: 1, v: 1}, 1, sp.oo)),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {2: (0, 1)})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {-1: (0, 1)})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {"w": (0, 1)})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {0: (1, 0)})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {0: 1})),
        (DataError, lambda: th.passes(FLOW, WIDE, {u: 1, v: 1}, 1, {0: (sp.oo, sp.oo)})),
    ],
)  # fmt: skip
def test_bad_input(error, call):
    with pytest.raises(error):
        call()
