"""The rows of a sweep as columns, and in the formats of other tools."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import DataError, ShapeError

__all__ = ["SweepTable"]


@dataclass(frozen=True, eq=False)
class SweepTable:
    """Results in the order of the grid.

    Parameters
    ----------
    points : tuple of mappings
        The arguments of each point.
    status : tuple of {"ok", "failed"}
    values : tuple
        What the function returned; the reason where it failed.
    seconds : tuple of float
        Of each point.
    axes : mapping from name to values
        Of a grid that is a product.
    """

    points: tuple[dict[str, Any], ...]
    status: tuple[str, ...]
    values: tuple[Any, ...]
    seconds: tuple[float, ...]
    axes: Mapping[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.points)

    def __str__(self) -> str:
        counts = {s: self.status.count(s) for s in ("ok", "failed")}
        return f"{len(self)} points: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n)

    @property
    def failed(self) -> dict[int, str]:
        """The places of failed points, and why they failed."""
        return {i: self.values[i] for i, s in enumerate(self.status) if s == "failed"}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns: arguments, then results."""
        found: dict[str, None] = dict.fromkeys(self.points[0])
        for value in self._results():
            found |= dict.fromkeys(value)
        return tuple(found)

    def _results(self) -> Iterator[dict[str, Any]]:
        """The results of each point by name; empty where it failed."""
        for status, value in zip(self.status, self.values, strict=True):
            if status != "ok":
                yield {}
            elif isinstance(value, dict):
                yield value
            else:
                yield {"value": value}

    def column(self, name: str) -> NDArray[Any]:
        """One argument or result over all points, NaN or None where there is none.

        Raises
        ------
        DataError
            For an unknown name.
        """
        cells: list[Any]
        if name in self.points[0]:
            cells = [p[name] for p in self.points]
        else:
            rows = list(self._results())
            if not any(name in row for row in rows):
                raise DataError(
                    f"The sweep has no column {name!r}; columns: {', '.join(self.names)}."
                )
            cells = [row.get(name) for row in rows]
        kinds = {type(c) for c in cells if c is not None}
        if kinds and kinds <= {int, float} and (float in kinds or None in cells):
            return np.array([np.nan if c is None else c for c in cells], dtype=np.float64)
        if kinds <= {int} or kinds <= {bool}:
            return np.array(cells)
        out = np.empty(len(cells), dtype=object)
        out[:] = cells
        return out

    def records(self) -> list[dict[str, Any]]:
        """One mapping for each point: arguments, status, results, reason."""
        out = []
        rows = zip(self.points, self.status, self.values, self._results(), strict=True)
        for point, status, value, result in rows:
            reason = value if status == "failed" else ""
            out.append({**point, "status": status, "reason": reason, **result})
        return out

    def to_csv(self, path: str | Path) -> None:
        """Write a CSV file; floats with all their digits."""
        records = self.records()
        names = list(dict.fromkeys(name for r in records for name in r))
        with open(path, "w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, names, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)

    def to_pandas(self) -> Any:
        """A pandas DataFrame."""
        return _needed("pandas").DataFrame(self.records())

    def to_parquet(self, path: str | Path) -> None:
        """Write a Parquet file."""
        _needed("pyarrow")
        self.to_pandas().to_parquet(path)

    def to_xarray(self) -> Any:
        """An xarray Dataset over the axes of the grid.

        Raises
        ------
        ShapeError
            When the points were listed one by one: there are no axes.
        """
        if not self.axes:
            raise ShapeError("The points are no product of axes; use to_pandas().")
        xarray = _needed("xarray")
        shape = tuple(len(v) for v in self.axes.values())
        names = [n for n in self.names if n not in self.points[0]]
        data = {n: (tuple(self.axes), self.column(n).reshape(shape)) for n in names}
        return xarray.Dataset(data, coords={k: list(v) for k, v in self.axes.items()})


def _needed(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise DataError(f"This format needs the package {module}: pip install {module}.") from error
