r"""The potential in x where it closes: gradient, Hessian, potential, and the conjugate pair.

Each form is found by an inverse function (of the formula for one parameter, of $x(\xi)$ else) and
certified: the Hessian against the metric, $F''(x(s))\,M = 1$, the gradient against the dual
variable, $F'(x(s)) = \xi(s)$, the potential by its derivative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.antiderivative import antiderivative
from theory.exact.assumptions import Ranges
from theory.exact.inverse import inverse
from theory.exact.shorten import shorten
from theory.exact.signs import is_analytic
from theory.exact.verdict import Certificate, Verdict
from theory.exact.zero import is_zero
from theory.mirror.dual_curve import DualCurve, denested, tidy_exponentials
from theory.mirror.legendre import CurveEnds

__all__ = ["ClosedForm", "closed_in_x", "closed_in_xi"]

_LARGE = 30
"""Operation count above which an antiderivative in x is not looked for."""

_SHORT = 14
"""Operation count up to which no shorter form of the mirror map is looked for."""


@dataclass(frozen=True)
class ClosedForm:
    """What closes, in the symbols x and xi; None where no closed form was found.

    All are normalized at the start: $F(x_0) = F'(x_0) = 0$ and $F^*(0) = 0$.
    """

    x: sp.Symbol
    xi: sp.Symbol
    potential: sp.Expr | None
    gradient: sp.Expr | None
    hessian: sp.Expr | None
    inverse_gradient: sp.Expr | None
    conjugate: sp.Expr | None
    certificates: tuple[Certificate, ...]


def _symbol_on(
    name: str, interval: tuple[sp.Expr | None, sp.Expr | None]
) -> tuple[sp.Symbol, Ranges]:
    lower, upper = interval
    if lower is not None and lower.is_nonnegative:
        symbol = sp.Symbol(name, positive=True)
        known = (lower, upper if upper is not None else sp.oo)
    elif upper is not None and upper.is_nonpositive:
        symbol = sp.Symbol(name, negative=True)
        known = (lower if lower is not None else -sp.oo, upper)
    else:
        symbol = sp.Symbol(name, real=True)
        known = (
            lower if lower is not None else -sp.oo,
            upper if upper is not None else sp.oo,
        )
    return symbol, {symbol: known}


def _proved(e: sp.Expr, ranges: Ranges) -> Verdict | None:
    try:
        verdict = is_zero(e, ranges)
    except (DomainError, UnsupportedFormula):
        return None
    return verdict if verdict.proved else None


def _setting(curve: DualCurve, ends: CurveEnds) -> tuple[ClosedForm, Ranges]:
    """The symbols x and xi with nothing closed yet, and the intervals of all symbols."""
    x, x_range = _symbol_on("x", ends.x)
    xi = sp.Symbol("xi", real=True)
    lower, upper = (
        infinite if end is None else end
        for end, infinite in zip(ends.dual, (-sp.oo, sp.oo), strict=True)
    )
    empty = ClosedForm(x, xi, None, None, None, None, None, ())
    return empty, dict(curve.ranges) | dict(x_range) | {xi: (lower, upper)}


def closed_in_x(curve: DualCurve, ends: CurveEnds) -> ClosedForm:
    """Hessian, mirror map and potential in x."""
    empty, ranges = _setting(curve, ends)
    s, x = curve.s, empty.x
    if s is None or curve.x is None or curve.dual is None:
        return empty
    s_of_x = _s_of_x(curve, x, ranges)
    if s_of_x is None:
        return empty
    certificates: list[Certificate] = []
    assert curve.rate is not None
    metric = sp.diff(curve.x, s) / curve.rate
    hessian = shorten((1 / metric).xreplace({s: s_of_x}), ranges)
    verdict = _proved(hessian.xreplace({x: curve.x}) * metric - 1, ranges)
    if verdict is None:
        verdict = _proved(hessian * metric.xreplace({s: s_of_x}) - 1, ranges)
    if verdict is None:
        return empty
    certificates.append(Certificate("F''(x) M = 1 along the curve", verdict))
    gradient = _gradient(curve, s_of_x, x, hessian, ranges, certificates)
    potential = None
    if gradient is not None:
        potential = _potential(curve, s_of_x, x, gradient, hessian, ranges, certificates)
    return replace(
        empty,
        potential=potential,
        gradient=gradient,
        hessian=hessian,
        certificates=tuple(certificates),
    )


def closed_in_xi(curve: DualCurve, ends: CurveEnds) -> ClosedForm:
    """Inverse mirror map and conjugate in xi."""
    empty, ranges = _setting(curve, ends)
    s, xi = curve.s, empty.xi
    if s is None or curve.x is None or curve.dual is None:
        return empty
    s_of_xi = _s_of_xi(curve, xi, ranges)
    if s_of_xi is None:
        return empty
    certificates: list[Certificate] = []
    k = _tidied(denested(shorten(curve.x.xreplace({s: s_of_xi}), ranges)), xi, ranges)
    conjugate = None
    if curve.conjugate is not None and not curve.conjugate.has(sp.Integral):
        conjugate = _tidied(shorten(curve.conjugate.xreplace({s: s_of_xi}), ranges), xi, ranges)
        verdict = _proved(sp.diff(conjugate, xi) - k, ranges)
        if verdict is None:
            conjugate = None
        else:
            certificates.append(Certificate("dF*/dxi is the inverse mirror map", verdict))
    return replace(empty, inverse_gradient=k, conjugate=conjugate, certificates=tuple(certificates))


def _tidied(e: sp.Expr, xi: sp.Symbol, ranges: Ranges) -> sp.Expr:
    """Hyperbolic functions for pairs of exponentials, where that is proved equal."""
    tidy = tidy_exponentials(e, xi)
    return tidy if tidy == e or _proved(tidy - e, ranges) is not None else e


def _s_of_x(curve: DualCurve, x: sp.Symbol, ranges: Ranges) -> sp.Expr | None:
    assert curve.s is not None and curve.x is not None and curve.s_start is not None
    if curve.x == curve.s:
        return x
    found = inverse(curve.x, curve.s, x, reference=_reference(curve), ranges=ranges)
    return None if found is None else found.expression


def _s_of_xi(curve: DualCurve, xi: sp.Symbol, ranges: Ranges) -> sp.Expr | None:
    assert curve.s is not None and curve.dual is not None
    if curve.dual == curve.s:
        return xi
    if curve.dual.has(sp.Integral):
        return None
    found = inverse(curve.dual, curve.s, xi, reference=_reference(curve), ranges=ranges)
    return None if found is None else found.expression


def _reference(curve: DualCurve) -> sp.Expr:
    """A point of the curve off the start, where formulas that vanish there still tell branches."""
    assert curve.s_start is not None
    if curve.kind == "one parameter":
        branch = curve.branches[0]
        assert branch is not None
        if curve.s_start != 0:
            return curve.s_start
        for candidate in (sp.Rational(2, 9), sp.Rational(-2, 9)):
            if (candidate - branch.lower).is_positive and (branch.upper - candidate).is_positive:
                return candidate
    return curve.s_start + sp.Rational(1, 1009) if curve.s_start.is_number else curve.s_start


def _at_start(e: sp.Expr, x: sp.Symbol, curve: DualCurve) -> sp.Expr | None:
    value = e.subs(x, curve.x0)
    return None if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo) else value


def _gradient(
    curve: DualCurve,
    s_of_x: sp.Expr | None,
    x: sp.Symbol,
    hessian: sp.Expr,
    ranges: Ranges,
    certificates: list[Certificate],
) -> sp.Expr | None:
    """F'(x) with F'(x_0) = 0: the antiderivative of F'' in x, or xi(s(x))."""
    along = None
    if s_of_x is not None and curve.dual is not None and not curve.dual.has(sp.Integral):
        along = curve.dual.xreplace({curve.s: s_of_x})

    def candidates() -> Iterator[sp.Expr]:
        if hessian.count_ops() < _LARGE:
            direct = antiderivative(
                hessian,
                x,
                reference=_sample(curve, ranges, x),
                ranges=ranges,
                seconds=1.0,
                own_rules=along is not None,
            )
            at = None if direct is None else _at_start(direct.expression, x, curve)
            if direct is not None and at is not None:
                yield direct.expression - at
        if along is not None:
            yield along

    best: sp.Expr | None = None
    for candidate in candidates():
        short = shorten(candidate, ranges)
        if best is not None and short.count_ops() >= best.count_ops():
            continue
        verdict = _proved(sp.diff(short, x) - hessian, ranges)
        at = _at_start(short, x, curve)
        if verdict is None or at is None or not _is_zero_number(at):
            continue
        if not is_analytic(short, ranges=ranges, meromorphic=False, variable=x):
            # the right derivative on both sides of a jump is not enough
            continue
        best = short
        certificates.append(Certificate("dF'/dx = F'' and F'(x_0) = 0", verdict))
        if best.count_ops() <= _SHORT:
            break
    return best


def _is_zero_number(e: sp.Expr) -> bool:
    if e == 0:
        return True
    try:
        return is_zero(e).proved
    except (DomainError, UnsupportedFormula):
        return False


def _sample(curve: DualCurve, ranges: Ranges, x: sp.Symbol) -> sp.Rational | None:
    lower, upper = ranges[x]
    for candidate in (
        sp.Rational(3, 7), sp.Rational(-3, 7), sp.Rational(10, 7), sp.Integer(3), sp.Integer(-3),
    ):  # fmt: skip
        if (candidate - lower).is_positive and (upper - candidate).is_positive:
            return candidate
    x0 = curve.x0
    return sp.Rational(str(sp.N(x0, 15))) if x0.is_number and x0 != 0 else None


def _potential(
    curve: DualCurve,
    s_of_x: sp.Expr | None,
    x: sp.Symbol,
    gradient: sp.Expr,
    hessian: sp.Expr,
    ranges: Ranges,
    certificates: list[Certificate],
) -> sp.Expr | None:
    """F(x) = x F'(x) - int x F''(x) dx, or x F' - F*(s(x)); zero at the start."""

    def candidates() -> Iterator[sp.Expr]:
        if hessian.count_ops() < _LARGE:
            moment = antiderivative(
                shorten(x * hessian, ranges, seconds=0.5),
                x,
                reference=_sample(curve, ranges, x),
                ranges=ranges,
                seconds=1.0,
                own_rules=True,
            )
            at = None if moment is None else _at_start(moment.expression, x, curve)
            if moment is not None and at is not None:
                yield x * gradient - moment.expression + at
        conjugate = curve.conjugate
        if conjugate is not None and not conjugate.has(sp.Integral) and s_of_x is not None:
            yield x * gradient - conjugate.xreplace({curve.s: s_of_x})

    for candidate in candidates():
        short = shorten(candidate, ranges)
        verdict = _proved(sp.diff(short, x) - gradient, ranges)
        at = _at_start(short, x, curve)
        smooth = is_analytic(short, ranges=ranges, meromorphic=False, variable=x)
        if verdict is not None and at is not None and _is_zero_number(at) and smooth:
            certificates.append(Certificate("dF/dx = F' and F(x_0) = 0", verdict))
            return short
    return None
