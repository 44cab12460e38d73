r"""The dual curve of a coordinate: $d\theta/d\xi = P\,\nabla\rho(\theta)$, $\theta(0) = \theta_0$.

Along it $x = \rho(\theta(\xi))$ increases with $dx/d\xi = M$. The curve is a flow, so it can be
continued from any of its points: what is needed near a pole of $\xi$, where the distance to the
pole is lost when $\xi$ is measured from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import sympy as sp

from theory.errors import FormulaError
from theory.flow.parametrization import Elementwise
from theory.numeric.block import Block, Geometry, prepare
from theory.numeric.bound import bindable
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.direct import DirectMap
from theory.numeric.lanes import integrate_lanes
from theory.numeric.start import Start, read_constants

__all__ = [
    "ClosedForm",
    "CurveFormulas",
    "CurveKey",
    "NumericCurve",
    "curve_formulas",
    "curve_key",
    "numeric_curve",
]

_LARGEST_KEY = 10_000
"""Start values that a cache keeps as a key."""


@dataclass(frozen=True)
class ClosedForm:
    r"""A closed form of the curve, in the symbols of its own.

    Parameters
    ----------
    xi : sympy.Symbol
    start : mapping from parameter to the symbol of its start value
    theta : mapping from parameter to its formula in `xi` and the start symbols
    domain : pair of formulas in the start symbols, optional
        The open interval of $\xi$; without it the curve is checked against the ODE.
    conjugate : sympy.Expr, optional
        $F^*(\xi) = \int_0^\xi k$.
    derived : bool
        Whether it was derived and certified for all starts of its signs: then its ODE is checked
        in floats at a few points, and it is not used where that fails.
    """

    xi: sp.Symbol
    start: Mapping[sp.Symbol, sp.Symbol]
    theta: Mapping[sp.Symbol, sp.Expr]
    domain: tuple[sp.Expr, sp.Expr] | None = None
    conjugate: sp.Expr | None = None
    derived: bool = False

    @classmethod
    def from_mapping(
        cls, theta: Mapping[sp.Symbol, sp.Expr], parametrization: Elementwise
    ) -> ClosedForm:
        """Find the symbols by name: ``xi``, and ``u0`` or ``u_0`` for the start of ``u``."""
        free: dict[str, sp.Symbol] = {}
        for e in theta.values():
            free.update({s.name: s for s in e.free_symbols})
        xi = free.get("xi", sp.Symbol("xi", real=True))
        start = {}
        for p in parametrization.parameters:
            name = next((n for n in (f"{p.name}0", f"{p.name}_0") if n in free), f"{p.name}0")
            start[p] = free.get(name, sp.Symbol(name, real=True))
        return cls(xi, start, theta)


@dataclass(frozen=True, eq=False)
class NumericCurve:
    r"""The dual curves of d coordinates with starts $\theta_0$.

    Parameters
    ----------
    block : Block
        The compiled parametrization.
    theta0 : ndarray, shape (k, d)
    closed : callable, optional
        ``closed(dxi, *theta)`` continues the curve in closed form.
    domain : callable, optional
        ``domain(*theta)`` gives the ends of the interval of dxi.
    inverse_map : callable, optional
        ``inverse_map(xi, *theta)`` is k, its derivative, and its change with the scale of theta.
    inverse_value : callable, optional
        ``inverse_value(*theta)`` is a function of s with the value $k(-s)$.
    start_slopes : callable, optional
        ``start_slopes(xi, *theta)`` is the derivative of k in every start value.
    everywhere : bool
        Whether the domain is the whole line, from every start.
    """

    block: Block
    theta0: Array
    closed: Callable[..., tuple[Array, ...]] | None = None
    domain: Callable[..., tuple[Array, ...]] | None = None
    closed_conjugate: Callable[..., tuple[Array, ...]] | None = None
    inverse_map: Callable[..., tuple[Array, ...]] | None = None
    inverse_value: Callable[..., Callable[[Array], Array]] | None = None
    start_slopes: Callable[..., tuple[Array, ...]] | None = None
    everywhere: bool = False
    rtol: float = field(default=1e-13)

    @property
    def d(self) -> int:
        """Number of coordinates."""
        return int(self.theta0.shape[1])

    def restrict(self, keep: np.ndarray) -> NumericCurve:
        """The curves of some of the coordinates."""
        return replace(self, theta0=self.theta0[:, keep])

    def without_closed_form(self) -> NumericCurve:
        """The same curves, integrated numerically."""
        return NumericCurve(self.block, self.theta0, rtol=self.rtol)

    @cached_property
    def direct(self) -> DirectMap | None:
        """The inverse mirror map from the start, where it is in closed form."""
        if self.inverse_map is None:
            return None
        domain = None if self.everywhere else self.domain
        if domain is not None and np.isinf(np.stack(domain(*self.theta0))).all():
            domain = None
        return DirectMap(self.inverse_map, self.theta0, domain)

    def geometry(self, theta: Array) -> Geometry:
        """Value, speed and curvature of the curves at theta, shape (k, d)."""
        return self.block.geometry(theta)

    def advance(self, theta: Array, dxi: Array, *, finest: float = 0.0) -> tuple[Array, np.ndarray]:
        r"""Continue every curve from theta by dxi.

        Parameters
        ----------
        theta : ndarray, shape (k, d)
        dxi : ndarray, shape (d,)
        finest : float
            Give up on ends that are closer to a pole than about this share of dxi.

        Returns
        -------
        theta : ndarray, shape (k, d)
            NaN where the curve ends before dxi.
        inside : ndarray of bool, shape (d,)
        """
        if self.closed is not None:
            new = np.stack(self.closed(dxi, *theta))
            x_old, x_new = self.block.rho(theta), self.block.rho(new)
            inside = np.isfinite(x_new) & np.isfinite(new).all(axis=0)
            if self.domain is not None and not self.everywhere:
                low, high = self.domain(*theta)
                inside &= (dxi > low) & (dxi < high)
            # k increases; a closed form continued beyond a pole does not
            inside &= (x_new - x_old) * np.sign(dxi) >= -1e-9 * (np.abs(x_new) + np.abs(x_old))
        else:
            new, _, inside = self.travel(theta, dxi, finest=finest)
        return np.where(inside, new, np.nan), inside

    def travel(
        self, theta: Array, dxi: Array, *, finest: float = 0.0
    ) -> tuple[Array, Array, np.ndarray]:
        """Integrate the curves, and say how far each of them exists.

        Returns
        -------
        theta : ndarray, shape (k, d)
            The last point that was reached.
        reached : ndarray, shape (d,)
        inside : ndarray of bool, shape (d,)
        """
        dxi = np.asarray(dxi, dtype=np.float64)
        first = self._first_step(theta)
        usable = np.isfinite(dxi) & np.isfinite(first)
        end = integrate_lanes(
            lambda y, _: self.block.field(y),
            theta,
            np.where(usable, dxi, 0.0),
            first,
            rtol=self.rtol,
            finest=finest,
            max_steps=1000 if finest > 0 else 20_000,
        )
        return end.y, end.reached, end.inside & usable

    def theta(self, xi: Array) -> Array:
        r"""$\theta(\xi)$, shape (k, d); NaN where xi is outside of the curve's domain."""
        return self.advance(self.theta0, np.broadcast_to(xi, (self.d,)).astype(np.float64))[0]

    def x(self, xi: Array) -> Array:
        r"""$k(\xi) = \rho(\theta(\xi))$, shape (d,)."""
        return self.block.rho(self.theta(xi))

    def metric(self, xi: Array) -> Array:
        r"""$M = dk/d\xi$, shape (d,)."""
        return np.asarray(self.geometry(self.theta(xi)).speed ** 2)

    def slopes_in_start(self, xi: Array) -> Array:
        r"""$\partial k(\xi; \theta_0)/\partial\theta_{0j}$, shape (k, d).

        Without a closed form by the variational equation $J' = P\,\nabla^2\rho\,J$, $J(0) = 1$.
        """
        xi = np.broadcast_to(xi, (self.d,)).astype(np.float64)
        if self.start_slopes is not None:
            return np.stack(self.start_slopes(xi, *self.theta0))
        k, block = self.block.k, self.block

        def extended(y: Array, _: np.ndarray) -> Array:
            theta, J = y[:k], y[k:].reshape(k, k, -1)
            turned = np.einsum("jld,lmd->jmd", block.hessian(theta), J) * block.rates[:, None]
            return np.concatenate([block.field(theta), turned.reshape(k * k, -1)])

        one = np.repeat(np.eye(k).reshape(k * k, 1), self.d, axis=1)
        y0 = np.concatenate([self.theta0, one])
        first = self._first_step(self.theta0)
        # components of J may pass through zero, where nothing is relative to them
        end = integrate_lanes(extended, y0, xi, first, rtol=self.rtol, atol=1e-13, mean=True)
        gradient = block.gradient(end.y[:k])
        slopes = np.einsum("jd,jmd->md", gradient, end.y[k:].reshape(k, k, -1))
        return np.where(end.inside, slopes, np.nan)

    def conjugate(self, xi: Array) -> Array:
        r"""$F^*(\xi) = \int_0^\xi k$, shape (d,), with $F^*(0) = 0$."""
        xi = np.broadcast_to(xi, (self.d,)).astype(np.float64)
        if self.closed_conjugate is not None:
            return self.closed_conjugate(xi, *self.theta0)[0]
        k = self.block.k

        def extended(y: Array, _: np.ndarray) -> Array:
            return np.concatenate([self.block.field(y[:k]), self.block.rho(y[:k])[None]])

        y0 = np.concatenate([self.theta0, np.zeros((1, self.d))])
        end = integrate_lanes(extended, y0, xi, self._first_step(self.theta0), rtol=self.rtol)
        return np.where(end.inside, end.y[k], np.nan)

    def reach(self) -> tuple[Array, Array]:
        r"""The ends $\inf k$ and $\sup k$ of the reachable x, each of shape (d,)."""
        return self._extreme(-1.0), self._extreme(1.0)

    def _first_step(self, theta: Array) -> Array:
        return 0.1 * np.asarray(self.geometry(theta).radius)

    def _extreme(self, sign: float) -> Array:
        theta = self.theta0.copy()
        x0 = x = self.block.rho(theta)
        out = np.full(self.d, np.nan)
        stretch = np.asarray(self.geometry(theta).radius).copy()
        quiet = np.zeros(self.d, dtype=int)
        for count in range(90):
            live = np.isnan(out)
            if not live.any():
                break
            new, reached, inside = self.travel(theta, np.where(live, sign * stretch, 0.0))
            x_new = self.block.rho(new)
            ended = live & ~inside
            if ended.any():
                out[ended] = self._end_value(theta, reached, ended, sign)
            out = np.where(live & inside & (np.abs(x_new) > 1e15), sign * np.inf, out)
            vanishing = live & inside & (np.abs(x_new) < 1e-20 * np.abs(x0))
            out = np.where(vanishing, 0.0, out)
            # each stretch multiplies xi; growth that stops is convergence
            still = np.abs(x_new - x) <= 1e-14 * np.abs(x_new)
            quiet = np.where(still, quiet + 1, 0)
            out = np.where(live & np.isnan(out) & (quiet >= 2), x_new, out)
            moved = live & inside
            theta, x = np.where(moved, new, theta), np.where(moved, x_new, x)
            stretch = stretch * (2 if count < 20 else 8)
        return np.where(np.isnan(out), sign * np.inf, out)

    def _end_value(self, theta: Array, reached: Array, ended: np.ndarray, sign: float) -> Array:
        """Limit of x where curves end at a finite xi, by its last decades before the end."""
        values = []
        for decade in (4, 5, 6, 7):
            new, _, _ = self.travel(theta, np.where(ended, reached * (1 - 10.0**-decade), 0.0))
            values.append(self.block.rho(new)[ended])
        steps = np.diff(np.array(values), axis=0)
        with np.errstate(all="ignore"):
            ratio = steps[2] / steps[1]
            limit = values[3] + steps[2] * ratio / (1 - ratio)
        # x = x_end + c delta^p shrinks its steps by 10^p; a logarithm or a pole does not
        out = np.where(np.abs(ratio) > 0.9, sign * np.inf, limit)
        out = np.where(steps[2] == 0, values[3], out)
        # the end of the formula's domain is mostly a round number, known better than the limit
        last, _, _ = self.travel(theta, np.where(ended, 2 * reached, 0.0))
        rounded = self.block.rho(np.round(last, 7))[ended]
        with np.errstate(invalid="ignore"):
            near = np.abs(rounded - out) <= 1e-4 * (np.abs(out) + np.abs(steps[2]))
        out = np.where(near & np.isfinite(out), rounded, out)
        return np.where(np.abs(out) < 1e-12 * np.abs(self.block.rho(theta)[ended]), 0.0, out)


