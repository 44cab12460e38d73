"""Critical points and thresholds against Hessians that SymPy differentiates, and against roots."""

from __future__ import annotations

import dataclasses
import itertools
from functools import lru_cache

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from theory.errors import AssumptionError, DataError, FormulaError, ShapeError, TooLarge
from theory.exact.zero import is_zero
from theory.networks import critical_points, thresholds
from theory.networks.critical_check import check_inertia, inertia

# -- thresholds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 9, "L"])
@pytest.mark.parametrize("lam", ["lam", sp.Rational(2, 7), sp.sqrt(2)], ids=str)
def test_thresholds_are_proved(depth, lam):
    assert thresholds(depth, lam).identities_proved


@pytest.mark.parametrize("depth", [3, "L"])
@pytest.mark.parametrize("name", ["critical", "optimal"])
def test_a_wrong_threshold_is_not_proved(depth, name):
    t = thresholds(depth)
    wrong = dataclasses.replace(t, **{name: getattr(t, name) * (1 + sp.Rational(1, 10**12))})
    assert not wrong.identities_proved


@pytest.mark.parametrize("depth", [3, 4, 6, 11])
def test_thresholds_agree_with_numpy_roots_and_values(depth):
    lam = 0.07
    t = thresholds(depth, lam)
    for factor, above in ((0.999, False), (1.001, True)):
        s = float(t.critical) * factor
        polynomial = np.zeros(2 * depth - 1)
        polynomial[0], polynomial[depth], polynomial[-1] = 1, -s, 2 * lam
        roots = np.roots(polynomial)
        count = sum(abs(r.imag) < 1e-9 and r.real > 1e-9 for r in roots)
        assert count == (2 if above else 0)
        s = float(t.optimal) * factor
        grid = np.linspace(0, 1.2 * s ** (1 / depth), 200_001)[1:]
        values = (grid**depth - s) ** 2 / 2 + lam * depth * grid**2
        assert (values.min() < s**2 / 2) == above
    s, a = float(t.optimal), float(t.switch) ** depth
    assert abs(a - s * (depth - 2) / (depth - 1)) < 1e-12
    assert abs(float(t.ratio) - float(t.critical / t.optimal)) < 1e-12


def test_three_layers_have_the_thresholds_of_the_quartic():
    lam = sp.Symbol("lam", positive=True)
    t = thresholds(3, lam)
    assert is_zero(t.critical - 4 * (2 * lam / 3) ** sp.Rational(3, 4)).proved
    assert is_zero(t.optimal - 2 * (2 * lam) ** sp.Rational(3, 4)).proved


def test_a_symbolic_depth_gives_the_integer_ones():
    L = sp.Symbol("L", positive=True)
    general = thresholds(L, sp.Rational(3, 5))
    assert general.conditions == ("L > 2",)
    for depth in (3, 4, 8):
        special = thresholds(depth, sp.Rational(3, 5))
        for name in ("critical", "optimal", "double_root", "switch"):
            gap = getattr(general, name).xreplace({L: sp.Integer(depth)}) - getattr(special, name)
            assert abs(sp.N(gap, 30)) < 1e-25


# -- Hessians by an independent route -----------------------------------------------------------


@lru_cache(maxsize=8)
def hessian_of(depth: int, n: int, width: int):
    """The Hessian of the loss in all entries of all layers, differentiated by SymPy."""
    shapes = [(width, n), *[(width, width)] * (depth - 2), (n, width)]
    layers, flat = [], []
    for k, (r, c) in enumerate(shapes):
        w = sp.Matrix(r, c, sp.symbols(f"w{k}_0:{r * c}", real=True))
        layers.append(w)
        flat += list(w)
    product = layers[0]
    for w in layers[1:]:
        product = w * product
    s, lam = sp.symbols(f"s0:{n}"), sp.Symbol("lam")
    loss = sum(e**2 for e in product - sp.diag(*s)) / 2 + lam * sum(w**2 for w in flat)
    gradient = [sp.diff(loss, w) for w in flat]
    hessian = [[sp.diff(g, w) for w in flat] for g in gradient]
    return (
        sp.lambdify([flat, s, lam], gradient),
        sp.lambdify([flat, s, lam], hessian),
        shapes,
    )


