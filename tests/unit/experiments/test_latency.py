"""Latency counts from when a message was due, and a generator that lags makes it worth nothing."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Property
from mqctl.experiments.events import Delivered, Fault, Header, Publish
from tests.unit.experiments.histories import answers, planted

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


def test_a_planted_delay_is_found():
    delay = planted(Fault.DELAY, "c", "A3", delay_ns=20 * MS)
    late = Delivered("c", "A", 3, 3 * MS + 21 * MS, 3 * MS)
    found = answers(delay, came(3, MS), late)[LATENCY]
    assert (found.planted, found.found, list(found.doubts)) == (1, 1, [])
    for blind in (came(4, MS), [*came(3, MS), Delivered("c", "A", 3)], [Delivered("c", "A", 3, 5)]):
        missed = answers(delay, blind)[LATENCY]
        assert missed.found == 0
        assert missed.doubts == ["1 of 1 planted faults were not found, first delay of A3 by 20 ms at c"]
