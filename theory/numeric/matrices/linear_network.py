r"""Deep linear networks $A = W_L \cdots W_1$ as numbers: products, gradients, starts.

$\nabla_{W_l} C = (W_L\cdots W_{l+1})^T\,\nabla C(A)\,(W_{l-1}\cdots W_1)^T$. All weights lie in one
vector, layer by layer and row by row, so that integrators and optimizers need not know of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory.errors import DomainError, ShapeError, StartError
from theory.networks.schatten import balanced_factors
from theory.numeric.compile import Array
from theory.numeric.layers import split
from theory.numeric.matrices.matrix_loss import SmoothLoss, read_matrix
from theory.numeric.matrices.network_descent import NetworkDescent, descend
from theory.numeric.matrices.network_flow import integrate
from theory.numeric.matrices.network_minimum import NetworkMinimum, minimize_network
from theory.numeric.matrices.network_run import NetworkRun
from theory.numeric.matrices.spectral import Penalty
from theory.numeric.optimizers import Optimizer

__all__ = ["LinearNetwork"]


@dataclass(frozen=True)
class LinearNetwork:
    r"""$A = W_L\cdots W_1$ with $W_l \in \mathbb{R}^{n_l \times n_{l-1}}$.

    Parameters
    ----------
    widths : sequence of int
        $n_0, \dots, n_L$; two of them make the network of depth one, whose parameter is A itself.

    Raises
    ------
    ShapeError
        For fewer than two widths, or widths that are not positive integers.

    Examples
    --------
    >>> network = LinearNetwork([5, 10, 5])
    >>> network.depth, network.size
    (2, 100)
    """

    widths: tuple[int, ...]

    def __init__(self, widths: Sequence[int]) -> None:
        try:
            given = tuple(widths)
            read = tuple(int(w) for w in given)
        except (TypeError, ValueError) as error:
            raise ShapeError(f"Expected a list of widths but got {widths!r}.") from error
        if len(read) < 2 or any(r != w or r < 1 for r, w in zip(read, given, strict=True)):
            raise ShapeError(
                f"Expected the widths n_0, ..., n_L as at least two positive integers but got "
                f"{list(given)}."
            )
        object.__setattr__(self, "widths", read)

    @property
    def depth(self) -> int:
        """L, the number of matrices."""
        return len(self.widths) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of A, (n_L, n_0)."""
        return self.widths[-1], self.widths[0]

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shapes of W_1, ..., W_L."""
        return tuple((self.widths[i + 1], self.widths[i]) for i in range(self.depth))

    @cached_property
    def size(self) -> int:
        """The number of parameters."""
        return sum(rows * columns for rows, columns in self.shapes)

    @property
    def largest_rank(self) -> int:
        """The smallest width, which no rank of A exceeds."""
        return min(self.widths)

    def weights(self, theta: Array) -> list[Array]:
        r"""W_1, ..., W_L as views of a vector of shape (size,)."""
        return split(theta, self.shapes)

    def vector(self, weights: Sequence[ArrayLike]) -> Array:
        """The vector of the weights W_1, ..., W_L.

        Raises
        ------
        ShapeError, StartError
            For weights of other shapes, or that are not finite.
        """
        if len(weights) != self.depth:
            raise ShapeError(f"Expected {self.depth} matrices but got {len(weights)}.")
        parts = []
        for i, (given, shape) in enumerate(zip(weights, self.shapes, strict=True)):
            W = read_matrix(given, f"W_{i + 1}")
            if W.shape != shape:
                raise ShapeError(f"Expected W_{i + 1} of shape {shape} but got {W.shape}.")
            if np.isnan(W).any():
                raise StartError(f"Expected finite weights but W_{i + 1} has NaN.")
            parts.append(W.ravel())
        return np.concatenate(parts)

    def product(self, theta: Array) -> Array:
        r"""$A = W_L\cdots W_1$, shape (n_L, n_0).

        Examples
        --------
        >>> LinearNetwork([1, 2, 1]).product(np.array([1.0, 2.0, 3.0, 4.0])).tolist()
        [[11.0]]
        """
        A, *others = self.weights(theta)
        for W in others:
            A = W @ A
        return A

    def pull_back(self, theta: Array, G: Array) -> Array:
        r"""The gradient in the parameters from that in A, shape (size,)."""
        return self.value_and_pull_back(theta, lambda A: G)[1]

    def value_and_pull_back(
        self, theta: Array, gradient: Callable[[Array], Array]
    ) -> tuple[Array, Array]:
        """A, and the gradient in the parameters of a function of A, from one pass each way."""
        weights = self.weights(theta)
        inputs = [weights[0]]
        for W in weights[1:]:
            inputs.append(W @ inputs[-1])
        back = gradient(inputs[-1])
        out = np.empty_like(theta)
        parts = self.weights(out)
        for i in range(self.depth - 1, 0, -1):
            np.matmul(back, inputs[i - 1].T, out=parts[i])
            back = weights[i].T @ back
        parts[0][:] = back
        return inputs[-1], out

    def balancedness(self, theta: Array) -> list[Array]:
        r"""$\Delta_l = W_{l+1}^TW_{l+1} - W_lW_l^T$, one for each hidden layer.

        Examples
        --------
        >>> LinearNetwork([1, 1, 1]).balancedness(np.array([1.0, 2.0]))[0].tolist()
        [[3.0]]
        """
        weights = self.weights(theta)
        return [V.T @ V - W @ W.T for W, V in pairwise(weights)]

    def start(
        self,
        *,
        scale: float | None = None,
        exponent: float | None = None,
        std: float | None = None,
        identity: float | None = None,
        balanced: ArrayLike | None = None,
        seed: int | np.random.SeedSequence = 0,
    ) -> Array:
        r"""The parameters of a start, of which exactly one kind is given.

        Parameters
        ----------
        scale : float
            $\alpha$: the entries are $\alpha\,N(0, 1)/\sqrt w$, w the largest hidden width.
        exponent : float
            $\gamma$: the variance of the entries is $w^{-\gamma}$.
        std : float
            The standard deviation of the entries.
        identity : float
            This multiple of the identity in each layer, cut to its shape.
        balanced : matrix of shape (n_L, n_0)
            A balanced start with this product: $W_l = Q_l\Sigma^{1/L}Q_{l-1}^T$, the ends being the
            singular vectors.
        seed : int or SeedSequence
            Of the random kinds, drawn from W_1 on.

        Returns
        -------
        theta : ndarray, shape (size,)

        Raises
        ------
        StartError
            For no kind or several, a value that is not positive (all gradients of a deep network
            vanish at zero), or a product of a rank that the widths do not allow.

        Examples
        --------
        >>> network = LinearNetwork([2, 3, 2])
        >>> theta = network.start(balanced=[[4.0, 0.0], [0.0, 1.0]])
        >>> network.product(theta).round(12).tolist()
        [[4.0, 0.0], [0.0, 1.0]]
        """
        kinds = {
            "scale": scale, "exponent": exponent, "std": std, "identity": identity,
            "balanced": balanced,
        }  # fmt: skip
        given = {name: value for name, value in kinds.items() if value is not None}
        if len(given) != 1:
            raise StartError(
                f"Expected exactly one of {', '.join(kinds)} but got {', '.join(given) or 'none'}."
            )
        if balanced is not None:
            return self._balanced(balanced)
        name, value = next(iter(given.items()))
        number = _number(name, value)
        if name != "exponent" and not number > 0:
            raise StartError(
                f"Expected {name} > 0 but got {name} = {number:g}: at zero every gradient of a "
                "deep network vanishes, and the flow never starts."
            )
        if identity is not None:
            return self.vector([number * np.eye(*shape) for shape in self.shapes])
        width = max(self.widths[1:-1], default=self.widths[0])
        deviation = {
            "scale": number / np.sqrt(width), "exponent": width ** (-number / 2), "std": number,
        }[name]  # fmt: skip
        try:
            rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as error:
            raise DomainError(f"Expected a seed >= 0 but got {seed!r}: {error}.") from error
        return deviation * rng.standard_normal(self.size)

    def _balanced(self, given: ArrayLike) -> Array:
        A = read_matrix(given, "balanced")
        if A.shape != self.shape:
            raise ShapeError(f"Expected balanced of shape {self.shape} but got {A.shape}.")
        if np.isnan(A).any():
            raise StartError("Expected a product without missing entries.")
        sigma = np.linalg.svd(A, compute_uv=False)
        rank = int(np.sum(sigma > 1e-14 * sigma[0])) if sigma[0] > 0 else 0
        if rank > self.largest_rank:
            raise StartError(
                f"Expected a product of rank at most {self.largest_rank}, the smallest width, but "
                f"its rank is {rank}."
            )
        return self.vector(balanced_factors(A, self.depth, widths=self.widths[1:-1]))

    def integrate(
        self,
        loss: SmoothLoss,
        start: Array,
        t: float | tuple[float, float] | None = None,
        **options: Any,
    ) -> NetworkRun:
        """The gradient flow of a loss of A; see `theory.numeric.matrices.network_flow.integrate`.

        Examples
        --------
        >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
        >>> network = LinearNetwork([2, 2, 2])
        >>> run = network.integrate(MatrixLoss([[2.0, 0.0], [0.0, 1.0]]), network.start(scale=0.1))
        >>> run.success, run.sigma[:, -1].round(3).tolist()
        (True, [2.0, 1.0])
        """
        return integrate(self, loss, start, t, **options)

    def descend(
        self,
        loss: SmoothLoss,
        start: Array,
        optimizer: Optimizer | float,
        *,
        penalty: Penalty | None = None,
        **options: Any,
    ) -> NetworkDescent:
        """Finite steps of an optimizer; see `theory.numeric.matrices.network_descent.descend`.

        Examples
        --------
        >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
        >>> network = LinearNetwork([2, 2])
        >>> run = network.descend(MatrixLoss([[2.0, 0.0], [0.0, 1.0]]), network.start(std=1.0), 0.5)
        >>> run.success, run.sigma[:, -1].round(3).tolist()
        (True, [2.0, 1.0])
        """
        return descend(self, loss, start, optimizer, penalty=penalty, **options)

    def minimize(self, loss: SmoothLoss, start: Array, **options: Any) -> NetworkMinimum:
        """A local minimum; see `theory.numeric.matrices.network_minimum.minimize_network`.

        Examples
        --------
        >>> from theory.numeric.matrices.matrix_loss import MatrixLoss
        >>> network = LinearNetwork([1, 1, 1])
        >>> found = network.minimize(MatrixLoss([[1.0]]), np.array([1.0, 0.5]), weight_decay=0.25)
        >>> found.success, round(found.loss, 6)
        (True, 0.375)
        """
        return minimize_network(self, loss, start, **options)


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise StartError(f"Expected {name} as a number but got {value!r}.") from error
    if not np.isfinite(number):
        raise StartError(f"Expected {name} as a finite number but got {value!r}.")
    return number
