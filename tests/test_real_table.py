"""A real table with more columns than rows: trajectory and limit point agree for many flows."""

from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

import theory as th
from tests.nightly import NIGHTLY

START = {"u": 1e-8, "v": 1e-8}
PAIRS = [
    ("squared", "identity"),
    ("squared", "logistic"),
    ("squared", "tanh"),
    ("squared", "softplus"),
    ("squared", "exp"),
    ("cross_entropy", "logistic"),
    ("cross_entropy", "probit"),
    ("poisson", "exp"),
    ("log_cosh", "tanh"),
    ("huber", "identity"),
]


@pytest.fixture(scope="module")
def problem() -> th.Regression:
    """100 patients, all 285 products of their 10 measurements up to degree 3, targets in (0, 1)."""
    table = th.read_table(Path(th.__file__).parent / "data" / "diabetes.csv")
    z = np.asarray(table.A)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    columns = [
        np.prod(z[:, list(c)], axis=1)
        for degree in (1, 2, 3)
        for c in combinations_with_replacement(range(z.shape[1]), degree)
    ]
    A = np.stack(columns, axis=1)
    A /= np.linalg.norm(A, axis=0)
    y = 0.1 + 0.8 * (table.y - table.y.min()) / np.ptp(table.y)
    return th.Regression(A, y)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "link"), PAIRS if NIGHTLY else PAIRS[::3])
def test_trajectory_from_a_tiny_start_ends_at_the_limit_point(problem, loss, link):
    flow = th.GradientFlow(
        th.Elementwise("u**2 - v**2", "u, v"),
        loss=getattr(th.losses, loss)(),
        link=getattr(th.links, link)(),
    )
    limit = flow.limit_point(problem, START)
    options = {"method": "LSODA", "rtol": 1e-9, "tol": 1e-11, "max_seconds": 600.0}
    run = flow.integrate(problem, START, None, **options)
    assert limit.success
    assert run.success
    assert limit.kkt_residual < 1e-12
    assert np.linalg.norm(run.end - limit.x) <= 1e-8 * np.linalg.norm(limit.x)
    assert max(run.drift) < 1e-10


def test_the_tiny_start_is_close_to_the_smallest_l1_norm_and_far_from_the_smallest_l2(problem):
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    limit = flow.limit_point(problem, START)
    A, y = np.asarray(problem.A), problem.y
    smallest = linprog(np.ones(2 * A.shape[1]), A_eq=np.hstack([A, -A]), b_eq=y).fun
    l2 = np.linalg.lstsq(A, y, rcond=None)[0]
    assert smallest <= np.abs(limit.x).sum() < 1.05 * smallest
    assert np.abs(l2).sum() > 1.2 * smallest
