"""Trajectories by Taylor steps against the integrators that others use, in one run.

The flow of u**2 - v**2 on planted data with 101 outputs. Each row is the median over interleaved
rounds of CPU time, one thread, with the ratio to ours in the same round and the error against a
reference, relative to the largest x. Peers run with our tolerance, and again with the loosest one
that brings their error to 1e-9. What a peer compiles for the problem (heyoka, diffrax) is not
timed; on our side the prepared flow is timed alone and, in a row of its own, the whole call. Peers
that are not installed are named. Run ``OMP_NUM_THREADS=1 python -m benchmarks.trajectories``; the
table goes to ``benchmarks/trajectories.md``.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

import theory as th
from benchmarks.harness import rounds
from benchmarks.limit_point import problem

# samples, unknowns, start, relative residual at the end
CASES = [(20, 50, 1e-2, 1e-2), (20, 50, 1e-4, 1e-2), (20, 50, 1.0, 1e-8), (100, 1000, 1e-2, 1e-2)]
ROUNDS = 11
REPEATS = 5
RTOL = 1e-8
GOAL = 1e-9
FORMULA = th.Elementwise("u**2 - v**2", "u, v")


@dataclass
class Case:
    """Data, start, the times of the output, and x there."""

    A: np.ndarray
    y: np.ndarray
    alpha: float
    times: np.ndarray
    x: np.ndarray

    @property
    def d(self) -> int:
        return self.A.shape[1]

    @property
    def start(self) -> np.ndarray:
        return np.full(2 * self.d, self.alpha)

    def rate(self, _: float, state: np.ndarray) -> np.ndarray:
        u, v = state[: self.d], state[self.d :]
        g = 2 * ((self.A @ (u * u - v * v) - self.y) @ self.A)
        return np.concatenate([-u * g, v * g])

    def jacobian(self, _: float, state: np.ndarray) -> np.ndarray:
        u, v = state[: self.d], state[self.d :]
        inner = self.A.T @ self.A
        g = (self.A @ (u * u - v * v) - self.y) @ self.A
        uu, uv = -4 * u[:, None] * inner * u, 4 * u[:, None] * inner * v
        vv = -4 * v[:, None] * inner * v
        return np.block([[uu - 2 * np.diag(g), uv], [uv.T, vv + 2 * np.diag(g)]])

    def dual_rate(self, _: float, nu: np.ndarray) -> np.ndarray:
        return self.A @ (2 * self.alpha**2 * np.sinh(-4 * (nu @ self.A))) - self.y

    def dual_jacobian(self, _: float, nu: np.ndarray) -> np.ndarray:
        weight = 8 * self.alpha**2 * np.cosh(-4 * (nu @ self.A))
        return -(self.A * weight) @ self.A.T

    def predictor(self, states: np.ndarray) -> np.ndarray:
        """x of shape (d, nt) from the states of the primal."""
        return states[: self.d] ** 2 - states[self.d :] ** 2

    def from_dual(self, nu: np.ndarray) -> np.ndarray:
        return 2 * self.alpha**2 * np.sinh(-4 * (self.A.T @ nu))

    def error(self, x: np.ndarray) -> float:
        return float(np.max(np.abs(x - self.x)) / np.max(np.abs(self.x)))


def make_case(n: int, d: int, alpha: float, residual: float) -> Case:
    """The reference goes from output to output, so that no dense output is in it."""
    A, y = problem(n, d)
    case = Case(A, y, alpha, np.empty(0), np.empty((d, 0)))

    flow = th.GradientFlow(FORMULA)
    until = flow.integrate(
        th.Regression(A, y), {"u": alpha, "v": alpha}, method="Taylor", rtol=1e-12, tol=residual
    )
    case.times = np.linspace(0, until.t[-1], 101)
    state, rows = case.start, [case.start]
    for a, b in zip(case.times[:-1], case.times[1:], strict=True):
        piece = solve_ivp(case.rate, (a, b), state, "DOP853", rtol=1e-13, atol=1e-16 * alpha)
        state = piece.y[:, -1]
        rows.append(state)
    case.x = case.predictor(np.array(rows).T)
    return case


def ours(case: Case) -> dict[str, Callable[[], np.ndarray]]:
    flow = th.GradientFlow(FORMULA)
    data, start = th.Regression(case.A, case.y), {"u": case.alpha, "v": case.alpha}
    end, sides = float(case.times[-1]), {}
    backends = ["numba"] if find_spec("numba") else []
    for backend in (*backends, "numpy"):
        prepared = flow.prepare(data, start, method="Taylor", rtol=RTOL, backend=backend)
        sides[f"ours, {backend}"] = lambda p=prepared: p.predictors(case.times)
        sides[f"ours, {backend}, with laws, events, loss"] = lambda p=prepared: (
            p.run(end, t_eval=case.times).x
        )
    for backend in backends:
        sides["ours, numba, whole call"] = lambda: (
            flow.integrate(data, start, end, method="Taylor", rtol=RTOL, t_eval=case.times).x
        )
        tight = flow.prepare(data, start, method="Taylor", rtol=1e-13, backend=backend)
        sides["ours, numba, rtol 1e-13"] = lambda p=tight: p.predictors(case.times)
    return sides


Sides = dict[str, Callable[[], np.ndarray]]


def scipy_sides(case: Case, rtol: float = RTOL) -> Sides:
    span = (0.0, float(case.times[-1]))
    small = {"t_eval": case.times, "rtol": rtol}
    atol = case.alpha * rtol

    def primal(method: str, **more: object) -> Callable[[], np.ndarray]:
        return lambda: case.predictor(
            solve_ivp(case.rate, span, case.start, method, atol=atol, **small, **more).y
        )

    sides = {f"scipy {m}, primal": primal(m) for m in ("RK45", "DOP853")}
    if case.d < 1000:
        sides["scipy LSODA with Jacobian, primal"] = primal("LSODA", jac=case.jacobian)
    sides["scipy LSODA with Jacobian, dual"] = lambda: case.from_dual(
        solve_ivp(
            case.dual_rate, span, np.zeros(len(case.y)), "LSODA", jac=case.dual_jacobian,
            atol=0.1 * rtol, **small,
        ).y
    )  # fmt: skip
    return sides


def cvode(case: Case, rtol: float = RTOL) -> Sides:
    from sksundae.cvode import CVODE

    def solver(rate, jacobian, start, atol, x) -> Callable[[], np.ndarray]:
        def fill(t, y, out):
            out[:] = rate(t, y)

        def fill_jacobian(t, y, _, out):
            out[:] = jacobian(t, y)

        def solve() -> np.ndarray:
            run = CVODE(
                fill, method="BDF", rtol=rtol, atol=atol, max_num_steps=1_000_000,
                jacfn=fill_jacobian,
            ).solve(case.times, start)  # fmt: skip
            return x(run.y.T)

        return solve

    sides = {
        "CVODE BDF with Jacobian, dual": solver(
            case.dual_rate, case.dual_jacobian, np.zeros(len(case.y)), 0.1 * rtol, case.from_dual
        )
    }
    if case.d < 1000:
        sides["CVODE BDF with Jacobian, primal"] = solver(
            case.rate, case.jacobian, case.start, case.alpha * rtol, case.predictor
        )
    return sides


def heyoka(case: Case, rtol: float = RTOL) -> Sides:
    if case.d >= 1000:
        # a hundred thousand terms to compile
        return {}
    import heyoka as hy

    n, d = case.A.shape
    u, v = ([hy.make_vars(f"{c}{j}") for j in range(d)] for c in "uv")
    x = [a * a - b * b for a, b in zip(u, v, strict=True)]
    r = [
        hy.sum([float(case.A[i, j]) * x[j] for j in range(d)] + [hy.expression(-float(case.y[i]))])
        for i in range(n)
    ]
    g = [hy.sum([float(case.A[i, j]) * r[i] for i in range(n)]) for j in range(d)]
    system = [(u[j], -2.0 * u[j] * g[j]) for j in range(d)]
    system += [(v[j], 2.0 * v[j] * g[j]) for j in range(d)]
    solver = hy.taylor_adaptive(system, list(case.start), tol=rtol, compact_mode=True)

    def solve() -> np.ndarray:
        solver.time = 0.0
        solver.state[:] = case.start
        return case.predictor(solver.propagate_grid(case.times)[-1].T)

    return {"heyoka compact, primal (compiled before)": solve}


def diffrax(case: Case, rtol: float = RTOL) -> Sides:
    import diffrax as dx
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    A, y, d = jnp.array(case.A), jnp.array(case.y), case.d

    def rate(t, state, _):
        u, v = state[:d], state[d:]
        g = 2 * ((A @ (u * u - v * v) - y) @ A)
        return jnp.concatenate([-u * g, v * g])

    def run(start):
        return dx.diffeqsolve(
            dx.ODETerm(rate), dx.Tsit5(), 0.0, float(case.times[-1]), None, start,
            saveat=dx.SaveAt(ts=jnp.array(case.times)), max_steps=1_000_000,
            stepsize_controller=dx.PIDController(rtol=rtol, atol=case.alpha * rtol),
        ).ys  # fmt: skip

    compiled = jax.jit(run)
    start = jnp.array(case.start)
    compiled(start).block_until_ready()
    name = "diffrax Tsit5, primal (compiled before)"
    return {name: lambda: case.predictor(np.asarray(compiled(start)).T)}


PEERS = {"sksundae": cvode, "heyoka": heyoka, "diffrax": diffrax}


def peers(case: Case) -> tuple[Sides, list[str]]:
    """The sides of all installed peers at our tolerance, and the names of the others."""
    sides = scipy_sides(case)
    for name, make in PEERS.items():
        if find_spec(name):
            sides |= make(case)
    return sides, [name for name in PEERS if not find_spec(name)]


def accurate_peers(case: Case) -> Sides:
    """The same with the loosest tolerances that bring the error to `GOAL`, or the last tried."""
    sides: Sides = {}
    for make in (scipy_sides, *(m for name, m in PEERS.items() if find_spec(name))):
        open_names = set(make(case))
        for rtol in (1e-8, 1e-9, 1e-10, 1e-11, 1e-12):
            for name, run in make(case, rtol).items() if open_names else ():
                if name in open_names:
                    sides[name] = run
                    if case.error(run()) <= GOAL:
                        open_names.remove(name)
    return sides


def measure(case: Case, title: str) -> list[str]:
    others, missing = peers(case)
    sides = ours(case) | others
    sides |= {f"{name}, to {GOAL:g}": run for name, run in accurate_peers(case).items()}
    errors = {name: case.error(run()) for name, run in sides.items()}
    seconds, ratios = timed(sides)
    lines = ["", title, "", "| | ms | time over ours | error |", "| --- | --- | --- | --- |"]
    for name in sides:
        cells = f"{1e3 * seconds[name]:.2f} | {ratios[name]:.2f} | {errors[name]:.0e}"
        lines.append(f"| {name} | {cells} |")
    lines += [f"| {name} | not installed | | |" for name in missing]
    print("\n".join(lines), flush=True)
    return lines


def timed(sides: Sides) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of one call, and median ratios to the first side."""
    # a short run is below the resolution of the clock, so some of them count as one

    def some(run: Callable[[], np.ndarray]) -> Callable[[], None]:
        def several() -> None:
            for _ in range(REPEATS):
                run()

        return several

    seconds, ratios, _ = rounds({name: some(run) for name, run in sides.items()}, ROUNDS)
    return {name: s / REPEATS for name, s in seconds.items()}, ratios


