"""What the broker speaks of: addresses, messages, its limits and what it does with a slow consumer."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

DEAD_LETTER_QUEUE = "DLQ"
"""The queue that takes messages refused too often."""
ORIGINAL_DESTINATION_HEADER = "original-destination"
DEAD_LETTER_REASON_HEADER = "dead-letter-reason"

DEFAULT_PREFETCH = 1000
"""Unacknowledged messages at a consumer that acknowledges and names no prefetch."""

MESSAGE_OVERHEAD_BYTES = 512
"""What a held message costs beside its payload and headers, rounded up from a measurement."""


class AddressKind(enum.Enum):
    """A topic copies a message to every subscriber; a queue gives it to one consumer."""

    TOPIC = "topic"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes: a topic by its dotted levels, or a queue by its plain name."""

    kind: AddressKind
    name: str

    def __str__(self) -> str:
        return f"/{self.kind.value}/{self.name}"


@dataclass(slots=True, eq=False, kw_only=True)
class Message:
    """A message, one object for all its subscribers. Not frozen: one is made for every publish.

    `wire` is free for the ports, which keep their encodings of the message there. `holds` belongs to the broker:
    how many backlogs and in-flight lists the message is in.
    """

    id: str
    address: Address
    payload: bytes
    headers: tuple[tuple[str, str], ...] = ()
    persistent: bool = False
    expires_at_ns: int | None = None
    wire: dict[str, Any] = field(default_factory=dict)
    holds: int = field(default=0, init=False)
    _cost_bytes: int = field(default=0, init=False)

    @property
    def cost_bytes(self) -> int:
        """What holding the message costs, reckoned once."""
        if not self._cost_bytes:
            headers = sum(len(name) + len(value) for name, value in self.headers)
            self._cost_bytes = MESSAGE_OVERHEAD_BYTES + len(self.payload) + headers
        return self._cost_bytes

    def expired(self, now_ns: int) -> bool:
        """Whether the message may not be delivered any more."""
        return self.expires_at_ns is not None and self.expires_at_ns <= now_ns


class SlowConsumer(enum.StrEnum):
    """What happens when a subscriber's backlog is full."""

    DROP_OLDEST = "drop-oldest"
    DISCONNECT = "disconnect"
    BLOCK = "block"
    """The publishers' sockets are not read until the backlog has drained."""


class DropReason(enum.StrEnum):
    """Why a message was not delivered."""

    SLOW_CONSUMER = "slow consumer"
    MEMORY = "memory limit"
    EXPIRED = "expired"
    DURABLE_EXPIRED = "durable subscription expired"
    DURABLE_REPLACED = "durable subscription moved to another topic"
    DEAD_LETTERS_FULL = "dead-letter queue full"
    REFUSED = "refused too often in the dead-letter queue"
    STOPPED = "the hub was stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of the broker. A refusal names the field that it ran into."""

    connections: int = 20_000
    subscriptions: int = 100_000
    subscriptions_per_connection: int = 1_000
    queues: int = 1_000
    durables: int = 1_000
    topic_levels: int = 32
    prefetch: int = 65_536
    memory_bytes: int = 256 * 2**20
    """Messages held anywhere, each counted once."""
    backlog_messages: int = 10_000
    """Per subscriber of a topic; what a consumer refuses returns to its backlog on top of this."""
    backlog_bytes: int = 64 * 2**20
    queue_messages: int = 100_000
    queue_bytes: int = 128 * 2**20
    max_redeliveries: int = 6
    """Refusals that lead to another delivery; the next one makes the message a dead letter."""
    durable_for_s: float = 3600.0
    """How long a durable subscription outlives its owner's absence."""
    route_cache: int = 4_096
    burst_messages: int = 256
    """Backlogged messages handed to an automatically acknowledging session between two `resume` calls."""
