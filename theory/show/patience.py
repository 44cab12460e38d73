"""A moving bar for what takes more than a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["patience"]


@contextmanager
def patience(what: str, delay: float = 1.0) -> Iterator[None]:
    """Show a bar on a terminal's stderr once the block has run for `delay` seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    progress = Progress(
        TextColumn(what), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    )

    def begin() -> None:
        progress.start()
        progress.add_task(what, total=None)

    timer = threading.Timer(delay, begin)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        progress.stop()
