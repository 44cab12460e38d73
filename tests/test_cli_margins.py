"""``theory margins``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from theory.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["margins", *arguments])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    rows = [f"{a:.17g},{b:.17g},{c:.17g},{int(a > 0)}" for a, b, c in X]
    file = tmp_path / "points.csv"
    file.write_text("a,b,c,label\n" + "\n".join(rows), encoding="utf-8")
    return file


def test_digits_have_a_winner_in_each_norm(tmp_path: Path) -> None:
    picture = tmp_path / "margins.png"
    done = run("--data", "digits:2,7", "--steps", "1500", "--plot", str(picture), "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["samples"] == 100 and result["degree"] == "2"
    assert result["largest"] == {
        "l1": "coordinate", "l2": "gd", "linf": "sign", "spectral": "spectral"
    }  # fmt: skip
    assert picture.stat().st_size > 10_000


def test_table_of_a_file(table: Path) -> None:
    done = run("--data", str(table), "--train", "10", "--layers", "8", "--algorithms",
               "gd,l3,adam,muon,shampoo", "--steps", "600", "--rate", "0.02")  # fmt: skip
    assert "20 samples of 3 inputs, 20 to test" in done.output
    for name in ("gd", "l3", "adam", "muon", "shampoo"):
        assert name in done.output


@pytest.mark.parametrize("layers", ["linear", "diagonal:2", "6,4"])
def test_networks(table: Path, layers: str) -> None:
    done = run("--data", str(table), "--layers", layers, "--algorithms", "gd", "--steps", "400",
               "--scale", "0.5", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (
        json.loads(done.stdout)["degree"] == {"linear": "1", "diagonal:2": "2", "6,4": "3"}[layers]
    )


def test_data_that_cannot_be_separated_are_reported(tmp_path: Path) -> None:
    file = tmp_path / "xor.csv"
    file.write_text("a,b,y\n1,1,1\n-1,-1,1\n1,-1,0\n-1,1,0\n", encoding="utf-8")
    done = run("--data", str(file), "--layers", "linear", "--algorithms", "gd", "--steps", "50")
    assert done.exit_code == 1 and "separable" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "missing.csv"], "Cannot read"),
        (["--data", "digits:2"], "two digits"),
        (["--data", "digits:2,2"], "two different digits"),
        (["--data", "digits:2,7", "--algorithms", "sgd"], "norm of th.norms"),
        (["--data", "digits:2,7", "--algorithms", ","], "algorithms"),
        (["--data", "digits:2,7", "--layers", "wide"], "--layers"),
        (["--data", "digits:2,7", "--activation", "tanh(z)"], "not homogeneous"),
        (["--data", "digits:2,7", "--train", "5000"], "5000 samples"),
        (["--data", "digits:2,7", "--steps", "200", "--at", "5000"], "more steps"),
        (["--data", "digits:2,7", "--steps", "20", "--plot", "no/where.png"], "Cannot write"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_bad_input(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output


def test_labels_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "three.csv"
    file.write_text("a,y\n1,1\n2,2\n3,3\n", encoding="utf-8")
    done = run("--data", str(file))
    assert done.exit_code == 2 and "3: 1, 2, 3" in done.output
