"""Parts of the zero test on their own, where the whole hides what they do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import sympy as sp

from theory.exact import zero
from theory.exact.zero import (
    _finite_points,
    _locally_zero,
    _prove,
    _prove_by_regions,
    _Question,
    is_identity,
    is_zero,
    sample_points,
)

x = sp.Symbol("x", positive=True)
X = sp.Symbol("X", real=True)
s = sp.Symbol("s", nonnegative=True)
SIGNS = (1, -1)


def question(e: sp.Expr) -> _Question:
    return _Question(e, {}, e, 2048)


@pytest.mark.parametrize(
    ("e", "value", "differs"),
    [
        (x - 2, 3, True),
        (x - 2, 2, False),
        # no real value, no value at all, and a pole
        (sp.log(-x), 1, False),
        (sp.asin(x) - 5, 2, False),
        (1 / (x - 2), 2, False),
        (sp.sqrt(x - 2), 1, False),
    ],
)
def test_difference_is_a_real_number_other_than_zero(e: sp.Expr, value: int, differs: bool) -> None:
    assert question(e)._differs_at({x: sp.Integer(value)}) is differs


@pytest.mark.parametrize("signed", range(5))
def test_zero_is_seen_at_three_points_of_each_orthant(signed: int) -> None:
    symbols = [*sp.symbols(f"k:{signed}", real=True), x] if signed else [x]
    e = sum((sp.sin(q) ** 2 + sp.cos(q) ** 2 - 1 for q in symbols), sp.S.Zero)
    refuted, points = question(e)._refute()
    assert refuted is None
    assert len(points) == max(4, 3 * 2**signed)
    patterns = {tuple(q[k] > 0 for k in symbols) for q in points}
    assert len(patterns) == 2**signed


def test_number_is_looked_at_once() -> None:
    nested = sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6))
    assert question(nested)._refute() == (None, [{}])
    assert _finite_points(sp.pi, [], 2) == [{}]
    assert _finite_points(sp.asin(sp.pi), [], 2) == []
    assert len(_finite_points(x, [x], 2)) == 2


def test_search_for_points_gives_up_after_as_many_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    hits: set[int] = set()
    monkeypatch.setattr(zero, "agrees", lambda *_: next(calls) in hits)
    assert list(sample_points([x])) == []
    assert next(calls) == zero._MISSES + 1
    # a hit starts the count again
    first = zero._MISSES + 2 + zero._MISSES
    hits.add(first - 1)
    assert len(list(sample_points([x]))) == 1
    assert next(calls) == first + zero._MISSES + 1


def test_support_is_that_of_the_point_with_the_fewest_digits() -> None:
    recursion = sp.gamma(x + 1) - x * sp.gamma(x)
    for bits in (256, 512, 1024):
        # Gamma(21) = 2e18 is among the values
        assert is_zero(recursion, bits=bits).digits < bits * 0.30103 - 17


@pytest.mark.parametrize("sign", SIGNS)
def test_what_is_infinite_at_zero_alone_is_no_counterexample(sign: int) -> None:
    inside = sign * sp.loggamma(sp.Abs(X)) * (1 - sp.sign(X) ** 2)
    assert inside.xreplace({X: sp.S.Zero}) in (sp.oo, -sp.oo)
    assert _prove_by_regions(inside, X, 0) == "region by region in the sign of X"
    closed = sign * sp.loggamma(s) * (1 - sp.sign(s))
    assert closed.xreplace({s: sp.S.Zero}) in (sp.oo, -sp.oo)
    assert is_zero(closed).proved


def test_zero_and_what_is_not_zero_near_a_point() -> None:
    assert _prove(sp.S.Zero, [], depth=0) == "both sides are the same expression"
    assert _locally_zero(x - 1, {x: sp.Integer(2)}) == (None, False)
    assert _locally_zero(x - 1, {x: sp.Integer(1)}) == (None, False)
    assert _locally_zero(sp.log(-x), {x: sp.Integer(2)}) == (None, False)
    assert _locally_zero((x + 1) ** 2 - x**2 - 2 * x - 1, {x: sp.Integer(2)})[1]


def test_intervals_of_symbols_are_used() -> None:
    absolute = sp.sqrt(X**2)
    assert is_identity(absolute, X, {X: (sp.S.Zero, sp.oo)}).proved
    assert is_identity(absolute, X).refuted


def test_number_one_is_not_zero() -> None:
    assert is_zero(sp.S.One).refuted
    assert is_zero(sp.S.Zero).proved


@pytest.mark.parametrize("bare", [lambda q: q**2 - 2, lambda q: q - 1])
def test_symbol_without_rational_values_is_left_open(bare: Any) -> None:
    """No point is a counterexample, and none shows that there is no value."""
    assert is_zero(bare(sp.Symbol("q", irrational=True))).undecided


def test_closed_ends_of_two_symbols() -> None:
    r = sp.Symbol("r", nonnegative=True)
    assert is_zero(sp.log(1 + s + r + s * r) - sp.log(1 + s) - sp.log(1 + r)).proved


def test_zero_at_the_end_alone_is_no_proof() -> None:
    """Inside, 1 - cos(10^-700) is too small to be seen, and not zero."""
    small = s * (1 - sp.cos(sp.Rational(1, 10**700)))
    e = small + sp.sin(s + 1) ** 2 + sp.cos(s + 1) ** 2 - 1
    assert is_zero(e.xreplace({s: sp.S.Zero})).proved
    assert is_zero(e).undecided


def test_each_region_has_its_own_proof() -> None:
    n = sp.Symbol("n", real=True, nonzero=True)
    # 1 on one side, 0 on the other
    assert _prove_by_regions((1 + sp.sign(n)) / 2, n, 0) is None
    assert _prove_by_regions((1 - sp.sign(n)) / 2, n, 0) is None
    # at zero it is sin(1)^2 + cos(1)^2 - 1, which is no number that SymPy writes as zero
    circle = sp.sin(X + 1) ** 2 + sp.cos(X + 1) ** 2
    assert _prove_by_regions(sp.Abs(X) * sp.sign(X) - X + circle - 1, X, 0) is not None


def test_three_symbols_are_proved_by_regions() -> None:
    size = sp.Abs(sp.prod(sp.symbols("k:3", real=True)))
    four = sp.Abs(sp.prod(sp.symbols("k:4", real=True)))
    assert is_zero(sp.sqrt(size**2 + 2 * size + 1) - size - 1).proved
    assert _prove(sp.sqrt(four**2 + 2 * four + 1) - four - 1, [], depth=0) is None
