"""``theory laws``: conservation laws of formulas and of networks, with certificates in files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from theory import networks
from theory.cli_input import read_coupled, read_parametrization
from theory.errors import DataError, FormulaError, ShapeError, TheoryError, UnknownName
from theory.exact.parsing import parse_assignments
from theory.flow.conservation import elementwise_laws
from theory.flow.coupled import CoupledModel, split_formulas
from theory.flow.coupled_laws import coupled_laws, replay_laws
from theory.networks.network import Network
from theory.show.text import print_table

__all__ = ["find_laws", "is_law_file", "read_network", "replay_file", "report_laws", "save_laws"]

_BUILDERS: dict[str, Callable[..., CoupledModel]] = {
    "linear": networks.linear,
    "relu": networks.relu,
    "hadamard": networks.hadamard,
    "factorization": networks.factorization,
    "symmetric": networks.symmetric,
    "nmf": networks.nmf,
    "icnn": networks.icnn,
    "attention": networks.attention,
    "circular-convolution": networks.circular_convolution,
    "linear-convolution": networks.linear_convolution,
    "softmax": networks.softmax,
    "tanh": networks.tanh,
    "weight-normalization": networks.weight_normalization,
}
_KEYWORDS = {"attention": ("heads",), "weight-normalization": ("depth",)}
_BIAS = ("relu", "icnn")
_KIND = "laws of a model"
_DRIFT = ("momentum", "weight_decay")


def read_network(spec: str, *, bias: bool = False, rates: str | None = None) -> CoupledModel:
    """A network such as ``linear:5,3,2``, ``attention:4,2,heads=2`` or ``linear:n,r,m``.

    Raises
    ------
    UnknownName
        For a builder that does not exist.
    ShapeError
        For sizes that the builder does not take.

    Examples
    --------
    >>> print(read_network("relu:2,3,1", bias=True))
    relu with bias 2,3,1
    >>> read_network("linear:2,1,1", rates="W1=2").rates
    (2, 2, 1)
    """
    kind, _, text = spec.partition(":")
    kind = kind.strip().replace("_", "-")
    if kind not in _BUILDERS:
        raise UnknownName(f"Unknown network {kind!r}; use one of {', '.join(_BUILDERS)}.")
    if bias and kind not in _BIAS:
        raise FormulaError(f"--bias belongs to {' and '.join(_BIAS)}, not to {kind}.")
    positional: list[Any] = []
    keywords: dict[str, Any] = {"bias": True} if bias else {}
    for part in (p.strip() for p in text.split(",")):
        key, equals, value = (p.strip() for p in part.partition("="))
        if equals and key not in _KEYWORDS.get(kind, ()):
            raise UnknownName(f"The network {kind} has no option {key!r}.")
        if equals:
            keywords[key] = _size(value)
        else:
            positional.append(_size(part))
    try:
        model = _BUILDERS[kind](*positional, **keywords)
    except TypeError as error:
        raise ShapeError(f"{spec!r} has the wrong number of sizes for {kind}.") from error
    if rates is not None:
        if not isinstance(model, Network):
            raise FormulaError(
                f"--rates belongs to formulas and to networks of blocks, not to {kind}."
            )
        model = model.with_rates(parse_assignments(rates, {}))
    return model


def _size(text: str) -> Any:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else text


def _model(question: Mapping[str, Any]) -> CoupledModel:
    if question["network"] is None:
        return read_coupled(
            question["formulas"], question["parameters"], question["assume"], question["rates"]
        )
    if question["formulas"] or question["parameters"] or question["assume"]:
        raise FormulaError("Expected formulas, or --network without formulas and their options.")
    return read_network(question["network"], bias=question["bias"], rates=question["rates"])


def _drift(question: Mapping[str, Any]) -> dict[str, Any]:
    return {k: question[k] for k in _DRIFT if question[k] is not None}


def find_laws(**question: Any) -> dict[str, Any]:
    """Everything that the command reports, as plain data.

    Parameters
    ----------
    **question
        ``formulas``, ``parameters``, ``assume``, ``rates``, ``network``, ``bias``, ``degree``,
        ``ansatz``, ``momentum``, ``weight_decay``, ``certificate`` as on the command line.
    """
    question["formulas"] = list(question["formulas"])
    question["assume"] = list(question["assume"])
    if question["network"] is None and question["bias"]:
        raise FormulaError("--bias belongs to --network.")
    if _is_elementwise(question):
        return _elementwise(question)
    model = _model(question)
    if isinstance(model, Network) and model.is_symbolic:
        return _matrices(model, question)
    ansatz = question["ansatz"] or "polynomial"
    words = ("polynomial", "laurent-log")
    degree = 2 if question["degree"] is None else question["degree"]
    laws = coupled_laws(
        model,
        degree=degree,
        ansatz=ansatz if ansatz in words else split_formulas(ansatz),
        **_drift(question),
    )
    kept = ("formulas", "parameters", "assume", "rates", "network", "bias", *_DRIFT)
    return {
        **_described(question, model),
        "found": [str(law) for law in laws.found],
        "count": laws.count,
        "upper_bound": laws.upper_bound,
        "complete": laws.complete,
        "scope": laws.scope,
        "conditions": list(laws.conditions),
        "decaying": [{"function": str(f), "factor": str(x)} for f, x in laws.decaying],
        "record": {
            "kind": _KIND,
            "question": {k: question[k] for k in kept},
            "certificate": laws.certificate,
        },
    }


def _described(question: Mapping[str, Any], model: CoupledModel) -> dict[str, Any]:
    if question["network"] is not None:
        return {"network": str(model), "parameters": len(model.parameters)}
    names = [s.name for s in model.parameters]
    return {"formulas": [str(c) for c in model.components], "parameters": names}


def _is_elementwise(question: Mapping[str, Any]) -> bool:
    """One formula without a question that only coupled models have."""
    options = ("network", "degree", "ansatz", "certificate", *_DRIFT)
    formulas = question["formulas"]
    return (
        len(formulas) == 1
        and len(split_formulas(formulas[0])) == 1
        and all(question[k] is None for k in options)
    )


def _elementwise(question: Mapping[str, Any]) -> dict[str, Any]:
    rho = read_parametrization(
        question["formulas"][0], question["parameters"], question["assume"], question["rates"]
    )
    found = elementwise_laws(rho)
    return {
        "formula": str(rho.formula),
        "found": [str(law) for law in found.found],
        "count": found.count,
        "complete": found.complete,
        "certificates": [str(c) for c in found.certificates],
        "statuses": [str(c.verdict.status) for c in found.certificates],
    }


def _matrices(model: Network, question: Mapping[str, Any]) -> dict[str, Any]:
    """With symbolic sizes: the laws of matrices."""
    given = [k for k in ("degree", "ansatz", "certificate", *_DRIFT) if question[k] is not None]
    if given:
        raise FormulaError(
            f"--{given[0].replace('_', '-')} needs integer sizes but {model} has symbolic ones."
        )
    laws = networks.matrix_laws(model)
    return {
        "network": str(model),
        "matrix_laws": [{"law": str(law), "shape": [str(n) for n in law.shape]} for law in laws],
    }


def save_laws(record: Mapping[str, Any], path: str) -> None:
    """Write the certificate with the question that it answers.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    try:
        Path(path).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}.") from error


