r"""From text to SymPy, without ever running the text.

`parse` is the only way from text to an expression. The text is tokenized, checked against fixed
limits, handed to `ast.parse` for its precedence only, and rebuilt node by node from a table of
functions. SymPy evaluates while it constructs, so that ``exp(10**50*log(2))`` would fill the
memory; each numeric subexpression is therefore enclosed in a ball (python-flint) *before* SymPy
sees it, and refused unless the ball proves that it is real, finite and of moderate size.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, TypeVar

import sympy as sp
from flint import arb, ctx, fmpq

from theory.errors import FormulaError, TheoryError, UnknownName
from theory.exact._formula_functions import (
    ALIASES,
    ALLOWED,
    CONSTANTS,
    FUNCTIONS,
    TABLE,
    TableEntry,
    ball_power,
    enclose_number,
)
from theory.exact._formula_text import (
    CHAINS,
    Source,
    check_name,
    checked_symbols,
    fail,
    no_relation,
    snippet,
    split_commas,
    split_relation,
    syntax_tree,
    tokenize,
)

__all__ = [
    "ALIASES",
    "FUNCTIONS",
    "Source",
    "names_in",
    "parse",
    "parse_assignments",
    "parse_relation",
    "partial_operations",
    "relation_syntax",
]

MAX_INTEGER_BITS = 512  # of an integer as typed, and of a computed power
MAX_RATIONAL_BITS = 1200  # of any rational coefficient: holds every accepted decimal
MAX_EXPONENT = 64
MAX_ROOT = 64
MAX_DIGITS = 40
MAX_DECIMAL_EXPONENT = 300
_PRECISION = 640  # bits
_MAX_CANCELLATION = 160  # bits; SymPy's own sign test gives up at 332
_LARGEST = arb(10) ** 300 * (1 + arb(2) ** -30)  # 1e300 itself is inside
_SMALLEST = 1 / _LARGEST
_EXP_LIMIT = 690  # exp(690) < 1e300

_MAX_EXPANSION = 30  # terms, before SymPy splits an argument in real and imaginary part
_HYPERBOLIC = frozenset({"sinh", "cosh", "tanh", "coth", "sech", "csch"})

_T = TypeVar("_T")


def parse(text: str, symbols: Mapping[str, sp.Symbol]) -> sp.Expr:
    r"""Read a formula as a SymPy expression, without running it.

    Parameters
    ----------
    text : str
        Numbers, names, ``+ - * / **`` (``^`` is a power too) and calls of `FUNCTIONS`. Decimals
        are read as exact rationals. The constants are ``pi`` and ``E``.
    symbols : mapping from str to sympy.Symbol
        The names that the formula may use; their assumptions steer SymPy's evaluation.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    UnknownName
        For a name or a function that is not declared.
    FormulaError
        For everything else that is not a real formula of moderate size. No other exception
        leaves this function.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> parse("u^2/4 - 0.1*cosh(u)", {"u": u})
    u**2/4 - cosh(u)/10
    >>> parse("__import__('os')", {})
    Traceback (most recent call last):
    theory.errors.FormulaError: Expected a name that starts with a letter but got "__import__" ...
    """
    names = checked_symbols(symbols)
    tokens = tokenize(text)
    no_relation(text, tokens)
    return _guarded(text, lambda: _Builder(text, names).build(syntax_tree(text, 0, len(text))))


def parse_relation(text: str, symbols: Mapping[str, sp.Symbol]) -> tuple[str, sp.Expr, sp.Expr]:
    r"""Read a relation as its operator and its two sides.

    Parameters
    ----------
    text : str
        Two formulas with one of ``== = != >= <= > <`` between them, or one formula, which is
        compared with zero. A single ``=`` is read as ``==``.
    symbols : mapping from str to sympy.Symbol
        As for `parse`.

    Returns
    -------
    operator : str
    left, right : sympy.Expr

    Raises
    ------
    FormulaError
        As for `parse`, and for more than one relation.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> parse_relation("cosh(x) >= 1", {"x": x})
    ('>=', cosh(x), 1)
    >>> parse_relation("sin(x)**2 + cos(x)**2 - 1", {"x": x})
    ('==', sin(x)**2 + cos(x)**2 - 1, 0)
    """
    names = checked_symbols(symbols)

    def build() -> tuple[str, sp.Expr, sp.Expr]:
        operator, sources = relation_syntax(text)
        sides = [_Builder(text, names).build(source) for source in sources]
        return operator, sides[0], sides[1] if len(sides) == 2 else sp.S.Zero

    return _guarded(text, build)


def relation_syntax(text: str) -> tuple[str, tuple[Source, ...]]:
    r"""The operator of a relation, and the syntax trees of what was typed on its sides.

    The text passes the same checks as in `parse`, but nothing is evaluated and no name declared.

    Raises
    ------
    FormulaError
        As for `parse`.

    Examples
    --------
    >>> operator, sides = relation_syntax("x/x >= 1")
    >>> operator, [side.code for side in sides]
    ('>=', ['x/x', '1'])
    """
    operator, spans = split_relation(text)
    return operator, tuple(syntax_tree(text, *span) for span in spans)


def partial_operations(
    text: str, symbols: Mapping[str, sp.Symbol]
) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    r"""The powers and function values that each side of a relation was typed with.

    SymPy cancels while it builds: ``x/x`` is 1, ``exp(log(x))`` is x. The typed side has a value
    only where all of these have one.

    Parameters
    ----------
    text : str
        As for `parse_relation`.
    symbols : mapping from str to sympy.Symbol

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> partial_operations("exp(log(x)) + x/x >= 1", {"x": x})
    ((log(x), x, 1/x), ())
    """
    names = checked_symbols(symbols)

    def build() -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
        sides = []
        for source in relation_syntax(text)[1]:
            builder = _Builder(text, names)
            builder.build(source)
            sides.append(tuple(dict.fromkeys(e for e in builder.partial if e.free_symbols)))
        return sides[0], sides[1] if len(sides) == 2 else ()

    return _guarded(text, build)


def names_in(text: str) -> tuple[str, ...]:
    r"""The names that a formula or relation uses, by first appearance.

    Names of functions and constants are not among them. The text passes the same checks as in
    `parse`, but no name needs to be declared and nothing is evaluated.

    Raises
    ------
    FormulaError
        As for `parse`.

    Examples
    --------
    >>> names_in("b*log(a) + E*b >= pi")
    ('b', 'a')
    """

    def collect() -> tuple[str, ...]:
        found: dict[str, None] = {}
        for source in relation_syntax(text)[1]:
            called = {id(n.func) for n in ast.walk(source.tree) if isinstance(n, ast.Call)}
            names = [
                n for n in ast.walk(source.tree) if isinstance(n, ast.Name) and id(n) not in called
            ]
            for node in sorted(names, key=lambda n: n.col_offset):
                if node.id not in CONSTANTS:
                    check_name(node.id, text)
                    found[node.id] = None
        return tuple(found)

    return _guarded(text, collect)


def parse_assignments(text: str, symbols: Mapping[str, sp.Symbol]) -> dict[str, sp.Expr]:
    r"""Read ``"u=alpha, v=2*alpha"`` as a mapping from name to expression.

    Parameters
    ----------
    text : str
        ``name=formula``, separated by commas.
    symbols : mapping from str to sympy.Symbol
        The names that the formulas on the right may use.

    Raises
    ------
    FormulaError
        As for `parse`, for an assignment without a value, and for a name assigned twice.

    Examples
    --------
    >>> alpha = sp.Symbol("alpha", positive=True)
    >>> parse_assignments("u=alpha, v=max(2, alpha)", {"alpha": alpha})
    {'u': alpha, 'v': Max(2, alpha)}
    """
    names = checked_symbols(symbols)
    parts = list(split_commas(text))

    def build() -> dict[str, sp.Expr]:
        values: dict[str, sp.Expr] = {}
        for part in parts:
            relations = [t for t in part if t.kind == "relation"]
            if len(relations) != 1 or relations[0].text != "=" or part[1] is not relations[0]:
                where = snippet(text[part[0].start : part[-1].end]) if part else "an empty entry"
                fail(text, f"Expected name=formula, such as u=alpha, but got {where}")
            name = part[0].text
            if part[0].kind != "name":
                fail(text, f"Expected a name before '=' but got {snippet(name)}")
            check_name(name, text)
            if name in values:
                fail(text, f"The name {name} is assigned twice")
            if len(part) == 2:
                fail(text, f"Expected a value after {name}=")
            source = syntax_tree(text, part[2].start, part[-1].end)
            values[name] = _Builder(text, names).build(source)
        return values

    return _guarded(text, build)


def _guarded(text: str, work: Callable[[], _T]) -> _T:
    """Run `work`; every exception that is not ours becomes a FormulaError."""
    precision = ctx.prec
    ctx.prec = _PRECISION
    try:
        return work()
    except TheoryError:
        raise
    except Exception as error:  # SymPy raises almost anything
        raise FormulaError(
            f"Cannot read {snippet(text)} as a real formula ({type(error).__name__})."
        ) from None
    finally:
        ctx.prec = precision


class _Value(NamedTuple):
    """An expression, and its enclosure when it is a number."""

    expr: sp.Expr
    ball: arb | None


class _Builder:
    """Rebuilds a syntax tree as a SymPy expression, with a ball around every number."""

    def __init__(self, text: str, symbols: Mapping[str, sp.Symbol]) -> None:
        self.text = text
        self.symbols = symbols
        self.code = text
        self.partial: list[sp.Expr] = []
        # numbers that SymPy takes for zero, and are not
        self.misjudged: list[sp.Expr] = []

    def build(self, source: Source) -> sp.Expr:
        self.code = source.code
        expr = self.value(source.tree).expr
        for node in sp.preorder_traversal(expr):
            if not isinstance(node, ALLOWED):
                self.fail(source.tree, f"Expected a finite real formula but {node} occurs in it")
        return expr

    def fail(self, node: ast.AST, message: str) -> NoReturn:
        part = ast.get_source_segment(self.code, node) if hasattr(node, "col_offset") else None
        if part is not None and part != self.code:
            message += f", at {snippet(part)}"
        raise FormulaError(f"{message} in {snippet(self.text)}.")

    def value(self, node: ast.expr) -> _Value:
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                return self.checked(node, -inner.expr, None if inner.ball is None else -inner.ball)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.sum(node)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self.product(node)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                return self.power(node, self.value(left), self.value(right))
            case ast.Call():
                return self.call(node)
            case ast.Tuple():
                self.fail(node, "A comma may separate the arguments of a function only")
        self.fail(node, f"{type(node).__name__} is not allowed in a formula")

    def number(self, node: ast.Constant) -> _Value:
        text = ast.get_source_segment(self.code, node) or ""
        if type(node.value) is int:
            if node.value.bit_length() > MAX_INTEGER_BITS:
                self.fail(node, f"Expected an integer of at most {MAX_INTEGER_BITS} bits")
            return self.checked(node, sp.Integer(node.value), None)
        if type(node.value) is not float:
            self.fail(node, f"A {type(node.value).__name__} is not allowed in a formula")
        mantissa, _, exponent = text.lower().partition("e")
        if sum(c.isdigit() for c in mantissa) > MAX_DIGITS:
            self.fail(node, f"Expected a decimal of at most {MAX_DIGITS} digits")
        if len(exponent) > 5 or abs(int(exponent or 0)) > MAX_DECIMAL_EXPONENT:
            limit = MAX_DECIMAL_EXPONENT
            self.fail(node, f"Expected a decimal between 1e-{limit} and 1e{limit}")
        whole, _, fraction = mantissa.partition(".")
        shift = int(exponent or 0) - len(fraction)
        digits = int((whole + fraction) or 0)
        value = sp.Integer(digits) * sp.Integer(10) ** shift
        return self.checked(node, value, None)

    def name(self, node: ast.Name) -> _Value:
        name = node.id
        if name in CONSTANTS and name not in self.symbols:
            return self.checked(node, CONSTANTS[name], None)
        check_name(name, self.text)
        if name not in self.symbols:
            known = sorted(self.symbols)
            close = difflib.get_close_matches(name, [*known, *CONSTANTS], n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            listed = ", ".join(known[:20]) if known else "none"
            raise UnknownName(
                f"Unknown name {name} in {snippet(self.text)}; declared are: {listed}.{hint}"
            )
        return _Value(self.symbols[name], None)

    def chain(self, node: ast.BinOp) -> list[tuple[ast.expr, bool]]:
        """The operands of ``a + b - c`` or ``a*b/c``, and whether each is inverted."""
        kind = CHAINS[type(node.op)]
        operands: list[tuple[ast.expr, bool]] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and CHAINS.get(type(left.op)) == kind:
            operands.append((left.right, isinstance(left.op, ast.Sub | ast.Div)))
            left = left.left
        operands.append((left, False))
        return operands[::-1]

    def sum(self, node: ast.BinOp) -> _Value:
        terms: list[sp.Expr] = []
        ball = arb(0)
        numeric = True
        for operand, inverted in self.chain(node):
            value = self.value(operand)
            terms.append(-value.expr if inverted else value.expr)
            if value.ball is None:
                numeric = False
            else:
                ball += -value.ball if inverted else value.ball
        return self.checked(node, sp.Add(*terms), ball if numeric else None)

    def product(self, node: ast.BinOp) -> _Value:
        factors: list[sp.Expr] = []
        balls: list[arb] = []
        numeric = True
        for operand, inverted in self.chain(node):
            value = self.value(operand)
            if inverted:
                if value.expr.is_zero:
                    self.fail(operand, "Division by zero")
                value = self.power(operand, value, _Value(sp.S.NegativeOne, arb(-1)))
            factors.append(value.expr)
            if value.ball is None:
                numeric = False
            else:
                balls.append(value.ball)
        # the product of the numbers alone is bounded before SymPy multiplies anything
        ball = arb(1)
        for factor in balls:
            ball *= factor
            self.bounded(node, ball)
        return self.checked(node, sp.Mul(*factors), ball if numeric else None)

    def power(self, node: ast.expr, base: _Value, exponent: _Value) -> _Value:
        self.check_power(node, base.expr, exponent.expr)
        # SymPy merges (b**e)**f, and reads b**(log(c)/log(b)) as c
        root, order = base.expr.as_base_exp()
        merged = sp.Mul(order, exponent.expr)
        self.check_power(node, root, merged)
        if root is sp.E:
            self.check_exp(node, merged)
        elif merged.has(sp.log) and not root.is_nonpositive:
            self.check_exp(node, sp.Mul(sp.factor_terms(merged), sp.log(root)))
        ball = None
        if base.ball is not None and exponent.ball is not None:
            ball = ball_power(base.ball, exponent.expr, exponent.ball)
            if base.expr.is_zero and not exponent.ball > 0:
                self.fail(node, "Division by zero" if exponent.ball < 0 else "0**0 is undefined")
            if base.ball < 0 and not exponent.expr.is_Integer:
                self.fail(
                    node,
                    "This power of a negative number is not real; "
                    "write cbrt(x), or sign(x)*abs(x)**(1/3)",
                )
            self.bounded(node, ball)
        elif base.ball is not None and base.ball < 0 and not exponent.expr.is_integer:
            self.fail(node, "A power of a negative number with a real exponent is not real")
        if base.ball is None or exponent.ball is None:
            self.check_zeros(node, [base.expr, exponent.expr])
        value = self.checked(node, sp.Pow(base.expr, exponent.expr), ball)
        if not exponent.expr.is_Integer or exponent.expr < 0:
            self.partial.append(value.expr)
        return value

    def check_zeros(self, node: ast.expr, arguments: list[sp.Expr]) -> None:
        """Refuse sin(x*c) with a small number c for which SymPy writes sin(0)."""
        for number in self.misjudged:
            if any(a.has(number) for a in arguments):
                self.fail(node, f"SymPy takes the number {number} for zero; simplify it")

    def check_power(self, node: ast.expr, base: sp.Expr, exponent: sp.Expr) -> None:
        """Refuse a power that SymPy would write out as a huge number."""
        constant = exponent if exponent.is_Rational else exponent.as_coeff_Add()[0]
        if base is not sp.E or exponent.is_Rational:
            if abs(constant) > MAX_EXPONENT:
                self.fail(node, f"Expected exponents of at most {MAX_EXPONENT}")
            if constant.q > MAX_ROOT:
                self.fail(node, f"Expected roots of at most order {MAX_ROOT}")
        elif exponent.is_number and not abs(enclose_number(exponent)) <= MAX_EXPONENT:
            self.fail(node, f"Expected exponents of at most {MAX_EXPONENT}")
        for factor in sp.Mul.make_args(base):
            root, order = factor.as_base_exp()
            if root.is_Rational and order.is_Rational:
                bits = max(abs(root.p).bit_length(), root.q.bit_length())
                if bits > 1 and bits * abs(order * constant) > MAX_INTEGER_BITS:
                    self.fail(node, f"The power has more than {MAX_INTEGER_BITS} bits")

    def check_exp(self, node: ast.expr, argument: sp.Expr) -> None:
        """Refuse ``exp(10**9*log(2) + x)``, which SymPy writes out as a power."""
        for term in sp.Add.make_args(argument):
            if term.is_number and not abs(enclose_number(term)) < _EXP_LIMIT:
                self.fail(node, "The exponential is too large")
            factors = sp.Mul.make_args(term)
            logs = [f for f in factors if isinstance(f, sp.log)]
            if logs:
                rest = sp.Mul(*(f for f in factors if f is not logs[0]))
                self.check_power(node, logs[0].args[0], rest)

    def call(self, node: ast.Call) -> _Value:
        if not isinstance(node.func, ast.Name):
            self.fail(node, "Only a function of the table can be called; write * for a product")
        name = node.func.id
        entry = TABLE.get(ALIASES.get(name, name))
        if entry is None:
            if name in self.symbols or name in CONSTANTS:
                self.fail(node, f"{name} is not a function; write {name}*(...) for a product")
            close = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise UnknownName(
                f"Unknown function {snippet(name)} in {snippet(self.text)}; known are: "
                f"{', '.join(FUNCTIONS)}.{hint}"
            )
        if name in self.symbols:
            self.fail(node, f"{name} is a function; rename the symbol")
        if node.keywords:
            self.fail(node, f"{name} takes no keyword arguments")
        low, high = entry.arity
        if not low <= len(node.args) <= high:
            count = str(low) if low == high else f"{low} to {high}"
            self.fail(node, f"Expected {count} argument{'s' if high > 1 else ''} of {name}")
        values = [self.value(argument) for argument in node.args]
        numbers = [v.ball for v in values if v.ball is not None]
        arguments = [v.expr for v in values]
        name = ALIASES.get(name, name)
        if name == "LambertW" and len(values) == 2 and arguments[1] not in (0, -1):
            self.fail(node, "Expected the branch 0 or -1 of LambertW")
        if name == "log" and len(values) == 2:
            if arguments[1] == 1:
                self.fail(node, "The logarithm has no base 1")
            if numbers and values[1].ball is not None and not values[1].ball > 0:
                self.fail(node, "Expected a positive base of the logarithm")
        if name == "sqrt":
            return self.power(node, values[0], _Value(sp.S.Half, arb(1) / 2))
        if name in ("exp", "softplus", "sigmoid"):
            self.check_exp(node, -arguments[0] if name == "sigmoid" else arguments[0])
        if len(numbers) < len(values):
            # asked whether sinh(w) is real, SymPy expands the imaginary part of w
            may_be_complex = name in _HYPERBOLIC and not arguments[0].is_extended_real
            if may_be_complex and _expansion(arguments[0]) > _MAX_EXPANSION:
                self.fail(
                    node,
                    f"The argument of {name} is too large for a value that may be not real; "
                    "declare the symbols in it as positive",
                )
            self.check_zeros(node, arguments)
            value = self.checked(node, entry.build(*arguments), None)
            self.partial.append(value.expr)
            if name == "log" and len(values) == 2:
                # log(x, x) is log(x)/log(x), which SymPy cancels
                logarithms = [sp.log(a) for a in arguments]
                self.partial += [*logarithms, 1 / logarithms[1]]
            return value
        return self.number_call(node, name, entry, arguments, numbers)

    def number_call(
        self,
        node: ast.Call,
        name: str,
        entry: TableEntry,
        arguments: list[sp.Expr],
        numbers: list[arb],
    ) -> _Value:
        """A function of numbers: enclosed first, constructed after."""
        if name == "LambertW" and arguments[0] == -sp.exp(-1):
            return self.checked(node, sp.S.NegativeOne, None)  # the branch point
        ball = entry.ball(*numbers)
        self.bounded(node, ball)
        if name in ("sign", "Abs"):
            if numbers[0].is_zero():
                return self.checked(node, sp.S.Zero, None)
            positive = numbers[0] > 0
            if not positive and not numbers[0] < 0:
                self.fail(node, "Cannot decide the sign of this number")
            unit = sp.S.One if positive else sp.S.NegativeOne
            return self.checked(node, unit if name == "sign" else unit * arguments[0], None)
        if name in ("Min", "Max"):
            return self.extreme(node, name == "Max", arguments, numbers)
        return self.checked(node, entry.build(*arguments), ball)

    def extreme(
        self, node: ast.Call, largest: bool, arguments: list[sp.Expr], numbers: list[arb]
    ) -> _Value:
        best, ball = arguments[0], numbers[0]
        for candidate, other in zip(arguments[1:], numbers[1:], strict=True):
            if candidate == best:
                continue
            if not (other > ball or other < ball):
                self.fail(node, "Cannot decide which of the numbers is larger")
            if (other > ball) == largest:
                best, ball = candidate, other
        return self.checked(node, best, ball)

    def bounded(self, node: ast.expr, ball: arb) -> None:
        if not ball.is_finite():
            self.fail(node, "Cannot prove that this number is real and finite")
        if not abs(ball) <= _LARGEST:
            self.fail(node, "Expected numbers of at most 1e300 in absolute value")
        if not ball.is_zero() and not abs(ball) >= _SMALLEST and not ball.contains(0):
            self.fail(node, "Expected numbers of at least 1e-300 in absolute value, or zero")

    def checked(self, node: ast.expr, expr: sp.Expr, ball: arb | None) -> _Value:
        """The value, after the checks that every subexpression has to pass."""
        for term in sp.Add.make_args(expr):
            for factor in sp.Mul.make_args(term):
                if isinstance(factor, sp.Rational):
                    if max(abs(factor.p).bit_length(), factor.q.bit_length()) > MAX_RATIONAL_BITS:
                        self.fail(node, f"A number has more than {MAX_RATIONAL_BITS} bits")
                elif isinstance(factor, sp.Pow):
                    self.check_power(node, *factor.as_base_exp())
                elif not isinstance(factor, ALLOWED):
                    self.fail(node, "Expected a finite real value")
        if not isinstance(expr, sp.Rational) and not expr.is_number:
            return _Value(expr, None)
        typed = ball
        rational = isinstance(expr, sp.Rational)
        ball = arb(fmpq(expr.p, expr.q)) if rational else enclose_number(expr)
        if typed is not None:
            # SymPy's evaluation of numbers is not believed: it may take acos(1 - 2e-7) for zero
            if not ball.overlaps(typed):
                self.fail(node, "SymPy evaluates this number to a different one; simplify it")
            ball = typed if not rational and typed.rad() < ball.rad() else ball
        if not rational and not ball.contains(0) and expr.is_zero:
            self.misjudged.append(expr)
        self.bounded(node, ball)
        if isinstance(expr, sp.Add):
            # SymPy decides the sign of a sum that almost cancels by minimal polynomials, slowly
            size = sum((abs(enclose_number(term)) for term in expr.args), arb(0))
            if not abs(ball) > size * arb(2) ** -_MAX_CANCELLATION:
                self.fail(node, "Cannot decide whether this number is zero; simplify it")
        return _Value(expr, ball)


def _expansion(expr: sp.Expr) -> int:
    """A bound on the terms, or on the degree, of an expression when it is multiplied out."""
    limit = _MAX_EXPANSION + 1
    if not expr.args:
        return 1
    if isinstance(expr, sp.Add):
        return min(limit, sum(_expansion(a) for a in expr.args))
    if isinstance(expr, sp.Mul):
        return min(limit, math.prod(_expansion(a) for a in expr.args))
    base, exponent = expr.as_base_exp()
    if exponent is sp.S.One:
        # a function that may be complex has a real and an imaginary part
        inner = max(_expansion(a) for a in expr.args)
        return min(limit, inner if expr.is_extended_real else 2 * inner)
    # as a polynomial in base**x, base**(c*x) has the degree c
    degree = max(
        max(abs(term.as_coeff_Mul()[0].p) if not term.is_Rational else abs(term.p), 1)
        for term in sp.Add.make_args(exponent)
    )
    if degree >= limit:
        return limit
    terms = _expansion(base)
    return min(limit, max(degree, math.comb(int(degree) + terms - 1, terms - 1)))
