"""What the conductor and its workers say to each other, as JSON: over a pipe, or over the broker that is measured."""

from __future__ import annotations

from typing import Any

import msgspec

from mqctl.measurement.histogram import Buckets
from mqctl.measurement.load import Load
from mqctl.measurement.report import Work
from mqctl.model import AckMode, Confirmation, Topic

SCHEMA = 2
"""Of these messages. Workers of another version are turned away."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker has to do. `clocks` says for each publisher of the run whose monotonic clock it goes by."""

    load: Load
    topic: Topic
    publishers: tuple[int, ...]
    subscribers: tuple[int, ...]
    clocks: tuple[str, ...]
    confirm: Confirmation
    confirm_timeout_s: float
    persistent: bool = False
    qos: int | None = None
    ack: AckMode = AckMode.AUTO
    prefetch: int | None = None
    group: str | None = None


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """To a worker: connect and subscribe."""

    job: Job


class Go(msgspec.Struct, frozen=True, tag=True):
    """To a worker: begin, so long after this arrives, or at `at_ns` of the clock that all share."""

    after_ns: int = 0
    at_ns: int | None = None


class End(msgspec.Struct, frozen=True, tag=True):
    """To a worker: stop, and say what you did."""


class Beat(msgspec.Struct, frozen=True, tag=True):
    """To a worker: the conductor is still there."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: connected and subscribed."""


class Progress(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """From a worker, several times a second: what it did so far, and how long the latest messages took.

    `due` is how many of its messages should come to somebody, once all are `sent`.
    """

    attempted: int
    came: int
    recent: Buckets
    sent: bool = False
    due: int = 0


class Finished(msgspec.Struct, frozen=True, tag=True):
    """From a worker, last."""

    work: Work


class Trouble(msgspec.Struct, frozen=True, tag=True):
    """From a worker: an error that ends the run, by the name of its class."""

    kind: str
    text: str
    hint: str | None = None


class Remark(msgspec.Struct, frozen=True, tag=True):
    """From a worker: something that the user should hear."""

    text: str


class Gone(msgspec.Struct, frozen=True, tag=True):
    """About a worker: it died, or is silent."""

    text: str


ToWorker = Prepare | Go | End | Beat
FromWorker = Ready | Progress | Finished | Trouble | Remark | Gone

encode = msgspec.json.Encoder().encode
to_worker = msgspec.json.Decoder(ToWorker)
from_worker = msgspec.json.Decoder(FromWorker)


def described(error: Any) -> Trouble:
    """An error as a message."""
    return Trouble(type(error).__name__, str(error), getattr(error, "hint", None))
