"""Two consumers of the same messages, compared while they come: how many pairs of messages they saw in different order.

What both saw alike is forgotten at once. What one has and the other has not yet is kept; so memory grows with how far
one lags behind, and with what it never gets.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Collection, Container, Iterable, Sequence
from itertools import filterfalse
from typing import NamedTuple

from mqctl.experiments.inversions import descents, inversions

SETTLE_MIN = 4096
"""Fewer messages on which the two differ wait for more: each look at them costs as much as they are long."""


class Order:
    """The messages that a party got for the first time, in order, as numbers; `start` of them are forgotten."""

    __slots__ = ("keys", "start")

    def __init__(self) -> None:
        self.keys = array("q")
        self.start = 0

    @property
    def stop(self) -> int:
        """How many came."""
        return self.start + len(self.keys)

    def forget(self, before: int) -> None:
        """Nobody needs those any more."""
        del self.keys[: before - self.start]
        self.start = max(self.start, before)


class Skipped(NamedTuple):
    """A message that one party has, and that the other had not when later ones were compared.

    `place` is its place at the one that has it, `before` how many compared messages came before it there, without
    those that were skipped themselves.
    """

    place: int
    before: int


class Side:
    """One party of a pair, and how far it was compared."""

    __slots__ = ("at", "in_turn", "last", "late_places", "order", "skipped")

    def __init__(self, order: Order) -> None:
        self.order = order
        self.at = order.start
        self.in_turn = 0
        self.late_places: list[int] = []
        self.skipped: dict[int, Skipped] = {}
        self.last = 0

    def rest(self) -> array[int]:
        """What was not compared yet."""
        return self.order.keys[self.at - self.order.start :]

    def behind(self, skipped: Skipped) -> int:
        """How many compared messages came before one that was skipped."""
        return skipped.before + bisect_left(self.late_places, skipped.place)

    def note_late(self, places: Iterable[int]) -> None:
        """Of compared messages, those that had been skipped."""
        for place in places:
            if place < self.at:
                insort(self.late_places, place)


class Difference(NamedTuple):
    """Two messages that one party saw in this order and the other in the opposite one."""

    first: int
    second: int


class Pair:
    """Compares two parties.

    Attributes:
        one, other: The two.
        common: Messages that both got and that were compared.
        inversions: Pairs of them in different order: the Kendall distance.
        difference: The first case that was not planted, as `one` saw it.

    Args:
        one: What it got.
        other: What it got.
        planted: Pairs of messages that changed places on purpose, in both orders.
    """

    def __init__(self, one: Order, other: Order, planted: Container[tuple[int, int]] = ()) -> None:
        self._planted = planted
        self.one, self.other = Side(one), Side(other)
        self.common = self.inversions = 0
        self.difference: Difference | None = None
        self._wait = SETTLE_MIN

    def advance(self) -> None:
        """More came; look at it where that pays."""
        self._pass_over()
        left = (self.one.order.stop - self.one.at, self.other.order.stop - self.other.at)
        if all(left) and sum(left) >= self._wait:
            self._settle()
            left = (self.one.order.stop - self.one.at, self.other.order.stop - self.other.at)
            self._wait = max(SETTLE_MIN, 2 * sum(left))

    def finish(self) -> None:
        """All came."""
        self._pass_over()
        self._settle()

    def alone(self) -> tuple[list[int], list[int]]:
        """What the one got and the other never did, and the reverse; after `finish`."""
        return [*self.one.skipped, *self.one.rest()], [*self.other.skipped, *self.other.rest()]

    def _pass_over(self) -> None:
        """What both got next, in the same order."""
        one, other = self.one, self.other
        alike = _alike(one.order.keys, one.at - one.order.start, other.order.keys, other.at - other.order.start)
        if alike:
            self.common += alike
            for side in (one, other):
                side.at += alike
                side.in_turn += alike
                side.last = side.order.keys[side.at - side.order.start - 1]

    def _settle(self) -> None:
        """Compare what both have of the rest; what only one has stays, or counts as skipped by the other."""
        one, other = self.one, self.other
        mine, theirs = one.rest().tolist(), other.rest().tolist()
        mine_alone, theirs_alone = set(mine).difference(theirs), set(theirs).difference(mine)
        late = other.skipped.keys() & mine_alone, one.skipped.keys() & theirs_alone
        # Where something is missing and all else in order, there is nothing to count.
        if any(late) or _without(mine, mine_alone) != _without(theirs, theirs_alone):
            self._count(mine, theirs, late)
        self.common += len(mine) - len(mine_alone) + sum(map(len, late))
        _close(one, mine, mine_alone - late[0])
        _close(other, theirs, theirs_alone - late[1])

    def _count(self, mine: Sequence[int], theirs: Sequence[int], late: tuple[set[int], set[int]]) -> None:
        one, other = self.one, self.other
        places = dict(zip(mine, range(one.at, one.order.stop), strict=True))
        their_places = dict(zip(theirs, range(other.at, other.order.stop), strict=True))
        both = [(place, their_places[key], key) for key, place in places.items() if key in their_places]
        both += [(place, self._caught_up(other, key), key) for key, place in places.items() if key in late[0]]
        both += [(self._caught_up(one, key), place, key) for key, place in their_places.items() if key in late[1]]
        self._compare(sorted(both))
        one.note_late(place for place, _, _ in both)
        other.note_late(place for _, place, _ in both)

    def _caught_up(self, side: Side, key: int) -> int:
        """A message that was skipped came to the other too: its place at `side`, which had it long before."""
        skipped = side.skipped.pop(key)
        # At least the message behind which it was found missing.
        self.inversions += self.common - side.behind(skipped)
        self._tell(Difference(key, side.last) if side is self.one else Difference(side.last, key))
        return skipped.place

    def _tell(self, difference: Difference) -> None:
        if self.difference is None and difference not in self._planted:
            self.difference = difference

    def _compare(self, both: Sequence[tuple[int, int, int]]) -> None:
        ranks = [their_place for _, their_place, _ in both]
        found = inversions(ranks)
        self.inversions += found
        if found and self.difference is None:
            for at in descents(ranks):
                self._tell(Difference(both[at][2], both[at + 1][2]))


def _alike(one: array[int], at: int, other: array[int], other_at: int) -> int:
    """How many numbers are the same from here on."""
    low, high = 0, min(len(one) - at, len(other) - other_at)
    if low == high or one[at] != other[other_at]:
        return 0
    step = high
    while low < high:
        if one[at + low : at + low + step] == other[other_at + low : other_at + low + step]:
            low += step
        else:
            high = low + step - 1
        step = min(max(1, (high - low) // 2), high - low) if low < high else 0
    return low


def _without(keys: Sequence[int], some: Collection[int]) -> Sequence[int]:
    return list(filterfalse(some.__contains__, keys)) if some else keys


def _close(side: Side, keys: Sequence[int], alone: Collection[int]) -> None:
    """Go on behind the last message that the other has too; what it has not before that, it skipped."""
    kept = next((i for i in range(len(keys), 0, -1) if keys[i - 1] not in alone), 0)
    if not kept:
        return
    skipped = [place for place, key in enumerate(keys[:kept]) if key in alone] if alone else []
    for before, place in enumerate(skipped):
        side.skipped[keys[place]] = Skipped(side.at + place, side.in_turn + place - before)
    side.in_turn += kept - len(skipped)
    side.last = keys[kept - 1]
    side.at += kept
