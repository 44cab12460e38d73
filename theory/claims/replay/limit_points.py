r"""Where a gradient flow ends: whether $x(t) \to x$.

Coordinate i moves along its curve: $\xi(t) = -A^T \nu(t)$ and $x_i = k_i(\xi_i)$, k_i increasing.
Let each x_i that is used lie inside of what its curve reaches, and $\xi = F'(x)$.

- If x is the limit, $\xi(t) \to F'(x)$, hence $\langle k, F'(x)\rangle = 0$ for $k \in \ker A$; and
  $x_i' = -M_i g_i$ tends to zero, $g = A^T q'(Ax)$, hence $g_i = 0$, as $M_i > 0$.
- Let A x = z*, $\langle k, F'(x)\rangle = 0$ on all of $\ker A$, and $q_j'(z)(z - z_j^*) > 0$ for
  $z \ne z_j^*$. Then $V = D_F(x, x(t))$ has $V' = \sum_j q_j'(z_j)(z_j^* - z_j) \le 0$. In $\xi$ it
  is convex with its minimum at F'(x), so it tends to infinity at an infinite end of $\xi$, and at
  a finite end where $F^* = \int x\,d\xi$ does. So $\xi$ stays in a compact set, and where V'
  vanishes A y = z*. As $F'(y) - F'(x) \in \operatorname{range} A^T$ is orthogonal to
  $y - x \in \ker A$ and F' increases strictly, y = x is the one limit (LaSalle).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from flint import arb, fmpq, fmpq_mat

from theory.claims.replay.answers import Relation, relation_on, smooth_on, terms_of
from theory.claims.replay.facts import (
    BITS,
    NEGATIVE,
    POSITIVE,
    Context,
    at_precision,
)
from theory.claims.replay.flow_questions import Curve, curve_of
from theory.claims.replay.germs import approached, is_infinite, moved
from theory.claims.replay.limit_balls import System, compared
from theory.claims.replay.relations import has_value, limit_at, read, relation_proved
from theory.claims.replay.steps import inside
from theory.claims.replay.terms import (
    Term,
    add,
    demand,
    derivative,
    is_name,
    mul,
    number,
    substitute,
    variables,
    written_out,
)

__all__ = [
    "LIMIT_POINTS", "LimitPoint", "consistency", "curve_relations", "demand_limit_point",
    "orthogonal", "sample_relations", "twin_relations",
]  # fmt: skip

LIMIT_POINTS = {
    "component", "parameters", "rates", "matrix", "slopes", "variables", "start", "point",
}  # fmt: skip
_NOTHING: dict[str, Any] = {"ranges": {}, "relations": []}


class LimitPoint:
    """The flow, its start and the point that it is claimed to tend to."""

    def __init__(self, claim: Mapping[str, Any]) -> None:
        entries = LIMIT_POINTS | {"ask", "ranges", "relations"}
        demand(
            set(claim) - {"tolerance"} == entries and claim["relations"] == [],
            "unknown entries of the claim",
        )
        self.claim = claim
        names, (z,) = list(claim["parameters"]), claim["variables"]
        demand(is_name(z) and z not in names, "no predictor")
        demand(set(claim["ranges"]) == set(names), "a domain of other names")
        rows = [[written_out(a) for a in row] for row in claim["matrix"]]
        self.x = [written_out(t) for t in claim["point"]]
        demand(rows and all(len(row) == len(self.x) for row in rows), "no matrix")
        self.matrix = [[_fraction(a) for a in row] for row in rows]
        self.slopes, self.z = terms_of(claim["slopes"], len(rows)), z
        demand(set().union(*map(variables, self.slopes)) <= {z}, "an open name in the loss")
        demand(len(claim["start"]) == len(self.x), "a wrong number of starts")
        starts = [t for row in claim["start"] for t in terms_of(row, len(names))]
        demand(all(map(has_value, [*self.x, *starts])), "the point or the start is none")

    def curve(self, i: int, hints: Mapping[str, Any]) -> Curve:
        """The curve of a coordinate."""
        kept = ("component", "parameters", "rates", "ranges", "relations")
        claim = {e: self.claim[e] for e in kept} | {"start": self.claim["start"][i]}
        return curve_of(claim, hints, {self.z})

    def predictor(self, j: int) -> Term:
        """(A x)_j."""
        pairs = zip(self.matrix[j], self.x, strict=True)
        return add(*(mul(_literal(a), x) for a, x in pairs if a), 0)

    def in_kernel(self, k: list[Fraction]) -> bool:
        """Whether A k = 0, for k that is not zero."""
        rows = (sum(a * b for a, b in zip(row, k, strict=True)) for row in self.matrix)
        return len(k) == len(self.x) and any(k) and not any(rows)


def _fraction(t: Term) -> Fraction:
    q = number(t)
    demand(q is not None, "not a rational number")
    return q or Fraction(0)


def _literal(q: Fraction) -> Term:
    return q.numerator if q.denominator == 1 else f"{q.numerator}/{q.denominator}"


def curve_relations(curve: Curve, dual: Term, conjugate: Term | None = None) -> list[Relation]:
    """What makes x and the dual variable strictly monotone along a curve."""
    s, domain = curve.s, curve.domain
    slope = derivative(dual, s)
    relations = [
        *curve.given,
        relation_on(domain, curve.metric, ">"),
        relation_on(domain, slope, "==", curve.clock),
        *(smooth_on(domain, t) for t in (curve.metric, curve.rho, dual, slope)),
    ]
    if conjugate is not None:
        rise = derivative(conjugate, s)
        relations += [
            relation_on(domain, rise, "==", mul(curve.rho, curve.clock)),
            smooth_on(domain, conjugate),
            smooth_on(domain, rise),
        ]
    return relations


class _Coordinate:
    """A coordinate whose curve is proved."""

    def __init__(self, q: LimitPoint, i: int, proof: Mapping[str, Any]) -> None:
        self.x, self.proof, self.hints = q.x[i], proof, proof["hints"]
        self.curve = q.curve(i, self.hints)
        self.dual = written_out(self.hints["dual"])
        given = self.hints.get("conjugate")
        self.conjugate = None if given is None else written_out(given)
        relations = curve_relations(self.curve, self.dual, self.conjugate)
        demand(len(proof["parts"]) == len(relations), "a relation is left out")
        for relation, part in zip(relations, proof["parts"], strict=True):
            relation_proved(relation, part)
        self.range = read(relation_on(self.curve.domain, 0, "=="))["ranges"]
        demand(set(self.range) == {self.curve.s}, "an open name along the curve")

    def _at(self, t: Term, s: Term) -> Term:
        return substitute(t, {self.curve.s: s})

    def dual_at(self) -> tuple[Term | None, arb]:
        """F'(x), exactly or None, and a ball around it; x is proved to be reached."""
        places = [written_out(s) for s in self.proof["at"]]
        for s in places:
            inside(Context(self.range), {self.curve.s: s})
        start = self._at(self.dual, written_out(self.hints["begin"]))
        if len(places) == 1:
            there = self._at(self.curve.rho, places[0])
            relation_proved(relation_on(_NOTHING, there, "==", self.x), self.proof["equal"])
            exact = add(self._at(self.dual, places[0]), mul(-1, start))
            return exact, at_precision(BITS[1], exact, {})
        low, high = places
        gaps = [Context({}).sign(add(self._at(self.curve.rho, s), mul(-1, self.x))) for s in places]
        demand(set(gaps) == {POSITIVE, NEGATIVE}, "the point is not between")
        values = [
            at_precision(BITS[1], add(self._at(self.dual, s), mul(-1, start)), {})
            for s in (low, high)
        ]
        return None, values[0].union(values[1])

    def confined(self) -> None:
        """At both ends the dual variable or the conjugate is infinite."""
        functions = [self.dual, self.conjugate]
        ends = zip(self.hints["range"], (["oo", -1], ["oo", 1]), "+-", strict=True)
        demand(len(self.proof["ends"]) == 2, "an end is left out")
        for (end, far, direction), part in zip(ends, self.proof["ends"], strict=True):
            place = far if end is None else written_out(end)
            f = functions[part["of"]]
            demand(f is not None, "no conjugate")
            v = _limit(f, self.curve.s, place, direction, part["proof"])
            demand(is_infinite(v), "no infinite limit at an end")


