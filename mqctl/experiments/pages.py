"""A stretch of a history, looked at once for all checkers: sorted by kind, and by who got what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import attrgetter, is_
from typing import Any, NamedTuple, TypeAlias

from mqctl.experiments.events import (
    ConnectionLost,
    ConnectionResumed,
    Delivered,
    End,
    FaultBegan,
    FaultEnded,
    Killed,
    Planted,
    Subscribed,
    Unsubscribed,
)
from mqctl.experiments.history import Batch, Entry
from mqctl.experiments.parties import Party
from mqctl.measurement.ranges import Range

Turn: TypeAlias = (
    Subscribed | Unsubscribed | ConnectionLost | ConnectionResumed | Killed | FaultBegan | FaultEnded | Planted | End
)
"""What changes the meaning of all that follows. It is rare; everything else is looked at in stretches."""

_TURNS = frozenset(Turn.__args__)


class Late(NamedTuple):
    """A message came for the first time, after one that its producer sent later."""

    event: Delivered
    behind: int


class Again(NamedTuple):
    """A message came that had come before; `asked`: because a consumer gave it back."""

    event: Delivered
    asked: bool


@dataclass(slots=True)
class Sheet:
    """What one party got in a stretch: everything, and of that what came late and what came again.

    `producers` and `numbers` are columns of `events`: they are read much faster at once than one by one.
    """

    party: Party
    events: Sequence[Delivered]
    producers: Sequence[str]
    numbers: Sequence[int]
    late: list[Late] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)

    def first(self) -> Sequence[Delivered]:
        """What came for the first time."""
        if not self.again:
            return self.events
        # By identity: another delivery of the same message may well be the first one.
        again = {id(event) for event, _ in self.again}
        return [event for event in self.events if id(event) not in again]


def sheet(party: Party, events: Sequence[Delivered]) -> Sheet:
    """One of which nothing is known to be late or to have come again."""
    return Sheet(party, events, *columns(events))


def columns(events: Sequence[Any]) -> tuple[list[str], list[int]]:
    """The producers and the numbers of events."""
    return list(map(_PRODUCER, events)), list(map(_NUMBER, events))


_PRODUCER, _NUMBER = attrgetter("producer"), attrgetter("n")


@dataclass(slots=True)
class Page:
    """A stretch of a history. `kinds` has its events by their type, in order; `sheets` are those of the parties."""

    first_line: int
    events: Sequence[Entry]
    kinds: Mapping[type, Sequence[Any]]
    sheets: list[Sheet] = field(default_factory=list)

    def line_of(self, event: Entry) -> int:
        """The number of an event's line."""
        return next(line for line, each in enumerate(self.events, self.first_line) if each is event)


def stretches(batch: Batch) -> Iterator[Page | Turn]:
    """What a batch consists of, in order."""
    kinds = list(map(type, batch.events))
    if _TURNS.isdisjoint(kinds):
        yield _page(batch.first_line, batch.events, kinds)
        return
    start = 0
    for at, event in enumerate(batch.events):
        if isinstance(event, Turn):
            if at > start:
                yield _page(batch.first_line + start, batch.events[start:at], kinds[start:at])
            yield event
            start = at + 1
    if start < len(kinds):
        yield _page(batch.first_line + start, batch.events[start:], kinds[start:])


def _page(first_line: int, events: Sequence[Entry], kinds: Sequence[type]) -> Page:
    # There are few kinds, and no Python is run for each event.
    sorted_ = {kind: list(compress(events, map(is_, kinds, repeat(kind)))) for kind in set(kinds)}
    return Page(first_line, events, sorted_)


def runs(numbers: Sequence[int]) -> Sequence[Range]:
    """Numbers as stretches that go up by one, in order."""
    first, last = numbers[0], numbers[-1]
    if last - first + 1 == len(numbers) and numbers == list(range(first, last + 1)):
        return (Range(first, last + 1),)
    breaks = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    return [
        Range(numbers[start], numbers[stop - 1] + 1)
        for start, stop in zip([0, *breaks], [*breaks, len(numbers)], strict=True)
    ]
