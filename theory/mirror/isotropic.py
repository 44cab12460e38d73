r"""Time-warped mirror flows of isotropic metrics, in every dimension at once.

Let $w' = -(a(s)\,I + b(s)\,ww^T)\nabla_w$ with $s = \|w\|^2$, and let $x_i = w_i^L$ be read off
entry by entry. Then $x' = -M\nabla_x$ has a warp and a potential for every dimension d, and both
come from scalar quadratures. With $\kappa = 2 - L$ and the inverse metric
$I/a + \beta\,ww^T$, the off-diagonal entries of $\nabla^2 F = cM^{-1}$ say
$\theta_i = w_i^\kappa B(s)/L + f(w_i)$ with $B' = c\beta/2$, and the diagonal ones
$\kappa B + L w^{L-1} f' = c/a$: hence $\log(c/a)' = \kappa a\beta/2$.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from theory.errors import AssumptionError, FormulaError, NotClosedForm
from theory.exact.antiderivative import antiderivative
from theory.exact.initial_data import read_exact
from theory.exact.inverse import inverse
from theory.exact.signs import sign_on
from theory.exact.verdict import Certificate, Status, Verdict
from theory.exact.zero import is_zero
from theory.mirror.warp import exponential

__all__ = ["IsotropicMetric", "PowerWarp", "power_warp"]


@dataclass(frozen=True)
class IsotropicMetric:
    r"""The matrix $a(s)\,I + b(s)\,ww^T$ with $s = \|w\|^2$, of any size.

    Parameters
    ----------
    a, b : sympy.Expr
        Functions of s alone; other symbols are constants.
    s : sympy.Symbol
        The squared norm, a positive symbol.

    Examples
    --------
    >>> s = sp.Symbol("s", positive=True)
    >>> projection = IsotropicMetric(sp.S.One, -1 / s, s)
    >>> (projection @ projection).b
    -1/s
    """

    a: sp.Expr
    b: sp.Expr
    s: sp.Symbol

    def __matmul__(self, other: IsotropicMetric) -> IsotropicMetric:
        # (a + b w w^T)(a' + b' w w^T), with w^T w = s
        cross = self.a * other.b + self.b * other.a + self.b * other.b * self.s
        return IsotropicMetric(sp.cancel(self.a * other.a), sp.cancel(cross), self.s)

    def __add__(self, other: IsotropicMetric) -> IsotropicMetric:
        return IsotropicMetric(sp.cancel(self.a + other.a), sp.cancel(self.b + other.b), self.s)

    def scaled(self, factor: sp.Expr) -> IsotropicMetric:
        """The matrix times a scalar."""
        return IsotropicMetric(sp.cancel(factor * self.a), sp.cancel(factor * self.b), self.s)

    @property
    def along(self) -> sp.Expr:
        """The eigenvalue in the direction of w; a is the one across."""
        return sp.cancel(self.a + self.b * self.s)

    def inverse(self) -> IsotropicMetric:
        """The inverse matrix."""
        return IsotropicMetric(
            sp.cancel(1 / self.a), sp.cancel(-self.b / (self.a * self.along)), self.s
        )

    def warp(self, depth: sp.Expr = sp.S.One) -> PowerWarp:
        """The time-warped mirror flow of the powers of w, of w itself unless given.

        Examples
        --------
        Two layers, x = a w with a^2 - |w|^2 = 1, in every dimension:

        >>> s = sp.Symbol("s", positive=True)
        >>> a2 = (1 + sp.sqrt(1 + 4 * s)) / 2
        >>> found = IsotropicMetric(a2, 1 / a2, s).warp()
        >>> found.dual, found.proved
        (w/sqrt(sqrt(4*s + 1) + 1), True)
        """
        return power_warp(self, read_exact(depth, "depth"))

    def is_positive(self) -> Verdict:
        """Whether the matrix is positive definite for all s > 0."""
        for name, e in (("across", self.a), ("along", self.along)):
            sign = sign_on(e)
            if sign != 1:
                return Verdict(
                    Status.UNDECIDED, f"cannot decide the sign of the eigenvalue {e} {name} w"
                )
        return Verdict(Status.PROVED, f"its eigenvalues {self.a} and {self.along} are positive")


@dataclass(frozen=True)
class PowerWarp:
    r"""The time-warped mirror flow of $x_i = w_i^L$ under an isotropic metric of w.

    Parameters
    ----------
    metric : IsotropicMetric
        Of w.
    depth : sympy.Expr
        The exponent L.
    w : sympy.Symbol
        One entry of w, positive.
    warp : sympy.Expr
        $c(s)$, with $\nabla^2 F = c\,M^{-1}$.
    radial : sympy.Expr
        $B(s)$.
    dual : sympy.Expr
        One entry of $\nabla F$, as a function of its w and of s.
    potential : tuple of sympy.Expr or None
        $(\Phi(s), \varphi(w))$ with $F = \Phi(s) + \sum_i\varphi(w_i)$, when it closes.
    total : sympy.Expr
        $T(s)$, equal to $\sum_i q_i^2$ with $q_i$ a function of the dual variable.
    certificates : tuple of Certificate
        Identities in $w_i$, $w_j$ and s, hence for every dimension.
    """

    metric: IsotropicMetric
    depth: sp.Expr
    w: sp.Symbol
    warp: sp.Expr
    radial: sp.Expr
    dual: sp.Expr
    potential: tuple[sp.Expr, sp.Expr] | None
    total: sp.Expr
    certificates: tuple[Certificate, ...]

    @property
    def s(self) -> sp.Symbol:
        """The symbol of the squared norm."""
        return self.metric.s

    @property
    def proved(self) -> bool:
        """Whether every certificate is a proof."""
        return all(c.proved for c in self.certificates)

    def closed_potential(self) -> tuple[sp.Expr, sp.Expr]:
        r"""The pair $(\Phi, \varphi)$ of the potential.

        Raises
        ------
        NotClosedForm
            When the quadrature does not close.
        """
        if self.potential is None:
            raise NotClosedForm(
                f"The integral of {self.radial} over {self.s} was not found in closed form; the "
                "mirror map is, and the potential is its line integral."
            )
        return self.potential

    def conjugate(self) -> sp.Expr:
        r"""$F^* = \langle x, \nabla F\rangle - F$ as a function of s."""
        phi, _ = self.closed_potential()
        product = self.s * self.radial / self.depth
        if self.depth == 2:
            # sum_i w_i^2 (log w_i - (log w_i - 1/2)) is left of the separable part
            product += self.s / 2
        return product - phi

    def q(self, theta: sp.Expr) -> sp.Expr:
        r"""$q_i$ of one dual variable: $w_i = q_i\sqrt{s/T}$ and $T = \sum_i q_i^2$."""
        return _q(theta, self.depth)

    def norm_of(self, total: sp.Symbol) -> sp.Expr:
        """The squared norm s as a function of T, certified.

        Raises
        ------
        NotClosedForm
            When the equation for s does not close.
        """
        found = inverse(self.total, self.s, total)
        if found is None or not found.certificate.proved:
            raise NotClosedForm(f"{self.total} = T was not solved for {self.s} in closed form.")
        return found.expression

    def magnification(self, start: sp.Expr, end: sp.Expr) -> sp.Expr:
        r"""$\rho$ between two values of s: the flow $w' = -\nabla_w$ from $w_0/\rho$ ends alike.

        Both flows move their dual variable in the range of $A^T$; that of the plain flow is
        $w^\kappa/(L\kappa)$, so the limits agree when
        $w_0^\kappa B(s_0) = (w_0/\rho)^\kappa B(s_\infty)$.
        """
        first, last = (self.radial.xreplace({self.s: v}) for v in (start, end))
        if self.depth == 2:
            return sp.exp((last - first) / 2)
        # term by term: the root of a product of powers is not taken for a symbolic depth
        logarithm = sp.expand_log(sp.log(last / first), force=True)
        return exponential(sp.Add(*(sp.factor(t / (2 - self.depth)) for t in _terms(logarithm))))


def _terms(e: sp.Expr) -> list[sp.Expr]:
    """The sum by its logarithms, and by what has none."""
    logs = sorted(e.atoms(sp.log), key=sp.default_sort_key)
    collected = sp.collect(sp.expand(e), logs, evaluate=False)
    return [k * sp.factor(v) for k, v in collected.items()]


def _integral(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """An antiderivative that is proved; a power times an exponential by the gamma function."""
    if f == 0:
        return sp.S.Zero
    candidate = _power_exponential(f, s)
    if candidate is not None and is_zero(sp.diff(candidate, s) - f).proved:
        return candidate
    found = antiderivative(f, s)
    if found is None or any(
        p.base.is_negative and not p.exp.is_integer for p in found.expression.atoms(sp.Pow)
    ):
        # a root of -1 is left in it
        return None
    return found.expression


def _power_exponential(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    r"""$\int C s^n e^{-ks}ds = -C k^{-n-1}\Gamma(n+1, ks)$; erfi for n = -1/2 and k < 0."""
    f = sp.powsimp(sp.expand_power_base(f))
    exponentials = [a for a in sp.Mul.make_args(f) if isinstance(a, sp.exp) and a.has(s)]
    if len(exponentials) != 1:
        return None
    (e,) = exponentials
    k = sp.cancel(-e.args[0] / s)
    rest = f / e
    n = sp.cancel(s * sp.diff(rest, s) / rest)
    if k.has(s) or n.has(s):
        return None
    coefficient = sp.powsimp(rest / s**n)
    if k.is_positive:
        # the upper function: the lower one saturates where exp(-k s) is small
        gamma = sp.expand_func(sp.uppergamma(n + 1, k * s))
        return -coefficient * k ** (-n - 1) * gamma
    if k.is_negative and n == sp.Rational(-1, 2):
        return coefficient * sp.sqrt(sp.pi / -k) * sp.erfi(sp.sqrt(-k * s))
    return None


@lru_cache(maxsize=32)
def power_warp(metric: IsotropicMetric, depth: sp.Expr) -> PowerWarp:
    r"""Derive warp, mirror map and potential of $x_i = w_i^L$ with $w' = -(aI + b\,ww^T)\nabla_w$.

    Parameters
    ----------
    metric : IsotropicMetric
    depth : sympy.Expr
        L, a positive number or symbol; for a symbol the sign of L - 2 must be known.

    Raises
    ------
    AssumptionError
        When the sign of L - 2, or that of an eigenvalue, cannot be decided.
    NotClosedForm
        When the warp is not found in closed form.

    Examples
    --------
    The metric $I$ itself, in x: no warp is needed.

    >>> s = sp.Symbol("s", positive=True)
    >>> plain = power_warp(IsotropicMetric(sp.S.One, sp.S.Zero, s), sp.S.One)
    >>> plain.warp, plain.dual, plain.proved
    (1, w, True)
    """
    s = metric.s
    free = (metric.a.free_symbols | metric.b.free_symbols | depth.free_symbols) - {s}
    w, v = _fresh("w", free), sp.Dummy("v", positive=True)
    kappa = 2 - depth
    if depth.is_positive is not True or (kappa.is_positive is None and kappa != 0):
        raise AssumptionError(
            f"Cannot decide whether the depth {depth} is above, equal to or below 2; give a "
            "positive number, or a symbol with an interval such as '(2, oo)'."
        )
    positive = metric.is_positive()
    if not positive.proved:
        raise AssumptionError(f"The metric is not known to be positive: {positive.method}.")
    dual_metric = metric.inverse()
    slope = sp.cancel(kappa * metric.a * dual_metric.b / 2)
    exponent = _integral(slope, s)
    if exponent is None:
        raise NotClosedForm(f"The integral of {slope} over {s}, the logarithm of the warp.")
    ratio = depth * exponential(exponent)
    warp = sp.powsimp(metric.a * ratio)
    if kappa == 0:
        found = _integral(sp.cancel(warp * dual_metric.b / 2), s)
        if found is None:
            raise NotClosedForm(f"The integral of {warp * dual_metric.b / 2} over {s}.")
        radial, separable = found, sp.log(w)
        total = s * exponential(radial)
    else:
        radial, separable = ratio / kappa, sp.S.Zero
        sign = 1 if kappa.is_positive else -1
        logarithm = exponent + sp.log(sign / kappa)
        total = s * exponential(sp.expand(2 / kappa * logarithm))
    dual = sp.powsimp(w**kappa * radial / depth + separable)
    phi = _integral(radial / 2, s)
    term = (w**2 * sp.log(w) - w**2 / 2) if kappa == 0 else sp.S.Zero
    potential = None if phi is None else (phi, term)
    rho = w**depth
    slope_w = sp.diff(rho, w)
    ds = sp.diff(dual, s)
    checks = [
        (
            "(a I + b w w^T)(I/a + beta w w^T) = I",
            metric.a * dual_metric.b + metric.b / metric.a + metric.b * dual_metric.b * s,
        ),
        (
            "d theta_i/d w_j = c (M_w^{-1})_ij/rho'(w_i) for i != j",
            2 * v * ds - warp * dual_metric.b * w * v / slope_w,
        ),
        (
            "d theta_i/d w_i = c (M_w^{-1})_ii/rho'(w_i)",
            sp.diff(dual, w) + 2 * w * ds - warp * (1 / metric.a + dual_metric.b * w**2) / slope_w,
        ),
    ]
    if phi is not None:
        checks.append(
            (
                "dF/d w_i = theta_i rho'(w_i)",
                2 * w * sp.diff(phi, s) + sp.diff(term, w) - dual * slope_w,
            )
        )
    # T as a function of the dual variable: T q_i^-2 w_i^2 = s
    checks.append(
        (
            "q_i^2 s = w_i^2 T",
            _q(sp.expand(dual) if kappa == 0 else dual, depth) ** 2 * s - w**2 * total,
        )
    )
    certificates = [Certificate(claim, is_zero(e), "quadrature") for claim, e in checks]
    certificates.append(
        Certificate("M and c are positive, so F is strictly convex", positive, "eigenvalues")
    )
    return PowerWarp(metric, depth, w, warp, radial, dual, potential, total, tuple(certificates))


def _q(theta: sp.Expr, depth: sp.Expr) -> sp.Expr:
    if depth == 2:
        return sp.exp(theta)
    kappa = 2 - depth
    return sp.Pow((1 if kappa.is_positive else -1) * theta, 1 / kappa)


def _fresh(name: str, taken: set[sp.Symbol]) -> sp.Symbol:
    if any(t.name == name for t in taken):
        raise FormulaError(f"The symbol {name} stands for an entry of w; rename the constant.")
    return sp.Symbol(name, positive=True)
