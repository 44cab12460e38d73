"""A statement as it was typed: its relation, its symbols, and the domain it is about."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from flint import arb

from theory.errors import AssumptionError, FormulaError, UnknownName, UnsupportedFormula
from theory.exact.assumptions import Ranges, agrees, declare, parse_interval
from theory.exact.balls import Program, precision, rational_ball, sign_of_number
from theory.exact.parsing import names_in, parse, parse_relation, partial_operations
from theory.exact.signs import unbounded
from theory.exact.zero import sample_points

__all__ = [
    "Domain",
    "Point",
    "Statement",
    "first_undefined",
    "names_of",
    "partial_functions",
    "read_assumptions",
    "read_expression",
    "read_statement",
    "undefined_at",
    "value_at",
]

_OPERATORS = {
    sp.Equality: "==",
    sp.Unequality: "!=",
    sp.GreaterThan: ">=",
    sp.StrictGreaterThan: ">",
    sp.LessThan: "<=",
    sp.StrictLessThan: "<",
}
_FLIPPED = {"<=": ">=", "<": ">", ">=": ">=", ">": ">"}

Point = dict[sp.Symbol, sp.Rational]


@dataclass(frozen=True)
class Domain:
    """The values that a statement is about.

    Parameters
    ----------
    ranges : mapping from symbol to (lower, upper)
        Open intervals; they are used by every proof.
    relations : tuple of (str, sympy.Expr)
        Further ones, as an operator and an expression that is compared with zero. A proof ignores
        them (what holds on more holds here); a counterexample must satisfy them.
    closed : tuple of (sympy.Symbol, sympy.Expr)
        Ends that belong to the domain, although the ranges are open: questions of their own.
    """

    ranges: Ranges
    relations: tuple[tuple[str, sp.Expr], ...] = ()
    closed: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()

    def contains(self, point: Mapping[sp.Symbol, sp.Expr]) -> bool:
        """Whether an exact point is proved to lie in the domain."""
        for s, value in point.items():
            lower, upper = self.ranges.get(s, (-sp.oo, sp.oo))
            for side, end in ((1, lower), (-1, upper)):
                if end.is_finite is False:
                    continue
                if _sign_at(side * (value - end.xreplace(dict(point)))) != 1:
                    return False
        for operator, e in self.relations:
            sign = _sign_at(e.xreplace(dict(point)))
            holds = {
                "==": sign == 0,
                "!=": sign in (1, -1),
                ">": sign == 1,
                ">=": sign in (0, 1),
                "<": sign == -1,
                "<=": sign in (0, -1),
            }[operator]
            if not holds:
                return False
        return True

    def points(self, symbols: Sequence[sp.Symbol], count: int) -> Iterator[Point]:
        """Exact rational points of the domain: simple ones first, then scattered ones."""
        symbols = sorted(symbols, key=lambda s: s.name)
        if not symbols:
            yield {}
            return
        traded, back = unbounded(sp.Tuple(*symbols), self.ranges)
        free = sorted(traded.free_symbols, key=lambda s: s.name)
        found = 0
        candidates = itertools.chain(
            _simple_points(symbols),
            (
                {s: back[s].xreplace(p) if s in back else p[s] for s in symbols}
                for p in itertools.islice(sample_points(free, seed=5), 4 * count)
            ),
        )
        for point in candidates:
            if not all(v.is_Rational and agrees(s, v) for s, v in point.items()):
                continue
            if not self.contains(point):
                continue
            yield point
            found += 1
            if found >= count:
                return


def _sign_at(e: sp.Expr) -> int | None:
    if e.free_symbols or e.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    if e == 0:
        return 0
    return sign_of_number(e)


_SIMPLE = tuple(
    sp.Rational(*pair)
    for pair in (
        (0, 1), (1, 1), (-1, 1), (2, 1), (-2, 1), (1, 2), (-1, 2), (3, 1), (-3, 1), (1, 4),
        (-1, 4), (3, 4), (10, 1), (-10, 1), (1, 10), (-1, 10), (100, 1), (-100, 1), (1, 100),
        (-1, 100), (3, 2), (-3, 2), (6, 1), (-6, 1), (9, 10), (-9, 10),
        (10**6, 1), (-(10**6), 1), (10**12, 1), (-(10**12), 1),
    )
)  # fmt: skip


def _simple_points(symbols: Sequence[sp.Symbol]) -> Iterator[Point]:
    if len(symbols) == 1:
        yield from ({symbols[0]: v} for v in _SIMPLE)
        return
    size = 12 if len(symbols) == 2 else 5
    for values in itertools.islice(itertools.product(_SIMPLE[:size], repeat=len(symbols)), 300):
        yield dict(zip(symbols, values, strict=True))


def value_at(e: sp.Expr, point: Point, bits: int = 256) -> arb | None:
    """A finite real ball around the value at an exact point, or None."""
    program = _compiled(e, point)
    return None if program is None else _value_of(program, point, bits)


def _compiled(e: sp.Expr, symbols: Iterable[sp.Symbol]) -> Program | None:
    try:
        return Program([e], tuple(symbols))
    except UnsupportedFormula:
        return None


def _value_of(program: Program, point: Point, bits: int = 256) -> arb | None:
    with precision(bits):
        value = program([rational_ball(point[s]) for s in program.symbols])[0]
    return value if isinstance(value, arb) and value.is_finite() else None


@dataclass(frozen=True)
class PartialFunction:
    """A function value or power in an expression, and where its argument has to lie."""

    node: sp.Expr
    argument: sp.Expr
    low: int
    high: int | None = None

    def undefined_at(self, point: Point) -> str | None:
        """Why it certainly has no real value at an exact point; None when it may have one."""
        if self.node.is_Pow:
            exponent = self.node.exp.xreplace(point)
            if not exponent.is_Rational or exponent.is_Integer:
                return None
        value = self._argument_at(point)
        if value is None or not (value < self.low or (self.high is not None and value > self.high)):
            return None
        return f"{self.node} of {value.str(6, radius=False)}"

    def _argument_at(self, point: Point) -> arb | None:
        if self._program is None or any(s not in point for s in self._program.symbols):
            return None
        return _value_of(self._program, point)

    @cached_property
    def _program(self) -> Program | None:
        """The argument, compiled once for all points of a search."""
        return _compiled(self.argument, self.argument.free_symbols)


def partial_functions(e: sp.Expr) -> tuple[PartialFunction, ...]:
    """The logarithms, roots, ... in an expression that are not defined everywhere.

    Division by zero does not count: an identity is about all points that are not poles.
    """
    if e.has(sp.Piecewise):
        return ()
    out: dict[sp.Expr, PartialFunction] = {}
    for node in sp.preorder_traversal(e):
        if isinstance(node, sp.log):
            if not (node.args[0].is_Symbol and node.args[0].is_positive):
                out[node] = PartialFunction(node, node.args[0], 0)
        elif node.is_Pow and not node.exp.is_integer and not node.base.is_positive:
            out[node] = PartialFunction(node, node.base, 0)
        elif isinstance(node, sp.asin | sp.acos | sp.atanh):
            out[node] = PartialFunction(node, node.args[0], -1, 1)
        elif isinstance(node, sp.acosh):
            out[node] = PartialFunction(node, node.args[0], 1)
    return tuple(out.values())


def undefined_at(e: sp.Expr, point: Point) -> str | None:
    """Why an expression has no real value at an exact point; None when it may have one."""
    return first_undefined(partial_functions(e), point)


def first_undefined(functions: Iterable[PartialFunction], point: Point) -> str | None:
    """The reason of the first of the functions that certainly has no real value at a point."""
    return next(filter(None, (f.undefined_at(point) for f in functions)), None)


def names_of(point: Point) -> dict[str, str]:
    """A point as a witness: names and exact values."""
    return {s.name: str(v) for s, v in point.items()}


@dataclass(frozen=True)
class Statement:
    """``left operator right`` with the operator one of ``== != >= >``, on a domain.

    Parameters
    ----------
    partial : pair of tuple of sympy.Expr
        What the left and the right side were typed with, and SymPy may have cancelled: a side has
        a value only where these have one.
    named : tuple of sympy.Symbol
        All that the sides of a text name, such as x in ``x - x``.
    """

    operator: str
    left: sp.Expr
    right: sp.Expr
    domain: Domain
    partial: tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]] = ((), ())
    named: tuple[sp.Symbol, ...] = ()

    @property
    def difference(self) -> sp.Expr:
        """The left side minus the right side."""
        return self.left - self.right

    @property
    def symbols(self) -> list[sp.Symbol]:
        """The symbols of both sides as they were typed, by name."""
        everything = (self.left, self.right, *self.partial[0], *self.partial[1])
        return sorted(set().union(*(e.free_symbols for e in everything)), key=lambda s: s.name)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"

    def at_end(self, s: sp.Symbol, end: sp.Expr) -> Statement:
        """The statement at one closed end of the domain."""
        table = {s: end}
        domain = Domain(
            {k: v for k, v in self.domain.ranges.items() if k != s},
            tuple((o, e.xreplace(table)) for o, e in self.domain.relations),
            tuple((t, b) for t, b in self.domain.closed if t != s),
        )
        left, right = (tuple(e.xreplace(table) for e in side) for side in self.partial)
        return Statement(
            self.operator,
            self.left.xreplace(table),
            self.right.xreplace(table),
            domain,
            (left, right),
        )


def read_assumptions(
    assume: Mapping[Any, str] | None,
) -> tuple[dict[str, sp.Symbol], dict[sp.Symbol, Any], list[tuple[sp.Symbol, sp.Expr]]]:
    closed: list[tuple[sp.Symbol, sp.Expr]] = []
    names: dict[str, sp.Symbol] = {}
    ranges: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = {}
    if assume is not None and not isinstance(assume, Mapping):
        raise AssumptionError(
            f"Expected assume as a mapping such as {{'t': 'real'}} but got {assume!r}."
        )
    for key, words in (assume or {}).items():
        name = getattr(key, "name", key)
        if not isinstance(name, str) or not isinstance(words, str):
            raise AssumptionError(
                f"Expected a name and words in assume but got {key!r}: {words!r}."
            )
        symbol, interval = declare(name, words)
        if "[" in words or "]" in words:
            # the symbol of a closed interval must not carry the sign of the open one
            lower, upper = parse_interval(words)
            symbol, interval = sp.Symbol(name, real=True), (lower, upper)
            closed += [(symbol, lower)] * words.strip().startswith("[")
            closed += [(symbol, upper)] * words.strip().endswith("]")
        elif symbol.is_nonnegative and not symbol.is_positive and interval is None:
            closed.append((symbol, sp.S.Zero))
        names[name] = symbol
        if interval is not None:
            ranges[symbol] = interval
    return names, ranges, [(s, e) for s, e in closed if e.is_finite]


def _read(texts: Sequence[str], names: dict[str, sp.Symbol]) -> None:
    """Declare every undeclared name of the texts as real."""
    for text in texts:
        for name in names_in(text):
            if name not in names:
                names[name] = declare(name, "real")[0]


def _pieces(domain: Any) -> list[Any]:
    """The relations of a conjunction."""
    if domain is None or domain == sp.true:
        return []
    if isinstance(domain, str):
        return [p for p in (_bare(part) for part in _bare(domain).split("&")) if p]
    if isinstance(domain, sp.And):
        return list(domain.args)
    if isinstance(domain, list | tuple):
        return [piece for item in domain for piece in _pieces(item)]
    return [domain]


def _bare(text: str) -> str:
    """The text without parentheses that enclose all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        depth = 0
        for i, c in enumerate(text):
            depth += (c == "(") - (c == ")")
            if depth == 0 and i < len(text) - 1:
                return text
        text = text[1:-1].strip()
    return text


