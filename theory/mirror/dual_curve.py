r"""The dual curve of one coordinate: $d\theta/d\xi = P\,\nabla\rho(\theta)$, $\theta(0) = \theta_0$.

Whatever the data, the loss and the link, every trajectory of one coordinate runs along this curve,
and $x = \rho(\theta(\xi)) = k(\xi)$ is the inverse mirror map. The curve is given in closed form in
a parameter s: x(s), $\xi(s)$, and the conjugate $F^*(s) = \int x\,d\xi$, where s is the parameter of
a one-parameter formula, $\xi$ itself for sums, and the clock $\tau$ for products.

References
----------
H.-H. Chou, J. Maly, D. Stöger, arXiv 2308.04921; the quadratures per parameter are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, FormulaError, StartError, UnknownName
from theory.exact.antiderivative import Antiderivative, antiderivative
from theory.exact.assumptions import Ranges
from theory.exact.inverse import inverse
from theory.exact.parsing import parse
from theory.exact.shorten import shorten
from theory.exact.verdict import Certificate
from theory.flow.branch import Branch, branch_through
from theory.flow.clock import Block, blocks
from theory.flow.parametrization import Elementwise

__all__ = ["DualCurve", "dual_curve", "exact_start"]


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
    x, dual, conjugate : sympy.Expr or None
        x(s), xi(s) and F*(s); xi(s) and F*(s) may hold a definite integral.
    kind : str
        "one parameter", "sum", "product" (any common clock) or "ode".
    certificates : tuple of Certificate
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
    conjugate: sp.Expr | None
    kind: str
    certificates: tuple[Certificate, ...]

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
            f"Expected the start as a mapping such as {{'{rho.parameters[0]}': 1}} but got {start!r}."
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
        elif isinstance(value, (float, int)) or hasattr(value, "__float__") and not isinstance(
            value, sp.Basic
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
        if s.is_positive and value.is_number and not (value > 0):
            raise StartError(f"Expected a positive start for {s.name} but got {value}.")
        out.append(value)
    return tuple(out)


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
    if len(parts) == 1 and parts[0].clock is not None:
        curve = _common_clock(rho, values, parts[0], table)
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
    if all(e == 0 or e.equals(0) is True for e in slopes):
        raise StartError(
            f"The flow is stuck at the start {where}: the gradient of {rho.formula} is zero there. "
            "Start where at least one derivative is not zero."
        )


def _definite(
    integrand: sp.Expr, s: sp.Symbol, s0: sp.Expr, closed: Antiderivative | None
) -> sp.Expr:
    """The integral from s0 to s: closed, or as an integral in a bound variable."""
    if closed is not None:
        at_start = closed.expression.subs(s, s0)
        if not at_start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            return closed.expression - at_start
    t = sp.Dummy(s.name)
    return sp.Integral(integrand.xreplace({s: t}), (t, s0, s))


def _one_parameter(rho: Elementwise, values: tuple[sp.Expr, ...]) -> DualCurve:
    (u,), (p,), (u0,) = rho.parameters, rho.rates, values
    branch = branch_through(rho.formula, u, u0)
    s = branch.symbol
    formula = rho.formula.xreplace({u: s})
    slope = sp.diff(formula, s)
    ranges = dict(rho.ranges) | {s: branch.range}
    reference = _inside(branch, u0)
    time = antiderivative(1 / (p * slope), s, reference=reference, ranges=ranges)
    area = antiderivative(formula / (p * slope), s, reference=reference, ranges=ranges)
    certificates = [a.certificate for a in (time, area) if a is not None]
    return DualCurve(
        rho, values, (branch,), s, branch.range, u0, (s,), formula,
        _definite(1 / (p * slope), s, u0, time), _definite(formula / (p * slope), s, u0, area),
        "one parameter", tuple(certificates),
    )  # fmt: skip


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
    block: Block, j: int, start: sp.Expr, clock: sp.Symbol
) -> tuple[Branch, sp.Expr, list[Certificate]] | None:
    """theta_j as a function of the block's clock, $Q_j^{-1}(\\tau + Q_j(\\theta_{j0}))$."""
    s, p, field = block.parameters[j], block.rates[j], block.fields[j]
    if block.clock == 1:
        branch = branch_through(block_part(block, j), s, start)
    else:
        branch = _field_branch(field, s, start)
    v = branch.symbol
    local = field.xreplace({s: v})
    ranges = {v: branch.range}
    q = antiderivative(1 / (p * local), v, reference=_inside(branch, start), ranges=ranges)
    if q is None:
        return None
    y = sp.Dummy("y", real=True)
    image: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = dict(ranges)
    image[y] = _image(q.expression, v, branch)
    back = inverse(q.expression, v, y, reference=start if start.free_symbols else _inside(branch, start), ranges=image)
    if back is None:
        return None
    at_start = q.expression.subs(v, start)
    if at_start.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    theta = back.expression.xreplace({y: clock + at_start})
    return branch, theta, [q.certificate, back.certificate]


