r"""What the theory of the limit needs of a loss and a link, with a verdict on each point.

Per sample, $q(z) = \ell(h(z), y)$. The flow reaches an interpolating solution when q is star-convex
about one point, $q'(z)(z - z^*) > 0$ for $z \neq z^*$; convexity is not needed. The limit then
depends on the pair only through $z^* = h^{-1}(y)$.
"""

from __future__ import annotations

import sympy as sp
from flint import arb, fmpq

from theory.errors import DomainError, NotClosedForm, UnsupportedFormula
from theory.exact.balls import Program, precision, sign_of_number
from theory.exact.signs import is_analytic, sign_on, unbounded
from theory.exact.verdict import Certificate, Status, Verdict
from theory.flow.links import PREDICTOR, Link, exact_number
from theory.flow.losses import Loss, is_clipped, residual_sign

__all__ = ["target_predictor", "theory_conditions"]


def target_predictor(loss: Loss, link: Link, y: sp.Expr | float | str) -> sp.Expr:
    r"""The predictor $z^*$ that minimizes $\ell(h(z), y)$, exactly.

    Parameters
    ----------
    loss : Loss
    link : Link
    y : number, or sympy.Expr
        A float is read as the rational that it prints as.

    Raises
    ------
    DomainError
        When the loss does not accept the target, or has no finite minimizer.
    InfeasibleTarget
        When the target is outside of the range of the link.
    NotClosedForm
        When no closed form is known.

    Examples
    --------
    >>> from theory.flow import links, losses
    >>> target_predictor(losses.cross_entropy(), links.logistic(), "1/4")
    -log(3)
    >>> target_predictor(losses.logistic(), links.identity(), 1)
    Traceback (most recent call last):
    theory.errors.DomainError: The logistic loss has no finite minimizer ...
    """
    value = exact_number(y)
    if loss.targets.contains(value) is False:
        raise DomainError(
            f"Expected a target in {loss.targets} for the {loss.name} loss but got {value}."
        )
    if loss.best is None:
        if loss.on == "predictor" and loss.targets.values is not None:
            raise DomainError(
                f"The {loss.name} loss has no finite minimizer for labels {loss.targets}: the "
                "predictor tends to infinity, and its direction to a separator of maximal margin. "
                "Soft targets in (0, 1) with losses.cross_entropy() have a limit point."
            )
        raise NotClosedForm(
            f"The minimizer of the loss {loss.formula} in {loss.prediction} is not known in "
            "closed form; minimize it numerically."
        )
    best = loss.best.xreplace({loss.target: value})
    return best if loss.on == "predictor" else link.predictor(best)


def theory_conditions(loss: Loss, link: Link) -> list[Certificate]:
    r"""Certificates for what the convergence theory needs of a loss and a link.

    Returns
    -------
    list of Certificate
        In this order: the loss is finite at every mean; the link is strictly monotone with
        $h' \neq 0$; the target $z^* = h^{-1}(y)$ exists and is unique; star-convexity; convexity
        (not needed, but gives a rate); $q''(z^*) > 0$ (local exponential convergence); a global
        Polyak-Lojasiewicz inequality.

    Examples
    --------
    >>> from theory.flow import links, losses
    >>> for c in theory_conditions(losses.squared(), links.tanh()):
    ...     print(c.verdict.status, c.claim)
    PROVED the loss is finite at every mean h(z)
    PROVED the link is strictly monotone and h' has no zero
    PROVED the minimizer z* = h^{-1}(y) exists and is unique
    PROVED q'(z) (z - z*) > 0 for z != z*
    REFUTED q is convex (not required)
    PROVED q''(z*) > 0
    UNDECIDED q'(z)**2 >= 2 m (q(z) - q(z*)) for some m > 0
    """
    if loss.on == "predictor" and loss.best is None and loss.targets.values is not None:
        return _margin_conditions(loss)
    finite = _finite(loss, link)
    regular = _regular(loss, link)
    unique = _unique(loss, link, finite)
    star = _star(loss, link, finite, regular)
    return [
        Certificate("the loss is finite at every mean h(z)", finite),
        Certificate("the link is strictly monotone and h' has no zero", regular),
        Certificate("the minimizer z* = h^{-1}(y) exists and is unique", unique),
        Certificate("q'(z) (z - z*) > 0 for z != z*", star),
        Certificate("q is convex (not required)", _convex(loss, link)),
        Certificate("q''(z*) > 0", _curved(loss, link, regular)),
        Certificate("q'(z)**2 >= 2 m (q(z) - q(z*)) for some m > 0", _polyak(loss, link)),
    ]


