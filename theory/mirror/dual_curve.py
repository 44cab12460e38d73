r"""The dual curve of one coordinate: $d\theta/d\xi = P\nabla\rho(\theta)$, $\theta(0) = \theta_0$.

Whatever the data, the loss and the link, every trajectory of one coordinate runs along this curve,
and $x = \rho(\theta(\xi)) = k(\xi)$ is the inverse mirror map. The curve is given in closed form in
a parameter s: x(s), $\xi(s)$, and the conjugate $F^*(s) = \int x\,d\xi$, where s is the parameter
of a one-parameter formula, $\xi$ itself for sums and quadratic formulas, and the clock $\tau$ for
products.

References
----------
H.-H. Chou, J. Maly, D. Stöger, arXiv 2308.04921; the quadratures per parameter are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import (
    AssumptionError,
    DomainError,
    FormulaError,
    StartError,
    UnknownName,
    UnsupportedFormula,
)
from theory.exact.antiderivative import Antiderivative, antiderivative
from theory.exact.assumptions import Ranges
from theory.exact.balls import sign_of_number
from theory.exact.guard import proposal
from theory.exact.inverse import inverse
from theory.exact.limits import certified_limit
from theory.exact.parsing import parse
from theory.exact.shorten import shorten
from theory.exact.signs import is_analytic, sign_on
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero
from theory.flow.branch import Branch, branch_through
from theory.flow.clock import Block, blocks
from theory.flow.parametrization import Elementwise
from theory.mirror.linear_curve import linear_curve

__all__ = ["DualCurve", "dual_curve", "exact_start"]

Area = tuple[sp.Expr | None, tuple[Certificate, ...]]
"""F*(s) with its proofs."""


@dataclass(frozen=True)
class DualCurve:
    """The dual curve in parametric form.

    Parameters
    ----------
    rho : Elementwise
    start : tuple of sympy.Expr
        The start of each parameter.
    branches : tuple of Branch or None
        The interval of each parameter, where the formula separates.
    s : sympy.Symbol or None
        The parameter of the parametric form; None when the curve is known as an ODE only.
    s_range : pair of sympy.Expr
        Its interval.
    s_start : sympy.Expr or None
        Its value at the start.
    theta : tuple of sympy.Expr or None
        The parameters as functions of s.
    x, dual, rate : sympy.Expr or None
        x(s), xi(s) and dxi/ds; xi(s) may hold a definite integral.
    kind : str
        "one parameter", "sum", "product" (any common clock), "linear" or "ode".
    proofs : tuple of Certificate
        Of everything but F*.
    area : callable
        Finds F*(s), which is asked for less often than the rest and may take longer.
    """

    rho: Elementwise
    start: tuple[sp.Expr, ...]
    branches: tuple[Branch | None, ...]
    s: sp.Symbol | None
    s_range: tuple[sp.Expr, sp.Expr]
    s_start: sp.Expr | None
    theta: tuple[sp.Expr, ...] | None
    x: sp.Expr | None
    dual: sp.Expr | None
    rate: sp.Expr | None
    kind: str
    proofs: tuple[Certificate, ...]
    area: Callable[[], Area] = dataclasses.field(
        default=lambda: (None, ()), compare=False, repr=False
    )

    @cached_property
    def _area(self) -> Area:
        return self.area()

    @property
    def conjugate(self) -> sp.Expr | None:
        """F*(s), which may hold a definite integral; found when it is first asked for."""
        return self._area[0]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The proofs behind the curve."""
        return (*self.proofs, *self._area[1])

    @property
    def x0(self) -> sp.Expr:
        """The start of the coordinate, rho(theta_0)."""
        table = dict(zip(self.rho.parameters, self.start, strict=True))
        return self.rho.formula.subs(table, simultaneous=True)

    @property
    def ranges(self) -> Ranges:
        """Intervals of all symbols, the parameter s included."""
        out = dict(self.rho.ranges)
        if self.s is not None:
            out[self.s] = self.s_range
        return out

    def stays_in_ranges(self, at: Mapping[sp.Symbol, sp.Expr] | None = None) -> bool:
        """Whether every parameter is proved to stay in its declared range, at a point or always."""
        ranged = [s for s in self.rho.parameters if self.rho.has_range(s)]
        places = dict(zip(self.rho.parameters, self.theta or (), strict=False))
        for s in ranged:
            if s not in places:
                return False
            for end, side in zip(self.rho.range_of(s), (1, -1), strict=True):
                gap = side * (places[s] - end)
                if end.is_infinite or gap.is_nonnegative:
                    continue
                inside = gap if at is None else gap.subs(at, simultaneous=True)
                if sign_on(inside, self.ranges) != 1:
                    return False
        return True

    def equations(self) -> tuple[sp.Eq, ...]:
        """The curve as an ODE in xi; always there."""
        xi = sp.Symbol("xi", real=True)
        return tuple(
            sp.Eq(sp.Derivative(sp.Function(v.name)(xi), xi), p * d)
            for v, p, d in zip(
                self.rho.parameters, self.rho.rates, self.rho.gradient(), strict=True
            )
        )


