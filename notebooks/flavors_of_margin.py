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
# # Flavors of margin: steepest descent in homogeneous networks
#
# After N. Tsilivis, G. Vardi, J. Kempe, *Flavors of margin*, arXiv 2410.22069. Gradient, sign,
# coordinate and spectral descent are steepest descents in four norms. With an exponential loss none
# of them has a limit; each tends to a direction, and enlarges the margin in its own norm.

# %%
import matplotlib.pyplot as plt
import numpy as np

import theory as th
from theory.show.margin_plot import plot_alignment, plot_margins

# %% [markdown]
# ## What is proved
#
# With margins $q_i$ of degree $L$ in the parameters, $u = -\log\sum e^{-q_i}$ and $R = \|\theta\|$,
# the soft margin $u/R^L$ never falls once $u > 0$, in any norm.

# %%
growth = th.networks.margin_growth()
growth.derivation

# %% [markdown]
# The gap $D$ between $z = \sum\lambda_i\nabla q_i$ and a subgradient of $\frac12\|\tilde\theta\|^2$
# measures how far a point is from stationarity of the largest margin; it is
# $\|\tilde\theta\|^2(1 - \beta)$, and $\beta\to1$ along windows.

# %%
print(th.networks.stationarity())
print(th.networks.alignment())

# %% [markdown]
# Norms, duals and directions are derived, also for a norm of one's own:

# %%
norm = th.norms.formula("max(abs(x) + abs(y), 3*abs(x)/2)", "x, y")
print("dual:", norm.dual, "; direction of (2, 1):", norm.direction([2, 1]))
print("degree of v relu(w x)^2:", th.networks.homogeneity("v*max(w*x, 0)**2", "v, w").degree)

# %% [markdown]
# ## Digits
#
# 2 against 7, fifty of each, two layers of 50 ReLU units. Each step lowers $\log\ell$ by 0.1: a
# fixed rate would stop making progress, a step in proportion to $\|\theta\|$ would never settle.

# %%
task, test = th.read_samples("digits:2,7", train=50)
net = th.HomogeneousNetwork.two_layer(64, 50)
start = net.start(scale=0.1, seed=1)
runs = {
    name: net.descend(task, start, th.optimizers.Steepest(norm, loss_step=0.1), steps=6000)
    for name, norm in
    {"gradient": "l2", "sign": "linf", "coordinate": "l1", "spectral": "spectral"}.items()
}  # fmt: skip
for name, margins in th.compare_margins(runs).items():
    row = ", ".join(f"{k} {margins[k]:.3g}" for k in ("l1", "l2", "linf", "spectral"))
    accuracy = (np.sign(net.output(runs[name].theta, test.X)) == test.y).mean()
    print(f"{name:10}: {row}; test accuracy {accuracy:.3f}")

# %%
fig, axes = plt.subplots(1, 5, figsize=(17, 3.2), layout="constrained")
for place, norm in zip(axes, ("l1", "l2", "linf", "spectral"), strict=False):
    plot_margins(place, runs, norm)
plot_alignment(axes[4], runs)

# %% [markdown]
# ## A smooth flow, where all bounds hold exactly

# %%
rng = np.random.default_rng(3)
X = rng.normal(size=(10, 3))
y = np.sign(X[:, 0] + 0.5 * X[:, 1] ** 2 - 0.4)
small = th.Classification(X / np.linalg.norm(X, axis=1)[:, None], y)
smooth = th.HomogeneousNetwork.two_layer(3, 12, "max(z, 0)**2")
first = 0.7 * rng.normal(size=smooth.size)
for norm, length in (("l2", 12), ("l3", 8), ("l5/4", 20)):
    run = smooth.flow(small, first, norm, length=length, records=2000)
    b = run.bounds
    print(
        f"{norm}: margin {run.margins[norm][-1]:.5g}, 1 - beta {1 - run.beta[-1]:.3g}, "
        f"soft margin falls {run.drops} times, alignment {b.alignment:.3g} <= "
        f"{b.alignment_bound:.3g}, all bounds hold: {b.hold()}"
    )

# %% [markdown]
# ## Diagonal networks: the norm of the parameters becomes one of the predictor
#
# At depth 2 the $\ell_2$ norm of the factors is the $\ell_1$ norm of $\beta$, and $\ell_\infty$
# stays $\ell_\infty$. For $\ell_1$ it is $\ell_{1/2}$, which is not convex: coordinate descent ends
# at a stationary point that is not the largest margin.

# %%
rng = np.random.default_rng(0)
X = rng.normal(size=(12, 8))
sparse = th.Classification(X, np.sign(X @ np.array([1, -0.7, 0, 0, 0, 0, 0, 0])))
diagonal = th.HomogeneousNetwork.diagonal(8, 2)
for norm in ("l2", "linf", "l1"):
    steepest = th.optimizers.Steepest(norm, loss_step=0.02)
    run = diagonal.descend(sparse, diagonal.start(scale=0.05, seed=1), steepest, steps=20_000)
    beta = diagonal.predictor(run.theta)
    q = (sparse.signed @ beta).min()
    print(f"{norm}: margins of beta l1 {q / abs(beta).sum():.4f}, linf {q / abs(beta).max():.4f}")
    try:
        best = th.predictor_margin(sparse, 2, norm)
        print(f"    the largest in {best.norm}: {best.margin:.4f}")
    except th.TheoryError as error:
        print(f"    {error}")
