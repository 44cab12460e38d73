r"""The power series of a flow: what is expanded, from which formulas, at which constants.

In the primal form the series are those of the parameters, in the dual form those of the n dual
variables with $x = k(\xi)$, $\xi = -A^T\nu$, a tape of its own. Both need two products with A an
order. Time is counted in units of about one step, so that coefficients neither overflow for a fast
flow nor underflow for a slow one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import PREDICTOR
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.dual_curve import ClosedForm, NumericCurve
from theory.numeric.problem import Regression
from theory.numeric.start import Start, read_constants
from theory.numeric.tape import Tape, make_tape

__all__ = [
    "BACKENDS",
    "Chunk",
    "Engine",
    "Marcher",
    "Spec",
    "centered",
    "compiled",
    "constant_rows",
    "dual_spec",
    "dual_tape",
    "make_engine",
    "order_for",
    "primal_spec",
    "primal_tape",
    "samples_tape",
]

BACKENDS = ("auto", "numba", "numpy")
# squares and cubes of smaller starts come near to the end of the range of floats
_SMALLEST, _LARGEST = 1e-60, 1e60

FULL, FINISHED, NONFINITE, STALLED = 0, 1, 2, 3
"""How a chunk of steps ends: not at all, at the end of time, at a state whose series has no finite
coefficients, at a step that rounding swallows."""


@dataclass(frozen=True)
class Chunk:
    """Some steps.

    Parameters
    ----------
    times : ndarray, shape (m + 1,)
    states : ndarray, shape (m + 1, N)
    coefficients : ndarray, shape (m, order + 1, N)
        In powers of (t - times[i]) / units[i].
    units : ndarray, shape (m,)
    status : int
    """

    times: Array
    states: Array
    coefficients: Array
    units: Array
    status: int


@dataclass(frozen=True, eq=False)
class Spec:
    r"""All that the backends need.

    Parameters
    ----------
    dual : bool
    problem : Regression
    coordinates : Tape
        Outputs x, and in the primal form the velocity $P\nabla\rho$.
    samples : Tape
        Output r, the slope of the loss.
    values : ndarray, shape (number of constants, d)
        Of the constants of `coordinates`.
    targets : ndarray, shape (number of constants, n)
        Of the constants of `samples`.
    lower, upper : ndarray
        The range of theta, shape (k * d,), or of xi, shape (d,); a step does not leave it.
    order : int
    rtol : float
    floor : float
        Size of a state below which errors count absolutely.
    """

    dual: bool
    problem: Regression
    coordinates: Tape
    samples: Tape
    values: Array
    targets: Array
    lower: Array
    upper: Array
    order: int
    rtol: float
    floor: float

    @property
    def size(self) -> int:
        """Length of a state."""
        k = len(self.coordinates.variables)
        return self.problem.n if self.dual else k * self.problem.d

    @cached_property
    def unbounded(self) -> bool:
        """Whether no step can leave a range."""
        return not (np.isfinite(self.lower).any() or np.isfinite(self.upper).any())


class Marcher(Protocol):
    """What takes the steps of a chunk."""

    name: str

    def march(self, t: float, y: Array, bound: float, count: int, unit: float, cap: float) -> Chunk:
        """At most `count` steps from the state y at time t, `unit` a guess of their length.

        Errors of dual variables are relative to their size, or to `cap` where that is less.
        """
        ...


class Engine(Marcher, Protocol):
    """A backend with a problem."""

    def states_at(self, chunk: Chunk, times: Array) -> Array:
        """The states at increasing times within the steps of a chunk, shape (m, N)."""
        ...


def order_for(rtol: float) -> int:
    """Two orders a digit: where the work for a given time is least."""
    return int(np.clip(round(-2 * np.log10(rtol)), 8, 30))


def primal_spec(
    model: FlowModel,
    problem: Regression,
    start: Start,
    curve: NumericCurve,
    rtol: float,
    atol: float,
) -> Spec:
    """The series of the parameters."""
    tape = primal_tape(model, start)
    samples = samples_tape(model)
    targets = constant_rows(samples, [problem.y], problem.n)
    d = problem.d
    return Spec(
        dual=False,
        problem=problem,
        coordinates=tape,
        samples=samples,
        values=constant_rows(tape, [], d),
        targets=targets,
        lower=np.repeat(curve.block.lower[:, 0], d),
        upper=np.repeat(curve.block.upper[:, 0], d),
        order=order_for(rtol),
        rtol=rtol,
        floor=atol / rtol,
    )


def primal_tape(model: FlowModel, start: Start) -> Tape:
    r"""Outputs x and the velocity $P\nabla\rho$, in the parameters."""
    rho = model.elementwise
    values = read_constants(rho, start)
    formula = rho.formula.subs(values)
    velocity = [p.subs(values) * sp.diff(formula, s) for p, s in zip(rho.rates, rho.parameters)]
    return make_tape((formula, *velocity), rho.parameters)


def dual_spec(
    model: FlowModel,
    problem: Regression,
    start: Start,
    curve: NumericCurve,
    closed_form: ClosedForm,
    rtol: float,
    atol: float,
) -> Spec:
    """The series of the dual variables, from a closed form of the curve."""
    tape = dual_tape(model, start, curve.theta0, closed_form)
    samples = samples_tape(model)
    targets = constant_rows(samples, [problem.y], problem.n)
    spec = Spec(
        dual=True,
        problem=problem,
        coordinates=tape,
        samples=samples,
        values=np.empty((0, problem.d)),
        targets=targets,
        lower=np.full(problem.d, -np.inf),
        upper=np.full(problem.d, np.inf),
        order=order_for(rtol),
        rtol=rtol,
        floor=atol / rtol,
    )
    return centered(spec, curve, curve.theta0)


def centered(spec: Spec, curve: NumericCurve, center: Array) -> Spec:
    """A dual problem whose curves start at other points of them."""
    values = constant_rows(spec.coordinates, list(center), spec.problem.d)
    if curve.domain is None:
        return replace(spec, values=values)
    lower, upper = (np.broadcast_to(end, (spec.problem.d,)) for end in curve.domain(*center))
    return replace(
        spec, values=values, lower=np.ascontiguousarray(lower), upper=np.ascontiguousarray(upper)
    )


def make_engine(spec: Spec, backend: str = "auto") -> Engine:
    """The problem in a backend; Numba's is for dense data, and taken when it is installed.

    Raises
    ------
    DomainError
        For an unknown backend, or one that is not installed.
    """
    dense = isinstance(spec.problem.A, np.ndarray)
    if compiled(backend) and (dense or backend == "numba"):
        from theory.numeric.series_numba import NumbaEngine

        return NumbaEngine(spec)
    from theory.numeric.series_numpy import NumpyEngine

    return NumpyEngine(spec)


def dual_tape(model: FlowModel, start: Start, theta0: Array, closed_form: ClosedForm) -> Tape:
    r"""Output x in $\xi$; the starts are given."""
    rho = model.elementwise
    values = read_constants(rho, start)
    formula = rho.formula.subs(values)
    theta = {s: closed_form.theta[s].subs(values) for s in rho.parameters}
    given = tuple(closed_form.start[s] for s in rho.parameters)
    sizes = np.abs(theta0[theta0 != 0])
    if sizes.size and sizes.min() > _SMALLEST and sizes.max() < _LARGEST:
        return make_tape((formula.xreplace(theta),), (closed_form.xi,), given)
    # SymPy would join (u0 e^xi)^2 into u0^2 e^(2 xi), whose first factor underflows
    return make_tape((formula,), (closed_form.xi,), given, definitions=tuple(theta.items()))


def compiled(backend: str) -> bool:
    """Whether a choice of the backend means Numba; it may be missing for "auto" alone.

    Raises
    ------
    DomainError
        For an unknown backend, or one that is not installed.
    """
    if backend not in BACKENDS:
        raise DomainError(f"Expected backend in {BACKENDS} but got {backend!r}.")
    installed = _has_numba()
    if backend == "numba" and not installed:
        raise DomainError(
            "backend='numba' needs Numba: pip install 'implicit-bias-theory[fast]', or take "
            "backend='numpy'."
        )
    return installed and backend != "numpy"


@lru_cache(maxsize=1)
def _has_numba() -> bool:
    return find_spec("numba") is not None


def samples_tape(model: FlowModel) -> Tape:
    """Output r, the slope of the loss, in z; the targets are given.

    Raises
    ------
    UnsupportedFormula
        When the slope has no Taylor series.
    """
    slope = model.loss.gradient_in_predictor(model.link)
    try:
        return make_tape((slope,), (PREDICTOR,), (model.loss.target,))
    except UnsupportedFormula as error:
        raise UnsupportedFormula(
            f"The slope {slope} of the loss has no Taylor series: {error}"
        ) from error


def constant_rows(tape: Tape, given: Sequence[Array], width: int) -> Array:
    """The constants of a tape at given values of shape (width,), one row each."""
    compiled: Callable[..., tuple[Array, ...]] = compile_expressions(tape.constants, tape.given)
    rows = [np.broadcast_to(v, (width,)) for v in compiled(*given)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
