"""Carries out what the broker decides: effects to connections, output to sockets once per turn of the loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from time import monotonic_ns
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, assert_never

from mqctl.broker.core import Broker
from mqctl.broker.effects import (
    DeadLettered,
    Deliver,
    Dropped,
    DurableEnded,
    Effect,
    Evict,
    FanOut,
    Hold,
    Release,
    Unfinished,
)
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.hub import events
from mqctl.hub.events import HubEvent
from mqctl.hub.upstream import Upstream

TICK_S = 0.5
"""How often expired messages and abandoned durable subscriptions are looked for, and drops are told."""


class Contained(Protocol):
    """What ends alone when a bug shows itself there."""

    name: str

    def abort(self) -> None:
        """Close at once."""
        ...


class Port(Contained, Protocol):
    """A connection, as the exchange sees it. It is the broker's session."""

    def send(self, messages: Sequence[Message], subscriber: Subscriber, shared: dict[bytes, Any]) -> None:
        """Put messages into the outbox; `shared` holds what ports of other subscribers made of them already."""
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
    """The one broker of a hub, and the connections that have something to write.

    Messages that follow each other to the same subscribers are gathered, then encoded and handed out as one piece: by
    `settle`, before anything else happens to a subscriber, so that the order of everything stays.
    """

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop, on_event: Callable[[HubEvent], None]) -> None:
        self.broker = broker
        self.loop = loop
        self.upstream: Upstream | None = None
        self._on_event = on_event
        self._id = secrets.token_hex(4)
        self._messages = 0
        self._crowd: tuple[Subscriber, ...] = ()
        self._gathered: list[Message] = []
        self.listener_failures = 0
        """How often whoever listens failed."""
        self._dirty: list[Port] = []
        self._flush_due = False
        self._drops: dict[tuple[str, str, str | None], int] = {}
        self._ticker = loop.call_later(TICK_S, self._tick)

    def close(self) -> None:
        """End the ticking."""
        self._ticker.cancel()
        self.tell_drops()

    def next_message_id(self) -> str:
        """An id that no other message of this hub, or of another, has."""
        self._messages += 1
        return f"{self._id}-{self._messages}"

    def mark_dirty(self, port: Port) -> None:
        """Note that a port's outbox is no longer empty; it is flushed at the end of this turn of the loop."""
        self._dirty.append(port)
        self._want_flush()

    def _want_flush(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self.settle()
        dirty, self._dirty = self._dirty, []
        now_ns = monotonic_ns()
        # Backwards: a publisher is marked before its subscribers are, and its receipt is to leave after their messages.
        for port in reversed(dirty):
            try:
                port.flush(now_ns)
            except Exception as error:  # noqa: BLE001 - one connection's trouble is not the others'
                self.blame(port, error)

    def settle(self) -> None:
        """Hand out what was gathered."""
        if not self._gathered:
            return
        messages, self._gathered = self._gathered, []
        crowd, self._crowd = self._crowd, ()
        shared: dict[bytes, Any] = {}
        for subscriber in crowd:
            port: Port | None = subscriber.session
            if port is None:  # evicted since
                continue
            try:
                port.send(messages, subscriber, shared)
            except Exception as error:  # noqa: BLE001 - one connection's trouble is not the others'
                self.blame(port, error)

    def apply(self, effects: Iterable[Effect]) -> None:
        """Do what the broker wants done, in its order."""
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    self._gather(message, subscribers)
                case Dropped():
                    self._count_drop(effect)
                case DeadLettered(dead, reason):
                    self.tell(events.DeadLettered(str(dead.address), dead.id, reason))
                case DurableEnded(client_id, name, address):
                    self.tell(events.DurableEnded(client_id, name, str(address)))
                case _:
                    self.settle()
                    self._hand(effect)

    def _gather(self, message: Message, subscribers: tuple[Subscriber, ...]) -> None:
        if subscribers is not self._crowd:
            self.settle()
            self._crowd = subscribers
            self._want_flush()
        self._gathered.append(message)

    def _hand(self, effect: Deliver | Hold | Release | Unfinished | Evict) -> None:
        """Give an effect to the one connection that it concerns."""
        port: Port | None = effect.subscriber.session if isinstance(effect, Deliver) else effect.session
        if port is None:  # evicted by the same call of the broker
            return
        try:
            match effect:
                case Deliver():
                    port.deliver(effect)
                case Hold():
                    port.hold()
                case Release():
                    port.release()
                case Unfinished():
                    port.unfinished()
                case Evict(_, reason):
                    port.evict(reason)
                case _:
                    assert_never(effect)
        except Exception as error:  # noqa: BLE001 - one connection's trouble is not the others'
            self.blame(port, error)

    def blame(self, port: Contained, error: Exception) -> None:
        """Report a bug that showed itself at one connection, and end that one."""
        self.loop.call_exception_handler(
            {"message": f"a bug in the hub: connection {port.name} is closed", "exception": error}
        )
        port.abort()

    def tell(self, event: HubEvent) -> None:
        """Say what happened. A listener that fails costs nothing but what it should have heard."""
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - whoever listens is no part of the hub
            self.complain("a listener to the hub's events", error)

    def complain(self, who: str, error: Exception) -> None:
        """Count and report that somebody failed who is no part of the hub."""
        self.listener_failures += 1
        self.loop.call_exception_handler({"message": f"{who} failed", "exception": error})

    def _count_drop(self, effect: Dropped) -> None:
        """Add it up: a consumer that is too slow may cost a message at every publish, so drops are told at the tick."""
        port: Port | None = effect.subscriber.session if effect.subscriber is not None else None
        key = (str(effect.address), effect.reason.value, port.name if port is not None else None)
        self._drops[key] = self._drops.get(key, 0) + effect.count

    def tell_drops(self) -> None:
        """Say what was dropped since the last time."""
        drops, self._drops = self._drops, {}
        for (destination, reason, session), count in drops.items():
            self.tell(events.MessagesDropped(destination, count, reason, session))

    def _tick(self) -> None:
        self._ticker = self.loop.call_later(TICK_S, self._tick)
        now_ns = monotonic_ns()
        deadline_ns = self.broker.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now_ns:
            self.apply(self.broker.tick(now_ns))
        self.tell_drops()


class _OfExchange(Contained, Protocol):
    _exchange: Exchange


_Port = TypeVar("_Port", bound=_OfExchange)
_Args = ParamSpec("_Args")


def contained(callback: Callable[Concatenate[_Port, _Args], None]) -> Callable[Concatenate[_Port, _Args], None]:
    """A callback of the loop to a port: a bug in it ends this connection, and no other."""

    @wraps(callback)
    def call(self: _Port, /, *args: _Args.args, **kwargs: _Args.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the last line of defence
            self._exchange.blame(self, error)

    return call
