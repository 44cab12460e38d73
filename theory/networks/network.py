"""A polynomial model as blocks of parameters and products of their entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import sympy as sp

from theory.errors import AssumptionError, FormulaError, ShapeError, TooLarge
from theory.exact.assumptions import Ranges
from theory.exact.initial_data import read_exact
from theory.flow.coupled import CoupledModel
from theory.flow.fields import Monomials

__all__ = ["Block", "Letter", "Network", "Size", "Word", "sizes"]

Size: TypeAlias = Any
"""A positive integer, or a symbol that stands for one."""
Letter: TypeAlias = tuple[str, bool]
"""The name of a matrix, and whether it is transposed."""
Word: TypeAlias = tuple[Letter, ...]
"""A product of matrices."""
MOST_PARAMETERS = 100_000


@dataclass(frozen=True)
class Block:
    """One matrix of parameters, or a vector when `columns` is 1.

    Parameters
    ----------
    name : str
    rows, columns : int or sympy.Expr
    """

    name: str
    rows: Size
    columns: Size = 1

    def symbols(self) -> list[sp.Symbol]:
        """The entries, row by row."""
        rows, columns = int(self.rows), int(self.columns)
        if columns == 1:
            return [sp.Symbol(f"{self.name}_{i + 1}", real=True) for i in range(rows)]
        return [
            sp.Symbol(f"{self.name}_{i + 1}_{j + 1}", real=True)
            for i in range(rows)
            for j in range(columns)
        ]


@dataclass(frozen=True, eq=False)
class Network(CoupledModel):
    r"""A model whose components are sums of products of entries of matrices.

    The structure is kept; the components are expanded when they are asked for, the terms when laws
    are counted.

    Parameters
    ----------
    name : str
        For people: ``linear 5,3,2``.
    blocks : tuple of Block
        The parameters, block by block.
    expand : callable
        The terms of all components, for integer sizes.
    words : tuple of Word
        The matrices that the loss sees, where the model is made of matrix products.
    block_rates : mapping from block name to rate
        Learning rates, 1 unless given.
    scaled : tuple of str
        Blocks whose metric is diagonal with the parameters themselves on the diagonal.
    """

    name: str
    blocks: tuple[Block, ...]
    expand: Callable[[], Monomials] = field(repr=False)
    words: tuple[Word, ...] = ()
    block_rates: Mapping[str, sp.Expr] = field(default_factory=dict)
    scaled: tuple[str, ...] = ()

    @property
    def is_symbolic(self) -> bool:
        """Whether a size is a symbol."""
        return any(not isinstance(n, int) for b in self.blocks for n in (b.rows, b.columns))

    def _numeric(self, what: str) -> None:
        if self.is_symbolic:
            raise ShapeError(
                f"The {what} of {self.name} need integer sizes; with symbolic ones there are the "
                "matrix laws, th.networks.matrix_laws(network)."
            )
        if self.size > MOST_PARAMETERS:
            raise TooLarge(
                f"The network {self.name} has {self.size:,} parameters; at most "
                f"{MOST_PARAMETERS:,} are written out."
            )

    @property
    def size(self) -> Size:
        """The number of parameters D."""
        return sum(b.rows * b.columns for b in self.blocks)

    @cached_property
    def parameters(self) -> tuple[sp.Symbol, ...]:  # type: ignore[override]
        """The entries of all blocks."""
        self._numeric("parameters")
        return tuple(s for b in self.blocks for s in b.symbols())

    @cached_property
    def rates(self) -> tuple[sp.Expr, ...]:  # type: ignore[override]
        """The rate of each entry: the one of its block."""
        self._numeric("rates")
        return tuple(
            self.block_rates.get(b.name, sp.S.One) for b in self.blocks for _ in b.symbols()
        )

    @property
    def ranges(self) -> Ranges:  # type: ignore[override]
        """No parameter is confined to an interval."""
        return {}

    @property
    def scaling(self) -> tuple[sp.Expr, ...] | None:
        if not self.scaled:
            return None
        return tuple(
            s if b.name in self.scaled else sp.S.One for b in self.blocks for s in b.symbols()
        )

    @cached_property
    def polynomials(self) -> Monomials | None:
        self._numeric("terms")
        return self.expand()

    @cached_property
    def components(self) -> tuple[sp.Expr, ...]:
        terms = self.polynomials
        assert terms is not None
        out: list[list[sp.Expr]] = [[] for _ in range(terms.count)]
        rows = zip(terms.owner.tolist(), terms.coefficient, terms.index.tolist(), strict=True)
        for owner, c, index in rows:
            out[owner].append(c * sp.Mul(*(self.parameters[j] for j in index if j < terms.size)))
        return tuple(sp.Add(*t) for t in out)

    @cached_property
    def constants(self) -> tuple[sp.Symbol, ...]:
        free = set().union(*(r.free_symbols for r in self.block_rates.values()))
        return tuple(sorted(free, key=lambda s: s.name))

    def with_rates(self, rates: Mapping[str, Any]) -> Network:
        """The same network with positive learning rates for some blocks.

        Examples
        --------
        >>> from theory.networks import linear
        >>> linear(2, 2, 1).with_rates({"W1": 2}).rates
        (2, 2, 2, 2, 1, 1)
        """
        unknown = set(rates) - {b.name for b in self.blocks}
        if unknown:
            raise FormulaError(
                f"rates names {sorted(unknown)}; the blocks of {self.name} are "
                f"{', '.join(b.name for b in self.blocks)}."
            )
        exact: dict[str, sp.Expr] = dict(self.block_rates)
        for name, value in rates.items():
            rate = read_exact(value, f"rate of {name}")
            if rate.is_positive is not True:
                raise AssumptionError(
                    f"Expected a positive learning rate for {name} but got {value!r}."
                )
            exact[name] = rate
        return Network(self.name, self.blocks, self.expand, self.words, exact, self.scaled)

    def __str__(self) -> str:
        return self.name


def sizes(values: Sequence[Any], *, least: int, what: str) -> tuple[Size, ...]:
    """Positive integers, or symbols, as sizes; a single sequence stands for its entries.

    Raises
    ------
    ShapeError
        For sizes that are not positive integers or positive integer symbols, or too few.
    """
    if len(values) == 1 and not isinstance(values[0], int | str | sp.Expr):
        values = list(values[0])
    out: list[Size] = []
    for value in values:
        if isinstance(value, str):
            if not value.isidentifier():
                raise ShapeError(f"Expected a size but got {value!r}.")
            out.append(sp.Symbol(value, integer=True, positive=True))
        elif isinstance(value, sp.Integer) or (
            isinstance(value, int) and not isinstance(value, bool)
        ):
            if value < 1:
                raise ShapeError(f"Expected positive {what} but got {value}.")
            out.append(int(value))
        elif isinstance(value, sp.Expr) and value.free_symbols and value.is_positive is not False:
            out.append(value)
        elif hasattr(value, "__index__") and not isinstance(value, bool):
            out.append(sizes([value.__index__()], least=1, what=what)[0])
        else:
            raise ShapeError(f"Expected integers or symbols as {what} but got {value!r}.")
    if len(out) < least:
        raise ShapeError(f"Expected at least {least} {what} but got {len(out)}.")
    return tuple(out)
