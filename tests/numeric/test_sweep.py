"""Sweeps: the same rows in every engine, after every kill, and beside every bad point."""

from __future__ import annotations

import csv
import functools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import theory as th
from tests.nightly import NIGHTLY
from tests.numeric.sweep_functions import counted, logistic, poison
from theory.errors import DataError, DomainError, ShapeError, UnknownName
from theory.numeric.sweep import SweepError
from theory.numeric.sweep.points import key_of, read_grid

GRID = {"rate": [0.5, 1.0, 2.0], "start": np.geomspace(1e-3, 0.1, 4)}


def rows_of(path: Path) -> list[tuple[str, ...]]:
    """Everything in the file that is not a time."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        # a kill may come before the first row, and before the tables
        if not connection.execute("select 1 from sqlite_master where name = 'rows'").fetchone():
            return []
        return connection.execute(
            "select key, point, status, value from rows order by key"
        ).fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, ...]]:
    path = tmp_path_factory.mktemp("sweep") / "serial.db"
    table = th.sweep(logistic, GRID, path, engine="serial", seed=3)
    assert set(table.status) == {"ok"}
    return rows_of(path)


@pytest.mark.parametrize("workers", [1, 2])
def test_loky_gives_the_rows_of_the_serial_run(
    workers: int, reference: list[tuple[str, ...]], tmp_path: Path
) -> None:
    th.sweep(logistic, GRID, tmp_path / "a.db", workers=workers, seed=3)
    assert rows_of(tmp_path / "a.db") == reference


def test_a_cluster_gives_the_rows_of_the_serial_run(
    reference: list[tuple[str, ...]], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        th.sweep(logistic, GRID, tmp_path / "client.db", engine=client, seed=3)
        th.sweep(logistic, GRID, tmp_path / "address.db", engine=cluster.scheduler_address, seed=3)
    assert rows_of(tmp_path / "client.db") == reference
    assert rows_of(tmp_path / "address.db") == reference


def test_the_random_numbers_depend_on_seed_and_point_alone() -> None:
    few = th.sweep(logistic, [{"rate": 2.0, "start": 0.1}], engine="serial", seed=3)
    many = th.sweep(logistic, GRID, engine="serial", seed=3)
    other = th.sweep(logistic, [{"rate": 2.0, "start": 0.1}], engine="serial", seed=4)
    place = many.points.index({"rate": 2.0, "start": 0.1})
    assert few.values[0] == many.values[place]
    assert other.values[0] != few.values[0]


@pytest.mark.parametrize("engine", ["serial", "loky"])
def test_a_bad_point_costs_itself(engine: str) -> None:
    table = th.sweep(
        poison, {"k": range(13)}, engine=engine, workers=2, seconds=2.0, memory="400 MiB"
    )
    assert table.failed == {
        1: "the process was killed by SIGKILL",
        2: "TimeoutError: more than 2 s",
        3: f"MemoryError: more than {400 * 2**20:,} bytes",
        4: "ValueError: four",
        5: "TypeError: expected numbers, texts, truth values, or mappings and arrays of these, "
        "but the function returned object",
        6: "the process ended with exit code 0",
        8: "SystemExit: eight",
    }
    assert table.values[0] == 0.0
    assert table.values[7] == 7 * 0.1
    assert table.values[9] == "x" * 10**6
    assert np.isnan(table.values[10])
    assert table.values[12] == 12 * 0.1


def test_a_second_call_computes_what_is_missing(tmp_path: Path) -> None:
    function = functools.partial(counted, folder=str(tmp_path))
    path = tmp_path / "a.db"
    first = th.sweep(function, {"k": range(5)}, path, engine="serial")
    assert first.failed == {3: "RuntimeError: not yet"}
    more = th.sweep(function, {"k": range(7)}, path, engine="serial")
    assert [(tmp_path / str(k)).read_text() for k in range(7)] == ["x"] * 7
    assert more.failed == {3: "RuntimeError: not yet"}
    (tmp_path / "healed").touch()
    healed = th.sweep(function, {"k": range(7)}, path, engine="serial", retry_failed=True)
    assert healed.values == (0, 1, 4, 9, 16, 25, 36)
    assert [(tmp_path / str(k)).read_text() for k in range(7)] == ["x", "x", "x", "xx", *"xxx"]


def test_rows_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    def square(k: int) -> int:
        return k * k

    def cube(k: int) -> int:
        return k * k * k

    th.sweep(square, {"k": [1]}, path, engine="serial")
    assert th.sweep(square, {"k": [1, 2]}, path, engine="serial").values == (1, 4)
    with pytest.raises(SweepError, match=r"function was .*square.* and is .*cube"):
        th.sweep(cube, {"k": [1]}, path, engine="serial")
    with pytest.raises(SweepError, match="seed was 0 and is 1"):
        th.sweep(square, {"k": [1]}, path, engine="serial", seed=1)
    with pytest.raises(SweepError, match='version was "" and is "data of May"'):
        th.sweep(square, {"k": [1]}, path, engine="serial", version="data of May")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("update meta set value = '\"0.1\"' where name = 'scipy'")
    connection.close()
    with pytest.raises(SweepError, match=r'scipy was "0\.1" and is'):
        th.sweep(square, {"k": [1]}, path, engine="serial")


@pytest.mark.parametrize("power", [2, 3])
def test_what_a_function_closes_over_is_part_of_it(power: int, tmp_path: Path) -> None:
    def raised(k: int, to: int) -> int:
        return k**to

    def closed(n: int):
        return lambda k: k**n

    th.sweep(closed(2), {"k": [3]}, tmp_path / "a.db", engine="serial")
    th.sweep(functools.partial(raised, to=2), {"k": [3]}, tmp_path / "b.db", engine="serial")
    again = [
        lambda: th.sweep(closed(power), {"k": [3]}, tmp_path / "a.db", engine="serial"),
        lambda: th.sweep(
            functools.partial(raised, to=power), {"k": [3]}, tmp_path / "b.db", engine="serial"
        ),
    ]
    for call in again:
        if power == 2:
            assert call().values == (9,)
        else:
            with pytest.raises(SweepError, match="source was"):
                call()


def test_two_drivers_do_not_share_a_file(tmp_path: Path) -> None:
    def plus(k: int) -> int:
        return k + 1

    def inside(ended: int, total: int, failed: int) -> None:
        with pytest.raises(SweepError, match="Another process is running the sweep"):
            th.sweep(plus, {"k": [2]}, tmp_path / "a.db", engine="serial")

    th.sweep(plus, {"k": [1]}, tmp_path / "a.db", engine="serial", progress=inside)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["loky", "serial"] if NIGHTLY else ["loky"])
def test_a_killed_sweep_loses_nothing_that_it_has_shown(engine: str, tmp_path: Path) -> None:
    kills = int(os.environ.get("THEORY_KILLS", "3"))
    draw = random.Random(engine)
    path, acknowledged = tmp_path / "killed.db", tmp_path / "acknowledged"
    root = Path(__file__).parents[2]

    def command(db: Path, note: Path) -> list[str]:
        module = "tests.numeric.sweep_functions"
        return [sys.executable, "-m", module, str(db), str(note), engine]

    environment = os.environ | {"PYTHONPATH": str(root)}
    done = 0
    while done < kills:
        process = subprocess.Popen(
            command(path, acknowledged), env=environment, cwd=root, start_new_session=True
        )
        try:
            process.wait(timeout=draw.uniform(0.2, 3.0))
            # it came to its end before the kill: begin anew
            for name in (path, acknowledged):
                name.unlink()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
        shown = acknowledged.read_text().split() if acknowledged.exists() else []
        if path.exists():
            assert len(rows_of(path)) >= int(shown[-1] if shown else 0)
    for db in (path, tmp_path / "whole.db"):
        subprocess.run(
            command(db, tmp_path / "note"), env=environment, cwd=root, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    assert len(rows_of(path)) == 150
    assert rows_of(path) == rows_of(tmp_path / "whole.db")


# -- the grid -----------------------------------------------------------------------------------


def test_a_point_is_known_by_its_values_not_by_its_place() -> None:
    points, axes = read_grid({"a": [1, 2.5], "b": ["x", True]})
    assert points[1] == {"a": 1, "b": True}
    assert axes == {"a": [1, 2.5], "b": ["x", True]}
    assert key_of({"a": 1, "b": "x"}, 0) == key_of({"b": "x", "a": 1}, 0)
    assert len({key_of({"a": v}, 0) for v in (1, 1.0, "1", True)}) == 4


@pytest.mark.parametrize(
    ("grid", "kind", "message"),
    [
        ({}, DataError, "The grid has no points"),
        ([], DataError, "The grid has no points"),
        ({"k": []}, DataError, "The axis 'k' of the grid has no values"),
        ({"k": "abc"}, DataError, "Expected a list of values for 'k' but got 'abc'"),
        ({"k": 3}, DataError, "Expected a list of values for 'k' but got 3"),
        ({"k": [float("nan")]}, DataError, "got k = nan"),
        ({"k": [1, [2]]}, DataError, r"got k = \[2\]"),
        ({"k": [1, 2, 1]}, DataError, "The points 0 and 2 of the grid are the same"),
        ({"status": [1]}, DataError, "The name 'status' is a column of every table"),
        (
            [{"k": 1}, {"j": 1}],
            ShapeError,
            r"Expected the names \['k'\] at every point but point 1",
        ),
        ({"k": [1], "extra": [2]}, UnknownName, r"takes \(k: .*\) .* but the grid has the names"),
        ({"rng": [1]}, UnknownName, "'rng' is for the random numbers"),
        ({"other": [1]}, UnknownName, "missing a required argument: 'k'"),
    ],
)
def test_a_bad_grid_is_an_error(grid: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        th.sweep(poison, grid, engine="serial")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "threads"}, "Expected 'serial', 'loky'"),
        ({"workers": 0}, "Expected workers >= 1 but got 0"),
        ({"workers": 1.5}, "Expected workers >= 1 but got 1.5"),
        ({"seconds": 0}, "Expected a positive number of seconds but got 0"),
        ({"seconds": float("nan")}, "got nan"),
        ({"memory": "lots"}, "Expected memory as bytes or '512 MiB'"),
        ({"memory": 1000}, "at least 1 MiB"),
        ({"seed": -1}, "Expected a seed >= 0 but got -1"),
    ],
)
def test_a_bad_option_is_an_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        th.sweep(poison, {"k": [0]}, **options)  # type: ignore[arg-type]


def test_a_function_that_cannot_be_sent_is_an_error() -> None:
    lock = __import__("threading").Lock()
    with pytest.raises(SweepError, match="cannot be sent to another process"):
        th.sweep(lambda k: lock, {"k": [1]}, engine="serial")
    with pytest.raises(UnknownName, match="Expected a function but got 3"):
        th.sweep(3, {"k": [1]})  # type: ignore[arg-type]


def test_no_scheduler_at_an_address_is_an_error() -> None:
    with pytest.raises(SweepError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        th.sweep(poison, {"k": [0]}, engine="tcp://127.0.0.1:9")


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    other = tmp_path / "a.db"
    other.write_text("not a database, but long enough to be taken for one" * 50)
    before = other.read_text()
    with pytest.raises(DataError, match="is not the file of a sweep"):
        th.sweep(poison, {"k": [0]}, other, engine="serial")
    assert other.read_text() == before
    with pytest.raises(DataError, match="Cannot write"):
        th.sweep(poison, {"k": [0]}, tmp_path / "no" / "folder.db", engine="serial")


# -- the table ----------------------------------------------------------------------------------


def mixed(a: int, b: str) -> object:
    if a == 2 and b == "y":
        raise ValueError("no")
    return {"f": a / 3, "i": a, "t": b, "v": [1.0, 2.0]}


@pytest.fixture(scope="module")
def table() -> th.SweepTable:
    return th.sweep(mixed, {"a": [1, 2], "b": ["x", "y"]}, engine="serial")


def test_columns(table: th.SweepTable) -> None:
    assert table.names == ("a", "b", "f", "i", "t", "v")
    assert table.column("a").tolist() == [1, 1, 2, 2]
    assert table.column("f")[:3].tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert np.isnan(table.column("f")[3])
    assert table.column("t").tolist() == ["x", "y", "x", None]
    assert str(table) == "4 points: 3 ok, 1 failed"
    with pytest.raises(DataError, match="no column 'g'; columns: a, b, f, i, t, v"):
        table.column("g")


def test_csv_keeps_all_digits(table: th.SweepTable, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert float(rows[0]["f"]) == 1 / 3
    assert (rows[3]["status"], rows[3]["reason"]) == ("failed", "ValueError: no")


def test_other_formats(table: th.SweepTable, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert frame["f"].tolist()[:3] == [1 / 3, 1 / 3, 2 / 3]
    table.to_parquet(tmp_path / "a.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "a.parquet")[["a", "b", "f"]],
                                      frame[["a", "b", "f"]])  # fmt: skip
    data = table.to_xarray()
    assert float(data["f"].sel(a=2, b="x")) == 2 / 3
    listed = th.sweep(mixed, [{"a": 1, "b": "x"}], engine="serial")
    with pytest.raises(ShapeError, match="no product of axes"):
        listed.to_xarray()


@pytest.mark.parametrize("name", ["a", "status", "reason"])
def test_a_result_never_replaces_another_column(name: str) -> None:
    def clash(a: int) -> dict[str, int]:
        return {name: 5, "y": 1}

    table = th.sweep(clash, {"a": [1]}, engine="serial")
    assert table.failed == {0: f"the result {name!r} has the name of another column"}


def test_values_are_json(table: th.SweepTable) -> None:
    assert json.loads(json.dumps(table.records()))[0]["v"] == [1.0, 2.0]
