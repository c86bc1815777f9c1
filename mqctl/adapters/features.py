"""What a message or a subscription asks of a transport, and the refusal of what the transport does not have."""

from __future__ import annotations

from typing import Final

from mqctl.adapters.base import AdapterInfo, SubscribeSpec
from mqctl.errors import UnsupportedError
from mqctl.model import Outgoing, Retained

_OF_MESSAGES: Final = (
    ("retain", "retain", "retained messages"),
    ("reply_to", "reply-to", "reply addresses"),
    ("qos", "qos", "qualities of service"),
    ("expires_ms", "expires", "expiry of messages"),
    ("priority", "priority", "priorities"),
    ("persistent", "persistent", "flag for persistent messages"),
    ("content_type", "content-type", "content types"),
    ("headers", "headers", "headers"),
)
_OF_SUBSCRIPTIONS: Final = (
    ("qos", "qos", "qualities of service"),
    ("shared", "shared", "shared subscriptions"),
    ("selector", "selector", "selectors"),
    ("durable", "durable", "durable subscriptions"),
    ("prefetch", "prefetch", "prefetch"),
    ("headers", "headers", "headers"),
)
"""Attribute, feature, and what the transport has none of."""

_HINTS: Final = {
    "persistent": "over MQTT --qos 1 and 2 are what brokers keep",
    "durable": "over MQTT use --client-id with --no-clean",
    "headers": "over MQTT they need --mqtt-version 5",
    "expires": "over MQTT it needs --mqtt-version 5",
    "content-type": "over MQTT it needs --mqtt-version 5",
    "reply-to": "over MQTT it needs --mqtt-version 5",
    "qos": "it belongs to MQTT",
    "retain": "it belongs to MQTT",
    "transactions": "they belong to STOMP",
    "shared": "it belongs to MQTT; a queue shares its messages too",
}


class Refusals:
    """Refuses what a transport does not have, before anything is sent.

    Args:
        info: What the transport has.
    """

    def __init__(self, info: AdapterInfo) -> None:
        self._info = info
        self._of_messages = tuple(row for row in _OF_MESSAGES if row[1] not in info.features)
        self._of_subscriptions = tuple(row for row in _OF_SUBSCRIPTIONS if row[1] not in info.features)

    def refuse_message(self, message: Outgoing) -> None:
        """Refuse a message that asks for what is not there.

        Raises:
            UnsupportedError: It does.
        """
        self._refuse(message, self._of_messages)

    def refuse_subscription(self, spec: SubscribeSpec) -> None:
        """Refuse a subscription that asks for what is not there.

        Raises:
            UnsupportedError: It does.
        """
        self._refuse(spec, self._of_subscriptions)
        if spec.ack_mode not in self._info.ack_modes:
            raise UnsupportedError(f"{self._info.name} has no {spec.ack_mode} acknowledgement")
        if spec.retained is Retained.ONLY and "retain" not in self._info.features:
            raise self._missing("retain", "retained messages")

    def no_transactions(self) -> UnsupportedError:
        """The refusal to begin a transaction, for a transport that has none."""
        return self._missing("transactions", "transactions")

    def _refuse(self, wish: object, table: tuple[tuple[str, str, str], ...]) -> None:
        for attribute, feature, what in table:
            asked = getattr(wish, attribute)
            # 0 is a wish too: a quality of service, an expiry at once.
            if asked is not None and asked is not False and asked != {}:
                raise self._missing(feature, what)

    def _missing(self, feature: str, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self._info.name} has no {what}", hint=_HINTS.get(feature))
