r"""The closed form of the dual curve, derived for all starts of the same signs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from theory.errors import TheoryError
from theory.exact.budget import time_budget
from theory.exact.inverse import inverse
from theory.flow.parametrization import Elementwise
from theory.mirror.dual_curve import dual_curve
from theory.mirror.legendre import curve_ends
from theory.numeric.dual_curve import ClosedForm
from theory.numeric.start import Start

__all__ = ["closed_curve"]

_SECONDS = 6.0


def closed_curve(rho: Elementwise, start: Start) -> ClosedForm | None:
    r"""$\theta(\xi)$ from symbolic starts with the signs of `start`; None where nothing closes.

    Parameters
    ----------
    rho : Elementwise
    start : mapping from parameter to a number or to an array
        Only the signs matter, so that one derivation serves many starts. A start that is not one is
        reported by the functions that use it, not here.

    Examples
    --------
    >>> found = closed_curve(Elementwise("u**2", "u"), {"u": 0.1})
    >>> [str(e).replace("_", "") for e in found.theta.values()]
    ['u0*exp(2*xi)']
    """
    by_name = {getattr(k, "name", k): v for k, v in start.items()}
    try:
        return _closed_curve(rho, tuple(_sign(by_name[s.name]) for s in rho.parameters))
    except (KeyError, TypeError, ValueError, TheoryError):
        return None


def _sign(value: Any) -> int:
    values = np.asarray(value, dtype=np.float64)
    return 1 if np.all(values > 0) else -1 if np.all(values < 0) else 0


@lru_cache(maxsize=64)
def _closed_curve(rho: Elementwise, signs: tuple[int, ...]) -> ClosedForm | None:
    """theta(xi) from a symbolic start of the given signs, or None."""
    known: tuple[dict[str, bool], ...] = ({"real": True}, {"positive": True}, {"negative": True})
    symbols = {
        s: sp.Dummy(f"{s.name}0", **known[sign])
        for s, sign in zip(rho.parameters, signs, strict=True)
    }
    xi = sp.Dummy("xi", real=True)
    with time_budget(_SECONDS):
        try:
            curve = dual_curve(rho, symbols)
            if curve.s is None or curve.theta is None or curve.dual is None:
                return None
            if curve.dual == curve.s:
                at = xi
            elif curve.dual.has(sp.Integral):
                return None
            else:
                found = inverse(
                    curve.dual, curve.s, xi, reference=curve.s_start, ranges=curve.ranges
                )
                if found is None:
                    return None
                at = found.expression
            ends = curve_ends(curve).dual
        except TheoryError:
            return None
    theta = {s: e.xreplace({curve.s: at}) for s, e in zip(rho.parameters, curve.theta, strict=True)}
    domain = None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
    return ClosedForm(xi, symbols, theta, domain, derived=True)
