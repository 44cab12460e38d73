"""What a conjecture says of single points, and whether it fails at one of them.

A relation says something of every point of its domain; that a formula is conserved says that its
rate is zero everywhere; convexity is a sign of second derivatives. One exact point where that
fails refutes the conjecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import sympy as sp
from flint import arb

from theory.claims.conjecture import Conjecture, parametrization_of, start_of
from theory.claims.convexity import quadratic_form, read_function
from theory.claims.inequality import refute_sign
from theory.claims.properties import function_on, potential_defect, read_law
from theory.claims.statement import (
    Domain,
    Point,
    Statement,
    read_statement,
    undefined_at,
    value_at,
)
from theory.errors import DataError, UnsupportedFormula
from theory.exact.assumptions import agrees
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.guard import proposal
from theory.exact.signs import is_analytic
from theory.flow.conservation import lie_derivative
from theory.mirror.mirror_flow import mirror_flow

__all__ = ["Pointwise", "pointwise"]


@dataclass(frozen=True)
class Pointwise:
    """A relation that holds at every point of its domain where the conjecture does.

    Parameters
    ----------
    statement : Statement
    smooth : tuple of sympy.Expr
        Formulas whose derivatives the statement is about: a point counts only where these are
        smooth near it.
    about : str, optional
        What stands on the left side.
    """

    statement: Statement
    smooth: tuple[sp.Expr, ...] = ()
    about: str | None = None

    @property
    def symbols(self) -> list[sp.Symbol]:
        """What a point gives values to, by name."""
        relations = (e.free_symbols for _, e in self.statement.domain.relations)
        return sorted(set(self.statement.symbols).union(*relations), key=lambda s: s.name)

    def contains(self, point: Point) -> bool:
        """Whether an exact point lies in the domain, its closed ends included."""
        there, rest = _located(self.statement, point)
        if not all(agrees(s, v) for s, v in point.items()):
            return False
        # balls first: SymPy writes out all digits of 2**n
        signs = [(o, e, _sign(e, rest)) for o, e in there.domain.relations]
        if any(sign is not None and not _HOLDS[o](sign) for o, _, sign in signs):
            return False
        open_ = tuple((o, e) for o, e, sign in signs if sign is None)
        return replace(there.domain, relations=open_).contains(rest)

    def bounds(self, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
        """The ends of the values of a symbol."""
        lower, upper = self.statement.domain.ranges.get(s, (-sp.oo, sp.oo))
        if (s.is_positive or s.is_nonnegative) and lower == -sp.oo:
            lower = sp.S.Zero
        if (s.is_negative or s.is_nonpositive) and upper is sp.oo:
            upper = sp.S.Zero
        return lower, upper

    def failure(self, point: Point) -> str | None:
        """How the statement fails at a point of the domain; None where that is not certain.

        Examples
        --------
        >>> x = sp.Symbol("x", real=True)
        >>> root = pointwise(Conjecture("root", "sqrt(x**2) == x"))[0]
        >>> root.failure({x: sp.Integer(-1)})
        'left - right is 2.00000 there'
        >>> root.failure({x: sp.Integer(1)}) is None
        True
        """
        there, rest = _located(self.statement, point)
        if any(e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) for e in _sides(there)):
            return None
        program = self._program if there is self.statement else _compiled(there)
        if program is None:
            return None
        value, *sides = _balls(program, rest)
        if not all(side.is_finite() for side in sides):
            return _one_sided(there, rest) if there.operator == "==" else None
        found = _fails(there, rest, value)
        if found is None or not all(_smooth_at(e, point) for e in self.smooth):
            return None
        return found if self.about is None else f"{self.about}: {found}"

    @cached_property
    def _program(self) -> _Compiled | None:
        return _compiled(self.statement)

    def excess(self, point: Point) -> arb | None:
        """A ball around left - right at a point of the interior."""
        if self._program is None or any(s not in point for s in self._program[1]):
            return None
        value = _balls(self._program, point, bits=64)[0]
        return value if value.is_finite() else None


_HOLDS: Mapping[str, Callable[[int], bool]] = {
    "==": lambda sign: False,
    "!=": lambda sign: True,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign > 0,
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign < 0,
}
"""Whether a number that is not zero, of a sign, satisfies a relation with zero."""


def _sign(e: sp.Expr, point: Point) -> int | None:
    """The sign at a point by a ball that excludes zero."""
    value = value_at(e, point)
    if value is None or value.contains(0):
        return None
    return 1 if value > 0 else -1


def _located(statement: Statement, point: Point) -> tuple[Statement, Point]:
    """The statement at those closed ends that a point has, and the rest of the point."""
    rest = dict(point)
    for s, end in statement.domain.closed:
        if rest.get(s) == end:
            statement = statement.at_end(s, end)
            del rest[s]
    return statement, rest


@dataclass(frozen=True)
class _Here(Domain):
    """A domain of one point."""

    point: Mapping[sp.Symbol, sp.Rational] = field(default_factory=dict)

    def points(self, symbols: Sequence[sp.Symbol], count: int) -> Iterator[Point]:
        yield {s: self.point[s] for s in symbols}


def _sides(there: Statement) -> tuple[sp.Expr, ...]:
    """Everything that must have a value where the statement says something."""
    return (there.left, there.right, *there.partial[0], *there.partial[1])


_Compiled = tuple[Program, list[sp.Symbol]]


def _compiled(there: Statement) -> _Compiled | None:
    """The difference and the sides for evaluation at many points."""
    try:
        return Program([there.difference, *_sides(there)], there.symbols), there.symbols
    except UnsupportedFormula:
        return None


def _balls(compiled: _Compiled, point: Point, bits: int = 256) -> list[arb]:
    program, symbols = compiled
    with precision(bits):
        values = program([rational_ball(point[s]) for s in symbols])
    return [v if isinstance(v, arb) else arb("nan") for v in values]


def _fails(there: Statement, point: Point, value: arb) -> str | None:
    e = there.difference
    if value.is_finite() and value.contains(0):
        # sides that differ by 1e-250 are told apart with more bits
        value = value_at(e, point, bits=1400) or value
    if not value.is_finite():
        return None
    if value.contains(0):
        if there.operator not in (">", "!="):
            return None
        # large numbers under logarithms are factored, which may take any time
        exact = partial(refute_sign, strict=True)
        found = proposal(exact, e, _Here({}, point=point), seconds=2.0)
        return None if found is None else found.method
    if there.operator == "==" or (value < 0 and there.operator in (">", ">=")):
        return f"left - right is {value.str(6, radius=False)} there"
    return None


def _one_sided(there: Statement, point: Point) -> str | None:
    """One side of an equation has a real value and the other certainly has none."""
    sides = ((there.left, *there.partial[0]), (there.right, *there.partial[1]))
    for i, names in enumerate((("left", "right"), ("right", "left"))):
        if any(value_at(e, point) is None for e in sides[i]):
            continue
        reason = next(filter(None, (undefined_at(e, point) for e in sides[1 - i])), None)
        if reason is not None:
            return f"the {names[0]} side has a value there, the {names[1]} side none ({reason})"
    return None


_ROUGH = (sp.Abs, sp.sign, sp.Max, sp.Min, sp.Piecewise, sp.floor, sp.ceiling, sp.Heaviside)


def _smooth_at(f: sp.Expr, point: Point) -> bool:
    """Whether a formula with derivatives at a point is smooth there: at kinks it may not be."""
    if not f.has(*_ROUGH):
        return True
    small = sp.Rational(1, 10**9)
    box = {s: (v - small, v + small) for s, v in point.items() if s in f.free_symbols}
    return is_analytic(f, ranges=box, meromorphic=False)


# -------------------------------------------------------------------------------------------------
# conjectures
# -------------------------------------------------------------------------------------------------


def pointwise(conjecture: Conjecture) -> tuple[Pointwise, ...]:
    """The relations of which the conjecture, when it holds, satisfies at least one everywhere.

    There are two where a function may rise or fall, none where the mirror potential of a start has
    no parametric form, and one otherwise.

    Raises
    ------
    DataError
        For a question that is not about points.
    TheoryError
        As for `Conjecture.decide`.

    Examples
    --------
    >>> law = Conjecture("law", "u + v", question="conserved", flow="u*v", parameters="u, v")
    >>> print(pointwise(law)[0].statement)
    u + v == 0
    """
    ask = _ASK.get(conjecture.question)
    if ask is None:
        raise DataError(
            f"Conjecture {conjecture.name!r}: the question {conjecture.question!r} is not about "
            "points, so there is nothing to search; decide() answers it."
        )
    return ask(conjecture)


def _relation(c: Conjecture) -> tuple[Pointwise, ...]:
    return (Pointwise(read_statement(c.statement, c.assume or None, c.domain or None)),)


def _law(c: Conjecture) -> tuple[Pointwise, ...]:
    rho = parametrization_of(c)
    law = read_law(c.statement, rho)
    statement = Statement("==", lie_derivative(law, rho), sp.S.Zero, Domain(rho.ranges))
    return (Pointwise(statement, (law,), f"the rate of {law}"),)


def _potential(c: Conjecture) -> tuple[Pointwise, ...]:
    mirror = mirror_flow(parametrization_of(c), start_of(c))
    found = potential_defect(c.statement, mirror)
    if found is None:
        return ()
    return (Pointwise(Statement("==", found[0], sp.S.Zero, Domain(found[1])), (), "F'' M - 1"),)


def _curvature(c: Conjecture) -> tuple[Pointwise, ...]:
    f = read_function(c.statement, c.on or "(-oo, oo)", None, c.assume or None)
    if len(f.variables) == 1:
        second = sp.diff(f.formula, f.variables[0], 2)
        return (Pointwise(Statement(">=", second, sp.S.Zero, f.domain), (f.formula,), "F''"),)
    direction = [sp.Dummy(f"d_{s.name}", real=True) for s in f.variables]
    form = quadratic_form(f.hessian(), direction)
    about = "the second derivative in the direction d"
    return (Pointwise(Statement(">=", form, sp.S.Zero, f.domain), (f.formula,), about),)


def _slope(c: Conjecture) -> tuple[Pointwise, ...]:
    f, x, domain = function_on(c.statement, c.on or "(-oo, oo)", None, c.assume or None)
    slope = sp.diff(f, x)
    return tuple(
        Pointwise(Statement(">=", sign * slope, sp.S.Zero, domain), (f,), about)
        for sign, about in ((1, "f'"), (-1, "-f'"))
    )


_ASK: Mapping[str, Callable[[Conjecture], tuple[Pointwise, ...]]] = {
    "prove": _relation,
    "conserved": _law,
    "mirror_potential": _potential,
    "convex": _curvature,
    "monotone": _slope,
}
