"""An adversarial corpus of statements with known truth values, generated from true theorems.

Every theorem is mutated: constants off by 1e-7 ... 1e-250, signs, factors, exponents, a dropped
hypothesis, a strict relation for a weak one. A mutant's truth value follows from the theorem by
one line of mathematics (if A = B everywhere, then A = B + e is false for e != 0), or, for a
mutated exponent, from an exact point where mpmath separates the sides at 60 digits.

``PYTHONHASHSEED=1 python -m tests.claims.adversarial`` prints the figures.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import mpmath
import sympy as sp

import theory as th
from tests.exact.test_zero import IDENTITIES

Assume = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A statement, its hypotheses, and whether it is true."""

    text: str
    assume: tuple[tuple[str, str], ...]
    truth: bool
    kind: str


P, N01 = "positive", "(0, 1)"

# true on the whole domain that the hypotheses give, both sides defined there
THEOREMS: list[tuple[str, str, Assume]] = [
    ("sinh(x)**2 + 1", "cosh(x)**2", {}),
    ("tanh(2*x)", "2*tanh(x)/(1 + tanh(x)**2)", {}),
    ("sin(3*x)", "3*sin(x) - 4*sin(x)**3", {}),
    ("cos(x)**4 - sin(x)**4", "cos(2*x)", {}),
    ("exp(x + y)", "exp(x)*exp(y)", {}),
    ("log(x*y)", "log(x) + log(y)", {"x": P, "y": P}),
    ("log(x**2)", "2*log(x)", {"x": P}),
    ("sqrt(x**2)", "x", {"x": P}),
    ("sqrt(x*y)", "sqrt(x)*sqrt(y)", {"x": P, "y": P}),
    ("(x**a)**b", "x**(a*b)", {"x": P, "a": P, "b": P}),
    ("x**a*x**b", "x**(a + b)", {"x": P}),
    ("abs(x)", "sqrt(x**2)", {}),
    ("x*abs(x)", "sign(x)*x**2", {}),
    ("log(1 + exp(x)) - log(1 + exp(-x))", "x", {}),
    ("1/(1 + exp(-x)) + 1/(1 + exp(x))", "1", {}),
    ("tanh(x/2)", "2/(1 + exp(-x)) - 1", {}),
    ("atanh(x)", "log((1 + x)/(1 - x))/2", {"x": "(-1, 1)"}),
    ("asinh(x)", "log(x + sqrt(x**2 + 1))", {}),
    ("acosh(x)", "log(x + sqrt(x**2 - 1))", {"x": "(1, oo)"}),
    ("asin(x) + acos(x)", "pi/2", {"x": "(-1, 1)"}),
    ("LambertW(x)*exp(LambertW(x))", "x", {"x": P}),
    ("u**2 - v**2", "2*sqrt(u*v*u*v)*sinh(log(u/v))", {"u": P, "v": P}),
    ("(u**2 + v**2)**2", "(u**2 - v**2)**2 + 4*u**2*v**2", {}),
    ("1/(4*sqrt(x**2 + 4*a**4))", "1/(4*sqrt((2*a**2)**2 + x**2))", {"a": P}),
    ("2*a**2*sinh(4*(asinh(x/(2*a**2))/4))", "x", {"a": P}),
    ("(x**2 - 1)/(x - 1)", "x + 1", {"x": "(1, oo)"}),
    ("sqrt(3 + 2*sqrt(2))", "1 + sqrt(2)", {}),
    ("sqrt(2) + sqrt(3)", "sqrt(5 + 2*sqrt(6))", {}),
    ("erf(x) + erf(-x)", "0", {}),
    ("x**3 - y**3", "(x - y)*(x**2 + x*y + y**2)", {}),
    ("cosh(x)*cosh(y) + sinh(x)*sinh(y)", "cosh(x + y)", {}),
    ("x*log(x) + y*log(y) - (x + y)*log(x + y)",
     "x*log(x/(x + y)) + y*log(y/(x + y))", {"x": P, "y": P}),
]  # fmt: skip

# left >= right, with equality somewhere or not; True where the difference is positive everywhere
INEQUALITIES: list[tuple[str, str, Assume, bool]] = [
    ("exp(x)", "1 + x", {}, False),
    ("cosh(x)", "1", {}, False),
    ("x**2 + y**2", "2*x*y", {}, False),
    ("x**2 + 1", "2*x", {}, False),
    ("x - 1 - log(x)", "0", {"x": P}, False),
    ("x + 1/x", "2", {"x": P}, False),
    ("x", "log(1 + x)", {"x": P}, True),
    ("x", "sin(x)", {"x": P}, True),
    ("x", "tanh(x)", {"x": P}, True),
    ("asinh(x)", "0", {"x": P}, True),
    ("exp(x)", "0", {}, True),
    ("1/(1 + x**2)", "0", {}, True),
    ("1", "tanh(x)", {}, True),
    ("log(1 + exp(x))", "x", {}, True),
    ("log(1 + exp(x))", "0", {}, True),
    ("sqrt(1 + x**2)", "x", {}, True),
    ("sqrt(1 + x**2)", "1", {}, False),
    ("1/2", "x/(1 + x**2)", {}, False),
    ("1/4", "x*(1 - x)", {"x": N01}, False),
    ("1/sqrt(x**2 + 4*a**4)", "0", {"a": P}, True),
    ("cosh(x)", "1 + x**2/2", {}, False),
    ("x**4 - x**2 + 1", "0", {}, True),
    ("exp(x)*x**2", "0", {}, False),
    ("1 - x**2", "0", {"x": "(-1, 1)"}, True),
    ("exp(x) + exp(-x)", "2", {}, False),
    ("x*atan(x)", "0", {}, False),
    ("x*sinh(x)", "0", {}, False),
    ("x**2 + x*y + y**2", "0", {}, False),
]

