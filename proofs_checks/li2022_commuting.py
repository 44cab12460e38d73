r"""Z. Li, T. Wang, J. Lee, S. Arora, "Implicit bias of gradient descent on reparametrized models".

Recalled (NeurIPS 2022), not quoted: $x = G(w)$ with commuting gradient fields,
$[\nabla G_i, \nabla G_j] = 0$, gives a mirror flow, with a Legendre potential when the domain is
complete; conversely every mirror flow is locally one of a commuting parametrization. First the
diagonal case, where $G_i$ depends on its own block only, then coupled ones.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

import theory as th
from proofs_checks.statement import OURS, Outcome, Statement, bound, identities, status

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


# -- coupled parametrizations ----------------------------------------------------------------------


def _symmetric(name: str) -> sp.Matrix:
    def entry(i: int, j: int) -> sp.Symbol:
        return sp.Symbol(f"{name}{min(i, j)}{max(i, j)}", real=True)

    return sp.Matrix(3, 3, entry)


def quadratic_fields() -> Outcome:
    r"""$G_i = \theta^TA_i\theta$: $[\nabla G_1, \nabla G_2] = 4(A_2A_1 - A_1A_2)\theta$."""
    theta = list(sp.symbols("t1 t2 t3", real=True))
    a, b = (_symmetric(name) for name in "ab")
    t = sp.Matrix(theta)
    fields = [sp.Matrix([sp.diff((t.T * m * t)[0], s) for s in theta]) for m in (a, b)]
    found, stated = bracket(*fields, theta), 4 * (b * a - a * b) * t
    return identities([(f"entry {k}", found[k], stated[k]) for k in range(3)])


def commuting_matrices(formulas: str, start: dict[str, int]) -> Outcome:
    """Quadratic forms of commuting matrices: a mirror flow, found blindly."""
    found = th.GradientFlow(th.Coupled(formulas, list(start))).structure(start, seconds=1)
    return status(found.verdict, "PROVED") if found.kind == "mirror" else _wrong(found)


def _wrong(found: object) -> Outcome:
    return Outcome("FAILED", str(found), "mirror", False)


def non_commuting_matrices(formulas: str, start: dict[str, int], kind: str) -> Outcome:
    """Dropped, commuting: no mirror flow in its own time."""
    found = th.GradientFlow(th.Coupled(formulas, list(start))).structure(start, seconds=1)
    ok = found.kind == kind
    return Outcome("REFUTED" if ok else "FAILED", str(found.verdict), kind, ok)


def rotated_squares() -> Outcome:
    r"""$x = (uv, (u^2 + v^2)/2)$: $\nabla F$ in closed form, and $\nabla^2F\,M = I$ typed anew."""
    u, v = sp.symbols("u v", positive=True)
    flow = th.GradientFlow(th.Coupled([u * v, (u**2 + v**2) / 2], [u, v]))
    found = flow.structure({"u": 3, "v": 1})
    if found.kind != "mirror" or found.dual is None:
        return _wrong(found)
    # with p = u + v, q = u - v it is two entropies; the dual variable is log p and log q
    typed = ["log(u + v)/2 - log(u - v)/2", "log(u + v)/2 + log(u - v)/2"]
    pairs = []
    for i, e in enumerate(found.dual):
        wanted = sp.sympify(typed[i], locals={"u": u, "v": v})
        pairs += [
            (f"d theta_{i + 1}/d{s}", *(sp.diff(f, s).xreplace(NEAR) for f in (e, wanted)))
            for s in (u, v)
        ]
    return identities(pairs, {"a": "positive", "b": "positive"})


# u > v > 0, the side on which the start is
NEAR = {
    sp.Symbol("u", positive=True): sp.Symbol("a", positive=True) + sp.Symbol("b", positive=True),
    sp.Symbol("v", positive=True): sp.Symbol("b", positive=True),
}


def dual_moves_in_the_range() -> Outcome:
    r"""Along a trajectory $\nabla F(x(t)) - \nabla F(x_0)$ is a multiple of the one row of A."""
    A, y = np.array([1.0, 2.0]), 4.0

    def field(_: float, theta: np.ndarray) -> np.ndarray:
        u, v = theta
        e = A @ [u * v, (u * u + v * v) / 2] - y
        return -e * (A[0] * np.array([v, u]) + A[1] * np.array([u, v]))

    run = solve_ivp(field, (0, 5), [1.2, 0.4], rtol=1e-11, atol=1e-13, method="DOP853")
    plus, minus = np.log(run.y[0] + run.y[1]) / 2, np.log(run.y[0] - run.y[1]) / 2
    dual = np.array([plus - minus, plus + minus])
    moved = dual - dual[:, :1]
    return bound(float(np.max(np.abs(A[1] * moved[0] - A[0] * moved[1]))), 1e-9, "part off A^T")


def on_one_leaf_only() -> Outcome:
    """Commuting where z = 0, which stays: a mirror flow there, and none beside it."""
    model = th.GradientFlow(th.Coupled("u**2 + z**2*v, v**2 + z**2*u**2", "u, v, z"))
    there = model.structure({"u": 1, "v": 2, "z": 0}, seconds=1)
    beside = model.structure({"u": 1, "v": 2, "z": 1}, seconds=1)
    ok = there.kind == "mirror" and beside.kind == "none"
    text = f"{there.kind} at z = 0, {beside.kind} at z = 1"
    return Outcome("REFUTED" if ok else "FAILED", text, "mirror, none", ok)


def converse(hessian: str, on: str) -> Outcome:
    """A potential of one coordinate is that of a parametrization, which is derived and proved."""
    made = th.design(hessian, "x", on=on, given="hessian")
    bad = [str(c) for c in made.certificates if not c.proved]
    ok = made.kind == "closed" and not bad
    return Outcome("PROVED" if ok else "FAILED", str(made), "closed, proved", ok)


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
        Statement("quadratic: the bracket is the commutator", OURS, (), quadratic_fields),
        Statement("quadratic, commuting: circulant", RECALLED, ("A B = B A",),
                  partial(commuting_matrices, "u**2 + v**2 + w**2, u*v + v*w + w*u",
                          {"u": 1, "v": 2, "w": 4})),
        Statement("quadratic, commuting: reflections", RECALLED, ("A B = B A",),
                  partial(commuting_matrices, "u*v + w**2, u**2 + v**2 - 3*w**2",
                          {"u": 1, "v": 2, "w": 1})),
        Statement("dropped, A B = B A: warped", OURS, ("quadratic",),
                  partial(non_commuting_matrices, "u**2 - v**2, 2*u*v", {"u": 1, "v": 2},
                          "warped")),
        Statement("dropped, A B = B A: none", OURS, ("quadratic",),
                  partial(non_commuting_matrices, "u*p, u*q + v*p, v*q",
                          {"u": 1, "v": 2, "p": 1, "q": 3}, "none")),
        Statement("coupled: rotated squares", OURS, ("u > v > 0",), rotated_squares),
        Statement("coupled: the dual variable moves in range A^T", OURS, ("u > v > 0",),
                  dual_moves_in_the_range),
        Statement("dropped: commuting beside the leaf", OURS, (), on_one_leaf_only),
        Statement("converse, one coordinate: 1/x", RECALLED, ("d = 1",),
                  partial(converse, "1/x", "0, oo")),
        Statement("converse, one coordinate: 1/(1 + x^2)", RECALLED, ("d = 1",),
                  partial(converse, "1/(1 + x**2)", "-oo, oo")),
    ]  # fmt: skip