def exact_start(rho: Elementwise, start: Mapping[Any, Any]) -> tuple[sp.Expr, ...]:
    """The start of every parameter as an exact expression.

    Raises
    ------
    StartError
        For a missing value, NaN, or a value outside of the parameter's declared range.
    UnknownName
        For a name that is not a parameter.
    """
    by_name: dict[str, Any] = {}
    if not isinstance(start, Mapping):
        raise StartError(
            f"Expected the start as a mapping such as {{'{rho.parameters[0]}': 1}}, got {start!r}."
        )
    for key, value in start.items():
        by_name[key.name if isinstance(key, sp.Symbol) else str(key)] = value
    unknown = sorted(set(by_name) - {s.name for s in rho.parameters})
    if unknown:
        raise UnknownName(
            f"The start names {', '.join(unknown)}; the parameters are "
            f"{', '.join(s.name for s in rho.parameters)}."
        )
    out = []
    known = {s.name: s for s in (*rho.constants, *rho.parameters)}
    for s in rho.parameters:
        if s.name not in by_name:
            raise StartError(f"The start of {s.name} is missing; give every parameter a value.")
        value = by_name[s.name]
        if isinstance(value, str):
            value = parse(value, known)
        elif isinstance(value, (float, int)) or (
            hasattr(value, "__float__") and not isinstance(value, sp.Basic)
        ):
            number = float(value)
            if number != number or number in (float("inf"), float("-inf")):
                raise StartError(f"Expected a finite start for {s.name} but got {value!r}.")
            value = sp.Integer(value) if isinstance(value, int) else sp.Rational(str(number))
        if not isinstance(value, sp.Expr) or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
            raise StartError(f"Expected a finite real start for {s.name} but got {value!r}.")
        value = value.xreplace({f: sp.Rational(str(f)) for f in value.atoms(sp.Float)})
        if value.free_symbols & set(rho.parameters):
            raise FormulaError(f"The start {s.name} = {value} refers to a parameter.")
        if any(c.is_real is None for c in value.free_symbols):
            raise AssumptionError(
                f"Cannot decide whether {value} is real; declare its symbols, for example with "
                "sp.Symbol('alpha', positive=True)."
            )
        _check_range(rho, s, value)
        out.append(value)
    return tuple(out)


def _check_range(rho: Elementwise, s: sp.Symbol, value: sp.Expr) -> None:
    """The formula was simplified, and is meant, for parameters in their declared ranges only."""
    lower, upper = rho.range_of(s)
    strict = s in rho.ranges or s.is_positive or s.is_negative
    for end, side in ((lower, 1), (upper, -1)):
        gap = side * (value - end)
        sign = 1 if end.is_infinite else sign_on(gap, rho.ranges)
        if sign == 1 or (not strict and (gap == 0 or gap.is_nonnegative)):
            continue
        meant = f"the range ({lower}, {upper}) of {s.name}"
        if sign == -1 or gap.is_number:
            raise StartError(f"Expected a start in {meant} but got {s.name} = {value}.")
        raise AssumptionError(
            f"Cannot decide whether the start {s.name} = {value} is in {meant}; declare its "
            "symbols accordingly, for example with sp.Symbol('alpha', positive=True)."
        )


