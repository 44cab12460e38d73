r"""Inverse links $h$: the mean $\mu = h(z)$ of a linear predictor $z$, entrywise.

In the language of generalized linear models the link function is $h^{-1}$; this module always
names $h$, the *inverse link*. It is strictly monotone on $\mathbb{R}$, so that a target $y$ in its
range has exactly one predictor $z^* = h^{-1}(y)$.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp
from flint import arb, fmpq

from theory.errors import (
    AssumptionError,
    DomainError,
    FormulaError,
    InfeasibleTarget,
    NotClosedForm,
    TheoryError,
    UnsupportedFormula,
)
from theory.exact.assumptions import declare
from theory.exact.balls import enclose, precision, sign_of_number
from theory.exact.guard import proposal
from theory.exact.inverse import inverse
from theory.exact.parsing import parse
from theory.exact.signs import is_analytic, sign_on
from theory.exact.verdict import Certificate, Status, Verdict

__all__ = [
    "MEAN",
    "NAMES",
    "PREDICTOR",
    "Link",
    "custom",
    "exact_number",
    "exp",
    "identity",
    "logistic",
    "probit",
    "softplus",
    "tanh",
]

PREDICTOR = sp.Symbol("z", real=True)
"""The symbol of the linear predictor."""
MEAN = sp.Symbol("mu", real=True)
"""The symbol of the mean."""
NAMES = ("identity", "logistic", "exp", "softplus", "tanh", "probit")
"""The builders that need no argument."""


@dataclass(frozen=True)
class Link:
    r"""A strictly monotone inverse link $h: \mathbb{R} \to (a, b)$.

    Made by the builders of this module; `custom` takes any formula.

    Parameters
    ----------
    name : str
    formula : sympy.Expr
        $h$ in the symbol `PREDICTOR`.
    lower, upper : sympy.Expr
        The ends $a < b$ of the open range.
    inverse : sympy.Expr or None
        $h^{-1}$ in the symbol `MEAN`; None when no closed form is known.
    slope : sympy.Expr or None
        $h'(h^{-1}(\mu))$ in the symbol `MEAN`, where it is simple.
    monotone : Verdict
        Whether h is strictly monotone.
    regular : Verdict
        Whether $h' \neq 0$ everywhere, which is more: the gradient vanishes at the target only.

    Examples
    --------
    >>> h = logistic()
    >>> h.formula, h.inverse, h.range
    (1/(1 + exp(-z)), log(mu/(1 - mu)), (0, 1))
    >>> h.predictor("1/4")
    -log(3)
    """

    name: str
    formula: sp.Expr
    lower: sp.Expr
    upper: sp.Expr
    inverse: sp.Expr | None
    slope: sp.Expr | None
    monotone: Verdict
    regular: Verdict

    @property
    def range(self) -> tuple[sp.Expr, sp.Expr]:
        """The ends of the open interval that h maps onto."""
        return self.lower, self.upper

    def derivative(self) -> sp.Expr:
        r"""$h'(z)$ in the symbol `PREDICTOR`."""
        return sp.diff(self.formula, PREDICTOR)

    def mean(self, predictor: sp.Expr | float | str) -> sp.Expr:
        r"""$\mu = h(z)$.

        Examples
        --------
        >>> tanh().mean(0)
        0
        """
        return self.formula.subs(PREDICTOR, exact_number(predictor))

    def contains(self, mean: sp.Expr | float | str) -> bool | None:
        """Whether a number is in the open range; None when it cannot be decided.

        Examples
        --------
        >>> logistic().contains(1)
        False
        """
        value = exact_number(mean)
        if value in (sp.oo, -sp.oo, sp.nan):
            return False
        signs = [
            1 if end in (sp.oo, -sp.oo) else _sign_or_zero(direction * (value - end))
            for end, direction in ((self.lower, 1), (self.upper, -1))
        ]
        if any(s is not None and s <= 0 for s in signs):
            return False
        return None if None in signs else True

    def predictor(self, mean: sp.Expr | float | str) -> sp.Expr:
        r"""The only $z$ with $h(z) = \mu$, exactly.

        Raises
        ------
        InfeasibleTarget
            When the mean is outside of the range.
        NotClosedForm
            When no closed form of $h^{-1}$ is known.
        """
        value = exact_number(mean)
        if self.contains(value) is False:
            raise InfeasibleTarget(
                f"Expected a mean in the range ({self.lower}, {self.upper}) of the {self.name} "
                f"link but got {value}; no predictor reaches it."
            )
        if self.inverse is None:
            raise NotClosedForm(
                f"No closed form of the inverse of {self.formula} is known; solve "
                f"{self.formula} = {value} numerically, the solution is unique."
            )
        return self.inverse.subs(MEAN, value)

    def __str__(self) -> str:
        return f"mu = {self.formula}"

    def _repr_latex_(self) -> str:
        return rf"$\mu = {sp.latex(self.formula)}$"


