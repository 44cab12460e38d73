"""``theory complete`` fills in a matrix, ``theory network`` integrates a linear network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from theory.errors import DataError, DomainError, ShapeError
from theory.numeric.compile import Array
from theory.numeric.matrices.completion import CompletionWarning, complete
from theory.numeric.matrices.completion_methods import hold_out
from theory.numeric.matrices.linear_network import LinearNetwork
from theory.numeric.matrices.matrix_files import read_incomplete, read_ratings
from theory.numeric.matrices.matrix_loss import MatrixLoss
from theory.show.text import print_table

__all__ = ["report_completions", "report_network", "run_completions", "run_network"]


def run_completions(
    path: str,
    methods: tuple[str, ...],
    *,
    ratings: bool,
    densest: tuple[int, int] | None,
    holdout: float,
    center: str,
    clip: tuple[float, float] | None,
    seed: int,
    options: dict[str, Any],
    output: str | None,
    quiet: bool,
) -> dict[str, Any]:
    """Every method on one split, as plain data; the first is written to `output`."""
    if ratings:
        found = read_ratings(path)
        matrix = (found if densest is None else found.densest(*densest)).matrix
    elif densest is None:
        matrix = read_incomplete(path)
    else:
        raise DomainError("Expected --densest together with --ratings.")
    train, test = (matrix, None) if holdout == 0 else hold_out(matrix, holdout, seed)
    rows = []
    for i, method in enumerate(methods or ("ratio",)):
        with _bar(quiet, method, options.get("steps")) as tell, warnings.catch_warnings():
            # the message says the same
            warnings.simplefilter("ignore", CompletionWarning)
            given = options if len(methods) < 2 else {}
            filled = complete(
                train, method, center=center, clip=clip, test=test, progress=tell, **given
            )
        if i == 0 and output is not None:
            _write(output, filled.matrix)
        rows.append({
            "method": method, "train_rmse": filled.train_error, "test_rmse": filled.test_error,
            "effective_rank": filled.effective_rank, "success": filled.success,
            "message": filled.message,
        })  # fmt: skip
    return {
        "shape": list(matrix.shape),
        "observed": int(np.sum(~np.isnan(train))),
        "held_out": 0 if test is None else int(np.sum(~np.isnan(test))),
        "methods": rows,
        "output": output,
    }


def _bar(quiet: bool, name: str, total: Any) -> Any:
    if quiet:
        return nullcontext(None)
    return _Bar(name, total)


class _Bar:
    """A progress bar on standard error."""

    def __init__(self, name: str, total: Any) -> None:
        self.progress = Progress(console=Console(stderr=True), transient=True)
        self.task = self.progress.add_task(name, total=total)

    def __enter__(self) -> Callable[[int], None]:
        self.progress.start()
        return lambda step: self.progress.update(self.task, completed=step)

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def _write(path: str, matrix: Array) -> None:
    try:
        if Path(path).suffix.lower() == ".npy":
            np.save(path, matrix)
        else:
            np.savetxt(path, matrix, delimiter=",", fmt="%.17g")
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}.") from error


def report_completions(result: dict[str, Any], console: Console) -> None:
    """A table of the methods."""
    m, n = result["shape"]
    held = result["held_out"]
    console.print(
        f"{m} x {n}, {result['observed']} entries observed"
        + (f", {held} held out." if held else ".")
    )
    print_table(
        "",
        ["method", "train RMSE", "test RMSE", "effective rank", ""],
        [
            [
                row["method"], f"{row['train_rmse']:.4g}",
                f"{row['test_rmse']:.4g}" if held else "-", f"{row['effective_rank']:.2f}",
                row["message"],
            ]
            for row in result["methods"]
        ],
        console,
    )  # fmt: skip
    if held:
        bias = [r["test_rmse"] for r in result["methods"] if r["method"] == "bias"]
        worse = [
            r["method"] for r in result["methods"]
            if bias and r["method"] != "bias" and not r["test_rmse"] < bias[0]
        ]  # fmt: skip
        if worse:
            console.print(f"Not better than row and column effects alone: {', '.join(worse)}.")
    if result["output"]:
        console.print(f"The completion by {result['methods'][0]['method']} is in "
                      f"{result['output']}.")  # fmt: skip


def run_network(
    widths: str,
    *,
    target: str | None,
    values: str | None,
    alpha: float | None,
    gamma: float | None,
    seed: int,
    weight_decay: float,
    end: float | None,
    seconds: float,
) -> dict[str, Any]:
    """The flow of a linear network on a target matrix, as plain data."""
    try:
        network = LinearNetwork([int(w) for w in widths.split(",")])
    except ValueError as error:
        if isinstance(error, ShapeError):
            raise
        raise ShapeError(f"Expected widths as 5,10,10,5 but got {widths!r}.") from error
    if (target is None) == (values is None):
        raise DomainError("Expected either --target FILE or --sigma VALUES, the singular values.")
    M = _diagonal(values, network.shape) if values is not None else read_incomplete(str(target))
    if alpha is None and gamma is None:
        alpha = 1e-2
    theta = network.start(scale=alpha, exponent=gamma, seed=seed)
    sigma = np.linalg.svd(np.where(np.isnan(M), 0.0, M), compute_uv=False)
    levels = {k + 1: s / 2 for k, s in enumerate(sigma.tolist()) if s > 1e-9 * sigma[0]}
    if np.isnan(M).any():
        levels = {}
    run = network.integrate(
        MatrixLoss(M), theta, end, weight_decay=weight_decay, levels=levels, max_seconds=seconds
    )
    return {
        "widths": list(network.widths),
        "t": float(run.t[-1]),
        "loss": float(run.loss[-1]),
        "sigma": run.sigma[:, -1].tolist(),
        "half_times": {str(k): float(v) for k, v in run.crossings.items()},
        "plateaus": [
            {"t": p.t, "loss": p.loss, "rank": p.rank} for p in run.plateaus()
        ],
        "drift": run.drift,
        "success": run.success,
        "message": run.message,
    }  # fmt: skip


def _diagonal(values: str, shape: tuple[int, int]) -> Array:
    try:
        sigma = [float(v) for v in values.split(",")]
    except ValueError as error:
        raise DataError(f"Expected --sigma as 4,3,2,1 but got {values!r}.") from error
    if len(sigma) > min(shape):
        raise ShapeError(
            f"Expected at most {min(shape)} singular values for matrices of shape {shape} but got "
            f"{len(sigma)}."
        )
    M = np.zeros(shape)
    M[range(len(sigma)), range(len(sigma))] = sigma
    return M


def report_network(result: dict[str, Any], console: Console) -> None:
    """Plateaus, half times and the end."""
    console.print(result["message"])
    console.print(
        f"t = {result['t']:.6g}, loss = {result['loss']:.3g}, drift of the balancedness "
        f"{result['drift']:.0e}"
    )
    if result["plateaus"]:
        print_table(
            "",
            ["plateau at t", "loss", "rank"],
            [[f"{p['t']:.5g}", f"{p['loss']:.6g}", str(p["rank"])] for p in result["plateaus"]],
            console,
        )
    if result["half_times"]:
        print_table(
            "",
            ["k", "sigma_k is half of its target at t"],
            [[k, f"{v:.5g}"] for k, v in result["half_times"].items()],
            console,
        )
    console.print("singular values at the end: " + ", ".join(f"{s:.6g}" for s in result["sigma"]))
