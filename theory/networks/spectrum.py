"""Norms and ranks of matrices as functions of their singular values."""

from __future__ import annotations

from typing import Any

import sympy as sp

from theory.errors import DomainError
from theory.exact.balls import sign_of_number
from theory.networks.arguments import read_positive, read_spectrum

__all__ = ["effective_rank", "schatten_norm"]

_LARGEST_DENOMINATOR = 1000


def effective_rank(singular_values: Any) -> sp.Expr:
    r"""The effective rank $\exp(-\sum_i p_i\log p_i)$, $p_i = \sigma_i/\sum_j\sigma_j$.

    Parameters
    ----------
    singular_values : sequence of numbers or positive symbols
        Numbers stand in decreasing order; zeros add nothing.

    Raises
    ------
    DomainError
        For the zero matrix.

    Examples
    --------
    >>> effective_rank([2, 2, 2, 0])
    3
    >>> effective_rank([4, 2, 2]).evalf(8)
    2.8284271

    References
    ----------
    O. Roy, M. Vetterli, "The effective rank", EUSIPCO 2007.
    """
    values = [v for v in read_spectrum(singular_values, symbols=True) if v != 0]
    if not values:
        raise DomainError("The zero matrix has no effective rank; give a positive singular value.")
    total = sp.Add(*values)
    shares = [v / total for v in values]
    entropy = sp.Add(*(-p * sp.log(p) for p in shares))
    if any(p.is_Rational and p.q > _LARGEST_DENOMINATOR for p in shares):
        # powers of decimals with long exponents are not worth their simplification
        return sp.exp(entropy, evaluate=False)
    return sp.exp(sp.expand(sp.expand_log(entropy)))


def schatten_norm(singular_values: Any, p: Any = 1) -> sp.Expr:
    r"""$\|A\|_p = (\sum_i\sigma_i^p)^{1/p}$, and the largest singular value for $p = \infty$.

    Parameters
    ----------
    singular_values : sequence of numbers or positive symbols
    p : positive number, positive symbol or sympy.oo
        Below 1 it is a quasi-norm; p = 2/L is the one of L layers.

    Examples
    --------
    >>> schatten_norm([4, 1], sp.Rational(1, 2))
    9
    >>> schatten_norm([4, 3], 2), schatten_norm([4, 3], sp.oo)
    (5, 4)
    """
    values = read_spectrum(singular_values, symbols=True)
    if p is sp.oo or p == float("inf"):
        return sp.Max(*values) if any(v.free_symbols for v in values) else values[0]
    power = read_positive(p, "p")
    present = [v for v in values if not (v.is_number and sign_of_number(v) == 0)]
    return sp.Add(*(v**power for v in present)) ** (1 / power)
