r"""Quadratic formulas: the dual curve solves a linear ODE.

For $\rho(\theta) = \tfrac12\theta^TQ\theta + b^T\theta + a$ the curve is $d\theta/d\xi = P(Q\theta
+ b)$. The matrix N = PQ is similar to a symmetric one, so it has real eigenvalues and no Jordan
blocks, and $e^{N\xi} = \sum_i e^{\lambda_i\xi}\prod_{j\ne i}(N - \lambda_j)/(\lambda_i -
\lambda_j)$ over the distinct eigenvalues (Sylvester). The solution is proved by putting it back.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero
from theory.flow.parametrization import Elementwise

__all__ = ["linear_curve"]

_MOST = 6


def linear_curve(
    rho: Elementwise, start: Mapping[sp.Symbol, sp.Expr], xi: sp.Symbol
) -> tuple[tuple[sp.Expr, ...], Certificate] | None:
    r"""$\theta(\xi)$ of a quadratic formula with its proof, or None.

    Parameters
    ----------
    rho : Elementwise
    start : mapping from parameter to its start
    xi : sympy.Symbol

    Examples
    --------
    >>> rho = Elementwise("u*v", "u, v")
    >>> u, v = rho.parameters
    >>> xi = sp.Symbol("xi", real=True)
    >>> linear_curve(rho, {u: sp.Integer(2), v: sp.Integer(0)}, xi)[0]
    (exp(xi) + exp(-xi), exp(xi) - exp(-xi))
    """
    theta = rho.parameters
    if len(theta) > _MOST or any(s.is_nonnegative or s.is_nonpositive for s in theta):
        return None
    if set(rho.ranges) & set(theta) or not rho.formula.is_polynomial(*theta):
        # a curve that may leave the domain needs to know where
        return None
    polynomial = sp.Poly(rho.formula, *theta)
    if polynomial.total_degree() != 2:
        return None
    rates = sp.diag(*rho.rates)
    origin = dict.fromkeys(theta, sp.S.Zero)
    gradient = sp.Matrix([sp.expand(sp.diff(rho.formula, s)) for s in theta])
    N = (rates * sp.Matrix([[sp.diff(g, s) for s in theta] for g in gradient])).applyfunc(sp.expand)
    drift = rates * gradient.xreplace(origin)
    values = _eigenvalues(N)
    if values is None:
        return None
    theta0 = sp.Matrix([start[s] for s in theta])
    if any(drift):
        center = _rest_point(N, drift)
        if center is None:
            return None
    else:
        center = sp.zeros(len(theta), 1)
    path = center
    for i, here in enumerate(values):
        part = theta0 - center
        for j, other in enumerate(values):
            if j != i:
                part = (N * part - other * part) / (here - other)
        path = path + sp.exp(here * xi) * part.applyfunc(sp.factor_terms)
    path = path.applyfunc(sp.expand_mul)
    verdicts = [
        is_zero(e)
        for e in map(
            sp.expand, (*(sp.diff(path, xi) - N * path - drift), *(path.subs(xi, 0) - theta0))
        )
    ]
    if not all(v.proved for v in verdicts):
        return None
    claim = "theta' = P grad rho(theta) along the linear curve, from the start"
    return tuple(path), Certificate(claim, verdicts[0], "eigenvalues of a quadratic formula")


def _eigenvalues(N: sp.Matrix) -> list[sp.Expr] | None:
    """Distinct eigenvalues, where the characteristic polynomial factors into quadratics."""
    characteristic = N.charpoly()
    t = characteristic.gen
    found: list[sp.Expr] = []
    for factor, _ in sp.factor_list(characteristic.as_expr(), t)[1]:
        degree = sp.degree(factor, t)
        if degree == 0:
            continue
        if degree > 2:
            return None
        for root in sp.roots(sp.Poly(factor, t)):
            root = sp.sqrtdenest(root)
            if root.is_real is not True:
                return None
            found.append(root)
    return sorted(found, key=sp.default_sort_key)


def _rest_point(N: sp.Matrix, drift: sp.Matrix) -> sp.Matrix | None:
    """The point c with N c + P b = 0."""
    if sp.expand(N.det()) == 0:
        return None
    return (-N.LUsolve(drift)).applyfunc(sp.cancel)
