"""``theory laws``: formulas and networks, options, certificates in files, and wrong questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from theory.cli import main


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def answer(*arguments: str) -> dict[str, Any]:
    done = call("laws", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_one_formula_is_elementwise() -> None:
    done = call("laws", "u*v*w")
    assert "u**2 - v**2 is constant [PROVED]" in done.stdout
    assert "2 of 2 laws in closed form" in done.stdout


@pytest.mark.parametrize(
    "formulas", [("u*v", "u*w", "--parameters", "u,v,w"), ("u*v, u*w",), ("u*v", "u*w")]
)
def test_several_formulas_share_their_parameters(formulas: tuple[str, ...]) -> None:
    data = answer(*formulas)
    assert data["found"] == ["u**2 - v**2 - w**2"]
    assert data["complete"] is True and data["count"] == 1
    assert data["formulas"] == ["u*v", "u*w"]


def test_table_is_the_default() -> None:
    done = call("laws", "u*v", "u*w")
    assert "1 independent laws (complete), every loss and data set" in done.stdout
    assert "u**2 - v**2 - w**2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "parameters", "laws"),
    [
        (("linear:5,3,2",), 21, 6),
        (("linear:2,2",), 4, 0),
        (("relu:9,7,2",), 77, 7),
        (("relu:9,7,2", "--bias"), 84, 7),
        (("hadamard:3,2",), 6, 3),
        (("factorization:2,3,2",), 10, 3),
        (("symmetric:2,1",), 2, 0),
        (("nmf:2,3,2", "--degree", "1"), 10, 2),
        (("icnn:2,3,1", "--bias"), 12, 3),
        (("attention:2,1",), 8, 2),
        (("attention:2,1,2,heads=2",), 24, 8),
        (("circular-convolution:3",), 6, 2),
        (("linear_convolution:2,2",), 4, 1),
        (("softmax:3",), 3, 1),
        (("tanh:1,1", "--ansatz", "a1**2, sinh(w1)**2"), 2, 1),
        (("weight-normalization:2",), 3, 1),
        (("linear:1,2,1", "--momentum", "3/t"), 4, 2),
        (("linear:1,2,1", "--momentum", "0"), 4, 2),
        (("linear:2,1,2", "--weight-decay", "1/3"), 4, 1),
        (("linear:2,1,2", "--rates", "W1=2"), 4, 1),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else "",
)
def test_networks_and_options(arguments: tuple[str, ...], parameters: int, laws: int) -> None:
    data = answer("--network", *arguments)
    assert data["parameters"] == parameters
    assert len(data["found"]) == laws
    assert data["upper_bound"] >= laws


def test_rates_change_the_law() -> None:
    assert answer("u*v", "--rates", "u=4", "--degree", "2")["found"] == ["u**2 - 4*v**2"]
    assert answer("--network", "linear:1,1,1", "--rates", "W1=1/2")["found"] == [
        "2*W1_1**2 - W2_1**2"
    ]


def test_constants_and_assumptions() -> None:
    data = answer("u**L*v**L", "--parameters", "u,v", "--assume", "u > 0", "--assume", "v > 0",
                  "--assume", "L > 2", "--degree", "2")  # fmt: skip
    assert data["found"] == ["u**2 - v**2"]
    assert data["conditions"] == ["the bound holds for generic values of L"]


def test_friction_shrinks_the_law() -> None:
    data = answer("--network", "linear:1,2,1", "--momentum", "1/2")
    assert {d["factor"] for d in data["decaying"]} == {"exp(t/2)"}
    done = call("laws", "--network", "linear:2,1,2", "--weight-decay", "1/3")
    assert "shrinks like 1/(exp(2*t/3))" in done.stdout


def test_ansatz_with_negative_powers_and_logarithms() -> None:
    data = answer("u**2 + 3*v**2", "--ansatz", "laurent-log", "--degree", "1")
    assert data["complete"] is True and "log" in data["found"][0]


def test_symbolic_sizes_give_laws_of_matrices() -> None:
    data = answer("--network", "linear:n,r,m")
    assert data["matrix_laws"] == [{"law": "W1*W1.T - W2.T*W2", "shape": ["r", "r"]}]
    done = call("laws", "--network", "linear:n,r,s,m")
    assert "2 conserved matrices, for all sizes" in done.stdout


CERTIFIED = [
    ("u*v", "u*w"),
    ("u*v", "--rates", "u=2"),
    ("a*tanh(w)", "--ansatz", "a**2, sinh(w)**2"),
    ("--network", "relu:2,3,1", "--bias"),
    ("--network", "linear:1,2,1", "--momentum", "3/t"),
    ("--network", "linear:2,1,1", "--weight-decay", "2"),
]


def saved(tmp_path: Path, arguments: tuple[str, ...]) -> Path:
    file = tmp_path / "laws.json"
    done = call("laws", *arguments, "--certificate", str(file))
    assert done.exit_code == 0, done.output
    assert f"wrote {file}" in done.stderr
    return file


@pytest.mark.parametrize("arguments", CERTIFIED, ids=" ".join)
def test_certificate_replays(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = saved(tmp_path, arguments)
    done = call("replay", str(file), "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["accepted"] is True and data["found"] == answer(*arguments)["found"]
    assert call("replay", str(file)).stdout.startswith("replayed\n")


def law(r: dict[str, Any]) -> None:
    r["certificate"]["laws"][0]["terms"][0][0] += 1


def bound(r: dict[str, Any]) -> None:
    r["certificate"]["ranks"][-1] += 1
    r["certificate"]["upper_bound"] -= 1


def formulas(r: dict[str, Any]) -> None:
    r["question"]["formulas"] = ["u*v", "u*w + v"]


def code(r: dict[str, Any]) -> None:
    r["question"]["formulas"] = ["__import__('os').getcwd()"]


def drift(r: dict[str, Any]) -> None:
    r["question"]["momentum"] = "1"


def nothing(r: dict[str, Any]) -> None:
    del r["question"]["formulas"]


def no_record(r: dict[str, Any]) -> None:
    r["certificate"] = None


@pytest.mark.parametrize("change", [law, bound, formulas, code, drift, nothing, no_record],
                         ids=lambda f: f.__name__)  # fmt: skip
def test_changed_certificate_is_rejected(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    file = saved(tmp_path, ("u*v", "u*w"))
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    done = call("replay", str(file), "--json")
    assert done.exit_code == 1, done.output
    assert json.loads(done.stdout)["accepted"] is False
    assert call("replay", str(file)).stdout.startswith("REJECTED: ")


BAD = [
    ((), "Expected formulas"),
    (("u*v", "--network", "linear:2,2"), "without formulas"),
    (("u*v", "--bias"), "--bias belongs to --network"),
    (("--network", "linear:2,2", "--bias"), "not to linear"),
    (("--network", "mlp:2,2"), "Unknown network 'mlp'"),
    (("--network", "linear:2"), "at least 2 widths but got 1"),
    (("--network", "linear:2,0,2"), "positive widths but got 0"),
    (("--network", "linear:2,-3,2"), "positive widths but got -3"),
    (("--network", "linear:2,2.5,2"), "'2.5'"),
    (("--network", "linear:2,,2"), "Expected a size but got ''"),
    (("--network", "linear:2,2,heads=2"), "no option 'heads'"),
    (("--network", "nmf:1,2"), "wrong number of sizes"),
    (("--network", "relu:2,r,2"), "integer widths"),
    (("--network", "linear:n,m", "--momentum", "1"), "--momentum needs integer sizes"),
    (("--network", "softmax:2", "--rates", "u1=2"), "not to softmax"),
    (("--network", "linear:2,2", "--rates", "W9=2"), "'W9'"),
    (("--network", "linear:2,2", "--rates", "W1=-2"), "W1 but got -2"),
    (("--network", "linear:2,2", "--degree", "0"), "degree of at least 1 but got 0"),
    (("--network", "linear:9,9,9", "--degree", "9"), "GiB"),
    (("--network", "linear:2,2", "--ansatz", "q**2"), "Unknown name q"),
    (("--network", "linear:2,2", "--momentum", "-1"), "not negative but got -1"),
    (("--network", "linear:2,2", "--momentum", "1", "--weight-decay", "1"), "either"),
    (("--network", "linear:2,2", "--weight-decay", "0"), "positive weight decay but got '0'"),
    (("--network", "linear:2,2", "--parameters", "u"), "without formulas and their options"),
    (("abs(u)*v", "v"), "has a kink"),
    (("u*v", "w", "--parameters", "u,v,q"), "do not contain the parameter q"),
    (("3", "4"), "(none)"),
    (("u*v", "w", "--assume", "q > 0"), "--assume names q"),
    (("__import__('os')", "v"), "__import__"),
    (("u*v", "u*w", "--certificate", "no/such/folder/x.json"), "Cannot write"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    done = call("laws", *arguments)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert done.stdout == ""
    assert message in done.stderr


@pytest.mark.parametrize(
    ("law", "options", "status"),
    [
        ("u**2 - v**2 - w**2", (), "PROVED"),
        ("u**2 - v**2", (), "REFUTED"),
        ("u**2 - v**2 - 2*w**2", ("--rates", "v=1, w=1/2"), "PROVED"),
    ],
)
def test_prove_asks_about_several_formulas(
    tmp_path: Path, law: str, options: tuple[str, ...], status: str
) -> None:
    file = str(tmp_path / "law.json")
    asked = ("prove", law, "--ask", "conserved", "--flow", "u*v, u*w", *options)
    done = call(*asked, "--json", "--certificate", file)
    assert done.exit_code == (0 if status == "PROVED" else 1), done.output
    assert json.loads(done.stdout)["status"] == status
    assert call("replay", file).stdout.startswith(f"{status}, replayed")
