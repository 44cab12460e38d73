r"""Modes of one and two layers as explicit functions of time, balanced or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, DomainError, NotClosedForm
from theory.exact.antiderivative import antiderivative
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_exact
from theory.exact.markup import latex_of
from theory.networks.arguments import (
    exact_sign,
    fresh_symbol,
    read_decay,
    read_depth,
    read_positive,
)
from theory.networks.certify import certify_zero

__all__ = ["ModeSolution", "mode_solution"]


@dataclass(frozen=True)
class ModeSolution:
    r"""$a(t)$ for one mode.

    Parameters
    ----------
    depth : int
    s, start, lam, imbalance : sympy.Expr
    t : sympy.Symbol
    expression : sympy.Expr
    """

    depth: int
    s: sp.Expr
    start: sp.Expr
    lam: sp.Expr
    imbalance: sp.Expr
    t: sp.Symbol
    expression: sp.Expr

    def at(self, t: Any) -> sp.Expr:
        """The singular value at a time t >= 0."""
        return self.expression.xreplace({self.t: read_decay(t, "t")})

    @property
    def half_time(self) -> sp.Expr:
        r"""When a balanced mode of two layers reaches $(s - 2\lambda)/2$.

        Examples
        --------
        >>> mode_solution(1, 0.01).half_time
        log(99)/2
        """
        limit = self.s - 2 * self.lam
        if self.depth != 2 or self.imbalance != 0:
            raise NotClosedForm("The half time is given for balanced modes of two layers.")
        if limit.is_number and exact_sign(limit - 2 * self.start, "distance to the half") < 0:
            raise DomainError(
                f"The mode starts at {self.start}, beyond half of its limit {limit}; it has no "
                "half time."
            )
        return sp.log(limit / self.start - 1) / (2 * limit)

    @cached_property
    def derivation(self) -> Derivation:
        """The integration of the equation, and the check of equation and start."""
        return numbered(f"A mode of depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return f"a({self.t}) = {self.expression}"

    def _repr_latex_(self) -> str:
        return f"$a({latex_of(self.t)}) = {latex_of(self.expression)}$"


def mode_solution(
    s: Any = "s", start: Any = "a_0", *, depth: Any = 2, lam: Any = 0, imbalance: Any = 0
) -> ModeSolution:
    r"""$a(t)$ of a mode of one or two layers.

    Two balanced layers have the logistic function
    $a(t) = \kappa a_0e^{2\kappa t}/(\kappa - a_0 + a_0e^{2\kappa t})$, $\kappa = s - 2\lambda$.
    With $c = w_2^2 - w_1^2\ne0$ the equation is $\dot a = \sqrt{c^2 + 4a^2}\,(s - a)$, and with
    $K = \sqrt{4s^2 + c^2}$, $y_0 = (2a_0 + \sqrt{4a_0^2 + c^2})/|c|$, $q = (|c|y_0 - 2s)/K$,
    $T = \tanh(Kt/2)$

    $$a(t) = \frac{|c|}4\Big(y - \frac1y\Big),\qquad
      y(t) = \frac1{|c|}\Big(2s + K\frac{q + T}{1 + qT}\Big).$$

    Parameters
    ----------
    s : number, sympy.Expr or str
        The singular value of the target.
    start : number, sympy.Expr or str
        $a_0$, positive for balanced layers: zero would stay.
    depth : int
        1 or 2.
    lam : number, sympy.Expr or str
    imbalance : number, sympy.Expr or str
        c, for two layers without decay.

    Raises
    ------
    NotClosedForm
        For more layers, where `mode_time` gives the time of a value, and for decay with imbalance.

    Examples
    --------
    >>> mode_solution("s", "b").expression
    b*s*exp(2*s*t)/(b*exp(2*s*t) - b + s)
    >>> mode_solution(1, 0, imbalance=2).at(1).evalf(6)
    0.906588

    References
    ----------
    A. Saxe, J. McClelland, S. Ganguli, arXiv:1312.6120, for balanced layers. The form for layers
    that are not balanced is ours.
    """
    L = read_depth(depth, least=1)
    target, decay = read_decay(s, "s"), read_decay(lam)
    c = read_exact(imbalance, "imbalance")
    if not isinstance(L, int) or L > 2:
        raise NotClosedForm(
            "A mode of more than two layers has no explicit a(t); th.networks.mode_time has the "
            "time of each value."
        )
    c = _real(c, "imbalance", imbalance)
    if c != 0 and (decay != 0 or L == 1):
        raise NotClosedForm("Imbalance is solved for two layers without decay only.")
    a0 = (
        read_positive(start, "start")
        if L == 2 and c == 0
        else _real(read_exact(start, "start"), "start", start)
    )
    t = fresh_symbol("t", target, decay, c, a0, positive=True)
    if L == 1:
        rate = 1 + 2 * decay
        found = target / rate + (a0 - target / rate) * sp.exp(-rate * t)
    elif c == 0:
        found = _logistic(target - 2 * decay, a0, t)
    else:
        found = _unbalanced(target, a0, abs(c), t)
    return ModeSolution(L, target, a0, decay, c, t, found)


def _real(e: sp.Expr, name: str, given: Any) -> sp.Expr:
    if e.is_real is not True or e.is_finite is False:
        raise AssumptionError(
            f"Expected a real {name} but got {name} = {given!r}; declare its symbols as real."
        )
    return e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})


def _logistic(limit: sp.Expr, a0: sp.Expr, t: sp.Symbol) -> sp.Expr:
    if limit == 0:
        return a0 / (1 + 2 * a0 * t)
    growth = sp.exp(2 * limit * t)
    return limit * a0 * growth / (limit - a0 + a0 * growth)


def _unbalanced(s: sp.Expr, a0: sp.Expr, c: sp.Expr, t: sp.Symbol) -> sp.Expr:
    K = sp.sqrt(4 * s**2 + c**2)
    y = _riccati(s, K, (c * _first(a0, c) - 2 * s) / K, sp.tanh(K * t / 2), c)
    return c / 4 * (y - 1 / y)


def _first(a0: sp.Expr, c: sp.Expr) -> sp.Expr:
    """The positive y with c/4 (y - 1/y) = a0."""
    return (2 * a0 + sp.sqrt(4 * a0**2 + c**2)) / c


def _riccati(s: sp.Expr, K: sp.Expr, q: sp.Expr, T: sp.Expr, c: sp.Expr) -> sp.Expr:
    return (2 * s + K * (q + T) / (1 + q * T)) / c


def _steps(mode: ModeSolution) -> Iterator[RawStep]:
    # general symbols: the identities do not depend on the values
    t, s, a, a0, k = sp.symbols("t s a a_0 kappa", positive=True)
    if mode.depth == 1:
        rate = 1 + 2 * mode.lam
        residual = sp.diff(mode.expression, mode.t) - (mode.s - rate * mode.expression)
        yield (
            "Linear equation",
            [sp.Eq(sp.Symbol("a"), mode.expression, evaluate=False)],
            "a' = s - (1 + 2*lam)*a",
            certify_zero(
                "equation and start",
                residual,
                mode.expression.xreplace({mode.t: sp.S.Zero}) - mode.start,
            ),
        )
        return
    if mode.imbalance == 0:
        found = antiderivative(1 / (2 * a * (k - a)), a, own_rules=True)
        if found is not None:
            yield (
                "Integration",
                [sp.Eq(sp.Symbol("F"), found.expression, evaluate=False)],
                "a' = 2*a*(kappa - a) with kappa = s - 2*lam",
                found.certificate,
            )
        e, u = mode.expression, mode.t
        limit = mode.s - 2 * mode.lam
        yield (
            "Logistic function",
            [sp.Eq(sp.Symbol("a"), e, evaluate=False)],
            "F(a) - F(a_0) = t solved for a, a linear fractional equation in exp(2*kappa*t)",
            certify_zero(
                "equation and start",
                sp.diff(e, u) - 2 * e * (limit - e),
                e.xreplace({u: sp.S.Zero}) - mode.start,
            ),
        )
        return
    yield from _unbalanced_steps(mode, t, s, a0)


def _unbalanced_steps(
    mode: ModeSolution, t: sp.Symbol, s: sp.Symbol, a0: sp.Symbol
) -> Iterator[RawStep]:
    u, v, y, c = sp.symbols("w_1 w_2 y c", positive=True)
    flow = {u: (s - u * v) * v, v: (s - u * v) * u}
    product = sp.diff(u * v, u) * flow[u] + sp.diff(u * v, v) * flow[v]
    law = v**2 - u**2
    yield (
        "Equation",
        ["a' = sqrt(c**2 + 4*a**2)*(s - a), c = w_2**2 - w_1**2 constant"],
        "w_1' = (s - a)*w_2 and w_2' = (s - a)*w_1; (w_1**2 + w_2**2)**2 = c**2 + 4*a**2",
        certify_zero(
            "c is constant, and a' is as stated",
            sp.diff(law, u) * flow[u] + sp.diff(law, v) * flow[v],
            product - (u**2 + v**2) * (s - u * v),
            (u**2 + v**2) ** 2 - law**2 - 4 * (u * v) ** 2,
        ),
    )
    a = c / 4 * (y - 1 / y)
    rate = 2 * s * y - c / 2 * (y**2 - 1)
    yield (
        "Riccati equation",
        ["a = (c/4)*(y - 1/y), y' = 2*s*y - (c/2)*(y**2 - 1), y > 0"],
        "sqrt(c**2 + 4*a**2) = (c/2)*(y + 1/y); the sign of c does not matter",
        certify_zero(
            "the substitution",
            sp.diff(a, y) * rate - c / 2 * (y + 1 / y) * (s - a),
            c**2 + 4 * a**2 - (c / 2 * (y + 1 / y)) ** 2,
        ),
    )
    K, q = sp.symbols("K q", positive=True)
    solution = _riccati(s, K, q, sp.tanh(K * t / 2), c)
    residual = sp.diff(solution, t) - rate.xreplace({y: solution})
    # K^2 = 4 s^2 + c^2, solved for c^2 by eliminating s
    half = sp.sqrt(K**2 - c**2) / 2
    start = _first(a0, c)
    returned = _unbalanced(mode.s, mode.start, abs(mode.imbalance), mode.t)
    yield (
        "Solution",
        [sp.Eq(sp.Symbol("a"), mode.expression, evaluate=False)],
        "the two fixed points of y are (2*s +- K)/c with K = sqrt(4*s**2 + c**2); "
        "q = (c*y_0 - 2*s)/K > -1, so that there is no pole for t >= 0",
        certify_zero(
            "equation and start",
            residual.xreplace({s: half}),
            solution.xreplace({t: sp.S.Zero, q: (c * start - 2 * s) / K}) - start,
            c / 4 * (start - 1 / start) - a0,
            mode.expression - returned,
        ),
    )
