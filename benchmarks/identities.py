"""The 28 identities of the tests: our verdict against what SymPy answers, in one run.

Each method sees each identity several times in one process of its own. "Warm" is the same
statement again; "new" is the statement in symbols that the process has not met (same assumptions,
other names), so that no answer is looked up in a cache, neither ours nor one of SymPy. The first
call of each is not counted; the time is the median of the others. Run
``python -m benchmarks.identities`` from the repository root; the table goes to
``benchmarks/identities.md``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

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


def answer_and_times(
    method: Callable[[sp.Expr, sp.Expr], str], name: str
) -> tuple[str, float, float]:
    """The answer, and the median seconds of warm calls and of calls in new symbols."""
    answers: list[str] = []
    times = []
    for suffix in ("", "_{}"):
        seconds: list[float] = []
        for turn in range(1 + REPEATS):
            sides = [_renamed(e, suffix.format(turn)) for e in IDENTITIES[name]]
            begin = time.perf_counter()
            answers.append(method(*sides))
            seconds.append(time.perf_counter() - begin)
            if sum(seconds) > SLOW and turn > 0:
                break
        times.append(statistics.median(seconds[1:]))
    # from run to run the answers of SymPy differ: the worst one counts
    worst = next((a for a in answers if a not in RIGHT), answers[0])
    return worst, times[0], times[1]


def _renamed(e: sp.Expr, suffix: str) -> sp.Expr:
    return e.xreplace({s: sp.Symbol(s.name + suffix, **s.assumptions0) for s in e.free_symbols})


def measure(name: str) -> dict[str, tuple[str, float, float]]:
    """Answer, warm seconds and seconds in new symbols of each method."""
    out: dict[str, tuple[str, float, float]] = {}
    for label, method in METHODS.items():
        answer, elapsed = timed(answer_and_times, (method, name), LIMIT)
        # a hang and an exception come without the seconds of single calls
        out[label] = answer if isinstance(answer, tuple) else (str(answer), elapsed, elapsed)
    return out


def _cells(row: dict[str, tuple[str, float, float]]) -> list[str]:
    out = []
    for answer, warm, new in row.values():
        limit = "> " * (answer == "hang")
        out += [answer, f"{limit}{warm * 1e3:.1f}", f"{limit}{new * 1e3:.1f}"]
    return [*out, f"{row['simplify'][1] / row['is_zero'][1]:.1f}"]


def _summary(label: str, rows: dict[str, dict[str, tuple[str, float, float]]]) -> str:
    answers = [row[label][0] for row in rows.values()]
    right = sum(a in RIGHT for a in answers)
    wrong = sum(a.startswith("WRONG") for a in answers)
    parts = [f"- {label}: {right} of {len(rows)} decided, {wrong} wrong"]
    for i, kind in ((1, "warm"), (2, "new symbols")):
        times = [row[label][i] for row in rows.values()]
        ours = statistics.median(row["is_zero"][i] for row in rows.values())
        median = statistics.median(times)
        parts.append(
            f"{kind}: median {median * 1e3:.1f} ms, {median / ours:.1f} of is_zero, "
            f"largest {max(times) * 1e3:.0f} ms"
        )
    return "; ".join(parts)


def main() -> None:
    """Print and save the table."""
    # resolved and run once, so that no process pays for the imports
    for method in METHODS.values():
        method(*IDENTITIES["Fenchel"])
    rows = {}
    lines = []
    for name in IDENTITIES:
        rows[name] = measure(name)
        lines.append(f"| {name} | {' | '.join(_cells(rows[name]))} |")
        print(lines[-1], flush=True)
    summary = [_summary(label, rows) for label in METHODS]
    heads = " | ".join(f"{label} | warm | new" for label in METHODS)
    text = "\n".join(
        [
            "# 28 identities: theory against simplify, equals and cancel of SymPy",
            "",
            "Milliseconds, the median of up to five calls after a first one, one process for a",
            "method and an identity: *warm*, the same statement again, and *new*, the statement in",
            "symbols of other names each time. `is_zero` is the zero test on the difference;",
            "`th.prove` also reads the relation and looks for points where one side alone is",
            "defined. The last column is simplify over is_zero, warm.",
            "`python -m benchmarks.identities` makes this table.",
            "",
            f"| identity | {heads} | ratio |",
            f"| --- |{' --- |' * (3 * len(METHODS) + 1)}",
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
