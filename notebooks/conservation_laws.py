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
# # Conservation laws: found, counted, certified
#
# A model $x = G(\theta)$ that is trained by gradient flow moves by
# $\theta' = -\sum_i g_i\nabla G_i(\theta)$, and keeps some functions of $\theta$ constant, whatever
# the data and the loss put into $g$. These laws choose the leaf on which training takes place.
# Which laws are there, and are these all?

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

import theory as th

# %% [markdown]
# ## Found, and counted from above
#
# What is found is proved: its derivative along every $\nabla G_i$ vanishes identically. How many
# there can be is D minus the rank of the Lie algebra of these fields, and the rank is bounded from
# below exactly. Where the two meet, the list is complete.

# %%
flow = th.GradientFlow(th.Coupled(["u*v", "u*w"], "u, v, w"))
laws = flow.conservation_laws()
print(laws)

# %%
network = th.networks.linear(3, 2, 2)
laws = th.GradientFlow(network).conservation_laws()
for law in laws.found:
    print(law)
print(f"D = {len(network.parameters)}, bound {laws.upper_bound}, complete: {laws.complete}")

# %% [markdown]
# The ranks with brackets up to order 0, 1, ... are part of the certificate. Linear networks need
# brackets; for ReLU networks, through the products of weights along their paths, the Jacobian alone
# is enough.

# %%
cases = (th.networks.linear(5, 5, 4, 4, 5), th.networks.relu(9, 7, 2, bias=True))
for model in cases:
    found = th.GradientFlow(model).conservation_laws()
    print(f"{model}: {found.count} laws, ranks {found.certificate['ranks']}")

# %% [markdown]
# A certificate is plain JSON, and replays without any search. A changed one is rejected.

# %%
record = json.loads(json.dumps(laws.certificate))
print(th.replay_laws(network, record).complete)
record["laws"][0]["terms"][0][0] += 1
try:
    th.replay_laws(network, record)
except th.TheoryError as error:
    print("rejected:", error)

# %% [markdown]
# ## Not everything has closed laws, and nothing is claimed then
#
# A generic polynomial in five parameters has four laws, and none of degree up to 4. The answer says
# how many there can be, not that there are none.

# %%
x = sp.symbols("x1:6", real=True)
rng = np.random.default_rng(0)
generic = sum(
    int(rng.integers(1, 20)) * sp.Mul(*(s ** int(k) for s, k in zip(x, rng.integers(0, 3, 5))))
    for _ in range(8)
)
print(generic)
print(th.GradientFlow(th.Coupled([generic], x)).conservation_laws(degree=4))

# %% [markdown]
# Other functions than polynomials: give the ones to combine.

# %%
tanh = th.GradientFlow(th.Coupled(["a*tanh(w)"], "a, w"))
print(tanh.conservation_laws())
print(tanh.conservation_laws(ansatz=["a**2", "sinh(w)**2"]))
print(th.conserved("a**2 - sinh(w)**2", tanh))
print(th.conserved("a**2 - w**2", tanh))

# %% [markdown]
# ## All data sets, or the given one
#
# One sample sees one combination of the outputs, and more is conserved on it.

# %%
print(flow.conservation_laws())
print(flow.conservation_laws(data=[[1, 2]]))
print(th.conserved("2*v - w", flow, data=[[1, 2]]).status, th.conserved("2*v - w", flow).status)

# %% [markdown]
# ## Balanced matrices of all sizes
#
# With symbols as sizes the laws are found in the algebra of words of matrices.

# %%
for model in (th.networks.linear("n", "r", "s", "m"), th.networks.attention("d", "k")):
    print(model)
    for law in th.networks.matrix_laws(model):
        print("   ", law)

# %% [markdown]
# ## Momentum and weight decay
#
# Friction takes the balanced matrices away, and what is left is angular momentum, which decays like
# $e^{-\tau t}$. Weight decay keeps the balanced matrices, which shrink like $e^{-2\lambda t}$.

# %%
wide = th.GradientFlow(th.networks.linear(1, 2, 1))
print(wide.conservation_laws())
print(wide.conservation_laws(momentum=1))
print(th.GradientFlow(th.networks.relu(2, 2, 1)).conservation_laws(momentum=1))
decay = wide.conservation_laws(weight_decay=sp.Symbol("lambda", positive=True))
for function, factor in decay.decaying:
    print(f"{function} shrinks like one over {factor}")

# %% [markdown]
# ## Along trajectories
#
# The laws of a linear network on random data, integrated with a tight and with a loose tolerance:
# the drift is the error of the solver. A function that is no law moves at once. Gradient descent
# with a finite step keeps the laws up to its step only.

# %%
theta = network.parameters
jacobian = sp.lambdify([theta], network.jacobian())
outputs = sp.lambdify([theta], network.components)
values = sp.lambdify([theta], laws.found)
rng = np.random.default_rng(0)
A, y = rng.normal(size=(3, 6)), rng.normal(size=3)
start = rng.normal(size=len(theta))


def slope(state):
    residual = A.T @ (A @ np.array(outputs(state)) - y)
    return -np.array(jacobian(state)).T @ residual


def drift(states):
    constants = np.array([values(s) for s in states])
    return np.abs(constants - constants[0]).max(axis=1) + 1e-17


time = np.linspace(0, 4, 81)
for rtol in (1e-4, 1e-7, 1e-11):
    run = solve_ivp(lambda t, s: slope(s), (0, 4), start, t_eval=time, rtol=rtol, atol=rtol / 100)
    plt.semilogy(run.t[1:], drift(run.y.T)[1:], label=f"gradient flow, rtol = {rtol:g}")
wrong = np.abs(run.y[0] ** 2 - run.y[0, 0] ** 2)
plt.semilogy(run.t[1:], wrong[1:] + 1e-17, ":", label="no law: one weight squared")
step = 0.01
states = [start]
for _ in range(400):
    states.append(states[-1] + step * slope(states[-1]))
plt.semilogy(np.arange(1, 401) * step, drift(states)[1:], "--", label=f"descent, step {step}")
plt.xlabel("t")
plt.ylabel("largest change of a law")
plt.legend(frameon=False, fontsize="small")
plt.show()

# %% [markdown]
# `theory laws --network linear:3,2,2` prints the same on the command line, and
# `theory check marcotte2023` compares the counts of a hundred networks with the literature.
