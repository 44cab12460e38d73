r"""The gradient flow in time, with the guards that a bare ODE solver lacks.

Two forms: the parameters $\theta' = -P\,\nabla\rho\,(A^T r)$, or the n dual variables
$\nu' = \nabla_z\ell(h(A\,k(-A^T\nu)), y)$, whose conservation laws are exact and which starts from
1e-100 as well as from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp
from numpy.typing import ArrayLike

from theory.flow.gradient_flow import FlowModel
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.march import EVENTS
from theory.numeric.prepared import FlowResult, PreparedFlow
from theory.numeric.problem import Regression
from theory.numeric.start import Start

__all__ = ["FlowResult", "integrate"]


def integrate(
    model: FlowModel,
    problem: Regression,
    start: Start,
    t: float | tuple[float, float] | None = None,
    *,
    method: str = "auto",
    mode: str = "auto",
    rtol: float = 1e-10,
    atol: float | None = None,
    events: Sequence[str] = EVENTS,
    terminal: bool | None = None,
    tol: float = 1e-8,
    t_eval: ArrayLike | None = None,
    laws: Sequence[sp.Expr] = (),
    closed_form: ClosedForm | Mapping[sp.Symbol, sp.Expr] | None = None,
    max_nfev: int = 1_000_000,
    max_seconds: float = 60.0,
    progress: Callable[[float], None] | None = None,
    backend: str = "auto",
) -> FlowResult:
    r"""Integrate the flow of `model` on `problem` from `start`.

    Parameters
    ----------
    model : FlowModel
    problem : Regression
    start : mapping from parameter to a number or to an array of shape (d,)
    t : float, pair of floats or None
        The end, or both ends, of the time span; None or infinity: until interpolation.
    method : {"auto", "DOP853", "RK45", "RK23", "LSODA", "BDF", "Radau", "Taylor"}
        "Taylor" takes long steps of high order on smooth formulas, and its dense output has the
        accuracy of the run; it is no method for stiff ends. "BDF" of a dual run is compiled where
        that can be, else SciPy's; "auto" takes the compiled one in the place of LSODA, which is
        left for what it gives up on.
    mode : {"auto", "primal", "dual"}
        The dual has n unknowns instead of k*d, exact laws, and an attractor for a limit; without a
        closed form it integrates the curve inside, which is slow. What "auto" takes, and why, is in
        the result's `choice`.
    rtol : float
        At most 1e-6: a looser run may stay at the saddle that it starts from.
    atol : float, optional
        ``1e-3 * rtol * min |theta0|`` over the nonzero start values unless given.
    events : sequence of {"interpolation", "boundary", "blow_up"}
    terminal : bool, optional
        Whether interpolation ends the run; only when t is infinite unless given.
    tol : float
        Relative residual that counts as interpolation.
    t_eval : array_like, optional
        Times of the output; the solver's steps unless given.
    laws : sequence of sympy.Expr
        Conservation laws in the parameters, whose drift is measured.
    closed_form : ClosedForm or mapping, optional
        The dual curve in closed form.
    max_nfev, max_seconds
        Budgets; a run that exceeds one ends with ``success=False``.
    progress : callable, optional
        Called with the time after every step.
    backend : {"auto", "numba", "numpy"}
        Of the Taylor series: Numba, the extra ``fast``, where it is installed, else NumPy. They
        agree to rounding. Also whether "BDF" may be compiled.

    Raises
    ------
    DomainError
        For an empty time span, an unknown method, mode or event, and for a tolerance above 1e-6.
    UnsupportedFormula
        By Taylor series, for a formula with kinks or without a recurrence.

    Notes
    -----
    `nfev` counts pairs of products with A, of which a Taylor step takes as many as its order.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> model = FlowModel(Elementwise("u**2", "u"))
    >>> run = integrate(model, Regression([[1.0]], [1.0]), {"u": 1e-8}, (0, 30))
    >>> run.success, round(float(run.end[0]), 8)
    (True, 1.0)
    """
    flow = PreparedFlow(
        model, problem, start, method=method, mode=mode, rtol=rtol, atol=atol, laws=laws,
        closed_form=closed_form, backend=backend,
    )  # fmt: skip
    return flow.run(
        t, events=events, terminal=terminal, tol=tol, t_eval=t_eval, max_nfev=max_nfev,
        max_seconds=max_seconds, progress=progress,
    )  # fmt: skip
