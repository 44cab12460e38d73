# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Ten conjectures that hold, ten that do not
#
# Statements about the implicit bias of gradient flow, as one finds them in papers, and the same
# with a hypothesis dropped or a constant changed. Each gets one of three answers: PROVED, REFUTED
# with an exact witness, UNDECIDED. The sources name where the setting comes from; the formulas
# were typed and normalized here.

# %%
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import theory as th

HYPENTROPY = "(x*asinh(x/(2*alpha**2)) - sqrt(x**2 + 4*alpha**4))/4"
SQUARES = {"flow": "u**2 - v**2", "parameters": "u, v"}
POWERS = {"flow": "u**L - v**L", "parameters": "u, v"}
POSITIVE = {"u": "positive", "v": "positive"}
flow = th.GradientFlow(th.Elementwise("u**2 - v**2", "u, v"))
problem = th.Regression([[1, 2]], [1])
start = {"u": 0.1, "v": 0.1}
rows = []


def say(name, source, verdict, expected):
    """Print the answer, and stop where it is not the one of the text."""
    assert str(verdict.status) == expected, f"{name}: {verdict}"
    rows.append((name, expected))
    print(f"{name} [{source}]\n    {verdict}")


# %% [markdown]
# ## Ten that hold
#
# **1, 2.** Two layers stay balanced, and for the difference of squares the product is constant.

# %%
say(
    "u^2 - v^2 is constant for x = u v",
    "Du, Hu, Lee 2018, depth-2 case",
    th.Conjecture(
        "balancedness", "u**2 - v**2", question="conserved", flow="u*v", parameters="u, v"
    ).decide(),
    "PROVED",
)
say(
    "u v is constant for x = u^2 - v^2",
    "Woodworth et al. 2020, depth-2 case",
    th.Conjecture("product", "u*v", question="conserved", **SQUARES).decide(),
    "PROVED",
)

# %% [markdown]
# **3.** Its form for every depth L > 2, a real number.

# %%
say(
    "u^(2-L) + v^(2-L) is constant for x = u^L - v^L",
    "Woodworth et al. 2020, depth-L case",
    th.Conjecture(
        "depth L",
        "u**(2 - L) + v**(2 - L)",
        {"L": "(2, oo)", **POSITIVE},
        question="conserved",
        **POWERS,
    ).decide(),
    "PROVED",
)

# %% [markdown]
# **4, 5, 6.** Mirror potentials: the hyperbolic entropy, the relative entropy from every start, and
# the power law of depth L.

# %%
balanced = th.Conjecture(
    "hyperbolic entropy",
    HYPENTROPY,
    {"alpha": "positive"},
    question="mirror_potential",
    start="u=alpha, v=alpha",
    **SQUARES,
)
say(
    "the hyperbolic entropy is the potential of u^2 - v^2",
    "Woodworth et al. 2020, depth-2 case",
    balanced.decide(),
    "PROVED",
)
say(
    "the relative entropy is the potential of u^2",
    "Amid, Warmuth 2020, exponentiated gradient as gradient flow",
    th.Conjecture(
        "relative entropy",
        "(x*log(x) - x)/4",
        {"u": "positive", "alpha": "positive"},
        question="mirror_potential",
        flow="u**2",
        parameters="u",
        start="u=alpha",
    ).decide(),
    "PROVED",
)
say(
    "x^(2/L)/(2 (2 - L)) is the potential of u^L",
    "setting of Chou, Maly, Stöger, arXiv 2308.04921",
    th.Conjecture(
        "power law",
        "x**(2/L)/(2*(2 - L))",
        {"L": "(2, oo)", "u": "positive", "alpha": "positive"},
        question="mirror_potential",
        flow="u**L",
        parameters="u",
        start="u=alpha",
    ).decide(),
    "PROVED",
)

# %% [markdown]
# **7, 8.** The mirror map of the hyperbolic entropy increases; the relative entropy is convex in
# both arguments together.

# %%
say(
    "the derivative of the hyperbolic entropy increases",
    "Ghai, Hazan, Singer 2020",
    th.monotone("asinh(x/(2*alpha**2))/4", direction="increasing", assume={"alpha": "positive"}),
    "PROVED",
)
say(
    "the relative entropy is jointly convex",
    "folklore",
    th.convex("x*log(x/y) - x + y", on="x > 0 & y > 0"),
    "PROVED",
)

# %% [markdown]
# **9.** From small starts its curvature becomes that of x log x, from large ones that of a
# parabola.
#
# **10.** The loss never increases, whatever the data.

# %%
small = th.limit_is(
    "1/(4*sqrt(x**2 + 4*alpha**4))", "alpha", 0, "1/(4*x)", {"x": "positive"}, dir="+"
)
large = th.limit_is("alpha**2/(4*sqrt(x**2 + 4*alpha**4))", "alpha", "oo", "1/8")
say("F'' tends to 1/(4 x) for small starts", "Woodworth et al. 2020, depth 2", small, "PROVED")
say("alpha^2 F'' tends to 1/8 for large ones", "Woodworth et al. 2020, depth 2", large, "PROVED")
say("the loss falls along the flow", "folklore", th.decreases("loss", flow), "PROVED")

# %% [markdown]
# Also asked in passing: a bound, an integral, Legendre type, and statements about one trajectory
# and one limit, all of them certified.

