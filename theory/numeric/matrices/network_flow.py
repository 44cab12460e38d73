r"""The gradient flow of a linear network, step by step, with what a theorem asks of it.

Along the flow $\frac{d}{dt}\mathcal{L} = -\|\nabla\mathcal{L}\|^2$, and with weight decay
$\lambda\|\theta\|^2$ the balancedness decays as $\Delta_l(t) = e^{-4\lambda t}\Delta_l(0)$ exactly;
the largest deviation from it, relative to $\|W_l\|^2$, is the drift of a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import BDF, DOP853, LSODA, RK45, Radau

from theory.errors import DomainError, ShapeError, StartError
from theory.numeric.compile import Array
from theory.numeric.matrices.matrix_loss import SmoothLoss, read_loss
from theory.numeric.matrices.network_run import Field, NetworkRun, Recorder
from theory.numeric.matrices.options import number, positive, whole

if TYPE_CHECKING:
    from theory.numeric.matrices.linear_network import LinearNetwork

__all__ = ["integrate", "read_theta"]

METHODS: dict[str, Any] = {
    "DOP853": DOP853, "RK45": RK45, "LSODA": LSODA, "BDF": BDF, "Radau": Radau
}  # fmt: skip


def integrate(
    network: LinearNetwork,
    loss: SmoothLoss,
    start: Array,
    t: float | tuple[float, float] | None = None,
    *,
    method: str = "auto",
    weight_decay: float = 0.0,
    rtol: float = 1e-10,
    atol: float | None = None,
    gradient_tol: float | None = None,
    loss_tol: float | None = None,
    levels: Mapping[int, float] | None = None,
    measure: Callable[[Array], float] | None = None,
    max_nfev: int = 2_000_000,
    max_seconds: float = 120.0,
    progress: Callable[[float], None] | None = None,
) -> NetworkRun:
    r"""Integrate $\dot\theta = -\nabla(C(A_\theta) + \lambda\|\theta\|^2)$.

    Parameters
    ----------
    network : LinearNetwork
    loss : SmoothLoss
        C; `MatrixLoss`, or anything with ``shape``, ``value(A)`` and ``gradient(A)``.
    start : ndarray, shape (size,)
        As from `LinearNetwork.start`.
    t : float or pair (0, float), optional
        The end of the time span; until it is at rest when missing.
    method : str
        "DOP853", "RK45", "LSODA", "BDF", "Radau", or "descent": adaptive gradient descent, whose
        steps are $0.3/(L\,w^{2L-2} + L^2\|\nabla C\|w^{L-2})$ with w the largest $\|W_l\|_2$.
        "auto" is DOP853: along the path from saddle to saddle steps are long, and the implicit
        methods pay for a Jacobian of all parameters.
    weight_decay : float
        $\lambda \ge 0$.
    rtol, atol : float
        Of the integrator; atol is rtol times 1e-3 times the largest parameter of the start unless
        given.
    gradient_tol : float, optional
        The run is at rest where $\|\nabla\mathcal{L}\|$ is below this share of its largest value
        and $\nabla C(A)$ is small, as at a minimum of a convex C. Where that does not vanish, the
        run has to stay there for ten times as long as it took to come: from small starts a deep
        network is nearly at rest at every saddle on its way. 1e-8 unless given, or 100 rtol if
        that is more; 0 with an end t.
    loss_tol : float, optional
        The share of the loss of the start that ends the run; 1e-10 unless given, 0 with an end t.
        For losses whose minimum is not zero it does nothing.
    levels : mapping from k to float, optional
        The times at which $\sigma_k(A)$ first exceeds them are found, k from 1 on.
    measure : callable, optional
        A number of A that is kept with the records, such as an error on entries held out.
    max_nfev, max_seconds
        Budgets.
    progress : callable, optional
        Called with the time after every step.

    Raises
    ------
    ShapeError, StartError, DomainError
        For data or options that do not fit, and for a start at a critical point.

    Examples
    --------
    >>> from theory.numeric.matrices.linear_network import LinearNetwork
    >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
    >>> network = LinearNetwork([1, 1, 1])
    >>> theta = network.vector([[[0.1]], [[0.1]]])
    >>> run = network.integrate(MatrixLoss([[1.0]]), theta, levels={1: 0.5})
    >>> round(run.crossings[1], 6), round(float(np.log(1 / 0.01 - 1)) / 2, 6)
    (2.29756, 2.29756)
    """
    theta = read_theta(network, loss, start)
    end = _end(t)
    _check_options(network, method, end, weight_decay, rtol, atol, levels, max_nfev)
    method = "DOP853" if method == "auto" else method
    if gradient_tol is None:
        gradient_tol = max(1e-8, 100 * rtol) if end is None else 0.0
    if loss_tol is None:
        loss_tol = 1e-10 if end is None else 0.0
    for name, value in (("gradient_tol", gradient_tol), ("loss_tol", loss_tol)):
        number(name, value, least=0, most=0.1)
    field = Field(network, loss, weight_decay)
    run = Recorder(network, field, theta, dict(levels or {}), measure)
    if not run.speeds[0] > 0:
        raise StartError(
            "Expected a start at which the loss has a gradient, but there it vanishes: the flow "
            "never moves. A deep network needs a start other than zero."
        )
    if atol is None:
        # at zero, which one layer may start from, the speed is the only scale
        atol = 1e-3 * rtol * (float(np.max(np.abs(theta))) or run.speeds[0])
    bound = np.inf if end is None else float(end)
    solver: Any
    if method == "descent":
        solver = _AdaptiveDescent(field, theta, bound)
    else:
        solver = METHODS[method](lambda _, y: -field(y), 0.0, theta, bound, rtol=rtol, atol=atol)
    field.check = _budget(max_nfev, max_seconds)
    status, message = _march(solver, run, gradient_tol, loss_tol, progress)
    field.check = None
    return run.result(solver, status, message, field.count, method)


def _end(t: Any) -> Any:
    """The end of a span that begins at zero, as `GradientFlow.integrate` takes it."""
    if not isinstance(t, tuple | list):
        return t
    if len(t) != 2 or t[0] != 0:
        raise DomainError(f"Expected t as its end or as the span (0, end) but got {t!r}.")
    return t[1]


def read_theta(network: LinearNetwork, loss: SmoothLoss, start: Array) -> Array:
    """The start as a vector, after the checks that every run needs."""
    try:
        theta = np.array(start, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(
            f"Expected the start as a vector of numbers: {error}. For a list of matrices there is "
            "network.vector(weights)."
        ) from error
    if theta.shape != (network.size,):
        raise ShapeError(
            f"Expected a start of shape ({network.size},) but got {theta.shape}; a list of weights "
            "becomes one by network.vector(weights)."
        )
    if not np.isfinite(theta).all():
        raise StartError("Expected finite parameters in the start.")
    if tuple(read_loss(loss).shape) != network.shape:
        raise ShapeError(
            f"Expected a loss of matrices of shape {network.shape} = (n_L, n_0) but its matrices "
            f"have the shape {tuple(loss.shape)}."
        )
    return theta


def _check_options(
    network: LinearNetwork, method: str, t: float | None, weight_decay: float, rtol: float,
    atol: float | None, levels: Mapping[int, float] | None, max_nfev: int,
) -> None:  # fmt: skip
    known = ("auto", "descent", *METHODS)
    if method not in known:
        raise DomainError(f"Expected method in {known} but got {method!r}.")
    if t is not None:
        positive("t", t)
    number("weight_decay", weight_decay, least=0)
    number("rtol", rtol, least=1e-13, most=1e-3)
    if atol is not None:
        positive("atol", atol)
    whole("max_nfev", max_nfev)
    if not isinstance(levels, Mapping | None):
        raise DomainError(f"Expected levels as {{k: level}} but got {levels!r}.")
    for k, level in (levels or {}).items():
        if k not in range(1, min(network.shape) + 1) or not number("a level", level) > 0:
            raise DomainError(
                f"Expected levels of sigma_1, ..., sigma_{min(network.shape)} above zero but got "
                f"{{{k!r}: {level!r}}}."
            )


class _AdaptiveDescent:
    """Gradient descent with the interface of SciPy's steppers."""

    def __init__(self, field: Field, theta: Array, bound: float) -> None:
        self.field, self.y, self.bound = field, theta, bound
        self.t, self.status = 0.0, "running"
        self._largest, self._age = 0.0, 0

    def step(self) -> None:
        network = self.field.network
        g = self.field(self.y)
        if self._age % 10 == 0:
            # the largest singular values change slowly
            self._largest = max(float(np.linalg.norm(W, 2)) for W in network.weights(self.y))
        self._age += 1
        L, w = network.depth, self._largest
        G = float(np.linalg.norm(self.field.G))
        curvature = L * w ** (2 * L - 2) + L**2 * G * w ** max(L - 2, 0)
        size = 0.3 / (curvature + 2 * self.field.weight_decay)
        self.t_old, self.y_old = self.t, self.y
        size = min(size, self.bound - self.t)
        self.y, self.t = self.y - size * g, self.t + size
        if self.t >= self.bound:
            self.status = "finished"

    def dense_output(self) -> Callable[[float], Array]:
        t, y, way = self.t_old, self.y_old, self.y - self.y_old
        length = self.t - self.t_old
        return lambda at: y + (at - t) / length * way