def digits() -> list[str]:
    """Fifty digits of a small flow against mpmath's Taylor series, both on the same formula."""
    A, y = problem(3, 5, seed=3)
    # floats with few bits, so that both sides see the same numbers
    A, y = np.round(A * 64) / 64, np.round(y * 64) / 64
    flow, data = th.GradientFlow(FORMULA), th.Regression(A, y)
    start, end = {"u": "0.3", "v": "0.3"}, 5
    exact = flow.integrate(data, start, end, dps=80).x[:, -1]
    flow.limit_point(data, start, dps=30)
    lines = [
        "", "## Digits: n, d = 3, 5 from 0.3 until t = 5", "",
        "| | digits | s | time over ours | true error | estimate |", "|" + " --- |" * 6,
    ]  # fmt: skip

    def gap(x: np.ndarray) -> str:
        with mpmath.workdps(90):
            return mpmath.nstr(max(abs(a - b) for a, b in zip(x, exact, strict=True)), 2)

    base = 0.0
    for mode in ("dual", "primal"):
        begin = time.process_time()
        run = flow.integrate(data, start, end, dps=50, mode=mode)
        spent = time.process_time() - begin
        base = base or spent
        lines.append(
            f"| ours, {mode} | 50 | {spent:.3f} | {spent / base:.1f} | {gap(run.x[:, -1])} | "
            f"{mpmath.nstr(run.error, 2)} |"
        )
    begin = time.process_time()
    with mpmath.workdps(50):
        states = mpmath_flow(A, y, mpmath.mpf("0.3"))(mpmath.mpf(end))
        x = np.array([a * a - b * b for a, b in zip(states[:5], states[5:], strict=True)])
    spent = time.process_time() - begin
    backend = mpmath.libmp.BACKEND
    lines.append(
        f"| mpmath.odefun, primal ({backend} integers) | 50 | {spent:.2f} | {spent / base:.0f} | "
        f"{gap(x)} | none |"
    )
    begin = time.process_time()
    limit = flow.limit_point(data, start, dps=50)
    spent = time.process_time() - begin
    word = "proved" if limit.certified else "estimated"
    lines.append(
        f"| ours, limit point | 50 | {spent:.4f} | | | {mpmath.nstr(limit.error, 2)}, {word} |"
    )
    print("\n".join(lines), flush=True)
    return lines