def _below(a: sp.Expr, b: sp.Expr) -> bool | None:
    """Whether a <= b for bounds that may be infinite."""
    if a == b or a == -sp.oo or b == sp.oo:
        return True
    if a == sp.oo or b == -sp.oo:
        return False
    sign = sign_of_number(b - a) if (b - a).is_number else sign_on(b - a)
    return None if sign is None else sign > 0


def _inside(inner: tuple[sp.Expr, sp.Expr], outer: tuple[sp.Expr, sp.Expr]) -> bool | None:
    answers = (_below(outer[0], inner[0]), _below(inner[1], outer[1]))
    if False in answers:
        return False
    return None if None in answers else True


def _between(lower: sp.Expr, upper: sp.Expr) -> sp.Expr:
    if lower == -sp.oo:
        return sp.S.Zero if upper == sp.oo else upper - 1
    return lower + 1 if upper == sp.oo else (lower + upper) / 2


def _finite(loss: Loss, link: Link) -> Verdict:
    a, b = loss.domain
    everywhere = (a, b) == (-sp.oo, sp.oo)
    inside = loss.formula if everywhere else unbounded(loss.formula, {loss.prediction: (a, b)})[0]
    if not is_clipped(loss) and not is_analytic(inside, meromorphic=False):
        return Verdict(Status.UNDECIDED, f"whether {loss.formula} is finite on ({a}, {b})")
    if everywhere:
        return Verdict(Status.PROVED, "the loss is finite on all of R")
    answer = _inside(link.range, loss.domain)
    where = f"the range ({link.lower}, {link.upper}) of h"
    if answer:
        return Verdict(Status.PROVED, f"{where} lies in ({a}, {b}), where the loss is finite")
    if answer is None:
        return Verdict(Status.UNDECIDED, f"whether {where} lies in ({a}, {b})")
    outside = (
        _between(link.lower, sp.Min(a, link.upper))
        if not _below(a, link.lower)
        else _between(sp.Max(b, link.lower), link.upper)
    )
    return Verdict(
        Status.REFUTED,
        f"{where} leaves ({a}, {b}), where the loss is finite",
        witness={"mu": str(outside)},
    )


def _regular(loss: Loss, link: Link) -> Verdict:
    if loss.on == "predictor":
        return Verdict(Status.PROVED, "the loss acts on the predictor itself")
    return link.monotone if not link.monotone.proved else link.regular


def _unique(loss: Loss, link: Link, finite: Verdict) -> Verdict:
    if loss.best is None:
        return Verdict(Status.UNDECIDED, f"the minimizer of {loss.formula} is not known")
    falls = residual_sign(loss)
    if not falls.proved:
        return falls
    for needed in (finite,) if loss.on == "predictor" else (finite, link.monotone):
        if not needed.proved:
            return Verdict(Status.UNDECIDED, f"rests on: {needed.method}")
    return Verdict(
        Status.PROVED,
        f"the loss is minimal at mu = {loss.best} only, and h is one-to-one",
        conditions=_target_conditions(loss, link),
    )


def _target_conditions(loss: Loss, link: Link) -> tuple[str, ...]:
    """What a target must satisfy, beyond `loss.targets`, to be reached inside of the domain."""
    t = loss.targets
    lowers, uppers = [loss.domain[0]], [loss.domain[1]]
    if loss.on == "mean":
        lowers.append(link.lower)
        uppers.append(link.upper)
    conditions = []
    for end in dict.fromkeys(lowers):
        inside = _below(end, t.lower) and (end != t.lower or not t.closed[0])
        if end != -sp.oo and not inside:
            conditions.append(f"{end} < {loss.target}")
    for end in dict.fromkeys(uppers):
        inside = _below(t.upper, end) and (end != t.upper or not t.closed[1])
        if end != sp.oo and not inside:
            conditions.append(f"{loss.target} < {end}")
    return tuple(conditions)


