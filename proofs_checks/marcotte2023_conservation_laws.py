r"""S. Marcotte, R. Gribonval, G. Peyré, "Abide by the law and follow the flow: conservation laws
for gradient flows", NeurIPS 2023 (arXiv:2307.00144).

The number of conservation laws for every loss and data set is D minus the rank of the Lie algebra
that the fields of the model generate. The authors count it at a random point in floating point, for
50 linear and 50 ReLU networks drawn with the seed 0 in their notebook, and compare it with the laws
that they know. Here the rank is a bound with a proof, and the laws that reach it are written down.
The ranks of the lists, and the table of small two-layer networks, are ours.
"""

from __future__ import annotations

from functools import partial

import sympy as sp

import theory as th
from proofs_checks.law_counts import count_is, counts_are, widths
from proofs_checks.statement import OURS, Outcome, Statement, all_of

PAPER = "the paper, recalled: closed forms of the numbers of laws"
NOTEBOOK = "the authors' notebook, seed 0"

# widths, number of laws, rank of the Lie algebra
LINEAR = [
    ("5,3,2", 6, 15), ("5,5,4,4,5", 35, 46), ("3,4,2,4", 13, 15), ("2,2,2", 3, 5),
    ("4,2,5", 3, 15), ("3,2,3,3", 9, 12), ("2,4,5,2,2", 28, 14), ("2,3,3", 6, 9),
    ("2,5,4,3", 25, 17), ("2,4,2,2", 13, 7), ("2,4,3,4,4", 26, 22), ("3,2,4", 3, 11),
    ("4,5,3", 15, 20), ("3,2,3", 3, 9), ("5,5,2", 15, 20), ("5,5,3,2", 21, 25),
    ("3,4,5,4,2", 35, 25), ("5,2,3", 3, 13), ("3,4,5", 10, 22), ("3,5,5,3,2", 36, 25),
    ("5,5,5", 15, 35), ("5,5,4,4,5", 35, 46), ("5,2,3", 3, 13), ("3,4,3,2,3", 19, 17),
    ("5,4,3", 10, 22), ("2,5,4", 15, 15), ("3,2,3,5", 9, 18), ("4,5,5,5", 30, 40),
    ("3,2,5", 3, 13), ("5,5,3,5", 21, 34), ("2,4,5,2", 25, 13), ("3,5,3,4", 21, 21),
    ("3,5,3", 15, 15), ("3,2,4,2", 13, 9), ("3,3,3", 6, 12), ("3,3,3,3", 12, 15),
    ("4,4,5,4,4", 35, 37), ("4,5,2", 15, 15), ("5,2,3,2,4", 12, 18), ("5,3,3,2", 12, 18),
    ("2,4,2,4", 13, 11), ("2,3,5", 6, 15), ("2,2,3", 3, 7), ("2,2,4", 3, 9),
    ("3,3,5,5,2", 36, 23), ("3,5,5,5,5", 45, 45), ("5,3,3,5,3", 27, 27), ("5,5,2,2", 18, 21),
    ("4,5,4", 15, 25), ("4,2,5", 3, 15),
]  # fmt: skip

