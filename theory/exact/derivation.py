r"""A derivation in numbered steps, each with its reason and the certificate where one exists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from theory.exact.markup import complete_file, escape, latex_of, text_of
from theory.exact.verdict import Certificate

__all__ = ["Derivation", "RawStep", "Step", "numbered"]

RawStep: TypeAlias = tuple[str, list[Any], str, Certificate | None]
"""Title, statement, reason and certificate of a step without its number."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a derivation.

    Parameters
    ----------
    number : int
    title : str
    statement : tuple of sympy.Basic or str
        Equations and expressions, or plain sentences.
    reason : str
    certificate : Certificate or None
    """

    number: int
    title: str
    statement: tuple[Any, ...]
    reason: str
    certificate: Certificate | None = None

    def lines(self) -> tuple[str, ...]:
        """The statement as lines of plain text."""
        return tuple(text_of(item) for item in self.statement)

    @property
    def status(self) -> str:
        """The verdict of the certificate in brackets, or nothing."""
        return "" if self.certificate is None else f" [{self.certificate.verdict.status}]"

    def __str__(self) -> str:
        lines = [f"{self.number}. {self.title}", *(f"   {line}" for line in self.lines())]
        return "\n".join([*lines, f"   because {self.reason}{self.status}"])


@dataclass(frozen=True)
class Derivation:
    """Numbered steps under a title.

    Examples
    --------
    >>> derivation = numbered("Sum", [("Add", ["1 + 1 = 2"], "counting", None)])
    >>> print(derivation.steps[0])
    1. Add
       1 + 1 = 2
       because counting
    """

    title: str
    steps: tuple[Step, ...] = field(default=())

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates of all steps that have one."""
        return tuple(s.certificate for s in self.steps if s.certificate is not None)

    @property
    def identities_proved(self) -> bool:
        """Whether every step with a certificate is proved, and there is one.

        It says nothing about the steps `in_words`.
        """
        found = self.certificates
        return bool(found) and all(c.proved for c in found)

    @property
    def in_words(self) -> tuple[str, ...]:
        """The titles of the steps that have a reason but no certificate."""
        return tuple(s.title for s in self.steps if s.certificate is None)

    def __str__(self) -> str:
        return "\n\n".join([self.title, *map(str, self.steps)])

    def to_markdown(self) -> str:
        """The derivation as Markdown with formulas between dollars."""
        parts = [f"## {self.title}"]
        for s in self.steps:
            parts.append(f"**{s.number}. {s.title}.**")
            for item in s.statement:
                parts.append(item if isinstance(item, str) else f"$$\n{latex_of(item)}\n$$")
            parts.append(f"*{s.reason}.*{s.status}")
        return "\n\n".join(parts) + "\n"

    def to_latex(self, document: bool = False) -> str:
        r"""The derivation as LaTeX: an ``enumerate``, or with `document` a file that compiles."""
        lines = [r"\begin{enumerate}"]
        for s in self.steps:
            lines.append(rf"\item \textbf{{{escape(s.title)}.}}")
            for item in s.statement:
                if isinstance(item, str):
                    lines.append(escape(item) + r"\par")
                else:
                    lines += [r"\[", latex_of(item), r"\]"]
            lines.append(rf"\emph{{{escape(s.reason)}.}}{escape(s.status)}")
        lines.append(r"\end{enumerate}")
        body = "\n".join(lines)
        return complete_file(self.title, body) if document else body

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def to_dict(self) -> dict[str, Any]:
        """The derivation as plain data."""
        return {
            "title": self.title,
            "steps": [
                {
                    "number": s.number,
                    "title": s.title,
                    "statement": list(s.lines()),
                    "reason": s.reason,
                    "certificate": None if s.certificate is None else str(s.certificate),
                    "status": None if s.certificate is None else str(s.certificate.verdict.status),
                }
                for s in self.steps
            ],
        }


def numbered(title: str, steps: Iterable[RawStep]) -> Derivation:
    """A derivation from its steps in order.

    Examples
    --------
    >>> print(numbered("Sum", [("Add", ["1 + 1 = 2"], "counting", None)]))
    Sum
    <BLANKLINE>
    1. Add
       1 + 1 = 2
       because counting
    """
    return Derivation(
        title,
        tuple(
            Step(i, name, tuple(statement), reason, certificate)
            for i, (name, statement, reason, certificate) in enumerate(steps, 1)
        ),
    )
