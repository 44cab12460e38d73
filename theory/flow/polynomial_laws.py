r"""All polynomial (or Laurent polynomial) laws up to a degree, by sparse exact linear algebra.

The unknowns are the coefficients of $C = \sum_m a_m m(\theta)$; each coefficient of each monomial
of $X_k C$ is an equation. The equations are assembled as a sparse matrix whose rows are keyed by
sums of random 64-bit numbers: a collision can only merge two equations, hence add candidates, and
every candidate is verified over the integers before it is returned.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.errors import TooLarge
from theory.exact.modular import (
    PRIME,
    Stream,
    inverse,
    nullspace,
    pivots,
    rationals,
    reduce,
    scatter,
)
from theory.flow.fields import Fields

__all__ = [
    "Law",
    "independent",
    "is_law",
    "laurent_monomials",
    "law_gradients",
    "monomials_up_to",
    "polynomial_laws",
    "terms_by_component",
]

Array = NDArray[np.int64]
Keys = NDArray[np.uint64]

MEMORY = 4 << 30
"""Bytes that the equations of one search may take."""


@dataclass(frozen=True)
class Law:
    """A law as integer coefficients of monomials and of logarithms.

    Parameters
    ----------
    terms : tuple of (exponents, coefficient)
        Exponents as sorted pairs (variable, exponent), without zeros.
    logs : tuple of (variable, coefficient)
    """

    terms: tuple[tuple[tuple[tuple[int, int], ...], int], ...]
    logs: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Simple laws come first: number of terms, then the sum of the exponents."""
        return len(self.terms) + len(self.logs), sum(abs(e) for x, _ in self.terms for _, e in x)


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
        order = np.argsort(fields.component, kind="stable")
        self.order = order
        self.pointer = np.searchsorted(fields.component[order], np.arange(D + 1))
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
) -> list[Law]:
    """Every combination of the given monomials (and logarithms) that all fields leave constant.

    Parameters
    ----------
    fields : Fields
    monomials : array of shape (M, degree)
        Rows of factors, as in `Fields.index`.
    logs : array, optional
        Variables whose logarithm is in the ansatz.

    Returns
    -------
    list of Law
        A basis of the laws of the ansatz, each verified over the integers, the simplest first.

    Raises
    ------
    TooLarge
        When the equations do not fit in the memory, with an estimate.
    """
    stream = Stream(seed)
    logs = np.zeros(0, np.int64) if logs is None else logs
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
        return []
    eq, alive = _survivors(assembler.equations(monomials, logs))
    eq = _distinct(eq, stream)
    candidates: list[Law] = []
    for unknowns, block in _blocks(eq):
        if block.unknowns > 6000:
            raise TooLarge(
                f"The laws of this ansatz are the nullspace of a dense matrix with "
                f"{block.unknowns:,} columns; use a smaller degree."
            )
        for vector in nullspace(_dense(block, stream)):
            whole = rationals(vector)
            if whole is not None:
                chosen = {int(alive[unknowns[k]]): c for k, c in whole.items()}
                candidates.append(_law(chosen, monomials, logs, fields.size))
    return sorted(_verified(fields, candidates), key=lambda law: law.size)


def _affordable(assembler: _Assembler, monomials: Array, logs: Array) -> None:
    entries = assembler.entries(monomials, logs)
    if entries * 80 > MEMORY:
        raise TooLarge(
            f"The equations for {len(monomials) + len(logs):,} unknown coefficients have "
            f"{entries:,} entries, about {entries * 80 / 2**30:.0f} GiB; use a smaller degree, or "
            "give the functions to combine as ansatz=[...]."
        )


def _law(vector: dict[int, int], monomials: Array, logs: Array, size: int) -> Law:
    terms, logarithms = [], []
    for unknown, c in sorted(vector.items()):
        if unknown >= len(monomials):
            logarithms.append((int(logs[unknown - len(monomials)]), c))
            continue
        exponents: dict[int, int] = {}
        for f in monomials[unknown].tolist():
            if f < size:
                exponents[f] = exponents.get(f, 0) + 1
            elif f > size:
                exponents[f - size - 1] = exponents.get(f - size - 1, 0) - 1
        terms.append((tuple(sorted(exponents.items())), c))
    lead = terms[0][1] if terms else logarithms[0][1]
    if lead < 0:
        terms = [(x, -c) for x, c in terms]
        logarithms = [(j, -c) for j, c in logarithms]
    return Law(tuple(terms), tuple(logarithms))


