"""What a broker remembers of a client while it is away, and who shares a subscription."""

from __future__ import annotations

from collections import Counter

import pytest

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.errors import UsageError
from mqctl.model import AckMode, AckToken, Delivery, Topic
from mqctl.testing.offers import needs
from mqctl.testing.recorder import Recorder
from mqctl.testing.subject import Subject


class SessionLaws:
    """Laws of sessions that outlive their connection, and of shared subscriptions."""

    @needs("session")
    def test_a_session_keeps_messages_while_its_client_is_away(self, subject: Subject) -> None:
        topic, spec = self._subscribed_and_gone(subject)
        publisher, _ = subject.connect()
        sent = [str(number).encode() for number in range(5)]
        subject.publish(publisher, topic, *sent)
        connection, recorder = self._as_client(subject, topic)
        assert connection.greeting.detail["session"] != "new"
        subscription = connection.subscribe(spec, timeout_s=subject.patience_s)
        subject.publish(publisher, topic, b"new")
        assert {delivery.subscription for delivery in recorder.deliveries(6)} == {subscription}
        assert subject.as_published(recorder.payloads) == [*sent, b"new"]
        self._forget(subject, topic)

    @needs("session")
    def test_a_clean_start_forgets_the_session(self, subject: Subject) -> None:
        topic, spec = self._subscribed_and_gone(subject)
        self._forget(subject, topic)
        publisher, _ = subject.connect()
        subject.publish(publisher, topic, b"to nobody")
        connection, recorder = self._as_client(subject, topic)
        assert connection.greeting.detail["session"] != "resumed"
        connection.subscribe(spec, timeout_s=subject.patience_s)
        subject.barrier(connection, recorder)
        assert b"to nobody" not in recorder.payloads
        self._forget(subject, topic)

    @needs("session", "individual")
    def test_what_a_client_does_not_acknowledge_comes_to_it_again(self, subject: Subject) -> None:
        topic, came = self._three_for_a_client(subject, AckMode.INDIVIDUAL)
        connection = subject.latest()
        # In this order: a protocol may let the second leave only after the first.
        connection.ack(_token(came[1]))
        connection.ack(_token(came[0]))
        connection.close()
        self._what_the_client_gets(subject, topic, [came[2].payload])

    @needs("session", "client")
    def test_in_client_mode_the_earlier_ones_do_not_come_again(self, subject: Subject) -> None:
        topic, came = self._three_for_a_client(subject, AckMode.CLIENT)
        connection = subject.latest()
        connection.ack(_token(came[1]))
        for used in came[:2]:
            with pytest.raises(UsageError):
                connection.ack(_token(used))
        connection.close()
        self._what_the_client_gets(subject, topic, [came[2].payload])

    @needs("session", "individual", "link")
    def test_what_a_broken_connection_left_comes_to_the_client_again(self, subject: Subject) -> None:
        topic, _ = self._three_for_a_client(subject, AckMode.INDIVIDUAL)
        subject.a_link().cut()
        self._what_the_client_gets(subject, topic, [b"1", b"2", b"3"])

    @needs("shared")
    def test_the_members_of_a_group_share_the_messages(self, subject: Subject) -> None:
        topic = subject.topic()
        members = [subject.connect() for _ in range(2)]
        for connection, _ in members:
            spec = SubscribeSpec(topic=topic, shared=f"group-{topic.levels[-1]}")
            connection.subscribe(spec, timeout_s=subject.patience_s)
        publisher, _ = subject.connect()
        sent = [str(number).encode() for number in range(100)]
        subject.publish(publisher, topic, *sent)
        for connection, recorder in members:
            subject.barrier(connection, recorder)
        got = Counter(payload for _, recorder in members for payload in recorder.payloads)
        assert [got[payload] for payload in sent] == [1] * len(sent)
        assert all(set(recorder.payloads) & set(sent) for _, recorder in members)

    def _as_client(self, subject: Subject, topic: Topic, *, clean: bool = False) -> tuple[Connection, Recorder]:
        """A connection of the client whom this topic's session belongs to."""
        options = subject.target.mqtt._replace(clean=clean)
        return subject.connect(client_id=topic.levels[-1], mqtt=options)

    def _subscribed_and_gone(self, subject: Subject) -> tuple[Topic, SubscribeSpec]:
        topic = subject.topic()
        spec = SubscribeSpec(topic=topic)
        connection, _ = self._as_client(subject, topic)
        connection.subscribe(spec, timeout_s=subject.patience_s)
        connection.close()
        return topic, spec

    def _forget(self, subject: Subject, topic: Topic) -> None:
        self._as_client(subject, topic, clean=True)[0].close()

    def _three_for_a_client(self, subject: Subject, mode: AckMode) -> tuple[Topic, list[Delivery]]:
        """Publish three messages to a client with a session, and take them, in whatever order they come."""
        topic = subject.topic()
        publisher, _ = subject.connect()
        connection, recorder = self._as_client(subject, topic)
        connection.subscribe(SubscribeSpec(topic=topic, ack_mode=mode), timeout_s=subject.patience_s)
        subject.publish(publisher, topic, b"1", b"2", b"3")
        return topic, recorder.deliveries(3)

    def _what_the_client_gets(self, subject: Subject, topic: Topic, expected: list[bytes]) -> None:
        connection, recorder = self._as_client(subject, topic)
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        recorder.deliveries(len(expected))
        subject.barrier(connection, recorder)
        again = [delivery for delivery in recorder.deliveries(len(expected)) if delivery.payload in (b"1", b"2", b"3")]
        assert subject.as_published([delivery.payload for delivery in again]) == expected
        self._forget(subject, topic)


def _token(delivery: Delivery) -> AckToken:
    assert delivery.ack is not None
    return delivery.ack
