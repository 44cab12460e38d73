"""The search for the depth of an expansion, and for the signs of its coefficients."""

from __future__ import annotations

from theory.claims.proof_search import Prover, regularize
from theory.claims.replay import Rejected
from theory.claims.replay.coefficients import polynomial, term
from theory.claims.replay.expansions import Series
from theory.claims.replay.facts import NEGATIVE, POSITIVE, ZERO
from theory.claims.replay.germs import Germ
from theory.claims.replay.terms import Term, add, mul, number, power, variables
from theory.exact.budget import spent

__all__ = ["depth_of_expansion"]

_DEPTHS = (2, 4, 7)


class _Asking(Series):
    """Expansions whose open signs are asked of a prover, which keeps its steps."""

    def __init__(self, germ: Germ, prover: Prover, depth: int) -> None:
        super().__init__(germ, germ.t, germ.at_infinity, depth)
        self.prover = prover

    def sign_of(self, t: Term) -> int | None:
        known = super().sign_of(t)
        if known in (POSITIVE, NEGATIVE, ZERO) or spent():
            return known
        if self.prover.sign(t, 4) is None and self.prover.looks(t) == 0:
            self.prover.zero(t)
        return super().sign_of(t)

    def exists(self, t: Term) -> bool:
        if not super().exists(t):
            regularize(self.prover, t, 3)
        return super().exists(t)


def depth_of_expansion(germ: Germ, prover: Prover, a: Term) -> int | None:
    """The depth at which the limit of a term can be read off, after steps of the prover."""
    for depth in _DEPTHS:
        if spent():
            return None
        try:
            _Asking(germ, prover, depth).limit(a)
        except (Rejected, ArithmeticError, ValueError, KeyError, RecursionError):
            continue
        return depth
    return None


def without_large_exponentials(germ: Germ, prover: Prover, a: Term) -> Term:
    r"""The term with each $e^u$, $u \to \infty$, taken out of the sums in which it stands.

    So tanh u is $(1 - e^{-2u})/(1 + e^{-2u})$: a hint, to be checked.
    """

    def rate(u: Term) -> int:
        """1 and -1 for what tends to oo and -oo, 0 otherwise."""
        if germ.t not in variables(u):
            return 0
        try:
            v = _Asking(germ, prover, 2).limit(u)
        except (Rejected, ArithmeticError, ValueError, KeyError, RecursionError):
            return 0
        return int(v[1]) if isinstance(v, list) and v[0] == "oo" else 0

    def whole(w: Term, body: Term) -> Term:
        return body if w == 0 else mul(["exp", w], body)

    def parts(b: Term) -> tuple[Term, Term]:
        """An exponent w and a term with b = e^w times that."""
        if not isinstance(b, list) or germ.t not in variables(b):
            return 0, b
        if b[0] == "exp":
            return (b[1], 1) if rate(b[1]) > 0 else (0, b)
        inner = [parts(c) for c in b[1:]]
        if b[0] == "*":
            return _sum(*(w for w, _ in inner)), mul(*(c for _, c in inner))
        if b[0] == "^" and number(b[2]) is not None:
            return _sum(mul(b[2], inner[0][0])), power(inner[0][1], b[2])
        if b[0] == "log":
            return 0, add(inner[0][0], ["log", inner[0][1]])
        if b[0] != "+":
            return 0, [b[0], *(whole(*c) for c in inner)]
        most = inner[0][0]
        for w, _ in inner[1:]:
            most = w if rate(_sum(w, mul(-1, most))) > 0 else most
        return most, add(*(whole(_sum(w, mul(-1, most)), c) for w, c in inner))

    try:
        return whole(*parts(a))
    except (Rejected, RecursionError):
        return a


def _sum(*terms: Term) -> Term:
    """A sum in which equal terms cancel."""
    return term(polynomial(add(*terms)))
