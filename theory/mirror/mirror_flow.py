r"""The mirror flow of one coordinate: potential, conjugate, Bregman divergence, domain.

Along every gradient flow through $x = \rho(\theta)$, $\frac{d}{dt}F'(x) = -\partial_x$ loss with
$F'' = 1/M$. All functions are normalized at the start of the flow: $F(x_0) = F'(x_0) = 0$, so that
$F = D_F(\cdot, x_0)$ is itself the implicit regularizer of this start, and $F^*(0) = 0$.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import mpmath
import sympy as sp
from flint import arb

from theory.errors import DomainError, FormulaError, NotClosedForm, StartError, UnsupportedFormula
from theory.exact.balls import Program, accurate_digits, precision, sign_of_number
from theory.exact.budget import time_budget
from theory.exact.parsing import parse
from theory.exact.verdict import Certificate, Verdict
from theory.flow.parametrization import Elementwise
from theory.mirror.closed_form import ClosedForm, closed_in_x, closed_in_xi
from theory.mirror.dual_curve import DualCurve, dual_curve
from theory.mirror.legendre import CurveEnds, curve_ends
from theory.mirror.taylor import CurvePoint, curve_at_dual, curve_at_x, to_mpf

__all__ = ["KINDS", "MirrorFlow", "mirror_flow"]

KINDS = ("potential", "gradient", "hessian", "conjugate", "inverse_gradient", "bregman")

_DUAL = ("conjugate", "inverse_gradient")

TIME_FOR_CLOSED_FORMS = 12.0
"""Seconds that the search for closed forms may take; the parametric form does not depend on it."""


@dataclass(frozen=True)
class MirrorFlow:
    """A parametrization with a start, and everything that follows for one coordinate.

    Parameters
    ----------
    rho : Elementwise
    start : tuple of sympy.Expr
        The exact start of every parameter.

    Examples
    --------
    >>> mirror = mirror_flow(Elementwise("u**2", "u"), {"u": 1})
    >>> x = sp.Symbol("x", positive=True)
    >>> mirror.hessian(x)
    1/(4*x)
    >>> mirror.domain, mirror.reach
    ((-oo, oo), (0, oo))
    """

    rho: Elementwise
    start: tuple[sp.Expr, ...]

    # -- structure --------------------------------------------------------------------------

    @cached_property
    def curve(self) -> DualCurve:
        """The dual curve."""
        return dual_curve(self.rho, dict(zip(self.rho.parameters, self.start, strict=True)))

    @cached_property
    def ends(self) -> CurveEnds:
        """Where the dual curve ends."""
        with time_budget(TIME_FOR_CLOSED_FORMS):
            return curve_ends(self.curve)

    @cached_property
    def closed_in_x(self) -> ClosedForm:
        """What closes in x: Hessian, mirror map, potential."""
        ends = self.ends
        with time_budget(TIME_FOR_CLOSED_FORMS):
            return closed_in_x(self.curve, ends)

    @cached_property
    def closed_in_xi(self) -> ClosedForm:
        """What closes in xi: inverse mirror map, conjugate."""
        ends = self.ends
        with time_budget(TIME_FOR_CLOSED_FORMS):
            return closed_in_xi(self.curve, ends)

    @property
    def closed(self) -> ClosedForm:
        """What closes in x and in xi."""
        dual = self.closed_in_xi
        return replace(
            self.closed_in_x,
            inverse_gradient=dual.inverse_gradient,
            conjugate=dual.conjugate,
            certificates=(*self.closed_in_x.certificates, *dual.certificates),
        )

    @property
    def parametric(self) -> DualCurve:
        """The exact parametric form: theta(s), x(s), xi(s), F*(s); or the curve's ODE."""
        return self.curve

    @property
    def x0(self) -> sp.Expr:
        """The start of the coordinate."""
        return self.curve.x0

    @property
    def domain(self) -> tuple[sp.Expr | None, sp.Expr | None]:
        """The open interval of the dual variable xi; None for an end without closed form."""
        return self.ends.dual

    @property
    def reach(self) -> tuple[sp.Expr | None, sp.Expr | None]:
        """The open interval of the x that the flow can reach."""
        return self.ends.x

    @property
    def is_legendre(self) -> Verdict:
        """Whether F is of Legendre type on the reachable interval."""
        return self.ends.legendre

    @property
    def finite_time_exit(self) -> bool | None:
        """Whether the flow can reach the end of the interval in finite time (None: not known)."""
        return self.ends.finite_time_exit

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The proofs behind the curve and the closed forms."""
        return (*self.curve.certificates, *self.closed.certificates)

    # -- closed forms -----------------------------------------------------------------------

    def _closed(self, kind: str, argument: Any) -> sp.Expr:
        closed = self.closed_in_xi if kind in _DUAL else self.closed_in_x
        expression: sp.Expr | None = getattr(closed, kind)
        if expression is None:
            raise NotClosedForm(
                f"No closed form of the {kind.replace('_', ' ')} was found for {self.rho}. "
                "The exact parametric form is mirror.parametric, and "
                f"mirror.value({kind!r}, ..., dps=50) gives it to any precision."
            )
        symbol = closed.xi if kind in _DUAL else closed.x
        value = self._argument(argument)
        if value.is_number:
            self._check_inside(
                value, self.domain if symbol == closed.xi else self.reach, symbol.name
            )
        return expression.subs(symbol, value)

    def _argument(self, value: Any) -> sp.Expr:
        if isinstance(value, str):
            known = {s.name: s for e in (*self.start, self.rho.formula) for s in e.free_symbols}
            return parse(value, known)
        if isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                raise DomainError(f"Expected a finite value but got {value!r}.")
            return sp.Rational(str(value))
        if isinstance(value, mpmath.mpf):
            return sp.Rational(str(sp.Float(value, mpmath.mp.dps + 5)))
        expression = sp.Integer(value) if isinstance(value, int) else value
        if not isinstance(expression, sp.Expr):
            raise FormulaError(f"Expected a number or an expression but got {value!r}.")
        return expression.xreplace({f: sp.Rational(str(f)) for f in expression.atoms(sp.Float)})

    @staticmethod
    def _check_inside(
        value: sp.Expr, interval: tuple[sp.Expr | None, sp.Expr | None], name: str
    ) -> None:
        lower, upper = interval

        def beyond(end: sp.Expr | None, side: int) -> bool:
            if end is None or not end.is_number or end in (sp.oo, -sp.oo):
                return False
            gap = sp.expand(side * (value - end))
            return gap == 0 or sign_of_number(gap) == 1

        if beyond(lower, -1) or beyond(upper, 1):
            raise DomainError(
                f"{name} = {value} is outside of the open interval ({lower}, {upper}) that the "
                "dual curve covers."
            )

    def potential(self, x: Any) -> sp.Expr:
        """F(x) with F(x_0) = F'(x_0) = 0.

        Raises
        ------
        NotClosedForm
            When no closed form was found.
        """
        return self._closed("potential", x)

    def gradient(self, x: Any) -> sp.Expr:
        """The mirror map F'(x) = xi."""
        return self._closed("gradient", x)

    def hessian(self, x: Any) -> sp.Expr:
        """F''(x) = 1/M."""
        return self._closed("hessian", x)

    def inverse_gradient(self, xi: Any) -> sp.Expr:
        r"""The inverse mirror map $k(\xi) = (F')^{-1}(\xi)$."""
        return self._closed("inverse_gradient", xi)

    def conjugate(self, xi: Any) -> sp.Expr:
        r"""The Legendre conjugate $F^*(\xi) = \int_0^\xi k$."""
        return self._closed("conjugate", xi)

    def bregman(self, x: Any, x0: Any = None) -> sp.Expr:
        """D_F(x, x0) = F(x) - F(x0) - F'(x0) (x - x0); from the start of the flow unless told."""
        if x0 is None:
            return self.potential(x)
        a, b = self._argument(x), self._argument(x0)
        return (
            self._closed("potential", a)
            - self._closed("potential", b)
            - self._closed("gradient", b) * (a - b)
        )

    # -- numbers ----------------------------------------------------------------------------

    def value(
        self,
        kind: str,
        x: Any,
        x0: Any = None,
        *,
        dps: int = 15,
        at: Mapping[Any, Any] | None = None,
    ) -> mpmath.mpf:
        """A function of the mirror flow as a number, to any precision.

        Parameters
        ----------
        kind : str
            "potential", "gradient", "hessian", "conjugate", "inverse_gradient" or "bregman".
        x : number or exact expression
            x, or xi for "conjugate" and "inverse_gradient".
        x0 : number, optional
            The second point of "bregman"; the start unless given.
        dps : int
            Decimal digits.
        at : mapping, optional
            Values of the symbolic constants, by symbol or name.

        Returns
        -------
        mpmath.mpf

        Raises
        ------
        DomainError
            When the point is out of reach.

        Examples
        --------
        >>> mirror = mirror_flow(Elementwise("u*v*w", "u, v, w"), {"u": 1, "v": 1, "w": 2})
        >>> mpmath.nstr(mirror.value("gradient", 5, dps=30), 30)
        '0.185183031402764270430505443992'
        """
        if kind not in KINDS:
            raise FormulaError(f"Unknown kind {kind!r}; use one of {', '.join(KINDS)}.")
        if not isinstance(dps, int) or not 1 <= dps <= 2000:
            raise FormulaError(f"Expected dps as an integer from 1 to 2000 but got {dps!r}.")
        constants = self._constants(at)
        argument = self._argument(x).subs(constants)
        second = None if x0 is None else self._argument(x0).subs(constants)
        for e in (argument, second):
            if e is not None and not e.is_number:
                raise DomainError(f"Expected a number but got {e}; give its symbols values by at=.")
        dual = kind in _DUAL
        interval = tuple(
            None if e is None else e.subs(constants) for e in (self.domain if dual else self.reach)
        )
        for e in (argument, second):
            if e is not None:
                self._check_inside(e, (interval[0], interval[1]), "xi" if dual else "x")
        if kind == "bregman":
            return self._bregman_number(argument, second, constants, dps)
        forms = self.closed_in_xi if dual else self.closed_in_x
        closed = getattr(forms, kind) if self._wants_closed(kind) else None
        if closed is not None:
            symbol = forms.xi if dual else forms.x
            number = _evaluate(closed, {**constants, symbol: argument}, dps)
            if number is not None:
                return number
        return to_mpf(self._pick(kind, self._point(argument, constants, dps + 3, dual), dps), dps)

    def _wants_closed(self, kind: str) -> bool:
        # a curve that is only known as an ODE has no closed forms to look for
        return self.curve.s is not None and kind != "bregman"

    def _constants(self, at: Mapping[Any, Any] | None) -> dict[sp.Symbol, sp.Expr]:
        free = set().union(*(e.free_symbols for e in (*self.start, *self.rho.rates)))
        free |= set(self.rho.constants)
        by_name = {getattr(k, "name", k): v for k, v in (at or {}).items()}
        missing = sorted(s.name for s in free if s.name not in by_name)
        if missing:
            raise StartError(
                f"A number needs values of {', '.join(missing)}: give at={{'{missing[0]}': ...}}."
            )
        return {s: self._argument(by_name[s.name]) for s in free}

    def _point(
        self, argument: sp.Expr, constants: Mapping[sp.Symbol, sp.Expr], digits: int, dual: bool
    ) -> CurvePoint:
        run = curve_at_dual if dual else curve_at_x
        return run(self.rho, self.start, argument, digits=digits, constants=constants)

    @staticmethod
    def _pick(kind: str, point: CurvePoint, dps: int) -> arb:
        with precision(int(dps * 3.33) + 80):
            if kind == "gradient":
                return point.dual
            if kind == "hessian":
                return 1 / point.metric
            if kind == "conjugate":
                return point.conjugate
            if kind == "inverse_gradient":
                return point.x
            return point.x * point.dual - point.conjugate

    def _bregman_number(
        self,
        x: sp.Expr,
        x0: sp.Expr | None,
        constants: Mapping[sp.Symbol, sp.Expr],
        dps: int,
    ) -> mpmath.mpf:
        """F(x) - F(x0) - F'(x0)(x - x0), with more digits where the terms cancel."""
        if x0 is None:
            return self.value("potential", x, dps=dps, at={s.name: v for s, v in constants.items()})
        if x == x0:
            return mpmath.mpf(0)
        at = {s.name: v for s, v in constants.items()}
        extra = 10
        while True:
            digits = dps + extra
            with mpmath.workdps(digits + 10):
                f1 = self.value("potential", x, dps=digits, at=at)
                f0 = self.value("potential", x0, dps=digits, at=at)
                g0 = self.value("gradient", x0, dps=digits, at=at)
                gap = _evaluate(x - x0, {}, digits)
                terms = (f1, -f0, -g0 * gap)
                total = sum(terms)
                largest = max(abs(t) for t in terms)
                lost = 0 if total == 0 else float(mpmath.log10(largest / abs(total)))
                if total != 0 and lost <= extra - 4:
                    break
            if extra > 400:
                raise DomainError(f"D_F({x}, {x0}) is too close to zero to be evaluated.")
            extra = max(2 * extra, int(lost) + 10)
        with mpmath.workdps(dps):
            return +total

    def __str__(self) -> str:
        where = ", ".join(
            f"{s.name} = {v}" for s, v in zip(self.rho.parameters, self.start, strict=True)
        )
        return f"mirror flow of {self.rho} from {where}"


def _evaluate(e: sp.Expr, values: Mapping[sp.Symbol, sp.Expr], dps: int) -> mpmath.mpf | None:
    """A closed form in ball arithmetic, with the precision raised until dps digits are certain."""
    symbols = list(values)
    try:
        inputs = Program([values[s] for s in symbols], [])
        program = Program([e], symbols)
    except UnsupportedFormula:
        return None
    bits = int(dps * 3.33) + 40
    limit = 40 * bits + 4000
    while bits < limit:
        with precision(bits):
            ball = program(inputs([]))[0]
            if isinstance(ball, arb) and (accurate_digits(ball) >= dps + 2 or ball == 0):
                return to_mpf(ball, dps)
        bits *= 2
    return None


def mirror_flow(rho: Elementwise, start: Mapping[Any, Any]) -> MirrorFlow:
    """The mirror flow of a parametrization from a start.

    Raises
    ------
    StartError
        When the start is outside of the domain, or the flow is stuck there.
    """
    curve = dual_curve(rho, start)
    flow = MirrorFlow(rho, curve.start)
    flow.__dict__["curve"] = curve
    return flow
