"""Latency counts from when a message was due, and a generator that lags makes it worth nothing."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Property
from mqctl.experiments.events import Delivered, Fault, Header, Publish
from mqctl.measurement.verdict import Verdict
from tests.unit.experiments.histories import END, answers, judged, planted

MS = 1_000_000
LATENCY = Property.LATENCY


def came(count: int, took_ns: int, consumer: str = "c") -> list[Delivered]:
    return [Delivered(consumer, "A", n, n * MS + took_ns, n * MS) for n in range(count)]


def test_it_counts_from_the_intended_time():
    found = answers([Publish("A", 0, intended_ns=0, sent_ns=MS)], came(1000, 5 * MS))[LATENCY]
    assert found.numbers["p50_ms"] == pytest.approx(5, rel=0.01)
    assert (found.chances, found.numbers["max_ms"], found.numbers["p999_ms"], list(found.doubts)) == (1000, 5, None, [])


def test_what_comes_again_and_what_has_no_time_does_not_count():
    undated = [Delivered("c", "B", 1, 5), Delivered("c", "B", 2, intended_ns=5)]
    found = answers(came(3, MS), came(3, 900 * MS), undated)[LATENCY]
    assert (found.chances, found.numbers["max_ms"]) == (3, 1)


def test_nothing_timed_is_told():
    assert answers()[LATENCY].chances == 0
    assert "max_ms" not in answers()[LATENCY].numbers


@pytest.mark.parametrize(("late", "doubted"), [(1, False), (2, True)])
def test_a_generator_that_lags_is_told(late, doubted):
    sent = [Publish("A", n, intended_ns=n, sent_ns=n + (2 * MS if n < late else 0)) for n in range(100)]
    found = answers(sent, came(100, MS))[LATENCY]
    assert found.numbers["late_sends"] == late
    assert any("lagged" in doubt for doubt in found.doubts) is doubted


def test_clocks_that_differ_say_nothing():
    found = answers(came(10, MS), header=Header(version=1, clocks="several"))[LATENCY]
    assert found.chances == 0
    assert list(found.doubts) == ["the clocks of the actors cannot be compared"]


def test_what_came_before_it_was_due_is_told():
    found = answers(came(10, MS), [Delivered("c", "B", 1, 5, 6)])[LATENCY]
    assert list(found.doubts) == ["1 messages came before they were due"]


def test_a_planted_delay_is_found_and_is_no_latency():
    delay = planted(Fault.DELAY, "c", "A3", delay_ns=20 * MS)
    late = Delivered("c", "A", 3, 3 * MS + 21 * MS, 3 * MS)
    found = answers(delay, came(3, MS), late)[LATENCY]
    assert (found.planted, found.found, list(found.doubts)) == (1, 1, [])
    assert (found.chances, found.numbers["max_ms"]) == (3, 1)
    for blind in (came(4, MS), [*came(3, MS), Delivered("c", "A", 3)], [Delivered("c", "A", 3, 5)]):
        missed = answers(delay, blind)[LATENCY]
        assert missed.found == 0
        assert missed.doubts == ["1 of 1 planted faults were not found, first delay of A3 by 20 ms at c"]


def test_how_few_may_take_longer_is_a_limits_own_matter():
    assert answers(came(1000, MS))[LATENCY].bound is None


def mixed(fast: int, slow: int) -> list[Delivered]:
    """So many that take 1 ms, and so many that take 60."""
    return [Delivered("c", "A", n, n * MS + (1 if n < fast else 60) * MS, n * MS) for n in range(fast + slow)]


@pytest.mark.parametrize(
    ("deliveries", "limits", "verdict", "late"),
    [
        (mixed(990, 10), "p99<50ms", Verdict.PASS, 0),
        (mixed(989, 11), "p99<50ms", Verdict.FAIL, 11),
        (mixed(989, 11), "p50<50ms p99<1s", Verdict.PASS, 0),
        (mixed(989, 11), "p99<1s p99<50ms p50<0.5ms", Verdict.FAIL, 1000),
        (came(1000, 50 * MS), "p99<50ms", Verdict.FAIL, 1000),
        # Too few to tell, whatever they show; what was enough for another limit fails.
        (mixed(999, 0), "p99<50ms", Verdict.INCONCLUSIVE, 0),
        (mixed(0, 999), "p99<50ms", Verdict.INCONCLUSIVE, 0),
        (mixed(0, 999), "p99<50ms p98<50ms", Verdict.FAIL, 999),
        ([], "p50<50ms", Verdict.INCONCLUSIVE, 0),
    ],
)
def test_a_limit(deliveries, limits, verdict, late):
    (told,) = [each for each in judged(deliveries, END, expect=limits).judged if each.answer.about is LATENCY]
    assert (told.verdict, told.answer.violations) == (verdict, late)


def test_a_limit_says_what_was_measured():
    (told,) = [each for each in judged(mixed(980, 20), expect="p99<50ms p99.9<1s").judged if each.verdict]
    assert list(told.answer.notes) == ["p99 was 60.00 ms"]
    assert [witness.text for witness in told.answer.witnesses] == ["p99 was 60.00 ms, against p99<50ms"]
    assert list(told.why) == ["p99.9<1s needs 10,000 deliveries, and there were 1,000"]


@pytest.mark.parametrize("lag", [False, True])
def test_a_generator_that_lags_makes_nobody_slow(lag):
    sent = [Publish("A", n, intended_ns=n, sent_ns=n + 2 * MS * lag) for n in range(1000)]
    report = judged(sent, came(1000, 60 * MS), END, expect="p50<50ms")
    assert report.verdict is (Verdict.INCONCLUSIVE if lag else Verdict.FAIL)


def test_a_header_may_set_a_limit():
    header = Header(version=1, expect=("fifo", "p50<50ms"))
    assert judged(came(1000, 60 * MS), END, header=header).verdict is Verdict.FAIL
