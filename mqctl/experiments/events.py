"""What a history is made of: one value for each kind of line. docs/history.md is the schema for others to write."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

VERSION = 1
"""Of the schema."""

NUMBER_BITS = 40
"""A message's number has at most so many bits."""

BROKER = "broker"
"""The client of a `Killed` that was the broker itself."""

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << NUMBER_BITS)]


class _Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="event"):
    """A line. Without references to containers, so that the garbage collector need not look at millions of them."""


class Publish(_Line, frozen=True, tag="publish"):
    """A message is about to be sent; it was meant to be sent at `intended_ns`."""

    producer: str
    n: Number
    topic: str = ""
    intended_ns: int | None = None
    sent_ns: int | None = None


class Confirmed(_Line, frozen=True, tag="confirmed"):
    """The broker took a message."""

    producer: str
    n: Number
    at_ns: int | None = None


class Rejected(_Line, frozen=True, tag="rejected"):
    """The broker certainly did not take a message."""

    producer: str
    n: Number
    at_ns: int | None = None
    reason: str = ""


class Unknown(_Line, frozen=True, tag="unknown"):
    """Nobody knows whether the broker took a message."""

    producer: str
    n: Number
    at_ns: int | None = None
    reason: str = ""


class Subscribed(_Line, frozen=True, tag="subscribed"):
    """A consumer gets what is published to `topic` from here on; "" is whatever is published.

    Consumers of one `group` share the messages. With `exclusive`, only one of them is served at a time. With ack
    `client`, an acknowledgement covers all that came before. `prefetch` None: without a limit.
    """

    consumer: str
    topic: str = ""
    group: str = ""
    exclusive: bool = False
    ack: Literal["auto", "client", "individual"] = "auto"
    prefetch: int | None = None
    at_ns: int | None = None


class Unsubscribed(_Line, frozen=True, tag="unsubscribed"):
    """A consumer gets nothing more."""

    consumer: str
    at_ns: int | None = None


class Delivered(_Line, frozen=True, tag="delivered"):
    """A message came; `intended_ns` is what it says itself, `redelivered` and `attempt` what the broker says of it."""

    consumer: str
    producer: str
    n: Number
    received_ns: int | None = None
    intended_ns: int | None = None
    redelivered: bool = False
    attempt: int | None = None


class Foreign(_Line, frozen=True, tag="foreign"):
    """Something came that is no message of this run, or was changed on its way."""

    consumer: str
    at_ns: int | None = None


class Acked(_Line, frozen=True, tag="acked"):
    """A consumer acknowledged a message; `confirmed` where the broker said that it knows."""

    consumer: str
    producer: str
    n: Number
    at_ns: int | None = None
    confirmed: bool = False


class Nacked(_Line, frozen=True, tag="nacked"):
    """A consumer refused a message; with `requeue` it is to come again."""

    consumer: str
    producer: str
    n: Number
    at_ns: int | None = None
    requeue: bool = True


class Requeued(_Line, frozen=True, tag="requeued"):
    """A consumer gave a message back in another way, such as an aborted transaction."""

    consumer: str
    producer: str
    n: Number
    at_ns: int | None = None


class ConnectionLost(_Line, frozen=True, tag="connection_lost"):
    """A producer or consumer lost its connection."""

    client: str
    at_ns: int | None = None
    reason: str = ""


class ConnectionResumed(_Line, frozen=True, tag="connection_resumed"):
    """A producer or consumer is connected again."""

    client: str
    at_ns: int | None = None


class Killed(_Line, frozen=True, tag="killed"):
    """A process was ended by force: that of a client, or `BROKER`."""

    client: str
    at_ns: int | None = None


class FaultBegan(_Line, frozen=True, tag="fault_began"):
    """A period of trouble made on purpose begins."""

    fault: str
    at_ns: int | None = None
    where: str = ""


class FaultEnded(_Line, frozen=True, tag="fault_ended"):
    """A period of trouble is over."""

    fault: str
    at_ns: int | None = None
    where: str = ""


class Fault(enum.StrEnum):
    """What can be planted at one place, to prove that it is found."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    SWAP = "swap"
    DELAY = "delay"
    STRAY = "stray"


class Planted(_Line, frozen=True, tag="planted"):
    """A fault was planted in the delivery of a message to a consumer.

    A swap is with the next message of that consumer, (`with_producer`, `with_n`). A stray was for another of its group.
    """

    fault: Fault
    consumer: str
    producer: str
    n: Number
    with_producer: str = ""
    with_n: int = 0
    delay_ns: int = 0


class End(_Line, frozen=True, tag="end"):
    """The run is over; `drained`: the consumers read until nothing more came."""

    at_ns: int | None = None
    drained: bool = False


class Header(msgspec.Struct, frozen=True, omit_defaults=True, tag="history", tag_field="event"):
    """The first line: what was run, and how. `facts` are kept and not judged."""

    version: int
    name: str = ""
    protocol: str = ""
    mode: str = ""
    expect: tuple[str, ...] = ()
    clocks: Literal["one", "several"] = "one"
    facts: Mapping[str, Any] = {}


class Strange(msgspec.Struct, frozen=True, gc=False):
    """A line of a kind that is not known here."""

    kind: str


def message(producer: str, n: int) -> str:
    """How a message is called: `A7`, or where the producer's name ends in a digit, `p1:7`."""
    return f"{producer}:{n}" if producer[-1:].isdigit() else f"{producer}{n}"


Outcome: TypeAlias = Confirmed | Rejected | Unknown
Settlement: TypeAlias = Acked | Nacked | Requeued
Event: TypeAlias = (
    Publish
    | Outcome
    | Subscribed
    | Unsubscribed
    | Delivered
    | Foreign
    | Settlement
    | ConnectionLost
    | ConnectionResumed
    | Killed
    | FaultBegan
    | FaultEnded
    | Planted
    | End
)
