"""Integrands in complex balls: what rigorous quadrature needs besides the values on the real line.

The quadrature of Arb bounds its error by the size of the integrand on complex boxes around pieces
of the interval, on which the integrand must be holomorphic. `ComplexProgram` evaluates the analytic
continuation of a *real* expression: the box must avoid every branch cut, every zero of an absolute
value, every border between two pieces; otherwise the answer is not finite. The continuation is the
one that is real on the real line, which for Ei and the lower branch of LambertW is not the
principal one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
from flint import acb, arb

from theory.errors import UnsupportedFormula
from theory.exact.balls import _CONSTANTS, rational_ball

__all__ = ["ComplexProgram"]

_NAN = acb("nan")


def _right(z: Any) -> bool:
    """Off the cut from minus infinity to zero."""
    return bool(z.real > 0) or not z.imag.contains(0)


def _between(z: Any) -> bool:
    """Off both cuts, from minus infinity to -1 and from 1 to infinity."""
    return bool(z.real > -1 and z.real < 1) or not z.imag.contains(0)


def _between_imaginary(z: Any) -> bool:
    return bool(z.imag > -1 and z.imag < 1) or not z.real.contains(0)


def _where(region: Callable[[Any], bool], f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda z: f(z) if region(z) else _NAN


_log = _where(_right, lambda z: z.log())
_acos = _where(_between, lambda z: z.acos())
_asin = _where(_between, lambda z: z.asin())
_atan = _where(_between_imaginary, lambda z: z.atan())
_asinh = _where(_between_imaginary, lambda z: z.asinh())
_atanh = _where(_between, lambda z: z.atanh())
_acosh = _where(lambda z: _right(z - 1), lambda z: z.acosh())


def _ei(z: Any) -> Any:
    # on the negative axis the real function is the mean of the two sides of the cut
    if z.real > 0:
        return z.ei()
    return -((-z).expint(1)) if z.real < 0 else _NAN


def _lambertw(z: Any, branch: int = 0) -> Any:
    turn = acb(arb(-1).exp())
    if branch == 0:
        return z.lambertw() if _right(z + turn) else _NAN
    if branch != -1:
        return _NAN
    if (z.real > -turn.real and z.real < 0) or not z.imag.contains(0):
        return z.lambertw(middle=True)
    return _NAN


def _absolute(z: Any) -> Any:
    return z if z.real > 0 else -z if z.real < 0 else _NAN


def _heaviside(x: acb, *at_zero: Any) -> acb:
    return acb(1) if x.real > 0 else acb(0) if x.real < 0 else _NAN


def _dirac(x: acb, *order: Any) -> acb:
    return acb(0) if x.real > 0 or x.real < 0 else _NAN


def _sign(z: Any) -> Any:
    return acb(1) if z.real > 0 else acb(-1) if z.real < 0 else _NAN


def _maximum(*values: Any) -> Any:
    out = values[0]
    for v in values[1:]:
        gap = (out - v).real
        out = out if gap > 0 else v if gap < 0 else _NAN
    return out


def _minimum(*values: Any) -> Any:
    return -_maximum(*(-v for v in values))


def _polylog(s: Any, z: Any) -> Any:
    return z.polylog(s) if _right(1 - z) else _NAN


def _hyper(ap: Sequence[Any], bq: Sequence[Any], z: Any) -> Any:
    if len(ap) > len(bq) + 1 or (len(ap) == len(bq) + 1 and not _right(1 - z)):
        return _NAN
    return z.hypgeom(list(ap), list(bq))


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sp.exp: lambda z: z.exp(),
    sp.log: _log,
    sp.sin: lambda z: z.sin(),
    sp.cos: lambda z: z.cos(),
    sp.tan: lambda z: z.tan(),
    sp.cot: lambda z: z.cot(),
    sp.sec: lambda z: z.sec(),
    sp.csc: lambda z: z.csc(),
    sp.sinh: lambda z: z.sinh(),
    sp.cosh: lambda z: z.cosh(),
    sp.tanh: lambda z: z.tanh(),
    sp.coth: lambda z: z.coth(),
    sp.sech: lambda z: z.sech(),
    sp.csch: lambda z: z.csch(),
    sp.asin: _asin,
    sp.acos: _acos,
    sp.atan: _atan,
    sp.acot: lambda z: _atan(1 / z),
    sp.asec: lambda z: _acos(1 / z),
    sp.acsc: lambda z: _asin(1 / z),
    sp.asinh: _asinh,
    sp.acosh: _acosh,
    sp.atanh: _atanh,
    sp.acoth: lambda z: _atanh(1 / z),
    sp.asech: lambda z: _acosh(1 / z),
    sp.acsch: lambda z: _asinh(1 / z),
    sp.Abs: _absolute,
    sp.sign: _sign,
    sp.Heaviside: _heaviside,
    sp.DiracDelta: _dirac,
    sp.Max: _maximum,
    sp.Min: _minimum,
    sp.LambertW: _lambertw,
    sp.erf: lambda z: z.erf(),
    sp.erfc: lambda z: z.erfc(),
    sp.erfi: lambda z: z.erfi(),
    sp.gamma: lambda z: z.gamma(),
    sp.loggamma: _where(_right, lambda z: z.lgamma()),
    sp.Ei: _ei,
    sp.li: lambda z: _ei(_log(z)),
    sp.Si: lambda z: z.si(),
    sp.Ci: _where(_right, lambda z: z.ci()),
    sp.Shi: lambda z: z.shi(),
    sp.Chi: _where(_right, lambda z: z.chi()),
    sp.polylog: _polylog,
    # no complex version: such an integrand is enclosed by boxes of the real line only
    sp.erfinv: lambda z: _NAN,
    sp.erfcinv: lambda z: _NAN,
}


def _power(base: Any, exponent: Any) -> Any:
    return (exponent * _log(base)).exp()


def _rational_power(base: Any, exponent: sp.Rational) -> Any:
    p, q = int(exponent.p), int(exponent.q)
    if q == 1:
        return base**p if p >= 0 else 1 / base ** (-p)
    if not _right(base):
        return _NAN
    root = base.sqrt() if q == 2 else (base.log() / q).exp()
    return root**p if p >= 0 else 1 / root ** (-p)


class ComplexProgram:
    """One expression in one symbol, evaluated on complex boxes where it is holomorphic.

    Parameters
    ----------
    e : sympy.Expr
    symbol : sympy.Symbol

    Raises
    ------
    UnsupportedFormula
        For a function without an evaluation in complex balls, or a second symbol.

    Examples
    --------
    >>> t = sp.Symbol("t", real=True)
    >>> f = ComplexProgram(sp.sqrt(t + 1) * sp.log(t), t)
    >>> f(acb(2)).is_finite(), f(acb(arb(0, 1), arb(0, 1))).is_finite()
    (True, False)
    """

    __slots__ = ("_steps", "symbol")

    def __init__(self, e: sp.Expr, symbol: sp.Symbol) -> None:
        self.symbol = symbol
        self._steps: list[tuple[Callable[..., Any] | None, tuple[int, ...]]] = []
        self._slot(sp.sympify(e, strict=True), {})

    def _slot(self, e: Any, slots: dict[Any, int]) -> int:
        known = slots.get(e)
        if known is None:
            step = self._build(e, slots)
            self._steps.append(step)
            known = slots[e] = len(self._steps) - 1
        return known

    def _all(self, parts: Sequence[Any], slots: dict[Any, int]) -> tuple[int, ...]:
        return tuple(self._slot(p, slots) for p in parts)

    def _build(
        self, e: Any, slots: dict[Any, int]
    ) -> tuple[Callable[..., Any] | None, tuple[int, ...]]:
        if e.is_Symbol:
            if e != self.symbol:
                raise UnsupportedFormula(f"The symbol {e} has no value here.")
            return None, ()
        if e.is_Rational or e.is_Float:
            exact = sp.Rational(e)
            return (lambda: acb(rational_ball(exact))), ()
        if e in _CONSTANTS:
            return (lambda c=_CONSTANTS[e]: acb(c())), ()
        if e.is_Add:
            return _sum, self._all(e.args, slots)
        if e.is_Mul:
            return _product, self._all(e.args, slots)
        if e.is_Pow and not isinstance(e, sp.exp):
            base, exponent = e.args
            if exponent.is_Rational:
                return (lambda b, q=exponent: _rational_power(b, q)), self._all((base,), slots)
            if base is sp.E:
                return _FUNCTIONS[sp.exp], self._all((exponent,), slots)
            return _power, self._all((base, exponent), slots)
        if isinstance(e, sp.Piecewise):
            return self._piecewise(e, slots)
        if isinstance(e, sp.hyper):
            n = len(e.ap)
            parts = self._all((*e.ap, *e.bq, e.argument), slots)
            return (lambda *v: _hyper(v[:n], v[n:-1], v[-1])), parts
        function = _FUNCTIONS.get(e.func)
        if function is None:
            raise UnsupportedFormula(f"No complex ball arithmetic for the function {e.func}.")
        if e.func is sp.LambertW and len(e.args) == 2:
            branch = int(e.args[1])
            return (lambda z: _lambertw(z, branch)), self._all(e.args[:1], slots)
        return function, self._all(e.args, slots)

    def _piecewise(
        self, e: sp.Piecewise, slots: dict[Any, int]
    ) -> tuple[Callable[..., Any], tuple[int, ...]]:
        values, gaps = [], []
        for value, condition in e.args:
            values.append(value)
            if condition is sp.true:
                break
            if not isinstance(condition, (sp.Gt, sp.Ge, sp.Lt, sp.Le)):
                raise UnsupportedFormula(f"No ball arithmetic for the condition {condition}.")
            gaps.append(condition.gts - condition.lts)
        n = len(values)

        def choose(*v: Any) -> Any:
            for value, gap in zip(v[:n], v[n:], strict=False):
                if gap.real > 0:
                    return value
                if not gap.real < 0:
                    return _NAN
            return v[n - 1] if n > len(gaps) else _NAN

        return choose, self._all((*values, *gaps), slots)

    def __call__(self, z: Any) -> Any:
        """The box of values on a box, or a box that is not finite."""
        memory: list[Any] = []
        for function, arguments in self._steps:
            if function is None:
                memory.append(z)
                continue
            try:
                memory.append(function(*(memory[i] for i in arguments)))
            except (ValueError, ZeroDivisionError, OverflowError):
                memory.append(_NAN)
        return memory[-1]


def _sum(*terms: Any) -> Any:
    out = terms[0]
    for t in terms[1:]:
        out = out + t
    return out


def _product(*factors: Any) -> Any:
    out = factors[0]
    for f in factors[1:]:
        out = out * f
    return out