# widths ("b": with biases), number of laws, rank
RELU = [
    ("9,7,2", 7, 70), ("8,5,8,5,5", 18, 127), ("8,8,6,6,4", 20, 152), ("8,6,8", 6, 90),
    ("2,4,5,8,5b", 17, 108), ("8,5,9,8b", 14, 157), ("4,6,7", 6, 60), ("7,3,4,5b", 7, 53),
    ("7,2,6b", 2, 26), ("7,9,9,7,3", 25, 203), ("9,8,5,4,7", 17, 143), ("7,3,4,5", 7, 46),
    ("8,7,3,6", 10, 85), ("6,4,2,3,6", 9, 47), ("2,6,3,7,2", 16, 49), ("9,7,3,9,4", 19, 128),
    ("3,5,3b", 5, 30), ("3,7,9,3,3b", 19, 120), ("5,3,3,4b", 6, 36), ("2,3,6,8", 9, 63),
    ("7,2,6,6b", 8, 62), ("9,3,5,9,9", 17, 151), ("9,4,7", 4, 60), ("9,9,8,8,8b", 25, 281),
    ("9,9,3,2", 12, 102), ("3,6,2,3,7", 11, 46), ("4,2,4,3", 6, 22), ("7,4,2,5,7", 11, 70),
    ("9,8,4,8,5", 20, 156), ("8,2,4,5b", 6, 44), ("3,6,7b", 6, 60), ("2,3,9,9,3", 21, 120),
    ("4,5,6", 5, 45), ("9,6,7,9b", 13, 159), ("6,6,4,6", 10, 74), ("7,4,7,3,4", 14, 75),
    ("9,6,7,9", 13, 146), ("8,2,2b", 2, 20), ("2,6,6,7", 12, 78), ("7,8,7", 8, 104),
    ("7,9,7,6b", 16, 168), ("2,6,6b", 6, 48), ("9,8,4b", 8, 104), ("3,9,8,3,3b", 20, 132),
    ("8,7,5,5,5b", 17, 141), ("9,5,2b", 5, 55), ("9,2,7b", 2, 32), ("2,7,4,5,3", 16, 61),
    ("9,4,8b", 4, 68), ("3,6,4,2,9b", 12, 68),
]  # fmt: skip


def linear(text: str) -> th.networks.Network:
    return th.networks.linear(*widths(text)[0])


def relu(text: str) -> th.networks.Network:
    n, bias = widths(text)
    return th.networks.relu(*n, bias=bias)


def law_is(model: th.Coupled | th.networks.Network, law: str, expected: bool) -> Outcome:
    """Whether a formula is conserved, proved or refuted."""
    verdict = th.conserved(law, th.GradientFlow(model))
    ok = verdict.proved if expected else verdict.refuted
    return Outcome(str(verdict.status) if ok else "FAILED", f"{law}: {verdict.status}",
                   f"{law}: {'conserved' if expected else 'not conserved'}", ok)  # fmt: skip


def products_of_scalars() -> Outcome:
    """One product of D parameters: D - 1 laws, the differences of squares."""
    outcomes = [count_is(th.networks.hadamard(1, depth), depth - 1) for depth in range(1, 9)]
    names = "u, v, w"
    three = th.Coupled(["u*v*w"], names)
    outcomes += [law_is(three, law, True) for law in ("u**2 - w**2", "v**2 - w**2")]
    return all_of(outcomes)


def generic_field() -> Outcome:
    """A generic polynomial of five parameters: four laws, none of them of degree up to 4."""
    x = sp.symbols("x1:6", real=True)
    exponents = [(1, 2, 0, 1, 0), (0, 1, 1, 2, 1), (2, 0, 1, 0, 1), (1, 1, 0, 0, 2),
                 (0, 0, 2, 1, 1), (1, 0, 1, 1, 0), (0, 2, 0, 1, 2)]  # fmt: skip
    coefficients = (3, -7, 5, 11, -2, 13, 4)
    terms = [
        c * sp.Mul(*(s**e for s, e in zip(x, row, strict=True)))
        for c, row in zip(coefficients, exponents, strict=True)
    ]
    found = th.GradientFlow(th.Coupled([sp.Add(*terms)], x)).conservation_laws(degree=4)
    measured = f"at most {found.upper_bound}, {len(found.found)} of degree up to 4"
    expected = "at most 4, 0 of degree up to 4"
    ok = measured == expected
    return Outcome("PROVED" if ok else "FAILED", measured, expected, ok)


def two_layers(n: int, r: int, m: int) -> int:
    """The closed form for U of shape n x r and V of shape r x m."""
    if n + m >= r:
        return r * (r + 1) // 2
    return (n + m) * (2 * r + 1 - n - m) // 2


