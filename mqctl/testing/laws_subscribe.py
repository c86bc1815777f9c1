"""Who gets a message."""

from __future__ import annotations

from collections import Counter

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import UsageError
from mqctl.model import AckMode, SubscriptionId, Topic
from mqctl.testing.offers import needs
from mqctl.testing.subject import Subject


class SubscribeLaws:
    """Laws of subscribing."""

    def test_a_confirmed_subscription_misses_nothing(self, subject: Subject) -> None:
        subscriber, recorder = subject.connect()
        publisher, _ = subject.connect()
        for _ in range(20):
            topic = subject.topic()
            subscriber.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
            subject.publish(publisher, topic, topic.levels[-1].encode())
            recorder.message(topic.levels[-1].encode())

    def test_each_of_two_subscriptions_gets_its_own(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        one, other = subject.topic(), subject.topic()
        ids = [connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s) for topic in (one, other)]
        subject.publish(connection, one, b"one")
        subject.publish(connection, other, b"other")
        assert [recorder.message(payload).subscription for payload in (b"one", b"other")] == ids

    def test_every_subscriber_of_a_topic_gets_every_message(self, subject: Subject) -> None:
        topic = subject.topic()
        subscribers = [subject.connect() for _ in range(3)]
        for connection, _ in subscribers:
            connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(subscribers[0][0], topic, b"1", b"2")
        for _, recorder in subscribers:
            recorder.deliveries(2)
            assert subject.as_published(recorder.payloads) == [b"1", b"2"]

    @needs("wildcards")
    def test_a_wildcard_takes_what_it_matches_and_no_more(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        root = subject.topic().levels
        below = [Topic(levels=(*root, *rest)) for rest in (("a", "x"), ("b", "x"), ("a", "y"), ("a", "x", "deep"))]
        one = connection.subscribe(SubscribeSpec(topic=Topic(levels=(*root, "*", "x"))), timeout_s=subject.patience_s)
        for topic in below:
            subject.publish(connection, topic, ".".join(topic.levels[len(root) :]).encode())
        subject.barrier(connection, recorder)
        matched = [each.payload for each in recorder.deliveries(2) if each.subscription == one]
        assert subject.as_published(matched) == [b"a.x", b"b.x"]

    @needs("wildcards")
    def test_a_subtree_takes_all_levels_below(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        root = subject.topic().levels
        connection.subscribe(SubscribeSpec(topic=Topic(levels=(*root, "**"))), timeout_s=subject.patience_s)
        for rest in ((), ("a",), ("a", "b")):
            subject.publish(connection, Topic(levels=(*root, *rest)), ".".join(rest).encode())
        subject.publish(connection, subject.topic(), b"elsewhere")
        recorder.deliveries(3)
        subject.barrier(connection, recorder)
        assert subject.as_published(recorder.payloads[:3]) == [b"", b"a", b"a.b"]
        assert b"elsewhere" not in recorder.payloads

    def test_unsubscribe_stops_the_messages(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        subscription = connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"before")
        recorder.message(b"before")
        subject.barrier(connection, recorder)
        connection.unsubscribe(subscription, timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"after")
        subject.barrier(connection, recorder)
        assert b"after" not in recorder.payloads
        with pytest.raises(UsageError):
            connection.unsubscribe(subscription, timeout_s=subject.patience_s)

    def test_ending_an_unknown_subscription_is_wrong_usage(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        with pytest.raises(UsageError):
            connection.unsubscribe(SubscriptionId("none"), timeout_s=subject.patience_s)

    @needs("queue")
    def test_consumers_of_a_queue_share_its_messages(self, subject: Subject) -> None:
        queue = subject.a_queue()
        consumers = [subject.connect() for _ in range(2)]
        for connection, _ in consumers:
            connection.subscribe(SubscribeSpec(topic=queue), timeout_s=subject.patience_s)
        publisher, _ = subject.connect()
        sent = [str(number).encode() for number in range(100)]
        subject.publish(publisher, queue, *sent)
        for connection, recorder in consumers:
            subject.barrier(connection, recorder)
        got = Counter(payload for _, recorder in consumers for payload in recorder.payloads)
        assert [got[payload] for payload in sent] == [1] * len(sent)
        assert all(set(recorder.payloads) & set(sent) for _, recorder in consumers)

    @needs("prefetch", "queue", "individual")
    def test_prefetch_limits_what_is_under_way(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        queue = subject.a_queue()
        subject.publish(connection, queue, b"1", b"2", b"3")
        connection.subscribe(
            SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL, prefetch=1), timeout_s=subject.patience_s
        )
        first = recorder.message(b"1")
        subject.barrier(connection, recorder)
        assert b"2" not in recorder.payloads
        assert first.ack is not None
        connection.ack(first.ack)
        recorder.message(b"2")

    @needs("selector", "headers")
    def test_a_selector_chooses_by_header(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic, selector="colour = 'red'"), timeout_s=subject.patience_s)
        for colour in ("blue", "red"):
            subject.publish(connection, topic, colour.encode(), headers={"colour": colour})
        recorder.message(b"red")
        assert recorder.payloads == [b"red"]

    @needs("durable")
    def test_a_durable_subscription_outlives_its_connection_until_it_is_forgotten(self, subject: Subject) -> None:
        topic = subject.topic()
        client_id = f"client-{topic.levels[-1]}"
        spec = SubscribeSpec(topic=topic, durable=f"durable-{topic.levels[-1]}")
        publisher, _ = subject.connect()
        connection, _ = subject.connect(client_id=client_id)
        connection.subscribe(spec, timeout_s=subject.patience_s)
        connection.close()
        subject.publish(publisher, topic, b"meanwhile")
        connection, recorder = subject.connect(client_id=client_id)
        subscription = connection.subscribe(spec, timeout_s=subject.patience_s)
        recorder.message(b"meanwhile")
        connection.unsubscribe(subscription, timeout_s=subject.patience_s, forget=True)
        connection.close()
        subject.publish(publisher, topic, b"forgotten")
        connection, recorder = subject.connect(client_id=client_id)
        subscription = connection.subscribe(spec, timeout_s=subject.patience_s)
        subject.barrier(connection, recorder)
        assert b"forgotten" not in recorder.payloads
        connection.unsubscribe(subscription, timeout_s=subject.patience_s, forget=True)
