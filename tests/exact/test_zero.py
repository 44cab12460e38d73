"""The zero test: known identities, the same ones slightly wrong, and traps of sign and branch."""

from __future__ import annotations

import itertools
import re

import pytest
import sympy as sp

from theory.errors import DomainError
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import (
    _constant_zero,
    _prove,
    _prove_by_regions,
    is_identity,
    is_zero,
    sample_points,
)

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
grown = (c + x * y) ** (1 / x)
# for L = 3/2 the first power is a square, and the second its root, also where c + 3 z/4 < 0
shrunk = (c + L * (2 - L) * z) ** (1 / (2 - L))
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
    "depth L": (diff(grown, y), grown ** (1 - x)),
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
    "depth L beyond zero": diff(shrunk, z) - L * shrunk ** (L - 1),
    "(x^(1/d))^(1 - d) = x^(1/d)/x": X ** (1 / d) / X - (X ** (1 / d)) ** (1 - d),
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


def arctangents(e: sp.Expr) -> sp.Expr:
    """Zero for e > 0 and pi for e < 0, with a derivative that is zero."""
    return sp.atan(e) + sp.atan(1 / e) - sp.pi / 2


# In `is_zero` a counterexample is looked for first, so that these arguments rarely see what is
# false; they are sound on their own.
NEVER = FALSE | {
    "|x| = x, with a second symbol": sp.Abs(X) - X + 0 * Y + sp.Abs(Y) - Y,
    "|x| = -x": sp.Abs(X) + X,
    "zero at one": x - 1,
    "zero at one, in the last symbol": y - 1,
    "zero at one and at two": (x - 1) * (x - 2) * (2 * x - 1),
    "zero at the origin": z * (z - 1),
    "zero on the diagonal": x - y,
    "constant, and one": arctangents(x) + 1,
    "zero but for the origin, where it is one": 1 - sp.sign(X) ** 2,
    "constant, and not zero": sp.atan(x) + sp.atan(1 / x) - sp.pi / 3,
    "constant on each half line": sp.atan(t) + sp.atan(1 / t) - sp.pi / 2,
    "sign(t) = 1": sp.sign(t) - 1,
    "a derivative that is zero almost everywhere": sp.floor(x),
    "zero on one half line": sqrt(t**2) ** 3 - t**3,
    "cos and its square root": sqrt(sp.cos(t) ** 2) - sp.cos(t),
}


@pytest.mark.parametrize("name", NEVER)
def test_no_argument_proves_what_is_false(name: str) -> None:
    e = NEVER[name]
    symbols = sorted(e.free_symbols, key=lambda s: s.name)
    assert _prove(e, [], depth=0) is None
    assert _constant_zero(e, symbols, [], 0) is None
    for s in symbols:
        if s.is_extended_real and not (s.is_positive or s.is_negative or s.is_nonnegative):
            assert _prove_by_regions(e, s, 0) is None


def test_what_is_infinite_at_zero_claims_nothing_there() -> None:
    for sign in (1, -1):
        e = sign * sp.loggamma(sp.Abs(X)) * (sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1)
        assert e.xreplace({X: sp.S.Zero}).has(sp.oo, -sp.oo)
        assert _prove_by_regions(e, X, 0) == "region by region in the sign of X"


def test_a_constant_that_is_one_is_no_zero() -> None:
    assert _constant_zero(sp.sin(X) ** 2 + sp.cos(X) ** 2, [X], [], 0) is None


def test_text_is_no_expression() -> None:
    with pytest.raises(sp.SympifyError):
        is_zero("x - x")


NORMAL = "normal form"
NORM = "norm over the conjugates of the square roots"
CONNECTED = "near a point, and both sides are analytic on the connected domain"
GRADIENT = "zero gradient on a connected domain, and an exact zero at"
REGIONS = "region by region in the sign of"
SAME = "both sides are the same expression"
m = sp.Symbol("m", negative=True)
Z = sp.Symbol("Z", real=True, nonzero=True)


