r"""Steepest descent in a norm, and its relatives Muon and Shampoo.

The step is along $-u$ with $\|u\| = 1$ and $\langle g, u\rangle = \|g\|_*$: gradient descent in
$\ell_2$, sign descent in $\ell_\infty$, coordinate descent in $\ell_1$, and orthogonalized
gradients in the spectral norm of the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from theory.errors import DomainError
from theory.networks.norms import read_norm
from theory.numeric.compile import Array
from theory.numeric.layers import Shapes, split
from theory.numeric.margins.geometry import Geometry, geometry_of
from theory.numeric.optimizer import Adaptive, State, check_fraction, check_positive

__all__ = ["Muon", "Shampoo", "Steepest"]

Rate = float | tuple[float, float] | Callable[[int], float]


@dataclass(frozen=True)
class Steepest(Adaptive):
    r"""Steepest descent in a norm.

    Parameters
    ----------
    norm : Norm or str
        Of `th.norms`, or "l1", "l2", "linf", "l3", "spectral".
    rate : float, pair or function, optional
        $\eta$; a pair (a, b) is $at^{-b}$ in step t = 1, 2, ..., a function takes t.
    loss_step : float, optional
        Instead of a rate: with gradients of $\log\ell$ the step $c/\|g\|_*$, by which $\log\ell$
        falls by about c. This follows the flow of a loss with an exponential tail however large
        the margins grow; a fixed rate does not.
    normalized : bool
        The step has the norm $\eta$; otherwise $\eta\|g\|_*$.
    momentum : float
        $m\leftarrow\beta m + (1 - \beta)g$ takes the place of g.
    shapes : tuple of shapes, optional
        Of the layers, for norms over them; networks give theirs.

    Examples
    --------
    >>> step, _ = Steepest("linf", rate=0.1).update(np.array([3.0, -4.0]), ())
    >>> step.tolist()
    [-0.1, 0.1]
    """

    norm: Any = "l2"
    rate: Rate | None = None
    loss_step: float | None = None
    normalized: bool = True
    momentum: float = 0.0
    shapes: Shapes | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "norm", read_norm(self.norm))
        if (self.rate is None) == (self.loss_step is None):
            raise DomainError(
                "Expected either rate= or loss_step= but got "
                f"{'both' if self.rate is not None else 'none of them'}."
            )
        if self.loss_step is not None:
            check_positive(self.loss_step, "loss_step")
        else:
            _check_rate(self.rate)
        check_fraction(self.momentum, "momentum")

    @property
    def name(self) -> str:
        word = {"l1": "coordinate", "l2": "gradient", "linf": "sign"}.get(self.norm.name)
        return f"{word or self.norm.name} descent" + (" with momentum" if self.momentum else "")

    @property
    def on_log_loss(self) -> bool:
        """Whether a network gives gradients of the logarithm of its loss."""
        return self.normalized or self.loss_step is not None

    def bind(self, shapes: Shapes) -> Steepest:
        """The same for layers of these shapes."""
        return self if self.shapes == shapes else replace(self, shapes=shapes)

    @cached_property
    def _bound(self) -> Geometry | None:
        return None if self.shapes is None else geometry_of(self.norm, self.shapes)

    def begin(self, theta: Array) -> State:
        return (np.zeros(()), np.zeros_like(theta)) if self.momentum else (np.zeros(()),)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        state = state or self.begin(gradient)
        count = float(state[0]) + 1
        m = gradient
        memory: State = (np.asarray(count),)
        if self.momentum:
            m = self.momentum * state[1] + (1 - self.momentum) * gradient
            memory = (*memory, m)
        geometry = self._bound or geometry_of(self.norm, (gradient.shape,))
        u, size = geometry.steepest(m if m.ndim == 1 else m.ravel())
        if size == 0:
            return np.zeros_like(gradient), memory
        if self.loss_step is not None:
            scale = self.loss_step / size
        else:
            scale = _rate_at(self.rate, count) * (1.0 if self.normalized else size)
        u *= -scale
        return u if m.ndim == 1 else u.reshape(gradient.shape), memory


@dataclass(frozen=True)
class Muon(Adaptive):
    r"""Orthogonalized momentum, layer by layer: steepest descent in the spectral norm of m.

    $m\leftarrow\beta m + g$, the step of a matrix is $-\eta UV^T$ with $m = U\Sigma V^T$, the step
    of a vector $-\eta m/\|m\|$.

    Parameters
    ----------
    rate : float, pair or function
        As for `Steepest`.
    beta : float
        In [0, 1).
    nesterov : bool
        $\beta m + g$ in the place of m.
    polynomial_steps : int
        With 0 the exact factor by SVD; otherwise as many steps of the quintic
        $X\leftarrow aX + b(XX^T)X + c(XX^T)^2X$, which brings all singular values near 1.
    shapes : tuple of shapes, optional

    References
    ----------
    K. Jordan and others, "Muon: an optimizer for hidden layers in neural networks", 2024.

    Examples
    --------
    >>> muon = Muon(0.1, shapes=((2, 2),))
    >>> g = np.array([3.0, 0.0, 0.0, 0.5])
    >>> step, _ = muon.update(g, muon.begin(g))
    >>> (step + 0.0).tolist()
    [-0.1, 0.0, 0.0, -0.1]
    """

    rate: Rate
    beta: float = 0.95
    nesterov: bool = True
    polynomial_steps: int = 0
    shapes: Shapes | None = None

    def __post_init__(self) -> None:
        _check_rate(self.rate)
        check_fraction(self.beta, "beta")
        steps = self.polynomial_steps
        if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps <= 30:
            raise DomainError(f"Expected 0 <= polynomial_steps <= 30 but got {steps!r}.")

    @property
    def name(self) -> str:
        return "Muon"

    def bind(self, shapes: Shapes) -> Muon:
        """The same for layers of these shapes."""
        return replace(self, shapes=shapes)

    def begin(self, theta: Array) -> State:
        return np.zeros(()), np.zeros_like(theta)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        count = float(state[0]) + 1
        m = self.beta * state[1] + gradient
        used = self.beta * m + gradient if self.nesterov else m
        shapes = self.shapes or (gradient.shape,)
        eta = _rate_at(self.rate, count)
        if not self.polynomial_steps:
            u, _ = geometry_of("spectral", shapes).steepest(used.ravel())
        else:
            parts = [
                _near_orthogonal(w, self.polynomial_steps) for w in split(used.ravel(), shapes)
            ]
            u = np.concatenate([p.ravel() for p in parts])
        return (-eta * u).reshape(gradient.shape), (np.asarray(count), m)


@dataclass(frozen=True)
class Shampoo(Adaptive):
    r"""$-\eta L^{-1/4}GR^{-1/4}$ with $L = \sum GG^T$ and $R = \sum G^TG$ of each matrix.

    In the first step, and without memory (`beta` = 0), it is the step $UV^T$ of the spectral norm.
    A vector has $-\eta g/\sqrt{\sum g^2}$.

    Parameters
    ----------
    rate : float, pair or function
        As for `Steepest`.
    beta : float or None
        None: sums of all steps; in [0, 1): $L\leftarrow\beta L + (1-\beta)GG^T$.
    epsilon : float
        Added to the eigenvalues, as a share of the largest.
    shapes : tuple of shapes, optional

    References
    ----------
    V. Gupta, T. Koren, Y. Singer, "Shampoo: preconditioned stochastic tensor optimization",
    ICML 2018.

    Examples
    --------
    >>> shampoo = Shampoo(0.1, shapes=((2, 2),), epsilon=1e-12)
    >>> g = np.array([3.0, 0.0, 0.0, 0.5])
    >>> step, _ = shampoo.update(g, shampoo.begin(g))
    >>> (step.round(6) + 0.0).tolist()
    [-0.1, 0.0, 0.0, -0.1]
    """

    rate: Rate
    beta: float | None = None
    epsilon: float = 1e-8
    shapes: Shapes | None = None

    def __post_init__(self) -> None:
        _check_rate(self.rate)
        check_positive(self.epsilon, "epsilon")
        if self.beta is not None:
            check_fraction(self.beta, "beta")

    @property
    def name(self) -> str:
        return "Shampoo"

    def bind(self, shapes: Shapes) -> Shampoo:
        """The same for layers of these shapes."""
        return replace(self, shapes=shapes)

    def begin(self, theta: Array) -> State:
        shapes = self.shapes or (theta.shape,)
        memory: list[Array] = [np.zeros(())]
        for shape in shapes:
            memory += [np.zeros((n, n)) for n in shape] if len(shape) == 2 else [np.zeros(shape)]
        return tuple(memory)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        shapes = self.shapes or (gradient.shape,)
        count = float(state[0]) + 1
        memory: list[Array] = [np.asarray(count)]
        old, out = iter(state[1:]), []
        for G in split(gradient.ravel(), shapes):
            if G.ndim == 2:
                left, right = self._kept(next(old), G @ G.T), self._kept(next(old), G.T @ G)
                memory += [left, right]
                out.append(self._root(left) @ G @ self._root(right))
            else:
                square = self._kept(next(old), G**2)
                memory.append(square)
                size = np.sqrt(square) + self.epsilon * np.sqrt(square.max(initial=0.0))
                out.append(np.divide(G, size, out=np.zeros_like(G), where=size > 0))
        eta = _rate_at(self.rate, count)
        step = np.concatenate([p.ravel() for p in out])
        return (-eta * step).reshape(gradient.shape), tuple(memory)

    def _kept(self, old: Array, new: Array) -> Array:
        return old + new if self.beta is None else self.beta * old + (1 - self.beta) * new

    def _root(self, M: Array) -> Array:
        """The inverse fourth root."""
        values, vectors = np.linalg.eigh(M)
        most = values[-1]
        if most <= 0:
            return np.zeros_like(M)
        powers = (np.maximum(values, 0.0) + self.epsilon * most) ** -0.25
        return np.asarray((vectors * powers) @ vectors.T, dtype=np.float64)


def _near_orthogonal(G: Array, steps: int) -> Array:
    size = float(np.linalg.norm(G))
    if size == 0 or G.ndim < 2:
        return G / size if size else G
    X = G / size
    flip = X.shape[0] > X.shape[1]
    X = X.T if flip else X
    # singular values of [0, 1] come near 1, those that are small quickly
    a, b, c = 3.4445, -4.7750, 2.0315
    for _ in range(steps):
        S = X @ X.T
        X = a * X + (b * S + c * S @ S) @ X
    return X.T if flip else X


def _check_rate(rate: Any) -> None:
    if callable(rate):
        return
    if isinstance(rate, tuple | list):
        if len(rate) != 2:
            raise DomainError(f"Expected a pair (a, b) for the rate a*t**-b but got {rate!r}.")
        check_positive(rate[0], "rate[0]")
        if not 0 <= rate[1] <= 1:
            raise DomainError(f"Expected 0 <= b <= 1 in the rate a*t**-b but got b = {rate[1]!r}.")
        return
    if isinstance(rate, bool | str) or not np.isscalar(rate):
        raise DomainError(f"Expected a rate as a number, a pair or a function but got {rate!r}.")
    number: Any = rate
    check_positive(number, "rate")


def _rate_at(rate: Any, count: float) -> float:
    if callable(rate):
        eta = float(rate(int(count)))
        if not (np.isfinite(eta) and eta > 0):
            raise DomainError(f"Expected a positive rate but the function gives {eta} at {count}.")
        return eta
    return float(rate[0] * count ** -rate[1]) if isinstance(rate, tuple | list) else float(rate)
