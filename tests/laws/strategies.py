"""Strategies: formulas with starts, data with reachable targets, pairs of loss and link."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp
from hypothesis import strategies as st

import theory as th


@dataclass(frozen=True)
class Case:
    """A formula with a start at which the flow moves."""

    formula: str
    start: tuple[tuple[str, str], ...]

    @property
    def parameters(self) -> str:
        return ", ".join(name for name, _ in self.start)

    @property
    def theta(self) -> dict[str, str]:
        return dict(self.start)

    @property
    def floats(self) -> dict[str, float]:
        out = {}
        for name, text in self.start:
            numerator, _, denominator = text.partition("/")
            out[name] = float(numerator) / float(denominator or 1)
        return out

    def rho(self) -> th.Elementwise:
        return th.Elementwise(self.formula, self.parameters)

    def mirror(self) -> th.Mirror:
        return _mirror(self)

    def flow(self, loss: str = "squared", link: str = "identity") -> th.GradientFlow:
        pair = getattr(th.losses, loss)(), getattr(th.links, link)()
        return th.GradientFlow(self.rho(), *pair)


@cache
def _mirror(case: Case) -> th.Mirror:
    return case.flow().mirror(start=case.theta)


def positives() -> st.SearchStrategy[str]:
    """Few positive rationals, so that the derivations are shared between examples."""
    return st.sampled_from(["1", "1/2", "2"])


def signed() -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(["", "-"]), positives()).map("".join)


POSITIVE = ["u**2", "u**3", "exp(u)", "u**(3/2)", "u**4"]
REAL = ["sinh(u)", "u", "u + u**3", "u + atan(u)"]
PAIRS = ["u**2 - v**2", "u**3 - v**3", "u**4 - v**4", "u*v", "exp(u) - exp(v)", "u**2*v"]
MIXED = ["u**2 + u*v", "exp(u)*sin(v) + u", "sqrt(1 + u**2)*v + u"]
TRIPLES = ["u*v*w", "u*v - w**2"]


@st.composite
def cases(draw: st.DrawFn, pool: tuple[str, ...] | None = None) -> Case:
    """A formula, and a start that is balanced or not."""
    formula = draw(st.sampled_from(pool or (*POSITIVE, *REAL, *PAIRS, *MIXED, *TRIPLES)))
    names = [n for n in "uvw" if n in formula.replace("exp", "").replace("sqrt", "")]
    if len(names) > 1 and draw(st.booleans()):
        value = draw(positives())
        return Case(formula, tuple((n, value) for n in names))
    value = signed() if formula in REAL else positives()
    return Case(formula, tuple((n, draw(value)) for n in names))


@st.composite
def matrices(draw: st.DrawFn, rows: int = 2, columns: int = 4) -> np.ndarray:
    """A full-rank matrix of small integers over 4."""
    entries = st.lists(st.integers(-6, 6), min_size=rows * columns, max_size=rows * columns)
    return draw(
        entries.map(lambda e: np.array(e, float).reshape(rows, columns) / 4).filter(
            lambda a: np.linalg.svd(a)[1][-1] > 0.3
        )
    )


@st.composite
def problems(draw: st.DrawFn, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """A matrix, and a target of the predictor that an x near the start meets."""
    A = draw(matrices())
    shift = np.array(draw(st.lists(st.integers(-8, 8), min_size=4, max_size=4)), float) / 20
    names = sp.symbols(list(case.theta))
    x0 = float(sp.lambdify(names, sp.sympify(case.formula), "math")(*case.floats.values()))
    # a positive start stays positive
    return A, A @ (x0 + shift * (abs(x0) if x0 else 0.25))


# loss, inverse link, and its values: each has a finite minimizer for every target in its range
LINKED = [
    ("squared", "identity", lambda z: z),
    ("log_cosh", "identity", lambda z: z),
    ("squared", "logistic", lambda z: 1 / (1 + np.exp(-z))),
    ("cross_entropy", "logistic", lambda z: 1 / (1 + np.exp(-z))),
    ("poisson", "exp", np.exp),
    ("huber", "softplus", lambda z: np.logaddexp(0, z)),
]
