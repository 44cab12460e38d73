r"""Mirror and time-warped mirror flows of a metric in coordinates.

For $x(q)$ and $x' = -M\nabla_x$ let $\Omega = M^{-1}\,\partial x/\partial q$. A potential with the
warp c exists if and only if every form $c\sum_a\Omega_{ia}dq_a$ is closed: it is $d(\nabla F)_i$.
That is, with $\omega = d\log c$,
$\partial_b\Omega_{ia} - \partial_a\Omega_{ib} + \omega_b\Omega_{ia} - \omega_a\Omega_{ib} = 0$.
Contracted with $W = \Omega^{-1}$ over i and a it names the only candidate,
$\omega_b = \frac{1}{d-1}\bigl(\sum W_{ai}\partial_a\Omega_{ib} - \partial_b\log\det\Omega\bigr)$,
in x: $\nabla\log c = (\nabla\log\det M - M^{-1}\,\mathrm{div}\,M)/(d-1)$.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.antiderivative import antiderivative
from theory.exact.assumptions import Ranges
from theory.exact.guard import evaluated, proposal
from theory.exact.shorten import shorten
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.mirror.brackets import all_zero

_NEAR = 12

__all__ = [
    "CoordinateStructure",
    "coordinate_structure",
    "exponential",
    "line_integral",
    "simpler",
]


@dataclass(frozen=True)
class CoordinateStructure:
    r"""What a metric in coordinates q is.

    Parameters
    ----------
    kind : {"mirror", "warped", "none", "undecided"}
    verdict : Verdict
        PROVED for the first two, REFUTED with a point for "none".
    warp : sympy.Expr or None
        c(q); 1 for a mirror flow, None when its logarithm was not integrated.
    dual : tuple of sympy.Expr or None
        $\nabla F$ in q, up to constants, when the integrals close.
    potential : sympy.Expr or None
        F in q, up to affine terms.
    certificates : tuple of Certificate
    """

    kind: str
    verdict: Verdict
    warp: sp.Expr | None = None
    dual: tuple[sp.Expr, ...] | None = None
    potential: sp.Expr | None = None
    certificates: tuple[Certificate, ...] = ()


def simpler(e: sp.Expr, ranges: Ranges | None = None) -> sp.Expr:
    """A shorter form, for the integrators; what is built on it is certified against e."""
    if e.is_Atom:
        return e
    found = proposal(_cancelled, e, seconds=2.0)
    if found is not None and evaluated(found) and found.count_ops() <= 2 * e.count_ops():
        e = found
    algebraic = any(not p.exp.is_integer for p in e.atoms(sp.Pow)) or e.atoms(sp.Function)
    return shorten(e, ranges) if algebraic and e.count_ops() > 24 else e


def _cancelled(e: sp.Expr) -> sp.Expr:
    # the square of a root becomes a polynomial only when the fraction is rebuilt
    once = sp.cancel(sp.together(e))
    return sp.factor(sp.cancel(once))


def line_integral(
    form: Sequence[sp.Expr],
    q: Sequence[sp.Symbol],
    ranges: Ranges | None = None,
    at: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> sp.Expr | None:
    r"""A function with $\partial_a f$ = the entries of a closed form, certified; None if not found.

    With a point `at` in its domain, logarithms are made real there.

    Examples
    --------
    >>> x, y = sp.symbols("x y", positive=True)
    >>> line_integral([y, x + 1 / y], [x, y])
    x*y + log(y)
    """
    total = sp.S.Zero
    for entry, s in zip(form, q, strict=True):
        rest = simpler(entry - sp.diff(total, s), ranges)
        if rest == 0:
            continue
        found = antiderivative(rest, s, ranges=ranges, own_rules=True)
        if found is None:
            found = antiderivative(rest, s, ranges=ranges)
        if found is None:
            return None
        total += _real_at(found.expression, at or {})
    if not total.has(sp.log):
        # with logarithms the shortest form is a logarithm of powers, which nobody wants to read
        total = simpler(total, ranges)
    total = _real_at(total, at or {})
    claims = [(f"d/d{s}", sp.diff(total, s) - e) for e, s in zip(form, q, strict=True)]
    return total if all_zero(claims, ranges).proved else None


def _real_at(e: sp.Expr, at: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Make log(g) with g < 0 at a point log(-g), which changes e by a constant."""
    if not at:
        return e
    negative = {}
    for part in e.atoms(sp.log):
        value = part.args[0].xreplace(dict(at))
        if not value.free_symbols and value.is_extended_real and value.is_negative:
            negative[part] = sp.log(sp.expand(-part.args[0]))
    return e.xreplace(negative)


