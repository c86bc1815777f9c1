"""What a broker keeps for newcomers, and with how much care it delivers."""

from __future__ import annotations

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import UsageError
from mqctl.model import AckMode, Confirmation, Confirmed, Outgoing, Retained, Topic
from mqctl.testing.offers import needs
from mqctl.testing.subject import Subject


class RetainedLaws:
    """Laws of retained messages and of the quality of service."""

    @needs("retain")
    def test_a_retained_message_greets_newcomers_and_says_so(self, subject: Subject) -> None:
        topic = self._with_a_kept_message(subject)
        connection, recorder = subject.connect()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        assert recorder.message(b"kept").retained
        subject.publish(connection, topic, b"new")
        assert not recorder.message(b"new").retained

    @needs("retain")
    def test_retained_messages_can_be_left_out(self, subject: Subject) -> None:
        topic = self._with_a_kept_message(subject)
        connection, recorder = subject.connect()
        connection.subscribe(SubscribeSpec(topic=topic, retained=Retained.SKIP), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"new")
        recorder.message(b"new")
        assert recorder.payloads == [b"new"]

    @needs("retain")
    def test_retained_messages_can_be_all_that_is_wanted(self, subject: Subject) -> None:
        topic = self._with_a_kept_message(subject)
        connection, recorder = subject.connect()
        connection.subscribe(SubscribeSpec(topic=topic, retained=Retained.ONLY), timeout_s=subject.patience_s)
        recorder.message(b"kept")
        subject.publish(connection, topic, b"new")
        subject.barrier(connection, recorder)
        assert b"new" not in recorder.payloads

    @needs("retain")
    def test_an_empty_retained_message_clears_what_was_kept(self, subject: Subject) -> None:
        topic = self._with_a_kept_message(subject)
        connection, recorder = subject.connect()
        subject.publish(connection, topic, b"", retain=True)
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.barrier(connection, recorder)
        assert b"kept" not in recorder.payloads

    @needs("qos")
    @pytest.mark.parametrize("qos", [0, 1, pytest.param(2, marks=needs("qos-2"))])
    def test_a_message_arrives_with_the_quality_of_service_it_was_sent_with(self, subject: Subject, qos: int) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic, qos=qos), timeout_s=subject.patience_s)
        pending = connection.submit(Outgoing(topic=topic, payload=b"x", qos=qos))
        assert pending.outcome(subject.patience_s) == Confirmed(Confirmation.BROKER if qos else Confirmation.SOCKET)
        assert recorder.message(b"x").qos == qos

    @needs("qos", "persistent", "individual")
    def test_what_is_not_confirmed_is_not_persistent_and_not_acknowledged(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        topic = subject.topic()
        with pytest.raises(UsageError):
            connection.submit(Outgoing(topic=topic, payload=b"x", qos=0, persistent=True))
        spec = SubscribeSpec(topic=topic, qos=0, ack_mode=AckMode.INDIVIDUAL)
        with pytest.raises(UsageError):
            connection.subscribe(spec, timeout_s=subject.patience_s)

    def _with_a_kept_message(self, subject: Subject) -> Topic:
        topic = subject.topic()
        connection, _ = subject.connect()
        subject.publish(connection, topic, b"kept", retain=True)
        return topic
