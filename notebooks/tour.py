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
# # A tour in five minutes
#
# A model predicts with $z = Ax$, but $x = \rho(\theta)$ is trained through its parameters. With
# fewer samples than unknowns many $x$ fit, and the gradient flow picks one of them. Which one?

# %%
import matplotlib.pyplot as plt
import mpmath
import numpy as np
import sympy as sp

import theory as th

# %% [markdown]
# ## From the formula to the regularizer
#
# The parametrization $x = u^2 - v^2$, started at $u = v = \alpha$.

# %%
u, v, x = sp.symbols("u v x", real=True)
alpha = sp.Symbol("alpha", positive=True)
flow = th.GradientFlow(th.Elementwise(u**2 - v**2, (u, v)))
print("conserved:", flow.conservation_laws())

mirror = flow.mirror(start={u: alpha, v: alpha})
mirror.gradient(x)

# %% [markdown]
# The flow of $x$ is a mirror flow with this mirror map. Its potential $F$ has its minimum at the
# start, and the limit of the flow minimizes $\sum_i F(x_i)$ over the interpolators. For a small
# start that is the $\ell_1$ norm, for a large one the $\ell_2$ norm:

# %%
print(mirror.regularizer.limit(alpha, 0))
print(mirror.regularizer.limit(alpha, sp.oo))

# %%
grid = np.linspace(-2, 2, 201)
namespace = {}
exec(mirror.to_code("numpy"), namespace)
for a in (2.0, 0.5, 0.1, 1e-6):
    y = namespace["regularizer"](grid, a)
    plt.plot(grid, y / y[-1], label=f"alpha = {a:g}")
plt.xlabel("x")
plt.ylabel("regularizer, scaled")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# All steps, with the reason for each and the status of its proof:

# %%
print(mirror.derivation)

# %% [markdown]
# ## The limit on data
#
# Ten samples, twenty unknowns, a sparse truth. The limit point is computed without integrating;
# the trajectory ends there.

# %%
rng = np.random.default_rng(0)
A = rng.normal(size=(10, 20))
truth = np.zeros(20)
truth[[3, 11]] = [1.0, -2.0]
problem = th.Regression(A, A @ truth)

start = {u: 1e-3, v: 1e-3}
limit = flow.limit_point(problem, start)
run = flow.integrate(problem, start, method="LSODA")
print(limit.message)
print("distance between trajectory and limit point:", np.abs(run.end - limit.x).max())

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.plot(run.t, run.x.T, lw=1)
left.set_xlabel("t")
left.set_ylabel("x")
right.stem(truth, linefmt="C1-", markerfmt="C1o", basefmt=" ", label="truth")
right.plot(limit.x, "kx", label="limit")
right.set_xlabel("coordinate")
right.legend(frameon=False)
plt.show()

# %% [markdown]
# The smaller the start, the closer the limit is to the sparse truth:

# %%
scales = np.logspace(-8, 1, 19)
errors = [np.linalg.norm(flow.limit_point(problem, {u: a, v: a}).x - truth) for a in scales]
plt.loglog(scales, errors, "o-")
plt.xlabel("start alpha")
plt.ylabel("distance from the truth")
plt.show()

# %% [markdown]
# ## Questions with three answers

# %%
print(th.prove("sinh(t)**2 + 1 == cosh(t)**2"))
print(th.prove("log(x**2) == 2*log(x)"))
print(th.conserved(u + v, flow))

# %% [markdown]
# ## The other way round
#
# Which parametrization has a wanted potential?

# %%
print(th.design("x*log(x) - x", on="0, oo"))
print(th.design("1/(1 + x**2)", given="hessian"))

# %% [markdown]
# ## When nothing closes
#
# For $x = uvw$ there is no closed form of the potential in $x$. The exact parametric form is there,
# and numbers to any precision.

# %%
three = th.GradientFlow(th.Elementwise("u*v*w", "u, v, w"))
general = three.mirror({"u": 1, "v": 1, "w": 2})
print("conserved:", three.conservation_laws())
print("F'(5) =", mpmath.nstr(general.value("gradient", 5, dps=40), 40))
