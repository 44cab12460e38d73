r"""The branch of a scalar formula through a start: the largest interval on which it is monotone.

One coordinate of a flow never leaves the interval around its start on which $\rho$ is smooth and
$\rho' \neq 0$: at an end the flow is stuck, or the formula ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import sympy as sp
from flint import arb

from theory.errors import StartError, UnsupportedFormula
from theory.exact.balls import Program, precision, sign_of_number, to_rational
from theory.exact.signs import is_analytic, sign_on
from theory.exact.zero import is_zero

__all__ = ["Branch", "branch_through"]


@dataclass(frozen=True, slots=True)
class Branch:
    """An interval of a parameter.

    Parameters
    ----------
    symbol : sympy.Symbol
        The parameter with the sign that the interval gives it (a new symbol of the same name).
    lower, upper : sympy.Expr
        The ends.
    direction : int
        +1 or -1, the sign of the derivative there.
    certified : bool
        Whether it is proved that the formula is analytic and strictly monotone inside.
    """

    symbol: sp.Symbol
    lower: sp.Expr
    upper: sp.Expr
    direction: int
    certified: bool

    @property
    def range(self) -> tuple[sp.Expr, sp.Expr]:
        """(lower, upper)."""
        return self.lower, self.upper


def branch_through(
    f: sp.Expr, u: sp.Symbol, start: sp.Expr, *, derivative: sp.Expr | None = None
) -> Branch:
    """The largest interval around `start` on which f is analytic with nonzero derivative.

    Raises
    ------
    StartError
        When the formula has no real value at the start, or its derivative is zero there.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> branch_through(sp.sin(u), u, sp.S.Zero).range
    (-pi/2, pi/2)
    >>> branch_through(u**2, u, sp.Symbol("alpha", positive=True)).range
    (0, oo)
    """
    if derivative is None:
        derivative = sp.diff(f, u)
    _check_start(f, derivative, u, start)
    half_lines = []
    sign = _sign_of_start(start)
    # a symbol that the user declared positive stays on the positive axis
    if not (u.is_positive or u.is_negative):
        half_lines.append((sp.Symbol(u.name, real=True), -sp.oo, sp.oo))
    if sign == 1:
        half_lines.append((sp.Symbol(u.name, positive=True), sp.S.Zero, sp.oo))
    if sign == -1:
        half_lines.append((sp.Symbol(u.name, negative=True), -sp.oo, sp.S.Zero))
    for symbol, lower, upper in half_lines:
        direction = sign_on(derivative.xreplace({u: symbol}))
        if direction is not None and is_analytic(f.xreplace({u: symbol}), meromorphic=False):
            return Branch(symbol, lower, upper, direction, True)
    return _numeric_branch(f, derivative, u, start)


def _sign_of_start(start: sp.Expr) -> int | None:
    if start.is_number:
        return 0 if start == 0 else sign_of_number(start)
    return sign_on(start)


def _check_start(f: sp.Expr, derivative: sp.Expr, u: sp.Symbol, start: sp.Expr) -> None:
    value, slope = f.subs(u, start), derivative.subs(u, start)
    for e in (value, slope):
        if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I) or e.is_real is False:
            raise StartError(
                f"The start {u.name} = {start} is outside of the domain of {f}; "
                "choose one where the formula and its derivative have real values."
            )
    if (
        slope == 0
        or (slope.is_number and sign_of_number(slope) is None)
        or (slope.free_symbols and slope.is_number is False and is_zero(slope).proved)
    ):
        raise StartError(
            f"The flow is stuck at the start {u.name} = {start}: the derivative {derivative} of "
            f"{f} is zero there. Start at a point where it is not."
        )


_ENDS = [sp.S.Zero, *(s * q for s in (1, -1) for q in (
    sp.S.One, sp.Integer(2), sp.Rational(1, 2), sp.Rational(1, 3), sp.Rational(2, 3),
    sp.Rational(3, 2), sp.Integer(3), sp.pi, sp.pi / 2, sp.pi / 4, 3 * sp.pi / 4, 3 * sp.pi / 2,
    2 * sp.pi, sp.E, sp.exp(-1),
    sp.sqrt(2), sp.sqrt(2) / 2, sp.sqrt(3), sp.sqrt(3) / 3, sp.pi / 6, sp.pi / 3, sp.exp(-2),
))]  # fmt: skip


def _numeric_branch(f: sp.Expr, derivative: sp.Expr, u: sp.Symbol, start: sp.Expr) -> Branch:
    """March from the start to both sides; name the ends exactly where possible."""
    free = (f.free_symbols | start.free_symbols) - {u}
    direction = sign_of_number(derivative.subs(u, start)) if not free else None
    symbol = u
    if free:
        sign = _sign_of_start(start)
        symbol = sp.Symbol(u.name, positive=True) if sign == 1 else u
        lower, upper = (sp.S.Zero, sp.oo) if sign == 1 else (-sp.oo, sp.oo)
        return Branch(symbol, lower, upper, direction or 1, False)
    try:
        ends = [_march(f, derivative, u, start, s) for s in (-1, 1)]
    except UnsupportedFormula:
        return Branch(symbol, -sp.oo, sp.oo, direction or 1, False)
    lower, upper = ends
    if lower.is_nonnegative:
        symbol = sp.Symbol(u.name, positive=True)
    elif upper.is_nonpositive:
        symbol = sp.Symbol(u.name, negative=True)
    elif symbol.is_positive is None:
        symbol = sp.Symbol(u.name, real=True)
    ranges = {symbol: (lower, upper)}
    inside = derivative.xreplace({u: symbol})
    certified = sign_on(inside, ranges) is not None and is_analytic(
        f.xreplace({u: symbol}), ranges=ranges, meromorphic=False
    )
    return Branch(symbol, lower, upper, direction or 1, certified)


def _march(f: sp.Expr, derivative: sp.Expr, u: sp.Symbol, start: sp.Expr, side: int) -> sp.Expr:
    """The end of the branch on one side, exact if it is a number that we can name."""
    program = Program([f, derivative], [u])
    with precision(128):
        here = Program([start], [])([])[0]
        sign = 1 if program([here])[1] > 0 else -1

        def good(a: arb, b: arb) -> bool:
            value, slope = program([a.union(b)])
            return bool(value.is_finite() and slope.is_finite() and sign * slope > 0)

        position, step = arb(here.mid()), arb(1) / 16
        for _ in range(4000):
            following = position + side * step
            if good(position, following):
                position, step = arb(following.mid()), step * 2
                if abs(position) > 500:
                    return sp.oo if side > 0 else -sp.oo
            else:
                step = step / 2
                if step < (abs(position) + 1) * arb(2) ** (-100):
                    break
        # a critical point is approached by ever smaller certified boxes
        near = [
            c
            for c in itertools.chain(_ENDS, (k * sp.pi / 2 for k in range(-12, 13)))
            if abs(Program([c], [])([])[0] - position) < arb(2) ** (-12)
        ]
        for end in near:
            value, slope = f.subs(u, end), derivative.subs(u, end)
            singular = any(e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) for e in (value, slope))
            if singular or slope == 0 or sign_of_number(slope) is None:
                return end
        return to_rational(position, 90)
