r"""Certified antiderivatives.

A ladder proposes: linearity and the power rule, substitution by a uniformizer that makes the
integrand rational (then the complete algorithm for rational functions), Laurent polynomials times
powers of the logarithm, integration by parts, and at last SymPy's own integrators behind the
guarded door. Whatever proposed it, a result is returned only with the proof that its derivative is
the integrand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy as sp
from sympy.integrals.manualintegrate import manualintegrate
from sympy.integrals.rationaltools import ratint

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.guard import evaluated, proposal
from theory.exact.signs import is_analytic
from theory.exact.uniformize import uniformize
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero

__all__ = ["Antiderivative", "antiderivative"]


@dataclass(frozen=True, slots=True)
class Antiderivative:
    """An antiderivative with the proof of its derivative.

    Parameters
    ----------
    expression : sympy.Expr
    certificate : Certificate
    continuous : bool
        Whether it is proved that the expression has no jump on the whole range of the variable, so
        that differences of it are definite integrals. The derivative alone does not say so:
        atan(tan(u/2)/sqrt(3)) has the right one on both sides of its jump at pi.
    """

    expression: sp.Expr
    certificate: Certificate
    continuous: bool


def antiderivative(
    f: sp.Expr,
    u: sp.Symbol,
    *,
    reference: sp.Rational | None = None,
    ranges: Ranges | None = None,
    seconds: float = 1.5,
    own_rules: bool = False,
) -> Antiderivative | None:
    r"""An expression F with $dF/du = f$, proved, or None when the ladder finds none.

    Parameters
    ----------
    f : sympy.Expr
        The integrand.
    u : sympy.Symbol
        The variable, with its assumptions.
    reference : sympy.Rational, optional
        A point of the interval of interest; logarithms are made real there.
    ranges : mapping, optional
        Intervals of the symbols, for the certificate.
    seconds : float
        Limit for each call of SymPy.
    own_rules : bool
        Leave out SymPy's own integrators, which are slow and seldom find what the others do not.

    Examples
    --------
    >>> u = sp.Symbol("u", positive=True)
    >>> antiderivative(1 / sp.cosh(u), u).expression
    2*atan(exp(u))
    """
    if reference is None:
        reference = sp.Rational(-3, 7) if u.is_negative else sp.Rational(3, 7)
    first: Antiderivative | None = None
    for route, candidate in _proposals(f, u, seconds, own_rules):
        if first is not None and route == "substitution rules":
            break
        if candidate is None or not evaluated(candidate):
            continue
        result = _real_logarithms(candidate, u, reference)
        if not evaluated(result):
            continue
        try:
            verdict = is_zero(sp.diff(result, u) - f, ranges)
        except (DomainError, UnsupportedFormula):
            continue
        if verdict.proved:
            certificate = Certificate(
                f"d/d{u.name} of the antiderivative is the integrand", verdict, route
            )
            found = Antiderivative(
                result,
                certificate,
                is_analytic(result, ranges=ranges, meromorphic=False, variable=u),
            )
            if found.continuous:
                return found
            first = first or found
    return first


def _proposals(
    f: sp.Expr, u: sp.Symbol, seconds: float, own_rules: bool
) -> Iterator[tuple[str, sp.Expr | None]]:
    yield "power rule", _termwise(f, u, _power_rule)
    yield "uniformization and rational integration", _by_uniformizer(f, u, seconds)
    for name, method in (
        ("termwise", _by_terms),
        ("integration by parts", _all_by_parts),
    ):
        yield name, proposal(method, f, u, seconds, seconds=seconds)
    yield "exponential integrals", proposal(_by_exponentials, f, u, seconds=seconds / 2)
    if own_rules:
        return
    for name, method_of_sympy in (
        ("substitution rules", manualintegrate),
        ("integration", _integrate),
    ):
        yield name, proposal(method_of_sympy, f, u, seconds=seconds)


def _by_terms(f: sp.Expr, u: sp.Symbol, seconds: float) -> sp.Expr | None:
    return _termwise(sp.expand(f), u, lambda t, v: _elementary_term(t, v, seconds))


def _by_exponentials(f: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    # the denominator stays in factors
    numerator, denominator = sp.fraction(sp.together(f))
    denominator = sp.factor(sp.factor_terms(denominator))
    terms = (t / denominator for t in sp.Add.make_args(sp.expand(numerator)))
    return _termwise(sp.Add(*map(sp.powsimp, terms)), u, _exponential_integral)


def _all_by_parts(f: sp.Expr, u: sp.Symbol, seconds: float) -> sp.Expr | None:
    return _termwise(sp.expand(f), u, lambda t, v: _by_parts(t, v, seconds))


def _integrate(f: sp.Expr, u: sp.Symbol) -> sp.Expr:
    return sp.integrate(f, u)


def _termwise(
    f: sp.Expr, u: sp.Symbol, rule: Callable[[sp.Expr, sp.Symbol], sp.Expr | None]
) -> sp.Expr | None:
    total = sp.S.Zero
    for term in sp.Add.make_args(f):
        constant, rest = term.as_independent(u, as_Add=False)
        part = rule(sp.powsimp(rest), u)
        if part is None:
            return None
        total += constant * part
    return total


def _power_rule(t: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    if t == 1:
        return u
    base, exponent = t.as_base_exp()
    if exponent.has(u) or not base.is_polynomial(u) or sp.degree(base, u) != 1:
        return None
    slope = base.coeff(u, 1)
    if sp.expand(exponent + 1) == 0:
        return sp.log(base) / slope
    # for a symbolic exponent: the generic case, exponent != -1
    return base ** sp.expand(exponent + 1) / sp.expand(exponent + 1) / slope


def _elementary_term(t: sp.Expr, u: sp.Symbol, seconds: float) -> sp.Expr | None:
    simple = _power_rule(t, u)
    if simple is not None:
        return simple
    rational = _by_uniformizer(t, u, seconds)
    if rational is not None:
        return rational
    return _laurent_logarithm(t, u)


def _by_uniformizer(f: sp.Expr, u: sp.Symbol, seconds: float) -> sp.Expr | None:
    change = uniformize(f, u)
    if change is None:
        return None
    integrand = sp.together(change.integrand * sp.diff(change.inverse, change.w))
    w = change.w
    if integrand.is_rational_function(w):
        answer = proposal(_rational, sp.cancel(integrand), w, seconds=seconds)
        if answer is None or not evaluated(answer):
            return None
        return answer.xreplace({w: change.forward})
    inner = _termwise(sp.expand(integrand), w, _laurent_logarithm)
    if inner is None:
        inner = _termwise(sp.expand(integrand), w, lambda t, v: _dilogarithm(t, v, seconds))
    return None if inner is None else inner.xreplace({w: change.forward})


def _rational(f: sp.Expr, w: sp.Symbol) -> sp.Expr:
    plain = sp.Dummy("w", real=True)
    return ratint(f.xreplace({w: plain}), plain, real=True).xreplace({plain: w})


def _laurent_logarithm(t: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    """u**n log(u)**j, by the reduction in j."""
    powers = t.as_powers_dict()
    n, j = sp.S.Zero, 0
    for base, exponent in powers.items():
        if base == u and not exponent.has(u):
            n = exponent
        elif base == sp.log(u) and exponent.is_Integer and exponent >= 0:
            j = int(exponent)
        elif base.has(u):
            return None
    if j > 12:
        return None
    rest = sp.cancel(t / (u**n * sp.log(u) ** j)) if j else t / u**n
    if rest.has(u):
        return None
    if sp.expand(n + 1) == 0:
        return rest * sp.log(u) ** (j + 1) / (j + 1)
    total, coefficient = sp.S.Zero, sp.S.One
    for k in range(j, -1, -1):
        total += coefficient * sp.log(u) ** k * u ** (n + 1) / (n + 1)
        coefficient = -coefficient * k / (n + 1)
    return rest * total


_INVERSE = (sp.log, sp.asinh, sp.acosh, sp.atanh, sp.asin, sp.acos, sp.atan, sp.erf, sp.erfi)


def _by_parts(t: sp.Expr, u: sp.Symbol, seconds: float) -> sp.Expr | None:
    """G h with one inverse function g: g H - int g' H with H = int h."""
    factors = [a for a in sp.Mul.make_args(t) if isinstance(a, _INVERSE) and a.has(u)]
    if len(factors) != 1:
        return _elementary_term(t, u, seconds)
    g = factors[0]
    rest = t / g
    if rest.has(*_INVERSE):
        return None
    outer = _termwise(sp.expand(rest), u, lambda a, v: _elementary_term(a, v, seconds))
    if outer is None or not evaluated(outer):
        return None
    inner = sp.expand(sp.together(outer * sp.diff(g, u)))
    remaining = _by_uniformizer(inner, u, seconds)
    if remaining is None:
        remaining = _termwise(inner, u, lambda a, v: _elementary_term(a, v, seconds))
    return None if remaining is None else g * outer - remaining


