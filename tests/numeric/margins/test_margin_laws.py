"""Laws of margins and steepest descent over drawn networks, data and norms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.numeric.margins.activation import read_activation
from theory.numeric.margins.geometry import geometry_of
from theory.numeric.margins.model import soft_minimum

SHAPES = ((3, 2), (2, 3), (3,))
SIZE = 15
NORMS = ["l1", "l2", "linf", "l3", "l3/2", "l10", "spectral"]
LAYERED = [th.norms.blocks("l2", 1), th.norms.blocks("linf", 3), th.norms.blocks("l1", "3/2"),
           th.norms.blocks(th.norms.schatten(1), 2),
           th.norms.blocks(th.norms.schatten(3), sp.oo)]  # fmt: skip
ALL = [*NORMS, *LAYERED]
seeds = st.integers(0, 10**6)
scales = st.sampled_from([1e-200, 1e-9, 1.0, 1e9, 1e150])


@pytest.mark.parametrize("norm", ALL, ids=str)
@given(seed=seeds, scale=scales, zeros=st.booleans())
@settings(max_examples=25)
def test_direction_has_norm_one_and_the_product_of_the_dual(
    norm: Any, seed: int, scale: float, zeros: bool
) -> None:
    rng = np.random.default_rng(seed)
    geometry = geometry_of(norm, SHAPES)
    g = scale * rng.standard_normal(SIZE) * (rng.random(SIZE) < (0.4 if zeros else 1.1))
    u, size = geometry.steepest(g)
    if not g.any():
        assert size == 0 and not u.any()
        return
    assert size == pytest.approx(geometry.dual(g), rel=1e-12)
    assert geometry.value(u) == pytest.approx(1, rel=1e-10)
    assert float(g / scale @ u) * scale == pytest.approx(size, rel=1e-10)
    x = rng.standard_normal(SIZE)
    assert float(g / scale @ x) <= geometry.value(x) * size / scale * (1 + 1e-12)


@pytest.mark.parametrize("norm", ALL, ids=str)
@given(seed=seeds, c=st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_values_are_norms(norm: Any, seed: int, c: float) -> None:
    rng = np.random.default_rng(seed)
    geometry = geometry_of(norm, SHAPES)
    x, y = rng.standard_normal((2, SIZE))
    assert geometry.value(-c * x) == pytest.approx(c * geometry.value(x), rel=1e-12)
    assert geometry.value(x + y) <= (geometry.value(x) + geometry.value(y)) * (1 + 1e-12)


@pytest.mark.parametrize("norm", ["l1", "l2", "linf", "l3", "l3/2"])
@given(seed=seeds)
@settings(max_examples=15)
def test_arrays_agree_with_the_exact_norms(norm: str, seed: int) -> None:
    g = [sp.Rational(int(v), 7) for v in np.random.default_rng(seed).integers(-9, 10, 4)]
    exact, geometry = th.norms.read_norm(norm), geometry_of(norm, ((4,),))
    numbers = np.array([float(v) for v in g])
    assert geometry.value(numbers) == pytest.approx(float(exact.value(g)), rel=1e-12)
    assert geometry.dual(numbers) == pytest.approx(float(exact.dual.value(g)), rel=1e-12)
    u, _ = geometry.steepest(numbers)
    assert np.allclose(u, [float(v) for v in exact.direction(g)], atol=1e-12)


@pytest.mark.parametrize(
    "norm",
    [th.norms.formula("sqrt(2*x**2 + 3*y**2 + 2*x*y)", "x, y"),
     th.norms.formula("(abs(x)**3 + 8*abs(y)**3)**(1/3)", "x, y"),
     th.norms.formula("max(abs(x) + abs(y), 3*abs(x)/2)", "x, y"),
     th.norms.unit_ball([[1, 0], [1, 1], [0, 2]])],
    ids=str,
)  # fmt: skip
@given(seed=seeds)
@settings(max_examples=20)
def test_norms_by_formulas_in_arrays(norm: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = geometry_of(norm, ((2,),))
    g, x = rng.standard_normal((2, 2))
    u, size = geometry.steepest(g)
    assert geometry.value(u) == pytest.approx(1, rel=1e-9)
    assert float(g @ u) == pytest.approx(size, rel=1e-9) and size == pytest.approx(geometry.dual(g))
    assert float(g @ x) <= geometry.value(x) * size * (1 + 1e-12)
    # the largest product on the unit sphere, over many directions
    angle = np.linspace(0, 2 * np.pi, 2001)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    products = points @ g / np.array([geometry.value(p) for p in points])
    assert products.max() == pytest.approx(size, rel=1e-3) and products.max() <= size * (1 + 1e-9)


NETS = [
    th.HomogeneousNetwork.linear(3),
    th.HomogeneousNetwork.two_layer(3, 4),
    th.HomogeneousNetwork.two_layer(3, 4, "leaky relu"),
    th.HomogeneousNetwork.two_layer(3, 4, "max(z, 0)**2"),
    th.HomogeneousNetwork.two_layer(3, 4, "abs(z)"),
    th.HomogeneousNetwork.deep([3, 4, 5, 1]),
    th.HomogeneousNetwork.deep([3, 4, 2, 1], "max(z, 0)**(3/2) - 2*max(-z, 0)**(3/2)"),
    th.HomogeneousNetwork.diagonal(3, 2),
    th.HomogeneousNetwork.diagonal(3, 4),
]


def drawn_task(seed: int, m: int = 6) -> th.Classification:
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(m) % 2 == 0, 1.0, -1.0)
    return th.Classification(rng.standard_normal((m, 3)), y)


@pytest.mark.parametrize("net", NETS, ids=lambda n: f"{n.widths} {n.activation} {n.factors}")
@given(seed=seeds)
@settings(max_examples=15)
def test_gradient_is_the_difference_quotient(net: Any, seed: int) -> None:
    task = drawn_task(seed)
    theta = net.start(scale=1.0, seed=seed)
    forward = net.bind(task)
    u, p = soft_minimum(forward.margins(theta))
    g = forward.gradient(p).copy()
    direction = np.random.default_rng(seed + 1).standard_normal(net.size)
    h = 1e-6
    values = [soft_minimum(forward.margins(theta + s * h * direction))[0] for s in (1, -1)]
    # log(loss) is -u; kinks of ReLU within h are rare, and continuous
    assert -(values[0] - values[1]) / (2 * h) == pytest.approx(
        float(g @ direction), abs=2e-5 * (1 + abs(u))
    )


@pytest.mark.parametrize("net", NETS, ids=lambda n: f"{n.widths} {n.activation} {n.factors}")
@given(seed=seeds, c=st.floats(0.1, 10))
@settings(max_examples=15)
def test_margins_scale_with_the_degree_and_satisfy_euler(net: Any, seed: int, c: float) -> None:
    task = drawn_task(seed)
    theta = net.start(scale=1.0, seed=seed)
    forward = net.bind(task)
    q = forward.margins(theta).copy()
    scaled = forward.margins(c * theta)
    assert np.allclose(scaled, c ** float(net.degree) * q, rtol=1e-10, atol=1e-12)
    forward.margins(theta)
    weights = np.random.default_rng(seed).random(task.m)
    g = forward.gradient(weights)
    assert -float(g @ theta) == pytest.approx(float(net.degree) * float(weights @ q), abs=1e-10)


@given(seed=seeds, p=st.sampled_from(["l2", "l3", "l3/2"]))
@settings(max_examples=8)
def test_soft_margin_grows_along_flows(seed: int, p: str) -> None:
    task = drawn_task(seed, 4)
    net = th.HomogeneousNetwork.two_layer(3, 8, "max(z, 0)**2")
    run = net.flow(task, net.start(scale=1.0, seed=seed, per_input=False), p, length=6.0, norms=[p])
    if run.success and (run.log_loss > 0).sum() > 2:
        assert run.largest_drop < 1e-7 and run.bounds.hold(1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2", "linf", "l3", "spectral"])
@given(seed=seeds)
@settings(max_examples=10)
def test_gap_is_that_of_fenchel_and_young(norm: str, seed: int) -> None:
    """D = psi(theta~) + psi*(z) - <z, theta~> >= 0, by its definition."""
    task = drawn_task(seed, 4)
    net = NETS[1]
    theta = net.start(scale=2.0, seed=seed)
    forward = net.bind(task)
    theta = theta if forward.margins(theta).min() > 0 else _separating(net, task, seed)
    if theta is None:
        return
    q = forward.margins(theta).copy()
    watch = th.MarginWatch(2, net.shapes, norm=norm, norms=[])
    watch.record(0, theta, q, forward.gradient(soft_minimum(q)[1]))
    run = watch.run(theta)
    geometry = geometry_of(norm, net.shapes)
    root = np.sqrt(q.min())
    scaled = theta / root
    forward.margins(scaled)
    z = -forward.gradient(run.multipliers[0])
    value, dual = geometry.value(scaled), geometry.dual(z)
    assert dual == pytest.approx(value, rel=1e-9)
    gap = value**2 / 2 + dual**2 / 2 - float(z @ scaled)
    assert gap == pytest.approx(run.gap[0], rel=1e-8, abs=1e-10 * value**2) and gap >= -1e-10
    if norm == "l2":
        assert gap == pytest.approx(0.5 * float((z - scaled) @ (z - scaled)), rel=1e-7, abs=1e-10)


def _separating(net: Any, task: th.Classification, seed: int) -> Any:
    run = net.descend(
        task,
        net.start(scale=0.5, seed=seed),
        th.optimizers.Steepest("l2", loss_step=0.1),
        steps=300,
    )
    return run.theta if run.least[-1] > 0 else None


def test_gap_vanishes_at_the_largest_linear_margin() -> None:
    task = drawn_task(5)
    signed = task.signed + 2 * np.array([1.0, 1, 1])
    task = th.Classification(signed * task.y[:, None], task.y)
    net = th.HomogeneousNetwork.linear(3)
    for norm in ("l2", "l3"):
        best = th.max_margin(task, norm=norm)
        tiny = th.optimizers.Steepest(norm, loss_step=1e-6)
        away = best.w + np.array([0.3, 0.0, 0.0])
        at, elsewhere = [net.descend(task, 3000 * w, tiny, steps=1) for w in (best.w, away)]
        assert 1 - at.beta[0] < 1e-3 < 1 - elsewhere.beta[0]


@pytest.mark.parametrize(
    ("formula", "degree", "above", "below"),
    [("relu", 1, 1, 0), ("linear", 1, 1, -1), ("abs", 1, 1, 1), ("max(z,0)**2", 2, 1, 0),
     ("z**3", 3, 1, -1), ("z*abs(z)", 2, 1, -1), ("2*max(z, z/10)", 1, 2, sp.Rational(-1, 5)),
     ("sqrt(z**2)*max(z, 0)", 2, 1, 0)],
)  # fmt: skip
def test_activations(formula: str, degree: Any, above: Any, below: Any) -> None:
    found = read_activation(formula)
    assert (found.degree, found.above, found.below) == (degree, above, below)
    z = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    value, slope = found.pair(z)
    h = 1e-6
    assert np.allclose(
        slope[z != 0], ((found.pair(z + h)[0] - found.pair(z - h)[0]) / (2 * h))[z != 0]
    )
    words = {"relu": "max(z, 0)", "linear": "z", "abs": "abs(z)"}
    e = th.networks.homogeneity(words.get(formula, formula), "z").formula
    exact = [float(e.subs(next(iter(e.free_symbols)), sp.Rational(v))) for v in z]
    assert np.allclose(value, exact)
