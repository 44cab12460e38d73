r"""The limit point of the flow to any number of digits.

The multipliers solve $A\,k(A^T\lambda) = z^*$. Newton's method in ball arithmetic refines those of
the double solution. Where the inverse mirror map k has a closed form, Krawczyk's test then encloses
them: with $F(\lambda) = A\,k(A^T\lambda) - z^*$ and any matrix Y,

$$ K(\Lambda) = \lambda - Y F(\lambda) + (I - Y F'(\Lambda))(\Lambda - \lambda) \subset
\operatorname{int}\Lambda $$

proves that the box holds exactly one zero of F, and F has no other, since it is the gradient of a
strictly convex function. Without a closed form k is computed along the curve, by Taylor steps, and
the result carries an estimate of its error instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
import sympy as sp
from flint import arb, arb_mat

from theory.errors import DataError, InfeasibleTarget, UnsupportedFormula
from theory.exact.balls import Program, precision, to_rational
from theory.flow import losses
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import MEAN
from theory.mirror.taylor import to_mpf
from theory.numeric.arb_flow import ArbFlow
from theory.numeric.compile import Array
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.exact_input import as_floats, exact_data, exact_start
from theory.numeric.high_precision import Objects, largest, state_at_one
from theory.numeric.limit_point import limit_point
from theory.numeric.problem import Regression
from theory.numeric.series_arb import dot
from theory.numeric.start import Start, read_constants

__all__ = ["HighPrecisionLimit", "limit_point_digits"]

_BITS_PER_DIGIT = 3.3219280948873626
# x, its metric and theta at the dual variables, or None outside of the curves' domain
_Curve = Callable[[Sequence[arb]], "list[list[arb]] | None"]


@dataclass(frozen=True, eq=False)
class HighPrecisionLimit:
    """A limit point to many digits.

    Parameters
    ----------
    x : ndarray of mpmath.mpf, shape (d,)
    theta : ndarray of mpmath.mpf, shape (k, d)
    multipliers : ndarray of mpmath.mpf, shape (n,)
        Zero for samples that depend on others.
    error : mpmath.mpf
        Of x, in the largest entry: a bound when `certified`, else an estimate.
    certified : bool
        Whether the solution of A k(A^T multipliers) = z is enclosed by Krawczyk's test. The closed
        form of k that it is about is the one that was derived or given.
    digits : int
    success : bool
        Whether `error` is below ``10**-digits`` of the largest entry of x.
    message : str
    nit : int
        Newton steps beyond the double solution.
    """

    x: Objects
    theta: Objects
    multipliers: Objects
    error: mpmath.mpf
    certified: bool
    digits: int
    success: bool
    message: str
    nit: int


def limit_point_digits(
    model: FlowModel,
    problem: Regression,
    start: Start,
    dps: int,
    *,
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
) -> HighPrecisionLimit:
    """The limit point of the flow of `model` on `problem` from `start` to `dps` digits.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
        Exact rationals keep their value; floats are the binary fractions that they are.
    start : mapping from parameter to a number, text, or d of them
    dps : int
        Digits of x relative to its largest entry, from 15 to 1000.
    closed_form : ClosedForm or mapping, optional
        The dual curve in closed form; computed by Taylor steps otherwise.

    Raises
    ------
    InfeasibleTarget
        When no x within reach interpolates: the limit is at the end of a range then.
    UnsupportedFormula
        When the target predictor has no closed form, or the formula no Taylor recurrence.
    DataError, StartError
        For digits, data and starts that are not what is expected.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2", "u"))
    >>> limit = limit_point_digits(model, Regression([[1, 1]], [1]), {"u": ["0.5", "0.5"]}, 40)
    >>> limit.success, mpmath.nstr(limit.x[0], 12)
    (True, '0.5')
    """
    if isinstance(dps, bool) or not isinstance(dps, int) or not 15 <= dps <= 1000:
        raise DataError(f"Expected an integer dps from 15 to 1000 but got dps = {dps!r}.")
    if closed_form is not None and not isinstance(closed_form, ClosedForm):
        closed_form = ClosedForm.from_mapping(closed_form, model.elementwise)
    # refuses what is not real before anything is rounded
    exact_start(model.elementwise, start, problem.d)
    rough = limit_point(model, problem, as_floats(start), closed_form=closed_form)
    if not rough.reachable or not np.isfinite(rough.multipliers).all():
        raise InfeasibleTarget(
            "No x within reach of the start interpolates the target, so the limit is at the end of "
            "a range; only limits that interpolate are computed to many digits. "
            f"In doubles: {rough.message}"
        )
    solver: _Solver | None = None
    for bits in (round((dps + 25) * _BITS_PER_DIGIT) << i for i in range(3)):
        with precision(bits):
            solver = _Solver(model, problem, start, closed_form, rough.multipliers, dps)
            solver.refine()
            if solver.enclose():
                break
            if not solver.closed:
                break
    assert solver is not None
    return solver.result()


class _Solver:
    """Newton's method and the test, at one precision."""

    def __init__(
        self,
        model: FlowModel,
        problem: Regression,
        start: Start,
        closed_form: ClosedForm | None,
        multipliers: Array,
        dps: int,
    ) -> None:
        self.model, self.problem, self.start, self.dps = model, problem, start, dps
        A, y = exact_data(problem)
        self.all_rows = [Program(row, [])([]) for row in A]
        self.targets = _targets(model, y)
        self.kept = [int(i) for i in problem.independent_rows]
        self.rows = [self.all_rows[i] for i in self.kept]
        self.z = [self.targets[i] for i in self.kept]
        self.columns = [list(c) for c in zip(*self.rows, strict=True)]
        self.lam = [arb(float(multipliers[i])) for i in self.kept]
        self.closed = closed_form is not None
        self.curve = (
            _closed_curve(model, start, problem.d, closed_form)
            if closed_form is not None
            else _numeric_curve(model, start, dps)
        )
        self.nit = 0
        self.converged = False
        self.certified = False
        self.last = arb(0)

    def at(self, lam: Sequence[arb]) -> list[list[arb]] | None:
        return self.curve([dot(column, lam) for column in self.columns])

    def equations(self, points: list[list[arb]]) -> tuple[arb_mat, arb_mat]:
        """F as a column, and its derivative."""
        x = [p[0] for p in points]
        gap = arb_mat([[dot(row, x) - t] for row, t in zip(self.rows, self.z, strict=True)])
        weighted = [[a * p[1] for a, p in zip(row, points, strict=True)] for row in self.rows]
        return gap, arb_mat([[dot(w, row) for row in self.rows] for w in weighted])

    def refine(self) -> None:
        """Newton steps until they no longer change the digits that are asked for."""
        small = arb(10) ** (-self.dps - 10)
        points = self.at(self.lam)
        while points is not None and self.nit < 60:
            gap, slope = self.equations(points)
            try:
                step = _middle(slope).solve(_middle(gap))
            except ZeroDivisionError:
                return
            following = None
            factor = arb(1)
            while following is None and factor > arb("1e-6"):
                lam = [(c - factor * step[i, 0]).mid() for i, c in enumerate(self.lam)]
                following = self.at(lam)
                factor /= 2
            if following is None:
                return
            self.nit += 1
            self.lam, points = lam, following
            self.last = largest([step[i, 0] for i in range(len(lam))])
            moved = largest(
                [p[1] * dot(c, [step[i, 0] for i in range(len(lam))])
                 for p, c in zip(points, self.columns, strict=True)]
            )  # fmt: skip
            if moved < small * largest([p[0] for p in points]) and factor == arb("0.5"):
                self.converged = True
                return

    def enclose(self) -> bool:
        """Krawczyk's test around the multipliers; the box replaces them."""
        if not (self.closed and self.converged):
            return False
        points = self.at(self.lam)
        if points is None:
            return False
        gap, slope = self.equations(points)
        size = len(self.lam)
        identity = arb_mat([[int(i == j) for j in range(size)] for i in range(size)])
        try:
            Y = _middle(_middle(slope).inv())
        except ZeroDivisionError:
            return False
        shift = Y * gap
        # the correction that is left decides how wide the box is
        margin = arb(2) ** -100 * largest([shift[i, 0] for i in range(size)])
        radius = [2 * shift[i, 0].abs_upper() + margin + arb(2) ** -2000 for i in range(size)]
        box = [arb(c, r.abs_upper()) for c, r in zip(self.lam, radius, strict=True)]
        around = self.at(box)
        if around is None:
            return False
        _, slopes = self.equations(around)
        spread = (identity - Y * slopes) * arb_mat([[arb(0, r.abs_upper())] for r in radius])
        image = [c - shift[i, 0] + spread[i, 0] for i, c in enumerate(self.lam)]
        if not all(b.contains_interior(k) for b, k in zip(box, image, strict=True)):
            return False
        self.lam = [b.intersection(k) for b, k in zip(box, image, strict=True)]
        self.certified = True
        return True

    def result(self) -> HighPrecisionLimit:
        with precision(round((self.dps + 25) * _BITS_PER_DIGIT) * 4):
            points = self.at(self.lam)
            if points is None:
                raise InfeasibleTarget(
                    "Newton's method left the domain of the curves; the limit is too near to the "
                    "end of a range."
                )
            x = [p[0] for p in points]
            scale = largest(x)
            error = largest([arb(v.rad()) for v in x])
            if not self.certified:
                # the last step bounds what a quadratic iteration has left
                error = error + self.last * largest(
                    [p[1] * dot(c, c).sqrt() for p, c in zip(points, self.columns, strict=True)]
                )
            written = self.dps + 5
            error = error + scale * arb(10) ** (-written)
            good = bool(self.converged and error <= scale * arb(10) ** (-self.dps))
            good, message = self._dependent(x, good)
            full = [arb(0)] * self.problem.n
            for i, c in zip(self.kept, self.lam, strict=True):
                full[i] = c
            theta = [list(row) for row in zip(*(p[2:] for p in points), strict=True)]
            return HighPrecisionLimit(
                x=_objects(x, written),
                theta=np.array([_objects(row, written) for row in theta], dtype=object),
                multipliers=_objects(full, written),
                error=to_mpf(error.abs_upper(), 15),
                certified=self.certified and len(self.kept) == self.problem.n,
                digits=self.dps,
                success=good,
                message=message,
                nit=self.nit,
            )

    def _dependent(self, x: Sequence[arb], good: bool) -> tuple[bool, str]:
        """What is to be said about samples that depend on others."""
        rest = [i for i in range(self.problem.n) if i not in self.kept]
        for i in rest:
            gap = dot(self.all_rows[i], x) - self.targets[i]
            if not gap.contains(0) and good:
                raise InfeasibleTarget(
                    f"The samples contradict one another: where the others are met, sample {i} is "
                    f"off by {gap.str(5, radius=False)}."
                )
        if not good:
            return False, "Newton's method did not reach the digits asked for."
        if rest:
            return True, (
                f"{len(rest)} samples depend on others; that they agree is seen to all digits, but "
                "not proved."
            )
        if self.certified:
            return True, "The solution is enclosed by Krawczyk's test."
        return True, "Solved along the numeric curve, with an estimate of the error."


