r"""N. Tsilivis, G. Vardi, J. Kempe, "Flavors of Margin", ICLR 2025 (arXiv:2410.22069).

Implicit bias of steepest descent in homogeneous neural networks. The abstract says that an
algorithm-dependent geometric margin starts to increase once the training accuracy is perfect, that
a generalized notion of stationarity is approached, with a Bregman divergence that measures the
distance to it, and it connects Adam to the family. The exact arrangement of the statements, all
proofs, and all figures here are ours; the figures were measured first by another program.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import sympy as sp

import theory as th
from proofs_checks.derived import exactly, fails, holds, refused
from proofs_checks.statement import OURS, Outcome, Statement, all_of, bound, identities, numbers

ABSTRACT = "abstract; statement ours"
POSITIVE = dict.fromkeys(("u", "R", "G", "s", "ell", "gamma_0", "q_min", "q", "m", "L"), "positive")
RUNS_ARE_TESTED = "the tests of margins make the same runs"
networks, norms, optimizers = th.networks, th.norms, th.optimizers


def growth() -> Outcome:
    """d/dt log(soft margin) >= s (G/(ell u) - L/R) >= 0."""
    found = networks.margin_growth()
    pairs = [
        ("soft margin", found.soft_margin, "u/R**L"),
        ("rate", found.rate, "s*(G/(ell*u) - L/R)"),
    ]
    return all_of([identities(pairs, POSITIVE), holds(found)])


def rates() -> Outcome:
    """-d ell/dt >= L^2 gamma_0^(2/L) ell^2 u^(2 - 2/L)."""
    found = networks.margin_rates()
    stated = "L**2*gamma_0**(2/L)*ell**2*u**(2 - 2/L)"
    return all_of(
        [identities([("speed of the loss", found.loss_speed, stated)], POSITIVE), holds(found)]
    )


def aligned() -> Outcome:
    """Min (1/beta - 1) <= log(gamma_2/gamma_1)/(L log(R_2/R_1)) over a window."""
    found = networks.alignment()
    names = dict.fromkeys(("gamma_1", "gamma_2", "R_1", "R_2", "L"), "positive")
    stated = "log(gamma_2/gamma_1)/(L*log(R_2/R_1))"
    return all_of([identities([("window", found.window, stated)], names), holds(found)])


def stationary() -> Outcome:
    """D = ||theta~||^2 (1 - beta), slack at most m/(e L gamma_0^(2/L) u)."""
    found = networks.stationarity()
    names = POSITIVE | {"beta": "positive"}
    pairs = [
        ("multiplier", found.multiplier, "q_min**(1 - 2/L)*R*exp(-q)/G"),
        ("gap", found.gap, "(R/q_min**(1/L))**2*(1 - beta)"),
        ("slack", found.slack_bound, "m/(exp(1)*L*gamma_0**(2/L)*u)"),
    ]
    return all_of([identities(pairs, names), holds(found)])


def directions() -> Outcome:
    """The duality maps of l2, linf, l1, lp and of the spectral norm."""
    p = sp.Symbol("p", positive=True)
    q = sp.cancel(p / (p - 1))
    g = sp.symbols("g_1 g_2", positive=True)
    out = [
        exactly(sp.Matrix(norms.l2().direction([3, -4])), sp.Matrix([3, -4]) / 5, "l2"),
        exactly(sp.Matrix(norms.linf().direction([3, -4])), sp.Matrix([1, -1]), "linf"),
        exactly(sp.Matrix(norms.l1().direction([3, -4])), sp.Matrix([0, -1]), "l1"),
        exactly(norms.spectral().dual.value([[3, 1], [2]]), 6, "spectral: a sum of nuclear norms"),
    ]
    size = norms.lp(p).dual.value(g)
    pairs = [
        (f"lp, entry {i + 1}", u, f"g_{i + 1}**(({q}) - 1)/({size})**(({q}) - 1)")
        for i, u in enumerate(norms.lp(p).direction(g))
    ]
    assume = {"g_1": "positive", "g_2": "positive", "p": "(1, oo)"}
    return all_of([*out, identities(pairs, assume), holds(norms.lp(p))])


def degrees() -> Outcome:
    """ReLU networks of L layers have the degree L, with powers k the sum of k^j; biases none."""
    two = networks.homogeneity("v*max(w*x, 0)**2", "v, w")
    deep = networks.homogeneity("a*max(b*max(c*x, 0), 0)", "a, b, c")
    return all_of([
        exactly(two.degree, 3, "v relu(w x)^2"),
        exactly(deep.degree, 3, "three layers"),
        holds(two),
        refused(
            th.errors.FormulaError,
            lambda: networks.homogeneity("v*max(w*x, 0) + b", "v, w, b"),
            "an output with a bias",
        ),
    ])  # fmt: skip


def dropped_homogeneity() -> Outcome:
    """With q = theta^2 + 10 theta, of no degree, q/theta^2 falls while theta grows."""
    rising = th.monotone("1 + 10/t", "(0, oo)", direction="increasing")
    falling = th.monotone("1 + 10/t", "(0, oo)", direction="decreasing")
    ok = falling.proved
    return all_of(
        [
            fails(rising, "the margin grows"),
            Outcome("PROVED" if ok else "FAILED", f"{falling}", "it falls", ok),
        ]
    )


def dropped_small_loss() -> Outcome:
    r"""Margins $r, -r$ with $r = \theta^2$: the loss is 2 cosh r >= 2, and the flow shrinks r.

    The soft margin -log(2 cosh r)/r falls with r: its slope is (log(2 cosh r) - r tanh r)/r^2 > 0.
    """
    verdict = th.prove("log(exp(r) + exp(-r)) > log(2)", {"r": "positive"})
    # log(2 cosh r) = r + log(1 + exp(-2 r)) > r > r tanh r
    above = th.prove("log(exp(r) + exp(-r)) >= r", {"r": "positive"})
    below = th.prove("r >= r*(exp(r) - exp(-r))/(exp(r) + exp(-r))", {"r": "positive"})
    ok = verdict.proved and above.proved and below.proved
    return Outcome("PROVED" if ok else "FAILED", f"{above}; {below}", "the margin falls", ok)


def stationary_but_not_the_largest_margin() -> Outcome:
    r"""Depth 2, one sample (1, 4): $u = v = (1, 0)$ is a KKT point, and not the largest margin."""
    u1, u2, v1, v2 = names = sp.symbols("u_1 u_2 v_1 v_2", real=True)
    q = u1 * v1 + 4 * u2 * v2
    at = {u1: 1, u2: 0, v1: 1, v2: 0}
    slope = sp.Matrix([sp.diff(q, s) for s in names]).xreplace(at)
    point = sp.Matrix([at[s] for s in names])
    # u = v = (0, 1/2) has the margin 1 too
    better = {u1: 0, u2: sp.Rational(1, 2), v1: 0, v2: sp.Rational(1, 2)}
    out = [exactly(slope, point, "the slope of the margin is the point")]
    out += [exactly(q.xreplace(x), 1, "margin") for x in (at, better)]
    for name, power in (("l2", 2), ("l1", 1)):
        sizes = [sum(abs(v) ** power for v in x.values()) for x in (at, better)]
        out.append(exactly(sp.Rational(sizes[0], 1) - sizes[1] > 0, sp.true, f"{name} is smaller"))
    return all_of(out)


@cache
def digits() -> tuple[Any, Any, Any, np.ndarray]:
    """The digits 2 and 7, fifty of each to train with."""
    task, test = th.read_samples("digits:2,7", train=50)
    net = th.HomogeneousNetwork.two_layer(64, 50)
    return task, test, net, net.start(scale=0.1, seed=1)


@cache
def digit_runs() -> dict[str, Any]:
    task, _, net, start = digits()
    return {
        n: net.descend(task, start, optimizers.Steepest(n, loss_step=0.1), steps=6000)
        for n in ("l2", "linf", "l1", "spectral")
    }


TABLE = {
    "l2": (0.001097, 0.3753, 3.95, 0.751),
    "linf": (9.6e-5, 0.0872, 57.6, 0.098),
    "l1": (0.01616, 0.185, 0.346, 0.223),
    "spectral": (9.4e-5, 0.085, 5.94, 0.869),
}


def digit_margins(norm: str) -> Outcome:
    """Margins in l1, l2, linf and the spectral norm after 6000 steps."""
    found = digit_runs()[norm].margins
    measured = [float(found[k][-1]) for k in ("l1", "l2", "linf", "spectral")]
    return numbers(measured, TABLE[norm], atol=0.0, rtol=0.05)


def own_norms() -> Outcome:
    """Each algorithm has the largest margin in its own norm, by the factors that were measured."""
    table = th.compare_margins(digit_runs())
    best = {n: max(table, key=lambda k: table[k][n]) for n in TABLE}
    factors = {n: table[n][n] / table["l2"][n] for n in TABLE}
    others = table["l2"]["l2"] / max(table[n]["l2"] for n in TABLE if n != "l2")
    ok = all(k == v for k, v in best.items())
    return all_of([
        Outcome("CHECKED" if ok else "FAILED", f"{best}", "each its own", ok),
        bound(10, factors["l1"], "l1, over gradient descent"),
        bound(10, factors["linf"], "linf, over gradient descent"),
        bound(1.1, factors["spectral"], "spectral, over gradient descent"),
        bound(2, others, "l2 of gradient descent, over the others"),
    ])  # fmt: skip


ADAM = {1e-8: (1e-3, 1500, 39.2, 0.0733), 100.0: (0.1, 20_000, 4.91, 0.321)}


def adam(epsilon: float) -> Outcome:
    """Margins in linf and l2: as sign descent for small epsilon, as gradient descent for large."""
    task, _, net, start = digits()
    rate, steps, linf, l2 = ADAM[epsilon]
    run = net.descend(task, start, optimizers.Adam(rate, epsilon=epsilon), steps=steps)
    measured = [float(run.margins[k][-1]) for k in ("linf", "l2")]
    return numbers(measured, [linf, l2], atol=0.0, rtol=0.01)


FLOWS = {
    ("l2", 12): (114.8, 0.035576, 0.0537),
    ("l2", 60): (10861, 0.046278, 0.0111),
    ("l3", 8): (121.8, 0.12597, 0.0173),
    ("l5/4", 20): (103.2, 0.003712, 0.222),
}


def smooth_flow(norm: str, length: int) -> Outcome:
    """The soft margin grows on 6000 points, and all bounds hold."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(10, 3))
    y = np.sign(X[:, 0] + 0.5 * X[:, 1] ** 2 - 0.4)
    task = th.Classification(X / np.linalg.norm(X, axis=1)[:, None], y)
    net = th.HomogeneousNetwork.two_layer(3, 12, "max(z, 0)**2")
    start = 0.7 * rng.normal(size=net.size)
    run = net.flow(task, start, norm, length=length, records=6000, norms=[norm])
    log_loss, margin, excess = FLOWS[norm, length]
    ok = run.drops == 0 and run.bounds.hold()
    return all_of([
        numbers(run.log_loss[-1], log_loss, atol=0.0, rtol=1e-3),
        numbers(run.margins[norm][-1], margin, atol=0.0, rtol=2e-4),
        numbers(1 - run.beta[-1], excess, atol=0.0, rtol=5e-3),
        Outcome("CHECKED" if ok else "FAILED", f"{run.drops} falls", "none, bounds hold", ok),
    ])  # fmt: skip


