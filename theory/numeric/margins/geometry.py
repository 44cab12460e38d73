"""Norms of flat parameters in NumPy: value, dual, and steepest direction."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import sympy as sp

from theory.errors import FormulaError, ShapeError
from theory.networks.formula_norm import FormulaNorm
from theory.networks.norms import Blocks, Entrywise, Norm, SchattenNorm, read_norm
from theory.networks.unit_ball import UnitBall
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.layers import Shapes, slices

__all__ = ["Geometry", "geometry_of", "power_geometry"]

_RANK = 1e-14
"""Singular values below this share of the largest have no direction."""


class Geometry(Protocol):
    """A norm of flat parameters with layers of given shapes."""

    def value(self, theta: Array) -> float: ...
    def dual(self, g: Array) -> float: ...
    def steepest(self, g: Array) -> tuple[Array, float]:
        """The direction u with ||u|| = 1 and <g, u> = ||g||_*, and the dual norm of g."""
        ...


def geometry_of(norm: Any, shapes: Shapes) -> Geometry:
    """The norm, or one by its name, for layers of these shapes.

    Raises
    ------
    ShapeError
        For a norm of another number of parameters.

    Examples
    --------
    >>> geometry = geometry_of("linf", ((2,),))
    >>> u, size = geometry.steepest(np.array([3.0, -4.0]))
    >>> u.tolist(), size
    ([1.0, -1.0], 7.0)
    """
    return _geometry_of(read_norm(norm), tuple(tuple(s) for s in shapes))


@lru_cache(maxsize=256)
def _geometry_of(norm: Norm, shapes: Shapes) -> Geometry:
    exponents = [
        e for e in (getattr(norm, "p", None), getattr(norm, "outer", None)) if e is not None
    ]
    exponents += [norm.inner.p] if isinstance(norm, Blocks) else []
    if any(e.free_symbols for e in exponents):
        raise FormulaError(f"Expected a number as the exponent of {norm}; a symbol has no values.")
    if isinstance(norm, Entrywise):
        return power_geometry(float(norm.p))
    if isinstance(norm, SchattenNorm):
        if len(shapes) != 1:
            raise ShapeError(f"{norm} is of one matrix; for layers there is th.norms.blocks.")
        return _Schatten(float(norm.p), _matrix(shapes[0]))
    if isinstance(norm, Blocks):
        return _Blocks(norm, shapes)
    size = sum(int(np.prod(s)) for s in shapes)
    if norm.size != size:
        raise ShapeError(f"The norm {norm} is of {norm.size} parameters, but there are {size}.")
    if isinstance(norm, UnitBall):
        return _Polytope(norm.points, norm.dual.points)
    if norm.kind == "polytope":
        return _Polytope(norm.dual.data, norm.data)
    return _Formula(norm)


def power_geometry(p: float) -> Geometry:
    """The lp norm of all entries."""
    if p == 2:
        return _Euclidean()
    if p == 1:
        return _Coordinate()
    return _Sign() if p == np.inf else _Lp(p)


class _Euclidean:
    def value(self, theta: Array) -> float:
        return float(np.sqrt(theta @ theta))

    dual = value

    def steepest(self, g: Array) -> tuple[Array, float]:
        size = float(np.sqrt(g @ g))
        if size > 1e-150:
            return g / size, size
        # squares below underflow
        most = float(np.abs(g).max(initial=0.0))
        if most == 0:
            return np.zeros_like(g), 0.0
        u = g / most
        inner = float(np.sqrt(u @ u))
        return u / inner, most * inner


class _Sign:
    def value(self, theta: Array) -> float:
        return float(np.abs(theta).max(initial=0.0))

    def dual(self, g: Array) -> float:
        return float(np.abs(g).sum())

    def steepest(self, g: Array) -> tuple[Array, float]:
        return np.sign(g), float(np.abs(g).sum())


class _Coordinate:
    def value(self, theta: Array) -> float:
        return float(np.abs(theta).sum())

    def dual(self, g: Array) -> float:
        return float(np.abs(g).max(initial=0.0))

    def steepest(self, g: Array) -> tuple[Array, float]:
        j = int(np.abs(g).argmax())
        u = np.zeros_like(g)
        u[j] = np.sign(g[j])
        return u, float(abs(g[j]))


class _Lp:
    def __init__(self, p: float) -> None:
        self.p, self.q = p, p / (p - 1)

    def value(self, theta: Array) -> float:
        return _scaled_norm(theta, self.p)

    def dual(self, g: Array) -> float:
        return _scaled_norm(g, self.q)

    def steepest(self, g: Array) -> tuple[Array, float]:
        sizes = np.abs(g)
        most = float(sizes.max(initial=0.0))
        if most == 0:
            return np.zeros_like(g), 0.0
        sizes /= most
        powers = sizes ** (self.q - 1)
        total = float(powers @ sizes)
        # total >= 1: the largest of the scaled entries is 1
        return np.copysign(powers / total ** (1 / self.p), g), most * total ** (1 / self.q)


def _scaled_norm(x: Array, p: float) -> float:
    most = float(np.abs(x).max(initial=0.0))
    if most == 0 or not np.isfinite(most):
        return most
    return most * float(np.sum((np.abs(x) / most) ** p)) ** (1 / p)


def _matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 2 and min(shape) > 1 else (int(np.prod(shape)),)


class _Schatten:
    """Of one layer; a vector has one singular value, its Euclidean norm."""

    def __init__(self, p: float, shape: tuple[int, ...]) -> None:
        self.shape, self.inner = shape, power_geometry(p)
        self.p = p

    def _values(self, x: Array) -> Array:
        if len(self.shape) == 1:
            return np.array([_Euclidean().value(x)])
        if self.p == 2:
            return np.array([_Euclidean().value(x.ravel())])
        return np.asarray(np.linalg.svd(x.reshape(self.shape), compute_uv=False), np.float64)

    def value(self, theta: Array) -> float:
        if self.p == np.inf and len(self.shape) == 2:
            return _largest_singular_value(theta.reshape(self.shape))
        return self.inner.value(self._values(theta))

    def dual(self, g: Array) -> float:
        return self.inner.dual(self._values(g))

    def steepest(self, g: Array) -> tuple[Array, float]:
        if len(self.shape) == 1 or self.p == 2:
            u, size = _Euclidean().steepest(g.ravel())
            return u, size
        U, s, Vt = np.linalg.svd(g.reshape(self.shape), full_matrices=False)
        w, size = self.inner.steepest(s)
        if s[-1] <= _RANK * s[0]:
            w = np.where(s > _RANK * s[0], w, 0.0)
        return ((U * w) @ Vt).ravel(), size


def _largest_singular_value(A: Array) -> float:
    """By the smaller Gram matrix, which keeps the digits of the largest one."""
    most = float(np.abs(A).max(initial=0.0))
    if most == 0 or not np.isfinite(most):
        return most
    B = A / most
    gram = B @ B.T if B.shape[0] <= B.shape[1] else B.T @ B
    return most * float(np.sqrt(np.linalg.eigvalsh(gram)[-1]))


class _Blocks:
    """The norm over layers of the norms of the layers."""

    def __init__(self, norm: Blocks, shapes: Shapes) -> None:
        p = float(norm.inner.p)
        if isinstance(norm.inner, SchattenNorm):
            self.parts: list[Geometry] = [_Schatten(p, _matrix(s)) for s in shapes]
        else:
            self.parts = [power_geometry(p)] * len(shapes)
        self.outer = power_geometry(float(norm.outer))
        self.flat = float(norm.outer) == np.inf
        self.slices = slices(shapes)

    def _each(self, x: Array, take: str) -> Array:
        return np.array(
            [getattr(n, take)(x[s]) for n, s in zip(self.parts, self.slices, strict=True)]
        )

    def value(self, theta: Array) -> float:
        return self.outer.value(self._each(theta, "value"))

    def dual(self, g: Array) -> float:
        return self.outer.dual(self._each(g, "dual"))

    def steepest(self, g: Array) -> tuple[Array, float]:
        out = np.empty_like(g)
        sizes = np.empty(len(self.parts))
        for i, (part, s) in enumerate(zip(self.parts, self.slices, strict=True)):
            out[s], sizes[i] = part.steepest(g[s])
        weights, size = self.outer.steepest(sizes)
        if not self.flat:
            for s, w in zip(self.slices, weights, strict=True):
                out[s] *= w
        return out, size


class _Polytope:
    """The hull of points and their opposites; facets are the points of the polar."""

    def __init__(self, points: Any, facets: Any) -> None:
        self.points = np.array(points, dtype=np.float64)
        self.facets = np.array(facets, dtype=np.float64)

    def value(self, theta: Array) -> float:
        return float(np.abs(self.facets @ theta).max())

    def dual(self, g: Array) -> float:
        return float(np.abs(self.points @ g).max())

    def steepest(self, g: Array) -> tuple[Array, float]:
        products = self.points @ g
        k = int(np.abs(products).argmax())
        return np.sign(products[k]) * self.points[k], float(abs(products[k]))


class _Formula:
    """A norm by a formula, compiled."""

    def __init__(self, norm: FormulaNorm) -> None:
        g = norm.variables
        self._value = _single(norm.expression, g)
        self._dual = _single(norm.dual.expression, g)
        u = [d.doit() for d in _smooth_direction(norm)]
        self._direction = compile_expressions(u, g)

    def value(self, theta: Array) -> float:
        return self._value(theta)

    def dual(self, g: Array) -> float:
        return self._dual(g)

    def steepest(self, g: Array) -> tuple[Array, float]:
        most = float(np.abs(g).max(initial=0.0))
        if most == 0:
            return np.zeros_like(g), 0.0
        scaled = g / most
        u = np.array([float(v) for v in self._direction(*scaled)])
        return u, most * self._dual(scaled)


def _smooth_direction(norm: FormulaNorm) -> tuple[sp.Expr, ...]:
    """The direction is the gradient of the dual norm, where that is smooth."""
    return tuple(sp.diff(norm.dual.expression, s) for s in norm.variables)


def _single(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[[Array], float]:
    compiled = compile_expressions([e], symbols)
    return lambda x: float(compiled(*x)[0])
