"""A picture of a sweep: medians and quartiles along an axis (needs the extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from theory.errors import DataError
from theory.numeric.sweep import SweepTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_sweep", "save_plot"]

_MOST_LINES = 12


def plot_sweep(axes: Axes, table: SweepTable, y: str, x: str | None = None) -> None:
    """Draw a result over an axis, one line for each value of a second axis.

    Every other axis is averaged over: the line is the median, the band the quartiles.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    table : SweepTable
    y : str
        A numeric result.
    x : str, optional
        A numeric argument; the first one with several values unless given.

    Raises
    ------
    DataError
        For names that are not numeric columns, and when no point has succeeded.
    """
    names = [n for n in table.points[0] if len({p[n] for p in table.points}) > 1]
    if x is None:
        numeric = [n for n in names if n != "trial" and _is_numeric(table.column(n))]
        if not numeric:
            raise DataError("No argument of the sweep has several numeric values; give x=.")
        x = numeric[0]
    across, values = table.column(x), table.column(y)
    for name, column in ((x, across), (y, values)):
        if not _is_numeric(column):
            raise DataError(f"The column {name!r} is not numeric.")
    if not np.isfinite(values.astype(float)).any():
        raise DataError(f"No point of the sweep has a finite {y}.")
    groups = [n for n in names if n not in (x, "trial")]
    labels = [", ".join(f"{n} = {p[n]:.4g}" if isinstance(p[n], float) else f"{n} = {p[n]}"
              for n in groups) for p in table.points]  # fmt: skip
    chosen = list(dict.fromkeys(labels))
    if len(chosen) > _MOST_LINES:
        raise DataError(
            f"The sweep has {len(chosen)} combinations of {', '.join(groups)}; at most "
            f"{_MOST_LINES} lines are drawn."
        )
    for label in chosen:
        mask = np.array([other == label for other in labels])
        _line(axes, across[mask].astype(float), values[mask].astype(float), label)
    for column, scale in ((across, axes.set_xscale), (values, axes.set_yscale)):
        if _spans_decades(column.astype(float)):
            scale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if groups:
        axes.legend(frameon=False)


def save_plot(path: str, table: SweepTable, y: str, x: str | None = None) -> None:
    """Write the picture to a file whose ending names the format.

    Raises
    ------
    DataError
        When matplotlib is missing, or does not know the format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError(
            "Pictures need matplotlib: pip install 'implicit-bias-theory[plot]'."
        ) from error
    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    plot_sweep(figure.add_subplot(), table, y, x)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot write {path}: {error}.") from error


def _line(axes: Axes, across: np.ndarray, values: np.ndarray, label: str) -> None:
    places = np.unique(across)
    rows = [values[(across == p) & np.isfinite(values)] for p in places]
    kept = [(p, np.quantile(r, [0.25, 0.5, 0.75])) for p, r in zip(places, rows, strict=True)
            if r.size]  # fmt: skip
    if not kept:
        return
    at, quartiles = np.array([p for p, _ in kept]), np.array([q for _, q in kept])
    (line,) = axes.plot(at, quartiles[:, 1], marker="o", ms=3, lw=1.6, label=label)
    if np.any(quartiles[:, 0] < quartiles[:, 2]):
        axes.fill_between(
            at, quartiles[:, 0], quartiles[:, 2], alpha=0.2, lw=0, color=line.get_color()
        )


def _is_numeric(column: np.ndarray) -> bool:
    return bool(np.issubdtype(column.dtype, np.number))


def _spans_decades(column: np.ndarray) -> bool:
    finite: Any = column[np.isfinite(column)]
    return bool(finite.size and np.all(finite > 0) and np.max(finite) > 50 * np.min(finite))
