"""One step of steepest descent: ours, a bare NumPy loop of the same network, and PyTorch.

``python -m benchmarks.margins [--markdown benchmarks/margins.md]``; PyTorch where it is installed.
The digits 2 and 7, fifty of each, two layers of 50 ReLU units; every program makes the same steps
from the same start, and ends at the same parameters. Best of several runs, alternating.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import theory as th

STEPS, REPEATS = 2000, 5
C = 0.1
TASK, _ = th.read_samples("digits:2,7", train=50)
NET = th.HomogeneousNetwork.two_layer(64, 50)
START = NET.start(scale=0.1, seed=1)
Step = Callable[[list[Any]], list[Any]]


def bare(direction: Step, steps: int = STEPS) -> np.ndarray:
    """The loop that one would write: no records, no checks."""
    X, y = TASK.X, TASK.y
    W, v = (w.copy() for w in NET.layers(START.copy()))
    for _ in range(steps):
        Z = X @ W.T
        H = np.maximum(Z, 0)
        q = y * (H @ v)
        p = np.exp(q.min() - q)
        c = -(p / p.sum()) * y
        dW, dv = direction([(np.outer(c, v) * (Z > 0)).T @ X, H.T @ c])
        W -= dW
        v -= dv
    return np.concatenate([W.ravel(), v])


def bare_adam(steps: int = STEPS) -> np.ndarray:
    """Adam on the loss itself."""
    X, y, rate, b1, b2, eps = TASK.X, TASK.y, 1e-3, 0.9, 0.999, 1e-8
    theta = START.copy()
    m, s = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, steps + 1):
        W, v = NET.layers(theta)
        Z = X @ W.T
        H = np.maximum(Z, 0)
        c = -np.exp(-y * (H @ v)) * y
        g = np.concatenate([((np.outer(c, v) * (Z > 0)).T @ X).ravel(), H.T @ c])
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        theta -= rate * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
    return theta


def gradient(g: list[Any]) -> list[Any]:
    size = np.sqrt(sum((a * a).sum() for a in g))
    return [C * a / size**2 for a in g]


def sign(g: list[Any]) -> list[Any]:
    size = sum(np.abs(a).sum() for a in g)
    return [C * np.sign(a) / size for a in g]


def coordinate(g: list[Any]) -> list[Any]:
    tops = [np.abs(a).max() for a in g]
    k = int(np.argmax(tops))
    out = [np.zeros_like(a) for a in g]
    j = np.unravel_index(np.abs(g[k]).argmax(), g[k].shape)
    out[k][j] = C * np.sign(g[k][j]) / tops[k]
    return out


def spectral(g: list[Any]) -> list[Any]:
    U, s, Vt = np.linalg.svd(g[0], full_matrices=False)
    size = np.sqrt(g[1] @ g[1])
    total = s.sum() + size
    # no direction belongs to singular values that are zero
    return [C / total * ((U * (s > 1e-14 * s[0])) @ Vt), C / total * g[1] / size]


BARE: dict[str, Step] = {
    "gradient": gradient, "sign": sign, "coordinate": coordinate, "spectral": spectral
}  # fmt: skip
NORMS = {"gradient": "l2", "sign": "linf", "coordinate": "l1", "spectral": "spectral"}


def ours(name: str, steps: int = STEPS) -> np.ndarray:
    """With sixty records of all margins."""
    if name == "adam":
        optimizer: Any = th.optimizers.Adam(1e-3)
    else:
        optimizer = th.optimizers.Steepest(NORMS[name], loss_step=C)
    return NET.descend(TASK, START, optimizer, steps=steps, records=60).theta


def torch_loop(name: str, threads: int, steps: int = STEPS) -> np.ndarray:
    """The same in PyTorch, in double precision, by its autograd."""
    import torch

    torch.set_num_threads(threads)
    X, y = torch.tensor(TASK.X), torch.tensor(TASK.y)
    W, v = (torch.tensor(w, requires_grad=True) for w in NET.layers(START.copy()))
    adam = torch.optim.Adam([W, v], lr=1e-3) if name == "adam" else None
    for _ in range(steps):
        q = y * (torch.relu(X @ W.T) @ v)
        loss = torch.exp(-q).sum() if adam else torch.logsumexp(-q, 0)
        g = torch.autograd.grad(loss, [W, v])
        if adam is not None:
            W.grad, v.grad = g
            adam.step()
            continue
        with torch.no_grad():
            for w, d in zip((W, v), _torch_direction(torch, name, g), strict=True):
                w -= d
    return np.concatenate([W.detach().numpy().ravel(), v.detach().numpy()])


def _torch_direction(torch: Any, name: str, g: Any) -> list[Any]:
    if name == "gradient":
        size = torch.sqrt(sum((a * a).sum() for a in g))
        return [C * a / size**2 for a in g]
    if name == "sign":
        size = sum(a.abs().sum() for a in g)
        return [C * torch.sign(a) / size for a in g]
    if name == "coordinate":
        flat = torch.cat([a.reshape(-1) for a in g])
        j = flat.abs().argmax()
        out = torch.zeros_like(flat)
        out[j] = C * torch.sign(flat[j]) / flat[j].abs()
        n = g[0].numel()
        return [out[:n].reshape(g[0].shape), out[n:]]
    U, s, Vt = torch.linalg.svd(g[0], full_matrices=False)
    size = torch.sqrt(g[1] @ g[1])
    total = s.sum() + size
    return [C / total * ((U * (s > 1e-14 * s[0])) @ Vt), C / total * g[1] / size]


def measured(name: str) -> list[str]:
    """A row of the table."""
    programs: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: ours(name),
        "bare": bare_adam if name == "adam" else lambda: bare(BARE[name]),
    }
    try:
        import torch  # noqa: F401

        programs["torch 1"] = lambda: torch_loop(name, 1)
        programs["torch 2"] = lambda: torch_loop(name, 2)
    except ImportError:
        print("PyTorch is not installed: no peer but the bare loop.")
    best = dict.fromkeys(programs, np.inf)
    ends = {}
    for _ in range(REPEATS):
        for program, run in programs.items():
            begin = time.perf_counter()
            ends[program] = run()
            best[program] = min(best[program], time.perf_counter() - begin)
    # chaotic runs differ after many steps by their rounding: compared after fifty
    few = [ours(name, 50)]
    few += [bare_adam(50) if name == "adam" else bare(BARE[name], 50)]
    few += [torch_loop(name, 1, 50)] if "torch 1" in programs else []
    apart = max(float(np.abs(f - few[0]).max()) for f in few)
    mine = best["ours"] / STEPS * 1e6
    cells = [name, f"{mine:.1f}", f"{best['ours'] / best['bare']:.2f}"]
    for p in ("torch 1", "torch 2"):
        cells.append(f"{best[p] / best['ours']:.2f}" if p in best else "-")
    return [*cells, f"{apart:.0e}"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    head = [
        "algorithm", "ours, us a step", "over the bare loop", "torch, 1 thread, over ours",
        "torch, 2 threads, over ours", "apart after 50 steps",
    ]  # fmt: skip
    rows = [measured(name) for name in (*NORMS, "adam")]
    lines = ["| " + " | ".join(r) + " |" for r in (head, ["---"] * len(head), *rows)]
    print("\n".join(lines))
    if given.markdown:
        given.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
