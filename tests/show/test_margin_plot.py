"""Pictures of margins show what the runs hold."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import theory as th
from theory.show.margin_plot import plot_alignment, plot_margins

TASK = th.Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
NET = th.HomogeneousNetwork.two_layer(2, 6)


@pytest.fixture(scope="module")
def runs():
    start = NET.start(scale=1.0, seed=0)
    return {
        n: NET.descend(TASK, start, th.optimizers.Steepest(n, loss_step=0.1), steps=100)
        for n in ("l2", "linf")
    }


def test_lines_are_the_margins(runs):
    axes = Figure().subplots()
    plot_margins(axes, runs, "l2")
    line = axes.lines[1]
    run = runs["linf"]
    on = (run.log_loss > 0) & (run.margins["l2"] > 0)
    assert np.array_equal(line.get_xdata(), run.log_loss[on])
    assert np.array_equal(line.get_ydata(), run.margins["l2"][on])
    assert line.get_label() == "linf" and axes.get_xscale() == "log"


def test_alignment_is_in_the_own_norm(runs):
    axes = Figure().subplots()
    plot_alignment(axes, runs)
    assert [line.get_label() for line in axes.lines] == ["l2, l2", "linf, linf"]


def test_a_norm_that_was_not_watched_is_refused(runs):
    with pytest.raises(th.errors.DomainError, match="l7"):
        plot_margins(Figure().subplots(), runs, "l7")