def block_part(block: Block, j: int) -> sp.Expr:
    """The summand of a sum that belongs to one parameter."""
    s = block.parameters[j]
    return sp.Add(*(t for t in sp.Add.make_args(block.formula) if s in t.free_symbols))


def _field_branch(field: sp.Expr, s: sp.Symbol, start: sp.Expr) -> Branch:
    """The interval around a start on which a field has one sign: where its quadrature is monotone."""
    if sp.simplify(field.subs(s, start)) == 0:
        raise StartError(f"The parameter {s.name} is stuck at {start}.")
    t = sp.Dummy("t")
    del t
    sign = 1 if start.is_positive else -1 if start.is_negative else 0
    symbol = (
        s if s.is_positive or s.is_negative
        else sp.Symbol(s.name, positive=True) if sign == 1
        else sp.Symbol(s.name, negative=True) if sign == -1
        else sp.Symbol(s.name, real=True)
    )  # fmt: skip
    lower = sp.S.Zero if symbol.is_positive else -sp.oo
    upper = sp.S.Zero if symbol.is_negative else sp.oo
    return Branch(symbol, lower, upper, 1, True)


def _image(q: sp.Expr, v: sp.Symbol, branch: Branch) -> tuple[sp.Expr, sp.Expr]:
    """The range of a monotone function on a branch, where the limits are simple; else the line."""
    from theory.exact.limits import certified_limit

    ends = []
    for end, direction in ((branch.lower, "+"), (branch.upper, "-")):
        limit = certified_limit(q, v, end, direction, seconds=1.0)
        if limit is None or limit.value.free_symbols & {v}:
            return -sp.oo, sp.oo
        ends.append(limit.value)
    a, b = ends
    if (b - a).is_negative or (a is sp.oo) or (b == -sp.oo):
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
        *(
            b.formula.subs(b.parameters[0], thetas[b.parameters[0]])
            for b in parts
        )
    )
    x = tidy_exponentials(x, xi)
    closed = antiderivative(x, xi, reference=sp.Rational(1, 97))
    if closed is not None:
        certificates.append(closed.certificate)
    return DualCurve(
        rho, values, tuple(branches[s] for s in rho.parameters), xi, (-sp.oo, sp.oo), sp.S.Zero,
        theta, x, xi, _definite(x, xi, sp.S.Zero, closed), "sum", tuple(certificates),
    )  # fmt: skip


def _common_clock(
    rho: Elementwise,
    values: tuple[sp.Expr, ...],
    block: Block,
    table: Mapping[sp.Symbol, sp.Expr],
) -> DualCurve | None:
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
            return None
        branch, theta, proofs = solved
        branches.append(branch)
        thetas.append(theta)
        certificates += proofs
    substitution = dict(zip(block.parameters, thetas, strict=True))
    assert block.clock is not None
    clock = sp.powsimp(block.clock.subs(substitution, simultaneous=True))
    x = sp.powsimp(rho.formula.subs(substitution, simultaneous=True))
    dual = antiderivative(1 / clock, tau, reference=sp.Rational(1, 97))
    area = antiderivative(sp.cancel(sp.powsimp(x / clock)), tau, reference=sp.Rational(1, 97))
    certificates += [a.certificate for a in (dual, area) if a is not None]
    return DualCurve(
        rho, values, tuple(branches), tau, (-sp.oo, sp.oo), sp.S.Zero, tuple(thetas), x,
        _definite(1 / clock, tau, sp.S.Zero, dual), _definite(x / clock, tau, sp.S.Zero, area),
        "product", tuple(certificates),
    )  # fmt: skip


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