def _dilogarithm(t: sp.Expr, w: sp.Symbol, seconds: float) -> sp.Expr | None:
    r"""w**n log(R): by parts, and $\int\log(1 + c w^m)/w = -\mathrm{Li}_2(-c w^m)/m$ for n = -1."""
    simple = _laurent_logarithm(t, w)
    if simple is not None:
        return simple
    logs = [a for a in sp.Mul.make_args(t) if isinstance(a, sp.log) and a.has(w)]
    if len(logs) != 1:
        rational = sp.cancel(t)
        if rational.is_rational_function(w):
            answer = proposal(_rational, rational, w, seconds=seconds)
            return answer if answer is not None and evaluated(answer) else None
        return None
    g = logs[0]
    n = sp.cancel(t / g)
    if not n.is_rational_function(w):
        return None
    if sp.cancel(n * w).is_number:
        inside = sp.expand(g.args[0])
        terms = sp.Add.make_args(inside)
        if len(terms) == 2 and sp.S.One in terms:
            c, power = (inside - 1).as_independent(w, as_Add=False)
            m = power.as_base_exp()[1]
            if m.is_Rational and power == w**m:
                return -sp.cancel(n * w) * sp.polylog(2, -c * power) / m
        return None
    outer = proposal(_rational, n, w, seconds=seconds)
    if outer is None or not evaluated(outer) or not outer.is_rational_function(w):
        return None
    inner = proposal(_rational, sp.cancel(outer * sp.diff(g, w)), w, seconds=seconds)
    return None if inner is None or not evaluated(inner) else g * outer - inner


