"""Certificates about sines and cosines of parts of a turn, and about sums of roots."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

import theory as th
from tests.claims.forged import rejected, sealed
from theory.claims.claim import claim_of
from theory.claims.relation_search import proof_of, somewhere_in
from theory.claims.replay import Rejected, replay
from theory.claims.replay.relations import read


def found(text: str, assume: dict[str, str] | None = None) -> dict[str, Any]:
    """The certificate that the search finds, whatever the prover says."""
    claim = claim_of(text, assume or {})
    basic = read(claim)
    proof = proof_of(basic, everywhere=True) | {"somewhere": somewhere_in(basic)}
    return json.loads(json.dumps(sealed({"claim": claim, "verdict": "PROVED", "proof": proof})))


TRUE = [
    "cos(pi/5) == (1 + sqrt(5))/4",
    "sin(pi/10) == (sqrt(5) - 1)/4",
    "tan(pi/8) == sqrt(2) - 1",
    "cos(pi/7) - cos(2*pi/7) + cos(3*pi/7) == 1/2",
    "16*cos(pi/17)*cos(2*pi/17)*cos(4*pi/17)*cos(8*pi/17)*sin(pi/17) == sin(16*pi/17)",
    "sin(pi/5)*sin(2*pi/5) == sqrt(5)/4",
    "cos(x + pi/5) + cos(x - pi/5) == (1 + sqrt(5))/2*cos(x)",
    # with all signs flipped another factor vanishes as well
    "sqrt(2)*sqrt(2 + sqrt(3)) == sqrt(3) + 1",
    "sqrt(2) + sqrt(3) == sqrt(5 + 2*sqrt(6))",
    "2**(1/3)*4**(1/3) == 2",
    "(7 + 5*sqrt(2))**(1/3) == 1 + sqrt(2)",
]


@pytest.mark.parametrize("text", TRUE)
def test_equal_algebraic_numbers_have_a_certificate(text: str) -> None:
    assert replay(found(text)) == "PROVED"


FALSE = [
    "cos(pi/5) == (1 - sqrt(5))/4",
    "cos(pi/5) == (1 + sqrt(5))/4 + 1/10**40",
    "cos(pi/7) - cos(2*pi/7) + cos(3*pi/7) == -1/2",
    "tan(pi/8) == -sqrt(2) - 1",
    "(7 - 5*sqrt(2))**2 == (7 + 5*sqrt(2))**(-3)",
]


@pytest.mark.parametrize("text", FALSE)
def test_conjugates_are_not_equal(text: str) -> None:
    try:
        record = found(text)
    except Rejected:
        return
    rejected(record)


def changed(record: dict[str, Any], step: int, **entries: Any) -> dict[str, Any]:
    out = copy.deepcopy(record)
    for place, value in entries.items():
        out["proof"]["steps"][step][int(place.removeprefix("at_"))] = value
    return sealed({k: v for k, v in out.items() if k not in ("seal", "sha256")})


def golden() -> tuple[dict[str, Any], list[Any]]:
    """The certificate of cos(pi/5), and its step."""
    record = found(TRUE[0])
    (step,) = record["proof"]["steps"]
    assert step[0] == "near" and step[5]
    return record, step


def test_other_factor_must_not_be_zero_and_must_be_a_polynomial() -> None:
    record, step = golden()
    entries, m = step[3], step[5]
    fives = [i for i, e in enumerate(entries) if e[0] in ("log", "root")]
    assert fives
    nothing = [0] * 40
    for other in (
        [],
        [[0, nothing]],
        [[1, nothing]],
        [[1.0, nothing]],
        [[True, nothing]],
        [["1/2", nothing]],
        [[1, [0] * 39]],
        [[1, [-1] + [0] * 39]],
        [[1, [10**30] + [0] * 39]],
        [[1, [1] + [0] * 39]],
        [[10**4_000, nothing]],
        [[-c, e] for c, e in m[:-1]],
        m[:-1],
        None,
        "m",
        [[c, dict(enumerate(e))] for c, e in m],
    ):
        rejected(changed(record, 0, at_5=other))
    # a multiple of a good factor is as good
    assert replay(changed(record, 0, at_5=[[-3 * c, e] for c, e in m])) == "PROVED"


def test_factor_that_is_zero_proves_nothing() -> None:
    """The certificate of the conjugate, with the factor that would do for it."""
    _, step = golden()
    # of (1 + sqrt 5)/4 - cos and (1 - sqrt 5)/4 - cos the product with the factor vanishes
    wrong = found(TRUE[0])
    wrong["claim"] = claim_of("cos(pi/5) == (1 - sqrt(5))/4")
    five = ["^", 5, "1/2"]
    t = json.loads(json.dumps(step[1]).replace(json.dumps(five), json.dumps(["*", -1, five])))
    wrong["proof"]["steps"][0][1] = t
    rejected(sealed({k: v for k, v in wrong.items() if k not in ("seal", "sha256")}))


@pytest.mark.parametrize("n", [5, 0, -10, 3, 20, 12, 130, 10**9, True, "10", 10.0, None, [10]])
def test_other_polygons_are_rejected(n: Any) -> None:
    record, step = golden()
    entries = copy.deepcopy(step[3])
    (i,) = [i for i, e in enumerate(entries) if e[0] == "polygon"]
    assert entries[i] == ["polygon", 10]
    entries[i] = ["polygon", n]
    rejected(changed(record, 0, at_3=entries))


def test_multiples_of_the_angle_are_checked() -> None:
    record, step = golden()
    for hint, quarters in (([1], 0), ([2], 4), ([-2], 1), ([7], 1), ([2.0], 0), ([True], 0)):
        entries = copy.deepcopy(step[3])
        (i,) = [i for i, e in enumerate(entries) if e[0] == "circle"]
        assert entries[i][2:] == [[2], 0]
        entries[i][2:] = [hint, quarters]
        rejected(changed(record, 0, at_3=entries))


def test_prover_and_checker_agree_on_a_part_of_a_turn() -> None:
    verdict = th.prove(TRUE[0])
    assert verdict.proved and th.replay(th.certificate(verdict)) == "PROVED"
    verdict = th.prove(FALSE[0])
    assert verdict.refuted and th.replay(th.certificate(verdict)) == "REFUTED"
