r"""Mirror and time-warped mirror flows in the frame of the gradient fields, without coordinates.

Let $V_i = P\nabla G_i$, and let the reachable set of a start be its leaf. Where x is a coordinate
system of the leaf, $c\,M^{-1} = \nabla^2F(x)$ says that the fields $V_i/c$ commute: they are the
coordinate fields of the dual variable. Written out, with $\psi_i = V_i\log c$,

$$[V_i, V_j] = \psi_iV_j - \psi_jV_i, \qquad V_i\psi_j = V_j\psi_i,$$

and c = 1 is the commuting case. When the reachable set is larger, c may depend on the parameters,
and the same holds up to directions W in which x stands still, where $WM = \mu M$.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.balls import ball
from theory.exact.signs import is_analytic
from theory.exact.verdict import Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel
from theory.mirror.brackets import all_zero, bracket, gradient_fields
from theory.mirror.warp import simpler

__all__ = [
    "conformal",
    "exactly_zero",
    "excluded_at",
    "fills",
    "scaled_fields_commute",
    "slopes_at",
]

Point = Mapping[sp.Symbol, sp.Expr]


def exactly_zero(e: sp.Expr) -> bool | None:
    """Whether a number is zero: True and False are proved.

    Examples
    --------
    >>> exactly_zero(sp.sqrt(8) - 2 * sp.sqrt(2)), exactly_zero(sp.exp(1) - sp.Rational(19, 7))
    (True, False)
    """
    if e.is_Rational:
        return bool(e == 0)
    try:
        verdict = is_zero(e)
    except (DomainError, UnsupportedFormula):
        return None
    return True if verdict.proved else False if verdict.refuted else None


@dataclass(frozen=True, eq=False)
class _Jet:
    """Derivatives of the components at one point, as exact numbers."""

    rates: sp.Matrix
    first: sp.Matrix
    second: tuple[sp.Matrix, ...]
    metric: sp.Matrix
    dual: sp.Matrix
    V: tuple[sp.Matrix, ...]

    def bracket(self, i: int, j: int) -> sp.Matrix:
        """The bracket of two fields."""
        return self.rates * (self.second[j] * self.V[i] - self.second[i] * self.V[j])

    def horizontal(self, v: sp.Matrix) -> sp.Matrix:
        """Coefficients of the fields in a direction, up to what leaves x alone."""
        return self.dual * (self.first * v)

    def change(self, v: sp.Matrix) -> sp.Matrix:
        """The derivative of the metric in a direction."""
        J = sp.Matrix.vstack(*((s * v).T for s in self.second))
        half = J * self.rates * self.first.T
        return half + half.T


def _jet(model: CoupledModel, point: Point) -> _Jet:
    symbols = model.parameters
    at = dict(point)
    P = sp.diag(*model.rates)
    J = model.jacobian()
    second = tuple(J[i, :].jacobian(symbols).xreplace(at) for i in range(J.rows))
    first = J.xreplace(at)
    metric = first * P * first.T
    V = tuple(P * first[i, :].T for i in range(J.rows))
    return _Jet(P, first, second, metric, metric.inv(), V)


def slopes_at(model: CoupledModel, point: Point) -> list[sp.Expr]:
    r"""The only candidates of $\psi_i = V_i\log c$ at a point, for d > 1.

    Examples
    --------
    The warp of $x = a(v, w)$ is $c = a$, and $V_1a = v$:

    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["a*v", "a*w"], "a, v, w")
    >>> a, v, w = model.parameters
    >>> slopes_at(model, {a: sp.Integer(2), v: sp.Integer(3), w: sp.Integer(1)})
    [3/2, 1/2]
    """
    return _slopes(_jet(model, point))


def _slopes(jet: _Jet) -> list[sp.Expr]:
    d = len(jet.V)
    return [jet.horizontal(jet.bracket(i, _other(i, d)))[_other(i, d)] for i in range(d)]


def _other(i: int, d: int) -> int:
    return (i + 1) % d


def excluded_at(model: CoupledModel, point: Point) -> Verdict | None:
    r"""A reason, exact at a point of full rank, why no potential and no warp exists; else None.

    In order: $J[V_i, V_j]$ is not $J(\psi_iV_j - \psi_jV_i)$; the bracket moves the parameters in
    a direction in which x stands still and M changes its shape; $\psi$ is not closed.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u", "v + u**2*v"], "u, v")
    >>> u, v = model.parameters
    >>> print(excluded_at(model, {u: sp.S.One, v: sp.S.One}).method)
    the warp is not closed at the start: V1 psi_2 - V2 psi_1 is 2 more than it should be
    """
    d = len(model.components)
    if d == 1:
        return None
    jet = _jet(model, point)
    psi = _slopes(jet)
    witness = {s.name: str(v) for s, v in point.items()}

    def no(text: str) -> Verdict:
        return Verdict(Status.REFUTED, text, witness=witness)

    growth = {}
    for i, j in itertools.combinations(range(d), 2):
        name = f"[V{i + 1}, V{j + 1}]"
        B = jet.bracket(i, j)
        beta = jet.horizontal(B)
        for k in range(d):
            gap = beta[k] - (psi[i] if k == j else 0) + (psi[j] if k == i else 0)
            if exactly_zero(gap) is False:
                return no(
                    f"no warp makes the fields commute at the start: the part of {name} along "
                    f"V{k + 1} is off by {_size(gap)}"
                )
        W = B - sum((beta[k] * jet.V[k] for k in range(d)), sp.zeros(*B.shape))
        if all(exactly_zero(e) is True for e in W):
            growth[i, j] = sp.S.Zero
            continue
        change = jet.change(W)
        if _proportional(change, jet.metric) is False:
            return no(
                f"{name} moves the parameters in a direction in which x stands still and the "
                "metric changes its shape, so that x does not determine it"
            )
        growth[i, j] = change[0, 0] / jet.metric[0, 0]
    third = _Third(model, point, jet)
    for (i, j), mu in growth.items():
        gap = third.slope_along(j, i) - third.slope_along(i, j) - mu
        if exactly_zero(gap) is False:
            return no(
                f"the warp is not closed at the start: V{i + 1} psi_{j + 1} - V{j + 1} psi_{i + 1} "
                f"is {_size(gap)} more than it should be"
            )
    return None


def _size(e: sp.Expr) -> str:
    """A nonzero number for the reader: exact when short, else its leading digits."""
    if e.count_ops() <= 8 and len(str(e)) <= 40:
        return str(e)
    # balls: evaluating a long sum of exponentials with SymPy takes minutes
    return f"about {ball(e).mid().str(6, radius=False)}"


class _Third:
    r"""Derivatives of $\psi$ along the fields at a point, from third derivatives of G."""

    def __init__(self, model: CoupledModel, point: Point, jet: _Jet) -> None:
        self.jet = jet
        self.symbols, self.point = model.parameters, dict(point)
        self.gradients = [[sp.diff(g, s) for s in self.symbols] for g in model.components]
        self.cache: dict[tuple[int, int], sp.Matrix] = {}

    def hessian_along(self, i: int, k: int) -> sp.Matrix:
        """The derivative along V_k of the matrix of second derivatives of G_i."""
        if (i, k) not in self.cache:
            size = len(self.symbols)
            out = sp.zeros(size, size)
            v = self.jet.V[k]
            for a in range(size):
                # numbers in place of the field, so that one derivative more is enough
                along = sum(
                    (sp.diff(self.gradients[i][a], s) * c for s, c in zip(self.symbols, v) if c),
                    sp.S.Zero,
                )
                for b in range(a, size):
                    out[a, b] = out[b, a] = sp.diff(along, self.symbols[b]).xreplace(self.point)
            self.cache[i, k] = out
        return self.cache[i, k]

    def slope_along(self, i: int, k: int) -> sp.Expr:
        r"""$V_k\psi_i$."""
        jet = self.jet
        j = _other(i, len(jet.V))
        v = jet.V[k]
        B = jet.bracket(i, j)
        beta = jet.horizontal(B)
        # d(DV_j V_i)[v] = D^2V_j[v, V_i] + DV_j DV_i v
        dB = jet.rates * (
            self.hessian_along(j, k) * jet.V[i]
            - self.hessian_along(i, k) * jet.V[j]
            + jet.second[j] * (jet.rates * (jet.second[i] * v))
            - jet.second[i] * (jet.rates * (jet.second[j] * v))
        )
        dJ = sp.Matrix.vstack(*((s * v).T for s in jet.second))
        moved = dJ * B + jet.first * dB - jet.change(v) * beta
        return (jet.dual * moved)[j]


def _proportional(change: sp.Matrix, M: sp.Matrix) -> bool | None:
    """Whether a matrix is a multiple of M, whose first entry is not zero."""
    answers = [exactly_zero(e * M[0, 0] - change[0, 0] * m) for e, m in zip(change, M)]
    if any(a is False for a in answers):
        return False
    return True if all(answers) else None


def scaled_fields_commute(
    model: CoupledModel, point: Point, *, seconds: float = 5.0
) -> tuple[Verdict, tuple[sp.Expr, ...]] | None:
    r"""Whether $[V_i, V_j] = \psi_iV_j - \psi_jV_i$ with closed $\psi$, identically.

    Then the flow is a time-warped mirror flow on every leaf with full rank.

    Returns
    -------
    verdict, psi
        The verdict over the identities, and $\psi_i$ in the parameters; None where $\psi$ cannot
        be read off at the point.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["a*v", "a*w"], "a, v, w")
    >>> at = dict.fromkeys(model.parameters, sp.S.One)
    >>> verdict, psi = scaled_fields_commute(model, at)
    >>> verdict.status, psi
    (<Status.PROVED: 'PROVED'>, (v/a, w/a))
    """
    V = gradient_fields(model)
    symbols = model.parameters
    d = len(V)
    if d == 1:
        return None
    brackets = {
        (i, j): bracket(V[i], V[j], symbols) for i, j in itertools.combinations(range(d), 2)
    }
    psi = []
    for i in range(d):
        j = _other(i, d)
        B = brackets[i, j] if i < j else -brackets[j, i]
        found = _coefficient(B, V[i], V[j], point)
        if found is None:
            return None
        psi.append(simpler(found))
    claims = [
        (f"the entry {s} of [V{i + 1}, V{j + 1}] - psi_{i + 1} V{j + 1} + psi_{j + 1} V{i + 1}", e)
        for (i, j), B in brackets.items()
        for s, e in zip(symbols, B - psi[i] * V[j] + psi[j] * V[i], strict=True)
    ]
    claims += [
        (f"V{i + 1} psi_{j + 1} - V{j + 1} psi_{i + 1}", _along(V[i], psi[j], symbols)
         - _along(V[j], psi[i], symbols))
        for i, j in brackets
    ]  # fmt: skip
    return all_zero(claims, model.ranges, seconds=seconds), tuple(psi)


def _along(V: sp.Matrix, e: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    return sum((v * sp.diff(e, s) for v, s in zip(V, symbols, strict=True)), sp.S.Zero)


def _coefficient(B: sp.Matrix, V: sp.Matrix, W: sp.Matrix, point: Point) -> sp.Expr | None:
    """The coefficient of W in B = p W - q V, by two rows whose minor is not zero at the point."""
    size = [V[s].count_ops() + W[s].count_ops() for s in range(V.rows)]
    order = sorted(range(V.rows), key=size.__getitem__)
    for s, t in itertools.combinations(order, 2):
        minor = W[s] * V[t] - W[t] * V[s]
        if minor != 0 and exactly_zero(minor.xreplace(dict(point))) is False:
            return (B[s] * V[t] - B[t] * V[s]) / minor
    return None


def conformal(
    model: CoupledModel, point: Point, *, seconds: float = 5.0
) -> tuple[Verdict, bool] | None:
    r"""Proof that the metric is a scalar times a constant matrix K, identically; None without one.

    Then $c = M_{11}/K_{11}$ is a warp, and $F = \frac12x^TK^{-1}x$, although c may be a function
    of the parameters that x does not determine. The second entry: whether the scalar is constant.

    Examples
    --------
    The product of two complex numbers; its reachable sets have one dimension more than x:

    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["a*p - b*q", "a*q + b*p"], "a, b, p, q")
    >>> verdict, constant = conformal(model, dict.fromkeys(model.parameters, sp.S.One))
    >>> verdict.status, constant
    (<Status.PROVED: 'PROVED'>, False)
    """
    M = model.metric()
    K = M.xreplace(dict(point))
    d = M.rows
    claims = [
        (f"the entry ({i + 1}, {j + 1}) of M_11 K - K_11 M", M[0, 0] * K[i, j] - K[0, 0] * M[i, j])
        for i in range(d)
        for j in range(i, d)
    ]
    verdict = all_zero(claims, model.ranges, seconds=seconds)
    if not verdict.proved:
        return None
    slopes = [(f"dM_11/d{s}", sp.diff(M[0, 0], s)) for s in model.parameters]
    constant = all_zero(slopes, model.ranges, seconds=seconds)
    text = "the metric is a scalar times a constant matrix"
    found = Verdict(Status.PROVED, f"{text} ({verdict.method})")
    return found, constant.proved


def fills(model: CoupledModel, point: Point) -> bool:
    """Whether a start is known to reach all parameters near it, and identities reach from it.

    The fields and their brackets span the space there, and the components are analytic: what does
    not vanish at one point then vanishes in no neighborhood of the start.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u*p", "u*q + v*p", "v*q"], "u, v, p, q")
    >>> fills(model, dict(zip(model.parameters, map(sp.Integer, (1, 2, 1, 3)))))
    False
    >>> fills(Coupled(["u + v**2", "v"], "u, v"), {"u": sp.S.One, "v": sp.S.One})
    True
    """
    if not all(is_analytic(g, ranges=model.ranges) for g in model.components):
        return False
    if len(model.components) == len(model.parameters):
        # of full rank
        return True
    jet = _jet(model, point)
    pairs = itertools.combinations(range(len(jet.V)), 2)
    spanned = sp.Matrix.hstack(*jet.V, *(jet.bracket(i, j) for i, j in pairs))
    if not all(e.is_Rational for e in spanned):
        return False
    return bool(spanned.rank() == len(model.parameters))
