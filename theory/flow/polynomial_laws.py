r"""All polynomial (or Laurent polynomial) laws up to a degree, by sparse exact linear algebra.

The unknowns are the coefficients of $C = \sum_m a_m m(\theta)$; each coefficient of each monomial
of $X_k C$ is an equation. The equations are assembled as a sparse matrix whose rows are keyed by
sums of random 64-bit numbers: a collision can only merge two equations, hence add candidates, and
every candidate is verified over the integers before it is returned.

A basis modulo p has at least as many vectors as one over the rationals. When all of its vectors
lift to laws, no law of the ansatz is missing; when one does not, the search is done again in exact
arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.errors import TooLarge
from theory.exact.modular import (
    PRIME,
    Stream,
    inverse,
    nullspace,
    rationals,
    reduce,
    scatter,
)
from theory.flow.exact_laws import exact_laws, law_of
from theory.flow.fields import Fields
from theory.flow.law import Law, is_conserved
from theory.flow.monomials import MEMORY

__all__ = ["Found", "polynomial_laws"]

Array = NDArray[np.int64]
Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Found:
    """The laws of an ansatz.

    Parameters
    ----------
    laws : tuple of Law
        A basis, each verified over the integers, the simplest first.
    exhaustive : bool
        Whether the ansatz has no further ones.
    """

    laws: tuple[Law, ...]
    exhaustive: bool


class _Equations:
    """The sparse matrix: rows are coefficients of X_k C, columns are unknowns."""

    def __init__(self, row: Array, column: Array, value: Array, unknowns: int) -> None:
        self.row, self.column, self.value, self.unknowns = row, column, value, unknowns


class _Assembler:
    def __init__(self, fields: Fields, stream: Stream) -> None:
        self.fields = fields
        D = fields.size
        low = stream.integers("key low", D).astype(np.uint64)
        high = stream.integers("key high", D).astype(np.uint64)
        key = (high << np.uint64(33)) ^ (low << np.uint64(2)) | np.uint64(1)
        zero = np.zeros(1, np.uint64)
        # 1/x has the opposite key, so that keys add up where exponents do
        self.key: Keys = np.concatenate([key, zero, zero - key])
        self.field_key: Keys = (
            stream.integers("field low", fields.count).astype(np.uint64) << np.uint64(1)
        ) ^ (stream.integers("field high", fields.count).astype(np.uint64) << np.uint64(32))
        order, self.pointer, _ = fields.by_component
        terms = self.key[fields.index].sum(axis=1, dtype=np.uint64)
        self.term_key = (terms + self.field_key[fields.field])[order]
        self.term_value = fields.residues[order]

    def entries(self, monomials: Array, logs: Array) -> int:
        """How many products a search forms."""
        sizes = np.diff(self.pointer)
        sizes = np.concatenate([sizes, [0], sizes])
        return int(sizes[monomials].sum() + sizes[logs].sum())

    def equations(self, monomials: Array, logs: Array) -> _Equations:
        D = self.fields.size
        key_of = self.key[monomials].sum(axis=1, dtype=np.uint64)
        keys, columns, values = [], [], []

        def product(unknown: Array, variable: Array, rest: Keys, sign: int) -> None:
            count = self.pointer[variable + 1] - self.pointer[variable]
            place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            place += np.repeat(self.pointer[variable], count)
            keys.append(np.repeat(rest, count) + self.term_key[place])
            columns.append(np.repeat(unknown, count))
            value = self.term_value[place]
            values.append(value if sign > 0 else PRIME - value)

        for a in range(monomials.shape[1]):
            factor = monomials[:, a]
            plain = np.flatnonzero(factor < D)
            product(plain, factor[plain], key_of[plain] - self.key[factor[plain]], 1)
            below = np.flatnonzero(factor > D)
            if below.size:
                variable = factor[below] - D - 1
                product(below, variable, key_of[below] - self.key[variable], -1)
        if logs.size:
            zero = np.zeros(len(logs), np.uint64)
            product(np.arange(len(logs)) + len(monomials), logs, zero - self.key[logs], 1)
        unknowns = len(monomials) + len(logs)
        return _summed(
            np.concatenate(keys), np.concatenate(columns), np.concatenate(values), unknowns
        )


def _summed(key: Keys, column: Array, value: Array, unknowns: int) -> _Equations:
    """Entries with the same row and column added up modulo p, zeros dropped."""
    order = np.argsort(key, kind="stable")
    key, column, value = key[order], column[order], value[order]
    row = np.cumsum(np.r_[0, key[1:] != key[:-1]]) if len(key) else np.zeros(0, np.int64)
    order = np.argsort(row * unknowns + column, kind="stable")
    pair = (row * unknowns + column)[order]
    start = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if len(pair) else order
    total = np.add.reduceat(value[order], start) % PRIME if len(pair) else value
    keep = np.flatnonzero(total)
    first = order[start[keep]]
    return _Equations(row[first], column[first], total[keep], unknowns)


def _survivors(eq: _Equations) -> tuple[_Equations, Array]:
    """What is left when equations with a single entry have forced their unknowns to zero."""
    row, column, value = eq.row, eq.column, eq.value
    dead = np.zeros(eq.unknowns, bool)
    while len(row):
        count = np.bincount(row)
        single = count[row] == 1
        if not single.any():
            break
        dead[column[single]] = True
        keep = ~dead[column]
        row, column, value = row[keep], column[keep], value[keep]
        row = np.unique(row, return_inverse=True)[1] if len(row) else row
    alive = np.flatnonzero(~dead)
    place = np.full(eq.unknowns, -1, np.int64)
    place[alive] = np.arange(len(alive))
    return _Equations(row, place[column], value, len(alive)), alive


def _distinct(eq: _Equations, stream: Stream) -> _Equations:
    """One of each set of proportional equations."""
    if not len(eq.row):
        return eq
    order = np.lexsort((eq.column, eq.row))
    row, column, value = eq.row[order], eq.column[order], eq.value[order]
    start = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    lead = inverse(value[start])
    length = np.diff(np.r_[start, len(row)])
    value = reduce(value * np.repeat(lead, length))
    mark = stream.integers("proportional", eq.unknowns).astype(np.uint64)
    mix = mark[column] * np.uint64(0x9E3779B97F4A7C15) * (value.astype(np.uint64) + np.uint64(77))
    total = np.add.reduceat(mix, start)
    _, first = np.unique(total, return_index=True)
    keep = np.zeros(len(start), bool)
    keep[first] = True
    keep = np.repeat(keep, length)
    row = np.unique(row[keep], return_inverse=True)[1]
    return _Equations(row, column[keep], value[keep], eq.unknowns)


def _blocks(eq: _Equations) -> Iterator[tuple[Array, _Equations]]:
    """The connected components of unknowns that share equations."""
    if not eq.unknowns:
        return
    label = np.arange(eq.unknowns)
    if len(eq.row):
        order = np.argsort(eq.row, kind="stable")
        row, column = eq.row[order], eq.column[order]
        start = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        length = np.diff(np.r_[start, len(row)])
        while True:
            least = np.repeat(np.minimum.reduceat(label[column], start), length)
            new = label.copy()
            np.minimum.at(new, column, least)
            new = np.minimum(new, new[new])
            if (new == label).all():
                break
            label = new
    order = np.argsort(label, kind="stable")
    sizes = np.flatnonzero(np.r_[True, label[order][1:] != label[order][:-1], True])
    by_label = np.argsort(label[eq.column], kind="stable")
    ends = np.searchsorted(label[eq.column][by_label], label[order][sizes[:-1]], side="left")
    stop = np.searchsorted(label[eq.column][by_label], label[order][sizes[:-1]], side="right")
    for a, b, lower, upper in zip(sizes[:-1], sizes[1:], ends, stop, strict=True):
        unknowns = order[a:b]
        entries = by_label[lower:upper]
        place = np.searchsorted(unknowns, eq.column[entries])
        rows = np.unique(eq.row[entries], return_inverse=True)[1]
        yield unknowns, _Equations(rows, place, eq.value[entries], len(unknowns))


def _dense(eq: _Equations, stream: Stream) -> Array:
    """The matrix of a block; of many equations, random combinations are as good."""
    n = eq.unknowns
    rows = int(eq.row.max()) + 1 if len(eq.row) else 0
    if rows <= n + 8:
        out = np.zeros((max(rows, 1), n), np.int64)
        out[eq.row, eq.column] = eq.value
        return out
    if rows * n <= 20_000_000 and rows <= 3 * n + 64:
        out = np.zeros((rows, n), np.int64)
        out[eq.row, eq.column] = eq.value
        return out
    out = np.empty((n + 8, n), np.int64)
    for i in range(n + 8):
        weight = stream.integers(f"row {i}", rows)
        out[i] = scatter(eq.column, reduce(eq.value * weight[eq.row]), n)
    return out


def _cover(fields: Fields, stream: Stream) -> Array:
    """A few fields that move every variable that moves at all."""
    order = np.argsort(stream.integers("cover", fields.count), kind="stable")
    by_field = np.argsort(fields.field, kind="stable")
    pointer = np.searchsorted(fields.field[by_field], np.arange(fields.count + 1))
    seen = np.zeros(fields.size, bool)
    total = len(np.unique(fields.component))
    chosen = []
    for k in order:
        components = fields.component[by_field[pointer[k] : pointer[k + 1]]]
        if not seen[components].all():
            chosen.append(int(k))
            seen[components] = True
            if int(seen.sum()) == total:
                break
    return np.array(chosen, np.int64)


def polynomial_laws(
    fields: Fields, monomials: Array, logs: Array | None = None, *, seed: int = 1
) -> Found:
    """Every combination of the given monomials (and logarithms) that all fields leave constant.

    Parameters
    ----------
    fields : Fields
    monomials : array of shape (M, degree)
        Rows of factors, as in `Fields.index`.
    logs : array, optional
        Variables whose logarithm is in the ansatz.
    seed : int

    Returns
    -------
    Found

    Raises
    ------
    TooLarge
        When the equations do not fit in the memory, with an estimate.

    Examples
    --------
    >>> import sympy as sp
    >>> from theory.flow.fields import gradient_fields, monomials_of
    >>> from theory.flow.monomials import monomials_up_to
    >>> u, v = sp.symbols("u v")
    >>> fields = gradient_fields(monomials_of([u * v], [u, v]))
    >>> len(polynomial_laws(fields, monomials_up_to(2, 2)).laws)
    1
    """
    stream = Stream(seed)
    logs = np.zeros(0, np.int64) if logs is None else logs
    whole = monomials, logs
    if len(monomials) > 400:
        few = fields.chosen(_cover(fields, stream))
        if few.count < fields.count:
            assembler = _Assembler(few, stream)
            _affordable(assembler, monomials, logs)
            _, alive = _survivors(assembler.equations(monomials, logs))
            logs = logs[alive[alive >= len(monomials)] - len(monomials)]
            monomials = monomials[alive[alive < len(monomials)]]
    assembler = _Assembler(fields, stream)
    _affordable(assembler, monomials, logs)
    if not len(monomials) + len(logs):
        return Found((), True)
    eq, alive = _survivors(assembler.equations(monomials, logs))
    eq = _distinct(eq, stream)
    laws: list[Law] = []
    exhaustive = True
    for unknowns, block in _blocks(eq):
        if block.unknowns > 6000:
            raise TooLarge(
                f"The laws of this ansatz are the nullspace of a dense matrix with "
                f"{block.unknowns:,} columns; use a smaller degree."
            )
        for vector in nullspace(_dense(block, stream)):
            lifted = rationals(vector)
            if lifted is not None:
                chosen = {int(alive[unknowns[k]]): c for k, c in lifted.items()}
                law = law_of(chosen, monomials, logs, fields.size)
                if is_conserved(law, fields):
                    laws.append(law)
                    continue
            exhaustive = False
    if not exhaustive:
        exact = exact_laws(fields, *whole)
        if exact is not None:
            laws, exhaustive = exact, True
    return Found(tuple(sorted(laws, key=lambda law: law.size)), exhaustive)


def _affordable(assembler: _Assembler, monomials: Array, logs: Array) -> None:
    entries = assembler.entries(monomials, logs)
    if entries * 80 > MEMORY:
        raise TooLarge(
            f"The equations for {len(monomials) + len(logs):,} unknown coefficients have "
            f"{entries:,} entries, about {entries * 80 / 2**30:.0f} GiB; use a smaller degree, or "
            "give the functions to combine as ansatz=[...]."
        )
