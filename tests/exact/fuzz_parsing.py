"""Random formulas, broken formulas and attacks for the parser.

Run ``python tests/exact/fuzz_parsing.py 100000 [seed]`` from the root of the repository.
"""

from __future__ import annotations

import random
import resource
import string
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sympy as sp

from theory.errors import FormulaError
from theory.exact.parsing import (
    FUNCTIONS,
    names_in,
    parse,
    parse_assignments,
    parse_relation,
)

SYMBOLS = {
    "x": sp.Symbol("x", real=True),
    "y": sp.Symbol("y", real=True),
    "u": sp.Symbol("u", positive=True),
    "n": sp.Symbol("n", integer=True),
    "w": sp.Symbol("w", negative=True),
    "L": sp.Symbol("L", positive=True),
}

ATTACKS = (
    "__import__('os').system('touch /tmp/pwned')",
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__.__mro__",
    "eval('1')",
    "exec(compile('x', 'y', 'exec'))",
    "open('/etc/passwd').read()",
    "lambda: 0",
    "(lambda f: f(f))(lambda f: f(f))",
    "[x for x in range(10**9)]",
    "{x: y}",
    "f'{x}'",
    "x if y else u",
    "x := 3",
    "print(x)",
    "globals()",
    "getattr(x, 'func')",
    "9**9**9**9",
    "2**(2**(2**(2**(2**2))))",
    "exp(exp(exp(exp(9))))",
    "exp(10**50*log(2))",
    "exp(x + 10**9*log(3))",
    "3**(10**9*x)*3**(10**9 - 10**9*x)",
    "(2**u)**(10**9/u)",
    "exp(10**12*log(1 + 10**-15))",
    "x**(10**9*log(3)/log(x))",
    "gamma(10**9)",
    "gamma(-10**6 - 1/2)",
    "loggamma(10**7)",
    "sign(sqrt(2) + sqrt(3) - sqrt(5 + 2*sqrt(6)))",
    "max(sqrt(2) + sqrt(3), sqrt(5 + 2*sqrt(6)))",
    "sin(sinh((min(w, y))**(u + 1e20)))",
    "sin(sinh(log(y)*exp(10**8*x)))",
    "sin(sinh((log(y) + x + y + u + n)**60))",
    "Symbol('x')",
    "sympify('x')",
    "S(0)",
    "x;import os",
    "x\nimport os",
    "x\x00y",
    "\\x41",
    "1e400*x",
    "1j*x",
    "0x41",
    "1_000",
    "x @ y",
    "x // y",
    "x % y",
    "~x",
    "not x",
    "x and y",
    "x < y < u",
    "exp(*x)",
    "exp(x=1)",
    "...",
    "None",
    "\N{GREEK SMALL LETTER ALPHA} + x",
    "x" * 100_000,
    "(" * 1000 + "x" + ")" * 1000,
    "-" * 3000 + "x",
    "x**" * 1000 + "x",
    "+".join(["sin(x)"] * 600),
    "sin(" * 200 + "x" + ")" * 200,
)


def formula(rng: random.Random, depth: int) -> str:
    """Text of a random well-formed formula; its value need not be real."""
    if depth <= 0 or rng.random() < 0.15:
        kind = rng.random()
        if kind < 0.55:
            return rng.choice(list(SYMBOLS))
        if kind < 0.85:
            return str(rng.choice([0, 1, 2, 3, 5, 7, 10, 64, 100, 10**9]))
        if kind < 0.93:
            return f"{rng.random():.4g}"
        return rng.choice(["pi", "E", "1/2", "1/3", "2**100", "1e20"])
    kind = rng.random()
    if kind < 0.55:
        left, right = formula(rng, depth - 1), formula(rng, depth - 1)
        operator = rng.choice(["+", "-", "*", "/", "**", " + ", " * ", "^"])
        return f"({left}){operator}({right})" if rng.random() < 0.7 else f"{left}{operator}{right}"
    if kind < 0.62:
        return f"-{formula(rng, depth - 1)}"
    name = rng.choice(FUNCTIONS)
    count = 2 if name in ("min", "max", "Min", "Max") else 1
    return f"{name}({', '.join(formula(rng, depth - 1) for _ in range(count))})"


