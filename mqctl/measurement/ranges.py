"""Sets of sequence numbers as ranges: whatever is lost or refused, is so in a few long runs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Range(NamedTuple):
    """The numbers from `start` up to, and without, `stop`."""

    start: int
    stop: int


class Ranges:
    """A set of whole numbers from 0 up, kept as ranges: sorted, disjoint, not touching."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges = [Range(*each) for each in ranges]

    def append(self, start: int, stop: int) -> None:
        """Add the numbers from `start` up to `stop`, all above those that are in."""
        if self._ranges and self._ranges[-1].stop == start:
            self._ranges[-1] = Range(self._ranges[-1].start, stop)
        else:
            self._ranges.append(Range(start, stop))

    def remove(self, number: int) -> bool:
        """Take a number out; whether it was in."""
        at = bisect_right(self._ranges, number, key=_start) - 1
        if at < 0 or number >= self._ranges[at].stop:
            return False
        start, stop = self._ranges[at]
        self._ranges[at : at + 1] = [
            part for part in (Range(start, number), Range(number + 1, stop)) if part.start < part.stop
        ]
        return True

    def count(self) -> int:
        """How many numbers are in."""
        return sum(stop - start for start, stop in self._ranges)

    def overlap(self, other: Ranges) -> int:
        """How many numbers are in both."""
        ours, theirs = iter(self._ranges), iter(other._ranges)
        a, b = next(ours, None), next(theirs, None)
        common = 0
        while a and b:
            common += max(0, min(a.stop, b.stop) - max(a.start, b.start))
            if a.stop < b.stop:
                a = next(ours, None)
            else:
                b = next(theirs, None)
        return common

    def all(self) -> tuple[Range, ...]:
        """The ranges, in order."""
        return tuple(self._ranges)


def span(start: int, stop: int) -> Ranges:
    """The numbers from `start` up to, and without, `stop`; none where `stop` is not above."""
    return Ranges([Range(start, stop)] if stop > start else ())


_ABSENT = re.compile(rb"\0+")


def absent(seen: bytes | bytearray) -> Ranges:
    """The places of a map of bytes that hold 0."""
    return Ranges(Range(*match.span()) for match in _ABSENT.finditer(seen))


def _start(each: Range) -> int:
    return each.start
