r"""Laws of matrix models for all sizes at once, in the algebra of words of matrices.

A model that the loss sees through words, such as $W_2 W_1$, moves each matrix by
$X' = -\eta\,(\text{left})^T g\,(\text{right})^T$, with a free matrix g for each word. A combination
of words whose derivative vanishes in the free algebra with transposition is conserved for every
size, loss and data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import flint
import sympy as sp

from theory.errors import FormulaError, UnsupportedFormula
from theory.networks.network import Network, Size, Word

__all__ = ["MatrixLaw", "matrix_laws"]

Combination = Mapping[Word, flint.fmpq]


@dataclass(frozen=True)
class MatrixLaw:
    """A conserved matrix: a combination of words, the same for all sizes.

    Parameters
    ----------
    expression : sympy.MatrixExpr
        The law.
    shape : pair of sizes
    words : tuple of (coefficient, word)
        The same as data: a word is a tuple of (name, transposed).
    """

    expression: sp.Expr
    shape: tuple[Size, Size]
    words: tuple[tuple[sp.Rational, Word], ...]

    def __str__(self) -> str:
        return str(self.expression)

    def _repr_latex_(self) -> str:
        return f"${sp.latex(self.expression)}$"


def transposed(word: Word) -> Word:
    """The transpose of a product."""
    return tuple((name, not t) for name, t in reversed(word))


class _Flow:
    """How each letter moves."""

    def __init__(self, network: Network) -> None:
        self.shapes = {b.name: (b.rows, b.columns) for b in network.blocks}
        self.motion: dict[str, list[tuple[flint.fmpq, Word]]] = {}
        for i, word in enumerate(network.words):
            for a, (name, t) in enumerate(word):
                # <g, left X right> = <left^T g right^T, X>
                moved = (*transposed(word[:a]), (f"g{i}", False), *transposed(word[a + 1 :]))
                if t:
                    moved = transposed(moved)
                rate = network.block_rates.get(name, sp.S.One)
                if not rate.is_Rational:
                    raise UnsupportedFormula(
                        f"The matrix laws need rational rates but {name} has {rate}."
                    )
                step = (flint.fmpq(-int(rate.p), int(rate.q)), moved)
                self.motion.setdefault(name, []).append(step)

    def shape(self, word: Word) -> tuple[Size, Size]:
        (first, s), (last, t) = word[0], word[-1]
        return self.shapes[first][1 if s else 0], self.shapes[last][0 if t else 1]

    def derivative(self, word: Word) -> dict[Word, flint.fmpq]:
        out: dict[Word, flint.fmpq] = {}
        for i, (name, t) in enumerate(word):
            for c, moved in self.motion.get(name, ()):
                key = (*word[:i], *(transposed(moved) if t else moved), *word[i + 1 :])
                out[key] = out.get(key, flint.fmpq(0)) + c
        return {k: c for k, c in out.items() if c != 0}

    def words(self, longest: int) -> list[Word]:
        letters = [(name, t) for name in self.shapes for t in (False, True)]
        current: list[Word] = [(x,) for x in letters]
        out = list(current)
        for _ in range(longest - 1):
            current = [
                (*w, x)
                for w in current
                for x in letters
                if self.shape((*w, x)[-2:]) and self._chains(w[-1], x)
            ]
            out += current
        return out

    def _chains(self, left: tuple[str, bool], right: tuple[str, bool]) -> bool:
        return bool(self.shape((left,))[1] == self.shape((right,))[0])


def matrix_laws(network: Network, *, length: int = 2) -> tuple[MatrixLaw, ...]:
    """All combinations of words up to a length that are conserved whatever the sizes.

    Examples
    --------
    >>> from theory.networks import linear
    >>> for law in matrix_laws(linear("n", "r", "s", "m")):
    ...     print(law)
    W1*W1.T - W2.T*W2
    W2*W2.T - W3.T*W3

    Raises
    ------
    FormulaError
        When the model is not made of matrix products.
    """
    if not isinstance(network, Network) or not network.words or network.scaled:
        raise FormulaError(
            "Expected a network of matrix products, such as th.networks.linear('n', 'r', 'm')."
        )
    if not isinstance(length, int) or length < 1 or length > 6:
        raise FormulaError(f"Expected a length of words from 1 to 6 but got {length!r}.")
    flow = _Flow(network)
    by_shape: dict[tuple[Size, Size], list[Word]] = {}
    for word in flow.words(length):
        by_shape.setdefault(flow.shape(word), []).append(word)
    out = []
    for shape, words in by_shape.items():
        for vector in _nullspace([flow.derivative(w) for w in words]):
            law = {words[j]: c for j, c in vector.items()}
            if not _vanishes(flow, law):
                continue
            out.append(_law(network, shape, law))
    return tuple(out)


def _vanishes(flow: _Flow, law: Combination) -> bool:
    total: dict[Word, flint.fmpq] = {}
    for word, c in law.items():
        for key, d in flow.derivative(word).items():
            total[key] = total.get(key, flint.fmpq(0)) + c * d
    return not any(c != 0 for c in total.values())


def _nullspace(columns: list[dict[Word, flint.fmpq]]) -> list[dict[int, flint.fmpq]]:
    keys = {k: i for i, k in enumerate(sorted({k for d in columns for k in d}))}
    matrix = flint.fmpq_mat(max(1, len(keys)), len(columns))
    for j, derivative in enumerate(columns):
        for k, c in derivative.items():
            matrix[keys[k], j] = c
    reduced, rank = matrix.rref()
    lead = [next(j for j in range(len(columns)) if reduced[i, j] != 0) for i in range(rank)]
    out = []
    for free in sorted(set(range(len(columns))) - set(lead)):
        vector = {free: flint.fmpq(1)}
        for i, j in enumerate(lead):
            if reduced[i, free] != 0:
                vector[j] = -reduced[i, free]
        out.append(dict(sorted(vector.items())))
    return out


def _law(network: Network, shape: tuple[Size, Size], law: Combination) -> MatrixLaw:
    matrices = {b.name: sp.MatrixSymbol(b.name, b.rows, b.columns) for b in network.blocks}
    lead = next(iter(law.values()))
    terms, words = [], []
    for word, c in law.items():
        coefficient = sp.Rational(int((c / lead).p), int((c / lead).q))
        factors = [matrices[name].T if t else matrices[name] for name, t in word]
        terms.append(coefficient * sp.MatMul(*factors))
        words.append((coefficient, word))
    return MatrixLaw(sp.MatAdd(*terms).doit(), shape, tuple(words))
