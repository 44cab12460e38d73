"""The limit point of x = u**2 - v**2 against conic solvers and against integrating, in one run.

The limit minimizes the hyperbolic entropy over the interpolators, an exponential-cone program. Each
row is the median over rounds of ratios of CPU time, both sides in each round, one thread; what is
timed is the whole call, `flow.limit_point` as well as building and solving the cone program. The
error is relative to our solution, whose own residuals are in the table. Peers that are not
installed are named. Run ``OMP_NUM_THREADS=1 python -m benchmarks.limit_point``; the table goes to
``benchmarks/limit_point.md``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import theory as th
from benchmarks.harness import rounds

SIZES = [(20, 50), (50, 200), (100, 1000)]
STARTS = [1.0, 1e-2, 1e-4, 1e-8, 1e-12]
# the dual against the primal, both by LSODA with its Jacobian, to a residual of 1e-8
FLOWS = [(20, 50, 1e-2), (50, 200, 1e-4), (100, 1000, 1e-2)]
ROUNDS = 5


def problem(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian data and a planted solution with max(2, n/10) entries."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    x = np.zeros(d)
    support = rng.choice(d, max(2, n // 10), replace=False)
    x[support] = rng.uniform(0.5, 1.5, len(support)) * rng.choice([-1.0, 1.0], len(support))
    return A, A @ x


def conic(A: np.ndarray, y: np.ndarray, alpha: float, solver: str) -> Callable[[], np.ndarray]:
    """The entropy program in p - q = x, p, q >= 0."""
    import cvxpy as cp

    d = A.shape[1]

    def solve() -> np.ndarray:
        p, q = cp.Variable(d), cp.Variable(d)
        objective = cp.sum(-cp.entr(p) - cp.entr(q)) - np.log(alpha**2) * cp.sum(p + q)
        program = cp.Problem(cp.Minimize(objective - cp.sum(p + q)), [A @ (p - q) == y])
        try:
            program.solve(solver=solver)
        except cp.error.SolverError:
            return np.full(d, np.nan)
        if p.value is None or q.value is None:
            return np.full(d, np.nan)
        return np.asarray(p.value - q.value)

    return solve


def limits(lines: list[str]) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    peers = ["CLARABEL", "ECOS", "SCS"] if find_spec("cvxpy") else []
    if peers:
        import cvxpy as cp

        peers = [p for p in peers if p in cp.installed_solvers()]
    else:
        print("cvxpy is not installed: no conic solvers")
    lines += [
        "| n, d | alpha | ms | steps | residual of A x = y | "
        + " | ".join(f"{p}: ratio (difference)" for p in peers)
        + " |",
        "|" + " --- |" * (5 + len(peers)),
    ]
    for n, d in SIZES:
        A, y = problem(n, d)
        data = th.Regression(A, y)
        for alpha in STARTS:
            start = {"u": alpha, "v": alpha}
            sides: dict[str, Callable[[], object]] = {
                "ours": lambda data=data, start=start: flow.limit_point(data, start)
            }
            # SCS needs a quarter of a minute for one program of the largest size
            here = [p for p in peers if p != "SCS" or d < 1000]
            sides |= {p: conic(A, y, alpha, p) for p in here}
            seconds, ratios, last = rounds(sides, ROUNDS if d < 1000 else 2)
            ours = last["ours"]
            size = np.max(np.abs(ours.x))
            cells = []
            for p in peers:
                if p not in here:
                    cells.append("not run")
                    continue
                gap = float(np.max(np.abs(np.asarray(last[p]) - ours.x)) / size)
                cells.append(f"{ratios[p]:.1f} ({gap:.0e})" if np.isfinite(gap) else "failed")
            row = [
                f"{n}, {d}", f"{alpha:g}", f"{1e3 * seconds['ours']:.2f}", str(ours.nit),
                f"{ours.kkt_residual:.0e}", *cells,
            ]  # fmt: skip
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)


def paths(lines: list[str]) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    lines += [
        "| n, d | 101 starts, ms | largest residual | ratio of one conic solve each (CLARABEL) |",
        "|" + " --- |" * 4,
    ]
    scales = np.geomspace(1.0, 1e-10, 101)
    solver = "CLARABEL" if find_spec("cvxpy") else None
    for n, d in SIZES:
        A, y = problem(n, d)
        data = th.Regression(A, y)
        seconds, _, last = rounds(
            {"ours": lambda data=data: flow.limit_path(data, {"u": 1.0, "v": 1.0}, scales)}, 3
        )
        ratio = "not installed"
        if solver is not None:
            # a few of the starts stand for all: a hundred conic solves of the largest take minutes
            some = scales[:: 20 if d < 1000 else 50]
            begin = time.process_time()
            for alpha in some:
                conic(A, y, float(alpha), solver)()
            each = (time.process_time() - begin) / len(some)
            ratio = f"{101 * each / seconds['ours']:.0f}"
        worst = float(last["ours"].kkt_residual.max())
        lines.append(f"| {n}, {d} | {1e3 * seconds['ours']:.0f} | {worst:.0e} | {ratio} |")
        print(lines[-1], flush=True)


def flows(lines: list[str]) -> None:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    lines += [
        "| n, d | alpha | dual, s | primal / dual | error of dual | error of primal |",
        "|" + " --- |" * 6,
    ]
    for n, d, alpha in FLOWS:
        A, y = problem(n, d)
        data, start = th.Regression(A, y), {"u": alpha, "v": alpha}
        exact = flow.limit_point(data, start).x

        def run(mode: str, data=data, start=start) -> object:
            return flow.integrate(
                data, start, mode=mode, method="LSODA", rtol=1e-8, tol=1e-8, max_seconds=600
            )

        sides = {mode: (lambda mode=mode: run(mode)) for mode in ("dual", "primal")}
        seconds, ratios, last = rounds(sides, 3 if d < 1000 else 1)
        errors = [np.max(np.abs(last[m].end - exact)) / np.max(np.abs(exact)) for m in sides]
        lines.append(
            f"| {n}, {d} | {alpha:g} | {seconds['dual']:.3f} | {ratios['primal']:.1f} | "
            f"{errors[0]:.0e} | {errors[1]:.0e} |"
        )
        print(lines[-1], flush=True)


def main() -> None:
    warnings.filterwarnings("ignore")
    lines = [
        "# The limit point of u**2 - v**2",
        "",
        "Made by `OMP_NUM_THREADS=1 python -m benchmarks.limit_point`: CPU time, one thread,",
        "medians of rounds in one run. A ratio is the peer's time over ours, whole calls on both",
        "sides; the difference is the peer's solution against ours, relative to the largest entry.",
        "",
    ]
    limits(lines)
    lines += ["", "## A path of 101 starts from 1 to 1e-10", ""]
    paths(lines)
    lines += [
        "",
        "## Integrating until the residual is 1e-8: the dual against the primal",
        "",
        "LSODA with the analytic Jacobian and rtol 1e-8 on both sides; errors against the limit "
        "point.",
        "",
    ]
    flows(lines)
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
