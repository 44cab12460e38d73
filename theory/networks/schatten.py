r"""The least norm of factors: $\min_{W_L\cdots W_1 = A}\|\theta\|^2 = L\sum_i\sigma_i(A)^{2/L}$."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import DataError, DomainError, FormulaError, ShapeError
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_exact
from theory.exact.markup import latex_of
from theory.exact.zero import is_zero
from theory.networks.arguments import (
    Depth,
    read_decay,
    read_depth,
    read_hidden,
    read_matrix,
    read_spectrum,
)
from theory.networks.certify import certify_zero, means_step

__all__ = ["Schatten", "balanced_factors", "schatten"]


@dataclass(frozen=True)
class Schatten:
    r"""The least squared norm of L factors of a matrix.

    Parameters
    ----------
    singular_values : tuple of sympy.Expr
    depth : int or sympy.Symbol
    """

    singular_values: tuple[sp.Expr, ...]
    depth: Depth

    @property
    def value(self) -> sp.Expr:
        r"""$L\sum_i\sigma_i^{2/L}$, the 2/L-th power of the Schatten quasi-norm times L."""
        L = sp.sympify(self.depth, strict=True)
        return L * sp.Add(*(v ** (2 / L) for v in self.singular_values if v != 0))

    @property
    def rank(self) -> int:
        """The least hidden width for which the identity holds."""
        return sum(v != 0 for v in self.singular_values)

    def penalty(self, lam: Any = "lam") -> sp.Expr:
        r"""What $\lambda\|\theta\|^2$ is on the product: $\lambda L\sum_i\sigma_i^{2/L}$.

        $\min_\theta C(A_\theta) + \lambda\|\theta\|^2 = \min_A C(A) + \lambda L\sum\sigma_i^{2/L}$
        over the matrices of rank up to the smallest width; $2\lambda\|A\|_*$ for L = 2.

        Examples
        --------
        >>> a, b = sp.symbols("a b", positive=True)
        >>> schatten([a, b], 2).penalty()
        lam*(2*a + 2*b)
        """
        return read_decay(lam) * self.value

    def factors(self, U: Any, V: Any) -> tuple[sp.Matrix, ...]:
        r"""Exact balanced factors of $A = U\,\mathrm{diag}(\sigma)V^T$, $W_1$ first.

        Parameters
        ----------
        U, V : matrices
            One orthonormal column for each singular value.

        Raises
        ------
        ShapeError, DataError
            For another number of columns, or columns that are not proved orthonormal.

        Examples
        --------
        >>> first, last = schatten([4, 1], 2).factors([[0, 1], [1, 0]], [[1, 0], [0, 1]])
        >>> last * first
        Matrix([
        [0, 1],
        [4, 0]])
        """
        if not isinstance(self.depth, int):
            raise FormulaError("Expected an integer depth for the factors.")
        ends = [_orthonormal(B, n, len(self.singular_values)) for B, n in ((U, "U"), (V, "V"))]
        L = self.depth
        roots = sp.diag(*(v ** sp.Rational(1, L) for v in self.singular_values))
        if L == 1:
            return (ends[0] * roots * ends[1].T,)
        return (roots * ends[1].T, *[roots] * (L - 2), ends[0] * roots)

    @cached_property
    def derivation(self) -> Derivation:
        """The chain of inequalities, and equality at balanced factors."""
        return numbered(f"Least norm of {self.depth} factors", _steps(self))

    def __str__(self) -> str:
        return str(self.value)

    def _repr_latex_(self) -> str:
        return f"${latex_of(self.value)}$"


def schatten(singular_values: Any, depth: Any = "L") -> Schatten:
    r"""$\min\{\sum_l\|W_l\|_F^2 : W_L\cdots W_1 = A\} = L\sum_i\sigma_i(A)^{2/L}$.

    It needs hidden widths of at least the rank of A; `balanced_factors` attains it.

    Parameters
    ----------
    singular_values : sequence of numbers or positive symbols
    depth : int or sympy.Symbol or str
        L >= 1.

    Examples
    --------
    >>> schatten([8, 1], 3).value
    15
    >>> a, b = sp.symbols("a b", positive=True)
    >>> print(schatten([a, b]))
    L*(a**(2/L) + b**(2/L))

    References
    ----------
    R. A. Horn, "On the singular values of a product of completely continuous operators", PNAS 1950.
    """
    L = read_depth(depth, least=1)
    return Schatten(read_spectrum(singular_values, symbols=True), L)


def balanced_factors(
    A: ArrayLike, depth: int, *, widths: Sequence[int] | int | None = None
) -> tuple[NDArray[np.float64], ...]:
    r"""Factors of a matrix with the least norm, the balanced $W_l = U_l\Sigma^{1/L}U_{l-1}^T$.

    Parameters
    ----------
    A : array of shape (m, n)
    depth : int
        L >= 1.
    widths : int or sequence of L - 1 ints, optional
        The hidden widths, min(m, n) unless given; hidden bases are unit vectors.

    Returns
    -------
    tuple of arrays
        $W_1, \ldots, W_L$.

    Raises
    ------
    DomainError
        When a hidden width is below the rank, so that there are no such factors.

    Examples
    --------
    >>> W1, W2, W3 = balanced_factors([[8.0, 0.0], [0.0, 1.0]], 3)
    >>> W1.round(6) + 0.0
    array([[2., 0.],
           [0., 1.]])
    """
    L = read_depth(depth, least=1)
    if not isinstance(L, int):
        raise FormulaError("Expected an integer depth for the factors.")
    M = read_matrix(A, "A")
    if L == 1:
        return (M,)
    hidden = read_hidden(min(M.shape) if widths is None else widths, L)
    U, s, Vt = np.linalg.svd(M, full_matrices=False)
    narrow = min(hidden)
    if narrow < len(s) and s[narrow] > s[0] * max(M.shape) * np.finfo(float).eps:
        raise DomainError(
            f"A has a rank above {narrow}, the smallest of the widths, so that it is no such "
            "product; give wider layers."
        )
    k = min(narrow, len(s))
    roots = s[:k] ** (1 / L)
    ends = [Vt[:k].T, *(np.eye(w, k) for w in hidden), U[:, :k]]
    return tuple((ends[i + 1] * roots) @ ends[i].T for i in range(L))


def _orthonormal(columns: Any, name: str, count: int) -> sp.Matrix:
    try:
        rows = columns.tolist() if hasattr(columns, "tolist") else [list(row) for row in columns]
        B = sp.Matrix([[read_exact(v, f"entry of {name}") for v in row] for row in rows])
    except TypeError as error:
        raise ShapeError(f"Expected a matrix {name} but got {columns!r}.") from error
    if B.cols != count:
        raise ShapeError(f"Expected {count} columns in {name} but got {B.cols}.")
    gram = B.T * B - sp.eye(count)
    if not all(is_zero(e).proved for e in gram):
        raise DataError(f"The columns of {name} are not proved to be orthonormal; give exact ones.")
    return B


def _steps(identity: Schatten) -> Iterator[RawStep]:
    L = sp.sympify(identity.depth, strict=True)
    sigma = sp.Symbol("sigma", positive=True)
    n = sp.Dummy("n", positive=True)
    each = sigma ** (1 / n)
    yield (
        "Horn",
        ["sum_i sigma_i(W_L ... W_1)**p <= sum_i prod_l sigma_i(W_l)**p, p = 2/L"],
        "the products of the k largest singular values are submultiplicative (Horn 1950); such an "
        "order of logarithms passes to sums of increasing convex functions of them, here exp(p*x); "
        "recalled, not derived",
        None,
    )
    yield means_step()
    yield (
        "Hoelder",
        ["sum_i prod_l sigma_i(W_l)**(2/L) <= prod_l (sum_i sigma_i(W_l)**2)**(1/L)"],
        "the means of b_l = sigma_i(W_l)**2/||W_l||_F**2, summed over i",
        None,
    )
    yield (
        "Norms of the layers",
        ["prod_l ||W_l||_F**(2/L) <= (1/L)*sum_l ||W_l||_F**2 = ||theta||**2/L"],
        "the means of b_l = ||W_l||_F**2",
        None,
    )
    yield (
        "Equality",
        [
            "W_l = U_l diag(sigma**(1/L)) U_{l-1}^T with orthonormal columns U_l",
            f"min ||theta||**2 = {identity.value}",
        ],
        "needs hidden widths of at least the rank; each singular value adds L times "
        "sigma**(2/L), and the product of L roots is sigma",
        certify_zero(
            "product and norm of the balanced factors",
            each**n - sigma,
            n * each**2 - n * sigma ** (2 / n),
        ),
    )
    yield (
        "Decay on the product",
        ["min C + lam*||theta||**2 = min_A C(A) + lam*L*sum sigma_i(A)**(2/L)"],
        f"the minimum over the parameters with a given product first; depth {L}",
        None,
    )
