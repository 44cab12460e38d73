r"""Bounds of an integrand next to a singular end, and of its integral there.

The end is moved to $s \to 0^+$. An expression is written as $s^k y^j h$ with h in a ball, where
$y = e^{-c/s}$ occurs at infinite ends only; from such forms follows a majorant
$C s^p |\log s|^m$ on $(0, \delta]$, whose integral is known when $p > -1$. Every step is an
inequality that holds on the whole of $(0, \delta]$, so an expression without a real value
somewhere in there has no majorant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import sympy as sp
from flint import arb, fmpq

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.balls import Program, rational_ball, whole_power
from theory.exact.zero import is_zero

__all__ = ["Corner", "Majorant"]

_BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.atan, sp.erf, sp.sign, sp.sech)
_JUMPS = (sp.Piecewise, sp.sign, sp.floor, sp.ceiling, sp.Heaviside, sp.Max, sp.Min)
_DIVISIONS = 4


class Majorant(NamedTuple):
    """$|e| \\le C s^p |\\log s|^m$ on $(0, \\delta]$."""

    c: arb
    p: sp.Rational
    m: int

    def integral(self, w: int) -> arb | None:
        r"""A bound of $\int_0^\delta C s^p |\log s|^m\,ds$ for $\delta = e^{-w}$; None if infinite.

        With $q = p + 1$ it is $C e^{-qw} \sum_j \frac{m!}{(m-j)!} w^{m-j} q^{-j-1}$.
        """
        if self.p <= -1:
            return None
        q = rational_ball(self.p + 1)
        total, factor = arb(0), arb(1)
        for j in range(self.m + 1):
            total += factor * arb(w) ** (self.m - j) / q ** (j + 1)
            factor *= self.m - j
        return arb((self.c * (-q * w).exp() * total).abs_upper())


class _Form(NamedTuple):
    """$s^k y^j h$ with h in the ball."""

    k: sp.Rational
    j: sp.Rational
    h: arb


@dataclass(frozen=True)
class Corner:
    """The half-open interval $0 < s \\le e^{-w}$ next to a singular end.

    Parameters
    ----------
    s : sympy.Symbol
        Positive.
    w : int
        At least 2, so that $|\\log s| > 1$.
    y : sympy.Symbol, optional
        Stands for $e^{-c/s}$.
    rate : sympy.Rational
        The c of y.
    """

    s: sp.Symbol
    w: int
    y: sp.Symbol | None = None
    rate: sp.Rational = sp.S.One

    def _symbols(self) -> list[sp.Symbol]:
        return [self.s] if self.y is None else [self.s, self.y]

    def _ball(self, e: sp.Expr) -> arb | None:
        """The values on the closed box, when they are finite."""
        delta = arb(-self.w).exp()
        box = [delta.union(arb(0))]
        if self.y is not None:
            box.append((-rational_ball(self.rate) / delta).exp().union(arb(0)))
        try:
            value = Program([e], self._symbols())(box)[0]
        except UnsupportedFormula:
            return None
        return value if value.is_finite() else None

    def form(self, e: sp.Expr, depth: int = _DIVISIONS) -> _Form | None:
        """The expression as a monomial times a ball; the ball excludes zero where possible."""
        zero = sp.S.Zero
        if e == self.s:
            return _Form(sp.S.One, zero, arb(1))
        if e == self.y:
            return _Form(zero, sp.S.One, arb(1))
        if e.is_Mul:
            parts = [self.form(a, depth) for a in e.args]
            if any(p is None for p in parts):
                return None
            k = sum((p.k for p in parts if p), zero)
            j = sum((p.j for p in parts if p), zero)
            h = arb(1)
            for p in parts:
                h = h * p.h if p else h
            return _Form(k, j, h) if h.is_finite() else None
        if e.is_Pow and not isinstance(e, sp.exp) and e.exp.is_Rational:
            return self._power(self.form(e.base, depth), e.exp)
        value = self._ball(e)
        if value is not None and not value.contains(0):
            return _Form(zero, zero, value)
        if value is not None and depth:
            divided = self._divided(e, depth)
            if divided is not None:
                return divided
        if e.is_Add:
            collected = self._collected(e, depth)
            if collected is not None and (value is None or not collected.h.contains(0)):
                return collected
        if value is None and isinstance(e, _BOUNDED) and self.majorant(e.args[0]) is not None:
            value = arb(0, 2)
        return None if value is None else _Form(zero, zero, value)

    def _power(self, base: _Form | None, r: sp.Rational) -> _Form | None:
        if base is None or (not r.is_Integer and not base.h > 0):
            return None
        if r < 0 and base.h.contains(0):
            return None
        if r.is_Integer:
            h = whole_power(base.h, int(r)) if r > 0 else 1 / base.h ** int(-r)
        else:
            h = (rational_ball(r) * base.h.log()).exp()
        return _Form(base.k * r, base.j * r, h) if h.is_finite() else None

    def _divided(self, e: sp.Expr, depth: int) -> _Form | None:
        """e(0) = 0 and hence e = v e'(v*) by the mean value theorem, for v = s or v = y."""
        if e.has(*_JUMPS):
            return None
        for v in self._symbols():
            if not e.has(v) or not _vanishes(e.subs(v, 0)):
                continue
            slope = sp.diff(e, v)
            value = self._ball(slope)
            if value is None:
                continue
            if v == self.y:
                return _Form(sp.S.Zero, sp.S.One, value)
            higher = self._higher(slope, v, depth) if value.contains(0) else None
            return higher or _Form(sp.S.One, sp.S.Zero, value)
        return None

    def _higher(self, slope: sp.Expr, v: sp.Symbol, depth: int) -> _Form | None:
        # a zero of higher order: e = v^n e^(n)(v*)/n!
        factorial = 1
        for n in range(2, depth + 1):
            if not _vanishes(slope.subs(v, 0)):
                return None
            slope = sp.diff(slope, v)
            factorial *= n
            value = self._ball(slope)
            if value is None:
                return None
            if not value.contains(0):
                return _Form(sp.Integer(n), sp.S.Zero, value / factorial)
        return None

    def _collected(self, e: sp.Expr, depth: int) -> _Form | None:
        """A sum of monomials times balls, with the largest monomial taken out."""
        parts = [self.form(a, depth) for a in e.args]
        forms = [p for p in parts if p is not None]
        if len(forms) < len(parts):
            return None
        j = min(p.j for p in forms)
        # y is smaller than every power of s
        k = min(p.k for p in forms if p.j == j)
        rest = [(p.k - k, p.j - j, p.h) for p in forms]
        if any(dk < 0 for dk, _, _ in rest):
            return None
        total = arb(0)
        for dk, dj, h in rest:
            monomial = self.s**dk * (self.y**dj if self.y is not None else 1)
            value = arb(1) if monomial == 1 else self._ball(monomial)
            if value is None:
                return None
            total += h * value
        return _Form(k, j, total) if total.is_finite() else None

    def majorant(self, e: sp.Expr) -> Majorant | None:
        """C, p and m, or None when no rule applies.

        Examples
        --------
        >>> s = sp.Symbol("s", positive=True)
        >>> Corner(s, 20).majorant(sp.log(s) / sp.sqrt(s))[1:]
        (-1/2, 1)
        >>> Corner(s, 20).majorant(sp.sin(s) / s)[1:]
        (0, 0)
        """
        form = self.form(e)
        if form is not None:
            return self._of_form(form)
        if e.is_Add:
            parts = [self.majorant(a) for a in e.args]
            found = [p for p in parts if p is not None]
            if len(found) < len(parts):
                return None
            c = sum((p.c for p in found), arb(0))
            return Majorant(c, min(p.p for p in found), max(p.m for p in found))
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow and e.exp.is_Integer and e.exp > 0:
            inner = self.majorant(e.base)
            n = int(e.exp)
            return None if inner is None else Majorant(inner.c**n, inner.p * n, inner.m * n)
        if isinstance(e, sp.exp):
            return self._exponential(e.args[0])
        if isinstance(e, sp.log):
            return self._logarithm(e.args[0])
        if isinstance(e, sp.Abs):
            return self.majorant(e.args[0])
        return None

    def _product(self, e: sp.Expr) -> Majorant | None:
        plain = [a for a in e.args if not isinstance(a, sp.exp)]
        exponents = [a.args[0] for a in e.args if isinstance(a, sp.exp)]
        parts = [self.majorant(a) for a in plain]
        if exponents:
            parts.append(self.majorant(sp.exp(sp.expand(sp.Add(*exponents)))))
        c, p, m = arb(1), sp.S.Zero, 0
        for part in parts:
            if part is None:
                return None
            c, p, m = c * part.c, p + part.p, m + part.m
        return Majorant(c, p, m)

    def _of_form(self, form: _Form) -> Majorant | None:
        c = arb(form.h.abs_upper())
        if form.j < 0:
            return None
        if form.j == 0:
            return Majorant(c, form.k, 0)
        decay = self._decay(rational_ball(form.j * self.rate), sp.S.One)
        return None if decay is None else Majorant(c * decay.c, form.k + decay.p, 0)

    def _decay(self, c: arb, k: sp.Rational) -> Majorant | None:
        r"""$e^{-c s^{-k}} \le (M/(ec))^M s^{kM}$ for every M > 0; the best M is $c\delta^{-k}$."""
        best = (c.log() + rational_ball(k) * self.w).exp()
        if not (c > 0 and best > arb(1)):
            return None
        m = 300 if best > 300 else int(best.lower().floor().unique_fmpz() or 1)
        bound = (m * (arb(m) / c).log() - m).exp()
        return Majorant(arb(bound.abs_upper()), k * m, 0)

    def _exponential(self, g: sp.Expr) -> Majorant | None:
        form = self.form(sp.expand(g))
        if form is None:
            inner = self.majorant(g)
            size = None if inner is None else self._largest(inner)
            return None if size is None else Majorant(arb(size.exp().abs_upper()), sp.S.Zero, 0)
        if form.j != 0 or form.k >= 0 or not form.h < 0:
            return None
        return self._decay(arb((-form.h).abs_lower()), -form.k)

    def _largest(self, bound: Majorant) -> arb | None:
        """The value of a majorant at the far end, when it increases up to there."""
        # s^p |log s|^m increases as long as |log s| > m/p
        if bound.p < 0 or bound.m > bound.p * self.w:
            return None
        return bound.c * (-rational_ball(bound.p) * self.w).exp() * arb(self.w) ** bound.m

    def _logarithm(self, g: sp.Expr) -> Majorant | None:
        form = self.form(g)
        if form is not None and form.j == 0 and form.h > 0:
            size = abs(rational_ball(form.k)) + abs(form.h.log())
            return Majorant(arb(size.abs_upper()), sp.S.Zero, 1)
        near_one = self.majorant(g - 1)
        if near_one is None or near_one.p <= 0:
            return None
        largest = self._largest(near_one)
        # |log(1 + g)| <= 2|g| for |g| <= 1/2
        if largest is None or not largest < arb(fmpq(1, 2)):
            return None
        return Majorant(2 * near_one.c, near_one.p, near_one.m)


def _vanishes(e: sp.Expr) -> bool:
    if e == 0:
        return True
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return False
    if not e.free_symbols and sp.expand(e) == 0:
        return True
    try:
        return is_zero(e, seconds=0.5).proved
    except (DomainError, UnsupportedFormula):
        return False
