r"""The ratio of nuclear to Frobenius norm, $R(W) = \|W\|_*/\|W\|_F$, and its gradient.

With $W = U\Sigma V^T$, $f = \|W\|_F$, $\nu = \|W\|_*$ the gradient is
$\nabla R = U\,\mathrm{diag}\big(\tfrac1f(1 - \nu\sigma_i/f^2)\big)V^T$.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import DataError, DomainError
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.networks.arguments import exact_sign, read_matrix, read_spectrum
from theory.networks.certify import certify_zero

__all__ = ["RatioPenalty", "ratio_penalty", "ratio_penalty_gradient"]


@dataclass(frozen=True)
class RatioPenalty:
    r"""The penalty at a matrix, in its singular bases.

    Parameters
    ----------
    singular_values : tuple of sympy.Expr
    """

    singular_values: tuple[sp.Expr, ...]

    @property
    def frobenius(self) -> sp.Expr:
        r"""$f = \|W\|_F$."""
        return sp.sqrt(sp.Add(*(v**2 for v in self.singular_values)))

    @property
    def nuclear(self) -> sp.Expr:
        r"""$\nu = \|W\|_*$."""
        return sp.Add(*self.singular_values)

    @property
    def value(self) -> sp.Expr:
        r"""$R = \nu/f$, from 1 at rank one to $\sqrt{r}$ when all r singular values are equal."""
        return self.nuclear / self.frobenius

    @property
    def rank(self) -> int:
        """The number r of positive singular values."""
        return sum(v != 0 for v in self.singular_values)

    @property
    def gradient(self) -> tuple[sp.Expr, ...]:
        r"""The diagonal $\tfrac1f(1 - \nu\sigma_i/f^2)$ of $U^T\nabla R\,V$.

        At a singular value zero it is the entry of the shortest subgradient, which is 0.
        """
        f, nu = self.frobenius, self.nuclear
        return tuple((1 - nu * v / f**2) / f if v != 0 else sp.S.Zero for v in self.singular_values)

    @property
    def null_bound(self) -> sp.Expr:
        r"""$1/f$: subgradients have any block of at most this operator norm on the null spaces."""
        return 1 / self.frobenius

    @property
    def gradient_norm(self) -> sp.Expr:
        r"""$\|\nabla R\|_F = \sqrt{r - R^2}/f$, of the shortest subgradient."""
        return sp.sqrt(self.rank - self.value**2) / self.frobenius

    @property
    def threshold(self) -> sp.Expr:
        r"""$f^2/\nu$: descent of R lets a singular value grow exactly when it is above it."""
        return self.frobenius**2 / self.nuclear

    @property
    def growth(self) -> tuple[int, ...]:
        """For each singular value 1, 0 or -1: it grows, rests or shrinks along the descent of R.

        Raises
        ------
        DataError
            For symbols, whose order is not known.
        """
        if self.nuclear.free_symbols:
            raise DataError("Expected numbers as singular values to compare them with f**2/nu.")
        level = self.threshold
        return tuple(
            exact_sign(v - level, "distance to the threshold") if v != 0 else 0
            for v in self.singular_values
        )

    @cached_property
    def derivation(self) -> Derivation:
        """The gradient for all sizes and ranks, with its consequences."""
        return numbered("Gradient of ||W||_*/||W||_F", _steps())

    def __str__(self) -> str:
        return f"R = {self.value}, grad R = U diag({', '.join(map(str, self.gradient))}) V^T"

    def _repr_latex_(self) -> str:
        entries = ", ".join(map(latex_of, self.gradient))
        return rf"$\nabla R = U\,\mathrm{{diag}}\left({entries}\right)V^T$"


def ratio_penalty(singular_values: Any) -> RatioPenalty:
    r"""$R(W) = \|W\|_*/\|W\|_F$ and its gradient, from the singular values of W.

    $\langle\nabla R, W\rangle = 0$, so that a gradient flow of R keeps $\|W\|_F$. Singular vectors
    stay, and equal singular values are no exception: $UV^T$ is the polar factor, which does not
    depend on the choice of the vectors. At singular values zero R has a kink; the subgradients are
    $\tfrac1f(UV^T + Z - \nu W/f^2)$ with Z on the null spaces and $\|Z\|_{op}\le1$.

    Parameters
    ----------
    singular_values : sequence of numbers or positive symbols

    Raises
    ------
    DomainError
        For the zero matrix, at which R is not defined.

    Examples
    --------
    >>> penalty = ratio_penalty([2, 1, 0])
    >>> penalty.value, penalty.threshold, penalty.growth
    (3*sqrt(5)/5, 5/3, (1, -1, 0))
    >>> penalty.gradient
    (-sqrt(5)/25, 2*sqrt(5)/25, 0)
    >>> penalty.derivation.identities_proved
    True

    References
    ----------
    The penalty is that of D. Zhao, "Combining explicit and implicit regularization for efficient
    learning in deep networks", NeurIPS 2022 (arXiv:2306.00342). The formulas are derived here.
    """
    values = read_spectrum(singular_values, symbols=True)
    if all(v == 0 for v in values):
        raise DomainError("R is not defined at the zero matrix; give a positive singular value.")
    return RatioPenalty(values)


def ratio_penalty_gradient(W: ArrayLike, *, tolerance: float = 1e-12) -> NDArray[np.float64]:
    r"""The gradient of R at a matrix, in double precision; at a kink the shortest subgradient.

    Parameters
    ----------
    W : array of shape (m, n)
    tolerance : float
        Singular values of at most `tolerance` times the largest count as zero.

    Raises
    ------
    ShapeError, DataError, DomainError
        For what is no matrix, not finite, or zero.

    Examples
    --------
    >>> ratio_penalty_gradient([[2.0, 0.0], [0.0, 1.0]]).round(6)
    array([[-0.089443,  0.      ],
           [ 0.      ,  0.178885]])
    """
    A = read_matrix(W, "W")
    if not 0 <= tolerance < 1:
        raise DataError(f"Expected 0 <= tolerance < 1 but got tolerance = {tolerance!r}.")
    size = np.abs(A).max()
    if size == 0:
        raise DomainError("R is not defined at the zero matrix W.")
    # R does not see the scale; its gradient scales with 1/size
    return gradient_of_factors(*np.linalg.svd(A / size, full_matrices=False), tolerance) / size


def gradient_of_factors(
    U: NDArray[np.float64], sigma: NDArray[np.float64], Vt: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64]:
    r"""The same from a thin singular value decomposition of a matrix that is not zero.

    Parameters
    ----------
    U, sigma, Vt : arrays of shapes (m, r), (r,), (r, n)
    tolerance : float

    Examples
    --------
    >>> gradient_of_factors(np.eye(2), np.array([2.0, 1.0]), np.eye(2), 1e-12).round(6)
    array([[-0.089443,  0.      ],
           [ 0.      ,  0.178885]])
    """
    present = sigma > tolerance * sigma[0]
    s = np.where(present, sigma, 0.0)
    f2 = s @ s
    entries = np.where(present, (1 - s.sum() / f2 * s) / np.sqrt(f2), 0.0)
    return np.asarray((U * entries) @ Vt, dtype=np.float64)


def _steps() -> Iterator[RawStep]:
    v = sp.Symbol("sigma", positive=True)
    others, squares, r, R, f = sp.symbols("m q r R f", positive=True)
    nu, square = others + v, squares + v**2
    slope = sp.diff(nu / sp.sqrt(square), v)
    entry = (1 - nu * v / square) / sp.sqrt(square)
    total = sp.Symbol("nu", positive=True)
    yield (
        "Nuclear norm",
        ["d||W||_* = <U V^T, dW> for W = U diag(sigma) V^T of full column or row rank"],
        "U V^T is the polar factor of W, unique and smooth there, whatever values are equal; "
        "at rank r the subgradients are U V^T + Z with U^T Z = 0, Z V = 0, ||Z||_op <= 1",
        None,
    )
    yield (
        "Gradient",
        ["grad R = (U V^T - (nu/f**2)*W)/f = U diag((1 - nu*sigma_i/f**2)/f) V^T"],
        "quotient rule with nu = m + sigma_i and f**2 = q + sigma_i**2; R depends on the singular "
        "values alone, so its gradient is diagonal in the bases of W and rotates none of them",
        certify_zero("dR/dsigma_i = (1 - nu sigma_i/f**2)/f", slope - entry),
    )
    yield (
        "Scale",
        ["<grad R, W> = 0"],
        "sum_i sigma_i*(1 - nu*sigma_i/f**2)/f = (nu - nu*f**2/f**2)/f, as R is homogeneous of "
        "degree 0",
        certify_zero("Euler's identity", (total - total * f**2 / f**2) / f),
    )
    squared = (r - 2 * total * total / f**2 + total**2 * f**2 / f**4) / f**2
    yield (
        "Size",
        ["||grad R||_F = sqrt(r - R**2)/f"],
        "the squares of the r entries, with sum sigma_i = nu and sum sigma_i**2 = f**2",
        certify_zero(
            "sum of squares = (r - R**2)/f**2",
            squared.xreplace({total: R * f}) - (r - R**2) / f**2,
        ),
    )
    yield (
        "Threshold",
        ["-dR/dsigma_i > 0 exactly for sigma_i > f**2/nu"],
        "1 - nu*sigma/f**2 is linear in sigma",
        certify_zero("zero at f**2/nu", (1 - total * v / f**2).xreplace({v: f**2 / total})),
    )
