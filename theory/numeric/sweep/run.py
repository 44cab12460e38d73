"""The driver of a sweep."""

from __future__ import annotations

import functools
import hashlib
import inspect
import platform
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from theory.errors import DomainError, UnknownName
from theory.numeric.sweep.engines import Batch, engine
from theory.numeric.sweep.points import Grid, Point, key_of, read_grid
from theory.numeric.sweep.store import Store
from theory.numeric.sweep.supervisor import Outcome, Setting, SweepError
from theory.numeric.sweep.table import SweepTable

__all__ = ["sweep"]

# a batch takes about this long, so that the way to the worker costs little of it
_BATCH_SECONDS = 0.3
_LARGEST_BATCH = 256
_PACKAGES = ("numpy", "scipy", "sympy", "mpmath", "python-flint", "implicit-bias-theory")
_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9}


def sweep(
    function: Callable[..., Any],
    grid: Grid,
    path: str | Path | None = None,
    *,
    engine: Any = "loky",
    workers: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
    memory: int | str | None = None,
    version: str = "",
    retry_failed: bool = False,
    progress: bool | Callable[[int, int, int], None] = False,
) -> SweepTable:
    """Call a function at every point of a grid.

    Parameters
    ----------
    function : callable
        Called with the names of the grid as keywords, and with `rng`, a NumPy generator that
        depends on the seed and the point alone, when it has a parameter of that name. It returns a
        number, a text, an array of them, or a mapping from names to these.
    grid : mapping from name to values, or sequence of mappings
        The product of the values, or the points themselves.
    path : path of a file, optional
        Where rows are kept; a second call with the same file computes only what is missing.
        Without it they last as long as the call.
    engine : "loky", "serial", address of a Dask scheduler, or Dask client
    workers : int, optional
        Of "loky"; as many as there are processors unless given.
    seed : int
    seconds : float, optional
        Time limit of each point.
    memory : int or str, optional
        What each point may add to the memory of its process: bytes, or ``"512 MiB"``.
    version : str
        For what the function depends on beside its own source: data, other modules.
    retry_failed : bool
        Whether points that failed in an earlier call are tried again.
    progress : bool or callable
        A bar on stderr; or a function of the numbers of points that have ended, of all, and of the
        failed ones, called after each commit.

    Returns
    -------
    SweepTable

    Raises
    ------
    DataError
        For a grid or a file that is not one.
    UnknownName
        When the function does not take the names of the grid.
    DomainError
        For limits, workers or an engine that make no sense.
    SweepError
        When the file was made by another function or other versions, another process writes to it,
        or the function cannot be sent to another process.

    Examples
    --------
    >>> table = sweep(pow, [{"base": 2, "exp": 10}, {"base": 0.0, "exp": -1}], engine="serial")
    >>> print(table)
    2 points: 1 ok, 1 failed
    >>> table.values
    (1024, 'ZeroDivisionError: 0.0 cannot be raised to a negative power')
    """
    points, axes = read_grid(grid)
    takes_rng = _check_signature(function, points[0])
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DomainError(f"Expected a seed >= 0 but got {seed!r}.")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise DomainError(f"Expected a positive number of seconds but got {seconds!r}.")
    setting = Setting(
        _pickled(function), tuple(map(str, sys.path)), seed, takes_rng, seconds, _bytes(memory)
    )
    if path is not None:
        store = Store(path, _identity(function, seed, version))
        return _swept(store, setting, points, axes, engine, workers, retry_failed, progress)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "sweep.db", {})
        return _swept(store, setting, points, axes, engine, workers, retry_failed, progress)


def _swept(
    store: Store,
    setting: Setting,
    points: list[Point],
    axes: Mapping[str, list[Any]],
    name: Any,
    workers: int | None,
    retry_failed: bool,
    progress: bool | Callable[[int, int, int], None],
) -> SweepTable:
    try:
        keys = [key_of(p, setting.seed) for p in points]
        rows = store.rows()
        if retry_failed:
            rows = {k: row for k, row in rows.items() if row[0] != "failed"}
        wanted = dict(zip(keys, points, strict=True))
        todo = deque((k, p) for k, p in wanted.items() if k not in rows)
        ended = {k: rows[k] for k in wanted if k in rows}
        with _reporter(progress, len(keys)) as report:
            report(ended)
            if todo:
                with engine(name, workers) as used:
                    pace = _Pace(todo, used.workers)
                    for outcomes in used.outcomes(setting, pace.next_batch):
                        for outcome in outcomes:
                            store.add([(outcome, wanted[outcome.key])])
                            row = (outcome.status, outcome.value, outcome.seconds)
                            ended[outcome.key] = row
                        pace.learn(outcomes)
                        report(ended)
        return SweepTable(
            tuple(points),
            tuple(ended[k][0] for k in keys),
            tuple(ended[k][1] for k in keys),
            tuple(ended[k][2] for k in keys),
            axes,
        )
    finally:
        store.close()


