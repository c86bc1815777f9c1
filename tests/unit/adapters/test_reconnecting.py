"""A connection that is made again when it is lost, over transports that do what a test says."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mqctl.adapters import reconnecting
from mqctl.adapters.base import ConnectionStats, EventSink, SubscribeSpec
from mqctl.adapters.pending import Settled
from mqctl.adapters.reconnecting import ReconnectingConnection
from mqctl.errors import (
    ConnectError,
    ConnectionLost,
    MqctlError,
    OperationTimeout,
    ProtocolError,
    RefusedError,
    TlsError,
    UnsupportedError,
    UsageError,
)
from mqctl.model import (
    AckToken,
    Confirmation,
    Confirmed,
    Connected,
    Delivery,
    Dialect,
    Disconnected,
    Fault,
    Interrupted,
    Outgoing,
    Resumed,
    SubscriptionId,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.target import Endpoint, MqttOptions, ReconnectOptions, Target
from mqctl.testing import Recorder

A, B = Endpoint("a", 1), Endpoint("b", 2)
TARGET = Target(scheme="fake", endpoints=(A, B), reconnect=ReconnectOptions(30.0, 0.01))
SPEC = SubscribeSpec(topic=Topic(levels=("t",)))
PATIENCE_S = 20.0
CONFIRMED = Confirmed(Confirmation.BROKER)


class FakeLine:
    """One connection of the transport."""

    def __init__(self, target: Target, sink: EventSink) -> None:
        self.target = target
        self.sink = sink
        self.greeting = Connected(0, str(target.endpoints[0]), None, None)
        self.subscribed: list[SubscribeSpec] = []
        self.acked: list[object] = []
        self.transactions: list[FakeTransaction] = []
        self.closed = self.freed = False
        self.on_subscribe: Callable[[SubscriptionId], None] = lambda _name: None
        sink([self.greeting])

    def submit(self, message: Outgoing, *, confirmation: Confirmation) -> Settled:
        return Settled(CONFIRMED)

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        name = SubscriptionId(f"{id(self)}-{len(self.subscribed)}")
        self.on_subscribe(name)
        self.subscribed.append(spec)
        return name

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool) -> None:
        self.subscribed.pop()

    def ack(self, token: AckToken) -> None:
        if self.closed:
            raise ConnectionLost("gone")
        self.acked.append(token.native)

    def begin(self) -> FakeTransaction:
        self.transactions.append(FakeTransaction(self))
        return self.transactions[-1]

    def stats(self) -> ConnectionStats:
        return ConnectionStats(1, 2, 3, 4)

    def deliver(self, payload: bytes, subscription: str, token: object = None) -> None:
        name = SubscriptionId(subscription)
        ack = None if token is None else AckToken(name, token)
        self.sink([Delivery("t", payload, {}, name, 0, ack=ack)])

    def lose(self, *, expected: bool = False) -> None:
        self.closed = True
        self.sink([Disconnected(time.monotonic_ns(), expected, "closed" if expected else "lost")])

    def close(self, *, timeout_s: float) -> None:
        self.freed = True
        if not self.closed:
            self.lose(expected=True)


class FakeTransaction:
    """One of a line."""

    def __init__(self, line: FakeLine) -> None:
        self.line = line
        self.done: list[object] = []

    def submit(self, message: Outgoing) -> None:
        self._do(message.payload)

    def ack(self, token: AckToken) -> None:
        self._do(("ack", token.native))

    def nack(self, token: AckToken) -> None:
        self._do(("nack", token.native))

    def commit(self) -> Settled:
        return Settled(Unknown("gone", UnknownCause.LOST) if self.line.closed else CONFIRMED)

    abort = commit

    def _do(self, what: object) -> None:
        if self.line.closed:
            raise ConnectionLost("gone")
        self.done.append(what)


class FakeAdapter:
    """Connects, or fails as told: `failures` are taken in order, by tries after the first connection."""

    def __init__(self, *failures: MqctlError) -> None:
        self.lines: list[FakeLine] = []
        self.tries: list[Target] = []
        self._failures = list(failures)
        self.on_connect: Callable[[FakeLine], None] = lambda _line: None

    def connect(self, target: Target, *, sink: EventSink) -> FakeLine:
        self.tries.append(target)
        if self.lines and self._failures:
            raise self._failures.pop(0)
        line = FakeLine(target, sink)
        self.on_connect(line)
        self.lines.append(line)
        return line


def connected(
    adapter: FakeAdapter, sink: Any = None, target: Target = TARGET
) -> tuple[ReconnectingConnection, Recorder]:
    recorder = Recorder(PATIENCE_S)
    return reconnecting.connect(adapter, target, sink=sink or recorder, rng=random.Random(1)), recorder  # type: ignore[arg-type]


def kinds(recorder: Recorder) -> list[type]:
    return [type(event) for event in recorder.events]


def again(connection: ReconnectingConnection, adapter: FakeAdapter) -> FakeLine:
    """Lose the connection, and wait for the next."""
    adapter.lines[-1].lose()
    assert connection.submit(Outgoing(topic=SPEC.topic, payload=b"")).outcome(0) == CONFIRMED
    return adapter.lines[-1]


def test_everything_stands_again_in_its_order_and_is_told_in_between():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)
    other = SubscribeSpec(topic=Topic(levels=("other",)))
    names = [connection.subscribe(spec, timeout_s=1) for spec in (SPEC, other)]
    line = again(connection, adapter)
    assert line.subscribed == [SPEC, other]
    line.deliver(b"x", f"{id(line)}-1")
    assert recorder.message(b"x").subscription == names[1]
    connection.close()
    assert kinds(recorder) == [Connected, Interrupted, Resumed, Delivery, Disconnected]
    assert recorder.disconnected().expected


def test_the_next_endpoint_is_tried_first():
    adapter = FakeAdapter(ConnectError("no"))
    connection, recorder = connected(adapter)
    again(connection, adapter)
    again(connection, adapter)
    assert [target.endpoints for target in adapter.tries] == [(A, B), (B, A), (B, A), (A, B)]
    assert [event.attempts for event in recorder.of(Resumed)] == [2, 1]
    connection.close()


def test_an_endpoint_that_is_named_twice_does_not_keep_the_others_from_their_turn():
    adapter = FakeAdapter()
    connection, _ = connected(adapter, target=replace(TARGET, endpoints=(A, A, B)))
    again(connection, adapter)
    assert adapter.tries[-1].endpoints == (B, A)
    connection.close()


@pytest.mark.parametrize(("expiry_s", "clean"), [(60.0, False), (0.0, True), (None, True)])
def test_a_session_that_was_clean_at_first_and_is_kept_is_not_thrown_away_later(expiry_s, clean):
    adapter = FakeAdapter()
    mqtt = MqttOptions(version="5", clean=True, session_expiry_s=expiry_s)
    connection, _ = connected(adapter, target=replace(TARGET, mqtt=mqtt))
    again(connection, adapter)
    assert [target.mqtt.clean for target in adapter.tries] == [True, clean]
    connection.close()


@pytest.mark.parametrize(
    ("how", "mqtt", "session", "is_told"),
    [
        ({"dialect": Dialect.MOSQUITTO}, {}, "new", True),
        ({}, {"version": "5"}, "new", True),
        ({}, {}, "new", False),
        ({"dialect": Dialect.MOSQUITTO}, {}, "resumed", False),
        ({"dialect": Dialect.CLASSIC}, {}, "not told", False),
        ({"dialect": Dialect.MOSQUITTO}, {"clean": True}, "new", False),
        ({"scheme": "bayeux+ws"}, {"clean": None, "version": "5"}, "new", False),
    ],
)
def test_a_session_that_the_broker_has_forgotten_is_told_to_who_subscribed(how, mqtt, session, is_told):
    def on_connect(line: FakeLine) -> None:
        line.greeting = line.greeting._replace(detail={"session": session})

    adapter = FakeAdapter()
    adapter.on_connect = on_connect
    options = MqttOptions(**{"clean": False, **mqtt})
    target = replace(TARGET, **{"scheme": "mqtt", "client_id": "me", "mqtt": options, **how})
    connection, recorder = connected(adapter, target=target)
    again(connection, adapter)
    assert recorder.of(Fault) == []
    connection.subscribe(SPEC, timeout_s=1)
    again(connection, adapter)
    told = "it has forgotten the session of 'me'; messages in between may be missing"
    assert [event.reason for event in recorder.of(Fault)] == [told] * is_told
    connection.close()


def test_a_message_that_comes_before_its_subscription_is_confirmed_has_its_name_all_the_same():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)
    first = adapter.lines[0]
    first.on_subscribe = lambda name: first.deliver(b"early", name)
    name = connection.subscribe(SPEC, timeout_s=1)
    adapter.on_connect = lambda line: setattr(line, "on_subscribe", lambda inner: line.deliver(b"again", inner))
    again(connection, adapter)
    assert [recorder.message(payload).subscription for payload in (b"early", b"again")] == [name, name]
    assert kinds(recorder)[-2:] == [Resumed, Delivery]
    connection.close()


def test_only_tokens_of_the_living_connection_reach_it():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)
    adapter.lines[0].deliver(b"old", "s", "t1")
    line = again(connection, adapter)
    line.deliver(b"new", "s", "t2")
    for payload in (b"old", b"new"):
        token = recorder.message(payload).ack
        assert token is not None
        connection.ack(token)
    assert (adapter.lines[0].acked, line.acked) == ([], ["t2"])
    stranger, _ = connected(FakeAdapter())
    for foreign in (token, AckToken(SubscriptionId("s"), "t2")):
        with pytest.raises(UsageError):
            stranger.ack(foreign)
    connection.close()
    with pytest.raises(ConnectionLost):
        connection.ack(token)


@pytest.mark.parametrize(
    ("failure", "final"),
    [
        (ConnectError("nobody"), False),
        (TlsError("hung up"), False),
        (OperationTimeout("slow"), False),
        (RefusedError("password"), True),
        (ProtocolError("HTTP"), True),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_may_pass_is_tried_again_and_the_rest_is_the_end(failure, final):
    adapter = FakeAdapter(failure)
    connection, recorder = connected(adapter)
    adapter.lines[0].lose()
    outcome = connection.submit(Outgoing(topic=SPEC.topic, payload=b"")).outcome(0)
    if final:
        assert isinstance(outcome, Unknown)
        assert recorder.disconnected().error is failure
        assert str(failure) in recorder.disconnected().reason
    else:
        assert outcome == CONFIRMED
    connection.close()
    assert len(recorder.of(Disconnected)) == 1


def test_a_certificate_that_is_not_trusted_stays_so():
    error = TlsError("not trusted")
    error.__cause__ = ssl.SSLCertVerificationError()
    adapter = FakeAdapter(error)
    _, recorder = connected(adapter)
    adapter.lines[0].lose()
    assert recorder.disconnected().error is error


def test_a_broker_may_take_our_client_id_for_used_for_a_while_and_its_word_is_told_once():
    """It may as well mean the password, which will not pass."""
    adapter = FakeAdapter(*[RefusedError("already connected")] * 3)
    connection, recorder = connected(adapter, target=replace(TARGET, client_id="me"))
    again(connection, adapter)
    connection.close()
    assert [event.reason for event in recorder.of(Fault)] == ["already connected"]


def test_what_a_broker_cannot_do_does_not_pass_with_a_client_id_either():
    adapter = FakeAdapter(error := UnsupportedError("no durable subscriptions"))
    _, recorder = connected(adapter, target=replace(TARGET, client_id="me"))
    adapter.lines[0].lose()
    assert recorder.disconnected().error is error


def test_a_line_lost_while_it_is_made_is_another_failure():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)
    connection.subscribe(SPEC, timeout_s=1)
    broken = iter([True])

    def on_connect(line: FakeLine) -> None:
        def lose(_name: SubscriptionId) -> None:
            if next(broken, False):
                line.lose()
                raise ConnectionLost("at once")

        line.on_subscribe = lose

    adapter.on_connect = on_connect
    again(connection, adapter)
    assert [event.attempts for event in recorder.of(Resumed)] == [2]
    connection.close()


def test_it_gives_up_on_time_and_says_so():
    adapter = FakeAdapter(*[ConnectError("nobody there")] * 10_000)
    target = Target(scheme="fake", endpoints=(A,), reconnect=ReconnectOptions(0.05, 0.01))
    connection, recorder = connected(adapter, target=target)
    adapter.lines[0].lose()
    assert "lost; gave up after 50ms and " in recorder.disconnected().reason
    assert recorder.disconnected().reason.endswith("tries; the last: nobody there")
    assert isinstance(connection.submit(Outgoing(topic=SPEC.topic, payload=b"")).outcome(0), Unknown)
    with pytest.raises(ConnectionLost):
        connection.subscribe(SPEC, timeout_s=1)


def test_where_the_time_is_over_already_nobody_is_told_of_another_try():
    """The connection between did not last, so the time went on."""
    adapter = FakeAdapter()
    target = Target(scheme="fake", endpoints=(A,), reconnect=ReconnectOptions(0.05, 0.01))
    connection, recorder = connected(adapter, target=target)
    adapter.on_connect = lambda _line: time.sleep(target.reconnect.within_s)
    line = again(connection, adapter)
    line.lose()
    assert recorder.disconnected().reason == "lost; gave up after 50ms, in which no connection lasted"
    assert kinds(recorder) == [Connected, Interrupted, Resumed, Disconnected]
    assert line.closed


def test_closing_ends_an_outage_at_once_and_wakes_who_waits():
    adapter = FakeAdapter(*[ConnectError("nobody")] * 10_000)
    target = Target(scheme="fake", endpoints=(A,), reconnect=ReconnectOptions(60.0, 60.0))
    connection, recorder = connected(adapter, target=target)
    adapter.lines[0].lose()
    outcomes: list[object] = []
    waiting = threading.Thread(
        target=lambda: outcomes.append(connection.submit(Outgoing(topic=SPEC.topic, payload=b"")).outcome(0))
    )
    waiting.start()
    connection.close()
    waiting.join(PATIENCE_S)
    assert isinstance(outcomes[0], Unknown)
    assert kinds(recorder) == [Connected, Interrupted, Disconnected]
    assert recorder.disconnected().expected


def test_without_a_connection_a_subscription_waits_as_long_as_it_may():
    adapter = FakeAdapter(*[ConnectError("nobody")] * 10_000)
    connection, _ = connected(adapter)
    adapter.lines[0].lose()
    with pytest.raises(OperationTimeout, match=r"to subscribe within 0\.01 s; the last was lost: lost$"):
        connection.subscribe(SPEC, timeout_s=0.01)
    connection.close()


def test_a_subscription_that_was_lost_on_the_way_is_made_over_the_next_connection():
    adapter = FakeAdapter()
    connection, _ = connected(adapter)
    first = adapter.lines[0]

    def lose(_name: SubscriptionId) -> None:
        first.lose()
        raise ConnectionLost("on the way")

    first.on_subscribe = lose
    connection.subscribe(SPEC, timeout_s=PATIENCE_S)
    assert adapter.lines[-1].subscribed == [SPEC]
    again(connection, adapter)
    assert adapter.lines[-1].subscribed == [SPEC]
    connection.close()


def test_what_was_unsubscribed_does_not_come_again():
    adapter = FakeAdapter()
    connection, _ = connected(adapter)
    name = connection.subscribe(SPEC, timeout_s=1)
    connection.unsubscribe(name, timeout_s=1)
    assert again(connection, adapter).subscribed == []
    with pytest.raises(UsageError):
        connection.unsubscribe(name, timeout_s=1)
    connection.close()


def test_a_sink_that_fails_gets_no_other_connection():
    adapter = FakeAdapter()
    seen: list[object] = []

    def sink(events) -> None:
        seen.extend(events)
        if isinstance(events[0], Delivery):
            raise KeyError("full")

    connection, _ = connected(adapter, sink)
    with pytest.raises(KeyError):
        adapter.lines[0].deliver(b"x", "s")
    adapter.lines[0].lose()
    assert isinstance(seen[-1], Disconnected)
    assert len(adapter.tries) == 1
    connection.close()
    assert adapter.lines[0].freed


def test_a_transport_that_cannot_even_close_does_not_end_in_silence():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)

    def close(*, timeout_s: float) -> None:
        raise KeyError("no such socket")

    adapter.lines[0].close = close
    adapter.lines[0].lose()
    assert recorder.disconnected().reason == "lost; reconnecting failed: KeyError('no such socket')"
    assert isinstance(connection.submit(Outgoing(topic=SPEC.topic, payload=b"")).outcome(0), Unknown)


def test_a_sink_must_not_call_back():
    adapter = FakeAdapter()
    caught: list[BaseException] = []
    done = threading.Event()

    def sink(events) -> None:
        if isinstance(events[0], Resumed):
            try:
                connection.subscribe(SPEC, timeout_s=0.1)
            except UsageError as error:
                caught.append(error)
            done.set()

    connection, _ = connected(adapter, sink)
    adapter.lines[0].lose()
    assert done.wait(PATIENCE_S)
    assert "must not call back" in str(caught[0])
    connection.close()


def test_counters_are_of_all_connections():
    adapter = FakeAdapter()
    connection, _ = connected(adapter)
    again(connection, adapter)
    assert connection.stats() == ConnectionStats(2, 4, 6, 8)
    connection.close()
    assert connection.stats() == ConnectionStats(2, 4, 6, 8)


def test_who_is_stubborn_goes_on_whatever_the_broker_says_and_tells_it_once():
    refused, gibberish = RefusedError("password"), ProtocolError("HTTP")
    adapter = FakeAdapter(refused, ConnectError("nobody"), RefusedError("password"), gibberish)
    target = TARGET.reconnect._replace(stubborn=True)
    connection, recorder = connected(adapter, target=replace(TARGET, reconnect=target))
    again(connection, adapter)
    connection.close()
    assert [event.reason for event in recorder.of(Fault)] == ["password", "HTTP"]
    assert len(recorder.of(Resumed)) == 1


def test_a_transaction_goes_over_the_connection_that_began_it_or_over_none():
    adapter = FakeAdapter()
    connection, recorder = connected(adapter)
    old = connection.begin()
    message = Outgoing(topic=SPEC.topic, payload=b"m")
    old.submit(message)
    first = adapter.lines[0]
    first.deliver(b"1", "s", "t1")
    line = again(connection, adapter)
    line.deliver(b"2", "s", "t2")
    early, late = (event.ack for event in recorder.deliveries(2))
    for use in (lambda: old.submit(message), lambda: old.ack(early), lambda: old.nack(early), lambda: old.ack(late)):
        with pytest.raises(ConnectionLost):
            use()
    assert isinstance(old.commit().outcome(0), Unknown)
    fresh = connection.begin()
    fresh.submit(message)
    fresh.ack(late)
    with pytest.raises(ConnectionLost, match="different connections"):
        fresh.ack(early)
    assert (fresh.abort().outcome(0), fresh.commit().outcome(0)) == (CONFIRMED, CONFIRMED)
    assert [each.done for each in (*first.transactions, *line.transactions)] == [[b"m"], [b"m", ("ack", "t2")]]
    connection.close()
    with pytest.raises(ConnectionLost):
        connection.begin()
