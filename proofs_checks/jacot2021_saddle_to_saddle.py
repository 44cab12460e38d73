r"""A. Jacot, F. Ged, F. Gabriel, B. Simsek, C. Hongler, arXiv 2106.15933: the runs.

Deep linear networks $A_\theta = W_L\cdots W_1$ from small starts pass saddles of rank 0, 1, 2, ...
The abstract of the paper says so; the instances and all figures here are ours, measured first by
another program, and given to the digits that it gave. The formulas of the paper are in
`jacot2021_deep_linear_networks`.
"""

from __future__ import annotations

from collections import Counter
from functools import cache, partial

import numpy as np

import theory as th
from proofs_checks.statement import OURS, Outcome, Statement, all_of, bound, numbers

SIGMA = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
ABSTRACT = "abstract: saddle to saddle; figures ours"
GREEDY = "abstract: greedy low-rank algorithm; figures ours"
# depth, size of the start: half times, losses at the plateaus, shares of the first singular value
RUNS = {
    (2, 1e-2): ((1.314, 1.838, 2.717, 4.829), (15.0, 3.53, 2.07, 0.439), (0.968, 0.968)),
    (2, 1e-4): ((2.466, 3.374, 5.020, 9.434), (15.0, 6.777, 2.457, 0.4984), (0.9968, 0.9968)),
    (2, 1e-6): ((3.618, 4.910, 7.322, 14.039), (15.0, 6.957, 2.4955, 0.5), (0.99968, 0.99968)),
    (3, 1e-1): ((3.087, 5.496, 7.275, 14.23), (15.0, 6.963, 2.459, 0.495), (0.982, 0.964, 0.982)),
    (3, 1e-2): ((32.0, 56.4, 76.6, 150.0), (15.0, 7.0, 2.4999, 0.5), (0.9998, 0.9996, 0.9998)),
    (3, 1e-3): ((321.3, 565.8, 769.1, 1507.0), (15.0, 7.0, 2.5, 0.5), (1.0, 1.0, 1.0)),
    (4, 1e-1): (
        (10.59, 21.15, 50.07, 105.2), (15.0, 6.9991, 2.4998, 0.4999), (0.987, 0.967, 0.974, 0.987)
    ),
    (4, 3e-2): (
        (118.0, 235.5, 557.1, 1177.0), (15.0, 7.0, 2.5, 0.5), (0.999, 0.997, 0.998, 0.999)
    ),
}  # fmt: skip


@cache
def target() -> np.ndarray:
    """A matrix with the singular values 4, 3, 2, 1, 0."""
    rng = np.random.default_rng(7)
    U, V = (np.linalg.qr(rng.standard_normal((5, 5)))[0] for _ in range(2))
    return np.asarray(U @ np.diag(SIGMA) @ V.T)


@cache
def run(depth: int, alpha: float):
    """The flow until the fourth singular value is there."""
    network = th.LinearNetwork([5, *[10] * (depth - 1), 5])
    end = 1.3 * RUNS[depth, alpha][0][3]
    levels = {k + 1: s / 2 for k, s in enumerate(SIGMA[:4])}
    start = network.start(scale=alpha, seed=3)
    return network.integrate(th.MatrixLoss(target()), start, end, levels=levels)


def plateaus(depth: int, alpha: float) -> Outcome:
    """Half times, plateaus and alignment."""
    found, (times, losses, shares) = run(depth, alpha), RUNS[depth, alpha]
    measured = [p.loss for p in found.plateaus(between=True)]
    return all_of([
        numbers([found.crossings[k] for k in (1, 2, 3, 4)], times, atol=0.0, rtol=1e-3),
        numbers(measured, losses, atol=0.0, rtol=2e-3),
        numbers(found.top_share[1], shares, atol=6e-4),
        bound(found.drift, 1e-8, "drift of the balancedness"),
    ])  # fmt: skip


def logarithmic() -> Outcome:
    """L = 2: a start 100 times smaller costs ln(100)/s_k."""
    out = []
    for a, b in ((1e-2, 1e-4), (1e-4, 1e-6)):
        more = [run(2, b).crossings[k] - run(2, a).crossings[k] for k in (1, 2, 3, 4)]
        out.append(numbers(more, np.log(100) / SIGMA[:4], atol=0.0, rtol=1e-3))
    return all_of(out)