def _exponential_integral(t: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    """R(u) exp(a u + b) with a rational R: partial fractions and the exponential integral."""
    exponentials = [a for a in sp.Mul.make_args(sp.powsimp(t)) if isinstance(a, sp.exp)]
    if len(exponentials) != 1:
        return None
    e = exponentials[0]
    argument = sp.expand(e.args[0])
    a = argument.coeff(u, 1)
    rational = sp.cancel(sp.powsimp(t) / e)
    if a == 0 or a.has(u) or (argument - a * u).has(u) or not rational.is_rational_function(u):
        return None
    total = sp.S.Zero
    for part in sp.Add.make_args(sp.apart(rational, u)):
        numerator, denominator = sp.fraction(sp.together(part))
        if not denominator.has(u):
            polynomial = sp.Poly(part, u)
            term, sign, current = sp.S.Zero, 1, polynomial.as_expr()
            for k in range(polynomial.degree() + 1):
                term += sign * current / a ** (k + 1)
                sign, current = -sign, sp.diff(current, u)
            total += term * e
            continue
        base, m = sp.factor(denominator).as_independent(u, as_Add=False)[1].as_base_exp()
        if sp.degree(base, u) != 1 or numerator.has(u) or not m.is_Integer:
            return None
        slope = base.coeff(u, 1)
        shift = base.coeff(u, 0) / slope
        scale = sp.cancel(part * (u + shift) ** m)
        m = int(m)
        reduced = sp.exp(argument - a * (u + shift)) * sp.Ei(a * (u + shift))
        for k in range(1, m):
            reduced = -e / (k * (u + shift) ** k) + a / k * reduced
        total += scale * reduced
    return total


def _real_logarithms(e: sp.Expr, u: sp.Symbol, reference: sp.Rational) -> sp.Expr:
    """log(g) with g < 0 at the reference point becomes log(-g): a change by a constant."""
    values: dict[sp.Symbol, sp.Rational] = {}
    for i, s in enumerate(sorted(e.free_symbols, key=lambda s: s.name)):
        value = sp.Rational(5 + 2 * i, 7)
        values[s] = reference if s == u else -value if s.is_negative else value
    symbols = list(values)
    replaced: dict[sp.Expr, sp.Expr] = {}
    with precision(96):
        balls = [rational_ball(values[s]) for s in symbols]
        for atom in e.atoms(sp.log):
            try:
                (value,) = Program([atom.args[0]], symbols)(balls)
            except UnsupportedFormula:
                continue
            if value < 0:
                replaced[atom] = sp.log(sp.expand(-atom.args[0]))
    return e.xreplace(replaced)
