r"""Z. Li, T. Wang, J. Lee, S. Arora, "Implicit bias of gradient descent on reparametrized models".

Recalled (NeurIPS 2022), not quoted: $x = G(w)$ with commuting gradient fields,
$[\nabla G_i, \nabla G_j] = 0$, gives a mirror flow, with a Legendre potential when the domain is
complete. Here the diagonal case: $G_i$ depends on its own block only.
"""

from __future__ import annotations

from functools import partial

import sympy as sp

import theory as th
from proofs_checks.statement import OURS, Outcome, Statement, identities, status

RECALLED = "recalled: commuting parametrizations give mirror flows"


def bracket(first: sp.Matrix, second: sp.Matrix, symbols: list[sp.Symbol]) -> sp.Matrix:
    """[f, g] = Dg f - Df g."""
    return second.jacobian(symbols) * first - first.jacobian(symbols) * second


def elementwise_fields_commute(block: str) -> Outcome:
    """Two coordinates with the same formula in blocks of their own."""
    names = [s.name for s in sorted(sp.sympify(block).free_symbols, key=str)]
    symbols, maps = [], []
    for i in (1, 2):
        own = [sp.Symbol(f"{n}{i}", real=True) for n in names]
        symbols += own
        maps.append(sp.sympify(block).subs(dict(zip(map(sp.Symbol, names), own, strict=True))))
    fields = [sp.Matrix([sp.diff(g, s) for s in symbols]) for g in maps]
    entries = list(bracket(*fields, symbols))
    return identities([(f"entry {k}", e, 0) for k, e in enumerate(entries)])


def coupled_fields_do_not_commute() -> Outcome:
    """Two coordinates u v and u w share a parameter: the bracket is not zero."""
    u, v, w = symbols = list(sp.symbols("u v w", real=True))
    fields = [sp.Matrix([sp.diff(g, s) for s in symbols]) for g in (u * v, u * w)]
    entry = next(e for e in bracket(*fields, symbols) if e != 0)
    return status(th.prove(f"{entry} == 0"), "REFUTED")


def potential_of_the_block() -> Outcome:
    """F'' M = 1 along the curve for u v from u = v = alpha."""
    alpha = sp.Symbol("alpha", positive=True)
    flow = th.GradientFlow(th.Elementwise("u*v", "u, v"))
    derived = flow.mirror(start={"u": alpha, "v": alpha})
    x = derived.closed.x
    return identities([("F''", derived.hessian(x), "1/(2*x)")], {"x": "positive"})


def complete_domain(formula: str, start: dict[str, int], expected: str) -> Outcome:
    """Legendre when the curve exists for all xi, or |F'| is infinite at every finite end."""
    names = ", ".join(start)
    derived = th.GradientFlow(th.Elementwise(formula, names)).mirror(start=start)
    return status(derived.is_legendre, expected)


def statements() -> list[Statement]:
    """Every statement of this file."""
    out = [
        Statement(f"elementwise fields commute: {f}", RECALLED, ("own blocks",),
                  partial(elementwise_fields_commute, f))
        for f in ("u**2 - v**2", "u*v*w", "exp(u)*sin(v) + u")
    ]  # fmt: skip
    return [
        *out,
        Statement("dropped: shared parameters", OURS, ("u v, u w",), coupled_fields_do_not_commute),
        Statement("potential of u v", OURS, ("u0 = v0",), potential_of_the_block),
        Statement("complete domain: u**2 - v**2", RECALLED, ("complete",),
                  partial(complete_domain, "u**2 - v**2", {"u": 1, "v": 1}, "PROVED")),
        Statement("dropped: incomplete domain, u**(3/2)", OURS, ("incomplete",),
                  partial(complete_domain, "u**(3/2)", {"u": 1}, "REFUTED")),
    ]  # fmt: skip