METHODS = [
    (X - X, SAME),
    (sp.sinh(2 * t) - 2 * sp.sinh(t) * sp.cosh(t), NORMAL),
    (sqrt(5 + 2 * sqrt(6)) - sqrt(2) - sqrt(3), NORM),
    (sqrt(y + 2) + sqrt(y) - sqrt(2 * y + 2 + 2 * sqrt(y**2 + 2 * y)), f"{NORM} {CONNECTED}"),
    (2 * sp.atan(exp(t)) - sp.pi / 2 - sp.atan(sp.sinh(t)), f"{GRADIENT} t = 0"),
    (arctangents(x), f"{GRADIENT} x = 1"),
    # the sum of two arctangents is known where both arguments are 1
    (arctangents(x / 2), f"{GRADIENT} x = 2"),
    (arctangents(2 * x), f"{GRADIENT} x = 1/2"),
    (arctangents(x / y / 2), f"{GRADIENT} x = 1, y = 1/2"),
    (arctangents(4 * x * y), f"{GRADIENT} x = 1/2, y = 1/2"),
    (log(Z**2) - 2 * log(sp.Abs(Z)), f"{REGIONS} Z"),
    (log(t**2) - 2 * log(sp.Abs(t)), f"{REGIONS} t"),
    (sp.acosh(sp.cosh(X)) - sp.Abs(X), f"{REGIONS} X"),
    (sp.Max(X, -X) - sp.Abs(X), f"{REGIONS} X"),
]


@pytest.mark.parametrize(("e", "method"), METHODS, ids=lambda v: str(v)[:40])
def test_the_verdict_names_its_argument(e: sp.Expr, method: str) -> None:
    assert is_zero(e) == Verdict(Status.PROVED, method)


def test_zero_gradient_works_for_negative_symbols() -> None:
    e = sp.atan(m) + sp.atan(1 / m) + sp.pi / 2
    assert _constant_zero(e, [m], [], 0) == f"{GRADIENT} m = -1"
    e = e.xreplace({m: 2 * m})
    assert _constant_zero(e, [m], [], 0) == f"{GRADIENT} m = -1/2"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_counterexample_is_found_in_each_orthant(count: int) -> None:
    symbols = sp.symbols(f"k:{count}", real=True)
    for signs in itertools.product((1, -1), repeat=count):
        # zero everywhere else
        e = sp.prod(sp.Abs(s) + sign * s for s, sign in zip(symbols, signs, strict=True))
        verdict = is_zero(e)
        assert verdict.refuted
        found = [sp.sign(sp.Rational(verdict.witness[s.name])) for s in symbols]
        assert found == list(signs)


@pytest.mark.parametrize(
    ("e", "low", "high"),
    [
        (sqrt(R(1, 20) - x) - sqrt(R(1, 20)) + x, 0, R(1, 20)),
        (sqrt(x - 12) - x + 12, 12, sp.oo),
        (sp.asin(x - 2) - x + 2, 1, 3),
    ],
)
def test_a_counterexample_is_found_where_the_sides_are_defined(
    e: sp.Expr, low: sp.Expr, high: sp.Expr
) -> None:
    verdict = is_zero(e)
    assert verdict.refuted
    assert low <= sp.Rational(verdict.witness["x"]) <= high


def test_sample_points_fit_the_symbols_and_come_in_three_sizes() -> None:
    s, k = sp.Symbol("s", negative=True), sp.Symbol("k", integer=True, positive=True)
    symbols = [X, Y, x, s, k]
    points = list(itertools.islice(sample_points(symbols), 16))
    assert points == list(itertools.islice(sample_points(symbols, seed=0), 16))
    assert points != list(itertools.islice(sample_points(symbols, seed=1), 16))
    for q in points:
        assert list(q) == symbols
        assert q[x] > 0 > q[s] and q[k] in range(1, 7)
    for i in range(0, 16, 4):
        patterns = {(sp.sign(q[X]), sp.sign(q[Y])) for q in points[i : i + 4]}
        assert patterns == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    moderate, large, small, again = (
        [abs(q[v]) for q in points[i : i + 4] for v in (X, Y, x, s)] for i in range(0, 16, 4)
    )
    assert all(R(1, 10) < v < 3 for v in [*moderate, *again])
    assert all(1 < v < 26 for v in large) and max(large) > 9
    assert all(R(9, 1000) < v < R(1, 4) for v in small) and min(small) < R(1, 10)
    signs = {sp.sign(q[n]) for q in itertools.islice(sample_points([n]), 8)}
    assert signs == {1, -1}
    assert list(itertools.islice(sample_points([]), 2)) == [{}, {}]
    # of more than four symbols, sixteen patterns of each size
    many = list(itertools.islice(sample_points(list(sp.symbols("k:5", real=True))), 17))
    assert max(map(abs, many[15].values())) < 3 < max(map(abs, many[16].values()))


