"""Which subscription a message belongs to, and names of topics and channels, kept as long as they are few."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final, NamedTuple

from mqctl.errors import UsageError
from mqctl.model import Delivery, SubscriptionId, Topic
from mqctl.protocols.bayeux.channel import Kind, kind_of, matching
from mqctl.protocols.bayeux.extensions import ext_of
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.payload import payload_of
from mqctl.protocols.bayeux.spec import Ext
from mqctl.topics import from_bayeux, to_bayeux

NAMES_KEPT: Final = 10_000
TIMESTAMP: Final = "timestamp"
"""A header, where the sender said when it sent the message; in a form of its own."""


class _Route(NamedTuple):
    topic: str
    subscriptions: tuple[SubscriptionId, ...]


class Routes:
    """The subscriptions of a connection, by channel. A server sends a message once, however many of them it fits."""

    def __init__(self) -> None:
        self.delivered = 0
        self._lock = threading.Lock()
        self._subscriptions: dict[SubscriptionId, tuple[str, ...]] = {}
        self._routes: dict[str, _Route] = {}
        self._channels: dict[Topic, str] = {}

    def __contains__(self, subscription: object) -> bool:
        """Whether there is such a subscription."""
        return subscription in self._subscriptions

    def channels(self) -> frozenset[str]:
        """Those that messages may come from."""
        with self._lock:
            return frozenset(self._used())

    def begin(self, subscription: SubscriptionId, channels: tuple[str, ...]) -> list[str]:
        """Messages may come from now on; returns the channels that no other subscription has."""
        with self._lock:
            known = self._used()
            self._subscriptions[subscription] = channels
            self._routes = {}
            return [channel for channel in channels if channel not in known]

    def end(self, subscription: SubscriptionId) -> list[str]:
        """No more of them; returns the channels that no other subscription has."""
        with self._lock:
            channels = self._subscriptions.pop(subscription)
            self._routes = {}
            known = self._used()
            return [channel for channel in channels if channel not in known]

    def _used(self) -> set[str]:
        return {channel for channels in self._subscriptions.values() for channel in channels}

    def channel(self, topic: Topic) -> str:
        """The channel to publish to.

        Raises:
            UsageError: There is none (TopicError), or what is sent there is a request to the server.
        """
        channel = self._channels.get(topic)
        if channel is None:
            channel = to_bayeux(topic)
            if kind_of(channel) is Kind.META:
                raise UsageError(f"the channel {channel} belongs to the protocol; nothing can be published there")
            if len(self._channels) >= NAMES_KEPT:
                self._channels.clear()
            self._channels[topic] = channel
        return channel

    def deliveries(self, message: Message, now_ns: int) -> list[Delivery]:
        """A message for each subscription that it fits; none is left where one was just ended."""
        assert isinstance(message.channel, str)
        route = self._routes.get(message.channel) or self._route(message.channel)
        self.delivered += len(route.subscriptions)
        if not route.subscriptions:
            return []
        payload, headers = payload_of(message), _headers(message)
        return [Delivery(route.topic, payload, headers, each, now_ns) for each in route.subscriptions]

    def _route(self, channel: str) -> _Route:
        patterns = frozenset(matching(channel))
        with self._lock:
            whose = tuple(each for each, channels in self._subscriptions.items() if not patterns.isdisjoint(channels))
            if len(self._routes) >= NAMES_KEPT:
                self._routes.clear()
            route = self._routes[channel] = _Route(from_bayeux(channel), whose)
        return route


def _headers(message: Message) -> Mapping[str, str]:
    said = ext_of(message, Ext.HEADERS)
    headers = {name: value for name, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}
    if isinstance(message.timestamp, str):
        headers.setdefault(TIMESTAMP, message.timestamp)
    return headers