# a true theorem with a hypothesis that it needs: false without it
DROPPED: list[tuple[str, Assume, Assume]] = [
    ("log(x**2) == 2*log(x)", {"x": P}, {}),
    ("sqrt(x**2) == x", {"x": P}, {}),
    ("abs(x) == x", {"x": P}, {}),
    ("sqrt(x**2*y) == x*sqrt(y)", {"x": P, "y": P}, {"y": P}),
    ("x - log(1 + x) >= 0", {"x": P}, {"x": "(-2, 2)"}),
    ("x >= sin(x)", {"x": P}, {}),
    ("x**3 >= 0", {"x": P}, {}),
    ("x**3 > x**2", {"x": "(1, oo)"}, {"x": P}),
    ("1 - x**2 > 0", {"x": "(-1, 1)"}, {}),
    ("x**2 >= x", {"x": "(1, oo)"}, {"x": P}),
    ("sqrt(x**2 + 2*x + 1) == x + 1", {"x": P}, {}),
    ("atan(x) + atan(1/x) == pi/2", {"x": P}, {}),
    ("asinh((u**2 - v**2)/(2*u*v)) == log(u/v)", {"u": P, "v": P}, {"u": P}),
    ("exp(x) >= 1", {"x": P}, {}),
    ("x/(1 + x) > 0", {"x": P}, {}),
    ("log(x) > 0", {"x": "(1, oo)"}, {"x": P}),
    ("x + 1/x >= 2", {"x": P}, {}),
    ("tanh(x) < x", {"x": P}, {}),
    ("u**2 - v**2 == (u - v)*(u + v) + w", {"w": "(0, 1)"}, {}),
][:-1]

# constants: almost equal, equal, almost integers
CONSTANTS: list[tuple[str, bool]] = [
    ("exp(pi*sqrt(163)) == 262537412640768744", False),
    ("exp(pi*sqrt(163)) < 262537412640768744", True),
    ("exp(pi*sqrt(163)) > 262537412640768744", False),
    ("exp(pi*sqrt(67)) == 147197952744", False),
    ("exp(pi) - pi == 20", False),
    ("log(1 + exp(-50)) > 0", True),
    ("log(1 + exp(-50)) == 0", False),
    ("log(1 + exp(-500)) > 0", True),
    ("acosh(1 + 1e-30) > 0", True),
    ("acos(1 - 1e-30) == 0", False),
    ("1 - tanh(200) > 0", True),
    ("tanh(200) == 1", False),
    ("sqrt(10**40 + 1) == 10**20", False),
    ("sqrt(10**40 + 1) > 10**20", True),
    ("pi == 355/113", False),
    ("22/7 > pi", True),
    ("sin(1e-100) == 1e-100", False),
    ("sin(1e-100) < 1e-100", True),
    ("exp(1e-200) == 1", False),
    ("exp(1e-200) > 1", True),
    ("sqrt(2)*sqrt(3) == sqrt(6)", True),
    ("sqrt(2)*sqrt(3) > sqrt(6)", False),
    ("2*atan(1) == pi/2", True),
    ("4*atan(1/5) - atan(1/239) == pi/4", True),
    ("4*atan(1/5) - atan(1/238) == pi/4", False),
    ("log(2) + log(3) == log(6)", True),
    ("cos(pi/5) == (1 + sqrt(5))/4", True),
    ("cos(pi/7) == (1 + sqrt(5))/4", False),
]

OFFSETS = ("1e-7", "1e-15", "1e-30", "1e-100", "1e-250")


def _theorems() -> Iterator[tuple[str, str, Assume]]:
    for left, right in IDENTITIES.values():
        assume = {
            s.name: "positive" if s.is_positive else "integer" if s.is_integer else "real"
            for s in left.free_symbols | right.free_symbols
        }
        yield str(left), str(right), assume
    yield from THEOREMS


def _freeze(assume: Assume) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(assume.items()))


def _used(text: str, assume: Assume) -> Assume:
    names = set(re.findall(r"[A-Za-z_]\w*", text))
    return {k: v for k, v in assume.items() if k in names}