def _relation(piece: Any, names: Mapping[str, sp.Symbol]) -> tuple[str, sp.Expr, sp.Expr]:
    if isinstance(piece, str):
        return parse_relation(piece, names)
    for kind, operator in _OPERATORS.items():
        if isinstance(piece, kind):
            return operator, _exact(piece.lhs), _exact(piece.rhs)
    raise FormulaError(f"Expected a relation such as 'x > 0' but got {piece!r}.")


def _exact(e: Any) -> sp.Expr:
    if not isinstance(e, sp.Expr):
        raise FormulaError(f"Expected an expression but got {e!r}.")
    if e.has(sp.I, sp.nan, sp.zoo) or any(s.is_extended_real is False for s in e.free_symbols):
        raise FormulaError(f"Expected a finite real expression but got {e}.")
    return e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})


def _real(e: sp.Expr, names: Mapping[str, sp.Symbol]) -> sp.Expr:
    """Plain symbols of the caller become real ones, or those that `assume` declares."""
    table = {}
    for s in e.free_symbols:
        if s.name in names:
            table[s] = names[s.name]
        elif s.is_extended_real is None:
            table[s] = sp.Symbol(s.name, real=True)
    return e.xreplace(table) if table else e


def read_domain(
    domain: Any,
    names: Mapping[str, sp.Symbol],
    ranges: Mapping[sp.Symbol, Any],
    closed: list[tuple[sp.Symbol, sp.Expr]],
) -> Domain:
    """Read a relation or a conjunction; bounds on single symbols become intervals."""
    found = dict(ranges)
    rest: list[tuple[str, sp.Expr]] = []
    opened: set[tuple[sp.Symbol, sp.Expr]] = set()
    for piece in _pieces(domain):
        if isinstance(piece, str) and not set("<>=") & set(piece):
            raise FormulaError(f"Expected a relation such as 'x > 0' as domain but got {piece!r}.")
        operator, left, right = _relation(piece, names)
        e = _real(left - right, names)
        free = list(e.free_symbols)
        if len(free) == 1 and operator[0] in "<>" and _is_linear(e, free[0]):
            (s,) = free
            slope = e.coeff(s, 1)
            bound = -e.coeff(s, 0) / slope
            if slope.is_Rational and bound.is_number:
                lower, upper = found.get(s, (-sp.oo, sp.oo))
                lower = sp.S.Zero if s.is_nonnegative and lower == -sp.oo else lower
                upper = sp.S.Zero if s.is_nonpositive and upper is sp.oo else upper
                if (operator[0] == ">") == (slope > 0):
                    lower = bound if lower == -sp.oo else sp.Max(lower, bound)
                else:
                    upper = bound if upper is sp.oo else sp.Min(upper, bound)
                if lower != -sp.oo and upper is not sp.oo and sign_of_number(upper - lower) != 1:
                    raise AssumptionError(f"The domain {domain} is empty: {lower} < {s} < {upper}.")
                found[s] = (lower, upper)
                if "=" in operator:
                    closed.append((s, bound))
                else:
                    opened.add((s, bound))
                continue
        rest.append((operator, e))
    # an end that a later relation cuts off, or that the symbol excludes, is not in the domain
    kept = [
        (s, b)
        for s, b in dict.fromkeys(closed)
        if b in found.get(s, (b, b)) and agrees(s, b) and (s, b) not in opened
    ]
    return Domain(found, tuple(rest), tuple(kept))


