"""Counterexamples of equations that show only where the argument of a sign is zero.

``sign(x)**2 == 1`` fails at 0 and nowhere else. Such a point is often a pole of what was typed and
SymPy has canceled, as in ``sign(x)**2*x/x == 1``, so both sides must have a value there as they
stand in the claim.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp

from theory.claims.claim import term_of
from theory.claims.replay.relations import has_value
from theory.claims.replay.terms import substitute
from theory.claims.statement import Statement, names_of, value_at
from theory.exact.assumptions import agrees
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import sample_points

__all__ = ["refuted_at_a_jump"]

_MOST = 4
Point = dict[sp.Symbol, sp.Rational]


def refuted_at_a_jump(question: Statement, claim: Mapping[str, Any]) -> Verdict | None:
    """REFUTED with the point, or None.

    Parameters
    ----------
    question : Statement
        An equation.
    claim : mapping
        The same as it was typed.
    """
    for point, difference in _points(question.difference, question.symbols):
        if not question.domain.contains(point):
            continue
        at = {s.name: term_of(v) for s, v in point.items()}
        if not all(has_value(substitute(claim[side], at)) for side in ("left", "right")):
            continue
        value = value_at(difference, point)
        if value is not None and not value.contains(0):
            return Verdict(
                Status.REFUTED,
                f"the difference is {value.str(10, radius=False)} there, enclosed away from zero",
                witness=names_of(point),
            )
    return None


def _points(e: sp.Expr, symbols: list[sp.Symbol]) -> Iterator[tuple[Point, sp.Expr]]:
    """Exact points, and the expression whose signs that vanish there are zero.

    A ball cannot tell that x - y is zero at a rational number.
    """
    jumps = sorted(e.atoms(sp.sign), key=sp.default_sort_key)[:_MOST]
    for jump, base in itertools.product(jumps, itertools.islice(sample_points(symbols), 2)):
        for s in symbols:
            others = {t: v for t, v in base.items() if t != s}
            a = jump.args[0].xreplace(others)
            if not a.is_polynomial(s) or sp.degree(a, s) != 1:
                continue
            slope, constant = sp.Poly(a, s).all_coeffs()
            root = -constant / slope
            if root.is_Rational and agrees(s, root):
                point = {**others, s: root}
                zeros = {j: sp.S.Zero for j in jumps if j.args[0].xreplace(point) == 0}
                yield point, e.xreplace(zeros)
