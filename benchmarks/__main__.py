"""One table of all ratios: ``OMP_NUM_THREADS=1 python -m benchmarks [NAME ...] [--markdown FILE]``.

Every row is measured in one process, both sides in each round, as CPU time on one thread; a ratio
is the median over the rounds of the peer's time over ours. Names pick rows by their beginning.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import mpmath
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

import theory as th
from benchmarks import batches as batch_runs
from benchmarks import trajectories
from benchmarks.harness import HEADER, Row, rounds
from benchmarks.limit_point import conic, problem
from theory.numeric.closed_curve import closed_curve
from theory.numeric.dual_curve import numeric_curve
from theory.numeric.limit_compiled import MOST_WORK
from theory.numeric.objective import compile_objective
from theory.numeric.systems import DualSystem

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
CONIC = {(20, 50): "10", (50, 200): "20", (100, 1000): "100"}


def _solvers() -> list[str]:
    if not find_spec("cvxpy"):
        return []
    import cvxpy as cp

    return [s for s in ("CLARABEL", "ECOS") if s in cp.installed_solvers()]


def _compiled(n: int, d: int) -> bool:
    """Whether limit points of this size are for compiled code."""
    return bool(find_spec("numba")) and n * n * d <= MOST_WORK


def limit_points() -> Iterator[Row]:
    for (n, d), asked in CONIC.items():
        A, y = problem(n, d)
        data = th.Regression(A, y)
        for alpha in (1.0, 1e-2, 1e-4, 1e-8, 1e-12):
            # a new start in each call: nothing that depends on it is in a cache
            starts = iter(alpha * (1 + 1e-3 * np.arange(1000)))

            def ours(backend: str = "auto", data=data, starts=starts) -> object:
                a = float(next(starts))
                return FLOW.limit_point(data, {"u": a, "v": a}, backend=backend)

            sides: dict[str, Callable[[], object]] = {"ours": ours}
            if _compiled(n, d):
                sides["ours in NumPy"] = lambda ours=ours: ours("numpy")
            sides |= {s: conic(A, y, alpha, s) for s in _solvers()}
            many = {"count": 7, "repeats": 5} if d < 1000 else {"count": 3}
            seconds, ratios, last = rounds(sides, **many)
            found = last["ours"]
            peers: dict[str, float | None] = {s: ratios[s] for s in sides if s != "ours"}
            yield Row(
                "limit point" + (" (numba)" if _compiled(n, d) else ""), f"{n}, {d}; {alpha:g}",
                seconds["ours"], peers or {"Clarabel": None}, f"{found.kkt_residual:.0e}", asked,
            )  # fmt: skip


def limit_paths() -> Iterator[Row]:
    scales = np.geomspace(1.0, 1e-10, 101)
    for n, d in CONIC:
        A, y = problem(n, d)
        data = th.Regression(A, y)

        def ours(backend: str = "auto", data=data) -> object:
            return FLOW.limit_path(data, {"u": 1.0, "v": 1.0}, scales, backend=backend)

        sides: dict[str, Callable[[], object]] = {"ours": ours}
        if _compiled(n, d):
            sides["ours in NumPy"] = lambda ours=ours: ours("numpy")
        seconds, ratios, last = rounds(sides, 5)
        ratio = None
        if "CLARABEL" in _solvers():
            some = scales[:: 10 if d < 1000 else 50]
            spent = []
            for alpha in some:
                begin = time.process_time()
                conic(A, y, float(alpha), "CLARABEL")()
                spent.append(time.process_time() - begin)
            ratio = 101 * statistics.mean(spent) / seconds["ours"]
        worst = float(last["ours"].kkt_residual.max())
        peers: dict[str, float | None] = {s: r for s, r in ratios.items() if s != "ours"}
        yield Row(
            "path of 101 starts, 1 to 1e-10", f"{n}, {d}", seconds["ours"],
            {"Clarabel, one by one": ratio} | peers, f"{worst:.0e}", "100",
        )  # fmt: skip


def vertices() -> Iterator[Row]:
    for n, d in ((50, 200), (100, 1000), (200, 5000)):
        A, y = problem(n, d)
        data = th.Regression(A, y)
        columns = np.hstack([A, -A])
        sides: dict[str, Callable[[], object]] = {
            "ours": lambda data=data: FLOW.vanishing_start(data, {"u": 1.0, "v": 1.0}),
            "HiGHS": lambda columns=columns, y=y: linprog(
                np.ones(columns.shape[1]), A_eq=columns, b_eq=y, method="highs-ds"
            ),
        }
        seconds, ratios, last = rounds(sides, 5 if d < 5000 else 2)
        x = last["HiGHS"].x
        gap = np.max(np.abs(last["ours"].x - (x[:d] - x[d:])))
        yield Row(
            "vanishing start, certified", f"{n}, {d}", seconds["ours"], {"HiGHS": ratios["HiGHS"]},
            f"margin {last['ours'].margin:.2g}, to HiGHS {gap:.0e}", "8" if d >= 1000 else "",
        )  # fmt: skip


def dual_flows() -> Iterator[Row]:
    cases = [
        ("u**2 - v**2", 20, 50, 1.0, "0.8"), ("u**2 - v**2", 20, 50, 1e-2, "0.8"),
        ("u**2 - v**2", 50, 200, 1e-4, "4"), ("u**2 - v**2", 100, 1000, 1e-2, "10"),
        ("u**2 - v**2", 100, 1000, 1e-4, "40"), ("u**3 - v**3", 100, 1000, 0.1, "5"),
        ("u**6 - v**6", 50, 200, 0.1, "5"), ("u**6 - v**6", 100, 1000, 0.3, "5"),
        ("u**2 - v**2", 200, 5000, 1e-4, "finishes"),
    ]  # fmt: skip
    for formula, n, d, alpha, asked in cases:
        flow = th.GradientFlow(th.Elementwise(formula, "u, v"))
        A, y = problem(n, d)
        data, start = th.Regression(A, y), {"u": alpha, "v": alpha}
        exact = flow.limit_point(data, start).x

        def run(mode: str, method: str, flow=flow, data=data, start=start) -> object:
            return flow.integrate(
                data, start, mode=mode, method=method, rtol=1e-8, tol=1e-8, max_seconds=60
            )

        how = {
            "dual": ("dual", "auto"), "dual LSODA": ("dual", "LSODA"),
            "primal LSODA": ("primal", "LSODA"),
        }  # fmt: skip
        if d == 5000:
            del how["primal LSODA"]
        sides = {name: (lambda w=w, run=run: run(*w)) for name, w in how.items()}
        seconds, ratios, last = rounds(sides, 3 if d < 1000 else 1)
        errors = [
            f"{np.max(np.abs(last[m].end - exact)) / np.max(np.abs(exact)):.0e}"
            if last[m].success
            else last[m].message
            for m in how
        ]
        peers: dict[str, float | None] = {m: ratios[m] for m in how if m != "dual"}
        peers |= {} if "primal LSODA" in peers else {"primal LSODA (60 s)": np.inf}
        yield Row(
            f"dual, {formula} ({last['dual'].method})", f"{n}, {d}; {alpha:g}", seconds["dual"],
            peers, ", ".join(errors), asked,
        )  # fmt: skip


def right_hand_sides() -> Iterator[Row]:
    for n, d in ((100, 1000), (200, 5000), (500, 20000)):
        A, y = problem(n, d)
        data, start = th.Regression(A, y), {"u": 1e-2, "v": 1e-2}
        curve = numeric_curve(
            FLOW.elementwise, start, d, closed_form=closed_curve(FLOW.elementwise, start)
        )
        system = DualSystem(curve, data, compile_objective(FLOW, data.y), curve.theta0)
        nu, x = 1e-3 * np.ones(n), np.ones(d)
        z, g = np.empty(n), np.empty(d)
        count = 200 if d == 1000 else 20 if d == 5000 else 3

        def ours(system=system, nu=nu, count=count) -> None:
            for _ in range(count):
                system.rhs(nu)

        def floor(A=A, x=x, nu=nu, z=z, g=g, count=count) -> None:
            for _ in range(count):
                np.dot(A, x, z)
                np.dot(nu, A, g)

        seconds, ratios, _ = rounds({"ours": ours, "two products": floor}, 41)
        yield Row(
            "one right-hand side", f"{n}, {d}", seconds["ours"] / count,
            {"two products with A": ratios["two products"]},
            f"ours {1 / ratios['two products']:.2f} of the products", "at least 1/1.5",
        )  # fmt: skip


def huge() -> Iterator[Row]:
    n, d = 200, 1_000_000
    rng = np.random.default_rng(0)
    A = sparse.random_array((n, d), density=0.01, rng=rng, data_sampler=rng.standard_normal)
    x = np.zeros(d)
    x[rng.choice(d, 20, replace=False)] = rng.uniform(0.5, 1.5, 20)
    data = th.Regression(sparse.csr_array(A), A @ x)
    for alpha in (1e-2, 1e-8):
        begin = time.process_time()
        limit = FLOW.limit_point(data, {"u": alpha, "v": alpha})
        spent = time.process_time() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        yield Row(
            "limit point, sparse 1 %", f"{n}, {d}; {alpha:g}", spent, {},
            f"{limit.kkt_residual:.0e}; peak memory of the process {memory:.2f} GiB",
            "60 s, 2 GiB",
        )  # fmt: skip


def batches() -> Iterator[Row]:
    yield from batch_runs.trajectories()
    case = batch_runs.make_case()
    batch, starts, m = case.batch, case.starts, case.starts.shape[1]
    n, d = case.A.shape
    for alpha in (1.0, 1e-2, 1e-6):
        here = {"u": alpha * starts[0], "v": alpha * starts[1]}
        members = [batch.member(i) for i in range(m)]

        def one_by_one(here=here, members=members) -> list[object]:
            return [
                FLOW.limit_point(p, {"u": here["u"][i], "v": here["v"][i]})
                for i, p in enumerate(members)
            ]

        seconds, ratios, last = rounds(
            {"ours": lambda here=here: FLOW.limit_batch(batch, here), "loop": one_by_one}, 3
        )
        worst = float(last["ours"].kkt_residual.max())
        yield Row(
            "256 limit points", f"{n}, {d}; {alpha:g}", seconds["ours"],
            {"loop of limit_point": ratios["loop"]}, f"{worst:.0e}",
        )  # fmt: skip


def trajectory_rows() -> Iterator[Row]:
    asked = {"RK45": "25", "heyoka": "4", "diffrax": "2", "CVODE": "7"}
    for n, d, alpha, residual in trajectories.CASES:
        case = trajectories.make_case(n, d, alpha, residual)
        sides = trajectories.ours(case)
        base = next(iter(sides))
        others, missing = trajectories.peers(case)
        kinds = {"": others}
        if d == 50:
            kinds[f", to {trajectories.GOAL:g}"] = trajectories.accurate_peers(case)
        for kind, some in kinds.items():
            here = {base: sides[base]} | some
            errors = {name: case.error(side()) for name, side in here.items()}
            seconds, ratios = trajectories.timed(here)
            yield Row(
                f"101 outputs of a trajectory ({base}){kind}", f"{n}, {d}; {alpha:g}",
                seconds[base], {k: v for k, v in ratios.items() if k != base}
                | dict.fromkeys(missing), ", ".join(f"{e:.0e}" for e in errors.values()),
                ", ".join(f"{k} {v}" for k, v in asked.items()) if d == 50 else "",
            )  # fmt: skip
            if d == 50 and base != "ours, numpy":
                both = {"ours, numpy": sides["ours, numpy"]}
                both |= {k: v for k, v in some.items() if "RK45" in k}
                errors = {name: case.error(side()) for name, side in both.items()}
                seconds, ratios = trajectories.timed(both)
                yield Row(
                    f"101 outputs of a trajectory (ours, numpy){kind}", f"{n}, {d}; {alpha:g}",
                    seconds["ours, numpy"],
                    {k: v for k, v in ratios.items() if k != "ours, numpy"},
                    ", ".join(f"{e:.0e}" for e in errors.values()), "RK45 2",
                )  # fmt: skip


def digit_rows() -> Iterator[Row]:
    A, y = problem(3, 5, seed=3)
    A, y = np.round(A * 64) / 64, np.round(y * 64) / 64
    data, start = th.Regression(A, y), {"u": "0.3", "v": "0.3"}
    FLOW.integrate(data, start, 1, dps=30)
    for dps in (30, 50, 100):
        begin = time.process_time()
        run = FLOW.integrate(data, start, 5, dps=dps)
        spent = time.process_time() - begin
        peers: dict[str, float | None] = {}
        if dps == 50:
            begin = time.process_time()
            with mpmath.workdps(dps):
                trajectories.mpmath_flow(A, y, mpmath.mpf("0.3"))(mpmath.mpf(5))
            backend = mpmath.libmp.BACKEND
            peers[f"odefun on {backend}"] = (time.process_time() - begin) / spent
        yield Row(
            f"trajectory to {dps} digits", "3, 5; T = 5", spent, peers,
            f"estimate {mpmath.nstr(run.error, 2)}", "30" if dps == 50 else "",
        )  # fmt: skip
    begin = time.process_time()
    limit = FLOW.limit_point(data, start, dps=50)
    yield Row(
        "limit point to 50 digits", "3, 5", time.process_time() - begin, {},
        f"{mpmath.nstr(limit.error, 2)}, {'proved' if limit.certified else 'estimated'}",
    )  # fmt: skip


def growth() -> Iterator[Row]:
    """Our own time alone, as sizes grow."""
    for n, d in ((10, 100), (20, 1000), (40, 10_000), (80, 20_000), (400, 2000)):
        A, y = problem(n, d)
        data = th.Regression(A, y)
        for alpha in (1e-2, 1e-6):
            start = {"u": alpha, "v": alpha}
            seconds, _, last = rounds(
                {"ours": lambda data=data, start=start: FLOW.limit_point(data, start)}, 3
            )
            yield Row(
                "growth of a limit point", f"{n}, {d}; {alpha:g}", seconds["ours"], {},
                f"{last['ours'].kkt_residual:.0e}",
            )  # fmt: skip
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 10)) / np.sqrt(5)
    for m in (16, 64, 256, 1024):
        batch = th.Batch(A, (A @ rng.standard_normal((10, m))).T)
        start = {"u": 0.5, "v": 0.5}
        sides = {
            "limits": lambda batch=batch, start=start: FLOW.limit_batch(batch, start),
            "runs": lambda batch=batch, start=start: FLOW.integrate_batch(batch, start, 5.0),
        }
        seconds, _, _ = rounds(sides, 3)
        yield Row("growth of a batch of limits", f"5, 10; {m} members", seconds["limits"], {})
        yield Row("growth of a batch of runs", f"5, 10; {m} members", seconds["runs"], {})


SECTIONS = {
    # first: its memory is the largest of the process so far
    "huge": huge,
    "limit": limit_points,
    "path": limit_paths,
    "vertex": vertices,
    "dual": dual_flows,
    "right-hand side": right_hand_sides,
    "batch": batches,
    "trajectory": trajectory_rows,
    "digits": digit_rows,
    "growth": growth,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SECTIONS)}; all unless given")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    unknown = [n for n in options.names if not any(s.startswith(n) for s in SECTIONS)]
    if unknown:
        parser.error(f"no section begins with {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    warnings.filterwarnings("ignore")
    print(HEADER)
    lines = [HEADER]
    for name, section in SECTIONS.items():
        if options.names and not any(name.startswith(n) for n in options.names):
            continue
        for row in section():
            lines.append(row.text())
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