def dual_curve(rho: Elementwise, start: Mapping[Any, Any]) -> DualCurve:
    """Derive the dual curve of a parametrization from a start.

    Examples
    --------
    >>> rho = Elementwise("u**2 - v**2", "u, v", assume={"alpha": "positive"})
    >>> curve = dual_curve(rho, {"u": sp.Rational(1, 2), "v": sp.Rational(1, 2)})
    >>> curve.x
    sinh(4*xi)/2

    Raises
    ------
    StartError
        When the start is outside of the domain or the flow is stuck there.
    """
    values = exact_start(rho, start)
    constant, parts = blocks(rho)
    table = dict(zip(rho.parameters, values, strict=True))
    _check_gradient(rho, table)
    if len(rho.parameters) == 1:
        return _one_parameter(rho, values)
    if all(b.clock == 1 for b in parts):
        curve = _sum(rho, values, constant, parts, table)
        if curve is not None:
            return curve
    curve = None
    if len(parts) == 1 and parts[0].clock is not None:
        curve = _common_clock(rho, values, parts[0], table)
    if curve is None or curve.dual is None or curve.dual.has(sp.Integral):
        curve = _linear(rho, values, table) or curve
    if curve is not None:
        return curve
    return DualCurve(
        rho, values, (None,) * len(values), None, (-sp.oo, sp.oo), None, None, None, None, None,
        "ode", (),
    )  # fmt: skip


def _check_gradient(rho: Elementwise, table: Mapping[sp.Symbol, sp.Expr]) -> None:
    where = ", ".join(f"{s.name} = {v}" for s, v in table.items())
    value = rho.formula.subs(table, simultaneous=True)
    slopes = [d.subs(table, simultaneous=True) for d in rho.gradient()]
    for e in (value, *slopes):
        if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I) or e.is_real is False:
            raise StartError(
                f"The start {where} is outside of the domain of {rho.formula}: choose one where "
                "the formula and its derivatives have finite real values."
            )
    if all(e == 0 or is_zero(e).proved for e in slopes):
        raise StartError(
            f"The flow is stuck at the start {where}: the gradient of {rho.formula} is zero there. "
            "Start where at least one derivative is not zero."
        )


def _definite(
    integrand: sp.Expr, s: sp.Symbol, s0: sp.Expr, closed: Antiderivative | None
) -> sp.Expr:
    """The integral from s0 to s: closed, or as an integral in a bound variable."""
    if closed is not None and closed.continuous:
        at_start = closed.expression.subs(s, s0)
        if not at_start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            return closed.expression - at_start
    t = sp.Dummy(s.name)
    return sp.Integral(integrand.xreplace({s: t}), (t, s0, s))


def _along(integrand: sp.Expr, s: sp.Symbol, s0: sp.Expr, closed: Antiderivative | None) -> sp.Expr:
    """The integral along a curve whose interval of s is only found later.

    Without angle functions of tangents an elementary antiderivative has no jump where it is real.
    """
    if closed is not None and not closed.continuous and closed.expression.has(sp.atan, sp.asin):
        closed = None
    if closed is not None:
        closed = Antiderivative(closed.expression, closed.certificate, True)
    return _definite(integrand, s, s0, closed)


def _one_parameter(rho: Elementwise, values: tuple[sp.Expr, ...]) -> DualCurve:
    (u,), (p,), (u0,) = rho.parameters, rho.rates, values
    branch = branch_through(rho.formula, u, u0)
    s = branch.symbol
    formula = rho.formula.xreplace({u: s})
    slope = sp.diff(formula, s)
    ranges = dict(rho.ranges) | {s: branch.range}
    reference = _inside(branch, u0)
    time = antiderivative(1 / (p * slope), s, reference=reference, ranges=ranges)
    rate = 1 / (p * slope)

    def area() -> Area:
        found = antiderivative(formula * rate, s, reference=reference, ranges=ranges)
        return _definite(formula * rate, s, u0, found), _proofs(found)

    return DualCurve(
        rho, values, (branch,), s, branch.range, u0, (s,), formula,
        _definite(rate, s, u0, time), rate, "one parameter", _proofs(time), area,
    )  # fmt: skip


