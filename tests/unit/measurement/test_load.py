"""Schedules: when each publisher sends what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqctl.measurement.load import NS_PER_S, OVERTIME_S, Due, Load, schedule_of

LOAD = Load(
    run=1,
    publishers=1,
    subscribers=1,
    rate=10.0,
    size=128,
    warmup_s=0.0,
    duration_s=1.0,
    count=None,
    in_flight=1,
    shared=False,
)
START = 1000 * NS_PER_S


def all_of(schedule, now_ns: int = 0) -> list[Due]:
    return list(iter(lambda: schedule(now_ns), None))


def test_an_open_loop_sends_by_the_clock_whatever_the_time_is():
    dues = all_of(schedule_of(LOAD, 0, START), now_ns=START + 5 * NS_PER_S)
    assert [due.at_ns - START for due in dues] == [n * NS_PER_S // 10 for n in range(10)]
    assert all(due.measured for due in dues)


def test_publishers_take_turns_so_that_the_total_is_even():
    load = replace(LOAD, publishers=3, rate=9.0)
    dues = sorted(due for publisher in range(3) for due in all_of(schedule_of(load, publisher, 0)))
    assert [due.at_ns for due in dues] == [round(n * NS_PER_S / 9) for n in range(9)]


def test_the_warm_up_comes_before_the_time_that_is_measured():
    dues = all_of(schedule_of(replace(LOAD, warmup_s=0.5), 0, 0))
    assert [due.measured for due in dues] == [False] * 5 + [True] * 10


@pytest.mark.parametrize(
    ("rate", "warmup_s", "warm", "measured"),
    [(0.3, 4.0, 2, 1), (0.3, 3.0, 1, 2), (0.001, 0.0, 0, 1), (0.001, 1.0, 1, 0), (1.1, 0.0, 0, 5), (1.1, 5.0, 6, 5)],
)
def test_what_is_due_in_the_warm_up_is_never_measured(rate, warmup_s, warm, measured):
    load = replace(LOAD, rate=rate, warmup_s=warmup_s, duration_s=10.0 if rate == 0.001 else 4.5)
    dues = all_of(schedule_of(load, 0, 0))
    assert all(due.measured == (due.at_ns >= load.warmup_ns) for due in dues)
    assert [due.measured for due in dues] == [False] * warm + [True] * measured
    assert load.planned == warm + measured


def test_rounding_adds_no_message():
    assert replace(LOAD, rate=1.1, duration_s=10.0).planned == 11


def test_what_is_too_late_is_not_sent_at_all():
    schedule = schedule_of(LOAD, 0, START)
    over_ns = START + round((1 + OVERTIME_S) * NS_PER_S)
    assert schedule(over_ns) == Due(START, measured=True)
    assert schedule(over_ns + 1) is None
    by_count = schedule_of(replace(LOAD, duration_s=None, count=2), 0, START)
    assert len(all_of(by_count, over_ns + 1)) == 2


def test_a_closed_loop_plans_nothing():
    assert replace(LOAD, rate=None).planned is None


def test_a_count_is_of_measured_messages_and_shared_out_exactly():
    load = replace(LOAD, publishers=4, warmup_s=0.5, count=10, duration_s=None)
    dues = [due for publisher in range(4) for due in all_of(schedule_of(load, publisher, 0))]
    assert sum(due.measured for due in dues) == 10
    assert len(dues) == 15


def test_the_schedule_does_not_drift():
    load = replace(LOAD, rate=3.0, count=300_001, duration_s=None)
    schedule = schedule_of(load, 0, 0)
    last = [schedule(0) for _ in range(300_001)][-1]
    assert last == Due(100_000 * NS_PER_S, measured=True)


def test_a_closed_loop_sends_when_it_may():
    schedule = schedule_of(replace(LOAD, rate=None, warmup_s=1.0), 0, START)
    assert schedule(START - 5) == Due(START, measured=False)
    assert schedule(START + 7) == Due(START + 7, measured=False)
    assert schedule(START + NS_PER_S) == Due(START + NS_PER_S, measured=True)
    assert schedule(START + 2 * NS_PER_S) is None


def test_a_closed_loop_with_a_count_ends_by_it_alone():
    load = replace(LOAD, rate=None, duration_s=None, count=5, publishers=2, warmup_s=1.0)
    for publisher, share in ((0, 3), (1, 2)):
        schedule = schedule_of(load, publisher, START)
        assert schedule(START) == Due(START, measured=False)
        assert len(all_of(schedule, START + 10**12)) == share


@pytest.mark.parametrize(("subscribers", "shared", "due"), [(3, False, 3), (3, True, 1), (0, True, 0), (0, False, 0)])
def test_how_many_deliveries_a_message_leads_to(subscribers, shared, due):
    assert replace(LOAD, subscribers=subscribers, shared=shared).due_per_message == due
