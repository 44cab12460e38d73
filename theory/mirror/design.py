r"""Inverse design: from a wanted potential to a parametrization that induces it.

$F''(\rho(\theta))\,\rho'(\theta)^2 = 1$ says that $\theta = U(x) := \int\sqrt{F''}\,dx$, so
$\rho = U^{-1}$ (cf. H.-H. Chou, J. Maly, D. Stöger, arXiv 2308.04921).
Where the inverse does not close, $x = s$, $\theta = U(s)$ is the exact parametric answer.
Potentials such as hyperbolic entropy that no elementary single function gives may come from a
difference $x = \rho(u) - \rho(v)$: when the inverse mirror map splits as
$k(\xi) = \Psi(\xi) - \Psi(-\xi)$ with an increasing $\Psi$, the parametrization of the potential
with $(F_\rho')^{-1} = \Psi$ does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import DomainError, FormulaError, NotClosedForm, UnsupportedFormula
from theory.exact.antiderivative import antiderivative
from theory.exact.assumptions import Ranges, parse_interval
from theory.exact.balls import Program, precision, rational_ball, sign_of_number
from theory.exact.budget import time_budget
from theory.exact.guard import evaluated, proposal
from theory.exact.inverse import inverse
from theory.exact.limits import certified_limit
from theory.exact.parsing import names_in, parse
from theory.exact.shorten import shorten
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero
from theory.flow.parametrization import Elementwise

__all__ = ["Design", "design"]


@dataclass(frozen=True)
class Design:
    """A parametrization that induces a wanted potential.

    Parameters
    ----------
    x : sympy.Symbol
    hessian : sympy.Expr
        The wanted F''.
    interval : pair of sympy.Expr
        The interval of x.
    time : sympy.Expr
        theta = U(x), closed or as an integral; with x itself the exact parametric answer.
    formula : sympy.Expr or None
        rho(u) in closed form, or rho(u) - rho(v) for a pair.
    parameters : tuple of sympy.Symbol
    kind : str
        "closed", "parametric" (closed U, no inverse), "pair" or "quadrature" (U is an integral).
    start : tuple of sympy.Expr
        For a pair: the start of (u, v) that induces the potential.
    certificates : tuple of Certificate
    image : pair of sympy.Expr or None
        For a closed formula: the interval of u that maps onto the interval of x.
    """

    x: sp.Symbol
    hessian: sp.Expr
    interval: tuple[sp.Expr, sp.Expr]
    time: sp.Expr
    formula: sp.Expr | None
    parameters: tuple[sp.Symbol, ...]
    kind: str
    start: tuple[sp.Expr, ...]
    certificates: tuple[Certificate, ...]
    image: tuple[sp.Expr, sp.Expr] | None = None

    @property
    def parametric(self) -> tuple[sp.Expr, sp.Expr]:
        """(theta, x) as functions of the parameter x: the exact answer that is always there."""
        return self.time, self.x

    @property
    def rho(self) -> Elementwise:
        """The parametrization.

        Raises
        ------
        NotClosedForm
            When the inverse of U does not close.
        """
        if self.formula is None:
            raise NotClosedForm(
                f"The inverse of U(x) = {self.time} does not close; the exact parametric answer is "
                "design.parametric."
            )
        if self.image is None or self.image in ((-sp.oo, sp.oo), (sp.S.Zero, sp.oo)):
            return Elementwise(self.formula, self.parameters)
        (u,) = self.parameters
        return Elementwise(self.formula, [u.name], assume={u.name: str(self.image)})

    def __str__(self) -> str:
        if self.formula is None:
            return f"theta = {self.time}, inverted: x = rho(theta) is exact in parametric form"
        text = f"x = {self.formula}"
        if self.kind == "pair":
            where = ", ".join(
                f"{s} = {v}" for s, v in zip(self.parameters, self.start, strict=True)
            )
            text += f" from {where}"
        return text

    def _repr_latex_(self) -> str:
        if self.formula is None:
            return rf"$\theta = {sp.latex(self.time)}$"
        return f"$x = {sp.latex(self.formula)}$"


def design(
    potential: sp.Expr | str,
    x: sp.Symbol | str | None = None,
    *,
    on: tuple[Any, Any] | str = (-sp.oo, sp.oo),
    given: str = "potential",
    seconds: float = 15.0,
) -> Design:
    """The parametrization whose gradient flow has a wanted mirror potential.

    Parameters
    ----------
    potential : sympy.Expr or str
        F(x), or F''(x) with ``given="hessian"``, strictly convex on the interval.
    x : sympy.Symbol or str, optional
        The variable; by default the only symbol, or the one named x.
    on : pair or str
        The open interval of x, such as ``(0, oo)`` or ``"0, oo"``.
    given : {"potential", "hessian"}
    seconds : float
        Time for the search of closed forms.

    Raises
    ------
    DomainError
        When F'' is not positive on the interval.

    Examples
    --------
    >>> print(design("x*log(x) - x", on="0, oo"))
    x = u**2/4
    >>> print(design("1/(1 + x**2)", given="hessian"))
    x = sinh(u)
    """
    if given not in ("potential", "hessian"):
        raise FormulaError(f"Expected given='potential' or 'hessian' but got {given!r}.")
    if not isinstance(on, str):
        on = f"({on[0]}, {on[1]})"
    interval = parse_interval(on)
    expression, variable = _read(potential, x, interval)
    ranges: Ranges = {variable: interval}
    reference = _inner_point(interval)
    with time_budget(seconds):
        hessian = expression
        if given == "potential":
            hessian = shorten(sp.diff(expression, variable, 2), ranges)
        _check_convex(hessian, variable, ranges, reference)
        return _solve(hessian, variable, interval, reference, ranges)


def _read(
    potential: sp.Expr | str, x: sp.Symbol | str | None, interval: tuple[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, sp.Symbol]:
    lower, upper = interval
    sign = (
        {"positive": True}
        if lower.is_nonnegative
        else ({"negative": True} if upper.is_nonpositive else {"real": True})
    )
    if isinstance(potential, str):
        names = names_in(potential)
        name = x.name if isinstance(x, sp.Symbol) else x
        if name is None:
            name = "x" if "x" in names or not names else names[0]
        variable = sp.Symbol(name, **sign)
        known = {n: sp.Symbol(n, positive=True) for n in names if n != name}
        return parse(potential, known | {name: variable}), variable
    if not isinstance(potential, sp.Expr):
        raise FormulaError(f"Expected a SymPy expression or a string but got {potential!r}.")
    if isinstance(x, sp.Symbol):
        old = x
    else:
        candidates = [s for s in potential.free_symbols if s.name == (x or "x")] or list(
            potential.free_symbols
        )
        if len(candidates) != 1:
            raise FormulaError(f"Name the variable of {potential} by x=.")
        old = candidates[0]
    variable = sp.Symbol(old.name, **sign)
    expression = potential.xreplace({f: sp.Rational(str(f)) for f in potential.atoms(sp.Float)})
    return expression.xreplace({old: variable}), variable


def _inner_point(interval: tuple[sp.Expr, sp.Expr]) -> sp.Rational:
    lower, upper = interval
    for candidate in (
        sp.Rational(2, 5), sp.Rational(-2, 5), sp.Rational(7, 5), sp.Integer(3), sp.Integer(-3),
    ):  # fmt: skip
        if sign_of_number(candidate - lower) == 1 and sign_of_number(upper - candidate) == 1:
            return candidate
    if lower.is_finite and upper.is_finite:
        return sp.Rational(str(sp.N((lower + upper) / 2, 12)))
    return sp.Rational(str(sp.N(lower + 1 if lower.is_finite else upper - 1, 12)))


def _check_convex(hessian: sp.Expr, x: sp.Symbol, ranges: Ranges, reference: sp.Rational) -> None:
    if hessian.has(sp.nan, sp.zoo, sp.I) or (not hessian.free_symbols and hessian == 0):
        raise DomainError(f"F'' = {hessian} is not positive; a potential is strictly convex.")
    sign = sign_on(hessian, ranges)
    if sign == 1:
        return
    lower, upper = ranges[x]
    points = [reference]
    width = upper - lower
    for k in range(1, 24):
        if lower.is_finite and upper.is_finite:
            points.append(sp.Rational(str(sp.N(lower + width * sp.Rational(k, 24), 15))))
        else:
            base = lower if lower.is_finite else upper if upper.is_finite else sp.S.Zero
            for s in (1, -1):
                q = base + s * sp.Rational(3) ** (k - 8)
                if sign_of_number(q - lower) == 1 and sign_of_number(upper - q) == 1:
                    points.append(sp.Rational(str(sp.N(q, 15))))
    others = sorted(hessian.free_symbols - {x}, key=lambda s: s.name)
    try:
        program = Program([hessian], [x, *others])
    except UnsupportedFormula:
        return
    with precision(128):
        rest = [rational_ball(sp.Rational(5 + 3 * i, 4)) for i, _ in enumerate(others)]
        for q in points:
            value = program([rational_ball(q), *rest])[0]
            if not value.is_finite() and q != reference:
                continue
            if not value.is_finite() or value <= 0:
                raise DomainError(
                    f"F'' = {hessian} is not positive at {x} = {q}: the potential is not strictly "
                    f"convex on ({lower}, {upper})."
                )


def _square_roots(h: sp.Expr, x: sp.Symbol, reference: sp.Rational) -> Iterator[sp.Expr]:
    """Candidates for the positive square root."""
    yield sp.sqrt(h)
    for form in (sp.factor(sp.cancel(sp.together(h))), sp.simplify(h), sp.powsimp(h)):
        n, d = sp.fraction(sp.together(form))
        (outer_n, under_n), (outer_d, under_d) = (_root_of_factors(p, x, reference) for p in (n, d))
        # numerator and denominator have one sign, as their quotient is positive
        sign = _sign_at(under_n, x, reference)
        root = sp.sqrt(sp.expand(sign * under_n)) / sp.sqrt(sp.expand(sign * under_d))
        yield outer_n / outer_d * root
        # one radical only: sqrt(n / d) = sqrt(n d) / |d|
        yield outer_n / outer_d * sp.sqrt(sp.expand(under_n * under_d)) / (sign * under_d)
        yield sp.powdenest(sp.sqrt(form), force=True)
        yield sp.powdenest(sp.sqrt(sp.factor_terms(form.rewrite(sp.exp))), force=True)


def _root_of_factors(p: sp.Expr, x: sp.Symbol, reference: sp.Rational) -> tuple[sp.Expr, sp.Expr]:
    """Split p into a square outside of the root times what stays under it."""
    root, under = sp.S.One, sp.S.One
    for f in sp.Mul.make_args(sp.factor(p)):
        base, k = f.as_base_exp()
        sign = _sign_at(base, x, reference)
        if sign < 0 and k.is_Integer:
            base = -base
            under *= (-1) ** (int(k) % 2)
        if k.is_Integer:
            root *= base ** (int(k) // 2)
            under *= base ** (int(k) % 2)
        elif isinstance(f, sp.exp):
            root *= sp.exp(f.args[0] / 2)
        else:
            root *= base ** (k / 2)
    return root, under


def _sign_at(e: sp.Expr, x: sp.Symbol, reference: sp.Rational) -> int:
    others = sorted(e.free_symbols - {x}, key=lambda s: s.name)
    try:
        with precision(96):
            values = [
                rational_ball(reference),
                *(rational_ball(sp.Rational(5 + 3 * i, 4)) for i, _ in enumerate(others)),
            ]
            value = Program([e], [x, *others])(values)[0]
        return -1 if value < 0 else 1
    except UnsupportedFormula:
        return 1


def _positive_root(
    h: sp.Expr, x: sp.Symbol, reference: sp.Rational, ranges: Ranges
) -> list[sp.Expr]:
    """Forms of sqrt(h) that are proved to square to h, shortest first."""
    candidates = proposal(_list_of_roots, h, x, reference, seconds=3.0) or [sp.sqrt(h)]
    out = []

    def preference(e: sp.Expr) -> tuple[bool, bool, int]:
        # roots of polynomials lead to Euler's substitutions, roots of quotients to nothing
        quotient = any(
            a.exp.is_Rational
            and not a.exp.is_Integer
            and sp.fraction(sp.together(a.base))[1].has(x)
            for a in e.atoms(sp.Pow)
        )
        radicands = {a.base for a in e.atoms(sp.Pow) if a.exp.is_Rational and not a.exp.is_Integer}
        return quotient, sum(b.has(x) for b in radicands) > 1, int(e.count_ops())

    for candidate in sorted(dict.fromkeys(candidates), key=preference):
        candidate = candidate.replace(
            lambda e: isinstance(e, sp.Abs),
            lambda e: e.args[0] * _sign_at(e.args[0], x, reference),
        )
        if not evaluated(candidate):
            continue
        if _sign_at(candidate, x, reference) < 0:
            candidate = -candidate
        try:
            if is_zero(candidate**2 - h, ranges).proved:
                out.append(candidate)
        except (DomainError, UnsupportedFormula):
            continue
    return list(dict.fromkeys(out))[:4]


def _list_of_roots(h: sp.Expr, x: sp.Symbol, reference: sp.Rational) -> list[sp.Expr]:
    return list(_square_roots(h, x, reference))


def _solve(
    hessian: sp.Expr,
    x: sp.Symbol,
    interval: tuple[sp.Expr, sp.Expr],
    reference: sp.Rational,
    ranges: Ranges,
) -> Design:
    u = sp.Symbol("u", real=True)
    time = None
    certificates: list[Certificate] = []
    roots = _positive_root(hessian, x, reference, ranges)
    for root in roots:
        found = antiderivative(root, x, reference=reference, ranges=ranges)
        if found is not None:
            time = shorten(_without_constant(found.expression, x), ranges)
            verdict = is_zero(sp.diff(time, x) ** 2 - hessian, ranges)
            if not verdict.proved:
                time = found.expression
                verdict = is_zero(sp.diff(time, x) ** 2 - hessian, ranges)
            if verdict.proved:
                certificates.append(
                    Certificate("U'(x)^2 = F''(x)", verdict, found.certificate.route)
                )
                break
            time = None
    if time is not None:
        closed = _invert(time, x, u, reference, ranges, hessian)
        if closed is not None:
            formula, parameter, certificate, image = closed
            return Design(
                x, hessian, interval, time, formula, (parameter,), "closed", (),
                (*certificates, certificate), image,
            )  # fmt: skip
    pair = _pair(hessian, x, interval, reference, ranges)
    if pair is not None:
        return pair
    if time is not None:
        return Design(x, hessian, interval, time, None, (u,), "parametric", (), tuple(certificates))
    t = sp.Dummy(x.name, real=True)
    root = roots[0] if roots else sp.sqrt(hessian)
    integral = sp.Integral(root.xreplace({x: t}), (t, reference, x))
    verdict = is_zero(root**2 - hessian, ranges)
    return Design(
        x, hessian, interval, integral, None, (u,), "quadrature", (),
        (Certificate("U'(x)^2 = F''(x)", verdict, "fundamental theorem of calculus"),),
    )  # fmt: skip


def _without_constant(e: sp.Expr, x: sp.Symbol) -> sp.Expr:
    return e.as_independent(x, as_Add=True)[1]


def _invert(
    time: sp.Expr,
    x: sp.Symbol,
    u: sp.Symbol,
    reference: sp.Rational,
    ranges: Ranges,
    hessian: sp.Expr,
) -> tuple[sp.Expr, sp.Symbol, Certificate, tuple[sp.Expr, sp.Expr]] | None:
    """Rho = U^{-1}, certified by F''(rho) rho'^2 = 1."""
    lower, upper = ranges[x]
    ends = []
    for end, direction in ((lower, "+"), (upper, "-")):
        limit = certified_limit(time, x, end, direction, seconds=1.0)
        ends.append(None if limit is None or limit.value.free_symbols else limit.value)
    if ends[0] is not None and ends[0].is_nonnegative:
        u = sp.Symbol("u", positive=True)
    elif ends[1] is not None and ends[1].is_nonpositive:
        u = sp.Symbol("u", negative=True)
    image = {
        u: (
            ends[0] if ends[0] is not None else -sp.oo,
            ends[1] if ends[1] is not None else sp.oo,
        )
    }
    back = inverse(time, x, u, reference=reference, ranges=dict(ranges) | image)
    if back is None:
        return None
    formula = shorten(back.expression, image)
    for candidate in dict.fromkeys((formula, back.expression)):
        try:
            verdict = is_zero(
                hessian.xreplace({x: candidate}) * sp.diff(candidate, u) ** 2 - 1, image
            )
        except (DomainError, UnsupportedFormula):
            continue
        if verdict.proved:
            proof = Certificate("F''(rho(u)) rho'(u)^2 = 1", verdict, "inverse of U")
            return candidate, u, proof, image[u]
    return None


