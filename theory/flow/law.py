r"""A law as integer coefficients of monomials and logarithms, and its check over the integers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.exact.modular import PRIME, Stream, pivots
from theory.flow.fields import HIGHEST, Fields

__all__ = [
    "FieldTerms",
    "Law",
    "independent",
    "is_conserved",
    "is_law",
    "law_gradients",
    "lie_derivatives",
    "terms_by_component",
]

Array = NDArray[np.int64]
FieldTerms = dict[int, list[tuple[int, int, tuple[tuple[int, int], ...]]]]


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


def is_conserved(law: Law, fields: Fields) -> bool:
    """Whether the Lie derivative of a law along every field is zero, over the integers.

    Examples
    --------
    >>> import sympy as sp
    >>> from theory.flow.fields import gradient_fields, monomials_of
    >>> u, v = sp.symbols("u v")
    >>> fields = gradient_fields(monomials_of([u * v], [u, v]))
    >>> square = lambda j, c: (((j, 2),), c)
    >>> is_conserved(Law((square(0, 1), square(1, -1))), fields)
    True
    >>> is_conserved(Law((square(0, 1), square(1, 1))), fields)
    False
    """
    rows = _products(law, fields)
    if rows is None:
        return is_law(law, terms_by_component(fields))
    keys, values = rows
    if not len(values):
        return True
    order = np.lexsort(keys.T)
    keys = keys[order]
    start = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    return not np.add.reduceat(values[order], start).any()


def _products(law: Law, fields: Fields) -> tuple[Array, Array] | None:
    """The products that a Lie derivative adds up, by field and factors.

    None where factors may cancel, and where their sum may not fit in 64 bits.
    """
    exponents = [e for x, _ in law.terms for _, e in x]
    # factors are listed one by one
    listed = all(0 <= e <= HIGHEST for e in exponents)
    if law.logs or not fields.is_polynomial or not listed:
        return None
    order, pointer, coefficient = fields.by_component
    gradient = [(j, c * e, _lowered(x, j)) for x, c in law.terms for j, e in x]
    sizes = [int(pointer[j + 1] - pointer[j]) for j, _, _ in gradient]
    largest = max((abs(c) for _, c, _ in gradient), default=0)
    if coefficient is None or largest * fields.largest * (sum(sizes) + 1) >= 1 << 62:
        return None
    width = max((sum(e for _, e in rest) for _, _, rest in gradient), default=0)
    rests = np.array(
        [_listed(rest, width, fields.size) for _, _, rest in gradient], np.int64
    ).reshape(len(gradient), width)
    chosen = np.concatenate(
        [order[pointer[j] : pointer[j + 1]] for j, _, _ in gradient] or [order[:0]]
    )
    index = np.concatenate([fields.index[chosen], np.repeat(rests, sizes, axis=0)], 1)
    keys = np.concatenate([fields.field[chosen][:, None], np.sort(index, axis=1)], 1)
    factor = np.repeat(np.array([c for _, c, _ in gradient], np.int64), sizes)
    return keys, coefficient[chosen] * factor


def _listed(x: tuple[tuple[int, int], ...], width: int, pad: int) -> list[int]:
    factors = [j for j, e in x for _ in range(e)]
    return factors + [pad] * (width - len(factors))


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
    return not lie_derivatives(law, by_component)


def lie_derivatives(
    law: Law, by_component: FieldTerms
) -> dict[tuple[int, tuple[tuple[int, int], ...]], int]:
    """The nonzero coefficients of the Lie derivatives, by field and monomial."""
    total: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
    gradient = itertools.chain(
        ((j, c * e, _lowered(x, j)) for x, c in law.terms for j, e in x),
        ((j, c, ((j, -1),)) for j, c in law.logs),
    )
    for j, c, rest in gradient:
        for field, coefficient, exponents in by_component.get(j, ()):
            key = (field, _times(rest, exponents))
            total[key] = total.get(key, 0) + c * coefficient
    return {key: value for key, value in total.items() if value}


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