def numeric_curve(
    parametrization: Elementwise,
    start: Start,
    d: int,
    *,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
) -> NumericCurve:
    r"""The dual curves of d coordinates.

    Parameters
    ----------
    parametrization : Elementwise
    start : mapping from parameter to a number or to an array of shape (d,)
    d : int
    closed_form : ClosedForm or mapping from parameter to formula, optional
        Checked against the ODE at the start; used instead of integrating it.

    Raises
    ------
    FormulaError
        When the closed form does not solve the ODE.

    Examples
    --------
    >>> curve = numeric_curve(Elementwise("u**2", "u"), {"u": 1.0}, 2)
    >>> curve.x([0.25, -0.25]).round(10).tolist()
    [2.7182818285, 0.3678794412]
    """
    block, theta0 = prepare(parametrization, start, d)
    curve = NumericCurve(block, theta0)
    if closed_form is None:
        return curve
    if not isinstance(closed_form, ClosedForm):
        closed_form = ClosedForm.from_mapping(closed_form, parametrization)
    missing = [p.name for p in parametrization.parameters if p not in closed_form.theta]
    if missing:
        raise FormulaError(f"The closed form has no formula for {', '.join(missing)}.")
    closed = curve_key(parametrization, start, closed_form)
    if closed_form.derived:
        same = bool(np.all(theta0 == theta0[:, :1]))
        starts = np.ascontiguousarray(theta0[:, :1]) if same else theta0
        # a million starts are no key
        check = _solves_ode if starts.size <= _LARGEST_KEY else _solves_ode.__wrapped__
        fits = check(closed, block, starts.shape[1], starts.tobytes())
        return _compile_closed(closed, block, theta0) if fits else curve
    starts = np.unique(theta0, axis=1)
    compare = _compare if starts.size <= _LARGEST_KEY else _compare.__wrapped__
    compare(closed, block, starts.shape[1], starts.tobytes())
    return _compile_closed(closed, block, theta0)


