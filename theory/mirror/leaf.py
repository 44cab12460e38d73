r"""Coordinates of the leaf on which the flow from a start stays.

With D parameters, d components and D - d independent conservation laws, the leaf has dimension d.
The laws are solved for D - d parameters, one after the other by roots of polynomials of degree one
or two; the others are the coordinates. Whatever gave the coordinates, it is proved that the
gradient fields are tangent to the leaf.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import DomainError, FormulaError, ShapeError, TheoryError, UnsupportedFormula
from theory.exact.initial_data import read_exact
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel
from theory.flow.coupled_laws import coupled_laws
from theory.mirror.brackets import all_zero, gradient_fields

__all__ = ["Leaf", "find_leaf", "given_leaf", "known_laws", "stay_at_zero"]

_TRIES = 200
_OPEN = Verdict(Status.UNDECIDED, "not checked")


@dataclass(frozen=True)
class Leaf:
    r"""A parametrized leaf $\theta = \Theta(q)$.

    Parameters
    ----------
    coordinates : tuple of sympy.Symbol
        q, as many as components.
    embedding : mapping from parameter to expression in q
    certificate : Certificate
        That the gradient fields are tangent to it.
    """

    coordinates: tuple[sp.Symbol, ...]
    embedding: Mapping[sp.Symbol, sp.Expr]
    certificate: Certificate

    def at(self, e: sp.Expr) -> sp.Expr:
        """An expression in the parameters, in q."""
        return e.xreplace(dict(self.embedding))


def stay_at_zero(model: CoupledModel, start: Mapping[sp.Symbol, sp.Expr]) -> tuple[sp.Symbol, ...]:
    """The parameters that start at zero and stay there, whatever the loss and the data.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u**2 + z**2*v", "v**2 + u*z"], "u, v, z")
    >>> u, v, z = model.parameters
    >>> stay_at_zero(model, {u: sp.S.One, v: sp.S.One, z: sp.S.Zero})
    ()
    >>> stay_at_zero(Coupled("u**2 + z**2*v, v**2", "u, v, z"), {u: 1, v: 1, z: sp.S.Zero})
    (z,)
    """
    zeros = [s for s in model.parameters if start[s] == 0]
    while zeros:
        there = dict.fromkeys(zeros, sp.S.Zero)
        moving = [
            s
            for s in zeros
            if any(sp.expand(sp.diff(g, s).xreplace(there)) != 0 for g in model.components)
        ]
        if not moving:
            return tuple(zeros)
        zeros = [s for s in zeros if s not in moving]
    return ()


def known_laws(model: CoupledModel) -> tuple[sp.Expr, ...]:
    """Laws of low degree, polynomial and if needed with negative exponents."""
    need = len(model.parameters) - len(model.components)
    best: tuple[sp.Expr, ...] = ()
    for ansatz in ("polynomial", "laurent-log"):
        try:
            found = coupled_laws(model, degree=2, ansatz=ansatz).found
        except (TheoryError, ArithmeticError, LookupError):
            # laws only propose coordinates, which are then proved; none is an answer too
            continue
        if len(found) > len(best):
            best = tuple(found)
        if len(best) >= need:
            break
    return best


def tangent(leaf: Leaf, model: CoupledModel) -> Certificate:
    r"""Proof that $\Theta_q\,N^{-1}M e_i = V_i$ on the leaf, with $N = \partial x/\partial q$."""
    q = leaf.coordinates
    theta = sp.Matrix([leaf.embedding[s] for s in model.parameters])
    x = sp.Matrix([leaf.at(g) for g in model.components])
    fields = [v.applyfunc(leaf.at) for v in gradient_fields(model)]
    N, T = x.jacobian(q), theta.jacobian(q)
    det = N.det(method="berkowitz")
    if det == 0 or is_zero(det, model.ranges).proved:
        raise DomainError("The coordinates do not parametrize x: its Jacobian is singular.")
    metric = model.metric().applyfunc(leaf.at)
    moves = T * N.adjugate() * metric
    claims = [
        (f"the entry {s} of V{i + 1} off the leaf", moves[k, i] - det * fields[i][k])
        for i in range(len(fields))
        for k, s in enumerate(model.parameters)
    ]
    verdict = all_zero(claims, model.ranges)
    return Certificate("the gradient fields are tangent to the leaf", verdict, "chain rule")


def given_leaf(model: CoupledModel, leaf: Mapping[Any, Any]) -> Leaf:
    """A leaf in the user's coordinates, checked.

    Raises
    ------
    FormulaError
        For a parameter that is missing or not known, and for what is no formula.
    ShapeError
        For more or fewer coordinates than components.
    DomainError
        When the gradient fields are not tangent to it.
    """
    by_name = {getattr(k, "name", k): v for k, v in leaf.items()}
    names = {s.name for s in model.parameters}
    if set(by_name) != names:
        raise FormulaError(
            f"Expected an expression for each of {', '.join(sorted(names))} but got "
            f"{', '.join(sorted(map(str, by_name)))}."
        )
    embedding = {}
    for s in model.parameters:
        e = by_name[s.name]
        if isinstance(e, str):
            # its coordinates need assumptions of their own
            raise FormulaError(f"Expected a SymPy expression for {s} but got {e!r}.")
        e = read_exact(e, s.name)
        if e.has(sp.I, sp.nan, sp.zoo, sp.oo):
            raise FormulaError(f"Expected a SymPy expression for {s} but got {e!r}.")
        embedding[s] = e.xreplace({f: sp.Rational(str(f)) for f in e.atoms(sp.Float)})
    free = set().union(*(e.free_symbols for e in embedding.values())) - set(model.constants)
    d = len(model.components)
    coordinates = tuple(sorted(free, key=lambda s: s.name))
    if len(coordinates) != d:
        raise ShapeError(
            f"Expected {d} coordinates, one for each component, but the leaf has "
            f"{', '.join(s.name for s in coordinates) or 'none'}; a constant of it must be a "
            "constant of the model, or a number."
        )
    made = Leaf(coordinates, embedding, Certificate("", _OPEN))
    certificate = tangent(made, model)
    if certificate.verdict.refuted:
        raise DomainError(f"The flow leaves the given leaf: {certificate.verdict}.")
    return Leaf(coordinates, embedding, certificate)


def find_leaf(
    model: CoupledModel, start: Mapping[sp.Symbol, sp.Expr], laws: Sequence[sp.Expr]
) -> Leaf | None:
    """The leaf through a start, when the laws can be solved; None otherwise.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["u*v", "u*w"], "u, v, w")
    >>> u, v, w = model.parameters
    >>> find_leaf(model, {u: sp.Integer(2), v: sp.S.One, w: sp.S.One}, [u**2 - v**2 - w**2])
    Leaf(coordinates=(v, w), embedding={u: sqrt(v**2 + w**2 + 2), v: v, w: w}, ...
    """
    parameters = model.parameters
    d, D = len(model.components), len(parameters)
    if len(laws) < D - d:
        return None
    chosen = list(laws)[: D - d]
    equations = [sp.expand(c - c.xreplace(dict(start))) for c in chosen]
    tries = 0
    for gone in itertools.combinations(parameters, D - d):
        for found in _solutions(equations, list(gone), dict(start)):
            tries += 1
            if tries > _TRIES:
                return None
            embedding = {s: found.get(s, s) for s in parameters}
            coordinates = tuple(s for s in parameters if s not in gone)
            made = Leaf(coordinates, embedding, Certificate("", _OPEN))
            try:
                certificate = tangent(made, model)
            except TheoryError:
                continue
            if certificate.proved:
                return Leaf(coordinates, embedding, certificate)
    return None


def _solutions(
    equations: list[sp.Expr], unknown: list[sp.Symbol], start: dict[sp.Symbol, sp.Expr]
) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    """Each unknown as a function of the others, on the branch of the start."""
    if not equations:
        if not unknown:
            yield {}
        return
    equation, rest = equations[0], equations[1:]
    for y in unknown:
        for root in _roots(equation, y, start):
            others = [sp.expand(sp.numer(sp.together(e.xreplace({y: root})))) for e in rest]
            if any(e == 0 for e in others):
                continue
            for found in _solutions(others, [u for u in unknown if u != y], start):
                yield {**found, y: root.xreplace(found)}
            break


def _roots(e: sp.Expr, y: sp.Symbol, start: dict[sp.Symbol, sp.Expr]) -> Iterator[sp.Expr]:
    """Roots in y that have the value of the start there, and are smooth there."""
    numerator = sp.numer(sp.together(e))
    if not numerator.is_polynomial(y):
        return
    coefficients = sp.Poly(numerator, y).all_coeffs()
    if len(coefficients) == 2:
        candidates = [-coefficients[1] / coefficients[0]]
    elif len(coefficients) == 3:
        a, b, c = coefficients
        discriminant = sp.factor(b**2 - 4 * a * c)
        root = _square_root(discriminant)
        if root.has(sp.Pow) and _same(discriminant.xreplace(start), sp.S.Zero):
            # two branches meet at the start
            return
        candidates = [sp.cancel((-b + sign * root) / (2 * a)) for sign in (1, -1)]
    else:
        return
    for candidate in candidates:
        value = candidate.xreplace(start)
        if not value.has(sp.nan, sp.zoo, sp.oo, -sp.oo) and _same(value, start[y]):
            yield candidate


def _square_root(e: sp.Expr) -> sp.Expr:
    """A polynomial root of a perfect square, of either sign; sqrt(e) otherwise."""
    constant, factors = sp.factor_list(e)
    if constant.is_positive and all(m % 2 == 0 for _, m in factors):
        return sp.sqrt(constant) * sp.Mul(*(f ** (m // 2) for f, m in factors))
    outer = sp.Mul(*(f ** (m // 2) for f, m in factors))
    inner = sp.Mul(*(f ** (m % 2) for f, m in factors))
    content, primitive = sp.expand(constant * inner).as_content_primitive()
    return sp.sqrt(content) * outer * sp.sqrt(primitive)


def _same(a: sp.Expr, b: sp.Expr) -> bool:
    try:
        return is_zero(a - b).proved
    except (DomainError, UnsupportedFormula):
        return False
