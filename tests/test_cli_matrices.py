"""``theory complete`` and ``theory network``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from theory.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    M = np.outer(rng.standard_normal(12), rng.standard_normal(12))
    rows = [["" if rng.random() < 0.3 else f"{v:.17g}" for v in row] for row in M]
    file = tmp_path / "matrix.csv"
    file.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    return file


def test_methods_on_one_split(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "full.csv"
    done = run(
        "complete", str(table), "--method", "nuclear", "--method", "bias", "-o", str(out), "--json"
    )
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    nuclear, bias = result["methods"]
    assert result["shape"] == [12, 12] and result["held_out"] > 5
    assert nuclear["test_rmse"] < 0.1 * bias["test_rmse"]
    assert np.loadtxt(out, delimiter=",").shape == (12, 12)


def test_table_says_what_the_effects_alone_do_better(tmp_path: Path) -> None:
    file = tmp_path / "additive.csv"
    rng = np.random.default_rng(1)
    M = rng.standard_normal(30)[:, None] + rng.standard_normal(30) + rng.standard_normal((30, 30))
    np.savetxt(file, M, delimiter=",")
    done = run("complete", str(file), "--holdout", "0.6", "--method", "bias",
               "--method", "soft-impute")  # fmt: skip
    assert "Not better than row and column effects alone: soft-impute" in done.output


def test_ratings(tmp_path: Path) -> None:
    file = tmp_path / "ratings.dat"
    rng = np.random.default_rng(0)
    lines = [f"{u}::{i}::{rng.integers(1, 6)}::1" for u in range(12) for i in range(10)]
    file.write_text("\n".join(lines), encoding="utf-8")
    done = run("complete", str(file), "--ratings", "--densest", "8", "6", "--clip", "1", "5",
               "--center", "effects", "--method", "bias", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["shape"] == [8, 6]


def test_network_reports_its_plateaus() -> None:
    done = run("network", "3,5,5,3", "--sigma", "3,2,1", "--alpha", "0.02", "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert [p["rank"] for p in result["plateaus"]] == [0, 1, 2]
    assert [p["loss"] for p in result["plateaus"]] == pytest.approx([7, 2.5, 0.5], rel=0.01)
    assert sorted(result["half_times"].values()) == list(result["half_times"].values())
    shown = run("network", "3,5,3", "--sigma", "3,2,1", "--gamma", "6").output
    assert "singular values at the end: 3, 2, " in shown


def test_network_on_a_file(table: Path) -> None:
    done = run("network", "12,12,12", "--target", str(table), "--alpha", "0.1", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["half_times"] == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["network", "3"], "at least two positive integers"),
        (["network", "3,x"], "widths as 5,10,10,5"),
        (["network", "3,3"], "either --target FILE or --sigma"),
        (["network", "3,3", "--sigma", "1,2,3,4"], "at most 3 singular values"),
        (["network", "3,3", "--sigma", "a"], "--sigma as 4,3,2,1"),
        (["network", "2,2,2", "--sigma", "1", "--alpha", "0"], "scale > 0"),
        (["network", "2,2,2", "--sigma", "1", "--alpha", "1", "--gamma", "1"], "exactly one of"),
    ],
)
def test_wrong_networks(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "magic"], "'magic'"),
        (["--holdout", "2"], "share < 1"),
        (["--densest", "2", "2"], "--densest together with --ratings"),
        (["--method", "bias", "--method", "deep", "--depth", "3"], "one method only"),
        (["--method", "bias", "--depth", "3"], "but got depth"),
        (["--clip", "1", "0"], "low < high"),
        (["--method", "bias", "-o", "/nowhere/out.csv"], "Cannot write"),
    ],
)
def test_wrong_completions(table: Path, arguments: list[str], says: str) -> None:
    done = run("complete", str(table), *arguments)
    assert done.exit_code == 2
    assert says in done.output