def algebraic(depth: int) -> Outcome:
    """L = 3: alpha t is constant; L = 4: alpha^2 t."""
    a, b = {3: (1e-2, 1e-3), 4: (1e-1, 3e-2)}[depth]
    tolerance = {3: 0.02, 4: 0.01}[depth]
    scaled = [
        [alpha ** (depth - 2) * run(depth, alpha).crossings[k] for k in (1, 2, 3, 4)]
        for alpha in (a, b)
    ]
    return numbers(scaled[0], scaled[1], atol=0.0, rtol=tolerance)


def no_faster_than_the_best_direction(depth: int, alpha: float) -> Outcome:
    r"""The escape takes at least $r_0^{2-L}/(L(L-2)s^*)$, $s^* = L^{-L/2}s_1$."""
    network = th.LinearNetwork([5, *[10] * (depth - 1), 5])
    r = float(np.linalg.norm(network.start(scale=alpha, seed=3)))
    least = r ** (2 - depth) / (depth * (depth - 2) * depth ** (-depth / 2) * SIGMA[0])
    # sigma_1 = s_1/2 comes after the escape
    return bound(least, run(depth, alpha).crossings[1], "least time of escape")


def unbalanced_starts_take_other_times() -> Outcome:
    """Dropped: a small start. A large one has no plateaus."""
    network = th.LinearNetwork([5, 10, 5])
    found = network.integrate(th.MatrixLoss(target()), network.start(scale=2.0, seed=3))
    ranks = [p.rank for p in found.plateaus(depth=0.5)]
    return Outcome(
        "CHECKED" if len(ranks) <= 1 else "FAILED", f"ranks {ranks}", "none", len(ranks) <= 1
    )


@cache
def completion() -> tuple[th.MatrixLoss, np.ndarray]:
    """75 of 100 entries of a matrix of rank 3."""
    rng = np.random.default_rng(2)
    W = rng.standard_normal((10, 3)) @ rng.standard_normal((10, 3)).T / np.sqrt(3)
    W *= 10 / np.linalg.norm(W)
    M = np.full(100, np.nan)
    seen = rng.permutation(100)[:75]
    M[seen] = W.ravel()[seen]
    return th.MatrixLoss(M.reshape(10, 10)), W


def test_error(A: np.ndarray) -> float:
    """Mean square over what is not observed."""
    loss, W = completion()
    return float(np.mean((A - W)[np.isnan(loss.target)] ** 2))


def greedy() -> Outcome:
    """The minima over matrices of rank 0, 1, 2, 3."""
    stages = th.greedy_low_rank(completion()[0])
    return all_of([
        numbers([s.loss for s in stages], [38.0992, 9.95837, 1.81540, 0], atol=5e-5),
        numbers([test_error(s.product) for s in stages], [0.952, 0.3963, 0.1364, 0], atol=5e-4),
    ])  # fmt: skip


def network_run(depth: int, gamma: float):
    """A network of width 50 on the observed entries."""
    network = th.LinearNetwork([10, *[50] * (depth - 1), 10])
    start = network.start(exponent=gamma, seed=1)
    return network.integrate(completion()[0], start, measure=test_error, rtol=1e-8)


def follows_the_greedy_algorithm() -> Outcome:
    """L = 3, gamma = 3."""
    found = network_run(3, 3.0)
    passed = found.plateaus()
    return all_of([
        numbers([p.loss for p in passed], [38.0992, 9.9580, 1.8151], atol=2e-4),
        numbers([p.measured for p in passed], [0.952, 0.396, 0.139], atol=1e-3),
        bound(test_error(found.product), 1e-6, "test error"),
    ])  # fmt: skip


def lazy(depth: int, gamma: float, expected: float) -> Outcome:
    """Dropped: gamma > 1. The network interpolates and learns nothing about the rest."""
    found = network_run(depth, gamma)
    return numbers(test_error(found.product), expected, atol=0.005 * max(1.0, expected))


