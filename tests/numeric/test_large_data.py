"""Sparse data and operators: the same results as for arrays, without an array of size n d."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import theory as th
from theory.numeric import problem as problem_module

FLOW = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))


def drawn(seed: int, n: int, d: int, density: float = 0.3) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    A = sparse.csr_array(
        sparse.random_array((n, d), density=density, rng=rng, data_sampler=rng.standard_normal)
    )
    x = np.zeros(d)
    x[rng.choice(d, 2, replace=False)] = (1.0, -0.7)
    return A, A @ x


@pytest.fixture
def never_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    def dense(self: th.Regression) -> np.ndarray:
        assert isinstance(self.A, np.ndarray), "a sparse A was made an array"
        return self.A

    monkeypatch.setattr(problem_module, "_LARGEST_ARRAY", 0)
    monkeypatch.setattr(th.Regression, "dense", property(dense))


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-6, 1e-10])
@pytest.mark.parametrize("kind", [sparse.csr_array, aslinearoperator])
def test_the_limit_is_that_of_the_array(kind, alpha: float, never_an_array: None) -> None:
    for seed in range(3):
        A, y = drawn(seed, 8, 30)
        start = {"u": alpha, "v": alpha}
        here = FLOW.limit_point(th.Regression(kind(A), y), start)
        there = FLOW.limit_point(th.Regression(A.toarray(), y), start)
        assert here.success and there.success
        assert np.max(np.abs(here.x - there.x)) <= 1e-9 * np.max(np.abs(there.x))
        # of an operator |A| is not known, and the target alone measures the residual
        assert here.kkt_residual <= 1e-12


@pytest.mark.parametrize("kind", [sparse.csr_array, aslinearoperator])
def test_dependent_samples_are_found(kind, never_an_array: None) -> None:
    A, y = drawn(5, 6, 20)
    A = sparse.csr_array(sparse.vstack([A, A[[0]] + A[[1]]]))
    y = np.append(y, y[0] + y[1])
    problem = th.Regression(kind(A), y)
    assert problem.rank == 6 and len(problem.independent_rows) == 6
    limit = FLOW.limit_point(problem, {"u": 0.1, "v": 0.1})
    exact = FLOW.limit_point(th.Regression(A.toarray(), y), {"u": 0.1, "v": 0.1})
    assert limit.success and np.allclose(limit.x, exact.x, atol=1e-10)
    assert not th.Regression(kind(A), y + np.eye(7)[0]).is_consistent(y + np.eye(7)[0])


@pytest.mark.parametrize("kind", [sparse.csr_array, aslinearoperator])
def test_the_dual_flow_needs_no_array(kind, never_an_array: None) -> None:
    A, y = drawn(2, 6, 25)
    start = {"u": 1e-3, "v": 1e-3}
    run = FLOW.integrate(th.Regression(kind(A), y), start, mode="dual", method="LSODA")
    limit = FLOW.limit_point(th.Regression(A.toarray(), y), start)
    assert run.success and np.max(np.abs(run.end - limit.x)) <= 1e-6


def test_a_path_of_sparse_data(never_an_array: None) -> None:
    A, y = drawn(3, 6, 25)
    path = FLOW.limit_path(th.Regression(A, y), {"u": 1.0, "v": 1.0}, [1.0, 1e-2, 1e-5])
    assert path.success.all()
    for scale, x in zip(path.scales, path.x, strict=True):
        exact = FLOW.limit_point(th.Regression(A.toarray(), y), {"u": scale, "v": scale})
        assert np.allclose(x, exact.x, atol=1e-10)


def test_what_needs_an_array_says_so_before_it_takes_the_memory() -> None:
    A = LinearOperator((2, 10**9), matvec=lambda x: x[:2], dtype=float)
    with pytest.raises(
        th.errors.DataError, match=r"at most 250,000,000 entries.*\(2, 1000000000\)"
    ):
        th.Regression(A, [1.0, 1.0]).array("a test")


@pytest.mark.slow
def test_two_hundred_thousand_coordinates_in_little_memory() -> None:
    n, d = 100, 200_000
    A, y = drawn(0, n, d, density=0.01)
    tracemalloc.start()
    limit = FLOW.limit_point(th.Regression(A, y), {"u": 1e-2, "v": 1e-2})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert limit.success and limit.kkt_residual <= 1e-12
    # the array alone has 160 MB
    assert peak < 100e6
