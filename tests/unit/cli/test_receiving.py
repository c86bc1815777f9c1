"""Receiving until a limit is reached."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from mqctl.cli import receiving
from mqctl.cli.context import AppContext
from mqctl.cli.outages import Outages
from mqctl.cli.receiving import Limits, Receiver
from mqctl.cli.tail import receive_all
from mqctl.errors import ConnectionLost, MeasuredWrong, OperationTimeout, RefusedError
from mqctl.model import (
    AckMode,
    AckToken,
    Connected,
    Delivery,
    Disconnected,
    Fault,
    Interrupted,
    Overflowed,
    Resumed,
    SubscriptionId,
)
from tests.unit.cli.fakes import FakeConnection, delivery, filled

S, Q = SubscriptionId("s"), SubscriptionId("q")


def receiver(*events: object, mode: AckMode = AckMode.AUTO, **more) -> Receiver:
    limits = {name: more.pop(name) for name in ("count", "timeout_s", "idle_s") if name in more}
    usual = {"complain": [].append, "ack_modes": {S: mode, Q: AckMode.INDIVIDUAL}}
    return Receiver(connection=FakeConnection(), inbox=filled(*events), limits=Limits(**limits), **{**usual, **more})


def test_batches_are_handed_on_in_order_with_the_number_of_their_first():
    seen: list[tuple[list[bytes], int]] = []

    def handle(deliveries: Sequence[Delivery], first: int) -> None:
        seen.append(([each.payload for each in deliveries], first))

    run = receiver(Connected(0, "peer", None, None), delivery(1), delivery(2), handle=handle)
    assert run.step(0)
    run.inbox.put_batch([delivery(3)])
    assert run.step(0)
    assert seen == [([b"1", b"2"], 1), ([b"3"], 3)]
    assert run.received == 3


def test_no_more_than_the_count_is_handled_or_acknowledged():
    run = receiver(*map(delivery, (1, 2, 3)), Disconnected(0, False, "bye"), mode=AckMode.INDIVIDUAL, count=2)
    assert run.step(0)
    assert not run.step(0)
    assert (run.received, run.connection.acked) == (2, [1, 2])


def test_what_happened_before_the_last_message_is_told_and_counted_although_it_came_with_it():
    said: list[str] = []
    gone, back = Interrupted(0, "gone", 60.0), Resumed(0, "peer", 1, 2_000_000_000)
    late = Disconnected(0, False, "bye")
    run = receiver(gone, back, Overflowed(0, 5), delivery(1), late, count=1, outages=Outages(said.append))
    assert run.step(0)
    assert not run.step(0)
    assert (run.summary(), run.dropped) == ("received 1, reconnects 1, longest outage 2s", 5)
    assert len(said) == 2


def test_client_mode_acknowledges_the_last_of_each_subscription():
    run = receiver(*(delivery(1), delivery(2, "q"), delivery(3), delivery(4, "q")), mode=AckMode.CLIENT)
    run.step(0)
    assert sorted(run.connection.acked) == [2, 3, 4]


def test_what_needs_no_acknowledgement_gets_none():
    run = receiver(delivery(1, acked=False))
    run.step(0)
    assert run.connection.acked == []


def test_what_could_not_be_handled_is_not_acknowledged():
    def full(_deliveries: Sequence[Delivery], _first: int) -> None:
        raise MeasuredWrong("no space")

    run = receiver(delivery(1), mode=AckMode.INDIVIDUAL, handle=full)
    with pytest.raises(MeasuredWrong):
        run.step(0)
    assert (run.received, run.connection.acked) == (0, [])


def test_a_lost_connection_comes_after_what_was_received():
    run = receiver(delivery(1), Disconnected(0, False, "bye"))
    with pytest.raises(ConnectionLost, match="connection lost after 1 messages: bye"):
        run.step(0)


class Dead(FakeConnection):
    """Nothing can be acknowledged any more."""

    def ack(self, token: AckToken) -> None:
        raise ConnectionLost("Broken pipe")


@pytest.mark.parametrize("count", [None, 1])
@pytest.mark.parametrize("late", [False, True])
def test_why_nothing_can_be_acknowledged_is_told_by_the_last_event(count, late):
    said: list[str] = []
    end = [Fault(0, "too slow"), Disconnected(0, False, "bye", RefusedError("not you"))]
    run = receiver(delivery(1), *([] if late else end), mode=AckMode.INDIVIDUAL, count=count, complain=said.append)
    run.connection = Dead()
    if late:
        run.handle = lambda _deliveries, _first: run.inbox.put_batch(end)
    with pytest.raises(RefusedError, match="not you"):
        run.step(0)
    assert (run.received, said) == (1, ["the broker says: too slow"])


def test_where_no_last_event_comes_what_could_not_be_done_is_the_end(monkeypatch):
    monkeypatch.setattr(receiving, "LAST_EVENT_S", 0.0)
    run = receiver(delivery(1), mode=AckMode.INDIVIDUAL)
    run.connection = Dead()
    with pytest.raises(ConnectionLost, match="Broken pipe"):
        run.step(0)


def test_complaints_and_drops_are_told_and_counted():
    said: list[str] = []
    run = receiver(Overflowed(0, 5), Fault(0, "careful"), delivery(1), complain=said.append)
    assert run.step(0)
    assert said == ["5 messages came faster than they were taken, and were dropped", "the broker says: careful"]
    assert (run.received, run.dropped) == (1, 5)


def test_a_time_limit_is_an_error_and_says_what_came():
    run = receiver(delivery(1), timeout_s=0.0)
    with pytest.raises(OperationTimeout, match="--timeout is over; 0 messages came"):
        run.step(0)


def test_idleness_is_the_end():
    run = receiver(idle_s=0.001)
    assert run.step()
    assert not run.step()


def test_idleness_is_wrong_where_more_was_expected():
    run = receiver(delivery(1), count=2, idle_s=0.001)
    assert run.step()
    assert run.step()
    with pytest.raises(MeasuredWrong, match="1 of 2 messages came before --idle was over"):
        run.step()


def test_each_message_puts_idleness_off():
    run = receiver(delivery(1), idle_s=60.0)
    before = run._idle_deadline
    run.step(0)
    assert run._idle_deadline > before


def test_patience_ends_a_wait_without_a_message():
    assert receiver().step(0.001)


def test_who_ends_it_as_soon_as_it_begins_hears_the_count_too():
    """Scripts wait for the line that it begins with, and may send the signal at once."""
    context = AppContext(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(), environ={}, cwd=Path())

    def begin() -> None:
        context.say("subscribed")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        receive_all(context, receiver(), begin)
    assert context.stderr.getvalue() == "mqctl: subscribed\nmqctl: received 0\n"
