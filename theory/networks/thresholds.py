r"""The thresholds of $\tfrac12(a - s)^2 + \lambda L a^{2/L}$: from when on a mode is nonzero.

With $a = x^L$ the critical points of one mode are $x = 0$ and the roots of
$g(x) = x^{2L-2} - s x^{L-2} + 2\lambda$.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.exact.verdict import Certificate
from theory.networks.arguments import Depth, read_decay, read_depth
from theory.networks.certify import certify_zero

__all__ = ["Thresholds", "thresholds"]

_LARGEST_DISCRIMINANT = 6
_ABOVE = sp.Dummy("p", positive=True)


@dataclass(frozen=True)
class Thresholds:
    r"""The two thresholds on a singular value s of the target.

    Parameters
    ----------
    depth : int or sympy.Symbol
    lam : sympy.Expr
    critical : sympy.Expr
        $s_c$: above it the mode has a nonzero local minimum.
    optimal : sympy.Expr
        $s_g$: above it that minimum is better than zero.
    double_root : sympy.Expr
        The x at which both nonzero critical points are born, at $s = s_c$.
    switch : sympy.Expr
        The x of the nonzero minimum at $s = s_g$, where it is as good as zero.
    """

    depth: Depth
    lam: sp.Expr
    critical: sp.Expr
    optimal: sp.Expr
    double_root: sp.Expr
    switch: sp.Expr

    @property
    def ratio(self) -> sp.Expr:
        r"""$s_c/s_g = 2L^{-L/(2L-2)}$, whatever the decay."""
        L = sp.sympify(self.depth, strict=True)
        return 2 * L ** (-L / (2 * L - 2))

    @property
    def conditions(self) -> tuple[str, ...]:
        """What the formulas assume beyond positive symbols."""
        return (f"{self.depth} > 2",) if isinstance(self.depth, sp.Symbol) else ()

    @cached_property
    def derivation(self) -> Derivation:
        """The steps from the critical equation to both thresholds."""
        return numbered(f"Thresholds of a mode at depth {self.depth}", _steps(self))

    @property
    def identities_proved(self) -> bool:
        """Whether every step with an identity is proved."""
        return self.derivation.identities_proved

    def __str__(self) -> str:
        return f"s_c = {self.critical}, s_g = {self.optimal}"

    def _repr_latex_(self) -> str:
        return f"$s_c = {latex_of(self.critical)},\\quad s_g = {latex_of(self.optimal)}$"


def thresholds(depth: Any = "L", lam: Any = "lam") -> Thresholds:
    r"""Thresholds of $\tfrac12\|A - M\|_F^2 + \lambda\|\theta\|^2$ on a singular value of M.

    $$s_c = \frac{(2L-2)(2\lambda)^{L/(2L-2)}}{(L-2)^{(L-2)/(2L-2)}L^{L/(2L-2)}},\qquad
      s_g = \frac{(L-1)(2\lambda)^{L/(2L-2)}}{(L-2)^{(L-2)/(2L-2)}}.$$

    For L = 2 both are $2\lambda$: the soft threshold of the nuclear norm.

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        The number L >= 2 of matrices; a symbol stands for every depth above 2.
    lam : number, sympy.Expr or str
        The coefficient $\lambda\ge0$ of the squared norm of all parameters; for the convention
        $\frac\lambda2\|\theta\|^2$ give half of it.

    Raises
    ------
    AssumptionError
        For a depth below 2 or a negative decay.

    Examples
    --------
    >>> thresholds(2).critical
    2*lam
    >>> t = thresholds(3, sp.Rational(1, 10))
    >>> t.critical.evalf(6), t.optimal.evalf(6)
    (0.524797, 0.598140)
    >>> thresholds().identities_proved
    True

    References
    ----------
    The local minima that they separate: A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel,
    arXiv:2106.15933. The closed forms and their derivation are ours.
    """
    L = read_depth(depth)
    decay = read_decay(lam)
    if L == 2:
        return Thresholds(2, decay, 2 * decay, 2 * decay, sp.S.Zero, sp.S.Zero)
    if decay == 0:
        return Thresholds(L, decay, *(sp.S.Zero,) * 4)
    p, back = _excess(L)
    double = (2 * decay * p / (p + 2)) ** (1 / (2 * p + 2))
    switch = (2 * decay * p) ** (1 / (2 * p + 2))
    critical = double ** (p + 2) * (2 * p + 2) / p
    optimal = switch ** (p + 2) * (p + 1) / p
    found = (sp.expand_power_base(e).xreplace(back) for e in (critical, optimal, double, switch))
    return Thresholds(L, decay, *found)


def _excess(L: Depth) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """L - 2 as a positive symbol, which SymPy's powers need, and the way back; or the number."""
    if isinstance(L, int):
        return sp.Integer(L - 2), {}
    return _ABOVE, {_ABOVE: L - 2}