def restarts(depth: int) -> Outcome:
    """Sixty starts: L = 2 has one minimum, L = 3 two local ones are found."""
    values: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    loss = th.MatrixLoss(U @ np.diag([3.0, 2.0, 1.0]) @ V.T)
    network = th.LinearNetwork([3] * (depth + 1))
    for i in range(60):
        start = network.start(std=(1.0, 0.3)[i % 2], seed=i)
        found = network.minimize(loss, start, weight_decay=0.1)
        if not found.success:
            return Outcome("FAILED", found.message, "a minimum", False)
        values[f"{found.loss:.5f}"] += 1
    # for three layers the k largest modes are a local minimum for every k = 0, ..., 3, and these
    # are all of them; small starts may end at small k
    often = {2: {"1.14000"}, 3: {"1.35592", "1.57752"}}[depth]
    known = often if depth == 2 else often | {"3.11426", "7.00000"}
    ok = often <= set(values) <= known and sum(values[v] for v in often) >= 55
    text = ", ".join(f"{v} x {count}" for v, count in values.most_common())
    return Outcome("CHECKED" if ok else "FAILED", text, ", ".join(sorted(often)), ok)


def slopes(depth: int, gamma: float, distance: float, saddle: float) -> Outcome:
    """Exponents in the width of the distances to a global minimum and to a saddle."""
    widths = 2 ** np.arange(4, 8 if depth > 2 else 9)
    ways, gaps = [], []
    target = np.random.default_rng(11).standard_normal((4, 4))
    loss = th.MatrixLoss(2 * target / np.linalg.norm(target, 2))
    for w in widths:
        network = th.LinearNetwork([4, *[int(w)] * (depth - 1), 4])
        way, gap = [], []
        for seed in range(3):
            theta = network.start(exponent=gamma, seed=seed)
            end = network.integrate(loss, theta, rtol=1e-6).theta
            way.append(float(np.linalg.norm(end - theta)))
            # W_1 = W_L = 0 is a saddle
            weights = network.weights(theta)
            gap.append(float(np.hypot(np.linalg.norm(weights[0]), np.linalg.norm(weights[-1]))))
        ways.append(np.mean(way))
        gaps.append(np.mean(gap))
    fit = [float(np.polyfit(np.log(widths), np.log(v), 1)[0]) for v in (ways, gaps)]
    return numbers(fit, [distance, saddle], atol=0.1)


SMALL = ("squared loss", "gradient flow", "small random start")
REGIMES = [
    (3, 0.75, -0.25, 0.125), (3, 1.0, 0.0, 0.0), (3, 1.5, 0.0, -0.25), (2, 0.75, -0.125, 0.125),
    (2, 1.5, 0.0, -0.25),
]  # fmt: skip


def statements() -> list[Statement]:
    """All of them."""
    out = [
        Statement(f"E1 plateaus, L = {d}, alpha = {a:g}", ABSTRACT, SMALL, partial(plateaus, d, a))
        for d, a in RUNS
    ]
    out += [
        Statement("E1 L = 2: half times and ln(alpha)", OURS, SMALL, logarithmic),
        Statement("E1 L = 3: alpha t is constant", OURS, SMALL, partial(algebraic, 3)),
        Statement("E1 L = 4: alpha^2 t is constant", OURS, SMALL, partial(algebraic, 4)),
    ]
    out += [
        Statement(
            f"E1 least time of escape, L = {d}", OURS, SMALL,
            partial(no_faster_than_the_best_direction, d, a),
        )
        for d, a in ((3, 1e-2), (4, 1e-1))
    ]  # fmt: skip
    out += [
        Statement("E1 dropped: a large start", OURS, SMALL[:2], unbalanced_starts_take_other_times),
        Statement("E2 greedy algorithm", GREEDY, ("observed entries",), greedy),
        Statement("E2 network and greedy", GREEDY, SMALL, follows_the_greedy_algorithm),
        Statement(
            "E2 dropped: gamma = 2/3, L = 3", OURS, SMALL[:2], partial(lazy, 3, 2 / 3, 0.974)
        ),
        Statement("E2 dropped: gamma = 1/2, L = 2", OURS, SMALL[:2], partial(lazy, 2, 0.5, 2.08)),
        Statement("E3 restarts, L = 2", OURS, ("weight decay 0.1",), partial(restarts, 2)),
        Statement("E3 restarts, L = 3", OURS, ("weight decay 0.1",), partial(restarts, 3)),
    ]
    out += [
        Statement(
            f"E5 exponents of the width, L = {d}, gamma = {g}", OURS, ("Gaussian start",),
            partial(slopes, d, g, m, s), slow=True,
        )
        for d, g, m, s in REGIMES
    ]  # fmt: skip
    return out
