"""The command line: answers, exit codes, one JSON object, and no traceback for bad input."""

import json

import pytest
from click.testing import CliRunner

from theory.cli import main


def call(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_derive_prints_the_whole_derivation():
    done = call("derive", "u**2 - v**2", "--start", "u=alpha, v=alpha")
    assert done.exit_code == 0
    for part in ("u*v = alpha**2", "Bregman divergence", "= Abs(x)", "= x**2"):
        assert part in done.stdout


def test_derive_writes_latex_and_json(tmp_path):
    file = tmp_path / "d.tex"
    done = call("derive", "u**2", "--start", "u=alpha", "--latex", str(file), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["steps"][0]["title"] == "Gradient flow"
    assert file.read_text().startswith(r"\documentclass")


def test_derive_markdown_and_constants_with_a_range():
    done = call("derive", "u**L", "--start", "u=alpha", "--assume", "L > 2", "--markdown")
    assert done.exit_code == 0 and done.stdout.startswith("## Gradient flow")


@pytest.mark.parametrize(
    ("statement", "options", "code", "status"),
    [
        ("sinh(t)**2 + 1 - cosh(t)**2", ("--assume", "t real"), 0, "PROVED"),
        ("log(x**2) == 2*log(x)", (), 1, "REFUTED"),
        ("sin(x) <= 1", (), 0, None),
        ("x > 0", ("--domain", "x > 1"), 0, "PROVED"),
    ],
)
def test_prove_answers_with_its_exit_code(statement, options, code, status):
    done = call("prove", statement, *options, "--json")
    assert done.exit_code == code
    if status:
        assert json.loads(done.stdout)["status"] == status


UV = ("--flow", "u**2 - v**2")
RUN = (*UV, "--start", "u=0.1, v=0.1", "--data", "DATA")
ENTROPY = "(x*asinh(x/(2*alpha**2)) - sqrt(x**2 + 4*alpha**4))/4"
ASKED = [
    ("conserved", ("u*v", *UV), "PROVED"),
    ("conserved", ("u + v", *UV), "REFUTED"),
    ("conserved", ("u*v", *UV, "--rates", "u=1, v=2"), "REFUTED"),
    ("mirror_potential", (ENTROPY, *UV, "--start", "u=alpha, v=alpha"), "PROVED"),
    ("mirror_potential", (f"2*{ENTROPY}", *UV, "--start", "u=alpha, v=alpha"), "REFUTED"),
    ("legendre", (*UV, "--start", "u=1, v=1"), "PROVED"),
    ("convex", ("x*log(x/y)", "--on", "x > 0 & y > 0"), "PROVED"),
    ("convex", ("c*x**2", "--assume", "c > 0"), "PROVED"),
    ("convex", ("x*y",), "REFUTED"),
    ("monotone", ("x**2", "--on", "0, oo"), "PROVED"),
    ("monotone", ("x**2",), "REFUTED"),
    ("limit", ("sin(t)/t", "--to", "0", "--value", "1"), "PROVED"),
    ("limit", ("abs(t)/t", "--to", "0", "--value", "1", "--dir", "+"), "PROVED"),
    ("limit", ("a*tanh(t)", "--to", "oo", "--value", "2*a", "--assume", "a > 0"), "REFUTED"),
    ("integral", ("exp(-a*x)", "--from", "0", "--to", "oo", "--value", "1/a", "--assume", "a > 0"),
     "PROVED"),
    ("integral", ("1/(1 + x**2)", "--from", "0", "--to", "oo", "--value", "pi"), "REFUTED"),
    ("limit_point", ("1/2, 1/2", *RUN), "PROVED"),
    ("limit_point", ("1, 0", *RUN), "REFUTED"),
    ("decreases", ("loss", *UV), "PROVED"),
    ("decreases", ("u + v", *UV, "--data", "DATA"), "REFUTED"),
    ("passes", ("x[0] in (0.4, 0.6); u in (0, 1)", *RUN, "--t", "2"), "PROVED"),
    ("passes", ("v[1] in (1, oo)", *RUN, "--t", "2"), "REFUTED"),
    ("drift", ("u*v", *RUN, "--t", "2", "--bound", "0"), "PROVED"),
    ("drift", ("u + v", *RUN, "--t", "2", "--bound", "0.1"), "REFUTED"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "arguments", "status"), ASKED)
def test_prove_asks_every_question(ask, arguments, status, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n1,1,1\n")
    done = call(
        "prove", *(str(path) if a == "DATA" else a for a in arguments), "--ask", ask, "--json"
    )
    assert done.exit_code == (1 if status == "REFUTED" else 0), done.output
    assert json.loads(done.stdout)["status"] == status


def test_every_question_has_an_option():
    from theory.cli import _ASKS
    from theory.cli_prove import QUESTIONS

    assert tuple(QUESTIONS) == _ASKS
    assert {ask for ask, _, _ in ASKED} == set(_ASKS)


def test_search_answers_with_its_exit_code(tmp_path):
    done = call("search", "x**2 >= x", "--json")
    assert done.exit_code == 1 and json.loads(done.stdout)["witness"] == {"x": "1/2"}
    done = call("search", "x**2 >= x", "--assume", "x > 1", "--examples", "50", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["status"] == "UNDECIDED"
    path = tmp_path / "all.toml"
    path.write_text(
        '[[conjecture]]\nname = "law"\nquestion = "conserved"\nstatement = "u + v"\n'
        'flow = "u**2 - v**2"\nparameters = "u, v"\n'
        '[[conjecture]]\nname = "square"\nstatement = "x**2 >= 0"\n'
    )
    done = call("search", "--file", str(path), "--examples", "50", "--json")
    rows = json.loads(done.stdout)["conjectures"]
    assert done.exit_code == 1 and [r["status"] for r in rows] == ["REFUTED", "UNDECIDED"]
    assert "law" in call("search", "--file", str(path), "--examples", "50").stdout


def test_laws_counts():
    done = call("laws", "u*v*w", "--json")
    assert json.loads(done.stdout)["complete"] is True
    assert "2 of 2" in call("laws", "u*v*w").stdout


def test_design_finds_the_square():
    done = call("design", "x*log(x) - x", "--on", "0, oo")
    assert done.exit_code == 0 and done.stdout.startswith("x = u**2/4")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,c,y\n1,2,3,1\n0,1,-1,0.5\n")
    return str(path)


def test_flow_ends_at_the_limit_point(table):
    done = call(
        "flow", "u**2 - v**2", "--start", "u=0.01, v=0.01", "--data", table, "--json"
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert done.exit_code == 0
    assert result["limit"]["distance_of_end"] < 1e-6
    assert result["norms"]["minimum l1"]["l1"] <= result["norms"]["limit"]["l1"]
    assert result["norms"]["minimum l2"]["l2"] <= result["norms"]["limit"]["l2"]


def test_flow_prints_a_table(table):
    done = call(
        "flow", "u**2 - v**2", "--start", "u=0.1, v=0.1", "--data", table, "--products", "2"
    )  # fmt: skip
    assert "interpolators" in done.stdout


def test_flow_on_inconsistent_data_ends_at_the_least_squares_solution(tmp_path):
    path = tmp_path / "tall.csv"
    path.write_text("a,b,y\n1,2,1\n0,1,3\n1,-1,2\n2,0,-1\n")
    done = call("flow", "u**2 - v**2", "--start", "u=0.1, v=0.1", "--data", str(path), "--json")
    result = json.loads(done.stdout)
    assert done.exit_code == 0
    assert result["limit"]["reachable"] is False
    assert result["limit"]["distance_of_end"] < 1e-5


BAD = [
    ("derive", "u**2 +", "--start", "u=1"),
    ("derive", "u**2", "--start", "v=1"),
    ("derive", "u**2", "--start", "u=0"),
    ("derive", "u**2", "--start", ""),
    ("derive", "u**2", "--start", "u=1, u=2"),
    ("derive", "u**2", "--start", "u=1", "--assume", "zeta real"),
    ("derive", "__import__('os')", "--start", "u=1"),
    ("derive", "u**2", "--start", "u=1", "--rates", "u=-1"),
    ("prove", ""),
    ("prove", "x =="),
    ("prove", "x == x", "--assume", "x green"),
    ("prove", "x == x", "--assume", "x >= 3"),
    ("prove", "exp(10**50*log(2)) > 0"),
    ("prove", "u", "--flow", "u**2"),
    ("prove", "u", "--ask", "conserved"),
    ("prove", "u", "--ask", "conserved", "--flow", "u**2", "--bound", "1"),
    ("prove", "u", "--ask", "nonsense"),
    ("prove", "a*t", "--ask", "limit", "--to", "0", "--value", "0"),
    (
        "prove",
        "x = 1",
        "--ask",
        "passes",
        "--flow",
        "u",
        "--start",
        "u=1",
        "--data",
        "d.csv",
        "--t",
        "1",
    ),
    ("prove", "loss", "--ask", "decreases", "--flow", "u", "--loss", "nothing"),
    ("search",),
    ("search", "x =="),
    ("search", "x > 0", "--examples", "0"),
    ("search", "x > 0", "--file", "nowhere.toml"),
    ("search", "--file", "nowhere.toml"),
    ("design", "x**2", "--on", "5"),
    ("laws", "3"),
    ("laws", "u", "--parameters", "w"),
    ("flow", "u**2", "--start", "u=1", "--data", "nowhere.csv"),
    ("check", "no_such_paper"),
    ("nonsense",),
]


@pytest.mark.parametrize("arguments", BAD, ids=[" ".join(a) for a in BAD])
def test_bad_input_is_one_line_and_exit_code_2(arguments):
    done = call(*arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert done.stdout == ""
    assert "rror: " in done.stderr


def test_check_reports_each_statement(tmp_path, monkeypatch):
    import theory.cli_check

    folder = tmp_path / "proofs_checks"
    folder.mkdir()
    (folder / "some2024_paper.py").write_text(
        "from types import SimpleNamespace as S\n"
        "def statements():\n"
        "    return [S(name='good', source='Lemma', check=lambda: (1, 1, True)),\n"
        "            S(name='bad', source='ours', check=lambda: 1/0)]\n"
    )
    monkeypatch.setattr(theory.cli_check, "_folder", lambda: folder)
    done = call("check", "some2024", "--json")
    rows = json.loads(done.stdout)["statements"]
    assert [r["ok"] for r in rows] == [True, False]
    assert "ZeroDivisionError" in rows[1]["result"] and done.exit_code == 1
