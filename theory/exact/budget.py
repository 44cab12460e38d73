"""A time budget that all symbolic steps below it share.

The budget of an outer question holds for every inner one: a step that would start after the end
is not started, and one that runs is stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["remaining", "spent", "time_budget"]

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Give the steps inside of the block so many seconds; an earlier end further out holds."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def remaining() -> float:
    """Seconds that are left; infinite without a budget."""
    return _deadline.get() - time.monotonic()


def spent() -> bool:
    """Whether the budget is over."""
    return time.monotonic() > _deadline.get()
