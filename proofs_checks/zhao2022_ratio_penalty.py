r"""D. Zhao, "Combining explicit and implicit regularization for efficient learning".

In deep networks; NeurIPS 2022 (arXiv:2306.00342). Of the paper the abstract and reviews of others
were seen: the penalty is $\|W\|_*/\|W\|_F$. The equation of the singular values is recalled;
gradient, kinks, threshold and the closed form of the flow of the penalty alone were derived here.

`symbolic_statements` needs no training; runs of networks belong into a list of their own.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

import theory as th
from proofs_checks.derived import exactly, fails, holds, refused
from proofs_checks.statement import (
    OURS,
    Outcome,
    Statement,
    all_of,
    bound,
    identities,
    numbers,
    printed,
)

RECALLED = "recalled"
networks = th.networks
SIGNS = dict.fromkeys(("a", "b", "c", "mu", "nu", "f", "sigma"), "positive") | {
    "g": "real",
    "L": "(1, oo)",
}


def _ratio(W: np.ndarray) -> float:
    return float(np.linalg.norm(W, "nuc") / np.linalg.norm(W))


def gradient() -> Outcome:
    """The diagonal of the gradient is (1 - nu sigma/f^2)/f, as SymPy differentiates R."""
    values = sp.symbols("a b c", positive=True)
    penalty = networks.ratio_penalty(values)
    typed = "(1 - (a + b + c)*{}/(a**2 + b**2 + c**2))/sqrt(a**2 + b**2 + c**2)"
    pairs = [
        (f"entry {v}", g, typed.format(v)) for v, g in zip(values, penalty.gradient, strict=True)
    ]
    pairs += [(f"dR/d{v}", sp.diff(penalty.value, v), typed.format(v)) for v in values]
    inner = sum(v * g for v, g in zip(values, penalty.gradient, strict=True))
    size = sum(g**2 for g in penalty.gradient)
    pairs += [("<grad R, W>", inner, "0"), ("|grad R|^2", size, penalty.gradient_norm**2)]
    return all_of([identities(pairs, SIGNS), holds(penalty)])


def differences() -> Outcome:
    """Finite differences, also at equal singular values, where R is smooth."""
    rng = np.random.default_rng(0)
    worst, h = 0.0, 1e-6
    for values in ((3.0, 2.0, 1.0), (2.0, 2.0, 2.0), (3.0, 3.0, 0.5)):
        U, V = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
        W = U @ np.diag(values) @ V.T
        found = networks.ratio_penalty_gradient(W)
        for i, j in np.ndindex(3, 3):
            E = np.zeros((3, 3))
            E[i, j] = h
            worst = max(worst, abs((_ratio(W + E) - _ratio(W - E)) / (2 * h) - found[i, j]))
    return bound(worst, 4e-9, "largest difference")


def kink() -> Outcome:
    """Dropped: sigma > 0. One-sided derivatives at a zero differ by 2/f, the size of the kink."""
    W, E = np.diag([2.0, 0.0]), np.diag([0.0, 1.0])
    h = 1e-7
    sides = [(_ratio(W + s * h * E) - _ratio(W)) / h for s in (1, -1)]
    return numbers(sides, [0.5, 0.5], atol=1e-6)


def zero_matrix() -> Outcome:
    """Dropped: W != 0. R has no limit there, and is refused."""
    refusal = refused(
        th.errors.DomainError, lambda: networks.ratio_penalty([0, 0]), "R at the zero matrix"
    )
    a = sp.Symbol("a", positive=True)
    first, second = (networks.ratio_penalty(v).value for v in ([a], [a, a]))
    return all_of([refusal, fails(th.prove(f"{first} == {second}"), "one limit at zero")])


def threshold() -> Outcome:
    """Descent of R lets sigma grow exactly above f^2/nu."""
    found = networks.ratio_penalty([5, 3, 2, 1])
    level = identities([("f**2/nu", found.threshold, "39/11")])
    return all_of([level, exactly(found.growth, (1, -1, -1, -1), "growth")])


def singular_values() -> Outcome:
    """Sigma' = -L sigma^(2-2/L) (u^T grad v + (mu/f)(1 - nu sigma/f^2)); L = 1 has factor 1."""
    flow = networks.singular_value_flow("L", ratio="mu")
    stated = "-L*sigma**(2 - 2/L)*(g + mu/f*(1 - nu*sigma/f**2))"
    one = networks.singular_value_flow(1, ratio="mu")
    pairs = [
        ("L layers", flow.rate, stated),
        ("one layer", one.rate, "-g - mu/f*(1 - nu*sigma/f**2)"),
    ]
    return all_of([identities(pairs, SIGNS), holds(flow, one)])


