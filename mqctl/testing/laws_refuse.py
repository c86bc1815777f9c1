"""What is not offered is refused. So a subject cannot hide laws that it breaks by declaring that it lacks something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.errors import MqctlError, UnsupportedError, UsageError
from mqctl.model import AckMode, AckToken, Outgoing, Retained, SubscriptionId, Topic
from mqctl.testing.offers import lacks, needs
from mqctl.testing.subject import Subject

_OF_MESSAGES: Mapping[str, Mapping[str, object]] = {
    "headers": {"headers": {"mine": "value"}},
    "content-type": {"content_type": "text/plain"},
    "reply-to": {"reply_to": "answers"},
    "persistent": {"persistent": True},
    "expires": {"expires_ms": 60_000},
    "priority": {"priority": 7},
    "qos": {"qos": 1},
    "qos-2": {"qos": 2},
    "retain": {"retain": True},
    "binary": {"payload": bytes(range(256))},
}
_OF_SUBSCRIPTIONS: Mapping[str, Mapping[str, object]] = {
    "qos": {"qos": 1},
    "retain": {"retained": Retained.ONLY},
    "selector": {"selector": "colour = 'red'"},
    "durable": {"durable": "name"},
    "prefetch": {"prefetch": 1},
    "shared": {"shared": "group"},
    "client": {"ack_mode": AckMode.CLIENT},
    "individual": {"ack_mode": AckMode.INDIVIDUAL},
}
"""What asks for something that may be lacking. A session is asked for by an option of MQTT's alone."""

_NOTHING = AckToken(SubscriptionId("none"), None)


def _each(wishes: Mapping[str, Mapping[str, object]]) -> list[ParameterSet]:
    return [pytest.param(wish, id=what, marks=lacks(what)) for what, wish in wishes.items()]


class RefuseLaws:
    """Laws of refusing, before anything is sent; the connection goes on as if nobody had asked."""

    @pytest.mark.parametrize("wish", _each(_OF_MESSAGES))
    def test_a_message_cannot_have_what_is_lacking(self, subject: Subject, wish: Mapping[str, object]) -> None:
        topic = subject.topic()
        message = Outgoing(**{"topic": topic, "payload": b"x", **wish})  # type: ignore[arg-type]  # fields by name
        self._refused(subject, lambda connection: connection.submit(message), topic)

    @pytest.mark.parametrize("wish", _each(_OF_SUBSCRIPTIONS))
    def test_a_subscription_cannot_have_what_is_lacking(self, subject: Subject, wish: Mapping[str, object]) -> None:
        topic = subject.topic()
        spec = SubscribeSpec(topic=topic, **wish)  # type: ignore[arg-type]  # fields by name
        self._refused(subject, lambda connection: connection.subscribe(spec, timeout_s=subject.patience_s), topic)

    @lacks("wildcards")
    def test_a_wildcard_cannot_be_subscribed_to_where_there_are_none(self, subject: Subject) -> None:
        topic = subject.topic()
        spec = SubscribeSpec(topic=Topic(levels=(*topic.levels, "*")))
        self._refused(subject, lambda connection: connection.subscribe(spec, timeout_s=subject.patience_s), topic)

    @lacks("nack")
    def test_a_message_cannot_be_refused_where_that_is_lacking(self, subject: Subject) -> None:
        self._refused(subject, lambda connection: connection.nack(_NOTHING))

    @lacks("transactions")
    def test_a_transaction_cannot_begin_where_there_are_none(self, subject: Subject) -> None:
        self._refused(subject, lambda connection: connection.begin())

    @needs("transactions", "queue", "individual")
    @lacks("transacted-acks")
    def test_a_transaction_cannot_hold_an_acknowledgement_where_that_is_lacking(self, subject: Subject) -> None:
        """The token is good for use outside then."""
        connection, recorder = subject.connect()
        queue = subject.a_queue()
        subject.publish(connection, queue, b"x")
        connection.subscribe(SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL), timeout_s=subject.patience_s)
        token = recorder.message(b"x").ack
        assert token is not None
        transaction = connection.begin()
        with pytest.raises(UnsupportedError):
            transaction.ack(token)
        connection.ack(token)

    @needs("headers")
    @lacks("header-lines")
    def test_a_header_cannot_have_lines_where_that_is_lacking(self, subject: Subject) -> None:
        topic = subject.topic()
        message = Outgoing(topic=topic, payload=b"x", headers={"mine": "one\ntwo"})
        self._refused(subject, lambda connection: connection.submit(message), topic, UsageError)

    def _refused(
        self,
        subject: Subject,
        ask: Callable[[Connection], object],
        topic: Topic | None = None,
        error: type[MqctlError] = UnsupportedError,
    ) -> None:
        """See a request refused, and its topic nowhere on the way to the broker."""
        connection, recorder = subject.connect()
        sent = threading.Event()
        if topic is not None and subject.link is not None:
            sent = subject.link.up.call_at(topic.levels[-1].encode(), 1, lambda: None)
        with pytest.raises(error):
            ask(connection)
        subject.barrier(connection, recorder)
        assert not sent.is_set()
        assert connection.stats().messages_out == 1
