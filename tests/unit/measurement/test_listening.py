"""The books of a subscriber."""

from __future__ import annotations

import pytest

from mqctl.measurement.listening import Listening
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.stamp import Mark, reader, writer
from mqctl.model import Delivery, SubscriptionId

SIZE = 64
FROM = 100 * NS_PER_S
write = writer(1, SIZE)


def delivery(at_ns: int, payload: bytes) -> Delivery:
    return Delivery("t", payload, {}, SubscriptionId("1"), FROM + at_ns)


def message(
    at_ns: int, sequence: int, *, publisher: int = 0, due_ns: int = 0, sent_ns: int = 0, measured: bool = True
) -> Delivery:
    return delivery(at_ns, write(Mark(measured, publisher, sequence, FROM + due_ns, FROM + sent_ns)))


def books(clocked: tuple[bool, ...] = (True,), *, shared: bool = False) -> Listening:
    return Listening(5, reader(1, SIZE), clocked, shared=shared, from_ns=FROM)


def test_latency_counts_from_when_a_message_was_due_and_beside_it_from_when_it_was_sent():
    listening = books()
    listening.take_in([message(300, 0, due_ns=100, sent_ns=250)])
    heard = listening.result()
    assert (heard.subscriber, heard.corrected.largest, heard.uncorrected.largest) == (5, 200, 50)


def test_the_warm_up_is_reconciled_but_not_measured():
    listening = books()
    listening.take_in([message(-5, 0, due_ns=-9, sent_ns=-9, measured=False), message(10, 1)])
    heard = listening.result()
    assert listening.came == 2
    assert heard.streams == ((2, (), 0, 0),)
    assert sum(heard.corrected.counts.values()) == 1
    assert heard.seconds == {0: 1}


def test_what_comes_twice_is_timed_once():
    listening = books()
    listening.take_in([message(10, 0), message(90, 0)])
    heard = listening.result()
    assert (listening.came, heard.corrected.largest, heard.streams[0].duplicated) == (1, 10, 1)


def test_what_is_not_ours_is_unexpected():
    listening = books()
    listening.take_in([delivery(1, b"hello"), message(2, 0, publisher=1), message(3, 0)])
    assert (listening.result().unexpected, listening.came) == (2, 1)


def test_a_stall_is_the_longest_time_without_a_message_that_was_due():
    listening = books()
    listening.take_in([message(100, 0, due_ns=90)])
    # Nothing was due for long: no stall. Then one was due at 5,000 and came at 5,700, with those behind it.
    listening.take_in([message(5_000, 1, due_ns=4_990)])
    listening.take_in(
        [message(5_700, 2, due_ns=5_000), message(5_700, 3, due_ns=5_100), message(5_800, 4, due_ns=5_200)]
    )
    assert listening.result().stall_ns == 700


def test_messages_by_another_clock_have_no_latency_and_no_stall():
    listening = books((True, False))
    listening.take_in([message(10, 0), message(20, 0, publisher=1, due_ns=10**15)])
    heard = listening.result()
    assert (heard.unclocked, sum(heard.corrected.counts.values()), heard.stall_ns) == (1, 1, None)
    assert heard.seconds == {0: 2}
    assert heard.last_after_ns == 20


def test_where_nothing_came_nothing_is_known():
    listening = books()
    listening.take_in([])
    heard = listening.result()
    assert (heard.stall_ns, heard.last_after_ns, heard.seconds) == (None, None, {})


@pytest.mark.parametrize("shared", [True, False])
def test_there_are_books_of_each_publisher(shared):
    listening = books((True, True), shared=shared)
    listening.take_in([message(1, 1, publisher=1)])
    heard = listening.result()
    assert [len(part.seen) for part in heard.parts] == ([0, 2] if shared else [])
    assert [stream.next for stream in heard.streams] == ([] if shared else [0, 2])


def test_what_the_shell_noticed_is_told():
    listening = books()
    listening.dropped, listening.lost_connection = 3, "gone"
    heard = listening.result()
    assert (heard.dropped, heard.lost_connection) == (3, "gone")
