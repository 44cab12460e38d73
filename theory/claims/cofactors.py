"""Factors that show the value of a polynomial in algebraic generators to be zero.

The search for what `Algebra.vanishes_by_cofactor` of the checker accepts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from flint import fmpz_mat, fmpz_mpoly

from theory.claims.replay.algebra import Algebra

__all__ = ["cofactors"]

MAX_DIMENSION = 150


def cofactors(algebra: Algebra, n: fmpz_mpoly) -> Iterator[list[Any]]:
    """Polynomials m with n m = 0, first by conjugates of square roots and then by a matrix."""
    degrees = {i: degree for i, degree, _ in algebra.relations}
    yield from _conjugates(algebra, n, degrees)
    used = _used(algebra, n, degrees)
    if used is not None and math.prod(degrees[i] for i in used) <= MAX_DIMENSION:
        m = _by_minimal_polynomial(algebra, n, [(i, degrees[i]) for i in used])
        if m is not None:
            yield _written(m)


def _written(m: fmpz_mpoly) -> list[Any]:
    return [[int(c), [int(k) for k in e]] for e, c in m.terms()]


def _conjugates(algebra: Algebra, n: fmpz_mpoly, degrees: dict[int, int]) -> Iterator[list[Any]]:
    inner = [r.degrees() for _, _, r in algebra.relations]
    roots = [
        i
        for i, degree in degrees.items()
        if degree == 2 and n.degrees()[i] and sum(bool(r[i]) for r in inner) == 1
    ]
    # with all signs flipped another factor may vanish too: sqrt(2) sqrt(2 + sqrt(3))
    choices = (c for k in range(1, 5) for c in itertools.combinations(roots, k))
    for free in itertools.islice(choices, 24):
        total = algebra.one
        for flips in itertools.product((0, 1), repeat=len(free)):
            if any(flips):
                flipped = {i for i, flip in zip(free, flips, strict=True) if flip}
                conjugate = _flipped(algebra, n, flipped)
                if len(total) * len(conjugate) > 200_000:
                    break
                total = algebra.reduce(total * conjugate)
        else:
            if total != 0 and algebra.reduce(n * total) == 0:
                yield _written(total)


def _flipped(algebra: Algebra, n: fmpz_mpoly, flipped: set[int]) -> fmpz_mpoly:
    terms = n.to_dict()
    for exponents in terms:
        if sum(int(exponents[i]) for i in flipped) % 2:
            terms[exponents] = -terms[exponents]
    return algebra.ring.from_dict(terms)


def _used(algebra: Algebra, n: fmpz_mpoly, degrees: dict[int, int]) -> list[int] | None:
    """The algebraic numbers in a polynomial and in their relations; None when there are others."""
    relations = {i: r for i, _, r in algebra.relations}
    found: set[int] = set()
    todo = [i for i, k in enumerate(n.degrees()) if k]
    while todo:
        i = todo.pop()
        if i not in degrees:
            return None
        if i not in found:
            found.add(i)
            todo += [j for j, k in enumerate(relations[i].degrees()) if k]
    return sorted(found)


def _by_minimal_polynomial(
    algebra: Algebra, n: fmpz_mpoly, used: list[tuple[int, int]]
) -> fmpz_mpoly | None:
    """M = n^(k-1) g(n) for the minimal polynomial T^k g of the multiplication by n."""
    count = len(algebra.gens)
    powers = list(itertools.product(*(range(degree) for _, degree in used)))
    place = {p: j for j, p in enumerate(powers)}
    rows = []
    for p in powers:
        exponents = [0] * count
        for (i, _), k in zip(used, p, strict=True):
            exponents[i] = k
        image = algebra.reduce(n * algebra.ring.from_dict({tuple(exponents): 1}))
        row = [0] * len(powers)
        for e, c in image.terms():
            row[place[tuple(int(e[i]) for i, _ in used)]] = int(c)
        rows.append(row)
    coefficients = [int(c) for c in fmpz_mat(rows).minpoly().coeffs()]
    if coefficients[0] != 0:
        return None
    total = algebra.ring.constant(0)
    for c in reversed(coefficients[1:]):
        total = algebra.reduce(total * n + c)
    return total
