"""The rules: each proves a fact about one term."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from theory.claims.replay.algebra import (
    Algebra,
)
from theory.claims.replay.facts import (
    BITS,
    NEGATIVE,
    NONNEGATIVE,
    POSITIVE,
    ZERO,
    Context,
    at_precision,
    common_sign,
    sum_of,
    undefined,
)
from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    is_of_kind,
    key,
    literal,
    mul,
    number,
    power,
    substitute,
    subterms,
    variables,
)


def algebra_of(context: Context, t: Term, count: int, entries: list[Any], point: Any) -> Algebra:
    algebra = Algebra(context, frozenset(map(key, subterms(t))), count, point)
    for kind, *rest in entries:
        demand(kind in _ENTRIES, f"no entry {kind}")
        getattr(algebra, f"_{kind}")(*rest)
    return algebra


def normal(context: Context, t: Term, count: int, entries: list[Any]) -> int | None:
    """The fraction of t is zero, or its coefficients show its sign."""
    algebra = algebra_of(context, t, count, entries, None)
    n, d = algebra.value(t)
    if n == 0:
        return ZERO
    a, b = algebra.polynomial_sign(n), algebra.polynomial_sign(d)
    # where t has a value its denominator is not zero
    return None if a is None or b is None else a if b > 0 else -a


def near(
    context: Context, t: Term, count: int, entries: list[Any], point: Any, cofactor: list[Any]
) -> int:
    """Zero near a point, and analytic on the connected domain but for poles: zero everywhere."""
    # relations may leave separate parts, and the point in none of them
    context = context.box()
    inside(context, point)
    algebra = algebra_of(context, t, count, entries, point)
    for a in (t, *algebra.meaning.values()):
        demand(at_precision(BITS[1], a, point, 200).is_finite(), "no value near the point")
    n, _ = algebra.value(t)
    zero = n == 0 or algebra.vanishes_by_cofactor(n, cofactor)
    demand(zero, "not zero near the point")
    demand(context.regular(t, poles=True), "not analytic on the domain")
    return ZERO


def gradient(context: Context, t: Term, point: Any) -> int:
    """A zero gradient on a connected domain, and zero at one point."""
    context = context.box()
    demand(context.regular(t), "not analytic on the domain")
    inside(context, point)
    for x in variables(t):
        slope = derivative(t, x)
        demand(context.regular(slope), f"the derivative in {x} may have no value")
        demand(context.sign(slope) == ZERO, f"the derivative in {x} is open")
    demand(context.sign(substitute(t, point)) == ZERO, "not zero at the point")
    return ZERO


def rewrite(context: Context, t: Term, other: Term) -> int | None:
    """The sign of an equal term that has values wherever t has."""
    given = frozenset(map(key, subterms(t)))
    demand(context.sign(add(t, mul(-1, other))) == ZERO, "the terms are not equal")
    demand(context.regular(other, given), "the other term may have no value")
    return context.sign(other)


def grouped(context: Context, t: Term, parts: list[Term]) -> int | None:
    """The sign of a sum from those of sums of its terms."""
    demand(sum_of(t, parts), "not the sum")
    return common_sign([context.sign(a) for a in parts])


def square(context: Context, t: Term, a: Term, b: Term) -> int | None:
    """The sign of a + b is that of b when b^2 > a^2."""
    demand(sum_of(t, [a, b]), "not the sum")
    gap = context.sign(add(power(b, 2), mul(-1, power(a, 2))))
    s = context.sign(b)
    demand(gap in (POSITIVE, NONNEGATIVE) and s in (POSITIVE, NEGATIVE), "b is not larger")
    return s if gap == POSITIVE else s // 2  # type: ignore[operator]


def exponential(context: Context, t: Term) -> int | None:
    """T and e^t - 1 have the same sign."""
    return context.sign(add(["exp", t], -1))


def arch_gaps(t: Term, k: int) -> tuple[Term, Term]:
    """What is positive when the angle lies between two zeros of its sine or cosine."""
    first = literal(Fraction(2 * k - (t[0] == "cos"), 2))
    last = literal(Fraction(2 * k + 2 - (t[0] == "cos"), 2))
    return add(t[1], mul(-1, mul(first, "pi"))), add(mul(last, "pi"), mul(-1, t[1]))


def arch(context: Context, t: Term, k: int) -> int:
    r"""$(-1)^k$ is the sign of sine between $k\pi$ and $(k+1)\pi$, of cosine half a turn before."""
    demand(t[0] in ("sin", "cos") and type(k) is int, "no sine and no cosine")
    inside = all(context.sign(gap) == POSITIVE for gap in arch_gaps(t, k))
    demand(inside, "the angle is not between two zeros")
    return NEGATIVE if k % 2 else POSITIVE


def rising(context: Context, t: Term, x: str) -> int | None:
    """T at the lower end of x is not negative, and t does not decrease."""
    context = context.box()
    end = context.ranges[x][0]
    demand(end is not None and variables(t) == {x} and context.regular(t), "not a smooth function")
    demand(at_precision(BITS[0], t, {x: end}, 40).is_finite(), "not continuous at the end")
    slope = derivative(t, x)
    demand(context.regular(slope), "the derivative may have no value")
    signs = context.sign(substitute(t, {x: end})), context.sign(slope)
    demand(all(s is not None and s >= 0 for s in signs), "not rising")
    return max(signs)  # type: ignore[type-var]


def trade(
    context: Context, x: str, new: str, backward: bool = False
) -> tuple[Context, dict[str, Term]]:
    """The domain with x = a + t, b - t or (a + b t)/(1 + t) for a new name t > 0.

    Backward, (b + a t)/(1 + t) starts at b.
    """
    lower, upper = context.ranges[x][:2]
    demand(is_name(new) and new not in context.ranges, f"{new} is no new name")
    demand(lower is not None or upper is not None, "no bound to trade")
    if lower is None:
        image = add(upper, mul(-1, new))
    elif upper is None:
        image = add(lower, new)
    else:
        start, end = (upper, lower) if backward else (lower, upper)
        image = mul(add(start, mul(end, new)), power(add(1, new), -1))
    rest = {y: r for y, r in context.ranges.items() if y != x}
    return Context(rest | {new: [0, None]}), {x: image}


def traded(
    context: Context, t: Term, x: str, new: str, steps: list[Any], backward: bool = False
) -> int | None:
    """The same question in a new name t > 0 for a bounded x."""
    inner, image = trade(context, x, new, backward)
    return established(inner, steps).sign(substitute(t, image))


def cases(context: Context, t: Term, x: str, c: Term, parts: list[list[Any]]) -> int | None:
    """Below c, at c and above c."""
    lower, upper, *whole = context.ranges[x]
    demand(number(c) is not None, "expected a rational number")
    for low, high in ((lower, c), (c, upper)):
        gap = POSITIVE if None in (low, high) else context.sign(add(high, mul(-1, low)))
        demand(gap == POSITIVE, "the number is not inside")
    rest = {y: r for y, r in context.ranges.items() if y != x}
    ranges, facts, cut = rest | {x: [lower, c, *whole]}, context.facts, context.cut
    below = established(Context(ranges, facts, cut=cut), parts[0])
    at = established(Context(rest), parts[1])
    ranges = rest | {x: [c, upper, *whole]}
    above = established(Context(ranges, facts, cut=cut), parts[2])
    middle = substitute(t, {x: c})
    signs = [below.sign(t), above.sign(t)]
    if not undefined(at, middle):
        signs.append(at.sign(middle))
    known = [s for s in signs if s is not None]
    demand(len(known) == len(signs) and (min(known) >= 0 or max(known) <= 0), "different signs")
    largest = max(known, key=abs)
    weak = 0 < abs(largest) > min(map(abs, known))
    return (1 if largest > 0 else -1) if weak else largest


_ENTRIES = (
    "name", "exp", "log", "root", "angle", "arc", "turn", "function", "exponential", "logarithm",
    "power", "circle", "case", "extreme", "equal",
    "polygon",
)  # fmt: skip
RULES: dict[str, Any] = {
    f.__name__: f
    for f in (
        normal,
        near,
        gradient,
        rewrite,
        grouped,
        square,
        exponential,
        arch,
        rising,
        traded,
        cases,
    )
}


def established(context: Context, steps: list[Any]) -> Context:
    """The context with the facts that the steps prove."""
    for rule, t, *rest in steps:
        demand(rule in RULES, f"no rule {rule}")
        # a name of no domain could be traded for two names, and make them equal
        demand(variables(t) <= set(context.ranges), f"no domain for a name of {key(t)[:200]}")
        fact = RULES[rule](context, t, *rest)
        demand(fact is not None, f"{rule} proves nothing about {key(t)[:200]}")
        context.facts[key(t)] = fact
    return context


def inside(context: Context, point: Mapping[str, Term]) -> None:
    """Whether a point lies in the open intervals."""
    demand(set(point) == set(context.ranges), "a point of other names")
    for x, value in point.items():
        lower, upper, *whole = context.ranges[x]
        finite = not variables(value) and at_precision(BITS[0], value, {}).is_finite()
        demand(finite, "not a point")
        if lower is not None:
            demand(context.sign(add(value, mul(-1, lower))) == POSITIVE, f"{x} is too small")
        if upper is not None:
            demand(context.sign(add(upper, mul(-1, value))) == POSITIVE, f"{x} is too large")
        demand(is_of_kind(value, whole), f"{x} is not {' '.join(whole)}")
