r"""A rigorous lower bound of the rank of the Lie algebra that vector fields generate.

At a point modulo p, along $\theta' = X_c(\theta) = \sum_i c_i(t) X_i(\theta)$ with a covector c(t)
that is a power series, the vectors
$$W_i^{(k)} = (d/dt - A(t))^k X_i(\theta(t))\big|_{t = 0}, \qquad A = DX_c,$$
are values of iterated brackets. They come from truncated power series, and no bracket is formed.
A law is constant along each of them: with D variables there are at most D - rank laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.exact.modular import PRIME, Stream, convolve, inverse, matmul, rank, reduce, scatter
from theory.flow.fields import Fields

__all__ = ["LieRank", "lie_rank", "value_matrix"]

Array = NDArray[np.int64]


@dataclass(frozen=True)
class LieRank:
    """How a lower bound of the rank was found; everything that is needed to compute it again.

    Parameters
    ----------
    rank : int
        The bound.
    ranks : tuple of int
        The rank with brackets up to each order, from order zero.
    seed : int
        Of the point and of the covectors.
    width : int
        How many random combinations of the fields are bracketed.
    stopped : str
        Why no further order was taken.
    """

    rank: int
    ranks: tuple[int, ...]
    seed: int
    width: int
    stopped: str


def point(fields: Fields, stream: Stream) -> Array:
    """A random point, with the constant one and the inverses behind it."""
    if fields.start is not None:
        theta = np.array(fields.start, np.int64)
    else:
        theta = stream.integers("point", fields.size)
    return _extended(fields, theta)


def _extended(fields: Fields, theta: Array) -> Array:
    one = np.ones(1, np.int64)
    if fields.is_polynomial:
        return np.concatenate([theta, one])
    return np.concatenate([theta, one, inverse(theta)])


def value_matrix(fields: Fields, at: Array, stream: Stream) -> Array:
    """The fields at a point as columns; where there are many, random combinations of them."""
    D, K = fields.size, fields.count
    values = fields.residues
    for a in range(fields.index.shape[1]):
        values = reduce(values * at[fields.index[:, a]])
    columns = K
    column = fields.field
    if 2 * D + 16 < K:
        # every column is a combination of its own fields, so that this costs no more than reading
        columns = 2 * D + 16
        bucket = stream.integers("bucket", K) % columns
        column = bucket[fields.field]
        values = reduce(values * stream.integers("weight", K)[fields.field])
    flat = scatter(fields.component * columns + column, values, D * columns)
    return flat.reshape(D, columns)[: fields.moving]


class _Series:
    """The trajectory, its Jacobian and chosen fields along it, as truncated power series."""

    def __init__(self, fields: Fields, order: int, width: int, stream: Stream) -> None:
        self.fields, self.order = fields, order
        self.control = stream.integers("control", order + 1, fields.count).T
        self.theta = self._trajectory(point(fields, stream)[: fields.size])
        self._jacobian()
        self.columns = self._columns(width, stream)

    def _trajectory(self, start: Array) -> Array:
        fields, D = self.fields, self.fields.size
        length = 2 * D + 1 if not fields.is_polynomial else D + 1
        theta = np.zeros((length, self.order + 1), np.int64)
        theta[:, 0] = _extended(fields, start)
        weights = reduce(fields.residues[:, None] * self.control[fields.field])
        partial = [weights]
        partial += [np.zeros_like(weights) for _ in range(fields.index.shape[1])]
        for k in range(1, self.order + 1):
            # the coefficient k - 1 of the field needs nothing beyond that of the trajectory
            for a in range(fields.index.shape[1]):
                factor = theta[fields.index[:, a]]
                total = np.zeros(len(weights), np.int64)
                for i in range(k):
                    total += reduce(partial[a][:, i] * factor[:, k - 1 - i])
                partial[a + 1][:, k - 1] = total % PRIME
            slope = scatter(fields.component, partial[-1][:, k - 1], D)
            theta[:D, k] = slope * pow(k, -1, PRIME) % PRIME
            if length > D + 1:
                self._invert(theta, k)
        return theta

    def _invert(self, theta: Array, k: int) -> None:
        """The coefficient k of 1/theta."""
        D = self.fields.size
        values, inverses = theta[:D], theta[D + 1 :]
        total = np.zeros(D, np.int64)
        for i in range(1, k + 1):
            total += reduce(values[:, i] * inverses[:, k - i])
        inverses[:, k] = reduce((PRIME - total % PRIME) * inverses[:, 0])

    def _product(self, index: Array, start: Array) -> Array:
        for a in range(index.shape[1]):
            if (index[:, a] != self.fields.size).any():
                start = convolve(start, self.theta[index[:, a]][:, : start.shape[1]])
        return start

    def _jacobian(self) -> None:
        fields, D = self.fields, self.fields.size
        term, row, column, factor, index = fields.jacobian()
        weights = reduce(fields.residues[term] * factor)
        start = reduce(weights[:, None] * self.control[fields.field[term]][:, : self.order])
        values = self._product(index, start)
        keys, place = np.unique(row * D + column, return_inverse=True)
        self.row, self.column = keys // D, keys % D
        self.entries = np.stack(
            [scatter(place, values[:, k], len(keys)) for k in range(self.order)], 1
        ) if self.order else np.zeros((len(keys), 0), np.int64)  # fmt: skip
        self.dense = len(keys) > 0.03 * D * D

    def _columns(self, width: int, stream: Stream) -> Array:
        """Combinations of the fields along the trajectory: an array (D, width, orders)."""
        fields, D, K = self.fields, self.fields.size, self.fields.count
        values = self._product(
            fields.index, np.pad(fields.residues[:, None], ((0, 0), (0, self.order)))
        )
        out = np.zeros((D, width, self.order + 1), np.int64)
        if width >= K:
            keys = fields.component * width + fields.field
            for k in range(self.order + 1):
                out[:, :, k] = scatter(keys, values[:, k], D * width).reshape(D, width)
        elif len(values) * width <= 3_000_000:
            weights = stream.integers("combination", K, width)
            for j in range(width):
                mixed = reduce(values * weights[fields.field, j][:, None])
                for k in range(self.order + 1):
                    out[:, j, k] = scatter(fields.component, mixed[:, k], D)
        else:
            bucket = stream.integers("bucket of brackets", K) % width
            mixed = reduce(values * stream.integers("weight of brackets", K)[fields.field][:, None])
            keys = fields.component * width + bucket[fields.field]
            for k in range(self.order + 1):
                out[:, :, k] = scatter(keys, mixed[:, k], D * width).reshape(D, width)
        return out

    def _apply(self, order: int, vectors: Array) -> Array:
        """The coefficient of A of an order, times a matrix."""
        D = self.fields.size
        values = self.entries[:, order]
        if self.dense:
            matrix = np.zeros((D, D), np.int64)
            matrix[self.row, self.column] = values
            return matmul(matrix, vectors)
        out = np.zeros_like(vectors)
        if not values.size:
            return out
        starts = np.flatnonzero(np.r_[True, self.row[1:] != self.row[:-1]])
        step = max(1, 4_000_000 // max(1, len(values)))
        for j in range(0, vectors.shape[1], step):
            part = reduce(values[:, None] * vectors[self.column, j : j + step])
            out[self.row[starts], j : j + step] = np.add.reduceat(part, starts, axis=0) % PRIME
        return out

    def brackets(self) -> list[Array]:
        """The values of the iterated brackets of orders 1, 2, ..."""
        out, current = [], self.columns
        for _ in range(self.order):
            length = current.shape[2] - 1
            following = np.empty((*current.shape[:2], length), np.int64)
            for o in range(length):
                total = np.zeros(current.shape[:2], np.int64)
                for i in range(o + 1):
                    total += self._apply(i, np.ascontiguousarray(current[:, :, o - i]))
                following[:, :, o] = ((o + 1) * current[:, :, o + 1] - total) % PRIME
            current = following
            out.append(current[: self.fields.moving, :, 0])
        return out


def _compressed(parts: Sequence[Array], stream: Stream) -> Array:
    """All columns, or random combinations of them when there are more than the rank can use."""
    matrix = np.concatenate(list(parts), 1)
    rows, columns = matrix.shape
    if columns <= rows + 64:
        return matrix
    return matmul(matrix, stream.integers("compression", columns, rows + 8))


def ranks_up_to(fields: Fields, seed: int, order: int, width: int) -> list[int]:
    """The rank with the brackets up to each order; the whole computation behind a certificate."""
    stream = Stream(seed)
    parts = [value_matrix(fields, point(fields, stream), stream)]
    ranks = [rank(parts[0])]
    if order:
        for values in _Series(fields, order, width, stream).brackets():
            parts = [_compressed([*parts, values], stream)]
            ranks.append(rank(parts[0]))
    return ranks


def lie_rank(
    fields: Fields, *, target: int | None = None, highest: int = 24, stable: int = 2, seed: int = 1
) -> LieRank:
    """A lower bound of the generic rank of the Lie algebra, by brackets of growing order.

    Parameters
    ----------
    fields : Fields
    target : int, optional
        A rank that cannot be exceeded, because that many laws are known; the search ends there.
    highest : int
        The highest order of brackets.
    stable : int
        After so many orders without a new direction the search ends. The bound holds in any case.
    seed : int

    Examples
    --------
    >>> import sympy as sp
    >>> from theory.flow.fields import gradient_fields, monomials_of
    >>> u, v, w = sp.symbols("u v w")
    >>> lie_rank(gradient_fields(monomials_of([u * v, u * w], [u, v, w]))).ranks
    (2, 2, 2)
    >>> lie_rank(gradient_fields(monomials_of([u * v, u + w**2], [u, v, w]))).ranks
    (2, 3)
    """
    D = fields.moving
    goal = D if target is None else min(D, target)
    order = 0
    stream = Stream(seed)
    ranks = [rank(value_matrix(fields, point(fields, stream), stream))]
    width = min(fields.count, D - ranks[0] + 4)
    while True:
        if ranks[-1] >= goal:
            stopped = "all variables" if ranks[-1] == D else "the laws that are known"
            break
        if len(ranks) > stable and len(set(ranks[-stable - 1 :])) == 1:
            stopped = f"{stable} orders without a new direction"
            break
        if order >= highest:
            stopped = f"order {highest}"
            break
        order = min(highest, max(2, 2 * order))
        ranks = ranks_up_to(fields, seed, order, width)
        ranks = _first_end(ranks, goal, stable)
    return LieRank(ranks[-1], tuple(ranks), seed, width, stopped)


def _first_end(ranks: list[int], goal: int, stable: int) -> list[int]:
    """The ranks up to the first order at which the search may end."""
    for k in range(len(ranks)):
        still = k >= stable and len(set(ranks[k - stable : k + 1])) == 1
        if ranks[k] >= goal or still:
            return ranks[: k + 1]
    return ranks
