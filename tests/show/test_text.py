"""Terminal output: plain where there is no terminal, and brackets are no markup."""

import io

from rich.console import Console

from theory.claims.prove import prove
from theory.show.derivation import Derivation, Step
from theory.show.text import print_derivation, print_table, print_verdict


def shown(function, *arguments):
    buffer = io.StringIO()
    function(*arguments, Console(file=buffer, width=100, highlight=False))
    return buffer.getvalue()


def test_verdict_is_printed_as_its_text():
    verdict = prove("x == 2*x")
    assert shown(print_verdict, verdict).strip() == str(verdict)


def test_brackets_in_statements_survive():
    derivation = Derivation("x in [0, 1)", (Step(1, "[red]", ("a[0] = [b]",), "because [c]"),))
    text = shown(print_derivation, derivation)
    assert all(part in text for part in ("x in [0, 1)", "[red]", "a[0] = [b]", "[c]"))


def test_table_shows_every_cell():
    text = shown(print_table, "t", ("a", "b"), [("[x]", "1"), ("y", "2")])
    assert all(part in text for part in ("[x]", "y", "1", "2"))
