"""The functions that a formula may call: how each is built, and its enclosure at a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import sympy as sp
from flint import arb, fmpq

MAX_GAMMA_ARGUMENT = 64

CONSTANTS: dict[str, sp.Expr] = {"pi": sp.pi, "E": sp.E}


@dataclass(frozen=True, slots=True)
class TableEntry:
    """An entry of the table of functions."""

    build: Callable[..., sp.Expr]
    ball: Callable[..., arb]
    arity: tuple[int, int] = (1, 1)


def _real_cbrt(x: sp.Expr) -> sp.Expr:
    third = sp.Rational(1, 3)
    if x.is_nonnegative:
        return sp.Pow(x, third)
    if x.is_nonpositive:
        return -sp.Pow(-x, third)
    return sp.Mul(sp.sign(x), sp.Pow(_absolute(x), third))


def _absolute(x: sp.Expr) -> sp.Expr:
    # with arguments that may be complex, SymPy expands |x|^2, which can blow up
    if x.is_extended_real:
        return sp.Abs(x)
    return sp.Abs(x, evaluate=False)


def _softplus(x: sp.Expr) -> sp.Expr:
    return sp.log(1 + sp.exp(x))


def _sigmoid(x: sp.Expr) -> sp.Expr:
    return 1 / (1 + sp.exp(-x))


def _log(x: sp.Expr, *base: sp.Expr) -> sp.Expr:
    return sp.log(x) / sp.log(base[0]) if base else sp.log(x)


def _ball_log(x: arb, *base: arb) -> arb:
    return x.log() / base[0].log() if base else x.log()


def _ball_gamma(x: arb) -> arb:
    # SymPy writes gamma at integers and half-integers out as a product
    return x.gamma() if abs(x) <= MAX_GAMMA_ARGUMENT else arb.nan()


def _ball_loggamma(x: arb) -> arb:
    return x.lgamma() if abs(x) <= MAX_GAMMA_ARGUMENT else arb.nan()


def _ball_lambertw(x: arb, *branch: arb) -> arb:
    return x.lambertw(-1 if branch and branch[0] == -1 else 0)


def _ball_cbrt(x: arb) -> arb:
    if x.is_zero():
        return arb(0)
    return x.root(3) if x > 0 else -((-x).root(3))


TABLE: dict[str, TableEntry] = {
    "sin": TableEntry(sp.sin, arb.sin),
    "cos": TableEntry(sp.cos, arb.cos),
    "tan": TableEntry(sp.tan, arb.tan),
    "sec": TableEntry(sp.sec, arb.sec),
    "csc": TableEntry(sp.csc, arb.csc),
    "cot": TableEntry(sp.cot, arb.cot),
    "sinh": TableEntry(sp.sinh, arb.sinh),
    "cosh": TableEntry(sp.cosh, arb.cosh),
    "tanh": TableEntry(sp.tanh, arb.tanh),
    "sech": TableEntry(sp.sech, arb.sech),
    "csch": TableEntry(sp.csch, arb.csch),
    "coth": TableEntry(sp.coth, arb.coth),
    "asin": TableEntry(sp.asin, arb.asin),
    "acos": TableEntry(sp.acos, arb.acos),
    "atan": TableEntry(sp.atan, arb.atan),
    "asinh": TableEntry(sp.asinh, arb.asinh),
    "acosh": TableEntry(sp.acosh, arb.acosh),
    "atanh": TableEntry(sp.atanh, arb.atanh),
    "acoth": TableEntry(sp.acoth, lambda x: (1 / x).atanh()),
    "exp": TableEntry(sp.exp, arb.exp),
    "log": TableEntry(_log, _ball_log, (1, 2)),
    "ln": TableEntry(_log, _ball_log),
    "sqrt": TableEntry(sp.sqrt, arb.sqrt),
    "cbrt": TableEntry(_real_cbrt, _ball_cbrt),
    "Abs": TableEntry(_absolute, abs),
    "sign": TableEntry(sp.sign, arb.sgn),
    "erf": TableEntry(sp.erf, arb.erf),
    "erfc": TableEntry(sp.erfc, arb.erfc),
    "erfi": TableEntry(sp.erfi, arb.erfi),
    "erfinv": TableEntry(sp.erfinv, arb.erfinv),
    "gamma": TableEntry(sp.gamma, _ball_gamma),
    "loggamma": TableEntry(sp.loggamma, _ball_loggamma),
    "LambertW": TableEntry(sp.LambertW, _ball_lambertw, (1, 2)),
    "sigmoid": TableEntry(_sigmoid, lambda x: 1 / (1 + (-x).exp())),
    "softplus": TableEntry(_softplus, lambda x: (1 + x.exp()).log()),
    "Ei": TableEntry(sp.Ei, arb.ei),
    "Si": TableEntry(sp.Si, arb.si),
    "Ci": TableEntry(sp.Ci, arb.ci),
    "Shi": TableEntry(sp.Shi, arb.shi),
    "Chi": TableEntry(sp.Chi, arb.chi),
    "Min": TableEntry(sp.Min, lambda *x: reduce(arb.min, x), (2, 8)),
    "Max": TableEntry(sp.Max, lambda *x: reduce(arb.max, x), (2, 8)),
}
ALIASES = {
    "abs": "Abs",
    "min": "Min",
    "max": "Max",
    "logistic": "sigmoid",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "arccoth": "acoth",
}
FUNCTIONS: tuple[str, ...] = tuple(sorted([*TABLE, *ALIASES]))
"""The names of the functions that a formula may call."""

_BALL_OF_CLASS: dict[type, Callable[..., arb]] = {
    entry.build: entry.ball for entry in TABLE.values() if isinstance(entry.build, type)
}
_BALL_OF_CLASS |= {sp.log: _ball_log, sp.Abs: abs}
ALLOWED = (
    sp.Symbol,
    sp.Rational,
    sp.Add,
    sp.Mul,
    sp.Pow,
    type(sp.pi),
    type(sp.E),
    *_BALL_OF_CLASS,
)


def ball_power(base: arb, exponent: sp.Expr, ball: arb) -> arb:
    if isinstance(exponent, sp.Rational):
        if exponent.q == 1:
            return base ** int(exponent.p)
        if base.is_zero():
            return base
        return base.root(int(exponent.q)) ** int(exponent.p)
    if base.is_zero() and ball > 0:
        return base
    return (base.log() * ball).exp()


def enclose_number(expr: sp.Expr) -> arb:
    """A ball that contains the number `expr`; not finite where `expr` may be not real."""
    if isinstance(expr, sp.Rational):
        return arb(fmpq(expr.p, expr.q))
    if expr is sp.pi:
        return arb.pi()
    if expr is sp.E:
        return arb.const_e()
    balls = [enclose_number(argument) for argument in expr.args]
    if isinstance(expr, sp.Add):
        return reduce(lambda a, b: a + b, balls)
    if isinstance(expr, sp.Mul):
        return reduce(lambda a, b: a * b, balls)
    if isinstance(expr, sp.Pow):
        return ball_power(balls[0], expr.exp, balls[1])
    function = _BALL_OF_CLASS.get(type(expr))
    return function(*balls) if function is not None else arb.nan()
