"""What is in a message of a measurement: which it is, when it was due, when it was sent, and filler.

It is in the payload, so that it works where there are no headers; and it is text, for brokers and transports that carry
nothing else. It begins with `mqb1`, then in base64, with big-endian numbers:

| bytes | |
|---|---|
| 8 | the run |
| 2 | 1 where the message is measured, 0 in the warm-up |
| 2 | the publisher, from 0 |
| 4 | its sequence number, from 0 |
| 8 | when it was due, in ns of the publisher's monotonic clock |
| 8 | when it was handed to the transport, by the same clock |
| 4 | CRC-32 of the above |

and filler to the end, the same in all messages of a run.
"""

from __future__ import annotations

import random
import struct
from base64 import b64encode
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

MAGIC = b"mqb1"
_NUMBERS = struct.Struct(">QHHIqq")
_CHECKED = struct.Struct(_NUMBERS.format + "I")

SIZE_MIN = len(MAGIC) + len(b64encode(bytes(_CHECKED.size)))
"""The least that a message can be, in bytes."""

PUBLISHERS_MAX = 0xFFFF


class Mark(NamedTuple):
    """What a message says about itself."""

    measured: int
    publisher: int
    sequence: int
    intended_ns: int
    sent_ns: int


def filler(run: int, size: int) -> bytes:
    """What fills the messages of a run up to `size` bytes: random, so that nobody gains much by compressing it."""
    return b64encode(random.Random(run).randbytes(size))[: size - SIZE_MIN]  # noqa: S311 - no secrets


def writer(run: int, size: int) -> Callable[[Mark], bytes]:
    """Makes the payloads of a run."""
    rest, pack = filler(run, size), _NUMBERS.pack

    def write(mark: Mark) -> bytes:
        numbers = pack(run, *mark)
        return MAGIC + b2a_base64(numbers + crc32(numbers).to_bytes(4), newline=False) + rest

    return write


def reader(run: int, size: int) -> Callable[[bytes], Mark | None]:
    """Reads payloads; None for what is not of this run, or was changed on its way."""
    rest, unpack, start = filler(run, size), _CHECKED.unpack, len(MAGIC)

    def read(payload: bytes) -> Mark | None:
        if len(payload) != size or not payload.startswith(MAGIC) or not payload.endswith(rest):
            return None
        try:
            stamp = a2b_base64(payload[start:SIZE_MIN], strict_mode=True)
            of_run, *mark, check = unpack(stamp)
        except (Error, struct.error):
            return None
        return Mark._make(mark) if of_run == run and check == crc32(stamp[: _NUMBERS.size]) else None

    return read
