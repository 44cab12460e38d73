r"""B. Woodworth et al., "Kernel and rich regimes in overparametrized models" (COLT 2020).

Setting: $x = u^D - v^D$ from $u = v = \alpha$. Recalled from the paper, not quoted: the potential
for D = 2 is the hyperbolic entropy; small starts give the $\ell_1$ norm, large ones the $\ell_2$
norm. The rates and the conjugates for D > 2 are ours.
"""

from __future__ import annotations

from functools import cache, partial

import mpmath as mp
import numpy as np
import sympy as sp
from scipy.optimize import linprog

import theory as th
from proofs_checks.statement import OURS, Outcome, Statement, bound, identities, numbers

RECALLED = "recalled: hyperbolic entropy and its limits"
alpha = sp.Symbol("alpha", positive=True)


@cache
def mirror(depth: int) -> th.Mirror:
    rho = th.Elementwise(f"u**{depth} - v**{depth}", "u, v")
    return th.GradientFlow(rho).mirror(start={"u": alpha, "v": alpha})


def hyperbolic_entropy() -> Outcome:
    x = sp.Symbol("x", real=True)
    stated = "(x*asinh(x/(2*alpha**2)) - sqrt(x**2 + 4*alpha**4) + 2*alpha**2)/4"
    return identities([("F", mirror(2).potential(x), stated)], {"x": "real", "alpha": "positive"})


def law() -> Outcome:
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    (found,) = flow.conservation_laws().found
    return identities([("law", found, "u*v")], {"u": "real", "v": "real"})


def limit(depth: int, point: str, scale: str, function: str, rate: str) -> Outcome:
    """Scale, limit function and rate; the limits behind them are checked in ball arithmetic."""
    found = mirror(depth).regularizer.limit(alpha, sp.oo if point == "oo" else 0)
    measured = f"({found.scale}) ({found.function}), rate {found.rate}"
    names = {"alpha": alpha, "x": found.x}
    lead = sp.simplify(
        found.scale * found.function / sp.sympify(f"({scale})*({function})", locals=names)
    )
    same_rate = found.rate is not None and sp.simplify(found.rate / sp.sympify(rate, locals=names))
    # what belongs to the gauge and what to the function is a matter of taste
    ok = lead == 1 and same_rate == 1
    expected = f"({scale}) ({function}), rate {rate}"
    return Outcome("CHECKED" if ok else "FAILED", measured, expected, ok)


def value_approaches(depth: int, exponent: str, slope: str) -> Outcome:
    """F(1) alpha^(D-2) -> the stated slope for D > 2, by numbers at alpha = 1e-6."""
    a = sp.Rational(1, 10**6)
    value = mirror(depth).value("potential", 1, dps=20, at={"alpha": a})
    power = mp.mpf(10) ** (-6 * int(exponent))
    return numbers([float(value * power)], [float(sp.sympify(slope))], atol=0, rtol=1e-3)


def sparse_limit() -> Outcome:
    """From alpha = 1e-10 the limit point is the solution of the linear program."""
    A = np.array([[1.0, 2.0, 0.0, 0.3], [0.0, 0.4, 1.0, 2.0]])
    y = np.array([-1.0, 3.0])
    program = linprog(np.ones(8), A_eq=np.hstack([A, -A]), b_eq=y)
    best = program.x[:4] - program.x[4:]
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    found = flow.limit_point(th.Regression(A, y), {"u": 1e-10, "v": 1e-10})
    return numbers(found.x, best, atol=1e-5)


def dense_limit() -> Outcome:
    """From alpha = 300 the limit point is the minimum norm solution up to O(alpha^-4)."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 12))
    y = A @ np.array([1.0, -2.0] + [0.0] * 10)
    flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
    found = flow.limit_point(th.Regression(A, y), {"u": 300, "v": 300})
    return bound(
        float(np.max(np.abs(found.x - np.linalg.pinv(A) @ y))),
        1e-8,
        "distance to the pseudoinverse",
    )


def statements() -> list[Statement]:
    """Every statement of this file."""
    return [
        Statement("hyperbolic entropy", RECALLED, ("u0 = v0",), hyperbolic_entropy),
        Statement("u v is conserved", RECALLED, (), law),
        Statement("alpha -> 0 gives l1, D = 2", RECALLED, ("u0 = v0",),
                  partial(limit, 2, "0", "log(1/alpha)/2", "Abs(x)", "1/log(1/alpha)")),
        Statement("alpha -> oo gives l2, D = 2", RECALLED, ("u0 = v0",),
                  partial(limit, 2, "oo", "1/(16*alpha**2)", "x**2", "alpha**(-4)")),
        # zeta -> 1 at the end: xi = 1/(L (L-2) a^(L-2))
        Statement("alpha -> 0, D = 3", OURS, ("u0 = v0",),
                  partial(value_approaches, 3, "1", "1/3")),
        Statement("alpha -> 0, D = 4", OURS, ("u0 = v0",),
                  partial(value_approaches, 4, "2", "1/8")),
        Statement("sparse limit point", OURS, ("alpha small",), sparse_limit),
        Statement("minimum norm limit point", OURS, ("alpha large",), dense_limit),
    ]  # fmt: skip
