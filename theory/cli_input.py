"""Words of the command line as symbols, assumptions, parametrizations and starts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sympy as sp

from theory.errors import AssumptionError, FormulaError, UnknownName
from theory.exact.assumptions import declare
from theory.exact.parsing import names_in, parse, parse_assignments
from theory.flow import links, losses
from theory.flow.coupled import Coupled, split_formulas
from theory.flow.parametrization import Elementwise

__all__ = [
    "read_assumptions",
    "read_coupled",
    "read_flow",
    "read_pair",
    "read_parametrization",
    "read_values",
]

_NAME = r"[^\W\d]\w*"
_KEY = re.compile(rf"^\s*({_NAME})\s*=\s*(.*)$", re.DOTALL)
_BOUND = re.compile(rf"^\s*({_NAME})\s*(>=?|<=?)\s*(.+)$")
_BETWEEN = re.compile(rf"^\s*(.+?)\s*<\s*({_NAME})\s*<\s*(.+)$")
_WORDS = re.compile(rf"^\s*({_NAME})\s*(?:\bin\b|=|:|\s)\s*(.+)$")


def read_assumptions(texts: Sequence[str]) -> dict[str, str]:
    """Assumptions such as ``L > 2``, ``L (2, oo)``, ``x real``, ``0 < b < 1``.

    Examples
    --------
    >>> read_assumptions(["L > 2", "x real", "b in (0, 1)"])
    {'L': '(2, oo)', 'x': 'real', 'b': '(0, 1)'}
    """
    out: dict[str, str] = {}
    for text in (part for item in texts for part in item.split(";") if part.strip()):
        between, bound, words = _BETWEEN.match(text), _BOUND.match(text), _WORDS.match(text)
        if between is not None:
            name, words_ = between.group(2), f"({between.group(1)}, {between.group(3)})"
        elif bound is not None:
            name, side, value = bound.groups()
            if side == ">=" and value.strip() in ("0", "0.0"):
                words_ = "nonnegative"
            elif "=" in side:
                raise AssumptionError(
                    f"Expected a strict bound, such as {name} {side[0]} {value}, but got {text!r}."
                )
            else:
                words_ = f"({value}, oo)" if side == ">" else f"(-oo, {value})"
        elif words is not None:
            name, words_ = words.group(1), words.group(2).strip()
        else:
            raise AssumptionError(
                f"Expected an assumption such as 'L > 2', 'L (2, oo)' or 'x real' but got {text!r}."
            )
        if name in out:
            raise AssumptionError(f"{name} is assumed twice: {out[name]!r} and {words_!r}.")
        declare(name, words_)
        out[name] = words_
    return out


def _split(text: str) -> list[str]:
    """Parts between commas outside of parentheses."""
    parts, depth = [""], 0
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def read_values(text: str, assume: dict[str, str], default: str = "positive") -> dict[str, sp.Expr]:
    """``"u=alpha, v=2*alpha"`` with undeclared names positive."""
    names: dict[str, sp.Symbol] = {}
    for part in _split(text):
        match = _KEY.match(part)
        if match is None:
            raise FormulaError(f"Expected name=value, such as u=alpha, but got {part.strip()!r}.")
        for name in names_in(match.group(2)) if match.group(2).strip() else ():
            names[name] = declare(name, assume.get(name, default))[0]
    return parse_assignments(text, names)


def read_flow(
    formula: str, start: str, assume: Sequence[str], rates: str | None = None
) -> tuple[Elementwise, dict[str, sp.Expr]]:
    """The parametrization and its start; the parameters are the keys of the start.

    Examples
    --------
    >>> rho, start = read_flow("u**L", "u=alpha", ["L > 2"])
    >>> rho.parameters[0].is_positive, rho.ranges
    (True, {L: (2, oo)})
    """
    assumed = read_assumptions(assume)
    values = read_values(start, assumed)
    unused = sorted(set(values) - set(names_in(formula)))
    if unused:
        raise UnknownName(
            f"The start names {', '.join(unused)}, which the formula {formula} does not contain."
        )
    known = {s.name for v in values.values() for s in v.free_symbols} | set(names_in(formula))
    strange = sorted(set(assumed) - known)
    if strange:
        raise UnknownName(f"--assume names {', '.join(strange)}, which do not occur.")
    positive = {name for name, value in values.items() if value.is_positive}
    return _elementwise(formula, tuple(values), assumed, rates, positive), values


def read_parametrization(
    formula: str, parameters: str | None, assume: Sequence[str], rates: str | None = None
) -> Elementwise:
    """A parametrization without a start; all its names are parameters unless told."""
    assumed = read_assumptions(assume)
    names = names_in(formula)
    chosen = tuple(re.split(r"[,\s]+", parameters.strip())) if parameters else names
    missing = [p for p in chosen if p not in names]
    if missing or not chosen:
        raise UnknownName(
            f"The formula {formula} does not contain the parameter "
            f"{', '.join(missing) or '(none)'}."
        )
    return _elementwise(formula, chosen, assumed, rates, set(chosen))


def read_coupled(
    texts: Sequence[str], parameters: str | None, assume: Sequence[str], rates: str | None = None
) -> Coupled:
    """Formulas that share parameters; all names are parameters unless some are listed.

    Examples
    --------
    >>> print(read_coupled(["u*v, u*w"], None, []))
    x = (u*v, u*w)
    """
    formulas = [f for text in texts for f in split_formulas(text)]
    assumed = read_assumptions(assume)
    names = list(dict.fromkeys(n for f in formulas for n in names_in(f)))
    chosen = [p for p in re.split(r"[,\s]+", parameters.strip()) if p] if parameters else names
    missing = [p for p in chosen if p not in names]
    if missing or not chosen:
        raise UnknownName(
            f"The formulas do not contain the parameter {', '.join(missing) or '(none)'}."
        )
    words = {n: "positive" for n in names if n not in chosen} | assumed
    strange = sorted(set(words) - set(names))
    if strange:
        raise UnknownName(f"--assume names {', '.join(strange)}, which do not occur.")
    steps = None if rates is None else parse_assignments(rates, {})
    return Coupled(formulas, chosen, rates=steps, assume=words)


def read_pair(loss: str, link: str) -> tuple[losses.Loss, links.Link]:
    """A loss and a link by their names.

    Examples
    --------
    >>> read_pair("poisson", "exp")[1].formula
    exp(z)
    """
    for name, kind, module in ((loss, "loss", losses), (link, "link", links)):
        if name not in module.NAMES:
            raise UnknownName(f"Unknown {kind} {name!r}; use one of {', '.join(module.NAMES)}.")
    return getattr(losses, loss)(), getattr(links, link)()


def _elementwise(
    formula: str,
    parameters: Sequence[str],
    assumed: dict[str, str],
    rates: str | None,
    positive: set[str],
) -> Elementwise:
    names = {n: declare(n, assumed.get(n, "positive"))[0] for n in names_in(formula)}
    names |= {p: declare(p, assumed.get(p, "real"))[0] for p in parameters}
    expression = parse(formula, names)
    words = dict(assumed)
    for p in parameters:
        if p in positive and p not in assumed and _at_home_on_positives(expression, names[p]):
            words[p] = "positive"
    for name in names:
        if name not in parameters:
            words.setdefault(name, "positive")
    steps = None if rates is None else read_values(rates, assumed)
    if steps is not None:
        for value in steps.values():
            for s in value.free_symbols:
                words.setdefault(s.name, "positive")
    return Elementwise(formula, list(parameters), rates=steps, assume=words)


def _at_home_on_positives(e: sp.Expr, s: sp.Symbol) -> bool:
    """Whether a formula has a logarithm, or a power that is not an integer, of a parameter."""
    powers = any(s in p.base.free_symbols and not p.exp.is_Integer for p in e.atoms(sp.Pow))
    return powers or any(s in a.args[0].free_symbols for a in e.atoms(sp.log))
