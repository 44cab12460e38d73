"""The monomials that a search for laws combines."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from theory.errors import TooLarge

__all__ = ["MEMORY", "laurent_monomials", "monomials_up_to"]

Array = NDArray[np.int64]

MEMORY = 2 << 30
"""Bytes that one search may take."""


def monomials_up_to(size: int, degree: int, frozen: int = 0) -> Array:
    """All monomials of degree 1 to `degree` in the moving variables, as rows of factors.

    Examples
    --------
    >>> monomials_up_to(2, 2).tolist()
    [[0, 2], [1, 2], [0, 0], [0, 1], [1, 1]]
    """
    moving = size - frozen
    count = math.comb(moving + degree, degree) - 1
    if count * degree * 8 * 12 > MEMORY:
        raise TooLarge(
            f"All polynomials of degree {degree} in {moving} parameters have {count:,} "
            f"coefficients; the equations would take about {count * degree * 96 / 2**30:.0f} GiB "
            f"and more. Use a smaller degree, or give the functions to combine as ansatz=[...]."
        )
    blocks = []
    current = np.arange(moving, dtype=np.int64)[:, None]
    for k in range(1, degree + 1):
        if k > 1:
            # every monomial once: factors in ascending order
            last = current[:, -1]
            times = moving - last
            repeated = np.repeat(current, times, axis=0)
            offset = np.arange(len(repeated)) - np.repeat(np.cumsum(times) - times, times)
            current = np.concatenate([repeated, (np.repeat(last, times) + offset)[:, None]], 1)
        blocks.append(np.pad(current, ((0, 0), (0, degree - k)), constant_values=size))
    return np.concatenate(blocks)


def laurent_monomials(size: int, degree: int, frozen: int = 0) -> Array:
    """Monomials with positive and negative exponents whose absolute values add up to `degree`.

    Examples
    --------
    >>> len(laurent_monomials(2, 2))
    12
    """
    plain = monomials_up_to(size, degree, frozen)
    # every choice of signs of the distinct factors
    out = []
    for row in plain.tolist():
        distinct = sorted({f for f in row if f != size})
        for signs in itertools.product((False, True), repeat=len(distinct)):
            below = {f for f, s in zip(distinct, signs, strict=True) if s}
            out.append([size + 1 + f if f in below else f for f in row])
    return np.array(out, np.int64)
