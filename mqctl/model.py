"""The values every layer speaks of: topics, messages, confirmations, connection events. No behaviour, no IO.

Small ones are named tuples: a frozen dataclass costs half a millisecond each time the program starts.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, NewType

if TYPE_CHECKING:
    from mqctl.errors import MqctlError

SubscriptionId = NewType("SubscriptionId", str)
"""Names one subscription of one connection."""


class Dialect(enum.StrEnum):
    """Whose reading of a protocol is spoken: header names, wildcards and the meaning of NACK differ by broker."""

    CLASSIC = "classic"
    ARTEMIS = "artemis"
    RABBITMQ = "rabbitmq"
    MOSQUITTO = "mosquitto"
    HUB = "hub"


class Confirmation(enum.IntEnum):
    """How far a published message is known to have come."""

    NONE = 0
    """Handed to the transport; nobody was asked."""
    SOCKET = 1
    """Handed to the operating system's socket."""
    BROKER = 2
    """The broker said that it has it: RECEIPT, PUBACK, PUBCOMP, a successful Bayeux reply."""


class AckMode(enum.StrEnum):
    """When a delivered message counts as done."""

    AUTO = "auto"
    """The broker forgets it once it is written to the socket."""
    CLIENT = "client"
    """An acknowledgement covers this message and all earlier ones of its subscription."""
    INDIVIDUAL = "individual"
    """Each message is acknowledged alone."""


class Retained(enum.StrEnum):
    """Which of the messages that a broker kept for newcomers are wanted."""

    ALL = "all"
    """Those, and what is published from now on."""
    SKIP = "skip"
    """Only what is published from now on."""
    ONLY = "only"
    """Only those."""


class Topic(NamedTuple):
    """A destination as the user means it: levels, or a broker's native name passed through untouched.

    Exactly one of the two is set. In `levels`, `*` stands for any one level and a last `**` for any subtree.
    """

    levels: tuple[str, ...] = ()
    native: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to publish.

    `expires_ms` counts from the publish; `as_text` and `qos` None let the transport decide. With `retain` the broker
    keeps it for newcomers. `reply_to` is where an answer is expected, in the broker's own words.
    """

    topic: Topic
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    persistent: bool = False
    expires_ms: int | None = None
    priority: int | None = None
    as_text: bool | None = None
    qos: int | None = None
    retain: bool = False
    reply_to: str | None = None


class AckToken(NamedTuple):
    """What a transport needs to acknowledge one delivery; opaque to everyone else."""

    subscription: SubscriptionId
    native: object

    def __repr__(self) -> str:
        return f"AckToken({self.subscription!r})"


@dataclass(slots=True)
class Delivery:
    """A message received. Not frozen: one is made for every message, and freezing triples the cost of that.

    `received_ns` is CLOCK_MONOTONIC, stamped before the message is queued. `ack` is None when there is nothing to
    acknowledge. `redelivered` is None where the protocol does not say.
    """

    topic: str
    payload: bytes
    headers: Mapping[str, str]
    subscription: SubscriptionId
    received_ns: int
    id: str | None = None
    redelivered: bool | None = None
    retained: bool = False
    qos: int | None = None
    ack: AckToken | None = None


class Confirmed(NamedTuple):
    """The message is known to have come as far as `level`."""

    level: Confirmation


class Rejected(NamedTuple):
    """The broker refused the message, in its words."""

    reason: str


class UnknownCause(enum.StrEnum):
    """Why the fate of a message is not known."""

    LOST = "lost"
    TIMEOUT = "timeout"
    PARTLY = "partly"
    """A part of its transaction was refused, and the rest may have been done."""


class Unknown(NamedTuple):
    """The message may or may not have arrived; nobody can tell."""

    reason: str
    cause: UnknownCause


PublishOutcome = Confirmed | Rejected | Unknown


class Connected(NamedTuple):
    """First event of every connection. `server` is the broker's own name and version, where it gives one."""

    at_ns: int
    peer: str
    server: str | None
    dialect: Dialect | None
    detail: Mapping[str, str] = MappingProxyType({})


class Disconnected(NamedTuple):
    """Last event of every connection, once. `expected` when we closed it ourselves.

    `error` is why there can be no other connection, where one was sought and that is more than that nobody answers.
    """

    at_ns: int
    expected: bool
    reason: str
    error: MqctlError | None = None


class Interrupted(NamedTuple):
    """The connection went away, and another is sought for `within_s`. What was not confirmed is unknown."""

    at_ns: int
    reason: str
    within_s: float


class Resumed(NamedTuple):
    """There is a connection again, and every subscription stands again. `missing_ns` is how long there was none."""

    at_ns: int
    peer: str
    attempts: int
    missing_ns: int


class Overflowed(NamedTuple):
    """Messages that were received and dropped because nobody took them in time."""

    at_ns: int
    dropped: int


class Fault(NamedTuple):
    """The broker complained about something that no pending call accounts for; the connection goes on."""

    at_ns: int
    reason: str


ConnectionEvent = Connected | Delivery | Disconnected | Interrupted | Resumed | Overflowed | Fault
