"""Limits of the regularizer for small and large starts, against formulas typed by hand."""

from __future__ import annotations

import mpmath as mp
import pytest
import sympy as sp

from theory.flow.parametrization import Elementwise
from theory.mirror.mirror_flow import mirror_flow
from theory.mirror.regularizer import Regularizer

a = sp.Symbol("alpha", positive=True)
x = sp.Symbol("x", positive=True)

# formula, point, leading term for x > 0
LEADING = [
    ("u**2 - v**2", 0, x * sp.log(1 / a) / 2),
    ("u**2 - v**2", sp.oo, x**2 / (16 * a**2)),
    ("u**3 - v**3", 0, x / (3 * a)),
    ("u**4 - v**4", 0, x / (8 * a**2)),
    ("u**2", 0, x * sp.log(1 / a) / 2),
    ("u**3", 0, x / (3 * a)),
    ("u*v", 0, x * sp.log(1 / a)),
]
IDS = [f"{f} at {p}" for f, p, _ in LEADING]


def regularizer(formula: str) -> Regularizer:
    rho = Elementwise(formula, [n for n in "uv" if n in formula])
    return Regularizer(mirror_flow(rho, {s.name: a for s in rho.parameters}))


@pytest.mark.parametrize(("formula", "point", "lead"), LEADING, ids=IDS)
def test_leading_term_is_the_stated_one(formula: str, point: sp.Expr, lead: sp.Expr) -> None:
    found = regularizer(formula).limit(a, point)
    derived = (found.scale * found.function).subs(found.x, x)
    assert sp.simplify(derived / lead) == 1


@pytest.mark.parametrize(("formula", "point", "lead"), LEADING, ids=IDS)
def test_numbers_approach_the_leading_term(formula: str, point: sp.Expr, lead: sp.Expr) -> None:
    mirror = regularizer(formula).mirror
    ratios = []
    for k in (3, 6):
        at = sp.Integer(10) ** (k if point is sp.oo else -k)
        value = mirror.value("potential", 2, dps=20, at={"alpha": at})
        ratios.append(abs(value / mp.mpf(str(sp.N(lead.subs({a: at, x: 2}), 25))) - 1))
    # a logarithmic rate at least halves the error when the exponent doubles
    assert ratios[1] <= 0.6 * ratios[0] + mp.mpf(10) ** -15
    assert ratios[1] < 0.2


def test_second_term_of_the_hyperbolic_entropy() -> None:
    # (x asinh(x/2a^2) - sqrt(x^2 + 4a^4) + 2a^2)/4 = x log(1/a)/2 + (x log x - x)/4 + ...
    found = regularizer("u**2 - v**2").expansion(a, 0, terms=2)
    derived = found.expression.subs(found.x, x)
    assert sp.simplify(derived - x * sp.log(1 / a) / 2 - (x * sp.log(x) - x) / 4) == 0


def test_terms_without_x_are_subtracted_before_the_limit_is_stated():
    mirror = mirror_flow(Elementwise("u**2", "u"), {"u": sp.Symbol("alpha", positive=True)})
    found = Regularizer(mirror).limit("alpha", sp.oo)
    assert found.function.has(found.x)
    a = sp.Rational(10) ** 12
    exact = sp.Rational(mp.nstr(mirror.value("potential", 3, dps=60, at={"alpha": a}), 60))
    dropped = found.dropped.subs(found.symbol, a)
    limit = found.function.subs(found.x, 3)
    error = (exact - dropped) / found.scale.subs(found.symbol, a) / limit - 1
    # the next term is of order 1 / log(alpha)
    assert abs(sp.N(error, 20)) < 0.1
    assert found.dropped != 0
