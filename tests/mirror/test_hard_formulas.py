"""Formulas chosen for their difficulty, against a second algorithm, to 25 digits."""

from __future__ import annotations

from functools import cache

import mpmath as mp
import pytest
import sympy as sp

from tests.mirror.independent import Potential
from tests.nightly import NIGHTLY
from theory.errors import NotClosedForm
from theory.exact.budget import time_budget
from theory.flow.parametrization import Elementwise
from theory.mirror.mirror_flow import MirrorFlow, mirror_flow

Start = dict[str, "str | int"]

# formula, start, shift of x from the start, rates
CASES: dict[str, tuple[str, Start, str, dict[str, int]]] = {
    # one parameter
    "u*exp(u)": ("u*exp(u)", {"u": 0}, "1/3", {}),
    "u*exp(u) left": ("u*exp(u)", {"u": 0}, "-1/3", {}),
    "u+sin(u)": ("u + sin(u)", {"u": 1}, "1/3", {}),
    "u+sin(u)/2 over a period": ("u + sin(u)/2", {"u": 0}, "9", {}),
    "2u+sin(u) beyond the jump of the antiderivative": ("2*u + sin(u)", {"u": 0}, "13", {}),
    "erf": ("erf(u)", {"u": "1/3"}, "1/4", {}),
    "gd": ("2*atan(tanh(u/2))", {"u": "1/5"}, "1/3", {}),
    "u/(1+u**2)": ("u/(1 + u**2)", {"u": "1/4"}, "1/5", {}),
    "u/sqrt(1+u**2)": ("u/sqrt(1 + u**2)", {"u": 1}, "1/5", {}),
    "u**3+u": ("u**3 + u", {"u": 0}, "2", {}),
    "u**5+u": ("u**5 + u", {"u": 0}, "-3", {}),
    "u-exp(-u)": ("u - exp(-u)", {"u": 0}, "1/3", {}),
    "u*log(u)": ("u*log(u)", {"u": 2}, "1/3", {}),
    "u**(3/2)": ("u**(3/2)", {"u": 1}, "7", {}),
    "u**pi": ("u**pi", {"u": 1}, "7", {}),
    "exp(u**2)": ("exp(u**2)", {"u": 1}, "1/3", {}),
    "u**2 from 1e-8": ("u**2", {"u": "1e-8"}, "1/3", {}),
    "u**3 from 1e3": ("u**3", {"u": 1000}, "-9e8", {}),
    # two parameters, sums
    "u**2-v**2 from 1e-8": ("u**2 - v**2", {"u": "1e-8", "v": "1e-8"}, "1/3", {}),
    "u**2-v**2 from 1e3": ("u**2 - v**2", {"u": 1000, "v": 1000}, "1/3", {}),
    "u**2-v**2 unbalanced": ("u**2 - v**2", {"u": 2, "v": "1/3"}, "-7", {}),
    "u**2-v**2 rates": ("u**2 - v**2", {"u": 2, "v": "1/3"}, "1/3", {"u": 3}),
    "u**3-v**3 asymmetric": ("u**3 - v**3", {"u": 1, "v": "1/2"}, "1/3", {}),
    "u**4-v**4": ("u**4 - v**4", {"u": 1, "v": 1}, "5", {}),
    "u**5-v**5 asymmetric": ("u**5 - v**5", {"u": 1, "v": 2}, "31", {}),
    "u**2-v**3": ("u**2 - v**3", {"u": 1, "v": 1}, "-1/3", {}),
    "u**2+v**2": ("u**2 + v**2", {"u": 1, "v": 2}, "1/3", {}),
    "exp(u)-exp(v)": ("exp(u) - exp(v)", {"u": 0, "v": 0}, "1/3", {}),
    "exp(u)-exp(v) asymmetric": ("exp(u) - exp(v)", {"u": 1, "v": -1}, "-5", {}),
    "sinh(u)-sinh(v)": ("sinh(u) - sinh(v)", {"u": "1/2", "v": -1}, "1/3", {}),
    "softplus difference": ("log(1+exp(u)) - log(1+exp(v))", {"u": 1, "v": -2}, "1/3", {}),
    "tanh(u)-tanh(v)": ("tanh(u) - tanh(v)", {"u": 0, "v": "1/2"}, "1/4", {}),
    "atan(u)-atan(v)": ("atan(u) - atan(v)", {"u": 0, "v": 0}, "1/3", {}),
    # products
    "u*v": ("u*v", {"u": 1, "v": 1}, "1/3", {}),
    "u*v unbalanced through zero": ("u*v", {"u": 2, "v": "1/2"}, "-5", {}),
    "u*v rates": ("u*v", {"u": 1, "v": 1}, "1/3", {"v": 4}),
    "u**2*v**3": ("u**2*v**3", {"u": 1, "v": 1}, "1/3", {}),
    "u**2*v**3 unbalanced": ("u**2*v**3", {"u": "1/2", "v": 2}, "-1/3", {}),
    "u*v*w": ("u*v*w", {"u": 1, "v": 1, "w": 2}, "3", {}),
    "u*v*w*z": ("u*v*w*z", {"u": 1, "v": 1, "w": 1, "z": 2}, "1/3", {}),
    "u**3*v from 1e3 and 1e-3": ("u**3*v", {"u": 1000, "v": "1/1000"}, "-1/3", {}),
    "u*exp(v)": ("u*exp(v)", {"u": 1, "v": 0}, "1/3", {}),
    "sin(u)*cos(v)": ("sin(u)*cos(v)", {"u": "1/2", "v": "1/3"}, "1/7", {}),
    "asinh(u)*v": ("asinh(u)*v", {"u": 1, "v": 1}, "1/3", {}),
    "u*v/(1+u*v)": ("u*v/(1 + u*v)", {"u": 1, "v": 2}, "-1/3", {}),
    # mixed and not separable
    "u*v-w**2": ("u*v - w**2", {"u": 1, "v": 2, "w": 1}, "1/3", {}),
    "u*v-w*z": ("u*v - w*z", {"u": 1, "v": 2, "w": 1, "z": 1}, "-3", {}),
    "u**2*v-w": ("u**2*v - w", {"u": 1, "v": 1, "w": 0}, "-1/3", {}),
    "u**2+u*v": ("u**2 + u*v", {"u": 1, "v": 1}, "1/3", {}),
    "exp(u)*sin(v)+u": ("exp(u)*sin(v) + u", {"u": 0, "v": "1/2"}, "1/3", {}),
    "sqrt(1+u**2)*v+u": ("sqrt(1 + u**2)*v + u", {"u": 1, "v": "1/3"}, "1/3", {}),
    "log(1+u**2*v**2)+v": ("log(1 + u**2*v**2) + v", {"u": 1, "v": "1/2"}, "1/3", {}),
    "u**2*v+v**2 rates": ("u**2*v + v**2", {"u": 1, "v": 1}, "1/3", {"u": 2, "v": 5}),
    "atan(u*v)+w*u": ("atan(u*v) + w*u", {"u": 1, "v": 1, "w": 1}, "1/3", {}),
}

