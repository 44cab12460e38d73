r"""One validated Taylor step of an autonomous ODE $y' = f(y)$, with Lohner's QR bookkeeping.

The set of states is $\{m + A r : r \in [r]\}$ with a point m, a matrix A near an orthogonal one and
a box [r] around 0. A step of length h proves first that all solutions stay in a box B:

$$ \sum_{k<p} c_k([y])\,[0, h]^k + c_p(B)\,[0, h]^p \subset \operatorname{int} B , $$

$c_k(y)$ the Taylor coefficients of the solution through y. A solution cannot leave B before h then:
up to its exit, Taylor's formula with Lagrange's remainder holds, and it keeps the solution inside.
With the remainder $c_p(B)$ known, the mean value theorem in the start gives, for $0 \le s \le h$,

$$ y(s) \in \sum_{k<p} c_k(m)\,s^k + c_p(B)\,s^p + \Bigl(\sum_{k<p} V_k([y])\,s^k\Bigr) A\,[r] , $$

$V_k = \partial c_k/\partial y$. Written with A next to the box, it does not wrap (Lohner 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flint import arb, arb_mat, arb_series, fmpq

from theory.exact.balls import Program, series_length

__all__ = ["EnclosureLost", "Field", "State", "Step", "advance", "coefficients", "initial_state"]

Rows = list[list[arb]]


class EnclosureLost(ArithmeticError):
    """No finite enclosure: a step too long, or a field that is not analytic here."""


@dataclass(frozen=True, slots=True)
class Field:
    """A compiled vector field with its Jacobian (row by row), and what must stay positive."""

    program: Program
    jacobian: Program
    positive: Program

    def taylor(self, start: Sequence[arb], order: int) -> Rows:
        """The coefficients 0..order of the solutions through a box, a row per component."""
        rows = [[c] for c in start]
        for k in range(1, order + 1):
            # the next coefficient of y is the last one of f(y), divided by its degree
            for row, value in zip(rows, coefficients(self.program, rows, k), strict=True):
                row.append(value[-1] / k)
        return rows

    def variations(self, rows: Rows, order: int) -> list[arb_mat]:
        """V_0..V_order: V' = J V from the identity, J along the solutions of `rows`."""
        d = len(rows)
        entries = coefficients(self.jacobian, rows, order)
        along = [
            arb_mat([[entries[i * d + j][k] for j in range(d)] for i in range(d)])
            for k in range(order)
        ]
        out = [_identity(d)]
        for k in range(order):
            total = along[0] * out[k]
            for j in range(1, k + 1):
                total = total + along[j] * out[k - j]
            out.append(total * (arb(1) / (k + 1)))
        return out

    def stays_admissible(self, box: Sequence[arb]) -> bool:
        """Whether all that must be positive is so on a box."""
        return all(value > 0 for value in self.positive(box))


@dataclass(frozen=True, slots=True)
class State:
    """The set {m + A r}: of states at one exact time."""

    time: fmpq
    center: list[arb]
    frame: arb_mat
    box: list[arb]

    def hull(self) -> list[arb]:
        """A box around the set; it contains the center."""
        spread = self.frame * _column(self.box)
        return [m + spread[i, 0].union(arb(0)) for i, m in enumerate(self.center)]


