"""The file of a sweep: one committed row for each point that has ended."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from theory.errors import DataError
from theory.numeric.sweep.supervisor import Outcome, SweepError

__all__ = ["Row", "Store"]

_FORMAT = "1"
_TABLES = """
create table if not exists meta (name text primary key, value text not null);
create table if not exists rows (
    key text primary key, point text not null, status text not null, value text not null,
    seconds real not null
);
"""

Row = tuple[str, Any, float]
"""Status, value or reason, seconds."""


class Store:
    """Rows in SQLite, each on disk before it is counted.

    The log is written ahead, so a killed process loses nothing that was committed. Only the driver
    writes, and only one driver at a time.

    Parameters
    ----------
    path : path of the file
    identity : mapping
        What must be the same for the rows to belong together: function, versions, seed.

    Raises
    ------
    SweepError
        When the file belongs to another function or other versions, or another process uses it.
    DataError
        When the file is not one of a sweep.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self.path = Path(path)
        try:
            # held until `close`; the system lets go of it when the process ends
            self._lock: IO[bytes] = open(self.path, "ab")  # noqa: SIM115
        except OSError as error:
            raise DataError(f"Cannot write {self.path}: {error.strerror or error}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SweepError(f"Another process is running the sweep in {self.path}.") from error
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._connection.executescript(_TABLES)
            self._check(identity)
        except sqlite3.DatabaseError as error:
            self.close()
            raise DataError(f"{self.path} is not the file of a sweep: {error}.") from error
        except SweepError:
            self.close()
            raise

    def _check(self, identity: Mapping[str, Any]) -> None:
        wanted = {"format": _FORMAT} | {k: json.dumps(v) for k, v in identity.items()}
        stored = dict(self._connection.execute("select name, value from meta"))
        if not stored:
            with self._connection:
                self._connection.executemany("insert into meta values (?, ?)", wanted.items())
            return
        changed = sorted(k for k in {*wanted, *stored} if wanted.get(k) != stored.get(k))
        if changed:
            details = "; ".join(
                f"{k} was {_short(stored.get(k))} and is {_short(wanted.get(k))}" for k in changed
            )
            raise SweepError(
                f"{self.path} was made with something else: {details}. Rows of both do not belong "
                "together; use another file, or delete this one."
            )

    def rows(self) -> dict[str, Row]:
        """All rows by key."""
        found = self._connection.execute("select key, status, value, seconds from rows")
        return {key: (status, json.loads(value), seconds) for key, status, value, seconds in found}

    def add(self, outcomes: Iterable[tuple[Outcome, dict[str, Any]]]) -> None:
        """Commit rows one by one; a row with the same key is replaced."""
        for outcome, point in outcomes:
            self._connection.execute(
                "insert or replace into rows values (?, ?, ?, ?, ?)",
                (
                    outcome.key,
                    json.dumps(point, sort_keys=True),
                    outcome.status,
                    json.dumps(outcome.value, sort_keys=True),
                    outcome.seconds,
                ),
            )

    def close(self) -> None:
        """Close the file and let others use it."""
        self._connection.close()
        self._lock.close()


def _short(text: str | None) -> str:
    if text is None:
        return "not recorded"
    return text if len(text) <= 60 else text[:57] + "..."
