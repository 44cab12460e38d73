r"""Matrix identities for all sizes at once: noncommuting letters with a transposition.

A polynomial in such letters that expands to zero vanishes for matrices of every size that fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from theory.exact.verdict import Certificate, Status, Verdict

__all__ = ["Letters"]


class Letters:
    r"""Names of matrices, each with its transpose.

    Parameters
    ----------
    names : str
        Names separated by spaces.
    symmetric : str
        Names of matrices that are their own transposes.

    Examples
    --------
    >>> letters = Letters("A B")
    >>> A, B = letters["A"], letters["B"]
    >>> letters.transpose(A * B + B)
    B.T + B.T*A.T
    >>> letters.certify("AB = BA", A * B - B * A).verdict.status
    <Status.UNDECIDED: 'UNDECIDED'>
    """

    def __init__(self, names: str, symmetric: str = "") -> None:
        self._letters: dict[str, sp.Symbol] = {}
        self._swap: dict[sp.Symbol, sp.Symbol] = {}
        for name in (names + " " + symmetric).split():
            letter = sp.Symbol(name, commutative=False)
            own = name in symmetric.split()
            other = letter if own else sp.Symbol(f"{name}.T", commutative=False)
            self._letters[name] = letter
            self._swap |= {letter: other, other: letter}

    def __getitem__(self, name: str) -> sp.Symbol:
        return self._letters[name]

    def transpose(self, e: sp.Expr) -> sp.Expr:
        """The transpose of a polynomial in the letters."""
        out = []
        for term in sp.Add.make_args(sp.expand(e)):
            scalar, factors = term.args_cnc()
            word = [f for g in factors for f in self._powers(g)]
            out.append(sp.Mul(*scalar, *(self._swap[f] for f in reversed(word))))
        return sp.Add(*out)

    def derivative(self, e: sp.Expr, motion: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
        """The product rule along a motion of the letters; transposes move with them."""
        moved = dict(motion)
        moved |= {self._swap[x]: self.transpose(v) for x, v in motion.items()}
        out = []
        for term in sp.Add.make_args(sp.expand(e)):
            scalar, factors = term.args_cnc()
            word = [f for g in factors for f in self._powers(g)]
            for i, f in enumerate(word):
                if f in moved:
                    out.append(sp.Mul(*scalar, *word[:i], moved[f], *word[i + 1 :]))
        return sp.expand(sp.Add(*out))

    def certify(self, claim: str, *zeros: sp.Expr) -> Certificate:
        """Whether polynomials vanish in the free algebra, hence for matrices of every size."""
        if all(sp.expand(zero) == 0 for zero in zeros):
            method = "normal form in the free algebra with transposition, for matrices of all sizes"
            return Certificate(claim, Verdict(Status.PROVED, method))
        return Certificate(claim, Verdict(Status.UNDECIDED, "it is no identity of free letters"))

    @staticmethod
    def _powers(g: sp.Expr) -> list[sp.Expr]:
        base, exponent = g.as_base_exp()
        return [base] * int(exponent) if exponent.is_Integer and exponent > 0 else [g]
