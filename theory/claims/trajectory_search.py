"""The search for the lengths of the steps by which a trajectory is enclosed."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from flint import arb

from theory.claims.relation_search import part_of
from theory.claims.replay import Rejected
from theory.claims.replay.answers import rate_of
from theory.claims.replay.enclosure import advance, taylor_setting
from theory.claims.replay.terms import ball, literal, number, substitute, written_out
from theory.claims.replay.trajectories import Flow, demand_path, start_box
from theory.exact.budget import spent
from theory.exact.verdict import Verdict

__all__ = ["path_proof"]

_ORDER, _BITS = 24, 256
_LONGEST = (Fraction(1, 8), Fraction(1, 32))
_ADDED = 2.0**-60
"""By how much a step may widen a box, relative to what the width is already."""
_SHORTEST = Fraction(1, 2**20)


def path_proof(claim: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Steps up to the end, or up to a drift beyond the bound.

    Raises
    ------
    Rejected
        When the enclosures are too wide, or stop before.
    """
    proof: dict[str, Any] = {"bits": _BITS, "order": _ORDER}
    word, failed = str(verdict.status), "no steps"
    if claim["ask"] == "drift" and verdict.proved:
        found = _conserved(claim)
        proof |= {} if found is None else {"conserved": found}
    for longest in _LONGEST:
        lengths = _lengths(claim, longest, until_drift=claim["ask"] == "drift" and verdict.refuted)
        made = proof | {"lengths": [literal(h) for h in lengths]}
        try:
            demand_path(claim, word, made)
            return made
        except Rejected as error:
            failed = str(error)
    raise Rejected(failed)


def _conserved(claim: Mapping[str, Any]) -> dict[str, Any] | None:
    law, component = written_out(claim["law"]), written_out(claim["component"])
    rates = [written_out(p) for p in claim["rates"]]
    names = claim["parameters"]
    try:
        return part_of(
            {
                "operator": "==",
                "left": rate_of(law, component, names, rates),
                "right": 0,
                "ranges": {x: [None, None] for x in names},
                "relations": [],
                "closed": [],
            }
        )
    except Rejected:
        return None


def _lengths(claim: Mapping[str, Any], longest: Fraction, *, until_drift: bool) -> list[Fraction]:
    """Lengths that the checker accepts, as long as possible."""
    flow = Flow(claim)
    end = number(flow.end) or Fraction(0)
    lengths: list[Fraction] = []
    with taylor_setting(_BITS, _ORDER):
        box = start_box(flow)
        first, h, time = box, longest, Fraction(0)
        while time < end:
            if spent() or h < _SHORTEST:
                raise Rejected("no enclosure of the flow up to the end")
            step = min(h, end - time)
            try:
                stretch = advance(flow.field, box, ball(literal(step), {}), _ORDER)
            except (Rejected, ZeroDivisionError):
                h /= 2
                continue
            if _width(stretch.after) > 2 * _width(box) + _ADDED and step > _SHORTEST * 2**8:
                h = step / 2
                continue
            lengths.append(step)
            box, time, h = stretch.after, time + step, min(2 * h, longest)
            if until_drift and _moved(flow, claim, first, box):
                break
    return lengths


def _width(box: list[arb]) -> float:
    return max(float(b.rad()) for b in box)


def _moved(flow: Flow, claim: Mapping[str, Any], first: list[arb], box: list[arb]) -> bool:
    most = ball(written_out(claim["bound"]), {})
    for copy in flow.copies:
        c = substitute(written_out(claim["law"]), copy)
        gap = abs(ball(c, flow.field.env(box)) - ball(c, flow.field.env(first)))
        if gap.is_finite() and gap > most:
            return True
    return False
