"""``theory sweep CONFIG.toml``: the limit point or the trajectory of a flow over a grid."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from theory.cli_input import read_flow, read_pair
from theory.errors import DataError, DomainError, TheoryError, UnknownName
from theory.gradient_flow import GradientFlow
from theory.numeric.problem import Regression
from theory.numeric.sweep import SweepTable, sweep
from theory.numeric.table import read_table

__all__ = ["SweepConfig", "read_config", "run_sweep"]

_KEYS: dict[str, tuple[str, ...]] = {
    "flow": ("question", "formula", "start", "loss", "link", "assume", "rates", "until", "method"),
    "data": ("file", "target", "samples", "unknowns", "nonzero", "noise"),
    "run": ("file", "engine", "workers", "seconds", "memory", "seed"),
}
_RANDOM = ("samples", "unknowns", "nonzero", "noise")


@dataclass(frozen=True)
class SweepConfig:
    """What a configuration asks for.

    Parameters
    ----------
    flow, data, run : mapping
        The tables of the file.
    grid : mapping from name to values
    path : Path
        The file.
    """

    flow: Mapping[str, Any]
    data: Mapping[str, Any]
    run: Mapping[str, Any]
    grid: Mapping[str, list[Any]]
    path: Path


def read_config(path: str | Path) -> SweepConfig:
    """Read a configuration.

    Raises
    ------
    DataError
        For a file that is no TOML, an unknown table or key, and a value of the wrong kind.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}.") from error
    strange = sorted(set(tables) - {*_KEYS, "grid"})
    if strange:
        raise DataError(
            f"{path} has the unknown table [{strange[0]}]; known are [flow], [grid], [data], [run]."
        )
    for name in (*_KEYS, "grid"):
        if not isinstance(tables.get(name, {}), dict):
            raise DataError(f"Expected a table [{name}] in {path} but got {tables[name]!r}.")
    for name, keys in _KEYS.items():
        unknown = sorted(set(tables.get(name, {})) - set(keys))
        if unknown:
            raise DataError(
                f"[{name}] in {path} has the unknown key {unknown[0]!r}; known are "
                f"{', '.join(keys)}."
            )
    flow = tables.get("flow", {})
    for key in ("formula", "start"):
        if not isinstance(flow.get(key), str):
            raise DataError(f'Expected {key} = "..." in [flow] of {path}.')
    if flow.get("question", "limit") not in ("limit", "flow"):
        raise DataError(f"Expected question = 'limit' or 'flow' but got {flow['question']!r}.")
    data = tables.get("data", {})
    grid = {k: _axis(str(k), v) for k, v in tables.get("grid", {}).items()}
    random = {*data, *grid} & set(_RANDOM)
    if "file" in data and random:
        raise DataError(f"[data] has a file and {sorted(random)[0]}; use one of both.")
    if "file" not in data and not {"samples", "unknowns"} <= random:
        raise DataError(
            f"Expected [data] in {path} with a file, or with samples and unknowns for random data "
            "(either may be an axis of the grid)."
        )
    if not grid:
        raise DataError(f"Expected a table [grid] in {path} with at least one axis.")
    return SweepConfig(flow, data, tables.get("run", {}), grid, path)


def _axis(name: str, values: Any) -> list[Any]:
    """A list, ``{from, to, count, scale}`` or ``{count}``."""
    if isinstance(values, list):
        return values
    if not isinstance(values, dict) or not isinstance(values.get("count"), int):
        raise DataError(
            f"Expected a list or {{from, to, count, scale}} for {name} but got {values!r}."
        )
    unknown = sorted(set(values) - {"from", "to", "count", "scale"})
    if unknown or ("from" in values) != ("to" in values) or values["count"] < 1:
        raise DataError(f"Expected {{from, to, count, scale}} for {name} but got {values!r}.")
    count = values["count"]
    if "from" not in values:
        return list(range(count))
    low, high = float(values["from"]), float(values["to"])
    if values.get("scale", "linear") == "linear":
        return [float(v) for v in np.linspace(low, high, count)]
    if values["scale"] != "log" or low <= 0 or high <= 0:
        raise DomainError(
            f"Expected scale 'linear', or 'log' between positive ends, for {name}, got {values!r}."
        )
    return [float(v) for v in np.geomspace(low, high, count)]


