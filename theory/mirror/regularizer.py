r"""The implicit regularizer of a start, and its limits as the start becomes tiny or huge.

The flow converges to the interpolator with the smallest $\sum_i D_F(x_i, x_{0,i})$. As a start
parameter a tends to 0 or to infinity, $D_F(x, x_0) = g_1(a) c_1(x) + g_2(a) c_2(x) + \dots$ with
gauges $g = a^k \log(1/a)^m$: $c_1$ is the limit regularizer, $g_1$ its scale, $g_2/g_1$ the rate.
Exponents are read off in ball arithmetic at extreme a; every coefficient is a limit that is then
checked in ball arithmetic again.

Where the potential does not close in x, but the formula is homogeneous of degree L and the start a
multiple of a, $D_F(x) = a^2 f(x/a^L)$, and the asymptotics of f follow from its parametric form.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp
from flint import arb

from theory.errors import AssumptionError, DomainError, NotClosedForm, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.budget import time_budget
from theory.exact.expansions import limit_by_expansion
from theory.exact.limits import CertifiedLimit, certified_limit
from theory.exact.shorten import shorten
from theory.exact.signs import sign_on, unbounded
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.mirror.mirror_flow import MirrorFlow

__all__ = ["Expansion", "Regularizer", "RegularizerLimit", "Term"]

SECONDS = 12.0
"""CPU time that one limit or expansion may take."""

_MOST_TERMS = 4
"""Where the search for a term with x ends."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an expansion: gauge(a) * coefficient(x)."""

    gauge: sp.Expr
    coefficient: sp.Expr


@dataclass(frozen=True, slots=True)
class Expansion:
    """The regularizer as a sum of gauges times functions of x, for x on one side of zero.

    Parameters
    ----------
    symbol, point : sympy.Symbol, sympy.Expr
        The start parameter, and where it tends to (0 or oo).
    x : sympy.Symbol
    terms : tuple of Term
        From the largest to the smallest.
    certificates : tuple of Certificate
    next_gauge : sympy.Expr or None
        The order of the first term that is left out, where it was found.
    """

    symbol: sp.Symbol
    point: sp.Expr
    x: sp.Symbol
    terms: tuple[Term, ...]
    certificates: tuple[Certificate, ...]
    next_gauge: sp.Expr | None = None

    @property
    def expression(self) -> sp.Expr:
        """The sum of the terms."""
        return sp.Add(*(t.gauge * t.coefficient for t in self.terms))

    def __str__(self) -> str:
        return f"{self.expression} + ...  ({self.symbol} -> {self.point})"

    def _repr_latex_(self) -> str:
        return f"${sp.latex(self.expression)} + \\dots$"


@dataclass(frozen=True, slots=True)
class RegularizerLimit:
    """The limit regularizer with its scale and rate.

    Parameters
    ----------
    scale : sympy.Expr
        g(a) with (D_F(x, x_0) - dropped(a)) / g(a) -> function(x).
    function : sympy.Expr
        The limit regularizer in x.
    rate : sympy.Expr or None
        The order of the relative error; None when the next term was not found.
    dropped : sympy.Expr
        Leading terms without x; they move no minimizer.
    """

    symbol: sp.Symbol
    point: sp.Expr
    x: sp.Symbol
    scale: sp.Expr
    function: sp.Expr
    rate: sp.Expr | None
    certificates: tuple[Certificate, ...]
    dropped: sp.Expr = sp.S.Zero

    def __str__(self) -> str:
        rate = f", relative error of order {self.rate}" if self.rate is not None else ""
        where = f"{self.symbol} -> {self.point}"
        moving = "D_F(x, x_0)" if self.dropped == 0 else f"(D_F(x, x_0) - ({self.dropped}))"
        return f"{moving} / ({self.scale}) -> {self.function} as {where}{rate}"

    def _repr_latex_(self) -> str:
        moving = "D_F(x, x_0)"
        if self.dropped != 0:
            moving += rf" - \left({sp.latex(self.dropped)}\right)"
        return (
            rf"$\frac{{{moving}}}{{{sp.latex(self.scale)}}} \to {sp.latex(self.function)}$ as "
            rf"${sp.latex(self.symbol)} \to {sp.latex(self.point)}$"
        )


