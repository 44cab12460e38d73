r"""Whether the functions of a tower are algebraically independent: what a rank modulo p needs."""

from __future__ import annotations

from typing import Any

import flint
import numpy as np
import sympy as sp

from theory.errors import UnsupportedFormula
from theory.exact.modular import rank
from theory.flow.tower import Tower
from theory.flow.tower_polynomials import Polynomial, evaluate

__all__ = ["obstacle"]

_LARGEST = 10**24
"""A content that is factored."""


def obstacle(tower: Tower) -> str | None:
    """None when the functions are proved algebraically independent, else what is in the way.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> tower = Tower((u, v))
    >>> _ = tower.read([sp.exp(u) + sp.exp(u * v), sp.sqrt(u + 1)])
    >>> obstacle(tower) is None
    True
    """
    strange = [e for e in tower.numbers if not _transcendental(e)]
    if strange:
        return f"{strange[0]} is not known to be transcendental"
    if len(tower.numbers) > 1:
        return f"the numbers {tower.numbers[0]} and {tower.numbers[1]} may be related"
    D = len(tower.parameters)
    try:
        for group in (tower.transcendental, tower.circular):
            rows = []
            for _, values in tower.good_points(7, 2 + len(group) // max(1, D)):
                for j in range(D):
                    rows.append([evaluate(f.get(j, {}), values) for f in group])
            if group and rank(np.array(rows, np.int64)) < len(group):
                return "the arguments of its exponentials or logarithms are linearly dependent"
    except UnsupportedFormula as error:
        return str(error)
    return _related_roots(tower)


def _transcendental(e: sp.Expr) -> bool:
    """pi, e, and logarithms of positive rational numbers (Lindemann)."""
    if e in (sp.pi, sp.E):
        return True
    return isinstance(e, sp.log) and bool(e.args[0].is_Rational) and e.args[0] > 0


def _related_roots(tower: Tower) -> str | None:
    roots = [g for g in tower.generators if g.kind == "root"]
    if not roots:
        return None
    degrees = {g.degree for g in roots}
    D = len(tower.parameters)
    algebraic = {
        k for k, g in enumerate(tower.generators, D) if g.kind in ("root", "inverse", "sin", "cos")
    }
    if len(degrees) > 1 or not sp.isprime(min(degrees)):
        return "roots of different or composite degrees"
    q = min(degrees)
    factors: dict[Any, int] = {}
    rows = []
    for g in roots:
        if any(k in algebraic for x in g.source for k, _ in x):
            return "a root of a fraction or of another root"
        row: dict[int, int] = {}
        for e, sign in zip(_fraction(g.source, tower.size), (1, -1), strict=True):
            content, found = sp.factor_list(e)
            for number, side in ((content.p, 1), (content.q, -1)):
                if abs(number) > _LARGEST:
                    return "a root of a number with too many digits"
                # -1 is a power of odd degree itself
                found += [
                    (f, n * side) for f, n in sp.factorint(number).items() if f != -1 or q == 2
                ]
            for base, n in found:
                place = factors.setdefault(base, len(factors))
                row[place] = (row.get(place, 0) + sign * int(n)) % q
        rows.append(row)
    matrix = flint.nmod_mat(len(rows), max(1, len(factors)), q)
    for i, row in enumerate(rows):
        for j, n in row.items():
            matrix[i, j] = n
    return None if matrix.rank() == len(rows) else "its roots are related"


def _fraction(source: Polynomial, size: int) -> tuple[sp.Expr, sp.Expr]:
    """A Laurent polynomial as a quotient of two polynomials."""
    x = sp.symbols(f"x0:{size}")
    terms = [
        sp.Rational(c.numerator, c.denominator) * sp.Mul(*(x[k] ** n for k, n in exponents))
        for exponents, c in source.items()
    ]
    return sp.fraction(sp.together(sp.Add(*terms)))