@dataclass(frozen=True, slots=True)
class Step:
    """An accepted step, from which the states at every time within it follow.

    Parameters
    ----------
    state : State
        At its beginning.
    length : fmpq
        Exactly.
    start, inside : list of list of arb
        Taylor coefficients through the hull of the state, and through the box B.
    center : list of list of arb
        Taylor coefficients through the center.
    variations : list of arb_mat
        V_0, V_1, ... over the hull.
    """

    state: State
    length: fmpq
    start: Rows
    inside: Rows
    center: Rows
    variations: list[arb_mat]

    @property
    def bounds(self) -> list[arb]:
        """The box B that no solution leaves during the step."""
        return [row[0] for row in self.inside]

    def duration(self) -> arb:
        """The interval [0, length]."""
        return arb(0).union(arb(self.length))

    def parts(self, s: arb) -> tuple[list[arb], arb_mat]:
        """The enclosure at s in [0, length] as (p, M): p + M [r] with the box of the state."""
        order = len(self.center[0]) - 1
        power = s**order
        point = [
            polynomial(row[:order], s) + inside[order] * power
            for row, inside in zip(self.center, self.inside, strict=True)
        ]
        matrix = self.variations[-1]
        for v in reversed(self.variations[:-1]):
            matrix = matrix * s + v
        return point, matrix * self.state.frame

    def at(self, s: arb) -> list[arb]:
        """A box around the states at s in [0, length], a number or an interval."""
        point, matrix = self.parts(s)
        spread = matrix * _column(self.state.box)
        # both contain the states, so their intersection does, and is not empty
        pairs = enumerate(zip(point, self.bounds, strict=True))
        return [(p + spread[i, 0]).intersection(b) for i, (p, b) in pairs]

    def after(self) -> State:
        """The set of states at the end, in a new frame."""
        state = self.state
        point, matrix = self.parts(arb(self.length))
        center = [p.mid() for p in point]
        rest = _column([p - c for p, c in zip(point, center, strict=True)])
        frame, inverse = _orthogonal(matrix, state.box)
        box = (inverse * matrix) * _column(state.box) + inverse * rest
        if not all(c.is_finite() for c in box.entries()):
            raise EnclosureLost("the enclosure is not finite")
        return State(state.time + self.length, center, frame, box.entries())


def initial_state(values: Sequence[arb]) -> State:
    """The set of a box at time 0."""
    center = [v.mid() for v in values]
    box = [v - m for v, m in zip(values, center, strict=True)]
    return State(fmpq(0), center, _identity(len(center)), box)


def coefficients(program: Program, rows: Rows, length: int) -> Rows:
    """The first coefficients of expressions along the series of `rows`.

    Raises
    ------
    EnclosureLost
        When one of them is not finite, or is not determined.
    """
    with series_length(length):
        values = program([arb_series(row[:length], length) for row in rows])
    out = []
    for value in values:
        if isinstance(value, arb_series):
            # a quotient of series that vanish has fewer coefficients: unknown, not zero
            if value.prec < length:
                raise EnclosureLost("the field is not analytic here")
            known = value.coeffs()
        else:
            known = [value]
        # all of them: NaN + a series is NaN in the constant coefficient only
        if not all(c.is_finite() for c in known):
            raise EnclosureLost("the field is not analytic here")
        out.append(known + [arb(0)] * (length - len(known)))
    return out


def polynomial(row: Sequence[arb], s: arb) -> arb:
    """Horner's rule."""
    total = arb(0)
    for c in reversed(row):
        total = total * s + c
    return total


def advance(
    field: Field, state: State, *, order: int, bits: int, limit: fmpq, longest: fmpq | None
) -> Step:
    """The next step, at most to the time `limit` and of at most the length `longest`.

    Raises
    ------
    EnclosureLost
        When no step is short enough.
    """
    hull = state.hull()
    start = field.taylor(hull, order)
    center = field.taylor(state.center, order)
    sizes = _sizes(center)
    left = limit - state.time
    length = _proposal(center, sizes, order, bits)
    if longest is not None and (length is None or length > longest):
        length = longest
    if length is None or length >= left:
        length = left
    variations = field.variations(start, order - 1)
    # a flow that needs shorter steps is about to end
    shortest = limit * fmpq(2) ** -48
    while length > shortest:
        inside = _inclusion(field, start, length, order, [s * arb(2) ** -bits for s in sizes])
        if inside is not None:
            return Step(state, length, start, inside, center, variations)
        length = _dyadic(length / 2)
    raise EnclosureLost("no step is short enough to keep the solutions in a box")


def _inclusion(
    field: Field, start: Rows, length: fmpq, order: int, margins: list[arb]
) -> Rows | None:
    """The Taylor coefficients over a box B that the solutions do not leave, or None."""
    span = arb(0).union(arb(length))
    power = arb(0).union(arb(length) ** order)
    reach = [polynomial(row[:order], span) for row in start]
    for _ in range(5):
        # radii have 30 bits, so a margin relative to the radius keeps the inclusion strict
        box = [
            arb(b.mid(), b.rad() * arb("1.001") + m) for b, m in zip(reach, margins, strict=True)
        ]
        try:
            inside = field.taylor(box, order)
        except EnclosureLost:
            return None
        remainders = [row[order] * power for row in inside]
        if all(b.contains_interior(p + r) for b, p, r in zip(box, reach, remainders, strict=True)):
            return inside if field.stays_admissible(box) else None
        margins = [
            (16 * m).max(2 * r.abs_upper()) for m, r in zip(margins, remainders, strict=True)
        ]
    return None


