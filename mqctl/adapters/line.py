"""One of the connections that a lasting connection is made of, and what its subscriptions are called outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mqctl.adapters.base import Connection, ConnectionStats, PendingPublish, Transaction
from mqctl.adapters.inbox import Inbox
from mqctl.adapters.repeats import Repeats
from mqctl.errors import ConnectionLost, UsageError
from mqctl.model import AckToken, ConnectionEvent, Delivery, Outgoing, SubscriptionId


class Line:
    """A connection, once `connection` is set.

    It begins by holding its events back: until the broker has confirmed a subscription, nobody knows what the
    subscription of a message is called outside. What is held is bounded, as everything is; waiting for room is vain.

    Args:
        owner: The lasting connection.
        repeats: Knows what came over earlier ones.
    """

    def __init__(self, owner: object, repeats: Repeats) -> None:
        self.connection: Connection
        self.owner = owner
        self._repeats = repeats
        self.gone = False
        self._held: Inbox | None = Inbox(block_s=0.0)
        self._outer: dict[SubscriptionId, SubscriptionId] = {}
        self._inner: dict[SubscriptionId, SubscriptionId] = {}

    def name(self, inner: SubscriptionId, outer: SubscriptionId) -> None:
        """A subscription of this connection stands."""
        self._outer[inner] = outer
        self._inner[outer] = inner

    def forget(self, outer: SubscriptionId) -> None:
        """A subscription is over."""
        self._outer.pop(self._inner.pop(outer), None)

    def inner(self, outer: SubscriptionId) -> SubscriptionId:
        """What a subscription is called inside.

        Raises:
            UsageError: There is none of that name.
        """
        if outer not in self._inner:
            raise UsageError(f"no such subscription: {outer!r}")
        return self._inner[outer]

    def hold(self) -> None:
        """Hold events back from now on."""
        self._held = Inbox(block_s=0.0)

    def passing(self, events: Iterable[ConnectionEvent]) -> list[ConnectionEvent]:
        """The events as they look outside; none while they are held back."""
        if self._held is not None:
            self._held.put_batch(list(events))
            return []
        return self._translated(events)

    def let_go(self) -> list[ConnectionEvent]:
        """The events held back, as they look outside; from now on they pass."""
        held, self._held = self._held, None
        # One more than there are: what was dropped is an event of its own.
        return [] if held is None else self._translated(held.take(0, max_events=len(held) + 1))

    def _translated(self, events: Iterable[ConnectionEvent]) -> list[ConnectionEvent]:
        outer = self._outer
        passing = []
        for event in events:
            if isinstance(event, Delivery):
                event.subscription = name = outer.get(event.subscription, event.subscription)
                if event.ack is not None:
                    event.ack = AckToken(name, Stamped(self, event.ack))
                    self._repeats.flag(event)
            passing.append(event)
        return passing


class Stamped(NamedTuple):
    """A token of a line's connection, and that line: the broker takes it back over no other."""

    line: Line
    token: AckToken


def stamped(token: AckToken, owner: object) -> Stamped:
    """What is in a token.

    Raises:
        UsageError: It is not one of the owner's.
    """
    native = token.native
    if not isinstance(native, Stamped) or native.line.owner is not owner:
        raise UsageError("this message was acknowledged before, or came over another connection")
    return native


def added(one: ConnectionStats, other: ConnectionStats) -> ConnectionStats:
    """The counters of two connections together."""
    return ConnectionStats(
        one.messages_in + other.messages_in,
        one.messages_out + other.messages_out,
        one.bytes_in + other.bytes_in,
        one.bytes_out + other.bytes_out,
    )


class LineTransaction:
    """See `Transaction`; of a line's connection, and lost with it.

    Args:
        line: Which began it.
        inner: The transaction of its connection.
    """

    def __init__(self, line: Line, inner: Transaction) -> None:
        self._line = line
        self._inner = inner

    def submit(self, message: Outgoing) -> None:
        """See `Transaction.submit`."""
        self._inner.submit(message)

    def ack(self, token: AckToken) -> None:
        """See `Transaction.ack`."""
        self._inner.ack(self._own(token))

    def nack(self, token: AckToken) -> None:
        """See `Transaction.nack`."""
        self._inner.nack(self._own(token))

    def commit(self) -> PendingPublish:
        """See `Transaction.commit`."""
        return self._inner.commit()

    def abort(self) -> PendingPublish:
        """See `Transaction.abort`."""
        return self._inner.abort()

    def _own(self, token: AckToken) -> AckToken:
        line, inner = stamped(token, self._line.owner)
        if line is not self._line:
            raise ConnectionLost("the transaction and the message are of different connections, of which one was lost")
        return inner
