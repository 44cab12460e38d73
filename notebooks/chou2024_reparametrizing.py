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
# # Reparametrizing, and what it does to the limit
#
# After H.-H. Chou, J. Maly, D. Stöger, *How to induce regularization in linear models: A guide to
# reparametrizing gradient flow*, arXiv 2308.04921. An increasing $\rho$ with $x = \rho(\theta)$
# turns the gradient flow of $x$ into a mirror flow with
# $$F''(\rho(\theta))\,\rho'(\theta)^2 = 1 .$$
# We derive the potential of several $\rho$, look at what the flow can reach, and design $\rho$ for
# a wanted potential. The formulas below are derived here, not quoted.

# %%
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import theory as th

alpha = sp.Symbol("alpha", positive=True)

# %% [markdown]
# ## Four functions and their potentials

# %%
members = {
    "square": ("u**2", alpha, {}),
    "cube": ("u**3", alpha, {"u": "positive"}),
    "sinh": ("sinh(u)", 0, {}),
    "sine": ("sin(u)", 0, {}),
}
mirrors = {}
for name, (formula, start, assume) in members.items():
    flow = th.GradientFlow(th.Elementwise(formula, "u", assume=assume))
    mirror = mirrors[name] = flow.mirror({"u": start})
    x = mirror.closed.x
    print(f"{name:7} F''(x) = {mirror.hessian(x)}   reach {mirror.reach}")

# %% [markdown]
# Where the slope of $F$ is infinite at every finite end of the interval, $F$ is of Legendre type,
# and the flow stays inside the open interval for all times. The reason names what was found:

# %%
for name, mirror in mirrors.items():
    print(f"{name:7} {mirror.is_legendre}")

# %% [markdown]
# ## Powers: the general case at once
#
# With a symbolic exponent $L > 2$:

# %%
power = th.Elementwise("u**L", "u", assume={"L": "(2, oo)", "u": "positive"})
mirror = th.GradientFlow(power).mirror({"u": alpha})
mirror.hessian(mirror.closed.x)

# %% [markdown]
# The same identity that defines the potential, proved for the closed form:

# %%
print(th.is_mirror_potential("(x*log(x) - x)/4", th.Elementwise("u**2", "u"), start={"u": 1}))

# %% [markdown]
# ## Signs need two parameters
#
# A single power keeps the sign of the start. The difference $u^L - v^L$ does not. A larger $L$
# favors sparse limits more:

# %%
rng = np.random.default_rng(1)
A = rng.normal(size=(12, 30))
truth = np.zeros(30)
truth[[2, 9, 17]] = [1.5, -1.0, 0.7]
problem = th.Regression(A, A @ truth)
scales = np.logspace(-4, 0.5, 10)
for degree in (1, 2, 3, 4):
    rho = th.Elementwise(
        f"u**{degree} - v**{degree}",
        "u, v",
        assume={} if degree < 3 else {"u": "positive", "v": "positive"},
    )
    flow = th.GradientFlow(rho)
    errors = [np.linalg.norm(flow.limit_point(problem, {"u": a, "v": a}).x - truth) for a in scales]
    plt.loglog(scales, errors, "o-", label=f"L = {degree}")
plt.xlabel("start of u and v")
plt.ylabel("distance from the sparse truth")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# For $L = 1$ the flow is the plain gradient flow, and its limit is the $\ell_2$ one from any start.
#
# ## Design
#
# From the wanted curvature to $\rho$: $\theta = \int\sqrt{F''}\,dx$, inverted.

# %%
for hessian, interval in (("1/x", "0, oo"), ("1/(1 + x**2)", "-oo, oo"), ("1/(1 - x**2)", "-1, 1")):
    found = th.design(hessian, on=interval, given="hessian")
    print(f"F'' = {hessian:12} on ({interval}):  {found}")

# %% [markdown]
# Each comes with its certificate, and deriving the potential of what was designed leads back:

# %%
found = th.design("1/(1 + x**2)", given="hessian")
back = th.GradientFlow(found.rho).mirror({found.parameters[0]: 0})
print(back.hessian(back.closed.x))
print([str(c) for c in found.certificates])
