r"""S. Gunasekar, J. Lee, D. Soudry, N. Srebro, ICML 2018 (arXiv:1802.08246).

"Characterizing implicit bias in terms of optimization geometry". Recalled: for a linear classifier
with an exponential loss and separable data, steepest descent in a norm tends in direction to the
largest margin in that norm. Weak duality, the instances, and all figures are ours.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import sympy as sp

import theory as th
from proofs_checks.derived import exactly, holds
from proofs_checks.statement import OURS, Outcome, Statement, all_of, bound, numbers

RECALLED = "recalled"
OPTIMA = {"l1": 0.312462, "l2": 0.598919, "linf": 0.817901}
ENDS = {"l1": (0.29079, 0.31037), "l2": (0.58123, 0.59724), "linf": (0.80434, 0.81637)}


def task() -> th.Classification:
    """Twenty separable samples of six inputs."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(20, 6)), rng.normal(size=6)
    y = np.sign(X @ w)
    return th.Classification(X + 0.3 * y[:, None] * w / np.linalg.norm(w), y)


def optimum(norm: str) -> Outcome:
    """A weight and a point of the hull with one value: the largest margin."""
    best = th.max_margin(task(), norm=norm)
    return all_of([
        numbers(best.margin, OPTIMA[norm], atol=1e-6),
        bound(best.upper_bound - best.margin, 1e-12, "duality gap"),
    ])  # fmt: skip


def descent(norm: str) -> Outcome:
    """Normalized steepest descent with the rate t^(-1/2)/2, after 1e3 and 1e5 steps."""
    net = th.HomogeneousNetwork.linear(6)
    steepest = th.optimizers.Steepest(norm, rate=(0.5, 0.5))
    ends = [net.descend(task(), np.zeros(6), steepest, steps=k) for k in (1000, 100_000)]
    measured = [float(r.margins[norm][-1]) for r in ends]
    return all_of([
        numbers(measured, ENDS[norm], atol=3e-4),
        bound(measured[1], OPTIMA[norm], "below the optimum"),
    ])  # fmt: skip


def duality() -> Outcome:
    """<g, w> <= ||g||_* ||w|| makes every point of the hull an upper bound, in each norm."""
    objects: list[Any] = [th.norms.l1(), th.norms.l2(), th.norms.linf(), th.norms.lp(3)]
    return holds(*objects)


def other_norms() -> Outcome:
    """Two samples (2, 1) and (1, 2): the largest margins in l1, l2 and linf, by hand."""
    data = th.Classification([[2.0, 1.0], [-1.0, -2.0]], [1, -1])
    measured = [th.max_margin(data, norm=n).margin for n in ("l1", "l2", "linf")]
    by_hand = [sp.Rational(3, 2), 3 / sp.sqrt(2), 3]
    return all_of([
        numbers(measured, [float(v) for v in by_hand], atol=1e-12),
        exactly(th.norms.linf().dual.value([sp.Rational(3, 2)] * 2), 3, "the middle in l1"),
    ])  # fmt: skip


def dropped_separability() -> Outcome:
    """Exclusive or: no margin; the loss has a minimum, and the flow a finite limit."""
    corners = np.array([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])
    data = th.Classification(corners, [1, 1, -1, -1])
    best = th.max_margin(data)
    run = th.HomogeneousNetwork.linear(2).descend(
        data, [0.3, 0.1], th.optimizers.Steepest("l2", rate=0.1, normalized=False), steps=500
    )
    ok = not best.success and not run.success
    return all_of([
        Outcome("CHECKED" if ok else "FAILED", best.message, "not separable", ok),
        numbers(np.exp(-run.log_loss[-1]), 4.0, atol=1e-6),
        numbers(run.theta, [0, 0], atol=1e-6),
    ])  # fmt: skip


def statements() -> list[Statement]:
    """All of them."""
    separable = ("separable", "exponential loss", "linear")
    return [
        Statement("weak duality", OURS, (), duality),
        *(Statement(f"largest margin, {n}", OURS, separable, partial(optimum, n)) for n in OPTIMA),
        *(Statement(f"descent, {n}", RECALLED, separable, partial(descent, n)) for n in OPTIMA),
        Statement("three norms by hand", OURS, separable, other_norms),
        Statement("dropped: separability", OURS, (), dropped_separability),
    ]