def run_sweep(
    config: SweepConfig,
    *,
    engine: str | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    progress: bool | Callable[[int, int, int], None] = False,
) -> SweepTable:
    """Run a configuration; what is given here comes before the file's [run]."""
    run = dict(config.run)
    _check_names(config)
    function = functools.partial(
        _row,
        flow=dict(config.flow),
        data=dict(config.data) | _located(config),
        seed=int(run.get("seed", 0)),
    )
    file = run.get("file", config.path.with_suffix(".db").name)
    return sweep(
        function,
        config.grid,
        config.path.parent / str(file),
        engine=engine if engine is not None else run.get("engine", "loky"),
        workers=workers if workers is not None else run.get("workers"),
        seed=int(run.get("seed", 0)),
        seconds=run.get("seconds"),
        memory=run.get("memory"),
        retry_failed=retry_failed,
        progress=progress,
    )


def _located(config: SweepConfig) -> dict[str, Any]:
    if "file" not in config.data:
        return {}
    return {"file": str((config.path.parent / str(config.data["file"])).resolve())}


def _check_names(config: SweepConfig) -> None:
    """Every axis is used: by the start, by the data, or as the number of a trial."""
    _, start = _model(config.flow)
    used = {s.name for v in start.values() for s in v.free_symbols}
    missing = sorted(used - set(config.grid))
    if missing:
        raise UnknownName(f"The start uses {missing[0]}, which is no axis of [grid].")
    strange = sorted(set(config.grid) - used - {*_RANDOM, "trial"})
    if strange:
        raise UnknownName(
            f"The axis {strange[0]} of [grid] is used by nothing; axes are names in the start, "
            f"{', '.join(_RANDOM)}, or trial."
        )
    if "trial" in config.grid and "file" in config.data:
        raise UnknownName("The axis trial draws data, but [data] has a file.")


def _model(flow: Mapping[str, Any]) -> tuple[GradientFlow, dict[str, sp.Expr]]:
    assume = flow.get("assume", [])
    rho, start = read_flow(
        flow["formula"],
        flow["start"],
        [assume] if isinstance(assume, str) else assume,
        flow.get("rates"),
    )
    loss, link = read_pair(flow.get("loss", "squared"), flow.get("link", "identity"))
    return GradientFlow(rho, loss, link), start


def _row(
    *, flow: Mapping[str, Any], data: Mapping[str, Any], seed: int, **point: Any
) -> dict[str, Any]:
    """One point: the limit or the end of the trajectory, and its distance to what was planted."""
    model, start = _model(flow)
    problem, planted = _problem({**data, **point}, seed)
    values = {
        name: float(v.subs({s: sp.Float(point[s.name]) for s in v.free_symbols}))
        for name, v in start.items()
    }
    if flow.get("question", "limit") == "limit":
        limit = model.limit_point(problem, values)
        x, loss, success, message = limit.x, limit.loss, limit.success, limit.message
    else:
        run = model.integrate(
            problem, values, flow.get("until"), method=flow.get("method", "LSODA")
        )
        x, loss, success, message = run.end, float(run.loss[-1]), run.success, run.message
    if not success:
        raise TheoryError(message)
    largest = float(np.max(np.abs(x)))
    row: dict[str, Any] = {
        "loss": float(loss),
        "l1": float(np.abs(x).sum()),
        "l2": float(np.linalg.norm(x)),
        "nonzero": int(np.sum(np.abs(x) > 1e-3 * largest)),
    }
    if planted is not None:
        row["error"] = float(np.linalg.norm(x - planted) / np.linalg.norm(planted))
        row["excess"] = row["l1"] / float(np.abs(planted).sum()) - 1
    return row


def _problem(options: Mapping[str, Any], seed: int) -> tuple[Regression, np.ndarray | None]:
    """The table, or Gaussian data with a planted sparse solution: the same at every start."""
    if "file" in options:
        return read_table(options["file"], options.get("target")), None
    sizes = {}
    for name in ("samples", "unknowns", "nonzero"):
        value = options.get(name, options["unknowns"] if name == "nonzero" else None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise DataError(f"Expected {name} as a positive integer but got {value!r}.")
        sizes[name] = value
    n, d, k = sizes["samples"], sizes["unknowns"], sizes["nonzero"]
    if k > d:
        raise DataError(f"Expected nonzero <= unknowns = {d} but got {k}.")
    noise = float(options.get("noise", 0.0))
    if not noise >= 0:
        raise DataError(f"Expected noise >= 0 but got {noise!r}.")
    key = (seed, n, d, k, int(options.get("trial", 0)))
    rng = np.random.default_rng(np.random.SeedSequence(key))
    A = rng.standard_normal((n, d)) / np.sqrt(n)
    planted = np.zeros(d)
    support = rng.choice(d, k, replace=False)
    planted[support] = rng.uniform(0.5, 1.5, k) * rng.choice([-1.0, 1.0], k)
    return Regression(A, A @ planted + noise * rng.standard_normal(n)), planted
