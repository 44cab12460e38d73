r"""Conservation laws of one block: what is constant on the dual curve.

A block of k parameters moves along one curve, so it has k - 1 independent laws. Where the curve
separates, the quadratures $Q_j$ of the clock give them all: $Q_j(\theta_j) - Q_1(\theta_1)$. Every
law that is returned is verified: its Lie derivative along $P\nabla\rho$ is zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.antiderivative import antiderivative
from theory.exact.inverse import inverse
from theory.exact.signs import is_analytic
from theory.exact.verdict import Certificate, Verdict
from theory.exact.zero import is_zero
from theory.flow.clock import Block, blocks
from theory.flow.parametrization import Elementwise

__all__ = ["ConservationLaws", "conserved", "elementwise_laws"]


@dataclass(frozen=True, slots=True)
class ConservationLaws:
    """Laws of one block.

    Parameters
    ----------
    found : tuple of sympy.Expr
        Independent laws, in the parameters; each holds for every loss, link and data set.
    count : int
        How many there are, k - 1.
    certificates : tuple of Certificate
        The proof of each.
    """

    found: tuple[sp.Expr, ...]
    count: int
    certificates: tuple[Certificate, ...]

    @property
    def complete(self) -> bool:
        """Whether all laws were found in closed form."""
        return len(self.found) == self.count

    @property
    def upper_bound(self) -> int:
        """The number of independent laws that exist."""
        return self.count

    def __str__(self) -> str:
        laws = ", ".join(map(str, self.found)) or "none in closed form"
        return f"{laws} ({len(self.found)} of {self.count})"


def lie_derivative(law: sp.Expr, rho: Elementwise) -> sp.Expr:
    r"""$\nabla C^T P\,\nabla\rho$: the rate of C along the dual curve."""
    return sp.Add(
        *(
            sp.diff(law, s) * p * d
            for s, p, d in zip(rho.parameters, rho.rates, rho.gradient(), strict=True)
        )
    )


def conserved(law: sp.Expr, rho: Elementwise) -> Verdict:
    """Whether a formula in the parameters is constant along every flow, for all data and losses.

    Examples
    --------
    >>> rho = Elementwise("u**2 - v**2", "u, v")
    >>> u, v = rho.parameters
    >>> conserved(u * v, rho).status
    <Status.PROVED: 'PROVED'>
    >>> conserved(u + v, rho).status
    <Status.REFUTED: 'REFUTED'>
    """
    rate = lie_derivative(law, rho)
    verdict = is_zero(rate, rho.ranges)
    if verdict.proved and not is_analytic(law, ranges=rho.ranges, meromorphic=False):
        # a step function has rate zero wherever it has a rate
        return replace(
            verdict, conditions=(f"the flow stays where {law} is defined and continuous",)
        )
    return verdict


@lru_cache(maxsize=64)
def elementwise_laws(rho: Elementwise) -> ConservationLaws:
    """All laws of a block that quadratures give in closed form.

    Examples
    --------
    >>> elementwise_laws(Elementwise("u**2 - v**2", "u, v")).found
    (u*v,)
    >>> positive = {"L": "(2, oo)", "u": "positive", "v": "positive"}
    >>> elementwise_laws(Elementwise("u**L - v**L", "u, v", assume=positive)).found
    (u**(2 - L) + v**(2 - L),)
    >>> elementwise_laws(Elementwise("u*v*w", "u, v, w")).found
    (u**2 - v**2, u**2 - w**2)
    """
    _, parts = blocks(rho)
    found: list[sp.Expr] = []
    certificates: list[Certificate] = []

    def keep(law: sp.Expr | None) -> bool:
        if law is None:
            return False
        for candidate in dict.fromkeys((pretty_law(law, rho.parameters), law)):
            try:
                verdict = conserved(candidate, rho)
            except (DomainError, UnsupportedFormula):
                continue
            if verdict.proved:
                found.append(candidate)
                certificates.append(
                    Certificate(
                        f"the Lie derivative of {candidate} along P grad rho is zero", verdict
                    )
                )
                return True
        return False

    times: list[sp.Expr | None] = []
    for block in parts:
        quadratures = block_quadratures(block)
        first = quadratures[0] if quadratures else None
        for q in quadratures[1:]:
            if first is not None and q is not None:
                keep(first - q)
        times.append(_dual_time(block, quadratures))
    reference = next((t for t in times if t is not None), None)
    skip = times.index(reference) if reference is not None else -1
    for i, time in enumerate(times):
        if i != skip and time is not None and reference is not None:
            keep(reference - time)
    return ConservationLaws(tuple(found), len(rho.parameters) - 1, tuple(certificates))


def block_quadratures(block: Block) -> list[sp.Expr | None]:
    """Q_j = int d theta_j / (p_j A_j) of a separated block, each None when not closed."""
    out: list[sp.Expr | None] = []
    for s, p, field in zip(block.parameters, block.rates, block.fields, strict=False):
        q = antiderivative(1 / (p * field), s)
        out.append(None if q is None else q.expression)
    return out


def _dual_time(block: Block, quadratures: list[sp.Expr | None]) -> sp.Expr | None:
    """A function of the block's parameters that grows at rate one along the dual curve."""
    if len(block.parameters) == 1:
        return quadratures[0] if quadratures else None
    if len(block.parameters) != 2 or not quadratures or None in quadratures:
        return None
    # eliminate the second parameter by the block's own law, then integrate in the first; signs are
    # fixed for the search only, the law that comes out is verified without them
    signed = {s: sp.Dummy(s.name, positive=True) for s in block.parameters}
    u, v = (signed[s] for s in block.parameters)
    q_u, q_v = (q.xreplace(signed) for q in quadratures if q is not None)
    law, y = sp.Dummy("K", positive=True), sp.Dummy("y", positive=True)
    back = inverse(q_v, v, y)
    if back is None:
        return None
    v_of_u = back.expression.xreplace({y: q_u + law})
    slope = sp.diff(block.formula, block.parameters[0]).xreplace(signed)
    time = antiderivative(sp.powsimp(1 / (slope.xreplace({v: v_of_u}) * block.rates[0])), u)
    if time is None:
        return None
    unsigned = {d: s for s, d in signed.items()}
    return time.expression.xreplace({law: q_v - q_u}).xreplace(unsigned)


def pretty_law(law: sp.Expr, parameters: tuple[sp.Symbol, ...]) -> sp.Expr:
    """The same law without a constant factor, and as a product where it is a sum of logarithms."""
    pairs = []
    for term in sp.Add.make_args(law if law.is_Add else sp.expand(law)):
        constant, rest = term.as_independent(*parameters, as_Add=False)
        if rest == 1:
            # an additive constant says nothing
            continue
        pairs.append((constant, rest))
    if not pairs:
        return law
    lead = pairs[0][0]
    pairs = [(sp.factor(sp.together(c / lead)), rest) for c, rest in pairs]
    if all(c.is_Rational for c, _ in pairs):
        unit = sp.gcd([c for c, _ in pairs])
        pairs = [(c / unit, rest) for c, rest in pairs]
    if all(isinstance(rest, sp.log) and c.is_Integer for c, rest in pairs):
        return sp.powsimp(sp.factor(sp.Mul(*(rest.args[0] ** c for c, rest in pairs))))
    out = sp.Add(*(c * rest for c, rest in pairs))
    return -out if out.could_extract_minus_sign() else out