@dataclass(frozen=True)
class Regularizer:
    """The implicit regularizer of a mirror flow, one coordinate of it.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.mirror.mirror_flow import mirror_flow
    >>> a = sp.Symbol("alpha", positive=True)
    >>> u, v = sp.symbols("u v", real=True)
    >>> regularizer = Regularizer(mirror_flow(Elementwise(u**2 - v**2, (u, v)), {u: a, v: a}))
    >>> print(regularizer.limit(a, 0))
    D_F(x, x_0) / (log(1/alpha)/2) -> Abs(x) as alpha -> 0, relative error of order 1/log(1/alpha)
    >>> print(regularizer.limit(a, sp.oo))
    D_F(x, x_0) / (1/(16*alpha**2)) -> x**2 as alpha -> oo, relative error of order alpha**(-4)
    """

    mirror: MirrorFlow

    @property
    def effective(self) -> sp.Expr:
        """D_F(x, x_0) of this start in closed form, in the symbol x.

        Raises
        ------
        NotClosedForm
            When the potential does not close; `mirror.value("potential", ...)` is then the way.
        """
        return self.mirror.potential(self.mirror.closed_in_x.x)

    def expansion(
        self, symbol: sp.Symbol | str, point: sp.Expr | int = 0, *, terms: int = 2, side: int = 1
    ) -> Expansion:
        """The first terms of D_F(x, x_0) as a start symbol tends to 0 or oo.

        Parameters
        ----------
        symbol : sympy.Symbol or str
            A symbol of the start (or of the formula).
        point : 0 or oo
        terms : int
        side : {1, -1}
            For x > 0 or for x < 0.

        Raises
        ------
        NotClosedForm
            When neither a closed potential nor homogeneity leads to the expansion.
        """
        with time_budget(SECONDS):
            return self._expand(symbol, point, terms, side, depend=False)

    def _expand(
        self, symbol: sp.Symbol | str, point: sp.Expr | int, terms: int, side: int, *, depend: bool
    ) -> Expansion:
        """The expansion; with `depend`, at most `terms` terms up to the first that contains x."""
        a = self._symbol(symbol)
        # strict: text is never evaluated
        point = sp.sympify(point, strict=True)
        if point not in (sp.S.Zero, sp.oo):
            raise DomainError(f"Expected the point 0 or oo but got {point}.")
        if self.mirror.closed_in_x.potential is not None:
            found = self._closed_expansion(a, point, terms, side, depend)
        else:
            # the leading term of a homogeneous formula contains x
            found = self._homogeneous_expansion(a, point, side, 1 if depend else terms)
        if found is None or not found.terms:
            raise NotClosedForm(
                f"The behavior of the regularizer as {a} -> {point} was not found in closed form; "
                "mirror.value('potential', x, at=...) gives it at any value."
            )
        return found

    def limit(self, symbol: sp.Symbol | str, point: sp.Expr | int = 0) -> RegularizerLimit:
        """The limit regularizer, with its scale and the rate of convergence.

        The sign of x is not assumed: both sides are expanded, and joined by parity.
        """
        lower, upper = self.mirror.reach
        both = not (lower is not None and lower.is_nonnegative) and not (
            upper is not None and upper.is_nonpositive
        )
        side = -1 if upper is not None and upper.is_nonpositive else 1
        with time_budget(SECONDS):
            return self._limit(symbol, point, side, both)

    def _limit(
        self, symbol: sp.Symbol | str, point: sp.Expr | int, side: int, both: bool
    ) -> RegularizerLimit:
        first = self._expand(symbol, point, _MOST_TERMS, side, depend=True)
        unknown = NotClosedForm(
            f"The first term with x of the regularizer as {first.symbol} -> {first.point} was not "
            "found in closed form; mirror.value('potential', x, at=...) gives it at any value."
        )
        if not first.terms[-1].coefficient.has(first.x):
            raise unknown
        dropped = sp.Add(*(t.gauge * t.coefficient for t in first.terms[:-1]))
        x = sp.Symbol("x", real=True) if both else first.x
        lead = first.terms[-1]
        constant, function = lead.coefficient.as_independent(first.x, as_Add=False)
        if function == 1:
            constant, function = sp.S.One, lead.coefficient
        scale = sp.powsimp(constant * lead.gauge)
        rate = None
        if first.next_gauge is not None:
            rate = sp.powsimp(first.next_gauge / lead.gauge)
        certificates = first.certificates
        if both:
            left = sp.Symbol("x", negative=True)
            if self._even():
                second = function.xreplace({first.x: -left})
            else:
                other = self._expand(symbol, point, len(first.terms), -1, depend=True)
                certificates += other.certificates
                same = sp.Add(*(t.gauge * t.coefficient for t in other.terms[:-1])) - dropped
                if not other.terms[-1].coefficient.has(other.x) or not is_zero(same).proved:
                    # the two halves differ by more than a constant
                    raise unknown
                second = sp.powsimp(other.terms[-1].coefficient * other.terms[-1].gauge / scale)
                second = second.xreplace({other.x: left})
            function = _join(function, first.x, second, left, x)
        if sign_on(scale, self.mirror.rho.ranges) == -1 and not function.has(sp.Piecewise):
            scale, function = -scale, -function
        return RegularizerLimit(
            first.symbol, first.point, x, scale, function, rate, certificates, dropped
        )

    def _even(self) -> bool:
        """Whether D_F(-x, x_0) = D_F(x, x_0), proved: then one half says all."""
        potential, x = self.mirror.closed_in_x.potential, self.mirror.closed_in_x.x
        if potential is None or x.is_positive or x.is_negative:
            return False
        try:
            mirrored = potential.xreplace({x: -x}) - potential
            return is_zero(mirrored, self.mirror.rho.ranges).proved
        except (DomainError, UnsupportedFormula):
            return False

    # -- closed potentials ----------------------------------------------------------------------

    def _symbol(self, symbol: sp.Symbol | str) -> sp.Symbol:
        free = set().union(*(e.free_symbols for e in self.mirror.start))
        free |= set(self.mirror.rho.constants)
        for s in free:
            if s == symbol or s.name == symbol:
                if not s.is_positive:
                    raise AssumptionError(
                        f"Cannot decide whether {s} is positive; declare it with "
                        f"sp.Symbol('{s}', positive=True)."
                    )
                return s
        names = ", ".join(sorted(s.name for s in free)) or "none"
        raise DomainError(f"{symbol} is not a symbol of the start; the symbols are: {names}.")

    def _closed_expansion(
        self, a: sp.Symbol, point: sp.Expr, count: int, side: int, depend: bool
    ) -> Expansion | None:
        closed = self.mirror.closed_in_x
        assert closed.potential is not None
        x = sp.Symbol("x", positive=True) if side > 0 else sp.Symbol("x", negative=True)
        e = closed.potential.xreplace({closed.x: x})
        b = a
        if point is sp.oo:
            b = sp.Dummy("b", positive=True)
            e = e.xreplace({a: 1 / b})
        terms: list[Term] = []
        certificates: list[Certificate] = []
        rest = e
        for _ in range(count):
            gauge = _gauge(rest, b)
            if gauge is None:
                break
            limit = self._limit_of(_regular(rest / gauge), b)
            if limit is None or limit.value == 0 or not limit.value.is_finite:
                break
            coefficient = shorten(limit.value)
            shown = gauge.xreplace({b: 1 / a}) if point is sp.oo else gauge
            terms.append(Term(sp.powsimp(shown), coefficient))
            certificates.append(limit.certificate)
            rest = rest - gauge * coefficient
            if depend and coefficient.has(x):
                break
        following = _gauge(rest, b) if terms and rest != 0 else None
        if following is not None and point is sp.oo:
            following = following.xreplace({b: 1 / a})
        return Expansion(a, point, x, tuple(terms), tuple(certificates), following)

    def _limit_of(self, e: sp.Expr, b: sp.Symbol) -> CertifiedLimit | None:
        """The limit for b -> 0, proved where that is possible."""
        value = limit_by_expansion(e, b, self.mirror.rho.ranges)
        if value is not None:
            verdict = Verdict(Status.PROVED, "expansion in powers and logarithms")
            return CertifiedLimit(value, Certificate("limit", verdict, "expansion"))
        return certified_limit(e, b, sp.S.Zero, "+", seconds=4.0)

    # -- homogeneous formulas -------------------------------------------------------------------

    def _homogeneous_expansion(
        self, a: sp.Symbol, point: sp.Expr, side: int, count: int
    ) -> Expansion | None:
        curve = self.mirror.curve
        rho = self.mirror.rho
        scale = sp.Dummy("t", positive=True)
        scaled = rho.formula.subs({s: scale * s for s in rho.parameters}, simultaneous=True)
        ratio = sp.powsimp(
            sp.expand_power_base(sp.diff(scaled, scale) * scale / scaled, force=True)
        )
        degree = shorten(ratio)
        if degree.free_symbols & {scale, *rho.parameters} or any(
            (v / a).has(a) for v in self.mirror.start
        ):
            return None
        unit = MirrorFlow(rho, tuple(v / a for v in self.mirror.start))
        x = sp.Symbol("x", positive=True) if side > 0 else sp.Symbol("x", negative=True)
        if curve.x0 == 0 and point is sp.oo:
            # y = x / a^L -> 0: f(y) = y^2 / (2 M_0) + ...
            table = dict(zip(rho.parameters, unit.start, strict=True))
            metric = rho.metric().subs(table, simultaneous=True)
            coefficient = x**2 / (2 * metric)
            verdict = is_zero(sp.diff(coefficient, x, 2) * metric - 1)
            return Expansion(
                a, point, x, (Term(sp.powsimp(a ** (2 - 2 * degree)), coefficient),),
                (Certificate("f''(0) M(start) = 1", verdict),),
            )  # fmt: skip
        if point is sp.oo:
            return None
        return self._at_end_of_curve(unit, a, x, side, degree, count)

    def _at_end_of_curve(
        self,
        unit: MirrorFlow,
        a: sp.Symbol,
        x: sp.Symbol,
        side: int,
        degree: sp.Expr,
        count: int,
    ) -> Expansion | None:
        """A -> 0: y = x / a^L -> oo, and f(y) = xi_end y + c y^q + ... at a finite end of xi."""
        curve = unit.curve
        if curve.s is None or curve.x is None or curve.conjugate is None or curve.dual != curve.s:
            return None
        end = unit.domain[1 if side > 0 else 0]
        reach = unit.reach[1 if side > 0 else 0]
        if end is None or end in (sp.oo, -sp.oo) or reach not in (sp.oo, -sp.oo):
            return None
        lead = Term(sp.powsimp(a ** (2 - degree)), end * x)
        h = sp.Dummy("h", positive=True)
        along = {curve.s: end - side * h}
        y = curve.x.xreplace(along)
        ranges = self.mirror.rho.ranges
        certificates: tuple[Certificate, ...] = (
            Certificate("xi tends to the finite end of its interval as x grows", unit.is_legendre),
        )
        power = _limit_in(h * sp.diff(y, h) / y, h, ranges)
        if power is None or not power.value.is_finite or power.value == 0:
            return Expansion(a, sp.S.Zero, x, (lead,), certificates)
        p = -power.value
        rest = -side * h * y - curve.conjugate.xreplace(along)
        exponent = sp.cancel((p - 1) / p)
        limit = _limit_in(rest / (side * y) ** exponent, h, ranges)
        gauge = sp.powsimp(a ** sp.expand(2 - degree * exponent))
        if limit is None or limit.value == 0 or not limit.value.is_finite:
            return Expansion(a, sp.S.Zero, x, (lead,), certificates, gauge)
        second = Term(gauge, limit.value * (side * x) ** exponent)
        terms = (lead, second)[: max(count, 1)]
        following = gauge if len(terms) == 1 else None
        return Expansion(a, sp.S.Zero, x, terms, (*certificates, limit.certificate), following)


