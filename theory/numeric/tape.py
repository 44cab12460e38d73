r"""Formulas as a tape of operations, each with the recurrence of its Taylor coefficients.

Every elementary function p = f(a) satisfies $p' = f'(a)\,a'$, and $f'(a)$ is again a formula in
functions of the table, so that one recurrence serves all of them,

$$ p_k = \frac1k \sum_{j=1}^{k} (j\,a_j)\,g_{k-j}, \qquad g = f'(a) , $$

which needs g to a lower order than p only: p may occur in g, as in tanh' = 1 - tanh^2. Beside it
there are sums, products, squares, quotients and powers with a constant exponent. What does not
depend on the variables has no series and is kept as a formula.

The backends (NumPy, Numba, Arb) differ in their arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Any

import sympy as sp

from theory.errors import UnsupportedFormula
from theory.numeric.compile import call, stable

__all__ = ["FUNCTIONS", "Op", "Operation", "Tape", "make_tape"]


class Op(IntEnum):
    """What a node is made of; `Operation` names the operands."""

    ADD = 0
    SUBTRACT = 1
    SCALE = 2
    DERIVE = 3
    MULTIPLY = 4
    SQUARE = 5
    DIVIDE = 6
    POWER = 7
    FUNCTION = 8


@dataclass(frozen=True, slots=True)
class Operation:
    """One node: ADD, SUBTRACT, MULTIPLY and DIVIDE of a and b; SCALE of b by the constant a.

    DERIVE of a has the coefficients $b\\,k\\,a_k$ with a constant b. POWER is $a^b$ with a constant
    b. FUNCTION is `FUNCTIONS`[`name`] of c, with a = DERIVE of c and b the derivative.
    """

    op: Op
    a: int
    b: int = 0
    c: int = 0
    name: int = 0


# derivatives in functions of the table; the backends know the values
_DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "exp": sp.exp,
    "expm1": sp.exp,
    "log": lambda a: 1 / a,
    "log1p": lambda a: 1 / (1 + a),
    "sin": sp.cos,
    "cos": lambda a: -sp.sin(a),
    "tan": lambda a: 1 + sp.tan(a) ** 2,
    "sinh": sp.cosh,
    "cosh": sp.sinh,
    "tanh": lambda a: 1 - sp.tanh(a) ** 2,
    "sech": lambda a: -call("sech", a) * sp.tanh(a),
    "asin": lambda a: 1 / sp.sqrt(1 - a**2),
    "acos": lambda a: -1 / sp.sqrt(1 - a**2),
    "atan": lambda a: 1 / (1 + a**2),
    "asinh": lambda a: 1 / sp.sqrt(1 + a**2),
    "acosh": lambda a: 1 / (sp.sqrt(a - 1) * sp.sqrt(a + 1)),
    "atanh": lambda a: 1 / (1 - a**2),
    "erf": lambda a: 2 / sp.sqrt(sp.pi) * sp.exp(-(a**2)),
    "erfc": lambda a: -2 / sp.sqrt(sp.pi) * sp.exp(-(a**2)),
    "expit": lambda a: call("expit", a) * call("expit", -a),
    "softplus": lambda a: call("expit", a),
}
FUNCTIONS = tuple(_DERIVATIVES)
"""The functions with a recurrence, by their number on a tape."""

_REWRITTEN: dict[str, Callable[..., Any]] = {
    "sec": lambda a: 1 / sp.cos(a),
    "csc": lambda a: 1 / sp.sin(a),
    "cot": lambda a: sp.cos(a) / sp.sin(a),
    "csch": lambda a: 1 / sp.sinh(a),
    "coth": lambda a: 1 / sp.tanh(a),
    "acot": lambda a: sp.atan(1 / a),
    "asec": lambda a: sp.acos(1 / a),
    "acsc": lambda a: sp.asin(1 / a),
    "acoth": lambda a: sp.atanh(1 / a),
    "asech": lambda a: sp.acosh(1 / a),
    "acsch": lambda a: sp.asinh(1 / a),
    "logaddexp": lambda a, b: b + call("softplus", a - b),
}


@dataclass(frozen=True)
class Tape:
    """A straight-line program on power series.

    Nodes are numbered: the variables first, then the constants, then the operations in order.

    Parameters
    ----------
    variables : tuple of sympy.Symbol
        What has a series.
    given : tuple of sympy.Symbol
        Values that do not change.
    constants : tuple of sympy.Expr
        Formulas in `given`.
    operations : tuple of Operation
    outputs : tuple of int
        The nodes of the formulas.
    """

    variables: tuple[sp.Symbol, ...]
    given: tuple[sp.Symbol, ...]
    constants: tuple[sp.Expr, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]

    @cached_property
    def later(self) -> tuple[bool, ...]:
        """Of each operation, whether its orders beyond the first are read.

        A function takes the value of its argument alone.
        """
        needed, waiting = set(self.outputs), list(self.outputs)
        # the derivative of a function may come after it, and contain it
        while waiting:
            node = waiting.pop() - self.first
            if node >= 0:
                s = self.operations[node]
                operands = {s.a} if s.op in (Op.DERIVE, Op.SQUARE) else {s.a, s.b}
                waiting += operands - needed
                needed |= operands
        return tuple(i in needed for i in range(self.first, self.size))

    @property
    def shifts(self) -> bool:
        """Whether the only output is the only variable plus a constant: its series but for one."""
        steps = self.operations
        return len(steps) == 1 and steps[0].op is Op.ADD and (steps[0].a, steps[0].b) == (0, 1)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.first + len(self.operations)

    @property
    def first(self) -> int:
        """The node of the first operation."""
        return len(self.variables) + len(self.constants)


@lru_cache(maxsize=256)
def make_tape(
    formulas: tuple[sp.Expr, ...],
    variables: tuple[sp.Symbol, ...],
    given: tuple[sp.Symbol, ...] = (),
    *,
    definitions: tuple[tuple[sp.Symbol, sp.Expr], ...] = (),
    for_floats: bool = True,
) -> Tape:
    """The tape of formulas; common subexpressions are computed once.

    Parameters
    ----------
    formulas : tuple of sympy.Expr
    variables, given : tuples of sympy.Symbol
        What has a power series, and what is constant.
    definitions : tuple of pairs
        Symbols in the formulas with their formulas; they are computed as they are, not put in.
    for_floats : bool
        Rewrite the formulas into forms that neither overflow nor cancel in float64.

    Raises
    ------
    UnsupportedFormula
        For a function without a recurrence: one with a kink or jump, or one whose derivative is not
        made of functions of the table.

    Examples
    --------
    >>> u = sp.Symbol("u", real=True)
    >>> tape = make_tape((u**2, sp.exp(3 * u)), (u,))
    >>> [step.op.name for step in tape.operations]
    ['SQUARE', 'SCALE', 'DERIVE', 'FUNCTION']
    """
    ready: Callable[[Any], Any] = stable if for_floats else lambda e: e
    forms = [ready(sp.sympify(e, strict=True)) for e in formulas]
    builder = _Builder(variables, given)
    for symbol, e in definitions:
        builder.define(symbol, ready(e))
    shared, reduced = sp.cse(forms)
    for symbol, e in shared:
        builder.define(symbol, e)
    outputs = [builder.node(e) for e in reduced]
    return builder.finish(outputs)


class _Builder:
    """Nodes while they are numbered: ("v", i), ("c", i) or ("o", i) until all are known."""

    def __init__(self, variables: Sequence[sp.Symbol], given: Sequence[sp.Symbol]) -> None:
        self.variables, self.given = tuple(variables), tuple(given)
        self.constants: list[sp.Expr] = []
        self.operations: list[tuple[Op, Any, Any, Any, int]] = []
        self.known: dict[Any, tuple[str, int]] = {s: ("v", i) for i, s in enumerate(variables)}
        self.moving: set[sp.Symbol] = set(variables)
        self.fixed: dict[sp.Symbol, sp.Expr] = {}
        self.shared: dict[tuple[Any, ...], tuple[str, int]] = {}

    def define(self, symbol: sp.Symbol, e: sp.Expr) -> None:
        """A common subexpression under a name of its own."""
        if self.is_constant(e):
            self.fixed[symbol] = e.xreplace(self.fixed)
        else:
            self.known[symbol] = self.node(e)
            self.moving.add(symbol)

    def is_constant(self, e: sp.Expr) -> bool:
        return not (e.free_symbols & self.moving)

    def node(self, e: sp.Expr) -> tuple[str, int]:
        found = self.known.get(e)
        if found is None:
            found = self.constant(e) if self.is_constant(e) else self.build(e)
            self.known[e] = found
        return found

    def constant(self, e: sp.Expr) -> tuple[str, int]:
        e = e.xreplace(self.fixed)
        free = e.free_symbols - set(self.given)
        if free:
            raise UnsupportedFormula(
                f"The symbol {', '.join(sorted(str(s) for s in free))} of {e} has no value."
            )
        if e not in self.constants:
            self.constants.append(e)
        return "c", self.constants.index(e)

    def emit(self, op: Op, a: Any, b: Any = ("v", 0), c: Any = ("v", 0)) -> tuple[str, int]:
        key = (op, a, b, c)
        if key not in self.shared:
            self.operations.append((op, a, b, c, 0))
            self.shared[key] = ("o", len(self.operations) - 1)
        return self.shared[key]

    def build(self, e: sp.Expr) -> tuple[str, int]:
        if isinstance(e, sp.Add):
            return self.sum(e)
        if isinstance(e, sp.Mul):
            return self.product(e)
        if isinstance(e, sp.Pow):
            return self.power(*e.as_base_exp()) if e.base is not sp.E else self.function(e)
        return self.function(e)

    def sum(self, e: sp.Add) -> tuple[str, int]:
        moving = [a for a in e.args if not self.is_constant(a)]
        rest = [a for a in e.args if self.is_constant(a)]
        # a sum that begins with a negative term would cost a multiplication
        moving.sort(key=lambda a: a.as_coeff_Mul()[0].is_negative is True)
        total = self.node(moving[0])
        for term in moving[1:]:
            coefficient, core = term.as_coeff_Mul()
            if coefficient == -1:
                total = self.emit(Op.SUBTRACT, total, self.node(core))
            else:
                total = self.emit(Op.ADD, total, self.node(term))
        return self.emit(Op.ADD, total, self.constant(sp.Add(*rest))) if rest else total

    def product(self, e: sp.Mul) -> tuple[str, int]:
        constant = sp.Mul(*(a for a in e.args if self.is_constant(a)))
        above: list[tuple[str, int]] = []
        below: list[tuple[str, int]] = []
        for factor in e.args:
            if self.is_constant(factor):
                continue
            base, exponent = factor.as_base_exp()
            if exponent.is_number and exponent.is_negative and base is not sp.E:
                below.append(self.node(base ** (-exponent)))
            else:
                above.append(self.node(factor))
        if not below:
            return self.scaled(constant, self.chain(above))
        under = self.chain(below)
        if not above:
            return self.emit(Op.DIVIDE, self.constant(constant), under)
        return self.scaled(constant, self.emit(Op.DIVIDE, self.chain(above), under))

    def scaled(self, factor: sp.Expr, node: tuple[str, int]) -> tuple[str, int]:
        """A multiple; the multiple of a multiple is one."""
        own, node = self.multiple(node)
        factor = factor.xreplace(self.fixed) * own
        return node if factor == 1 else self.emit(Op.SCALE, self.constant(factor), node)

    def multiple(self, node: tuple[str, int]) -> tuple[sp.Expr, tuple[str, int]]:
        """A node as a constant times another."""
        if node[0] == "o" and self.operations[node[1]][0] is Op.SCALE:
            _, factor, of, _, _ = self.operations[node[1]]
            return self.constants[factor[1]], of
        return sp.S.One, node

    def chain(self, factors: list[tuple[str, int]]) -> tuple[str, int]:
        total = factors[0]
        for f in factors[1:]:
            same = f == total
            total = self.emit(Op.SQUARE, f) if same else self.emit(Op.MULTIPLY, total, f)
        return total

    def power(self, base: sp.Expr, exponent: sp.Expr) -> tuple[str, int]:
        if not self.is_constant(exponent):
            return self.node(sp.exp(exponent * sp.log(base, evaluate=False), evaluate=False))
        exponent = exponent.xreplace(self.fixed)
        if exponent.is_Integer:
            n = int(exponent)
            if n < 0:
                return self.emit(Op.DIVIDE, self.constant(sp.S.One), self.node(base ** (-n)))
            # by squares, which unlike the recurrence of a power is at home at a zero of the base
            half = self.node(base ** (n // 2)) if n > 1 else self.node(base)
            if n == 1:
                return half
            square = self.emit(Op.SQUARE, half)
            return self.emit(Op.MULTIPLY, square, self.node(base)) if n % 2 else square
        if exponent.is_number and exponent.is_negative:
            return self.emit(Op.DIVIDE, self.constant(sp.S.One), self.node(base ** (-exponent)))
        return self.emit(Op.POWER, self.node(base), self.constant(exponent))

    def function(self, e: sp.Expr) -> tuple[str, int]:
        name = type(e).__name__.removeprefix("f_")
        arguments = (e.exp,) if isinstance(e, sp.exp) or (e.is_Pow) else e.args
        if e.is_Pow:
            name = "exp"
        if name in _REWRITTEN:
            return self.node(_REWRITTEN[name](*arguments))
        if name not in _DERIVATIVES or len(arguments) != 1:
            raise UnsupportedFormula(
                f"The function {name} has no Taylor recurrence here: it has a kink or a jump, or "
                f"no elementary derivative. Integrate with another method; those with one are "
                f"{', '.join(sorted({*FUNCTIONS, *_REWRITTEN}))}."
            )
        argument = self.node(arguments[0])
        key = (name, argument)
        if key in self.shared:
            return self.shared[key]
        factor, of = self.multiple(argument)
        derived = self.emit(Op.DERIVE, of, self.constant(factor))
        self.operations.append((Op.FUNCTION, derived, None, argument, FUNCTIONS.index(name)))
        index = len(self.operations) - 1
        # known before its derivative is built, which may contain it
        self.shared[key] = ("o", index)
        derivative = self.node(_DERIVATIVES[name](arguments[0]))
        self.operations[index] = (Op.FUNCTION, derived, derivative, argument, FUNCTIONS.index(name))
        return "o", index

    def finish(self, outputs: list[tuple[str, int]]) -> Tape:
        offset = {"v": 0, "c": len(self.variables)}
        offset["o"] = offset["c"] + len(self.constants)

        def number(ref: tuple[str, int]) -> int:
            return offset[ref[0]] + ref[1]

        operations = tuple(
            Operation(op, number(a), number(b), number(c), name)
            for op, a, b, c, name in self.operations
        )
        return Tape(
            self.variables,
            self.given,
            tuple(self.constants),
            operations,
            tuple(number(ref) for ref in outputs),
        )
