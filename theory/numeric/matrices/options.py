"""Numbers among the options of a call, read with errors that name them."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.errors import DomainError

__all__ = ["number", "positive", "whole"]


def number(name: str, value: Any, *, least: float = -np.inf, most: float = np.inf) -> float:
    """A finite number between two bounds.

    Raises
    ------
    DomainError

    Examples
    --------
    >>> number("share", "0.5", least=0)
    Traceback (most recent call last):
    theory.errors.DomainError: Expected share as a number but got '0.5'.
    """
    found = _float(name, value)
    if not (np.isfinite(found) and least <= found <= most):
        wanted = f"{name} >= {least:g}" if most == np.inf else f"{least:g} <= {name} <= {most:g}"
        raise DomainError(f"Expected {wanted} but got {name} = {value!r}.")
    return found


def positive(name: str, value: Any) -> float:
    """A finite number above zero.

    Raises
    ------
    DomainError
    """
    found = _float(name, value)
    if not (np.isfinite(found) and found > 0):
        raise DomainError(f"Expected {name} > 0 but got {name} = {value!r}.")
    return found


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """An integer with a lower bound.

    Raises
    ------
    DomainError
    """
    found = _float(name, value)
    if found != np.floor(found) or not least <= found < 2**53:
        raise DomainError(f"Expected an integer {name} >= {least} but got {name} = {value!r}.")
    return int(found)


def _float(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        return float(value)
    except (TypeError, ValueError) as error:
        raise DomainError(f"Expected {name} as a number but got {value!r}.") from error
