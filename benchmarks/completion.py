"""Completion of planted and real matrices: errors of every method, and time against a bare loop.

Planted: 100 x 100 of rank 5, entries of mean square one, 2000 observed, three seeds; errors are
mean squares over what is not observed. The loop is Adam on the squared loss with the ratio penalty
in NumPy, one thin singular value decomposition a step, nothing recorded. Real: 400 of
scikit-learn's digits, 64 pixels each, with a share of them observed; with ``--ratings FILE`` the
block of the 200 most active users and the 300 most rated items. Run
``OMP_NUM_THREADS=1 python -m benchmarks.completion``; the tables go to ``benchmarks/completion.md``
and the picture to ``benchmarks/completion.png``.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import theory as th
from benchmarks.harness import rounds
from proofs_checks.zhao2022_completion import planted

SIZE, RANK, SEEN = 100, 5, 2000
METHODS: dict[str, tuple[str, dict[str, object]]] = {
    "one layer, Adam, ratio penalty": ("ratio", {}),
    "depth 3, GroupRMSprop": ("deep", {}),
    "depth 2, GroupRMSprop": ("deep", {"depth": 2}),
    "least nuclear norm": ("nuclear", {}),
    "soft-impute": ("soft-impute", {}),
}
# mean squared errors that another program gave for these data, seeds 0, 1, 2
MEASURED = {
    "one layer, Adam, ratio penalty": (4e-6, 6e-6, 5e-6),
    "depth 3, GroupRMSprop": (2.0e-5, 1.9e-5, 2.9e-5),
    "depth 2, GroupRMSprop": (0.0518,),
    "least nuclear norm": (0.0423, 0.0596, 0.0558),
}


def bare_loop(M: np.ndarray, seed: int, steps: int = 5000) -> np.ndarray:
    """The method "ratio" written down by hand."""
    mask = ~np.isnan(M)
    target, count = np.where(mask, M, 0.0), mask.sum()
    W = 1e-3 * np.random.default_rng(seed).standard_normal(M.shape)
    m, v = np.zeros_like(W), np.zeros_like(W)
    for k in range(1, steps + 1):
        g = 2 / count * np.where(mask, W - target, 0.0)
        U, s, Vt = np.linalg.svd(W, full_matrices=False)
        f = np.sqrt(s @ s)
        g += 1e-3 / f * ((U * (1 - s.sum() * s / f**2)) @ Vt)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        W -= 1e-2 * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    return W


def methods_on_planted(lines: list[str]) -> None:
    lines += ["| method | test error, seeds 0, 1, 2 | elsewhere | effective rank | s |",
              "|" + " --- |" * 5]  # fmt: skip
    for name, (method, options) in METHODS.items():
        errors, ranks, seconds = [], [], []
        for seed in range(3):
            M, W = planted(SIZE, RANK, SEEN, seed)
            given = dict(options)
            if method in ("ratio", "deep"):
                given["seed"] = seed + 1
            begin = time.process_time()
            found = th.complete(M, method, **given)
            seconds.append(time.process_time() - begin)
            errors.append(float(np.mean((found.matrix - W)[np.isnan(M)] ** 2)))
            ranks.append(found.effective_rank)
        shown = ", ".join(f"{e:.2g}" for e in errors)
        known = ", ".join(f"{e:.2g}" for e in MEASURED.get(name, ()))
        lines.append(
            f"| {name} | {shown} | {known} | {', '.join(f'{r:.2f}' for r in ranks)} | "
            f"{statistics.median(seconds):.1f} |"
        )
        print(lines[-1], flush=True)


def time_of_a_step(lines: list[str]) -> None:
    M, _ = planted(SIZE, RANK, SEEN, 0)
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: th.complete(M, "ratio", steps=1000, seed=1),
        "loop": lambda: bare_loop(M, 1, 1000),
    }
    seconds, ratios, _ = rounds(sides, 5)
    lines += ["", (
        f"1000 steps of the ratio: {seconds['ours']:.2f} s; the bare loop takes "
        f"{ratios['loop']:.2f} times ours, so that ours takes {1 / ratios['loop']:.2f} times the "
        "loop (asked: at most 1.2)."
    )]  # fmt: skip
    print(lines[-1], flush=True)


def sweep_of_observations(lines: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    counts = (1000, 1200, 1500, 2000, 3000, 5000)
    names = [n for n in METHODS if "depth 2" not in n]
    lines += ["", "Test error against the number of observed entries, seed 0:", ""]
    lines += ["| entries | " + " | ".join(names) + " |", "|" + " --- |" * (1 + len(names))]
    errors: dict[str, list[float]] = {name: [] for name in names}
    for seen in counts:
        M, W = planted(SIZE, RANK, seen, 0)
        for name in names:
            method, options = METHODS[name]
            given = {"seed": 1} if method in ("ratio", "deep") else {}
            # near the limit of what can be known it takes long until the penalty has its way
            given |= {"steps": 10_000} if method == "ratio" else {}
            found = th.complete(M, method, **options, **given)
            errors[name].append(float(np.mean((found.matrix - W)[np.isnan(M)] ** 2)))
        cells = " | ".join(f"{errors[n][-1]:.2g}" for n in names)
        lines.append(f"| {seen} | {cells} |")
        print(lines[-1], flush=True)
    axes = (figure := Figure(figsize=(6, 4), layout="constrained")).subplots()
    for name, values in errors.items():
        axes.plot(counts, values, "o-", label=name)
    axes.axhline(1.0, color="0.7", lw=0.8)
    axes.set_yscale("log")
    axes.set_xlabel("observed entries of 10,000")
    axes.set_ylabel("mean squared error on the rest")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


REAL: dict[str, tuple[str, dict[str, object]]] = {
    "row and column effects": ("bias", {}),
    "soft-impute": ("soft-impute", {}),
    "ratio penalty, 0.1": ("ratio", {"strength": 0.1, "steps": 2000}),
    "ratio penalty, 0.14": ("ratio", {"strength": 0.14, "steps": 3000}),
    "depth 3": ("deep", {"steps": 5000}),
}


def real_matrix(lines: list[str], name: str, M: np.ndarray, center: str, clip: tuple) -> None:
    train, test = th.hold_out(M, 0.1)
    lines += ["", f"{name}, a tenth of the known entries held out:", "",
              "| method | RMSE | effective rank | better than effects alone |",
              "|" + " --- |" * 4]  # fmt: skip
    bias = np.inf
    for row, (method, options) in REAL.items():
        about = {} if method == "bias" else {"center": center}
        found = th.complete(train, method, clip=clip, test=test, **about, **options)
        bias = found.test_error if method == "bias" else bias
        word = "" if method == "bias" else "yes" if found.test_error < bias else "no"
        lines.append(f"| {row} | {found.test_error:.4g} | {found.effective_rank:.1f} | {word} |")
        print(lines[-1], flush=True)


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", help="a file of user, item, rating, as MovieLens has them")
    arguments = parser.parse_args()
    lines = [
        "# Completion",
        "",
        "Made by `OMP_NUM_THREADS=1 python -m benchmarks.completion`: CPU time, one thread.",
        "Errors are mean squares over the entries that are not observed, of planted matrices of "
        f"rank {RANK}, {SIZE} x {SIZE}, with {SEEN} entries observed.",
        "",
    ]
    target = Path(__file__).with_suffix(".md")
    methods_on_planted(lines)
    time_of_a_step(lines)
    sweep_of_observations(lines, target.with_suffix(".png"))
    if find_spec("sklearn"):
        from sklearn.datasets import load_digits

        digits = load_digits().data[:400]
        rng = np.random.default_rng(0)
        seen = rng.random(digits.shape) < 0.4
        M = np.where(seen, digits, np.nan)[:, seen.any(axis=0)]
        real_matrix(lines, "Digits, 400 x 64, 40 % of the pixels", M, "effects", (0, 16))
    if arguments.ratings:
        block = th.read_ratings(arguments.ratings).densest(200, 300).matrix
        real_matrix(lines, f"Ratings, {block.shape[0]} x {block.shape[1]}", block, "mean", (1, 5))
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
