r"""Source code of the implicit regularizer and its gradient, for NumPy, PyTorch and JAX.

A closed form that vanishes at the start to second order loses all digits near it. The code
therefore measures the condition number $\kappa = \sum|\text{terms}|/|\sum\text{terms}|$ of the sum
that it evaluates, and where it is large takes
$F(x) = (x - x_0)^2\int_0^1 (1 - t)\,F''(x_0 + t(x - x_0))\,dt$ by Gauss-Legendre quadrature: no
cancellation, and $F''$ hardly varies there. The same arithmetic is run by an interpreter and
compared with the mirror flow's values before any text is returned.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import FormulaError, NotClosedForm, UnsupportedFormula
from theory.mirror.mirror_flow import MirrorFlow
from theory.show.code_check import check
from theory.show.stable import rewrite, terms_of

__all__ = ["Source", "to_code"]

NODES = 24
KAPPA = 64.0
"""Condition number above which the integral replaces the sum of the closed form."""

_LIBRARIES = {"numpy": ("np", "import numpy as np"), "torch": ("torch", "import torch"),
              "jax": ("jnp", "import jax.numpy as jnp")}  # fmt: skip
# names of functions: NumPy's (JAX has the same), PyTorch's
_FUNCTIONS: dict[str, tuple[str, str]] = {
    "Abs": ("abs", "abs"), "sign": ("sign", "sign"), "exp": ("exp", "exp"), "log": ("log", "log"),
    "sin": ("sin", "sin"), "cos": ("cos", "cos"), "tan": ("tan", "tan"),
    "asin": ("arcsin", "asin"), "acos": ("arccos", "acos"), "atan": ("arctan", "atan"),
    "sinh": ("sinh", "sinh"), "cosh": ("cosh", "cosh"), "tanh": ("tanh", "tanh"),
    "asinh": ("arcsinh", "asinh"), "acosh": ("arccosh", "acosh"), "atanh": ("arctanh", "atanh"),
    "log1p": ("log1p", "log1p"), "expm1": ("expm1", "expm1"), "hypot": ("hypot", "hypot"),
    "sqrt": ("sqrt", "sqrt"),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What the code computes: stable sums of terms, the Hessian, the start.

    Parameters
    ----------
    x : sympy.Symbol
    constants : tuple of sympy.Symbol
    x0 : sympy.Expr
    potential, gradient : tuple of sympy.Expr
        The terms of each sum.
    hessian : sympy.Expr
    """

    x: sp.Symbol
    constants: tuple[sp.Symbol, ...]
    x0: sp.Expr
    potential: tuple[sp.Expr, ...]
    gradient: tuple[sp.Expr, ...]
    hessian: sp.Expr

    def evaluate(self, kind: str, x: Any, constants: Mapping[sp.Symbol, float]) -> Any:
        """What the generated function returns in double precision, without running its text."""
        values: dict[sp.Symbol, Any] = {s: np.float64(v) for s, v in constants.items()}
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            terms = [interpret(e, {**values, self.x: x}) for e in getattr(self, kind)]
            value = sum(terms)
            size = sum(abs(t) for t in terms)
            start = interpret(self.x0, values)
            step = x - start
            near = np.zeros_like(x)
            for node, weight in _quadrature():
                share = (1 - node) * weight if kind == "potential" else weight
                near = near + share * interpret(
                    self.hessian, {**values, self.x: start + node * step}
                )
            near = near * step * step if kind == "potential" else near * step
            return np.where(size <= KAPPA * abs(value), value, near)


def interpret(e: sp.Expr, values: Mapping[sp.Symbol, Any]) -> Any:
    """Evaluate an expression with NumPy, operation by operation as the printed code does."""
    if e.is_Symbol:
        return values[e]
    if e.is_Rational:
        return int(e.p) / int(e.q)
    if e is sp.E or e is sp.pi:
        return float(e)
    arguments = [interpret(a, values) for a in e.args]
    if e.is_Add:
        return sum(arguments[1:], arguments[0])
    if e.is_Mul:
        out = arguments[0]
        for a in arguments[1:]:
            out = out * a
        return out
    if e.is_Pow:
        return np.sqrt(arguments[0]) if e.exp == sp.Rational(1, 2) else arguments[0] ** arguments[1]
    function: Callable[..., Any] = getattr(np, _name(e, 0))
    return function(*arguments)


