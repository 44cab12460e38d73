r"""S. Marcotte, R. Gribonval, G. Peyré, "Keep the momentum: conservation laws beyond Euclidean
gradient flows", ICML 2024 (arXiv:2405.12888).

Flows with momentum, $\theta'' + \tau\theta' = -M\nabla\ell$, and with the metric of multiplicative
updates. The lists are the ones of the authors' notebook (seed 0). Their code draws the friction
with ``randint(0, 1)``, which is always 0; the counts for friction 1 and 3/t are ours, and so is the
table of two-layer networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import theory as th
from proofs_checks.law_counts import count_is, counts_are, each, widths
from proofs_checks.statement import OURS, Outcome, Statement, all_of

PAPER = "the abstract"
NOTEBOOK = "the authors' notebook, seed 0"
FRICTIONS: tuple[Any, ...] = (0, 1, "3/t")

# widths, laws of the gradient flow, laws with momentum
TWO_LAYERS = [
    ("1,1,1", 1, 0), ("1,2,1", 3, 2), ("1,3,1", 5, 6), ("1,4,1", 7, 10), ("2,1,2", 1, 0),
    ("2,2,2", 3, 1), ("3,2,2", 3, 1), ("2,3,1", 6, 3), ("2,3,2", 6, 3), ("3,3,3", 6, 3),
    ("2,4,1", 9, 6), ("2,4,2", 10, 6), ("3,4,2", 10, 6),
]  # fmt: skip

# widths, laws with momentum
LINEAR = [
    ("2,1,2", 0), ("2,1,2,1", 2), ("1,1,1,1", 0), ("1,2,3,1", 4), ("1,1,2", 0), ("1,1,1,3", 0),
    ("2,3,3,3", 6), ("1,1,3,2", 3), ("2,3,3,2", 6), ("2,3,3,3", 6), ("2,2,1", 1), ("3,3,3,2", 6),
    ("1,3,1", 6), ("3,2,2,1", 2), ("2,1,3", 0), ("1,3,2", 3), ("2,1,3,3", 3), ("1,1,2,2", 1),
    ("3,2,2", 1), ("2,3,1", 3),
]  # fmt: skip

# none of them has a law with momentum
RELU = each(
    "2,1,2 2,1,1 2,2,2 3,3,1,3 3,3,3 2,1,1,1 2,3,1,1 3,3,3,1b 1,1,2 1,3,3b 1,3,1b 2,2,3,1b 2,1,3 "
    "3,1,3,3b 2,3,1b 2,3,1,3b 1,3,3,3b 1,1,2 3,3,2b 3,1,2"
)

# n, r, m of U (n x r) times V (r x m); r laws of the gradient flow
NMF = each(
    "5,6,1 7,1,5 5,3,7 1,3,5 2,2,1 7,5,4 2,1,3 2,5,7 2,5,3 2,1,2 3,5,2 6,5,3 1,1,3 2,1,3 3,4,2 "
    "2,3,5 3,7,7 3,1,2 5,4,5 3,5,4"
)
# the first, the last and the two largest of the notebook's list with momentum, and the list above
NMF_MOMENTUM = ["5,1,4", "4,2,4", "4,5,5", "5,5,4", *NMF]

# n, r, m of U relu(V z + b); r laws of the gradient flow, none with momentum
ICNN = each(
    "5,1,4 4,3,5 4,1,1 4,2,2 5,1,4b 2,2,3b 2,4,4b 4,5,4b 5,1,3 3,5,5b 4,4,4 4,3,1b 4,4,3b 3,5,3b "
    "5,3,5 4,5,4 2,5,2 5,3,5b 2,2,2b 4,1,2b"
)


def linear(text: str) -> th.networks.Network:
    return th.networks.linear(*widths(text)[0])


def relu(text: str) -> th.networks.Network:
    n, bias = widths(text)
    return th.networks.relu(*n, bias=bias)


def nmf(text: str) -> th.networks.Network:
    n, r, m = widths(text)[0]
    return th.networks.nmf(n, m, r)


def icnn(text: str) -> th.networks.Network:
    # U is the outer layer
    (n, r, m), bias = widths(text)
    return th.networks.icnn(m, r, n, bias=bias)


def without_laws(build: Callable[[str], Any], texts: Sequence[str], friction: Any) -> Outcome:
    rows = [(text, build(text), 0) for text in texts]
    return counts_are(rows, momentum=friction, degree=1)


def as_many_as_hidden_units(
    build: Callable[[str], Any], texts: Sequence[str], degree: int
) -> Outcome:
    rows = [(text, build(text), widths(text)[0][1]) for text in texts]
    return counts_are(rows, degree=degree)


def table(friction: Any) -> Outcome:
    """Laws with momentum of small two-layer networks."""
    return counts_are([(t, linear(t), n) for t, _, n in TWO_LAYERS], momentum=friction)


def fewer_laws() -> Outcome:
    """Momentum has fewer laws, except where the network is very wide."""
    more = [t for t, plain, momentum in TWO_LAYERS if momentum > plain]
    measured, expected = "more laws with momentum: " + "; ".join(more), "1,3,1; 1,4,1"
    plain = counts_are([(t, linear(t), n) for t, n, _ in TWO_LAYERS])
    ok = plain.ok and measured.endswith(": " + expected)
    return Outcome(
        "PROVED" if ok else "FAILED", measured, f"more laws with momentum: {expected}", ok
    )


def wide_scalars() -> Outcome:
    """One input and one output: u + v and u - v turn separately, 4 r - 6 laws for r >= 2."""
    rows = [(f"1,{r},1", th.networks.linear(1, r, 1), 4 * r - 6) for r in range(2, 8)]
    return counts_are(rows, momentum=1)


def angular_momentum() -> Outcome:
    """The law of two units, times the factor that friction takes away."""
    network = th.networks.linear(2, 2, 1)
    found = th.GradientFlow(network).conservation_laws(momentum=1)
    ((law, factor),) = found.decaying
    expected = (
        "W1_1_1*dW1_2_1 + W1_1_2*dW1_2_2 - W1_2_1*dW1_1_1 - W1_2_2*dW1_1_2 "
        "+ W2_1_1*dW2_1_2 - W2_1_2*dW2_1_1"
    )
    names = [s.name for s in law.free_symbols]
    same = any(
        th.prove(f"{law} == {sign}({expected})", assume=dict.fromkeys(names, "real")).proved
        for sign in ("", "-")
    )
    ok = same and found.complete and str(factor) == "exp(t)"
    measured = f"({law})*{factor}"
    return Outcome("PROVED" if ok else "FAILED", measured, f"({expected})*exp(t)", ok)


def another_metric() -> Outcome:
    """Momentum with the metric diag(theta) instead: 2 r laws with friction."""
    network = th.networks.nmf(2, 3, 2)
    metric = [s.name for s in network.parameters]
    return count_is(network, 4, momentum=1, metric=metric)


def other_metric_of_convex_networks(friction: Any) -> Outcome:
    """The authors' code has the metric diag(U), their text diag(tau U + U'): no law either way."""
    rows = [icnn(text) for text in ICNN]
    outcomes = [
        count_is(n, 0, momentum=friction, degree=1, metric=list(n.scaling or ())) for n in rows
    ]
    return all_of(outcomes)


def attention() -> Outcome:
    """One head is two two-layer networks, Q K^T and V O, that share nothing."""
    outcomes = []
    for d, k in ((2, 1), (2, 2), (3, 2), (2, 3)):
        outcomes.append(count_is(th.networks.attention(d, k), k * (k + 1)))
        outcomes.append(count_is(th.networks.attention(d, k), k * (k - 1), momentum=1))
    return all_of(outcomes)


def statements() -> list[Statement]:
    """Every statement of this file."""
    every = ("every loss and data set",)
    out = [
        Statement("fewer laws than gradient flow", PAPER, every, fewer_laws),
        Statement("NMF, gradient flow", NOTEBOOK, every,
                  partial(as_many_as_hidden_units, nmf, NMF, 1)),
        Statement("ICNN, gradient flow", NOTEBOOK, every,
                  partial(as_many_as_hidden_units, icnn, ICNN, 2)),
        Statement("wide scalar networks", OURS, (*every, "friction 1"), wide_scalars),
        Statement("angular momentum", OURS, (*every, "friction 1"), angular_momentum),
        Statement("dropped: the metric of mirror momentum", OURS, ("diag(theta)",),
                  another_metric),
        Statement("attention", OURS, every, attention),
    ]  # fmt: skip
    for friction in FRICTIONS:
        given = (*every, f"friction {friction}")
        source = NOTEBOOK if friction == 0 else OURS
        rows = [(t, linear(t), n) for t, n in LINEAR]
        out += [
            Statement(f"two layers, friction {friction}", OURS, given, partial(table, friction)),
            Statement(f"linear, friction {friction}", source, given,
                      partial(counts_are, rows, momentum=friction)),
            Statement(f"ReLU, friction {friction}", source, given,
                      partial(without_laws, relu, RELU, friction)),
            Statement(f"NMF, friction {friction}", OURS, given,
                      partial(without_laws, nmf, NMF_MOMENTUM, friction)),
            Statement(f"ICNN, friction {friction}", source, given,
                      partial(without_laws, icnn, ICNN, friction)),
            Statement(f"ICNN with the metric of the code, friction {friction}", source, given,
                      partial(other_metric_of_convex_networks, friction)),
        ]  # fmt: skip
    return out
