r"""S. Azulay et al., "On the implicit bias of initialization shape".

Subtitle: beyond infinitesimal mirror descent.

Recalled (ICML 2021), not quoted: a neuron $x = a\,w$ with the balancedness $\delta = a^2 - |w|^2$
follows a mirror flow after a change of its time, with a potential $q_\delta$ of $\|x\|$; diagonal
networks follow a mirror flow whose shape k depends on scale and shape of the initialization. The
formulas below are typed from memory and derived anew; what is ours is marked so.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import theory as th
from proofs_checks.statement import (
    OURS,
    Outcome,
    Statement,
    all_of,
    bound,
    identities,
    numbers,
    status,
)

RECALLED = "recalled: {}"
A = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 1.0]])
Y = np.array([1.2, 0.4])


def neuron(d: int) -> th.GradientFlow:
    """X = a w with w in R^d."""
    names = [f"w{i + 1}" for i in range(d)]
    return th.GradientFlow(th.Coupled([f"a*{n}" for n in names], ["a", *names]))


def balancedness(d: int) -> Outcome:
    """a^2 - |w|^2 is the law of the flow, whatever the loss and the data, and the only one."""
    laws = neuron(d).conservation_laws()
    if len(laws.found) != 1 or not laws.complete:
        return Outcome("FAILED", str(laws), "one law, and that there is no other", False)
    (law,) = laws.found
    sign = sp.sign(sp.Poly(law, sp.Symbol("a", real=True)).LC())
    typed = "a**2 - " + " - ".join(f"w{i + 1}**2" for i in range(d))
    names = ["a", *(f"w{i + 1}" for i in range(d))]
    return identities([("delta", sign * law, typed)], dict.fromkeys(names, "real"))


def warped(d: int, a: int) -> Outcome:
    """The flow is a time-warped mirror flow with c = a and grad F = w, found blindly."""
    start = {"a": a, **{f"w{i + 1}": 1 for i in range(d)}}
    delta = a**2 - d
    found = neuron(d).structure(start)
    if found.kind != "warped" or found.dual is None:
        return Outcome("FAILED", str(found), "warped, with its dual variable", False)
    square = "+".join(f"w{i + 1}**2" for i in range(d))
    pairs = [("c^2", found.warp**2, f"{square} + ({delta})")]
    pairs += [(f"theta_{i + 1}", e, f"w{i + 1}") for i, e in enumerate(found.dual)]
    return identities(pairs, {f"w{i + 1}": "real" for i in range(d)})


def slopes(d: int) -> Outcome:
    r"""$V_i\log c = w_i/a$, that is c = a, on every leaf at once."""
    found = neuron(d).structure({"a": 2, **{f"w{i + 1}": i + 1 for i in range(d)}}, seconds=0.5)
    if found.kind != "warped" or found.slopes is None:
        return Outcome("FAILED", str(found), "warped", False)
    pairs = [(f"psi_{i + 1}", e, f"w{i + 1}/a") for i, e in enumerate(found.slopes)]
    return identities(pairs, {"a": "positive"} | {f"w{i + 1}": "real" for i in range(d)})


def no_mirror_flow() -> Outcome:
    """Without the change of time it is no mirror flow: the gradient fields do not commute."""
    a, v, w = theta = sp.symbols("a v w", real=True)
    first, second = (sp.Matrix([sp.diff(g, s) for s in theta]) for g in (a * v, a * w))
    gap = second.jacobian(theta) * first - first.jacobian(theta) * second
    return status(th.prove(f"{gap[1]} == 0"), "REFUTED")


# with w = |w| and z = |x| = w sqrt(w^2 + delta)
Z = "w*sqrt(w**2 + delta)"
Q = "(z**2 - delta/2*(delta/2 + sqrt(z**2 + delta**2/4)))*sqrt(sqrt(z**2 + delta**2/4) - delta/2)/z"


def potential() -> Outcome:
    r"""$F = \frac23q_\delta(\|x\|)$ has the slope |w|: the mirror map is w, for every dimension."""
    w, delta = sp.symbols("w delta", positive=True)
    z = w * sp.sqrt(w**2 + delta)
    # both radicands are squares in w
    inner = {"sqrt(z**2 + delta**2/4)": "(w**2 + delta/2)"}
    text = Q
    for old, new in inner.items():
        text = text.replace(old, new)
    q = sp.sympify(text, locals={"w": w, "delta": delta, "z": z})
    slope = sp.diff(q, w) / sp.diff(z, w)
    return identities(
        [
            ("z^2 + delta^2/4", z**2 + delta**2 / 4, "(w**2 + delta/2)**2"),
            ("q", q, "sqrt(w**2 + delta)*(w**2 - delta/2)"),
            ("F'", sp.Rational(2, 3) * slope, "w"),
        ],
        {"w": "positive", "delta": "positive"},
    )


def hessian(d: int) -> Outcome:
    r"""$\nabla^2F\,M = aI$ with $\nabla F = w$: the Jacobian of w by x, times $a^2I + ww^T$."""
    w = sp.symbols(f"w1:{d + 1}", real=True)
    delta = sp.Symbol("delta", positive=True)
    a = sp.sqrt(delta + sum(v**2 for v in w))
    x = sp.Matrix([a * v for v in w])
    # J = dx/dw, so that the claim is M = a J
    M = a**2 * sp.eye(d) + sp.Matrix(w) * sp.Matrix(w).T
    J = x.jacobian(w)
    assume = {v.name: "real" for v in w} | {"delta": "positive"}
    pairs = [
        (f"entry {i + 1}, {j + 1}", M[i, j], f"({a})*({J[i, j]})")
        for i in range(d)
        for j in range(d)
    ]
    return identities(pairs, assume)


def shapes() -> Outcome:
    r"""Balanced, $F = \frac23\|x\|^{3/2}$; for large $\delta$, $\sqrt\delta F' \to \|x\|$."""
    # |w| as a function of z
    slope = "sqrt(sqrt(z**2 + delta**2/4) - delta/2)"
    given = {"z": "positive", "delta": "positive"}
    small = th.limit_is(slope, "delta", 0, "sqrt(z)", assume=given)
    # |x|/(sqrt(delta) |w|)
    ratio = th.limit_is(
        "sqrt(1 + w**2/delta)", "delta", "oo", "1", assume={"w": "positive", "delta": "positive"}
    )
    return all_of([status(small, "PROVED"), status(ratio, "PROVED")])


