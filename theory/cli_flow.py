"""``theory flow``: integrate on a table, and compare with the limit point and with baselines."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rich.console import Console

from theory.cli_input import read_flow, read_pair, read_values
from theory.errors import DataError, InfeasibleTarget
from theory.gradient_flow import GradientFlow
from theory.numeric.integrate import FlowResult
from theory.numeric.interpolators import minimum_l1, minimum_l2
from theory.numeric.limit_point import LimitPoint
from theory.numeric.problem import Regression
from theory.numeric.table import expand_products, read_table
from theory.show.text import print_table

__all__ = ["report", "run_flow"]


def run_flow(
    formula: str,
    start: str,
    data: str,
    target: str | None,
    products: int | None,
    loss: str,
    link: str,
    end: float | None,
    constants: str | None,
    method: str,
    seconds: float,
    assume: tuple[str, ...],
    rates: str | None,
) -> dict[str, Any]:
    """Everything that the command reports, as plain data."""
    rho, values = read_flow(formula, start, assume, rates)
    if constants:
        values |= read_values(constants, {})
    flow = GradientFlow(rho, *read_pair(loss, link))
    problem = read_table(data, target)
    if products is not None:
        A, names = expand_products(problem.dense, problem.names, products)
        # the products have mean 0, so that the mean of the target is not in their range
        problem = Regression(A, _standardized(problem.y), names=names)
    limit, refusal = None, ""
    try:
        limit = flow.limit_point(problem, values)
    except InfeasibleTarget as error:
        refusal = str(error)
    run = _trajectory(flow, problem, values, end, limit, method, seconds)
    result: dict[str, Any] = {
        "formula": str(rho.formula),
        "samples": problem.n,
        "unknowns": problem.d,
        "t": float(run.t[-1]),
        "loss": float(run.loss[-1]),
        "laws": {
            str(law): drift
            for law, drift in zip(flow.conservation_laws().found, run.drift, strict=True)
        },
        "mode": run.mode,
        "nfev": run.nfev,
        "success": bool(run.success),
        "message": run.message,
        "x": run.end.tolist(),
        "names": list(problem.names),
    }
    if limit is None:
        result["limit"] = {"success": False, "message": refusal}
        return result
    size = max(float(np.linalg.norm(limit.x)), np.finfo(float).tiny)
    result["limit"] = {
        "success": bool(limit.success),
        "message": limit.message,
        "reachable": bool(limit.reachable),
        "loss": float(limit.loss),
        "kkt_residual": float(limit.kkt_residual),
        "x": limit.x.tolist(),
        "distance_of_end": float(np.linalg.norm(run.end - limit.x)) / size,
    }
    result["norms"] = {"limit": _norms(limit.x)}
    for name, baseline in (("minimum l2", minimum_l2), ("minimum l1", minimum_l1)):
        try:
            x = baseline(problem, limit.prediction)
        except DataError:
            continue
        result["norms"][name] = _norms(x) | {
            "distance_of_limit": float(np.linalg.norm(limit.x - x)) / size
        }
    return result


def _trajectory(
    flow: GradientFlow,
    problem: Regression,
    values: dict[str, Any],
    end: float | None,
    limit: LimitPoint | None,
    method: str,
    seconds: float,
) -> FlowResult:
    """The run to the given time, to interpolation, or, where none is possible, near the limit."""
    # tight enough that the distance to the limit point is about the flow, not about the solver
    options: dict[str, Any] = {"method": method, "max_seconds": seconds, "rtol": 1e-9, "tol": 1e-11}
    if end is not None or limit is None or limit.reachable:
        return flow.integrate(problem, values, end, **options)
    # nothing interpolates: longer and longer runs, until the end has come to rest at the limit
    span = 1.0 / max(float(np.linalg.norm(problem.dense, 2)) ** 2, np.finfo(float).tiny)
    deadline = time.monotonic() + seconds
    best = flow.integrate(problem, values, span, **options)
    while time.monotonic() < deadline:
        span *= 10.0
        run = flow.integrate(problem, values, span, **options)
        # the loss decreases along the flow: where it does not, the solver has lost it
        if not run.success or run.loss[-1] > best.loss[-1] * (1 + 1e-9):
            break
        best = run
        if np.linalg.norm(run.end - limit.x) <= 1e-6 * np.linalg.norm(limit.x):
            break
    return best


def _standardized(y: np.ndarray) -> np.ndarray:
    centered = y - y.mean()
    scale = float(centered.std())
    if scale == 0:
        raise DataError("The target is constant, so there is nothing to fit with --products.")
    return np.asarray(centered / scale)


def _norms(x: np.ndarray) -> dict[str, float]:
    largest = float(np.max(np.abs(x))) if x.size else 0.0
    return {
        "l1": float(np.abs(x).sum()),
        "l2": float(np.linalg.norm(x)),
        "nonzero": int(np.sum(np.abs(x) > 1e-3 * largest)),
    }


def report(result: dict[str, Any], console: Console) -> None:
    """Print the result for a reader."""
    console.print(
        f"x = {result['formula']} on {result['samples']} samples, {result['unknowns']} unknowns"
    )
    console.print(f"trajectory: {result['message']}")
    console.print(
        f"   t = {result['t']:.6g}, loss = {result['loss']:.3e}, {result['nfev']} evaluations "
        f"({result['mode']})"
    )
    for law, drift in result["laws"].items():
        console.print(f"   {law}: relative drift {drift:.1e}", markup=False)
    limit = result["limit"]
    console.print(f"limit point: {limit['message']}", markup=False)
    if "x" not in limit:
        return
    console.print(
        f"   loss = {limit['loss']:.3e}, relative distance of the trajectory's end "
        f"{limit['distance_of_end']:.1e}"
    )
    rows = [
        (
            name,
            f"{n['l1']:.6g}",
            f"{n['l2']:.6g}",
            str(n["nonzero"]),
            f"{n['distance_of_limit']:.3e}" if "distance_of_limit" in n else "",
        )
        for name, n in result["norms"].items()
    ]
    print_table(
        "interpolators", ("", "l1", "l2", "entries > 0.1 %", "distance of limit"), rows, console
    )
    order = np.argsort(-np.abs(limit["x"]))[:8]
    names = result["names"] or [f"x{i}" for i in range(result["unknowns"])]
    console.print("largest coefficients of the limit:")
    for i in order:
        console.print(f"   {names[i]}: {limit['x'][i]:.6g}", markup=False)
