"""The zero test: known identities, the same ones slightly wrong, and traps of sign and branch."""

from __future__ import annotations

import pytest
import sympy as sp

from theory.exact.verdict import Status
from theory.exact.zero import is_identity, is_zero

x, y, r = sp.symbols("x y rho", positive=True)
X, z, t, Y = sp.symbols("X z t Y", real=True)
a, d, eta = sp.symbols("alpha delta eta", positive=True)
U, V, L, c = sp.symbols("U V L c", positive=True)
n = sp.Symbol("n", integer=True)
sqrt, log, exp, diff, R = sp.sqrt, sp.log, sp.exp, sp.diff, sp.Rational

w = sp.symbols("w1:4", positive=True)
square = sum(q**2 for q in w)
dual = [q / sqrt(square) * exp(square / (2 * eta)) for q in w]
logits = sp.symbols("u1:5", real=True)
total = sum(exp(q) for q in logits)
share = [exp(q) / total for q in logits]
entropy = X * sp.asinh(X / (2 * a**2)) - sqrt(X**2 + 4 * a**4)
logistic = 1 / (1 + exp(-t))
S = (d + sqrt(d**2 + 4 * r**2)) / 2
grown = (c + L * (2 - L) * z) ** (1 / (2 - L))
W = t + sqrt(t**2 + 1)
weight = sp.LambertW(x)

IDENTITIES = {
    "hyperbolic entropy, first derivative": (diff(entropy, X), sp.asinh(X / (2 * a**2))),
    "hyperbolic entropy, second derivative": (diff(entropy, X, 2), 1 / sqrt(X**2 + 4 * a**4)),
    "balancedness": ((U + V) ** 2 * (U - V), (U**2 - V**2) * (U + V)),
    "law of cubes": (diff(1 / U, U) * 3 * U**2, diff(1 / V, V) * 3 * V**2),
    "law of powers": (
        diff(U ** (2 - L), U) * L * U ** (L - 1),
        diff(V ** (2 - L), V) * L * V ** (L - 1),
    ),
    "sum from difference and product": (sqrt((U**2 - V**2) ** 2 + 4 * U**2 * V**2), U**2 + V**2),
    "asinh is a logarithm of a ratio": (sp.asinh((U**2 - V**2) / (2 * U * V)), log(U / V)),
    "Fenchel": (2 * a**2 * sp.cosh(sp.asinh(X / (2 * a**2))), sqrt(X**2 + 4 * a**4)),
    "Kullback-Leibler": (
        x * log(x) - y * log(y) - (log(y) + 1) * (x - y),
        x * log(x / y) - x + y,
    ),
    "Itakura-Saito": (-log(x) + log(y) + (x - y) / y, x / y - log(x / y) - 1),
    "odds of the logistic": (log(logistic / (1 - logistic)), t),
    "dual time of tanh": (diff(t / 2 + sp.sinh(2 * t) / 4, t) * diff(sp.tanh(t), t), sp.S.One),
    "derivative of gd": (diff(2 * sp.atan(sp.tanh(t / 2)), t), 1 / sp.cosh(t)),
    "value of gd": (2 * sp.atan(exp(t)) - sp.pi / 2, sp.atan(sp.sinh(t))),
    "curl of weight normalization": (diff(dual[0], w[1]), diff(dual[1], w[0])),
    "two layers": (diff(sqrt(S - d), r) / sqrt(S - d), S / ((2 * S - d) * r)),
    "depth L": (diff(grown, z), L * grown ** (L - 1)),
    "denesting": (sqrt(y + 2) + sqrt(y), sqrt(2 * y + 2 + 2 * sqrt(y**2 + 2 * y))),
    "dual time of u sqrt(1 + u^2)": (
        diff(log(W) / 2 + sp.atan(W**2) / 2, t) * diff(t * sqrt(1 + t**2), t),
        sp.S.One,
    ),
    "dual time of erf": (diff(sp.pi * sp.erfi(t) / 4, t) * diff(sp.erf(t), t), sp.S.One),
    "sinh of five": (sp.sinh(5 * z), 16 * sp.sinh(z) ** 5 + 20 * sp.sinh(z) ** 3 + 5 * sp.sinh(z)),
    "entropy of softmax": (
        sum(p * log(p) for p in share),
        sum(p * q for p, q in zip(share, logits, strict=True)) - log(total),
    ),
    "primitive of Lambert's function": (diff(x * (weight - 1 + 1 / weight), x), weight),
    "softmax is invariant": (sum(diff(share[0], q) for q in logits), sp.S.Zero),
    "atan of the reciprocal": (sp.atan(x) + sp.atan(1 / x), sp.pi / 2),
    "dual time of tan": (diff(t / 2 + sp.sin(2 * t) / 4, t) * diff(sp.tan(t), t), sp.S.One),
    "asinh is odd": (sp.asinh(X), -sp.asinh(-X)),
    "conjugate logarithms": (
        log((X + sqrt(X**2 + 4 * a**4)) / (2 * a**2)),
        -log((-X + sqrt(X**2 + 4 * a**4)) / (2 * a**2)),
    ),
}
SIZES = {"1e-6": R(1, 10**6), "1e-30": R(1, 10**30), "1e-300": R(1, 10**300)}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_is_proved(name: str) -> None:
    assert is_identity(*IDENTITIES[name]).status is Status.PROVED


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_with_a_small_error_is_not_proved(name: str, size: str) -> None:
    left, right = IDENTITIES[name]
    s = min(left.free_symbols | {X}, key=str)
    assert not is_identity(left + SIZES[size] * (1 + s**2), right).proved


