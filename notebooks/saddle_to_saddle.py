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
# # From saddle to saddle: deep linear networks from small starts
#
# After A. Jacot, F. Ged, F. Gabriel, B. Şimşek, C. Hongler, *Deep linear networks dynamics:
# low-rank biases induced by initialization scale and L2 regularization*, arXiv 2106.15933. The flow
# of $A_\theta = W_L\cdots W_1$ from a small start passes saddles of rank 0, 1, 2, …, one after the
# other. The figures below are measured here.

# %%
import matplotlib.pyplot as plt
import numpy as np

import theory as th
from theory.show.matrix_plot import plot_loss, plot_singular_values

rng = np.random.default_rng(7)
U, V = (np.linalg.qr(rng.standard_normal((5, 5)))[0] for _ in range(2))
sigma = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
M = U @ np.diag(sigma) @ V.T

# %% [markdown]
# ## All entries observed
#
# The plateaus are at $\frac12\sum_{i>k} s_i^2 = 15, 7, 2.5, 0.5$. For two layers they are blurred
# unless the start is tiny; for three, a start of $10^{-2}$ shows them to four digits.

# %%
levels = {k + 1: s / 2 for k, s in enumerate(sigma[:4])}


def train(depth, alpha):
    network = th.LinearNetwork([5, *[10] * (depth - 1), 5])
    return network.integrate(
        th.MatrixLoss(M), network.start(scale=alpha, seed=3), levels=levels, max_seconds=20
    )


runs = {(depth, alpha): train(depth, alpha) for depth, alpha in [(2, 1e-2), (2, 1e-6), (3, 1e-2)]}
for (depth, alpha), run in runs.items():
    plateaus = ", ".join(f"{p.loss:.4g}" for p in run.plateaus(between=True))
    print(f"L = {depth}, alpha = {alpha:g}: plateaus {plateaus}; drift {run.drift:.0e}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
plot_loss(axes[0], runs[3, 1e-2])
plot_singular_values(axes[1], runs[3, 1e-2], most=4)
plt.show()

# %% [markdown]
# ## How the times scale
#
# For $L = 2$ a start 100 times smaller costs $\ln(100)/s_k$ more until $\sigma_k$ is half of $s_k$;
# for $L = 3$ the times are inversely proportional to the start: the saddle at zero is not strict.

# %%
more = [train(2, 1e-6).crossings[k] - train(2, 1e-4).crossings[k] for k in levels]
print("L = 2, measured:", np.round(more, 3), " ln(100)/s_k:", np.round(np.log(100) / sigma[:4], 3))
deep = [[alpha * train(3, alpha).crossings[k] for k in levels] for alpha in (3e-2, 1e-2)]
print("L = 3, alpha t:", *np.round(deep, 4), sep="\n")

# %% [markdown]
# ## Some entries observed: the greedy low-rank algorithm
#
# With 75 of 100 entries of a matrix of rank 3 the plateaus are the minima over matrices of rank 1,
# 2, 3, each found from the one before: the greedy algorithm. A large start interpolates at once,
# and learns nothing about the other entries.

# %%
rng = np.random.default_rng(2)
W = rng.standard_normal((10, 3)) @ rng.standard_normal((10, 3)).T
W *= 10 / np.linalg.norm(W)
holed = np.full(100, np.nan)
seen = rng.permutation(100)[:75]
holed[seen] = W.ravel()[seen]
loss = th.MatrixLoss(holed.reshape(10, 10))
hidden = np.isnan(loss.target)


def test_error(A):
    return float(np.mean((A - W)[hidden] ** 2))


for stage in th.greedy_low_rank(loss):
    print(f"rank {stage.rank}: loss {stage.loss:.4f}, test {test_error(stage.product):.3g}")
network = th.LinearNetwork([10, 50, 50, 10])
for gamma in (3.0, 2 / 3):
    start = network.start(exponent=gamma, seed=1)
    run = network.integrate(loss, start, measure=test_error, rtol=1e-8)
    passed = ", ".join(f"{p.loss:.4f} (test {p.measured:.3f})" for p in run.plateaus())
    print(f"gamma = {gamma:.3g}: plateaus {passed or 'none'}; test {test_error(run.product):.2g}")

# %% [markdown]
# ## Where a network gets stuck
#
# A hidden layer narrower than the rank ends at the best matrix of its rank; zero, where every
# gradient vanishes, is refused as a start.

# %%
narrow = th.LinearNetwork([5, 2, 5])
stuck = narrow.integrate(th.MatrixLoss(M), narrow.start(scale=0.1))
print(stuck.message, f"loss {stuck.loss[-1]:.6f}")
try:
    narrow.integrate(th.MatrixLoss(M), np.zeros(narrow.size))
except th.TheoryError as error:
    print(error)
