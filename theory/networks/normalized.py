r"""Weight normalization of diagonal linear networks, as a time-warped mirror flow.

The predictor is $x_i = w_i^L$ with $w = r\,u/\|u\|$, and the flow runs in the polar coordinates,
$r' = -\eta\,\partial_r$ and $u' = -p\,\partial_u$. Then $\|u\|$ is constant, and in w the metric
is isotropic: $p r^2/\|u\|^2$ across w, and $\eta$ along it. Everything else follows from it by
quadratures that do not know the dimension.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import sympy as sp

from theory.errors import AssumptionError, DomainError, FormulaError, ShapeError
from theory.exact.initial_data import read_exact
from theory.exact.parsing import parse
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero
from theory.mirror.isotropic import IsotropicMetric, PowerWarp, power_warp

__all__ = ["NormalizedModel", "polar_metric"]

# radii, norms, and entries of w, u and the gradient
_TAKEN = re.compile(r"[rqsw]|[uh]\d+")
_SIGNED = (None, "joint", "blockwise")


def polar_metric(
    s: sp.Symbol, eta: sp.Expr, norm: sp.Expr, rate: sp.Expr
) -> tuple[IsotropicMetric, tuple[Certificate, ...]]:
    r"""The metric of $w = r\,u/\|u\|$, from the Jacobian of the polar coordinates.

    $\partial w/\partial r = w/\|w\|$ and $\partial w/\partial u = (r/\|u\|)(I - ww^T/\|w\|^2)$.

    Examples
    --------
    >>> s, eta = sp.symbols("s eta", positive=True)
    >>> metric, certificates = polar_metric(s, eta, sp.S.One, sp.S.One)
    >>> metric.a, metric.along, [c.proved for c in certificates]
    (s, eta, [True, True])
    """
    projection = IsotropicMetric(sp.S.One, -1 / s, s)
    angular = projection.scaled(sp.sqrt(s) / norm)
    radial = IsotropicMetric(sp.S.Zero, 1 / s, s)
    metric = radial.scaled(eta) + (angular @ angular).scaled(rate)
    certificates = (
        # u is a multiple of w, and the angular Jacobian maps it to along * w
        Certificate("the norm of u is constant: (I - w w^T/s) w = 0", is_zero(projection.along)),
        Certificate("the metric along w is the radial rate", is_zero(metric.along - eta)),
    )
    return metric, certificates


@dataclass(frozen=True, init=False)
class NormalizedModel:
    r"""The model $x_i = (r\,u_i/\|u\|)^L$ with learning rates for radius and direction.

    Parameters
    ----------
    depth : int, sympy.Expr or str
        L > 0, the number of identical layers. A symbol stands for a depth above 2.
    eta : number, sympy.Expr or str, optional
        The learning rate of the radius; the symbol eta unless given.
    signed : None, "joint" or "blockwise", optional
        For x of any sign, $x = w_+^L - w_-^L$: one radius for $(w_+, w_-)$, or one for each.
    norm : number or sympy.Expr
        $\|u\|$, which stays constant.
    rate : number or sympy.Expr
        The learning rate of the direction.

    Raises
    ------
    AssumptionError
        For a depth, rate or norm that is not positive.
    FormulaError
        For what is no number and no formula.

    Examples
    --------
    >>> x, y = sp.symbols("x y", positive=True)
    >>> model = NormalizedModel(2)
    >>> model.warp([x, y])
    2*x + 2*y
    >>> model.gradient([x, y])[0]
    log(x)/2 - log(x + y)/2 + (x + y)/(2*eta)
    """

    depth: sp.Expr
    eta: sp.Expr
    signed: str | None
    norm: sp.Expr
    rate: sp.Expr

    def __init__(
        self,
        depth: Any = 2,
        *,
        eta: Any = None,
        signed: str | None = None,
        norm: Any = 1,
        rate: Any = 1,
    ) -> None:
        if signed not in _SIGNED:
            raise FormulaError(
                f"Expected signed = None, 'joint' or 'blockwise' but got {signed!r}."
            )
        if eta is None:
            eta = sp.Symbol("eta", positive=True)
        values = {"depth": depth, "eta": eta, "norm": norm, "rate": rate}
        for name, value in values.items():
            object.__setattr__(self, name, _positive(name, value))
        object.__setattr__(self, "signed", signed)

    @property
    def effective_eta(self) -> sp.Expr:
        r"""$\eta\|u\|^2/p$: the radial rate of the same path with $\|u\| = 1$ and p = 1."""
        return self.eta * self.norm**2 / self.rate

    @property
    def conditions(self) -> tuple[str, ...]:
        """What the formulas assume beyond positive symbols."""
        return (f"{self.depth} > 2",) if self.depth.free_symbols else ()

    @cached_property
    def derived(self) -> PowerWarp:
        """Warp, mirror map and potential with their certificates.

        Raises
        ------
        DomainError
            For blockwise normalization, which is no mirror flow, warped or not.
        """
        if self.signed == "blockwise":
            raise DomainError(
                "Two radii, one for each sign, do not give a mirror flow, not even a time-warped "
                "one: the gradient fields are not involutive. Use signed='joint', or integrate."
            )
        return _derived(self.depth)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Every identity behind the formulas; they hold for every dimension."""
        _ = self.derived
        s, eta = _symbols()
        polar = polar_metric(s, eta, sp.Symbol("k", positive=True), sp.Symbol("p", positive=True))
        return (*polar[1], *self.derived.certificates)

    def squared_norm(self, x: Sequence[Any]) -> sp.Expr:
        r"""$s = r^2 = \sum_j x_j^{2/L}$."""
        return sp.Add(*(v ** (2 / self.depth) for v in _vector(x)))

    def metric(self, x: Sequence[Any]) -> sp.Matrix:
        r"""M with $x' = -M\,\nabla_x$."""
        x, L = _vector(x), self.depth
        m = self.derived.metric
        a, b = (self._at(e, x) * self.rate / self.norm**2 for e in (m.a, m.b))
        slopes = [L * v ** (1 - 1 / L) for v in x]
        w = [v ** (1 / L) for v in x]
        return sp.Matrix(
            len(x),
            len(x),
            lambda i, j: slopes[i] * slopes[j] * ((a if i == j else 0) + b * w[i] * w[j]),
        )

    def warp(self, x: Sequence[Any]) -> sp.Expr:
        r"""$c(x)$ with $\nabla^2F = c\,M^{-1}$, that is $d\nabla F(x)/dt = -c\,\nabla_x$."""
        x = _vector(x)
        return sp.expand(self._at(self.derived.warp, x) * self.rate / self.norm**2)

    def gradient(self, x: Sequence[Any]) -> tuple[sp.Expr, ...]:
        r"""The mirror map $\nabla F(x)$."""
        x = _vector(x)
        dual = self._at(self.derived.dual, x)
        return tuple(
            sp.expand_log(dual.xreplace({self.derived.w: v ** (1 / self.depth)})) for v in x
        )

    def hessian(self, x: Sequence[Any]) -> sp.Matrix:
        r"""$\nabla^2F = c\,M^{-1}$."""
        x, L = _vector(x), self.depth
        h = self.derived.metric.inverse()
        a, b, c = (self._at(e, x) for e in (h.a, h.b, self.derived.warp))
        slopes = [L * v ** (1 - 1 / L) for v in x]
        w = [v ** (1 / L) for v in x]
        return sp.Matrix(
            len(x),
            len(x),
            lambda i, j: c * ((a if i == j else 0) + b * w[i] * w[j]) / (slopes[i] * slopes[j]),
        )

    def potential(self, x: Sequence[Any]) -> sp.Expr:
        """F, strictly convex on x > 0.

        Examples
        --------
        >>> x, y = sp.symbols("x y", positive=True)
        >>> F = NormalizedModel(4, eta=1).potential([x, y])
        >>> F
        (sqrt(x) + sqrt(y) + 1)*exp(-sqrt(x) - sqrt(y))
        """
        x = _vector(x)
        radial, term = self.derived.closed_potential()
        terms = (term.xreplace({self.derived.w: v ** (1 / self.depth)}) for v in x)
        return self._at(radial, x) + sp.Add(*map(sp.expand_log, terms))

    def inverse_gradient(self, theta: Sequence[Any]) -> tuple[sp.Expr, ...]:
        r"""$(\nabla F)^{-1}$; for L = 2, $x = S\,\mathrm{softmax}(2\theta)$.

        Examples
        --------
        >>> a, b = sp.symbols("a b", real=True)
        >>> NormalizedModel(2, eta=1).inverse_gradient([a, b])[0]
        exp(2*a)*log(exp(2*a) + exp(2*b))/(exp(2*a) + exp(2*b))
        """
        q, total, s = self._dual_norm(theta)
        return tuple(v**self.depth * (s / total) ** (self.depth / 2) for v in q)

    def conjugate(self, theta: Sequence[Any]) -> sp.Expr:
        r"""$F^*(\theta)$."""
        _, _, s = self._dual_norm(theta)
        d = self.derived
        return d.conjugate().xreplace({_symbols()[1]: self.effective_eta, d.s: s})

    def bregman(self, z: Sequence[Any], x: Sequence[Any]) -> sp.Expr:
        r"""$D_F(z, x) = F(z) - F(x) - \langle\nabla F(x), z - x\rangle$."""
        z, x = _vector(z), _vector(x)
        if len(z) != len(x):
            raise ShapeError(f"Expected z and x of one length but got {len(z)} and {len(x)}.")
        line = sp.Add(*(g * (a - b) for g, a, b in zip(self.gradient(x), z, x, strict=True)))
        return self.potential(z) - self.potential(x) - line

    def magnification(self, start: Any, end: Any) -> sp.Expr:
        r"""$\rho$ of $r_0^2$, $r_\infty^2$: the limit is that of the plain flow from $w_0/\rho$.

        Examples
        --------
        >>> s0, s1 = sp.symbols("s0 s1", positive=True)
        >>> NormalizedModel(3).magnification(s0, s1)
        sqrt(s0)*exp(-s0/(2*eta) + s1/(2*eta))/sqrt(s1)
        """
        first, last = sp.symbols("a b", positive=True, cls=sp.Dummy)
        rho = self.derived.magnification(first, last)
        ends = {first: read_exact(start, "start"), last: read_exact(end, "end")}
        return rho.xreplace({_symbols()[1]: self.effective_eta, **ends})

    def invariants(self, A: Any, x: Sequence[Any]) -> tuple[sp.Expr, ...]:
        r"""$\langle b, \nabla F(x)\rangle$ for a basis of b in ker A, constant on this data.

        Examples
        --------
        >>> x, y = sp.symbols("x y", positive=True)
        >>> NormalizedModel(2).invariants([[1, 1]], [x, y])
        (-log(x)/2 + log(y)/2,)
        """
        x = _vector(x)
        matrix = _matrix(A)
        if matrix.cols != len(x):
            raise ShapeError(f"A has {matrix.cols} columns, and x has {len(x)} entries.")
        dual = sp.Matrix(self.gradient(x))
        return tuple(sp.expand((b.T * dual)[0]) for b in matrix.nullspace())

    def coordinates(
        self, d: int
    ) -> tuple[tuple[sp.Expr, ...], tuple[sp.Symbol, ...], tuple[Any, ...]]:
        """Components, parameters and rates of the model with d entries of x.

        Examples
        --------
        >>> NormalizedModel(2).coordinates(2)[0][0]
        r**2*u1**2/(u1**2 + u2**2)
        """
        if d < 1:
            raise ShapeError(f"Expected d >= 1 but got d = {d}.")
        size = d if self.signed is None else 2 * d
        positive = not self.depth.is_integer
        u = [sp.Symbol(f"u{i + 1}", positive=positive or None, real=True) for i in range(size)]
        if self.signed == "blockwise":
            radii = [sp.Symbol(n, positive=True) for n in ("r", "q")]
            blocks = [u[:d], u[d:]]
        else:
            radii, blocks = [sp.Symbol("r", positive=True)], [u]
        powers = []
        for r, block in zip(radii, blocks, strict=True):
            norm = sp.sqrt(sp.Add(*(v**2 for v in block)))
            powers += [(r * v / norm) ** self.depth for v in block]
        x = powers if self.signed is None else [powers[i] - powers[d + i] for i in range(d)]
        rates = (*(self.eta for _ in radii), *(self.rate for _ in u))
        return tuple(x), (*radii, *u), rates

    def verify(self, d: int = 2) -> tuple[Certificate, ...]:
        r"""The chain rule in polar coordinates, by a route of its own: $\theta_i' = -c\,h_i$.

        Nothing of the derivation in w is used: the components are differentiated by r and u, with
        symbols h for the gradient in x and any norm of u.

        Examples
        --------
        >>> all(c.proved for c in NormalizedModel(3).verify(2))
        True
        """
        if self.signed is not None:
            raise DomainError("Expected an unsigned model; the joint one is that of 2 d entries.")
        components, parameters, rates = self.coordinates(d)
        positive = {p: sp.Symbol(p.name, positive=True) for p in parameters}
        components = tuple(e.xreplace(positive) for e in components)
        symbols = list(positive.values())
        h = sp.symbols(f"h1:{d + 1}", real=True)
        velocity = [
            -rate * sp.Add(*(g * sp.diff(e, p) for g, e in zip(h, components, strict=True)))
            for rate, p in zip(rates, symbols, strict=True)
        ]
        r, u = symbols[0], symbols[1:]
        length = sp.sqrt(sp.Add(*(v**2 for v in u)))
        w = [r * v / length for v in u]
        out = [
            Certificate("(u, u') = 0", is_zero(sp.Add(*(v * f for v, f in zip(u, velocity[1:])))))
        ]
        scale = {_symbols()[1]: self.eta * length**2 / self.rate, self.derived.s: r**2}
        warp = self.derived.warp.xreplace(scale) * self.rate / length**2
        # the norm of u is constant along the flow: it is held fixed, as a symbol
        k = sp.Dummy("k", positive=True)
        for i in range(d):
            held = {_symbols()[1]: self.eta * k**2 / self.rate, self.derived.s: r**2}
            theta = self.derived.dual.xreplace(held | {self.derived.w: w[i]})
            change = sp.Add(*(sp.diff(theta, p) * f for p, f in zip(symbols, velocity)))
            identity = (change + warp * h[i]).xreplace({k: length})
            out.append(Certificate(f"theta_{i + 1}' = -c h_{i + 1}", is_zero(identity, seconds=10)))
        return tuple(out)

    def _at(self, e: sp.Expr, x: Sequence[sp.Expr]) -> sp.Expr:
        values = {self.derived.s: self.squared_norm(x), _symbols()[1]: self.effective_eta}
        return e.xreplace(values)

    def _dual_norm(self, theta: Sequence[Any]) -> tuple[list[sp.Expr], sp.Expr, sp.Expr]:
        q = [self.derived.q(t) for t in _vector(theta)]
        total = sp.Add(*(v**2 for v in q))
        T = sp.Dummy("T", positive=True)
        s = self.derived.norm_of(T).xreplace({_symbols()[1]: self.effective_eta})
        return q, total, s.xreplace({T: total})

    def __str__(self) -> str:
        return f"x_i = (r u_i/|u|)**{self.depth}, eta = {self.eta}"