def _proofs(*found: Antiderivative | None) -> tuple[Certificate, ...]:
    return tuple(a.certificate for a in found if a is not None)


def _inside(branch: Branch, start: sp.Expr) -> sp.Rational | None:
    """A rational point of the branch."""
    if start.is_Rational and start != 0:
        return start
    for candidate in (
        sp.Rational(3, 7), sp.Rational(-3, 7), sp.Rational(9, 7), sp.Integer(3), sp.Integer(-3),
    ):  # fmt: skip
        if (candidate - branch.lower).is_positive and (branch.upper - candidate).is_positive:
            return candidate
    if start.is_number and start != 0:
        return sp.Rational(str(sp.N(start, 12)))
    return None


def _parameter_flow(
    block: Block, j: int, start: sp.Expr, clock: sp.Expr
) -> tuple[Branch, sp.Expr, list[Certificate]] | None:
    r"""theta_j as a function of the block's clock, $Q_j^{-1}(\tau + Q_j(\theta_{j0}))$."""
    s, p, field = block.parameters[j], block.rates[j], block.fields[j]
    working = s
    if not (s.is_positive or s.is_negative) and _needs_positive(field, s) and start.is_positive:
        working = sp.Symbol(s.name, positive=True)
    local = field.xreplace({s: working})
    q = antiderivative(1 / (p * local), working, reference=_near(start))
    if q is None:
        return None
    branch = branch_through(q.expression, working, start, derivative=1 / (p * local))
    v = branch.symbol
    expression = q.expression.xreplace({working: v})
    y = sp.Dummy("y", real=True)
    ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = {v: branch.range}
    if not (expression.free_symbols - {v}):
        ranges[y] = _image(expression, v, branch)
    if not is_analytic(expression, ranges=ranges, meromorphic=False, variable=v):
        # a quadrature with a jump is not a clock
        return None
    reference = start if start.free_symbols else _inside(branch, start)
    back = inverse(expression, v, y, reference=reference, ranges=ranges)
    at_start = expression.subs(v, start)
    if back is None or at_start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    theta = _gather(back.expression.xreplace({y: clock + at_start}))
    return branch, theta, [q.certificate, back.certificate]


def _gather(e: sp.Expr) -> sp.Expr:
    """Multiply constants into the sums below powers: (c (t + b))**k as (c t + c b)**k."""

    def distributed(a: sp.Expr) -> sp.Expr:
        sums = [g for g in a.base.args if g.is_Add]
        sums.sort(key=lambda g: -len(g.free_symbols))
        constant = sp.Mul(*(g for g in a.base.args if g is not sums[0]))
        return sp.Pow(sp.Add(*(constant * t for t in sums[0].args)), a.exp)

    return e.replace(
        lambda a: a.is_Pow and a.base.is_Mul and sum(g.is_Add for g in a.base.args) >= 1,
        distributed,
    )


def denested(e: sp.Expr) -> sp.Expr:
    """Nested powers of positive bases multiplied out, where that is proved equal."""
    candidate = sp.powdenest(e, force=True)
    if candidate != e:
        try:
            if is_zero(candidate - e).proved:
                return candidate
        except (DomainError, UnsupportedFormula):
            return e
    return e


def _needs_positive(field: sp.Expr, s: sp.Symbol) -> bool:
    """Whether a field is at home on the positive axis: powers or logarithms of the parameter."""
    return any(
        not a.exp.is_Integer if a.is_Pow else True
        for a in field.atoms(sp.Pow, sp.log)
        if s in (a.base if a.is_Pow else a.args[0]).free_symbols
    )


def _near(start: sp.Expr) -> sp.Rational | None:
    """A rational value of the start, for reading off signs."""
    if start.is_Rational and start != 0:
        return start
    if start.is_number and start != 0:
        return sp.Rational(str(sp.N(start, 12)))
    if start.is_negative:
        return sp.Rational(-3, 7)
    return None


