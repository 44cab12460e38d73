"""Hypothesis strategies for gradient flows and conjectures: exact, well-formed, simple first.

They draw parametrizations with starts at which the flow moves, data with targets that fit, pairs
of a loss and a link, and points of the domain of a conjecture. All of them shrink to what one
would write by hand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from random import Random
from typing import Any, TypeVar

import sympy as sp
from hypothesis import Phase, Verbosity, assume, find, reject, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample, Unsatisfiable

from theory.claims.conjecture import Conjecture
from theory.claims.pointwise import Pointwise, pointwise
from theory.claims.statement import Point, names_of, value_at
from theory.errors import AssumptionError, DataError, FormulaError
from theory.exact.balls import enclose, precision, to_rational
from theory.flow import links, losses
from theory.flow.parametrization import Elementwise
from theory.numeric.problem import Regression

__all__ = [
    "Formula",
    "matrices",
    "pairs",
    "parametrizations",
    "points",
    "points_of",
    "problems",
    "rationals",
    "simplest",
    "starts",
]

T = TypeVar("T")


def simplest(
    strategy: st.SearchStrategy[T],
    condition: Callable[[T], bool] = lambda _: True,
    *,
    examples: int = 1000,
    seed: int = 0,
) -> T | None:
    """The simplest value that satisfies a condition, as far as drawing and shrinking find it.

    The same seed gives the same answer; nothing is read from or written to a database.

    Parameters
    ----------
    strategy : SearchStrategy
    condition : callable
        Always true unless given. It must answer the same each time.
    examples : int
        Values to draw before giving up.
    seed : int

    Returns
    -------
    value, or None when nothing was found
    """
    options = settings(
        max_examples=examples,
        database=None,
        derandomize=False,
        deadline=None,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        verbosity=Verbosity.quiet,
        backend="hypothesis",
    )
    try:
        return find(strategy, condition, settings=options, random=Random(seed))
    except (NoSuchExample, Unsatisfiable):
        return None


# -------------------------------------------------------------------------------------------------
# numbers
# -------------------------------------------------------------------------------------------------

_DENOMINATORS = (1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 100, 1000)
_SIZES = ((9, 0), (9, 0), (9, 0), (99, 0), (99, 0), (99, 1), (99, 2), (99, 2), (99, 3), (99, 4),
          (99, 6), (99, 9))  # fmt: skip
"""The largest digits of a numerator, and the power of ten by which they are multiplied, as often as
they are drawn. Every draw is below 100: into longer ranges constants of the loaded modules are
mixed, so that the same seed would draw other numbers when another module is loaded."""


def rationals(
    lower: Any = -sp.oo,
    upper: Any = sp.oo,
    *,
    closed: tuple[bool, bool] = (False, False),
    integer: bool = False,
    near: Sequence[sp.Rational] = (),
) -> st.SearchStrategy[sp.Rational]:
    """Exact numbers of an interval: whole ones near zero first.

    Parameters
    ----------
    lower, upper : sympy.Expr or number
        Ends, which may be infinite or irrational.
    closed : pair of bool
        Which ends belong to it.
    integer : bool
        Whole numbers only.
    near : sequence of sympy.Rational
        Numbers that are drawn more often, as are those close to them.

    Examples
    --------
    >>> simplest(rationals()), simplest(rationals(0, 1))
    (0, 1/2)
    >>> simplest(rationals(), lambda q: q > 50), simplest(rationals(), lambda q: 3 * q == 1)
    (51, 1/3)
    """
    low, high = (sp.sympify(e, strict=True) for e in (lower, upper))
    if low is sp.oo or high == -sp.oo or (low.is_finite and high.is_finite and not low <= high):
        raise AssumptionError(f"Expected lower <= upper but got ({lower}, {upper}).")
    return _rationals(low, high, closed, integer, tuple(near))


@st.composite
def _rationals(
    draw: st.DrawFn,
    lower: sp.Expr,
    upper: sp.Expr,
    closed: tuple[bool, bool],
    integer: bool,
    near: tuple[sp.Rational, ...],
) -> sp.Rational:
    ends = _ends(lower, upper, closed)
    if near and not integer and draw(st.sampled_from((False, False, True))):
        step = sp.Rational(1, 10) ** draw(st.integers(1, 9)) * draw(st.sampled_from((0, 1, -1)))
        value = draw(st.sampled_from(near)) + step
        assume(_within(value, ends))
        return value
    choices = _numerators(ends, integer)
    if not choices:
        reject()
    q, first, last = draw(st.sampled_from(choices))
    # the number nearest to zero, from which the others are counted
    center = max(first or 0, 0) if last is None or last >= 0 else last
    up = None if last is None else last - center
    down = None if first is None else center - first
    most = None if up is None or down is None else max(up, down)
    offset = draw(_offsets(most))
    both = (up is None or offset <= up) and (down is None or offset <= down)
    if both:
        minus = bool(offset) and draw(st.booleans())
    else:
        minus = up is not None and offset > up
    return sp.Rational(center - offset if minus else center + offset, q)


End = tuple[Fraction, bool] | None
"""A rational end of an interval, and whether it belongs to it; None for an infinity."""


@lru_cache(maxsize=256)
def _ends(lower: sp.Expr, upper: sp.Expr, closed: tuple[bool, bool]) -> tuple[End, End]:
    return _inner(lower, 1, closed[0]), _inner(upper, -1, closed[1])


def _inner(end: sp.Expr, side: int, closed: bool) -> End:
    if end.is_infinite:
        return None
    if not end.is_Rational:
        # a rational number just inside
        with precision(128):
            ball = enclose(end, {})
            end = to_rational(ball.upper() if side == 1 else ball.lower(), 128)
        closed = False
    return Fraction(int(end.p), int(end.q)), closed


def _within(value: sp.Rational, ends: tuple[End, End]) -> bool:
    at = Fraction(int(value.p), int(value.q))
    for side, end in zip((1, -1), ends, strict=True):
        if end is not None and not (side * (at - end[0]) > 0 or (end[1] and at == end[0])):
            return False
    return True


@lru_cache(maxsize=256)
def _numerators(
    ends: tuple[End, End], integer: bool
) -> tuple[tuple[int, int | None, int | None], ...]:
    """Denominators q with the first and the last numerator over q that lie inside."""
    low, high = ends
    denominators: tuple[int, ...] = (1,) if integer else _DENOMINATORS
    if low is not None and high is not None and not integer:
        width = high[0] - low[0]
        # larger ones where the interval is narrow
        fine = math.ceil(2 / width) if width > 0 else low[0].denominator
        denominators += (fine, 2 * fine, 10 * fine) if fine > 4 else ()
    out = []
    for q in denominators:
        first = last = None
        if low is not None:
            first = math.ceil(low[0] * q) if low[1] else math.floor(low[0] * q) + 1
        if high is not None:
            last = math.floor(high[0] * q) if high[1] else math.ceil(high[0] * q) - 1
        if first is None or last is None or first <= last:
            out.append((q, first, last))
    return tuple(out)


@st.composite
def _offsets(draw: st.DrawFn, most: int | None) -> int:
    """Whole numbers from zero up to a bound, of all sizes."""
    if most is not None and most <= 99:
        return draw(st.integers(0, most))
    digits, power = draw(st.sampled_from(_SIZES))
    offset = draw(st.integers(0, digits)) * 10**power
    if power:
        offset += draw(st.integers(0, 99)) * 10 ** max(power - 2, 0)
    return offset if most is None else min(offset, most)


# -------------------------------------------------------------------------------------------------
# parametrizations and starts
# -------------------------------------------------------------------------------------------------

_NAMES = "uvwpqr"
_ANYWHERE = ("{0}", "{0}**2", "{0}**3", "{0}**4", "exp({0})", "sinh({0})", "tanh({0})",
             "{0} + {0}**3", "atan({0})")  # fmt: skip
_ON_POSITIVES = ("log({0})", "{0}**(3/2)", "sqrt({0})")


@dataclass(frozen=True)
class Formula:
    """A parametrization as text.

    Parameters
    ----------
    formula : str
    parameters : str
        Their names, ``"u, v"``.
    positive : tuple of str
        The parameters that must be positive.
    """

    formula: str
    parameters: str
    positive: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.parameters.split(", "))

    def elementwise(self) -> Elementwise:
        """The parametrization."""
        words = dict.fromkeys(self.positive, "positive")
        return Elementwise(self.formula, self.parameters, assume=words)


@st.composite
def parametrizations(draw: st.DrawFn, parameters: int | None = None, *, most: int = 3) -> Formula:
    """Elementwise formulas: powers and elementary functions, their sums and products.

    Parameters
    ----------
    parameters : int, optional
        How many; 1 to `most` unless given.

    Examples
    --------
    >>> simplest(parametrizations(2), lambda p: "**2" in p.formula)
    Formula(formula='u - v**2', parameters='u, v', positive=())
    """
    if parameters is not None and not 1 <= parameters <= len(_NAMES):
        raise DataError(f"Expected 1 to {len(_NAMES)} parameters but got {parameters}.")
    count = draw(st.integers(1, most)) if parameters is None else parameters
    names = tuple(_NAMES[:count])
    text, positive = "", []
    for i, name in enumerate(names):
        shape = draw(st.sampled_from((*_ANYWHERE, *_ON_POSITIVES)))
        if shape in _ON_POSITIVES:
            positive.append(name)
        term = shape.format(name)
        if i == 0:
            text = term
        elif (operator := draw(st.sampled_from(("-", "*", "+")))) == "*":
            text = f"({text})*({term})"
        else:
            text = f"{text} {operator} ({term})" if "+" in term else f"{text} {operator} {term}"
    return Formula(text, ", ".join(names), tuple(positive))


@st.composite
def starts(
    draw: st.DrawFn, parametrization: Formula, *, balanced: bool | None = None
) -> dict[str, sp.Rational]:
    """Starts inside of the domain of a formula, at which its flow moves.

    Parameters
    ----------
    parametrization : Formula
    balanced : bool, optional
        Whether all parameters start at the same value, or not all; either unless given. With one
        parameter every start is balanced.

    Examples
    --------
    >>> simplest(starts(Formula("u**2 - v**2", "u, v"), balanced=True))
    {'u': 1, 'v': 1}
    """
    names = parametrization.names
    if balanced is False and len(names) < 2:
        raise DataError("Expected two parameters or more for a start that is not balanced.")
    same = draw(st.booleans()) if balanced is None and len(names) > 1 else balanced is not False
    if same:
        value = draw(rationals(0, 4) if parametrization.positive else rationals(-4, 4))
        out = dict.fromkeys(names, value)
    else:
        out = {
            n: draw(rationals(0, 4) if n in parametrization.positive else rationals(-4, 4))
            for n in names
        }
        assume(len(set(out.values())) > 1)
    rho = parametrization.elementwise()
    point = {s: out[s.name] for s in rho.parameters}
    rates = [value_at(e, point) for e in rho.gradient()]
    assume(value_at(rho.formula, point) is not None and None not in rates)
    assume(any(not rate.contains(0) for rate in rates if rate is not None))
    return out


# -------------------------------------------------------------------------------------------------
# data, losses and links
# -------------------------------------------------------------------------------------------------


@st.composite
def matrices(draw: st.DrawFn, rows: int = 2, columns: int = 3) -> sp.Matrix:
    """Matrices of full rank of small integers, halves and quarters.

    Examples
    --------
    >>> simplest(matrices(1, 2))
    Matrix([[0, 1]])
    """
    numerators = draw(
        st.lists(st.integers(-8, 8), min_size=rows * columns, max_size=rows * columns)
    )
    A = sp.Matrix(rows, columns, numerators) / draw(st.sampled_from((1, 2, 4)))
    assume(A.rank() == min(rows, columns))
    return A


@cache
def _accepted() -> tuple[tuple[str, str], ...]:
    """The pairs of a loss and a link whose means lie where the loss is finite."""
    found = []
    for loss_name, link_name in itertools.product(losses.NAMES, links.NAMES):
        loss, link = getattr(losses, loss_name)(), getattr(links, link_name)()
        low, high = loss.domain
        inside = bool(low <= link.lower) and bool(link.upper <= high)
        if inside if loss.on == "mean" else link_name == "identity":
            found.append((loss_name, link_name))
    return tuple(sorted(found, key=lambda pair: pair != ("squared", "identity")))


def pairs() -> st.SearchStrategy[tuple[str, str]]:
    """Names of a loss and of a link that go together, from `theory.losses` and `theory.links`.

    Examples
    --------
    >>> simplest(pairs()), simplest(pairs(), lambda pair: pair[0] == "poisson")
    (('squared', 'identity'), ('poisson', 'logistic'))
    """
    return st.sampled_from(_accepted())


@st.composite
def problems(
    draw: st.DrawFn,
    samples: int = 1,
    unknowns: int = 2,
    *,
    consistent: bool = True,
    pair: tuple[str, str] = ("squared", "identity"),
) -> Regression:
    """Exact data: entries that floats hold, and targets that the loss accepts.

    Parameters
    ----------
    samples, unknowns : int
        The shape of A.
    consistent : bool
        Whether an x exists that fits the targets; for labels, one with the right signs.
    pair : (str, str)
        The names of the loss and of the link.

    Examples
    --------
    >>> data = simplest(problems(1, 2), lambda data: data.y[0] > 0)
    >>> data.y.tolist()
    [1.0]
    """
    if pair not in _accepted():
        raise DataError(f"Expected a pair of a loss and a link that go together but got {pair!r}.")
    loss, link = getattr(losses, pair[0])(), getattr(links, pair[1])()
    A = draw(matrices(samples, unknowns))
    x = sp.Matrix(draw(st.lists(st.integers(-4, 4), min_size=unknowns, max_size=unknowns)))
    z = list(A * x)
    if loss.targets.values is not None:
        if consistent:
            assume(all(v != 0 for v in z))
            y = [sp.sign(v) for v in z]
        else:
            y = [draw(st.sampled_from(loss.targets.values)) for _ in z]
    elif consistent and pair[1] == "identity":
        assume(all(loss.targets.contains(v) for v in z))
        y = z
    else:
        if consistent and samples > unknowns:
            raise DataError("Expected at most as many samples as unknowns for this link.")
        low, high = sp.Max(loss.targets.lower, link.lower), sp.Min(loss.targets.upper, link.upper)
        eighths = [sp.Rational(k, 8) for k in sorted(range(-32, 33), key=lambda k: (abs(k), k < 0))]
        inside = [v for v in eighths if low < v < high]
        y = [draw(st.sampled_from(inside)) for _ in z]
        if not consistent and pair[1] == "identity":
            assume(A.rank() < A.row_join(sp.Matrix(y)).rank())
    return Regression([[float(a) for a in row] for row in A.tolist()], [float(v) for v in y])


# -------------------------------------------------------------------------------------------------
# points of a domain
# -------------------------------------------------------------------------------------------------


def points(conjecture: Conjecture) -> st.SearchStrategy[dict[str, str]]:
    """Exact points of the domain of a conjecture, as `Verdict.witness` writes them.

    Raises
    ------
    DataError
        For a question that is not about points.

    Examples
    --------
    >>> order = Conjecture("order", "u >= v", {"u": "positive"}, domain="u*v > 1")
    >>> simplest(points(order))
    {'u': '1', 'v': '2'}
    """
    found = pointwise(conjecture)
    if not found:
        raise FormulaError(f"Conjecture {conjecture.name!r} says nothing of single points.")
    return points_of(found[0]).map(names_of)


def points_of(claim: Pointwise) -> st.SearchStrategy[Point]:
    """Exact points of the domain of a claim, closed ends and relations included."""
    domain = claim.statement.domain
    names = claim.symbols
    solved = _solved(claim, names)
    free = [s for s in names if s not in solved]
    # a bound may contain other symbols, which come first
    free.sort(key=lambda s: (len(sp.Tuple(*claim.bounds(s)).free_symbols), s.name))
    near = _constants(claim)

    @st.composite
    def draw_point(draw: st.DrawFn) -> Point:
        point: Point = {}
        for s in free:
            lower, upper = (e.xreplace(point) for e in claim.bounds(s))
            if lower.free_symbols or upper.free_symbols:
                reject()
            closed = ((s, lower) in domain.closed, (s, upper) in domain.closed)
            point[s] = draw(_rationals(lower, upper, closed, bool(s.is_integer), near))
        for s, e in solved.items():
            value = e.xreplace(point)
            if not value.is_Rational:
                reject()
            point[s] = value
        assume(claim.contains(point))
        return {s: point[s] for s in names}

    return draw_point()


def _solved(claim: Pointwise, names: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    """Symbols that equations of the domain give in terms of the others."""
    out: dict[sp.Symbol, sp.Expr] = {}
    for operator, e in claim.statement.domain.relations:
        if operator != "==":
            continue
        for s in reversed(names):
            if s in out or any(s in v.free_symbols for v in out.values()):
                continue
            if e.is_polynomial(s) and sp.degree(e, s) == 1:
                slope, rest = sp.Poly(e, s).all_coeffs()
                if not (slope.free_symbols | rest.free_symbols) & set(out):
                    out[s] = -rest / slope
                    break
    return out


def _constants(claim: Pointwise) -> tuple[sp.Rational, ...]:
    """The numbers that a claim is written with, their opposites and reciprocals."""
    there = claim.statement
    typed = sp.Tuple(there.left, there.right, *(e for _, e in there.domain.relations))
    found = {q for q in typed.atoms(sp.Rational) if abs(q) > 1 or not q.is_Integer}
    found |= {1 / q for q in found}
    return tuple(sorted(found | {-q for q in found}, key=lambda q: (q.q, abs(q.p), bool(q < 0))))