def _middle(matrix: arb_mat) -> arb_mat:
    return matrix.mid()


def _objects(values: Sequence[arb], digits: int) -> Objects:
    out = np.empty(len(values), dtype=object)
    for i, v in enumerate(values):
        out[i] = to_mpf(v, digits)
    return out


def _targets(model: FlowModel, y: Sequence[sp.Expr]) -> list[arb]:
    """The predictors at which every sample's loss is smallest."""
    loss, link = model.loss, model.link
    if loss.best is None:
        raise UnsupportedFormula(
            f"The minimizer of the loss {loss.name} has no closed form, so the target predictor is "
            "known to double precision only."
        )
    formula = loss.best
    if loss.on == "mean":
        if link.inverse is None:
            raise UnsupportedFormula(
                f"The inverse of the link {link.name} has no closed form, so the target predictor "
                "is known to double precision only."
            )
        formula = link.inverse.subs(MEAN, formula)
    values = Program([formula.subs(loss.target, v) for v in y], [])([])
    if not all(v.is_finite() for v in values):
        raise InfeasibleTarget("A target is outside of the range of the link.")
    return list(values)


def _closed_curve(model: FlowModel, start: Start, d: int, closed_form: ClosedForm) -> _Curve:
    rho = model.elementwise
    values = read_constants(rho, start)
    theta = {s: closed_form.theta[s].subs(values) for s in rho.parameters}
    given = tuple(closed_form.start[s] for s in rho.parameters)
    x = rho.formula.subs(values).xreplace(theta)
    program = Program([x, sp.diff(x, closed_form.xi), *theta.values()], (closed_form.xi, *given))
    rows = [Program(row, [])([]) for row in exact_start(rho, start, d)]
    ends: list[list[arb | None]] = []
    for end in closed_form.domain or (-sp.oo, sp.oo):
        at = None if end.is_finite is False else Program([end.subs(values)], given)
        ends.append([None if at is None else at([r[i] for r in rows])[0] for i in range(d)])
    lower, upper = ends

    def curve(xi: Sequence[arb]) -> list[list[arb]] | None:
        out = []
        for i, v in enumerate(xi):
            low, high = lower[i], upper[i]
            if (low is not None and not v > low) or (high is not None and not v < high):
                return None
            point = program([v, *(r[i] for r in rows)])
            if not all(c.is_finite() for c in point):
                return None
            out.append(point)
        return out

    return curve


def _numeric_curve(model: FlowModel, start: Start, dps: int) -> _Curve:
    """The curve by Taylor steps: its points are those of a flow with a constant slope at time 1."""
    rho = model.elementwise
    values = read_constants(rho, start)
    formula = rho.formula.subs(values)
    gradient = [sp.diff(formula, s) for s in rho.parameters]
    rates = [p.subs(values) for p in rho.rates]
    metric = sp.Add(*(p * g**2 for p, g in zip(rates, gradient, strict=True)))
    observables = Program([formula, metric], rho.parameters)
    drive = FlowModel(rho, losses.custom("-mu"))

    def curve(xi: Sequence[arb]) -> list[list[arb]] | None:
        row = np.array([to_rational(v, 4 * dps + 100) for v in xi], dtype=object)[None]
        flow = ArbFlow(drive, Regression(row, [0]), start, None, "primal")
        theta = state_at_one(flow, dps + 15)
        if theta is None:
            return None
        columns = [list(c) for c in zip(*theta, strict=True)]
        return [[*observables(c), *c] for c in columns]

    return curve
