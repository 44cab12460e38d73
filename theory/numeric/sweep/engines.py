"""Where batches of points run: in this process, in loky's workers, or on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from theory.errors import DomainError
from theory.numeric.sweep.supervisor import Outcome, Setting, SweepError, run_batch

__all__ = ["Batch", "Engine", "engine"]

Batch: TypeAlias = Sequence[tuple[str, dict[str, Any]]]


class Engine(Protocol):
    """What a sweep needs of an engine."""

    workers: int

    def outcomes(
        self, setting: Setting, next_batch: Callable[[], Batch | None]
    ) -> Iterator[list[Outcome]]:
        """The outcomes of batches as they end; batches are asked for when a worker is free."""
        ...


class _Local:
    """Workers of this machine, as any executor of the standard library's kind."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor, self.workers = executor, workers

    def outcomes(
        self, setting: Setting, next_batch: Callable[[], Batch | None]
    ) -> Iterator[list[Outcome]]:
        waiting: dict[Future[list[Outcome]], Batch] = {}
        while True:
            # one batch more than workers, so that none of them waits for the driver
            while len(waiting) <= self.workers and (batch := next_batch()) is not None:
                waiting[self.executor.submit(run_batch, setting, batch)] = batch
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                del waiting[future]
                yield future.result()


class _Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.workers = max(1, sum(client.nthreads().values()))

    def outcomes(
        self, setting: Setting, next_batch: Callable[[], Batch | None]
    ) -> Iterator[list[Outcome]]:
        from distributed import as_completed

        def submit(batch: Batch) -> Any:
            return self.client.submit(run_batch, setting, batch, pure=False, retries=3)

        first: list[Any] = []
        while len(first) < self.workers + 1 and (batch := next_batch()) is not None:
            first.append(submit(batch))
        queue = as_completed(first)
        for future in queue:
            outcome = future.result()
            if (batch := next_batch()) is not None:
                queue.add(submit(batch))
            yield outcome


@contextmanager
def engine(name: Any, workers: int | None) -> Iterator[Engine]:
    """The engine of a name, an address such as ``tcp://127.0.0.1:8786``, or a Dask client.

    Raises
    ------
    DomainError
        For an unknown name, or a number of workers below 1.
    SweepError
        When the cluster cannot be reached, or Dask is not installed.
    """
    if workers is not None and (
        isinstance(workers, bool) or not isinstance(workers, int) or workers < 1
    ):
        raise DomainError(f"Expected workers >= 1 but got {workers!r}.")
    count = workers if workers is not None else (os.cpu_count() or 1)
    if name == "serial":
        with ThreadPoolExecutor(1) as one:
            yield _Local(one, 1)
    elif name == "loky":
        from joblib.externals.loky import ProcessPoolExecutor

        pool = ProcessPoolExecutor(count)
        try:
            yield _Local(pool, count)
        finally:
            pool.shutdown(kill_workers=True)
    elif isinstance(name, str) and "://" in name:
        client = _client(name)
        try:
            yield _Cluster(client)
        finally:
            client.close()
    elif hasattr(name, "submit") and hasattr(name, "nthreads"):
        yield _Cluster(name)
    else:
        raise DomainError(
            "Expected 'serial', 'loky', the address of a Dask scheduler (tcp://...) or a Dask "
            f"client as the engine but got {name!r}."
        )


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise SweepError(
            "A Dask scheduler needs the package distributed: "
            "pip install 'implicit-bias-theory[cluster]'."
        ) from error
    try:
        return Client(address, timeout=5)
    except (OSError, ValueError) as error:
        raise SweepError(f"No Dask scheduler answers at {address}: {error}.") from error
