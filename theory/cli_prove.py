"""``theory prove --ask``: questions about flows, functions, limits and integrals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from theory.claims.convexity import convex
from theory.claims.integral import integral_is
from theory.claims.limit import limit_is
from theory.claims.limit_claims import limit_point_is
from theory.claims.lyapunov import decreases
from theory.claims.properties import conserved, is_legendre, is_mirror_potential, monotone
from theory.claims.trajectory import drift_at_most, passes
from theory.cli_input import (
    read_assumptions,
    read_coupled,
    read_flow,
    read_pair,
    read_parametrization,
    read_values,
)
from theory.errors import DataError
from theory.exact.assumptions import parse_interval
from theory.exact.parsing import names_in, parse
from theory.exact.verdict import Verdict
from theory.flow.coupled import split_formulas
from theory.gradient_flow import GradientFlow
from theory.numeric.problem import Regression
from theory.numeric.table import read_table

__all__ = ["QUESTIONS", "answer"]

_FLOW = ("assume", "rates")
_DATA = (*_FLOW, "target", "loss", "link", "constants")
QUESTIONS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "conserved": (("statement", "flow"), ("parameters", *_FLOW)),
    "mirror_potential": (("statement", "flow", "start"), _FLOW),
    "legendre": (("flow", "start"), _FLOW),
    "convex": (("statement",), ("on", "assume")),
    "monotone": (("statement",), ("on", "assume")),
    "limit": (("statement", "to", "value"), ("variable", "direction", "assume")),
    "integral": (("statement", "lower", "to", "value"), ("variable", "assume")),
    "limit_point": (("statement", "flow", "start", "data"), (*_DATA, "tolerance")),
    "decreases": (("statement", "flow"), ("parameters", "data", *_DATA)),
    "passes": (("statement", "flow", "start", "data", "end"), _DATA),
    "drift": (("statement", "flow", "start", "data", "end", "bound"), _DATA),
}
"""The options that a question needs, and those that it may have besides."""

_OPTION = {
    "statement": "a STATEMENT", "end": "--t", "lower": "--from", "direction": "--dir",
    "constants": "--set",
}  # fmt: skip


def answer(ask: str, options: Mapping[str, Any]) -> Verdict:
    """The verdict on a question; the options are those of the command line.

    Raises
    ------
    DataError
        For options that the question needs or does not take.

    Examples
    --------
    >>> print(answer("conserved", {"statement": "u*v", "flow": "u**2 - v**2"}).status)
    PROVED
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    needed, optional = QUESTIONS[ask]
    for name in needed:
        if name not in given:
            raise DataError(f"The question {ask!r} needs {_OPTION.get(name, f'--{name}')}.")
    for name in given:
        if name not in (*needed, *optional):
            raise DataError(f"The question {ask!r} does not take {_OPTION.get(name, f'--{name}')}.")
    return _ANSWERS[ask](given)


Given = Mapping[str, Any]


def _conserved(o: Given) -> Verdict:
    options = (o.get("parameters"), o.get("assume", ()), o.get("rates"))
    if len(split_formulas(o["flow"])) > 1:
        return conserved(o["statement"], read_coupled([o["flow"]], *options))
    return conserved(o["statement"], read_parametrization(o["flow"], *options))


def _potential(o: Given) -> Verdict:
    rho, start = read_flow(o["flow"], o["start"], o.get("assume", ()), o.get("rates"))
    return is_mirror_potential(o["statement"], rho, start)


def _legendre(o: Given) -> Verdict:
    return is_legendre(*read_flow(o["flow"], o["start"], o.get("assume", ()), o.get("rates")))


def _convex(o: Given) -> Verdict:
    return convex(o["statement"], o.get("on", "(-oo, oo)"), assume=_assumed(o))


def _monotone(o: Given) -> Verdict:
    return monotone(o["statement"], o.get("on", "(-oo, oo)"), assume=_assumed(o))


def _assumed(o: Given) -> dict[str, str] | None:
    return read_assumptions(o.get("assume", ())) or None


def _variable(o: Given, assume: Mapping[str, str] | None) -> str:
    if "variable" in o:
        return str(o["variable"])
    free = [n for n in names_in(o["statement"]) if n not in (assume or {})]
    if len(free) != 1:
        raise DataError(f"Cannot tell the variable of {o['statement']}; give it by --variable.")
    return free[0]


def _limit(o: Given) -> Verdict:
    assume = _assumed(o)
    x = _variable(o, assume)
    return limit_is(o["statement"], x, o["to"], o["value"], assume, dir=o.get("direction", "+-"))


def _integral(o: Given) -> Verdict:
    assume = _assumed(o)
    x = _variable(o, assume)
    return integral_is(o["statement"], x, o["lower"], o["to"], o["value"], assume)


def _run(o: Given) -> tuple[GradientFlow, Regression, dict[Any, Any]]:
    rho, start = read_flow(o["flow"], o["start"], o.get("assume", ()), o.get("rates"))
    if "constants" in o:
        start |= read_values(o["constants"], {})
    return _model(o, rho), read_table(o["data"], o.get("target")), start


def _model(o: Given, rho: Any) -> GradientFlow:
    return GradientFlow(rho, *read_pair(o.get("loss", "squared"), o.get("link", "identity")))


def _numbers(text: str) -> list[Any]:
    return [parse(part, {}) for part in text.split(",")]


def _limit_point(o: Given) -> Verdict:
    flow, problem, start = _run(o)
    (tolerance,) = _numbers(o.get("tolerance", "0"))
    return limit_point_is(_numbers(o["statement"]), flow, problem, start, tolerance)


def _decreases(o: Given) -> Verdict:
    rho = read_parametrization(o["flow"], o.get("parameters"), o.get("assume", ()), o.get("rates"))
    problem = read_table(o["data"], o.get("target")) if "data" in o else None
    return decreases(o["statement"], _model(o, rho), problem)


_WHERE = re.compile(r"^\s*(?:x\[(\d+)\]|([^\W\d]\w*)(?:\[(\d+)\])?)\s+in\s+(.+)$")


def _passes(o: Given) -> Verdict:
    box: dict[Any, Any] = {}
    for part in o["statement"].split(";"):
        match = _WHERE.match(part)
        if match is None:
            raise DataError(
                "Expected a box such as 'x[0] in (0, 1); u[1] in (2, oo)' but got "
                f"{part.strip()!r}."
            )
        index, name, at = match.group(1), match.group(2), match.group(3)
        key: Any = int(index) if index else name if at is None else (name, int(at))
        box[key] = parse_interval(match.group(4).strip())
    flow, problem, start = _run(o)
    (end,) = _numbers(o["end"])
    return passes(flow, problem, start, end, box)


def _drift(o: Given) -> Verdict:
    flow, problem, start = _run(o)
    (end,), (bound,) = _numbers(o["end"]), _numbers(o["bound"])
    return drift_at_most(o["statement"], flow, problem, start, end, bound)


_ANSWERS: Mapping[str, Callable[[Given], Verdict]] = {
    "conserved": _conserved,
    "mirror_potential": _potential,
    "legendre": _legendre,
    "convex": _convex,
    "monotone": _monotone,
    "limit": _limit,
    "integral": _integral,
    "limit_point": _limit_point,
    "decreases": _decreases,
    "passes": _passes,
    "drift": _drift,
}