def check_point(found, point, depth, s, lam, width):
    gradient, hessian, shapes = hessian_of(depth, len(s), width)
    flat = []
    used = [i for i, r in enumerate(point.roots) if r.kind != "0"]
    free = iter(i for i in range(width) if i not in used)
    # a present mode takes its own hidden unit, or a free one when the layer is narrow
    unit = {i: i if i < width else next(free) for i in used}
    for k, (r, c) in enumerate(shapes):
        w = np.zeros((r, c))
        for i, root in enumerate(point.roots):
            if root.kind != "0":
                row = i if k == len(shapes) - 1 else unit[i]
                column = i if k == 0 else unit[i]
                w[row, column] = float(root.x.mid())
        flat += w.ravel().tolist()
    assert np.abs(gradient(flat, s, lam)).max() < 1e-12
    values = np.linalg.eigvalsh(np.array(hessian(flat, s, lam), dtype=float))
    assert abs(values[0] - found.hessian_minimum(point)) < 1e-9 * (1 + abs(values[0]))
    if point.kind == "strict saddle":
        assert values[0] < -1e-9
    else:
        assert values[0] > -1e-9


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("lam", [0.0, 0.1, 0.013])
def test_every_point_has_the_hessian_of_the_loss(depth, lam):
    s = (3, 1.5)
    found = critical_points(s, lam, depth=depth)
    for point in found.points:
        check_point(found, point, depth, s, lam, 2)


@pytest.mark.parametrize(("depth", "width"), [(2, 1), (3, 1), (3, 3), (2, 3)])
def test_narrow_and_wide_layers_have_the_hessian_of_the_loss(depth, width):
    s = (2, 1.25)
    found = critical_points(s, 0.05, depth=depth, width=width)
    for point in found.points:
        check_point(found, point, depth, s, 0.05, width)


@settings(max_examples=15)
@given(
    st.sampled_from([2, 3]),
    st.lists(st.fractions("1/10", 4, max_denominator=20), min_size=2, max_size=2),
    st.fractions("1/100", 1, max_denominator=100),
)
def test_classes_agree_with_hessians_at_drawn_targets(depth, s, lam):
    s = sorted(s, reverse=True)
    found = critical_points(s, lam, depth=depth)
    minima = {p.pattern for p in found.local_minima}
    for point in found.points:
        if point.kind != "degenerate saddle":
            check_point(found, point, depth, [float(v) for v in s], float(lam), 2)
        # one representative of a family of equal singular values is listed
        if point.is_minimum and s[0] != s[1]:
            assert point.pattern in minima
    best = min(float(p.loss.mid()) for p in found.points)
    assert abs(float(found.global_minimum.loss.mid()) - best) < 1e-12 * (1 + best)


@settings(max_examples=20)
@given(
    st.lists(st.integers(-2, 2), min_size=5, max_size=5),
    st.lists(st.integers(-3, 3), min_size=25, max_size=25),
)
def test_inertia_is_that_of_a_congruent_diagonal(diagonal, entries):
    C = sp.Matrix(5, 5, entries)
    if C.det() == 0:
        return
    signs = [int(sp.sign(v)) for v in diagonal]
    expected = (signs.count(1), signs.count(-1), signs.count(0))
    # Sylvester's law
    assert inertia(C.T * sp.diag(*diagonal) * C / 7) == expected


@pytest.mark.parametrize("depth", [2, 3])
def test_whole_hessians_have_the_stated_signs(depth):
    assert check_inertia(depth).proved


# -- tables and boundary cases ------------------------------------------------------------------


