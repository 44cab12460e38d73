"""Training of a homogeneous network with any optimizer, watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DomainError, StartError
from theory.numeric.compile import Array
from theory.numeric.margins.classification import Classification
from theory.numeric.margins.geometry import Geometry
from theory.numeric.margins.margin_run import NORMS, MarginRun, MarginWatch
from theory.numeric.margins.model import Model, read_parameters, soft_minimum
from theory.numeric.matrices.options import whole
from theory.numeric.optimizers import Optimizer, bound_to, read_optimizer

__all__ = ["descend"]


def descend(
    net: Model,
    task: Classification,
    start: ArrayLike,
    optimizer: Optimizer | float,
    *,
    steps: int = 1000,
    records: int = 200,
    norm: Any = None,
    norms: Sequence[Any] = NORMS,
    batch_size: int | None = None,
    seed: int = 0,
    every_step: bool = False,
    until: float = np.inf,
    progress: Callable[[int], None] | None = None,
) -> MarginRun:
    r"""Train with the loss $\sum_ie^{-q_i}$ and record margins.

    An optimizer with a step by the loss, or with normalized steps, is given gradients of the
    logarithm of the loss, which have the same direction and do not underflow; all others, such as
    Adam, those of the loss.

    Parameters
    ----------
    net : Model
    task : Classification
    start : array_like, shape (size,)
    optimizer : Optimizer or float
        Of `th.optimizers`; a number is a rate of gradient descent.
    steps : int
    records : int
        About how many steps are kept: half of them evenly in the logarithm, half evenly.
    norm : Norm or str, optional
        In which alignment and stationarity are; the optimizer's, or l2.
    norms : sequence
        Whose margins are recorded.
    batch_size : int, optional
        Samples of a gradient, without replacement. All unless given.
    seed : int
        Of the batches.
    every_step : bool
        Look for drops of the soft margin at every step; it costs a norm a step.
    until : float
        End where $-\log\ell$ has reached this.

    Returns
    -------
    MarginRun
        With ``success`` False when the loss never falls below 1, or is not finite.

    Raises
    ------
    StartError
        Where the gradient vanishes at the start: the network is dead.
    DomainError
        For options out of range.

    Examples
    --------
    >>> from theory.numeric.margins.homogeneous_network import HomogeneousNetwork
    >>> from theory.numeric.optimizers import Steepest
    >>> task = Classification([[2.0, 1.0], [-1.0, 0.0]], [1, -1])
    >>> net = HomogeneousNetwork.linear(2)
    >>> run = descend(net, task, [0.1, 0.0], Steepest("linf", loss_step=0.1), steps=2000)
    >>> run.margins["linf"][-1].round(2)
    np.float64(1.0)
    """
    optimizer = bound_to(read_optimizer(optimizer), net.shapes)
    steps, records = whole("steps", steps), whole("records", records, least=2)
    if batch_size is not None:
        batch_size = whole("batch_size", batch_size)
        if batch_size > task.m:
            raise DomainError(f"Expected 1 <= batch_size <= {task.m} but got {batch_size}.")
    if not until > 0:
        raise DomainError(f"Expected until > 0 but got until = {until!r}.")
    theta = read_parameters(net, start)
    own = getattr(optimizer, "norm", "l2") if norm is None else norm
    watch = MarginWatch(float(net.degree), net.shapes, norm=own, norms=norms)
    forward = net.bind(task)
    on_log = bool(getattr(optimizer, "on_log_loss", False))
    rng = np.random.default_rng(whole("seed", seed, least=0))
    kept = _records(steps, records)
    drops = _Drops(watch) if every_step else None
    state = optimizer.begin(theta)
    fall = float(getattr(optimizer, "loss_step", None) or 0.0)
    before, step = np.nan, np.zeros_like(theta)
    done, below, finite, message = 0, False, True, ""
    with np.errstate(all="ignore"):
        for done in range(steps + 1):
            q = forward.margins(theta)
            u, p = soft_minimum(q)
            if fall:
                u, p, q = _followed(forward, theta, step, (before, u, p, q), fall)
                before = u
            if not np.isfinite(u):
                if done == 0:
                    raise StartError(
                        "The margins are not finite at the start, where the largest parameter is "
                        f"{np.abs(theta).max():.3g}; give smaller parameters or inputs."
                    )
                finite, message = False, _not_finite(optimizer, done, theta)
                break
            g = forward.gradient(p)
            # the square may underflow, and is cheap
            if not g @ g and not g.any():
                if done == 0:
                    raise StartError(_dead(q))
                watch.record(done, theta, q, g)
                stationary = f"The gradient vanishes in step {done}: "
                message = stationary + _ended(task, below, done, until, watch)
                break
            below = below or u > 0
            if drops is not None:
                drops.see(u, theta)
            last = done == steps or u >= until
            if last or done in kept:
                watch.record(done, theta, q, g)
                if progress is not None:
                    progress(done)
            if last:
                break
            if batch_size is not None and batch_size < task.m:
                g = _on_batch(forward, q, rng.choice(task.m, batch_size, replace=False))
            if not on_log:
                # the gradient of the loss: exp(-u) times that of its logarithm
                g = g * np.exp(-u)
                if u > 600 and not g.any():
                    watch.record(done, theta, q, forward.gradient(p))
                    message = (
                        f"The gradient of the loss underflows in step {done}, where -log(loss) = "
                        f"{u:.4g}; steps by the logarithm of the loss go on."
                    )
                    break
            step, state = optimizer.update(g, state)
            if u > 300 and not on_log and np.abs(step).max() < 1e-16 * np.abs(theta).max():
                message = (
                    f"The steps of {optimizer.name} vanish in step {done}, where -log(loss) is "
                    f"{u:.4g}: squares of gradients below 1e-154 underflow."
                )
                break
            if fall and u < 1:
                _cap(step, theta, watch.own)
            theta += step
    if not message:
        message = _ended(task, below, done, until, watch)
    return watch.run(
        theta,
        drops=-1 if drops is None else drops.count,
        largest_drop=np.nan if drops is None else drops.largest,
        success=below and finite,
        message=message,
        nit=done,
    )


def _cap(step: Array, theta: Array, norm: Geometry) -> None:
    """Double the norm instead of a step ten times as long.

    Near a saddle the gradient is tiny, and c/|g| no small step. Once u = -log(ell) is above c, the
    step c/|g| <= c R/(L u) is a small part of the norm R.
    """
    most, size = norm.value(theta), norm.value(step)
    if size > 10 * most > 0:
        step *= most / size


def _followed(
    forward: Any,
    theta: Array,
    step: Array,
    found: tuple[float, float, Array, Array],
    fall: float,
) -> tuple[float, Array, Array]:
    """Halve a step that raises the logarithm of the loss by ten times its intended fall.

    Its fall is one to first order. Near a saddle, where the gradient is tiny, the first order alone
    leads far away.
    """
    before, u, p, q = found
    for _ in range(60):
        if not (u < before - 10 * fall or np.isnan(u)) or np.isnan(before):
            break
        step *= 0.5
        theta -= step
        q = forward.margins(theta)
        u, p = soft_minimum(q)
    return u, p, q


def _on_batch(forward: Any, q: Array, chosen: Any) -> Array:
    """The gradient of the logarithm of the loss of some samples."""
    weights = np.zeros_like(q)
    weights[chosen] = soft_minimum(q[chosen])[1]
    found: Array = forward.gradient(weights)
    return found


def _records(steps: int, records: int) -> set[int]:
    half = max(records // 2, 2)
    spread = [np.geomspace(1, max(steps, 1), half), np.linspace(0, steps, half)]
    return {0, *(int(k) for k in np.concatenate(spread).round())}


class _Drops:
    """The steps in which the soft margin fell after the loss was below 1."""

    def __init__(self, watch: MarginWatch) -> None:
        self.own, self.degree = watch.own, watch.degree
        self.before = np.nan
        self.count, self.largest = 0, 0.0

    def see(self, u: float, theta: Array) -> None:
        soft = u / self.own.value(theta) ** self.degree
        if self.before > 0 and soft < self.before:
            self.count += 1
            self.largest = max(self.largest, 1 - soft / self.before)
        self.before = soft if u > 0 else np.nan


def _dead(q: Array) -> str:
    why = "every output is zero" if not q.any() else "no output depends on the parameters there"
    return (
        f"The gradient vanishes at the start, since {why}: the network is dead and would never "
        "move. Choose another start; zero is none for a network of more than one layer."
    )


def _not_finite(optimizer: Optimizer, step: int, theta: Array) -> str:
    size = np.abs(theta).max()
    return (
        f"The margins are not finite after {step} steps of {optimizer.name}, where the largest "
        f"parameter is {size:.3g}: the steps are too large."
    )


def _ended(task: Classification, below: bool, done: int, until: float, watch: MarginWatch) -> str:
    u = watch.rows[-1][2]
    if below:
        reached = f"-log(loss) is {u:.4g} after {done} steps"
        return f"{reached}, as far as asked." if u >= until else f"{reached}."
    twins = task.contradiction
    accuracy = watch.rows[-1][3]
    if accuracy == 1:
        return (
            f"The loss is {np.exp(-u):.4g} after {done} steps, never below 1: all samples are "
            "classified correctly, with margins that are still small; make more steps."
        )
    why = (
        f"samples {twins[0]} and {twins[1]} are equal and have different labels, so that nothing "
        "separates them"
        if twins is not None
        else f"{accuracy:.1%} of the samples are classified correctly: the data may not be "
        "separable by this network, or it needs more steps"
    )
    return f"The loss is {np.exp(-u):.4g} after {done} steps, never below 1: {why}."