def _pair(
    hessian: sp.Expr,
    x: sp.Symbol,
    interval: tuple[sp.Expr, sp.Expr],
    reference: sp.Rational,
    ranges: Ranges,
) -> Design | None:
    """X = rho(u) - rho(v): split the inverse mirror map into an increasing part and its mirror."""
    if interval != (-sp.oo, sp.oo):
        return None
    found = antiderivative(hessian, x, reference=reference, ranges=ranges)
    if found is None:
        return None
    at_zero = found.expression.subs(x, 0)
    if at_zero.has(sp.nan, sp.zoo, sp.oo):
        return None
    gradient = shorten(found.expression - at_zero)
    xi = sp.Symbol("xi", real=True)
    back = inverse(gradient, x, xi, reference=reference)
    if back is None:
        return None
    k = back.expression
    for psi in _increasing_parts(k, xi):
        try:
            split = is_zero(psi - psi.xreplace({xi: -xi}) - k)
        except (DomainError, UnsupportedFormula):
            continue
        if not split.proved:
            continue
        single = _from_inverse_map(psi, xi)
        if single is None:
            continue
        rho, w, w0 = single
        u = sp.Symbol("u", **({"positive": True} if w.is_positive else {"real": True}))
        v = sp.Symbol("v", **({"positive": True} if w.is_positive else {"real": True}))
        formula = rho.xreplace({w: u}) - rho.xreplace({w: v})
        return Design(
            x, hessian, interval, gradient, formula, (u, v), "pair", (w0, w0),
            (
                found.certificate,
                back.certificate,
                Certificate("k(xi) = Psi(xi) - Psi(-xi)", split, "pair construction"),
            ),
        )  # fmt: skip
    return None


