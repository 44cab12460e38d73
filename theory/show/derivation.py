r"""A derivation in numbered steps: from the flow to its implicit regularizer.

Every step carries its statement, the reason, and the certificate where one exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from theory.errors import NotClosedForm, TheoryError
from theory.exact.budget import time_budget
from theory.exact.derivation import Derivation, RawStep, Step, numbered
from theory.exact.verdict import Certificate
from theory.flow.conditions import theory_conditions
from theory.flow.conservation import elementwise_laws
from theory.flow.gradient_flow import FlowModel
from theory.mirror.mirror_flow import MirrorFlow
from theory.mirror.regularizer import Regularizer

__all__ = ["Derivation", "Step", "derive"]

_SECONDS_PER_LIMIT = 10.0


def derive(mirror: MirrorFlow, model: FlowModel | None = None) -> Derivation:
    """All steps for a parametrization and a start.

    Parameters
    ----------
    mirror : MirrorFlow
    model : FlowModel, optional
        Adds what the convergence theory needs of its loss and link.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.mirror.mirror_flow import mirror_flow
    >>> derivation = derive(mirror_flow(Elementwise("u**2", "u"), {"u": 1}))
    >>> print(derivation.steps[1])
    2. Metric
       M = 4*u**2
       because dx/dxi = (grad rho)^T P grad rho, and x' = -M g
    """
    where = ", ".join(
        f"{s.name}(0) = {v}" for s, v in zip(mirror.rho.parameters, mirror.start, strict=True)
    )
    title = f"Gradient flow of x = {mirror.rho.formula} from {where}"
    return numbered(title, _steps(mirror, model))


def _steps(mirror: MirrorFlow, model: FlowModel | None) -> Iterator[RawStep]:
    rho = mirror.rho
    flow = model if model is not None else FlowModel(rho)
    yield (
        "Gradient flow",
        list(flow.equations()),
        "chain rule; g is the coordinate's entry of the gradient of the loss in x",
        None,
    )
    yield (
        "Metric",
        [sp.Eq(sp.Symbol("M"), rho.metric(), evaluate=False)],
        "dx/dxi = (grad rho)^T P grad rho, and x' = -M g",
        None,
    )
    laws = elementwise_laws(rho)
    if laws.count:
        start = dict(zip(rho.parameters, mirror.start, strict=True))
        values = [
            sp.Eq(law, law.subs(start, simultaneous=True), evaluate=False) for law in laws.found
        ]
        missing = laws.count - len(laws.found)
        note = [f"{missing} of the {laws.count} laws have no closed form"] if missing else []
        yield (
            "Conservation laws",
            values + note,
            f"a block of {len(rho.parameters)} parameters runs along one curve, which leaves "
            f"{laws.count}; each is constant for every loss, link and data set",
            laws.certificates[0] if laws.certificates else None,
        )
    yield from _curve_steps(mirror)
    yield from _potential_steps(mirror)
    yield (
        "Legendre type",
        [
            {
                True: "The flow can reach the end of its interval in finite time.",
                False: "The flow does not reach the ends of its interval in finite time.",
                None: "Whether the flow reaches the ends of its interval is not known.",
            }[mirror.finite_time_exit]
        ],
        _sentence(mirror.is_legendre.method),
        Certificate("F is of Legendre type", mirror.is_legendre),
    )
    yield from _regularizer_steps(mirror)
    if model is not None:
        yield (
            "Convergence",
            [f"{c.claim}: {c.verdict.status}" for c in theory_conditions(model.loss, model.link)],
            f"loss {model.loss.formula} of the mean {model.link.formula}",
            None,
        )


def _sentence(text: str) -> str:
    return text.rstrip(".")


def _curve_steps(mirror: MirrorFlow) -> Iterator[RawStep]:
    curve = mirror.curve
    certificate = curve.certificates[0] if curve.certificates else None
    if curve.s is None:
        yield (
            "Dual curve",
            list(curve.equations()),
            "every trajectory of the coordinate runs along this curve, whatever the data",
            None,
        )
        return
    assert curve.theta is not None and curve.x is not None and curve.dual is not None
    # the curve of a sum is given by xi itself
    s = sp.Symbol("xi", real=True) if curve.dual == curve.s else sp.Symbol("s", real=True)
    if s in set().union(*(e.free_symbols for e in (*curve.theta, mirror.x0))):
        s = curve.s
    named = {curve.s: s}
    lines: list[Any] = [
        sp.Eq(p, e.xreplace(named), evaluate=False)
        for p, e in zip(mirror.rho.parameters, curve.theta, strict=True)
        if p != e.xreplace(named)
    ]
    lines.append(sp.Eq(sp.Symbol("x"), curve.x.xreplace(named), evaluate=False))
    if curve.dual != curve.s:
        lines.append(sp.Eq(sp.Symbol("xi"), curve.dual.xreplace(named), evaluate=False))
    if curve.conjugate is not None:
        lines.append(sp.Eq(sp.Symbol("F^*"), curve.conjugate.xreplace(named), evaluate=False))
    yield (
        "Dual curve",
        lines,
        "dtheta/dxi = P grad rho solved by quadratures; xi = F'(x) is the dual variable, "
        "and F* the integral of x over xi",
        certificate,
    )
    yield (
        "Ends",
        [_interval("xi", mirror.domain), _interval("x", mirror.reach)],
        "limits at the ends of the curve; x outside of its interval is never reached",
        None,
    )


def _interval(name: str, ends: tuple[sp.Expr | None, sp.Expr | None]) -> str:
    low, high = ("?" if e is None else str(e) for e in ends)
    return f"{name} in ({low}, {high})"


def _shorter(e: sp.Expr) -> sp.Expr:
    return min((e, sp.expand(e)), key=lambda form: form.count_ops())


def _potential_steps(mirror: MirrorFlow) -> Iterator[RawStep]:
    closed = mirror.closed
    by_claim = {c.claim.split(" ")[0].split("(")[0]: c for c in closed.certificates}
    x, xi = closed.x, closed.xi
    potential = None if closed.potential is None else _shorter(closed.potential)

    def named(name: str, argument: sp.Symbol, value: sp.Expr) -> sp.Eq:
        return sp.Eq(sp.Function(name)(argument), value, evaluate=False)

    if closed.hessian is not None:
        yield (
            "Hessian",
            [named("F''", x, closed.hessian)],
            "F'' = 1/M with M as a function of x on the leaf of the start",
            by_claim.get("F''"),
        )
    if closed.gradient is not None:
        yield (
            "Mirror map",
            [named("F'", x, closed.gradient)],
            "the antiderivative of F'' that vanishes at the start",
            by_claim.get("dF'/dx"),
        )
    if closed.inverse_gradient is not None:
        yield (
            "Inverse mirror map",
            [named("k", xi, closed.inverse_gradient)],
            "x along the dual curve as a function of xi",
            None,
        )
    if potential is not None:
        yield (
            "Potential",
            [named("F", x, potential)],
            "the antiderivative of F' that vanishes at the start",
            by_claim.get("dF/dx"),
        )
    else:
        how = "the parametric form" if mirror.curve.s is not None else "the curve's ODE"
        yield (
            "Potential",
            ["F(x(s)) = xi(s) x(s) - F*(s) in parametric form; no closed form in x was found."],
            f"{how} gives F to any precision",
            None,
        )
    if closed.conjugate is not None:
        yield (
            "Conjugate",
            [named("F^*", xi, closed.conjugate)],
            "the antiderivative of k that vanishes at 0",
            by_claim.get("dF*/dxi"),
        )
    if potential is not None and closed.gradient is not None:
        y = sp.Symbol("y", **x.assumptions0)
        bregman = (
            potential - potential.xreplace({x: y}) - closed.gradient.xreplace({x: y}) * (x - y)
        )
        yield (
            "Bregman divergence",
            [sp.Eq(sp.Function("D_F")(x, y), bregman, evaluate=False)],
            "F(x) - F(y) - F'(y)(x - y); from the start y = x_0 it is F(x) itself",
            None,
        )


def _regularizer_steps(mirror: MirrorFlow) -> Iterator[RawStep]:
    yield (
        "Implicit regularizer",
        ["The limit minimizes the sum of D_F(x_i, x_0) over the interpolators x."],
        "xi moves in the range of A^T only, which is the optimality condition of that problem",
        None,
    )
    symbols = sorted(
        {s for e in mirror.start for s in e.free_symbols} - set(mirror.rho.constants),
        key=lambda s: s.name,
    )
    regularizer = Regularizer(mirror)
    for symbol in symbols:
        for point in (sp.S.Zero, sp.oo):
            title = f"Limit for {symbol} -> {point}"
            try:
                with time_budget(_SECONDS_PER_LIMIT):
                    limit = regularizer.limit(symbol, point)
            except NotClosedForm as error:
                yield title, [_sentence(str(error)) + "."], "no closed form was found", None
                continue
            except TheoryError as error:
                yield title, [_sentence(str(error)) + "."], "the question has no answer here", None
                continue
            divergence = sp.Function("D_F")(limit.x, sp.Symbol("x_0"))
            scaled = sp.Limit((divergence - limit.dropped) / limit.scale, symbol, point, "+")
            lines: list[Any] = [sp.Eq(scaled, limit.function, evaluate=False)]
            if limit.dropped != 0:
                lines.append(f"{limit.dropped} does not depend on x: it moves no minimizer")
            if limit.rate is not None:
                lines.append(f"relative error of order {limit.rate}")
            yield (
                title,
                lines,
                "leading term of the expansion of D_F",
                limit.certificates[-1] if limit.certificates else None,
            )
