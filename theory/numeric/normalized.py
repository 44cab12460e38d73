r"""The weight-normalized flow in numbers: its data, and its trajectories in polar coordinates.

With $\|u\| = 1$ and the rate of the direction 1, for $x = (ru)^L$ and $h = A^T\nabla_z\ell$:
$r' = -\eta L r^{L-1}\langle u^L, h\rangle$ and
$u' = -L r^L(u^{L-1}h - u\langle u^L, h\rangle)$.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from theory.errors import (
    DataError,
    DomainError,
    InfeasibleTarget,
    ShapeError,
    StartError,
    UnknownName,
)
from theory.flow.gradient_flow import FlowModel
from theory.networks.normalized import NormalizedModel
from theory.numeric.compile import Array
from theory.numeric.objective import Objective, compile_objective, target_predictor
from theory.numeric.problem import Regression

__all__ = ["NormalizedProblem", "NormalizedRun", "integrate_normalized", "normalized_problem"]

_METHODS = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")


@dataclass(frozen=True, eq=False)
class NormalizedProblem:
    r"""A model with numbers, data and start, reduced to $x = w^L$ with one matrix.

    Parameters
    ----------
    A : ndarray, shape (n, m)
        For a signed model $[A, -A]$; columns of negative entries of an odd power change sign.
    w0 : ndarray, shape (m,)
    blocks : tuple of ndarray of int
        The entries that share a radius.
    signs : ndarray, shape (m,)
        x of the user is $\sum$ signs times the powers.
    depth, eta, pace : float
        L; the radial rate for unit norm; time runs this much faster.
    objective : Objective
    target : ndarray or None
        $z^*$, None when the loss has no finite minimizer.
    d : int
        Entries of the user's x.
    """

    A: Array
    w0: Array
    blocks: tuple[np.ndarray, ...]
    signs: Array
    depth: float
    eta: float
    pace: float
    objective: Objective
    target: Array | None
    d: int

    @property
    def whole(self) -> bool:
        """Whether L is an integer."""
        return self.depth == round(self.depth)

    def power(self, w: Array, exponent: float) -> Array:
        """The power of w; the base of a power that is not whole stays positive."""
        if exponent == round(exponent):
            return np.asarray(w ** round(exponent))
        return np.maximum(w, 0.0) ** exponent

    def predictor(self, x: Array) -> Array:
        """The user's x from the m powers, along the first axis."""
        signed = (self.signs * x.T).T
        return signed if len(signed) == self.d else signed[: self.d] + signed[self.d :]

    def loss(self, x: Array) -> float:
        """The summed loss at the m powers."""
        return float(self.objective.value(self.A @ x))

    @property
    def loss_at_origin(self) -> float:
        """The loss of x = 0, where the flow may be trapped."""
        return float(self.objective.value(np.zeros(self.A.shape[0])))


