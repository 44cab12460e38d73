r"""The steepest flow of a smooth norm, at unit speed: $d\theta/ds = -u$, $\|u\| = 1$.

$\langle u, \tilde g\rangle = \|\tilde g\|_*$ with the gradient of $\log\ell$; any other speed runs
along the same path. Norms with corners, such as $\ell_1$ and $\ell_\infty$, have no such equation
but a differential inclusion, whose steps chatter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from theory.errors import DomainError, StartError
from theory.networks.norms import Entrywise, SchattenNorm, read_norm
from theory.numeric.compile import Array
from theory.numeric.margins.classification import Classification
from theory.numeric.margins.geometry import geometry_of
from theory.numeric.margins.margin_run import NORMS, MarginRun, MarginWatch
from theory.numeric.margins.model import Model, read_parameters, soft_minimum
from theory.numeric.matrices.options import number, positive, whole

__all__ = ["flow"]

METHODS = ("RK45", "DOP853", "RK23")
"""Explicit ones: |g|^(q-1) with q < 2 has no Jacobian at zero, which implicit ones need."""


def flow(
    net: Model,
    task: Classification,
    start: ArrayLike,
    norm: Any = "l2",
    *,
    length: float = 10.0,
    records: int = 400,
    norms: Sequence[Any] = NORMS,
    method: str = "RK45",
    rtol: float = 1e-8,
    atol: float = 1e-11,
) -> MarginRun:
    r"""Integrate the steepest flow of a norm over a length of path.

    Parameters
    ----------
    net : Model
        With a differentiable activation, such as "max(z, 0)**2", for full accuracy.
    task : Classification
    start : array_like, shape (size,)
    norm : Norm or str
        An lp norm with 1 < p < oo, or one given by a smooth formula.
    length : float
        Of the path, in the norm.
    records : int
        Points at equal distances along the path.
    norms : sequence
        Whose margins are recorded.
    method : str
        "RK45", "DOP853" or "RK23".
    rtol, atol : float
        Of the parameters.

    Returns
    -------
    MarginRun
        `t` is the length of the path; `drops` counts the records at which the soft margin falls.

    Raises
    ------
    DomainError
        For a norm with corners.
    StartError
        Where the gradient vanishes at the start.

    Examples
    --------
    >>> from theory.numeric.margins.homogeneous_network import HomogeneousNetwork
    >>> net = HomogeneousNetwork.two_layer(2, 3, "max(z, 0)**2")
    >>> task = Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    >>> run = flow(net, task, net.start(scale=0.7, seed=0), "l3", length=4.0)
    >>> run.success, run.bounds.hold(1e-9)
    (True, True)
    """
    own = read_norm(norm)
    smooth = isinstance(own, Entrywise | SchattenNorm) and 1 < float(own.p) < np.inf
    smooth = smooth or (getattr(own, "kind", "") in ("quadratic form", "weighted powers"))
    if not smooth:
        raise DomainError(
            f"Expected a smooth norm for a flow but got {own}: its steepest direction jumps. Use "
            "descent with th.optimizers.Steepest and a small loss_step."
        )
    if method not in METHODS:
        raise DomainError(f"Expected method in {METHODS} but got {method!r}.")
    length, records = positive("length", length), whole("records", records, least=2)
    rtol = number("rtol", rtol, least=1e-13, most=0.1)
    atol = positive("atol", atol)
    theta = read_parameters(net, start)
    forward, geometry = net.bind(task), geometry_of(own, net.shapes)

    def gradient(point: Array) -> tuple[Array, Array]:
        q = forward.margins(point)
        return q, forward.gradient(soft_minimum(q)[1])

    def field(_: float, point: Array) -> Array:
        u, _size = geometry.steepest(gradient(point)[1])
        return -u

    with np.errstate(all="ignore"):
        if not gradient(theta)[1].any():
            raise StartError(
                "The gradient vanishes at the start: the network is dead and would never move."
            )
        places = np.linspace(0.0, length, records)
        kind: Any = method
        found = solve_ivp(field, (0.0, length), theta, kind, t_eval=places, rtol=rtol, atol=atol)
        watch = MarginWatch(float(net.degree), net.shapes, norm=own, norms=norms)
        for k, (s, point) in enumerate(zip(found.t, found.y.T, strict=True)):
            q, g = gradient(np.ascontiguousarray(point))
            watch.record(k, point, q, g, float(s))
    soft = np.array([row[2] / row[5][watch.name] ** watch.degree for row in watch.rows])
    on = np.array([row[2] for row in watch.rows]) > 0
    falls = (np.diff(soft) < 0) & on[:-1]
    below = bool(on.any())
    message = (
        f"-log(loss) is {watch.rows[-1][2]:.4g} after the length {found.t[-1]:.4g}."
        if below
        else f"The loss never falls below 1 over the length {length:g}."
    )
    return watch.run(
        found.y[:, -1],
        drops=int(falls.sum()),
        largest_drop=float((1 - soft[1:] / soft[:-1])[falls].max(initial=0.0)),
        success=bool(found.success) and below,
        message=message if found.success else str(found.message),
        nit=int(found.nfev),
    )
