r"""Norms of parameters, their duals, and the steepest directions that they define.

Steepest descent in a norm moves along $-u$, where $\|u\| = 1$ and $\langle g, u\rangle = \|g\|_*$.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import sympy as sp

from theory.errors import FormulaError, NotClosedForm
from theory.exact.balls import sign_of_number
from theory.exact.derivation import Derivation, RawStep, numbered
from theory.exact.initial_data import read_number
from theory.exact.verdict import Certificate
from theory.exact.zero import is_zero
from theory.networks.arguments import read_vector
from theory.networks.certify import certify_zero, young_step
from theory.networks.formula_norm import FormulaNorm, formula
from theory.networks.unit_ball import UnitBall, unit_ball

__all__ = [
    "Blocks",
    "Entrywise",
    "FormulaNorm",
    "Norm",
    "SchattenNorm",
    "UnitBall",
    "blocks",
    "formula",
    "l1",
    "l2",
    "linf",
    "lp",
    "read_norm",
    "schatten",
    "spectral",
    "unit_ball",
]


@dataclass(frozen=True)
class Entrywise:
    r"""$\|x\|_p = (\sum_i|x_i|^p)^{1/p}$ of all entries, $\max_i|x_i|$ for p = oo.

    Parameters
    ----------
    p : sympy.Expr
        In [1, oo], or a symbol, which stands for every p > 1.
    """

    p: sp.Expr

    @property
    def name(self) -> str:
        """A short name, such as l1, l2, linf."""
        return f"l{_exponent_text(self.p)}"

    @property
    def dual(self) -> Entrywise:
        """The norm of the conjugate exponent, 1/p + 1/q = 1."""
        return Entrywise(conjugate_exponent(self.p))

    def value(self, entries: Sequence[Any]) -> sp.Expr:
        """The norm of real numbers or formulas.

        Examples
        --------
        >>> lp(3).value([1, -2])
        3**(2/3)
        """
        return power_norm(read_vector(entries, "entries", symbols=True), self.p)

    def direction(self, gradient: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """The u with norm one and the largest product with the gradient.

        Entries that are zero stay zero; of several largest entries l1 takes the first.

        Raises
        ------
        NotClosedForm
            For l1, when it is not known which entry is the largest.

        Examples
        --------
        >>> l1().direction([1, -3]), linf().direction([1, -3]), l2().direction([3, -4])
        ((0, -1), (1, -1), (3/5, -4/5))
        """
        g = read_vector(gradient, "entries of the gradient", symbols=True)
        if self.p is sp.oo:
            return tuple(sp.sign(v) for v in g)
        if self.p == 1:
            k = _largest(g)
            return tuple(sp.sign(v) if i == k else sp.S.Zero for i, v in enumerate(g))
        if sum(v != 0 for v in g) <= 1:
            return tuple(sp.sign(v) for v in g)
        q = conjugate_exponent(self.p)
        size = power_norm(g, q) ** (q - 1)
        return tuple(sp.S.Zero if v == 0 else sp.sign(v) * abs(v) ** (q - 1) / size for v in g)

    @cached_property
    def derivation(self) -> Derivation:
        """The inequality of Hoelder, and the direction that attains it."""
        return numbered(f"Steepest direction of {self.name}", _entrywise_steps(self.p))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class SchattenNorm:
    r"""The $\ell_p$ norm of the singular values of one matrix; for a vector the $\ell_2$ norm.

    Parameters
    ----------
    p : sympy.Expr
        2: Frobenius, oo: spectral, 1: nuclear.
    """

    p: sp.Expr

    @property
    def name(self) -> str:
        """A short name."""
        return f"schatten-{_exponent_text(self.p)}"

    @property
    def dual(self) -> SchattenNorm:
        """The Schatten norm of the conjugate exponent."""
        return SchattenNorm(conjugate_exponent(self.p))

    def value(self, singular_values: Sequence[Any]) -> sp.Expr:
        """The norm of a matrix with these singular values."""
        return Entrywise(self.p).value(singular_values)

    def direction(self, singular_values: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """The singular values of the direction, in the singular bases of the gradient."""
        return Entrywise(self.p).direction(singular_values)

    @cached_property
    def derivation(self) -> Derivation:
        """The product of matrices is at most that of their singular values."""
        return numbered(f"Steepest direction of {self.name}", _schatten_steps(self.p))

    def __str__(self) -> str:
        return self.name


Inner: TypeAlias = Entrywise | SchattenNorm


@dataclass(frozen=True)
class Blocks:
    r"""The $\ell_p$ norm of the norms of the layers.

    Parameters
    ----------
    inner : Entrywise or SchattenNorm
        Of each layer.
    outer : sympy.Expr
        The exponent p over the layers.
    """

    inner: Inner
    outer: sp.Expr

    @property
    def name(self) -> str:
        """A short name; "spectral" for the largest spectral norm of the layers."""
        if self.inner == SchattenNorm(sp.oo) and self.outer is sp.oo:
            return "spectral"
        return f"{self.inner.name} in l{_exponent_text(self.outer)}"

    @property
    def dual(self) -> Blocks:
        """The dual norm of each layer, in the conjugate exponent over them."""
        return Blocks(self.inner.dual, conjugate_exponent(self.outer))

    def value(self, layers: Sequence[Sequence[Any]]) -> sp.Expr:
        """The norm of layers, given by their entries or singular values.

        Examples
        --------
        >>> spectral().value([[3, 1], [2]]), spectral().dual.value([[3, 1], [2]])
        (3, 6)
        """
        return Entrywise(self.outer).value([self.inner.value(x) for x in layers])

    def direction(self, gradients: Sequence[Sequence[Any]]) -> tuple[tuple[sp.Expr, ...], ...]:
        """The directions of the layers, each scaled by the outer norm."""
        sizes = [self.inner.dual.value(g) for g in gradients]
        weights = Entrywise(self.outer).direction(sizes)
        return tuple(
            tuple(w * u for u in self.inner.direction(g))
            for w, g in zip(weights, gradients, strict=True)
        )

    @cached_property
    def derivation(self) -> Derivation:
        """First within the layers, then over them."""
        return numbered(f"Steepest direction of {self.name}", _block_steps(self))

    def __str__(self) -> str:
        return self.name


Norm: TypeAlias = Entrywise | SchattenNorm | Blocks | FormulaNorm | UnitBall


def lp(p: Any) -> Entrywise:
    r"""The $\ell_p$ norm of all parameters; a symbol p stands for every p > 1.

    Examples
    --------
    >>> lp(3).dual.name, lp("3/2").dual.name, lp(1).dual.name
    ('l3/2', 'l3', 'linf')
    """
    return Entrywise(_read_exponent(p))


def l1() -> Entrywise:
    """The sum of absolute values: its steepest descent is coordinate descent."""
    return Entrywise(sp.S.One)


def l2() -> Entrywise:
    """The Euclidean norm: its steepest descent is gradient descent."""
    return Entrywise(sp.Integer(2))


def linf() -> Entrywise:
    """The largest absolute value: its steepest descent is sign descent."""
    return Entrywise(sp.oo)


def schatten(p: Any) -> SchattenNorm:
    """The Schatten norm of one matrix."""
    return SchattenNorm(_read_exponent(p))


def blocks(inner: Any, outer: Any) -> Blocks:
    """The norm over layers of the norms of the layers.

    Examples
    --------
    >>> blocks(l2(), sp.oo).dual.name
    'l2 in l1'
    """
    found = read_norm(inner)
    if not isinstance(found, Entrywise | SchattenNorm):
        raise FormulaError(f"Expected an lp or a Schatten norm of a layer but got {inner!r}.")
    return Blocks(found, _read_exponent(outer))


def spectral() -> Blocks:
    """The largest spectral norm of the layers, as Muon and Shampoo without memory have it."""
    return Blocks(SchattenNorm(sp.oo), sp.oo)


def read_norm(given: Any) -> Norm:
    """A norm, or one by its name: "l1", "l2", "linf", "l3", "lp:3", "l3/2", "spectral".

    Raises
    ------
    FormulaError
        For anything else.

    Examples
    --------
    >>> read_norm("l3/2").p, read_norm("linf").p
    (3/2, oo)
    """
    if isinstance(given, Entrywise | SchattenNorm | Blocks | FormulaNorm | UnitBall):
        return given
    if isinstance(given, str):
        if given == "spectral":
            return spectral()
        match = re.fullmatch(r"l(?:p:)?(inf|oo|\d{1,6}(?:/\d{1,6}|\.\d{1,6})?)", given)
        if match is not None:
            return lp(sp.oo if match[1] in ("inf", "oo") else match[1])
    raise FormulaError(
        "Expected a norm of th.norms or one of the names l1, l2, linf, l3, l3/2, spectral, but got "
        f"{given!r}."
    )


def conjugate_exponent(p: sp.Expr) -> sp.Expr:
    """The q with 1/p + 1/q = 1."""
    if p is sp.oo:
        return sp.S.One
    return sp.oo if p == 1 else sp.cancel(p / (p - 1))


def power_norm(entries: Sequence[sp.Expr], p: sp.Expr) -> sp.Expr:
    """The lp norm of formulas."""
    sizes = [abs(e) for e in entries if e != 0]
    if not sizes:
        return sp.S.Zero
    if p is sp.oo:
        return sp.Max(*sizes)
    if p == 1 or len(sizes) == 1:
        return sp.Add(*sizes)
    return sp.Add(*(s**p for s in sizes)) ** (1 / p)


def _read_exponent(p: Any) -> sp.Expr:
    if p is sp.oo or p == float("inf"):
        return sp.oo
    if isinstance(p, sp.Symbol):
        if (p - 1).is_positive or p.is_positive:
            return p
        raise FormulaError(
            f"Expected an exponent above 1 but got the symbol {p}; declare it with "
            f"sp.Symbol('{p}', positive=True)."
        )
    value = read_number(p, "p")
    if sign_of_number(value - 1) == -1:
        raise FormulaError(f"Expected p >= 1 but got p = {p}: below 1 there is no norm.")
    if not value.is_Rational:
        raise FormulaError(f"Expected a rational exponent but got p = {p}.")
    return value


def _exponent_text(p: sp.Expr) -> str:
    return "inf" if p is sp.oo else str(p) if p.is_Atom else f"({p})" if p.free_symbols else str(p)


def _largest(g: Sequence[sp.Expr]) -> int:
    """The first index of a largest absolute value."""
    best = 0
    for i in range(1, len(g)):
        gap = abs(g[i]) - abs(g[best])
        sign = sign_of_number(gap) if gap.is_number else None
        if sign is None and is_zero(gap).proved:
            sign = 0
        if sign is None:
            sign = 1 if gap.is_positive else -1 if gap.is_negative else None
        if sign is None:
            raise NotClosedForm(
                f"Cannot decide which of {abs(g[best])} and {abs(g[i])} is larger, and l1 moves "
                "the largest entry alone; give numbers."
            )
        best = i if sign > 0 else best
    return best


# -- derivations


def _entrywise_steps(p: sp.Expr) -> Iterator[RawStep]:
    if p is sp.oo or p == 1:
        big, small = ("x", "g") if p is sp.oo else ("g", "x")
        yield (
            "Largest entry",
            [f"<g, x> <= sum_i |g_i||x_i| <= max_i |{big}_i| * sum_i |{small}_i|"],
            "each factor is at most the largest",
            None,
        )
        yield (
            "Equality",
            ["u_i = sign(g_i)"] if p is sp.oo else ["u = sign(g_j) e_j for a largest |g_j|"],
            "g sign(g) = |g|",
            _sign_certificate(),
        )
        return
    q = conjugate_exponent(p)
    yield young_step(p)
    yield (
        "Hoelder",
        [f"<g, x> <= ||x||_p ||g||_q with p = {p}, q = {q}"],
        "Young's inequality with a = |x_i|/||x||_p and b = |g_i|/||g||_q, summed over i: "
        "1/p + 1/q = 1",
        certify_zero("conjugate exponents", 1 / p + 1 / q - 1, ranges=_above_one(p)),
    )
    g, S = sp.symbols("g S", positive=True)
    u = g ** (q - 1) / S ** ((q - 1) / q)
    yield (
        "Equality",
        ["u_i = sign(g_i)|g_i|**(q - 1)/||g||_q**(q - 1)"],
        "with S = sum |g_i|**q: |u_i|**p = |g_i|**q/S adds up to 1, and g_i u_i to "
        "S**(1/q) = ||g||_q",
        certify_zero(
            "norm and product of the direction",
            u**p - g**q / S,
            g * u - g**q / S * S ** (1 / q),
            ranges=_above_one(p),
        ),
    )


def _above_one(p: sp.Expr) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
    return {p: (sp.S.One, sp.oo)} if isinstance(p, sp.Symbol) else {}


def _sign_certificate() -> Certificate:
    g = sp.Symbol("g", real=True)
    return certify_zero("g*sign(g) = |g|", g * sp.sign(g) - abs(g))


def _schatten_steps(p: sp.Expr) -> Iterator[RawStep]:
    yield (
        "Trace",
        ["<G, X> <= sum_i sigma_i(G) sigma_i(X)"],
        "von Neumann's trace inequality: recalled, not derived",
        None,
    )
    yield from _entrywise_steps(p)
    yield (
        "Singular bases",
        ["U = sum_i u_i w_i v_i^T for G = sum_i sigma_i w_i v_i^T"],
        "equality in the trace inequality when the bases are the same",
        None,
    )


def _block_steps(norm: Blocks) -> Iterator[RawStep]:
    yield (
        "Layers",
        ["<g, x> = sum_l <g_l, x_l> <= sum_l ||g_l||_* ||x_l||"],
        f"the dual of {norm.inner.name}, layer by layer",
        None,
    )
    steps = _schatten_steps if isinstance(norm.inner, SchattenNorm) else _entrywise_steps
    yield from steps(norm.inner.p)
    yield (
        "Over the layers",
        ["sum_l ||g_l||_* ||x_l|| <= ||(||g_l||_*)_l||_q ||(||x_l||)_l||_p"],
        f"the same for the numbers ||g_l||_* and ||x_l||, p = {norm.outer}; the weights w_l of the "
        "layers are its direction",
        None,
    )
    yield from _entrywise_steps(norm.outer)
