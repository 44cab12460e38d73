"""Inverse design: the wanted potential comes back out of the designed parametrization."""

import mpmath
import pytest
import sympy as sp

import theory as th

# F'' on an interval: the targets of the design literature and harder ones
CLOSED = {
    "1": "-oo, oo",
    "p**2/4*x**(p-2)": "0, oo",
    "1/x": "0, oo",
    "1/x**2": "0, oo",
    "x**(-3)": "0, oo",
    "x**2": "0, oo",
    "1/sqrt(x)": "0, oo",
    "1/x**(4/3)": "0, oo",
    "1/cosh(x)**2": "-oo, oo",
    "1/cos(x)**2": "-pi/2, pi/2",
    "1/(1+x**2)": "-oo, oo",
    "2/(1+x**2)**2": "-oo, oo",
    "1/(x*(1-x))": "0, 1",
    "1/(1-x**2)": "-1, 1",
    "1/(1-x**2)**2": "-1, 1",
    "1/(x*(1-x))**2": "0, 1",
    "exp(-x**2)": "-oo, oo",
    "1/(exp(x)-1)": "0, oo",
    "cosh(x)**2": "-oo, oo",
    "exp(x)": "-oo, oo",
    "exp(x)/(1+exp(x))**2": "-oo, oo",
    "(1+x**2)**2": "-oo, oo",
    "1/(x**2-1)": "1, oo",
    "1/(1-x)": "-oo, 1",
}
PARAMETRIC = {
    "1/x+1": "0, oo",
    "1/x**2+1": "0, oo",
    "1+x**2": "-oo, oo",
    "1/x+1/x**2": "0, oo",
}
PAIRS = {"1/sqrt(1+x**2)": "-oo, oo", "1/sqrt(x**2+4*a**4)/4": "-oo, oo"}


def _number(e: sp.Expr, values: dict[sp.Symbol, object]) -> mpmath.mpf:
    with mpmath.workdps(30):
        symbols = list(values)
        return sp.lambdify(symbols, e, "mpmath")(*(mpmath.mpf(str(values[s])) for s in symbols))


@pytest.mark.parametrize("hessian", CLOSED)
def test_the_metric_of_the_designed_parametrization_is_the_inverse_hessian(hessian):
    design = th.design(hessian, "x", on=CLOSED[hessian], given="hessian")
    assert design.kind == "closed"
    assert all(c.proved for c in design.certificates)
    (u,) = design.parameters
    constants = dict.fromkeys(design.formula.free_symbols - {u}, "1.7")
    with mpmath.workdps(30):
        checked = 0
        for value in ("0.31", "0.83", "1.37", "-0.4", "2.3"):
            try:
                x = _number(design.formula, {u: value, **constants})
            except (ZeroDivisionError, ValueError):
                # outside of the interval of u
                continue
            lower, upper = design.interval
            if not (isinstance(x, mpmath.mpf) and lower < x < upper):
                continue
            slope = _number(sp.diff(design.formula, u), {u: value, **constants})
            wanted = _number(design.hessian, {design.x: x, **constants})
            assert abs(wanted * slope**2 - 1) < mpmath.mpf(10) ** -20
            checked += 1
        assert checked >= 1


@pytest.mark.parametrize("hessian", PARAMETRIC)
def test_where_no_inverse_closes_the_parametric_answer_is_exact(hessian):
    design = th.design(hessian, "x", on=PARAMETRIC[hessian], given="hessian")
    theta, x = design.parametric
    assert not theta.has(sp.Integral)
    assert all(c.proved for c in design.certificates)
    with mpmath.workdps(30):
        for value in ("0.7", "1.9"):
            slope = _number(sp.diff(theta, x), {x: value})
            wanted = _number(design.hessian, {x: value})
            assert abs(slope**2 / wanted - 1) < mpmath.mpf(10) ** -20


@pytest.mark.parametrize("hessian", PAIRS)
def test_the_pair_induces_hyperbolic_entropy(hessian):
    design = th.design(hessian, "x", on=PAIRS[hessian], given="hessian")
    assert design.kind == "pair"
    start = dict(zip(design.parameters, design.start, strict=True))
    mirror = th.GradientFlow(design.rho).mirror(start=start)
    x = mirror.closed.x
    found = mirror.hessian(x)
    a = sp.Rational(3, 4)
    for value in ("-1.3", "0.2", "2.5"):
        left = found.subs(dict.fromkeys(found.free_symbols - {x}, a))
        right = design.hessian.subs(dict.fromkeys(design.hessian.free_symbols - {design.x}, a))
        assert abs(_number(left, {x: value}) - _number(right, {design.x: value})) < 1e-20


def test_a_potential_that_is_not_convex_is_refused_with_the_point():
    with pytest.raises(th.errors.DomainError, match="not positive at x = "):
        th.design("x**4 - x**2", "x", on="-1, 1")


def test_entropy_gives_the_square():
    x = sp.Symbol("x", positive=True)
    assert str(th.design(x * sp.log(x) - x, x, on=(0, sp.oo)).formula) == "u**2/4"
