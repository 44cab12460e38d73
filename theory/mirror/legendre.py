r"""The ends of the dual curve: domain of $\xi$, reachable x, Legendre type, finite-time exit.

At a finite end of the reachable interval the potential is essentially smooth exactly when $\xi$
is infinite there ($|F'| = \infty$). Otherwise the flow can arrive at the end in finite time, and
targets beyond it are not reached (cf. H.-H. Chou, J. Maly, D. Stöger,
arXiv 2308.04921).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from theory.exact.assumptions import Ranges
from theory.exact.balls import sign_of_number
from theory.exact.limits import CertifiedLimit, certified_limit
from theory.exact.signs import is_analytic, sign_on, unbounded
from theory.exact.verdict import Status, Verdict
from theory.mirror.dual_curve import DualCurve

__all__ = ["CurveEnds", "curve_ends", "curve_interval"]


@dataclass(frozen=True, slots=True)
class CurveEnds:
    """Where the dual curve begins and ends; None for an end that is not known in closed form.

    Parameters
    ----------
    dual : pair of sympy.Expr or None
        The open interval of xi.
    x : pair of sympy.Expr or None
        The open interval of reachable x.
    proved : pair of bool
        Whether the limits at the lower and at the upper end are proved, not only checked in ball
        arithmetic, and with them that nothing singular lies between.
    """

    dual: tuple[sp.Expr | None, sp.Expr | None]
    x: tuple[sp.Expr | None, sp.Expr | None]
    proved: tuple[bool, bool] = (False, False)

    @property
    def legendre(self) -> Verdict:
        """Whether the potential is of Legendre type on the reachable interval.

        It is strictly convex there, F'' = 1/M with 0 < M < oo; it is essentially smooth when xi is
        infinite at every finite end of the reachable interval.
        """
        checked = [
            name for name, proof in zip(("lower", "upper"), self.proved, strict=True) if not proof
        ]
        for side, name in ((0, "lower"), (1, "upper")):
            x, dual = self.x[side], self.dual[side]
            if x is not None and _infinite(x):
                continue
            if x is None or dual is None:
                return Verdict(
                    Status.UNDECIDED,
                    f"the {name} end of the dual curve is not known in closed form",
                )
            if not _infinite(dual) and not self.proved[side]:
                return Verdict(
                    Status.UNDECIDED,
                    f"F' seems to stay finite ({dual}) at the {name} end x = {x}; its limit there "
                    "was checked in ball arithmetic, not proved",
                    digits=12,
                )
            if not _infinite(dual):
                return Verdict(
                    Status.REFUTED,
                    f"not essentially smooth: F' stays finite ({dual}) at the {name} end x = {x} "
                    "of the reachable interval",
                    witness={"x": str(x), "F'": str(dual)},
                )
        if checked:
            return Verdict(
                Status.UNDECIDED,
                "F'' = 1/M > 0 inside; |F'| is infinite at every finite end of the interval, but "
                f"the limit at the {' and the '.join(checked)} end was checked in ball arithmetic, "
                "not proved",
                digits=12,
            )
        return Verdict(
            Status.PROVED,
            "F'' = 1/M > 0 inside, and |F'| is infinite at every finite end of the interval",
        )

    @property
    def finite_time_exit(self) -> bool | None:
        """Whether the flow can reach the end of the interval in finite time."""
        exits = []
        for x, dual in zip(self.x, self.dual, strict=True):
            if x is None or (dual is None and not _infinite(x)):
                return None
            exits.append(not _infinite(x) and dual is not None and not _infinite(dual))
        return any(exits)

    @property
    def every_target(self) -> bool | None:
        """Whether every real x is reachable."""
        if None in self.x:
            return None
        return self.x == (-sp.oo, sp.oo)


def _infinite(e: sp.Expr) -> bool:
    return e in (sp.oo, -sp.oo)


def curve_interval(curve: DualCurve) -> tuple[sp.Expr | None, sp.Expr | None]:
    """The largest interval of s on which the curve is known to be smooth.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.mirror.dual_curve import dual_curve
    >>> curve_interval(dual_curve(Elementwise("sin(u)", "u"), {"u": 0}))
    (-pi/2, pi/2)
    """
    if curve.kind == "one parameter" or curve.s is None:
        return curve.s_range
    lower, upper = _parameter_ends(curve)
    return lower, upper


def curve_ends(curve: DualCurve) -> CurveEnds:
    """The intervals of xi and of x.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.mirror.dual_curve import dual_curve
    >>> curve_ends(dual_curve(Elementwise("sin(u)", "u"), {"u": 0}))
    CurveEnds(dual=(-oo, oo), x=(-1, 1), proved=(True, True))
    """
    if curve.s is None or curve.x is None or curve.dual is None or curve.s_start is None:
        return CurveEnds((None, None), (None, None))
    if curve.kind == "one parameter":
        ends = list(curve.s_range)
    else:
        ends = _parameter_ends(curve)
    found: list[tuple[sp.Expr | None, sp.Expr | None]] = []
    proofs: list[bool] = []
    inside = _regular_inside(curve)
    for end, direction in zip(ends, ("+", "-"), strict=True):
        if end is None:
            found.append((None, None))
            proofs.append(False)
            continue
        dual = None
        if not curve.dual.has(sp.Integral):
            dual = _limit(curve.dual, curve.s, end, direction, curve.rho.ranges)
        x = _limit(curve.x, curve.s, end, direction, curve.rho.ranges)
        found.append((None if dual is None else dual.value, None if x is None else x.value))
        # at an infinite end of x nothing is asked of xi
        needed = (x,) if x is not None and _infinite(x.value) else (dual, x)
        proofs.append(inside and all(v is not None and v.certificate.proved for v in needed))
    (dual_a, x_a), (dual_b, x_b) = found
    branch = curve.branches[0] if curve.kind == "one parameter" else None
    flipped = branch is not None and branch.direction < 0
    if not flipped and curve.kind != "one parameter":
        flipped = any(
            a is not None and b is not None and _smaller(b, a)
            for a, b in ((x_a, x_b), (dual_a, dual_b))
        )
    if flipped:
        dual_a, dual_b, x_a, x_b = dual_b, dual_a, x_b, x_a
        proofs.reverse()
    return CurveEnds((dual_a, dual_b), (x_a, x_b), (proofs[0], proofs[1]))


def _regular_inside(curve: DualCurve) -> bool:
    """Whether the curve is proved smooth and strictly monotone on all of its interval."""
    if curve.kind == "one parameter":
        branch = curve.branches[0]
        return branch is not None and branch.certified
    assert curve.s is not None and curve.x is not None and curve.dual is not None
    ends = _parameter_ends(curve)
    if ends[0] is None or ends[1] is None:
        return False
    ranges = dict(curve.rho.ranges) | {curve.s: (ends[0], ends[1])}
    slope = sp.diff(curve.dual, curve.s).doit(integrals=False)
    return (
        is_analytic(curve.x, ranges=ranges, meromorphic=False)
        and is_analytic(slope, ranges=ranges, meromorphic=False)
        and sign_on(slope, ranges) is not None
    )


def _smaller(a: sp.Expr, b: sp.Expr, ranges: Ranges | None = None) -> bool:
    if a == -sp.oo or b is sp.oo:
        return a != b
    if a is sp.oo or b == -sp.oo:
        return False
    return sign_on(sp.expand(b - a), ranges) == 1


def _limit(
    e: sp.Expr, s: sp.Symbol, end: sp.Expr, direction: str, ranges: Ranges
) -> CertifiedLimit | None:
    traded, back = unbounded(e, {k: v for k, v in ranges.items() if k != s})
    if back:
        # bounded constants as positive ones, so that the limit knows their side
        moved = end.xreplace(back)
        value = certified_limit(traded, s, moved, direction, seconds=2.0)
        if value is None:
            return None
        undo = {b.free_symbols.pop(): k - b.subs(b.free_symbols.pop(), 0) for k, b in back.items()}
        return CertifiedLimit(value.value.xreplace(undo), value.certificate)
    return certified_limit(e, s, end, direction, seconds=2.0)


def _parameter_ends(curve: DualCurve) -> list[sp.Expr | None]:
    """The largest interval of s around its start on which theta(s) is real and smooth.

    Every singular point of theta(s), of x(s) and of xi(s) is a zero of a base of a power, of an
    argument of a logarithm, or a pole; linear and quadratic ones are found exactly.
    """
    s, s0 = curve.s, curve.s_start
    assert s is not None and s0 is not None and curve.theta is not None
    lower, upper = curve.s_range
    if s.is_positive and lower == -sp.oo:
        lower = sp.S.Zero
    expressions = [*curve.theta]
    if curve.x is not None:
        expressions.append(curve.x)
    if curve.dual is not None and curve.dual != s:
        # d xi / ds has a pole where the curve comes to rest
        expressions.append(sp.diff(curve.dual, s).doit(integrals=False))
    critical: set[sp.Expr] = set()
    unknown: list[sp.Expr] = []
    for e in expressions:
        for a in e.atoms(sp.Pow, sp.log, sp.tan, sp.atanh, sp.asin, sp.acosh, sp.cot, sp.LambertW):
            if not a.has(s):
                continue
            points = _singular_points(a, s)
            if points is None:
                unknown.append(a)
            else:
                critical |= points
    for point in critical:
        gap = sp.expand(point - s0)
        sign = sign_of_number(gap) if gap.is_number else sign_on(gap, curve.rho.ranges)
        if gap == 0:
            continue
        if sign is None:
            return [None, None]
        if sign > 0:
            upper = point if upper is sp.oo or _smaller(point, upper, curve.rho.ranges) else upper
        else:
            lower = point if lower == -sp.oo or _smaller(lower, point, curve.rho.ranges) else lower
    inside = dict(curve.rho.ranges) | {s: (lower, upper)}
    if not all(is_analytic(a, ranges=inside, meromorphic=False) for a in unknown):
        return [None, None]
    return [lower, upper]


def _singular_points(a: sp.Expr, s: sp.Symbol) -> set[sp.Expr] | None:
    """Where an atom may be singular; None when that is not known."""
    if a.is_Pow:
        if (a.exp.is_Integer and a.exp > 0) or a.base.is_number:
            return set()
        arguments = [a.base]
    elif isinstance(a, sp.log):
        arguments = [a.args[0]]
    elif isinstance(a, sp.tan):
        slope = sp.expand(a.args[0]).coeff(s, 1)
        shift = sp.expand(a.args[0] - slope * s)
        if slope == 0 or shift.has(s):
            return None
        out = set()
        for k in range(-3, 4):
            out.add((sp.pi / 2 * (2 * k + 1) - shift) / slope)
            out.add((sp.pi * k - shift) / slope)
        return out
    elif isinstance(a, sp.cot):
        return _singular_points(sp.tan(a.args[0]), s)
    elif isinstance(a, sp.acosh):
        arguments = [a.args[0] - 1]
    elif isinstance(a, (sp.atanh, sp.asin)):
        arguments = [1 - a.args[0] ** 2]
    else:
        return None
    out = set()
    for g in arguments:
        numerator = sp.fraction(sp.together(g))[0]
        numerator = sp.expand(numerator)
        if not numerator.is_polynomial(s):
            return None
        degree = sp.degree(numerator, s)
        c = [numerator.coeff(s, k) for k in range(3)]
        if degree == 1:
            out.add(sp.together(-c[0] / c[1]))
        elif degree == 2:
            gap = sp.factor(c[1] ** 2 - 4 * c[2] * c[0])
            if gap.is_negative:
                continue
            root = sp.sqrt(gap)
            out |= {(-c[1] + root) / (2 * c[2]), (-c[1] - root) / (2 * c[2])}
        elif degree > 2:
            return None
    return out
