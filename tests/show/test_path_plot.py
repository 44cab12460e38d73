"""The picture of a path of limit points shows its numbers."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import theory as th
from theory.errors import DomainError
from theory.numeric.limit_path import LimitPath
from theory.show.path_plot import plot_limit_path

matplotlib.use("Agg")
from matplotlib.figure import Figure

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))


def path() -> LimitPath:
    A = np.random.default_rng(0).standard_normal((3, 12))
    problem = th.Regression(A, [1.0, -1.0, 0.5])
    # in no order
    return FLOW.limit_path(problem, {"u": 1.0, "v": 1.0}, [1e-3, 1.0, 1e-6, 10.0])


def test_lines_are_the_coordinates_from_large_to_small_scales() -> None:
    found = path()
    axes = Figure().add_subplot()
    plot_limit_path(axes, found, coordinates=[2, 5], names=[f"c{i}" for i in range(12)])
    assert len(axes.lines) == 12 and axes.get_xscale() == "log" and axes.xaxis_inverted()
    named = {line.get_label(): line for line in axes.lines}
    order = np.argsort(-found.scales)
    for i in (2, 5):
        assert np.array_equal(named[f"c{i}"].get_ydata(), found.x[order, i])
        assert np.array_equal(named[f"c{i}"].get_xdata(), found.scales[order])


def test_the_largest_are_named() -> None:
    found = path()
    axes = Figure().add_subplot()
    plot_limit_path(axes, found)
    labels = {line.get_label() for line in axes.lines if line.get_label().startswith("x[")}
    largest = np.argsort(-np.abs(found.x[np.argmin(found.scales)]))[:8]
    assert labels == {f"x[{i}]" for i in largest}


def test_scales_without_a_limit_are_left_out() -> None:
    found = path()
    some = np.array([True, False, True, False])
    partly = LimitPath(found.scales, found.x, found.multipliers, found.kkt_residual, some)
    axes = Figure().add_subplot()
    plot_limit_path(axes, partly)
    assert len(axes.lines[0].get_xdata()) == 2
    none = LimitPath(found.scales, found.x, found.multipliers, found.kkt_residual, some & False)
    with pytest.raises(DomainError, match="none has success"):
        plot_limit_path(axes, none)
    with pytest.raises(DomainError, match="from 0 to 11 but got 12"):
        plot_limit_path(axes, found, coordinates=[12])
