r"""K. Lyu, J. Li, "Gradient descent maximizes the margin of homogeneous networks", ICLR 2020.

arXiv:1906.05890. Recalled: along the gradient flow of an exponential loss the smoothed margin of a
homogeneous network grows once the data are separated, and limit points of the direction are KKT
points of the largest margin in the Euclidean norm. It is the case of the Euclidean norm of
`tsilivis2025_flavors_of_margin`; proofs and figures are ours.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

import theory as th
from proofs_checks.derived import exactly, holds, refused
from proofs_checks.statement import OURS, Outcome, Statement, all_of, bound, identities

RECALLED = "recalled"
networks = th.networks
POSITIVE = dict.fromkeys(("u", "R", "G", "s", "ell", "gamma_0", "q_min", "t"), "positive")


def growth() -> Outcome:
    """The speed of gradient flow is s = G: d/dt log(margin) >= G (G/(ell u) - L/R)."""
    found = networks.margin_growth(2)
    at = found.rate.xreplace({sp.Symbol("s", positive=True): sp.Symbol("G", positive=True)})
    return all_of([identities([("rate", at, "G*(G/(ell*u) - 2/R)")], POSITIVE), holds(found)])


def residual() -> Outcome:
    """D = ||z - theta~||^2/2 in the Euclidean norm."""
    z = sp.Matrix(sp.symbols("z_1 z_2", real=True))
    x = sp.Matrix(sp.symbols("x_1 x_2", real=True))
    gap = (z.T * z / 2 + x.T * x / 2 - z.T * x)[0, 0]
    square = (((z - x).T * (z - x)) / 2)[0, 0]
    return all_of(
        [exactly(sp.expand(gap - square), 0, "two entries"), holds(networks.stationarity(2))]
    )


def rates() -> Outcome:
    """Two layers: -d ell/dt >= 4 gamma_0 ell^2 u, so that ell <= 1/(2 gamma_0 t u)."""
    found = networks.margin_rates(2)
    pairs = [
        ("speed", found.loss_speed, "4*gamma_0*ell**2*u"),
        ("loss", found.loss_bound, "1/(2*gamma_0*t*u)"),
    ]
    return all_of([identities(pairs, POSITIVE), holds(found)])


def network_run() -> Outcome:
    """A ReLU network: the margin never falls, and the gap does from window to window."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4))
    task = th.Classification(X, np.sign(X[:, 0] + 0.5 * np.abs(X[:, 1]) - 0.4))
    net = th.HomogeneousNetwork.two_layer(4, 10)
    steepest = th.optimizers.Steepest("l2", loss_step=0.05)
    run = net.descend(task, net.start(scale=0.3, seed=0), steepest, steps=20_000, every_step=True)
    seen = run.least > 0
    parts = np.array_split((1 - run.beta)[seen], 3)
    least = [float(p.min()) for p in parts]
    ok = run.success and least == sorted(least, reverse=True)
    text = ", ".join(f"{v:.2g}" for v in least)
    return all_of([
        Outcome("CHECKED" if ok else "FAILED", f"1 - beta: {text}", "falls by windows", ok),
        bound(run.largest_drop, 2e-4, "relative fall of the soft margin"),
        bound(least[-1], 0.02, "1 - beta at the end"),
    ])  # fmt: skip


def dropped_biases() -> Outcome:
    """Hidden biases that are trained keep the degree; an output bias has another one."""
    hidden = networks.homogeneity("v*max(w*x + b, 0)", "v, w, b")
    groups = networks.homogeneity("v*max(w*x + b, 0)", {"v": "v", "hidden": "w, b"})
    return all_of([
        exactly(hidden.degree, 2, "a hidden bias"),
        exactly(groups["v"].degree + groups["hidden"].degree, 2, "layer by layer"),
        refused(
            th.errors.FormulaError,
            lambda: networks.homogeneity("v*max(w*x + 1, 0)", "v, w"),
            "a bias that is not trained",
        ),
    ])  # fmt: skip


def statements() -> list[Statement]:
    """All of them."""
    separated = ("exponential loss below 1", "gradient flow")
    return [
        Statement("growth of the smoothed margin", RECALLED, separated, growth),
        Statement("residual of stationarity", RECALLED, separated, residual),
        Statement("rate of the loss, two layers", RECALLED, separated, rates),
        Statement("a ReLU network", OURS, ("separable data",), network_run),
        Statement("biases", OURS, (), dropped_biases),
    ]
