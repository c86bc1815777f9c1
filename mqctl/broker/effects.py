"""What the broker wants done; the shell does it in order. Not frozen: some are made for every message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Address, DropReason, Message


@dataclass(slots=True)
class FanOut:
    """Write the message to all these subscribers, who acknowledge automatically. The tuple is shared: leave it be."""

    message: Message
    subscribers: tuple[Subscriber, ...]


@dataclass(slots=True)
class Deliver:
    """Write the message to one subscriber. `delivery_id` None: there is nothing to acknowledge."""

    subscriber: Subscriber
    message: Message
    delivery_id: int | None
    redelivered: bool
    delivery_count: int


@dataclass(slots=True)
class Hold:
    """Take no more frames from this publisher, read or buffered, until `Release`; its silence is no dead heart."""

    session: Any


@dataclass(slots=True)
class Release:
    """Read from this publisher again."""

    session: Any


@dataclass(slots=True)
class Unfinished:
    """More waits for this session, which counts as paused: call `resume` when its write buffer is low."""

    session: Any


@dataclass(slots=True)
class Evict:
    """Tell the session why and close its connection; the broker has forgotten it already."""

    session: Any
    reason: str


@dataclass(slots=True)
class Dropped:
    """Messages that will not be delivered. `subscriber` None: to nobody."""

    address: Address
    count: int
    reason: DropReason
    subscriber: Subscriber | None = None


@dataclass(slots=True)
class DeadLettered:
    """A message refused too often went to the dead-letter queue."""

    message: Message
    reason: str


@dataclass(slots=True)
class DurableEnded:
    """A durable subscription was not taken up again in time: from now on nothing is kept for it."""

    client_id: str
    name: str
    address: Address


Effect = FanOut | Deliver | Hold | Release | Unfinished | Evict | Dropped | DeadLettered | DurableEnded
