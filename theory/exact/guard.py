"""The guarded door to SymPy calls that can hang: a worker process with a time limit.

A call runs in a forked child. The system ends the child when its CPU time is over, also when it
hangs inside C code where a signal handler would not run; a wall clock ends one that sleeps. What
comes back is only a proposal: the callers certify it by an independent route.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from theory.errors import ComputationTimeout
from theory.exact.budget import remaining

__all__ = ["evaluated", "guarded", "proposal", "proposals"]

MEMORY = 4 << 30
"""Address space that a worker may add to what the parent has, in bytes."""

WALL = 6
"""How many times its CPU limit a worker may take by the clock on the wall."""


def _child(
    functions: Sequence[Callable[..., Any]],
    arguments: tuple[Any, ...],
    write: int,
    seconds: float,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # the default action of SIGPROF is to end the process, wherever it is
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    with open("/proc/self/statm") as handle:
        size = int(handle.read().split()[0]) * resource.getpagesize()
    limit = size + MEMORY
    # a worker of a worker keeps within the limit of the outer one, which cannot be raised
    outer = resource.getrlimit(resource.RLIMIT_AS)[1]
    if outer != resource.RLIM_INFINITY:
        limit = min(limit, outer)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for function in functions:
        try:
            answer = ("ok", function(*arguments))
        except Exception as error:
            # SymPy raises almost anything on a case that it cannot do; the parent only needs to
            # know that it did
            answer = ("error", f"{type(error).__name__}: {error}")
        data = pickle.dumps(answer)
        view = memoryview(len(data).to_bytes(8, "big") + data)
        while view:
            view = view[os.write(write, view) :]


def _answers(data: bytes) -> list[tuple[str, Any]]:
    """The complete answers that a worker has written; an unfinished one at the end is dropped."""
    out: list[tuple[str, Any]] = []
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 8], "big")
        at += 8
        if at + size > len(data):
            break
        # written by our own forked child through an anonymous pipe
        out.append(pickle.loads(data[at : at + size]))
        at += size
    return out


def _worker(
    functions: Sequence[Callable[..., Any]], arguments: tuple[Any, ...], seconds: float
) -> tuple[list[tuple[str, Any]], bool]:
    """Run the functions one after the other in a fork: their answers, and whether time ran out."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read)
            _child(functions, arguments, write, seconds)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    chunks: list[bytes] = []
    deadline = time.monotonic() + WALL * seconds + 2
    late = False
    try:
        while True:
            left = deadline - time.monotonic()
            ready = select.select([read], [], [], max(left, 0.0))[0] if left > 0 else []
            if not ready:
                os.kill(pid, signal.SIGKILL)
                late = True
                break
            chunk = os.read(read, 1 << 16)
            if not chunk:
                break
            chunks.append(chunk)
    finally:
        os.close(read)
        _, status = os.waitpid(pid, 0)
    late = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF)
    return _answers(b"".join(chunks)), late


def guarded(function: Callable[..., Any], *arguments: Any, seconds: float = 5.0) -> Any:
    """Run ``function(*arguments)`` in a worker and return its result.

    Parameters
    ----------
    function : callable
        Any callable; it runs in a forked copy of this process, so its side effects are lost.
    seconds : float
        Limit of CPU time.

    Raises
    ------
    ComputationTimeout
        When the limit is over; the worker has been killed.
    ArithmeticError
        When the call raised in the worker, with the message of its exception.

    Examples
    --------
    >>> guarded(sp.factor, sp.Symbol("x") ** 2 - 1)
    (x - 1)*(x + 1)
    """
    seconds = min(seconds, remaining())
    if seconds <= 0:
        raise ComputationTimeout("The time budget of the question is over.")
    answers, late = _worker([function], arguments, seconds)
    if late:
        raise ComputationTimeout(f"A symbolic step took more than {seconds:g} s.")
    if not answers:
        raise ArithmeticError("The symbolic step ended without an answer (memory limit).")
    kind, value = answers[0]
    if kind == "error":
        raise ArithmeticError(value)
    return value


def proposals(
    functions: Sequence[Callable[..., Any]], *arguments: Any, seconds: float = 5.0
) -> list[Any]:
    """What several functions make of the same arguments, as far as the time reaches.

    They run one after the other in one worker; what fails, or is not reached, is left out.

    Examples
    --------
    >>> x = sp.Symbol("x")
    >>> proposals([sp.factor, sp.expand], x**2 - x)
    [x*(x - 1), x**2 - x]
    """
    seconds = min(seconds, remaining())
    if seconds <= 0:
        return []
    answers, _ = _worker(functions, arguments, seconds)
    return [value for kind, value in answers if kind == "ok"]


_UNFINISHED = (sp.Integral, sp.Limit, sp.RootSum, sp.Derivative, sp.Order, sp.Subs)


def evaluated(e: Any) -> bool:
    """Whether an answer of SymPy is a finished expression: nothing unevaluated, finite, real."""
    return isinstance(e, sp.Expr) and not e.has(*_UNFINISHED, sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)


def proposal(function: Callable[..., Any], *arguments: Any, seconds: float = 5.0) -> Any | None:
    """Like `guarded`, but None for a timeout or a failure: the call only proposes."""
    try:
        return guarded(function, *arguments, seconds=seconds)
    except (ComputationTimeout, ArithmeticError):
        return None
