"""Regression problems from tables in files, and products of their columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DataError, ShapeError
from theory.numeric.compile import Array
from theory.numeric.problem import Regression, finite_array

__all__ = ["expand_products", "read_table"]


def read_table(path: str | Path, target: str | None = None) -> Regression:
    """Read a CSV file with a header line; one column is the target, the others make A.

    Parameters
    ----------
    path : path of the file
    target : str, optional
        Name of the target column; the last column unless given.

    Raises
    ------
    DataError
        For a missing or empty file, a row of another length than the header (with its line
        number), a cell that is not a finite number (with line and column), an unknown target.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"Cannot read the table {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"The table {path} is not UTF-8 text: {error}.") from error
    reader = csv.reader(text.splitlines())
    rows: list[list[float]] = []
    header: list[str] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip() for cell in cells]
            _check_header(header, path)
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {reader.line_num}: expected {len(header)} cells as in the header "
                f"but got {len(cells)}."
            )
        row = []
        for name, cell in zip(header, cells, strict=True):
            try:
                value = float(cell)
            except ValueError:
                value = np.nan
            if not np.isfinite(value):
                raise DataError(
                    f"{path}, line {reader.line_num}, column {name!r}: expected a finite number "
                    f"but got {cell!r}."
                )
            row.append(value)
        rows.append(row)
    if not header:
        raise DataError(f"The table {path} is empty; expected a header line and data.")
    if not rows:
        raise DataError(f"The table {path} has a header but no rows.")
    target = header[-1] if target is None else target
    if target not in header:
        raise DataError(f"The table {path} has no column {target!r}; columns: {', '.join(header)}.")
    if len(header) < 2:
        raise DataError(f"The table {path} has the single column {target!r} and no predictors.")
    data = np.array(rows)
    index = header.index(target)
    names = [name for name in header if name != target]
    return Regression(np.delete(data, index, axis=1), data[:, index], names=names)


def _check_header(header: list[str], path: Path) -> None:
    def is_number(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return False
        return True

    if all(is_number(cell) for cell in header):
        raise DataError(f"The table {path} has no header line; its first line is {header}.")
    if "" in header:
        raise DataError(f"The table {path} has a column without a name in its header {header}.")
    if len(set(header)) != len(header):
        double = next(name for name in header if header.count(name) > 1)
        raise DataError(f"The table {path} has two columns named {double!r}.")


def expand_products(
    A: ArrayLike, names: Sequence[str] | None = None, degree: int = 3
) -> tuple[Array, tuple[str, ...]]:
    r"""All products of columns up to a total degree, each standardized.

    Ten columns and degree 3 give $\binom{13}{3} - 1 = 285$: more unknowns than samples, where the
    implicit bias decides.

    Parameters
    ----------
    A : array_like, shape (n, d)
    names : sequence of str, optional
        Names of the columns; ``x0, x1, ...`` unless given.
    degree : int
        Largest total degree.

    Returns
    -------
    expanded : ndarray, shape (n, binomial(d + degree, degree) - 1)
        Columns with mean 0 and variance 1 (a product without variance becomes 0).
    names : tuple of str

    Examples
    --------
    >>> expand_products([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]], ["a", "b"], 2)[1]
    ('a', 'b', 'a*a', 'a*b', 'b*b')
    """
    A = finite_array(A, "A")
    if A.ndim != 2 or 0 in A.shape:
        raise ShapeError(f"Expected a matrix A of shape (n, d) but got shape {A.shape}.")
    if not isinstance(degree, int) or degree < 1:
        raise DataError(f"Expected an integer degree >= 1 but got degree = {degree!r}.")
    d = A.shape[1]
    labels = tuple(names) if names is not None else tuple(f"x{j}" for j in range(d))
    if len(labels) != d:
        raise ShapeError(f"Expected {d} names but got {len(labels)}.")
    base = _standardize(A)
    flat = np.flatnonzero(~base.any(axis=0))
    if flat.size:
        raise DataError(
            f"The column {labels[flat[0]]!r} is constant and cannot be standardized; leave it out."
        )
    chosen = [c for k in range(1, degree + 1) for c in combinations_with_replacement(range(d), k)]
    products = np.stack([np.prod(base[:, list(c)], axis=1) for c in chosen], axis=1)
    return _standardize(products), tuple("*".join(labels[j] for j in c) for c in chosen)


def _standardize(A: Array) -> Array:
    centered = A - A.mean(axis=0)
    scale = centered.std(axis=0)
    noise = scale <= 1e-12 * np.abs(A).max(axis=0)
    out: Array = np.where(noise, 0.0, centered / np.where(noise, 1.0, scale))
    return out
