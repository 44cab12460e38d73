r"""Polynomial vector fields $X_1, \dots, X_K$ on $\mathbb{R}^D$ as flat arrays of terms.

A model $x = G(\theta)$ moves along combinations of the fields $P\nabla G_i$, whatever the data and
the loss: what these fields have in common is what every flow of the model conserves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import UnsupportedFormula
from theory.exact.modular import PRIME

__all__ = ["Fields", "Monomials", "gradient_fields", "monomials_of"]

Array = NDArray[np.int64]


@dataclass(frozen=True)
class Monomials:
    r"""Polynomials as terms: coefficient times a product of variables.

    Parameters
    ----------
    size : int
        Number of variables D. Index D stands for the constant one, D + 1 + j for $1/\theta_j$.
    owner : array of shape (T,)
        Which polynomial the term belongs to.
    coefficient : tuple of int
    index : array of shape (T, L)
        The factors, padded with D.
    """

    size: int
    owner: Array
    coefficient: tuple[int, ...]
    index: Array

    @cached_property
    def residues(self) -> Array:
        """The coefficients modulo p."""
        return np.array([c % PRIME for c in self.coefficient], np.int64)

    @cached_property
    def count(self) -> int:
        """Number of polynomials."""
        return int(self.owner.max()) + 1 if self.owner.size else 0


@dataclass(frozen=True)
class Fields:
    r"""Vector fields: term t adds coefficient × monomial to component `component[t]` of a field.

    Parameters
    ----------
    size : int
        Number of variables, the constants among them.
    count : int
        Number of fields.
    field, component : arrays of shape (T,)
    coefficient : tuple of int
    index : array of shape (T, L)
        As in `Monomials`.
    frozen : int
        The last so many variables are constants: no field moves them.
    start : tuple of int, optional
        A point modulo p, where the variables are not free because relations hold between them.
    """

    size: int
    count: int
    field: Array
    component: Array
    coefficient: tuple[int, ...]
    index: Array
    frozen: int = 0
    start: tuple[int, ...] | None = None

    @property
    def moving(self) -> int:
        """Number of variables that move."""
        return self.size - self.frozen

    @property
    def is_polynomial(self) -> bool:
        """Whether no term has a variable in its denominator."""
        return not bool((self.index > self.size).any())

    @cached_property
    def residues(self) -> Array:
        """The coefficients modulo p."""
        return np.array([c % PRIME for c in self.coefficient], np.int64)

    def jacobian(self) -> tuple[Array, Array, Array, Array, Array]:
        """The terms of all partial derivatives: term, row, column, residue of factor, factors."""
        D = self.size
        term, column, factor, index = [], [], [], []
        pad = np.full((len(self.index), 1), D, np.int64)
        wide = np.concatenate([self.index, pad], 1) if not self.is_polynomial else self.index
        for a in range(self.index.shape[1]):
            plain = np.flatnonzero(wide[:, a] < self.moving)
            rest = wide[plain].copy()
            rest[:, a] = D
            term.append(plain)
            column.append(wide[plain, a])
            factor.append(np.ones(len(plain), np.int64))
            index.append(rest)
            below = np.flatnonzero(wide[:, a] > D)
            below = below[wide[below, a] - D - 1 < self.moving]
            if below.size:
                # d(1/x) = -1/x^2
                rest = wide[below].copy()
                rest[:, -1] = rest[:, a]
                term.append(below)
                column.append(wide[below, a] - D - 1)
                factor.append(np.full(len(below), PRIME - 1, np.int64))
                index.append(rest)
        terms = np.concatenate(term)
        return (
            terms,
            self.component[terms],
            np.concatenate(column),
            np.concatenate(factor),
            np.concatenate(index),
        )

    def chosen(self, which: Sequence[int] | Array) -> Fields:
        """Some of the fields, renumbered in the order given."""
        place = np.full(self.count, -1, np.int64)
        place[np.asarray(which, np.int64)] = np.arange(len(which))
        keep = np.flatnonzero(place[self.field] >= 0)
        return Fields(
            self.size,
            len(which),
            place[self.field[keep]],
            self.component[keep],
            tuple(self.coefficient[i] for i in keep),
            self.index[keep],
            self.frozen,
            self.start,
        )


def gradient_fields(
    polynomials: Monomials, rates: Sequence[int] | None = None, frozen: int = 0
) -> Fields:
    """The fields P grad G_i; the last `frozen` variables are constants.

    Examples
    --------
    >>> u, v = sp.symbols("u v")
    >>> fields = gradient_fields(monomials_of([u * v**2], [u, v]))
    >>> fields.component.tolist(), fields.coefficient, fields.index.tolist()
    ([0, 1], (1, 2), [[1, 1], [0, 1]])
    """
    D, L = polynomials.size, polynomials.index.shape[1]
    moving = D - frozen
    has_inverse = bool((polynomials.index > D).any())
    pad = np.full((len(polynomials.index), 1), D, np.int64)
    wide = np.concatenate([polynomials.index, pad], 1) if has_inverse else polynomials.index
    coefficient = np.array(polynomials.coefficient, dtype=object)
    rate = np.array(list(rates) if rates is not None else [1] * moving, dtype=object)
    field, component, factor, index = [], [], [], []
    for a in range(L):
        plain = np.flatnonzero(wide[:, a] < moving)
        rest = wide[plain].copy()
        rest[:, a] = D
        field.append(polynomials.owner[plain])
        component.append(wide[plain, a])
        factor.append(coefficient[plain] * rate[wide[plain, a]])
        index.append(rest)
        below = np.flatnonzero(wide[:, a] > D)
        below = below[wide[below, a] - D - 1 < moving]
        if below.size:
            variable = wide[below, a] - D - 1
            rest = wide[below].copy()
            rest[:, -1] = rest[:, a]
            field.append(polynomials.owner[below])
            component.append(variable)
            factor.append(-coefficient[below] * rate[variable])
            index.append(rest)
    return _merged(
        D,
        polynomials.count,
        np.concatenate(field),
        np.concatenate(component),
        np.concatenate(factor),
        np.concatenate(index),
        frozen,
    )


def _merged(
    D: int, count: int, field: Array, component: Array, factor: NDArray[np.object_], index: Array,
    frozen: int,
) -> Fields:  # fmt: skip
    """Equal terms added up: u^3 gives u^2 three times."""
    index = np.sort(index, axis=1)
    repeated = (index[:, 1:] == index[:, :-1]) & (index[:, 1:] != D)
    if repeated.any():
        keys = np.concatenate([field[:, None], component[:, None], index], 1)
        unique, back = np.unique(keys, axis=0, return_inverse=True)
        total = np.zeros(len(unique), dtype=object)
        np.add.at(total, back.ravel(), factor)
        keep = np.flatnonzero(total != 0)
        field, component, index = unique[keep, 0], unique[keep, 1], unique[keep, 2:]
        factor = total[keep]
    # factors that are the constant one in every term are no factors
    used = np.flatnonzero((index != D).any(axis=0))
    index = index[:, used] if used.size else index[:, :1]
    return Fields(D, count, field, component, tuple(int(f) for f in factor), index, frozen)


def monomials_of(components: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> Monomials:
    """Components as Laurent polynomials with integer coefficients, each up to a constant factor.

    A constant factor of a component changes neither laws nor ranks.

    Raises
    ------
    UnsupportedFormula
        When a component is no Laurent polynomial over the rationals.
    """
    D = len(variables)
    place = {s: j for j, s in enumerate(variables)}
    rows: list[tuple[int, int, list[int]]] = []
    for i, component in enumerate(components):
        for coefficient, exponents in laurent_terms(component, place):
            factors: list[int] = []
            for j, e in exponents.items():
                factors += [j if e > 0 else D + 1 + j] * abs(e)
            rows.append((i, coefficient, factors))
    width = max((len(f) for _, _, f in rows), default=1) or 1
    return Monomials(
        D,
        np.array([i for i, _, _ in rows], np.int64),
        tuple(c for _, c, _ in rows),
        np.array([f + [D] * (width - len(f)) for _, _, f in rows], np.int64).reshape(-1, width),
    )


def laurent_terms(e: sp.Expr, place: Mapping[sp.Symbol, int]) -> list[tuple[int, dict[int, int]]]:
    """Integer coefficients and exponents of a Laurent polynomial, up to a common factor.

    Examples
    --------
    >>> u, v = sp.symbols("u v")
    >>> laurent_terms(u / 2 - v / (3 * u), {u: 0, v: 1})
    [(3, {0: 1}), (-2, {1: 1, 0: -1})]
    """
    terms = []
    for term in sp.Add.make_args(sp.expand(e)):
        coefficient, exponents = sp.S.One, dict[int, int]()
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if factor.is_Rational:
                coefficient *= factor
            elif base in place and power.is_Integer:
                exponents[place[base]] = exponents.get(place[base], 0) + int(power)
            else:
                raise UnsupportedFormula(f"{e} is no Laurent polynomial in the parameters.")
        terms.append((coefficient, {j: k for j, k in exponents.items() if k}))
    scale = sp.ilcm(1, *(c.q for c, _ in terms))
    return [(int(c * scale), x) for c, x in terms if c != 0]
