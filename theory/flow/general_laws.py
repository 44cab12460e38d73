r"""Laws that are combinations of given functions, and bounds for models that are no polynomials.

Coefficients are found by evaluating Lie derivatives at points modulo p, and every law is then
proved: its Lie derivatives vanish identically. The bound is the rank of the lifted fields where the
functions are proved algebraically independent, else of the Jacobian at a point in ball arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import DomainError, FormulaError, TooLarge, UnsupportedFormula
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
from theory.exact.signs import is_analytic
from theory.exact.zero import is_zero
from theory.flow.ball_rank import ball_pivots
from theory.flow.coupled import CoupledModel, differentiable
from theory.flow.fields import Fields
from theory.flow.independence import obstacle
from theory.flow.law_record import (
    NOT_EXHAUSTIVE,
    CoupledLaws,
    rank_record,
    read_rank_record,
    scope_of,
)
from theory.flow.lie_rank import lie_rank, ranks_up_to
from theory.flow.monomials import laurent_monomials, monomials_up_to
from theory.flow.systems import exact_rows, factors_of
from theory.flow.tower import Tower
from theory.flow.tower_polynomials import Polynomial, add, multiply, residue

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
    candidates, exhaustive = _candidates(setting, functions, seed)
    laws = [law for law in candidates if _conserved(setting, law)]
    exhaustive = exhaustive and len(laws) == len(candidates)
    laws.sort(key=lambda law: (len(sp.Add.make_args(law)), sp.count_ops(law)))
    found = _assembled(setting, laws, seed, scope_of(data))
    if exhaustive or found.complete:
        return found
    return replace(found, conditions=(*found.conditions, NOT_EXHAUSTIVE))


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
            differentiable(
                _plain(function), f"The function {function}", set(parameters), model.ranges
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
        out += _separated_powers(model)
    # the coefficients of a law may be the model's constants: u**2 - a*v**2 for u**a*v
    constants = [sp.S.One, *model.constants]
    return [c * f for f in out for c in constants][:_MOST]


def _separated_powers(model: CoupledModel) -> list[sp.Expr]:
    r"""$u^{2-a}$ for $u^a$, a symbolic: $\int du/u^{a-1}$ separates a sum of powers."""
    powers = {
        p.base ** (2 - p.exp)
        for c in model.components
        for p in c.atoms(sp.Pow)
        if p.base in model.parameters and p.exp.free_symbols
    }
    return sorted(powers - {sp.S.One}, key=sp.default_sort_key)


def _plain(e: sp.Expr) -> sp.Expr:
    """log|u| has the derivatives of log u."""
    return e.replace(
        lambda x: isinstance(x, sp.log) and isinstance(x.args[0], sp.Abs),
        lambda x: sp.log(x.args[0].args[0]),
    )


def _candidates(
    setting: _Model, functions: Sequence[sp.Expr], seed: int
) -> tuple[list[sp.Expr], bool]:
    """Combinations whose Lie derivatives vanish at more points modulo p than unknowns.

    With it, whether these are all that there can be.
    """
    try:
        tower, read = setting.tower([_plain(f) for f in functions])
        return _lifting(setting, functions, tower, read, seed)
    except UnsupportedFormula:
        # no evaluation modulo p: the functions are tried one by one
        return list(functions), False


def _lifting(
    setting: _Model,
    functions: Sequence[sp.Expr],
    tower: Tower,
    read: Sequence[Polynomial],
    seed: int,
) -> tuple[list[sp.Expr], bool]:
    d, D, n = len(setting.components), len(setting.parameters), len(functions)
    points = tower.good_points(seed, n + 8, loose=True)
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
    vectors = nullspace(matrix)
    for vector in vectors:
        whole = rationals(vector)
        if whole is not None:
            law = sp.Add(*(c * functions[b] for b, c in sorted(whole.items())))
            lead = whole[min(whole)]
            out.append(-law if lead < 0 else law)
    return out, len(out) == len(vectors)


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
            term = np.full_like(total, residue(c))
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
    found = tuple(laws[i] for i in _independent(setting, laws, seed))
    fields, hindrance = _lifted(setting, seed)
    record: dict[str, Any] = {
        "kind": "conservation laws",
        "variables": [s.name for s in setting.parameters],
        "functions": [str(law) for law in found],
        "model": _fingerprint(setting),
        "scope": scope,
    }
    if fields is not None:
        bound = lie_rank(fields, target=D - len(found), seed=seed)
        record |= rank_record(bound, D)
    else:
        record |= {"ball": True, "seed": seed, "upper_bound": D - _ball_rank(setting, seed)}
    conditions = _conditions(setting, found, hindrance)
    return CoupledLaws(found, record["upper_bound"], record, conditions, scope)


def _conditions(setting: _Model, laws: Sequence[sp.Expr], hindrance: str | None) -> tuple[str, ...]:
    """What the bound and the laws assume."""
    out = []
    constants = ", ".join(s.name for s in _constants(setting))
    if hindrance:
        out.append(f"the bound uses no brackets: {hindrance}")
    elif constants:
        out.append(f"the bound holds for generic values of {constants}")
    # atan(u/v) jumps where v changes its sign, although its rate is zero elsewhere
    out += [
        f"the flow stays where {law} is defined and continuous"
        for law in laws
        if not is_analytic(law, ranges=setting.ranges, meromorphic=False)
    ]
    return tuple(out)


def _ball_rank(setting: _Model, seed: int) -> int:
    """The rank of the fields themselves at a point."""
    rows = [
        [p * sp.diff(c, s) for s, p in zip(setting.parameters, setting.factors, strict=True)]
        for c in setting.components
    ]
    constants = _constants(setting)
    return len(ball_pivots(rows, setting.parameters, constants, setting.ranges, seed))


def _constants(setting: _Model) -> list[sp.Symbol]:
    free = set().union(*(e.free_symbols for e in (*setting.components, *setting.factors)))
    return sorted(free - set(setting.parameters), key=lambda s: str(s.name))


def _lifted(setting: _Model, seed: int) -> tuple[Fields | None, str]:
    """The fields on parameters and functions together, or why their rank proves nothing."""
    hindrance = _obstacle(setting)
    if hindrance is not None:
        return None, hindrance
    try:
        tower, read = setting.tower()
        d = len(setting.components)
        return tower.fields(read[:d], read[d:], seed), ""
    except UnsupportedFormula as error:
        return None, str(error)


def _obstacle(setting: _Model, extra: Sequence[sp.Expr] = ()) -> str | None:
    """Why a rank modulo p says nothing about these functions; None when it does."""
    try:
        return obstacle(setting.tower(extra)[0])
    except UnsupportedFormula as error:
        return str(error)


def _independent(setting: _Model, laws: Sequence[sp.Expr], seed: int) -> list[int]:
    """Which laws have independent gradients."""
    plain = [_plain(law) for law in laws]
    if not laws:
        return []
    if _obstacle(setting, plain) is not None:
        rows = [[sp.diff(law, s) for s in setting.parameters] for law in plain]
        return ball_pivots(rows, setting.parameters, _constants(setting), setting.ranges, seed)
    tower, read = setting.tower(plain)
    values = tower.good_points(seed, 1)[0][1]
    evaluator = _Evaluator(np.array(values, np.int64)[:, None])
    matrix = np.zeros((len(setting.parameters), len(laws)), np.int64)
    for column, p in enumerate(read[-len(laws) :]):
        for j, dp in tower.gradient(p).items():
            matrix[j, column] = evaluator(dp)[0]
    return pivots(matrix)


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
    seed = record["seed"]
    if not isinstance(seed, int) or len(_independent(setting, laws, seed)) != len(laws):
        raise FormulaError("The laws are not independent at the recorded point.")
    fields, hindrance = _lifted(setting, seed)
    if record.get("ball"):
        upper = len(setting.parameters) - _ball_rank(setting, seed)
        # without an obstacle the rank at a point is a bound as well
        hindrance = hindrance or "the certificate has the rank at a point"
    else:
        if fields is None:
            raise FormulaError(f"A rank modulo p proves no bound here: {hindrance}.")
        seed, ranks, width = read_rank_record(record)
        computed = ranks_up_to(fields, seed, len(ranks) - 1, width)
        if computed != ranks:
            raise FormulaError(f"The ranks are {computed}, not {ranks}.")
        upper = len(setting.parameters) - ranks[-1]
    if upper != record["upper_bound"]:
        raise FormulaError(f"The bound is {upper}, not {record['upper_bound']}.")
    conditions = _conditions(setting, laws, hindrance)
    return CoupledLaws(tuple(laws), upper, record, conditions, scope_of(data))
