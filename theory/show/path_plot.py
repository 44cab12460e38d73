"""Pictures of limit points along scales of the start (needs the extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from theory.errors import DomainError
from theory.numeric.limit_path import LimitPath

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_limit_path"]


def plot_limit_path(
    axes: Axes,
    path: LimitPath,
    *,
    coordinates: Sequence[int] | None = None,
    names: Sequence[str] = (),
) -> None:
    """Draw every coordinate of the limit against the scale of the start, smaller to the right.

    Parameters
    ----------
    axes : matplotlib Axes
    path : LimitPath
        As returned by ``flow.limit_path``; scales without success are left out.
    coordinates : sequence of int, optional
        Which to name; the eight largest at the smallest scale unless given. The others are gray.
    names : sequence of str, optional
        Of all coordinates, such as the columns' names.

    Raises
    ------
    DomainError
        When no scale has success, or a coordinate does not exist.
    """
    good = np.flatnonzero(path.success)
    if not good.size:
        raise DomainError("Expected a path with a limit point at some scale but none has success.")
    d = path.x.shape[1]
    order = good[np.argsort(-path.scales[good], kind="stable")]
    if coordinates is None:
        coordinates = [int(i) for i in np.argsort(-np.abs(path.x[order[-1]]), kind="stable")[:8]]
    wrong = [i for i in coordinates if not 0 <= i < d]
    if wrong:
        raise DomainError(f"Expected coordinates from 0 to {d - 1} but got {wrong[0]}.")
    scales, x = path.scales[order], path.x[order]
    for i in range(d):
        if i not in coordinates:
            axes.plot(scales, x[:, i], color="0.8", lw=0.8, zorder=1)
    for i in coordinates:
        axes.plot(scales, x[:, i], lw=1.6, label=names[i] if names else f"x[{i}]", zorder=2)
    if len(scales) > 1 and scales[0] / scales[-1] > 20:
        axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("scale of the start")
    axes.set_ylabel("limit point")
    axes.legend(frameon=False)
