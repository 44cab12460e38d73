r"""Is a coupled parametrization a mirror flow, a time-warped one, or none, from a given start?

The gradient fields commute: a mirror flow. At the start, exactly: the condition for a warp in the
frame of the gradient fields, and whether the metric changes while x stands still; either failure
excludes every potential and warp. On a leaf with coordinates: identities, proved or refuted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.errors import DomainError, ShapeError, StartError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.initial_data import read_number
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel
from theory.mirror.brackets import bracket, commuting, gradient_fields
from theory.mirror.leaf import Leaf, find_leaf, given_leaf, known_laws
from theory.mirror.warp import coordinate_structure, simpler

__all__ = ["Structure", "structure"]


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

    Raises
    ------
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
    point = None
    at: dict[sp.Symbol, sp.Expr] = {}
    made, note = None, ""
    if leaf is not None:
        made = given_leaf(model, leaf)
        if start is not None:
            at = {s: _number(s, start) for s in made.coordinates}
            point = {s: made.embedding[s].xreplace(at) for s in model.parameters}
            point = None if any(e.free_symbols for e in point.values()) else point
    elif start is not None:
        point, model = _read_start(model, start)
    if point is not None:
        _require_full_rank(model, point)
    known = commuting(model)
    if known.refuted and point is not None:
        verdict = _at_start(model, point)
        if verdict is not None:
            return Structure("none", verdict)
    if made is None:
        assert point is not None
        made, note = _leaf(model, point, laws)
        at = point
    if made is None:
        if known.proved:
            return Structure("mirror", known, note=note)
        return Structure("undecided", Verdict(Status.UNDECIDED, f"{known.method}; {note}"))
    return _on_leaf(model, made, known, {s: at[s] for s in made.coordinates if s in at})


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
    metric = model.metric().applyfunc(leaf.at)
    N = sp.Matrix(x).jacobian(q)
    omega = (metric.adjugate() * N / metric.det(method="berkowitz")).applyfunc(simpler)
    ranges = {s: r for s, r in model.ranges.items() if s in q}
    found = coordinate_structure(omega, x, q, ranges, at)
    kind, verdict = found.kind, found.verdict
    if known.proved:
        # commuting fields: the closed form was only for the potential
        kind, verdict = "mirror", known
        if found.kind not in ("mirror", "undecided"):
            raise ArithmeticError(
                "The fields commute, and the metric on the leaf is not a mirror flow."
            )
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
        (leaf.certificate, *found.certificates), note,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _WithNumbers(CoupledModel):
    """A model whose constants have values."""

    formulas: tuple[sp.Expr, ...]
    parameters: tuple[sp.Symbol, ...]
    rates: tuple[sp.Expr, ...]
    ranges: Ranges

    @property
    def components(self) -> tuple[sp.Expr, ...]:
        return self.formulas


def _read_start(
    model: CoupledModel, start: Mapping[Any, Any]
) -> tuple[dict[sp.Symbol, sp.Expr], CoupledModel]:
    if not isinstance(start, Mapping):
        raise StartError(f"Expected the start as a mapping from parameters but got {start!r}.")
    by_name = {str(getattr(k, "name", k)): v for k, v in start.items()}
    wanted = (*model.parameters, *model.constants)
    names = {s.name for s in wanted}
    missing = [s.name for s in model.parameters if s.name not in by_name]
    unknown = sorted(set(by_name) - names)
    if missing or unknown:
        raise StartError(
            f"The start misses {', '.join(missing) or 'nothing'} and has the unknown names "
            f"{', '.join(unknown) or 'none'}."
        )
    if len(by_name) < len(names):
        raise StartError(
            f"Expected numbers for the constants too: {', '.join(s.name for s in model.constants)}."
        )
    point = {}
    for s in wanted:
        value = by_name[s.name]
        if isinstance(value, sp.Expr) and value.free_symbols:
            raise StartError(f"Expected an exact number for {s} but got {value}.")
        number = read_number(value, s.name)
        if (s.is_positive and not number.is_positive) or (s.is_negative and not number.is_negative):
            raise StartError(f"The start {s} = {number} contradicts the assumptions on {s}.")
        point[s] = number
    if not model.constants:
        return point, model
    values = {s: point.pop(s) for s in model.constants}
    ranges = {s: r for s, r in model.ranges.items() if s in point}
    formulas = tuple(e.xreplace(values) for e in model.components)
    rates = tuple(e.xreplace(values) for e in model.rates)
    return point, _WithNumbers(formulas, model.parameters, rates, ranges)


def _number(s: sp.Symbol, start: Mapping[Any, Any]) -> sp.Expr:
    by_name = {str(getattr(k, "name", k)): v for k, v in start.items()}
    if s.name not in by_name:
        raise StartError(f"The start misses the coordinate {s.name} of the leaf.")
    return read_number(by_name[s.name], s.name)


def _exactly_zero(e: sp.Expr) -> bool | None:
    """Whether a number is zero: True and False are proved."""
    if e.is_Rational:
        return bool(e == 0)
    try:
        verdict = is_zero(e)
    except (DomainError, UnsupportedFormula):
        return None
    return True if verdict.proved else False if verdict.refuted else None


def _require_full_rank(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> None:
    det = model.metric().xreplace(point).det()
    if det.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        raise StartError("The components are not differentiable at the start.")
    if _exactly_zero(det) is not False:
        raise StartError(
            "Expected a start at which x can move in all directions, but the Jacobian of the "
            "components does not have full rank there; move the start a little."
        )


def _at_start(model: CoupledModel, point: dict[sp.Symbol, sp.Expr]) -> Verdict | None:
    r"""A reason, exact at the start, why no potential and no warp exists; None if there is none.

    Along $V_l$ the identity $c(\theta)M^{-1} = \nabla^2F(x(\theta))$ gives, with
    $\partial_k = \sum_l H_{kl}V_l$ and $\varphi_k = \partial_k\log c$, that
    $H_{ij}\varphi_k + \partial_kH_{ij}$ is symmetric in all indices, also for c of the parameters.
    """
    d, symbols = len(model.components), model.parameters
    fields = gradient_fields(model)
    metric = model.metric()
    M = metric.xreplace(point)
    H = M.inv()
    V = [f.xreplace(point) for f in fields]
    gradients = [metric.diff(s).xreplace(point) for s in symbols]

    def along(direction: sp.Matrix) -> sp.Matrix:
        out = sp.zeros(d, d)
        for step, g in zip(direction, gradients, strict=True):
            out += step * g
        return out

    witness = {s.name: str(v) for s, v in point.items()}
    if d > 1:
        by_field = [along(v) for v in V]
        D = [_combined([H[k, m] for m in range(d)], by_field) for k in range(d)]
        divergence = [sum(D[j][j, m] for j in range(d)) for m in range(d)]
        phi = [
            ((H * D[k]).trace() - sum(H[k, m] * divergence[m] for m in range(d))) / (d - 1)
            for k in range(d)
        ]
        DH = [-H * D[k] * H for k in range(d)]
        for i in range(d):
            for j in range(d):
                for k in range(j + 1, d):
                    gap = H[i, j] * phi[k] - H[i, k] * phi[j] - DH[j][i, k] + DH[k][i, j]
                    if _exactly_zero(gap) is False:
                        return Verdict(
                            Status.REFUTED,
                            f"the condition for a warp fails at the start: its entry "
                            f"({i + 1}, {j + 1}, {k + 1}) is {gap}",
                            witness=witness,
                        )
    J = model.jacobian().xreplace(point)
    for i in range(d):
        for j in range(i + 1, d):
            B = bracket(fields[i], fields[j], symbols).xreplace(point)
            coefficients = H * J * B
            vertical = B - _combined(list(coefficients), V)
            if all(_exactly_zero(e) is not False for e in vertical):
                continue
            change = along(vertical)
            if _proportional(change, M) is False:
                return Verdict(
                    Status.REFUTED,
                    f"[V{i + 1}, V{j + 1}] moves the parameters in a direction in which x stands "
                    "still and the metric changes its shape, so that x does not determine it",
                    witness=witness,
                )
    return None


def _combined(coefficients: list[sp.Expr], matrices: Sequence[sp.Matrix]) -> sp.Matrix:
    out = sp.zeros(*matrices[0].shape)
    for c, m in zip(coefficients, matrices, strict=True):
        out += c * m
    return out


def _proportional(change: sp.Matrix, M: sp.Matrix) -> bool | None:
    """Whether a matrix is a multiple of M, whose first entry is not zero."""
    answers = [_exactly_zero(e * M[0, 0] - change[0, 0] * m) for e, m in zip(change, M)]
    if any(a is False for a in answers):
        return False
    return True if all(answers) else None
