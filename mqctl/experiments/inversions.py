"""How many pairs of a sequence stand in the wrong order: its Kendall distance from the sorted one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

_SHORT = 512
"""So few numbers are counted by inserting them, which moves few."""


def inversions(ranks: Sequence[int]) -> int:
    """Pairs of which the later is the smaller, in O(n log² n); of what is in order, in O(n) and fast."""
    return _sorted_and_counted(list(ranks))[1]


def descents(ranks: Sequence[int]) -> Iterator[int]:
    """The places i at which the next number is smaller: two neighbours are the least witnesses there are."""
    return (i for i, (one, other) in enumerate(pairwise(ranks)) if other < one)


def _sorted_and_counted(ranks: list[int]) -> tuple[list[int], int]:
    in_order = sorted(ranks)
    if ranks == in_order:
        return in_order, 0
    if len(ranks) <= _SHORT:
        return in_order, _by_insertion(ranks)
    half = len(ranks) // 2
    left, count_left = _sorted_and_counted(ranks[:half])
    right, count_right = _sorted_and_counted(ranks[half:])
    # Those of the left that are below all of the right, and the other way round, are in no wrong pair.
    low, high = bisect_left(left, right[0]), bisect_right(right, left[-1])
    across = sum(bisect_left(right, rank, 0, high) for rank in left[low:])
    return in_order, count_left + count_right + across


def _by_insertion(ranks: Sequence[int]) -> int:
    seen: list[int] = []
    count = 0
    for rank in ranks:
        count += len(seen) - bisect_right(seen, rank)
        insort(seen, rank)
    return count