def coordinate_structure(
    omega: sp.Matrix,
    x: Sequence[sp.Expr],
    q: Sequence[sp.Symbol],
    ranges: Ranges | None = None,
    at: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> CoordinateStructure:
    r"""Classify $\Omega = M^{-1}\,\partial x/\partial q$.

    Parameters
    ----------
    omega : sympy.Matrix, shape (d, d)
    x : sequence of sympy.Expr
        x in q.
    q : sequence of sympy.Symbol
    ranges : mapping, optional
    at : mapping from coordinate to number, optional
        The start: there the warp is positive, and every logarithm real.

    Examples
    --------
    >>> a, b = sp.symbols("a b", positive=True)
    >>> found = coordinate_structure(sp.diag(1 / (4 * a), 1 / (4 * b)), [a, b], [a, b])
    >>> found.kind, found.dual
    ('mirror', (log(a)/4, log(b)/4))
    """
    d = len(q)
    closed = all_zero(_closedness(omega, q), ranges)
    if closed.proved or d == 1:
        reason = "the inverse metric is a closed form in the coordinates of the leaf"
        verdict = Verdict(Status.PROVED, reason if d > 1 else "there is one coordinate")
        return _integrated("mirror", verdict, sp.S.One, omega, x, q, ranges, at)
    if closed.undecided:
        return CoordinateStructure("undecided", closed)
    form = _candidate(omega, q)
    claims = [
        (
            f"the condition for entry {i + 1} and coordinates {q[a]}, {q[b]}",
            sp.diff(omega[i, a], q[b])
            - sp.diff(omega[i, b], q[a])
            + form[b] * omega[i, a]
            - form[a] * omega[i, b],
        )
        for i in range(d)
        for a in range(d)
        for b in range(a + 1, d)
    ]
    full = all_zero(claims, ranges)
    if not full.proved:
        return _failed(full, claims, at)
    claims = [
        (
            f"the curl of grad log c in {q[a]}, {q[b]}",
            sp.diff(form[a], q[b]) - sp.diff(form[b], q[a]),
        )
        for a in range(d)
        for b in range(a + 1, d)
    ]
    curl = all_zero(claims, ranges)
    if not curl.proved:
        return _failed(curl, claims, at)
    verdict = Verdict(
        Status.PROVED,
        "the only candidate of the warp is closed and satisfies the condition; without a warp it "
        f"fails: {closed.method}",
    )
    logarithm = line_integral(form, q, ranges, at)
    if logarithm is None:
        return CoordinateStructure("warped", verdict)
    warp = simpler(exponential(logarithm), ranges)
    if not _positive(warp, ranges, at):
        # a power of a factor that is negative there
        return CoordinateStructure("warped", verdict)
    claims = [(f"d log c/d{s}", sp.diff(warp, s) - e * warp) for e, s in zip(form, q)]
    certified = all_zero(claims, ranges)
    if not certified.proved:
        return CoordinateStructure("warped", verdict)
    found = _integrated("warped", verdict, warp, omega, x, q, ranges, at)
    extra = Certificate("grad log c is the candidate", certified, "quadrature")
    return CoordinateStructure(
        found.kind,
        found.verdict,
        found.warp,
        found.dual,
        found.potential,
        (extra, *found.certificates),
    )


def _failed(
    verdict: Verdict,
    claims: Sequence[tuple[str, sp.Expr]],
    at: Mapping[sp.Symbol, sp.Expr] | None,
) -> CoordinateStructure:
    """The failure of the condition, with a witness at the start or close to it.

    A point far away may lie on another branch of the leaf, about which nothing is asked.
    """
    if not verdict.refuted:
        return CoordinateStructure("undecided", verdict)
    if not at:
        return CoordinateStructure("none", verdict)
    for k in range(_NEAR):
        # the start itself, then points around it on a spiral
        point = {
            s: v + sp.Rational(k * (-1) ** ((k + i) // 2), 997 + 10 * i)
            for i, (s, v) in enumerate(at.items())
        }
        for name, e in claims:
            value = e.xreplace(point)
            if value == 0 or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
                continue
            try:
                here = is_zero(value)
            except (DomainError, UnsupportedFormula):
                continue
            if here.refuted:
                witness = {s.name: str(v) for s, v in point.items()}
                found = Verdict(Status.REFUTED, f"{name} is not zero", witness=witness)
                return CoordinateStructure("none", found)
    text = f"{verdict.method}, but not near the start"
    return CoordinateStructure("undecided", Verdict(Status.UNDECIDED, text))


def _closedness(omega: sp.Matrix, q: Sequence[sp.Symbol]) -> list[tuple[str, sp.Expr]]:
    d = len(q)
    return [
        (
            f"the curl of entry {i + 1} in {q[a]}, {q[b]}",
            sp.diff(omega[i, a], q[b]) - sp.diff(omega[i, b], q[a]),
        )
        for i in range(d)
        for a in range(d)
        for b in range(a + 1, d)
    ]


def _candidate(omega: sp.Matrix, q: Sequence[sp.Symbol]) -> list[sp.Expr]:
    d = len(q)
    det = omega.det(method="berkowitz")
    W = omega.adjugate() / det
    out = []
    for b in range(d):
        total = -sp.diff(det, q[b]) / det
        for i in range(d):
            for a in range(d):
                total += W[a, i] * sp.diff(omega[i, b], q[a])
        out.append(simpler(total / (d - 1)))
    return out


def exponential(e: sp.Expr) -> sp.Expr:
    """exp(e) with c log(g) in the sum e written as a power of g."""
    product, rest = sp.S.One, sp.S.Zero
    for term in sp.Add.make_args(sp.expand(e)):
        coefficient, other = term.as_independent(sp.log, as_Add=False)
        if isinstance(other, sp.log):
            product *= other.args[0] ** coefficient
        else:
            rest += term
    return product * sp.exp(rest)


def _positive(warp: sp.Expr, ranges: Ranges | None, at: Mapping[sp.Symbol, sp.Expr] | None) -> bool:
    """Whether the warp is positive at the start, or everywhere when there is none."""
    if at:
        value = warp.xreplace(dict(at))
        if not value.free_symbols:
            return bool(value.is_extended_real and value.is_positive)
    return sign_on(warp, ranges) == 1


def _integrated(
    kind: str,
    verdict: Verdict,
    warp: sp.Expr,
    omega: sp.Matrix,
    x: Sequence[sp.Expr],
    q: Sequence[sp.Symbol],
    ranges: Ranges | None,
    at: Mapping[sp.Symbol, sp.Expr] | None,
) -> CoordinateStructure:
    """The mirror map and the potential, as far as the quadratures close."""
    d = len(q)
    dual = []
    for i in range(d):
        entry = line_integral([warp * omega[i, a] for a in range(d)], q, ranges, at)
        if entry is None:
            return CoordinateStructure(kind, verdict, warp)
        dual.append(entry)
    slopes = [
        (f"d theta_{i + 1}/d{q[a]}", sp.diff(dual[i], q[a]) - warp * omega[i, a])
        for i in range(d)
        for a in range(d)
    ]
    hessian = Certificate(
        "the Jacobian of grad F in x is c M^{-1}", all_zero(slopes, ranges), "quadrature"
    )
    if not hessian.proved:
        return CoordinateStructure(kind, verdict, warp)
    forms = [sp.Add(*(dual[i] * sp.diff(x[i], s) for i in range(d))) for s in q]
    potential = line_integral(forms, q, ranges, at)
    certificates: tuple[Certificate, ...] = (hessian,)
    if potential is not None:
        claims = [(f"dF/d{s}", sp.diff(potential, s) - f) for s, f in zip(q, forms, strict=True)]
        gradient = Certificate("dF = grad F . dx", all_zero(claims, ranges), "quadrature")
        if gradient.proved:
            certificates += (gradient,)
        else:
            potential = None
    return CoordinateStructure(kind, verdict, warp, tuple(dual), potential, certificates)
