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
# # Weight normalization: a sparse bias without a tiny start
#
# After H.-H. Chou, H. Rauhut, R. Ward, *Robust implicit regularization via weight normalization*,
# arXiv 2305.05448. The diagonal linear network $x = w^L$ (entry by entry) is trained in polar
# coordinates $w = r\,u/\|u\|$, with the rate $\eta$ for the radius and 1 for the direction. The
# formulas and figures below are derived here, not quoted.

# %%
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp

import theory as th

x, y = sp.symbols("x y", positive=True)

# %% [markdown]
# ## Derivation
#
# $\|u\|$ stays constant, and in $w$ the metric is isotropic: $r^2$ across $w$, $\eta$ along it.
# That is no mirror flow, but a time-warped one, $\frac{d}{dt}\nabla F(x) = -c(x)\nabla_x$, for
# every depth and every dimension. Each identity behind it is proved:

# %%
flow = th.WeightNormalization(2)
print("c       =", flow.warp([x, y]))
print("grad F  =", flow.gradient([x, y])[0])
print("F       =", flow.potential([x, y]))
for certificate in flow.certificates:
    print(certificate)

# %% [markdown]
# A second route, by differentiation in $r$ and $u$ with any norm of $u$, and a third, where the
# structure is found from the formulas alone:

# %%
print(*flow.verify(2), sep="\n")
components, parameters, rates = th.WeightNormalization(2, eta=sp.Rational(1, 2)).coordinates(2)
polar = th.GradientFlow(th.Coupled(components, parameters, rates=rates))
print(polar.structure({"r": 2, "u1": 1, "u2": 3}, seconds=1).kind)

# %% [markdown]
# For $L > 2$ the potential is an incomplete gamma function of $s = \sum_j x_j^{2/L}$ alone; two
# radii, one for each sign of $x$, have no potential at all:

# %%
print(th.WeightNormalization(4, eta=1).potential([x, y]))
components, parameters, rates = th.WeightNormalization(
    2, eta=sp.Rational(1, 2), signed="blockwise"
).coordinates(2)
two_radii = th.GradientFlow(th.Coupled(components, parameters, rates=rates))
print(two_radii.structure({s: k + 1 for k, s in enumerate(parameters)}).kind)

# %% [markdown]
# ## Invariants
#
# Along a trajectory $\langle b, \nabla F(x)\rangle$ is constant for every $b$ in the kernel of $A$.

# %%
A = np.array([[1, 2, -1, 0.5], [0, 1, 1, -2]])
problem, w0 = th.Regression(A, [1.3, 0.1]), np.array([0.3, 0.4, 0.5, 0.2])
eta = 0.5
run = th.WeightNormalization(2, eta=eta).integrate(problem, w0, 20.0, rtol=1e-11)
theta = np.log(run.u) + run.r**2 / (2 * eta)
kernel = np.linalg.svd(A)[2][2:]
moved = np.abs(theta - theta[:, :1])
drift = np.abs(kernel @ (theta - theta[:, :1]))
print(f"largest change of theta {moved.max():.3f}, of its part in ker A {drift.max():.1e}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.plot(run.t, run.x.T)
left.plot(run.t, run.r, "k--", label="r")
left.set(xlabel="t", ylabel="entries of x", xlim=(0, 4))
left.legend()
right.semilogy(run.t[1:], np.linalg.norm(moved, axis=0)[1:], label=r"$\theta - \theta_0$")
right.semilogy(run.t[1:], drift.max(axis=0)[1:] + 1e-17, label="its part in ker A")
right.set(xlabel="t")
right.legend()
figure.tight_layout()

# %% [markdown]
# ## Magnification
#
# The limit from $w_0$ is the limit of the flow *without* normalization from $w_0/\rho$:

# %%
s0, s1 = sp.symbols("s0 s1", positive=True)
print("rho =", flow.magnification(s0, s1), "  with s = r^2 at the start and at the end")
normalized = th.WeightNormalization(2, eta=0.3)
limit = normalized.limit_point(problem, w0)
plain = normalized.plain.limit_point(problem, {"u": w0 / limit.magnification})
print("rho", limit.magnification, "distance of the limits", np.abs(limit.x - plain.x).max())

# %% [markdown]
# ## Error against the scale of the start
#
# A sparse $x^*\ge0$ with 3 of 40 entries from 15 Gaussian samples. Without normalization the error
# falls like a power of the start. With it the start hardly matters as long as $\|x_0\|_1$ is below
# $\|x^*\|_1$, here up to $w_0 = 0.29$ (dotted): the error is set by $\eta$. A smaller start does
# not help, a smaller $\eta$ does.


# %%
def gaussian(nonzero, rows, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rows, 40)) / np.sqrt(rows)
    truth = np.zeros(40)
    support = rng.choice(40, nonzero, replace=False)
    truth[support] = rng.uniform(0.5, 1.5, nonzero)
    return th.Regression(matrix, matrix @ truth), truth