def _differs(left: str, right: str, assume: Assume) -> bool:
    """Whether mpmath at 60 digits separates two sides at one of a few points of the domain."""
    names = sorted(set(re.findall(r"[A-Za-z_]\w*", f"{left} {right}")))
    table = {n: sp.Symbol(n, real=True) for n in names if not hasattr(sp, n)}
    try:
        e = sp.sympify(f"({left}) - ({right})", locals=table)
        symbols = sorted(e.free_symbols, key=str)
        f = sp.lambdify(symbols, e, "mpmath")
        with mpmath.workdps(60):
            for k in range(3):
                values = []
                for i, s in enumerate(symbols):
                    v = mpmath.mpf(2 + i + 3 * k) / (7 + 2 * k)
                    word = assume.get(s.name, "real")
                    values.append(v if word != "(1, oo)" else 1 + v)
                gap = f(*values)
                if isinstance(gap, mpmath.mpf) and abs(gap) > mpmath.mpf(10) ** -8:
                    return True
    except Exception:
        return False
    return False


def cases() -> list[Case]:
    """The corpus, without repetitions."""
    out: list[Case] = []

    def add(text: str, assume: Assume, truth: bool, kind: str) -> None:
        out.append(Case(text, _freeze(_used(text, assume)), truth, kind))

    for left, right, assume in _theorems():
        add(f"{left} == {right}", assume, True, "identity")
        add(f"{right} == {left}", assume, True, "identity")
        add(f"{left} >= {right}", assume, True, "identity as >=")
        add(f"{left} <= {right}", assume, True, "identity as >=")
        add(f"{left} > {right}", assume, False, "strict for equal")
        add(f"{left} < {right}", assume, False, "strict for equal")
        add(f"{left} != {right}", assume, False, "!= for equal")
        for e in OFFSETS:
            add(f"{left} == {right} + {e}", assume, False, f"off by {e}")
            add(f"{left} >= {right} + {e}", assume, False, f"off by {e}")
            add(f"{left} > {right} - {e}", assume, True, f"off by {e}, true")
            add(f"{left} != {right} - {e}", assume, True, f"off by {e}, true")
            if right != "0":
                add(f"{left} == ({right})*(1 + {e})", assume, False, f"factor 1 + {e}")
        if right not in ("0",):
            add(f"{left} == -({right})", assume, False, "sign")
            add(f"{left} == 2*({right})", assume, False, "factor 2")
        for old, new in (("**2", "**3"), ("+ 1", "+ 2"), ("sinh", "cosh"), ("log", "exp")):
            if old in right:
                mutant = right.replace(old, new, 1)
                if _differs(left, mutant, assume):
                    add(f"{left} == {mutant}", assume, False, f"{old} became {new}")
    for left, right, assume, strict in INEQUALITIES:
        add(f"{left} >= {right}", assume, True, "inequality")
        add(f"{right} <= {left}", assume, True, "inequality")
        add(f"{left} < {right}", assume, False, "inequality reversed")
        add(f"{left} > {right}", assume, strict, "strict inequality")
        add(f"{left} == {right}", assume, False, "equality for inequality")
        for e in OFFSETS:
            add(f"{left} >= {right} - {e}", assume, True, f"inequality slack {e}")
            add(f"{left} > {right} - {e}", assume, True, f"inequality slack {e}")
            if not strict:
                add(f"{left} >= {right} + {e}", assume, False, f"inequality off by {e}")
    for text, needed, left_over in DROPPED:
        add(text, needed, True, "hypothesis kept")
        add(text, left_over, False, "hypothesis dropped")
    for text, truth in CONSTANTS:
        add(text, {}, truth, "constant")
    return list(dict.fromkeys(out))


def judge(case: Case) -> tuple[str, float]:
    """ "PROVED", "REFUTED", "UNDECIDED" or "error", and the seconds that it took."""
    begin = time.perf_counter()
    try:
        status = str(th.prove(case.text, assume=dict(case.assume), seconds=5.0).status)
    except th.TheoryError as error:
        status = f"error: {error}"
    except Exception as error:
        status = f"crash: {error!r}"
    return status, time.perf_counter() - begin


def main(step: int = 1) -> int:
    """Print the figures; the number of wrong verdicts."""
    found = cases()[::step]
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    times: list[float] = []
    wrong = 0
    for case in found:
        status, seconds = judge(case)
        times.append(seconds)
        counts[status.split(":")[0]] += 1
        if status == ("REFUTED" if case.truth else "PROVED") or status.startswith("crash"):
            wrong += 1
            print(f"WRONG: {status} {case.text} {dict(case.assume)}")
        if status not in ("PROVED", "REFUTED"):
            kinds[case.kind] += 1
            if "-v" in sys.argv:
                print(f"{status[:60]}: {case.text[:150]} {dict(case.assume)} {seconds:.1f} s")
    times.sort()
    print(f"{len(found)} statements, {wrong} wrong verdicts; {dict(counts)}")
    print(f"undecided by kind: {dict(kinds.most_common())}")
    print(f"median {times[len(times) // 2] * 1e3:.1f} ms, slowest {times[-1]:.1f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
