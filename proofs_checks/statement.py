"""A statement of a paper, and the outcome of checking it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

import theory as th

OURS = "ours"
"""The source of what we derived ourselves."""


@dataclass(frozen=True)
class Outcome:
    """What came out of a check.

    Parameters
    ----------
    verdict : str
        "PROVED", "REFUTED" (a hypothesis was dropped, and the counterexample is exact), "CHECKED"
        (numbers agree, which proves nothing), or "FAILED".
    measured, expected : str
    ok : bool
        Whether the outcome is the expected one.
    """

    verdict: str
    measured: str
    expected: str
    ok: bool

    @property
    def proved(self) -> bool:
        """Whether the check is a proof."""
        return self.ok and self.verdict == "PROVED"

    def __str__(self) -> str:
        if self.ok and (self.verdict != "CHECKED" or self.expected == self.measured):
            return f"{self.verdict}: {self.measured}"
        if self.ok:
            return f"CHECKED: measured {self.measured}; expected {self.expected}"
        return f"{self.verdict}: expected {self.expected} but got {self.measured}"


@dataclass(frozen=True)
class Statement:
    """One statement.

    Parameters
    ----------
    name : str
    source : str
        Where the paper says it, or "ours".
    hypotheses : tuple of str
    check : callable
        Returns an `Outcome`.
    slow : bool
        Whether it takes more than a few seconds.
    left_out : str
        Why the test suite leaves it to ``theory check``; empty when it does not.
    """

    name: str
    source: str
    hypotheses: tuple[str, ...]
    check: Callable[[], Outcome]
    slow: bool = False
    left_out: str = ""


def identities(
    pairs: Sequence[tuple[str, Any, Any]], assume: Mapping[str, str] | None = None
) -> Outcome:
    """Every named pair is equal, proved; the symbols are matched by name."""
    done = []
    for name, derived, stated in pairs:
        text = f"{derived} == {stated}"
        used = set(re.findall(r"[A-Za-z_]\w*", text))
        verdict = th.prove(text, assume={k: v for k, v in (assume or {}).items() if k in used})
        if not verdict.proved:
            return Outcome("FAILED", f"{name}: {derived}; {verdict}", f"{name}: {stated}", False)
        done.append(name)
    text = ", ".join(done)
    return Outcome("PROVED", text, text, True)


def status(verdict: th.Verdict, expected: str) -> Outcome:
    """A verdict has the expected status."""
    ok = verdict.status == expected
    return Outcome(str(verdict.status) if ok else "FAILED", verdict.method, expected, ok)


def numbers(measured: ArrayLike, expected: ArrayLike, *, atol: float, rtol: float = 0.0) -> Outcome:
    """Numbers agree within a tolerance."""
    a, b = np.asarray(measured, dtype=float), np.asarray(expected, dtype=float)
    ok = bool(np.all(np.abs(a - b) <= atol + rtol * np.abs(b)))
    return Outcome("CHECKED" if ok else "FAILED", _shown(a), _shown(b), ok)


def printed(measured: ArrayLike, stated: Sequence[str]) -> Outcome:
    """Numbers agree with printed ones to the last digit; ``<1e-12`` is a bound of the size."""
    a = np.atleast_1d(np.asarray(measured, dtype=float))
    bad = []
    for value, text in zip(a, stated, strict=True):
        if text.startswith("<"):
            ok = abs(value) < float(text[1:])
        else:
            mantissa, _, exponent = text.partition("e")
            places = len(mantissa.partition(".")[2])
            # half a unit of the last digit, and the rounding of the comparison itself
            unit = 10.0 ** (int(exponent or 0) - places)
            ok = abs(value - float(text)) <= 0.5000001 * unit
        if not ok:
            bad.append(f"{value:.9g} for {text}")
    text = ", ".join(stated[:8]) + (", ..." if len(stated) > 8 else "")
    return Outcome("FAILED" if bad else "CHECKED", "; ".join(bad) or text, text, not bad)


def bound(measured: float, limit: float, what: str) -> Outcome:
    """A nonnegative quantity stays below a limit."""
    ok = bool(measured <= limit)
    text = f"{what} = {measured:.3g}"
    return Outcome("CHECKED" if ok else "FAILED", text, f"{what} <= {limit:.3g}", ok)


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """All outcomes together; proved only when each one is."""
    for o in outcomes:
        if not o.ok:
            return o
    kinds = {o.verdict for o in outcomes}
    verdict = kinds.pop() if len(kinds) == 1 else "CHECKED"
    return Outcome(
        verdict,
        "; ".join(o.measured for o in outcomes),
        "; ".join(o.expected for o in outcomes),
        True,
    )


def derivative(e: Any, symbol: str, times: int = 1) -> sp.Expr:
    """The derivative by the symbol of this name; a number does not depend on it."""
    e = sp.sympify(e)
    for s in e.free_symbols:
        if s.name == symbol:
            return sp.diff(e, s, times)
    return sp.S.Zero


def _shown(values: np.ndarray) -> str:
    flat = np.atleast_1d(values).ravel()
    text = ", ".join(f"{v:.9g}" for v in flat[:6])
    return text + (", ..." if flat.size > 6 else "")
