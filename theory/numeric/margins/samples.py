"""Samples of two classes from a CSV file, or handwritten digits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from theory.errors import DataError, DomainError
from theory.numeric.compile import Array
from theory.numeric.margins.classification import Classification
from theory.numeric.matrices.options import whole
from theory.numeric.table import read_table

__all__ = ["read_digits", "read_samples"]


def read_samples(
    source: str | Path, *, train: int | None = None, seed: int = 0
) -> tuple[Classification, Classification | None]:
    """Training and test samples.

    Parameters
    ----------
    source : str or path
        A CSV file with a header whose last column, or the one called y, label or target, has two
        values: the larger is +1; or "digits:2,7" for the handwritten digits 2 (+1) and 7 (-1) of
        scikit-learn.
    train : int, optional
        Samples of each class in the training set, drawn without order; the others are the test
        set. All are training samples unless given.
    seed : int

    Returns
    -------
    training samples, and test samples or None

    Raises
    ------
    DataError
        For a file that cannot be read, or one without exactly two labels.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "points.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("a,b,label\\n1,2,0\\n3,4,1\\n")
    ...     read_samples(path)[0].y.tolist()
    [-1.0, 1.0]
    """
    text = str(source)
    digits = re.fullmatch(r"digits:\s*(\d)\s*,\s*(\d)\s*", text.strip())
    if digits is not None:
        return read_digits(int(digits[1]), int(digits[2]), train=train, seed=seed)
    if text.startswith("digits"):
        raise DataError(f"Expected two digits as 'digits:2,7' but got {text!r}.")
    X, values = _table(source)
    labels = np.unique(values)
    if len(labels) != 2:
        shown = ", ".join(f"{v:g}" for v in labels[:5])
        raise DataError(
            f"Expected two different labels in {source} but there are {len(labels)}: {shown}"
            + (", ..." if len(labels) > 5 else "")
            + "."
        )
    return _split(X, np.where(values == labels[1], 1.0, -1.0), train, seed)


def read_digits(
    positive: int, negative: int, *, train: int | None = 50, seed: int = 0
) -> tuple[Classification, Classification | None]:
    """Two of the handwritten digits of scikit-learn, 8 by 8 pixels between 0 and 1.

    Raises
    ------
    DomainError
        For what are not two different digits.
    DataError
        Without scikit-learn.
    """
    if positive == negative or not (0 <= positive <= 9 and 0 <= negative <= 9):
        raise DomainError(f"Expected two different digits but got {positive} and {negative}.")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "The handwritten digits come with scikit-learn, which is not installed: "
            "pip install scikit-learn."
        ) from error
    images, values = load_digits(return_X_y=True)
    rows = np.flatnonzero((values == positive) | (values == negative))
    X, y = images[rows] / 16.0, np.where(values[rows] == positive, 1.0, -1.0)
    return _split(X, y, train, seed)


def _table(source: str | Path) -> tuple[Array, Array]:
    found: Any = read_table(source)
    return np.asarray(found.dense), np.asarray(found.y)


def _split(
    X: Array, y: Array, train: int | None, seed: int
) -> tuple[Classification, Classification | None]:
    if train is None:
        return Classification(X, y), None
    train = whole("train", train)
    order = np.random.default_rng(whole("seed", seed, least=0)).permutation(len(y))
    chosen = [order[y[order] == side][:train] for side in (1.0, -1.0)]
    short = min(len(c) for c in chosen)
    if short < train:
        raise DataError(f"Expected {train} samples of each class but one has {short}.")
    inside = np.concatenate(chosen)
    rest = np.setdiff1d(order, inside)
    test = None
    if len(rest) and len(np.unique(y[rest])) == 2:
        test = Classification(X[rest], y[rest])
    return Classification(X[inside], y[inside]), test
