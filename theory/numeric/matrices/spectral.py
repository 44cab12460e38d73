r"""Functions of singular values as penalties: $\|W\|_*/\|W\|_F$, $\|W\|_*$, $\|W\|_F^2$."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DataError, DomainError
from theory.networks.ratio_penalty import gradient_of_factors
from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import read_matrix
from theory.numeric.matrices.options import positive

__all__ = [
    "FrobeniusPenalty",
    "NuclearPenalty",
    "Penalty",
    "RatioPenalty",
    "effective_rank",
    "schatten_norm",
    "soft_threshold",
]

_RANK = 1e-13
"""Singular values below this share of the largest count as zero."""


class Penalty(Protocol):
    """A function of the singular values, with its gradient in the matrix."""

    def value(self, sigma: Array) -> float: ...
    def gradient(self, U: Array, sigma: Array, Vt: Array) -> Array: ...


@dataclass(frozen=True)
class RatioPenalty:
    r"""$\lambda\,\|W\|_*/\|W\|_F$, between $\lambda$ and $\lambda\sqrt{\mathrm{rank}}$.

    Its gradient is $\frac{\lambda}{f}U(1 - \nu\Sigma/f^2)V^T$ with $f = \|W\|_F$, $\nu = \|W\|_*$:
    at a fixed norm the flow lets $\sigma_i$ grow exactly when $\sigma_i > f^2/\nu$. Where a
    singular value is zero this is the subgradient with no part outside of the range.

    Parameters
    ----------
    strength : float
        $\lambda > 0$.

    References
    ----------
    Zhao, "Combining explicit and implicit regularization for efficient learning in deep networks",
    NeurIPS 2022; the formula is derived in `theory.networks`.

    Examples
    --------
    >>> W = np.diag([3.0, 1.0])
    >>> RatioPenalty(1.0).gradient(*np.linalg.svd(W)).round(4).tolist()
    [[-0.0632, 0.0], [0.0, 0.1897]]
    """

    strength: float

    def __post_init__(self) -> None:
        positive("strength", self.strength)

    def value(self, sigma: Array) -> float:
        """The penalty; NaN at zero, where it has no limit."""
        f = float(np.sqrt(sigma @ sigma))
        return self.strength * float(sigma.sum()) / f if f > 0 else np.nan

    def gradient(self, U: Array, sigma: Array, Vt: Array) -> Array:
        if not float(sigma @ sigma) > 0:
            raise DomainError(
                "Expected W != 0: the ratio of the nuclear to the Frobenius norm has no gradient "
                "at zero. Start from a small random matrix."
            )
        return self.strength * gradient_of_factors(U, sigma, Vt, _RANK)


@dataclass(frozen=True)
class NuclearPenalty:
    r"""$\lambda\|W\|_*$, with the subgradient $\lambda UV^T$ on the range.

    Examples
    --------
    >>> NuclearPenalty(0.5).value(np.array([2.0, 1.0]))
    1.5
    """

    strength: float

    def __post_init__(self) -> None:
        positive("strength", self.strength)

    def value(self, sigma: Array) -> float:
        return self.strength * float(sigma.sum())

    def gradient(self, U: Array, sigma: Array, Vt: Array) -> Array:
        in_range = sigma > _RANK * sigma[0]
        return np.asarray((U * np.where(in_range, self.strength, 0.0)) @ Vt)


@dataclass(frozen=True)
class FrobeniusPenalty:
    r"""$\lambda\|W\|_F^2$.

    Examples
    --------
    >>> FrobeniusPenalty(0.5).value(np.array([2.0, 1.0]))
    2.5
    """

    strength: float

    def __post_init__(self) -> None:
        positive("strength", self.strength)

    def value(self, sigma: Array) -> float:
        return self.strength * float(sigma @ sigma)

    def gradient(self, U: Array, sigma: Array, Vt: Array) -> Array:
        return np.asarray((U * (2 * self.strength * sigma)) @ Vt)


def effective_rank(matrix: ArrayLike) -> float:
    r"""$\exp(-\sum_i p_i\log p_i)$ with $p_i = \sigma_i/\sum_j\sigma_j$.

    Raises
    ------
    DataError
        For a matrix that is zero or has NaN.

    References
    ----------
    Roy and Vetterli, "The effective rank", EUSIPCO 2007.

    Examples
    --------
    >>> round(effective_rank([[2.0, 0.0], [0.0, 2.0]]), 10)
    2.0
    """
    sigma = np.linalg.svd(_complete(matrix), compute_uv=False)
    if not sigma[0] > 0:
        raise DataError("Expected a matrix that is not zero: the effective rank of 0 is undefined.")
    p = sigma[sigma > 0] / sigma.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


def schatten_norm(matrix: ArrayLike, p: float) -> float:
    r"""$(\sum_i\sigma_i^p)^{1/p}$, a norm for $p \ge 1$ and a quasi-norm for $0 < p < 1$.

    Raises
    ------
    DomainError
        For p that is not positive.

    Examples
    --------
    >>> schatten_norm([[3.0, 0.0], [0.0, 4.0]], 2), schatten_norm([[3.0, 0.0], [0.0, 4.0]], np.inf)
    (5.0, 4.0)
    """
    if p != np.inf:
        p = positive("p", p)
    sigma = np.linalg.svd(_complete(matrix), compute_uv=False)
    if p == np.inf or not sigma[0] > 0:
        return float(sigma[0])
    return float(sigma[0] * np.sum((sigma / sigma[0]) ** p) ** (1 / p))


def soft_threshold(matrix: Array, threshold: float) -> Array:
    r"""$U(\Sigma - \tau)_+V^T$, the proximal map of $\tau\|\cdot\|_*$.

    Examples
    --------
    >>> soft_threshold(np.diag([3.0, 1.0]), 2.0).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    U, sigma, Vt = np.linalg.svd(matrix, full_matrices=False)
    keep = sigma > threshold
    return np.asarray((U[:, keep] * (sigma[keep] - threshold)) @ Vt[keep])


def _complete(matrix: ArrayLike) -> Array:
    array = read_matrix(matrix, "matrix")
    if np.isnan(array).any():
        raise DataError("Expected a matrix without missing entries.")
    return array
