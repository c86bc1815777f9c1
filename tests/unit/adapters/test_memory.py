"""What `mem://` does beside the laws that every transport keeps."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mqctl.adapters import memory
from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.mailbox import HIGH_WATER
from mqctl.adapters.memory import MemoryAdapter, MemoryConnection
from mqctl.broker import Broker, Limits
from mqctl.errors import ConnectionLost, RefusedError, TopicError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Outgoing,
    Rejected,
    SubscriptionId,
    Topic,
)
from mqctl.target import Endpoint, Target
from mqctl.testing.recorder import Recorder

T = Topic(levels=("t",))
Q = Topic(native="/queue/q")
PATIENCE_S = 20.0
Connect = Callable[..., tuple[MemoryConnection, Recorder]]


def target(name: str, **more: Any) -> Target:
    return Target(scheme="mem", endpoints=(Endpoint(name, 0),), **more)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects to one fresh broker; everything is closed at the end."""
    name, opened = secrets.token_hex(6), []

    def connect_one(sink: Recorder | None = None, **more: Any) -> tuple[MemoryConnection, Recorder]:
        recorder = sink or Recorder(PATIENCE_S)
        opened.append(MemoryAdapter().connect(target(name, **more), sink=recorder))
        return opened[-1], recorder

    yield connect_one
    for connection in opened:
        connection.close()


class Stuck(Recorder):
    """A sink that takes nothing more than the greeting until `go` is set."""

    def __init__(self) -> None:
        super().__init__(PATIENCE_S)
        self.go = threading.Event()
        self.entered = threading.Event()

    def __call__(self, events: Sequence[ConnectionEvent]) -> None:
        if any(isinstance(event, Delivery) for event in events):
            self.entered.set()
            assert self.go.wait(PATIENCE_S)
        super().__call__(events)


def subscribe(connection: MemoryConnection, topic: Topic = T, **how: Any) -> SubscriptionId:
    return connection.subscribe(SubscribeSpec(topic=topic, **how), timeout_s=0)


def publish(connection: MemoryConnection, count: int, topic: Topic = T) -> list[bytes]:
    payloads = [str(number).encode() for number in range(count)]
    for payload in payloads:
        assert connection.submit(Outgoing(topic=topic, payload=payload)).outcome(0) == Confirmed(Confirmation.BROKER)
    return payloads


def test_one_name_is_one_broker_and_another_name_another(connect: Connect) -> None:
    here, recorder = connect()
    subscribe(here)
    elsewhere = MemoryAdapter().connect(target(secrets.token_hex(6)), sink=lambda _events: None)
    with elsewhere:
        publish(elsewhere, 1)
    sent = publish(connect()[0], 1)
    assert [each.payload for each in recorder.deliveries(1)] == sent


def test_greeting_names_the_broker(connect: Connect) -> None:
    connection, _ = connect()
    assert connection.greeting.peer.startswith("mem://")
    assert connection.greeting.server is not None


def test_slow_sink_gets_everything_in_order(connect: Connect) -> None:
    """Past high water the broker keeps the messages, and hands them over as the sink takes them."""
    sink = Stuck()
    slow, _ = connect(sink)
    subscribe(slow)
    publisher, _ = connect()
    sent = publish(publisher, 1)
    assert sink.entered.wait(PATIENCE_S)
    sent += publish(publisher, 2 * HIGH_WATER)
    sink.go.set()
    sink.deliveries(len(sent))
    assert sink.payloads == sent


def test_long_queue_is_handed_over_to_the_last_message(connect: Connect) -> None:
    connection, recorder = connect()
    sent = publish(connection, 2 * HIGH_WATER, Q)
    subscribe(connection, Q)
    recorder.deliveries(len(sent))
    assert recorder.payloads == sent


