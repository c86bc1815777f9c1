"""Which messages of a publisher came: once, twice, late, never."""

from __future__ import annotations

from typing import NamedTuple

from mqctl.measurement.ranges import Range, Ranges, absent


class Arrived(NamedTuple):
    """What one subscriber, or all that share the messages, got of one publisher.

    All sequence numbers below `next` came, but for those in `missing`.
    """

    next: int = 0
    missing: tuple[Range, ...] = ()
    duplicated: int = 0
    out_of_order: int = 0


class Stream:
    """For a subscriber that gets every message. Memory grows with the gaps, not with the messages."""

    __slots__ = ("_duplicated", "_missing", "_next", "_out_of_order")

    def __init__(self) -> None:
        self._next = 0
        self._missing = Ranges()
        self._duplicated = 0
        self._out_of_order = 0

    def add(self, sequence: int) -> bool:
        """See `Arrivals.add`."""
        if sequence == self._next:
            self._next += 1
            return True
        if sequence > self._next:
            self._missing.append(self._next, sequence)
            self._next = sequence + 1
            return True
        late = self._missing.remove(sequence)
        self._out_of_order += late
        self._duplicated += not late
        return late

    def arrived(self) -> Arrived:
        """All so far."""
        return Arrived(self._next, self._missing.all(), self._duplicated, self._out_of_order)


class Part(NamedTuple):
    """What one of several subscribers that share the messages got of one publisher: a byte for each message."""

    seen: bytes = b""
    duplicated: int = 0
    out_of_order: int = 0


class Share:
    """For a subscriber that gets some of the messages: the others' are no gaps, so each message has a byte."""

    __slots__ = ("_duplicated", "_latest", "_out_of_order", "_seen")

    def __init__(self) -> None:
        self._seen = bytearray()
        self._latest = -1
        self._duplicated = 0
        self._out_of_order = 0

    def add(self, sequence: int) -> bool:
        """See `Arrivals.add`."""
        if sequence > self._latest:
            self._seen.extend(bytes(sequence - self._latest))
            self._seen[sequence] = 1
            self._latest = sequence
            return True
        if self._seen[sequence]:
            self._duplicated += 1
            return False
        self._seen[sequence] = 1
        self._out_of_order += 1
        return True

    def part(self) -> Part:
        """All so far."""
        return Part(bytes(self._seen), self._duplicated, self._out_of_order)


def together(parts: list[Part]) -> Arrived:
    """What all that share the messages got of one publisher; what two of them got is a duplicate."""
    union = doubles = 0
    for part in parts:
        # The maps as one large number each: a million messages are compared in less than a millisecond.
        seen = int.from_bytes(part.seen, "little")
        doubles += (union & seen).bit_count()
        union |= seen
    length = max((len(part.seen) for part in parts), default=0)
    return Arrived(
        length,
        absent(union.to_bytes(length, "little")).all(),
        doubles + sum(part.duplicated for part in parts),
        sum(part.out_of_order for part in parts),
    )
