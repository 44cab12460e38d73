"""No wrong verdict on the adversarial corpus, and few statements left open."""

from __future__ import annotations

import re

import mpmath
import pytest

from tests.claims.adversarial import CONSTANTS, cases, judge
from tests.nightly import NIGHTLY

SLICES = 12
# the command of `tests.claims.adversarial` takes all statements, every run repeats a sixth
CHOSEN = range(SLICES) if NIGHTLY else range(0, SLICES, 6)


@pytest.mark.slow
@pytest.mark.parametrize("k", CHOSEN)
def test_no_statement_of_the_corpus_gets_a_wrong_verdict(k):
    part = cases()[k::SLICES]
    statuses = [judge(case)[0] for case in part]
    wrong = [
        (case, status)
        for case, status in zip(part, statuses, strict=True)
        if status != ("PROVED" if case.truth else "REFUTED") and not _left_open(status)
    ]
    assert not wrong
    assert sum(map(_left_open, statuses)) <= 0.05 * len(part)


def _left_open(status: str) -> bool:
    """UNDECIDED, or refused while it was read: a sum of numbers that almost cancels."""
    return status == "UNDECIDED" or status.startswith("error: Cannot decide")


def test_the_corpus_is_large_and_has_both_truth_values():
    found = cases()
    assert len(found) > 2500
    assert 0.3 < sum(c.truth for c in found) / len(found) < 0.7


@pytest.mark.parametrize(("text", "truth"), CONSTANTS)
def test_python_agrees_with_the_truth_of_the_constants(text, truth):
    """A second algorithm for the labels: mpmath at 400 digits, where the sides differ."""
    with mpmath.workdps(400):
        names = {n: getattr(mpmath, n) for n in ("sqrt", "sin", "cos", "tanh", "atan", "acos")}
        names |= {"exp": mpmath.exp, "log": mpmath.log, "acosh": mpmath.acosh, "pi": +mpmath.pi}
        left, operator, right = re.split(r" (==|<|>) ", text)
        exact = [
            eval(
                re.sub(r"(?<![\w.])(\d[\d.]*(?:e-?\d+)?)", r"mpf('\1')", side),
                names | {"mpf": mpmath.mpf},
            )
            for side in (left, right)
        ]
        gap = exact[0] - exact[1]
        equal = abs(gap) < mpmath.mpf(10) ** -380
        assert (
            truth == {"==": equal, "<": not equal and gap < 0, ">": not equal and gap > 0}[operator]
        )
