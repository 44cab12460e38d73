"""The count of verdicts with a certificate, on the tests of limits and of integrals."""

from __future__ import annotations

import theory as th
from tests.claims import test_integral, test_limit
from tests.claims.suite_certificates import Recorder, count, table


def test_verdicts_of_a_test_have_certificates() -> None:
    recorder = Recorder(file="test_limit.py")
    for e, point, value, assume, direction in (*test_limit.PROVED[::5], *test_limit.REFUTED[::4]):
        verdict = th.limit_is(e, "x", point, value, assume, dir=direction)
        recorder.keep("limit_is", verdict)
        recorder.keep("limit_is", verdict)
    for f, a, b, value, assume in test_integral.PROVED[::6]:
        recorder.keep("integral_is", th.integral_is(f, "x", a, b, value, assume))
    recorder.keep("prove", th.prove("x > sin(x)", {"x": "positive"}))
    counts = count(list(recorder.verdicts.values()))
    assert counts["limit_is", "test_limit.py", "PROVED", True] == 3
    assert counts["limit_is", "test_limit.py", "REFUTED", True] == 2
    assert counts["integral_is", "test_limit.py", "PROVED", True] == 4
    assert sum(counts.values()) == 9
    assert "limit_is" in table(counts, 0) and "PROVED 3 of 3" in table(counts, 0)


def test_listener_keeps_what_a_question_answers() -> None:
    recorder = Recorder()
    before = recorder.listen()
    try:
        th.limit_is("x", "x", 0, 0)
        th.prove("x**2 >= 0")
    finally:
        for (place, name), asked in before.items():
            setattr(place, name, asked)
    assert sorted(q for q, _, _ in recorder.verdicts.values()) == ["limit_is", "prove"]
