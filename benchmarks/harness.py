"""Rounds of several sides in one process, and the ratios of their times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Row", "rounds"]


@dataclass(frozen=True)
class Row:
    """One line of the table: what, for which sizes, our time, the peers' times over ours.

    `errors` are relative, ours first; `asked` is the ratio that we hold ourselves to.
    """

    what: str
    size: str
    ours: float
    peers: Mapping[str, float | None]
    errors: str = ""
    asked: str = ""

    def text(self) -> str:
        """As a line of Markdown; a peer without a number is not installed."""
        peers = ", ".join(
            f"{name} {ratio:.3g}" if ratio is not None else f"{name}: not installed"
            for name, ratio in self.peers.items()
        )
        cells = [self.what, self.size, _time(self.ours), peers, self.asked, self.errors]
        return "| " + " | ".join(cells) + " |"


HEADER = (
    "| what | size | ours | peers' time over ours | asked | errors, or residuals |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def rounds(
    sides: Mapping[str, Callable[[], object]], count: int, repeats: int = 1
) -> tuple[dict[str, float], dict[str, float], dict[str, object]]:
    """Median seconds of a call, median ratios to the first side, and the last results.

    In a round each side is called some times in a row: a call of a fraction of a millisecond would
    be measured in what the call of another side has left in the caches.
    """
    spent: dict[str, list[float]] = {name: [] for name in sides}
    last: dict[str, object] = {name: side() for name, side in sides.items()}
    for _ in range(count):
        for name, side in sides.items():
            begin = time.process_time()
            for _ in range(repeats):
                last[name] = side()
            spent[name].append((time.process_time() - begin) / repeats)
    base = next(iter(sides))
    ratios = {
        name: statistics.median(a / b for a, b in zip(values, spent[base], strict=True))
        for name, values in spent.items()
    }
    return {n: statistics.median(v) for n, v in spent.items()}, ratios, last
