r"""The largest margin of a linear classifier: $\max_{\|w\|\le1}\min_iy_i\langle w, x_i\rangle$.

Its dual is the distance of the hull of the signed samples from zero,
$\min_{\alpha\in\Delta}\|\sum_i\alpha_iy_ix_i\|_*$. A weight of norm one gives a lower bound and a
point of the hull an upper one: the gap between the two certifies both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from scipy.optimize import linprog, nnls

from theory.errors import DomainError
from theory.networks.norms import Entrywise, Norm, lp, read_norm
from theory.numeric.compile import Array
from theory.numeric.margins.classification import Classification
from theory.numeric.margins.cutting_planes import cutting_planes
from theory.numeric.margins.geometry import Geometry, geometry_of
from theory.numeric.margins.power_margin import power_margin
from theory.numeric.matrices.options import whole

__all__ = ["MaxMargin", "max_margin", "predictor_margin"]

_GAP = 1e-7
"""The relative gap between the bounds that counts as solved."""


@dataclass(frozen=True, eq=False)
class MaxMargin:
    r"""A linear classifier of the largest margin in a norm.

    Parameters
    ----------
    norm : str
    w : ndarray, shape (d,)
        Of norm one; zero where the data are not separable.
    margin : float
        $\min_iy_i\langle w, x_i\rangle$, a lower bound.
    upper_bound : float
        $\|\sum\alpha_iy_ix_i\|_*$.
    multipliers : ndarray, shape (m,)
        $\alpha$, adding up to 1.
    success : bool
        The bounds agree to 1e-7 relatively, and the margin is positive.
    message : str
    """

    norm: str
    w: Array
    margin: float
    upper_bound: float
    multipliers: Array
    success: bool
    message: str

    @property
    def support(self) -> np.ndarray:
        """The samples with a share of the multipliers above 1e-9."""
        return np.flatnonzero(self.multipliers > 1e-9)


def max_margin(X: Classification | ArrayLike, y: ArrayLike | None = None, norm: Any = "l2") -> Any:
    r"""The largest margin of a linear classifier in a norm.

    l1, linf and polytopes by linear programs (HiGHS), l2 by nonnegative least squares, lp by a
    barrier method, others by cutting planes; what comes back is certified by its duality gap.

    Parameters
    ----------
    X : Classification, or array_like of shape (m, d)
    y : array_like, shape (m,)
        Labels +1 and -1, with X as an array.
    norm : Norm or str
        Of w.

    Returns
    -------
    MaxMargin
        With ``success`` False when no hyperplane through zero separates the data: then
        `multipliers` is a convex combination of the signed samples that is zero.

    Examples
    --------
    >>> found = max_margin([[2.0, 1.0], [-1.0, -3.0]], [1, -1], "linf")
    >>> found.w.tolist(), found.margin
    ([1.0, 1.0], 3.0)
    """
    task = X if isinstance(X, Classification) else Classification(X, y)  # type: ignore[arg-type]
    chosen = read_norm(norm)
    geometry = geometry_of(chosen, ((task.d,),))
    scale = float(np.abs(task.signed).max())
    if scale == 0:
        return _not_separable(task, chosen, np.full(task.m, 1 / task.m))
    Z = task.signed / scale
    alpha = _nearest(Z)
    if np.abs(alpha @ Z).max() <= 1e-12:
        return _not_separable(task, chosen, alpha)
    w, alpha = _solve(Z, chosen, geometry, alpha)
    u, upper = geometry.steepest(alpha @ Z)
    margin = -np.inf
    for trial in (w, u):
        size = geometry.value(trial)
        if size > 0 and float((Z @ trial).min()) / size > margin:
            w, margin = trial / size, float((Z @ trial).min()) / size
    solved = upper - margin <= _GAP * upper
    low, high = margin * scale, upper * scale
    message = (
        f"The margin is between {low:.12g} and {high:.12g}."
        if solved
        else f"Only bounds were found: the margin is between {low:.6g} and {high:.6g}."
    )
    return MaxMargin(chosen.name, w, low, high, alpha, bool(solved and margin > 0), message)


def predictor_margin(task: Classification, depth: int, norm: Any) -> MaxMargin:
    r"""The margin that a norm of the layers of a diagonal network is on its predictor.

    The least $\ell_p$ norm of L layers with the product $\beta$ is an increasing function of
    $\|\beta\|_{p/L}$ (`theory.networks.predictor_norm`), a norm for $p\ge L$; for
    $p = \infty$ of $\|\beta\|_\infty$.

    Raises
    ------
    DomainError
        For p < L, where the problem is not convex and a flow may end at a worse stationary point.

    Examples
    --------
    >>> task = Classification([[2.0, 1.0], [-1.0, 0.0]], [1, -1])
    >>> predictor_margin(task, 2, "l2").norm, predictor_margin(task, 2, "linf").norm
    ('l1', 'linf')
    """
    chosen = read_norm(norm)
    if not isinstance(chosen, Entrywise):
        raise DomainError(f"Expected an lp norm of the parameters but got {chosen}.")
    depth = whole("depth", depth)
    p = chosen.p if chosen.p is sp.oo else chosen.p / depth
    if p is not sp.oo and p < 1:
        raise DomainError(
            f"Descent in {chosen} at depth {depth} has |beta|_({p}) as its regularizer, which is "
            "not convex: there is no certified limit, only stationary points."
        )
    found: MaxMargin = max_margin(task, norm=lp(p))
    return found


def _not_separable(task: Classification, norm: Norm, alpha: Array) -> MaxMargin:
    used = int((alpha > 1e-9).sum())
    twins = task.contradiction
    why = f"samples {twins[0]} and {twins[1]} contradict each other; " if twins else ""
    return MaxMargin(
        norm.name, np.zeros(task.d), 0.0, 0.0, alpha, False,
        f"The data are not separable by a hyperplane through zero: {why}a convex combination of "
        f"{used} signed samples is zero up to rounding.",
    )  # fmt: skip


def _nearest(Z: Array) -> Array:
    """The point of the hull of the rows that is nearest to zero in l2, by its weights.

    Nonnegative a with Z^T a = 0 and sum a = 1 in the sense of least squares are a multiple of it.
    """
    m, d = Z.shape
    target = np.append(np.zeros(d), 1.0)
    try:
        a, _ = nnls(np.vstack([Z.T, np.ones(m)]), target, maxiter=50 * m + 1000)
    except RuntimeError:
        # too many iterations: a near point in l1 separates as well
        return _sum_program(Z)
    return np.asarray(a / a.sum())


def _solve(Z: Array, norm: Norm, geometry: Geometry, alpha: Array) -> tuple[Array, Array]:
    """A weight and the weights of the rows, of the primal and of the dual problem.

    The l2 solution `alpha` separates, and is where others begin.
    """
    start = alpha @ Z
    if (isinstance(norm, Entrywise) and norm.p == 2) or (Z @ start).min() <= 0:
        # where rounding hides a tiny margin, bounds are all that there is
        return start, alpha
    if isinstance(norm, Entrywise) and norm.p is sp.oo:
        return _box_program(Z), _sum_program(Z)
    corners = _corners(geometry, norm, Z.shape[1])
    if corners is not None:
        return _corner_program(Z, corners), _by_program(Z, corners)
    if isinstance(norm, Entrywise):
        w, weights = power_margin(Z, start, float(norm.p))
    else:
        polar = geometry_of(norm.dual, ((Z.shape[1],),))
        w, weights = cutting_planes(Z, start, geometry, polar, 1e-9)
    total = float(weights.sum())
    return w, weights / total if total > 0 else alpha


def _corners(geometry: Geometry, norm: Norm, d: int) -> Array | None:
    """The points whose largest product with g is the dual norm, where they are few."""
    if isinstance(norm, Entrywise) and norm.p == 1:
        return np.eye(d)
    points = getattr(geometry, "points", None)
    return None if points is None else np.asarray(points, dtype=np.float64)


def _by_program(Z: Array, corners: Array) -> Array:
    """Least t with |<corner, Z^T alpha>| <= t."""
    m = Z.shape[0]
    products = corners @ Z.T
    A = np.vstack([np.column_stack([s * products, -np.ones(len(corners))]) for s in (1, -1)])
    found = _solved(
        np.append(np.zeros(m), 1.0), A_ub=A, b_ub=np.zeros(len(A)),
        A_eq=[np.append(np.ones(m), 0.0)], b_eq=[1.0], bounds=[(0, None)] * (m + 1),
    )  # fmt: skip
    alpha = np.maximum(found[:m], 0.0)
    return np.asarray(alpha / alpha.sum())


def _sum_program(Z: Array) -> Array:
    """The dual of linf: least sum of |Z^T alpha|."""
    m, d = Z.shape
    A = np.vstack([np.column_stack([s * Z.T, -np.eye(d)]) for s in (1, -1)])
    found = _solved(
        np.append(np.zeros(m), np.ones(d)), A_ub=A, b_ub=np.zeros(2 * d),
        A_eq=[np.append(np.ones(m), np.zeros(d))], b_eq=[1.0], bounds=[(0, None)] * (m + d),
    )  # fmt: skip
    alpha = np.maximum(found[:m], 0.0)
    return np.asarray(alpha / alpha.sum())


def _solved(cost: Array, **program: Any) -> Array:
    """The solution of a linear program that has one."""
    result = linprog(cost, **program)
    if result.x is None:
        raise DomainError(f"The linear program of the margin was not solved: {result.message}")
    return np.asarray(result.x, dtype=np.float64)


def _box_program(Z: Array) -> Array:
    m, d = Z.shape
    found = _solved(
        np.append(np.zeros(d), -1.0), A_ub=np.column_stack([-Z, np.ones(m)]), b_ub=np.zeros(m),
        bounds=[(-1, 1)] * d + [(None, None)],
    )  # fmt: skip
    return np.asarray(found[:d])


def _corner_program(Z: Array, corners: Array) -> Array:
    """W = sum (c_k - e_k) corner_k with sum c + e <= 1."""
    m, k = Z.shape[0], len(corners)
    products = Z @ corners.T
    A = np.vstack(
        [
            np.column_stack([-products, products, np.ones(m)]),
            np.append(np.ones(2 * k), 0.0),
        ]
    )
    found = _solved(
        np.append(np.zeros(2 * k), -1.0), A_ub=A, b_ub=np.append(np.zeros(m), 1.0),
        bounds=[(0, None)] * (2 * k) + [(None, None)],
    )  # fmt: skip
    return np.asarray((found[:k] - found[k : 2 * k]) @ corners)
