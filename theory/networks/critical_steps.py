r"""Why critical points of the regularized square loss are balanced, and their Hessians.

Everything holds for each depth L >= 2 and all sizes: the identities are proved with a symbol for L.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from theory.exact.derivation import RawStep
from theory.exact.verdict import Certificate
from theory.networks.arguments import Depth
from theory.networks.certify import certify_zero
from theory.networks.critical_check import check_inertia
from theory.networks.free_algebra import Letters

__all__ = ["critical_steps"]


def critical_steps(depth: Depth) -> Iterator[RawStep]:
    """The steps for a depth; the identities are those of every depth."""
    x, y, lam, t = sp.symbols("x y lam t", positive=True)
    L = sp.Symbol("L", positive=True)
    above = {L: (sp.S.One, sp.oo)}
    s = x**L + 2 * lam * x ** (2 - L)
    yield (
        "Critical points are balanced",
        ["W_{l+1}^T W_{l+1} = W_l W_l^T for lam > 0"],
        "W_{l+1}^T dLoss/dW_{l+1} - dLoss/dW_l W_l^T is 2*lam times the difference of both sides",
        _balanced(),
    )
    yield (
        "Modes are singular pairs of the target",
        ["M v_i = s_i u_i and M^T u_i = s_i v_i", sp.Eq(sp.Symbol("s"), s, evaluate=False)],
        "in the singular bases of the balanced layers the gradients of the first and of the last "
        "layer are x**(L-1)*(x**L*v_i - M^T u_i) + 2*lam*x*v_i and its mirror image; s > 0 is "
        "x**(2L-2) - s*x**(L-2) + 2*lam = 0",
        certify_zero("g(x) = 0", x ** (2 * L - 2) - s * x ** (L - 2) + 2 * lam, ranges=above),
    )
    # one mode: K = alpha 1 1^T + beta (1 1^T - I) + 2 lam I over the layers
    alpha, beta = x ** (2 * L - 2), (x**L - s) * x ** (L - 2)
    along = L * alpha + (L - 1) * beta + 2 * lam
    stated = L * x ** (2 * L - 2) - 2 * lam * (L - 2)
    g = x ** (2 * L - 2) - t * x ** (L - 2) + 2 * lam
    yield (
        "Curvature along a mode",
        [
            f"present: {stated} = x*g'(x) once, and 4*lam (L - 1 times)",
            "missing: 2*lam for L >= 3, and 2*lam - s, 2*lam + s for L = 2",
        ],
        "the block over the layers is x**(2L-2)*1*1^T + (a - s)*x**(L-2)*(1*1^T - I) + 2*lam*I; "
        "x*g'(x) is positive at the big root and negative at the small one",
        certify_zero(
            "eigenvalues on 1 and on its complement",
            along - stated,
            -beta + 2 * lam - 4 * lam,
            (x * sp.diff(g, x)).xreplace({t: s}) - stated,
            ranges=above,
        ),
    )
    yield (
        "A present mode i and a missing mode k",
        [
            "(s_i - s_k)*x_i**(L-2) and (s_i + s_k)*x_i**(L-2), 4*lam (L - 1 times), and "
            "0 (L - 1 times, the rotations of the hidden layers)"
        ],
        "the form is 2*lam*sum (p_{l+1} - q_l)**2 + (2*lam + x**(2L-2))*(p_1**2 + q_L**2) "
        "- 2*s_k*x**(L-2)*p_1*q_L in the entries p_l = (H_l)_{ik}, q_l = (H_l)_{ki}; it is "
        "negative exactly when the missing singular value is the larger one",
        certify_zero(
            "2 lam + x**(2L-2) +- t x**(L-2) = (s +- t) x**(L-2)",
            2 * lam + alpha + t * x ** (L - 2) - (s + t) * x ** (L - 2),
            2 * lam + alpha - t * x ** (L - 2) - (s - t) * x ** (L - 2),
            ranges=above,
        ),
    )
    yield (
        "Second order of singular values",
        [
            "sigma_1 = a + (a*(p**2 + q**2) + 2*b*p*q)/(2*(a**2 - b**2)), "
            "sigma_2 = b - (b*(p**2 + q**2) + 2*a*p*q)/(2*(a**2 - b**2)) for [[a, p], [q, b]]"
        ],
        "both sides have the same determinant and the same Frobenius norm to second order",
        _perturbation(),
    )
    other = y**L + 2 * lam * y ** (2 - L)
    fa, fb, a, b = 2 * lam * x ** (2 - L), 2 * lam * y ** (2 - L), x**L, y**L
    yield (
        "Two present modes i and k",
        [
            "signs: those of (s_i - s_k)/(a_i - a_k) and (s_i + s_k)/(a_i + a_k), "
            "L - 1 times plus, and L - 1 times zero (the rotations of the hidden layers)"
        ],
        "on the matrices with the same product ||theta||**2 is convex along the geodesics of the "
        "group that acts on the hidden layers, strictly but for its rotations; what is left is the "
        "Hessian of ||A - M||**2/2 + lam*L*sum sigma**(2/L), with f' = 2*lam*sigma**(2/L - 1) the "
        "values 1 + (f'(a) - f'(b))/(a - b) and 1 + (f'(a) + f'(b))/(a + b)",
        certify_zero(
            "1 + (f'(a) -+ f'(b))/(a -+ b) = (s_i -+ s_k)/(a_i -+ a_k)",
            (a - b) + (fa - fb) - (s - other),
            (a + b) + (fa + fb) - (s + other),
            sp.diff(lam * L * t ** (2 / L), t).xreplace({t: a}) - fa,
            ranges=above,
        ),
    )
    yield (
        "Check of whole Hessians",
        ["two modes in order, out of order, and with the larger one missing, for 2 x 2 layers"],
        "second derivatives in all entries at rational critical points, counted by sign",
        check_inertia(2 if depth == 2 else 3),
    )
    if depth == 2:
        conclusion = "Every critical point is a strict saddle or a global minimum."
    else:
        conclusion = (
            "Local minima are the big roots for the k largest singular values, k = 0, ..., "
            "#{s_i > s_c}; the lowest of them has k = #{s_i > s_g}. All others are saddles."
        )
    yield (
        "Classification",
        [conclusion],
        "no block may be negative: no small roots, and no missing value above a present one",
        None,
    )


def _balanced() -> Certificate:
    # W_l = W and W_{l+1} = V with the products S above and P below, and E = A - M
    letters = Letters("S V W P E")
    S, V, W, P, E = (letters[n] for n in "SVWPE")
    T = letters.transpose
    lam = sp.Symbol("lam")
    by_w = T(S * V) * E * T(P) + 2 * lam * W
    by_v = T(S) * E * T(W * P) + 2 * lam * V
    gap = T(V) * by_v - by_w * T(W) - 2 * lam * (T(V) * V - W * T(W))
    return letters.certify("W_{l+1}^T dW_{l+1} - dW_l W_l^T = 2 lam Delta_l", gap)


def _perturbation() -> Certificate:
    a, b, p, q, h = sp.symbols("a b p q h", real=True)
    d1 = (a * (p**2 + q**2) + 2 * b * p * q) / (2 * (a**2 - b**2))
    d2 = -(b * (p**2 + q**2) + 2 * a * p * q) / (2 * (a**2 - b**2))
    first, second = a + h**2 * d1, b + h**2 * d2
    gaps = (
        first * second - (a * b - h**2 * p * q),
        first**2 + second**2 - (a**2 + b**2 + h**2 * (p**2 + q**2)),
    )
    orders = [sp.diff(e, h, n).xreplace({h: sp.S.Zero}) for e in gaps for n in (0, 2)]
    return certify_zero("determinant and norm agree to second order", *orders)