def _star(loss: Loss, link: Link, finite: Verdict, regular: Verdict) -> Verdict:
    sign = residual_sign(loss)
    if sign.proved and finite.proved and regular.proved:
        return Verdict(
            Status.PROVED,
            f"{sign.method}; h is strictly monotone, so that h(z) - h(z*) has the sign of "
            "(z - z*) h'(z)",
            conditions=_target_conditions(loss, link),
        )
    if regular.refuted and regular.witness is not None:
        # q' vanishes where h' does, which is not z* for most targets
        point = regular.witness["z"]
        return Verdict(
            Status.REFUTED,
            f"h'({point}) = 0, hence q'({point}) = 0 for every target but h({point})",
            witness=regular.witness,
        )
    if sign.refuted:
        return sign
    parts = [v for v in (sign, finite, regular) if not v.proved]
    return Verdict(
        Status.UNDECIDED,
        "rests on: " + "; ".join(p.method for p in parts),
    )


_POINTS = tuple(
    sp.Rational(n, d)
    for n, d in (
        (-20, 1), (-7, 1), (-3, 1), (-2, 1), (-1, 1), (-1, 2), (-1, 5), (0, 1), (1, 10), (1, 3),
        (1, 2), (3, 4), (9, 10), (1, 1), (3, 2), (2, 1), (3, 1), (7, 1), (20, 1),
    )
)  # fmt: skip


def _witness(
    e: sp.Expr,
    symbols: tuple[sp.Symbol, sp.Symbol],
    domain: tuple[sp.Expr, sp.Expr],
    targets: tuple[sp.Expr, sp.Expr],
) -> dict[str, str] | None:
    """Rational values of two symbols where a ball proves that e < 0; None when none is found."""
    others = sorted(e.free_symbols - set(symbols), key=lambda s: s.name)
    constants = {s: sp.Rational(-3, 2) if s.is_negative else sp.Rational(3, 2) for s in others}
    try:
        program = Program([e.xreplace(constants)], list(symbols))
    except UnsupportedFormula:
        return None

    def inside(value: sp.Rational, interval: tuple[sp.Expr, sp.Expr]) -> bool:
        return all(
            end in (sp.oo, -sp.oo) or sign_of_number(side * (value - end)) == 1
            for end, side in zip(interval, (1, -1), strict=True)
        )

    with precision(256):
        for y in (p for p in _POINTS if inside(p, targets)):
            for x in (p for p in _POINTS if inside(p, domain)):
                if program([arb(fmpq(x.p, x.q)), arb(fmpq(y.p, y.q))])[0] < 0:
                    chosen = {symbols[0]: x, symbols[1]: y} | constants
                    return {s.name: str(v) for s, v in chosen.items()}
    return None


def _reachable_targets(loss: Loss, link: Link) -> tuple[sp.Expr, sp.Expr]:
    lower = loss.targets.lower if _below(link.lower, loss.targets.lower) else link.lower
    upper = loss.targets.upper if _below(loss.targets.upper, link.upper) else link.upper
    return lower, upper


def _second(loss: Loss, link: Link) -> sp.Expr:
    if link.formula == PREDICTOR or loss.on == "predictor":
        slope = loss.derivative().xreplace({loss.prediction: PREDICTOR})
    else:
        slope = loss.gradient_in_predictor(link)
    return sp.diff(slope, PREDICTOR)


