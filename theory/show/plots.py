r"""Pictures of mirror flows (needs the extra ``plot``).

``python -m theory.show.plots FORMULA --start "u=alpha, v=alpha" --sweep alpha --values "2, 1, 1/4" -o FILE``
draws the scaled regularizer for several starts and the trajectories of its flow.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from theory.errors import DomainError, TheoryError
from theory.mirror.mirror_flow import MirrorFlow
from theory.mirror.regularizer import Regularizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_inverse_mirror_map", "plot_regularizer", "regularizer_figure"]


def _values(mirror: MirrorFlow, kind: str, grid: np.ndarray, at: dict[str, Any]) -> np.ndarray:
    out = np.full(grid.shape, np.nan)
    for i, x in enumerate(grid):
        try:
            out[i] = float(mirror.value(kind, sp.Rational(float(x)), dps=10, at=at))
        except DomainError:
            continue
    return out


def plot_regularizer(
    axes: Axes,
    mirror: MirrorFlow,
    symbol: str,
    values: Sequence[Any],
    *,
    span: tuple[float, float] = (-2.0, 2.0),
    points: int = 121,
) -> None:
    """Draw D_F(x, x_0) for several starts, each divided by its value at the right end."""
    grid = np.linspace(*span, points)
    for value in values:
        y = _values(mirror, "potential", grid, {symbol: sp.sympify(value, strict=True)})
        axes.plot(grid, y / y[-1], label=f"{symbol} = {value}", lw=1.6)
    axes.set_xlabel("x")
    axes.set_ylabel("regularizer, scaled")
    axes.legend(frameon=False)


def plot_inverse_mirror_map(
    axes: Axes,
    mirror: MirrorFlow,
    symbol: str,
    values: Sequence[Any],
    *,
    span: tuple[float, float] = (-2.0, 2.0),
    points: int = 121,
) -> None:
    """Draw the dual variable F'(x) against x for several starts."""
    grid = np.linspace(*span, points)
    for value in values:
        y = _values(mirror, "gradient", grid, {symbol: sp.sympify(value, strict=True)})
        axes.plot(grid, y, label=f"{symbol} = {value}", lw=1.6)
    axes.set_xlabel("x")
    axes.set_ylabel("F'(x)")
    axes.legend(frameon=False)


def regularizer_figure(mirror: MirrorFlow, symbol: str, values: Sequence[Any]) -> Figure:
    """Regularizer and mirror map side by side."""
    # the object interface: no global state, no window
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_regularizer(left, mirror, symbol, values)
    plot_inverse_mirror_map(right, mirror, symbol, values)
    try:
        limit = Regularizer(mirror).limit(symbol, 0)
        left.set_title(f"{mirror.rho}; limit for {symbol} -> 0: {limit.function}", fontsize=10)
    except TheoryError:
        left.set_title(str(mirror.rho), fontsize=10)
    right.set_title("mirror map", fontsize=10)
    return figure


def _main() -> None:
    import argparse

    from theory.exact.assumptions import declare
    from theory.exact.parsing import parse_assignments
    from theory.flow.parametrization import Elementwise
    from theory.mirror.mirror_flow import mirror_flow

    parser = argparse.ArgumentParser(prog="python -m theory.show.plots")
    parser.add_argument("formula", nargs="?", default="u**2 - v**2")
    parser.add_argument("--start", default="u=alpha, v=alpha")
    parser.add_argument("--sweep", default="alpha")
    parser.add_argument("--values", default="2, 1, 1/10, 1/1000000")
    parser.add_argument("-o", "--output", default="docs/hyperbolic_entropy.png")
    given = parser.parse_args()
    start = parse_assignments(given.start, {given.sweep: declare(given.sweep, "positive")[0]})
    mirror = mirror_flow(Elementwise(given.formula, list(start)), start)
    values = [sp.Rational(text.strip()) for text in given.values.split(",")]
    regularizer_figure(mirror, given.sweep, values).savefig(given.output, dpi=130)


if __name__ == "__main__":
    _main()
