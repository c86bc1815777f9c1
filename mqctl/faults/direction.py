"""What a bad network does to the bytes of one direction. Chance is seeded, and what comes once comes by a count."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Final

SLICE_BYTES: Final = (1, 7)
"""The shortest and the longest piece of what is sliced."""

_FLIP: Final = 0x80
"""What corruption does to a byte: none of ASCII stays ASCII, and the first byte of no packet of MQTT stays its type."""


class Trigger:
    """Fires once, behind a place in the bytes of a direction.

    Attributes:
        fired: Set when that happened and what was to be done is done.
    """

    def __init__(self, pattern: bytes, left: int, action: Callable[[], None] | None) -> None:
        self.fired = threading.Event()
        self._action = action
        self._pattern = pattern
        self._left = left
        self._tails: dict[int, bytes] = {}

    def place(self, data: bytes, connection: int) -> int | None:
        """How many bytes of `data` lie before the place, if it is in there."""
        return self._behind_pattern(data, connection) if self._pattern else self._behind_bytes(len(data))

    def fire(self, reset: Callable[[], None]) -> None:
        """Do what is to be done; `reset`, where nothing else is."""
        try:
            (self._action or reset)()
        finally:
            self.fired.set()

    def _behind_bytes(self, size: int) -> int | None:
        if self._left <= size:
            return self._left
        self._left -= size
        return None

    def _behind_pattern(self, data: bytes, connection: int) -> int | None:
        tail = self._tails.get(connection, b"")
        joined, at = tail + data, 0
        while (found := joined.find(self._pattern, at)) >= 0:
            at = found + len(self._pattern)
            self._left -= 1
            if not self._left:
                return at - len(tail)
        self._tails[connection] = joined[max(at, len(joined) - len(self._pattern) + 1) :]
        return None


class Direction:
    """The faults of one direction of a link. They hold for connections that exist and for those that come.

    Args:
        rng: Draws jitter and slices.
        newest: Tells the number of the newest connection.
    """

    def __init__(self, rng: random.Random, newest: Callable[[], int]) -> None:
        self._rng = rng
        self._newest = newest
        self._delay_s = self._jitter_s = 0.0
        self._seconds_per_byte = 0.0
        self._sliced = False
        self._corrupt_next = False
        self._swallowed = 0
        self._trigger: Trigger | None = None

    def delay(self, delay_s: float, *, jitter_s: float = 0.0) -> None:
        """Let bytes arrive that much later, and up to `jitter_s` more; their order is kept."""
        self._delay_s, self._jitter_s = delay_s, jitter_s

    def throttle(self, bytes_per_s: float | None) -> None:
        """Let no more bytes through in a second; None is no limit."""
        self._seconds_per_byte = 0.0 if bytes_per_s is None else 1 / bytes_per_s

    def slice(self, *, sliced: bool = True) -> None:
        """Send bytes on in pieces of one to seven."""
        self._sliced = sliced

    def corrupt(self) -> None:
        """Change the first byte of what comes next."""
        self._corrupt_next = True

    def swallow(self) -> None:
        """Let nothing through any more over the connections that exist: half-open, and no side is told."""
        self._swallowed = self._newest()

    def cut_after(self, size: int) -> threading.Event:
        """Reset a connection when so many bytes more have passed; the event tells that it happened."""
        return self._arm(Trigger(b"", size, None))

    def cut_at(self, pattern: bytes, nth: int = 1) -> threading.Event:
        """Reset a connection behind the n-th `pattern` that passes from now on, over whichever connection."""
        return self._arm(Trigger(pattern, nth, None))

    def call_at(self, pattern: bytes, nth: int, action: Callable[[], None]) -> threading.Event:
        """Do something behind the n-th `pattern`, in the relay's thread; what follows that waits until it is done."""
        return self._arm(Trigger(pattern, nth, action))

    def _arm(self, trigger: Trigger) -> threading.Event:
        self._trigger = trigger
        return trigger.fired

    def heal(self) -> None:
        """Be a good network again."""
        self.delay(0.0)
        self.throttle(None)
        self._sliced = self._corrupt_next = False
        self._swallowed, self._trigger = 0, None

    def due_s(self, now_s: float) -> float:
        """When bytes that came now may go on."""
        return now_s + self._delay_s + self._rng.uniform(0, self._jitter_s)

    def rest_s(self, size: int) -> float:
        """How long to rest after so many bytes."""
        return size * self._seconds_per_byte

    def passing(self, data: bytes, connection: int) -> Iterator[bytes | Trigger]:
        """What goes on of the bytes that a connection brought, and a trigger where it fires.

        Args:
            data: The bytes.
            connection: Its number, from 1.
        """
        if connection <= self._swallowed:
            return
        if self._corrupt_next:
            self._corrupt_next = False
            data = bytes([data[0] ^ _FLIP]) + data[1:]
        trigger = self._trigger
        place = None if trigger is None else trigger.place(data, connection)
        if trigger is None or place is None:
            yield from self._pieces(data)
            return
        self._trigger = None
        yield from self._pieces(data[:place])
        yield trigger
        yield from self._pieces(data[place:])

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            size = self._rng.randint(*SLICE_BYTES) if self._sliced else len(data)
            yield data[at : at + size]
            at += size
