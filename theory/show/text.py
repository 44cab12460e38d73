"""Derivations, verdicts and tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from theory.exact.verdict import Status, Verdict
from theory.show.derivation import Derivation

__all__ = ["print_derivation", "print_table", "print_verdict"]

_COLORS = {Status.PROVED: "green", Status.REFUTED: "red", Status.UNDECIDED: "yellow"}


def print_derivation(derivation: Derivation, console: Console) -> None:
    """Print the numbered steps; reasons are dimmed, verdicts colored."""
    console.print(f"[bold]{escape(derivation.title)}[/bold]", soft_wrap=True, highlight=False)
    for step in derivation.steps:
        console.print()
        console.print(f"[bold cyan]{step.number}.[/] [bold]{escape(step.title)}[/]")
        for line in step.lines():
            console.print(f"   {escape(line)}", soft_wrap=True, highlight=False)
        tail = ""
        if step.certificate is not None:
            status = step.certificate.verdict.status
            tail = f"  [{_COLORS[status]}]{status}[/]"
        console.print(
            f"   [dim]because {escape(step.reason)}[/]{tail}", soft_wrap=True, highlight=False
        )


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print a verdict, with its status in color."""
    text = escape(str(verdict)[len(str(verdict.status)) :])
    console.print(
        f"[bold {_COLORS[verdict.status]}]{verdict.status}[/]{text}",
        soft_wrap=True,
        highlight=False,
    )


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console
) -> None:
    """Print a table of texts."""
    table = Table(title=escape(title), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
