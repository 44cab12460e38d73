"""Laws are constant along trajectories that are integrated, for random data, losses, couplings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import theory as th
from theory.flow.coupled import CoupledModel
from theory.flow.coupled_laws import coupled_laws

N = th.networks
RTOL, ATOL = 1e-10, 1e-12

MODELS: dict[str, Callable[[], CoupledModel]] = {
    "formulas": lambda: th.Coupled(["u*v", "u**2*v**2 + 3*u*v"], "u v"),
    "shared factor": lambda: th.Coupled(["u*v", "u*w"], "u v w", rates=[1, "1/2", 3]),
    "linear": lambda: N.linear(3, 2, 3, 2),
    "rates by block": lambda: N.linear(3, 2, 2).with_rates({"W1": 3}),
    "relu": lambda: N.relu(2, 3, 2, bias=True),
    "one pattern": lambda: N.relu(2, 3, 2, pattern=[[1, 0, 1]]),
    "factorization": lambda: N.factorization(3, 2, 2),
    "hadamard": lambda: N.hadamard(3, 3),
    "circular convolution": lambda: N.circular_convolution(3),
    "linear convolution": lambda: N.linear_convolution(2, 3, 2),
    "attention": lambda: N.attention(2, 1, heads=2),
    "tied factor": lambda: th.Coupled(["u*v*w", "u**2*w"], "u v w"),
}
FUNCTIONS: dict[str, tuple[Callable[[], CoupledModel], list[str] | str]] = {
    "softmax": (lambda: N.softmax(3), "polynomial"),
    "tanh": (lambda: N.tanh(2, [1]), ["a1**2", "a2**2", "sinh(w1)**2", "sinh(w2)**2"]),
    "exponential": (lambda: th.Coupled(["exp(-u**2)*v", "exp(-u**2)*w"], "u v w"),
                    ["log(abs(u))", "u**2", "v**2", "w**2"]),
    "weight normalization": (lambda: N.weight_normalization(3), "polynomial"),
    "rational": (lambda: th.Coupled(["u/(1 + v**2)"], "u v"), ["u**2", "v**2", "log(abs(v))"]),
    "logarithm": (lambda: th.Coupled(["u**2 + 3*v**2"], "u v"), "laurent-log"),
    "power": (
        lambda: th.Coupled(["u**(5/2)*v"], "u v", assume={"u": "positive"}), ["u**2", "v**2"],
    ),
}  # fmt: skip


class Numeric:
    """Components and Jacobian as functions of an array."""

    def __init__(self, model: CoupledModel, metric: list[Any] | None = None) -> None:
        self.size, self.count = len(model.parameters), len(model.components)
        self.components = sp.lambdify([model.parameters], model.components, "numpy")
        self.jacobian = sp.lambdify([model.parameters], model.jacobian(), "numpy")
        entries = metric or [1] * self.size
        factors = [r * e for r, e in zip(model.rates, entries, strict=True)]
        self.factors = sp.lambdify([model.parameters], factors, "numpy")

    def pull(self, theta: np.ndarray, g: np.ndarray) -> np.ndarray:
        """P J^T g."""
        J = np.asarray(self.jacobian(theta), dtype=float).reshape(self.count, self.size)
        return np.asarray(self.factors(theta), dtype=float) * (J.T @ g)


def couplings(count: int, seed: int) -> dict[str, Callable[[float, np.ndarray], np.ndarray]]:
    """The gradient of a loss in x: of regressions, and of a control that is no loss at all."""
    rng = np.random.default_rng(seed)
    A, y = rng.normal(size=(2, count)), rng.normal(size=2)
    labels = np.sign(y)
    waves, phases = rng.normal(size=(2, count))
    return {
        "squared": lambda t, x: A.T @ (A @ x - y),
        "logistic": lambda t, x: A.T @ (-labels / (1 + np.exp(labels * (A @ x)))),
        "quartic": lambda t, x: A.T @ (A @ x - y) ** 3,
        "control": lambda t, x: np.sin(3 * waves * t + phases) + 0.3 * np.cos(x),
    }


def start(model: CoupledModel, seed: int) -> np.ndarray:
    rng = np.random.default_rng(100 + seed)
    return rng.uniform(0.4, 1.1, len(model.parameters)) * np.where(
        [s.is_positive or False for s in model.parameters],
        1.0,
        rng.choice([1.0, -1.0], len(model.parameters)),
    )


def drifts(laws: list[sp.Expr], symbols: list[sp.Symbol], states: np.ndarray) -> np.ndarray:
    """The largest change of each law relative to its size."""
    values = np.array(
        [[float(f(*s)) for s in states.T] for f in (sp.lambdify(symbols, c) for c in laws)]
    )
    scale = 1 + np.abs(values).max(axis=1)
    return np.abs(values - values[:, :1]).max(axis=1) / scale


def run(field: Callable, begin: np.ndarray, span: tuple[float, float]) -> Any:
    def far(t: float, state: np.ndarray) -> float:
        # a control that is no loss may drive the flow to infinity in finite time
        return 8.0 - float(np.abs(state).max())

    far.terminal = True  # type: ignore[attr-defined]
    done = solve_ivp(
        field, span, begin, method="DOP853", rtol=RTOL, atol=ATOL, max_step=0.1, events=far
    )
    assert done.success, done.message
    moved = np.abs(done.y - done.y[:, :1]).max()
    assert moved > 1e-4, "nothing moves, so that nothing is tested"
    return done


def assert_constant(model: CoupledModel, laws: Any, metric: list[Any] | None = None) -> None:
    assert laws.found
    numeric = Numeric(model, metric)
    for seed in (1, 2):
        for name, slope in couplings(numeric.count, seed).items():

            def field(t: float, theta: np.ndarray, slope: Any = slope) -> np.ndarray:
                return -numeric.pull(theta, slope(t, np.asarray(numeric.components(theta))))

            done = run(field, start(model, seed), (0.0, 1.0))
            worst = drifts(list(laws.found), list(model.parameters), done.y).max()
            assert worst < 1e-7, (name, seed, worst)


@pytest.mark.parametrize("name", MODELS)
def test_polynomial_laws_are_constant(name: str) -> None:
    model = MODELS[name]()
    assert_constant(model, coupled_laws(model))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_laws_are_constant(name: str) -> None:
    build, ansatz = FUNCTIONS[name]
    model = build()
    assert_constant(model, coupled_laws(model, ansatz=ansatz))


@pytest.mark.parametrize("name", ["nmf", "icnn", "multiplicative"])
def test_laws_under_a_metric_are_constant(name: str) -> None:
    if name == "multiplicative":
        model: CoupledModel = th.Coupled(["u*v", "u*w"], "u v w")
        metric = list(model.parameters)
        laws = coupled_laws(model, metric=metric)
    else:
        network = N.nmf(2, 3, 2) if name == "nmf" else N.icnn(2, 2, 1)
        model, metric = network, list(network.scaling)
        laws = coupled_laws(network)
    assert_constant(model, laws, metric)


def test_laws_of_given_data_hold_for_these_data_and_not_for_others() -> None:
    model = th.Coupled(["u*v", "u*w"], "u v w")
    numeric = Numeric(model)
    a = np.array([1.0, 2.0])
    law = next(c for c in coupled_laws(model, data=[[1, 2]]).found if c.is_polynomial()
               and sp.total_degree(c) == 1)  # fmt: skip
    for row, constant in ((a, True), (np.array([2.0, 1.0]), False)):

        def field(t: float, theta: np.ndarray, row: np.ndarray = row) -> np.ndarray:
            return -numeric.pull(theta, row * (row @ np.asarray(numeric.components(theta)) - 1))

        done = run(field, start(model, 3), (0.0, 1.0))
        drift = drifts([law], list(model.parameters), done.y).max()
        assert (drift < 1e-7) if constant else (drift > 1e-3)


@pytest.mark.parametrize("network", ["linear", "hadamard", "relu"])
@pytest.mark.parametrize("decay", [sp.Rational(1, 3), 2])
def test_laws_with_weight_decay_shrink_at_the_known_rate(network: str, decay: sp.Expr) -> None:
    model = {"linear": N.linear(2, 2, 2).with_rates({"W1": 2, "W2": 2}), "hadamard": N.hadamard(2),
             "relu": N.relu(2, 2, 1)}[network]  # fmt: skip
    laws = coupled_laws(model, weight_decay=decay)
    assert laws.complete or network == "linear"
    assert laws.found
    numeric = Numeric(model)
    rates = np.array([float(r) for r in model.rates])
    time = next(s for s in laws.found[0].free_symbols if s.name == "t")
    for slope in couplings(numeric.count, 5).values():

        def field(t: float, theta: np.ndarray, slope: Any = slope) -> np.ndarray:
            pulled = numeric.pull(theta, slope(t, np.asarray(numeric.components(theta))))
            return -pulled - rates * float(decay) * theta

        done = run(field, start(model, 5), (0.0, 1.0))
        states = np.vstack([done.y, done.t])
        assert drifts(list(laws.found), [*model.parameters, time], states).max() < 1e-7


@pytest.mark.parametrize("friction", [0, 1, "1/2", "3/t"])
@pytest.mark.parametrize("widths", [(1, 2, 1), (2, 2, 1), (1, 2, 2, 1)])
def test_laws_with_momentum_are_constant(widths: tuple[int, ...], friction: Any) -> None:
    model = N.linear(*widths)
    laws = coupled_laws(model, momentum=friction)
    assert laws.complete and laws.found
    numeric = Numeric(model)
    D = numeric.size
    names = {s.name: s for c in laws.found for s in c.free_symbols}
    speeds = [names.get(f"d{s.name}", sp.Symbol(f"d{s.name}", real=True)) for s in model.parameters]
    time = names.get("t", sp.Symbol("t", real=True))
    tau = sp.lambdify(time, sp.sympify(friction, locals={"t": time}))
    for seed, slope in enumerate(couplings(numeric.count, 7).values()):

        def field(t: float, state: np.ndarray, slope: Any = slope) -> np.ndarray:
            theta, speed = state[:D], state[D:]
            pulled = numeric.pull(theta, slope(t, np.asarray(numeric.components(theta))))
            return np.concatenate([speed, -tau(t) * speed - pulled])

        begin = np.random.default_rng(seed).normal(size=2 * D)
        done = run(field, begin, (1.0, 2.0))
        symbols = [*model.parameters, *speeds, time]
        assert drifts(list(laws.found), symbols, np.vstack([done.y, done.t])).max() < 1e-7


def test_a_function_that_is_no_law_drifts() -> None:
    """The drift that the tests above look at is visible."""
    model = N.linear(2, 2, 2)
    numeric = Numeric(model)
    law = coupled_laws(model).found[0]
    wrong = law + model.parameters[0] * model.parameters[1] / 1000
    slope = couplings(numeric.count, 1)["squared"]

    def field(t: float, theta: np.ndarray) -> np.ndarray:
        return -numeric.pull(theta, slope(t, np.asarray(numeric.components(theta))))

    done = run(field, start(model, 1), (0.0, 1.0))
    assert drifts([law], list(model.parameters), done.y).max() < 1e-7
    assert drifts([wrong], list(model.parameters), done.y).max() > 1e-6
