r"""A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning".

In deep linear neural networks (arXiv:1312.6120). Recalled: modes of a two-layer network with
whitened inputs follow $\dot a = 2a(s - a)$ from balanced starts, with the logistic solution; those
that are not balanced keep $c = w_2^2 - w_1^2$; deeper chains have the power $2 - 2/L$. The time is
the one of gradient flow on $\tfrac12\|W_2W_1 - M\|_F^2$. The closed form for c and the times of
deeper chains are ours.

`symbolic_statements` needs no training; runs of networks belong into a list of their own.
"""

from __future__ import annotations

import sympy as sp

import theory as th
from proofs_checks.derived import exactly, fails, holds, refused
from proofs_checks.statement import OURS, Outcome, Statement, all_of, derivative, identities

RECALLED = "recalled"
SIGNS = dict.fromkeys(("s", "a", "x", "a_0", "t", "c", "w1", "w2"), "positive") | {"L": "(2, oo)"}
networks = th.networks


def _signs(*names: str) -> dict[str, str]:
    return {name: SIGNS[name] for name in names}


def equations() -> Outcome:
    """A' = L a^(2 - 2/L) (s - a), and x' = x^(L-1) (s - x^L) for the entry of a layer."""
    two, deep = networks.mode_equation(2), networks.mode_equation()
    pairs = [
        ("two layers", two.rate, "2*a*(s - a)"),
        ("L layers", deep.rate, "L*a**(2 - 2/L)*(s - a)"),
        ("one layer of L", deep.layer_rate, "x**(L - 1)*(s - x**L)"),
    ]
    return all_of([identities(pairs, SIGNS), holds(two, deep)])


def logistic() -> Outcome:
    """a(t) = s e^(2st)/(e^(2st) - 1 + s/a_0), and the time of half of s."""
    mode = networks.mode_solution()
    pairs = [
        ("solution", mode.expression, "s*exp(2*s*t)/(exp(2*s*t) - 1 + s/a_0)"),
        ("half time", mode.half_time, "log(s/a_0 - 1)/(2*s)"),
    ]
    return all_of([identities(pairs, SIGNS), holds(mode)])


def time_between() -> Outcome:
    """The time from a_0 to a is log(a (s - a_0)/(a_0 (s - a)))/(2 s)."""
    a0, a = sp.symbols("a_0 a", positive=True)
    s = sp.Symbol("s", positive=True)
    time = networks.mode_time(2).between(a0, a)
    # both vanish at a = a_0, and their derivatives agree
    slope = identities(
        [("dt/da", derivative(time, "a"), derivative(sp.log(a / (s - a)) / (2 * s), "a"))], SIGNS
    )
    return all_of([slope, exactly(time.xreplace({a: a0}), 0, "at a_0")])


def invariant() -> Outcome:
    """w_2^2 - w_1^2 is constant, and the only law of a scalar chain of two."""
    flow = th.GradientFlow(networks.hadamard(1, 2))
    laws = flow.conservation_laws()
    verdict = th.conserved("u2_1**2 - u1_1**2", flow)
    ok = verdict.proved and len(laws.found) == 1 and laws.complete
    return Outcome("PROVED" if ok else "FAILED", f"{laws}", "one law", ok)


def unbalanced() -> Outcome:
    """A' = sqrt(c^2 + 4 a^2) (s - a), solved in closed form."""
    mode = networks.mode_solution(imbalance="c")
    e = mode.expression
    pairs = [("start", e.xreplace({mode.t: sp.S.Zero}), "a_0")]
    square = derivative(e, "t") ** 2
    s, c = sp.Symbol("s", positive=True), sp.Symbol("c", positive=True)
    at = {s: sp.Integer(2), c: sp.Integer(3), sp.Symbol("a_0", positive=True): sp.Rational(1, 2)}
    stated = (c**2 + 4 * e**2) * (s - e) ** 2
    pairs.append(("equation, squared", square.xreplace(at), stated.xreplace(at)))
    return all_of([identities(pairs, SIGNS), holds(mode)])


def dropped_balance() -> Outcome:
    """From w = (2, 1/2) the speed is (17/4)(s - a), not 2 a (s - a) = 2 (s - a)."""
    return all_of(
        [
            fails(
                th.prove("sqrt(c**2 + 4*a**2) == 2*a", assume=_signs("a", "c")), "a' = 2 a (s - a)"
            ),
            exactly(sp.sqrt(sp.Rational(15, 4) ** 2 + 4), "17/4", "w_1**2 + w_2**2"),
        ]
    )


def dropped_two_layers() -> Outcome:
    """Three layers are not logistic, and have no explicit a(t)."""
    rate = networks.mode_equation(3).rate
    return all_of(
        [
            fails(th.prove(f"{rate} == 3*a*(s - a)", assume=_signs("a", "s")), "a' = L a (s - a)"),
            refused(th.errors.NotClosedForm, lambda: networks.mode_solution(depth=3), "a(t)"),
        ]
    )


def one_layer() -> Outcome:
    """Depth one is linear regression: a' = s - a."""
    mode = networks.mode_solution(depth=1)
    pairs = [
        ("equation", networks.mode_equation(1).rate, "s - a"),
        ("solution", mode.expression, "s + (a_0 - s)*exp(-t)"),
    ]
    return identities(pairs, SIGNS)


def symbolic_statements() -> list[Statement]:
    """What needs no training."""
    balanced = ("full square loss", "balanced, aligned with M")
    return [
        Statement("equations of a mode", RECALLED, balanced, equations),
        Statement("logistic solution", RECALLED, balanced, logistic),
        Statement("time between two values", RECALLED, balanced, time_between),
        Statement("the invariant of two layers", RECALLED, ("every loss",), invariant),
        Statement("unbalanced modes", OURS, ("aligned with M",), unbalanced),
        Statement("dropped: balanced", OURS, ("w = (2, 1/2)",), dropped_balance),
        Statement("dropped: two layers", OURS, ("L = 3",), dropped_two_layers),
        Statement("boundary: one layer", OURS, ("full square loss",), one_layer),
    ]


def statements() -> list[Statement]:
    """Every statement of this file."""
    return symbolic_statements()
