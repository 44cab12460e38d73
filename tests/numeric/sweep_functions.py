"""Functions that the tests of sweeps send to other processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import theory as th


def logistic(rate: float, start: float, rng: np.random.Generator) -> dict[str, Any]:
    """A flow with noise in its start: a sum of many floats, which the engine must not change."""
    x0 = start * rng.uniform(0.5, 2.0)
    run = solve_ivp(lambda t, x: rate * x * (1 - x), (0, 10), [x0], method="DOP853", rtol=1e-9)
    matrix = rng.standard_normal((60, 60))
    return {"end": run.y[0, -1], "norm": np.linalg.norm(matrix @ matrix), "steps": run.t.size}


def poison(k: int) -> Any:
    if k == 1:
        os.kill(os.getpid(), 9)
    if k == 2:
        time.sleep(100)
    if k == 3:
        return float(np.ones(10**9).sum())
    if k == 4:
        raise ValueError("four")
    if k == 5:
        return object()
    if k == 6:
        os._exit(0)
    if k == 7:
        print("not a frame")
        sys.stdout.flush()
        os.write(1, b"nor this")
    if k == 8:
        sys.exit("eight")
    if k == 9:
        return "x" * 10**6
    if k == 10:
        return float("nan")
    return k * 0.1


def counted(k: int, folder: str) -> int:
    """Leaves a mark for each call."""
    with open(Path(folder) / f"{k}", "a") as handle:
        handle.write("x")
    if k == 3 and not (Path(folder) / "healed").exists():
        raise RuntimeError("not yet")
    return k * k


def slow(k: int, rng: np.random.Generator) -> dict[str, float]:
    time.sleep(0.01)
    return {"a": rng.standard_normal(), "b": float(np.sqrt(k))}


def main(path: str, acknowledged: str, engine: str) -> None:
    """A sweep that says which rows it has committed; killed and called again by a test."""
    with open(acknowledged, "a") as handle:

        def note(ended: int, total: int, failed: int) -> None:
            handle.write(f"{ended}\n")
            handle.flush()

        th.sweep(slow, {"k": range(150)}, path, engine=engine, workers=2, progress=note)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
