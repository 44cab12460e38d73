r"""What an optimizer is: a state, and what a gradient does to it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from theory.errors import DomainError
from theory.numeric.compile import Array

__all__ = [
    "Adaptive",
    "Optimizer",
    "State",
    "bound_to",
    "check_fraction",
    "check_positive",
    "rate_text",
]

State = tuple[Array, ...]


class Optimizer(Protocol):
    """What `descend` needs of an optimizer."""

    @property
    def name(self) -> str: ...
    @property
    def time_step(self) -> float:
        """The time of the gradient flow that one step stands for; NaN where it is none."""
        ...

    def spread(self, g: Array, memory: State) -> tuple[Array, State]:
        r"""What a step changes a law by, in units of `theory.flow.step_drift`, shape of g.

        To second order in the step, for g that vary from step to step; NaN where the steps are
        not sums of gradients. The memory is empty at the first step.
        """
        ...

    def begin(self, theta: Array) -> State: ...
    def update(self, gradient: Array, state: State) -> tuple[Array, State]:
        """What to add to the parameters, and the state after it."""
        ...


class Adaptive:
    """What optimizers have in common whose steps are no sums of gradients: they follow no flow."""

    @property
    def time_step(self) -> float:
        return np.nan

    def spread(self, g: Array, memory: State) -> tuple[Array, State]:
        return np.full_like(g, np.nan), memory


def bound_to(optimizer: Optimizer, shapes: tuple[tuple[int, ...], ...]) -> Optimizer:
    """The optimizer for flat parameters with layers of these shapes, where it asks for them."""
    bind: Any = getattr(optimizer, "bind", None)
    found: Optimizer = optimizer if bind is None else bind(shapes)
    return found


def rate_text(optimizer: Optimizer) -> str:
    """The rate of an optimizer for a message, which may be a number, a pair or a function."""
    rate: Any = getattr(optimizer, "rate", None)
    return f"{rate:g}" if isinstance(rate, int | float) else str(rate)


def check_positive(value: float, name: str) -> None:
    """Refuse what is not a finite number above zero."""
    if not (np.isfinite(value) and value > 0):
        raise DomainError(f"Expected {name} > 0 but got {name} = {value!r}.")


def check_fraction(value: float, name: str) -> None:
    """Refuse what is not in [0, 1)."""
    if not 0 <= value < 1:
        raise DomainError(f"Expected 0 <= {name} < 1 but got {name} = {value!r}.")