s = sp.Symbol("s", nonnegative=True)
r0, z0 = sp.symbols("r z0", nonpositive=True)


@pytest.mark.parametrize(
    ("e", "witness"),
    [
        (sp.sign(s) - 1, {"s": "0"}),
        (sp.sign(r0) + 1, {"r": "0"}),
        (sp.Integer(0) ** s, {"s": "0"}),
        (sp.sign(s) * sp.sign(r0) + 1, {"r": None, "s": "0"}),
        (sp.sign(s) + sp.cos(X) ** 2 + sp.sin(X) ** 2 - 2, {"X": None, "s": "0"}),
    ],
)
def test_a_closed_end_can_be_the_only_counterexample(
    e: sp.Expr, witness: dict[str, str | None]
) -> None:
    verdict = is_zero(e)
    assert verdict.refuted
    assert list(verdict.witness) == list(witness)
    for name, value in witness.items():
        assert value is None or verdict.witness[name] == value
        assert sp.Rational(verdict.witness[name]).is_Rational


@pytest.mark.parametrize(
    "e",
    [
        sp.Abs(s) - s,
        sp.Abs(r0) + r0,
        sqrt(s**2 + 2 * s * x + x**2) - s - x,
        sqrt(s**4 * r0**2) + s**2 * r0,
        # no value at the end
        log(s**2) - 2 * log(s),
        log(s) * (sp.cos(X) ** 2 + sp.sin(X) ** 2 - 1),
        log(s * x) - log(s) - log(x),
    ],
    ids=str,
)
def test_identity_on_a_closed_half_line(e: sp.Expr) -> None:
    assert is_zero(e).proved


def test_the_witness_of_a_closed_half_line_is_on_it() -> None:
    assert sp.Rational(is_zero(sp.sin(s) - s).witness["s"]) > 0
    assert sp.Rational(is_zero(sp.sin(r0) - r0).witness["r"]) < 0
    edge = R(1, 20)
    narrow = is_zero(sqrt(edge - s) - sqrt(edge) + s)
    assert narrow.refuted and 0 < sp.Rational(narrow.witness["s"]) <= edge


def test_an_end_that_is_left_open_leaves_the_whole_open() -> None:
    # zero for s > 0; at s = 0 a number that only many digits tell from zero
    tiny = sp.gamma(R(4, 3)) - sp.gamma(R(1, 3)) / 3
    e = (1 - sp.sign(s)) * (tiny if tiny != 0 else sp.S.One)
    assert not is_zero(e).proved


@pytest.mark.parametrize(
    ("e", "interval"),
    [
        (sp.Abs(X) - X, (-3, -1)),
        (sp.Abs(X) - X, (-sp.oo, R(-5, 2))),
        (sp.Abs(X) + X, (R(7, 2), sp.oo)),
        (sp.sin(X) - X, (R(1, 3), R(1, 2))),
        (sp.sin(m) - m, (-2, 0)),
    ],
)
def test_the_witness_is_inside_of_the_interval(e: sp.Expr, interval: tuple[object, ...]) -> None:
    (v,) = e.free_symbols
    verdict = is_zero(e, {v: tuple(map(sp.sympify, interval))})
    assert verdict.refuted
    value = sp.Rational(verdict.witness[v.name])
    assert interval[0] < value < interval[1]
    assert abs(e.subs(v, value).evalf()) > R(1, 1000)


