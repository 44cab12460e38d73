r"""Verdicts on convexity, in one variable and in several.

In several variables the Hessian H is taken apart: variables that no second derivative connects are
independent questions. A block is positive semidefinite when it is a form of squares, when all
leading principal minors are positive (Sylvester), or when all principal minors are nonnegative.
It is not when $d^T H d < 0$ at an exact point for a rational direction d.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from theory.claims.claim import question_on, recorded
from theory.claims.inequality import definite, nonnegative
from theory.claims.properties import function_on, not_smooth, read_interval, weak_sign
from theory.claims.statement import Domain, Point, names_of, read_domain, read_expression
from theory.errors import DomainError, FormulaError, UnknownName, UnsupportedFormula
from theory.exact.assumptions import between
from theory.exact.balls import Program, precision, rational_ball
from theory.exact.budget import remaining, spent, time_budget
from theory.exact.guard import evaluated, proposal, proposals
from theory.exact.parsing import names_in
from theory.exact.signs import is_analytic, unbounded
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero

__all__ = ["Function", "convex", "quadratic_form", "read_function"]

_MOST = 4
"""Variables of one block up to which all principal minors are looked at."""
_POINTS = 200
_DENOMINATORS = (1, 2, 10, 1000, 10**6, 10**12)


@dataclass(frozen=True)
class Function:
    """A function of some variables on a convex domain.

    Parameters
    ----------
    formula : sympy.Expr
    variables : tuple of sympy.Symbol
        Its other symbols are constants.
    domain : Domain
        Of variables and constants.
    conditions : tuple of str
        What a statement about the domain needs besides one about its interior.
    """

    formula: sp.Expr
    variables: tuple[sp.Symbol, ...]
    domain: Domain
    conditions: tuple[str, ...] = ()

    def hessian(self) -> sp.Matrix:
        """The matrix of second derivatives."""
        return sp.hessian(self.formula, self.variables)


def convex(
    F: Any,
    on: Mapping[Any, Any] | tuple[Any, Any] | str = "(-oo, oo)",
    *,
    x: sp.Symbol | str | Sequence[sp.Symbol | str] | None = None,
    assume: Mapping[Any, str] | None = None,
    seconds: float = 20.0,
) -> Verdict:
    """Whether a function is convex, in all of its variables together.

    Parameters
    ----------
    F : sympy.Expr or str
    on : str, pair, or mapping from variable to one of these
        An open interval for every variable, ``"(0, oo)"``; or for each its own,
        ``{"x": "(0, oo)", "y": "(-oo, oo)"}``; or relations, ``"x > 0 & x + y < 1"``, which are
        linear, so that the domain is convex.
    x : symbol, name, several of them, or text such as ``"x, y"``, optional
        The variables; all symbols that `assume` does not declare unless given.
    assume : mapping from name to str, optional
        The constants.
    seconds : float
        Time for the search of a proof.

    Returns
    -------
    Verdict
        REFUTED with an exact point, and in several variables with a direction d of rational
        entries ``d_x, d_y, ...`` in which the second derivative is negative there.

    Raises
    ------
    DomainError
        For a function without a real value in a part of the domain.
    FormulaError
        For relations that are not linear, and for variables that do not occur.

    Examples
    --------
    >>> print(convex("x*log(x) - x", on="(0, oo)").status)
    PROVED
    >>> print(convex("x**4 - x**2", on="(-1, 1)").status)
    REFUTED
    >>> print(convex("x*log(x/y)", on="x > 0 & y > 0").status)
    PROVED
    >>> convex("x*y").witness
    {'x': '0', 'y': '0', 'd_x': '1', 'd_y': '-1'}
    """
    with time_budget(seconds):
        f = read_function(F, on, x, assume)
        if len(f.variables) == 1:
            verdict = weak_sign(f.formula, sp.diff(f.formula, f.variables[0], 2), f.domain, "F''")
        else:
            verdict = _jointly(f)
    if verdict.proved:
        conditions = (*verdict.conditions, *f.conditions)
        verdict = Verdict(verdict.status, verdict.method, conditions)
    return recorded(
        verdict,
        lambda: question_on(
            "convex",
            f.formula.free_symbols | set(f.variables),
            f.domain,
            function=f.formula,
            variables=f.variables,
        ),
    )


def read_function(
    F: Any, on: Any, x: Any = None, assume: Mapping[Any, str] | None = None
) -> Function:
    """The function, its variables and its domain; the arguments are those of `convex`."""
    expression, ranges = read_expression(F, assume)
    free = {s.name: s for s in sorted(expression.free_symbols, key=lambda s: s.name)}
    constants = {str(getattr(k, "name", k)) for k in assume or {}}
    names = _names(x)
    if names is None:
        names = [str(getattr(k, "name", k)) for k in on] if isinstance(on, Mapping) else []
        names += [n for n in free if n not in constants and n not in names]
    strange = [n for n in names if n not in free]
    if strange and (isinstance(on, Mapping) or x is not None):
        raise UnknownName(f"{expression} does not contain the variable {', '.join(strange)}.")
    if isinstance(on, str) and set("<>=") & set(on):
        return _on_relations(expression, free, names, on, ranges)
    if len(names) <= 1 and not isinstance(on, Mapping):
        f, variable, domain = function_on(F, on, names[0] if names else None, assume)
        return Function(f, (variable,), domain, _closed(on))
    intervals = dict.fromkeys(names, on)
    if isinstance(on, Mapping):
        given = {str(getattr(k, "name", k)): v for k, v in on.items()}
        intervals = {n: given.get(n, "(-oo, oo)") for n in names}
    table: dict[sp.Symbol, sp.Symbol] = {}
    ranges = {s: r for s, r in ranges.items() if s.name not in names}
    for n in names:
        symbol, interval = between(n, *read_interval(intervals[n]))
        table[free[n]] = symbol
        if interval is not None:
            ranges[symbol] = interval
    conditions = tuple(dict.fromkeys(c for i in intervals.values() for c in _closed(i)))
    variables = tuple(table[free[n]] for n in names)
    return Function(expression.xreplace(table), variables, Domain(ranges), conditions)


_CONTINUOUS = "F is continuous up to the ends that belong to the domain"


def _closed(interval: Any) -> tuple[str, ...]:
    return (_CONTINUOUS,) if isinstance(interval, str) and set("[]") & set(interval) else ()


def _names(x: Any) -> list[str] | None:
    if x is None:
        return None
    if isinstance(x, str):
        return list(names_in(x)) if "," not in x else [n.strip() for n in x.split(",")]
    if isinstance(x, sp.Symbol):
        return [x.name]
    return [str(getattr(s, "name", s)) for s in x]


def _on_relations(
    e: sp.Expr, free: dict[str, sp.Symbol], names: list[str], on: str, ranges: dict[Any, Any]
) -> Function:
    named = {n for part in on.split("&") for side in _sides(part) for n in names_in(side)}
    strange = sorted(named - set(free))
    if strange:
        raise UnknownName(f"{e} does not contain {', '.join(strange)}, which the domain names.")
    read = read_domain(on, free, ranges, [])
    for operator, relation in read.relations:
        variables = [s for s in relation.free_symbols if s.name in names]
        if operator in ("==", "!=") or not _is_linear(relation, variables):
            raise FormulaError(
                f"Expected linear inequalities, so that the domain is convex, but got {on!r}."
            )
    table: dict[sp.Symbol, sp.Symbol] = {}
    bounds: dict[sp.Symbol, Any] = {}
    for s in free.values():
        interval = read.ranges.get(s)
        if s.name in names and interval is not None:
            table[s], interval = between(s.name, *interval)
        if interval is not None:
            bounds[table.get(s, s)] = interval
    relations = tuple((o, r.xreplace(table)) for o, r in read.relations)
    closed = bool(read.closed) or any("=" in o for o, _ in relations)
    chosen = tuple(table.get(free[n], free[n]) for n in names)
    where = Domain(bounds, relations)
    return Function(e.xreplace(table), chosen, where, (_CONTINUOUS,) if closed else ())


def _sides(relation: str) -> list[str]:
    for operator in ("<=", ">=", "<", ">", "=="):
        if operator in relation:
            return relation.strip(" ()").split(operator)
    return [relation]


def _is_linear(e: sp.Expr, variables: Sequence[sp.Symbol]) -> bool:
    return bool(e.is_polynomial(*variables)) and sp.Poly(e, *variables).total_degree() <= 1


# -------------------------------------------------------------------------------------------------
# several variables
# -------------------------------------------------------------------------------------------------


def _jointly(f: Function) -> Verdict:
    rough = not_smooth(f.formula, f.domain)
    if rough is not None:
        return rough
    hessian = f.hessian()
    found = _refuted(f, hessian)
    if found is not None:
        return found
    # minors of formulas may grow beyond all bounds: a worker has limits of time and memory
    reason = proposal(_proof, f, hessian, seconds=min(15, remaining()))
    if reason is not None:
        return Verdict(Status.PROVED, f"the Hessian is positive semidefinite; {reason}")
    return Verdict(
        Status.UNDECIDED, "no direction of negative curvature, and no proof that there is none"
    )


def _proof(f: Function, hessian: sp.Matrix) -> str | None:
    """Why the Hessian is semidefinite: term by term where the terms are convex, or as a whole."""
    terms = sp.Add.make_args(f.formula)
    reasons = []
    for term in terms if len(terms) > 1 else ():
        alone = sp.hessian(term, f.variables)
        # a term with a direction of negative curvature needs the others
        refuted = _refuted(f, alone) is not None
        reason = None if refuted else _semidefinite(alone, f.variables, f.domain)
        if reason is None:
            break
        reasons.append(reason)
    else:
        if reasons:
            return "; ".join(dict.fromkeys(reasons))
    return _semidefinite(hessian, f.variables, f.domain)


def _semidefinite(hessian: sp.Matrix, variables: Sequence[sp.Symbol], domain: Domain) -> str | None:
    """Why a symmetric matrix is positive semidefinite on the domain, or None."""
    reasons = []
    for block in _blocks(hessian, domain):
        reason = _block(hessian.extract(block, block), domain)
        if reason is None:
            return None
        reasons.append(f"{', '.join(variables[i].name for i in block)}: {reason}")
    return "; ".join(reasons)


def quadratic_form(matrix: sp.Matrix, direction: Sequence[sp.Expr]) -> sp.Expr:
    """The value of a symmetric matrix in a direction, d^T H d."""
    d = sp.Matrix(list(direction))
    return (d.T * matrix * d)[0, 0]


def _refuted(f: Function, hessian: sp.Matrix) -> Verdict | None:
    """An exact point and a rational direction in which the second derivative is negative."""
    n = len(f.variables)
    symbols = sorted(f.formula.free_symbols, key=lambda s: s.name)
    try:
        program = Program([f.formula, *hessian], symbols)
    except UnsupportedFormula:
        return None
    for point in f.domain.points(symbols, _POINTS):
        if spent():
            return None
        with precision(256):
            value, *entries = program([rational_ball(point[s]) for s in symbols])
            if not all(e.is_finite() for e in (value, *entries)):
                continue
            for d in _directions(entries, n):
                curvature = sum(
                    (
                        rational_ball(d[i] * d[j]) * entries[n * i + j]
                        for i, j in itertools.product(range(n), repeat=2)
                    ),
                    arb(0),
                )
                if curvature < 0:
                    return _witness(f, point, d, curvature)
    return None


def _directions(entries: Sequence[arb], n: int) -> Iterator[list[sp.Rational]]:
    """Rational vectors near an eigenvector of the smallest eigenvalue, the simplest first."""
    matrix = np.array([float(e.mid()) for e in entries]).reshape(n, n)
    if not np.isfinite(matrix).all() or not matrix.any():
        return
    # in units in which the diagonal is one, the smallest eigenvalue is not lost to rounding
    size = np.sqrt(np.abs(np.diag(matrix)))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] > 1e-9:
        return
    vector = vectors[:, 0] / scale
    vector /= vector[np.argmax(np.abs(vector))]
    for q in _DENOMINATORS:
        d = [sp.Rational(round(float(v) * q), q) for v in vector]
        if any(d):
            yield d if next(a for a in d if a) > 0 else [-a for a in d]


def _witness(f: Function, point: Point, d: Sequence[sp.Rational], curvature: arb) -> Verdict:
    directions = {f"d_{s.name}": str(a) for s, a in zip(f.variables, d, strict=True)}
    return Verdict(
        Status.REFUTED,
        f"the second derivative in the direction d is {curvature.str(6, radius=False)} < 0 there",
        witness=names_of(point) | directions,
    )


def _blocks(hessian: sp.Matrix, domain: Domain) -> list[list[int]]:
    """Indices of variables that second derivatives connect."""
    n = hessian.rows
    group = list(range(n))
    for i, j in itertools.combinations(range(n), 2):
        if group[i] != group[j] and not _is_zero(hessian[i, j], domain):
            group = [group[i] if g == group[j] else g for g in group]
    return [[i for i in range(n) if group[i] == g] for g in dict.fromkeys(group)]


def _is_zero(e: sp.Expr, domain: Domain) -> bool:
    if e == 0:
        return True
    try:
        return is_zero(e, domain.ranges).proved
    except (DomainError, UnsupportedFormula):
        return False


def _block(matrix: sp.Matrix, domain: Domain) -> str | None:
    """Why a block of the Hessian is positive semidefinite on the domain, or None."""
    n = matrix.rows
    if n == 1:
        reason = _weak(matrix[0, 0], domain)
        return None if reason is None else f"the second derivative is nonnegative ({reason})"
    d = sp.symbols(f"d1:{n + 1}", real=True, cls=sp.Dummy)
    if not matrix.free_symbols and nonnegative(sp.expand(quadratic_form(matrix, d))):
        return "a form of squares with constant coefficients"
    if n > _MOST:
        return None
    minors: dict[tuple[int, ...], sp.Expr] = {}

    def minor(index: tuple[int, ...]) -> sp.Expr:
        if index not in minors:
            minors[index] = _determinant(matrix.extract(list(index), list(index)))
        return minors[index]

    for order in (tuple(range(n)), tuple(reversed(range(n)))):
        leading = [tuple(sorted(order[: k + 1])) for k in range(n)]
        if all(_strict(minor(index), domain) for index in leading):
            return "its leading principal minors are positive"
    for k in range(1, n + 1):
        for index in itertools.combinations(range(n), k):
            if _weak(minor(index), domain) is None:
                return None
    return "its principal minors are nonnegative"


def _determinant(matrix: sp.Matrix) -> sp.Expr:
    """By its definition: SymPy's methods simplify on the way, for minutes."""
    n = matrix.rows
    return sp.Add(
        *(
            sp.LeviCivita(*order) * sp.Mul(*(matrix[i, j] for i, j in enumerate(order)))
            for order in itertools.permutations(range(n))
        )
    )


def _forms(e: sp.Expr) -> Iterator[sp.Expr]:
    """The same expression as it is, and in the forms in which signs show."""
    yield e
    seen = {e}
    for form in proposals([_as_fraction, sp.factor, sp.expand, sp.simplify], e, seconds=2.0):
        if evaluated(form) and form not in seen:
            seen.add(form)
            yield form


def _as_fraction(e: sp.Expr) -> sp.Expr:
    return sp.factor(sp.powsimp(sp.expand(sp.together(e))))


def _believed(e: sp.Expr, form: sp.Expr, domain: Domain) -> bool:
    """Whether both are the same, and the form has a value wherever the expression has one."""
    if form == e:
        return True
    whole = is_analytic(unbounded(form, domain.ranges)[0], meromorphic=False)
    return whole and _is_zero(e - form, domain)


def _strict(e: sp.Expr, domain: Domain) -> bool:
    return any(definite(form, domain) == 1 and _believed(e, form, domain) for form in _forms(e))


def _weak(e: sp.Expr, domain: Domain) -> str | None:
    if _is_zero(e, domain):
        return "zero"
    for form in _forms(e):
        reason = nonnegative(unbounded(form, domain.ranges)[0])
        if reason is not None and _believed(e, form, domain):
            return reason
    return None
