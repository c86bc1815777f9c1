"""What an acknowledgement covers, and what comes again without one."""

from __future__ import annotations

from collections import Counter

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import ConnectionLost, UsageError
from mqctl.model import AckMode, AckToken, Delivery, Topic
from mqctl.testing.offers import needs
from mqctl.testing.subject import Subject


class AcknowledgeLaws:
    """Laws of acknowledging."""

    def test_in_auto_mode_there_is_nothing_to_acknowledge(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"x")
        assert recorder.message(b"x").ack is None

    @needs("queue", "individual")
    def test_in_individual_mode_each_message_is_acknowledged_alone(self, subject: Subject) -> None:
        queue = subject.a_queue()
        tokens = self._three_of(subject, queue, AckMode.INDIVIDUAL)
        self._acknowledge_and_leave(subject, tokens[1])
        self._what_comes_again(subject, queue, [b"1", b"3"])

    @needs("queue", "client", "individual")
    def test_in_client_mode_an_acknowledgement_covers_the_earlier_ones(self, subject: Subject) -> None:
        queue = subject.a_queue()
        tokens = self._three_of(subject, queue, AckMode.CLIENT)
        self._acknowledge_and_leave(subject, tokens[1])
        self._what_comes_again(subject, queue, [b"3"])

    @needs("queue", "individual")
    def test_a_token_is_good_once(self, subject: Subject) -> None:
        tokens = self._three_of(subject, subject.a_queue(), AckMode.INDIVIDUAL)
        connection = subject.latest()
        connection.ack(tokens[0])
        for use in (connection.ack, connection.nack):
            with pytest.raises(UsageError):
                use(tokens[0])
        connection.ack(tokens[1])

    @needs("queue", "individual")
    def test_after_close_an_acknowledgement_raises_and_the_message_comes_again(self, subject: Subject) -> None:
        queue = subject.a_queue()
        tokens = self._three_of(subject, queue, AckMode.INDIVIDUAL)
        connection = subject.latest()
        connection.close()
        with pytest.raises(ConnectionLost):
            connection.ack(tokens[0])
        self._what_comes_again(subject, queue, [b"1", b"2", b"3"])

    @needs("queue", "client")
    def test_in_client_mode_the_covered_tokens_are_used_too(self, subject: Subject) -> None:
        tokens = self._three_of(subject, subject.a_queue(), AckMode.CLIENT)
        connection = subject.latest()
        connection.ack(tokens[1])
        with pytest.raises(UsageError):
            connection.ack(tokens[0])
        connection.ack(tokens[2])

    @needs("queue", "individual")
    def test_a_token_of_another_connection_is_refused_and_touches_nothing(self, subject: Subject) -> None:
        queue = subject.a_queue()
        foreign = self._three_of(subject, queue, AckMode.INDIVIDUAL)
        owner = subject.latest()
        stranger, recorder = subject.connect()
        other = subject.a_queue()
        subject.publish(stranger, other, b"own")
        stranger.subscribe(SubscribeSpec(topic=other, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        recorder.message(b"own")
        with pytest.raises(UsageError):
            stranger.ack(foreign[0])
        owner.ack(foreign[0])

    @needs("queue", "individual", "nack")
    def test_a_refused_message_is_done_with_its_token(self, subject: Subject) -> None:
        tokens = self._three_of(subject, subject.a_queue(), AckMode.INDIVIDUAL)
        connection = subject.latest()
        connection.nack(tokens[0])
        with pytest.raises(UsageError):
            connection.ack(tokens[0])

    @needs("queue", "individual", "link")
    def test_what_a_broken_connection_left_comes_again_and_says_so(self, subject: Subject) -> None:
        queue = subject.a_queue()
        self._three_of(subject, queue, AckMode.INDIVIDUAL)
        subject.a_link().cut()
        again = self._what_comes_again(subject, queue, [b"1", b"2", b"3"])
        assert all(each.redelivered in (True, None) for each in again)

    @needs("queue", "individual")
    def test_a_first_delivery_does_not_claim_to_be_a_second(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        queue = subject.a_queue()
        subject.publish(connection, queue, b"x")
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        assert recorder.message(b"x").redelivered in (False, None)

    def _three_of(self, subject: Subject, queue: Topic, mode: AckMode) -> list[AckToken]:
        """Publish three messages, take them and return their tokens."""
        connection, recorder = subject.connect()
        subject.publish(connection, queue, b"1", b"2", b"3")
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=mode), timeout_s=subject.patience_s)
        tokens = [delivery.ack for delivery in recorder.deliveries(3)]
        return [token for token in tokens if token is not None]

    def _acknowledge_and_leave(self, subject: Subject, token: AckToken) -> None:
        subject.latest().ack(token)
        subject.latest().close()

    def _what_comes_again(self, subject: Subject, queue: Topic, expected: list[bytes]) -> list[Delivery]:
        """Take what the queue still holds; it must be `expected`."""
        connection, recorder = subject.connect()
        subject.publish(connection, queue, b"end")
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        again = [each for each in recorder.deliveries(len(expected) + 1) if each.payload != b"end"]
        subject.barrier(connection, recorder)
        ours = Counter(payload for payload in recorder.payloads if payload in {b"1", b"2", b"3"})
        assert ours == Counter(expected)
        return again
