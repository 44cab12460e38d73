r"""Linear algebra and power series modulo the prime $p = 2^{31} - 1$, on int64 arrays.

A rank modulo p of a matrix of rational functions, at a point where no denominator is divisible by
p, is at most the generic rank over the rationals: a minor that is not zero modulo p is not zero.
This one direction is all that is used, so that no answer rests on probability.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import flint
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PRIME",
    "Stream",
    "convolve",
    "inverse",
    "matmul",
    "nullspace",
    "pivots",
    "rank",
    "rational",
    "reduce",
    "scatter",
]

PRIME = 2**31 - 1
Array = NDArray[np.int64]


class Stream:
    """Reproducible numbers modulo p: an extendable hash of a seed and a label.

    They are part of certificates, so they depend on no library's random generator.

    Examples
    --------
    >>> bool((Stream(1).integers("point", 3) == Stream(1).integers("point", 3)).all())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def integers(self, label: str, *shape: int) -> Array:
        """Numbers from 1 to p - 1."""
        size = int(np.prod(shape))
        digest = hashlib.shake_256(f"{self.seed}:{label}".encode()).digest(8 * size)
        words = np.frombuffer(digest, dtype="<u8") % np.uint64(PRIME - 1)
        return (words.astype(np.int64) + 1).reshape(shape)


def reduce(x: Array) -> Array:
    """Residues of numbers from 0 to 2^62, without a division."""
    x = (x & PRIME) + (x >> 31)
    x = (x & PRIME) + (x >> 31)
    return np.where(x >= PRIME, x - PRIME, x)


def inverse(x: Array) -> Array:
    """Inverses modulo p, entry by entry; zero goes to zero."""
    result, power, n = np.ones_like(x), x % PRIME, PRIME - 2
    while n:
        if n & 1:
            result = reduce(result * power)
        power = reduce(power * power)
        n >>= 1
    return result


def convolve(a: Array, b: Array) -> Array:
    """The product of truncated power series; the last axis is the order."""
    n = min(a.shape[-1], b.shape[-1])
    out = np.zeros((*np.broadcast_shapes(a.shape[:-1], b.shape[:-1]), n), np.int64)
    for k in range(n):
        for i in range(k + 1):
            out[..., k] += reduce(a[..., i] * b[..., k - i])
        out[..., k] %= PRIME
    return out


def scatter(index: Array, values: Array, size: int) -> Array:
    """Sums of residues by index, modulo p."""
    # bincount adds in float64: halves keep every sum below 2^53
    low = np.bincount(index, weights=(values & 0xFFFF).astype(np.float64), minlength=size)
    high = np.bincount(index, weights=(values >> 16).astype(np.float64), minlength=size)
    return (((high.astype(np.int64) % PRIME) << 16) + low.astype(np.int64)) % PRIME


def matmul(a: Array, b: Array) -> Array:
    """The product of matrices of residues, exact through float64 products of 16-bit halves.

    Examples
    --------
    >>> x = np.array([[PRIME - 1, 2]])
    >>> matmul(x, x.T)
    array([[5]])
    """
    if a.shape[1] > 1 << 19:
        raise ValueError("The inner dimension is too large for exact float64 sums.")
    a1, a0 = (a >> 16).astype(np.float64), (a & 0xFFFF).astype(np.float64)
    b1, b0 = (b >> 16).astype(np.float64), (b & 0xFFFF).astype(np.float64)
    high = (a1 @ b1).astype(np.int64) % PRIME
    low = (a0 @ b0).astype(np.int64) % PRIME
    middle = (((a1 + a0) @ (b1 + b0)).astype(np.int64) - high - low) % PRIME
    return (((((high << 16) % PRIME) + middle) % PRIME << 16) + low) % PRIME


def _matrix(a: Array) -> flint.nmod_mat:
    return flint.nmod_mat(a.shape[0], a.shape[1], (a % PRIME).ravel().tolist(), PRIME)


def rank(a: Array) -> int:
    """The rank of a matrix of residues."""
    return int(_matrix(a).rank()) if a.size else 0


def _echelon(a: Array) -> tuple[Array, list[int]]:
    reduced, r = _matrix(a).rref()
    rows = np.array(
        [[int(reduced[i, j]) for j in range(a.shape[1])] for i in range(r)], np.int64
    ).reshape(r, a.shape[1])
    return rows, [int(np.flatnonzero(row)[0]) for row in rows]


def pivots(a: Array) -> list[int]:
    """The first columns that are linearly independent."""
    return _echelon(a)[1] if a.size else []


def nullspace(a: Array) -> list[dict[int, int]]:
    """A basis of the right nullspace, one vector for each column without pivot.

    Examples
    --------
    >>> nullspace(np.array([[1, 1, 0]])) == [{1: 1, 0: PRIME - 1}, {2: 1}]
    True
    """
    rows, lead = _echelon(a)
    out = []
    for free in sorted(set(range(a.shape[1])) - set(lead)):
        vector = {free: 1}
        for row, pivot in zip(rows, lead, strict=True):
            if row[free]:
                vector[pivot] = int(PRIME - row[free])
        out.append(vector)
    return out


def rational(residue: int, bound: int = 32767) -> tuple[int, int] | None:
    """The fraction n/d = residue modulo p with numerator and denominator up to a bound.

    Examples
    --------
    >>> rational((PRIME + 1) // 2), rational(PRIME - 3)
    ((1, 2), (-3, 1))
    """
    r0, r1, s0, s1 = PRIME, residue % PRIME, 0, 1
    while r1 > bound:
        q = r0 // r1
        r0, r1, s0, s1 = r1, r0 - q * r1, s1, s0 - q * s1
    if s1 == 0 or abs(s1) > bound:
        return None
    return (r1, s1) if s1 > 0 else (-r1, -s1)


def rationals(vector: dict[int, int]) -> dict[int, int] | None:
    """A vector over the field as one with coprime integers, where small fractions give it."""
    fractions: dict[int, tuple[int, int]] = {}
    for key, residue in vector.items():
        value = rational(residue)
        if value is None:
            return None
        fractions[key] = value
    scale = int(np.lcm.reduce([d for _, d in fractions.values()], dtype=object))
    integers = {k: n * (scale // d) for k, (n, d) in fractions.items()}
    unit = int(np.gcd.reduce(list(integers.values()), dtype=object))
    return {k: v // unit for k, v in integers.items()}


def hstack(parts: Sequence[Array]) -> Array:
    """Matrices beside each other."""
    return np.concatenate(list(parts), axis=1)