def _symbols() -> tuple[sp.Symbol, sp.Symbol]:
    return sp.Symbol("s", positive=True), sp.Symbol("eta", positive=True)


@lru_cache(maxsize=32)
def _derived(depth: sp.Expr) -> PowerWarp:
    """The derivation with unit norm and rate, once for each depth; a symbol is taken above 2."""
    s, eta = _symbols()
    metric, _ = polar_metric(s, eta, sp.S.One, sp.S.One)
    if not depth.free_symbols:
        return power_warp(metric, depth)
    above = sp.Dummy("p", positive=True)
    found = power_warp(metric, above + 2)
    back = {above: depth - 2}
    pair = found.potential
    return PowerWarp(
        metric,
        depth,
        found.w,
        found.warp.xreplace(back),
        found.radial.xreplace(back),
        found.dual.xreplace(back),
        None if pair is None else (pair[0].xreplace(back), pair[1].xreplace(back)),
        found.total.xreplace(back),
        found.certificates,
    )


def _positive(name: str, value: Any) -> sp.Expr:
    if isinstance(value, str):
        names = {n: sp.Symbol(n, positive=True) for n in ("eta", "L", "k", "p")}
        value = parse(value, names)
    if isinstance(value, float) and not math.isfinite(value):
        raise AssumptionError(f"Expected a finite {name} > 0 but got {name} = {value!r}.")
    e = read_exact(value, name)
    if not e.is_finite or e.has(sp.nan, sp.zoo, sp.oo):
        raise AssumptionError(f"Expected a finite {name} > 0 but got {name} = {value!r}.")
    e = e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})
    taken = [t.name for t in e.free_symbols if _TAKEN.fullmatch(t.name)]
    if taken:
        raise FormulaError(f"The symbol {taken[0]} in {name} is used by the model; rename it.")
    if e.is_positive is not True:
        raise AssumptionError(
            f"Expected {name} > 0 but got {name} = {value!r}; declare a symbol with "
            f"sp.Symbol('{name}', positive=True)."
        )
    return e


def _matrix(A: Any) -> sp.Matrix:
    rows = A.tolist() if hasattr(A, "tolist") else A
    try:
        return sp.Matrix([[read_exact(v, "entry of A") for v in row] for row in rows])
    except (TypeError, ValueError) as error:
        if isinstance(error, FormulaError):
            raise
        raise ShapeError(f"Expected a matrix A with rows of one length: {error}.") from error


def _vector(x: Any) -> list[sp.Expr]:
    if isinstance(x, str) or not hasattr(x, "__iter__"):
        raise ShapeError(f"Expected a sequence with the entries of x but got {x!r}.")
    out = [read_exact(v, "entry of x") for v in x]
    if not out:
        raise ShapeError("Expected at least one entry but got none.")
    return out
