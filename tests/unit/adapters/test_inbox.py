"""The bounded crossing between threads."""

from __future__ import annotations

import threading
import time

import pytest

from mqctl.adapters.inbox import Inbox, WhenFull
from mqctl.model import AckToken, Delivery, Disconnected, Fault, Overflowed, SubscriptionId

PATIENCE_S = 20.0


def messages(*numbers: int) -> list[Delivery]:
    return [Delivery("t", str(number).encode(), {}, SubscriptionId("1"), number) for number in numbers]


def payloads(events) -> list[bytes]:
    return [event.payload for event in events if isinstance(event, Delivery)]


def test_events_come_out_in_the_order_they_went_in():
    inbox = Inbox()
    inbox.put_batch(messages(1, 2))
    inbox.put_batch([Fault(3, "x"), *messages(4)])
    taken = inbox.take(0)
    assert payloads(taken) == [b"1", b"2", b"4"]
    assert taken[2] == Fault(3, "x")
    assert inbox.take(0) == []


def test_no_more_are_taken_than_asked_for():
    inbox = Inbox()
    inbox.put_batch(messages(1, 2, 3))
    assert payloads(inbox.take(0, 2)) == [b"1", b"2"]
    assert len(inbox) == 1


def test_a_taker_that_waits_is_woken():
    inbox, taken = Inbox(), []
    taker = threading.Thread(target=lambda: taken.extend(inbox.take(PATIENCE_S)))
    taker.start()
    inbox.put_batch(messages(1))
    taker.join(PATIENCE_S)
    assert payloads(taken) == [b"1"]


def test_an_inbox_holds_something():
    with pytest.raises(ValueError, match="at least one"):
        Inbox(limit=0)


class TestBlock:
    def test_a_full_inbox_waits_for_its_taker_and_loses_nothing(self):
        inbox = Inbox(limit=3, block_s=PATIENCE_S)
        putter = threading.Thread(target=inbox.put_batch, args=(messages(*range(100)),))
        putter.start()
        taken = []
        while len(taken) < 100:
            batch = inbox.take(PATIENCE_S)
            assert 0 < len(batch) <= 3
            taken += batch
        putter.join(PATIENCE_S)
        assert payloads(taken) == [str(number).encode() for number in range(100)]
        assert inbox.dropped == 0

    def test_past_the_limit_the_new_messages_are_dropped_and_counted(self):
        inbox = Inbox(limit=2, block_s=0.05)
        inbox.put_batch([*messages(1, 2, 3, 4), Disconnected(5, expected=False, reason="gone")])
        overflow, *kept = inbox.take(0)
        assert isinstance(overflow, Overflowed)
        assert overflow.dropped == inbox.dropped == 2
        assert payloads(kept) == [b"1", b"2"]
        assert isinstance(kept[-1], Disconnected)

    def test_each_drop_is_told_once(self):
        inbox = Inbox(limit=1, block_s=0)
        inbox.put_batch(messages(1, 2))
        assert len(inbox.take(0)) == 2
        assert inbox.take(0) == []
        assert inbox.dropped == 1


@pytest.mark.parametrize("when_full", WhenFull)
def test_what_awaits_its_acknowledgement_is_never_dropped(when_full):
    inbox = Inbox(limit=2, when_full=when_full, block_s=0)
    waiting = messages(1, 2, 3, 4)
    for number, message in enumerate(waiting):
        message.ack = AckToken(message.subscription, number)
    inbox.put_batch([*messages(0), *waiting])
    assert payloads(inbox.take(0))[-4:] == [b"1", b"2", b"3", b"4"]


class TestDropOldest:
    def test_the_newest_stay(self):
        inbox = Inbox(limit=2, when_full=WhenFull.DROP_OLDEST)
        inbox.put_batch(messages(1, 2))
        inbox.put_batch(messages(3, 4, 5))
        overflow, *kept = inbox.take(0)
        assert isinstance(overflow, Overflowed)
        assert overflow.dropped == 3
        assert payloads(kept) == [b"4", b"5"]

    def test_what_is_no_message_stays_and_keeps_its_place(self):
        inbox = Inbox(limit=2, when_full=WhenFull.DROP_OLDEST)
        inbox.put_batch([Fault(0, "first"), *messages(1), Fault(2, "second"), *messages(3)])
        kept = inbox.take(0)[1:]
        assert [type(event) for event in kept] == [Fault, Fault]
        assert [event.reason for event in kept] == ["first", "second"]

    def test_other_events_alone_are_never_dropped(self):
        inbox = Inbox(limit=1, when_full=WhenFull.DROP_OLDEST)
        inbox.put_batch([Fault(number, str(number)) for number in range(5)])
        assert len(inbox.take(0)) == 5
        assert inbox.dropped == 0


def test_an_inbox_that_rests_gathers_what_comes_meanwhile():
    """The transport's thread is held for `rest_s` after a batch, outside the lock: what it brought can be taken."""
    rest_s = 0.2
    inbox = Inbox(rest_s=rest_s)
    start = time.monotonic()
    thread = threading.Thread(target=inbox.put_batch, args=(messages(1),))
    thread.start()
    assert len(inbox.take(5.0)) == 1
    assert thread.is_alive()
    thread.join()
    assert time.monotonic() - start >= rest_s
