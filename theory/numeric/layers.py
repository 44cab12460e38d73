"""Flat parameters as the arrays of their layers."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from theory.numeric.compile import Array

__all__ = ["Shapes", "slices", "split"]

Shapes = tuple[tuple[int, ...], ...]


@lru_cache(maxsize=256)
def slices(shapes: Shapes) -> tuple[slice, ...]:
    """The place of each layer among the flat parameters.

    Examples
    --------
    >>> slices(((2, 3), (2,)))
    (slice(0, 6, None), slice(6, 8, None))
    """
    ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)]).tolist()
    return tuple(slice(a, b) for a, b in pairwise(ends))


def split(flat: Array, shapes: Shapes) -> list[Array]:
    """Views of flat parameters, one a layer.

    Examples
    --------
    >>> [w.tolist() for w in split(np.arange(4.0), ((1, 2), (2,)))]
    [[[0.0, 1.0]], [2.0, 3.0]]
    """
    return [flat[s].reshape(shape) for s, shape in zip(slices(shapes), shapes, strict=True)]