def _increasing_parts(k: sp.Expr, xi: sp.Symbol) -> Iterator[sp.Expr]:
    """Sub-sums Psi of k with k = Psi(xi) - Psi(-xi)."""
    for form in (
        sp.expand(k.rewrite(sp.exp)),
        sp.apart(k, xi) if k.is_rational_function(xi) else k,
    ):
        terms = sp.Add.make_args(form)
        growing = [
            t
            for t in terms
            if any(sp.expand(e.args[0]).coeff(xi, 1).is_positive for e in t.atoms(sp.exp))
        ]
        if growing:
            yield sp.Add(*growing)
        poles = [
            t
            for t in terms
            if t.is_rational_function(xi) and sp.degree(sp.fraction(sp.together(t))[1], xi) > 0
        ]
        right = []
        for t in poles:
            zeros = sp.roots(sp.Poly(sp.fraction(sp.together(t))[1], xi))
            if all(z.is_positive for z in zeros):
                right.append(t)
        if right:
            yield sp.Add(*right)


def _from_inverse_map(psi: sp.Expr, xi: sp.Symbol) -> tuple[sp.Expr, sp.Symbol, sp.Expr] | None:
    r"""The rho with $\rho(w(\xi)) = \Psi(\xi)$ on its curve, $w' = \sqrt{\Psi'}$; and its start."""
    slope = sp.diff(psi, xi)
    roots = _positive_root(slope, xi, sp.Rational(1, 97), {})
    for root in roots:
        w_of_xi = antiderivative(root, xi, reference=sp.Rational(1, 97))
        if w_of_xi is None:
            continue
        w_expression = _without_constant(w_of_xi.expression, xi)
        start = w_expression.subs(xi, 0)
        w = sp.Symbol("w", positive=True) if start.is_positive else sp.Symbol("w", real=True)
        back = inverse(w_expression, xi, w, reference=sp.Rational(1, 97))
        if back is None:
            continue
        rho = shorten(psi.xreplace({xi: back.expression}))
        try:
            along = {w: w_expression}
            verdict = is_zero(sp.diff(rho, w).xreplace(along) ** 2 - slope)
        except (DomainError, UnsupportedFormula):
            continue
        if verdict.proved:
            return rho, w, start
    return None
