"""Matrices and ratings from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import theory as th
from theory.errors import DataError, DomainError


def written(path: Path, text: str, name: str = "data.txt") -> Path:
    file = path / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "1,2,\n,5,6\n",
        "a,b,c\n1,2,nan\n?,5,6\n",
        "1\t2\tNA\n\t5\t6\n",
        "1;2;\nnull;5;6\n\n",
        "1 2 nan\nnan 5 6\n",
        "\ufeff1,2,\n,5,6",
    ],
)
def test_tables_have_empty_cells(tmp_path: Path, text: str) -> None:
    expected = np.array([[1, 2, np.nan], [np.nan, 5, 6]])
    assert np.array_equal(th.read_incomplete(written(tmp_path, text)), expected, equal_nan=True)


def test_arrays_and_images(tmp_path: Path) -> None:
    M = np.array([[1.0, np.nan], [0.5, 2.0]])
    np.save(tmp_path / "m.npy", M)
    assert np.array_equal(th.read_incomplete(tmp_path / "m.npy"), M, equal_nan=True)
    from matplotlib.image import imsave

    gray = np.linspace(0, 1, 12).reshape(3, 4)
    imsave(tmp_path / "m.png", gray, cmap="gray", vmin=0, vmax=1)
    assert np.allclose(th.read_incomplete(tmp_path / "m.png"), gray, atol=1 / 255)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="Cannot read"):
        th.read_incomplete(tmp_path / "m.npy")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2\n3\n", "line 2: expected 2 cells"),
        ("1,2\n3,x\n", "line 2, cell 2: 'x' is no number"),
        ("", "no rows"),
        ("1,inf\n", "finite entries"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        th.read_incomplete(written(tmp_path, text))


def test_missing_files_are_refused(tmp_path: Path) -> None:
    for read in (th.read_incomplete, th.read_ratings):
        with pytest.raises(DataError, match="Cannot read"):
            read(tmp_path / "none.csv")
    (tmp_path / "m.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="Cannot read the image"):
        th.read_incomplete(tmp_path / "m.png")


@pytest.mark.parametrize(
    "text",
    [
        "u1\ti1\t5\t881250949\nu1\ti2\t3\t0\nu2\ti1\t1\t5\n",
        "u1::i1::5::1\nu1::i2::3::1\nu2::i1::1::1\n",
        "userId,movieId,rating,timestamp\nu1,i1,5,1\nu1,i2,3,1\nu2,i1,1,1\n",
        "user_id:token\titem_id:token\trating:float\nu1\ti1\t5\nu1\ti2\t3\nu2\ti1\t1\n",
    ],
)
def test_ratings_of_movielens(tmp_path: Path, text: str) -> None:
    ratings = th.read_ratings(written(tmp_path, text))
    assert ratings.users == ("u1", "u2") and ratings.items == ("i1", "i2")
    assert np.array_equal(ratings.matrix, [[5, 3], [1, np.nan]], equal_nan=True)
    assert ratings.count == 3


def test_ratings_given_twice(tmp_path: Path) -> None:
    file = written(tmp_path, "u\ti\t5\t20\nu\tj\t1\t1\nu\ti\t2\t10\n")
    with pytest.raises(DataError, match="line 3: user u has rated item i in line 1 already"):
        th.read_ratings(file)
    # the last by its time stamp, not by its line
    assert th.read_ratings(file, duplicates="last").matrix.tolist() == [[5.0, 1.0]]
    assert th.read_ratings(file, duplicates="mean").matrix.tolist() == [[3.5, 1.0]]
    with pytest.raises(DomainError, match="'first'"):
        th.read_ratings(file, duplicates="first")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("u,i\n", "line 1: expected user, item and rating"),
        ("u,i,5\nu,j,good\n", "line 2: 'good' is no rating"),
        ("u,i,5\nu,j,nan\n", "line 2: expected a finite rating"),
        ("user,item,rating\n", "has no ratings"),
    ],
)
def test_wrong_ratings_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        th.read_ratings(written(tmp_path, text))


def test_densest_block_has_ratings_everywhere(tmp_path: Path) -> None:
    lines = ["a,x,1", "a,y,2", "b,x,3", "b,y,4", "c,z,5"]
    ratings = th.read_ratings(written(tmp_path, "\n".join(lines)))
    block = ratings.densest(3, 2)
    assert block.users == ("a", "b") and block.items == ("x", "y")
    with pytest.raises(DomainError, match="users >= 1"):
        ratings.densest(0, 1)
