"""A time budget that all symbolic steps below it share.

The budget of an outer question holds for every inner one: a step that would start after the end
is not started, and one that runs is stopped. Time is CPU time, of this process and of the workers
that it has waited for, so that answers do not depend on what else the machine is doing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["remaining", "spent", "time_budget"]

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def clock() -> float:
    """CPU seconds of this process and of its finished children."""
    return sum(os.times()[:4])


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Give the steps inside of the block so many seconds; an earlier end further out holds."""
    token = _deadline.set(min(_deadline.get(), clock() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float:
    """Seconds that are left; infinite without a budget."""
    return _deadline.get() - clock()


def spent() -> bool:
    """Whether the budget is over."""
    return clock() > _deadline.get()
