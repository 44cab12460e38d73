"""The search for cuts and tails of a rigorous quadrature."""

from __future__ import annotations

from typing import Any

from theory.claims.replay import Rejected
from theory.claims.replay.calculus import Question

__all__ = ["quadrature_proof"]


def quadrature_proof(q: Question) -> dict[str, Any]:
    """Cuts and tails whose enclosure excludes the value."""
    raise Rejected("no quadrature")
