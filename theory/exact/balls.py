"""Rigorous values: a SymPy expression evaluated in ball arithmetic (Arb, through python-flint).

Contract: if every ball of the environment contains the true value of its symbol, the result
contains the true value of the expression, or is not finite where the expression has no real
value (logarithm of a negative number, division by a ball that contains zero, ...). A power with a
symbolic exponent that is not declared an integer is exp(x log b), defined for b > 0 only. The same
program also runs over truncated power series, which is what the Taylor integrator uses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import flint
import sympy as sp
from flint import arb, arb_series, fmpq

from theory.errors import UnsupportedFormula

__all__ = [
    "Program",
    "ball",
    "enclose",
    "functions_without_balls",
    "precision",
    "rational_ball",
    "sign_of_number",
    "whole_power",
]


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set the working precision of Arb for the duration of a block."""
    old = flint.ctx.prec
    flint.ctx.prec = max(int(bits), 2)
    try:
        yield
    finally:
        flint.ctx.prec = old


@contextmanager
def series_length(terms: int) -> Iterator[None]:
    """Set the truncation order of power series for the duration of a block."""
    old = flint.ctx.cap
    flint.ctx.cap = int(terms)
    try:
        yield
    finally:
        flint.ctx.cap = old


def rational_ball(value: Any) -> arb:
    """The ball of an exact rational (SymPy Rational, Fraction, int)."""
    if isinstance(value, int):
        return arb(value)
    numerator = value.p if hasattr(value, "p") else value.numerator
    denominator = value.q if hasattr(value, "q") else value.denominator
    return arb(fmpq(int(numerator), int(denominator)))


_NAN = arb("nan")


def _is_series(value: Any) -> bool:
    return isinstance(value, arb_series)


def _constant(value: Any) -> arb:
    """The constant coefficient of a series, or the ball itself."""
    if _is_series(value):
        coefficients = value.coeffs()
        return coefficients[0] if coefficients else arb(0)
    return value


def _positive(value: Any) -> bool:
    return bool(_constant(value) > 0)


def _finite(value: Any) -> bool:
    """Whether a ball, or every coefficient of a series, is finite."""
    if _is_series(value):
        return all(c.is_finite() for c in value.coeffs())
    return bool(value.is_finite())


def _power(base: Any, exponent: Any) -> Any:
    return _product(exponent, _log(base)).exp()