@pytest.mark.parametrize("name", IDENTITIES)
def test_identity_off_by_a_seventh_is_refuted_at_a_point(name: str) -> None:
    left, right = IDENTITIES[name]
    verdict = is_identity(left + sp.S.One / 7, right)
    assert verdict.refuted
    assert set(verdict.witness) <= {s.name for s in left.free_symbols | right.free_symbols}


FALSE = {
    "sqrt(x^2 + 2x + 1) = x + 1": sqrt(X**2 + 2 * X + 1) - X - 1,
    "sqrt(x^2) = x": sqrt(X**2) - X,
    "log(x^2) = 2 log x is a matter of the domain": log(X**2) - 2 * log(sp.Abs(X)) + sp.sign(X) - 1,
    "acosh(cosh x) = x": sp.acosh(sp.cosh(X)) - X,
    "atan x + atan 1/x = pi/2": sp.atan(X) + sp.atan(1 / X) - sp.pi / 2,
    "asin(sin x) = x": sp.asin(sp.sin(X)) - X,
    "atan(tan x) = x": sp.atan(sp.tan(X)) - X,
    "sqrt(1 - sin^2) = cos": sqrt(1 - sp.sin(X) ** 2) - sp.cos(X),
    "W(x e^x) = x": sp.LambertW(X * exp(X)) - X,
    "2 atan x = atan(2x/(1-x^2))": 2 * sp.atan(X) - sp.atan(2 * X / (1 - X**2)),
    "atan x + atan y": sp.atan(X) + sp.atan(Y) - sp.atan((X + Y) / (1 - X * Y)),
    "2 asin x": 2 * sp.asin(X) - sp.asin(2 * X * sqrt(1 - X**2)),
    "sqrt((x - y)^2) = x - y": sqrt((x - y) ** 2) - x + y,
    "sqrt(x - 2 sqrt(x) + 1) = sqrt(x) - 1": sqrt(x - 2 * sqrt(x) + 1) - sqrt(x) + 1,
    "x^(2n) root": sqrt(X ** (2 * n)) - X**n,
    "(x^2)^(n/2) = x^n": (X**2) ** (n / 2) - X**n,
    "triangular exponent": (X**2) ** (n * (n + 1) / 4) - X ** (n * (n + 1) / 2),
    "|x|^n = x^n": sp.Abs(X) ** n - X**n,
    "sign^2 = 1": sp.sign(X) ** 2 - 1,
    "sign of a hidden zero is -1": sp.sign(sp.sin(X) ** 2 + sp.cos(X) ** 2 - 1) + 1,
    "sign of a hidden zero is 1": sp.sign(sp.sin(X) ** 2 + sp.cos(X) ** 2 - 1) - 1,
    "sign of a nonnegative symbol is 1": sp.sign(sp.Symbol("s", nonnegative=True)) - 1,
    "zero to a nonnegative power is 0": sp.Integer(0) ** sp.Symbol("s", nonnegative=True),
    "|x| = x": sp.Abs(X) - X,
    "|x - 1e-6| = x - 1e-6 on the half line": sp.Abs(x - R(1, 10**6)) - x + R(1, 10**6),
    "|x - 1e9| = 1e9 - x on the half line": sp.Abs(x - 10**9) + x - 10**9,
    "cosh above a shifted one": sp.Abs(sp.cosh(X) - 1 - R(1, 10**6)) - sp.cosh(X) + 1 + R(1, 10**6),
    "sqrt(log^2) = log": sqrt(log(x) ** 2) - log(x),
    "tan x/2 by a root": sp.tan(X / 2) - sqrt((1 - sp.cos(X)) / (1 + sp.cos(X))),
    "two roots": sqrt(5 - 2 * sqrt(6)) - sqrt(2) + sqrt(3),
    "pi to 400 digits": sp.pi - R(sp.pi.evalf(400)),
    "heptagon, off by 1e-40": sp.cos(sp.pi / 7) - sp.cos(2 * sp.pi / 7) + sp.cos(3 * sp.pi / 7)
    - R(1, 2) - R(1, 10**40),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_identity_is_never_proved(name: str) -> None:
    assert not is_zero(FALSE[name]).proved


TRUE = {
    "sqrt(x^2) = |x|": sqrt(X**2) - sp.Abs(X),
    "log(x^2) = 2 log|x|": log(X**2) - 2 * log(sp.Abs(X)),
    "acosh(cosh x) = |x|": sp.acosh(sp.cosh(X)) - sp.Abs(X),
    "sqrt(x^4) = x^2": sqrt(X**4) - X**2,
    "x^(2n) root of a positive": sqrt(x ** (2 * n)) - x**n,
    "nested roots": sqrt(5 + 2 * sqrt(6)) - sqrt(2) - sqrt(3),
    "tan of the half angle": sp.tan(X / 2) - (1 - sp.cos(X)) / sp.sin(X),
    "cos of four angles": sp.cos(4 * X) - 8 * sp.cos(X) ** 4 + 8 * sp.cos(X) ** 2 - 1,
    "li of exp": sp.li(exp(X)) - sp.Ei(X),
}


@pytest.mark.parametrize("name", TRUE)
def test_identity_of_branches_is_proved(name: str) -> None:
    assert is_zero(TRUE[name]).proved