def _image(q: sp.Expr, v: sp.Symbol, branch: Branch) -> tuple[sp.Expr, sp.Expr]:
    """The range of a monotone function on a branch, where the limits are simple; else the line."""
    ends = []
    for end, direction in ((branch.lower, "+"), (branch.upper, "-")):
        limit = certified_limit(q, v, end, direction, seconds=1.0)
        if limit is None or limit.value.free_symbols:
            return -sp.oo, sp.oo
        ends.append(limit.value)
    a, b = ends
    if a is sp.oo or b == -sp.oo or sign_of_number(b - a) == -1:
        a, b = b, a
    return a, b


def _sum(
    rho: Elementwise,
    values: tuple[sp.Expr, ...],
    constant: sp.Expr,
    parts: tuple[Block, ...],
    table: Mapping[sp.Symbol, sp.Expr],
) -> DualCurve | None:
    xi = sp.Symbol("xi", real=True)
    thetas: dict[sp.Symbol, sp.Expr] = {}
    branches: dict[sp.Symbol, Branch] = {}
    certificates: list[Certificate] = []
    for block in parts:
        s = block.parameters[0]
        if block.formula.diff(s).subs(s, table[s]) == 0:
            # this parameter does not move
            thetas[s], branches[s] = table[s], Branch(s, table[s], table[s], 1, True)
            continue
        solved = _parameter_flow(block, 0, table[s], xi)
        if solved is None:
            return None
        branches[s], thetas[s], proofs = solved
        certificates += proofs
    theta = tuple(tidy_exponentials(thetas[s], xi) for s in rho.parameters)
    x = constant + sp.Add(
        *(b.formula.subs(b.parameters[0], thetas[b.parameters[0]]) for b in parts)
    )
    x = tidy_exponentials(denested(x), xi)

    def area() -> Area:
        conjugate = _sum_conjugate(constant * xi, parts, thetas, branches, table)
        proofs: tuple[Certificate, ...] = ()
        if conjugate is None:
            closed = antiderivative(x, xi, reference=sp.Rational(1, 97))
            conjugate, proofs = _definite(x, xi, sp.S.Zero, closed), _proofs(closed)
        return tidy_exponentials(denested(conjugate), xi), proofs

    return DualCurve(
        rho, values, tuple(branches[s] for s in rho.parameters), xi, (-sp.oo, sp.oo), sp.S.Zero,
        theta, x, xi, sp.S.One, "sum", tuple(certificates), area,
    )  # fmt: skip


def _linear(
    rho: Elementwise, values: tuple[sp.Expr, ...], table: Mapping[sp.Symbol, sp.Expr]
) -> DualCurve | None:
    xi = sp.Symbol("xi", real=True)
    found = linear_curve(rho, table, xi)
    if found is None:
        return None
    theta, proof = found
    x = rho.formula.xreplace(dict(zip(rho.parameters, theta, strict=True)))
    x = tidy_exponentials(sp.powsimp(sp.expand(x)), xi)

    def area() -> Area:
        closed = antiderivative(x, xi, reference=sp.Rational(1, 97))
        return tidy_exponentials(_definite(x, xi, sp.S.Zero, closed), xi), _proofs(closed)

    return DualCurve(
        rho, values, (None,) * len(values), xi, (-sp.oo, sp.oo), sp.S.Zero,
        theta, x, xi, sp.S.One, "linear", (proof,), area,
    )  # fmt: skip


def _sum_conjugate(
    start: sp.Expr,
    parts: tuple[Block, ...],
    thetas: Mapping[sp.Symbol, sp.Expr],
    branches: Mapping[sp.Symbol, Branch],
    table: Mapping[sp.Symbol, sp.Expr],
) -> sp.Expr | None:
    r"""$F^*(\xi) = \sum_j \int \rho_j/(p_j\rho_j')\,d\theta_j$ along the curve."""
    total = start
    for block in parts:
        s, (p,), (field,) = block.parameters[0], block.rates, block.fields
        v = branches[s].symbol
        area = antiderivative(
            (block.formula / (p * field)).xreplace({s: v}), v, reference=_near(table[s])
        )
        if area is None:
            return None
        at_start = area.expression.subs(v, table[s])
        if at_start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            return None
        total += area.expression.subs(v, thetas[s]) - at_start
    return total


