r"""E. Amid, M. Warmuth, "Reparameterizing mirror descent as gradient descent" (NeurIPS 2020).

Setting: $x = q(w)$; gradient flow on w is mirror flow with F exactly when
$J J^T = (\nabla^2 F)^{-1}$ at $x = q(w)$. The condition is recalled; the instances are ours.
"""

from __future__ import annotations

from functools import partial

import sympy as sp

import theory as th
from proofs_checks.statement import OURS, Outcome, Statement, identities, status

RECALLED = "recalled: J J^T = (hess F)^{-1}"

# formula, its range, F'' of the mirror flow, range of w
CASES = {
    "w**2/4 and unnormalized exponentiated gradient": ("w**2/4", "1/x", "positive"),
    "exp(w) and Burg entropy": ("exp(w)", "1/x**2", "real"),
    "sin(w) and binary entropy": ("sin(w)", "1/(1 - x**2)", "(-pi/2, pi/2)"),
    "sinh(w) and the arctan link": ("sinh(w)", "1/(1 + x**2)", "real"),
}


def condition(formula: str, hessian: str, on: str) -> Outcome:
    """J^2 F''(q(w)) = 1."""
    e = sp.sympify(formula)
    product = sp.diff(e, "w") ** 2 * sp.sympify(hessian).subs("x", e)
    return identities([("J J^T hess F", product, 1)], {"w": on})


def potential_of_squares() -> Outcome:
    """The flow of w**2/4 from w = 2 has the potential x log x - x + 1."""
    flow = th.GradientFlow(th.Elementwise("w**2/4", "w", assume={"w": "positive"}))
    derived = flow.mirror(start={"w": 2})
    x = derived.closed.x
    return identities(
        [("F", derived.potential(x), "x*log(x) - x + 1"), ("F'", derived.gradient(x), "log(x)")],
        {"x": "positive"},
    )


def judged(potential: str, expected: str) -> Outcome:
    """The library's own verdict on the condition, for w**2/4."""
    flow = th.GradientFlow(th.Elementwise("w**2/4", "w", assume={"w": "positive"}))
    return status(th.is_mirror_potential(potential, flow, start={"w": 2}), expected)


def statements() -> list[Statement]:
    """Every statement of this file."""
    out = [
        Statement(f"condition: {name}", RECALLED, ("q' nonzero",), partial(condition, *case))
        for name, case in CASES.items()
    ]
    return [
        *out,
        Statement("potential of w**2/4", OURS, ("w0 = 2",), potential_of_squares),
        Statement("verdict: entropy", OURS, (), partial(judged, "x*log(x) - x", "PROVED")),
        Statement("verdict: wrong entropy", OURS, (), partial(judged, "x*log(x)*2", "REFUTED")),
    ]
