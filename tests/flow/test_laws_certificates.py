"""Certificates of laws: they replay from JSON, and a changed one is rejected."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.flow.coupled_laws import coupled_laws, replay_laws
from theory.flow.law_record import NOT_EXHAUSTIVE

N = th.networks
a = sp.Symbol("a", positive=True)
u, v, w = sp.symbols("u v w", real=True)

# model and options of the search
CASES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "formulas": (lambda: th.Coupled(["u*v", "u*w"], "u v w"), {}),
    "linear": (lambda: N.linear(3, 2, 2), {}),
    "relu": (lambda: N.relu(2, 3, 2, bias=True), {}),
    "nmf": (lambda: N.nmf(2, 3, 2), {"degree": 1}),
    "symbolic rate": (lambda: th.Coupled([u * v], [u, v], rates=[a, 1]), {}),
    "logarithms": (lambda: th.Coupled(["u**2 + v**2"], "u v"), {"ansatz": "laurent-log"}),
    "functions": (lambda: th.Coupled(["a*tanh(w)"], "a w"), {"ansatz": ["a**2", "sinh(w)**2"]}),
    "pi": (lambda: th.Coupled([sp.pi * u * v + w * u], [u, v, w]), {}),
    "ball": (lambda: th.Coupled(["u*v + erf(u*v)"], "u v"), {}),
    "data": (lambda: th.Coupled(["u*v", "u*w"], "u v w"), {"data": [[1, 2]]}),
    "metric": (lambda: th.Coupled(["u*v"], "u v"), {"metric": ["u", "v"], "degree": 1}),
    "momentum": (lambda: N.linear(1, 2, 1), {"momentum": 1}),
    "friction over t": (lambda: N.linear(1, 2, 1), {"momentum": "3/t"}),
    "no friction": (lambda: N.linear(1, 2, 1), {"momentum": 0}),
    "decay": (lambda: N.linear(2, 1, 1), {"weight_decay": "1/3"}),
}
SETTING = ("data", "metric", "momentum", "weight_decay")


def searched(name: str) -> tuple[Any, dict[str, Any], Any]:
    build, options = CASES[name]
    model = build()
    setting = {k: x for k, x in options.items() if k in SETTING}
    return model, setting, coupled_laws(model, **options)


@pytest.mark.parametrize("name", CASES)
def test_certificate_replays_from_json(name: str) -> None:
    model, setting, laws = searched(name)
    record = json.loads(json.dumps(laws.certificate))
    again = replay_laws(th.GradientFlow(model), record, **setting)
    assert again.found == laws.found
    assert again.upper_bound == laws.upper_bound
    # how far a search went is no part of what is proved
    assert again.conditions == tuple(c for c in laws.conditions if c != NOT_EXHAUSTIVE)
    assert again.decaying == laws.decaying
    assert again.scope == laws.scope


def coefficient(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"][0][0] += 1


def exponent(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"][0][1][0][1] += 1


def variable(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"] = [[1, [[-1, 1]]]]


def beyond(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"] = [[1, [[1000, 1]]]]


def twice(r: dict[str, Any]) -> None:
    j = r["laws"][0]["terms"][0][1][0][0]
    r["laws"][0]["terms"] = [[1, [[j, 2], [j, -2]]]]


def decimal(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"][0][0] += 0.5


def nothing(r: dict[str, Any]) -> None:
    r["laws"][0] = r["laws"][0] | {"terms": [], "logs": []}


def constant_law(r: dict[str, Any]) -> None:
    r["laws"][0] = r["laws"][0] | {"terms": [[1, []]], "logs": []}


def enormous(r: dict[str, Any]) -> None:
    r["laws"][0]["terms"][0][1][0][1] = 10**15


def logarithm(r: dict[str, Any]) -> None:
    r["laws"][0]["logs"] = [[-1, 1]]


def repeated(r: dict[str, Any]) -> None:
    r["laws"].append(copy.deepcopy(r["laws"][0]))


def rank(r: dict[str, Any]) -> None:
    r["ranks"][-1] += 1
    r["upper_bound"] -= 1


def bound(r: dict[str, Any]) -> None:
    r["upper_bound"] -= 1


def no_ranks(r: dict[str, Any]) -> None:
    r["ranks"] = []


def endless(r: dict[str, Any]) -> None:
    r["ranks"] = r["ranks"] * 10**5


def prime(r: dict[str, Any]) -> None:
    r["prime"] = 2**31 - 19


def fingerprint(r: dict[str, Any]) -> None:
    r["model"] = r["model"][::-1]


def no_model(r: dict[str, Any]) -> None:
    del r["model"]


def kind(r: dict[str, Any]) -> None:
    r["kind"] = "laws"


ON_LAWS = [
    coefficient, exponent, variable, beyond, twice, decimal, nothing, constant_law, enormous,
    logarithm, repeated,
]  # fmt: skip
ON_RANKS = [rank, bound, no_ranks, endless, prime, fingerprint, no_model, kind]


@pytest.mark.parametrize("change", ON_LAWS + ON_RANKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["formulas", "linear", "momentum", "no friction", "decay"])
def test_changed_certificate_is_rejected(name: str, change: Callable[[dict], None]) -> None:
    model, setting, laws = searched(name)
    record = json.loads(json.dumps(laws.certificate))
    change(record)
    with pytest.raises(th.errors.FormulaError):
        replay_laws(model, record, **setting)


def another_function(r: dict[str, Any]) -> None:
    r["functions"] = ["a**2 + sinh(w)**2"]


def code(r: dict[str, Any]) -> None:
    r["functions"] = ["__import__('os').getcwd()"]


@pytest.mark.parametrize("change", [another_function, code, *ON_RANKS], ids=lambda f: f.__name__)
def test_changed_certificate_with_functions_is_rejected(change: Callable[[dict], None]) -> None:
    model, setting, laws = searched("functions")
    record = json.loads(json.dumps(laws.certificate))
    change(record)
    with pytest.raises(th.errors.FormulaError):
        replay_laws(model, record, **setting)


def test_decay_of_a_law_cannot_be_changed() -> None:
    model, setting, laws = searched("decay")
    record = json.loads(json.dumps(laws.certificate))
    record["laws"][0]["decay"] += 1
    with pytest.raises(th.errors.FormulaError, match="not conserved"):
        replay_laws(model, record, **setting)


@pytest.mark.parametrize(
    ("name", "other", "setting"),
    [
        ("linear", lambda: N.linear(2, 2, 3), {}),
        ("linear", lambda: N.linear(3, 2, 2).with_rates({"W1": 2}), {}),
        ("formulas", lambda: th.Coupled(["u*v", "2*u*w + u*v"], "u v w"), {}),
        ("formulas", lambda: th.Coupled(["u*v", "u*w"], "u v w"), {"data": [[1, 2]]}),
        ("formulas", lambda: th.Coupled(["u*v", "u*w"], "u v w"), {"metric": ["u", 1, 1]}),
        ("formulas", lambda: th.Coupled(["u*v", "u*w"], "u v w"), {"momentum": 1}),
        ("momentum", lambda: N.linear(1, 2, 1), {"momentum": 2}),
        ("momentum", lambda: N.linear(1, 2, 1), {}),
        ("decay", lambda: N.linear(2, 1, 1), {"momentum": 1}),
        ("functions", lambda: th.Coupled(["a*sinh(w)"], "a w"), {}),
        ("functions", lambda: th.Coupled(["a*tanh(w)"], "a w", rates=[2, 1]), {}),
        ("data", lambda: th.Coupled(["u*v", "u*w"], "u v w"), {}),
    ],
)
def test_certificate_of_another_flow_is_rejected(
    name: str, other: Callable[[], Any], setting: dict[str, Any]
) -> None:
    _, _, laws = searched(name)
    with pytest.raises(th.errors.FormulaError):
        replay_laws(other(), laws.certificate, **setting)


def test_replay_needs_a_coupled_model_and_a_record() -> None:
    with pytest.raises(th.errors.FormulaError, match="Expected a coupled model"):
        replay_laws(th.Elementwise("u*v", "u, v"), {})
    with pytest.raises(th.errors.FormulaError, match="Expected the certificate"):
        replay_laws(N.linear(1, 1), ["conservation laws"])  # type: ignore[arg-type]
