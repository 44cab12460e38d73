"""Trajectories of 256 members against loops of SciPy, and heyoka's batch mode where installed.

Heyoka compiles the problem, which is not timed; ours compiles once for all problems, which is not
timed either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy.integrate import solve_ivp

import theory as th
from benchmarks.harness import Row, rounds

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
# members that heyoka integrates side by side, and whether its code is compact
HEYOKA = {"heyoka, 8 at once": (8, False), "heyoka, 8 at once, compact": (8, True)}


@dataclass(frozen=True)
class Case:
    """Data of shape (n, d), starts of shape (2, m, d), and the time."""

    A: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    end: float

    @property
    def batch(self) -> th.Batch:
        return th.Batch(self.A, self.y)

    @property
    def start(self) -> dict[str, np.ndarray]:
        return {"u": self.starts[0], "v": self.starts[1]}


def make_case(n: int = 5, d: int = 10, m: int = 256) -> Case:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    y = A @ (rng.standard_normal(d) * (rng.random(d) < 0.3))
    return Case(A, y, rng.uniform(0.1, 1.0, (2, m, d)), 20.0)


def loop(case: Case, method: str, rtol: float = 1e-8) -> np.ndarray:
    """One `solve_ivp` after the other."""
    A, y, d = case.A, case.y, case.A.shape[1]

    def rate(t: float, q: np.ndarray) -> np.ndarray:
        u, v = q[:d], q[d:]
        g = A.T @ (A @ (u * u - v * v) - y)
        return np.concatenate([-2 * u * g, 2 * v * g])

    ends = []
    for u, v in zip(*case.starts, strict=True):
        q = np.concatenate([u, v])
        run = solve_ivp(rate, (0, case.end), q, method=method, rtol=rtol, atol=1e-3 * rtol)
        ends.append(run.y[:d, -1] ** 2 - run.y[d:, -1] ** 2)
    return np.array(ends)


def heyoka(case: Case, width: int, compact: bool, rtol: float = 1e-8) -> Callable[[], np.ndarray]:
    """Members side by side in its batch mode."""
    import heyoka as hy

    (n, d), m = case.A.shape, case.starts.shape[1]
    u, v = ([hy.expression(f"{s}{j}") for j in range(d)] for s in "uv")
    x = [a * a - b * b for a, b in zip(u, v, strict=True)]
    r = [
        hy.sum([float(case.A[i, j]) * x[j] for j in range(d)]) - float(case.y[i]) for i in range(n)
    ]
    g = [hy.sum([float(case.A[i, j]) * r[i] for i in range(n)]) for j in range(d)]
    system = [(u[j], -2.0 * u[j] * g[j]) for j in range(d)]
    system += [(v[j], 2.0 * v[j] * g[j]) for j in range(d)]
    solver = hy.taylor_adaptive_batch(
        system, np.ones((2 * d, width)), tol=rtol, compact_mode=compact
    )

    def solve() -> np.ndarray:
        ends = np.empty((m, d))
        for i in range(0, m, width):
            solver.set_time(0.0)
            solver.state[:d], solver.state[d:] = case.starts[:, i : i + width].swapaxes(1, 2)
            solver.propagate_until(case.end)
            ends[i : i + width] = (solver.state[:d] ** 2 - solver.state[d:] ** 2).T
        return ends

    return solve


def trajectories() -> Iterator[Row]:
    case = make_case()
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: FLOW.integrate_batch(case.batch, case.start, case.end).end,
        "in NumPy": lambda: (
            FLOW.integrate_batch(case.batch, case.start, case.end, backend="numpy").end
        ),
        "loop of DOP853": lambda: loop(case, "DOP853"),
        "loop of RK45": lambda: loop(case, "RK45"),
    }
    installed = find_spec("heyoka") is not None
    if installed:
        sides |= {name: heyoka(case, *how) for name, how in HEYOKA.items()}
    seconds, ratios, last = rounds(sides, 5)
    exact = loop(case, "DOP853", 1e-13)
    size = np.max(np.abs(exact))
    errors = [f"{np.max(np.abs(np.asarray(last[name]) - exact)) / size:.0e}" for name in sides]
    peers: dict[str, float | None] = {name: ratios[name] for name in list(sides)[1:]}
    if not installed:
        peers["heyoka"] = None
    yield Row(
        "256 trajectories", "5, 10; T = 20", seconds["ours"], peers, ", ".join(errors),
        "60 to the loop, 1 to heyoka",
    )  # fmt: skip
