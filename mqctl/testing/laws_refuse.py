"""What is not offered is refused. So a subject cannot hide laws that it breaks by declaring that it lacks something."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.errors import UnsupportedError, UsageError
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
    "wildcards": {"topic": Topic(levels=("open", "*"))},
    "selector": {"selector": "colour = 'red'"},
    "durable": {"durable": "name"},
    "prefetch": {"prefetch": 1},
    "shared": {"shared": "group"},
    "client": {"ack_mode": AckMode.CLIENT},
    "individual": {"ack_mode": AckMode.INDIVIDUAL},
}
"""What asks for something that may be lacking. A session is asked for by an option of MQTT's alone."""


def _each(wishes: Mapping[str, Mapping[str, object]]) -> list[ParameterSet]:
    return [pytest.param(wish, id=what, marks=lacks(what)) for what, wish in wishes.items()]


class RefuseLaws:
    """Laws of refusing, before anything is sent."""

    @pytest.mark.parametrize("wish", _each(_OF_MESSAGES))
    def test_a_message_cannot_have_what_is_lacking(self, subject: Subject, wish: Mapping[str, object]) -> None:
        message = Outgoing(**{"topic": subject.topic(), "payload": b"x", **wish})  # type: ignore[arg-type]  # by name
        self._refused(subject, lambda connection: connection.submit(message))

    @pytest.mark.parametrize("wish", _each(_OF_SUBSCRIPTIONS))
    def test_a_subscription_cannot_have_what_is_lacking(self, subject: Subject, wish: Mapping[str, object]) -> None:
        spec = SubscribeSpec(**{"topic": subject.topic(), **wish})  # type: ignore[arg-type]  # fields by name
        self._refused(subject, lambda connection: connection.subscribe(spec, timeout_s=subject.patience_s))

    @lacks("nack")
    def test_a_message_cannot_be_refused_where_that_is_lacking(self, subject: Subject) -> None:
        self._refused(subject, lambda connection: connection.nack(AckToken(SubscriptionId("any"), None)))

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
        message = Outgoing(topic=subject.topic(), payload=b"x", headers={"mine": "one\ntwo"})
        self._refused(subject, lambda connection: connection.submit(message), UsageError)

    def _refused(
        self,
        subject: Subject,
        ask: Callable[[Connection], object],
        error: type[Exception] = UnsupportedError,
    ) -> None:
        connection, _ = subject.connect()
        with pytest.raises(error):
            ask(connection)
        assert connection.stats().messages_out == 0
