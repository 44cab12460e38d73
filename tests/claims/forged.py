"""Helpers for forged certificates: one thing changed, hash and seal made again."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from theory.claims.certificate import certificate
from theory.claims.replay import Rejected, digest, replay


def replayed(verdict: Any, status: str) -> dict[str, Any]:
    """The certificate of a verdict, after JSON and the checker."""
    record: dict[str, Any] = json.loads(json.dumps(certificate(verdict)))
    assert replay(record) == status == str(verdict.status)
    assert record["sha256"] == verdict.record["sha256"]
    return record


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    record["sha256"] = digest(record["claim"])
    record["seal"] = digest({k: v for k, v in record.items() if k != "seal"})
    return record


def forged(record: dict[str, Any], claim: dict[str, Any] | None = None, **proof: Any) -> Any:
    """A copy with other entries of the claim and of the proof."""
    out = copy.deepcopy(record)
    out["claim"] |= claim or {}
    out["proof"] |= proof
    return sealed(out)


def rejected(record: dict[str, Any], match: str | None = None) -> None:
    with pytest.raises(Rejected, match=match):
        replay(record)
