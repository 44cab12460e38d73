r"""Functions of PyTorch and of JAX as networks: their parameters as one flat vector.

Values and gradients come from the framework, in its own precision. Neither framework is imported
before it is used, and neither is a dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.errors import DataError, FormulaError, ShapeError
from theory.networks.arguments import read_positive
from theory.numeric.compile import Array
from theory.numeric.layers import Shapes, split
from theory.numeric.margins.classification import Classification
from theory.numeric.margins.margin_descent import descend
from theory.numeric.margins.margin_run import MarginRun
from theory.numeric.margins.model import Pass, read_parameters
from theory.numeric.optimizer import Optimizer

__all__ = ["FrameworkNetwork", "from_jax", "from_torch"]

Outputs = Callable[[list[Array], Array], Array]
PullBack = Callable[[list[Array], Array, Array], list[Array]]


@dataclass(frozen=True, eq=False)
class FrameworkNetwork:
    """A function with parameters that a framework differentiates; made by `from_torch`, `from_jax`.

    Parameters
    ----------
    degree : sympy.Expr
        L, as it was given and checked.
    shapes : tuple of shapes
        Of the parameters, in the framework's order.
    outputs : callable
        (parameters, X) -> f, shape (m,).
    pull_back : callable
        (parameters, X, c) -> the gradient of sum(c*f), one array a parameter.
    current : ndarray, shape (size,)
        The parameters that the function came with.
    """

    degree: sp.Expr
    shapes: Shapes
    outputs: Outputs = field(repr=False)
    pull_back: PullBack = field(repr=False)
    current: Array = field(repr=False)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return len(self.current)

    def bind(self, task: Classification) -> Pass:
        """The function on the samples of a task."""
        return _FrameworkPass(self, task)

    def layers(self, theta: Array) -> list[Array]:
        """The flat parameters in their shapes."""
        return split(theta, self.shapes)

    def descend(
        self,
        task: Classification,
        optimizer: Optimizer | float,
        *,
        start: ArrayLike | None = None,
        **options: Any,
    ) -> MarginRun:
        """Train from the parameters that the function came with, or from others.

        See `theory.numeric.margins.margin_descent.descend`.
        """
        first = self.current if start is None else start
        return descend(self, task, first, optimizer, **options)

    def output(self, theta: ArrayLike, X: ArrayLike) -> Array:
        """F at the rows of X, shape (m,)."""
        layers = self.layers(read_parameters(self, theta))
        return self.outputs(layers, np.asarray(X, dtype=np.float64))


class _FrameworkPass:
    def __init__(self, net: FrameworkNetwork, task: Classification) -> None:
        self.net, self.task = net, task
        self.parts: list[Array] = []

    def margins(self, theta: Array) -> Array:
        # a copy: frameworks may keep what they are given
        self.parts = [w.copy() for w in self.net.layers(theta)]
        return self.task.y * self.net.outputs(self.parts, self.task.X)

    def gradient(self, weights: Array) -> Array:
        parts = self.net.pull_back(self.parts, self.task.X, -weights * self.task.y)
        return np.concatenate([np.asarray(p, dtype=np.float64).ravel() for p in parts])


def from_torch(module: Any, X: ArrayLike, *, degree: Any) -> FrameworkNetwork:
    r"""A PyTorch module with one output as a homogeneous network.

    Parameters
    ----------
    module : torch.nn.Module
        It is copied, in double precision; takes rows and gives one number for each.
    X : array_like, shape (m, d)
        Rows at which the degree is checked.
    degree : positive number
        L with $f(x; c\theta) = c^Lf(x; \theta)$ for all parameters together.

    Raises
    ------
    FormulaError
        When f(x; 2 theta) is not 2^L f(x; theta), as with biases.
    ShapeError
        For a module with other outputs, or without parameters.
    DataError
        Without PyTorch.
    """
    try:
        import torch
    except ImportError as error:
        raise DataError("PyTorch is not installed: pip install torch.") from error
    import copy

    if not isinstance(module, torch.nn.Module):
        raise ShapeError(f"Expected a torch.nn.Module but got {type(module).__name__}.")
    own = copy.deepcopy(module).double().eval()
    named = [(n, p) for n, p in own.named_parameters() if p.requires_grad]
    if not named:
        raise ShapeError("Expected a module with parameters that are trained but it has none.")
    names, tensors = [n for n, _ in named], [p for _, p in named]

    last: list[Any] = [None, None]

    def call(parts: list[Any], rows: Array) -> Any:
        if last[0] is not rows:
            # a copy, which may be written to
            last[:] = [rows, torch.tensor(rows)]
        table = dict(zip(names, parts, strict=True))
        return torch.func.functional_call(own, table, (last[1],))

    def outputs(parts: list[Array], rows: Array) -> Array:
        with torch.no_grad():
            found = call([torch.as_tensor(p) for p in parts], rows)
        return np.asarray(_flat(found.numpy(), len(rows)))

    def pull_back(parts: list[Array], rows: Array, c: Array) -> list[Array]:
        leaves = [torch.as_tensor(p).requires_grad_(True) for p in parts]
        total = (call(leaves, rows).reshape(-1) * torch.as_tensor(c)).sum()
        slopes = torch.autograd.grad(total, leaves, allow_unused=True)
        return [
            np.zeros(p.shape) if g is None else g.numpy()
            for g, p in zip(slopes, parts, strict=True)
        ]

    current = [p.detach().numpy().copy() for p in tensors]
    return _checked(current, outputs, pull_back, X, degree)


def from_jax(
    function: Callable[[Any, Any], Any], parameters: Any, X: ArrayLike, *, degree: Any
) -> FrameworkNetwork:
    """A JAX function ``f(parameters, rows)`` with one output as a homogeneous network.

    Parameters
    ----------
    function : callable
    parameters : pytree of arrays
    X : array_like, shape (m, d)
        Rows at which the degree is checked.
    degree : positive number

    Raises
    ------
    FormulaError, ShapeError, DataError
        As for `from_torch`.
    """
    try:
        import jax
    except ImportError as error:
        raise DataError("JAX is not installed: pip install jax.") from error
    leaves, tree = jax.tree_util.tree_flatten(parameters)
    if not leaves:
        raise ShapeError("Expected parameters but the tree has none.")
    kinds = [np.asarray(p).dtype for p in leaves]

    def joined(parts: Any) -> Any:
        return jax.tree_util.tree_unflatten(tree, parts)

    def total(parts: list[Any], rows: Any, c: Any) -> Any:
        return (function(joined(parts), rows).reshape(-1) * c).sum()

    forward = jax.jit(lambda parts, rows: function(joined(parts), rows))
    slopes = jax.jit(jax.grad(total))

    def cast(parts: list[Array]) -> list[Array]:
        return [p.astype(k) for p, k in zip(parts, kinds, strict=True)]

    def outputs(parts: list[Array], rows: Array) -> Array:
        found = np.asarray(forward(cast(parts), rows.astype(kinds[0])), dtype=np.float64)
        return _flat(found, len(rows))

    def pull_back(parts: list[Array], rows: Array, c: Array) -> list[Array]:
        found = slopes(cast(parts), rows.astype(kinds[0]), c.astype(kinds[0]))
        return [np.asarray(p, dtype=np.float64) for p in found]

    current = [np.asarray(p, dtype=np.float64) for p in leaves]
    return _checked(current, outputs, pull_back, X, degree)


def _flat(found: Array, m: int) -> Array:
    if found.size != m:
        raise ShapeError(
            f"Expected one output for each of {m} rows but got the shape {found.shape}."
        )
    return found.reshape(m).astype(np.float64)


def _checked(
    current: list[Array], outputs: Outputs, pull_back: PullBack, X: ArrayLike, degree: Any
) -> FrameworkNetwork:
    """The network, when doubled parameters have 2^L times the outputs."""
    L = read_positive(degree, "degree")
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ShapeError(f"Expected finite rows X of shape (m, d) but got {rows.shape}.")
    rng = np.random.default_rng(0)
    flat = [p + 0.1 * rng.standard_normal(p.shape) for p in current]
    here, there = outputs(flat, rows), outputs([2 * p for p in flat], rows)
    size = float(np.abs(there).max())
    gap = np.abs(there - 2.0 ** float(L) * here)
    # single precision keeps seven digits
    if not (np.isfinite(size) and gap.max() <= 1e-4 * size):
        k = int(gap.argmax())
        raise FormulaError(
            f"Expected f(x; 2 theta) = 2**{L} f(x; theta), but at X[{k}] they are {there[k]:.6g} "
            f"and {2.0 ** float(L) * here[k]:.6g}. Is the degree {L}? Biases break homogeneity."
        )
    shapes = tuple(p.shape for p in current)
    vector = np.concatenate([p.ravel() for p in current])
    return FrameworkNetwork(L, shapes, outputs, pull_back, vector)
