"""Signs that may touch zero: nonnegativity by structure, by regions and by derivatives.

The derivative argument: e(c) >= 0 and e' >= 0 to the right of c (e' <= 0 to its left) give e >= 0;
e is positive when e(c) > 0, or when the derivative is nowhere zero.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp
from flint import arb

from theory.claims.statement import Domain, Statement, value_at
from theory.errors import DomainError, UnsupportedFormula
from theory.exact.balls import Program, precision, sign_of_number, to_rational
from theory.exact.budget import spent
from theory.exact.guard import proposal
from theory.exact.signs import is_analytic, sign_on
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = [
    "constant_value",
    "definite",
    "nonnegative",
    "not_equal",
    "positive",
    "rational_near",
    "refute_sign",
]

_POINTS = 120


def refute_sign(e: sp.Expr, domain: Domain, *, strict: bool) -> Verdict | None:
    """An exact point of the domain where e < 0, or e = 0 when e > 0 was claimed."""
    closer = 6
    for point in domain.points(sorted(e.free_symbols, key=lambda s: s.name), _POINTS):
        value = value_at(e, point)
        if value is None:
            continue
        if value.contains(0) and closer:
            # sides that differ by 1e-250 are told apart at a few points
            closer -= 1
            value = value_at(e, point, bits=1400) or value
        names = {s.name: str(v) for s, v in point.items()}
        if value < 0:
            return Verdict(
                Status.REFUTED,
                f"left - right is {value.str(6, radius=False)} < 0 there",
                witness=names,
            )
        if strict and value.contains(0) and _vanishes_at(e, point):
            return Verdict(Status.REFUTED, "both sides are equal there", witness=names)
    return None


def _vanishes_at(e: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> bool:
    near = value_at(e, point, bits=1400)
    if near is not None and not near.contains(0):
        return False
    # SymPy evaluates powers of numbers while it substitutes, which may take any time or overflow
    value = proposal(sp.Basic.xreplace, e, point, seconds=1.0)
    if value is None or value.free_symbols or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return False
    return bool(value == 0 or sign_of_number(value) == 0 or _is_zero(value))


def _is_zero(e: sp.Expr) -> bool:
    try:
        return is_zero(e, seconds=1.0).proved
    except (DomainError, UnsupportedFormula):
        return False


def definite(e: sp.Expr, domain: Domain) -> int | None:
    """The strict sign of e on the domain; roots must not touch zero either."""
    for power in e.atoms(sp.Pow):
        if not power.exp.is_integer and sign_on(power.base, domain.ranges) != 1:
            return None
    return sign_on(e, domain.ranges)


def not_equal(question: Statement) -> Verdict:
    """Whether two sides differ at every point."""
    e = question.difference
    for point in question.domain.points(question.symbols, _POINTS):
        value = value_at(e, point)
        if value is not None and value.contains(0) and _vanishes_at(e, point):
            return Verdict(
                Status.REFUTED,
                "both sides are equal there",
                witness={s.name: str(v) for s, v in point.items()},
            )
    if definite(e, question.domain) is not None:
        return Verdict(Status.PROVED, f"{e} has a strict sign on the whole domain")
    constant = constant_value(e, question.domain)
    if constant is not None and constant != 0:
        return Verdict(Status.PROVED, f"left - right is {constant} everywhere")
    return Verdict(Status.UNDECIDED, "no strict sign, and no exact point where both sides agree")


def rational_near(value: arb) -> Fraction:
    """The simplest rational number near the middle of a ball of 1500 bits or more."""
    return Fraction(str(to_rational(value, 3000))).limit_denominator(10**400)


def constant_value(e: sp.Expr, domain: Domain) -> sp.Rational | None:
    """The rational number that e is proved to be on the whole domain.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> constant_value(sp.cosh(x) ** 2 - sp.sinh(x) ** 2 + sp.Rational(1, 7), Domain({}))
    8/7
    """
    if not e.free_symbols:
        return None
    points = list(domain.points(sorted(e.free_symbols, key=lambda s: s.name), 12))
    guesses: list[sp.Rational] = []
    for point in points[-2:]:
        value = value_at(e, point, bits=3000)
        if value is None or not value.rad() < arb(2) ** -1500:
            return None
        # the zero test decides about it
        guess = rational_near(value)
        guesses.append(sp.Rational(guess.numerator, guess.denominator))
    if len(guesses) < 2 or guesses[0] != guesses[1]:
        return None
    try:
        verdict = is_zero(e - guesses[0], domain.ranges)
    except (DomainError, UnsupportedFormula):
        return None
    return guesses[0] if verdict.proved else None


def positive(e: sp.Expr, depth: int = 3) -> str | None:
    """Why e > 0 wherever it is defined, or None; the symbols carry their whole domain.

    Examples
    --------
    >>> x = sp.Symbol("x", positive=True)
    >>> positive(x - sp.tanh(x)) is None, positive(x - 2 * sp.tanh(x)) is None
    (False, True)
    """
    try:
        if _roots_are_positive(e) and sign_on(e) == 1:
            return "positive on the whole domain"
    except UnsupportedFormula:
        return None
    constant, rest = e.as_coeff_Add()
    if constant.is_Rational and constant != 0:
        simple = Fraction(int(constant.p), int(constant.q)).limit_denominator(60)
        for lower in (sp.Rational(simple.numerator, simple.denominator), sp.S.Zero):
            if lower < constant and nonnegative(rest + lower, depth) is not None:
                return f"{constant - lower} more than {rest + lower}, which is nonnegative"
    if not depth or spent():
        return None
    return _from_points(e, depth, strict=True)


def _roots_are_positive(e: sp.Expr) -> bool:
    return all(p.exp.is_integer or sign_on(p.base) == 1 for p in e.atoms(sp.Pow))


def nonnegative(e: sp.Expr, depth: int = 4) -> str | None:
    """Why e >= 0 wherever it is defined, or None; the symbols carry their whole domain.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> nonnegative(sp.cosh(x) - 1) is None, nonnegative(sp.cosh(x) - 2) is None
    (False, True)
    """
    if e == 0:
        return "zero"
    if _structural(e):
        return "a sum of products of squares and positive functions"
    try:
        if sign_on(e) == 1:
            return "positive on the whole domain"
    except UnsupportedFormula:
        return None
    factored = sp.factor(e)
    if factored != e and _structural(factored):
        return "factors that are squares or positive functions"
    if not depth or spent():
        return None
    return _quadratic(e) or _from_points(e, depth, strict=False)


_CENTERS = tuple(sp.Rational(*q) for q in ((0, 1), (1, 1), (-1, 1), (1, 2), (2, 1)))


def _from_points(e: sp.Expr, depth: int, *, strict: bool) -> str | None:
    """A function of one variable by its derivative to the right and to the left of a point."""
    free = list(e.free_symbols)
    if len(free) != 1:
        return None
    (s,) = free
    if (
        s.is_integer
        or s.is_negative
        or s.is_nonpositive
        or (s.is_nonnegative and not s.is_positive)
    ):
        return None
    t = sp.Dummy(s.name, positive=True)
    if s.is_positive:
        reason = _from_zero(e, s, depth, strict=strict)
        if reason is not None:
            return reason
    slope = sp.diff(e, s)
    if slope.has(sp.Derivative):
        # zeta, for one: SymPy cannot even substitute into what it leaves
        return None
    for c in _CENTERS:
        if (s.is_positive and c <= 0) or spent():
            continue
        middle = e.xreplace({s: c})
        critical = slope.xreplace({s: c})
        if c != 0 and critical != 0 and not _vanishes(critical):
            # only a minimum is worth a try
            continue
        if not (_positive_number(middle) if strict else _nonnegative_number(middle)):
            continue
        # (0, c) is covered by c / (1 + t), the whole left half line by c - t
        left = c / (1 + t) if s.is_positive else c - t
        reasons = [
            positive(half, depth - 1) if strict else nonnegative(half, depth - 1)
            for half in (e.xreplace({s: c + t}), e.xreplace({s: left}))
        ]
        if None not in reasons:
            return f"for {s.name} > {c}, {s.name} = {c} and {s.name} < {c} separately: {reasons[0]}"
    return None


def _vanishes(e: sp.Expr) -> bool:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or e.free_symbols:
        return False
    return e == 0 or (sign_of_number(e) is None and _is_zero(e))


def _positive_number(e: sp.Expr) -> bool:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or e.free_symbols:
        return False
    return sign_of_number(e) == 1


def _nonnegative_number(e: sp.Expr) -> bool:
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or e.free_symbols:
        return False
    sign = 0 if e == 0 else sign_of_number(e)
    return sign in (0, 1) or (sign is None and _is_zero(e))


def _from_zero(e: sp.Expr, t: sp.Symbol, depth: int, *, strict: bool) -> str | None:
    """From e(0) and the derivative on (0, oo), with e smooth there and continuous at 0."""
    if not is_analytic(e, meromorphic=False) or e.has(sp.sign, sp.Piecewise, sp.floor):
        return None
    start = e.xreplace({t: sp.S.Zero})
    if not _nonnegative_number(start) or not _finite_near_zero(e, t):
        return None
    slope = sp.diff(e, t)
    if strict and not _positive_number(start):
        reason = positive(slope, depth - 1)
        return (
            None if reason is None else f"not negative at 0, and its derivative is > 0 ({reason})"
        )
    reason = nonnegative(slope, depth - 1)
    return None if reason is None else f"nonnegative at 0, and its derivative is >= 0 ({reason})"


def _quadratic(e: sp.Expr) -> str | None:
    """A polynomial of degree two with a positive semidefinite matrix, by exact elimination."""
    symbols = sorted(e.free_symbols, key=lambda s: s.name)
    if len(symbols) < 2 or not e.is_polynomial(*symbols):
        return None
    p = sp.Poly(e, *symbols)
    if p.total_degree() != 2 or not all(c.is_Rational for c in p.coeffs()):
        return None
    n = len(symbols) + 1
    matrix = [[sp.S.Zero] * n for _ in range(n)]
    for exponents, c in p.terms():
        # the index n - 1 stands for the constant 1
        index = [i for i, k in enumerate(exponents) for _ in range(k)]
        i, j = [*index, n - 1, n - 1][:2]
        matrix[i][j] += c / 2
        matrix[j][i] += c / 2
    for k in range(n):
        pivot = matrix[k][k]
        if pivot < 0 or (pivot == 0 and any(matrix[k][j] != 0 for j in range(k + 1, n))):
            return None
        if pivot == 0:
            continue
        for i in range(k + 1, n):
            factor = matrix[i][k] / pivot
            for j in range(k, n):
                matrix[i][j] -= factor * matrix[k][j]
    return "a sum of squares: its matrix is positive semidefinite"


def _finite_near_zero(e: sp.Expr, t: sp.Symbol) -> bool:
    """Whether e has finite values on a closed interval around 0, hence is continuous there."""
    try:
        program = Program([e], [t])
    except UnsupportedFormula:
        return False
    with precision(128):
        value = program([arb(0, arb(2) ** -40)])[0]
    return isinstance(value, arb) and bool(value.is_finite())


def _structural(e: sp.Expr) -> bool:
    """Sums, products and even powers that cannot be negative where they are defined."""
    if e.is_Add:
        return all(_structural(a) for a in e.args) or _outweighs(e)
    if e.is_number:
        return _nonnegative_number(e)
    if isinstance(e, sp.Abs) or (e.is_Symbol and e.is_nonnegative):
        return True
    if e.is_Pow and e.exp.is_Rational and (not e.exp.is_Integer or int(e.exp) % 2 == 0):
        # a power that is not an integer is defined for a nonnegative base only
        return True
    if e.is_Pow and e.base is not sp.E:
        return _structural(e.base)
    if e.is_Mul:
        return all(_structural(a) for a in e.args)
    try:
        return sign_on(e, depth=2) == 1
    except UnsupportedFormula:
        return False


def _outweighs(e: sp.Expr) -> bool:
    """A constant that is at least the sum of the amplitudes of sines, cosines and the like."""
    constant, rest = e.as_coeff_Add()
    total = sp.S.Zero
    for term in sp.Add.make_args(rest):
        c, f = term.as_coeff_Mul()
        if not (c.is_Rational and isinstance(f, (sp.sin, sp.cos, sp.tanh, sp.erf))):
            return False
        total += abs(c)
    return bool(constant.is_Rational and constant >= total)