# %%
say(
    "the hyperbolic entropy lies below its parabola",
    "ours",
    th.prove("x*asinh(x/2) - sqrt(x**2 + 4) + 2 <= x**2/4"),
    "PROVED",
)
say(
    "it is the integral of the mirror map",
    "ours",
    th.integral_is(
        "asinh(t/(2*alpha**2))/4",
        "t",
        0,
        "x",
        f"{HYPENTROPY} + alpha**2/2",
        {"x": "positive", "alpha": "positive"},
    ),
    "PROVED",
)
say("it is of Legendre type", "ours", th.is_legendre(flow, {"u": 1, "v": 1}), "PROVED")
say("u v does not drift", "ours", th.drift_at_most("u*v", flow, problem, start, 2, 0), "PROVED")
box = {0: (0, 0.2), 1: (0.3, 0.5)}
say("the flow is in a box at t = 3", "ours", th.passes(flow, problem, start, 3, box), "PROVED")
twins = th.Regression([[1, 1]], [1])
half = sp.Rational(1, 2)
say("equal columns share", "ours", th.limit_point_is([half, half], flow, twins, start), "PROVED")

# %% [markdown]
# ## Ten that do not
#
# **1.** The hyperbolic entropy from a start that is not balanced. The report says which hypothesis
# rescues it.

# %%
unbalanced = th.Conjecture(
    "unbalanced",
    HYPENTROPY,
    {"alpha": "positive", "beta": "positive"},
    question="mirror_potential",
    start="u=alpha, v=beta",
    **SQUARES,
)
say("the same potential for u = alpha, v = beta", "start", unbalanced.decide(), "REFUTED")
rescues = [hypothesis for hypothesis, _ in unbalanced.rescue()]
assert rescues == ["a balanced start"], rescues
rescues

# %% [markdown]
# **2.** The law of depth two at every depth.

# %%
depth = th.Conjecture("depth", "u*v", {"L": "(1, oo)", **POSITIVE}, question="conserved", **POWERS)
say("u v is constant for x = u^L - v^L", "depth", depth.decide(), "REFUTED")
rescues = [hypothesis for hypothesis, _ in depth.rescue()]
assert rescues == ["L = 2"], rescues
rescues

# %% [markdown]
# **3, 4.** The wrong law, the wrong factor.

# %%
say(
    "u v is constant for x = u v",
    "law",
    th.conserved("u*v", th.Elementwise("u*v", "u, v")),
    "REFUTED",
)
factor = th.Conjecture(
    "factor", f"2*{HYPENTROPY}", balanced.assume, question="mirror_potential",
    start=balanced.start, **SQUARES,
)  # fmt: skip
say("the hyperbolic entropy over 2", "factor", factor.decide(), "REFUTED")

# %% [markdown]
# **5, 6.** Roots and logarithms of squares, and what they need.

# %%
for statement in ("sqrt(x**2) == x", "log(x**2) == 2*log(x)"):
    root = th.Conjecture(statement, statement)
    say(statement, "real x", root.decide(), "REFUTED")
    rescues = [hypothesis for hypothesis, _ in root.rescue()]
    assert "x > 0" in rescues, rescues
    print("    holds for", ", ".join(rescues))

# %% [markdown]
# **7, 8.** A wrong limit, and an integral without its constant.

# %%
say(
    "F'' tends to 1/x^2 for small starts",
    "limit",
    th.limit_is("1/(4*sqrt(x**2 + 4*alpha**4))", "alpha", 0, "1/x**2", {"x": "positive"}, dir="+"),
    "REFUTED",
)
say(
    "the integral of the mirror map is F itself",
    "constant",
    th.integral_is(
        "asinh(t/(2*alpha**2))/4", "t", 0, "x", HYPENTROPY, {"x": "positive", "alpha": "positive"}
    ),
    "REFUTED",
)

# %% [markdown]
# **9.** Products are not convex, and log(1 + x^2) is neither convex nor monotone.
#
# **10.** The norm of the parameters does not fall towards a target that is not zero; and the limit
# is not the sparsest interpolator.

# %%
say("x y is convex", "joint convexity", th.convex("x*y"), "REFUTED")
say("log(1 + x^2) is convex", "convexity", th.convex("log(1 + x**2)"), "REFUTED")
say("log(1 + x^2) is monotone", "monotonicity", th.monotone("log(1 + x**2)"), "REFUTED")
say("u^2 + v^2 falls", "target 1", th.decreases("u**2 + v**2", flow, problem), "REFUTED")
say(
    "the limit is (0, 1/2)",
    "alpha = 0.1",
    th.limit_point_is([0, half], flow, problem, start),
    "REFUTED",
)

# %% [markdown]
# ## Looking for a counterexample
#
# The search draws exact points, and makes what it finds simple. Here the bound holds for positive x
# and somebody forgot to say so.

# %%
forgotten = th.Conjecture("bound", "asinh(x) <= x")
found = th.search(forgotten)
say("asinh(x) <= x", "real x", found, "REFUTED")
assert found.witness == {"x": "-1"}, found
assert "x > 0" in [hypothesis for hypothesis, _ in forgotten.rescue()]

# %% [markdown]
# That nothing is found is no proof: the search never says PROVED.

# %%
nothing = th.search(th.Conjecture("bound", "asinh(x) <= x", {"x": "positive"}))
say("the same for x > 0, searched", "ours", nothing, "UNDECIDED")
say(
    "the same for x > 0, proved",
    "ours",
    th.prove("asinh(x) <= x", {"x": "positive"}),
    "PROVED",
)

# %%
x = np.linspace(-3, 3, 400)
plt.plot(x, np.arcsinh(x), label="asinh(x)")
plt.plot(x, x, label="x")
plt.axvline(-1, color="gray", lw=1, ls=":")
plt.xlabel("x")
plt.legend(frameon=False)
plt.show()

# %%
for status in th.Status:
    print(f"{status}: {sum(answer == str(status) for _, answer in rows)} statements")
