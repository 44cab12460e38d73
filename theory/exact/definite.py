r"""Rigorous enclosures of definite integrals.

Pieces without a singular end go to the quadrature of Arb, which needs the integrand on complex
boxes. At a singular end, and at infinity, the last $e^{-w}$ is bounded by a majorant, and the rest
is integrated in $\log s$, s the distance to the end (or $1/x$). What cannot be bounded gives a ball
that is not finite: a pole, a divergent integral, an integrand without a real value somewhere.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import sympy as sp
from flint import acb, arb

from theory.errors import FormulaError, UnsupportedFormula
from theory.exact.balls import Program, enclose, precision, sign_of_number
from theory.exact.complex_balls import ComplexProgram
from theory.exact.tails import Corner

__all__ = ["definite_integral", "singular_candidates"]

_NAN = arb("nan")
_DEPTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_EVALUATIONS = 20_000
_FIRST_TRY = 2_000
_CUTS = 32
_CIRCULAR = (sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc)


def definite_integral(f: sp.Expr, x: sp.Symbol, a: sp.Expr, b: sp.Expr, *, bits: int = 64) -> arb:
    r"""A ball around $\int_a^b f\,dx$, or one that is not finite.

    Parameters
    ----------
    f : sympy.Expr
        Without other symbols than x.
    x : sympy.Symbol
    a, b : sympy.Expr
        Constants or infinities, in either order.
    bits : int
        Accuracy that is aimed at. The ball is right whatever its radius.

    Raises
    ------
    FormulaError
        When other symbols occur.
    UnsupportedFormula
        For a function without ball arithmetic.

    Examples
    --------
    >>> x = sp.Symbol("x", positive=True)
    >>> definite_integral(x ** sp.Rational(1, 3) * sp.sqrt(1 - x), x, sp.S.Zero, sp.S.One).str(12)
    '[0.458895961743 +/- ...]'
    >>> definite_integral(1 / x, x, sp.S.Zero, sp.S.One).is_finite()
    False
    """
    f, a, b = (sp.sympify(e, strict=True) for e in (f, a, b))
    if f.free_symbols - {x} or a.free_symbols or b.free_symbols:
        raise FormulaError(f"Expected no other symbol than {x} but got {f} on ({a}, {b}).")
    if f.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        return _NAN
    t = sp.Dummy("x", real=True)
    f = f.xreplace({x: t})
    # functions without ball arithmetic are refused before any work
    Program([f], [t])
    if a == b:
        return arb(0) if a.is_finite else _NAN
    order = sign_of_number(b - a) if a.is_finite and b.is_finite else _order(a, b)
    if order is None:
        return _NAN
    with precision(bits + 32):
        if order < 0:
            return -_oriented(f, t, b, a, bits)
        return _oriented(f, t, a, b, bits)


def _order(a: sp.Expr, b: sp.Expr) -> int | None:
    if a == -sp.oo or b is sp.oo:
        return 1
    return -1 if a is sp.oo or b == -sp.oo else None


def _oriented(f: sp.Expr, t: sp.Symbol, a: sp.Expr, b: sp.Expr, bits: int) -> arb:
    if a == -sp.oo and b is sp.oo:
        right = _to_infinity(f, t, sp.S.Zero, bits)
        return right + _to_infinity(f.xreplace({t: -t}), t, sp.S.Zero, bits)
    if b is sp.oo:
        return _to_infinity(f, t, a, bits)
    if a == -sp.oo:
        return _to_infinity(f.xreplace({t: -t}), t, -b, bits)
    return _pieces(f, t, a, b, bits)


def _pieces(f: sp.Expr, t: sp.Symbol, a: sp.Expr, b: sp.Expr, bits: int) -> arb:
    """The interval as a whole, or cut at the points where the integrand may be singular."""
    whole = _finite(f, t, a, b, bits)
    if whole.is_finite():
        return whole
    cuts = singular_candidates(f, t, a, b)
    if not cuts:
        return whole
    total = arb(0)
    for low, high in itertools.pairwise([a, *cuts, b]):
        total += _finite(f, t, low, high, bits)
        if not total.is_finite():
            break
    return total


def singular_candidates(f: sp.Expr, t: sp.Symbol, a: sp.Expr, b: sp.Expr) -> list[sp.Expr]:
    """Candidates for singular points inside, in order; any choice gives a right enclosure.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> singular_candidates(sp.Abs(x**2 - 2), x, sp.Integer(0), sp.Integer(2))
    [sqrt(2)]
    """
    found: set[sp.Expr] = set()
    for e in sp.preorder_traversal(f):
        if e.is_Pow and not (e.exp.is_Integer and e.exp > 0):
            g = e.base
        elif isinstance(e, (sp.Abs, sp.sign, sp.log)):
            g = e.args[0]
        elif isinstance(e, _CIRCULAR):
            found.update(_quarter_turns(e.args[0], t, a, b))
            continue
        else:
            continue
        g = sp.fraction(sp.together(g))[0]
        if g.is_polynomial(t) and g.has(t) and sp.degree(g, t) <= 2:
            found.update(sp.roots(g, t))
    inside = [c for c in found if c.is_real and _strictly_between(a, c, b)]
    with precision(256):
        return sorted(inside, key=lambda c: float(enclose(c, {}).mid()))[:_CUTS]


def _quarter_turns(angle: sp.Expr, t: sp.Symbol, a: sp.Expr, b: sp.Expr) -> list[sp.Expr]:
    if not angle.is_polynomial(t) or sp.degree(angle, t) != 1:
        return []
    slope, shift = angle.coeff(t, 1), angle.coeff(t, 0)
    ends = sorted(float(enclose(angle.xreplace({t: e}) * 2 / sp.pi, {}).mid()) for e in (a, b))
    if not -1e6 < ends[0] <= ends[1] < 1e6 or ends[1] - ends[0] > _CUTS:
        return []
    turns = range(math.floor(ends[0]), math.ceil(ends[1]) + 1)
    return [sp.expand((k * sp.pi / 2 - shift) / slope) for k in turns]


def _strictly_between(a: sp.Expr, c: sp.Expr, b: sp.Expr) -> bool:
    return sign_of_number(c - a, max_bits=512) == 1 and sign_of_number(b - c, max_bits=512) == 1


def _finite(f: sp.Expr, t: sp.Symbol, a: sp.Expr, b: sp.Expr, bits: int) -> arb:
    direct = _NAN
    if _regular(f, t, a) and _regular(f, t, b):
        direct = _quadrature(f, t, enclose(a, {}), enclose(b, {}), bits, _FIRST_TRY)
        if direct.is_finite() and direct.rad() < arb((1, -bits // 2)) * (1 + abs(direct)):
            return direct
    s = sp.Dummy("s", positive=True)
    half = (b - a) / 2
    left = _corner(_factored(f.xreplace({t: a + s}), s), s, -sp.log(half), bits)
    if not left.is_finite():
        return direct
    right = _corner(_factored(f.xreplace({t: b - s}), s), s, -sp.log(half), bits)
    total = left + right
    if direct.is_finite() and not total.rad() < direct.rad():
        return direct
    return total if total.is_finite() else direct


def _to_infinity(f: sp.Expr, t: sp.Symbol, a: sp.Expr, bits: int) -> arb:
    near = enclose(a, {})
    c = sp.Integer(int(near.upper().ceil().unique_fmpz() or 0) + 1) if near > 0 else sp.S.One
    s = sp.Dummy("s", positive=True)
    far = _corner(f.xreplace({t: 1 / s}) / s**2, s, sp.log(c), bits, infinite=(f, t))
    if not far.is_finite():
        return _NAN
    return _pieces(f, t, a, c, bits) + far


def _regular(f: sp.Expr, t: sp.Symbol, end: sp.Expr) -> bool:
    """Whether the integrand has finite values around an end; a root may start there."""
    try:
        value = Program([f.xreplace({t: end})], [])([])[0]
    except UnsupportedFormula:
        return False
    return bool(value.is_finite())


def _quadrature(f: sp.Expr, t: sp.Symbol, a: arb, b: arb, bits: int, evaluations: int) -> arb:
    real = Program([f], [t])
    complex_ = ComplexProgram(f, t)

    def integrand(z: Any, analytic: bool) -> Any:
        on_the_line = bool(z.imag == 0)
        if on_the_line and not analytic:
            # there the real function counts: it has no value where a root is imaginary
            return acb(real([z.real])[0])
        return complex_(z)

    value = acb.integral(
        integrand,
        acb(a),
        acb(b),
        rel_tol=arb((1, -bits)),
        abs_tol=arb((1, -bits - 16)),
        eval_limit=evaluations,
        depth_limit=4 * bits,
    )
    return value.real if value.is_finite() else _NAN


def _corner(
    g: sp.Expr,
    s: sp.Symbol,
    start: sp.Expr,
    bits: int,
    infinite: tuple[sp.Expr, sp.Symbol] | None = None,
) -> arb:
    """The integral of g over $0 < s < e^{-start}$."""
    g = _elementary(g, s)
    if infinite is not None:
        infinite = (_elementary(infinite[0], infinite[1]), infinite[1])
    first: tuple[int, arb] | None = None
    for w in _DEPTHS:
        if not enclose(start, {}) < w:
            continue
        with precision(bits + 64):
            tail = _tail(g, s, w, infinite)
        if tail is None:
            if w >= 64:
                return _NAN
            continue
        first = first or (w, tail)
        if tail < arb((1, -bits)) or w == _DEPTHS[-1]:
            break
    else:
        return _NAN
    v = sp.Dummy("v", real=True)
    moved = g.xreplace({s: sp.exp(-v)}) * sp.exp(-v)
    total = _NAN
    # where the integrand oscillates, a shorter way with a larger bound of the rest
    for depth, rest in [(w, tail)] if first[0] == w else [(w, tail), first]:
        # a zero at the end may be the difference of two numbers of size one
        with precision(bits + 64 + 6 * min(depth, 256)):
            inside = _quadrature(moved, v, enclose(start, {}), arb(depth), bits, _EVALUATIONS)
            total = inside + arb(0, 1) * rest
        if total.is_finite():
            break
    return total


def _tail(
    g: sp.Expr, s: sp.Symbol, w: int, infinite: tuple[sp.Expr, sp.Symbol] | None
) -> arb | None:
    majorant = Corner(s, w).majorant(g)
    if (majorant is None or majorant.p <= -1) and infinite is not None:
        majorant = _by_exponentials(*infinite, s, w)
    return None if majorant is None else majorant.integral(w)


def _by_exponentials(f: sp.Expr, t: sp.Symbol, s: sp.Symbol, w: int) -> Any:
    """The majorant with all exponentials of multiples of x written in one, y = exp(-c x)."""
    f = sp.expand_power_exp(sp.expand(f.rewrite(sp.exp), power_exp=False, deep=True))
    rates = []
    for e in f.atoms(sp.exp):
        if not e.has(t):
            continue
        argument = sp.expand(e.args[0])
        rate = argument.coeff(t, 1)
        if not rate.is_Rational or rate == 0 or argument != rate * t:
            return None
        rates.append(rate)
    if not rates:
        return None
    unit = sp.gcd_list([abs(r) for r in rates])
    y = sp.Dummy("y", positive=True)
    table = {e: y ** (-e.args[0].coeff(t, 1) / unit) for e in f.atoms(sp.exp) if e.has(t)}
    g = f.xreplace(table)
    g = g.replace(lambda e: e.is_Add and e.is_rational_function(y), sp.together)
    if g.is_rational_function(y):
        g = sp.factor(sp.together(g))
    return Corner(s, w, y, unit).majorant(g.xreplace({t: 1 / s}) / s**2)


def _elementary(g: sp.Expr, s: sp.Symbol) -> sp.Expr:
    """Quotients for tan and its like, exponentials for powers with s in the exponent."""
    quotients: dict[Any, Any] = {
        sp.tan: lambda a: sp.sin(a) / sp.cos(a),
        sp.cot: lambda a: sp.cos(a) / sp.sin(a),
        sp.sec: lambda a: 1 / sp.cos(a),
        sp.csc: lambda a: 1 / sp.sin(a),
    }
    for function, quotient in quotients.items():
        g = g.replace(function, quotient)
    return g.replace(
        lambda e: e.is_Pow and e.exp.has(s) and e.base is not sp.E,
        lambda e: sp.exp(e.exp * sp.log(e.base)),
    )


def _factored(g: sp.Expr, s: sp.Symbol) -> sp.Expr:
    """Polynomials under roots and logarithms in factors: s(2 - s) instead of 1 - (1 - s)^2."""

    def inside(e: sp.Expr) -> sp.Expr:
        return sp.factor(sp.expand(e)) if e.is_polynomial(s) else e

    g = g.replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.base.has(s),
        lambda e: inside(e.base) ** e.exp,
    )
    return g.replace(
        lambda e: isinstance(e, sp.log) and e.has(s), lambda e: sp.log(inside(e.args[0]))
    )
