r"""Is a coupled parametrization a mirror flow, a time-warped one, or none, from a given start?

The gradient fields commute: a mirror flow. They do so after a common scaling: a time-warped one.
At the start, exactly: what excludes every potential and warp. Where the answer depends on the leaf
through the start, and for closed forms, the leaf is parametrized.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from theory.errors import DomainError, ShapeError, StartError
from theory.exact.budget import time_budget
from theory.exact.guard import proposal
from theory.exact.verdict import Certificate, Status, Verdict
from theory.flow.coupled import CoupledModel
from theory.mirror.brackets import commuting
from theory.mirror.exact_start import (
    WithNumbers,
    coordinate_value,
    read_start,
    require_full_rank,
)
from theory.mirror.frame import (
    conformal,
    exactly_zero,
    excluded_at,
    fills,
    scaled_fields_commute,
    slopes_at,
)
from theory.mirror.leaf import Leaf, find_leaf, given_leaf, known_laws, stay_at_zero
from theory.mirror.warp import coordinate_structure, simpler

__all__ = ["Structure", "structure"]

_NEAR = 8
"""Points near the start at which the conditions are tried."""


@dataclass(frozen=True)
class Structure:
    r"""What the flow of a coupled parametrization is, from a start.

    Parameters
    ----------
    kind : {"mirror", "warped", "none", "undecided"}
        "none" excludes every potential with every warp, also a warp that depends on the parameters.
    verdict : Verdict
        PROVED for "mirror" and "warped"; REFUTED, with an exact point, for "none".
    coordinates : tuple of sympy.Symbol
        q on the leaf through the start; empty when it was not parametrized.
    embedding : mapping from parameter to expression in q
    x : tuple of sympy.Expr
        x in q.
    warp : sympy.Expr or None
        c in q, with $\nabla^2F = cM^{-1}$, when in closed form.
    dual : tuple of sympy.Expr or None
        $\nabla F$ in q, up to constants.
    potential : sympy.Expr or None
        F in q, up to affine terms.
    slopes : tuple of sympy.Expr or None
        $\psi_i = V_i\log c$ in the parameters, with which $[V_i, V_j] = \psi_iV_j - \psi_jV_i$
        on every leaf.
    certificates : tuple of Certificate
    note : str
        What is missing, and why.
    """

    kind: str
    verdict: Verdict
    coordinates: tuple[sp.Symbol, ...] = ()
    embedding: Mapping[sp.Symbol, sp.Expr] | None = None
    x: tuple[sp.Expr, ...] = ()
    warp: sp.Expr | None = None
    dual: tuple[sp.Expr, ...] | None = None
    potential: sp.Expr | None = None
    slopes: tuple[sp.Expr, ...] | None = None
    certificates: tuple[Certificate, ...] = ()
    note: str = ""

    @property
    def witness(self) -> dict[str, str] | None:
        """The exact point where the condition fails, for "none"."""
        return self.verdict.witness

    def __str__(self) -> str:
        text = f"{self.kind} ({self.verdict})"
        if self.dual is not None:
            text += f"; x = {self.x}, grad F = {self.dual}"
            if self.kind == "warped":
                text += f", c = {self.warp}"
        return text + (f"; {self.note}" if self.note else "")


def structure(
    model: CoupledModel,
    start: Mapping[Any, Any] | None = None,
    *,
    leaf: Mapping[Any, Any] | None = None,
    laws: Sequence[sp.Expr] | None = None,
    seconds: float = 20.0,
) -> Structure:
    r"""Decide whether the flow of x from a start is a mirror flow, a time-warped one, or none.

    Parameters
    ----------
    model : CoupledModel
    start : mapping from parameter to an exact number
        Decimals stand for what they print as. When a leaf is given, a mapping from its
        coordinates instead, or nothing.
    leaf : mapping from parameter to expression, optional
        The leaf in d coordinates of your own; that the flow stays on it is proved first.
    laws : sequence of sympy.Expr, optional
        Conservation laws to find the leaf with; searched for unless given.
    seconds : float
        CPU time for the computation on the leaf, which gives the closed forms. What is decided
        without a leaf does not depend on it.

    Raises
    ------
    FormulaError
        For components that are constant, or functions of each other.
    StartError
        For a start that is incomplete, and where x cannot move in all directions.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["a*v", "a*w"], "a, v, w", assume={"a": "positive"})
    >>> found = structure(model, {"a": 2, "v": 1, "w": 1})
    >>> found.kind, found.warp, found.dual
    ('warped', sqrt(v**2 + w**2 + 2), (v, w))
    """
    if len(model.components) > len(model.parameters):
        raise ShapeError(
            f"x has {len(model.components)} components and only {len(model.parameters)} "
            "parameters, so it cannot move in all directions."
        )
    if start is None and leaf is None:
        raise StartError("Expected a start: which leaf the flow is on decides its structure.")
    if not seconds > 0:
        raise DomainError(f"Expected seconds > 0 but got seconds = {seconds!r}.")
    if leaf is not None:
        return _given(model, leaf, start, seconds)
    assert start is not None
    point, model = read_start(model, start)
    require_full_rank(model, point)
    zeros = stay_at_zero(model, point)
    if zeros:
        formulas = tuple(g.xreplace(dict.fromkeys(zeros, sp.S.Zero)) for g in model.components)
        used = set().union(*(g.free_symbols for g in formulas))
        kept = [(s, p) for s, p in zip(model.parameters, model.rates, strict=True) if s in used]
        # what no component contains any more does not move
        fixed = {s: point[s] for s in model.parameters if s not in used}
        ranges = {s: r for s, r in model.ranges.items() if s in used}
        smaller = WithNumbers(
            formulas, tuple(s for s, _ in kept), tuple(p for _, p in kept), ranges
        )
        found = _from_point(smaller, {s: point[s] for s, _ in kept}, laws, seconds)
        if found.embedding is None:
            return found
        return replace(found, embedding={**found.embedding, **fixed})
    return _from_point(model, point, laws, seconds)


def _given(
    model: CoupledModel,
    leaf: Mapping[Any, Any],
    start: Mapping[Any, Any] | None,
    seconds: float,
) -> Structure:
    made = given_leaf(model, leaf)
    at: dict[sp.Symbol, sp.Expr] = {}
    known = commuting(model)
    proved = Structure("mirror", known) if known.proved else None
    if start is not None:
        at = {s: coordinate_value(s, start) for s in made.coordinates}
    # without a start, any point of the leaf tells whether the warp is constant on it
    probe = at or {s: sp.Integer(k + 1) for k, s in enumerate(made.coordinates)}
    point = {s: made.embedding[s].xreplace(probe) for s in model.parameters}
    numbers = not any(e.free_symbols or e.is_real is not True for e in point.values())
    if start is not None and numbers:
        require_full_rank(model, point)
    if proved is None and numbers and _regular(model, point):
        excluded = excluded_at(model, point)
        if excluded is not None:
            return Structure("none", excluded)
        proved = _everywhere(model, point)
    found = proposal(_within, seconds, _on_leaf, model, made, known, at, seconds=seconds)
    return _combined(proved, found)


def _combined(proved: Structure | None, found: Structure | None) -> Structure:
    """What is proved in the parameters, with the closed forms that were found on the leaf."""
    if found is None:
        note = "the computation on the leaf did not end in its time; give more with seconds=..."
        found = Structure("undecided", Verdict(Status.UNDECIDED, note))
    if proved is None:
        return found
    if found.kind == "undecided":
        text = found.note or found.verdict.method
        return replace(proved, note="; ".join(t for t in (proved.note, text) if t))
    if found.kind != proved.kind:
        raise ArithmeticError(
            f"The flow is proved to be {proved.kind}, and on its leaf to be {found.kind}: one of "
            "the two is a mistake of the program. Please report the formulas and the start."
        )
    return replace(found, verdict=proved.verdict, slopes=proved.slopes)


def _from_point(
    model: CoupledModel,
    point: dict[sp.Symbol, sp.Expr],
    laws: Sequence[sp.Expr] | None,
    seconds: float,
) -> Structure:
    known = commuting(model)
    proved: Structure | None = None
    if known.proved:
        proved = Structure("mirror", known)
    elif len(model.components) > 1:
        excluded = excluded_at(model, point)
        if excluded is not None:
            return Structure("none", excluded)
        proved = _everywhere(model, point)
        if proved is not None and proved.kind == "none":
            return proved
    found = proposal(_within, seconds, _through, model, point, known, laws, seconds=seconds)
    return _combined(proved, found)


def _everywhere(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> Structure | None:
    """What identities in the parameters say, without the leaf; None when it depends on the leaf."""
    # a warp whose differential vanishes at the start may be constant on this leaf
    moves = any(exactly_zero(e) is False for e in slopes_at(model, point))
    scaled = scaled_fields_commute(model, point) if moves else None
    if scaled is not None and scaled[0].proved:
        text = "the gradient fields commute after a common scaling, which is not constant"
        verdict = Verdict(Status.PROVED, f"{text} ({scaled[0].method})")
        return Structure("warped", verdict, slopes=scaled[1])
    same = conformal(model, point)
    if same is not None and (moves or same[1]):
        x = sp.Matrix(model.components)
        K = model.metric().xreplace(point)
        return Structure(
            "mirror" if same[1] else "warped",
            same[0],
            x=tuple(x),
            warp=sp.S.One if same[1] else model.metric()[0, 0] / K[0, 0],
            dual=tuple(K.inv() * x),
            potential=(x.T * K.inv() * x)[0] / 2,
            note="x, the warp and the potential are in the parameters",
        )
    rational = all(e.is_Rational for e in model.metric().xreplace(point))
    if rational and fills(model, point):
        # the start reaches a neighborhood of itself: the conditions hold there identically or not
        for k in range(1, _NEAR):
            near = {
                s: v
                + sp.Rational(k * (-1) ** (i // (k % 3 + 1)), 97 + 10 * i) * (abs(v) if v else 1)
                for i, (s, v) in enumerate(point.items())
            }
            excluded = _excluded_or_none(model, near)
            if excluded is not None:
                return Structure("none", excluded)
    return None


def _regular(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> bool:
    """Whether x can move in all directions from a point of the domain, proved."""
    det = model.metric().xreplace(point).det()
    return not det.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I) and exactly_zero(det) is False


def _excluded_or_none(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> Verdict | None:
    if not _regular(model, point):
        return None
    found = excluded_at(model, point)
    if found is None:
        return None
    text = found.method.replace("at the start", "at a point near the start")
    return replace(found, method=text)


def _within(seconds: float, function: Callable[..., Structure], *arguments: Any) -> Structure:
    # the limit of a worker does not count what its own workers take; the budget does
    with time_budget(seconds):
        return function(*arguments)


def _through(
    model: CoupledModel,
    point: dict[sp.Symbol, sp.Expr],
    known: Verdict,
    laws: Sequence[sp.Expr] | None,
) -> Structure:
    """The structure on the leaf through a point, with closed forms."""
    made, note = _leaf(model, point, laws)
    if made is None:
        if known.proved:
            return Structure("mirror", known, note=note)
        return Structure("undecided", Verdict(Status.UNDECIDED, f"{known.method}; {note}"))
    return _on_leaf(model, made, known, {s: point[s] for s in made.coordinates})


def _leaf(
    model: CoupledModel,
    point: dict[sp.Symbol, sp.Expr],
    laws: Sequence[sp.Expr] | None,
) -> tuple[Leaf | None, str]:
    if len(model.parameters) == len(model.components):
        identity = {s: s for s in model.parameters}
        whole = Certificate(
            "the leaf is the whole space",
            Verdict(Status.PROVED, "as many parameters as components"),
        )
        return Leaf(model.parameters, identity, whole), ""
    found = known_laws(model) if laws is None else tuple(laws)
    need = len(model.parameters) - len(model.components)
    if len(found) < need:
        return None, (
            f"{need} conservation laws are needed to find the leaf and {len(found)} are known; "
            "give the leaf in coordinates of your own with leaf=..."
        )
    made = find_leaf(model, point, found)
    if made is None:
        return None, "the laws were not solved for the leaf; give it with leaf=..."
    return made, ""


def _on_leaf(
    model: CoupledModel, leaf: Leaf, known: Verdict, at: Mapping[sp.Symbol, sp.Expr]
) -> Structure:
    q = leaf.coordinates
    x = tuple(simpler(leaf.at(g)) for g in model.components)
    # shortened entry by entry before they are multiplied: roots collapse on the leaf
    metric = model.metric().applyfunc(lambda e: simpler(leaf.at(e)))
    N = sp.Matrix(x).jacobian(q)
    omega = (metric.adjugate() * N / metric.det(method="berkowitz")).applyfunc(simpler)
    ranges = {s: r for s, r in model.ranges.items() if s in q}
    found = coordinate_structure(omega, x, q, ranges, at)
    kind, verdict = found.kind, found.verdict
    if known.proved and kind in ("mirror", "undecided"):
        # commuting fields: the closed form was only for the potential
        kind, verdict = "mirror", known
    if not leaf.certificate.proved and not known.proved:
        return Structure("undecided", leaf.certificate.verdict, q, leaf.embedding, x)
    note = ""
    if kind == "warped" and found.warp is None:
        note = "the warp exists; its logarithm was not integrated in closed form"
    elif kind in ("mirror", "warped") and found.dual is None:
        note = "the potential exists; its gradient was not integrated in closed form"
    elif kind in ("mirror", "warped") and found.potential is None:
        note = "the potential exists; it was not integrated in closed form, its gradient was"
    return Structure(
        kind, verdict, q, leaf.embedding, x, found.warp, found.dual, found.potential,
        certificates=(leaf.certificate, *found.certificates), note=note,
    )  # fmt: skip