def _name(e: sp.Expr, column: int) -> str:
    name = e.func.__name__
    if name not in _FUNCTIONS:
        raise UnsupportedFormula(f"No code is generated for {e.func.__name__}, in {e}.")
    return _FUNCTIONS[name][column]


def _print(e: sp.Expr, names: Mapping[sp.Symbol, str], library: str) -> str:
    """An expression as source text."""
    prefix, column = _LIBRARIES[library][0], 1 if library == "torch" else 0

    def show(e: sp.Expr) -> str:
        if e.is_Symbol:
            return names[e]
        if e.is_Integer:
            return f"{int(e)}.0" if e >= 0 else f"({int(e)}.0)"
        if e.is_Rational:
            return f"({int(e.p)} / {int(e.q)})"
        if e is sp.E or e is sp.pi:
            return repr(float(e))
        if e.is_Add:
            return "(" + " + ".join(map(show, e.args)) + ")"
        if e.is_Mul:
            return "(" + " * ".join(map(show, e.args)) + ")"
        if e.is_Pow and e.exp == sp.Rational(1, 2):
            return f"{prefix}.sqrt({show(e.base)})"
        if e.is_Pow:
            power = f"{int(e.exp)}" if e.exp.is_Integer else show(e.exp)
            power = f"({power})" if power.startswith("-") else power
            return (
                f"{show(e.base)} ** {power}" if e.base.is_Symbol else f"({show(e.base)}) ** {power}"
            )
        return f"{prefix}.{_name(e, column)}({', '.join(map(show, e.args))})"

    text = show(e)
    return text[1:-1] if (e.is_Add or e.is_Mul) and text.startswith("(") else text


def _quadrature() -> list[tuple[float, float]]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return [(float((1 + a) / 2), float(w / 2)) for a, w in zip(nodes, weights, strict=True)]


def _names(source: Source) -> dict[sp.Symbol, str]:
    taken = {"x", "np", "torch", "jnp", "value", "size", "terms", "near", "step", "start", "node",
             "weight", "at", "shape"}  # fmt: skip
    names = {source.x: "x"}
    for s in source.constants:
        name = "".join(c if c.isalnum() and c.isascii() else "_" for c in s.name) or "c"
        name = f"c{name}" if not (name[0].isalpha() or name[0] == "_") else name
        while name in taken or keyword.iskeyword(name):
            name += "_"
        taken.add(name)
        names[s] = name
    return names


_TEMPLATE = '''
{decorator}def {function}(x{arguments}):
    """{summary}"""
{prepare}
    terms = [
{terms}
    ]
    value, size = sum(terms), sum({ns}.abs(term) for term in terms)
    # near the start the terms cancel: {integral}
    start = {start}
    step = x - start
    near = 0.0 * step
    for node, weight in _NODES:
        near = near + {share} * _hessian(start + node * step{arguments})
    near = {near}
    return {ns}.where(size <= {kappa} * {ns}.abs(value), value, near)
'''


