"""Certificates with one thing changed: none may be accepted for a claim that does not hold.

``python -m tests.claims.mutated_certificates 10000`` prints the figures.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

import theory as th
from tests.claims.opinions import opinion as opinion_of
from theory.claims.replay import Rejected, digest, replay

STATEMENTS: list[tuple[str, dict[str, str]]] = [
    ("cosh(x)**2 - sinh(x)**2 == 1", {}),
    ("log(x*y) == log(x) + log(y)", {"x": "positive", "y": "positive"}),
    ("sqrt(x**2) == x", {"x": "positive"}),
    ("sqrt(x**2) == x", {}),
    ("asinh(x) == log(x + sqrt(x**2 + 1))", {}),
    ("atan(x) + atan(1/x) == pi/2", {"x": "positive"}),
    ("exp(x) >= 1 + x", {}),
    ("x >= sin(x)", {"x": "positive"}),
    ("x**3 >= 0", {}),
    ("x**2 + y**2 >= 2*x*y", {}),
    ("sin(3*x) == 3*sin(x) - 4*sin(x)**3", {}),
    ("(x**a)**b == x**(a*b)", {"x": "positive", "a": "positive", "b": "positive"}),
    ("atanh(x) == log((1 + x)/(1 - x))/2", {"x": "(-1, 1)"}),
    ("abs(x) == sqrt(x**2)", {}),
    ("sqrt(2) + sqrt(3) == sqrt(5 + 2*sqrt(6))", {}),
    ("exp(pi*sqrt(163)) == 262537412640768744", {}),
    ("x*(1 - x) <= 1/4", {"x": "[0, 1]"}),
    ("log(x**2) == 2*log(x)", {}),
    ("cos(pi/5) == (1 + sqrt(5))/4", {}),
    ("tan(pi/8) == sqrt(2) - 1", {}),
    ("n**2 == 4", {"n": "even"}),
    ("(n - 1)**2 > 0", {"n": "positive odd"}),
]


def questions() -> list[th.Verdict]:
    """Verdicts on laws, functions and potentials that have certificates."""
    difference = th.Elementwise("u**2 - v**2", "u, v")
    product = th.Elementwise("u*v", "u, v")
    return [
        th.conserved("u*v", difference),
        th.conserved("u + v", difference),
        th.conserved("u**3 - v**3", product, restriction=["u - v"]),
        th.conserved("log(u) - v", th.Elementwise("u*exp(v)", "u, v", assume={"u": "positive"})),
        th.monotone("x**3 + x"),
        th.monotone("x**2"),
        th.monotone("x*exp(-x)", "(0, 1)", direction="increasing"),
        th.convex("x*log(x) - x", "(0, oo)"),
        th.convex("x**4 - x**2", "(-1, 1)"),
        th.convex("x**2/y", "y > 0"),
        th.convex("x*y"),
        th.is_mirror_potential("(x*log(x) - x)/4", th.Elementwise("u**2", "u"), {"u": 1}),
        th.is_mirror_potential("x*log(x) - x", th.Elementwise("u**2", "u"), {"u": 1}),
    ]


def calculus() -> list[th.Verdict]:
    """Verdicts on limits and integrals that have certificates."""
    positive = {"a": "positive"}
    return [
        th.limit_is("a*tanh(x)", "x", "oo", "a", positive),
        th.limit_is("x*exp(-a*x)", "x", "oo", 0, positive),
        th.limit_is("sin(x)/x", "x", 0, 1),
        th.limit_is("x*sin(1/x)", "x", 0, 0),
        th.limit_is("1/x", "x", 0, "oo", dir="+"),
        th.limit_is("x**2*a + 1", "x", 0, 1, {"a": "nonnegative"}),
        th.limit_is("1/x", "x", 0, "oo"),
        th.limit_is("a*exp(-x) + a", "x", "oo", 1, {"a": "real"}),
        th.limit_is("((1 + x)**(1/x) - E)/x", "x", 0, "-E/2"),
        th.limit_is("asinh(x*t)/log(t)", "t", "oo", 1, {"x": "positive"}),
        th.limit_is("(sqrt(a**2 + x) - a)/x", "x", 0, "1/(2*a)", {"a": "positive"}, dir="+"),
        th.limit_is("a*log(x)/(1 + a**2) + x", "x", 0, "-oo", {"a": "positive"}, dir="+"),
        th.integral_is("1/(1 + x**2)", "x", 0, "oo", "pi/2"),
        th.integral_is("exp(-a*x)", "x", 0, "oo", "1/a", positive),
        th.integral_is("log(x)", "x", 0, 1, -1),
        th.integral_is("x", "x", "a", "b", "(b**2 - a**2)/2"),
        th.integral_is("1/sqrt(x)", "x", 0, "b", "2*sqrt(b)", {"b": "positive"}),
        th.integral_is("1/x", "x", 0, 1, 5),
        th.integral_is("x**2", "x", 0, 1, "1/4"),
        th.integral_is("exp(x**4)", "x", 0, 1, 1),
        th.integral_is("x**(-3/4)/sqrt(1 - x)", "x", 0, 1, 5),
        th.integral_is("exp(-x)*log(x)", "x", 0, "oo", "-1/2"),
        th.integral_is("log(abs(x))", "x", -1, 1, -3),
    ]


def flows() -> list[th.Verdict]:
    """Verdicts on flows and trajectories that have certificates."""
    square, data = th.GradientFlow(th.Elementwise("u**2", "u")), th.Regression([[1]], [1])
    difference = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    linear, line = th.GradientFlow(th.Elementwise("u", "u")), th.Regression([[1, 2]], [3])
    twins = th.GradientFlow(th.Elementwise("u**4 + u + v**3", "u, v"))
    wide = th.Regression([[1, 2]], [1])
    start = {"u": 0.5, "v": 0.25}
    return [
        th.is_legendre(square, {"u": 1}),
        th.is_legendre(th.Elementwise("u**(3/2)", "u"), {"u": 1}),
        th.is_legendre(difference, {"u": 1, "v": 1}),
        th.decreases("u**2 + v**2", difference, th.Regression([[1]], [0])),
        th.decreases("u**2 + v**2", difference, wide),
        th.decreases("loss", difference),
        th.passes(square, data, {"u": 0.5}, 0.25, {0: (0.25, 1)}),
        th.passes(square, data, {"u": 0.5}, 0.25, {0: (0.5, 1)}),
        th.drift_at_most("u*v", difference, wide, start, 0.0625, 0),
        th.drift_at_most("u", square, data, {"u": 0.5}, 0.25, 0.01),
        th.drift_at_most("u", square, data, {"u": 0.5}, 0.25, 0.5),
        th.limit_point_is([sp.Rational(7, 5), sp.Rational(4, 5)], linear, line, {"u": [1, 0]}),
        th.limit_point_is([3, 0], linear, line, {"u": [1, 0]}),
        th.limit_point_is([2, 3], linear, line, {"u": [1, 0]}),
        th.limit_point_is([1, 1], square, th.Regression([[1, 1]], [2]), {"u": 0.5}),
        th.limit_point_is([3, -1], square, th.Regression([[1, 1]], [2]), {"u": 0.5}),
        th.limit_point_is(["9/10", 1], square, th.Regression([[1, 1]], [2]), {"u": 0.5}, 0.125),
        th.limit_point_is([0.3, 0.35], difference, wide, {"u": 0.1, "v": 0.1}, 0.01),
        th.limit_point_is([3, 4], twins, th.Regression([[1, 1]], [7]), {"u": 1, "v": 1}),
        th.is_legendre(th.Elementwise("u", "u", assume={"u": "positive"}), {"u": 1}),
        th.conserved("sign(u)", th.Elementwise("u**2 - v**2", "u, v")),
    ]


@dataclass
class Report:
    """Counts of one run; `wrong` holds the claims that were accepted and are false."""

    sealed: int = 0
    resealed: int = 0
    accepted_sealed: int = 0
    still_true: int = 0
    unreadable: int = 0
    wrong: list[str] = field(default_factory=list)


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(data, dict):
        for k, v in data.items():
            found += _places(v, (*path, k))
    elif isinstance(data, list):
        for i, v in enumerate(data):
            found += _places(v, (*path, i))
    return found


def _changed(rng: random.Random, value: Any) -> Any:
    """Something else of the same or of another kind."""
    pool = [0, 1, -1, 2, 3, "1/2", "-7/3", "x", "y", "pi", None, [], "exp", "log", "normal", True]
    if type(value) is int and rng.random() < 0.6:
        return value + rng.choice([-2, -1, 1, 2, 10**12])
    if isinstance(value, list) and value and rng.random() < 0.6:
        out = list(value)
        kind = rng.randrange(3)
        i = rng.randrange(len(out))
        if kind == 0:
            del out[i]
        elif kind == 1:
            out.insert(i, copy.deepcopy(out[i]))
        else:
            rng.shuffle(out)
        return out
    swaps = {"sin": "cos", "PROVED": "REFUTED", "REFUTED": "PROVED", "==": ">", ">=": "==",
             "exp": "log", "+": "*", "*": "+", "^": "*", "Abs": "sign", ">": "<", "oo": "exp",
             "same": "value"}  # fmt: skip
    if isinstance(value, str) and value in swaps and rng.random() < 0.6:
        return swaps[value]
    return copy.deepcopy(rng.choice(pool))


def mutate(rng: random.Random, record: dict[str, Any], *, inside: str | None) -> dict[str, Any]:
    """A copy with one value changed, anywhere or below one key."""
    out = copy.deepcopy(record)
    places = [p for p in _places(out) if inside is None or p[0] == inside]
    path = rng.choice(places)
    target = out
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = _changed(rng, target[path[-1]])
    return out


def certificates() -> list[dict[str, Any]]:
    """A certificate of each kind, several of most."""
    records = [th.certificate(text, assume) for text, assume in STATEMENTS]
    verdicts = [*questions(), *calculus(), *flows()]
    return records + [th.certificate(verdict) for verdict in verdicts]


def run(count: int, seed: int = 0, records: Sequence[dict[str, Any]] = ()) -> Report:
    """Half of the mutations keep the hash and the seal, half have them made again."""
    rng = random.Random(seed)
    records = records or certificates()
    report = Report()
    for i in range(count):
        record = rng.choice(records)
        again = i % 2 == 1
        changed = mutate(
            rng, record, inside=rng.choice(["claim", "proof", "verdict"]) if again else None
        )
        if changed == record:
            continue
        if again:
            report.resealed += 1
            try:
                changed["sha256"] = digest(changed["claim"])
                changed["seal"] = digest({k: v for k, v in changed.items() if k != "seal"})
            except TypeError:
                continue
        else:
            report.sealed += 1
        try:
            verdict = replay(changed)
        except Rejected:
            continue
        if not again:
            report.accepted_sealed += 1
            continue
        _judge(report, record, changed, verdict)
    return report


def _judge(report: Report, record: dict[str, Any], changed: dict[str, Any], verdict: str) -> None:
    """An accepted certificate is no defect unless the prover says the opposite, or cannot read it.

    UNDECIDED is no objection: there the prover has found no counterexample at 120 points.
    """
    if changed["claim"] == record["claim"] and verdict == record["verdict"]:
        report.still_true += 1
        return
    try:
        opinion = opinion_of(changed)
    except th.errors.FormulaError:
        # beyond the sizes that the parser takes, or a function that was a name
        report.unreadable += 1
        return
    except th.TheoryError as error:
        opinion = f"error: {error}"
    if opinion in (verdict, "UNDECIDED"):
        report.still_true += 1
    else:
        report.wrong.append(f"{verdict} accepted, {opinion}: {changed['claim']}")


if __name__ == "__main__":
    result = run(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(
        f"{result.sealed} with the old seal: {result.accepted_sealed} accepted; "
        f"{result.resealed} sealed again: {result.still_true} accepted that hold, "
        f"{result.unreadable} that the parser does not take, {len(result.wrong)} that do not hold"
    )
    for line in result.wrong[:40]:
        print(line[:400])
    sys.exit(bool(result.wrong or result.accepted_sealed))