def is_law_file(record: Any) -> bool:
    """Whether JSON data is a certificate of laws, as `save_laws` writes it."""
    return isinstance(record, dict) and record.get("kind") == _KIND


def replay_file(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a certificate of laws proves; it is computed again, without search.

    Raises
    ------
    FormulaError
        Naming what does not hold.
    """
    try:
        question = dict(record["question"])
        model = _model(question)
        laws = replay_laws(model, record["certificate"], **_drift(question))
    except (KeyError, TypeError, AttributeError) as error:
        raise FormulaError(f"The certificate is malformed: {error!r}.") from error
    except TheoryError as error:
        raise FormulaError(str(error)) from error
    return {
        "accepted": True,
        **_described(question, model),
        "found": [str(law) for law in laws.found],
        "upper_bound": laws.upper_bound,
        "complete": laws.complete,
        "scope": laws.scope,
        "conditions": list(laws.conditions),
    }


def report_laws(result: Mapping[str, Any], console: Console) -> None:
    """Print what was found as a table."""
    if "matrix_laws" in result:
        rows = [(r["law"], " x ".join(r["shape"])) for r in result["matrix_laws"]]
        title = f"{result['network']}: {len(rows)} conserved matrices, for all sizes"
        console.print(title, markup=False, soft_wrap=True)
        print_table("", ("matrix", "shape"), rows, console)
        return
    if "certificates" in result:
        for law, status in zip(result["found"], result["statuses"], strict=True):
            console.print(f"{law} is constant [{status}]", markup=False, soft_wrap=True)
        text = f"{len(result['found'])} of {result['count']} laws in closed form"
        console.print(text, markup=False)
        return
    name = result.get("network") or f"x = ({', '.join(result['formulas'])})"
    number = len(result["found"])
    complete = "complete" if result["complete"] else f"at most {result['upper_bound']}"
    title = f"{name}: {number} independent laws ({complete}), {result['scope']}"
    rows = [(str(i), law) for i, law in enumerate(result["found"], start=1)]
    console.print(title, markup=False, soft_wrap=True)
    if rows:
        print_table("", ("", "constant"), rows, console)
    for entry in result.get("decaying", ()):
        text = f"{entry['function']} shrinks like 1/({entry['factor']})"
        console.print(text, markup=False, soft_wrap=True)
    for condition in result["conditions"]:
        console.print(f"provided that {condition}", markup=False, soft_wrap=True)
