"""Pictures of margins along runs (needs the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from theory.errors import DomainError
from theory.numeric.margins.margin_run import MarginRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_alignment", "plot_margins"]


def plot_margins(
    axes: Axes, runs: Mapping[str, MarginRun], norm: str, *, soft: bool = False
) -> None:
    r"""Draw the margin in one norm against $-\log\ell$, a line for each run.

    At one number of steps, runs of different algorithms are at different losses; at one value of
    $-\log\ell$ they can be compared.

    Parameters
    ----------
    axes : matplotlib Axes
    runs : mapping from name to MarginRun
    norm : str
        The name of a norm that all runs have watched.
    soft : bool
        The soft margin instead.

    Raises
    ------
    DomainError
        For a norm that a run did not watch.
    """
    for name, run in runs.items():
        if norm not in run.norms:
            raise DomainError(
                f"The run {name} watched {', '.join(run.norms)} and not {norm}; give norms= to it."
            )
        values = (run.soft_margins if soft else run.margins)[norm]
        on = (run.log_loss > 0) & (values > 0)
        axes.plot(run.log_loss[on], values[on], lw=1.5, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(r"$-\log\ell$")
    axes.set_ylabel(f"{'soft ' if soft else ''}{norm} margin")
    axes.legend(loc="best", fontsize="small")


def plot_alignment(axes: Axes, runs: Mapping[str, MarginRun]) -> None:
    r"""Draw $1 - \beta$ in each run's own norm against $-\log\ell$.

    Parameters
    ----------
    axes : matplotlib Axes
    runs : mapping from name to MarginRun
    """
    for name, run in runs.items():
        on = run.log_loss > 0
        axes.plot(
            run.log_loss[on], np.maximum(1 - run.beta[on], 1e-16), lw=1.5,
            label=f"{name}, {run.norm}",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(r"$-\log\ell$")
    axes.set_ylabel(r"$1 - \beta$")
    axes.legend(loc="best", fontsize="small")