def diagonal(norm: str) -> Outcome:
    """Depth 2: gradient descent to the l1 margin, sign descent to linf, coordinate to neither."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(12, 8)), np.array([1, -0.7, 0, 0, 0, 0, 0, 0])
    task = th.Classification(X, np.sign(X @ w))
    net = th.HomogeneousNetwork.diagonal(8, 2)
    start = net.start(scale=0.05, seed=1)
    run = net.descend(task, start, optimizers.Steepest(norm, loss_step=0.02), steps=40_000)
    beta = net.predictor(run.theta)
    size = {"l2": np.abs(beta).sum(), "linf": np.abs(beta).max(),
            "l1": np.sqrt(np.abs(beta)).sum() ** 2}[norm]  # fmt: skip
    measured = float((task.signed @ beta).min() / size)
    expected = {"l2": 0.19280, "linf": 0.76897, "l1": 0.0291}[norm]
    out = [numbers(measured, expected, atol=0.0, rtol=0.02 if norm == "l1" else 2e-3)]
    if norm != "l1":
        best = th.max_margin(task, norm={"l2": "l1", "linf": "linf"}[norm])
        out.append(numbers(best.margin, {"l2": 0.19291, "linf": 0.77474}[norm], atol=1e-5))
        out.append(bound(measured, best.margin, "below the optimum"))
    return all_of(out)


SEPARATED = ("exponential loss below 1", "steepest flow", "degree L")


def statements() -> list[Statement]:
    """All of them."""
    out = [
        Statement("T1 growth of the soft margin", ABSTRACT, SEPARATED, growth),
        Statement("T2 rate of the loss", OURS, (*SEPARATED, "unnormalized"), rates),
        Statement("T3 alignment", ABSTRACT, SEPARATED, aligned),
        Statement("T4 generalized stationarity", ABSTRACT, SEPARATED, stationary),
        Statement("duality maps", OURS, (), directions),
        Statement("degrees of networks", OURS, (), degrees),
        Statement("dropped: homogeneity", OURS, (), dropped_homogeneity),
        Statement("dropped: a loss below 1", OURS, (), dropped_small_loss),
        Statement(
            "stationary, not of the largest margin", OURS, ("diagonal, depth 2",),
            stationary_but_not_the_largest_margin,
        ),
    ]  # fmt: skip
    sampled = ("digits 2 and 7", "two layers, ReLU")
    out += [
        Statement(
            f"digits, {n}", OURS, sampled, partial(digit_margins, n), left_out=RUNS_ARE_TESTED
        )
        for n in TABLE
    ]
    out += [
        Statement("digits: own norms", ABSTRACT, sampled, own_norms, left_out=RUNS_ARE_TESTED),
        *(
            Statement(
                f"Adam, epsilon = {e:g}", ABSTRACT, sampled, partial(adam, e),
                left_out=RUNS_ARE_TESTED,
            )
            for e in ADAM
        ),
        *(
            Statement(
                f"flow in {n}, length {s}", OURS, ("squared ReLU",), partial(smooth_flow, n, s),
                left_out=RUNS_ARE_TESTED,
            )
            for n, s in FLOWS
        ),
        *(
            Statement(
                f"diagonal, {n}", OURS, ("depth 2",), partial(diagonal, n),
                left_out=RUNS_ARE_TESTED,
            )
            for n in ("l2", "linf", "l1")
        ),
    ]  # fmt: skip
    return out
