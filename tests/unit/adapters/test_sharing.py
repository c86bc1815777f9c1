"""A shared connection: each user gets the messages of its own subscriptions, and nobody closes it for the others."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mqctl.adapters.base import Connection, EventSink, SubscribeSpec
from mqctl.adapters.memory import MemoryAdapter
from mqctl.adapters.sharing import UNCLAIMED_MAX, SharedConnection
from mqctl.errors import ConnectionLost, UsageError
from mqctl.model import AckMode, Confirmed, Delivery, Disconnected, Outgoing, SubscriptionId, Topic
from mqctl.target import Endpoint, Target
from mqctl.testing.recorder import Recorder

TOPIC = Topic(levels=("a",))


@pytest.fixture
def shared() -> Iterator[SharedConnection]:
    target = Target(scheme="mem", endpoints=(Endpoint(secrets.token_hex(4), 0),))
    made = SharedConnection(lambda sink: MemoryAdapter().connect(target, sink=sink))
    yield made
    made.close()


def publish(connection: Connection, payload: bytes, topic: Topic = TOPIC) -> None:
    assert isinstance(connection.submit(Outgoing(topic=topic, payload=payload)).outcome(5), Confirmed)


def test_each_gets_the_messages_of_its_own_subscriptions(shared: SharedConnection) -> None:
    one, other = Recorder(), Recorder()
    first, second = shared.share(one), shared.share(other)
    first.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    second.subscribe(SubscribeSpec(topic=Topic(levels=("b",))), timeout_s=5)
    publish(second, b"1")
    publish(first, b"2", Topic(levels=("b",)))
    one.message(b"1")
    other.message(b"2")
    assert (one.payloads, other.payloads) == ([b"1"], [b"2"])


def test_closing_a_share_ends_its_subscriptions_and_no_more(shared: SharedConnection) -> None:
    leaving, staying = Recorder(), Recorder()
    with shared.share(leaving) as gone:
        gone.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
        stays = shared.share(staying)
        stays.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    publish(stays, b"after")
    staying.message(b"after")
    assert leaving.payloads == []
    assert not shared.lost


def test_what_arrives_before_the_confirmation_is_not_lost() -> None:
    """A broker may serve a subscription before it confirms it: the messages wait for their owner."""

    class Hasty:
        greeting = None

        def __init__(self, sink: EventSink) -> None:
            self.sink = sink

        def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
            key = SubscriptionId("s")
            early = [
                Delivery(topic="a", payload=b"%d" % number, headers={}, subscription=key, received_ns=0)
                for number in range(UNCLAIMED_MAX + 1)
            ]
            self.sink(early)
            return key

    make: Callable[[EventSink], Connection] = Hasty  # type: ignore[assignment]  # the part of it that is used
    recorder = Recorder()
    SharedConnection(make).share(recorder).subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    assert recorder.payloads[:2] == [b"0", b"1"]
    assert len(recorder.payloads) == UNCLAIMED_MAX


def test_anothers_subscription_cannot_be_ended(shared: SharedConnection) -> None:
    mine = shared.share(Recorder()).subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    with pytest.raises(UsageError, match="no such subscription"):
        shared.share(Recorder()).unsubscribe(mine, timeout_s=5)


def test_all_are_told_of_the_end_and_nobody_comes_after_it(shared: SharedConnection) -> None:
    recorders = [Recorder(), Recorder()]
    for recorder in recorders:
        shared.share(recorder)
    shared.close()
    assert all(isinstance(recorder.disconnected(), Disconnected) for recorder in recorders)
    assert shared.lost
    with pytest.raises(ConnectionLost):
        shared.share(Recorder())


def test_a_share_may_be_closed_after_the_end(shared: SharedConnection) -> None:
    share = shared.share(Recorder())
    share.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    shared.close()
    share.close()
    share.close()


class OneOfEach:
    """A connection that has one subscription to a topic filter, as over MQTT."""

    greeting = None

    def __init__(self, sink: EventSink) -> None:
        self.sink = sink
        self.standing: list[SubscriptionId] = []

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        key = SubscriptionId(str(spec.topic))
        if key in self.standing:
            raise UsageError("already")
        self.standing.append(key)
        return key

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        self.standing.remove(subscription)

    def serve(self, *payloads: bytes, topic: Topic = TOPIC) -> None:
        key = SubscriptionId(str(topic))
        self.sink(
            [Delivery(topic="a", payload=payload, headers={}, subscription=key, received_ns=0) for payload in payloads]
        )


def one_of_each() -> tuple[SharedConnection, OneOfEach]:
    made: list[OneOfEach] = []

    def connect(sink: EventSink) -> Connection:
        made.append(OneOfEach(sink))
        return made[0]  # type: ignore[return-value]  # the part of it that is used

    return SharedConnection(connect), made[0]


def test_the_same_subscription_is_joined_where_a_connection_has_one_only() -> None:
    shared, connection = one_of_each()
    first, second = Recorder(), Recorder()
    stays, goes = shared.share(first), shared.share(second)
    stays.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    goes.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    connection.serve(b"1", b"2")
    goes.close()
    connection.serve(b"3")
    assert (first.payloads, second.payloads) == ([b"1", b"2", b"3"], [b"1", b"2"])
    stays.close()
    assert connection.standing == []


@pytest.mark.parametrize(
    "other", [{"qos": 1}, {"ack_mode": AckMode.INDIVIDUAL}, {"shared": "group"}], ids=lambda other: next(iter(other))
)
def test_another_subscription_is_not_joined(other: dict[str, Any]) -> None:
    shared, _ = one_of_each()
    shared.share(Recorder()).subscribe(SubscribeSpec(topic=TOPIC, **other), timeout_s=5)
    with pytest.raises(UsageError, match="already"):
        shared.share(Recorder()).subscribe(SubscribeSpec(topic=TOPIC, **({} if "qos" in other else other)), timeout_s=5)


def test_nobody_joins_their_own_subscription() -> None:
    shared, _ = one_of_each()
    share = shared.share(Recorder())
    share.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    with pytest.raises(UsageError, match="already"):
        share.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)


def test_what_comes_late_for_a_subscription_is_not_kept() -> None:
    shared, connection = one_of_each()
    with shared.share(Recorder()) as share:
        share.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    connection.serve(b"late")
    recorder = Recorder()
    shared.share(recorder).subscribe(SubscribeSpec(topic=TOPIC), timeout_s=5)
    assert recorder.payloads == []
