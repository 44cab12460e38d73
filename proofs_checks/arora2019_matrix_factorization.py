r"""S. Arora, N. Cohen, W. Hu, Y. Luo, "Implicit regularization in deep matrix factorization".

arXiv:1905.13655. Recalled: from a balanced start the singular values of the product of N matrices
move by $\dot\sigma = -N\,(\sigma^2)^{1-1/N}\langle\nabla\ell(W), uv^T\rangle$, so that depth slows
small ones down and speeds large ones up. N is called L here. What is ours is marked.

`symbolic_statements` needs no training; runs of networks belong into a list of their own.
"""

from __future__ import annotations

import sympy as sp

import theory as th
from proofs_checks.derived import exactly, fails, holds
from proofs_checks.statement import OURS, Outcome, Statement, all_of, identities, status

RECALLED = "recalled"
SIGNS = {"sigma": "positive", "g": "real", "L": "(1, oo)", "lam": "positive"}
networks = th.networks


def equation() -> Outcome:
    """Sigma' = -N (sigma^2)^(1 - 1/N) <grad, u v^T>."""
    flow = networks.singular_value_flow("L")
    pairs = [("sigma'", flow.rate, "-L*(sigma**2)**(1 - 1/L)*g")]
    return all_of([identities(pairs, SIGNS), holds(flow)])


def small_depths() -> Outcome:
    """N = 1, 2, 3, each with a check on rational matrices."""
    typed = {1: "-g", 2: "-2*sigma*g", 3: "-3*sigma**(4/3)*g"}
    flows = {n: networks.singular_value_flow(n) for n in typed}
    pairs = [(f"N = {n}", flows[n].rate, text) for n, text in typed.items()]
    return all_of([identities(pairs, SIGNS), holds(*flows.values())])


def gaps() -> Outcome:
    """Two values with the same slope: the larger grows relatively faster for N > 2 only.

    (sigma'/sigma) is N sigma^(1 - 2/N) times -g: its derivative has the sign of N - 2.
    """
    relative = "L*sigma**(1 - 2/L)"
    deep = th.monotone(
        relative, "(0, oo)", x="sigma", direction="increasing", assume={"L": "(2, oo)"}
    )
    two = exactly(sp.S(1 - sp.Rational(2, 2)), 0, "exponent for N = 2")
    return all_of([status(deep, "PROVED"), two])


def zero_stays() -> Outcome:
    """The rate vanishes at sigma = 0 for N >= 2: singular values keep their sign."""
    limits = [th.limit_is(f"{n}*sigma**(2 - 2/{n})", "sigma", 0, 0, dir="+") for n in (2, 3, 4)]
    one = th.limit_is("sigma**0", "sigma", 0, 0, dir="+")
    return all_of(
        [*(status(v, "PROVED") for v in limits), fails(one, "dropped: N >= 2, the rate is -g")]
    )


def decay() -> Outcome:
    """Decay adds -2 lam N sigma."""
    flow = networks.singular_value_flow("L", lam="lam")
    stated = "-L*(sigma**2)**(1 - 1/L)*g - 2*lam*L*sigma"
    return all_of([identities([("sigma'", flow.rate, stated)], SIGNS), holds(flow)])


def dropped_balance() -> Outcome:
    """A scalar chain with w = (2, 1/2): a' = -(17/4) g, and not -2 g."""
    chain = [sp.Integer(2), sp.Rational(1, 2)]
    rate = sum(w**2 for w in chain)
    product = {"sigma": chain[0] * chain[1]}
    flow = networks.singular_value_flow(2)
    stated = -flow.rate.xreplace({flow.sigma: product["sigma"], flow.slope: sp.S.One})
    return fails(th.prove(f"{rate} == {stated}"), "the rate from a start that is not balanced")


def symbolic_statements() -> list[Statement]:
    """What needs no training."""
    balanced = ("every differentiable loss", "balanced start", "simple sigma > 0")
    return [
        Statement("equation of singular values", RECALLED, balanced, equation),
        Statement("depths 1, 2 and 3", RECALLED, balanced, small_depths),
        Statement("depth widens gaps", RECALLED, balanced, gaps),
        Statement("zero stays zero", RECALLED, balanced, zero_stays),
        Statement("with decay", OURS, balanced, decay),
        Statement("dropped: balanced start", OURS, ("w = (2, 1/2)",), dropped_balance),
    ]


def statements() -> list[Statement]:
    """Every statement of this file."""
    return symbolic_statements()
