r"""The signs of whole Hessians at rational critical points, from the entries of the layers alone.

A second route beside the blocks of modes and pairs: the loss is differentiated in every entry, and
the signs of the eigenvalues are those of the coefficients of the characteristic polynomial, by the
rule of Descartes, which is exact for polynomials with real roots only.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import flint
import sympy as sp

from theory.exact.verdict import Certificate, Status, Verdict

__all__ = ["check_inertia", "inertia"]


def inertia(matrix: sp.Matrix) -> tuple[int, int, int]:
    """How many eigenvalues of a symmetric rational matrix are positive, negative and zero.

    Examples
    --------
    >>> inertia(sp.Matrix([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    (1, 1, 1)
    """
    n = matrix.rows
    entries = [flint.fmpq(int(e.p), int(e.q)) for e in matrix]
    coefficients = flint.fmpq_mat(n, n, entries).charpoly().coeffs()
    zero = next(i for i, c in enumerate(coefficients) if c != 0)
    signs = [1 if c > 0 else -1 for c in coefficients if c != 0]
    positive = sum(a != b for a, b in pairwise(signs))
    return positive, n - zero - positive, zero


@lru_cache(maxsize=4)
def check_inertia(depth: int) -> Certificate:
    """Hessians at critical points of two modes: in order, out of order, and with a missing one.

    Parameters
    ----------
    depth : int
        2 or 3.
    """
    lam = sp.Rational(1, 3)
    points = [(sp.Integer(2), sp.S.One), (sp.Integer(2), sp.Rational(1, 4)), (sp.S.One, sp.S.Zero)]
    bad = []
    for x, y in points:
        # s is what makes x critical; the missing value is above the present one
        s = x**depth + 2 * lam * x ** (2 - depth)
        t = y**depth + 2 * lam * y ** (2 - depth) if y else s + 1
        found = inertia(_hessian(depth, (x, y), (s, t), lam))
        if found != _stated(depth, (x, y), (s, t), lam):
            bad.append(f"{found} at x = {x}, {y}")
    claim = f"signs of all {4 * depth} eigenvalues at {len(points)} rational points, L = {depth}"
    if bad:
        return Certificate(claim, Verdict(Status.UNDECIDED, "; ".join(bad)))
    method = "characteristic polynomials in rational numbers and the rule of Descartes"
    return Certificate(claim, Verdict(Status.PROVED, method))


def _hessian(depth: int, x: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...], lam: sp.Expr) -> sp.Matrix:
    layers = [sp.Matrix(2, 2, sp.symbols(f"w{k}_0:4")) for k in range(depth)]
    product = sp.eye(2)
    for w in layers:
        product = w * product
    flat = [e for w in layers for e in w]
    residual = [sp.expand(e) for e in product - sp.diag(*s)]
    at = {e: v for w in layers for e, v in zip(w, (x[0], 0, 0, x[1]), strict=True)}
    loss = sum(e**2 for e in residual) / 2 + lam * sum(e**2 for e in flat)
    slopes = [sp.diff(loss, e) for e in flat]
    if any(g.subs(at) != 0 for g in slopes):
        raise AssertionError("the point is not critical")
    return sp.Matrix([[sp.diff(g, e).subs(at) for e in flat] for g in slopes])


def _stated(
    depth: int, x: tuple[sp.Expr, ...], s: tuple[sp.Expr, ...], lam: sp.Expr
) -> tuple[int, int, int]:
    """What the blocks of the modes and of their pair say."""
    L = depth
    values: list[sp.Expr] = []
    for v, t in zip(x, s, strict=True):
        if v != 0:
            values += [L * v ** (2 * L - 2) - 2 * lam * (L - 2), *[4 * lam] * (L - 1)]
        elif L == 2:
            values += [2 * lam - t, 2 * lam + t]
        else:
            values += [2 * lam] * L
    (a, b), (s1, s2) = (v**L for v in x), s
    if a != 0 and b != 0:
        values += [(s1 - s2) / (a - b), s1 + s2]
    else:
        values += [s1 - s2, s1 + s2]
    values += [sp.S.One] * (L - 1) + [sp.S.Zero] * (L - 1)
    signs = [int(sp.sign(v)) for v in values]
    return signs.count(1), signs.count(-1), signs.count(0)