def _convex(loss: Loss, link: Link) -> Verdict:
    if is_clipped(loss) and link.formula == PREDICTOR:
        return Verdict(Status.PROVED, "q' is the residual, clipped, which does not decrease")
    curvature = _second(loss, link)
    targets = _reachable_targets(loss, link)
    if curvature.has(sp.Heaviside, sp.DiracDelta, sp.Derivative):
        return Verdict(Status.UNDECIDED, "q' has kinks")
    ranges = {} if targets == (-sp.oo, sp.oo) else {loss.target: targets}
    for form in (curvature, sp.together(curvature)):
        if sign_on(form, ranges) == 1:
            return Verdict(Status.PROVED, f"q'' = {curvature} > 0")
    factors = sp.Mul.make_args(sp.factor_terms(curvature))
    if all(
        sign_on(f) == 1 or (f.is_Pow and f.exp.is_Integer and f.exp.is_even and f.exp > 0)
        for f in factors
    ):
        return Verdict(Status.PROVED, f"q'' = {curvature} >= 0")
    found = _witness(curvature, (PREDICTOR, loss.target), (-sp.oo, sp.oo), targets)
    if found is not None:
        return Verdict(Status.REFUTED, "q'' < 0", witness=found)
    return Verdict(Status.UNDECIDED, f"the sign of q'' = {curvature}")


def _curved(loss: Loss, link: Link, regular: Verdict) -> Verdict:
    """q''(z*) = l''(y) h'(z*)^2, as l' vanishes at the target."""
    if loss.best != loss.target:
        return Verdict(Status.UNDECIDED, "the minimizer of the loss is not the target itself")
    if is_clipped(loss):
        curvature = sp.S.One
    else:
        slope = loss.derivative()
        curvature = sp.cancel(sp.diff(slope, loss.prediction).subs(loss.prediction, loss.target))
    if curvature == 0:
        return Verdict(
            Status.REFUTED,
            "the second derivative of the loss vanishes at mu = y; the flow converges more slowly "
            "than exponentially",
            witness={loss.target.name: str(_between(*_reachable_targets(loss, link)))},
        )
    if not regular.proved:
        return Verdict(Status.UNDECIDED, f"rests on: {regular.method}")
    targets = _reachable_targets(loss, link)
    ranges = {} if targets == (-sp.oo, sp.oo) else {loss.target: targets}
    if sign_on(curvature, ranges) == 1:
        return Verdict(
            Status.PROVED,
            f"q''(z*) = l''(y) h'(z*)**2 with l''(y) = {curvature} > 0",
            conditions=_target_conditions(loss, link),
        )
    return Verdict(Status.UNDECIDED, f"the sign of l''(y) = {curvature}")


def _polyak(loss: Loss, link: Link) -> Verdict:
    if not is_clipped(loss):
        curvature = _second(loss, link)
        constant = not curvature.has(PREDICTOR, loss.target)
        if constant and sign_on(curvature) == 1:
            return Verdict(Status.PROVED, f"q'' = {curvature}, hence m = {curvature}")
    return Verdict(
        Status.UNDECIDED,
        "only decided where q'' is constant; on bounded sets it follows from q''(z*) > 0 and "
        "star-convexity",
    )


def _margin_conditions(loss: Loss) -> list[Certificate]:
    """A loss that decreases in y*z: convex, and without a finite minimizer."""
    z, y = loss.prediction, loss.target
    assert loss.targets.values is not None
    slope = loss.derivative()
    signs = [sign_on(slope.subs(y, label)) for label in loss.targets.values]
    known = None not in signs
    label = loss.targets.values[-1]
    nowhere = (
        Verdict(
            Status.REFUTED,
            f"q' = {slope.subs(y, label)} has no zero, so that the predictor tends to infinity and "
            "only its direction converges, to a separator of maximal margin",
            witness={y.name: str(label)},
        )
        if known
        else Verdict(Status.UNDECIDED, f"the sign of q' = {slope}")
    )
    curvature = [sign_on(sp.diff(slope, z).subs(y, v)) for v in loss.targets.values]
    finite = (
        Verdict(Status.PROVED, "the loss is finite on all of R")
        if all(is_analytic(loss.formula.subs(y, v)) for v in loss.targets.values)
        else Verdict(Status.UNDECIDED, f"whether {loss.formula} is finite on R")
    )
    convex = (
        Verdict(Status.PROVED, "q'' > 0 for each label")
        if set(curvature) == {1}
        else Verdict(Status.UNDECIDED, f"the sign of q'' = {sp.diff(slope, z)}")
    )
    return [
        Certificate("the loss is finite at every mean h(z)", finite),
        Certificate("the minimizer z* exists and is unique", nowhere),
        Certificate("q is convex (not required)", convex),
    ]