class _Pace:
    """Batches as large as their points are short."""

    def __init__(self, todo: deque[tuple[str, Point]], workers: int) -> None:
        self.todo, self.workers, self.mean = todo, workers, _BATCH_SECONDS

    def next_batch(self) -> Batch | None:
        if not self.todo:
            return None
        size = int(min(_LARGEST_BATCH, max(1.0, _BATCH_SECONDS / max(self.mean, 1e-6))))
        # towards the end every worker still gets a share
        size = max(1, min(size, len(self.todo) // (2 * self.workers) or 1))
        return [self.todo.popleft() for _ in range(size)]

    def learn(self, outcomes: list[Outcome]) -> None:
        here = sum(o.seconds for o in outcomes) / len(outcomes)
        self.mean = 0.5 * self.mean + 0.5 * here


@contextmanager
def _reporter(
    progress: bool | Callable[[int, int, int], None], total: int
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    def failures(ended: Mapping[str, Any]) -> int:
        return sum(1 for row in ended.values() if row[0] == "failed")

    if callable(progress):
        yield lambda ended: progress(len(ended), total, failures(ended))
        return
    if not progress:
        yield lambda ended: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sweep", total=total, rate="", failed="")
        begin = time.monotonic()
        known: int | None = None

        def show(ended: Mapping[str, Any]) -> None:
            nonlocal known
            known = len(ended) if known is None else known
            spent = max(time.monotonic() - begin, 1e-9)
            bad = failures(ended)
            bar.update(
                task,
                completed=len(ended),
                rate=f"{(len(ended) - known) / spent:.3g}/s",
                failed=f"{bad} failed" if bad else "",
            )

        yield show


def _check_signature(function: Callable[..., Any], point: Point) -> bool:
    """Whether the function takes random numbers, once it is known to take the point."""
    if not callable(function):
        raise UnknownName(f"Expected a function but got {function!r}.")
    if "rng" in point:
        raise UnknownName("The name 'rng' is for the random numbers; the grid cannot use it.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    random = "rng" in signature.parameters
    try:
        signature.bind(**point, **({"rng": None} if random else {}))
    except TypeError as error:
        raise UnknownName(
            f"The function takes {signature} but the grid has the names {sorted(point)}: {error}."
        ) from error
    return random


def _pickled(function: Callable[..., Any]) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:
        raise SweepError(f"The function cannot be sent to another process: {error}.") from error


def _bytes(memory: int | str | None) -> int | None:
    if memory is None:
        return None
    if isinstance(memory, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", memory)
        if match and match[2].lower() in _UNITS:
            memory = int(float(match[1]) * _UNITS[match[2].lower()])
    if isinstance(memory, bool) or not isinstance(memory, int) or memory < 2**20:
        raise DomainError(f"Expected memory as bytes or '512 MiB', at least 1 MiB, got {memory!r}.")
    return memory


def _identity(function: Callable[..., Any], seed: int, version: str) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "function": _name(function),
        "source": hashlib.sha256(_source(function).encode()).hexdigest(),
        "version": version,
        "seed": seed,
        **versions,
    }


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _source(function: Callable[..., Any]) -> str:
    """What tells two functions apart: source, bound arguments, the values that it closes over."""
    if isinstance(function, functools.partial):
        bound = f"{function.args!r} {sorted(function.keywords.items())!r}"
        return f"{_source(function.func)}\n{_stable(bound)}"
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = _name(function) if code is None else f"{code.co_code.hex()} {code.co_consts!r}"
    cells = getattr(function, "__closure__", None) or ()
    values = [getattr(function, "__defaults__", None), *(c.cell_contents for c in cells)]
    return "\n".join([text, *(_stable(repr(v)) for v in values)])


def _stable(text: str) -> str:
    """Addresses of objects differ from one process to the next."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
