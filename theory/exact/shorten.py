"""Shorter forms of an expression, each proved equal before it replaces the original."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from theory.errors import DomainError, UnsupportedFormula
from theory.exact.assumptions import Ranges
from theory.exact.guard import evaluated, proposal
from theory.exact.zero import is_zero

__all__ = ["shorten"]


def shorten(e: sp.Expr, ranges: Ranges | None = None, *, seconds: float = 0.8) -> sp.Expr:
    """The shortest form that SymPy proposes and that is proved equal on the whole domain.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> shorten(sp.log(x + sp.sqrt(x**2 + 1)))
    asinh(x)
    """
    if e.is_Atom or e.count_ops() <= 4:
        return e
    best = _best(e, e, _candidates(e, _cheap_forms, seconds / 2), ranges)
    if _length(best)[0] > _LONG:
        best = _best(e, best, _candidates(best, _costly_forms, seconds), ranges)
    return best


_LONG = 14
"""Length from which on the slow simplifiers are asked as well."""


def _candidates(
    e: sp.Expr, forms: Callable[[sp.Expr], list[sp.Expr]], seconds: float
) -> list[sp.Expr]:
    candidates = list(proposal(forms, e, seconds=seconds) or [])
    surd = inverse_hyperbolic(e)
    if surd != e:
        candidates = [surd, *candidates, *(proposal(forms, surd, seconds=seconds) or [])]
    return candidates


def _best(e: sp.Expr, best: sp.Expr, candidates: list[sp.Expr], ranges: Ranges | None) -> sp.Expr:
    for candidate in sorted(dict.fromkeys(candidates), key=_length):
        if _length(candidate) >= _length(best) or not evaluated(candidate):
            continue
        try:
            if is_zero(candidate - e, ranges).proved:
                return candidate
        except (DomainError, UnsupportedFormula):
            continue
    return best


def _length(e: sp.Expr) -> tuple[int, int]:
    # exp(c log g) and sqrt chains read worse than their operation count says
    return int(e.count_ops()) + 2 * len(e.atoms(sp.log, sp.exp)), len(str(e))


def _cheap_forms(e: sp.Expr) -> list[sp.Expr]:
    rational = sp.cancel(sp.together(e)) if len(e.free_symbols) < 8 else e
    simple = [sp.simplify(e)] if e.count_ops() < 16 else []
    return [
        *simple,
        sp.factor_terms(e),
        rational,
        sp.factor(rational),
        sp.expand(rational),
        sp.powsimp(sp.expand_log(e)),
        # without regard to signs: what is wrong is not proved equal, and dropped
        sp.powsimp(sp.expand_log(e, force=True)),
    ]


def _costly_forms(e: sp.Expr) -> list[sp.Expr]:
    simple = sp.simplify(e)
    out = [simple, sp.radsimp(simple)]
    if e.has(sp.asinh, sp.acosh, sp.atanh, sp.tan):
        elementary = e.replace(
            lambda t: isinstance(t, (sp.asinh, sp.acosh, sp.atanh)), lambda t: t.rewrite(sp.log)
        )
        elementary = sp.cancel(sp.together(sp.powsimp(sp.expand_log(elementary.rewrite(sp.exp)))))
        if not elementary.has(sp.I):
            out += [elementary, sp.simplify(elementary)]
    return out


def inverse_hyperbolic(e: sp.Expr) -> sp.Expr:
    r"""$\log(a + \sqrt{a^2 + c^2}) = \mathrm{asinh}(a/c) + \log c$, wherever it applies."""
    table = {}
    for atom in e.atoms(sp.log):
        inside, denominator = sp.fraction(sp.together(atom.args[0]))
        for root in inside.atoms(sp.Pow):
            if root.exp != sp.Rational(1, 2):
                continue
            g = sp.Dummy("g")
            linear = inside.xreplace({root: g})
            if not linear.is_polynomial(g) or sp.degree(linear, g) != 1:
                continue
            b, a = linear.coeff(g, 1), linear.coeff(g, 0)
            square = sp.factor(sp.expand(b**2 * root.base - a**2))
            c = sp.sqrt(square)
            if square.is_positive and not c.has(sp.Abs) and b.is_positive:
                table[atom] = sp.asinh(a / c) + sp.log(sp.cancel(c / denominator))
                break
    return e.xreplace(table)
