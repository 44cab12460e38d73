"""The process that runs the points of a worker, one after the other.

It is a process of its own so that a point which hangs, eats memory or kills its process costs
nothing but itself. Frames on its standard input and output: eight bytes of length, then a pickle.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from theory.numeric.sweep.points import RESERVED, generator_of

__all__ = ["main", "plain", "read_frame", "write_frame"]


def read_frame(stream: IO[bytes]) -> Any:
    """The next object, or None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    # both ends are processes of the same sweep
    return pickle.loads(stream.read(int.from_bytes(head, "big")))


def write_frame(stream: IO[bytes], value: Any) -> None:
    """Send an object."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(len(data).to_bytes(8, "big") + data)
    stream.flush()


def plain(value: Any) -> Any:
    """A result as JSON data; floats keep all their digits.

    Raises
    ------
    TypeError
        For what is no number, text, truth value, None, nor a mapping or an array of these.

    Examples
    --------
    >>> import numpy as np
    >>> plain({"x": np.array([1.0, 2.0]), "n": np.int64(3)})
    {'x': [1.0, 2.0], 'n': 3}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    raise TypeError(
        "expected numbers, texts, truth values, or mappings and arrays of these, "
        f"but the function returned {type(value).__name__}"
    )


def _limit_memory(memory: int) -> None:
    import resource

    with open("/proc/self/statm") as handle:
        size = int(handle.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))


def _follow_parent() -> None:
    """End with the process that started this one, also when that was killed."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run(function: Callable[..., Any], task: dict[str, Any]) -> tuple[str, Any]:
    arguments = dict(task["point"])
    if task["random"]:
        arguments["rng"] = generator_of(task["key"], task["seed"])
    try:
        value = plain(function(**arguments))
    except MemoryError:
        return "failed", f"MemoryError: more than {task['memory']:,} bytes"
    except (KeyboardInterrupt, SystemExit) as error:
        return "failed", f"{type(error).__name__}: {error}"
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    taken = {*task["point"], *RESERVED} & set(value) if isinstance(value, dict) else set()
    if taken:
        return "failed", f"the result {min(taken)!r} has the name of another column"
    return "ok", value


def main() -> None:
    """Read the function, then points, until the input ends."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    # what the function prints must not reach the frames
    os.dup2(2, 1)
    devnull = os.open(os.devnull, os.O_WRONLY)
    setting = read_frame(source)
    if setting is None:
        return
    sys.path[:] = setting["path"]
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        function = pickle.loads(setting["function"])
    except Exception as error:
        write_frame(sink, ("unreadable", f"{type(error).__name__}: {error}"))
        return
    if setting["memory"] is not None:
        _limit_memory(setting["memory"])
    write_frame(sink, ("ready", None))
    while (task := read_frame(source)) is not None:
        if setting["seconds"] is not None:
            # ends this process also when it hangs in C and nobody is left to kill it
            faulthandler.dump_traceback_later(2 * setting["seconds"] + 5, exit=True, file=devnull)
        begin = time.perf_counter()
        status, value = _run(function, task)
        spent = time.perf_counter() - begin
        faulthandler.cancel_dump_traceback_later()
        try:
            write_frame(sink, (status, value, spent))
        except MemoryError:
            write_frame(sink, ("failed", "MemoryError: the result does not fit", spent))
