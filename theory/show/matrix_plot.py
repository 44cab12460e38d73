"""Pictures of linear networks and of completions (needs the extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from theory.errors import DomainError
from theory.numeric.matrices.completion import Completion
from theory.numeric.matrices.network_descent import NetworkDescent
from theory.numeric.matrices.network_run import NetworkRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_loss", "plot_singular_values"]


def plot_singular_values(
    axes: Axes, run: NetworkRun | NetworkDescent | Completion, *, most: int = 10
) -> None:
    r"""Draw the largest singular values of the product over the run.

    Parameters
    ----------
    axes : matplotlib Axes
    run : NetworkRun, NetworkDescent or Completion
    most : int
        How many of them.

    Raises
    ------
    DomainError
        For a run without records.
    """
    place = run.t if isinstance(run, NetworkRun) else run.step
    if run.sigma.size == 0 or len(place) < 2:
        raise DomainError("Expected a run with records of singular values but it has none.")
    if most < 1:
        raise DomainError(f"Expected most >= 1 but got most = {most!r}.")
    for k in range(min(most, len(run.sigma))):
        axes.plot(place, run.sigma[k], lw=1.5, label=rf"$\sigma_{{{k + 1}}}$")
    axes.set_xlabel("t" if isinstance(run, NetworkRun) else "step")
    axes.set_ylabel("singular values")
    axes.legend(loc="best", fontsize="small")


def plot_loss(axes: Axes, run: NetworkRun, *, plateaus: bool = True) -> None:
    """Draw the loss along the flow, with its plateaus.

    Parameters
    ----------
    axes : matplotlib Axes
    run : NetworkRun
    plateaus : bool
        Mark them, with the rank of the product.
    """
    axes.plot(run.t, run.loss, lw=1.5)
    if plateaus:
        for p in run.plateaus():
            axes.axhline(p.loss, color="0.8", lw=0.8, zorder=0)
            axes.annotate(f"rank {p.rank}", (p.t, p.loss), fontsize="small", va="bottom")
    axes.set_yscale("log")
    positive = run.loss[run.loss > 0]
    if positive.size:
        axes.set_ylim(bottom=max(float(np.min(positive)), 1e-12 * float(run.loss[0])))
    axes.set_xlabel("t")
    axes.set_ylabel("loss")
