"""What conductor and workers on other machines say to each other over the broker, and on which topics."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

import msgspec

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.bench.messages import SCHEMA
from mqctl.errors import ConnectionLost
from mqctl.model import ConnectionEvent, Delivery, Disconnected, Outgoing, Topic

SUBSCRIBE_TIMEOUT_S = 10.0
SILENCE_S = 10.0
"""Who says nothing for so long is gone: both sides speak at least once a second."""

T = TypeVar("T")

LETTER_MAX = 256 * 2**20
"""No letter is larger than this once it is unpacked."""


class Call(msgspec.Struct, frozen=True, tag=True):
    """To whoever waits: a run needs workers."""

    run: str
    schema: int = SCHEMA


class Letter(msgspec.Struct, frozen=True, tag=True):
    """To or from the worker of that address: `body` is one of `messages`, `Join` or `Declined`.

    The address is the worker's own and random: two that were given one name must not do one part twice.
    """

    address: str
    body: msgspec.Raw


class Join(msgspec.Struct, frozen=True, tag=True):
    """From a worker that heard the call, and again until it has work; `clock` is the monotonic clock that it reads."""

    name: str
    clock: str


class Declined(msgspec.Struct, frozen=True, tag=True):
    """To a worker that is not taken on, and why. A `Beat` takes it on."""

    text: str


class Places(NamedTuple):
    """The topics of one run: `down` to the workers, `up` to the conductor."""

    down: Topic
    up: Topic


def call_topic(control: Topic) -> Topic:
    """Where workers are called."""
    return Topic(levels=(*control.levels, "call"))


def places_of(control: Topic, run: str) -> Places:
    """Where those of one run speak."""
    return Places(*(Topic(levels=(*control.levels, run, way)) for way in ("down", "up")))


class Post:
    """Sends and receives over one connection, beside the messages that are measured.

    Args:
        connection: To the broker.
        inbox: Where its events are.
    """

    def __init__(self, connection: Connection, inbox: Inbox) -> None:
        self._connection = connection
        self._inbox = inbox

    def listen(self, topic: Topic) -> None:
        """Receive what is sent there from now on.

        Raises:
            MqctlError: As `Connection.subscribe`.
        """
        self._connection.subscribe(SubscribeSpec(topic=topic), timeout_s=SUBSCRIBE_TIMEOUT_S)

    def send(self, topic: Topic, message: Call | Letter) -> None:
        """Send a message. Nobody waits for a confirmation: who is silent is missed soon enough."""
        payload = zlib.compress(msgspec.json.encode(message))
        self._connection.submit(Outgoing(topic=topic, payload=payload, as_text=False))

    def receive(self, timeout_s: float) -> list[Call | Letter]:
        """Wait for messages, and take those that came; what is none of ours is passed over.

        Raises:
            ConnectionLost: The connection went away.
        """
        return list(_read(self._inbox.take(timeout_s)))


_letters = msgspec.json.Decoder(Call | Letter)


def opened(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw) -> Iterator[T]:
    """What was written, or nothing where none of us wrote it."""
    # What is no JSON, no UTF-8, or nested too deep.
    with suppress(ValueError, RecursionError):
        yield decoder.decode(text)


def _read(events: Iterable[ConnectionEvent]) -> Iterator[Call | Letter]:
    for event in events:
        match event:
            case Delivery(payload=payload):
                with suppress(zlib.error):
                    yield from opened(_letters, zlib.decompressobj().decompress(payload, LETTER_MAX))
            case Disconnected(reason=reason):
                raise ConnectionLost(f"connection lost: {reason}")
            case _:
                pass
