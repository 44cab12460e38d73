"""Parts of the zero test on their own, where the whole hides what they do."""

from __future__ import annotations

import itertools

import pytest
import sympy as sp

from theory.exact import zero
from theory.exact.zero import (
    _finite_points,
    _locally_zero,
    _prove,
    _prove_by_regions,
    _Question,
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
