"""Incomplete matrices from files: tables with empty cells, arrays, images, and lists of ratings."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from theory.errors import DataError, DomainError
from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import read_matrix
from theory.numeric.matrices.options import whole

__all__ = ["Ratings", "read_incomplete", "read_ratings"]

_MISSING = ("", "nan", "na", "?", "null", "none")
_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True, eq=False)
class Ratings:
    """A matrix of ratings, NaN where a user has not rated an item.

    Parameters
    ----------
    matrix : ndarray, shape (users, items)
    users, items : tuple of str
        As they are called in the file, in the order of their first appearance.
    """

    matrix: Array
    users: tuple[str, ...]
    items: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of ratings."""
        return int(np.sum(~np.isnan(self.matrix)))

    def densest(self, users: int, items: int) -> Ratings:
        """The block of the most active users and the most rated items; ties by their order.

        Users and items without a rating inside of the block are left out.

        Raises
        ------
        DomainError
            For sizes that are not positive.

        Examples
        --------
        >>> M = np.array([[1.0, np.nan, np.nan], [2.0, 3.0, np.nan]])
        >>> Ratings(M, ("a", "b"), ("x", "y", "z")).densest(1, 2).matrix.tolist()
        [[2.0, 3.0]]
        """
        users, items = whole("users", users), whole("items", items)
        seen = ~np.isnan(self.matrix)
        rows = np.argsort(-seen.sum(axis=1), kind="stable")[:users]
        columns = np.argsort(-seen.sum(axis=0), kind="stable")[:items]
        while True:
            block = seen[np.ix_(rows, columns)]
            full, used = block.any(axis=1), block.any(axis=0)
            if full.all() and used.all():
                break
            rows, columns = rows[full], columns[used]
        return Ratings(
            self.matrix[np.ix_(rows, columns)],
            tuple(self.users[i] for i in rows),
            tuple(self.items[j] for j in columns),
        )


def read_ratings(path: str | Path, *, duplicates: str = "refuse") -> Ratings:
    """Read lines of user, item, rating, and perhaps a time stamp, as MovieLens has them.

    Cells are parted by tabs, ``::`` or commas, and a first line whose rating is no number is a
    header.

    Parameters
    ----------
    path : path of the file
    duplicates : str
        What to do when a user rates an item twice: "refuse", "last" (by the time stamp if there is
        one, else in the file) or "mean".

    Raises
    ------
    DataError
        For a missing or empty file, a line that is too short or whose rating is not a finite
        number, and for duplicates, each with its line.
    DomainError
        For another word.
    """
    if duplicates not in ("refuse", "last", "mean"):
        raise DomainError(f"Expected duplicates 'refuse', 'last' or 'mean' but got {duplicates!r}.")
    path = Path(path)
    found: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for number, cells in _lines(path):
        if len(cells) < 3:
            raise DataError(
                f"{path}, line {number}: expected user, item and rating, parted by tabs, '::' or "
                f"commas, but got {cells!r}."
            )
        user, item, text, *more = cells
        try:
            rating = float(text)
        except ValueError as error:
            if not found and number == 1:
                continue
            raise DataError(f"{path}, line {number}: {text!r} is no rating.") from error
        if not np.isfinite(rating):
            raise DataError(f"{path}, line {number}: expected a finite rating but got {text}.")
        when = _stamp(more, number)
        before = found.setdefault((user, item), [])
        if before and duplicates == "refuse":
            raise DataError(
                f"{path}, line {number}: user {user} has rated item {item} in line {before[0][2]} "
                "already; duplicates='last' or 'mean' says what to do."
            )
        before.append((when, rating, number))
    if not found:
        raise DataError(f"{path} has no ratings.")
    users = list(dict.fromkeys(user for user, _ in found))
    items = list(dict.fromkeys(item for _, item in found))
    row, column = ({name: i for i, name in enumerate(names)} for names in (users, items))
    matrix = np.full((len(users), len(items)), np.nan)
    for (user, item), entries in found.items():
        values = [rating for _, rating, _ in sorted(entries, key=lambda e: (e[0], e[2]))]
        matrix[row[user], column[item]] = values[-1] if duplicates != "mean" else np.mean(values)
    return Ratings(matrix, tuple(users), tuple(items))


def _stamp(cells: list[str], number: int) -> float:
    """A time stamp if there is one, else the place in the file."""
    try:
        return float(cells[0])
    except (IndexError, ValueError):
        return float(number)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            mark = "\t" if "\t" in line else "::" if "::" in line else ","
            yield number, [cell.strip() for cell in line.split(mark)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}.") from error


def read_incomplete(path: str | Path) -> Array:
    """A matrix from a file: a table with empty cells, an array of NumPy, or a gray image.

    Parameters
    ----------
    path : path of the file
        ``.npy``; an image, which Matplotlib reads and whose colors are averaged (the extra
        ``plot``); else text, cells parted by tabs, semicolons, commas or spaces, a missing one
        empty, ``nan``, ``NA``, ``?`` or ``null``. A first line without any number is a header.

    Returns
    -------
    matrix : ndarray, shape (m, n)

    Raises
    ------
    DataError
        For what cannot be read, lines of different lengths, or cells that are no numbers.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        try:
            # without pickles, which could run code
            return read_matrix(np.load(path, allow_pickle=False), str(path))
        except (OSError, ValueError) as error:
            raise DataError(f"Cannot read {path} as an array: {error}.") from error
    if path.suffix.lower() in _IMAGES:
        return _image(path)
    rows: list[list[float]] = []
    for number, cells in _cells(path):
        values = [_value(cell) for cell in cells]
        if not rows and number == 1 and all(v is None for v in values):
            continue
        if None in values:
            j = values.index(None)
            raise DataError(f"{path}, line {number}, cell {j + 1}: {cells[j]!r} is no number.")
        if rows and len(values) != len(rows[0]):
            raise DataError(
                f"{path}, line {number}: expected {len(rows[0])} cells as in the lines before but "
                f"got {len(values)}."
            )
        rows.append([v for v in values if v is not None])
    if not rows:
        raise DataError(f"{path} has no rows.")
    return read_matrix(rows, str(path))


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = _text(path)
    mark = next((m for m in ("\t", ";", ",") if m in text), None)
    for number, line in enumerate(text.splitlines(), 1):
        if mark is None:
            cells = line.split()
        else:
            cells = [c.strip() for c in next(csv.reader([line], delimiter=mark), [])]
        # a line of one empty cell only is a blank line, unless the table has one column
        if any(cells) or (len(cells) > 1 and mark is not None):
            yield number, cells


def _value(cell: str) -> float | None:
    if cell.lower() in _MISSING:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return None


def _image(path: Path) -> Array:
    try:
        from matplotlib.image import imread
    except ImportError as error:
        raise DataError(
            f"Reading the image {path} needs Matplotlib: pip install implicit-bias-theory[plot]."
        ) from error
    try:
        pixels = np.asarray(imread(path), dtype=np.float64)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"Cannot read the image {path}: {error}.") from error
    if pixels.ndim == 3:
        # the fourth channel is not a color
        pixels = pixels[:, :, : min(3, pixels.shape[2])].mean(axis=2)
    return read_matrix(pixels, str(path))
