"""Functions of PyTorch and JAX, where these are installed: neither is a dependency."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theory as th
from theory.errors import FormulaError, ShapeError
from theory.numeric.margins.framework import from_jax, from_torch

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 4))
TASK = th.Classification(X, np.where(X[:, 0] > 0, 1.0, -1.0))
NET = th.HomogeneousNetwork.two_layer(4, 6)
START = NET.start(scale=1.0, seed=0)
STEEP = th.optimizers.Steepest("l2", loss_step=0.1)


def test_a_module_of_torch_runs_as_the_same_network() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency")
    nn = torch.nn
    module = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 1, bias=False))
    net = from_torch(module, X, degree=2)
    assert net.shapes == ((6, 4), (1, 6)) and net.size == 30
    ours = NET.descend(TASK, START, STEEP, steps=200)
    theirs = net.descend(TASK, STEEP, start=START, steps=200)
    for norm in ("l1", "l2", "linf", "spectral"):
        assert theirs.margins[norm][-1] == pytest.approx(ours.margins[norm][-1], rel=1e-8)
    assert theirs.beta[-1] == pytest.approx(ours.beta[-1], rel=1e-8)
    assert np.allclose(net.output(START, X), NET.output(START, X))
    with pytest.raises(FormulaError, match="degree 3"):
        from_torch(module, X, degree=3)
    biased = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    with pytest.raises(FormulaError, match="Biases"):
        from_torch(biased, X, degree=2)
    with pytest.raises(ShapeError, match="one output"):
        from_torch(nn.Linear(4, 2, bias=False), X, degree=1)
    with pytest.raises(ShapeError, match=r"torch\.nn\.Module"):
        from_torch("model", X, degree=1)


def test_a_function_of_jax_runs_as_the_same_network() -> None:
    jax = pytest.importorskip("jax", reason="JAX is no dependency")
    jnp = jax.numpy
    W, v = NET.layers(START)

    def f(p: Any, rows: Any) -> Any:
        return jnp.maximum(rows @ p["a"].T, 0) @ p["b"]

    net = from_jax(f, {"a": jnp.array(W), "b": jnp.array(v)}, X, degree=2)
    # in the precision of JAX, single unless told
    ours, theirs = NET.bind(TASK), net.bind(TASK)
    assert np.allclose(theirs.margins(START), ours.margins(START), atol=1e-5)
    weights = rng.random(TASK.m)
    assert np.allclose(theirs.gradient(weights), ours.gradient(weights), atol=1e-5)
    run = net.descend(TASK, STEEP, steps=300)
    assert run.success and run.beta[-1] > 0.8
    with pytest.raises(FormulaError, match="2\\*\\*2"):
        from_jax(lambda p, rows: jnp.tanh(rows @ p), jnp.ones(4), X, degree=2)
