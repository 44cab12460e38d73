r"""Verdicts on definite integrals.

REFUTED: at an exact point of the parameters the enclosures of the integral and of the value are
disjoint, or the integral diverges. PROVED: an antiderivative with the proof of its derivative is
analytic on the whole interval, its limits at both ends are proved, and their difference is the
value. The enclosures of single points prove nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import sympy as sp
from flint import arb

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.reader import Reader
from theory.claims.statement import Domain, Point, names_of, undefined_at, value_at
from theory.errors import DomainError, FormulaError, UnsupportedFormula
from theory.exact.antiderivative import antiderivative
from theory.exact.balls import accurate_digits, enclose, precision, sign_of_number, to_rational
from theory.exact.budget import spent, time_budget
from theory.exact.definite import definite_integral
from theory.exact.limit_proofs import proved_limit
from theory.exact.signs import is_analytic, sign_on
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["integral_is"]

_POINTS = 16
_CANDIDATES = 160


def integral_is(
    f: Any,
    x: sp.Symbol | str,
    a: Any,
    b: Any,
    value: Any,
    assume: Mapping[Any, str] | None = None,
    *,
    seconds: float = 20.0,
) -> Verdict:
    r"""Whether $\int_a^b f\,dx$ exists and is the value, for all values of the other symbols.

    Parameters
    ----------
    f : sympy.Expr or str
        The integrand; it may have integrable singularities at the ends.
    x : sympy.Symbol or str
        The variable.
    a, b : sympy.Expr, number or str
        The ends, which may contain other symbols; ``"oo"`` and ``"-oo"`` are infinities.
    value : sympy.Expr, number or str
        The claimed value, finite.
    assume : mapping from name to str, optional
        Assumptions on the other symbols, which are real otherwise.
    seconds : float
        Time for the search of a proof.

    Raises
    ------
    FormulaError
        When the ends or the value contain the variable, or the value is infinite.

    Examples
    --------
    >>> print(integral_is("1/(1 + x**2)", "x", 0, "oo", "pi/2").status)
    PROVED
    >>> print(integral_is("x**(1/3)*sqrt(1 - x)", "x", 0, 1, "-0.4589").status)
    REFUTED
    >>> integral_is("exp(-a*x)", "x", 0, "oo", "1/a", assume={"a": "positive"}).proved
    True
    """
    reader = Reader(assume, x)
    integrand = reader.expression(f)
    lower, upper = reader.end(a), reader.end(b)
    target = reader.constant(value, "a value")
    question = _Question(integrand, lower, upper, target, reader)
    with time_budget(seconds):
        verdict = question.answer(seconds / 3)
    domain = question.domain
    return recorded(
        verdict,
        lambda: question_on(
            "integral", question.parameters, domain, function=question.f,
            variables=(reader.name,), lower=lower, upper=upper, value=target,
        ) | {"closed": [[symbol.name, term_of(end)] for symbol, end in domain.closed]},
    )  # fmt: skip


class _Question:
    """One integral: read, oriented, with its variable bound to a symbol of its own."""

    def __init__(self, f: sp.Expr, a: sp.Expr, b: sp.Expr, target: sp.Expr, reader: Reader) -> None:
        self.domain = reader.domain()
        self.name = reader.name
        self._start(reader.bind(f, sp.Dummy(reader.name, real=True)), a, b, target)

    def _start(self, f: sp.Expr, a: sp.Expr, b: sp.Expr, target: sp.Expr) -> None:
        self.f, self.a, self.b, self.target = f, a, b, target
        bound = [s for s in f.free_symbols if s.name == self.name and s.is_Dummy]
        self.u = bound[0] if bound else sp.Dummy(self.name, real=True)
        parts = f.free_symbols | a.free_symbols | b.free_symbols | target.free_symbols
        self.parameters = sorted(parts - {self.u}, key=lambda s: s.name)

    def answer(self, seconds: float) -> Verdict:
        """The verdict; so much time goes to single points, before a proof is looked for."""
        if any(e.has(sp.nan, sp.zoo) for e in (self.f, self.target)):
            raise FormulaError(f"Expected finite expressions but got {self.f}, {self.target}.")
        if self.a == self.b and self.a.is_infinite:
            raise FormulaError(f"Expected an interval but got ({self.a}, {self.b}).")
        with time_budget(seconds):
            refuted, digits, whole = self._compare()
        if refuted is not None:
            return refuted
        verdict = self._prove(whole)
        if verdict is None:
            compared = "no number was found at which both could be enclosed"
            if digits is not None:
                compared = "the enclosures agree at all points tried"
            return Verdict(Status.UNDECIDED, f"no proof was found; {compared}", digits=digits or 0)
        return self._with_ends(verdict, seconds)

    def _with_ends(self, verdict: Verdict, seconds: float) -> Verdict:
        """What is proved on the open domain must hold at its closed ends too."""
        if verdict.refuted:
            return verdict
        for s, end in self.domain.closed:
            if s not in self.parameters:
                continue
            there = _at_end(self, s, end)
            if any(e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) for e in (there.f, there.target)):
                return Verdict(
                    Status.UNDECIDED, f"{verdict.method}; but no formula at {s} = {end}", digits=0
                )
            at = there.answer(seconds)
            if at.refuted:
                witness = (at.witness or {}) | {s.name: str(end)}
                return Verdict(Status.REFUTED, at.method, witness=witness)
            if not at.proved:
                return Verdict(Status.UNDECIDED, f"at {s} = {end}: {at.method}", digits=at.digits)
        return verdict

    # -- numbers -----------------------------------------------------------------------------------

    def _compare(self) -> tuple[Verdict | None, int | None, bool]:
        """A refutation at an exact point, or the digits of agreement.

        The last answer is whether the integrand is known to be real on the whole interval, which
        the enclosure shows when there are no parameters.
        """
        digits: int | None = None
        found = 0
        for point in self._points():
            if found >= _POINTS or spent():
                break
            integral = self._enclosed(point)
            if integral is None:
                continue
            value = value_at(self.target, point)
            if value is None:
                reason = undefined_at(self.target, point)
                if reason is not None:
                    return self._no_value(point, integral, reason), None, False
                continue
            found += 1
            if not integral.overlaps(value):
                return self._disjoint(point, integral, value), None, False
            here = min(accurate_digits(integral), 300)
            digits = here if digits is None else min(digits, here)
        return None, digits, bool(found and not self.parameters)

    def _points(self) -> list[Point]:
        """Exact points, every pattern of signs in turn: branches go wrong where a sign changes."""
        groups: dict[tuple[bool, ...], list[Point]] = {}
        for point in self.domain.points(self.parameters, _CANDIDATES):
            signs = tuple(bool(point[s] > 0) for s in self.parameters)
            zeros = tuple(bool(point[s] == 0) for s in self.parameters)
            groups.setdefault((*signs, *zeros), []).append(point)
        turns = itertools.zip_longest(*groups.values())
        return [point for turn in turns for point in turn if point is not None]

    def _enclosed(self, point: Point) -> arb | None:
        f, a, b = (e.xreplace(point) for e in (self.f, self.a, self.b))
        if any(e.has(sp.nan, sp.zoo, sp.I) for e in (f, a, b)):
            return None
        try:
            value = definite_integral(f, self.u, a, b)
        except UnsupportedFormula:
            return None
        return value if value.is_finite() else None

    def _disjoint(self, point: Point, integral: arb, value: arb) -> Verdict:
        return Verdict(
            Status.REFUTED,
            f"the integral is in {integral.str(15)} and the value in {value.str(15)} there",
            witness=names_of(point),
        )

    def _no_value(self, point: Point, integral: arb, reason: str) -> Verdict:
        return Verdict(
            Status.REFUTED,
            f"the integral is in {integral.str(15)} and the value is not real there ({reason})",
            witness=names_of(point),
        )

    # -- proof -------------------------------------------------------------------------------------

    def _prove(self, whole: bool) -> Verdict | None:
        if self.a == self.b:
            return self._is_value(sp.S.Zero, "the interval is empty")
        for low, high, sign in self._intervals():
            verdict = self._on(low, high, sign, whole)
            if verdict is not None:
                return verdict
        return None

    def _intervals(self) -> list[tuple[sp.Expr, sp.Expr, int]]:
        """Where the antiderivative must be analytic, and the orientation."""
        a, b = self.a, self.b
        order: int | None
        if a == -sp.oo or b is sp.oo:
            order = 1
        elif a is sp.oo or b == -sp.oo:
            order = -1
        else:
            gap = b - a
            order = sign_on(gap, self.domain.ranges) if gap.free_symbols else sign_of_number(gap)
        out = []
        if order is not None:
            out = [(a, b, 1) if order > 0 else (b, a, -1)]
            if a.is_infinite or b.is_infinite:
                return out
        # in either order, where it is analytic on a line that contains both ends
        if all(sign_on(e, self.domain.ranges) == 1 for e in (a, b)):
            return [*out, (sp.S.Zero, sp.oo, 0)]
        return [*out, (-sp.oo, sp.oo, 0)]

    def _on(self, low: sp.Expr, high: sp.Expr, sign: int, whole: bool) -> Verdict | None:
        u = sp.Dummy(self.name, **_sign_of(low, high))
        f = self.f.xreplace({self.u: u})
        ranges = dict(self.domain.ranges)
        if (low, high) not in ((-sp.oo, sp.oo), (sp.S.Zero, sp.oo), (-sp.oo, sp.S.Zero)):
            ranges[u] = (low, high)
        if not whole and not is_analytic(f, ranges=ranges, meromorphic=False):
            return None
        if f.has(u):
            found = antiderivative(f, u, reference=_inside(low, high), ranges=ranges)
            if found is None or not found.certificate.proved or not found.continuous:
                return None
            big, route = found.expression, found.certificate.verdict.method
        else:
            big, route = f * u, "constant integrand"
        # defined for all parameters, and not only where it happens to be
        if not is_analytic(big, ranges=ranges, meromorphic=False):
            return None
        if sign == 0:
            ends = [big.xreplace({u: self.a}), big.xreplace({u: self.b})]
        else:
            points = ((self.a, "+"), (self.b, "-")) if sign > 0 else ((self.a, "-"), (self.b, "+"))
            ends = []
            for point, direction in points:
                value = proved_limit(big, u, point, direction, self.domain.ranges)
                if value is None:
                    return None
                ends.append(value)
        shown = big.xreplace({u: sp.Symbol(self.name)})
        method = f"antiderivative {shown}, analytic on the interval ({route})"
        if any(e.is_infinite for e in ends):
            return self._divergent(method)
        return self._is_value(ends[1] - ends[0], method)

    def _divergent(self, method: str) -> Verdict | None:
        point = next(iter(self.domain.points(self.parameters, 1)), None)
        if point is None:
            return None
        return Verdict(
            Status.REFUTED,
            f"the integral diverges: infinite limit of the {method}",
            witness=names_of(point),
        )

    def _is_value(self, difference: sp.Expr, method: str) -> Verdict | None:
        """The last step. The enclosures have not refuted it, so what is not zero is undecided."""
        if difference.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            return None
        try:
            same = is_zero(difference - self.target, self.domain.ranges)
        except (DomainError, UnsupportedFormula):
            return None
        if same.refuted:
            return Verdict(Status.REFUTED, f"{method}; {same.method}", witness=same.witness)
        if not same.proved:
            return None
        conditions = same.conditions
        if not is_analytic(self.target, ranges=self.domain.ranges, meromorphic=False):
            conditions = (*conditions, "the value is defined")
        return Verdict(Status.PROVED, f"{method}; {same.method}", conditions)


def _at_end(question: _Question, s: sp.Symbol, end: sp.Expr) -> _Question:
    there = object.__new__(_Question)
    ranges = {k: v for k, v in question.domain.ranges.items() if k != s}
    closed = tuple((t, e) for t, e in question.domain.closed if t != s)
    there.domain, there.name = Domain(ranges, (), closed), question.name
    parts = (question.f, question.a, question.b, question.target)
    there._start(*(e.xreplace({s: end}) for e in parts))
    return there


def _sign_of(low: sp.Expr, high: sp.Expr) -> dict[str, bool]:
    if low.is_nonnegative:
        return {"positive": True}
    return {"negative": True} if high.is_nonpositive else {"real": True}


def _inside(low: sp.Expr, high: sp.Expr) -> sp.Rational | None:
    """A rational point of an interval with numeric ends."""
    if low.free_symbols or high.free_symbols:
        return None
    with precision(64):
        if low.is_finite and high.is_finite:
            return to_rational(enclose((low + high) / 2, {}), 20)
        if low.is_finite:
            return to_rational(enclose(low + sp.Rational(3, 7), {}), 20)
        if high.is_finite:
            return to_rational(enclose(high - sp.Rational(3, 7), {}), 20)
    return None
