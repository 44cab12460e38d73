"""Bad input of classification, networks and optimizers; runs that cannot succeed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import theory as th
from theory.errors import DataError, DomainError, FormulaError, ShapeError, StartError
from theory.numeric.margins.geometry import geometry_of

O = th.optimizers
P = sp.Symbol("p", positive=True)
X = np.array([[2.0, 1.0], [-1.0, 0.5], [1.0, -1.0]])
TASK = th.Classification(X, [1, -1, 1])
NET = th.HomogeneousNetwork.two_layer(2, 4)
START = NET.start(seed=1)
STEEP = O.Steepest("l2", loss_step=0.1)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: th.Classification(X, [0, 1, 1]), DataError, "2\\*y - 1"),
        (lambda: th.Classification(X, [1, 2, -1]), DataError, "got 2"),
        (lambda: th.Classification(X, [1, 1, 1]), DataError, "needs both"),
        (lambda: th.Classification(X, [1, -1]), ShapeError, "3 labels"),
        (lambda: th.Classification(X, ["a", "b", "c"]), DataError, "labels"),
        (lambda: th.Classification(X[0], [1, -1]), ShapeError, "shape"),
        (lambda: th.Classification([[np.nan, 1], [1, 2]], [1, -1]), DataError, r"X\[0, 0\]"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, "tanh(z)"), FormulaError, "homogeneous"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, "max(z, 0) + 1"), FormulaError, "homogen"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, "sqrt(abs(z))"), FormulaError, "below 1"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, "z*w"), FormulaError, "one variable"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, "0*z"), FormulaError, "one variable"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 3, 7), FormulaError, "formula"),
        (lambda: th.HomogeneousNetwork.deep([2, 3, 2]), ShapeError, "one output"),
        (lambda: th.HomogeneousNetwork.deep([2]), ShapeError, "widths"),
        (lambda: th.HomogeneousNetwork.deep("2,3,1"), ShapeError, "widths"),
        (lambda: th.HomogeneousNetwork.two_layer(2, 0), DomainError, "width"),
        (lambda: th.HomogeneousNetwork.diagonal(2, 1.5), DomainError, "depth"),
        (lambda: NET.start(scale=0), DomainError, "scale > 0"),
        (lambda: NET.descend(TASK, START[:-1], STEEP), ShapeError, "12 parameters"),
        (lambda: NET.descend(TASK, START * np.nan, STEEP), StartError, "finite"),
        (lambda: NET.descend(TASK, 0 * START, STEEP), StartError, "dead"),
        (lambda: NET.descend(TASK, START * 1e200, STEEP), StartError, "not finite at the start"),
        (lambda: NET.descend(TASK, -np.abs(START), STEEP, batch_size=9), DomainError, "batch"),
        (lambda: NET.descend(TASK, START, "sgd"), DomainError, "optimizer"),
        (lambda: NET.descend(TASK, START, STEEP, steps=-1), DomainError, "steps"),
        (lambda: NET.descend(TASK, START, STEEP, norms=["l7x"]), FormulaError, "l7x"),
        (lambda: NET.descend(TASK, START, STEEP, until=0), DomainError, "until"),
        (lambda: th.HomogeneousNetwork.linear(3).bind(TASK), ShapeError, "3 numbers"),
        (lambda: NET.predictor(START), DomainError, "linear or a diagonal"),
        (lambda: NET.vector([np.ones((2, 2)), np.ones(4)]), ShapeError, "layers"),
        (lambda: NET.flow(TASK, START, "linf"), DomainError, "smooth norm"),
        (lambda: NET.flow(TASK, START, "spectral"), DomainError, "smooth norm"),
        (lambda: NET.flow(TASK, START, "l3", method="LSODA"), DomainError, "method"),
        (lambda: NET.flow(TASK, START, "l3", length=-1), DomainError, "length"),
        (lambda: NET.flow(TASK, 0 * START, "l3"), StartError, "dead"),
        (lambda: O.Steepest("l2"), DomainError, "rate= or loss_step="),
        (lambda: O.Steepest("l2", rate=0.1, loss_step=0.1), DomainError, "both"),
        (lambda: O.Steepest("l2", rate=-1), DomainError, "rate > 0"),
        (lambda: O.Steepest("l2", rate=(1.0, 2.0)), DomainError, "0 <= b <= 1"),
        (lambda: O.Steepest("l2", rate="fast"), DomainError, "rate"),
        (lambda: O.Steepest("l0.5", rate=1.0), FormulaError, "p >= 1"),
        (lambda: O.Steepest("l2", rate=1.0, momentum=1.0), DomainError, "momentum"),
        (lambda: O.Muon(0.1, polynomial_steps=-1), DomainError, "polynomial_steps"),
        (lambda: O.Shampoo(0.1, epsilon=0), DomainError, "epsilon"),
        (lambda: th.max_margin(X, [1, 0, 1]), DataError, "got 0"),
        (lambda: th.max_margin(TASK, norm="l0"), FormulaError, "p >= 1"),
        (lambda: th.max_margin(TASK, norm=th.norms.unit_ball([[1]])), ShapeError, "parameters"),
        (lambda: th.max_margin(TASK, norm=th.norms.lp(P)), FormulaError, "a number"),
        (lambda: O.Steepest(th.norms.blocks("l2", P), rate=1.0).bind(((2,),)).update(X[0], ()),
         FormulaError, "a number"),
        (lambda: th.predictor_margin(TASK, 0, "l2"), DomainError, "depth"),
        (lambda: th.predictor_margin(TASK, 2, "spectral"), DomainError, "lp norm"),
        (lambda: th.norms.unit_ball([[1, 0], [2, 0]]), DataError, "span 1 of 2"),
        (lambda: th.norms.blocks("spectral", 1), FormulaError, "layer"),
    ],
)  # fmt: skip
def test_bad_call(call: Any, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_contradicting_samples_are_named_and_the_run_goes_on() -> None:
    task = th.Classification([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [1, -1, 1])
    assert task.contradiction == (0, 1)
    run = NET.descend(task, NET.start(seed=2), STEEP, steps=300)
    assert not run.success and "samples 0 and 1" in run.message
    # the loss has a minimum there, and the run ends at it
    assert run.log_loss[-1] == pytest.approx(-np.log(2), abs=0.05)
    assert np.isfinite(run.log_loss).all()
    best = th.max_margin(task)
    assert not best.success and "contradict" in best.message and best.margin == 0


def test_data_that_no_hyperplane_separates_has_a_vanishing_combination() -> None:
    """Exclusive or: opposite corners have one label."""
    corners = np.array([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    task = th.Classification(corners, [1, 1, -1, -1])
    for norm in ("l1", "l2", "linf", "l3"):
        best = th.max_margin(task, norm=norm)
        assert not best.success and "not separable" in best.message
        assert best.multipliers.sum() == pytest.approx(1)
        assert np.abs(best.multipliers @ task.signed).max() < 1e-9
    linear = th.HomogeneousNetwork.linear(2)
    run = linear.descend(task, [0.3, 0.1], STEEP, steps=200)
    assert not run.success and "separable" in run.message and run.log_loss[-1] < 0
    # a network with a hidden layer separates them
    wide = th.HomogeneousNetwork.two_layer(2, 20)
    assert wide.descend(task, wide.start(scale=1.0, seed=3), STEEP, steps=500).success


def test_a_margin_that_rounding_hides_comes_back_as_bounds() -> None:
    best = th.max_margin([[1.0, 1e-9], [-1.0, 1e-9], [0.0, -1.0]], [1, 1, -1], "l2")
    assert not best.success and "Only bounds" in best.message
    assert best.margin < best.upper_bound == pytest.approx(1e-9)


def test_margins_grow_far_beyond_what_exp_can_hold() -> None:
    net = th.HomogeneousNetwork.two_layer(2, 6, "max(z, 0)**2")
    task = th.Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    run = net.descend(task, net.start(scale=1.0, seed=0), O.Steepest("l2", loss_step=1.0),
                      steps=12_000)  # fmt: skip
    assert run.success and run.log_loss[-1] > 1e4
    for values in (run.log_loss, run.beta, run.multipliers[-1], run.margins["l2"], run.gap[-1:]):
        assert np.isfinite(values).all()


def test_gradient_of_the_loss_underflows_with_a_message() -> None:
    net = th.HomogeneousNetwork.linear(2)
    task = th.Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    run = net.descend(task, [500.0, 0.0], O.Adam(1.0), steps=2000)
    assert "underflow" in run.message and run.nit < 2000 and np.isfinite(run.beta[-1])


def test_steps_that_are_too_large_are_reported() -> None:
    net = th.HomogeneousNetwork.deep([2, 3, 3, 1])
    run = net.descend(TASK, net.start(scale=1.0, seed=1), 1e200, steps=50)
    assert not run.success and ("not finite" in run.message or "dead" in run.message)


def test_a_run_that_blows_up_after_it_has_separated_is_no_success() -> None:
    jump = O.Steepest("l2", rate=lambda t: 0.3 if t < 200 else 1e200)
    net = th.HomogeneousNetwork.two_layer(2, 6, "max(z, 0)**2")
    run = net.descend(TASK, net.start(scale=1.0, seed=0), jump, steps=400)
    assert run.log_loss[-1] > 0 and "not finite" in run.message and not run.success


def test_bounds_need_a_loss_below_one() -> None:
    run = NET.descend(TASK, START, STEEP, steps=1)
    with pytest.raises(DomainError, match="loss below 1"):
        _ = run.bounds
    with pytest.raises(DomainError, match="more steps"):
        run.at(5.0)


def test_batches_train_too() -> None:
    run = NET.descend(TASK, START, O.Steepest("l2", loss_step=0.05), steps=2000, batch_size=2)
    again = NET.descend(TASK, START, O.Steepest("l2", loss_step=0.05), steps=2000, batch_size=2)
    assert run.success and np.array_equal(run.theta, again.theta)


def test_records_fit_in_memory() -> None:
    run = NET.descend(TASK, START, O.Steepest("l2", loss_step=1e-3), steps=20_000, records=100)
    assert len(run.step) <= 104 and run.step[0] == 0 and run.step[-1] == 20_000
    assert (np.diff(run.step) > 0).all()


def test_optimizers_move_matrices_as_they_are() -> None:
    """Outside of networks a norm over layers is that of the array itself."""
    g = np.array([[3.0, 0.0], [0.0, -0.5]])
    for optimizer in (O.Steepest("spectral", rate=0.1), O.Muon(0.1), O.Shampoo(0.1, epsilon=1e-14)):
        step, _ = optimizer.update(g, optimizer.begin(g))
        assert np.allclose(step, [[-0.1, 0], [0, 0.1]], atol=1e-6), optimizer.name
    quintic = O.Muon(0.1, polynomial_steps=8)
    step, _ = quintic.update(g, quintic.begin(g))
    assert np.abs(np.abs(np.diag(step)) - 0.1).max() < 0.04


def test_normalized_steps_with_momentum_and_decay() -> None:
    optimizer = O.Steepest("linf", rate=(0.5, 0.5), momentum=0.5)
    g, state, total = np.array([1.0, -2.0]), (), np.zeros(2)
    for _ in range(3):
        step, state = optimizer.update(g, state)
        total += step
    expected = 0.5 * (1 + 2**-0.5 + 3**-0.5)
    assert np.allclose(total, [-expected, expected])
    rate = O.Steepest("l2", rate=lambda t: 1 / t)
    first, state = rate.update(g, ())
    second, _ = rate.update(g, state)
    assert np.allclose(first, 2 * second) and np.linalg.norm(first) == pytest.approx(1)


def test_unnormalized_step_is_scaled_by_the_dual_norm() -> None:
    step, _ = O.Steepest("l1", rate=0.1, normalized=False).update(np.array([1.0, -3.0]), ())
    assert np.allclose(step, [0.0, 0.3])


@pytest.mark.parametrize(
    "norm",
    ["l1", "l5/4", "l2", "l3", "l10", "l100", "linf", "spectral",
     th.norms.unit_ball(np.eye(5, dtype=int)),
     th.norms.formula("sqrt(a**2 + 2*b**2 + c**2 + d**2 + a*b + e**2)", "a, b, c, d, e")],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_largest_margin_is_enclosed_in_any_norm(norm: Any, scale: float) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 5))
    labels = np.where(inputs[:, 0] > 0, 1.0, -1.0)
    best = th.max_margin(scale * inputs, labels, norm)
    assert best.success and best.upper_bound - best.margin <= 1e-7 * best.upper_bound
    # an upper bound by duality, and a lower one by the weight itself
    geometry = geometry_of(norm, ((5,),))
    signed = labels[:, None] * inputs
    assert geometry.dual(best.multipliers @ signed) * scale == pytest.approx(best.upper_bound)
    assert geometry.value(best.w) == pytest.approx(1)
    assert (signed @ best.w).min() * scale == pytest.approx(best.margin)
    assert 0 < len(best.support) <= 6


def test_any_optimizer_runs_in_any_descent() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    data, start = th.Regression([[1.0, 2.0, 3.0]], [1.0]), {"u": 0.1, "v": 0.1}
    run = flow.descend(data, start, O.Steepest("linf", rate=(0.05, 0.6)), steps=3000, tol=1e-3)
    assert run.success and np.isnan(run.t[-1])
    diverged = flow.descend(data, start, O.Steepest("l2", rate=(1e200, 0.5)), steps=50)
    assert not diverged.success and "(1e+200, 0.5)" in diverged.message
    network, loss = th.LinearNetwork([3, 4, 3]), th.MatrixLoss(np.diag([3.0, 2.0, 1.0]))
    muon = O.Muon(0.01)
    assert network.descend(loss, network.start(scale=0.1), muon, steps=2000).loss[-1] < 0.01
