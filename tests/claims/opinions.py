"""What others than the checker say of a claim: the prover, or floats along a flow.

Floats object only when they are far off, and the prover when it says the opposite.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

import theory as th
from theory.claims.claim import claim_text, question_text, text_of
from theory.exact.parsing import parse

_SLACK = 1e-6


def opinion(record: Mapping[str, Any]) -> str:
    """The status that a claim seems to have; UNDECIDED is no objection."""
    claim = record["claim"]
    by_floats = _FLOATS.get(claim.get("ask", ""))
    if by_floats is not None:
        try:
            return by_floats(record)
        except _Lost:
            return "UNDECIDED"
    return str(_asked(claim).status)


def _asked(claim: Mapping[str, Any]) -> th.Verdict:
    if "ask" not in claim:
        statement, assume, domain = claim_text(claim)
        return th.prove(statement, assume, domain or None)
    _, assume, domain = question_text(claim)
    if claim["ask"] in ("limit", "integral"):
        return _calculus(claim, assume)
    if claim["ask"] == "loss_decreases":
        z, *_ = claim["variables"]
        symbols = {x: sp.Symbol(x, real=True) for x in claim["ranges"]}
        slope = sp.diff(parse(text_of(claim["loss"]), symbols), symbols[z])
        return th.prove(f"({slope}) == {text_of(claim['slope'])}", assume, domain or None)
    if claim["ask"] in ("monotone", "convex"):
        f, names = text_of(claim["function"]), claim["variables"]
        constants = {k: v for k, v in assume.items() if k not in names}
        if claim["ask"] == "convex":
            on = {x: _interval(assume[x]) for x in names}
            return th.convex(f, domain or on, x=names, assume=constants)
        (x,) = names
        on = _interval(assume[x])
        return th.monotone(f, on, x=x, direction=claim["direction"], assume=constants)
    formula = claim["components"][0] if claim["ask"] == "conserved" else claim["component"]
    rates = [text_of(p) for p in claim["rates"]]
    names = ", ".join(claim["parameters"])
    rho = th.Elementwise(text_of(formula), names, rates=rates, assume=assume)
    if claim["ask"] == "conserved":
        restriction = [text_of(r) for r in claim["restriction"]]
        return th.conserved(text_of(claim["law"]), rho, restriction=restriction)
    start = dict(zip(claim["parameters"], map(text_of, claim["start"]), strict=True))
    if claim["ask"] == "legendre":
        return th.is_legendre(rho, {x: parse(v, {}) for x, v in start.items()})
    return th.is_mirror_potential(text_of(claim["potential"]), rho, start)


def _calculus(claim: Mapping[str, Any], assume: dict[str, str]) -> th.Verdict:
    f, (x,) = text_of(claim["function"]), claim["variables"]
    ends = [_end(claim[e]) for e in ("to", "lower", "upper", "value") if e in claim]
    used = {n for t in (f, *ends) for n in assume if n in t}
    assume = {n: words for n, words in assume.items() if n in used}
    if claim["ask"] == "limit":
        return th.limit_is(f, x, *ends, assume, dir=claim["direction"])
    return th.integral_is(f, x, *ends, assume)


def _end(value: Any) -> str:
    if isinstance(value, list) and value[0] == "oo":
        return "oo" if value[1] > 0 else "-oo"
    return text_of(value)


def _interval(words: str) -> str:
    words = {"real": "(-oo, oo)", "positive": "(0, oo)", "negative": "(-oo, 0)"}.get(words, words)
    return words.replace("[", "(").replace("]", ")")


# -- floats


class _Lost(ArithmeticError):
    """A flow that grows, or that takes long."""


class _Floats:
    """The flow of a claim in floats."""

    def __init__(self, claim: Mapping[str, Any]) -> None:
        self.names, self.asked = claim["parameters"], 0
        symbols = {x: sp.Symbol(x, real=True) for x in (*self.names, *claim["variables"])}
        extra = {x: sp.Symbol(x, real=True) for x in claim["ranges"]}
        known = extra | symbols
        self.matrix = np.array([[float(_number(a)) for a in row] for row in claim["matrix"]])
        rho = parse(text_of(claim["component"]), known)
        rates = [parse(text_of(p), known) for p in claim["rates"]]
        self.here = [symbols[x] for x in self.names]
        self.rho = sp.lambdify(self.here, rho, "numpy")
        slopes = [p * sp.diff(rho, s) for p, s in zip(rates, self.here, strict=True)]
        self.steps = [sp.lambdify(self.here, s, "numpy") for s in slopes]
        z = symbols[claim["variables"][0]]
        self.losses = [sp.lambdify([z], parse(text_of(s), known), "numpy") for s in claim["slopes"]]
        self.law = None
        if "law" in claim:
            law = parse(text_of(claim["law"]), known)
            self.law = sp.lambdify(self.here, law, "numpy")
            rate = sum(d * sp.diff(law, s) for d, s in zip(slopes, self.here, strict=True))
            self.rate = sp.lambdify(self.here, rate, "numpy")

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        x = np.array([float(self.rho(*row)) for row in theta])
        r = [float(f(z)) for f, z in zip(self.losses, self.matrix @ x, strict=True)]
        return self.matrix.T @ np.array(r)

    def field(self, t: float, flat: np.ndarray) -> np.ndarray:
        self.asked += 1
        if self.asked > 5_000 or not np.abs(flat).max() < 1e6:
            raise _Lost
        theta = flat.reshape(-1, len(self.names))
        g = self.gradient(theta)
        steps = [[float(f(*row)) for f in self.steps] for row in theta]
        return -(np.array(steps) * g[:, None]).ravel()

    def fall(self, theta: np.ndarray) -> float:
        rates = [float(self.rate(*row)) for row in theta]
        return float(self.gradient(theta) @ np.array(rates))


def _ends(record: Mapping[str, Any]) -> str:
    """Whether the flow is near the point after a long time, where it hardly moves."""
    claim = record["claim"]
    flow = _Floats(claim)
    start = [[float(_number(a)) for a in row] for row in claim["start"]]
    point = np.array([float(_number(t)) for t in claim["point"]])
    run = solve_ivp(flow.field, (0, 200), np.ravel(start), method="LSODA", rtol=1e-9, atol=1e-12)
    if not run.success:
        return "UNDECIDED"
    last = run.y[:, -1]
    x = np.array([float(flow.rho(*row)) for row in last.reshape(-1, len(flow.names))])
    gap = np.abs(x - point).max()
    if np.abs(flow.field(0, last)).max() > 1e-7:
        return "UNDECIDED"
    most = float(_number(claim.get("tolerance", 0)))
    return "PROVED" if gap < most + 1e-6 else "REFUTED" if gap > most + 1e-3 else "UNDECIDED"


def _number(t: Any) -> sp.Expr:
    return parse(text_of(t), {})


def _falls(record: Mapping[str, Any]) -> str:
    claim = record["claim"]
    flow, rng = _Floats(claim), random.Random(1)
    count = flow.matrix.shape[1]
    if record["verdict"] == "REFUTED":
        point = record["proof"]["parts"][0][1]["point"]
        theta = [[float(_number(point[f"{x}_{i}"])) for x in flow.names] for i in range(count)]
        return "REFUTED" if flow.fall(np.array(theta)) < _SLACK else "PROVED"
    for _ in range(300):
        theta = [
            [_drawn(rng, claim["ranges"][f"{x}_{i}"]) for x in flow.names] for i in range(count)
        ]
        if flow.fall(np.array(theta)) < -_SLACK:
            return "REFUTED" if not claim["relations"] else "UNDECIDED"
    return "UNDECIDED"


def _drawn(rng: random.Random, ends: list[Any]) -> float:
    low, high = (None if e is None else float(_number(e)) for e in ends[:2])
    if low is not None and high is not None:
        return rng.uniform(low, high)
    size = rng.expovariate(1.0)
    return low + size if low is not None else high - size if high is not None else rng.gauss(0, 2)


def _arrives(record: Mapping[str, Any]) -> str:
    claim = record["claim"]
    flow = _Floats(claim)
    start = [[float((_number(a) + _number(b)) / 2) for a, b in row] for row in claim["start"]]
    end = float(_number(claim["end"]))
    run = solve_ivp(
        flow.field, (0, end), np.ravel(start), rtol=1e-9, atol=1e-11, max_step=max(end, 1e-9) / 20
    )
    if not run.success:
        return "UNDECIDED"
    states = run.y.T.reshape(len(run.t), -1, len(flow.names))
    if claim["ask"] == "drift":
        laws = np.array([[float(flow.law(*row)) for row in state] for state in states])
        gap = np.abs(laws - laws[0]).max() - float(_number(claim["bound"]))
        return "REFUTED" if gap > _SLACK else "PROVED" if gap < -_SLACK else "UNDECIDED"
    values = {
        f"{x}_{i}": states[-1][i][k]
        for i in range(states.shape[1])
        for k, x in enumerate(flow.names)
    }
    known = {x: sp.Symbol(x, real=True) for x in values}
    table = {known[x]: sp.Float(float(v)) for x, v in values.items()}
    worst = min(float(parse(text_of(t), known).subs(table)) for _, t in claim["box"])
    return "REFUTED" if worst < -_SLACK else "PROVED" if worst > _SLACK else "UNDECIDED"


_FLOATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "decreases": _falls,
    "passes": _arrives,
    "drift": _arrives,
    "limit_point": _ends,
}
