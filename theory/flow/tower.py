r"""Models with roots, exponentials and logarithms as polynomial fields in more variables.

Each function of a formula becomes a variable with a differential relation, $y = e^q$ with
$dy = y\,dq$, and the field of the model becomes a Laurent polynomial field on parameters and new
variables together. A rank at a point where the new variables are *independent* of the parameters is
a bound for the formula only when the functions have no algebraic relation, and that is proved here:

- exponents and logarithms, whose gradients are linearly independent over the rationals, generate
  algebraically independent functions (J. Ax, "On Schanuel's conjectures", 1971, for functions);
- roots of radicands that are independent modulo powers are conjugate to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.errors import UnsupportedFormula
from theory.exact.modular import PRIME, Stream, rank
from theory.flow.fields import Fields

__all__ = ["Generator", "Polynomial", "Tower"]

Array = NDArray[np.int64]
Exponents = tuple[tuple[int, int], ...]
Polynomial = dict[Exponents, Fraction]

_HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)
_LOGARITHMIC = (sp.asinh, sp.acosh, sp.atanh, sp.acoth)
_QUOTIENTS = {
    sp.tan: lambda x: sp.sin(x) / sp.cos(x),
    sp.cot: lambda x: sp.cos(x) / sp.sin(x),
    sp.sec: lambda x: 1 / sp.cos(x),
    sp.csc: lambda x: 1 / sp.sin(x),
}
_ATTEMPTS = 400


class BadPoint(Exception):
    """A denominator vanishes or a root does not exist at a point modulo p."""


@dataclass
class Generator:
    """A variable that stands for a function.

    Parameters
    ----------
    kind : str
        "free", "inverse", "root", "sin", "cos" or "constant".
    derivative : dict
        Parameter -> partial derivative.
    source : Polynomial
        The argument of "inverse" and "root".
    degree : int
        Of a root.
    """

    kind: str
    derivative: dict[int, Polynomial]
    source: Polynomial = field(default_factory=dict)
    degree: int = 1


def add(a: Polynomial, b: Polynomial) -> Polynomial:
    """The sum."""
    out = dict(a)
    for x, c in b.items():
        out[x] = out.get(x, Fraction(0)) + c
    return {x: c for x, c in out.items() if c}


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product."""
    out: Polynomial = {}
    for x, c in a.items():
        for y, d in b.items():
            exponents = dict(x)
            for k, e in y:
                exponents[k] = exponents.get(k, 0) + e
            key = tuple(sorted((k, e) for k, e in exponents.items() if e))
            out[key] = out.get(key, Fraction(0)) + c * d
    return {x: c for x, c in out.items() if c}


def constant(value: int | Fraction) -> Polynomial:
    """A number."""
    return {(): Fraction(value)} if value else {}


def variable(k: int, power: int = 1) -> Polynomial:
    """A power of a variable."""
    return {((k, power),): Fraction(1)}


def evaluate(p: Polynomial, values: Sequence[int]) -> int:
    """The value modulo p."""
    total = 0
    for x, c in p.items():
        term = c.numerator * pow(c.denominator, -1, PRIME) % PRIME
        for k, e in x:
            if e < 0 and values[k] == 0:
                raise BadPoint
            term = term * pow(values[k], e, PRIME) % PRIME
        total += term
    return total % PRIME


