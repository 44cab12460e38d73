"""The guarded door: what hangs is killed, what fails says so, nothing is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import sympy as sp
from flint import fmpz

from theory.errors import ComputationTimeout
from theory.exact.budget import time_budget
from theory.exact.guard import guarded, proposal


def children() -> list[str]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return path.read_text().split()


def hang_in_python() -> int:
    while True:
        pass


def hang_in_c() -> int:
    # one multiplication of integers with 10^10 digits, in which no signal handler runs
    return 3 ** (10**9)


def hang_in_flint() -> int:
    return int(fmpz(7) ** (2 * 10**9) % 10)


def exit_early() -> None:
    os._exit(3)


def recurse() -> int:
    return 1 + recurse()


@pytest.mark.parametrize("hang", [hang_in_python, hang_in_c, hang_in_flint])
def test_call_that_hangs_is_killed_in_time(hang: object) -> None:
    begin = time.monotonic()
    with pytest.raises(ComputationTimeout, match=r"took more than 0\.5 s"):
        guarded(hang, seconds=0.5)
    assert time.monotonic() - begin < 4


@pytest.mark.parametrize("hang", [hang_in_python, hang_in_c])
def test_no_process_is_left_behind(hang: object) -> None:
    before = children()
    assert proposal(hang, seconds=0.3) is None
    assert children() == before


def test_exception_of_the_call_is_reported_with_its_name() -> None:
    with pytest.raises(ArithmeticError, match="ZeroDivisionError: "):
        guarded(lambda: 1 // 0)


def test_death_of_the_worker_is_reported() -> None:
    with pytest.raises(ArithmeticError, match="ended without an answer"):
        guarded(exit_early)


def test_recursion_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(ArithmeticError, match="RecursionError"):
        guarded(recurse)


def test_large_answer_comes_back_whole() -> None:
    assert guarded(lambda: list(range(300_000)))[-1] == 299_999


def test_symbols_keep_their_identity() -> None:
    x = sp.Symbol("x", positive=True)
    assert guarded(sp.expand, (x + 1) ** 2) == x**2 + 2 * x + 1


def test_outer_budget_bounds_the_inner_limit() -> None:
    begin = time.monotonic()
    with time_budget(0.3), pytest.raises(ComputationTimeout):
        guarded(hang_in_python, seconds=60)
    assert time.monotonic() - begin < 3


def test_spent_budget_starts_nothing() -> None:
    with time_budget(0.0), pytest.raises(ComputationTimeout, match="budget"):
        guarded(sp.factor, sp.Integer(6))


def _outer_that_grows() -> int:
    # more than the outer worker had when its limit was set
    kept = bytearray(64 << 20)
    kept[::4096] = b"x" * len(kept[::4096])
    return guarded(abs, -3, seconds=5) + len(kept) * 0


def test_a_worker_that_has_grown_can_start_a_worker():
    assert guarded(_outer_that_grows, seconds=10) == 3