def exact_number(value: sp.Expr | float | str) -> sp.Expr:
    """A number or expression, exactly: a float becomes the rational that it prints as."""
    if isinstance(value, sp.Expr):
        return value.xreplace({f: sp.Rational(str(f)) for f in value.atoms(sp.Float)})
    if isinstance(value, str):
        return parse(value, {})
    try:
        number = float(value)
        if isinstance(value, int):
            return sp.Integer(value)
    except (TypeError, ValueError, OverflowError):
        raise FormulaError(f"Expected a number but got {value!r}.") from None
    if number != number or abs(number) == float("inf"):
        raise DomainError(f"Expected a finite number but got {value!r}.")
    return sp.Rational(repr(number))


def _sign_or_zero(value: sp.Expr) -> int | None:
    if value.is_number:
        return 0 if value.is_zero else sign_of_number(value)
    return sign_on(value)


# -------------------------------------------------------------------------------------------------
# builders
# -------------------------------------------------------------------------------------------------

_z, _mu = PREDICTOR, MEAN


def _known(
    name: str,
    formula: sp.Expr,
    ends: tuple[sp.Expr, sp.Expr],
    inverse_formula: sp.Expr,
    slope: sp.Expr | None,
    reason: str,
) -> Link:
    verdict = Verdict(Status.PROVED, reason)
    return Link(name, formula, *ends, inverse_formula, slope, verdict, verdict)


def identity() -> Link:
    r"""$h(z) = z$."""
    return _known("identity", _z, (-sp.oo, sp.oo), _mu, sp.S.One, "h' = 1")


def logistic() -> Link:
    r"""$h(z) = 1/(1 + e^{-z})$, onto $(0, 1)$."""
    return _known(
        "logistic",
        1 / (1 + sp.exp(-_z)),
        (sp.S.Zero, sp.S.One),
        sp.log(_mu / (1 - _mu)),
        _mu * (1 - _mu),
        "h' = h (1 - h) with h in (0, 1)",
    )


def exp() -> Link:
    r"""$h(z) = e^z$, onto $(0, \infty)$."""
    return _known("exp", sp.exp(_z), (sp.S.Zero, sp.oo), sp.log(_mu), _mu, "h' = exp(z) > 0")


def softplus() -> Link:
    r"""$h(z) = \log(1 + e^z)$, onto $(0, \infty)$."""
    return _known(
        "softplus",
        sp.log(1 + sp.exp(_z)),
        (sp.S.Zero, sp.oo),
        sp.log(sp.exp(_mu) - 1),
        1 - sp.exp(-_mu),
        "h' = 1/(1 + exp(-z)) > 0",
    )


def tanh() -> Link:
    r"""$h(z) = \tanh z$, onto $(-1, 1)$."""
    return _known(
        "tanh",
        sp.tanh(_z),
        (sp.S.NegativeOne, sp.S.One),
        sp.atanh(_mu),
        1 - _mu**2,
        "h' = 1 - h**2 with h in (-1, 1)",
    )


def probit() -> Link:
    r"""$h(z) = \Phi(z)$, the normal distribution function, onto $(0, 1)$."""
    return _known(
        "probit",
        (1 + sp.erf(_z / sp.sqrt(2))) / 2,
        (sp.S.Zero, sp.S.One),
        sp.sqrt(2) * sp.erfinv(2 * _mu - 1),
        None,
        "h' is the normal density, which is positive",
    )