def error(found, truth):
    return np.linalg.norm(found - truth) / np.linalg.norm(truth)


sparse, truth = gaussian(3, 15, 0)
scales = np.array([1e-3, 1e-2, 0.05, 0.1, 0.15, 0.2, 0.25, 0.29, 0.35, 0.5])
figure, axes = plt.subplots(figsize=(6, 3.6))
models = {None: "no normalization", 1.0: "eta = 1", 0.3: "eta = 0.3", 0.1: "eta = 0.1"}
for rate, label in models.items():
    model = th.WeightNormalization(2, eta=rate)
    if rate is None:
        plain_flow = model.plain
        found = [plain_flow.limit_point(sparse, {"u": a}).x for a in scales]
    else:
        found = [model.limit_point(sparse, a).x for a in scales]
    axes.loglog(scales, [max(error(f, truth), 1e-12) for f in found], "o-", label=label)
axes.axvline(np.sqrt(truth.sum() / 40), color="gray", linestyle=":")
axes.set(xlabel="start of every weight", ylabel="relative error of the limit")
axes.legend()
figure.tight_layout()

# %% [markdown]
# The bound that is known before the run, for a start inside the window:

# %%
model = th.WeightNormalization(2, eta=0.1)
bounds = model.excess_bounds(truth, 0.1)
excess = model.limit_point(sparse, 0.1).x.sum() - bounds.least
print(
    f"excess of the l1 norm {excess:.2e}, bound {bounds.normalized:.2e}, plain {bounds.plain:.2e}"
)

# %% [markdown]
# ## Recovery against sparsity
#
# Twenty samples, six problems for each number of nonzeros, all from the start $w_0 = 0.1$:

# %%
counts = (1, 4, 7, 10, 13)
shares = {rate: [] for rate in (0.1, 0.3, 1.0)}
for nonzero in counts:
    problems = [gaussian(nonzero, 20, 1000 * nonzero + trial) for trial in range(6)]
    for rate, share in shares.items():
        model = th.WeightNormalization(2, eta=rate)
        solved = [error(model.limit_point(p, 0.1).x, t) < 1e-2 for p, t in problems]
        share.append(np.mean(solved))
figure, axes = plt.subplots(figsize=(6, 3.2))
for rate, share in shares.items():
    axes.plot(counts, share, "o-", label=f"eta = {rate}")
axes.set(xlabel="nonzero entries", ylabel="share recovered to 1 %")
axes.legend()
figure.tight_layout()

# %% [markdown]
# ## The trap
#
# The radius can run into zero, and there the flow stays, for an open set of starts. For
# $A = (1, -2)$ and $y = 1$ it does when $\|x_0\|_1 < \kappa\eta$, where $\kappa$ is the divergence
# $\mathrm{KL}$ of the kernel's direction $(2/3, 1/3)$ from the start's:

# %%
kappa = np.log(2) + 2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)
trap = th.Regression([[1.0, -2.0]], [1.0])
model = th.WeightNormalization(2, eta=1)
figure, axes = plt.subplots(figsize=(6, 3.2))
for size in (0.05, 0.056, 0.0575, 0.07):
    start = np.sqrt(size / 2)
    limit = model.limit_point(trap, start)
    run = model.integrate(trap, start, 400.0)
    axes.semilogy(run.t, run.r, label=f"start {size}")
    print(f"start {size}: trapped {limit.trapped}, limit {limit.x.round(5)}")
print(f"kappa = {kappa:.7f}")
axes.set(xlabel="t", ylabel="r")
axes.legend()
figure.tight_layout()
