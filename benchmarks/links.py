"""The 21 one-parameter links: our derivation against the plain SymPy route, in one run.

The plain route is what a user would type: invert with ``solve``, substitute into 1 / rho'^2, and
integrate twice. Every task of either side runs in a fresh forked process (cold caches) with the
same time limit. Run ``python benchmarks/links.py`` from the repository root; the table goes to
``benchmarks/links.md``.
"""

from __future__ import annotations

import multiprocessing as mp
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sympy as sp

import theory as th
from theory.flow.parametrization import Elementwise

LIMIT = 40.0

u, x = sp.symbols("u x", real=True)
p, q = sp.Symbol("u", positive=True), sp.Symbol("x", positive=True)
k, r = sp.symbols("k p", positive=True)
a = sp.Symbol("alpha", positive=True)

# name: formula, parameter, start, symbol of the plain route
LINKS = {
    "u^2": (p**2, p, a, q),
    "u^3": (p**3, p, a, q),
    "u^5": (p**5, p, a, q),
    "u^k": (p**k, p, a, q),
    "u^(2/p)": (p ** (2 / r), p, a, q),
    "exp": (sp.exp(u), u, 0, q),
    "log": (sp.log(p), p, 1, x),
    "sinh": (sp.sinh(u), u, 0, x),
    "tanh": (sp.tanh(u), u, 0, x),
    "cosh": (sp.cosh(p), p, 1, q),
    "sin": (sp.sin(u), u, 0, x),
    "tan": (sp.tan(u), u, 0, x),
    "atan": (sp.atan(u), u, 0, x),
    "logistic": (1 / (1 + sp.exp(-u)), u, 0, q),
    "softplus": (sp.log(1 + sp.exp(u)), u, 0, q),
    "erf": (sp.erf(u), u, 0, x),
    "gd": (2 * sp.atan(sp.tanh(u / 2)), u, 0, x),
    "u sqrt(1+u^2)": (u * sp.sqrt(1 + u**2), u, 0, x),
    "u+u^3": (u + u**3, u, 0, x),
    "asinh": (sp.asinh(u), u, 0, x),
    "u/sqrt(1+u^2)": (u / sp.sqrt(1 + u**2), u, 0, x),
}


def ours(formula: sp.Expr, s: sp.Symbol, start: object, _: sp.Symbol) -> str:
    """The potential in x, or the parametric pair (x(s), F'(s))."""
    mirror = th.GradientFlow(Elementwise(formula, (s,))).mirror(start={s: start})
    curve = mirror.parametric
    if curve.dual is None or curve.dual.has(sp.Integral):
        return "quadrature"
    closed = mirror.closed_in_x
    if closed.potential is not None:
        return "closed in x"
    return "closed in x (F')" if closed.gradient is not None else "parametric"


def plain(formula: sp.Expr, s: sp.Symbol, start: object, image: sp.Symbol) -> str:
    """Invert, substitute, integrate twice."""
    del start
    solutions = sp.solve(sp.Eq(formula, image), s)
    if not solutions:
        return "no inverse"
    hessian = sp.simplify((1 / sp.diff(formula, s) ** 2).subs(s, solutions[-1]))
    potential = sp.integrate(sp.integrate(hessian, image), image)
    if potential.has(sp.Integral):
        return "unevaluated"
    return "complex constants" if potential.has(sp.I) else "closed in x"


def timed(
    function: Callable[..., Any], arguments: tuple[object, ...], limit: float = LIMIT
) -> tuple[Any, float]:
    """Run in a fresh process; a kill at the limit counts as a hang."""
    context = mp.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        start = time.perf_counter()
        try:
            answer = function(*arguments)
        except Exception as error:
            answer = type(error).__name__
        sender.send((answer, time.perf_counter() - start))

    process = context.Process(target=work)
    process.start()
    if receiver.poll(limit):
        answer: tuple[Any, float] = receiver.recv()
        process.join()
        return answer
    process.kill()
    process.join()
    return "hang", limit


def main() -> None:
    """Print and save the table."""
    rows, times = [], []
    th.GradientFlow  # resolved once, so that no process pays the import  # noqa: B018
    for name, case in LINKS.items():
        mine, other = timed(ours, case), timed(plain, case)
        times.append(mine[1])
        ratio = other[1] / mine[1]
        more = "> " if other[0] == "hang" else ""
        cells = (name, mine[0], f"{mine[1]:.2f}", other[0], f"{other[1]:.2f}", f"{more}{ratio:.1f}")
        rows.append(f"| {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    text = "\n".join(
        [
            "# One-parameter links: theory against solve and two integrals in SymPy",
            "",
            "Seconds, cold, one process each; `python benchmarks/links.py` makes this table.",
            "",
            "| link | theory | s | plain SymPy | s | ratio |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Median of theory: {statistics.median(times):.2f} s.",
            "",
        ]
    )
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text.rsplit("\n", 2)[1])


if __name__ == "__main__":
    main()