def _limit(f: Term, s: str, place: Term, direction: str, proof: Mapping[str, Any]) -> Term:
    germ = approached({}, is_infinite(place), proof)
    v = germ.limit(moved(f, s, place, direction, proof["name"]))
    demand(v is not None, "the steps prove no limit")
    return v


def demand_limit_point(claim: Mapping[str, Any], verdict: str, proof: Mapping[str, Any]) -> None:
    """The proof that a point is the limit, or that it is not."""
    q = LimitPoint(claim)
    if "tolerance" in claim:
        _within(q, written_out(claim["tolerance"]), verdict, proof)
    elif verdict == "PROVED":
        _proved(q, proof)
    else:
        _REFUTED[proof["because"]](q, proof)


def _same(q: LimitPoint, i: int, j: int) -> bool:
    return bool(q.x[i] == q.x[j] and q.claim["start"][i] == q.claim["start"][j])


def _coordinates(q: LimitPoint, proof: Mapping[str, Any]) -> dict[int, _Coordinate]:
    """A proved coordinate for each index that is given one, its own or an equal one."""
    made = {int(i): _Coordinate(q, int(i), part) for i, part in proof["coordinates"].items()}
    return {j: c for j in range(len(q.x)) for i, c in made.items() if _same(q, i, j)}