CLOSED = {
    "u**(3/2)": ("hessian", "gradient", "potential"),
    "u**2 from 1e-8": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u**3 from 1e3": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u*v": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u**2-v**2 from 1e-8": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u**2-v**2 from 1e3": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u**2-v**2 unbalanced": ("hessian", "gradient", "potential", "inverse_gradient", "conjugate"),
    "u**4-v**4": ("inverse_gradient", "conjugate"),
    "u**3-v**3 asymmetric": ("inverse_gradient", "conjugate"),
    "u**5-v**5 asymmetric": ("inverse_gradient", "conjugate"),
    "exp(u)-exp(v) asymmetric": ("inverse_gradient",),
    "sinh(u)-sinh(v)": ("inverse_gradient",),
    "u+sin(u)": ("inverse_gradient", "conjugate"),
}


def mirror(name: str) -> MirrorFlow:
    formula, start, _, rates = CASES[name]
    return mirror_flow(Elementwise(formula, ", ".join(start), rates=rates or None), start)


@cache
def in_closed_form(name: str) -> MirrorFlow:
    return mirror(name)


@cache
def by_numbers(name: str) -> MirrorFlow:
    """A mirror flow that gives up early on closed forms: its numbers do not depend on them."""
    with time_budget(0.3):
        flow = mirror(name)
        _ = flow.closed
    return flow


@cache
def oracle(name: str) -> Potential:
    formula, start, _, rates = CASES[name]
    return Potential(formula, start, rates)


@cache
def points(name: str) -> tuple[sp.Rational, sp.Rational]:
    """x, and a point between x and the start, both exact."""
    shift = sp.Rational(CASES[name][2])
    with mp.workdps(20):
        x0 = sp.Rational(mp.nstr(oracle(name).x0, 17))
    return x0 + shift, x0 + shift * sp.Rational(3, 10)


def exact(q: sp.Rational) -> mp.mpf:
    return mp.mpf(q.p) / q.q


def assert_digits(value: mp.mpf, expected: mp.mpf, digits: int = 25) -> None:
    with mp.workdps(45):
        scale = abs(expected) or 1
        assert abs(value - expected) < mp.mpf(10) ** -digits * scale, (value, expected)


@pytest.mark.parametrize("name", CASES if NIGHTLY else list(CASES)[::6])
def test_hessian_agrees_to_25_digits(name: str) -> None:
    x, _ = points(name)
    with mp.workdps(46):
        expected = oracle(name).at(exact(x))[2]
    assert_digits(by_numbers(name).value("hessian", x, dps=28), expected)


@pytest.mark.parametrize("name", CASES if NIGHTLY else list(CASES)[1::6])
def test_bregman_divergence_agrees_to_25_digits(name: str) -> None:
    x, other = points(name)
    with mp.workdps(46):
        expected = oracle(name).bregman(exact(x), exact(other))
    assert_digits(by_numbers(name).value("bregman", x, other, dps=28), expected)


COMPARED = [(n, k) for n, kinds in CLOSED.items() for k in kinds]


@pytest.mark.parametrize(("name", "kind"), COMPARED if NIGHTLY else COMPARED[::6])
def test_closed_form_equals_the_second_algorithm(name: str, kind: str) -> None:
    x, _ = points(name)
    with mp.workdps(46):
        potential, xi, hessian = oracle(name).at(exact(x))
        expected = {
            "hessian": hessian,
            "gradient": xi,
            "potential": potential,
            "inverse_gradient": exact(x),
            "conjugate": exact(x) * xi - potential,
        }[kind]
        dual = kind in ("inverse_gradient", "conjugate")
        argument = sp.Rational(mp.nstr(xi, 36)) if dual else x
    formula = getattr(in_closed_form(name), kind)(argument)
    with mp.workdps(46):
        assert_digits(mp.mpf(str(sp.N(formula, 40))), expected)


def test_formula_without_closed_form_says_so() -> None:
    with pytest.raises(NotClosedForm, match="No closed form of the potential"):
        mirror("u**2+u*v").potential(sp.Integer(3))
