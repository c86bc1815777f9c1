"""Carries out what the broker decides: effects to connections, output to sockets once per turn of the loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import Protocol, assert_never

from mqctl.broker.core import Broker
from mqctl.broker.effects import DeadLettered, Deliver, Dropped, Effect, Evict, FanOut, Hold, Release, Unfinished
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.hub import events
from mqctl.hub.events import HubEvent

TICK_S = 0.5
"""How often expired messages and abandoned durable subscriptions are looked for."""


class Port(Protocol):
    """A connection, as the exchange sees it. It is the broker's session."""

    name: str

    def send(self, message: Message, subscriber: Subscriber, frames: dict[object, bytes]) -> None:
        """Put a message into the outbox; `frames` holds what other subscribers' ports encoded of it already."""
        ...

    def deliver(self, effect: Deliver) -> None:
        """Put a message into the outbox for a subscriber that may have to acknowledge it."""
        ...

    def flush(self, now_ns: int) -> None:
        """Write the outbox to the socket, as one piece."""
        ...

    def hold(self) -> None:
        """Take no more requests until `release`."""
        ...

    def release(self) -> None:
        """Take requests again, those that waited first."""
        ...

    def unfinished(self) -> None:
        """Ask the broker for more once the socket has taken what it was given."""
        ...

    def evict(self, reason: str) -> None:
        """Say why and close; the broker has forgotten this session."""
        ...


class Exchange:
    """The one broker of a hub, and the connections that have something to write."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop, on_event: Callable[[HubEvent], None]) -> None:
        self.broker = broker
        self.loop = loop
        self.tell = on_event
        self._id = secrets.token_hex(4)
        self._messages = 0
        self._dirty: list[Port] = []
        self._ticker = loop.call_later(TICK_S, self._tick)

    def close(self) -> None:
        """End the ticking."""
        self._ticker.cancel()

    def next_message_id(self) -> str:
        """An id that no other message of this hub, or of another, has."""
        self._messages += 1
        return f"{self._id}-{self._messages}"

    def mark_dirty(self, port: Port) -> None:
        """Note that a port's outbox is no longer empty; it is flushed at the end of this turn of the loop."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(port)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        now_ns = monotonic_ns()
        for port in dirty:
            port.flush(now_ns)

    def apply(self, effects: Iterable[Effect]) -> None:
        """Do what the broker wants done, in its order."""
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    frames: dict[object, bytes] = {}
                    for subscriber in subscribers:
                        subscriber.session.send(message, subscriber, frames)
                case Deliver(subscriber):
                    subscriber.session.deliver(effect)
                case Hold(port):
                    port.hold()
                case Release(port):
                    port.release()
                case Unfinished(port):
                    port.unfinished()
                case Evict(port, reason):
                    port.evict(reason)
                case Dropped() | DeadLettered():
                    self.tell(_event(effect))
                case _:
                    assert_never(effect)

    def _tick(self) -> None:
        now_ns = monotonic_ns()
        deadline_ns = self.broker.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self.apply(self.broker.tick(now_ns))
        self._ticker = self.loop.call_later(TICK_S, self._tick)


def _event(effect: Dropped | DeadLettered) -> HubEvent:
    if isinstance(effect, DeadLettered):
        return events.DeadLettered(str(effect.message.address), effect.message.id, effect.reason)
    port: Port | None = effect.subscriber.session if effect.subscriber is not None else None
    session = port.name if port is not None else None
    return events.MessagesDropped(str(effect.address), effect.count, effect.reason, session)
