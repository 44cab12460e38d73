r"""Optimizers with finite steps, with one interface: a state, and what a gradient does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.errors import DomainError
from theory.numeric.compile import Array
from theory.numeric.optimizer import (
    Adaptive,
    Optimizer,
    State,
    bound_to,
    check_fraction,
    check_positive,
)
from theory.numeric.steepest import Muon, Shampoo, Steepest

__all__ = [
    "Adagrad",
    "Adam",
    "GradientDescent",
    "GroupRMSprop",
    "Momentum",
    "Muon",
    "Optimizer",
    "RMSprop",
    "Shampoo",
    "State",
    "Steepest",
    "bound_to",
    "read_optimizer",
]


@dataclass(frozen=True)
class GradientDescent:
    r"""$\theta \leftarrow \theta - \eta g$.

    Parameters
    ----------
    rate : float
        $\eta > 0$.

    Examples
    --------
    >>> step, _ = GradientDescent(0.5).update(np.array([2.0]), ())
    >>> step.tolist()
    [-1.0]
    """

    rate: float

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")

    @property
    def name(self) -> str:
        return "gradient descent"

    @property
    def time_step(self) -> float:
        return self.rate

    def spread(self, g: Array, memory: State) -> tuple[Array, State]:
        return (self.rate * g) ** 2, memory

    def begin(self, theta: Array) -> State:
        return ()

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        return -self.rate * gradient, state


@dataclass(frozen=True)
class Momentum:
    r"""$m \leftarrow \beta m + g$, $\theta \leftarrow \theta - \eta m$ (heavy ball).

    With `nesterov` the step is $-\eta(\beta m + g)$ with the new m.

    Parameters
    ----------
    rate : float
        $\eta > 0$.
    beta : float
        $0 \le \beta < 1$.
    nesterov : bool
    """

    rate: float
    beta: float = 0.9
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")
        check_fraction(self.beta, "beta")

    @property
    def name(self) -> str:
        return "Nesterov momentum" if self.nesterov else "momentum"

    @property
    def time_step(self) -> float:
        return self.rate / (1.0 - self.beta)

    def spread(self, g: Array, memory: State) -> tuple[Array, State]:
        # with steps -eta n_k v, n_k = sum_j c_j g_{k-j}, and C' v = 0 along v = P grad rho:
        # C changes by eta^2 D (n_k^2 + 2 sum_j c_j g_{k-j} sum_{i=k-j}^{k-1} n_i)
        mu, n, inner = memory or (np.zeros_like(g),) * 3
        inner = self.beta * (inner + n * mu)
        mu = self.beta * mu + g
        n = self.beta * mu + g if self.nesterov else mu
        lag = self.beta * inner if self.nesterov else inner
        return self.rate**2 * (n**2 + 2 * lag), (mu, n, inner)

    def begin(self, theta: Array) -> State:
        return (np.zeros_like(theta),)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        m = self.beta * state[0] + gradient
        return -self.rate * (self.beta * m + gradient if self.nesterov else m), (m,)


@dataclass(frozen=True)
class Adam(Adaptive):
    r"""Adam with bias correction: $-\eta\,\hat m/(\sqrt{\hat v} + \epsilon)$.

    Parameters
    ----------
    rate : float
        $\eta > 0$.
    beta1, beta2 : float
        In [0, 1).
    epsilon : float
        Positive.
    """

    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")
        check_positive(self.epsilon, "epsilon")
        check_fraction(self.beta1, "beta1")
        check_fraction(self.beta2, "beta2")

    @property
    def name(self) -> str:
        return "Adam"

    def begin(self, theta: Array) -> State:
        return np.zeros_like(theta), np.zeros_like(theta), np.zeros(())

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        m = self.beta1 * state[0] + (1 - self.beta1) * gradient
        v = self.beta2 * state[1] + (1 - self.beta2) * gradient**2
        count = state[2] + 1
        unbiased = m / (1 - self.beta1**count)
        size = np.sqrt(v / (1 - self.beta2**count)) + self.epsilon
        return -self.rate * unbiased / size, (m, v, count)


@dataclass(frozen=True)
class RMSprop(Adaptive):
    r"""$v \leftarrow \beta v + (1 - \beta)g^2$, step $-\eta\,g/(\sqrt v + \epsilon)$.

    Parameters
    ----------
    rate : float
        $\eta > 0$.
    beta : float
        In [0, 1).
    epsilon : float
        Positive.

    Examples
    --------
    >>> step, _ = RMSprop(0.1, beta=0.0).update(np.array([3.0]), (np.zeros(1),))
    >>> step.round(6).tolist()
    [-0.1]
    """

    rate: float
    beta: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")
        check_positive(self.epsilon, "epsilon")
        check_fraction(self.beta, "beta")

    @property
    def name(self) -> str:
        return "RMSprop"

    def begin(self, theta: Array) -> State:
        return (np.zeros_like(theta),)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        v = self.beta * state[0] + (1 - self.beta) * gradient**2
        return -self.rate * gradient / (np.sqrt(v) + self.epsilon), (v,)


@dataclass(frozen=True)
class GroupRMSprop(Adaptive):
    r"""RMSprop with one $v$, of $\|g\|^2$, for all parameters, with bias correction.

    The steps have about the length $\eta$ and the direction of the gradient: the run goes along the
    path of gradient descent, and conserves what the flow conserves up to its steps.

    Parameters
    ----------
    rate : float
        $\eta > 0$.
    beta : float
        In [0, 1).
    epsilon : float
        Positive.

    References
    ----------
    Arora, Cohen, Hu and Luo, "Implicit regularization in deep matrix factorization", NeurIPS 2019,
    used it in their experiments.

    Examples
    --------
    >>> optimizer = GroupRMSprop(0.1, epsilon=1e-12)
    >>> step, _ = optimizer.update(np.array([3.0, 4.0]), optimizer.begin(np.zeros(2)))
    >>> step.round(6).tolist()
    [-0.06, -0.08]
    """

    rate: float
    beta: float = 0.99
    epsilon: float = 1e-4

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")
        check_positive(self.epsilon, "epsilon")
        check_fraction(self.beta, "beta")

    @property
    def name(self) -> str:
        return "GroupRMSprop"

    def begin(self, theta: Array) -> State:
        return np.zeros(()), np.zeros(())

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        flat = gradient.ravel()
        v = self.beta * state[0] + (1 - self.beta) * (flat @ flat)
        count = state[1] + 1
        size = np.sqrt(v / (1 - self.beta**count)) + self.epsilon
        return -(self.rate / size) * gradient, (v, count)


@dataclass(frozen=True)
class Adagrad(Adaptive):
    r"""$v \leftarrow v + g^2$, step $-\eta\,g/(\sqrt v + \epsilon)$.

    Parameters
    ----------
    rate : float
        $\eta > 0$.
    epsilon : float
        Positive.

    Examples
    --------
    >>> optimizer = Adagrad(0.1)
    >>> step, _ = optimizer.update(np.array([3.0, -4.0]), optimizer.begin(np.zeros(2)))
    >>> step.round(6).tolist()
    [-0.1, 0.1]
    """

    rate: float
    epsilon: float = 1e-10

    def __post_init__(self) -> None:
        check_positive(self.rate, "rate")
        check_positive(self.epsilon, "epsilon")

    @property
    def name(self) -> str:
        return "Adagrad"

    def begin(self, theta: Array) -> State:
        return (np.zeros_like(theta),)

    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        v = state[0] + gradient**2
        return -self.rate * gradient / (np.sqrt(v) + self.epsilon), (v,)


def read_optimizer(given: Any) -> Optimizer:
    """An optimizer, or gradient descent with a number as its rate.

    Raises
    ------
    DomainError
        For anything else.
    """
    if isinstance(given, int | float) and not isinstance(given, bool):
        return GradientDescent(float(given))
    if not callable(getattr(given, "update", None)):
        raise DomainError(
            f"Expected an optimizer of th.optimizers, or a rate as a number, but got {given!r}."
        )
    found: Optimizer = given
    return found
