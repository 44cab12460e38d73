r"""The gradient flow of $\lambda\|W\|_*/\|W\|_F$ alone, in closed form to its end.

$\|W\|_F$ and the singular vectors stay, and differences of singular values grow by one common
factor, so that the flow runs along renormalized soft thresholds of its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from theory.errors import DomainError
from theory.exact.antiderivative import antiderivative
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_exact
from theory.exact.markup import latex_of
from theory.exact.verdict import Certificate, Status, Verdict
from theory.networks.arguments import exact_sign, read_positive, read_spectrum
from theory.networks.certify import certify_zero

__all__ = ["RatioFlow", "RatioPhase", "ratio_flow"]


@dataclass(frozen=True)
class RatioPhase:
    r"""The time between two singular values that reach zero.

    Parameters
    ----------
    start, end : sympy.Expr
        Times; the end of the last phase is infinite.
    singular_values : tuple of sympy.Expr
        At the start.
    rank : int
        The number k of positive ones.
    lam : sympy.Expr
    """

    start: sp.Expr
    end: sp.Expr
    singular_values: tuple[sp.Expr, ...]
    rank: int
    lam: sp.Expr

    @property
    def resting(self) -> bool:
        """Whether all positive singular values are equal, which is stationary."""
        return self.end is sp.oo

    def at(self, t: Any) -> tuple[sp.Expr, ...]:
        """The singular values at a time, a number or a symbol, of this phase."""
        values = self.singular_values
        if self.resting:
            return values
        k, f = self.rank, _norm(values)
        nu = sp.Add(*values)
        c = sp.atanh(nu / (f * sp.sqrt(k)))
        now = c - self.lam * sp.sqrt(k) / f**2 * (read_exact(t, "t") - self.start)
        mean, factor = f * sp.tanh(now) / sp.sqrt(k), sp.cosh(c) / sp.cosh(now)
        return tuple(mean + (v - nu / k) * factor if v != 0 else sp.S.Zero for v in values)


@dataclass(frozen=True)
class RatioFlow:
    r"""The path of the singular values under $\dot W = -\lambda\nabla R$.

    Parameters
    ----------
    singular_values : tuple of sympy.Expr
        At the start, the largest first.
    lam : sympy.Expr
    """

    singular_values: tuple[sp.Expr, ...]
    lam: sp.Expr

    @property
    def limit(self) -> tuple[sp.Expr, ...]:
        r"""The end: $\|W\|_F$ spread evenly over the largest singular value and its equals."""
        return self.phases[-1].singular_values

    @property
    def end_time(self) -> sp.Expr:
        """When the end is reached; it is finite."""
        return self.phases[-1].start

    @cached_property
    def phases(self) -> tuple[RatioPhase, ...]:
        """From one singular value that reaches zero to the next."""
        first, start = self.singular_values, sp.S.Zero
        values, f = first, _norm(first)
        out: list[RatioPhase] = []
        while True:
            k = sum(v != 0 for v in values)
            lowest = first[k - 1]
            # the differences keep their ratios, and f its value: the values when the lowest is 0
            above = [exact_sign(v - lowest, "difference of singular values") > 0 for v in first[:k]]
            if not any(above):
                return (*out, RatioPhase(start, sp.oo, values, k, self.lam))
            moved = [v - lowest if u else sp.S.Zero for v, u in zip(first, above, strict=False)]
            moved += [sp.S.Zero] * (len(first) - k)
            scale = f / _norm(moved)
            after = tuple(scale * m for m in moved)
            ends = [sp.atanh(sp.Add(*v) / (f * sp.sqrt(k))) for v in (values, after)]
            end = start + f**2 / (self.lam * sp.sqrt(k)) * (ends[0] - ends[1])
            out.append(RatioPhase(start, end, values, k, self.lam))
            values, start = after, end

    def at(self, t: Any) -> tuple[sp.Expr, ...]:
        """The singular values at a time t >= 0.

        Examples
        --------
        >>> [v.evalf(6) for v in ratio_flow([3, 2, 1], 1).at(2)]
        [3.15452, 1.90349, 0.652466]
        """
        time = read_positive(t, "t") if t != 0 else sp.S.Zero
        if time.free_symbols or self.lam.free_symbols:
            raise DomainError(
                "Expected numbers t and lam; a phase has the formula in symbols, phases[0].at(t)."
            )
        for phase in self.phases:
            if phase.resting or exact_sign(phase.end - time, "time to the end of the phase") > 0:
                return phase.at(time)
        raise AssertionError("the last phase has no end")

    @cached_property
    def derivation(self) -> Derivation:
        """The solution for every number k of positive singular values."""
        return numbered("Gradient flow of lam*||W||_*/||W||_F", _steps())

    def __str__(self) -> str:
        lines = [f"lam = {self.lam}, f = {_norm(self.singular_values)}"]
        for p in self.phases:
            values = ", ".join(f"{float(v):.6g}" for v in p.singular_values)
            lines.append(f"t >= {p.start if p.start == 0 else sp.N(p.start, 6)}: ({values})")
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return rf"$\sigma(\infty) = \left({', '.join(map(latex_of, self.limit))}\right)$"


def _norm(values: Any) -> sp.Expr:
    return sp.sqrt(sp.expand(sp.Add(*(v**2 for v in values))))


def ratio_flow(singular_values: Any, lam: Any = "lam") -> RatioFlow:
    r"""The gradient flow of the ratio penalty alone, $\dot W = -\lambda\nabla(\|W\|_*/\|W\|_F)$.

    With k positive singular values, $f = \|W\|_F$, $\kappa = \lambda\sqrt k/f^2$ and
    $c = \mathrm{artanh}(\nu(0)/(f\sqrt k))$,

    $$\nu(t) = f\sqrt k\tanh(c - \kappa t),\qquad
      \sigma_i(t) = \frac{\nu(t)}k + \Big(\sigma_i(0) - \frac{\nu(0)}k\Big)
      \frac{\cosh c}{\cosh(c - \kappa t)}$$

    until the lowest reaches zero, where it stays; then k is smaller. The path is that of the
    renormalized soft thresholds $f(\sigma(0) - \tau)_+/\|(\sigma(0) - \tau)_+\|$. It ends in finite
    time at rank one, or, when the largest singular value is repeated, at that many equal ones.

    Parameters
    ----------
    singular_values : sequence of numbers
        The largest first.
    lam : positive number or symbol

    Examples
    --------
    >>> flow = ratio_flow([2, 1], 1)
    >>> flow.phases[0].at(sp.Symbol("t", positive=True))[0].subs(sp.Symbol("t", positive=True), 0)
    2
    >>> flow.limit, flow.end_time.evalf(6)
    ((sqrt(5), 0), 3.31305)
    >>> ratio_flow([2, 2, 1], 1).limit
    (3*sqrt(2)/2, 3*sqrt(2)/2, 0)

    References
    ----------
    The penalty is that of D. Zhao, NeurIPS 2022 (arXiv:2306.00342). The solution is ours.
    """
    values = read_spectrum(singular_values)
    if values[0] == 0:
        raise DomainError("R is not defined at the zero matrix; give a positive singular value.")
    return RatioFlow(values, read_positive(lam, "lam"))


def _steps() -> Iterator[RawStep]:
    t, k, f, lam, c = sp.symbols("t k f lam c", positive=True)
    nu, start = sp.symbols("nu sigma_0", positive=True)
    kappa = lam * sp.sqrt(k) / f**2
    # a positive stand-in for the remaining argument c - kappa t, which is positive while nu is
    now = c - kappa * t
    total = f * sp.sqrt(k) * sp.tanh(now)
    factor = sp.cosh(c) / sp.cosh(now)
    first = f * sp.sqrt(k) * sp.tanh(c)
    value = total / k + (start - first / k) * factor
    yield (
        "Equations",
        [
            "sigma_i' = -(lam/f)*(1 - nu*sigma_i/f**2)",
            "nu' = -(lam/f)*(k - nu**2/f**2)",
        ],
        "the gradient of R is diagonal in the bases of W, and <grad R, W> = 0 keeps f; the second "
        "is the sum of the first over the k positive singular values",
        None,
    )
    found = antiderivative(1 / (k - nu**2 / f**2), nu, own_rules=True)
    yield (
        "Integration",
        [] if found is None else [sp.Eq(sp.Symbol("F"), found.expression, evaluate=False)],
        "dF/dnu = 1/(k - nu**2/f**2), so that F(nu) + lam*t/f is constant",
        Certificate("antiderivative", Verdict(Status.UNDECIDED, "none was found"))
        if found is None
        else found.certificate,
    )
    yield (
        "Nuclear norm",
        [sp.Eq(sp.Symbol("nu"), total, evaluate=False)],
        "F inverted, with tanh(c) = nu(0)/(f*sqrt(k)); nu <= f*sqrt(k) by Cauchy and Schwarz",
        certify_zero(
            "nu solves its equation",
            sp.diff(total, t) + lam / f * (k - total**2 / f**2),
            total.xreplace({t: sp.S.Zero}) - first,
        ),
    )
    yield (
        "Singular values",
        [sp.Eq(sp.Symbol("sigma"), value, evaluate=False)],
        "the equation is linear in sigma; differences grow by the common factor "
        "cosh(c)/cosh(c - kappa*t), hence ratios of differences stay",
        certify_zero(
            "sigma solves its equation and starts at sigma_0",
            sp.diff(value, t) + lam / f * (1 - total * value / f**2),
            value.xreplace({t: sp.S.Zero}) - start,
        ),
    )
    spread = f**2 - first**2 / k
    yield (
        "Frobenius norm",
        [sp.Eq(sp.Symbol("f") ** 2, total**2 / k + spread * factor**2, evaluate=False)],
        "the sum of squares is nu**2/k and that of the deviations from the mean",
        certify_zero("f is constant", total**2 / k + spread * factor**2 - f**2),
    )
    yield (
        "End",
        [
            "sigma_i(t) = f*(sigma_i(0) - tau)_+/||(sigma(0) - tau)_+||",
            "rank one, or m equal singular values when the largest one is m-fold",
        ],
        "the lowest value reaches zero and stays, as zero is the shortest subgradient there and "
        "small values shrink; shifts and scales of what is left compose to one shift and one scale",
        None,
    )