# -------------------------------------------------------------------------------------------------
# the length of a step: any choice is sound, the numbers below are exact or heuristic
# -------------------------------------------------------------------------------------------------


def _sizes(center: Rows) -> list[arb]:
    """The size of each component, not zero where it passes through zero."""
    sizes = [(abs(row[0]) + abs(row[1])).abs_upper() for row in center]
    largest = max(sizes)
    if largest == 0:
        return [arb(1)] * len(sizes)
    return [s if s > 0 else largest for s in sizes]


def _log2(x: arb) -> float:
    return float((x.mid().log() / arb.const_log2()).mid())


def _proposal(center: Rows, sizes: list[arb], order: int, bits: int) -> fmpq | None:
    """The length at which the last two terms are below 2^-bits; None for any length."""
    best: float | None = None
    for row, size in zip(center, sizes, strict=True):
        for k in (order - 1, order):
            term = row[k].abs_upper()
            if term > 0:
                exponent = (_log2(size / term) - bits - 1) / k
                best = exponent if best is None else min(best, exponent)
    if best is None:
        return None
    whole = int(best // 1)
    mantissa = int(2.0 ** (best - whole) * 2**20)
    return fmpq(mantissa) * fmpq(2) ** (whole - 20)


def _dyadic(value: fmpq) -> fmpq:
    """A dyadic number with 20 bits, at most the value: sums of such lengths stay short."""
    shift = 20 - (int(value.p).bit_length() - int(value.q).bit_length())
    scaled = value * fmpq(2) ** shift
    return fmpq(int(scaled.p) // int(scaled.q)) / fmpq(2) ** shift


# -------------------------------------------------------------------------------------------------
# frames
# -------------------------------------------------------------------------------------------------


def _identity(d: int) -> arb_mat:
    return arb_mat([[arb(int(i == j)) for j in range(d)] for i in range(d)])


def _column(values: Sequence[arb]) -> arb_mat:
    return arb_mat([[v] for v in values])


def _orthogonal(matrix: arb_mat, box: Sequence[arb]) -> tuple[arb_mat, arb_mat]:
    """An exact matrix close to the Q of a QR decomposition, with an enclosure of its inverse.

    The columns are taken by decreasing contribution to the set. Any invertible matrix is sound.
    """
    d = len(box)
    columns = [[matrix[i, j].mid() for i in range(d)] for j in range(d)]
    weight = [_dot(c, c) * r.rad() ** 2 for c, r in zip(columns, box, strict=True)]
    chosen = sorted(range(d), key=lambda j: _rank(weight[j]), reverse=True)
    basis: list[list[arb]] = []
    for column in [*(columns[j] for j in chosen), *_identity(d).tolist()]:
        rest = list(column)
        for _ in range(2):
            for q in basis:
                part = _dot(rest, q)
                rest = [(x - part * y).mid() for x, y in zip(rest, q, strict=True)]
        before, after = _dot(column, column), _dot(rest, rest)
        # a direction that is lost to cancellation is left to the unit vectors
        if len(basis) < d and after > before * arb(2) ** -40:
            scale = after.sqrt()
            basis.append([(x / scale).mid() for x in rest])
    frame = arb_mat([[basis[j][i] for j in range(len(basis))] for i in range(d)])
    try:
        if len(basis) == d:
            return frame, frame.inv()
    except ZeroDivisionError:
        pass
    return _identity(d), _identity(d)


def _rank(weight: arb) -> float:
    return _log2(weight) if weight.mid() > 0 else float("-inf")


def _dot(x: Sequence[arb], y: Sequence[arb]) -> arb:
    return sum((a * b for a, b in zip(x, y, strict=True)), arb(0)).mid()
