"""Inversions: against counting all pairs, and by the sequences that are easy to think through."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from mqctl.experiments.inversions import descents, inversions


@pytest.mark.parametrize(
    ("ranks", "count"),
    [([], 0), ([1], 0), ([1, 2, 3], 0), ([2, 1], 1), ([3, 2, 1], 3), ([2, 3, 1], 2), ([5, 9, 7], 1)],
)
def test_small_sequences(ranks, count):
    assert inversions(ranks) == count


def test_a_sequence_backwards_has_every_pair_wrong():
    assert inversions(range(5000, 0, -1)) == 5000 * 4999 // 2


@pytest.mark.parametrize("size", [10, 511, 512, 513, 1025, 3000])
def test_as_many_as_counting_every_pair_finds(size):
    chance = random.Random(size)
    ranks = chance.sample(range(10 * size), size)
    assert inversions(ranks) == sum(one > other for one, other in combinations(ranks, 2))


def test_a_swap_far_apart_in_a_long_sequence():
    ranks = list(range(3000))
    ranks[10], ranks[2010] = ranks[2010], ranks[10]
    assert inversions(ranks) == 2 * 2000 - 1


def test_descents_are_where_the_next_one_is_smaller():
    assert list(descents([1, 3, 2, 5, 4, 4])) == [1, 3]
    assert not list(descents([1, 2, 3]))
