r"""What fills in a matrix: each method as a function of a matrix with mean square one.

"ratio" and "deep" are networks under an optimizer; "nuclear" is solved by the alternating direction
method of multipliers with a duality gap, "soft-impute" by proximal gradients with momentum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DomainError
from theory.numeric.compile import Array
from theory.numeric.matrices.linear_network import LinearNetwork
from theory.numeric.matrices.matrix_loss import MatrixLoss, read_matrix
from theory.numeric.matrices.network_descent import NetworkDescent
from theory.numeric.matrices.options import number, positive, whole
from theory.numeric.matrices.spectral import RatioPenalty, soft_threshold
from theory.numeric.optimizers import Adam, GroupRMSprop, Optimizer

__all__ = [
    "Part",
    "deep",
    "effects_of",
    "hold_out",
    "nuclear",
    "ratio",
    "rmse",
    "root_mean_square",
    "soft_impute",
]


@dataclass(frozen=True, eq=False)
class Part:
    """What a method has found, in units of the data after scaling."""

    matrix: Array
    step: list[int]
    train: list[float]
    test: list[float]
    success: bool
    message: str
    sigma: Array = field(default_factory=lambda: np.empty((0, 0)))

    def times(self, scale: float) -> Part:
        return Part(
            scale * self.matrix, self.step, [scale * e for e in self.train],
            [scale * e for e in self.test], self.success, self.message, scale * self.sigma,
        )  # fmt: skip


def ratio(
    M: Array, scale: float, held: Array | None, records: int,
    progress: Callable[[int], None] | None, options: dict[str, Any],
) -> Part:  # fmt: skip
    network = LinearNetwork([M.shape[1], M.shape[0]])
    strength = positive("strength", options.get("strength", 1e-3))
    theta = network.start(std=options.get("start", 1e-3), seed=options.get("seed", 0))
    run = network.descend(
        MatrixLoss(M, mean=True), theta, options.get("optimizer", Adam(1e-2)),
        penalty=RatioPenalty(strength), steps=options.get("steps", 5000), loss_tol=0.0,
        records=records, measure=_measure(held), progress=progress,
    )  # fmt: skip
    return _part(run)


def deep(
    M: Array, scale: float, held: Array | None, records: int,
    progress: Callable[[int], None] | None, options: dict[str, Any],
) -> Part:  # fmt: skip
    depth = whole("depth", options.get("depth", 3), least=2)
    m, n = M.shape
    network = LinearNetwork([n, *[min(m, n)] * (depth - 1), m])
    size = positive("start", options.get("start", 1e-3))
    # so that the entries of the product have about the size of the start over sqrt(n)
    theta = network.start(std=size ** (1 / depth) / np.sqrt(min(m, n)), seed=options.get("seed", 0))
    optimizer: Optimizer = options.get("optimizer", GroupRMSprop(1e-3))
    run = network.descend(
        MatrixLoss(M, mean=True), theta, optimizer, steps=options.get("steps", 50_000),
        loss_tol=options.get("loss_tol", 1e-6), records=records, measure=_measure(held),
        progress=progress,
    )  # fmt: skip
    return _part(run)


def _measure(held: Array | None) -> Callable[[Array], float] | None:
    if held is None:
        return None
    return lambda A: rmse(A, held)


def _part(run: NetworkDescent) -> Part:
    return Part(
        run.product, run.step.tolist(), np.sqrt(run.loss).tolist(), run.measured.tolist(),
        run.success, run.message, run.sigma,
    )  # fmt: skip


def _budget(options: dict[str, Any], steps: int) -> tuple[int, float]:
    return whole("steps", options.get("steps", steps)), positive("tol", options.get("tol", 1e-5))


def nuclear(
    M: Array, scale: float, held: Array | None, records: int,
    progress: Callable[[int], None] | None, options: dict[str, Any],
) -> Part:  # fmt: skip
    r"""ADMM with $X$ of least nuclear norm, $Z = M$ on $\Omega$, and the scaled dual U."""
    steps, tol = _budget(options, 5000)
    seen = ~np.isnan(M)
    filled = np.where(seen, M, 0.0)
    threshold = 0.03 * float(np.linalg.norm(filled, 2)) / float(np.mean(seen))
    Z, U = filled.copy(), np.zeros(M.shape)
    X, gap, k, done = Z, np.inf, 0, False
    trace = _Trace(M, held, records, steps, progress)
    for k in range(1, steps + 1):
        X = soft_threshold(Z - U, threshold)
        relaxed = 1.7 * X - 0.7 * Z
        Z = np.where(seen, filled, relaxed + U)
        U += relaxed - Z
        if k % 10 == 0 or k == steps:
            gap = _duality_gap(Z, U / threshold, filled, seen)
        done = gap <= tol and float(np.linalg.norm(X - Z)) <= tol * float(np.linalg.norm(Z))
        trace.keep(k, X, done)
        if done:
            break
    return trace.part(
        X, done,
        f"The nuclear norm is least up to a relative duality gap of {gap:.1e} after {k} steps.",
    )  # fmt: skip


def _duality_gap(Z: Array, Y: Array, M: Array, seen: np.ndarray) -> float:
    r"""$\|Z\|_* - \langle Y, M\rangle$ relative to $\|Z\|_*$, for Y on $\Omega$ with norm one.

    $\|Z\|_* \ge \langle Y, Z\rangle = \langle Y, M\rangle$ for every feasible Z.
    """
    Y = np.where(seen, -Y, 0.0)
    Y = Y / max(1.0, float(np.linalg.norm(Y, 2)))
    nuclear = float(np.linalg.norm(Z, "nuc"))
    return (nuclear - float(np.sum(Y * M))) / nuclear


def soft_impute(
    M: Array, scale: float, held: Array | None, records: int,
    progress: Callable[[int], None] | None, options: dict[str, Any],
) -> Part:  # fmt: skip
    steps, tol = _budget(options, 1000)
    note = ""
    if options.get("strength") is None:
        strength, note = _chosen_strength(M, steps, tol, options.get("seed", 0))
        note = f" The strength {strength * scale:.3g} {note}."
    else:
        strength = positive("strength", options["strength"]) / scale
    trace = _Trace(M, held, records, steps, progress)
    W, settled = _impute(M, np.zeros(M.shape), strength, steps, tol, trace)
    word = "converges" if settled else "does not converge"
    return trace.part(W, settled, f"Soft-impute {word} within {trace.last} steps.{note}")


def _impute(
    M: Array, W: Array, strength: float, steps: int, tol: float, trace: _Trace | None = None
) -> tuple[Array, bool]:
    """Proximal gradient steps, whose unit step fills in the missing entries, with momentum."""
    seen = ~np.isnan(M)
    ahead, inertia = W, 1.0
    for k in range(1, steps + 1):
        new = soft_threshold(np.where(seen, M, ahead), strength)
        change = new - W
        done = float(np.linalg.norm(new - ahead)) <= tol * max(float(np.linalg.norm(new)), 1e-300)
        if float(np.sum((ahead - new) * change)) > 0:
            # the momentum points uphill
            inertia = 1.0
        following = 0.5 * (1 + np.sqrt(1 + 4 * inertia**2))
        W, ahead = new, new + (inertia - 1) / following * change
        inertia = following
        if trace is not None:
            trace.keep(k, W, done)
        if done:
            return W, True
    return W, False


def _chosen_strength(M: Array, steps: int, tol: float, seed: Any) -> tuple[float, str]:
    """The strength that is best on entries held out, and why it was taken."""
    train, held = hold_out(M, 0.1, seed)
    top = float(np.linalg.norm(np.where(np.isnan(train), 0.0, train), 2))
    if np.sum(~np.isnan(held)) < 3:
        return 0.02 * top, "is a fiftieth of the norm: there are no entries to choose it on"
    best, error, W = top, np.inf, np.zeros(M.shape)
    for strength in top * np.geomspace(0.7, 0.01, 14):
        # each from the last, a path of falling strengths
        W, _ = _impute(train, W, float(strength), min(steps, 300), max(tol, 1e-4))
        here = rmse(W, held)
        if here < error:
            best, error = float(strength), here
    return best, "is best on a tenth of the entries"


class _Trace:
    """Records of a method whose iterate is a matrix."""

    def __init__(
        self, M: Array, held: Array | None, records: int, steps: int,
        progress: Callable[[int], None] | None,
    ) -> None:  # fmt: skip
        self.M, self.held, self.progress = M, held, progress
        self.kept = set(np.linspace(1, steps, records).round().astype(int).tolist())
        self.step: list[int] = []
        self.train: list[float] = []
        self.test: list[float] = []
        self.sigma: list[Array] = []
        self.last = 0

    def keep(self, k: int, W: Array, done: bool) -> None:
        self.last = k
        if not (done or k in self.kept):
            return
        self.step.append(k)
        self.train.append(rmse(W, self.M))
        if self.held is not None:
            self.test.append(rmse(W, self.held))
        self.sigma.append(np.asarray(np.linalg.svd(W, compute_uv=False), dtype=np.float64))
        if self.progress is not None:
            self.progress(k)

    def part(self, W: Array, success: bool, message: str) -> Part:
        sigma = np.array(self.sigma).T
        return Part(W, self.step, self.train, self.test, success, message, sigma)


def effects_of(M: Array, ridge: float) -> Array:
    """Mean, row and column effects by alternating ridge regressions."""
    seen = ~np.isnan(M)
    mean = float(np.nanmean(M))
    rest = np.where(seen, M - mean, 0.0)
    rows, columns = np.zeros(M.shape[0]), np.zeros(M.shape[1])
    for _ in range(200):
        before = rows.copy(), columns.copy()
        rows = (rest - seen * columns).sum(axis=1) / (seen.sum(axis=1) + ridge)
        columns = (rest - seen * rows[:, None]).sum(axis=0) / (seen.sum(axis=0) + ridge)
        change = max(np.max(np.abs(rows - before[0])), np.max(np.abs(columns - before[1])))
        if change <= 1e-12 * max(1.0, float(np.max(np.abs(rest)))):
            break
    return np.asarray(mean + rows[:, None] + columns)


def root_mean_square(values: Array) -> float:
    """Without overflow of the squares."""
    size = float(np.max(np.abs(values)))
    return size * float(np.sqrt(np.mean((values / size) ** 2))) if size > 0 else 0.0


def rmse(W: Array, M: Array) -> float:
    gap = np.abs(W - M)[~np.isnan(M)]
    return root_mean_square(gap) if gap.size else np.nan


def hold_out(
    matrix: ArrayLike, share: float = 0.1, seed: int | np.random.SeedSequence = 0
) -> tuple[Array, Array]:
    """Split the observed entries: what is left, and what is held out, NaN elsewhere.

    The last entry of a row or a column is never held out.

    Parameters
    ----------
    matrix : array-like, shape (m, n)
    share : float
        Of the observed entries, in (0, 1).
    seed : int or SeedSequence

    Raises
    ------
    DomainError

    Examples
    --------
    >>> train, test = hold_out(np.ones((4, 5)), 0.25)
    >>> int(np.sum(~np.isnan(train))), int(np.sum(~np.isnan(test)))
    (15, 5)
    """
    M = read_matrix(matrix, "matrix")
    if not 0 < number("share", share) < 1:
        raise DomainError(f"Expected 0 < share < 1 but got share = {share!r}.")
    try:
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected a seed >= 0 but got {seed!r}: {error}.") from error
    observed = np.argwhere(~np.isnan(M))
    wanted = round(share * len(observed))
    train, test = M.copy(), np.full(M.shape, np.nan)
    rows, columns = np.sum(~np.isnan(M), axis=1), np.sum(~np.isnan(M), axis=0)
    taken = 0
    for i, j in observed[rng.permutation(len(observed))]:
        if taken == wanted:
            break
        if rows[i] > 1 and columns[j] > 1:
            test[i, j], train[i, j] = M[i, j], np.nan
            rows[i] -= 1
            columns[j] -= 1
            taken += 1
    return train, test
