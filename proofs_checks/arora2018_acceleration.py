r"""S. Arora, N. Cohen, E. Hazan, "On the optimization of deep networks".

Subtitle: implicit acceleration by overparameterization (arXiv:1802.06509). Recalled: balancedness
is kept; the product of N balanced layers moves by
$\dot W = -\sum_j(WW^T)^{(N-j)/N}\,\nabla\,(W^TW)^{(j-1)/N}$; for one output that is
$-\|w\|^{2-2/N}(g + (N-1)\,\mathrm{Pr}_w g)$; and for N > 2 it is the gradient of no function when
the loss has no critical point at zero. What is ours is marked.

`symbolic_statements` needs no training; runs of networks belong into a list of their own.
"""

from __future__ import annotations

import sympy as sp

import theory as th
from proofs_checks.derived import fails, holds
from proofs_checks.statement import OURS, Outcome, Statement, all_of, identities

RECALLED = "recalled"
networks = th.networks


def balance() -> Outcome:
    """W_{l+1}^T W_{l+1} - W_l W_l^T is constant for every loss, depth and size."""
    words = networks.matrix_laws(networks.linear("n", "r", "s", "m"))
    text = "; ".join(map(str, words))
    expected = "W1*W1.T - W2.T*W2; W2*W2.T - W3.T*W3"
    second = Outcome("PROVED" if text == expected else "FAILED", text, expected, text == expected)
    return all_of([holds(networks.balancedness()), second])


def with_decay() -> Outcome:
    """With decay the differences shrink like exp(-4 lam t), whatever the loss."""
    law = networks.balancedness("L", "lam")
    signs = {"lam": "positive", "t": "positive"}
    return all_of([holds(law), identities([("factor", law.factor, "exp(-4*lam*t)")], signs)])


def end_to_end() -> Outcome:
    """The equation of the product, with a check on rational matrices for N = 2, 3, 4."""
    return holds(*(networks.singular_value_flow(depth) for depth in (2, 3, 4, "L")))


def _one_output(n: int, exact: bool = False) -> list[sp.Expr]:
    """The field of one output of two inputs, -|w|^(2-2/N) (g + (N-1) <w, g> w/|w|^2)."""
    w, g = sp.symbols("w1 w2", positive=True), sp.symbols("g1 g2", real=True)
    square = w[0] ** 2 + w[1] ** 2
    inner = w[0] * g[0] + w[1] * g[1]
    power = square ** (1 - sp.Rational(1, n))
    return [-power * (h + (n - 1) * inner * v / square) for v, h in zip(w, g, strict=True)]


def one_output() -> Outcome:
    """N layers of width one after the first: differentiated in their own parameters.

    Layers w/|w|^(1-1/N) and N - 1 scalars |w|^(1/N) are balanced with the product w.
    """
    outcomes = []
    signs = dict.fromkeys(("w1", "w2"), "positive") | dict.fromkeys(("g1", "g2"), "real")
    for n in (2, 3, 4):
        v = sp.symbols("v1 v2", positive=True)
        scalars = sp.symbols(f"a1:{n}", positive=True)
        g, w = sp.symbols("g1 g2", real=True), sp.symbols("w1 w2", positive=True)
        product = [sp.Mul(*scalars) * e for e in v]
        # gradient flow of the linear loss <g, product>
        moved = {
            p: -sum(h * sp.diff(e, p) for h, e in zip(g, product, strict=True))
            for p in (*v, *scalars)
        }
        radius = sp.sqrt(w[0] ** 2 + w[1] ** 2)
        at = {p: radius ** sp.Rational(1, n) for p in scalars}
        at |= {e: f / radius ** (1 - sp.Rational(1, n)) for e, f in zip(v, w, strict=True)}
        pairs = []
        for i, e in enumerate(product):
            change = sum(sp.diff(e, p) * m for p, m in moved.items()).xreplace(at)
            pairs.append((f"N = {n}, w{i + 1}'", change, _one_output(n)[i]))
        outcomes.append(identities(pairs, signs))
    return all_of(outcomes)


def _curl(n: int) -> sp.Expr:
    field = _one_output(n)
    w = sp.symbols("w1 w2", positive=True)
    return sp.diff(field[0], w[1]) - sp.diff(field[1], w[0])


SIGNS = dict.fromkeys(("w1", "w2"), "positive") | dict.fromkeys(("g1", "g2"), "real")


def no_potential() -> Outcome:
    """For N = 3, 4, 5 the field of a linear loss has a curl: it is no gradient."""
    return all_of(
        [fails(th.prove(f"{_curl(n)} == 0", assume=SIGNS), f"curl for N = {n}") for n in (3, 4, 5)]
    )


def two_layers_have_one() -> Outcome:
    """Dropped: N > 2. For N = 2 and a linear loss the field is that of -|w| <w, g>."""
    w, g = sp.symbols("w1 w2", positive=True), sp.symbols("g1 g2", real=True)
    f = -sp.sqrt(w[0] ** 2 + w[1] ** 2) * (w[0] * g[0] + w[1] * g[1])
    field = _one_output(2)
    pairs = [(f"component {i + 1}", sp.diff(f, w[i]), field[i]) for i in (0, 1)]
    return identities([*pairs, ("curl", _curl(2), "0")], SIGNS)


def singular_critical_point() -> Outcome:
    """Dropped: no critical point at zero. With g = w (a square loss at 0) N = 3 has a potential."""
    w = sp.symbols("w1 w2", positive=True)
    g = sp.symbols("g1 g2", real=True)
    square = w[0] ** 2 + w[1] ** 2
    field = [e.xreplace(dict(zip(g, w, strict=True))) for e in _one_output(3)]
    # radial fields are gradients: -3 |w|^(4/3) w is that of -(9/10) |w|^(10/3)
    f = -sp.Rational(9, 10) * square ** sp.Rational(5, 3)
    pairs = [(f"component {i + 1}", sp.diff(f, w[i]), field[i]) for i in (0, 1)]
    return identities(pairs, dict.fromkeys(("w1", "w2"), "positive"))


def dropped_balance() -> Outcome:
    """Two scalar layers (w_1, w_2) move by w_1^2 + w_2^2, balanced ones by 2 |w_1 w_2|."""
    signs = {"w1": "positive", "w2": "positive"}
    return fails(th.prove("w1**2 + w2**2 == 2*w1*w2", assume=signs), "the equation of the product")


def one_layer() -> Outcome:
    """Depth one: the field is -g."""
    return identities([("N = 1", _one_output(1)[0], "-g1")], SIGNS)


def symbolic_statements() -> list[Statement]:
    """What needs no training."""
    every = ("every differentiable loss",)
    balanced = (*every, "balanced layers")
    linear = ("linear loss", "one output", "balanced layers")
    return [
        Statement("balance", RECALLED, every, balance),
        Statement("balance with decay", OURS, every, with_decay),
        Statement("equation of the product", RECALLED, balanced, end_to_end),
        Statement("one output", RECALLED, balanced, one_output),
        Statement("no potential for N > 2", RECALLED, linear, no_potential),
        Statement("dropped: N > 2", OURS, linear, two_layers_have_one),
        Statement("dropped: no critical point at 0", OURS, ("square loss",),
                  singular_critical_point),
        Statement("dropped: balanced layers", OURS, ("w_1 != w_2",), dropped_balance),
        Statement("boundary: one layer", OURS, every, one_layer),
    ]  # fmt: skip


def statements() -> list[Statement]:
    """Every statement of this file."""
    return symbolic_statements()
