"""Data at the door: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import theory
from theory.errors import DataError, ShapeError
from theory.numeric.problem import Regression
from theory.numeric.table import expand_products, read_table

DATA = Path(theory.__file__).parent / "data" / "diabetes.csv"


@pytest.mark.parametrize(
    ("A", "y", "error", "text"),
    [
        ([1.0, 2.0], [1.0], ShapeError, r"\(2,\)"),
        ([[1.0, 2.0]], [1.0, 2.0], ShapeError, r"Expected y of shape \(1,\)"),
        ([[1.0, 2.0], [1.0]], [1.0, 2.0], ShapeError, "equal length"),
        (np.zeros((0, 3)), [], DataError, "at least one sample"),
        ([[1.0, np.nan]], [1.0], DataError, r"A\[0, 1\] = nan"),
        ([[1.0, 2.0]], [np.inf], DataError, r"y\[0\] = inf"),
        ([["a", 2.0]], [1.0], DataError, "real numbers"),
        ([[1.0 + 1j, 2.0]], [1.0], DataError, "complex"),
        ([[None, 2.0]], [1.0], DataError, r"A\[0, 0\] = None"),
        (sparse.csr_array([[1.0, np.nan]]), [1.0], DataError, r"A\[0, 1\] = nan"),
    ],
)
def test_data_is_refused(A: Any, y: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Regression(A, y)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, aslinearoperator])
def test_dense_sparse_and_operator_agree(form: Any) -> None:
    A = np.array([[1.0, 2, -1, 0.5], [0, 1, 1, -2]])
    problem = Regression(form(A), [1.0, 2.0])
    x, r = np.arange(4.0), np.array([3.0, -1.0])
    assert np.array_equal(problem.predict(x), A @ x)
    assert np.array_equal(problem.pull_back(r), A.T @ r)
    assert np.array_equal(problem.dense, A)


def test_consistency_is_decided_by_the_range_of_A() -> None:
    problem = Regression([[1.0, 2.0], [2.0, 4.0]], [0.0, 0.0])
    assert problem.rank == 1
    assert problem.is_consistent([3.0, 6.0])
    # the distance of (1, 0) from the line through (1, 2)
    assert problem.distance_to_range([1.0, 0.0]) == pytest.approx(2 / np.sqrt(5), rel=1e-14)


def test_data_cannot_be_changed_afterwards() -> None:
    A = np.ones((1, 2))
    problem = Regression(A, [1.0])
    A[0, 0] = 5.0
    assert problem.dense[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        problem.y[0] = 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1\n", "line 3: expected 2 cells"),
        ("a,b\n1,2\n1,x\n", "line 3, column 'b': expected a finite number but got 'x'"),
        ("a,b\n1,nan\n", "line 2, column 'b'"),
        ("1,2\n3,4\n", "no header"),
        ("a,a\n1,2\n", "two columns named 'a'"),
        ("a\n1\n", "no predictors"),
    ],
)
def test_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_missing_table_and_unknown_target_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="no column 'foo'"):
        read_table(DATA, target="foo")


def test_target_column_is_taken_out_of_the_matrix(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a, y ,b\n1,2,3\n4,5,6\n")
    problem = read_table(path, target="y")
    assert problem.names == ("a", "b")
    assert problem.dense.tolist() == [[1, 3], [4, 6]]
    assert problem.y.tolist() == [2, 5]


def test_diabetes_table_has_its_hundred_patients() -> None:
    problem = read_table(DATA)
    assert (problem.n, problem.d) == (100, 10)
    assert problem.y[:3].tolist() == [151, 75, 141]
    assert problem.dense[0].tolist() == [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]


def test_products_of_ten_columns_are_285_standardized_columns() -> None:
    table = read_table(DATA)
    A, names = expand_products(table.dense, table.names, 3)
    assert A.shape == (100, 285)
    assert len(set(names)) == 285
    np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(A.std(axis=0), 1, rtol=1e-13)


def test_constant_columns_cannot_be_standardized() -> None:
    with pytest.raises(DataError, match="'b' is constant"):
        expand_products([[1.0, 2.0], [3.0, 2.0]], ["a", "b"])