def whole_power(base: Any, n: int) -> Any:
    """A ball or a series to the power n >= 0, also where the midpoint of the ball is zero."""
    # Arb takes exp(n log x) there, which has no logarithm
    if n == 0 or not _constant(base).contains(0) or not _finite(base):
        return base**n
    if _is_series(base):
        # by squares
        half = whole_power(base, n // 2) if n > 1 else None
        even = base * 0 + 1 if half is None else half * half
        return even * base if n % 2 else even
    if n % 2:
        return (base.lower() ** n).union(base.upper() ** n)
    return arb(0).union(base.abs_upper() ** n)


def _integer_power(base: Any, exponent: Any) -> Any:
    """A power with a symbolic integer exponent: at home on negative bases too."""
    n = exponent.unique_fmpz() if isinstance(exponent, arb) else None
    if n is None:
        return _power(base, exponent)
    return whole_power(base, int(n)) if n >= 0 else 1 / whole_power(base, int(-n))


def _rational_power(base: Any, exponent: sp.Rational) -> Any:
    p, q = int(exponent.p), int(exponent.q)
    if q == 1:
        return whole_power(base, p) if p >= 0 else 1 / whole_power(base, -p)
    if q == 2:
        # FLINT gives the root of x^2 as O(x^2), a Taylor series that |x| does not have
        if _is_series(base) and not _positive(base):
            return _NAN
        root = base.sqrt()
        return root**p if p >= 0 else 1 / root ** (-p)
    if not _is_series(base):
        if base < 0:
            return _NAN
        root = base.root(q)
        return root**p if p >= 0 else 1 / root ** (-p)
    return _power(base, rational_ball(exponent))


def _sinh(x: Any) -> Any:
    if _is_series(x):
        e = x.exp()
        return (e - 1 / e) / 2
    return x.sinh()


def _cosh(x: Any) -> Any:
    if _is_series(x):
        e = x.exp()
        return (e + 1 / e) / 2
    return x.cosh()


def _tanh(x: Any) -> Any:
    if _is_series(x):
        # written in exp(-2|x|) so that a large argument does not overflow the exponent range
        s = 1 if _constant(x) >= 0 else -1
        e = (-2 * s * x).exp()
        return s * (1 - e) / (1 + e)
    return x.tanh()


def _asinh(x: Any) -> Any:
    if _is_series(x):
        if _constant(x) < 0:
            return -_asinh(-x)
        return (x + (x * x + 1).sqrt()).log()
    return x.asinh()


def _acosh(x: Any) -> Any:
    if _is_series(x):
        return (x + (x * x - 1).sqrt()).log()
    return x.acosh()


def _atanh(x: Any) -> Any:
    if _is_series(x):
        return ((1 + x) / (1 - x)).log() / 2
    return x.atanh()


def _erfinv(x: Any) -> Any:
    if not _is_series(x):
        return x.erfinv()
    # y' = sqrt(pi)/2 exp(y^2) x'; one more correct coefficient per sweep
    y = arb_series([_constant(x).erfinv()])
    factor = arb.pi().sqrt() / 2
    for _ in range(flint.ctx.cap):
        y = (factor * (y * y).exp() * x.derivative()).integral() + _constant(x).erfinv()
    return y


def _abs(x: Any) -> Any:
    if _is_series(x):
        c = _constant(x)
        return x if c > 0 else -x if c < 0 else _NAN
    return abs(x)


def _sign(x: Any) -> Any:
    c = _constant(x)
    if c > 0:
        return arb(1)
    if c < 0:
        return arb(-1)
    if not _is_series(x) and x == 0:
        return arb(0)
    return arb(0, 1) if c.is_finite() and not _is_series(x) else _NAN


def _maximum(*values: Any) -> Any:
    out = values[0]
    for v in values[1:]:
        a, b = _constant(out), _constant(v)
        if _is_series(out) or _is_series(v):
            out = out if a > b else v if b > a else _NAN
        else:
            out = out.max(v)
    return out


def _heaviside(x: Any, *at_zero: Any) -> Any:
    """The derivative of Max, where the sign of its argument is decided."""
    c = _constant(x)
    return arb(1) if c > 0 else arb(0) if c < 0 else _NAN


def _dirac(x: Any, *order: Any) -> Any:
    """The derivative of a sign: 0 away from the jump."""
    c = _constant(x)
    return arb(0) if c > 0 or c < 0 else _NAN


def _minimum(*values: Any) -> Any:
    return -_maximum(*(-v for v in values))


def _hull(values: list[Any]) -> Any:
    """One ball around all values; power series have none."""
    out = values[0]
    for v in values[1:]:
        if _is_series(out) or _is_series(v):
            return _NAN
        out = out.union(v)
    return out


def _lambertw(x: Any, branch: Any = None) -> Any:
    if branch is None or branch == 0:
        return x.lambertw()
    if branch == -1:
        return x.lambertw(branch=-1) if _is_series(x) else x.lambertw(-1)
    return _NAN


def _log(x: Any) -> Any:
    if _is_series(x) and not _positive(x):
        return _NAN
    return x.log()


def _heaviside_free(name: str) -> Callable[..., Any]:
    def call(x: Any) -> Any:
        method = getattr(x, name, None)
        if method is None:
            raise UnsupportedFormula(f"No power series of {name} is available.")
        return method()

    return call


def _polylog(s: Any, z: Any) -> Any:
    if _is_series(z):
        raise UnsupportedFormula("No power series of polylog is available.")
    return z.polylog(s)


def _hyper(ap: Sequence[Any], bq: Sequence[Any], z: Any) -> Any:
    if _is_series(z):
        raise UnsupportedFormula("No power series of hyper is available.")
    return z.hypgeom(list(ap), list(bq))


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sp.exp: lambda x: x.exp(),
    sp.log: _log,
    sp.sin: lambda x: x.sin(),
    sp.cos: lambda x: x.cos(),
    sp.tan: lambda x: x.tan(),
    sp.cot: lambda x: x.cos() / x.sin(),
    sp.sec: lambda x: 1 / x.cos(),
    sp.csc: lambda x: 1 / x.sin(),
    sp.sinh: _sinh,
    sp.cosh: _cosh,
    sp.tanh: _tanh,
    sp.coth: lambda x: x.coth() if not _is_series(x) else 1 / _tanh(x),
    sp.sech: lambda x: x.sech() if not _is_series(x) else 1 / _cosh(x),
    sp.csch: lambda x: x.csch() if not _is_series(x) else 1 / _sinh(x),
    sp.asin: lambda x: x.asin(),
    sp.acos: lambda x: x.acos(),
    sp.atan: lambda x: x.atan(),
    sp.acot: lambda x: (1 / x).atan(),
    sp.asec: lambda x: (1 / x).acos(),
    sp.acsc: lambda x: (1 / x).asin(),
    sp.asinh: _asinh,
    sp.acosh: _acosh,
    sp.atanh: _atanh,
    sp.acoth: lambda x: _atanh(1 / x),
    sp.asech: lambda x: _acosh(1 / x),
    sp.acsch: lambda x: _asinh(1 / x),
    sp.Abs: _abs,
    sp.Heaviside: _heaviside,
    sp.DiracDelta: _dirac,
    sp.sign: _sign,
    sp.Max: _maximum,
    sp.Min: _minimum,
    sp.LambertW: _lambertw,
    sp.erf: lambda x: x.erf(),
    sp.erfc: lambda x: x.erfc(),
    sp.erfi: lambda x: x.erfi(),
    sp.erfinv: _erfinv,
    sp.erfcinv: lambda x: _erfinv(1 - x),
    sp.gamma: lambda x: x.gamma(),
    sp.loggamma: lambda x: x.lgamma(),
    sp.Ei: _heaviside_free("ei"),
    sp.li: lambda x: _log(x).ei(),
    sp.Si: _heaviside_free("si"),
    sp.Ci: _heaviside_free("ci"),
    sp.Shi: _heaviside_free("shi"),
    sp.Chi: _heaviside_free("chi"),
    sp.polylog: _polylog,
}

