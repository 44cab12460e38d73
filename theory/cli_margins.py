"""``theory margins`` trains a homogeneous network by several algorithms and compares margins."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

from theory.errors import DataError, DomainError
from theory.numeric.margins.homogeneous_network import HomogeneousNetwork
from theory.numeric.margins.margin_run import MarginRun, compare_margins
from theory.numeric.margins.samples import read_samples
from theory.numeric.optimizers import Adam, Muon, Optimizer, Shampoo, Steepest
from theory.show.patience import patience
from theory.show.text import print_table

__all__ = ["ALGORITHMS", "report_margins", "run_margins"]

WORDS = {
    "gd": "l2", "gradient": "l2", "sign": "linf", "coordinate": "l1", "cd": "l1",
    "spectral": "spectral",
}  # fmt: skip
ALGORITHMS = (*WORDS, "adam", "muon", "shampoo", "l3, l3/2, ...")


def run_margins(
    data: str,
    algorithms: str,
    *,
    train: int | None,
    layers: str,
    activation: str,
    scale: float,
    loss_step: float,
    rate: float,
    epsilon: float,
    steps: int,
    seed: int,
    at: float | None,
    plot: str | None,
) -> dict[str, Any]:
    """Every algorithm from one start, as plain data."""
    task, test = read_samples(data, train=train, seed=seed)
    net = _network(task.d, layers, activation)
    start = net.start(scale=scale, seed=seed + 1)
    names = list(dict.fromkeys(a.strip() for a in algorithms.split(",") if a.strip()))
    if not names:
        raise DomainError(f"Expected algorithms such as gd,sign,coordinate but got {algorithms!r}.")
    chosen = {name: _optimizer(name, loss_step, rate, epsilon) for name in names}
    runs: dict[str, MarginRun] = {}
    for name, optimizer in chosen.items():
        with patience(name):
            runs[name] = net.descend(task, start, optimizer, steps=steps)
    trained = {k: r for k, r in runs.items() if r.success}
    level = compare_margins(trained, at) if trained else {}
    if plot is not None:
        _draw(plot, runs)
    rows = []
    for name, run in runs.items():
        outputs = None if test is None else net.output(run.theta, test.X)
        rows.append({
            "algorithm": name,
            "norm": run.norm,
            "log_loss": float(run.log_loss[-1]),
            "margins": {k: float(v[-1]) for k, v in run.margins.items()},
            "margins_at_equal_loss": level.get(name),
            "one_minus_beta": float(1 - run.beta[-1]),
            "train_accuracy": float(run.accuracy[-1]),
            "test_accuracy": None if outputs is None or test is None
            else float((np.sign(outputs) == test.y).mean()),
            "success": run.success,
            "message": run.message,
        })  # fmt: skip
    return {
        "samples": task.m,
        "inputs": task.d,
        "test_samples": 0 if test is None else test.m,
        "degree": str(net.degree),
        "equal_log_loss": at if at is not None else _level(trained),
        "largest": _largest(level),
        "runs": rows,
        "plot": plot,
    }


def _level(runs: dict[str, MarginRun]) -> float | None:
    return min((float(r.log_loss.max()) for r in runs.values()), default=None)


def _largest(level: dict[str, dict[str, float]]) -> dict[str, str]:
    """Which algorithm has the largest margin in each norm, at equal loss."""
    norms = [k for k in next(iter(level.values()), {}) if k not in ("beta", "accuracy")]
    return {k: max(level, key=lambda name: level[name].get(k, -np.inf)) for k in norms}


def _network(inputs: int, layers: str, activation: str) -> HomogeneousNetwork:
    if layers == "linear":
        return HomogeneousNetwork.linear(inputs)
    kind, _, rest = layers.partition(":")
    try:
        if kind == "diagonal":
            return HomogeneousNetwork.diagonal(inputs, int(rest or 2))
        hidden = [int(w) for w in layers.split(",")]
    except ValueError as error:
        if isinstance(error, DomainError):
            raise
        raise DomainError(
            f"Expected --layers as widths such as 50 or 50,50, as linear or diagonal:2, but got "
            f"{layers!r}."
        ) from error
    return HomogeneousNetwork.deep([inputs, *hidden, 1], activation)


def _optimizer(name: str, loss_step: float, rate: float, epsilon: float) -> Optimizer:
    if name == "adam":
        return Adam(rate, epsilon=epsilon)
    if name == "muon":
        return Muon(rate)
    if name == "shampoo":
        return Shampoo(rate)
    return Steepest(WORDS.get(name, name), loss_step=loss_step)


def _draw(path: str, runs: dict[str, MarginRun]) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("A picture needs matplotlib: pip install matplotlib.") from error
    from theory.show.margin_plot import plot_alignment, plot_margins

    norms = list(next(iter(runs.values())).norms)[:4]
    figure = Figure(figsize=(4.2 * (len(norms) + 1), 3.6), layout="constrained")
    axes = figure.subplots(1, len(norms) + 1)
    for place, norm in zip(axes, norms, strict=False):
        plot_margins(place, runs, norm)
    plot_alignment(axes[-1], runs)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot write {path}: {error}.") from error


def _numbers(values: dict[str, float], names: list[str]) -> list[str]:
    return [f"{values.get(k, np.nan):.4g}" for k in names]


def report_margins(result: dict[str, Any], console: Console) -> None:
    """Tables of the ends of the runs, and of the margins at equal loss."""
    rows = result["runs"]
    norms = list(rows[0]["margins"])
    console.print(
        f"{result['samples']} samples of {result['inputs']} inputs"
        + (f", {result['test_samples']} to test" if result["test_samples"] else "")
        + f"; degree {result['degree']}."
    )
    print_table(
        "At the end",
        ["algorithm", "-log loss", *norms, "1 - beta", "in", "test"],
        [
            [
                r["algorithm"], f"{r['log_loss']:.4g}", *_numbers(r["margins"], norms),
                f"{r['one_minus_beta']:.2g}", r["norm"],
                "-" if r["test_accuracy"] is None else f"{r['test_accuracy']:.4g}",
            ]
            for r in rows
        ],
        console,
    )  # fmt: skip
    for r in rows:
        if not r["success"]:
            console.print(f"{r['algorithm']}: {r['message']}")
    level = [r for r in rows if r["margins_at_equal_loss"]]
    if len(level) > 1 and result["equal_log_loss"] is not None:
        print_table(
            f"At -log loss = {result['equal_log_loss']:.4g}",
            ["algorithm", *norms],
            [
                [
                    r["algorithm"],
                    *(f"{r['margins_at_equal_loss'].get(k, np.nan):.4g}" for k in norms),
                ]
                for r in level
            ],
            console,
        )
        best = ", ".join(f"{k}: {v}" for k, v in result["largest"].items())
        console.print(f"Largest margin: {best}.")
    if result["plot"]:
        console.print(f"The picture is in {result['plot']}.")