def _is_linear(e: sp.Expr, s: sp.Symbol) -> bool:
    return bool(e.is_polynomial(s)) and sp.degree(e, s) == 1


def read_statement(
    statement: Any, assume: Mapping[Any, str] | None = None, domain: Any = None
) -> Statement:
    """Read a statement given as text, as a relation of SymPy, or as an expression (== 0).

    Raises
    ------
    FormulaError
        For what is not a statement, and for a relation that SymPy has already evaluated.
    UnknownName
        When `assume` declares a name that does not occur.
    """
    names, ranges, closed = read_assumptions(assume)
    texts = [t for t in (statement, *_pieces(domain)) if isinstance(t, str)]
    declared = set(names)
    _read(texts, names)
    if statement is True or statement is False or statement in (sp.true, sp.false):
        raise FormulaError(
            f"The relation was evaluated to {statement} before it arrived here; give it as text, "
            "such as prove('A == B')."
        )
    if isinstance(statement, sp.Expr):
        operator, left, right = "==", _real(_exact(statement), names), sp.S.Zero
    else:
        operator, left, right = _relation(statement, names)
        left, right = _real(left, names), _real(right, names)
    _demand_one_symbol_a_name(left.free_symbols | right.free_symbols)
    used = {n for t in texts for n in names_in(t)}
    used |= {s.name for s in left.free_symbols | right.free_symbols}
    unused = sorted(declared - used)
    if unused:
        raise UnknownName(f"assume declares {', '.join(unused)}, which the statement does not use.")
    where = read_domain(domain, names, ranges, closed)
    partial = partial_operations(statement, names) if isinstance(statement, str) else ((), ())
    texts = [statement] if isinstance(statement, str) else []
    named = tuple(names[n] for t in texts for n in names_in(t) if n in names)
    if operator in ("<", "<="):
        operator, left, right = _FLIPPED[operator], right, left
        partial = partial[1], partial[0]
    return Statement(operator, left, right, where, partial, named)


def _demand_one_symbol_a_name(symbols: Iterable[sp.Symbol]) -> None:
    """What reads as one name must be one symbol, in a witness as in a certificate."""
    seen: dict[str, sp.Symbol] = {}
    for s in symbols:
        if seen.setdefault(s.name, s) != s:
            raise AssumptionError(
                f"Two symbols with different assumptions are called {s.name}; use one of them, or "
                "give them different names."
            )


def read_expression(
    expression: Any, assume: Mapping[Any, str] | None, known: Mapping[str, sp.Symbol] | None = None
) -> tuple[sp.Expr, dict[sp.Symbol, Any]]:
    """Read one formula and the intervals of its symbols; undeclared names are real."""
    names, ranges, _ = read_assumptions(assume)
    names = {**(known or {}), **names}
    if isinstance(expression, str):
        _read([expression], names)
        return parse(expression, names), ranges
    return _real(_exact(expression), names), ranges