def test_publisher_waits_for_a_slow_subscriber(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held at the backlog's high water and goes on when the sink has caught up; nothing is dropped."""
    monkeypatch.setattr(
        memory, "Broker", lambda slow_consumer: Broker(Limits(backlog_messages=8), slow_consumer=slow_consumer)
    )
    sink = Stuck()
    slow, _ = connect(sink)
    subscribe(slow)
    publisher, _ = connect()
    publish(publisher, 1)
    assert sink.entered.wait(PATIENCE_S)
    held = threading.Event()
    clear = publisher.flowing.clear
    monkeypatch.setattr(publisher.flowing, "clear", lambda: (clear(), held.set()))
    rest = threading.Thread(target=publish, args=(publisher, HIGH_WATER + 100))
    rest.start()
    assert held.wait(PATIENCE_S)
    assert rest.is_alive()
    sink.go.set()
    rest.join(PATIENCE_S)
    assert len(sink.deliveries(HIGH_WATER + 101)) == HIGH_WATER + 101


def test_close_frees_a_waiting_publisher(connect: Connect) -> None:
    connection, _ = connect()
    connection.flowing.clear()
    waiting = threading.Thread(target=connection.submit, args=(Outgoing(topic=T, payload=b""),))
    waiting.start()
    connection.close()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_what_the_broker_refuses_is_rejected_in_its_words(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "Broker", lambda slow_consumer: Broker(Limits(queue_messages=1), slow_consumer))
    connection, _ = connect()
    connection.submit(Outgoing(topic=Q, payload=b"1"))
    connection.flowing.set()
    outcome = connection.submit(Outgoing(topic=Q, payload=b"2")).outcome(0)
    assert outcome == Rejected("limit: queue_messages (1)")


def test_sink_that_raises_ends_the_connection_and_not_the_thread(connect: Connect) -> None:
    class Broken(Recorder):
        def __call__(self, events: Sequence[ConnectionEvent]) -> None:
            super().__call__(events)
            if any(isinstance(event, Delivery) for event in events):
                raise ValueError("broken")

    connection, recorder = connect(Broken(PATIENCE_S))
    subscribe(connection)
    publish(connect()[0], 1)
    last = recorder.disconnected()
    assert not last.expected
    assert "broken" in last.reason
    connection.close()
    assert len(recorder.of(Disconnected)) == 1


def test_sink_that_does_not_return_is_called_no_more(connect: Connect) -> None:
    """`close` keeps its time, and what comes after it is not told."""
    sink = Stuck()
    connection, _ = connect(sink)
    subscribe(connection)
    publish(connect()[0], 1)
    assert sink.entered.wait(PATIENCE_S)
    connection.close(timeout_s=0)
    sink.go.set()
    connection.close()
    assert sink.of(Disconnected) == []


def test_sink_must_not_call_back(connect: Connect) -> None:
    caught: list[Exception] = []
    done = threading.Event()

    def sink(events: Sequence[ConnectionEvent]) -> None:
        if isinstance(events[0], Delivery):
            for call in (lambda: publish(connection, 1), lambda: subscribe(connection)):
                try:
                    call()
                except UsageError as error:
                    caught.append(error)
            connection.close()
            done.set()

    connection, _ = connect(sink)
    subscribe(connection)
    publish(connect()[0], 1)
    assert done.wait(PATIENCE_S)
    assert len(caught) == 2


def test_expired_messages_are_freed_by_whoever_calls_next(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []
    tick = Broker.tick
    monkeypatch.setattr(Broker, "tick", lambda self, now_ns: (ticks.append(now_ns), tick(self, now_ns))[1])
    connection, recorder = connect()
    assert isinstance(connection.submit(Outgoing(topic=Q, payload=b"", expires_ms=0)).outcome(0), Confirmed)
    subscribe(connection, T, ack_mode=AckMode.CLIENT, prefetch=1)
    publish(connection, 1)
    recorder.deliveries(1)
    for expires_ms in (1, 60_000):
        connection.submit(Outgoing(topic=T, payload=b"late", expires_ms=expires_ms))
    # Bounded by the pytest timeout: each call is one chance for the clock to have moved on.
    while not ticks:
        publish(connection, 1, Topic(levels=("nobody",)))
    assert recorder.payloads == [b"0"]


def test_content_type_is_a_header(connect: Connect) -> None:
    connection, recorder = connect()
    subscribe(connection)
    connection.submit(Outgoing(topic=T, payload=b"{}", headers={"k": "v"}, content_type="application/json"))
    assert recorder.deliveries(1)[0].headers == {"k": "v", "content-type": "application/json"}


@pytest.mark.parametrize("more", [{"persistent": True}, {"priority": 4}])
def test_what_it_cannot_carry_is_refused(connect: Connect, more: dict[str, Any]) -> None:
    connection, _ = connect()
    with pytest.raises(UnsupportedError, match="mem://"):
        connection.submit(Outgoing(topic=T, payload=b"", **more))


@pytest.mark.parametrize("how", [{"selector": "a = 1"}, {"headers": {"x": "y"}}])
def test_what_it_cannot_subscribe_is_refused(connect: Connect, how: dict[str, Any]) -> None:
    connection, _ = connect()
    with pytest.raises(UnsupportedError, match="mem://"):
        subscribe(connection, **how)


def test_brokers_refusal_of_a_subscription_is_told(connect: Connect) -> None:
    connection, _ = connect()
    with pytest.raises(RefusedError, match="client id"):
        subscribe(connection, durable="d")


def test_unknown_native_names_are_no_topics(connect: Connect) -> None:
    connection, _ = connect()
    with pytest.raises(TopicError, match="/exchange/x"):
        connection.submit(Outgoing(topic=Topic(native="/exchange/x"), payload=b""))


def test_only_durable_subscriptions_are_forgotten(connect: Connect) -> None:
    connection, _ = connect()
    with pytest.raises(UsageError, match="durable"):
        connection.unsubscribe(subscribe(connection), timeout_s=0, forget=True)


def test_acknowledging_after_close_says_so(connect: Connect) -> None:
    connection, recorder = connect()
    subscribe(connection, Q, ack_mode=AckMode.CLIENT)
    publish(connection, 1, Q)
    token = recorder.deliveries(1)[0].ack
    connection.close()
    assert token is not None
    with pytest.raises(ConnectionLost):
        connection.ack(token)


def test_foreign_tokens_are_refused(connect: Connect) -> None:
    connection, _ = connect()
    with pytest.raises(UsageError, match="another connection"):
        connection.ack(AckToken(SubscriptionId("1"), 1))
