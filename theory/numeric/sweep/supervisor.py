"""Points run in a child process with limits, which is replaced when it dies."""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from theory.errors import TheoryError
from theory.numeric.sweep.child import read_frame, write_frame

__all__ = ["Outcome", "Setting", "SweepError", "run_batch"]

_START_SECONDS = 120.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# the child reads its module, not the package that started it
_COMMAND = "from theory.numeric.sweep.child import main; main()"


class SweepError(TheoryError, RuntimeError):
    """A sweep cannot start, or not go on, for a reason that is not one of its points."""


@dataclass(frozen=True)
class Setting:
    """What all points of a sweep share.

    Parameters
    ----------
    function : bytes
        The pickled function.
    path : tuple of str
        Where modules are looked for.
    seed : int
    random : bool
        Whether the function takes `rng`.
    seconds, memory : number or None
        Limits of each point.
    """

    function: bytes
    path: tuple[str, ...]
    seed: int
    random: bool
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class Outcome:
    """One point's end: status "ok" or "failed", its value or the reason, its seconds."""

    key: str
    status: str
    value: Any
    seconds: float


class _Child:
    """A process that runs points of one setting."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        # one thread each: workers share the cores, and sums do not depend on how many there are
        environment = os.environ | dict.fromkeys(_THREADS, "1")
        environment |= {"PYTHONHASHSEED": "0", "PYTHONPATH": _search_path(setting)}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-c", _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        shared = {
            "path": list(setting.path),
            "function": setting.function,
            "memory": setting.memory,
            "seconds": setting.seconds,
        }
        try:
            write_frame(self._stdin, shared)
            answer = self._answer(_START_SECONDS)
        except OSError:
            answer = None
        if answer is None or answer[0] != "ready":
            reason = "it did not start" if answer is None else str(answer[1])
            self.close()
            raise SweepError(f"A process of the sweep cannot read the function: {reason}.")

    @property
    def _stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def _answer(self, seconds: float | None) -> Any:
        """The next frame; TimeoutError after the seconds, None when the process has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise TimeoutError
        return read_frame(self._stdout)

    def run(self, key: str, point: dict[str, Any]) -> Outcome:
        limit = self.setting.seconds
        begin = time.perf_counter()
        task = {
            "key": key,
            "point": point,
            "seed": self.setting.seed,
            "random": self.setting.random,
            "memory": self.setting.memory,
        }
        try:
            write_frame(self._stdin, task)
            answer = self._answer(limit)
        except TimeoutError:
            self.close()
            return Outcome(key, "failed", f"TimeoutError: more than {limit:g} s", float(limit or 0))
        except OSError:
            answer = None
        if answer is None:
            return Outcome(key, "failed", self._obituary(), time.perf_counter() - begin)
        return Outcome(key, *answer)

    def _obituary(self) -> str:
        self.close()
        code = self.process.returncode
        if code is not None and code < 0:
            return f"the process was killed by {signal.Signals(-code).name}"
        return f"the process ended with exit code {code}"

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self.process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._stdout.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None and not self._stdout.closed


def _search_path(setting: Setting) -> str:
    return os.pathsep.join(p for p in setting.path if p)


# one child for each thread that runs batches; engines have their own threads or processes
_local = threading.local()
_open: set[_Child] = set()


def _child(setting: Setting) -> _Child:
    child: _Child | None = getattr(_local, "child", None)
    if child is not None and child.alive and child.setting == setting:
        return child
    if child is not None:
        _discard(child)
    child = _Child(setting)
    _local.child = child
    _open.add(child)
    return child


def _discard(child: _Child) -> None:
    _open.discard(child)
    if child.alive:
        child.close()


@atexit.register
def close_children() -> None:
    """End the children of this process."""
    for child in list(_open):
        _discard(child)


def run_batch(setting: Setting, batch: Sequence[tuple[str, dict[str, Any]]]) -> list[Outcome]:
    """Run points in this thread's child; a point that ends it has failed, the others go on."""
    out = []
    for key, point in batch:
        child = _child(setting)
        out.append(child.run(key, point))
    return out
