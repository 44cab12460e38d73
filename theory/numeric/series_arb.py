"""Power series of a tape in ball arithmetic: lists of coefficients, extended order by order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul
from typing import Any

from flint import arb, arb_poly

from theory.exact.balls import Program
from theory.numeric.tape import FUNCTIONS, Op, Operation, Tape

__all__ = ["Rows", "TapeSeries", "dot", "exponent"]

Rows = list[list[arb]]
"""For each coordinate its coefficients."""


def _sech(a: arb) -> arb:
    return a.sech()


# the stable forms of floats are not used here, but a user may write any of them
_VALUES: dict[str, Callable[[arb], arb]] = {
    "exp": arb.exp, "expm1": arb.expm1, "log": arb.log, "log1p": arb.log1p,
    "sin": arb.sin, "cos": arb.cos, "tan": arb.tan,
    "sinh": arb.sinh, "cosh": arb.cosh, "tanh": arb.tanh, "sech": _sech,
    "asin": arb.asin, "acos": arb.acos, "atan": arb.atan,
    "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh,
    "erf": arb.erf, "erfc": arb.erfc,
    "expit": lambda a: 1 / (1 + (-a).exp()),
    "softplus": lambda a: a.exp().log1p(),
}  # fmt: skip


def dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    """The sum of products, of which the loop runs in C."""
    return sum(map(mul, a, b), _ZERO)


_ZERO = arb(0)


def exponent(value: arb) -> float:
    """log2 of the size of a ball's midpoint; -inf at zero."""
    middle = value.mid()
    if middle == 0:
        return float("-inf")
    mantissa, power = middle.man_exp()
    return float(int(power) + abs(int(mantissa)).bit_length())


class TapeSeries:
    """The coefficients of all nodes of a tape for several coordinates.

    Parameters
    ----------
    tape : Tape
        Made with ``for_floats=False``.
    given : sequence of sequences of arb
        For each given symbol the values, one a coordinate.
    width : int
        Number of coordinates.
    order : int
        Of the highest coefficient.
    """

    def __init__(self, tape: Tape, given: Sequence[Sequence[arb]], width: int, order: int) -> None:
        self.tape, self.width = tape, width
        self.rows: list[Rows] = [[[] for _ in range(width)] for _ in range(tape.size)]
        program = Program(tape.constants, tape.given)
        zeros = [_ZERO] * order
        for i in range(width):
            for j, value in enumerate(program([row[i] for row in given])):
                self.rows[len(tape.variables) + j][i] = [value, *zeros]
        self.bases = [self.rows[s.a] for s in tape.operations if s.op == Op.POWER]

    def clear(self) -> None:
        """Forget the coefficients, but not the constants."""
        variables = len(self.tape.variables)
        for node in (*range(variables), *range(self.tape.first, self.tape.size)):
            for row in self.rows[node]:
                row.clear()

    def fill(self, k: int) -> None:
        """Order k of every operation, from order k of the variables."""
        rows, first, later = self.rows, self.tape.first, self.tape.later
        for index, step in enumerate(self.tape.operations):
            if k > 0 and not later[index]:
                continue
            out = rows[first + index]
            a, b, c = rows[step.a], rows[step.b], rows[step.c]
            coefficient = _RULES[step.op]
            for i in range(self.width):
                out[i].append(coefficient(step, a[i], b[i], c[i], out[i], k))

    def branch_point(self, length: arb) -> bool:
        """Whether a base of a power may reach zero within a step, where another branch begins."""
        for base in self.bases:
            for row in base:
                sizes = arb_poly([0, *(abs(c.mid()) for c in row[1:])])
                if not sizes(length) < abs(row[0]) * arb("0.9"):
                    return True
        return False


_Rule = Callable[[Operation, Any, Any, Any, Any, int], arb]


def _add(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    return a[k] + b[k]


def _subtract(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    return a[k] - b[k]


def _scale(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    return a[0] * b[k]


def _derive(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    return b[0] * a[k] * k


def _multiply(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    return dot(a[: k + 1], b[k::-1])


def _square(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    # every mixed product once
    half = (k + 1) // 2
    total = 2 * dot(a[:half], a[k : k - half : -1]) if half else _ZERO
    return total + a[k // 2] ** 2 if k % 2 == 0 else total


def _divide(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    if k == 0:
        return a[0] / b[0]
    return (a[k] - dot(b[1 : k + 1], p[k - 1 :: -1])) / b[0]


def _power(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    if k == 0:
        return a[0] ** b[0]
    weighted = [(j * b[0] - (k - j)) * a[j] for j in range(1, k + 1)]
    return dot(weighted, p[k - 1 :: -1]) / (k * a[0])


def _function(s: Operation, a: Any, b: Any, c: Any, p: Any, k: int) -> arb:
    if k == 0:
        return _VALUES[FUNCTIONS[s.name]](c[0])
    return dot(a[1 : k + 1], b[k - 1 :: -1]) / k


_RULES: dict[Op, _Rule] = {
    Op.ADD: _add, Op.SUBTRACT: _subtract, Op.SCALE: _scale, Op.DERIVE: _derive,
    Op.MULTIPLY: _multiply, Op.SQUARE: _square, Op.DIVIDE: _divide, Op.POWER: _power,
    Op.FUNCTION: _function,
}  # fmt: skip
