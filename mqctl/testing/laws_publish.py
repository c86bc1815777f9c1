"""What becomes of a published message."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.errors import TopicError
from mqctl.model import Confirmation, Confirmed, Outgoing, Rejected, Topic, Unknown, UnknownCause
from mqctl.testing.offers import needs
from mqctl.testing.subject import Subject

_PAYLOADS = (
    pytest.param(b"", id="empty"),
    pytest.param("한국어, ü and ✓".encode(), id="text"),
    pytest.param(b"a\0b\0", id="NUL"),
    pytest.param(b"\n\nSEND\ndestination:/topic/x\n\nbody\0\n", id="like a frame"),
    pytest.param(bytes(range(128)) * (5 * 8192), id="5 MiB", marks=needs("large")),
    pytest.param(bytes(range(256)), id="not UTF-8", marks=needs("binary")),
    pytest.param(bytes(range(256)) * (5 * 4096), id="5 MiB not UTF-8", marks=needs("binary", "large")),
)
_HEADERS = (
    pytest.param("value", id="plain"),
    pytest.param("", id="empty"),
    pytest.param("a:b", id="colon"),
    pytest.param("a\\b\\n", id="backslash"),
    pytest.param("one\ntwo", id="line", marks=needs("header-lines")),
    pytest.param("값 ✓", id="unicode"),
    pytest.param(" kept ", id="spaces"),
)


class PublishLaws:
    """Laws of publishing."""

    @pytest.mark.parametrize("payload", _PAYLOADS)
    def test_a_payload_arrives_as_it_was_sent(self, subject: Subject, payload: bytes) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        subscription = connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        before_ns = time.monotonic_ns()
        subject.publish(connection, topic, payload)
        delivery = recorder.deliveries(1)[0]
        assert delivery.payload == payload
        assert delivery.subscription == subscription
        assert delivery.topic == ".".join(topic.levels)
        assert before_ns < delivery.received_ns < time.monotonic_ns()

    @needs("headers")
    @pytest.mark.parametrize("value", _HEADERS)
    def test_a_header_arrives_as_it_was_sent(self, subject: Subject, value: str) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"", headers={"mine": value})
        assert recorder.deliveries(1)[0].headers["mine"] == value

    @needs("order")
    def test_a_thousand_messages_keep_their_order(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        sent = [str(number).encode() for number in range(1000)]
        subject.publish(connection, topic, *sent)
        recorder.deliveries(1000)
        assert recorder.payloads == sent

    @pytest.mark.parametrize("level", [Confirmation.NONE, Confirmation.SOCKET])
    def test_less_confirmation_than_the_brokers_is_known_at_once(self, subject: Subject, level: Confirmation) -> None:
        connection, _ = subject.connect()
        pending = connection.submit(Outgoing(topic=subject.topic(), payload=b"x"), confirmation=level)
        assert pending.done()
        assert pending.outcome(0) == Confirmed(level)

    def test_a_topic_comes_back_by_its_name_in_any_script(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        topic = Topic(levels=(*subject.topic().levels, "한국", "100% ü"))
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"x")
        assert recorder.message(b"x").topic == ".".join(topic.levels)

    def test_a_wildcard_cannot_be_published_to(self, subject: Subject) -> None:
        connection, _ = subject.connect()
        with pytest.raises(TopicError):
            connection.submit(Outgoing(topic=Topic(levels=("a", "*")), payload=b"x"))

    @needs("link")
    def test_a_confirmation_that_does_not_come_in_time_makes_it_unknown_for_now(self, subject: Subject) -> None:
        link = subject.a_link()
        connection, _ = subject.connect()
        link.stall()
        pending = connection.submit(Outgoing(topic=subject.topic(), payload=b"x"))
        early = pending.outcome(0.05)
        assert isinstance(early, Unknown)
        assert early.cause is UnknownCause.TIMEOUT
        link.resume()
        assert isinstance(pending.outcome(subject.patience_s), Confirmed)

    @needs("link")
    def test_a_lost_connection_makes_what_is_pending_unknown(self, subject: Subject) -> None:
        link = subject.a_link()
        connection, _ = subject.connect()
        link.stall()
        pending = connection.submit(Outgoing(topic=subject.topic(), payload=b"x"))
        link.cut()
        outcome = pending.outcome(subject.patience_s)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.LOST

    @needs("forbidden")
    def test_what_the_broker_refuses_is_rejected_in_its_words(self, subject: Subject) -> None:
        assert subject.forbidden is not None
        target, topic = subject.forbidden
        with subject.adapter.connect(target, sink=lambda _events: None) as connection:
            outcome = connection.submit(Outgoing(topic=topic, payload=b"x")).outcome(subject.patience_s)
        assert isinstance(outcome, Rejected)
        assert outcome.reason

    @needs("expires", "queue")
    def test_an_expired_message_is_not_delivered(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        queue = subject.a_queue()
        subject.publish(connection, queue, b"short-lived", expires_ms=50)
        # That time passes is what is tested here.
        time.sleep(0.5)
        subject.publish(connection, queue, b"lasting")
        connection.subscribe(SubscribeSpec(topic=queue), timeout_s=subject.patience_s)
        recorder.message(b"lasting")
        assert recorder.payloads == [b"lasting"]

    @pytest.mark.parametrize(
        "option",
        [
            pytest.param({"persistent": True}, id="persistent", marks=needs("persistent")),
            pytest.param({"priority": 7}, id="priority", marks=needs("priority")),
        ],
    )
    def test_a_message_that_is_persistent_or_has_a_priority_is_taken(
        self, subject: Subject, option: Mapping[str, object]
    ) -> None:
        connection, recorder = subject.connect()
        topic = subject.topic()
        connection.subscribe(SubscribeSpec(topic=topic), timeout_s=subject.patience_s)
        subject.publish(connection, topic, b"x", **option)
        recorder.message(b"x")