def normalized_problem(
    model: NormalizedModel, flow: FlowModel, problem: Regression, start: Any
) -> NormalizedProblem:
    """Check the start, and put the numbers together.

    Raises
    ------
    UnknownName
        For a model with symbols.
    ShapeError
        For a start of another length than x.
    StartError
        For a zero or infinite entry, and for a negative one under a power that is not whole.
    """
    values = (model.depth, model.effective_eta, model.rate / model.norm**2)
    free = sorted({s.name for v in values for s in v.free_symbols})
    if free:
        raise UnknownName(f"The model contains {', '.join(free)}; give numbers for it.")
    depth, eta, pace = (float(v) for v in values)
    d = problem.d
    m = d if model.signed is None else 2 * d
    w0 = _read_start(start, d, m, model.signed)
    signs = np.ones(m)
    if model.signed is not None:
        signs[d:] = -1.0
    A = np.concatenate([problem.dense] * (m // d), axis=1) * signs
    negative = w0 < 0
    if negative.any():
        if depth != round(depth):
            raise StartError(
                f"Expected positive entries but got w[{int(np.argmax(negative))}] = "
                f"{w0[negative][0]}: the power {model.depth} is not whole."
            )
        if round(depth) % 2 == 1:
            # the sign of an entry stays; it moves into the matrix
            flip = np.where(negative, -1.0, 1.0)
            A, signs = A * flip, signs * flip
        w0 = np.abs(w0)
    blocks: tuple[np.ndarray, ...] = (np.arange(m),)
    if model.signed == "blockwise":
        blocks = (np.arange(d), np.arange(d, m))
    try:
        target = target_predictor(flow, problem.y)
    except InfeasibleTarget:
        target = None
    return NormalizedProblem(
        A, w0, blocks, signs, depth, eta, pace, compile_objective(flow, problem.y), target, d
    )


def _read_start(start: Any, d: int, m: int, signed: str | None) -> Array:
    if isinstance(start, Mapping):
        names = {str(getattr(k, "name", k)) for k in start}
        if names != {"w"}:
            raise StartError(f"Expected the start as {{'w': ...}} but got the names {names}.")
        start = next(iter(start.values()))
    try:
        w0 = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StartError(f"Expected numbers as a start but got {start!r}.") from error
    shapes = ((), (d,), (m,), (2, d)) if signed else ((), (d,))
    if w0.shape not in shapes:
        raise ShapeError(f"Expected a start of shape {shapes[1:]} or a number but got {w0.shape}.")
    if signed and w0.shape == (d,):
        w0 = np.concatenate([w0, w0])
    w0 = np.broadcast_to(w0.ravel() if w0.ndim else w0, (m,)).copy()
    if not np.isfinite(w0).all():
        raise StartError("Expected a finite start but got NaN or infinity.")
    if np.any(w0 == 0):
        raise StartError(
            f"Expected nonzero entries but got w[{int(np.argmax(w0 == 0))}] = 0: an entry that is "
            "zero stays zero for ever. Leave its column out, or start from a small value."
        )
    return w0


@dataclass(frozen=True, eq=False)
class NormalizedRun:
    """A trajectory of the weight-normalized flow, with SciPy's names.

    Parameters
    ----------
    t : ndarray, shape (nt,)
    y : ndarray, shape (blocks + m, nt)
        Radii, then directions.
    r : ndarray, shape (nt,), or (2, nt) for two blocks
    u : ndarray, shape (m, nt)
        Of unit norm in each block.
    x : ndarray, shape (d, nt)
    loss : ndarray, shape (nt,)
    end : ndarray, shape (d,)
    drift : float
        The largest change of the norm of u.
    t_events : mapping
        Times of "interpolation" and "origin" (r below 1e-8 of its start).
    success : bool
    status : int
        0: the end of the time span; 1: an event; -1: failure.
    message : str
    nfev, njev : int
    method : str
    """

    t: Array
    y: Array
    r: Array
    u: Array
    x: Array
    loss: Array
    end: Array
    drift: float
    t_events: Mapping[str, Array]
    success: bool
    status: int
    message: str
    nfev: int
    njev: int
    method: str


def _field(p: NormalizedProblem) -> Callable[[float, Array], Array]:
    L, count = p.depth, len(p.blocks)

    def field(_: float, y: Array) -> Array:
        out = np.empty_like(y)
        u = y[count:]
        radius = np.empty_like(u)
        for r, block in zip(y, p.blocks):
            radius[block] = r
        x = p.power(radius * u, L)
        h = p.A.T @ p.objective.slope(p.A @ x)
        pull = p.power(u, L - 1) * h
        for k, block in enumerate(p.blocks):
            r, v = y[k], u[block]
            along = v @ pull[block]
            out[k] = -p.eta * L * r ** (L - 1) * along
            out[count + block] = -L * r**L * (pull[block] - v * along)
        return p.pace * out

    return field


def integrate_normalized(
    p: NormalizedProblem,
    t: float | tuple[float, float] | None = None,
    *,
    method: str = "LSODA",
    rtol: float = 1e-10,
    atol: float = 1e-14,
    t_eval: ArrayLike | None = None,
    tol: float = 1e-8,
    terminal: bool | None = None,
) -> NormalizedRun:
    r"""Integrate the flow in polar coordinates.

    Parameters
    ----------
    p : NormalizedProblem
    t : float, pair of floats or None
        The end, or both ends, of the time span; None: until interpolation, at most until 1e8.
    method : {"LSODA", "DOP853", "RK45", "RK23", "Radau", "BDF"}
    rtol, atol : float
    t_eval : array_like, optional
        Times of the output; the solver's steps unless given.
    tol : float
        Relative residual that counts as interpolation.
    terminal : bool, optional
        Whether interpolation ends the run; only when t is None unless given.

    Raises
    ------
    DomainError
        For an unknown method, an empty time span, or a tolerance out of range.
    """
    if method not in _METHODS:
        raise DomainError(f"Expected method in {_METHODS} but got {method!r}.")
    if not 1e-14 < rtol <= 1e-3 or not atol > 0:
        raise DomainError(f"Expected 1e-14 < rtol <= 1e-3, atol > 0 but got {rtol!r}, {atol!r}.")
    t0, t1 = (0.0, 1e8) if t is None else (0.0, t) if np.isscalar(t) else t  # type: ignore[misc]
    t0, t1 = float(t0), float(t1)  # type: ignore[arg-type]
    if not t0 < t1 or not np.isfinite(t1):
        raise DomainError(f"Expected a time span t0 < t1 < oo but got ({t0}, {t1}).")
    count = len(p.blocks)
    radii = np.array([np.linalg.norm(p.w0[b]) for b in p.blocks])
    u0 = p.w0.copy()
    for r, block in zip(radii, p.blocks):
        u0[block] /= r
    names = ["origin"]
    small = 1e-8 * float(radii.max())

    def origin(_: float, y: Array) -> float:
        return float(np.max(y[:count])) - small

    origin.terminal = True  # type: ignore[attr-defined]
    events: list[Any] = [origin]
    if p.target is not None:
        target = p.target
        scale = float(np.max(np.abs(target))) or 1.0

        def interpolation(_: float, y: Array) -> float:
            gap = p.A @ _powers(p, y) - target
            return float(np.max(np.abs(gap))) / scale - tol

        interpolation.terminal = t is None if terminal is None else terminal  # type: ignore[attr-defined]
        events.append(interpolation)
        names.append("interpolation")
    with np.errstate(over="ignore", invalid="ignore"):
        solve: Any = solve_ivp
        run = solve(
            _field(p), (t0, t1), np.concatenate([radii, u0]), method=method, rtol=rtol,
            atol=atol, t_eval=t_eval, events=events,
        )  # fmt: skip
    y = np.asarray(run.y)
    if y.size == 0:
        raise DataError("The integration ended before the first time of t_eval.")
    last = y[:, -1]
    if run.status == 1:
        last = next(e[-1] for e in run.y_events if len(e))
    finite = bool(np.isfinite(y).all())
    x = np.stack([_powers(p, c) for c in y.T], axis=1)
    norms = [np.linalg.norm(y[count + b], axis=0) for b in p.blocks]
    happened = {n: np.asarray(e) for n, e in zip(names, run.t_events)}
    message = str(run.message)
    if run.status == 1:
        event = next(n for n in names if len(happened[n]))
        message = {
            "origin": "The radius went to zero: the flow is trapped at x = 0.",
            "interpolation": f"The relative residual reached {tol:g}.",
        }[event]
    return NormalizedRun(
        t=np.asarray(run.t),
        y=y,
        r=y[0] if count == 1 else y[:count],
        u=y[count:],
        x=p.predictor(x),
        loss=np.asarray(p.objective.value(p.A @ x)),
        end=p.predictor(_powers(p, last)),
        drift=float(max(np.max(np.abs(n - 1)) for n in norms)),
        t_events=happened,
        success=bool(run.success) and finite,
        status=int(run.status),
        message=message,
        nfev=int(run.nfev),
        njev=int(run.njev),
        method=method,
    )


def _powers(p: NormalizedProblem, y: Array) -> Array:
    count = len(p.blocks)
    w = np.array(y[count:])
    for r, block in zip(y, p.blocks):
        w[block] *= r
    return p.power(w, p.depth)
