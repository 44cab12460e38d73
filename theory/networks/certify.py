"""One certificate for several identities, and the inequality of the means."""

from __future__ import annotations

import sympy as sp

from theory.exact.assumptions import Ranges
from theory.exact.derivation import RawStep
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["certify_zero", "means_step", "young_step"]


def certify_zero(claim: str, *zeros: sp.Expr, ranges: Ranges | None = None) -> Certificate:
    """All expressions vanish: the verdict is that of the first which is not proved.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> certify_zero("one is not", sp.S.Zero, x).verdict.status
    <Status.REFUTED: 'REFUTED'>
    """
    verdicts = [is_zero(e, ranges) for e in zeros]
    return Certificate(claim, next((v for v in verdicts if not v.proved), verdicts[0]))


def means_step() -> RawStep:
    """The geometric mean is at most the arithmetic one, from log t <= t - 1."""
    t = sp.Symbol("t", positive=True)
    gap = t - 1 - sp.log(t)
    slope = sp.diff(gap, t)
    at_one = is_zero(gap.xreplace({t: sp.S.One})), is_zero(slope.xreplace({t: sp.S.One}))
    convex = sign_on(sp.diff(slope, t)) == 1
    if convex and all(v.proved for v in at_one):
        verdict = Verdict(Status.PROVED, "convex, with value and slope zero at t = 1")
    else:
        verdict = Verdict(Status.UNDECIDED, "the convexity was not established")
    return (
        "Arithmetic and geometric means",
        ["(b_1*...*b_L)**(1/L) <= (b_1 + ... + b_L)/L for b_l >= 0, equal when all b_l are equal"],
        "log(t) <= t - 1 at t = b_l over their mean, summed over l",
        Certificate("log(t) <= t - 1, with equality at t = 1", verdict),
    )


def young_step(p: sp.Expr) -> RawStep:
    """Young's inequality a b <= a^p/p + b^q/q, from the minimum of the difference in a."""
    q = p / (p - 1)
    ranges = {p: (sp.S.One, sp.oo)} if isinstance(p, sp.Symbol) else None
    a, b = sp.symbols("a b", positive=True)
    gap = a**p / p + b**q / q - a * b
    slope = sp.diff(gap, a)
    at = {a: b ** (1 / (p - 1))}
    zeros = [is_zero(e.xreplace(at), ranges) for e in (gap, slope)]
    convex = sign_on((p - 1) * a ** (p - 2), ranges) == 1
    curvature = is_zero(sp.diff(slope, a) - (p - 1) * a ** (p - 2), ranges)
    if convex and curvature.proved and all(v.proved for v in zeros):
        verdict = Verdict(Status.PROVED, "convex in a, with value and slope zero at b^(1/(p-1))")
    else:
        verdict = Verdict(Status.UNDECIDED, "the convexity was not established")
    return (
        "Young",
        [f"a*b <= a**p/p + b**q/q for a, b >= 0, p = {p}, q = {q}"],
        "the difference is convex in a, and vanishes with its slope at a = b**(1/(p - 1))",
        Certificate("a*b <= a**p/p + b**q/q", verdict),
    )