def _common_clock(
    rho: Elementwise,
    values: tuple[sp.Expr, ...],
    block: Block,
    table: Mapping[sp.Symbol, sp.Expr],
) -> DualCurve | None:
    """A block with one clock: by the clock itself, or by a parameter that passes a zero of it."""
    assert block.clock is not None
    pivot = _pivot(block, table)
    if pivot is not None:
        return _by_parameter(rho, values, block, table, pivot)
    tau = sp.Symbol("tau", real=True)
    thetas: list[sp.Expr] = []
    branches: list[Branch] = []
    certificates: list[Certificate] = []
    for j, s in enumerate(block.parameters):
        try:
            solved = _parameter_flow(block, j, table[s], tau)
        except StartError:
            return None
        if solved is None:
            return _by_parameter(rho, values, block, table, j)
        branch, theta, proofs = solved
        branches.append(branch)
        thetas.append(theta)
        certificates += proofs
    substitution = dict(zip(block.parameters, thetas, strict=True))
    clock = sp.powsimp(block.clock.subs(substitution, simultaneous=True))
    x = sp.powsimp(rho.formula.subs(substitution, simultaneous=True))
    dual = antiderivative(1 / clock, tau, reference=sp.Rational(1, 97))

    def area() -> Area:
        found = antiderivative(sp.cancel(sp.powsimp(x / clock)), tau, reference=sp.Rational(1, 97))
        return _along(x / clock, tau, sp.S.Zero, found), _proofs(found)

    return DualCurve(
        rho, values, tuple(branches), tau, (-sp.oo, sp.oo), sp.S.Zero, tuple(thetas), x,
        _along(1 / clock, tau, sp.S.Zero, dual), 1 / clock,
        "product", (*certificates, *_proofs(dual)), area,
    )  # fmt: skip


def _pivot(block: Block, table: Mapping[sp.Symbol, sp.Expr]) -> int | None:
    r"""The parameter whose factor of the clock reaches zero first as the clock runs down.

    The clock $d\tau = \rho\,d\xi$ of a product cannot pass a zero of a factor, but the curve can:
    u v goes through v = 0 with u > 0. There v is the parameter to use. Factors that reach zero
    together (a balanced start) do so at infinite $\xi$ only.
    """
    times: list[tuple[int, sp.Expr]] = []
    for j, (s, p, field) in enumerate(
        zip(block.parameters, block.rates, block.fields, strict=True)
    ):
        inverse_field = sp.together(1 / field)
        zeros = proposal(_real_zeros, inverse_field, s, seconds=1.5) or []
        start = table[s]
        q = antiderivative(sp.powsimp(1 / (p * field)), s, reference=_near(start))
        if q is None:
            continue
        for zero in zeros:
            gap = q.expression.subs(s, start) - q.expression.subs(s, zero)
            if not gap.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
                times.append((j, sp.expand(gap)))
    if not times:
        return None
    # the smallest gap is reached first; ties are balanced
    for j, gap in times:
        others = [g for i, g in times if i != j]
        if all(sign_on(g - gap) == 1 for g in others):
            return j
    return None


