r"""A norm by its formula: what it is, and its dual where that can be derived.

Three families have one: roots of positive definite quadratic forms, $\sqrt{x^TQx}$ with the dual
$\sqrt{g^TQ^{-1}g}$; weighted $(\sum w_i|x_i|^p)^{1/p}$ with $(\sum w_i^{1-q}|g_i|^q)^{1/q}$; and
sums and maxima of absolute values of linear forms, whose unit balls are polytopes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import DomainError, FormulaError, NotClosedForm, UnsupportedFormula
from theory.exact.balls import sign_of_number
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_formulas, read_symbols
from theory.exact.markup import latex_of
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.networks.arguments import read_entries
from theory.networks.certify import certify_zero, young_step
from theory.networks.unit_ball import Point, UnitBall, largest_product, polar

__all__ = ["FormulaNorm", "formula"]


@dataclass(frozen=True)
class FormulaNorm:
    """A norm by a formula in its variables; make one with `th.norms.formula`.

    Parameters
    ----------
    variables : tuple of sympy.Symbol
    expression : sympy.Expr
    kind : str
        "quadratic form", "weighted powers" or "polytope".
    data : tuple
        The matrix Q; or the exponent and the weights; or the points whose largest product it is.
    """

    variables: tuple[sp.Symbol, ...]
    expression: sp.Expr
    kind: str
    data: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The formula."""
        return str(self.expression)

    @property
    def size(self) -> int:
        """The number of parameters."""
        return len(self.variables)

    @cached_property
    def dual(self) -> FormulaNorm:
        """The dual norm, in the same variables."""
        if self.kind == "quadratic form":
            return _quadratic(self.variables, sp.Matrix(self.data).inv())
        if self.kind == "weighted powers":
            p, *weights = self.data
            q = p / (p - 1)
            return _powers(self.variables, q, [w ** (1 - q) for w in weights])
        points = polar(self.data)
        return FormulaNorm(
            self.variables, largest_product(self.variables, points), "polytope", points
        )

    def value(self, entries: Sequence[Any]) -> sp.Expr:
        """The norm of real numbers or formulas."""
        found = read_entries(entries, self.size)
        return self.expression.xreplace(dict(zip(self.variables, found, strict=True)))

    def direction(self, gradient: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """The u with norm one and the largest product with the gradient.

        Examples
        --------
        >>> formula("sqrt(2*x**2 + 3*y**2)", "x, y").direction([2, 0])
        (sqrt(2)/2, 0)
        """
        g = read_entries(gradient, self.size)
        if self.kind == "polytope":
            return UnitBall(polar(self.data)).direction(g)
        if all(v == 0 for v in g):
            return (sp.S.Zero,) * self.size
        size = self.dual.value(g)
        if self.kind == "quadratic form":
            return tuple(sp.Matrix(self.data).inv() * sp.Matrix(g) / size)
        p, *weights = self.data
        q = p / (p - 1)
        return tuple(
            sp.S.Zero if v == 0 else sp.sign(v) * (abs(v) / w) ** (q - 1) / size ** (q - 1)
            for v, w in zip(g, weights, strict=True)
        )

    @cached_property
    def derivation(self) -> Derivation:
        """The dual and the direction, with their certificates."""
        return numbered(f"Dual of {self.name}", _steps(self))

    def __str__(self) -> str:
        return self.name

    def _repr_latex_(self) -> str:
        return f"${latex_of(self.expression)}$"


def formula(expression: Any, variables: Any) -> FormulaNorm:
    """A norm by its formula, with its dual.

    Parameters
    ----------
    expression : sympy.Expr or str
    variables : sequence of sympy.Symbol or of names, or text such as "x, y"
        All parameters, in their order.

    Raises
    ------
    FormulaError
        For what is no norm, with the points that show it.
    NotClosedForm
        Where no dual was derived.

    Examples
    --------
    >>> print(formula("sqrt(2*x**2 + 3*y**2)", "x, y").dual)
    sqrt(x**2/2 + y**2/3)
    >>> print(formula("2*abs(x) + abs(y)", "x, y").dual)
    Max(Abs(x)/2, Abs(y))
    >>> print(formula("(abs(x)**3 + 8*abs(y)**3)**(1/3)", "x, y").dual)
    (Abs(x)**(3/2) + sqrt(2)*Abs(y)**(3/2)/4)**(2/3)
    """
    symbols = _variables(variables)
    (e,) = read_formulas([expression], {s.name: s for s in symbols})
    e = e.xreplace({s: t for s in e.free_symbols for t in symbols if s.name == t.name})
    missing = [s.name for s in symbols if s not in e.free_symbols]
    extra = sorted(s.name for s in e.free_symbols - set(symbols))
    if missing or extra:
        raise FormulaError(
            f"Expected a norm of {', '.join(s.name for s in symbols)} but {e} "
            + (f"does not contain {', '.join(missing)}." if missing else f"contains {extra[0]}.")
        )
    found = _as_quadratic(e, symbols) or _as_powers(e, symbols) or _as_polytope(e, symbols)
    if found is not None:
        return found
    _demand_norm(e, symbols)
    raise NotClosedForm(
        f"No dual of {e} was derived; there are duals of roots of quadratic forms, of weighted lp "
        "norms, and of sums and maxima of absolute values of linear forms."
    )


def _variables(variables: Any) -> tuple[sp.Symbol, ...]:
    if isinstance(variables, str):
        variables = [v for v in variables.replace(",", " ").split() if v]
    elif isinstance(variables, sp.Symbol):
        variables = [variables]
    if not isinstance(variables, list | tuple):
        raise FormulaError(
            f"Expected the variables of a norm such as 'x, y' but got {variables!r}."
        )
    for v in variables:
        if not isinstance(v, sp.Symbol) and not (isinstance(v, str) and v.isidentifier()):
            raise FormulaError(f"Expected a name or a symbol as a variable but got {v!r}.")
    given = [sp.Symbol(v, real=True) if isinstance(v, str) else v for v in variables]
    symbols = read_symbols(given)
    return tuple(symbols)


# -- the three families


def _quadratic(symbols: tuple[sp.Symbol, ...], Q: sp.Matrix) -> FormulaNorm:
    x = sp.Matrix(symbols)
    form = sp.expand((x.T * Q * x)[0, 0])
    rows = tuple(tuple(Q.row(i)) for i in range(Q.rows))
    return FormulaNorm(symbols, sp.sqrt(form), "quadratic form", rows)


def _as_quadratic(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> FormulaNorm | None:
    square = sp.expand(e**2)
    if not square.is_polynomial(*symbols):
        return None
    polynomial = sp.Poly(square, *symbols)
    if any(sum(m) != 2 for m in polynomial.monoms()):
        return None
    Q = sp.hessian(square, symbols) / 2
    minors = [Q[:k, :k].det() for k in range(1, Q.rows + 1)]
    signs = [sign_of_number(m) if m.is_number else sign_on(m) for m in minors]
    if any(s != 1 for s in signs):
        return None
    found = _quadratic(symbols, Q)
    # e could be the negative root on a part of the space
    return found if is_zero(e - found.expression).proved else None


def _powers(symbols: tuple[sp.Symbol, ...], p: sp.Expr, weights: Sequence[sp.Expr]) -> FormulaNorm:
    total = sp.Add(*(w * abs(s) ** p for s, w in zip(symbols, weights, strict=True)))
    return FormulaNorm(symbols, total ** (1 / p), "weighted powers", (p, *weights))


def _as_powers(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> FormulaNorm | None:
    if not e.is_Pow or not e.exp.is_Rational or e.exp <= 0 or e.exp >= 1:
        return None
    p = 1 / e.exp
    weights: dict[sp.Symbol, sp.Expr] = {}
    for term in sp.Add.make_args(e.base):
        w, rest = term.as_independent(*symbols)
        s = next((s for s in symbols if is_same_power(rest, s, p)), None)
        if s is None or s in weights or sign_of_number(w) != 1:
            return None
        weights[s] = w
    return _powers(symbols, p, [weights[s] for s in symbols])


def is_same_power(e: sp.Expr, s: sp.Symbol, p: sp.Expr) -> bool:
    """Whether a formula is |s|^p as it was typed."""
    whole = p.is_Integer and p % 2 == 0
    return e == abs(s) ** p or (whole and e == s**p)


def _as_polytope(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> FormulaNorm | None:
    points = _support(e, symbols)
    if points is None or any(tuple(-v for v in p) not in points for p in points):
        return None
    if sp.Matrix(list(points)).rank() < len(symbols):
        return None
    return FormulaNorm(symbols, e, "polytope", tuple(points))


def _support(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> dict[Point, None] | None:
    """The points whose largest product with x is the formula, a sublinear one."""
    linear = _linear(e, symbols)
    if linear is not None:
        return {linear: None}
    if isinstance(e, sp.Abs):
        form = _linear(e.args[0], symbols)
        return None if form is None else {form: None, tuple(-v for v in form): None}
    factor, rest = e.as_independent(*symbols, as_Add=False)
    if factor != 1 and factor.is_Rational:
        inner = None if factor < 0 else _support(rest, symbols)
        return None if inner is None else {tuple(factor * v for v in p): None for p in inner}
    if not isinstance(e, sp.Add | sp.Max):
        return None
    parts = [_support(a, symbols) for a in e.args]
    if any(p is None for p in parts):
        return None
    known = [p for p in parts if p is not None]
    if isinstance(e, sp.Max):
        return dict.fromkeys(itertools.chain(*known))
    total: dict[Point, None] = {(sp.S.Zero,) * len(symbols): None}
    for part in known:
        if len(total) * len(part) > 4096:
            return None
        total = {tuple(a + b for a, b in zip(p, q, strict=True)): None for p in total for q in part}
    return total


def _linear(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Point | None:
    if not e.is_polynomial(*symbols):
        return None
    polynomial = sp.Poly(e, *symbols)
    if any(sum(m) != 1 for m in polynomial.monoms()):
        return None
    form = tuple(polynomial.coeff_monomial(s) for s in symbols)
    return form if all(c.is_Rational for c in form) else None


# -- what is no norm

_SMALL = tuple(sp.Rational(*pair) for pair in ((0, 1), (1, 1), (-1, 1), (2, 1), (-1, 2), (3, 1)))


def _demand_norm(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> None:
    """Refuse a formula that breaks a law of norms at exact points.

    Raises
    ------
    FormulaError
        With the law and the points.
    """
    points = list(itertools.islice(itertools.product(_SMALL, repeat=len(symbols)), 1, 40))

    def at(x: Sequence[Any]) -> sp.Expr:
        return e.xreplace(dict(zip(symbols, x, strict=True)))

    def sign(value: sp.Expr) -> int | None:
        try:
            return 0 if value == 0 else sign_of_number(value)
        except (UnsupportedFormula, DomainError, TypeError, ValueError) as error:
            raise FormulaError(f"{e} has no real value at a small point: {error}") from error

    def refuse(law: str, *shown: Any) -> None:
        where = " and ".join(f"({', '.join(map(str, x))})" for x in shown)
        raise FormulaError(f"{e} is no norm: {law} fails at {where}.")

    for x in points:
        if at(x).is_real is False or at(x).has(sp.nan, sp.zoo, sp.oo):
            refuse("a finite real value", x)
        if sign(at(x)) in (0, -1):
            refuse("N(x) > 0 for x != 0", x)
        if sign(at([-v for v in x]) - at(x)) in (1, -1):
            refuse("N(-x) = N(x)", x)
        if sign(at([2 * v for v in x]) - 2 * at(x)) in (1, -1):
            refuse("N(2 x) = 2 N(x)", x)
    for x, y in itertools.combinations(points, 2):
        together = [a + b for a, b in zip(x, y, strict=True)]
        if sign(at(x) + at(y) - at(together)) == -1:
            refuse("N(x + y) <= N(x) + N(y)", x, y)


# -- derivation


def _steps(norm: FormulaNorm) -> Iterator[RawStep]:
    dual = norm.dual
    if norm.kind == "polytope":
        facets, back = dual.data, set(polar(dual.data))
        inside = all(
            abs(sum(a * b for a, b in zip(f, p, strict=True))) <= 1
            for f in facets
            for p in norm.data
        )
        opposite = {tuple(-v for v in p) for p in back}
        exact = inside and back <= set(norm.data) and opposite <= set(norm.data)
        yield (
            "Dual norm",
            [sp.Eq(sp.Symbol("N_*"), dual.expression, evaluate=False)],
            "a maximum of linear forms; the corners of its unit ball, by exact solution of their "
            "equations, give the dual norm, and their polar gives the forms again",
            Certificate(
                "the polar of the polar",
                Verdict(Status.PROVED if exact else Status.UNDECIDED, "exact rational arithmetic"),
            ),
        )
        return
    g = [sp.Symbol(f"g_{s.name}", positive=True) for s in norm.variables]
    u = norm.direction(g)
    product = sp.Add(*(a * b for a, b in zip(g, u, strict=True)))
    size = dual.value(g)
    at_u = norm.expression.xreplace(dict(zip(norm.variables, u, strict=True)))
    if norm.kind == "quadratic form":
        Q = sp.Matrix(norm.data)
        minors = [Q[:k, :k].det() for k in range(1, Q.rows + 1)]
        yield (
            "A norm",
            ["the leading minors of Q are positive, so that <x, Q y> is an inner product"],
            f"they are {', '.join(map(str, minors))}",
            Certificate("positive definite", Verdict(Status.PROVED, "signs by balls or rules")),
        )
        yield (
            "Cauchy and Schwarz",
            ["<g, x> = <Q^-1 g, Q x> <= N_*(g) N(x)"],
            "in the inner product of Q",
            certify_zero("Q Q^-1 = 1", *(Q * Q.inv() - sp.eye(Q.rows))),
        )
    else:
        yield young_step(norm.data[0])
        yield (
            "Hoelder",
            ["<g, x> <= N_*(g) N(x)"],
            "Young's inequality with a = w_i**(1/p)|x_i|/N(x) and b = w_i**(-1/p)|g_i|/N_*(g), "
            "summed over i",
            None,
        )
    yield (
        "Equality",
        [sp.Eq(sp.Symbol("N_*"), dual.expression, evaluate=False)],
        "at the direction u, of norm one",
        certify_zero(
            "norm and product of the direction",
            at_u ** _power_of(norm) - 1,
            product - size,
        ),
    )


def _power_of(norm: FormulaNorm) -> sp.Expr:
    return sp.Integer(2) if norm.kind == "quadratic form" else norm.data[0]