@dataclass(frozen=True)
class CurveKey:
    """A closed form as a key: what it is compiled from."""

    parametrization: Elementwise
    constants: tuple[tuple[sp.Symbol, sp.Expr], ...]
    xi: sp.Symbol
    start: tuple[sp.Symbol, ...]
    theta: tuple[sp.Expr, ...]
    domain: tuple[sp.Expr, sp.Expr] | None
    conjugate: sp.Expr | None


def curve_key(parametrization: Elementwise, start: Start, closed_form: ClosedForm) -> CurveKey:
    """The closed form of the curves with the constants' values that a start gives."""
    return CurveKey(
        parametrization,
        tuple(read_constants(parametrization, start).items()),
        closed_form.xi,
        tuple(closed_form.start[p] for p in parametrization.parameters),
        tuple(closed_form.theta[p] for p in parametrization.parameters),
        closed_form.domain,
        closed_form.conjugate,
    )


class CurveFormulas(NamedTuple):
    """A closed form in xi and the symbols of the start, with numbers for the constants."""

    theta: tuple[sp.Expr, ...]
    velocity: tuple[sp.Expr, ...]
    domain: tuple[sp.Expr, ...] | None
    x: sp.Expr
    metric: sp.Expr
    change: sp.Expr


@lru_cache(maxsize=64)
def curve_formulas(closed: CurveKey) -> CurveFormulas:
    """The curve, the inverse mirror map, its derivative and its change with the start's scale."""
    rho, values = closed.parametrization, dict(closed.constants)
    theta = tuple(e.subs(values) for e in closed.theta)
    at = dict(zip(rho.parameters, theta, strict=True))
    x = rho.formula.subs(values).xreplace(at)
    return CurveFormulas(
        theta,
        tuple(sp.diff(e, closed.xi) for e in theta),
        None if closed.domain is None else tuple(e.subs(values) for e in closed.domain),
        x,
        rho.metric().subs(values).xreplace(at),
        sp.Add(*(s * sp.diff(x, s) for s in closed.start)),
    )