def _verified(fields: Fields, candidates: Sequence[Law]) -> list[Law]:
    by_component = terms_by_component(fields)
    return [law for law in candidates if is_law(law, by_component)]


FieldTerms = dict[int, list[tuple[int, int, tuple[tuple[int, int], ...]]]]


def terms_by_component(fields: Fields) -> FieldTerms:
    """The terms (field, coefficient, exponents) that move each variable."""
    D = fields.size
    out: FieldTerms = {}
    rows = zip(
        fields.component.tolist(),
        fields.field.tolist(),
        fields.coefficient,
        fields.index.tolist(),
        strict=True,
    )
    for component, field, coefficient, index in rows:
        exponents: dict[int, int] = {}
        for f in index:
            if f < D:
                exponents[f] = exponents.get(f, 0) + 1
            elif f > D:
                exponents[f - D - 1] = exponents.get(f - D - 1, 0) - 1
        out.setdefault(component, []).append((field, coefficient, tuple(exponents.items())))
    return out


def is_law(law: Law, by_component: FieldTerms) -> bool:
    """Whether the Lie derivative of a law along every field is zero, over the integers.

    Examples
    --------
    >>> import sympy as sp
    >>> from theory.flow.fields import gradient_fields, monomials_of
    >>> u, v = sp.symbols("u v")
    >>> terms = terms_by_component(gradient_fields(monomials_of([u * v], [u, v])))
    >>> square = lambda j, c: ((((j, 2),), c))
    >>> is_law(Law((square(0, 1), square(1, -1))), terms)
    True
    >>> is_law(Law((square(0, 1), square(1, 1))), terms)
    False
    """
    total: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    gradient = itertools.chain(
        ((j, c * e, _lowered(x, j)) for x, c in law.terms for j, e in x),
        ((j, c, ((j, -1),)) for j, c in law.logs),
    )
    for j, c, rest in gradient:
        for field, coefficient, exponents in by_component.get(j, ()):
            key = (field, _times(rest, exponents))
            total[key] = total.get(key, 0) + c * coefficient
    return not any(total.values())


def _lowered(x: tuple[tuple[int, int], ...], j: int) -> tuple[tuple[int, int], ...]:
    return tuple((k, e - (k == j)) for k, e in x if e - (k == j))


def _times(
    a: tuple[tuple[int, int], ...], b: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    if not a:
        return tuple(sorted(b))
    out = dict(a)
    for k, e in b:
        out[k] = out.get(k, 0) + e
    return tuple(sorted((k, e) for k, e in out.items() if e))


def law_gradients(laws: Sequence[Law], at: Array, moving: int) -> Array:
    """The gradients of laws at a point modulo p, one column each."""
    values = at.tolist()
    out = np.zeros((moving, max(1, len(laws))), np.int64)
    for column, law in enumerate(laws):
        for x, c in law.terms:
            product = c % PRIME
            for j, e in x:
                product = product * pow(values[j], e, PRIME) % PRIME
            for j, e in x:
                if j < moving:
                    slope = product * e % PRIME * pow(values[j], -1, PRIME)
                    out[j, column] = (out[j, column] + slope) % PRIME
        for j, c in law.logs:
            slope = c % PRIME * pow(values[j], -1, PRIME)
            out[j, column] = (out[j, column] + slope) % PRIME
    return out[:, : len(laws)]


def independent(laws: Sequence[Law], fields: Fields, seed: int) -> list[int]:
    """Which laws to keep so that their gradients are linearly independent at a point modulo p."""
    at = Stream(seed).integers("point", fields.size)
    return pivots(law_gradients(laws, at, fields.moving)) if laws else []