def _limit_in(e: sp.Expr, h: sp.Symbol, ranges: Ranges) -> CertifiedLimit | None:
    """The limit as h -> 0+, with interval-bounded constants traded for positive ones."""
    traded, back = unbounded(e, ranges)
    limit = certified_limit(sp.powsimp(traded), h, sp.S.Zero, "+", seconds=4.0)
    if limit is None:
        return None
    undo = {}
    for symbol, expression in back.items():
        (t,) = expression.free_symbols
        undo[t] = symbol - expression.subs(t, 0)
    return CertifiedLimit(shorten(limit.value.xreplace(undo)), limit.certificate)


def _join(
    right: sp.Expr, x_right: sp.Symbol, left: sp.Expr, x_left: sp.Symbol, x: sp.Symbol
) -> sp.Expr:
    """One function of a real x from its two halves."""
    mirrored = left.xreplace({x_left: -x_right})
    try:
        even = is_zero(mirrored - right).proved
        same = is_zero(left.xreplace({x_left: x_right}) - right).proved and right.is_polynomial(
            x_right
        )
    except (DomainError, UnsupportedFormula):
        even = same = False
    if same:
        return right.xreplace({x_right: x})
    if even:
        power = right.is_polynomial(x_right) and sp.Poly(right, x_right).is_monomial
        if power and sp.degree(right, x_right) % 2 == 0:
            return right.xreplace({x_right: x})
        return right.xreplace({x_right: sp.Abs(x)})
    return sp.Piecewise((right.xreplace({x_right: x}), x > 0), (left.xreplace({x_left: x}), True))