def table_of_two_layers() -> Outcome:
    """Every n, m up to 4 and r up to 6."""
    cases = [(n, r, m) for n in range(1, 5) for r in range(1, 7) for m in range(1, 5)]
    return counts_are(
        [(f"{n},{r},{m}", th.networks.linear(n, r, m), two_layers(n, r, m)) for n, r, m in cases]
    )


def balanced_matrices() -> Outcome:
    """The laws of all sizes at once."""
    laws = th.networks.matrix_laws(th.networks.linear("n", "r", "s", "m"))
    measured = "; ".join(map(str, laws))
    expected = "W1*W1.T - W2.T*W2; W2*W2.T - W3.T*W3"
    return Outcome("PROVED" if measured == expected else "FAILED", measured, expected,
                   measured == expected)  # fmt: skip


def deep_closed_form() -> Outcome:
    """The lists obey the closed forms that they illustrate."""
    bad = []
    for text, laws, _ in LINEAR:
        n, _ = widths(text)
        if laws != sum(r * (r + 1) // 2 for r in n[1:-1]):
            bad.append(text)
    for text, laws, _ in RELU:
        n, _ = widths(text)
        if laws != sum(n[1:-1]):
            bad.append(text)
    text = "sum of r (r + 1)/2 for 50 linear, number of hidden units for 50 ReLU networks"
    return Outcome("FAILED" if bad else "PROVED", ", ".join(bad) or text, text, not bad)


def too_wide() -> Outcome:
    """A hidden layer wider than its neighbors together: r (r + 1)/2 = 6 is too many."""
    return count_is(th.networks.linear(1, 3, 1), 5, 1)


def given_data() -> Outcome:
    """One sample sees one combination of the outputs: more is conserved."""
    network = th.networks.linear(2, 1, 1)
    return all_of([count_is(network, 1), count_is(network, 2, data=[[1, 2]])])


def differences_alone() -> Outcome:
    """One entry of U^T U without the one of V V^T is no law."""
    network = th.networks.linear(2, 1, 2)
    return all_of(
        [
            law_is(network, "W1_1_1**2 + W1_1_2**2 - W2_1**2 - W2_2**2", True),
            law_is(network, "W1_1_1**2 + W1_1_2**2", False),
            law_is(network, "W1_1_1**2 + W1_1_2**2 - W2_1**2 - W2_2**2 + W2_1/10**20", False),
        ]
    )


def statements() -> list[Statement]:
    """Every statement of this file."""
    every = ("every loss and data set",)
    out = [
        Statement("products of scalars", PAPER, every, products_of_scalars),
        Statement("a generic field", NOTEBOOK, every, generic_field),
        Statement("two layers: n, m <= 4, r <= 6", PAPER, every, table_of_two_layers),
        Statement("balanced matrices of all sizes", PAPER, every, balanced_matrices),
        Statement("closed forms of the lists", PAPER, every, deep_closed_form),
        Statement("dropped: r <= n + m", OURS, ("1,3,1",), too_wide),
        Statement("dropped: every data set", OURS, ("one sample",), given_data),
        Statement("dropped: the difference of both", OURS, every, differences_alone),
    ]
    for i, (text, laws, rank) in enumerate(LINEAR):
        check = partial(_linear, text, laws, rank)
        out.append(Statement(f"linear {i}: {text}", NOTEBOOK, every, check))
    for i, (text, laws, rank) in enumerate(RELU):
        check = partial(_relu, text, laws, rank)
        out.append(Statement(f"ReLU {i}: {text}", NOTEBOOK, every, check))
    return out


def _linear(text: str, laws: int, rank: int) -> Outcome:
    return count_is(linear(text), laws, rank)


def _relu(text: str, laws: int, rank: int) -> Outcome:
    return count_is(relu(text), laws, rank)
