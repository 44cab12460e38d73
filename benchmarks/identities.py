"""The 28 identities of the tests: our verdict against what SymPy answers, in one run.

Each method sees each identity several times in one process of its own, every time with symbols
that it has not met (same assumptions, other names): the code is warm, and nothing is looked up
from an earlier call. The first call is not counted; the time is the median of the others. Run
``python -m benchmarks.identities`` from the repository root; the table goes to
``benchmarks/identities.md``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sympy as sp

import theory as th
from benchmarks.links import timed
from tests.exact.test_zero import IDENTITIES
from theory.exact.zero import is_zero

LIMIT = 40.0
REPEATS = 5
SLOW = 2.0


def prove(left: sp.Expr, right: sp.Expr) -> str:
    return str(th.prove(sp.Eq(left, right, evaluate=False)).status)


def zero_test(left: sp.Expr, right: sp.Expr) -> str:
    return str(is_zero(left - right).status)


def simplify(left: sp.Expr, right: sp.Expr) -> str:
    return "zero" if sp.simplify(left - right) == 0 else "no answer"


def equals(left: sp.Expr, right: sp.Expr) -> str:
    answer = left.equals(right)
    return "equal" if answer else "no answer" if answer is None else "WRONG: False"


def cancel(left: sp.Expr, right: sp.Expr) -> str:
    return "zero" if sp.cancel((left - right).rewrite(sp.exp)) == 0 else "no answer"


METHODS: dict[str, Callable[[sp.Expr, sp.Expr], str]] = {
    "th.prove": prove,
    "is_zero": zero_test,
    "simplify": simplify,
    "equals": equals,
    "cancel": cancel,
}
RIGHT = ("PROVED", "zero", "equal")


def warm(method: Callable[[sp.Expr, sp.Expr], str], name: str) -> tuple[str, float]:
    """The answer, and the median of the seconds of the calls after the first one."""
    seconds: list[float] = []
    answers: list[str] = []
    for turn in range(1 + REPEATS):
        sides = [_renamed(e, f"_{turn}") for e in IDENTITIES[name]]
        begin = time.perf_counter()
        answers.append(method(*sides))
        seconds.append(time.perf_counter() - begin)
        if sum(seconds) > SLOW and turn > 0:
            break
    # from run to run the answers of SymPy differ: the worst one counts
    worst = next((a for a in answers if a not in RIGHT), answers[0])
    return worst, statistics.median(seconds[1:])


def _renamed(e: sp.Expr, suffix: str) -> sp.Expr:
    return e.xreplace({s: sp.Symbol(s.name + suffix, **s.assumptions0) for s in e.free_symbols})


def measure(name: str) -> dict[str, tuple[str, float]]:
    """Answer and seconds of each method."""
    out: dict[str, tuple[str, float]] = {}
    for label, method in METHODS.items():
        answer, elapsed = timed(warm, (method, name), LIMIT)
        # a hang and an exception come without the seconds of single calls
        out[label] = answer if isinstance(answer, tuple) else (str(answer), elapsed)
    return out


def _cells(row: dict[str, tuple[str, float]]) -> list[str]:
    out = []
    for answer, seconds in row.values():
        out += [answer, f"{'> ' * (answer == 'hang')}{seconds * 1e3:.1f}"]
    return [*out, f"{row['simplify'][1] / row['is_zero'][1]:.1f}"]


def main() -> None:
    """Print and save the table."""
    # resolved and run once, so that no process pays for the imports
    for method in METHODS.values():
        method(*IDENTITIES["Fenchel"])
    rows: dict[str, Any] = {}
    lines = []
    for name in IDENTITIES:
        rows[name] = measure(name)
        lines.append(f"| {name} | {' | '.join(_cells(rows[name]))} |")
        print(lines[-1], flush=True)
    summary = []
    for label in METHODS:
        times = [row[label][1] for row in rows.values()]
        right = sum(row[label][0] in RIGHT for row in rows.values())
        wrong = sum(row[label][0].startswith("WRONG") for row in rows.values())
        median = statistics.median(times)
        ours = statistics.median(row["is_zero"][1] for row in rows.values())
        summary.append(
            f"- {label}: {right} of {len(rows)} decided, {wrong} wrong; median {median * 1e3:.1f} "
            f"ms, largest {max(times) * 1e3:.0f} ms; median over that of is_zero: "
            f"{median / ours:.1f}"
        )
    heads = " | ".join(f"{label} | ms" for label in METHODS)
    text = "\n".join(
        [
            "# 28 identities: theory against simplify, equals and cancel of SymPy",
            "",
            "Milliseconds, warm: the median of up to five calls after a first one, each call with",
            "symbols of other names, one process for a method and an identity. `is_zero` is the",
            "zero test on the difference; `th.prove` also reads the relation and looks for points",
            "where one side alone is defined. The last column is simplify over is_zero.",
            "`python -m benchmarks.identities` makes this table.",
            "",
            f"| identity | {heads} | ratio |",
            f"| --- |{' --- |' * (2 * len(METHODS) + 1)}",
            *lines,
            "",
            *summary,
            "",
        ]
    )
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
