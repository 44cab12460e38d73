"""The three-valued verdict, and the certificate that goes with every exact result."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Certificate", "Status", "Verdict"]


class Status(StrEnum):
    """PROVED, REFUTED or UNDECIDED, and never a fourth."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a yes-or-no question of mathematics.

    Parameters
    ----------
    status : Status
        PROVED (a sound argument), REFUTED (an exact witness) or UNDECIDED.
    method : str
        The argument in one sentence, or what was tried.
    conditions : tuple of str
        What the argument assumes beyond the declared assumptions; empty for most.
    witness : mapping from name to exact value, or None
        For REFUTED: the exact point where the statement fails.
    digits : int or None
        For UNDECIDED: how many digits of numeric support there are.

    Examples
    --------
    >>> Verdict(Status.PROVED, "normal form").proved
    True
    """

    status: Status
    method: str
    conditions: tuple[str, ...] = ()
    witness: dict[str, str] | None = None
    digits: int | None = None
    record: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def proved(self) -> bool:
        """Whether the statement is proved."""
        return self.status is Status.PROVED

    @property
    def refuted(self) -> bool:
        """Whether the statement is refuted."""
        return self.status is Status.REFUTED

    @property
    def undecided(self) -> bool:
        """Whether neither was established."""
        return self.status is Status.UNDECIDED

    def __bool__(self) -> bool:
        raise TypeError(
            "A verdict has three values; ask for verdict.proved, .refuted or .undecided."
        )

    def __str__(self) -> str:
        text = f"{self.status}: {self.method}"
        if self.witness:
            text += " at " + ", ".join(f"{name} = {value}" for name, value in self.witness.items())
        if self.digits is not None:
            text += f" ({self.digits} digits of numeric support)"
        if self.conditions:
            text += "; provided that " + ", ".join(self.conditions)
        return text


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why a result is believed: the identity that was checked, and the verdict on it.

    Parameters
    ----------
    claim : str
        The identity or property that was checked, as text.
    verdict : Verdict
        Its verdict.
    route : str
        How the result was found (irrelevant for its truth).
    """

    claim: str
    verdict: Verdict
    route: str = ""

    @property
    def proved(self) -> bool:
        """Whether the claim is proved."""
        return self.verdict.proved

    def __str__(self) -> str:
        return f"{self.claim}: {self.verdict.status} ({self.verdict.method})"
