"""The report: results put together, rates, quantiles that the samples suffice for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqctl.measurement.arrivals import Arrived
from mqctl.measurement.histogram import Histogram
from mqctl.measurement.listening import Heard
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.report import Lateness, Work, latency_of, put_together
from mqctl.measurement.sending import Sent
from mqctl.model import Confirmation
from tests.unit.measurement.test_load import LOAD


def sent(publisher: int = 0, **more) -> Sent:
    return Sent(publisher=publisher, **{"attempted": 10, "sends": 10, "last_after_ns": NS_PER_S, **more})


def heard(**more) -> Heard:
    usual = {"streams": (Arrived(10),), "stall_ns": 5, "last_after_ns": NS_PER_S, "seconds": {0: 10}}
    return Heard(subscriber=0, **{**usual, **more})


def report(load=LOAD, works=None):
    return put_together(load, Confirmation.BROKER, works or (Work("1", (sent(),), (heard(),), 0.5),))


def test_the_results_of_all_workers_are_one_report():
    load = replace(LOAD, publishers=2, subscribers=2)
    one = Work(
        "1", (sent(1, late=1, late_max_ns=7, seconds={0: 10}),), (heard(streams=(Arrived(10), Arrived(9))),), 0.5
    )
    two = Work("2", (sent(0, held=2, late=2, reasons=("a",)),), (heard(streams=(Arrived(10), Arrived(10)), dropped=3),))
    made = report(load, (one, two))
    assert [books.lost for books in made.publishers] == [0, 1]
    assert made.books.lost == 1
    assert made.lateness == Lateness(20, 3, 2, 7)
    assert (made.sent_per_s, made.delivered_per_s, made.delivered_least_per_s) == (20, 20, 20)
    assert (made.sent_each_second, made.dropped, made.reasons) == ((10,), 3, ("a",))
    assert made.cpu_shares == {"1": 0.5, "2": None}


def test_a_rate_counts_until_the_last_message_came():
    made = report(works=(Work("1", (sent(),), (heard(last_after_ns=4 * NS_PER_S),)),))
    assert (made.sent_per_s, made.delivered_per_s) == (10, 2.5)


def test_a_run_of_a_count_is_as_long_as_it_took():
    load = replace(LOAD, rate=None, duration_s=None, count=10)
    works = (
        Work(
            "1", (sent(last_after_ns=NS_PER_S // 2),), (heard(last_after_ns=5 * NS_PER_S // 2, seconds={0: 9, 1: 1}),)
        ),
    )
    made = report(load, works)
    assert (made.sent_per_s, made.delivered_per_s, made.delivered_each_second) == (20, 4, (9, 1))


@pytest.mark.parametrize(("stopped", "cut_short"), [("gone", False), (None, True)])
def test_a_run_that_ended_early_is_as_long_as_it_took(stopped, cut_short):
    load = replace(LOAD, duration_s=60.0)
    works = (Work("1", (sent(stopped=stopped),), (heard(),)),)
    made = put_together(load, Confirmation.BROKER, works, cut_short=cut_short)
    assert (made.sent_per_s, made.delivered_each_second) == (10, (10,))


def test_the_worst_second_counts_when_nothing_came_in_it():
    load = replace(LOAD, duration_s=3.0)
    made = report(load, (Work("1", (sent(),), (heard(seconds={0: 6, 2: 4, 3: 1}),)),))
    assert made.delivered_each_second == (6, 0, 4)
    assert made.delivered_least_per_s == 0


def test_nobody_to_deliver_to_has_no_worst_second():
    made = report(replace(LOAD, subscribers=0), (Work("1", (sent(),)),))
    assert (made.delivered_each_second, made.delivered_least_per_s) == ((0,), None)


@pytest.mark.parametrize(("shares", "share"), [((0.5, None), 0.5), ((0.5, 0.25), 0.75), ((None, None), None)])
def test_what_all_used_is_known_where_one_could_tell(shares, share):
    works = tuple(Work(str(number), cpu_share=each) for number, each in enumerate(shares))
    assert report(works=works).cpu_share == share


def test_what_did_not_happen_has_no_rate():
    load = replace(LOAD, duration_s=None, count=1)
    made = report(load, (Work("1"),))
    assert (made.sent_per_s, made.delivered_per_s, made.delivered_least_per_s, made.stall_ns) == (None,) * 4
    assert made.corrected.longest_ns is None


@pytest.mark.parametrize(
    ("stalls", "unclocked", "longest"),
    [((5, 9), 0, 9), ((5, None), 0, 5), ((None, None), 0, None), ((5, None), 1, None)],
)
def test_the_longest_stall_is_told_where_all_clocks_can(stalls, unclocked, longest):
    ears = (heard(stall_ns=stalls[0]), heard(stall_ns=stalls[1], unclocked=unclocked))
    assert report(works=(Work("1", (sent(),), ears),)).stall_ns == longest


def test_lost_connections_are_told_once():
    ends = "publisher 0: gone"
    made = report(
        works=(Work("1", (sent(stopped=ends), sent(1)), (heard(lost_connection="x", streams=(Arrived(),) * 2),)),)
    )
    assert made.lost_connections == (ends, "x")


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (0, []),
        (19, []),
        (20, ["p50"]),
        (100, ["p50", "p90"]),
        (1000, ["p50", "p90", "p95", "p99"]),
        (9_999, ["p50", "p90", "p95", "p99"]),
        (10_000, ["p50", "p90", "p95", "p99", "p999"]),
        (100_000, ["p50", "p90", "p95", "p99", "p999", "p9999"]),
    ],
)
def test_a_quantile_is_told_when_ten_messages_are_beyond_it(samples, told):
    histogram = Histogram()
    histogram.record_all([1] * samples)
    latency = latency_of(histogram)
    assert [name for name, ns in latency.quantiles.items() if ns is not None] == told
    assert latency.samples == samples
