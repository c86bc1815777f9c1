"""Limits on latency: read as they are typed, and refused in a sentence."""

from __future__ import annotations

import pytest

from mqctl.errors import UsageError
from mqctl.experiments.answers import Property
from mqctl.experiments.limits import Limit, is_limit, parse_limit
from mqctl.experiments.policy import expectation

MS = 1_000_000


@pytest.mark.parametrize(
    ("word", "limit", "again"),
    [
        ("p99<50ms", Limit(99, 50 * MS), "p99<50ms"),
        ("p99.90 < 1s", Limit(99.9, 1000 * MS), "p99.9<1s"),
        ("p5<1m30s", Limit(5, 90_000 * MS), "p5<1m30s"),
        ("p50<0.5ms", Limit(50, MS // 2), "p50<0.5ms"),
    ],
)
def test_a_limit_is_read_and_written(word, limit, again):
    assert is_limit(word)
    assert parse_limit(word) == limit == parse_limit(str(limit))
    assert str(limit) == again


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("p99<", "how long"),
        ("p99<5 apples", "how long"),
        ("p99<50", "has no unit"),
        ("p99<=50ms", "how long"),
        ("p99<0", "nothing can take"),
        ("p101<5ms", "no percentile"),
        ("p100<5ms", "no percentile"),
        ("p0<5ms", "no percentile"),
        ("p<5ms", "no percentile"),
        ("<5ms", "no percentile"),
        ("fifo<5ms", "no percentile"),
    ],
)
def test_what_is_no_limit_is_refused(word, says):
    with pytest.raises(UsageError, match=says) as refused:
        expectation([word])
    assert word in str(refused.value)
    assert "p99<50ms" in refused.value.hint


@pytest.mark.parametrize(("word", "samples"), [("p50<1s", 20), ("p90<1s", 100), ("p99<1s", 1000), ("p99.9<1s", 10_000)])
def test_a_limit_needs_so_many(word, samples):
    assert parse_limit(word).samples_min == samples


def test_who_limits_latency_expects_it():
    policy = expectation(["fifo", "p99<50ms", "p99<50ms", "p50<1ms"])
    assert policy.expected == {Property.FIFO, Property.LATENCY}
    assert [str(limit) for limit in policy.limits] == ["p99<50ms", "p50<1ms"]
    assert not is_limit("latency")