class Tower:
    """The variables of a model: parameters, then generators and constants as they appear.

    Parameters
    ----------
    parameters : sequence of sympy.Symbol
    """

    def __init__(self, parameters: Sequence[sp.Symbol]) -> None:
        self.parameters = tuple(parameters)
        self.generators: list[Generator] = []
        self.index: dict[Any, int] = {s: j for j, s in enumerate(parameters)}
        self.transcendental: list[dict[int, Polynomial]] = []
        self.circular: list[dict[int, Polynomial]] = []
        self.numbers: list[sp.Expr] = []
        self.units: dict[Any, int] = {}

    # -- building ---------------------------------------------------------------------------
    def read(self, expressions: Sequence[sp.Expr]) -> list[Polynomial]:
        """Formulas as Laurent polynomials in parameters, generators and constants.

        Raises
        ------
        UnsupportedFormula
            For a function without a relation here.
        """
        prepared = [_canonical(e) for e in expressions]
        self._common_units(prepared)
        return [self._convert(e) for e in prepared]

    def _common_units(self, expressions: Sequence[sp.Expr]) -> None:
        """The least common denominators of multiples of one argument: exp(u/2) and exp(u/3)."""
        for e in expressions:
            for node in sp.preorder_traversal(e):
                if isinstance(node, sp.exp):
                    self._unit(("exp",), node.args[0])
                elif isinstance(node, sp.sin | sp.cos):
                    self._unit(("sin",), node.args[0])
                elif isinstance(node, sp.Pow) and not node.exp.is_Rational:
                    self._unit(("pow", node.base), node.exp)

    def _unit(self, kind: tuple[Any, ...], argument: sp.Expr) -> None:
        for term in sp.Add.make_args(sp.expand(argument)):
            c, r = term.as_coeff_Mul()
            if r != 1:
                key = (*kind, r)
                self.units[key] = int(sp.ilcm(self.units.get(key, 1), c.q if c.is_Rational else 1))

    def _new(self, key: Any, generator: Generator) -> int:
        k = len(self.parameters) + len(self.generators)
        self.generators.append(generator)
        self.index[key] = k
        return k

    def derivative(self, p: Polynomial, j: int) -> Polynomial:
        """The partial derivative in a parameter, through all generators."""
        out: Polynomial = {}
        D = len(self.parameters)
        for x, c in p.items():
            for k, e in x:
                inner = (
                    constant(int(k == j)) if k < D else self.generators[k - D].derivative.get(j, {})
                )
                if inner:
                    rest = tuple((i, f - (i == k)) for i, f in x if f - (i == k))
                    out = add(out, multiply({rest: c * e}, inner))
        return out

    def gradient(self, p: Polynomial) -> dict[int, Polynomial]:
        """All partial derivatives that are not zero."""
        out = {}
        for j in range(len(self.parameters)):
            d = self.derivative(p, j)
            if d:
                out[j] = d
        return out

    def _convert(self, e: sp.Expr) -> Polynomial:
        if e.is_Rational:
            return constant(Fraction(int(e.p), int(e.q)))
        if e.is_Symbol:
            if e not in self.index:
                self._new(e, Generator("constant", {}))
            return variable(self.index[e])
        if e.is_NumberSymbol:
            if e not in self.index:
                self.numbers.append(e)
                self._new(e, Generator("constant", {}))
            return variable(self.index[e])
        if e.is_Add:
            out: Polynomial = {}
            for a in e.args:
                out = add(out, self._convert(a))
            return out
        if e.is_Mul:
            product = constant(1)
            for a in e.args:
                product = multiply(product, self._convert(a))
            return product
        if isinstance(e, sp.exp):
            return self._exponential(e.args[0])
        if e.is_Pow:
            return self._power(e.base, e.exp)
        if isinstance(e, sp.log):
            return self._logarithm(e)
        if isinstance(e, sp.sin | sp.cos):
            return self._circle(e)
        if isinstance(e, sp.atan):
            return self._arc(e)
        raise UnsupportedFormula(f"No bound on the number of laws with the function {e.func}.")

    def _scaled(self, p: Polynomial, factor: dict[int, Polynomial]) -> dict[int, Polynomial]:
        return {j: multiply(p, d) for j, d in factor.items()}

    def _inverse(self, s: Polynomial) -> Polynomial:
        if not s:
            raise UnsupportedFormula("A component divides by zero.")
        if len(s) == 1:
            ((x, c),) = s.items()
            return {tuple((k, -e) for k, e in x): 1 / c}
        lead = next(iter(s.values()))
        unit = {x: c / lead for x, c in s.items()}
        key = ("inverse", frozenset(unit.items()))
        if key not in self.index:
            k = len(self.parameters) + len(self.generators)
            slope = self._scaled({((k, 2),): Fraction(-1)}, self.gradient(unit))
            self._new(key, Generator("inverse", slope, unit))
        return multiply(constant(1 / lead), variable(self.index[key]))

    def _exponential(self, argument: sp.Expr) -> Polynomial:
        out = constant(1)
        for term in sp.Add.make_args(sp.expand(argument)):
            c, r = term.as_coeff_Mul()
            if r == 1:
                c, r = sp.S.One, term
            unit = self.units.get(("exp", r), 1) if c.is_Rational else 1
            power = c * unit
            if not power.is_Integer or (r.is_number and not r.is_NumberSymbol):
                raise UnsupportedFormula(f"No bound on the number of laws with exp({argument}).")
            key = ("exp", r)
            if key not in self.index:
                inside = self.gradient(self._convert(r / unit))
                k = len(self.parameters) + len(self.generators)
                self.transcendental.append(inside)
                self._new(key, Generator("free", self._scaled(variable(k), inside)))
            out = multiply(out, variable(self.index[key], int(power)))
        return out

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Polynomial:
        if exponent.is_Integer:
            s = self._convert(base)
            n = int(exponent)
            if n < 0:
                s, n = self._inverse(s), -n
            out = constant(1)
            for _ in range(n):
                out = multiply(out, s)
            return out
        out = constant(1)
        rational = sp.S.Zero
        for term in sp.Add.make_args(sp.expand(exponent)):
            c, r = term.as_coeff_Mul()
            if r == 1:
                rational += c
                continue
            unit = self.units.get(("pow", base, r), 1)
            if not (c * unit).is_Integer:
                raise UnsupportedFormula(f"No bound on the number of laws with {base**exponent}.")
            out = multiply(out, self._symbolic_power(base, r, unit, int(c * unit)))
        whole = sp.floor(rational)
        if whole != 0:
            out = multiply(out, self._power(base, whole))
        if rational != whole:
            y = self._root(base, int(rational.q))
            out = multiply(out, variable(y, int((rational - whole) * rational.q)))
        return out

    def _log_gradient(self, base: sp.Expr) -> dict[int, Polynomial]:
        s = self._convert(base)
        return self._scaled(self._inverse(s), self.gradient(s))

    def _symbolic_power(self, base: sp.Expr, r: sp.Expr, unit: int, power: int) -> Polynomial:
        key = ("pow", base, r)
        if key not in self.index:
            exponent = self._convert(r / unit)
            if self.gradient(exponent):
                raise UnsupportedFormula(
                    f"Write {base**r} with an exponential: its exponent moves along the flow."
                )
            slope = self._log_gradient(base)
            if ("log of", base) not in self.index:
                self.index["log of", base] = -1
                self.transcendental.append(slope)
            inside = self._scaled(exponent, slope)
            self.transcendental.append(inside)
            k = len(self.parameters) + len(self.generators)
            self._new(key, Generator("free", self._scaled(variable(k), inside)))
        return variable(self.index[key], power)

    def _root(self, base: sp.Expr, degree: int) -> int:
        key = ("root", base, degree)
        if key not in self.index:
            s = self._convert(base)
            k = len(self.parameters) + len(self.generators)
            slope = self._scaled({((k, 1 - degree),): Fraction(1, degree)}, self.gradient(s))
            self._new(key, Generator("root", slope, s, degree))
        return self.index[key]

    def _logarithm(self, e: sp.Expr) -> Polynomial:
        if e not in self.index:
            if e.args[0].is_number:
                self.numbers.append(e)
                self._new(e, Generator("constant", {}))
                return variable(self.index[e])
            slope = self._log_gradient(e.args[0])
            if ("log of", e.args[0]) not in self.index:
                self.index["log of", e.args[0]] = -1
                self.transcendental.append(slope)
            self._new(e, Generator("free", slope))
        return variable(self.index[e])

    def _circle(self, e: sp.Expr) -> Polynomial:
        argument = sp.expand(e.args[0])
        if argument.is_Add:
            return self._convert(sp.expand_trig(e.func(argument)))
        c, r = argument.as_coeff_Mul()
        if r == 1:
            c, r = sp.S.One, c
        unit = self.units.get(("sin", r), 1)
        times = c * unit
        if times != 1:
            # a multiple of the angle of the generator
            angle = sp.Dummy("angle", real=True)
            expanded = sp.expand_trig(e.func(times * angle))
            return self._convert(expanded.xreplace({angle: r / unit}))
        key = ("circle", r / unit)
        if key not in self.index:
            inside = self.gradient(self._convert(r / unit))
            self.circular.append(inside)
            k = len(self.parameters) + len(self.generators)
            cos = variable(k + 1)
            sin = multiply(constant(-1), variable(k))
            self._new(key, Generator("sin", self._scaled(cos, inside)))
            self._new((*key, "cos"), Generator("cos", self._scaled(sin, inside)))
        return variable(self.index[key] + (1 if isinstance(e, sp.cos) else 0))

    def _arc(self, e: sp.Expr) -> Polynomial:
        if e not in self.index:
            s = self._convert(e.args[0])
            below = self._inverse(add(constant(1), multiply(s, s)))
            slope = self._scaled(below, self.gradient(s))
            self.circular.append(slope)
            self._new(e, Generator("free", slope))
        return variable(self.index[e])

    # -- evaluating -------------------------------------------------------------------------
    @property
    def size(self) -> int:
        """Number of variables."""
        return len(self.parameters) + len(self.generators)

    def point(self, seed: int) -> list[int]:
        """A point modulo p at which all relations between the variables hold.

        Raises
        ------
        BadPoint
            When a denominator is zero there, or a root does not exist.
        """
        values = Stream(seed).integers("tower", self.size).tolist()
        for k, g in enumerate(self.generators, start=len(self.parameters)):
            if g.kind == "inverse":
                below = evaluate(g.source, values)
                if not below:
                    raise BadPoint
                values[k] = pow(below, -1, PRIME)
            elif g.kind == "root":
                values[k] = _modular_root(evaluate(g.source, values), g.degree)
            elif g.kind == "sin":
                t = values[k]
                below = (1 + t * t) % PRIME
                if not below:
                    raise BadPoint
                values[k] = 2 * t * pow(below, -1, PRIME) % PRIME
                values[k + 1] = (1 - t * t) * pow(below, -1, PRIME) % PRIME
        if not all(values):
            raise BadPoint
        return values

    def good_points(self, seed: int, count: int) -> list[tuple[int, list[int]]]:
        """Points with their seeds.

        Raises
        ------
        UnsupportedFormula
            When there are none, as for the root of a number that has none modulo p.
        """
        out = []
        for s in range(seed, seed + _ATTEMPTS + 8 * count):
            try:
                out.append((s, self.point(s)))
            except BadPoint:
                continue
            if len(out) == count:
                return out
        raise UnsupportedFormula("The roots of the formulas do not exist modulo the prime.")

    def faithful(self) -> str | None:
        """None when the functions are proved algebraically independent, else the obstacle."""
        if len(self.numbers) > 1:
            return f"the numbers {self.numbers[0]} and {self.numbers[1]} may be related"
        for group in (self.transcendental, self.circular):
            rows = []
            for _, values in self.good_points(7, 2 + len(group) // max(1, len(self.parameters))):
                for j in range(len(self.parameters)):
                    rows.append([evaluate(f.get(j, {}), values) for f in group])
            if group and rank(np.array(rows, np.int64)) < len(group):
                return "the arguments of its exponentials or logarithms are linearly dependent"
        return self._independent_roots()

    def _independent_roots(self) -> str | None:
        roots = [g for g in self.generators if g.kind == "root"]
        if not roots:
            return None
        degrees = {g.degree for g in roots}
        place = {k for k, g in enumerate(self.generators, len(self.parameters)) if g.kind == "root"}
        place |= {
            k for k, g in enumerate(self.generators, len(self.parameters))
            if g.kind in ("inverse", "sin", "cos")
        }  # fmt: skip
        if len(degrees) > 1 or not sp.isprime(min(degrees)):
            return "roots of different or composite degrees"
        q = min(degrees)
        factors: dict[Any, int] = {}
        rows = []
        for g in roots:
            if any(k in place for x in g.source for k, _ in x):
                return "a root of a fraction or of another root"
            symbols = sp.symbols(f"x0:{self.size}")
            e = sp.Add(
                *(
                    sp.Rational(c.numerator, c.denominator)
                    * sp.Mul(*(symbols[k] ** n for k, n in x))
                    for x, c in g.source.items()
                )
            )
            content, found = sp.factor_list(sp.together(e))
            row: dict[int, int] = {}
            for base, n in [*found, *sp.factorint(content).items()]:
                row[factors.setdefault(base, len(factors))] = int(n) % q
            rows.append(row)
        matrix = flint.nmod_mat(len(rows), max(1, len(factors)), q)
        for i, row in enumerate(rows):
            for j, n in row.items():
                matrix[i, j] = n
        return None if matrix.rank() == len(rows) else "its roots are related"

    def fields(
        self, components: Sequence[Polynomial], factors: Sequence[Polynomial], seed: int
    ) -> Fields:
        """The fields P grad G_i, lifted to all variables; constants come last."""
        start = self.good_points(seed, 1)[0][1]
        D = len(self.parameters)
        frozen = [k for k, g in enumerate(self.generators, D) if g.kind == "constant"]
        order = [k for k in range(self.size) if k not in set(frozen)] + frozen
        rows: list[tuple[int, int, Fraction, Exponents]] = []
        for i, p in enumerate(components):
            motion = {j: multiply(factors[j], d) for j, d in self.gradient(p).items()}
            for j, d in motion.items():
                rows += [(i, j, c, x) for x, c in d.items()]
            for k, g in enumerate(self.generators, D):
                total: Polynomial = {}
                for j, slope in g.derivative.items():
                    if j in motion:
                        total = add(total, multiply(slope, motion[j]))
                rows += [(i, k, c, x) for x, c in total.items()]
        return packed(
            rows, self.size, len(components), order, len(frozen), [start[k] for k in order]
        )


def packed(
    rows: Sequence[tuple[int, int, Fraction, Exponents]],
    size: int,
    count: int,
    order: Sequence[int],
    frozen: int,
    start: Sequence[int],
) -> Fields:
    """Terms as arrays; every field up to a constant factor that makes its coefficients integers."""
    place = {k: i for i, k in enumerate(order)}
    scale = [1] * count
    for i, _, c, _ in rows:
        scale[i] = scale[i] * c.denominator // int(np.gcd(scale[i], c.denominator))
    width = max((sum(abs(e) for _, e in x) for *_, x in rows), default=1) or 1
    index = np.full((len(rows), width), size, np.int64)
    for t, (*_, x) in enumerate(rows):
        at = 0
        for k, e in x:
            index[t, at : at + abs(e)] = place[k] if e > 0 else size + 1 + place[k]
            at += abs(e)
    return Fields(
        size,
        count,
        np.array([i for i, *_ in rows], np.int64),
        np.array([place[k] for _, k, _, _ in rows], np.int64),
        tuple(int(c * scale[i]) for i, _, c, _ in rows),
        index,
        frozen,
        tuple(start),
    )


def _modular_root(value: int, degree: int) -> int:
    if not value:
        raise BadPoint
    if degree == 2:
        root = pow(value, (PRIME + 1) // 4, PRIME)
    elif (PRIME - 1) % degree:
        root = pow(value, pow(degree, -1, PRIME - 1), PRIME)
    else:
        part, m = PRIME - 1, 1
        while part % degree == 0:
            part, m = part // degree, m * degree
        # a root lies in the subgroup of order coprime to the degree for some values only
        root = pow(value, pow(degree, -1, part), PRIME)
    if pow(root, degree, PRIME) != value:
        raise BadPoint
    return root


def _canonical(e: sp.Expr) -> sp.Expr:
    e = sp.expand_log(e).replace(lambda x: isinstance(x, _HYPERBOLIC), lambda x: x.rewrite(sp.exp))
    e = e.replace(lambda x: isinstance(x, _LOGARITHMIC), lambda x: x.rewrite(sp.log))
    return e.replace(lambda x: type(x) in _QUOTIENTS, lambda x: _QUOTIENTS[type(x)](x.args[0]))
