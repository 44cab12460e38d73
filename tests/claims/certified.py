"""How many verdicts on the adversarial corpus have a certificate that replays.

``python -m tests.claims.certified 40 7`` takes every 40th statement from the 7th on.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

import theory as th
from tests.claims.adversarial import cases
from theory.claims.certificate import NoCertificate


def main(step: int, first: int) -> int:
    """Print the figures; the number of certificates that do not replay."""
    counts: Counter[str] = Counter()
    times: list[float] = []
    for case in cases()[first::step]:
        assume = dict(case.assume)
        try:
            verdict = th.prove(case.text, assume)
        except th.TheoryError:
            continue
        if verdict.undecided:
            continue
        begin = time.perf_counter()
        try:
            record = json.loads(json.dumps(th.certificate(case.text, assume)))
            counts[f"{verdict.status} replayed"] += th.replay(record) == str(verdict.status)
        except NoCertificate:
            counts[f"{verdict.status} without"] += 1
            print(f"no steps: {case.text[:120]} {assume}")
        times.append(time.perf_counter() - begin)
    times.sort()
    print(f"{dict(counts)}; median {times[len(times) // 2]:.2f} s, slowest {times[-1]:.0f} s")
    return sum(counts[f"{s} without"] for s in ("PROVED", "REFUTED"))


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    main(*(arguments if len(arguments) == 2 else (40, 7)))
