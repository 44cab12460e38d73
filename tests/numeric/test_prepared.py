"""A prepared flow: the same numbers as a call of its own, run after run."""

from __future__ import annotations

import numpy as np
import pytest

import theory as th
from theory.errors import DomainError, IntegrationFailed
from theory.numeric.series import BACKENDS

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
A = np.random.default_rng(0).standard_normal((3, 7))
PROBLEM = th.Regression(A, [0.5, -0.2, 0.9])
START = {"u": 0.2, "v": np.linspace(0.1, 0.4, 7)}


@pytest.mark.parametrize("mode", ["dual", "primal"])
@pytest.mark.parametrize("backend", [b for b in BACKENDS if b != "auto"])
def test_predictors_are_those_of_the_run(backend: str, mode: str) -> None:
    prepared = FLOW.prepare(PROBLEM, START, method="Taylor", mode=mode, backend=backend, rtol=1e-9)
    exact = FLOW.integrate(PROBLEM, START, 9.0, method="DOP853", mode="primal", rtol=1e-12)
    for times in (
        [0.0, 0.3, 0.3, 2.0, 9.0],
        [9.0],
        [1e-9, 4.5, 8.999999999],
        np.linspace(0, 9, 77),
    ):
        x = prepared.predictors(times)
        for i, t in enumerate(times):
            u, v = exact.sol(t)
            assert np.max(np.abs(x[:, i] - (u**2 - v**2))) <= 1e-7
        run = prepared.run(float(times[-1]), t_eval=times)
        assert np.max(np.abs(x - run.x)) <= 1e-8


def test_more_steps_than_the_quick_chunk_has() -> None:
    # z' = 2 - cos z turns round and round: tan(z/2) = tan(sqrt(3) t/2) / sqrt(3)
    flow = th.GradientFlow(th.Elementwise("u", "u"), loss=th.losses.custom("sin(mu) - 2*mu"))
    times = np.linspace(0, 1500, 11)
    phase = np.sqrt(3) * times / 2
    exact = 2 * np.arctan(np.tan(phase) / np.sqrt(3)) + 2 * np.pi * np.round(phase / np.pi)
    prepared = flow.prepare(
        th.Regression([[1.0]], [0.0]), {"u": 0.0}, method="Taylor", rtol=3e-14, atol=1e-13
    )
    assert np.max(np.abs(prepared.predictors(times)[0] - exact)) <= 1e-8
    assert prepared.run(1500.0).nfev > 200 * 16


def test_a_prepared_flow_runs_again_and_again() -> None:
    prepared = FLOW.prepare(PROBLEM, START, method="Taylor")
    one = prepared.predictors([1.0, 5.0])
    prepared.predictors([30.0])
    assert np.array_equal(prepared.predictors([1.0, 5.0]), one)


def test_a_time_that_is_not_reached() -> None:
    flow = th.GradientFlow(th.Elementwise("u", "u"), loss=th.losses.custom("-mu**4/4"))
    prepared = flow.prepare(th.Regression([[1.0]], [0.0]), {"u": 1.0}, method="Taylor")
    # z = (1 - 2 t)^(-1/2)
    assert prepared.predictors([0.375])[0, 0] == pytest.approx(2.0, rel=1e-9)
    with pytest.raises(IntegrationFailed, match=r"t = 0\.(49|5)"):
        prepared.predictors([1.0])


@pytest.mark.parametrize("times", [[], [[1.0]], [2.0, 1.0], [-1.0, 1.0], [0.0], [np.nan], ["a"]])
def test_times_that_cannot_be(times) -> None:
    prepared = FLOW.prepare(PROBLEM, START, method="Taylor")
    with pytest.raises(DomainError, match="times"):
        prepared.predictors(times)
