r"""Leaving the saddle at the origin: $\dot r = L s^* r^{L-1}$ with $s^* = L^{-L/2}s_1$ at best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.errors import DomainError, ShapeError
from theory.exact.antiderivative import antiderivative
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.markup import latex_of
from theory.networks.arguments import (
    Depth,
    above_two,
    fresh_symbol,
    read_depth,
    read_hidden,
    read_matrix,
    read_positive,
)
from theory.networks.certify import certify_zero, means_step

__all__ = ["OriginEscape", "escape_direction", "origin_escape"]


@dataclass(frozen=True)
class OriginEscape:
    r"""The fastest way out of the origin of $C(W_L\cdots W_1)$.

    Parameters
    ----------
    depth : int or sympy.Symbol
    s1 : sympy.Expr
        The largest singular value of $\nabla C(0)$.
    r0 : sympy.Expr
        The norm of all parameters at the start.
    t : sympy.Symbol
    """

    depth: Depth
    s1: sp.Expr
    r0: sp.Expr
    t: sp.Symbol

    @property
    def speed(self) -> sp.Expr:
        r"""$s^* = L^{-L/2}s_1$, the largest decrease of the leading term on the unit sphere."""
        L = sp.sympify(self.depth, strict=True)
        return self.s1 * L ** (-L / 2)

    @property
    def radius(self) -> sp.Expr:
        r"""$r(t)$ along the fastest ray, a bound of $\|\theta(t)\|$ for all starts of norm r_0.

        Both to leading order in $\theta$: for the flow of the term of degree L.
        """
        L = sp.sympify(self.depth, strict=True)
        if self.depth == 2:
            return self.r0 * sp.exp(self.s1 * self.t)
        return self.inside ** (-1 / (L - 2))

    @property
    def inside(self) -> sp.Expr:
        r"""$r^{2-L}$, which falls linearly to zero."""
        L = sp.sympify(self.depth, strict=True)
        return self.r0 ** (2 - L) - L * (L - 2) * self.speed * self.t

    @property
    def time(self) -> sp.Expr:
        r"""$t^* = r_0^{2-L}/(L(L-2)s^*)$, before which no start of norm r_0 has left.

        Raises
        ------
        DomainError
            For two layers, whose exponential growth has no such time.
        """
        if self.depth == 2:
            raise DomainError("Two layers grow like exp(s_1 t), which has no escape time.")
        L = sp.sympify(self.depth, strict=True)
        return sp.powsimp(self.r0 ** (2 - L) / (L * (L - 2) * self.speed))

    @property
    def conditions(self) -> tuple[str, ...]:
        """What the formulas assume beyond positive symbols."""
        return (f"{self.depth} > 2",) if isinstance(self.depth, sp.Symbol) else ()

    @cached_property
    def derivation(self) -> Derivation:
        """The bound of the leading term, its maximizer, and the time along it."""
        return numbered(f"Escape from the origin at depth {self.depth}", _steps(self))

    def __str__(self) -> str:
        return f"s* = {self.speed}, r({self.t}) = {self.radius}"

    def _repr_latex_(self) -> str:
        return rf"$s^* = {latex_of(self.speed)},\quad r = {latex_of(self.radius)}$"


def origin_escape(depth: Any = "L", s1: Any = "s_1", r0: Any = "r_0") -> OriginEscape:
    r"""The escape of gradient flow from the saddle at zero parameters.

    $$s^* = L^{-L/2}s_1,\quad r(t) = \big(r_0^{2-L} - L(L-2)s^*t\big)^{-1/(L-2)},\quad
      t^* = \frac{r_0^{2-L}}{L(L-2)s^*},$$

    and $r = r_0e^{s_1t}$ for L = 2. The direction is of rank one and balanced, see
    `escape_direction`.

    Parameters
    ----------
    depth : int or sympy.Symbol or str
        L >= 2; a symbol stands for every depth above 2.
    s1 : number, sympy.Expr or str
        The largest singular value of the gradient at A = 0.
    r0 : number, sympy.Expr or str
        The norm of the start.

    Examples
    --------
    >>> origin_escape(2).radius
    r_0*exp(s_1*t)
    >>> origin_escape(3, 4, sp.Rational(1, 10)).time.evalf(6)
    4.33013
    >>> origin_escape().derivation.identities_proved
    True

    References
    ----------
    A. Jacot, F. Ged, B. Simsek, C. Hongler, F. Gabriel, arXiv:2106.15933, for the escape along rank
    one. The constants are derived here.
    """
    L = read_depth(depth)
    top, start = read_positive(s1, "s1"), read_positive(r0, "r0")
    return OriginEscape(L, top, start, fresh_symbol("t", L, top, start, positive=True))


def escape_direction(
    gradient: ArrayLike, depth: int, *, widths: Sequence[int] | int = 1
) -> tuple[NDArray[np.float64], ...]:
    r"""Layers $W_1, \ldots, W_L$ of unit norm in all along which the loss falls fastest from 0.

    Parameters
    ----------
    gradient : array of shape (m, n)
        $\nabla C(0)$; when its largest singular value is repeated, one of several directions.
    depth : int
        L >= 2.
    widths : int or sequence of L - 1 ints
        The hidden widths; one unit of each is used.

    Returns
    -------
    tuple of arrays
        Each of Frobenius norm $1/\sqrt L$ and rank one, with product
        $-L^{-L/2}u_1v_1^T$.

    Examples
    --------
    >>> W1, W2 = escape_direction([[3.0, 0.0], [0.0, 1.0]], 2)
    >>> (W2 @ W1).round(6) + 0.0
    array([[-0.5,  0. ],
           [ 0. ,  0. ]])
    """
    G = read_matrix(gradient, "gradient")
    if not G.any():
        raise DomainError("The gradient is zero: the origin has no direction of first escape.")
    L = read_depth(depth)
    if not isinstance(L, int):
        raise ShapeError("Expected an integer depth for the layers of a direction.")
    n = [G.shape[1], *read_hidden(widths, L), G.shape[0]]
    U, _, Vt = np.linalg.svd(G)
    ends = [Vt[0], *(np.eye(w)[0] for w in n[1:-1]), -U[:, 0]]
    return tuple(np.outer(ends[k + 1], ends[k]) / np.sqrt(L) for k in range(L))


def _steps(escape: OriginEscape) -> Iterator[RawStep]:
    L = sp.sympify(escape.depth, strict=True)
    r, t = sp.Symbol("r", positive=True), escape.t
    yield (
        "Leading term",
        ["C(A) = C(0) + H + ..., H = <grad C(0), W_L ... W_1>, of degree L in the parameters"],
        "Taylor expansion of C at A = 0; for L >= 2 the gradient in the parameters vanishes at 0",
        None,
    )
    yield means_step()
    x = sp.Symbol("x", positive=True)
    n = sp.Dummy("n", positive=True)
    yield (
        "Largest decrease",
        [sp.Eq(sp.Symbol("s^*"), escape.speed, evaluate=False)],
        "|H| <= s_1*||W_L ... W_1||_* <= s_1*prod ||W_l||_F <= s_1*(||theta||**2/L)**(L/2), the "
        "last by the means of ||W_l||_F**2; equality at rank one with all norms 1/sqrt(L)",
        certify_zero(
            "L equal squares with sum 1 have the product L**(-L/2)",
            (sp.sqrt(1 / n) ** n) - n ** (-n / 2),
            n * sp.sqrt(1 / n) ** 2 - 1,
        ),
    )
    low, high, phi = sp.symbols("s_i s_1 phi", positive=True)
    turned = low * sp.cos(phi) ** 2 + high * sp.sin(phi) ** 2
    yield (
        "Other rays",
        ["the ray of another singular pair i gains s_1 - s_i by rotation: a strict saddle"],
        "both ends turned by phi towards the first pair at the same norm: "
        "s_i*cos(phi)**2 + s_1*sin(phi)**2",
        certify_zero(
            "second derivative 2*(s_1 - s_i) at phi = 0",
            sp.diff(turned, phi, 2).xreplace({phi: sp.S.Zero}) - 2 * (high - low),
            sp.diff(turned, phi).xreplace({phi: sp.S.Zero}),
        ),
    )
    yield (
        "Equation of the norm",
        ["r' <= L*s^* *r**(L-1), with equality along the ray"],
        "d(r**2)/dt = -2*<theta, grad H> = -2*L*H by Euler's identity for degree L",
        certify_zero(
            "r r' = L s* r**L",
            sp.diff(x**n, x) * x - n * x**n,
        ),
    )
    found = antiderivative(r ** (1 - L), r, ranges=above_two(escape.depth), own_rules=True)
    if found is not None:
        yield (
            "Integration",
            [sp.Eq(sp.Symbol("F"), found.expression, evaluate=False)],
            "F(r) - F(r_0) = L*s^* *t",
            found.certificate,
        )
    if escape.depth == 2:
        zeros = [
            sp.diff(escape.radius, t) - 2 * escape.speed * escape.radius,
            escape.radius.xreplace({t: sp.S.Zero}) - escape.r0,
        ]
    else:
        # w stands for r^(2 - L), which is positive until t^*
        w = sp.Dummy("w", positive=True)
        power = w ** (-1 / (L - 2))
        zeros = [
            sp.diff(power, w) * sp.diff(escape.inside, t) - L * escape.speed * power ** (L - 1),
            escape.inside.xreplace({t: sp.S.Zero}) - escape.r0 ** (2 - L),
            escape.inside.xreplace({t: escape.time}),
        ]
    yield (
        "Norm",
        [sp.Eq(sp.Symbol("r"), escape.radius, evaluate=False)]
        + ([] if escape.depth == 2 else [sp.Eq(sp.Symbol("t^*"), escape.time, evaluate=False)]),
        "the integral solved for r; it blows up at t^*, where the leading term ends"
        if escape.depth != 2
        else "exponential growth",
        certify_zero("equation and start", *zeros, ranges=above_two(escape.depth)),
    )
