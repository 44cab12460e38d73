r"""A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel, "Deep linear networks dynamics".

Subtitle of the first version: low-rank biases induced by initialization scale and L2
regularization (arXiv:2106.15933). The abstracts were seen; the text was not. Statements are
recalled, and the formulas here were derived anew: thresholds, classification and constants are
ours. L counts matrices, and the decay is $\lambda\|\theta\|^2$ without a half.

`symbolic_statements` needs no training; runs of networks belong into a list of their own.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy as sp

import theory as th
from proofs_checks.derived import exactly, fails, holds, refused
from proofs_checks.statement import (
    OURS,
    Outcome,
    Statement,
    all_of,
    derivative,
    identities,
    numbers,
    printed,
)

ABSTRACT = "abstract, recalled"
RECALLED = "recalled; constants and exponents are ours"
LAM = sp.Rational(1, 10)
networks = th.networks


# -- conservation ----------------------------------------------------------------------------------


def balance() -> Outcome:
    """Delta_l is constant, and with decay Delta_l(t) = exp(-4 lam t) Delta_l(0)."""
    laws = [networks.balancedness(depth, lam) for depth in (2, 5, "L") for lam in (0, "lam")]
    factor = networks.balancedness("L", "lam").factor
    typed = identities([("decay", factor, "exp(-4*lam*t)")], {"lam": "positive", "t": "positive"})
    words = networks.matrix_laws(networks.linear("n", "r", "s", "m"))
    second = exactly("; ".join(map(str, words)), "W1*W1.T - W2.T*W2; W2*W2.T - W3.T*W3")
    return all_of([*map(holds, laws), typed, second])


def unbalanced_steps() -> Outcome:
    """From an unbalanced start a = w_1 w_2 moves by w_1^2 + w_2^2, not by 2 a."""
    signs = {"w1": "positive", "w2": "positive"}
    return fails(th.prove("w1**2 + w2**2 == 2*w1*w2", assume=signs), "a' = 2 a (s - a)")


# -- scales ----------------------------------------------------------------------------------------


def exponents() -> Outcome:
    """E|A_0|^2 = n_0 n_L w^(L-1) sigma^(2L), E d_s^2 <= (n_0 + n_L) w sigma^2, sigma^2 = w^-g."""
    signs = dict.fromkeys(("n", "m", "w", "g"), "positive") | {"L": "(1, oo)"}
    return identities(
        [
            ("size of A_0", "n*m*w**(L - 1)*(w**(-g))**L", "n*m*w**(L - 1 - g*L)"),
            ("distance to saddles", "(n + m)*w*w**(-g)", "(n + m)*w**(1 - g)"),
        ],
        signs,
    )


def saddle_between_the_ends() -> Outcome:
    """With W_1 = W_L = 0 every gradient vanishes, whatever is between."""
    model = networks.linear(2, 2, 2, 2)
    zero = {p: 0 for p in model.parameters if p.name.startswith(("W1_", "W3_"))}
    entries = {
        sp.diff(c, p).xreplace({k: sp.Integer(v) for k, v in zero.items()})
        for c in model.components
        for p in model.parameters
    }
    return exactly(entries, {sp.S.Zero}, "Jacobian")


# -- escape ----------------------------------------------------------------------------------------


def escape() -> Outcome:
    """The best speed L^(-L/2) s_1 at rank one, and the time along it."""
    signs = dict.fromkeys(("s_1", "r_0", "t"), "positive")
    three, two = networks.origin_escape(3), networks.origin_escape(2)
    pairs = [
        ("speed", three.speed, "s_1/(3*sqrt(3))"),
        ("time", three.time, "sqrt(3)/(r_0*s_1)"),
        ("two layers", two.radius, "r_0*exp(s_1*t)"),
    ]
    found = [networks.origin_escape(depth) for depth in (2, 3, 4, "L")]
    return all_of([identities(pairs, signs), *map(holds, found)])


def escape_times() -> Outcome:
    """Lower bounds of the escape times of the drawn starts of the saddle-to-saddle runs."""
    times = []
    for depth, scale in ((3, 0.01), (4, 0.1)):
        rng = np.random.default_rng(3)
        n = [5, *[10] * (depth - 1), 5]
        layers = [scale * rng.normal(size=(n[k + 1], n[k])) / np.sqrt(10) for k in range(depth)]
        radius = np.sqrt(sum((w**2).sum() for w in layers))
        times.append(float(networks.origin_escape(depth, 4, float(radius)).time))
    return printed(times, ["9.39", "1.62"])


# -- full observation ------------------------------------------------------------------------------


def plateaus() -> Outcome:
    """L_k is half the sum of the squares that are left; strict for L = 2 only."""
    two, three = (networks.plateaus([4, 3, 2, 1, 0], depth=d) for d in (2, 3))
    lowest = []
    for depth in (2, 3):
        found = networks.critical_points([4, 3, 2, 1], 0, depth=depth)
        path = [found["B" * k + "0" * (4 - k)] for k in range(5)]
        lowest += [found.hessian_minimum(p) + 0.0 for p in path]
    second = numbers(lowest, [-4, -3, -2, -1, 0, *[0] * 5], atol=1e-12)
    return all_of(
        [
            second,
            exactly([p.loss for p in two], "[15, 7, 5/2, 1/2, 0]", "plateaus"),
            exactly([p.curvature for p in two], "[-4, -3, -2, -1, 0]", "Hessians, L = 2"),
            exactly([p.curvature for p in three], "[0, 0, 0, 0, 0]", "Hessians, L = 3"),
        ]
    )


def skipped_modes() -> Outcome:
    """A saddle that skips a larger singular value stays strict for every depth."""
    lowest = []
    for depth in (3, 4):
        found = networks.critical_points([3, 2, 1], 0, depth=depth)
        point = found["0B0"]
        if point.kind != "strict saddle" or found["B00"].kind != "degenerate saddle":
            return Outcome("FAILED", f"{point}, {found['B00']}", "strict and degenerate", False)
        lowest.append(found.hessian_minimum(point))
    return printed(lowest, ["-1.26", "-1.41"])


def mode_times() -> Outcome:
    """The time of a mode: elementary for L = 3 and 4, hypergeometric in general."""
    r, x = sp.symbols("r x", positive=True)
    three, four = networks.mode_time(3, r**3), networks.mode_time(4, r**4)
    turn = 2 * sp.sqrt(3) * sp.atan((r + 2 * x) / (sp.sqrt(3) * r))
    logs = -2 * sp.log(r - x) + sp.log(r**2 + r * x + x**2)
    typed_three = -1 / (r**3 * x) + (logs - turn) / (6 * r**4)
    typed_four = (-1 / x**2 + sp.atanh(x**2 / r**2) / r**2) / (2 * r**4)
    # antiderivatives of one function: their derivatives agree, and so do they up to constants
    pairs = [
        (name, derivative(time.expression, "x"), derivative(typed, "x"))
        for name, time, typed in (("L = 3", three, typed_three), ("L = 4", four, typed_four))
    ]
    general = [networks.mode_time("L", above=above) for above in (False, True)]
    proofs = [exactly(t.proved, True, f"{t.expression}") for t in (three, four, *general)]
    return all_of([identities(pairs, {"x": "positive", "r": "positive"}), *proofs])


def two_layers() -> Outcome:
    """The logistic mode, the unbalanced one, and the matrix solution for every F."""
    signs = dict.fromkeys(("s", "a_0", "t"), "positive")
    mode = networks.mode_solution()
    typed = "s*exp(2*s*t)/(exp(2*s*t) - 1 + s/a_0)"
    half = identities([("half time", networks.mode_solution().half_time, "log(s/a_0 - 1)/(2*s)")],
                      signs)  # fmt: skip
    matrices = networks.two_layer_solution([[1.0, 0.0]], [[0.1, 0.1]], [[np.sqrt(0.02)]])
    unbalanced = networks.mode_solution(imbalance="c")
    return all_of(
        [
            identities([("logistic", mode.expression, typed)], signs),
            half,
            holds(mode, unbalanced, matrices),
        ]
    )


# -- decay -----------------------------------------------------------------------------------------


def schatten() -> Outcome:
    """Min |theta|^2 = L sum sigma^(2/L); for L = 2 decay is the nuclear norm."""
    signs = dict.fromkeys(("a", "b", "lam", "L"), "positive")
    a, b = sp.symbols("a b", positive=True)
    return all_of(
        [
            holds(networks.schatten([a, b])),
            identities(
                [
                    ("L", networks.schatten([a, b]).value, "L*(a**(2/L) + b**(2/L))"),
                    ("L = 2", networks.schatten([a, b], 2).penalty(), "2*lam*(a + b)"),
                ],
                signs,
            ),
        ]
    )


def norms_of_factors() -> Outcome:
    """Random factors are longer than the bound; balanced ones attain it."""
    rng = np.random.default_rng(0)
    worst, gap = np.inf, 0.0
    for depth in (2, 3, 4, 5):
        for _ in range(100):
            layers = [rng.normal(size=(3, 3)) for _ in range(depth)]
            A = layers[0]
            for w in layers[1:]:
                A = w @ A
            s = np.linalg.svd(A, compute_uv=False)
            least = depth * (s ** (2 / depth)).sum()
            worst = min(worst, sum((w**2).sum() for w in layers) / least)
            balanced = networks.balanced_factors(A, depth)
            gap = max(gap, abs(sum((w**2).sum() for w in balanced) / least - 1))
    ok = worst >= 1 and gap < 1e-13
    text = f"least ratio {worst:.4f}, balanced to {gap:.1e}"
    return Outcome("CHECKED" if ok else "FAILED", text, "ratio >= 1, balanced 1", ok)


def narrow_width() -> Outcome:
    """Below the rank there are no such factors, and decay is no penalty on the product alone."""
    full = networks.critical_points([1, 1], LAM).global_minimum
    narrow = networks.critical_points([1, 1], LAM, width=1).global_minimum
    refusal = refused(
        th.errors.DomainError,
        lambda: networks.balanced_factors(np.eye(2), 2, widths=1),
        "factors of width 1 of the identity",
    )
    return all_of([refusal, _values([full, narrow], [0.36, 0.68], "the least losses", "REFUTED")])


def _values(points: list, expected: list[float], what: str, verdict: str = "PROVED") -> Outcome:
    losses = [float(p.loss.mid()) for p in points]
    ok = np.allclose(losses, expected, rtol=0, atol=1e-12)
    return Outcome(verdict if ok else "FAILED", f"{what}: {losses}", f"{what}: {expected}", ok)


def threshold_formulas() -> Outcome:
    """s_c, s_g and their ratio for every L; the soft threshold for L = 2."""
    signs = {"lam": "positive"}
    three = networks.thresholds(3)
    pairs = [
        ("s_c, L = 3", three.critical, "4*(2*lam/3)**(3/4)"),
        ("s_g, L = 3", three.optimal, "2*(2*lam)**(3/4)"),
        ("L = 2", networks.thresholds(2).critical, "2*lam"),
    ]
    found = [networks.thresholds(depth) for depth in (2, 3, 4, 5, "L")]
    ratio = printed([float(networks.thresholds(3, 1).ratio)], ["0.877"])
    limit = th.limit_is("2*L**(-L/(2*L - 2))*sqrt(L)", "L", "oo", "2")
    ends = Outcome("PROVED" if limit.proved else "FAILED", "s_c/s_g ~ 2/sqrt(L)", "proved",
                   limit.proved)  # fmt: skip
    return all_of([identities(pairs, signs), *map(holds, found), ratio, ends])


# pattern: loss, class
LISTED = {
    (3, ("3", "2")): {
        "00": ("6.5", "local minimum"),
        "B0": ("2.614256", "local minimum"),
        "BB": ("1.077522", "global minimum"),
        "0B": ("4.963265", "strict saddle"),
        "0S": (None, "strict saddle"),
        "BS": (None, "strict saddle"),
        "S0": (None, "strict saddle"),
        "SB": (None, "strict saddle"),
        "SS": (None, "strict saddle"),
    },
    (3, ("3", "0.56")): {
        "00": (None, "local minimum"),
        "B0": ("0.771056", "global minimum"),
        "BB": ("0.781312", "local minimum"),
        "0B": (None, "strict saddle"),
    },
    (4, ("3", "2")): {
        "00": ("6.5", "local minimum"),
        "B0": ("2.68602", "local minimum"),
        "BB": ("1.241324", "global minimum"),
    },
}


def classes(depth: int, s: tuple[str, ...]) -> Outcome:
    """The table of critical points at lam = 0.1."""
    found = networks.critical_points([sp.Rational(v) for v in s], LAM, depth=depth)
    table = LISTED[depth, s]
    kinds = {name: found[name].kind for name in table}
    first = exactly(kinds, {name: kind for name, (_, kind) in table.items()}, "classes")
    listed = [(found[name], loss) for name, (loss, _) in table.items() if loss]
    minima = {p.pattern for p in found.local_minima}
    typed = {name for name, (_, kind) in table.items() if "minimum" in kind}
    return all_of(
        [
            first,
            exactly(sorted(minima), sorted(typed), "all local minima"),
            printed([float(p.loss.mid()) for p, _ in listed], [loss for _, loss in listed]),
        ]
    )


def lowest_curvatures() -> Outcome:
    """The lowest eigenvalues of the Hessians in the table, and the big roots."""
    found = networks.critical_points([3, 2], LAM, depth=3)
    lowest = [found.hessian_minimum(found[name]) for name in ("00", "0B", "0S")]
    roots = found["BB"].singular_values
    levels = [float(e) for e in (found.thresholds.critical, found.thresholds.optimal)]
    return printed(
        [*lowest, *roots, *levels],
        ["0.2", "-1.22465", "-0.1997", "2.8591", "1.8367", "0.524797", "0.598140"],
    )


def two_layer_landscape() -> Outcome:
    """L = 2: one minimum, the soft threshold; seven strict saddles at s = (3, 2, 1)."""
    found = networks.critical_points([3, 2, 1], LAM)
    kinds = sorted(p.kind for p in found.points)
    return all_of(
        [
            exactly(kinds, ["global minimum"] + ["strict saddle"] * 7),
            _values([found.global_minimum], [1.14], "loss"),
            holds(found),
        ]
    )


def spurious_minima() -> Outcome:
    """L = 3 has what L = 2 has not: local minima of lower and of higher rank than the best."""
    restarts = networks.critical_points([3, 2, 1], LAM, depth=3)
    high = networks.critical_points([3, sp.Rational(56, 100)], LAM, depth=3)
    ranks = [p.rank for p in restarts.local_minima]
    measured = [float(restarts[p].loss.mid()) for p in ("BBB", "BB0")]
    return all_of(
        [
            exactly(ranks, [0, 1, 2, 3], "ranks of minima"),
            printed(measured, ["1.35592", "1.57752"]),
            exactly((high.global_minimum.rank, high["BB"].kind), (1, "local minimum")),
        ]
    )


def better_local_minima() -> Outcome:
    """A local minimum of higher regularized loss with a lower risk: L = 3, noisy rank one."""
    rng = np.random.default_rng(5)
    u, v = (np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(2))
    signal = 5 * np.outer(u[:, 0], v[:, 0])
    U, s, Vt = np.linalg.svd(signal + 0.25 * rng.normal(size=(8, 8)))
    found = networks.critical_points(s, sp.Rational(1, 100), depth=3)
    losses, risks = [], []
    for point in found.local_minima:
        A = (U * np.array(point.singular_values)) @ Vt
        losses.append(float(point.loss.mid()))
        risks.append(((A - signal) ** 2).sum())
    levels = [float(e) for e in (found.thresholds.critical, found.thresholds.optimal)]
    return all_of(
        [
            printed(levels, ["0.0933", "0.1064"]),
            printed(losses, ["15.509", "1.579", "1.106", ".731", ".470", ".341", ".241", ".222"]),
            printed(
                risks, ["25.000", "1.415", "2.437", "3.210", "3.723", "3.959", "4.175", "4.220"]
            ),
            numbers([found.global_minimum.rank, int(np.argmin(risks))], [7, 1], atol=0),
        ]
    )


def symbolic_statements() -> list[Statement]:
    """What needs no training."""
    every = ("every differentiable C, all sizes",)
    square = ("full square loss",)
    decay = ("full square loss", "lam > 0", "hidden widths >= rank")
    tables = [
        Statement(f"critical points: L = {depth}, s = {', '.join(s)}", OURS, decay,
                  partial(classes, depth, s))
        for depth, s in LISTED
    ]  # fmt: skip
    return [
        Statement("balance, also with decay", RECALLED, every, balance),
        Statement("dropped: balanced start", OURS, ("w_1 != w_2",), unbalanced_steps),
        Statement("exponents of the scales", RECALLED, ("Gaussian entries",), exponents),
        Statement("saddle with zero ends", RECALLED, every, saddle_between_the_ends),
        Statement("escape from the origin", RECALLED, every, escape),
        Statement("escape times of drawn starts", OURS, ("seed 3",), escape_times),
        Statement("plateaus and their Hessians", RECALLED, square, plateaus),
        Statement("skipped modes are strict saddles", OURS, square, skipped_modes),
        Statement("time of a mode", OURS, ("balanced, aligned",), mode_times),
        Statement("two layers in closed form", RECALLED, ("balanced up to c I",), two_layers),
        Statement("L2 decay is a Schatten quasi-norm", ABSTRACT, ("widths >= rank",), schatten),
        Statement("norms of drawn factors", OURS, ("widths >= rank",), norms_of_factors),
        Statement("dropped: widths >= rank", OURS, ("width 1, rank 2",), narrow_width),
        Statement("thresholds", OURS, decay, threshold_formulas),
        *tables,
        Statement("lowest curvatures", OURS, decay, lowest_curvatures),
        Statement("two layers have no bad minima", ABSTRACT, decay, two_layer_landscape),
        Statement("dropped: two layers", ABSTRACT, ("L = 3",), spurious_minima),
        Statement("better local minima", ABSTRACT, ("L = 3",), better_local_minima),
    ]


def statements() -> list[Statement]:
    """Every statement of this file."""
    return symbolic_statements()