class _Spent(Exception):
    """A budget is used up."""


def _budget(max_nfev: int, max_seconds: float) -> Callable[[int], None]:
    deadline = time.monotonic() + max_seconds

    def check(count: int) -> None:
        if count > max_nfev:
            raise _Spent(f"The budget of {max_nfev} gradients")
        if time.monotonic() > deadline:
            raise _Spent(f"The budget of {max_seconds:g} s")

    return check


def _march(
    solver: Any, run: Recorder, gradient_tol: float, loss_tol: float,
    progress: Callable[[float], None] | None,
) -> tuple[int, str]:  # fmt: skip
    since: float | None = None
    while True:
        try:
            with np.errstate(all="ignore"):
                trouble = solver.step()
                if solver.status == "failed" or not np.isfinite(solver.y).all():
                    return -1, f"The integrator stopped at t = {solver.t:.6g}: {trouble}."
                loss, speed = run.after_step(solver)
        except _Spent as spent:
            return -1, f"{spent} is spent at t = {solver.t:.6g}."
        if progress is not None:
            progress(float(solver.t))
        if not np.isfinite(loss):
            return -1, f"The loss is not finite at t = {solver.t:.6g}."
        if 0 <= loss <= loss_tol * run.losses[0]:
            return 1, f"The loss is {loss:.1e} at t = {solver.t:.6g}."
        rest = speed <= gradient_tol * run.highest
        since = since if rest and since is not None else float(solver.t) if rest else None
        if since is not None:
            slope = float(np.linalg.norm(run.field.G))
            word = f"The flow is at rest at t = {solver.t:.6g}"
            if slope <= 10 * gradient_tol * run.slope and not run.field.weight_decay:
                return 1, f"{word}, where the gradient of C is small, too ({slope:.1e})."
            if solver.t >= 10 * since:
                return 1, (
                    f"{word}, and has been since t = {since:.4g}, with a gradient of C of "
                    f"{slope:.3g}: a critical point that is no minimum of C over all matrices, or "
                    "a saddle that is left only after a much longer time."
                )
        if solver.status == "finished":
            return 0, "The end of the time span is reached."