def closed_form() -> Outcome:
    """The flow of the penalty alone: hyperbolic functions, typed for two singular values."""
    flow = networks.ratio_flow([2, 1], 1)
    t = sp.Symbol("t", positive=True)
    first, second = flow.phases[0].at(t)
    now = "(atanh(3/sqrt(10)) - sqrt(2)*t/5)"
    mean = f"sqrt(5)*tanh({now})/sqrt(2)"
    spread = f"cosh(atanh(3/sqrt(10)))/(2*cosh({now}))"
    pairs = [
        ("sigma_1", first, f"{mean} + {spread}"),
        ("sigma_2", second, f"{mean} - {spread}"),
    ]
    return all_of([identities(pairs, {"t": "positive"}), holds(flow)])


def invariants() -> Outcome:
    """The norm, and ratios of differences of singular values, are constant."""
    t = sp.Symbol("t", positive=True)
    a, b, c = networks.ratio_flow([4, 2, 1], 1).phases[0].at(t)
    pairs = [
        ("f**2", a**2 + b**2 + c**2, "21"),
        ("(a - b)/(b - c)", (a - b) / (b - c), "2"),
    ]
    return identities(pairs, {"t": "positive"})


def ends() -> Outcome:
    """The end is rank one with the norm of the start, in finite time."""
    flow = networks.ratio_flow([3, 2, 1], 1)
    pairs = [("limit", flow.limit[0], "sqrt(14)")]
    rest = exactly(flow.limit[1:], (0, 0), "other values")
    times = numbers([float(p.start) for p in flow.phases], [0, 4.82217, 14.0987], atol=1e-4)
    return all_of([identities(pairs), rest, times])


def repeated_top() -> Outcome:
    """Dropped: a simple largest value. Equal ones stay equal, and R ends at sqrt(2)."""
    flow = networks.ratio_flow([2, 2, 1], 1)
    end = networks.ratio_penalty(flow.limit)
    ok = end.rank == 2 and th.prove(f"{end.value} == sqrt(2)").proved
    text = f"rank {end.rank}, R = {end.value}"
    return Outcome("REFUTED" if ok else "FAILED", text, "rank 2, R = sqrt(2)", ok)


def effective_rank() -> Outcome:
    """Exp of the entropy of the normalized singular values; k for k equal ones."""
    pairs = [
        ("equal", networks.effective_rank([3, 3, 3, 0]), "3"),
        ("4, 2, 2", networks.effective_rank([4, 2, 2]), "exp(log(2)/2 + log(4)/2)"),
        ("rank one", networks.effective_rank([7, 0]), "1"),
    ]
    return identities(pairs)


def target_rank() -> Outcome:
    """The drawn 100 x 100 targets of rank 5: nuclear norms, and effective ranks near 4.92."""
    nuclear, ranks = [], []
    for seed in (0, 1, 2):
        rng = np.random.default_rng(seed)
        U, V = rng.normal(size=(100, 5)), rng.normal(size=(100, 5))
        W = U @ V.T
        s = 100 / np.linalg.norm(W) * np.linalg.svd(W, compute_uv=False)[:5]
        nuclear.append(float(networks.schatten_norm(s)))
        ranks.append(float(networks.effective_rank(s)))
    near = numbers(ranks, [4.92] * 3, atol=0.03)
    return all_of([printed(nuclear, ["219.6", "220.2", "221.2"]), near])


def symbolic_statements() -> list[Statement]:
    """What needs no training."""
    smooth = ("W != 0", "all sigma > 0")
    alone = ("the penalty alone", "one layer")
    return [
        Statement("gradient in singular bases", OURS, smooth, gradient),
        Statement("finite differences", OURS, smooth, differences),
        Statement("dropped: sigma > 0", OURS, ("sigma = (2, 0)",), kink),
        Statement("dropped: W != 0", OURS, ("W = 0",), zero_matrix),
        Statement("threshold of growth", OURS, smooth, threshold),
        Statement("equation of singular values", RECALLED, ("balanced start",), singular_values),
        Statement("closed form of the flow", OURS, alone, closed_form),
        Statement("invariants of the flow", OURS, alone, invariants),
        Statement("end at rank one", OURS, (*alone, "simple largest value"), ends),
        Statement("dropped: simple largest value", OURS, ("sigma = (2, 2, 1)",), repeated_top),
        Statement("effective rank", RECALLED, ("W != 0",), effective_rank),
        Statement("effective rank of the target", OURS, ("seeds 0, 1, 2",), target_rank),
    ]


def statements() -> list[Statement]:
    """Every statement of this file."""
    return symbolic_statements()
