"""Pictures of linear networks and completions."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import theory as th
from theory.errors import DomainError
from theory.show.matrix_plot import plot_loss, plot_singular_values


def test_singular_values_of_a_flow_and_of_a_completion() -> None:
    network = th.LinearNetwork([3, 4, 3])
    run = network.integrate(th.MatrixLoss(np.diag([3.0, 2.0, 1.0])), network.start(scale=1e-3))
    axes = Figure().subplots(2)
    plot_singular_values(axes[0], run, most=2)
    assert [line.get_label() for line in axes[0].lines] == [r"$\sigma_{1}$", r"$\sigma_{2}$"]
    assert np.array_equal(axes[0].lines[1].get_ydata(), run.sigma[1])
    plot_loss(axes[1], run)
    assert {text.get_text() for text in axes[1].texts} == {"rank 0", "rank 1", "rank 2"}
    assert axes[1].get_yscale() == "log"
    found = th.complete([[1.0, 2.0], [2.0, 4.0]], steps=50)
    axes = Figure().subplots()
    plot_singular_values(axes, found)
    assert axes.get_xlabel() == "step" and len(axes.lines) == 2


def test_what_has_no_records_is_refused() -> None:
    found = th.complete([[1.0, 2.0], [2.0, np.nan]], "bias")
    with pytest.raises(DomainError, match="records of singular values"):
        plot_singular_values(Figure().subplots(), found)
