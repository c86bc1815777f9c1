"""A histogram whose buckets grow with what they count: every quantile is told within 0.8 %, whatever its size.

The shape is that of HdrHistogram: below 256 a bucket for each number, above that 128 buckets for each doubling. The
least number of a bucket is at least 128 times as large as the bucket is wide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SUB_BUCKETS = 128
"""Buckets for each doubling."""

_EXACT_BELOW = 2 * SUB_BUCKETS
_EXACT_BITS = _EXACT_BELOW.bit_length() - 1
_SUB_BITS = _EXACT_BITS - 1


class Buckets(NamedTuple):
    """What a histogram holds, to be stored or sent: how many in each bucket by its number, and the largest number."""

    counts: Mapping[int, int] = {}
    largest: int = 0


class Histogram:
    """Counts whole numbers from 0 up, such as nanoseconds."""

    __slots__ = ("_counts", "_largest")

    def __init__(self, buckets: Buckets = Buckets()) -> None:  # noqa: B008 - immutable
        self._counts = Counter(buckets.counts)
        self._largest = buckets.largest

    def record(self, number: int) -> None:
        """Count a number.

        Raises:
            ValueError: It is negative.
        """
        if number < 0:
            raise ValueError(f"a histogram counts from 0 up, not {number}")
        self._counts[bucket_of(number)] += 1
        self._largest = max(self._largest, number)

    def record_all(self, numbers: Sequence[int]) -> None:
        """Count numbers; many at once cost the least.

        Raises:
            ValueError: One is negative. Then none is counted.
        """
        if not numbers:
            return
        if min(numbers) < 0:
            raise ValueError(f"a histogram counts from 0 up, not {min(numbers)}")
        self._largest = max(self._largest, *numbers)
        # `bucket_of` written out: a call for each number would double the cost.
        self._counts.update(
            [
                n if n < _EXACT_BELOW else ((shift := n.bit_length() - _EXACT_BITS) << _SUB_BITS) + (n >> shift)
                for n in numbers
            ]
        )

    def add(self, buckets: Buckets) -> None:
        """Take in what another histogram counted."""
        self._counts.update(buckets.counts)
        self._largest = max(self._largest, buckets.largest)

    def buckets(self) -> Buckets:
        """What was counted so far. May be asked by another thread than the one that records."""
        return Buckets(self._counts.copy(), self._largest)

    @property
    def count(self) -> int:
        """How many numbers were counted."""
        return self._counts.total()

    @property
    def largest(self) -> int:
        """The largest number counted, exactly; 0 when there is none."""
        return self._largest

    def at_least(self, number: int) -> int:
        """How many are not below `number`, as `quantile` tells them: by the ends of their buckets."""
        return sum(count for bucket, count in self._counts.items() if min(last_of(bucket), self._largest) >= number)

    def quantile(self, share: float) -> int | None:
        """The number that `share` of all are not above, rounded up to the end of its bucket; None when there is none.

        Args:
            share: Above 0, at most 1.
        """
        rank = max(math.ceil(share * self.count), 1)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(last_of(bucket), self._largest)
        return None


def difference(now: Buckets, before: Buckets) -> Buckets:
    """What was counted since `before`; its largest number is that of the fullest bucket that grew, rounded up."""
    counts = {bucket: grown for bucket, count in now.counts.items() if (grown := count - before.counts.get(bucket, 0))}
    return Buckets(counts, min(last_of(max(counts)), now.largest) if counts else 0)


def merged(parts: Iterable[Buckets]) -> Histogram:
    """One histogram of many. Percentiles are never averaged: buckets are added."""
    whole = Histogram()
    for part in parts:
        whole.add(part)
    return whole


def bucket_of(number: int) -> int:
    """The number of the bucket that counts `number`."""
    if number < _EXACT_BELOW:
        return number
    shift = number.bit_length() - _EXACT_BITS
    return (shift << _SUB_BITS) + (number >> shift)


def last_of(bucket: int) -> int:
    """The largest number that a bucket counts."""
    if bucket < _EXACT_BELOW:
        return bucket
    shift = (bucket >> _SUB_BITS) - 1
    return ((bucket - (shift << _SUB_BITS) + 1) << shift) - 1
