r"""The linear predictor of largest $\ell_p$ margin for 1 < p < oo, by a barrier.

Of min $\sum_j|w_j|^p$ with $Zw \ge 1$, in the form min $\sum_j\tau_j$ with $|w_j|^p \le \tau_j$,
whose barrier $-\log(\tau^{2/p} - w^2) - 2\log\tau$ is self-concordant for every p. So Newton's
method needs no luck with powers that are flat, or steep, at zero.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import nnls

from theory.numeric.compile import Array
from theory.numeric.margins.geometry import power_geometry

__all__ = ["power_margin"]

_NEWTON = 200
_STAGES = 60


def power_margin(Z: Array, start: Array, p: float, tol: float = 1e-11) -> tuple[Array, Array]:
    r"""A direction w, and multipliers $\lambda \ge 0$ of the rows, shape (n,).

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        Rows $y_ix_i$.
    start : ndarray, shape (d,)
        With Z start > 0.
    p : float
    tol : float
        Relative gap at which the barrier ends.

    Examples
    --------
    >>> w, multipliers = power_margin(np.eye(2), np.ones(2), 3.0)
    >>> (w / w[0]).round(9).tolist(), (multipliers / multipliers.sum()).round(9).tolist()
    ([1.0, 1.0], [0.5, 0.5])
    """
    n, d = Z.shape
    w = start * (2.0 / float((Z @ start).min()))
    # the unknowns are scaled so that the largest entry of w, and its power, are one
    unit = float(np.max(np.abs(w)))
    Z, w = Z * unit, w / unit
    tau = 2.0 * np.abs(w) ** p + 1e-3
    degree = n + 3 * d
    kappa = degree / float(tau.sum())
    best = w, 1.0 / (kappa * (Z @ w - 1.0))
    for _ in range(_STAGES):
        done, w, tau = _center(Z, w, tau, p, kappa)
        if not done:
            break
        best = w, 1.0 / (kappa * (Z @ w - 1.0))
        if degree <= tol * kappa * float(tau.sum()):
            break
        kappa *= 10.0
    return _polished(Z, *best, p, unit)


def _polished(Z: Array, w: Array, multipliers: Array, p: float, unit: float) -> tuple[Array, Array]:
    r"""Multipliers of the tight rows that fit the stationarity of w, and the w that they give.

    $Z^T\lambda$ is parallel to $\mathrm{sign}(w)|w|^{p-1}$ at the optimum. What is found is kept
    where its bound is the better one.
    """
    shape = power_geometry(p)
    size = np.abs(w) / float(np.max(np.abs(w)))
    wanted = np.copysign(size ** (p - 1.0), w)
    # of the stages, those that left a row loose by more than this have it inactive
    near = np.flatnonzero(Z @ w <= 1.0 + 1e-3)
    if not near.size:
        return w * unit, multipliers
    try:
        fitted, _ = nnls(Z[near].T, wanted, maxiter=30 * Z.shape[1])
    except RuntimeError:
        return w * unit, multipliers
    others = np.zeros(Z.shape[0])
    others[near] = fitted
    if not others.any():
        return w * unit, multipliers

    def bound(weights: Array) -> float:
        return shape.dual(Z.T @ weights) / float(weights.sum())

    if bound(others) < bound(multipliers):
        multipliers = others
    dual, _ = shape.steepest(Z.T @ multipliers)
    if (Z @ dual).min() / shape.value(dual) > (Z @ w).min() / shape.value(w):
        w = dual
    return w * unit, multipliers


def _center(Z: Array, w: Array, tau: Array, p: float, kappa: float) -> tuple[bool, Array, Array]:
    """Newton's method to the center of the barrier problem; False when rounding stops it."""
    a = 2.0 / p

    def height(w: Array, tau: Array) -> float:
        s = Z @ w - 1.0
        if not (s.min() > 0 and tau.min() > 0):
            return np.inf
        r = tau**a - w * w
        if not r.min() > 0:
            return np.inf
        return kappa * float(tau.sum()) - float(
            np.log(s).sum() + np.log(r).sum() + 2.0 * np.log(tau).sum()
        )

    here = height(w, tau)
    for _ in range(_NEWTON):
        s = Z @ w - 1.0
        top = tau**a
        r = top - w * w
        slope = a * top / tau
        curve = (a - 1.0) * slope / tau
        gw = 2.0 * w / r - Z.T @ (1.0 / s)
        gt = kappa - slope / r - 2.0 / tau
        ww = 2.0 / r + (2.0 * w / r) ** 2
        wt = -2.0 * w * slope / r**2
        tt = -curve / r + (slope / r) ** 2 + 2.0 / tau**2
        # tau is eliminated, entry by entry
        schur = (Z.T * (1.0 / s**2)) @ Z
        schur[np.diag_indices_from(schur)] += ww - wt**2 / tt
        try:
            dw = cho_solve(
                cho_factor(schur, check_finite=False), wt / tt * gt - gw, check_finite=False
            )
        except LinAlgError:
            return False, w, tau
        dt = -(gt + wt * dw) / tt
        decrement = -float(gw @ dw + gt @ dt)
        if not decrement > 1e-9:
            return bool(decrement > -1e-9), w, tau
        step = 1.0
        while not (new := height(w + step * dw, tau + step * dt)) <= here - 0.1 * step * decrement:
            step *= 0.5
            if step < 1e-12:
                # what is left to gain is rounding of the height
                return decrement < 1e-3, w, tau
        w, tau, here = w + step * dw, tau + step * dt, new
    return False, w, tau
