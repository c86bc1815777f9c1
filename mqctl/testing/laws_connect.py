"""How a connection begins and ends."""

from __future__ import annotations

import threading

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import ConnectError, ConnectionLost, RefusedError
from mqctl.model import Connected, Disconnected, Outgoing, Unknown, UnknownCause
from mqctl.testing.offers import needs
from mqctl.testing.subject import Subject


class ConnectLaws:
    """Laws of connecting, losing and closing."""

    def test_connected_comes_first_and_disconnected_last_and_once(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"between")
        recorder.message(b"between")
        connection.close()
        assert recorder.events[0] == connection.greeting
        last = recorder.events[-1]
        assert isinstance(last, Disconnected)
        assert last.expected
        assert len(recorder.of(Connected)) == len(recorder.of(Disconnected)) == 1

    def test_close_may_be_called_any_number_of_times_from_any_thread(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        threads = [threading.Thread(target=connection.close) for _ in range(3)]
        for thread in threads:
            thread.start()
        connection.close()
        for thread in threads:
            thread.join()
        connection.close()
        assert len(recorder.of(Disconnected)) == 1

    def test_no_event_comes_after_close(self, subject: Subject) -> None:
        topic = subject.topic()
        other, others_events = subject.connect()
        connection, recorder = subject.connect()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        connection.close()
        before = recorder.events
        subject.publish(other, topic, b"too late")
        subject.barrier(other, others_events)
        assert recorder.events == before

    def test_a_with_statement_closes(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        with connection:
            pass
        assert recorder.disconnected().expected

    def test_after_close_a_publish_is_unknown_and_a_subscribe_raises(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        connection.close()
        outcome = connection.submit(Outgoing(topic=subject.topic(), payload=b"")).outcome(0)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.LOST
        with pytest.raises(ConnectionLost):
            connection.subscribe(SubscribeSpec(topic=subject.topic()), timeout_s=subject.patience_s)

    @needs("link")
    def test_a_broken_connection_is_told_once_and_as_unexpected(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        subject.a_link().cut()
        assert not recorder.disconnected().expected
        connection.close()
        assert len(recorder.of(Disconnected)) == 1

    @needs("nobody")
    def test_nobody_there_is_a_connect_error(self, subject: Subject) -> None:
        assert subject.nobody is not None
        with pytest.raises(ConnectError):
            subject.adapter.connect(subject.nobody, sink=lambda _events: None)

    @needs("stranger")
    def test_a_stranger_is_refused(self, subject: Subject) -> None:
        assert subject.stranger is not None
        with pytest.raises(RefusedError):
            subject.adapter.connect(subject.stranger, sink=lambda _events: None)

    def test_the_counters_count(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"1", b"2", b"3")
        recorder.deliveries(3)
        stats = connection.stats()
        assert (stats.messages_in, stats.messages_out) == (3, 3)
