r"""Losses $\ell(\mu, y)$ of one sample: a prediction $\mu$ against a target $y$.

Most losses act on the mean $\mu = h(z)$. The margin losses for labels $y = \pm 1$ act on the linear
predictor $z$ itself; they have no finite minimizer, and are told apart by `Loss.on`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sympy as sp

from theory.errors import AssumptionError, DomainError, FormulaError
from theory.exact.assumptions import declare
from theory.exact.balls import sign_of_number
from theory.exact.parsing import parse
from theory.exact.signs import sign_on
from theory.exact.verdict import Status, Verdict
from theory.flow.links import MEAN, PREDICTOR, Link, exact_number

__all__ = [
    "NAMES",
    "TARGET",
    "Loss",
    "Targets",
    "cross_entropy",
    "custom",
    "exponential",
    "huber",
    "log_cosh",
    "logistic",
    "poisson",
    "quartic",
    "squared",
]

TARGET = sp.Symbol("y", real=True)
"""The symbol of the target."""

NAMES = (
    "squared", "cross_entropy", "logistic", "exponential", "poisson", "log_cosh", "huber",
    "quartic",
)  # fmt: skip
"""The builders that need no argument."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets that a loss accepts: an interval, or finitely many labels.

    Examples
    --------
    >>> print(Targets(sp.S.Zero, sp.oo, closed=(True, False)))
    [0, oo)
    >>> Targets.labels(-1, 1).contains(0)
    False
    """

    lower: sp.Expr
    upper: sp.Expr
    closed: tuple[bool, bool] = (False, False)
    values: tuple[sp.Expr, ...] | None = None

    @classmethod
    def labels(cls, *values: int) -> Targets:
        """Finitely many labels."""
        labels = tuple(sorted(sp.Integer(v) for v in values))
        return cls(labels[0], labels[-1], (True, True), labels)

    def contains(self, target: sp.Expr | float | str) -> bool | None:
        """Whether a number is a target; None when it cannot be decided."""
        value = exact_number(target)
        if self.values is not None:
            return value in self.values if value.is_number else None
        for end, closed, direction in (
            (self.lower, self.closed[0], 1),
            (self.upper, self.closed[1], -1),
        ):
            if end in (sp.oo, -sp.oo):
                continue
            gap = direction * (value - end)
            sign = 0 if gap == 0 else sign_of_number(gap) if gap.is_number else sign_on(gap)
            if sign is None:
                return None
            if sign < 0 or (sign == 0 and not closed):
                return False
        return True

    def __str__(self) -> str:
        if self.values is not None:
            return "{" + ", ".join(str(v) for v in self.values) + "}"
        left, right = "[" if self.closed[0] else "(", "]" if self.closed[1] else ")"
        return f"{left}{self.lower}, {self.upper}{right}"


REALS = Targets(-sp.oo, sp.oo)


@dataclass(frozen=True)
class Loss:
    r"""A loss $\ell(\mu, y)$ of one sample.

    Made by the builders of this module; `custom` takes any formula.

    Parameters
    ----------
    name : str
    formula : sympy.Expr
        In the symbols `prediction` and `target`; other symbols are constants.
    prediction, target : sympy.Symbol
    on : {"mean", "predictor"}
        Whether the prediction is the mean $\mu = h(z)$ or the linear predictor $z$.
    targets : Targets
        The targets that the loss is made for.
    domain : pair of sympy.Expr
        The open interval of predictions on which the loss is finite.
    best : sympy.Expr or None
        The prediction that minimizes the loss, in `target`; None when there is none, or it is not
        known.
    weight : sympy.Expr or None
        The positive $w$ of $\partial_\mu\ell = (\mu - y)\,w$, where it is simple.
    slope : sympy.Expr or None
        $\partial_\mu\ell$ in a form that does not overflow, where SymPy's is not one.

    Examples
    --------
    >>> loss = cross_entropy()
    >>> loss.derivative()
    (1 - y)/(1 - mu) - y/mu
    >>> print(loss.targets, "|", loss.minimizer)
    [0, 1] | mu = y
    """

    name: str
    formula: sp.Expr
    prediction: sp.Symbol = MEAN
    target: sp.Symbol = TARGET
    on: Literal["mean", "predictor"] = "mean"
    targets: Targets = REALS
    domain: tuple[sp.Expr, sp.Expr] = (-sp.oo, sp.oo)
    best: sp.Expr | None = None
    weight: sp.Expr | None = None
    slope: sp.Expr | None = None

    @property
    def minimizer(self) -> str:
        """Where the loss of one sample is smallest, in words."""
        if self.best is not None:
            return f"{self.prediction} = {self.best}"
        if self.on == "predictor" and self.targets.values is not None:
            return "none: the loss decreases as y*z tends to infinity"
        return "not known"

    def derivative(self) -> sp.Expr:
        r"""The derivative $\partial\ell/\partial\mu$ in the prediction.

        Examples
        --------
        >>> huber(2).derivative()
        Max(-2, Min(2, mu - y))
        """
        return _derivative(self) if self.slope is None else self.slope

    def at_predictor(self, link: Link) -> sp.Expr:
        r"""$q(z) = \ell(h(z), y)$ in the symbol `theory.flow.links.PREDICTOR`.

        Examples
        --------
        >>> from theory.flow import links
        >>> poisson().at_predictor(links.exp())
        -y*z + exp(z)
        """
        value = PREDICTOR if self.on == "predictor" else link.formula
        return self.formula.xreplace({self.prediction: value})

    def gradient_in_predictor(self, link: Link) -> sp.Expr:
        r"""$q'(z) = \partial_\mu\ell(h(z), y)\,h'(z)$, simplified.

        Where the slope of the link is a simple function of the mean, the product is reduced as a
        function of the mean first: the canonical pairs give $h(z) - y$.

        Examples
        --------
        >>> from theory.flow import links
        >>> cross_entropy().gradient_in_predictor(links.logistic())
        -y + 1/(1 + exp(-z))
        >>> squared().gradient_in_predictor(links.tanh())
        (1 - tanh(z)**2)*(-y + tanh(z))
        """
        slope = self.derivative()
        if self.on == "predictor":
            return slope.xreplace({self.prediction: PREDICTOR})
        link_slope = link.slope
        if link_slope is None:
            slope = self._weighted() if self.weight is not None else slope
            return slope.xreplace({self.prediction: link.formula}) * link.derivative()
        link_slope = link_slope.xreplace({MEAN: self.prediction})
        if self.weight is None:
            product = slope * link_slope
        else:
            # cancel expands what does not cancel
            canceled = sp.cancel(self.weight * link_slope)
            weight = canceled if sp.count_ops(canceled) < 3 else self.weight * link_slope
            product = (self.prediction - self.target) * weight
        return product.xreplace({self.prediction: link.formula})

    def _weighted(self) -> sp.Expr:
        return (self.prediction - self.target) * self.weight

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"

    def _repr_latex_(self) -> str:
        return rf"$\ell({self.prediction}, {self.target}) = {sp.latex(self.formula)}$"


def _derivative(loss: Loss) -> sp.Expr:
    slope = sp.diff(loss.formula, loss.prediction)
    smooth = not slope.has(sp.Derivative, sp.Heaviside, sp.DiracDelta)
    if not smooth or any(_jumps(slope, sign, loss.prediction) for sign in slope.atoms(sp.sign)):
        raise FormulaError(
            f"The loss {loss.formula} is not differentiable in {loss.prediction}; the flow needs "
            "a differentiable loss."
        )
    return slope


def _jumps(slope: sp.Expr, sign: sp.Expr, variable: sp.Symbol) -> bool:
    """Whether the slope jumps where the argument of a sign, linear in the variable, vanishes."""
    inner = sign.args[0]
    if variable not in inner.free_symbols or sp.diff(inner, variable).has(variable):
        return False
    root = variable - inner / sp.diff(inner, variable)
    jump = slope.xreplace({sign: sp.S.One}) - slope.xreplace({sign: sp.S.NegativeOne})
    return bool(sp.expand(jump.subs(variable, sp.expand(root))) != 0)


# -------------------------------------------------------------------------------------------------
# builders
# -------------------------------------------------------------------------------------------------

_mu, _y, _z = MEAN, TARGET, PREDICTOR


def squared() -> Loss:
    r"""$\frac12(\mu - y)^2$."""
    return Loss("squared", (_mu - _y) ** 2 / 2, best=_y, weight=sp.S.One)


def cross_entropy() -> Loss:
    r"""$-y\log\mu - (1 - y)\log(1 - \mu)$ for targets in $[0, 1]$ and a mean in $(0, 1)$.

    With a hard target, 0 or 1, the minimizer is at the end of the range and no predictor reaches
    it; see `logistic` for labels.
    """
    return Loss(
        "cross_entropy",
        -_y * sp.log(_mu) - (1 - _y) * sp.log(1 - _mu),
        targets=Targets(sp.S.Zero, sp.S.One, (True, True)),
        domain=(sp.S.Zero, sp.S.One),
        best=_y,
        weight=1 / (_mu * (1 - _mu)),
    )


def logistic() -> Loss:
    r"""$\log(1 + e^{-yz})$ for labels $y = \pm 1$, on the linear predictor."""
    return Loss(
        "logistic",
        sp.log(1 + sp.exp(-_y * _z)),
        prediction=_z,
        on="predictor",
        targets=Targets.labels(-1, 1),
        slope=-_y / (1 + sp.exp(_y * _z)),
    )


def exponential() -> Loss:
    r"""$e^{-yz}$ for labels $y = \pm 1$, on the linear predictor."""
    return Loss(
        "exponential",
        sp.exp(-_y * _z),
        prediction=_z,
        on="predictor",
        targets=Targets.labels(-1, 1),
    )


def poisson() -> Loss:
    r"""$\mu - y\log\mu$ for targets $y \ge 0$ and a positive mean."""
    return Loss(
        "poisson",
        _mu - _y * sp.log(_mu),
        targets=Targets(sp.S.Zero, sp.oo, (True, False)),
        domain=(sp.S.Zero, sp.oo),
        best=_y,
        weight=1 / _mu,
    )


def log_cosh() -> Loss:
    r"""$\log\cosh(\mu - y)$."""
    return Loss("log_cosh", sp.log(sp.cosh(_mu - _y)), best=_y, slope=sp.tanh(_mu - _y))


def huber(delta: sp.Expr | float | str = 1) -> Loss:
    r"""$\frac12 r^2$ for $|r| \le \delta$ and $\delta|r| - \frac12\delta^2$ beyond, $r = \mu - y$.

    Raises
    ------
    AssumptionError
        When delta is not positive.
    """
    width = exact_number(delta)
    if (sign_of_number(width) if width.is_number else sign_on(width)) != 1:
        raise AssumptionError(f"Expected delta > 0 but got delta = {delta!r}.")
    r = _mu - _y
    formula = sp.Piecewise((r**2 / 2, sp.Abs(r) <= width), (width * sp.Abs(r) - width**2 / 2, True))
    return Loss("huber", formula, best=_y, slope=sp.Max(-width, sp.Min(width, r)))


def quartic() -> Loss:
    r"""$\frac14(\mu - y)^4$, whose flow converges more slowly than exponentially."""
    return Loss("quartic", (_mu - _y) ** 4 / 4, best=_y, weight=(_mu - _y) ** 2)


def custom(
    formula: sp.Expr | str,
    *,
    prediction: sp.Symbol | str = "mu",
    target: sp.Symbol | str = "y",
    assume: Mapping[str, str] | None = None,
    on: Literal["mean", "predictor"] = "mean",
    targets: tuple[Any, Any] = (-sp.oo, sp.oo),
    domain: tuple[Any, Any] = (-sp.oo, sp.oo),
    name: str | None = None,
) -> Loss:
    r"""Any differentiable formula as a loss.

    Parameters
    ----------
    formula : sympy.Expr or str
        $\ell$ in the prediction, the target and constants.
    prediction, target : sympy.Symbol or str, optional
        Their names in `formula`.
    assume : mapping from name to str, optional
        For a string: the constants with their assumptions, such as ``{"b": "positive"}``.
    on : {"mean", "predictor"}, optional
        Whether the prediction is the mean or the linear predictor.
    targets, domain : pairs of bounds, optional
        The open intervals of the targets, and of the predictions where the loss is finite.
    name : str, optional

    Raises
    ------
    FormulaError
        When the prediction does not occur, or the formula is not differentiable in it.
    AssumptionError
        When a constant is not declared real.

    Examples
    --------
    >>> custom("sqrt(1 + (mu - y)**2) - 1").minimizer
    'mu = y'
    >>> custom("(mu - b*y)**2", assume={"b": "positive"}).minimizer
    'not known'
    """
    if on not in ("mean", "predictor"):
        raise FormulaError(f"Expected on='mean' or on='predictor' but got {on!r}.")
    variable = MEAN if on == "mean" else PREDICTOR
    renamed = {str(prediction): variable, str(target): TARGET}
    if len(renamed) < 2:
        raise FormulaError(f"The prediction and the target have the same name {prediction}.")
    if isinstance(formula, str):
        names = dict(renamed)
        for key, words in (assume or {}).items():
            names[key] = declare(key, words)[0]
        expression = parse(formula, names)
    elif isinstance(formula, sp.Expr):
        chosen = {s: renamed[s.name] for s in formula.free_symbols if s.name in renamed}
        expression = exact_number(formula).xreplace(chosen)
    else:
        raise FormulaError(f"Expected a SymPy expression or a string but got {formula!r}.")
    if variable not in expression.free_symbols:
        raise FormulaError(f"The loss {expression} does not contain the prediction {prediction}.")
    for constant in expression.free_symbols:
        if constant.is_real is not True:
            raise AssumptionError(
                f"Cannot decide whether the constant {constant} is real; declare it, for example "
                f"with sp.Symbol('{constant}', positive=True)."
            )
    loss = Loss(
        name or sp.sstr(expression),
        expression,
        prediction=variable,
        on=on,
        targets=Targets(*_interval(targets, "targets")),
        domain=_interval(domain, "domain"),
    )
    loss.derivative()  # refuses a formula with kinks
    candidate = replace(loss, best=TARGET, weight=_weight(loss))
    return candidate if residual_sign(candidate).proved else loss


def _weight(loss: Loss) -> sp.Expr | None:
    """The quotient of the derivative and mu - y, when it is a simpler rational function."""
    slope = loss.derivative()
    if not slope.is_rational_function(loss.prediction, loss.target):
        return None
    quotient = sp.cancel(slope / (loss.prediction - loss.target))
    return quotient if sp.count_ops(quotient) < sp.count_ops(slope) else None


def residual_sign(loss: Loss) -> Verdict:
    r"""Whether $\partial_\mu\ell$ has the sign of $\mu - y$: the only minimum is at $\mu = y$.

    Examples
    --------
    >>> residual_sign(poisson()).method
    'the derivative is mu - y times 1/mu > 0'
    """
    if loss.best != loss.target:
        return Verdict(Status.UNDECIDED, "the minimizer of the loss is not the target itself")
    mu, y = loss.prediction, loss.target
    if is_clipped(loss):
        return Verdict(Status.PROVED, "the derivative is the residual mu - y, clipped around 0")
    # the weight is a function of y as well, when the loss is steeper than squared: (mu - y)^2
    if loss.weight is not None:
        bounded = loss.domain != (-sp.oo, sp.oo)
        root = sp.sqrt(loss.weight)
        squares = root == sp.Abs(mu - y)
        if squares or sign_on(loss.weight, {mu: loss.domain} if bounded else None) == 1:
            return Verdict(Status.PROVED, f"the derivative is mu - y times {loss.weight} > 0")
    slope = loss.derivative()
    right, left = sp.Dummy("r", positive=True), sp.Dummy("r", negative=True)
    above = sign_on(sp.expand(slope.xreplace({mu: y + right})))
    below = sign_on(sp.expand(slope.xreplace({mu: y + left})))
    if above == 1 and below == -1:
        return Verdict(Status.PROVED, "the derivative has the sign of mu - y")
    return Verdict(Status.UNDECIDED, f"the sign of {slope} against that of mu - y")


def is_clipped(loss: Loss) -> bool:
    """Whether the derivative is the residual, clipped to an interval around zero."""
    slope = loss.derivative()
    if not isinstance(slope, sp.Max) or len(slope.args) != 2:
        return False
    lower = next((a for a in slope.args if sign_on(a) == -1), None)
    inner = next((a for a in slope.args if isinstance(a, sp.Min)), None)
    if lower is None or inner is None or len(inner.args) != 2:
        return False
    rest = set(inner.args) - {loss.prediction - loss.target}
    return len(rest) == 1 and sign_on(rest.pop()) == 1


def _interval(bounds: tuple[Any, Any], argument: str) -> tuple[sp.Expr, sp.Expr]:
    lower, upper = (
        sp.oo * (1 if b > 0 else -1) if b in (sp.oo, -sp.oo, float("inf"), -float("inf"))
        else exact_number(b)
        for b in bounds
    )  # fmt: skip
    if not (lower == -sp.oo or upper == sp.oo) and sign_of_number(upper - lower) != 1:
        raise DomainError(f"Expected {argument} with lower < upper but got ({lower}, {upper}).")
    return lower, upper


BUILDERS: Mapping[str, Callable[[], Loss]] = {
    "squared": squared,
    "cross_entropy": cross_entropy,
    "logistic": logistic,
    "exponential": exponential,
    "poisson": poisson,
    "log_cosh": log_cosh,
    "huber": huber,
    "quartic": quartic,
}
"""The losses with their default arguments, by name."""
