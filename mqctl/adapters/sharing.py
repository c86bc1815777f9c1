"""One connection for several users: each has a `Connection` of its own, which gets the messages of its subscriptions.

A second connection under the same client id would throw out the first; and one for each command is slow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from mqctl.adapters.base import Connection, ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.errors import ConnectionLost, MqctlError, UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Outgoing,
    SubscriptionId,
)

UNCLAIMED_MAX: Final = 10_000
"""Messages kept of a subscription that its broker serves before it has confirmed it."""

_LEAVE_S: Final = 2.0


class SharedConnection:
    """A connection that is shared.

    Args:
        connect: Makes the connection, given the sink of its events.
    """

    def __init__(self, connect: Callable[[EventSink], Connection]) -> None:
        self._lock = threading.Lock()
        self._shares: list[Share] = []
        self._owners: dict[SubscriptionId, list[Share]] = {}
        self._specs: dict[SubscriptionId, SubscribeSpec] = {}
        self._subscribing = 0
        self._unclaimed: dict[SubscriptionId, list[ConnectionEvent]] = {}
        self._last: Disconnected | None = None
        self.connection = connect(self._dispatch)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone for good."""
        return self._last is not None

    def share(self, sink: EventSink) -> Share:
        """Another user. `sink` gets the messages of this user's subscriptions, and everything else that happens.

        Raises:
            ConnectionLost: The connection is gone.
        """
        with self._lock:
            if self._last is not None:
                raise ConnectionLost(f"the connection was lost: {self._last.reason}")
            self._shares.append(Share(self, sink))
            return self._shares[-1]

    def close(self) -> None:
        """Close the connection, for all."""
        self.connection.close()

    @contextmanager
    def subscribing(self) -> Iterator[None]:
        """Inside, a subscription is being asked for: messages that are nobody's yet may be its."""
        with self._lock:
            self._subscribing += 1
        try:
            yield
        finally:
            with self._lock:
                self._subscribing -= 1
                if not self._subscribing:
                    # Those are of subscriptions that have ended.
                    self._unclaimed.clear()

    def claim(self, share: Share, subscription: SubscriptionId, spec: SubscribeSpec) -> None:
        """This subscription is that user's too; what came for it already is handed over."""
        with self._lock:
            self._owners.setdefault(subscription, []).append(share)
            self._specs[subscription] = spec
            share.sink(self._unclaimed.pop(subscription, []))

    def to_join(self, share: Share, spec: SubscribeSpec) -> SubscriptionId | None:
        """A subscription of others that is the same, and whose messages may go to several."""
        if spec.ack_mode is not AckMode.AUTO or spec.shared is not None or spec.durable is not None:
            return None
        with self._lock:
            same = (key for key, owners in self._owners.items() if self._specs[key] == spec and share not in owners)
            return next(same, None)

    def is_alone(self, subscription: SubscriptionId) -> bool:
        """Whether nobody else has this subscription."""
        with self._lock:
            return len(self._owners.get(subscription, ())) <= 1

    def release(self, share: Share, subscription: SubscriptionId) -> None:
        """This subscription is over for that user."""
        with self._lock:
            owners = self._owners.get(subscription, [])
            if share in owners:
                owners.remove(share)
            if not owners:
                self._owners.pop(subscription, None)
                self._specs.pop(subscription, None)

    def leave(self, share: Share) -> tuple[SubscriptionId, ...]:
        """This user goes; the subscriptions that are to be ended."""
        with self._lock:
            if share in self._shares:
                self._shares.remove(share)
            return tuple(key for key, owners in self._owners.items() if share in owners)

    def _dispatch(self, events: Sequence[ConnectionEvent]) -> None:
        with self._lock:
            for takers, run in groupby(events, self._takers):
                batch = list(run)
                for share in takers:
                    share.sink(batch)

    def _takers(self, event: ConnectionEvent) -> Sequence[Share]:
        if isinstance(event, Disconnected):
            self._last = event
        if not isinstance(event, Delivery):
            return self._shares
        if event.subscription not in self._owners and self._subscribing:
            self._keep(event)
        return self._owners.get(event.subscription, ())

    def _keep(self, delivery: Delivery) -> None:
        waiting = self._unclaimed.setdefault(delivery.subscription, [])
        if len(waiting) < UNCLAIMED_MAX:
            waiting.append(delivery)


class Share:
    """One user's part of a shared connection. See `Connection`; `close` ends this user's subscriptions and no more."""

    def __init__(self, shared: SharedConnection, sink: EventSink) -> None:
        self.sink = sink
        self._shared = shared
        self._connection = shared.connection
        self.greeting = shared.connection.greeting
        self._mine: set[SubscriptionId] = set()

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`."""
        return self._connection.submit(message, confirmation=confirmation)

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """See `Connection.subscribe`.

        Over MQTT a connection has one subscription to a topic filter. Whoever asks for the same as another joins it,
        and gets what comes from then on.
        """
        with self._shared.subscribing():
            try:
                subscription = self._connection.subscribe(spec, timeout_s=timeout_s)
            except UsageError:
                joined = self._shared.to_join(self, spec)
                if joined is None:
                    raise
                subscription = joined
            self._mine.add(subscription)
            self._shared.claim(self, subscription, spec)
        return subscription

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """See `Connection.unsubscribe`."""
        if subscription not in self._mine:
            raise UsageError(f"no such subscription: {subscription!r}")
        if self._shared.is_alone(subscription):
            self._connection.unsubscribe(subscription, timeout_s=timeout_s, forget=forget)
        self._mine.discard(subscription)
        self._shared.release(self, subscription)

    def ack(self, token: AckToken) -> None:
        """See `Connection.ack`."""
        self._connection.ack(token)

    def nack(self, token: AckToken) -> None:
        """See `Connection.nack`."""
        self._connection.nack(token)

    def begin(self) -> Transaction:
        """See `Connection.begin`."""
        return self._connection.begin()

    def stats(self) -> ConnectionStats:
        """Of the whole connection."""
        return self._connection.stats()

    def close(self, *, timeout_s: float = _LEAVE_S) -> None:
        """End this user's subscriptions; the connection stays."""
        for subscription in self._shared.leave(self):
            try:
                self.unsubscribe(subscription, timeout_s=timeout_s)
            except MqctlError:
                # The connection is gone, or will be soon; there is nothing to undo at the other end.
                self._shared.release(self, subscription)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
