"""Sets of sequence numbers as ranges: whatever is lost or refused, is so in a few long runs."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
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

    def add(self, start: int, stop: int) -> tuple[Range, ...]:
        """Add the numbers from `start` up to `stop`, wherever they belong; those that were not in before."""
        if not self._ranges or start >= self._ranges[-1].stop:
            self.append(start, stop)
            return (Range(start, stop),)
        first = bisect_left(self._ranges, start, key=_stop)
        last = bisect_right(self._ranges, stop, key=_start)
        touched = self._ranges[first:last]
        low, high = (touched[0].start, touched[-1].stop) if touched else (start, stop)
        self._ranges[first:last] = [Range(min(low, start), max(high, stop))]
        return span(start, stop).without(Ranges(touched)).all()

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

    @property
    def stop(self) -> int:
        """One above the highest number; 0 when there is none."""
        return self._ranges[-1].stop if self._ranges else 0

    def count(self) -> int:
        """How many numbers are in."""
        return sum(stop - start for start, stop in self._ranges)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._ranges, number, key=_start) - 1
        return at >= 0 and number < self._ranges[at].stop

    def without(self, other: Ranges) -> Ranges:
        """The numbers that are in this and not in the other."""
        left: list[Range] = []
        holes = iter(other._ranges)
        hole = next(holes, None)
        for start, stop in self._ranges:
            at = start
            while hole and hole.start < stop:
                if hole.start > at:
                    left.append(Range(at, hole.start))
                at = max(at, hole.stop)
                if hole.stop > stop:
                    break
                hole = next(holes, None)
            if at < stop:
                left.append(Range(at, stop))
        return Ranges(left)

    def common(self, other: Ranges) -> Ranges:
        """The numbers that are in both."""
        return self.without(self.without(other))

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


def _stop(each: Range) -> int:
    return each.stop
