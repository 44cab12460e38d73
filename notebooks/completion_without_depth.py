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
# # Completion without depth
#
# After D. Zhao, *Combining explicit and implicit regularization for efficient learning in deep
# networks*, NeurIPS 2022. One layer, $W$ itself, under Adam with the penalty
# $\lambda\|W\|_*/\|W\|_F$ completes matrices as well as deep linear networks do. The figures below
# are measured here.

# %%
import matplotlib.pyplot as plt
import numpy as np

import theory as th
from theory.show.matrix_plot import plot_singular_values

rng = np.random.default_rng(0)
n, rank, seen = 30, 2, 300
U, V = rng.standard_normal((n, rank)), rng.standard_normal((n, rank))
W = U @ V.T / np.sqrt(rank)
W *= n / np.linalg.norm(W)
M = np.full(n * n, np.nan)
places = rng.permutation(n * n)[:seen]
M[places] = W.ravel()[places]
M = M.reshape(n, n)
test = np.where(np.isnan(M), W, np.nan)

# %% [markdown]
# ## Five methods

# %%
found = {
    "ratio penalty": th.complete(M, "ratio", test=test, steps=10_000, seed=1),
    "depth 3": th.complete(M, "deep", test=test, seed=1),
    "depth 2": th.complete(M, "deep", depth=2, test=test, seed=1),
    "nuclear norm": th.complete(M, "nuclear", test=test),
    "soft-impute": th.complete(M, "soft-impute", test=test),
    "row and column effects": th.complete(M, "bias", test=test),
}
for name, c in found.items():
    print(f"{name:24} test error {c.test_error**2:8.1e}   effective rank {c.effective_rank:.2f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
plot_singular_values(axes[0], found["ratio penalty"], most=4)
axes[0].set_title("one layer, ratio penalty")
plot_singular_values(axes[1], found["depth 3"], most=4)
axes[1].set_title("depth 3")
plt.show()

# %% [markdown]
# ## What each part does
#
# Without the penalty, Adam on one layer fits the observed entries and leaves the others where they
# started. With it, the gradient on the other entries is that of the penalty alone; Adam moves them
# at a speed that hardly depends on $\lambda$.

# %%
network, loss = th.LinearNetwork([n, n]), th.MatrixLoss(M, mean=True)
start = network.start(std=1e-3, seed=1)
hidden = np.isnan(M)


def error(A):
    return float(np.mean((A - W)[hidden] ** 2))


plain = network.descend(loss, start, th.optimizers.Adam(1e-2), steps=2000, measure=error)
print(f"no penalty: train {plain.loss[-1]:.0e}, test {plain.measured[-1]:.2f}")

# %% [markdown]
# ## Only with Adam?
#
# Plain gradient descent has the same stationary points. Two things about step sizes stand in its
# way: from a tiny start the first step of the penalty has the length
# $\eta\lambda\sqrt{n - R^2}/\|W\|_F$ and throws $W$ far away; and its effect after $K$ steps is
# that of a time $\eta\lambda K$, which is tiny for the usual rates. With the penalty switched on
# after 100 steps, a large rate completes the matrix as well:

# %%
penalty = th.spectral.RatioPenalty(1e-3)
options = {"penalty": penalty, "steps": 9000, "loss_tol": 0.0, "measure": error}
warm = network.descend(loss, start, 150.0, penalty_from=100, **options)
cold = network.descend(
    loss, start, 150.0, penalty=th.spectral.RatioPenalty(1e-2), steps=9000, loss_tol=0.0,
    measure=error,
)  # fmt: skip
print(f"switched on later: test {warm.measured[-1]:.1e};  from the start: {cold.measured[-1]:.1f}")

# %% [markdown]
# ## Balancedness
#
# The flow conserves $W_{l+1}^TW_{l+1} - W_lW_l^T$, whatever the penalty; Adam does not.

# %%
deep = th.LinearNetwork([n, n, n, n])
theta = deep.start(std=0.05, seed=1)
for optimizer in (th.optimizers.Adam(1e-3), th.optimizers.GroupRMSprop(1e-3)):
    run = deep.descend(loss, theta, optimizer, steps=3000)
    print(f"{optimizer.name:14} change of the balancedness {run.drift:.3f}")

# %% [markdown]
# ## Too few entries
#
# Below the number of degrees of freedom of the rank that is found, the completion says so:

# %%
import warnings

few = np.where(rng.random((n, n)) < 0.12, W, np.nan)
rows, columns = (~np.isnan(few)).any(axis=1), (~np.isnan(few)).any(axis=0)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    print(th.complete(few[np.ix_(rows, columns)], "nuclear").message)
