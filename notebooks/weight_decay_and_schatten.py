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
# # Weight decay and Schatten norms: local minima of several ranks
#
# After A. Jacot, F. Ged, F. Gabriel, B. Şimşek, C. Hongler, arXiv 2106.15933 (version 1), and what
# follows from it. A network $A = W_L\cdots W_1$ with the penalty $\lambda\|\theta\|^2$ is a
# problem for $A$ alone with the Schatten quasi-norm $\lambda L\sum_i\sigma_i(A)^{2/L}$. The figures
# below are derived and measured here.

# %%
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import theory as th

# %% [markdown]
# ## The identity, with its proof

# %%
identity = th.networks.schatten([8, 1], 3)
print("least |theta|^2 over all products with these singular values:", identity.value)
print(identity.derivation)

# %% [markdown]
# No weights do better, and balanced ones reach it:

# %%
network = th.LinearNetwork([3, 3, 3, 3])
ratios = []
for seed in range(500):
    theta = network.start(std=1.0, seed=seed)
    norm = th.spectral.schatten_norm(network.product(theta), 2 / 3)
    ratios.append(theta @ theta / (3 * norm ** (2 / 3)))
balanced = network.start(balanced=np.diag([8.0, 1.0, 0.5]))
print(f"random weights: at least {min(ratios):.3f} times the bound")
least = 3 * (8 ** (2 / 3) + 1 + 0.5 ** (2 / 3))
print(f"balanced weights: {balanced @ balanced:.12f} = {least:.12f}")

# %% [markdown]
# ## Thresholds for every depth
#
# For $\frac12\|A - M\|^2 + \lambda\|\theta\|^2$ a singular value $s$ of $M$ has a critical point
# other than zero above one threshold, and is worth learning above another:

# %%
thresholds = th.networks.thresholds("L", "lam")
print("critical:", thresholds.critical)
print("optimal: ", thresholds.optimal)
three = th.networks.thresholds(3, sp.Rational(1, 10))
print("L = 3, lambda = 0.1:", sp.N(three.critical, 6), sp.N(three.optimal, 6))

# %% [markdown]
# ## All critical points, classified
#
# Two layers have one local minimum, which cuts off every singular value at $2\lambda$. Three layers
# have several: here one more singular value is learned than is worth it.

# %%
print(th.networks.critical_points([3, 2, 1], sp.Rational(1, 10), depth=2))
print(th.networks.critical_points([3, sp.Rational(56, 100)], sp.Rational(1, 10), depth=3))

# %% [markdown]
# Descents from 40 random starts end at these minima and nowhere else:

# %%
known = th.networks.critical_points([3, 2, 1], sp.Rational(1, 10), depth=3).local_minima
print("local minima:", ", ".join(f"{float(p.loss):.5f} (rank {p.rank})" for p in known))
loss = th.MatrixLoss(np.diag([3.0, 2.0, 1.0]))
ends = [
    network.minimize(loss, network.start(std=(1.0, 0.3)[i % 2], seed=i), weight_decay=0.1)
    for i in range(40)
]
for value in sorted({round(e.loss, 5) for e in ends}):
    print(f"{value:.5f}: {sum(round(e.loss, 5) == value for e in ends)} descents")

# %% [markdown]
# ## A local minimum may be the better one
#
# A matrix of rank one with noise: among the minima of the regularized loss, the global one has rank
# seven and fits the noise; the one of rank one has a higher loss and a third of the risk.

# %%
rng = np.random.default_rng(5)
U, V = (np.linalg.qr(rng.standard_normal((8, 8)))[0] for _ in range(2))
truth = 5 * np.outer(U[:, 0], V[:, 0])
noisy = truth + 0.25 * rng.standard_normal((8, 8))
left, s, right = np.linalg.svd(noisy)
wide = th.LinearNetwork([8] * 4)
ranks, losses, risks = range(8), [], []
for k in ranks:
    begin = wide.start(balanced=(left[:, :k] * s[:k]) @ right[:k]) if k else np.zeros(wide.size)
    end = wide.minimize(th.MatrixLoss(noisy), begin, weight_decay=0.01)
    losses.append(end.loss)
    risks.append(np.sum((end.product - truth) ** 2))
for k in ranks:
    print(f"rank {k}: loss {losses[k]:7.3f}, risk {risks[k]:7.3f}")
fig, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(ranks, losses, "o-", label="regularized loss")
axes.plot(ranks, risks, "s-", label="risk")
axes.set_yscale("log")
axes.set_xlabel("rank of the local minimum")
axes.legend()
plt.show()

# %% [markdown]
# ## Balancedness decays
#
# With weight decay the difference $W_{l+1}^TW_{l+1} - W_lW_l^T$ shrinks by exactly
# $e^{-4\lambda t}$, for every loss:

# %%
law = th.networks.balancedness("L", "lam")
print("factor:", law.factor)
start = network.start(std=0.7, seed=1)
run = network.integrate(loss, start, 5.0, weight_decay=0.1)
print(f"largest deviation from it along a run: {run.drift:.0e}")
