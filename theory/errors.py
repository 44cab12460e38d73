"""The errors of `theory`: one base, and one kind for each way a question can be wrong.

Every kind also derives from the built-in exception that a user would expect, so that
``except ValueError`` keeps working. A message names the argument, its value and the way out.
"""

from __future__ import annotations

__all__ = [
    "AssumptionError",
    "ComputationTimeout",
    "DataError",
    "DomainError",
    "FormulaError",
    "InfeasibleTarget",
    "IntegrationFailed",
    "NotClosedForm",
    "ShapeError",
    "StartError",
    "TheoryError",
    "TooLarge",
    "UnknownName",
    "UnsupportedFormula",
]


class TheoryError(Exception):
    """Base of every error that the package raises on purpose."""


class FormulaError(TheoryError, ValueError):
    """A formula is malformed: syntax, forbidden construct, too large, not a real expression."""


class UnknownName(FormulaError):
    """A formula uses a name that was not declared."""


class AssumptionError(TheoryError, ValueError):
    """A sign or range that the mathematics needs is not declared or contradicts the formula."""


class DomainError(TheoryError, ValueError):
    """A value lies outside of the domain on which the question makes sense."""


class StartError(DomainError):
    """The start of a flow is outside of the domain, or the flow is stuck there."""


class ShapeError(TheoryError, ValueError):
    """Arrays whose shapes do not fit together."""


class DataError(TheoryError, ValueError):
    """Data with NaN or infinite entries, empty data, or a target that no prediction can match."""


class InfeasibleTarget(DataError):
    """The target is outside of what the model can reach, and no limit point can be named."""


class IntegrationFailed(TheoryError, RuntimeError):
    """A trajectory does not reach the time that was asked for."""


class NotClosedForm(TheoryError, NotImplementedError):
    """No closed form was found; the message names the parametric or numeric way to the answer."""


class UnsupportedFormula(TheoryError, NotImplementedError):
    """A well-formed formula with a function that the asked-for step does not cover."""


class ComputationTimeout(TheoryError, TimeoutError):
    """A symbolic step did not end within its time limit."""


class TooLarge(TheoryError, MemoryError):
    """A question whose answer would not fit in the memory; the message gives the estimate."""
