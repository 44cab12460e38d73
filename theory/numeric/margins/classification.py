"""Samples with labels +1 and -1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from theory.errors import DataError, ShapeError
from theory.numeric.compile import Array

__all__ = ["Classification", "read_labels"]


@dataclass(frozen=True, eq=False)
class Classification:
    """Inputs and their labels.

    Parameters
    ----------
    X : array_like, shape (m, d)
    y : array_like, shape (m,)
        +1 or -1.

    Raises
    ------
    ShapeError
        For arrays that do not belong together.
    DataError
        For values that are not finite, other labels, or one label alone.

    Examples
    --------
    >>> Classification([[1.0, 0.0], [0.0, 1.0]], [1, -1]).m
    2
    >>> Classification([[1.0], [2.0]], [0, 1])
    Traceback (most recent call last):
    theory.errors.DataError: Expected labels +1 and -1 but got 0 among them; for labels 0 and 1 ...
    """

    X: Array
    y: Array

    def __post_init__(self) -> None:
        try:
            X = np.array(self.X, dtype=np.float64, order="C")
        except (TypeError, ValueError) as error:
            raise DataError(f"Expected the inputs as a matrix of numbers: {error}.") from error
        if X.ndim != 2 or not X.size:
            raise ShapeError(f"Expected inputs of shape (m, d) but got {X.shape}.")
        if not np.isfinite(X).all():
            i, j = np.argwhere(~np.isfinite(X))[0]
            raise DataError(f"Expected finite inputs but X[{i}, {j}] = {X[i, j]}.")
        y = read_labels(self.y)
        if y.shape != (X.shape[0],):
            raise ShapeError(f"Expected {X.shape[0]} labels, one a row, but got {y.shape}.")
        for name, value in (("X", X), ("y", y)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def m(self) -> int:
        """The number of samples."""
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        """The number of inputs of a sample."""
        return int(self.X.shape[1])

    @cached_property
    def signed(self) -> Array:
        """The rows $y_ix_i$, shape (m, d)."""
        return self.y[:, None] * self.X

    @cached_property
    def contradiction(self) -> tuple[int, int] | None:
        """Two equal inputs with different labels: no function of the input separates them."""
        first: dict[bytes, int] = {}
        for i, row in enumerate(self.X + 0.0):
            j = first.setdefault(row.tobytes(), i)
            if self.y[j] != self.y[i]:
                return j, i
        return None

    def __repr__(self) -> str:
        return f"Classification(m={self.m}, d={self.d}, positive={int((self.y > 0).sum())})"


def read_labels(y: Any) -> Array:
    """Labels +1 and -1 as floats.

    Raises
    ------
    DataError
        For other values, with the way out for the labels 0 and 1.
    """
    try:
        labels = np.array(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Expected labels +1 and -1 but got {y!r}: {error}.") from error
    strange = labels[~np.isin(labels, (-1.0, 1.0))]
    if strange.size:
        hint = "; for labels 0 and 1 give 2*y - 1" if set(np.unique(labels)) <= {0.0, 1.0} else ""
        raise DataError(f"Expected labels +1 and -1 but got {strange.flat[0]:g} among them{hint}.")
    if labels.size and (labels == labels.flat[0]).all():
        raise DataError(
            f"All labels are {labels.flat[0]:+g}; a margin between two classes needs both."
        )
    return labels