_CONSTANTS: dict[Any, Callable[[], arb]] = {
    sp.pi: arb.pi,
    sp.E: arb.const_e,
    sp.EulerGamma: arb.const_euler,
    sp.Catalan: arb.const_catalan,
    sp.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}


class Program:
    """Expressions flattened into one list of operations, for repeated evaluation.

    Parameters
    ----------
    expressions : sequence of sympy.Expr
        What to evaluate; common subexpressions are evaluated once.
    symbols : sequence of sympy.Symbol
        The inputs, in order.

    Raises
    ------
    UnsupportedFormula
        For a function that Arb does not have, or a symbol that is not an input.

    Examples
    --------
    >>> u = sp.Symbol("u")
    >>> with precision(64):
    ...     (value,) = Program([sp.exp(u) - 1], [u])([arb(0)])
    >>> value
    0
    """

    __slots__ = ("_inputs", "_outputs", "_steps", "symbols")

    def __init__(self, expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> None:
        self.symbols = tuple(symbols)
        self._inputs = {s: i for i, s in enumerate(self.symbols)}
        self._steps: list[tuple[Callable[..., Any] | None, Any]] = []
        slots: dict[Any, int] = {}
        self._outputs = [self._slot(sp.sympify(e, strict=True), slots) for e in expressions]

    def _emit(self, function: Callable[..., Any] | None, arguments: Any) -> int:
        self._steps.append((function, arguments))
        return len(self._steps) - 1

    def _slot(self, e: Any, slots: dict[Any, int]) -> int:
        known = slots.get(e)
        if known is None:
            known = slots[e] = self._build(e, slots)
        return known

    def _build(self, e: Any, slots: dict[Any, int]) -> int:
        if e.is_Symbol:
            if e not in self._inputs:
                raise UnsupportedFormula(f"The symbol {e} has no value here.")
            return self._emit(None, self._inputs[e])
        if e.is_Rational:
            return self._emit(lambda q=e: rational_ball(q), ())
        if e in _CONSTANTS:
            return self._emit(_CONSTANTS[e], ())
        if e.is_Float:
            decimal = sp.Rational(e)
            return self._emit(lambda: rational_ball(decimal), ())
        if e.is_Add:
            return self._emit(_sum, tuple(self._slot(a, slots) for a in e.args))
        if e.is_Mul:
            return self._emit(_product, tuple(self._slot(a, slots) for a in e.args))
        if isinstance(e, sp.exp):
            return self._emit(_FUNCTIONS[sp.exp], (self._slot(e.args[0], slots),))
        if e.is_Pow:
            base, exponent = e.args
            if exponent.is_Rational:
                slot = self._slot(base, slots)
                return self._emit(lambda b, x=exponent: _rational_power(b, x), (slot,))
            if base is sp.E:
                return self._emit(_FUNCTIONS[sp.exp], (self._slot(exponent, slots),))
            if exponent.is_integer:
                slots_of = (self._slot(base, slots), self._slot(exponent, slots))
                return self._emit(_integer_power, slots_of)
            return self._emit(_power, (self._slot(base, slots), self._slot(exponent, slots)))
        if isinstance(e, sp.Piecewise):
            return self._piecewise(e, slots)
        if isinstance(e, sp.hyper):
            ap = tuple(self._slot(a, slots) for a in e.ap)
            bq = tuple(self._slot(b, slots) for b in e.bq)
            n = len(ap)
            return self._emit(
                lambda *v, n=n: _hyper(v[:n], v[n:-1], v[-1]),
                (*ap, *bq, self._slot(e.argument, slots)),
            )
        function = _FUNCTIONS.get(e.func)
        if function is None:
            raise UnsupportedFormula(f"No ball arithmetic for the function {e.func}.")
        if e.func is sp.LambertW and len(e.args) == 2:
            branch = int(e.args[1])
            return self._emit(lambda x: _lambertw(x, branch), (self._slot(e.args[0], slots),))
        return self._emit(function, tuple(self._slot(a, slots) for a in e.args))

    def _piecewise(self, e: sp.Piecewise, slots: dict[Any, int]) -> int:
        arguments: list[int] = []
        tests: list[str] = []
        for value, condition in e.args:
            arguments.append(self._slot(value, slots))
            if condition is sp.true:
                tests.append("true")
                break
            if not isinstance(condition, (sp.Gt, sp.Ge, sp.Lt, sp.Le)):
                raise UnsupportedFormula(f"No ball arithmetic for the condition {condition}.")
            arguments.append(self._slot(condition.gts - condition.lts, slots))
            tests.append("strict" if isinstance(condition, (sp.Gt, sp.Lt)) else "weak")

        def choose(*v: Any) -> Any:
            i = 0
            # on a wide ball every piece that may apply counts
            possible: list[Any] = []
            for test in tests:
                if test == "true":
                    return _hull([*possible, v[i]])
                gap = _constant(v[i + 1])
                # a power series speaks of a neighborhood, where a gap of zero changes its sign
                border = not _is_series(v[i + 1])
                if gap > 0 or (border and test == "weak" and gap >= 0):
                    return _hull([*possible, v[i]])
                if not (gap < 0 or (border and test == "strict" and gap <= 0)):
                    if not (border and gap.is_finite()):
                        return _NAN
                    possible.append(v[i])
                i += 2
            return _NAN

        return self._emit(choose, tuple(arguments))

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        """Evaluate at balls or series, in the order of `symbols`."""
        memory: list[Any] = []
        for function, arguments in self._steps:
            if function is None:
                memory.append(values[arguments])
            else:
                try:
                    memory.append(function(*(memory[i] for i in arguments)))
                except (ValueError, ZeroDivisionError, OverflowError):
                    memory.append(_NAN)
        return [memory[i] for i in self._outputs]


def _sum(*terms: Any) -> Any:
    out = terms[0]
    for t in terms[1:]:
        out = out + t
    return out


def _product(*factors: Any) -> Any:
    out = factors[0]
    for f in factors[1:]:
        out = out * f
    # the empty series annihilates everything, also what has no value
    if _is_series(out) and not all(_finite(f) for f in factors):
        return _NAN
    return out


def functions_without_balls(e: sp.Basic) -> tuple[sp.Expr, ...]:
    """The functions in an expression that cannot be enclosed, nor be known to be real.

    Examples
    --------
    >>> x = sp.Symbol("x", positive=True)
    >>> functions_without_balls(sp.exp(x) + sp.besselj(0, x))
    (besselj(0, x),)
    """
    if _has_balls(e):
        return ()
    return tuple(f for f in sorted(e.atoms(sp.Function), key=str) if not _has_balls(f))


def _has_balls(e: sp.Basic) -> bool:
    parts = e.args if isinstance(e, sp.Tuple) else (e,)
    try:
        Program(parts, sorted(e.free_symbols, key=str))
    except UnsupportedFormula:
        return False
    return True


def enclose(e: sp.Expr, env: Mapping[sp.Symbol, arb]) -> arb:
    """The ball of one expression at the current precision.

    Examples
    --------
    >>> with precision(128):
    ...     enclose(sp.log(1 + sp.exp(-50)), {}) > 0
    True
    """
    symbols = list(env)
    return Program([e], symbols)([env[s] for s in symbols])[0]


def ball(e: sp.Expr, bits: int = 128) -> arb:
    """The ball of a constant expression at `bits` of precision."""
    with precision(bits):
        return enclose(e, {})


def sign_of_number(e: sp.Expr, *, max_bits: int = 4096) -> int | None:
    """The sign of a constant expression, or None when `max_bits` do not separate it from zero.

    SymPy's own comparison is not used: it says that ``log(1 + exp(-50)) > 0`` is false.

    Examples
    --------
    >>> sign_of_number(sp.log(1 + sp.exp(-50)))
    1
    >>> sign_of_number(sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6))) is None
    True
    """
    if e.is_Rational:
        return int(sp.sign(e))
    if e in (sp.oo, -sp.oo):
        return 1 if e is sp.oo else -1
    try:
        program = Program([e], [])
    except UnsupportedFormula:
        return None
    bits = 64
    while bits <= max_bits:
        with precision(bits):
            value = program([])[0]
            if value > 0:
                return 1
            if value < 0:
                return -1
        bits *= 2
    return None


def to_rational(value: arb, bits: int = 53) -> sp.Rational:
    """A dyadic rational near the midpoint of a finite ball."""
    if not value.is_finite():
        raise ValueError("The ball is not finite.")
    mantissa, exponent = value.mid().man_exp()
    m, x = int(mantissa), int(exponent)
    excess = m.bit_length() - bits
    if excess > 0:
        m, x = m >> excess, x + excess
    return sp.Rational(m * 2**x) if x >= 0 else sp.Rational(m, 2 ** (-x))


def accurate_digits(value: arb) -> int:
    """How many decimal digits of a ball are certain (0 for a ball that is not finite)."""
    if not value.is_finite():
        return 0
    if value == 0:
        return 10**6
    return max(0, int(value.rel_accuracy_bits() * math.log10(2)))
