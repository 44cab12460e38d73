"""Sparse Laurent polynomials with rational coefficients, evaluated modulo p."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import sympy as sp

from theory.errors import UnsupportedFormula
from theory.exact.modular import PRIME
from theory.flow.fields import Fields

__all__ = [
    "BadPoint", "Exponents", "Polynomial", "add", "constant", "evaluate", "modular_root",
    "multiply", "packed", "residue", "total", "variable",
]  # fmt: skip

Exponents = tuple[tuple[int, int], ...]
Polynomial = dict[Exponents, Fraction]

_MOST_PRODUCTS = 3_000


class BadPoint(Exception):
    """A denominator vanishes or a root does not exist at a point modulo p."""


def add(a: Polynomial, b: Polynomial) -> Polynomial:
    """The sum."""
    out = dict(a)
    for x, c in b.items():
        out[x] = out.get(x, Fraction(0)) + c
    return {x: c for x, c in out.items() if c}


def total(parts: Iterable[Polynomial]) -> Polynomial:
    """The sum of many."""
    out: Polynomial = {}
    for p in parts:
        for x, c in p.items():
            out[x] = out.get(x, Fraction(0)) + c
    return {x: c for x, c in out.items() if c}


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product.

    Raises
    ------
    UnsupportedFormula
        When it would have too many terms.
    """
    if len(a) * len(b) > _MOST_PRODUCTS:
        raise UnsupportedFormula("A formula has too many terms when it is written out.")
    out: Polynomial = {}
    for x, c in a.items():
        for y, d in b.items():
            exponents = dict(x)
            for k, e in y:
                exponents[k] = exponents.get(k, 0) + e
            key = tuple(sorted((k, e) for k, e in exponents.items() if e))
            out[key] = out.get(key, Fraction(0)) + c * d
    return {x: c for x, c in out.items() if c}


def constant(value: int | Fraction) -> Polynomial:
    """A number."""
    return {(): Fraction(value)} if value else {}


def variable(k: int, power: int = 1) -> Polynomial:
    """A power of a variable."""
    return {((k, power),): Fraction(1)}


def evaluate(p: Polynomial, values: Sequence[int]) -> int:
    """The value modulo p."""
    total = 0
    for x, c in p.items():
        term = residue(c)
        for k, e in x:
            if e < 0 and values[k] == 0:
                raise BadPoint
            term = term * pow(values[k], e, PRIME) % PRIME
        total += term
    return total % PRIME


def residue(c: Fraction) -> int:
    """A coefficient modulo p.

    Raises
    ------
    UnsupportedFormula
        When p divides the denominator: nothing modulo p says anything then.
    """
    if c.denominator % PRIME == 0:
        raise UnsupportedFormula(f"The coefficient {c} has no value modulo the prime {PRIME}.")
    return c.numerator * pow(c.denominator, -1, PRIME) % PRIME


def packed(
    rows: Sequence[tuple[int, int, Fraction, Exponents]],
    size: int,
    count: int,
    order: Sequence[int],
    frozen: int,
    start: Sequence[int],
) -> Fields:
    """Terms as arrays; every field up to a constant factor that makes its coefficients integers."""
    place = {k: i for i, k in enumerate(order)}
    scale = [1] * count
    for i, _, c, _ in rows:
        scale[i] = scale[i] * c.denominator // int(np.gcd(scale[i], c.denominator))
    width = max((sum(abs(e) for _, e in x) for *_, x in rows), default=1) or 1
    index = np.full((len(rows), width), size, np.int64)
    for t, (*_, x) in enumerate(rows):
        at = 0
        for k, e in x:
            index[t, at : at + abs(e)] = place[k] if e > 0 else size + 1 + place[k]
            at += abs(e)
    return Fields(
        size,
        count,
        np.array([i for i, *_ in rows], np.int64),
        np.array([place[k] for _, k, _, _ in rows], np.int64),
        tuple(int(c * scale[i]) for i, _, c, _ in rows),
        index,
        frozen,
        tuple(start),
    )


def modular_root(value: int, degree: int) -> int:
    """A root modulo p.

    Raises
    ------
    BadPoint
        When none is found, or it is zero.

    Examples
    --------
    >>> pow(modular_root(pow(5, 36, PRIME), 36), 36, PRIME) == pow(5, 36, PRIME)
    True
    """
    root = value
    for q, times in sp.factorint(degree).items():
        part = PRIME - 1
        while part % q == 0:
            part //= q
        for _ in range(times):
            # a root lies in the subgroup of order coprime to q for some values only
            root = pow(root, pow(q, -1, part), PRIME)
    if not value or pow(root, degree, PRIME) != value:
        raise BadPoint
    return root
