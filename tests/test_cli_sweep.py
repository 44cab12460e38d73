"""``theory sweep``: from a configuration to a table and a picture."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import theory as th
from theory.cli import main
from theory.cli_sweep import read_config, run_sweep
from theory.errors import DataError
from theory.show.sweep_plot import plot_sweep

FLOW = """
[flow]
formula = "u**2 - v**2"
start = "u=alpha, v=alpha"
"""
DATA = """
[data]
samples = 8
unknowns = 20
nonzero = 2
"""
GRID = """
[grid]
alpha = {from = 1e-4, to = 1, count = 3, scale = "log"}
trial = {count = 2}
"""


def configuration(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def test_a_sweep_from_configuration_to_picture(tmp_path: Path) -> None:
    path = configuration(tmp_path, FLOW + GRID + DATA)
    options = ["--engine", "serial", "--csv", str(tmp_path / "a.csv")]
    first = CliRunner().invoke(
        main, ["sweep", str(path), *options, "--plot", str(tmp_path / "a.png"), "--json"]
    )
    assert first.exit_code == 0, first.output
    rows = json.loads(first.stdout)["points"]
    assert len(rows) == 6
    assert (tmp_path / "a.png").stat().st_size > 5000
    with open(tmp_path / "a.csv", newline="") as handle:
        assert [float(r["error"]) for r in csv.DictReader(handle)] == [r["error"] for r in rows]
    # a small start has the smaller norm, a large one the smaller distance to the start
    small, large = ([r for r in rows if r["alpha"] == a] for a in (1e-4, 1.0))
    for one, other in zip(small, large, strict=True):
        assert one["l1"] < other["l1"] and one["l2"] > other["l2"]
    again = CliRunner().invoke(main, ["sweep", str(path), "--engine", "serial", "--json"])
    assert json.loads(again.stdout)["points"] == rows


def test_the_data_of_a_trial_are_the_same_at_every_start(tmp_path: Path) -> None:
    path = configuration(tmp_path, FLOW + GRID + DATA)
    table = run_sweep(read_config(path), engine="serial")
    ratio = table.column("l1") / (1 + table.column("excess"))
    planted = {t: set(np.round(ratio[table.column("trial") == t], 12)) for t in (0, 1)}
    assert [len(s) for s in planted.values()] == [1, 1]
    assert planted[0] != planted[1]


def test_a_trajectory_on_a_table(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b,y\n1,2,1\n")
    text = (
        FLOW
        + 'question = "flow"\nuntil = 40.0\n'
        + '[grid]\nalpha = [0.1, 0.01]\n[data]\nfile = "data.csv"\n'
    )
    table = run_sweep(read_config(configuration(tmp_path, text)), engine="serial")
    problem = th.read_table(tmp_path / "data.csv")
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    for alpha, l1 in zip(table.column("alpha"), table.column("l1"), strict=True):
        x = flow.limit_point(problem, {"u": alpha, "v": alpha}).x
        assert l1 == pytest.approx(np.abs(x).sum(), rel=1e-5)


def test_a_point_that_fails_is_reported_and_the_others_are_there(tmp_path: Path) -> None:
    text = FLOW + "[grid]\nalpha = [0.1, 0.0]\n" + DATA
    result = CliRunner().invoke(
        main, ["sweep", str(configuration(tmp_path, text)), "--engine", "serial", "--json"]
    )
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)["points"]
    assert good["status"] == "ok"
    assert bad["status"] == "failed"
    assert "StartError" in bad["reason"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[flow\n", "is not TOML"),
        (FLOW + GRID + DATA + "[extra]\na = 1\n", "unknown table [extra]"),
        (FLOW + "bias = 3\n" + GRID + DATA, "unknown key 'bias'"),
        (GRID + DATA, 'Expected formula = "..." in [flow]'),
        (FLOW + 'question = "why"\n' + GRID + DATA, "Expected question = 'limit' or 'flow'"),
        (FLOW + GRID, "Expected [data]"),
        (FLOW + DATA, "Expected a table [grid]"),
        (FLOW + GRID + DATA + 'file = "a.csv"\n', "use one of both"),
        (FLOW + "[grid]\nalpha = 3\n" + DATA, "Expected a list or {from, to, count, scale}"),
        (
            FLOW + '[grid]\nalpha = {from = -1, to = 1, count = 3, scale = "log"}\n' + DATA,
            "positive ends",
        ),
        (FLOW + "[grid]\nbeta = [1]\n" + DATA, "The start uses alpha, which is no axis"),
        (FLOW + "[grid]\nalpha = [1]\nbeta = [1]\n" + DATA, "axis beta of [grid] is used by"),
        ("flow = 3\n" + GRID + DATA, "Expected a table [flow]"),
        (FLOW.replace("u**2", "__import__('os')") + GRID + DATA, "name that starts with a letter"),
    ],
)
def test_a_bad_configuration_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["sweep", str(configuration(tmp_path, text))])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_configuration_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["sweep", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "Cannot read" in result.stderr


# -- pictures -----------------------------------------------------------------------------------


def drawn(a: float, kind: str, trial: int) -> dict[str, object]:
    return {"y": a * (1 + trial) * (2.0 if kind == "x" else 3.0), "t": kind}


@pytest.fixture(scope="module")
def table() -> th.SweepTable:
    grid = {"a": [1.0, 10.0, 1000.0], "kind": ["x", "z"], "trial": [0, 1, 2]}
    return th.sweep(drawn, grid, engine="serial")


def test_the_picture_shows_medians_and_quartiles(table: th.SweepTable) -> None:
    axes = Figure().add_subplot()
    plot_sweep(axes, table, "y")
    lines = axes.get_lines()
    assert [line.get_label() for line in lines] == ["kind = x", "kind = z"]
    assert lines[0].get_xdata().tolist() == [1.0, 10.0, 1000.0]
    assert lines[0].get_ydata().tolist() == [4.0, 40.0, 4000.0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    band = axes.collections[0].get_paths()[0].vertices
    assert {3.0, 5.0} <= set(band[:, 1].tolist())


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        ("t", None, "The column 't' is not numeric"),
        ("y", "kind", "The column 'kind' is not numeric"),
        ("w", None, "no column 'w'"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(
    table: th.SweepTable, y: str, x: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        plot_sweep(Figure().add_subplot(), table, y, x)
