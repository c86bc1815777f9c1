"""Receiving until a limit is reached: the loop under `tail` and `watch`.

A message is acknowledged after it was handled: what a broken pipe or a full disk swallows is still the broker's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import inf
from typing import NoReturn

from mqctl.adapters.base import Connection
from mqctl.adapters.inbox import Inbox
from mqctl.cli.outages import Outages
from mqctl.cli.resent import RESENT
from mqctl.errors import ConnectionLost, MeasuredWrong, OperationTimeout
from mqctl.model import (
    AckMode,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Fault,
    Interrupted,
    Overflowed,
    Resumed,
    SubscriptionId,
)

FOREVER_S = 3600.0
"""As long as one wait for messages may be; another follows."""

LAST_EVENT_S = 2.0
"""How long the last event of a connection may take to come."""


Shield = Callable[[], AbstractContextManager[None]]
"""Makes what is entered while messages are handled and acknowledged, so that no end of the run comes between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a run ends by itself; None is never."""

    count: int | None = None
    timeout_s: float | None = None
    idle_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Hands what the inbox receives to `handle`, in batches, until a limit is reached.

    Attributes:
        handle: Takes the deliveries of a batch and the number of the first, counted from 1.
        received: How many were handled.
        redelivered: How many of them the broker had delivered before, to us or to somebody.
        resent: How many of them their publisher had sent before.
        dropped: How many came too fast to be handled.
        outages: The times without a connection.
        shield: See `Shield`.
    """

    connection: Connection
    inbox: Inbox
    ack_modes: Mapping[SubscriptionId, AckMode]
    limits: Limits
    complain: Callable[[str], None]
    handle: Callable[[Sequence[Delivery], int], None] = lambda _deliveries, _first: None
    received: int = 0
    redelivered: int = 0
    resent: int = 0
    dropped: int = 0
    outages: Outages = field(default_factory=Outages)
    shield: Shield = nullcontext
    _deadline: float = field(init=False)
    _idle_deadline: float = field(init=False)

    def __post_init__(self) -> None:
        now = time.monotonic()
        self._deadline = now + (inf if self.limits.timeout_s is None else self.limits.timeout_s)
        self._idle_deadline = self._next_idle(now)

    def step(self, patience_s: float = FOREVER_S) -> bool:
        """Wait for messages, at most `patience_s`, and handle those that came; whether to go on.

        Raises:
            OperationTimeout: `timeout_s` is over.
            MeasuredWrong: `idle_s` passed before `count` messages came.
            ConnectionLost: The connection went away.
        """
        if self.received == self.limits.count or self._is_over():
            return False
        end = min(self._deadline, self._idle_deadline, time.monotonic() + patience_s)
        batch = self.inbox.take(max(0.0, end - time.monotonic()))
        events = batch if self.limits.count is None else _up_to(self.limits.count - self.received, batch)
        deliveries = [event for event in events if isinstance(event, Delivery)]
        lost = None
        if deliveries:
            with self.shield():
                self.handle(deliveries, self.received + 1)
                self._count(deliveries)
                lost = self._acknowledge(deliveries)
            self._idle_deadline = self._next_idle(time.monotonic())
        if lost is not None:
            self._hear_out(batch, lost)
        if len(deliveries) < len(events):
            self._heed(events)
        return True

    def summary(self) -> str:
        """The last line of a run."""
        flags = ((self.redelivered, "redelivered"), (self.resent, "resent"))
        told = "".join(f", {name} {count}" for count, name in flags if count)
        return f"received {self.received}{told}{self.outages.summary()}"

    def _count(self, deliveries: Sequence[Delivery]) -> None:
        self.received += len(deliveries)
        for delivery in deliveries:
            if delivery.redelivered:
                self.redelivered += 1
            if RESENT in delivery.headers:
                self.resent += 1

    def _next_idle(self, now: float) -> float:
        return now + (inf if self.limits.idle_s is None else self.limits.idle_s)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now >= self._deadline:
            raise OperationTimeout(f"--timeout is over; {self.received} messages came")
        if now < self._idle_deadline:
            return False
        if self.limits.count is not None:
            raise MeasuredWrong(f"{self.received} of {self.limits.count} messages came before --idle was over")
        return True

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> ConnectionLost | None:
        """Each message in individual mode; in client mode the last of each subscription, which covers all before."""
        last = {delivery.subscription: delivery for delivery in deliveries}
        try:
            for delivery in deliveries:
                if delivery.ack is None:
                    continue
                alone = self.ack_modes[delivery.subscription] is AckMode.INDIVIDUAL
                if alone or last[delivery.subscription] is delivery:
                    self.connection.ack(delivery.ack)
        except ConnectionLost as error:
            return error
        return None

    def _hear_out(self, events: list[ConnectionEvent], lost: ConnectionLost) -> NoReturn:
        """The last event, which is there or on its way, knows better why than whoever could not acknowledge."""
        deadline = time.monotonic() + LAST_EVENT_S
        while events:
            self._heed(events)
            events = self.inbox.take(max(0.0, deadline - time.monotonic()))
        raise lost

    def _heed(self, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            match event:
                case Disconnected(reason=reason, error=error):
                    raise error or ConnectionLost(f"connection lost after {self.received} messages: {reason}")
                case Interrupted() | Resumed():
                    self.outages.heed(event)
                case Overflowed(dropped=dropped):
                    self.dropped += dropped
                    self.complain(f"{dropped} messages came faster than they were taken, and were dropped")
                case Fault(reason=reason):
                    self.complain(f"the broker says: {reason}")
                case _:
                    pass


def _up_to(wanted: int, events: list[ConnectionEvent]) -> list[ConnectionEvent]:
    """The events until so many messages came; what happens after that concerns nobody."""
    for index, event in enumerate(events):
        wanted -= isinstance(event, Delivery)
        if not wanted:
            return events[: index + 1]
    return events
