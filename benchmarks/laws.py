"""Conservation laws of U V^T: our search and bound against plain SymPy, and how ours grows.

The SymPy side is what one writes down from the definitions. Laws: a generic polynomial of degree 2
with one coefficient for each monomial, its Lie derivatives expanded, the coefficients collected as
linear equations, and their nullspace over QQ (`DomainMatrix`, the fastest one of SymPy). The count:
Lie brackets of the fields as expressions, evaluated at one rational point, until the rank stands
still. Both sides give the same laws and the same number. Run ``python -m benchmarks.laws`` from the
repository root; the table goes to ``benchmarks/laws.md``.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

import theory as th
from theory.flow.coupled_laws import coupled_laws
from theory.flow.lie_rank import lie_rank
from theory.flow.monomials import monomials_up_to
from theory.flow.polynomial_laws import polynomial_laws
from theory.flow.systems import system_of

SIZES = ((2, 2, 2), (3, 3, 2), (4, 4, 3), (5, 5, 3))
REPEATS = 5
WANTED = 300


def sympy_laws(components: list[sp.Expr], theta: list[sp.Symbol]) -> list[sp.Expr]:
    """All polynomial laws up to degree 2, by expanding and collecting."""
    monomials = [
        sp.Mul(*m) for k in (1, 2) for m in itertools.combinations_with_replacement(theta, k)
    ]
    a = sp.symbols(f"a0:{len(monomials)}")
    law = sp.Add(*(c * m for c, m in zip(a, monomials, strict=True)))
    slopes = [sp.diff(law, s) for s in theta]
    place = {c: j for j, c in enumerate(a)}
    rows: list[dict[int, Any]] = []
    for g in components:
        rate = sp.expand(sp.Add(*(d * sp.diff(g, s) for d, s in zip(slopes, theta, strict=True))))
        for equation in sp.Poly(rate, *theta).coeffs():
            row = {}
            for term in sp.Add.make_args(equation):
                c, symbol = term.as_coeff_Mul()
                row[place[symbol]] = sp.QQ(int(c.p), int(c.q))
            rows.append(row)
    matrix = DomainMatrix(dict(enumerate(rows)), (len(rows), len(a)), sp.QQ)
    vectors = matrix.nullspace().to_Matrix()
    return [
        sp.Add(*(vectors[i, j] * monomials[j] for j in range(len(a))))
        for i in range(vectors.shape[0])
    ]


def sympy_count(components: list[sp.Expr], theta: list[sp.Symbol]) -> int:
    """D minus the rank of the brackets, formed as expressions."""
    D = len(theta)
    at = {s: sp.Rational(2 * i + 3, 3 * i + 5) for i, s in enumerate(theta)}
    fields = [[sp.diff(g, s) for s in theta] for g in components]

    def bracket(f: list[sp.Expr], g: list[sp.Expr]) -> list[sp.Expr]:
        return [
            sp.expand(
                sp.Add(
                    *(
                        f[j] * sp.diff(g[i], theta[j]) - g[j] * sp.diff(f[i], theta[j])
                        for j in range(D)
                    )
                )
            )
            for i in range(D)
        ]

    def rank(vectors: list[list[sp.Expr]]) -> int:
        rows = [[sp.QQ.from_sympy(e.xreplace(at)) for e in v] for v in vectors]
        return DomainMatrix(rows, (len(rows), D), sp.QQ).rank()

    known, last = list(fields), list(fields)
    ranks = [rank(known)]
    while len(ranks) < 2 or ranks[-1] > ranks[-2]:
        last = [bracket(f, g) for f in fields for g in last if f is not g]
        last = [v for v in last if any(e != 0 for e in v)]
        known += last
        ranks.append(rank(known))
    return D - ranks[-1]


def seconds(work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """The answer, and the median time; with repeats, the first call is not counted."""
    if repeats > 1:
        work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        answer = work()
        times.append(time.perf_counter() - begin)
    return answer, statistics.median(times)


def against_sympy(n: int, m: int, r: int) -> tuple[str, float]:
    """One row of the first table, and the ratio."""

    def ours() -> Any:
        # a new network each time, so that nothing is kept
        return coupled_laws(th.networks.factorization(n, m, r))

    found, own = seconds(ours, REPEATS)
    network = th.networks.factorization(n, m, r)
    components, theta = list(network.components), list(network.parameters)
    laws, search = seconds(lambda: sympy_laws(components, theta))
    count, bound = seconds(lambda: sympy_count(components, theta))
    if not (found.complete and len(laws) == count == found.count):
        raise AssertionError(f"{n},{m},{r}: {found}, SymPy: {len(laws)} laws, count {count}")
    ratio = (search + bound) / own
    return (
        f"| {n},{m},{r} | {len(theta)} | {count} | {own * 1000:.1f} | {search:.2f} | {bound:.2f} "
        f"| {search / own:,.0f} | {ratio:,.0f} |",
        ratio,
    )


GROWING: list[tuple[str, Callable[[], Any]]] = [
    ("factorization 10,10,8", lambda: th.networks.factorization(10, 10, 8)),
    ("linear 10,10,10", lambda: th.networks.linear(10, 10, 10)),
    ("factorization 20,20,15", lambda: th.networks.factorization(20, 20, 15)),
    ("linear 16,16,16,6", lambda: th.networks.linear(16, 16, 16, 6)),
    ("relu 20,20,10", lambda: th.networks.relu(20, 20, 10)),
    ("relu with bias 9,9,8,8,8", lambda: th.networks.relu(9, 9, 8, 8, 8, bias=True)),
    ("hadamard 500,2", lambda: th.networks.hadamard(500, 2)),
    ("factorization 24,24,21", lambda: th.networks.factorization(24, 24, 21)),
    ("relu 28,28,10", lambda: th.networks.relu(28, 28, 10)),
]


def growth(name: str, build: Callable[[], Any]) -> str:
    """One row of the second table."""
    fields = system_of(build()).fields
    D = fields.size
    monomials = monomials_up_to(D, 2)
    found, search = seconds(lambda: polynomial_laws(fields, monomials))
    target = D - len(found.laws)
    bound, counting = seconds(lambda: lie_rank(fields, target=target), 3)
    laws, whole = seconds(lambda: coupled_laws(build()))
    if not (laws.complete and laws.count == D - bound.rank):
        raise AssertionError(f"{name}: {laws.upper_bound}, {bound}")
    return (
        f"| {name} | {D} | {fields.count:,} | {len(monomials):,} | {laws.count} | {search:.2f} "
        f"| {counting:.2f} | {whole:.2f} |"
    )


def main() -> None:
    rows, ratios = zip(*(against_sympy(*s) for s in SIZES), strict=True)
    larger = [growth(*g) for g in GROWING]
    text = "\n".join(
        [
            "# Conservation laws of U V^T: theory against plain SymPy",
            "",
            "`theory` finds the laws of degree 2, proves them, bounds their number and writes the",
            f"certificate (median of {REPEATS} runs, in milliseconds); SymPy expands, collects and",
            "solves for the laws, and forms brackets for their number (one run each, in seconds).",
            "Both find the same number of laws. The ratios are the time of SymPy, for the laws",
            "alone and for laws and count, over all of ours. SymPy knows no target, so it forms",
            "brackets of one more order, to see that the rank stands still.",
            "`python -m benchmarks.laws` makes these tables "
            f"(Python {sys.version.split()[0]}, SymPy {sp.__version__}, {os.cpu_count()} cores, "
            "one thread).",
            "",
            "| n,m,r | D | laws | theory, ms | SymPy, laws, s | SymPy, count, s | laws | both |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"At 5,5,3 the ratio is {ratios[-1]:,.0f}; the script fails below {WANTED}.",
            "",
            "# How it grows",
            "",
            "Seconds for the search of all laws of degree 2, for the bound alone (median of 3),",
            "and for everything with the certificate and the formulas as SymPy expressions.",
            "",
            "| network | D | fields | unknowns | laws | search | bound | everything |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *larger,
            "",
        ]
    )
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    if ratios[-1] < WANTED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