def custom(
    formula: sp.Expr | str,
    *,
    symbol: sp.Symbol | str = "z",
    assume: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Link:
    r"""Any strictly monotone formula as an inverse link.

    Range, inverse and monotonicity are derived from the formula. A formula that is shown not to be
    strictly monotone is refused; where neither can be shown, the verdict `Link.monotone` says so.

    Parameters
    ----------
    formula : sympy.Expr or str
        $h$ in one real variable; it must be defined on all of $\mathbb{R}$.
    symbol : sympy.Symbol or str, optional
        The variable in `formula`.
    assume : mapping from name to str, optional
        For a string: the constants with their assumptions, such as ``{"b": "positive"}``.
    name : str, optional

    Raises
    ------
    DomainError
        When the formula is not strictly monotone, or not defined somewhere; with a witness.
    AssumptionError
        When it contains a constant that is not declared real.

    Examples
    --------
    >>> h = custom("z + sqrt(1 + z**2)")
    >>> h.range, h.inverse, h.monotone.status
    ((0, oo), (mu**2 - 1)/(2*mu), <Status.PROVED: 'PROVED'>)
    >>> custom("z**2")
    Traceback (most recent call last):
    theory.errors.DomainError: Expected a strictly monotone inverse link but got z**2: ...
    """
    h = _formula_of(formula, symbol, assume)
    increasing, monotone, regular = _monotonicity(h)
    lower, upper = (_end(h, side) for side in ((-1, 1) if increasing else (1, -1)))
    if sign_of_number(upper - lower) == -1 if (upper - lower).is_number else False:
        raise DomainError(f"The limits {lower} and {upper} of {h} contradict its monotonicity.")
    return Link(
        name or sp.sstr(h),
        h,
        lower,
        upper,
        _inverse_of(h, lower, upper),
        None,
        monotone,
        regular,
    )


# -------------------------------------------------------------------------------------------------
# what is derived from a formula
# -------------------------------------------------------------------------------------------------


def _formula_of(
    formula: sp.Expr | str, symbol: sp.Symbol | str, assume: Mapping[str, str] | None
) -> sp.Expr:
    if isinstance(formula, str):
        names = {str(symbol): _z}
        for key, words in (assume or {}).items():
            constant, interval = declare(key, words)
            if interval is not None:
                raise AssumptionError(
                    f"Constants of a link take words such as 'positive' but {key} got {words!r}."
                )
            names[key] = constant
        h = parse(formula, names)
    elif isinstance(formula, sp.Expr):
        chosen = [s for s in formula.free_symbols if s == symbol or s.name == str(symbol)]
        h = exact_number(formula).xreplace(dict.fromkeys(chosen, _z))
    else:
        raise FormulaError(f"Expected a SymPy expression or a string but got {formula!r}.")
    if _z not in h.free_symbols:
        raise FormulaError(f"The inverse link {h} does not contain the variable {symbol}.")
    for constant in h.free_symbols:
        if constant.is_real is not True:
            raise AssumptionError(
                f"Cannot decide whether the constant {constant} is real; declare it, for example "
                f"with sp.Symbol('{constant}', positive=True)."
            )
    return h


_SAMPLES = tuple(
    sp.Rational(n, d)
    for n, d in (
        (-1000, 1), (-101, 2), (-29, 3), (-5, 1), (-2, 1), (-1, 1), (-5, 7), (-1, 3), (-1, 50),
        (0, 1), (1, 40), (2, 7), (3, 4), (1, 1), (2, 1), (14, 3), (11, 1), (61, 1), (1001, 1),
    )
)  # fmt: skip


def _monotonicity(h: sp.Expr) -> tuple[bool, Verdict, Verdict]:
    """Whether h increases, whether it is strictly monotone, and whether h' has no zero."""
    constants = {
        s: sp.Rational(-3, 2) if s.is_negative else sp.Rational(3, 2) for s in h.free_symbols - {_z}
    }
    direction = _refute_monotone(h, constants)
    slope = sp.diff(h, _z)
    smooth = is_analytic(h, meromorphic=False)
    sign = sign_on(slope) if smooth else None
    if sign is not None:
        argument = f"h is analytic on R and h' = {slope} has one sign"
        verdict = Verdict(Status.PROVED, argument)
        return sign > 0, verdict, verdict
    structural = _direction(h)
    if structural is not None:
        monotone = Verdict(Status.PROVED, "h is composed of strictly monotone functions")
    elif smooth and (_nonnegative(slope) or _nonnegative(-slope)):
        structural = 1 if _nonnegative(slope) else -1
        monotone = Verdict(
            Status.PROVED, "h' keeps its sign, and its zeros are isolated as h is analytic"
        )
    else:
        tried = f"the sign of h' = {slope} on R; {len(_SAMPLES)} exact values are in order"
        monotone = Verdict(Status.UNDECIDED, tried)
    regular = _regularity(slope, smooth)
    increasing = structural > 0 if structural is not None else direction > 0
    return increasing, monotone, regular


def _regularity(slope: sp.Expr, smooth: bool) -> Verdict:
    """Whether h' has no zero, when its strict sign is not known."""
    if not smooth:
        return Verdict(Status.UNDECIDED, "h may have kinks")
    for point in _SAMPLES:
        if slope.subs(_z, point).is_zero:
            return Verdict(Status.REFUTED, "h' vanishes", witness={"z": str(point)})
    if sign_on(_without_bounded_terms(slope)) == 1 or sign_on(_without_bounded_terms(-slope)) == 1:
        return Verdict(Status.PROVED, "h' is bounded away from zero")
    return Verdict(Status.UNDECIDED, f"the strict sign of h' = {slope} on R")


def _refute_monotone(h: sp.Expr, constants: Mapping[sp.Symbol, sp.Expr]) -> int:
    """The direction in which the exact values at the samples are ordered."""
    values = []
    for point in _SAMPLES:
        value = h.xreplace(dict(constants)).subs(_z, point)
        try:
            with precision(256):
                defined = not value.has(sp.zoo, sp.nan, sp.oo, sp.I)
                defined = defined and enclose(value, {}).is_finite()
        except UnsupportedFormula as error:
            raise FormulaError(f"Cannot evaluate the inverse link {h}: {error}") from None
        if not defined:
            raise DomainError(
                f"Expected an inverse link that is defined on all of R but {h} is not real and "
                f"finite at z = {point}."
            )
        values.append(value)
    direction = 0
    for i in range(len(values) - 1):
        step = values[i + 1] - values[i]
        sign = 0 if step == 0 else sign_of_number(step)
        if sign is None:
            continue
        if sign == 0 or sign * direction < 0:
            a, b = _SAMPLES[i], _SAMPLES[i + 1]
            how = "the values there are equal" if sign == 0 else "elsewhere it goes the other way"
            raise DomainError(
                f"Expected a strictly monotone inverse link but got {h}: between z = {a} and "
                f"z = {b} {how}."
            )
        direction = sign
    return direction


_INCREASING = (sp.exp, sp.sinh, sp.tanh, sp.asinh, sp.atan, sp.erf, sp.erfi)


def _direction(e: sp.Expr) -> int | None:
    """+1 or -1 for a composition of functions that increase or decrease strictly on R."""
    if e == _z:
        return 1
    if isinstance(e, sp.Add):
        return _common([_direction(a) for a in e.args if a.has(_z)])
    if isinstance(e, (sp.Max, sp.Min)):
        return _common([_direction(a) for a in e.args])
    if isinstance(e, sp.Mul):
        factor, rest = e.as_independent(_z)
        inner = _direction(rest) if not isinstance(rest, sp.Mul) else None
        sign = sign_on(factor)
        return None if inner is None or sign is None else sign * inner
    if isinstance(e, sp.Pow) and not e.exp.has(_z):
        inner = _direction(e.base)
        if inner is None:
            return None
        if e.exp.is_Integer and e.exp.is_odd and e.exp > 0:
            return inner
        order = sign_on(e.exp)
        return inner * order if order is not None and sign_on(e.base) == 1 else None
    if isinstance(e, _INCREASING):
        return _direction(e.args[0])
    if isinstance(e, sp.erfc):
        inner = _direction(e.args[0])
        return None if inner is None else -inner
    if isinstance(e, sp.log) and sign_on(e.args[0]) == 1:
        return _direction(e.args[0])
    return None


def _common(directions: list[int | None]) -> int | None:
    return directions[0] if directions and len(set(directions)) == 1 else None


def _without_bounded_terms(e: sp.Expr) -> sp.Expr:
    """A lower bound: each term a*sin, a*cos, a*tanh, a*erf becomes -|a|."""
    bound = []
    for term in sp.Add.make_args(e):
        factor, rest = term.as_independent(_z)
        bounded = isinstance(rest, (sp.sin, sp.cos, sp.tanh, sp.erf)) and factor.is_number
        bound.append(-abs(factor) if bounded else term)
    return sp.Add(*bound)


def _nonnegative(e: sp.Expr) -> bool:
    """Whether e >= 0 on R, by a sufficient test."""
    lower = _without_bounded_terms(e)
    if lower == 0 or sign_on(lower) == 1:
        return True
    factors = sp.Mul.make_args(sp.factor_terms(e))
    rest = [
        f
        for f in factors
        if not (isinstance(f, sp.Pow) and f.exp.is_Integer and f.exp > 0 and f.exp.is_even)
    ]
    return len(rest) < len(factors) and sign_on(sp.Mul(*rest)) == 1


def _end(h: sp.Expr, side: int) -> sp.Expr:
    """The limit of h at +oo or -oo, where SymPy's answer agrees with ball values far out."""
    limit = proposal(sp.limit, h, _z, side * sp.oo)
    where = "+oo" if side > 0 else "-oo"
    if limit is None or limit.has(sp.Limit, sp.nan, sp.zoo, sp.AccumBounds, _z):
        raise DomainError(f"Cannot find the limit of {h} as z tends to {where}.")
    if h.free_symbols == {_z} and not _agrees(h, limit, side):
        raise DomainError(
            f"The limit {limit} of {h} as z tends to {where} does not agree with its values."
        )
    return limit


def _agrees(h: sp.Expr, limit: sp.Expr, side: int) -> bool:
    with precision(4096):
        near, far = (enclose(h, {_z: side * arb(10) ** k}) for k in (2, 12))
        if not (near.is_finite() and far.is_finite()):
            return False
        if limit in (sp.oo, -sp.oo):
            sign = 1 if limit is sp.oo else -1
            return bool(sign * far > 10 and sign * far > sign * near)
        gap = abs(far - enclose(limit, {}))
        return bool(gap < arb(10) ** -4 * (1 + abs(far)))


def _inverse_of(h: sp.Expr, lower: sp.Expr, upper: sp.Expr) -> sp.Expr | None:
    """The inverse in the symbol MEAN, when a proved closed form is found."""
    if lower == 0 and upper is sp.oo:
        image = sp.Dummy("mu", positive=True)
        ranges = {}
    else:
        image = sp.Dummy("mu", real=True)
        ranges = {} if (lower, upper) == (-sp.oo, sp.oo) else {image: (lower, upper)}
    try:
        found = inverse(h, _z, image, ranges=ranges)
    except (TheoryError, ArithmeticError):
        return None
    if found is None:
        return None
    answer = found.expression.xreplace({image: _mu})
    return answer if _inverts(h, answer) else None


def _inverts(h: sp.Expr, answer: sp.Expr) -> bool:
    """Whether the inverse is real, and right, at both sides of the axis as well."""
    if answer.free_symbols != {_mu} or h.free_symbols != {_z}:
        return True
    with precision(512):
        for point in _SAMPLES[3:-3]:
            mean = enclose(h, {_z: arb(fmpq(point.p, point.q))})
            back = enclose(answer, {_mu: mean})
            if not (back.is_finite() and back.contains(fmpq(point.p, point.q))):
                return False
    return True


def certificate(link: Link) -> Certificate:
    """The certificate that a link is strictly monotone."""
    return Certificate(f"h(z) = {link.formula} is strictly monotone", link.monotone, link.name)


BUILDERS: Mapping[str, Callable[[], Link]] = {
    "identity": identity,
    "logistic": logistic,
    "exp": exp,
    "softplus": softplus,
    "tanh": tanh,
    "probit": probit,
}
"""The links without arguments, by name."""
