r"""From SymPy to float64: the only bridge between formulas and arrays.

A formula is rewritten into a form that keeps its digits (``log(1 + u)`` becomes ``log1p(u)``, a
logistic function never overflows), every function is checked against a list, and every symbol is
renamed, so that no name in a formula can reach the Python interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from scipy import special

from theory.errors import FormulaError, ShapeError, UnknownName, UnsupportedFormula

__all__ = [
    "BLIND_TO_NAN",
    "TABLE",
    "Array",
    "Compiled",
    "call",
    "compile_expression",
    "compile_expressions",
    "sech",
    "stable",
]

Array = NDArray[np.float64]


def _lambertw(x: Array, branch: float = 0.0) -> Array:
    value = special.lambertw(x, int(branch))
    return np.where(np.abs(value.imag) > 0, np.nan, value.real)


def sech(x: Array) -> Array:
    # 2 e^{-|x|} / (1 + e^{-2|x|}) neither overflows nor loses digits
    e = np.exp(-np.abs(x))
    return 2 * e / (1 + e * e)


# keys: names of SymPy functions; values: functions of float64 arrays
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log,
    "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sec": lambda x: 1 / np.cos(x), "csc": lambda x: 1 / np.sin(x), "cot": lambda x: 1 / np.tan(x),
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "acot": lambda x: np.arctan(1 / x),
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "sech": sech, "csch": lambda x: 1 / np.sinh(x), "coth": lambda x: 1 / np.tanh(x),
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "acoth": lambda x: np.arctanh(1 / x),
    "Abs": np.abs, "sign": np.sign,
    "Min": lambda *a: reduce(np.minimum, a), "Max": lambda *a: reduce(np.maximum, a),
    # almost everywhere: the second derivative of |x|
    "DiracDelta": lambda x, *_: np.zeros_like(x),
    "Heaviside": lambda x, at_zero=0.5: np.heaviside(x, at_zero),
    "LambertW": _lambertw,
    "erf": special.erf, "erfc": special.erfc, "erfi": special.erfi,
    "erfinv": special.erfinv, "erfcinv": special.erfcinv,
    "gamma": special.gamma, "loggamma": special.gammaln, "polygamma": special.polygamma,
    "uppergamma": lambda s, x: special.gammaincc(s, x) * special.gamma(s),
    "lowergamma": lambda s, x: special.gammainc(s, x) * special.gamma(s),
    "Ei": special.expi, "expint": special.expn, "dawsn": special.dawsn,
    "elliptic_k": special.ellipk,
}  # fmt: skip

# targets of the rewrites below; formulas cannot name them
_STABLE: dict[str, Callable[..., Any]] = {
    "log1p": np.log1p, "expm1": np.expm1, "logaddexp": np.logaddexp, "expit": special.expit,
    "wrightomega": special.wrightomega,
}  # fmt: skip

TABLE: dict[str, Callable[..., Any]] = {
    f"f_{name}": function for name, function in {**_FUNCTIONS, **_STABLE}.items()
}
"""Names in compiled code, with a prefix that no formula can have."""
BLIND_TO_NAN = (sp.Piecewise, sp.Heaviside, sp.DiracDelta, sp.Min, sp.Max)
_ALLOWED = (sp.Add, sp.Mul, sp.Pow, sp.Number, sp.NumberSymbol, sp.Symbol)


def call(name: str, *args: sp.Expr) -> sp.Expr:
    return sp.Function(f"f_{name}", real=True)(*args)


def compile_expression(
    expression: sp.Expr | str | float,
    arguments: Sequence[sp.Symbol],
    *,
    check: bool | Sequence[Sequence[float]] | None = None,
) -> Callable[..., Array]:
    """Compile one formula to a function of float64 arrays that broadcast.

    Parameters
    ----------
    expression : sympy.Expr
    arguments : sequence of sympy.Symbol
        The function's arguments, in order.
    check : bool or sequence of points, optional
        Compare with mpmath at these points (`True`: at a handful of points that respect the
        arguments' signs) and refuse to return a function whose relative error exceeds 1e-10.

    Returns
    -------
    function : callable
        Takes one array (or number) an argument; returns float64 of the broadcast shape, NaN where
        the formula is not real.

    Raises
    ------
    UnknownName
        For a symbol that is not an argument.
    UnsupportedFormula
        For a function that has no float64 counterpart here, or a failed check.

    Examples
    --------
    >>> import sympy as sp
    >>> z = sp.Symbol("z", real=True)
    >>> sigmoid = compile_expression(1 / (1 + sp.exp(-z)), [z])
    >>> [float(v) for v in sigmoid([-800.0, 0.0, 800.0])]
    [0.0, 0.5, 1.0]
    """
    function = compile_expressions([sp.sympify(expression, strict=True)], arguments)

    def single(*values: ArrayLike) -> Array:
        return function(*values)[0]

    if check is not None and check is not False:
        _check_against_mpmath(single, sp.sympify(expression, strict=True), arguments, check)
    return single


def compile_expressions(expressions: Iterable[sp.Expr], arguments: Sequence[sp.Symbol]) -> Compiled:
    """Compile several formulas at once; common subexpressions are evaluated once.

    Parameters and errors are those of `compile_expression`; the function returns a tuple.

    Examples
    --------
    >>> import sympy as sp
    >>> u, v = sp.symbols("u v", real=True)
    >>> f = compile_expressions([u**2 - v**2, sp.Integer(3)], [u, v])
    >>> [array.tolist() for array in f([1.0, 2.0], 1.0)]
    [[0.0, 3.0], [3.0, 3.0]]
    """
    for s in arguments:
        if not isinstance(s, sp.Symbol):
            raise FormulaError(f"Expected symbols as arguments but got {s!r}.")
    return _compiled(tuple(sp.sympify(e, strict=True) for e in expressions), tuple(arguments))


class Compiled:
    """Formulas as a function of arrays that broadcast, with a tuple of arrays as its value.

    `bare` is the same for float64 arrays of one shape, reads nothing and leaves NumPy's warnings to
    its caller: for loops over small arrays, where a context costs as much as a formula.
    """

    __slots__ = ("_blind", "_count", "_function")

    def __init__(self, function: Callable[..., Any], count: int, blind: bool) -> None:
        self._function, self._count, self._blind = function, count, blind

    def __call__(self, *values: ArrayLike) -> tuple[Array, ...]:
        if len(values) != self._count:
            raise ShapeError(f"Expected {self._count} arguments but got {len(values)}.")
        arrays = [np.asarray(v, dtype=np.float64) for v in values]
        shape = arrays[0].shape if arrays else ()
        if any(a.shape != shape for a in arrays):
            shape = np.broadcast_shapes(*(a.shape for a in arrays))
        with np.errstate(all="ignore"):
            return self._finished(arrays, shape)

    def bare(self, *arrays: Array) -> tuple[Array, ...]:
        """The values at arrays of one shape, with NumPy's warnings."""
        return self._finished(arrays, arrays[0].shape)

    def _finished(self, arrays: Sequence[Array], shape: tuple[int, ...]) -> tuple[Array, ...]:
        results = self._function(*arrays)
        if not self._blind:
            for r in results:
                if type(r) is not np.ndarray or r.shape != shape or r.dtype != np.float64:
                    break
            else:
                return tuple(results)
        out = []
        for result in results:
            array = np.asarray(result)
            if array.dtype != np.float64:
                array = array.astype(np.float64)
            if array.shape != shape:
                array = np.array(np.broadcast_to(array, shape))
            if self._blind:
                # a comparison with NaN is False and would pick the last branch
                for a in arrays:
                    array = np.where(np.isnan(a), np.nan, array)
            out.append(array)
        return tuple(out)


@lru_cache(maxsize=512)
def _compiled(expressions: tuple[sp.Expr, ...], arguments: tuple[sp.Symbol, ...]) -> Compiled:
    if len(set(arguments)) != len(arguments):
        raise FormulaError(f"An argument is listed twice in {tuple(arguments)}.")
    free = set().union(*(e.free_symbols for e in expressions)) - set(arguments)
    if free:
        names = ", ".join(sorted(str(s) for s in free))
        raise UnknownName(
            f"The formula contains {names}, which is not among the arguments "
            f"({', '.join(str(s) for s in arguments)}); give it a numeric value first."
        )
    safe = [sp.Symbol(f"s{i}", **s.assumptions0) for i, s in enumerate(arguments)]
    renaming = dict(zip(arguments, safe, strict=True))
    rewritten = [stable(e.xreplace(renaming)) for e in expressions]
    compiled = sp.lambdify(safe, rewritten, modules=[TABLE, "numpy"], cse=True)
    count = len(safe)
    blind = any(e.has(*BLIND_TO_NAN) for e in expressions)
    return Compiled(compiled, count, blind)


def stable(expression: sp.Expr) -> sp.Expr:
    """The same function in a form that keeps its digits, in functions of the table only."""
    memo: dict[sp.Basic, sp.Basic] = {}

    def visit(e: Any) -> Any:
        if e not in memo:
            memo[e] = rewrite(e)
        return memo[e]

    def rewrite(e: Any) -> Any:
        if e in (sp.oo, -sp.oo, sp.nan, sp.zoo) or e.has(sp.I):
            raise UnsupportedFormula(f"{e} is not a finite real number.")
        if isinstance(e, sp.Mul):
            e = _join_factors(e)
        elif isinstance(e, sp.Pow):
            return _power(e, visit)
        elif isinstance(e, sp.Add):
            special_sum = _add(e, visit)
            if special_sum is not None:
                return special_sum
        elif isinstance(e, sp.log):
            return _log(e.args[0], visit)
        elif isinstance(e, sp.LambertW) and len(e.args) == 1:
            split = _positive_times_exp(e.args[0])
            if split is not None:
                return call("wrightomega", visit(split))
        if isinstance(e, sp.Function | sp.Min | sp.Max):
            name = type(e).__name__
            if name.startswith("f_"):
                return e.func(*(visit(a) for a in e.args))
            if isinstance(e, sp.Piecewise):
                return sp.Piecewise(
                    *((visit(value), condition_of(condition)) for value, condition in e.args)
                )
            if name not in _FUNCTIONS:
                raise UnsupportedFormula(
                    f"The function {name} has no numeric counterpart here; "
                    f"available are {', '.join(sorted(_FUNCTIONS))}."
                )
            return call(name, *(visit(a) for a in e.args))
        if not isinstance(e, _ALLOWED):
            raise UnsupportedFormula(f"Cannot evaluate {type(e).__name__} in floats.")
        return e.func(*(visit(a) for a in e.args)) if e.args else e

    def condition_of(c: Any) -> Any:
        if c in (sp.true, sp.false):
            return c
        if isinstance(c, sp.And | sp.Or | sp.Not):
            return c.func(*(condition_of(a) for a in c.args))
        if isinstance(c, sp.core.relational.Relational):
            return c.func(visit(c.lhs), visit(c.rhs), evaluate=False)
        raise UnsupportedFormula(f"Cannot evaluate the condition {c} in floats.")

    return visit(expression)


def _positive_times_exp(e: sp.Expr) -> sp.Expr | None:
    """`w` when `e` is $e^w$ for a real `w`: a positive number times an exponential."""
    number, rest = e.as_coeff_Mul()
    factors = sp.Mul.make_args(rest)
    exps = [f for f in factors if isinstance(f, sp.exp)]
    others = sp.Mul(number, *(f for f in factors if not isinstance(f, sp.exp)))
    if len(exps) != 1 or not others.is_number or others.is_positive is not True:
        return None
    return exps[0].args[0] + sp.log(others)


def _exp_plus_positive(e: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """`(c, w)` when `e` is $c\\,(1 + e^w)$ with a positive number `c`."""
    number, rest = e.as_coeff_Add()
    if number.is_positive is not True:
        return None
    w = _positive_times_exp(rest)
    return None if w is None else (number, w - sp.log(number))


def _power(e: sp.Pow, visit: Callable[[Any], Any]) -> Any:
    base, exponent = e.args
    if exponent.is_negative:
        split = _exp_plus_positive(base)
        if split is not None:
            c, w = split
            return c**exponent * call("expit", visit(-w)) ** (-exponent)
    return sp.Pow(visit(base), visit(exponent))


def _join_factors(e: sp.Expr) -> sp.Expr:
    """Join $e^{kw}/(1 + e^w)^m$ into logistic functions and $\\sinh/\\cosh$ into tanh."""
    factors = list(sp.Mul.make_args(e))
    for i, factor in enumerate(factors):
        if not (isinstance(factor, sp.Pow) and factor.exp.is_Integer and factor.exp < 0):
            continue
        split = _exp_plus_positive(factor.base)
        if split is None:
            continue
        c, w = split
        for j, other in enumerate(factors):
            if not isinstance(other, sp.exp):
                continue
            for k in range(-int(factor.exp), 0, -1):
                rest = sp.expand(other.args[0] - k * w)
                if sp.Add.make_args(rest) == (rest,) and rest.is_number:
                    m = -int(factor.exp)
                    factors[i] = c ** (-m) * sp.exp(rest)
                    factors[j] = call("expit", w) ** k * call("expit", -w) ** (m - k)
                    return _join_factors(sp.Mul(*factors))
    powers = {f.base if isinstance(f, sp.Pow) else f: f for f in factors}
    for base in list(powers):
        if isinstance(base, sp.sinh):
            cosh = sp.cosh(base.args[0])
            p = powers[base].as_base_exp()[1]
            q = powers[cosh].as_base_exp()[1] if cosh in powers else sp.S.Zero
            if p.is_Integer and q.is_Integer and p * q < 0:
                m = min(abs(p), abs(q)) * sp.sign(p)
                return sp.Mul(e, sp.tanh(base.args[0]) ** m, base ** (-m), cosh**m)
    return sp.Mul(*factors)


def _add(e: sp.Add, visit: Callable[[Any], Any]) -> Any:
    number, rest = e.as_coeff_Add()
    if number.is_zero:
        return None
    for term in sp.Add.make_args(rest):
        factor, core = term.as_coeff_Mul()
        if factor in (-number, -2 * number) and core.has(sp.exp):
            sigma = visit(core)
            if type(sigma).__name__ == "f_expit":
                # 1 - sigma(w) = sigma(-w), 1 - 2 sigma(w) = -tanh(w / 2)
                w = sigma.args[0]
                value = call("expit", -w) if factor == -number else -call("tanh", w / 2)
                return number * value + visit(rest - term)
        if factor != -number:
            continue
        base, exponent = core.as_base_exp()
        if isinstance(base, sp.tanh) and exponent == 2:
            return number * call("sech", visit(base.args[0])) ** 2 + visit(rest - term)
        if isinstance(core, sp.exp):
            return number * -call("expm1", visit(core.args[0])) + visit(rest - term)
        if isinstance(core, sp.cosh):
            half = sp.sinh(core.args[0] / 2)
            return -2 * number * visit(half) ** 2 + visit(rest - term)
    return None


def _log(argument: sp.Expr, visit: Callable[[Any], Any]) -> Any:
    if isinstance(argument, sp.Add):
        terms = [_positive_times_exp(t) for t in argument.args]
        # a number c > 0 counts as e^{log c}
        terms = [
            sp.log(t) if w is None and t.is_number and t.is_positive else w
            for t, w in zip(argument.args, terms, strict=True)
        ]
        if all(w is not None for w in terms) and argument.free_symbols:
            return reduce(lambda a, b: call("logaddexp", a, b), [visit(w) for w in terms])
        for term in argument.args:
            # log(e + sqrt(e^2 + c)) = asinh(e / sqrt c) + log(c) / 2 for c > 0
            if isinstance(term, sp.Pow) and term.exp == sp.S.Half:
                e = argument - term
                c = sp.expand(term.base - e**2)
                if c.is_positive:
                    return call("asinh", visit(e / sp.sqrt(c))) + visit(sp.log(c)) / 2
        number, rest = argument.as_coeff_Add()
        if number == -1 and isinstance(rest, sp.exp):
            # log(e^w - 1) = w + log(1 - e^{-w}) neither overflows nor cancels
            w = visit(rest.args[0])
            return w + call("log", -call("expm1", -w))
        if number.is_positive:
            value = call("log1p", visit(rest / number))
            return value if number == 1 else value + visit(sp.log(number))
    return call("log", visit(argument))


def _check_against_mpmath(
    function: Callable[..., Array],
    expression: sp.Expr,
    arguments: Sequence[sp.Symbol],
    points: bool | Sequence[Sequence[float]],
) -> None:
    if points is True:
        sizes = (0.5, 1.75, 3.25, 1e-9, 12.5, 40.0)
        points = [
            [
                size * (-1 if s.is_negative or (not s.is_nonnegative and (i + j) % 2) else 1)
                for j, s in enumerate(arguments)
                for size in [sizes[(i + j) % len(sizes)]]
            ]
            for i in range(2 * len(sizes))
        ]
    reference = sp.lambdify(
        [sp.Dummy() for _ in arguments] if not arguments else list(arguments),
        expression,
        modules="mpmath",
        dummify=True,
    )
    for point in points or ():
        with mpmath.workdps(40):
            try:
                exact = reference(*(mpmath.mpf(float(v)) for v in point))
                exact = mpmath.mpmathify(exact)
            except (ZeroDivisionError, ValueError, OverflowError):
                continue
            if isinstance(exact, mpmath.mpc) or not mpmath.isfinite(exact):
                continue
            value = float(function(*point))
            size = abs(exact)
            if size > 1e300 or 0 < size < 1e-300:
                continue
            if not np.isfinite(value) or abs(mpmath.mpf(value) - exact) > size * mpmath.mpf(1e-10):
                at = ", ".join(f"{s} = {v!r}" for s, v in zip(arguments, point, strict=True))
                raise UnsupportedFormula(
                    f"The formula {expression} loses its digits in floats at {at}: {value!r} "
                    f"instead of {mpmath.nstr(exact, 15)}; write it in a form without cancellation."
                )
