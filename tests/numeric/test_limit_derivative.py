"""Derivatives of the limit point against differences of limit points."""

from __future__ import annotations

import numpy as np
import pytest

import theory as th
from theory.errors import DomainError, InfeasibleTarget, ShapeError

MODELS = {
    "u**2 - v**2": ("u", "v"),
    "u**3 - v**3": ("u", "v"),
    "u*v": ("u", "v"),
    "sinh(u)": ("u",),
    "u*v*w": ("u", "v", "w"),  # the curve has no closed form
    "u*exp(v)": ("u", "v"),
}
LOSSES = [
    (th.losses.squared(), th.links.identity()),
    (th.losses.cross_entropy(), th.links.logistic()),
    (th.losses.poisson(), th.links.exp()),
    (th.losses.log_cosh(), th.links.softplus()),
]


def setting(model: str, seed: int, scale: float = 1.0, loss: int = 0):
    rng = np.random.default_rng(seed)
    n, d = 3, 6
    A = rng.standard_normal((n, d))
    y = rng.uniform(0.2, 0.8, n)
    flow = th.GradientFlow(
        th.Elementwise(model, ",".join(MODELS[model])), loss=LOSSES[loss][0], link=LOSSES[loss][1]
    )
    start = {s: scale * rng.uniform(0.5, 1.0, d) for s in MODELS[model]}
    return flow, A, y, start


def difference(change, eps: float):
    """The slope at 0 of a function of one number, to the fourth order."""
    f = {s: change(s * eps) for s in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * eps)


@pytest.mark.parametrize("scale", [1.0, 1e-2])
@pytest.mark.parametrize("model", MODELS)
def test_directions_against_differences(model: str, scale: float) -> None:
    flow, A, y, start = setting(model, 3, scale)
    slope = flow.limit_derivative(th.Regression(A, y), start)
    rng = np.random.default_rng(8)
    dA, dy = rng.standard_normal(A.shape), rng.standard_normal(y.shape)
    turn = {s: scale * rng.standard_normal(6) for s in start}

    def limit(e: float, *, a: float, b: float, c: float) -> np.ndarray:
        moved = {s: v + c * e * turn[s] for s, v in start.items()}
        found = flow.limit_point(th.Regression(A + a * e * dA, y + b * e * dy), moved)
        assert found.success
        return found.x

    size = np.max(np.abs(slope.limit.x))
    for (a, b, c), given in [
        ((0, 1, 0), {"y": dy}),
        ((1, 0, 0), {"A": dA}),
        ((0, 0, 1), {"start": turn}),
        ((1, 1, 1), {"y": dy, "A": dA, "start": turn}),
    ]:
        expected = difference(lambda e: limit(e, a=a, b=b, c=c), 1e-3)  # noqa: B023
        here = slope.along(**given)
        assert np.max(np.abs(here - expected)) <= 1e-5 * max(size, float(np.max(np.abs(here))))


@pytest.mark.parametrize("loss", range(len(LOSSES)))
def test_targets_go_through_the_link(loss: int) -> None:
    flow, A, y, start = setting("u**2 - v**2", 5, 0.3, loss)
    slope = flow.limit_derivative(th.Regression(A, y), start)
    matrix = slope.in_targets()
    assert matrix.shape == (6, 3)
    for j in range(3):
        unit = np.eye(3)[j]
        expected = difference(
            lambda e: flow.limit_point(th.Regression(A, y + e * unit), start).x,  # noqa: B023
            1e-4,
        )
        assert np.allclose(matrix[:, j], expected, atol=1e-7 * (1 + np.max(np.abs(expected))))


def test_what_interpolation_fixes() -> None:
    flow, A, y, start = setting("u**2 - v**2", 9, 0.1)
    slope = flow.limit_derivative(th.Regression(A, y), start)
    # A x = y: changes of the start stay in the kernel, those of the targets are followed
    assert np.allclose(A @ slope.in_targets(), np.eye(3), atol=1e-10)
    for s in ("u", "v"):
        assert np.max(np.abs(A @ slope.in_start(s))) <= 1e-10
    assert np.max(np.abs(A @ slope.in_scale())) <= 1e-10
    path = flow.limit_path(th.Regression(A, y), start, np.exp([2e-4, 1e-4, -1e-4, -2e-4]))
    x = path.x
    expected = (8 * (x[1] - x[2]) - (x[0] - x[3])) / 12e-4
    assert np.allclose(slope.in_scale(), expected, atol=1e-8)


def test_one_coordinate_in_closed_form() -> None:
    # a x = y: x = y/a whatever the start
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    slope = flow.limit_derivative(th.Regression([[2.0]], [3.0]), {"u": 0.3, "v": 0.2})
    assert slope.along(y=[1.0]) == pytest.approx([0.5])
    assert slope.along(A=[[1.0]]) == pytest.approx([-0.75])
    assert slope.along(start={"u": 1.0}) == pytest.approx([0.0], abs=1e-12)


def test_what_has_no_derivative() -> None:
    flow = th.GradientFlow(th.Elementwise("u**2", "u"))
    with pytest.raises(InfeasibleTarget, match="no derivative"):
        flow.limit_derivative(th.Regression([[1.0, 1.0]], [-1.0]), {"u": 0.1})
    with pytest.raises(ShapeError, match="only 1 of the 2 rows"):
        flow.limit_derivative(th.Regression([[1.0, 1.0], [2.0, 2.0]], [1.0, 2.0]), {"u": 0.1})
    slope = flow.limit_derivative(th.Regression([[1.0, 1.0]], [1.0]), {"u": 0.1})
    with pytest.raises(ShapeError, match=r"change of y of shape \(1,\)"):
        slope.along(y=[1.0, 2.0])
    with pytest.raises(ShapeError, match=r"change of A of shape \(1, 2\)"):
        slope.along(A=[1.0, 2.0])
    with pytest.raises(DomainError, match="among u but got 'w'"):
        slope.along(start={"w": 1.0})
    with pytest.raises(DomainError, match="finite change of y"):
        slope.along(y=[np.nan])