def mpmath_flow(A: np.ndarray, y: np.ndarray, alpha: mpmath.mpf) -> Callable[..., list]:
    d = A.shape[1]
    rows = [[mpmath.mpf(float(a)) for a in row] for row in A]
    columns = [list(c) for c in zip(*rows, strict=True)]
    target = [mpmath.mpf(float(v)) for v in y]

    def rate(_: mpmath.mpf, state: list) -> list:
        u, v = state[:d], state[d:]
        x = [a * a - b * b for a, b in zip(u, v, strict=True)]
        r = [mpmath.fdot(row, x) - t for row, t in zip(rows, target, strict=True)]
        g = [2 * mpmath.fdot(column, r) for column in columns]
        return [-a * b for a, b in zip(u, g, strict=True)] + [
            a * b for a, b in zip(v, g, strict=True)
        ]

    return mpmath.odefun(rate, 0, [alpha] * (2 * d))


def main() -> None:
    warnings.filterwarnings("ignore")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    lines = [
        "# Trajectories of u**2 - v**2",
        "",
        "Made by `OMP_NUM_THREADS=1 python -m benchmarks.trajectories`: CPU time, one thread,",
        f"medians of {ROUNDS} interleaved rounds in one run, rtol {RTOL:g}, 101 outputs.",
        "Ratios are to the first row of the same round. Errors are the largest over all outputs, "
        "relative to the largest x, against DOP853 with rtol 1e-13 from output to output.",
    ]
    for n, d, alpha, residual in CASES:
        case = make_case(n, d, alpha, residual)
        title = f"## n, d = {n}, {d} from {alpha:g} until the residual is {residual:g}"
        lines += measure(case, f"{title}, t = {case.times[-1]:.3g}")
    lines += digits()
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