def _regular(e: sp.Expr) -> sp.Expr:
    """A form that SymPy's limits handle: inverse hyperbolic functions as logarithms."""
    return e.replace(
        lambda t: isinstance(t, (sp.asinh, sp.acosh, sp.atanh)), lambda t: t.rewrite(sp.log)
    )


def _gauge(e: sp.Expr, b: sp.Symbol) -> sp.Expr | None:
    r"""The gauge $b^k \log(1/b)^m$ of an expression as b -> 0+, by values at extreme b.

    With $\ell(n) = \log_2|e(2^{-n})| = -kn + m\log_2 n + c + o(1)$, the second difference over
    n, 2n, 4n gives k, and then the first gives m. Only a proposal: the limit that uses it is
    checked.
    """
    others = sorted(e.free_symbols - {b}, key=lambda s: s.name)
    try:
        program = Program([e], [b, *others])
    except UnsupportedFormula:
        return None
    n = 256
    exponents: list[tuple[Fraction, int]] = []
    for k in range(2):
        points = [
            (-1 if o.is_negative else 1) * sp.Rational(7 + 4 * k + 3 * i, 9 + 2 * i)
            for i, o in enumerate(others)
        ]
        logs: list[arb] = []
        for factor in (1, 2, 4):
            with precision(40 * n * factor):
                sample = [rational_ball(q) for q in points]
                value = abs(program([arb(2) ** (-n * factor), *sample])[0])
                if not value.is_finite() or not value > 0:
                    return None
                logs.append(value.log() / arb(2).log())
        with precision(128):
            second = float((logs[2] - logs[1]) - (logs[1] - logs[0]))
            power = Fraction(-second / n).limit_denominator(24)
            first = float(logs[1] - logs[0] + float(power) * n)
        if abs(float(power) * n + second) > 1.2:
            return None
        exponents.append((power, round(first)))
    if exponents[0] != exponents[1]:
        return None
    power, logarithm = exponents[0]
    exponent = sp.Rational(power.numerator, power.denominator)
    return b**exponent * sp.log(1 / b) ** logarithm