def _compile_closed(closed: CurveKey, block: Block, theta0: Array) -> NumericCurve:
    f = _functions(closed)
    return NumericCurve(
        block,
        theta0,
        f.curve,
        f.domain,
        f.conjugate,
        f.inverse_map,
        f.inverse_value,
        f.start_slopes,
        f.everywhere,
    )


_Function: TypeAlias = Callable[..., tuple[Array, ...]]


class _Functions(NamedTuple):
    """A closed form as functions of arrays."""

    curve: _Function
    velocity: _Function
    domain: _Function | None
    conjugate: _Function | None
    inverse_map: _Function
    inverse_value: Callable[..., Callable[[Array], Array]]
    start_slopes: _Function
    everywhere: bool


@lru_cache(maxsize=64)
def _functions(closed: CurveKey) -> _Functions:
    f, arguments = curve_formulas(closed), [closed.xi, *closed.start]
    domain = conjugate = None
    if f.domain is not None:
        domain = _compile_ends(list(f.domain), [*closed.start])
    if closed.conjugate is not None:
        values = dict(closed.constants)
        conjugate = compile_expressions([closed.conjugate.subs(values)], arguments)
    return _Functions(
        compile_expressions(f.theta, arguments),
        compile_expressions(f.velocity, arguments),
        domain,
        conjugate,
        compile_expressions([f.x, f.metric, f.change], arguments),
        bindable(f.x.xreplace({closed.xi: -closed.xi}), closed.xi, closed.start),
        compile_expressions([sp.diff(f.x, s) for s in closed.start], arguments),
        closed.domain == (-sp.oo, sp.oo),
    )