def _real_zeros(e: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    plain = sp.Dummy("s", real=True)
    found = sp.solve(sp.fraction(e)[0].xreplace({s: plain}), plain)
    return [z for z in found if isinstance(z, sp.Expr) and z.is_real]


def _by_parameter(
    rho: Elementwise,
    values: tuple[sp.Expr, ...],
    block: Block,
    table: Mapping[sp.Symbol, sp.Expr],
    pivot: int,
) -> DualCurve | None:
    """The curve with one of its own parameters as s; the others follow by the conservation laws."""
    r = block.parameters[pivot]
    s = r if r.is_positive or r.is_negative else sp.Symbol(r.name, real=True)
    p, field = block.rates[pivot], block.fields[pivot].xreplace({r: s})
    q = antiderivative(sp.powsimp(1 / (p * field)), s, reference=_near(table[r]))
    if q is None:
        return None
    time = q.expression - q.expression.subs(s, table[r])
    thetas: dict[sp.Symbol, sp.Expr] = {r: s}
    certificates = [q.certificate]
    branches: dict[sp.Symbol, Branch | None] = {r: None}
    tau = sp.Dummy("tau", real=True)
    for j, other in enumerate(block.parameters):
        if j == pivot:
            continue
        try:
            solved = _parameter_flow(block, j, table[other], tau)
        except StartError:
            return None
        if solved is None:
            return None
        branches[other], theta, proofs = solved
        thetas[other] = shorten(theta.xreplace({tau: time}), seconds=0.7)
        certificates += proofs
    along = {k: v for k, v in thetas.items() if k != r} | {r: s}
    x = rho.formula.subs(along, simultaneous=True)
    slope = shorten(p * sp.diff(rho.formula, r).subs(along, simultaneous=True), seconds=0.7)
    dual = antiderivative(1 / slope, s, reference=sp.Rational(1, 97))

    def area() -> Area:
        found = antiderivative(sp.powsimp(x / slope), s, reference=sp.Rational(1, 97))
        return _along(x / slope, s, table[r], found), _proofs(found)

    return DualCurve(
        rho, values, tuple(branches[k] for k in rho.parameters), s,
        _between_rests(slope, s, table[r]), table[r],
        tuple(thetas[k] for k in rho.parameters), x,
        _along(1 / slope, s, table[r], dual), 1 / slope,
        "product", (*certificates, *_proofs(dual)), area,
    )  # fmt: skip


def _between_rests(slope: sp.Expr, s: sp.Symbol, start: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The interval around the start on which ds/dxi is not zero."""
    lower, upper = (sp.S.Zero if s.is_positive else -sp.oo), sp.oo
    for zero in proposal(_real_zeros, slope, s, seconds=1.5) or []:
        sign = sign_on(zero - start)
        if sign == 1 and (upper is sp.oo or sign_on(upper - zero) == 1):
            upper = zero
        if sign == -1 and (lower == -sp.oo or sign_on(zero - lower) == 1):
            lower = zero
    return lower, upper


def tidy_exponentials(e: sp.Expr, s: sp.Symbol) -> sp.Expr:
    r"""$A e^{as} \mp A e^{-as}$ as $2A\sinh(as)$ or $2A\cosh(as)$; else a shorter proved form."""
    e = sp.powsimp(sp.expand(e)) if e.has(sp.exp) else e
    if not e.has(sp.exp):
        return e
    terms: dict[sp.Expr, sp.Expr] = {}
    rest = sp.S.Zero
    for t in sp.Add.make_args(sp.expand(e)):
        c, f = t.as_independent(s, as_Add=False)
        if isinstance(f, sp.exp) and not sp.expand(f.args[0] / s).has(s):
            rate = sp.expand(f.args[0] / s)
            terms[rate] = terms.get(rate, sp.S.Zero) + c
        else:
            rest += t
    out = rest
    done: set[sp.Expr] = set()
    for rate, c in terms.items():
        if rate in done:
            continue
        other = terms.get(-rate)
        up = -rate if rate.could_extract_minus_sign() else rate
        if other is not None and rate != 0:
            a, b = sp.factor(terms[up]), sp.factor(terms[-up])
            done |= {rate, -rate}
            if sp.expand(a + b) == 0:
                out += 2 * a * sp.sinh(up * s)
                continue
            if sp.expand(a - b) == 0:
                out += 2 * a * sp.cosh(up * s)
                continue
            out += a * sp.exp(up * s) + b * sp.exp(-up * s)
        else:
            done.add(rate)
            out += c * sp.exp(rate * s)
    return out


def short_on(e: sp.Expr, curve: DualCurve) -> sp.Expr:
    """A shorter form of an expression on the curve."""
    return shorten(e, curve.ranges)
