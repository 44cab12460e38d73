"""Verdicts on laws of coupled flows, with certificates that replay without SymPy."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp

import theory as th
from theory.claims.certificate import NoCertificate
from theory.claims.replay import Rejected, digest
from theory.errors import FormulaError, ShapeError, UnknownName, UnsupportedFormula

N = th.networks
L = sp.Symbol("L", positive=True)
a, b = sp.symbols("a b", positive=True)
u, v, w = sp.symbols("u v w", real=True)


def shared() -> th.Coupled:
    return th.Coupled(["u*v", "u*w"], "u v w")


TRUE: dict[str, tuple[Callable[[], Any], Any, dict[str, Any]]] = {
    "squares": (shared, "u**2 - v**2 - w**2", {}),
    "a function of the law": (shared, "(u**2 - v**2 - w**2)**3 + 7", {}),
    "a constant": (shared, "3", {}),
    "rates": (lambda: th.Coupled([u * v], [u, v], rates=[2, "1/3"]), u**2 - 6 * v**2, {}),
    "symbolic rates": (lambda: th.Coupled([u * v], [u, v], rates=[a, b]), b * u**2 - a * v**2, {}),
    "linear network": (lambda: N.linear(2, 1, 2), "W1_1_1**2 + W1_1_2**2 - W2_1**2 - W2_2**2", {}),
    "tanh": (lambda: th.Coupled(["q*tanh(p)"], "q p"), "q**2 - sinh(p)**2", {}),
    "exponential": (lambda: th.Coupled(["exp(u)*v", "exp(u)*w"], "u v w"), "2*u - v**2 - w**2", {}),
    "symbolic exponent": (lambda: th.Coupled([a**L * b ** (2 * L)], [a, b]), 2 * a**2 - b**2, {}),
    "one sample": (shared, "2*v - w", {"data": [[1, 2]]}),
    "decimals": (shared, "2*v - w", {"data": [[0.1, 0.2]]}),
    "invariant line": (lambda: th.Coupled(["u*v"], "u v"), "u/1 - v", {"restriction": ["u - v"]}),
    "dead unit": (
        lambda: N.linear(2, 2, 1),
        "W1_1_1",
        {"restriction": ["W1_1_1", "W1_1_2", "W2_1_1"]},
    ),
    "product with what stays zero": (
        shared, "u*v*w + u**2 - v**2 - w**2", {"restriction": ["u", "v", "w"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_law_is_proved_with_a_certificate(name: str) -> None:
    build, law, options = TRUE[name]
    verdict = th.conserved(law, th.GradientFlow(build()), **options)
    assert verdict.proved, str(verdict)
    record = json.loads(json.dumps(th.certificate(verdict)))
    assert record["claim"]["ask"] == "conserved"
    assert th.replay(record) == "PROVED"


FALSE: dict[str, tuple[Callable[[], Any], Any, dict[str, Any], str]] = {
    "one square missing": (shared, "u**2 - v**2", {}, "2"),
    "the other one missing": (shared, "u**2 - w**2", {}, "1"),
    "a tiny term": (shared, "u**2 - v**2 - w**2 + u/10**30", {}, "1"),
    "a parameter": (shared, "u", {}, "1"),
    "other data": (shared, "2*v - w", {"data": [[2, 1]]}, "1"),
    "second sample": (shared, "2*v - w", {"data": [[1, 2], [2, 1]]}, "2"),
    "rates": (lambda: th.Coupled([u * v], [u, v], rates=[2, 1]), "u**2 - v**2", {}, "1"),
    "tanh": (lambda: th.Coupled(["q*tanh(p)"], "q p"), "q**2 - sinh(p)**2 + p/10**9", {}, "1"),
    "ratio": (shared, "v/w", {}, "1"),
}


@pytest.mark.parametrize("name", FALSE)
def test_what_is_no_law_is_refuted_at_an_exact_point(name: str) -> None:
    build, law, options, component = FALSE[name]
    model = build()
    verdict = th.conserved(law, model, **options)
    assert verdict.refuted, str(verdict)
    assert verdict.witness is not None
    point = {k: sp.Rational(x) for k, x in verdict.witness.items() if k != "component"}
    assert verdict.witness["component"] == component
    # the rate at the point, computed here
    e = sp.sympify(law, locals={s.name: s for s in model.parameters})
    e = e.xreplace({s: t for s in e.free_symbols for t in model.parameters if s.name == t.name})
    rows = options.get("data") or sp.eye(len(model.components)).tolist()
    row = rows[int(component) - 1]
    g = sum(c * x for c, x in zip(row, model.components, strict=True))
    rate = sum(
        sp.diff(e, s) * p * sp.diff(g, s)
        for s, p in zip(model.parameters, model.rates, strict=True)
    )
    at = {s: point.get(s.name, sp.Rational(3, 7)) for s in model.parameters}
    assert rate.subs(at).evalf(60) != 0
    assert th.replay(json.loads(json.dumps(th.certificate(verdict)))) == "REFUTED"


def test_component_is_left_out_where_a_parameter_has_its_name() -> None:
    verdict = th.conserved("component", th.Coupled(["component*v"], "component v"))
    assert verdict.refuted
    assert set(verdict.witness or {}) == {"v"}


@pytest.mark.parametrize(
    ("law", "restriction"),
    [("u", ["u - v"]), ("v/w", ["v - w"]), ("u + v", ["u*v - 1"]), ("u", ["sin(u)"])],
)
def test_restriction_that_does_not_help_is_undecided(law: str, restriction: list[str]) -> None:
    verdict = th.conserved(law, shared(), restriction=restriction)
    assert verdict.undecided
    with pytest.raises(NoCertificate):
        th.certificate(verdict)


def test_restriction_is_a_condition_of_the_verdict() -> None:
    verdict = th.conserved("u", shared(), restriction=["u", "v", "w"])
    assert verdict.proved
    assert verdict.conditions == ("u = 0 at the start", "v = 0 at the start", "w = 0 at the start")


def test_law_with_a_jump_holds_where_it_is_continuous() -> None:
    verdict = th.conserved("atan(u/v)", th.Coupled(["u**2 + v**2"], "u v"))
    assert verdict.proved
    assert verdict.conditions == ("the flow stays where atan(u/v) is defined and continuous",)


def changed(record: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """A certificate with a change, and seals as an attacker would renew them."""
    out = copy.deepcopy(record)
    change(out)
    out["sha256"] = digest(out["claim"])
    out.pop("seal")
    out["seal"] = digest(out)
    return out


def another_law(r: dict[str, Any]) -> None:
    r["claim"]["law"] = "u"


def fewer_components(r: dict[str, Any]) -> None:
    r["claim"]["components"] = r["claim"]["components"][:1]


def no_components(r: dict[str, Any]) -> None:
    r["claim"]["components"] = []


def other_rates(r: dict[str, Any]) -> None:
    r["claim"]["rates"] = [2, *r["claim"]["rates"][1:]]


@pytest.mark.parametrize("change", [another_law, fewer_components, no_components, other_rates],
                         ids=lambda f: f.__name__)  # fmt: skip
def test_changed_claim_is_rejected(change: Callable[[dict[str, Any]], None]) -> None:
    record = th.certificate(th.conserved("u**2 - v**2 - w**2", shared()))
    with pytest.raises(Rejected):
        th.replay(changed(record, change))


def quotient(r: dict[str, Any]) -> None:
    r["proof"]["hints"]["quotients"][0][0] = 1


def matrix(r: dict[str, Any]) -> None:
    r["proof"]["hints"]["matrices"][0][0][0] = 5


def short_matrix(r: dict[str, Any]) -> None:
    r["proof"]["hints"]["matrices"] = r["proof"]["hints"]["matrices"][:1]


def short_row(r: dict[str, Any]) -> None:
    r["proof"]["hints"]["matrices"][0] = r["proof"]["hints"]["matrices"][0][:1]


def no_restriction(r: dict[str, Any]) -> None:
    r["claim"]["restriction"] = []


def other_restriction(r: dict[str, Any]) -> None:
    r["claim"]["restriction"] = r["claim"]["restriction"][::-1]


@pytest.mark.parametrize(
    "change", [quotient, matrix, short_matrix, short_row, no_restriction, other_restriction],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_changed_certificate_on_a_restriction_is_rejected(
    change: Callable[[dict[str, Any]], None],
) -> None:
    verdict = th.conserved("u*v + u", shared(), restriction=["u", "v", "w"])
    record = th.certificate(verdict)
    with pytest.raises(Rejected):
        th.replay(changed(record, change))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: th.conserved("q", shared()), UnknownName, "q"),
        (lambda: th.conserved("u +", shared()), FormulaError, r"u \+"),
        (lambda: th.conserved("u", shared(), data=[[1]]), ShapeError, "2 columns"),
        (lambda: th.conserved("u", 3), FormulaError, "3"),
        (
            lambda: th.conserved("u", th.Elementwise("u*v", "u, v"), data=[[1]]),
            UnsupportedFormula,
            "coupled",
        ),
    ],
)
def test_bad_question(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
