r"""Substitutions that make an expression rational: $w = e^{gu}$, $w = \sin u$, $\tan(u/2)$, roots.

With $u = U(w)$, an expression f(u) becomes a rational function of w; integrals and inverse
functions are then complete algorithms on rational functions and polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

__all__ = ["Uniformization", "uniformize"]

_HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)
_TRIGONOMETRIC = (sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc)


@dataclass(frozen=True, slots=True)
class Uniformization:
    """A change of variable: `integrand` is the expression in `w`; u = `inverse`, w = `forward`."""

    integrand: sp.Expr
    w: sp.Symbol
    forward: sp.Expr
    inverse: sp.Expr


def uniformize(e: sp.Expr, u: sp.Symbol) -> Uniformization | None:
    """A variable in which an expression is rational (or rational in it and its logarithm).

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> change = uniformize(sp.sinh(u), u)
    >>> change.integrand, change.forward
    ((_w**2 - 1)/(2*_w), exp(u))
    """
    e = e.replace(lambda t: isinstance(t, _HYPERBOLIC), lambda t: t.rewrite(sp.exp))
    exponentials = _ordered(t for t in e.atoms(sp.exp) if t.has(u))
    trigonometric = _ordered(t for t in e.atoms(*_TRIGONOMETRIC) if t.has(u))
    roots = [
        t for t in e.atoms(sp.Pow) if t.exp.is_Rational and not t.exp.is_Integer and t.base.has(u)
    ]
    others = [
        t
        for t in e.atoms(sp.Function, sp.Pow)
        if t.has(u)
        and not isinstance(t, (sp.exp, sp.log, *_TRIGONOMETRIC))
        and not (t.is_Pow and t.exp.is_Rational)
    ]
    if others or sum(map(bool, (exponentials, trigonometric, roots))) > 1:
        return None
    if exponentials:
        return _exponential(e, u, exponentials)
    if trigonometric:
        return _circle(e, u, trigonometric)
    if roots:
        return _roots(e, u, roots)
    w = sp.Dummy("w", positive=True) if u.is_positive else sp.Dummy("w", real=True)
    plain = e.xreplace({u: w})
    if plain.is_rational_function(w) or plain.has(sp.log):
        return Uniformization(plain, w, u, w)
    return None


def _ordered(atoms: Iterable[sp.Expr]) -> list[sp.Expr]:
    """The same order in every run, whatever the hash seed."""
    return sorted(atoms, key=sp.default_sort_key)


def _common_rate(slopes: list[sp.Expr]) -> sp.Expr | None:
    """The largest rate of which all slopes are integer multiples, if they are commensurable."""
    ratios = [sp.cancel(s / slopes[0]) for s in slopes]
    if not all(r.is_Rational for r in ratios):
        return None
    unit = sp.Rational(math.gcd(*(int(r.p) for r in ratios)), math.lcm(*(int(r.q) for r in ratios)))
    rate = unit * slopes[0]
    return -rate if rate.could_extract_minus_sign() else rate


def _exponential(e: sp.Expr, u: sp.Symbol, atoms: list[sp.Expr]) -> Uniformization | None:
    # exp(c u + b) is a constant times exp(c u)
    w = sp.Dummy("w", positive=True)
    slopes, shifts = [], []
    for t in atoms:
        a = sp.expand(t.args[0])
        slope = a.coeff(u, 1)
        shift = sp.expand(a - slope * u)
        if slope == 0 or shift.has(u) or slope.has(u):
            return None
        slopes.append(slope)
        shifts.append(shift)
    rate = _common_rate(slopes)
    if rate is None:
        return None
    table = {
        t: w ** sp.cancel(s / rate) * sp.exp(b)
        for t, s, b in zip(atoms, slopes, shifts, strict=True)
    }
    inside = e.xreplace(table)
    inverse = sp.log(w) / rate
    if inside.has(u):
        inside = inside.xreplace({u: inverse})
    inside = sp.expand_log(inside, force=False)
    return Uniformization(sp.together(inside), w, sp.exp(rate * u), inverse)


def _circle(e: sp.Expr, u: sp.Symbol, atoms: list[sp.Expr]) -> Uniformization | None:
    slopes = []
    for t in atoms:
        a = sp.expand(t.args[0])
        slope = a.coeff(u, 1)
        if slope == 0 or slope.has(u) or sp.expand(a - slope * u) != 0:
            return None
        slopes.append(slope)
    rate = _common_rate(slopes)
    if rate is None:
        return None
    c, s = sp.Dummy("c", real=True), sp.Dummy("s", real=True)
    table = {}
    for t, slope in zip(atoms, slopes, strict=True):
        n = int(sp.cancel(slope / rate))
        re, im = sp.expand((c + sp.I * s) ** abs(n)).as_real_imag()
        if n < 0:
            im = -im
        quotient = {
            sp.sin: im, sp.cos: re, sp.tan: im / re,
            sp.cot: re / im, sp.sec: 1 / re, sp.csc: 1 / im,
        }  # fmt: skip
        table[t] = quotient[t.func]
    inside = e.xreplace(table)
    if inside.has(u) or not inside.is_rational_function(c, s):
        return None
    w = sp.Dummy("w", real=True)
    # the rules of Bioche: prefer sin, cos or tan to the half-angle, which jumps at pi
    odd_c = sp.cancel(sp.together(inside.subs(c, -c) / inside)) if inside != 0 else sp.S.One
    odd_c = _on_circle(odd_c, c, s)
    odd_s = _on_circle(sp.cancel(sp.together(inside.subs(s, -s) / inside)), c, s)
    if odd_c == -1:
        g = _on_circle(sp.together(inside * c), c, s)
        if not g.has(c):
            # f(u) du = (f cos) / cos^2 dw with w = sin u: f expressed through dw/du = rate cos
            g = g.xreplace({s: w})
            return _bioche(g, w, sp.sin(rate * u), sp.asin(w) / rate)
    if odd_s == -1:
        g = _on_circle(sp.together(inside * s), s, c)
        if not g.has(s):
            return _bioche(g.xreplace({c: w}), w, sp.cos(rate * u), sp.acos(w) / rate)
    half = {c: (1 - w**2) / (1 + w**2), s: 2 * w / (1 + w**2)}
    both = _on_circle(
        sp.cancel(sp.together(inside.subs({c: -c, s: -s}, simultaneous=True) / inside)), c, s
    )
    if both == 1:
        g = sp.cancel(sp.together(inside.xreplace({s: w * c})))
        g = sp.cancel(sp.together(_even_in(g, c, 1 / (1 + w**2))))
        if not g.has(c):
            return Uniformization(g, w, sp.tan(rate * u), sp.atan(w) / rate)
    inside = sp.cancel(sp.together(inside.xreplace(half)))
    return Uniformization(inside, w, sp.tan(rate * u / 2), 2 * sp.atan(w) / rate)


def _even_in(e: sp.Expr, c: sp.Symbol, square: sp.Expr) -> sp.Expr:
    """Replace c**2 in a rational function that is even in c."""
    n, d = sp.fraction(e)
    out = []
    for p in (n, d):
        poly = sp.Poly(p, c)
        out.append(
            sp.Add(*(k * (square ** (m // 2) * (c if m % 2 else 1)) for (m,), k in poly.terms()))
        )
    return out[0] / out[1]


def _on_circle(e: sp.Expr, c: sp.Symbol, s: sp.Symbol) -> sp.Expr:
    """Reduce by c**2 = 1 - s**2 in numerator and denominator."""
    return sp.cancel(sp.together(_even_in(sp.together(e), c, 1 - s**2)))


def _bioche(g: sp.Expr, w: sp.Symbol, forward: sp.Expr, inverse: sp.Expr) -> Uniformization:
    """Substitute w = sin or w = cos, with f = g / cos or g / sin.

    The root in du/dw = 1 / sqrt(1 - w^2) cancels against the one in f, so that f du is rational.
    """
    return Uniformization(g / sp.sqrt(1 - w**2), w, forward, inverse)


def _roots(e: sp.Expr, u: sp.Symbol, roots: list[sp.Expr]) -> Uniformization | None:
    bases = {t.base for t in roots}
    if len(bases) != 1:
        return None
    base = sp.expand(bases.pop())
    if not base.is_polynomial(u):
        return None
    degree = sp.degree(base, u)
    order = math.lcm(*(int(t.exp.q) for t in roots))
    w = sp.Dummy("w", positive=True)
    if degree == 1:
        slope, shift = base.coeff(u, 1), base.coeff(u, 0)
        inverse = (w**order - shift) / slope
        root, forward = w**order, base ** sp.Rational(1, order)
        table = {t: w ** int(t.exp * order) for t in roots}
        del root
    elif degree == 2 and order == 2:
        a, b, c = (base.coeff(u, k) for k in (2, 1, 0))
        if a.is_positive:
            # Euler's first substitution, sqrt = w - sqrt(a) u
            k = sp.sqrt(a)
            inverse = (w**2 - c) / (b + 2 * k * w)
            forward = sp.sqrt(base) + k * u
            root = w - k * inverse
        elif sp.factor(b**2 - 4 * a * c).is_positive:
            # Euler's substitution with the real zeros p < q of a concave radicand:
            # sqrt = (u - p) w, with no singularity inside of (p, q)
            gap = sp.factor(b**2 - 4 * a * c)
            p = (-b + sp.sqrt(gap)) / (2 * a)
            q = (-b - sp.sqrt(gap)) / (2 * a)
            inverse = (a * q - p * w**2) / (a - w**2)
            forward = sp.sqrt(base) / (u - p)
            root = (inverse - p) * w
        else:
            return None
        table = {t: sp.together(root) ** int(t.exp * 2) for t in roots}
    else:
        return None
    inside = e.xreplace(table)
    inside = (
        sp.cancel(sp.together(inside.xreplace({u: inverse})))
        if inside.has(u)
        else sp.cancel(sp.together(inside))
    )
    if not inside.is_rational_function(w):
        return None
    return Uniformization(inside, w, forward, sp.together(inverse))
