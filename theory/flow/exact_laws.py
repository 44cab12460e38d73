"""The search for laws over the rationals, for coefficients that are too large for one prime."""

from __future__ import annotations

import flint
import numpy as np
from numpy.typing import NDArray

from theory.flow.fields import Fields
from theory.flow.law import Law, lie_derivatives, terms_by_component

__all__ = ["exact_laws", "law_of"]

Array = NDArray[np.int64]
_MOST_UNKNOWNS, _MOST_ENTRIES = 20_000, 2_000_000
_MOST_DENSE = 600


def law_of(vector: dict[int, int], monomials: Array, logs: Array, size: int) -> Law:
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


def exact_laws(fields: Fields, monomials: Array, logs: Array) -> list[Law] | None:
    """A basis of the laws of an ansatz from equations over the integers; None when too large.

    Examples
    --------
    >>> import sympy as sp
    >>> from theory.flow.fields import gradient_fields, monomials_of
    >>> from theory.flow.monomials import monomials_up_to
    >>> u, v = sp.symbols("u v")
    >>> fields = gradient_fields(monomials_of([u**2 + 10**12 * v**2 + u], [u, v]))
    >>> exact_laws(fields, monomials_up_to(2, 2), np.zeros(0, np.int64))
    []
    """
    unknowns = len(monomials) + len(logs)
    by_component = terms_by_component(fields)
    if unknowns > _MOST_UNKNOWNS:
        return None
    rows: dict[object, dict[int, int]] = {}
    entries = 0
    for k in range(unknowns):
        single = law_of({k: 1}, monomials, logs, fields.size)
        for key, value in lie_derivatives(single, by_component).items():
            rows.setdefault(key, {})[k] = value
            entries += 1
        if entries > _MOST_ENTRIES:
            return None
    laws = []
    for columns, equations in _separate(list(rows.values()), unknowns):
        if len(columns) > _MOST_DENSE:
            return None
        for vector in _nullspace(columns, equations):
            laws.append(law_of(vector, monomials, logs, fields.size))
    return laws


def _separate(
    rows: list[dict[int, int]], unknowns: int
) -> list[tuple[list[int], list[dict[int, int]]]]:
    """Unknowns that share equations, after equations with one unknown have set it to zero."""
    dead: set[int] = set()
    while True:
        new = {next(iter(r)) for r in rows if len(r) == 1}
        if not new:
            break
        dead |= new
        rows = [{k: c for k, c in r.items() if k not in new} for r in rows]
        rows = [r for r in rows if r]
    parent = list(range(unknowns))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for r in rows:
        first, *others = r
        for k in others:
            parent[root(k)] = root(first)
    groups: dict[int, tuple[list[int], list[dict[int, int]]]] = {}
    for k in range(unknowns):
        if k not in dead:
            groups.setdefault(root(k), ([], []))[0].append(k)
    for r in rows:
        groups[root(next(iter(r)))][1].append(r)
    return list(groups.values())


def _nullspace(columns: list[int], equations: list[dict[int, int]]) -> list[dict[int, int]]:
    """A basis of coprime integer vectors, one for each column without pivot."""
    place = {k: j for j, k in enumerate(columns)}
    distinct = {tuple(sorted(r.items())) for r in equations}
    matrix = flint.fmpz_mat(max(1, len(distinct)), len(columns))
    for i, r in enumerate(sorted(distinct)):
        for k, c in r:
            matrix[i, place[k]] = c
    reduced, below, rank = matrix.rref()
    lead = [next(j for j in range(len(columns)) if reduced[i, j] != 0) for i in range(rank)]
    out = []
    for free in sorted(set(range(len(columns))) - set(lead)):
        vector = {free: int(below)}
        for i, j in enumerate(lead):
            if reduced[i, free] != 0:
                vector[j] = -int(reduced[i, free])
        unit = int(np.gcd.reduce(list(vector.values()), dtype=object))
        out.append({columns[j]: c // unit for j, c in sorted(vector.items())})
    return out
