r"""One block compiled: $\rho$, its gradient and its Hessian as functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.errors import StartError
from theory.flow.parametrization import Elementwise
from theory.numeric.compile import Array, compile_expressions
from theory.numeric.start import Start, parameter_range, read_constants, read_start

__all__ = ["Block", "Geometry", "block_formulas", "compile_block", "prepare"]


@dataclass(frozen=True)
class Geometry:
    r"""What Newton and the step control need to know at a point of every curve.

    Parameters
    ----------
    x : ndarray, shape (d,)
        $\rho(\theta_i)$.
    speed : ndarray, shape (d,)
        $g = \|\sqrt P\,\nabla\rho\|$, the root of the metric M; M itself may underflow.
    radius : ndarray, shape (d,)
        A length in $\xi$ within which the curve is nearly straight.
    unit : ndarray, shape (k, d)
        $\sqrt P\,\nabla\rho / g$.
    bend : ndarray, shape (k, k, d)
        $\sqrt P\,\nabla^2\rho\,\sqrt P$.
    """

    x: Array
    speed: Array
    radius: Array
    unit: Array
    bend: Array

    @property
    def slope(self) -> Array:
        r"""$d\log M / d\xi$, shape (d,)."""
        with np.errstate(all="ignore"):
            return np.asarray(2 * np.einsum("jd,jld,ld->d", self.unit, self.bend, self.unit))


@dataclass(frozen=True, eq=False)
class Block:
    """Compiled functions of one block, vectorized over coordinates."""

    k: int
    rates: Array
    lower: Array
    upper: Array
    bounded: bool
    _rho: Callable[..., tuple[Array, ...]]
    _gradient: Callable[..., tuple[Array, ...]]
    _hessian: Callable[..., tuple[Array, ...]]
    _all: Callable[..., tuple[Array, ...]]

    def rho(self, theta: Array) -> Array:
        r"""$x = \rho(\theta)$, shape (d,) for theta of shape (k, d); NaN outside of the domain."""
        return self._masked(theta, self._rho(*theta)[0])

    def gradient(self, theta: Array) -> Array:
        r"""$\partial_j\rho$, shape (k, d)."""
        return np.stack(self._gradient(*theta))

    def hessian(self, theta: Array) -> Array:
        r"""$\partial_j\partial_l\rho$, shape (k, k, d)."""
        return np.stack(self._hessian(*theta)).reshape(self.k, self.k, *theta.shape[1:])

    def field(self, theta: Array) -> Array:
        r"""$d\theta/d\xi = P\,\nabla\rho$, shape (k, d); NaN outside of the domain."""
        return self._masked(theta, self.rates * np.array(self._gradient(*theta)))

    def geometry(self, theta: Array) -> Geometry:
        """Value, speed and curvature at theta, shape (k, d)."""
        values = np.array(self._all(*theta))
        root, k = np.sqrt(self.rates), self.k
        with np.errstate(all="ignore"):
            unit = root * values[1 : k + 1]
            bend = values[k + 1 :].reshape(k, k, *theta.shape[1:])
            bend = root[:, None] * bend * root[None, :]
            speed = _norm(unit)
            unit /= speed
            curvature = _norm(bend.reshape(-1, theta.shape[1]))
            # where the Hessian vanishes, functions vary on the scale of theta, or of 1
            size = np.maximum(1.0, np.maximum.reduce(np.abs(theta))) / speed
            radius = np.minimum(np.where(curvature > 0, 1 / curvature, np.inf), size)
        return Geometry(self._masked(theta, values[0]), speed, radius, unit, bend)

    def _masked(self, theta: Array, value: Array) -> Array:
        if not self.bounded:
            return value
        outside = np.any((theta < self.lower) | (theta > self.upper), axis=0)
        return np.where(outside, np.nan, value)


def _norm(a: Array) -> Array:
    """Euclidean norm of the columns without underflow: squares of 1e-200 are zero in floats."""
    size = np.abs(a)
    top = np.maximum.reduce(size)
    safe = np.where((top > 0) & (top < np.inf), top, 1.0)
    size /= safe
    size *= size
    out: Array = top * np.sqrt(np.add.reduce(size))
    return np.where(top > 0, out, top)


def block_formulas(
    parametrization: Elementwise, constants: tuple[tuple[sp.Symbol, sp.Expr], ...]
) -> tuple[sp.Expr, list[sp.Expr], list[sp.Expr]]:
    r"""$\rho$, its gradient and its Hessian by rows, with numbers for the constants."""
    rho = parametrization.formula.subs(dict(constants))
    gradient = [sp.diff(rho, s) for s in parametrization.parameters]
    return rho, gradient, [sp.diff(g, s) for g in gradient for s in parametrization.parameters]


@lru_cache(maxsize=64)
def _compile(
    parametrization: Elementwise, constants: tuple[tuple[sp.Symbol, sp.Expr], ...]
) -> Block:
    values, theta = dict(constants), parametrization.parameters
    rho, gradient, hessian = block_formulas(parametrization, constants)
    ranges = np.array([parameter_range(parametrization, s) for s in theta])
    return Block(
        k=len(theta),
        rates=np.array([[float(p.subs(values))] for p in parametrization.rates]),
        lower=ranges[:, :1],
        upper=ranges[:, 1:],
        bounded=bool(np.isfinite(ranges).any()),
        _rho=compile_expressions([rho], theta),
        _gradient=compile_expressions(gradient, theta),
        _hessian=compile_expressions(hessian, theta),
        _all=compile_expressions([rho, *gradient, *hessian], theta),
    )


def compile_block(parametrization: Elementwise, start: Start) -> Block:
    """Compile the formula with the constants' values that the start gives."""
    constants = read_constants(parametrization, start)
    return _compile(parametrization, tuple(constants.items()))


def prepare(parametrization: Elementwise, start: Start, d: int) -> tuple[Block, Array]:
    r"""The compiled block and the start array, after every check that a flow needs.

    Raises
    ------
    StartError
        When $\rho$ is not real or finite at the start, or $\nabla\rho = 0$ at some coordinate: the
        flow would never move it.
    """
    block = compile_block(parametrization, start)
    theta0 = read_start(parametrization, start, d)
    names = [s.name for s in parametrization.parameters]

    def at(i: int) -> str:
        values = ", ".join(f"{n} = {float(v)!r}" for n, v in zip(names, theta0[:, i], strict=True))
        return f"coordinate {i} ({values})"

    x0 = block.rho(theta0)
    gradient = block.gradient(theta0)
    bad = ~np.isfinite(x0) | ~np.isfinite(gradient).all(axis=0)
    if bad.any():
        i = int(np.argmax(bad))
        raise StartError(
            f"{parametrization} is not a finite real number with a finite gradient at {at(i)}; "
            "start inside of the formula's domain."
        )
    stuck = ~np.any(gradient != 0, axis=0)
    if stuck.any():
        i = int(np.argmax(stuck))
        raise StartError(
            f"The gradient of {parametrization} vanishes at {at(i)}: the flow never moves this "
            "coordinate. Start elsewhere, for example unbalanced (one parameter away from zero)."
        )
    return block, theta0