def _kernel(q: LimitPoint, proof: Mapping[str, Any]) -> None:
    k = [_fraction(a) for a in proof["k"]]
    demand(q.in_kernel(k), "not in the kernel")
    found = _coordinates(q, proof)
    total = arb(0)
    for i, a in enumerate(k):
        if a:
            total += found[i].dual_at()[1] * arb(fmpq(a.numerator, a.denominator))
    demand(total.is_finite() and not total.contains(0), "the product may be zero")


def _gradient(q: LimitPoint, proof: Mapping[str, Any]) -> None:
    i = proof["index"]
    _coordinates(q, proof)[i].dual_at()
    parts = []
    for j, slope in enumerate(q.slopes):
        if q.matrix[j][i]:
            # continuous there: a value alone is none of a limit, as for sign(z) at 0
            around, part = proof["smooth"][str(j)]
            relation_proved(smooth_on({"ranges": {q.z: around}, "relations": []}, slope), part)
            inside(Context({q.z: around}), {q.z: q.predictor(j)})
            there = substitute(slope, {q.z: q.predictor(j)})
            parts.append(mul(_literal(q.matrix[j][i]), there))
    s = Context({}).sign(add(*parts, 0))
    demand(s in (POSITIVE, NEGATIVE), "the gradient may be zero")


def _beyond(q: LimitPoint, proof: Mapping[str, Any]) -> None:
    i, side = proof["index"], proof["side"]
    demand(type(side) is int and side in (0, 1), "no end")
    c = _coordinates(q, proof)[i]
    # the curve of the proof may be a part of the whole
    last = c.curve.ends(c.hints, [c.dual, *c.curve.leaving])[side]
    demand(is_infinite(limit_at(last, proof["last"])), "the curve may go on")
    v = limit_at(c.curve.ends(c.hints, [c.curve.rho])[side], {"of": 0, "proof": proof["limit"]})
    demand(not is_infinite(v), "an infinite end")
    begin = substitute(c.curve.rho, {c.curve.s: written_out(c.hints["begin"])})
    sides = [Context({}).sign(add(t, mul(-1, v))) for t in (begin, q.x[i])]
    demand(set(sides) == {POSITIVE, NEGATIVE}, "the point is not beyond the end")


def twin_relations(q: LimitPoint) -> list[Relation]:
    """That the flow is smooth, hence has one solution."""
    rho = written_out(q.claim["component"])
    names = q.claim["parameters"]
    line = {"ranges": {q.z: [None, None]}, "relations": []}
    return [
        *(smooth_on(q.claim, derivative(rho, y)) for y in names),
        *(smooth_on(q.claim, p) for p in terms_of(q.claim["rates"], len(names))),
        *(smooth_on(line, slope) for slope in q.slopes),
    ]


def _twins(q: LimitPoint, proof: Mapping[str, Any]) -> None:
    """Coordinates with one column and one start change places: they move alike.

    Without bounds on the parameters, beyond which nothing would be known of the flow.
    """
    i, j = proof["pair"]
    demand(all(r == [None, None] for r in q.claim["ranges"].values()), "a bounded parameter")
    demand(type(i) is int and type(j) is int and min(i, j) >= 0, "no pair")
    demand(q.claim["start"][i] == q.claim["start"][j], "two starts")
    demand(all(row[i] == row[j] for row in q.matrix), "two columns")
    relations = twin_relations(q)
    demand(len(proof["parts"]) == len(relations), "a relation is left out")
    for relation, part in zip(relations, proof["parts"], strict=True):
        relation_proved(relation, part)
    apart = Context({}).sign(add(q.x[i], mul(-1, q.x[j])))
    demand(apart in (POSITIVE, NEGATIVE), "the point may be the same in both")


_REFUTED = {"kernel": _kernel, "gradient": _gradient, "beyond": _beyond, "twins": _twins}


def _confined(q: LimitPoint, proof: Mapping[str, Any], skip: int) -> list[Term]:
    """The targets, towards which the losses fall, and that the curves confine the flow."""
    targets = terms_of(proof["targets"], len(q.slopes))
    demand(len(proof["samples"]) == len(targets), "a sample is left out")
    for j, (z, part) in enumerate(zip(targets, proof["samples"], strict=True)):
        relations = sample_relations(q, j, z)[skip:]
        demand(len(part) == len(relations), "a relation is left out")
        for relation, p in zip(relations, part, strict=True):
            relation_proved(relation, p)
    return targets


