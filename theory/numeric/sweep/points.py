"""The points of a sweep: which there are, what identifies them, and their random numbers."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from theory.errors import DataError, ShapeError

__all__ = ["RESERVED", "Grid", "Point", "generator_of", "key_of", "read_grid"]

Point: TypeAlias = dict[str, Any]
"""The arguments of one call: numbers, texts and truth values by name."""
Grid: TypeAlias = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]


RESERVED = ("status", "reason")
"""Columns of every table."""


def read_grid(grid: Grid) -> tuple[list[Point], dict[str, list[Any]]]:
    """All points in order, and the axes of a product.

    Parameters
    ----------
    grid : mapping from name to values, or sequence of mappings
        The product of the values, the last name running fastest; or the points themselves.

    Returns
    -------
    points : list of Point
    axes : mapping from name to values
        Empty when the points were listed.

    Raises
    ------
    DataError
        For no points, a value that is not a finite number, a text or a truth value, and for a
        point that appears twice.
    ShapeError
        For points with different names.

    Examples
    --------
    >>> read_grid({"a": [1, 2], "b": ["x"]})[0]
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    axes: dict[str, list[Any]] = {}
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise DataError(f"Expected a list of values for {name!r} but got {values!r}.")
            axes[str(name)] = [_value(str(name), v) for v in values]
            if not axes[str(name)]:
                raise DataError(f"The axis {name!r} of the grid has no values.")
        points = [
            dict(zip(axes, choice, strict=True)) for choice in itertools.product(*axes.values())
        ]
        if not axes:
            points = []
    else:
        points = [{str(k): _value(str(k), v) for k, v in point.items()} for point in grid]
        for i, point in enumerate(points):
            if set(point) != set(points[0]):
                raise ShapeError(
                    f"Expected the names {sorted(points[0])} at every point but point {i} has "
                    f"{sorted(point)}."
                )
    if not points:
        raise DataError("The grid has no points.")
    taken = set(points[0]) & set(RESERVED)
    if taken:
        raise DataError(f"The name {min(taken)!r} is a column of every table; rename the axis.")
    seen: dict[str, int] = {}
    for i, point in enumerate(points):
        first = seen.setdefault(_text(point), i)
        if first != i:
            raise DataError(f"The points {first} and {i} of the grid are the same: {point}.")
    return points, axes


def _value(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise DataError(
        f"Expected finite numbers, texts or truth values in the grid but got {name} = {value!r}."
    )


def _text(point: Point) -> str:
    # a float and an integer of the same value are different arguments of a function
    return json.dumps(point, sort_keys=True)


def key_of(point: Point, seed: int) -> str:
    """The identity of a point, which its place in the grid does not change."""
    return hashlib.sha256(f"{seed}\n{_text(point)}".encode()).hexdigest()


def generator_of(key: str, seed: int) -> np.random.Generator:
    """The random numbers of a point: the same in every engine and for every number of workers.

    Examples
    --------
    >>> point = {"alpha": 0.1}
    >>> a, b = (generator_of(key_of(point, 7), 7).random() for _ in range(2))
    >>> a == b
    True
    """
    words = tuple(int(key[i : i + 8], 16) for i in range(0, 64, 8))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))
