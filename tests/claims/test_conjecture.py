"""Conjectures: their verdicts, what rescues them, and their files."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import theory as th
from theory.cli import main
from theory.errors import DataError, TheoryError

ROOT = th.Conjecture("root", "sqrt(x**2) == x", source="folklore")
LAW = th.Conjecture(
    "law",
    "u*v",
    {"L": "(1, oo)", "u": "positive", "v": "positive"},
    question="conserved",
    flow="u**L - v**L",
    parameters="u, v",
)
BALANCED = th.Conjecture(
    "hyperbolic entropy",
    "(x*asinh(x/(2*alpha**2)) - sqrt(x**2 + 4*alpha**4))/4",
    {"alpha": "positive", "beta": "positive"},
    question="mirror_potential",
    flow="u**2 - v**2",
    parameters="u, v",
    start="u=alpha, v=beta",
)
OTHERS = [
    th.Conjecture("legendre", question="legendre", flow="u**2", parameters="u", start="u=1"),
    th.Conjecture("convex", "a*x**2 + exp(x)", {"a": "real"}, question="convex", on="(-1, 1)"),
    th.Conjecture("monotone", "x**2", question="monotone"),
    th.Conjecture(
        "rates", "u*v", question="conserved", flow="u*v", parameters="u v", rates="u=1, v=2"
    ),
    th.Conjecture('quotes " \\ \n and \x7f \u00e9 \U0001f600', "x >= 0", {"x": "[0, 1]"}, "x < 1"),
]


def hypotheses(conjecture):
    return [h for h, _ in conjecture.rescue()]


def test_a_root_of_a_square_needs_a_nonnegative_base():
    assert ROOT.decide().refuted
    assert hypotheses(ROOT) == ["x > 0", "x > 1", "0 < x < 1"]


def test_a_proved_conjecture_needs_no_rescue():
    proved = th.Conjecture("pythagoras", "sin(t)**2 + cos(t)**2 == 1")
    assert proved.decide().proved and proved.rescue() == ()


def test_the_product_is_conserved_at_depth_two_only():
    assert LAW.decide().refuted and hypotheses(LAW) == ["L = 2"]


def test_depth_two_is_no_hypothesis_where_it_is_excluded():
    deep = th.Conjecture(
        "deep", "u*v", {**LAW.assume, "L": "(2, oo)"}, question="conserved", flow=LAW.flow,
        parameters="u, v",
    )  # fmt: skip
    assert hypotheses(deep) == []


def test_the_hyperbolic_entropy_needs_a_balanced_start():
    assert BALANCED.decide().refuted and hypotheses(BALANCED) == ["a balanced start"]


def test_an_order_of_two_symbols_rescues():
    """|x - y| = y - x exactly where x <= y."""
    assert hypotheses(th.Conjecture("gap", "abs(x - y) == y - x")) == ["x < y"]


def test_a_rescue_by_an_empty_domain_does_not_count():
    """Under x > y nothing satisfies x < y, where everything would hold."""
    assert "x < y" not in hypotheses(th.Conjecture("gap", "abs(x - y) == y - x", domain="x > y"))


def test_all_symbols_positive_is_not_said_of_a_negative_one():
    c = th.Conjecture("signs", "sqrt(x**2*y**2) == x*y", {"x": "negative"})
    assert "all symbols positive" not in hypotheses(c)
    both = th.Conjecture("signs", "sqrt(x**2*y**2) == x*y")
    assert "all symbols positive" in hypotheses(both)


def test_a_closed_end_stays_in_the_question():
    """x**2 < x holds inside of (0, 1) and fails at the end 1 of (0, 1]."""
    c = th.Conjecture("closed", "x**2 < x", {"x": "[0, 1]"})
    assert c.decide().refuted
    assert "x > 0" not in hypotheses(c)


def test_a_variable_is_rescued_by_its_interval():
    """The derivative 2 x of x^2 keeps its sign on either side of 0."""
    assert hypotheses(OTHERS[2]) == ["x > 0", "x > 1", "0 < x < 1"]


def test_a_constant_is_rescued_by_its_sign():
    c = th.Conjecture("parabola", "a*x**2", {"a": "real"}, question="convex")
    assert c.decide().refuted and "a > 0" in hypotheses(c)


@pytest.mark.parametrize("conjecture", [ROOT, LAW, BALANCED, *OTHERS], ids=lambda c: c.name[:8])
def test_toml_round_trip(conjecture, tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(conjecture.to_toml(), encoding="utf-8")
    assert th.read_conjectures(path) == (conjecture,)


def test_a_file_of_all_conjectures_keeps_their_order(tmp_path):
    path = tmp_path / "all.toml"
    everything = (ROOT, LAW, BALANCED, *OTHERS)
    path.write_text("\n".join(c.to_toml() for c in everything), encoding="utf-8")
    assert th.read_conjectures(path) == everything


HEAD = '[[conjecture]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table"),
        ("x = ", "not TOML"),
        ("\x00", "not TOML"),
        ('title = "t"\n' + HEAD, "'title'"),
        ("conjecture = 3", "write conjecture as tables"),
        ('[conjecture]\nname = "a"', "write conjecture as tables"),
        ("conjecture = [1]", "write conjecture as tables"),
        ('[[conjecture]]\nstatement = "x"', "table 1: the key 'name' is missing"),
        (HEAD, r"table 1 \('a'\): the key 'statement' is missing"),
        (HEAD + 'statement = "x"\nstatment = "y"', "unknown key 'statment'"),
        (HEAD + "statement = 3", "text for the key 'statement' but got 3"),
        (HEAD + 'statement = "x"\nassume = "x real"', "table for the key 'assume'"),
        (HEAD + 'statement = "x"\nassume = {x = 1}', "'assume.x' but got 1"),
        (HEAD + 'statement = "x"\nquestion = "solve"', "unknown question 'solve'"),
        (HEAD + 'statement = "x"\nquestion = []', "text for the key 'question'"),
        (HEAD + 'statement = "u"\nquestion = "conserved"\nparameters = "u"', "'flow' is missing"),
        (HEAD + 'statement = "x"\non = "(0, 1)"', "does not take on"),
        (HEAD + 'statement = ""', "needs statement"),
        (HEAD + 'statement = "x"\n' + HEAD + 'statement = "y"', "table 2: two conjectures"),
        ('[[conjecture]]\nname = " "\nstatement = "x"', "needs a name"),
        ("a = " + "[" * 5000, "not TOML|nested"),
    ],
)  # fmt: skip
def test_bad_files_name_the_table_and_the_key(text, message, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        th.read_conjectures(path)


def test_a_missing_file_and_one_that_is_not_text(tmp_path):
    with pytest.raises(DataError, match="Cannot read"):
        th.read_conjectures(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(DataError, match="not UTF-8"):
        th.read_conjectures(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "conjecture",
    [
        th.Conjecture("code", "__import__('os').system('true') == 0"),
        th.Conjecture("word", "x == x", {"x": "green"}),
        th.Conjecture("start", question="legendre", flow="u**2", parameters="u", start="v=1"),
        th.Conjecture("empty", question="legendre", flow="u**2", parameters="u", start="u="),
        th.Conjecture(
            "rate", "u", question="conserved", flow="u*v", parameters="u, v", rates="u=-1"
        ),
        th.Conjecture("on", "x**2", question="convex", on="everywhere"),
    ],
    ids=lambda c: c.name,
)
def test_bad_formulas_are_errors_and_not_verdicts(conjecture):
    with pytest.raises(TheoryError):
        conjecture.decide()


@pytest.mark.parametrize(
    ("conjectures", "code"), [([ROOT, LAW], 1), ([OTHERS[0]], 0)], ids=["refuted", "proved"]
)
def test_command_line_reads_a_file(conjectures, code, tmp_path):
    path = tmp_path / "all.toml"
    path.write_text("".join(c.to_toml() for c in conjectures), encoding="utf-8")
    done = CliRunner().invoke(main, ["prove", "--file", str(path), "--json"])
    assert done.exit_code == code
    rows = json.loads(done.stdout)["conjectures"]
    assert [r["name"] for r in rows] == [c.name for c in conjectures]
    assert [[h["hypothesis"] for h in r["rescue"]] for r in rows] == [
        hypotheses(c) for c in conjectures
    ]
    table = CliRunner().invoke(main, ["prove", "--file", str(path)])
    assert table.exit_code == code and conjectures[0].name in table.stdout


@pytest.mark.parametrize(
    "arguments",
    [(), ("x == x", "--file", "x.toml"), ("--file", "none.toml"), ("--file", "x", "--domain", "x")],
    ids=["nothing", "both", "missing file", "domain"],
)
def test_command_line_refuses(arguments):
    assert CliRunner().invoke(main, ["prove", *arguments]).exit_code == 2


def test_command_line_names_the_conjecture_with_a_bad_formula(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(th.Conjecture("broken", "x ==").to_toml(), encoding="utf-8")
    done = CliRunner().invoke(main, ["prove", "--file", str(path)])
    assert done.exit_code == 2 and "broken" in done.stderr
