r"""How long a balanced mode takes: $t = F(x) - F(x_0)$ with $F' = 1/(x^{L-1}(s - x^L))$.

Integer depths go through the certified antiderivative. For every depth the geometric series gives
a hypergeometric function, whose derivative is checked coefficient by coefficient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, DomainError
from theory.exact.antiderivative import antiderivative
from theory.exact.balls import sign_of_number
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.exact.verdict import Certificate
from theory.networks.arguments import (
    Depth,
    above_two,
    fresh_symbol,
    read_decay,
    read_depth,
    read_positive,
)
from theory.networks.certify import certify_zero

__all__ = ["ModeTime", "mode_time"]

# depths whose roots of unity are made of square roots, which rational integration needs
_ELEMENTARY = (3, 4, 6, 8)
_SECONDS = 4.0


@dataclass(frozen=True)
class ModeTime:
    r"""The time of a mode as a function of $x = a^{1/L}$.

    Parameters
    ----------
    depth : int or sympy.Symbol
    s : sympy.Expr
    above : bool
        Whether the mode comes down to s from above.
    x : sympy.Symbol
    expression : sympy.Expr
        F, up to a constant.
    certificates : tuple of Certificate
        That its derivative is $1/\dot x$.
    elementary : bool
        Whether F is a sum of powers, logarithms and arctangents.
    """

    depth: Depth
    s: sp.Expr
    above: bool
    x: sp.Symbol
    expression: sp.Expr
    certificates: tuple[Certificate, ...]
    elementary: bool

    @property
    def proved(self) -> bool:
        """Whether the derivative is proved."""
        return all(c.proved for c in self.certificates)

    @property
    def conditions(self) -> tuple[str, ...]:
        """What the formula assumes beyond positive symbols."""
        return (f"{self.depth} > 2",) if isinstance(self.depth, sp.Symbol) else ()

    def between(self, start: Any, end: Any) -> sp.Expr:
        r"""The time from the singular value $a = $ start to end.

        Raises
        ------
        DomainError
            For numbers on different sides of s.

        Examples
        --------
        >>> mode_time(2, 1).between(0.25, 0.75).evalf(6)
        1.09861
        """
        L = sp.sympify(self.depth, strict=True)
        values = []
        for name, given in (("start", start), ("end", end)):
            a = read_positive(given, name)
            gap = a - self.s
            if gap.is_number and sign_of_number(gap if self.above else -gap) != 1:
                side = "above" if self.above else "below"
                raise DomainError(
                    f"Expected {name} {side} s = {self.s} but got {given!r}; a mode does not cross "
                    f"s, and above=True is for those that come down to it."
                )
            values.append(self.expression.xreplace({self.x: a ** (1 / L)}))
        return values[1] - values[0]

    @property
    def escape(self) -> sp.Expr:
        r"""The leading term of the time for a small x at the start: $x^{2-L}/((L-2)s)$ above L = 2.

        Raises
        ------
        DomainError
            For L <= 2 or s = 0, where the time is logarithmic, or there is no escape.
        """
        if (isinstance(self.depth, int) and self.depth <= 2) or self.s == 0:
            raise DomainError("The escape time is a power for depths above 2 and s > 0 only.")
        L = sp.sympify(self.depth, strict=True)
        return self.x ** (2 - L) / ((L - 2) * self.s)

    @cached_property
    def derivation(self) -> Derivation:
        """The integration, and its check by differentiation."""
        return numbered(f"Time of a mode at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return f"t = F({self.x}) - F({self.x}_0), F = {self.expression}"

    def _repr_latex_(self) -> str:
        return f"$F = {latex_of(self.expression)}$"


def mode_time(
    depth: Any = "L", s: Any = "s", *, above: bool = False, elementary: bool = True
) -> ModeTime:
    r"""The time that a balanced mode takes, $t = F(x) - F(x_0)$ with $x = a^{1/L}$.

    $$F(x) = -\frac{x^{2-L}}{(L-2)s}\,{}_2F_1\Big(1, -\tfrac{L-2}L; \tfrac2L; \tfrac{x^L}s\Big)
      \quad(x^L < s),\qquad
      F(x) = \frac{x^{2-2L}}{2L-2}\,{}_2F_1\Big(1, \tfrac{2L-2}L; \tfrac{3L-2}L; \tfrac s{x^L}\Big)
      \quad(x^L > s).$$

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        L >= 1; a symbol stands for every depth above 2.
    s : number, sympy.Expr or str
        The singular value of the target.
    above : bool
        Whether the mode starts above s.
    elementary : bool
        Whether to look for an elementary F for depths 3, 4, 6 and 8.

    Examples
    --------
    >>> mode_time(4).expression
    -1/(2*s*x**2) - log(sqrt(s) - x**2)/(4*s**(3/2)) + log(sqrt(s) + x**2)/(4*s**(3/2))
    >>> mode_time().expression
    -x**(2 - L)*hyper((1, -1 + 2/L), (2/L,), x**L/s)/(s*(L - 2))

    References
    ----------
    Two layers: A. Saxe, J. McClelland, S. Ganguli, arXiv:1312.6120. The other formulas are ours.
    """
    L = read_depth(depth, least=1)
    target = read_decay(s, "s")
    x = fresh_symbol("x", L, target, positive=True)
    if target == 0:
        n = sp.sympify(L, strict=True)
        power = x ** (2 - 2 * n) / (2 * n - 2) if L != 1 else -sp.log(x)
        slope = sp.diff(power, x) + x ** (1 - 2 * n)
        proof = certify_zero("F' = 1/x'", slope, ranges=above_two(L))
        return ModeTime(L, target, True, x, power, (proof,), True)
    if target.is_positive is not True:
        raise AssumptionError(f"Expected s > 0 or s = 0 but got s = {s!r}.")
    if isinstance(L, int) and (L <= 2 or (elementary and L in _ELEMENTARY)):
        found = _elementary(L, x, above)
        if found is not None:
            F, certificate = found
            # r stands for the L-th root of s
            F = F.xreplace({_ROOT: target ** sp.Rational(1, L)})
            return ModeTime(L, target, above, x, F, (certificate,), True)
    return _hypergeometric(L, target, x, above)


_ROOT = sp.Dummy("r", positive=True)


def _elementary(L: int, x: sp.Symbol, above: bool) -> tuple[sp.Expr, Certificate] | None:
    range_ = (_ROOT, sp.oo) if above else (sp.S.Zero, _ROOT)
    # the other symbols are taken at 5/7, 1 and so on, where logarithms are made real
    found = antiderivative(
        1 / (x ** (L - 1) * (_ROOT**L - x**L)),
        x,
        reference=sp.Integer(9) if above else sp.Rational(1, 9),
        ranges={x: range_},
        seconds=_SECONDS,
        own_rules=True,
    )
    return None if found is None else (found.expression, found.certificate)


def _hypergeometric(L: Depth, s: sp.Expr, x: sp.Symbol, above: bool) -> ModeTime:
    n = sp.sympify(L, strict=True)
    if above:
        z, b = s / x**n, (2 * n - 2) / n
        front = x ** (2 - 2 * n) / (2 * n - 2)
    else:
        z, b = x**n / s, sp.expand((2 - n) / n)
        front = -(x ** (2 - n)) / ((n - 2) * s)
    F = front * sp.hyper([sp.S.One, sp.expand(b)], [sp.expand(b + 1)], z)
    # H = 2F1(1, b; b + 1; z) = sum b/(b + k) z^k, hence z H' = b (1/(1 - z) - H)
    k = sp.Dummy("k", integer=True, nonnegative=True)
    H = sp.Dummy("H", real=True)
    q = sp.Dummy("b", positive=True)
    term = q / (q + k)
    coefficients = certify_zero(
        "the coefficients of the series are b/(b + k)",
        term.xreplace({k: sp.S.Zero}) - 1,
        term.xreplace({k: k + 1}) / term - (q + k) / (q + k + 1),
    )
    slope = b * (1 / (1 - z) - H) / z
    change = sp.diff(front, x) * H + front * slope * sp.diff(z, x)
    ranges = above_two(L)
    derivative = certify_zero("F' = 1/x'", change - 1 / (x ** (n - 1) * (s - x**n)), ranges=ranges)
    return ModeTime(L, s, above, x, F, (coefficients, derivative), False)


def _steps(time: ModeTime) -> Iterator[RawStep]:
    L, x = sp.sympify(time.depth, strict=True), time.x
    integrand = 1 / (x ** (L - 1) * (time.s - x**L))
    yield (
        "Separation of variables",
        [sp.Eq(sp.Symbol("dt/dx"), integrand, evaluate=False)],
        "x' = x**(L-1)*(s - x**L) keeps its sign on either side of x**L = s",
        None,
    )
    if not time.elementary:
        yield (
            "Series",
            ["2F1(1, b; b + 1; z) = sum_k b/(b + k)*z**k, z*H' = b*(1/(1 - z) - H)"],
            "the geometric series of 1/(1 - z), "
            + ("z = s/x**L" if time.above else "z = x**L/s")
            + ", integrated term by term; quotients of successive coefficients",
            time.certificates[0],
        )
    yield (
        "Time",
        [sp.Eq(sp.Symbol("F"), time.expression, evaluate=False)],
        "its derivative is the integrand",
        time.certificates[-1],
    )
