r"""Networks $f(x;\theta)$ that are positively homogeneous in all of their parameters.

Margins are $q_i = y_if(x_i;\theta)$. All numbers of the exponential loss $\ell = \sum_ie^{-q_i}$
are kept in the logarithm: $u = -\log\ell$, and the gradient is that of $\log\ell$,
$\tilde g = -\sum_ip_iy_i\nabla f(x_i)$ with $p$ the softmax of $-q$, so that nothing over- or
underflows however large the margins grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DomainError, ShapeError
from theory.numeric.compile import Array
from theory.numeric.layers import split
from theory.numeric.margins.activation import Activation, read_activation
from theory.numeric.margins.classification import Classification
from theory.numeric.margins.margin_descent import descend
from theory.numeric.margins.margin_flow import flow
from theory.numeric.margins.margin_run import MarginRun
from theory.numeric.margins.model import Pass, read_parameters
from theory.numeric.matrices.options import positive, whole
from theory.numeric.optimizer import Optimizer

__all__ = ["HomogeneousNetwork"]


@dataclass(frozen=True)
class HomogeneousNetwork:
    r"""A fully connected network without biases, or a diagonal one.

    Made by `two_layer`, `deep`, `linear` or `diagonal`.

    Parameters
    ----------
    widths : tuple of int
        Inputs, hidden layers, 1; for a diagonal network the inputs alone.
    activation : Activation
    factors : int
        The depth of a diagonal network, 0 for the others.
    """

    widths: tuple[int, ...]
    activation: Activation
    factors: int = 0

    @classmethod
    def two_layer(cls, inputs: int, width: int, activation: Any = "relu") -> HomogeneousNetwork:
        r"""$f(x) = \sum_jv_j\sigma(\langle w_j, x\rangle)$.

        Examples
        --------
        >>> HomogeneousNetwork.two_layer(64, 50, "max(z, 0)**2").degree
        3
        """
        return cls.deep([inputs, width, 1], activation)

    @classmethod
    def deep(cls, widths: Sequence[int], activation: Any = "relu") -> HomogeneousNetwork:
        r"""$f(x) = W_L\sigma(W_{L-1}\cdots\sigma(W_1x))$ with one output.

        Parameters
        ----------
        widths : sequence of int
            Inputs, hidden layers, and 1 output.
        activation : str, sympy.Expr or Activation
            Positively homogeneous; see `read_activation`.
        """
        given: Any = widths
        if isinstance(given, str) or not hasattr(given, "__len__") or len(given) < 2:
            raise ShapeError(f"Expected widths such as [64, 50, 1] but got {widths!r}.")
        sizes = tuple(whole("width", w) for w in widths)
        if sizes[-1] != 1:
            raise ShapeError(f"Expected one output but the last width is {sizes[-1]}.")
        return cls(sizes, read_activation(activation))

    @classmethod
    def linear(cls, inputs: int) -> HomogeneousNetwork:
        r"""$f(x) = \langle w, x\rangle$."""
        return cls.deep([inputs, 1], "linear")

    @classmethod
    def diagonal(cls, inputs: int, depth: int = 2) -> HomogeneousNetwork:
        r"""$f(x) = \langle u_1\odot\cdots\odot u_L, x\rangle$."""
        return cls((whole("inputs", inputs),), read_activation("linear"), whole("depth", depth))

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the layers: matrices (outputs, inputs), the last one a vector."""
        if self.factors:
            return ((self.widths[0],),) * self.factors
        pairs = list(zip(self.widths[1:], self.widths[:-1], strict=True))
        return (*pairs[:-1], (pairs[-1][1],))

    @cached_property
    def size(self) -> int:
        """The number of parameters."""
        return sum(int(np.prod(s)) for s in self.shapes)

    @cached_property
    def degree(self) -> sp.Rational:
        r"""L: the number of layers for ReLU, $1 + k + \cdots + k^{L-1}$ for its k-th power."""
        if self.factors:
            return sp.Integer(self.factors)
        k = self.activation.degree
        return sp.Add(*(k**j for j in range(len(self.shapes))))

    def layers(self, theta: Array) -> list[Array]:
        """Views of the flat parameters, one a layer."""
        return split(theta, self.shapes)

    def vector(self, layers: Sequence[ArrayLike]) -> Array:
        """The flat parameters of layers."""
        arrays = [np.asarray(w, dtype=np.float64) for w in layers]
        if tuple(a.shape for a in arrays) != self.shapes:
            raise ShapeError(
                f"Expected layers of shapes {self.shapes} but got {[a.shape for a in arrays]}."
            )
        return np.concatenate([a.ravel() for a in arrays])

    def start(self, *, scale: float = 0.1, seed: int = 0, per_input: bool = True) -> Array:
        r"""Normal parameters, drawn layer by layer.

        Parameters
        ----------
        scale : float
            The standard deviation, above zero: at zero every gradient vanishes.
        seed : int
        per_input : bool
            Divide it by the root of the number of inputs of each layer; a diagonal network has one.
        """
        scale = positive("scale", scale)
        rng = np.random.default_rng(whole("seed", seed, least=0))
        drawn = []
        for shape in self.shapes:
            root = np.sqrt(shape[-1]) if per_input and not self.factors else 1.0
            drawn.append(scale * rng.standard_normal(shape) / root)
        return self.vector(drawn)

    def bind(self, task: Classification) -> Pass:
        """The network on the samples of a task."""
        if task.d != self.widths[0]:
            raise ShapeError(
                f"Expected inputs of {self.widths[0]} numbers but those of the task have {task.d}."
            )
        return _Diagonal(self, task) if self.factors else _Layers(self, task)

    def descend(
        self, task: Classification, start: ArrayLike, optimizer: Optimizer | float, **options: Any
    ) -> MarginRun:
        """Finite steps of an optimizer; see `theory.numeric.margins.margin_descent.descend`.

        Examples
        --------
        >>> from theory.numeric.optimizers import Steepest
        >>> task = Classification([[2.0, 1.0], [-1.0, 0.0]], [1, -1])
        >>> net = HomogeneousNetwork.two_layer(2, 8)
        >>> run = net.descend(task, net.start(seed=1), Steepest("l2", loss_step=0.1), steps=500)
        >>> run.success, bool(run.beta[-1] > 0.99)
        (True, True)
        """
        return descend(self, task, start, optimizer, **options)

    def flow(self, task: Classification, start: ArrayLike, norm: Any = "l2", **options: Any) -> Any:
        """The steepest flow of a norm; see `theory.numeric.margins.margin_flow.flow`."""
        return flow(self, task, start, norm, **options)

    def output(self, theta: Array, X: ArrayLike) -> Array:
        """F at the rows of X, shape (m,)."""
        x = np.asarray(X, dtype=np.float64)
        dummy = Classification(x, np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0))
        return dummy.y * self.bind(dummy).margins(read_parameters(self, theta))

    def predictor(self, theta: Array) -> Array:
        """The weights of x of a linear or diagonal network, shape (d,)."""
        if self.factors:
            return np.prod(self.layers(theta), axis=0)
        if len(self.shapes) == 1:
            return np.array(theta)
        raise DomainError("Expected a linear or a diagonal network: others are not linear in x.")


