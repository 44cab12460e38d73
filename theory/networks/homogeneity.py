r"""The degree to which a formula is positively homogeneous: $f(c\theta) = c^Lf(\theta)$, c > 0.

The degree is read off the structure of the formula, and certified by Euler's identity
$\langle\nabla f, \theta\rangle = Lf$, which on a cone is equivalent for what is differentiable, or
by the zero test on $f(c\theta) - c^Lf(\theta)$.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import DomainError, FormulaError, NotClosedForm, UnsupportedFormula
from theory.exact.assumptions import declare
from theory.exact.balls import ball, sign_of_number
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_symbols
from theory.exact.markup import latex_of
from theory.exact.parsing import names_in, parse
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero, sample_points

__all__ = ["Homogeneity", "degree_of", "homogeneity"]


@dataclass(frozen=True)
class Homogeneity:
    """A formula with its degree in some parameters.

    Parameters
    ----------
    formula : sympy.Expr
    parameters : tuple of sympy.Symbol
    degree : sympy.Expr
        May contain symbolic exponents.
    verdict : Verdict
        PROVED by the structure, or by the zero test.
    """

    formula: sp.Expr
    parameters: tuple[sp.Symbol, ...]
    degree: sp.Expr
    verdict: Verdict

    @property
    def euler_defect(self) -> sp.Expr:
        r"""$\langle\nabla f, \theta\rangle - Lf$, which is zero where f is differentiable."""
        slopes = (s * sp.diff(self.formula, s) for s in self.parameters)
        return sp.Add(*slopes) - self.degree * self.formula

    @cached_property
    def derivation(self) -> Derivation:
        """The scaling, and Euler's identity."""
        return numbered(f"Degree {self.degree} of {self.formula}", _steps(self))

    def __str__(self) -> str:
        return f"{self.formula} has the degree {self.degree}"

    def _repr_latex_(self) -> str:
        return f"$L = {latex_of(self.degree)}$"


def homogeneity(formula: Any, parameters: Any, *, assume: Mapping[str, str] | None = None) -> Any:
    r"""The degree L with $f(c\theta) = c^Lf(\theta)$ for all c > 0.

    Parameters
    ----------
    formula : sympy.Expr or str
    parameters : sequence of symbols or names, text such as "u, v", or mapping to such
        What is scaled; all other symbols stay. A mapping of groups, such as the layers of a
        network, has the degree of each group.
    assume : mapping from name to str, optional
        For names in text; each is real unless told.

    Returns
    -------
    Homogeneity, or a dict of them for a mapping

    Raises
    ------
    FormulaError
        For a formula that is not homogeneous, with a point that shows it.
    NotClosedForm
        Where neither was decided.

    Examples
    --------
    >>> print(homogeneity("v*max(w*x, 0)**2", "v, w"))
    v*Max(0, w*x)**2 has the degree 3
    >>> homogeneity("v*max(w*x + b, 0)", "v, w, b").degree
    2
    >>> homogeneity("v*max(w*x, 0) + b", "v, w, b")
    Traceback (most recent call last):
    theory.errors.FormulaError: ... is not homogeneous in v, w, b: ...
    """
    groups = parameters if isinstance(parameters, Mapping) else {"": parameters}
    known = _names(formula, assume)
    read = {k: _parameters(v, known) for k, v in groups.items()}
    e = _read(formula, known)
    found = {k: _one(e, symbols) for k, symbols in read.items()}
    return found if isinstance(parameters, Mapping) else found[""]


def _names(formula: Any, assume: Mapping[str, str] | None) -> dict[str, sp.Symbol]:
    words = dict(assume or {})
    out = {n: declare(n, w)[0] for n, w in words.items()}
    if isinstance(formula, str):
        out |= {n: sp.Symbol(n, real=True) for n in names_in(formula) if n not in out}
    elif isinstance(formula, sp.Basic):
        out |= {s.name: s for s in formula.free_symbols}
    return out