def limit_minimizes(a0: float) -> Outcome:
    """The end of the trajectory minimizes F(z) - <w0, z> over Az = y, by another solver."""
    w0 = np.array([0.3, -0.2, 0.5])
    delta = a0**2 - w0 @ w0

    def field(_: float, theta: np.ndarray) -> np.ndarray:
        a, w = theta[0], theta[1:]
        h = A.T @ (A @ (a * w) - Y)
        return np.concatenate([[-w @ h], -a * h])

    run = solve_ivp(field, (0, 400), [a0, *w0], method="LSODA", rtol=1e-11, atol=1e-13)
    end = run.y[0, -1] * run.y[1:, -1]

    def value(z: np.ndarray) -> float:
        size = np.sqrt(z @ z)
        root = np.sqrt(size**2 + delta**2 / 4)
        # |w|^2, by the form that does not cancel
        square = size**2 / (root + delta / 2) if delta > 0 else root - delta / 2
        return float(2 / 3 * np.sqrt(square + delta) * (square - delta / 2) - w0 @ z)

    best = minimize(
        value, np.linalg.pinv(A) @ Y, method="SLSQP",
        constraints={"type": "eq", "fun": lambda z: A @ z - Y, "jac": lambda _: A},
        options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    drift = abs(run.y[0, -1] ** 2 - run.y[1:, -1] @ run.y[1:, -1] - delta)
    return all_of([numbers(end, best.x, atol=2e-6), bound(float(drift), 1e-8, "drift of delta")])


def stuck() -> Outcome:
    """Dropped, a != 0: where the outer weight vanishes x moves along w only, and c is zero."""
    try:
        found = neuron(2).structure({"a": 0, "w1": 1, "w2": 2})
    except th.TheoryError as error:
        return Outcome("REFUTED", str(error), "refused", "full rank" in str(error))
    return Outcome("FAILED", str(found), "refused", False)


def two_neurons() -> Outcome:
    """Dropped, one neuron: for x = a v + b w no potential and no warp exists."""
    model = th.Coupled(["a*v1 + b*w1", "a*v2 + b*w2"], "a, v1, v2, b, w1, w2")
    start = {"a": 1, "v1": 2, "v2": 1, "b": 2, "w1": 1, "w2": 3}
    found = th.GradientFlow(model).structure(start)
    ok = found.kind == "none" and found.verdict.refuted
    return Outcome("REFUTED" if ok else "FAILED", found.verdict.method, "none", ok)


def side_by_side() -> Outcome:
    """Dropped, one clock: two neurons for two blocks of x would each need a warp of their own."""
    model = th.Coupled(["a*v1", "a*v2", "b*w1", "b*w2"], "a, v1, v2, b, w1, w2")
    start = {"a": 1, "v1": 2, "v2": 1, "b": 2, "w1": 1, "w2": 3}
    found = th.GradientFlow(model).structure(start)
    ok = found.kind == "none" and found.verdict.refuted
    return Outcome("REFUTED" if ok else "FAILED", found.verdict.method, "none", ok)


# -- diagonal networks -----------------------------------------------------------------------------


def metric_along(formula: str, start: dict[str, sp.Symbol]) -> tuple[sp.Expr, sp.Expr, str]:
    """Squared metric and x on the dual curve, in its parameter, and the name of the latter."""
    curve = th.GradientFlow(th.Elementwise(formula, list(start))).mirror(start=start).parametric
    M = sp.diff(curve.x, curve.s) / curve.rate
    return M**2, curve.x, curve.s.name


def unequal_product() -> Outcome:
    r"""$x = uv$ from $(\alpha, \beta)$: $1/F'' = \sqrt{4x^2 + (\alpha^2 - \beta^2)^2}$."""
    alpha, beta = sp.symbols("alpha beta", positive=True)
    square, x, s = metric_along("u*v", {"u": alpha, "v": beta})
    assume = {"alpha": "positive", "beta": "positive", s: "real"}
    return identities([("M^2", square, f"4*({x})**2 + (alpha**2 - beta**2)**2")], assume)


def shape() -> Outcome:
    r"""$x = uv - pq$ from $(\alpha, \beta)$ twice: $F' = \frac12\mathrm{arcsinh}(2x/k)$.

    That is $1/F'' = \sqrt{4x^2 + k^2}$ with the shape $k = 2(\alpha^2 + \beta^2)$: only this sum
    matters. Rotated by 45 degrees, $uv = (a^2 - b^2)/2$ and $\alpha^2 + \beta^2 = m^2 + n^2$.
    """
    m, n = sp.symbols("m n", positive=True)
    square, x, s = metric_along("(a**2 - b**2 - c**2 + d**2)/2", {"a": m, "b": n, "c": m, "d": n})
    assume = {"m": "positive", "n": "positive", s: "real"}
    size, k = XK
    slope = sp.diff(sp.asinh(2 * size / k) / 2, size)
    given = {"x": "real", "k": "positive"}
    return all_of(
        [
            identities([("M^2", square, f"4*({x})**2 + 4*(m**2 + n**2)**2")], assume),
            identities([("F''", slope, "1/sqrt(4*x**2 + k**2)")], given),
        ]
    )


def shape_limits() -> Outcome:
    r"""With y = 2x/k: $kF' \to x$ for y to 0, an l2 norm; $2F' \approx \log 2y$ for large y, l1."""
    given = {"y": "positive"}
    return all_of(
        [
            status(th.limit_is("asinh(y)/y", "y", 0, "1", assume=given), "PROVED"),
            identities([("asinh", "asinh(y)", "log(y + sqrt(y**2 + 1))")], given),
            status(th.prove("y + sqrt(y**2 + 1) > 2*y", assume=given), "PROVED"),
            status(th.prove("y + sqrt(y**2 + 1) < 2*y + 1", assume=given), "PROVED"),
        ]
    )


XK = (sp.Symbol("x", real=True), sp.Symbol("k", positive=True))
NEURON = ("one neuron", "a > 0")


def statements() -> list[Statement]:
    """Every statement of this file."""
    bias, diagonal = RECALLED.format("q_delta"), RECALLED.format("shape k")
    out = [
        Statement(f"balancedness, d = {d}", RECALLED.format("delta"), (), partial(balancedness, d))
        for d in (2, 3, 5)
    ]
    out += [
        Statement(f"time-warped, d = {d}, a0 = {a}", bias, NEURON, partial(warped, d, a))
        for d, a in ((2, 2), (2, 1))
    ]
    out += [
        Statement("time-warped on every leaf, d = 3", bias, NEURON, partial(slopes, 3)),
        Statement("time-warped on every leaf, d = 4", bias, NEURON, partial(slopes, 4)),
        Statement("no mirror flow in its own time", bias, NEURON, no_mirror_flow),
        Statement("potential q_delta", bias, (*NEURON, "delta > 0"), potential),
    ]
    out += [
        Statement(f"Hessian of the potential, d = {d}", OURS, NEURON, partial(hessian, d))
        for d in (2, 3)
    ]
    out += [
        Statement("small and large delta", bias, NEURON, shapes),
        Statement("limit = argmin, delta > 0", bias, NEURON, partial(limit_minimizes, 1.0)),
        Statement("limit = argmin, delta < 0", bias, NEURON, partial(limit_minimizes, 0.3)),
        Statement("dropped: a = 0", OURS, ("one neuron",), stuck),
        Statement("dropped: two neurons", OURS, ("a > 0",), two_neurons),
        Statement("dropped: two blocks", OURS, ("a > 0",), side_by_side),
        Statement("diagonal, unequal factors", diagonal, ("x = u v",), unequal_product),
        Statement("diagonal, shape of the start", diagonal, ("x0 = 0",), shape),
        Statement("diagonal, limits of the shape", diagonal, ("x0 = 0",), shape_limits),
    ]
    return out
