"""What the broker's PUBLISH packets mean: messages, whose subscription each belongs to, and how it is acknowledged."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import Final, NamedTuple

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.mqtt_acks import Arrival, Ledger
from mqctl.adapters.mqtt_client import topic_matches_sub
from mqctl.errors import ProtocolError, UsageError
from mqctl.model import AckMode, ConnectionEvent, Delivery, Dialect, Overflowed, Retained, SubscriptionId
from mqctl.protocols.mqtt.properties import decode
from mqctl.topics import MQTT_SHARED_PREFIX, from_mqtt

TOPICS_KEPT: Final = 10_000
"""Names whose translation and subscription are remembered."""

HELD_MAX: Final = 65_535
"""Messages of a resumed session that may wait for their subscription: as many as there are packet ids."""

QOS_MAX: Final = 2

_DUP: Final = 8
_RETAIN: Final = 1


class _Subscription(NamedTuple):
    id: SubscriptionId
    pattern: str
    mode: AckMode
    retained: Retained


class _Route(NamedTuple):
    """What becomes of the messages of a topic; `plain` where each is simply handed on."""

    name: str
    subscription: _Subscription | None
    plain: bool


_UNWANTED: Final = {Retained.SKIP: True, Retained.ONLY: False}
"""The messages that are not wanted: the retained ones, or the others."""

_NOBODY: Final = SubscriptionId("")


class _Held(NamedTuple):
    topic: bytes
    delivery: Delivery
    arrival: Arrival | None


class Messages:
    """Sorts PUBLISH packets into events. `take` is called by the reading thread only.

    Args:
        dialect: Whose names these are, if that is known.
        ledger: Where what is to be acknowledged is entered.
        properties: Whether packets have properties, as from MQTT 5 on.
        hold: Whether messages may come for subscriptions that are not made yet, because the broker remembers us.
    """

    def __init__(self, dialect: Dialect | None, ledger: Ledger, *, properties: bool, hold: bool) -> None:
        self.count = 0
        self.now_ns = 0
        self.events: list[ConnectionEvent] = []
        self.done: list[Arrival] = []
        """Messages that need no token: they are done when the sink has taken the events."""
        self._dialect = dialect
        self.ledger = ledger
        self._properties = properties
        self._hold = hold
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._subscriptions: dict[SubscriptionId, _Subscription] = {}
        self._ended: set[str] = set()
        self._routes: dict[bytes, _Route] = {}
        self._held: list[_Held] = []
        self._look_again = False

    def begin(self, pattern: str, spec: SubscribeSpec) -> SubscriptionId:
        """A subscription starts: its messages may come before the broker confirms it (MQTT 3.1.1, 3.8.4).

        Raises:
            UsageError: The broker would replace the one that there is by this one.
        """
        subscription = SubscriptionId(str(next(self._numbers)))
        with self._lock:
            if any(pattern == each.pattern for each in self._subscriptions.values()):
                raise UsageError(f"this connection has a subscription to {pattern} already")
            self.ledger.begin(subscription, spec.ack_mode)
            self._subscriptions[subscription] = _Subscription(subscription, pattern, spec.ack_mode, spec.retained)
            self._ended.discard(pattern)
            self._routes = {}
            # Even if nothing is held: the reading thread may be about to hold a message that found no subscription.
            self._look_again = self._hold
        return subscription

    def pattern(self, subscription: SubscriptionId) -> str | None:
        """The topic filter of a subscription; None if there is no such subscription."""
        known = self._subscriptions.get(subscription)
        return None if known is None else known.pattern

    def end(self, subscription: SubscriptionId) -> None:
        """A subscription is over."""
        with self._lock:
            known = self._subscriptions.pop(subscription, None)
            if known is not None:
                self.ledger.end(subscription)
                self._ended.add(known.pattern)
                self._routes = {}

    def strangers(self) -> str | None:
        """The topic of a message that waits for its subscription, if one does."""
        return self._held[0].delivery.topic if self._held else None

    def take(self, flags: int, packet: bytes) -> None:
        """Read a PUBLISH (MQTT 3.1.1, 3.3): its first byte, and what follows its length.

        Raises:
            ProtocolError: It is none.
            IndexError: It is too short.
        """
        self.look_again()
        at = 2 + (packet[0] << 8 | packet[1])
        topic = packet[2:at]
        route = self._routes.get(topic) or self._route(topic)
        qos = flags >> 1 & 3
        mid = 0
        if qos:
            mid = packet[at] << 8 | packet[at + 1]
            at += 2
        headers: dict[str, str] = {}
        if self._properties:
            if packet[at]:
                headers, at = decode(packet, at)
            else:
                at += 1
        if at > len(packet) or qos > QOS_MAX:
            raise ProtocolError("the broker sent a message that is cut short")
        whose = route.subscription.id if route.subscription else _NOBODY
        delivery = Delivery(
            route.name, packet[at:], headers, whose, self.now_ns, None, bool(flags & _DUP), bool(flags & _RETAIN), qos
        )
        if route.plain and not qos:
            self.count += 1
            self.events.append(delivery)
        else:
            self._sort(topic, delivery, route, self.ledger.add(mid, qos) if qos else None)

    def _sort(self, topic: bytes, delivery: Delivery, route: _Route, arrival: Arrival | None) -> None:
        subscription = route.subscription
        if subscription is None:
            self._keep(_Held(topic, delivery, arrival))
            return
        if delivery.retained is _UNWANTED.get(subscription.retained):
            self._finish(arrival)
            return
        if subscription.mode is AckMode.AUTO:
            self._finish(arrival)
        elif arrival is not None:
            delivery.ack = self.ledger.token(subscription.id, arrival)
            if delivery.ack is None:
                # Its subscription just ended. Left alone, it would hold up all that come after it.
                self._finish(arrival)
        self.count += 1
        self.events.append(delivery)

    def _finish(self, arrival: Arrival | None) -> None:
        if arrival is not None:
            self.done.append(arrival)

    def _keep(self, held: _Held) -> None:
        """Hold a message for a subscription that may still be made; one that was just ended gets no more."""
        if not self._hold or self._matches_ended(held.topic):
            self._finish(held.arrival)
        elif len(self._held) < HELD_MAX:
            self._held.append(held)
        else:
            self._finish(held.arrival)
            self.events.append(Overflowed(time.monotonic_ns(), 1))

    def look_again(self) -> None:
        """Hand on what was held and has a subscription now."""
        if not self._look_again:
            return
        self._look_again = False
        held, self._held = self._held, []
        for each in held:
            route = self._routes.get(each.topic) or self._route(each.topic)
            if route.subscription is not None:
                each.delivery.subscription = route.subscription.id
            self._sort(each.topic, each.delivery, route, each.arrival)

    def _route(self, topic: bytes) -> _Route:
        if not topic:
            raise ProtocolError("the broker sent a message without a topic")
        name = topic.decode(errors="backslashreplace")
        with self._lock:
            whose = next((each for each in self._subscriptions.values() if _matches(each.pattern, name)), None)
            plain = whose is not None and whose.retained is Retained.ALL
            if len(self._routes) >= TOPICS_KEPT:
                self._routes.clear()
            route = self._routes[topic] = _Route(from_mqtt(name, self._dialect), whose, plain)
        return route

    def _matches_ended(self, topic: bytes) -> bool:
        name = topic.decode(errors="backslashreplace")
        with self._lock:
            return any(_matches(pattern, name) for pattern in self._ended)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith(MQTT_SHARED_PREFIX):
        pattern = pattern.split("/", 2)[-1]
    return topic_matches_sub(pattern, name)