def _within(q: LimitPoint, tolerance: Term, verdict: str, proof: Mapping[str, Any]) -> None:
    """The limit is enclosed, and compared with the point."""
    demand(not variables(tolerance), "no tolerance")
    targets = _confined(q, proof, 1)
    demand(all(map(has_value, targets)), "a target is no number")
    made = {int(i): _Coordinate(q, int(i), part) for i, part in proof["coordinates"].items()}
    for c in made.values():
        c.confined()
    starts = q.claim["start"]
    curves = []
    for start in starts:
        found = [c for i, c in made.items() if starts[i] == start]
        demand(found, "a coordinate is left out")
        c = found[0]
        begin = written_out(c.hints["begin"])
        ends = c.range[c.curve.s]
        curves.append((c.curve.s, c.curve.rho, c.dual, begin, ends))
    rows = proof["rows"]
    demand(all(type(j) is int and 0 <= j < len(targets) for j in rows), "no rows")
    matrix = [q.matrix[j] for j in rows]
    rank = _rank(q.matrix)
    demand(len(rows) == rank == _rank(matrix), "not as many independent rows as there are")
    _consistent(q.matrix, targets, proof["left"])
    system = System(curves, matrix, [targets[j] for j in rows])
    compared(system, q.x, tolerance, verdict, proof)


def _consistent(
    matrix: list[list[Fraction]], targets: list[Term], left: list[tuple[list[Any], Any]]
) -> None:
    """The targets lie in the range of the matrix: they are orthogonal to its left kernel."""
    basis = [[_fraction(a) for a in k] for k, _ in left]
    columns = list(zip(*matrix, strict=True))
    for k, (_, part) in zip(basis, left, strict=True):
        demand(len(k) == len(targets), "a vector of another length")
        products = (sum(a * b for a, b in zip(c, k, strict=True)) for c in columns)
        demand(not any(products), "not in the left kernel")
        relation_proved(consistency(k, targets), part)
    missing = len(targets) - _rank(matrix)
    demand(len(basis) == missing and _rank(basis) == missing, "not a basis of the left kernel")


def consistency(k: list[Fraction], targets: list[Term]) -> Relation:
    """That a vector is orthogonal to the targets."""
    pairs = zip(k, targets, strict=True)
    return relation_on(_NOTHING, add(*(mul(_literal(a), z) for a, z in pairs if a), 0), "==")


def _proved(q: LimitPoint, proof: Mapping[str, Any]) -> None:
    _confined(q, proof, 0)
    found = _coordinates(q, proof)
    demand(set(found) == set(range(len(q.x))), "a coordinate is left out")
    for c in set(found.values()):
        c.confined()
    basis = [[_fraction(a) for a in k] for k in proof["kernel"]]
    demand(all(map(q.in_kernel, basis)), "not in the kernel")
    missing = len(q.x) - _rank(q.matrix)
    demand(len(basis) == missing and _rank(basis) == missing, "not a basis of the kernel")
    duals = {id(c): c.dual_at()[0] for c in found.values()}
    demand(len(proof["products"]) == len(basis), "a product is left out")
    for k, part in zip(basis, proof["products"], strict=True):
        total = orthogonal(k, [(id(found[i]), duals[id(found[i])]) for i in range(len(k))])
        relation_proved(relation_on(_NOTHING, total, "=="), part)


def orthogonal(k: list[Fraction], duals: list[tuple[int, Term | None]]) -> Term:
    """The product of k and F'(x), where equal coordinates have one unknown."""
    weights: dict[int, Fraction] = {}
    values = dict(duals)
    for a, (mark, _) in zip(k, duals, strict=True):
        weights[mark] = weights.get(mark, Fraction(0)) + a
    parts: list[Term] = [0]
    for mark, a in weights.items():
        if a:
            demand(values[mark] is not None, "F'(x) is not known exactly")
            parts.append(mul(_literal(a), values[mark]))
    return add(*parts)


def sample_relations(q: LimitPoint, j: int, z: Term) -> list[Relation]:
    """The target of a sample is met at x, and its loss falls towards it on both sides."""
    slope = q.slopes[j]
    above, below = ({"ranges": {q.z: r}, "relations": []} for r in ([z, None], [None, z]))
    line = {"ranges": {q.z: [None, None]}, "relations": []}
    return [
        relation_on(_NOTHING, q.predictor(j), "==", z),
        relation_on(above, slope, ">"),
        relation_on(below, mul(-1, slope), ">"),
        smooth_on(line, slope),
    ]


def _rank(rows: list[list[Fraction]]) -> int:
    if not rows:
        return 0
    return int(fmpq_mat([[fmpq(a.numerator, a.denominator) for a in row] for row in rows]).rank())
