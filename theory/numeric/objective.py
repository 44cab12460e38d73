r"""The data term $\mathcal{Q}(z) = \sum_i \ell(h(z_i), y_i)$ in floats, and the target $z^*$."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TypeAlias

import numpy as np
import sympy as sp
from scipy.optimize import brentq

from theory.errors import DataError, InfeasibleTarget, UnknownName
from theory.flow.gradient_flow import FlowModel
from theory.flow.links import MEAN, PREDICTOR, Link
from theory.flow.losses import Loss
from theory.numeric.bound import bindable
from theory.numeric.compile import Array, compile_expression, compile_expressions

__all__ = ["Objective", "compile_objective", "target_predictor", "target_slopes"]


_Function: TypeAlias = Callable[..., Array]


@dataclass(frozen=True)
class Objective:
    r"""$q(z) = \ell(h(z), y)$ of every sample, with its first two derivatives in z.

    Parameters
    ----------
    y : ndarray, shape (n,)
    """

    y: Array
    _value: _Function
    _slope: _Function
    _curvature: _Function
    _bind: Callable[..., Callable[[Array], Array]]

    def value(self, z: Array) -> Array:
        """The summed loss for z of shape (n,) or (n, m): shape () or (m,)."""
        return np.asarray(np.sum(self._value(z, self._targets(z)), axis=0))

    def slope(self, z: Array) -> Array:
        """$q'(z)$, same shape as z."""
        return self._slope(z, self._targets(z))

    def curvature(self, z: Array) -> Array:
        """$q''(z)$, same shape as z."""
        return self._curvature(z, self._targets(z))

    @cached_property
    def quick_slope(self) -> Callable[[Array], Array]:
        """$q'$ of z of shape (n,), for right-hand sides: NumPy's warnings are the caller's."""
        return self._bind(self.y)

    def slope_at(self, z: Array, y: Array) -> Array:
        """$q'(z)$ for targets y of the shape of z."""
        return self._slope(z, y)

    def losses_at(self, z: Array, y: Array) -> Array:
        """The summed losses, shape (m,), for z and targets y of shape (n, m)."""
        return np.asarray(np.sum(self._value(z, y), axis=0))

    def _targets(self, z: Array) -> Array:
        return self.y if np.ndim(z) < 2 else self.y[:, None]


def compile_objective(model: FlowModel, y: Array) -> Objective:
    """Compile loss and link for the targets y.

    Raises
    ------
    UnknownName
        For a loss or link with a constant that has no value.
    DataError
        For a target that the loss is not made for.
    """
    loss = model.loss
    free = (loss.formula.free_symbols | model.link.formula.free_symbols) - {
        loss.prediction,
        loss.target,
        PREDICTOR,
    }
    if free:
        raise UnknownName(
            f"Loss or link contain {', '.join(sorted(str(s) for s in free))}; "
            "give the constants numbers first."
        )
    _check_targets(model, y)
    return Objective(y, *_functions(loss, model.link))


@lru_cache(maxsize=64)
def _functions(
    loss: Loss, link: Link
) -> tuple[_Function, _Function, _Function, Callable[..., Callable[[Array], Array]]]:
    """Value, slope and curvature; most calls want the slope alone."""
    arguments = (PREDICTOR, loss.target)
    slope = loss.gradient_in_predictor(link)
    formulas = loss.at_predictor(link), slope, sp.diff(slope, PREDICTOR)
    value, first, second = (compile_expression(f, arguments) for f in formulas)
    return value, first, second, bindable(slope, PREDICTOR, (loss.target,))


def _check_targets(model: FlowModel, y: Array) -> None:
    targets = model.loss.targets
    if targets.values is not None:
        bad = ~np.isin(y, [float(v) for v in targets.values])
    else:
        low, high = float(targets.lower), float(targets.upper)
        bad = (y < low) if targets.closed[0] else (y <= low)
        bad |= (y > high) if targets.closed[1] else (y >= high)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        index = ", ".join(map(str, at))
        raise DataError(
            f"Expected targets in {targets} for the loss {model.loss.name} but got "
            f"y[{index}] = {y[at]}."
        )


def target_predictor(model: FlowModel, y: Array) -> Array:
    r"""The predictor $z^* = h^{-1}(y)$ at which every sample's loss is smallest, shape (n,).

    Raises
    ------
    InfeasibleTarget
        For hard labels and for targets outside of the range of the inverse link: the loss has no
        minimizer at a finite predictor.
    """
    loss, link = model.loss, model.link
    _check_targets(model, y)
    if loss.on == "predictor" and loss.best is None and loss.targets.values is not None:
        raise InfeasibleTarget(
            f"The loss {loss.name} with hard labels y in {loss.targets} decreases for ever as y*z "
            "grows, so the flow has no finite limit point; its direction converges. Use targets "
            "strictly between the labels, or a loss with a minimizer."
        )
    if loss.best is None:
        return _minimize_each(model, y)
    mean = compile_expression(loss.best, [loss.target])(y)
    if loss.on == "predictor":
        return mean
    low, high = float(link.lower), float(link.upper)
    outside = (mean <= low) | (mean >= high)
    if outside.any():
        i = int(np.argmax(outside))
        at_end = mean[i] in (low, high)
        reason = (
            "a hard label is reached at an infinite predictor only, so there is no finite limit"
            if at_end
            else "no predictor reaches it"
        )
        raise InfeasibleTarget(
            f"Expected targets in the range ({link.lower}, {link.upper}) of the {link.name} link "
            f"but got y[{i}] = {y[i]}: {reason}."
        )
    if link.inverse is not None:
        z = compile_expression(link.inverse, [MEAN])(mean)
        if np.isfinite(z).all():
            return z
    h = compile_expression(link.formula, [PREDICTOR])
    return np.array(
        [_root(partial(_gap, h, float(m)), f"y[{i}] = {y[i]}") for i, m in enumerate(mean)]
    )


def target_slopes(model: FlowModel, y: Array) -> Array:
    r"""$dz^*/dy$ of every sample, shape (n,): from $q_z(z^*(y), y) = 0$.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> target_slopes(FlowModel(Elementwise("u", "u")), np.array([2.0])).tolist()
    [1.0]
    """
    z = target_predictor(model, y)
    arguments = (PREDICTOR, model.loss.target)
    slope = model.loss.gradient_in_predictor(model.link)
    mixed, own = compile_expressions([sp.diff(slope, s) for s in reversed(arguments)], arguments)(
        z, y
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-mixed / own)


def _minimize_each(model: FlowModel, y: Array) -> Array:
    arguments = (PREDICTOR, model.loss.target)
    slope = compile_expression(model.loss.gradient_in_predictor(model.link), arguments)
    return np.array(
        [_root(partial(_slope_at, slope, float(v)), f"y[{i}] = {v}") for i, v in enumerate(y)]
    )


def _gap(h: Callable[..., Array], mean: float, z: float) -> float:
    return float(h(z)) - mean


def _slope_at(slope: Callable[..., Array], y: float, z: float) -> float:
    return float(slope(z, y))


def _root(function: Callable[[float], float], sample: str) -> float:
    width = 1.0
    while width < 1e6:
        low, high = function(-width), function(width)
        if np.isfinite(low) and np.isfinite(high) and low * high <= 0 and (low != 0 or high != 0):
            return float(brentq(function, -width, width, xtol=1e-300, rtol=9e-16, maxiter=500))
        width *= 2
    raise InfeasibleTarget(
        f"No predictor z with |z| < {width:g} minimizes the loss of the sample {sample}; the flow "
        "has no finite limit point there."
    )
