r"""Certified statements about the end of a gradient flow of an elementwise parametrization.

Along the flow $\xi(t) = F'(x(t))$ stays in the range of $A^T$. Where the flow tends to an x inside
of the reachable interval, $\xi$ tends to $F'(x)$, hence $\langle k, F'(x)\rangle = 0$ for
$k \in \ker A$, and the gradient $A^T q'(Ax)$ of the loss vanishes. Conversely an x with $Ax = z^*$
and $F'(x)$ in the range of $A^T$ is the limit when $D_F(x, \cdot)$, which never increases, keeps
the flow in a compact set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.claims.claim import question_on, recorded, term_of
from theory.claims.enclosed_flow import check_question, with_numbers
from theory.claims.limit_enclosure import compare, consistent, enclose_limit
from theory.claims.properties import legendre_hints
from theory.claims.reached import Coordinate
from theory.claims.replay.terms import literal
from theory.claims.statement import Domain
from theory.errors import (
    DataError,
    DomainError,
    NotClosedForm,
    ShapeError,
    TheoryError,
    UnsupportedFormula,
)
from theory.exact.balls import accurate_digits, precision, rational_ball, sign_of_number
from theory.exact.budget import time_budget
from theory.exact.guard import proposal
from theory.exact.initial_data import read_number
from theory.exact.parsing import parse_relation
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.conditions import target_predictor, theory_conditions
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.flow.parametrization import Elementwise
from theory.mirror.dual_curve import DualCurve
from theory.mirror.legendre import curve_interval
from theory.numeric.compile import Array
from theory.numeric.limit_point import limit_point
from theory.numeric.problem import Regression
from theory.numeric.start import read_constants, read_start

__all__ = ["limit_point_is"]

_NEEDED = 4
"""The certificates on loss and link without which the flow need not interpolate."""


def limit_point_is(
    candidate: Sequence[Any],
    flow: FlowModel,
    problem: Regression,
    start: Mapping[Any, Any],
    tolerance: Any = 0,
    *,
    seconds: float = 30.0,
) -> Verdict:
    r"""Whether the flow from a start tends to a point x.

    Parameters
    ----------
    candidate : sequence of d exact numbers
        The claimed limit of the predictor. A float stands for the decimal that it prints as.
    flow : GradientFlow
        Of an elementwise parametrization.
    problem : Regression
        Its entries stand for the decimals that they print as.
    start : mapping from parameter to an exact number, or a list with one per coordinate
        And the constants of the formula.
    tolerance : exact number
        The largest distance of a coordinate from the limit. With a positive tolerance the limit
        itself is enclosed, which needs mirror maps in closed form.
    seconds : float
        Time for the proof.

    Returns
    -------
    Verdict
        REFUTED with a coordinate whose gradient is enclosed away from zero, or with an exact k in
        the kernel of A for which $\langle k, F'(x)\rangle$ is. UNDECIDED with the digits to which
        these vanish.

    Raises
    ------
    FormulaError, DataError, ShapeError, StartError
        For a flow, data, a candidate or a start that do not fit.
    InfeasibleTarget, DomainError
        For targets without a predictor.

    Examples
    --------
    >>> from theory import Elementwise, GradientFlow
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> problem = Regression([[1, 1]], [1])
    >>> half = sp.Rational(1, 2)
    >>> print(limit_point_is([half, half], flow, problem, {"u": 0.1, "v": 0.1}).status)
    PROVED
    >>> found = limit_point_is([1, 0], flow, problem, {"u": 0.1, "v": 0.1})
    >>> print(found.status, found.witness["k"])
    REFUTED [-1, 1]
    >>> flow = GradientFlow(Elementwise("u**2 - v**2", "u, v"))
    >>> found = limit_point_is([0.01, 0.495], flow, Regression([[1, 2]], [1]), {"u": 0.1, "v": 0.1})
    >>> print(found.status)
    REFUTED
    """
    check_question(flow, problem)
    x = _read_candidate(candidate, problem.d)
    slack = read_number(tolerance, "tolerance")
    if sign_of_number(slack) == -1:
        raise DomainError(f"Expected tolerance >= 0 but got tolerance = {tolerance!r}.")
    read_start(flow.elementwise, start, problem.d)
    rho = with_numbers(flow.elementwise, read_constants(flow.elementwise, start))
    A = sp.Matrix([[read_number(a, "A") for a in row] for row in problem.dense])
    targets = [read_number(y, "y") for y in problem.y]
    try:
        z = [target_predictor(flow.loss, flow.link, y) for y in targets]
    except NotClosedForm as error:
        return Verdict(Status.UNDECIDED, str(error))
    with time_budget(seconds):
        values = _starts(rho.parameters, start, problem.d)
        shared: dict[Any, Coordinate] = {}
        coordinates = []
        for i in range(problem.d):
            c = Coordinate(rho, {s: values[s][i] for s in rho.parameters}, x[i])
            coordinates.append(shared.setdefault(c.key, c))
        if slack != 0:
            # floats are slow where the limit does not exist: asked last
            guess = cache(partial(_dual_guess, flow, problem, start))
            verdict = _within(A, z, targets, flow, coordinates, slack, guess)
            return recorded(
                verdict,
                lambda: _claim(rho, flow, A, targets, coordinates) | {"tolerance": term_of(slack)},
                lambda: {} if verdict.undecided else _hints(coordinates, z, guess()),
            )
        verdict = _exactly(A, x, targets, z, flow, coordinates)
    return recorded(
        verdict,
        lambda: _claim(rho, flow, A, targets, coordinates),
        lambda: {} if verdict.undecided else _known_hints(coordinates, z),
    )


def _exactly(
    A: sp.Matrix,
    x: Sequence[sp.Expr],
    targets: Sequence[sp.Expr],
    z: Sequence[sp.Expr],
    flow: FlowModel,
    coordinates: Sequence[Coordinate],
) -> Verdict:
    """The claim without a tolerance."""
    found = _refuted(A, x, targets, z, flow, coordinates)
    if found is None:
        found = _kernel(A, coordinates)
    if found is not None and found.refuted:
        return found
    proof = _proof(A, x, z, targets, flow, coordinates)
    if proof.proved:
        return proof
    digits = None if found is None else found.digits
    return Verdict(Status.UNDECIDED, proof.method, digits=digits)


def _claim(
    rho: Elementwise,
    flow: FlowModel,
    A: sp.Matrix,
    targets: Sequence[sp.Expr],
    coordinates: Sequence[Coordinate],
) -> dict[str, Any]:
    slope = flow.loss.gradient_in_predictor(flow.link)
    lists = {
        "matrix": [[term_of(a) for a in A.row(j)] for j in range(A.rows)],
        "start": [[term_of(c.start[s]) for s in rho.parameters] for c in coordinates],
    }
    return (
        question_on(
            "limit_point",
            rho.parameters,
            Domain({s: r for s, r in rho.ranges.items() if s in rho.parameters}),
            component=rho.formula,
            parameters=[s.name for s in rho.parameters],
            rates=rho.rates,
            slopes=[slope.xreplace({flow.loss.target: y}) for y in targets],
            variables=(PREDICTOR,),
            point=[c.x for c in coordinates],
        )
        | lists
    )


def _known_hints(coordinates: Sequence[Coordinate], z: Sequence[sp.Expr]) -> dict[str, Any]:
    """The hints, or none where a curve has no closed form."""
    try:
        return _hints(coordinates, z)
    except UnsupportedFormula:
        return {}


def _hints(
    coordinates: Sequence[Coordinate], z: Sequence[sp.Expr], dual: Array | None = None
) -> dict[str, Any]:
    """The curve of each coordinate, its place on the curve where that is exact, and z*."""
    out = []
    for c in coordinates:
        hints = legendre_hints(c.mirror)
        curve = c.mirror.curve
        exact = curve.s_start if c.rests else None
        if exact is None:
            exact = c.exact_dual() if curve.dual == curve.s else _place(curve, c.x)
        out.append({"hints": hints, "at": None if exact is None else term_of(exact)})
    near = {} if dual is None else {"dual": [literal(Fraction(float(v))) for v in dual]}
    return {"coordinates": out, "targets": [term_of(e) for e in z], **near}


def _read_candidate(candidate: Any, d: int) -> list[sp.Expr]:
    if isinstance(candidate, str | Mapping) or not hasattr(candidate, "__len__"):
        raise DataError(f"Expected a sequence of {d} numbers but got {candidate!r}.")
    x = [read_number(v, "the candidate") for v in candidate]
    if len(x) != d:
        raise ShapeError(f"Expected {d} numbers, one for each column, but got {len(x)}.")
    return x


def _starts(
    parameters: Sequence[sp.Symbol], start: Mapping[Any, Any], d: int
) -> dict[sp.Symbol, list[sp.Expr]]:
    by_name = {str(getattr(key, "name", key)): value for key, value in start.items()}
    out = {}
    for s in parameters:
        given = by_name[s.name]
        many = isinstance(given, list | tuple | np.ndarray) and np.ndim(given) > 0
        out[s] = [read_number(v, s.name) for v in (given if many else [given] * d)]
    return out


def _place(curve: DualCurve, x: sp.Expr) -> sp.Expr | None:
    """A solution s of x(s) = x on the curve that SymPy finds: a hint only."""
    if curve.x is None or curve.s is None:
        return None
    lower, upper = curve_interval(curve)
    for s in proposal(sp.solve, curve.x - x, curve.s, seconds=1.0) or ():
        known = lower is not None and upper is not None and s.is_real and not s.free_symbols
        if known and all(sign_of_number(g) == 1 for g in (s - lower, upper - s) if g.is_finite):
            return s
    return None


# -------------------------------------------------------------------------------------------------
# refutations
# -------------------------------------------------------------------------------------------------


def _refuted(
    A: sp.Matrix,
    x: Sequence[sp.Expr],
    targets: Sequence[sp.Expr],
    z: Sequence[sp.Expr],
    flow: FlowModel,
    coordinates: Sequence[Coordinate],
) -> Verdict | None:
    """A coordinate that is out of reach, or that would go on moving at x."""
    for i, c in enumerate(coordinates):
        if c.beyond:
            return Verdict(
                Status.REFUTED,
                "the flow never leaves the reachable interval of this coordinate",
                witness={f"x[{i}]": str(c.x), "reach": str(c.mirror.reach)},
            )
    at = list(A * sp.Matrix(x))
    if all(_vanishes(a - b) for a, b in zip(at, z, strict=True)):
        return None
    if not all(_in_domain(a, flow) for a in at):
        return None
    slope = flow.loss.gradient_in_predictor(flow.link)
    r = [
        slope.xreplace({PREDICTOR: a, flow.loss.target: y})
        for a, y in zip(at, targets, strict=True)
    ]
    gradient = list(A.T * sp.Matrix(r))
    for i, (g, c) in enumerate(zip(gradient, coordinates, strict=True)):
        # a limit inside of the interval is a point where this coordinate rests
        if sign_of_number(g) in (1, -1) and c.dual is not None:
            worst = max(range(len(z)), key=lambda j: abs(float(at[j] - z[j])))
            return Verdict(
                Status.REFUTED,
                "A x differs from the target, and the gradient of the loss at x is not zero",
                witness={
                    f"(A x)[{worst}]": str(at[worst]),
                    f"z*[{worst}]": str(z[worst]),
                    f"gradient[{i}]": str(sp.N(g, 10)),
                },
            )
    return None


def _in_domain(at: sp.Expr, flow: FlowModel) -> bool:
    """Whether the loss is finite at a predictor."""
    loss = flow.loss
    mean = at if loss.on == "predictor" else flow.link.formula.xreplace({PREDICTOR: at})
    return all(
        end.is_finite is False or sign_of_number(side * (mean - end)) == 1
        for end, side in zip(loss.domain, (1, -1), strict=True)
    )


def _kernel(A: sp.Matrix, coordinates: Sequence[Coordinate]) -> Verdict | None:
    """REFUTED by a k in the kernel of A, or the digits to which all products vanish."""
    digits: int | None = None
    for k in _basis(A):
        used = [(a, c) for a, c in zip(k, coordinates, strict=True) if a != 0]
        if any(c.dual is None for _, c in used):
            continue
        with precision(256):
            total, size = arb(0), arb(0)
            for a, c in used:
                assert c.dual is not None
                total += rational_ball(a) * c.dual
                size += abs(rational_ball(a) * c.dual)
            if not total.contains(0):
                return Verdict(
                    Status.REFUTED,
                    f"<k, F'(x)> = {total.str(10, radius=False)} for a k in the kernel of A, while "
                    "F'(x(t)) stays in the range of A^T",
                    witness={"k": str(list(k)), "<k, F'(x)>": total.str(10)},
                )
            here = accurate_digits(size + total) if size > 0 else 30
        digits = here if digits is None else min(digits, here)
    return None if digits is None else Verdict(Status.UNDECIDED, "", digits=max(digits, 0))


def _basis(A: sp.Matrix) -> list[sp.Matrix]:
    """Exact rational vectors that span the kernel of A."""
    return list(A.nullspace())


# -------------------------------------------------------------------------------------------------
# the proof
# -------------------------------------------------------------------------------------------------


def _proof(
    A: sp.Matrix,
    x: Sequence[sp.Expr],
    z: Sequence[sp.Expr],
    targets: Sequence[sp.Expr],
    flow: FlowModel,
    coordinates: Sequence[Coordinate],
) -> Verdict:
    def open_question(what: str) -> Verdict:
        return Verdict(Status.UNDECIDED, what)

    if not all(_vanishes(a - b) for a, b in zip(A * sp.Matrix(x), z, strict=True)):
        return open_question("A x = z* was not proved")
    missing = _diverging(flow, targets, coordinates)
    if missing is not None:
        return open_question(missing)
    for i, c in enumerate(coordinates):
        if c.dual is None:
            return open_question(f"x[{i}] was not enclosed inside of the reachable interval")
    for k in _basis(A):
        if not _orthogonal(k, coordinates):
            return open_question(f"<k, F'(x)> = 0 was not proved for k = {list(k)}")
    return Verdict(
        Status.PROVED,
        "A x = z* and F'(x) lies in the range of A^T, exactly; q'(z) (z - z*) > 0, so that "
        "D_F(x, x(t)) falls, and it confines the flow",
    )


def _diverging(
    flow: FlowModel, targets: Sequence[sp.Expr], coordinates: Sequence[Coordinate]
) -> str | None:
    """What is missing for the flow to tend to the x with A x = z* and F'(x) in the range of A^T."""
    for certificate in theory_conditions(flow.loss, flow.link)[:_NEEDED]:
        verdict = certificate.verdict
        if not verdict.proved or not _holds(verdict.conditions, flow, targets):
            return f"not proved: {certificate.claim}"
    for i, c in enumerate(coordinates):
        if not c.confined:
            return (
                f"the Bregman divergence was not proved to confine coordinate {i} "
                f"(Legendre type: {c.mirror.is_legendre.status})"
            )
    return None