def _steps(t: Thresholds) -> Iterator[RawStep]:
    x, s = sp.symbols("x s", positive=True)
    L = sp.sympify(t.depth, strict=True)
    g = x ** (2 * L - 2) - s * x ** (L - 2) + 2 * t.lam
    p, _ = _excess(t.depth)
    q = p + 2
    decay = sp.Dummy("lam", positive=True)
    general = (x**q - s) ** 2 / 2 + decay * q * x**2
    equation = x ** (2 * q - 2) - s * x ** (q - 2) + 2 * decay
    yield (
        "Critical equation",
        [sp.Eq(sp.Symbol("g"), g, evaluate=False)],
        "d/dx of (x**L - s)**2/2 + lam*L*x**2 is L*x*g(x), so that x = 0 or g(x) = 0",
        certify_zero("phi' = L x g", sp.diff(general, x) - q * x * equation),
    )
    if t.depth == 2:
        yield (
            "Soft threshold",
            [sp.Eq(x**2, s - 2 * t.lam, evaluate=False)],
            "g(x) = 0 has a positive root for s > 2*lam only, and there it is the minimum",
            certify_zero("g(sqrt(s - 2 lam)) = 0", (equation - (x**2 - (s - 2 * decay)))),
        )
        return
    if t.lam == 0:
        yield "No decay", ["s_c = s_g = 0"], "g(x) = x**(L-2)*(x**L - s)", None
        return
    # both equations are linear in s and lam: the whole curve of double roots, by its x
    born = {s: x**q * (2 * q - 2) / p, decay: x ** (2 * q - 2) * q / p / 2}
    yield (
        "Double root",
        [
            sp.Eq(s, x**L * (2 * L - 2) / (L - 2), evaluate=False),
            sp.Eq(sp.Symbol("lam"), x ** (2 * L - 2) * L / (2 * (L - 2)), evaluate=False),
        ],
        "g = g' = 0 solved for s and lam; g falls and then rises, and it falls with s, so that it "
        "has two positive roots above this s and none below",
        certify_zero(
            "g = g' = 0",
            equation.xreplace(born),
            sp.diff(equation, x).xreplace(born),
        ),
    )
    yield (
        "Threshold of local minima",
        [sp.Eq(sp.Symbol("s_c"), t.critical, evaluate=False)],
        "x eliminated from the two equations",
        _same_power(
            "the closed form of s_c",
            t.critical,
            lambda q, lam: (
                (2 * q - 2)
                * (2 * lam) ** (q / (2 * q - 2))
                / ((q - 2) ** ((q - 2) / (2 * q - 2)) * q ** (q / (2 * q - 2)))
            ),
            (t.depth, t.lam),
            (born[s], born[decay]),
        ),
    )
    if isinstance(t.depth, int) and t.depth <= _LARGEST_DISCRIMINANT:
        discriminant = sp.discriminant(sp.Poly(g, x))
        yield (
            "Discriminant",
            [f"the discriminant of g in x vanishes at s_c = {t.critical}"],
            "a second route: elimination by the resultant of g and g'",
            certify_zero("disc(g) = 0", discriminant.xreplace({s: t.critical})),
        )
    even = {s: x**q * (q - 1) / p, decay: x ** (2 * q - 2) / p / 2}
    zero = general - s**2 / 2
    yield (
        "Equal values",
        [
            sp.Eq(s, x**L * (L - 1) / (L - 2), evaluate=False),
            sp.Eq(sp.Symbol("lam"), x ** (2 * L - 2) / (2 * (L - 2)), evaluate=False),
        ],
        "g = 0 and the value of the mode is s**2/2, its value at x = 0; above this s the nonzero "
        "minimum is lower, as its value grows with s at the rate s - a and that of zero at s",
        certify_zero("g = 0 and phi(x) = phi(0)", equation.xreplace(even), zero.xreplace(even)),
    )
    yield (
        "Threshold of the global minimum",
        [
            sp.Eq(sp.Symbol("s_g"), t.optimal, evaluate=False),
            sp.Eq(sp.Symbol("a"), s * (L - 2) / (L - 1), evaluate=False),
            f"s_c/s_g = {t.ratio}",
        ],
        "x eliminated from the two equations; a = x**L is where the minimum jumps to",
        _same_power(
            "the closed form of s_g",
            t.optimal,
            lambda q, lam: (
                (q - 1) * (2 * lam) ** (q / (2 * q - 2)) / (q - 2) ** ((q - 2) / (2 * q - 2))
            ),
            (t.depth, t.lam),
            (even[s], even[decay]),
        ),
    )


def _same_power(
    claim: str,
    found: sp.Expr,
    power: Callable[[sp.Expr, sp.Expr], sp.Expr],
    given: tuple[Depth, sp.Expr],
    curve: tuple[sp.Expr, sp.Expr],
) -> Certificate:
    """A positive power of the decay is s on the curve, and it is what was found; by logarithms."""
    s, decay = curve
    depth, lam = given
    p, _ = _excess(depth)
    renamed = {depth: p + 2} if isinstance(depth, sp.Symbol) else {}
    positive = {f: sp.Dummy(f.name, positive=True) for f in lam.free_symbols if not f.is_positive}
    quotients = (
        power(p + 2, decay) / s,
        (found / power(p + 2, lam)).xreplace(renamed | positive),
    )
    return certify_zero(claim, *(sp.expand_log(sp.log(e)) for e in quotients))
