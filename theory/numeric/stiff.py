"""The march of a stiff dual run by compiled steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theory.numeric.series import Marcher
from theory.numeric.taylor import TaylorRun

if TYPE_CHECKING:
    from theory.numeric.stiff_numba import StiffEngine

__all__ = ["MOST_WORK", "StiffRun"]

MOST_WORK = 20_000_000
"""n n d; beyond it the products of a BLAS gain more than compiling does."""
_LONGEST_CHUNK = 512


class StiffRun(TaylorRun):
    """One march through time by differentiation formulas; their steps depend on those before."""

    engine: StiffEngine
    _keeps_all = True

    def _make_engine(self) -> Marcher:
        from theory.numeric.stiff_numba import StiffEngine

        # half of the tolerance: the last evaluation is before the end of its step
        close = 0.5 * self.tol * (self.size if self.size > 0 else 1.0)
        return StiffEngine(self.spec, self.target if self.stop_at_target else None, close)

    @property
    def _cost(self) -> int:
        return 3

    def _count(self, steps: int) -> None:
        evaluations, jacobians = self.engine.evaluations
        self.nfev += evaluations
        self.njev += jacobians
        self.engine.counts[3:] = 0

    def _longest(self) -> int:
        return _LONGEST_CHUNK