def _parameters(given: Any, known: Mapping[str, sp.Symbol]) -> tuple[sp.Symbol, ...]:
    if isinstance(given, str):
        given = [n for n in given.replace(",", " ").split() if n]
    elif isinstance(given, sp.Symbol):
        given = [given]
    if not isinstance(given, list | tuple):
        raise FormulaError(f"Expected parameters such as 'u, v' but got {given!r}.")
    found = []
    for v in given:
        s = known.get(v) if isinstance(v, str) else v
        if not isinstance(s, sp.Symbol):
            raise FormulaError(f"The formula does not contain the parameter {v!r}.")
        found.append(s)
    return read_symbols(found)


def _read(formula: Any, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    e = parse(formula, dict(known)) if isinstance(formula, str) else formula
    if not isinstance(e, sp.Expr):
        raise FormulaError(f"Expected a formula but got {formula!r}.")
    if e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise FormulaError(f"Expected a finite real formula but got {e}.")
    return e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})


def _one(e: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Homogeneity:
    missing = [s.name for s in symbols if s not in e.free_symbols]
    if missing:
        raise FormulaError(f"The formula {e} does not contain the parameter {missing[0]}.")
    for form in (e, sp.expand(e), sp.cancel(e) if e.is_rational_function() else e):
        degree = degree_of(form, symbols)
        if degree is not None:
            how = "by the rules of sums, products, powers, maxima and absolute values"
            return Homogeneity(e, symbols, degree, Verdict(Status.PROVED, how))
    c = sp.Dummy("c", positive=True)
    candidate = _measured(e, symbols)
    if candidate is not None:
        scaled = e.xreplace({s: c * s for s in symbols})
        verdict = is_zero(scaled - c**candidate * e)
        if verdict.proved:
            return Homogeneity(e, symbols, candidate, verdict)
    _refuse(e, symbols)
    raise NotClosedForm(
        f"No degree of {e} in {', '.join(s.name for s in symbols)} was proved, and no point shows "
        "that there is none; expand it, or write it with max and abs."
    )


def degree_of(e: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Expr | None:
    """The degree by structure, or None when the rules do not give one.

    Examples
    --------
    >>> u, v, L = sp.symbols("u v L", positive=True)
    >>> degree_of(u**L * v + sp.Abs(u) ** (L + 1), [u, v])
    L + 1
    >>> degree_of(u + 1, [u, v]) is None
    True
    """
    inside = set(symbols)

    def rule(t: sp.Expr) -> sp.Expr | None:
        if not t.free_symbols & inside:
            return sp.S.Zero
        if t.is_Symbol:
            return sp.S.One
        if isinstance(t, sp.Mul):
            parts = [rule(a) for a in t.args]
            known = [p for p in parts if p is not None]
            return sp.expand(sp.Add(*known)) if len(known) == len(parts) else None
        if isinstance(t, sp.Pow):
            base = rule(t.base)
            if base is None or t.exp.free_symbols & inside:
                # c^0 = 1 in the exponent
                return sp.S.Zero if base == 0 and rule(t.exp) == 0 else None
            return sp.expand(base * t.exp)
        if isinstance(t, sp.Abs):
            return rule(t.args[0])
        if isinstance(t, sp.sign | sp.Heaviside):
            # signs do not change when the argument is scaled, whatever its degree
            return sp.S.Zero if rule(t.args[0]) is not None else None
        if isinstance(t, sp.Add | sp.Max | sp.Min):
            return _common([(a, rule(a)) for a in t.args])
        if isinstance(t, sp.Piecewise):
            conditions = [c for _, c in t.args if c != sp.true]
            if not all(_keeps(c) for c in conditions):
                return None
            return _common([(a, rule(a)) for a, _ in t.args])
        if t.args and all(rule(a) == 0 for a in t.args):
            return sp.S.Zero
        return None

    def _keeps(condition: Any) -> bool:
        parts = condition.args if isinstance(condition, sp.And | sp.Or | sp.Not) else (condition,)
        if parts != (condition,):
            return all(map(_keeps, parts))
        return isinstance(condition, sp.core.relational.Relational) and (
            rule(sp.expand(condition.lhs - condition.rhs)) is not None
        )

    def _common(parts: list[tuple[sp.Expr, sp.Expr | None]]) -> sp.Expr | None:
        # zero has every degree
        degrees = [d for a, d in parts if a != 0]
        first = degrees[0] if degrees else None
        if first is None or any(d is None or not _equal(d, first) for d in degrees):
            return None
        return first

    return rule(e)


def _equal(a: sp.Expr, b: sp.Expr) -> bool:
    gap = sp.expand(a - b)
    return gap == 0 or (bool(gap.free_symbols) and is_zero(gap).proved)


def _values(e: sp.Expr, symbols: Sequence[sp.Symbol]) -> Iterator[tuple[Any, sp.Expr, sp.Expr]]:
    """Points with f there and at twice the parameters, where both are exact numbers."""
    free = sorted(e.free_symbols, key=lambda s: s.name)
    for i, point in enumerate(sample_points(free, seed=3)):
        if i >= 40:
            return
        double = {s: 2 * v if s in symbols else v for s, v in point.items()}
        values = e.xreplace(dict(point)), e.xreplace(double)
        if all(v.is_number and v.is_real and v.is_finite for v in values):
            yield point, *values


def _measured(e: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Expr | None:
    """A guess of a rational degree from one point; the zero test decides."""
    for _, here, there in _values(e, symbols):
        if here == 0:
            continue
        try:
            ratio = ball(there / here)
        except (DomainError, UnsupportedFormula):
            continue
        if ratio > 0:
            degree = float(ratio.log()) / float(sp.log(2))
            return sp.Rational(degree).limit_denominator(24)
    return None


def _refuse(e: sp.Expr, symbols: Sequence[sp.Symbol]) -> None:
    """Refuse a formula of which f(2 theta)/f(theta) is not one number.

    Raises
    ------
    FormulaError
        With two points, or one where the sign changes.
    """
    constants = e.free_symbols - set(symbols)
    names = ", ".join(s.name for s in symbols)
    first: tuple[Any, sp.Expr] | None = None
    for point, here, there in _values(e, symbols):
        signs = [0 if v == 0 else sign_of_number(v) for v in (here, there)]
        where = ", ".join(f"{s.name} = {v}" for s, v in point.items())
        if None not in signs and signs[0] != signs[1]:
            raise FormulaError(
                f"{e} is not homogeneous in {names}: at {where} it is {here}, and {there} at twice "
                "the parameters."
            )
        if 0 in signs or constants:
            continue
        ratio = there / here
        if first is None:
            first = (where, ratio)
        elif sign_of_number(ratio - first[1]) in (1, -1):
            raise FormulaError(
                f"{e} is not homogeneous in {names}: f(2 theta)/f(theta) is {sp.N(first[1], 6)} at "
                f"{first[0]} and {sp.N(ratio, 6)} at {where}."
            )
    if constants:
        _refuse_at_constants(e, symbols)


def _refuse_at_constants(e: sp.Expr, symbols: Sequence[sp.Symbol]) -> None:
    """The same with the other symbols at a few exact values, each on its own."""
    constants = sorted(e.free_symbols - set(symbols), key=lambda s: s.name)
    for i, point in enumerate(sample_points(constants, seed=5)):
        if i >= 6:
            return
        there = e.xreplace(dict(point))
        if set(symbols) <= there.free_symbols:
            _refuse(there, symbols)


def _steps(found: Homogeneity) -> Iterator[RawStep]:
    c = sp.Symbol("c", positive=True)
    yield (
        "Scaling",
        [f"f(c*theta) = c**({found.degree}) f(theta) for c > 0"],
        found.verdict.method,
        Certificate(f"degree {found.degree}", found.verdict),
    )
    smooth = not found.formula.has(sp.Max, sp.Min, sp.Abs, sp.sign, sp.Piecewise, sp.Heaviside)
    certificate = None
    if smooth:
        verdict = is_zero(found.euler_defect)
        certificate = None if verdict.undecided else Certificate("Euler's identity", verdict)
    yield (
        "Euler",
        [f"<grad f, theta> = {found.degree} f where f is differentiable"],
        f"the derivative of the scaling in {c} at {c} = 1",
        certificate,
    )
