r"""The flow of $\tfrac12\|W_2W_1 - M\|_F^2$ in closed form, from balanced layers.

With $Q = \binom{W_1^T}{W_2}$ and $W_2^TW_2 - W_1W_1^T = cI$ the Gram matrix $P = QQ^T$ solves the
Riccati equation $\dot P = FP + PF - P^2$, $F = \begin{pmatrix}-c/2 & M^T\\ M & c/2\end{pmatrix}$.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import AssumptionError, DomainError, ShapeError, TooLarge
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.networks.arguments import read_matrix
from theory.networks.free_algebra import Letters

__all__ = ["TwoLayerSolution", "two_layer_solution"]

Array = NDArray[np.float64]
# the exponential of a step is at most e^4, so that nothing overflows or cancels
_LARGEST_EXPONENT = 4.0
_MOST_STEPS = 1_000_000


@dataclass(frozen=True, eq=False)
class TwoLayerSolution:
    r"""The solution for a target and a start.

    Parameters
    ----------
    target : array of shape (m, n)
    start : array of shape (n + m, h)
        $Q_0$.
    imbalance : float
        c.
    """

    target: Array
    start: Array
    imbalance: float

    @cached_property
    def generator(self) -> Array:
        """F."""
        m, n = self.target.shape
        half = self.imbalance / 2
        return np.block([[-half * np.eye(n), self.target.T], [self.target, half * np.eye(m)]])

    def factor(self, t: float) -> Array:
        r"""A matrix with the Gram matrix $P(t)$: $e^{Ft}Q_0C^{-T}$, $CC^T = I + Q_0^TG(t)Q_0$.

        It is $Q(t)$ up to a rotation of the hidden units.
        """
        if not np.isfinite(t) or t < 0:
            raise DomainError(f"Expected a time t >= 0 but got t = {t!r}.")
        values, vectors = np.linalg.eigh(self.generator)
        size = float(np.abs(values).max()) if len(values) else 0.0
        count = max(1, int(np.ceil(size * t / _LARGEST_EXPONENT)))
        if count > _MOST_STEPS:
            raise TooLarge(f"The time t = {t:.3g} takes {count:,} steps; at most {_MOST_STEPS:,}.")
        h = t / count
        grown = np.exp(values * h)
        # the integral of exp(2 F s), also for eigenvalues zero
        flat = values == 0
        safe = np.where(flat, 1.0, 2 * values)
        integral = np.where(flat, h, np.expm1(2 * values * h) / safe)
        q = vectors.T @ self.start
        for _ in range(count):
            root = np.linalg.cholesky(np.eye(q.shape[1]) + (q.T * integral) @ q)
            q = np.linalg.solve(root, (grown[:, None] * q).T).T
        return np.asarray(vectors @ q, dtype=np.float64)

    def gram(self, t: float) -> Array:
        r"""$P(t) = QQ^T$, with the blocks $W_1^TW_1$, $W_1^TW_2^T$, $W_2W_1$, $W_2W_2^T$."""
        q = self.factor(t)
        return q @ q.T

    def product(self, t: float) -> Array:
        r"""$W_2(t)W_1(t)$.

        Examples
        --------
        >>> solution = two_layer_solution([[2.0]], [[0.1]], [[0.1]])
        >>> solution.product(1.0).round(6)
        array([[0.430588]])
        """
        n = self.target.shape[1]
        return self.gram(t)[n:, :n]

    @property
    def formula(self) -> sp.Expr:
        r"""$P(t)$ in matrix symbols: E for $e^{Ft}$, G for $\int_0^te^{2Fs}ds$."""
        size, h = sp.Integer(sum(self.target.shape)), sp.Integer(self.start.shape[1])
        E, G = sp.MatrixSymbol("E", size, size), sp.MatrixSymbol("G", size, size)
        Q = sp.MatrixSymbol("Q_0", size, h)
        return E * Q * (sp.Identity(h) + Q.T * G * Q).inverse() * Q.T * E

    @cached_property
    def derivation(self) -> Derivation:
        """The Riccati equation and its solution, for matrices of all sizes."""
        return numbered("Two layers from a balanced start", _steps())

    def __str__(self) -> str:
        return f"P(t) = {self.formula}, E = exp(F*t), G = int_0^t exp(2*F*s) ds"


def two_layer_solution(
    target: ArrayLike, W1: ArrayLike, W2: ArrayLike, *, tolerance: float = 1e-9
) -> TwoLayerSolution:
    r"""Gradient flow of $\tfrac12\|W_2W_1 - M\|_F^2$ from layers with $W_2^TW_2 - W_1W_1^T = cI$.

    $$P(t) = e^{Ft}Q_0\Big(I + Q_0^T\int_0^te^{2Fs}ds\,Q_0\Big)^{-1}Q_0^Te^{Ft},$$

    where F need not be invertible, and M may have any shape and rank.

    Parameters
    ----------
    target : array of shape (m, n)
    W1 : array of shape (h, n)
    W2 : array of shape (m, h)
    tolerance : float
        How far, relative to the layers, the start may be from balanced.

    Raises
    ------
    AssumptionError
        For a start that is not balanced up to a multiple of the identity.

    Examples
    --------
    >>> solution = two_layer_solution([[1.0, 0.0], [0.0, 0.0]], [[0.1, 0.1]], [[0.1], [0.1]])
    >>> solution.product(50.0).round(4) + 0.0
    array([[1., 0.],
           [0., 0.]])
    >>> solution.derivation.identities_proved
    True

    References
    ----------
    K. Fukumizu, "Effect of batch learning in multilayer neural networks", 1998; L. Braun,
    C. Dominé, J. Fitzgerald, A. Saxe, NeurIPS 2022, for c = 0. Recalled; the derivation, the
    singular case and c are ours.
    """
    M, first, second = (read_matrix(v, n) for v, n in ((target, "target"), (W1, "W1"), (W2, "W2")))
    (m, n), h = M.shape, first.shape[0]
    if first.shape != (h, n) or second.shape != (m, h):
        raise ShapeError(
            f"Expected W1 of shape (h, {n}) and W2 of shape ({m}, h) but got {first.shape} and "
            f"{second.shape}."
        )
    gap = second.T @ second - first @ first.T
    c = float(np.trace(gap)) / h
    size = np.linalg.norm(first) ** 2 + np.linalg.norm(second) ** 2
    distance = np.linalg.norm(gap - c * np.eye(h))
    if distance > tolerance * size:
        raise AssumptionError(
            f"W2^T W2 - W1 W1^T is {distance:.3g} away from a multiple of the identity; the closed "
            "form needs a balanced start, such as th.networks.balanced_factors gives."
        )
    if abs(c) <= tolerance * size:
        c = 0.0
    return TwoLayerSolution(M, np.concatenate([first.T, second]), c)


def _steps() -> Iterator[RawStep]:
    letters = Letters("V W M")
    V, W, M, T = letters["V"], letters["W"], letters["M"], letters.transpose
    c, half = sp.Symbol("c"), sp.Rational(1, 2)
    motion = {W: T(V) * (M - V * W), V: (M - V * W) * T(W)}
    delta = T(V) * V - W * T(W)
    yield (
        "Balance",
        ["W_2^T W_2 - W_1 W_1^T = c*I stays"],
        "W_1' = W_2^T (M - W_2 W_1), W_2' = (M - W_2 W_1) W_1^T",
        letters.certify("Delta' = 0", letters.derivative(delta, motion)),
    )
    # the two block rows of Q' = F Q - Q Q^T Q/2, up to multiples of Delta - c
    upper = T(motion[W]) - (
        -c * half * T(W) + T(M) * V - half * (T(W) * W * T(W) + T(W) * T(V) * V)
    )
    lower = motion[V] - (M * T(W) + c * half * V - half * (V * W * T(W) + V * T(V) * V))
    rows = letters.certify(
        "the rows of Q' - F Q + Q Q^T Q/2 are -W_1^T (Delta - c)/2 and W_2 (Delta - c)/2",
        upper + half * T(W) * (delta - c),
        lower - half * V * (delta - c),
    )
    yield (
        "Equation of both layers",
        ["Q' = F Q - Q Q^T Q/2, Q = [W_1^T; W_2], F = [[-c/2, M^T], [M, c/2]]"],
        "the block rows, where Delta - c*I = 0",
        rows,
    )
    others = Letters("Q", symmetric="F")
    Q, F, turn = others["Q"], others["F"], others.transpose
    gram = Q * turn(Q)
    moved = {Q: F * Q - half * gram * Q}
    yield (
        "Riccati equation",
        ["P' = F P + P F - P**2, P = Q Q^T"],
        "product rule",
        others.certify(
            "P' = F P + P F - P**2",
            others.derivative(gram, moved) - (F * gram + gram * F - gram * gram),
        ),
    )
    E, B = (sp.Symbol(name, commutative=False) for name in "EB")
    P = E * Q * B * turn(Q) * E
    # E' = F E = E F; B is the inverse of I + Q^T G Q with G' = E^2, hence B' = -B Q^T E^2 Q B
    change = F * P + P * F - E * Q * (B * turn(Q) * E * E * Q * B) * turn(Q) * E
    yield (
        "Solution",
        ["P = E Q_0 (I + Q_0^T G Q_0)^(-1) Q_0^T E, E = exp(F*t), G = int_0^t exp(2*F*s) ds"],
        "E' = F E = E F, (B^(-1))' = Q_0^T E**2 Q_0; at t = 0 it is Q_0 Q_0^T; I + Q_0^T G Q_0 is "
        "positive definite because G is, so that nothing is singular; F may be",
        others.certify("P' = F P + P F - P**2", change - (F * P + P * F - P * P)),
    )
