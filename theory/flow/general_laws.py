r"""Laws that are combinations of given functions, and bounds for models that are no polynomials.

Coefficients are found by evaluating Lie derivatives at points modulo p, and every law is then
proved: its Lie derivatives vanish identically. The bound is the rank of the lifted fields where the
functions are proved algebraically independent, else of the Jacobian at a point in ball arithmetic.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, arb_mat
from numpy.typing import NDArray

from theory.errors import DomainError, FormulaError, TooLarge, UnsupportedFormula
from theory.exact.balls import enclose, precision, rational_ball
from theory.exact.modular import (
    PRIME,
    Stream,
    inverse,
    nullspace,
    pivots,
    rationals,
    reduce,
)
from theory.exact.parsing import parse
from theory.exact.zero import is_zero
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Fields
from theory.flow.law_record import CoupledLaws, rank_record, scope_of
from theory.flow.lie_rank import lie_rank, ranks_up_to
from theory.flow.polynomial_laws import laurent_monomials, monomials_up_to
from theory.flow.systems import exact_rows, factors_of
from theory.flow.tower import Polynomial, Tower, add, multiply

__all__ = ["general_laws", "replay_general"]

Array = NDArray[np.int64]
_MOST = 3000


@dataclass
class _Model:
    """Components, the diagonal of P, and a tower that contains both."""

    parameters: tuple[sp.Symbol, ...]
    components: tuple[sp.Expr, ...]
    factors: tuple[sp.Expr, ...]
    ranges: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]]

    def rate(self, law: sp.Expr, i: int) -> sp.Expr:
        """The Lie derivative along P grad G_i."""
        return sp.Add(
            *(
                sp.diff(law, s) * p * sp.diff(self.components[i], s)
                for s, p in zip(self.parameters, self.factors, strict=True)
            )
        )

    def tower(self, extra: Sequence[sp.Expr] = ()) -> tuple[Tower, list[Polynomial]]:
        """All of it as polynomials: components, factors, then the extra expressions."""
        tower = Tower(self.parameters)
        return tower, tower.read([*self.components, *self.factors, *extra])


def _model(model: CoupledModel, data: Any, metric: Any) -> _Model:
    components = tuple(model.components)
    if data is not None:
        rows = exact_rows(data, len(components))
        components = tuple(
            sp.Add(*(a * c for a, c in zip(row, components, strict=True))) for row in rows
        )
        components = tuple(c for c in components if c.free_symbols & set(model.parameters))
        if not components:
            raise FormulaError("The data see none of the parameters; every function is conserved.")
    return _Model(model.parameters, components, tuple(factors_of(model, metric)), model.ranges)


def general_laws(
    model: CoupledModel,
    *,
    degree: int,
    ansatz: str | Sequence[Any],
    data: Any = None,
    metric: Any = None,
    seed: int = 1,
) -> CoupledLaws:
    """As `coupled_laws`, for any formulas and any ansatz.

    Examples
    --------
    >>> from theory.flow.coupled import Coupled
    >>> model = Coupled(["a*tanh(w)"], "a, w")
    >>> laws = general_laws(model, degree=1, ansatz=["a**2", "sinh(w)**2"])
    >>> laws.found, laws.complete
    ((a**2 - sinh(w)**2,), True)
    """
    setting = _model(model, data, metric)
    functions = _functions(model, ansatz, degree)
    laws = [law for law in _candidates(setting, functions, seed) if _conserved(setting, law)]
    laws.sort(key=lambda law: (len(sp.Add.make_args(law)), sp.count_ops(law)))
    return _assembled(setting, laws, seed, scope_of(data))


def _functions(model: CoupledModel, ansatz: str | Sequence[Any], degree: int) -> list[sp.Expr]:
    parameters = model.parameters
    if not isinstance(ansatz, str):
        names = {s.name: s for s in (*parameters, *model.constants)}
        out = []
        for item in ansatz:
            function = parse(item, names) if isinstance(item, str) else item
            if not isinstance(function, sp.Expr):
                raise FormulaError(f"Expected functions as the ansatz but got {item!r}.")
            strange = function.free_symbols - set(names.values())
            if strange:
                raise FormulaError(
                    f"The ansatz uses {sorted(map(str, strange))}, not of the model."
                )
            if function.free_symbols & set(parameters):
                out.append(function)
        if not out:
            raise FormulaError("Expected at least one function of the parameters as the ansatz.")
        return list(dict.fromkeys(out))
    D = len(parameters)
    rows = monomials_up_to(D, degree) if ansatz == "polynomial" else laurent_monomials(D, degree)
    if len(rows) > _MOST:
        raise TooLarge(
            f"The ansatz of degree {degree} in {D} parameters has {len(rows):,} functions; for "
            f"formulas that are no polynomials at most {_MOST:,} are combined."
        )
    powers = [*parameters, sp.S.One, *(1 / s for s in parameters)]
    out = [sp.Mul(*(powers[f] for f in row)) for row in rows.tolist()]
    if ansatz == "laurent-log":
        out += [sp.log(s if s.is_positive else sp.Abs(s)) for s in parameters]
    return out


def _plain(e: sp.Expr) -> sp.Expr:
    """log|u| has the derivatives of log u."""
    return e.replace(
        lambda x: isinstance(x, sp.log) and isinstance(x.args[0], sp.Abs),
        lambda x: sp.log(x.args[0].args[0]),
    )


def _candidates(setting: _Model, functions: Sequence[sp.Expr], seed: int) -> list[sp.Expr]:
    """Combinations whose Lie derivatives vanish at more points modulo p than unknowns."""
    try:
        tower, read = setting.tower([_plain(f) for f in functions])
    except UnsupportedFormula:
        # no evaluation modulo p: the functions are tried one by one
        return list(functions)
    d, D, n = len(setting.components), len(setting.parameters), len(functions)
    points = tower.good_points(seed, n + 8)
    values = np.array([v for _, v in points], np.int64).T
    evaluator = _Evaluator(values)
    controls = Stream(seed).integers("controls", d, n + 8)
    slopes = np.zeros((D, n + 8), np.int64)
    for i, p in enumerate(read[:d]):
        for j, dp in tower.gradient(p).items():
            slopes[j] = (slopes[j] + reduce(controls[i] * evaluator(dp))) % PRIME
    for j, p in enumerate(read[d : d + D]):
        slopes[j] = reduce(slopes[j] * evaluator(p))
    matrix = np.zeros((n + 8, n), np.int64)
    for b, p in enumerate(read[d + D :]):
        for j, dp in tower.gradient(p).items():
            matrix[:, b] = (matrix[:, b] + reduce(evaluator(dp) * slopes[j])) % PRIME
    out = []
    for vector in nullspace(matrix):
        whole = rationals(vector)
        if whole is not None:
            law = sp.Add(*(c * functions[b] for b, c in sorted(whole.items())))
            lead = whole[min(whole)]
            out.append(-law if lead < 0 else law)
    return out


class _Evaluator:
    """Polynomials at many points modulo p at once."""

    def __init__(self, values: Array) -> None:
        self.values = values
        self.powers: dict[tuple[int, int], Array] = {}

    def _power(self, k: int, e: int) -> Array:
        if (k, e) not in self.powers:
            base = self.values[k] if e > 0 else inverse(self.values[k])
            out = base
            for _ in range(abs(e) - 1):
                out = reduce(out * base)
            self.powers[k, e] = out
        return self.powers[k, e]

    def __call__(self, p: Polynomial) -> Array:
        total = np.zeros(self.values.shape[1], np.int64)
        for x, c in p.items():
            term = np.full_like(total, c.numerator * pow(c.denominator, -1, PRIME) % PRIME)
            for k, e in x:
                term = reduce(term * self._power(k, e))
            total += term
        return total % PRIME


def _conserved(setting: _Model, law: sp.Expr) -> bool:
    """Whether all Lie derivatives vanish: as polynomials of the tower, else by the zero test."""
    try:
        tower, read = setting.tower([_plain(law)])
        d, D = len(setting.components), len(setting.parameters)
        slope = tower.gradient(read[-1])
        rates = []
        for p in read[:d]:
            total: Polynomial = {}
            for j, dp in tower.gradient(p).items():
                if j in slope:
                    total = add(total, multiply(read[d + j], multiply(slope[j], dp)))
            rates.append(total)
        if D and not any(rates):
            return True
        open_ones = [i for i, total in enumerate(rates) if total]
    except UnsupportedFormula:
        open_ones = list(range(len(setting.components)))
    for i in open_ones:
        try:
            if not is_zero(_plain_rate(setting, law, i), setting.ranges).proved:
                return False
        except (DomainError, UnsupportedFormula):
            return False
    return True


def _plain_rate(setting: _Model, law: sp.Expr, i: int) -> sp.Expr:
    return setting.rate(_plain(law), i)


def _assembled(setting: _Model, laws: Sequence[sp.Expr], seed: int, scope: str) -> CoupledLaws:
    D = len(setting.parameters)
    conditions: list[str] = []
    kept = _independent(setting, laws, seed)
    obstacle = _obstacle(setting)
    found = tuple(laws[i] for i in kept)
    record: dict[str, Any] = {
        "kind": "conservation laws",
        "variables": [s.name for s in setting.parameters],
        "functions": [str(law) for law in found],
        "model": _fingerprint(setting),
        "scope": scope,
    }
    if obstacle is None:
        fields = _lifted(setting, seed)
        bound = lie_rank(fields, target=D - len(found), seed=seed)
        upper = D - bound.rank
        record |= rank_record(bound, D)
        if fields.frozen:
            constants = sorted(s.name for s in _constants(setting))
            if constants:
                conditions.append(f"the bound holds for generic values of {', '.join(constants)}")
    else:
        jacobian = [[sp.diff(c, s) for s in setting.parameters] for c in setting.components]
        upper = D - len(ball_pivots(jacobian, setting.parameters, _constants(setting), seed))
        record |= {"ball": True, "seed": seed, "upper_bound": upper}
        conditions.append(f"the bound uses no brackets: {obstacle}")
    return CoupledLaws(found, upper, record, tuple(conditions), scope)


def _constants(setting: _Model) -> list[sp.Symbol]:
    free = set().union(*(e.free_symbols for e in (*setting.components, *setting.factors)))
    return sorted(free - set(setting.parameters), key=lambda s: str(s.name))


def _lifted(setting: _Model, seed: int) -> Fields:
    tower, read = setting.tower()
    d = len(setting.components)
    return tower.fields(read[:d], read[d:], seed)


def _obstacle(setting: _Model, extra: Sequence[sp.Expr] = ()) -> str | None:
    """Why a rank modulo p says nothing about these functions; None when it does."""
    try:
        return setting.tower(extra)[0].faithful()
    except UnsupportedFormula as error:
        return str(error)


def _independent(setting: _Model, laws: Sequence[sp.Expr], seed: int) -> list[int]:
    """Which laws have independent gradients."""
    plain = [_plain(law) for law in laws]
    if not laws:
        return []
    if _obstacle(setting, plain) is not None:
        rows = [[sp.diff(law, s) for s in setting.parameters] for law in plain]
        return ball_pivots(rows, setting.parameters, _constants(setting), seed)
    tower, read = setting.tower(plain)
    values = tower.good_points(seed, 1)[0][1]
    evaluator = _Evaluator(np.array(values, np.int64)[:, None])
    matrix = np.zeros((len(setting.parameters), len(laws)), np.int64)
    for column, p in enumerate(read[-len(laws) :]):
        for j, dp in tower.gradient(p).items():
            matrix[j, column] = evaluator(dp)[0]
    return pivots(matrix)


def ball_pivots(
    rows: Sequence[Sequence[sp.Expr]],
    parameters: Sequence[sp.Symbol],
    constants: Sequence[sp.Symbol],
    seed: int,
) -> list[int]:
    """Rows that are linearly independent at an exact point: a minor's ball excludes zero.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> ball_pivots([[sp.erf(u), v], [2 * sp.erf(u), 2 * v], [v, u]], [u, v], [], 1)
    [0, 2]
    """
    generator = random.Random(seed)
    with precision(400):
        for _ in range(30):
            at: dict[sp.Symbol, arb] = {}
            for s in (*parameters, *constants):
                value = sp.Rational(generator.randint(20, 160), 101)
                at[s] = rational_ball(-value if s.is_negative else value)
            try:
                values = [[enclose(e, at) for e in row] for row in rows]
            except (UnsupportedFormula, DomainError, ValueError, ZeroDivisionError):
                continue
            if all(v.is_finite() for row in values for v in row):
                return _eliminated(values)
    return []


def _eliminated(values: list[list[arb]]) -> list[int]:
    """Gaussian elimination in balls: a pivot is an entry that excludes zero."""
    kept: list[int] = []
    basis: list[tuple[int, list[arb]]] = []
    for i, row in enumerate(values):
        current = list(row)
        for column, other in basis:
            factor = current[column] / other[column]
            current = [a - factor * b for a, b in zip(current, other, strict=True)]
            current[column] = arb(0)
        sizes = [abs(float(v.mid())) if not v.contains(0) else 0.0 for v in current]
        best = max(range(len(sizes)), key=sizes.__getitem__)
        if sizes[best] > 0:
            basis.append((best, current))
            kept.append(i)
    if kept:
        columns = [c for c, _ in basis]
        minor = arb_mat([[values[i][c] for c in columns] for i in kept]).det()
        if minor.contains(0):
            return []
    return kept


def _fingerprint(setting: _Model) -> str:
    text = repr(
        [
            [s.name for s in setting.parameters],
            [str(c) for c in setting.components],
            [str(f) for f in setting.factors],
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def replay_general(
    model: CoupledModel, record: dict[str, Any], *, data: Any = None, metric: Any = None
) -> CoupledLaws:
    """Check a certificate with functions again, without search.

    Raises
    ------
    FormulaError
        Naming what does not hold.
    """
    setting = _model(model, data, metric)
    if record.get("model") != _fingerprint(setting):
        raise FormulaError("The certificate belongs to another model.")
    names = {s.name: s for s in (*setting.parameters, *_constants(setting))}
    laws = [parse(str(text), names) for text in record["functions"]]
    for law in laws:
        if not _conserved(setting, law):
            raise FormulaError(f"{law} is not conserved.")
    seed = int(record["seed"])
    kept, obstacle = _independent(setting, laws, seed), _obstacle(setting)
    if len(kept) != len(laws):
        raise FormulaError("The laws are not independent at the recorded point.")
    D = len(setting.parameters)
    if record.get("ball"):
        jacobian = [[sp.diff(c, s) for s in setting.parameters] for c in setting.components]
        upper = D - len(ball_pivots(jacobian, setting.parameters, _constants(setting), seed))
    else:
        if obstacle is not None or record.get("prime") != PRIME:
            raise FormulaError(f"A rank modulo p proves no bound here: {obstacle}.")
        ranks = [int(r) for r in record["ranks"]]
        fields = _lifted(setting, seed)
        if ranks_up_to(fields, seed, len(ranks) - 1, int(record["width"])) != ranks:
            raise FormulaError("The ranks of the record are not reproduced.")
        upper = D - ranks[-1]
    if upper != record["upper_bound"]:
        raise FormulaError(f"The bound is {upper}, not {record['upper_bound']}.")
    return CoupledLaws(tuple(laws), upper, record, scope=scope_of(data))
