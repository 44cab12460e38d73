"""Law: what is found to be conserved is constant along trajectories, whatever drives them."""

from __future__ import annotations

import numpy as np
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theory as th
from tests.laws.strategies import LINKED, MIXED, PAIRS, TRIPLES, Case, cases, problems


@settings(max_examples=4)
@given(st.data(), st.sampled_from(LINKED))
def test_law_is_constant_along_trajectories(data: st.DataObject, linked: tuple) -> None:
    case: Case = data.draw(cases((*PAIRS, *TRIPLES, *MIXED)))
    A, z = data.draw(problems(case))
    loss, link, h = linked
    flow = case.flow(loss, link)
    laws = flow.conservation_laws().found
    run = flow.integrate(
        th.Regression(A, h(z)), case.floats, (0, 1.0), t_eval=[0.0, 0.2, 1.0], mode="primal",
        terminal=False, rtol=1e-10,
    )  # fmt: skip
    assert run.success, run.message
    theta = run.theta
    axis = theta.shape.index(3) if theta.shape.count(3) == 1 else 0
    theta = np.moveaxis(theta, axis, 0)
    for law in laws:
        c = sp.lambdify(flow.parametrization.parameters, law, "numpy")
        values = [
            c(*state) if state.shape[0] == len(case.theta) else c(*state.T) for state in theta
        ]
        scale = 1 + np.max(np.abs(values[0]))
        assert np.max(np.abs(np.subtract(values[-1], values[0]))) < 1e-7 * scale


@settings(max_examples=4)
@given(cases((*PAIRS, *TRIPLES)), st.data())
def test_law_has_no_lie_derivative(case: Case, data: st.DataObject) -> None:
    laws = case.flow().conservation_laws().found
    names = list(case.theta)
    e = sp.sympify(case.formula)
    at = {n: sp.Rational(data.draw(st.integers(1, 40)), 13) for n in names}
    for law in laws:
        plain = law.subs({s: sp.Symbol(s.name) for s in law.free_symbols})
        rate = sum(sp.diff(plain, n) * sp.diff(e, n) for n in names)
        assert abs(sp.N(rate.subs(at), 30)) < 1e-25
