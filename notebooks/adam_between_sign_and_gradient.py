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
# # Adam between sign and gradient descent
#
# After N. Tsilivis, G. Vardi, J. Kempe, *Flavors of margin*, arXiv 2410.22069. Without memory and
# with $\epsilon = 0$ a step of Adam is one of sign descent; with $\epsilon$ far above the gradients
# it is one of gradient descent with momentum. So its margins lie between the two, and as the
# gradients fall below $\epsilon$ it goes over from one to the other.

# %%
import matplotlib.pyplot as plt
import numpy as np

import theory as th
from theory.show.margin_plot import plot_margins

task, _ = th.read_samples("digits:2,7", train=50)
net = th.HomogeneousNetwork.two_layer(64, 50)
start = net.start(scale=0.1, seed=1)
steepest = th.optimizers.Steepest

# %%
adam = {
    epsilon: net.descend(task, start, th.optimizers.Adam(rate, epsilon=epsilon), steps=steps)
    for epsilon, rate, steps in
    [(1e-8, 1e-3, 1500), (1e-2, 1e-3, 15_000), (10.0, 0.1, 15_000), (100.0, 0.1, 15_000)]
}  # fmt: skip
runs = {
    "sign": net.descend(task, start, steepest("linf", loss_step=0.02), steps=800),
    **{rf"Adam, $\epsilon$ = {e:g}": run for e, run in adam.items()},
    "gradient": net.descend(task, start, steepest("l2", loss_step=0.1), steps=120),
}
for name, run in runs.items():
    linf, l2 = (run.margins[norm][-1] for norm in ("linf", "l2"))
    print(f"{name:26} -log loss {run.log_loss[-1]:5.2f}: margins linf {linf:5.1f}, l2 {l2:.3f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
plot_margins(axes[0], runs, "linf")
plot_margins(axes[1], runs, "l2")

# %% [markdown]
# Exactly sign descent, without memory:

# %%
bare = net.descend(task, start, th.optimizers.Adam(1e-3, 0.0, 0.0, 1e-30), steps=300)
sign = net.descend(task, start, steepest("linf", rate=1e-3), steps=300)
print("largest difference of a parameter:", np.abs(bare.theta - sign.theta).max())

# %% [markdown]
# Squares of gradients below $10^{-154}$ underflow in double precision, so that Adam stops long
# before steepest descent does, whose steps follow the logarithm of the loss; the run says so.

# %%
linear = th.HomogeneousNetwork.linear(2)
two = th.Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
print(linear.descend(two, [500.0, 0.0], th.optimizers.Adam(1.0), steps=100).message)
print(linear.descend(two, [500.0, 0.0], steepest("l2", loss_step=1.0), steps=10_000).message)
