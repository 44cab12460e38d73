"""Baselines among the interpolators."""

import numpy as np
import pytest

from theory.errors import DataError
from theory.numeric.interpolators import minimum_l1, minimum_l2
from theory.numeric.problem import Regression


def test_baselines_interpolate_and_minimize_their_norm():
    rng = np.random.default_rng(3)
    A, kernel_steps = rng.normal(size=(4, 9)), rng.normal(size=(50, 9))
    problem = Regression(A, rng.normal(size=4))
    l1, l2 = minimum_l1(problem), minimum_l2(problem)
    projection = np.eye(9) - np.linalg.pinv(A) @ A
    for x, order in ((l1, 1), (l2, 2)):
        assert np.allclose(A @ x, problem.y)
        for step in kernel_steps @ projection:
            assert np.linalg.norm(x + step, order) >= np.linalg.norm(x, order) - 1e-9
    assert np.sum(np.abs(l1) > 1e-9) <= 4


def test_baseline_refuses_what_cannot_be_interpolated():
    with pytest.raises(DataError, match="interpolates"):
        minimum_l1(Regression([[1.0], [1.0]], [0.0, 1.0]))
