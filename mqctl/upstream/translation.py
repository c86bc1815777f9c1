"""The hub's messages as a broker upstream takes them, and the broker's as the hub gives them on. No IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mqctl import topics
from mqctl.broker.refusals import AddressRefused
from mqctl.broker.values import Address, AddressKind, Message
from mqctl.errors import RefusedError, TopicError
from mqctl.model import Delivery, Outgoing, Topic
from mqctl.protocols.stomp.spec import NOT_FORWARDED, Header
from mqctl.upstream.scope import is_internal

PATH_HEADER: Final = "mqctl-hubs"
"""The hubs that a message came through on its way up, as ids with commas between; sent only to another hub."""
HUBS_MAX: Final = 16
"""Hubs behind each other. A path that is longer is a circle, whatever the ids in it say."""

_NS_PER_MS: Final = 1_000_000
_DOT: Final = "%2E"
"""What stands in the hub's names for a dot within a level, as brokers have that separate levels by slashes."""
_SAID_ELSE: Final = frozenset({Header.CONTENT_TYPE, Header.PERSISTENT, Header.EXPIRES, PATH_HEADER})
"""Headers of the hub's messages that an `Outgoing` has fields for, or that are between hubs."""


class Translator:
    """Between one hub and its broker.

    Args:
        hub_id: What this hub is called in `PATH_HEADER`.
        dotted: Whether the broker's names separate levels by dots, as those of STOMP do.
    """

    def __init__(self, hub_id: str, *, dotted: bool) -> None:
        self._hub_id = hub_id
        self._dotted = dotted

    def outgoing(self, message: Message, now_ns: int, *, to_hub: bool = False) -> Outgoing:
        """A message as the broker is to have it; `expires_ms` is at most 0 where its time is over.

        Args:
            message: The hub's.
            now_ns: CLOCK_MONOTONIC.
            to_hub: Whether the broker is a hub too, which has to know which hubs the message came through.

        Raises:
            AddressRefused: Its topic is a wildcard.
            RefusedError: It came through this hub before.
        """
        headers = dict(message.headers)
        path = self._path(headers)
        expires_at_ns = message.expires_at_ns
        return Outgoing(
            topic=self._topic(message.address),
            payload=message.payload,
            headers={name: value for name, value in headers.items() if name not in _SAID_ELSE}
            | ({PATH_HEADER: path} if to_hub else {}),
            content_type=headers.get(Header.CONTENT_TYPE),
            persistent=message.persistent,
            expires_ms=None if expires_at_ns is None else -(-(expires_at_ns - now_ns) // _NS_PER_MS),
        )

    def _path(self, headers: Mapping[str, str]) -> str:
        path = list(filter(None, headers.get(PATH_HEADER, "").split(",")))
        if self._hub_id in path or len(path) >= HUBS_MAX:
            raise RefusedError(
                "the message came through this hub before: the hubs are upstream of each other in a circle",
                hint="start one of them without --upstream",
            )
        return ",".join([*path, self._hub_id])

    def _topic(self, address: Address) -> Topic:
        levels = tuple(address.name.split("."))
        if topics.ONE_LEVEL in levels or topics.SUBTREE in levels:
            raise AddressRefused(f"a wildcard cannot be published to: {address.name!r}")
        return Topic(levels=levels if self._dotted else tuple(level.replace(_DOT, ".") for level in levels))

    def message(self, delivery: Delivery, message_id: str) -> Message | None:
        """A message of the broker as the hub gives it on; None where it tells of the broker itself.

        Raises:
            TopicError: The hub has no such topic.
        """
        levels = _levels(delivery.topic)
        if is_internal(levels):
            return None
        headers = delivery.headers
        return Message(
            id=message_id,
            address=Address(AddressKind.TOPIC, ".".join(level.replace(".", _DOT) for level in levels)),
            payload=delivery.payload,
            headers=tuple(
                [each for each in headers.items() if each[0] not in NOT_FORWARDED and each[0] != PATH_HEADER]
            ),
            persistent=headers.get(Header.PERSISTENT) == "true",
        )


def _levels(name: str) -> tuple[str, ...]:
    try:
        topic = topics.parse(name)
        if topic.native is None:
            return topic.levels
        raise TopicError(f"the hub has no such topic: {name!r}")
    except TopicError:
        # ActiveMQ names its advisories after subscriptions, wildcards and all.
        levels = tuple(name.removeprefix(topics.STOMP_TOPIC_PREFIX).replace("/", ".").split("."))
        if is_internal(levels):
            return levels
        raise


def bare(message: Outgoing) -> Outgoing:
    """The message for a transport that has no headers."""
    return replace(message, headers={}, content_type=None, expires_ms=None)