@pytest.mark.parametrize(
    "e",
    [
        # sign(s) is 1 inside, and s is gone
        sp.sign(s) * X + 1,
        sp.sign(s) * log(X - 5) + 1,
        sp.sign(s) * sp.sign(r0) + 1,
        sp.sign(r0) * log(-r0 - 2) + sp.sign(s) * log(s - 2) + 5,
        sp.sign(s) * log(5 - s) * Y + X + 1,
        # zero inside; at s = 0 one, without the other symbol, which must be negative, or above 5
        sp.sign(s) * (sp.sin(z0) ** 2 + sp.cos(z0) ** 2 - 1) + 1 - sp.sign(s),
        sp.sign(s) * (log((X - 5) ** 2) - 2 * log(X - 5)) + 1 - sp.sign(s),
    ],
    ids=str,
)
def test_a_symbol_that_cancels_inside_still_has_a_value_in_the_witness(e: sp.Expr) -> None:
    verdict = is_zero(e)
    assert verdict.refuted
    point = {v: sp.Rational(verdict.witness[v.name]) for v in e.free_symbols}
    assert all(q >= 0 for v, q in point.items() if v.is_nonnegative)
    assert all(q <= 0 for v, q in point.items() if v.is_nonpositive)
    value = e.subs(point).evalf()
    assert value.is_real and abs(value) > R(1, 100)


def test_a_difference_at_points_without_a_value_refutes_nothing() -> None:
    # at s = 0 SymPy drops the arcsine, which has no value for any X
    with pytest.raises(DomainError, match="no real value"):
        is_zero(sp.sign(s) * sp.asin(2 + X**2) + 1)
    assert is_zero(sp.sign(s) * sp.zeta(X) + 1 - sp.zeta(X)).undecided


def test_the_value_at_the_counterexample_is_part_of_the_verdict() -> None:
    assert is_zero(sqrt(2) - R(7, 5)) == Verdict(
        Status.REFUTED,
        "the difference is 0.01421356237 there, enclosed away from zero",
        witness={},
    )
    tiny = is_zero(sp.pi - R(sp.pi.evalf(400)))
    assert tiny.refuted and re.search(r"is -?\d\.\d+e-40\d there, enclosed away", tiny.method)


TRIED = "normal form, norm over conjugates, derivative"
recursion = sp.gamma(x + 1) - x * sp.gamma(x)


def test_without_a_proof_the_digits_of_support_are_counted() -> None:
    # bits*log10(2) digits behind the point, less those of Gamma(27), which is 4e26
    for bits in (256, 512, 1024, 2048):
        verdict = is_zero(recursion, bits=bits)
        assert (verdict.status, verdict.method) == (Status.UNDECIDED, f"tried {TRIED}")
        assert bits * 0.30103 - 32 < verdict.digits < bits * 0.30103
    assert is_zero(recursion).digits == is_zero(recursion, bits=2048).digits
    assert is_zero(recursion, bits=4095).digits == is_zero(recursion, bits=2048).digits
    # a factor of 10**20 is twenty digits
    less = is_zero(10**20 * recursion, bits=512)
    assert less.undecided and less.digits == is_zero(recursion, bits=512).digits - 20
    assert is_zero(10**400 * recursion, bits=512).digits == 0


def test_a_difference_far_behind_the_point_is_found_or_left_open() -> None:
    e = recursion + R(1, 10**400)
    assert is_zero(e).refuted
    left = is_zero(e, bits=1024)
    assert left.undecided and 270 < left.digits < 310


def test_a_function_without_balls_is_left_open_with_the_reason() -> None:
    verdict = is_zero(sp.zeta(x) - sp.zeta(2 * x))
    assert verdict.undecided and verdict.digits == 0
    assert verdict.method == f"tried No ball arithmetic for the function zeta.; {TRIED}"
    assert is_zero(sp.zeta(x) * (sp.cos(x) ** 2 + sp.sin(x) ** 2) - sp.zeta(x)).proved


def test_no_time_is_no_proof() -> None:
    e = sp.tan(X / 2) - (1 - sp.cos(X)) / sp.sin(X)
    assert is_zero(e).proved
    assert is_zero(e, seconds=-1).undecided


@pytest.mark.parametrize("e", [sp.nan, sp.oo, -sp.oo, sp.zoo, x + sp.oo, x * sp.zoo, -sp.oo * x])
def test_what_is_not_finite_is_an_error(e: sp.Expr) -> None:
    with pytest.raises(DomainError, match=re.escape(f"The expression {e} is not finite.")):
        is_zero(e)


@pytest.mark.parametrize("e", [log(-1 - X**2), sp.asin(2 + X**2) - x, sqrt(-2 - sp.pi)])
def test_what_has_no_real_value_is_an_error(e: sp.Expr) -> None:
    message = f"The expression {e} has no real value at tested points."
    with pytest.raises(DomainError, match=re.escape(message)):
        is_zero(e)