def _write(source: Source, library: str, title: str) -> str:
    ns, header = _LIBRARIES[library]
    names = _names(source)
    constants = [names[s] for s in source.constants]
    arguments = "".join(f", {c}" for c in constants)
    if library == "numpy":
        prepare = ["x = np.asarray(x, dtype=np.float64)"]
        prepare += [f"{c} = np.float64({c})" for c in constants]
    elif library == "torch":
        # a tensor keeps its dtype; float64 is what the check before was made in
        prepare = ["x = torch.as_tensor(x)"]
        prepare += ["x = x if x.is_floating_point() else x.to(torch.float64)"]
        prepare += [
            f"{c} = torch.as_tensor({c}, dtype=x.dtype, device=x.device)" for c in constants
        ]
    else:
        prepare = ["x = jnp.asarray(x) * 1.0"]
        prepare += [f"{c} = jnp.asarray({c}, dtype=x.dtype)" for c in constants]

    def function(kind: str) -> str:
        potential = kind == "potential"
        lines = [f"        {_print(e, names, library)} + 0.0 * x," for e in getattr(source, kind)]
        return _TEMPLATE.format(
            function="regularizer" if potential else "regularizer_gradient",
            arguments=arguments,
            summary=("D_F(x, x_0) of one coordinate, entrywise." if potential else
                     "The derivative of the regularizer in x, entrywise."),
            prepare="\n".join(f"    {line}" for line in prepare),
            terms="\n".join(lines),
            ns=ns,
            # values outside of the domain are nan, without a warning
            decorator='@np.errstate(all="ignore")\n' if library == "numpy" else "",
            integral=(
                "(x - x0)**2 int_0^1 (1 - t) F''(x0 + t (x - x0)) dt"
                if potential else "(x - x0) int_0^1 F''(x0 + t (x - x0)) dt"
            ),
            start=_print(source.x0, names, library),
            share="(1.0 - node) * weight" if potential else "weight",
            near="near * step * step" if potential else "near * step",
            kappa=KAPPA,
        )  # fmt: skip

    nodes = "\n".join(f"    ({a!r}, {w!r})," for a, w in _quadrature())
    body = _print(source.hessian, names, library)
    hessian = f"def _hessian(x{arguments}):\n    return {body} + 0.0 * x\n"
    return "\n".join(
        [
            f'"""{title}"""',
            "",
            header,
            "",
            "# nodes and weights of Gauss-Legendre quadrature on [0, 1]",
            f"_NODES = (\n{nodes}\n)",
            "",
            "",
            hessian,
            function("potential"),
            function("gradient"),
        ]
    )


def to_code(mirror: MirrorFlow, target: str = "numpy") -> str:
    """Source text of ``regularizer(x, ...)`` and ``regularizer_gradient(x, ...)``.

    The constants of the start and of the formula follow x, by name. The text needs the library
    only, works entrywise on arrays, and keeps its relative accuracy for x near the start and for
    tiny and huge starts.

    Parameters
    ----------
    mirror : MirrorFlow
    target : {"numpy", "torch", "jax"}

    Raises
    ------
    NotClosedForm
        When the potential has no closed form.
    TheoryError
        When the code would not agree with the mirror flow to 1e-10.

    Examples
    --------
    >>> from theory.flow.parametrization import Elementwise
    >>> from theory.mirror.mirror_flow import mirror_flow
    >>> alpha = sp.Symbol("alpha", positive=True)
    >>> mirror = mirror_flow(Elementwise("u**2 - v**2", "u, v"), {"u": alpha, "v": alpha})
    >>> [line for line in to_code(mirror).splitlines() if line.startswith("def regularizer")]
    ['def regularizer(x, alpha):', 'def regularizer_gradient(x, alpha):']
    """
    if target not in _LIBRARIES:
        raise FormulaError(f"Expected target in {tuple(_LIBRARIES)} but got {target!r}.")
    if not isinstance(mirror, MirrorFlow):
        raise FormulaError(f"Expected a mirror flow but got {mirror!r}.")
    source = _source(mirror)
    check(mirror, source)
    title = str(mirror).replace("\\", "").replace('"', "'")
    return _write(source, target, f"Implicit regularizer: {title}.")


def _source(mirror: MirrorFlow) -> Source:
    closed = mirror.closed_in_x
    missing = [
        name for name in ("potential", "gradient", "hessian") if getattr(closed, name) is None
    ]
    if missing or closed.potential is None or closed.gradient is None or closed.hessian is None:
        raise NotClosedForm(
            f"No code is generated without a closed {missing[0]}; mirror.value(...) gives numbers "
            "to any precision."
        )
    free = set().union(
        closed.potential.free_symbols, closed.hessian.free_symbols, mirror.x0.free_symbols
    )
    return Source(
        x=closed.x,
        constants=tuple(sorted(free - {closed.x}, key=lambda s: s.name)),
        x0=rewrite(mirror.x0),
        potential=tuple(map(rewrite, terms_of(closed.potential))),
        gradient=tuple(map(rewrite, terms_of(closed.gradient))),
        hessian=rewrite(closed.hessian),
    )
