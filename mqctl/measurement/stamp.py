"""What is in a message of a measurement: which it is, when it was due, when it was sent, and filler.

It is in the payload, so that it works where there are no headers. Numbers are big-endian:

| bytes | |
|---|---|
| 4 | `mqb1` |
| 8 | the run |
| 2 | 1 where the message is measured, 0 in the warm-up |
| 2 | the publisher, from 0 |
| 4 | its sequence number, from 0 |
| 8 | when it was due, in ns of the publisher's monotonic clock |
| 8 | when it was handed to the transport, by the same clock |
| rest | filler, the same in all messages of a run |
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import NamedTuple

_HEADER = struct.Struct(">4sQHHIqq")
_MAGIC = b"mqb1"

SIZE_MIN = _HEADER.size
"""The least that a message can be, in bytes."""

PUBLISHERS_MAX = 0xFFFF
SEQUENCES_MAX = 0xFFFF_FFFF


class Mark(NamedTuple):
    """What a message says about itself."""

    measured: int
    publisher: int
    sequence: int
    intended_ns: int
    sent_ns: int


def filler(run: int, size: int) -> bytes:
    """What fills the messages of a run up to `size` bytes: random, so that nobody gains by compressing it."""
    return random.Random(run).randbytes(size - SIZE_MIN)  # noqa: S311 - no secrets


def writer(run: int, size: int) -> Callable[[Mark], bytes]:
    """Makes the payloads of a run."""
    rest, pack = filler(run, size), _HEADER.pack
    return lambda mark: pack(_MAGIC, run, *mark) + rest


def reader(run: int, size: int) -> Callable[[bytes], Mark | None]:
    """Reads payloads; None for what is not of this run, or was changed on its way."""
    rest, unpack = filler(run, size), _HEADER.unpack_from

    def read(payload: bytes) -> Mark | None:
        if len(payload) != size or not payload.endswith(rest):
            return None
        magic, of_run, *mark = unpack(payload)
        return Mark._make(mark) if magic == _MAGIC and of_run == run else None

    return read