class _Layers:
    """Forward and backward pass of a fully connected network."""

    def __init__(self, net: HomogeneousNetwork, task: Classification) -> None:
        self.X, self.y = task.X, task.y
        self.net, self.pair = net, net.activation.pair
        self.flat = np.empty(net.size)
        self.out = net.layers(self.flat)
        self.hidden: list[Array] = []
        self.slopes: list[Array] = []
        self.weights: list[Array] = []

    def margins(self, theta: Array) -> Array:
        self.weights = self.net.layers(theta)
        h = self.X
        self.hidden, self.slopes = [h], []
        for W in self.weights[:-1]:
            h, slope = self.pair(h @ W.T)
            self.hidden.append(h)
            self.slopes.append(slope)
        return self.y * (h @ self.weights[-1])

    def gradient(self, weights: Array) -> Array:
        c = -weights * self.y
        np.dot(c, self.hidden[-1], out=self.out[-1])
        if len(self.weights) > 1:
            back = np.multiply.outer(c, self.weights[-1])
            for j in range(len(self.weights) - 2, -1, -1):
                back *= self.slopes[j]
                np.dot(back.T, self.hidden[j], out=self.out[j])
                if j:
                    back = back @ self.weights[j]
        return self.flat


class _Diagonal:
    """Products of vectors, entry by entry."""

    def __init__(self, net: HomogeneousNetwork, task: Classification) -> None:
        self.signed, self.net = task.signed, net
        self.flat = np.empty(net.size)
        self.out = net.layers(self.flat)
        self.weights: list[Array] = []

    def margins(self, theta: Array) -> Array:
        self.weights = self.net.layers(theta)
        return self.signed @ np.prod(self.weights, axis=0)

    def gradient(self, weights: Array) -> Array:
        base = -(weights @ self.signed)
        # products of the factors before and after each, so that zeros need no division
        before = base
        for j, u in enumerate(self.weights):
            self.out[j][:] = before
            before = before * u
        after = np.ones_like(base)
        for j in range(len(self.weights) - 1, -1, -1):
            self.out[j] *= after
            after = after * self.weights[j]
        return self.flat