def _compile_ends(
    ends: list[sp.Expr], symbols: list[sp.Symbol]
) -> Callable[..., tuple[Array, ...]]:
    finite = [e if e.is_finite is not False else sp.S.Zero for e in ends]
    infinite = [float(e) if e.is_finite is False else 0.0 for e in ends]
    compiled = compile_expressions(finite, symbols)

    def evaluate(*theta: Array) -> tuple[Array, ...]:
        return tuple(v + s for v, s in zip(compiled(*theta), infinite, strict=True))

    return evaluate


@lru_cache(maxsize=256)
def _solves_ode(closed: CurveKey, block: Block, count: int, starts: bytes) -> bool:
    """Whether the closed form starts there and has the velocity of the ODE at a few points."""
    theta0 = np.frombuffer(starts, dtype=np.float64).reshape(-1, count)
    functions = _functions(closed)
    with np.errstate(all="ignore"):
        radius = block.geometry(theta0).radius
        # the start and a point on each side of it, in one call
        xi = np.concatenate([0.0 * radius, 0.25 * radius, -0.25 * radius])
        begin = np.tile(theta0, 3)
        inside = np.ones(xi.shape, dtype=bool)
        if functions.domain is not None:
            low, high = functions.domain(*begin)
            inside = (xi > low) & (xi < high)
        theta = np.stack(functions.curve(xi, *begin))
        moving, field = np.stack(functions.velocity(xi, *begin)), block.field(theta)
        size = np.max(np.abs(field), axis=0)
        fits = np.max(np.abs(moving - field), axis=0) <= 1e-8 * size
        # relative to the start, or to the way that the curve goes from it
        way = np.maximum(np.max(np.abs(theta0), axis=0), size[:count] * radius)
        starts_there = np.max(np.abs(theta[:, :count] - theta0), axis=0) <= 1e-8 * way
    return bool(np.all(fits | ~inside) and np.all(starts_there))


@lru_cache(maxsize=256)
def _compare(closed: CurveKey, block: Block, count: int, starts: bytes) -> None:
    """Raise when the closed form leaves the curve of the ODE, at any of the starts."""
    theta0 = np.frombuffer(starts, dtype=np.float64).reshape(-1, count)
    fast, slow = _compile_closed(closed, block, theta0), NumericCurve(block, theta0)
    radius = np.asarray(slow.geometry(slow.theta0).radius)
    for share in (0.25, -0.25):
        a, inside_a = fast.advance(fast.theta0, share * radius)
        b, inside_b = slow.advance(slow.theta0, share * radius)
        both = inside_a & inside_b
        size = np.max(np.abs(b), axis=0)
        wrong = inside_b & ~inside_a
        with np.errstate(invalid="ignore"):
            wrong |= both & (np.max(np.abs(a - b), axis=0) > 1e-8 * size)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise FormulaError(
                "The closed form does not solve d theta / d xi = P grad rho: at coordinate "
                f"{i} and xi = {share * radius[i]!r} it gives {a[:, i]} instead of {b[:, i]}."
            )