def test_exact_ties_with_the_thresholds():
    lam = sp.Rational(1, 2)
    t = thresholds(4, lam)
    found = critical_points([t.optimal], lam, depth=4)
    assert {p.pattern for p in found.points if p.kind == "global minimum"} == {"0", "B"}
    found = critical_points([t.critical], lam, depth=4)
    assert {p.pattern: p.kind for p in found.points} == {
        "0": "global minimum",
        "D": "degenerate saddle",
    }
    two = critical_points([1], sp.Rational(1, 2), depth=2)
    assert [(p.pattern, p.kind) for p in two.points] == [("0", "global minimum")]


def test_equal_singular_values_are_a_family_of_minima():
    found = critical_points([2, 2], 0.01, depth=3)
    assert found["B0"].kind == found["0B"].kind == "local minimum"
    assert found["BS"].kind == "strict saddle"
    assert [p.pattern for p in found.local_minima] == ["00", "B0", "BB"]


def test_narrow_layers_have_no_minimum_beyond_their_width():
    found = critical_points([3, 2, 1], 0, depth=2, width=1)
    assert [p.pattern for p in found.local_minima] == ["B00"]
    assert found["B00"].kind == "global minimum"
    assert critical_points([3, 2, 1], 0, depth=2)["B00"].kind == "strict saddle"


def test_many_modes_have_minima_but_no_list():
    found = critical_points(list(range(30, 0, -1)), 0.01, depth=3)
    assert len(found.local_minima) == 31
    assert found.global_minimum.rank == 30
    with pytest.raises(TooLarge, match="local_minima"):
        _ = found.points


def test_small_root_of_a_tiny_decay_is_separated():
    found = critical_points([1], sp.Rational(1, 10**30), depth=3)
    small = found["S"].roots[0]
    # x is about 2 lam/s
    assert abs(float(small.x.mid()) / 2e-30 - 1) < 1e-12
    near = thresholds(3, 1).critical
    close = sp.Rational(str(sp.N(near, 60))) + sp.Rational(1, 10**55)
    assert [r.kind for r in critical_points([close], 1, depth=3).modes[0]] == ["0", "B", "S"]


def test_derivation_is_proved():
    for depth in (2, 3, 7):
        assert critical_points([1], 1, depth=depth).derivation.identities_proved


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: critical_points([3, 2], -1), AssumptionError, "lam >= 0"),
        (lambda: critical_points([3, 2], "lam"), FormulaError, "number for lam"),
        (lambda: critical_points([2, 3], 1), DataError, "decreasing"),
        (lambda: critical_points([2, -3], 1), DataError, "nonnegative"),
        (lambda: critical_points([], 1), ShapeError, "at least one"),
        (lambda: critical_points([[1, 2]], 1), ShapeError, "flat"),
        (lambda: critical_points("3", 1), ShapeError, "sequence"),
        (lambda: critical_points([1], 1, depth=1), AssumptionError, "depth >= 2"),
        (lambda: critical_points([1], 1, depth="L"), FormulaError, "integer depth"),
        (lambda: critical_points([1], 1, depth=2.5), FormulaError, "depth"),
        (lambda: critical_points([1], 1, width=0), ShapeError, "width"),
        (lambda: critical_points([float("nan")], 1), DataError, "number"),
        (lambda: critical_points([1], 0.1)["S"], FormulaError, "0|B"),
        (lambda: thresholds(1), AssumptionError, "depth >= 2"),
        (lambda: thresholds(3, -0.5), AssumptionError, "lam >= 0"),
        (lambda: thresholds(3, sp.Symbol("c")), AssumptionError, "positive=True"),
        (lambda: thresholds(sp.Symbol("n")), AssumptionError, "positive=True"),
        (lambda: thresholds("3 +"), FormulaError, "depth"),
    ],
)
def test_bad_calls_name_the_argument(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_public_names():
    assert th.networks.critical_points is critical_points
    assert list(itertools.islice(str(critical_points([1], 0.1)).splitlines(), 1)) == [
        "depth 2, lam = 1/10, s = (1)"
    ]