def mutate(rng: random.Random, text: str) -> str:
    """The text with a few characters removed, doubled or replaced."""
    letters = list(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(letters) + 1)
        kind = rng.random()
        if kind < 0.4 and letters:
            del letters[min(at, len(letters) - 1)]
        elif kind < 0.8:
            letters.insert(at, rng.choice(string.printable))
        elif letters:
            letters[min(at, len(letters) - 1)] = chr(rng.choice([rng.randrange(128), 0x3B1]))
    return "".join(letters)


def draw(rng: random.Random) -> str:
    """One input: a formula, a broken formula, a soup of tokens, or an attack."""
    kind = rng.random()
    if kind < 0.45:
        return formula(rng, rng.randint(1, 5))
    if kind < 0.7:
        return mutate(rng, formula(rng, rng.randint(1, 4)))
    if kind < 0.8:
        words = [*FUNCTIONS, *SYMBOLS, *"+-*/^(),.=<>!&|%~@:;'\"\\ \t\n[]{}_", "**", "lambda", "10"]
        return "".join(rng.choices(words, k=rng.randint(1, 12)))
    if kind < 0.9:
        attack = rng.choice(ATTACKS)
        return attack if rng.random() < 0.5 or len(attack) > 1000 else mutate(rng, attack)
    left, right = formula(rng, 2), rng.choice(ATTACKS[:50])
    return f"{left}{rng.choice('+-*/')}{rng.choice(FUNCTIONS)}({right})"


@dataclass
class Report:
    """Counts of one run."""

    inputs: int = 0
    accepted: int = 0
    rejected: int = 0
    executed: int = 0
    others: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0.0
    slowest_input: str = ""

    @property
    def accept_rate(self) -> float:
        """Share of the inputs that were read as formulas."""
        return self.accepted / self.inputs

    def __str__(self) -> str:
        kinds = Counter(kind for _, kind in self.others)
        return (
            f"inputs {self.inputs}, accepted {self.accepted}, rejected {self.rejected}, "
            f"executed {self.executed}, other exceptions {len(self.others)} {dict(kinds)}, "
            f"slowest {self.slowest:.3f} s ({self.slowest_input[:80]!r}), "
            f"accept rate {100 * self.accept_rate:.1f} %"
        )


# mpmath writes summation loops, one for each kind of hypergeometric series, and SymPy writes tuple
# arithmetic, one for each number of generators; no text of a formula goes into either
_WRITERS = ("mpmath.libmp.libhyper", "sympy.polys.monomials")


class Watch:
    """Counts what running the text would do: evaluated code, processes, written files."""

    def __init__(self) -> None:
        self.count = 0
        self.active = False
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.active:
            return
        if event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork"):
            self.count += 1
        elif event == "exec":
            name = getattr(arguments[0], "co_filename", "")
            caller = sys._getframe(1).f_globals.get("__name__")
            self.count += (
                name.startswith("<") and not name.startswith("<frozen") and caller not in _WRITERS
            )
        elif event == "open":
            mode = arguments[1]
            self.count += isinstance(mode, str) and any(c in mode for c in "wax+")


def run(count: int, seed: int = 0) -> Report:
    """Parse `count` random inputs."""
    rng = random.Random(seed)
    report = Report()
    watch = Watch()
    for _ in range(count):
        text = draw(rng)
        report.inputs += 1
        watch.active = True
        begin = time.perf_counter()
        try:
            parse(text, SYMBOLS)
            report.accepted += 1
        except FormulaError as error:
            report.rejected += 1
            if not str(error).isprintable():
                report.others.append((text, "unprintable message"))
            if "(MemoryError)" in str(error):
                report.others.append((text, "out of memory"))
        except BaseException as error:
            report.others.append((text, type(error).__name__))
        seconds = time.perf_counter() - begin
        for door in (names_in, lambda t: parse_relation(t, {}), lambda t: parse_assignments(t, {})):
            try:
                door(text)
            except FormulaError:
                pass
            except BaseException as error:
                report.others.append((text, type(error).__name__))
        watch.active = False
        if seconds > report.slowest:
            report.slowest, report.slowest_input = seconds, text
    report.executed = watch.count
    return report


if __name__ == "__main__":
    # an input that SymPy would blow up shows as such, instead of taking the machine down
    resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))
    start = time.perf_counter()
    result = run(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, *(int(a) for a in sys.argv[2:]))
    print(result)
    for text, kind in result.others[:20]:
        print(kind, repr(text[:300]))
    print(f"{time.perf_counter() - start:.0f} s in all")