def _dual_guess(flow: FlowModel, problem: Regression, start: Mapping[Any, Any]) -> Array | None:
    try:
        found = limit_point(flow, problem, start)
    except (TheoryError, ArithmeticError):
        return None
    return problem.pull_back(found.multipliers)


def _within(
    A: sp.Matrix,
    z: Sequence[sp.Expr],
    targets: Sequence[sp.Expr],
    flow: FlowModel,
    coordinates: Sequence[Coordinate],
    tolerance: sp.Expr,
    guess: Callable[[], Array | None],
) -> Verdict:
    """The claim with a tolerance, from an enclosure of the limit."""
    if not all(_vanishes(e) for e in consistent(A, z)):
        return Verdict(Status.UNDECIDED, "the target was not proved to lie in the range of A")
    missing = _diverging(flow, targets, coordinates)
    if missing is not None:
        return Verdict(Status.UNDECIDED, missing)
    dual = guess()
    limit = None if dual is None else enclose_limit(A, z, coordinates, dual)
    if limit is None:
        return Verdict(Status.UNDECIDED, "the limit was not enclosed")
    side, worst = compare(limit, [c.x for c in coordinates], tolerance)
    text = f"the limit is enclosed, and x is {worst.str(6, radius=False)} from it"
    if side == 1:
        return Verdict(Status.PROVED, text)
    if side == -1:
        witness = {f"limit[{i}]": v.str(20) for i, v in enumerate(limit)}
        return Verdict(Status.REFUTED, text, witness=witness)
    return Verdict(Status.UNDECIDED, f"{text}, too close to the tolerance")


def _holds(conditions: Sequence[str], flow: FlowModel, targets: Sequence[sp.Expr]) -> bool:
    """Whether conditions such as ``0 < y`` hold for each target."""
    y = flow.loss.target
    for text in conditions:
        operator, left, right = parse_relation(text, {y.name: y})
        for value in targets:
            gap = (left - right).xreplace({y: value})
            if sign_of_number(gap) != (1 if operator == ">" else -1 if operator == "<" else None):
                return False
    return True


def _orthogonal(k: sp.Matrix, coordinates: Sequence[Coordinate]) -> bool:
    """Whether <k, F'(x)> = 0 exactly."""
    # coordinates with the same start and the same x have the same F'(x), known or not
    weights: dict[Any, sp.Expr] = {}
    first: dict[Any, Coordinate] = {}
    for a, c in zip(k, coordinates, strict=True):
        weights[c.key] = weights.get(c.key, sp.S.Zero) + a
        first.setdefault(c.key, c)
    terms = []
    for key, weight in weights.items():
        if weight == 0 or first[key].rests:
            continue
        exact = first[key].exact_dual()
        if exact is None:
            return False
        terms.append(weight * exact)
    return _vanishes(sp.Add(*terms))


def _vanishes(e: sp.Expr) -> bool:
    if e == 0:
        return True
    if e.is_Rational or sign_of_number(e, max_bits=256) is not None:
        return False
    try:
        return is_zero(e).proved
    except (DomainError, UnsupportedFormula):
        return False
